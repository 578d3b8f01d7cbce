"""Facts about the world: reviewed tables with a citation each, in `facts/*.csv`, loaded as they stand.

A launch year, a break, a border, a concept group is a row here and never a literal in the code. `status` is `verified`
(the text was seen) or `unverified`; no headline rests on an unverified row.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

import polars as pl

_INTEGERS = {"year", "year_from", "year_to"}
FACT_TABLES: tuple[str, ...] = (
    "places",
    "aliases",
    "successors",
    "launches",
    "breaks",
    "media",
    "concept_groups",
    "concept_twins",
    "series_of_record",
)


@cache
def load_fact(name: str) -> pl.DataFrame:
    """A table of facts as a frame: text columns, years as integers. Namibia's code stays the text NA."""
    data = (resources.files("longwave.warehouse") / "facts" / f"{name}.csv").read_bytes()
    frame = pl.read_csv(data, infer_schema=False).fill_null("")
    years = [pl.col(column).cast(pl.Int32) for column in frame.columns if column in _INTEGERS]
    return frame.with_columns(years)


@cache
def codes_by_name(source: str = "*") -> dict[str, str]:
    """Code of every name or code that a source may serve: places' own names and codes, then the reviewed aliases.

    An alias of one source goes before one of all: a name can mean two things to two publishers.
    """
    places, aliases = load_fact("places"), load_fact("aliases")
    known = dict(places.select("name", "code").iter_rows())
    known |= {code: code for code in places["code"]}
    for scope in ("*", source):
        known |= dict(aliases.filter(pl.col("source") == scope).select("name", "code").iter_rows())
    return known


@cache
def places() -> dict[str, dict[str, str]]:
    """Row of every place by its code."""
    return {row["code"]: row for row in load_fact("places").iter_rows(named=True)}
