"""Profile-likelihood intervals of fitted curves: every parameter, the launch where it was estimated, levels ahead.

Belongs here: the sum of squares along one quantity, all else fitted anew. Not here: the fits (``curves``), intervals from
resamples (``curve_intervals``), which stand up to errors that go together.

A quantity g is led away from its estimate by a term W ((g − aim) / σ)² beside the sum of squares, σ its usual standard
error. Whatever minimum is reached is the least sum of squares at the g it has, so the pair lies on the profile exactly,
whatever W; aims are moved until it is the sum of squares asked for. The distance from the estimate, signed root of the
rise in units of s², is close to linear in g (Bates & Watts 1988, §6.1), so few aims do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from longwave.models.curve_coordinates import PLACES, Coordinates
from longwave.models.curve_errors import independent_variance
from longwave.models.curve_fit import INFINITE_CEILING, pack, pattern_codes, search
from longwave.models.curve_intervals import Intervals, checked, unexplained
from longwave.models.curve_shapes import Floats
from longwave.models.curve_solver import Booleans, Integers
from longwave.models.curves import CurveFits, checked_ages
from longwave.models.families import FAMILIES
from numpy.typing import ArrayLike

PULL = 100.0  # W: how much steeper the term is than the profile
AIMS, STEPS, BISECTIONS = 60, 100, 50
CLOSE = 1e-8  # of the root of the rise
FARTHEST = 60.0  # a quantity e^60 times its estimate, or 60 times farther off than the observations last, is at no end

Led = Callable[[Floats, Integers], tuple[Floats, Floats]]


def profile_intervals(
    fits: CurveFits,
    levels: ArrayLike,
    ages: ArrayLike,
    *,
    level: float = 0.9,
    ages_ahead: ArrayLike | None = None,
    launch: tuple[float, float] | None = None,
) -> Intervals:
    """Profile-likelihood intervals of the parameters, and of the levels at ``ages_ahead`` under the name ``level``.

    All values of a quantity at which SSE ≤ SSE_least + F s², the other parameters fitted anew, F the quantile of Fisher's
    distribution with 1 and n − k degrees of freedom (Bates & Watts 1988, §6.1), as far as they hang together with the
    estimate (all, for m beside a launch that was given). s² is SSE_least / (n − k), without the points whose errors may
    have been cut off at 0 or at a stated ceiling (:func:`longwave.models.curve_errors.uncut`). Exact for independent
    normal errors but for curvature within the fit. Where the sum of squares stays below on one side, until m is 1,000
    times the highest level or a parameter at its bound, the data set no limit there: 0 or inf (−inf for t50), the stated
    ceiling, or the bound of the launch. Errors that go together make intervals too narrow: use
    :func:`longwave.models.curve_intervals.bootstrap_intervals`.

    Args:
        fits: of ``levels`` (n, n_years) at ``ages`` (n_years,).
        levels: (n, n_years) as given to :func:`fit_curves`.
        ages: (n_years,) likewise.
        level: coverage asked for, between 0 and 1.
        ages_ahead: where to give intervals for the level of the curve.
        launch: as given to :func:`fit_curves`; needed where the launch was estimated, and only there.

    Returns:
        NaN where nothing was fitted or no degree of freedom is left; without a finite ceiling for all but m, and for m,
        too, where the launch was estimated.

    Raises:
        ValueError: level outside (0, 1), levels or ages that :func:`fit_curves` would not take or of another shape, or a
            launch that is missing or not asked for.

    """
    from scipy import stats  # slow to import, and asked for here alone

    data, at = checked(fits, levels, ages, level, launch)
    ahead = checked_ages([] if ages_ahead is None else ages_ahead)
    n = len(data)
    nothing = np.full(n, np.nan)
    sides = [{name: nothing.copy() for name in fits.params} for _ in range(2)]
    for side in sides if len(ahead) else []:
        side["level"] = np.full((n, len(ahead)), np.nan)
    known = np.isfinite(fits.sse) & (np.isfinite(data).sum(axis=1) > len(fits.params))
    variance, freedom = _spread(fits, data, at, np.flatnonzero(known))
    rise = np.sqrt(stats.f.ppf(level, 1, freedom))
    with np.errstate(all="ignore"):
        rows = np.flatnonzero(known & (fits.status != "no_finite_ceiling"))
        if rows.size:
            task = _Profile(fits, data, at, rows, variance[rows], launch)
            for name in fits.params if launch else list(fits.params)[1:]:
                for side, ends in zip(sides, task.ends(task.parameter(name), rise[rows]), strict=True):
                    side[name][rows] = ends
            for place, age in enumerate(ahead):
                for side, ends in zip(sides, task.ends(task.level_at(age), rise[rows]), strict=True):
                    side["level"][rows, place] = ends
        every = np.flatnonzero(known)
        if launch is None and every.size:  # m can be held while all else is searched from everywhere
            bar = fits.sse + rise**2 * variance
            for side, ends in zip(sides, _crossings(fits, data[every], at, bar[every], every), strict=True):
                side["m"][every] = ends
    return Intervals(level, sides[0], sides[1], nothing, nothing)


def _spread(fits: CurveFits, data: Floats, ages: Floats, rows: Integers) -> tuple[Floats, Floats]:
    """Variance of independent errors and its degrees of freedom, per series; NaN and 1 but for ``rows``."""
    variance, freedom = np.full(len(data), np.nan), np.ones(len(data))
    for row in rows:
        seen = np.isfinite(data[row])
        if fits.status[row] == "no_finite_ceiling":
            freedom[row] = seen.sum() - len(fits.params)
            variance[row] = fits.sse[row] / freedom[row]
            continue
        residual, _, slopes, told = unexplained(fits, data[row, seen], ages[seen], row)
        variance[row], freedom[row] = independent_variance(residual[told], slopes[told])
    return variance, freedom


@dataclass(frozen=True)
class _Quantity:
    """What is led away from its estimate: value (or logarithm) and slopes by z; what stands where it has no limit."""

    led: Led
    lowest: Floats
    highest: Floats
    logarithm: bool


@dataclass
class _End:
    """Where the search for one end stands, per row: aims and rises on both sides of it, coordinates inside, last side."""

    inside: Floats
    outside: Floats
    rise_inside: Floats
    rise_outside: Floats
    z: Floats
    side: Integers


class _Profile(Coordinates):
    """Rows of one kind of fit in coordinates z = (log m, the coordinates of the shape, the launch where estimated)."""

    def __init__(
        self,
        fits: CurveFits,
        data: Floats,
        ages: Floats,
        rows: Integers,
        variance: Floats,
        launch: tuple[float, float] | None,
    ) -> None:
        super().__init__(fits, data, ages, rows)
        self.ceiling = fits.ceiling
        size = np.nanmax(data[rows], axis=1)
        top = INFINITE_CEILING * size if fits.ceiling is None else np.full(len(rows), fits.ceiling)
        shape = self.family.shape
        self.lower = np.column_stack([np.full(len(rows), -np.inf), np.tile(shape.lower, (len(rows), 1))])
        self.upper = np.column_stack([np.log(top), np.tile(shape.upper, (len(rows), 1))])
        if launch is not None:
            third = np.minimum(self.at[:, min(2, self.at.shape[1] - 1)], launch[1])
            self.lower = np.column_stack([self.lower, np.full(len(rows), launch[0])])
            self.upper = np.column_stack([self.upper, third])
        self.z = np.clip(self.z, self.lower, self.upper)
        self.s2 = np.maximum(variance, 1e-20 * size**2)
        residual, _ = self.residuals(self.z, self.every)
        self.least = np.einsum("ij,ij->i", residual, residual)

    def residuals(self, z: Floats, rows: Integers) -> tuple[Floats, Floats]:
        """Residuals (rows, points) and slopes of the curve (rows, coordinates, points), in units of s."""
        both = self.curve(z, self.at[rows], rows)
        if self.increments:
            both = np.diff(both, axis=-1, prepend=0.0)
        both = both * self.weight[rows, None] / np.sqrt(self.s2[rows])[:, None, None]
        return self.y[rows] / np.sqrt(self.s2[rows])[:, None] - both[:, 0], both[:, 1:]

    def parameter(self, name: str) -> _Quantity:
        """A parameter, by its logarithm unless it is a place."""
        column, n = self.names.index(name), 1 + len(self.family.shape.lower)
        logarithm = name not in PLACES

        def led(z: Floats, rows: Integers) -> tuple[Floats, Floats]:
            slope = np.zeros_like(z)
            if column in (0, n):  # m, which is led by its logarithm, and the launch
                slope[:, column] = 1.0
                return z[:, column], slope
            named, by_z = self.family.natural(z[:, 1:n], self.scale[rows], self.last[rows])
            value, slope[:, 1:n] = named[:, column - 1], by_z[:, column - 1]
            return (np.log(value), slope / value[:, None]) if logarithm else (value, slope)

        if name == "launch":
            return _Quantity(led, self.lower[:, n], self.upper[:, n], False)
        top = np.inf if name != "m" or self.ceiling is None else self.ceiling
        lowest, highest = (np.full(len(self.z), end) for end in (0.0 if logarithm else -np.inf, top))
        return _Quantity(led, lowest, highest, logarithm)

    def level_at(self, age: float) -> _Quantity:
        """The level of the curve at an age, by its logarithm."""

        def led(z: Floats, rows: Integers) -> tuple[Floats, Floats]:
            both = self.curve(z, np.full((len(z), 1), age), rows)[:, :, 0]
            return np.log(both[:, 0]), both[:, 1:] / both[:, :1]

        top = np.inf if self.ceiling is None else self.ceiling
        return _Quantity(led, np.zeros(len(self.z)), np.full(len(self.z), top), True)

    def ends(self, of: _Quantity, rise: Floats) -> tuple[Floats, Floats]:
        """The least and the greatest value of a quantity at which the root of the rise is ``rise``, per row."""
        middle, slope = of.led(self.z, self.every)
        _, jacobian = self.residuals(self.z, self.every)
        gram = np.einsum("ijk,ilk->ijl", jacobian, jacobian)
        norm = np.sqrt(np.maximum(np.diagonal(gram, axis1=1, axis2=2), 1e-300))
        inverse = np.linalg.pinv(gram / (norm[:, :, None] * norm[:, None]), rcond=1e-12, hermitian=True)
        spread = np.sqrt(np.einsum("ij,ijk,ik->i", slope / norm, inverse, slope / norm))
        room = np.where(of.logarithm, FARTHEST, FARTHEST * self.scale)
        spread = np.clip(np.where(np.isfinite(spread), spread, 1.0), 1e-12, room / 4)
        found = []
        for side, nowhere in ((-1.0, of.lowest), (1.0, of.highest)):
            value, met = self._end(of.led, middle, side * spread, rise, room)
            value = np.exp(value) if of.logarithm else value
            found.append(np.where(met, value, np.where(np.isfinite(middle), nowhere, np.nan)))
        return found[0], found[1]

    def _end(self, led: Led, middle: Floats, spread: Floats, rise: Floats, room: Floats) -> tuple[Floats, Booleans]:
        """The value at the end on the side of the signed ``spread``, and whether there is one."""
        n = len(middle)
        end = _End(
            np.zeros(n), np.full(n, np.inf), np.zeros(n), np.full(n, np.inf), self.z.copy(), np.zeros(n, np.intp)
        )
        value, met, aim = middle.copy(), np.zeros(n, np.bool_), rise * (1 + 1 / PULL)
        live = np.flatnonzero(np.isfinite(middle))
        for _ in range(AIMS):
            if not live.size:
                break
            z = self._led_to(led, end.z[live], middle[live] + aim[live] * spread[live], np.abs(spread[live]), live)
            residual, _ = self.residuals(z, live)
            here = np.sqrt(np.maximum(np.einsum("ij,ij->i", residual, residual) - self.least[live], 0.0))
            value[live] = led(z, live)[0]
            _narrow(end, live, aim, here, z, rise)
            width = end.outside[live] - end.inside[live]
            done = np.abs(here - rise[live]) <= CLOSE * rise[live]
            done |= np.isfinite(width) & (width <= 1e-10 * end.outside[live])  # a step in the profile
            met[live[done]] = True
            aim[live] = _next_aim(end, live, rise)
            far = np.isinf(width) & (np.abs(aim[live] * spread[live]) > room[live])
            live = live[~(done | far)]
        met[live] = np.isfinite(end.outside[live])
        return value, met

    def _led_to(self, led: Led, z: Floats, aim: Floats, spread: Floats, rows: Integers) -> Floats:
        """Coordinates of the least sum of squares with the pull towards ``aim``, from ``z``; Levenberg–Marquardt."""
        z = z.copy()
        damping = np.full(len(rows), 1e-4)
        cost, gradient, bend = self._pulled(led, z, aim, spread, rows)
        live = np.arange(len(rows))
        for _ in range(STEPS):
            if not live.size:
                break
            part = rows[live]
            step = _step(z[live], gradient[live], bend[live], damping[live], self.lower[part], self.upper[part])
            new_cost, new_gradient, new_bend = self._pulled(led, z[live] + step, aim[live], spread[live], part)
            better = new_cost <= cost[live]
            fall = cost[live] - new_cost
            settled = better & (fall <= 1e-13 * (1 + cost[live])) & (damping[live] < 0.1)
            moved = live[better]
            z[moved] += step[better]
            cost[moved], gradient[moved], bend[moved] = new_cost[better], new_gradient[better], new_bend[better]
            damping[live] = np.clip(damping[live] * np.where(better, 0.1, 10.0), 1e-12, None)
            live = live[~(settled | (damping[live] > 1e10))]
        return z

    def _pulled(
        self, led: Led, z: Floats, aim: Floats, spread: Floats, rows: Integers
    ) -> tuple[Floats, Floats, Floats]:
        """Sum of squares with the pull, half its negative gradient, and the Gauss–Newton matrix."""
        residual, jacobian = self.residuals(z, rows)
        value, slope = led(z, rows)
        off, slope = (aim - value) / spread, slope / spread[:, None]
        cost = np.einsum("ij,ij->i", residual, residual) + PULL * off**2
        gradient = np.einsum("ijk,ik->ij", jacobian, residual) + PULL * off[:, None] * slope
        bend = np.einsum("ijk,ilk->ijl", jacobian, jacobian) + PULL * slope[:, :, None] * slope[:, None]
        return np.where(np.isfinite(cost), cost, np.inf), gradient, bend


def _narrow(end: _End, live: Integers, aim: Floats, here: Floats, z: Floats, rise: Floats) -> None:
    """Put what was found at ``aim`` on its side of the end; twice on one side, the other counts half (Illinois)."""
    below = here < rise[live]
    inner, outer = live[below], live[~below]
    again, other = inner[end.side[inner] < 0], outer[end.side[outer] > 0]
    end.rise_outside[again] = (end.rise_outside[again] + rise[again]) / 2
    end.rise_inside[other] = (end.rise_inside[other] + rise[other]) / 2
    end.inside[inner], end.rise_inside[inner], end.z[inner] = aim[inner], here[below], z[below]
    end.outside[outer], end.rise_outside[outer] = aim[outer], here[~below]
    end.side[inner], end.side[outer] = -1, 1


def _next_aim(end: _End, live: Integers, rise: Floats) -> Floats:
    """Twice as far while nothing lies outside; then where the chord meets the rise, kept off the ends."""
    inside, outside = end.inside[live], end.outside[live]
    share = (rise[live] - end.rise_inside[live]) / (end.rise_outside[live] - end.rise_inside[live])
    share = np.clip(np.where(np.isfinite(share), share, 0.5), 1e-3, 0.999)
    return np.where(np.isinf(outside), 2 * np.maximum(inside, rise[live]), inside + share * (outside - inside))


def _step(z: Floats, gradient: Floats, bend: Floats, damping: Floats, lower: Floats, upper: Floats) -> Floats:
    """One damped step within the bounds; a coordinate pressed to its bound stays there."""
    pressed = ((z <= lower) & (gradient < 0)) | ((z >= upper) & (gradient > 0))
    norm = np.sqrt(np.maximum(np.diagonal(bend, axis1=1, axis2=2), 1e-300))
    matrix = bend / (norm[:, :, None] * norm[:, None])
    matrix *= ~(pressed[:, :, None] | pressed[:, None])
    n = z.shape[1]
    matrix[:, range(n), range(n)] = 1.0 + damping[:, None]
    matrix = np.where(np.isfinite(matrix), matrix, 0.0) + 1e-14 * np.eye(n)
    right = np.where(pressed | ~np.isfinite(gradient), 0.0, gradient) / norm
    step = np.linalg.solve(matrix, right[:, :, None])[:, :, 0] / norm
    step *= np.minimum(1.0, (3.0 / np.maximum(np.abs(step), 1e-300)).min(axis=1))[:, None]
    return np.asarray(np.clip(z + step, lower, upper) - z)


def _crossings(fits: CurveFits, data: Floats, ages: Floats, bar: Floats, rows: Integers) -> tuple[Floats, Floats]:
    """The least and the greatest m at which the sum of squares is ``bar``, by bisection of log m for all rows."""
    family, size = FAMILIES[fits.family], np.nanmax(data, axis=1)
    with np.errstate(all="ignore"):
        problem, *_ = pack(
            data / size[:, None], pattern_codes(np.isfinite(data)), ages, family, fits.objective == "increments"
        )
        every, target = np.arange(len(data)), bar / size**2

        def above(log_m: Floats) -> Booleans:
            held = replace(problem, ceiling=np.exp(log_m))
            return np.asarray(search().minima(family.shape, held, every).lowest().sse > target)

        found = np.minimum(fits.params["m"][rows] / size, INFINITE_CEILING)
        top = INFINITE_CEILING if fits.ceiling is None else fits.ceiling / size
        ends = []
        for edge in (np.full(len(data), np.log(1e-3)), np.log(np.broadcast_to(top, len(data)))):
            inside, outside = np.log(found), edge.copy()
            never = ~above(outside)
            for _ in range(BISECTIONS):
                middle = (inside + outside) / 2
                out = above(middle)
                inside, outside = np.where(out, inside, middle), np.where(out, middle, outside)
            ends.append(np.where(never, np.exp(edge), np.exp(inside)) * size)
            last = never
    return ends[0], np.where(last & (fits.ceiling is None), np.inf, ends[1])
