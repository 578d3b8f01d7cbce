"""The coordinates in which fitted curves are moved: their levels and slopes, for many series at once.

Belongs here: z = (log m, the coordinates of the shape, the launch where it was estimated), and what the objective compares
at z. Not here: where z is led to (``curve_profiles``), how much it is off (``curve_bias``), the fits (``curves``).
"""

from __future__ import annotations

import numpy as np
from longwave.models.curve_shapes import Floats
from longwave.models.curve_solver import Integers
from longwave.models.curves import CurveFits
from longwave.models.families import FAMILIES, Family

PLACES = ("t50", "launch")  # parameters that may be negative; all others are told by their logarithms


class Coordinates:
    """Some rows of fits of one kind, observed to the left and padded to the right.

    Args:
        fits: of ``data`` (n, n_years) at ``ages`` (n_years,).
        data: levels, NaN where not observed.
        ages: years since launch.
        rows: which of the n; something was fitted to each of them, with a finite ceiling.

    """

    def __init__(self, fits: CurveFits, data: Floats, ages: Floats, rows: Integers) -> None:
        best = fits._solution
        self.family: Family = FAMILIES[fits.family]
        self.names = list(fits.params)
        self.increments = fits.objective == "increments"
        seen = np.isfinite(data[rows])
        self.count = seen.sum(axis=1)
        place = np.minimum(np.arange(self.count.max())[None, :], self.count[:, None] - 1)
        order = np.take_along_axis(np.argsort(~seen, axis=1, kind="stable"), place, axis=1)
        self.at, self.weight = ages[order], (np.arange(place.shape[1])[None, :] < self.count[:, None]).astype(float)
        self.last, self.scale = best.last[rows], best.scale[rows]
        self.origin = np.zeros(len(rows)) if self.family.from_launch else self.last
        self.y = self.compared(np.take_along_axis(data[rows], order, axis=1)[:, None])[:, 0]
        z = [np.log(best.factor[rows])[:, None], best.x[rows, : len(self.family.shape.lower)]]
        self.z = np.column_stack([*z, best.launch[rows]] if fits.launch == "estimated" else z)
        self.every = np.arange(len(rows))

    def compared(self, curve: Floats) -> Floats:
        """What the objective compares, of levels or slopes (rows, n, points)."""
        if self.increments:
            curve = np.diff(curve, axis=-1, prepend=0.0)
        return np.asarray(curve * self.weight[:, None])

    def curve(self, z: Floats, at: Floats, rows: Integers) -> Floats:
        """Levels and their slopes by z, (rows, 1 + coordinates, points)."""
        n = 1 + len(self.family.shape.lower)
        origin = z[:, n] if z.shape[1] > n else self.origin[rows]
        since = at - origin[:, None]
        value, slopes = self.family.shape.slopes(since / self.scale[rows, None], z[:, 1:n])
        parts = [value[:, None], value[:, None], slopes]
        if z.shape[1] > n:
            assert self.family.by_age is not None  # asked for only where a launch may be estimated
            by_launch = -self.family.by_age(slopes, z[:, 1:n]) / np.where(since > 0, since, 1.0)
            parts.append(np.where(since > 0, by_launch, 0.0)[:, None])
        return np.asarray(np.exp(z[:, 0])[:, None, None] * np.concatenate(parts, axis=1))
