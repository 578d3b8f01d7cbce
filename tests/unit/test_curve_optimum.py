"""The optimum of simulated series, against random starts: the study's worlds, 200 series of each family."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from longwave.models.curves import FAMILIES, fit_curves
from scipy.optimize import least_squares

_WORLDS = runpy.run_path(str(Path(__file__).parents[1] / "study" / "curve_worlds.py"))
AGES, SERIES, STARTS = _WORLDS["AGES"], 200, 40


@pytest.mark.parametrize("family", FAMILIES)
def test_random_starts_find_nothing_better(family):
    rng = np.random.default_rng([5, list(FAMILIES).index(family)])
    levels = _WORLDS["worlds"](family, SERIES, rng)
    fits = fit_curves(levels, AGES, family)
    best = _WORLDS["best_of_random_starts"](family, "cumulative", levels, rng, STARTS)
    above = (fits.sse > best * (1 + 1e-6)).mean()
    assert above <= (0.005 if len(fits.params) == 3 else 0.02)
    assert (fits.sse < best * (1 + 1e-6)).mean() >= 0.98, "the starts do come to the optimum"


@pytest.mark.parametrize("family", FAMILIES)
def test_scipy_finds_nothing_better_near_what_was_found(family):
    """By the textbook formula alone: from the fit itself and from around it."""
    rng = np.random.default_rng([6, list(FAMILIES).index(family)])
    levels = _WORLDS["worlds"](family, 30, rng, cut=False)
    fits = fit_curves(levels, AGES, family)
    assert (fits.status == "ok").mean() > 0.8
    for row in np.flatnonzero(fits.status == "ok"):
        at = np.array([fits.params[name][row] for name in fits.params])

        def residuals(x, at=at, row=row):
            m, *rest = x * at
            with np.errstate(all="ignore"):
                curve = m / 100 * _WORLDS["exact"](family, [[value] for value in rest])[0]
            return np.where(np.isfinite(curve), levels[row] - curve, 1e3)

        for start in (np.ones(len(at)), rng.uniform(0.8, 1.25, len(at))):
            found = least_squares(residuals, start, bounds=(1e-6, np.inf), xtol=1e-14, ftol=1e-14, gtol=1e-14)
            assert fits.sse[row] <= 2 * found.cost * (1 + 1e-6)
