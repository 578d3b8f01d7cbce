"""`longwave verify`: the facts held against what was recorded of them, so that a changed byte is named."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import polars as pl
from longwave.pipelines.observe import held_originals, read_founding
from longwave.pipelines.sources import SOURCES
from longwave.warehouse.errors import Refused
from longwave.warehouse.founding_files import OriginalRow
from longwave.warehouse.home import Home
from longwave.warehouse.results import capture_contents, stated_by
from longwave.warehouse.store import reader
from longwave.warehouse.tidy import adopter_key_expression


def verify(home: Home, founding: Path) -> tuple[int, list[str]]:
    """Check every founding capture's rows against their digest, and against what the warehouse holds of them.

    Returns:
        How many captures were checked, and one line for each problem.

    """
    problems: list[str] = []
    rows = held_originals(founding)
    for source, group in groupby(rows, key=lambda row: row.source):
        problems += _verify_source(home, founding, source, list(group))
    return len(rows), problems


def _verify_source(home: Home, founding: Path, source: str, rows: list[OriginalRow]) -> list[str]:
    spec = SOURCES[source]
    try:
        captures = read_founding(spec, founding, rows)
    except Refused as refused:
        return [str(refused)]
    problems = []
    with reader(home) as con:
        held = {line.partition(" ")[0] for line in capture_contents(con)}
        for item in captures:
            if item.row.capture not in held:
                problems.append(f"{item.row.capture}: not in the warehouse; run `longwave run`")
                continue
            measures = item.frame["measure"].unique().to_list()
            stated = stated_by(con, source, measures, item.row.vintage)
            differing = _differing(source, spec.adopter_kind == "place", item.frame, stated)
            if differing:
                problems.append(f"{item.row.capture}: {differing} values in the warehouse are not those of the capture")
    return problems


def _differing(source: str, places: bool, frame: pl.DataFrame, stated: pl.DataFrame) -> int:
    key = adopter_key_expression(source) if places else pl.col("entity")
    wanted = frame.with_columns(key.alias("key")).select(
        pl.format("{}/{}/{}", pl.lit(source), "measure", "key").alias("series"),
        "period_start",
        "period_kind",
        "value",
        pl.col("flag").alias("served_flag"),
    )
    on = ["series", "period_start", "period_kind", "value", "served_flag"]
    absent = wanted.join(stated, on=on, how="anti", nulls_equal=True).height
    return absent + stated.join(wanted, on=on, how="anti", nulls_equal=True).height
