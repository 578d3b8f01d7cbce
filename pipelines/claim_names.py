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
JOURNALS = "journal-presence"
NEWSPAPERS = "newspaper-presence"
SPEED = "adoption-speed"
ALL_PAIRS = "all pairs"
AMONG_ALL = "among all"
IN_FIELD = "within its field"
PRESENCE_SOURCES = {
    JOURNALS: ["journals_accounts", "journals_followers", "scimago_2010"],
    NEWSPAPERS: ["us_newspapers"],
}
SPEED_PANEL = "us-households"
ACCOUNTS = "journal-accounts"
ACCOUNTS_SOURCES = ["journals_accounts", "journals_followers", "scimago_2010"]
SELECTION = "journal-selection"
CATEGORIES = "journal-categories"
ADULTS = "platforms-adults"
# Of platforms by referrals: followed by the code of the place.
REFERRALS_IN = "platforms-referrals-"
WORLDS = "simulated worlds"
PRIMARY = "primary"
# What each choice of a specification is called, in the order that its parts are written.
SPECIFICATION_PARTS = {
    "weights": {
        "constant_cv": "all weigh alike",
        "poisson": "weighted by size",
        "bounded": "no journal weighs more than another",
    },
    "fields": {"centred": "within fields", "own": "a column for each field"},
    "covariates": {"linear": "standing and size", "squares": "standing, size and their squares"},
    "sample": {
        "all": "all journals",
        "without the largest 1 %": "without the largest 1 %",
        "with citable documents": "with citable documents",
    },
    "min_age": {"3.0": "3 years old or more", "5.0": "5 years old or more"},
}

PLACES = "places and media"
# Of predictions out of the medium: how good, and what each column adds.
SKILL, ADDS = "skill", "rise of the error without"
