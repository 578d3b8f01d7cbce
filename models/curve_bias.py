"""How far off least squares are on average, and estimates without it.

Belongs here: the bias of a fit as far as its curvature and the cutting off of errors make one. Not here: the fits
(``curves``), whose parameters stay the optimum; intervals (``curve_intervals``, ``curve_profiles``), which need no correction.

An optimum θ̂ = θ + P ε + … is off by what is quadratic in the errors ε. With J and H the first and second derivatives of the
curve by coordinates z, P = (J'J)⁻¹ J', Σ the covariance of the errors and C = P Σ P',

    E(ẑ − z) ≈ P δ + (J'J)⁻¹ {Σ_i H_i (P Σ_i − C J_i) − ½ Σ_i J_i tr(H_i C)}

to the second order (Cox & Snell 1968; for Σ = σ² I the middle term is 0 and it is that of Box 1971). δ_i is the mean of what
is cut off: a level is never below 0 nor above a stated ceiling, so that errors there are not around 0 (Tobin 1958). Named
parameters follow by their own second derivatives, the positive ones by their logarithms.

The second derivatives are differences of the analytic first ones. Σ is a first-order autoregression at the posterior mean of
its autocorrelation (``curve_errors``): averaged over the posterior instead, a few huge spreads would decide. C rises ever more
steeply with the autocorrelation, so from one that is estimated biases come out too large on average: what a correction leaves
has the other sign, and is smaller.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from longwave.models.curve_coordinates import PLACES, Coordinates
from longwave.models.curve_errors import RHOS, ErrorModel, between
from longwave.models.curve_intervals import checked, unexplained
from longwave.models.curve_shapes import Floats
from longwave.models.curves import CurveFits
from numpy.typing import ArrayLike

APART = 1e-4  # of a coordinate: differences of slopes are good to about eight digits
SINGULAR = 1e-13  # of the scaled J'J, as for the standard errors
LARGEST = 1.0  # a bias as large as the parameter: there the expansion does not hold
BLOCK = 2_000  # series in memory at once


@dataclass(frozen=True)
class Biases:
    """Biases of the parameters of n series.

    Attributes:
        bias: parameter name -> (n,), the mean estimate less the truth, in the parameter's unit. NaN unless the status of the
            fit is ``ok`` and the fit has more points than parameters.
        corrected: parameter name -> (n,), the estimate without it. A positive parameter θ is θ̂ e^(−bias/θ̂), which is θ̂ −
            bias to the same order, and positive. NaN as ``bias``, and in rows where the bias of any positive parameter is as
            large as its estimate: the data do not identify the curve so far that a mean could be told.

    """

    bias: dict[str, Floats]
    corrected: dict[str, Floats]

    def within(self, percent: float) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Rows (n,) where no positive parameter is off by more than ``percent`` of its corrected estimate on average.

        One percent is a rule of thumb for parameters that behave as linear ones do (Ratkowsky 1990).
        """
        close = [
            np.abs(self.bias[name]) * 100 <= percent * self.corrected[name] for name in self.bias if name not in PLACES
        ]
        return np.asarray(np.logical_and.reduce(close))


def biases(fits: CurveFits, levels: ArrayLike, ages: ArrayLike, *, launch: tuple[float, float] | None = None) -> Biases:
    """Second-order biases of least squares, and estimates without them; ``fits.params`` stay the optimum.

    Args:
        fits: of ``levels`` (n, n_years) at ``ages`` (n_years,).
        levels: (n, n_years) as given to :func:`fit_curves`.
        ages: (n_years,) likewise.
        launch: as given to :func:`fit_curves`; needed where the launch was estimated, and only there.

    Raises:
        ValueError: levels or ages that :func:`fit_curves` would not take or of another shape, or a launch that is missing
            or not asked for.

    """
    data, at = checked(fits, levels, ages, 0.5, launch)
    told = np.full((len(data), len(fits.params)), np.nan)
    rows = np.flatnonzero(np.isfinite(fits.covariance).all(axis=(1, 2)))
    with np.errstate(all="ignore"):
        for part in (rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK)):
            here = Coordinates(fits, data, at, part)
            spread = np.zeros((len(part), here.at.shape[1], here.at.shape[1]))
            for place, row in enumerate(part):
                n = here.count[place]
                spread[place, :n, :n] = covariance_of_errors(fits, data[row], at, row)
            told[part] = relative_bias(here, spread, fits.ceiling)
    positive = np.array([name not in PLACES for name in fits.params])
    known = (np.abs(told[:, positive]) < LARGEST).all(axis=1)
    bias, corrected = {}, {}
    for column, (name, value) in enumerate(fits.params.items()):
        off = told[:, column]
        bias[name] = off * value if positive[column] else off
        corrected[name] = np.where(known, value * np.exp(-off) if positive[column] else value - off, np.nan)
    return Biases(bias, corrected)


def covariance_of_errors(fits: CurveFits, levels: Floats, ages: Floats, row: int) -> Floats:
    """Covariance (points, points) of the errors of one series, at its observed ages."""
    seen = np.isfinite(levels)
    at = ages[seen]
    residual, _, slopes, told = unexplained(fits, levels[seen], at, row)
    model = ErrorModel(slopes[told], at[told], float(np.median(np.diff(at))))
    likely, power = (part[0] for part in model.posterior(residual[None, told]))
    nearest = int(np.argmin(np.abs(RHOS - likely @ RHOS)))
    return np.asarray(power[nearest] / model.freedom * between(tuple((at / model.step).tolist()))[nearest])


def relative_bias(here: Coordinates, spread: Floats, ceiling: float | None) -> Floats:
    """Bias (rows, parameters) of errors with covariances ``spread`` (rows, points, points).

    As a share of the parameter, of places in years.
    """
    n = here.z.shape[1]
    both = here.compared(here.curve(here.z, here.at, here.every))
    level, slope = both[:, 0], both[:, 1:]
    norm = np.sqrt(np.einsum("ran,ran->ra", slope, slope))
    unit = slope / norm[:, :, None]
    inverse = np.linalg.pinv(unit @ unit.transpose(0, 2, 1), rcond=SINGULAR, hermitian=True)
    inverse /= norm[:, :, None] * norm[:, None]
    estimate = inverse @ slope  # P
    through = estimate @ spread
    covariance = through @ estimate.transpose(0, 2, 1)  # C
    pull = np.einsum("rai,ri->ra", slope, _cut_off(here, level, spread, ceiling))
    named = _by_coordinates(here, here.z)
    moved = np.empty(
        (len(level), n, n, n)
    )  # second derivatives of the named parameters: by z_l and z_i, (rows, l, j, i)
    for by in range(n):
        step = APART * np.eye(n)[by]
        up, down = (here.compared(here.curve(here.z + sign * step, here.at, here.every))[:, 1:] for sign in (1, -1))
        bend = (up - down) / (2 * APART)  # H by z_by: (rows, coordinates, points)
        pull[:, by] += np.einsum("rbi,rbi->r", bend, through - covariance @ slope)
        pull -= 0.5 * np.einsum("rai,rbi,rb->ra", slope, bend, covariance[:, by])
        moved[:, by] = (_by_coordinates(here, here.z + step) - _by_coordinates(here, here.z - step)) / (2 * APART)
    off = np.einsum("rab,rb->ra", inverse, pull)
    told = np.einsum("rji,ri->rj", named, off) + 0.5 * np.einsum("rlji,rli->rj", moved, covariance)
    positive = np.array([name not in PLACES for name in here.names])
    return np.asarray(told + 0.5 * positive * np.einsum("rji,rik,rjk->rj", named, covariance, named))


def _by_coordinates(here: Coordinates, z: Floats) -> Floats:
    """Derivatives (rows, parameters, coordinates) of the named parameters by z, of the positive ones' logarithms."""
    n = 1 + len(here.family.shape.lower)
    value, slope = here.family.natural(z[:, 1:n], here.scale, here.last)
    by = np.zeros((len(z), z.shape[1], z.shape[1]))
    by[:, range(z.shape[1]), range(z.shape[1])] = 1.0  # m by its logarithm, and the launch
    size = np.where([name in PLACES for name in here.names[1:n]], 1.0, value)
    by[:, 1:n, 1:n] = slope / size[:, :, None]
    return by


def _cut_off(here: Coordinates, level: Floats, spread: Floats, ceiling: float | None) -> Floats:
    """Mean (rows, points) of normal errors once levels below 0 are put to 0, and those above a ceiling to it."""
    from scipy.special import ndtr  # slow to import, and asked for here alone

    if here.increments:
        return np.zeros_like(level)
    size = np.sqrt(np.diagonal(spread, axis1=1, axis2=2))

    def beyond(room: Floats) -> Floats:
        far = room / size
        tail = size * np.exp(-0.5 * far**2) / np.sqrt(2 * np.pi) - room * ndtr(-far)
        return np.where((size > 0) & (here.weight > 0), tail, 0.0)

    return beyond(level) - (beyond(ceiling - level) if ceiling is not None else 0.0)
