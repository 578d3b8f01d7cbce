"""Years from one level to another: what can be read off a series, and where one more series is to be expected."""

import numpy as np
import polars as pl
import pytest
from longwave.models import speed
from longwave.models.speed import Rule, predicted, predicted_by_rank, years_between
from scipy import stats


@pytest.mark.parametrize(
    ("years", "levels", "expected"),
    [
        ([2000, 2001, 2002], [0, 20, 60], 1.75 - 0.5),
        ([2000, 2001, 2005], [10, 30, 50], 5.0),
        ([2000, 2001, 2002, 2003, 2004], [5, 15, 8, 60, 40], 2.0 + 42 / 52 - 0.5),
        ([2000, 2005, 2010], [0, 20, 60], 8.75 - 2.5),
    ],
    ids=["between", "at marks", "the first crossing of each", "five years apart"],
)
def test_years_are_read_off_the_line_between_observations(years, levels, expected):
    assert years_between(years, levels) == (pytest.approx(expected), "")


@pytest.mark.parametrize(
    ("levels", "interpolated", "rule", "reason"),
    [
        ([11, 30, 60], None, Rule(), speed.LEFT_TRUNCATED),
        ([10, 30, 60], None, Rule(first_mark=False), speed.LEFT_TRUNCATED),
        ([5, 30, 49.9], None, Rule(), speed.NEVER),
        ([5, 30, 60], [False, True, False], Rule(), speed.INTERPOLATED),
        ([5, 30, 60], [False, True, False], Rule(interpolated=True), ""),
        ([5, 10, 50], [True, False, False], Rule(), ""),
        ([5, 30, 60], None, Rule(most_gap=0), speed.GAP),
        ([5, 10, 50], None, Rule(most_gap=0), ""),
    ],
)
def test_what_is_not_known_says_why(levels, interpolated, rule, reason):
    found, said = years_between([2000, 2001, 2002], levels, interpolated, rule)
    assert said == reason
    assert (found is None) == bool(reason)


def test_a_concept_counts_once():
    frame = pl.DataFrame(
        {
            "series": [name for name in ("a", "b", "c", "d") for _ in range(3)],
            "concept_group": ["x"] * 6 + ["y"] * 3 + ["z"] * 3,
            "year": [2000, 2002, 2010, 2000, 2002, 2004, 2000, 2004, 2008, 2000, 2001, 2002],
            "value": [0.0, 10, 50, 0, 10, 50, 0, 10, 50, 90, 95, 99],
            "interpolated": [False] * 12,
        }
    )
    found = speed.speeds(frame, Rule(most_gap=8))
    assert found["years"].to_list() == [8.0, 2.0, 4.0, None]
    assert found["reason"].to_list() == ["", "", "", speed.LEFT_TRUNCATED]
    concepts = speed.by_concept(found)
    assert concepts["concept_group"].to_list() == ["x", "y"]
    assert concepts["years"].to_list() == pytest.approx([4.0, 4.0])
    assert concepts["series"].to_list() == ["a; b", "c"]


def test_the_prediction_interval_is_that_of_the_formula():
    years = np.array([4.0, 6.0, 9.0, 15.0, 30.0])
    found, logs = predicted(years), np.log(years)
    half = stats.t.ppf(0.975, 4) * logs.std(ddof=1) * np.sqrt(1 + 1 / 5)
    assert (found.lo, found.hi) == pytest.approx((np.exp(logs.mean() - half), np.exp(logs.mean() + half)))
    assert speed.p_outside(found.lo, years) == pytest.approx(0.05)
    assert speed.p_outside(found.hi * 1.01, years) < 0.05 < speed.p_outside(found.hi * 0.99, years)


def test_the_interval_by_rank_says_what_level_it_reaches():
    few = predicted_by_rank(range(1, 13))
    assert (few.lo, few.hi, few.level) == pytest.approx((1.0, 12.0, 11 / 13))
    many = predicted_by_rank(range(1, 80))
    assert (many.lo, many.hi, many.level) == pytest.approx((2.0, 78.0, 0.95))


@pytest.mark.parametrize("n", [12, 40])
def test_one_more_series_lies_inside_as_often_as_is_said(n):
    """Log-normal years: the interval of the formula holds at 95 %, the one by rank at its own level; 2,000 draws each."""
    rng = np.random.default_rng(8)
    held = []
    for _ in range(2000):
        *peers, one = np.exp(rng.normal(2.3, 0.7, n + 1))
        intervals = predicted(peers), predicted_by_rank(peers)
        held.append([found.lo <= one <= found.hi for found in intervals])
    plain, by_rank = np.mean(held, axis=0)
    level = predicted_by_rank(peers).level
    assert abs(plain - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 2000)
    assert abs(by_rank - level) < 3 * np.sqrt(level * (1 - level) / 2000)


def test_too_few_references_are_refused():
    for years in ([1.0, 2.0], [1.0, 2.0, 0.0]):
        with pytest.raises(ValueError, match="three at least"):
            predicted(years)
