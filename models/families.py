"""Families of diffusion curves: which formula, which named parameters, where to start looking and where to stop.

Belongs here: what tells one family from another. Not here: the formulas (``curve_shapes``), how a curve is fitted
(``curves``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from longwave.models import curve_shapes
from longwave.models.curve_shapes import BEYOND, SLOWLY, Floats, Sloped

_LARGEST_EXPONENT = 700.0  # e^700 is still a finite double


@dataclass(frozen=True)
class Shape:
    """A curve up to a factor: its formula, where to start looking and where to stop.

    ``slopes(u, x)`` is the value (rows, points) and its derivatives by x (rows, n, points), ``kind`` the number of the
    same formula among the compiled ones. ``starts`` is a grid of x to look at first, (…, n), neighbours lying side by
    side along every other axis; ``lower`` and ``upper`` are the bounds of x.
    """

    kind: int
    slopes: Callable[[Floats, Floats], Sloped]
    starts: Floats
    lower: Floats
    upper: Floats
    kept: int

    def value(self, u: Floats, x: Floats) -> Floats:
        """The curve alone, (rows, points)."""
        return self.slopes(u, x)[0]


@dataclass(frozen=True)
class Family:
    """A family of curves m F(t): names of its parameters, its shape, and its form as m goes to infinity.

    ``natural(x, scale, last)`` gives the named parameters other than m (rows, n) and their derivatives by x
    (rows, n, n); ``at_limit(x, scale)`` the same parameters (rows, n) where the ceiling is infinite, from the
    coordinates of the limiting form. ``back(x)``, where there is one, gives starts (rows, starts, n) of curves that grow
    as the limiting form at ``x`` does until they bend at about the last age: minima that a search overlooks on its
    way to infinity. ``by_age(slopes, x)``: t ∂F/∂t (rows, points) from the slopes by x, for the families whose launch
    may be estimated. ``edge(x)`` gives starts (rows, n) at both bounds of the last coordinate, the lower first: the valleys
    towards simpler families are long and bent. ``fine`` is a finer grid, for series of which a curve explains little:
    minima that are steps between two observations have narrow basins. ``nested`` names simpler families whose curves
    are of this one too: the last coordinate there, and what is to be added to the first.
    """

    name: str
    parameters: tuple[str, ...]
    from_launch: bool
    shape: Shape
    limit: Shape
    natural: Callable[[Floats, Floats, Floats], Sloped]
    at_limit: Callable[[Floats, Floats], Floats]
    back: Callable[[Floats], Floats] | None = None
    by_age: Callable[[Floats, Floats], Floats] | None = None
    edge: Callable[[Floats], tuple[Floats, ...]] | None = None
    fine: Floats | None = None
    nested: tuple[tuple[str, float, float], ...] = ()


def bass_natural(x: Floats, scale: Floats, last: Floats) -> Sloped:
    """Give p and q (1/year), and their derivatives by (log sS, log w/S)."""
    del last  # they are counted from the launch
    speed = np.exp(x[:, 0]) / scale
    ratio = np.exp(x.sum(axis=1))  # s w = ln(1 + q/p)
    p, q = speed * np.exp(-ratio), -speed * np.expm1(-ratio)
    by_x = np.stack([p * (1 - ratio), -p * ratio, q + p * ratio, p * ratio], axis=1)
    return np.stack([p, q], axis=1), by_x.reshape(-1, 2, 2)


def logistic_natural(x: Floats, scale: Floats, last: Floats) -> Sloped:
    """Give k (1/year) and t50 (age in years), and their derivatives by (log kS, place of t50)."""
    k = np.exp(x[:, 0]) / scale
    t50, by_rate, by_place = _turn(k, x[:, 1], scale, last)
    return np.stack([k, t50], axis=1), np.stack([k, 0 * k, by_rate, by_place], axis=1).reshape(-1, 2, 2)


def gompertz_natural(x: Floats, scale: Floats, last: Floats) -> Sloped:
    """Give b (a pure number) and c (1/year), and their derivatives by (log cS, place of ln(b)/c)."""
    c = np.exp(x[:, 0]) / scale
    turn, by_rate, by_place = _turn(c, x[:, 1], scale, last)
    b = np.exp(np.clip(c * turn, -_LARGEST_EXPONENT, _LARGEST_EXPONENT))
    by_x = np.stack([b * c * (turn + by_rate), b * c * by_place, c, 0 * c], axis=1)
    return np.stack([b, c], axis=1), by_x.reshape(-1, 2, 2)


def _turn(k: Floats, place: Floats, scale: Floats, last: Floats) -> tuple[Floats, Floats, Floats]:
    """Age at a place told as for the logistic, and its derivatives by log k and by the place."""
    seen = place <= 0.0
    far = BEYOND * place / k
    return (
        last + np.where(seen, scale * place, far),
        np.where(seen, 0.0, -far),
        np.where(seen, scale, BEYOND / k),
    )


def weibull_natural(x: Floats, scale: Floats, last: Floats) -> Sloped:
    """Give a (years) and b (a pure number), and their derivatives by (place of a, log b)."""
    del last
    b, seen = np.exp(x[:, 1]), x[:, 0] <= 0.0
    stretch = np.where(seen, 1.0, SLOWLY / b)
    a = scale * np.exp(np.minimum(stretch * x[:, 0], _LARGEST_EXPONENT))
    by_x = np.stack([a * stretch, np.where(seen, 0.0, -a * stretch * x[:, 0]), 0 * b, b], axis=1)
    return np.stack([a, b], axis=1), by_x.reshape(-1, 2, 2)


def gamma_shifted_gompertz_natural(x: Floats, scale: Floats, last: Floats) -> Sloped:
    """Give a (a pure number), b (1/year) and c (a pure number), and their derivatives by x."""
    del last
    c = np.exp(x[:, 2])
    b = np.exp(x[:, 0]) * (1 + 1 / c)
    lag = np.minimum(b * np.exp(x[:, 1]), _LARGEST_EXPONENT)
    steep, b, share = np.exp(lag) * lag, b / scale, 1 / (1 + c)
    rows = [[steep, steep, -steep * share], [b, 0 * b, -b * share], [0 * c, 0 * c, c]]
    by_x: Floats = np.moveaxis(np.array(rows), 2, 0)
    return np.stack([np.expm1(lag), b, c], axis=1), by_x


def richards_natural(x: Floats, scale: Floats, last: Floats) -> Sloped:
    """Give k (1/year), t50 (age in years) and v (a pure number), and their derivatives by x."""
    v = np.exp(x[:, 2])
    k = np.exp(x[:, 0]) * (1 + v) / scale
    t50, by_rate, by_place = _turn(k, x[:, 1], scale, last)
    by_x = np.zeros((x.shape[0], 3, 3))
    by_x[:, 0, 0], by_x[:, 0, 2], by_x[:, 2, 2] = k, k * v / (1 + v), v
    by_x[:, 1, 0], by_x[:, 1, 1], by_x[:, 1, 2] = by_rate, by_place, by_rate * v / (1 + v)
    return np.stack([k, t50, v], axis=1), by_x


def _first_less_second(slopes: Floats, x: Floats) -> Floats:
    """Give t ∂F/∂t of a curve of (speed × age, speed × delay, …)."""
    del x
    return np.asarray(slopes[:, 0] - slopes[:, 1], dtype=np.float64)


def _weibull_by_age(slopes: Floats, x: Floats) -> Floats:
    b = np.exp(x[:, 1])
    return np.asarray(-slopes[:, 0] * np.where(x[:, 0] <= 0.0, 1.0, b / SLOWLY)[:, None], dtype=np.float64)


_C_BOUND = (np.log(1e-3), np.log(1e4))
_V_BOUND = (np.log(1e-3), np.log(1e2))


def delayed_edge(x: Floats) -> tuple[Floats, ...]:
    """From small c a bend within a year; from large c the shifted Gompertz, with c d as it is."""
    low, high = x.copy(), x.copy()
    low[:, 2], high[:, 2] = _C_BOUND
    high[:, 1] -= high[:, 2] - np.maximum(x[:, 2], 0.0)
    return low, high


def richards_edge(x: Floats) -> tuple[Floats, ...]:
    """Gompertz from small v; from large v a bend within a year, at the last age at the latest."""
    low, high = x.copy(), x.copy()
    low[:, 2], high[:, 2] = _V_BOUND
    high[:, 1] = np.minimum(x[:, 1], -0.02)
    return low, high


def delayed_back(limit: Floats) -> Floats:
    """Gamma/shifted Gompertz with early growth b c as in its limiting form, and a bend at about the last age."""
    delays, c = (axis.ravel() for axis in np.meshgrid([0.93, 1.0, 1.08, 1.25], [0.03, 0.1, 0.3, 0.7]))
    rate = limit[:, 1, None] - np.log1p(c)
    return np.asarray(np.stack(np.broadcast_arrays(rate, np.log(delays), np.log(c)), axis=2), dtype=np.float64)


def richards_back(limit: Floats) -> Floats:
    """Richards with early growth k / v as in exponential growth, and a bend at about the last age."""
    places, v = (axis.ravel() for axis in np.meshgrid([-0.05, 0.0, 0.03, 0.1], [1.5, 4.0, 15.0, 60.0]))
    rate = limit[:, :1] + np.log(v / (1 + v))
    return np.asarray(np.stack(np.broadcast_arrays(rate, places, np.log(v)), axis=2), dtype=np.float64)


def _columns(*columns: Floats | float) -> Floats:
    return np.stack(np.broadcast_arrays(*columns), axis=1).astype(np.float64)


def _grid(*axes: Floats) -> Floats:
    """All combinations of the coordinates, (len, len, …, n)."""
    return np.ascontiguousarray(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1))


def _shape(
    kind: int, slopes: Callable[[Floats, Floats], Sloped], starts: Floats, *bounds: tuple[float, float]
) -> Shape:
    lower, upper = np.array(bounds).T
    kept = (2, 4, 6)[len(lower) - 1]  # the more coordinates, the more of the minima mislead
    return Shape(kind, slopes, starts, np.ascontiguousarray(lower), np.ascontiguousarray(upper), kept)


def _logs(*numbers: float) -> Floats:
    return np.asarray(np.log(np.array(numbers)))


# Delays and places of the inflection, dense where there are observations.
_DELAYS = _logs(1e-3, 0.02, *np.linspace(0.07, 1.1, 17), 1.4, 2.2, 5.0, 20.0, 200.0)
_PLACES = np.concatenate([[-2.0, -1.4], np.linspace(-1.1, 0.1, 19), [0.2, 0.5, 1.2, 3.0, 8.0]])
_FEW_DELAYS = _logs(0.003, 0.08, 0.25, 0.45, 0.6, 0.75, 0.87, 0.97, 1.07, 1.2, 1.6, 4.0, 30.0)
_FEW_PLACES = np.concatenate([[-1.5], np.linspace(-1.05, 0.15, 10), [0.4, 1.2, 4.0]])
_SHAPES = np.log(np.geomspace(0.15, 40.0, 15))
_RATES = np.log(np.geomspace(0.01, 100.0, 48))
_RATE_BOUND = (np.log(1e-6), np.log(500.0))
_SIGMOID_BOUNDS = ((np.log(1e-4), np.log(1e4)), (-1e3, 60.0))
_LAUNCH_BOUNDS = ((np.log(1e-8), np.log(1e4)), (np.log(1e-10), np.log(1e8)))


def _delayed_grid(speeds: Floats, delays: Floats, shapes: Floats) -> Floats:
    """Speeds by delays by c; beyond c = 1 the delay is told by c d, which has a limit there."""
    grid = _grid(speeds, delays, shapes)
    grid[..., 1] -= np.maximum(grid[..., 2], 0.0)
    return grid


_SIGMOID_GRID = _grid(np.log(np.geomspace(0.1, 150.0, 12)), _PLACES)
_FINE_PLACES = np.linspace(-1.1, 0.1, 73)
_FINE_SIGMOIDS = _grid(np.log(np.geomspace(0.5, 1500.0, 18)), _FINE_PLACES)
_GROWTH = _shape(6, curve_shapes.growth, _grid(_RATES), _RATE_BOUND)

FAMILIES: dict[str, Family] = {
    "bass": Family(
        name="bass",
        parameters=("m", "p", "q"),
        from_launch=True,
        shape=_shape(0, curve_shapes.bass, _grid(np.log(np.geomspace(0.05, 150.0, 12)), _DELAYS), *_LAUNCH_BOUNDS),
        limit=_shape(7, curve_shapes.contagion, _grid(_RATES), _RATE_BOUND),
        natural=bass_natural,
        at_limit=lambda x, scale: _columns(0.0, np.exp(x[:, 0]) / scale),
        fine=_grid(np.log(np.geomspace(0.5, 1500.0, 18)), np.log(np.linspace(0.02, 1.15, 69))),
        by_age=_first_less_second,
    ),
    "logistic": Family(
        name="logistic",
        parameters=("m", "k", "t50"),
        from_launch=False,
        shape=_shape(1, curve_shapes.logistic, _SIGMOID_GRID, *_SIGMOID_BOUNDS),
        limit=_GROWTH,
        natural=logistic_natural,
        at_limit=lambda x, scale: _columns(np.exp(x[:, 0]) / scale, np.inf),
        fine=_FINE_SIGMOIDS,
    ),
    "gompertz": Family(
        name="gompertz",
        parameters=("m", "b", "c"),
        from_launch=False,
        shape=_shape(2, curve_shapes.gompertz, _SIGMOID_GRID, *_SIGMOID_BOUNDS),
        limit=_GROWTH,
        natural=gompertz_natural,
        at_limit=lambda x, _: _columns(np.full(len(x), np.inf), 0.0),
        fine=_FINE_SIGMOIDS,
    ),
    "gamma_shifted_gompertz": Family(
        name="gamma_shifted_gompertz",
        parameters=("m", "a", "b", "c"),
        from_launch=True,
        shape=_shape(
            4,
            curve_shapes.gamma_shifted_gompertz,
            _delayed_grid(np.log(np.geomspace(0.1, 60.0, 9)), _FEW_DELAYS, _logs(0.02, 0.07, 0.2, 0.7, 3.0, 40.0)),
            *_LAUNCH_BOUNDS,
            _C_BOUND,
        ),
        limit=_shape(
            9,
            curve_shapes.delayed_growth,
            _grid(np.log(np.geomspace(0.02, 100.0, 10)), np.log(np.geomspace(0.05, 50.0, 12))),
            (np.log(1e-6), np.log(1e4)),
            _RATE_BOUND,
        ),
        natural=gamma_shifted_gompertz_natural,
        at_limit=lambda x, scale: _columns(np.inf, np.exp(x[:, 0]) / scale, np.exp(x[:, 1] - x[:, 0])),
        back=delayed_back,
        edge=delayed_edge,
        nested=(("bass", 0.0, -np.log(2.0)),),
        by_age=_first_less_second,
    ),
    "weibull": Family(
        name="weibull",
        parameters=("m", "a", "b"),
        from_launch=True,
        shape=_shape(
            3,
            curve_shapes.weibull,
            _grid(np.concatenate([np.log(np.linspace(0.05, 1.0, 14)), _logs(1.2, 1.5, 2.2, 5.0, 30.0)]), _SHAPES),
            (-20.0, 30.0),
            (np.log(1e-3), np.log(1e3)),
        ),
        limit=_shape(8, curve_shapes.power, _grid(_RATES), (np.log(1e-6), np.log(1e3))),
        natural=weibull_natural,
        at_limit=lambda x, _: _columns(np.full(len(x), np.inf), np.exp(x[:, 0])),
        fine=_grid(np.log(np.linspace(0.02, 1.15, 69)), np.log(np.geomspace(0.15, 500.0, 20))),
        by_age=_weibull_by_age,
    ),
    "richards": Family(
        name="richards",
        parameters=("m", "k", "t50", "v"),
        from_launch=False,
        shape=_shape(
            5,
            curve_shapes.richards,
            _grid(np.log(np.geomspace(0.1, 60.0, 8)), _FEW_PLACES, _logs(0.003, 0.2, 1.5, 10.0, 100.0)),
            (np.log(1e-4), np.log(1e3)),
            _SIGMOID_BOUNDS[1],
            _V_BOUND,
        ),
        limit=_GROWTH,
        natural=richards_natural,
        at_limit=lambda x, _: _columns(np.full(len(x), np.nan), np.inf, np.nan),
        back=richards_back,
        edge=richards_edge,
        nested=(("gompertz", _V_BOUND[0], 0.0), ("logistic", 0.0, -np.log(2.0))),
    ),
}
