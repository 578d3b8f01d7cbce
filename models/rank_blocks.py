"""Persistence of panels whose pairs do not fit in memory: sums over blocks of ranks, and what follows from them.

Belongs here: exact τ-b and Spearman's ρ of any number of adopters from blocks in which those near each other in rank stand
together, their intervals, survival, retention and displacement from counts. Not here: how adopters are ranked and parted
in blocks (the warehouse), what persistence is (`persistence`, whose estimates these are).

Ranks are doubled mid-ranks: whole numbers, the same of those tied. Buckets part the order by authority and that by impact;
tied adopters share a bucket. A pair of adopters is compared once: by the counts of pairs of buckets if it differs in both,
in the block by authority if it shares that bucket, else in the block by impact. Blocks do not depend on each other.

The interval is the infinitesimal jackknife (Efron 1982) by random groups (Wolter 2007, chapter 2): what an adopter adds to a
measure is summed by group, and SE² = (G−1)/G Σ_g (Σ_{i∈g} influence_i / (1 − h_g))², with h_g the group's share of the adopters:
without the group the rest counts for so much more (as in CR3: MacKinnon, Nielsen & Webb 2023; of equal groups it is Wolter's
G/(G−1) Σ_g). t has the effective number of groups (Σ h)² / Σ h² less one degrees of freedom (Carter, Schnepel & Steigerwald
2017): a few large clusters make fewer of them. The groups take whole clusters, so that what adopters of one cluster share is in
it. It is near the percentile bootstrap of `persistence` where n is large; for few adopters that one is to be used. How often it
holds: `tests/study/results/large_ranks.json`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import numba
import numpy as np
from longwave.models.persistence import MIN_ADOPTERS, TERCILES, share_interval, terciles, twelfths
from numpy.typing import NDArray
from scipy import stats

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
Block = Mapping[str, NDArray[Any]]
Row = dict[str, Any]

ALIVE, DEAD, CENSORED = 0, 1, 2
READINGS: Final = (
    ("tau_b_survivors", "none"),
    ("tau_b_dead_last", "none"),
    ("tau_b_dead_last", "censored_first"),
    ("tau_b_dead_last", "censored_last"),
)
METHOD: Final = "infinitesimal jackknife by random groups"


@dataclass(frozen=True)
class Margins:
    """What is known before the blocks are read.

    ``agree``: (B, B), of an alive adopter in a pair of buckets, the signs with all alive that differ from it in both; ``n``: of
    each state; ``before``: (B, 3), how many of each state are in lower buckets by authority; ``impact_before`` (B,): the sum of
    centred ranks of impact of the alive in lower buckets by authority; ``authority_before`` (B,): the reverse; ``groups``.
    """

    agree: IntArray
    n: tuple[int, int, int]
    before: IntArray
    impact_before: FloatArray
    authority_before: FloatArray
    groups: int


@dataclass(frozen=True)
class Sums:
    """Sums by group (G,) of what its adopters add; of the readings of τ-b (4, G).

    ``agree``, ``untied_x``, ``untied_y``: signs, and pairs untied, with all others of the reading. Of Spearman's ρ among the
    alive: ``uv``, ``uu``, ``vv``: products of centred ranks; ``gain_uv``, ``gain_uu``, ``gain_vv``: what the products of all
    others gain by one more adopter of that rank. ``states`` (12, 3, G): adopters by twelfth of authority and state; ``n`` (3, G):
    adopters by state.
    """

    agree: IntArray
    untied_x: IntArray
    untied_y: IntArray
    uv: FloatArray
    uu: FloatArray
    vv: FloatArray
    gain_uv: FloatArray
    gain_uu: FloatArray
    gain_vv: FloatArray
    states: IntArray
    n: IntArray

    @classmethod
    def none(cls, groups: int) -> Sums:
        """Sums of no block."""
        by_reading = np.zeros((len(READINGS), groups), dtype=np.int64)
        real, n = np.zeros(groups), np.zeros((3, groups), dtype=np.int64)
        states = np.zeros((12, 3, groups), dtype=np.int64)
        return cls(by_reading, by_reading, by_reading, real, real, real, real, real, real, states, n)

    def __add__(self, other: Sums) -> Sums:
        """Sums of the blocks of both."""
        return Sums(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


def margins(cells: Block, buckets: int, groups: int) -> Margins:
    """What the blocks need, from counts and sums of ranks by pair of buckets and state: kx, ky, state, n, xa2, y2."""
    kx, ky, state, n = (cells[name].astype(np.int64) for name in ("kx", "ky", "state", "n"))
    by_state = np.zeros((buckets, 3), dtype=np.int64)
    np.add.at(by_state, (kx, state), n)
    before = np.cumsum(by_state, axis=0) - by_state
    total = by_state.sum(axis=0)
    mine = state == ALIVE
    table = np.zeros((buckets, buckets), dtype=np.int64)
    np.add.at(table, (kx[mine], ky[mine]), n[mine])
    centre = int(total[ALIVE]) + 1
    sums = []
    for name, at in (("y2", kx), ("xa2", ky)):
        of_bucket = np.zeros(buckets)
        np.add.at(of_bucket, at[mine], (cells[name].astype(np.int64) - centre * n)[mine])
        sums.append(np.cumsum(of_bucket) - of_bucket)
    a, d, c = (int(value) for value in total)
    return Margins(_quadrants(table), (a, d, c), before, sums[0], sums[1], groups)


def _quadrants(table: IntArray) -> IntArray:
    """Of each cell: those lower in both and higher in both, less those lower in one and higher in the other."""
    below = np.zeros((table.shape[0] + 1, table.shape[1] + 1), dtype=np.int64)
    below[1:, 1:] = table.cumsum(axis=0).cumsum(axis=1)
    rows, columns, total = below[:, -1:], below[-1:, :], below[-1, -1]
    low_low = below[:-1, :-1]
    low_high = rows[:-1] - below[:-1, 1:]
    high_low = columns[:, :-1] - below[1:, :-1]
    high_high = total - rows[1:] - columns[:, 1:] + below[1:, 1:]
    quadrants: IntArray = low_low + high_high - low_high - high_low
    return quadrants


def by_authority(block: Block, known: Margins) -> Sums:
    """Sums of whole buckets by authority: all but what pairs within a bucket by impact, and ties of impact, add.

    ``block``: own, state, x2, xa2, y2, kx, ky (m,), in any order.
    """
    # In the order of both ranks, so that sums do not depend on how the rows came.
    order = np.lexsort((block["y2"], block["state"], block["x2"]))
    x, xa, y, own, state = (block[name][order].astype(np.int64) for name in ("x2", "xa2", "y2", "own", "state"))
    kx, ky = (block[name][order].astype(np.int64) for name in ("kx", "ky"))
    n, groups = known.n, known.groups
    ties = _Ties(x)
    of = [(state == each).astype(np.int64) for each in (ALIVE, DEAD, CENSORED)]
    below = [known.before[kx[0], each] + ties.below(of[each]) for each in (ALIVE, DEAD, CENSORED)]
    tied = [ties.own(of[each]) for each in (ALIVE, DEAD, CENSORED)]
    # Of each state, the balance of those below and above: the signs with all of it, if it is lower in impact.
    balance = [2 * below[each] + tied[each] - n[each] for each in (ALIVE, DEAD, CENSORED)]
    alive = state == ALIVE
    signs = np.zeros(len(x), dtype=np.int64)
    signs[alive] = known.agree[kx[alive], ky[alive]] + signs_with_all(x[alive], y[alive])
    agree, untied_y = _with_the_gone(signs, balance, state, n)
    untied = [n[each] - tied[each] for each in (ALIVE, DEAD, CENSORED)]
    every = untied[ALIVE] + untied[DEAD] + untied[CENSORED]
    untied_x = [untied[ALIVE], untied[ALIVE] + untied[DEAD], every, every]
    inside = [alive, state != CENSORED, np.ones(len(x), dtype=bool), np.ones(len(x), dtype=bool)]

    def by_reading(values: Sequence[IntArray]) -> IntArray:
        rows = zip(inside, values, strict=True)
        return np.stack([_by_group(own[each], of_reading[each], groups) for each, of_reading in rows])

    states = np.zeros((12, 3, groups), dtype=np.int64)
    np.add.at(states, (twelfths(100.0 * (x / 2.0 - 0.5) / sum(n)), state, own), 1)
    return replace(
        _products(own[alive], xa[alive], y[alive], known, float(known.impact_before[kx[0]])),
        agree=by_reading(agree),
        untied_x=by_reading(untied_x),
        untied_y=by_reading(untied_y),
        states=states,
        n=np.stack([_by_group(own, each, groups) for each in of]),
    )


def _with_the_gone(
    signs: IntArray, balance: Sequence[IntArray], state: IntArray, n: tuple[int, int, int]
) -> tuple[list[IntArray], list[IntArray]]:
    """Signs with all others, and pairs untied in impact but for those among the alive, of each reading.

    The dead are below all alive; the censored are above them in the third reading, and with the dead in the last.
    """
    a, d, c = n
    alive, dead, gone = state == ALIVE, state == DEAD, state != ALIVE
    dead_last = np.where(alive, signs + balance[DEAD], -balance[ALIVE])
    top = np.where(alive, dead_last - balance[CENSORED], np.where(dead, -balance[ALIVE] - balance[CENSORED], 0))
    top = np.where(alive | dead, top, balance[ALIVE] + balance[DEAD])
    bottom = np.where(gone, -balance[ALIVE], signs + balance[DEAD] + balance[CENSORED])
    zero = np.zeros(len(state), dtype=np.int64)
    apart_top = np.where(alive, d + c, np.where(dead, a + c, a + d))
    untied = [zero, np.where(alive, d, a), apart_top, np.where(alive, d + c, a)]
    return [signs, dead_last, top, bottom], untied


def _products(own: IntArray, xa: IntArray, y: IntArray, known: Margins, before: float) -> Sums:
    """Sums of Spearman's ρ among the alive that the order by authority tells."""
    n, groups = known.n[ALIVE], known.groups
    u, v = xa - (n + 1), y - (n + 1)
    ties = _Ties(xa)
    above_v = -(before + ties.below(v) + ties.own(v) / 2.0)
    return replace(
        Sums.none(groups),
        uv=_by_group_real(own, u * v, groups),
        uu=_by_group_real(own, u * u, groups),
        vv=_by_group_real(own, v * v, groups),
        gain_uv=_by_group_real(own, above_v, groups),
        gain_uu=_by_group_real(own, _above_itself(u, ties, n), groups),
    )


def _above_itself(centred: IntArray, ties: _Ties, n: int) -> FloatArray:
    """Of centred ranks, the sum of those above and half of those tied: ranks of the lowest L add up to L (L + 1) / 2."""
    tied = ties.own(np.ones(len(centred), dtype=np.int64))
    lower = (centred + n - tied) // 2
    above: FloatArray = -(lower * (lower - n) + tied * centred / 2.0)
    return above


def by_impact(block: Block, known: Margins) -> Sums:
    """Sums of whole buckets by impact, of the alive: pairs that share the bucket and not that by authority, ties of impact.

    ``block``: own, xa2, y2, kx, ky (m,), in any order.
    """
    order = np.lexsort((block["xa2"], block["y2"]))
    xa, y, own, kx, ky = (block[name][order].astype(np.int64) for name in ("xa2", "y2", "own", "kx", "ky"))
    n, groups = known.n[ALIVE], known.groups
    ties = _Ties(y)
    agree = _by_group(own, signs_with_all(y, kx), groups)
    untied = _by_group(own, n - ties.own(np.ones(len(y), dtype=np.int64)), groups)
    u, v = xa - (n + 1), y - (n + 1)
    above_u = -(known.authority_before[ky[0]] + ties.below(u) + ties.own(u) / 2.0)
    return replace(
        Sums.none(groups),
        agree=np.tile(agree, (len(READINGS), 1)),
        untied_y=np.tile(untied, (len(READINGS), 1)),
        gain_uv=_by_group_real(own, above_u, groups),
        gain_vv=_by_group_real(own, _above_itself(v, ties, n), groups),
    )


class _Ties:
    """Runs of equal values in a sorted array (m,), of at least one value."""

    def __init__(self, ordered: IntArray) -> None:
        self._starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))[: len(ordered)]
        self._sizes = np.diff(np.append(self._starts, len(ordered)))

    def own(self, values: IntArray) -> IntArray:
        """Of each, the sum over its run (m,)."""
        if not len(values):
            return values
        return np.repeat(np.add.reduceat(values, self._starts), self._sizes)

    def below(self, values: IntArray) -> IntArray:
        """Of each, the sum over all runs before its own (m,)."""
        if not len(values):
            return values
        sums = np.add.reduceat(values, self._starts)
        return np.repeat(np.cumsum(sums) - sums, self._sizes)


def _by_group(own: IntArray, values: IntArray, groups: int) -> IntArray:
    """Sums of whole numbers by group (G,), exact."""
    total = np.zeros(groups, dtype=np.int64)
    np.add.at(total, own, values)
    return total


def _by_group_real(own: IntArray, values: FloatArray | IntArray, groups: int) -> FloatArray:
    return np.bincount(own, values, groups).astype(np.float64)


def signs_with_all(first: IntArray, second: IntArray) -> IntArray:
    """Of each (m,), the sum over all others of the product of the signs of both differences.

    ``first`` is sorted. Time grows as m log m.
    """
    codes = np.unique(second, return_inverse=True)[1].astype(np.int64)
    found = np.zeros(len(first), dtype=np.int64)
    if len(first):
        _count_signs(np.ascontiguousarray(first), codes, int(codes.max()) + 1, found)
    return found


@numba.njit(cache=True, nogil=True)
def _count_signs(first: IntArray, codes: IntArray, size: int, found: IntArray) -> None:
    """Signs with those lower in ``first``, then with those higher: how many codes are lower is kept in a tree (Fenwick 1994)."""
    m = len(first)
    for side in range(2):
        tree = np.zeros(size + 1, dtype=np.int64)
        start = 0
        while start < m:
            end = start
            while end < m and first[_at(end, side, m)] == first[_at(start, side, m)]:
                end += 1
            for step in range(start, end):
                i = _at(step, side, m)
                lower = _lower(tree, codes[i])
                balance = lower - (start - _lower(tree, codes[i] + 1))
                found[i] += balance if side == 0 else -balance
            for step in range(start, end):
                at = codes[_at(step, side, m)] + 1
                while at <= size:
                    tree[at] += 1
                    at += at & -at
            start = end


@numba.njit(cache=True, nogil=True)
def _at(step: int, side: int, m: int) -> int:
    return step if side == 0 else m - 1 - step


@numba.njit(cache=True, nogil=True)
def _lower(tree: IntArray, code: int) -> int:
    """How many in the tree have a code under this one."""
    total, at = 0, code
    while at > 0:
        total += tree[at]
        at -= at & -at
    return total


# --- what follows


def rank_rows(sums: Sums, n: tuple[int, int, int], level: float = 0.95) -> list[Row]:
    """Rows measure, bound, estimate, lo, hi, n, method, reason of τ-b and Spearman's ρ; null with a reason where there is none.

    Args:
        sums: of all blocks.
        n: adopters alive, dead, censored.
        level: of the intervals.

    """
    a, d, c = n
    alive, known, every = sums.n[ALIVE], sums.n[ALIVE] + sums.n[DEAD], sums.n.sum(axis=0)
    sizes = ((a, alive), (a + d, known), (a + d + c, every), (a + d + c, every))
    rows = []
    for at, ((measure, bound), (size, by_group)) in enumerate(zip(READINGS, sizes, strict=True)):
        of = (sums.agree[at], sums.untied_x[at], sums.untied_y[at])
        rows.append(_measured(measure, bound, size, *_tau(*of), by_group, level))
    rows.insert(1, _measured("spearman_survivors", "none", a, *_rho(sums, a), alive, level))
    return rows


def _tau(agree: IntArray, untied_x: IntArray, untied_y: IntArray) -> tuple[float, FloatArray]:
    """τ-b and what each group adds to it, as `rank_pairs.tau_b`: every pair is in the sums twice."""
    s, x, y = (float(values.sum()) for values in (agree, untied_x, untied_y))
    if x <= 0 or y <= 0:
        return np.nan, np.zeros(len(agree))
    scale = np.sqrt(x) * np.sqrt(y)
    tau = float(np.clip(s / scale, -1.0, 1.0))
    return tau, 2.0 * agree / scale - tau * (untied_x / x + untied_y / y)


def _rho(sums: Sums, n: int) -> tuple[float, FloatArray]:
    """Spearman's ρ and what each group adds to it, as `rank_orders.spearman`, here in centred doubled ranks."""
    alive = sums.n[ALIVE]
    unit = 4.0 * n**3 if n else 1.0
    ab, aa, bb = (float(values.sum()) / unit for values in (sums.uv, sums.uu, sums.vv))
    if aa <= 0 or bb <= 0:
        return np.nan, np.zeros(len(alive))
    rho = float(np.clip(ab / np.sqrt(aa * bb), -1.0, 1.0))
    pairs = ((sums.uv, sums.gain_uv, ab, 1), (sums.uu, sums.gain_uu, aa, 2), (sums.vv, sums.gain_vv, bb, 2))
    # A product of two centred percentiles has 2 n in each; a gain has it once and is spread over n.
    cross, own_a, own_b = (
        product / (4.0 * n**2) + times * gain / (2.0 * n**2) - 3.0 * mean * alive
        for product, gain, mean, times in pairs
    )
    return rho, (cross / np.sqrt(aa * bb) - rho / 2.0 * (own_a / aa + own_b / bb)) / n


def _measured(
    measure: str, bound: str, n: int, estimate: float, influence: FloatArray, by_group: IntArray, level: float
) -> Row:
    row: Row = {"measure": measure, "bound": bound, "n": n, "estimate": None, "lo": None, "hi": None, "level": level}
    if n < MIN_ADOPTERS:
        return row | {"method": None, "reason": f"fewer than {MIN_ADOPTERS} adopters"}
    if np.isnan(estimate):
        return row | {"method": None, "reason": "all tied on one side"}
    here = by_group > 0
    groups, share = int(here.sum()), by_group[here] / n
    row |= {"estimate": estimate, "method": None, "reason": None}
    if groups < 2:
        return row
    change = influence[here] / (1.0 - share)
    error = np.sqrt((groups - 1) / groups * float((change**2).sum()))
    freedom = max(1.0 / float((share**2).sum()) - 1.0, 1.0)
    reach = float(stats.t.ppf((1.0 + level) / 2.0, freedom)) * error
    return row | {"lo": max(estimate - reach, -1.0), "hi": min(estimate + reach, 1.0), "method": f"{METHOD} ({groups})"}


def survival_rows(states: IntArray, level: float = 0.95) -> list[Row]:
    """Rows as those of `rank_rows` of survival by tercile, with n_dead and n_censored; ``states`` (12, 3, G) as in `Sums`."""
    rows = []
    of_tercile = dict(zip(TERCILES, states.sum(axis=2).reshape(3, 4, 3).sum(axis=1), strict=True))
    for name, bound, kept, known, edge in terciles(states):
        n = int(known.sum())
        row: Row = {"measure": f"survival_{name}", "bound": bound, "n": n, "level": level}
        if states.sum() < MIN_ADOPTERS or not n:
            reason = f"fewer than {MIN_ADOPTERS} adopters"
            rows.append(row | {"estimate": None, "lo": None, "hi": None, "method": None, "reason": reason})
            continue
        low, high, method = share_interval(kept, known, level, edge)
        _, dead, censored = (int(count) for count in of_tercile[name])
        row |= {"n_dead": dead, "n_censored": censored, "reason": None, "method": method}
        rows.append(row | {"estimate": float(kept.sum() / n), "lo": low, "hi": high})
    return rows
