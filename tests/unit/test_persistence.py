"""Rank correlations against scipy and by hand; the dead, the censored and the wealth that drives both."""

import json
import time

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from longwave.models import persistence as module
from longwave.models.persistence import percentiles, persistence, share_interval
from longwave.models.ranks import (
    authority,
    displacement,
    partial_tau_b,
    partial_tau_copula,
    partial_tau_if_z_alone,
    retention,
    top_membership,
    weighted_tau_b,
)
from scipy import stats

NAN = np.nan


def make_frame(y_k, y_H, *, z=None, end=None, regions=8, **more):
    n = len(y_k)
    return pl.DataFrame(
        {
            "adopter": [f"a{i:03d}" for i in range(n)],
            "region": [f"r{i % regions}" for i in range(n)],
            "place": [f"a{i:03d}" for i in range(n)],
            "y_k": np.asarray(y_k, dtype=float),
            "y_H": np.asarray(y_H, dtype=float),
            "end_year": pl.Series(end or [None] * n, dtype=pl.Int64),
            "log_gdp_prior": np.asarray(z if z is not None else [NAN] * n, dtype=float),
            **more,
        }
    )


def run(frame, **changes):
    options = {"k": 10, "horizon": 20, "first_launch": 1950, "n_boot": 200, "n_perm": 99, "top_n": 5, "seed": 1}
    return persistence(frame, **(options | changes))


def row(result, measure, bound="none"):
    found = result.filter(pl.col("measure") == measure, pl.col("bound") == bound)
    assert found.height == 1
    return found.row(0, named=True)


small = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=30)


@settings(max_examples=200, deadline=None)
@given(small)
def test_unit_weights_equal_scipy_ties_and_all(pairs):
    x, y = np.array(pairs, dtype=float).T
    expected = NAN if len(set(x)) == 1 or len(set(y)) == 1 else stats.kendalltau(x, y).statistic
    np.testing.assert_allclose(weighted_tau_b(x, y), [expected], rtol=0, atol=1e-15)


def test_counts_equal_the_resample_with_its_copies():
    rng = np.random.default_rng(2)
    x, y = rng.integers(0, 8, 25).astype(float), rng.integers(0, 8, 25).astype(float)
    counts = rng.multinomial(25, np.full(25, 1 / 25), size=40)
    expected = [stats.kendalltau(np.repeat(x, row), np.repeat(y, row)).statistic for row in counts]
    np.testing.assert_allclose(weighted_tau_b(x, y, counts), expected, atol=1e-12)


def test_tau_refuses_what_it_cannot_rank():
    with pytest.raises(ValueError, match="one length"):
        weighted_tau_b([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="finite"):
        weighted_tau_b([1.0, NAN], [1.0, 2.0])
    with pytest.raises(ValueError, match="5001 adopters"):
        weighted_tau_b(np.zeros(5001), np.zeros(5001))


def test_authority_is_the_mid_rank_percentile():
    np.testing.assert_allclose(authority([5.0, NAN, 1.0, 5.0, 9.0]), [50.0, NAN, 12.5, 50.0, 87.5])
    assert np.isnan(authority([NAN])).all()


def test_partial_tau_by_hand_and_at_the_edges():
    assert partial_tau_b(0.5, 0.4, 0.3) == pytest.approx((0.5 - 0.12) / np.sqrt(0.84 * 0.91))
    assert np.isnan(partial_tau_b(0.5, 1.0, 0.5))
    assert np.isnan(partial_tau_copula(0.5, 1.0, 0.5))


def test_partial_tau_is_nought_when_a_two_valued_wealth_drives_both():
    rng = np.random.default_rng(3)
    n = 2000
    wealth = np.repeat([0.0, 1.0], n // 2)
    x, y = (1.5 * wealth + rng.normal(size=n) for _ in range(2))
    xy, xz, yz = weighted_tau_b(x, y), weighted_tau_b(x, wealth), weighted_tau_b(y, wealth)
    assert xy[0] > 0.15
    assert partial_tau_b(xy, xz, yz)[0] == pytest.approx(0.0, abs=0.03)


def test_kendalls_partial_tau_is_not_nought_for_continuous_wealth_but_the_copulas_is():
    rng = np.random.default_rng(4)
    n = 2000
    wealth = rng.normal(size=n)
    x, y = (wealth + rng.normal(size=n) for _ in range(2))
    xy, xz, yz = weighted_tau_b(x, y), weighted_tau_b(x, wealth), weighted_tau_b(y, wealth)
    assert partial_tau_b(xy, xz, yz)[0] == pytest.approx(partial_tau_if_z_alone(xz, yz)[0], abs=0.03)
    assert partial_tau_b(xy, xz, yz)[0] > 0.08
    assert partial_tau_copula(xy, xz, yz)[0] == pytest.approx(0.0, abs=0.04)


def test_persistent_and_shuffled_worlds():
    rng = np.random.default_rng(5)
    x = rng.normal(size=80)
    stays = run(make_frame(x, x + 0.3 * rng.normal(size=80)))
    kept = row(stays, "tau_b_survivors")
    assert kept["estimate"] == row(stays, "tau_b_dead_last")["estimate"] > 0.6
    assert kept["lo"] > 0.4
    assert kept["p_within_region"] == pytest.approx(0.01)
    assert kept["n"] == 80
    assert kept["n_regions"] == 8
    shuffled = row(run(make_frame(x, rng.normal(size=80))), "tau_b_survivors")
    assert shuffled["lo"] < 0 < shuffled["hi"]
    assert shuffled["p_within_region"] > 0.02


def test_spearman_equals_scipy():
    rng = np.random.default_rng(6)
    x, y = rng.integers(0, 9, 40), rng.integers(0, 9, 40)
    assert row(run(make_frame(x, y)), "spearman_survivors")["estimate"] == pytest.approx(
        stats.spearmanr(x, y).statistic
    )


def test_the_dead_are_last_the_censored_both_ways():
    x = np.arange(20.0)
    y = x.copy()
    y[[0, 1]], y[[18, 19]] = NAN, NAN
    end = [1960, 1969] + [None] * 18
    result = run(make_frame(x, y, end=end))
    dead = row(result, "tau_b_dead_last")
    assert (dead["n"], dead["n_dead"], dead["n_censored"]) == (18, 2, 2)
    assert dead["estimate"] == pytest.approx(stats.kendalltau(x[:18], [-1, -1, *y[2:18]]).statistic)
    assert row(result, "tau_b_survivors")["estimate"] == 1.0
    assert row(result, "tau_b_survivors")["n"] == 16
    first, last = row(result, "tau_b_dead_last", "censored_first"), row(result, "tau_b_dead_last", "censored_last")
    assert first["estimate"] == pytest.approx(stats.kendalltau(x, [-1, -1, *y[2:18], 99, 99]).statistic)
    assert last["estimate"] == pytest.approx(stats.kendalltau(x, [-1, -1, *y[2:18], -1, -1]).statistic)
    low, high = row(result, "survival_low"), row(result, "survival_high")
    assert low["estimate"] == pytest.approx(1 - 2 / low["n"])
    assert high["estimate"] == 1.0
    assert row(result, "survival_high", "censored_last")["estimate"] == pytest.approx(5 / 7)
    assert high["lo"] < 1.0


def test_an_end_in_the_year_of_the_horizon_or_later():
    y = np.arange(12.0)
    y_H = y.copy()
    y_H[0] = NAN
    assert row(run(make_frame(y, y_H, end=[1970] + [None] * 11)), "tau_b_dead_last")["n_dead"] == 1
    assert row(run(make_frame(y, y_H, end=[1971] + [None] * 11)), "tau_b_dead_last")["n_censored"] == 1
    assert row(run(make_frame(y, y, end=[1971] + [None] * 11)), "tau_b_survivors")["n"] == 12


def test_partial_rows_use_adopters_with_known_wealth_only():
    rng = np.random.default_rng(7)
    z = rng.normal(size=60)
    x, y = z + rng.normal(size=60), z + rng.normal(size=60)
    known = z.copy()
    known[:10] = NAN
    result = run(make_frame(x, y, z=known))
    partial = row(result, "partial_tau_b")
    taus = [stats.kendalltau(*pair).statistic for pair in ((x[10:], y[10:]), (x[10:], z[10:]), (y[10:], z[10:]))]
    assert partial["n"] == 50
    assert partial["estimate"] == pytest.approx(float(partial_tau_b(*taus)))
    assert row(result, "tau_b_with_gdp_known")["estimate"] == pytest.approx(taus[0])
    widths = [partial[f"hi_{by}"] - partial[f"lo_{by}"] for by in ("region", "place")]
    assert partial["hi"] - partial["lo"] == pytest.approx(max(widths))
    none = run(make_frame(x, y))
    assert row(none, "partial_tau_b")["reason"] == "fewer than 10 adopters"
    assert row(none, "partial_tau_b")["estimate"] is None


def test_few_adopters_few_regions_and_ties_are_said():
    few = run(make_frame(np.arange(9.0), np.arange(9.0)))
    assert few["estimate"].null_count() == few.height
    assert few["reason"].null_count() == 0
    two = row(run(make_frame(np.arange(30.0), np.arange(30.0) % 7, regions=2)), "tau_b_survivors")
    assert two["lo_region"] is None
    assert two["lo"] == two["lo_place"]
    assert "too few regions" in two["method"]
    tied = row(run(make_frame(np.ones(20), np.arange(20.0))), "tau_b_survivors")
    assert (tied["estimate"], tied["reason"]) == (None, "all tied on one side")
    alone = row(run(make_frame(np.arange(20.0), np.arange(20.0), regions=20)), "tau_b_survivors")
    assert alone["p_within_region"] is None


def test_permutation_p_is_uniform_enough_when_only_regions_differ():
    rng = np.random.default_rng(8)
    small = 0
    for seed in range(100):
        level = np.tile(rng.normal(0, 2, 8), 5)
        frame = make_frame(level + rng.normal(size=40), level + rng.normal(size=40))
        small += row(run(frame, n_boot=2, n_perm=59, seed=seed), "tau_b_survivors")["p_within_region"] <= 0.1
    assert small <= 18  # 10 expected; 99th percentile of Binomial(100, 0.1) is 18


def test_place_bootstrap_covers():
    rng = np.random.default_rng(9)
    truth, covered = 2 / np.pi * np.arcsin(0.6), 0
    for seed in range(60):
        x = rng.normal(size=60)
        y = 0.6 * x + 0.8 * rng.normal(size=60)
        found = row(run(make_frame(x, y, regions=20), n_boot=200, n_perm=0, seed=seed), "tau_b_survivors")
        covered += found["lo_place"] <= truth <= found["hi_place"]
    assert covered >= 52


def test_top_retention_and_displacement_by_hand():
    np.testing.assert_allclose(top_membership([3.0, 2.0, 2.0, 1.0, NAN], 2), [1, 0.5, 0.5, 0, 0])
    assert retention([4.0, 3.0, 2.0, 1.0], [4.0, NAN, 3.0, 5.0], 2) == 0.5
    assert displacement([9.0, 8.0, 1.0], [1.0, 0.0, 0.0], 2) == 0.5
    assert displacement([9.0, 8.0, 1.0], [NAN, 0.0, 0.0], 2) == 1.0
    assert np.isnan(displacement([9.0, 8.0], [NAN, NAN], 2))
    with pytest.raises(ValueError, match="top 3 of 2"):
        top_membership([1.0, 2.0, NAN], 3)


def test_top_rows_take_the_unknown_both_ways():
    y_k = [*np.arange(20.0, 0, -1), NAN, NAN]
    y_H = [NAN, *np.arange(19.0, 0, -1), 50.0, 60.0]
    frame = make_frame(y_k, y_H, entry_year=pl.Series([None] * 20 + [1965, None], dtype=pl.Int64))
    result = run(frame)
    assert row(result, "retention")["estimate"] == pytest.approx(3 / 4)
    assert row(result, "retention", "censored_first")["estimate"] == pytest.approx(4 / 5)
    assert row(result, "retention", "censored_last")["estimate"] == pytest.approx(3 / 5)
    assert row(result, "displacement")["estimate"] == pytest.approx(1 / 4)
    assert row(result, "displacement", "unknown_entered")["estimate"] == pytest.approx(1 / 5)
    assert row(result, "displacement", "unknown_not_entered")["estimate"] == pytest.approx(2 / 5)


def test_same_seed_same_rows_in_any_order():
    rng = np.random.default_rng(10)
    frame = make_frame(rng.normal(size=30), rng.normal(size=30), z=rng.normal(size=30))
    first = run(frame)
    assert run(frame.sample(fraction=1.0, shuffle=True, seed=3)).equals(first)
    assert not run(frame, seed=2).equals(first)


@pytest.mark.parametrize(
    ("spoil", "options", "message"),
    [
        (lambda f: f.drop("y_H", "place"), {}, "place, y_H"),
        (lambda f: f.head(0), {}, "no rows"),
        (lambda f: pl.concat([f, f.head(1)]), {}, "adopter 'a000'"),
        (lambda f: f.with_columns(region=pl.lit(None, pl.String)), {}, "column region"),
        (lambda f: f.with_columns(y_H=pl.lit(float("inf"))), {}, "column y_H"),
        (lambda f: f.with_columns(end_year=1965), {}, "'a000' has a level after its end_year"),
        (lambda f: f.with_columns(end_year=1955, y_H=None), {}, "'a000' has a level after its end_year"),
        (lambda f: f, {"horizon": 10}, "horizon 10"),
        (lambda f: f, {"level": 95}, "level 95"),
    ],
)
def test_bad_input_is_refused_by_name(spoil, options, message):
    frame = make_frame(np.arange(12.0), np.arange(12.0))
    with pytest.raises(ValueError, match=message):
        run(spoil(frame), **options)


def test_two_hundred_places_in_seconds():
    rng = np.random.default_rng(11)
    frame = make_frame(*(rng.normal(size=200) for _ in range(2)), z=rng.normal(size=200), regions=20)
    # Of the processor's: what else runs on this machine does not matter.
    start = time.process_time()
    run(frame, n_boot=2000, n_perm=1999)
    assert time.process_time() - start < 6


def test_survival_of_adopters_each_a_cluster_has_wilsons_interval():
    kept, n = np.array([1] * 17 + [0] * 5), np.ones(22, dtype=np.int64)
    low, high, method = share_interval(kept, n, 0.95)
    assert (low, high) == pytest.approx(tuple(stats.binomtest(17, 22).proportion_ci(method="wilson")))
    assert method == "Wilson"


def test_survival_where_clusters_end_as_one_is_known_no_better_than_from_so_many_clusters():
    """Twenty clusters of thirty, each wholly gone or wholly there, are worth twenty adopters."""
    n = np.full(20, 30)
    kept = np.where(np.arange(20) < 14, 30, 0)
    found = share_interval(kept, n, 0.95)
    assert found[:2] == pytest.approx(tuple(stats.binomtest(14, 20).proportion_ci(method="wilson")), abs=0.03)
    plain = stats.binomtest(14 * 30, 600).proportion_ci(method="wilson")
    assert found[1] - found[0] > 4 * (plain.high - plain.low)
    assert found[2] == "Wilson, clusters counted (20)"
    # One cluster of all but a few tells less than as many equal ones.
    unequal = np.array([300, *[10] * 30])
    uneven = share_interval((unequal * 7) // 10, unequal, 0.95)
    even = share_interval(np.full(30, 14), np.full(30, 20), 0.95)
    assert uneven[1] - uneven[0] > 1.5 * (even[1] - even[0])


def test_where_all_survive_nothing_tells_clusters_apart():
    low, high, _ = share_interval(np.full(5, 4), np.full(5, 4), 0.95)
    assert (low, high) == pytest.approx(tuple(stats.binomtest(20, 20).proportion_ci(method="wilson")))


def test_percentiles_of_few_clusters_are_taken_further_out():
    """By hand for six of one size: sqrt(6/5) times 2.571 of t(5) is 2.816 of the normal; one that is large counts as fewer."""
    values = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    codes = np.repeat(np.arange(6), 5)
    low, high = percentiles(values, 0.95, codes)
    assert (low, high) == pytest.approx((-2.816, 2.816), abs=0.01)
    plain = percentiles(values, 0.95, np.arange(20_000))
    assert plain == pytest.approx((-1.96, 1.96), abs=0.005)
    uneven = np.repeat(np.arange(6), [25, 1, 1, 1, 1, 1])
    assert percentiles(values, 0.95, uneven)[0] < low


def test_the_methods_say_of_wealth_alone_what_the_study_found(root):
    study = json.loads((root / "tests/study/results/wealth_alone.json").read_text(encoding="utf-8"))
    assert study["worlds"] >= 2000
    kendall, copula = study["partial_tau_b"], study["partial_tau_b_copula"]
    above = [100 * own["share_of_intervals_above_0"] for own in (kendall, copula)]
    told = (
        f"In {study['worlds']:,} simulated worlds in which wealth alone drives both rankings, Kendall's partial τ-b is "
        f"{kendall['mean']:.2f} on average, and its 95 % interval lies above 0 in {above[0]:.0f} %; "
        f"the copula's is {copula['mean']:.2f}, above 0 in {above[1]:.1f} % where 2.5 are due"
    )
    assert told in " ".join(module.__doc__.split())


def test_the_methods_say_of_few_clusters_what_the_study_found(root, span):
    study = json.loads((root / "tests/study/results/few_clusters_pair_by_pair.json").read_text(encoding="utf-8"))
    six, *others = study["worlds"]
    assert six == "6 clusters, half in common"
    assert others == [f"{clusters} clusters" for clusters in (8, 12, 20, 30)]
    assert study["replicates"] >= 2000

    def held(worlds, survival):
        rows = [item for world in worlds for item in study["worlds"][world].items()]
        found = [100 * row["coverage"] for name, row in rows if name.startswith("survival") is survival]
        return span(found)

    told = (
        f"In {study['replicates']:,} simulated panels of 120 adopters, intervals of rank correlations held in "
        f"{held(others, False)} with 8 to 30 clusters, and in {held([six], False)} with six that have half in common; those of "
        f"survival in {held(study['worlds'], True)}"
    )
    assert told in " ".join(module.__doc__.split())
