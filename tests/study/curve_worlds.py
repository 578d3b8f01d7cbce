"""Simulated series of every family, and the best that random starts find: what the studies of the fits share."""

import numpy as np
from longwave.models import curve_fit, curve_solver
from longwave.models.curves import FAMILIES

AGES = np.arange(1.0, 31.0)
LEAST = 8  # observations of a series that is cut
STARTS, TOLERANCE = 200, 1e-12
CEILING = 100.0


def truths(family, n, rng):
    """Parameters of n curves with a ceiling of 100, in the order of the family without m; a wide choice of shapes."""
    some, place = rng.uniform, rng.uniform(9, 20, n)
    if family == "bass":
        return np.exp(rng.normal(np.log(0.01), 0.7, n)), np.exp(rng.normal(np.log(0.35), 0.35, n))
    if family == "logistic":
        return np.exp(rng.normal(np.log(0.35), 0.4, n)), place
    if family == "gompertz":
        c = np.exp(rng.normal(np.log(0.2), 0.4, n))
        return np.exp(c * place), c
    if family == "weibull":
        return some(8, 22, n), np.exp(rng.normal(np.log(2.2), 0.3, n))
    if family == "richards":
        return np.exp(rng.normal(np.log(0.35), 0.4, n)), place, np.exp(some(np.log(0.2), np.log(5), n))
    b, c = np.exp(rng.normal(np.log(0.3), 0.35, n)), np.exp(some(np.log(0.3), np.log(5), n))
    return np.exp(b * some(4, 16, n)) / c, b, c


def exact(family, parameters, ages=AGES):
    """Levels (n, ages) by the textbook formulas."""
    a, b, *more = (np.asarray(value)[:, None] for value in parameters)
    t = np.asarray(ages, dtype=float)
    with np.errstate(over="ignore"):
        if family == "bass":
            decay = np.exp(-(a + b) * t)
            return CEILING * (1 - decay) / (1 + b / a * decay)
        if family == "logistic":
            return CEILING / (1 + np.exp(-a * (t - b)))
        if family == "gompertz":
            return CEILING * np.exp(-a * np.exp(-b * t))
        if family == "weibull":
            return CEILING * (1 - np.exp(-((t / a) ** b)))
        if family == "richards":
            return CEILING * (1 + more[0] * np.exp(-a * (t - b))) ** (-1 / more[0])
        return CEILING * (1 - np.exp(-b * t)) * (1 + a * np.exp(-b * t)) ** -more[0]


def worlds(family, n, rng, cut=True):
    """Levels (n, 30) with noise of 0.3 to 3 % of the ceiling; half are cut before the inflection, 8 years at least."""
    levels = exact(family, truths(family, n, rng))
    turn = 1 + np.argmax(np.diff(levels, axis=1), axis=1)
    spread = CEILING * np.exp(rng.uniform(np.log(0.003), np.log(0.03), (n, 1)))
    levels = np.clip(levels + spread * rng.standard_normal(levels.shape), 0, None)
    if cut:
        last = np.maximum(np.floor(rng.uniform(0.5, 1.0, n) * turn), LEAST)
        levels[(np.arange(n)[:, None] % 2 == 1) & (np.arange(30)[None, :] >= last[:, None])] = np.nan
    return levels


def best_of_random_starts(family, objective, levels, rng, starts=STARTS):
    """Least sum of squares (n,) that random starts find, polished by NumPy's search to rounding.

    Starts are uniform in the coordinates of the search, over the whole box that its own grid spans. Each is searched
    alone: no start knows of another, and none is given up. The limiting form is searched in the same way.
    """
    chosen = FAMILIES[family]
    codes = curve_fit.pattern_codes(np.isfinite(levels))
    order = np.argsort(codes, kind="stable")
    data, size = levels[order], np.nanmax(levels[order], axis=1)
    found = np.full(len(levels), np.inf)
    with np.errstate(all="ignore"):
        problem, *_ = curve_fit.pack(data / size[:, None], codes[order], AGES, chosen, objective == "increments")
        for shape in (chosen.shape, chosen.limit):
            grid = shape.starts.reshape(-1, len(shape.lower))
            every = np.arange(len(data))
            best, x = np.full(len(data), np.inf), np.zeros((len(data), len(shape.lower)))
            for _ in range(starts):
                start = rng.uniform(grid.min(axis=0), grid.max(axis=0), (len(data), 1, len(shape.lower)))
                end = curve_fit.search().minima(shape, problem, every, start).lowest()
                better = end.sse < best
                best[better], x[better] = end.sse[better], end.x[better]
            polished = curve_solver.minima(shape, problem, every, x[:, None]).lowest()
            found = np.fmin(found, np.fmin(best, polished.sse))
    back = np.empty(len(levels))
    back[order] = found * size**2
    return back
