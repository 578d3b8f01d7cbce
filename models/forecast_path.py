"""The path of a forecast over the years ahead: where it is worked out, how it goes on between and beyond, whether it may fall.

Belongs here: the years ahead that forecasts are made for, the line between them, the rule beyond what was learnt, the rule
on falling. Does not: the forecasts themselves (``forecasting``).

A forecast is made for the years ahead of ``KNOTS`` and read off the line between them, so that what is said of a year does
not depend on which other years are asked for. Nothing is learnt beyond ``LEARNT_UNTIL`` years ahead: from there on the
level stays, and the intervals go on widening with the square root of the years, as errors of a random walk do.

A series *rises* where it never fell by more than noise; then its forecast never falls, nor starts under the last
observation. Members may say otherwise: further ahead they rest on other references, and what those have in common is no
sign that this series turns down. Where a series has fallen before, its forecast may fall.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from longwave.models.histories import BoolArray
from longwave.models.panels import FloatArray, IntArray

KNOTS: Final = (1, 2, 3, 4, 5, 7, 10, 13, 17, 21)
"""Years ahead: those that examples are made of (``forecast_boosting``)."""
LEARNT_UNTIL: Final = KNOTS[-1]
NOISE_IN_POINTS: Final = 1.0
"""Of the ceiling: shares are often given in whole points."""
NOISE_IN_COUNTS: Final = 0.02
"""Of the level."""


def knots_for(ahead: IntArray) -> IntArray:
    """Years (K,) that forecasts ``ahead`` (H,) are read off: those of ``KNOTS`` up to the farthest asked for."""
    knots = np.array(KNOTS, dtype=np.int64)
    result: IntArray = knots[: int(np.searchsorted(knots, ahead.max())) + 1]
    return result


def rising(levels: FloatArray, share: BoolArray) -> BoolArray:
    """Which series (n,) never fell by more than noise.

    ``levels``: (n, Y) in points of the ceiling or per 100 people, NaN where not observed; ``share``: (n,).
    """
    seen = np.where(np.isfinite(levels), levels, -np.inf)
    top = np.maximum.accumulate(seen, axis=1)
    noise = np.where(share[:, None], NOISE_IN_POINTS, NOISE_IN_COUNTS * np.maximum(top, 0.0))
    result: BoolArray = ~np.any(np.isfinite(levels) & (levels < top - noise), axis=1)
    return result


def without_falls(points: FloatArray, last: FloatArray, rises: BoolArray) -> FloatArray:
    """Points (n, K) at the knots; where a series ``rises`` (n,), none under the one before or its ``last`` level (n,)."""
    climbed = np.maximum(np.maximum.accumulate(points, axis=1), last[:, None])
    return np.where(rises[:, None], climbed, points)


def line_through(points: FloatArray, knots: IntArray, ahead: IntArray) -> FloatArray:
    """Values (n, H) on the line between those at the knots (n, K); beyond the last as there."""
    result: FloatArray = points @ _parts(knots, ahead)
    return result


def widths_along(offsets: FloatArray, knots: IntArray, ahead: IntArray) -> FloatArray:
    """Distances (n, H) of an interval's end from the point, from those at the knots (n, K); widening beyond the last."""
    return line_through(offsets, knots, ahead) * np.sqrt(np.maximum(ahead / LEARNT_UNTIL, 1.0))


def _parts(knots: IntArray, ahead: IntArray) -> FloatArray:
    """Part (K, H) of each knot in what is read at each year ahead."""
    at = np.clip(ahead, knots[0], knots[-1])
    return np.stack([np.interp(at, knots, unit) for unit in np.eye(len(knots))])
