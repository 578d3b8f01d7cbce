"""What the residuals of a fitted curve say of its errors, taken for a stationary first-order autoregression.

Belongs here: how likely an autocorrelation and a spread are, and errors drawn from them. Not here: the fits (``curves``),
intervals (``curve_intervals``).

Residuals of a fit are less autocorrelated than the errors, and smaller, because the curve follows the errors: an
estimate from the residuals alone is too low by about (1 + 3ρ)/n, and more for every parameter (Marriott & Pope 1954).
The restricted likelihood (Harville 1974) is that of what no change of the curve could have made of the residuals, and
nearly free of that bias in regressions with such errors (Cheang & Reinsel 2000). Here it is taken at the fitted curve,
as if that were linear in its parameters, with the reference prior of Berger, De Oliveira & Sansó (2001), 1/σ² times
{tr W² − (tr W)²/(n − k)}^(1/2) with W = dV/dρ P, whose intervals come close to the coverage they state.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TypeVar

import numpy as np
from longwave.models.curve_shapes import Floats
from longwave.models.curve_solver import Booleans

RHOS = np.linspace(-0.94, 0.98, 49)
SINGULAR = 1e-9
CUT = 2.0  # standard deviations of the errors
# Series of one set have few patterns of ages, so what follows from ages alone is kept. It is 49 matrices of points by points,
# up to three times: at 60 points 4 MB a pattern, 140 MB in all; of longer series, which are rare, nothing is kept.
PATTERNS, POINTS = 32, 60
Made = TypeVar("Made")


class ErrorModel:
    """What residuals of fits with the same slopes at the same ages say of the errors behind them.

    Args:
        slopes: (points, parameters) of the fitted curve by its parameters, in any units.
        at: (points,) increasing ages.
        step: how far apart errors are whose correlation is one of ``RHOS``, years; the median distance of ``at`` where it
            is not given. Where errors are drawn at more ages than residuals are known of, it is one step for both.

    """

    def __init__(self, slopes: Floats, at: Floats, step: float | None = None) -> None:
        self.at, self.basis = at, _basis(slopes)
        self.step = float(np.median(np.diff(at))) if step is None else step
        self.freedom = max(len(at) - self.basis.shape[1], 1)
        self.precision, moved, log_det = _correlations(tuple((at / self.step).tolist()))
        self.weighted = self.precision @ self.basis
        gram = np.einsum("ji,kjl->kil", self.basis, self.weighted)
        self.inverse = np.linalg.inv(gram)
        information = _information(moved, self.basis, self.weighted, self.inverse, self.freedom)
        self.prior = 0.5 * (np.log(information) - log_det - np.linalg.slogdet(gram)[1])

    def posterior(self, residuals: Floats) -> tuple[Floats, Floats]:
        """Of residuals (series, points): how likely is each of ``RHOS``, and r'Pr, (series, len(RHOS)) both.

        Given ρ, σ² is r'Pr over a χ² of ``freedom``. P is free of what the parameters could have changed, so residuals
        may be of any curve in reach.
        """
        i = np.arange(len(self.at) - 1)
        power = residuals**2 @ np.diagonal(self.precision, axis1=1, axis2=2).T
        power += 2 * (residuals[:, 1:] * residuals[:, :-1]) @ self.precision[:, i, i + 1].T
        across = np.einsum("kij,bi->bkj", self.weighted, residuals, optimize=True)
        power -= np.einsum("bki,kij,bkj->bk", across, self.inverse, across, optimize=True)
        power = np.maximum(power, 1e-300)
        log = self.prior - 0.5 * self.freedom * np.log(power)
        likely = np.exp(log - log.max(axis=1, keepdims=True))
        return likely / likely.sum(axis=1, keepdims=True), power

    def draw(self, likely: Floats, power: Floats, at: Floats, rng: np.random.Generator, replicates: int) -> Floats:
        """Errors (replicates, points) at ages ``at``; autocorrelation and spread drawn anew each time, (len(RHOS),) both."""
        drawn = rng.choice(len(RHOS), replicates, p=likely)
        spread = np.sqrt(power[drawn] / rng.chisquare(self.freedom, replicates))
        errors = rng.standard_normal((replicates, len(at)))
        kept = _kept(at / self.step)[drawn]
        for j in range(1, len(at)):
            errors[:, j] = kept[:, j - 1] * errors[:, j - 1] + np.sqrt(1 - kept[:, j - 1] ** 2) * errors[:, j]
        return np.asarray(errors * spread[:, None])

    def nominal(self, errors: Floats, told: Booleans, weights: Floats, at: Floats, level: float) -> Floats:
        """Level (quantities,) at which an interval has to be taken so as to hold in ``level`` of drawn cases.

        An interval from such draws leaves out that errors and what their residuals say of them go together, and that the
        autocorrelation comes from few residuals. So every case gets, for an estimate that is linear in its errors, the
        probability that its own interval gives to being farther off; where it is evenly spread, nothing changes
        (prepivoting: Beran 1987; Hall & Martin 1988).

        Args:
            errors: (cases, points), drawn at ages ``at``.
            told: (points,) which of them are those of the model.
            weights: (points, quantities) of the errors in the estimate of a quantity.
            at: (points,) ages.
            level: asked for.

        """
        likely, power = self.posterior(errors[:, told])
        together = between(tuple((at / self.step).tolist()))
        scale = np.sqrt(np.maximum(np.einsum("iq,kij,jq->kq", weights, together, weights, optimize=True), 0.0))
        off = np.abs(errors @ weights)
        spread = np.sqrt(power / self.freedom)
        points, tails = _two_tails(self.freedom)
        level_of = np.full(weights.shape[1], level)
        for q in np.flatnonzero(scale.max(axis=0) > 0):
            beyond = np.interp(off[:, q, None] / (spread * scale[:, q]), points, tails)
            farther = np.sort(np.einsum("bk,bk->b", likely, beyond))
            level_of[q] = 1 - farther[int(np.ceil((1 - level) * len(errors))) - 1]
        return level_of


def _by_pattern(made: Callable[[tuple[float, ...]], Made]) -> Callable[[tuple[float, ...]], Made]:
    """Keep what is made of the last ``PATTERNS`` patterns of ages with up to ``POINTS`` points."""
    kept = lru_cache(maxsize=PATTERNS)(made)

    @wraps(made)
    def of(ages: tuple[float, ...]) -> Made:
        return kept(ages) if len(ages) <= POINTS else made(ages)

    return of


@lru_cache(maxsize=PATTERNS)  # 29 kB each
def _two_tails(freedom: int) -> tuple[Floats, Floats]:
    """Points and the probability that |t| of Student's distribution lies beyond them."""
    from scipy.special import stdtr  # slow to import, and asked for here alone

    points = np.concatenate([np.linspace(0.0, 8.0, 1601), np.geomspace(8.1, 1e3, 200)])
    return points, 2 * stdtr(freedom, -points)


def independent_variance(residual: Floats, slopes: Floats) -> tuple[float, int]:
    """Variance of errors that are independent, and its degrees of freedom, points less parameters (at least 1)."""
    basis = _basis(slopes)
    freedom = max(len(residual) - basis.shape[1], 1)
    off = residual - basis @ (basis.T @ residual)
    return float(off @ off) / freedom, freedom


def uncut(fitted: Floats, levels: Floats, parameters: int, ceiling: float | None) -> Booleans:
    """Points (points,) whose errors can be told: a level is never below 0 nor above a stated ceiling.

    Where the fitted level lies within two standard deviations of either, errors to that side may have been cut off; what is
    left of them is too small. All points where fewer than two for each parameter would remain.
    """
    spread = np.sqrt(((levels - fitted) ** 2).sum() / max(len(fitted) - parameters, 1))
    free = fitted > CUT * spread
    if ceiling is not None:
        free &= fitted < ceiling - CUT * spread
    return np.asarray(free if free.sum() > 2 * parameters else np.ones(len(fitted), dtype=np.bool_))


def _basis(slopes: Floats) -> Floats:
    """Orthonormal columns that span what the parameters can change; one that changes nothing counts for none."""
    norms = np.linalg.norm(slopes, axis=0)
    left, size, _ = np.linalg.svd(slopes / np.where(norms > 0, norms, 1.0), full_matrices=False)
    return np.asarray(left[:, size > SINGULAR])


def _kept(at: Floats) -> Floats:
    """Correlation of each error with the one before, (len(RHOS), points − 1), ages in steps; a whole distance keeps the sign."""
    distance = np.diff(at)
    return np.asarray(np.sign(RHOS[:, None]) ** np.rint(distance) * np.abs(RHOS[:, None]) ** distance)


@_by_pattern
def between(ages: tuple[float, ...]) -> Floats:
    """Correlations of errors at any two ages, in steps, (len(RHOS), points, points)."""
    at = np.array(ages)
    distance = np.abs(np.subtract.outer(at, at))
    rho = RHOS[:, None, None]
    return np.asarray(np.sign(rho) ** np.rint(distance) * np.abs(rho) ** distance)


@_by_pattern
def _correlations(ages: tuple[float, ...]) -> tuple[Floats, Floats, Floats]:
    """Of the correlations V of errors at some ages, in steps, by autocorrelation: V⁻¹, dV/dρ V⁻¹, and log det V.

    e_1 and (e_j − κ_j e_{j−1}) / √(1 − κ_j²) are independent, κ_j what is left of the error before.
    """
    at, n = np.array(ages), len(ages)
    kept = _kept(at)
    fresh = 1 - kept**2
    precision = np.zeros((len(RHOS), n, n))
    i = np.arange(n - 1)
    precision[:, 0, 0] = 1.0
    precision[:, i + 1, i + 1] += 1 / fresh
    precision[:, i, i] += kept**2 / fresh
    precision[:, i, i + 1] = precision[:, i + 1, i] = -kept / fresh
    distance = np.abs(np.subtract.outer(at, at))
    less = np.where(distance > 0, distance - 1.0, 0.0)  # also below one step, where the slope at ρ near 0 is steep
    slope = distance * np.abs(RHOS[:, None, None]) ** less * np.sign(RHOS[:, None, None]) ** (np.rint(distance) + 1)
    return precision, slope @ precision, np.log(fresh).sum(axis=1)


def _information(moved: Floats, basis: Floats, weighted: Floats, inverse: Floats, freedom: int) -> Floats:
    """tr(W²) − tr(W)²/(n − k) by autocorrelation, W = dV/dρ P: twice Fisher's information once curve and σ are gone."""
    through = moved @ basis
    once = inverse @ np.einsum("kia,kib->kab", weighted, through)
    twice = inverse @ np.einsum("kia,kij,kjb->kab", weighted, moved, through, optimize=True)
    trace = np.trace(moved, axis1=1, axis2=2) - np.trace(once, axis1=1, axis2=2)
    square = np.einsum("kij,kji->k", moved, moved) - 2 * np.trace(twice, axis1=1, axis2=2)
    square += np.einsum("kab,kba->k", once, once)
    return np.asarray(np.maximum(square - trace**2 / freedom, 1e-300))
