"""The simulated series on which intervals and estimates are judged; fixed before anything was measured on them.

Complete series: 30 yearly levels, the curve past 95 % of its ceiling of 100 at the last; errors of 0.3 to 3 % of the
ceiling, the same at all ages, independent or a stationary first-order autoregression of 0.6; what falls below 0 is 0,
since a level is never negative. Nothing else is left out: curves that begin at 0, so that half of their first errors
are cut off, are in.

Parameters are drawn so that curves look like those of media and household goods. Bass: p from 0.002 to 0.05 and q from
0.2 to 0.8 a year, around the means of 0.03 and 0.38 over 213 applications (Sultan, Farley & Lehmann 1990). The others by
years from 10 to 90 % of the ceiling, 6 to 20 (31 household durables: 13.8 for one of 1946, Van den Bulte 2000), and by
an age of the inflection that leaves room for both ends within 30 years.
"""

import numpy as np

AGES = np.arange(1.0, 31.0)
CEILING = 100.0
COMPLETE = 0.95  # of the ceiling, reached at the last age
NOISE = (0.3, 3.0)  # percent of the ceiling, log-uniform
RHOS = (0.0, 0.6)
AHEAD = (10.0, 20.0, 40.0)  # ages at which the level of the curve has an interval, too
LEVEL = 0.9
OFFSET, BOUNDS = (-4.0, 1.0), (-8.0, 3.0)  # ages of a launch that is not known, and between which it is estimated
HELD = (0.87, 0.93)  # asked of the share of intervals that hold the truth
BIAS = 2.0  # percent of the truth, asked of the mean estimate on complete series


def _log_uniform(low, high, n, rng):
    return np.exp(rng.uniform(np.log(low), np.log(high), n))


def parameters_of(family, n, rng):
    """Parameters of n curves, (parameters without m, n), in the order of the family."""
    years = _log_uniform(6, 20, n, rng)
    if family == "bass":
        return np.array([_log_uniform(0.002, 0.05, n, rng), _log_uniform(0.2, 0.8, n, rng)])
    if family == "logistic":
        return np.array([2 * np.log(9) / years, rng.uniform(6, 20, n)])
    if family == "gompertz":
        c = (np.log(-np.log(0.1)) - np.log(-np.log(0.9))) / years
        return np.array([np.exp(c * rng.uniform(4, 18, n)), c])
    if family == "weibull":
        return np.array([rng.uniform(8, 22, n), _log_uniform(1.5, 4, n, rng)])
    if family == "richards":
        v = _log_uniform(0.3, 3, n, rng)
        return np.array([np.log((0.1**-v - 1) / (0.9**-v - 1)) / years, rng.uniform(6, 20, n), v])
    b, c = _log_uniform(0.15, 0.6, n, rng), _log_uniform(0.3, 3, n, rng)
    return np.array([np.exp(b * rng.uniform(4, 16, n)) - 1, b, c])


def complete(family, n, exact, rng, moved=False):
    """n curves past 95 % of the ceiling at the last age: parameters (k, n) and exact levels (n, 30).

    With ``moved`` the launch is not at age 0, and is the last of the parameters.
    """
    drawn = parameters_of(family, 20 * n, rng)
    if moved:
        launch = rng.uniform(*OFFSET, 20 * n)
        levels = np.concatenate([shifted(family, drawn[:, [i]], launch[i], AGES, exact) for i in range(20 * n)])
        drawn = np.vstack([drawn, launch])
    else:
        levels = exact(family, drawn)
    kept = np.flatnonzero(levels[:, -1] >= COMPLETE * CEILING)[:n]
    assert len(kept) == n, f"{family}: only {len(kept)} of {20 * n} curves are complete"
    return drawn[:, kept], levels[kept]


def shifted(family, parameters, launch, ages, exact):
    """Exact levels (1, ages) of one curve that is 0 up to its launch."""
    return exact(family, parameters, np.maximum(np.asarray(ages) - launch, 0.0))


def errors(shape, rho, rng):
    """Stationary errors (series, ages), each series with a standard deviation of its own."""
    drawn = rng.standard_normal(shape)
    for j in range(1, shape[1]):
        drawn[:, j] = rho * drawn[:, j - 1] + np.sqrt(1 - rho**2) * drawn[:, j]
    return drawn * _log_uniform(*NOISE, shape[0], rng)[:, None] * CEILING / 100


def observed(levels, rho, rng):
    """What is seen of exact levels."""
    return np.clip(levels + errors(levels.shape, rho, rng), 0, None)
