"""Curves with learnt ceilings and speeds, on histories made by hand."""

import numpy as np
import polars as pl
import pytest
from longwave.models.forecast_priors import COUNT_CEILINGS, PriorMember
from longwave.models.forecast_scale import own_trend
from longwave.models.histories import Histories

HORIZONS = (1, 5, 10, 20)
NAN = np.nan


def histories(levels, *, unit="share", medium=None, ceiling=100.0):
    """Histories of named rows of levels, NaN where not observed; one family each, or that of ``medium``."""
    rows = [
        {
            **dict.fromkeys(("series", "concept_group", "place"), name),
            **dict.fromkeys(("medium", "family"), (medium or {}).get(name, name)),
            "panel": "one",
            "unit_class": unit,
            "ceiling": ceiling,
            "launch": None,
            "year": 1950 + step,
            "value": float(value),
        }
        for name, values in levels.items()
        for step, value in enumerate(values)
        if np.isfinite(value)
    ]
    return Histories.from_frame(pl.DataFrame(rows, infer_schema_length=None))


def logistic(years, speed, middle, top=100.0):
    return top / (1.0 + np.exp(-speed * (np.arange(years) - middle)))


def gompertz(years, speed, middle, top=100.0):
    return top * np.exp(-np.exp(-speed * (np.arange(years) - middle)))


def many(seed=0, n=12, low=60.0, high=100.0, years=45):
    rng = np.random.default_rng(seed)
    drawn = rng.uniform(0.15, 0.6, n), rng.uniform(10, 22, n), rng.uniform(low, high, n)
    return {f"r{i:02d}": logistic(years, *(float(values[i]) for values in drawn)) for i in range(n)}


def test_a_finished_curve_stays_about_where_it_is():
    found = PriorMember().fit(histories(many())).predict(histories({"t": logistic(40, 0.3, 15, 80.0)}), HORIZONS)
    np.testing.assert_allclose(found[0], 80.0, atol=2.0)


@pytest.mark.parametrize(("top", "limits"), [((35.0, 45.0), (32.0, 46.0)), ((85.0, 99.0), (70.0, 99.0))])
def test_the_ceiling_is_learnt_from_others(top, limits):
    """The same early years, other references: what they levelled off at is where the forecast ends."""
    references = histories(many(low=top[0], high=top[1]), unit="count", ceiling=None)
    target = histories({"t": logistic(10, 0.4, 14, 60.0)}, unit="count", ceiling=None)
    found = PriorMember(own_trend=0.0).fit(references).predict(target, [40])[0, 0]
    assert limits[0] < found < limits[1]


def test_the_history_decides_between_speeds():
    """Half of the references are slow, half are fast; four years tell which one is meant."""
    slow = {f"s{i}": logistic(45, 0.15, 25) for i in range(4)}
    fast = {f"f{i}": logistic(45, 0.6, 12) for i in range(4)}
    member = PriorMember(own_trend=0.0).fit(histories({**slow, **fast}))
    start = {"slow": logistic(20, 0.15, 25)[-6:], "fast": logistic(20, 0.6, 20.4)[-6:]}
    targets = histories(start)
    found = dict(zip(targets.info["series"], member.predict(targets, [5])[:, 0], strict=True))
    truth = {"slow": logistic(30, 0.15, 25)[24], "fast": logistic(30, 0.6, 20.4)[24]}
    for name in start:
        assert found[name] == pytest.approx(truth[name], rel=0.15)
    of_fast = member.weights(targets)[:, :4].sum(axis=1)
    assert of_fast[0] > 0.7, "series and references are sorted by name: fast first"
    assert of_fast[1] < 0.3


@pytest.mark.parametrize("curve", ["logistic", "gompertz"])
def test_each_curve_alone(curve):
    shape = {"logistic": logistic, "gompertz": gompertz}[curve]
    references = {f"r{i}": shape(45, speed, 14, 90.0) for i, speed in enumerate((0.2, 0.25, 0.3, 0.35))}
    member = PriorMember(curves=[curve], own_trend=0.0).fit(histories(references))
    found = member.predict(histories({"t": shape(14, 0.27, 12, 90.0)}), [5, 10])
    np.testing.assert_allclose(found[0], shape(30, 0.27, 12, 90.0)[[18, 23]], rtol=0.1)


def test_left_out_is_as_never_seen():
    medium = {name: "x" if name < "r06" else "y" for name in many()}
    references = histories(many(), medium=medium)
    target = histories({"r03": many()["r03"][:14], "t": many(1)["r05"][:9]})
    exclude = np.zeros((2, len(references)), dtype=bool)
    exclude[0, [3, 7]] = True
    exclude[1, 5] = True
    together = PriorMember().fit(references)
    found, leans = together.predict(target, HORIZONS, exclude=exclude), together.weights(target, exclude=exclude)
    for i in range(2):
        alone = PriorMember().fit(references.take(~exclude[i]))
        np.testing.assert_allclose(found[i], alone.predict(target.take([i]), HORIZONS)[0], rtol=1e-9)
        np.testing.assert_allclose(leans[i, ~exclude[i]], alone.weights(target.take([i]))[0], rtol=1e-9)
        assert not leans[i, exclude[i]].any()
    assert not np.allclose(found, together.predict(target, HORIZONS), rtol=1e-3)


@pytest.mark.parametrize("absurd", [np.full(45, 1e-6), np.linspace(99.0, 1.0, 45), 100 * (np.arange(45) % 2)])
def test_absurd_values_in_what_is_left_out_change_no_bit(absurd):
    target = histories({"t": many(1)["r05"][:9]})
    exclude = np.arange(12)[None, :] == 4
    clean = PriorMember().fit(histories(many())).predict(target, HORIZONS, exclude=exclude)
    poisoned = PriorMember().fit(histories({**many(), "r04": absurd}))
    assert np.array_equal(poisoned.predict(target, HORIZONS, exclude=exclude), clean)


def test_values_that_may_be_seen_do_change_the_forecast():
    target = histories({"t": many(1)["r05"][:9]})
    changed = PriorMember().fit(histories({**many(), "r04": logistic(45, 0.5, 12, 30.0)}))
    clean = PriorMember().fit(histories(many()))
    assert np.abs(changed.predict(target, [20]) - clean.predict(target, [20])).min() > 0.05


def test_a_family_counts_once_and_the_same_medium_more():
    crowd = {f"m{i}": logistic(45, 0.4, 12) for i in range(9)}
    medium = {**dict.fromkeys(crowd, "many"), "slow": "one", "t": "one"}
    target = histories({"t": logistic(12, 0.3, 14)})
    few = PriorMember().fit(histories({"m0": crowd["m0"], "slow": logistic(45, 0.15, 12)}, medium=medium))
    all_of_them = PriorMember().fit(histories({**crowd, "slow": logistic(45, 0.15, 12)}, medium=medium))
    np.testing.assert_allclose(all_of_them.predict(target, HORIZONS), few.predict(target, HORIZONS), rtol=1e-9)
    known = histories({"t": logistic(12, 0.3, 14)}, medium=medium)
    assert few.weights(known)[0, 1] > few.weights(target)[0, 1] + 0.1


def test_the_shares_of_references_and_own_trend_are_what_they_say():
    target = histories({"t": logistic(12, 0.3, 14)}, unit="count", ceiling=None)
    references = histories(many(), unit="count", ceiling=None)
    assert PriorMember(own_trend=4.0).fit(references).weights(target).sum() == pytest.approx(12 / 16)
    far = PriorMember(own_trend=1e9).fit(references).predict(target, HORIZONS)
    np.testing.assert_allclose(far, own_trend(target, np.array(HORIZONS)), rtol=1e-6)


@pytest.mark.parametrize("unit", ["share", "count"])
def test_without_references_the_own_trend_is_the_forecast(unit):
    history = histories({"t": [2.0, 4.0, 7.0]}, unit=unit, ceiling=None)
    other = histories(many(), unit="count" if unit == "share" else "share", ceiling=None)
    unfit = histories({"r": [5.0, 6.0]}, unit=unit, ceiling=None)
    for nothing in (other.take([]), other, unfit):
        member = PriorMember().fit(nothing)
        np.testing.assert_allclose(member.predict(history, (1, 2)), [[7.0 + 2.4, 7.0 + 2.4 + 1.92]])
        assert not member.weights(history).any()


def test_gaps_single_observations_zeros_and_nothing():
    history = histories({"gaps": [1.0, NAN, NAN, 6.0, NAN, 15.0], "one": [5.0], "zero": [0.0, 0.0], "was": [0, 3, 0.0]})
    member = PriorMember().fit(histories(many()))
    found = dict(zip(history.info["series"], member.predict(history, HORIZONS), strict=True))
    assert found["gaps"][2] > 25
    assert np.all(np.diff(found["gaps"]) > 0)
    assert found["one"][2] > 7
    np.testing.assert_array_equal(found["zero"], 0.0)
    np.testing.assert_array_equal(found["was"], 0.0)
    assert np.isnan(member.predict(history.until(1949), HORIZONS)).all()


def test_beyond_the_grid_only_the_own_trend_is_left():
    history = histories({"t": [2e5, 3e5, 4e5]}, unit="count", ceiling=None)
    member = PriorMember().fit(histories(many(), unit="count", ceiling=None))
    assert history.levels.max() > COUNT_CEILINGS[-1]
    np.testing.assert_array_equal(member.predict(history, HORIZONS), own_trend(history, np.array(HORIZONS)))
    assert not member.weights(history).any()


@pytest.mark.parametrize(("unit", "ceiling"), [("share", 100.0), ("share", 40.0), ("count", None), ("count", 30.0)])
def test_forecasts_stay_within_zero_and_the_ceiling(unit, ceiling):
    steep = {"t": [5.0, 9.0, 16.0, 27.0], "u": [29.0, 12.0, 4.0, 0.5]}
    history = histories(steep, unit=unit, ceiling=ceiling)
    found = PriorMember().fit(histories(many(), unit=unit)).predict(history, np.arange(1, 25))
    assert np.all(found >= 0)
    assert np.all(found <= (ceiling or np.inf))


def test_no_series_and_no_horizon():
    member = PriorMember().fit(histories(many()))
    history = histories({"t": [1.0, 2.0]})
    assert member.predict(history.take([]), HORIZONS).shape == (0, 4)
    assert member.predict(history, []).shape == (1, 0)


@pytest.mark.parametrize("wrong", [{"curves": ()}, {"curves": ("bass",)}, {"own_trend": -1}, {"same_medium": -0.1}])
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match=r"curves must be|must not be negative"):
        PriorMember(**wrong)


def test_a_mask_of_another_shape_is_refused():
    member = PriorMember().fit(histories(many()))
    with pytest.raises(ValueError, match=r"exclude has shape \(1, 3\)"):
        member.predict(histories({"t": [1.0, 2.0]}), [1], exclude=np.zeros((1, 3), dtype=bool))
