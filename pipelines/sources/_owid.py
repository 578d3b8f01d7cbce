"""What Our World in Data's downloads say of themselves: which column is the value, and the metadata beside the CSV.

A metadata file describes one indicator under a name that the CSV's header need not repeat: it may give the short title
instead. A web archive holds the CSV alone, so that the metadata may be missing; it may never contradict. In 2022 a
download carried values forward: `mark_carried_forward` tells them from repeats that were observed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

import polars as pl
from longwave.pipelines.sources._json import read_json, text_of
from longwave.pipelines.sources._spec import Original
from longwave.pipelines.sources._table import decode, numbers, read_table, refused, years
from longwave.warehouse.errors import Refused

# Columns that colour a chart and are no figures.
ANNOTATIONS = frozenset({"World region according to OWID", "Continent"})
_KEYS = ("Entity", "Code", "Year")
_TIMESPAN = re.compile(r"(-?\d+)(?:[-–](-?\d+))?")


def chart_table(original: Original) -> tuple[pl.DataFrame, str]:
    """A chart's table and the name of its value column: whatever is neither a key nor a known annotation.

    The delimiter is read off the header: it changed between downloads.
    """
    name, text = original.name, decode(original.name, original.data)
    header = text.split("\n", 1)[0]
    separator = ";" if header.count(";") > header.count(",") else ","
    if {"Year", "Day"} & set(header.split(separator)) == {"Day"}:
        raise refused(name, "columns", "a column Year: the chart is declared yearly", "a column Day")
    table = read_table(name, text, _KEYS, separator=separator)
    values = [column for column in table.columns if column not in ("line", *_KEYS) and column not in ANNOTATIONS]
    if len(values) != 1:
        raise refused(name, "columns", f"one value column beside {', '.join(_KEYS)}", f"{len(values)}")
    return years(name, numbers(name, table, values[0]), "Year"), values[0]


def last_updated(original: Original) -> date | None:
    """The publisher's own update date; None where none is said, or where the reader will refuse what is said."""
    try:
        _, column = _described("metadata", original.parts["metadata"])
        return date.fromisoformat(text_of(column, "lastUpdated"))
    except (KeyError, Refused, ValueError):
        return None


def check_metadata(original: Original, column: str, seen: pl.Series) -> None:
    """Refuse a metadata part that contradicts the CSV: another column, or years seen outside those it speaks of."""
    if "metadata" not in original.parts:
        return
    name = f"{original.name}: metadata"
    key, described = _described(name, original.parts["metadata"])
    names = {key, *(text_of(described, title) for title in ("titleShort", "titleLong", "shortName"))} - {""}
    if column not in names:
        raise refused(name, "value column", f"a description of {column!r}", f"one of {key!r}")
    _check_timespan(name, text_of(described, "timespan"), seen)
    _check_update(name, described, original.day)


def _described(name: str, data: bytes) -> tuple[str, Mapping[object, object]]:
    """Name and description of the one indicator."""
    value = read_json(name, data)
    columns = value.get("columns") if isinstance(value, dict) else None
    if not isinstance(columns, dict):
        raise refused(name, "columns", "an object with a description of each column", "none")
    own = [(key, said) for key, said in columns.items() if key not in ANNOTATIONS and isinstance(said, dict)]
    if len(own) != 1:
        raise refused(name, "columns", "a description of one value column", f"{len(own)}", [key for key, _ in own])
    return own[0]


def _check_timespan(name: str, text: str, seen: pl.Series) -> None:
    said = _TIMESPAN.fullmatch(text.replace(" ", ""))
    if text and said is None:
        raise refused(name, "timespan", "years such as 1990-2024", repr(text))
    if said is not None and not seen.is_empty():
        first, last = int(said[1]), int(said[2] or said[1])
        outside = sorted(set(seen.filter(~seen.is_between(first, last))))
        if outside:
            found = f"{len(outside)} years outside it in the CSV"
            raise refused(name, "timespan", f"years {first} to {last}", found, [str(year) for year in outside])


def _check_update(name: str, described: Mapping[object, object], day: date | None) -> None:
    text = described.get("lastUpdated")
    if text in (None, ""):
        return
    try:
        updated = date.fromisoformat(str(text))
    except ValueError:
        raise refused(name, "lastUpdated", "a date YYYY-MM-DD", repr(text)) from None
    if day is not None and updated > day:
        raise refused(name, "lastUpdated", f"a date up to the day it was served, {day}", str(updated))


def mark_carried_forward(rows: pl.DataFrame, reference: pl.DataFrame) -> pl.DataFrame:
    """Flag the rows that repeat the year before and are absent from the publisher's own data set: both must hold."""
    before = rows.select("entity", pl.col("year") + 1, pl.col("value").alias("before"))
    served = reference.select("entity", "period_start", pl.lit(True).alias("published"))
    carried = (pl.col("value") == pl.col("before")) & pl.col("published").is_null()
    return (
        rows.join(before, on=["entity", "year"], how="left")
        .join(served, on=["entity", "period_start"], how="left")
        .with_columns(pl.when(carried).then(pl.lit("carried_forward")).alias("flag"))
    )
