"""Differences between channels against published intervals and other software, and how often they hold."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from longwave.models import channels
from longwave.warehouse.founding_files import founding_folder
from scipy import stats
from scipy.stats.contingency import association
from sklearn.metrics import mutual_info_score

KNOWN = ["television", "radio", "internet", "social", "print", "press_release", "in_person"]


@pytest.fixture(scope="module")
def counts():
    """The held counts: channels (the unknown one last) by verdicts."""
    folder = founding_folder() / "factcheck"
    parts = [pl.read_csv(folder / f"2017-07-31.{verdict}.csv").sort("entity") for verdict in channels.VERDICTS]
    order = [parts[0]["entity"].to_list().index(name) for name in [*KNOWN, "other"]]
    return np.stack([part["statements"].to_numpy() for part in parts], axis=1)[order].astype(float)


def expanded(table):
    """Rows and columns of a table of counts, one a statement."""
    rows, columns = np.indices(table.shape)
    times = table.astype(int).ravel()
    return np.repeat(rows.ravel(), times), np.repeat(columns.ravel(), times)


tables = st.lists(
    st.tuples(st.integers(30, 4000), st.floats(0.02, 0.98)).map(lambda v: (round(v[0] * v[1]), v[0])),
    min_size=2,
    max_size=9,
).map(lambda rows: (np.array([float(b) for b, _ in rows]), np.array([float(n) for _, n in rows])))


# --- intervals


@pytest.mark.parametrize(("bad", "total"), [(0, 20), (20, 20), (3, 25), (481, 1182)])
def test_the_score_interval_is_that_of_scipy(bad, total):
    low, high = channels.wilson(np.array([bad]), np.array([total]), stats.norm.ppf(0.95))
    other = stats.binomtest(bad, total).proportion_ci(0.9, method="wilson")
    assert (low[0], high[0]) == pytest.approx((other.low, other.high), abs=1e-12)


@pytest.mark.parametrize(
    ("bad", "total", "interval"),
    [
        ((56, 48), (70, 80), (0.0524, 0.3339)),
        ((9, 3), (10, 10), (0.1705, 0.8090)),
        ((5, 0), (56, 29), (-0.0381, 0.1926)),
    ],
)
def test_differences_are_those_that_newcombe_published(bad, total, interval):
    """Newcombe 1998, table II, method 10, at 95 %."""
    z = stats.norm.ppf(0.975)
    first, second = np.array([0]), np.array([1])
    _, low, high = channels.newcombe(np.array(bad), np.array(total), z, first, second)
    assert (low[0], high[0]) == pytest.approx(interval, abs=6e-5)


def test_the_critical_value_is_that_of_the_tables():
    """Studentised range, infinite degrees of freedom: 3.808 for seven groups at 10 % (Harter 1960), normal for two."""
    assert channels.critical(7, 0.9) * np.sqrt(2) == pytest.approx(3.808, abs=1e-3)
    assert channels.critical(2, 0.9) == pytest.approx(stats.norm.ppf(0.95), abs=1e-6)


def test_pairs_are_all_there_and_the_larger_share_stands_first(counts):
    found = channels.differences(*channels.coded(counts[:7], "false_or_worse"))
    assert len(found.estimate) == 21
    assert len({frozenset(pair) for pair in zip(found.first, found.second, strict=True)}) == 21
    assert (found.estimate >= 0).all()
    assert found.largest == pytest.approx(100 * (481 / 1182 - 262 / 1077))


@settings(max_examples=60, deadline=None)
@given(tables)
def test_the_interval_of_the_largest_holds_every_pairs_bounds(table):
    found = channels.differences(*table)
    assert 0 <= found.lo <= found.largest <= found.hi
    assert found.lo >= found.low.max()
    assert found.hi >= np.abs(found.high).max()
    assert found.hi in np.abs([*found.low, *found.high])


def test_more_channels_make_wider_intervals(counts):
    bad, total = channels.coded(counts[:7], "false_or_worse")
    some = [2, 6]
    assert channels.differences(bad[some], total[some]).lo > channels.differences(bad, total).lo


def test_two_thousand_replicates_hold_together_nine_times_in_ten(counts):
    """A small part of the study in `tests/study/test_channels.py`, at the counts there are."""
    bad, total = channels.coded(counts[:7], "false_or_worse")
    share, rng = bad / total, np.random.default_rng(7)
    drawn = rng.binomial(total.astype(int), share, size=(2000, 7)).astype(float)
    first, second = np.triu_indices(7, k=1)
    estimate, low, high = channels.newcombe(drawn, total, channels.critical(7, 0.9), first, second)
    truth = share[first] - share[second]
    held = ((low <= truth) & (truth <= high)).all(axis=1).mean()
    assert 0.88 < held < 0.94
    _, lo, hi = channels.extremes(estimate, low, high)
    assert ((lo <= np.abs(truth).max()) & (np.abs(truth).max() <= hi)).mean() >= held
    # One pair's own quantile would hold far less often for all of them.
    _, low, high = channels.newcombe(drawn, total, stats.norm.ppf(0.95), first, second)
    assert ((low <= truth) & (truth <= high)).all(axis=1).mean() < 0.6


# --- what would tip it


@settings(max_examples=40, deadline=None)
@given(tables)
def test_at_its_own_level_the_interval_just_reaches_the_margin(table):
    bad, total = table
    p = channels.p_against_margin(bad, total)
    found = channels.differences(bad, total)
    assert 0 <= p <= 1
    if 1e-6 < p < 0.999 and found.largest != channels.MARGIN:
        z = float(stats.studentized_range.isf(p, len(bad), np.inf)) / np.sqrt(2)
        _, lo, hi = channels.extremes(*channels.newcombe(bad, total, z, *channels.pairs(bad / total)))
        reached = lo if found.largest > channels.MARGIN else hi
        assert 100 * reached == pytest.approx(channels.MARGIN, abs=0.02)
    outside = found.lo > channels.MARGIN or found.hi < channels.MARGIN
    assert outside is (p < 1 - channels.LEVEL) or p == pytest.approx(1 - channels.LEVEL, abs=1e-3)


def test_no_difference_at_all_is_no_evidence_of_one():
    total = np.array([300.0, 300.0])
    assert channels.p_against_margin(np.array([60.0, 30.0]), total) == 1.0, "the margin itself"
    assert channels.p_against_margin(np.array([60.0, 60.0]), np.array([1e6, 1e6])) < 1e-6
    # So few that neither side can be shown: 1 point apart, with a standard error of 9.
    assert channels.p_against_margin(np.array([12.0, 12.6]), np.array([60.0, 60.0]) * 0.8) > 0.2


def test_the_design_effect_named_is_the_one_that_tips(counts):
    bad, total = channels.coded(counts[:7], "false_or_worse")
    effect = channels.tipping_design_effect(bad, total)
    assert effect > 1
    assert channels.differences(bad / effect, total / effect).lo == pytest.approx(channels.MARGIN, abs=1e-6)
    assert channels.tipping_design_effect(bad[[0, 1]], total[[0, 1]]) is None, "it decides nothing as it is"
    alike = np.array([3000.0, 3000.0]), np.array([10000.0, 10000.0])
    effect = channels.tipping_design_effect(*alike)
    assert channels.differences(alike[0] / effect, alike[1] / effect).hi == pytest.approx(channels.MARGIN, abs=1e-6)


# --- association


def test_v_and_information_are_those_of_scipy_and_scikit_learn(counts):
    found = channels.association(counts)
    assert found.v == pytest.approx(association(counts.astype(int), "cramer"))
    assert found.n == 12_836
    rows, columns = expanded(counts)
    entropy = stats.entropy(counts.sum(axis=0))
    assert found.information == pytest.approx(mutual_info_score(rows, columns) / entropy)


def test_the_corrected_v_is_what_a_quick_look_had_seen(counts):
    """.080 on eight by six, .107 on eight by two, .120 without the unknown channel."""
    bad, total = channels.coded(counts, "false_or_worse")
    two = np.stack([bad, total - bad], axis=1)
    found = [channels.association(table).v_corrected for table in (counts, two, two[:7])]
    assert found == pytest.approx([0.080, 0.107, 0.120], abs=5e-4)


def test_bergsmas_correction_by_hand():
    table = np.array([[30.0, 20.0, 10.0], [20.0, 25.0, 30.0]])
    chi2 = stats.chi2_contingency(table, correction=False).statistic
    n, phi2 = table.sum(), chi2 / table.sum()
    corrected = phi2 - 2 / (n - 1)
    rows, columns = 2 - 1 / (n - 1), 3 - 4 / (n - 1)
    assert channels.association(table).v_corrected == pytest.approx(np.sqrt(corrected / (min(rows, columns) - 1)))
    assert channels.association(np.full((3, 4), 50.0)).v_corrected == 0.0


def test_the_correction_takes_away_the_bias_where_there_is_no_association():
    rng = np.random.default_rng(11)
    drawn = rng.multinomial(400, np.full(24, 1 / 24), size=400).reshape(-1, 4, 6).astype(float)
    found = [channels.association(table) for table in drawn]
    assert np.mean([one.phi**2 for one in found]) == pytest.approx(15 / 399, rel=0.1)
    assert np.mean([one.phi_corrected for one in found]) < 0.6 * np.mean([one.phi for one in found])
    covered = [one.v_lo == 0 for one in found]
    assert 0.94 < np.mean(covered) <= 1.0


def test_noncentrality_is_inverted():
    low, high = channels.noncentrality(40.0, 5)
    assert stats.ncx2.cdf(40.0, 5, low) == pytest.approx(0.975, abs=1e-6)
    assert stats.ncx2.cdf(40.0, 5, high) == pytest.approx(0.025, abs=1e-6)
    assert channels.noncentrality(1.0, 5)[0] == 0.0


# --- codings, groups, what is refused


def test_codings_count_the_worst_verdicts_and_groups_add_up(counts):
    assert channels.coded(counts, "pants_fire")[0][2] == 237
    assert channels.coded(counts, "false_or_worse")[0][2] == 237 + 244
    assert channels.coded(counts, "barely_true_or_worse")[0][2] == 237 + 244 + 158
    table, names = channels.grouped(counts[:3], ["b", "a", "b"])
    assert names == ["b", "a"]
    assert table.tolist() == [(counts[0] + counts[2]).tolist(), counts[1].tolist()]


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (np.ones((3, 5)), "5 columns"),
        (np.vstack([np.ones(6), np.zeros(6)]), "needs statements"),
        (np.vstack([np.ones(6), np.full(6, np.nan)]), "needs statements"),
        (np.vstack([np.ones(6), [9, 9, 9, 9, 9, -1]]), "negative"),
    ],
)
def test_what_is_no_table_of_counts_is_refused(table, says):
    with pytest.raises(ValueError, match=says):
        channels.coded(table, "false_or_worse")


def test_one_channel_has_no_difference():
    with pytest.raises(ValueError, match="two channels"):
        channels.differences(np.array([1.0]), np.array([5.0]))
