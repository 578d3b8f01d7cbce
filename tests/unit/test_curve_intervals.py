"""Intervals that hold where errors go together; criteria by hand; Bass' regression where it is none."""

from functools import partial

import numpy as np
import pytest
from longwave.models.curve_comparison import bass_regression, compare_families
from longwave.models.curve_intervals import bootstrap_intervals
from longwave.models.curve_profiles import profile_intervals
from longwave.models.curves import fit_curves

AGES = np.arange(1.0, 31)
TRUTH = {"m": 80.0, "p": 0.02, "q": 0.3}


def bass(t, m, p, q):
    decay = np.exp(-(p + q) * t)
    return m * (1 - decay) / (1 + q / p * decay)


def noisy(n, rho, seed=0, spread=0.8):
    errors = np.random.default_rng(seed).standard_normal((n, len(AGES)))
    for j in range(1, len(AGES)):
        errors[:, j] = rho * errors[:, j - 1] + np.sqrt(1 - rho**2) * errors[:, j]
    return np.clip(bass(AGES, **TRUTH) + spread * errors, 0, None)


def covers(intervals, name):
    return np.mean((intervals.low[name] <= TRUTH[name]) & (TRUTH[name] <= intervals.high[name]))


@pytest.mark.parametrize("rho", [0.0, 0.6])
def test_the_bootstrap_covers_with_independent_and_with_autocorrelated_errors(rho):
    levels = noisy(300, rho)
    fits = fit_curves(levels, AGES)
    made = bootstrap_intervals(fits, levels, AGES, seed=1, replicates=200, ages_ahead=[10.0, 40.0])
    for name in TRUTH:
        assert 0.82 < covers(made, name) < 0.96  # 0.90, and three standard errors of 300 series
    wald = np.mean(np.abs(fits.params["m"] - 80) < 1.7 * fits.std_errors["m"])
    assert bool(wald > 0.82) == (rho == 0.0), "usual standard errors do not stand up to the autocorrelation"
    assert made.autocorrelation.mean() == pytest.approx(rho, abs=0.08)
    true = bass(np.array([10.0, 40.0]), **TRUTH)
    inside = ((made.low["level"] <= true) & (true <= made.high["level"])).mean(axis=0)
    assert (inside > 0.82).all()


def test_a_launch_that_is_estimated_has_an_interval_too():
    rng = np.random.default_rng(4)
    launch = rng.uniform(-3, 0, 40)
    decay = np.exp(-0.32 * (AGES[None, :] - launch[:, None]))
    levels = 80 * (1 - decay) / (1 + 15 * decay) + rng.standard_normal((40, 30))
    levels = np.clip(levels, 0, None)
    fits = fit_curves(levels, AGES, launch=(-6.0, 2.5))
    made = bootstrap_intervals(fits, levels, AGES, seed=1, replicates=60, ages_ahead=[20.0], launch=(-6.0, 2.5))
    assert list(made.low) == ["m", "p", "q", "launch", "level"]
    assert np.mean((made.low["launch"] <= launch) & (launch <= made.high["launch"])) > 0.7
    assert (made.low["launch"] >= -6).all()
    assert (made.high["launch"] <= 2.5).all()
    assert (made.low["launch"] < fits.params["launch"]).mean() > 0.9


def test_the_bootstrap_depends_on_seed_and_data_alone():
    levels = noisy(4, 0.3)
    levels[2] = np.nan
    levels[3, [3, 4, 9]] = np.nan
    fits = fit_curves(levels, AGES, "logistic", "increments", 100.0)
    one = bootstrap_intervals(fits, levels, AGES, seed=5, replicates=40)
    two = bootstrap_intervals(fits, levels, AGES, seed=5, replicates=40, threads=2)
    other = bootstrap_intervals(fits, levels, AGES, seed=6, replicates=40)
    for name in fits.params:
        np.testing.assert_array_equal(one.low[name], two.low[name])
        assert not np.array_equal(one.low[name], other.low[name], equal_nan=True)
        assert np.isnan(one.low[name][2])
        good = [0, 1, 3]
        assert (one.low[name][good] < one.high[name][good]).all()
    assert (one.high["m"][good] <= 100).all()


def test_a_ceiling_that_the_data_do_not_bound_has_none_above():
    levels = noisy(40, 0.0, spread=1.0)[:, :9]
    fits = fit_curves(levels, AGES[:9])
    made = bootstrap_intervals(fits, levels, AGES[:9], seed=2, replicates=60)
    fitted = np.isfinite(made.endless)
    assert np.isnan(made.low["m"][fits.status == "no_finite_ceiling"]).all()
    assert np.isposinf(made.high["m"][fitted & (made.endless > 0.1)]).all()
    profiles = profile_intervals(fits, levels, AGES[:9])
    assert np.isposinf(profiles.high["m"]).any()
    assert (profiles.low["m"] > 0).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"level": 1.0}, "level must lie between"),
        ({"replicates": 5}, "replicates must be at least 20"),
        ({"levels": noisy(2, 0)[:, :5]}, r"levels must be \(2, 30\)"),
        ({"fits": fit_curves(noisy(2, 0), AGES, launch=(-1, 1))}, "give the bounds it had"),
    ],
)
def test_what_makes_no_interval_is_refused(change, message):
    levels = noisy(2, 0)
    arguments = {"fits": fit_curves(levels, AGES), "levels": levels, "ages": AGES, "seed": 1} | change
    with pytest.raises(ValueError, match=message):
        bootstrap_intervals(**arguments)


def test_the_criteria_are_those_of_the_textbook_and_name_no_winner():
    levels = noisy(30, 0.0)
    levels[0, 20:] = np.nan
    levels[1, 4:] = np.nan
    made = compare_families(levels, AGES, ["bass", "logistic", "richards"], held_out=4)
    fits = fit_curves(levels, AGES)
    n, k = 20, 4
    expected = n * np.log(fits.sse[0] / n) + 2 * k + 2 * k * (k + 1) / (n - k - 1)
    assert made.aicc["bass"][0] == pytest.approx(expected)
    assert all(np.isnan(made.aicc[family][1]) for family in made.aicc)
    total = sum(made.weight.values())
    np.testing.assert_allclose(total[2:], 1.0)
    assert total[1] == 0
    assert np.mean(made.weight["bass"][2:] > made.weight["logistic"][2:]) > 0.9, "Bass made them"
    before = fit_curves(levels[[5], :26], AGES[:26])
    error = np.sqrt(np.mean((levels[5, 26:] - before.predict(AGES[26:])[0]) ** 2))
    assert made.foreseen["bass"][5] == pytest.approx(error)
    assert not hasattr(made, "best")
    with pytest.raises(ValueError, match="held out"):
        compare_families(levels, AGES, held_out=0)
    with pytest.raises(ValueError, match="at least one family"):
        compare_families(levels, AGES, [])


def test_bass_regression_finds_a_discrete_bass_and_is_nothing_where_p_is_not_positive():
    m, p, q = 500.0, 0.02, 0.4
    total, sales = 0.0, []
    for _ in range(15):
        sales.append((p + q * total / m) * (m - total))
        total += sales[-1]
    assert bass_regression(sales) == pytest.approx({"m": m, "p": p, "q": q})
    assert all(np.isnan(value) for value in bass_regression([10.0, 1, 2, 5, 20, 60, 80, 40, 10]).values())
    assert all(np.isnan(value) for value in bass_regression([1.0, 2, 4, 8, 16, 33]).values())
    with pytest.raises(ValueError, match="at least four finite"):
        bass_regression([1.0, 2, 3])
    with pytest.raises(ValueError, match="at least four finite"):
        bass_regression([1.0, 2, np.nan, 3])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("intervals", [profile_intervals, partial(bootstrap_intervals, seed=1, replicates=20)])
def test_what_could_not_be_fitted_has_no_intervals_either(intervals):
    levels = noisy(2, 0.0)
    fits = fit_curves(levels, AGES, ceiling=100.0)
    wrong = {"is negative": -1.0, "is infinite": np.inf, "is above the ceiling": 101.0}
    for what, value in wrong.items():
        spoilt = levels.copy()
        spoilt[1, 7] = value
        with pytest.raises(ValueError, match=f"row 1: level .* at position 7 {what}"):
            intervals(fits, spoilt, AGES)
    with pytest.raises(ValueError, match="ages must increase"):
        intervals(fits, levels, AGES[::-1])
    with pytest.raises(ValueError, match="levels must be"):
        intervals(fits, levels[:1], AGES)
    for ahead, what in ((10.0, "one vector"), ([[1.0, 2.0]], "one vector"), ([3.0, np.inf], "age 1 is not finite")):
        with pytest.raises(ValueError, match=what):
            intervals(fits, levels, AGES, ages_ahead=ahead)


@pytest.mark.filterwarnings("error")
def test_a_parameter_near_the_largest_number_has_an_interval_without_a_warning():
    """A jump at the end drives gamma/shifted Gompertz to its edge, where a is 1e304."""
    levels = np.array([[0.0, 4.87, 0.04, 0.0, 3.25, 3.13, 0.0, 3.63, 12.44, 11.51]])
    fits = fit_curves(levels, AGES[:10], "gamma_shifted_gompertz")
    assert fits.status[0] == "on_bound"
    assert fits.params["a"][0] > 1e300
    made = bootstrap_intervals(fits, levels, AGES[:10], seed=1, replicates=20)
    assert made.low["m"][0] < 12.44 <= made.high["m"][0]
    assert all(made.low[name][0] <= made.high[name][0] for name in fits.params)
