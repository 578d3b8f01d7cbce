"""Information by age on simulated truth, the readable rule on errors made by hand, and the bootstrap."""

import time

import numpy as np
import polars as pl
import pytest
from longwave.models.forecasters import FORECASTERS, OWN_HISTORY, HistoryForecasts, forecast_windows
from longwave.models.panels import ADOPTION_COLUMNS, fixed_sample
from longwave.models.ripeness import information_by_age, readable_age

AGES = np.arange(21)


def make_frame(levels, *, families=None, panels=None, units=None, groups=None):
    """Adoption frame from complete levels (n, 21); every series its own concept group unless told."""
    n, n_ages = levels.shape
    row, age = np.repeat(np.arange(n), n_ages), np.tile(np.arange(n_ages), n)
    families = families or [f"f{i:03d}" for i in range(n)]
    groups = groups or [f"{families[i]}|p{i}" for i in range(n)]
    return pl.DataFrame(
        {
            "series": [f"s{i:03d}" for i in row],
            "concept_group": [groups[i] for i in row],
            "medium": [families[i] for i in row],
            "family": [families[i] for i in row],
            "place": [f"p{i}" for i in row],
            "panel": [(panels or ["one"] * n)[i] for i in row],
            "unit_class": [(units or ["share"] * n)[i] for i in row],
            "year": 1950 + age,
            "age": age,
            "value": levels.ravel(),
            "launch_convention": "cited",
            "left_truncated": False,
            "flag": pl.Series([None] * len(row), dtype=pl.String),
        }
    ).select(ADOPTION_COLUMNS)


def logistic_levels(n, seed=0):
    rng = np.random.default_rng(seed)
    ceiling, speed, middle = rng.uniform(20, 100, n), rng.uniform(0.3, 0.9, n), rng.uniform(3, 9, n)
    return ceiling[:, None] / (1 + np.exp(-speed[:, None] * (AGES - middle[:, None])))


def given(frame, points, target_age=20):
    """Own-history forecasts as an oracle dictates: (K, n), the same for every forecaster."""
    cuts = np.arange(target_age - 2)
    names = tuple(fixed_sample(frame, target_age).series["series"])
    return HistoryForecasts(
        names,
        cuts,
        (target_age,),
        {name: points[None].astype(float) for name in OWN_HISTORY},
        {name: np.full(points.shape, "ok", dtype="U32") for name in OWN_HISTORY},
    )


def test_information_rises_to_one_for_noiseless_curves():
    result = information_by_age(make_frame(logistic_levels(20)), forecaster="selected", n_boot=200, seed=1)
    by_age = result.by_age.sort("age")
    assert by_age["age"].to_list() == list(range(16))
    late = by_age.filter(pl.col("age") >= 12)
    assert late["information_mse"].min() > 0.999
    assert late["information_mae"].min() > 0.98
    assert by_age["information_mae"][0] < 0.5
    assert (by_age["information_mse_lo"] <= by_age["information_mse"] + 1e-12).all()
    assert (by_age["information_mse_hi"] >= by_age["information_mse"] - 1e-12).all()
    readable = result.readable.row(0, named=True)
    assert 3 <= readable["lo"] <= readable["age"] <= readable["hi"] <= 12
    assert readable["reason"] is None


def test_information_is_nought_or_less_where_there_is_nothing_to_know():
    rng = np.random.default_rng(4)
    levels = rng.uniform(0, 100, (60, 21))
    result = information_by_age(
        make_frame(levels),
        forecaster=("climatology", "naive", "selected"),
        forecasts=given(make_frame(levels), levels[:, :18].T),
        n_boot=300,
        seed=1,
    )
    of = {name: part for (name,), part in result.by_age.group_by("forecaster")}
    assert of["climatology"]["information_mse"].to_list() == [0.0] * 16
    assert of["climatology"]["information_mae"].to_list() == [0.0] * 16
    assert of["naive"]["information_mse"].max() < 0
    assert of["selected"]["information_mse"].mean() < 0.05
    assert result.readable.filter(pl.col("forecaster") == "selected")["reason"].to_list() == ["not reached"]
    assert result.readable["age"].null_count() == 3
    assert result.readable["hi"].null_count() == 3


def test_scores_equal_hand_computed_ones():
    levels = logistic_levels(5, seed=2)
    frame = make_frame(levels)
    row = information_by_age(
        frame, forecaster="naive", forecasts=given(frame, levels[:, :18].T), mode="leave-one-out", n_boot=50, seed=1
    ).by_age.row(8, named=True)
    actual, naive = levels[:, 20], levels[:, 8]
    mean = np.array([np.delete(actual, i).mean() for i in range(5)])
    median = np.array([np.median(np.delete(actual, i)) for i in range(5)])
    assert row["age"] == 8
    assert row["mse"] == pytest.approx(np.mean((naive - actual) ** 2))
    assert row["clim_mse"] == pytest.approx(np.mean((mean - actual) ** 2))
    assert row["clim_mae"] == pytest.approx(np.mean(abs(median - actual)))
    assert row["information_mse"] == pytest.approx(1 - row["mse"] / row["clim_mse"])
    assert row["information_mae"] == pytest.approx(1 - row["mae"] / row["clim_mae"])
    assert row["median_error"] == pytest.approx(np.median(abs(naive - actual)))
    assert row["clim_median_error"] == pytest.approx(np.median(abs(median - actual)))
    # Four references are too few for an 80 % interval: none is scored, rather than all of 0–100.
    assert row["median_width_80"] is None
    assert row["coverage_80"] is None


def test_bootstrap_draws_clusters_not_series():
    levels = logistic_levels(30, seed=3)
    twins = np.repeat(levels, 4, axis=0)
    families = [f"f{i // 4:03d}" for i in range(120)]
    groups = [f"{family}|US" for family in families]
    options = {"forecaster": "naive", "mode": "leave-one-out", "n_boot": 1000, "seed": 1}
    single, frame = make_frame(levels), make_frame(twins, families=families, groups=groups)
    one = information_by_age(single, forecasts=given(single, levels[:, :18].T), **options)
    four = information_by_age(frame, forecasts=given(frame, twins[:, :18].T), **options)
    first, second = one.by_age.row(10, named=True), four.by_age.row(10, named=True)
    assert (second["n_series"], second["n_clusters"]) == (120, 30)
    assert second["information_mse"] == pytest.approx(first["information_mse"])
    width = [row["information_mse_hi"] - row["information_mse_lo"] for row in (first, second)]
    assert width[1] == pytest.approx(width[0], rel=0.15)  # treating twins as independent would halve it


def test_same_seed_same_answer_whatever_else_is_there():
    levels = logistic_levels(40, seed=5)
    panels = ["a"] * 20 + ["b"] * 20
    frame = make_frame(levels, panels=panels)
    forecasts = given(frame, levels[:, :18].T)
    options = {"forecasts": forecasts, "n_boot": 100}
    first, again = (information_by_age(frame, seed=7, **options) for _ in range(2))
    for name in ("by_age", "pooled", "windows", "readable", "exclusions"):
        assert getattr(first, name).equals(getattr(again, name))
    assert not information_by_age(frame, seed=8, **options).by_age.equals(first.by_age)


def test_pooled_is_the_equal_average_of_panels():
    levels = logistic_levels(60, seed=6)
    frame = make_frame(levels, panels=["big"] * 30 + ["small"] * 20 + ["too few"] * 10)
    result = information_by_age(frame, forecaster="naive", forecasts=given(frame, levels[:, :18].T), n_boot=200, seed=1)
    mean = (
        result.by_age.filter(pl.col("panel") != "too few")
        .group_by("age")
        .agg(pl.col("information_mae").mean())
        .sort("age")
    )
    assert result.pooled["information_mae"].to_list() == pytest.approx(mean["information_mae"].to_list())
    assert result.pooled["n_panels"].unique().to_list() == [2]
    inside = result.pooled["information_mse"].is_between(
        result.pooled["information_mse_lo"], result.pooled["information_mse_hi"]
    )
    assert inside.all()


def test_counts_and_small_groups_have_no_readable_age():
    levels = np.vstack([logistic_levels(20, seed=7), logistic_levels(14, seed=8)])
    frame = make_frame(levels, panels=["counts"] * 20 + ["few"] * 14, units=["count"] * 20 + ["share"] * 14)
    readable = information_by_age(frame, forecasts=given(frame, levels[:, :18].T), n_boot=50, seed=1).readable.sort(
        "panel"
    )
    assert readable["age"].to_list() == [None, None]
    assert readable["reason"].to_list() == [
        "counts: the rule is in points of a share",
        "fewer than 15 clusters",
    ]


def errors(**at):
    """Errors, climatology's and widths, 18 ages: good from age 8 on, but for what is given."""
    arrays = {"error": np.full(18, 5.0), "clim": np.full(18, 30.0), "width": np.full(18, 15.0)}
    arrays["error"][:8] = 25.0
    for name, changes in at.items():
        for age, value in changes.items():
            arrays[name][age] = value
    return [arrays[name][None] for name in ("error", "clim", "width")]


@pytest.mark.parametrize(
    ("changes", "age"),
    [
        ({}, 8.0),
        ({"error": {8: 10.0}, "width": {8: 20.0}}, 8.0),  # at the limits
        ({"error": {8: 10.1}}, 9.0),
        ({"width": {9: 20.1}}, 10.0),
        ({"clim": {10: 9.9}}, 11.0),  # 5 is more than half of 9.9
        ({"clim": {10: 10.0}}, 8.0),
        ({"error": {16: 11.0}}, 8.0),
        ({"error": dict.fromkeys(range(8, 15), 11.0)}, 15.0),  # the last age that may count, with 16 and 17
        ({"error": dict.fromkeys(range(8, 16), 11.0)}, np.inf),
        ({"error": dict.fromkeys(range(8, 16, 2), 11.0)}, 15.0),
        ({"error": {17: np.nan}, "width": dict.fromkeys(range(8, 15), 50.0)}, np.inf),
    ],
)
def test_readable_rule_on_errors_made_by_hand(changes, age):
    assert readable_age(*errors(**changes), target_age=20).tolist() == [age]


def test_readable_rule_needs_all_ages():
    with pytest.raises(ValueError, match=r"ages 0\.\.17"):
        readable_age(*[part[:, :17] for part in errors()], target_age=20)


def test_intervals_cover_and_validity_says_so():
    rng = np.random.default_rng(9)
    covered = []
    for _ in range(100):
        actual = rng.uniform(30, 70, 30)  # 29 references: the 3rd of 30 on either side
        levels = np.repeat(actual[:, None], 21, axis=1)
        frame = make_frame(levels)
        points = np.repeat((actual + rng.normal(0, 4, 30))[None], 18, axis=0)
        windows = forecast_windows(
            fixed_sample(frame), given(frame, points), mode="leave-one-out", forecasters=("naive",)
        ).filter(pl.col("age") == 5)
        covered.append(windows["actual"].is_between(windows["lo80"], windows["hi80"]).mean())
    assert np.mean(covered) == pytest.approx(0.8, abs=0.03)
    result = information_by_age(frame, forecaster="naive", forecasts=given(frame, points), n_boot=200, seed=1)
    readable = result.readable.row(0, named=True)
    assert readable["age"] == 0
    assert readable["coverage_valid"] is True


def test_exclusions_name_the_series_without_references():
    levels = logistic_levels(10, seed=1)
    frame = make_frame(levels, families=["only"] * 10)
    result = information_by_age(frame, forecasts=given(frame, levels[:, :18].T), n_boot=10, seed=1)
    assert result.exclusions["reason"].unique().to_list() == ["no reference left by leave-medium-out"]
    assert result.by_age.is_empty()
    assert result.pooled.is_empty()
    assert result.readable.is_empty()
    assert {"panel", "information_mse_lo"} <= set(result.by_age.columns)


@pytest.mark.parametrize(
    ("spoil", "options", "message"),
    [
        (lambda f: f.drop("family"), {}, "family"),
        (lambda f: f.head(0), {}, "no rows"),
        (lambda f: pl.concat([f, f.tail(1)]), {}, "'s003' has 2 rows at age 20"),
        (lambda f: f, {"target_age": 5}, "target age 5"),
        (lambda f: f, {"n_boot": 0}, "n_boot 0"),
        (lambda f: f, {"forecaster": "oracle"}, "forecaster 'oracle'"),
    ],
)
def test_bad_input_is_refused_by_name(spoil, options, message):
    levels = logistic_levels(4)
    frame = make_frame(levels)
    settings = {"forecasts": given(frame, levels[:, :18].T), "seed": 1, "n_boot": 10} | options
    with pytest.raises(ValueError, match=message):
        information_by_age(spoil(frame), **settings)


def test_three_hundred_series_in_seconds():
    levels = logistic_levels(300, seed=10)
    frame = make_frame(levels, panels=["a"] * 150 + ["b"] * 150)
    forecasts = given(frame, levels[:, :18].T)
    start = time.perf_counter()
    information_by_age(frame, forecaster=FORECASTERS, forecasts=forecasts, mode="leave-one-out", seed=1)
    assert time.perf_counter() - start < 8
