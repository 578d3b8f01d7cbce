"""The reviewed tables of facts: complete, unambiguous and honest about what was seen."""

from importlib.resources import files

import polars as pl
import pytest
from longwave.models.upkeep import CARD
from longwave.pipelines.closeness import QUANTITIES, layers
from longwave.pipelines.sources import SOURCES

FACTS = files("longwave.warehouse") / "facts"
STATUS = {"verified", "unverified"}
REGIONS = {"Africa", "Americas", "Asia", "Europe", "Oceania"}
KINDS = {"country", "territory", "former", "aggregate"}
USER_ASSIGNED = {"XKX", "CHI"}
HEADERS = {
    "places": ["code", "iso2", "name", "kind", "region", "subregion", "citation", "status"],
    "aliases": ["name", "source", "code", "note", "citation", "url", "status"],
    "successors": ["predecessor", "successor", "year", "note", "citation", "url", "status"],
    "launches": ["medium", "place", "year", "event", "citation", "url", "status", "note"],
    "breaks": [
        "source",
        "medium",
        "adopter",
        "place",
        "year_from",
        "year_to",
        "reason",
        "citation",
        "url",
        "status",
        "note",
    ],
    "channels": ["channel", "title", "known", "medium", "group", "citation", "url", "status", "note"],
    "closeness": ["layer", "quantity", "low", "value", "high", "citation", "url", "status", "note"],
}
COMPARED = [
    "AUS",
    "AUT",
    "BEL",
    "CAN",
    "DNK",
    "FIN",
    "FRA",
    "DEU",
    "GRC",
    "ISL",
    "IRL",
    "ITA",
    "JPN",
    "LUX",
    "NLD",
    "NZL",
    "NOR",
    "PRT",
    "ESP",
    "SWE",
    "CHE",
    "GBR",
    "USA",
]


def table(name: str) -> pl.DataFrame:
    data = (FACTS / f"{name}.csv").read_bytes()
    return pl.read_csv(data, infer_schema=False, null_values=None).fill_null("")


def duplicated(frame: pl.DataFrame, *columns: str) -> list[tuple[str, ...]]:
    return frame.group_by(*columns).len().filter(pl.col("len") > 1).drop("len").rows()


def place_codes() -> set[str]:
    return set(table("places")["code"])


@pytest.mark.parametrize("name", HEADERS)
def test_bytes_and_columns(name: str) -> None:
    data = (FACTS / f"{name}.csv").read_bytes()
    data.decode("utf-8")
    assert b"\r" not in data
    assert not data.startswith(b"\xef\xbb\xbf")
    assert data.endswith(b"\n")
    frame = table(name)
    assert frame.columns == HEADERS[name]
    assert frame.height > 0
    assert not duplicated(frame, *frame.columns)
    stray = [c for c in frame.columns if (frame[c] != frame[c].str.strip_chars()).any()]
    assert stray == []


@pytest.mark.parametrize("name", HEADERS)
def test_status_is_stated_and_verified_rows_are_cited(name: str) -> None:
    frame = table(name)
    assert set(frame["status"]) <= STATUS
    assert frame.filter((pl.col("status") == "verified") & (pl.col("citation") == "")).is_empty()
    if "url" in frame.columns:
        addressed = frame.filter(pl.col("url") != "")["url"]
        assert addressed.str.contains(r"^https?://[^\s]+$").all()


def test_every_iso_country_and_territory_once() -> None:
    places = table("places")
    assert duplicated(places, "code") == []
    assert duplicated(places, "name") == []
    assert set(places["kind"]) == KINDS
    assert (places["name"] != "").all()
    iso = places.filter(pl.col("kind").is_in(["country", "territory"]) & ~pl.col("code").is_in(USER_ASSIGNED))
    assert iso.height == 249
    assert iso["code"].str.contains(r"^[A-Z]{3}$").all()
    assert iso["iso2"].str.contains(r"^[A-Z]{2}$").all()
    assert iso["iso2"].n_unique() == 249


def test_namibia_is_text_and_kosovo_is_there() -> None:
    places = {row["code"]: row for row in table("places").iter_rows(named=True)}
    assert places["NAM"]["iso2"] == "NA"
    assert places["NAM"]["name"] == "Namibia"
    assert places["XKX"]["iso2"] == "XK"
    assert places["XKX"]["kind"] == "country"
    assert places["TUR"]["name"] == "Türkiye"


def test_regions() -> None:
    places = table("places")
    lands = places.filter(pl.col("kind") != "aggregate")
    without = set(lands.filter(pl.col("region") == "")["code"])
    assert without == {"ATA"}, "Antarctica alone is in no region"
    assert set(lands.filter(pl.col("code") != "ATA")["region"]) == REGIONS
    assert (lands.filter(pl.col("code") != "ATA")["subregion"] != "").all()
    owners = lands.filter(pl.col("subregion") != "").group_by("subregion").agg(pl.col("region").n_unique())
    assert (owners["region"] == 1).all(), "a subregion lies in one region"
    assert (places.filter(pl.col("kind") == "aggregate")["region"] == "").all()


def test_aliases_lead_to_one_place_each() -> None:
    aliases, places = table("aliases"), table("places")
    assert aliases.filter(pl.struct("name", "source").is_duplicated()).is_empty()
    assert set(aliases["code"]) <= set(places["code"])
    assert set(aliases["source"]) - {"*"} <= set(SOURCES), "an alias of one source names a source there is"
    aliases = aliases.filter(pl.col("source") == "*")
    own = dict(places.select("name", "code").iter_rows())
    clashes = [n for n, c in aliases.select("name", "code").iter_rows() if n in own]
    assert clashes == [], "a place's own name needs no alias"
    assert not set(aliases["name"]) & set(places["code"]), "an alias is never another place's code"


@pytest.mark.parametrize(
    ("served", "code"),
    [
        ("Turkey", "TUR"),
        ("Turkiye", "TUR"),
        ("Swaziland", "SWZ"),
        ("Czech Republic", "CZE"),
        ("Macedonia, FYR", "MKD"),
        ("Macedonia", "MKD"),
        ("Korea, Dem. People's Rep.", "PRK"),
        ("Korea, Dem. People’s Rep.", "PRK"),
        ("Korea, Rep.", "KOR"),
        ("Congo, Dem. Rep.", "COD"),
        ("Congo, Rep.", "COG"),
        ("Viet Nam", "VNM"),
        ("Timor", "TLS"),
        ("OWID_KOS", "XKX"),
        ("OWID_WRL", "WLD"),
        ("OWID_HIC", "HIC"),
        ("High-income countries", "HIC"),
        ("WB_EAP", "EAS"),
        ("East Asia and Pacific (WB)", "EAS"),
        ("Middle East and North Africa", "MEA"),
        ("Middle East, North Africa, Afghanistan & Pakistan", "MEA"),
    ],
)
def test_names_that_changed(served: str, code: str) -> None:
    aliases = dict(table("aliases").select("name", "code").iter_rows())
    assert aliases[served] == code


def test_successors() -> None:
    successors, codes = table("successors"), place_codes()
    assert duplicated(successors, "predecessor", "successor") == []
    assert set(successors["predecessor"]) <= codes
    assert set(successors["successor"]) <= codes
    heirs = dict(successors.group_by("predecessor").agg(pl.col("successor")).iter_rows())
    assert len(heirs["SUN"]) == 15
    assert set(heirs["CSK"]) == {"CZE", "SVK"}
    assert set(heirs["DDR"]) == {"DEU"}
    assert set(heirs["SDN"]) == {"SDN", "SSD"}
    assert set(heirs["SCG"]) == {"SRB", "MNE"}
    assert {"CUW", "SXM", "BES"} <= set(heirs["ANT"])
    assert {"SVN", "HRV", "BIH", "MKD", "SRB", "MNE", "XKX"} <= set(heirs["YUG"])
    assert successors["year"].cast(pl.Int32).is_between(1980, 2026).all()


def test_launches_one_each_and_verified_ones_have_an_address() -> None:
    launches = table("launches")
    assert duplicated(launches, "medium", "place") == []
    assert set(launches["place"]) <= place_codes()
    assert launches["year"].cast(pl.Int32).is_between(1820, 2026).all()
    assert (launches["event"] != "").all()
    assert (launches["note"] != "").all()
    assert launches.filter((pl.col("status") == "verified") & (pl.col("url") == "")).is_empty()


def test_launches_cover_the_media_that_are_compared() -> None:
    launches = table("launches")
    assert set(launches["medium"]) <= set(table("media")["medium"])
    for medium in ("radio", "television"):
        assert set(launches.filter(pl.col("medium") == medium)["place"]) == {*COMPARED, "WLD"}
    for medium in ("internet", "social", "telephone", "mobile telephone", "personal computer"):
        assert {"WLD", "USA"} <= set(launches.filter(pl.col("medium") == medium)["place"])


def test_nothing_is_launched_before_its_first_launch_anywhere() -> None:
    launches = table("launches").with_columns(pl.col("year").cast(pl.Int32))
    first = launches.filter(pl.col("place") == "WLD").select("medium", first="year")
    early = launches.join(first, on="medium").filter(pl.col("year") < pl.col("first"))
    assert early.is_empty()


def test_breaks() -> None:
    breaks = table("breaks").with_columns(pl.col("year_from", "year_to").cast(pl.Int32))
    assert (breaks["year_from"] <= breaks["year_to"]).all()
    assert duplicated(breaks, "source", "medium", "adopter", "place", "year_from") == []
    assert set(breaks["place"]) <= place_codes() | {"*"}
    assert set(breaks["medium"]) <= set(table("media")["medium"]) | {"*"}
    assert (breaks.select("source", "adopter", "reason", "note") != "").to_series().all()
    assert set(breaks["source"]) <= set(table("concept_groups")["source"])
    listed = set(breaks.select("source", "medium", "place").iter_rows())
    assert ("owid_technology_diffusion", "telephone", "USA") in listed
    assert ("owid_technology_diffusion", "social", "USA") in listed
    assert ("pew_platforms", "social", "USA") in listed
    assert {p for s, _, p in listed if s == "grapher_internet_share"} >= {"GHA", "MDA", "ZMB", "IRQ", "MCO"}


def test_every_channel_of_the_counts_has_its_rule() -> None:
    rules = table("channels")
    assert duplicated(rules, "channel") == duplicated(rules, "title") == []
    counted = pl.read_csv(FACTS.parent / "founding" / "factcheck" / "2017-07-31.false.csv")["entity"]
    assert set(rules["channel"]) == set(counted)
    assert set(rules["known"]) == {"yes", "no"}
    known = rules.filter(pl.col("known") == "yes")
    assert (known["group"] != "").all()
    assert 1 < known["group"].n_unique() < known.height
    assert set(rules["medium"]) - {""} <= set(table("media")["medium"])


def test_layers_of_closeness_hold_every_quantity_once_and_an_assumption_is_not_verified() -> None:
    closeness = table("closeness")
    assert duplicated(closeness, "layer", "quantity") == []
    assert set(closeness.group_by("layer").agg(pl.col("quantity").sort())["quantity"].to_list()[0]) == set(QUANTITIES)
    assert closeness.height == len(QUANTITIES) * closeness["layer"].n_unique()
    assumed = closeness.filter(pl.col("note").str.contains("assumption"))
    assert assumed.height == 2
    assert set(assumed["status"]) == {"unverified"}
    assert [layer.up_to for layer in layers()] == [5, 15, 50, 150, 1500]
    # The last layer is kept at a card a year, and the card is the same wherever it is named.
    assert layers()[-1].minutes == CARD


def test_the_minutes_of_the_inner_layers_are_those_of_their_source() -> None:
    """17.5 and 4.5 minutes and 37 seconds a day for each person; the low end is 41 of 210 minutes of that."""
    daily = [17.5, 4.5, 37 / 60, 37 / 60]
    for layer, minutes in zip(layers()[:-1], daily, strict=True):
        assert layer.yearly.value == pytest.approx(365 * minutes, rel=1e-3)
        assert layer.yearly.low == pytest.approx(365 * minutes * 41 / 210, rel=1e-3)
        assert layer.yearly.high == layer.yearly.value
