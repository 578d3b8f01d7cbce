"""Intervals for fitted curves that do not rest on independent errors or a quadratic sum of squares: the bootstrap.

Belongs here: intervals from refitted resamples, and what an interval is. Not here: the fits (``curves``), what residuals
say of errors (``curve_errors``), profile-likelihood intervals (``curve_profiles``).

Standard errors of a Bass fit overstate its precision, because errors of successive years go together (Boswijk & Franses
2005). So the bootstrap draws errors of a first-order autoregression, its autocorrelation and spread anew for every
resample from what the residuals say of them: to put one estimate in their place would leave out that thirty residuals
hardly tell an autocorrelation of 0.4 from one of 0.8, and it is the large ones that make intervals wide. The level at
which percentiles are taken is calibrated on the same draws (:meth:`longwave.models.curve_errors.ErrorModel.nominal`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from longwave.models.curve_errors import RHOS, ErrorModel, uncut
from longwave.models.curve_shapes import Floats
from longwave.models.curve_solver import Booleans
from longwave.models.curves import CurveFits, checked_ages, checked_ceiling, checked_levels, fit_curves
from longwave.models.families import FAMILIES
from numpy.typing import ArrayLike, NDArray

BLOCK = 20_000  # refitted series in memory at once


@dataclass(frozen=True)
class Intervals:
    """Central intervals of n series at one level.

    Attributes:
        low: quantity -> (n,) or, for ``level``, (n, len(ages_ahead)); NaN where nothing was fitted. Where there is no
            limit below, 0, and −inf for t50, which alone may be negative without a bound.
        high: the same; inf where the data do not exclude that there is no finite ceiling.
        autocorrelation: (n,) of errors a median distance of the ages apart, posterior mean; NaN for the profile likelihood.
        endless: (n,) share of the resamples without a finite ceiling; NaN for the profile likelihood.

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
    launch: tuple[float, float] | None = None,
    threads: int = 1,
) -> Intervals:
    """Percentile intervals of the parameters, and of the levels at ``ages_ahead``, from refitted resamples.

    A resample is the fitted curve plus errors of a first-order autoregression, see :mod:`longwave.models.curve_errors`.
    Errors are those of the levels or of the increments, as the objective says; what falls below 0 or above a stated
    ceiling is put there. Percentiles keep to the range of a parameter and follow any change of its scale (Efron &
    Tibshirani 1993, §13).

    Args:
        fits: of ``levels`` (n, n_years) at ``ages`` (n_years,).
        levels: (n, n_years) as given to :func:`fit_curves`.
        ages: (n_years,) likewise.
        seed: of the resamples; the result follows from it and the data alone.
        level: coverage asked for, between 0 and 1.
        replicates: resamples of each series.
        ages_ahead: where to give intervals for the level of the curve, under the name ``level``.
        launch: bounds as given to :func:`fit_curves`; needed where the launch was estimated, and only there. It is
            estimated anew in every resample.
        threads: as for :func:`fit_curves`.

    Raises:
        ValueError: level outside (0, 1), fewer than 20 replicates, levels or ages that :func:`fit_curves` would not take
            or of another shape, or a launch that is missing or not asked for.

    """
    data, at = checked(fits, levels, ages, level, launch)
    if replicates < 20:
        raise ValueError(f"replicates must be at least 20, not {replicates}")
    n, ahead = len(data), checked_ages([] if ages_ahead is None else ages_ahead)
    parts: dict[str, tuple[Floats, Floats]] = {name: (np.full(n, np.nan), np.full(n, np.nan)) for name in fits.params}
    if len(ahead):
        parts["level"] = (np.full((n, len(ahead)), np.nan), np.full((n, len(ahead)), np.nan))
    asked = (replicates, level, ahead)
    rho, endless = np.full(n, np.nan), np.full(n, np.nan)
    children = np.random.SeedSequence(seed).spawn(n)
    rows = np.flatnonzero(np.isfinite(fits.sse) & (fits.status != "no_finite_ceiling"))
    many = max(1, BLOCK // replicates)
    for block in (rows[start : start + many] for start in range(0, len(rows), many)):
        made = np.empty((len(block), replicates, len(at)))
        nominal = np.empty((len(block), len(fits.params) + len(ahead)))
        for place, row in enumerate(block):
            rng = np.random.default_rng(children[row])
            rho[row], made[place], nominal[place] = _resamples(fits, data[row], at, row, rng, asked)
        again = fit_curves(
            made.reshape(-1, len(at)), at, fits.family, fits.objective, fits.ceiling, launch=launch, threads=threads
        )
        endless[block] = (again.status == "no_finite_ceiling").reshape(-1, replicates).mean(axis=1)
        drawn: dict[str, NDArray[np.float64]] = {
            name: value.reshape(-1, replicates) for name, value in again.params.items()
        }
        if len(ahead):
            drawn["level"] = again.predict(ahead).reshape(-1, replicates, len(ahead))
        for place, (name, values) in enumerate(drawn.items()):
            at_level = nominal[:, place:] if name == "level" else nominal[:, place]
            for side, end in zip(parts[name], ((1 - at_level) / 2, (1 + at_level) / 2), strict=True):
                side[block] = _quantile(values, end)
    low, high = ({name: pair[side] for name, pair in parts.items()} for side in (0, 1))
    return Intervals(level, low, high, rho, endless)


def checked(
    fits: CurveFits, levels: ArrayLike, ages: ArrayLike, level: float, launch: tuple[float, float] | None
) -> tuple[Floats, Floats]:
    """Levels and ages as arrays, after the checks that every kind of interval makes."""
    data, at = np.asarray(levels, dtype=np.float64), checked_ages(ages, increasing=True)
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, not {level}")
    if (fits.launch == "estimated") != (launch is not None):
        raise ValueError(f"the launch of the fits was {fits.launch}: give the bounds it had then and only then")
    if data.shape != (len(fits.sse), len(at)):
        raise ValueError(f"levels must be ({len(fits.sse)}, {len(at)}) as fitted, not {data.shape}")
    return checked_levels(data, len(at), checked_ceiling(fits.ceiling)), at


def _quantile(values: Floats, share: Floats) -> Floats:
    """Order statistic along axis 1 of what is known, at shares of the shape of the rest.

    Unlike a weighted mean of two it is defined beside infinity.
    """
    ranked, known = np.sort(values, axis=1), (~np.isnan(values)).sum(axis=1)
    place = np.clip(np.ceil(share * known).astype(np.intp) - 1, 0, values.shape[1] - 1)
    return np.asarray(np.take_along_axis(ranked, np.expand_dims(place, 1), axis=1).squeeze(1))


def _resamples(
    fits: CurveFits, levels: Floats, ages: Floats, row: int, rng: np.random.Generator, asked: tuple[int, float, Floats]
) -> tuple[float, Floats, Floats]:
    """Autocorrelation of the errors of one series, levels (replicates, n_years) like its own, and nominal levels.

    ``asked``: replicates, level, ages ahead; a nominal level for every parameter and then for every age ahead.
    """
    replicates, level, ahead = asked
    seen = np.isfinite(levels)
    at = ages[seen]
    residual, curve, jacobian, told = unexplained(fits, levels[seen], at, row)
    model = ErrorModel(jacobian[told], at[told], float(np.median(np.diff(at))))
    likely, power = (part[0] for part in model.posterior(residual[None, told]))
    errors = model.draw(likely, power, at, rng, replicates)
    weights = np.linalg.pinv(jacobian, rcond=1e-9).T @ _unscaled(_gradients(fits, ahead, row))
    nominal = model.nominal(errors, told, weights, at, level)
    made = np.full((replicates, len(ages)), np.nan)
    made[:, seen] = np.cumsum(curve + errors, axis=1) if fits.objective == "increments" else curve + errors
    return float(likely @ RHOS), np.clip(made, 0.0, fits.ceiling), nominal


def _gradients(fits: CurveFits, ahead: Floats, row: int) -> Floats:
    """Derivatives (slopes, quantities) of every parameter, and of every level ahead, by what ``_slopes`` moves."""
    best, family = fits._solution, FAMILIES[fits.family]
    _, by_x = family.natural(best.x[row][None], best.scale[row : row + 1], best.last[row : row + 1])
    found = np.zeros((len(fits.params), len(fits.params) + len(ahead)))
    n = 1 + by_x.shape[1]
    found[range(len(found)), range(len(found))] = 1.0
    found[1:n, 1:n] = by_x[0].T
    found[:, len(found) :] = _slopes(fits, ahead, row)[1]
    return found[1:] if _held(fits, row) else found


def _unscaled(gradients: Floats) -> Floats:
    """Columns divided by a power of 2 that brings them near 1; of one that is infinite somewhere only that is kept.

    A nominal level does not hang on the unit of a quantity, and a curve at its limit has parameters, and derivatives of
    them, near the largest number there is (the a of gamma/shifted Gompertz up to 1e304).
    """
    endless = np.isinf(gradients).any(axis=0)
    kept = np.where(endless, np.sign(gradients) * np.isinf(gradients), np.nan_to_num(gradients, nan=0.0))
    _, exponent = np.frexp(np.abs(kept).max(axis=0))
    return np.asarray(np.ldexp(kept, -exponent))


def unexplained(fits: CurveFits, levels: Floats, at: Floats, row: int) -> tuple[Floats, Floats, Floats, Booleans]:
    """Residuals, fitted curve, its slopes (points, parameters), and the points whose errors can be told.

    Curve and slopes as the objective compares them, levels or increments; ``levels`` and ``at`` are those observed.
    """
    fitted, jacobian = _linearised(fits, at, row)
    if fits.objective == "increments":
        curve = np.diff(fitted, prepend=0.0)
        return np.diff(levels, prepend=0.0) - curve, curve, jacobian, np.ones(len(at), dtype=np.bool_)
    return levels - fitted, fitted, jacobian, uncut(fitted, levels, jacobian.shape[1], fits.ceiling)


def _linearised(fits: CurveFits, at: Floats, row: int) -> tuple[Floats, Floats]:
    """Fitted levels (points,) of one series, and the slopes of what is compared (points, parameters)."""
    fitted, slopes = _slopes(fits, at, row)
    if fits.objective == "increments":
        slopes = np.diff(slopes, axis=1, prepend=0.0)
    return fitted, (slopes[1:] if _held(fits, row) else slopes).T


def _slopes(fits: CurveFits, at: Floats, row: int) -> tuple[Floats, Floats]:
    """Fitted levels (points,) of one series, and their slopes (parameters, points) by m, coordinates and launch."""
    best, family = fits._solution, FAMILIES[fits.family]
    since = at - (best.launch[row] if family.from_launch else best.last[row])
    x = best.x[row][None]
    value, slopes = family.shape.slopes((since / best.scale[row])[None], x)
    parts = [value, best.factor[row] * slopes[0]]
    if fits.launch == "estimated":
        assert family.by_age is not None  # asked for only where a launch may be estimated
        by_age = best.factor[row] * family.by_age(slopes, x)
        parts.append(np.where(since > 0, -by_age / np.where(since > 0, since, 1.0), 0.0))
    return best.factor[row] * value[0], np.concatenate(parts, axis=0)


def _held(fits: CurveFits, row: int) -> bool:
    """Whether m is held at a stated ceiling."""
    return fits.ceiling is not None and bool(fits._solution.factor[row] >= fits.ceiling * (1 - 1e-12))
