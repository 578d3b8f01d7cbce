"""Half-life of persistence: in how many years half of an early order of ranks is lost, where a panel can tell.

Belongs here: the curve through rank correlations by horizon, its interval, every reason for which there is none. Does not: which
years and adopters are read (`find_half_life`, `persisting`), rank correlations at fixed horizons (`persistence`).

τ(h) = τ0 · 2^(−h/λ), by least squares on τ-b of one early year with each later one, h years on; horizons weigh alike. τ0 is
between 0 and 1 and not held at 1: what is lost at once (errors of reading, what is each year's own) is no decay. Given λ, τ0 is
linear and worked out (Golub & Pereyra 1973); what is searched is the rate 1/λ, which may fall to 0 and below, where ranks do not
decay and there is no half-life.

Read so: every later year that has figures of enough of the early adopters is a horizon, and its τ-b is that of the adopters seen
in both years, so that each is the one shown for that horizon by itself.

Rank correlations of one early year share its ranks, and those of neighbouring years most of the rest. So the same clusters are
drawn for all horizons at once, and every resample is fitted anew. Regions and single adopters are resampled, and the wider
interval is given, as for persistence. Adopters are resampled in 500 random groups where there are more of them.

It is told only with at least six horizons, at least 100 adopters at each, horizons that span two half-lives, and an upper limit
under four times the lower: else a straight line of a few years would pass for a half-life. These gates look at the estimate, so
that they pass short ones rather than long ones. Of 2,000 simulated panels of 100 adopters with eight yearly horizons and a
half-life of 3 years, 61 to 75 % tell one, in the middle 2.7 to 2.8 years; the interval holds in 98 % of those, in 96 to 97 % of
all. Of levels that follow their own past and are read with error, 34 % tell one, and the interval holds in 94 % of those. Of
ranks that do not decay 0 % tell one (`tests/study/results/half_life.json`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from longwave.models.persistence import MIN_REGIONS, percentiles
from longwave.models.rank_orders import Clusters, IntArray
from longwave.models.rank_pairs import pair_sums, tau_b
from longwave.models.ranks import FloatArray
from numpy.typing import ArrayLike
from scipy.optimize import elementwise

LEVEL: Final = 0.95
LEAST_HORIZONS: Final = 6
LEAST_ADOPTERS: Final = 100
HALF_LIVES_SEEN: Final = 2.0
WIDEST: Final = 4.0
MOST_GROUPS: Final = 500
_RISING, _FALLING = -4.0, 4.0  # rates searched: so many halvings over the longest horizon, and over the shortest
_STEPS = 120


@dataclass(frozen=True)
class HalfLife:
    """A half-life in years with its interval; NaN, and the reasons why, where there is none.

    ``at_start``: τ-b at horizon 0 (NaN as the half-life); ``n``: adopters at the horizon that has fewest; ``clusters``: regions;
    ``method``: what was resampled.
    """

    n: int
    clusters: int
    horizons: int
    reason: str | None
    estimate: float = float("nan")
    lo: float = float("nan")
    hi: float = float("nan")
    at_start: float = float("nan")
    method: str = ""


def half_life(
    early: ArrayLike,
    later: ArrayLike,
    years: ArrayLike,
    regions: ArrayLike,
    *,
    n_boot: int = 2000,
    seed: int,
) -> HalfLife:
    """Half-life of the early order, or every reason why it cannot be told.

    Args:
        early: (n,) levels at the early year.
        later: (n, H) levels at each horizon, NaN where not seen.
        years: (H,) years from the early year to each horizon, over 0, rising.
        regions: (n,) labels; adopters of one go together.
        n_boot: resamples, each of regions and of adopters.
        seed: of the resamples.

    Raises:
        ValueError: shapes differ, the early levels are not finite, a level is infinite, or years do not rise from over 0.

    """
    x, y, at = _checked(early, later, years)
    codes = np.unique(np.asarray(regions), return_inverse=True)[1].astype(np.int64)
    if len(codes) != len(x):
        raise ValueError(f"{len(codes)} regions and {len(x)} adopters must be as many")
    least = int(np.isfinite(y).sum(axis=0).min(initial=len(x)))
    head = (least, len(np.unique(codes)), len(at))
    few = _too_few(len(at), least)
    if few:
        return HalfLife(*head, " and ".join(few))
    rate, start = (float(each[0]) for each in fitted(_taus(x, y, codes, None), at))
    none = _no_decay(rate, start, at)
    if none:
        return HalfLife(*head, none)
    lo, hi, method = _limits(x, y, at, codes, n_boot, seed)
    reasons = _gates(1.0 / rate, lo, hi, float(at[-1] - at[0]))
    if reasons:
        return HalfLife(*head, " and ".join(reasons))
    return HalfLife(*head, None, 1.0 / rate, lo, hi, start, method)


def fitted(taus: ArrayLike, years: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Rate of decay (B,), halvings a year, and τ at horizon 0 (B,), of each row of rank correlations.

    Args:
        taus: (B, H); a row with a NaN has none.
        years: (H,) horizons, over 0, rising.

    Returns:
        The rates, 0 and less where ranks do not decay, and at most four halvings over the shortest horizon; τ at horizon 0.

    """
    y, h = np.asarray(taus, dtype=np.float64), np.asarray(years, dtype=np.float64)
    rate = np.full(len(y), np.nan)
    rows = np.flatnonzero(np.isfinite(y).all(axis=1))
    grid = np.concatenate(
        [np.linspace(_RISING, 0.0, 20)[:-1] / h[-1], np.linspace(0.0, 1.0, _STEPS) ** 2 * _FALLING / h[0]]
    )
    lowest = np.argmin([_misfit(np.full(len(rows), one), y[rows], h)[0] for one in grid], axis=0)
    rate[rows] = grid[lowest]
    inside = (lowest > 0) & (lowest < len(grid) - 1)
    if inside.any():
        near, own = lowest[inside], rows[inside]
        found = elementwise.find_minimum(
            lambda one, row: _misfit(one, y[row.astype(np.int64)], h)[0],
            (grid[near - 1], grid[near], grid[near + 1]),
            args=(own.astype(np.float64),),
        )
        rate[own] = np.where(found.success, found.x, grid[near])
    return rate, _misfit(rate, y, h)[1]


def _misfit(rate: FloatArray, y: FloatArray, h: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Least sum of squares (B,) at each rate (B,), and the τ at horizon 0 that has it."""
    curve = np.exp2(-rate[:, None] * h)
    start = np.clip((curve * y).sum(axis=1) / (curve**2).sum(axis=1), 0.0, 1.0)
    return ((y - start[:, None] * curve) ** 2).sum(axis=1), start


def _taus(x: FloatArray, y: FloatArray, codes: IntArray, draws: FloatArray | None) -> FloatArray:
    """τ-b (B, H) of the early levels with each later year's, of resamples (B, G) of clusters; without, of the sample (1, H)."""
    found = []
    for column in y.T:
        seen = np.isfinite(column)
        present, local = np.unique(codes[seen], return_inverse=True)
        sums = pair_sums(x[seen], column[seen], Clusters(local.astype(np.int64)), resampled=draws is not None)
        own = np.ones((1, len(present))) if draws is None else draws[:, present]
        found.append(tau_b(sums, own)[0])
    return np.stack(found, axis=1)


def _limits(
    x: FloatArray, y: FloatArray, at: FloatArray, regions: IntArray, n_boot: int, seed: int
) -> tuple[float, float, str]:
    """Limits of the half-life: of the rate's two intervals the wider, turned over; infinite where 0 is in it; NaN without one."""
    rng = np.random.default_rng([seed, len(x)])
    alone = np.arange(len(x))
    grouped = alone if len(x) <= MOST_GROUPS else rng.permutation(len(x)) % MOST_GROUPS
    ways = {"adopters": grouped.astype(np.int64)}
    # Where each adopter is a region of its own, one bootstrap says all.
    count = len(np.unique(regions))
    if MIN_REGIONS <= count < len(x):
        ways["regions"] = regions
    wider: tuple[float, float, str] = (np.nan, np.nan, "")
    for what, codes in ways.items():
        draws = Clusters(codes).draws(n_boot, rng)
        # More adopters than groups are still so many adopters: the percentiles go by those.
        low, high = percentiles(fitted(_taus(x, y, codes, draws), at)[0], LEVEL, alone if what == "adopters" else codes)
        if low is not None and high is not None and not high - low <= wider[1] - wider[0]:
            wider = (low, high, what)
    slowest, fastest, what = wider
    if not what:
        return np.nan, np.nan, ""
    beside = (
        ", the wider of the two" if len(ways) == 2 else "; too few regions for theirs" if count < MIN_REGIONS else ""
    )
    lo, hi = (1.0 / rate if rate > 0.0 else np.inf for rate in (fastest, slowest))
    return lo, hi, f"bootstrap over {what}{beside}"


def _too_few(horizons: int, adopters: int) -> list[str]:
    said = []
    if horizons < LEAST_HORIZONS:
        said.append(f"{horizons} horizons of the {LEAST_HORIZONS} at least")
    if adopters < LEAST_ADOPTERS:
        said.append(f"{adopters} adopters of the {LEAST_ADOPTERS} at least")
    return said


def _no_decay(rate: float, start: float, at: FloatArray) -> str | None:
    """Why a fit has no half-life."""
    if np.isnan(rate):
        return "at a horizon all adopters are tied"
    if start <= 0.0:
        return "there is no rank correlation to be halved"
    if rate <= 0.0:
        return f"ranks do not decay from {at[0]:g} to {at[-1]:g} years on"
    if rate >= _FALLING / at[0]:
        return f"what there was is lost by the first horizon, {at[0]:g} years on"
    return None


def _gates(estimate: float, lo: float, hi: float, span: float) -> list[str]:
    """What is asked of a half-life and not met, with its numbers."""
    said = []
    if span < HALF_LIVES_SEEN * estimate:
        said.append(
            f"horizons span {span:g} years, a half-life would be {_figures(estimate)}: two of them are not seen"
        )
    if np.isnan(lo):
        said.append("too many resamples have a horizon at which all are tied")
    elif np.isinf(hi):
        said.append("its 95\u202f% interval has no upper limit: ranks that do not decay are not excluded")
    elif hi >= WIDEST * lo:
        ends = f"{_figures(lo)} to {_figures(hi)} years"
        said.append(
            f"its 95\u202f% interval, {ends}, has an upper limit {_figures(hi / lo)} times the lower; under {WIDEST:g} are asked"
        )
    return said


def _figures(value: float) -> str:
    return f"{value:.2g}" if value < 100 else f"{value:.0f}"


def _checked(early: ArrayLike, later: ArrayLike, years: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    x, y, at = (np.asarray(values, dtype=np.float64) for values in (early, later, years))
    if x.ndim != 1 or y.shape != (len(x), len(at)):
        raise ValueError(f"levels {y.shape} must be of {len(x)} adopters at {len(at)} horizons")
    if not np.isfinite(x).all():
        raise ValueError("early levels must be finite: leave out who was not seen in the early year")
    if np.isinf(y).any():
        raise ValueError("later levels must be finite, or NaN where not seen")
    if not (np.isfinite(at).all() and (np.diff(at, prepend=0.0) > 0).all()):
        raise ValueError("years to the horizons must rise from over 0")
    return x, y, at
