"""Series as the curves read them: from which year t counts, and where a value stands in the matrix."""

import numpy as np
import polars as pl
import pytest
from longwave.models.matrices import matrix
from longwave.warehouse.curve_frames import CITED, IMPLIED, every_series, series_of_record
from longwave.warehouse.panels import freeze
from longwave.warehouse.store import Warehouse

NET, HOUSEHOLDS = "grapher_internet_share", "owid_technology_diffusion"


def rows(*values):
    return pl.DataFrame(values, schema={"series": pl.String, "t": pl.Int32, "value": pl.Float64}, orient="row")


def test_a_value_stands_at_its_series_and_age_and_what_is_not_there_is_nan():
    made = matrix(rows(("b", 7, 3.0), ("a", 2, 1.0), ("a", 7, 2.0)))
    assert made.series == ["a", "b"]
    assert made.t.tolist() == [2.0, 7.0]
    assert np.array_equal(made.levels, [[1.0, 2.0], [np.nan, 3.0]], equal_nan=True)


def test_two_values_at_one_age_are_refused_by_name():
    with pytest.raises(ValueError, match="b has two values at t = 7"):
        matrix(rows(("a", 7, 1.0), ("b", 7, 3.0), ("b", 7, 4.0)))


@pytest.fixture
def world(made_home, record):
    """Radio in the United States, whose launch is cited, and the internet in two countries, whose is not."""
    with Warehouse(made_home) as warehouse:
        warehouse.refresh_facts()
        record(
            warehouse, HOUSEHOLDS, "2019-07-27", {("Radio", 1925 + i): 10.0 + 6 * i for i in range(8)}, scope="listed"
        )
        net = {("Iraq", 2000 + i): value for i, value in enumerate([0.0, 0.4, 1.2, 3.0, 9.0])}
        record(warehouse, NET, "2022-04-08", net | {("Namibia", 2003): 2.0, ("Namibia", 2006): 8.0})
        freeze(warehouse.con)
        yield warehouse


def test_t_counts_from_a_cited_launch_or_from_the_year_before_the_first_percent(world):
    frame = series_of_record(world.con)
    radio = frame.filter(pl.col("series") == f"{HOUSEHOLDS}/adoption/Radio")
    assert radio["launch_convention"].unique().to_list() == [CITED]
    assert (radio["t"] == radio["age"]).all()
    assert (radio["t"] == radio["year"] - radio["launch"]).all()
    iraq = frame.filter(pl.col("series") == f"{NET}/users_share/IRQ")
    assert iraq.select("year", "age", "t", "value").rows() == [(2002, 0, 1, 1.2), (2003, 1, 2, 3.0), (2004, 2, 3, 9.0)]
    assert iraq.select("launch", "launch_convention").unique().rows() == [(2001, IMPLIED)]


def test_places_are_clusters_and_in_one_country_the_concepts_are(world):
    clusters = dict(series_of_record(world.con).select("series", "cluster").unique().iter_rows())
    assert clusters[f"{NET}/users_share/IRQ"] == "IRQ"
    assert clusters[f"{HOUSEHOLDS}/adoption/Radio"] == "radio set|USA"


def test_every_series_of_the_warehouse_begins_with_its_first_adopters(world):
    frame = every_series(world.con)
    iraq = frame.filter(pl.col("series") == f"{NET}/users_share/IRQ")
    assert iraq.select("year", "t", "value").rows() == [(2001, 1, 0.4), (2002, 2, 1.2), (2003, 3, 3.0), (2004, 4, 9.0)]
    assert frame["series"].n_unique() == 3
    assert matrix(frame).levels.shape == (3, 8)
