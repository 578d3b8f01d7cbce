"""Channel and truth: how much shares of false statements differ between channels, and whether that is more than a margin.

Belongs here: arithmetic on a table of counts, channels by verdicts. Not here: which channels are known and how they may be
grouped (a table of facts), or what follows from a difference (`longwave.models.claims`).

Rows are taken as independent binomial samples. Statements by one speaker are not independent and checkers choose what they
check, so intervals are too narrow; `tipping_design_effect` says how much wider they would have to be to decide otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

Array = NDArray[np.float64]
Positions = NDArray[np.int64]

VERDICTS = ("pants_fire", "false", "barely_true", "half_true", "mostly_true", "true")
"""PolitiFact's scale, worst first."""
CODINGS: dict[str, int] = {"pants_fire": 1, "false_or_worse": 2, "barely_true_or_worse": 3}
"""A coding of the scale into two: how many of the worst verdicts count."""
PRIMARY = "false_or_worse"
LEVEL = 0.9
MARGIN = 10.0
"""Smallest difference of interest, in points."""


@dataclass(frozen=True)
class Differences:
    """All differences of shares between two channels, in points, with simultaneous intervals.

    `first` and `second` are positions of channels; each difference is that of the first less the second, the larger share
    first. `largest`, `lo` and `hi` are of the largest absolute difference there is in truth, not of the pair observed.
    """

    first: tuple[int, ...]
    second: tuple[int, ...]
    estimate: Array
    low: Array
    high: Array
    largest: float
    lo: float
    hi: float


@dataclass(frozen=True)
class Association:
    """Strength of association in a table of counts; intervals at 95 %, of the quantity without correction.

    Attributes:
        n: statements.
        v: Cramér's V, `v_corrected` with Bergsma's correction for bias.
        phi: square root of χ² over n, `phi_corrected` of Bergsma's corrected φ².
        information: mutual information as a share of the verdict's entropy (Theil's U), `information_corrected` less its
            bias under independence (Miller 1955).

    """

    n: int
    v: float
    v_lo: float
    v_hi: float
    v_corrected: float
    phi: float
    phi_corrected: float
    information: float
    information_lo: float
    information_hi: float
    information_corrected: float


def coded(table: Array, coding: str) -> tuple[Array, Array]:
    """Statements that count under a coding, and all statements, by channel.

    Args:
        table: counts, channels by `VERDICTS`; leading axes (replicates) are kept.
        coding: a key of `CODINGS`.

    Raises:
        ValueError: the table has another number of verdicts, a negative count, or a channel without a statement.

    """
    if table.shape[-1] != len(VERDICTS):
        raise ValueError(f"{table.shape[-1]} columns; the scale has {len(VERDICTS)} verdicts")
    total = table.sum(axis=-1)
    if not np.isfinite(table).all() or (table < 0).any() or (total <= 0).any():
        raise ValueError("every channel needs statements, and no count may be negative or missing")
    return table[..., : CODINGS[coding]].sum(axis=-1), total


@cache
def critical(k: int, level: float) -> float:
    """Critical value for all pairwise differences of k groups: the studentised range's quantile over √2 (Tukey 1953)."""
    return float(stats.studentized_range.ppf(level, k, np.inf) / np.sqrt(2))


def wilson(bad: Array, total: Array, z: float) -> tuple[Array, Array]:
    """Score interval of a share (Wilson 1927); `z` is the normal quantile, shares are fractions."""
    share, z2 = bad / total, z * z
    centre = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = z / (1 + z2 / total) * np.sqrt(share * (1 - share) / total + z2 / (4 * total**2))
    return centre - half, centre + half


def newcombe(bad: Array, total: Array, z: float, first: Positions, second: Positions) -> tuple[Array, Array, Array]:
    """Differences of shares between pairs, and their bounds from two score intervals (Newcombe 1998, method 10).

    Args:
        bad: statements that count, by channel (last axis).
        total: all statements, likewise.
        z: critical value; one pair's normal quantile, or `critical` for all pairs at once.
        first: positions of the pairs' first channels.
        second: positions of their second.

    Returns:
        Difference, lower and upper bound, as fractions, by pair.

    """
    share = bad / total
    low, high = wilson(bad, total, z)
    p, q = share[..., first], share[..., second]
    below = np.sqrt((p - low[..., first]) ** 2 + (high[..., second] - q) ** 2)
    above = np.sqrt((high[..., first] - p) ** 2 + (q - low[..., second]) ** 2)
    return p - q, p - q - below, p - q + above


def differences(bad: Array, total: Array, level: float = LEVEL) -> Differences:
    """Every pairwise difference with intervals that hold together at `level`, and the largest difference with its own.

    Newcombe's interval with Tukey's critical value in the place of the normal quantile, as Agresti, Bini, Bertaccini & Ryu
    (2008) use the studentised range for binomials. Where all pairs' intervals hold, the largest absolute difference is at
    least the largest of the lower bounds (of either sign, never under 0) and at most the largest of the upper: so that
    interval covers with at least the same probability, although the pair is chosen by looking.

    Args:
        bad: statements that count, by channel; at least two channels.
        total: all statements, by channel.
        level: simultaneous coverage.

    """
    first, second = pairs(bad / total)
    estimate, low, high = newcombe(bad, total, critical(len(bad), level), first, second)
    largest, lo, hi = extremes(estimate, low, high)
    return Differences(
        tuple(first.tolist()),
        tuple(second.tolist()),
        100 * estimate,
        100 * low,
        100 * high,
        100 * float(largest),
        100 * float(lo),
        100 * float(hi),
    )


def pairs(share: Array) -> tuple[Positions, Positions]:
    """Positions of all pairs of channels, the larger share first; ties by position."""
    if len(share) < 2:
        raise ValueError("a difference needs two channels")
    order = np.argsort(-share, kind="stable")
    i, j = np.triu_indices(len(share), k=1)
    return order[i], order[j]


def extremes(estimate: Array, low: Array, high: Array) -> tuple[Any, Any, Any]:
    """Largest absolute difference over the last axis, with the bounds that follow from those of all pairs."""
    lo = np.maximum(np.maximum(low, -high), 0).max(axis=-1)
    return np.abs(estimate).max(axis=-1), lo, np.maximum(np.abs(low), np.abs(high)).max(axis=-1)


def p_against_margin(bad: Array, total: Array, margin: float = MARGIN) -> float:
    """One less the level at which the interval of the largest difference just reaches the margin (in points).

    The p-value dual to `differences`: of the hypothesis that no difference is over the margin, where the largest is;
    else of the hypothesis that one is at least the margin. 1 where the largest difference is the margin itself.
    """
    first, second = pairs(bad / total)
    gap = margin / 100

    def bounds(z: float) -> tuple[float, float, float]:
        largest, lo, hi = extremes(*newcombe(bad, total, z, first, second))
        return float(largest), float(lo), float(hi)

    largest = bounds(0.0)[0]
    side = 1 if largest > gap else 2
    if largest == gap:
        return 1.0
    top = 1.0
    while (bounds(top)[side] > gap) is (largest > gap) and top < 60:
        top *= 2
    z = optimize.brentq(lambda z: bounds(z)[side] - gap, 0.0, top) if top < 60 else 60.0
    return float(stats.studentized_range.sf(np.sqrt(2) * z, len(bad), np.inf))


def tipping_design_effect(bad: Array, total: Array, margin: float = MARGIN, level: float = LEVEL) -> float | None:
    """By what factor the statements would have to count for fewer until the interval reaches the margin.

    A design effect (Kish 1965): dependent statements carry the information of n over that factor. None where the interval
    holds the margin as it is, and so decides nothing that could tip.
    """

    def clear(effect: float) -> float:
        found = differences(bad / effect, total / effect, level)
        return found.lo - margin if above else margin - found.hi

    above = differences(bad, total, level).largest > margin
    if clear(1.0) <= 0:
        return None
    top = 2.0
    while clear(top) > 0:
        top *= 2
    return float(optimize.brentq(clear, 1.0, top))


def association(table: Array) -> Association:
    """Strength of association between rows and columns of counts.

    χ² and φ² = χ²/n (Pearson), V = √(φ²/min(r−1, c−1)) (Cramér 1946); φ̃² = max(0, φ² − (r−1)(c−1)/(n−1)) with r and c
    corrected likewise (Bergsma 2013). Intervals invert the noncentral χ² (Steiger & Fouladi 1997): for the information,
    of the likelihood ratio G = 2nI, which has the same distribution in large samples.

    Args:
        table: counts, rows by columns; no empty row, empty columns are left out.

    """
    table = table[:, table.sum(axis=0) > 0]
    n, (rows, columns) = float(table.sum()), table.shape
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / n
    chi2, df = float(((table - expected) ** 2 / expected).sum()), (rows - 1) * (columns - 1)
    least = min(rows, columns) - 1
    phi2 = chi2 / n
    corrected = max(0.0, phi2 - df / (n - 1))
    r, c = (k - (k - 1) ** 2 / (n - 1) for k in (rows, columns))
    information = float(special.xlogy(table / n, table / expected).sum())
    entropy = float(special.entr(table.sum(axis=0) / n).sum())
    lo, hi = (float(np.sqrt(x / (n * least))) for x in noncentrality(chi2, df))
    g_lo, g_hi = (x / (2 * n * entropy) for x in noncentrality(2 * n * information, df))
    return Association(
        n=int(n),
        v=float(np.sqrt(phi2 / least)),
        v_lo=lo,
        v_hi=hi,
        v_corrected=float(np.sqrt(corrected / (min(r, c) - 1))),
        phi=float(np.sqrt(phi2)),
        phi_corrected=float(np.sqrt(corrected)),
        information=information / entropy,
        information_lo=g_lo,
        information_hi=g_hi,
        information_corrected=max(0.0, information - df / (2 * n)) / entropy,
    )


def noncentrality(statistic: float, df: int, level: float = 0.95) -> tuple[float, float]:
    """Interval of the noncentrality that a χ² statistic speaks for; 0 where even none is too much."""
    found = []
    for probability in ((1 + level) / 2, (1 - level) / 2):
        none = stats.chi2.cdf(statistic, df) <= probability
        found.append(0.0 if none else float(special.chndtrinc(statistic, df, probability)))
    return found[0], found[1]


def grouped(table: Array, groups: Sequence[str]) -> tuple[Array, list[str]]:
    """Rows of counts added up by group, in the order in which groups first occur."""
    names = list(dict.fromkeys(groups))
    labels = np.asarray(groups)
    return np.stack([table[labels == name].sum(axis=0) for name in names]), names
