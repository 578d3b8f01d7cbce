"""Forecasts by analogy, on histories made by hand."""

import numpy as np
import polars as pl
import pytest
from longwave.models.forecast_analogues import AnalogueMember
from longwave.models.forecast_scale import from_scale, growth, own_trend, shares, to_scale
from longwave.models.histories import Histories

HORIZONS = (1, 5, 10)


def histories(levels, *, first=1950, unit="share", medium=None, ceiling=100.0):
    """Histories of named rows of levels, NaN where not observed; one family each, or that of ``medium``."""
    rows = [
        {
            "series": name,
            "concept_group": name,
            "medium": (medium or {}).get(name, name),
            "family": (medium or {}).get(name, name),
            "place": name,
            "panel": "one",
            "unit_class": unit,
            "ceiling": ceiling,
            "launch": None,
            "year": first + step,
            "value": float(value),
        }
        for name, values in levels.items()
        for step, value in enumerate(values)
        if np.isfinite(value)
    ]
    return Histories.from_frame(pl.DataFrame(rows, infer_schema_length=None))


def logistic(years, speed, middle, top=100.0):
    return top / (1.0 + np.exp(-speed * (np.arange(years) - middle)))


def many(seed=0, n=12, years=40):
    rng = np.random.default_rng(seed)
    speeds, middles = rng.uniform(0.15, 0.6, n), rng.uniform(8, 20, n)
    return {f"r{i:02d}": logistic(years, speeds[i], middles[i], rng.uniform(60, 100)) for i in range(n)}


def test_a_curve_that_others_have_gone_before_is_followed():
    """Same speed, other middle: the moment of equal level is five years off, and so is what follows."""
    member = AnalogueMember(own_trend=0.0).fit(histories({"older": logistic(40, 0.3, 12)}))
    target = histories({"young": logistic(10, 0.3, 17)}, first=1980)
    expected = logistic(30, 0.3, 17)[[10, 14, 19]]
    np.testing.assert_allclose(member.predict(target, HORIZONS)[0], expected, atol=2.5)


def test_the_change_is_the_weighted_median_of_what_followed():
    """One moment of each reference is as the target's; 12.5, 30, 30 and 90 followed: by hand."""
    followed = {"a": 30.0, "b": 30.0, "c": 90.0, "d": 12.5}
    references = histories({name: [10.0, 12.0, level] for name, level in followed.items()})
    target = histories({"t": [10.0, 12.0]})
    assert AnalogueMember(own_trend=0.0).fit(references).predict(target, [1])[0, 0] == pytest.approx(30.0)
    without = np.array([[True, True, False, False]])
    found = AnalogueMember(own_trend=0.0).fit(references).predict(target, [1], exclude=without)
    assert found[0, 0] == pytest.approx(12.5), "half of the weight is reached at the lower of two"


def test_left_out_is_as_never_seen():
    medium = {name: "x" if name < "r06" else "y" for name in many()}
    references = histories(many(), medium=medium)
    target = histories({"r03": many()["r03"][:14], "t": many(1)["r05"][:9]})
    exclude = np.zeros((2, len(references)), dtype=bool)
    exclude[0, [3, 7]] = True
    exclude[1, 5] = True
    together = AnalogueMember().fit(references)
    found, leans = together.predict(target, HORIZONS, exclude=exclude), together.weights(target, exclude=exclude)
    for i in range(2):
        alone = AnalogueMember().fit(references.take(~exclude[i]))
        np.testing.assert_allclose(found[i], alone.predict(target.take([i]), HORIZONS)[0], rtol=1e-12)
        np.testing.assert_allclose(leans[i, ~exclude[i]], alone.weights(target.take([i]))[0], rtol=1e-12)
        assert not leans[i, exclude[i]].any()
    assert not np.allclose(found, together.predict(target, HORIZONS), atol=0.05)


def test_absurd_values_in_what_is_left_out_change_no_bit():
    levels = many()
    start = many(1)["r05"][:9]
    target = histories({"t": start})
    exclude = np.arange(12)[None, :] == 4
    clean = AnalogueMember().fit(histories(levels)).predict(target, HORIZONS, exclude=exclude)
    poisoned = {**levels, "r04": [*start, *np.full(31, 1e-3)]}
    member = AnalogueMember().fit(histories(poisoned))
    assert np.array_equal(member.predict(target, HORIZONS, exclude=exclude), clean)
    assert not np.array_equal(member.predict(target, HORIZONS), clean)


def test_a_family_counts_once_however_many_series_it_has():
    crowd = {f"m{i}": logistic(40, 0.5, 12) for i in range(9)}
    medium = {**dict.fromkeys(crowd, "many"), "slow": "one"}
    target = histories({"t": logistic(12, 0.3, 14)})
    few = histories({"m0": crowd["m0"], "slow": logistic(40, 0.15, 12)}, medium=medium)
    all_of_them = histories({**crowd, "slow": logistic(40, 0.15, 12)}, medium=medium)
    once, often = AnalogueMember().fit(few), AnalogueMember().fit(all_of_them)
    np.testing.assert_allclose(often.predict(target, HORIZONS), once.predict(target, HORIZONS), rtol=1e-9)
    assert often.weights(target)[0, -1] == pytest.approx(once.weights(target)[0, -1])


def test_the_same_medium_is_believed_more():
    medium = {"fast": "x", "slow": "y", "t": "y"}
    references = histories({"fast": logistic(40, 0.35, 12), "slow": logistic(40, 0.25, 12)}, medium=medium)
    target = histories({"t": logistic(12, 0.3, 14)}, medium=medium)
    leans = [AnalogueMember(same_medium=often).fit(references).weights(target)[0, 1] for often in (1.0, 30.0)]
    assert leans[1] > leans[0] + 0.2


def test_little_alike_leaves_the_own_trend():
    """A series that falls fast from 90 is like nothing that rises: only the own trend speaks."""
    falling = histories({"t": [98.0, 95.0, 90.0, 80.0, 62.0, 40.0]})
    member = AnalogueMember().fit(histories(many()))
    np.testing.assert_allclose(member.predict(falling, HORIZONS), own_trend(falling, np.array(HORIZONS)), atol=1.5)
    assert member.weights(falling).sum() < 0.2


def test_the_own_trend_weighs_what_it_is_given():
    """With weight W against the own trend's w the forecast lies W / (W + w) of the way, on the working scale."""
    references, target = histories(many()), histories({"t": many(1)["r05"][:9]})

    def scaled(levels):
        return float(to_scale(np.atleast_2d(levels), np.array([True]), np.array([100.0]))[0, 0])

    own, alone = (scaled(x) for x in (own_trend(target, np.array([5])), _with(0.0, references, target)))
    others = AnalogueMember(own_trend=0.5).fit(references).weights(target).sum()
    weight = 0.5 * others / (1.0 - others)
    for given in (0.01, 0.2, 1e6):
        part = weight / (weight + given)
        expected = part * alone + (1.0 - part) * own
        assert scaled(_with(given, references, target)) == pytest.approx(expected, abs=2e-3)


def _with(weight, references, target):
    return AnalogueMember(own_trend=weight).fit(references).predict(target, [5])


@pytest.mark.parametrize("unit", ["share", "count"])
def test_without_references_the_own_trend_is_the_forecast(unit):
    history = histories({"t": [2.0, 4.0, 7.0]}, unit=unit)
    for nothing in (
        histories(many(), unit=unit).take([]),
        histories(many(), unit="count" if unit == "share" else "share"),
    ):
        found = AnalogueMember().fit(nothing).predict(history, (1, 2))
        np.testing.assert_allclose(found, [[7.0 + 2.4, 7.0 + 2.4 + 1.92]])


def test_beyond_every_reference_the_own_trend_is_left():
    member = AnalogueMember().fit(histories({"r": logistic(12, 0.3, 6)}))
    history = histories({"t": logistic(8, 0.3, 6)})
    np.testing.assert_array_equal(member.predict(history, [30]), own_trend(history, np.array([30])))


def test_gaps_single_observations_zeros_and_nothing():
    nan = np.nan
    history = histories({"gaps": [1.0, nan, nan, 6.0, nan, 15.0], "one": [5.0], "zero": [0.0, 0.0], "was": [0, 3, 0.0]})
    member = AnalogueMember().fit(histories(many()))
    found = member.predict(history, HORIZONS)
    by_name = dict(zip(history.info["series"], found, strict=True))
    assert by_name["gaps"][2] > 25
    assert np.all(np.diff(by_name["gaps"]) > 0)
    assert by_name["one"][2] > 7
    np.testing.assert_array_equal(by_name["zero"], 0.0)
    np.testing.assert_array_equal(by_name["was"], 0.0)
    nothing = member.predict(history.until(1949), HORIZONS)
    assert np.isnan(nothing).all()


@pytest.mark.parametrize(("unit", "ceiling"), [("share", 100.0), ("share", 40.0), ("count", None), ("count", 30.0)])
def test_forecasts_stay_within_zero_and_the_ceiling(unit, ceiling):
    steep = {"t": [5.0, 9.0, 16.0, 27.0], "u": [29.0, 12.0, 4.0, 0.5]}
    history = histories(steep, unit=unit, ceiling=ceiling)
    found = AnalogueMember().fit(histories(many(), unit=unit)).predict(history, np.arange(1, 25))
    assert np.all(found >= 0)
    assert np.all(found <= (ceiling or np.inf))


def test_no_series_and_no_horizon():
    member = AnalogueMember().fit(histories(many()))
    history = histories({"t": [1.0, 2.0]})
    assert member.predict(history.take([]), HORIZONS).shape == (0, 3)
    assert member.predict(history, []).shape == (1, 0)


@pytest.mark.parametrize(
    "wrong", [{"widths": (1, 1, 1)}, {"widths": (1, 1, 1, 0)}, {"own_trend": -1}, {"same_medium": -0.1}]
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match=r"widths must be|must not be negative"):
        AnalogueMember(**wrong)


def test_a_mask_of_another_shape_is_refused():
    member = AnalogueMember().fit(histories(many()))
    with pytest.raises(ValueError, match=r"exclude has shape \(1, 3\)"):
        member.predict(histories({"t": [1.0, 2.0]}), [1], exclude=np.zeros((1, 3), dtype=bool))


@pytest.mark.parametrize(("unit", "ceiling"), [("share", 100.0), ("share", 60.0), ("count", None)])
def test_the_scale_and_back(unit, ceiling):
    history = histories({"t": [0.3, 12.0, 59.0]}, unit=unit, ceiling=ceiling)
    top = np.array([ceiling or np.inf])
    scaled = to_scale(history.levels, shares(history), top)
    np.testing.assert_allclose(from_scale(scaled, shares(history), top), history.levels)


def test_growth_is_the_slope_of_what_came_before():
    nan = np.nan
    scaled = np.array([[1.0, nan, 2.0, 4.0, nan, nan, nan, nan, 5.0]])
    found = growth(scaled)[0]
    assert np.isnan(found[0]).all()
    np.testing.assert_allclose(found[2], [0.5, 0.5, 0.5])
    np.testing.assert_allclose(found[3, 0], 2.0)
    np.testing.assert_allclose(found[3, 1], np.polyfit([0, 2, 3], [1, 2, 4], 1)[0])
    np.testing.assert_allclose(found[8, 0], 0.2)
    np.testing.assert_allclose(found[8, 2], np.polyfit([0, 2, 3, 8], [1, 2, 4, 5], 1)[0])
