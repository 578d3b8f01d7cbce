"""Every series that a forecaster may learn from or be scored on, as the vintage in force has it.

Belongs here: which series those are, their concept groups and ceilings. Does not: what a forecast may see of them
(`longwave.models.visibility`), their use. They are the panels' series of record, and the technologies of the household
file that count no people (ports, boilers, car output), which the published benchmark has too.

A concept group is (concept, place), over all sources: the concept of each series stands in `facts/concept_groups.csv`.
Concepts whose figures follow from one another are one group, too: `facts/concept_twins.csv`.
"""

from __future__ import annotations

import duckdb
import polars as pl
from longwave.warehouse.panels import PANELS, Panel, launches_of, panel_levels
from longwave.warehouse.world import load_fact

OTHER_TECHNOLOGIES = "us-other"
US_PANELS: tuple[str, ...] = ("us-households", OTHER_TECHNOLOGIES)
REFERENCE_PANELS: dict[str, Panel] = {
    **PANELS,
    OTHER_TECHNOLOGIES: Panel(
        "Technologies counted in other units than people",
        "",
        "adoption",
        "USA",
        f"NOT ({PANELS['us-households'].adopters})",
    ),
}
SHARE_CEILING = 100.0


def reference_frame(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """All reference series, as `longwave.models.histories.Histories.from_frame` reads them.

    Shares in points, counts per 100 people; filler zeros, carried values, aggregates and former states left out. Needs
    `panels.freeze(con)`; the vintage is the one that was frozen.

    Returns:
        series, concept_group, medium, family, place, panel, unit_class, ceiling (100 for shares, null for counts), launch
        (cited where verified, else the first year at or over 1 %; null where never), launch_convention, year, value,
        interpolated; sorted by series, year.

    Raises:
        ValueError: no panel has an observation at this date.

    """
    parts = []
    for name, panel in REFERENCE_PANELS.items():
        frame = panel_levels(con, panel)
        if not frame.is_empty():
            parts.append(_described(frame, name, launches_of(con, frame)))
    if not parts:
        raise ValueError("no panel has an observation at this date")
    return pl.concat(parts).sort("series", "year")


def _described(frame: pl.DataFrame, panel: str, launches: pl.DataFrame) -> pl.DataFrame:
    twins = load_fact("concept_twins")
    group = pl.col("concept").replace(twins["concept"].to_list(), twins["group"].to_list())
    return frame.join(launches, on="series", how="left").select(
        "series",
        pl.format("{}|{}", group, "place").alias("concept_group"),
        "medium",
        "family",
        "place",
        pl.lit(panel).alias("panel"),
        "unit_class",
        pl.when(pl.col("unit_class") == "share").then(pl.lit(SHARE_CEILING)).alias("ceiling"),
        "launch",
        "launch_convention",
        pl.col("year").cast(pl.Int32),
        "value",
        pl.col("flag").fill_null("").str.split(",").list.contains("interpolated").alias("interpolated"),
    )
