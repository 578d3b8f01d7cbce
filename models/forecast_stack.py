"""One stack for one reach of horizons: fold models, weights of members, expected errors, scaled errors.

Belongs here: all that is learnt for the near or for the far horizons from one reference panel. Does not: joining the
two, the estimator (``forecasting``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from longwave.models import forecast_boosting as boosting
from longwave.models.conformal import ScaledErrors, scaled_errors
from longwave.models.forecast_boosting import Booster, Examples, Inputs
from longwave.models.forecast_features import Moments
from longwave.models.forecast_scale import to_errors
from longwave.models.panels import FloatArray, IntArray
from numpy.typing import NDArray

StrArray = NDArray[np.str_]

REGIMES: Final = (20.0, 80.0, 95.0)
"""Bounds of the levels, in points, whose errors are taken together; counts are one more group."""
N_REGIMES: Final = len(REGIMES) + 2
OWN_ERRORS_FROM: Final = 10
"""Clusters of a medium of counts from which on its errors are taken by themselves."""
QUIET: Final = 0.05
"""Errors are told apart down to this part of the usual change."""
STEPS: Final = 10
"""Weights of the stack are multiples of one part in so many."""
EQUAL: Final = 0.1
"""What a departure of the weights by 1 from the prior ones must gain, as a part of the error."""


@dataclass(frozen=True)
class Settings:
    """What the estimator passes on: see ``longwave.models.forecasting.AdoptionForecaster``."""

    seed: int
    folds: int
    draws: int
    held: int
    iterations: int
    within_medium: float
    prior_groups: float
    borrowed: float


@dataclass(frozen=True)
class Pool:
    """References as examples.

    ``medium``: (n,) names; ``weight``: (E,) of each example to be drawn; ``fold``, ``held``: (n,) code of each series' fold
    and of what its errors are counted with; ``importance``: (C,) by that code, how far errors on it speak for errors on
    others; ``others``: called with moments (E,), years ahead (E,) and gives the other members' levels (E, M), made
    without all that is held out with the moment's series.
    """

    moments: Moments
    examples: Examples
    medium: StrArray
    weight: FloatArray
    fold: IntArray
    held: IntArray
    importance: FloatArray
    others: Callable[[IntArray, FloatArray], FloatArray]


@dataclass
class Stack:
    """Learnt for one reach. Empty lists where there was too little to learn from.

    ``media``: those of counts whose errors are a group of their own.
    """

    settings: Settings
    boosters: list[Booster] = field(default_factory=list)
    spreads: list[Booster] = field(default_factory=list)
    weights: FloatArray | None = None
    trust: float = 0.0
    errors: ScaledErrors | None = None
    media: tuple[str, ...] = ()

    def boosted(self, inputs: Inputs) -> FloatArray:
        """What boosting says (E,): the damped trend where nothing was learnt."""
        if not self.boosters:
            return inputs.moved(np.zeros(len(inputs.base)))
        return inputs.moved(np.mean([model.predict(inputs.matrix) for model in self.boosters], axis=0))

    def point(self, members: FloatArray) -> FloatArray:
        """The stack's forecast (E,) from its members (E, M), the damped trend first."""
        if self.weights is None:
            return members[:, 0]
        trend = np.zeros(members.shape[1])
        trend[0] = 1.0
        result: FloatArray = members @ (self.trust * self.weights + (1.0 - self.trust) * trend)
        return result

    def expected(self, inputs: Inputs) -> FloatArray:
        """Expected size of the error (E,): the scale itself where nothing was learnt."""
        if not self.spreads:
            return inputs.error_scale
        said = np.mean([model.predict(inputs.matrix) for model in self.spreads], axis=0)
        result: FloatArray = inputs.error_scale * np.exp(said)
        return result

    def offsets(self, inputs: Inputs, medium: StrArray, level: float) -> tuple[FloatArray, FloatArray]:
        """How far (E,) the ends of the central interval lie from the point. ``medium``: (E,) names."""
        errors = self.errors or _none_yet(self.settings)
        low, high = errors.ends(group_of(inputs, medium, self.media), level)
        size = self.expected(inputs)
        return low * size, high * size


def regime_of(inputs: Inputs) -> IntArray:
    """Group of errors (E,): the band of the last level for shares, one group for counts."""
    band = np.searchsorted(np.array(REGIMES), inputs.level, side="right")
    result: IntArray = np.where(inputs.share, band, len(REGIMES) + 1)
    return result


def group_of(inputs: Inputs, medium: StrArray, media: Sequence[str]) -> IntArray:
    """Group of errors (E,): the regime, but for counts of ``media`` one of its own each."""
    found = regime_of(inputs)
    for number, name in enumerate(media):
        found = np.where(~inputs.share & (medium == name), N_REGIMES + number, found)
    return found


def _own_media(unseen: _Unseen) -> tuple[str, ...]:
    """Media of counts that enough clusters tell of, sorted."""
    counts = ~unseen.inputs.share
    pairs = sorted(set(zip(unseen.medium[counts].tolist(), unseen.held[counts].tolist(), strict=True)))
    names = [name for name, _ in pairs]
    return tuple(sorted(name for name in set(names) if names.count(name) >= OWN_ERRORS_FROM))


def _none_yet(settings: Settings) -> ScaledErrors:
    empty, codes = np.empty(0), np.empty(0, dtype=np.int64)
    return scaled_errors(
        empty, codes, codes, empty, n_groups=N_REGIMES, prior_clusters=max(settings.prior_groups, 1.0), borrowed=0.0
    )


def learnt(pool: Pool, settings: Settings, fewest: int) -> Stack:
    """The stack of one reach, from a pool of examples; an empty one for fewer than ``fewest`` examples or two groups."""
    stack = Stack(settings)
    row = pool.moments.row[pool.examples.moment]
    n_groups = len(np.unique(pool.held[row]))
    if len(row) < fewest or n_groups < 2:
        return stack
    unseen = _fold_models(pool, settings, stack)
    stack.trust = n_groups / (n_groups + settings.prior_groups)
    stack.weights = best_weights(unseen.members, unseen.actual, unseen.inputs.error_scale)
    missed = unseen.actual - stack.point(unseen.members)
    _learn_spread(stack, unseen, missed, pool.importance, settings)
    return stack


@dataclass(frozen=True)
class _Unseen:
    """Examples (C,) with what was said of each by models that had not seen its fold."""

    inputs: Inputs
    members: FloatArray
    actual: FloatArray
    fold: IntArray
    held: IntArray
    medium: StrArray


def _fold_models(pool: Pool, settings: Settings, stack: Stack) -> _Unseen:
    """One boosted model a fold, without it; and its forecasts of examples drawn from the fold."""
    examples, row = pool.examples, pool.moments.row[pool.examples.moment]
    fold = pool.fold[row]
    chosen, said = [], []
    for number in range(settings.folds):
        rng = np.random.default_rng((settings.seed, number))
        inside, outside = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        if not len(inside) or not len(outside):
            continue
        drawn = _draw(pool, outside, settings.draws, rng)
        read = boosting.inputs_of(pool.moments, examples.moment[drawn], examples.ahead[drawn])
        model = Booster(seed=settings.seed + number, iterations=settings.iterations)
        model.fit(read.matrix, (examples.actual[drawn] - read.base) / read.scale)
        held = np.unique(_draw(pool, inside, settings.held // settings.folds, rng))
        asked = boosting.inputs_of(pool.moments, examples.moment[held], examples.ahead[held])
        said.append(asked.moved(model.predict(asked.matrix)))
        chosen.append(held)
        stack.boosters.append(model)
    index = np.concatenate(chosen)
    inputs = boosting.inputs_of(pool.moments, examples.moment[index], examples.ahead[index])
    others = pool.others(examples.moment[index], examples.ahead[index])
    members = np.column_stack([inputs.moved(np.zeros(len(index))), np.concatenate(said), others])
    actual = to_errors(examples.actual[index], inputs.share)
    return _Unseen(inputs, members, actual, fold[index], pool.held[row[index]], pool.medium[row[index]])


def _draw(pool: Pool, among: IntArray, draws: int, rng: np.random.Generator) -> IntArray:
    """Examples drawn with replacement by ``drawing_weights``, never more than there are."""
    weights = pool.weight[among]
    result: IntArray = among[rng.choice(len(among), min(draws, len(among)), p=weights / weights.sum())]
    return result


def best_weights(members: FloatArray, actual: FloatArray, scale: FloatArray) -> FloatArray:
    """Convex weights (M,) of the members (C, M) with the least mean |error| / scale, on a grid of ``STEPS`` parts.

    The prior: the members that learn count the same, the damped trend not at all. A departure must pay (``EQUAL``):
    what was learnt of weights on a few media is no better known than that.
    """
    n = members.shape[1]
    grid = _simplex(n)
    away = (members - actual[:, None]) / scale[:, None]
    loss = np.array([np.abs(away @ weight).mean() for weight in grid])
    prior = np.full(n, 1.0 / max(n - 1, 1))
    prior[0] = 0.0 if n > 1 else 1.0
    departure = np.abs(grid - prior).sum(axis=1) / 2.0
    result: FloatArray = grid[int(np.argmin(loss * (1.0 + EQUAL * departure)))]
    return result


def _simplex(n: int) -> FloatArray:
    """All weights of n members that are multiples of 1 / ``STEPS`` and sum to 1."""
    if n == 1:
        return np.ones((1, 1))
    parts = np.stack(np.meshgrid(*[np.arange(STEPS + 1)] * (n - 1), indexing="ij"), axis=-1).reshape(-1, n - 1)
    parts = parts[parts.sum(axis=1) <= STEPS]
    return np.column_stack([parts, STEPS - parts.sum(axis=1)]) / STEPS


def _learn_spread(
    stack: Stack, unseen: _Unseen, missed: FloatArray, importance: FloatArray, settings: Settings
) -> None:
    """Models of the expected size of an error, each without half of the folds, and the errors scaled by them."""
    size = np.log(np.abs(missed) / unseen.inputs.error_scale + QUIET)
    expected = np.zeros(len(missed))
    half = unseen.fold % 2
    for number in np.unique(half):
        outside = half != number
        if not outside.any():
            continue
        model = Booster(seed=settings.seed, iterations=40, leaves=6, loss="squared_error")
        model.fit(unseen.inputs.matrix[outside], size[outside])
        expected[~outside] = model.predict(unseen.inputs.matrix[~outside])
        stack.spreads.append(model)
    stack.media = _own_media(unseen)
    stack.errors = scaled_errors(
        missed / (unseen.inputs.error_scale * np.exp(expected)),
        group_of(unseen.inputs, unseen.medium, stack.media),
        unseen.held,
        importance,
        n_groups=N_REGIMES + len(stack.media),
        prior_clusters=settings.prior_groups,
        borrowed=settings.borrowed,
    )
