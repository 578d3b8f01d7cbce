"""The search behind the fits, compiled: a series in every lane, and the next one as soon as a lane is free.

Belongs here: the compiled twin of ``curve_solver``, with the same two functions, ``minima`` and ``information``. Not
here: the formulas (``curve_formulas``), what a fit is (``curves``). Imported only where numba is there.

The starts of one series follow each other in one lane, each knowing the best before it, so that what a series gets
does not depend on its company. Compiled code is kept beside this file by numba, which looks at the date of this file
alone. So the function that is kept carries a digest of all the sources it is made from, and is compiled anew when any
of them changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib import resources

import numba
import numpy as np
from longwave.models.curve_formulas import AT, FIRST, PARTS, STEP, Y, write_curve
from longwave.models.curve_lanes import LANES, compiled, every, least, most, pick, read, spread, which, write
from longwave.models.curve_shapes import Floats
from longwave.models.curve_solver import ESCAPED, Integers, Minima, Problem
from longwave.models.curve_steps import (
    BAR,
    BEFORE,
    BEST,
    COUNT,
    DAMPING,
    FACTOR,
    HELD,
    HERE,
    PROMISED,
    REACHED,
    ROWS,
    SSE,
    TAKEN,
    TRIAL,
    Task,
    X,
    advance,
    compared,
)
from longwave.models.families import Shape

_LIKELY = (1e3, 12.0, 20.0)  # by the number of coordinates: how far above the lowest start another may lie,
_HOPEFUL = (20.0, 20.0, 60.0)  # and above the best so far; simulations showed later starts to win from below
_FROM_GRID, _FROM_STARTS, _PRODUCTS = 0, 1, 2
_SOURCES = ("curve_formulas.py", "curve_lanes.py", "curve_steps.py", "curve_kernels.py")

_Ages = tuple[Floats, Floats, Integers, Floats]
_Series = tuple[Floats, Integers, Floats, Floats]


@compiled()
def _place_series(lane: int, row: int, pattern: int, ages: _Ages, series: _Series, width: int, work: Floats) -> None:
    """Put a series, and the ages it was observed at, to a lane."""
    u, log_u, count, step = ages
    y, _, held, bar = series
    at = PARTS * width * LANES + lane
    for j in range(width):
        work[(Y * width + j) * LANES + lane] = y[row, j]
    if pattern >= 0:
        for j in range(width):
            work[(4 * width + j) * LANES + lane] = u[pattern, j]
            work[(5 * width + j) * LANES + lane] = log_u[pattern, j]
        work[at + STEP * LANES], work[at + FIRST * LANES] = step[pattern], u[pattern, 0]
        work[at + COUNT * LANES] = count[pattern]
    work[at + HELD * LANES], work[at + BAR * LANES] = held[row], bar[row]
    for i in range(3):
        work[at + (BEST + i) * LANES] = np.inf


@compiled()
def _place_start(lane: int, x: Floats, width: int, work: Floats) -> None:
    """Put the start of a search to a lane."""
    at = PARTS * width * LANES + lane
    for i in range(len(x)):
        work[at + (AT + i) * LANES] = x[i]
    for i in range(3):
        work[at + (X + i) * LANES] = work[at + (AT + i) * LANES]
    work[at + (HERE + SSE) * LANES] = np.inf
    work[at + (HERE + FACTOR) * LANES] = work[at + (HERE + REACHED) * LANES] = 0.0
    work[at + DAMPING * LANES] = 1e-4
    work[at + PROMISED * LANES] = work[at + BEFORE * LANES] = work[at + TAKEN * LANES] = 0.0


@compiled()
def _take_result(lane: int, given_up: bool, width: int, work: Floats, x: Floats) -> tuple[float, float, float]:
    """Coordinates to ``x``; SSE, factor and share reached of a search that has ended; the bar is lowered to it."""
    at = PARTS * width * LANES + lane
    for i in range(len(x)):
        x[i] = work[at + (X + i) * LANES]
    here = at + HERE * LANES
    sse = np.inf if given_up else work[here + SSE * LANES]
    if sse < work[at + BAR * LANES]:
        work[at + BAR * LANES] = sse
        for i in range(len(x)):
            work[at + (BEST + i) * LANES] = x[i]
    return sse, work[here + FACTOR * LANES], work[here + REACHED * LANES]


@compiled()
def _next(lane: int, at: Integers, nx: int, ages: _Ages, series: _Series, x: Floats, sse: Floats, work: Floats) -> bool:
    """Give a lane its next start, of its series or of the next one; false where there is none left.

    ``at`` (4, lanes): row and start of every lane, its pattern, and first in the last line the next row.
    """
    y, patterns, _, _ = series
    width, starts = y.shape[1], x.shape[1]
    hopeful = _HOPEFUL[nx - 1]
    row, c = at[0, lane], at[1, lane] + 1
    while True:
        if row < 0 or c >= starts:
            row, c = at[3, 0], 0
            if row >= len(y):
                at[0, lane], at[1, lane] = -1, starts
                return False
            at[3, 0] += 1
            same = patterns[row] == at[2, lane]
            _place_series(lane, row, -1 if same else patterns[row], ages, series, width, work)
            at[2, lane] = patterns[row]
        limit = work[(PARTS * width + BAR) * LANES + lane]
        limit = hopeful * (limit if limit > 1e-14 else 1e-14)
        if sse[row, c] < np.inf and sse[row, c] <= limit:
            _place_start(lane, x[row, c], width, work)
            at[0, lane], at[1, lane] = row, c
            return True
        sse[row, c] = np.inf
        c += 1


@compiled()
def _searches(
    task: Task,
    ages: _Ages,
    series: _Series,
    x: Floats,
    factor: Floats,
    sse: Floats,
    reached: Floats,
    work: Floats,
) -> None:
    """Search from every start of all series, each knowing the best before it; ``sse`` is that of the starts."""
    nx, count, width = task[1], ages[2], series[0].shape[1]
    at = np.zeros((4, LANES), np.intp)
    for lane in range(LANES):
        at[0, lane] = at[2, lane] = -1
    busy = at[3, 1]  # a bare 0 would be a type of its own, and all that it is handed to compiled twice
    for lane in range(LANES):
        if _next(lane, at, nx, ages, series, x, sse, work):
            busy |= 1 << lane
    while busy:
        n = _longest(busy, at, count)
        ended, given_up = advance(task, n, width, work)
        while not (ended | given_up) & busy:
            ended, given_up = advance(task, n, width, work)
        for lane in range(LANES):
            if (ended | given_up) & busy & 1 << lane:
                row, c = at[0, lane], at[1, lane]
                sse[row, c], factor[row, c], reached[row, c] = _take_result(
                    lane, given_up & 1 << lane > 0, width, work, x[row, c]
                )
                if not _next(lane, at, nx, ages, series, x, sse, work):
                    busy &= ~(1 << lane)


@compiled()
def _longest(busy: int, at: Integers, count: Integers) -> int:
    """Ages of the longest series that is in a lane."""
    n = at[3, 1]
    for lane in range(LANES):
        if busy & 1 << lane:
            n = max(n, count[at[2, lane]])
    return int(n)


@compiled()
def _table(task: Task, pattern: int, ages: _Ages, grid: Floats, width: int, work: Floats, table: Floats) -> None:
    """The curves of all starts at the ages of one pattern, their sums of squares, and one over these.

    Eight starts side by side; ``width`` + 2 rows, and then the next eight.
    """
    kind, nx, increments, _, _ = task
    u, log_u, count, step = ages
    n, base = count[pattern], PARTS * width
    for j in range(n):
        write(work, 4 * width + j, every(u[pattern, j]))
        write(work, 5 * width + j, every(log_u[pattern, j]))
    write(work, base + STEP, every(step[pattern]))
    write(work, base + FIRST, every(u[pattern, 0]))
    write(work, base + COUNT, every(float(n)))
    for g in range(0, len(grid), LANES):
        for lane in range(LANES):
            for i in range(nx):
                work[(base + AT + i) * LANES + lane] = grid[min(g + lane, len(grid) - 1), i]
        write_curve(kind, n, width, work)
        compared(min(nx, 1), increments, n, width, work)
        power, at = every(0.0), g // LANES * (width + 2)
        for j in range(n):
            value = read(work, j)
            power = power + value * value
            write(table, at + j, value)
        write(table, at + n, power)
        write(table, at + n + 1, pick(power > ESCAPED * ESCAPED, 1.0 / power, 0.0))


@compiled()
def _surfaces(n: int, grid: int, held: Floats, width: int, work: Floats, table: Floats, surface: Floats) -> Floats:
    """Sums of squares of the series of all lanes from all starts, and the least: their share of the matrix product."""
    total, lowest, free, zero = every(0.0), every(np.inf), held < 0.0, every(0.0)
    for j in range(n):
        total = total + read(work, Y * width + j) * read(work, Y * width + j)
    for block in range(0, grid, LANES):  # eight starts at once
        a = b = c = d = e = f = g = h = zero
        at = block * (width + 2)
        for j in range(n):
            y, k = read(work, Y * width + j), at + j * LANES
            a, b = a + y * spread(table, k), b + y * spread(table, k + 1)
            c, d = c + y * spread(table, k + 2), d + y * spread(table, k + 3)
            e, f = e + y * spread(table, k + 4), f + y * spread(table, k + 5)
            g, h = g + y * spread(table, k + 6), h + y * spread(table, k + 7)
        for i, product in enumerate((a, b, c, d, e, f, g, h)):
            power, inverse = spread(table, at + n * LANES + i), spread(table, at + (n + 1) * LANES + i)
            inside = most(product, 0.0)
            sse = pick(free, total - inside * inside * inverse, total + held * (held * power - 2.0 * product))
            sse = pick(sse < np.inf, sse, np.inf)
            write(surface, block + i, sse)
            lowest = least(sse, lowest)
    return lowest


@compiled()
def _is_minimum(surface: Floats, sides: Integers, g: int, lane: int) -> bool:
    """Whether no neighbour along any axis, corners included, is lower."""
    across, along, here = sides[1] * sides[2], sides[2], surface[g * LANES + lane]
    a, b, c = g // across, g // along % sides[1], g % along
    first, last = max(c - 1, 0), min(c + 2, along)
    for i in range(max(a - 1, 0), min(a + 2, sides[0])):
        for j in range(max(b - 1, 0), min(b + 2, sides[1])):
            line = i * across + j * along
            for k in range(line + first, line + last):
                if surface[k * LANES + lane] < here:
                    return False
    return True


@compiled()
def _lowest(
    surface: Floats, sides: Integers, top: Floats, row: int, many: int, grid: Floats, x: Floats, sse: Floats
) -> None:
    """Starts and values of the lowest local minima over up to three axes, in rising order, for the rows of all lanes.

    Minima over ``top`` are left out, and cost little.
    """
    kept, along = x.shape[1], sides[2]
    for g in range(len(grid)):
        here = read(surface, g)
        low = here <= top
        # The neighbours on the line first: most are refused by them alone.
        if g % along > 0:
            low = low & (here <= read(surface, g - 1))
        if g % along < along - 1:
            low = low & (here <= read(surface, g + 1))
        found = which(low) & ((1 << many) - 1)
        while found:
            lane = 0
            while not found >> lane & 1:
                lane += 1
            found &= found - 1
            r, value = row + lane, surface[g * LANES + lane]
            if value < sse[r, kept - 1] and _is_minimum(surface, sides, g, lane):
                at = kept - 1
                while at > 0 and sse[r, at - 1] > value:
                    sse[r, at] = sse[r, at - 1]
                    for i in range(grid.shape[1]):
                        x[r, at, i] = x[r, at - 1, i]
                    at -= 1
                sse[r, at] = value
                for i in range(grid.shape[1]):
                    x[r, at, i] = grid[g, i]


@compiled()
def _starts(
    task: Task, ages: _Ages, series: _Series, where: tuple[Floats, Integers], x: Floats, sse: Floats, work: Floats
) -> None:
    """Write the best starts of the grid to ``x`` and their SSE, infinite where there are fewer."""
    y, pattern, held, _ = series
    grid, sides = where
    width, count = y.shape[1], ages[2]
    lines = -(-len(grid) // LANES) * LANES
    table, surface = np.zeros(lines * (width + 2)), np.empty(lines * LANES)
    at, done = -1, 0
    for row in range(len(y)):
        if row < done:
            continue
        p = pattern[row]
        if p != at:
            _table(task, p, ages, grid, width, work, table)
            at = p
        n, many = count[p], len(y) - row
        for lane in range(1, min(LANES, many)):
            many = lane if pattern[row + lane] != p and lane < many else many
        many = min(many, LANES)
        for lane in range(many):
            work[(PARTS * width + HELD) * LANES + lane] = held[row + lane]
            for j in range(n):
                work[(Y * width + j) * LANES + lane] = y[row + lane, j]
        lowest = _surfaces(n, len(grid), read(work, PARTS * width + HELD), width, work, table, surface)
        top = most(lowest * _LIKELY[task[1] - 1], 1e-12)  # a perfect fit is 0 but for rounding
        _lowest(surface, sides, pick(lowest < np.inf, top, -1.0), row, many, grid, x, sse)
        done = row + many


@compiled()
def _gram(task: Task, ages: _Ages, series: _Series, x: Floats, factor: Floats, gram: Floats, work: Floats) -> None:
    """Inner products of the slopes by factor and coordinates, (rows, 1 + n, 1 + n)."""
    kind, nx, increments, _, _ = task
    y, pattern, _, _ = series
    width, count = y.shape[1], ages[2]
    for first in range(0, len(y), LANES):
        n = count[pattern[first]]
        for lane in range(LANES):
            row = min(first + lane, len(y) - 1)
            n = max(n, count[pattern[row]])
            _place_series(lane, row, pattern[row], ages, series, width, work)
            _place_start(lane, x[row, 0], width, work)
        write_curve(kind, n, width, work)
        compared(nx + 1, increments, n, width, work)
        for i in range(nx + 1):
            for k in range(i + 1):
                product = every(0.0)
                for j in range(n):
                    product = product + read(work, i * width + j) * read(work, k * width + j)
                write(work, PARTS * width + TRIAL, product)
                for lane in range(min(LANES, len(y) - first)):
                    by = factor[first + lane, 0]
                    value = work[(PARTS * width + TRIAL) * LANES + lane]
                    value *= (by if i > 0 else 1.0) * (by if k > 0 else 1.0)
                    gram[first + lane, i, k] = gram[first + lane, k, i] = value


def _stamp() -> str:
    """Digest of the sources that the compiled code follows from."""
    folder = resources.files("longwave.models")
    return hashlib.sha256(b"".join((folder / name).read_bytes() for name in _SOURCES)).hexdigest()


def _kept(stamp: str) -> Callable[..., int]:
    """The function whose compiled code is kept, under a stamp that it carries; its tasks are numbered as above."""

    @numba.njit(cache=True, nogil=True, error_model="numpy")
    def run(
        task: Task,
        where: tuple[Floats, Integers],
        ages: tuple[Floats, Floats, Integers, Floats],
        series: tuple[Floats, Integers, Floats, Floats],
        what: int,
        x: Floats,
        factor: Floats,
        sse: Floats,
        reached: Floats,
        gram: Floats,
    ) -> int:
        work = np.zeros((PARTS * series[0].shape[1] + ROWS) * LANES)
        if what == _PRODUCTS:
            _gram(task, ages, series, x, factor, gram, work)
            return len(stamp)
        if what == _FROM_GRID:
            _starts(task, ages, series, where, x, sse, work)
        _searches(task, ages, series, x, factor, sse, reached, work)
        return len(stamp)

    return run


_run = _kept(_stamp())


def minima(
    shape: Shape, problem: Problem, rows: Integers, starts: Floats | None = None, bar: Floats | None = None
) -> Minima:
    """As :func:`longwave.models.curve_solver.minima`."""
    n, nx = len(rows), len(shape.lower)
    kept = shape.kept if starts is None else starts.shape[1]
    x = np.zeros((n, kept, nx)) if starts is None else np.array(starts)
    found = Minima(
        x, np.full((n, kept), np.nan), np.full((n, kept), np.inf if starts is None else 0.0), np.zeros((n, kept))
    )
    limits = np.full(n, np.inf) if bar is None else bar
    _call(_FROM_GRID if starts is None else _FROM_STARTS, shape, problem, rows, limits, found, np.empty((0, 1, 1)))
    return found


def information(shape: Shape, problem: Problem, rows: Integers, x: Floats, factor: Floats) -> Floats:
    """As :func:`longwave.models.curve_solver.information`."""
    gram = np.empty((len(rows), x.shape[1] + 1, x.shape[1] + 1))
    nothing = np.empty((0, 1))
    ends = Minima(np.ascontiguousarray(x)[:, None], np.ascontiguousarray(factor)[:, None], nothing, nothing)
    _call(_PRODUCTS, shape, problem, rows, np.zeros(len(rows)), ends, gram)
    return gram


def _call(what: int, shape: Shape, problem: Problem, rows: Integers, bar: Floats, ends: Minima, gram: Floats) -> None:
    """Hand a task to the compiled code, which fills ``ends`` or ``gram``."""
    nx = len(shape.lower)
    sides = np.ones(3, dtype=np.intp)
    sides[-nx:] = shape.starts.shape[:-1]
    lower, upper = np.zeros(3), np.zeros(3)
    lower[:nx], upper[:nx] = shape.lower, shape.upper
    held = np.full(len(rows), -1.0) if problem.ceiling is None else problem.ceiling[rows]
    _run(
        (shape.kind, nx, problem.increments, lower, upper),
        (shape.starts.reshape(-1, nx), sides),
        (problem.u, problem.log_u, problem.count, problem.step),
        (problem.y if len(rows) == len(problem.y) else problem.y[rows], problem.pattern[rows], held, bar),
        what,
        *(ends.x, ends.factor, ends.sse, ends.reached),
        gram,
    )
