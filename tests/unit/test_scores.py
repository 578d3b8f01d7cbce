"""Scores against values worked out by hand, and against a second way of computing them."""

import math

import numpy as np
import polars as pl
import pytest
from longwave.models import scores
from longwave.models.scores import (
    LEVELS,
    clusters,
    compared,
    coverage_table,
    estimate,
    interval_score,
    randomised_pit,
    scored,
    weighted_interval_score,
)
from scipy import stats


def one(value):
    return np.array([float(value)])


def normal_intervals(mean, spread):
    """Median and central intervals of normal forecasts."""
    ends = {}
    for level in LEVELS:
        reach = stats.norm.ppf((1 + level) / 2) * spread
        ends[level] = (mean - reach, mean + reach)
    return mean, ends


def frame_of(actual, point, ends, series="a", group=None, origin=2000, last=50.0, interpolated=False):
    """A forecast frame of one window, years after the origin."""
    n = len(actual)
    columns = {
        "series": [series] * n,
        "concept_group": [group or series] * n,
        "origin": [origin] * n,
        "year": [origin + 1 + i for i in range(n)],
        "last_value": [last] * n,
        "actual": actual,
        "interpolated": [interpolated] * n,
        "point": point,
    }
    for level in LEVELS:
        columns[f"lo{round(100 * level)}"] = [ends[level][0]] * n
        columns[f"hi{round(100 * level)}"] = [ends[level][1]] * n
    return pl.DataFrame(columns)


WIDE = {0.5: (45.0, 55.0), 0.8: (40.0, 60.0), 0.9: (30.0, 70.0)}


@pytest.mark.parametrize(
    ("actual", "by_hand"),
    [(50.0, 20.0), (38.0, 20.0 + 10 * 2.0), (61.5, 20.0 + 10 * 1.5), (60.0, 20.0)],
)
def test_interval_score_by_hand(actual, by_hand):
    assert interval_score(one(actual), one(40), one(60), 0.8)[0] == pytest.approx(by_hand)


def test_weighted_interval_score_by_hand():
    # y = 62, m = 50: ½·12 + ¼·(10 + 4·7) + 1/10·(20 + 10·2) + 1/20·(40 + 0) = 6 + 9.5 + 4 + 2, over 3.5.
    intervals = {level: (one(low), one(high)) for level, (low, high) in WIDE.items()}
    assert weighted_interval_score(one(62), one(50), intervals)[0] == pytest.approx(21.5 / 3.5)


def test_weighted_interval_score_is_the_mean_quantile_loss_doubled():
    rng = np.random.default_rng(3)
    mean, spread, actual = rng.normal(50, 9, 400), rng.uniform(1, 8, 400), rng.normal(50, 12, 400)
    median, intervals = normal_intervals(mean, spread)
    quantiles = [(0.5, median)]
    for level, (low, high) in intervals.items():
        quantiles += [((1 - level) / 2, low), ((1 + level) / 2, high)]
    losses = [np.where(actual >= q, tau * (actual - q), (1 - tau) * (q - actual)) for tau, q in quantiles]
    expected = 2 * np.mean(losses, axis=0)
    assert weighted_interval_score(actual, median, intervals) == pytest.approx(expected)


def test_weighted_interval_score_tends_to_the_continuous_score():
    # CRPS of a standard normal at 0.7: y(2Φ(y)−1) + 2φ(y) − 1/√π.
    y = 0.7
    crps = y * (2 * stats.norm.cdf(y) - 1) + 2 * stats.norm.pdf(y) - 1 / math.sqrt(math.pi)
    levels = np.linspace(0.002, 0.998, 499)
    intervals = {float(a): (one(-stats.norm.ppf((1 + a) / 2)), one(stats.norm.ppf((1 + a) / 2))) for a in levels}
    assert weighted_interval_score(one(y), one(0), intervals)[0] == pytest.approx(crps, rel=0.01)


def test_pit_is_even_when_calibrated_and_not_when_overconfident():
    rng = np.random.default_rng(8)
    actual = rng.normal(0, 1, 4000)
    for spread, even in ((1.0, True), (0.5, False)):
        median, intervals = normal_intervals(np.zeros(4000), np.full(4000, spread))
        pit = randomised_pit(actual, median, intervals, seed=1)
        # The stretches between the quantiles, whatever is drawn inside them.
        counts = np.histogram(pit, bins=[0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1])[0]
        expected = 4000 * np.diff([0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1])
        assert bool(stats.chisquare(counts, expected).pvalue > 1e-4) is even


def test_pit_of_a_sure_forecast_that_is_right_says_nothing():
    same = {level: (np.full(2000, 99.0), np.full(2000, 99.0)) for level in LEVELS}
    pit = randomised_pit(np.full(2000, 99.0), np.full(2000, 99.0), same, seed=2)
    assert stats.kstest(pit, "uniform").pvalue > 0.01
    over = randomised_pit(np.full(2000, 99.5), np.full(2000, 99.0), same, seed=2)
    assert over.min() >= 0.95


def test_pit_repeats_with_its_seed():
    median, intervals = normal_intervals(np.zeros(50), np.ones(50))
    first = randomised_pit(np.linspace(-2, 2, 50), median, intervals, seed=5)
    assert np.array_equal(first, randomised_pit(np.linspace(-2, 2, 50), median, intervals, seed=5))
    assert not np.array_equal(first, randomised_pit(np.linspace(-2, 2, 50), median, intervals, seed=6))


def test_averages_over_windows_and_over_series_differ():
    # Series a has three windows with error 1, series b one with error 5: 2 over windows, 3 over series.
    parts = [frame_of([51.0], [50.0], WIDE, "a", origin=year) for year in (2000, 2001, 2002)]
    frame = scored(pl.concat([*parts, frame_of([55.0], [50.0], WIDE, "b")]))
    windows = scores.by_window(frame)
    assert clusters(windows, "ae", "window").average == pytest.approx(2.0)
    assert clusters(windows, "ae", "series").average == pytest.approx(3.0)


def test_a_window_counts_once_however_long_it_is():
    frame = scored(pl.concat([frame_of([54.0] * 4, [50.0] * 4, WIDE, "a"), frame_of([50.0], [50.0], WIDE, "b")]))
    assert clusters(scores.by_window(frame), "ae", "window").average == pytest.approx(2.0)


def test_bootstrap_draws_groups_with_all_their_series():
    # Two series in one group: the group has errors 1 and 3, the other 2; resamples are 2, 2 or 2.
    parts = [
        frame_of([51.0], [50.0], WIDE, "a", "one"),
        frame_of([53.0], [50.0], WIDE, "b", "one"),
        frame_of([52.0], [50.0], WIDE, "c", "two"),
    ]
    found = estimate(clusters(scores.by_window(scored(pl.concat(parts))), "ae", "series"))
    assert (found.value, found.lo, found.hi, found.n_clusters) == pytest.approx((2.0, 2.0, 2.0, 2))


def test_bootstrap_interval_of_a_mean_is_as_wide_as_theory_says():
    rng = np.random.default_rng(11)
    errors = rng.exponential(2.0, 200)
    windows = pl.DataFrame(
        {
            "series": [f"s{i:03d}" for i in range(200)],
            "concept_group": [f"s{i:03d}" for i in range(200)],
            "origin": [2000] * 200,
            "ae": errors,
        }
    )
    found = estimate(clusters(windows, "ae", "series"), level=0.95, n_boot=4000, seed=1)
    reach = 1.96 * errors.std() / math.sqrt(200)
    assert found.hi - found.lo == pytest.approx(2 * reach, rel=0.06)
    assert found.value == pytest.approx(errors.mean())


def test_paired_comparison_keeps_what_two_forecasters_share():
    rng = np.random.default_rng(12)
    shared = rng.exponential(5.0, 60)

    def made(errors):
        names = [f"s{i:02d}" for i in range(60)]
        table = pl.DataFrame({"series": names, "concept_group": names, "origin": [1] * 60, "ae": errors})
        return clusters(table, "ae", "series")

    ours, theirs = made(shared), made(shared + 0.5)
    difference = compared(ours, theirs, seed=4)
    assert (difference.value, difference.lo, difference.hi) == pytest.approx((-0.5, -0.5, -0.5))
    ratio = compared(ours, theirs, as_ratio=True, seed=4)
    assert ratio.value == pytest.approx(shared.mean() / (shared.mean() + 0.5))
    assert ratio.lo < ratio.value < ratio.hi < 1.0


def test_comparison_of_different_windows_is_refused():
    a = clusters(scores.by_window(scored(frame_of([51.0], [50.0], WIDE, "a"))), "ae", "window")
    b = clusters(scores.by_window(scored(frame_of([51.0], [50.0], WIDE, "b"))), "ae", "window")
    with pytest.raises(ValueError, match="same windows"):
        compared(a, b)


def coverage_world(share_inside, last=50.0, n=40):
    """n series of one value each; that share of them inside every interval."""
    parts = [frame_of([50.0 if i < share_inside * n else 99.0], [50.0], WIDE, f"s{i:02d}", last=last) for i in range(n)]
    return scored(pl.concat(parts))


@pytest.mark.parametrize(
    ("share", "level", "regime", "expected"),
    [
        (0.8, 0.8, "all", True),
        (0.7, 0.8, "all", False),
        (0.95, 0.8, "all", False),
        (0.9, 0.9, "all", True),
        (0.9, 0.8, "20-80", True),
        (0.95, 0.8, "20-80", False),
        (0.5, 0.5, "all", None),
    ],
)
def test_coverage_is_judged_by_the_rule(share, level, regime, expected):
    table = coverage_table(coverage_world(share), average="series")
    row = table.filter(pl.col("regime") == regime, pl.col("level") == level).row(0, named=True)
    assert row["coverage"] == pytest.approx(share)
    assert row["passes"] is expected


def test_coverage_of_the_saturated_may_be_too_high_but_not_too_low():
    for share, expected in ((1.0, True), (0.8, True), (0.7, False)):
        table = coverage_table(coverage_world(share, last=98.0), average="series")
        row = table.filter(pl.col("regime") == "95 and over", pl.col("level") == 0.8).row(0, named=True)
        assert row["passes"] is expected


def test_a_regime_of_few_series_has_no_target():
    table = coverage_table(coverage_world(0.5, n=8), average="series")
    assert table.filter(pl.col("regime") == "20-80", pl.col("level") == 0.9)["passes"][0] is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop("lo50"), "lacks column.*lo50"),
        (lambda f: pl.concat([f, f]), "comes twice"),
        (lambda f: f.with_columns(point=pl.lit(None, pl.Float64)), "point .* missing or not finite"),
        (lambda f: f.with_columns(hi90=pl.lit(math.inf)), "hi90 .* not finite"),
        (lambda f: f.with_columns(lo80=pl.lit(99.0)), "end below their beginning"),
    ],
)
def test_bad_forecasts_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        scored(change(frame_of([51.0], [50.0], WIDE)))


def test_a_level_outside_0_to_1_is_refused():
    with pytest.raises(ValueError, match="between 0 and 1"):
        interval_score(one(1), one(0), one(2), 1.0)
