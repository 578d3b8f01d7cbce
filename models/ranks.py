"""Rank arithmetic: authority as a percentile, Kendall's τ-b under weights, its partial forms, who stays in the top n.

Belongs here: functions on arrays of levels. Does not: adopters, deaths, intervals (``persistence``).

Kendall's τ-b of resamples is a ratio of pair sums, Σ c_i c_j s_x s_y / √(Σ c_i c_j |s_x| · Σ c_i c_j |s_y|),
with s the signs of the differences and c how often each adopter was drawn. A pair of an adopter with its own
copy differs in nothing, is tied in both, and adds nothing to any of the sums: leaving such pairs out, as is
done here, gives exactly the τ-b of the resample with its copies.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

FloatArray = NDArray[np.float64]

MAX_ADOPTERS: Final = 5000


def authority(values: ArrayLike) -> FloatArray:
    """Mid-rank percentile (0–100) of each level (n,) among those present; NaN stays NaN, ties share."""
    levels = np.asarray(values, dtype=np.float64)
    seen = np.isfinite(levels)
    result = np.full(levels.shape, np.nan)
    if seen.any():
        result[seen] = 100.0 * (stats.rankdata(levels[seen]) - 0.5) / seen.sum()
    return result


def weighted_tau_b(x: ArrayLike, y: ArrayLike, counts: ArrayLike | None = None) -> FloatArray:
    """Kendall's τ-b (Kendall 1945) of x and y (n,), each adopter taken ``counts`` (B, n) times: (B,).

    Without counts: once each, (1,), equal to ``scipy.stats.kendalltau``. NaN where one side is all ties.
    Raises ValueError for lengths that differ, values that are not finite, or n over 5,000 (the memory grows
    as n²).
    """
    first, second = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"x {first.shape} and y {second.shape} must be one-dimensional and of one length")
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("x and y must be finite: leave missing values out first")
    if len(first) > MAX_ADOPTERS:
        raise ValueError(f"{len(first)} adopters are over {MAX_ADOPTERS}: the pairs would not fit in memory")
    weights = np.ones((1, len(first))) if counts is None else np.asarray(counts, dtype=np.float64)
    return tau(signs(first), signs(second), weights)


def signs(values: FloatArray) -> FloatArray:
    """Signs (n, n) of all differences."""
    return np.sign(values[:, None] - values[None, :])


def tau(signs_x: FloatArray, signs_y: FloatArray, counts: FloatArray) -> FloatArray:
    """τ-b (B,) from matrices of signs (n, n) and counts (B, n)."""
    agree = pair_sum(signs_x * signs_y, counts)
    untied_x, untied_y = pair_sum(np.abs(signs_x), counts), pair_sum(np.abs(signs_y), counts)
    known = (untied_x > 0) & (untied_y > 0)
    scale = np.sqrt(np.where(known, untied_x, 1.0))
    ratio = agree / scale / np.sqrt(np.where(known, untied_y, 1.0))
    return np.where(known, np.clip(ratio, -1.0, 1.0), np.nan)


def pair_sum(matrix: FloatArray, counts: FloatArray) -> FloatArray:
    """Σ_{i<j} c_i c_j m_ij for symmetric ``matrix`` (n, n) with a zero diagonal and counts (B, n): (B,)."""
    total: FloatArray = ((counts @ matrix) * counts).sum(axis=1) / 2.0
    return total


def partial_tau_b(xy: ArrayLike, xz: ArrayLike, yz: ArrayLike) -> FloatArray:
    """Kendall's partial τ of x and y given z (Kendall 1942), from three τ-b of one shape.

    (τ_xy − τ_xz τ_yz) / √((1 − τ_xz²)(1 − τ_yz²)); NaN where z orders x or y completely. It is not zero when
    x and y are independent given z (Korn 1984): see ``partial_tau_if_z_alone`` and ``partial_tau_copula``.
    """
    a, b, c = (np.asarray(value, dtype=np.float64) for value in (xy, xz, yz))
    left = (1.0 - b**2) * (1.0 - c**2)
    known = left > 1e-12
    return np.where(known, (a - b * c) / np.sqrt(np.where(known, left, 1.0)), np.nan)


def partial_tau_copula(xy: ArrayLike, xz: ArrayLike, yz: ArrayLike) -> FloatArray:
    """Partial τ under a Gaussian copula: zero when x and y are independent given z.

    τ → ρ = sin(πτ/2) (Greiner 1909), the partial of the three ρ, clipped to ±1, and back. NaN as
    ``partial_tau_b``.
    """
    a, b, c = (np.sin(np.pi / 2.0 * np.asarray(value, dtype=np.float64)) for value in (xy, xz, yz))
    return np.asarray(2.0 / np.pi * np.arcsin(np.clip(partial_tau_b(a, b, c), -1.0, 1.0)))


def partial_tau_if_z_alone(xz: ArrayLike, yz: ArrayLike) -> FloatArray:
    """Kendall's partial τ to expect (Gaussian copula) when z alone makes x and y go together."""
    b, c = (np.sin(np.pi / 2.0 * np.asarray(value, dtype=np.float64)) for value in (xz, yz))
    return partial_tau_b(2.0 / np.pi * np.arcsin(b * c), xz, yz)


def top_membership(values: ArrayLike, n: int) -> FloatArray:
    """How much each level (m,) belongs to the n largest, 0–1; those tied at the edge share what is left.

    NaN is not present and belongs nowhere. Raises ValueError for n under 1 or over the number present.
    """
    levels = np.asarray(values, dtype=np.float64)
    present = np.isfinite(levels)
    if not 1 <= n <= present.sum():
        raise ValueError(f"the top {n} of {present.sum()} present cannot be drawn")
    cut = np.sort(levels[present])[-n]
    over, tied = present & (levels > cut), present & (levels == cut)
    return np.where(over, 1.0, np.where(tied, (n - over.sum()) / tied.sum(), 0.0))


def retention(y_k: ArrayLike, y_H: ArrayLike, n: int) -> float:
    """Share of the top n at k that is in the top n at H, 0–1; ties at the edge count in part.

    ``y_k``, ``y_H``: (m,), NaN where not present; who is not present at H is not in its top.
    """
    return float((top_membership(y_k, n) * top_membership(y_H, n)).sum() / n)


def displacement(y_H: ArrayLike, entered_by_k: ArrayLike, n: int) -> float:
    """Share of the top n at H that had not entered by k, 0–1.

    ``y_H``: (m,), NaN where not present; ``entered_by_k``: (m,) of 1, 0 or NaN (not known). Those not known
    are left out of both sides; NaN where that leaves none.
    """
    member, entered = top_membership(y_H, n), np.asarray(entered_by_k, dtype=np.float64)
    known = np.isfinite(entered)
    size = member[known].sum()
    return float((member[known] * (1.0 - entered[known])).sum() / size) if size > 0 else np.nan
