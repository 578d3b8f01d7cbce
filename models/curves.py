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
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import minimum_filter
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from longwave.models.families import FAMILIES, Family, Floats, Shape

__all__ = ["FAMILIES", "OBJECTIVES", "CurveFits", "DiffusionCurve", "fit_curves"]

OBJECTIVES = ("cumulative", "increments")
MIN_POINTS = 4  # three parameters and one degree of freedom
LARGEST_LEVEL = 1e15
INFINITE_CEILING = 1e3  # a ceiling beyond this many times the highest level is called infinite
STARTS = 8
ROUGH_STEPS = 10  # from every start, before all but the best KEPT are dropped
KEPT = 3
BLOCK = 1024  # series in memory at once
MAX_STEPS = 150
STEP_TOLERANCE = 1e-9
SINGULAR = 1e-13  # smallest eigenvalue of the scaled J'J that still counts as identified
FLAT = 1e-5  # of the series' size: a parameter that moves the curve by less is not identified
ESCAPED = 1e-60  # share of the ceiling reached at the last age, below which the search gives up

Integers = NDArray[np.intp]
Booleans = NDArray[np.bool_]


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
            rises; ``on_bound``: the stated ceiling chose m, or a parameter ran to its bound or to where the
            curve no longer depends on it; ``too_few_points``; ``no_growth``: the level never rises.
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


@dataclass(frozen=True)
class _Problem:
    """Series packed to the left: scale-free times, what is fitted, which points count.

    ``u``, ``y`` and ``weight`` are (rows, points); times after the last observation repeat it at weight 0,
    so the last column of a curve is its value at the last observed age. ``pattern`` numbers equal times.
    ``ceiling`` (rows,) is None where m is free.
    """

    u: Floats
    y: Floats
    weight: Floats
    increments: bool
    pattern: Integers
    ceiling: Floats | None = None

    def operate(self, curve: Floats, rows: Integers) -> Floats:
        """What the objective compares, of curves (rows, points) or slopes (rows, n, points)."""
        weight = self.weight[rows] if curve.ndim == 2 else self.weight[rows, None, :]
        if self.increments:
            curve = np.diff(curve, axis=-1, prepend=0.0)
        return curve * weight


@dataclass
class _State:
    """Where the search stands, per start: x, m, SSE, J'r and J'J after projection; share reached at T."""

    x: Floats
    factor: Floats
    sse: Floats
    gradient: Floats
    curvature: Floats
    reached: Floats

    def take(self, rows: Integers | Booleans) -> _State:
        return _State(*(part[rows] for part in vars(self).values()))

    def put(self, rows: Integers, other: _State) -> None:
        for name, part in vars(other).items():
            getattr(self, name)[rows] = part


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
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
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
    free = _minima(family.shape, problem)
    chosen = np.zeros(len(data), dtype=np.bool_)  # by the ceiling, or the limiting form
    if ceiling is None:
        best, chosen = _or_limit(family, problem, _lowest(free))
        endless = chosen | (best.factor > INFINITE_CEILING)
    else:
        best, chosen = _under_ceiling(family, problem, free, ceiling / size)
        endless = np.zeros(len(data), dtype=np.bool_)
    limiting = chosen & endless
    stuck = chosen | _stuck(family.shape, best)
    status = np.where(endless, "no_finite_ceiling", np.where(stuck, "on_bound", "ok"))
    factor = np.minimum(best.factor * size, np.inf if ceiling is None else ceiling)
    named, by_x = family.natural(best.x, scale, last)
    named[limiting] = family.at_limit(np.exp(best.x[limiting, 0]) / scale[limiting])
    named = np.column_stack([np.where(endless, np.inf, factor), named])
    covariance = np.full((len(data), by_x.shape[1] + 1, by_x.shape[1] + 1), np.nan)
    fine = np.flatnonzero(status == "ok")
    covariance[fine] = _covariance(family.shape, problem, best, by_x, size, fine)
    return _Solution(best.x, factor, best.sse * size**2, limiting, last, scale), named, covariance, status


def _pack(data: Floats, ages: Floats, family: Family, increments: bool) -> tuple[_Problem, Floats, Floats]:
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
    problem = _Problem(u, y, weight, increments, pattern.ravel())
    return replace(problem, y=problem.operate(y, np.arange(len(y)))), last, scale


def _or_limit(family: Family, problem: _Problem, best: _State) -> tuple[_State, Booleans]:
    """The best with a finite ceiling, or the limiting form where that is at least as good."""
    limit = _lowest(_minima(family.limit, problem))
    limiting = limit.sse <= best.sse * (1 + 1e-9) + 1e-24
    best.x[limiting] = limit.x[limiting]  # one rate, in every column
    best.factor[limiting], best.sse[limiting] = limit.factor[limiting], limit.sse[limiting]
    return best, limiting


def _under_ceiling(family: Family, problem: _Problem, free: _State, ceiling: Floats) -> tuple[_State, Booleans]:
    """The best with m up to the ceiling, and whether the ceiling chose m.

    Where the free optimum lies above, the candidates are the free minima below the ceiling and the
    best with m held at the ceiling.
    """
    above = ~(_lowest(free).factor <= ceiling)
    free.sse[~(free.factor <= ceiling[:, None])] = np.inf
    best = _lowest(free)
    rows = np.flatnonzero(above)
    held = _lowest(_minima(family.shape, replace(problem, ceiling=ceiling), rows))
    better = held.sse <= best.sse[rows]
    best.put(rows[better], held.take(better))
    chosen = np.zeros(len(above), dtype=np.bool_)
    chosen[rows[better]] = True
    return best, chosen


def _stuck(shape: Shape, best: _State) -> Booleans:
    """Whether a coordinate is at its bound or no longer moves the curve."""
    at_bound = (best.x <= shape.lower + 1e-6) | (best.x >= shape.upper - 1e-6)
    flat = np.diagonal(best.curvature, axis1=1, axis2=2) < FLAT**2
    return np.asarray((at_bound | flat).any(axis=1))


def _covariance(shape: Shape, problem: _Problem, best: _State, by_x: Floats, size: Floats, rows: Integers) -> Floats:
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


def _minima(shape: Shape, problem: _Problem, rows: Integers | None = None) -> _State:
    """Local minima from the best starts of the grid; every part is (rows, KEPT, …)."""
    rows = np.arange(len(problem.y)) if rows is None else rows
    x, sse = _starts(shape, problem, rows)
    rough = _polished(shape, problem, rows, x, np.isfinite(sse), ROUGH_STEPS)
    best = np.argsort(rough.sse, axis=1, kind="stable")[:, :KEPT]
    x = np.take_along_axis(rough.x, best[:, :, None], axis=1)
    sse = np.take_along_axis(rough.sse, best, axis=1)
    return _polished(shape, problem, rows, x, np.isfinite(sse), MAX_STEPS)


def _polished(shape: Shape, problem: _Problem, rows: Integers, x: Floats, good: Booleans, steps: int) -> _State:
    """Polish the good of the starts x (rows, starts, n); the SSE of the others is infinite."""
    which, column = np.nonzero(good)
    found = vars(_polish(shape, problem, rows[which], x[which, column], steps))
    minima = _State(**{name: np.full((*good.shape, *part.shape[1:]), np.nan) for name, part in found.items()})
    for name, part in found.items():
        getattr(minima, name)[which, column] = part
    minima.sse[np.isnan(minima.sse)] = np.inf
    return minima


def _lowest(minima: _State) -> _State:
    """The best minimum of every row."""
    rows = np.arange(len(minima.sse))
    best = np.argmin(minima.sse, axis=1)
    return _State(*(part[rows, best] for part in vars(minima).values()))


def _starts(shape: Shape, problem: _Problem, rows: Integers) -> tuple[Floats, Floats]:
    """The best STARTS local minima on the grid, (rows, STARTS, n), and their SSE, infinite where fewer."""
    grid = shape.starts.reshape(-1, len(shape.lower))
    sse = np.empty((len(rows), len(grid)))
    for members in _groups(problem.pattern[rows]):
        sse[members] = _grid_sse(shape, problem, rows[members], grid)
    sse[np.isnan(sse)] = np.inf
    surface = sse.reshape(len(rows), *shape.starts.shape[:-1])
    around = minimum_filter(surface, size=(1, *(3 for _ in shape.starts.shape[:-1])), mode="nearest")
    sse = np.where(surface <= around, surface, np.inf).reshape(sse.shape)
    count = min(STARTS, len(grid))
    best = np.argpartition(sse, count - 1, axis=1)[:, :count]
    return grid[best], np.take_along_axis(sse, best, axis=1)


def _groups(labels: Integers) -> list[Integers]:
    """Positions of equal labels, one array for each label."""
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(labels[order])) + 1) if len(labels) else []


def _grid_sse(shape: Shape, problem: _Problem, rows: Integers, grid: Floats) -> Floats:
    """Sums of squares (rows, starts) of series observed at the same ages."""
    like = np.broadcast_to(rows[:1], len(grid))
    curves = problem.operate(shape.value(problem.u[like], grid), like)
    y = problem.y[rows]
    total, product = np.einsum("ij,ij->i", y, y)[:, None], y @ curves.T
    power = np.einsum("ij,ij->i", curves, curves)
    if problem.ceiling is None:
        return total - np.maximum(product, 0.0) ** 2 / power
    m = problem.ceiling[rows, None]
    return total - 2 * m * product + m**2 * power


def _evaluate(shape: Shape, problem: _Problem, rows: Integers, x: Floats) -> _State:
    """State of the search at coordinates ``x`` of ``rows``."""
    value, slopes = shape.slopes(problem.u[rows], x)
    curve, jacobian, y = problem.operate(value, rows), problem.operate(slopes, rows), problem.y[rows]
    if problem.ceiling is None:
        power = np.einsum("ij,ij->i", curve, curve)[:, None]
        factor = np.maximum(np.einsum("ij,ij->i", y, curve) / power[:, 0], 0.0)
        along = np.einsum("ijk,ik->ij", jacobian, curve) / power
        jacobian -= along[:, :, None] * curve[:, None, :]
    else:
        factor = problem.ceiling[rows]
    residual = y - factor[:, None] * curve
    jacobian *= factor[:, None, None]
    return _State(
        x=x,
        factor=factor,
        sse=np.einsum("ij,ij->i", residual, residual),
        gradient=np.einsum("ijk,ik->ij", jacobian, residual),
        curvature=jacobian @ jacobian.swapaxes(1, 2),
        reached=value[:, -1],
    )


def _polish(shape: Shape, problem: _Problem, rows: Integers, x: Floats, steps: int) -> _State:
    """Levenberg–Marquardt from every start at once; a start leaves the batch when it has converged."""
    state = _evaluate(shape, problem, rows, x)
    damping = np.full(len(rows), 1e-3)
    live = np.arange(len(rows))
    for _ in range(steps):
        if not live.size:
            break
        here = state.take(live)
        trial = _evaluate(shape, problem, rows[live], _stepped(shape, here, damping[live]))
        better = trial.sse <= here.sse
        done = _settled(here, trial, better) & (damping[live] < 0.1)  # a damped step is short anywhere
        state.put(live[better], trial.take(better))
        damping[live] = np.maximum(damping[live] * _trust(here, trial), 1e-12)
        done |= (damping[live] > 1e12) | (state.reached[live] < ESCAPED)
        live = live[~done]
    return state


def _trust(here: _State, trial: _State) -> Floats:
    """By how much to change the damping, from the fall of the SSE as a share of what the slopes promised."""
    step = trial.x - here.x
    bend = np.einsum("ij,ijk,ik->i", step, here.curvature, step)
    promised = 2 * np.einsum("ij,ij->i", here.gradient, step) - bend
    share = (here.sse - trial.sse) / promised
    kept = np.where(share > 0.75, 0.1, np.where(share > 0.25, 1.0, 3.0))
    return np.where(trial.sse <= here.sse, kept, 8.0)


def _settled(here: _State, trial: _State, better: Booleans) -> Booleans:
    """Whether the step moved no coordinate, or improved the fit by no more than rounding."""
    still = np.abs(trial.x - here.x) <= STEP_TOLERANCE * (1 + np.abs(here.x))
    level = better & (here.sse - trial.sse <= 1e-15 * here.sse)
    return np.asarray(level | still.all(axis=1))


def _stepped(shape: Shape, here: _State, damping: Floats) -> Floats:
    """Coordinates after one damped step, within bounds; a coordinate pressed to its bound stays there."""
    pressed = ((here.x <= shape.lower) & (here.gradient < 0)) | ((here.x >= shape.upper) & (here.gradient > 0))
    gradient = np.where(pressed, 0.0, here.gradient)
    spread = np.sqrt(np.diagonal(here.curvature, axis1=1, axis2=2))
    spread = np.where(spread > 0, spread, 1.0)
    matrix = here.curvature / (spread[:, :, None] * spread[:, None, :])
    matrix *= ~(pressed[:, :, None] | pressed[:, None, :])
    n = len(shape.lower)
    matrix[:, range(n), range(n)] = 1.0 + damping[:, None]
    step = np.linalg.solve(matrix, (gradient / spread)[:, :, None])[:, :, 0] / spread
    farthest = 2.0 + 0.5 * np.abs(here.x)
    step = np.clip(step, -farthest, farthest)
    return np.asarray(np.clip(here.x + step, shape.lower, shape.upper))


class DiffusionCurve(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """One diffusion curve as a scikit-learn regressor: ages (n, 1) to cumulative levels (n,).

    Parameters:
        family, objective, ceiling: as in :func:`fit_curves`.

    Attributes:
        params_, std_errors_: name -> float; sse_: float; status_: see :class:`CurveFits`;
        fits_: the :class:`CurveFits` of the one series.
    """

    def __init__(self, family: str = "bass", objective: str = "cumulative", ceiling: float | None = None) -> None:
        self.family = family
        self.objective = objective
        self.ceiling = ceiling

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fit to ages ``X`` (n, 1) or (n,), in any order, and levels ``y`` (n,).

        Raises:
            ValueError: as :func:`fit_curves`; or if nothing can be fitted to so few or falling levels; or
                ages are repeated where increments are compared.
        """
        chosen = _known(self.family, self.objective)
        ages, levels = validate_data(self, X, y, ensure_2d=False, y_numeric=True, dtype=np.float64)
        ages = _one_column(ages)
        order = np.argsort(ages, kind="stable")
        ages, levels = ages[order], levels[order].astype(np.float64)
        if self.objective == "increments":
            _checked_ages(ages, increasing=True)
        data = _checked_levels(levels[None, :], len(ages), _checked_ceiling(self.ceiling))
        fits = _fit(data, ages, chosen, self.objective, self.ceiling)
        self.status_ = str(fits.status[0])
        if self.status_ in ("too_few_points", "no_growth"):
            raise ValueError(
                f"{self.status_}: a curve needs {MIN_POINTS} observations that rise; n_samples = {len(ages)}"
            )
        self.fits_ = fits
        self.sse_ = float(fits.sse[0])
        self.params_ = {name: float(value[0]) for name, value in fits.params.items()}
        self.std_errors_ = {name: float(value[0]) for name, value in fits.std_errors.items()}
        return self

    def predict(self, X: ArrayLike) -> Floats:
        """Levels (n,) at ages ``X`` (n, 1) or (n,)."""
        check_is_fitted(self)
        ages = validate_data(self, X, ensure_2d=False, dtype=np.float64, reset=False)
        return self.fits_.predict(_one_column(ages))[0]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.target_tags.positive_only = True
        tags.regressor_tags.poor_score = True
        return tags


def _one_column(X: Floats) -> Floats:
    if X.ndim == 1:
        return X
    if X.ndim != 2 or X.shape[1] != 1:
        raise ValueError(f"ages must be one column, (n, 1), not {X.shape}")
    return X[:, 0]
