"""Intervals from the errors made on series a model had not seen (split conformal prediction, grouped).

Belongs here: the quantiles of scaled errors by group and what they say about a new forecast. Does not: making the
errors, the spread they are scaled by.

Errors are divided by an expected size of error (Lei, G'Sell, Rinaldo, Tibshirani & Wasserman 2018, §5.2), so that
one quantile serves quiet and lively series, and are taken by group (Vovk, Lindsay, Nouretdinov & Gammerman 2003), so
that a saturated series is judged by saturated ones. Lower and upper ends are separate: near a ceiling errors are skew.
Errors of one series go together, so the correction for a finite sample counts series groups, not errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from longwave.models.panels import FloatArray, IntArray

PRIOR_QUANTILES: Final = 99
"""Points that stand for the prior distribution of scaled errors."""


@dataclass(frozen=True)
class ScaledErrors:
    """Errors over their expected size, signed, sorted, with running weights from 0 to 1, for each group."""

    values: tuple[FloatArray, ...]
    running: tuple[FloatArray, ...]
    clusters: tuple[int, ...]

    def ends(self, group: IntArray, level: float) -> tuple[FloatArray, FloatArray]:
        """Offsets (E,) of the ends of the central interval, in expected errors. ``group``: (E,).

        Raises ValueError for a level outside (0, 1).
        """
        if not 0.0 < level < 1.0:
            raise ValueError(f"level {level} must lie between 0 and 1")
        low, high = np.empty(len(group)), np.empty(len(group))
        for code, (values, running, size) in enumerate(zip(self.values, self.running, self.clusters, strict=True)):
            # The (n + 1)-th, unseen, cluster may lie anywhere: n of n + 1 parts of the probability are known.
            tail = max((1.0 - level) / 2.0 - 0.5 * level / (size + 1.0), 0.0)
            chosen = group == code
            low[chosen] = np.interp(tail, running, values)
            high[chosen] = np.interp(1.0 - tail, running, values)
        return np.minimum(low, 0.0), np.maximum(high, 0.0)


def scaled_errors(
    errors: FloatArray,
    group: IntArray,
    cluster: IntArray,
    *,
    n_groups: int,
    prior_clusters: float,
    borrowed: float,
) -> ScaledErrors:
    """Distribution of scaled errors in each group.

    Args:
        errors: (E,) signed errors over their expected size.
        group: (E,) codes 0..n_groups − 1.
        cluster: (E,) codes of the concept groups the errors come from.
        n_groups: how many groups there are; one without errors has the whole and the prior.
        prior_clusters: a standard Laplace distribution counts as so many clusters in each group.
        borrowed: errors of the other groups count as so many clusters in each group.

    """
    prior = _laplace(PRIOR_QUANTILES)
    values, running, sizes = [], [], []
    for code in range(n_groups):
        own = group == code
        size = len(np.unique(cluster[own]))
        parts = [(errors[own], float(size)), (prior, prior_clusters)]
        if (~own).any():
            parts.append((errors[~own], min(borrowed, float(len(np.unique(cluster[~own]))))))
        kept = [(value, weight) for value, weight in parts if len(value) and weight > 0]
        joined = np.concatenate([value for value, _ in kept] or [prior])
        weight = np.concatenate(
            [np.full(len(value), mass / len(value)) for value, mass in kept] or [np.ones(len(prior))]
        )
        order = np.argsort(joined, kind="stable")
        total = np.cumsum(weight[order])
        values.append(joined[order])
        running.append((total - weight[order] / 2.0) / total[-1])
        sizes.append(int(size + prior_clusters + borrowed))
    return ScaledErrors(tuple(values), tuple(running), tuple(sizes))


def _laplace(points: int) -> FloatArray:
    """Quantiles (points,) of the standard Laplace distribution at evenly spaced probabilities."""
    chance = np.arange(1, points + 1) / (points + 1.0)
    result: FloatArray = np.where(chance < 0.5, np.log(2.0 * chance), -np.log(2.0 * (1.0 - chance)))
    return result


def shared_out(codes: Sequence[str] | FloatArray, folds: int, seed: int) -> IntArray:
    """Fold (n,) of each series, its whole group in one: groups are shuffled by the seed and dealt in turn."""
    _, code = np.unique(np.asarray(codes).astype(np.str_), return_inverse=True)
    n_groups = int(code.max(initial=-1)) + 1
    dealt = np.empty(n_groups, dtype=np.int64)
    dealt[np.random.default_rng(seed).permutation(n_groups)] = np.arange(n_groups) % folds
    result: IntArray = dealt[code]
    return result
