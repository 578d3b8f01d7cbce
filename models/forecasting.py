"""Forecasts of adoption that learn from the finished and unfinished histories of other series.

Belongs here: the estimator, its forecast and its explanation. Does not: stacking (``forecast_stack``), the members
(``forecast_boosting``, ``forecast_analogues``), what may be learnt from (``visibility``: the caller has applied it),
scores.

Everything is learnt from the reference panel given to ``fit``, and by folds of concept groups: a boosted model is
fitted without each fold in turn, and forecasts it; from these forecasts of series not seen come the weights of the
stack, the expected size of errors, and the errors that the intervals are made of (cross-conformal prediction, Vovk
2015). A forecast averages the models of all folds.

Members: the series' own damped trend and boosting; far ahead also analogues, and curves whose ceiling and speed are
learnt from finished series. Weights are convex, chosen on absolute errors, for near and far horizons apart. Points of
the members are averaged, and errors measured, in points for shares and as logarithms for counts. With few references
there is little to learn: the stack's departure from the damped trend counts with G / (G + ``prior_groups``), G the
number of concept groups, and the errors are joined by a prior distribution that counts as many.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Self, get_args

import numpy as np
import polars as pl
from longwave.models import forecast_boosting as boosting
from longwave.models.conformal import shared_out
from longwave.models.forecast_analogues import AnalogueMember
from longwave.models.forecast_boosting import Examples
from longwave.models.forecast_features import Moments, moments_of
from longwave.models.forecast_path import knots_for, line_through, rising, widths_along, without_falls
from longwave.models.forecast_priors import CurveSaid, PriorMember
from longwave.models.forecast_scale import from_errors, to_errors
from longwave.models.forecast_stack import Pool, Settings, Stack, learnt
from longwave.models.histories import BoolArray, Histories
from longwave.models.panels import FloatArray, IntArray
from sklearn.base import BaseEstimator

HoldOut = Literal["concept_group", "family", "place"]
LEVELS: Final = (0.5, 0.8, 0.9)
MEMBERS: Final = ("damped_trend", "boosted", "analogues", "priors")
NEAR: Final = ("damped_trend", "boosted_near")
FAR: Final = ("damped_trend", "boosted_far", "analogues", "priors")
"""Members of the near and of the far stack, the damped trend first."""
NEAR_UNTIL, FAR_FROM = 4, 7
"""Years ahead up to which the near model speaks alone, and from which the far one does; between, a mixture."""
WITHIN_MEDIUM: Final = (0.75, 0.25)
"""A medium of n concept groups counts as n to this power where examples are drawn, near and far."""
HELD: Final = (1.0, 0.5)
"""Examples forecast by models that had not seen them, as a part of the draws, near and far."""
FEWEST: Final = 60
"""Examples under which nothing is learnt."""


@dataclass(frozen=True)
class Explanation:
    """Where a forecast comes from.

    ``members``: what each member says, (n, H), in the unit of the series; ``references``: (R,) series learnt from;
    ``weights``: (n, R) how far the analogues lean on each (the rest up to 1 is the series' own trend); ``curves``: what
    each family of curves says by itself. Both None where they were not asked for.
    """

    members: Mapping[str, FloatArray]
    references: tuple[str, ...]
    weights: FloatArray | None
    curves: Mapping[str, CurveSaid] | None = None


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
        hold_out: what folds are made of, so that the errors that intervals rest on are made as the forecast will be:
            ``concept_group``; ``family`` where the medium is in no reference; ``place`` where nothing of its place
            is. There a series whose family no other place has is forecast as with ``family``.
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
        hold_out: HoldOut = "concept_group",
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
        self._priors = PriorMember().fit(panel, self.seed)
        near, far = (self._settings(power, held) for power, held in zip(WITHIN_MEDIUM, HELD, strict=True))
        self.near_ = self._stack(panel, moments, boosting.near_examples(moments, levels, FAR_FROM - 1), near, NEAR)
        self.far_ = self._stack(panel, moments, boosting.far_examples(moments, levels), far, FAR)
        self._families = frozenset(panel.info["family"])
        self._of_strangers = None
        if self.hold_out == "place":
            self._of_strangers = type(self)(**self.get_params() | {"hold_out": "family"}).fit(panel)
        return self

    def _check(self) -> None:
        if self.folds < 2 or self.draws < self.folds or self.iterations < 1:
            raise ValueError(
                f"folds {self.folds} must be at least 2, draws {self.draws} at least as many, iterations at least 1"
            )
        if self.prior_groups < 0 or self.borrowed < 0:
            raise ValueError("prior_groups and borrowed must not be negative")
        if self.hold_out not in get_args(HoldOut):
            raise ValueError(f"hold_out {self.hold_out!r} unknown; one of {', '.join(get_args(HoldOut))}")

    def _settings(self, within_medium: float, held: float) -> Settings:
        return Settings(
            seed=self.seed,
            folds=self.folds,
            draws=self.draws,
            held=max(int(self.draws * held), self.folds),
            iterations=self.iterations,
            within_medium=within_medium,
            prior_groups=self.prior_groups,
            borrowed=self.borrowed,
        )

    def _stack(
        self, panel: Histories, moments: Moments, examples: Examples, settings: Settings, names: Sequence[str]
    ) -> Stack:
        if not len(panel):
            return Stack(settings)
        held = panel.info[self.hold_out].to_numpy()
        group, medium = (_codes(panel, name) for name in ("concept_group", "medium"))

        def others(moment: IntArray, ahead: FloatArray) -> FloatArray:
            barred = held[moments.row[moment]][:, None] == held[None, :]
            return self._by_others(panel, moments, moment, ahead, barred, names[2:])

        row = moments.row[examples.moment]
        size = moments.volatility[examples.moment] * np.sqrt(examples.ahead)
        weight = boosting.drawing_weights(group[row], medium[row], size, settings.within_medium)
        # A place holds many things, and errors on one tell little of errors on another: each counts by itself.
        codes = group if self.hold_out == "place" else _codes(panel, self.hold_out)
        folds = shared_out(held, self.folds, self.seed)
        names_of = panel.info["medium"].to_numpy().astype(np.str_)
        pool = Pool(moments, examples, names_of, weight, folds, codes, _importance(codes, medium), others)
        return learnt(pool, settings, FEWEST)

    def _by_others(
        self,
        panel: Histories,
        moments: Moments,
        moment: IntArray,
        ahead: FloatArray,
        barred: BoolArray,
        members: Sequence[str],
    ) -> FloatArray:
        """Levels (E, M) that other members give for moments of the panel itself, without what is barred (E, R)."""
        if not members:
            return np.empty((len(moment), 0))
        row, column = moments.row[moment], moments.column[moment]
        names = pl.Series("series", [f"{number:09d}" for number in range(len(row))], dtype=pl.String)
        later = np.arange(len(panel.years))[None, :] > column[:, None]
        levels = np.where(later, np.nan, panel.levels[row])
        cut = Histories(panel.info[row.tolist()].with_columns(names), panel.years, levels, np.zeros_like(later))
        horizons, which = np.unique(ahead.astype(np.int64), return_inverse=True)
        made: dict[str, AnalogueMember | PriorMember] = {"analogues": self._analogues, "priors": self._priors}
        at = np.arange(len(row))
        said = [made[name].predict(cut, horizons, exclude=barred)[at, which] for name in members]
        return np.column_stack([_for_errors(levels, panel, row) for levels in said])

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
            explain: work out which references the analogues lean on and what families of curves say, too.

        Raises:
            ValueError: not fitted, a horizon under 1, a level outside (0, 1), a series without observations.

        """
        ahead = self._asked(history, horizons, levels)
        if self._of_strangers is not None:
            strange = ~history.info["family"].is_in(list(self._families)).to_numpy()
            if strange.any():
                parts = [
                    (rows, model._predicted(history.take(rows), ahead, levels, explain))
                    for rows, model in ((~strange, self), (strange, self._of_strangers))
                    if rows.any()
                ]
                return _rejoined(parts)
        return self._predicted(history, ahead, levels, explain)

    def _predicted(self, history: Histories, ahead: IntArray, levels: Sequence[float], explain: bool) -> Forecast:
        """The same by the stacks of this forecaster alone."""
        knots = knots_for(ahead)
        moments = moments_of(history, last_only=True)
        n, share = len(history), (history.info["unit_class"] == "share").to_numpy()
        shape = (n, len(knots))
        inputs = boosting.inputs_of(moments, np.repeat(np.arange(n), len(knots)), np.tile(knots.astype(np.float64), n))
        said = self._members(history, knots, inputs)
        points = self._mixed(
            knots,
            n,
            [
                self.near_.point(np.column_stack([said[name] for name in NEAR])),
                self.far_.point(np.column_stack([said[name] for name in FAR])),
            ],
        )
        rises = rising(boosting.levels_for(history)[0], share)
        last = to_errors(moments.level, share)
        point = line_through(without_falls(points.reshape(shape), last, rises), knots, ahead)
        # The errors were made by points that might fall: intervals lie around these, and hold the one that may not.
        centre = line_through(points.reshape(shape), knots, ahead)
        medium = np.repeat(history.info["medium"].to_numpy().astype(np.str_), len(knots))
        lower, upper = {}, {}
        for level in levels:
            near, far = (stack.offsets(inputs, medium, level) for stack in (self.near_, self.far_))
            low, high = (self._mixed(knots, n, [near[end], far[end]]).reshape(shape) for end in (0, 1))
            lower[level] = _levels(history, np.minimum(point, centre + widths_along(low, knots, ahead)))
            upper[level] = _levels(history, np.maximum(point, centre + widths_along(high, knots, ahead)))
        weights = self._analogues.weights(history) if explain else None
        curves = self._priors.said(history, ahead) if explain else None
        said["boosted"] = self._mixed(knots, n, [said.pop("boosted_near"), said.pop("boosted_far")])
        members = {name: _levels(history, line_through(said[name].reshape(shape), knots, ahead)) for name in MEMBERS}
        explanation = Explanation(members, self.references_, weights, curves)
        return Forecast(_levels(history, point), lower, upper, explanation)

    def _members(self, history: Histories, knots: IntArray, inputs: boosting.Inputs) -> dict[str, FloatArray]:
        """What each member says (n·K,), in the working unit."""
        rows = np.arange(len(history))
        return {
            "damped_trend": inputs.moved(np.zeros(len(inputs.base))),
            "boosted_near": self.near_.boosted(inputs),
            "boosted_far": self.far_.boosted(inputs),
            "analogues": _for_errors(self._analogues.predict(history, knots), history, rows).ravel(),
            "priors": _for_errors(self._priors.predict(history, knots), history, rows).ravel(),
        }

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


def _rejoined(parts: Sequence[tuple[BoolArray, Forecast]]) -> Forecast:
    """One forecast of forecasts of some rows each; ``parts``: which rows (n,) of the whole, and their forecast."""

    def whole(arrays: Sequence[FloatArray]) -> FloatArray:
        found = np.empty((len(parts[0][0]), arrays[0].shape[1]))
        for (rows, _), array in zip(parts, arrays, strict=True):
            found[rows] = array
        return found

    made = [forecast for _, forecast in parts]
    sides = [
        {level: whole([side[level] for side in ends]) for level in ends[0]}
        for ends in ([forecast.lower for forecast in made], [forecast.upper for forecast in made])
    ]
    said = [forecast.explanation for forecast in made]
    members = {name: whole([each.members[name] for each in said]) for name in said[0].members}
    weights = [each.weights for each in said if each.weights is not None]
    leaned = whole(weights) if len(weights) == len(made) else None
    return Forecast(
        whole([forecast.point for forecast in made]),
        sides[0],
        sides[1],
        Explanation(members, said[0].references, leaned, _curves_rejoined([each.curves for each in said], whole)),
    )


def _curves_rejoined(
    said: Sequence[Mapping[str, CurveSaid] | None], whole: Callable[[Sequence[FloatArray]], FloatArray]
) -> dict[str, CurveSaid] | None:
    """What curves say of some rows each, of all; None where it was not asked for."""
    asked = [each for each in said if each is not None]
    if len(asked) < len(said):
        return None
    return {
        name: CurveSaid(
            whole([each[name].weight[:, None] for each in asked])[:, 0],
            whole([each[name].ceiling[:, None] for each in asked])[:, 0],
            whole([each[name].point for each in asked]),
        )
        for name in asked[0]
    }


def _levels(history: Histories, values: FloatArray) -> FloatArray:
    """Levels (n, H) in the unit of each series, of values where errors are measured."""
    _, back = boosting.levels_for(history)
    share = (history.info["unit_class"] == "share").to_numpy()
    result: FloatArray = from_errors(values, np.broadcast_to(share[:, None], values.shape)) * back[:, None]
    return result


def _for_errors(levels: FloatArray, history: Histories, row: IntArray) -> FloatArray:
    """Where errors are measured: levels (E,) or (E, H) of the rows' series, in their own unit."""
    _, back = boosting.levels_for(history)
    share = (history.info["unit_class"] == "share").to_numpy()[row]
    shape = (-1,) if levels.ndim == 1 else (-1, 1)
    return to_errors(levels / back[row].reshape(shape), np.broadcast_to(share.reshape(shape), levels.shape))


def _importance(codes: IntArray, medium: IntArray) -> FloatArray:
    """Weight (C,) of what is held out together: of n concept groups of one medium, each 1 / √n."""
    _, first = np.unique(codes, return_index=True)
    kind = medium[first]
    result: FloatArray = 1.0 / np.sqrt(np.bincount(kind)[kind])
    return result


def _codes(panel: Histories, name: str) -> IntArray:
    codes: IntArray = np.unique(panel.info[name].to_numpy().astype(np.str_), return_inverse=True)[1]
    return codes
