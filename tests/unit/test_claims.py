"""The rule engine: intervals to states, states to verdicts, Holm across the planned tests, history of verdicts."""

from datetime import date

import polars as pl
import pytest
from longwave.models import claims
from longwave.warehouse.home import Home
from longwave.warehouse.store import Warehouse
from longwave.warehouse.tables import polars_schema
from longwave.warehouse.verdicts import record_verdicts


@pytest.mark.parametrize(
    ("side", "threshold", "lo", "hi", "expected"),
    [
        ("below", 0.5, 0.1, 0.4, True),
        ("below", 0.5, 0.6, 0.9, False),
        ("below", 0.5, 0.4, 0.6, None),
        ("below", 0.5, None, 0.4, True),
        ("below", 0.5, 0.1, None, None),
        ("above", 0.1, 0.2, 0.4, True),
        ("above", 0.1, -0.2, 0.05, False),
        ("above", 0.1, 0.05, 0.4, None),
        ("above", 0.1, 0.2, None, True),
        ("between", [10, 20], 10, 14, True),
        ("between", [10, 20], 3, 8, False),
        ("between", [10, 20], 8, 14, None),
        ("between", [10, 20], 12, None, None),
    ],
)
def test_an_interval_lies_on_a_side_or_on_neither(side, threshold, lo, hi, expected):
    assert claims.holds(side, threshold, lo, hi) is expected


@pytest.mark.parametrize(
    ("states", "word"),
    [
        (["for", "for"], "supported"),
        (["against"], "contradicted"),
        (["for", "against"], "mixed"),
        (["for", "against", "open"], "mixed"),
        (["for", "open"], "undecided"),
        (["open"], "undecided"),
        ([], "not testable with what is held"),
    ],
)
def test_verdicts_follow_from_the_panels(states, word):
    assert claims.verdict(states) == word
    assert word in claims.VERDICTS


def test_holm_steps_down():
    # Holm 1979: 0.005 and 0.02 stand among 3 tests (0.05/3, 0.05/2), 0.06 does not.
    assert claims.holm([0.02, 0.06, 0.005], 3) == [True, False, True]
    # More planned tests are a higher bar from the first one on.
    assert claims.holm([0.02, 0.06, 0.005], 9) == [False, False, True]
    # Once one fails, none after it stands, however small its own step.
    assert claims.holm([0.03, 0.0301], 2) == [False, False]


def registry(**changes):
    text = """
version = 1
m_primary = 9
[[claims]]
id = "X1"
claim = "x"
hypothesis = "x is over 0.1"
result_class = "evidence"
threshold_status = "prospective"
threshold_date = 2026-01-01
caveats = []
[[claims.criteria]]
panel = "a"
role = "primary"
measure = "tau"
mode = "m"
k = 1
above = 0.1
[[claims.criteria]]
panel = "b"
role = "sensitivity"
measure = "tau"
mode = "m"
k = 1
above = 0.1
"""
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return text


def finding(subject, estimate, lo, hi, n_clusters=40):
    values = {
        "subject": subject,
        "measure": "tau",
        "mode": "m",
        "k": 1,
        "horizon": -1,
        "step": "s",
        "estimate": estimate,
        "lo": lo,
        "hi": hi,
        "level": 0.95,
        "n": 50,
        "n_clusters": n_clusters,
        "unit": "u",
        "note": None,
        "vintage": date(2026, 1, 1),
        "seed": 1,
        "code_digest": "d",
    }
    return pl.DataFrame([values], schema=polars_schema("findings"))


def evaluated(*findings, text=None):
    table = pl.concat(findings) if findings else finding("z", 0, 0, 0).clear()
    return claims.evaluate(claims.parse_registry(text or registry()), table, {"a": ["c1"]}, date(2026, 7, 1))[0]


def test_a_sensitivity_never_moves_a_verdict():
    with_it = evaluated(finding("a", 0.4, 0.3, 0.5), finding("b", -0.9, -0.95, -0.8))
    assert with_it["verdict"] == evaluated(finding("a", 0.4, 0.3, 0.5))["verdict"] == "supported"
    assert with_it["by"][1]["holds"] is False
    assert with_it["by"][1]["p"] is None
    assert with_it["by"][0]["captures"] == ["c1"]


def test_an_interval_near_the_threshold_does_not_survive_holm():
    # p about 0.03 against 0.1: on the claim's side at 95 %, but not among nine planned tests.
    entry = evaluated(finding("a", 0.21, 0.111, 0.309))
    assert entry["by"][0]["holds"] is True
    assert 0.05 / 9 < entry["by"][0]["p"] < 0.05
    assert entry["verdict"] == "undecided"


def test_few_clusters_and_missing_findings_decide_nothing():
    few = evaluated(finding("a", 0.4, 0.3, 0.5, n_clusters=4))
    assert few["verdict"] == "not testable with what is held"
    assert few["by"][0]["note"] == "fewer than 15 clusters"
    assert evaluated(finding("a", 0.4, 0.3, 0.5, n_clusters=15))["verdict"] == "supported"
    degenerate = evaluated(finding("a", 0.4, 0.4, 0.4))
    assert degenerate["verdict"] == "not testable with what is held"
    assert degenerate["by"][0]["holds"] is None
    entry = evaluated()
    assert entry["verdict"] == "not testable with what is held"
    assert entry["by"][0]["note"] == "nothing was held of this at this date"


def test_contradicted_on_the_other_side():
    assert evaluated(finding("a", -0.4, -0.5, -0.3))["verdict"] == "contradicted"


def test_where_a_finding_knows_no_clusters_what_it_counts_is_enough():
    assert evaluated(finding("a", 0.4, 0.3, 0.5, n_clusters=None))["verdict"] == "supported"
    few = finding("a", 0.4, 0.3, 0.5, n_clusters=None).with_columns(n=pl.lit(14, pl.Int64))
    assert evaluated(few)["verdict"] == "not testable with what is held"


def test_a_stressed_result_that_turns_is_told_and_moves_no_verdict():
    stressed = registry(
        **{'panel = "b"': 'panel = "a"', 'role = "sensitivity"': 'role = "sensitivity"\nstress = "without b"'}
    )
    stressed = stressed.replace('mode = "m"\nk = 1\nabove = 0.1\n', 'mode = "w"\nk = 1\nabove = 0.1\n').replace(
        'mode = "w"', 'mode = "m"', 1
    )
    without = finding("a", 0.1, 0.0, 0.2).with_columns(mode=pl.lit("w"))
    entry = evaluated(finding("a", 0.4, 0.3, 0.5), without, text=stressed)
    assert (entry["verdict"], entry["fragile"]) == ("supported", "The result does not stand without b.")
    still = evaluated(finding("a", 0.4, 0.3, 0.5), without.with_columns(lo=pl.lit(0.15)), text=stressed)
    assert still["fragile"] is None
    # What decides nothing has nothing to lose.
    assert evaluated(finding("a", 0.1, 0.0, 0.2), without, text=stressed)["fragile"] is None


def test_a_p_value_of_its_own_is_the_one_that_is_corrected():
    text = registry(**{'role = "primary"': 'role = "primary"\np_measure = "p"'})
    p = finding("a", 0.02, None, None).with_columns(measure=pl.lit("p"))
    entry = evaluated(finding("a", 0.4, 0.3, 0.5), p, text=text)
    assert entry["by"][0]["p"] == 0.02
    assert entry["verdict"] == "undecided"
    assert entry["not_after_holm"] == ["a"]
    assert evaluated(finding("a", 0.4, 0.3, 0.5), p.with_columns(estimate=0.001), text=text)["verdict"] == "supported"


def test_arithmetic_is_decided_by_its_range_alone():
    text = registry(**{'result_class = "evidence"': 'result_class = "conditional arithmetic"'})
    made = finding("a", 0.4, 0.3, 0.5, n_clusters=None).with_columns(n=pl.lit(1, pl.Int64))
    entry = evaluated(made, text=text)
    assert (entry["verdict"], entry["by"][0]["p"], entry["by"][0]["note"]) == ("supported", None, None)
    assert evaluated(made.with_columns(lo=pl.lit(0.05)), text=text)["verdict"] == "undecided"
    exact = made.with_columns(lo=pl.lit(0.4), hi=pl.lit(0.4))
    assert evaluated(exact, text=text)["verdict"] == "supported", "an exact result has no spread to ask for"
    assert evaluated(text=text)["verdict"] == "not testable with what is held"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('hypothesis = "x is over 0.1"\n', "", "lacks hypothesis"),
        ("above = 0.1", "over = 0.1", "one of below, above, between"),
        ('role = "primary"', 'role = "main"', "and a role"),
        ('role = "primary"', 'role = "primary"\nstress = "x"', "is what is stressed"),
    ],
)
def test_a_registry_that_says_too_little_is_refused(old, new, says):
    with pytest.raises(ValueError, match=says):
        claims.parse_registry(registry(**{old: new}))


def test_the_registry_itself_is_sound():
    entries = claims.load_registry()["claims"]
    assert {"C6", "C4a"} <= {entry["id"] for entry in entries}
    for entry in entries:
        panels = {c["panel"] for c in entry["criteria"] if c["role"] == "primary"}
        assert 1 <= len(panels) <= 3, "at most three primary panels"
        assert entry["threshold_status"] in ("prospective", "after quick look")
        if entry.get("threshold_history"):
            assert entry["threshold_status"] == "after quick look", (
                "a threshold changed after its result was seen says so"
            )


def test_history_keeps_the_date_of_an_unchanged_verdict(tmp_path):
    home = Home(tmp_path / "home").prepare()

    def decide(verdict, newest, extra=0):
        entries = [{"id": "X1", "verdict": verdict, "by": [extra]}]
        with Warehouse(home) as warehouse:
            changed = record_verdicts(warehouse, entries, newest)
        return entries[0], changed

    first, changed = decide("undecided", date(2026, 1, 1))
    assert (first["decided_on"], first["history"], changed) == ("2026-01-01", [], True)
    _, changed = decide("undecided", date(2026, 1, 1))
    assert not changed
    later, changed = decide("undecided", date(2026, 6, 1), extra=1)
    assert (later["decided_on"], changed) == ("2026-01-01", True)
    turned, _ = decide("supported", date(2026, 9, 1))
    assert turned["decided_on"] == "2026-09-01"
    assert turned["history"] == [{"verdict": "undecided", "decided_on": "2026-01-01"}]
    kept, changed = decide("supported", date(2026, 9, 1))
    assert not changed
    assert kept["history"] == turned["history"]
