"""Garbled answers of every source are read, stopped by a check or refused for a reason that was foreseen: nothing falls.

A few plans a source here; `make soak` goes through a million.
"""

import re

import garbled
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CASES = {case.name: case for case in garbled.cases()}
PLANS = st.lists(st.tuples(st.sampled_from(garbled.PLAN_WAYS), st.integers(0, 2**32 - 1)), min_size=1, max_size=4)


def test_every_source_is_among_the_cases():
    assert {case.source for case in CASES.values()} == set(garbled.SOURCES)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_is_not_garbled_is_read(case):
    assert garbled.outcome(case, garbled.garble(case, [])) == ("read", None)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_garbled_answer_is_read_or_refused_for_a_reason_foreseen(case):
    seen = set()

    @settings(max_examples=8, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(PLANS)
    def tried(plan):
        what, refused = garbled.outcome(case, garbled.garble(case, plan))
        seen.add(what)
        assert what not in ("refused: reader", "refused: reader of attributes"), str(refused)
        if refused:
            (problem, *_) = refused.problems
            assert case.source in problem.where or case.url == problem.where
            assert problem.expected
            assert problem.found

    tried()
    assert len(seen) > 1, "the plans change something"


# What the fuzzing found: each was an exception that no reader had foreseen.
@pytest.mark.parametrize(
    ("name", "plan", "rule"),
    [
        (
            "worldbank_datahub datahub_gdp_per_head_2026-07.csv",
            [("form", 4238203699), ("bytes", 12938647)],
            "numbers in Year",
        ),
        (
            "owid_itu_internet_share owid_itu_internet_share_2018-09-21.csv",
            [("gone", 2404027777), ("bytes", 3513363859)],
            "numbers in Year",
        ),
        (
            "owid_wb_broadband owid_wb_broadband_2018-09-21.csv",
            [("whole", 291127751), ("whole", 1992073408)],
            "columns",
        ),
        (
            "worldbank_datahub datahub_landline_2018-08.csv",
            [("form", 1065940491), ("form", 552222209), ("form", 616014373)],
            "columns",
        ),
    ],
)
def test_what_the_fuzzing_found_stays_foreseen(name, plan, rule):
    assert garbled.outcome(CASES[name], garbled.garble(CASES[name], plan))[0] == f"refused: {rule}"


@pytest.mark.parametrize(
    "value", ["1" + "0" * 400, "1e999", '"\\ud800"'], ids=["too long", "too large", "half a character"]
)
def test_a_json_value_that_nothing_can_hold_is_refused(value):
    case = CASES["wdi live users_share"]
    (old, *_) = re.findall(rb'"value": *[0-9.]+', case.parts["data"])
    parts = case.parts | {"data": case.parts["data"].replace(old, b'"value": ' + value.encode(), 1)}
    assert garbled.outcome(case, parts)[0] == "refused: JSON"


@pytest.mark.parametrize("source", ["pew_platforms", "wikipedia_youtube"])
def test_a_page_that_is_one_comment_is_refused(source):
    case = CASES[f"{source} live"]
    parts = case.parts | {"data": b"<!doctype html><!-- <html></html> -->"}
    assert garbled.outcome(case, parts)[0] == "refused: text"
