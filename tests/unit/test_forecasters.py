"""Forecasters on histories made by hand, and the proof that none sees what it must not."""

from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest
from longwave.models.forecasters import (
    CANDIDATES,
    FORECASTERS,
    OWN_HISTORY,
    conformal_bounds,
    curve_forecast,
    damped_trend,
    forecast_windows,
    history_forecasts,
    middle_of_counts,
    naive,
    others_climatology,
)
from longwave.models.panels import ADOPTION_COLUMNS, fixed_sample

NAN = np.nan


@dataclass
class Fits:
    """A stand-in for fitted curves: one level for all ages, and a status."""

    level: np.ndarray
    status: np.ndarray

    def predict(self, ages):
        return np.repeat(self.level[:, None], len(ages), axis=1)


def mean_fitter(levels, ages, *, family, ceiling):
    """Not a curve, but it reads every value it is shown: twice the mean of what was observed."""
    assert levels.shape[1] == len(ages)
    level = 2.0 * np.nanmean(levels, axis=1) + {"bass": 0.0, "logistic": 1.0, "gompertz": 2.0}[family]
    return Fits(level, np.where(np.isfinite(levels).sum(axis=1) < 3, "too_few_points", "ok"))


def make_frame(levels, *, families=None, panels=None, unit="share", places=None):
    """Adoption frame from levels (n, n_ages), NaN where not observed."""
    n = len(levels)
    families = families or [f"f{i}" for i in range(n)]
    places = places or [f"p{i}" for i in range(n)]
    keep = np.isfinite(levels)
    row, age = np.nonzero(keep)
    return pl.DataFrame(
        {
            "series": [f"s{i:03d}" for i in row],
            "concept_group": [f"{families[i]}|{places[i]}" for i in row],
            "medium": [families[i] for i in row],
            "family": [families[i] for i in row],
            "place": [places[i] for i in row],
            "panel": [(panels or ["one"] * n)[i] for i in row],
            "unit_class": unit,
            "year": 1950 + age,
            "age": age,
            "value": levels[keep],
            "launch_convention": "cited",
            "left_truncated": False,
            "flag": pl.Series([None] * len(row), dtype=pl.String),
        }
    ).select(ADOPTION_COLUMNS)


def logistic_levels(n=40, seed=0, noise=1.0, last=22):
    rng = np.random.default_rng(seed)
    ages = np.arange(last + 1)
    ceiling, speed, middle = rng.uniform(30, 100, n), rng.uniform(0.2, 0.8, n), rng.uniform(3, 18, n)
    levels = ceiling[:, None] / (1 + np.exp(-speed[:, None] * (ages - middle[:, None])))
    return np.clip(levels + rng.normal(0, noise, levels.shape), 0.01, 100.0)


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
    forecasts = history_forecasts(make_frame(levels), target_ages=(20,))
    cut = 14
    assert forecasts.status["logistic"][cut, 0] == "ok"
    assert forecasts.points["logistic"][0, cut, 0] == pytest.approx(levels[0, 20], abs=1e-3)


def test_middle_of_counts_is_numpys_median_of_repeats():
    rng = np.random.default_rng(3)
    values = np.sort(rng.integers(0, 5, 9).astype(float))
    counts = rng.integers(0, 3, (50, 9)).astype(np.int32)
    counts[0] = 0
    expected = [np.median(np.repeat(values, row)) if row.any() else NAN for row in counts]
    np.testing.assert_array_equal(middle_of_counts(values, counts), expected)
    assert np.isnan(middle_of_counts(np.empty(0), np.empty((2, 0), dtype=np.int32))).all()


def test_others_climatology_leaves_the_key_out():
    levels, keys = np.array([10.0, 20.0, 60.0, 90.0]), np.array([0, 1, 1, 2])
    np.testing.assert_array_equal(others_climatology(levels, keys, np.array([0, 1, 2])), [60.0, 50.0, 20.0])
    assert np.isnan(others_climatology(levels[:1], keys[:1], np.array([0]))).all()


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


def test_a_history_without_news_keeps_its_forecast_and_an_empty_one_has_climatology():
    levels = logistic_levels(12)
    levels[0, :3] = NAN
    levels[0, 6:9] = NAN
    frame = make_frame(levels)
    forecasts = history_forecasts(frame, fitter=mean_fitter)
    for name in OWN_HISTORY:
        point = forecasts.points[name][0, :, 0]
        assert np.isnan(point[:3]).all()
        assert (point[5:9] == point[5]).all()
    windows = forecast_windows(fixed_sample(frame), forecasts, mode="leave-one-out", forecasters=("naive",))
    early = windows.filter(pl.col("series") == "s000", pl.col("age") < 3)
    assert early["note"].unique().to_list() == ["climatology: no history"]
    assert early["point"].unique().to_list() == [np.median(levels[1:, 20])]
    assert early["point_squared"].unique().to_list() == pytest.approx([np.mean(levels[1:, 20])])


def test_climatology_equals_the_hand_computed_one_in_both_modes():
    levels = logistic_levels(6)
    frame = make_frame(levels, families=["a", "a", "b", "b", "c", "c"], places=["x", "x", "x", "y", "x", "y"])
    forecasts = history_forecasts(frame, fitter=mean_fitter)
    at_20 = levels[:, 20]
    groups = [at_20[:2].mean(), *at_20[2:]]  # s000 and s001 are twins: one level between them
    for mode, others in (("leave-one-out", groups[1:]), ("leave-medium-out", groups[1:])):
        windows = forecast_windows(fixed_sample(frame), forecasts, mode=mode, forecasters=("climatology",))
        row = windows.row(0, named=True)
        assert row["series"] == "s000"
        assert row["clim_mean"] == pytest.approx(np.mean(others))
        assert row["clim"] == row["point"] == pytest.approx(np.median(others))
    row = windows.filter(pl.col("series") == "s002").row(0, named=True)
    assert row["clim_mean"] == pytest.approx(np.mean([groups[0], *at_20[4:]]))
    assert row["n_references"] == 4


def test_selected_takes_the_least_error_among_references_only():
    n = 12
    levels = np.repeat(np.linspace(20, 80, n)[:, None], 23, axis=1)  # flat: the naive forecast is exact
    rising = levels[0].copy()
    rising[:] = np.linspace(0, 44, 23)
    levels[0] = rising
    frame = make_frame(levels)
    windows = forecast_windows(fixed_sample(frame), history_forecasts(frame, fitter=mean_fitter), mode="leave-one-out")
    target = windows.filter(pl.col("series") == "s000", pl.col("age") == 10).row(0, named=True)
    assert target["chosen"] == "naive"
    assert target["point"] == pytest.approx(rising[10])
    assert (target["lo80"], target["hi80"]) == pytest.approx((rising[10], rising[10]))
    assert CANDIDATES[0] == "climatology"


def test_counts_are_forecast_as_logarithms_and_shares_stay_within_bounds():
    levels = logistic_levels(30, noise=0.0)
    shares = forecast_windows(
        fixed_sample(make_frame(levels)),
        history_forecasts(make_frame(levels), fitter=mean_fitter),
        mode="leave-one-out",
        forecasters=FORECASTERS,
    )
    assert shares["lo80"].min() >= 0
    assert shares["hi80"].max() <= 100
    frame = make_frame(levels * 3, unit="count")
    forecasts = history_forecasts(frame, fitter=mean_fitter)
    counts = forecast_windows(fixed_sample(frame), forecasts, mode="leave-one-out", forecasters=("naive",))
    row = counts.filter(pl.col("series") == "s004", pl.col("age") == 9).row(0, named=True)
    assert row["actual"] == pytest.approx(np.log(3 * levels[4, 20]))
    assert row["point"] == pytest.approx(np.log(3 * levels[4, 9]))


def test_a_count_whose_trend_reaches_zero_keeps_its_last_value():
    levels = np.full((12, 23), 5.0)
    levels[:, 1] = 1.0
    forecasts = history_forecasts(make_frame(levels, unit="count"), fitter=mean_fitter)
    assert forecasts.points["damped_trend"][0, 1, 0] == 1.0
    assert forecasts.status["damped_trend"][1, 0] == "trend not positive"


def test_one_family_alone_has_no_reference():
    frame = make_frame(logistic_levels(5), families=["a"] * 5)
    forecasts = history_forecasts(frame, fitter=mean_fitter)
    windows = forecast_windows(fixed_sample(frame), forecasts, mode="leave-medium-out")
    assert windows.is_empty()
    assert "point" in windows.columns


def test_two_families_alone_give_references_no_climatology_and_still_forecast():
    frame = make_frame(logistic_levels(20), families=["a"] * 10 + ["b"] * 10)
    forecasts = history_forecasts(frame, fitter=mean_fitter)
    windows = forecast_windows(fixed_sample(frame), forecasts, mode="leave-medium-out")
    assert windows["point"].null_count() == 0
    assert "climatology" not in windows["chosen"].to_list()


KEY_COLUMNS = (
    "series",
    "age",
    "forecaster",
    "chosen",
    "point",
    "point_squared",
    "lo80",
    "hi80",
    "clim",
    "note",
)


@pytest.mark.parametrize(
    ("mode", "unit", "own_fitter"),
    [
        ("leave-medium-out", "share", False),
        ("leave-medium-out", "count", False),
        ("leave-one-out", "share", False),
        ("leave-one-out", "count", False),
        ("leave-medium-out", "share", True),
    ],
)
def test_no_forecast_sees_what_it_must_not(mode, unit, own_fitter):
    """Poison the future of the target and all the mode forbids: the same forecasts, bit for bit."""
    rng = np.random.default_rng(5)
    levels = logistic_levels(24, seed=2)
    levels[rng.random(levels.shape) < 0.15] = NAN
    levels[:, 2], levels[:, 20] = 3.0, np.linspace(10, 95, 24)
    families = [f"f{i // 4}" for i in range(24)]
    places = [f"p{i % 4 // 2 if i // 4 == 1 else i % 4}" for i in range(24)]  # family f1 holds twins
    options = {"fitter": mean_fitter} if not own_fitter else {}
    target, k = 4, 9 if not own_fitter else 6
    same = np.array([family == families[target] for family in families])
    if mode == "leave-one-out":
        same &= np.array([place == places[target] for place in places])
    assert same.sum() > 1

    def forecast(values, keep):
        wanted = [f"s{i:03d}" for i in np.flatnonzero(keep)]
        frame = make_frame(values, families=families, places=places, unit=unit)
        frame = frame.filter(pl.col("series").is_in(wanted))
        windows = forecast_windows(
            fixed_sample(frame),
            history_forecasts(frame, last_cut=k + 2, **options),
            mode=mode,
            forecasters=FORECASTERS,
        )
        rows = windows.filter(pl.col("series") == "s004", pl.col("age") <= k).select(KEY_COLUMNS)
        assert rows.height == (k + 1) * len(FORECASTERS)
        return rows

    everyone = np.ones(24, dtype=bool)
    clean = forecast(levels, everyone)
    for _ in range(2):
        poisoned = levels.copy()
        poisoned[same] = rng.uniform(0.1, 100, poisoned[same].shape)
        poisoned[target, : k + 1] = levels[target, : k + 1]
        assert forecast(poisoned, everyone).equals(clean)
    alone = ~same
    alone[target] = True
    assert forecast(levels, alone).equals(clean)
    changed = levels.copy()
    changed[~same] = rng.uniform(0.1, 100, changed[~same].shape)
    assert not forecast(changed, everyone).equals(clean), "the references must matter"


def test_unknown_requests_are_named():
    frame = make_frame(logistic_levels(4))
    sample, forecasts = fixed_sample(frame), history_forecasts(frame, fitter=mean_fitter)
    with pytest.raises(ValueError, match="mode 'as-of'"):
        forecast_windows(sample, forecasts, mode="as-of")
    with pytest.raises(ValueError, match="forecaster 'prophet'"):
        forecast_windows(sample, forecasts, mode="leave-one-out", forecasters=("prophet",))
    with pytest.raises(ValueError, match="target age 15"):
        forecast_windows(fixed_sample(frame, 15), forecasts, mode="leave-one-out")
    other = history_forecasts(frame.filter(pl.col("series") != "s001"), fitter=mean_fitter)
    with pytest.raises(ValueError, match="series 's001'"):
        forecast_windows(sample, other, mode="leave-one-out")
