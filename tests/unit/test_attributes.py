"""What is said of adopters in words: versions, whatever order captures arrive in; digests, founding files, refusals."""

import itertools
from datetime import date

import duckdb
import polars as pl
import pytest
from longwave.warehouse.attributes import (
    ATTRIBUTE_SCHEMA,
    attributes_at,
    attributes_digest,
    attributes_frame,
    check_attributes,
)
from longwave.warehouse.errors import Refused
from longwave.warehouse.founding_files import (
    OriginalRow,
    capture_digest,
    read_attributes,
    verify_digest,
    write_attributes,
)
from longwave.warehouse.store import Warehouse
from longwave.warehouse.tables import polars_schema
from longwave.warehouse.tidy import TIDY_SCHEMA, tidy

SOURCE = "journals_accounts"
NAMES = ("publisher", "field")
# Vintage, letter of the capture, what it says. Two captures of one vintage: the later letter speaks for it.
CAPTURES = [
    ("2020-01-01", "a", {("x", "publisher"): "Alpha", ("x", "field"): "Law", ("y", "publisher"): "Beta"}),
    ("2021-01-01", "b", {("x", "publisher"): "Alpha", ("x", "field"): "History", ("y", "publisher"): "Beta"}),
    ("2022-01-01", "c", {("x", "publisher"): "Nobody", ("x", "field"): "Nothing"}),
    ("2022-01-01", "d", {("x", "publisher"): "Alpha", ("x", "field"): "Law"}),
    ("2023-01-01", "e", {("x", "publisher"): "Alpha", ("x", "field"): "Law", ("y", "publisher"): "Beta"}),
]
STANDING = [
    ("x", "field", "Law", "2020-01-01", "2021-01-01", "a"),
    ("x", "field", "History", "2021-01-01", "2022-01-01", "b"),
    ("x", "field", "Law", "2022-01-01", "infinity", "d"),
    ("x", "publisher", "Alpha", "2020-01-01", "infinity", "a"),
    ("y", "publisher", "Beta", "2020-01-01", "2022-01-01", "a"),
    ("y", "publisher", "Beta", "2023-01-01", "infinity", "e"),
]


def frame(said):
    rows = [(adopter, name, value) for (adopter, name), value in said.items()]
    return pl.DataFrame(rows, schema=ATTRIBUTE_SCHEMA, orient="row")


def put(warehouse, vintage, letter, said, source=SOURCE, now="2026-01-01 00:00:00"):
    warehouse.now = now
    row = {
        "capture": f"{source}@{letter}",
        "source": source,
        "vintage": date.fromisoformat(vintage),
        "vintage_precision": "commit",
        "kind": "re-recorded",
        "url": "",
        "original_bytes": 1,
        "original_sha256": "0" * 64,
        "content_sha256": "0" * 64,
        "reader_version": 1,
        "scope": "full",
        "n_rows": 0,
    }
    rows = pl.DataFrame(
        schema=dict.fromkeys(("series", "measure", "adopter_key", "period_kind", "served_flag"), pl.String)
        | {"period_start": pl.Date, "value": pl.Float64}
    )
    series = pl.DataFrame(schema=polars_schema("series"))
    warehouse.merge_capture(row, [("account_opened", "*")], series, rows, frame(said))


def versions(warehouse, *more, source=SOURCE):
    columns = ", ".join(["adopter", "name", "value", "known_from::VARCHAR", "known_to::VARCHAR", "capture", *more])
    sql = f"SELECT {columns} FROM attributes WHERE source = ? ORDER BY adopter, name, known_from"
    rows = warehouse.con.execute(sql, [source]).fetchall()
    return [tuple(str(value).removeprefix(f"{source}@") for value in row) for row in rows]


@pytest.fixture
def warehouse(made_home):
    with Warehouse(made_home) as opened:
        yield opened


def test_what_is_withdrawn_ends_and_what_is_said_again_begins_anew(warehouse):
    for capture in CAPTURES:
        put(warehouse, *capture)
    assert versions(warehouse) == STANDING


def test_whatever_order_captures_arrive_in_the_table_is_the_same(warehouse):
    """Every fifteenth of the 120 orders, each of a source of its own."""
    orders = list(itertools.islice(itertools.permutations(range(len(CAPTURES))), 0, None, 15))
    assert len(orders) == 8
    for n, order in enumerate(orders):
        for index in order:
            put(warehouse, *CAPTURES[index], source=f"s{n}")
        assert versions(warehouse, source=f"s{n}") == STANDING, order


def test_sources_do_not_touch_each_other(warehouse):
    put(warehouse, *CAPTURES[0])
    before = versions(warehouse)
    put(warehouse, "2021-01-01", "z", {("x", "publisher"): "Omega"}, source="journals_followers")
    assert versions(warehouse) == before


def test_as_of_a_date(warehouse):
    for capture in CAPTURES:
        put(warehouse, *capture)
    sql = "SELECT value, vintage::VARCHAR FROM attributes_as_of(?::DATE) WHERE adopter = 'x' AND name = 'field'"
    assert warehouse.con.execute(sql, ["2019-12-31"]).fetchall() == []
    assert warehouse.con.execute(sql, ["2021-06-01"]).fetchall() == [("History", "2021-01-01")]
    assert warehouse.con.execute(sql, ["2026-06-01"]).fetchall() == [("Law", "2022-01-01")]
    assert attributes_at(warehouse.con, SOURCE, date(2022, 6, 1)).rows() == [
        ("x", "field", "Law"),
        ("x", "publisher", "Alpha"),
    ]


def test_a_row_that_stays_keeps_its_time_and_so_does_a_source_merged_again(warehouse):
    for n, capture in enumerate(CAPTURES):
        put(warehouse, *capture, now=f"2026-0{n + 1}-01 00:00:00")
    before = versions(warehouse, "recorded_at")
    assert [row[-1][:7] for row in before] == ["2026-01", "2026-02", "2026-04", "2026-01", "2026-01", "2026-05"]
    warehouse.forget_source(SOURCE)
    assert versions(warehouse) == []
    for capture in reversed(CAPTURES):
        put(warehouse, *capture, now="2027-01-01 00:00:00")
    warehouse.settle_source()
    assert versions(warehouse, "recorded_at") == before


def test_one_value_an_adopter_and_name_is_held_by_the_file_too(warehouse):
    twice = pl.concat([frame({("x", "field"): "Law"}), frame({("x", "field"): "History"})])
    assert {c.check: c.rows for c in check_attributes(twice, NAMES) if not c.passed} == {
        "one value an attribute": ("x, field: Law", "x, field: History")
    }
    row = {"source": SOURCE, "adopter": "x", "name": "field", "known_from": date(2020, 1, 1), "value": "Law"}
    row |= {"known_to": date(2021, 1, 1), "capture": "c", "recorded_at": None}
    with pytest.raises(duckdb.ConstraintException, match="NOT NULL"):
        warehouse.insert("attributes", pl.DataFrame([row], schema=polars_schema("attributes")))


@pytest.mark.parametrize(
    ("said", "check"),
    [
        ({}, "attributes not empty"),
        ({("x", "colour"): "green"}, "declared attributes"),
        ({("", "field"): "Law"}, "adopters of attributes"),
        ({(None, "field"): "Law"}, "adopters of attributes"),
        ({("A", "field"): "\u202ewaL"}, "readable attributes"),
    ],
)
def test_a_check_of_attributes_can_fail(said, check):
    failed = [result for result in check_attributes(frame(said), NAMES) if not result.passed]
    assert [(result.check, result.blocking) for result in failed] == [(check, True)]
    assert all(result.passed for result in check_attributes(frame(CAPTURES[0][2]), NAMES))


def test_what_is_blank_is_not_said_and_order_is_no_difference():
    said = {("x", "field"): " Law ", ("x", "publisher"): "  ", ("y", "field"): None}
    assert attributes_frame(frame(said)).rows() == [("x", "field", "Law")]
    mixed = frame(CAPTURES[0][2])
    assert attributes_digest(mixed) == attributes_digest(mixed.reverse())
    assert attributes_digest(mixed) != attributes_digest(frame(CAPTURES[1][2]))


# --- founding files


ROW = OriginalRow(SOURCE, date(2020, 1, 1), "commit", "a.csv", "", "full")
ODD = {
    ("x", "publisher"): 'Smith, "Jones" & Sons',
    ("x", "field"): "Côte d'Ivoire; law",
    ('y, or "z"', "publisher"): "NA",
    ("é\u2028", "field"): "Ⅷ",
}
NO_FIGURES = tidy(pl.DataFrame(schema=TIDY_SCHEMA))


def test_odd_characters_come_back_from_a_founding_file_as_they_were(tmp_path):
    said = attributes_frame(frame(ODD))
    path = tmp_path / SOURCE / "2020-01-01.attributes.csv"
    write_attributes(path, said, NAMES)
    assert path.read_text(encoding="utf-8").splitlines()[0] == "adopter,publisher,field"
    assert read_attributes(tmp_path, ROW, NAMES).equals(said)
    assert read_attributes(tmp_path, ROW, ()) is None, "a source that declares none has no file"


def test_another_word_in_a_founding_file_is_another_digest(tmp_path):
    said = frame(CAPTURES[0][2])
    row = OriginalRow(**vars(ROW) | {"content_sha256": capture_digest(NO_FIGURES, said)})
    verify_digest(tmp_path, row, NO_FIGURES, said)
    for other in (frame(CAPTURES[1][2]), None):
        with pytest.raises(Refused, match="digest"):
            verify_digest(tmp_path, row, NO_FIGURES, other)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "found none"),
        ("", "without content"),
        ("<html></html>", "an HTML page"),
        ("adopter,publisher\nx,Alpha\n", "expected adopter, publisher, field, found adopter, publisher"),
        ("adopter,field,publisher\nx,Law,Alpha\n", "found adopter, field, publisher"),
        ("adopter,publisher,field\nx,Alpha,Law,more\n", "as many fields as the header has"),
    ],
    ids=["no file", "empty", "a page", "a column less", "another order", "a field more"],
)
def test_a_damaged_file_of_attributes_is_refused_by_name(tmp_path, text, says):
    path = tmp_path / SOURCE / "2020-01-01.attributes.csv"
    path.parent.mkdir()
    if text is not None:
        path.write_text(text)
    with pytest.raises(Refused, match=says) as caught:
        read_attributes(tmp_path, ROW, NAMES)
    assert str(path) in str(caught.value)
    assert "founding build DIR" in str(caught.value)
