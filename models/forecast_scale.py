"""The scale long forecasts are made on, and what a history looks like there.

Belongs here: levels to working scale and back, growth rates at each observation, the trend of a series' own. Does
not: any learning from other series.

Shares are worked on as log((v + o) / (c + o − v)) with o half a point in a hundred of the ceiling c, counts as
log(v + 0.05): on both, early growth at a constant rate is a straight line (Fisher & Pry 1971), the offsets keep noise
near 0 and near the ceiling from looking like growth, and errors are relative where levels are small. Levels at or under
0 are no observations there.
"""

from __future__ import annotations

from typing import Final

import numba
import numpy as np
from longwave.models.histories import BoolArray, Histories
from longwave.models.panels import FloatArray, IntArray

SHARE_OFFSET: Final = 0.005
"""Of the ceiling."""
COUNT_OFFSET: Final = 0.05
"""Per 100 people."""
SPANS: Final = (2, 4, 9)
"""Years over which growth is measured."""
DAMPING: Final = 0.8
FLOOR: Final = 1e-9
"""What stands for a forecast of 0 on the working scale, in the unit of the levels; the offsets make it harmless."""

WITH_CEILING: Final = 0.3
"""How much of its weight a series' own trend keeps where the ceiling is known: there others tell more."""


def shares(history: Histories) -> BoolArray:
    """Which series are shares, (n,)."""
    return (history.info["unit_class"] == "share").to_numpy()


def ceilings(history: Histories) -> FloatArray:
    """Ceiling of each series (n,) in its unit: as stated, else 100 for a share and infinity for a count."""
    stated = history.info["ceiling"].fill_null(np.nan).to_numpy().astype(np.float64)
    return np.where(np.isfinite(stated), stated, np.where(shares(history), 100.0, np.inf))


def to_scale(levels: FloatArray, share: BoolArray, ceiling: FloatArray) -> FloatArray:
    """Working scale of levels (n, m); NaN where a level is missing, 0 or less. ``share``, ``ceiling``: (n,)."""
    level = np.where(levels > 0, levels, np.nan)
    top = np.where(share, ceiling, 1.0)[:, None]
    offset = SHARE_OFFSET * top
    inside = np.minimum(level, top)
    logit = np.log(inside + offset) - np.log(top + offset - inside)
    return np.where(share[:, None], logit, np.log(level + COUNT_OFFSET))


def from_scale(scaled: FloatArray, share: BoolArray, ceiling: FloatArray) -> FloatArray:
    """Levels (n, m) of values on the working scale, within 0 and the ceiling."""
    top = np.where(share, ceiling, 1.0)[:, None]
    offset = SHARE_OFFSET * top
    fraction = 1.0 / (1.0 + np.exp(-np.clip(scaled, -700.0, 700.0)))
    as_share = (top + 2.0 * offset) * fraction - offset
    level = np.where(share[:, None], as_share, np.exp(np.minimum(scaled, 700.0)) - COUNT_OFFSET)
    return np.clip(level, 0.0, ceiling[:, None])


def last_observed(levels: FloatArray) -> IntArray:
    """Column of the last observation of each row of ``levels`` (n, Y), −1 where there is none."""
    last: IntArray = np.where(np.isfinite(levels), np.arange(levels.shape[1]), -1).max(axis=1, initial=-1)
    return last


def at_columns(array: FloatArray, column: IntArray) -> FloatArray:
    """What stands in each row's column, (n,) or (n, d); NaN for column −1."""
    value = array[np.arange(len(array)), np.maximum(column, 0)]
    missing = column < 0
    result: FloatArray = np.where(missing.reshape(-1, *([1] * (value.ndim - 1))), np.nan, value)
    return result


def growth(scaled: FloatArray) -> FloatArray:
    """Growth a year at each observation over the last ``SPANS`` years, (n, Y, 3), from what came up to it.

    The least-squares slope of the observations within the span; where there is but one, the slope from the observation
    before; NaN where there is none. ``scaled``: (n, Y) on the working scale, NaN not observed.
    """
    out = np.full((*scaled.shape, len(SPANS)), np.nan)
    if scaled.size:
        _growth(np.ascontiguousarray(scaled), np.array(SPANS, dtype=np.int64), out)
    return out


@numba.njit(cache=True, nogil=True)
def _growth(scaled: FloatArray, spans: IntArray, out: FloatArray) -> None:
    for i in range(scaled.shape[0]):
        before = -1
        for c in range(scaled.shape[1]):
            if np.isnan(scaled[i, c]):
                continue
            for s in range(len(spans)):
                n, t_sum, z_sum, tt, tz = 0, 0.0, 0.0, 0.0, 0.0
                for j in range(max(0, c - spans[s]), c + 1):
                    if not np.isnan(scaled[i, j]):
                        t, z = float(j - c), scaled[i, j]
                        n, t_sum, z_sum, tt, tz = n + 1, t_sum + t, z_sum + z, tt + t * t, tz + t * z
                if n > 1:
                    out[i, c, s] = (tz - t_sum * z_sum / n) / (tt - t_sum * t_sum / n)
                elif before >= 0:
                    out[i, c, s] = (scaled[i, c] - scaled[i, before]) / (c - before)
            before = c


def own_trend(history: Histories, horizons: IntArray) -> FloatArray:
    """Damped trend of each series alone, (n, H): last level + last yearly difference × (φ + … + φ^h), φ 0.8.

    Gardner & McKenzie 1985, within 0 and the ceiling; a count whose trend would reach 0 keeps its last level.
    NaN where nothing was observed. ``horizons``: (H,) years after the last observation.
    """
    last = last_observed(history.levels)
    seen = np.isfinite(history.levels) & (np.arange(history.levels.shape[1]) < last[:, None])
    before = np.where(seen, np.arange(history.levels.shape[1]), -1).max(axis=1, initial=-1)
    level, earlier = at_columns(history.levels, last), at_columns(history.levels, before)
    slope = np.where(before >= 0, (level - earlier) / np.maximum(last - before, 1), 0.0)
    reach = DAMPING * (1.0 - DAMPING ** np.asarray(horizons, dtype=np.float64)) / (1.0 - DAMPING)
    trend = level[:, None] + slope[:, None] * reach[None, :]
    trend = np.where((trend > 0) | shares(history)[:, None], trend, level[:, None])
    return np.clip(trend, 0.0, ceilings(history)[:, None])


def toward_own_trend(
    history: Histories, trend: FloatArray, others: FloatArray, weight: FloatArray, own: float
) -> FloatArray:
    """Levels (n, H) between what ``others`` say, weighing ``weight``, and the own ``trend``, weighing ``own``.

    The mean is taken on the working scale; ``trend``, ``others``, ``weight``: (n, H); ``own`` counts ``WITH_CEILING``
    times where the series has a ceiling. NaN in ``others``: the trend alone.
    """
    share, ceiling = shares(history), ceilings(history)
    kept = own_weight(history, own)
    part = np.divide(weight, weight + kept, out=np.zeros_like(weight), where=weight + kept > 0)
    said, mine = (to_scale(np.maximum(levels, FLOOR), share, ceiling) for levels in (others, trend))
    level = from_scale(part * said + (1.0 - part) * mine, share, ceiling)
    result: FloatArray = np.where(np.isfinite(others), level, trend)
    return result


def own_weight(history: Histories, own: float) -> FloatArray:
    """Weight of each series' own trend, (n, 1): ``own``, or ``WITH_CEILING`` of it."""
    weight: FloatArray = own * np.where(np.isfinite(ceilings(history)), WITH_CEILING, 1.0)[:, None]
    return weight
