"""Whether those who lead in a medium early still lead later: rank correlation, survival, the top few.

Belongs here: readings of persistence between k and H years after a medium's first launch anywhere, and their
intervals. Does not: who counts as an adopter, when one ended, what is filler (facts, joined before),
verdicts.

Missing at H is not dead: the dead have a dated end before H. Others without a level at H are *censored*:
they are left out of the estimate (bound ``none``) and the same measure is given with all of them ranked
first (``censored_first``) and last (``censored_last``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl
from longwave.models.ranks import (
    FloatArray,
    authority,
    pair_sum,
    partial_tau_b,
    partial_tau_copula,
    partial_tau_if_z_alone,
    signs,
    tau,
)
from longwave.models.top_ranks import counted, top_rows, wilson
from numpy.typing import ArrayLike, NDArray
from scipy import stats

IntArray = NDArray[np.int64]
Statistics = dict[str, FloatArray]

COLUMNS: Final = ("adopter", "region", "place", "y_k", "y_H", "end_year", "log_gdp_prior")
"""Columns of the input; ``entry_year`` may stand beside them."""

MIN_ADOPTERS: Final = 10
MIN_REGIONS: Final = 5
TERCILES: Final = ("low", "middle", "high")

_TESTED: Final = {
    "tau_b_dead_last": "tau_b",
    "tau_b_survivors": "tau_b",
    "tau_b_with_gdp_known": "tau_b",
    "partial_tau_b": "partial_tau_b",
    "partial_tau_b_copula": "partial_tau_b_copula",
}
_ROW: Final = {
    "measure": pl.String,
    "bound": pl.String,
    **dict.fromkeys(("k", "horizon"), pl.Int64),
    **dict.fromkeys(("estimate", "lo", "hi", "level"), pl.Float64),
    **dict.fromkeys(("lo_region", "hi_region", "lo_place", "hi_place", "p_within_region"), pl.Float64),
    **dict.fromkeys(("n", "n_regions", "n_censored", "n_dead"), pl.Int64),
    **dict.fromkeys(("method", "reason"), pl.String),
}


@dataclass(frozen=True)
class _Setting:
    """What one call was asked for, and the counts every row repeats."""

    k: int
    horizon: int
    level: float
    n_boot: int
    n_perm: int
    seed: int
    n_censored: int
    n_dead: int


@dataclass(frozen=True)
class _Sample:
    """Adopters of one reading: authority x, impact y, log GDP z (NaN unknown), codes of region and place."""

    x: FloatArray
    y: FloatArray
    z: FloatArray
    region: IntArray
    place: IntArray

    def take(self, keep: NDArray[np.bool_]) -> _Sample:
        """The sample without those not kept."""
        return _Sample(self.x[keep], self.y[keep], self.z[keep], self.region[keep], self.place[keep])


def persistence(
    frame: pl.DataFrame,
    *,
    k: int,
    horizon: int,
    first_launch: int,
    level: float = 0.95,
    n_boot: int = 2000,
    n_perm: int = 1999,
    top_n: int = 10,
    seed: int,
) -> pl.DataFrame:
    """Every reading of persistence of one medium from k to ``horizon`` years after its first launch anywhere.

    ``frame``: one row per adopter: adopter, region, place (strings), y_k, y_H (level per head at k and at
    the horizon; null or NaN not observed), end_year (year of a dated end, else null), log_gdp_prior (natural
    log of GDP per head before k, or null); ``entry_year`` may be there, for displacement.

    Rows: measure, bound (``none``; ``censored_first``, ``censored_last``; for displacement
    ``unknown_entered``, ``unknown_not_entered``), k, horizon, estimate, lo, hi (at ``level``), lo_region,
    hi_region, lo_place, hi_place (expanded percentile bootstrap over regions, null under five of them, and over
    places), p_within_region, n, n_regions, n_censored, n_dead, method, reason (why the estimate is null).
    Measures: tau_b_dead_last, spearman_dead_last, tau_b_survivors, spearman_survivors, partial_tau_b (dead
    last, given log GDP), partial_tau_b_copula, partial_tau_b_if_wealth_alone, tau_b_with_gdp_known,
    tau_b_authority_gdp, tau_b_impact_gdp, survival_low|middle|high, retention, displacement.

    lo and hi are the wider of the two bootstraps: neighbours share much, and a place is not an independent
    draw; but with few regions their bootstrap is itself too narrow. The permutation test moves authority
    among the adopters of a region; its p is two-sided about the mean of all arrangements, (b + 1) / (m + 1).
    Raises ValueError: a column missing, no rows, a null key, an adopter twice, an infinite value, a level at
    H after the adopter's end or a level at k after it, a horizon not after k.
    """
    checked = _validate(frame, k, horizon, first_launch, level)
    present = checked.filter(pl.col("y_k").is_not_null())
    dead, censored = (present[name].to_numpy() for name in ("dead", "censored"))
    counts = {"n_censored": int(censored.sum()), "n_dead": int(dead.sum())}
    setting = _Setting(k, horizon, level, n_boot, n_perm, seed, **counts)
    x, y, z = (present[name].to_numpy().astype(np.float64) for name in ("y_k", "y_H", "log_gdp_prior"))
    region, place = (np.unique(present[name], return_inverse=True)[1] for name in ("region", "place"))
    sample = _Sample(x, y, z, region.astype(np.int64), place.astype(np.int64))
    rows = _rank_rows(setting, sample, dead, censored) + _survival_rows(setting, sample, dead, censored)
    rows += _top_rows(setting, checked, top_n)
    return pl.DataFrame(rows, schema=_ROW, orient="row")


def _validate(frame: pl.DataFrame, k: int, horizon: int, first_launch: int, level: float) -> pl.DataFrame:
    """The input checked, NaN made null, with marks of the dead, the censored and who had entered by k."""
    if horizon <= k:
        raise ValueError(f"horizon {horizon} must come after k {k}")
    if not 0.0 < level < 1.0:
        raise ValueError(f"level {level} must lie between 0 and 1")
    _check_keys(frame)
    names = ("y_k", "y_H", "log_gdp_prior")
    numbers = pl.col(names).cast(pl.Float64).fill_nan(None)
    frame = frame.with_columns(numbers, pl.col("end_year").cast(pl.Int64))
    infinite = [name for name in names if frame[name].is_infinite().any()]
    if infinite:
        raise ValueError(f"column {infinite[0]} has an infinite value")
    ended, gone = pl.col("end_year"), pl.col("y_H").is_null()
    late = ((ended < first_launch + horizon) & ~gone) | ((ended < first_launch + k) & pl.col("y_k").is_not_null())
    wrong = frame.filter(late)
    if wrong.height:
        raise ValueError(f"adopter {wrong['adopter'].sort()[0]!r} has a level after its end_year")
    dead = (gone & (ended <= first_launch + horizon)).fill_null(False)
    unseen = pl.col("entry_year").cast(pl.Int64) if "entry_year" in frame.columns else pl.lit(None, pl.Int64)
    entered = pl.when(pl.col("y_k").is_not_null()).then(pl.col("y_k") > 0).otherwise(unseen <= first_launch + k)
    return frame.with_columns(dead=dead, censored=gone & ~dead, entered=entered).sort("adopter")


def _check_keys(frame: pl.DataFrame) -> None:
    """Columns there, rows there, keys without nulls, each adopter once."""
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise ValueError(f"persistence frame lacks column(s): {', '.join(missing)}")
    if frame.is_empty():
        raise ValueError("persistence frame has no rows")
    for name in ("adopter", "region", "place"):
        if frame[name].null_count():
            raise ValueError(f"column {name} has {frame[name].null_count()} null(s)")
    twice = frame.filter(pl.col("adopter").is_duplicated())
    if twice.height:
        raise ValueError(f"adopter {twice['adopter'].sort()[0]!r} has several rows")


def _rank_rows(
    setting: _Setting, sample: _Sample, dead: NDArray[np.bool_], censored: NDArray[np.bool_]
) -> list[dict[str, object]]:
    """Rows of the rank correlations: dead last, survivors, partial given GDP; with the censored both ways."""
    alive = ~dead & ~censored
    seen = sample.y[alive]
    bottom, top = (float(seen.min()) - 1.0, float(seen.max()) + 1.0) if len(seen) else (0.0, 1.0)
    rows = _reading(setting, sample.take(alive), _plain("survivors"), "none")
    none: list[dict[str, object]] = []
    for bound, place in (("none", np.nan), ("censored_first", top), ("censored_last", bottom)):
        if bound != "none" and not censored.any():
            rows += [{**row, "bound": bound, "p_within_region": None} for row in none]
            continue
        y = np.where(dead, bottom, np.where(censored, place, sample.y))
        full = replace(sample, y=y).take(np.isfinite(y))
        found = _reading(setting, full, _plain("dead_last"), bound)
        found += _reading(setting, full.take(np.isfinite(full.z)), _partial, bound)
        none, rows = none or found, rows + found
    return rows


def _plain(name: str) -> Callable[[_Sample, FloatArray], Statistics]:
    """τ-b and Spearman's ρ of authority and impact under their names for a reading."""

    def statistics(sample: _Sample, counts: FloatArray) -> Statistics:
        x, y = signs(sample.x), signs(sample.y)
        return {f"tau_b_{name}": tau(x, y, counts), f"spearman_{name}": _spearman(x, y, counts)}

    return statistics


def _partial(sample: _Sample, counts: FloatArray) -> Statistics:
    """Partial τ-b given log GDP, beside what it is made of."""
    x, y, z = (signs(values) for values in (sample.x, sample.y, sample.z))
    xy, xz, yz = tau(x, y, counts), tau(x, z, counts), tau(y, z, counts)
    return {
        "partial_tau_b": partial_tau_b(xy, xz, yz),
        "partial_tau_b_copula": partial_tau_copula(xy, xz, yz),
        "partial_tau_b_if_wealth_alone": partial_tau_if_z_alone(xz, yz),
        "tau_b_with_gdp_known": xy,
        "tau_b_authority_gdp": xz,
        "tau_b_impact_gdp": yz,
    }


def _spearman(signs_x: FloatArray, signs_y: FloatArray, counts: FloatArray) -> FloatArray:
    """Spearman's ρ (B,): Pearson's correlation of each resample's mid-ranks; NaN where one side is tied."""
    size = counts.sum(axis=1, keepdims=True)
    # The mid-rank less the mean rank is half the sum of the signs against all others.
    x, y = counts @ signs_x.T, counts @ signs_y.T
    cross = (counts * x * y).sum(axis=1)
    spread_x, spread_y = (counts * x**2).sum(axis=1), (counts * y**2).sum(axis=1)
    known = (spread_x > 0) & (spread_y > 0) & (size[:, 0] > 0)
    scale = np.sqrt(np.where(known, spread_x, 1.0) * np.where(known, spread_y, 1.0))
    return np.where(known, cross / scale, np.nan)


def _reading(
    setting: _Setting, sample: _Sample, statistics: Callable[[_Sample, FloatArray], Statistics], bound: str
) -> list[dict[str, object]]:
    """Rows of one reading: estimates, both bootstraps, permutation test (bound ``none`` only)."""
    n, n_regions = len(sample.x), len(np.unique(sample.region))
    estimates = statistics(sample, np.ones((1, n)))
    head: dict[str, object] = {"bound": bound, "n": n, "n_regions": n_regions}
    if n < MIN_ADOPTERS:
        reason = f"fewer than {MIN_ADOPTERS} adopters"
        return [_row(setting, measure=name, reason=reason, **head) for name in estimates]
    rng = np.random.default_rng([setting.seed, n])
    by_place = statistics(sample, _draw(sample.place, setting.n_boot, rng))
    by_region = statistics(sample, _draw(sample.region, setting.n_boot, rng)) if n_regions >= MIN_REGIONS else {}
    tests = _permutation_p(setting, sample, rng) if bound == "none" else {}
    rows = []
    for name, value in estimates.items():
        if np.isnan(value[0]):
            rows.append(_row(setting, measure=name, reason="all tied on one side", **head))
            continue
        places = _percentiles(by_place[name], setting.level, sample.place)
        limits, method = _limits(places, _percentiles(by_region.get(name), setting.level, sample.region))
        test = {"p_within_region": tests.get(_TESTED.get(name, ""))}
        rows.append(_row(setting, measure=name, estimate=float(value[0]), method=method, **head, **limits, **test))
    return rows


def _draw(codes: IntArray, n_boot: int, rng: np.random.Generator) -> FloatArray:
    """How often each adopter (B, n) is in resamples of its clusters with replacement."""
    names, cluster = np.unique(codes, return_inverse=True)
    size = len(names)
    drawn = rng.multinomial(size, np.full(size, 1.0 / size), size=n_boot)
    return drawn[:, cluster].astype(np.float64)


Limits = tuple[float | None, float | None]


def _limits(place: Limits, region: Limits) -> tuple[dict[str, float | None], str]:
    """Limits of both bootstraps, the wider as lo and hi, and words on which."""
    found = {"lo_place": place[0], "hi_place": place[1], "lo_region": region[0], "hi_region": region[1]}
    if place[0] is None or place[1] is None:
        return {**found, "lo": region[0], "hi": region[1]}, "bootstrap over regions"
    if region[0] is None or region[1] is None:
        return {**found, "lo": place[0], "hi": place[1]}, "bootstrap over places; too few regions for theirs"
    if region[1] - region[0] >= place[1] - place[0]:
        return {**found, "lo": region[0], "hi": region[1]}, "bootstrap over regions, the wider of the two"
    return {**found, "lo": place[0], "hi": place[1]}, "bootstrap over places, the wider of the two"


def _percentiles(resampled: FloatArray | None, level: float, codes: IntArray) -> Limits:
    """`expanded_percentiles` of clusters that count by their adopters; None where there are no resamples."""
    return (None, None) if resampled is None else expanded_percentiles(resampled, level, np.bincount(codes))


def expanded_percentiles(resampled: FloatArray, level: float, size: ArrayLike) -> Limits:
    """Central percentiles, further out for few clusters; None where more than one resample in twenty has no value.

    Resamples of G clusters vary by (G − 1)/G too little, and the normal's tails are too short: the percentiles are those that
    √(G/(G − 1)) times the quantile of t(G − 1) reaches (the expanded percentile interval: Hesterberg 2015, section 5.3), G the
    effective number of clusters, (Σ n)² / Σ n² of their sizes n (Carter, Schnepel & Steigerwald 2017).
    """
    if np.isnan(resampled).mean() > 0.05:
        return None, None
    sizes = np.asarray(size, dtype=np.float64)
    effective = max(float(sizes.sum() ** 2 / (sizes**2).sum()), 2.0)
    reach = np.sqrt(effective / (effective - 1.0)) * stats.t.ppf((1.0 + level) / 2.0, effective - 1.0)
    tail = float(stats.norm.sf(reach))
    low, high = np.quantile(resampled[~np.isnan(resampled)], [tail, 1.0 - tail])
    return float(low), float(high)


def _permutation_p(setting: _Setting, sample: _Sample, rng: np.random.Generator) -> dict[str, float | None]:
    """P of τ-b (key ``tau_b``) and of both partial τ when authority moves within regions; null if it cannot.

    Distance is from the mean over the arrangements and the one observed, so that what regions share is not
    counted as evidence.
    """
    measures = ("tau_b", "partial_tau_b", "partial_tau_b_copula")
    sizes = np.bincount(sample.region)
    if sizes.max(initial=0) < 2 or not setting.n_perm:
        return dict.fromkeys(measures)
    has_z = bool(np.isfinite(sample.z).all())
    x, y, z = (signs(values) for values in (sample.x, sample.y, sample.z if has_z else sample.y))
    once = np.ones((1, len(sample.x)))
    others = np.stack([y.ravel(), z.ravel()], axis=1).astype(np.float32)
    small, sums = x.astype(np.float32), np.empty((setting.n_perm + 1, 2))
    sums[0] = small.ravel() @ others
    by_region = np.argsort(sample.region, kind="stable")
    for step in range(1, setting.n_perm + 1):
        moved = np.empty(len(by_region), dtype=np.int64)
        moved[by_region] = np.lexsort((rng.random(len(by_region)), sample.region))
        sums[step] = small[np.ix_(moved, moved)].ravel() @ others
    untied = [float(pair_sum(np.abs(matrix), once)[0]) for matrix in (x, y, z)]
    if min(untied) == 0:
        return dict.fromkeys(measures)
    xy = np.clip(sums[:, 0] / 2.0 / np.sqrt(untied[0] * untied[1]), -1.0, 1.0)
    found: dict[str, float | None] = {"tau_b": _share_as_far(xy)}
    if has_z:
        xz, yz = np.clip(sums[:, 1] / 2.0 / np.sqrt(untied[0] * untied[2]), -1.0, 1.0), tau(y, z, once)
        found["partial_tau_b"] = _share_as_far(partial_tau_b(xy, xz, yz))
        found["partial_tau_b_copula"] = _share_as_far(partial_tau_copula(xy, xz, yz))
    return found


def _share_as_far(values: FloatArray) -> float | None:
    """(b + 1) / (m + 1) for the first value among the m after it, by distance from the mean of all."""
    if np.isnan(values).any():
        return None
    distance = np.abs(values - values.mean())
    return float((distance >= distance[0] - 1e-9).mean())


def _survival_rows(
    setting: _Setting, sample: _Sample, dead: NDArray[np.bool_], censored: NDArray[np.bool_]
) -> list[dict[str, object]]:
    """Share still there at H by tercile of authority at k, its interval over regions where there are enough of them."""
    state = np.where(dead, 1, np.where(censored, 2, 0))
    by_region = _by_twelfth(sample, state, sample.region)
    alone = _by_twelfth(sample, state, np.arange(len(state)))
    rows = []
    for (name, bound, kept, known, edge), (*_, one, each, _) in zip(terciles(by_region), terciles(alone), strict=True):
        alive, n, n_regions = int(kept.sum()), int(known.sum()), int((known > 0).sum())
        head = {"measure": f"survival_{name}", "bound": bound, "n": n, "n_regions": n_regions}
        if len(sample.x) < MIN_ADOPTERS or not n:
            rows.append(_row(setting, **head, reason=f"fewer than {MIN_ADOPTERS} adopters"))
            continue
        clustered = n_regions >= MIN_REGIONS
        found = (
            share_interval(kept, known, setting.level, edge) if clustered else share_interval(one, each, setting.level)
        )
        low, high, method = found
        row = _row(setting, **head, estimate=alive / n, lo=low, hi=high, method=method)
        mine = slice(4 * TERCILES.index(name), 4 * TERCILES.index(name) + 4)
        _, n_dead, n_censored = (int(count) for count in by_region[mine].sum(axis=(0, 2)))
        rows.append({**row, "n_censored": n_censored, "n_dead": n_dead})
    return rows


def _by_twelfth(sample: _Sample, state: IntArray, codes: IntArray) -> IntArray:
    """Adopters (12, 3, G) by twelfth of authority, state and cluster."""
    counts = np.zeros((12, 3, int(codes.max(initial=-1)) + 1), dtype=np.int64)
    np.add.at(counts, (twelfths(authority(sample.x)), state, codes), 1)
    return counts


def twelfths(percentile: FloatArray) -> IntArray:
    """Twelfth (n,), 0 to 11, of mid-rank percentiles (n,): four to a tercile."""
    third = np.minimum((percentile * 3.0 / 100.0).astype(np.int64), 2)
    return np.clip((percentile * 12.0 / 100.0).astype(np.int64), 4 * third, 4 * third + 3)


def terciles(states: IntArray) -> Iterator[tuple[str, str, IntArray, IntArray, FloatArray]]:
    """Tercile, bound, kept, known, edge (G,), as `share_interval` asks, of counts (12, 3, G) by twelfth, state, cluster.

    What a cluster adds by moving the terciles' edges is, for the edge at a share a of all, (a n − those below) of the cluster
    times what an adopter at that edge adds to the tercile (the influence of a quantile: Serfling 1980, 2.5), which those of the
    twelfths at either side tell.
    """
    every, below = states.sum(axis=(0, 1)), np.cumsum(states.sum(axis=1), axis=0)
    for third, name in enumerate(TERCILES):
        alive, dead, censored = states[4 * third : 4 * third + 4].sum(axis=0)
        for bound, (kept, known) in survival_cases(alive + dead + censored, dead, censored).items():
            share = float(kept.sum() / max(known.sum(), 1))
            seen = 0.0 if bound == "none" else 1.0
            worth = np.array([1.0 - share, -share, seen * (float(bound == "censored_first") - share)])
            edge = np.zeros(len(every))
            for at, sign in ((third, -1.0), (third + 1, 1.0)):
                if 0 < at < len(TERCILES):
                    near = states[4 * at - 1 : 4 * at + 1].sum(axis=(0, 2))
                    level = float(worth @ near / max(near.sum(), 1))
                    edge += sign * level * (at / len(TERCILES) * every - below[4 * at - 1])
            yield name, bound, kept, known, edge


def share_interval(
    kept: IntArray, n: IntArray, level: float, edge: FloatArray | None = None
) -> tuple[float, float, str]:
    """Wilson's interval (1927) of Σ kept / Σ n, for as many adopters as these clusters are worth, and what it is called.

    Adopters of a cluster survive or end alike, so that they count for fewer (Korn & Graubard 1998, there of the exact interval;
    of Wilson's: Franco et al. 2019): n is divided by the design effect, at least 1, the variance that leaving out each cluster in
    turn shows over that of independent adopters; and by (t(clusters − 1) / t(n − 1))², the clusters an effective number (Σ n)²
    over Σ n² (Carter, Schnepel & Steigerwald 2017, of adopters that are not alike; the smaller number of Imbens & Kolesár 2016
    goes with errors that are not the jackknife's, and made intervals too wide here). Of adopters that are each a cluster it is
    Wilson's own. Where all survive or none does, nothing shows how much adopters of a cluster are alike, and the interval is as
    of independent ones.

    Args:
        kept: (G,), survivors by cluster.
        n: (G,), adopters by cluster.
        level: of the interval.
        edge: (G,), what each cluster adds beside, where who is counted depends on all adopters; None: nothing.

    """
    total, count = float(n.sum()), int((n > 0).sum())
    share = float(kept.sum() / total)
    worth, method = total, "Wilson" if count == total else f"Wilson, clusters counted ({count})"
    if 0.0 < share < 1.0 and 1 < count < total:
        rest = total - n
        change = (kept - share * n + (0.0 if edge is None else edge)) / np.where(rest > 0, rest, 1.0)
        variance = (count - 1) / count * float((change**2).sum())
        effect = max(variance / (share * (1.0 - share) / (total - 1.0)), 1.0)
        effective = total**2 / float((n**2).sum())
        reach = stats.t.ppf((1.0 + level) / 2.0, [total - 1.0, max(effective - 1.0, 1.0)])
        worth = total / effect * float(reach[0] / reach[1]) ** 2
    low, high = wilson(share, worth, level)
    return low, high, method


def survival_cases(total: IntArray, n_dead: IntArray, n_censored: IntArray) -> dict[str, tuple[IntArray, IntArray]]:
    """Those who survived and those they are a share of (G,), by bound: without the censored, all of them surviving, none.

    Of counts by cluster (G,).
    """
    known = total - n_censored
    return {
        "none": (known - n_dead, known),
        "censored_first": (total - n_dead, total),
        "censored_last": (known - n_dead, total),
    }


def _top_rows(setting: _Setting, frame: pl.DataFrame, top_n: int) -> list[dict[str, object]]:
    """Retention and displacement of the top n, with what is not known taken both ways; clusters as of survival."""
    y_k, y_H = (frame[name].to_numpy().astype(np.float64) for name in ("y_k", "y_H"))
    entered = frame["entered"].cast(pl.Float64).to_numpy().astype(np.float64)
    region = np.unique(frame["region"].to_numpy(), return_inverse=True)[1].astype(np.int64)
    n_regions = int(region.max()) + 1
    own = region if n_regions >= MIN_REGIONS else np.arange(len(region))
    counts = counted(y_k, y_H, frame["censored"].to_numpy(), entered, top_n)
    return [_row(setting, **row, n_regions=n_regions) for row in top_rows(counts, own, top_n, setting.level)]


def _row(setting: _Setting, **values: object) -> dict[str, object]:
    """One row of the result; what is not given is null."""
    row: dict[str, object] = dict.fromkeys(_ROW)
    row |= {"k": setting.k, "horizon": setting.horizon, "level": setting.level}
    row |= {"n_censored": setting.n_censored, "n_dead": setting.n_dead}
    return row | values
