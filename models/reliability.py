"""How far ranks can be trusted: what errors of measurement alone would do to them, and what remains without.

Belongs here: arithmetic on levels and on how figures were revised between vintages. Does not: which figures are of one medium
(the warehouse), persistence itself (`persistence`).

A figure errs as later vintages mend it: σ is the root mean square of what changed from the oldest vintage that gives one to the
newest, on the logit scale of shares. What no vintage has mended is not in it; the newest, which is read, may err as much or less.

Reliability is the part of the variance between adopters that is no error, r = 1 − σ²/s² (Spearman 1904). A rank correlation
without error: τ to ρ = sin(πτ/2) (Greiner 1909), over √(r r'), and back (corrected for attenuation: Spearman 1904). The null in
which nothing but error moves ranks: an adopter's true level given what was read is normal about its mean drawn in by r, with
variance r(1 − r) s²; both readings are that level with their own errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from longwave.models.ranks import FloatArray, retention, top_membership, weighted_tau_b
from numpy.typing import ArrayLike

LEAST_REVISIONS: Final = 30
"""Figures given by two vintages under which nothing is said of errors."""
MOST: Final = 99.95
"""Shares are kept this far from 0 and 100, as they are rounded to a tenth of a point."""
DEPTH: Final = 0.9


@dataclass(frozen=True)
class Null:
    """What errors alone make of ranks: mean and central range of τ-b and of the share of the top that stays."""

    tau: tuple[float, float, float]
    retention: tuple[float, float, float]


def logit(shares: ArrayLike) -> FloatArray:
    """Log odds of shares in percent, those at the ends kept half a tenth of a point away from them."""
    part = np.clip(np.asarray(shares, dtype=np.float64), 100.0 - MOST, MOST) / 100.0
    odds: FloatArray = np.log(part / (1.0 - part))
    return odds


def revision_sd(earlier: ArrayLike, later: ArrayLike) -> float:
    """Root mean square of revisions (m,) of shares in percent, in log odds; NaN under thirty figures."""
    moved = logit(later) - logit(earlier)
    return float(np.sqrt((moved**2).mean())) if len(moved) >= LEAST_REVISIONS else float("nan")


def reliability(shares: ArrayLike, sd: float) -> float:
    """Part of the variance of the log odds of shares (n,) that errors of this standard deviation leave, 0 to 1."""
    spread = float(logit(shares).var(ddof=1))
    return max(1.0 - sd**2 / spread, 0.0) if spread > 0.0 else 0.0


def told_apart(shares: ArrayLike, sd: float) -> float:
    """Share of pairs of adopters whose gap is over two revision standard deviations."""
    levels = logit(shares)
    first, second = np.triu_indices(len(levels), 1)
    return float((np.abs(levels[first] - levels[second]) > 2.0 * sd).mean())


def corrected(tau: float, first: float, second: float) -> float:
    """τ-b without errors of measurement, from two reliabilities over 0; ±1 where that is more than there can be."""
    rho = np.sin(np.pi / 2.0 * tau) / np.sqrt(first * second)
    return float(2.0 / np.pi * np.arcsin(np.clip(rho, -1.0, 1.0)))


def noise_alone(shares: ArrayLike, first: float, second: float, *, top_n: int, draws: int, seed: int) -> Null:
    """What is left of ranks when nothing but errors moves them.

    Args:
        shares: (n,), in percent, at the early year.
        first: reliability of these, over 0.
        second: reliability at the late year, over 0.
        top_n: for the share of the top that stays.
        draws: of true levels and errors.
        seed: of the draws.

    """
    read = logit(shares)
    mean, variance = read.mean(), read.var(ddof=1)
    rng = np.random.default_rng(seed)
    known = mean + first * (read - mean)
    true = known + np.sqrt(first * (1.0 - first) * variance) * rng.standard_normal((draws, len(read)))
    # Of the late readings the same part is error as of those that were made.
    late = true + np.sqrt(first * variance * (1.0 - second) / second) * rng.standard_normal(true.shape)
    taus = np.array([float(weighted_tau_b(read, each)[0]) for each in late])
    stays = np.array([retention(read, each, top_n) for each in late])
    return Null(_range(taus), _range(stays))


def _range(values: FloatArray) -> tuple[float, float, float]:
    low, high = np.quantile(values, [0.025, 0.975])
    return float(values.mean()), float(low), float(high)


def overlap(early: ArrayLike, late: ArrayLike, depth: float = DEPTH) -> float:
    """Rank-biased overlap of two orders, extrapolated (Webber, Moffat & Zobel 2010, equation 32), 0 to 1.

    Those tied at an edge belong to its top in part.

    Args:
        early: (n,) levels, the largest first in rank; NaN not there.
        late: (n,) the same adopters.
        depth: p: each rank counts p times the one above it, so that 0.9 gives the first ten 86 % of the weight.

    """
    x, y = (np.asarray(values, dtype=np.float64) for values in (early, late))
    most = int(min(np.isfinite(x).sum(), np.isfinite(y).sum()))
    shared = np.array([(top_membership(x, d) * top_membership(y, d)).sum() / d for d in range(1, most + 1)])
    weights = depth ** np.arange(1, most + 1)
    return float(shared[-1] * depth**most + (1.0 - depth) / depth * (shared @ weights))
