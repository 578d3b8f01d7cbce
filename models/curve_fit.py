"""From checked levels to solutions: packing, the free problem, its limit, the ceiling, what is identified.

Belongs here: the steps of a fit, block by block. Not here: the interface and its checks (``curves``), the search
(``curve_solver``, ``curve_kernels``), an estimated launch (``curve_launch``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, reduce
from importlib import util
from typing import Any

import numpy as np
from longwave.models import curve_solver
from longwave.models.curve_shapes import Floats, log_age
from longwave.models.curve_solver import Booleans, Integers, Minima, Problem
from longwave.models.families import FAMILIES, Family, Shape
from numpy.typing import NDArray

INFINITE_CEILING = 1e3  # a ceiling beyond this many times the highest level is called infinite
FAR = 20.0  # times the highest level: from here on a valley is so flat that the ceiling itself is tried, too
BLOCK = {True: 131_072, False: 32_768}  # observations in memory at once, compiled or not
SHARE = 256  # rows that are worth a thread
SINGULAR = 1e-13  # smallest pivot of the scaled J'J that still counts as identified
FLAT = 1e-5  # of the series' size: a parameter that moves the curve by less is not identified
NEAR = 3.0  # times the highest level: up to here a finite ceiling is beyond doubt
ROUGH = 0.02  # of the squared highest level: beyond this sum of squares a curve explains little, and minima are many
FINE_KEPT = 12
PLENTY = 20  # observations with which the best of a coarse grid leads to the best of all
STATUSES = ("ok", "no_finite_ceiling", "on_bound", "too_few_points", "no_growth")  # by number, while a fit is made
OK, ENDLESS, ON_BOUND, TOO_FEW, NO_GROWTH = range(5)
_EVEN = 1e-12  # ages whose distances differ by less than this share of their range are evenly spaced


@cache
def compiled() -> bool:
    """Whether numba is there; its import waits until a fit is made."""
    return util.find_spec("numba") is not None


def search() -> Any:
    """The module with ``minima`` and ``information``: compiled, or NumPy's where numba is missing."""
    if not compiled():
        return curve_solver
    from longwave.models import curve_kernels

    return curve_kernels


@dataclass
class Solution:
    """Per series: coordinates x, level = factor × shape, SSE, whether in the limiting form; last age, time scale.

    ``launch`` is the age of the launch: 0 but where it was estimated.
    """

    x: Floats
    factor: Floats
    sse: Floats
    limiting: Booleans
    last: Floats
    scale: Floats
    launch: Floats

    @classmethod
    def nothing(cls, n: int, coordinates: int) -> Solution:
        """A solution of n series to none of which anything was fitted."""
        x, part = np.full((n, coordinates), np.nan), np.full(n, np.nan)
        return cls(x, part.copy(), part.copy(), np.zeros(n, np.bool_), part.copy(), part.copy(), part.copy())


@dataclass
class Fitted:
    """What a fit of n series is made of: solution, named parameters, covariance, status as a number."""

    solution: Solution
    named: Floats
    covariance: Floats
    status: NDArray[np.int8]

    @classmethod
    def nothing(cls, n: int, parameters: int, coordinates: int) -> Fitted:
        """Nothing fitted yet; every status ``ok``."""
        named = np.full((n, parameters), np.nan)
        covariance = np.full((n, parameters, parameters), np.nan)
        return cls(Solution.nothing(n, coordinates), named, covariance, np.full(n, OK, dtype=np.int8))

    def put(self, rows: Integers | slice, other: Fitted) -> None:
        """Put the fits of some rows in their places."""
        for name, values in vars(other.solution).items():
            getattr(self.solution, name)[rows] = values
        self.named[rows], self.covariance[rows], self.status[rows] = other.named, other.covariance, other.status


Fit = Callable[[Floats, Integers], Fitted]


def by_blocks(data: Floats, rows: Integers, fit: Fit, empty: Fitted, threads: int) -> Fitted:
    """Fit ``rows`` of ``data`` in blocks of bounded memory, rows of equal observed ages side by side."""
    seen = np.isfinite(data)
    codes = pattern_codes(seen if len(rows) == len(data) else seen[rows])
    order = np.argsort(codes, kind="stable")
    rows, codes = rows[order], codes[order]
    many = max(1, BLOCK[compiled()] // max(1, data.shape[1]))
    if threads > 1:  # every thread has a share, and one that is done early has another
        many = min(many, max(SHARE, -(-len(rows) // (2 * threads))))
    blocks = [slice(start, start + many) for start in range(0, len(rows), many)]

    def one(block: slice) -> None:
        places = _as_slice(rows[block])
        with np.errstate(all="ignore"):
            empty.put(places, fit(data[places], codes[block]))

    if threads > 1 and len(blocks) > 1:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(one, blocks))
    else:
        for block in blocks:
            one(block)
    return empty


def _as_slice(rows: Integers) -> Integers | slice:
    """Rows that follow each other as a slice: nothing is copied one by one, which no other thread could do meanwhile."""
    return slice(int(rows[0]), int(rows[-1]) + 1) if (np.diff(rows) == 1).all() else rows


def pattern_codes(seen: Booleans) -> Integers:
    """Equal numbers (rows,) for equal rows of ``seen``."""
    if seen.all() or not len(seen):
        return np.zeros(len(seen), dtype=np.intp)
    if seen.shape[1] <= 62:
        codes: Integers = seen @ (np.int64(1) << np.arange(seen.shape[1], dtype=np.int64))
        return codes
    _, inverse = np.unique(np.packbits(seen, axis=1), axis=0, return_inverse=True)
    return np.asarray(inverse.ravel(), dtype=np.intp)


def pack(
    data: Floats, codes: Integers, ages: Floats, family: Family, increments: bool
) -> tuple[Problem, Floats, Floats]:
    """Put observations to the left and times on the family's scale; also the last age and the scale, (rows,)."""
    _, first, pattern = np.unique(codes, return_index=True, return_inverse=True)
    seen = np.isfinite(data[first])
    count = seen.sum(axis=1)
    order = np.argsort(~seen, axis=1, kind="stable")[:, : int(count.max())]
    place = np.minimum(np.arange(order.shape[1])[None, :], count[:, None] - 1)
    order = np.take_along_axis(order, place, axis=1)
    problem, last, scale = timed(ages[order], count, pattern, family, increments)
    if len(order) > 1:
        y = np.take_along_axis(data, order[pattern], axis=1)
        y[np.arange(y.shape[1])[None, :] >= count[pattern, None]] = np.nan
    else:
        y = data if seen.all() else data[:, order[0]]
    y = np.diff(y, axis=1, prepend=0.0) if increments else y
    y = y if len(order) == 1 else np.nan_to_num(y, copy=False)
    return replace(problem, y=np.ascontiguousarray(y)), last[pattern], scale[pattern]


def timed(
    at: Floats, count: Integers, pattern: Integers, family: Family, increments: bool
) -> tuple[Problem, Floats, Floats]:
    """A problem without levels, of observed ages ``at`` (patterns, width) since the launch; last age and scale."""
    last = at[:, -1]
    scale = last if family.from_launch else last - at[:, 0]
    u = (at - (0.0 if family.from_launch else last[:, None])) / scale[:, None]
    distance = np.diff(u, axis=1)
    inside = np.arange(1, u.shape[1])[None, :] < count[:, None]
    even = (np.abs(distance - distance[:, :1]) <= _EVEN) | ~inside
    known = even.all(axis=1) & ((u[:, 0] >= 0.0) | (not family.from_launch))
    step = np.where(known, (u[:, -1] - u[:, 0]) / np.maximum(count - 1, 1), 0.0)
    log_u = log_age(u) if family.from_launch else u
    problem = Problem(u, log_u, count.astype(np.intp), step, np.empty((0, u.shape[1])), increments, pattern.ravel())
    return problem, last, scale


def fit_block(
    data: Floats, codes: Integers, ages: Floats, family: Family, increments: bool, ceiling: float | None
) -> Fitted:
    """Fit the rows of one block, the launch at age 0."""
    size = np.nanmax(data, axis=1)
    problem, last, scale = pack(data / size[:, None], codes, ages, family, increments)
    best, chosen, endless = solve(family, problem, None if ceiling is None else ceiling / size)
    return identified(family, problem, best, chosen, endless, (last, scale, size), ceiling)


def solve(family: Family, problem: Problem, ceiling: Floats | None) -> tuple[Minima, Booleans, Booleans]:
    """The best of every row; whether the ceiling, or the limiting form, was chosen; whether there is no finite m."""
    best, limit, chosen = candidates(family, problem, ceiling)
    if ceiling is not None:
        return best, chosen, np.zeros(len(chosen), dtype=np.bool_)
    limiting = or_limit(best, limit)
    return best, limiting, limiting | (best.factor > INFINITE_CEILING)


def candidates(family: Family, problem: Problem, ceiling: Floats | None) -> tuple[Minima, Minima, Booleans]:
    """The best of every row with a finite m, the best in the limiting form, and whether the ceiling chose m."""
    every = np.arange(len(problem.y))
    free = search().minima(family.shape, problem, every)
    best = free.lowest()
    if family.fine is not None:
        rows = np.flatnonzero(best.sse > ROUGH)
        finer = replace(family.shape, starts=family.fine, kept=FINE_KEPT)
        again(finer, problem, rows, best)
        # Steps lie in bent valleys, where a search with its damping anew goes on.
        again(family.shape, problem, rows, best, best.x[rows, None], afresh=True)
    # Far up in a valley the limit may lie well below what was reached, so there nothing is spared.
    bar = best.sse * np.where(best.factor > NEAR, 1e6, 1.01) + 1e-24
    limit = search().minima(family.limit, problem, every, bar=bar).lowest()
    if family.back is not None:
        rows = np.flatnonzero((limit.sse < best.sse * 1.01) | (best.factor > FAR))
        again(family.shape, problem, rows, best, family.back(limit.x[rows]))
    more_shapes(family, problem, best)
    if ceiling is not None:
        best, chosen = under_ceiling(family, problem, free, best, ceiling)
        return best, limit, chosen
    return best, limit, np.zeros(len(every), dtype=np.bool_)


def again(
    shape: Shape, problem: Problem, rows: Integers, best: Minima, starts: Floats | None = None, afresh: bool = False
) -> None:
    """Search some rows once more, and put what is found to ``best`` where it is better; ``afresh``: none is given up."""
    if rows.size:
        found = search().minima(shape, problem, rows, starts, bar=None if afresh else best.sse[rows]).lowest()
        better = found.sse < best.sse[rows]
        best.put(rows[better], found.take(better))


def more_shapes(family: Family, problem: Problem, best: Minima) -> None:
    """Search a family with four parameters from its simpler kin and from both ends of its last coordinate.

    Where there are observations enough and the minimum lies well inside, the end on its own side will do.
    """
    if family.edge is None:
        return
    low, high = family.shape.lower[-1], family.shape.upper[-1]
    open_ = (problem.count[problem.pattern] < PLENTY) | (best.factor > NEAR) | (best.sse > ROUGH)
    rows = np.flatnonzero(open_)
    for name, last, shift in family.nested:
        simple = search().minima(FAMILIES[name].shape, problem, rows).lowest().x
        starts = np.column_stack([simple[:, 0] + shift, simple[:, 1], np.full(len(rows), last)])
        again(family.shape, problem, rows, best, starts[:, None])
    middle = low + (high - low) * np.array([0.45, 0.6])
    for side, starts in enumerate(family.edge(best.x)):
        near = best.x[:, -1] < middle[0] if side == 0 else best.x[:, -1] > middle[1]
        rows = np.flatnonzero(open_ | near)
        again(family.shape, problem, rows, best, starts[rows, None])


def or_limit(best: Minima, limit: Minima) -> Booleans:
    """Put the limiting form where it is at least as good as the best with a finite ceiling, and say where."""
    limiting = limit.sse <= best.sse * (1 + 1e-9) + 1e-24
    best.x[limiting, : limit.x.shape[1]] = limit.x[limiting]
    best.factor[limiting], best.sse[limiting] = limit.factor[limiting], limit.sse[limiting]
    return limiting


def under_ceiling(
    family: Family, problem: Problem, free: Minima, best: Minima, ceiling: Floats
) -> tuple[Minima, Booleans]:
    """The best with m up to the ceiling, and whether the ceiling chose m.

    Where the free optimum lies above, or so far up that the search may have stopped on its way, the candidates are
    the free minima below the ceiling, the best with m held at the ceiling, and the minimum that is reached from there
    once m is let go.
    """
    shape, kept = family.shape, free.sse.shape[1]
    chosen = ~(best.factor <= ceiling)
    rows = np.flatnonzero(chosen | (best.factor > FAR))
    if not rows.size:
        return best, chosen
    held = held_at(family, problem, rows, best, ceiling)
    # What was given up as hopeless beside the free optimum may be the best below the ceiling.
    starts = np.concatenate([free.x[rows].reshape(-1, 1, free.x.shape[2]), held.x[:, None]])
    again = np.concatenate([np.repeat(rows, kept), rows])
    used = np.concatenate([np.isfinite(free.factor[rows]).ravel(), np.ones(len(rows), np.bool_)])
    let_go = search().minima(shape, problem, again[used], starts[used])
    let_go.sse[~(let_go.factor <= ceiling[again[used]][:, None])] = np.inf
    found = np.full(len(again), np.inf)
    found[used] = let_go.sse[:, 0]
    table = np.concatenate([found[: -len(rows)].reshape(-1, kept), found[-len(rows) :, None]], axis=1)
    column = np.argmin(table, axis=1)
    below = table[np.arange(len(rows)), column] < held.sse
    flat = np.where(column < kept, np.arange(len(rows)) * kept + column, len(rows) * kept + np.arange(len(rows)))
    inside = (np.cumsum(used) - 1)[flat[below]]
    best.put(rows, held)
    best.put(rows[below], let_go.take(inside).lowest())
    chosen[rows], chosen[rows[below]] = True, False
    return best, chosen


def held_at(family: Family, problem: Problem, rows: Integers, best: Minima, ceiling: Floats) -> Minima:
    """The best of ``rows`` with m at the ceiling, searched as widely as with m free, and from the free optimum ``best``."""
    here = np.arange(len(rows))
    part = replace(problem, y=problem.y[rows], pattern=problem.pattern[rows], ceiling=ceiling[rows])
    held: Minima = search().minima(family.shape, part, here).lowest()
    again(family.shape, part, here, held, best.x[rows, None])
    more_shapes(family, part, held)
    return held


def identified(
    family: Family,
    problem: Problem,
    best: Minima,
    chosen: Booleans,
    endless: Booleans,
    placed: tuple[Floats, Floats, Floats],
    ceiling: float | None,
) -> Fitted:
    """Name the parameters of the best, and say what the data identify; ``placed``: last age, time scale, size."""
    last, scale, size = placed
    gram = search().information(family.shape, problem, np.arange(len(size)), best.x, best.factor)
    limiting = chosen & endless
    stuck = chosen | stuck_at(family.shape, best, gram)
    status = np.where(endless, ENDLESS, np.where(stuck, ON_BOUND, OK)).astype(np.int8)
    factor = best.factor * size
    if ceiling is not None:
        factor = np.where(chosen, ceiling, np.minimum(factor, ceiling))
    named, by_x = family.natural(best.x, scale, last)
    named[limiting] = family.at_limit(best.x[limiting], scale[limiting])
    named = np.column_stack([np.where(endless, np.inf, factor), named])
    change = np.zeros((len(size), by_x.shape[1] + 1, by_x.shape[1] + 1))
    change[:, 0, 0], change[:, 1:, 1:] = size, by_x
    covariance = covariance_of(gram, best.sse, problem.count[problem.pattern] - change.shape[1], change)
    covariance[status != OK] = np.nan
    status[(status == OK) & np.isnan(covariance[:, 0, 0])] = ON_BOUND
    solution = Solution(best.x, factor, best.sse * size**2, limiting, last, scale, np.zeros(len(size)))
    return Fitted(solution, named, covariance, status)


def stuck_at(shape: Shape, best: Minima, gram: Floats) -> Booleans:
    """Whether a coordinate is at its bound or no longer moves the curve, the ceiling following it."""
    stuck = np.zeros(len(gram), dtype=np.bool_)
    for i in range(len(shape.lower)):
        x = best.x[:, i]
        across = gram[:, i + 1, i + 1] - gram[:, 0, i + 1] ** 2 / gram[:, 0, 0]
        stuck |= (x <= shape.lower[i] + 1e-6) | (x >= shape.upper[i] - 1e-6) | ~(across >= FLAT**2)
    return stuck


def covariance_of(gram: Floats, sse: Floats, freedom: Integers, change: Floats) -> Floats:
    """s² (J'J)⁻¹ of the named parameters (rows, n, n); NaN where J'J is singular or no degree of freedom is left.

    ``change`` (rows, n, n) are the derivatives of the named parameters by factor and coordinates. Entry by entry for all
    rows at once: n is at most five.
    """
    n, every = gram.shape[1], range(gram.shape[1])
    product, by = np.ascontiguousarray(gram.transpose(1, 2, 0)), np.ascontiguousarray(change.transpose(1, 2, 0))
    norms = [np.sqrt(product[i, i]) for i in every]
    root, sound = _inverse_root([[product[i, k] / (norms[i] * norms[k]) for k in range(i + 1)] for i in every])
    variance = np.where(sound & (freedom > 0), sse / np.maximum(freedom, 1), np.nan)
    by /= np.array(norms)
    half = [[sum_of(root[i][k] * by[j, k] for k in range(i + 1)) for j in every] for i in every]
    covariance = np.empty(gram.shape)
    for j in every:
        for k in range(j + 1):
            shared = variance * sum_of(half[i][j] * half[i][k] for i in range(n))
            covariance[:, j, k] = covariance[:, k, j] = shared
    return covariance


def sum_of(parts: Iterable[Floats]) -> Floats:
    """The sum of arrays, of which there is one at least."""
    return reduce(np.add, parts)


def _inverse_root(matrix: list[list[Floats]]) -> tuple[list[list[Floats]], Booleans]:
    """R with R'R the inverse of positive matrices of unit diagonal, lower triangles of (rows,); which are not singular.

    By Cholesky's factors.
    """
    lower: list[list[Floats]] = []  # L, and the inverse of L
    upper: list[list[Floats]] = []
    sound = np.ones(len(matrix[0][0]), dtype=np.bool_)
    for i, row in enumerate(matrix):
        line: list[Floats] = []
        for k in range(i):
            line.append((row[k] - sum_of([line[j] * lower[k][j] for j in range(k)] or [np.zeros(1)])) * upper[k][k])
        pivot = row[i] - sum_of([part * part for part in line] or [np.zeros(1)])
        fine = pivot > SINGULAR
        sound &= fine
        line.append(np.sqrt(np.where(fine, pivot, 1.0)))
        inverse = 1.0 / line[i]
        lower.append(line)
        upper.append([-inverse * sum_of(line[j] * upper[j][k] for j in range(k, i)) for k in range(i)] + [inverse])
    return upper, sound
