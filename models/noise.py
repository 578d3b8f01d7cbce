"""What errors of measurement alone would do to ranks: adopters whose true levels do not move, read twice with error.

Belongs here: the null in which nothing but errors moves ranks, its errors drawn from revisions. Does not: reliability and what is
corrected for it (`reliability`), which figures are of one medium (the warehouse).

How figures err is what later vintages mended, and as that is: many are not revised at all and a few by much, which moves ranks
less than normal errors of the same variance would. In each draw the revisions d of a year are weighted at random, as other
samples of as many might have been (the Bayesian bootstrap: Rubin 1981), each to either side alike, so that what is not known of
errors from few of them is part of the range. The true level of an adopter read at y is y − d, drawn with a chance in proportion
to the weight of d times the normal density of the true level. Its variance is what errors leave of the variance of levels,
Σ w d² (n − 3)/(n − 1) being theirs as in reliability. The late reading is that level, brought to the variance of the late year,
and an error drawn from the late year's revisions by weights of their own. Taken for granted: errors of the two years know nothing
of each other, and true levels are normal.

In 2,000 simulated panels of each of 36 kinds, in a quarter of which one figure in four errs, τ-b lay within its null in 92.7 to
95.3 % where 60 or 200 revisions tell the errors, and in 91.2 to 94.8 % where 30 do; the share of the top that stays in 96.1 to
98.6 %. Where one figure in a hundred errs, few revisions tell of it: τ-b lay within its null in 42.6 to 90.3 %, and that share
in 64.9 to 97.3 % (`tests/study/results/reliability.json`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numba
import numpy as np
from longwave.models.ranks import FloatArray, retention, weighted_tau_b
from longwave.models.reliability import LEAST_LEVELS
from numpy.typing import ArrayLike

LEAST_LEFT: Final = 0.01
"""Part of the variance of what was read that is left to true levels, whatever the revisions: draws need somewhere to be."""
TRIES: Final = 16
"""Proposals before a revision is drawn from its whole distribution."""


@dataclass(frozen=True)
class Null:
    """What errors alone make of ranks: mean and central 95 % of τ-b and of the share of the top that stays."""

    tau: tuple[float, float, float]
    retention: tuple[float, float, float]


def noise_alone(
    levels: tuple[ArrayLike, ArrayLike], revisions: tuple[ArrayLike, ArrayLike], *, top_n: int, draws: int, seed: int
) -> Null:
    """What is left of ranks when nothing but errors moves them.

    Args:
        levels: log odds of the same adopters (n,), of four at least, as read at the early and the late year.
        revisions: what was changed of figures of either year (m,), (m',), in log odds.
        top_n: for the share of the top that stays.
        draws: of true levels and errors.
        seed: of the draws.

    Raises:
        ValueError: levels of fewer than four adopters or of different ones, or a year without a revision.

    """
    read, other = (np.asarray(values, dtype=np.float64) for values in levels)
    first, second = (np.asarray(values, dtype=np.float64) for values in revisions)
    if len(read) < LEAST_LEVELS or len(read) != len(other) or not (len(first) and len(second)):
        raise ValueError(
            f"{len(read)} and {len(other)} levels, {len(first)} and {len(second)} revisions: of as many adopters, four at least, "
            "and one revision of each year"
        )
    late = read_again(read, float(other.var(ddof=1)), (first, second), draws, np.random.default_rng(seed))
    taus = np.array([float(weighted_tau_b(read, each)[0]) for each in late])
    stays = np.array([retention(read, each, top_n) for each in late])
    return Null(_range(taus), _range(stays))


def read_again(
    read: FloatArray, spread: float, revisions: tuple[FloatArray, FloatArray], draws: int, rng: np.random.Generator
) -> FloatArray:
    """Late readings (draws, n) of adopters read at `read` whose true levels have not moved; ``spread``: variance of late ones."""
    n = len(read)
    around, early = read - read.mean(), float(read.var(ddof=1))
    # As much smaller as reliability has their variance.
    first, second = (np.sqrt((n - 3) / (n - 1)) * mended for mended in revisions)
    (running, left), (late_running, late_left) = (
        _weighted(first, early, draws, rng),
        _weighted(second, spread, draws, rng),
    )
    errors = np.empty((draws, n))
    _errors_given(around, first, running, left, rng, TRIES, errors)
    true = (around - errors) * np.sqrt(late_left / left)[:, None]
    result: FloatArray = true + second[_drawn(late_running, n, rng)] * rng.choice([-1.0, 1.0], size=(draws, n))
    return result


def _weighted(
    mended: FloatArray, variance: float, draws: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Running weights (draws, m) of revisions, the last 1, and the variance (draws,) that these errors leave to true levels."""
    weights = rng.dirichlet(np.ones(len(mended)), draws)
    left = np.maximum(variance - weights @ mended**2, LEAST_LEFT * variance)
    running = np.cumsum(weights, axis=1)
    running[:, -1] = 1.0
    return running, left


def _drawn(running: FloatArray, n: int, rng: np.random.Generator) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Which revision (draws, n), by running weights (draws, m)."""
    return np.stack([np.searchsorted(each, rng.random(n), side="right") for each in running])


@numba.njit(cache=True, nogil=True)
def _errors_given(
    around: FloatArray,
    mended: FloatArray,
    running: FloatArray,
    left: FloatArray,
    rng: np.random.Generator,
    tries: int,
    out: FloatArray,
) -> None:
    """Fill errors (draws, n) of readings (n,) about their mean: revisions (m,), either way, by weight and density.

    Rejection from the weights, as no error makes a level likelier than the one that brings it nearest the mean; after a number of
    tries from the whole distribution, which does not change what is drawn.
    """
    n, m = len(around), len(mended)
    nearest = np.empty(n)
    for i in range(n):
        nearest[i] = np.inf
        for j in range(m):
            gap = abs(around[i]) - abs(mended[j])
            nearest[i] = min(nearest[i], gap * gap)
    chance = np.empty(2 * m)
    for d in range(len(left)):
        scale = -0.5 / left[d]
        for i in range(n):
            found = False
            for _ in range(tries):
                j = int(np.searchsorted(running[d], rng.random(), side="right"))
                error = mended[j] if rng.random() < 0.5 else -mended[j]
                gap = around[i] - error
                if rng.random() < np.exp(scale * (gap * gap - nearest[i])):
                    out[d, i] = error
                    found = True
                    break
            if found:
                continue
            total = 0.0
            for j in range(m):
                weight = running[d, j] - (running[d, j - 1] if j else 0.0)
                for sign in range(2):
                    gap = around[i] + mended[j] if sign else around[i] - mended[j]
                    total += weight * np.exp(scale * (gap * gap - nearest[i]))
                    chance[2 * j + sign] = total
            at = min(int(np.searchsorted(chance, rng.random() * total, side="right")), 2 * m - 1)
            out[d, i] = -mended[at // 2] if at % 2 else mended[at // 2]


def _range(values: FloatArray) -> tuple[float, float, float]:
    low, high = np.quantile(values, [0.025, 0.975])
    return float(values.mean()), float(low), float(high)
