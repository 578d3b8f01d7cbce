"""What was known when, from what sources serve over the years: past vintages, any order of arrival, acceptance by hand, kills."""

import itertools
import json
from dataclasses import replace
from datetime import date
from functools import partial

import made_world as made
import pytest
from longwave.pipelines import wayback
from longwave.pipelines.capture import accept, recover
from longwave.pipelines.observe import Held, observe
from longwave.pipelines.refresh import recover_vintages, refresh_source
from longwave.pipelines.sources import SOURCES
from longwave.pipelines.sources._spec import Endpoint, Part
from longwave.warehouse import answers as index
from longwave.warehouse.archive import Archive
from longwave.warehouse.errors import LongwaveError
from longwave.warehouse.home import Home
from longwave.warehouse.store import Warehouse, reader

PLACES, SPEC, URL = made.PLACES, made.SPEC, made.URL
# Years that past vintages can speak of.
table = partial(made.table, first=2008)
GOOD = table()
CDX = "https://web.archive.org/cdx/search/cdx"


@pytest.fixture
def world(made_home, server, fetcher, tmp_path, monkeypatch):
    monkeypatch.setitem(SOURCES, "made", SPEC)
    return made.World(made_home, server, fetcher, made.empty_founding(tmp_path / "founding"))


def iraq(share):
    """The table with one figure of its own."""
    return table(lambda rows: [[e, c, y, share if (c, y) == ("IRQ", "2008") else s] for e, c, y, s in rows])


def archived_at(world, captures, collapse="digest"):
    """Put captures, by their 14-digit time, into the web archive on loopback."""
    rows = [["urlkey", "timestamp", "original", "mimetype", "statuscode", "digest", "length"]]
    for stamp, body in captures.items():
        rows.append(["org,example,figures)/made.csv", stamp, URL, "text/csv", "200", f"D{stamp}", str(len(body))])
        world.serve(body, url=f"https://web.archive.org/web/{stamp}id_/{URL}")
    world.server.routes["/web.archive.org/cdx/search/cdx"] = json.dumps(rows if captures else [])


def recovered(world, years="2012..2024", per_year=False, fetcher=None):
    """Recover past vintages, and observe what came."""
    said = []
    span = wayback.Years.parse(years, per_year=per_year)
    captured = recover_vintages(world.home, SOURCES["made"], fetcher or world.fetcher(), span, said.append)
    return captured, said, observed(world)


def observed(world):
    held = Held(world.founding, [], Archive(world.home.archive))
    with Warehouse(world.home) as warehouse:
        outcome, _ = refresh_source(warehouse, SOURCES["made"], held, None)
    assert world.broken() == []
    return outcome


def as_of(world, day, code="IRQ", year=2008):
    with reader(world.home, as_of=day) as con:
        rows = con.execute("SELECT value FROM observations WHERE code = ? AND year = ?", [code, year]).fetchall()
    return rows[0][0] if rows else None


PAST = {"20140601120000": iraq("58"), "20180601120000": iraq("58.0"), "20200601120000": iraq("16.8")}


def test_past_vintages_are_recovered_and_dated_by_their_day(world):
    archived_at(world, PAST)
    captured, said, outcome = recovered(world)
    assert (captured.failures, len(said)) == ([], 3)
    assert outcome.outcome == "changed"
    assert [(str(a.vintage), a.status, a.via) for a in world.answers()] == [
        ("2014-06-01", "accepted", "web.archive.org"),
        ("2018-06-01", "repeated", "web.archive.org"),
        ("2020-06-01", "accepted", "web.archive.org"),
    ]
    assert [as_of(world, day) for day in ("2014-05-31", "2014-06-01", "2019-12-31", "2021-01-01")] == [
        None,
        58,
        58,
        16.8,
    ]
    with reader(world.home) as con:
        assert con.execute("SELECT DISTINCT kind FROM captures").fetchall() == [("web archive",)]


def test_recovering_again_fetches_only_what_is_missing(world):
    archived_at(world, dict(itertools.islice(PAST.items(), 2)))
    recovered(world)
    archived_at(world, PAST)
    asked = len(world.server.targets)
    captured, said, _ = recovered(world)
    assert [line.split()[1] for line in said] == ["2020-06-01"]
    assert len(world.server.targets) - asked == 2
    assert len(captured.answers) == 1


def test_one_capture_a_year_asks_the_index_for_that(world):
    archived_at(world, PAST)
    recovered(world, per_year=True)
    (asked,) = [target for target in world.server.targets if "cdx" in target]
    assert "collapse=timestamp%3A4" in asked
    assert "from=2012&to=2024" in asked


def test_years_outside_the_span_are_left_alone(world):
    archived_at(world, PAST)
    _, said, _ = recovered(world, "2018..2019")
    assert len(said) == 1


def test_an_archive_that_holds_nothing_changes_nothing(world):
    archived_at(world, {})
    captured, said, outcome = recovered(world)
    assert (captured.failures, said, outcome.outcome) == ([], [], "unchanged")


def test_an_index_of_another_form_is_an_error_that_says_so(world):
    world.server.routes["/web.archive.org/cdx/search/cdx"] = json.dumps([["urlkey", "when"], ["a", "b"]])
    captured, _, _ = recovered(world)
    assert "timestamp" in captured.failures[0]


def test_a_capture_that_the_archive_lost_stops_none_of_the_others(world, reply):
    archived_at(world, PAST)
    world.serve(reply("gone", status=404), url=f"https://web.archive.org/web/20180601120000id_/{URL}")
    captured, said, _ = recovered(world)
    assert len(said) == 2
    assert "20180601120000" in captured.failures[0]


def test_a_redirect_of_the_archive_is_dated_by_where_it_leads(world, reply):
    archived_at(world, PAST)
    world.serve(
        reply("", status=302, headers={"Location": f"https://web.archive.org/web/20140601120000id_/{URL}"}),
        url=f"https://web.archive.org/web/20180601120000id_/{URL}",
    )
    recovered(world)
    assert [str(a.vintage) for a in world.answers()] == ["2014-06-01", "2020-06-01"]


@pytest.mark.parametrize("text", ["2012-2024", "12..24", "2024..2012", "", "2012...2024"])
def test_a_span_of_another_form_is_no_span(text):
    with pytest.raises(ValueError, match=r"2012\.\.2024|begins"):
        wayback.Years.parse(text, per_year=False)


def test_an_address_that_changes_with_the_day_cannot_be_asked_of_an_archive(world, monkeypatch):
    daily = Endpoint((Part("data", "https://figures.example.org/to-{day:%Y%m}.csv", "csv"),))
    monkeypatch.setitem(SOURCES, "made", replace(SPEC, endpoints=(daily,)))
    captured, _, _ = recovered(world)
    assert "changes from day to day" in captured.failures[0]


# Four of the 24 orders, each first and last once; the property test of the merge permutes more.
@pytest.mark.parametrize("order", ["0123", "1302", "2031", "3210"])
def test_whatever_order_captures_arrive_in_the_table_is_the_same(world, order, build_once):
    """B stands between two equal ones: what was set aside as nothing new counts again once B is there."""
    bodies = {
        "20140601120000": iraq("58"),
        "20160601120000": iraq("16.8"),
        "20180601120000": iraq("58"),
        "20200601120000": iraq("15.2"),
    }
    for nth in order:
        stamp = list(bodies)[int(nth)]
        archived_at(world, {stamp: bodies[stamp]})
        recovered(world)
    found = [as_of(world, f"{year}-12-31") for year in range(2013, 2021)]
    assert found == [None, 58, 58, 16.8, 16.8, 58, 58, 15.2]
    assert world.tables() == _rebuilt(world)


def _rebuilt(world):
    """The tables after everything is read again from the archive, as when a reader changes."""
    held = Held(world.founding, [], Archive(world.home.archive))
    with Warehouse(world.home) as warehouse:
        observe(warehouse, SOURCES["made"], held, "another key")
    return world.tables()


# --- by hand


def refuse_half(world):
    world.serve(GOOD)
    world.refresh()
    world.serve(table(lambda rows: [row for row in rows if row[1] in PLACES[:8]]))
    assert world.refresh().outcome == "refused"
    return world.answers()[-1]


def test_a_refused_answer_can_be_accepted_by_hand_for_good(world):
    refused = refuse_half(world)
    assert accept(world.home, refused.answer, "the publisher dropped them, see its notes", made.FIRST) == "made"
    outcome = observed(world)
    assert (outcome.outcome, outcome.withdrawn) == ("changed", 48)
    taken = world.answers()[-1]
    assert (taken.status, taken.decided_by, taken.why) == (
        "accepted",
        "hand",
        "the publisher dropped them, see its notes",
    )
    assert len(world.values()) == 48
    # It stays accepted when everything is read anew, and when the index is made again from the archive alone.
    assert world.tables() == _rebuilt(world)
    world.home.warehouse.unlink()
    with Warehouse(world.home) as warehouse:
        recover(warehouse, Archive(world.home.archive))
    observed(world)
    assert len(world.values()) == 48
    assert world.answers()[-1].why == taken.why


def test_what_cannot_be_read_cannot_be_accepted(world):
    world.serve(GOOD)
    world.refresh()
    world.serve("<html>Sorry</html>")
    world.refresh()
    page = world.answers()[-1]
    accept(world.home, page.answer, "looks fine", made.FIRST)
    assert observed(world).outcome == "refused"
    assert len(world.values()) == 96


def test_only_a_refused_answer_can_be_accepted(world):
    world.serve(GOOD)
    world.refresh()
    (answer,) = world.answers()
    with pytest.raises(LongwaveError, match="was not refused"):
        accept(world.home, answer.answer, "why not", made.FIRST)
    with pytest.raises(LongwaveError, match="no archived answer is called"):
        accept(world.home, "made@2025-01-01.0#00000000", "why not", made.FIRST)


def test_a_mended_reader_takes_up_what_was_refused(world, monkeypatch):
    world.serve(GOOD.replace("Share", "Value"))
    assert world.refresh().outcome == "refused"
    monkeypatch.setitem(
        SOURCES,
        "made",
        replace(SPEC, reader=lambda s, o: made.read(s, replace(o, data=o.data.replace(b"Value", b"Share")))),
    )
    held = Held(world.founding, [], Archive(world.home.archive))
    with Warehouse(world.home) as warehouse:
        observe(warehouse, SOURCES["made"], held, "the key of the mended reader")
    assert [a.status for a in world.answers()] == ["accepted"]
    assert len(world.values()) == 96


# --- several parts


def two_pages(_, data):
    return (Part("page-2", f"{URL}?page=2", "csv"),) if b"more" in data else ()


def test_an_answer_of_several_parts_is_one_capture(world, monkeypatch):
    def read(spec, original):
        rows = original.data.replace(b"more\n", b"") + original.parts["page-2"]
        return made.read(spec, replace(original, data=rows))

    endpoint = Endpoint((Part("data", URL, "csv"),), further=two_pages)
    monkeypatch.setitem(SOURCES, "made", replace(SPEC, endpoints=(endpoint,), reader=read))
    lines = GOOD.splitlines(keepends=True)
    world.serve("more\n" + "".join(lines[:50]))
    world.serve("".join(lines[50:]), url=f"{URL}?page=2")
    assert (world.refresh().added, world.refresh().outcome) == (96, "unchanged")
    assert sorted(world.answers()[0].parts) == ["data", "page-2"]
    world.serve("".join(lines[50:]).replace("0.5", "0.7", 1), url=f"{URL}?page=2")
    assert world.refresh().revised == 1


def test_one_part_that_fails_is_no_answer(world, monkeypatch, reply):
    endpoint = Endpoint((Part("data", URL, "csv"),), further=two_pages)
    monkeypatch.setitem(SOURCES, "made", replace(SPEC, endpoints=(endpoint,)))
    world.serve("more\n" + GOOD)
    world.serve(reply("no", status=404), url=f"{URL}?page=2")
    assert world.refresh().outcome == "failed"
    assert (world.answers(), world.records()) == ([], [])


def test_one_endpoint_that_fails_takes_none_of_the_others_with_it(world, monkeypatch, reply):
    other = Endpoint((Part("data", "https://figures.example.org/other.csv", "csv"),))
    monkeypatch.setitem(SOURCES, "made", replace(SPEC, endpoints=(other, *SPEC.endpoints)))
    world.serve(reply("no", status=404), url="https://figures.example.org/other.csv")
    world.serve(GOOD)
    outcome = world.refresh()
    assert (outcome.outcome, outcome.added) == ("failed", 96)


# --- killed


def test_what_was_archived_and_not_acknowledged_is_adopted(world):
    """The index is taken back to where it was before the second answer, as a kill between the two would leave it."""
    world.serve(GOOD)
    world.refresh()
    saved = world.home.warehouse.read_bytes()
    world.serve(iraq("16.8"))
    world.refresh()
    wanted, answers = world.tables(), world.answers()
    world.home.warehouse.write_bytes(saved)
    with Warehouse(world.home) as warehouse:
        lines = recover(warehouse, Archive(world.home.archive))
    assert len(lines) == 3
    assert observed(world).revised == 1
    assert world.tables() == wanted
    assert world.answers() == answers


def test_a_lost_warehouse_is_made_again_from_the_archive(world):
    world.serve(GOOD)
    world.refresh()
    world.serve(iraq("16.8"))
    world.refresh()
    wanted = world.tables()
    world.home.warehouse.unlink()
    with Warehouse(world.home) as warehouse:
        recover(warehouse, Archive(world.home.archive))
    observed(world)
    assert world.tables() == wanted


def test_an_unacknowledged_answer_without_its_manifest_is_answered_again(world):
    world.serve(GOOD)
    world.refresh()
    (path,) = Archive(world.home.archive).files()
    note = world.records("metadata")[0]
    whole, lines = path.read_bytes(), path.with_name(path.name.replace(".warc.gz", ".cdxj")).read_bytes()
    path.write_bytes(whole[: note.offset + 10])
    path.with_name(path.name.replace(".warc.gz", ".cdxj")).write_bytes(b"".join(lines.splitlines(keepends=True)[:-1]))
    world.home.warehouse.unlink()
    with Warehouse(world.home) as warehouse:
        recover(warehouse, Archive(world.home.archive))
    assert world.answers() == []
    assert world.refresh().added == 96
    assert [a.status for a in world.answers()] == ["accepted"]


# --- as of a date


def test_a_run_as_of_a_date_sees_what_was_accepted_by_then(world, tmp_path):
    """In a warehouse of its own, from the archive of the installation; what was refused or came later is not in it."""
    archived_at(world, PAST)
    recovered(world)
    apart = Home(tmp_path / "apart")
    with reader(world.home) as con:
        accepted = [
            a for a in index.answers_of(con, "made") if a.status == "accepted" and a.vintage <= date(2019, 1, 1)
        ]
        held = Held(world.founding, [], Archive(world.home.archive), (accepted, con))
        for _ in range(2):
            with Warehouse(apart) as warehouse:
                outcome, _ = refresh_source(warehouse, SOURCES["made"], held, None)
    assert outcome.outcome == "unchanged"
    with reader(apart) as con:
        rows = con.execute(
            "SELECT vintage::VARCHAR, value FROM observations WHERE code = 'IRQ' AND year = 2008"
        ).fetchall()
    assert rows == [("2014-06-01", 58)]
