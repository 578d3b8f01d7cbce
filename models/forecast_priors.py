"""Forecasts from curves whose ceiling and speed are learnt from other series (empirical Bayes).

Belongs here: the prior over curves that the references give, what a history says of each curve, the mean of the curves.
Does not: fitting (``curves``), the working scale (``forecast_scale``), what may be learnt from (``visibility``),
intervals.

Few years do not identify a ceiling (Van den Bulte & Lilien 1997), but others have had one: diffusion parameters of a new
product are best guessed from those of earlier ones, updated by its own figures (Lenk & Rao 1990; Sultan, Farley &
Lehmann 1990). Here that is done on a grid of ceilings and speeds, for two families with a location of their own, so
that age and launch do not enter: every curve of the grid is drawn *through the last observation*,

- logistic: m / (1 + (m/v − 1) e^−ku),
- Gompertz: m exp(ln(v/m) e^−cu),

u years after it, v the last level. The prior of a point of the grid is the density of the references' fitted (m, k)
there: a normal kernel on the logarithms around each, mixed with one that keeps m and lets the speed go. References are
weighed as in ``forecast_analogues``: every family of media once, the medium itself ``same_medium`` times. The likelihood
is that of the last ``SPAN`` years on the working scale, errors growing backwards from the last observation, heavy-tailed
(Student, 4 degrees of freedom) and raised to the power ``TRUST`` (Grünwald 2012), because errors of neighbouring years
are not independent and no curve is true. The forecast is the posterior mean of the logarithm of the level, drawn to the
own damped trend as if that were ``own_trend`` families of media, fewer where the ceiling is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from longwave.models.curves import fit_curves
from longwave.models.forecast_scale import (
    COUNT_OFFSET,
    SHARE_OFFSET,
    at_columns,
    ceilings,
    last_observed,
    own_trend,
    own_weight,
    shares,
    to_scale,
    toward_own_trend,
)
from longwave.models.histories import BoolArray, Histories
from longwave.models.panels import FloatArray, IntArray
from numpy.typing import NDArray

CURVES: Final = ("logistic", "gompertz")
_SPEED: Final = {"logistic": "k", "gompertz": "c"}
SHARE_CEILINGS: Final = np.array([*np.linspace(0.05, 0.9, 13), 0.93, 0.96, 0.98, 0.99, 0.999])
"""Ceilings of the grid for shares, of the stated ceiling."""
COUNT_CEILINGS: Final = np.geomspace(3.0, 250.0, 18)
"""Ceilings of the grid for counts, per 100 people."""
SPEEDS: Final = np.geomspace(0.02, 2.0, 20)
"""k and c of the grid, per year."""
CEILING_WIDTH: Final = 0.25
SPEED_WIDTH: Final = 0.35
"""Standard deviations of the kernel around a reference, in natural logarithms."""
ANY_SPEED: Final = 0.2
"""Share of a reference's density that keeps its ceiling and takes every speed of the grid."""
SPAN: Final = 8
"""Years before the last observation that are compared."""
NOISE: Final = 0.1
"""Standard deviation on the working scale: of an observation, and added for every year back, as square root."""
TRUST: Final = 0.2
SAME_MEDIUM: Final = 30.0
OWN_TREND: Final = 3.0
_EVERYWHERE: Final = 1e-3
_ROWS: Final = 64
_FREEDOM: Final = 4.0
_LARGEST: Final = 1e9
_ABOVE: Final = 1.005  # a curve through a level over its ceiling has this ceiling instead, of the level


@dataclass(frozen=True)
class _Prior:
    """What R references say of G points of the grid.

    ``density``: (R, G) sums to 1, or 0 where nothing could be fitted; ``family``: (R,) codes; ``medium``: (R,) names;
    ``share``: (R,).
    """

    density: FloatArray
    family: IntArray
    medium: NDArray[np.object_]
    share: BoolArray


class PriorMember:
    """Forecasts by curves through the last observation, weighed by references and by the history.

    Args:
        curves: which of ``CURVES`` the grid is made of.
        same_medium: how often a reference of the same medium counts.
        own_trend: weight of the series' own damped trend, in families of media.

    Raises:
        ValueError: no or unknown curves, or a negative weight.

    """

    name = "priors"

    def __init__(
        self,
        *,
        curves: Sequence[str] = CURVES,
        same_medium: float = SAME_MEDIUM,
        own_trend: float = OWN_TREND,
    ) -> None:
        if not curves or not set(curves) <= set(CURVES):
            raise ValueError(f"curves must be some of {', '.join(CURVES)}, not {tuple(curves)}")
        if same_medium < 0 or own_trend < 0:
            raise ValueError(f"weights must not be negative: same_medium {same_medium}, own_trend {own_trend}")
        self.curves, self.same_medium, self.own_trend = tuple(curves), same_medium, own_trend

    def fit(self, references: Histories, seed: int = 0) -> Self:  # noqa: ARG002 - nothing is random here
        """Fit the curves to every reference. ``seed`` is not used: the protocol of members has it."""
        parts = [_density(*_fitted(references, curve), shares(references)) for curve in self.curves]
        density = np.concatenate(parts, axis=1)
        total = density.sum(axis=1, keepdims=True)
        families = np.unique(references.info["family"].to_numpy().astype(np.str_), return_inverse=True)[1]
        self._prior = _Prior(
            density=np.divide(density, total, out=np.zeros_like(density), where=total > 0),
            family=families.astype(np.int64),
            medium=references.info["medium"].to_numpy(),
            share=shares(references),
        )
        return self

    def predict(
        self, history: Histories, horizons: Sequence[int] | IntArray, *, exclude: BoolArray | None = None
    ) -> FloatArray:
        """Levels (n, H), ``horizons`` years after each series' last observation, in the unit of the series.

        ``exclude``: (n, R) references a row must not learn from: the result is as if they had not been there at the fit.
        NaN where nothing was observed; where the last level is 0 or beyond the grid, the own trend.
        """
        ahead = np.asarray(horizons, dtype=np.int64)
        trend = own_trend(history, ahead)
        weight = self._weights(history, exclude)
        found = np.full(trend.shape, np.nan)
        known = np.flatnonzero(_within_grid(history) & (weight.sum(axis=1) > 0))
        for start in range(0, len(known), _ROWS):
            rows = known[start : start + _ROWS]
            likelihood, future = self._drawn(history.take(rows), ahead)
            posterior = likelihood * self._over_grid(weight[rows])
            posterior /= posterior.sum(axis=1, keepdims=True)
            found[rows] = np.exp(np.einsum("ng,ngh->nh", posterior, np.log(future)))
        total = np.repeat(weight.sum(axis=1, keepdims=True), len(ahead), axis=1)
        return toward_own_trend(history, trend, found, total, self.own_trend)

    def weights(self, history: Histories, *, exclude: BoolArray | None = None) -> FloatArray:
        """What each forecast leans on: (n, R) share of each reference; the rest up to 1 is the own trend.

        A reference's share is its part of the posterior: how often it counts, and how well its curves fit.
        """
        weight = self._weights(history, exclude)
        shared = np.zeros_like(weight)
        known = np.flatnonzero(_within_grid(history) & (weight.sum(axis=1) > 0))
        for start in range(0, len(known), _ROWS):
            rows = known[start : start + _ROWS]
            likelihood, _ = self._drawn(history.take(rows), np.empty(0, dtype=np.int64))
            own = weight[rows] * (likelihood @ self._prior.density.T)
            total = weight[rows].sum(axis=1, keepdims=True)
            whole = total + own_weight(history.take(rows), self.own_trend)
            shared[rows] = own / own.sum(axis=1, keepdims=True) * total / whole
        return shared

    def _weights(self, history: Histories, exclude: BoolArray | None) -> FloatArray:
        """How often each reference counts for each series, (n, R): families once, the same medium more."""
        prior, n = self._prior, len(history)
        shape = (n, len(prior.density))
        if exclude is not None and exclude.shape != shape:
            raise ValueError(
                f"exclude has shape {exclude.shape}; {shape[0]} series and {shape[1]} references need {shape}"
            )
        counts = (shares(history)[:, None] == prior.share[None, :]) & (prior.density.sum(axis=1) > 0)[None, :]
        counts = counts if exclude is None else counts & ~exclude
        member = np.zeros((shape[1], int(prior.family.max(initial=-1)) + 1))
        member[np.arange(shape[1]), prior.family] = 1.0
        size = (counts @ member)[:, prior.family]
        same = np.asarray(history.info["medium"].to_numpy()[:, None] == prior.medium[None, :], dtype=np.bool_)
        weight: FloatArray = np.where(counts, np.where(same, self.same_medium, 1.0) / np.maximum(size, 1.0), 0.0)
        return weight

    def _over_grid(self, weight: FloatArray) -> FloatArray:
        """Prior (n, G) of weights (n, R), with a little of it everywhere."""
        prior = weight / weight.sum(axis=1, keepdims=True) @ self._prior.density
        result: FloatArray = (1.0 - _EVERYWHERE) * prior + _EVERYWHERE / prior.shape[1]
        return result

    def _drawn(self, history: Histories, ahead: IntArray) -> tuple[FloatArray, FloatArray]:
        """Likelihood (n, G) of the last years under each curve of the grid, and its levels (n, G, H) ahead."""
        share, ceiling = shares(history), ceilings(history)
        last = last_observed(history.levels)
        back = np.arange(-SPAN, 0)
        column = last[:, None] + back[None, :]
        levels = np.where(column >= 0, np.take_along_axis(history.levels, np.maximum(column, 0), axis=1), np.nan)
        then = to_scale(levels, share, ceiling)
        top = np.where(share[:, None], SHARE_CEILINGS * np.where(share, ceiling, 1.0)[:, None], COUNT_CEILINGS)
        level = at_columns(history.levels, last)
        top = np.maximum(np.minimum(top, ceiling[:, None]), _ABOVE * level[:, None])
        offset = np.where(share, SHARE_OFFSET * ceiling, COUNT_OFFSET)[:, None, None]
        room = np.where(share, (1.0 + SHARE_OFFSET) * ceiling, np.inf)[:, None, None]
        variance = NOISE**2 * (1.0 - back)
        fit, future = [], []
        for curve in self.curves:
            past = _through(curve, level, top, back)
            # Counts have no term for the room that is left: their scale is the logarithm.
            left = np.where(share[:, None, None], np.log(np.maximum(room - past, 0.5 * offset)), 0.0)
            gap = then[:, None, :] - (np.log(past + offset) - left)
            surprise = np.log1p(gap**2 / variance / _FREEDOM) * 0.5 * (_FREEDOM + 1.0)
            fit.append(-TRUST * np.where(np.isnan(gap), 0.0, surprise).sum(axis=2))
            future.append(_through(curve, level, top, ahead))
        logged = np.concatenate(fit, axis=1)
        return np.exp(logged - logged.max(axis=1, keepdims=True, initial=-np.inf)), np.concatenate(future, axis=1)


def _within_grid(history: Histories) -> BoolArray:
    """Whether the last level is one that the grid has curves for, (n,)."""
    level = at_columns(history.levels, last_observed(history.levels))
    beyond = level > np.where(shares(history), np.inf, COUNT_CEILINGS[-1])
    result: BoolArray = (level > 0) & ~beyond
    return result


def _through(curve: str, level: FloatArray, top: FloatArray, years: IntArray) -> FloatArray:
    """Curves through ``level`` (n,) with ceilings ``top`` (n, M) and every speed, (n, M × speeds, years)."""
    decay = np.exp(np.clip(-SPEEDS[:, None] * years[None, :], -700.0, 700.0))
    share = (level[:, None] / top)[:, :, None, None]
    with np.errstate(over="ignore", under="ignore"):
        grown = 1.0 / (1.0 + (1.0 / share - 1.0) * decay) if curve == "logistic" else np.exp(np.log(share) * decay)
    levels: FloatArray = (top[:, :, None, None] * grown).reshape(len(level), top.shape[1] * len(SPEEDS), len(years))
    return levels


def _fitted(references: Histories, curve: str) -> tuple[FloatArray, FloatArray]:
    """Ceiling (shares: of the stated one) and speed of each reference, (R,); NaN where the data give none."""
    top, speed = np.full(len(references), np.nan), np.full(len(references), np.nan)
    ceiling, share = ceilings(references), shares(references)
    levels = np.where(references.levels > 0, np.minimum(references.levels, _LARGEST), np.nan)
    ages = np.arange(levels.shape[1], dtype=np.float64)
    for bound in np.unique(np.where(share, ceiling, np.inf)):
        rows = np.flatnonzero(np.where(share, ceiling, np.inf) == bound)
        stated = float(bound) if np.isfinite(bound) else None
        fits = fit_curves(np.minimum(levels[rows], bound), ages, curve, ceiling=stated)
        # Under a stated ceiling a fit that reaches it is one; without, a bound's value is nobody's estimate.
        good = (fits.status == "ok") | ((fits.status == "on_bound") & (stated is not None))
        top[rows[good]] = fits.params["m"][good] / (stated or 1.0)
        speed[rows[good]] = fits.params[_SPEED[curve]][good]
    return top, speed


def _density(top: FloatArray, speed: FloatArray, share: BoolArray) -> FloatArray:
    """Density (R, M × speeds) around the fitted ceilings and speeds (R,); 0 where there are none."""
    grid = np.where(share[:, None], np.log(SHARE_CEILINGS), np.log(COUNT_CEILINGS))
    known = np.isfinite(top) & np.isfinite(speed)
    of_top = _kernel(grid, np.where(known, top, np.nan), CEILING_WIDTH)
    of_speed = _kernel(np.log(SPEEDS)[None, :], np.where(known, speed, np.nan), SPEED_WIDTH)
    of_speed = (1.0 - ANY_SPEED) * of_speed + ANY_SPEED * known[:, None] / len(SPEEDS)
    density: FloatArray = (of_top[:, :, None] * of_speed[:, None, :]).reshape(len(top), grid.shape[1] * len(SPEEDS))
    return density


def _kernel(grid: FloatArray, centre: FloatArray, width: float) -> FloatArray:
    """Normal kernel on the points of a grid of logarithms (R or 1, G) around ``centre`` (R,), summing to 1."""
    low, high = grid.min(axis=1), grid.max(axis=1)
    at = np.clip(np.log(np.maximum(centre, np.finfo(np.float64).tiny)), low, high)
    weight = np.exp(-0.5 * ((grid - at[:, None]) / width) ** 2)
    found = np.where(np.isfinite(centre)[:, None], weight, 0.0)
    total = found.sum(axis=1, keepdims=True)
    result: FloatArray = np.divide(found, total, out=np.zeros_like(found), where=total > 0)
    return result
