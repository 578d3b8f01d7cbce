"""What was released, and when by vintage: the claims as they stood each time that one of their numbers or verdicts changed.

A release has a running number, since one version may release many times and one vintage may be read anew by better code.
It is dated by the newest vintage it read. Running again on the same facts with the same result is no release; neither is a
change of words alone: the last release keeps its number and date, and takes the new words. The present release is the last.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import duckdb
import polars as pl
from longwave.warehouse.store import Warehouse
from longwave.warehouse.tables import polars_schema

_NUMBERS = ("panel", "role", "measure", "n", "clusters", "estimate", "interval", "level", "threshold", "holds")


def record_release(warehouse: Warehouse, entries: Sequence[Mapping[str, Any]], release: Mapping[str, str]) -> bool:
    """Record the claims as they stand: as a new release, or as the last one in other words.

    Args:
        warehouse: the writer.
        entries: the claims' entries of findings.json, with `decided_on` and `history`.
        release: version, newest_vintage, inputs_digest.

    Returns:
        whether anything changed.

    """
    held = releases(warehouse.con)
    last = held[-1] if held else None
    text = json.dumps(list(entries), ensure_ascii=False, sort_keys=True)
    claims = json.loads(text)
    if last is not None and last["claims"] == claims:
        return False
    if last is not None and _told(last["claims"]) == _told(claims):
        row = {**last, "vintage": date.fromisoformat(last["vintage"]), "claims": text}
    else:
        row = {
            "number": len(held) + 1,
            "vintage": date.fromisoformat(release["newest_vintage"]),
            "version": release["version"],
            "inputs_digest": release["inputs_digest"],
            "claims": text,
        }
    warehouse.replace("releases", pl.DataFrame([row], schema=polars_schema("releases")), {"number": row["number"]})
    return True


def _told(entries: Sequence[Mapping[str, Any]]) -> list[Any]:
    """What makes a release another: each claim's verdict and the numbers of its results, without their words."""
    return [
        [entry["id"], entry["verdict"], [[row.get(name) for name in _NUMBERS] for row in entry["by"]]]
        for entry in entries
    ]


def releases(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Every release, the first first: `number`, `vintage` (ISO date), `version`, `inputs_digest`, `claims` (entries)."""
    rows = con.execute(
        "SELECT number, vintage::VARCHAR, version, inputs_digest, claims FROM releases ORDER BY number"
    ).fetchall()
    return [
        {
            "number": number,
            "vintage": vintage,
            "version": version,
            "inputs_digest": digest,
            "claims": json.loads(claims),
        }
        for number, vintage, version, digest, claims in rows
    ]
