"""The formulas of ``curve_shapes`` compiled, for one series at a time.

Belongs here: value and slopes of every shape as loops over the ages, written to a small workspace. Not here: the
search over their coordinates (``curve_kernels``). Imported only where numba is there.

Ages that are evenly spaced make e^(−st) a geometric sequence: two exponentials an evaluation. Elsewhere, and where an
exponential stands inside another, a loop of plain arithmetic takes its place, which fills vector registers.

The workspace has rows of the length of the ages padded to whole registers: 0 the value, 1–3 the slopes, the rest
scratch.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp, expm1, log
from typing import TypeVar, cast

import numba
import numpy as np
from longwave.models.curve_shapes import BEYOND, SLOWLY, Floats

_Function = TypeVar("_Function", bound=Callable[..., object])

REORDERED = frozenset({"nsz", "reassoc", "contract"})  # sums may be taken in any order
IN_ORDER = frozenset({"nsz", "contract"})
_SMALL = 0.02  # below this 1 − e^(−h) would lose digits
_RANGE = 690.0  # e^690 is a finite double
_TO_LOG2, _ROUND, _BIAS = 1.4426950408889634, 6755399441055744.0, 4607182418800017408
_LN2_HIGH, _LN2_LOW = 0.6931471803691238, 1.9082149292705877e-10


def compiled(flags: frozenset[str], inline: bool = False) -> Callable[[_Function], _Function]:
    """Give the compiler of numba with the options of these modules; the type of the function is kept.

    ``inline`` spares a call, which hands over every array in seven pieces.
    """

    def wrap(function: _Function) -> _Function:
        made = numba.njit(nogil=True, error_model="numpy", fastmath=set(flags), forceinline=inline)(function)
        return cast(_Function, made)

    return wrap


@compiled(IN_ORDER)
def _exponentials(z: Floats, width: int, out: Floats, scratch: Floats) -> None:
    """e^z within ±690 to the last digit or two, as loops of plain arithmetic that fill vector registers."""
    bits = scratch.view(np.int64)
    for j in range(width):
        v = z[j]
        v = v if v > -_RANGE else -_RANGE
        v = v if v < _RANGE else _RANGE
        k = v * _TO_LOG2 + _ROUND
        scratch[j] = k
        k -= _ROUND
        r = v - k * _LN2_HIGH - k * _LN2_LOW
        p = r * (1 / 6227020800.0) + 1 / 479001600.0
        p = p * r + 1 / 39916800.0
        p = p * r + 1 / 3628800.0
        p = p * r + 1 / 362880.0
        p = p * r + 1 / 40320.0
        p = p * r + 1 / 5040.0
        p = p * r + 1 / 720.0
        p = p * r + 1 / 120.0
        p = p * r + 1 / 24.0
        p = p * r + 1 / 6.0
        p = p * r + 0.5
        out[j] = p * r * r + r + 1.0
    for j in range(width):
        bits[j] = (bits[j] << 52) + _BIAS
    for j in range(width):
        out[j] *= scratch[j]


@compiled(IN_ORDER, inline=True)
def _powers(a: float, q: float, width: int, out: Floats) -> None:
    """The sequence a q^j for j = 0, 1, …: four interleaved geometric sequences."""
    b, c, d = a * q, a * q * q, a * q * q * q
    q = q * q * q * q
    for j in range(0, width, 4):
        out[j], out[j + 1], out[j + 2], out[j + 3] = a, b, c, d
        a, b, c, d = a * q, b * q, c * q, d * q


@compiled(IN_ORDER, inline=True)
def _rises(s: float, width: int, step: float, u: Floats, rest: Floats, rise: Floats, scratch: Floats) -> None:
    """e^(−su) and 1 − e^(−su), the latter to all its digits; 1 and 0 up to the launch."""
    if step > 0.0 and u[0] >= 0.0:
        q = exp(-s * step)
        _powers(q if u[0] == step else exp(-s * u[0]), q, width, rest)
        if s * (u[0] if u[0] > 0.0 else step) > _SMALL:
            for j in range(width):
                rise[j] = 1.0 - rest[j]
            return
        g = -expm1(-s * step)
        a = -expm1(-s * u[0])
        b = a * q + g
        c = b * q + g
        d = c * q + g
        g *= (1.0 + q) * (1.0 + q * q)
        q = q * q * q * q
        for j in range(0, width, 4):
            rise[j], rise[j + 1], rise[j + 2], rise[j + 3] = a, b, c, d
            a, b, c, d = a * q + g, b * q + g, c * q + g, d * q + g
        return
    for j in range(width):
        rise[j] = -s * (u[j] if u[j] > 0.0 else 0.0)
    _exponentials(rise, width, rest, scratch)
    for j in range(width):
        h = -rise[j]
        series = h * (1 - h / 2 * (1 - h / 3 * (1 - h / 4 * (1 - h / 5 * (1 - h / 6 * (1 - h / 7 * (1 - h / 8)))))))
        rise[j] = series if h < _SMALL else 1.0 - rest[j]


@compiled(IN_ORDER, inline=True)
def _bass(width: int, step: float, u: Floats, x: Floats, work: Floats) -> None:
    value, by_speed, by_delay, rest, rise, z = work[0], work[1], work[2], work[4], work[5], work[6]
    s, w = exp(x[0]), exp(x[1])
    _rises(s, width, step, u, rest, rise, work[7])
    if s * w < _RANGE:
        late = exp(s * w)
        for j in range(width):
            rest[j] *= late
    else:
        for j in range(width):
            z[j] = s * (w - (u[j] if u[j] > 0.0 else 0.0))
        _exponentials(z, width, rest, work[7])
    for j in range(width):
        inverse = 1.0 / (rise[j] + rest[j])
        elapsed = u[j] if u[j] > 0.0 else 0.0
        steep = rest[j] * inverse * inverse * s
        value[j] = rise[j] * inverse
        by_speed[j] = steep * (elapsed - w * rise[j])
        by_delay[j] = -steep * w * rise[j]


@compiled(IN_ORDER, inline=True)
def _gaps(k: float, last: float, width: int, step: float, u: Floats, out: Floats, work: Floats) -> None:
    """e^(last − k u), a geometric sequence where the ages are regular and the numbers stay in range."""
    if step > 0.0 and abs(last - k * u[0]) < _RANGE:
        _powers(exp(last - k * u[0]), exp(-k * step), width, out)
        return
    for j in range(width):
        work[6, j] = last - k * u[j]
    _exponentials(work[6], width, out, work[7])


@compiled(IN_ORDER, inline=True)
def _logistic(width: int, step: float, u: Floats, x: Floats, work: Floats) -> None:
    value, by_rate, at_place, rest = work[0], work[1], work[2], work[4]
    k = exp(x[0])
    by_place = k if x[1] <= 0.0 else BEYOND
    moved = k * x[1] if x[1] <= 0.0 else 0.0
    _gaps(k, by_place * x[1], width, step, u, rest, work)
    for j in range(width):
        value[j] = 1.0 / (1.0 + rest[j])
        steep = rest[j] * value[j] * value[j]
        by_rate[j] = steep * (k * u[j] - moved)
        at_place[j] = -steep * by_place


@compiled(IN_ORDER, inline=True)
def _gompertz(width: int, step: float, u: Floats, x: Floats, work: Floats) -> None:
    value, by_rate, at_place, gap, z = work[0], work[1], work[2], work[4], work[6]
    k = exp(x[0])
    by_place = k if x[1] <= 0.0 else BEYOND
    moved = k * x[1] if x[1] <= 0.0 else 0.0
    _gaps(k, by_place * x[1], width, step, u, gap, work)
    for j in range(width):
        gap[j] = gap[j] if gap[j] < _RANGE else _RANGE
        z[j] = -gap[j]
    _exponentials(z, width, value, work[7])
    for j in range(width):
        steep = value[j] * gap[j]
        by_rate[j] = steep * (k * u[j] - moved)
        at_place[j] = -steep * by_place


@compiled(IN_ORDER, inline=True)
def _weibull(width: int, log_u: Floats, x: Floats, work: Floats) -> None:
    value, at_place, by_b, h, z = work[0], work[1], work[2], work[4], work[6]
    b = exp(x[1])
    by_place = -b if x[0] <= 0.0 else -SLOWLY
    last = by_place * x[0]
    moved = last if x[0] <= 0.0 else 0.0
    for j in range(width):
        z[j] = last + b * log_u[j]
    _exponentials(z, width, h, work[7])
    for j in range(width):
        h[j] = h[j] if h[j] < _RANGE else _RANGE
        z[j] = -h[j]
    _exponentials(z, width, at_place, work[7])
    small = last < -4.6
    for j in range(width):
        series = h[j] * (1 - h[j] / 2 * (1 - h[j] / 3 * (1 - h[j] / 4 * (1 - h[j] / 5 * (1 - h[j] / 6)))))
        value[j] = series if small else 1.0 - at_place[j]
        steep = at_place[j] * h[j]
        at_place[j] = steep * by_place
        by_b[j] = steep * (moved + b * log_u[j])


@compiled(IN_ORDER)
def _gamma_shifted_gompertz(n: int, width: int, step: float, u: Floats, x: Floats, work: Floats) -> None:
    value, rest, rise, z, small = work[0], work[4], work[5], work[6], work[8]
    c = exp(x[2])
    s = exp(x[0]) * (1.0 + 1.0 / c)
    lag = s * exp(x[1])
    _rises(s, width, step, u, rest, rise, work[7])
    for j in range(n):
        z[j] = -abs(lag - s * max(u[j], 0.0))
    _exponentials(z, width, small, work[7])
    for j in range(n):
        ahead = lag - s * max(u[j], 0.0)
        above = 1.0 + rise[j] * small[j] if ahead > 0.0 else rise[j] + small[j]
        work[3, j] = c * (max(ahead, 0.0) + log(above))
        z[j] = -work[3, j]
        work[2, j] = c * (1.0 if ahead > 0.0 else small[j]) / above
        work[9, j] = c * rest[j] * (small[j] if ahead > 0.0 else 1.0) / above
    _exponentials(z, width, small, work[7])
    for j in range(n):
        elapsed = s * max(u[j], 0.0)
        value[j] = rise[j] * small[j]
        moved = elapsed * work[9, j] + work[2, j] * (lag - elapsed)
        work[1, j] = small[j] * elapsed * rest[j] - value[j] * moved
        work[2, j] *= -value[j] * lag
        work[3, j] = -value[j] * work[3, j] - work[1, j] / (1.0 + c)


@compiled(IN_ORDER)
def _richards(n: int, width: int, u: Floats, x: Floats, work: Floats) -> None:
    value, z, small = work[0], work[6], work[8]
    v = exp(x[2])
    k = exp(x[0]) * (1.0 + v)
    by_place = k if x[1] <= 0.0 else BEYOND
    moved, last = (k * x[1] if x[1] <= 0.0 else 0.0), by_place * x[1]
    for j in range(width):
        z[j] = -abs(last - k * u[j])
    _exponentials(z, width, small, work[7])
    for j in range(n):
        ahead = last - k * u[j]
        above = v + small[j] if ahead > 0.0 else 1.0 + v * small[j]
        work[3, j] = (max(ahead, 0.0) + log(above)) / v
        work[2, j] = (1.0 if ahead > 0.0 else small[j]) / above
        z[j] = -work[3, j]
    _exponentials(z, width, value, work[7])
    for j in range(n):
        passed = work[2, j] * (k * u[j] - moved)
        work[1, j] = value[j] * passed
        work[3, j] = value[j] * (work[3, j] - work[2, j] + passed * (v / (1.0 + v)))
        work[2, j] *= -value[j] * by_place


@compiled(IN_ORDER)
def _limiting(kind: int, n: int, width: int, step: float, u: Floats, log_u: Floats, x: Floats, work: Floats) -> None:
    """The forms without a ceiling: growth (6), contagion (7), power (8), delayed growth (9)."""
    value, slope, rate, grown = work[0], work[1], exp(x[0]), work[8]
    k = exp(x[1]) if kind == 9 else rate
    if kind == 8:
        for j in range(width):
            work[6, j] = rate * log_u[j]
        _exponentials(work[6], width, value, work[7])
        for j in range(n):
            slope[j] = work[6, j] * value[j]
        return
    _gaps(-k, 0.0 if kind == 6 else -k, width, step, u, grown, work)
    if kind == 6:
        for j in range(n):
            value[j] = grown[j]
            slope[j] = rate * u[j] * value[j]
        return
    _rises(rate, width, step, u, work[4], work[5], work[7])
    for j in range(n):
        elapsed = max(u[j], 0.0)
        value[j] = work[5, j] * grown[j]
        if kind == 7:
            slope[j] = rate * (elapsed * grown[j] - value[j]) if elapsed > 0.0 else 0.0
        else:
            slope[j] = rate * elapsed * work[4, j] * grown[j]
            work[2, j] = value[j] * k * (elapsed - 1.0)


@compiled(IN_ORDER)
def write_curve(
    kind: int, nx: int, increments: bool, n: int, step: float, u: Floats, log_u: Floats, x: Floats, work: Floats
) -> float:
    """Write what the objective compares, value and slopes, to ``work``; returns the share reached at the last age."""
    width = len(u)
    if kind == 0:
        _bass(width, step, u, x, work)
    elif kind == 1:
        _logistic(width, step, u, x, work)
    elif kind == 2:
        _gompertz(width, step, u, x, work)
    elif kind == 3:
        _weibull(width, log_u, x, work)
    elif kind == 4:
        _gamma_shifted_gompertz(n, width, step, u, x, work)
    elif kind == 5:
        _richards(n, width, u, x, work)
    else:
        _limiting(kind, n, width, step, u, log_u, x, work)
    reached = work[0, n - 1]
    _compared(nx, increments, n, width, work)
    return float(reached)


@compiled(IN_ORDER)
def _compared(nx: int, increments: bool, n: int, width: int, work: Floats) -> None:
    """Turn levels and slopes into what the objective compares, 0 beyond the last observation."""
    for i in range(nx + 1):
        for j in range(n, width):
            work[i, j] = 0.0
        if increments:
            for j in range(n - 1, 0, -1):
                work[i, j] -= work[i, j - 1]
