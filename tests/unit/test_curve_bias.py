"""Biases of least squares: against Box's formula in textbook parameters, against simulated means, and where there is none."""

import numpy as np
import pytest
import textbook_curves as textbook
from longwave.models.curve_bias import Biases, biases, relative_bias
from longwave.models.curve_coordinates import PLACES, Coordinates
from longwave.models.curves import FAMILIES, fit_curves

AGES, TRUTH, curve = textbook.AGES, textbook.TRUTH, textbook.curve


def told(fits, levels, ages, spread):
    """Relative biases by name, of one series with errors of a stated covariance."""
    here = Coordinates(fits, levels, ages, np.array([0]))
    return dict(zip(fits.params, relative_bias(here, spread[None], fits.ceiling)[0], strict=True))


def box(of, parameters, variance):
    """−½ (J'J)⁻¹ J' tr(H C), C = σ² (J'J)⁻¹ (Box 1971), derivatives by central differences of a textbook formula."""
    n, h = len(parameters), 1e-4 * np.abs(parameters)

    def at(*moves):
        return of(np.array(parameters) + sum(sign * h[i] * np.eye(n)[i] for sign, i in moves))

    slope = np.array([(at((1, i)) - at((-1, i))) / (2 * h[i]) for i in range(n)])
    inverse = np.linalg.inv(slope @ slope.T)
    bend = 0.0
    for i in range(n):
        for k in range(n):
            mixed = at((1, i), (1, k)) - at((1, i), (-1, k)) - at((-1, i), (1, k)) + at((-1, i), (-1, k))
            bend = bend + variance * inverse[i, k] * mixed / (4 * h[i] * h[k])
    return -0.5 * inverse @ slope @ bend


@pytest.mark.parametrize("objective", ["cumulative", "increments"])
@pytest.mark.parametrize("family", FAMILIES)
def test_of_independent_errors_it_is_the_formula_of_box_in_the_named_parameters(family, objective):
    levels = curve(family, AGES, TRUTH[family])[None]
    fits = fit_curves(levels, AGES, family, objective)

    def compared(parameters):
        level = curve(family, AGES, parameters)
        return np.diff(level, prepend=0.0) if objective == "increments" else level

    # So small that nothing of it is cut off at the first level of all.
    variance = (0.01 * levels[0, 0]) ** 2
    expected = box(compared, TRUTH[family], variance)
    found = told(fits, levels, AGES, variance * np.eye(30))
    for name, value, bias in zip(fits.params, TRUTH[family], expected, strict=True):
        assert found[name] == pytest.approx(bias / (1.0 if name in PLACES else value), rel=1e-3), name


def test_with_a_launch_it_is_the_formula_of_box_with_one_parameter_more():
    truth = (80.0, 0.03, 0.3, -0.55)
    levels = curve("bass", AGES - truth[3], truth[:3])[None]
    fits = fit_curves(levels, AGES, launch=(-5.0, 1.5))
    expected = box(lambda p: curve("bass", AGES - p[3], p[:3]), truth, 1e-3)
    found = told(fits, levels, AGES, 1e-3 * np.eye(30))
    for name, value, bias in zip(fits.params, truth, expected, strict=True):
        assert found[name] == pytest.approx(bias / (1.0 if name in PLACES else value), rel=1e-3), name


def drawn(exact, rho, spread, n):
    """Levels (2n, ages) with stationary errors of an autoregression and then with their negatives, and the covariance.

    What is linear in the errors is gone from the mean of a pair, and with it nearly all that hides a bias.
    """
    errors = np.random.default_rng(5).standard_normal((n, len(exact)))
    for j in range(1, len(exact)):
        errors[:, j] = rho * errors[:, j - 1] + (1 - rho**2) ** 0.5 * errors[:, j]
    apart = np.abs(np.subtract.outer(AGES, AGES))
    return np.clip(exact + spread * np.vstack([errors, -errors]), 0, None), spread**2 * np.where(
        apart == 0, 1.0, float(rho) ** apart
    )


@pytest.mark.parametrize(
    ("family", "parameters", "rho", "spread", "name"),
    [
        ("bass", (100.0, 0.05, 0.3), 0.9, 1.0, "p"),  # errors go together
        ("richards", (100.0, 0.4, 8.0, 1.0), 0.6, 1.0, "v"),
        ("gamma_shifted_gompertz", (100.0, 5.0, 0.3, 1.0), 0.0, 0.7, "c"),
        ("logistic", (100.0, 0.4, 16.0), 0.0, 3.0, "k"),  # half of the early ones are cut off
    ],
)
def test_it_is_the_mean_of_what_simulated_fits_are_off(family, parameters, rho, spread, name):
    exact = curve(family, AGES, parameters)
    levels, covariance = drawn(exact, rho, spread, 3_000)
    value = fit_curves(exact[None], AGES, family)
    expected = told(value, exact[None], AGES, covariance)[name]
    off = fit_curves(levels, AGES, family).params[name] - value.params[name]
    off = (off / value.params[name]).reshape(2, -1).mean(axis=0)
    error = off.std() / len(off) ** 0.5
    assert abs(expected) > 6 * error, "the case tells a bias from none"
    # Of the second order it is: what is left over is of the fourth.
    assert off.mean() == pytest.approx(expected, abs=3 * error + 0.1 * abs(expected))


def noisy(family, n, spread=0.8):
    return np.clip(
        curve(family, AGES, TRUTH[family]) + spread * np.random.default_rng(3).standard_normal((n, 30)), 0, None
    )


@pytest.mark.parametrize(
    ("family", "parameters", "rho", "spread", "name"),
    [
        ("gamma_shifted_gompertz", (100.0, 20.0, 0.3, 1.0), 0.0, 0.5, "a"),
        ("richards", (100.0, 0.4, 8.0, 1.0), 0.6, 1.0, "v"),
    ],
)
def test_corrected_estimates_are_less_off_than_those_of_least_squares(family, parameters, rho, spread, name):
    levels, _ = drawn(curve(family, AGES, parameters), rho, spread, 150)
    fits = fit_curves(levels, AGES, family)
    made = biases(fits, levels, AGES)
    value = parameters[FAMILIES[family].parameters.index(name)]
    before, after = ((values[name] / value - 1).reshape(2, -1).mean(axis=0) for values in (fits.params, made.corrected))
    assert before.mean() > 4 * before.std() / len(before) ** 0.5, "the case has a bias"
    assert abs(after.mean()) < before.mean()


def test_positive_parameters_are_corrected_by_their_logarithms_and_places_by_years():
    levels = noisy("richards", 3)
    fits = fit_curves(levels, AGES, "richards")
    made = biases(fits, levels, AGES)
    np.testing.assert_allclose(made.corrected["v"], fits.params["v"] * np.exp(-made.bias["v"] / fits.params["v"]))
    np.testing.assert_allclose(made.corrected["t50"], fits.params["t50"] - made.bias["t50"])


def test_it_does_not_hang_on_the_unit_of_the_levels_nor_on_the_company_nor_on_gaps_elsewhere():
    levels = noisy("bass", 3)
    levels[1, [2, 7, 29]] = np.nan
    made = biases(fit_curves(levels, AGES), levels, AGES)
    larger = biases(fit_curves(levels * 1e6, AGES), levels * 1e6, AGES)
    alone = levels[1:2, np.isfinite(levels[1])], AGES[np.isfinite(levels[1])]
    one = biases(fit_curves(*alone), *alone)
    for name, unit in (("m", 1e6), ("p", 1.0), ("q", 1.0)):
        np.testing.assert_allclose(larger.bias[name], made.bias[name] * unit, rtol=1e-4)
        np.testing.assert_allclose(one.bias[name], made.bias[name][1:2], rtol=1e-4)


def test_a_stated_ceiling_that_cuts_errors_off_makes_a_negative_bias():
    levels = np.minimum(noisy("logistic", 1, 0.5) * 1.2, 96.5)
    free, held = (fit_curves(levels, AGES, "logistic", ceiling=ceiling) for ceiling in (None, 96.5))
    assert held.status[0] == "ok"
    assert biases(held, levels, AGES).bias["m"][0] < 0 < biases(free, levels, AGES).bias["m"][0]


def test_what_the_data_do_not_identify_has_no_correction():
    levels = np.vstack([noisy("gamma_shifted_gompertz", 40, 2.4), np.full((1, 30), np.nan), np.full((1, 30), 5.0)])
    fits = fit_curves(levels, AGES, "gamma_shifted_gompertz")
    made = biases(fits, levels, AGES)
    loose = np.max([np.abs(made.bias[name]) >= fits.params[name] for name in fits.params], axis=0)
    assert loose.any()
    assert (fits.status[loose] == "ok").all()
    unknown = loose | (fits.status != "ok")
    assert not unknown.all()
    for name in fits.params:
        assert (np.isnan(made.bias[name]) == (fits.status != "ok")).all()
        assert (np.isnan(made.corrected[name]) == unknown).all()
        assert (made.corrected[name][~unknown] > 0).all()
    assert not made.within(100.0)[unknown].any()


def test_little_bias_is_told_by_all_parameters_but_places():
    one = np.ones(4)
    bias = {"m": np.array([0.005, 0.02, 0.005, np.nan]), "t50": 9 * one, "v": np.array([-0.01, 0.0, 0.03, 0.0])}
    made = Biases(bias, {"m": one, "t50": one, "v": one})
    assert made.within(1.0).tolist() == [True, False, False, False]
    assert made.within(3.5).tolist() == [True, True, True, False]


def test_levels_of_another_shape_are_refused():
    levels = noisy("bass", 2)
    with pytest.raises(ValueError, match=r"levels must be \(2, 30\) as fitted, not \(1, 30\)"):
        biases(fit_curves(levels, AGES), levels[:1], AGES)
    with pytest.raises(ValueError, match="the launch of the fits was given"):
        biases(fit_curves(levels, AGES), levels, AGES, launch=(-1.0, 1.0))
