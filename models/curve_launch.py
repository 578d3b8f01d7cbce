"""A launch that is not known: estimated between bounds, with the curve that starts there.

Belongs here: the search over launches, and what it adds to the covariance. Not here: the fit at a given launch
(``curve_fit``).

The sum of squares has a kink wherever the launch passes an observation, so it is not searched by slopes: the fit is
made at equally spaced launches, and around the best of them the launch is closed in by golden sections, each polishing
the curve from where it stood.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from longwave.models.curve_fit import (
    ENDLESS,
    INFINITE_CEILING,
    OK,
    ON_BOUND,
    Fitted,
    Solution,
    candidates,
    covariance_of,
    or_limit,
    pack,
    search,
    stuck_at,
    timed,
)
from longwave.models.curve_shapes import Floats
from longwave.models.curve_solver import Booleans, Integers, Minima, Problem
from longwave.models.families import Family, Shape

LAUNCHES = 17
SECTIONS = 36  # 0.618 to this power is 3e-8
AT_BOUND = 1e-6  # of the distance between the bounds
GOLDEN = (np.sqrt(5.0) - 1.0) / 2.0


def fit_block(
    data: Floats,
    codes: Integers,
    ages: Floats,
    family: Family,
    increments: bool,
    ceiling: float | None,
    launch: tuple[float, float],
) -> Fitted:
    """Fit the rows of one block, the launch between two ages, and before the third observation of a row."""
    size = np.nanmax(data, axis=1)
    levels, m = data / size[:, None], None if ceiling is None else ceiling / size
    latest = np.minimum(launch[1], _third(data, ages))
    tried, every = np.linspace(*launch, LAUNCHES), []
    for start in tried:
        problem, *_ = pack(levels, codes, ages - start, family, increments)
        found = candidates(family, problem, m)[:2]
        for one in found:
            one.sse[~(start < latest)] = np.inf
        every.append(found)
    problem, *_ = pack(levels, codes, ages, family, increments)
    task = _Launched(family.shape, family, problem, data, ages, m)
    start, best = _closest(task, tried, latest, [found for found, _ in every])
    limiting = np.zeros(len(data), np.bool_)
    if m is None:
        # A curve without a finite ceiling has a launch of its own.
        since, limit = _closest(replace(task, shape=family.limit), tried, latest, [found for _, found in every])
        limiting = or_limit(best, limit)
        start = np.where(limiting, since, start)
    return _identified(task, start, best, limiting, (size, latest), launch, ceiling)


def _closest(task: _Launched, tried: Floats, latest: Floats, every: list[Minima]) -> tuple[Floats, Minima]:
    """The best launch of every row and its curve, closed in around the best of those ``tried``."""
    sse = np.stack([found.sse for found in every], axis=1)
    at, rows = np.argmin(sse, axis=1), np.arange(len(sse))
    best = Minima(
        *(np.stack(parts, axis=1)[rows, at] for parts in zip(*(vars(f).values() for f in every), strict=True))
    )
    low, high = tried[np.maximum(at - 1, 0)], np.minimum(tried[np.minimum(at + 1, LAUNCHES - 1)], latest)
    return _close_in(task, low, high, tried[at], best)


def _third(data: Floats, ages: Floats) -> Floats:
    """Age at the third observation, (rows,)."""
    seen = np.cumsum(np.isfinite(data), axis=1) >= 3
    return np.asarray(ages[np.argmax(seen, axis=1)])


@dataclass(frozen=True)
class _Launched:
    """The problem of each row at a launch of its own, in a shape: that of the family, or its limiting form."""

    shape: Shape
    family: Family
    problem: Problem
    data: Floats
    ages: Floats
    ceiling: Floats | None

    @cached_property
    def at(self) -> Floats:
        """Observed ages, to the left, (rows, width)."""
        order = np.argsort(~np.isfinite(self.data), axis=1, kind="stable")
        place = np.minimum(np.arange(self.problem.u.shape[1])[None, :], self.count[:, None] - 1)
        return np.asarray(self.ages[np.take_along_axis(order, place, axis=1)])

    @cached_property
    def count(self) -> Integers:
        """Observations of each row."""
        return np.asarray(np.isfinite(self.data).sum(axis=1))

    @cached_property
    def every(self) -> Integers:
        """The numbers of all rows."""
        return np.arange(len(self.data))

    def at_launch(self, start: Floats) -> tuple[Problem, Floats, Floats]:
        """Problem, age at the last observation since the launch, and time scale."""
        since = self.at - start[:, None]
        problem, last, scale = timed(since, self.count, self.every, self.family, self.problem.increments)
        return replace(problem, y=self.problem.y), last, scale

    def polish(self, start: Floats, x: Floats) -> Minima:
        """The minimum near ``x`` at a launch; with m at the ceiling where it would be above."""
        problem, *_ = self.at_launch(start)
        found: Minima = search().minima(self.shape, problem, self.every, x[:, None]).lowest()
        if self.ceiling is not None:
            rows = np.flatnonzero(~(found.factor <= self.ceiling))
            held = search().minima(self.shape, replace(problem, ceiling=self.ceiling), rows, x[rows, None])
            found.put(rows, held.lowest())
        return found


def _close_in(task: _Launched, low: Floats, high: Floats, at: Floats, best: Minima) -> tuple[Floats, Minima]:
    """Golden sections between ``low`` and ``high``, and the best launch seen."""
    at, best = at.copy(), Minima(*(part.copy() for part in vars(best).values()))

    def tried(start: Floats) -> Floats:
        found = task.polish(start, best.x)
        better = found.sse < best.sse
        at[better] = start[better]
        best.put(np.flatnonzero(better), found.take(better))
        return found.sse

    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    f_left, f_right = tried(left), tried(right)
    for _ in range(SECTIONS):
        lower = f_left < f_right
        high, low = np.where(lower, right, high), np.where(lower, low, left)
        inner = np.where(lower, high - GOLDEN * (high - low), low + GOLDEN * (high - low))
        f_inner = tried(inner)
        left, right = np.where(lower, inner, right), np.where(lower, left, inner)
        f_left, f_right = np.where(lower, f_inner, f_right), np.where(lower, f_left, f_inner)
    return at, best


def _identified(
    task: _Launched,
    start: Floats,
    best: Minima,
    limiting: Booleans,
    placed: tuple[Floats, Floats],
    launch: tuple[float, float],
    ceiling: float | None,
) -> Fitted:
    """Name the parameters, the launch among them, and say what the data identify; ``placed``: size, latest launch."""
    (size, latest), family = placed, task.family
    problem, last, scale = task.at_launch(start)
    gram = _information(family, problem, best, scale)
    endless = limiting | (best.factor > INFINITE_CEILING) if ceiling is None else limiting
    stuck = stuck_at(family.shape, best, gram[:, :-1, :-1])
    edge = AT_BOUND * (launch[1] - launch[0])
    stuck |= (start <= launch[0] + edge) | (start >= latest - edge)
    factor = best.factor * size
    if task.ceiling is not None:
        stuck |= best.factor >= task.ceiling * (1 - 1e-12)
        factor = np.minimum(factor, ceiling if ceiling is not None else np.inf)
    status = np.where(endless, ENDLESS, np.where(stuck, ON_BOUND, OK)).astype(np.int8)
    natural, by_x = family.natural(best.x, scale, last)
    natural[limiting] = family.at_limit(best.x[limiting], scale[limiting])
    named = np.column_stack([np.where(endless, np.inf, factor), natural, start])
    n = named.shape[1]
    change = np.zeros((len(size), n, n))
    change[:, 0, 0], change[:, 1:-1, 1:-1], change[:, -1, -1] = size, by_x, 1.0
    covariance = covariance_of(gram, best.sse, task.count - n, change)
    covariance[status != OK] = np.nan
    status[(status == OK) & np.isnan(covariance[:, 0, 0])] = ON_BOUND
    return Fitted(Solution(best.x, factor, best.sse * size**2, limiting, last, scale, start), named, covariance, status)


def _information(family: Family, problem: Problem, best: Minima, scale: Floats) -> Floats:
    """Inner products of the slopes by factor, coordinates and launch, the other parameters as named held."""
    assert family.by_age is not None  # asked for only where a launch may be estimated
    u, rows = problem.u[problem.pattern], np.arange(len(scale))
    value, slopes = family.shape.slopes(u, best.x)
    since = np.where(u > 0, u, 1.0) * scale[:, None]
    by_launch = np.where(u > 0, -family.by_age(slopes, best.x) / since, 0.0)
    both = np.concatenate([slopes, by_launch[:, None]], axis=1) * best.factor[:, None, None]
    jacobian = problem.operate(np.concatenate([value[:, None], both], axis=1), rows)
    return np.asarray(np.einsum("ijk,ilk->ijl", jacobian, jacobian))
