"""One stack for one reach of horizons: fold models, weights of members, expected errors, scaled errors.

Belongs here: all that is learnt for the near or for the far horizons from one reference panel. Does not: joining the
two, the estimator (``forecasting``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from longwave.models import forecast_boosting as boosting
from longwave.models.conformal import ScaledErrors, scaled_errors
from longwave.models.forecast_boosting import Booster, Examples, Inputs
from longwave.models.forecast_features import Moments
from longwave.models.panels import FloatArray, IntArray

REGIMES: Final = (20.0, 80.0, 95.0)
"""Bounds of the levels, in points, whose errors are taken together; counts are one more group."""
N_REGIMES: Final = len(REGIMES) + 2
QUIET: Final = 0.05
"""Errors are told apart down to this part of the usual change."""
STEPS: Final = 10
"""Weights of the stack are multiples of one part in so many."""
EQUAL: Final = 0.02
"""What a departure of the weights by 1 from equal ones must gain, as a part of the error."""


@dataclass(frozen=True)
class Settings:
    """What the estimator passes on: see ``longwave.models.forecasting.AdoptionForecaster``."""

    seed: int
    folds: int
    draws: int
    iterations: int
    prior_groups: float
    borrowed: float


@dataclass(frozen=True)
class Pool:
    """References as examples.

    ``fold``, ``group``, ``medium``: (n,) codes of each series; ``others``: called with moments (E,), years ahead
    (E,) and gives the other members' levels (E, M) made without the moment's own concept group.
    """

    moments: Moments
    examples: Examples
    fold: IntArray
    group: IntArray
    medium: IntArray
    others: Callable[[IntArray, FloatArray], FloatArray]


@dataclass
class Stack:
    """Learnt for one reach. Empty lists where there was too little to learn from."""

    settings: Settings
    boosters: list[Booster] = field(default_factory=list)
    spreads: list[Booster] = field(default_factory=list)
    weights: FloatArray | None = None
    trust: float = 0.0
    errors: ScaledErrors | None = None

    def boosted(self, inputs: Inputs) -> FloatArray:
        """What boosting says (E,): the damped trend where nothing was learnt."""
        if not self.boosters:
            return inputs.base
        moved = np.mean([model.predict(inputs.matrix) for model in self.boosters], axis=0)
        result: FloatArray = np.clip(inputs.base + moved * inputs.scale, 0.0, inputs.top)
        return result

    def point(self, members: FloatArray) -> FloatArray:
        """The stack's forecast (E,) from its members (E, M), the damped trend first."""
        if self.weights is None:
            return members[:, 0]
        joined = members @ self.weights
        result: FloatArray = members[:, 0] + self.trust * (joined - members[:, 0])
        return result

    def expected(self, inputs: Inputs) -> FloatArray:
        """Expected size of the error (E,): the scale itself where nothing was learnt."""
        if not self.spreads:
            return inputs.scale
        said = np.mean([model.predict(inputs.matrix) for model in self.spreads], axis=0)
        result: FloatArray = inputs.scale * np.exp(said)
        return result

    def ends(self, inputs: Inputs, point: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
        """Ends (E,) of the central interval, within 0 and the top."""
        errors = self.errors or _none_yet(self.settings)
        low, high = errors.ends(regime_of(inputs), level)
        size = self.expected(inputs)
        return np.clip(point + low * size, 0.0, inputs.top), np.clip(point + high * size, 0.0, inputs.top)


def regime_of(inputs: Inputs) -> IntArray:
    """Group of errors (E,): the band of the last level for shares, one group for counts."""
    band = np.searchsorted(np.array(REGIMES), inputs.level, side="right")
    result: IntArray = np.where(np.isfinite(inputs.top), band, len(REGIMES) + 1)
    return result


def _none_yet(settings: Settings) -> ScaledErrors:
    empty, codes = np.empty(0), np.empty(0, dtype=np.int64)
    return scaled_errors(
        empty, codes, codes, n_groups=N_REGIMES, prior_clusters=max(settings.prior_groups, 1.0), borrowed=0.0
    )


def learnt(pool: Pool, settings: Settings, fewest: int) -> Stack:
    """The stack of one reach, from a pool of examples; an empty one for fewer than ``fewest`` examples or two groups."""
    stack = Stack(settings)
    row = pool.moments.row[pool.examples.moment]
    n_groups = len(np.unique(pool.group[row]))
    if len(row) < fewest or n_groups < 2:
        return stack
    unseen = _fold_models(pool, settings, stack)
    stack.trust = n_groups / (n_groups + settings.prior_groups)
    stack.weights = best_weights(unseen.members, unseen.actual, unseen.inputs.scale)
    missed = unseen.actual - stack.point(unseen.members)
    _learn_spread(stack, unseen, missed, settings)
    return stack


@dataclass(frozen=True)
class _Unseen:
    """Examples (C,) with what was said of each by models that had not seen its fold."""

    inputs: Inputs
    members: FloatArray
    actual: FloatArray
    fold: IntArray
    group: IntArray


def _fold_models(pool: Pool, settings: Settings, stack: Stack) -> _Unseen:
    """One boosted model a fold, without it; and its forecasts of examples drawn from the fold."""
    examples, row = pool.examples, pool.moments.row[pool.examples.moment]
    fold = pool.fold[row]
    size = pool.moments.volatility[examples.moment] * np.sqrt(examples.ahead)
    chosen, said = [], []
    for number in range(settings.folds):
        rng = np.random.default_rng((settings.seed, number))
        inside, outside = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        if not len(inside) or not len(outside):
            continue
        drawn = _draw(pool, row, size, outside, settings.draws, rng)
        read = boosting.inputs_of(pool.moments, examples.moment[drawn], examples.ahead[drawn])
        model = Booster(seed=settings.seed + number, iterations=settings.iterations)
        model.fit(read.matrix, (examples.actual[drawn] - read.base) / read.scale)
        held = np.unique(_draw(pool, row, size, inside, settings.draws // settings.folds, rng))
        asked = boosting.inputs_of(pool.moments, examples.moment[held], examples.ahead[held])
        said.append(np.clip(asked.base + model.predict(asked.matrix) * asked.scale, 0.0, asked.top))
        chosen.append(held)
        stack.boosters.append(model)
    index = np.concatenate(chosen)
    inputs = boosting.inputs_of(pool.moments, examples.moment[index], examples.ahead[index])
    others = pool.others(examples.moment[index], examples.ahead[index])
    members = np.column_stack([inputs.base, np.concatenate(said), others])
    return _Unseen(inputs, members, examples.actual[index], fold[index], pool.group[row[index]])


def _draw(
    pool: Pool, row: IntArray, size: FloatArray, among: IntArray, draws: int, rng: np.random.Generator
) -> IntArray:
    """Examples drawn with replacement by ``drawing_weights``, never more than there are."""
    weights = boosting.drawing_weights(pool.group[row[among]], pool.medium[row[among]], size[among])
    result: IntArray = among[rng.choice(len(among), min(draws, len(among)), p=weights)]
    return result


def best_weights(members: FloatArray, actual: FloatArray, scale: FloatArray) -> FloatArray:
    """Convex weights (M,) of the members (C, M) with the least mean |error| / scale, on a grid of ``STEPS`` parts.

    Of weights that are as good the evenest: a departure from equal weights must pay (``EQUAL``).
    """
    n = members.shape[1]
    grid = _simplex(n)
    away = (members - actual[:, None]) / scale[:, None]
    loss = np.array([np.abs(away @ weight).mean() for weight in grid])
    departure = np.abs(grid - 1.0 / n).sum(axis=1) / 2.0
    result: FloatArray = grid[int(np.argmin(loss * (1.0 + EQUAL * departure)))]
    return result


def _simplex(n: int) -> FloatArray:
    """All weights of n members that are multiples of 1 / ``STEPS`` and sum to 1."""
    if n == 1:
        return np.ones((1, 1))
    parts = np.stack(np.meshgrid(*[np.arange(STEPS + 1)] * (n - 1), indexing="ij"), axis=-1).reshape(-1, n - 1)
    parts = parts[parts.sum(axis=1) <= STEPS]
    return np.column_stack([parts, STEPS - parts.sum(axis=1)]) / STEPS


def _learn_spread(stack: Stack, unseen: _Unseen, missed: FloatArray, settings: Settings) -> None:
    """Models of the expected size of an error, each without a fold, and the errors scaled by them."""
    size = np.log(np.abs(missed) / unseen.inputs.scale + QUIET)
    expected = np.zeros(len(missed))
    for number in np.unique(unseen.fold):
        outside = unseen.fold != number
        model = Booster(seed=settings.seed, iterations=40, leaves=6, loss="squared_error")
        model.fit(unseen.inputs.matrix[outside], size[outside])
        expected[~outside] = model.predict(unseen.inputs.matrix[~outside])
        stack.spreads.append(model)
    stack.errors = scaled_errors(
        missed / (unseen.inputs.scale * np.exp(expected)),
        regime_of(unseen.inputs),
        unseen.group,
        n_groups=N_REGIMES,
        prior_clusters=settings.prior_groups,
        borrowed=settings.borrowed,
    )
