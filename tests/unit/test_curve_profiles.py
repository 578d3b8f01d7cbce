"""Profile-likelihood intervals: where the sum of squares has risen by the quantile, for whatever is asked."""

import numpy as np
import pytest
import textbook_curves as textbook
from longwave.models.curve_errors import uncut
from longwave.models.curve_profiles import profile_intervals
from longwave.models.curves import FAMILIES, fit_curves
from scipy.optimize import brentq, least_squares
from scipy.stats import f

AGES, TRUTH, curve = textbook.AGES, textbook.TRUTH, textbook.curve


def simulated(family, n, seed=0, spread=0.8, ages=AGES):
    noise = np.random.default_rng(seed).standard_normal((n, len(ages)))
    return np.clip(curve(family, ages, TRUTH[family]) + spread * noise, 0, None)


def least_beside(family, y, start, place, value):
    """Least sum of squares with one parameter held, by scipy, in logarithms of the others."""

    def off(x):
        return y - curve(family, AGES, np.insert(np.exp(x), place, value))

    return 2 * least_squares(off, np.log(np.delete(start, place)), xtol=1e-13, ftol=1e-13, gtol=1e-13).cost


@pytest.mark.parametrize("family", FAMILIES)
def test_at_both_ends_of_every_parameter_the_least_sum_of_squares_is_that_asked_for(family):
    levels = simulated(family, 1, spread=0.2)
    fits = fit_curves(levels, AGES, family)
    names = FAMILIES[family].parameters
    start = np.array([fits.params[name][0] for name in names])
    assert uncut(fits.predict(AGES)[0], levels[0], len(names), None).all(), "nothing was cut off here"
    bar = fits.sse[0] * (1 + f.ppf(0.9, 1, 30 - len(names)) / (30 - len(names)))
    made = profile_intervals(fits, levels, AGES, level=0.9)
    for place, name in enumerate(names):
        for end in (made.low[name][0], made.high[name][0]):
            assert least_beside(family, levels[0], start, place, end) == pytest.approx(bar, rel=1e-7), name
        assert made.low[name][0] < start[place] < made.high[name][0]


def test_the_profile_of_a_level_ahead_is_that_of_refits_by_scipy():
    levels = simulated("bass", 1, spread=0.4)[:, :14]
    ages = AGES[:14]
    fits = fit_curves(levels, ages)
    made = profile_intervals(fits, levels, ages, ages_ahead=[25.0])
    bar = fits.sse[0] * (1 + f.ppf(0.9, 1, 11) / 11)

    def over(level):
        def off(x):  # m follows from p, q and the level ahead
            share = curve("bass", np.array([25.0]), (1.0, *np.exp(x)))[0]
            return levels[0] - curve("bass", ages, (level / share, *np.exp(x)))

        start = np.log([fits.params["p"][0], fits.params["q"][0]])
        return 2 * least_squares(off, start, xtol=1e-13, ftol=1e-13, gtol=1e-13).cost - bar

    best = fits.predict([25.0])[0, 0]
    assert uncut(fits.predict(ages)[0], levels[0], 3, None).all()
    assert made.low["level"][0, 0] == pytest.approx(brentq(over, best * 0.7, best), rel=1e-6)
    assert made.high["level"][0, 0] == pytest.approx(brentq(over, best, best * 1.5), rel=1e-6)


def test_the_profile_of_an_estimated_launch_is_that_of_fits_at_given_launches():
    levels = simulated("bass", 1, spread=0.3, ages=AGES + 2.0)
    fits = fit_curves(levels, AGES, launch=(-8.0, 2.5))
    made = profile_intervals(fits, levels, AGES, launch=(-8.0, 2.5), ages_ahead=[40.0])
    assert list(made.low) == ["m", "p", "q", "launch", "level"]
    told = uncut(fits.predict(AGES)[0], levels[0], 4, None)
    assert told.all()
    bar = fits.sse[0] * (1 + f.ppf(0.9, 1, 26) / 26)
    for end in (made.low["launch"][0], made.high["launch"][0]):
        assert -8 < end < 2.5
        assert fit_curves(levels, AGES - end).sse[0] == pytest.approx(bar, rel=1e-6)


@pytest.mark.parametrize("objective", ["cumulative", "increments"])
def test_what_the_data_do_not_bound_has_no_end_there(objective):
    levels = simulated("bass", 16, spread=1.0)[:, :9]
    fits = fit_curves(levels, AGES[:9], objective=objective)
    made = profile_intervals(fits, levels, AGES[:9], ages_ahead=[30.0])
    endless = fits.status == "no_finite_ceiling"
    assert np.isposinf(made.high["m"]).any()
    assert np.isposinf(made.high["m"][endless]).all()
    assert (made.low["m"] > 0).all()
    assert np.isnan(made.low["q"][endless]).all()
    known = ~endless
    for name in ("p", "q"):
        assert (made.low[name][known] < fits.params[name][known]).all()
        assert (made.high[name][known] > fits.params[name][known]).all()
    capped = fit_curves(levels, AGES[:9], objective=objective, ceiling=90.0)
    limited = profile_intervals(capped, levels, AGES[:9], ages_ahead=[30.0])
    assert (limited.high["m"] <= 90 * (1 + 1e-9)).all()
    assert (limited.high["level"] <= 90 * (1 + 1e-9)).all()


def test_profiles_cover_with_independent_errors_and_gaps():
    levels = simulated("weibull", 100)
    levels[:, [4, 5, 11, 20]] = np.nan
    made = profile_intervals(fit_curves(levels, AGES, "weibull"), levels, AGES, ages_ahead=[15.0])
    for name, truth in zip(("m", "a", "b"), TRUTH["weibull"], strict=True):
        assert 0.79 < np.mean((made.low[name] <= truth) & (truth <= made.high[name])) < 0.99, name
    truth = curve("weibull", 15.0, TRUTH["weibull"])
    assert 0.79 < np.mean((made.low["level"] <= truth) & (truth <= made.high["level"])) < 0.99


def test_rows_without_a_fit_have_no_interval_and_bad_input_is_refused():
    levels = simulated("bass", 3)
    levels[1] = np.nan
    fits = fit_curves(levels, AGES)
    made = profile_intervals(fits, levels, AGES, ages_ahead=[3.0, 5.0])
    assert np.isnan(made.low["p"][1])
    assert np.isnan(made.high["level"][1]).all()
    assert np.isfinite(made.high["p"][[0, 2]]).all()
    with pytest.raises(ValueError, match="level must lie between"):
        profile_intervals(fits, levels, AGES, level=0.0)
    with pytest.raises(ValueError, match="give the bounds it had"):
        profile_intervals(fits, levels, AGES, launch=(-1.0, 1.0))
