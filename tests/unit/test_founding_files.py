"""The founding facts' own form: what is written comes back, and a damaged file is refused by name, row and rule."""

import hashlib
import shutil
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from longwave.pipelines.observe import Held, observe, read_founding
from longwave.pipelines.sources import SOURCES
from longwave.warehouse.archive import Archive
from longwave.warehouse.errors import Refused
from longwave.warehouse.founding_files import (
    ATTRIBUTES,
    OriginalRow,
    file_of,
    founding_folder,
    named,
    read_originals,
    read_source,
    verify_digest,
    write_originals,
    write_rows,
)
from longwave.warehouse.store import Warehouse
from longwave.warehouse.tidy import TIDY_SCHEMA, content_digest, tidy

SPEC = SOURCES["grapher_internet_share"]
SOURCE, UNIT = SPEC.source, "percent"
DAYS = [date(2020, 1, 1), date(2021, 1, 1), date(2022, 1, 1)]


def made(rows):
    """Tidy frame of (entity, code, day, kind, value, flag) rows."""
    names = ["entity", "code", "period_start", "period_kind", "value", "flag"]
    frame = pl.DataFrame(rows, schema={name: TIDY_SCHEMA[name] for name in names}, orient="row")
    return tidy(frame.with_columns(pl.lit("users_share").alias("measure")))


def year(entity, code, when, value, flag=None):
    return (entity, code, date(when, 1, 1), "year", value, flag)


def written(folder, editions, scope="full"):
    """Write editions of one measure as `founding build` does; returns their rows of originals.csv."""
    rows, before = [], None
    for vintage, frame in zip(DAYS, editions, strict=False):
        write_rows(file_of(folder, SOURCE, vintage, "users_share"), frame, before if scope == "full" else None, UNIT)
        digest = hashlib.sha256(str(vintage).encode()).hexdigest()
        rows.append(
            OriginalRow(
                SOURCE, vintage, "commit", f"{vintage}.csv", "", scope, "", 9, digest, frame.height,
                content_digest(named(frame)), 1,
            )
        )  # fmt: skip
        before = frame
    write_originals(folder, rows)
    return rows


def lines(folder, vintage=DAYS[0]):
    return file_of(folder, SOURCE, vintage, "users_share").read_text(encoding="utf-8").splitlines()


# --- what is written comes back --------------------------------------------------------------------------------------

NAMES = st.sampled_from(["Namibia", "Côte d'Ivoire", 'Korea, "Rep."', "Two\nlines", " padded ", "NA", "2000"])
CODES = st.sampled_from(["NAM", "CIV", "KOR", "OWID_WRL"])
ADOPTERS = st.one_of(st.tuples(NAMES, st.none()), st.tuples(NAMES, CODES))
PERIODS = st.one_of(
    st.integers(1700, 2100).map(lambda y: (date(y, 1, 1), "year")),
    st.tuples(st.integers(1990, 2026), st.integers(1, 12)).map(lambda p: (date(*p, 1), "month")),
    st.dates(date(1900, 1, 1), date(2026, 1, 1)).map(lambda d: (d, "date")),
)
VALUES = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**18), 10**18).map(float)
FLAGS = st.sampled_from([None, None, "carried_forward"])


@st.composite
def editions(draw):
    """Up to three editions of a few keys: rows come, change, are withdrawn and return."""
    keys = draw(
        st.lists(st.tuples(ADOPTERS, PERIODS), min_size=1, max_size=6, unique_by=lambda k: (k[0][1] or k[0][0], *k[1]))
    )
    frames = []
    for _ in range(draw(st.integers(1, 3))):
        shown = [
            (entity, code, day, kind, draw(VALUES), draw(FLAGS))
            for (entity, code), (day, kind) in keys
            if draw(st.booleans())
        ]
        frames.append(made(shown))
    return frames


@settings(max_examples=60, deadline=None)
@given(frames=editions(), scope=st.sampled_from(["full", "listed"]))
def test_editions_come_back_as_they_were(tmp_path_factory, frames, scope):
    folder = tmp_path_factory.mktemp("founding")
    rows = written(folder, frames, scope)
    assert read_originals(folder) == rows
    for (row, back), frame in zip(read_source(folder, rows, SPEC.measures), frames, strict=True):
        assert named(back).equals(named(frame))
        verify_digest(folder, row, back)
    shutil.rmtree(folder)


def test_only_what_changed_is_written_after_the_first_edition(tmp_path):
    first = made([year("Namibia", "NAM", 2000, 1.0), year("Chad", "TCD", 2000, 2.0), year("Mu", None, 2000, 3.5)])
    second = made([year("Namibia", "NAM", 2000, 1.0), year("Chad", "TCD", 2000, 2.25), year("Chad", "TCD", 2001, 9.0)])
    rows = written(tmp_path, [first, second, second])
    assert lines(tmp_path) == ["code,entity,period,percent,flag", "TCD,,2000,2,", ",Mu,2000,3.5,", "NAM,,2000,1,"]
    assert lines(tmp_path, DAYS[1]) == [
        "code,entity,period,percent,flag",
        ",Mu,2000,,withdrawn",
        "TCD,,2000,2.25,",
        "TCD,,2001,9,",
    ]
    assert lines(tmp_path, DAYS[2]) == ["code,entity,period,percent,flag"]
    read = [frame for _, frame in read_source(tmp_path, rows, SPEC.measures)]
    assert [frame.height for frame in read] == [3, 3, 3]


def test_a_name_that_changed_beside_an_unchanged_code_is_no_change(tmp_path):
    written(tmp_path, [made([year("Turkey", "TUR", 2000, 1.0)]), made([year("Türkiye", "TUR", 2000, 1.0)])])
    assert lines(tmp_path, DAYS[1]) == ["code,entity,period,percent,flag"]


def test_periods_are_written_as_long_as_they_are(tmp_path):
    day = date(2012, 8, 1)
    frame = made([("Mu", None, day, kind, 1.0, None) for kind in ("month", "date")] + [year("Mu", None, 2012, 1.0)])
    rows = written(tmp_path, [frame])
    assert lines(tmp_path)[1:] == [",Mu,2012,1,", ",Mu,2012-08-01,1,", ",Mu,2012-08,1,"]
    ((_, back),) = read_source(tmp_path, rows, SPEC.measures)
    kinds = back.sort("period_kind").select("period_kind", "period_start").rows()
    assert kinds == [("date", day), ("month", day), ("year", date(2012, 1, 1))]
    assert back.sort("line")["line"].to_list() == [2, 3, 4]


def test_a_listed_edition_is_written_whole(tmp_path):
    frame = made([year("Namibia", "NAM", 2000, 1.0)])
    written(tmp_path, [frame, frame], scope="listed")
    assert lines(tmp_path, DAYS[1]) == ["code,entity,period,percent,flag", "NAM,,2000,1,"]


@pytest.mark.parametrize("value", [0.1 + 0.2, 1 / 3, 1e-300, 1e15, 123456789012345678.0, 5e-324, 0.0, 1e22])
def test_a_value_comes_back_to_the_last_bit(tmp_path, value):
    rows = written(tmp_path, [made([year("Mu", None, 2000, value)])])
    ((row, back),) = read_source(tmp_path, rows, SPEC.measures)
    assert back["value"].item() == value
    verify_digest(tmp_path, row, back)


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.fixture
def facts(tmp_path):
    """Founding facts of two editions, and a way to change one of their files and read them as a run does."""
    first = [year("Namibia", "NAM", 2000 + n, 1.5 + n) for n in range(4)] + [year("Mu", None, 2000, 7.5)]
    second = [year("Namibia", "NAM", 2000, 1.25), *first[1:]]
    rows = written(tmp_path, [made(first), made(second)])
    assert [item.frame.height for item in read_founding(SPEC, tmp_path, rows)] == [5, 5]

    class Facts:
        folder = tmp_path

        def read(self):
            return read_founding(SPEC, tmp_path, read_originals(tmp_path))

        def refusal(self):
            with pytest.raises(Refused) as caught:
                self.read()
            return caught.value

    facts = Facts()
    facts.path = file_of(tmp_path, SOURCE, DAYS[0], "users_share")
    return facts


def change(old, new):
    return lambda text: text.replace(old, new)


@pytest.mark.parametrize(
    ("edit", "rule", "rows"),
    [
        (lambda text: b"", "not empty", ()),
        (lambda text: b" \r\n ", "not empty", ()),
        (lambda text: b"<!DOCTYPE html><html></html>", "text", ()),
        (lambda text: b"\n<html lang='en'>", "text", ()),
        (change(b"code,entity", b"code,name"), "columns", ()),
        (change(b"code,entity,period", b"code,entity,year"), "columns", ()),
        (change(b",flag", b",note"), "columns", ()),
        (change(b"percent", b"persons"), "unit", ()),
        (change(b"percent", b"furlongs"), "unit", ()),
        (change(b"percent", b"percent,persons"), "unit", ()),
        (
            change(b"NAM,,2001,2.5,", b"NAM,,2001,2.5,\nNAM,,2001,2.5,"),
            "one row a key",
            ("line 4: NAM, 2001: 2.5", "line 5: NAM, 2001: 2.5"),
        ),
        (change(b"2.5", b"two"), "number in percent", ("line 4: NAM, 2001: two",)),
        (change(b"2.5", b""), "number in percent", ("line 4: NAM, 2001: None",)),
        (change(b"2.5", b"2,5"), "rows", None),
        (change(b",2001,", b",01-2001,"), "period", ("line 4: NAM, 01-2001: 2.5",)),
        (change(b",2001,", b",2001-13,"), "period", ("line 4: NAM, 2001-13: 2.5",)),
        (change(b",2001,", b",,"), "period", ("line 4: NAM, None: 2.5",)),
        (change(b"NAM,,2001", b",,2001"), "entity", ("line 4: None, 2001: 2.5",)),
        (change(b"Mu", "Mü".encode("latin-1")), "rows", ()),
    ],
)  # fmt: skip
def test_a_damaged_file_is_refused(facts, edit, rule, rows):
    facts.path.write_bytes(edit(facts.path.read_bytes()))
    refused = facts.refusal()
    problem = refused.problems[0]
    assert problem.rule == rule
    assert problem.where == str(facts.path)
    assert str(facts.path) in str(refused)
    assert "longwave founding build DIR" in str(refused)
    if rows is not None:
        assert problem.rows == rows


def test_a_missing_file_is_refused(facts):
    facts.path.unlink()
    refused = facts.refusal()
    assert [(problem.rule, problem.where) for problem in refused.problems] == [("file", str(facts.path))]


def test_an_unknown_unit_says_so(facts):
    facts.path.write_text(facts.path.read_text().replace("percent", "furlongs"))
    assert facts.refusal().problems[0].found == "furlongs (no unit the project knows)"


@pytest.mark.parametrize(
    ("old", "new", "rule", "row"),
    [
        ("2.5", "250", "values in range", "line 4: users_share, NAM (NAM), 2001-01-01: 250.0"),
        ("2.5", "inf", "finite values", "line 4: users_share, NAM (NAM), 2001-01-01: inf"),
        ("NAM,,2001", "QQQ,,2001", "known codes", "line 4: users_share, QQQ (QQQ), 2001-01-01: 2.5"),
        (",2001,", ",2031,", "periods in range", "line 4: users_share, NAM (NAM), 2031-01-01: 2.5"),
        ("NAM,,2001", ",Namibia,2000", "one value a key", "line 4: users_share, Namibia, 2000-01-01: 2.5"),
    ],
)
def test_a_row_that_breaks_a_declared_check_is_refused_with_its_line(facts, old, new, rule, row):
    facts.path.write_text(facts.path.read_text().replace(old, new, 1))
    refused = facts.refusal()
    problem = next(problem for problem in refused.problems if problem.rule == rule)
    assert row in problem.rows
    assert f"{SOURCE} 2020-01-01" in str(refused)
    assert "2020-01-01.users_share.csv" in str(refused)


@pytest.mark.parametrize(
    ("old", "new"),
    [("2.5", "2.6"), ("NAM,,2001,2.5,\n", ""), ("NAM,,2001,2.5,", "NAM,,2001,2.5,carried_forward"), (",Mu,", ",Moo,")],
    ids=["a value", "a row less", "a flag", "a name"],
)
def test_rows_that_are_not_those_built_from_the_original_are_refused(facts, old, new):
    facts.path.write_text(facts.path.read_text().replace(old, new))
    (problem,) = facts.refusal().problems
    assert problem.rule == "digest"
    assert problem.where.endswith(f"{DAYS[0]}.*.csv")
    assert "2020-01-01.csv" in problem.expected, "the original that the rows were read from"


def test_a_later_edition_is_refused_by_its_own_name(facts):
    path = file_of(facts.folder, SOURCE, DAYS[1], "users_share")
    path.write_text(path.read_text().replace("1.25", "1.26"))
    (problem,) = facts.refusal().problems
    assert problem.where.endswith(f"{DAYS[1]}.*.csv")


def test_row_order_is_no_damage(facts):
    header, *rows = facts.path.read_text().splitlines()
    facts.path.write_text("\n".join([header, *reversed(rows)]) + "\n")
    assert len(facts.read()) == 2


def test_a_refused_capture_leaves_the_warehouse_as_it_was(facts, made_home):
    held = Held(facts.folder, read_originals(facts.folder), Archive(made_home.archive))
    with Warehouse(made_home) as warehouse:
        done = observe(warehouse, SPEC, held, "first key")
        assert (done.changed, len(done.captures)) == (True, 2)
        assert done.warnings == ["mapped names: Mu", "mapped names: Mu"]
    with Warehouse(made_home) as warehouse:
        assert observe(warehouse, SPEC, held, "first key").changed is False
    counts = "SELECT (SELECT count(*) FROM captures), (SELECT count(*) FROM observation_versions), key FROM steps"
    facts.path.write_text(facts.path.read_text().replace("2.5", "250"))
    with Warehouse(made_home) as warehouse:
        before = warehouse.read(counts).rows()
        assert before == [(2, 6, "first key")]
        with pytest.raises(Refused, match="values in range"):
            observe(warehouse, SPEC, held, "second key")
        assert warehouse.read(counts).rows() == before


# --- originals.csv ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edit", "rule"),
    [
        (lambda text: "", "not empty"),
        (lambda text: "<html></html>", "text"),
        (lambda text: text.replace("sha256", "digest", 1), "columns"),
        (lambda text: text.replace("vintage,", "date,", 1), "columns"),
        (lambda text: text.replace("2020-01-01,", "early 2020,", 1), "vintage"),
    ],
)
def test_a_damaged_list_of_originals_is_refused(facts, edit, rule):
    path = facts.folder / "originals.csv"
    path.write_text(edit(path.read_text()))
    (problem,) = facts.refusal().problems
    assert (problem.rule, problem.where) == (rule, str(path))


def test_a_folder_without_a_list_of_originals_is_refused(tmp_path):
    with pytest.raises(Refused, match=r"originals\.csv"):
        read_originals(tmp_path)


# --- the embedded facts ----------------------------------------------------------------------------------------------


def test_the_embedded_facts_are_small_and_each_of_them_is_listed():
    folder = founding_folder()
    files = [path for path in Path(folder).rglob("*.csv") if path.name != "originals.csv"]
    originals = read_originals(folder)
    listed = {
        file_of(folder, row.source, row.vintage, measure)
        for row in originals
        for measure in ([row.measure] if row.measure else [m.measure for m in SOURCES[row.source].measures])
    } | {file_of(folder, row.source, row.vintage, ATTRIBUTES) for row in originals if SOURCES[row.source].attributes}
    assert set(files) == listed
    assert {row.source for row in originals} <= set(SOURCES)
    assert max(path.stat().st_size for path in files) < 1_500_000
    assert sum(path.stat().st_size for path in files) < 10_000_000
    assert len({row.capture for row in originals}) == len(originals)


def test_the_values_carried_forward_in_the_embedded_facts_are_24_of_113_repeats():
    spec = SOURCES["grapher_technology_adoption"]
    rows = [row for row in read_originals(founding_folder()) if row.source == spec.source]
    ((_, frame),) = read_source(founding_folder(), rows, spec.measures)
    flagged = frame.filter(pl.col("flag") == "carried_forward")
    assert dict(flagged.group_by("entity").len().rows()) == {
        "Computer": 17,
        "Microcomputer": 3,
        "Tablet": 2,
        "Landline": 1,
        "Ebook reader": 1,
    }
    shown = {(entity, day.year): value for entity, day, value in frame.select("entity", "period_start", "value").rows()}
    repeats = [key for key, value in shown.items() if shown.get((key[0], key[1] - 1)) == value]
    assert len(repeats) == 113
    assert {(entity, day.year) for entity, day in flagged.select("entity", "period_start").rows()} <= set(repeats)


def test_a_negative_zero_is_a_zero(tmp_path):
    """Equal numbers have one digest: else an unchanged zero would be no change and another content at once."""
    plus, minus = (made([year("Mu", None, 1700, zero)]) for zero in (0.0, -0.0))
    assert content_digest(named(plus)) == content_digest(named(minus))
    rows = written(tmp_path, [plus, minus], "full")
    for row, back in read_source(tmp_path, rows, SPEC.measures):
        verify_digest(tmp_path, row, back)
    assert content_digest(named(plus)) != content_digest(named(made([year("Mu", None, 1700, 1.0)])))
