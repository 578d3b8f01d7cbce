"""The real files of several years, served one after another as their publishers would: each date gives just that file's values.

The counts are those that were taken from the files by hand when they were collected.
"""

from dataclasses import replace
from datetime import UTC, datetime

import made_world as made
import polars as pl
import pytest
from longwave.pipelines.sources import SOURCES
from longwave.pipelines.sources._spec import Endpoint, Original
from longwave.warehouse.store import reader
from longwave.warehouse.tidy import adopter_key_expression
from longwave.warehouse.world import codes_by_name

pytestmark = pytest.mark.originals


SHARE = {
    day: f"owid/owid_share-of-individuals-using-the-internet_{day[:7] if day != '2026-02-22' else day}.csv"
    for day in ("2022-04-08", "2023-04-12", "2025-10-30", "2026-02-22")
}
DIFFUSION = {day: f"owid/owid_us_technology_diffusion_{day}.csv" for day in ("2018-09-21", "2019-07-27", "2022-06-21")}
METADATA = "owid/owid_share-of-individuals-using-the-internet_2026-02-22.metadata.json"


@pytest.fixture
def world(home, server, fetcher, tmp_path):
    return made.World(home, server, fetcher, made.empty_founding(tmp_path / "founding"))


def serve_in_turn(world, monkeypatch, originals, source, files, days):
    """Serve each file on its day; what came of each day."""
    spec = SOURCES[source]
    (endpoint,) = spec.endpoints
    part = endpoint.parts[0]
    monkeypatch.setitem(SOURCES, source, replace(spec, endpoints=(Endpoint((part,)),)))
    outcomes = {}
    for day in days:
        world.day = datetime.fromisoformat(day).replace(tzinfo=UTC)
        world.serve((originals / files[day]).read_bytes(), url=part.address(world.day.date()))
        outcomes[day] = world.refresh(0, [source])
    return outcomes


def said(world, source, day):
    """Every value that stood on a day, by adopter, year."""
    with reader(world.home, as_of=day) as con:
        rows = con.execute(
            """SELECT s.adopter_key, year(v.period_start), v.value FROM observation_versions v JOIN series s USING (series)
               WHERE s.source = ? AND v.known_from <= ? AND v.known_to > ?""",
            [source, day, day],
        ).fetchall()
    return {(adopter, year): value for adopter, year, value in rows}


def read_directly(originals, source, file):
    spec = SOURCES[source]
    frame = spec.read(Original(file, (originals / file).read_bytes()))
    key = adopter_key_expression(source) if spec.adopter_kind == "place" else pl.col("entity")
    rows = frame.select(key.alias("key"), pl.col("period_start").dt.year().alias("year"), "value").rows()
    return {(adopter, year): value for adopter, year, value in rows}


def served_rows(originals, file):
    """Values by code and year as a spreadsheet would show them; rows without a code are left out, OWID's codes are ours."""
    data = (originals / file).read_bytes()
    separator = ";" if data.split(b"\n")[0].count(b";") > 1 else ","
    table = pl.read_csv(data, separator=separator, infer_schema=False)
    value = next(column for column in table.columns if column not in ("Entity", "Code", "Year"))
    kept = table.filter(pl.col("Code").fill_null("") != "", pl.col(value).fill_null("") != "")
    ours = codes_by_name("grapher_internet_share")
    return {(ours[code], int(year)): float(text) for code, year, text in kept.select("Code", "Year", value).iter_rows()}


def test_each_date_gives_just_what_was_served_then(world, monkeypatch, originals):
    source, days = "grapher_internet_share", list(SHARE)
    outcomes = serve_in_turn(world, monkeypatch, originals, source, SHARE, days)
    assert {day: (o.outcome, o.refused, o.failures) for day, o in outcomes.items()} == {
        day: ("changed", [], []) for day in days
    }
    for day in days:
        assert said(world, source, day) == read_directly(originals, source, SHARE[day])
    assert said(world, source, "2022-04-07") == {}
    assert said(world, source, "2023-01-01")[("IRQ", 2015)] == 58.0
    assert said(world, source, "2023-04-12")[("IRQ", 2015)] == pytest.approx(16.8, abs=1e-6)


@pytest.mark.parametrize(
    ("before", "after", "shared", "revised"),
    [
        ("2022-04-08", "2023-04-12", 5745, 237),
        ("2023-04-12", "2025-10-30", 6071, 277),
        ("2025-10-30", "2026-02-22", 5890, 309),
    ],
)
def test_the_revisions_are_those_counted_in_the_files(world, monkeypatch, originals, before, after, shared, revised):
    source = "grapher_internet_share"
    serve_in_turn(world, monkeypatch, originals, source, SHARE, [before, after])
    then, now = said(world, source, before), said(world, source, after)
    # Counted where both files give the row a code of its own.
    keys = served_rows(originals, SHARE[before]).keys() & served_rows(originals, SHARE[after]).keys()
    assert len(keys & then.keys() & now.keys()) == shared
    changed = {
        key: (then[key], now[key]) for key in keys & then.keys() & now.keys() if abs(then[key] - now[key]) > 0.05
    }
    assert len(changed) == revised


def test_the_files_of_us_households(world, monkeypatch, originals):
    """2018 to 2019: 11 changed, 59 added, none removed. 2019 to 2022: another row order, and no change."""
    outcomes = serve_in_turn(world, monkeypatch, originals, "owid_technology_diffusion", DIFFUSION, list(DIFFUSION))
    first, second, third = outcomes.values()
    assert (first.outcome, first.added) == ("changed", 1336)
    assert (second.outcome, second.revised, second.added, second.withdrawn) == ("changed", 11, 59, 0)
    assert (third.outcome, third.revised, third.added, third.withdrawn) == ("unchanged", 0, 0, 0)
    bodies = {(originals / file).read_bytes() for file in DIFFUSION.values()}
    assert len(bodies) == 3


def test_the_pair_of_table_and_metadata_is_dated_by_its_publisher(world, monkeypatch, originals, reply):
    source = "grapher_internet_share"
    data, metadata = SOURCES[source].endpoints[0].parts
    world.day = datetime(2026, 2, 22, 12, tzinfo=UTC)
    world.serve((originals / SHARE["2026-02-22"]).read_bytes(), url=data.url)
    world.serve(reply((originals / METADATA).read_bytes(), type="application/json"), url=metadata.url)
    assert world.refresh(0, [source]).outcome == "changed"
    # A new download date is no change.
    later = (originals / METADATA).read_bytes().replace(b'"2026-02-22"', b'"2026-03-01"')
    assert later != (originals / METADATA).read_bytes()
    world.serve(reply(later, type="application/json"), url=metadata.url)
    assert world.refresh(7, [source]).outcome == "unchanged"
    with reader(world.home) as con:
        assert con.execute("SELECT vintage::VARCHAR, vintage_precision FROM captures").fetchall() == [
            ("2026-01-29", "publisher")
        ]
