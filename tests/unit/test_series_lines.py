"""Series to compare: which there are, from which launch each is aged, and the map of years that are held."""

import polars as pl
import pytest
from longwave.pipelines.blocks_data import data_blocks
from longwave.reports.figures import coverage
from longwave.warehouse.evidence import years_held
from longwave.warehouse.panels import freeze
from longwave.warehouse.series_lines import series_lines
from longwave.warehouse.store import Warehouse, reader

SHARE, RADIO, COUNTS, CLOSED = "grapher_internet_share", "owid_technology_diffusion", "hccta", "wdi"


@pytest.fixture
def con(made_home, record):
    """A warehouse of four sources, one of which may not be passed on."""
    with Warehouse(made_home) as warehouse:
        ghana = {("Ghana", 1995): 0.0, ("Ghana", 1996): 0.2, ("Ghana", 2005): 1.5, ("Ghana", 2006): 3.0}
        late = {("Iraq", 2010): 40.0, ("Iraq", 2011): 45.0}
        usa = {("United States", 1993): 2.3, ("United States", 1994): 4.9}
        record(warehouse, SHARE, "2022-04-08", ghana | late | usa)
        record(warehouse, RADIO, "2019-07-27", {("Radio", 1925): 10.0, ("Radio", 1926): (16.0, "carried_forward")})
        record(warehouse, COUNTS, "2004-01-01", {("France", 1930): 2_000.0}, measure="radios", tag="r")
        record(warehouse, COUNTS, "2004-01-01", {("France", 1930): 40_000.0}, measure="population", tag="p")
        record(warehouse, CLOSED, "2024-09-30", {("Ghana", 2005): 9.0}, measure="users_share")
        for source in (SHARE, RADIO, COUNTS, CLOSED):
            row = dict.fromkeys(("title", "publisher", "homepage", "licence", "citation", "cadence"), source)
            row |= {"source": source, "redistribute": source != CLOSED, "proven_on": None}
            frame = pl.DataFrame([row], schema_overrides={"proven_on": pl.String})
            warehouse.replace("sources", frame, {"source": source})
    with reader(made_home) as con:
        freeze(con)
        yield con


def test_every_yearly_series_is_there_with_its_launch(con):
    rows = series_lines(con).rows_by_key("series", named=True)
    launches = {name: (own[0]["launch"], own[0]["cited"]) for name, own in rows.items()}
    assert launches == {
        f"{SHARE}/users_share/GHA": (2005, False),
        f"{SHARE}/users_share/IRQ": (None, False),
        f"{SHARE}/users_share/USA": (1989, True),
        f"{RADIO}/adoption/Radio": (1920, True),
        f"{COUNTS}/radios/FRA": (rows[f"{COUNTS}/radios/FRA"][0]["launch"], True),
    }, "begun above 12 %, and covariates and sources that may not be passed on are not aged or not there"
    assert [(row["year"], row["value"]) for row in rows[f"{RADIO}/adoption/Radio"]] == [(1925, 10.0)]
    (france,) = rows[f"{COUNTS}/radios/FRA"]
    assert (france["value"], france["unit"]) == (5.0, "per_100_people")


def test_the_map_of_years_says_what_it_shows(con):
    years = years_held(con)
    assert CLOSED not in set(years["source"])
    shares = years.filter(pl.col("source") == SHARE)
    assert dict(shares.select("year", "series").iter_rows())[2010] == 1
    assert set(shares["medium"]) == {"internet"}
    assert set(years.filter(pl.col("source") == COUNTS)["medium"]) == {None}, "radio and covariates"
    (block,) = data_blocks(years)
    assert block.figure.layout.title.text.startswith(
        "The record goes back to 1925 (owid_technology_diffusion); half of"
    )
    (at,) = (at for at, trace in enumerate(block.figure.data) if SHARE in (trace.hovertemplate or ""))
    thin, thick = block.figure.data[at : at + 2]
    assert list(thin.x)[:6] == [1992.5, 1993, 1994, 1995, 1996, 1996.5], (
        "a run of years, half a year longer at both ends"
    )
    assert thin.text[1] == "1993: 1 series"
    assert None in thin.y, "no line over years without a value"
    assert thin.line.width < thick.line.width
    assert data_blocks(years.clear()) == []
    with pytest.raises(ValueError, match="no medium"):
        coverage.by_year(years.drop("medium"))
