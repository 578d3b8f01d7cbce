"""The search behind the fits, compiled: one series at a time, everything in the nearest cache.

Belongs here: the compiled twin of ``curve_solver``, with the same two functions, ``minima`` and ``information``. Not
here: the formulas (``curve_formulas``), what a fit is (``curves``). Imported only where numba is there.

Compiled code is kept beside this file by numba, which looks at the date of this file alone. So the two functions that
are kept carry a digest of all the sources they are made from, and are compiled anew when any of them changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib import resources

import numba
import numpy as np
from longwave.models.curve_formulas import IN_ORDER, REORDERED, compiled, write_curve
from longwave.models.curve_shapes import Floats
from longwave.models.curve_solver import MAX_STEPS, Integers, Minima, Problem
from longwave.models.families import Shape

_DOUBTFUL = 10.0  # a start is given up once ten times the promised fall would not bring it under the best so far
_LIKELY = (1e3, 12.0, 20.0)  # by the number of coordinates: how far above the lowest start another may lie,
_HOPEFUL = (200.0, 20.0, 60.0)  # and above the best so far; simulations showed later starts to win from below
_PATIENCE = (0, 1, 4)  # steps before a start is given up
_SAME = 0.01  # two searches this close in every coordinate are one
_DONE, _SLOWEST = 1e-9, 0.9999  # of the SSE: searches end where less than this is left
_UNDAMPED = 1e-7
_ESCAPED = 1e-140  # share of the ceiling reached: its square is a double still
_SCRATCH = 32  # the last two rows of the workspace hold the state of the search
_FROM_GRID, _FROM_STARTS, _PRODUCTS = 0, 1, 2
_SOURCES = ("curve_formulas.py", "curve_kernels.py")


@compiled(REORDERED, inline=True)
def _dot(a: Floats, b: Floats, width: int) -> float:
    total = 0.0
    for j in range(width):
        total += a[j] * b[j]
    return total


@compiled(REORDERED, inline=True)
def _products(nx: int, width: int, y: Floats, held: float, work: Floats, point: Floats, bend: Floats) -> float:
    """SSE at what stands in ``work``; ``point`` gets factor and gradient, ``bend`` the Gauss–Newton matrix.

    With the factor free (``held`` below 0), slopes are taken across the curve (Kaufman 1975). Rows of slopes that a
    shape does not have are 0, and so is what follows from them.
    """
    value, one, two, three, residual = work[0], work[1], work[2], work[3], work[6]
    power = product = sse = 0.0
    for j in range(width):
        power += value[j] * value[j]
        product += value[j] * y[j]
    factor = max(product / power, 0.0) if held < 0.0 else held
    g0 = g1 = g2 = a0 = a1 = a2 = b00 = b10 = b11 = b20 = b21 = b22 = 0.0
    for j in range(width):
        residual[j] = y[j] - factor * value[j]
        sse += residual[j] * residual[j]
        g0 += residual[j] * one[j]
        g1 += residual[j] * two[j]
        a0 += value[j] * one[j]
        a1 += value[j] * two[j]
        b00 += one[j] * one[j]
        b10 += one[j] * two[j]
        b11 += two[j] * two[j]
    if nx == 3:
        for j in range(width):
            g2 += residual[j] * three[j]
            a2 += value[j] * three[j]
            b20 += one[j] * three[j]
            b21 += two[j] * three[j]
            b22 += three[j] * three[j]
    free = 1.0 / power if held < 0.0 else 0.0
    square = factor * factor
    point[0], point[1], point[2], point[3] = factor, factor * g0, factor * g1, factor * g2
    bend[0, 0], bend[1, 0] = square * (b00 - a0 * a0 * free), square * (b10 - a0 * a1 * free)
    bend[1, 1], bend[2, 0] = square * (b11 - a1 * a1 * free), square * (b20 - a0 * a2 * free)
    bend[2, 1], bend[2, 2] = square * (b21 - a1 * a2 * free), square * (b22 - a2 * a2 * free)
    return sse


@compiled(IN_ORDER, inline=True)
def _moves(i: int, nx: int, x: Floats, lower: Floats, upper: Floats, point: Floats, bend: Floats) -> float:
    """1, or 0 for a coordinate that is not there, moves nothing, or is pressed to its bound and stays there."""
    if i >= nx or not bend[i, i] > 0.0:
        return 0.0
    pressed = (x[i] <= lower[i] and point[i + 1] < 0.0) or (x[i] >= upper[i] and point[i + 1] > 0.0)
    return 0.0 if pressed else 1.0


@compiled(IN_ORDER, inline=True)
def _solve(damping: float, m0: float, m1: float, m2: float, point: Floats, bend: Floats, to: Floats) -> None:
    """Damped Gauss–Newton step of the coordinates with m = 1, to ``to``; of the others the step there is kept."""
    b00 = (1.0 + damping) * bend[0, 0] if m0 > 0.0 else 1.0
    b11 = (1.0 + damping) * bend[1, 1] if m1 > 0.0 else 1.0
    b22 = (1.0 + damping) * bend[2, 2] if m2 > 0.0 else 1.0
    b10, b20, b21 = m1 * m0 * bend[1, 0], m2 * m0 * bend[2, 0], m2 * m1 * bend[2, 1]
    z0 = m0 * (point[1] - bend[1, 0] * to[1] - bend[2, 0] * to[2]) if m0 > 0.0 else to[0]
    z1 = m1 * (point[2] - bend[1, 0] * to[0] - bend[2, 1] * to[2]) if m1 > 0.0 else to[1]
    z2 = m2 * (point[3] - bend[2, 0] * to[0] - bend[2, 1] * to[1]) if m2 > 0.0 else to[2]
    # L D L', then forward and back
    l10, l20 = b10 / b00, b20 / b00
    d1 = b11 - l10 * b10
    d1 = d1 if d1 > 1e-14 * b11 else 1e-14 * b11
    l21 = (b21 - l20 * b10) / d1
    d2 = b22 - l20 * b20 - l21 * l21 * d1
    d2 = d2 if d2 > 1e-14 * b22 else 1e-14 * b22
    z1 -= l10 * z0
    z2 = (z2 - l20 * z0 - l21 * z1) / d2
    z1 = z1 / d1 - l21 * z2
    to[0], to[1], to[2] = z0 / b00 - l10 * z1 - l20 * z2, z1, z2


@compiled(IN_ORDER, inline=True)
def _cut(by: float, x: float, lower: float, upper: float) -> float:
    """The step, no longer than 2 + |x|/2 and not beyond the bounds."""
    far = 2.0 + 0.5 * abs(x)
    by = min(max(by, -far), far)
    return min(max(x + by, lower), upper) - x


@compiled(IN_ORDER, inline=True)
def _step(
    nx: int, damping: float, x: Floats, lower: Floats, upper: Floats, point: Floats, bend: Floats, to: Floats
) -> float:
    """Write the coordinates after one damped step to ``to``; returns the fall of the SSE that the slopes promise."""
    m0 = _moves(0, nx, x, lower, upper, point, bend)
    m1 = _moves(1, nx, x, lower, upper, point, bend)
    m2 = _moves(2, nx, x, lower, upper, point, bend)
    to[0] = to[1] = to[2] = 0.0
    for attempt in range(2):
        _solve(damping, m0, m1, m2, point, bend, to)
        worst, most = -1, 1.0 + 1e-9
        for i in range(nx):
            allowed = abs(_cut(to[i], x[i], lower[i], upper[i]))
            if abs(to[i]) > most * allowed:
                worst, most = i, abs(to[i]) / (allowed + 1e-300)
        if worst < 0 or attempt > 0:
            break
        # The one that goes farthest beyond what is allowed goes that far, and the others follow it.
        by = _cut(to[worst], x[worst], lower[worst], upper[worst])
        to[0] = to[1] = to[2] = 0.0
        to[worst] = by
        m0, m1, m2 = m0 * (worst != 0), m1 * (worst != 1), m2 * (worst != 2)
    promised = 0.0
    for i in range(nx):
        to[i] = _cut(to[i], x[i], lower[i], upper[i])
        promised += to[i] * (2.0 * point[i + 1] - to[i] * bend[i, i])
        for k in range(i):
            promised -= 2.0 * to[i] * to[k] * bend[i, k]
    for i in range(nx):
        to[i] += x[i]
    return promised


@compiled(IN_ORDER, inline=True)
def _accept(nx: int, to: Floats, x: Floats, state: Floats) -> None:
    """Make the trial the state: coordinates, factor and gradient, Gauss–Newton matrix."""
    for i in range(nx):
        x[i] = to[i]
    for i in range(4):
        state[i] = state[4 + i]
    for i in range(9):
        state[8 + i] = state[17 + i]


@compiled(IN_ORDER, inline=True)
def _same(nx: int, x: Floats, best: Floats) -> bool:
    """Whether two places are so close in every coordinate that their searches are one."""
    apart = 0.0
    for i in range(nx):
        apart = max(apart, abs(x[i] - best[i]))
    return apart < _SAME


@compiled(IN_ORDER)
def _search(
    curve: tuple[int, int, bool, int, float, Floats, Floats],
    y: Floats,
    held: float,
    lower: Floats,
    upper: Floats,
    bar: float,
    best: Floats,
    x: Floats,
    work: Floats,
) -> tuple[float, float, float]:
    """Levenberg–Marquardt from ``x``, which it moves; returns SSE, factor and the share reached at the last age.

    The SSE is infinite where the search ran into that of ``best``, or can no longer come under ``bar``.
    """
    kind, nx, increments, n, step, u, log_u = curve
    width, damping, sse, promised, before, reached = len(u), 1e-4, np.inf, 0.0, 0.0, 1.0
    here, trial, to = work[10, :4], work[10, 4:8], work[11]
    bend, trial_bend = work[10, 8:17].reshape(3, 3), work[10, 17:26].reshape(3, 3)
    floor = 1e-30 * _dot(y, y, width)
    for i in range(nx):
        to[i] = x[i]
    for taken in range(MAX_STEPS):
        trial_reached = write_curve(kind, nx, increments, n, step, u, log_u, to, work)
        trial_sse = _products(nx, width, y, held, work, trial, trial_bend)
        if trial_sse <= sse:
            # What is left, were the promises to go on falling as they do: long valleys converge slowly.
            rate = min(promised / before, _SLOWEST) if before > 0.0 else _SLOWEST
            last = taken > 0 and 0.0 <= promised <= _DONE * (1.0 - rate) * sse
            before = promised
            share = (sse - trial_sse) / promised if promised > 0.0 else 0.5  # below 0 a bound cut the step
            if last and damping > _UNDAMPED:  # a damped step promises little in a long valley, too
                last, damping = False, _UNDAMPED
            else:
                damping = max(damping * (0.05 if share > 0.75 else (1.0 if share > 0.25 else 3.0)), 1e-12)
            sse, reached = trial_sse, trial_reached
            _accept(nx, to, x, work[10])
            if last or reached < _ESCAPED or sse <= floor:
                break
        else:
            damping *= 8.0
            if taken == 0 or damping > 1e12:
                break
        promised = _step(nx, damping, x, lower, upper, here, bend, to)
        if not abs(promised) > 1e-15 * sse:
            break
        doubted = promised > 0.0 and taken >= _PATIENCE[nx - 1] and damping < 0.1
        if doubted and (sse - _DOUBTFUL * promised > bar or _same(nx, x, best)):
            return np.inf, here[0], reached
    return sse, here[0], reached


@compiled(IN_ORDER)
def _table(
    kind: int,
    nx: int,
    increments: bool,
    n: int,
    step: float,
    u: Floats,
    log_u: Floats,
    grid: Floats,
    work: Floats,
    table: Floats,
    power: Floats,
) -> None:
    """The curves of all starts at the ages of one pattern, (points, starts), and their sums of squares."""
    for g in range(len(grid)):
        write_curve(kind, nx, increments, n, step, u, log_u, grid[g], work)
        power[g] = _dot(work[0], work[0], len(u))
        for j in range(n):
            table[j, g] = work[0, j]


@compiled(IN_ORDER)
def _gram(
    kind: int,
    nx: int,
    increments: bool,
    n: int,
    step: float,
    u: Floats,
    log_u: Floats,
    x: Floats,
    factor: float,
    work: Floats,
    gram: Floats,
) -> None:
    """Inner products of the slopes by factor and coordinates, (1 + n, 1 + n)."""
    write_curve(kind, nx, increments, n, step, u, log_u, x, work)
    for i in range(nx + 1):
        for k in range(i + 1):
            product = _dot(work[i], work[k], len(u))
            product *= (factor if i > 0 else 1.0) * (factor if k > 0 else 1.0)
            gram[i, k] = gram[k, i] = product


@compiled(IN_ORDER)
def _lowest(surface: Floats, sides: Integers, likely: float, picked: Integers, low: Floats) -> int:
    """Numbers and values of the lowest local minima over up to three axes, in rising order; their count.

    Minima over ``likely`` times the lowest value are left out, and cost nothing.
    """
    found, least, along = 0, np.inf, sides[2]
    for g in range(len(surface)):
        least = surface[g] if surface[g] < least else least
    top = max(likely * least, 1e-12) if least < np.inf else -1.0  # a perfect fit is 0 but for rounding
    for g in range(len(surface)):
        here = surface[g]
        # The neighbour on the line first: half are refused by it alone.
        if here > top or (g > 0 and surface[g - 1] < here and g % along > 0):
            continue
        if not _is_minimum(surface, sides, g) or (found == len(picked) and low[found - 1] <= here):
            continue
        found = min(found + 1, len(picked))
        at = found - 1
        while at > 0 and low[at - 1] > here:
            picked[at], low[at] = picked[at - 1], low[at - 1]
            at -= 1
        picked[at], low[at] = g, here
    return found


@compiled(IN_ORDER)
def _is_minimum(surface: Floats, sides: Integers, g: int) -> bool:
    """Whether no neighbour along any axis, corners included, is lower."""
    across, along, here = sides[1] * sides[2], sides[2], surface[g]
    a, b, c = g // across, g // along % sides[1], g % along
    if c < along - 1 and surface[g + 1] < here:
        return False
    first, last = max(c - 1, 0), min(c + 2, along)
    for i in range(max(a - 1, 0), min(a + 2, sides[0])):
        for j in range(max(b - 1, 0), min(b + 2, sides[1])):
            line = i * across + j * along
            for k in range(line + first, line + last):
                if surface[k] < here:
                    return False
    return True


@compiled(REORDERED)
def _surface(n: int, y: Floats, held: float, table: Floats, power: Floats, out: Floats) -> None:
    """Sums of squares of one series from all starts: its share of the matrix product."""
    total = 0.0
    for g in range(len(out)):
        out[g] = 0.0
    for j in range(n):
        total += y[j] * y[j]
        for g in range(len(out)):
            out[g] += y[j] * table[j, g]
    for g in range(len(out)):
        if held < 0.0:
            product = out[g] if out[g] > 0.0 else 0.0
            out[g] = total - product * product / power[g]
        else:
            out[g] = total + held * (held * power[g] - 2.0 * out[g])
        out[g] = out[g] if out[g] < np.inf else np.inf


@compiled(IN_ORDER)
def _searches(
    curve: tuple[int, int, bool, int, float, Floats, Floats],
    found: int,
    y: Floats,
    held: float,
    lower: Floats,
    upper: Floats,
    bar: float,
    x: Floats,
    factor: Floats,
    sse: Floats,
    reached: Floats,
    work: Floats,
) -> None:
    """Search from every start of one series, each knowing the best before it; ``sse`` is that of the starts."""
    best = work[10, 28:31]
    for i in range(3):
        best[i] = np.inf
    for c in range(found):
        if sse[c] > _HOPEFUL[len(lower) - 1] * max(bar, 1e-14):
            sse[c] = np.inf
            continue
        sse[c], factor[c], reached[c] = _search(curve, y, held, lower, upper, bar, best, x[c], work)
        if sse[c] < bar:
            bar = sse[c]
            for i in range(len(lower)):
                best[i] = x[c, i]


def _stamp() -> str:
    """Digest of the sources that the compiled code follows from."""
    folder = resources.files("longwave.models")
    return hashlib.sha256(b"".join((folder / name).read_bytes() for name in _SOURCES)).hexdigest()


def _kept(stamp: str) -> Callable[..., int]:
    """The function whose compiled code is kept, under a stamp that it carries; its tasks are numbered as above."""

    @numba.njit(cache=True, nogil=True, error_model="numpy")
    def run(
        task: tuple[int, bool, Floats, Integers, Floats, Floats],
        ages: tuple[Floats, Floats, Integers, Floats],
        series: tuple[Floats, Integers, Floats, Floats],
        what: int,
        x: Floats,
        factor: Floats,
        sse: Floats,
        reached: Floats,
        gram: Floats,
    ) -> int:
        kind, increments, grid, sides, lower, upper = task
        u, log_u, count, step = ages
        y, pattern, held, bar = series
        nx, width = len(lower), y.shape[1]
        work = np.zeros((12, max(width, _SCRATCH)))
        table, power, surface = np.empty((width, len(grid))), np.empty(len(grid)), np.empty(len(grid))
        picked, at = np.zeros(x.shape[1], np.intp), -1
        for row in range(len(y)):
            p = pattern[row]
            n, found = count[p], x.shape[1]
            if what == _PRODUCTS:
                _gram(kind, nx, increments, n, step[p], u[p], log_u[p], x[row, 0], factor[row, 0], work, gram[row])
                continue
            if what == _FROM_GRID:
                if p != at:
                    _table(kind, nx, increments, n, step[p], u[p], log_u[p], grid, work, table, power)
                    at = p
                _surface(n, y[row], held[row], table, power, surface)
                found = _lowest(surface, sides, _LIKELY[nx - 1], picked, sse[row])
                for c in range(found):
                    for i in range(nx):
                        x[row, c, i] = grid[picked[c], i]
            curve = (kind, nx, increments, n, step[p], u[p], log_u[p])
            _searches(
                curve,
                found,
                y[row],
                held[row],
                lower,
                upper,
                bar[row],
                x[row],
                factor[row],
                sse[row],
                reached[row],
                work,
            )
        return len(stamp)

    return run


_run = _kept(_stamp())


def minima(
    shape: Shape, problem: Problem, rows: Integers, starts: Floats | None = None, bar: Floats | None = None
) -> Minima:
    """As :func:`longwave.models.curve_solver.minima`."""
    n, nx = len(rows), len(shape.lower)
    kept = shape.kept if starts is None else starts.shape[1]
    x = np.empty((n, kept, nx)) if starts is None else starts.copy()
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
    _call(_PRODUCTS, shape, problem, rows, np.empty(0), ends, gram)
    return gram


def _call(what: int, shape: Shape, problem: Problem, rows: Integers, bar: Floats, ends: Minima, gram: Floats) -> None:
    """Hand a task to the compiled code, which fills ``ends`` or ``gram``."""
    nx = len(shape.lower)
    sides = np.ones(3, dtype=np.intp)
    sides[:nx] = shape.starts.shape[:-1]
    held = np.full(len(rows), -1.0) if problem.ceiling is None else problem.ceiling[rows]
    _run(
        (shape.kind, problem.increments, shape.starts.reshape(-1, nx), sides, shape.lower, shape.upper),
        (problem.u, problem.log_u, problem.count, problem.step),
        (problem.y[rows], problem.pattern[rows], held, bar),
        what,
        *(ends.x, ends.factor, ends.sse, ends.reached),
        gram,
    )
