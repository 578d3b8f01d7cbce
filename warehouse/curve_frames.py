"""Series as the curves read them, on years since launch.

Belongs here: from which year t is counted. Does not belong here: which series and levels there are (`panels`), the fits.

A curve that begins at its launch is 0 there. Where a launch is cited, t counts from it. Where none is, the first year at or
over 1 % stands in for the launch elsewhere; a curve cannot be 0 in a year that has 1 %, so here t counts from the year before,
and that first year is t = 1, as in the published fits.
"""

from __future__ import annotations

import duckdb
import polars as pl
from longwave.warehouse.panels import adoption_frame

CITED, IMPLIED = "cited", "year_before_1_percent"


def series_of_record(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """The levels of every series of record that a panel can use, on t.

    Returns:
        series, panel, medium, place, cluster (the place; of technologies of one country, the concept group), unit_class,
        left_truncated, launch (the year of t = 0), launch_convention, year, age (as in
        `longwave.warehouse.panels.adoption_frame`), t, value; sorted by panel, series, t.

    """
    cited, several = pl.col("launch_convention") == "cited", pl.col("place").n_unique().over("panel") == 1
    launch = pl.col("launch") - (~cited).cast(pl.Int32)
    frame = adoption_frame(con).with_columns(
        launch=launch,
        launch_convention=pl.when(cited).then(pl.lit(CITED)).otherwise(pl.lit(IMPLIED)),
        cluster=pl.when(several).then("concept_group").otherwise("place"),
    )
    return frame.select(
        *(
            "series",
            "panel",
            "medium",
            "place",
            "cluster",
            "unit_class",
            "left_truncated",
            "launch",
            "launch_convention",
        ),
        *("year", "age", (pl.col("year") - pl.col("launch")).cast(pl.Int32).alias("t"), "value"),
    ).sort("panel", "series", "t")


_EVERY_SERIES = """
SELECT series, source, unit_class, year, value FROM standing
WHERE period_kind = 'year' AND medium <> 'covariate' AND value >= 0
QUALIFY max(value) OVER (PARTITION BY series) > 0
  AND year >= min(year) FILTER (value > 0) OVER (PARTITION BY series)
ORDER BY source, series, year
"""


def every_series(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Every yearly series of adoption that the warehouse holds, of record or not, in its own unit.

    Returns:
        series, source, unit_class, year, t (1 in the first year over 0), value; covariates and negative values left out;
        sorted by source, series, year.

    """
    frame: pl.DataFrame = con.sql(_EVERY_SERIES).pl()
    since = pl.col("year") - pl.col("year").min().over("series") + 1
    return frame.with_columns(t=since.cast(pl.Int32)).select("series", "source", "unit_class", "year", "t", "value")
