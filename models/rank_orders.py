"""Rank correlation of resamples: Spearman's ρ within groups and given covariates, for many resamples at once.

Belongs here: percentiles under counts, ρ of every resample with what each cluster adds to it. Does not: intervals, what a
correlation means (`presence`), Kendall's τ-b (`ranks`, `pair_sums`).

A resample is a row of counts, how often each observation was drawn. Ranks are taken anew in every resample. ρ given
covariates is Pearson's partial correlation of the percentiles (Conover & Iman 1981); within groups, percentiles are taken
within each group, so that only comparisons inside a group count. What an observation adds is the influence function of ρ
as a functional of the distribution, ranks included (Hampel 1974; for ρ Croux & Dehon 2010): the standard error by
clusters is the infinitesimal jackknife (Efron 1982).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
# Variance of percentiles under which a resample does not vary.
_NO_SPREAD = 1e-14


class Order:
    """The order of a variable within groups, from which ranks under any counts follow without sorting again."""

    def __init__(self, values: ArrayLike, groups: ArrayLike | None = None) -> None:
        """Sort values (n,) within groups (n,), codes from 0; finite values only."""
        numbers = np.asarray(values, dtype=np.float64)
        codes = np.zeros(len(numbers), dtype=np.int64) if groups is None else np.asarray(groups, dtype=np.int64)
        order = np.lexsort((numbers, codes))
        sorted_values, sorted_codes = numbers[order], codes[order]
        new_group = np.append(True, sorted_codes[1:] != sorted_codes[:-1])
        new_block = new_group | np.append(True, sorted_values[1:] != sorted_values[:-1])
        block = np.cumsum(new_block) - 1
        self._order = order
        self._starts = np.flatnonzero(new_block)
        # Of each block: the first and the last block of its group.
        firsts = block[new_group]
        group_of_block = (np.cumsum(new_group) - 1)[new_block]
        self._first = firsts[group_of_block]
        self._last = np.append(firsts[1:] - 1, block[-1])[group_of_block]
        self._place = np.empty(len(numbers), dtype=np.int64)
        self._place[order] = block
        self._one_group = len(firsts) == 1

    def _sums(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """By block (m, B): the weight of those below it in its group with half its own, and the whole group's."""
        own = weights[self._order]
        if len(self._starts) < len(own):
            own = np.add.reduceat(own, self._starts, axis=0)
        upto = np.cumsum(own, axis=0)
        before = 0.0 if self._one_group else upto[self._first] - own[self._first]
        total = upto[-1:] if self._one_group else upto[self._last] - before
        return upto - own / 2.0 - before, total

    def _placed(self, by_block: FloatArray) -> FloatArray:
        return by_block if len(by_block) == 1 else by_block[self._place]

    def percentiles(self, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mid-rank percentile within the group less a half (n, B), and the size of the group, under counts (n, B)."""
        below, total = self._sums(counts)
        share = np.where(total > 0, below / np.where(total > 0, total, 1.0), 0.5) - 0.5
        return self._placed(share), self._placed(total)

    def gains(self, weights: FloatArray, percentiles: FloatArray, sizes: FloatArray) -> FloatArray:
        """What Σ weight · percentile gains when an observation joins its group: those above it move up, all others down.

        Args:
            weights: (n, B), 0 in sum over each group.
            percentiles: of this order, less a half (n, B).
            sizes: of the groups, as `percentiles` returns them.

        Returns:
            (n, B).

        """
        below, total = self._sums(weights)
        weighted = weights * percentiles
        mean = weighted.sum(axis=0, keepdims=True) if self._one_group else self._placed(self._sums(weighted)[1])
        gained: FloatArray = (self._placed(total - below) - mean) / np.maximum(sizes, 1.0)
        return gained


@dataclass(frozen=True)
class Clusters:
    """Which cluster each observation belongs to: codes (n,) from 0, all of them in use."""

    codes: IntArray

    @classmethod
    def of(cls, labels: Sequence[object] | None, n: int) -> Clusters:
        """Clusters by label; each observation its own without labels."""
        if labels is None:
            return cls(np.arange(n, dtype=np.int64))
        found: dict[object, int] = {}
        return cls(np.array([found.setdefault(label, len(found)) for label in labels], dtype=np.int64))

    @property
    def count(self) -> int:
        """How many clusters there are."""
        return int(self.codes.max()) + 1

    @property
    def effective(self) -> float:
        """As how many clusters of equal size these count (Kish 1965): n² over the sum of squared sizes."""
        sizes = np.bincount(self.codes).astype(np.float64)
        return float(sizes.sum() ** 2 / (sizes**2).sum())

    def sums(self, values: FloatArray) -> FloatArray:
        """Sums (B, G) of values (n, B) by cluster."""
        order = np.argsort(self.codes, kind="stable")
        starts = np.searchsorted(self.codes[order], np.arange(self.count))
        total: FloatArray = np.add.reduceat(values[order], starts, axis=0).T
        return total

    def draws(self, n_boot: int, rng: np.random.Generator) -> FloatArray:
        """How often each cluster is drawn (B, G), as many draws as there are clusters."""
        return rng.multinomial(self.count, np.full(self.count, 1.0 / self.count), size=n_boot).astype(np.float64)


def spearman(
    x: Order, y: Order, covariates: Sequence[Order], clusters: Clusters, draws: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """ρ (B,) of each resample, and what one copy of each cluster adds to it (B, G).

    Args:
        x: order of the one variable.
        y: of the other, within the same groups.
        covariates: orders of what is held constant.
        clusters: of the observations.
        draws: how often each cluster is drawn (B, G).

    Returns:
        ρ, NaN where a resample does not vary; the influence by cluster, 0 in sum over the draws: the standard error is
        the root of Σ_g draws_g · influence_g².

    """
    counts = np.ascontiguousarray(draws.T)[clusters.codes]
    size = counts.sum(axis=0, keepdims=True)
    (u, in_group), (v, _) = x.percentiles(counts), y.percentiles(counts)
    z = [order.percentiles(counts)[0] for order in covariates]
    slopes_u, slopes_v = _slopes(u, z, counts), _slopes(v, z, counts)
    a, b = _residual(u, z, slopes_u), _residual(v, z, slopes_v)
    ab, aa, bb = ((counts * left * right).sum(axis=0, keepdims=True) / size for left, right in ((a, b), (a, a), (b, b)))
    known = (aa > _NO_SPREAD) & (bb > _NO_SPREAD)
    aa, bb = np.where(known, aa, 1.0), np.where(known, bb, 1.0)
    rho = np.where(known, np.clip(ab / np.sqrt(aa * bb), -1.0, 1.0), np.nan)

    def gained(residual: FloatArray, order: Order, percentiles: FloatArray, slopes: list[FloatArray]) -> FloatArray:
        weights = counts * residual
        total = order.gains(weights, percentiles, in_group)
        for slope, covariate, of_it in zip(slopes, covariates, z, strict=True):
            total = total - slope * covariate.gains(weights, of_it, in_group)
        return total

    cross = a * b - ab + gained(b, x, u, slopes_u) + gained(a, y, v, slopes_v)
    own_a = a * a - aa + 2.0 * gained(a, x, u, slopes_u)
    own_b = b * b - bb + 2.0 * gained(b, y, v, slopes_v)
    influence = cross / np.sqrt(aa * bb) - rho / 2.0 * (own_a / aa + own_b / bb)
    return rho[0], clusters.sums(influence / size)


def _slopes(target: FloatArray, z: Sequence[FloatArray], counts: FloatArray) -> list[FloatArray]:
    """Slopes, each (1, B), of the weighted regression of a target (n, B) on covariates; all have mean 0."""
    if not z:
        return []
    weighted = [counts * each for each in z]
    inside = np.array([[(left * right).sum(axis=0) for right in z] for left in weighted])
    with_target = np.array([(left * target).sum(axis=0) for left in weighted])
    # A resample may draw covariates that coincide: the shortest solution leaves the same residual.
    solved = np.linalg.pinv(inside.transpose(2, 0, 1), hermitian=True) @ with_target.T[:, :, None]
    return [solved[None, :, k, 0] for k in range(len(z))]


def _residual(target: FloatArray, z: Sequence[FloatArray], slopes: Sequence[FloatArray]) -> FloatArray:
    for slope, covariate in zip(slopes, z, strict=True):
        target = target - slope * covariate
    return target
