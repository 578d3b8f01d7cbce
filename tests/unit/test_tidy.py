"""The declared checks, each seen red and green, and the mapping of what is served to places and series."""

import math
import random
from datetime import date

import polars as pl
import pytest
from longwave.pipelines.sources import SOURCES
from longwave.warehouse.errors import Refused
from longwave.warehouse.tidy import (
    TIDY_SCHEMA,
    UNITS,
    adopter_key_expression,
    check_frame,
    content_digest,
    map_to_series,
    refuse_if_blocked,
    tidy,
)

PLACES = SOURCES["grapher_internet_share"]
TECHNOLOGIES = SOURCES["owid_technology_diffusion"]
VINTAGE = date(2022, 4, 8)
GOOD = {"measure": "users_share", "entity": "Namibia", "code": "NAM", "period_kind": "year", "flag": None}


def frame(*changes):
    """A tidy frame with a line column: Namibia in 2000, 2001 …, each row with its changes."""
    rows = [
        GOOD | {"period_start": date(2000 + n, 1, 1), "value": 10.0 + n, "line": n + 2} | change
        for n, change in enumerate(changes)
    ]
    return pl.DataFrame(rows, schema=TIDY_SCHEMA | {"line": pl.UInt32()})


def results(data, spec=PLACES):
    places = spec.adopter_kind == "place"
    checks = check_frame(data, spec.source, spec.measures, VINTAGE, places_expected=places)
    assert len({check.check for check in checks}) == len(checks)
    return {check.check: check for check in checks}


def red(data, spec=PLACES):
    return {name for name, check in results(data, spec).items() if not check.passed}


BAD = {
    "not empty": frame(),
    "declared measures": frame({"measure": "listeners"}),
    "one value a key": frame({}, {"period_start": date(2000, 1, 1)}),
    "finite values": frame({}, {"value": None}),
    "values in range": frame({}, {"value": 100.1}),
    "periods in range": frame({}, {"period_start": date(2023, 1, 1)}),
    "named rows": frame({}, {"entity": None, "code": None}),
    "readable names": frame({}, {"entity": "\x1b[2J"}),
    "known codes": frame({}, {"code": "QQQ"}),
    "mapped names": frame({}, {"entity": "Atlantis", "code": None}),
}


def test_every_declared_check_has_a_frame_that_breaks_it():
    assert set(results(frame({}))) == set(BAD)


@pytest.mark.parametrize("name", BAD)
def test_a_check_is_green_on_good_rows_and_red_on_bad_ones(name):
    good = results(frame({}, {}))[name]
    assert good.passed
    assert good.rows == ()
    bad = results(BAD[name])[name]
    assert not bad.passed
    assert bad.expected == good.expected
    assert bad.found != good.found
    assert red(BAD[name]) == {name}, "and no other check is red"


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("finite values", {"value": math.nan}),
        ("finite values", {"value": -math.inf}),
        ("finite values", {"value": math.inf}),
        ("values in range", {"value": -0.1}),
        ("periods in range", {"period_start": date(1699, 12, 31)}),
        ("periods in range", {"period_start": date(2022, 4, 9)}),
        ("periods in range", {"period_start": None}),
        ("known codes", {"code": "nam"}),
        ("known codes", {"code": ""}),
    ],
)
def test_other_ways_to_break_a_check(name, change):
    check = results(frame({}, change))[name]
    assert not check.passed
    assert len(check.rows) == 1
    assert check.rows[0].startswith("line 3: ")


@pytest.mark.parametrize("change", [{"value": 0.0}, {"value": 100.0}, {"period_start": VINTAGE, "period_kind": "date"}])
def test_the_ends_of_a_range_belong_to_it(change):
    assert red(frame({}, change)) == set()


@pytest.mark.parametrize(
    "twin",
    [
        {"entity": "Namibia", "code": None},
        {"entity": "Republic of Namibia", "code": "NAM"},
        {"entity": "NAM", "code": None},
    ],
    ids=["by name", "another name with the code", "the code as a name"],
)
def test_one_place_under_two_names_is_a_repeated_key(twin):
    bad = frame({}, {"period_start": date(2000, 1, 1)} | twin)
    assert results(bad)["one value a key"].found == "2 rows at fault"


def test_names_of_technologies_are_no_places():
    good = frame({"measure": "adoption", "entity": "Radio", "code": None})
    assert red(good, TECHNOLOGIES) == set()
    assert {"known codes", "mapped names"}.isdisjoint(results(good, TECHNOLOGIES))
    assert red(pl.concat([good, good]), TECHNOLOGIES) == {"one value a key"}


def test_a_refusal_names_file_rule_and_rows():
    bad = frame(*[{"value": 101.0 + n, "period_start": date(2000 + n, 1, 1)} for n in range(8)], {"code": "QQQ"})
    with pytest.raises(Refused) as caught:
        refuse_if_blocked("the capture", "folder/file.csv", list(results(bad).values()), "mend it")
    assert [problem.rule for problem in caught.value.problems] == ["values in range", "known codes"]
    message = str(caught.value)
    assert "folder/file.csv: values in range: expected users_share 0 to 100 percent, found 8 rows at fault" in message
    assert "line 2: users_share, Namibia (NAM), 2000-01-01: 101.0" in message
    assert "… and 3 more" in message
    assert "line 10: users_share, Namibia (QQQ), 2008-01-01: 18.0" in message
    assert message.startswith("refused: the capture\n")
    assert message.endswith("\n  mend it")


def test_a_warning_refuses_nothing():
    checks = list(results(BAD["mapped names"]).values())
    assert [check.check for check in checks if not check.blocking] == ["mapped names"]
    refuse_if_blocked("the capture", "file.csv", checks, "mend it")
    blocked = [check for check in results(BAD["known codes"]).values() if not check.passed]
    with pytest.raises(Refused, match="known codes"):
        refuse_if_blocked("the capture", "file.csv", [*checks, *blocked], "mend it")


# --- mapping ---------------------------------------------------------------------------------------------------------


def mapped(data, source="grapher_internet_share"):
    spec = SOURCES[source]
    made = map_to_series(tidy(data), source, spec.measures, adopter_kind=spec.adopter_kind, place=spec.place)
    return {row["adopter_key"]: row for row in made.series.iter_rows(named=True)}, made.rows


def test_an_unknown_name_is_kept_warned_about_and_belongs_to_no_place():
    data = frame({}, {"entity": "Atlantis", "code": None}, {"entity": "Mu", "code": None})
    warning = results(data)["mapped names"]
    assert not warning.passed
    assert not warning.blocking
    assert warning.found == "Atlantis, Mu"
    series, rows = mapped(data)
    assert series["Atlantis"]["adopter_kind"] == "unmapped"
    assert series["Atlantis"]["code"] is None
    assert series["Atlantis"]["place"] is None
    assert series["Atlantis"]["adopter"] == "Atlantis"
    assert series["Atlantis"]["series"] == "grapher_internet_share/users_share/Atlantis"
    assert rows.filter(pl.col("adopter_key") == "Atlantis")["value"].to_list() == [11.0]
    assert series["NAM"]["adopter_kind"] == "country"
    assert series["NAM"]["code"] == series["NAM"]["place"] == "NAM"


@pytest.mark.parametrize(
    ("entity", "code", "key", "kind"),
    [
        ("Namibia", None, "NAM", "country"),
        ("anything", "NAM", "NAM", "country"),
        ("World", "OWID_WRL", "WLD", "aggregate"),
        ("Kosovo", "OWID_KOS", "XKX", "country"),
        ("High income", None, "HIC", "aggregate"),
        ("Swaziland", None, "SWZ", "country"),
        ("North America", None, "NAC", "aggregate"),
        (None, "NAM", "NAM", "country"),
    ],
)
def test_places_resolve_by_code_then_by_name(entity, code, key, kind):
    data = frame({"entity": entity, "code": code})
    series, rows = mapped(data)
    assert set(series) == {key}
    assert series[key]["adopter_kind"] == kind
    assert rows["series"].to_list() == [f"grapher_internet_share/users_share/{key}"]
    assert red(data) == set()


def test_an_alias_of_one_source_goes_before_the_name_of_all():
    data = pl.DataFrame({"code": [None], "entity": ["North America"]}, schema={"code": pl.String, "entity": pl.String})
    keys = {
        source: data.select(adopter_key_expression(source)).item()
        for source in ("grapher_internet_users", "grapher_internet_share", "wdi")
    }
    assert keys == {"grapher_internet_users": "OWID_NAM", "grapher_internet_share": "NAC", "wdi": "NAC"}
    series, _ = mapped(frame({"entity": "North America", "code": None, "measure": "users"}), "grapher_internet_users")
    assert series["OWID_NAM"]["adopter"] == "North America (continent)"


def test_technologies_take_their_medium_and_population_from_the_concept_groups():
    rows = [
        {"measure": "adoption", "entity": name, "code": None, "period_start": date(2000, 1, 1)}
        for name in ("Radio", "Television", "Colour TV", "A thing nobody listed")
    ]
    series, _ = mapped(frame(*rows), "owid_technology_diffusion")
    assert {name: row["medium"] for name, row in series.items()} == {
        "Radio": "radio",
        "Television": "television",
        "Colour TV": "colour television",
        "A thing nobody listed": "reference",
    }
    assert {row["place"] for row in series.values()} == {row["code"] for row in series.values()} == {"USA"}
    assert {row["adopter_kind"] for row in series.values()} == {"technology"}
    assert series["Radio"]["concept"] != series["Television"]["concept"]


def test_units_have_a_class_and_every_measure_a_known_unit():
    declared = {measure.unit for spec in SOURCES.values() for measure in spec.measures}
    assert declared == set(UNITS)
    series, _ = mapped(frame({"measure": "adoption", "entity": "Radio", "code": None}), "owid_technology_diffusion")
    assert series["Radio"]["unit_class"] == "share"
    assert {unit: UNITS[unit] for unit in ("thousand_sets", "sets")} == {
        "thousand_sets": ("count", 1000.0),
        "sets": ("count", 1.0),
    }


# --- the tidy form ---------------------------------------------------------------------------------------------------


def test_row_and_column_order_are_no_difference():
    data = tidy(frame({}, {}, {"entity": "Chad", "code": "TCD"}, {"entity": None, "code": "TCD"}))
    shuffled = data.select(random.Random(1).sample(data.columns, len(data.columns))).sample(
        fraction=1, shuffle=True, seed=3
    )
    assert not shuffled.equals(data)
    assert tidy(shuffled).equals(data)
    assert content_digest(tidy(shuffled)) == content_digest(data)
    assert data.schema == pl.Schema(TIDY_SCHEMA)


@pytest.mark.parametrize(
    "change",
    [{"value": 10.000000000000002}, {"flag": "carried_forward"}, {"code": None}, {"period_kind": "date"}],
)
def test_any_other_difference_changes_the_digest(change):
    assert content_digest(tidy(frame(change))) != content_digest(tidy(frame({})))


def test_missing_code_and_flag_columns_are_filled():
    bare = frame({"code": None}).drop("code", "flag", "line")
    assert tidy(bare).equals(tidy(frame({"code": None})))
