"""Who stays in the top n and who came later: retention and displacement, with intervals that know where the top ends.

Belongs here: both shares and their intervals, of single adopters or of counts of such as are alike. Does not: who is there, when
one ended (`persistence`, the warehouse).

The top n of those there is a share of them, and its edge is a quantile that the sample itself sets. What one more adopter adds
to a share is therefore what it adds as a member, less what it does by moving the edges (the influence of a quantile: Serfling
1980, 2.5): an adopter in the top at k pushes another out, and with it the part of those at that edge who count. These parts are
read off the ⌈n/2⌉ at either side of an edge.

The variance of a share is that of these additions, summed by cluster, each square over 1 − h with h its part of the top (as in
CR2: Bell & McCaffrey 2002; the jackknife's own (1 − h)² is too little where one cluster holds half of ten). Perfect agreement but
at the edges halves it, which is the least that is believed of few. The interval is Wilson's (1927) for as many independent
adopters as have that variance (Korn & Graubard 1998; Franco et al. 2019), fewer by (t(n − 1) / t(G − 1))² with G the effective
number of clusters of the top, (Σ n)² / Σ n² (Carter, Schnepel & Steigerwald 2017). Where all stay or none does, nothing shows how
much adopters of a cluster are alike, and it is as of independent ones.

How often it holds, and where more often than it says (a share of ten takes few values, and few clusters say little):
`tests/study/results/top_ranks.json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from longwave.models.ranks import FloatArray
from numpy.typing import NDArray
from scipy import stats

IntArray = NDArray[np.int64]
Counts = Mapping[str, NDArray[Any]]
Row = dict[str, Any]

LEAST: Final = 10
"""Adopters at either year under which there are no shares."""
_LEAST_EFFECT: Final = 0.5


def counted(y_k: FloatArray, y_h: FloatArray, lost: NDArray[np.bool_], entered: FloatArray, top_n: int) -> Counts:
    """Single adopters (m,) as `top_rows` reads them, but for their clusters.

    Args:
        y_k: levels at k, NaN where not there.
        y_h: levels at H, NaN where not there.
        lost: not seen at H, and not dead.
        entered: 1 by k, 0 later, NaN not known.
        top_n: n.

    """
    columns: dict[str, NDArray[Any]] = {"n": np.ones(len(y_k)), "lost": lost}
    columns["entered"] = np.where(np.isnan(entered), -1.0, entered)
    for name, levels in (("k", y_k), ("h", y_h)):
        there = np.isfinite(levels)
        ordered = np.sort(levels[there])[::-1]
        high, edge, low = (
            ordered[min(at, len(ordered) - 1)] if len(ordered) else np.nan for at in edges(top_n, len(ordered))
        )
        columns |= {
            f"in_{name}": there,
            f"over_{name}": there & (levels > edge),
            f"tied_{name}": there & (levels == edge),
        }
        columns[f"near_{name}"] = there & (levels >= low) & (levels <= high)
    return columns


def edges(top_n: int, there: int) -> tuple[int, int, int]:
    """Places from above, counted from 0, of the first that is near the edge of the top n, the last in it, the last near it."""
    half = (top_n + 1) // 2
    return top_n - half, top_n - 1, min(top_n + half, there) - 1


def top_rows(counts: Counts, own: IntArray, top_n: int, level: float = 0.95) -> list[Row]:
    """Rows measure, bound, estimate, lo, hi, level, n, method, reason of retention and displacement of the top n.

    Args:
        counts: (m,) columns: `n` adopters that are alike in all others: in_k, in_h (there at either year), over_k, over_h,
            tied_k, tied_h (over and at the edge of the top), near_k, near_h (near that edge), lost (not seen at H and not
            dead), entered (1, 0; -1 unknown).
        own: (m,), code of the cluster.
        top_n: n.
        level: of the intervals.

    """
    n = counts["n"].astype(np.float64)
    there = [float(n[counts[name].astype(bool)].sum()) for name in ("in_k", "in_h")]
    head: Row = {"n": int(there[0]), "level": level, "lo": None, "hi": None, "estimate": None, "method": None}
    least = max(LEAST, top_n)
    if min(there) < least:
        reason = f"fewer than {least} adopters at k or at the horizon"
        return [head | {"measure": name, "bound": "none", "reason": reason} for name in ("retention", "displacement")]
    early, late = _member(counts, "k", top_n), _member(counts, "h", top_n)
    lost, new = counts["lost"].astype(np.float64), (counts["entered"] == 0).astype(np.float64)
    known, one = (counts["entered"] >= 0).astype(np.float64), np.ones(len(n))
    # Of the members of a top, who counts, and of whom the share is.
    asked = {
        ("retention", "none"): (late, 1.0 - lost),
        ("retention", "censored_first"): (np.maximum(late, lost), one),
        ("retention", "censored_last"): (late, one),
        ("displacement", "none"): (new, known),
        ("displacement", "unknown_entered"): (new, one),
        ("displacement", "unknown_not_entered"): (np.maximum(new, 1.0 - known), one),
    }
    at_k, at_h = _Edge(counts, "k", early, top_n), _Edge(counts, "h", late, top_n)
    rows = []
    for (measure, bound), (counting, of) in asked.items():
        own_edge = at_k if measure == "retention" else at_h
        kept, base = (own_edge.member * values for values in (counting, of))
        pushed = kept - own_edge.moved(counting)
        if measure == "retention":
            pushed = pushed - at_h.moved(early)
        found = _share(n, (kept, base), (pushed, base - own_edge.moved(of)), own, level)
        method = found["method"]
        found["method"] = f"top {top_n}; ties at the edge count in part; {method}" if method else None
        found["reason"] = None if method else "of nobody in the top it is known"
        rows.append(head | {"measure": measure, "bound": bound} | found)
    return rows


def _member(counts: Counts, at: str, top_n: int) -> FloatArray:
    """How much those of each row belong to the top, as `ranks.top_membership`."""
    over, tied, n = counts[f"over_{at}"].astype(bool), counts[f"tied_{at}"].astype(bool), counts["n"]
    left, edge = top_n - float(n[over].sum()), max(float(n[tied].sum()), 1.0)
    return np.where(over, 1.0, np.where(tied, left / edge, 0.0))


class _Edge:
    """The edge of a top: who is a member (m,), and what one adopter of each row moves by being there."""

    def __init__(self, counts: Counts, at: str, member: FloatArray, top_n: int) -> None:
        n, there = counts["n"].astype(np.float64), counts[f"in_{at}"].astype(np.float64)
        self.member = member
        self._near = n * counts[f"near_{at}"].astype(np.float64)
        self._push = member - top_n * there / float(n @ there)

    def moved(self, values: FloatArray) -> FloatArray:
        """What leaves the top by one adopter more in it: the mean of ``values`` (m,) near the edge, for each that it pushes."""
        return self._push * float(self._near @ values / max(float(self._near.sum()), 1.0))


def _share(
    n: FloatArray,
    sums: tuple[FloatArray, FloatArray],
    added: tuple[FloatArray, FloatArray],
    own: IntArray,
    level: float,
) -> Row:
    """Estimate, lo, hi, method of a share of sums over rows of n adopters; ``added``: what one adopter adds to either."""
    kept, total = (float(n @ values) for values in sums)
    if total <= 0.0:
        return {"estimate": None, "lo": None, "hi": None, "method": None}
    share = kept / total
    change = added[0] - share * added[1]
    clusters = np.unique(own, return_inverse=True)[1]
    members = np.bincount(clusters, n * sums[1])
    effective = total**2 / float((members**2).sum())
    worth = total
    if 1e-9 < share < 1.0 - 1e-9 and effective > 1.0 + 1e-9:
        rest = np.where(total > members, total - members, total)
        variance = float((np.bincount(clusters, n * change) ** 2 / rest).sum()) / total
        effect = max(variance / (share * (1.0 - share) / total), _LEAST_EFFECT)
        reach = stats.t.ppf((1.0 + level) / 2.0, [max(total - 1.0, 1.0), max(effective - 1.0, 1.0)])
        worth = total / effect * min(float(reach[0] / reach[1]), 1.0) ** 2
    low, high = wilson(share, worth, level)
    return {
        "estimate": share,
        "lo": low,
        "hi": high,
        "method": f"Wilson, clusters of the top counted ({(members > 0).sum()})",
    }


def wilson(share: float, n: float, level: float) -> tuple[float, float]:
    """Wilson's interval (1927) of a share of n."""
    z = float(stats.norm.ppf((1.0 + level) / 2.0))
    middle = (share + z**2 / (2.0 * n)) / (1.0 + z**2 / n)
    half = z / (1.0 + z**2 / n) * np.sqrt(share * (1.0 - share) / n + z**2 / (4.0 * n**2))
    # Of none or of all an end is the share itself, which rounding must not miss.
    return min(max(float(middle - half), 0.0), share), max(min(float(middle + half), 1.0), share)
