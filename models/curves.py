"""Diffusion curves fitted to many adoption series at once, by nonlinear least squares.

Belongs here: estimation, standard errors and the scikit-learn face of it. Not here: the curves themselves
(``families``), reading series, or forecasting from them.

The ceiling m is linear and is profiled out (Golub & Pereyra 1973, in Kaufman's 1975 form); the other
parameters are polished by Levenberg–Marquardt from the best minima of a grid, whose sums of squares come
from one matrix product for all series observed at the same ages. Where a stated ceiling is exceeded, the
problem is solved again with m held at it, and the better of that and any interior minimum is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from longwave.models.curve_solver import MAX_STEPS, Booleans, Integers, Problem, State, lowest, minima, polish
from longwave.models.families import FAMILIES, Family, Floats, Shape
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

__all__ = ["FAMILIES", "OBJECTIVES", "CurveFits", "DiffusionCurve", "fit_curves"]

OBJECTIVES = ("cumulative", "increments")
UNFITTED = ("too_few_points", "no_growth")
MIN_POINTS = 4  # three parameters and one degree of freedom
LARGEST_LEVEL = 1e15
INFINITE_CEILING = 1e3  # a ceiling beyond this many times the highest level is called infinite
BLOCK = 32_768  # observations in memory at once, for each start
SINGULAR = 1e-13  # smallest eigenvalue of the scaled J'J that still counts as identified
FLAT = 1e-5  # of the series' size: a parameter that moves the curve by less is not identified


@dataclass(frozen=True)
class CurveFits:
    """Fits of one family to ``n`` series, row by row in the order given.

    Attributes:
        params: parameter name -> (n,): m in the unit of the levels, p, q, k and c per year, t50 in years
            of age, b a pure number. NaN where nothing could be fitted; m is inf (and t50 or b, too, where
            the limiting form is the best) without a finite ceiling.
        std_errors: parameter name -> (n,), from s² (J'J)⁻¹ with the number of observations less the number
            of parameters as degrees of freedom; NaN unless the status is ``ok``.
        sse: (n,) least sum of squares, of levels or of increments as the objective says.
        status: (n,) of ``ok``; ``no_finite_ceiling``: the sum of squares falls as long as the ceiling
            rises, or until over 1,000 times the highest level; ``on_bound``: the stated ceiling chose m, or
            a parameter ran to its bound, or to where the curve no longer depends on it (a step between two
            observations); ``too_few_points``: under 4, or under 3 after the launch for bass;
            ``no_growth``: the level never rises.
        covariance: (n, parameters, parameters), in the order of ``params``; NaN as ``std_errors``.

    """

    family: str
    objective: str
    ceiling: float | None
    params: dict[str, Floats]
    std_errors: dict[str, Floats]
    sse: Floats
    status: NDArray[np.str_]
    covariance: Floats
    _solution: _Solution

    def predict(self, ages: ArrayLike) -> Floats:
        """Fitted levels at ``ages`` (years since launch, any order), (n, len(ages)).

        NaN where nothing was fitted, never above a finite m. Without a finite ceiling the limiting form
        is used (exponential growth; for bass the same from 0 at the launch, linear at q = 0), or, should
        it fit worse, the curve with the huge ceiling that was found.

        Raises:
            ValueError: if ``ages`` is not one-dimensional or not finite.

        """
        at = _checked_ages(ages)
        best, family = self._solution, FAMILIES[self.family]
        levels = np.full((len(self.sse), len(at)), np.nan)
        for limiting, shape in ((False, family.shape), (True, family.limit)):
            rows = np.flatnonzero((best.limiting == limiting) & np.isfinite(best.sse))
            x = best.x[rows, : len(shape.lower)]
            last, scale = best.last[rows, None], best.scale[rows, None]
            origin = 0.0 if family.from_launch else last
            with np.errstate(over="ignore", under="ignore"):
                curve = shape.value((at[None, :] - origin) / scale, x)
                levels[rows] = best.factor[rows, None] * curve
        return levels


def fit_curves(
    levels: ArrayLike,
    ages: ArrayLike,
    family: str = "bass",
    objective: str = "cumulative",
    ceiling: float | None = None,
) -> CurveFits:
    """Fit one family of diffusion curves to every row of ``levels``.

    Args:
        levels: (n_series, n_years) cumulative levels in any one unit a row, NaN where not observed.
        ages: (n_years,) years since launch, increasing. Bass is 0 at age 0 and before.
        family: a key of ``FAMILIES``.
        objective: ``cumulative``: the sum over observed ages of (Y_t − A_t)². ``increments``: the sum over
            consecutive observed ages of (Y_t − Y_s − (A_t − A_s))², both 0 before the first observed
            age (Srinivasan & Mason 1986).
        ceiling: None, or what m cannot exceed, in the unit of the levels (100 for a share in percent).

    Returns:
        The fits, in the order of the rows. A row that cannot be fitted has NaN and a status, no exception.

    Raises:
        ValueError: unknown family or objective; wrong shapes; ages not finite or not increasing; levels
            infinite, negative, over 1e15, or above the ceiling (the message names the first such row).

    """
    chosen = _known(family, objective)
    at = _checked_ages(ages, increasing=True)
    data = _checked_levels(levels, len(at), _checked_ceiling(ceiling))
    return _fit(data, at, chosen, objective, ceiling)


@dataclass
class _Solution:
    """Per series: coordinates, level = factor × shape, SSE, whether in the limiting form; time scale."""

    x: Floats
    factor: Floats
    sse: Floats
    limiting: Booleans
    last: Floats
    scale: Floats

    @classmethod
    def nothing(cls, n: int, coordinates: int) -> _Solution:
        """A solution of n series to none of which anything was fitted."""
        x, part = np.full((n, coordinates), np.nan), np.full(n, np.nan)
        return cls(x, part.copy(), part.copy(), np.zeros(n, dtype=np.bool_), part.copy(), part.copy())


def _known(family: str, objective: str) -> Family:
    if family not in FAMILIES:
        raise ValueError(f"family {family!r} is not one of {', '.join(FAMILIES)}")
    if objective not in OBJECTIVES:
        raise ValueError(f"objective {objective!r} is not one of {', '.join(OBJECTIVES)}")
    return FAMILIES[family]


def _checked_ages(ages: ArrayLike, increasing: bool = False) -> Floats:
    at = np.asarray(ages, dtype=np.float64)
    if at.ndim != 1:
        raise ValueError(f"ages must be one vector for all series, not of shape {at.shape}")
    if not np.isfinite(at).all():
        raise ValueError(f"age {int(np.argmin(np.isfinite(at)))} is not finite")
    if increasing and (np.diff(at) <= 0).any():
        where = int(np.argmax(np.diff(at) <= 0)) + 1
        raise ValueError(f"ages must increase: age {where} ({at[where]:g}) follows {at[where - 1]:g}")
    return at


def _checked_ceiling(ceiling: float | None) -> float:
    if ceiling is None:
        return np.inf
    if not (np.isfinite(ceiling) and ceiling > 0):
        raise ValueError(f"ceiling must be None or a positive number, not {ceiling!r}")
    return float(ceiling)


def _checked_levels(levels: ArrayLike, n_years: int, ceiling: float) -> Floats:
    data = np.asarray(levels, dtype=np.float64)
    if data.ndim != 2 or data.shape[1] != n_years:
        raise ValueError(f"levels must be (n_series, {n_years}) as there are {n_years} ages, not {data.shape}")
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


def _unfit(data: Floats, ages: Floats, family: Family) -> NDArray[np.str_]:
    """``too_few_points``, ``no_growth`` or, for the rows to be fitted, ``ok``."""
    seen = np.isfinite(data)
    if not data.shape[1]:
        return np.full(len(data), "too_few_points")
    usable = (seen & (ages > 0)).sum(axis=1) if family.from_launch else seen.sum(axis=1)
    lowest = np.minimum.accumulate(np.where(seen, data, np.inf), axis=1)
    rises = (np.where(seen, data, -np.inf)[:, 1:] > lowest[:, :-1]).any(axis=1)
    few = (seen.sum(axis=1) < MIN_POINTS) | (usable < MIN_POINTS - 1)
    return np.where(few, "too_few_points", np.where(rises, "ok", "no_growth")).astype("<U17")


def _fit(data: Floats, ages: Floats, family: Family, objective: str, ceiling: float | None) -> CurveFits:
    """Fit checked levels, block by block; ages may repeat when levels are compared."""
    n, names = len(data), family.parameters
    status = _unfit(data, ages, family)
    best = _Solution.nothing(n, len(names) - 1)
    named, covariance = np.full((n, len(names)), np.nan), np.full((n, len(names), len(names)), np.nan)
    rows = np.flatnonzero(status == "ok")
    rows = rows[np.argsort(np.isfinite(data[rows]).sum(axis=1), kind="stable")]
    many = max(1, BLOCK // max(1, data.shape[1]))
    for start in range(0, len(rows), many):
        block = rows[start : start + many]
        with np.errstate(all="ignore"):
            found, *rest = _fit_block(data[block], ages, family, objective == "increments", ceiling)
        for field, values in vars(found).items():
            getattr(best, field)[block] = values
        named[block], covariance[block], status[block] = rest
    errors = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    return CurveFits(
        family=family.name,
        objective=objective,
        ceiling=ceiling,
        params=dict(zip(names, named.T.copy(), strict=True)),
        std_errors=dict(zip(names, errors.T.copy(), strict=True)),
        sse=best.sse,
        status=status,
        covariance=covariance,
        _solution=best,
    )


def _fit_block(
    data: Floats, ages: Floats, family: Family, increments: bool, ceiling: float | None
) -> tuple[_Solution, Floats, Floats, NDArray[np.str_]]:
    """Solution, named parameters, covariance and status of the rows of one block."""
    size = np.nanmax(data, axis=1)
    problem, last, scale = _pack(data / size[:, None], ages, family, increments)
    free = minima(family.shape, problem)
    chosen = np.zeros(len(data), dtype=np.bool_)  # by the ceiling, or the limiting form
    if ceiling is None:
        best, chosen = _or_limit(family, problem, lowest(free))
        endless = chosen | (best.factor > INFINITE_CEILING)
    else:
        best, chosen = _under_ceiling(family, problem, free, ceiling / size)
        endless = np.zeros(len(data), dtype=np.bool_)
    limiting = chosen & endless
    stuck = chosen | _stuck(family.shape, best)
    status = np.where(endless, "no_finite_ceiling", np.where(stuck, "on_bound", "ok"))
    factor = best.factor * size
    if ceiling is not None:
        factor = np.where(chosen, ceiling, np.minimum(factor, ceiling))
    named, by_x = family.natural(best.x, scale, last)
    named[limiting] = family.at_limit(np.exp(best.x[limiting, 0]) / scale[limiting])
    named = np.column_stack([np.where(endless, np.inf, factor), named])
    covariance = np.full((len(data), by_x.shape[1] + 1, by_x.shape[1] + 1), np.nan)
    fine = np.flatnonzero(status == "ok")
    covariance[fine] = _covariance(family.shape, problem, best, by_x, size, fine)
    status[fine[np.isnan(covariance[fine, 0, 0])]] = "on_bound"
    return _Solution(best.x, factor, best.sse * size**2, limiting, last, scale), named, covariance, status


def _pack(data: Floats, ages: Floats, family: Family, increments: bool) -> tuple[Problem, Floats, Floats]:
    """Put observations to the left and times on the family's scale; also the last age and the scale."""
    seen = np.isfinite(data)
    count = seen.sum(axis=1)
    order = np.argsort(~seen, axis=1, kind="stable")[:, : count.max()]
    place = np.arange(order.shape[1])[None, :]
    order = np.take_along_axis(order, np.minimum(place, count[:, None] - 1), axis=1)
    at = ages[order]
    last = at[:, -1]
    scale = last if family.from_launch else last - at[:, 0]
    u = (at - (0.0 if family.from_launch else last[:, None])) / scale[:, None]
    y = np.take_along_axis(data, order, axis=1)
    _, pattern = np.unique(np.packbits(seen, axis=1), axis=0, return_inverse=True)
    weight = (place < count[:, None]).astype(np.float64)
    problem = Problem(u, y, weight, increments, pattern.ravel())
    return replace(problem, y=problem.operate(y, np.arange(len(y)))), last, scale


def _or_limit(family: Family, problem: Problem, best: State) -> tuple[State, Booleans]:
    """The best with a finite ceiling, or the limiting form where that is at least as good."""
    limit = lowest(minima(family.limit, problem))
    limiting = limit.sse <= best.sse * (1 + 1e-9) + 1e-24
    best.x[limiting] = limit.x[limiting]  # one rate, in every column
    best.factor[limiting], best.sse[limiting] = limit.factor[limiting], limit.sse[limiting]
    return best, limiting


def _under_ceiling(family: Family, problem: Problem, free: State, ceiling: Floats) -> tuple[State, Booleans]:
    """The best with m up to the ceiling, and whether the ceiling chose m.

    Where the free optimum lies above, the candidates are the free minima below the ceiling, the best
    with m held at the ceiling, and the minimum that is reached from there once m is let go.
    """
    above = ~(lowest(free).factor <= ceiling)
    free.sse[~(free.factor <= ceiling[:, None])] = np.inf
    best = lowest(free)
    rows = np.flatnonzero(above)
    held = lowest(minima(family.shape, replace(problem, ceiling=ceiling), rows))
    freed = polish(family.shape, problem, rows, held.x, MAX_STEPS)
    freed.sse[~(freed.factor <= ceiling[rows])] = np.inf
    for candidate in (freed, held):
        better = candidate.sse < best.sse[rows]
        best.put(rows[better], candidate.take(better))
    chosen = np.zeros(len(above), dtype=np.bool_)
    chosen[rows[better]] = True  # where the last candidate, held, won
    return best, chosen


def _stuck(shape: Shape, best: State) -> Booleans:
    """Whether a coordinate is at its bound or no longer moves the curve."""
    at_bound = (best.x <= shape.lower + 1e-6) | (best.x >= shape.upper - 1e-6)
    flat = np.diagonal(best.curvature, axis1=1, axis2=2) < FLAT**2
    return np.asarray((at_bound | flat).any(axis=1))


def _covariance(shape: Shape, problem: Problem, best: State, by_x: Floats, size: Floats, rows: Integers) -> Floats:
    """s² (J'J)⁻¹ of (m, named parameters); NaN where J'J is singular or no degree of freedom is left."""
    value, slopes = shape.slopes(problem.u[rows], best.x[rows])
    level = problem.operate(value, rows)[:, None]
    jacobian = np.concatenate([level, best.factor[rows, None, None] * problem.operate(slopes, rows)], axis=1)
    norms = np.sqrt(np.einsum("ijk,ijk->ij", jacobian, jacobian))
    jacobian /= norms[:, :, None]
    information = np.einsum("ijk,ilk->ijl", jacobian, jacobian)
    sound = np.isfinite(information).all(axis=(1, 2))
    information[~sound] = np.eye(information.shape[1])
    sound &= np.linalg.eigvalsh(information)[:, 0] > SINGULAR
    information[~sound] = np.eye(information.shape[1])
    freedom = problem.weight[rows].sum(axis=1) - information.shape[1]
    variance = np.where(sound & (freedom > 0), best.sse[rows] / freedom, np.nan)
    inverse = np.linalg.inv(information) / (norms[:, :, None] * norms[:, None, :])
    change = np.zeros_like(inverse)
    change[:, 0, 0], change[:, 1:, 1:] = size[rows], by_x[rows]
    return np.asarray(variance[:, None, None] * (change @ inverse @ change.swapaxes(1, 2)))


class DiffusionCurve(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """One diffusion curve as a scikit-learn regressor, from ages to cumulative levels.

    ``family``, ``objective`` and ``ceiling`` are those of :func:`fit_curves`. Once fitted, ``params_`` and
    ``std_errors_`` map names to numbers, ``sse_`` and ``status_`` are as in :class:`CurveFits`, and ``fits_``
    is the whole of it for this one series. The age is the first column of X; others are not looked at.
    """

    def __init__(self, family: str = "bass", objective: str = "cumulative", ceiling: float | None = None) -> None:
        self.family = family
        self.objective = objective
        self.ceiling = ceiling

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fit to ages ``X`` (n, 1) in years since launch, in any order, and levels ``y`` (n,).

        An age may be repeated, unless increments are compared.

        Raises:
            ValueError: as :func:`fit_curves`; or where there are too few observations, or none that rises.

        """
        chosen = _known(self.family, self.objective)
        ages, levels = validate_data(self, X, y, y_numeric=True, dtype=np.float64)
        order = np.argsort(ages[:, 0], kind="stable")
        ages, levels = ages[order, 0], levels[order].astype(np.float64)
        if self.objective == "increments":
            _checked_ages(ages, increasing=True)
        data = _checked_levels(levels[None, :], len(ages), _checked_ceiling(self.ceiling))
        self.fits_ = _fit(data, ages, chosen, self.objective, self.ceiling)
        few = len(np.unique(ages)) < MIN_POINTS - 1
        self.status_ = UNFITTED[0] if few else str(self.fits_.status[0])
        if self.status_ in UNFITTED:
            raise ValueError(
                f"{self.status_}: a curve needs {MIN_POINTS} observations that rise; n_samples = {len(ages)}"
            )
        self.sse_ = float(self.fits_.sse[0])
        self.params_ = {name: float(value[0]) for name, value in self.fits_.params.items()}
        self.std_errors_ = {name: float(value[0]) for name, value in self.fits_.std_errors.items()}
        return self

    def predict(self, X: ArrayLike) -> Floats:
        """Levels (n,) at ages ``X`` (n, 1), as :meth:`CurveFits.predict`."""
        check_is_fitted(self)
        ages = validate_data(self, X, dtype=np.float64, reset=False)
        levels: Floats = self.fits_.predict(ages[:, 0])[0]
        return levels

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = True
        tags.regressor_tags.poor_score = True
        return tags
