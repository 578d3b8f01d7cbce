"""Presence and outcome: correlations against known ones, their intervals, the ordered rule, reference classes."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from longwave.models import presence
from longwave.models.presence import Estimate, kendall, rank_correlation, reading, within_less_pooled
from longwave.models.rank_orders import Clusters, Order, spearman
from longwave.models.rank_pairs import MAX_OBSERVATIONS, pair_sums, tau_b
from scipy import stats

STUDY = Path(__file__).parents[1] / "study"


@pytest.fixture(scope="module")
def world():
    """Sixty pairs with ties, in four groups and fifteen clusters, with two covariates."""
    rng = np.random.default_rng(1)
    x = np.round(rng.standard_normal(60), 1)
    y, z = (np.round(x + rng.standard_normal(60), 1) for _ in range(2))
    return {
        "x": x,
        "y": y,
        "covariates": [z, rng.standard_normal(60)],
        "groups": rng.integers(0, 4, 60),
        "clusters": Clusters.of(rng.integers(0, 15, 60).tolist(), 60),
        "draws": Clusters.of(rng.integers(0, 15, 60).tolist(), 60).draws(4, rng),
    }


def repeated(values, counts):
    return np.repeat(values, counts.astype(int))


def test_rho_of_resamples_is_scipys_of_the_drawn_pairs(world):
    clusters, draws = world["clusters"], world["draws"]
    found, _ = spearman(Order(world["x"]), Order(world["y"]), [], clusters, draws)
    for value, counts in zip(found, draws[:, clusters.codes], strict=True):
        expected = stats.spearmanr(repeated(world["x"], counts), repeated(world["y"], counts)).statistic
        assert value == pytest.approx(expected, abs=1e-12)


def test_tau_of_resamples_is_scipys_of_the_drawn_pairs(world):
    clusters, draws = world["clusters"], world["draws"]
    found, _ = tau_b(pair_sums(world["x"], world["y"], clusters), draws)
    for value, counts in zip(found, draws[:, clusters.codes], strict=True):
        expected = stats.kendalltau(repeated(world["x"], counts), repeated(world["y"], counts)).statistic
        assert value == pytest.approx(expected, abs=1e-12)


def test_pair_sums_do_not_depend_on_how_rows_are_cut(world, monkeypatch):
    whole = pair_sums(world["x"], world["y"], world["clusters"], world["groups"])
    monkeypatch.setattr("longwave.models.rank_pairs._ROWS", 7)
    for left, right in zip(
        vars(whole).values(),
        vars(pair_sums(world["x"], world["y"], world["clusters"], world["groups"])).values(),
        strict=True,
    ):
        assert np.array_equal(left, right)


def within_groups(values, groups):
    """Mid-rank percentiles within groups, less a half."""
    found = np.empty(len(values))
    for group in np.unique(groups):
        of = groups == group
        found[of] = (stats.rankdata(values[of]) - 0.5) / of.sum() - 0.5
    return found


@pytest.mark.parametrize("grouped", [False, True])
def test_partial_rho_is_that_of_residuals_of_percentiles(world, grouped):
    groups = world["groups"] if grouped else np.zeros(60, dtype=int)
    u, v, *z = (within_groups(each, groups) for each in (world["x"], world["y"], *world["covariates"]))
    z = np.column_stack(z)
    left, right = (each - z @ np.linalg.lstsq(z, each, rcond=None)[0] for each in (u, v))
    expected = left @ right / np.sqrt(left @ left * (right @ right))
    found = rank_correlation(world["x"], world["y"], groups=groups.tolist(), covariates=world["covariates"], n_boot=0)
    assert found.value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("given", [{}, {"groups": True}, {"covariates": True}, {"groups": True, "covariates": True}])
def test_what_a_cluster_adds_is_the_slope_in_its_weight(world, given):
    """The influence is the derivative of ρ in how often a cluster is drawn, ranks taken anew."""
    groups = world["groups"] if given.get("groups") else None
    x, y = (Order(world[name], groups) for name in "xy")
    z = [Order(each, groups) for each in world["covariates"]] if given.get("covariates") else []
    clusters, base = world["clusters"], world["draws"][:1] + 1.0
    _, influence = spearman(x, y, z, clusters, base)
    for cluster in range(clusters.count):
        step = np.zeros_like(base)
        step[0, cluster] = 1e-5
        (up, _), (down, _) = (spearman(x, y, z, clusters, base + sign * step) for sign in (1, -1))
        assert influence[0, cluster] == pytest.approx((up[0] - down[0]) / 2e-5, abs=1e-8)


def test_what_a_cluster_adds_to_tau_is_the_slope_too(world):
    sums = pair_sums(world["x"], world["y"], world["clusters"], world["groups"])
    base = world["draws"][:1] + 1.0
    _, influence = tau_b(sums, base)
    for cluster in range(world["clusters"].count):
        step = np.zeros_like(base)
        step[0, cluster] = 1e-5
        slope = (tau_b(sums, base + step)[0] - tau_b(sums, base - step)[0])[0] / 2e-5
        assert influence[0, cluster] == pytest.approx(slope, abs=1e-8)


def test_within_groups_alone_counts(world):
    """Fields whose levels differ in both make a correlation that is not there within any of them."""
    rng = np.random.default_rng(3)
    field = np.repeat(np.arange(8), 50)
    x, y = (10.0 * field + rng.standard_normal(400) for _ in range(2))
    assert rank_correlation(x, y, n_boot=0).value > 0.9
    assert abs(rank_correlation(x, y, groups=field.tolist(), n_boot=0).value) < 0.15
    less = within_less_pooled(x, y, field.tolist(), n_boot=200)
    assert less.outer[1] < -0.7
    assert less.value == pytest.approx(
        kendall(x, y, groups=field.tolist(), n_boot=0).value - stats.kendalltau(x, y).statistic, abs=1e-12
    )


def test_clusters_that_are_alike_widen_the_interval():
    rng = np.random.default_rng(5)
    x, y = (np.repeat(rng.standard_normal(40), 10) + 0.01 * rng.standard_normal(400) for _ in range(2))
    labels = np.repeat(np.arange(40), 10).tolist()
    loose, strict = (rank_correlation(x, y, clusters=given, n_boot=300) for given in (None, labels))
    assert strict.value == loose.value
    assert strict.outer[1] - strict.outer[0] > 2.5 * (loose.outer[1] - loose.outer[0])
    assert (strict.clusters, strict.effective) == (40, pytest.approx(40.0))
    assert presence.design_effect(strict) > 6
    assert presence.design_effect(loose) < 1.5


def test_the_same_seed_gives_the_same_interval():
    rng = np.random.default_rng(5)
    x, y = rng.standard_normal((2, 50))
    first, again, other = (rank_correlation(x, y, n_boot=99, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.outer != other.outer


def made(value=0.0, inner=0.05, outer=0.06, n=1000):
    """An estimate with half-widths of its intervals."""
    ends = {"inner": (value - inner, value + inner), "outer": (value - outer, value + outer)}
    return Estimate(
        value=value, bca=None, n=n, clusters=n, effective=float(n), error=outer / 1.96, p_margin=0.5, **ends
    )


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (made(0.2), presence.CORRELATED),
        (made(-0.2), presence.CORRELATED),
        (made(0.16), presence.NEGLIGIBLE),
        (made(0.159), presence.NEGLIGIBLE),
        (made(0.0), presence.NONE),
        (made(0.045, inner=0.03, outer=0.04), presence.NOT_ZERO),
        (made(0.045, inner=0.03, outer=0.05), presence.NONE),
        (made(0.05, inner=0.05, outer=0.06), presence.UNDECIDED),
        (made(0.0, inner=0.11, outer=0.12), presence.UNDECIDED),
        (made(0.0, n=299), presence.UNDECIDED),
        (made(0.045, inner=0.03, outer=0.04, n=299), presence.NEGLIGIBLE),
        (made(0.5, n=20), presence.CORRELATED),
    ],
)
def test_the_ordered_rule(found, said):
    assert reading(found) == said


def test_the_pairs_needed_are_those_of_two_one_sided_tests():
    """Exact power of the two tests at ρ = 0 for a normal estimate with the error of as many pairs."""
    needed = presence.pairs_needed(made())
    half = stats.norm.ppf(0.95)
    power = [
        stats.norm.cdf(gap) - stats.norm.cdf(-gap)
        for n in (needed, needed - 5)
        for gap in [np.arctanh(0.1) * np.sqrt(n - 3) - half]
    ]
    assert power[0] > 0.8 > power[1]
    double = replace(made(), error=np.sqrt(2.0 / 997))
    assert presence.pairs_needed(double) == pytest.approx(2 * needed, abs=5)
    assert presence.detectable(made(n=100000)) < presence.detectable(made(n=20))


def test_p_at_the_margin_agrees_with_the_intervals():
    """Under 0.05 where the inner interval lies inside, or the outer one beyond; 0.05 itself where it just reaches."""
    rng = np.random.default_rng(2)
    seen = set()
    for rho, n in ((0.0, 2000), (0.0, 200), (0.2, 2000), (0.2, 200), (0.05, 1500), (-0.3, 300)):
        x = rng.standard_normal(n)
        found = rank_correlation(x, rho * x + np.sqrt(1 - rho**2) * rng.standard_normal(n), n_boot=499)
        inside = found.inner[0] > -0.1 and found.inner[1] < 0.1
        beyond = found.outer[0] > 0.1 or found.outer[1] < -0.1
        assert (found.p_margin < 0.05) == (inside or beyond)
        seen.add((inside, beyond))
    assert seen == {(True, False), (False, False), (False, True)}


@pytest.mark.parametrize(("rho", "sides"), [(0.0, 1), (0.06, 1), (0.3, 2), (-0.3, 2)])
def test_p_at_the_margin_is_one_sided_for_equivalence_and_two_sided_beyond(rho, sides):
    x, noise = np.random.default_rng(4).standard_normal((2, 800))
    found = rank_correlation(x, rho * x + np.sqrt(1 - rho**2) * noise, n_boot=0)
    assert (abs(found.value) < 0.1) is (sides == 1)
    gap = abs(np.arctanh(found.value) - np.arctanh(np.copysign(0.1, found.value)))
    assert found.p_margin == pytest.approx(sides * stats.t.sf(gap / found.error, 799))


def test_a_correlation_of_one_has_an_interval_of_no_width():
    found = rank_correlation(np.arange(12.0), np.arange(12.0) ** 3, n_boot=99)
    assert found.value == pytest.approx(1.0)
    assert reading(found) == presence.CORRELATED


def test_a_percentile_is_among_ones_own_class_at_the_same_age():
    values = [*range(20), 5.0, *range(100, 110)]
    classes = ["a"] * 21 + ["b"] * 10
    ages = [1.0] * 20 + [9.0] + [3.0] * 10
    found, peers = presence.class_percentiles(values, classes, ages)
    assert found[:20] == pytest.approx(2.5 + 5.0 * np.arange(20))
    assert np.isnan(found[20])  # alone at its age
    assert peers[20] == 1
    assert found[21:] == pytest.approx(5.0 + 10.0 * np.arange(10))
    whole, _ = presence.class_percentiles(values, classes)
    assert whole[5] == whole[20] == pytest.approx(100 * 6 / 21)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"presence": [1.0, 2.0, 3.0]}, "not of one length"),
        ({"presence": [1.0, np.nan, 3.0, 4.0]}, "must be finite"),
        ({"presence": [1.0, 2.0, 3.0], "outcome": [1.0, 2.0, 3.0]}, "too few"),
        ({"clusters": ["a"] * 4}, "one cluster"),
    ],
)
def test_what_has_no_correlation_is_refused(given, told):
    pair = {"presence": [1.0, 2.0, 3.0, 4.0], "outcome": [1.0, 3.0, 2.0, 4.0]} | given
    with pytest.raises(ValueError, match=told):
        rank_correlation(pair.pop("presence"), pair.pop("outcome"), **pair)


def test_fields_of_one_and_too_many_pairs_are_refused():
    with pytest.raises(ValueError, match="no two members"):
        within_less_pooled([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 5.0], list("abcd"))
    with pytest.raises(ValueError, match="too many pairs"):
        kendall(np.arange(MAX_OBSERVATIONS + 1.0), np.arange(MAX_OBSERVATIONS + 1.0))


def test_a_small_part_of_the_study():
    """Two hundred replicates of the hardest world of the study: intervals hold, and BCa's hold less often."""
    sys.path.insert(0, str(STUDY))
    from presence_worlds import pairs

    rng, held = np.random.default_rng(20261126), []
    for _ in range(200):
        x, y, labels = pairs(300, 0.1, "equal", rng)
        found = rank_correlation(x, y, clusters=labels.tolist(), n_boot=199, seed=int(rng.integers(2**31)))
        held.append([low <= 0.1 <= high for low, high in (found.outer, found.bca)])
    ours, bca = np.mean(held, axis=0)
    assert ours > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 200)
    assert ours > bca


def test_the_record_of_the_study_says_what_the_docstrings_say():
    record = json.loads((STUDY / "results" / "presence_coverage.json").read_text(encoding="utf-8"))
    assert record["replicates"] >= 2000
    clustered = [row for name, row in record["worlds"].items() if "30 clusters" in name]
    assert [row["coverage_95_bca"] < 0.93 < row["coverage_95"] for row in clustered] == [True]
