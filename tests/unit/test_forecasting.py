"""The forecaster: bounds, bad input, determinism, what it may lean on, and that it learns what there is to learn."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as checked
from hypothesis import strategies as st
from longwave.models import conformal
from longwave.models import forecast_boosting as boosting
from longwave.models.forecast_features import between, moments_of
from longwave.models.forecast_path import KNOTS, LEARNT_UNTIL, knots_for, rising
from longwave.models.forecast_scale import from_errors, to_errors
from longwave.models.forecast_stack import best_weights
from longwave.models.forecasting import AdoptionForecaster, Forecast
from longwave.models.histories import Histories

QUICK = {"folds": 3, "draws": 600, "iterations": 30}


def logistic_world(n: int, seed: int, *, prefix: str = "thing", unit: str = "share", top: float = 100.0) -> Histories:
    """Series that follow logistic curves with some noise, on years 1950–1999."""
    rng = np.random.default_rng(seed)
    years = np.arange(1950, 2000)
    rows = []
    for number in range(n):
        middle, speed, ceiling = rng.uniform(1962, 1980), rng.uniform(0.2, 0.5), rng.uniform(0.6, 0.98) * top
        level = ceiling / (1 + np.exp(-speed * (years - middle))) + rng.normal(0, 0.004 * top, len(years))
        name = f"{prefix}{number:02d}"
        rows.append(
            pl.DataFrame(
                {"series": name, "concept_group": f"{name}|X", "medium": name, "family": name, "place": "X"}
                | {"panel": "world", "unit_class": unit, "ceiling": top if unit == "share" else None, "launch": None},
                schema_overrides={"ceiling": pl.Float64, "launch": pl.Int32},
            ).join(pl.DataFrame({"year": years, "value": np.clip(level, 0.01, top)}), how="cross")
        )
    return Histories.from_frame(pl.concat(rows))


@pytest.fixture(scope="module")
def fitted() -> AdoptionForecaster:
    return AdoptionForecaster(**QUICK).fit(logistic_world(24, seed=1))


@pytest.fixture(scope="module")
def fresh() -> Histories:
    return logistic_world(12, seed=2, prefix="new")


def same(one: Forecast, two: Forecast) -> bool:
    pairs = [(one.point, two.point)]
    pairs += [(one.lower[level], two.lower[level]) for level in one.lower]
    pairs += [(one.upper[level], two.upper[level]) for level in one.upper]
    return all(np.array_equal(left, right) for left, right in pairs)


@pytest.mark.parametrize("horizons", [[1, 2, 3, 4], [5, 10, 15]])
def test_it_beats_the_damped_trend_where_there_is_a_law_to_learn(
    fitted: AdoptionForecaster, fresh: Histories, horizons: list[int]
) -> None:
    origin = 1972
    said = fitted.predict(fresh.until(origin), horizons)
    column = [origin + step - int(fresh.years[0]) for step in horizons]
    actual = fresh.levels[:, column]
    ours = np.abs(said.point - actual).mean()
    trend = np.abs(said.explanation.members["damped_trend"] - actual).mean()
    assert ours < 0.85 * trend


def test_intervals_are_nested_within_bounds_and_cover(fitted: AdoptionForecaster, fresh: Histories) -> None:
    inside, asked = 0, 0
    for origin in (1964, 1970, 1976, 1984):
        said = fitted.predict(fresh.until(origin), [1, 3, 6, 12])
        low = [said.lower[level] for level in (0.9, 0.8, 0.5)]
        high = [said.upper[level] for level in (0.9, 0.8, 0.5)]
        ends = [*low, said.point, *reversed(high)]
        assert all(np.all(left <= right + 1e-9) for left, right in pairwise(ends))
        assert ends[0].min() >= 0.0
        assert ends[-1].max() <= 100.0
        actual = fresh.levels[:, [origin + step - 1950 for step in (1, 3, 6, 12)]]
        inside += int(((said.lower[0.9] <= actual) & (actual <= said.upper[0.9])).sum())
        asked += actual.size
    assert 0.8 <= inside / asked <= 0.99


def test_the_same_seed_gives_the_same_and_the_order_of_series_does_not_matter(fresh: Histories) -> None:
    panel = logistic_world(10, seed=3)
    one = AdoptionForecaster(**QUICK).fit(panel)
    cut = fresh.until(1975)
    whole = one.predict(cut, [1, 4, 9])
    assert same(whole, AdoptionForecaster(**QUICK).fit(panel).predict(cut, [1, 4, 9]))
    alone = one.predict(cut.take([5]), [1, 4, 9])
    np.testing.assert_allclose(alone.point, whole.point[[5]], rtol=1e-12)
    other = AdoptionForecaster(**QUICK, seed=7).fit(panel).predict(cut, [1, 4, 9])
    assert not same(whole, other)


def test_what_is_not_in_the_panel_or_after_the_origin_moves_nothing(fresh: Histories) -> None:
    panel = logistic_world(10, seed=3)
    model = AdoptionForecaster(**QUICK).fit(panel)
    poisoned = Histories(
        fresh.info,
        fresh.years,
        np.where(fresh.years[None, :] > 1975, 55.5, fresh.levels),
        fresh.interpolated,
    )
    assert same(model.predict(fresh.until(1975), [1, 8]), model.predict(poisoned.until(1975), [1, 8]))
    changed = np.where(fresh.years[None, :] == 1974, 55.5, fresh.levels)
    allowed = Histories(fresh.info, fresh.years, changed, fresh.interpolated)
    assert not same(model.predict(fresh.until(1975), [1, 8]), model.predict(allowed.until(1975), [1, 8]))


def test_a_fold_model_has_seen_nothing_of_its_fold(fresh: Histories) -> None:
    """One series is turned to noise: the models of its fold stay as they were, the others do not."""
    panel = logistic_world(9, seed=3)
    levels = panel.levels.copy()
    levels[4] = np.random.default_rng(0).uniform(0.0, 100.0, levels.shape[1])
    changed = Histories(panel.info, panel.years, levels, panel.interpolated)
    one, two = (AdoptionForecaster(**QUICK).fit(part) for part in (panel, changed))
    own = conformal.shared_out(panel.info["concept_group"].to_numpy(), QUICK["folds"], seed=0)[4]
    inputs = boosting.inputs_of(moments_of(fresh.until(1975)), np.arange(200), np.full(200, 3.0))
    for fold in range(QUICK["folds"]):
        for before, after in ((one.near_, two.near_), (one.far_, two.far_)):
            equal = np.array_equal(
                before.boosters[fold].predict(inputs.matrix), after.boosters[fold].predict(inputs.matrix)
            )
            assert equal == (fold == own)


def test_a_stated_ceiling_is_the_bound_and_the_scale(fitted: AdoptionForecaster, fresh: Histories) -> None:
    cut = fresh.until(1975)
    half = Histories(cut.info.with_columns(ceiling=pl.lit(50.0)), cut.years, cut.levels / 2.0, cut.interpolated)
    whole, scaled = fitted.predict(cut, [1, 6, 12]), fitted.predict(half, [1, 6, 12])
    np.testing.assert_allclose(scaled.point, whole.point / 2.0, rtol=1e-6)
    assert scaled.upper[0.9].max() <= 50.0


def test_counts_may_pass_one_hundred_and_never_fall_below_zero(fresh: Histories) -> None:
    counts = logistic_world(16, seed=4, unit="count", top=240.0)
    said = (
        AdoptionForecaster(**QUICK)
        .fit(counts.take(np.arange(12)))
        .predict(counts.take(np.arange(12, 16)).until(1985), [1, 5, 10])
    )
    assert said.point.max() > 110.0
    assert min(said.lower[0.9].min(), said.point.min()) >= 0.0


def test_an_empty_panel_leaves_the_damped_trend(fresh: Histories) -> None:
    cut = fresh.until(1975)
    model = AdoptionForecaster(**QUICK).fit(fresh.take(np.zeros(len(fresh), dtype=np.bool_)))
    said = model.predict(cut, [1, 5, 13])
    last, before = cut.levels[:, 25], cut.levels[:, 24]
    for number, ahead in enumerate((1, 5, 13)):
        trend = last + (last - before) * sum(0.8**step for step in range(1, ahead + 1))
        np.testing.assert_allclose(said.point[:, number], np.clip(trend, 0.0, 100.0))
    assert np.all(said.upper[0.9] > said.lower[0.9])


def test_few_references_count_for_little(fresh: Histories) -> None:
    """Two series are hardly trusted: the forecast stays near the damped trend."""
    cut = fresh.until(1970)
    away = []
    for n in (2, 20):
        said = AdoptionForecaster(**QUICK | {"folds": 2}).fit(logistic_world(n, seed=6)).predict(cut, [4])
        away.append(AdoptionForecaster(**QUICK | {"folds": 2}).fit(logistic_world(n, seed=6)).near_.trust)
        assert np.isfinite(said.point).all()
    assert away[0] == pytest.approx(2 / 6)
    assert away[1] == pytest.approx(20 / 24)


def test_gaps_uneven_spacing_a_late_start_and_a_single_value(fitted: AdoptionForecaster, fresh: Histories) -> None:
    levels = fresh.levels.copy()
    levels[0, ::3] = np.nan
    levels[1, :20] = np.nan
    levels[2, :] = np.nan
    levels[2, 10] = 40.0
    levels[3, [1, 2, 5, 11, 12, 13, 14]] = np.nan
    cut = Histories(fresh.info, fresh.years, levels, fresh.interpolated).until(1974)
    said = fitted.predict(cut, [1, 7, 20])
    assert np.isfinite(said.point).all()
    assert np.isfinite(said.lower[0.5]).all()


def test_it_says_what_it_leans_on(fitted: AdoptionForecaster, fresh: Histories) -> None:
    said = fitted.predict(fresh.until(1975), [10], explain=True)
    weights = said.explanation.weights
    assert weights is not None
    assert weights.shape == (len(fresh), 24)
    assert said.explanation.references == tuple(logistic_world(24, seed=1).info["series"])
    assert np.all(weights >= 0.0)
    assert np.all(weights.sum(axis=1) <= 1.0 + 1e-9)
    assert set(said.explanation.members) == {"damped_trend", "boosted", "analogues", "priors"}


def histories_of(levels: list[list[float | None]], *, unit: str = "share", ceiling: float | None = 100.0) -> Histories:
    """Series of a medium that no reference has, from 1990 on."""
    width = max(map(len, levels))
    grid = np.array([[np.nan if x is None else x for x in row] + [np.nan] * (width - len(row)) for row in levels])
    names = [f"own{number:02d}" for number in range(len(levels))]
    info = pl.DataFrame(
        {
            name: names if name in ("series", "concept_group") else "own"
            for name in ("series", "concept_group", "medium", "family", "place", "panel")
        }
        | {"unit_class": unit, "ceiling": ceiling, "launch": None},
        schema_overrides={"ceiling": pl.Float64, "launch": pl.Int32},
    )
    return Histories(info, np.arange(1990, 1990 + width), grid, np.zeros(grid.shape, dtype=np.bool_))


steps = st.one_of(st.floats(0.0, 12.0), st.just(0.0), st.none())


@checked(max_examples=40, deadline=None, derandomize=True)
@given(st.floats(0.01, 60.0), st.lists(steps, min_size=1, max_size=25), st.sampled_from(["share", "count"]))
def test_where_a_series_never_fell_its_forecast_does_not_and_stays_under_the_ceiling(
    fitted: AdoptionForecaster, first: float, rises: list[float | None], unit: str
) -> None:
    top = 100.0 if unit == "share" else None
    levels: list[float | None] = [first]
    for step in rises:
        last = max(x for x in levels if x is not None)
        levels.append(None if step is None else min(last + step, top or np.inf))
    history = histories_of([levels], unit=unit, ceiling=top)
    said = fitted.predict(history, list(range(1, 31)))
    path = np.concatenate([[max(x for x in levels if x is not None)], said.point[0]])
    assert np.all(np.diff(path) >= -1e-9)
    assert top is None or said.point.max() <= top
    for level in said.lower:
        assert np.all(said.lower[level] <= said.point + 1e-9)
        assert np.all(said.upper[level] >= said.point - 1e-9)


def test_a_series_rises_that_never_fell_by_more_than_noise() -> None:
    levels = np.array([[10.0, 20.0, np.nan, 19.5], [10.0, 20.0, 18.0, 30.0], [10.0, 20.0, 19.5, np.nan]])
    assert rising(levels, np.array([True, True, False])).tolist() == [True, False, False]
    assert rising(levels[:1], np.array([False])).tolist() == [False]


def test_a_series_that_fell_may_be_said_to_fall(fresh: Histories) -> None:
    """References that rise and fall: a series past its peak is not held up."""
    hill = np.concatenate([np.linspace(1.0, 60.0, 20), np.linspace(57.0, 5.0, 30)])
    rows = hill[None, :] * np.linspace(0.8, 1.2, 14)[:, None]
    panel = logistic_world(14, seed=9)
    falling = Histories(panel.info, panel.years, rows, np.zeros(rows.shape, dtype=np.bool_))
    model = AdoptionForecaster(**QUICK).fit(falling)
    said = model.predict(histories_of([[*hill[:27].tolist()], [*hill[:15].tolist()]]), [3, 10])
    assert said.point[0, 1] < said.point[0, 0] < hill[26]
    assert said.point[1, 1] >= said.point[1, 0] >= hill[14]


def test_a_forecast_does_not_depend_on_the_other_years_asked_for(fitted: AdoptionForecaster, fresh: Histories) -> None:
    cut = fresh.until(1968)
    whole = fitted.predict(cut, list(range(1, 27)))
    for ahead in (1, 6, 12, 20, 26):
        alone = fitted.predict(cut, [ahead])
        np.testing.assert_allclose(alone.point[:, 0], whole.point[:, ahead - 1], rtol=1e-12)
        np.testing.assert_allclose(alone.upper[0.8][:, 0], whole.upper[0.8][:, ahead - 1], rtol=1e-12)
    assert knots_for(np.array([6])).tolist() == [1, 2, 3, 4, 5, 7]
    assert KNOTS[-1] == LEARNT_UNTIL == boosting.FAR_YEARS[-1]


def test_beyond_what_was_learnt_the_level_stays_and_intervals_go_on_widening(fitted: AdoptionForecaster) -> None:
    counts = histories_of([[1.0, 2.0, 3.5, 5.0, 7.0]], unit="count", ceiling=None)
    said = fitted.predict(counts, [21, 25, 30])
    assert np.ptp(said.point) == pytest.approx(0.0, abs=1e-9)
    assert np.all(np.diff(said.upper[0.8][0]) > 0)
    assert np.all(np.diff(said.lower[0.8][0]) <= 0)


def test_a_place_not_seen_has_errors_of_places_and_a_family_of_no_other_place_those_of_families() -> None:
    panel = logistic_world(18, seed=4)
    info = panel.info.with_columns(
        place=pl.format("P{}", pl.int_range(pl.len()) % 6),
        family=pl.format("F{}", pl.int_range(pl.len()) // 6),
        medium=pl.format("F{}", pl.int_range(pl.len()) // 6),
    )
    world = Histories(info, panel.years, panel.levels, panel.interpolated)
    by_place = AdoptionForecaster(**QUICK, hold_out="place").fit(world)
    by_family = AdoptionForecaster(**QUICK, hold_out="family").fit(world)
    own = histories_of([[5.0, 9.0, 14.0, 21.0, 30.0]] * 2)
    known = Histories(own.info.with_columns(family=pl.Series(["F1", "new"])), own.years, own.levels, own.interpolated)
    said, strange = by_place.predict(known, [2, 9], explain=True), by_family.predict(known, [2, 9], explain=True)
    np.testing.assert_array_equal(said.upper[0.8][1], strange.upper[0.8][1])
    np.testing.assert_array_equal(said.point[1], strange.point[1])
    assert not np.array_equal(said.upper[0.8][0], strange.upper[0.8][0])
    assert said.explanation.weights is not None
    np.testing.assert_array_equal(said.explanation.weights, strange.explanation.weights)


def test_a_medium_of_counts_with_enough_groups_has_errors_of_its_own() -> None:
    """One medium of counts is wild, the other quiet; a third is in no reference."""
    rng = np.random.default_rng(3)
    panel = logistic_world(36, seed=5, unit="count", top=80.0)
    wild = np.arange(36) % 2 == 0
    noise = np.where(wild[:, None], 0.25, 0.01) * rng.normal(size=panel.levels.shape)
    medium = pl.Series(np.where(wild, "wild", "quiet"))
    info = panel.info.with_columns(medium=medium, family=medium)
    model = AdoptionForecaster(**QUICK).fit(
        Histories(info, panel.years, panel.levels * np.exp(noise), panel.interpolated)
    )
    assert model.near_.media == ("quiet", "wild")
    own = histories_of([[5.0, 9.0, 14.0, 21.0, 30.0]] * 3, unit="count", ceiling=None)
    named = own.info.with_columns(medium=pl.Series(["quiet", "wild", "new"]))
    said = model.predict(Histories(named, own.years, own.levels, own.interpolated), [2])
    width = np.log(said.upper[0.8][:, 0] / said.lower[0.8][:, 0])
    assert width[0] < width[2] < width[1]
    by_family = AdoptionForecaster(**QUICK, hold_out="family").fit(
        Histories(info, panel.years, panel.levels, panel.interpolated)
    )
    assert by_family.near_.media == ()


@pytest.mark.parametrize(
    ("horizons", "levels", "message"),
    [([0], (0.5,), "1 or more"), ([], (0.5,), "1 or more"), ([1], (1.0,), "between 0 and 1")],
)
def test_bad_questions_say_what_is_wrong(
    fitted: AdoptionForecaster, fresh: Histories, horizons: list[int], levels: tuple[float, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        fitted.predict(fresh, horizons, levels)


def test_no_history_no_fit_and_senseless_settings_are_named(fitted: AdoptionForecaster, fresh: Histories) -> None:
    with pytest.raises(ValueError, match="new00"):
        fitted.predict(fresh.until(1940), [1])
    with pytest.raises(ValueError, match="call fit first"):
        AdoptionForecaster().predict(fresh, [1])
    for settings, message in (
        ({"folds": 1}, "folds 1"),
        ({"hold_out": "panel"}, "hold_out"),
        ({"prior_groups": -1.0}, "not be negative"),
    ):
        with pytest.raises(ValueError, match=message):
            AdoptionForecaster(**settings).fit(fresh)


def test_features_of_a_moment_do_not_depend_on_what_follows(fresh: Histories) -> None:
    whole = moments_of(fresh)
    for year in (1955, 1963, 1980):
        cut = moments_of(fresh.until(year), last_only=True)
        at = np.flatnonzero(whole.column == year - 1950)
        np.testing.assert_array_equal(whole.features[at], cut.features)
        np.testing.assert_array_equal(whole.volatility[at], cut.volatility)


def test_features_know_no_calendar(fresh: Histories) -> None:
    later = Histories(fresh.info, fresh.years + 37, fresh.levels, fresh.interpolated)
    np.testing.assert_array_equal(moments_of(fresh).features, moments_of(later).features)


def test_straight_lines_between_observations() -> None:
    levels = np.array([[np.nan, 2.0, np.nan, np.nan, 8.0, np.nan]])
    np.testing.assert_allclose(between(levels), [[np.nan, 2.0, 4.0, 6.0, 8.0, np.nan]])


def test_examples_are_the_next_observations_and_the_years_far_ahead(fresh: Histories) -> None:
    moments, (levels, _) = moments_of(fresh), boosting.levels_for(fresh)
    near = boosting.near_examples(moments, levels, 6)
    assert set(near.ahead) == {1.0, 2.0, 3.0, 4.0}
    number = int(np.flatnonzero((near.moment == 30) & (near.ahead == 3))[0])
    assert near.actual[number] == levels[moments.row[30], moments.column[30] + 3]
    assert set(boosting.far_examples(moments, levels).ahead) == set(map(float, boosting.FAR_YEARS))


def test_groups_and_media_are_drawn_by_their_size_to_a_power() -> None:
    """Medium 0 has 4 concept groups of one example, medium 1 one group of 9."""
    groups = np.array([0, 1, 2, 3, *[4] * 9])
    media = np.array([0, 0, 0, 0, *[1] * 9])
    weight = boosting.drawing_weights(groups, media, np.ones(13), within_medium=0.5)
    assert weight[:4].sum() == pytest.approx(2.0)
    assert weight[4:].sum() == pytest.approx(3.0)


def test_counts_are_averaged_by_ratio_and_shares_by_difference() -> None:
    members = np.array([[10.0, 40.0], [10.0, 40.0]])
    share = np.array([[True] * 2, [False] * 2])
    mean = from_errors(to_errors(members, share) @ np.array([0.5, 0.5]), share[:, 0])
    assert mean[0] == pytest.approx(25.0)
    assert mean[1] == pytest.approx(np.sqrt(10.05 * 40.05) - 0.05)


def test_weights_go_to_the_member_that_is_right_and_stay_even_where_it_hardly_pays() -> None:
    rng = np.random.default_rng(0)
    actual = rng.normal(size=400)
    wrong, right = actual + rng.normal(2.0, 1.0, 400), actual + rng.normal(0.0, 0.1, 400)
    trend = actual + rng.normal(3.0, 1.0, 400)
    np.testing.assert_allclose(best_weights(np.column_stack([trend, wrong, right]), actual, np.ones(400)), [0, 0, 1])
    twin = right + rng.normal(0.0, 0.001, 400)
    np.testing.assert_allclose(best_weights(np.column_stack([trend, twin, right]), actual, np.ones(400)), [0, 0.5, 0.5])


def test_conformal_ends_hold_their_level_and_groups_keep_apart() -> None:
    rng = np.random.default_rng(5)
    cluster = np.repeat(np.arange(200), 10)
    group = (cluster % 2).astype(np.int64)
    errors = rng.normal(0.0, np.where(group == 0, 1.0, 5.0))
    found = conformal.scaled_errors(errors, group, cluster, np.ones(200), n_groups=2, prior_clusters=0.0, borrowed=0.0)
    low, high = found.ends(np.array([0, 1]), 0.8)
    np.testing.assert_allclose([-low[0], high[0], -low[1] / 5, high[1] / 5], 1.2816, atol=0.15)
    wide_low, wide_high = found.ends(np.array([0, 1]), 0.9)
    assert np.all(wide_low < low)
    assert np.all(wide_high > high)
    with pytest.raises(ValueError, match="between 0 and 1"):
        found.ends(np.array([0]), 1.0)


def test_conformal_clusters_count_by_importance_not_by_errors() -> None:
    """One cluster of 900 quiet errors and nine of one loud error each: nine tenths of the weight is loud."""
    errors = np.concatenate([np.full(900, 0.1), np.full(9, 3.0)])
    cluster = np.concatenate([np.zeros(900, dtype=np.int64), np.arange(1, 10)])
    group = np.zeros(909, dtype=np.int64)
    plain = conformal.scaled_errors(errors, group, cluster, np.ones(10), n_groups=1, prior_clusters=0.0, borrowed=0.0)
    assert plain.ends(np.array([0]), 0.5)[1][0] == pytest.approx(3.0)
    heavy = np.array([90.0, *[1.0] * 9])
    tilted = conformal.scaled_errors(errors, group, cluster, heavy, n_groups=1, prior_clusters=0.0, borrowed=0.0)
    assert tilted.ends(np.array([0]), 0.5)[1][0] == pytest.approx(0.1, abs=0.01)


def test_a_concept_group_is_dealt_into_one_fold() -> None:
    groups = np.array(["a", "b", "a", "c", "d", "b", "e"])
    fold = conformal.shared_out(groups, 3, seed=0)
    assert fold[0] == fold[2]
    assert fold[1] == fold[5]
    assert sorted(np.bincount(fold[[0, 1, 3, 4, 6]], minlength=3)) == [1, 2, 2]
