"""Status rules and the fixed sample on series made by hand."""

import numpy as np
import polars as pl
import pytest
from longwave.models.panels import (
    ADOPTION_COLUMNS,
    assess_finish,
    fixed_sample,
    has_peaked,
    is_finished,
    settled_level,
    status_table,
    theil_sen,
    validate_adoption,
)


def series(name, ages, values, *, unit="share", truncated=False, flags=None):
    flags = flags or {}
    return [
        {
            "series": name,
            "concept_group": f"{name}|US",
            "medium": name,
            "family": name,
            "place": "US",
            "panel": "us",
            "unit_class": unit,
            "year": 1950 + age,
            "age": age,
            "value": value,
            "launch_convention": "cited",
            "left_truncated": truncated,
            "flag": flags.get(age),
        }
        for age, value in zip(ages, values, strict=True)
    ]


def frame(*parts):
    rows = [row for part in parts for row in part]
    return pl.DataFrame(rows, schema_overrides={"flag": pl.String, "value": pl.Float64}).select(ADOPTION_COLUMNS)


def ramp(last=25):
    ages = list(range(last + 1))
    return ages, [4.0 * age for age in ages]


def test_theil_sen_is_the_median_slope_and_needs_two_years():
    assert theil_sen([0, 1, 2, 3], [0.0, 2.0, 4.0, 100.0]) == pytest.approx(np.median([2, 2, 100 / 3, 2, 49, 96]))
    assert theil_sen([3, 1, 2], [6.0, 2.0, np.nan]) == pytest.approx(2.0)
    with pytest.raises(ValueError, match="two years"):
        theil_sen([1, 2], [np.nan, 3.0])
    with pytest.raises(ValueError, match="one length"):
        theil_sen([1, 2], [1.0])


FLAT = [20.0, 60.0, 90.0, 95.0, 95.2, 95.4, 95.1, 95.3]


@pytest.mark.parametrize(
    ("years", "values", "unit", "breaks", "why"),
    [
        (range(8), FLAT, "share", (), ""),
        (range(4), FLAT[:4], "share", (), "fewer than five observations"),
        (range(0, 32, 4), FLAT, "share", (), "last five observations span more than 12 years"),
        (range(0, 24, 3), FLAT, "share", (), ""),
        (range(8), [10.0 * i for i in range(8)], "share", (), "still rising"),
        (range(8), [80 - 0.51 * i for i in range(8)], "share", (), "still falling"),
        (range(8), [80 - 0.5 * i for i in range(8)], "share", (), ""),
        (range(8), [4.9] * 8, "share", (), "level under 5 % of the denominator"),
        (range(8), FLAT, "share", (5,), "break within the last observations"),
        (range(8), FLAT, "share", (3,), ""),
        (range(8), [100 + 1.2 * i for i in range(8)], "count", (), "still rising"),
        (range(8), [100 + 1.0 * i for i in range(8)], "count", (), ""),
    ],
)
def test_finished_by_each_rule(years, values, unit, breaks, why):
    finish = assess_finish(list(years), values, unit_class=unit, breaks=breaks)
    assert finish.why == why
    assert finish.finished is (why == "")
    assert is_finished(list(years), values, unit_class=unit, breaks=breaks) is (why == "")
    level = settled_level(list(years), values, unit_class=unit, breaks=breaks)
    assert level == (np.median(values[-5:]) if why == "" else None)


@pytest.mark.parametrize(
    ("values", "unit", "breaks", "peaked"),
    [
        ([50, 60, 60, 60, 58, 57, 56, 55, 54, 53], "share", (), True),
        ([50, 60, 60, 60, 58, 57, 56, 55, 55, 55], "share", (), False),  # exactly 5 points is not more than 5
        ([50, 50, 50, 50, 60, 60, 60, 55, 50, 40], "share", (), False),  # the peak is too recent
        ([50, 60, 60, 60, 58, 57, 56, 55, 54, 53], "share", (5,), False),
        ([50, 60, 60, 60, 58, 57, 56, 55, 54, 53], "share", (3,), True),
        (
            [50, 60, 60, 60, 58, 57, 56, 55, 54, 53],
            "count",
            (),
            True,
        ),  # made 54 below: 10 % under 60, no more
        ([50, 90, 50, 50, 50, 50, 50, 50, 50, 50], "share", (), False),  # a spike is no three-year median
    ],
)
def test_peaked_by_each_rule(values, unit, breaks, peaked):
    if unit == "count":
        values, peaked = [*values[:-1], 54.0], False
    assert has_peaked(list(range(len(values))), values, unit_class=unit, breaks=breaks) is peaked


def test_sparse_series_have_no_three_year_median():
    assert not has_peaked([0, 10, 20, 30], [90, 80, 20, 10], unit_class="share")
    assert has_peaked([0, 2, 10, 12], [90, 80, 20, 10], unit_class="share")


def test_status_table_says_why():
    data = frame(
        series("done", range(8), FLAT),
        series("fallen", range(10), [50, 60, 60, 60, 58, 55, 50, 45, 40, 35]),
        series("young", *ramp(6)),
    )
    table = status_table(data)
    assert table["series"].to_list() == ["done", "fallen", "young"]
    assert table["status"].to_list() == ["finished", "peaked", "neither"]
    assert table["why"].to_list() == ["", "still falling", "still rising"]
    assert table["settled_level"].to_list() == [95.2, None, None]
    assert table["n_observations"].to_list() == [8, 10, 7]


def test_fixed_sample_keeps_and_names_exclusions():
    ages, values = ramp()
    without_20 = [a for a in ages if a != 20]
    gap = [a for a in ages if not 19 <= a <= 21]
    data = frame(
        series("kept", ages, values),
        series("between", without_20, [values[a] for a in without_20]),
        series("gap", gap, [values[a] for a in gap]),
        series("broken", without_20, [values[a] for a in without_20], flags={21: "break"}),
        series("truncated", ages, values, truncated=True),
        series("late", ages[4:], values[4:]),
        series("on time", ages[3:], values[3:]),
        series("filled", ages, [0.0] * 4 + values[4:], flags=dict.fromkeys(range(4), "filler_zero")),
        series("young", ages[:15], values[:15]),
        series("nothing", ages, [None] * len(ages)),
        series("gone", ages, [1.0] * 20 + [0.0] * 6, unit="count"),
        series("zero start", ages, [0.0] * 4 + values[4:], unit="count"),
    )
    sample = fixed_sample(data)
    kept = {row["series"]: (row["target_level"], row["target_between"]) for row in sample.series.to_dicts()}
    assert kept == {"kept": (80.0, False), "between": (80.0, True), "on time": (80.0, False)}
    assert dict(sample.exclusions.select("series", "reason").iter_rows()) == {
        "gap": "target age not observed",
        "broken": "target age not observed",
        "truncated": "left truncated",
        "late": "first observed after age 3",
        "filled": "filler",
        "young": "target age not observed",
        "nothing": "first observed after age 3",
        "gone": "count not positive at the target age",
        "zero start": "first observed after age 3",
    }
    assert "young" in fixed_sample(data, 10).series["series"]


def test_observations_before_launch_belong_to_no_history():
    ages = [-2, *range(5, 26)]
    data = frame(series("early bird", ages, [1.0] * len(ages)))
    assert fixed_sample(data).exclusions["reason"].to_list() == ["first observed after age 3"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: f.drop("panel", "age"), "panel, age"),
        (lambda f: f.head(0), "no rows"),
        (lambda f: pl.concat([f, f.head(1)]), "'a' has 2 rows at age 0"),
        (lambda f: f.with_columns(age=pl.col("age").cast(pl.Float64)), "column age"),
        (lambda f: f.with_columns(place=pl.lit(None, pl.String)), "column place"),
        (lambda f: f.with_columns(unit_class=pl.lit("percent")), "'percent'"),
        (lambda f: f.with_columns(family=pl.col("age").cast(pl.String)), "'a' has several values of family"),
        (lambda f: f.with_columns(value=pl.col("value") + 50), "'a': share 102"),
        (lambda f: f.with_columns(value=pl.lit(float("inf"))), "'a' has an infinite value"),
        (lambda f: pl.concat([f, f.with_columns(series=pl.lit("b"), family=pl.lit("b"))]), r"'a\|US'"),
    ],
)
def test_bad_frames_are_refused_by_name(spoil, message):
    good = frame(series("a", *ramp(19)))
    validate_adoption(good)
    with pytest.raises(ValueError, match=message):
        status_table(spoil(good))
    with pytest.raises(ValueError, match=message):
        fixed_sample(spoil(good))


def test_target_age_must_leave_room():
    with pytest.raises(ValueError, match="target age 3"):
        fixed_sample(frame(series("a", *ramp())), 3)
