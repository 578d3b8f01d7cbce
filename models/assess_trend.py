"""The damped trend as a forecaster with intervals: what `longwave assess` runs on until the forecaster that learns is there.

Belongs here: one small estimator. Points are the damped trend's (``longwave.models.forecasters``); intervals are conformal,
from the errors that the same rule makes on the references, by unit class, horizon and how near the ceiling it starts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np
from longwave.models.forecasters import conformal_bounds, damped_trend, naive
from longwave.models.histories import Histories
from longwave.models.panels import FloatArray, IntArray

REGIMES: Final = (20.0, 80.0, 95.0)
LONGEST: Final = 40
FLOOR: Final = 1e-9


@dataclass(frozen=True)
class TrendForecast:
    """Points (n, H), and by level lower and upper bounds (n, H), in the unit of the histories."""

    point: FloatArray
    lower: dict[float, FloatArray]
    upper: dict[float, FloatArray]
    explanation: None = None


@dataclass
class TrendForecaster:
    """Damped trend with conformal intervals."""

    seed: int = 0
    errors: dict[tuple[str, int, int], FloatArray] = field(default_factory=dict)

    def fit(self, references: Histories) -> Self:
        """Keep the errors of the rule at every origin of the references: points of shares, logarithms of counts."""
        found: dict[tuple[str, int, int], list[FloatArray]] = {}
        for unit in ("share", "count"):
            part = references.take((references.info["unit_class"] == unit).to_numpy())
            for column in range(1, len(part.years) - 1):
                fresh = np.flatnonzero(np.isfinite(part.levels[:, column]))
                goals = part.levels[fresh, column + 1 : column + 1 + LONGEST]
                made = _points(part.take(fresh).until(int(part.years[column])), np.arange(1, goals.shape[1] + 1))
                errors = _working(goals, unit) - _working(made, unit)
                regime = np.digitize(part.levels[fresh, column], REGIMES)
                for step in range(goals.shape[1]):
                    for at in np.unique(regime):
                        kept = errors[regime == at, step]
                        found.setdefault((unit, int(at), step + 1), []).append(kept[np.isfinite(kept)])
        self.errors = {key: np.concatenate(parts) for key, parts in found.items()}
        return self

    def predict(
        self,
        history: Histories,
        horizons: Sequence[int],
        levels: Sequence[float] = (0.5, 0.8, 0.9),
        *,
        explain: bool = False,
    ) -> TrendForecast:
        """Forecasts so many years after each series' last observation; it leans on no reference that it could name."""
        del explain
        point = _points(history, np.asarray(horizons, dtype=np.int64))
        regime = np.digitize(naive(history.levels), REGIMES)
        share = (history.info["unit_class"] == "share").to_numpy()
        bounds = {level: np.full((2, *point.shape), np.nan) for level in levels}
        for unit, mask in (("share", share), ("count", ~share)):
            for at in np.unique(regime[mask]):
                rows = np.flatnonzero(mask & (regime == at))
                for column, ahead in enumerate(horizons):
                    errors = self.errors.get((unit, int(at), int(ahead)), np.empty(0))[None, :]
                    for level in levels:
                        moves = conformal_bounds(errors, level)
                        bounds[level][:, rows, column] = [_moved(point[rows, column], move, unit) for move in moves]
        lower, upper = ({level: bound[side] for level, bound in bounds.items()} for side in (0, 1))
        return TrendForecast(point, lower, upper)


def _points(history: Histories, ahead: IntArray) -> FloatArray:
    """Damped trend (n, H) so many years after the last observation, not under 0; shares not over 100."""
    made = np.full((len(history), len(ahead)), np.nan)
    last, years = history.last_years(), history.years.astype(np.float64)
    for year in np.unique(last[last >= 0]):
        rows = np.flatnonzero(last == year)
        made[rows] = damped_trend(history.levels[rows], years, (year + ahead).astype(np.float64))
    top = np.where((history.info["unit_class"] == "share").to_numpy(), 100.0, np.inf)
    clipped: FloatArray = np.clip(made, 0.0, top[:, None])
    return clipped


def _working(levels: FloatArray, unit: str) -> FloatArray:
    """Points of shares as they are, counts as logarithms."""
    return levels if unit == "share" else np.log(np.maximum(levels, FLOOR))


def _moved(point: FloatArray, error: FloatArray, unit: str) -> FloatArray:
    """Points (n,) moved by an error (1,), in the unit of the points."""
    if unit == "share":
        return np.clip(point + error, 0.0, 100.0)
    with np.errstate(over="ignore"):
        moved: FloatArray = point * np.exp(error)
    return moved
