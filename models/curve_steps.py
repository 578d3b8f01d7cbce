"""One step of eight searches at once: the sum of squares where they stand, and where to look next.

Belongs here: the arithmetic of Levenberg–Marquardt, a search in every lane. Not here: which series and start is in
which lane (``curve_kernels``), the formulas (``curve_formulas``). Imported only where numba is there.
"""

from __future__ import annotations

from longwave.models.curve_formulas import AT, PARTS, Y, write_curve
from longwave.models.curve_lanes import Truths, compiled, every, least, most, pick, read, size, which, write
from longwave.models.curve_shapes import Floats
from longwave.models.curve_solver import ESCAPED, MAX_STEPS

_DOUBTFUL = 10.0  # a start is given up once ten times the promised fall would not bring it under the best so far
_PATIENCE = (0.0, 1.0, 4.0)  # steps before a start is given up
_SAME = 0.01  # two searches this close in every coordinate are one
_DONE, _SLOWEST = 1e-9, 0.9999  # of the SSE: searches end where less than this is left
_UNDAMPED = 1e-7
_PERFECT = 1e-30  # levels are at most 1: below is rounding

# Rows of the workspace after those of ``curve_formulas``, one number a lane: how many ages, the factor that is held or
# −1; then of the trial SSE, share reached, factor, three slopes, six of the Gauss–Newton matrix; the coordinates of the
# state and the same twelve of it; and what steers the search.
COUNT, HELD, TRIAL, X, HERE, _MOVED = 5, 6, 7, 19, 22, 15
SSE, REACHED, FACTOR, _SLOPE, _BEND = 0, 1, 2, 3, 6
DAMPING, PROMISED, BEFORE, TAKEN, BAR, BEST, ROWS = 34, 35, 36, 37, 38, 39, 42

Task = tuple[int, int, bool, Floats, Floats]
_Step = tuple[Floats, Floats, Floats]


@compiled()
def compared(parts: int, increments: bool, n: int, width: int, work: Floats) -> Floats:
    """Turn levels and slopes into what the objective compares, 0 beyond the last age; the share reached there."""
    count = read(work, PARTS * width + COUNT)
    if not increments and not which(count < float(n)):
        return read(work, n - 1)
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
    held = read(work, base + HELD)
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
    at = base + TRIAL
    write(work, at + SSE, sse)
    write(work, at + FACTOR, factor)
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
    here, damping = base + HERE, read(work, base + DAMPING)
    x0, x1, x2 = read(work, base + X), read(work, base + X + 1), read(work, base + X + 2)
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
    sse, trial = read(work, base + HERE + SSE), read(work, base + TRIAL + SSE)
    promised, before = read(work, base + PROMISED), read(work, base + BEFORE)
    damping, taken = read(work, base + DAMPING), read(work, base + TAKEN)
    better = trial <= sse
    # What is left, were the promises to go on falling as they do: long valleys converge slowly.
    rate = pick(before > 0.0, least(promised / before, _SLOWEST), _SLOWEST)
    last = (taken > 0.0) & (promised >= 0.0) & (promised <= _DONE * (1.0 - rate) * sse)
    share = pick(promised > 0.0, (sse - trial) / promised, 0.5)  # below 0 a bound cut the step
    again = last & (damping > _UNDAMPED)  # a damped step promises little in a long valley, too
    kept = pick(share > 0.75, 0.05, pick(share > 0.25, every(1.0), 3.0))
    trusted = pick(again, _UNDAMPED, most(damping * kept, 1e-12))
    refused = damping * 8.0
    write(work, base + DAMPING, pick(better, trusted, refused))
    write(work, base + BEFORE, pick(better, promised, before))
    for i in range(3):
        write(work, base + X + i, pick(better, read(work, base + AT + i), read(work, base + X + i)))
    for i in range(12):
        at = base + TRIAL + i
        write(work, at + _MOVED, pick(better, read(work, at), read(work, at + _MOVED)))
    reached = read(work, base + TRIAL + REACHED)
    ended = (last & ~again) | (reached < ESCAPED) | (trial <= _PERFECT)
    return (better & ended) | (~better & ((taken <= 0.0) | (refused > 1e12)))


@compiled()
def advance(task: Task, n: int, width: int, work: Floats) -> tuple[int, int]:
    """One step of all searches; the lanes where one ends, and where it is given up.

    It is where it ran into the best before it, or can no longer come under it.
    """
    kind, nx, increments, lower, upper = task
    base = PARTS * width
    write_curve(kind, n, width, work)
    write(work, base + TRIAL + REACHED, compared(nx + 1, increments, n, width, work))
    _products(nx, n, width, work)
    ended = _judge(width, work)
    promised = _step(nx, lower, upper, width, work)
    sse, taken = read(work, base + HERE + SSE), read(work, base + TAKEN)
    write(work, base + PROMISED, promised)
    write(work, base + TAKEN, taken + 1.0)
    ended = ended | ~(size(promised) > 1e-15 * sse) | (taken >= MAX_STEPS - 1.0)
    apart = size(read(work, base + X) - read(work, base + BEST))
    for i in range(1, nx):
        apart = most(apart, size(read(work, base + X + i) - read(work, base + BEST + i)))
    hopeless = (sse - _DOUBTFUL * promised > read(work, base + BAR)) | (apart < _SAME)
    doubted = (promised > 0.0) & (taken >= _PATIENCE[nx - 1]) & (read(work, base + DAMPING) < 0.1)
    return which(ended), which(doubted & hopeless & ~ended)
