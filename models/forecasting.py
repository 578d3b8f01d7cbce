"""Forecasts of adoption that learn from the finished and unfinished histories of other series.

Belongs here: the estimator, its forecast and its explanation. Does not: stacking (``forecast_stack``), the members
(``forecast_boosting``, ``forecast_analogues``), what may be learnt from (``visibility``: the caller has applied it),
scores.

Everything is learnt from the reference panel given to ``fit``, and by folds of concept groups: a boosted model is
fitted without each fold in turn, and forecasts it; from these forecasts of series not seen come the weights of the
stack, the expected size of errors, and the errors that the intervals are made of (cross-conformal prediction, Vovk
2015). A forecast averages the models of all folds.

Members: the series' own damped trend, boosting, analogues. Weights are convex, chosen on absolute errors, for near and
far horizons apart. With few references there is little to learn: the stack's departure from the damped trend counts
with G / (G + ``prior_groups``), G the number of concept groups, and the errors are joined by a prior distribution that
counts as many.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Self

import numpy as np
import polars as pl
from longwave.models import forecast_boosting as boosting
from longwave.models.conformal import shared_out
from longwave.models.forecast_analogues import AnalogueMember
from longwave.models.forecast_boosting import Examples
from longwave.models.forecast_features import Moments, moments_of
from longwave.models.forecast_stack import Pool, Settings, Stack, learnt
from longwave.models.histories import BoolArray, Histories
from longwave.models.panels import FloatArray, IntArray
from sklearn.base import BaseEstimator

LEVELS: Final = (0.5, 0.8, 0.9)
MEMBERS: Final = ("damped_trend", "boosted", "analogues")
NEAR_UNTIL, FAR_FROM = 4, 7
"""Years ahead up to which the near model speaks alone, and from which the far one does; between, a mixture."""
FEWEST: Final = 60
"""Examples under which nothing is learnt."""


@dataclass(frozen=True)
class Explanation:
    """Where a forecast comes from.

    ``members``: what each member says, (n, H), in the unit of the series; ``references``: (R,) series learnt from;
    ``weights``: (n, R) how far the analogues lean on each (the rest up to 1 is the series' own trend); None where it
    was not asked for.
    """

    members: Mapping[str, FloatArray]
    references: tuple[str, ...]
    weights: FloatArray | None


@dataclass(frozen=True)
class Forecast:
    """Forecasts of n series at H horizons, in the unit of the series: point (n, H), ends by level (n, H)."""

    point: FloatArray
    lower: dict[float, FloatArray]
    upper: dict[float, FloatArray]
    explanation: Explanation


class AdoptionForecaster(BaseEstimator):  # type: ignore[misc]
    """Forecasts with intervals of many series at once, learnt from other series.

    Args:
        seed: of the folds and the draws.
        hold_out: what folds are made of: ``concept_group``, or ``family``, where forecasts of a medium that is in no
            reference are wanted: then the errors that intervals rest on are those on media not seen, too.
        folds: models averaged, each without one fold.
        draws: examples a model is fitted to.
        iterations: trees of a model.
        prior_groups: concept groups that the damped trend and the prior distribution of errors count as.
        borrowed: concept groups that errors at other levels count as.

    """

    def __init__(
        self,
        *,
        seed: int = 0,
        hold_out: Literal["concept_group", "family"] = "concept_group",
        folds: int = 5,
        draws: int = 4000,
        iterations: int = 80,
        prior_groups: float = 4.0,
        borrowed: float = 4.0,
    ) -> None:
        self.seed = seed
        self.hold_out = hold_out
        self.folds = folds
        self.draws = draws
        self.iterations = iterations
        self.prior_groups = prior_groups
        self.borrowed = borrowed

    def fit(self, reference_panel: Histories) -> Self:
        """Learn from everything in the panel; an empty one leaves the damped trend and prior intervals.

        Raises ValueError for settings that make no sense.
        """
        self._check()
        panel = reference_panel
        moments, (levels, _) = moments_of(panel), boosting.levels_for(panel)
        self.references_ = tuple(panel.info["series"])
        self._analogues = AnalogueMember().fit(panel, self.seed)
        settings = Settings(self.seed, self.folds, self.draws, self.iterations, self.prior_groups, self.borrowed)
        self.near_ = self._stack(
            panel, moments, boosting.near_examples(moments, levels, FAR_FROM - 1), settings, analogues=False
        )
        self.far_ = self._stack(panel, moments, boosting.far_examples(moments, levels), settings, analogues=True)
        return self

    def _check(self) -> None:
        if self.folds < 2 or self.draws < self.folds or self.iterations < 1:
            raise ValueError(
                f"folds {self.folds} must be at least 2, draws {self.draws} at least as many, iterations at least 1"
            )
        if self.prior_groups < 0 or self.borrowed < 0:
            raise ValueError("prior_groups and borrowed must not be negative")
        if self.hold_out not in ("concept_group", "family"):
            raise ValueError(f"hold_out {self.hold_out!r} unknown; one of concept_group, family")

    def _stack(
        self, panel: Histories, moments: Moments, examples: Examples, settings: Settings, *, analogues: bool
    ) -> Stack:
        if not len(panel):
            return Stack(settings)
        held = panel.info[self.hold_out].to_numpy()
        group, medium = (_codes(panel, name) for name in ("concept_group", "medium"))

        def others(moment: IntArray, ahead: FloatArray) -> FloatArray:
            if not analogues:
                return np.empty((len(moment), 0))
            barred = held[moments.row[moment]][:, None] == held[None, :]
            return self._by_analogy(panel, moments, moment, ahead, barred)[:, None]

        pool = Pool(moments, examples, shared_out(held, self.folds, self.seed), group, medium, others)
        return learnt(pool, settings, FEWEST)

    def _by_analogy(
        self, panel: Histories, moments: Moments, moment: IntArray, ahead: FloatArray, barred: BoolArray
    ) -> FloatArray:
        """Levels (E,) that analogues give for moments of the panel itself, without what is barred (E, R)."""
        row, column = moments.row[moment], moments.column[moment]
        names = pl.Series("series", [f"{number:09d}" for number in range(len(row))], dtype=pl.String)
        later = np.arange(len(panel.years))[None, :] > column[:, None]
        levels = np.where(later, np.nan, panel.levels[row])
        cut = Histories(panel.info[row.tolist()].with_columns(names), panel.years, levels, np.zeros_like(later))
        horizons, which = np.unique(ahead.astype(np.int64), return_inverse=True)
        said = self._analogues.predict(cut, horizons, exclude=barred)[np.arange(len(row)), which]
        return _to_unit(said, panel, row)

    def predict(
        self,
        history: Histories,
        horizons: Sequence[int],
        levels: Sequence[float] = LEVELS,
        *,
        explain: bool = False,
    ) -> Forecast:
        """Forecast each series from all of its observations.

        Args:
            history: n series, each with at least one observation.
            horizons: (H,) years after each series' last observation, whole, 1 or more.
            levels: of the central intervals.
            explain: work out which references the analogues lean on, too.

        Raises:
            ValueError: not fitted, a horizon under 1, a level outside (0, 1), a series without observations.

        """
        ahead = self._asked(history, horizons, levels)
        moments = moments_of(history, last_only=True)
        n, n_ahead = len(history), len(ahead)
        inputs = boosting.inputs_of(moments, np.repeat(np.arange(n), n_ahead), np.tile(ahead.astype(np.float64), n))
        analogues = self._analogues.predict(history, ahead)
        members = {
            "damped_trend": inputs.base,
            "boosted": self._mixed(ahead, n, [stack.boosted(inputs) for stack in (self.near_, self.far_)]),
            "analogues": _to_unit(analogues, history, np.arange(n)).ravel(),
        }
        near = np.column_stack([inputs.base, self.near_.boosted(inputs)])
        far = np.column_stack([inputs.base, self.far_.boosted(inputs), members["analogues"]])
        points = [self.near_.point(near), self.far_.point(far)]
        lower, upper = {}, {}
        for level in levels:
            ends = [
                stack.ends(inputs, point, level) for stack, point in zip((self.near_, self.far_), points, strict=True)
            ]
            lower[level] = self._shaped(history, self._mixed(ahead, n, [low for low, _ in ends]))
            upper[level] = self._shaped(history, self._mixed(ahead, n, [high for _, high in ends]))
        weights = self._analogues.weights(history) if explain else None
        said = {name: self._shaped(history, values) for name, values in members.items()}
        point = self._shaped(history, self._mixed(ahead, n, points))
        return Forecast(point, lower, upper, Explanation(said, self.references_, weights))

    def _asked(self, history: Histories, horizons: Sequence[int], levels: Sequence[float]) -> IntArray:
        if not hasattr(self, "near_"):
            raise ValueError("this forecaster has learnt nothing yet: call fit first")
        ahead = np.asarray(horizons, dtype=np.int64)
        if ahead.ndim != 1 or not len(ahead) or ahead.min() < 1:
            raise ValueError(f"horizons must be whole years, 1 or more, not {list(horizons)}")
        if not all(0.0 < level < 1.0 for level in levels):
            raise ValueError(f"levels {list(levels)} must lie between 0 and 1")
        bare = np.flatnonzero(~np.isfinite(history.levels).any(axis=1))
        if len(bare):
            raise ValueError(f"series {history.info['series'][int(bare[0])]!r} has no observation; {len(bare)} in all")
        return ahead

    @staticmethod
    def _mixed(ahead: IntArray, n: int, parts: Sequence[FloatArray]) -> FloatArray:
        """Near and far (n·H,) joined by how far ahead each question is."""
        share = np.clip((ahead - NEAR_UNTIL) / (FAR_FROM - NEAR_UNTIL), 0.0, 1.0)
        far = np.tile(share, n)
        result: FloatArray = parts[0] * (1.0 - far) + parts[1] * far
        return result

    @staticmethod
    def _shaped(history: Histories, values: FloatArray) -> FloatArray:
        """Values (n·H,) of the working unit as (n, H) in the unit of each series."""
        _, back = boosting.levels_for(history)
        result: FloatArray = values.reshape(len(history), -1) * back[:, None]
        return result


def _to_unit(levels: FloatArray, history: Histories, row: IntArray) -> FloatArray:
    """Levels (E,) or (E, H) of the rows' series, from their own unit to the working one."""
    _, back = boosting.levels_for(history)
    result: FloatArray = levels / (back[row] if levels.ndim == 1 else back[row][:, None])
    return result


def _codes(panel: Histories, name: str) -> IntArray:
    codes: IntArray = np.unique(panel.info[name].to_numpy().astype(np.str_), return_inverse=True)[1]
    return codes
