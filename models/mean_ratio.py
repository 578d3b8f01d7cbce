"""Ratios of expected counts that may be negative: estimating equations, errors that know of clusters.

Belongs here: E[y | x] = exp(x'θ) for a signed y (a net gain), solved without a logarithm of y, and what a cluster left out
changes. Does not: adopters, which covariates are held constant, words.

A mean model needs no distribution: where the mean is right, Σ x (y − μ) μ^(1 − p) / scale = 0 at the true θ whatever the
spread (Wedderburn 1974; Gourieroux, Monfort & Trognon 1984), and y may be 0 or below. Three ways to weigh:

- ``constant_cv`` (p = 2): Σ x (y/μ − 1) = 0. An error that grows with the mean, as counts of attention have: each adopter
  weighs the same whatever its size. The primary one.
- ``poisson`` (p = 1): Σ x (y − μ) = 0 (Santos Silva & Tenreyro 2006): the largest weigh most.
- ``bounded``: Σ x tanh(y/μ − 1) = 0: no adopter can weigh more than any other. Consistent for slopes only where errors
  multiply the mean and do not depend on x (the constant takes up what bounding does); a check on the other two.
- ``linear``: Σ x (y − x'θ) = 0, plain least squares, for outcomes that are differences or logarithms already.

Standard errors are the delete-one-cluster jackknife in one step (CR3: MacKinnon, Nielsen & Webb 2023), with Student's t at the
effective number of clusters (Satterthwaite; Carter, Schnepel & Steigerwald 2017): unequal clusters make fewer of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

WEIGHTS: Final = ("constant_cv", "poisson", "bounded", "linear")
_STEPS: Final = 200
_TOLERANCE: Final = 1e-9
_FURTHEST: Final = 30.0


@dataclass(frozen=True)
class RatioFit:
    """A solved mean model.

    Args:
        theta: coefficients (p,), on the log scale.
        change: what leaving each cluster out would take from them (G, p).
        share: how much of the first coefficient's variance each cluster would carry, were all adopters alike (G,).
        status: ``solved``, or why there is no solution.

    """

    theta: FloatArray
    change: FloatArray
    share: FloatArray
    status: str

    @property
    def clusters(self) -> int:
        """Number of clusters."""
        return len(self.change)

    @property
    def effective_clusters(self) -> float:
        """Satterthwaite's number for the first coefficient: (Σ s)² / Σ s²."""
        return float(self.share.sum() ** 2 / (self.share**2).sum()) if len(self.share) else np.nan

    @property
    def error(self) -> float:
        """Jackknife standard error of the first coefficient."""
        size = self.clusters
        return float(np.sqrt((size - 1) / size * (self.change[:, 0] ** 2).sum())) if size > 1 else np.nan

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Interval of the first coefficient; NaN where nothing was solved."""
        freedom = max(self.effective_clusters - 1.0, 1.0)
        reach = float(stats.t.ppf(0.5 + level / 2.0, freedom)) * self.error
        return float(self.theta[0]) - reach, float(self.theta[0]) + reach


def fit_ratio(y: FloatArray, x: FloatArray, cluster: IntArray, *, weights: str = "constant_cv") -> RatioFit:
    """Solve E[y | x] = exp(x'θ), or x'θ where ``weights`` is ``linear``.

    Args:
        y: signed outcomes (n,).
        x: design (n, p), of full rank, with the constant or the groups' columns in it; the first is the one asked about.
        cluster: codes (n,) of what errors are correlated within.
        weights: one of ``WEIGHTS``.

    Raises:
        ValueError: lengths differ, a value is not finite, or the weights are unknown.

    No solution is a status: the mean is not over 0, or a group's is not, or some lose many times what the mean lets expect (in
    the world of reading errors alone 3 panels of 1,000, `tests/study/results/authority_premium.json`).

    """
    if weights not in WEIGHTS:
        raise ValueError(f"weights {weights!r} are none of {', '.join(WEIGHTS)}")
    if x.ndim != 2 or y.shape != (len(x),) or cluster.shape != y.shape:
        raise ValueError(f"y {y.shape}, x {x.shape} and cluster {cluster.shape} do not fit together")
    if not (np.isfinite(y).all() and np.isfinite(x).all()):
        raise ValueError("y and x must be finite: leave missing values out first")
    scale = 1.0 if weights == "linear" else float(y.mean())
    if scale <= 0.0:
        return _unsolved(x.shape[1], "the mean outcome is not over 0: a ratio of means says nothing")
    scaled = y / scale
    theta, settled = _solve(scaled, x, "constant_cv" if weights == "bounded" else weights, None)
    if settled and weights == "bounded":
        theta, settled = _solve(scaled, x, weights, theta)
    if not settled:
        return _unsolved(
            x.shape[1],
            "no solution: losses outweigh what a mean over 0 allows, on the whole of a group or for some adopters",
        )
    change, share = _left_out(scaled, x, cluster, theta, weights)
    return RatioFit(theta, change, share, "solved")


def _unsolved(p: int, why: str) -> RatioFit:
    return RatioFit(np.full(p, np.nan), np.empty((0, p)), np.empty(0), why)


def _pieces(y: FloatArray, x: FloatArray, theta: FloatArray, weights: str) -> tuple[FloatArray, FloatArray, float]:
    """Residual of each equation (n,), its slope along the linear predictor, negated (n,), and what a step must lower."""
    if weights == "linear":
        gap = y - x @ theta
        return gap, np.ones(len(y)), float((gap**2).sum() / 2.0)
    along = np.clip(x @ theta, -_FURTHEST, _FURTHEST)
    mean = np.exp(along)
    if weights == "poisson":
        return y - mean, mean, float((mean - y * along).sum())
    ratio = y / mean
    if weights == "constant_cv":
        return ratio - 1.0, ratio, float((ratio + along).sum())
    bounded = np.tanh(ratio - 1.0)
    return bounded, (1.0 - bounded**2) * ratio, float(np.abs(x.T @ bounded).sum())


def _solve(y: FloatArray, x: FloatArray, weights: str, start: FloatArray | None) -> tuple[FloatArray, bool]:
    """Damped Newton steps on the equations; the expected slope stands in where the observed one is not positive."""
    theta = np.zeros(x.shape[1]) if start is None else start
    residual, slope, worth = _pieces(y, x, theta, weights)
    for _ in range(_STEPS):
        score = x.T @ residual
        if np.abs(score).max() <= _TOLERANCE * len(y):
            return theta, weights == "linear" or bool(np.abs(x @ theta).max() < _FURTHEST)
        step = _direction(x, slope, score)
        if weights != "linear":
            # No adopter's mean moves by more than e² in a step.
            step = step / max(1.0, float(np.abs(x @ step).max()) / 2.0)
        for halving in range(25):
            tried = theta + step * 0.5**halving
            residual, slope, fresh = _pieces(y, x, tried, weights)
            if fresh < worth + 1e-12 * len(y):
                break
        else:
            return theta, False
        theta, worth = tried, fresh
    return theta, False


def _direction(x: FloatArray, slope: FloatArray, score: FloatArray) -> FloatArray:
    """Newton's direction."""
    matrix = (x * slope[:, None]).T @ x
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        matrix = x.T @ x
    return np.asarray(np.linalg.solve(matrix + 1e-12 * np.eye(len(score)) * np.trace(matrix) / len(score), score))


def _left_out(
    y: FloatArray, x: FloatArray, cluster: IntArray, theta: FloatArray, weights: str
) -> tuple[FloatArray, FloatArray]:
    """What each cluster adds to the coefficients, in one Newton step (G, p), and its share of the first one's variance."""
    residual, slope, _ = _pieces(y, x, theta, weights)
    names, at = np.unique(cluster, return_inverse=True)
    p, size = x.shape[1], len(names)
    scores, curved, plain = np.zeros((size, p)), np.zeros((size, p, p)), np.zeros((size, p, p))
    order = np.argsort(at, kind="stable")
    edges = np.searchsorted(at[order], np.arange(size + 1))
    for g in range(size):
        own = order[edges[g] : edges[g + 1]]
        rows = x[own]
        scores[g] = rows.T @ residual[own]
        curved[g] = (rows * slope[own, None]).T @ rows
        plain[g] = rows.T @ rows
    matrix = curved.sum(axis=0)
    # A column that only this cluster fills has no equation left: the ridge keeps it where it is.
    ridge = 1e-8 * np.eye(p) * np.trace(matrix) / p
    change = np.linalg.solve(matrix[None] - curved + ridge, scores[:, :, None])[:, :, 0]
    first = np.linalg.solve(plain.sum(axis=0) + ridge, np.eye(p)[0])
    share = np.einsum("i,gij,j->g", first, plain, first)
    return change, share
