"""Clocks that go wrong: set back, on a leap day, in another time zone, over the turn of a year. Vintages stay in order."""

import os
import time
from datetime import UTC, date, datetime, timedelta
from itertools import chain, repeat

import made_world as made
import pytest
from longwave.pipelines.sources import SOURCES
from longwave.warehouse.store import reader

GOOD, table = made.GOOD, made.table


def revised(value):
    """The table with one figure changed: Namibia's of 2015."""
    return table(lambda rows: [[*row[:3], value] if row[0] == "NAM" and row[2] == "2015" else row for row in rows])


@pytest.fixture
def world(home, server, fetcher, tmp_path, monkeypatch):
    monkeypatch.setitem(SOURCES, "made", made.SPEC)
    return made.World(home, server, fetcher, made.empty_founding(tmp_path / "founding"))


def said(world, as_of):
    """What was known of Namibia in 2015 by a day."""
    with reader(world.home, as_of=as_of) as con:
        rows = con.execute("SELECT value FROM observations WHERE code = 'NAM' AND year = 2015").fetchall()
    return [value for (value,) in rows]


DAYS = ["2025-03-05", "2025-03-11", "2025-03-20", "2025-12-31"]


def test_a_clock_set_back_asks_nobody_and_what_was_known_when_stays(world):
    for share, days in (("20", 1), ("30", 9)):
        world.serve(revised(share))
        assert world.refresh(days).outcome == "changed"
    before, known = world.tables(), {day: said(world, day) for day in DAYS}
    world.serve(revised("40"))
    found = world.refresh(-6)
    assert found.outcome == "failed"
    assert "2025-03-05" in found.failures[0]
    assert "2025-03-11" in found.failures[0]
    assert "clock" in found.failures[0]
    assert found.requests == 0
    assert world.tables() == before
    assert {day: said(world, day) for day in DAYS} == known
    # Once it is right again, the next answer comes after the last.
    assert world.refresh(7).outcome == "changed"
    assert [str(a.vintage) for a in world.answers()] == ["2025-03-02", "2025-03-11", "2025-03-12"]
    assert said(world, "2025-03-11") == [30]
    assert said(world, "2025-03-12") == [40]


def test_a_clock_that_is_corrected_by_a_minute_stops_nothing(world):
    world.serve(revised("20"))
    world.refresh()
    world.serve(revised("30"))
    assert world.refresh(-1 / 1440).outcome == "changed"
    assert sorted(a.status for a in world.answers()) == ["accepted", "accepted"]


def test_a_leap_day_is_a_day_like_any_other(world):
    world.day = datetime(2028, 2, 28, 9, tzinfo=UTC)
    for share, days in (("20", 0), ("30", 1), ("40", 1)):
        world.serve(revised(share))
        assert world.refresh(days).outcome == "changed"
    assert [str(a.vintage) for a in world.answers()] == ["2028-02-28", "2028-02-29", "2028-03-01"]
    assert [said(world, day) for day in ("2028-02-28", "2028-02-29", "2028-03-01")] == [[20], [30], [40]]


def test_a_year_that_turns_during_a_refresh_gives_one_vintage(world, fetcher):
    """The clock passes midnight between the question and every look at it after."""
    world.serve(revised("20"))
    eve = datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)
    times = chain([eve], (eve + timedelta(seconds=n) for n in range(1, 3)), repeat(eve + timedelta(seconds=3)))
    now = lambda: next(times)  # noqa: E731
    (found,) = made.refresh_sources(world.home, world.founding, ["made"], fetcher(now=now), now)
    assert found.outcome == "changed"
    (answer,) = world.answers()
    assert answer.vintage == answer.served_at.date()
    assert answer.vintage in (date(2026, 12, 31), date(2027, 1, 1))
    world.day = datetime(2027, 1, 2, 9, tzinfo=UTC)
    assert world.refresh(0).outcome == "unchanged"
    assert world.broken() == []


@pytest.fixture
def zone():
    """Sets the time zone of this process; afterwards it is what it was."""
    before = os.environ.get("TZ")

    def to(name):
        os.environ["TZ"] = name
        time.tzset()

    yield to
    os.environ.pop("TZ") if before is None else os.environ.update(TZ=before)
    time.tzset()


def test_another_time_zone_changes_no_vintage(world, zone):
    """Just after midnight by Greenwich, asked from the one end of the world and then from the other."""
    world.day = datetime(2025, 6, 30, 0, 30, tzinfo=UTC)
    for share, name in (("20", "Pacific/Kiritimati"), ("30", "Pacific/Pago_Pago"), ("40", "UTC")):
        zone(name)
        world.serve(revised(share))
        assert world.refresh(1).outcome == "changed"
    assert [str(a.vintage) for a in world.answers()] == ["2025-07-01", "2025-07-02", "2025-07-03"]
    assert [said(world, f"2025-07-0{n}") for n in (1, 2, 3)] == [[20], [30], [40]]
