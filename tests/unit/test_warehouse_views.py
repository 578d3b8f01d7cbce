"""What people query: as-of dates, the flags that follow from a series' own values, and what is no observation."""

import duckdb
import pytest
from longwave.warehouse.ask import BadQuery, ask
from longwave.warehouse.store import Warehouse, reader
from longwave.warehouse.views import INTERPOLATED_RUN, LEFT_TRUNCATED_OVER

US = "owid_technology_diffusion"
WORLD = "grapher_internet_share"


@pytest.fixture
def home(made_home):
    return made_home


@pytest.fixture
def put(home, record):
    """Merge captures, each a (source, vintage, values) with options, in a transaction of its own."""

    def _put(*captures):
        for source, vintage, values, *options in captures:
            with Warehouse(home) as warehouse:
                record(warehouse, source, vintage, values, **(options[0] if options else {}))

    return _put


def values(home, as_of=None):
    rows = ask(home, "SELECT year, value, vintage FROM observations ORDER BY ALL", as_of)[1]
    return [(year, value, vintage) for year, value, vintage in rows]


def flags(home, adopter=None):
    """{year: flags} of the observations that have any."""
    sql = "SELECT adopter, year, flags FROM observations WHERE flags <> '' ORDER BY ALL"
    found = [(name, year, text) for name, year, text in ask(home, sql)[1]]
    return {year: text for name, year, text in found if adopter in (None, name)}


def series(start, *values):
    return {("Radio", start + n): float(value) for n, value in enumerate(values)}


# --- as of a date ----------------------------------------------------------------------------------------------------


@pytest.fixture
def three_editions(put):
    """58.0, then 16.8, then withdrawn while another year is added: as the share of Iraqis online was rewritten."""
    put(
        (WORLD, "2022-04-08", {("Iraq", 2015): 58.0}),
        (WORLD, "2023-04-12", {("Iraq", 2015): 16.8, ("Iraq", 2014): 13.0}),
        (WORLD, "2025-11-30", {("Iraq", 2014): 13.0}),
    )


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [
        ("2022-04-07", []),
        ("2022-04-08", [(2015, 58.0, "2022-04-08")]),
        ("2023-04-11", [(2015, 58.0, "2022-04-08")]),
        ("2023-04-12", [(2014, 13.0, "2023-04-12"), (2015, 16.8, "2023-04-12")]),
        ("2025-11-29", [(2014, 13.0, "2023-04-12"), (2015, 16.8, "2023-04-12")]),
        ("2025-11-30", [(2014, 13.0, "2023-04-12")]),
        (None, [(2014, 13.0, "2023-04-12")]),
    ],
)
def test_as_of_a_date_shows_what_was_said_on_it(home, three_editions, as_of, expected):
    assert values(home, as_of) == expected


def test_the_table_macro_takes_a_date_of_its_own(home, three_editions):
    sql = "SELECT year, value FROM observations_as_of(DATE '2022-12-31')"
    assert ask(home, sql)[1] == [(2015, 58.0)]
    assert ask(home, sql, as_of="2025-12-31")[1] == [(2015, 58.0)], "the session's date does not touch it"


def test_every_series_has_its_code_and_name(home, three_editions):
    columns, rows = ask(home, "SELECT medium, metric, unit, adopter, code, source, flags FROM observations")
    assert columns == ["medium", "metric", "unit", "adopter", "code", "source", "flags"]
    assert rows == [("internet", "users_share", "percent", "Iraq", "IRQ", WORLD, "left_truncated")]


def test_the_plain_read_has_the_same_values_and_those_carried_forward(home, put, three_editions):
    put((WORLD, "2026-01-29", {("Iraq", 2014): (13.0, "carried_forward"), ("Iraq", 2016): 20.0}))
    sql = "SELECT year(period_start), value, served_flag, known_from FROM versions_as_of(DATE '{}') ORDER BY 1"
    assert ask(home, sql.format("2022-12-31"))[1] == [(2015, 58.0, None, "2022-04-08")]
    assert ask(home, sql.format("2022-04-07"))[1] == []
    assert ask(home, sql.format("2026-01-29"))[1] == [
        (2014, 13.0, "carried_forward", "2026-01-29"),
        (2016, 20.0, None, "2026-01-29"),
    ]
    assert [row[:2] for row in values(home, "2026-01-29")] == [(2016, 20.0)]


# --- revisions -------------------------------------------------------------------------------------------------------


CHANGES = "SELECT year, value_before, value, change, revised_on FROM revisions ORDER BY revised_on, year"


def test_revisions_show_what_stood_before_and_after(home, three_editions):
    changed = [
        (2014, None, 13.0, "added", "2023-04-12"),
        (2015, 58.0, 16.8, "revised", "2023-04-12"),
        (2015, 16.8, None, "withdrawn", "2025-11-30"),
    ]
    assert ask(home, CHANGES)[1] == changed
    assert ask(home, CHANGES, "2025-11-29")[1] == changed[:2], "what was not known yet was not revised yet"
    assert ask(home, CHANGES, "2023-04-11")[1] == []


def test_a_revision_names_its_series_and_the_capture_that_made_it(home, three_editions):
    sql = (
        "SELECT series, source, measure, adopter, code, adopter_kind, period_start, period_kind, capture FROM revisions"
    )
    named = (f"{WORLD}/users_share/IRQ", WORLD, "users_share", "Iraq", "IRQ", "country", "2015-01-01", "year")
    rows = ask(home, f"{sql} WHERE year = 2015 ORDER BY revised_on")[1]
    assert [row[:-1] for row in rows] == [named, named]
    assert [row[-1][: len(WORLD) + 11] for row in rows] == [f"{WORLD}@2023-04-12", f"{WORLD}@2025-11-30"]


def test_a_value_that_comes_back_is_restored(home, put, three_editions):
    put((WORLD, "2026-01-29", {("Iraq", 2014): 13.0, ("Iraq", 2015): 16.8}))
    assert ask(home, CHANGES)[1][-1] == (2015, None, 16.8, "restored", "2026-01-29")


def test_what_no_earlier_capture_spoke_of_is_not_added(home, put):
    """The first list of an adopter, and the first of a measure, are first publications: no history was rewritten."""
    put(
        (US, "2020-01-01", {("Radio", 1930): 40.0}, {"scope": "listed"}),
        (US, "2021-01-01", {("Radio", 1931): 50.0, ("Television", 1950): 9.0}, {"scope": "listed"}),
    )
    assert ask(home, CHANGES)[1] == [
        (1930, 40.0, None, "withdrawn", "2021-01-01"),
        (1931, None, 50.0, "added", "2021-01-01"),
    ]


def test_an_observation_that_is_carried_forward_from_now_on_is_withdrawn(home, put):
    carried = (51.0, "carried_forward")
    put(
        (US, "2020-01-01", {("Tablet", 2016): 51.0, ("Tablet", 2017): carried}),
        (US, "2021-01-01", {("Tablet", 2016): carried, ("Tablet", 2017): 51.0}),
    )
    assert ask(home, CHANGES)[1] == [
        (2016, 51.0, None, "withdrawn", "2021-01-01"),
        (2017, None, 51.0, "added", "2021-01-01"),
    ]


# --- coverage of a year ----------------------------------------------------------------------------------------------

TEN = ["Iraq", "Iran", "Japan", "Kenya", "Latvia", "Mexico", "Nepal", "Oman", "Peru", "Qatar"]
COVERAGE = "SELECT year, adopters, before, reported, complete FROM year_coverage ORDER BY source, measure, year"


@pytest.mark.parametrize(("again", "complete"), [(7, False), (8, True)])
def test_a_year_is_complete_when_four_in_five_of_the_year_before_reported(home, put, again, complete):
    shown = {(name, 2020): 50.0 for name in TEN} | {(name, 2021): 60.0 for name in TEN[:again]}
    put((WORLD, "2022-01-01", shown))
    assert ask(home, COVERAGE)[1] == [(2020, 10, 0, None, None), (2021, again, 10, again / 10, complete)]


def test_newcomers_do_not_stand_for_those_who_are_missing(home, put):
    """Ten reported and ten report: other ones."""
    put((WORLD, "2022-01-01", {(n, 2020): 50.0 for n in TEN[:5]} | {(n, 2021): 60.0 for n in TEN[4:]}))
    assert ask(home, COVERAGE)[1] == [(2020, 5, 0, None, None), (2021, 6, 5, 0.2, False)]


def test_neither_aggregates_nor_values_carried_forward_report(home, put):
    shown = {(name, year): 50.0 for name in [*TEN, "World", "High income"] for year in (2020, 2021)}
    shown |= {(name, 2021): (50.0, "carried_forward") for name in TEN[:3]}
    put((WORLD, "2022-01-01", shown))
    assert ask(home, COVERAGE)[1] == [(2020, 10, 0, None, None), (2021, 7, 10, 0.7, False)]


def test_a_year_after_a_gap_has_nothing_to_be_held_against(home, put):
    put((WORLD, "2022-01-01", {(name, year): 50.0 for name in TEN for year in (2018, 2020)}))
    assert ask(home, COVERAGE)[1] == [(2018, 10, 0, None, None), (2020, 10, 0, None, None)]


def test_coverage_is_that_of_the_vintage_read(home, put):
    shown = {(name, 2020): 50.0 for name in TEN}
    put(
        (WORLD, "2022-01-01", shown | {(name, 2021): 60.0 for name in TEN[:2]}),
        (WORLD, "2023-01-01", shown | {(name, 2021): 60.0 for name in TEN}),
    )
    assert ask(home, COVERAGE, "2022-06-30")[1][-1] == (2021, 2, 10, 0.2, False)
    assert ask(home, COVERAGE)[1][-1] == (2021, 10, 10, 1.0, True)


def test_of_monthly_figures_the_months_count(home, put):
    """Five months of a year name every platform and are no year."""
    put(("statcounter_social_gb", "2023-06-07", {("Facebook", 2022): 60.0, ("Twitter", 2022): 20.0}))
    with Warehouse(home) as warehouse:
        warehouse.con.execute(
            """INSERT INTO observation_versions SELECT series, make_date(2021 + m // 12, 1 + m % 12, 1), 'month', known_from,
               known_to, value, served_flag, capture, recorded_at FROM observation_versions, range(17) t(m)"""
        )
        warehouse.con.execute("DELETE FROM observation_versions WHERE period_kind = 'year'")
        warehouse.changed = True
    assert ask(home, COVERAGE)[1] == [(2021, 2, 0, None, None), (2022, 2, 2, 5 / 12, False)]


# --- as of a date, refused -------------------------------------------------------------------------------------------


def test_a_date_that_is_none_is_refused(home, three_editions):
    with pytest.raises((duckdb.Error, BadQuery)):
        values(home, "yesterday")


# --- interpolated ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shown", "interior"),
    [
        ((10, 12, 14, 16), [1931, 1932]),
        ((10, 12, 14, 16, 18, 25), [1931, 1932, 1933]),
        ((10, 11, 13, 15, 17, 17.5), [1932, 1933]),
        ((10, 12, 14), []),
        ((10, 12, 14, 16.1), []),
        ((9, 9, 9, 9, 9), []),
        ((10, 12, 14, 16, 19, 22, 25), [1931, 1932, 1934, 1935]),
        ((10, 9, 8, 7), [1931, 1932]),
        ((9.1, 9.2, 9.3, 9.4), [1931, 1932]),
    ],
    ids=[
        "three equal steps",
        "a longer run",
        "a run inside",
        "two equal steps",
        "two and an unequal one",
        "no step at all",
        "two runs that meet",
        "downwards",
        "steps that differ in the last bit",
    ],
)
def test_interior_points_of_a_run_of_equal_steps_are_interpolated(home, put, shown, interior):
    put((US, "2020-01-01", series(1930, *shown)))
    assert INTERPOLATED_RUN == 3
    assert flags(home) == dict.fromkeys(interior, "interpolated")


def test_a_gap_breaks_a_run(home, put):
    put((US, "2020-01-01", series(1930, 5, 6, 7) | series(1934, 8, 9, 10)))
    assert flags(home) == {}


def test_the_run_is_that_of_the_vintage_read(home, put):
    put((US, "2020-01-01", series(1930, 5, 6, 7, 8)), (US, "2021-01-01", series(1930, 5, 6.5, 7, 8)))
    sql = "SELECT year FROM observations WHERE flags = 'interpolated' ORDER BY 1"
    assert ask(home, sql, "2020-06-30")[1] == [(1931,), (1932,)]
    assert ask(home, sql)[1] == []


# --- zeros -----------------------------------------------------------------------------------------------------------


def launch(home, medium):
    with reader(home) as con:
        return con.execute("SELECT min(year) FROM launches WHERE medium = ?", [medium]).fetchall()[0][0]


def test_a_zero_before_the_first_launch_anywhere_is_filler(home, put):
    put((WORLD, "2020-01-01", {("Iraq", 1960): 0.0, ("Iraq", 2000): 0.0}))
    first = launch(home, "internet")
    assert 1960 < first <= 2000
    put((WORLD, "2021-01-01", {("Iraq", first - 1): 0.0, ("Iraq", first): 0.0, ("Iraq", 2005): 3.0}))
    assert flags(home) == {first - 1: "filler_zero"}


def test_a_zero_after_a_positive_value_is_filler(home, put):
    put((WORLD, "2020-01-01", {("Iraq", y): v for y, v in [(2000, 0.0), (2001, 1.0), (2002, 0.0), (2003, 2.0)]}))
    assert flags(home) == {2002: "filler_zero"}


def test_a_positive_value_of_another_series_makes_no_zero_filler(home, put):
    put((WORLD, "2020-01-01", {("Iraq", 2000): 1.0, ("Iran", 2001): 0.0}))
    assert flags(home) == {}


# --- left-truncated and breaks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "marked"), [(12.0, False), (12.1, True), (96.6, True), (10.0, False)])
def test_a_share_that_begins_high_is_left_truncated(home, put, first, marked):
    put((US, "2020-01-01", {("Television", 1992): first, ("Television", 1998): 98.4}))
    assert LEFT_TRUNCATED_OVER == 12.0
    assert flags(home) == ({1992: "left_truncated"} if marked else {})


@pytest.mark.parametrize(
    ("source", "values", "measure"),
    [
        ("pew_platforms", {("Facebook", 2012): 54.0}, "adults_share"),
        ("grapher_mobile", {("Iraq", 1990): 50.0}, "mobile"),
        ("wdi", {("Iraq", 1990): 17e6}, "population"),
    ],
    ids=["a platform that was first asked about late", "a count per hundred", "a covariate"],
)
def test_early_ages_are_unknown_of_every_level_but_no_covariate(home, put, source, values, measure):
    put((source, "2025-01-01", values, {"measure": measure}))
    marked = {} if measure == "population" else {year: "left_truncated" for _, year in values}
    assert flags(home) == marked


def test_a_break_marks_its_years_and_its_series_alone(home, put):
    years = {("Landline", 2011 + n): value for n, value in enumerate([70.5, 75.0, 58.7, 57.3])}
    put((US, "2020-01-01", years | {("Radio", 2013): 9.0}))
    assert flags(home, "Landline") == {2011: "left_truncated", 2013: "break"}
    assert flags(home, "Radio") == {}


def test_two_flags_stand_side_by_side(home, put):
    put((US, "2020-01-01", {("Landline", 2013): 58.7}))
    assert flags(home) == {2013: "left_truncated,break"}


# --- what is no observation ------------------------------------------------------------------------------------------


def test_a_value_carried_forward_is_kept_and_is_no_observation(home, put):
    carried = "carried_forward"
    source = "grapher_technology_adoption"
    put(
        (
            source,
            "2022-04-08",
            {("Tablet", 2016): 51.0, ("Tablet", 2017): (51.0, carried), ("Tablet", 2018): (51.0, carried)},
        )
    )
    assert [row[:2] for row in values(home)] == [(2016, 51.0)]
    held = "SELECT year(period_start), value, served_flag FROM observation_versions ORDER BY 1"
    assert ask(home, held)[1] == [(2016, 51.0, None), (2017, 51.0, carried), (2018, 51.0, carried)]
    listed = "SELECT source, adopter, year, value, vintage FROM carried_forward ORDER BY year"
    assert ask(home, listed)[1] == [(source, "Tablet", y, 51.0, "2022-04-08") for y in (2017, 2018)]
    assert ask(home, listed, "2022-04-07")[1] == []


def test_a_repeat_that_is_an_observation_is_one(home, put):
    put((US, "2020-01-01", series(1930, 9, 9, 9)))
    assert [row[:2] for row in values(home)] == [(1930, 9.0), (1931, 9.0), (1932, 9.0)]


def test_neither_is_a_step_of_a_run(home, put):
    """What was carried forward is no neighbour either: 2, 4, (6), 8 has no three equal steps."""
    put(
        (
            US,
            "2020-01-01",
            {("Radio", 1930): 2.0, ("Radio", 1931): 4.0, ("Radio", 1932): (6.0, "carried_forward")}
            | series(1933, 8, 10),
        )
    )
    assert flags(home) == {}


# --- infinity --------------------------------------------------------------------------------------------------------


def test_an_open_version_ends_at_infinity(home, three_editions):
    sql = "SELECT year(period_start), known_from, known_to FROM observation_versions ORDER BY ALL"
    assert ask(home, sql)[1] == [
        (2014, "2023-04-12", "infinity"),
        (2015, "2022-04-08", "2023-04-12"),
        (2015, "2023-04-12", "2025-11-30"),
    ]
