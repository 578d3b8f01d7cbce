"""From a request to the warehouse, over a loopback mirror: what is archived, accepted, refused, and that nothing is lost.

The table of faults is here: each with what comes of it, yesterday's figures as they were, and an archive that verifies.
"""

import gzip
from dataclasses import replace
from datetime import date

import made_world as made
import pytest
from longwave.pipelines.sources import SOURCES
from longwave.warehouse.archive import Archive
from longwave.warehouse.store import reader

GOOD, PLACES, SPEC, URL, table = made.GOOD, made.PLACES, made.SPEC, made.URL, made.table


@pytest.fixture
def world(made_home, server, fetcher, tmp_path, monkeypatch):
    monkeypatch.setitem(SOURCES, "made", SPEC)
    return made.World(made_home, server, fetcher, made.empty_founding(tmp_path / "founding"))


# --- what goes well


def test_a_first_answer_is_archived_and_observed(world):
    world.serve(GOOD)
    found = world.refresh()
    assert (found.outcome, found.added, found.requests) == ("changed", 96, 1)
    assert world.values()[("NAM", 2015)] == 11.5
    (answer,) = world.answers()
    assert (answer.status, answer.vintage, answer.vintage_precision) == ("accepted", date(2025, 3, 2), "download")
    response = next(r for r in world.records("response"))
    assert answer.parts == {"data": response.record}
    assert Archive(world.home.archive).payload(response) == GOOD.encode()
    assert (response.licence, response.peer) == ("CC0 1.0", "127.0.0.1")


def test_every_observation_points_to_its_bytes(world):
    world.serve(GOOD)
    world.refresh()
    with reader(world.home) as con:
        rows = con.execute(
            """SELECT DISTINCT r.url FROM observations_as_of(DATE '9999-12-31') o
               JOIN answers a ON a.answer = o.capture
               JOIN archive_records r ON r.record = json_extract_string(a.parts, '$.data')"""
        ).fetchall()
    assert rows == [(URL,)]


@pytest.mark.parametrize("conditional", [True, False], ids=["304", "same bytes"])
def test_a_second_refresh_says_unchanged_and_stores_a_revisit(world, reply, conditional):
    world.serve(reply(GOOD, etag='"one"' if conditional else None))
    world.refresh()
    before, stored = world.tables(), world.records()
    found = world.refresh(30)
    assert (found.outcome, found.added, found.revised) == ("unchanged", 0, 0)
    assert world.tables() == before
    assert [r.record_type for r in world.records()[len(stored) :]] == ["revisit", "request"]
    assert [a.status for a in world.answers()] == ["accepted", "repeated"]
    if conditional:
        assert world.server.asked[-1].headers["if-none-match"] == '"one"'


def shuffled(rows):
    return rows[::-1]


def reworded(rows):
    return [[entity, code, year, f"{float(share):.3f}"] for entity, code, year, share in rows]


@pytest.mark.parametrize("change", [shuffled, reworded], ids=["row order", "number format"])
def test_another_form_of_the_same_figures_is_no_change(world, change):
    world.serve(GOOD)
    world.refresh()
    before = world.tables()
    world.serve(table(change))
    assert world.refresh().outcome == "unchanged"
    assert world.tables() == before
    assert [a.status for a in world.answers()] == ["accepted", "repeated"]


def test_columns_in_another_order_are_no_change(world):
    world.serve(GOOD)
    world.refresh()
    before = world.tables()
    world.serve(table(lambda rows: [[r[2], r[3], r[1], r[0]] for r in rows], header="Year,Share,Code,Entity"))
    assert world.refresh().outcome == "unchanged"
    assert world.tables() == before


def test_compressed_bytes_are_kept_as_served(world, reply):
    world.serve(reply(GOOD, gzip=True))
    assert world.refresh().outcome == "changed"
    (response,) = world.records("response")
    assert response.body_bytes == len(gzip.compress(GOOD.encode(), mtime=0))
    assert response.payload_bytes == len(GOOD)


def one_revised(rows):
    return [[e, c, y, "16.8" if (c, y) == ("IRQ", "2015") else s] for e, c, y, s in rows]


def test_only_what_changed_gets_a_new_version(world):
    world.serve(GOOD)
    world.refresh()
    world.serve(table(one_revised))
    found = world.refresh(10)
    assert (found.outcome, found.added, found.revised, found.withdrawn) == ("changed", 0, 1, 0)
    with reader(world.home, as_of="2025-03-05") as con:
        early = con.execute("SELECT value FROM observations WHERE code = 'IRQ' AND year = 2015").fetchall()
    assert (early, world.values()[("IRQ", 2015)]) == ([(8.5,)], 16.8)


def test_a_publishers_own_date_is_the_vintage(world, monkeypatch):
    monkeypatch.setitem(SOURCES, "made", replace(SPEC, dated=lambda _: date(2024, 11, 5)))
    world.serve(GOOD)
    world.refresh()
    (answer,) = world.answers()
    assert (answer.vintage, answer.vintage_precision) == (date(2024, 11, 5), "publisher")


def test_figures_changed_under_an_unchanged_date_are_dated_by_the_day_served(world, monkeypatch):
    monkeypatch.setitem(SOURCES, "made", replace(SPEC, dated=lambda _: date(2024, 11, 5)))
    world.serve(GOOD)
    world.refresh()
    world.serve(table(one_revised))
    assert world.refresh(10).revised == 1
    assert [(str(a.vintage), a.vintage_precision) for a in world.answers()] == [
        ("2024-11-05", "publisher"),
        ("2025-03-12", "download"),
    ]


def test_a_date_after_the_day_served_is_not_believed(world, monkeypatch):
    monkeypatch.setitem(SOURCES, "made", replace(SPEC, dated=lambda _: date(2031, 1, 1)))
    world.serve(GOOD)
    world.refresh()
    assert [str(a.vintage) for a in world.answers()] == ["2025-03-02"]


# --- what goes wrong: the reply on the second day, what comes of it, and the words that say why


def times_hundred(rows):
    return [[e, c, y, f"{float(s) / 100:.4f}"] for e, c, y, s in rows]


def half(rows):
    return [row for row in rows if row[1] in PLACES[:8]]


def doubled_rows(rows):
    return [*rows, rows[0]]


def one(share):
    return lambda rows: [[e, c, y, share if (c, y) == ("IRQ", "2015") else s] for e, c, y, s in rows]


def long_year(rows):
    return [[e, c, "20233" if (c, y) == ("IRQ", "2020") else y, s] for e, c, y, s in rows]


def stranger(rows):
    return [*rows, ["Atlantis", "ATX", "2019", "50"]]


REFUSED = {
    "an HTML page": ("<!doctype html><html><body>Sorry, an error occurred</body></html>", "HTML page"),
    "a bot challenge": (
        "<!doctype html><html><title>Just a moment...</title><div class='cf-chl'></div></html>",
        "challenge",
    ),
    "nothing": ("", "empty"),
    "a header alone": ("Entity,Code,Year,Share\n", "not empty"),
    "a column renamed": (table(header="Entity,Code,Year,Value"), "columns"),
    "a column missing": (table(lambda rows: [r[:3] for r in rows], header="Entity,Code,Year"), "columns"),
    "a column twice": (
        table(lambda rows: [[*r, r[3]] for r in rows], header="Entity,Code,Year,Share,Share"),
        "columns",
    ),
    "semicolons": (table(separator=";", header="Entity;Code;Year;Share"), "columns"),
    "decimal commas": (table(lambda rows: [[*r[:3], f'"{r[3].replace(".", ",")}"'] for r in rows]), "numbers in Share"),
    "NUL bytes": (GOOD.encode() + b"\x00\x00", "NUL"),
    "Latin-1": (table(lambda rows: [["Åland", *r[1:]] for r in rows]).encode("latin-1"), "UTF-8"),
    "rows twice": (table(doubled_rows), "one value a key"),
    "figures divided by 100": (table(times_hundred), "magnitude"),
    "a share under 0": (table(one("-3")), "values in range"),
    "104 % of people": (table(one("104")), "values in range"),
    "a figure times 100": (table(one("850")), "values in range"),
    "a year 20233": (table(long_year), "numbers in Year"),
    "a year 2202": (
        table(lambda rows: [[e, c, y.replace("2020", "2202"), s] for e, c, y, s in rows]),
        "periods in range",
    ),
    "a year 300000": (table(lambda rows: [[e, c, "300000", s] for e, c, y, s in rows]), "numbers in Year"),
    "a place nobody knows": (table(stranger), "known codes"),
    "half the countries": (table(half), "places kept"),
    "the last figure cut": (GOOD[:-2], "whole ending"),
    "cut in the middle of a row": (GOOD[: GOOD.rindex("IRQ,2019")], "fields a row"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_fault_in_the_answer_is_refused_and_kept(world, fault):
    world.serve(GOOD)
    world.refresh()
    before, values = world.tables(), world.values()
    body, said = REFUSED[fault]
    world.serve(body)
    found = world.refresh(30)
    assert found.outcome == "refused"
    assert said in found.refused[0]
    assert world.tables() == before
    assert world.values() == values
    last = world.answers()[-1]
    assert last.status == "refused"
    assert found.refused[0].startswith(f"{last.answer}: {last.why.partition(';')[0].partition(' (')[0][:40]}")
    # The rows at fault are told to whoever ran it; what is kept for the pages has none.
    assert "IRQ" not in last.why
    # The archive keeps what was refused.
    response = world.records("response")[-1]
    assert Archive(world.home.archive).payload(response) == (body if isinstance(body, bytes) else body.encode())
    # The same again is refused again; the figures come back with the answer.
    assert world.refresh().outcome == "refused"
    world.serve(GOOD)
    assert world.refresh().outcome == "unchanged"


TOLERATED = {
    "a byte order mark": b"\xef\xbb\xbf" + GOOD.encode(),
    "CRLF": table(end="\r\n"),
    "no end of line at the end": GOOD[:-1],
}


@pytest.mark.parametrize("form", TOLERATED)
def test_a_form_that_is_no_fault_is_read(world, form):
    world.serve(GOOD)
    world.refresh()
    world.serve(TOLERATED[form])
    assert world.refresh().outcome == "unchanged"


def test_a_place_without_a_code_is_kept_unmapped_and_warned_of(world):
    world.serve(table(lambda rows: [*rows, ["Atlantis", "", "2019", "50"]]))
    found = world.refresh()
    assert found.outcome == "changed"
    assert any("Atlantis" in line for line in found.warnings)


def test_one_figure_times_ten_is_a_recorded_warning(world):
    world.serve(GOOD)
    world.refresh()
    world.serve(table(one("85")))
    found = world.refresh()
    assert found.outcome == "changed"
    assert any("magnitude" in line for line in found.warnings)


FAILED = {
    "500": ({"body": "broken", "status": 500}, "500"),
    "404": ({"body": "gone", "status": 404}, "404"),
    "429 with seconds": ({"status": 429, "headers": {"Retry-After": "7200"}}, "429"),
    "429 with a date": ({"status": 429, "headers": {"Retry-After": "Wed, 21 Oct 2099 07:28:00 GMT"}}, "429"),
    "cut by a hang-up": ({"body": GOOD, "cut": 200}, "cut short"),
    "a longer length promised": ({"body": GOOD, "length": len(GOOD) + 10}, "cut short"),
    "chunked garbage": (
        {"raw": b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello"},
        "",
    ),
    "slow to begin": ({"body": GOOD, "delay": 4}, "nothing came"),
    "to another host": (
        {"status": 302, "headers": {"Location": "https://elsewhere.example.org/made.csv"}},
        "elsewhere",
    ),
    "to a private address": ({"status": 302, "headers": {"Location": "https://10.0.0.1/made.csv"}}, "10.0.0.1"),
    "to a file": ({"status": 302, "headers": {"Location": "file:///etc/passwd"}}, "file"),
    "to itself": ({"status": 302, "headers": {"Location": URL}}, "redirect"),
    "a gzip bomb": ({"raw": None}, "unpack"),
}


@pytest.mark.parametrize("fault", FAILED)
def test_a_fault_on_the_way_fails_and_leaves_everything(world, reply, quick, fault):
    world.serve(GOOD)
    world.refresh()
    before, stored = world.tables(), world.records("response")
    given, said = FAILED[fault]
    limits = replace(quick, attempts=2, read_seconds=0.5, max_payload=2**20)
    bomb = reply(gzip.compress(b"0" * 2**24), headers={"Content-Encoding": "gzip"})
    world.serve(bomb if fault == "a gzip bomb" else reply(**given))
    found = world.refresh(30, limits=limits)
    assert found.outcome == "failed"
    assert said in found.failures[0]
    assert URL in found.failures[0]
    assert world.tables() == before
    assert world.records("response") == stored
    world.serve(GOOD)
    assert world.refresh().outcome == "unchanged"


def test_robots_txt_is_obeyed(world, reply):
    world.serve(GOOD)
    world.serve(
        reply("User-agent: *\nDisallow: /made.csv\n", type="text/plain"), url="https://figures.example.org/robots.txt"
    )
    found = world.refresh()
    assert found.outcome == "failed"
    assert "robots.txt" in found.failures[0]
    assert world.records() == []
