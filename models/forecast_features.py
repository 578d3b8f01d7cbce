"""What a history looks like at each of its moments: the features that forecasts are learnt on.

Belongs here: numbers worked out from one series' own observations up to a moment. Does not: anything learnt from other
series, targets, calendar years (a model must not learn what a year was like).

A *moment* is an observation of a series with at least one before it. Levels are read in points of the ceiling for
shares and per 100 people for counts; growth on the logit scale for shares, on the logarithmic for counts. Between two
observations a level is read off the straight line; that never looks beyond the moment, which is an observation itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from longwave.models.histories import BoolArray, Histories
from longwave.models.panels import FloatArray, IntArray

DAMPING: Final = 0.8
SPANS: Final = (2, 3, 5, 10, 20)
"""Years over which growth is measured, as far as the history reaches."""
BACK: Final = 6
"""Observations looked back upon one by one."""
LONGEST: Final = 60.0
"""Years after which an age no longer tells anything."""


@dataclass(frozen=True)
class Moments:
    """P moments of n histories.

        ``row``, ``column``: (P,) where each stands on the grid; ``level``: (P,) points of the ceiling, or per 100 people;
        ``slope``: (P,) last difference per year; ``volatility``: (P,) usual yearly change, at least a small floor;
    ``features``: (P, F) in the order of ``names``, NaN where a history is too short.
    """

    row: IntArray
    column: IntArray
    level: FloatArray
    slope: FloatArray
    volatility: FloatArray
    features: FloatArray
    names: tuple[str, ...]

    def feature(self, name: str) -> FloatArray:
        """One feature (P,)."""
        result: FloatArray = self.features[:, self.names.index(name)]
        return result

    def take(self, index: IntArray | BoolArray) -> Moments:
        """These moments."""
        return Moments(
            self.row[index],
            self.column[index],
            self.level[index],
            self.slope[index],
            self.volatility[index],
            self.features[index],
            self.names,
        )


def ceilings(history: Histories) -> FloatArray:
    """Ceiling (n,) in the unit of the levels: the one stated, else 100 for a share and infinity for a count."""
    share = (history.info["unit_class"] == "share").to_numpy()
    stated = history.info["ceiling"].fill_null(np.nan).to_numpy().astype(np.float64)
    return np.where(np.isfinite(stated), stated, np.where(share, 100.0, np.inf))


def unit_levels(history: Histories) -> FloatArray:
    """Levels (n, Y) in points of the ceiling for shares, per 100 people for counts; NaN where not observed."""
    share = (history.info["unit_class"] == "share").to_numpy()
    factor = np.where(share, 100.0 / np.where(share, ceilings(history), 1.0), 1.0)
    result: FloatArray = history.levels * factor[:, None]
    return result


def damped(level: FloatArray, slope: FloatArray, ahead: FloatArray) -> FloatArray:
    """Damped trend: level + slope (φ + … + φ^h), φ = 0.8 (Gardner & McKenzie 1985). Arrays that broadcast."""
    result: FloatArray = level + slope * DAMPING * (1.0 - DAMPING**ahead) / (1.0 - DAMPING)
    return result


def moments_of(history: Histories, *, last_only: bool = False) -> Moments:
    """All moments of the histories, by row and column; with ``last_only``, one a history: its last observation.

    A history of a single observation has no moment, unless ``last_only``: then its differences are NaN and its slope 0.
    Histories without any observation have none.
    """
    levels = unit_levels(history)
    seen = np.isfinite(levels)
    count = np.cumsum(seen, axis=1)
    least = 1 if last_only else 2
    chosen = seen & (count >= least)
    if last_only:
        chosen &= count == count[:, -1:] if levels.shape[1] else chosen
    row, column = np.nonzero(chosen)
    share = (history.info["unit_class"] == "share").to_numpy()[row]
    place = _Place(levels, seen, count, row, column, share)
    parts = {**_recent(place), **_growth(place), **_shape(place), "since_launch": _since_launch(history, row, column)}
    usual = np.abs(parts["slope_5"]) + np.nan_to_num(parts["spread"])
    floor = np.where(share, 0.3, 0.1 + 0.005 * place.level)
    features = np.stack(list(parts.values()), axis=1) if parts else np.empty((len(row), 0))
    slope = np.nan_to_num(parts["step_0"])
    return Moments(row, column, place.level, slope, np.maximum(usual, floor), features, tuple(parts))


class _Place:
    """Where moments stand, and the last observations before each: ``values``, ``columns`` (P, BACK + 1)."""

    def __init__(
        self, levels: FloatArray, seen: BoolArray, count: IntArray, row: IntArray, column: IntArray, share: BoolArray
    ) -> None:
        self.levels, self.seen, self.row, self.column, self.share = levels, seen, row, column, share
        self.level: FloatArray = levels[row, column]
        self.first: IntArray = np.argmax(seen, axis=1)[row]
        self.rank: IntArray = count[row, column] - 1
        position = np.full((len(levels), int(count.max(initial=1))), -1)
        all_rows, all_columns = np.nonzero(seen)
        position[all_rows, count[all_rows, all_columns] - 1] = all_columns
        index = self.rank[:, None] - np.arange(BACK + 1)[None, :]
        found = index >= 0
        self.columns = np.where(found, position[row[:, None], np.maximum(index, 0)], -1)
        self.values = np.where(found, levels[row[:, None], np.maximum(self.columns, 0)], np.nan)
        self.filled = between(levels)

    def stretched(self, level: FloatArray) -> FloatArray:
        """Logit of shares, logarithm of counts, kept off the ends by 0.3 points and 0.1 per 100."""
        point = np.clip(level, 0.3, 99.7)
        return np.where(self.share, np.log(point / (100.0 - point)), np.log(np.maximum(level, 0.1)))


def between(levels: FloatArray) -> FloatArray:
    """Levels (n, Y) with the straight line between two observations filled in; NaN before the first, after the last."""
    seen, columns = np.isfinite(levels), np.arange(levels.shape[1])
    before = np.maximum.accumulate(np.where(seen, columns, -1), axis=1)
    after = np.minimum.accumulate(np.where(seen, columns, levels.shape[1])[:, ::-1], axis=1)[:, ::-1]
    inside = (before >= 0) & (after < levels.shape[1])
    low, high = np.where(inside, before, 0), np.where(inside, after, 0)
    part = (columns - low) / np.maximum(high - low, 1)
    rows = np.arange(len(levels))[:, None]
    filled = levels[rows, low] * (1.0 - part) + levels[rows, high] * part
    return np.where(inside, np.where(seen, levels, filled), np.nan)


def _mean(values: FloatArray) -> FloatArray:
    """Mean (P,) of what is there in each row, NaN where nothing is."""
    there = np.isfinite(values)
    total = np.where(there, values, 0.0).sum(axis=1)
    return np.where(there.any(axis=1), total / np.maximum(there.sum(axis=1), 1), np.nan)


def _since_launch(history: Histories, row: IntArray, column: IntArray) -> FloatArray:
    """Years since launch (P,), NaN where it is unknown or lies later: what is not yet launched has no age."""
    launch = history.info["launch"].cast(pl.Float64).fill_null(np.nan).to_numpy()[row]
    age = history.years[column] - launch
    return np.where(age >= 0, np.minimum(age, LONGEST), np.nan)


def _recent(place: _Place) -> dict[str, FloatArray]:
    """Level, spacing, and the last differences per year one by one."""
    gaps = np.where(place.columns[:, 1:] >= 0, place.columns[:, :-1] - place.columns[:, 1:], np.nan)
    steps = (place.values[:, :-1] - place.values[:, 1:]) / gaps
    turns = np.abs(np.diff(steps, axis=1))
    same = np.where(np.isfinite(turns), turns < 1e-6, False)
    centre = _mean(steps[:, :5])
    still = np.where(np.isfinite(steps), np.abs(steps) < 1e-9, False)
    whole = np.where(np.isfinite(place.values), np.abs(place.values - np.round(place.values)) < 1e-6, np.nan)
    return {
        "level": place.level,
        "spacing": gaps[:, 0],
        "usual_spacing": _mean(gaps[:, :5]),
        "observations": np.minimum(place.rank + 1.0, 40.0),
        **{f"step_{back}": steps[:, back] for back in range(4)},
        "acceleration": steps[:, 0] - steps[:, 1],
        "spread": np.sqrt(_mean((steps[:, :5] - centre[:, None]) ** 2)),
        "turning": _mean(turns[:, :3]),
        "straight_run": np.cumprod(same, axis=1).sum(axis=1).astype(np.float64),
        "repeated": still[:, :5].sum(axis=1).astype(np.float64),
        "whole_numbers": _mean(whole[:, :5]),
        "is_share": place.share.astype(np.float64),
    }


def _growth(place: _Place) -> dict[str, FloatArray]:
    """Growth per year over the spans, natural and stretched."""
    parts: dict[str, FloatArray] = {}
    for span in SPANS:
        past = np.maximum(place.column - span, place.first)
        years = np.maximum(place.column - past, 1)
        earlier = place.filled[place.row, past]
        parts[f"slope_{span}"] = (place.level - earlier) / years
        parts[f"growth_{span}"] = (place.stretched(place.level) - place.stretched(earlier)) / years
    return parts


def _shape(place: _Place) -> dict[str, FloatArray]:
    """Age, distance from the highest level and the steepest three years so far, time since 10 and 50."""
    row, column, levels = place.row, place.column, place.levels
    years = np.arange(levels.shape[1])
    top = np.maximum.accumulate(np.where(place.seen, levels, -np.inf), axis=1)[row, column]
    steep = np.full(levels.shape, -np.inf)
    if levels.shape[1] > 3:
        steep[:, 3:] = (
            np.where(np.isfinite(place.filled[:, :-3]), place.filled[:, 3:] - place.filled[:, :-3], -np.inf) / 3
        )
        steep = np.where(np.isfinite(steep), steep, -np.inf)
    so_far = np.maximum.accumulate(steep, axis=1)
    when = np.maximum.accumulate(np.where((steep >= so_far) & np.isfinite(steep), years, -1), axis=1)[row, column]
    peak = np.where(np.isfinite(so_far[row, column]), so_far[row, column], np.nan)
    now = np.where(np.isfinite(steep[row, column]), steep[row, column], np.nan)
    parts = {
        "age": np.minimum(column - place.first, LONGEST).astype(np.float64),
        "below_top": top - place.level,
        "steepest": peak,
        "since_steepest": np.where(when >= 0, np.minimum(column - when, 40.0), np.nan),
        "of_steepest": np.where(peak > 0.05, now / np.maximum(peak, 0.05), np.nan),
    }
    for mark in (10, 50):
        reached = np.minimum.accumulate(np.where(place.seen & (levels >= mark), years, 10**6), axis=1)[row, column]
        parts[f"since_{mark}"] = np.where(reached < 10**6, np.minimum(column - reached, LONGEST), -1.0)
    return parts
