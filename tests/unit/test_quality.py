"""Whether attention tracks quality, one cohort against another: against pairs counted by hand, and in known worlds."""

import runpy
from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from longwave.models.quality import apart
from scipy import stats

WORLDS = runpy.run_path(str(Path(__file__).parents[1] / "study" / "authority_worlds.py"))
EARLY, LATE = (2011.0, 2014.0), (2016.0, 2019.0)


def cohorts(early=0.4, late=0.4, n=400, seed=1):
    return WORLDS["cohorts"](early, late, n, np.random.default_rng(seed))


def by_hand(frame):
    rows = frame.select("field", "attention", "standing").rows()
    pairs = [(np.sign(a[1] - b[1]), np.sign(a[2] - b[2])) for a, b in combinations(rows, 2) if a[0] == b[0]]
    x, y = np.array(pairs).T
    return (x * y).sum() / np.sqrt(np.abs(x).sum() * np.abs(y).sum()), len(pairs)


def test_agreement_counts_the_pairs_of_one_field_only_ties_included():
    frame = cohorts().with_columns(pl.col("attention", "standing").round(1))
    found = apart(frame, EARLY, LATE)
    for cohort in (found.early, found.late):
        tau, pairs = by_hand(frame.filter(pl.col("opened") >= cohort.since, pl.col("opened") < cohort.until))
        assert cohort.tau == pytest.approx(tau)
        assert cohort.pairs == pairs
    assert found.difference == pytest.approx(found.early.tau - found.late.tau)


def test_of_one_field_it_is_kendalls_tau_b():
    frame = cohorts().with_columns(field=pl.lit("all"))
    own = frame.filter(pl.col("opened") < 2014)
    assert apart(frame, EARLY, LATE).early.tau == pytest.approx(stats.kendalltau(own["attention"], own["standing"])[0])


def test_a_field_that_draws_attention_and_has_standing_makes_no_agreement():
    rng = np.random.default_rng(5)
    field = rng.integers(0, 8, 600)
    frame = cohorts(0.0, 0.0, 600).with_columns(
        pl.Series("field", [f"f{code}" for code in field]),
        pl.col("attention") + 3.0 * field,
        pl.col("standing") + 3.0 * field,
    )
    found = apart(frame, EARLY, LATE)
    assert abs(found.early.tau) < 0.15
    assert apart(frame.with_columns(field=pl.lit("all")), EARLY, LATE).early.tau > 0.6


def test_the_difference_is_found_and_its_interval_is_about_as_wide_as_it_varies():
    found = [apart(cohorts(0.2, 0.5, 500, seed), EARLY, LATE) for seed in range(25)]
    gaps = np.array([row.difference for row in found])
    truth = 2 / np.pi * (np.arcsin(0.2) - np.arcsin(0.5))
    assert gaps.mean() == pytest.approx(truth, abs=0.04)
    errors = np.array([(row.hi - row.lo) / 2 / stats.t.ppf(0.975, row.effective_clusters - 1) for row in found])
    assert errors.mean() == pytest.approx(gaps.std(ddof=1), rel=0.35)
    assert np.mean([row.lo <= truth <= row.hi for row in found]) > 0.8


def test_who_has_no_peer_in_their_field_counts_for_nothing():
    frame = cohorts()
    alone = frame.head(1).with_columns(adopter=pl.lit("x"), field=pl.lit("of its own"), attention=pl.lit(99.0))
    assert apart(pl.concat([frame, alone]), EARLY, LATE).difference == apart(frame, EARLY, LATE).difference


def test_too_little_to_say_is_said():
    frame = cohorts()
    assert "fewer than 30" in apart(frame.head(40), EARLY, LATE).status
    assert "fewer than 3 clusters" in apart(frame.with_columns(cluster=pl.lit("one")), EARLY, LATE).status
    assert "differ" in apart(frame.with_columns(attention=pl.lit(1.0)), EARLY, LATE).status
    assert np.isnan(apart(frame.head(40), EARLY, LATE).lo)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda f: f.drop("field"), "lack column"),
        (lambda f: pl.concat([f, f.head(1)]), "has several rows"),
        (lambda f: f.with_columns(attention=pl.lit(None, pl.Float64)), "attention must be finite"),
    ],
)
def test_a_frame_that_breaks_the_form_is_refused(change, says):
    with pytest.raises(ValueError, match=says):
        apart(change(cohorts()), EARLY, LATE)


def test_cohorts_that_overlap_are_refused():
    with pytest.raises(ValueError, match="must end before"):
        apart(cohorts(), (2011.0, 2017.0), LATE)


def test_what_is_peculiar_to_a_pair_counts_once_and_not_at_both_of_its_ends():
    # Fields of two, everyone alone: the pairs are independent draws of +1 and −1, with the error of a mean of such.
    rng = np.random.default_rng(8)
    names = np.arange(400)
    frame = pl.DataFrame(
        {
            "adopter": [f"a{i:03d}" for i in names],
            "cluster": [f"a{i:03d}" for i in names],
            "field": [f"f{i // 2:03d}" for i in names],
            "opened": np.where(names < 200, 2012.0, 2017.0),
            "attention": rng.standard_normal(400),
            "standing": rng.standard_normal(400),
        }
    )
    early = apart(frame, EARLY, LATE).early
    # Each pair touches two adopters, whose leaving out (CR3) is counted; once of the two is taken back.
    left_out = 2 * (199 / 200) / (199 / 200) ** 4
    error = np.sqrt((left_out - 1) * (1 - early.tau**2) / 100)
    assert (early.hi - early.lo) / 2 == pytest.approx(stats.t.ppf(0.975, 199) * error)
