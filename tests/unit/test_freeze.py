"""The as-of view worked out once: what was kept is read again only while nothing that the view reads has changed."""

import re

import pytest
from longwave.warehouse import panels, views
from longwave.warehouse.panels import freeze
from longwave.warehouse.store import Warehouse

NET = "grapher_internet_share"
FIRST = {("Iraq", 2014): 13.0, ("Iraq", 2015): 58.0}


def standing(con):
    return con.sql("SELECT year, value, flags FROM standing ORDER BY ALL").fetchall()


def anew(con):
    return con.sql("SELECT year, value, flags FROM panel_observations_as_of(as_of_date()) ORDER BY ALL").fetchall()


@pytest.fixture
def world(made_home, record):
    with Warehouse(made_home) as warehouse:
        warehouse.refresh_facts()
        record(warehouse, NET, "2022-04-08", FIRST)
        freeze(warehouse.con)
        yield warehouse


CHANGES = {
    "a value": "UPDATE observation_versions SET value = 59 WHERE value = 58",
    "a break": f"INSERT INTO breaks BY NAME SELECT * REPLACE ('{NET}' AS source, '*' AS medium, '*' AS adopter, "
    "'*' AS place, 2015 AS year_from, 2015 AS year_to) FROM breaks LIMIT 1",
    "a launch": "UPDATE launches SET year = 2015, status = 'verified' WHERE medium = 'internet'",
    "what a series is": "UPDATE series SET unit = 'points', unit_class = 'count'",
    "a capture": "UPDATE captures SET vintage_precision = 'day'",
    "the date": "SET VARIABLE as_of = DATE '2020-01-01'",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whatever_the_view_reads_is_seen_when_it_has_changed(world, change):
    assert standing(world.con) == [(2014, 13.0, "left_truncated"), (2015, 58.0, "")]
    world.con.execute("UPDATE observation_versions SET value = 0 WHERE value = 13")
    freeze(world.con)
    kept = world.con.sql("SELECT * FROM standing ORDER BY ALL").fetchall()
    world.con.execute(change)
    freeze(world.con)
    assert standing(world.con) == anew(world.con)
    assert world.con.sql("SELECT * FROM standing ORDER BY ALL").fetchall() != kept


def test_what_has_not_changed_is_not_worked_out_again_and_reads_the_same(world):
    first, described = standing(world.con), world.con.sql("DESCRIBE standing").fetchall()
    (kept,) = panels._last_frozen.values()
    world.con.execute("DROP TABLE standing")
    freeze(world.con)
    assert standing(world.con) == first
    assert world.con.sql("DESCRIBE standing").fetchall() == described
    assert next(iter(panels._last_frozen.values())) is kept


def test_every_table_that_the_view_reads_belongs_to_what_it_is_kept_under():
    (frozen,) = [sql for sql in views.VIEWS if "MACRO panel_observations_as_of" in sql]
    sql = views._VERSIONS_AS_OF + frozen
    named = set(re.findall(r"\b(?:FROM|JOIN) (\w+)", sql))
    made = set(re.findall(r"(\w+) AS \(", sql)) | {"versions_as_of"}
    assert named - made == set(panels._READ_BY_VIEW)
