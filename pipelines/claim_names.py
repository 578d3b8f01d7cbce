"""Names under which the findings of single claims stand: what the studies write and the figures look up.

Apart from the studies, so that a change of one of them is no change of the pages' code.
"""

from __future__ import annotations

STATEMENTS = "statements"
CODINGS = {
    "false_or_worse": "false or worse",
    "barely_true_or_worse": "barely true or worse",
    "pants_fire": "pants on fire",
}
UPKEEP = "upkeep"
# The claims' own numbers.
HOURS = 5.0
RELATIONSHIPS = 1000
