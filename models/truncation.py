"""What Bass estimates do as more of a curve is seen: the systematic change of Van den Bulte and Lilien (1997).

Belongs here: the regression, what counts as roughly the published sizes, and simulated curves to hold it against. Not here:
the fits (``curves``), bias against a known truth.

Their abstract: over twelve innovations, "on average, a 10% increase in the observed cumulative market penetration is
associated with, roughly, a 5% increase in estimated market size m, a 10% decrease in q, and a 15% increase in p", and "about
the same effect sizes" in simulations without misspecification. Here the logarithm of an estimate is regressed on the logarithm
of the level observed last, over all cuts of all series, with an intercept for each series; Bass on the increments, by nonlinear
least squares as theirs (Srinivasan & Mason 1986). Only cuts at which m, p and q are identified and positive count: what is
said is said of those, and their number stands beside it. The text behind the abstract was not seen: which cuts and weights it
used is not known. So two other choices stand beside: cuts after the largest increment (a peak must have been seen), and the
median of slopes by series.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from longwave.models.curve_shapes import Floats
from longwave.models.curves import fit_curves
from numpy.typing import NDArray

PUBLISHED: Final = {"m": 5.0, "q": -10.0, "p": 15.0}
MORE: Final = 1.1
LEAST: Final = 8
LEVEL: Final = 0.95
ROUGHLY: Final = (0.5, 1.5)

YEARS: Final = 30
CEILING: Final = 100.0
P: Final = (0.002, 0.05)
Q: Final = (0.2, 0.8)
ERRORS: Final = ("levels", "increments")


def systematic_change(levels: Floats, ages: Floats, *, n_boot: int, seed: int, threads: int = 1) -> pl.DataFrame:
    """Change of m, p and q in percent when 10 % more penetration has been observed.

    Args:
        levels: (n, years), NaN where not observed; a row is cut at each observation from its 8th on.
        ages: (years,) since launch.
        n_boot: replicates of the bootstrap over series.
        seed: seed of the bootstrap.
        threads: as for `fit_curves`.

    Returns:
        parameter, percent, lo, hi (95 %), from_peak (percent over cuts after the largest increment of the whole series; NaN
        where no series has two), median_of_series (percent), n (series with two cuts or more), cuts (of these), lost (cuts at
        which an estimate is not identified or not positive). No rows without a series.

    """
    rows, columns = np.nonzero(np.isfinite(levels) & (np.cumsum(np.isfinite(levels), axis=1) >= LEAST))
    cut = np.where(np.arange(len(ages))[None, :] <= columns[:, None], levels[rows], np.nan)
    fits = fit_curves(cut, ages, "bass", "increments", threads=threads)
    estimates = np.column_stack([levels[rows, columns], *(fits.params[name] for name in PUBLISHED)])
    sound = (fits.status == "ok") & (estimates > 0).all(axis=1)
    logs, series = np.log(estimates[sound]), rows[sound]
    sums, cuts = _within(logs, series)
    if not len(sums):
        return pl.DataFrame(schema=_SCHEMA)
    peaked = (columns > _largest_increment(levels)[rows])[sound]
    later, _ = _within(logs[peaked], series[peaked])
    drawn = np.random.default_rng(seed).multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=n_boot)
    percent = _percent(np.vstack([np.ones(len(sums)), drawn]) @ sums)
    tail = 50 * (1 - LEVEL)
    lo, hi = np.percentile(percent[1:], [tail, 100 - tail], axis=0) if n_boot else np.full((2, 3), np.nan)
    return pl.DataFrame(
        {
            "parameter": list(PUBLISHED),
            "percent": percent[0],
            "lo": lo,
            "hi": hi,
            "from_peak": _percent(later.sum(axis=0)) if len(later) else np.full(3, np.nan),
            "median_of_series": np.median(_percent(sums), axis=0),
            "n": [len(sums)] * 3,
            "cuts": [int(cuts.sum())] * 3,
            "lost": [int((~sound).sum())] * 3,
        },
        schema=_SCHEMA,
    )


_SCHEMA = {
    "parameter": pl.String,
    **dict.fromkeys(("percent", "lo", "hi", "from_peak", "median_of_series"), pl.Float64),
    **dict.fromkeys(("n", "cuts", "lost"), pl.Int64),
}


def _within(logs: Floats, series: NDArray[np.intp]) -> tuple[Floats, NDArray[np.intp]]:
    """Inner products (series, 4) of the level with the level, m, q and p, each less its mean in the series, and cuts.

    Of the series with two cuts or more at levels apart: others say nothing of a slope.
    """
    names, which, count = np.unique(series, return_inverse=True, return_counts=True)
    means = np.stack([np.bincount(which, column, len(names)) for column in logs.T], axis=1) / count[:, None]
    off = logs - means[which]
    products = np.stack([np.bincount(which, column, len(names)) for column in (off[:, :1] * off).T], axis=1)
    kept = (count > 1) & (products[:, 0] > 0)
    return np.asarray(products[kept]), count[kept]


def _percent(products: Floats) -> Floats:
    """Change in percent (…, 3) from inner products (…, 4) with the level itself first: its sum of squares."""
    return np.asarray(100 * (MORE ** (products[..., 1:] / products[..., :1]) - 1))


def _largest_increment(levels: Floats) -> NDArray[np.intp]:
    """Column of the observation up to which each series rose the most since the one before, or 0, (n,)."""
    seen = np.isfinite(levels)
    place = np.maximum.accumulate(np.where(seen, np.arange(levels.shape[1])[None, :], -1), axis=1)
    before = np.concatenate([np.full((len(levels), 1), -1), place[:, :-1]], axis=1)
    last = np.where(before >= 0, np.take_along_axis(levels, np.maximum(before, 0), axis=1), 0.0)
    return np.asarray(np.argmax(np.where(seen, levels - last, -np.inf), axis=1))


def roughly_as_published(parameter: str, percent: float, lo: float, hi: float, *, simulated: bool) -> bool:
    """Whether a change is "roughly" the published one, by what was fixed before any was looked at.

    Of data: the published change lies in the 95 % interval. Of curves simulated as the model has it: the change is between
    half and one and a half times the published.
    """
    published = PUBLISHED[parameter]
    return ROUGHLY[0] <= percent / published <= ROUGHLY[1] if simulated else lo <= published <= hi


def simulated(n: int, noise: float, seed: int, errors: str = "levels") -> tuple[Floats, Floats]:
    """Bass curves with a ceiling of 100 over 30 years, and errors.

    p is from 0.002 to 0.05 and q from 0.2 to 0.8 a year, both log-uniform, around the means of 0.03 and 0.38 over 213
    applications (Sultan, Farley & Lehmann 1990).

    Args:
        n: curves.
        noise: size of the errors, as `with_errors` has it.
        seed: seed.
        errors: of what, ``levels`` or ``increments``.

    Returns:
        Levels (n, 30) and ages (30,).

    Raises:
        ValueError: as `with_errors`.

    """
    rng = np.random.default_rng(seed)
    p, q = (np.exp(rng.uniform(np.log(low), np.log(high), (n, 1))) for low, high in (P, Q))
    ages = np.arange(1.0, YEARS + 1)
    decay = np.exp(-(p + q) * ages)
    return with_errors(CEILING * (1 - decay) / (1 + q / p * decay), noise, errors, rng), ages


def with_errors(exact: Floats, noise: float, errors: str, rng: np.random.Generator) -> Floats:
    """Levels (n, years) with independent normal errors; none is under 0.

    Args:
        exact: (n, years) cumulative levels without errors.
        noise: standard deviation. Of errors of the levels: in their unit. Of errors of the increments, which is what least
            squares on increments supposes: percent of the largest increment of each curve.
        errors: of what, ``levels`` or ``increments``.
        rng: where they are drawn from.

    Raises:
        ValueError: errors of something else.

    """
    if errors not in ERRORS:
        raise ValueError(f"errors of {errors!r} are not one of {', '.join(ERRORS)}")
    drawn = rng.standard_normal(exact.shape)
    if errors == "levels":
        return np.asarray(np.clip(exact + noise * drawn, 0, None))
    steps = np.diff(exact, axis=1, prepend=0.0)
    noisy = steps + noise / 100 * steps.max(axis=1, keepdims=True) * drawn
    return np.asarray(np.clip(np.cumsum(noisy, axis=1), 0, None))
