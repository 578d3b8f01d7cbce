"""Every series of record fitted at every cut by every family: frames in, rows of `curve_fits` out.

How a curve is fitted is said in `longwave.models.curves`; here only what it is given, and what is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from longwave.models.curves import FAMILIES, CurveFits, fit_curves
from longwave.models.matrices import Matrix, matrix
from longwave.pipelines.beside import both, compiled
from longwave.pipelines.spread import map_blocks
from longwave.warehouse.tables import polars_schema
from numpy.typing import NDArray

FIRST_CUT = 5
CEILING = 100.0
OBJECTIVE = "cumulative"
THREADS = 2
PARAMETERS = tuple(dict.fromkeys(name for family in FAMILIES.values() for name in family.parameters))
# What the step adds to every row.
ADDED = ("step", "vintage", "code_digest")


def fit_every_cut(frame: pl.DataFrame) -> pl.DataFrame:
    """Fit every family to every series, once for each observed age from 5 on, to what was observed by then.

    A share is fitted a second time with m at most 100 where the free fit has no finite m below: elsewhere the two are one.

    Args:
        frame: of `longwave.warehouse.curve_frames.series_of_record`.

    Returns:
        Rows of `curve_fits` without step, vintage and digest, sorted by the key.

    """
    compiled()
    parts = [part for kept in map_blocks(_fitted, _asked(frame), "families of a panel", both) for part in kept]
    schema = {name: kind for name, kind in polars_schema("curve_fits").items() if name not in ADDED}
    kept = pl.concat(parts) if parts else pl.DataFrame(schema=schema)
    return kept.select(pl.col(name).cast(kind) for name, kind in schema.items()).sort(
        "series", "cut_year", "family", "objective", "capped"
    )


@dataclass(frozen=True)
class _Asked:
    """One family to be fitted to every cut of the series of one panel."""

    about: pl.DataFrame
    levels: NDArray[np.float64]
    t: NDArray[np.float64]
    family: str
    shares: bool


def _asked(frame: pl.DataFrame) -> Iterator[_Asked]:
    for rows in frame.sort("panel").partition_by("panel", maintain_order=True):
        whole, about = matrix(rows), _cuts(rows)
        if not about.is_empty():
            levels, shares = _cut(whole, about), rows["unit_class"][0] == "share"
            for family in FAMILIES:
                yield _Asked(about, levels, whole.t, family, shares)


def _fitted(asked: _Asked) -> list[pl.DataFrame]:
    about, levels, t, family = asked.about, asked.levels, asked.t, asked.family
    free = fit_curves(levels, t, family, OBJECTIVE, threads=THREADS)
    kept = [_kept(about, free)]
    again = np.flatnonzero(_above(free, CEILING) & ~(levels > CEILING).any(axis=1)) if asked.shares else ()
    if len(again):
        kept.append(_kept(about[again], fit_curves(levels[again], t, family, OBJECTIVE, CEILING, threads=THREADS)))
    return kept


def _cuts(rows: pl.DataFrame) -> pl.DataFrame:
    """One row a cut: series, panel, launch, launch_convention, cut_year, t, n, whole."""
    ordered = rows.sort("series", "t").with_columns(
        n=pl.int_range(1, pl.len() + 1).over("series"), whole=pl.col("t") == pl.col("t").max().over("series")
    )
    return ordered.filter(pl.col("age") >= FIRST_CUT).select(
        "series", "panel", "launch", "launch_convention", pl.col("year").alias("cut_year"), "t", "n", "whole"
    )


def _cut(whole: Matrix, about: pl.DataFrame) -> NDArray[np.float64]:
    """What was observed by each cut, (cuts, years)."""
    rows = np.searchsorted(whole.series, about["series"].to_list())
    return np.where(whole.t[None, :] <= about["t"].to_numpy()[:, None], whole.levels[rows], np.nan)


def _above(fits: CurveFits, ceiling: float) -> NDArray[np.bool_]:
    """Which fits have no finite m of their own at or below a ceiling, though something was fitted: (n,)."""
    below = (fits.status == "ok") & (fits.params["m"] <= ceiling)
    return np.asarray(np.isfinite(fits.sse) & ~below)


def _kept(about: pl.DataFrame, fits: CurveFits) -> pl.DataFrame:
    numbers = {"sse": fits.sse}
    for name in PARAMETERS:
        nothing = np.full(len(fits.sse), np.nan)
        numbers |= {name: fits.params.get(name, nothing), f"{name}_error": fits.std_errors.get(name, nothing)}
    return about.drop("t").with_columns(
        pl.lit(fits.family).alias("family"),
        pl.lit(fits.objective).alias("objective"),
        pl.lit(fits.ceiling is not None).alias("capped"),
        pl.lit(fits.ceiling, pl.Float64).alias("ceiling"),
        pl.Series("status", fits.status.tolist(), pl.String),
        # Where nothing was fitted, and where something goes to infinity with m, there is no number.
        *[pl.Series(name, np.where(np.isfinite(x), x, np.nan)).fill_nan(None) for name, x in numbers.items()],
    )
