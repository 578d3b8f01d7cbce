"""Every yearly series of adoption as a line: what a page compares, each with the launch that its age counts from.

Belongs here: which series, and from when each is aged. Does not belong here: panels (`panels.py`, which says how a launch is
found where none is cited), files and pictures (`longwave.reports`).
"""

from __future__ import annotations

import duckdb
import polars as pl
from longwave.warehouse.panels import launches_of, per_100
from longwave.warehouse.views import LEFT_TRUNCATED_OVER

PER_100 = "per_100_people"
_SHARES = ("percent", PER_100)
_COLUMNS = [
    "series",
    "medium",
    "metric",
    "unit",
    "adopter",
    "code",
    "source",
    "launch",
    "cited",
    "year",
    "value",
    "break",
]
_YEARLY = r"""
    SELECT o.series, o.medium, s.metric, o.unit, o.adopter, s.code, o.place, o.source, o.year, o.value,
           regexp_matches(coalesce(o.flags, ''), '\bbreak\b') AS "break"
    FROM standing o JOIN series s USING (series) JOIN sources p ON p.source = o.source
    WHERE p.redistribute AND o.period_kind IN ('year', 'date') AND o.medium <> 'covariate'
      AND o.value IS NOT NULL AND NOT regexp_matches(coalesce(o.flags, ''), 'filler_zero|carried_forward')
    QUALIFY row_number() OVER (PARTITION BY o.series, o.year ORDER BY o.period_start DESC) = 1
    ORDER BY o.medium, s.metric, o.adopter, o.series, o.year"""


def series_lines(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Yearly series of media and technologies by places, technologies and platforms, of sources that may be passed on.

    Of surveys that were taken several times in a year, the last stands for it. Counts whose source has the population too are
    per 100 people. Filler zeros and values carried forward are left out.

    Args:
        con: a reader with `standing` frozen.

    Returns:
        series, medium, metric, unit, adopter, code, source, launch (null: no age), cited (whether the launch is from the
        verified table; else it is the first year at or over 1 per 100), year, value, break (whether one is listed there); by
        medium, metric, adopter, series, year.
        A series without a cited launch that begins above 12 per 100 has none: its early years are not known.

    """
    rows = _in_shares(con, con.sql(_YEARLY).pl())
    first = rows.group_by("series").agg(pl.col("value").sort_by("year").first().alias("first_value"))
    launched = rows.join(launches_of(con, rows), on="series", how="left").join(first, on="series")
    cited = pl.col("launch_convention") == "cited"
    known = cited | (pl.col("unit").is_in(_SHARES) & (pl.col("first_value") <= LEFT_TRUNCATED_OVER))
    return (
        launched.with_columns(
            pl.when(known).then("launch").alias("launch"), cited.fill_null(value=False).alias("cited")
        )
        .sort("medium", "metric", "adopter", "series", "year")
        .select(_COLUMNS)
    )


def _in_shares(con: duckdb.DuckDBPyConnection, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows, counts per 100 people where the source that counts has the population of that place and year too."""
    kept = [rows.filter(pl.col("source") != "hccta")]
    counted = rows.filter(pl.col("source") == "hccta")
    for _, same in counted.group_by("unit", maintain_order=True):
        kept.append(per_100(con, same).with_columns(pl.lit(PER_100).alias("unit")))
    return pl.concat(kept)
