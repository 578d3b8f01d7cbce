"""Gradient boosting of what a damped trend leaves over, learnt from the moments of other series.

Belongs here: examples (a moment and a later observation), the matrix a model reads, which examples are drawn, the
model. Does not: features of a history (``forecast_features``), folds, stacking, intervals (``forecasting``).

The target is (later level − damped trend) / (volatility √h): in units of a series' own usual change, a share that creeps
and a count that doubles teach the same lesson. Trees split on order alone and the loss is the absolute error (Friedman
2001), so that a jump at a change of source does not pull the rest. Examples are *drawn*, not weighted: as many from
each concept group and medium as its size to a power, so that two hundred countries of one medium do not outvote forty
technologies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from longwave.models.forecast_features import Moments, ceilings, damped, unit_levels
from longwave.models.histories import BoolArray, Histories
from longwave.models.panels import FloatArray, IntArray
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

ROWS_AHEAD: Final = 4
"""Near examples: the next so many observations."""
FAR_YEARS: Final = (5, 7, 10, 13, 17, 21)
"""Far examples: the observation so many years ahead."""
SMALLEST: Final = 1e-9
WITHIN_GROUP: Final = 0.5
"""A series of n examples counts as n to this power."""
WITHIN_MEDIUM: Final = 0.75
"""A medium of n concept groups counts as n to this power."""
BY_SCALE: Final = 0.5
"""Examples are drawn by their scale to this power: between errors in points and errors in usual changes."""


@dataclass(frozen=True)
class Examples:
    """E examples of moments. ``moment``: (E,) index into the moments; ``ahead``: (E,) years; ``actual``: (E,) level."""

    moment: IntArray
    ahead: FloatArray
    actual: FloatArray


def near_examples(moments: Moments, levels: FloatArray, farthest: int) -> Examples:
    """Each moment with its next ``ROWS_AHEAD`` observations, up to ``farthest`` years ahead. ``levels``: (n, Y)."""
    seen = np.isfinite(levels)
    count = np.cumsum(seen, axis=1)
    position = np.full((len(levels), int(count.max(initial=1))), -1)
    rows, columns = np.nonzero(seen)
    position[rows, count[rows, columns] - 1] = columns
    rank = count[moments.row, moments.column] - 1
    found: list[tuple[IntArray, IntArray]] = []
    for step in range(1, ROWS_AHEAD + 1):
        index = rank + step
        there = index < position.shape[1]
        column = np.where(there, position[moments.row, np.minimum(index, position.shape[1] - 1)], -1)
        chosen = np.flatnonzero((column >= 0) & (column - moments.column <= farthest))
        found.append((chosen, column[chosen]))
    return _examples(moments, levels, found)


def far_examples(moments: Moments, levels: FloatArray) -> Examples:
    """Each moment with the observations ``FAR_YEARS`` ahead, where there are any. ``levels``: (n, Y)."""
    found: list[tuple[IntArray, IntArray]] = []
    for years in FAR_YEARS:
        column = moments.column + years
        inside = np.flatnonzero(column < levels.shape[1])
        inside = inside[np.isfinite(levels[moments.row[inside], column[inside]])]
        found.append((inside, column[inside]))
    return _examples(moments, levels, found)


def _examples(moments: Moments, levels: FloatArray, found: list[tuple[IntArray, IntArray]]) -> Examples:
    moment = np.concatenate([part[0] for part in found])
    column = np.concatenate([part[1] for part in found])
    ahead = (column - moments.column[moment]).astype(np.float64)
    return Examples(moment, ahead, levels[moments.row[moment], column])


@dataclass(frozen=True)
class Inputs:
    """What a model reads of E questions (moment, years ahead).

    ``matrix``: (E, F); ``level``: (E,) last one; ``base``: (E,) damped trend within 0 and the top; ``scale``: (E,) volatility √h;
    ``top``: (E,) 100 for shares, infinity for counts.
    """

    matrix: FloatArray
    level: FloatArray
    base: FloatArray
    scale: FloatArray
    top: FloatArray


def inputs_of(moments: Moments, moment: IntArray, ahead: FloatArray) -> Inputs:
    """What a model reads: the features, the horizon, and what simple extrapolations of the history alone say."""
    part = moments.take(moment)
    share = part.feature("is_share") > 0
    top = np.where(share, 100.0, np.inf)
    base = np.clip(damped(part.level, part.slope, ahead), 0.0, top)
    scale = part.volatility * np.sqrt(ahead)
    said = [base - part.level]
    for span in (2, 5, 10):
        said.append(part.level + part.feature(f"slope_{span}") * ahead - base)
        said.append(_at_constant_growth(part, share, part.feature(f"growth_{span}"), ahead) - base)
    said += [damped(part.level, part.feature(f"slope_{span}"), ahead) - base for span in (5, 20)]
    apart = np.clip(np.stack(said, axis=1) / scale[:, None], -20.0, 20.0)
    matrix = np.column_stack([part.features, ahead, base, apart])
    return Inputs(matrix, part.level, base, scale, top)


def _at_constant_growth(part: Moments, share: BoolArray, growth: FloatArray, ahead: FloatArray) -> FloatArray:
    """Level (E,) if growth went on: straight on the logit scale for shares; for counts it dies out within decades."""
    inside = np.clip(part.level, 0.3, 99.7)
    logit = np.log(inside / (100.0 - inside)) + np.clip(growth, -1.0, 1.0) * ahead
    as_share = 100.0 / (1.0 + np.exp(-np.clip(logit, -20.0, 20.0)))
    reach = np.clip(growth, -0.5, 0.5) * ahead * 0.5 ** (ahead / 10.0)
    return np.where(share, as_share, part.level * np.exp(reach))


def drawing_weights(groups: IntArray, media: IntArray, scale: FloatArray) -> FloatArray:
    """Chance (E,) of each example to be drawn, from the codes of its concept group and medium and its scale."""
    size = np.bincount(groups).astype(np.float64)
    kinds = np.unique(np.stack([media, groups], axis=1), axis=0)[:, 0]
    members = np.bincount(kinds, minlength=int(media.max(initial=0)) + 1).astype(np.float64)
    weight = size[groups] ** (WITHIN_GROUP - 1.0) * members[media] ** (WITHIN_MEDIUM - 1.0) * scale**BY_SCALE
    result: FloatArray = weight / weight.sum()
    return result


class Booster:
    """One boosted model of normalised residuals, fitted in one thread so that sums do not depend on the machine."""

    def __init__(self, *, seed: int, iterations: int, leaves: int = 8, loss: str = "absolute_error") -> None:
        self._model = HistGradientBoostingRegressor(
            loss=loss,
            learning_rate=0.08,
            max_iter=iterations,
            max_leaf_nodes=leaves,
            min_samples_leaf=30,
            max_features=0.5,
            l2_regularization=1.0,
            early_stopping=False,
            random_state=seed,
        )

    def fit(self, matrix: FloatArray, target: FloatArray) -> Booster:
        """Learn targets (E,) from a matrix (E, F)."""
        with threadpool_limits(limits=1):
            self._model.fit(matrix, target)
        return self

    def predict(self, matrix: FloatArray) -> FloatArray:
        """Normalised residuals (E,)."""
        with threadpool_limits(limits=1):
            result: FloatArray = self._model.predict(matrix)
        return result


def levels_for(history: Histories) -> tuple[FloatArray, FloatArray]:
    """Levels (n, Y) in the unit a model works in, and by how much (n,) to multiply to come back to the series' own."""
    share = (history.info["unit_class"] == "share").to_numpy()
    back = np.where(share, np.where(share, ceilings(history), 1.0) / 100.0, 1.0)
    return unit_levels(history), back
