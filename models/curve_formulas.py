"""The formulas of ``curve_shapes`` compiled, for eight series at a time.

Belongs here: value and slopes of every shape, age by age, a series in every lane. Not here: the search over their
coordinates (``curve_kernels``), vectors (``curve_lanes``). Imported only where numba is there.

Ages that are evenly spaced make e^(−st) a geometric sequence: two exponentials an evaluation. Where they are not, or
the sequence would leave the range of doubles, every age has its own; a lane's result does not depend on its company.

``work`` is a flat array of rows of eight numbers, one a lane. With ``width`` the number of ages there is, in this
order: the value, three slopes, u and log u, ``width`` rows each; what the search needs beside; and at its end, counted
by the constants below from the row ``width`` × ``PARTS``, what a curve is made from.
"""

from __future__ import annotations

from longwave.models.curve_lanes import (
    RANGE,
    Truths,
    compiled,
    exponential,
    least,
    logarithm,
    most,
    pick,
    read,
    size,
    which,
    write,
)
from longwave.models.curve_shapes import BEYOND, SLOWLY, Floats

PARTS = 7
Y = 6  # the part that the search needs beside
AT, STEP, FIRST = 0, 3, 4  # coordinates (three rows), distance of the ages or 0, the first of them
_SMALL = 0.02  # below this 1 − e^(−h) would lose digits
_TINY = 0.01  # the same for Weibull


@compiled(inline=True)
def _series(h: Floats) -> Floats:
    """1 − e^(−h) for small h."""
    p = 1.0 - h * (1 / 8)
    p = 1.0 - h * (1 / 7) * p
    p = 1.0 - h * (1 / 6) * p
    p = 1.0 - h * (1 / 5) * p
    p = 1.0 - h * (1 / 4) * p
    p = 1.0 - h * (1 / 3) * p
    p = 1.0 - h * 0.5 * p
    return h * p


@compiled(inline=True)
def _risen(h: Floats, rest: Floats) -> Floats:
    """1 − e^(−h) to all its digits, of h and e^(−h)."""
    return pick(h < _SMALL, _series(h), 1.0 - rest)


@compiled(inline=True)
def _grown(h: Floats, grown: Floats) -> Floats:
    """e^h − 1 to all its digits, of h ≥ 0 and e^h."""
    return pick(h < _SMALL, -_series(-h), grown - 1.0)


@compiled(inline=True)
def _log_of_one_and(h: Floats) -> Floats:
    """The logarithm of 1 + h to all its digits, with what the sum loses added again."""
    v = 1.0 + h
    return logarithm(v) + (h - (v - 1.0)) / v


@compiled(inline=True)
def _unlike(step: Floats, far: Truths) -> tuple[Truths, Truths, int]:
    """Lanes whose ages are uneven; these and the ones too ``far`` for a sequence; whether there is any."""
    uneven = step <= 0.0
    return uneven, uneven | far, which(uneven | far)


@compiled()
def _bass(n: int, width: int, work: Floats) -> None:
    base = PARTS * width
    s, w = exponential(read(work, base)), exponential(read(work, base + 1))
    step, first = read(work, base + STEP), most(read(work, base + FIRST), 0.0)
    q, rest, late = exponential(-s * step), exponential(-s * first), exponential(s * w)
    gap, rise = _risen(s * step, q), _risen(s * first, rest)
    uneven, apart, slow = _unlike(step, s * w >= RANGE)
    for j in range(n):
        elapsed = most(read(work, 4 * width + j), 0.0)
        wait = rest * late
        if slow:
            each = exponential(-s * elapsed)
            rise = pick(uneven, _risen(s * elapsed, each), rise)
            wait = pick(apart, exponential(s * (w - elapsed)), wait)
        inverse = 1.0 / (rise + wait)
        steep = wait * inverse * inverse * s
        later = w * rise
        write(work, j, rise * inverse)
        write(work, width + j, steep * (elapsed - later))
        write(work, 2 * width + j, -steep * later)
        rise = rise * q + gap
        rest = rest * q


@compiled(inline=True)
def _place(k: Floats, x: Floats) -> tuple[Floats, Floats, Floats]:
    """Exponent at the last age of a place told as for the logistic, and its derivatives by log k and the place."""
    seen = x <= 0.0
    by_place = pick(seen, k, BEYOND)
    return by_place * x, pick(seen, k * x, 0.0), by_place


@compiled()
def _logistic(n: int, width: int, gompertz: bool, work: Floats) -> None:
    base = PARTS * width
    k = exponential(read(work, base))
    last, moved, by_place = _place(k, read(work, base + 1))
    step, first = read(work, base + STEP), read(work, base + FIRST)
    q, gap = exponential(-k * step), exponential(last - k * first)
    _, apart, slow = _unlike(step, size(last - k * first) >= RANGE)
    for j in range(n):
        passed = k * read(work, 4 * width + j)
        here = gap
        if slow:
            here = pick(apart, exponential(last - passed), here)
        if gompertz:
            here = least(here, RANGE)
            value = exponential(-here)
            steep = value * here
        else:
            value = 1.0 / (1.0 + here)
            steep = here * value * value
        write(work, j, value)
        write(work, width + j, steep * (passed - moved))
        write(work, 2 * width + j, -steep * by_place)
        gap = gap * q


@compiled()
def _weibull(n: int, width: int, work: Floats) -> None:
    base = PARTS * width
    place, b = read(work, base), exponential(read(work, base + 1))
    seen = place <= 0.0
    by_place = pick(seen, -b, -SLOWLY)
    last = by_place * place
    moved = pick(seen, last, 0.0)
    for j in range(n):
        grown = b * read(work, 5 * width + j)
        h = least(exponential(last + grown), RANGE)
        rest = exponential(-h)
        steep = rest * h
        write(work, j, pick(h < _TINY, _series(h), 1.0 - rest))
        write(work, width + j, steep * by_place)
        write(work, 2 * width + j, steep * (moved + grown))


@compiled()
def _gamma_shifted_gompertz(n: int, width: int, work: Floats) -> None:
    base = PARTS * width
    c = exponential(read(work, base + 2))
    s = exponential(read(work, base)) * (1.0 + 1.0 / c)
    lag, share = s * exponential(read(work, base + 1)), -1.0 / (1.0 + c)
    step, first = read(work, base + STEP), most(read(work, base + FIRST), 0.0)
    q, rest, late = exponential(-s * step), exponential(-s * first), exponential(lag)
    gap, rise, a = _risen(s * step, q), _risen(s * first, rest), _grown(lag, late)
    far = lag >= RANGE
    uneven, _, slow = _unlike(step, far)
    for j in range(n):
        elapsed = s * most(read(work, 4 * width + j), 0.0)
        if slow:
            each = exponential(-elapsed)
            rest, rise = pick(uneven, each, rest), pick(uneven, _risen(elapsed, each), rise)
        wait, more, ahead = rest * late, rest * a, lag - elapsed
        if slow:
            wait = pick(far, exponential(ahead), wait)
            more = pick(far, wait - rest, more)
        above = 1.0 + more
        inverse = c / above
        through = c * _log_of_one_and(more)
        if slow:  # where e^ahead has no double, rise is nothing beside it
            through = pick(ahead >= RANGE, c * ahead, through)
        waiting = wait * inverse
        damped = exponential(-through)
        value = rise * damped
        by_speed = damped * elapsed * rest - value * (waiting * lag - elapsed * more * inverse)
        write(work, j, value)
        write(work, width + j, by_speed)
        write(work, 2 * width + j, -value * waiting * lag)
        write(work, 3 * width + j, share * by_speed - value * through)
        rise = rise * q + gap
        rest = rest * q


@compiled()
def _richards(n: int, width: int, work: Floats) -> None:
    base = PARTS * width
    v = exponential(read(work, base + 2))
    k = exponential(read(work, base)) * (1.0 + v)
    last, moved, by_place = _place(k, read(work, base + 1))
    step, first, inverse, share = read(work, base + STEP), read(work, base + FIRST), 1.0 / v, v / (1.0 + v)
    q, gap = exponential(-k * step), exponential(last - k * first)
    _, apart, slow = _unlike(step, size(last - k * first) >= RANGE)
    for j in range(n):
        passed = k * read(work, 4 * width + j)
        here = gap
        if slow:
            here = pick(apart, exponential(last - passed), here)
        above = 1.0 + v * here
        through = _log_of_one_and(v * here)
        if slow:
            through = pick(last - passed >= RANGE, last - passed + read(work, base + 2), through)
        through = through * inverse
        turned = here / above
        value = exponential(-through)
        moving = turned * (passed - moved)
        write(work, j, value)
        write(work, width + j, value * moving)
        write(work, 2 * width + j, -value * turned * by_place)
        write(work, 3 * width + j, value * (through - turned + moving * share))
        gap = gap * q


@compiled()
def _limiting(kind: int, n: int, width: int, work: Floats) -> None:
    """The forms without a ceiling: growth (6), contagion (7), power (8), delayed growth (9)."""
    base = PARTS * width
    rate = exponential(read(work, base))
    k = exponential(read(work, base + 1)) if kind == 9 else rate
    for j in range(n):
        u = read(work, 4 * width + j)
        elapsed = most(u, 0.0)
        if kind == 8:
            grown = rate * read(work, 5 * width + j)
            value = exponential(grown)
            slope = grown * value
        elif kind == 6:
            value = exponential(rate * u)
            slope = rate * u * value
        else:
            grown, rest = exponential(k * (elapsed - 1.0)), exponential(-rate * elapsed)
            value = _risen(rate * elapsed, rest) * grown
            slope = rate * elapsed * rest * grown
            if kind == 7:
                slope = rate * (elapsed * grown - value)
            write(work, 2 * width + j, value * k * (elapsed - 1.0))
        write(work, j, value)
        write(work, width + j, slope)


@compiled()
def write_curve(kind: int, n: int, width: int, work: Floats) -> None:
    """Write value and slopes, at the first ``n`` ages, of the curves that are described in ``work``."""
    if kind == 0:
        _bass(n, width, work)
    elif kind == 1 or kind == 2:
        _logistic(n, width, kind == 2, work)
    elif kind == 3:
        _weibull(n, width, work)
    elif kind == 4:
        _gamma_shifted_gompertz(n, width, work)
    elif kind == 5:
        _richards(n, width, work)
    else:
        _limiting(kind, n, width, work)
