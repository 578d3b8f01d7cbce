"""What is held decides, not the order it came in: vintages go forward, a refusal stays one, an acceptance holds for its bytes."""

import itertools
import json
from dataclasses import replace
from datetime import date
from functools import partial

import made_world as made
import polars as pl
import pytest
from longwave.pipelines import wayback
from longwave.pipelines.capture import accept, recover
from longwave.pipelines.observe import Held, observe
from longwave.pipelines.refresh import recover_vintages, refresh_source
from longwave.pipelines.sources import SOURCES
from longwave.pipelines.sources._spec import Endpoint, Part
from longwave.warehouse.archive import Archive
from longwave.warehouse.export import catalogue
from longwave.warehouse.store import Warehouse, reader

PLACES, SPEC, URL = made.PLACES, made.SPEC, made.URL
table = partial(made.table, first=2008)
GOOD = table()
HALF = table(lambda rows: [row for row in rows if row[1] in PLACES[:8]])


@pytest.fixture
def world(made_home, server, fetcher, tmp_path, monkeypatch):
    monkeypatch.setitem(SOURCES, "made", SPEC)
    return made.World(made_home, server, fetcher, made.empty_founding(tmp_path / "founding"))


def iraq(share):
    return table(lambda rows: [[e, c, y, share if (c, y) == ("IRQ", "2008") else s] for e, c, y, s in rows])


def observed(world, key=None):
    held = Held(world.founding, [], Archive(world.home.archive))
    with Warehouse(world.home) as warehouse:
        if key:
            return observe(warehouse, SOURCES["made"], held, key)
        return refresh_source(warehouse, SOURCES["made"], held, None)[0]


def recovered(world, captures):
    """Recover captures of a web archive, by their 14-digit time, and observe them."""
    rows = [["timestamp"], *[[stamp] for stamp in captures]]
    world.server.routes["/web.archive.org/cdx/search/cdx"] = json.dumps(rows)
    for stamp, body in captures.items():
        world.serve(body, url=f"https://web.archive.org/web/{stamp}id_/{URL}")
    span = wayback.Years(2012, 2030)
    captured = recover_vintages(world.home, SOURCES["made"], world.fetcher(), span, lambda _: None)
    outcome = observed(world)
    outcome.add(captured)
    return outcome


def now(world):
    return world.values()[("IRQ", 2008)]


def stating(monkeypatch, days):
    """The source states a date in a file of its own form: the share of Iraq tells which."""
    shown = {share: date.fromisoformat(day) for share, day in days.items()}

    def dated(original):
        rows = pl.read_csv(original.data, infer_schema=False)
        return shown.get(rows.filter(pl.col("Code") == "IRQ", pl.col("Year") == "2008")["Share"][0])

    monkeypatch.setitem(SOURCES, "made", replace(SPEC, dated=dated))


# --- vintages go forward


def test_what_is_served_later_never_stands_behind_what_was_served_before(world, monkeypatch):
    """The second answer bears the first one's date, the third a date between that and the day the second was served."""
    stating(monkeypatch, {"10": "2025-02-01", "20": "2025-02-01", "30": "2025-03-08"})
    for share, days in (("10", 1), ("20", 10), ("30", 10)):
        world.serve(iraq(share))
        assert world.refresh(days).outcome == "changed"
        assert now(world) == float(share)
    assert [(str(a.vintage), a.vintage_precision) for a in world.answers()] == [
        ("2025-02-01", "publisher"),
        ("2025-03-12", "download"),
        ("2025-03-22", "download"),
    ]


def test_a_publishers_date_that_steps_back_hides_no_figure(world, monkeypatch):
    stating(monkeypatch, {"10": "2025-02-01", "20": "2024-06-01"})
    world.serve(iraq("10"))
    world.refresh()
    world.serve(iraq("20"))
    assert world.refresh(10).revised == 1
    assert now(world) == 20
    assert world.refresh(10).outcome == "unchanged"


@pytest.mark.parametrize("live_first", [True, False])
def test_one_date_on_two_answers_goes_by_when_they_were_served(world, monkeypatch, live_first):
    stating(monkeypatch, {"58": "2018-01-15", "16.8": "2018-01-15"})
    world.serve(iraq("16.8"))
    steps = [lambda: world.refresh(), lambda: recovered(world, {"20180601120000": iraq("58")})]
    for step in steps if live_first else reversed(steps):
        step()
    assert now(world) == 16.8
    assert [(str(a.vintage), a.vintage_precision) for a in world.answers()] == [
        ("2018-01-15", "publisher"),
        ("2025-03-02", "download"),
    ]
    with reader(world.home, as_of="2020-01-01") as con:
        assert con.execute("SELECT value FROM observations WHERE code = 'IRQ' AND year = 2008").fetchall() == [(58,)]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=lambda order: "".join(map(str, order)))
def test_a_refused_answer_is_refused_in_whatever_order_it_arrives(world, order):
    captures = {"20140601120000": GOOD, "20160601120000": HALF, "20180601120000": iraq("16.8")}
    for nth in order:
        stamp = list(captures)[nth]
        recovered(world, {stamp: captures[stamp]})
    assert [a.status for a in world.answers()] == ["accepted", "refused", "accepted"]
    assert len(world.values()) == 96
    assert (now(world), len([a for a in world.answers() if a.status == "refused"])) == (16.8, 1)
    standing = world.tables()
    observed(world, "another key")
    assert world.tables() == standing


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=lambda order: "".join(map(str, order)))
def test_what_a_late_answer_explains_is_no_loss_in_any_order(world, order):
    """From 16 countries to 14 is too many lost at once; with 15 in between, neither step is."""
    captures = {
        "20140601120000": GOOD,
        "20160601120000": table(lambda rows: [row for row in rows if row[1] in PLACES[:15]]),
        "20180601120000": table(lambda rows: [row for row in rows if row[1] in PLACES[:14]]),
    }
    for nth in order:
        stamp = list(captures)[nth]
        recovered(world, {stamp: captures[stamp]})
    assert [a.status for a in world.answers()] == ["accepted", "accepted", "accepted"]
    assert len(world.values()) == 14 * 6


# --- the archive alone makes it again


def test_an_answer_that_repeated_and_then_counted_is_in_the_archive_too(world):
    recovered(world, {"20140601120000": iraq("58"), "20180601120000": iraq("58")})
    assert [a.status for a in world.answers()] == ["accepted", "repeated"]
    recovered(world, {"20160601120000": iraq("16.8")})
    assert [a.status for a in world.answers()] == ["accepted", "accepted", "accepted"]
    wanted = world.tables()
    world.home.warehouse.unlink()
    with Warehouse(world.home) as warehouse:
        recover(warehouse, Archive(world.home.archive))
    observed(world)
    assert (now(world), world.tables()) == (58, wanted)


def test_a_second_refresh_stores_no_manifest(world):
    world.serve(GOOD)
    world.refresh()
    world.refresh(30)
    assert len(world.records("metadata")) == 1


# --- a refusal stays one


def test_a_refusal_stands_until_something_better_is_served(world):
    world.serve(GOOD)
    world.refresh()
    world.serve(HALF)
    assert world.refresh().outcome == "refused"
    # The main job asks nobody: it must not turn the check green.
    again = observed(world)
    assert again.outcome == "refused"
    assert "places kept" in again.refused[0]
    world.serve(GOOD)
    assert world.refresh().outcome == "unchanged"
    assert observed(world).outcome == "unchanged"


def test_an_acceptance_holds_for_the_same_bytes_whenever_served(world):
    world.serve(GOOD)
    world.refresh()
    world.serve(HALF)
    world.refresh()
    world.refresh()
    first = next(a for a in world.answers() if a.status == "refused")
    accept(world.home, first.answer, "the publisher dropped them", made.FIRST)
    assert (observed(world).outcome, len(world.values())) == ("changed", 48)
    assert world.refresh().outcome == "unchanged"
    assert [a.status for a in world.answers()] == ["accepted", "accepted", "repeated", "repeated"]


def test_unchanged_bytes_are_guarded_as_they_were(world, monkeypatch, reply):
    """Refused by its media type; then the table is 304 and only the metadata new."""
    parts = (Part("data", URL, "csv"), Part("metadata", f"{URL}.json", "json"))
    monkeypatch.setitem(SOURCES, "made", replace(SPEC, endpoints=(Endpoint(parts),)))
    world.serve(reply(GOOD, type="application/pdf", etag='"1"'))
    world.serve(reply("{}", type="application/json"), url=f"{URL}.json")
    assert world.refresh().outcome == "refused"
    world.serve(reply('{"renewed": 1}', type="application/json"), url=f"{URL}.json")
    found = world.refresh()
    assert found.outcome == "refused"
    assert "media type" in found.refused[0]


def test_a_page_from_the_web_archive_is_told_as_refused(world):
    outcome = recovered(world, {"20140601120000": GOOD, "20150601120000": "<!doctype html><html>Sorry</html>"})
    assert outcome.outcome == "refused"
    assert "HTML page" in outcome.refused[0]
    assert len(world.values()) == 96


# --- no answer stops the others


class Unforeseen(Exception):
    """What no reader expects."""


def test_a_reader_that_breaks_refuses_the_answer_and_reads_the_next(world, monkeypatch):
    def read(spec, original):
        if b"IRQ,IRQ,2008,99" in original.data:
            raise Unforeseen("no such case")
        return made.read(spec, original)

    monkeypatch.setitem(SOURCES, "made", replace(SPEC, reader=read, dated=lambda o: 1 / 0))
    world.serve(iraq("99"))
    found = world.refresh()
    assert found.outcome == "refused"
    assert "Unforeseen: no such case" in found.refused[0]
    world.serve(GOOD)
    assert (world.refresh().outcome, len(world.values())) == ("changed", 96)


def test_an_empty_page_is_refused_by_a_reader_of_pages(world, reply):
    url = SOURCES["wikipedia_youtube"].endpoints[0].parts[0].url
    world.serve(reply("<!doctype html></html>", type="text/html"), url=url)
    assert world.refresh(sources=["wikipedia_youtube"]).outcome == "refused"


def test_an_address_that_moves_and_keeps_its_etag_is_asked_again_in_full(world, reply):
    world.serve(reply(GOOD, etag='"1"'))
    world.refresh()
    moved = "https://figures.example.org/moved.csv"
    world.serve(reply(status=301, headers={"Location": moved}))
    world.serve(reply(GOOD, etag='"1"'), url=moved)
    assert world.refresh().outcome == "unchanged"
    assert "if-none-match" not in world.server.asked[-1].headers
    world.serve(reply(iraq("16.8"), etag='"2"'), url=moved)
    assert world.refresh().revised == 1


def test_the_ending_of_every_part_is_compared(world, monkeypatch):
    """The figures are in the second part; it is cut inside the last one."""

    def read(spec, original):
        return made.read(spec, replace(original, data=original.parts["values"]))

    parts = (Part("data", URL, "csv"), Part("values", f"{URL}.values", "csv"))
    monkeypatch.setitem(SOURCES, "made", replace(SPEC, endpoints=(Endpoint(parts),), reader=read))
    world.serve("what,where\nvalues,there\n")
    world.serve(GOOD, url=f"{URL}.values")
    assert world.refresh().outcome == "changed"
    world.serve(GOOD[:-2], url=f"{URL}.values")
    found = world.refresh()
    assert found.outcome == "refused"
    assert "whole ending of values" in found.refused[0]


def test_two_measures_with_the_same_bytes_are_two_answers(world, monkeypatch):
    two = tuple(replace(SPEC.measures[0], measure=name) for name in ("one", "two"))
    endpoints = tuple(Endpoint((Part("data", f"{URL}?{m.measure}", "csv"),), m.measure) for m in two)

    def read(spec, original):
        rows = made.read(spec, original)
        return rows.with_columns(pl.lit(original.url.rpartition("?")[2]).alias("measure"))

    monkeypatch.setitem(SOURCES, "made", replace(SPEC, measures=two, endpoints=endpoints, reader=read))
    for measure in two:
        world.serve(GOOD, url=f"{URL}?{measure.measure}")
    assert world.refresh().added == 192
    assert [a.measure for a in world.answers()] == ["one", "two"]


# --- what may not be passed on


def test_a_refusal_of_a_closed_source_shows_no_row(world, monkeypatch):
    monkeypatch.setitem(SOURCES, "made", replace(SPEC, redistribute=False))
    world.serve(iraq("850"))
    found = world.refresh()
    assert "850" in found.refused[0]
    with reader(world.home) as con:
        (row,) = [row for row in catalogue(con) if row["source"] == "made"]
    assert "850" not in json.dumps(row, default=str)
    assert "may not be passed on" in row["refused"][0]["why"]


# --- one source leans on another


def test_a_reference_that_arrives_later_is_heeded(world, monkeypatch):
    """Rows that the reference lacks are carried forward: another edition of it, and they are observations."""

    def read(spec, original):
        rows = made.read(spec, original)
        held = set() if original.reference is None else set(original.reference["entity"])
        return rows.with_columns(
            pl.when(pl.col("code").is_in(list(held))).then(None).otherwise(pl.lit("carried_forward")).alias("flag")
        )

    other = replace(
        SPEC, source="other", endpoints=(Endpoint((Part("data", f"{URL}.other", "csv"),)),), url=f"{URL}.other"
    )
    monkeypatch.setitem(SOURCES, "other", other)
    monkeypatch.setitem(SOURCES, "made", replace(SPEC, reader=read, reference="other"))
    world.serve(GOOD)
    world.serve(HALF, url=f"{URL}.other")
    world.refresh(0, ["other"])
    world.refresh(0)
    half = len(made_values(world))
    world.serve(GOOD, url=f"{URL}.other")
    world.refresh(0, ["other"])
    observed(world)
    assert (half, len(made_values(world))) == (48, 96)


def made_values(world):
    with reader(world.home) as con:
        return con.execute("SELECT 1 FROM observations WHERE source = 'made'").fetchall()
