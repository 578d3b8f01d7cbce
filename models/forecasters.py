"""Forecasts that rest on a series' own history, laid out by age, and offsets of intervals from errors of others.

Belongs here: the last value, the damped trend, a fitted curve with its fall-back. Does not: fitting curves
(``curves``), their use as peers of a backtest (``peers``), anything that learns from other series.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

import numpy as np
from longwave.models.panels import FloatArray, IntArray
from numpy.typing import NDArray

StrArray = NDArray[np.str_]

DAMPING: Final = 0.8


class CurveFits(Protocol):
    """What is used of the result of ``longwave.models.curves.fit_curves``."""

    @property
    def status(self) -> NDArray[Any]:
        """(n,) of ok, no_finite_ceiling, on_bound, too_few_points, no_growth."""

    def predict(self, ages: FloatArray, /) -> FloatArray:
        """Levels (n, len(ages))."""


CurveFitter = Callable[..., CurveFits]


def naive(levels: FloatArray) -> FloatArray:
    """Last observed level (n,) of each history ``levels`` (n, n_ages); NaN where there is none."""
    return _last_two(levels)[1]


def damped_trend(
    levels: FloatArray, ages: FloatArray, target_ages: FloatArray, *, damping: float = DAMPING
) -> FloatArray:
    """Last level plus the damped sum of the last yearly difference (Gardner & McKenzie 1985), (n, T).

    For an observation v at age a, the one before it u at age b, and h = target − a years ahead:
    v + (v − u) / (a − b) · (φ + … + φ^h). One observation gives its own value; none gives NaN.
    ``levels``: (n, n_ages), NaN where not observed; ``ages``: (n_ages,) rising; ``target_ages``: (T,).
    """
    last, value, before, earlier = _last_two(levels)
    gap = np.where(before >= 0, ages[last] - ages[before], 1.0)
    slope = np.where(before >= 0, (value - earlier) / gap, 0.0)
    ahead = np.maximum(target_ages[None, :] - ages[last][:, None], 0.0)
    reach = damping * (1.0 - damping**ahead) / (1.0 - damping)
    result: FloatArray = value[:, None] + slope[:, None] * reach
    return result


def _last_two(levels: FloatArray) -> tuple[IntArray, FloatArray, IntArray, FloatArray]:
    """Column and value of the last observation and of the one before it; column −1 and NaN where none."""
    rows, columns = np.arange(len(levels)), np.arange(levels.shape[1])
    seen = np.isfinite(levels)
    last = np.where(seen, columns, -1).max(axis=1, initial=-1)
    before = np.where(seen & (columns < last[:, None]), columns, -1).max(axis=1, initial=-1)
    value = np.where(last >= 0, levels[rows, last], np.nan)
    earlier = np.where(before >= 0, levels[rows, before], np.nan)
    return last, value, before, earlier


def curve_forecast(
    levels: FloatArray,
    ages: FloatArray,
    target_ages: FloatArray,
    *,
    family: str,
    ceiling: float | None,
    fitter: CurveFitter,
) -> tuple[FloatArray, StrArray]:
    """Level of a fitted curve at the target ages, (n, T), and (n,) ``ok`` or why the last value stands in.

    A fit is used where its status is ``ok``, and under a stated ceiling also ``on_bound``: there the ceiling
    is part of the model. Without a ceiling a bound's value is nobody's estimate, and the last value is
    taken, as for ``no_finite_ceiling``, ``too_few_points``, ``no_growth`` and a level that is negative or
    not finite.
    """
    last = naive(levels)
    if not len(levels):
        return np.empty((0, len(target_ages))), np.empty(0, dtype=np.str_)
    fits = fitter(levels, ages, family=family, ceiling=ceiling)
    status = np.asarray(fits.status).astype("U32")
    points = np.array(fits.predict(target_ages), dtype=np.float64)
    good = (status == "ok") | ((status == "on_bound") & (ceiling is not None))
    sane = np.all(np.isfinite(points) & (points >= 0.0), axis=1)
    note = np.where(good & sane, "ok", np.where(good, "forecast not finite or negative", status))
    return np.where((note == "ok")[:, None], points, last[:, None]), note


def conformal_bounds(errors: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
    """Lower and upper offsets (K,) of the central interval, from signed errors (K, m) of references.

    NaN errors are ignored. With m errors and α = 1 − level: the ⌊(m + 1) α/2⌋-th smallest and largest (Vovk,
    Gammerman & Shafer 2005), which cover at least ``level`` when target and references are exchangeable;
    −inf and inf where m is too small (80 %: under 9). Raises ValueError for a level outside (0, 1).
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"level {level} must lie between 0 and 1")
    count = np.isfinite(errors).sum(axis=1)
    ranked = np.sort(errors, axis=1)
    rank = np.floor((count + 1) * (1.0 - level) / 2.0 + 1e-9).astype(np.int64)
    enough = rank >= 1
    if not errors.shape[1]:
        return np.full(len(errors), -np.inf), np.full(len(errors), np.inf)
    low = np.take_along_axis(ranked, np.maximum(rank - 1, 0)[:, None], axis=1)[:, 0]
    last = np.clip(count - rank, 0, errors.shape[1] - 1)
    high = np.take_along_axis(ranked, last[:, None], axis=1)[:, 0]
    return np.where(enough, low, -np.inf), np.where(enough, high, np.inf)
