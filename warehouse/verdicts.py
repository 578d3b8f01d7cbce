"""The registry's history: a verdict is dated by the newest vintage read when it first became this.

An undated capture does not count as new for the rest of the site; a verdict that rests on one is not older than the day on
which that was recorded, since nothing read as of an earlier day would give it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from typing import Any

import polars as pl
from longwave.warehouse.store import Warehouse
from longwave.warehouse.tables import polars_schema


def record_verdicts(warehouse: Warehouse, entries: Sequence[dict[str, Any]], newest: date) -> bool:
    """Put each claim's entry into the history, and its `decided_on` and `history` into the entry.

    A changed verdict is a new row; an unchanged one keeps its date and renews its result. Returns whether anything changed.
    """
    held = warehouse.read("SELECT claim, nth, decided_on, verdict, result FROM verdicts ORDER BY claim, nth")
    recorded = dict(warehouse.con.execute("SELECT capture, vintage FROM captures").fetchall())
    changed = False
    for entry in entries:
        own = held.filter(pl.col("claim") == entry["id"]).to_dicts()
        last = own[-1] if own else None
        kept = last is not None and last["verdict"] == entry["verdict"]
        decided = last["decided_on"] if last is not None and kept else _not_before(entry, newest, recorded)
        earlier = own[:-1] if kept else own
        entry["decided_on"] = str(decided)
        entry["history"] = [{"verdict": row["verdict"], "decided_on": str(row["decided_on"])} for row in earlier]
        result = json.dumps(entry, ensure_ascii=False, sort_keys=True)
        if last is None or last["result"] != result:
            key = {"claim": entry["id"], "nth": len(earlier) + 1}
            row = key | {"decided_on": decided, "verdict": entry["verdict"], "result": result}
            frame = pl.DataFrame([row], schema=polars_schema("verdicts"))
            warehouse.replace("verdicts", frame, key)
            changed = True
    return changed


def _not_before(entry: dict[str, Any], newest: date, recorded: dict[str, date]) -> date:
    """The newest vintage, or that of a later capture which a primary result rests on."""
    primary = [row for row in entry["by"] if row["role"] == "primary"]
    return max([newest, *(recorded[capture] for row in primary for capture in row["captures"] if capture in recorded)])
