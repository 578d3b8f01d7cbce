"""The early-adopter premium: who is watched, what is held constant, and that exposure alone makes none."""

import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from longwave.models.adopters import ADOPTERS, ATTENTION, COVARIATES, AdopterPanel
from longwave.models.premium import (
    CHOICES,
    OUTCOMES,
    Asked,
    Known,
    matched,
    outcomes,
    premium,
    sampled,
    specifications,
    watched,
)

WORLDS = runpy.run_path(str(Path(__file__).parents[1] / "study" / "authority_worlds.py"))
KNOWN = (Known("standing", 0.0), Known("documents", 1.0))


def world(name, n=600, seed=1, **stated):
    return WORLDS["world"](name, n, np.random.default_rng(seed), **stated)


def panel(adopters, attention, covariates=()):
    return AdopterPanel(
        "social",
        "followers",
        2006.2,
        pl.DataFrame(adopters, schema=ADOPTERS, orient="row"),
        pl.DataFrame(attention, schema=ATTENTION, orient="row"),
        pl.DataFrame(covariates, schema=COVARIATES, orient="row"),
    )


def small():
    adopters = [
        ("seen", 2012.0, None, "p", "f", ""),
        ("died", 2012.0, 2023.0, "p", "f", ""),
        ("lost", 2012.0, None, "p", "f", ""),
        ("early", 2009.0, None, "p", "f", ""),
        ("known after", 2010.5, None, "p", "f", ""),
        ("never", None, None, "p", "f", ""),
        ("shared", 2012.0, None, "p", "f", "shared_account,dates_differ"),
        ("no rank", 2012.0, None, "p", "f", ""),
    ]
    both = [(2022.5, 10.0), (2022.6, 11.0), (2023.7, 30.0), (2023.8, 31.0)]
    attention = [(name, at, value) for name, *_ in adopters for at, value in both if name not in ("never", "died")]
    attention = [row for row in attention if row[0] != "lost" or row[1] < 2023] + [("died", 2022.5, 50.0)]
    covariates = [
        (name, what, at, 4.0)
        for name, *_ in adopters
        if name != "no rank"
        for what, at in (("standing", 2011.0), ("documents", 2009.0))
    ]
    return panel(adopters, attention, covariates)


def test_the_longest_watch_is_taken_and_everyone_left_out_is_counted_once():
    frame, left = watched(small(), KNOWN, opened_from=2010.0, without=("shared_account",))
    assert frame["adopter"].to_list() == ["died", "seen"]
    seen = frame.row(1, named=True)
    assert (seen["first_at"], seen["first"], seen["last_at"], seen["last"]) == (2022.5, 10.0, 2023.8, 31.0)
    assert seen["known_standing"] == pytest.approx(np.log(4.0))
    assert seen["known_documents"] == pytest.approx(np.log(5.0))
    assert left == {
        "never adopted, or not known when": 1,
        "adopted before anything is known of it": 1,
        "shared_account": 1,
        "standing before adoption not known": 2,
        "documents before adoption not known": 0,
        "not observed at both ends of the watch": 1,
    }
    assert frame.height + sum(left.values()) == small().adopters.height


def test_missing_is_not_dead_but_a_dated_end_in_the_watch_is():
    frame, _ = watched(small(), KNOWN)
    died = frame.filter(pl.col("adopter") == "died").row(0, named=True)
    assert (died["first"], died["last"], died["last_at"]) == (50.0, 0.0, 2023.8)
    assert "lost" not in frame["adopter"]


def test_who_opened_less_than_three_years_before_the_watch_is_not_read():
    frame = world("exposure only").with_columns(
        opened=pl.when(pl.int_range(pl.len()) < 50).then(pl.lit(2020.5)).otherwise("opened")
    )
    assert sampled(frame, Asked()).height == 550
    assert sampled(frame, Asked(min_age=2.0)).height == 600


def test_the_largest_are_cut_by_what_they_had_when_first_watched_not_by_what_they_gained():
    frame = world("exposure only")
    cut = sampled(frame, Asked(sample="without the largest 1 %"))
    gone = frame.filter(~pl.col("adopter").is_in(cut["adopter"].implode()))
    assert gone.height == 6
    assert gone["first"].min() >= cut["first"].max()


def test_small_fields_and_lone_clusters_are_merged():
    rows = sampled(world("exposure only"), Asked())
    assert rows.group_by("cluster").len()["len"].min() >= 2
    assert "others" in rows["cluster"]
    few = world("exposure only", 100).with_columns(field=pl.int_range(pl.len()).cast(pl.String))
    assert sampled(few, Asked())["field"].unique().to_list() == ["others"]


def mean_of(name, read, replicates=30, n=500):
    return np.mean([read(world(name, n, seed)).estimate for seed in range(replicates)])


def test_exposure_alone_fakes_a_premium_in_the_naive_analysis_and_not_in_ours():
    def naive(frame):
        return premium(frame, Asked(covariates="none"), "log_cumulative")

    # 30 panels of 500: the mean of ours has a Monte Carlo error of 0.8 points.
    assert mean_of("exposure only", naive) > 10
    assert abs(mean_of("exposure only", premium)) < 2.5


def test_a_true_premium_is_found_and_better_adopters_coming_early_are_none():
    assert mean_of("true premium", premium) == pytest.approx(10.0, abs=2.5)
    assert abs(mean_of("quality confounding", premium)) < 2.5
    assert abs(mean_of("quality confounding", matched, 15)) < 4.5


def test_without_standing_the_confounded_world_shows_a_premium_that_is_not_there():
    blind = mean_of("quality confounding", lambda frame: premium(frame, Asked(covariates="none")), 15)
    assert blind > 8


def test_pairs_differ_in_what_they_are_not_matched_by_and_that_is_adjusted_for():
    frame = world("exposure only", 900)
    even = np.exp(0.6 * frame["known_standing"].to_numpy() + 0.5 * frame["known_size"].to_numpy())
    # Who was larger came earlier; gains follow from standing and size alone.
    opened = 2013.0 - frame["known_size"].to_numpy() + np.random.default_rng(4).standard_normal(900)
    frame = frame.with_columns(first=pl.lit(10.0), last=pl.Series(10.0 + even), opened=pl.Series(opened))
    found = matched(frame)
    assert found.n > 200
    assert abs(found.estimate) < 1.0


def test_a_pair_is_counted_once_though_it_stands_in_two_clusters():
    """Of adopters that have nothing in common the error is as large as the estimate varies; by pair it was a quarter larger."""
    found = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        frame = world("exposure only", 400, seed).with_columns(cluster="adopter")
        gain = np.exp(0.6 * frame["known_standing"].to_numpy() + 0.8 * rng.standard_normal(400))
        found.append(matched(frame.with_columns(first=pl.lit(9.0), last=pl.Series(9.0 + gain)), Asked(lone="own")))
    ends = np.log1p(np.array([(row.estimate, row.lo, row.hi) for row in found]) / 100.0)
    error = ((ends[:, 2] - ends[:, 1]) / 2.0 / 1.96).mean()
    assert error / ends[:, 0].std(ddof=1) == pytest.approx(1.0, abs=0.15)
    # Who is matched often counts for more, so that fewer count.
    assert found[0].effective_clusters < 0.75 * found[0].clusters


def test_the_four_outcomes_are_read_off_the_same_adopters_in_their_own_units():
    found = outcomes(world("true premium", 1200))
    assert list(found) == list(OUTCOMES)
    assert {row.n for row in found.values()} == {1200}
    # With even gains who is older grows more slowly in relation, premium or no premium.
    assert found["growth_rate"].hi < 0 < found["log_cumulative"].lo
    assert found["log_cumulative"].estimate > found["absolute_growth"].estimate
    with pytest.raises(ValueError, match="outcome 'fame' is none of"):
        premium(world("true premium"), outcome="fame")


def test_the_specification_curve_has_every_combination_and_the_primary_one_first():
    asked = list(specifications())
    assert asked[0] == Asked()
    assert len(asked) == len(set(asked)) == np.prod([len(values) for values in CHOICES.values()])


def test_what_cannot_be_read_says_why():
    frame = world("exposure only")
    assert premium(frame.head(8)).status == "fewer than 10 adopters"
    assert premium(frame.with_columns(cluster=pl.lit("one"))).status == "fewer than 3 clusters"
    assert premium(frame.with_columns(opened=pl.lit(2012.0))).status == "all opened at one time"
    shrinking = premium(frame.with_columns(first=pl.col("last") * 2))
    assert "not over 0" in shrinking.status
    assert np.isnan([shrinking.estimate, shrinking.lo, shrinking.hi]).all()
    unknown = frame.select(pl.exclude("^known_.*$"))
    assert "nothing known" in matched(unknown).status
    assert premium(unknown).status == "solved"


def test_the_unit_of_attention_and_the_order_of_rows_change_nothing():
    frame = world("true premium")
    scaled = frame.with_columns(pl.col("first", "last") * 1000.0).sample(fraction=1.0, shuffle=True, seed=3)
    one, other = premium(frame), premium(scaled)
    assert (one.estimate, one.lo, one.hi, one.p) == pytest.approx(
        (other.estimate, other.lo, other.hi, other.p), rel=1e-6
    )
    unlike = dict.fromkeys(("estimate", "lo", "hi", "p", "effective_clusters"), 0)
    assert replace(one, **unlike) == replace(other, **unlike)
