"""Presence and outcome: whether they go together, by a rule that can also say that they do not.

Belongs here: rank correlations with intervals, the ordered reading of them, what a field changes, a presence as a
percentile of its own reference class. Does not: ranks of resamples (`rank_orders`, `rank_pairs`), which figures are compared.

"No correlation" is a claim of equivalence (Schuirmann 1987): it is shown by a 90 % interval inside ±0.1, and not by a
p-value over 0.05. Intervals are symmetric studentised bootstrap intervals (Hall 1988) on Fisher's z, over clusters where
there are clusters: with some thirty clusters BCa intervals (Efron 1987), which stand beside, hold less often than they say
(`tests/study/results/presence_coverage.json`). Nothing is pooled over sets: each comparison stands by itself, since five
comparable sets would be the least.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from longwave.models.rank_orders import Clusters, FloatArray, IntArray, Order, spearman
from longwave.models.rank_pairs import PairSums, pair_sums, tau_b
from longwave.models.ranks import authority
from numpy.typing import ArrayLike
from scipy import stats

MARGIN: Final = 0.1
"""Smallest correlation of interest, of either sign."""
LEAST_FOR_NONE: Final = 300
"""Pairs below which equivalence cannot be shown, whatever the figures."""
LEAST_PEERS: Final = 10
"""Members of a reference class below which a percentile in it says nothing."""
INNER, OUTER = 0.9, 0.95
POWER: Final = 0.8
CORRELATED, NONE, NEGLIGIBLE, UNDECIDED = "correlated", "equivalent to none", "possibly negligible", "undecided"
NOT_ZERO: Final = "equivalent to none, though not zero"

# From so many units on, the studentised distribution is normal to the figures shown.
_NORMAL_FROM = 5000
_PAIRS_NORMAL_FROM = 1000
# So many numbers at once stay in a processor's cache: three times faster than all resamples at once.
_CELLS = 30_000
_LARGEST = 1.0 - 1e-12
_NO_ERROR = 1e-12

Interval = tuple[float, float]
Statistic = Callable[[FloatArray], tuple[FloatArray, FloatArray]]


@dataclass(frozen=True)
class Estimate:
    """A rank correlation, or a difference of two, with its intervals.

    Attributes:
        value: the estimate.
        inner: 90 % interval.
        outer: 95 % interval.
        bca: 95 % BCa interval; None where no resamples were drawn.
        n: pairs.
        clusters: units drawn.
        effective: as how many clusters of equal size they count.
        error: standard error, of a correlation on the scale of Fisher's z.
        p_margin: of the hypothesis at the nearest margin, ±0.1: one-sided (equivalence) for an estimate inside, else
            two-sided; the level at which the inner or the outer interval just reaches the margin.

    """

    value: float
    inner: Interval
    outer: Interval
    bca: Interval | None
    n: int
    clusters: int
    effective: float
    error: float
    p_margin: float


def rank_correlation(
    presence: ArrayLike,
    outcome: ArrayLike,
    *,
    clusters: Sequence[object] | None = None,
    groups: Sequence[object] | None = None,
    covariates: Sequence[ArrayLike] = (),
    n_boot: int = 2000,
    seed: int = 0,
) -> Estimate:
    """Spearman's ρ (Spearman 1904), within groups and given covariates where these are named.

    Args:
        presence: (n,), finite.
        outcome: (n,), finite.
        clusters: label of each pair's cluster; None: pairs are independent.
        groups: label of each pair's group; ranks are then taken within it, and only those inside a group compared.
        covariates: each (n,), held constant by their ranks.
        n_boot: resamples.
        seed: of their draws.

    Raises:
        ValueError: lengths differ, a value is not finite, there are fewer than four pairs or two clusters.

    """
    x, y, *z = _finite([presence, outcome, *covariates])
    units, codes = Clusters.of(clusters, len(x)), None if groups is None else codes_of(groups)
    first, second, others = Order(x, codes), Order(y, codes), [Order(each, codes) for each in z]

    def statistic(draws: FloatArray) -> tuple[FloatArray, FloatArray]:
        return spearman(first, second, others, units, draws)

    return _estimate(statistic, units, len(x), n_boot if units.count < _NORMAL_FROM else 0, seed)


def kendall(
    presence: ArrayLike,
    outcome: ArrayLike,
    *,
    clusters: Sequence[object] | None = None,
    groups: Sequence[object] | None = None,
    n_boot: int = 2000,
    seed: int = 0,
) -> Estimate:
    """Kendall's τ-b (Kendall 1945), over all pairs or those within groups; arguments as `rank_correlation`."""
    x, y = _finite([presence, outcome])
    units = Clusters.of(clusters, len(x))
    sums = pair_sums(x, y, units, None if groups is None else codes_of(groups))
    drawn = n_boot if units.count < _PAIRS_NORMAL_FROM else 0
    return _estimate(lambda draws: tau_b(sums, draws), units, len(x), drawn, seed)


def within_less_pooled(
    presence: ArrayLike,
    outcome: ArrayLike,
    groups: Sequence[object],
    *,
    clusters: Sequence[object] | None = None,
    n_boot: int = 2000,
    seed: int = 0,
) -> Estimate:
    """τ-b over the pairs within groups less τ-b over all pairs, of the same adopters; arguments as `rank_correlation`.

    Over 0 where a presence says more when it is compared within its own field.

    Raises:
        ValueError: as `rank_correlation`; or no group has two members.

    """
    x, y = _finite([presence, outcome])
    units, codes = Clusters.of(clusters, len(x)), codes_of(groups)
    within, pooled = pair_sums(x, y, units, codes), pair_sums(x, y, units)
    if not within.untied_x.any() or not within.untied_y.any():
        raise ValueError("no two members of a group differ")

    def statistic(draws: FloatArray) -> tuple[FloatArray, FloatArray]:
        return _difference(within, pooled, draws)

    drawn = n_boot if units.count < _PAIRS_NORMAL_FROM else 0
    return _estimate(statistic, units, len(x), drawn, seed, difference=True)


def _difference(within: PairSums, pooled: PairSums, draws: FloatArray) -> tuple[FloatArray, FloatArray]:
    (inside, of_inside), (all_pairs, of_all) = tau_b(within, draws), tau_b(pooled, draws)
    return inside - all_pairs, of_inside - of_all


def reading(found: Estimate) -> str:
    """What a correlation says, by the ordered rule: the first of the four that holds."""
    if found.outer[0] > MARGIN or found.outer[1] < -MARGIN:
        return CORRELATED
    not_zero = found.outer[0] > 0 or found.outer[1] < 0
    if found.n >= LEAST_FOR_NONE and found.inner[0] > -MARGIN and found.inner[1] < MARGIN:
        return NOT_ZERO if not_zero else NONE
    return NEGLIGIBLE if not_zero else UNDECIDED


def design_effect(found: Estimate) -> float:
    """Variance of ρ over that of as many independent pairs, (1 + ρ²/2)/(n − 3) (Bonett & Wright 2000); at least 1."""
    independent = (1.0 + found.value**2 / 2.0) / max(1, found.n - 3)
    return max(1.0, found.error**2 / independent)


def pairs_needed(found: Estimate) -> int:
    """Pairs with which equivalence would be shown four times in five, if ρ is 0 in truth.

    ((z.95 + z.90) / artanh 0.1)² + 3 for independent pairs (Schuirmann's two tests, what they miss split between them),
    times the design effect seen; never under 300.
    """
    z = stats.norm.ppf((1.0 + INNER) / 2.0) + stats.norm.ppf((1.0 + POWER) / 2.0)
    needed = design_effect(found) * (z / np.arctanh(MARGIN)) ** 2 + 3.0
    return max(LEAST_FOR_NONE, int(np.ceil(needed)))


def detectable(found: Estimate) -> float:
    """The |ρ| that as many such pairs would tell from 0.1 four times in five."""
    z = stats.norm.ppf((1.0 + OUTER) / 2.0) + stats.norm.ppf(POWER)
    error = np.sqrt(design_effect(found) / max(1, found.n - 3))
    return float(np.tanh(np.arctanh(MARGIN) + z * error))


def class_percentiles(
    values: ArrayLike, classes: Sequence[object], ages: ArrayLike | None = None, years: float = 1.0
) -> tuple[FloatArray, IntArray]:
    """Each value's mid-rank percentile (0–100) within its own class at the same age, and how many it is compared with.

    Args:
        values: (n,), finite.
        classes: label of each one's reference class.
        ages: (n,); peers are those of the class whose age differs by at most ``years``; None: the whole class.
        years: width of an age, to either side.

    Returns:
        Percentiles, NaN for a class of fewer than ten at that age, the adopter itself counted; and the peers (n,).

    """
    level, codes = _finite([values])[0], codes_of(classes)
    found, peers = np.full(len(level), np.nan), np.zeros(len(level), dtype=np.int64)
    for code in range(int(codes.max()) + 1):
        members = np.flatnonzero(codes == code)
        if ages is None:
            peers[members], found[members] = len(members), authority(level[members])
        else:
            age = np.asarray(ages, dtype=np.float64)[members]
            near = np.abs(age[:, None] - age[None, :]) <= years
            below = near & (level[members][None, :] < level[members][:, None])
            same = near & (level[members][None, :] == level[members][:, None])
            peers[members] = near.sum(axis=1)
            found[members] = 100.0 * (below.sum(axis=1) + same.sum(axis=1) / 2.0) / peers[members]
    return np.where(peers >= LEAST_PEERS, found, np.nan), peers


def codes_of(labels: Sequence[object]) -> IntArray:
    """Codes from 0 in the order in which labels first occur."""
    return Clusters.of(labels, len(labels)).codes


def _finite(columns: Sequence[ArrayLike]) -> list[FloatArray]:
    arrays = [np.asarray(column, dtype=np.float64) for column in columns]
    if len({array.shape for array in arrays}) != 1 or arrays[0].ndim != 1:
        raise ValueError(f"columns of {[array.shape for array in arrays]} are not of one length")
    if not all(np.isfinite(array).all() for array in arrays):
        raise ValueError("values must be finite: leave missing ones out first")
    if len(arrays[0]) < 4:
        raise ValueError(f"{len(arrays[0])} pairs are too few for a correlation with an interval")
    return arrays


def _estimate(
    statistic: Statistic, units: Clusters, n: int, n_boot: int, seed: int, *, difference: bool = False
) -> Estimate:
    """The statistic of the sample, and its intervals from resamples of the units; on Fisher's z unless a difference."""
    if units.count < 2:
        raise ValueError("all pairs are of one cluster: nothing is independent of anything")
    values, influence = statistic(np.ones((1, units.count)))
    value = float(values[0])
    error = float(np.sqrt((influence[0] ** 2).sum() * units.count / (units.count - 1)))
    link, back = (_same, _bounded) if difference else (_fisher, np.tanh)
    slope = 1.0 if difference else 1.0 / (1.0 - min(abs(value), _LARGEST) ** 2)
    z = float(link(value))
    # Where every resample says the same, as at ρ = 1, there is no spread to measure by.
    spread = error * slope if error > _NO_ERROR else 0.0
    drawn = n_boot if spread else 0
    boot, studentised = _resampled(statistic, units, n, drawn, seed, difference, z)

    def within(level: float) -> Interval:
        if not spread:
            return value, value
        half = spread * _quantile(studentised, level, units.count)
        return float(back(z - half)), float(back(z + half))

    return Estimate(
        value=value,
        inner=within(INNER),
        outer=within(OUTER),
        bca=None if boot is None else _bca(value, boot, influence[0]),
        n=n,
        clusters=units.count,
        effective=units.effective,
        error=spread,
        p_margin=_p_margin(value, spread, link, studentised, units.count),
    )


def _fisher(value: ArrayLike) -> FloatArray:
    """Fisher's z (Fisher 1921), finite at ±1."""
    return np.asarray(np.arctanh(np.clip(value, -_LARGEST, _LARGEST)))


def _same(value: ArrayLike) -> FloatArray:
    return np.asarray(value, dtype=np.float64)


def _bounded(value: ArrayLike) -> FloatArray:
    return np.clip(value, -2.0, 2.0)


def _resampled(
    statistic: Statistic, units: Clusters, n: int, n_boot: int, seed: int, difference: bool, centre: float
) -> tuple[FloatArray | None, FloatArray | None]:
    """The statistic of each resample, and its distance from the sample's in its own standard errors, without sign."""
    if n_boot == 0:
        return None, None
    rng = np.random.default_rng(seed)
    values, distances = [], []
    at_once = max(1, _CELLS // max(n, units.count))
    for start in range(0, n_boot, at_once):
        draws = units.draws(min(at_once, n_boot - start), rng)
        value, influence = statistic(draws)
        error = np.sqrt((draws * influence**2).sum(axis=1) * units.count / (units.count - 1))
        if not difference:
            error = error / (1.0 - np.minimum(np.abs(value), _LARGEST) ** 2)
        known = np.isfinite(value) & (error > 0)
        shift = np.abs((value if difference else _fisher(value)) - centre)
        values.append(value[np.isfinite(value)])
        # A resample without a spread of its own says that the sample is too small to know one.
        distances.append(np.where(known, shift / np.where(known, error, 1.0), np.inf))
    return np.concatenate(values), np.concatenate(distances)


def _quantile(studentised: FloatArray | None, level: float, units: int) -> float:
    """How many standard errors an interval of this level reaches to either side."""
    if studentised is None:
        return float(stats.t.ppf((1.0 + level) / 2.0, units - 1))
    return float(np.quantile(studentised, level, method="higher"))


def _p_margin(
    value: float, spread: float, link: Callable[[ArrayLike], FloatArray], studentised: FloatArray | None, units: int
) -> float:
    nearest = np.copysign(MARGIN, value)
    gap = abs(float(link(value)) - float(link(nearest)))
    distance = gap / spread if spread > 0 else np.inf
    if studentised is None:
        two_sided = float(2.0 * stats.t.sf(distance, units - 1))
    else:
        two_sided = float((1 + (studentised >= distance).sum()) / (1 + len(studentised)))
    return two_sided / 2.0 if abs(value) < MARGIN else two_sided


def _bca(value: float, boot: FloatArray, influence: FloatArray) -> Interval:
    """Bias-corrected and accelerated 95 % interval (Efron 1987), the acceleration from the influence of the units."""
    below = (np.count_nonzero(boot < value) + np.count_nonzero(boot <= value)) / (2.0 * max(1, len(boot)))
    shift = stats.norm.ppf(np.clip(below, 0.5 / max(1, len(boot)), 1.0 - 0.5 / max(1, len(boot))))
    total = float((influence**2).sum())
    acceleration = float((influence**3).sum()) / (6.0 * total**1.5) if total > 0 else 0.0
    ends = []
    for tail in ((1.0 - OUTER) / 2.0, (1.0 + OUTER) / 2.0):
        z = shift + stats.norm.ppf(tail)
        ends.append(float(np.quantile(boot, stats.norm.cdf(shift + z / (1.0 - acceleration * z)))))
    return ends[0], ends[1]
