"""The merge: whatever order captures arrive in, the versions are those of the sorted captures."""

from datetime import date, datetime

import duckdb
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from longwave.warehouse.store import Warehouse
from longwave.warehouse.tables import TABLES, polars_schema

DAYS = [date(2020, 1, 1), date(2021, 1, 1), date(2022, 1, 1)]
MEASURES = ["share", "users"]
ADOPTERS = ["AAA", "BBB"]
YEARS = [2000, 2001]
CELLS = st.sampled_from([None, None, (1.0, None), (2.0, None), (1.0, "carried_forward")])
SPANS = st.sampled_from([(), (), (None, None), (2000, 2000), (2001, 2001), (None, 2000), (2001, None)])


def day(year):
    return date(year, 1, 1) if year else None


def within(year, span):
    begin, end = span or (None, None)
    return (begin or year) <= year <= (end or year)


@st.composite
def captures(draw, vintages=None):
    """Two to five captures: vintage (they may be equal), scope, and rows inside the scope; absent rows withdraw.

    A scope is of every adopter or of some listed, and of all periods or, for each measure, of a span.
    """
    made = []
    for number in range(draw(st.integers(2, 5))):
        vintage = vintages[number] if vintages else draw(st.sampled_from(DAYS))
        measures = draw(st.sampled_from([["share"], ["users"], MEASURES]))
        listed = draw(st.booleans())
        adopters = draw(st.sampled_from([["AAA"], ["BBB"], ADOPTERS])) if listed else ["*"]
        spans = {measure: draw(SPANS) for measure in measures}
        named = adopters if listed else ADOPTERS
        spoken = [(m, a, y) for m in measures for a in named for y in YEARS if within(y, spans[m])]
        rows = {key: said for key in spoken if (said := draw(CELLS))}
        scope = [(m, a, *map(day, spans[m])) for m in measures for a in adopters]
        made.append((vintage, number, scope, rows))
    return made


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory):
    """The real writer on tables in memory, in a transaction as it is used; every example is a source of its own."""
    writer = Warehouse(None)
    writer.con = duckdb.connect(":memory:")
    for table in TABLES.values():
        writer.con.execute(table.ddl)
    writer.refresh_facts()
    writer.con.execute("BEGIN")
    writer.examples = 0
    yield writer
    writer.con.close()


def fresh_source(warehouse):
    warehouse.examples += 1
    return f"source_{warehouse.examples}"


def put(warehouse, source, capture, now="2026-01-01 00:00:00"):
    vintage, number, scope, rows = capture
    warehouse.now = now
    keyed = [
        (f"{source}/{m}/{a}", m, a, date(y, 1, 1), "year", value, flag) for (m, a, y), (value, flag) in rows.items()
    ]
    names = ["series", "measure", "adopter_key", "period_start", "period_kind", "value", "served_flag"]
    types = [pl.String, pl.String, pl.String, pl.Date, pl.String, pl.Float64, pl.String]
    frame = pl.DataFrame(keyed, schema=dict(zip(names, types, strict=True)), orient="row")
    filler = dict.fromkeys(polars_schema("series"), "x") | {"source": source}
    series = pl.DataFrame(
        [filler | {"series": s, "measure": m, "adopter_key": a} for s, m, a, *_ in keyed],
        schema=polars_schema("series"),
    ).unique("series")
    row = {
        "capture": f"{source}@{vintage}#{number}",
        "source": source,
        "vintage": vintage,
        "vintage_precision": "commit",
        "kind": "re-recorded",
        "url": "",
        "original_bytes": 1,
        "original_sha256": "0" * 64,
        "content_sha256": "0" * 64,
        "reader_version": 1,
        "scope": "full" if scope[0][1] == "*" else "listed",
        "n_rows": frame.height,
    }
    return warehouse.merge_capture(row, scope, series, frame)


def versions(warehouse, source, *columns):
    wanted = columns or ("known_from", "known_to", "value", "served_flag", "capture")
    rows = warehouse.con.execute(
        f"""SELECT s.measure, s.adopter_key, year(v.period_start), {", ".join(f"v.{c}" for c in wanted)}
            FROM observation_versions v JOIN series s USING (series) WHERE s.source = ?
            ORDER BY 1, 2, 3, v.known_from""",
        [source],
    ).fetchall()
    return [tuple(str(value) if type(value) is date else value for value in row) for row in rows]


def speaks_of(scope, key):
    measure, adopter, year = key
    return any(
        m == measure and a in ("*", adopter) and within(year, [d and d.year for d in span]) for m, a, *span in scope
    )


def expected(source, made):
    """What the versions must be, by a second method: one key at a time, in plain Python."""
    result = []
    for key in [(m, a, y) for m in MEASURES for a in ADOPTERS for y in YEARS]:
        standing, said_so_far = None, []
        for vintage, number, scope, rows in sorted(made, key=lambda c: c[:2]):
            said = rows.get(key)
            if not speaks_of(scope, key) or (standing and standing[1] == said):
                continue
            if standing and standing[0] < vintage:
                said_so_far.append((standing[0], vintage, *standing[1], standing[2]))
            standing = (vintage, said, f"{source}@{vintage}#{number}") if said else None
        if standing:
            said_so_far.append((standing[0], date.max, *standing[1], standing[2]))
        result += [(*key, str(begin), str(end), *rest) for begin, end, *rest in said_so_far]
    return result


def arrive(warehouse, made, order):
    source = fresh_source(warehouse)
    for index in order:
        put(warehouse, source, made[index])
    return source


def in_order(made):
    return sorted(range(len(made)), key=lambda i: made[i][:2])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=captures(), data=st.data())
def test_any_order_of_arrival_gives_the_versions_of_the_sorted_captures(warehouse, made, data):
    order = data.draw(st.permutations(range(len(made))))
    source = arrive(warehouse, made, order)
    found = versions(warehouse, source)
    assert found == expected(source, made)
    con = warehouse.con
    own = "FROM observation_versions v JOIN series s USING (series) WHERE s.source = ?"
    assert con.execute(f"SELECT count(*) {own} AND known_from >= known_to", [source]).fetchall() == [(0,)]
    last = "SELECT v.known_to = 'infinity' AS open, v.known_to, lead(v.known_from) OVER w AS next"
    window = "WINDOW w AS (PARTITION BY v.series, v.period_start, v.period_kind ORDER BY v.known_from)"
    broken = con.execute(f"SELECT count(*) FROM ({last} {own} {window}) WHERE known_to > next", [source]).fetchall()
    assert broken == [(0,)], "versions of one key never overlap"
    open_ends = con.execute(
        f"SELECT count(*) FROM ({last} {own} {window}) WHERE NOT open AND known_to NOT IN "
        "(SELECT vintage FROM captures WHERE source = ?)",
        [source, source],
    ).fetchall()
    assert open_ends == [(0,)], "a version is open until infinity or closed by a vintage"


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=captures(vintages=[date(2020 + n, 1, 1) for n in range(5)]), data=st.data())
def test_counts_of_every_capture_do_not_depend_on_the_order_of_arrival(warehouse, made, data):
    order = data.draw(st.permutations(range(len(made))))
    counts = "SELECT n_added, n_revised, n_withdrawn FROM captures WHERE source = ? ORDER BY vintage"
    sources = [arrive(warehouse, made, in_order(made)), arrive(warehouse, made, order)]
    first, second = [warehouse.con.execute(counts, [source]).fetchall() for source in sources]
    assert first == second


def expected_revisions(source, made):
    """Changes between what was observed after one vintage and after the next, one key at a time, in plain Python."""
    found = []
    for key in [(m, a, y) for m in MEASURES for a in ADOPTERS for y in YEARS]:
        spoken = [(vintage, rows.get(key)) for vintage, _, scope, rows in sorted(made, key=lambda c: c[:2])
                  if speaks_of(scope, key)]  # fmt: skip
        last = dict(spoken)
        before, known = None, False
        for nth, (vintage, said) in enumerate(last.items()):
            value = said[0] if said and not said[1] else None
            if nth and value != before:
                change = "withdrawn" if value is None else "revised" if before is not None else "added"
                if change == "added" and known:
                    change = "restored"
                found.append((*key, str(vintage), before, value, change))
            before, known = value, known or value is not None
    return sorted(found, key=str)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=captures(), data=st.data())
def test_the_revisions_are_the_differences_between_one_vintage_and_the_next(warehouse, made, data):
    source = arrive(warehouse, made, data.draw(st.permutations(range(len(made)))))
    rows = warehouse.con.execute(
        """SELECT r.measure, s.adopter_key, r.year, r.revised_on, r.value_before, r.value, r.change, r.capture
           FROM revisions r JOIN series s USING (series) WHERE r.source = ?""",
        [source],
    ).fetchall()
    found = [tuple(str(value) if type(value) is date else value for value in row) for row in rows]
    assert sorted([row[:-1] for row in found], key=str) == expected_revisions(source, made)
    spoke = {f"{source}@{vintage}#{number}": (str(vintage), scope) for vintage, number, scope, _ in made}
    for *key, revised_on, _, _, _, capture in found:
        vintage, scope = spoke[capture]
        assert vintage == revised_on, "the capture a revision names is of the vintage that made it"
        assert speaks_of(scope, tuple(key)), "and spoke of it"


KEY = ("share", "AAA", 2000)
ALL = [("share", "*")]


def test_two_captures_of_one_vintage_keep_whose_value_it_was_when_a_third_comes_late(warehouse):
    """What the earlier of the two said was replaced by the later: reading it back must not put words in its mouth."""
    made = [
        (DAYS[1], 0, ALL, {KEY: (1.0, None)}),
        (DAYS[1], 1, ALL, {KEY: (2.0, None)}),
        (DAYS[0], 2, ALL, {KEY: (1.0, None)}),
    ]
    source = arrive(warehouse, made, [0, 1, 2])
    assert versions(warehouse, source, "known_from", "known_to", "value", "capture") == [
        (*KEY, "2020-01-01", "2021-01-01", 1.0, f"{source}@2020-01-01#2"),
        (*KEY, "2021-01-01", "9999-12-31", 2.0, f"{source}@2021-01-01#1"),
    ]


def test_a_value_changed_and_changed_back_in_one_vintage_is_no_revision(warehouse):
    made = [
        (DAYS[0], 0, ALL, {KEY: (1.0, None)}),
        (DAYS[1], 1, ALL, {KEY: (2.0, None)}),
        (DAYS[1], 2, ALL, {KEY: (1.0, None)}),
    ]
    source = arrive(warehouse, made, [0, 1, 2])
    assert [row[-1] for row in versions(warehouse, source, "value")] == [1.0, 1.0]
    assert warehouse.con.execute("SELECT * FROM revisions WHERE source = ?", [source]).fetchall() == []


def test_a_withdrawn_value_that_returns_leaves_a_gap(warehouse):
    made = [(DAYS[0], 0, ALL, {KEY: (1.0, None)}), (DAYS[1], 1, ALL, {}), (DAYS[2], 2, ALL, {KEY: (1.0, None)})]
    source = arrive(warehouse, made, [2, 0, 1])
    assert versions(warehouse, source, "known_from", "known_to", "value") == [
        (*KEY, "2020-01-01", "2021-01-01", 1.0),
        (*KEY, "2022-01-01", "9999-12-31", 1.0),
    ]
    ends = "SELECT v.known_to = 'infinity' FROM observation_versions v JOIN series s USING (series)"
    is_open = warehouse.con.execute(f"{ends} WHERE s.source = ? ORDER BY v.known_from", [source]).fetchall()
    assert is_open == [(False,), (True,)]


def test_a_listed_capture_withdraws_only_what_it_lists(warehouse):
    other = ("share", "BBB", 2000)
    made = [
        (DAYS[0], 0, ALL, {KEY: (1.0, None), other: (1.0, None), ("share", "AAA", 2001): (2.0, None)}),
        (DAYS[1], 1, [("share", "AAA")], {("share", "AAA", 2001): (2.0, None)}),
    ]
    source = arrive(warehouse, made, [0, 1])
    assert versions(warehouse, source, "known_to") == [
        (*KEY, "2021-01-01"),
        ("share", "AAA", 2001, "9999-12-31"),
        (*other, "9999-12-31"),
    ]


def test_a_capture_of_a_span_withdraws_only_inside_it(warehouse):
    years = {("share", "AAA", year): (float(year), None) for year in (1999, 2000, 2001, 2002)}
    span = [("share", "*", day(2000), day(2001))]
    made = [(DAYS[0], 0, ALL, years), (DAYS[1], 1, span, {("share", "AAA", 2001): (1.0, None)})]
    ends = [("1999", "9999-12-31"), ("2000", "2021-01-01"), ("2001", "2021-01-01"), ("2001", "9999-12-31")]
    for order in ([0, 1], [1, 0]):
        found = versions(warehouse, arrive(warehouse, made, order), "known_to")
        assert [(str(year), end) for _, _, year, end in found] == [*ends, ("2002", "9999-12-31")]


@pytest.mark.parametrize(
    ("scope", "outside"),
    [
        ([("users", "*")], "share/AAA, 2000-01-01 to 2001-01-01"),
        ([("share", "BBB")], "share/AAA, "),
        ([("share", "*", day(2001), None)], "2000-01-01 to 2001-01-01"),
        ([("share", "*", None, day(2000))], "2000-01-01 to 2001-01-01"),
    ],
    ids=["another measure", "another adopter", "before the span", "after the span"],
)
def test_rows_outside_the_scope_are_refused(warehouse, scope, outside):
    """Merged, a key that is not spoken of would have two open versions."""
    source = fresh_source(warehouse)
    rows = {KEY: (1.0, None), ("share", "AAA", 2001): (1.0, None)}
    with pytest.raises(ValueError, match=f"rows outside the scope it declares: .*{outside}"):
        put(warehouse, source, (DAYS[0], 0, scope, rows))
    assert versions(warehouse, source) == []


@pytest.mark.parametrize(
    ("scope", "what"),
    [
        ([("share", "*", day(2001), day(2000))], "a span ends before it begins"),
        ([("share", "*"), ("share", "AAA", day(2000), None)], "an adopter stands beside"),
    ],
)
def test_a_scope_that_contradicts_itself_is_refused(warehouse, scope, what):
    with pytest.raises(ValueError, match=what):
        put(warehouse, fresh_source(warehouse), (DAYS[0], 0, scope, {}))


def test_a_late_capture_of_another_measure_leaves_the_later_ones_alone(warehouse):
    """Measures that publishers serve apart arrive in any order: only those of one measure rest on each other."""
    source = fresh_source(warehouse)
    warehouse.con.execute("CREATE OR REPLACE TEMP TABLE statements AS SELECT 'nobody' AS said_by")
    put(warehouse, source, (DAYS[2], 0, ALL, {KEY: (1.0, None)}))
    put(warehouse, source, (DAYS[0], 1, [("users", "*")], {("users", "AAA", 2000): (7.0, None)}))
    assert versions(warehouse, source, "known_from", "value") == [
        (*KEY, "2022-01-01", 1.0),
        ("users", "AAA", 2000, "2020-01-01", 7.0),
    ]
    replayed = warehouse.con.execute("SELECT DISTINCT said_by FROM statements").fetchall()
    assert replayed == [("nobody",)], "nothing was read back and replayed"


def test_counts_say_what_changed_against_the_vintage_before(warehouse):
    source = fresh_source(warehouse)
    later = ("share", "AAA", 2001)
    first = put(warehouse, source, (DAYS[0], 0, ALL, {KEY: (1.0, None), ("share", "BBB", 2000): (5.0, None)}))
    second = put(warehouse, source, (DAYS[1], 1, ALL, {KEY: (2.0, None), later: (3.0, None)}))
    assert (first.added, first.revised, first.withdrawn, first.changed) == (2, 0, 0, 2)
    assert (second.added, second.revised, second.withdrawn, second.changed) == (1, 1, 1, 3)


def recorded(warehouse, source):
    return [row[-1] for row in versions(warehouse, source, "recorded_at")]


def test_a_version_that_comes_out_of_a_rebuild_as_it_was_keeps_its_time(warehouse):
    source = fresh_source(warehouse)
    put(warehouse, source, (DAYS[0], 0, ALL, {KEY: (1.0, None)}), now="2026-01-01 00:00:00")
    put(warehouse, source, (DAYS[2], 2, ALL, {KEY: (3.0, None)}), now="2026-02-02 00:00:00")
    put(warehouse, source, (DAYS[1], 1, ALL, {KEY: (2.0, None)}), now="2026-03-03 00:00:00")
    assert recorded(warehouse, source) == [datetime(2026, 1, 1), datetime(2026, 3, 3), datetime(2026, 2, 2)]


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
def test_a_source_forgotten_and_merged_again_keeps_its_times(warehouse, order):
    """In any order: captures of one vintage are read in order of file, and stand in order of digest."""
    source = fresh_source(warehouse)
    other = ("users", "AAA", 2000)
    made = [
        (DAYS[0], 0, ALL, {KEY: (1.0, None)}),
        (DAYS[0], 1, [("users", "*")], {other: (7.0, None)}),
        (DAYS[1], 2, ALL, {KEY: (2.0, None)}),
    ]
    for capture in made:
        put(warehouse, source, capture, now="2026-01-01 00:00:00")
    before = versions(warehouse, source, "known_from", "known_to", "value", "capture", "recorded_at")
    warehouse.forget_source(source)
    assert versions(warehouse, source) == []
    for index in order:
        put(warehouse, source, made[index], now="2026-09-09 00:00:00")
    warehouse.settle_source()
    assert versions(warehouse, source, "known_from", "known_to", "value", "capture", "recorded_at") == before
