"""A source that says something of its adopters in words, asked live: words alone make a capture, and verify holds them."""

from dataclasses import replace

import duckdb
import made_world as made
import polars as pl
import pytest
from longwave.pipelines.sources import SOURCES
from longwave.pipelines.verify import verify
from longwave.warehouse.store import Warehouse


def in_words(_, original):
    """The column Owner, which the figures do not need."""
    table = pl.read_csv(original.data, infer_schema=False).unique("Code")
    return table.select(pl.col("Code").alias("adopter"), pl.lit("owner").alias("name"), pl.col("Owner").alias("value"))


@pytest.fixture
def world(made_home, server, fetcher, tmp_path, monkeypatch):
    monkeypatch.setitem(SOURCES, "made", replace(made.SPEC, attributes=("owner",), attribute_reader=in_words))
    return made.World(made_home, server, fetcher, made.empty_founding(tmp_path / "founding"))


def table(owner):
    return made.table(lambda rows: [[*row, owner] for row in rows], header="Entity,Code,Year,Share,Owner")


def owners(world):
    with Warehouse(world.home) as warehouse:
        sql = "SELECT value, known_from::VARCHAR, known_to::VARCHAR FROM attributes WHERE adopter = 'AUT' ORDER BY ALL"
        return warehouse.con.execute(sql).fetchall()


def test_words_alone_make_a_capture_and_the_same_words_none(world):
    world.serve(table("state"), table("state") + "\n", table("private"))
    assert world.refresh().outcome == "changed"
    world.refresh()
    assert owners(world) == [("state", "2025-03-02", "infinity")]
    world.refresh()
    assert owners(world) == [("private", "2025-03-04", "infinity"), ("state", "2025-03-02", "2025-03-04")]
    assert [answer.status for answer in world.answers()] == ["accepted", "repeated", "accepted"]
    assert len(world.values()) == 96


def test_words_that_break_a_check_refuse_the_answer(world, monkeypatch):
    world.serve(table("state"))
    other = replace(SOURCES["made"], attributes=("editor",))
    monkeypatch.setitem(SOURCES, "made", other)
    outcome = world.refresh()
    assert outcome.outcome == "refused"
    assert "declared attributes: expected one of editor, found 16 rows at fault" in outcome.refused[0]
    assert owners(world) == []


def test_words_that_cannot_be_read_refuse_the_answer(world):
    world.serve(made.GOOD)
    outcome = world.refresh()
    assert outcome.outcome == "refused"
    assert "reader of attributes" in outcome.refused[0]
    assert world.values() == {}


def test_verify_names_a_changed_word(world):
    world.serve(table("state"))
    world.refresh()
    assert verify(world.home, world.founding).problems == []
    with duckdb.connect(str(world.home.read_copy)) as con:
        con.execute("UPDATE attributes SET value = 'private' WHERE adopter = 'NAM'")
    (problem,) = verify(world.home, world.founding).problems
    assert "attributes in the warehouse are not those of the capture" in problem
