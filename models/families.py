"""Families of diffusion curves: the level as a share of its ceiling, slopes, starts and limiting forms.

Belongs here: what tells one family from another, on arrays. Not here: how a curve is fitted (``curves``).

A family is written in scale-free coordinates, so that one set of bounds and starts serves every series.
With T the last observed age, u is (age − T) / S for the families that have a location of their own
(S = T − first observed age) and age / T (S = T) for those that start at the launch. Every shape function
takes u (rows, points) and coordinates x (rows, n) and returns (rows, points); slopes are (rows, n, points).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Floats = NDArray[np.float64]

_LARGEST_EXPONENT = 700.0  # e^700 is still a finite double


@dataclass(frozen=True)
class Shape:
    """A curve up to a factor: its value, its slopes, where to start looking and where to stop.

    ``value(u, x)`` is (rows, points); ``slopes(u, x)`` is that and its derivatives by x (rows, n, points).
    ``starts`` is a grid of x to look at first, (…, n), neighbours lying side by side along every other
    axis; ``lower`` and ``upper`` are the bounds of x.
    """

    value: Callable[[Floats, Floats], Floats]
    slopes: Callable[[Floats, Floats], tuple[Floats, Floats]]
    starts: Floats
    lower: Floats
    upper: Floats


@dataclass(frozen=True)
class Family:
    """A family of curves m F(t): names of its parameters, its shape, and its form as m goes to infinity.

    ``natural(x, scale, last)`` gives the named parameters other than m (rows, n) and their derivatives
    by x (rows, n, n); ``at_limit(rate)`` the same parameters (rows, n) where the ceiling is infinite.
    """

    name: str
    parameters: tuple[str, ...]
    from_launch: bool
    shape: Shape
    limit: Shape
    natural: Callable[[Floats, Floats, Floats], tuple[Floats, Floats]]
    at_limit: Callable[[Floats], Floats]


def bass_value(u: Floats, x: Floats) -> Floats:
    """Share of the ceiling after Bass (1969), x = (log sS, log w/S); 0 up to the launch.

    With s = p + q and w = ln(1 + q/p) / s, a time that delays take-off, p = s e^(−sw) and
    F = r / (r + e^(s(w − t))), r = 1 − e^(−st): speed and place, which the data tell apart better than p and q.
    """
    speed, delay = np.exp(x[:, :1]), np.exp(x[:, 1:])
    elapsed = np.maximum(u, 0.0)
    rise = -np.expm1(-speed * elapsed)
    return np.asarray(rise / (rise + _exp(speed * (delay - elapsed))))


def bass_slopes(u: Floats, x: Floats) -> tuple[Floats, Floats]:
    """:func:`bass_value` and its derivatives by (log sS, log w/S)."""
    speed, delay = np.exp(x[:, :1]), np.exp(x[:, 1:])
    elapsed = np.maximum(u, 0.0)
    rise = -np.expm1(-speed * elapsed)
    wait = _exp(speed * (delay - elapsed))
    below = rise + wait
    value, open_share = rise / below, wait / below
    slopes = np.empty((u.shape[0], 2, u.shape[1]))
    slopes[:, 0] = open_share * elapsed * (1.0 - rise) / below - value * open_share * (delay - elapsed)
    slopes[:, 0] *= speed
    slopes[:, 1] = -value * open_share * speed * delay
    return value, slopes


def logistic_value(u: Floats, x: Floats) -> Floats:
    """Share of the ceiling after Fisher and Pry (1971), x = (log kS, (t50 − T) / S)."""
    return np.asarray(expit(np.exp(x[:, :1]) * (u - x[:, 1:])))


def logistic_slopes(u: Floats, x: Floats) -> tuple[Floats, Floats]:
    """:func:`logistic_value` and its derivatives by (log kS, (t50 − T) / S)."""
    k = np.exp(x[:, :1])
    z = k * (u - x[:, 1:])
    value = np.asarray(expit(z))
    steep = value * expit(-z)
    return value, np.stack([steep * z, -steep * k], axis=1)


def gompertz_value(u: Floats, x: Floats) -> Floats:
    """Share of the ceiling after Gompertz (1825), x = (log cS, (ln(b)/c − T) / S)."""
    z = np.minimum(-np.exp(x[:, :1]) * (u - x[:, 1:]), _LARGEST_EXPONENT)
    return np.exp(-np.exp(z))


def gompertz_slopes(u: Floats, x: Floats) -> tuple[Floats, Floats]:
    """:func:`gompertz_value` and its derivatives by (log cS, (ln(b)/c − T) / S)."""
    c = np.exp(x[:, :1])
    z = np.minimum(-c * (u - x[:, 1:]), _LARGEST_EXPONENT)
    gap = np.exp(z)
    value = np.exp(-gap)
    steep = value * gap
    return value, np.stack([-steep * z, -steep * c], axis=1)


def growth_value(u: Floats, x: Floats) -> Floats:
    """Exponential growth, x = (log kS): logistic and Gompertz as the ceiling goes to infinity."""
    return np.exp(np.exp(x) * u)


def growth_slopes(u: Floats, x: Floats) -> tuple[Floats, Floats]:
    """:func:`growth_value` and its derivative by log kS."""
    k = np.exp(x)
    value = np.exp(k * u)
    return value, (k * u * value)[:, None, :]


def contagion_value(u: Floats, x: Floats) -> Floats:
    """Growth from nothing, (e^{qt} − 1) / e^{qT}, x = (log qS): Bass as m → ∞ with m p held."""
    q = np.exp(x)
    return np.asarray(np.exp(-q) * np.expm1(q * np.maximum(u, 0.0)))


def contagion_slopes(u: Floats, x: Floats) -> tuple[Floats, Floats]:
    """:func:`contagion_value` and its derivative by log qS."""
    q = np.exp(x)
    elapsed = np.maximum(u, 0.0)
    value = np.exp(-q) * np.expm1(q * elapsed)
    return value, (q * (elapsed * np.exp(q * (elapsed - 1.0)) - value))[:, None, :]


def bass_natural(x: Floats, scale: Floats, last: Floats) -> tuple[Floats, Floats]:
    """Give p and q (1/year), and their derivatives by (log sS, log w/S)."""
    del last  # they are counted from the launch
    speed = np.exp(x[:, 0]) / scale
    ratio = np.exp(x.sum(axis=1))  # s w = ln(1 + q/p)
    p, q = speed * np.exp(-ratio), -speed * np.expm1(-ratio)
    by_x = np.stack([p * (1 - ratio), -p * ratio, q + p * ratio, p * ratio], axis=1)
    return np.stack([p, q], axis=1), by_x.reshape(-1, 2, 2)


def logistic_natural(x: Floats, scale: Floats, last: Floats) -> tuple[Floats, Floats]:
    """Give k (1/year) and t50 (age in years), and their derivatives by (log kS, (t50 − T) / S)."""
    k = np.exp(x[:, 0]) / scale
    by_x = np.zeros((x.shape[0], 2, 2))
    by_x[:, 0, 0], by_x[:, 1, 1] = k, scale
    return np.stack([k, last + scale * x[:, 1]], axis=1), by_x


def gompertz_natural(x: Floats, scale: Floats, last: Floats) -> tuple[Floats, Floats]:
    """Give b (a pure number) and c (1/year), and their derivatives by (log cS, (ln(b)/c − T) / S)."""
    c = np.exp(x[:, 0]) / scale
    turn = last + scale * x[:, 1]
    b = np.exp(np.clip(c * turn, -_LARGEST_EXPONENT, _LARGEST_EXPONENT))
    by_x = np.zeros((x.shape[0], 2, 2))
    by_x[:, 0, 0], by_x[:, 0, 1], by_x[:, 1, 0] = b * c * turn, b * c * scale, c
    return np.stack([b, c], axis=1), by_x


def _columns(*columns: Floats | float) -> Floats:
    return np.stack(np.broadcast_arrays(*columns), axis=1).astype(np.float64)


def _exp(exponent: Floats) -> Floats:
    """The exponential, kept finite and above zero."""
    return np.exp(np.clip(exponent, -_LARGEST_EXPONENT, _LARGEST_EXPONENT))


def _bass_starts() -> Floats:
    """Grid over speed and delay, dense where there are observations."""
    speeds = np.log(np.geomspace(0.05, 150.0, 16))
    delays = [1e-4, 1e-3, 0.01, 0.03, *np.linspace(0.06, 1.1, 27), 1.3, 1.7, 2.5, 5.0, 15.0, 60.0, 300.0]
    return np.stack(np.meshgrid(speeds, np.log(delays), indexing="ij"), axis=-1)


def _sigmoid_starts() -> Floats:
    """Grid over rate and place of the inflection, dense where there are observations."""
    rates = np.log(np.geomspace(0.1, 150.0, 15))
    places = np.concatenate([[-2.0, -1.4], np.linspace(-1.1, 0.1, 31), [0.2, 0.5, 1.2, 3.0, 8.0]])
    return np.stack(np.meshgrid(rates, places, indexing="ij"), axis=-1)


_SIGMOID_BOUNDS = (np.array([np.log(1e-4), -1e3]), np.array([np.log(1e4), 1e5]))
_RATES = np.log(np.geomspace(0.01, 100.0, 25))[:, None]
_RATE_BOUNDS = (np.array([np.log(1e-6)]), np.array([np.log(500.0)]))
_GROWTH = Shape(growth_value, growth_slopes, _RATES, *_RATE_BOUNDS)

FAMILIES: dict[str, Family] = {
    "bass": Family(
        name="bass",
        parameters=("m", "p", "q"),
        from_launch=True,
        shape=Shape(
            bass_value,
            bass_slopes,
            _bass_starts(),
            np.array([np.log(1e-8), np.log(1e-10)]),
            np.array([np.log(1e4), np.log(1e8)]),
        ),
        limit=Shape(contagion_value, contagion_slopes, _RATES, *_RATE_BOUNDS),
        natural=bass_natural,
        at_limit=lambda rate: _columns(0.0, rate),
    ),
    "logistic": Family(
        name="logistic",
        parameters=("m", "k", "t50"),
        from_launch=False,
        shape=Shape(logistic_value, logistic_slopes, _sigmoid_starts(), *_SIGMOID_BOUNDS),
        limit=_GROWTH,
        natural=logistic_natural,
        at_limit=lambda rate: _columns(rate, np.inf),
    ),
    "gompertz": Family(
        name="gompertz",
        parameters=("m", "b", "c"),
        from_launch=False,
        shape=Shape(gompertz_value, gompertz_slopes, _sigmoid_starts(), *_SIGMOID_BOUNDS),
        limit=_GROWTH,
        natural=gompertz_natural,
        at_limit=lambda rate: _columns(np.full_like(rate, np.inf), 0.0),
    ),
}
