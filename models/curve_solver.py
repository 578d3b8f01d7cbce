"""The search behind the fits: minima of the sum of squares of many series at once, over a curve's nonlinear parameters.

Belongs here: grid starts and Levenberg–Marquardt in batches, with the linear ceiling profiled out. Not here: what a
fit is and when it is one (``curves``), the curves themselves (``families``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from longwave.models.families import Floats, Shape
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter

STARTS = 8
ROUGH_STEPS = 10  # from every start, before all but the best KEPT are dropped
KEPT = 3
MAX_STEPS = 150
STEP_TOLERANCE = 1e-9
ESCAPED = 1e-60  # share of the ceiling reached at the last age, below which the search gives up

Integers = NDArray[np.intp]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True)
class Problem:
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
class State:
    """Where the search stands, per start: x, m, SSE, J'r and J'J after projection; share reached at T."""

    x: Floats
    factor: Floats
    sse: Floats
    gradient: Floats
    curvature: Floats
    reached: Floats

    def take(self, rows: Integers | Booleans) -> State:
        """The state of some rows."""
        return State(*(part[rows] for part in vars(self).values()))

    def put(self, rows: Integers, other: State) -> None:
        """Replace the state of some rows."""
        for name, part in vars(other).items():
            getattr(self, name)[rows] = part


def minima(shape: Shape, problem: Problem, rows: Integers | None = None) -> State:
    """Local minima from the best starts of the grid; every part is (rows, KEPT, …)."""
    rows = np.arange(len(problem.y)) if rows is None else rows
    x, sse = starts(shape, problem, rows)
    rough = polished(shape, problem, rows, x, np.isfinite(sse), ROUGH_STEPS)
    best = np.argsort(rough.sse, axis=1, kind="stable")[:, :KEPT]
    x = np.take_along_axis(rough.x, best[:, :, None], axis=1)
    sse = np.take_along_axis(rough.sse, best, axis=1)
    return polished(shape, problem, rows, x, np.isfinite(sse), MAX_STEPS)


def polished(shape: Shape, problem: Problem, rows: Integers, x: Floats, good: Booleans, steps: int) -> State:
    """Polish the good of the starts x (rows, starts, n); the SSE of the others is infinite."""
    which, column = np.nonzero(good)
    found = vars(polish(shape, problem, rows[which], x[which, column], steps))
    minima = State(**{name: np.full((*good.shape, *part.shape[1:]), np.nan) for name, part in found.items()})
    for name, part in found.items():
        getattr(minima, name)[which, column] = part
    minima.sse[np.isnan(minima.sse)] = np.inf
    return minima


def lowest(minima: State) -> State:
    """The best minimum of every row."""
    rows = np.arange(len(minima.sse))
    best = np.argmin(minima.sse, axis=1)
    return State(*(part[rows, best] for part in vars(minima).values()))


def starts(shape: Shape, problem: Problem, rows: Integers) -> tuple[Floats, Floats]:
    """The best STARTS local minima on the grid, (rows, STARTS, n), and their SSE, infinite where fewer."""
    grid = shape.starts.reshape(-1, len(shape.lower))
    sse = np.empty((len(rows), len(grid)))
    for members in groups(problem.pattern[rows]):
        sse[members] = grid_sse(shape, problem, rows[members], grid)
    sse[np.isnan(sse)] = np.inf
    surface = sse.reshape(len(rows), *shape.starts.shape[:-1])
    around = minimum_filter(surface, size=(1, *(3 for _ in shape.starts.shape[:-1])), mode="nearest")
    sse = np.where(surface <= around, surface, np.inf).reshape(sse.shape)
    count = min(STARTS, len(grid))
    best = np.argpartition(sse, count - 1, axis=1)[:, :count]
    return grid[best], np.take_along_axis(sse, best, axis=1)


def groups(labels: Integers) -> list[Integers]:
    """Positions of equal labels, one array for each label."""
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(labels[order])) + 1) if len(labels) else []


def grid_sse(shape: Shape, problem: Problem, rows: Integers, grid: Floats) -> Floats:
    """Sums of squares (rows, starts) of series observed at the same ages."""
    like = np.broadcast_to(rows[:1], len(grid))
    curves = problem.operate(shape.value(problem.u[like], grid), like)
    y = problem.y[rows]
    total, product = np.einsum("ij,ij->i", y, y)[:, None], y @ curves.T
    power = np.einsum("ij,ij->i", curves, curves)
    if problem.ceiling is None:
        return np.asarray(total - np.maximum(product, 0.0) ** 2 / power)
    m = problem.ceiling[rows, None]
    return np.asarray(total - 2 * m * product + m**2 * power)


def evaluate(shape: Shape, problem: Problem, rows: Integers, x: Floats) -> State:
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
    return State(
        x=x,
        factor=factor,
        sse=np.einsum("ij,ij->i", residual, residual),
        gradient=np.einsum("ijk,ik->ij", jacobian, residual),
        curvature=jacobian @ jacobian.swapaxes(1, 2),
        reached=value[:, -1],
    )


def polish(shape: Shape, problem: Problem, rows: Integers, x: Floats, steps: int) -> State:
    """Levenberg–Marquardt from every start at once; a start leaves the batch when it has converged."""
    state = evaluate(shape, problem, rows, x.copy())
    damping = np.full(len(rows), 1e-3)
    live = np.arange(len(rows))
    for _ in range(steps):
        if not live.size:
            break
        here = state.take(live)
        trial = evaluate(shape, problem, rows[live], stepped(shape, here, damping[live]))
        better = trial.sse <= here.sse
        done = settled(here, trial, better) & (damping[live] < 0.1)  # a damped step is short anywhere
        state.put(live[better], trial.take(better))
        damping[live] = np.maximum(damping[live] * trust(here, trial), 1e-12)
        done |= (damping[live] > 1e12) | (state.reached[live] < ESCAPED)
        live = live[~done]
    return state


def trust(here: State, trial: State) -> Floats:
    """By how much to change the damping, from the fall of the SSE as a share of what the slopes promised."""
    step = trial.x - here.x
    bend = np.einsum("ij,ijk,ik->i", step, here.curvature, step)
    promised = 2 * np.einsum("ij,ij->i", here.gradient, step) - bend
    share = (here.sse - trial.sse) / promised
    kept = np.where(share > 0.75, 0.1, np.where(share > 0.25, 1.0, 3.0))
    return np.where(trial.sse <= here.sse, kept, 8.0)


def settled(here: State, trial: State, better: Booleans) -> Booleans:
    """Whether the step moved no coordinate, or improved the fit by no more than rounding."""
    still = np.abs(trial.x - here.x) <= STEP_TOLERANCE * (1 + np.abs(here.x))
    level = better & (here.sse - trial.sse <= 1e-15 * here.sse)
    return np.asarray(level | still.all(axis=1))


def stepped(shape: Shape, here: State, damping: Floats) -> Floats:
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
