"""Kendall's τ-b of resamples of clusters: pair sums kept by pair of clusters, over all pairs or those within groups.

Belongs here: the sums, τ-b of every resample with what each cluster adds to it. Does not: intervals and readings
(`presence`), τ-b of single adopters (`ranks`).

A resample of clusters draws cluster g w_g times, and its sum over pairs is ½ Σ_gh w_g w_h M_gh, where M_gh sums over the
pairs of one observation in g and one in h: observations are compared once, and a resample costs G² instead of n².
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from longwave.models.rank_orders import Clusters, FloatArray, IntArray
from numpy.typing import ArrayLike
from scipy import stats

MAX_OBSERVATIONS = 20_000
_ROWS = 512


@dataclass(frozen=True)
class PairSums:
    """Sums (G, G) over pairs of observations by pair of clusters: signs multiplied, pairs untied in x, pairs untied in y."""

    agree: FloatArray
    untied_x: FloatArray
    untied_y: FloatArray


def pair_sums(x: ArrayLike, y: ArrayLike, clusters: Clusters, groups: IntArray | None = None) -> PairSums:
    """Pair sums of x and y (n,), over all pairs or only those within a group (codes (n,)).

    Raises:
        ValueError: over 20,000 observations (the time grows as n²).

    """
    # Ranks are whole numbers, so that half the memory holds their differences, and sums of signs, exactly.
    first, second = (stats.rankdata(values, "dense").astype(np.float32) for values in (x, y))
    if len(first) > MAX_OBSERVATIONS:
        raise ValueError(f"{len(first)} observations are over {MAX_OBSERVATIONS}: there are too many pairs")
    order = np.argsort(clusters.codes, kind="stable")
    first, second = first[order], second[order]
    within = None if groups is None else np.asarray(groups)[order]
    starts = np.searchsorted(clusters.codes[order], np.arange(clusters.count))
    whole = [np.zeros((clusters.count, clusters.count)) for _ in range(3)]
    for at in range(0, len(first), _ROWS):
        rows = slice(at, at + _ROWS)
        codes, firsts = np.unique(clusters.codes[order][rows], return_index=True)
        sign_x = np.sign(first[rows, None] - first[None, :])
        sign_y = np.sign(second[rows, None] - second[None, :])
        if within is not None:
            together = within[rows, None] == within[None, :]
            sign_x *= together
            sign_y *= together
        for total, matrix in zip(whole, (sign_x * sign_y, np.abs(sign_x), np.abs(sign_y)), strict=True):
            by_column = matrix if clusters.count == len(first) else np.add.reduceat(matrix, starts, axis=1)
            total[codes] += np.add.reduceat(by_column, firsts, axis=0)
    return PairSums(*whole)


def tau_b(sums: PairSums, draws: FloatArray) -> tuple[FloatArray, FloatArray]:
    """τ-b (B,) of each resample, and what one copy of each cluster adds to it (B, G).

    Args:
        sums: of the observations.
        draws: how often each cluster is drawn (B, G).

    Returns:
        τ-b, NaN where a resample is all ties; the influence by cluster, as `rank_orders.spearman` returns it.

    """
    by = [draws @ matrix for matrix in (sums.agree, sums.untied_x, sums.untied_y)]
    agree, untied_x, untied_y = ((draws * rows).sum(axis=1, keepdims=True) / 2.0 for rows in by)
    known = (untied_x > 0) & (untied_y > 0)
    scale_x, scale_y = np.where(known, untied_x, 1.0), np.where(known, untied_y, 1.0)
    scale = np.sqrt(scale_x) * np.sqrt(scale_y)
    tau = np.where(known, np.clip(agree / scale, -1.0, 1.0), np.nan)
    influence = by[0] / scale - tau / 2.0 * (by[1] / scale_x + by[2] / scale_y)
    return tau[:, 0], influence
