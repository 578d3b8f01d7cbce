"""What a notebook reads: the observations known, or known on a date, as a frame."""

from datetime import date, datetime

import longwave.warehouse
import polars as pl
import pytest
from longwave.warehouse.ask import ask
from longwave.warehouse.errors import UnusableHome
from longwave.warehouse.store import Warehouse

SOURCE = "owid_technology_diffusion"


@pytest.fixture
def full(made_home, record):
    """A home with two captures of one series."""
    with Warehouse(made_home) as warehouse:
        record(warehouse, SOURCE, "2020-01-01", {("Radio", 1930): 40.0, ("Radio", 1931): 50.0})
        record(warehouse, SOURCE, "2021-01-01", {("Radio", 1930): 41.0})
    return made_home


def shown(frame):
    return frame.select("year", "value", "vintage").rows()


def test_everything_known_is_what_the_view_has(full):
    frame = longwave.warehouse.observations(home=full.root)
    assert shown(frame) == [(1930, 41.0, date(2021, 1, 1))]
    columns, rows = ask(full, "SELECT * EXCLUDE (vintage, period_start) FROM observations")
    assert frame.drop("vintage", "period_start").columns == columns
    assert frame.drop("vintage", "period_start").rows() == rows
    assert frame.schema["value"] == pl.Float64


@pytest.mark.parametrize("as_of", ["2020-12-31", date(2020, 12, 31), datetime(2020, 12, 31, 23, 59)])
def test_as_of_a_date_however_it_is_written(full, as_of):
    frame = longwave.warehouse.observations(as_of, str(full.root))
    assert shown(frame) == [(1930, 40.0, date(2020, 1, 1)), (1931, 50.0, date(2020, 1, 1))]


def test_before_anything_was_known_there_is_no_row(full):
    frame = longwave.warehouse.observations("2019-12-31", full.root)
    assert (frame.height, frame.width) == (0, 13)


def test_the_home_is_that_of_the_environment(full, monkeypatch):
    monkeypatch.setenv("LONGWAVE_HOME", str(full.root))
    assert shown(longwave.warehouse.observations()) == [(1930, 41.0, date(2021, 1, 1))]


def test_without_one_it_is_where_the_project_keeps_its_state(full, monkeypatch):
    monkeypatch.delenv("LONGWAVE_HOME", raising=False)
    monkeypatch.setattr("longwave.warehouse.notebook.default_home", lambda: full.root)
    assert longwave.warehouse.observations().height == 1


@pytest.mark.parametrize("as_of", ["yesterday", "2020-13-01", ""])
def test_what_is_no_date_is_refused_in_words(full, as_of):
    with pytest.raises(ValueError, match=f"expected a date as YYYY-MM-DD, found '{as_of}'"):
        longwave.warehouse.observations(as_of, full.root)


def test_a_home_without_a_warehouse_says_how_to_begin(tmp_path):
    with pytest.raises(UnusableHome, match="start with `longwave run`"):
        longwave.warehouse.observations(home=tmp_path)
