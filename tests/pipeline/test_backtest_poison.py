"""Poison in the warehouse itself: all vintages, twins and derived counts of what a mode forbids, in every source held.

The unit test poisons what models read; this one what the warehouse holds, so that no road around is left: a value that
was superseded, a second source, a count made from the share, a launch or a mark worked out from what came later.
Forecasts are functions of the references and of the target's own past, so the two are compared to the last bit; for one
target the forecasts as well.
"""

from contextlib import contextmanager

import duckdb
import polars as pl
import pytest
from longwave.models.backtest import forecasts_of
from longwave.models.histories import Histories
from longwave.models.peers import PeerForecaster
from longwave.models.visibility import FORECAST_MODES, visible
from longwave.pipelines.observe import Held, held_originals, observe
from longwave.pipelines.sources import SOURCES
from longwave.warehouse.archive import Archive
from longwave.warehouse.founding_files import founding_folder
from longwave.warehouse.home import Home
from longwave.warehouse.panels import freeze
from longwave.warehouse.reference_series import reference_frame
from longwave.warehouse.store import Warehouse

ABSURD = 77_777.0
# Sources of record with several vintages, a second copy, a second source of the same share, a count made from it.
HELD = (
    "owid_technology_diffusion",
    "grapher_technology_adoption",
    "grapher_internet_share",
    "owid_itu_internet_share",
    "owid_internet_users",
    "hccta",
)
OWID, GRAPHER = "owid_technology_diffusion/adoption/", "grapher_internet_share/users_share/"
ORIGINS = {f"{OWID}Internet": 2005, f"{OWID}Landline": 2014, f"{GRAPHER}KEN": 2010, "hccta/radios/FRA": 1950}
# What a mode forbids, in the warehouse's own words, written out by hand: nothing of the code under test is used.
FORBIDDEN = {
    ("leave-one-out", f"{OWID}Internet"): "concept = 'internet use' AND place = 'USA'",
    ("leave-one-out", f"{OWID}Landline"): "concept IN ('fixed telephone', 'mobile-only household') AND place = 'USA'",
    ("leave-country-out", f"{GRAPHER}KEN"): "place = 'KEN'",
    ("leave-country-out", f"{OWID}Internet"): "place = 'USA' AND medium <> 'covariate'",
    ("leave-medium-out", "hccta/radios/FRA"): "medium = 'radio'",
    ("leave-medium-out", f"{GRAPHER}KEN"): "medium IN ('internet', 'broadband')",
    ("as-of", f"{GRAPHER}KEN"): "medium <> 'covariate' AND year(period_start) > 2010",
    ("as-of", "hccta/radios/FRA"): "medium <> 'covariate' AND year(period_start) > 1950",
}


@pytest.fixture(scope="module")
def con(tmp_path_factory):
    """A warehouse of some sources, opened so that it may be poisoned."""
    home, rows = Home(tmp_path_factory.mktemp("poison")).prepare(), held_originals(founding_folder())
    with Warehouse(home) as warehouse:
        for source in HELD:
            mine = [row for row in rows if row.source == source]
            observe(warehouse, SOURCES[source], Held(founding_folder(), mine, Archive(home.archive)), "test")
    with duckdb.connect(str(home.warehouse)) as con:
        yield con


@contextmanager
def poisoned(con, where):
    """Every version of every value that `where` names is absurd; then as it was."""
    con.execute("BEGIN")
    try:
        changed = con.execute(
            f"UPDATE observation_versions SET value = {ABSURD} FROM series s "
            f"WHERE s.series = observation_versions.series AND ({where})"
        )
        yield changed.fetchone()[0]
    finally:
        con.execute("ROLLBACK")


def world(con, as_of=None):
    con.execute("SET VARIABLE as_of = ?::DATE", [as_of])
    freeze(con)
    return Histories.from_frame(reference_frame(con))


@pytest.fixture(scope="module")
def clean(con):
    return world(con)


def seen(references, clean, mode, target):
    """What a forecast rests on: the references, and the target's own past as it was."""
    row = clean.info.row(by_predicate=pl.col("series") == target, named=True)
    return visible(references, row, mode, ORIGINS[target])


def test_every_mode_is_poisoned():
    assert {mode for mode, _ in FORBIDDEN} == set(FORECAST_MODES)


@pytest.mark.parametrize(("mode", "target"), FORBIDDEN)
def test_nothing_forbidden_reaches_a_forecast(con, clean, mode, target):
    # A whole series that is left out takes its own past with it; the backtest hands that to the forecaster apart.
    with poisoned(con, FORBIDDEN[mode, target]) as changed:
        assert changed > 20
        poison = world(con)
    assert poison.digest() != clean.digest()
    assert seen(poison, clean, mode, target).digest() == seen(clean, clean, mode, target).digest()


def test_one_allowed_value_does(con, clean):
    """Else the tests above could not fail: another country's past, the twin of no target, is read."""
    with poisoned(con, "s.series = 'grapher_internet_share/users_share/UGA' AND year(period_start) = 2009"):
        poison = world(con)
    for mode in FORECAST_MODES:
        target = f"{OWID}Internet" if mode == "leave-medium-out" else f"{GRAPHER}KEN"
        changed = seen(poison, clean, mode, target).digest() != seen(clean, clean, mode, target).digest()
        # In leave-medium-out the value is of the target's family, and must not be read either.
        assert changed is (mode != "leave-medium-out"), mode


def test_forecasts_are_the_same_to_the_last_bit(con, clean):
    target = f"{OWID}Landline"
    window = pl.DataFrame(
        [(target, ORIGINS[target], [2015, 2016, 2018])],
        schema={"series": pl.String, "origin": pl.Int32, "years": pl.List(pl.Int32)},
        orient="row",
    )
    own = clean.take(clean.info["series"] == target).until(ORIGINS[target])
    before = forecasts_of(window, clean, clean, PeerForecaster, mode="leave-one-out")
    with poisoned(con, FORBIDDEN["leave-one-out", target]):
        poison = world(con)
    assert forecasts_of(window, own, poison, PeerForecaster, mode="leave-one-out").equals(before)


def test_a_vintage_sees_nothing_published_later(con):
    """As of the end of 2018: no value of a later vintage, whatever year it is about; one published then is read."""
    before = world(con, "2018-12-31").digest()
    with poisoned(con, "known_from > DATE '2018-12-31'") as changed:
        assert changed > 1000
        assert world(con, "2018-12-31").digest() == before
    published = f"s.series = '{OWID}Radio' AND known_from <= DATE '2018-12-31' AND year(period_start) = 1930"
    with poisoned(con, published) as changed:
        assert changed == 1
        assert world(con, "2018-12-31").digest() != before
