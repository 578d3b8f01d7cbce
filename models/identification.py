"""How early the figures identify a ceiling: at each age, what became of the fits to all that was observed by then.

Belongs here: the sample, the marks of a fit, means over panels with bands. Not here: the fits (``curves``), how well a
forecast does (``ripeness``).

A fixed sample, so that a line falls or rises by age and not by who is in it: series observed by age 3, at age 5 and until age
20, not left-truncated. A ceiling that was identified may still be wrong. What can be told without waiting for an end is
whether the figures have since exceeded it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from longwave.models.curve_shapes import Floats
from numpy.typing import NDArray

AGES: Final = tuple(range(5, 21))
FIRST_BY: Final = 3
EXCEEDED_BY: Final = 1.1
MIN_CLUSTERS: Final = 15
LEVEL: Final = 0.95
FINITE: Final = "finite_ceiling"
ENDLESS: Final = "no_finite_ceiling"
BOUND: Final = "on_bound"
EXCEEDED: Final = "ceiling_exceeded"
MEASURES: Final = (FINITE, ENDLESS, BOUND, EXCEEDED)
POOLED: Final = "pooled"


def identification(fits: pl.DataFrame, levels: pl.DataFrame, *, n_boot: int, seed: int) -> pl.DataFrame:
    """Share of the series of a fixed sample whose fit at each age had a finite ceiling, none, or one that a bound chose.

    ``ceiling_exceeded`` is the share, of those with a finite ceiling, whose later figures lie above it by more than 10 %.

    Args:
        fits: series, family, cut_year, status, m; one row a series, family and cut.
        levels: series, panel, cluster, left_truncated, year, age, value.
        n_boot: replicates of the bootstrap over clusters.
        seed: seed of the bootstrap.

    Returns:
        panel (``pooled``: the equal mean of panels with 15 clusters), family, measure, age, estimate, lo, hi (95 %), n (series),
        n_clusters; no rows without such a series. NaN where no series has a value.

    """
    sample = fixed_sample(levels)
    marks = _marks(fits, levels.join(sample.select("series"), on="series", how="semi"))
    if marks.is_empty():
        return pl.DataFrame(schema=_SCHEMA)
    key = ["family", "measure", "age"]
    columns = marks.select(key).unique().sort(key).with_row_index("column")
    rows = marks.select("series").unique().sort("series").with_row_index("row")
    placed = marks.join(columns, on=key).join(rows, on="series")
    values, among = np.full((2, rows.height, columns.height), np.nan)
    at = placed["row"].to_numpy(), placed["column"].to_numpy()
    values[at], among[at] = placed["value"].to_numpy(), placed["among"].to_numpy()
    about = rows.join(sample, on="series", how="left", maintain_order="left")
    panels, clusters = about["panel"].to_list(), about["cluster"].to_list()
    means = cluster_means(values, panels, clusters, among=among, n_boot=n_boot, seed=seed)
    return means.join(columns, on="column").select(list(_SCHEMA)).sort("panel", *key)


_SCHEMA = {
    "panel": pl.String,
    "family": pl.String,
    "measure": pl.String,
    "age": pl.Int32,
    "estimate": pl.Float64,
    "lo": pl.Float64,
    "hi": pl.Float64,
    "n": pl.Int64,
    "n_clusters": pl.Int64,
}


def fixed_sample(levels: pl.DataFrame) -> pl.DataFrame:
    """Series, panel and cluster of those observed at or before age 3, at age 5 and at or after age 20, not left-truncated.

    Without a figure at age 5 there is no fit of that age, and a series would join the line later.
    """
    seen = levels.group_by("series").agg(
        pl.col("panel", "cluster").first(),
        pl.col("left_truncated").any(),
        pl.col("age").min().alias("first"),
        pl.col("age").max().alias("last"),
        (pl.col("age") == AGES[0]).any().alias("at_first_cut"),
    )
    kept = (
        ~pl.col("left_truncated")
        & pl.col("at_first_cut")
        & (pl.col("first") <= FIRST_BY)
        & (pl.col("last") >= AGES[-1])
    )
    return seen.filter(kept).select("series", "panel", "cluster").sort("series")


def _marks(fits: pl.DataFrame, levels: pl.DataFrame) -> pl.DataFrame:
    """Series, family, age, measure, value and among (0 or 1): whether it is so, and whether it could be."""
    ages = pl.DataFrame({"age": AGES}, schema={"age": pl.Int32})
    highest = (
        levels.sort("series", "year", descending=[False, True])
        .with_columns(later=pl.col("value").cum_max().shift(1).over("series"))
        .select("series", pl.col("year").alias("cut_year"), pl.col("age").alias("cut_age"), "later")
    )
    known = fits.join(highest, on=["series", "cut_year"]).sort("cut_age")
    whom = known.select("series", "family").unique().sort("series", "family")
    at = whom.join(ages, how="cross").sort("age")
    by = at.join_asof(known, left_on="age", right_on="cut_age", by=["series", "family"], check_sortedness=False)
    finite = pl.col("status") == "ok"
    marked = by.filter(pl.col("status").is_not_null()).with_columns(
        finite.alias(FINITE),
        (pl.col("status") == "no_finite_ceiling").alias(ENDLESS),
        (pl.col("status") == "on_bound").alias(BOUND),
        (finite & (pl.col("later") > EXCEEDED_BY * pl.col("m"))).fill_null(False).alias(EXCEEDED),
        (finite & pl.col("later").is_not_null()).alias("later_seen"),
    )
    long = marked.unpivot(list(MEASURES), index=["series", "family", "age", "later_seen"], variable_name="measure")
    among = pl.when(pl.col("measure") == EXCEEDED).then("later_seen").otherwise(True)
    return long.with_columns(pl.col("value").cast(pl.Float64), among.cast(pl.Float64).alias("among"))


def cluster_means(
    values: Floats,
    panels: Sequence[str],
    clusters: Sequence[str],
    *,
    among: Floats | None = None,
    n_boot: int,
    seed: int,
) -> pl.DataFrame:
    """Means of each column over the series of each panel and, equally weighed, over the panels with 15 clusters.

    Bands are 95 % percentiles over resampled clusters; one cluster is drawn as often in every panel that has it.

    Args:
        values: (series, columns), NaN where a series has no value.
        panels: panel of each series.
        clusters: cluster of each series.
        among: None, or (series, columns) of 0 and 1: the mean is over those with 1, a ratio of two means; the pooled one is the
            ratio of the pooled means, so that a panel weighs as its series do and not as the few among them.
        n_boot: replicates.
        seed: seed.

    Returns:
        column, panel, estimate, lo, hi, n (those with 1), n_clusters (of all with a value); n of the pooled rows is the sum over
        its panels. NaN where nobody is among them.

    """
    names, which = np.unique(np.asarray(clusters), return_inverse=True)
    drawn = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), size=n_boot)
    weights = np.vstack([np.ones(len(names)), drawn])
    seen = np.isfinite(values)
    inside = seen.astype(np.float64) if among is None else np.where(seen, among, 0.0)
    found: dict[str, _Panel] = {}
    for panel in sorted(set(panels)):
        rows = np.flatnonzero(np.asarray(panels) == panel)
        mine, present = weights[:, which[rows]], np.zeros((len(names), values.shape[1]))
        np.maximum.at(present, which[rows], seen[rows])
        with np.errstate(invalid="ignore"):
            share = (mine @ inside[rows]) / (mine @ seen[rows])
            total = (mine @ (inside[rows] * np.where(seen[rows], values[rows], 0.0))) / (mine @ seen[rows])
        found[panel] = _Panel(total, share, inside[rows].sum(axis=0), present.sum(axis=0))
    return pl.concat([_frame(panel, part) for panel, part in found.items()] + _pooled(list(found.values())))


@dataclass(frozen=True)
class _Panel:
    """Means of a panel, (1 + replicates, columns): of the values of those inside, of being inside; and how many there are."""

    total: Floats
    share: Floats
    n: Floats
    n_clusters: Floats


def _pooled(parts: list[_Panel]) -> list[pl.DataFrame]:
    """The equal mean, column by column, of the panels with enough clusters there."""
    if not parts:
        return []
    enough = np.array([part.n_clusters >= MIN_CLUSTERS for part in parts])
    share = np.array([part.share for part in parts])
    # A replicate in which a panel has no series left is the mean of the others.
    held = enough[:, None, :] & np.isfinite(share)
    with np.errstate(invalid="ignore"):
        total, inside = (
            np.where(held, mean, 0.0).sum(axis=0) / held.sum(axis=0)
            for mean in (np.array([part.total for part in parts]), share)
        )
    n, n_clusters = (
        np.where(enough, sizes, 0).sum(axis=0) for sizes in ([p.n for p in parts], [p.n_clusters for p in parts])
    )
    kept = np.flatnonzero(enough.any(axis=0))
    pooled = _Panel(total[:, kept], inside[:, kept], n[kept], n_clusters[kept])
    return [_frame(POOLED, pooled, kept)] if len(kept) else []


def _frame(panel: str, part: _Panel, columns: NDArray[np.int64] | None = None) -> pl.DataFrame:
    """One row a column: the first row of the means is the estimate, the others are replicates."""
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(part.share > 0, part.total / part.share, np.nan)
    tail = 50 * (1 - LEVEL)
    known = np.isfinite(means[1:]).any(axis=0)
    lo, hi = np.full((2, means.shape[1]), np.nan)
    if len(means) > 1 and known.any():
        lo[known], hi[known] = np.nanpercentile(means[1:, known], [tail, 100 - tail], axis=0)
    return pl.DataFrame(
        {
            "column": np.arange(means.shape[1]) if columns is None else columns,
            "panel": [panel] * means.shape[1],
            "estimate": means[0],
            "lo": lo,
            "hi": hi,
            "n": part.n.astype(np.int64),
            "n_clusters": part.n_clusters.astype(np.int64),
        },
        schema_overrides={"column": pl.UInt32},
    )
