"""What Bass estimates do as more of a curve is seen: the systematic change of Van den Bulte and Lilien (1997).

Belongs here: the regression, and simulated curves to hold it against. Not here: the fits (``curves``), bias against a known
truth.

Their figures: 10 % more observed penetration goes with a ceiling about 5 % higher, q about 10 % lower and p about 15 % higher.
Here the logarithm of an estimate is regressed on the logarithm of the level observed last, over all cuts of all series, with an
intercept for each series; Bass on the increments, by nonlinear least squares as theirs (Srinivasan & Mason 1986). Only cuts
at which m, p and q are identified and positive count: what is said is said of those, and their number stands beside it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from longwave.models.curve_shapes import Floats
from longwave.models.curves import fit_curves

PUBLISHED: Final = {"m": 5.0, "q": -10.0, "p": 15.0}
MORE: Final = 1.1
LEAST: Final = 8
YEARS: Final = 30
LEVEL: Final = 0.95


def systematic_change(levels: Floats, ages: Floats, *, n_boot: int, seed: int, threads: int = 1) -> pl.DataFrame:
    """Change of m, p and q in percent when 10 % more penetration has been observed.

    Args:
        levels: (n, years), NaN where not observed; a row is cut at each observation from its 8th on.
        ages: (years,) since launch.
        n_boot: replicates of the bootstrap over series.
        seed: seed of the bootstrap.
        threads: as for `fit_curves`.

    Returns:
        parameter, percent, lo, hi (95 %), n (series with two cuts or more), cuts, lost (cuts at which an estimate is not
        identified or not positive). No rows without a series.

    """
    rows, columns = np.nonzero(np.isfinite(levels) & (np.cumsum(np.isfinite(levels), axis=1) >= LEAST))
    cut = np.where(np.arange(len(ages))[None, :] <= columns[:, None], levels[rows], np.nan)
    fits = fit_curves(cut, ages, "bass", "increments", threads=threads)
    estimates = np.column_stack([levels[rows, columns], *(fits.params[name] for name in PUBLISHED)])
    sound = (fits.status == "ok") & (estimates > 0).all(axis=1)
    names, series, cuts = np.unique(rows[sound], return_inverse=True, return_counts=True)
    logs = np.log(estimates[sound])
    means = np.stack([np.bincount(series, column, len(names)) for column in logs.T], axis=1) / cuts[:, None]
    off = logs - means[series]
    products = off[:, :1] * off  # with the level itself first: its sum of squares
    sums = np.stack([np.bincount(series, column, len(names)) for column in products.T], axis=1)[cuts > 1]
    if not len(sums):
        return pl.DataFrame(schema=_SCHEMA)
    drawn = np.random.default_rng(seed).multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=n_boot)
    totals = np.vstack([np.ones(len(sums)), drawn]) @ sums
    percent = 100 * (MORE ** (totals[:, 1:] / totals[:, :1]) - 1)
    tail = 50 * (1 - LEVEL)
    lo, hi = np.percentile(percent[1:], [tail, 100 - tail], axis=0) if n_boot else np.full((2, 3), np.nan)
    return pl.DataFrame(
        {"parameter": list(PUBLISHED), "percent": percent[0], "lo": lo, "hi": hi},
    ).with_columns(
        n=pl.lit(len(sums), pl.Int64),
        cuts=pl.lit(int(cuts[cuts > 1].sum()), pl.Int64),
        lost=pl.lit(int((~sound).sum()), pl.Int64),
    )


_SCHEMA = {
    "parameter": pl.String,
    "percent": pl.Float64,
    "lo": pl.Float64,
    "hi": pl.Float64,
    "n": pl.Int64,
    "cuts": pl.Int64,
    "lost": pl.Int64,
}


def simulated(n: int, noise: float, seed: int) -> tuple[Floats, Floats]:
    """Bass curves with a ceiling of 100 over 30 years, with independent errors.

    p is lognormal about 0.01, q about 0.35 a year, wide enough for the consumer goods of the literature; no level is under 0.

    Args:
        n: curves.
        noise: standard deviation of the errors, points.
        seed: seed.

    Returns:
        Levels (n, 30) and ages (30,).

    """
    rng = np.random.default_rng(seed)
    p, q = np.exp(rng.normal(np.log(0.01), 0.7, n)), np.exp(rng.normal(np.log(0.35), 0.35, n))
    ages = np.arange(1.0, YEARS + 1)
    decay = np.exp(-(p + q)[:, None] * ages)
    levels = 100 * (1 - decay) / (1 + (q / p)[:, None] * decay) + noise * rng.standard_normal((n, YEARS))
    return np.clip(levels, 0, None), ages
