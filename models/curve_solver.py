"""The search behind the fits: minima of the sum of squares of many series at once, over a curve's nonlinear parameters.

Belongs here: the problem in scale-free form, grid starts and Levenberg–Marquardt in NumPy, with the linear ceiling
profiled out. Not here: what a fit is and when it is one (``curves``), the curves themselves (``curve_shapes``), the
same search compiled (``curve_kernels``), which is taken where numba is there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from longwave.models.curve_shapes import Floats
from longwave.models.families import Shape
from numpy.typing import NDArray

MAX_STEPS = 150
STEP_TOLERANCE = 1e-9
ESCAPED = 1e-140  # share of the ceiling reached at the last age, below which the search gives up

Integers = NDArray[np.intp]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True)
class Problem:
    """Series packed to the left: scale-free times, what is fitted, which points count.

    ``u`` and ``log_u`` are (patterns, points): every set of observed ages once, padded to the right by its last; the
    first ``count`` (patterns,) are there, ``step`` apart, or at no fixed distance where it is 0. ``y`` is (rows,
    points), 0 beyond the last observation; ``pattern`` (rows,) says at which ages. ``ceiling`` (rows,) is None where m
    is free.
    """

    u: Floats
    log_u: Floats
    count: Integers
    step: Floats
    y: Floats
    increments: bool
    pattern: Integers
    ceiling: Floats | None = None

    @cached_property
    def weight(self) -> Floats:
        """1 for the points that are there and 0 for the padding, (patterns, points)."""
        return (np.arange(self.u.shape[1])[None, :] < self.count[:, None]).astype(np.float64)

    def operate(self, curve: Floats, rows: Integers) -> Floats:
        """What the objective compares, of curves (rows, points) or slopes (rows, n, points)."""
        weight = self.weight[self.pattern[rows]]
        if self.increments:
            curve = np.diff(curve, axis=-1, prepend=0.0)
        return curve * (weight if curve.ndim == 2 else weight[:, None, :])

    def last(self, curve: Floats, rows: Integers) -> Floats:
        """Value at the last observed age, (rows,)."""
        return curve[np.arange(len(rows)), self.count[self.pattern[rows]] - 1]


@dataclass
class Minima:
    """Ends of the searches: x (rows, starts, n); factor m, SSE and share reached at T (rows, starts)."""

    x: Floats
    factor: Floats
    sse: Floats
    reached: Floats

    def lowest(self) -> Minima:
        """The best of every row; every part is (rows, …)."""
        rows, best = np.arange(len(self.sse)), np.argmin(self.sse, axis=1)
        return Minima(*(part[rows, best] for part in vars(self).values()))

    def take(self, rows: Integers | Booleans) -> Minima:
        """The ends of some rows."""
        return Minima(*(part[rows] for part in vars(self).values()))

    def put(self, rows: Integers, other: Minima) -> None:
        """Replace the ends of some rows."""
        for name, part in vars(other).items():
            getattr(self, name)[rows] = part


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


def minima(
    shape: Shape, problem: Problem, rows: Integers, starts: Floats | None = None, bar: Floats | None = None
) -> Minima:
    """Local minima of the sum of squares of ``rows``, from ``starts`` (rows, starts, n) or the best of the grid.

    ``bar`` (rows,), an SSE that has been reached otherwise: a minimum above it need not be found.
    """
    del bar  # spares the compiled search time; here all starts go together
    if starts is None:
        starts, sse = grid_starts(shape, problem, rows)
    else:
        sse = np.zeros(starts.shape[:2])
    which, column = np.nonzero(np.isfinite(sse))
    state = _polish(shape, problem, rows[which], starts[which, column])
    found = Minima(starts.copy(), *(np.full(sse.shape, fill) for fill in (np.nan, np.inf, 0.0)))
    found.x[which, column], found.factor[which, column] = state.x, state.factor
    found.sse[which, column] = np.where(np.isnan(state.sse), np.inf, state.sse)
    found.reached[which, column] = state.reached
    return found


def information(shape: Shape, problem: Problem, rows: Integers, x: Floats, factor: Floats) -> Floats:
    """Inner products (rows, 1 + n, 1 + n) of what the objective compares, differentiated by factor and by x."""
    value, slopes = shape.slopes(problem.u[problem.pattern[rows]], x)
    level = problem.operate(value, rows)[:, None]
    jacobian = np.concatenate([level, factor[:, None, None] * problem.operate(slopes, rows)], axis=1)
    return np.asarray(np.einsum("ijk,ilk->ijl", jacobian, jacobian))


def grid_starts(shape: Shape, problem: Problem, rows: Integers) -> tuple[Floats, Floats]:
    """The lowest local minima on the grid, (rows, shape.kept, n), and their SSE, infinite where fewer."""
    grid = shape.starts.reshape(-1, len(shape.lower))
    sse = np.empty((len(rows), len(grid)))
    for members in _groups(problem.pattern[rows]):
        sse[members] = _grid_sse(shape, problem, rows[members], grid)
    sse[np.isnan(sse)] = np.inf
    sides = shape.starts.shape[:-1]
    surface = sse.reshape(len(rows), *sides)
    around = surface
    for axis in range(1, surface.ndim):
        around = _least_of_three(around, axis)
    sse = np.where(surface <= around, surface, np.inf).reshape(sse.shape)
    best = np.argsort(sse, axis=1, kind="stable")[:, : shape.kept]
    return grid[best], np.take_along_axis(sse, best, axis=1)


def _least_of_three(surface: Floats, axis: int) -> Floats:
    """The least of every value and its two neighbours along an axis."""
    padding = [(0, 0)] * surface.ndim
    padding[axis] = (1, 1)
    wide = np.pad(surface, padding, constant_values=np.inf)
    n = surface.shape[axis]
    parts = [np.take(wide, np.arange(n) + shift, axis=axis) for shift in range(3)]
    return np.asarray(np.minimum(np.minimum(parts[0], parts[1]), parts[2]))


def _groups(labels: Integers) -> list[Integers]:
    """Positions of equal labels, one array for each label."""
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(labels[order])) + 1) if len(labels) else []


def _grid_sse(shape: Shape, problem: Problem, rows: Integers, grid: Floats) -> Floats:
    """Sums of squares (rows, starts) of series observed at the same ages."""
    like = np.broadcast_to(rows[:1], len(grid))
    curves = problem.operate(shape.value(problem.u[problem.pattern[like]], grid), like)
    y = problem.y[rows]
    total, product = np.einsum("ij,ij->i", y, y)[:, None], y @ curves.T
    power = np.einsum("ij,ij->i", curves, curves)
    if problem.ceiling is None:
        return np.asarray(total - np.maximum(product, 0.0) ** 2 / power)
    m = problem.ceiling[rows, None]
    return np.asarray(total - 2 * m * product + m**2 * power)


def _evaluate(shape: Shape, problem: Problem, rows: Integers, x: Floats) -> _State:
    """State of the search at coordinates ``x`` of ``rows``."""
    value, slopes = shape.slopes(problem.u[problem.pattern[rows]], x)
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
        reached=problem.last(value, rows),
    )


def _polish(shape: Shape, problem: Problem, rows: Integers, x: Floats) -> _State:
    """Levenberg–Marquardt from every start at once; a start leaves the batch when it has converged."""
    state = _evaluate(shape, problem, rows, x.copy())
    damping = np.full(len(rows), 1e-3)
    live = np.flatnonzero(state.reached >= ESCAPED)
    for _ in range(MAX_STEPS):
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
    step *= np.minimum(1.0, (farthest / np.maximum(np.abs(step), 1e-300)).min(axis=1))[:, None]
    return np.asarray(np.clip(here.x + step, shape.lower, shape.upper))
