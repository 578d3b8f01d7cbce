"""Simulated series of every family, and the best that random starts find: what the studies of the fits share."""

import numpy as np
from longwave.models import curve_fit
from longwave.models.curves import FAMILIES
from scipy.optimize import leastsq

AGES = np.arange(1.0, 31.0)
LEAST = 8  # observations of a series that is cut
STARTS = 200
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


def worlds(family, n, rng, cut=True, least=LEAST):
    """Levels (n, 30) with noise of 0.3 to 3 % of the ceiling; half are cut before the inflection, ``least`` years at least."""
    levels = exact(family, truths(family, n, rng))
    turn = 1 + np.argmax(np.diff(levels, axis=1), axis=1)
    spread = CEILING * np.exp(rng.uniform(np.log(0.003), np.log(0.03), (n, 1)))
    levels = np.clip(levels + spread * rng.standard_normal(levels.shape), 0, None)
    if cut:
        last = np.maximum(np.floor(rng.uniform(0.5, 1.0, n) * turn), least)
        levels[(np.arange(n)[:, None] % 2 == 1) & (np.arange(30)[None, :] >= last[:, None])] = np.nan
    return levels


def scale_free(family, objective, levels):
    """The problem of all series as the search has it, the order of its rows, and what an SSE is to be multiplied with."""
    codes = curve_fit.pattern_codes(np.isfinite(levels))
    order = np.argsort(codes, kind="stable")
    size = np.nanmax(levels[order], axis=1)
    data = levels[order] / size[:, None]
    problem, *_ = curve_fit.pack(data, codes[order], AGES, FAMILIES[family], objective == "increments")
    return problem, order, size**2


def minpack(shape, problem, row, x):
    """SSE at the end of MINPACK's Levenberg–Marquardt from ``x``, to rounding; infinite where it leaves the bounds.

    Nothing of the search under test has a part in it: factor and coordinates go together, the slopes are those of the
    NumPy formulas, which finite differences confirm.
    """
    n, rows = problem.count[problem.pattern[row]], np.array([row])
    u, y = problem.u[problem.pattern[rows]], problem.y[row, :n]

    def compared(at):
        value, slopes = shape.slopes(u, np.clip(at[None, 1:], shape.lower - 1.0, shape.upper + 1.0))
        return problem.operate(value, rows)[0, :n], problem.operate(slopes, rows)[0, :, :n]

    def residuals(at):
        return y - at[0] * compared(at)[0]

    def slopes(at):
        value, by_x = compared(at)
        return -np.vstack([value, at[0] * by_x])

    value, _ = compared(np.array([1.0, *x]))
    start = np.array([max(value @ y / (value @ value), 1e-12), *x])
    with np.errstate(all="ignore"):
        tight = {"ftol": 1e-15, "xtol": 1e-15, "gtol": 0.0, "maxfev": 400}
        at, *_ = leastsq(
            residuals, start, Dfun=slopes, col_deriv=True, full_output=True, **tight
        )  # which warns of nothing
    inside = at[0] >= 0 and (at[1:] >= shape.lower).all() and (at[1:] <= shape.upper).all()
    end = np.sum(residuals(at) ** 2)
    return end if inside and np.isfinite(end) else np.inf


def spread_starts(shape, rng, n):
    """Coordinates (n, dimensions), uniform over the whole box that the grid of the search spans."""
    grid = shape.starts.reshape(-1, len(shape.lower))
    return rng.uniform(grid.min(axis=0), grid.max(axis=0), (n, len(shape.lower)))


def best_of_random_starts(family, objective, levels, rng, starts=STARTS):
    """Least sum of squares (n,) that random starts find, the best of each series polished by MINPACK to rounding.

    Each start is searched alone: no start knows of another, and none is given up. The limiting form is searched in the
    same way.
    """
    found = np.full(len(levels), np.inf)
    with np.errstate(all="ignore"):
        problem, order, unit = scale_free(family, objective, levels)
        every = np.arange(len(levels))
        for shape in (FAMILIES[family].shape, FAMILIES[family].limit):
            best, x = np.full(len(levels), np.inf), np.zeros((len(levels), len(shape.lower)))
            for _ in range(starts):
                start = spread_starts(shape, rng, len(levels))[:, None]
                end = curve_fit.search().minima(shape, problem, every, start).lowest()
                better = end.sse < best
                best[better], x[better] = end.sse[better], end.x[better]
            polished = np.array([minpack(shape, problem, row, x[row]) for row in every])
            found = np.fmin(found, np.fmin(best, polished))
    return unsorted(found * unit, order)


def best_of_minpack(family, objective, levels, rng, starts=STARTS):
    """As ``best_of_random_starts``, every start by MINPACK alone."""
    found = np.full(len(levels), np.inf)
    with np.errstate(all="ignore"):
        problem, order, unit = scale_free(family, objective, levels)
        for row in range(len(levels)):
            for shape in (FAMILIES[family].shape, FAMILIES[family].limit):
                ends = [minpack(shape, problem, row, x) for x in spread_starts(shape, rng, starts)]
                found[row] = min(found[row], *ends)
    return unsorted(found * unit, order)


def unsorted(values, order):
    """Values in the order that their rows had at first."""
    back = np.empty(len(values))
    back[order] = values
    return back
