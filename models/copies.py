"""Which reference a series is a copy of: the same figures under another name, or in another unit.

Belongs here: the comparison of a series with references. Does not: what follows from a copy (``assess``), concepts known
beforehand to be one (``warehouse/facts/concept_twins.csv``).

Two comparisons. Shares are compared as they are. Whatever the unit, and so for every count, only how a series moves can
tell: the logarithm of its ratio to the reference stands still, or drifts by no more than a population grows.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from longwave.models.histories import BoolArray, Histories
from longwave.models.panels import FloatArray, IntArray

TWIN_YEARS, TWIN_WITHIN, TWIN_SPREAD = 4, 0.5, 2.0
"""Shares within half a point of each other in every common year, at least four, are taken for the same figures, if they
moved by 2 points in them: at rest, many are alike."""
COPY_YEARS, COPY_WITHIN, COPY_BENT = 5, 0.01, 5.0
"""A series is taken for the same figures in another unit where the ratio of the two stays within one part in a hundred of
its mean in every common year, at least five, and it departs itself from constant growth by five times as much: all that
grows steadily is alike but for the unit."""
DRIFT_YEARS, DRIFT = 8, 0.04
"""From eight common years on the ratio may drift, by at most so much a year: counts per head are those of a whole country
over its population."""


def copies(part: Histories, references: Histories) -> dict[str, str]:
    """The reference that each series of ``part`` is a copy of, by series that is one."""
    found, moving = {}, in_logarithms(references)
    share = (part.info["unit_class"] == "share").to_list()
    for row, series in enumerate(part.info["series"]):
        seen = np.isfinite(part.levels[row])
        years, levels = part.years[seen], part.levels[row, seen]
        twin = twin_of(years, levels, references) if share[row] else None
        twin = twin or copied_of(years, levels, moving)
        if twin is not None:
            found[series] = twin
    return found


def twin_of(years: IntArray, levels: FloatArray, references: Histories) -> str | None:
    """The reference that has the same figures as a share, by its closest; None where there is none.

    ``years``, ``levels``: (k,), in points. What came after them in such a reference is known to a forecaster that learnt
    from it, and a forecast is no test of it.
    """
    column = years - references.years[0]
    inside = (column >= 0) & (column < len(references.years))
    gap = np.abs(references.levels[:, column[inside]] - levels[inside])
    common = np.isfinite(gap)
    own = np.broadcast_to(levels[inside], gap.shape)
    top, low = (np.where(common, own, end) for end in (-np.inf, np.inf))
    moved = top.max(axis=1, initial=-np.inf) - low.min(axis=1, initial=np.inf) >= TWIN_SPREAD
    alike = moved & (common.sum(axis=1) >= TWIN_YEARS)
    widest = np.where(alike, np.nan_to_num(gap).max(axis=1, initial=0.0), np.inf)
    widest[(references.info["unit_class"] != "share").to_numpy()] = np.inf
    best = int(widest.argmin()) if len(widest) else -1
    return str(references.info["series"][best]) if best >= 0 and widest[best] <= TWIN_WITHIN else None


def in_logarithms(references: Histories) -> Histories:
    """The same with the natural logarithms of levels over 0; the others are not observed."""
    over = references.levels > 0
    levels = np.where(over, np.log(np.where(over, references.levels, 1.0)), np.nan)
    return replace(references, levels=levels)


def copied_of(years: IntArray, levels: FloatArray, references: Histories) -> str | None:
    """The reference that a series in any unit moves as, by its closest; None where there is none.

    ``years``, ``levels``: (k,), in whatever unit; ``references``: ``in_logarithms``.
    """
    column = years - references.years[0]
    inside = (column >= 0) & (column < len(references.years)) & (levels > 0)
    own, column = np.log(levels[inside]), column[inside]
    if len(own) < COPY_YEARS:
        return None
    ratio = references.levels[:, column] - own
    common = np.isfinite(ratio)
    size = common.sum(axis=1)
    top = np.where(common, ratio, -np.inf).max(axis=1, initial=-np.inf)
    low = np.where(common, ratio, np.inf).min(axis=1, initial=np.inf)
    # Most move otherwise at first sight, and are not looked at further.
    enough = (size >= COPY_YEARS) & (top - low <= 2.0 * COPY_WITHIN + DRIFT * (column.max() - column.min()))
    if not enough.any():
        return None
    ratio, common, size = ratio[enough], common[enough], size[enough]
    when, moved = (_around_mean(np.broadcast_to(each, ratio.shape), common) for each in (column, own))
    apart, spread = _around_mean(ratio, common), (when**2).sum(axis=1)
    drift = np.where(size >= DRIFT_YEARS, np.clip((when * apart).sum(axis=1) / spread, -DRIFT, DRIFT), 0.0)
    widest = np.abs(apart - drift[:, None] * when).max(axis=1)
    bent = np.abs(moved - ((when * moved).sum(axis=1) / spread)[:, None] * when).max(axis=1)
    widest = np.where(bent >= COPY_BENT * COPY_WITHIN, widest, np.inf)
    best = int(widest.argmin())
    return str(references.info["series"][int(np.flatnonzero(enough)[best])]) if widest[best] <= COPY_WITHIN else None


def _around_mean(values: FloatArray | IntArray, common: BoolArray) -> FloatArray:
    """Values (R, k) less the mean of each row's common ones; 0 elsewhere."""
    known = np.where(common, values, 0.0)
    result: FloatArray = np.where(common, known - (known.sum(axis=1) / common.sum(axis=1))[:, None], 0.0)
    return result
