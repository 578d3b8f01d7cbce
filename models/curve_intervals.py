"""Intervals for fitted curves that do not rest on independent errors or a quadratic sum of squares.

Belongs here: bootstrap and profile-likelihood intervals. Not here: the fits (``curves``), choice among families
(``curve_comparison``).

Standard errors of a Bass fit overstate its precision, because errors of successive years go together (Boswijk & Franses
2005). So the bootstrap draws errors of a first-order autoregression. The autocorrelation of residuals is too small as an
estimate of that of the errors, since the curve follows the errors; with r = M e for a linearised fit, the one is
searched at which tr(M L M Σ) / tr(M Σ) is what the residuals show, L pairing successive observations. The spread follows
from r'r / tr(M Σ).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from longwave.models.curve_fit import INFINITE_CEILING, pack, pattern_codes, search
from longwave.models.curve_shapes import Floats
from longwave.models.curve_solver import Booleans, Integers
from longwave.models.curves import CurveFits, fit_curves
from longwave.models.families import FAMILIES
from numpy.typing import ArrayLike, NDArray

RHOS = np.linspace(-0.3, 0.99, 30)  # errors of adoption series hardly ever alternate
BISECTIONS = 50
BLOCK = 20_000  # refitted series in memory at once


@dataclass(frozen=True)
class Intervals:
    """Central intervals of n series at one level.

    Attributes:
        low: quantity -> (n,) or, for ``level``, (n, len(ages_ahead)); NaN where nothing was fitted. −inf is never
            given, and 0 stands for it: parameters and levels are not negative.
        high: the same; inf where the data do not exclude that there is no finite ceiling.
        autocorrelation: (n,) of the errors, as estimated; NaN for the profile likelihood.
        endless: (n,) share of the resamples without a finite ceiling.

    """

    level: float
    low: dict[str, Floats]
    high: dict[str, Floats]
    autocorrelation: Floats
    endless: Floats


def bootstrap_intervals(
    fits: CurveFits,
    levels: ArrayLike,
    ages: ArrayLike,
    *,
    seed: int,
    level: float = 0.9,
    replicates: int = 400,
    ages_ahead: ArrayLike | None = None,
    threads: int = 1,
) -> Intervals:
    """Percentile intervals of the parameters, and of the levels at ``ages_ahead``, from refitted resamples.

    A resample is the fitted curve plus errors of a first-order autoregression, its spread and autocorrelation drawn
    anew each time from what 30 or so residuals say of them, so that the interval is as wide as they are uncertain.
    Errors are those of the levels or of the increments, as the objective says; what falls below 0 or above a stated
    ceiling is put there.

    Args:
        fits: of ``levels`` (n, n_years) at ``ages`` (n_years,), with a launch that was given.
        levels: (n, n_years) as given to :func:`fit_curves`.
        ages: (n_years,) likewise.
        seed: of the resamples; the result follows from it and the data alone.
        level: coverage asked for, between 0 and 1.
        replicates: resamples of each series.
        ages_ahead: where to give intervals for the level of the curve, under the name ``level``.
        threads: as for :func:`fit_curves`.

    Raises:
        ValueError: level outside (0, 1), fewer than 20 replicates, an estimated launch, or levels of another shape.

    """
    data, at = _checked(fits, levels, ages, level)
    if replicates < 20:
        raise ValueError(f"replicates must be at least 20, not {replicates}")
    n, ahead = len(data), np.asarray([] if ages_ahead is None else ages_ahead, dtype=np.float64)
    parts: dict[str, tuple[Floats, Floats]] = {name: (np.full(n, np.nan), np.full(n, np.nan)) for name in fits.params}
    if len(ahead):
        parts["level"] = (np.full((n, len(ahead)), np.nan), np.full((n, len(ahead)), np.nan))
    rho, endless = np.full(n, np.nan), np.full(n, np.nan)
    children = np.random.SeedSequence(seed).spawn(n)
    rows = np.flatnonzero(np.isfinite(fits.sse) & (fits.status != "no_finite_ceiling"))
    many = max(1, BLOCK // replicates)
    for block in (rows[start : start + many] for start in range(0, len(rows), many)):
        made = np.empty((len(block), replicates, len(at)))
        for place, row in enumerate(block):
            rng = np.random.default_rng(children[row])
            rho[row], made[place] = _resamples(fits, data[row], at, row, rng, replicates)
        again = fit_curves(made.reshape(-1, len(at)), at, fits.family, fits.objective, fits.ceiling, threads=threads)
        endless[block] = (again.status == "no_finite_ceiling").reshape(-1, replicates).mean(axis=1)
        drawn: dict[str, NDArray[np.float64]] = {
            name: value.reshape(-1, replicates) for name, value in again.params.items()
        }
        if len(ahead):
            drawn["level"] = again.predict(ahead).reshape(-1, replicates, len(ahead))
        for name, values in drawn.items():
            for side, end in zip(parts[name], ((1 - level) / 2, (1 + level) / 2), strict=True):
                side[block] = _quantile(values, end)
    low, high = ({name: pair[side] for name, pair in parts.items()} for side in (0, 1))
    return Intervals(level, low, high, rho, endless)


def _checked(fits: CurveFits, levels: ArrayLike, ages: ArrayLike, level: float) -> tuple[Floats, Floats]:
    data, at = np.asarray(levels, dtype=np.float64), np.asarray(ages, dtype=np.float64)
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, not {level}")
    if fits.launch == "estimated":
        raise ValueError("intervals are made for a launch that was given, not estimated")
    if data.shape != (len(fits.sse), len(at)):
        raise ValueError(f"levels must be ({len(fits.sse)}, {len(at)}) as fitted, not {data.shape}")
    return data, at


def _quantile(values: Floats, share: float) -> Floats:
    """Order statistic along axis 1 of what is known: unlike a weighted mean of two it is defined beside infinity."""
    ranked, known = np.sort(values, axis=1), (~np.isnan(values)).sum(axis=1)
    place = np.clip(np.ceil(share * known).astype(np.intp) - 1, 0, values.shape[1] - 1)
    return np.asarray(np.take_along_axis(ranked, np.expand_dims(place, 1), axis=1).squeeze(1))


def _resamples(
    fits: CurveFits, levels: Floats, ages: Floats, row: int, rng: np.random.Generator, replicates: int
) -> tuple[float, Floats]:
    """Autocorrelation of the errors of one series, and levels (replicates, n_years) like its own."""
    seen = np.isfinite(levels)
    at, increments = ages[seen], fits.objective == "increments"
    fitted, jacobian = _linearised(fits, at, row)
    compared = np.diff(levels[seen], prepend=0.0) if increments else levels[seen]
    curve = np.diff(fitted, prepend=0.0) if increments else fitted
    rho, likely, spread, freedom = _errors(compared - curve, jacobian, at)
    drawn = rng.choice(len(RHOS), replicates, p=likely)
    spreads = spread[drawn] * np.sqrt(freedom[drawn] / rng.chisquare(freedom[drawn]))
    errors = _autoregression(rng.standard_normal((replicates, len(at))), RHOS[drawn], at) * spreads[:, None]
    made = np.full((replicates, len(ages)), np.nan)
    made[:, seen] = np.cumsum(curve + errors, axis=1) if increments else curve + errors
    return rho, np.clip(made, 0.0, fits.ceiling)


def _linearised(fits: CurveFits, at: Floats, row: int) -> tuple[Floats, Floats]:
    """Fitted levels (points,) of one series, and the slopes of what is compared (points, parameters)."""
    best, family = fits._solution, FAMILIES[fits.family]
    origin = 0.0 if family.from_launch else best.last[row]
    value, slopes = family.shape.slopes(((at - origin) / best.scale[row])[None], best.x[row][None])
    jacobian = np.concatenate([value, slopes[0]], axis=0)
    if fits.objective == "increments":
        jacobian = np.diff(jacobian, axis=1, prepend=0.0)
    if fits.status[row] == "on_bound" and fits.ceiling is not None:
        jacobian = jacobian[1:]
    return best.factor[row] * value[0], jacobian.T


def _errors(residual: Floats, jacobian: Floats, at: Floats) -> tuple[float, Floats, Floats, Floats]:
    """Autocorrelation of the errors; and for every one of ``RHOS`` how likely it is, the spread, degrees of freedom.

    From residuals of a fit with these slopes. Likely is an autocorrelation by how far what the residuals show lies from
    what they would show on average, in standard errors of the ratio r'Lr / r'r (its first-order expansion). The degrees
    of freedom are Satterthwaite's, tr(MΣ)² / tr((MΣ)²).
    """
    basis, _ = np.linalg.qr(jacobian / np.maximum(np.linalg.norm(jacobian, axis=0), 1e-300))
    left = np.eye(len(at)) - basis @ basis.T
    pairs = np.diag(np.full(len(at) - 1, 0.5), 1)
    power = float(residual @ residual)
    shown = float(residual[:-1] @ residual[1:]) / power if power > 0 else 0.0
    through = left @ _kept(RHOS[:, None, None], np.abs(at[:, None] - at[None, :]) / np.median(np.diff(at)))
    paired = (pairs + pairs.T) @ through
    trace = np.maximum(np.trace(through, axis1=1, axis2=2), 1e-12)
    expected = np.einsum("kij,ji->k", paired, left) / trace
    off = left @ paired - expected[:, None, None] * through
    variance = 2.0 * np.einsum("kij,kji->k", off, off) / trace**2
    freedom = np.maximum(trace**2 / np.einsum("kij,kji->k", through, through), 1.0)
    distance = (shown - expected) ** 2 / np.maximum(variance, 1e-6)
    likely = np.exp(-0.5 * (distance - distance.min())) / np.sqrt(np.maximum(variance, 1e-6))
    best = int(np.argmin(np.abs(expected - shown)))
    return float(RHOS[best]), likely / likely.sum(), np.sqrt(power / trace), freedom


def _kept(rho: float | Floats, distance: float | Floats) -> Floats:
    """What is left of an error at a distance; whole distances keep the sign of a negative autocorrelation."""
    return np.asarray(np.sign(rho) ** np.rint(distance) * np.abs(rho) ** np.asarray(distance))


def _autoregression(shocks: Floats, rhos: Floats, at: Floats) -> Floats:
    """Errors of unit variance (replicates, points), each row of its own autocorrelation per usual distance."""
    usual = float(np.median(np.diff(at)))
    errors = shocks.copy()
    for j in range(1, shocks.shape[1]):
        kept = _kept(rhos, (at[j] - at[j - 1]) / usual)
        errors[:, j] = kept * errors[:, j - 1] + np.sqrt(1 - kept**2) * shocks[:, j]
    return errors


def profile_intervals(fits: CurveFits, levels: ArrayLike, ages: ArrayLike, *, level: float = 0.9) -> Intervals:
    """Profile-likelihood interval of the ceiling m of every series, the other parameters fitted anew at each m.

    All m at which SSE(m) ≤ SSE (1 + F / (n − k)), F the quantile of Fisher's distribution with 1 and n − k degrees of
    freedom (Bates & Watts 1988, §6.1). Exact for independent normal errors but for curvature within the fit; where SSE
    stays below as m grows over 1,000 times the highest level, the upper limit is inf. Errors that go together make it
    too narrow: use :func:`bootstrap_intervals`.

    Raises:
        ValueError: as :func:`bootstrap_intervals`.

    """
    from scipy import stats  # slow to import, and asked for here alone

    data, at = _checked(fits, levels, ages, level)
    n = len(data)
    low, high = np.full(n, np.nan), np.full(n, np.nan)
    rows = np.flatnonzero(np.isfinite(fits.sse))
    if rows.size:
        freedom = np.isfinite(data[rows]).sum(axis=1) - len(fits.params)
        wide = fits.sse[rows] * (1 + stats.f.ppf(level, 1, np.maximum(freedom, 1)) / np.maximum(freedom, 1))
        low[rows], high[rows] = _crossings(fits, data[rows], at, np.where(freedom > 0, wide, np.nan), rows)
        low[rows[freedom <= 0]] = high[rows[freedom <= 0]] = np.nan
    nothing = np.full(n, np.nan)
    return Intervals(level, {"m": low}, {"m": high}, nothing, nothing)


def _crossings(fits: CurveFits, data: Floats, ages: Floats, bar: Floats, rows: Integers) -> tuple[Floats, Floats]:
    """The least and the greatest m at which the sum of squares is ``bar``, by bisection of log m for all rows."""
    family, size = FAMILIES[fits.family], np.nanmax(data, axis=1)
    with np.errstate(all="ignore"):
        problem, *_ = pack(
            data / size[:, None], pattern_codes(np.isfinite(data)), ages, family, fits.objective == "increments"
        )
        every, target = np.arange(len(data)), bar / size**2

        def above(log_m: Floats) -> Booleans:
            held = replace(problem, ceiling=np.exp(log_m))
            return np.asarray(search().minima(family.shape, held, every).lowest().sse > target)

        found = np.minimum(fits.params["m"][rows] / size, INFINITE_CEILING)
        top = INFINITE_CEILING if fits.ceiling is None else fits.ceiling / size
        ends = []
        for edge in (np.full(len(data), np.log(1e-3)), np.log(np.broadcast_to(top, len(data)))):
            inside, outside = np.log(found), edge.copy()
            never = ~above(outside)
            for _ in range(BISECTIONS):
                middle = (inside + outside) / 2
                out = above(middle)
                inside, outside = np.where(out, inside, middle), np.where(out, middle, outside)
            ends.append(np.where(never, np.exp(edge), np.exp(inside)) * size)
            last = never
    return ends[0], np.where(last & (fits.ceiling is None), np.inf, ends[1])
