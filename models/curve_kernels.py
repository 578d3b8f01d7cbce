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
from longwave.models.curve_lanes import LANES, Truths, compiled, every, least, most, pick, read, size, which, write
from longwave.models.curve_shapes import Floats
from longwave.models.curve_solver import MAX_STEPS, Integers, Minima, Problem
from longwave.models.families import Shape

_DOUBTFUL = 10.0  # a start is given up once ten times the promised fall would not bring it under the best so far
_LIKELY = (1e3, 12.0, 20.0)  # by the number of coordinates: how far above the lowest start another may lie,
_HOPEFUL = (200.0, 20.0, 60.0)  # and above the best so far; simulations showed later starts to win from below
_PATIENCE = (0.0, 1.0, 4.0)  # steps before a start is given up
_SAME = 0.01  # two searches this close in every coordinate are one
_DONE, _SLOWEST = 1e-9, 0.9999  # of the SSE: searches end where less than this is left
_UNDAMPED = 1e-7
_ESCAPED = 1e-140  # share of the ceiling reached: its square is a double still
_FROM_GRID, _FROM_STARTS, _PRODUCTS = 0, 1, 2
_SOURCES = ("curve_formulas.py", "curve_lanes.py", "curve_kernels.py")

# Rows of the workspace after those of ``curve_formulas``, one number a lane: how many ages, the factor that is held or
# −1; then of the trial SSE, share reached, factor, three slopes, six of the Gauss–Newton matrix; the coordinates of the
# state and the same twelve of it; and what steers the search.
_COUNT, _HELD, _TRIAL, _X, _HERE, _MOVED = 5, 6, 7, 19, 22, 15
_SSE, _REACHED, _FACTOR, _SLOPE, _BEND = 0, 1, 2, 3, 6
_DAMPING, _PROMISED, _BEFORE, _TAKEN, _BAR, _BEST, _FLOOR, _ROWS = 34, 35, 36, 37, 38, 39, 42, 43

_Task = tuple[int, int, bool, Floats, Floats]
_Step = tuple[Floats, Floats, Floats]


@compiled()
def _compared(parts: int, increments: bool, n: int, width: int, work: Floats) -> Floats:
    """Turn levels and slopes into what the objective compares, 0 beyond the last age; the share reached there."""
    count = read(work, PARTS * width + _COUNT)
    reached = every(0.0)
    for j in range(n):
        reached = pick(float(j) < count, read(work, j), reached)
    for i in range(parts):
        before = every(0.0)
        for j in range(n):
            here = read(work, i * width + j)
            write(work, i * width + j, pick(float(j) < count, here - before, 0.0))
            if increments:
                before = here
    return reached


@compiled()
def _products(nx: int, n: int, width: int, work: Floats) -> None:
    """Write SSE, factor, slopes and Gauss–Newton matrix at what stands in ``work`` to the trial.

    With the factor free (held below 0), slopes are taken across the curve (Kaufman 1975). Slopes that a shape does not
    have are 0, and so is what follows from them.
    """
    base, zero = PARTS * width, every(0.0)
    power = product = a0 = a1 = a2 = b00 = b10 = b11 = b20 = b21 = b22 = zero
    for j in range(n):
        value, one = read(work, j), read(work, width + j)
        power, product = power + value * value, product + value * read(work, Y * width + j)
        a0, b00 = a0 + value * one, b00 + one * one
        if nx > 1:
            two = read(work, 2 * width + j)
            a1, b10, b11 = a1 + value * two, b10 + one * two, b11 + two * two
            if nx > 2:
                three = read(work, 3 * width + j)
                a2, b20 = a2 + value * three, b20 + one * three
                b21, b22 = b21 + two * three, b22 + three * three
    held = read(work, base + _HELD)
    free = held < 0.0
    factor = pick(free, most(product / power, zero), held)
    sse = g0 = g1 = g2 = zero
    for j in range(n):
        residual = read(work, Y * width + j) - factor * read(work, j)
        sse = sse + residual * residual
        g0 = g0 + residual * read(work, width + j)
        if nx > 1:
            g1 = g1 + residual * read(work, 2 * width + j)
            if nx > 2:
                g2 = g2 + residual * read(work, 3 * width + j)
    across, square = pick(free, 1.0 / power, zero), factor * factor
    at = base + _TRIAL
    write(work, at + _SSE, sse)
    write(work, at + _FACTOR, factor)
    write(work, at + _SLOPE, factor * g0)
    write(work, at + _SLOPE + 1, factor * g1)
    write(work, at + _SLOPE + 2, factor * g2)
    write(work, at + _BEND, square * (b00 - a0 * a0 * across))
    write(work, at + _BEND + 1, square * (b10 - a0 * a1 * across))
    write(work, at + _BEND + 2, square * (b11 - a1 * a1 * across))
    write(work, at + _BEND + 3, square * (b20 - a0 * a2 * across))
    write(work, at + _BEND + 4, square * (b21 - a1 * a2 * across))
    write(work, at + _BEND + 5, square * (b22 - a2 * a2 * across))


@compiled()
def _solve(damping: Floats, m0: Truths, m1: Truths, m2: Truths, to: _Step, here: int, work: Floats) -> _Step:
    """Damped Gauss–Newton step of the coordinates where m is true; of the others the step in ``to`` is kept."""
    g0, g1, g2 = read(work, here + _SLOPE), read(work, here + _SLOPE + 1), read(work, here + _SLOPE + 2)
    at = here + _BEND
    b00, b10, b11 = read(work, at), read(work, at + 1), read(work, at + 2)
    b20, b21, b22 = read(work, at + 3), read(work, at + 4), read(work, at + 5)
    t0, t1, t2 = to
    z0 = pick(m0, g0 - b10 * t1 - b20 * t2, t0)
    z1 = pick(m1, g1 - b10 * t0 - b21 * t2, t1)
    z2 = pick(m2, g2 - b20 * t0 - b21 * t1, t2)
    more = 1.0 + damping
    b00, b11, b22 = pick(m0, more * b00, 1.0), pick(m1, more * b11, 1.0), pick(m2, more * b22, 1.0)
    b10, b20, b21 = pick(m1 & m0, b10, 0.0), pick(m2 & m0, b20, 0.0), pick(m2 & m1, b21, 0.0)
    # L D L', then forward and back
    inverse = 1.0 / b00
    l10, l20 = b10 * inverse, b20 * inverse
    d1 = 1.0 / most(b11 - l10 * b10, 1e-14 * b11)
    l21 = (b21 - l20 * b10) * d1
    z1 = z1 - l10 * z0
    z2 = (z2 - l20 * z0 - l21 * z1) / most(b22 - l20 * b20 - l21 * (b21 - l20 * b10), 1e-14 * b22)
    z1 = z1 * d1 - l21 * z2
    return z0 * inverse - l10 * z1 - l20 * z2, z1, z2


@compiled(inline=True)
def _cut(by: Floats, x: Floats, lower: float, upper: float) -> Floats:
    """The step, no longer than 2 + |x|/2 and not beyond the bounds."""
    far = 2.0 + 0.5 * size(x)
    by = least(most(by, -far), far)
    return least(most(x + by, lower), upper) - x


@compiled(inline=True)
def _beyond(by: Floats, cut: Floats) -> Floats:
    """How many times longer a step is than what is allowed of it; 0 where it is allowed."""
    ratio = size(by) / (size(cut) + 1e-300)
    return pick(ratio > 1.0 + 1e-9, ratio, 0.0)


@compiled(inline=True)
def _moves(x: Floats, lower: float, upper: float, slope: Floats, bend: Floats) -> Truths:
    """False for a coordinate that moves nothing, as one that is not there, or is pressed to its bound and stays."""
    return (bend > 0.0) & ~(((x <= lower) & (slope < 0.0)) | ((x >= upper) & (slope > 0.0)))


@compiled()
def _step(nx: int, lower: Floats, upper: Floats, width: int, work: Floats) -> Floats:
    """Write the coordinates after one damped step as those to try; returns the fall of the SSE that slopes promise."""
    base, zero = PARTS * width, every(0.0)
    here, damping = base + _HERE, read(work, base + _DAMPING)
    x0, x1, x2 = read(work, base + _X), read(work, base + _X + 1), read(work, base + _X + 2)
    m0 = _moves(x0, lower[0], upper[0], read(work, here + _SLOPE), read(work, here + _BEND))
    m1 = _moves(x1, lower[1], upper[1], read(work, here + _SLOPE + 1), read(work, here + _BEND + 2))
    m2 = _moves(x2, lower[2], upper[2], read(work, here + _SLOPE + 2), read(work, here + _BEND + 5))
    t0, t1, t2 = _solve(damping, m0, m1, m2, (zero, zero, zero), here, work)
    c0, c1, c2 = (
        _cut(t0, x0, lower[0], upper[0]),
        _cut(t1, x1, lower[1], upper[1]),
        _cut(t2, x2, lower[2], upper[2]),
    )
    r0, r1, r2 = _beyond(t0, c0), _beyond(t1, c1), _beyond(t2, c2)
    farthest = most(r0, most(r1, r2))
    bent = farthest > 0.0
    if which(bent):
        # The one that goes farthest beyond what is allowed goes that far, and the others follow it.
        w0 = bent & (r0 >= farthest)
        w1 = bent & ~w0 & (r1 >= farthest)
        w2 = bent & ~w0 & ~w1
        to = pick(w0, c0, 0.0), pick(w1, c1, 0.0), pick(w2, c2, 0.0)
        s0, s1, s2 = _solve(damping, m0 & ~w0, m1 & ~w1, m2 & ~w2, to, here, work)
        t0, t1, t2 = pick(bent, s0, t0), pick(bent, s1, t1), pick(bent, s2, t2)
        c0, c1, c2 = (
            _cut(t0, x0, lower[0], upper[0]),
            _cut(t1, x1, lower[1], upper[1]),
            _cut(t2, x2, lower[2], upper[2]),
        )
    write(work, base + AT, x0 + c0)
    write(work, base + AT + 1, x1 + c1)
    write(work, base + AT + 2, x2 + c2)
    g0, g1, g2 = read(work, here + _SLOPE), read(work, here + _SLOPE + 1), read(work, here + _SLOPE + 2)
    at = here + _BEND
    promised = c0 * (2.0 * g0 - c0 * read(work, at))
    if nx > 1:
        promised = promised + c1 * (2.0 * g1 - c1 * read(work, at + 2) - 2.0 * c0 * read(work, at + 1))
    if nx > 2:
        across = c0 * read(work, at + 3) + c1 * read(work, at + 4)
        promised = promised + c2 * (2.0 * g2 - c2 * read(work, at + 5) - 2.0 * across)
    return promised


@compiled()
def _judge(width: int, work: Floats) -> Truths:
    """Make the trial the state where it is no worse, and steer the damping; true where a search ends."""
    base = PARTS * width
    sse, trial = read(work, base + _HERE + _SSE), read(work, base + _TRIAL + _SSE)
    promised, before = read(work, base + _PROMISED), read(work, base + _BEFORE)
    damping, taken = read(work, base + _DAMPING), read(work, base + _TAKEN)
    better = trial <= sse
    # What is left, were the promises to go on falling as they do: long valleys converge slowly.
    rate = pick(before > 0.0, least(promised / before, _SLOWEST), _SLOWEST)
    last = (taken > 0.0) & (promised >= 0.0) & (promised <= _DONE * (1.0 - rate) * sse)
    share = pick(promised > 0.0, (sse - trial) / promised, 0.5)  # below 0 a bound cut the step
    again = last & (damping > _UNDAMPED)  # a damped step promises little in a long valley, too
    kept = pick(share > 0.75, 0.05, pick(share > 0.25, every(1.0), 3.0))
    trusted = pick(again, _UNDAMPED, most(damping * kept, 1e-12))
    refused = damping * 8.0
    write(work, base + _DAMPING, pick(better, trusted, refused))
    write(work, base + _BEFORE, pick(better, promised, before))
    for i in range(3):
        write(work, base + _X + i, pick(better, read(work, base + AT + i), read(work, base + _X + i)))
    for i in range(12):
        at = base + _TRIAL + i
        write(work, at + _MOVED, pick(better, read(work, at), read(work, at + _MOVED)))
    reached = read(work, base + _TRIAL + _REACHED)
    ended = (last & ~again) | (reached < _ESCAPED) | (trial <= read(work, base + _FLOOR))
    return (better & ended) | (~better & ((taken <= 0.0) | (refused > 1e12)))


@compiled()
def _advance(task: _Task, n: int, width: int, work: Floats) -> tuple[int, int]:
    """One step of all searches; the lanes where one ends, and where it is given up.

    It is where it ran into the best before it, or can no longer come under it.
    """
    kind, nx, increments, lower, upper = task
    base = PARTS * width
    write_curve(kind, n, width, work)
    write(work, base + _TRIAL + _REACHED, _compared(nx + 1, increments, n, width, work))
    _products(nx, n, width, work)
    ended = _judge(width, work)
    promised = _step(nx, lower, upper, width, work)
    sse, taken = read(work, base + _HERE + _SSE), read(work, base + _TAKEN)
    write(work, base + _PROMISED, promised)
    write(work, base + _TAKEN, taken + 1.0)
    ended = ended | ~(size(promised) > 1e-15 * sse) | (taken >= MAX_STEPS - 1.0)
    apart = size(read(work, base + _X) - read(work, base + _BEST))
    for i in range(1, nx):
        apart = most(apart, size(read(work, base + _X + i) - read(work, base + _BEST + i)))
    hopeless = (sse - _DOUBTFUL * promised > read(work, base + _BAR)) | (apart < _SAME)
    doubted = (promised > 0.0) & (taken >= _PATIENCE[nx - 1]) & (read(work, base + _DAMPING) < 0.1)
    return which(ended), which(doubted & hopeless & ~ended)


@compiled()
def _place_series(lane: int, row: int, pattern: int, nx: int, ages: tuple, series: tuple, width: int, work: Floats) -> None:
    """Put a series, and the ages it was observed at, to a lane."""
    u, log_u, count, step = ages
    y, _, held, bar = series
    at = PARTS * width * LANES + lane
    total = 0.0
    for j in range(width):
        work[(Y * width + j) * LANES + lane] = y[row, j]
        total += y[row, j] * y[row, j]
    if pattern >= 0:
        for j in range(width):
            work[(4 * width + j) * LANES + lane] = u[pattern, j]
            work[(5 * width + j) * LANES + lane] = log_u[pattern, j]
        work[at + STEP * LANES], work[at + FIRST * LANES] = step[pattern], u[pattern, 0]
        work[at + _COUNT * LANES] = count[pattern]
    work[at + _HELD * LANES], work[at + _BAR * LANES], work[at + _FLOOR * LANES] = held[row], bar[row], 1e-30 * total
    for i in range(3):
        work[at + (_BEST + i) * LANES] = np.inf


@compiled()
def _place_start(lane: int, x: Floats, width: int, work: Floats) -> None:
    """Put the start of a search to a lane."""
    at = PARTS * width * LANES + lane
    for i in range(len(x)):
        work[at + (AT + i) * LANES] = x[i]
    for i in range(3):
        work[at + (_X + i) * LANES] = work[at + (AT + i) * LANES]
    for i in range(12):
        work[at + (_HERE + i) * LANES] = 0.0
    work[at + (_HERE + _SSE) * LANES] = np.inf
    work[at + _DAMPING * LANES] = 1e-4
    work[at + _PROMISED * LANES] = work[at + _BEFORE * LANES] = work[at + _TAKEN * LANES] = 0.0


@compiled()
def _take_result(lane: int, given_up: bool, width: int, work: Floats, x: Floats) -> tuple[float, float, float]:
    """Coordinates to ``x``; SSE, factor and share reached of a search that has ended; the bar is lowered to it."""
    at = PARTS * width * LANES + lane
    for i in range(len(x)):
        x[i] = work[at + (_X + i) * LANES]
    here = at + _HERE * LANES
    sse = np.inf if given_up else work[here + _SSE * LANES]
    if sse < work[at + _BAR * LANES]:
        work[at + _BAR * LANES] = sse
        for i in range(len(x)):
            work[at + (_BEST + i) * LANES] = x[i]
    return sse, work[here + _FACTOR * LANES], work[here + _REACHED * LANES]


@compiled()
def _next(lane: int, at: Integers, nx: int, ages: tuple, series: tuple, x: Floats, sse: Floats, work: Floats) -> bool:
    """Give a lane its next start, of its series or of the next one; false where there is none left.

    ``at`` (4, lanes): row and start of every lane, its pattern, and first in the last line the next row.
    """
    y, patterns, _, bar = series
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
            _place_series(lane, row, -1 if same else patterns[row], nx, ages, series, width, work)
            at[2, lane] = patterns[row]
        limit = work[(PARTS * width + _BAR) * LANES + lane]
        limit = hopeful * (limit if limit > 1e-14 else 1e-14)
        if sse[row, c] < np.inf and sse[row, c] <= limit:
            _place_start(lane, x[row, c], width, work)
            at[0, lane], at[1, lane] = row, c
            return True
        sse[row, c] = np.inf
        c += 1


@compiled()
def _searches(
    task: _Task,
    ages: tuple,
    series: tuple,
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
    busy = 0
    for lane in range(LANES):
        if _next(lane, at, nx, ages, series, x, sse, work):
            busy |= 1 << lane
    while busy:
        n = at[3, 1]
        for lane in range(LANES):
            if busy >> lane & 1:
                n = max(n, count[at[2, lane]])
        changed = 0
        while not changed:
            ended, given_up = _advance(task, n, width, work)
            changed = (ended | given_up) & busy
        for lane in range(LANES):
            if changed >> lane & 1:
                row, c = at[0, lane], at[1, lane]
                sse[row, c], factor[row, c], reached[row, c] = _take_result(
                    lane, (given_up >> lane & 1) > 0, width, work, x[row, c]
                )
                if not _next(lane, at, nx, ages, series, x, sse, work):
                    busy &= ~(1 << lane)


@compiled()
def _table(task: _Task, pattern: int, ages: tuple, grid: Floats, width: int, work: Floats, table: Floats) -> None:
    """The curves of all starts at the ages of one pattern, one line a start, and at its end their sums of squares."""
    kind, nx, increments, _, _ = task
    u, log_u, count, step = ages
    n, base = count[pattern], PARTS * width
    for j in range(n):
        write(work, 4 * width + j, every(u[pattern, j]))
        write(work, 5 * width + j, every(log_u[pattern, j]))
    write(work, base + STEP, every(step[pattern]))
    write(work, base + FIRST, every(u[pattern, 0]))
    write(work, base + _COUNT, every(float(n)))
    for g in range(0, len(grid), LANES):
        many = min(LANES, len(grid) - g)
        for lane in range(LANES):
            for i in range(nx):
                work[(base + AT + i) * LANES + lane] = grid[min(g + lane, len(grid) - 1), i]
        write_curve(kind, n, width, work)
        _compared(1, increments, n, width, work)
        power = every(0.0)
        for j in range(n):
            power = power + read(work, j) * read(work, j)
        write(work, n, power)
        for lane in range(many):
            for j in range(n + 1):
                table[g + lane, j] = work[j * LANES + lane]


@compiled()
def _surfaces(n: int, grid: int, held: Floats, width: int, work: Floats, table: Floats, surface: Floats) -> Floats:
    """Sums of squares of the series of all lanes from all starts, and the least: their share of the matrix product."""
    total, lowest = every(0.0), every(np.inf)
    for j in range(n):
        total = total + read(work, Y * width + j) * read(work, Y * width + j)
    free = held < 0.0
    for g in range(0, grid, 4):  # the table has lines enough
        a = b = c = d = every(0.0)
        for j in range(n):
            y = read(work, Y * width + j)
            a, b = a + y * table[g, j], b + y * table[g + 1, j]
            c, d = c + y * table[g + 2, j], d + y * table[g + 3, j]
        write(surface, g, a)
        write(surface, g + 1, b)
        write(surface, g + 2, c)
        write(surface, g + 3, d)
    for g in range(grid):
        product, power = read(surface, g), table[g, n]
        inverse = 1.0 / power if power > _ESCAPED * _ESCAPED else 0.0
        inside = most(product, 0.0)
        sse = pick(free, total - inside * inside * inverse, total + held * (held * power - 2.0 * product))
        sse = pick(sse < np.inf, sse, np.inf)
        lowest = least(sse, lowest)
        write(surface, g, sse)
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
def _starts(task: _Task, ages: tuple, series: tuple, where: tuple, x: Floats, sse: Floats, work: Floats) -> None:
    """Write the best starts of the grid to ``x`` and their SSE, infinite where there are fewer."""
    y, pattern, held, _ = series
    grid, sides = where
    width, count = y.shape[1], ages[2]
    table = np.zeros((len(grid) + 4, width + 1))
    surface = np.empty((len(grid) + 4) * LANES)
    row, at = 0, -1
    while row < len(y):
        p = pattern[row]
        if p != at:
            _table(task, p, ages, grid, width, work, table)
            at = p
        n, many = count[p], at - p
        while many < LANES and row + many < len(y) and pattern[row + many] == p:
            for j in range(n):
                work[(Y * width + j) * LANES + many] = y[row + many, j]
            work[(PARTS * width + _HELD) * LANES + many] = held[row + many]
            many += 1
        lowest = _surfaces(n, len(grid), read(work, PARTS * width + _HELD), width, work, table, surface)
        top = most(lowest * _LIKELY[task[1] - 1], 1e-12)  # a perfect fit is 0 but for rounding
        _lowest(surface, sides, pick(lowest < np.inf, top, -1.0), row, many, grid, x, sse)
        row += many


@compiled()
def _gram(task: _Task, ages: tuple, series: tuple, x: Floats, factor: Floats, gram: Floats, work: Floats) -> None:
    """Inner products of the slopes by factor and coordinates, (rows, 1 + n, 1 + n)."""
    kind, nx, increments, _, _ = task
    y, pattern, _, _ = series
    width, count = y.shape[1], ages[2]
    for first in range(0, len(y), LANES):
        n = count[pattern[first]]
        for lane in range(LANES):
            row = min(first + lane, len(y) - 1)
            n = max(n, count[pattern[row]])
            _place_series(lane, row, pattern[row], nx, ages, series, width, work)
            _place_start(lane, x[row, 0], width, work)
        write_curve(kind, n, width, work)
        _compared(nx + 1, increments, n, width, work)
        for i in range(nx + 1):
            for k in range(i + 1):
                product = every(0.0)
                for j in range(n):
                    product = product + read(work, i * width + j) * read(work, k * width + j)
                write(work, PARTS * width + _TRIAL, product)
                for lane in range(min(LANES, len(y) - first)):
                    by = factor[first + lane, 0]
                    value = work[(PARTS * width + _TRIAL) * LANES + lane]
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
        task: _Task,
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
        work = np.zeros((PARTS * series[0].shape[1] + _ROWS) * LANES)
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
