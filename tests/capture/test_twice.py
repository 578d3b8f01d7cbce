"""Every source that can be asked, from its recorded response to the warehouse, twice: the second time nothing is new."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import made_world as made
import pytest
from longwave.pipelines.sources import SOURCES
from longwave.warehouse.store import reader

EXCERPTS = Path(__file__).parents[1] / "readers" / "excerpts"
RECORDED = {path.name for path in EXCERPTS.iterdir() if path.suffix != ".md"}

# The recorded response of a part, by source, measure (where a source has an endpoint for each) and name of the part.
RESPONSES = {
    ("fcc_stations", "am_station_power", "data"): "fcc_am.txt",
    ("fcc_stations", "fm_station_power", "data"): "fcc_fm.txt",
    ("fcc_stations", "tv_station_power", "data"): "fcc_tv.txt",
    ("fcc_totals", "", "data"): "fcc_totals_page.html",
    ("fcc_totals", "", "release"): "fcc_totals_release.txt",
    ("grapher_broadband", "", "data"): "grapher_broadband_2022-04.csv",
    ("grapher_internet_share", "", "data"): "grapher_internet_share_2026-02-22.csv",
    ("grapher_internet_share", "", "metadata"): "grapher_internet_share_2026-02-22.metadata.json",
    ("grapher_internet_users", "", "data"): "grapher_internet_users_2023-04.csv",
    ("grapher_internet_users_by_country", "", "data"): "grapher_internet_users_by_country_2022-04.csv",
    ("grapher_mobile", "", "data"): "grapher_mobile_2023-04.csv",
    ("grapher_platform_users", "", "data"): "grapher_platform_users.csv",
    ("grapher_platform_users", "", "metadata"): "grapher_platform_users.metadata.json",
    ("grapher_technology_adoption", "", "data"): "grapher_technology_adoption_2022-04.csv",
    ("hccta", "", "data"): "hccta.txt",
    ("itu", "radio_households", "data"): "itu_dictionary.json",
    ("itu", "radio_households", "values"): "itu_radio.csv",
    ("journals_accounts", "", "data"): "journals_accounts.csv",
    ("journals_followers", "", "data"): "journals_followers-2023-11-01.csv",
    ("owid_internet_users", "", "data"): "owid_internet_users_2019-01-18.csv",
    ("owid_itu_internet_share", "", "data"): "owid_itu_internet_share_2018-09-21.csv",
    ("owid_technology_diffusion", "", "data"): "owid_technology_diffusion_2019-07-27.csv",
    ("owid_wb_broadband", "", "data"): "owid_wb_broadband_2018-09-21.csv",
    ("owid_wb_internet_users", "", "data"): "owid_wb_internet_users_2018-09-21.csv",
    ("owid_wb_mobile", "", "data"): "owid_wb_mobile_2018-09-21.csv",
    ("pew_audio", "", "data"): "pew_audio_page.html",
    ("pew_cable_news", "", "data"): "pew_cable_news_page.html",
    ("pew_network_news", "", "data"): "pew_network_news_page.html",
    ("pew_platforms", "", "data"): "pew_platforms_page.html",
    ("scimago", "", "data"): "scimago_2024.csv",
    ("statcounter_social_gb", "", "data"): "statcounter_social_gb.csv",
    ("statcounter_social_jp", "", "data"): "statcounter_social_jp.csv",
    ("statcounter_social_kr", "", "data"): "statcounter_social_kr.csv",
    ("statcounter_social_us", "", "data"): "statcounter_social_us.csv",
    ("wdi", "users_share", "data"): "wdi_api_users_page-1.json",
    ("wdi", "users_share", "page-2"): "wdi_api_users_page-2.json",
    ("wikipedia_youtube", "", "data"): "wikipedia_youtube.html",
    ("worldbank_datahub", "mobile", "data"): "datahub_mobile_2026-04.csv",
    ("worldbank_datahub", "broadband", "data"): "datahub_broadband_2026-04.csv",
    ("worldbank_datahub", "landline", "data"): "datahub_landline_2018-08.csv",
    ("worldbank_datahub", "population", "data"): "datahub_population_2026-07.csv",
    ("worldbank_datahub", "gdp_per_head", "data"): "datahub_gdp_per_head_2026-07.csv",
    ("worldbank_datahub", "gdp_per_head_ppp", "data"): "datahub_gdp_per_head_ppp_2026-07.csv",
}
TYPES = {"csv": "text/csv", "json": "application/json", "html": "text/html", "text": "text/plain"}
# Ranks of 2024 are asked for from July 2025 on; everything else recorded here had been served by then.
FIRST = datetime(2025, 9, 3, 6, 0, tzinfo=UTC)
LATER = {
    "grapher_internet_share": datetime(2026, 3, 3, 6, 0, tzinfo=UTC),
    "wikipedia_youtube": datetime(2026, 10, 3, 6, 0, tzinfo=UTC),
}
ASKED = sorted(source for source, spec in SOURCES.items() if spec.endpoints)


def test_every_source_that_can_be_asked_has_a_recorded_response():
    assert {source for source, _, _ in RESPONSES} == set(ASKED)
    assert set(RESPONSES.values()) <= RECORDED


@pytest.fixture
def world(made_home, server, fetcher, tmp_path):
    return made.World(made_home, server, fetcher, made.empty_founding(tmp_path / "founding"))


def serve(world, reply, monkeypatch, source):
    """Put the recorded responses of a source at its addresses, and leave out endpoints and parts without one."""
    spec = SOURCES[source]
    endpoints = []
    for endpoint in spec.endpoints:
        parts = tuple(part for part in endpoint.parts if (source, endpoint.measure, part.name) in RESPONSES)
        if not parts:
            continue
        endpoints.append(replace(endpoint, parts=parts))
        first = (EXCERPTS / RESPONSES[(source, endpoint.measure, "data")]).read_bytes()
        further = endpoint.further(world.day.date(), first) if endpoint.further else ()
        for part in (*parts, *further):
            body = (EXCERPTS / RESPONSES[(source, endpoint.measure, part.name)]).read_bytes()
            world.serve(reply(body, type=TYPES[part.form]), url=part.address(world.day.date()))
    monkeypatch.setitem(SOURCES, source, replace(spec, endpoints=tuple(endpoints)))


@pytest.mark.parametrize("source", ASKED)
def test_the_second_refresh_is_unchanged_and_stores_a_revisit(world, reply, monkeypatch, source):
    world.day = LATER.get(source, FIRST)
    serve(world, reply, monkeypatch, source)
    first = world.refresh(0, [source])
    assert (first.outcome, first.refused, first.failures) == ("changed", [], [])
    assert first.added > 0
    before, stored = world.tables(), len(world.records())
    second = world.refresh(1, [source])
    assert (second.outcome, second.refused, second.failures) == ("unchanged", [], [])
    assert world.tables() == before
    assert {r.record_type for r in world.records()[stored:]} == {"revisit", "request"}
    with reader(world.home) as con:
        (exported,) = con.execute("SELECT redistribute FROM sources WHERE source = ?", [source]).fetchone()
    assert exported is SOURCES[source].redistribute
