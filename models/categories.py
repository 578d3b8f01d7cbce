"""Adopter categories by adoption time: innovators, early adopters, early majority, late majority, laggards.

Belongs here: where each category ends, with an interval, and how many adopters fall into it. Does not: what a category's members
do (that is in no model), the fit of the curve (`curves`).

Two schemes. Rogers (1962): the mean of the adoption times less two standard deviations, less one, the mean, and one more; in a
normal distribution that is 2.5, 13.5, 34, 34 and 16 % of all who ever adopt. Mahajan, Muller & Srivastava (1990): from p and q of
a Bass curve, the peak of its density and its two points of inflection, in years since the launch

    T1, T*, T2 = ln(q / p) / (p + q), less, as it is, and more by ln(2 + √3) / (p + q);

innovators are a share p of all, who by that model adopt at the launch: here those who came while F(t) ≤ p, about one year,
since p is a rate a year. So 0, p, F(T1), F(T*) and F(T2) part the categories; with q much over p they are p, up to 21 %, 29, 29
and 21 % of all who ever adopt.

Both are of those who have adopted by now. While adoption goes on, Rogers' mean and deviation are of those alone, and both rise as
others come; the Bass curve reckons with those to come, by its ceiling. Where q ≤ p the density has no peak, where F(T1) ≤ p
nobody is between innovators and the inflection: then there is no such scheme. Intervals resample clusters of adopters; that a
curve does not fit is not in them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from longwave.models.curves import fit_curves
from longwave.models.persistence import MIN_REGIONS, percentiles
from longwave.models.rank_orders import Clusters, IntArray
from longwave.models.ranks import FloatArray
from numpy.typing import ArrayLike

LEVEL: Final = 0.95
LEAST: Final = 30
NAMES: Final = ("innovators", "early adopters", "early majority", "late majority", "laggards")
ROGERS: Final = "Rogers"
BASS: Final = "Bass"
_OF_A_NORMAL: Final = (0.025, 0.135, 0.34, 0.34, 0.16)
_INFLECTION: Final = math.log(2.0 + math.sqrt(3.0))
_MISSING: Final = 0.05
_UNFITTED: Final = {
    "no_finite_ceiling": "no finite ceiling fits: adoption is still rising",
    "on_bound": "a parameter of the Bass curve ran to its bound",
    "too_few_points": "too few years for a Bass curve",
    "no_growth": "adoption never rises",
}


@dataclass(frozen=True)
class Categories:
    """One scheme: where the first four categories end, and who is in each of the five (``NAMES``).

    ``ends``, ``lo``, ``hi``: (4,) decimal years, limits NaN without an interval; ``expected``: (5,) shares of all who ever adopt,
    by the scheme; ``counts``: (5,) adopters by now; ``bass``: p and q a year and the ceiling m; ``unsure``: why there is no
    interval. With ``reason`` there is nothing else.
    """

    scheme: str
    n: int
    clusters: int
    reason: str | None = None
    ends: tuple[float, ...] = ()
    lo: tuple[float, ...] = ()
    hi: tuple[float, ...] = ()
    expected: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    bass: tuple[float, float, float] | None = None
    unsure: str | None = None

    def among(self, adopted: ArrayLike) -> tuple[int, ...]:
        """How many of these adoption times (n,) are in each category (5,)."""
        return _counts(np.asarray(self.ends), np.asarray(adopted, dtype=np.float64))


def categories(
    adopted: ArrayLike, clusters: ArrayLike, *, launch: float, until: int, n_boot: int = 1000, seed: int
) -> tuple[Categories, Categories]:
    """Rogers' categories and those of a Bass curve fitted to the cumulative adopters at the end of each year.

    Args:
        adopted: (n,) decimal years of adoption; of whole years their middle.
        clusters: (n,) labels; adopters of one go together.
        launch: decimal year from which the curve runs.
        until: the first year of which not all adoptions are known; the curve is fitted to those before.
        n_boot: resamples of clusters.
        seed: of the resamples.

    Raises:
        ValueError: a time is not finite, labels are not as many, or someone adopted before the launch.

    """
    times, codes = _checked(adopted, clusters, launch)
    n, count = len(times), len(np.unique(codes))
    if n < LEAST:
        few = f"{n} adopters of the {LEAST} at least"
        return Categories(ROGERS, n, count, few), Categories(BASS, n, count, few)
    draws = Clusters(codes).draws(n_boot, np.random.default_rng([seed, n])) if count >= MIN_REGIONS else None
    years = np.arange(math.floor(launch), until)
    by_year = (times[:, None] < years + 1.0).astype(np.float64)
    sums = _by_cluster(np.column_stack([np.ones(n), times - launch, (times - launch) ** 2, by_year]), codes)
    drawn = None if draws is None else draws @ sums
    whole = sums.sum(axis=0, keepdims=True)
    return (
        _rogers(times, codes, launch, whole[:, :3], None if drawn is None else drawn[:, :3]),
        _bass(times, codes, launch, years, whole[:, 3:], None if drawn is None else drawn[:, 3:]),
    )


def bass_ends(p: ArrayLike, q: ArrayLike) -> FloatArray:
    """Years (B, 4) since the launch at which innovators, early adopters, early and late majority end; NaN where there are none.

    Args:
        p: (B,) coefficients of innovation, a year.
        q: (B,) of imitation, a year.

    """
    inner, outer = np.asarray(p, dtype=np.float64), np.asarray(q, dtype=np.float64)
    known = (inner > 0.0) & (inner < 1.0) & (outer > inner)
    a, b = np.where(known, inner, 0.1), np.where(known, outer, 0.2)
    peak, reach = np.log(b / a) / (a + b), _INFLECTION / (a + b)
    first = np.log((1.0 + b) / (1.0 - a)) / (a + b)
    ends = np.stack([first, peak - reach, peak, peak + reach], axis=-1)
    return np.where((known & (ends[..., 1] > first))[..., None], ends, np.nan)


def bass_share(p: float, q: float, t: ArrayLike) -> FloatArray:
    """Share of all who ever adopt that have by t years since the launch (Bass 1969)."""
    gone = np.exp(-(p + q) * np.asarray(t, dtype=np.float64))
    return np.asarray((1.0 - gone) / (1.0 + q / p * gone))


def _rogers(
    times: FloatArray, codes: IntArray, launch: float, whole: FloatArray, drawn: FloatArray | None
) -> Categories:
    ends = _around_the_mean(whole)[0] + launch
    lo, hi, unsure = _limits(None if drawn is None else _around_the_mean(drawn) + launch, codes)
    head = (ROGERS, len(times), len(np.unique(codes)), None)
    return Categories(*head, tuple(ends.tolist()), lo, hi, _OF_A_NORMAL, _counts(ends, times), None, unsure)


def _around_the_mean(sums: FloatArray) -> FloatArray:
    """Mean less two and one standard deviations, mean, and one more (B, 4), of sums of 1, t and t² (B, 3)."""
    n, mean = sums[:, 0], sums[:, 1] / sums[:, 0]
    sd = np.sqrt(np.maximum(sums[:, 2] / n - mean**2, 0.0) * n / np.maximum(n - 1.0, 1.0))
    return np.asarray(mean[:, None] + sd[:, None] * np.array([-2.0, -1.0, 0.0, 1.0]))


def _bass(
    times: FloatArray,
    codes: IntArray,
    launch: float,
    years: IntArray,
    whole: FloatArray,
    drawn: FloatArray | None,
) -> Categories:
    head = (BASS, len(times), len(np.unique(codes)))
    if len(years) < 4:
        return Categories(*head, _UNFITTED["too_few_points"])
    fits = fit_curves(whole if drawn is None else np.vstack([whole, drawn]), years + 1.0 - launch, "bass")
    p, q, m = (float(fits.params[name][0]) for name in ("p", "q", "m"))
    if fits.status[0] != "ok":
        return Categories(*head, _UNFITTED[str(fits.status[0])])
    if q <= p:
        return Categories(*head, f"adoption has no peak: q, {q:.2g} a year, is not over p, {p:.2g} a year")
    found = bass_ends(fits.params["p"], fits.params["q"]) + launch
    if np.isnan(found[0]).any():
        return Categories(
            *head, f"p, {p:.2g} a year, is so near q, {q:.2g}, that innovators last beyond the first inflection"
        )
    found[fits.status != "ok"] = np.nan
    lo, hi, unsure = _limits(None if drawn is None else found[1:], codes)
    shares = bass_share(p, q, found[0] - launch)
    expected = tuple(np.diff([0.0, *shares, 1.0]).tolist())
    return Categories(
        *head, None, tuple(found[0].tolist()), lo, hi, expected, _counts(found[0], times), (p, q, m), unsure
    )


def _limits(ends: FloatArray | None, codes: IntArray) -> tuple[tuple[float, ...], tuple[float, ...], str | None]:
    """Limits of the four ends, and why there are none."""
    none = (np.nan,) * 4
    if ends is None:
        return none, none, f"no interval: fewer than {MIN_REGIONS} clusters"
    lacking = float(np.isnan(ends[:, 0]).mean())
    if lacking > _MISSING:
        return none, none, f"no interval: in {100 * lacking:.0f}\u202f% of the resamples there is no such curve"
    pairs = [percentiles(column, LEVEL, codes) for column in ends.T]
    lo, hi = (tuple(np.nan if pair[at] is None else float(pair[at] or 0.0) for pair in pairs) for at in (0, 1))
    return lo, hi, None


def _counts(ends: FloatArray, times: FloatArray) -> tuple[int, ...]:
    return tuple(np.bincount(np.searchsorted(ends, times, side="right"), minlength=len(NAMES)).tolist())


def _by_cluster(values: FloatArray, codes: IntArray) -> FloatArray:
    total = np.zeros((int(codes.max()) + 1, values.shape[1]))
    np.add.at(total, codes, values)
    return total


def _checked(adopted: ArrayLike, clusters: ArrayLike, launch: float) -> tuple[FloatArray, IntArray]:
    times = np.asarray(adopted, dtype=np.float64)
    codes = np.unique(np.asarray(clusters), return_inverse=True)[1].astype(np.int64)
    if times.ndim != 1 or len(codes) != len(times):
        raise ValueError(f"{len(codes)} clusters and {len(times)} adoption times must be as many")
    if not np.isfinite(times).all():
        raise ValueError("adoption times must be finite: leave out who never adopted")
    if len(times) and times.min() < launch:
        raise ValueError(f"an adoption of {times.min():g} lies before the launch, {launch:g}")
    return times, codes
