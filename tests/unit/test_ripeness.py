"""Information by age on simulated truth, the readable rule on errors made by hand, and the bootstrap."""

import numpy as np
import polars as pl
import pytest
from longwave.models.forecasting import AdoptionForecaster
from longwave.models.forecasts_by_age import CLIMATOLOGY, LEARNS, answers, questions, windows
from longwave.models.histories import Histories
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


def histories(frame):
    """The same series on calendar years: what forecasts are made from."""
    ceiling = pl.when(pl.col("unit_class") == "share").then(100.0)
    return Histories.from_frame(frame.with_columns(ceiling=ceiling, launch=pl.col("year") - pl.col("age")))


def given(frame, points, *, mode="leave-medium-out", half_width=None, target_age=20):
    """Windows of forecasts that an oracle dictates, (K, n), under the name ``given``."""
    sample, references = fixed_sample(frame, target_age), histories(frame)
    asked = questions(sample, references)
    cuts, names = np.arange(target_age - 2), sample.series["series"]
    half = np.nan if half_width is None else half_width
    made = pl.DataFrame(
        {
            "series": np.tile(names.to_numpy(), len(cuts)),
            "age": np.repeat(cuts, len(names)),
            "point": points.astype(float).ravel(),
        }
    ).with_columns(lo80=pl.col("point") - half, hi80=pl.col("point") + half, n_references=pl.lit(9, pl.Int64))
    answered = asked.join(made.fill_nan(None), on=["series", "age"]).drop("age")
    return sample, windows(sample, references, asked, {"given": answered}, mode=mode)


def information(frame, points, *, n_boot, seed, **options):
    return information_by_age(*given(frame, points, **options), n_boot=n_boot, seed=seed)


def of(table, forecaster="given"):
    return table.filter(pl.col("forecaster") == forecaster)


def test_information_rises_towards_one_for_noiseless_curves():
    frame = make_frame(logistic_levels(20))
    sample, references = fixed_sample(frame), histories(frame)
    asked = questions(sample, references)
    made = answers(asked, references, lambda: AdoptionForecaster(seed=1, hold_out="family"), mode="leave-medium-out")
    table = windows(sample, references, asked, {LEARNS: made}, mode="leave-medium-out")
    by_age = of(information_by_age(sample, table, n_boot=200, seed=1).by_age, LEARNS).sort("age")
    assert by_age["age"].to_list() == list(range(16))
    assert by_age.filter(pl.col("age") >= 12)["information_mse"].min() > 0.95
    assert by_age["information_mae"][0] < 0.5
    assert (by_age["information_mse_lo"] <= by_age["information_mse"] + 1e-12).all()
    assert (by_age["information_mse_hi"] >= by_age["information_mse"] - 1e-12).all()


def test_information_is_nought_or_less_where_there_is_nothing_to_know():
    levels = np.random.default_rng(4).uniform(0, 100, (60, 21))
    result = information(make_frame(levels), levels[:, :18].T, half_width=30, n_boot=300, seed=1)
    assert of(result.by_age, CLIMATOLOGY)["information_mse"].to_list() == [0.0] * 16
    assert of(result.by_age, CLIMATOLOGY)["information_mae"].to_list() == [0.0] * 16
    assert of(result.by_age)["information_mse"].max() < 0
    assert of(result.readable)["reason"].to_list() == ["not reached"]
    assert of(result.readable, CLIMATOLOGY)["reason"].to_list() == ["this forecaster makes no intervals"]
    assert result.readable["age"].null_count() == result.readable["hi"].null_count() == 2


def test_scores_equal_hand_computed_ones():
    levels = logistic_levels(5, seed=2)
    result = information(make_frame(levels), levels[:, :18].T, mode="leave-one-out", n_boot=50, seed=1)
    row = of(result.by_age).row(8, named=True)
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
    # No interval was made: none is scored, rather than all of 0-100.
    assert row["median_width_80"] is None
    assert row["coverage_80"] is None


def test_bootstrap_draws_clusters_not_series():
    levels = logistic_levels(30, seed=3)
    twins = np.repeat(levels, 4, axis=0)
    families = [f"f{i // 4:03d}" for i in range(120)]
    groups = [f"{family}|US" for family in families]
    options = {"mode": "leave-one-out", "n_boot": 1000, "seed": 1}
    single, frame = make_frame(levels), make_frame(twins, families=families, groups=groups)
    one, four = (information(f, x[:, :18].T, **options) for f, x in ((single, levels), (frame, twins)))
    first, second = (of(result.by_age).row(10, named=True) for result in (one, four))
    assert (second["n_series"], second["n_clusters"]) == (120, 30)
    assert second["information_mse"] == pytest.approx(first["information_mse"])
    width = [row["information_mse_hi"] - row["information_mse_lo"] for row in (first, second)]
    assert width[1] == pytest.approx(width[0], rel=0.15)  # treating twins as independent would halve it


def test_same_seed_same_answer_whatever_else_is_there():
    levels = logistic_levels(40, seed=5)
    sample, table = given(make_frame(levels, panels=["a"] * 20 + ["b"] * 20), levels[:, :18].T)
    first, again = (information_by_age(sample, table, n_boot=100, seed=7) for _ in range(2))
    for name in ("by_age", "pooled", "windows", "readable", "exclusions"):
        assert getattr(first, name).equals(getattr(again, name))
    assert not information_by_age(sample, table, n_boot=100, seed=8).by_age.equals(first.by_age)


def test_pooled_is_the_equal_average_of_panels():
    levels = logistic_levels(60, seed=6)
    frame = make_frame(levels, panels=["big"] * 30 + ["small"] * 20 + ["too few"] * 10)
    result = information(frame, levels[:, :18].T, n_boot=200, seed=1)
    mean = (
        of(result.by_age)
        .filter(pl.col("panel") != "too few")
        .group_by("age")
        .agg(pl.col("information_mae").mean())
        .sort("age")
    )
    pooled = of(result.pooled)
    assert pooled["information_mae"].to_list() == pytest.approx(mean["information_mae"].to_list())
    assert pooled["n_panels"].unique().to_list() == [2]
    assert pooled["information_mse"].is_between(pooled["information_mse_lo"], pooled["information_mse_hi"]).all()


def test_counts_and_small_groups_have_no_readable_age():
    levels = np.vstack([logistic_levels(20, seed=7), logistic_levels(14, seed=8)])
    frame = make_frame(levels, panels=["counts"] * 20 + ["few"] * 14, units=["count"] * 20 + ["share"] * 14)
    readable = of(information(frame, levels[:, :18].T, n_boot=50, seed=1).readable).sort("panel")
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


@pytest.mark.parametrize(("half_width", "valid"), [(5.13, True), (1.0, False)])
def test_validity_says_whether_intervals_hold_what_they_promise(half_width, valid):
    rng = np.random.default_rng(9)
    actual = rng.uniform(30, 70, 60)
    points = np.repeat((actual + rng.normal(0, 4, 60))[None], 18, axis=0)  # 80 % lie within 1.2816 × 4 = 5.13
    frame = make_frame(np.repeat(actual[:, None], 21, axis=1))
    readable = of(information(frame, points, half_width=half_width, n_boot=500, seed=1).readable).row(0, named=True)
    assert readable["age"] == 0
    assert readable["coverage_valid"] is valid


def test_exclusions_name_the_series_without_climatology():
    levels = logistic_levels(10, seed=1)
    result = information(make_frame(levels, families=["only"] * 10), levels[:, :18].T, n_boot=10, seed=1)
    assert result.exclusions["reason"].unique().to_list() == ["no climatology left"]
    assert result.by_age.is_empty()
    assert result.pooled.is_empty()
    assert result.readable.is_empty()
    assert {"panel", "information_mse_lo"} <= set(result.by_age.columns)


@pytest.mark.parametrize(
    ("spoil", "options", "message"),
    [
        (lambda s, w: (fixed_sample(make_frame(logistic_levels(4)), 5), w), {}, "target age 5"),
        (lambda s, w: (s, w), {"n_boot": 0}, "n_boot 0"),
        (lambda s, w: (s, w.filter(pl.col("age") != 9)), {}, r"ages 0\.\.17"),
    ],
)
def test_bad_input_is_refused_by_name(spoil, options, message):
    levels = logistic_levels(4)
    sample, table = spoil(*given(make_frame(levels), levels[:, :18].T))
    with pytest.raises(ValueError, match=message):
        information_by_age(sample, table, **({"seed": 1, "n_boot": 10} | options))
