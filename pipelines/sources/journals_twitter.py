"""Followers of journals' accounts on Twitter, by month from August 2022 until the interface closed in November 2023.

An account is its handle in lower case: two pairs of journals share an account and write it in different cases. Followers
are dated by the row, not by the file: files of the first of a month hold the days before it, and one holds two days. Where
several journals share an account they are polled seconds apart: the higher count stands, and counts too far apart for that
are refused. 2022-12 and 2023-07 were never collected, and 2023-06 lacks some hundred accounts: nothing is withdrawn by that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

import polars as pl
from longwave.pipelines.sources._cells import handle, on_days, refuse_rows
from longwave.pipelines.sources._spec import Endpoint, Original, Part, SourceSpec
from longwave.pipelines.sources._table import days, decode, numbers, read_table, refused
from longwave.warehouse.tidy import Measure

_COLUMNS = ["journal_title", "twitter", "followers", "date"]
_FILE = re.compile(r"followers-(\d{4}-\d{2}-\d{2})")
_DAYS_FROM_FILE = 7
_APART = 0.01
_APART_AT_LEAST = 10.0


def read(_: SourceSpec, original: Original) -> pl.DataFrame:
    """Tidy frame of every month served: followers of an account on a day."""
    counts = pl.concat([_month(name, data) for name, data in _files(original)])
    value = pl.col("value")
    polled = counts.group_by("entity", "period_start").agg(value.max(), value.min().alias("low"), pl.col("line").max())
    apart = polled.filter(value - pl.col("low") > pl.max_horizontal(pl.lit(_APART_AT_LEAST), value * _APART))
    columns = ("entity", "period_start", "low", "value")
    refuse_rows(original.name, apart, "shared accounts", "counts of one day within 1 %", *columns)
    return on_days(polled, "followers")


def _files(original: Original) -> Iterator[tuple[str, bytes]]:
    """Each file, under a name that holds the day in its own."""
    yield (original.name if _FILE.search(original.name) else original.url or original.name), original.data
    yield from ((name, data) for name, data in original.parts.items() if name != "data")


def _month(name: str, data: bytes) -> pl.DataFrame:
    table = read_table(name, decode(name, data), _COLUMNS, missing=["NA", ""])
    counted = table.filter(pl.col("twitter").is_not_null() & pl.col("followers").is_not_null())
    said = days(name, numbers(name, counted, "followers"), "date", "%Y-%m-%d", "YYYY-MM-DD")
    filed = _FILE.search(name)
    if filed is None:
        raise refused(name, "file name", "followers-YYYY-MM-DD", "another name")
    gap = (pl.col("period_start") - date.fromisoformat(filed[1])).dt.total_days().abs()
    far = said.filter(gap > _DAYS_FROM_FILE)
    refuse_rows(name, far, "dates", f"within {_DAYS_FROM_FILE} days of the file's", "date")
    return said.select("line", handle("twitter").alias("entity"), "period_start", pl.col("followers").alias("value"))


def newest_day(original: Original) -> date | None:
    """The newest day on which followers were counted: the repository was renewed on it."""
    return max(read(SPECS[0], original)["period_start"].to_list(), default=None)


# The months there are, newest first: the series has ended.
_MONTHS = (
    "2023-11 2023-10 2023-09 2023-08 2023-06 2023-05 2023-04 2023-03 2023-02 2023-01 2022-11 2022-10 2022-09 2022-08"
)
_NEWEST, *_EARLIER = (f"{month}-01" for month in _MONTHS.split())
_URL = "https://raw.githubusercontent.com/andreaspacher/journals-on-twitter/HEAD/Follower_Counts/followers-{day}.csv"
_PARTS = (
    Part("data", _URL.replace("{day}", _NEWEST), "csv"),
    *(Part(f"followers-{day}", _URL.replace("{day}", day), "csv") for day in _EARLIER),
)

SPECS = (
    SourceSpec(
        source="journals_followers",
        title="Followers of journals on Twitter",
        publisher="Andreas Pacher; counts by Twitter",
        homepage="https://github.com/andreaspacher/journals-on-twitter",
        url="https://raw.githubusercontent.com/andreaspacher/journals-on-twitter/HEAD/Follower_Counts/",
        allowed_hosts=("raw.githubusercontent.com",),
        licence="CC0 1.0",
        citation="A. Pacher, journals-on-twitter: follower counts, August 2022 to November 2023, doi 10.1629/uksg.593",
        cadence="ended",
        media_type="text/csv",
        measures=(Measure("followers", "social", "followers", "followers", "accounts", None, 0, 1e9),),
        reader=read,
        proven_on="2023-11-01",
        adopter_kind="account",
        place="WLD",
        scope="period",
        endpoints=(Endpoint(_PARTS),),
        dated=newest_day,
        refresh="yearly",
    ),
)
