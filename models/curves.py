"""Diffusion curves fitted to many adoption series at once, by nonlinear least squares.

Belongs here: what is asked for and what is answered, and the checks between. Not here: the curves themselves
(``families``), the steps of a fit (``curve_fit``), intervals (``curve_intervals``), forecasting.

The ceiling m is linear and is profiled out (Golub & Pereyra 1973, in Kaufman's 1975 form); the other
parameters are polished by Levenberg–Marquardt from the best minima of a grid, whose sums of squares come
from one matrix product for all series observed at the same ages. Where a stated ceiling is exceeded, the
problem is solved again with m held at it, and the better of that and any interior minimum is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from longwave.models import curve_fit
from longwave.models.curve_fit import NO_GROWTH, OK, STATUSES, TOO_FEW, Fitted, Solution
from longwave.models.curve_shapes import Floats
from longwave.models.families import FAMILIES, Family
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from longwave.models.curve_estimator import DiffusionCurve

__all__ = ["FAMILIES", "OBJECTIVES", "CurveFits", "DiffusionCurve", "fit_curves"]

OBJECTIVES = ("cumulative", "increments")
LARGEST_LEVEL = 1e15


def __getattr__(name: str) -> Any:
    """Import the estimator, and scikit-learn with it, when it is first asked for."""
    if name == "DiffusionCurve":
        from longwave.models.curve_estimator import DiffusionCurve

        return DiffusionCurve
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@dataclass(frozen=True)
class CurveFits:
    """Fits of one family to ``n`` series, row by row in the order given.

    Attributes:
        params: parameter name -> (n,), m in the unit of the levels; per
            year p, q, k, Gompertz' c and the b of gamma_shifted_gompertz; in years t50 and Weibull's a (t50 an
            age); the others are pure numbers, and ``launch`` an age, where it was estimated. NaN where nothing
            could be fitted; without a finite ceiling m is inf, and so is what goes to infinity with it. They are the
            optimum, and so a little off on average: :func:`longwave.models.curve_bias.biases` tells by how much.
        std_errors: parameter name -> (n,), from s² (J'J)⁻¹ with the number of observations less the number
            of parameters as degrees of freedom; NaN unless the status is ``ok``.
        sse: (n,) least sum of squares, of levels or of increments as the objective says.
        status: (n,) of ``ok``; ``no_finite_ceiling``: the sum of squares falls as long as the ceiling
            rises, or until over 1,000 times the highest level; ``on_bound``: the stated ceiling chose m, or
            a parameter ran to its bound, or to where the curve no longer depends on it (a step between two
            observations); ``too_few_points``: no more points than parameters, or
            fewer than parameters after the launch where the curve is 0 up to it; ``no_growth``: the level never rises.
        covariance: (n, parameters, parameters), in the order of ``params``; NaN as ``std_errors``.
        launch: ``given`` (age 0), ``estimated``, or ``none`` for the families that have a location of their own.

    """

    family: str
    objective: str
    ceiling: float | None
    params: dict[str, Floats]
    std_errors: dict[str, Floats]
    sse: Floats
    status: NDArray[np.str_]
    covariance: Floats
    launch: str
    _solution: Solution

    def predict(self, ages: ArrayLike) -> Floats:
        """Fitted levels at ``ages`` (years since launch, any order), (n, len(ages)).

        NaN where nothing was fitted, never above a finite m. Without a finite ceiling the limiting form
        is used (exponential growth; for bass the same from 0 at the launch, linear at q = 0), or, should
        it fit worse, the curve with the huge ceiling that was found.

        Raises:
            ValueError: if ``ages`` is not one-dimensional or not finite.

        """
        at = checked_ages(ages)
        best, family = self._solution, FAMILIES[self.family]
        levels = np.full((len(self.sse), len(at)), np.nan)
        for limiting, shape in ((False, family.shape), (True, family.limit)):
            rows = np.flatnonzero((best.limiting == limiting) & np.isfinite(best.sse))
            x = best.x[rows, : len(shape.lower)]
            last, scale = best.last[rows, None], best.scale[rows, None]
            origin = best.launch[rows, None] if family.from_launch else last
            with np.errstate(over="ignore", under="ignore", invalid="ignore"):
                curve = shape.value((at[None, :] - origin) / scale, x)
                levels[rows] = best.factor[rows, None] * curve
        return levels


def fit_curves(
    levels: ArrayLike,
    ages: ArrayLike,
    family: str = "bass",
    objective: str = "cumulative",
    ceiling: float | None = None,
    *,
    launch: tuple[float, float] | None = None,
    threads: int = 1,
) -> CurveFits:
    """Fit one family of diffusion curves to every row of ``levels``.

    Args:
        levels: (n_series, n_years) cumulative levels in any one unit a row, NaN where not observed.
        ages: (n_years,) years since launch, increasing. Bass, Weibull and gamma/shifted Gompertz are 0 at age 0
            and before.
        family: a key of ``FAMILIES``.
        objective: ``cumulative``: the sum over observed ages of (Y_t − A_t)². ``increments``: the sum over
            consecutive observed ages of (Y_t − Y_s − (A_t − A_s))², both 0 before the first observed
            age (Srinivasan & Mason 1986).
        ceiling: None, or what m cannot exceed, in the unit of the levels (100 for a share in percent).
        launch: None where the launch is known to be at age 0; else the lowest and the highest age at which it may
            have been, and it is estimated between them, before the third observation of a row at the latest. For
            the families that are 0 at their launch only.
        threads: threads to spread the rows over; the result does not depend on it.

    Returns:
        The fits, in the order of the rows. A row that cannot be fitted has NaN and a status, no exception.

    Raises:
        ValueError: unknown family or objective; wrong shapes; ages not finite or not increasing; levels
            infinite, negative, over 1e15, or above the ceiling (the message names the first such row); bounds
            of the launch that are not two rising finite ages, that begin when a row has been observed three times
            (the message names it), or for a family that has none.

    """
    chosen = known(family, objective)
    at = checked_ages(ages, increasing=True)
    data = checked_levels(levels, len(at), checked_ceiling(ceiling))
    if threads < 1:
        raise ValueError(f"threads must be at least 1, not {threads}")
    return fit_checked(data, at, chosen, objective, ceiling, _checked_launch(launch, chosen, data, at), threads)


def known(family: str, objective: str) -> Family:
    if family not in FAMILIES:
        raise ValueError(f"family {family!r} is not one of {', '.join(FAMILIES)}")
    if objective not in OBJECTIVES:
        raise ValueError(f"objective {objective!r} is not one of {', '.join(OBJECTIVES)}")
    return FAMILIES[family]


def checked_ages(ages: ArrayLike, increasing: bool = False) -> Floats:
    at = np.asarray(ages, dtype=np.float64)
    if at.ndim != 1:
        raise ValueError(f"ages must be one vector for all series, not of shape {at.shape}")
    if not np.isfinite(at).all():
        raise ValueError(f"age {int(np.argmin(np.isfinite(at)))} is not finite")
    if increasing and (np.diff(at) <= 0).any():
        where = int(np.argmax(np.diff(at) <= 0)) + 1
        raise ValueError(f"ages must increase: age {where} ({at[where]:g}) follows {at[where - 1]:g}")
    return at


def checked_ceiling(ceiling: float | None) -> float:
    if ceiling is None:
        return np.inf
    if not (np.isfinite(ceiling) and ceiling > 0):
        raise ValueError(f"ceiling must be None or a positive number, not {ceiling!r}")
    return float(ceiling)


def checked_levels(levels: ArrayLike, n_years: int, ceiling: float) -> Floats:
    data = np.asarray(levels, dtype=np.float64)
    if data.ndim != 2 or data.shape[1] != n_years:
        raise ValueError(f"levels must be (n_series, {n_years}) as there are {n_years} ages, not {data.shape}")
    lowest, highest = np.fmin.reduce(data, axis=None, initial=0.0), np.fmax.reduce(data, axis=None, initial=0.0)
    if lowest >= 0.0 and highest <= min(LARGEST_LEVEL, ceiling):
        return data
    faults = {
        "is infinite": np.isinf(data),
        "is negative": data < 0,
        f"is over {LARGEST_LEVEL:g}": data > LARGEST_LEVEL,
        f"is above the ceiling {ceiling:g}": data > ceiling * (1 + 1e-9),
    }
    for what, fault in faults.items():
        if fault.any():
            row, column = np.argwhere(fault)[0]
            raise ValueError(f"row {row}: level {data[row, column]:g} at position {column} {what}")
    return data


def _checked_launch(
    launch: tuple[float, float] | None, family: Family, data: Floats, ages: Floats
) -> tuple[float, float] | None:
    if launch is None:
        return None
    if not family.from_launch:
        raise ValueError(f"{family.name} has a location of its own: a launch cannot be estimated beside it")
    low, high = (float(bound) for bound in launch)
    if not (np.isfinite([low, high]).all() and low < high):
        raise ValueError(f"launch must be two rising ages between which it is estimated, not {launch!r}")
    early = (np.isfinite(data) & (ages <= low)).sum(axis=1) >= 3
    if early.any():
        row = int(np.argmax(early))
        raise ValueError(
            f"row {row}: observed three times by age {low:g}, the earliest at which launch may be; it is estimated before "
            "the third observation"
        )
    return low, high


def _unfit(data: Floats, ages: Floats, family: Family, free: int) -> NDArray[np.int8]:
    """The numbers of ``too_few_points``, ``no_growth`` or, for the rows to be fitted with ``free`` parameters, ``ok``."""
    if not data.shape[1]:
        return np.full(len(data), TOO_FEW, dtype=np.int8)
    seen = np.isfinite(data)
    if seen.all():
        count, usable = data.shape[1], int((ages > 0).sum()) if family.from_launch else data.shape[1]
        few = np.full(len(data), count <= free or usable < free)
        rises = np.asarray(data[:, -1] > data[:, 0], dtype=np.bool_)
        rest = data[~rises]
        rises[~rises] = (rest[:, 1:] > np.minimum.accumulate(rest, axis=1)[:, :-1]).any(axis=1)
    else:
        usable_ages = ages > 0 if family.from_launch else np.ones(len(ages), np.bool_)
        few = (seen.sum(axis=1) <= free) | ((seen & usable_ages).sum(axis=1) < free)
        lowest = np.minimum.accumulate(np.where(seen, data, np.inf), axis=1)
        rises = np.asarray((np.where(seen, data, -np.inf)[:, 1:] > lowest[:, :-1]).any(axis=1))
    return np.where(few, TOO_FEW, np.where(rises, OK, NO_GROWTH)).astype(np.int8)


def fit_checked(
    data: Floats,
    ages: Floats,
    family: Family,
    objective: str,
    ceiling: float | None,
    launch: tuple[float, float] | None = None,
    threads: int = 1,
) -> CurveFits:
    """Fit levels that were checked; ages may repeat when levels are compared."""
    names = (*family.parameters, "launch") if launch else family.parameters
    increments = objective == "increments"
    if launch:
        from longwave.models.curve_launch import fit_block

        since = ages - launch[0]
        fit = partial(fit_block, ages=ages, family=family, increments=increments, ceiling=ceiling, launch=launch)
    else:
        since = ages
        fit = partial(curve_fit.fit_block, ages=ages, family=family, increments=increments, ceiling=ceiling)
    fitted = Fitted.nothing(len(data), len(names), len(family.parameters) - 1)
    fitted.status[:] = _unfit(data, since, family, len(names))
    rows = np.flatnonzero(fitted.status == OK)
    fitted = curve_fit.by_blocks(data, rows, fit, fitted, threads)
    errors = np.sqrt(np.diagonal(fitted.covariance, axis1=1, axis2=2))
    return CurveFits(
        family=family.name,
        objective=objective,
        ceiling=ceiling,
        params=dict(zip(names, fitted.named.T.copy(), strict=True)),
        std_errors=dict(zip(names, errors.T.copy(), strict=True)),
        sse=fitted.solution.sse,
        status=np.array(STATUSES)[fitted.status],
        covariance=fitted.covariance,
        launch=("estimated" if launch else "given") if family.from_launch else "none",
        _solution=fitted.solution,
    )
