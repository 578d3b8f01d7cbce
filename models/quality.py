"""Does attention track quality? Rank agreement of attention with standing known before adoption, one cohort against another.

Belongs here: agreement within fields, the difference between two cohorts, their intervals. Does not: which cohorts a claim
names, what counts as standing.

Partial τ-b given a field, which is a name and no number, is Kendall's τ-b over the pairs of one field: within a field nothing of
the field is left to explain. Of a cohort of early adopters less a cohort of late ones: under 0, those who came early have an
audience that says less about their standing.

τ-b is a sum over pairs, and pairs that share a cluster at either end go together: its error is the dyadic cluster-robust one
(Aronow, Samii & Assenova 2015) of the linearised τ-b, each cluster taken as left out (CR3, as for the premium), with Student's t
at the effective number of clusters. A plain jackknife over clusters would count what is peculiar to a pair at both of its ends
(Efron & Stein 1981): a fifth too wide with fields of ten.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from longwave.models.mean_ratio import FloatArray, IntArray
from longwave.models.ranks import MAX_ADOPTERS
from scipy import stats

LEVEL: Final = 0.95
MIN_COHORT: Final = 30


@dataclass(frozen=True)
class Cohort:
    """Agreement of attention with prior standing among those who opened from ``since`` until before ``until``."""

    since: float
    until: float
    tau: float
    lo: float
    hi: float
    n: int
    pairs: int


@dataclass(frozen=True)
class Apart:
    """An early cohort, a late one, and the difference of their τ-b, early less late, with its 95 % interval."""

    early: Cohort
    late: Cohort
    difference: float
    lo: float
    hi: float
    clusters: int
    effective_clusters: float
    status: str


@dataclass(frozen=True)
class _Pairs:
    """One cohort: its τ-b, and what makes its error.

    ``between``: what the pairs between any two clusters add to it (G, G); ``change``: what leaving each cluster out would change
    (G,); ``weight``: how much each cluster weighs (G,).
    """

    tau: float
    between: FloatArray
    change: FloatArray
    weight: FloatArray
    count: int


def apart(frame: pl.DataFrame, early: tuple[float, float], late: tuple[float, float]) -> Apart:
    """Compare two cohorts.

    Args:
        frame: adopter, opened (decimal years), attention, standing, field, cluster; every row used, nothing missing.
        early: first moment of the cohort's adoptions, and the moment after its last, decimal years.
        late: the same of the later cohort.

    Raises:
        ValueError: a column is missing, a number is not finite, an adopter repeats, the cohorts overlap, or one is too large.

    """
    checked = _checked(frame, early, late)
    clusters = checked["cluster"].unique().sort()
    parts = [checked.filter(pl.col("opened") >= since, pl.col("opened") < until) for since, until in (early, late)]
    pairs = [_pairs(part, clusters) for part in parts]
    status = _status(parts, pairs)
    cohorts = []
    for (since, until), part, own in zip((early, late), parts, pairs, strict=True):
        lo, hi, _, _ = _interval(own.tau, own.between, own.change, own.weight) if not status else _UNKNOWN
        cohorts.append(Cohort(since, until, own.tau, lo, hi, part.height, own.count))
    gap, weight = pairs[0].tau - pairs[1].tau, pairs[0].weight + pairs[1].weight
    both = (pairs[0].between - pairs[1].between, pairs[0].change - pairs[1].change)
    lo, hi, present, effective = _interval(gap, *both, weight) if not status else _UNKNOWN
    return Apart(cohorts[0], cohorts[1], gap, lo, hi, present, effective, status or "measured")


def _checked(frame: pl.DataFrame, early: tuple[float, float], late: tuple[float, float]) -> pl.DataFrame:
    lacking = [name for name in ("adopter", "opened", "attention", "standing", "field", "cluster") if name not in frame]
    if lacking:
        raise ValueError(f"cohorts lack column(s) {', '.join(lacking)}")
    if not (early[0] < early[1] <= late[0] < late[1]):
        raise ValueError(f"the early cohort {early} must end before the late one {late} begins")
    for name in ("opened", "attention", "standing"):
        if frame[name].null_count() or not frame[name].is_finite().all():
            raise ValueError(f"column {name} must be finite: leave missing values out first")
    twice = frame.filter(pl.col("adopter").is_duplicated())
    if twice.height:
        raise ValueError(f"adopter {twice['adopter'].sort()[0]!r} has several rows")
    return frame.sort("adopter")


def _pairs(part: pl.DataFrame, clusters: pl.Series) -> _Pairs:
    """τ-b over the pairs of one field, and what every two of ``clusters`` add to it."""
    size = len(clusters)
    if part.height > MAX_ADOPTERS:
        raise ValueError(f"{part.height} adopters are over {MAX_ADOPTERS}: the pairs would not fit in memory")
    if part.is_empty():
        return _Pairs(np.nan, np.zeros((size, size)), np.zeros(size), np.zeros(size), 0)
    attention, standing = part["attention"].to_numpy(), part["standing"].to_numpy()
    field = np.unique(part["field"].to_numpy(), return_inverse=True)[1]
    at = np.searchsorted(clusters.to_numpy(), part["cluster"].to_numpy()).astype(np.int64)
    like = field[:, None] == field[None, :]
    x = np.sign(attention[:, None] - attention[None, :]) * like
    y = np.sign(standing[:, None] - standing[None, :]) * like
    agree, one, other = (float(matrix.sum()) / 2.0 for matrix in (x * y, np.abs(x), np.abs(y)))
    count = int((like.sum() - part.height) // 2)
    if min(one, other) == 0.0:
        return _Pairs(np.nan, np.zeros((size, size)), np.zeros(size), np.zeros(size), count)
    tau = agree / np.sqrt(one * other)
    linear = (x * y - tau / 2.0 * (np.abs(x) * np.sqrt(other / one) + np.abs(y) * np.sqrt(one / other))) / np.sqrt(
        one * other
    )
    members = np.bincount(at, weights=(like.sum(axis=1) > 1).astype(np.float64), minlength=size)
    between = _by_cluster(linear, at, size)
    # Without a cluster the rest counts for more: its own pairs are then so much fewer (CR3's 1 / (1 − h)).
    rest = np.maximum(1.0 - members / members.sum(), 1e-3) ** 2
    return _Pairs(float(tau), between, between.sum(axis=1) / rest, members / members.sum() ** 2, count)


def _by_cluster(linear: FloatArray, at: IntArray, size: int) -> FloatArray:
    """Sums over the pairs between two clusters; on the diagonal over those within one, each pair once."""
    order = np.argsort(at, kind="stable")
    present, starts = np.unique(at[order], return_index=True)
    rows = np.add.reduceat(linear[np.ix_(order, order)], starts, axis=0)
    both = np.zeros((size, size))
    both[np.ix_(present, present)] = np.add.reduceat(rows, starts, axis=1)
    return both - np.diag(np.diag(both) / 2.0)


_UNKNOWN: Final = (np.nan, np.nan, 0, np.nan)


def _interval(
    value: float, between: FloatArray, change: FloatArray, weight: FloatArray
) -> tuple[float, float, int, float]:
    """Interval; number of clusters that have a pair, and their effective number."""
    twice = float((np.triu(between, k=1) ** 2).sum())
    present = int((weight > 0).sum())
    variance = max(float((change**2).sum()) * (present - 1) / present - twice, 0.0)
    effective = float(weight.sum() ** 2 / (weight**2).sum())
    reach = float(stats.t.ppf(0.5 + LEVEL / 2.0, max(effective - 1.0, 1.0)) * np.sqrt(variance))
    return value - reach, value + reach, present, effective


def _status(parts: list[pl.DataFrame], pairs: list[_Pairs]) -> str:
    """Why nothing can be said, or nothing."""
    if min(part.height for part in parts) < MIN_COHORT:
        return f"fewer than {MIN_COHORT} adopters in a cohort"
    if min(part["cluster"].n_unique() for part in parts) < 3:
        return "fewer than 3 clusters in a cohort"
    return "a cohort has no two of one field that differ" if any(np.isnan(own.tau) for own in pairs) else ""
