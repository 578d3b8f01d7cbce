"""Fits against published estimates, known optima, simulation and scipy; what cannot be fitted says so."""

import doctest
import tomllib
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from longwave.models import curve_shapes
from longwave.models.curves import FAMILIES, OBJECTIVES, DiffusionCurve, fit_curves
from scipy.optimize import least_squares
from sklearn.utils.estimator_checks import check_estimator

KNOWN = tomllib.loads(Path(__file__).with_name("published_curves.toml").read_text(encoding="utf-8"))
SERIES = {name: np.cumsum(values).astype(float) for name, values in KNOWN["series"].items()}
INFINITE = [(name, objective) for name in ("radio_8", "internet_8") for objective in OBJECTIVES]


def ages_of(levels):
    return np.arange(1.0, levels.shape[-1] + 1)


def curve(family, params, ages):
    """The textbook formulas, written out apart from the code under test."""
    m, a, b, *more = params
    t = np.asarray(ages, dtype=float)
    if family == "weibull":
        return m * (1 - np.exp(-((t / a) ** b)))
    if family == "gamma_shifted_gompertz":
        return m * (1 - np.exp(-b * t)) * (1 + a * np.exp(-b * t)) ** -more[0]
    if family == "richards":
        return m * (1 + more[0] * np.exp(-a * (t - b))) ** (-1 / more[0])
    if family == "bass":
        decay = np.exp(-(a + b) * t)
        return m * (1 - decay) / (1 + b / a * decay)
    if family == "logistic":
        return m / (1 + np.exp(-a * (t - b)))
    return m * np.exp(-a * np.exp(-b * t))


def simulated(n, ages, seed, noise=0.0):
    """Bass levels (n, ages) with their parameters m, p, q, each (n, 1)."""
    rng = np.random.default_rng(seed)
    truth = (
        rng.uniform(20, 95, (n, 1)),
        np.exp(rng.normal(np.log(0.01), 0.6, (n, 1))),
        np.exp(rng.normal(np.log(0.35), 0.3, (n, 1))),
    )
    return np.clip(curve("bass", truth, ages) + rng.normal(0, noise, (n, len(ages))), 0, 100), truth


def sum_of_squares(fits, levels, ages):
    """SSE by its definition, row by row, from the predictions and the observed points alone."""
    totals = []
    for row, fitted in zip(levels, fits.predict(ages), strict=True):
        seen = np.isfinite(row)
        y, a = row[seen], fitted[seen]
        if fits.objective == "increments":
            y, a = np.diff(y, prepend=0), np.diff(a, prepend=0)
        totals.append(np.sum((y - a) ** 2))
    return np.array(totals)


@pytest.mark.parametrize("name", KNOWN["published"])
def test_published_bass_fits_to_the_printed_digits(name):
    known = KNOWN["published"][name]
    levels = np.cumsum(known["increments"])[None].astype(float)
    fits = fit_curves(levels, ages_of(levels), objective="increments")
    assert fits.status[0] == "ok"
    assert round(fits.params["m"][0]) == known["m"]
    assert round(fits.params["p"][0], 4) == known["p"]
    assert round(fits.params["q"][0], 4) == known["q"]
    assert fits.sse[0] == pytest.approx(known["sse"], abs=0.01)
    errors = known["standard_errors"]
    assert round(fits.std_errors["m"][0]) == errors["m"]
    assert round(fits.std_errors["p"][0], 4) == errors["p"]
    assert round(fits.std_errors["q"][0], 4) == errors["q"]
    np.testing.assert_allclose(np.sqrt(np.diag(fits.covariance[0])), [v[0] for v in fits.std_errors.values()])


@pytest.mark.parametrize(
    "known",
    KNOWN["optimum"],
    ids=lambda k: f"{k['series']}-{k['family']}-{k['objective']}-{k.get('ceiling', 'free')}",
)
def test_known_optima(known):
    levels = SERIES[known["series"]][None]
    ages, chosen = ages_of(levels), known.get("chosen", {})
    fits = fit_curves(levels, ages, known["family"], known["objective"], known.get("ceiling"))
    if "search" in chosen.values():
        assert fits.status[0] == "no_finite_ceiling"
        assert np.isposinf(fits.params["m"][0])
        assert fits.sse[0] < known["sse"]
        return
    assert fits.sse[0] <= known["sse"] * (1 + 1e-9)
    assert fits.status[0] == ("on_bound" if chosen else "ok")
    assert np.isfinite(fits.std_errors["m"][0]) == (fits.status[0] == "ok")
    if "q" not in chosen:
        assert fits.sse[0] == pytest.approx(known["sse"], rel=1e-6)
        assert fits.params["m"][0] == pytest.approx(known["m"], rel=1e-5)
    np.testing.assert_allclose(fits.sse, sum_of_squares(fits, levels, ages), rtol=1e-9)


def test_the_density_form_of_the_video_recorders():
    """Another objective than ours, so that our parameters are a start: its optimum is the printed one."""
    known = KNOWN["density"]["video_recorders_1980_89"]
    sales, t = np.array(known["increments"], dtype=float), np.arange(1.0, 11)

    def density(x):
        m, p, q = x
        decay = np.exp(-(p + q) * t)
        return m * (p + q) ** 2 / p * decay / (1 + q / p * decay) ** 2

    ours = fit_curves(np.cumsum(sales)[None], t, objective="increments")
    assert ours.status[0] == "ok"
    start = [ours.params[name][0] for name in "mpq"]
    found = least_squares(lambda x: sales - density(x), start, x_scale=start, xtol=1e-14, ftol=1e-14, gtol=1e-14)
    variance = 2 * found.cost / (len(t) - 3)
    errors = np.sqrt(np.diag(np.linalg.inv(found.jac.T @ found.jac)) * variance)
    printed = known["refit"]
    assert found.x == pytest.approx([printed[name] for name in "mpq"], rel=1e-4)
    assert errors == pytest.approx([known["standard_errors"][name] for name in "mpq"], rel=1e-3)
    assert round(np.sqrt(variance)) == known["residual_standard_error"]
    assert round(found.x[1], 5) == known["p"]
    assert round(found.x[2], 3) == known["q"]
    assert round(found.x[0], -3) == known["m"]


@pytest.mark.parametrize(("name", "objective"), INFINITE)
def test_short_series_without_a_finite_ceiling(name, objective):
    levels = SERIES[name][None]
    ages = ages_of(levels)
    free = fit_curves(levels, ages, "bass", objective)
    assert free.status[0] == "no_finite_ceiling"
    assert np.isposinf(free.params["m"][0])
    assert free.params["p"][0] == 0
    assert np.isnan(free.covariance).all()
    assert free.sse[0] == pytest.approx(sum_of_squares(free, levels, ages)[0])
    assert free.predict([0.0])[0, 0] == 0
    for ceiling in (100.0, 1e4, 1e5):
        capped = fit_curves(levels, ages, "bass", objective, ceiling)
        assert capped.status[0] == "on_bound"
        assert capped.params["m"][0] == ceiling
        assert capped.sse[0] > free.sse[0]
        assert np.isnan(capped.std_errors["p"][0])


@pytest.mark.parametrize("family", ["logistic", "gompertz"])
def test_exponential_growth_has_no_finite_ceiling_and_is_continued(family):
    ages = np.arange(10.0)
    fits = fit_curves(3 * np.exp(0.3 * ages)[None], ages, family)
    assert fits.status[0] == "no_finite_ceiling"
    np.testing.assert_allclose(fits.predict([12.0])[0], 3 * np.exp(3.6), rtol=1e-4)


@pytest.mark.parametrize("ceiling", [40.0, 100.0])
def test_held_at_a_ceiling_the_larger_family_is_searched_from_the_simpler(ceiling):
    """Six figures that no curve bends in: the minimum lies where no start of the grid leads."""
    levels, ages = [[1.0, 2.0, 3.1, 4.5, 6.4, 9.2]], np.arange(1.0, 7.0)
    larger = fit_curves(levels, ages, "richards", ceiling=ceiling)
    simpler = [fit_curves(levels, ages, name, ceiling=ceiling).sse[0] for name in ("logistic", "gompertz")]
    assert larger.sse[0] <= min(simpler)

    def off(x):
        m, k, t50, log_v = x
        return levels[0] - m * (1 + np.exp(log_v - k * (ages - t50))) ** -np.exp(-log_v)

    bounds = ([0, 1e-3, 0, np.log(1e-3)], [ceiling, 10, 60, np.log(1e2)])
    polished = [least_squares(off, [0.9 * ceiling, 0.2, 10, log_v], bounds=bounds).cost for log_v in (-4, -2, -1, 0.1)]
    assert larger.sse[0] <= 2 * min(polished) * (1 + 1e-6)


def test_a_launch_that_could_only_lie_outside_its_bounds_is_refused():
    ages = np.arange(1.0, 21.0)
    levels = np.stack([60 * (1 - np.exp(-0.1 * ages)), 60 * (1 - np.exp(-0.1 * ages))])
    levels[0, :4] = np.nan
    with pytest.raises(ValueError, match="row 1: observed three times by age 5, the earliest at which launch may be"):
        fit_curves(levels, ages, launch=(5.0, 10.0))
    assert (fit_curves(levels[:1], ages, launch=(5.0, 10.0)).params["launch"] >= 5.0).all()


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("family", [name for name, family in FAMILIES.items() if family.from_launch])
def test_with_a_launch_to_be_estimated_the_sum_of_squares_is_that_of_the_curve_given(family, objective):
    """Exponential and linear growth: what has no finite ceiling has a launch of its own, and the curve that goes with it."""
    ages, rng = np.arange(1.0, 11.0), np.random.default_rng(0)
    growing = np.exp(0.3 * ages) * (1 + 0.03 * rng.standard_normal((8, 10)))
    levels = np.vstack([growing, 2 * (ages + 1.5) + 0.3 * rng.standard_normal((8, 10))])
    fits = fit_curves(levels, ages, family, objective, launch=(-6.0, 1.5))
    off = levels - fits.predict(ages)
    off = np.diff(off, axis=1, prepend=0.0) if objective == "increments" else off
    np.testing.assert_allclose((off**2).sum(axis=1), fits.sse, rtol=1e-6)
    endless = fits.status == "no_finite_ceiling"
    assert endless[:8].any()
    assert np.isposinf(fits.params["m"][endless]).all()
    assert ((fits.params["launch"] >= -6.0) & (fits.params["launch"] <= 1.5)).all()
    given = [fit_curves(levels, ages - at, family, objective).sse for at in (-5.0, -2.0, 0.0, 1.0)]
    assert (fits.sse <= np.min(given, axis=0) * (1 + 1e-6)).all()


def test_linear_growth_from_launch_has_no_finite_ceiling():
    ages = np.arange(1.0, 11)
    fits = fit_curves(2 * ages[None], ages)
    assert fits.status[0] == "no_finite_ceiling"
    np.testing.assert_allclose(fits.predict([20.0, 0.0, -3.0])[0], [40, 0, 0], rtol=1e-4)


def test_imitation_at_zero_is_flagged():
    levels = SERIES["colour_television_10"][None]
    fits = fit_curves(levels, ages_of(levels))
    assert fits.status[0] == "on_bound"
    assert fits.sse[0] <= 31.257181739915474  # found with q held at 1.1e-7
    assert fits.params["m"][0] == pytest.approx(521.4, abs=0.1)
    assert np.isnan(fits.std_errors["m"][0])


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize(
    ("family", "params"),
    [
        ("bass", (80, 0.01, 0.4)),
        ("logistic", (60, 0.35, 12)),
        ("gompertz", (90, 9, 0.2)),
        ("weibull", (70, 12.0, 2.5)),
        ("gamma_shifted_gompertz", (80, 20.0, 0.3, 2.0)),
        ("richards", (65, 0.4, 13.0, 2.0)),
    ],
)
def test_exact_curves_are_recovered_with_gaps(family, params, objective):
    ages = np.arange(1.0, 31)
    levels = np.tile(curve(family, params, ages), (3, 1))
    levels[1, [0, 4, 5, 6, 20]] = np.nan
    levels[2, :8] = np.nan
    fits = fit_curves(levels, ages, family, objective)
    assert list(fits.params) == list(FAMILIES[family].parameters)
    assert set(fits.status) == {"ok"}
    for name, value in zip(fits.params, params, strict=True):
        np.testing.assert_allclose(fits.params[name], value, rtol=1e-5)
    np.testing.assert_allclose(fits.predict([40, 2])[1], curve(family, params, [40, 2]), rtol=1e-6)


def test_noisy_curves_are_recovered_within_their_standard_errors():
    ages = np.arange(1.0, 31)
    levels, truth = simulated(400, ages, seed=11, noise=1.0)
    inside = levels.min(axis=1) > 0  # clipped noise is not the model
    fits = fit_curves(levels[inside], ages)
    for name, value in zip("mpq", truth, strict=True):
        off = np.abs(fits.params[name] - value[inside, 0]) / fits.std_errors[name]
        assert 0.90 < np.mean(off[np.isfinite(off)] < 2.05) < 0.99
    assert np.mean(fits.status == "ok") > 0.9


@pytest.mark.parametrize("family", FAMILIES)
def test_never_worse_than_scipy_from_random_starts(family):
    """Ceilinged, so that an optimum exists; q, k, c and b held positive as in the fit."""
    rng = np.random.default_rng(7)
    lengths = rng.integers(5, 13, 15)
    for number, n in enumerate(lengths):
        ages, objective = np.arange(1.0, n + 1), OBJECTIVES[number % 2]
        levels, _ = simulated(1, ages, seed=number, noise=2.0)
        levels[0, 1] = max(levels[0, 1], 1.0)
        best = min(scipy_sse(family, levels[0], ages, objective, rng) for _ in range(12))
        fits = fit_curves(levels, ages, family, objective, 100.0)
        assert fits.sse[0] <= best * (1 + 1e-6)
        np.testing.assert_allclose(fits.sse, sum_of_squares(fits, levels, ages), rtol=1e-9)


SEARCHED = {
    "bass": ([-9, -6], [1, 2]),
    "logistic": ([-4, -10], [2, 40]),
    "gompertz": ([-4, -4], [6, 1]),
    "weibull": ([0, -1], [4, 2]),
    "gamma_shifted_gompertz": ([-3, -3, -3], [5, 1, 3]),
    "richards": ([-4, -10, -3], [2, 40, 3]),
}


def scipy_sse(family, levels, ages, objective, rng):
    """SSE at the local optimum scipy reaches from one random start."""
    steps = np.diff(levels, prepend=0.0) if objective == "increments" else levels

    def residuals(x):
        second = x[2] if family in ("logistic", "richards") else np.exp(x[2])
        with np.errstate(over="ignore"):
            fitted = curve(family, (x[0], np.exp(x[1]), second, *np.exp(x[3:])), ages)
        return steps - (np.diff(fitted, prepend=0.0) if objective == "increments" else fitted)

    low, high = SEARCHED[family]
    start = [rng.uniform(1, 100), *rng.uniform(low, high)]
    found = least_squares(residuals, start, bounds=([0, *np.subtract(low, 1)], [100, *np.add(high, 1)]))
    return 2 * found.cost


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_capped_curve_stays_under_its_ceiling(family, objective):
    rng = np.random.default_rng(3)
    ages = np.arange(0.0, 15)
    levels = np.sort(rng.uniform(0, 100, (200, 15)), axis=1)
    fits = fit_curves(levels, ages, family, objective, 100.0)
    predicted = fits.predict(np.linspace(-5, 1000, 400))
    assert predicted.max() <= 100
    assert predicted.min() >= 0
    assert (fits.params["m"] <= 100).all()
    assert (fits.status == "on_bound").any()
    free = fit_curves(levels, ages, family, objective)
    # Levels drawn without any curve in mind: the more parameters, the more minima there are to miss.
    assert (free.sse <= fits.sse * (1 + 1e-6)).mean() > (0.98 if len(free.params) == 3 else 0.95)
    below = free.params["m"] <= 100
    np.testing.assert_allclose(fits.sse[below], free.sse[below], rtol=1e-9)


def test_an_interior_minimum_below_the_ceiling_is_kept():
    levels, _ = simulated(300, np.arange(1.0, 21), seed=2, noise=3.0)
    ages = ages_of(levels)
    free, capped = fit_curves(levels, ages), fit_curves(levels, ages, ceiling=100.0)
    under = (free.status == "ok") & (free.params["m"] < 100)
    assert under.sum() > 100
    for name in "mpq":
        np.testing.assert_allclose(capped.params[name][under], free.params[name][under], rtol=1e-6)
        np.testing.assert_allclose(capped.std_errors[name][under], free.std_errors[name][under], rtol=1e-5)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    exponent=st.integers(-200, 12),
    family=st.sampled_from(sorted(FAMILIES)),
    objective=st.sampled_from(OBJECTIVES),
)
def test_the_unit_of_the_levels_does_not_matter(seed, exponent, family, objective):
    scale = 2.0**exponent
    ages = np.arange(1.0, 16)
    levels, _ = simulated(3, ages, seed, noise=0.5)
    one = fit_curves(levels, ages, family, objective, ceiling=150.0)
    other = fit_curves(levels * scale, ages, family, objective, ceiling=150.0 * scale)
    np.testing.assert_array_equal(one.status, other.status)
    for name in one.params:
        factor = scale if name == "m" else 1.0
        np.testing.assert_allclose(other.params[name], one.params[name] * factor, rtol=1e-6)
    np.testing.assert_allclose(other.predict(ages), one.predict(ages) * scale, rtol=1e-6, atol=1e-9 * scale)


def test_the_unit_of_time_does_not_matter():
    levels, _ = simulated(20, np.arange(1.0, 21), seed=8, noise=0.5)
    yearly, monthly = fit_curves(levels, ages_of(levels)), fit_curves(levels, 12 * ages_of(levels))
    np.testing.assert_allclose(monthly.sse, yearly.sse, rtol=1e-9)
    np.testing.assert_allclose(monthly.params["q"] * 12, yearly.params["q"], rtol=1e-5)


def test_a_row_is_fitted_the_same_in_any_company():
    ages = np.arange(1.0, 31)
    levels, _ = simulated(3000, ages, seed=4, noise=1.0)
    rng = np.random.default_rng(4)
    levels[rng.random(levels.shape) < 0.2] = np.nan
    together = fit_curves(levels, ages)
    rows = np.array([0, 17, 1500, 2999])
    for row in rows:
        alone = fit_curves(levels[[row]], ages)
        np.testing.assert_allclose(alone.predict(ages)[0], together.predict(ages)[row], rtol=1e-6)
        assert alone.status[0] == together.status[row]


@pytest.mark.parametrize("ceiling", [None, 100.0])
@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("family", FAMILIES)
def test_rows_that_cannot_be_fitted_say_so_without_a_warning(family, objective, ceiling):
    ages = np.arange(0.0, 8)
    nan = np.nan
    levels = np.array(
        [
            [nan] * 8,
            [nan, nan, 7, nan, nan, nan, nan, nan],
            [50] * 8,
            [0] * 8,
            [80, 70, 60, 50, 40, 30, 20, 10],
            [0, 1, 3, 8, 20, 40, 55, 60],
            [0, 0, 0, 0, 0, 0, 0, 100],
            [0, 100, 100, 100, 100, 100, 100, 100],
            [100, 0, 100, 0, 100, 0, 100, 0],
            [0, 0, 0, 1e-300, 0, 0, 0, 0],
        ]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fits = fit_curves(levels, ages, family, objective, ceiling)
        predicted = fits.predict(np.array([-1e6, 0, 5, 1e6]))
    assert list(fits.status[:6]) == [*["too_few_points"] * 2, *["no_growth"] * 3, "ok"]
    assert np.isnan([value[:5] for value in fits.params.values()]).all()
    assert np.isnan(predicted[:5]).all()
    assert np.isnan(fits.sse[:5]).all()
    assert not np.isnan(predicted[5:]).any()
    assert not np.isnan(fits.sse[5:]).any()
    assert np.isnan(fits.covariance[fits.status != "ok"]).all()


def test_no_rows_and_no_years():
    assert fit_curves(np.empty((0, 5)), np.arange(5.0)).predict([1.0]).shape == (0, 1)
    assert list(fit_curves(np.empty((2, 0)), np.empty(0)).status) == ["too_few_points"] * 2


GOOD = np.array([[1.0, 2, 4, 7, 9], [2, 3, 5, 8, 9]])
AGES = np.arange(1.0, 6)


def spoilt(value):
    levels = GOOD.copy()
    levels[1, 3] = value
    return levels


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"levels": spoilt(np.inf)}, "row 1.*position 3 is infinite"),
        ({"levels": spoilt(-np.inf)}, "row 1.*is infinite"),
        ({"levels": spoilt(2e15)}, r"row 1.*is over 1e\+15"),
        ({"levels": spoilt(1e300)}, r"row 1: level 1e\+300 at position 3 is over 1e\+15"),
        ({"ages": np.array([1993, 1992, 1994, 1995, 1996])}, r"age 1 \(1992\) follows 1993"),
        ({"levels": spoilt(-0.5)}, "row 1.*is negative"),
        ({"levels": spoilt(10.1), "ceiling": 10}, "row 1: level 10.1 .*above the ceiling 10"),
        ({"levels": GOOD[0]}, r"\(n_series, 5\)"),
        ({"levels": GOOD[:, :4]}, r"not \(2, 4\)"),
        ({"ages": AGES[::-1]}, r"age 1 \(4\) follows 5"),
        ({"ages": np.array([1.0, 2, 2, 3, 4])}, r"age 2 \(2\) follows 2"),
        ({"ages": np.array([1.0, 2, np.nan, 3, 4])}, "age 2 is not finite"),
        ({"ages": np.array([1.0, 2, 3, 4, np.inf])}, "age 4 is not finite"),
        ({"ages": np.tile(AGES, (2, 1))}, r"one vector for all series, not of shape \(2, 5\)"),
        ({"ceiling": 0.0}, "ceiling must be"),
        ({"ceiling": np.nan}, "ceiling must be"),
        ({"ceiling": np.inf}, "ceiling must be"),
        ({"family": "basss"}, "'basss' is not one of bass, logistic, gompertz"),
        ({"objective": "levels"}, "'levels' is not one of cumulative, increments"),
    ],
)
def test_bad_input_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        fit_curves(**{"levels": GOOD, "ages": AGES, **arguments})


def test_a_level_at_the_ceiling_but_for_rounding_is_accepted():
    levels = np.array([[10.0, 40, 70, 95, 100 * (1 + 1e-12)]])
    fits = fit_curves(levels, AGES, ceiling=100.0)
    assert fits.predict([1e3])[0, 0] <= 100


def test_predict_refuses_bad_ages():
    fits = fit_curves(GOOD, AGES)
    with pytest.raises(ValueError, match="not finite"):
        fits.predict([1.0, np.nan])
    with pytest.raises(ValueError, match="one vector"):
        fits.predict([[1.0]])


@pytest.mark.parametrize("family", FAMILIES)
def test_the_estimator_keeps_the_conventions_of_scikit_learn(family):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the checks that need pandas or the array interface
        results = check_estimator(DiffusionCurve(family))
    assert sum(result["status"] == "passed" for result in results) > 40


def test_with_increments_only_the_checks_that_repeat_an_age_fail():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(DiffusionCurve(objective="increments"), on_fail=None)
    failed = {result["check_name"] for result in results if result["status"] == "failed"}
    assert failed == {"check_positive_only_tag_during_fit", "check_estimators_dtypes"}
    assert sum(result["status"] == "passed" for result in results) > 40


def test_the_estimator_agrees_with_the_batch_in_any_order():
    levels = SERIES["radio"]
    ages = ages_of(levels)
    fits = fit_curves(levels[None], ages, "gompertz", "increments", 100.0)
    shuffled = np.random.default_rng(0).permutation(len(ages))
    model = DiffusionCurve("gompertz", "increments", 100.0).fit(ages[shuffled, None], levels[shuffled])
    assert model.status_ == "ok"
    assert model.sse_ == pytest.approx(fits.sse[0])
    assert model.params_ == pytest.approx({name: value[0] for name, value in fits.params.items()})
    assert model.std_errors_ == pytest.approx({name: value[0] for name, value in fits.std_errors.items()})
    np.testing.assert_allclose(model.predict(ages[:, None]), fits.predict(ages)[0])


@pytest.mark.parametrize(
    ("model", "ages", "levels", "message"),
    [
        (DiffusionCurve(), [1, 2, 3], [1, 2, 3], "too_few_points"),
        (DiffusionCurve(), [1, 1, 1, 2, 2], [1, 2, 3, 4, 5], "too_few_points"),
        (DiffusionCurve(), [1, 2, 3, 4, 5], [5, 4, 3, 2, 1], "no_growth"),
        (DiffusionCurve(), [1, 2, 3, 4, 5], [5, 4, -3, 2, 1], "row 0.*negative"),
        (DiffusionCurve(objective="increments"), [1, 2, 2, 4, 5], [1, 2, 3, 4, 5], "must increase"),
        (DiffusionCurve(ceiling=4), [1, 2, 3, 4, 5], [1, 2, 3, 4, 5], "above the ceiling"),
    ],
)
def test_the_estimator_refuses_what_it_cannot_fit(model, ages, levels, message):
    with pytest.raises(ValueError, match=message):
        model.fit(np.reshape(ages, (-1, 1)), levels)


def test_seven_thousand_series_are_all_fitted():
    ages = np.arange(1.0, 31)
    levels, _ = simulated(7000, ages, seed=0, noise=2.0)
    fits = fit_curves(levels, ages, ceiling=100.0)
    assert np.isfinite(fits.sse).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_the_worked_example_of_each_family_comes_out_as_it_says(family):
    examples = doctest.DocTestFinder().find(getattr(curve_shapes, family), family)
    assert sum(len(example.examples) for example in examples) >= 5
    for example in examples:
        failed, _ = doctest.DocTestRunner().run(example)
        assert failed == 0
