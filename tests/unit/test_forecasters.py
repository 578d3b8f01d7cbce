"""Forecasts from a history alone, on histories made by hand."""

from dataclasses import dataclass

import numpy as np
import pytest
from longwave.models.curves import fit_curves
from longwave.models.forecasters import conformal_bounds, curve_forecast, damped_trend, naive

NAN = np.nan


@dataclass
class Fits:
    """A stand-in for fitted curves: one level for all ages, and a status."""

    level: np.ndarray
    status: np.ndarray

    def predict(self, ages):
        return np.repeat(self.level[:, None], len(ages), axis=1)


def test_naive_is_the_last_observation():
    np.testing.assert_array_equal(naive(np.array([[1.0, 2.0, NAN], [NAN, NAN, NAN], [NAN, NAN, 3.0]])), [2.0, NAN, 3.0])
    assert naive(np.empty((0, 3))).shape == (0,)


def test_damped_trend_by_hand():
    levels = np.array([[10.0, NAN, 16.0, NAN], [5.0, NAN, NAN, NAN], [NAN] * 4])
    point = damped_trend(levels, np.arange(4.0), np.array([2.0, 3.0, 5.0]))
    slope = 3.0
    np.testing.assert_allclose(point[0], [16.0, 16 + slope * 0.8, 16 + slope * (0.8 + 0.64 + 0.512)])
    np.testing.assert_array_equal(point[1], [5.0] * 3)
    assert np.isnan(point[2]).all()


@pytest.mark.parametrize(
    ("status", "level", "ceiling", "used"),
    [
        ("ok", 50.0, 100.0, True),
        ("on_bound", 50.0, 100.0, True),
        ("on_bound", 50.0, None, False),
        ("no_finite_ceiling", 50.0, 100.0, False),
        ("too_few_points", NAN, 100.0, False),
        ("no_growth", NAN, None, False),
        ("ok", NAN, None, False),
        ("ok", -1.0, None, False),
        ("ok", np.inf, None, False),
    ],
)
def test_curve_falls_back_to_the_last_value_and_says_so(status, level, ceiling, used):
    def fitter(levels, ages, *, family, ceiling):
        return Fits(np.array([level]), np.array([status]))

    point, note = curve_forecast(
        np.array([[1.0, 7.0]]),
        np.arange(2.0),
        np.array([20.0]),
        family="bass",
        ceiling=ceiling,
        fitter=fitter,
    )
    assert point[0, 0] == (level if used else 7.0)
    assert (note[0] == "ok") is used
    if status not in ("ok",) and not used:
        assert note[0] == status


def test_the_project_fitter_is_called_as_its_interface_says():
    ages = np.arange(23.0)
    levels = (90 / (1 + np.exp(-0.5 * (ages - 8))))[None, :]
    point, note = curve_forecast(
        levels[:, :15], ages[:15], np.array([20.0]), family="logistic", ceiling=100.0, fitter=fit_curves
    )
    assert note[0] == "ok"
    assert point[0, 0] == pytest.approx(levels[0, 20], abs=1e-3)


def test_conformal_bounds_by_hand_and_too_few():
    errors = np.array([np.arange(1.0, 20.0), [*np.arange(1.0, 9.0), *[NAN] * 11], [NAN] * 19])
    low, high = conformal_bounds(errors, 0.8)
    np.testing.assert_array_equal(low, [2.0, -np.inf, -np.inf])  # floor(20 × 0.1) = 2nd
    np.testing.assert_array_equal(high, [18.0, np.inf, np.inf])
    np.testing.assert_array_equal(conformal_bounds(np.arange(1.0, 10.0)[None], 0.8), [[1.0], [9.0]])
    assert conformal_bounds(np.empty((2, 0)), 0.8)[0].tolist() == [-np.inf, -np.inf]
    with pytest.raises(ValueError, match="level 1"):
        conformal_bounds(errors, 1.0)


def test_conformal_bounds_cover_what_they_promise():
    rng = np.random.default_rng(11)
    draws = rng.standard_normal((4000, 30)) ** 3
    low, high = conformal_bounds(draws[:, :29], 0.8)
    assert np.mean((low <= draws[:, 29]) & (draws[:, 29] <= high)) == pytest.approx(0.8, abs=0.02)
