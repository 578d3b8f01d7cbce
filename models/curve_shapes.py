"""Formulas of the diffusion curves and of their forms without a ceiling: level as a share, and its slopes.

Belongs here: closed formulas on arrays, each with its source. Not here: which of them make up a family, where to start
looking (``families``), and the search (``curve_solver``, ``curve_kernels``, where the same formulas stand compiled).

A shape is written in scale-free coordinates, so that one set of bounds and starts serves every series. With T the last
observed age, u is (age − T) / S for the families that have a location of their own (S = T − first observed age) and
age / T (S = T) for those that start at the launch. Every function takes u (rows, points) and coordinates x (rows, n)
and returns the value (rows, points) and its derivatives by x (rows, n, points).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Sloped = tuple[Floats, Floats]

_LARGEST_EXPONENT = 700.0  # e^700 is still a finite double
BEYOND = 5.0  # what a place beyond the last age is multiplied with: about the usual rate, so the slope hardly jumps
SLOWLY = 2.0  # the same for Weibull
_SMALL = 0.01  # below this 1 − e^(−h) is summed as a series, which keeps its digits
_NEVER = -1e6  # the logarithm of an age at or before the launch: e^(b · −1e6) is 0 for any b searched


def bass(u: Floats, x: Floats) -> Sloped:
    """Share of the ceiling after Bass (1969), x = (log sS, log w/S); 0 up to the launch.

    With s = p + q and w = ln(1 + q/p) / s, a time that delays take-off, p = s e^(−sw) and
    F = r / (r + e^(s(w − t))), r = 1 − e^(−st): speed and place, which the data tell apart better than p and q.

    Examples:
        Sales of colour televisions in the US, 1963 to 1970, in thousands (Srinivasan & Mason 1986):

        >>> import numpy as np
        >>> from longwave.models.curves import fit_curves
        >>> sold = [747, 1480, 2646, 5118, 5777, 5982, 5962, 4631]
        >>> fits = fit_curves([np.cumsum(sold)], range(1, 9), "bass", "increments")
        >>> {name: float(f"{value[0]:.4g}") for name, value in fits.params.items()}
        {'m': 39660.0, 'p': 0.01847, 'q': 0.6159}
        >>> str(fits.status[0]), float(round(fits.predict([12])[0, 0], -2))
        ('ok', 39000.0)

    """
    speed, delay = np.exp(x[:, :1]), np.exp(x[:, 1:])
    elapsed = np.maximum(u, 0.0)
    rise = -np.expm1(-speed * elapsed)
    wait = _exp(speed * (delay - elapsed))
    below = rise + wait
    steep = wait / below / below
    by_speed = steep * speed * (elapsed - delay * rise)
    return rise / below, np.stack([by_speed, -steep * rise * speed * delay], axis=1)


def logistic(u: Floats, x: Floats) -> Sloped:
    """Share of the ceiling after Fisher and Pry (1971), x = (log kS, place of t50).

    The place y is (t50 − T) / S up to the last age T. Beyond it, the exponent k (t50 − T) is 5 y: as the ceiling goes to
    infinity the exponent follows it and leaves k alone.

    Examples:
        Sales of colour televisions in the US, 1963 to 1970, in thousands (Srinivasan & Mason 1986):

        >>> import numpy as np
        >>> from longwave.models.curves import fit_curves
        >>> sold = [747, 1480, 2646, 5118, 5777, 5982, 5962, 4631]
        >>> fits = fit_curves([np.cumsum(sold)], range(1, 9), "logistic", "increments")
        >>> {name: float(f"{value[0]:.4g}") for name, value in fits.params.items()}
        {'m': 38020.0, 'k': 0.7041, 't50': 5.508}
        >>> str(fits.status[0]), float(round(fits.predict([12])[0, 0], -2))
        ('ok', 37600.0)

    """
    k = np.exp(x[:, :1])
    last, by_rate, by_place = _exponent_at_last(k, x[:, 1:])
    rest = _exp(last - k * u)
    value = 1.0 / (1.0 + rest)
    steep = rest * value * value
    return value, np.stack([steep * (k * u - by_rate), -steep * by_place], axis=1)


def gompertz(u: Floats, x: Floats) -> Sloped:
    """Share of the ceiling after Gompertz (1825), x = (log cS, place of ln(b)/c), the place as for the logistic.

    Examples:
        Sales of colour televisions in the US, 1963 to 1970, in thousands (Srinivasan & Mason 1986):

        >>> import numpy as np
        >>> from longwave.models.curves import fit_curves
        >>> sold = [747, 1480, 2646, 5118, 5777, 5982, 5962, 4631]
        >>> fits = fit_curves([np.cumsum(sold)], range(1, 9), "gompertz", "increments")
        >>> {name: float(f"{value[0]:.4g}") for name, value in fits.params.items()}
        {'m': 47110.0, 'b': 6.542, 'c': 0.3556}
        >>> str(fits.status[0]), float(round(fits.predict([12])[0, 0], -2))
        ('ok', 43000.0)

    """
    c = np.exp(x[:, :1])
    last, by_rate, by_place = _exponent_at_last(c, x[:, 1:])
    gap = np.minimum(_exp(last - c * u), _LARGEST_EXPONENT)
    value = np.exp(-gap)
    steep = value * gap
    return value, np.stack([steep * (c * u - by_rate), -steep * by_place], axis=1)


def weibull(u: Floats, x: Floats) -> Sloped:
    """Share of the ceiling after Sharif and Islam (1980), x = (place of a, log b); 0 up to the launch.

    F = 1 − e^(−(t/a)^b). The place y is log(a/T) up to the last age T; beyond it (T/a)^b = e^(−2y), which goes to 0 as
    the ceiling goes to infinity, and leaves b alone.

    Examples:
        Sales of colour televisions in the US, 1963 to 1970, in thousands (Srinivasan & Mason 1986):

        >>> import numpy as np
        >>> from longwave.models.curves import fit_curves
        >>> sold = [747, 1480, 2646, 5118, 5777, 5982, 5962, 4631]
        >>> fits = fit_curves([np.cumsum(sold)], range(1, 9), "weibull", "increments")
        >>> {name: float(f"{value[0]:.4g}") for name, value in fits.params.items()}
        {'m': 39500.0, 'a': 6.572, 'b': 2.591}
        >>> str(fits.status[0]), float(round(fits.predict([12])[0, 0], -2))
        ('ok', 39200.0)

    """
    b = np.exp(x[:, 1:])
    seen = x[:, :1] <= 0.0
    last, logs = -np.where(seen, b, SLOWLY) * x[:, :1], log_age(u)
    h = np.minimum(_exp(last + b * logs), _LARGEST_EXPONENT)
    rest = np.exp(-h)
    value = np.where(last < np.log(_SMALL), -np.expm1(-h), 1.0 - rest)
    by_shape = np.where(seen, last, 0.0) + b * logs
    return value, np.stack([-h * rest * np.where(seen, b, SLOWLY), h * rest * by_shape], axis=1)


def gamma_shifted_gompertz(u: Floats, x: Floats) -> Sloped:
    """Share of the ceiling after Bemmaor and Lee (2002), 0 up to the launch.

    The coordinates x are (log bSc/(1 + c), log d/S, log c).
    F = (1 − e^(−bt)) (1 + a e^(−bt))^(−c) with a = e^(bd) − 1: at c = 1 it is Bass with the delay d, and as c goes to
    infinity the shifted Gompertz of Bemmaor (1994) with η = b c d.

    Examples:
        Sales of colour televisions in the US, 1963 to 1970, in thousands (Srinivasan & Mason 1986):

        >>> import numpy as np
        >>> from longwave.models.curves import fit_curves
        >>> sold = [747, 1480, 2646, 5118, 5777, 5982, 5962, 4631]
        >>> fits = fit_curves([np.cumsum(sold)], range(1, 9), "gamma_shifted_gompertz", "increments")
        >>> {name: float(f"{value[0]:.4g}") for name, value in fits.params.items()}
        {'m': 43860.0, 'a': 3.107, 'b': 0.4349, 'c': 3.014}
        >>> str(fits.status[0]), float(round(fits.predict([12])[0, 0], -2))
        ('ok', 41500.0)

    """
    c = np.exp(x[:, 2:])
    speed = np.exp(x[:, :1]) * (1.0 + 1.0 / c)
    lag = speed * np.exp(x[:, 1:2])
    elapsed = speed * np.maximum(u, 0.0)
    rest, rise = np.exp(-elapsed), -np.expm1(-elapsed)
    ahead = lag - elapsed
    early, small = ahead > 0, np.exp(-np.abs(ahead))
    above = np.where(early, 1.0 + rise * small, rise + small)
    logarithm = c * (np.maximum(ahead, 0.0) + np.log(above))
    waiting = c * np.where(early, 1.0, small) / above
    damped = np.exp(-logarithm)
    value = rise * damped
    resting = c * rest * np.where(early, small, 1.0) / above
    by_speed = damped * elapsed * rest - value * (elapsed * resting + waiting * ahead)
    by_shape = -value * logarithm - by_speed / (1.0 + c)
    return value, np.stack([by_speed, -value * waiting * lag, by_shape], axis=1)


def richards(u: Floats, x: Floats) -> Sloped:
    """Share of the ceiling after Richards (1959), x = (log kS/(1 + v), place of t50, log v).

    F = (1 + v e^(−k(t − t50)))^(−1/v); t50 is the inflection, and k / (1 + v) the relative growth there. v = 1 is the
    logistic; as v goes to 0 it is Gompertz.

    Examples:
        Sales of colour televisions in the US, 1963 to 1970, in thousands (Srinivasan & Mason 1986):

        >>> import numpy as np
        >>> from longwave.models.curves import fit_curves
        >>> sold = [747, 1480, 2646, 5118, 5777, 5982, 5962, 4631]
        >>> fits = fit_curves([np.cumsum(sold)], range(1, 9), "richards", "increments")
        >>> {name: float(f"{value[0]:.4g}") for name, value in fits.params.items()}
        {'m': 44670.0, 'k': 0.4099, 't50': 5.305, 'v': 0.1529}
        >>> str(fits.status[0]), float(round(fits.predict([12])[0, 0], -2))
        ('ok', 41900.0)

    """
    v = np.exp(x[:, 2:])
    k = np.exp(x[:, :1]) * (1.0 + v)
    last, by_rate, by_place = _exponent_at_last(k, x[:, 1:2])
    z, passed = last - k * u, k * u - by_rate
    early, small = z > 0, np.exp(-np.abs(z))
    above = np.where(early, v + small, 1.0 + v * small)
    logarithm = (np.maximum(z, 0.0) + np.log(above)) / v
    gap = np.where(early, 1.0, small) / above
    value = np.exp(-logarithm)
    by_shape = logarithm - gap + gap * passed * (v / (1.0 + v))
    return value, value[:, None, :] * np.stack([gap * passed, -gap * by_place, by_shape], axis=1)


def growth(u: Floats, x: Floats) -> Sloped:
    """Exponential growth, x = (log kS): logistic, Gompertz and Richards as the ceiling goes to infinity."""
    k = np.exp(x)
    value = np.exp(k * u)
    return value, (k * u * value)[:, None, :]


def contagion(u: Floats, x: Floats) -> Sloped:
    """Growth from nothing, (e^{qt} − 1) / e^{qT}, x = (log qS): Bass as m → ∞ with m p held."""
    q = np.exp(x)
    elapsed = np.maximum(u, 0.0)
    value = np.exp(-q) * np.expm1(q * elapsed)
    return value, (q * (elapsed * np.exp(q * (elapsed - 1.0)) - value))[:, None, :]


def power(u: Floats, x: Floats) -> Sloped:
    """A power of the age, (t/T)^b, x = (log b): Weibull as m → ∞ with m a^(−b) held."""
    exponent = np.exp(x) * log_age(u)
    value = _exp(exponent)
    return value, (exponent * value)[:, None, :]


def delayed_growth(u: Floats, x: Floats) -> Sloped:
    """(1 − e^(−bt)) e^(k(t − T)), x = (log bS, log kS): gamma/shifted Gompertz as m → ∞, with k = b c."""
    speed, k = np.exp(x[:, :1]), np.exp(x[:, 1:])
    elapsed = speed * np.maximum(u, 0.0)
    grown = np.exp(k * (np.maximum(u, 0.0) - 1.0))
    value = -np.expm1(-elapsed) * grown
    by_rate = value * k * (np.maximum(u, 0.0) - 1.0)
    return value, np.stack([elapsed * np.exp(-elapsed) * grown, by_rate], axis=1)


def _exponent_at_last(k: Floats, place: Floats) -> tuple[Floats, Floats, Floats]:
    """Give k (t50 − T) from the place of t50, and its derivatives by log k and by the place."""
    seen = place <= 0.0
    return np.where(seen, k, BEYOND) * place, np.where(seen, k * place, 0.0), np.where(seen, k, BEYOND)


def log_age(u: Floats) -> Floats:
    """Natural logarithm of the ages after the launch, and −1e6 at it or before."""
    return np.where(u > 0, np.log(np.where(u > 0, u, 1.0)), _NEVER)


def _exp(exponent: Floats) -> Floats:
    """The exponential, kept finite and above zero."""
    return np.exp(np.clip(exponent, -_LARGEST_EXPONENT, _LARGEST_EXPONENT))
