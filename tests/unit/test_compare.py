"""New against previous: the real vintages pass, and what must not pass is seen red on the same real rows."""

from datetime import date
from functools import cache

import polars as pl
import pytest
from longwave.pipelines.sources import SOURCES
from longwave.warehouse.compare import PLACE_KINDS, SHOWN_ROWS, Thresholds, compare
from longwave.warehouse.founding_files import founding_folder, read_originals, read_source
from longwave.warehouse.tidy import adopter_key_expression, tidy
from longwave.warehouse.world import places

KINDS = {code: row["kind"] for code, row in places().items()}
WORLD = "grapher_internet_share"
US = "owid_technology_diffusion"
BLOCKING = {"places kept", "rows kept", "whole ending", "magnitude"}
WARNING = {
    "size",
    "magnitude of single rows",
    "share revised",
    "largest change",
    "first and last year",
    "continuity",
    "adopters gone",
    "adopters new",
}


@cache
def vintages(source):
    """{measure: [(vintage, tidy frame with adopters named by key)]} of the founding captures of a source."""
    spec = SOURCES[source]
    key = adopter_key_expression(source) if spec.adopter_kind == "place" else pl.col("entity")
    own = [row for row in read_originals(founding_folder()) if row.source == source]
    found = {}
    for row, frame in read_source(founding_folder(), own, spec.measures):
        named = tidy(frame.drop("line").with_columns(key.alias("entity"), pl.lit(None, pl.String).alias("code")))
        found.setdefault(row.measure, []).append((row.vintage, named))
    return found


def pairs():
    """Every two founding vintages of one endpoint that follow each other."""
    sources = sorted({row.source for row in read_originals(founding_folder())})
    return [
        pytest.param(source, measure, nth, id=f"{source} {measure} {held[nth][0]}".replace("  ", " "))
        for source in sources
        for measure, held in vintages(source).items()
        for nth in range(1, len(held))
    ]


def real(source=WORLD, measure="", nth=-1):
    """The newest real rows of a source, or the nth vintage's."""
    return vintages(source)[measure][nth][1]


def run(previous, frame, *, before=b"a\n", data=b"a\n", kinds=KINDS, scope="full", **thresholds):
    return {
        result.check: result
        for result in compare(
            previous,
            frame,
            previous_bytes={} if before is None else {"data": before},
            data={"data": data},
            thresholds=Thresholds(**thresholds),
            kinds=kinds,
            scope=scope,
        )
    }


def failed(results):
    return {name for name, result in results.items() if not result.passed}


def blocked(results):
    return {name for name, result in results.items() if not result.passed and result.blocking}


# --- what passes -----------------------------------------------------------------------------------------------------


def test_an_answer_equal_to_the_previous_one_passes_every_check():
    results = run(real(), real())
    assert failed(results) == set()
    assert set(results) == BLOCKING | WARNING
    assert {name for name, result in results.items() if result.blocking} == BLOCKING
    assert all(result.expected and result.found for result in results.values())


def test_row_order_and_the_digits_of_a_float_are_no_revision():
    noisy = (
        real().with_columns(pl.col("value").cast(pl.Float32).cast(pl.Float64)).sample(fraction=1, shuffle=True, seed=1)
    )
    assert noisy["value"].sum() != real()["value"].sum()
    assert run(real(), noisy)["share revised"].found.startswith("users_share: 0 of 6,318 revised")


@pytest.mark.parametrize(("source", "measure", "nth"), pairs())
def test_no_pair_of_real_vintages_is_refused(source, measure, nth):
    """Months of followers, too: each is held against the accounts of the month before it."""
    spec = SOURCES[source]
    kinds = KINDS if spec.adopter_kind == "place" else {}
    then, now = real(source, measure, nth - 1), real(source, measure, nth)
    results = run(then, now, before=None, kinds=kinds, scope=spec.scope)
    assert blocked(results) == set(), [results[name] for name in blocked(results)]
    assert not {"whole ending", "size"} & set(results), "without the bytes nothing is said of them"


MONTHS = "2022-09 2022-10 2022-11 2023-01 2023-02 2023-03 2023-04 2023-05 2023-06 2023-08 2023-09 2023-10 2023-11"


def test_the_real_vintages_are_the_ones_known():
    assert [param.id for param in pairs()] == [
        "grapher_internet_share 2023-04-12",
        "grapher_internet_share 2025-11-30",
        "grapher_internet_share 2026-01-29",
        "grapher_mobile 2023-04-12",
        *[f"journals_followers {month}-01" for month in MONTHS.split()],
        "owid_technology_diffusion 2019-07-27",
        "owid_technology_diffusion 2022-06-21",
        "worldbank_datahub mobile 2026-04-01",
        "worldbank_datahub broadband 2026-04-01",
    ]


def test_revisions_of_real_vintages_are_counted_and_the_largest_named():
    first, second, third = (real(US, "", nth) for nth in range(3))
    results = run(first, second, kinds={})
    assert results["share revised"].found == "adoption: 11 of 1,336 revised (0.8%)"
    assert results["largest change"].found == "adoption, Landline, 2014-01-01: 65.0 before, 57.3 now"
    assert run(second, third, kinds={})["largest change"].found == "none"
    iraq = run(real(nth=0), real(nth=1))["largest change"]
    assert iraq.found == "users_share, IRQ, 2015-01-01: 58.0 before, 16.79999924 now"


@pytest.mark.parametrize("previous", [None, real().head(0)], ids=["none", "empty"])
def test_without_a_previous_answer_there_is_nothing_to_compare(previous):
    assert run(previous, real()) == {}


# --- what is blocked -------------------------------------------------------------------------------------------------


def country_codes(frame):
    kinds = pl.col("entity").replace_strict(KINDS, default="")
    return frame.filter(kinds.is_in(PLACE_KINDS))["entity"].unique().sort()


def without(frame, codes):
    return frame.filter(~pl.col("entity").is_in(codes.to_list()))


def test_half_the_countries_gone_is_blocked():
    codes = country_codes(real())
    results = run(real(), without(real(), codes.gather_every(2)))
    assert blocked(results) == {"places kept", "rows kept"}
    assert results["places kept"].found == f"users_share: {len(codes.gather_every(2))} of {len(codes)} lost (50.2%)"
    assert results["places kept"].rows[0] == f"users_share, {codes[0]}"
    assert len(results["places kept"].rows) == SHOWN_ROWS
    assert "adopters gone" in failed(results)


@pytest.mark.parametrize(("share", "passes"), [(0.09, True), (0.11, False)])
def test_a_tenth_of_the_countries_may_go(share, passes):
    codes = country_codes(real())
    results = run(real(), without(real(), codes.head(int(share * len(codes)))), lost_rows=1.0)
    assert results["places kept"].passed is passes
    assert not results["adopters gone"].passed


def test_aggregates_are_no_places():
    aggregates = real().filter(pl.col("entity").replace_strict(KINDS, default="") == "aggregate")["entity"].unique()
    assert len(aggregates) >= 10
    results = run(real(), without(real(), aggregates))
    assert blocked(results) == set()
    assert results["adopters gone"].found == f"{len(aggregates)} gone"


def test_of_what_is_no_place_every_adopter_counts():
    names = real(US)["entity"].unique().sort()
    assert "places kept" in blocked(run(real(US), without(real(US), names.head(5)), kinds={}))


def test_one_measure_that_loses_its_places_is_not_hidden_by_another_that_keeps_them():
    both = pl.concat([real(), real().with_columns(pl.lit("users").alias("measure"))])
    for now in (both.filter((pl.col("measure") == "users_share") | (pl.col("entity") < "F")), real()):
        results = run(both, now)
        assert blocked(results) == {"places kept", "rows kept"}
        assert results["rows kept"].found.startswith("users: ")


def test_rows_lost_while_every_place_stays_are_blocked_and_their_year_named():
    shorter = real().filter(pl.col("period_start") < date(2018, 1, 1))
    results = run(real(), shorter)
    assert blocked(results) == {"rows kept"}
    assert "first and last year" in failed(results)
    assert results["first and last year"].found == "users_share: 1990 to 2017"
    assert results["first and last year"].expected == "users_share: 1990 or earlier to 2024 or later"


def test_zeros_that_go_are_no_loss_of_figures():
    """Real vintages drop thousands: the decades before there was anything to count."""
    zeros = real(nth=2).filter(pl.col("value") == 0)
    assert zeros.height > 900
    results = run(real(nth=2), real(nth=2).filter(pl.col("value") != 0))
    assert blocked(results) == set()


def test_an_answer_without_a_row_is_blocked():
    assert {"places kept", "rows kept"} <= blocked(run(real(), real().head(0)))


@pytest.mark.parametrize(
    ("before", "data", "whole"),
    [
        (b"a,1\nb,2\n", b"a,1\nb,2\n", True),
        (b"a,1\nb,21\n", b"a,1\nb,2", False),
        (b"a,1\nb,2\n", b"a,1\nb,", False),
        (b"a,1\r\n", b"a,1\r", True),
        (b"a,1\nb,2\n", b"", False),
        (b'{"a": 1}', b'{"a": ', True),
        (b"a,1\nb,2", b"a,1\nb,2\nc,3\n", True),
    ],
    ids=[
        "whole",
        "cut in a figure",
        "cut before one",
        "an older end of line",
        "nothing",
        "never had one",
        "gained one",
    ],
)
def test_a_body_that_stops_inside_a_line_is_blocked(before, data, whole):
    result = run(real(), real(), before=before, data=data)["whole ending"]
    assert (result.passed, result.blocking) == (whole, True)
    assert whole or "it stops at " in result.found


def test_a_missing_end_of_line_alone_is_a_warning():
    """The internet share's download of 2026 ends so, and is whole."""
    result = run(real(), real(), before=b"a,1\nb,2\n", data=b"a,1\nb,2")["whole ending"]
    assert (result.passed, result.blocking) == (False, False)
    assert "it stops at 'b,2'" in result.found


@pytest.mark.parametrize("factor", [10, 100, 1000, 0.1, 0.01, 0.001])
def test_many_rows_in_another_unit_are_blocked(factor):
    chosen = pl.col("entity") < "C"
    scaled = real().with_columns(pl.when(chosen).then(pl.col("value") * factor).otherwise("value").alias("value"))
    results = run(real(), scaled)
    assert blocked(results) == {"magnitude"}
    assert "now" in results["magnitude"].rows[0]


@pytest.mark.parametrize("factor", [1, 3, 9, 12, 50, 150, 10_000])
def test_another_factor_is_a_revision(factor):
    results = run(real(), real().with_columns(pl.col("value") * factor))
    assert blocked(results) == set()
    assert results["magnitude of single rows"].passed
    assert results["share revised"].passed is (factor == 1)


# --- what warns ------------------------------------------------------------------------------------------------------


def one_value(frame, change):
    target = (pl.col("entity") == "IRQ") & (pl.col("period_start") == date(2015, 1, 1))
    assert frame.filter(target).height == 1
    return frame.with_columns(pl.when(target).then(change).otherwise("value").alias("value"))


@pytest.mark.parametrize("factor", [100, 0.001])
def test_a_single_value_in_another_unit_warns_and_is_named(factor):
    results = run(real(), one_value(real(), pl.col("value") * factor))
    assert blocked(results) == set()
    warned = results["magnitude of single rows"]
    assert (warned.passed, warned.found) == (False, "1 rows")
    assert warned.rows[0].startswith("users_share, IRQ, 2015-01-01: ")


def test_a_single_value_warns_even_where_it_is_a_large_share():
    short = real().filter(pl.col("entity") == "IRQ", pl.col("period_start") >= date(2014, 1, 1)).head(5)
    assert failed(run(short, one_value(short, pl.col("value") * 100))) == {"magnitude of single rows"}


def test_a_limit_on_the_largest_change_warns_beyond_it():
    now = one_value(real(), pl.col("value") + 30.0)
    assert run(real(), now, largest=30.5)["largest change"].passed
    result = run(real(), now, largest=29.5)["largest change"]
    assert (result.passed, result.blocking) == (False, False)
    assert result.found.startswith("users_share, IRQ, 2015-01-01: ")


@pytest.mark.parametrize(("below", "passes"), [("C", True), ("M", False)])
def test_a_fifth_of_the_rows_may_be_revised(below, passes):
    revised = pl.when(pl.col("entity") < below).then(pl.col("value") * 1.01).otherwise("value")
    result = run(real(), real().with_columns(revised.alias("value")))["share revised"]
    assert (result.passed, result.blocking) == (passes, False)


@pytest.mark.parametrize(("size", "passes"), [(50, True), (49, False), (150, True), (151, False)])
def test_a_size_that_changes_by_half_warns(size, passes):
    result = run(real(), real(), before=b"\n" * 100, data=b"\n" * size)["size"]
    assert (result.passed, result.blocking) == (passes, False)


@pytest.mark.parametrize("years", [(1990,), (2024,)])
def test_a_first_or_last_year_that_goes_warns(years):
    now = real().filter(~pl.col("period_start").dt.year().is_in(years))
    results = run(real(), now)
    assert "first and last year" in failed(results)
    assert blocked(results) == set()


def test_later_and_earlier_years_are_welcome():
    now = real()
    results = run(now.filter(pl.col("period_start").dt.year().is_between(1995, 2020)), now)
    assert "first and last year" not in failed(results)


def test_a_year_without_any_row_between_warns_but_not_one_that_was_empty_before():
    gap = real().filter(pl.col("period_start").dt.year() != 2003)
    result = run(real(), gap)["continuity"]
    assert (result.passed, result.blocking, result.rows) == (False, False, ("users_share, 2003",))
    assert run(gap, gap)["continuity"].passed
    beyond = pl.concat([gap, gap.tail(1).with_columns(pl.lit(date(2027, 1, 1)).alias("period_start"))])
    assert run(gap, beyond)["continuity"].rows == ("users_share, 2025", "users_share, 2026")


def test_an_adopter_that_goes_or_comes_is_named():
    less = without(real(), pl.Series(["IRQ"]))
    gone, came = run(real(), less), run(less, real())
    assert failed(gone) == {"adopters gone"}
    assert failed(came) == {"adopters new"}
    assert gone["adopters gone"].rows == came["adopters new"].rows == ("users_share, IRQ",)


# --- scope -----------------------------------------------------------------------------------------------------------


def test_what_a_list_does_not_name_is_no_loss():
    few = real(US).filter(pl.col("entity").is_in(["Radio", "Television", "Internet"]))
    assert failed(run(real(US), few, kinds={}, scope="listed")) == set()
    shorter = few.filter((pl.col("entity") != "Radio") | (pl.col("period_start") < date(1960, 1, 1)))
    assert blocked(run(real(US), shorter, kinds={}, scope="listed")) == {"rows kept"}


def test_what_lies_outside_the_span_is_no_loss():
    recent = real().filter(pl.col("period_start") >= date(2015, 1, 1))
    assert failed(run(real(), recent, scope="period")) == set()
    half = without(recent, country_codes(real()).gather_every(2))
    assert blocked(run(real(), half, scope="period")) == {"places kept", "rows kept"}


def test_the_next_span_is_held_against_the_last_one():
    """The next month has no row in common with those before: half of the accounts gone must be seen all the same."""
    year = pl.col("period_start").dt.year()
    known, following = real().filter(year < 2022), real().filter(year == 2022)
    results = run(known, following, scope="period")
    assert blocked(results) == set()
    assert results["rows kept"].found == "nothing to compare"
    half = without(following, country_codes(following).gather_every(2))
    assert blocked(run(known, half, scope="period")) == {"places kept"}
    assert blocked(run(known, following.head(0), scope="period")) == {"places kept"}


# --- what is no observation, and what is no key ----------------------------------------------------------------------


def carried(frame, chosen):
    return frame.with_columns(pl.when(chosen).then(pl.lit("carried_forward")).alias("flag"))


def test_rows_carried_forward_are_not_compared():
    late = pl.col("period_start").dt.year() >= 2018
    assert failed(run(carried(real(), late), real().filter(~late))) == set()
    assert "rows kept" in blocked(run(real(), carried(real(), late))), "what is carried forward from now on is lost"


def test_rows_that_break_the_key_or_are_no_number_do_not_break_the_comparison():
    spoiled = pl.concat(
        [
            real(),
            real().head(3),
            real().head(2).with_columns(pl.lit(None, pl.Float64).alias("value")),
            real().head(2).with_columns(pl.lit(float("nan")).alias("value")),
            real().head(1).with_columns(pl.lit(None, pl.String).alias("entity")),
        ]
    )
    results = run(real(), spoiled)
    assert failed(results) == set()
    assert results["share revised"].found == "users_share: 0 of 6,318 revised (0.0%)", "each key once"
