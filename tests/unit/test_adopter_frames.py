"""Frames of adopters: each trap of the data on excerpts of the originals, and the rules of the panels' form."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from longwave.models.adopters import ADOPTERS, ATTENTION, COVARIATES
from longwave.pipelines.adopter_panels import panel_of
from longwave.pipelines.sources import SOURCES
from longwave.pipelines.sources._spec import Original
from longwave.warehouse import adopter_frames as frames
from longwave.warehouse.home import Home
from longwave.warehouse.panels import freeze
from longwave.warehouse.store import Warehouse
from longwave.warehouse.tidy import map_to_series

EXCERPTS = Path(__file__).resolve().parents[1] / "readers" / "excerpts"
MONTHS = ("2022-09-01", "2023-06-01", "2023-11-01")
TAKEN = [
    ("journals_accounts", "2023-11-01", "journals_accounts.csv"),
    *[("journals_followers", day, f"journals_followers-{day}.csv") for day in MONTHS],
    ("scimago_2010", "2026-11-26", "scimago_standing_2010.csv"),
    ("us_newspapers", "2026-06-15", "us_newspapers.csv"),
    ("pew_platforms", "2024-11-13", "pew_platforms_2024-11-13.csv"),
    ("statcounter_social_kr", "2023-06-07", "statcounter_social_kr.csv"),
]


def take(warehouse, source, vintage, data, file):
    """Merge what a source's reader makes of a file."""
    spec = SOURCES[source]
    original = Original(file, data)
    mapped = map_to_series(spec.read(original), source, spec.measures, adopter_kind=spec.adopter_kind, place=spec.place)
    row = {"capture": f"{source}@{vintage}", "source": source, "vintage": date.fromisoformat(vintage), "url": ""}
    row |= {"vintage_precision": "commit", "kind": "re-recorded", "original_bytes": 1, "original_sha256": "0" * 64}
    row |= {"content_sha256": "0" * 64, "reader_version": 1, "scope": spec.scope, "n_rows": mapped.rows.height}
    first, last = mapped.rows["period_start"].min(), mapped.rows["period_start"].max()
    span = (first, last) if spec.scope == "period" else (None, None)
    scope = [(measure.measure, "*", *span) for measure in spec.measures]
    warehouse.merge_capture(row, scope, mapped.series, mapped.rows, spec.words(original))


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory):
    """A warehouse with the excerpts in it, for reading."""
    with Warehouse(Home(tmp_path_factory.mktemp("excerpts") / "home")) as opened:
        for source, vintage, file in TAKEN:
            take(opened, source, vintage, (EXCERPTS / file).read_bytes(), file)
        yield opened


def adopters(found):
    return {row["adopter"]: row for row in found.adopters.iter_rows(named=True)}


def covariates(found, name):
    return {
        adopter: (at, value)
        for adopter, kind, at, value in found.covariates.select("adopter", "name", "at", "value").iter_rows()
        if kind == name
    }


def flagged(found, flag):
    return sorted(found.adopters.filter(pl.col("flags").str.split(",").list.contains(flag))["adopter"])


# --- journals


def test_a_journal_is_an_adopter_with_or_without_an_account(warehouse):
    found = frames.journals(warehouse.con)
    held = adopters(found)
    assert len(held) == 24, "27 journals, three of which opened an account on a day that nobody states"
    assert held["2d materials"]["adopted"] is None
    assert held["aaps pharmscitech"]["adopted"] == pytest.approx(2019 + 13 / 365)
    assert held["alpha psychiatry"]["adopted"] == pytest.approx(2020 + 362 / 366), "a leap year"
    assert held["american laboratory"]["cluster"] == "AMER LABORATORY-LABCOMPARE"
    assert held["american laboratory"]["field"] == "Chemistry, Analytical"
    assert {row["ended"] for row in held.values()} == {None}, "no account is known to have ended"
    assert found.first_launch == 2006.5


def test_a_journal_whose_day_nobody_states_did_not_never_adopt(warehouse):
    unknown = ["acta chiropterologica", "acta ophthalmologica", "human geography"]
    assert not set(unknown) & set(adopters(frames.journals(warehouse.con)))
    found = frames.journals(warehouse.con, undated=True)
    assert len(adopters(found)) == 27
    assert flagged(found, frames.UNKNOWN_OPENING) == unknown
    panel_of(found)


def test_a_shared_account_is_marked_on_both_journals_and_counted_in_whatever_case(warehouse):
    found = frames.journals(warehouse.con)
    pairs = ["body & society", "contemporary south asia", "contemporary southeast asia", "theory culture & society"]
    assert flagged(found, "shared_account") == pairs
    counted = found.attention.filter(pl.col("adopter").is_in(pairs)).sort("adopter", "at")
    by = {name: part["attention"].to_list() for (name,), part in counted.group_by("adopter", maintain_order=True)}
    assert by["body & society"] == by["theory culture & society"]
    assert by["contemporary south asia"] == by["contemporary southeast asia"]
    assert max(by["body & society"]) == 7960.0, "polled twice, seconds apart: the higher"


def test_a_day_without_an_account_and_two_days(warehouse):
    found = frames.journals(warehouse.con)
    nameless = flagged(found, "no_account_name")
    assert nameless == ["african american review", "african zoology"]
    assert not set(nameless) & set(found.attention["adopter"])
    assert flagged(found, "dates_differ") == ["annals of pharmacotherapy"]
    assert adopters(found)["annals of pharmacotherapy"]["adopted"] == pytest.approx(2009 + 104 / 365), "the first"


def test_followers_stand_on_the_day_they_were_counted_not_on_the_files(warehouse):
    found = frames.journals(warehouse.con)
    days = {round((at - 2023) * 365) for at in found.attention["at"] if 2023 <= at < 2023.5}
    assert days <= {150, 151}, "31 May and 1 June, in the file of 1 June"
    assert 150 in days
    assert found.attention.group_by("adopter", "at").len()["len"].max() == 1


def test_standing_is_by_the_print_issn_else_by_the_electronic_one(warehouse):
    found = frames.journals(warehouse.con)
    assert covariates(found, "sjr") == {
        "a + u-architecture and urbanism": (2011.0, 0.1),
        "aaps pharmscitech": (2011.0, 0.754),
        "american laboratory": (2011.0, 0.177),
        "body & society": (2011.0, 0.496),
    }
    assert covariates(found, "documents")["body & society"] == (2011.0, 77.0)
    assert covariates(found, "citations")["body & society"] == (2011.0, 129.0)


def said_of(change):
    """The list of journals with one of them changed."""
    data = (EXCERPTS / "journals_accounts.csv").read_bytes()
    changed = data.replace(*change)
    assert changed != data
    return changed


@pytest.mark.parametrize(
    ("numbers", "sjr", "flags"),
    [
        (b"0044-8486,1873-5622", 1.161, "standing_differs"),
        (b"1873-5622,0044-8486", 0.111, "standing_differs"),
        (b"NA,0044-8486", 1.161, ""),
        (b"2329-7662,0001-8392", 9.992, ""),
        (b"0016-7169,2329-7670", 0.294, "no_citable_documents"),
        (b"2329-7662,2329-7670", None, "no_standing,no_citable_documents"),
    ],
    ids=["they differ", "they differ the other way", "electronic alone", "electronic found", "no document", "neither"],
)
def test_standing_of_odd_numbers(made_home, numbers, sjr, flags):
    name = "3d printing and additive manufacturing"
    data = (EXCERPTS / "journals_accounts.csv").read_bytes().replace(b"2329-7662,2329-7670", numbers)
    with Warehouse(made_home) as warehouse:
        take(warehouse, "journals_accounts", "2023-11-01", data, "journals_accounts.csv")
        take(warehouse, "scimago_2010", "2026-11-26", (EXCERPTS / TAKEN[4][2]).read_bytes(), TAKEN[4][2])
        found = frames.journals(warehouse.con)
    assert covariates(found, "sjr").get(name) == (None if sjr is None else (2011.0, sjr))
    assert adopters(found)[name]["flags"] == flags


def test_what_came_after_the_opening_is_not_seen_as_prior(warehouse):
    panel = panel_of(frames.journals(warehouse.con))
    prior = dict(zip(panel.adopters["adopter"], panel.prior("sjr"), strict=True))
    assert prior["aaps pharmscitech"] == 0.754
    assert prior["a + u-architecture and urbanism"] == 0.1, "opened on 17 January 2011, after the year 2010"
    assert prior["american laboratory"] != prior["american laboratory"], "opened in 2009, before the ranks of 2010"


def test_publishers_are_one_in_whatever_case_and_the_first_of_two_counts(made_home):
    row = b"Pharmacology & Pharmacy,NA,NA,SAGE PUBLICATIONS INC,4/15/2009"
    data = said_of((row, row.replace(b"SAGE PUBLICATIONS INC", b"Harvey Whitney ")))
    with Warehouse(made_home) as warehouse:
        take(warehouse, "journals_accounts", "2023-11-01", data, "journals_accounts.csv")
        assert adopters(frames.journals(warehouse.con))["annals of pharmacotherapy"]["cluster"] == "HARVEY WHITNEY"


def test_before_anything_was_known_the_frames_are_empty_and_still_a_panel(warehouse):
    warehouse.con.execute("SET VARIABLE as_of = DATE '2010-01-01'")
    try:
        panels = [panel_of(read(warehouse.con)) for read in (frames.journals, frames.newspapers, frames.platforms)]
        panels.append(panel_of(frames.referrals(warehouse.con, "KOR")))
    finally:
        warehouse.con.execute("RESET VARIABLE as_of")
    for panel in panels:
        assert (panel.adopters.height, panel.attention.height, panel.covariates.height) == (0, 0, 0)


# --- newspapers and platforms


def test_a_count_of_0_is_an_end_and_is_dated_where_one_is_cited(warehouse):
    found = frames.newspapers(warehouse.con)
    held = adopters(found)
    assert len(held) == 12
    assert held["Rocky Mountain News"]["ended"] == pytest.approx(2009 + 57 / 365)
    assert held["New Orleans Times-Picayune"]["ended"] is None, "it left daily print and did not end"
    assert flagged(found, "left_daily_print") == ["New Orleans Times-Picayune"]
    assert found.attention.filter(pl.col("attention") <= 0).is_empty()
    assert found.attention.filter(pl.col("adopter") == "Rocky Mountain News")["at"].to_list() == [2004.5]
    assert found.attention.filter(pl.col("adopter") == "New York Times").select("at", "attention").rows() == [
        (2004.5, 1119027.0),
        (2013.5, 1865318.0),
    ]


def test_a_platform_that_sends_nobody_yet_is_missing_and_the_rest_is_no_platform(warehouse):
    found = frames.referrals(warehouse.con, "KOR")
    assert panel_of(found).attention["attention"].min() > 0
    assert flagged(found, "residue") == ["Other"]
    assert (
        {"Instagram", "Tumblr"} <= set(flagged(found, "zeros_left_out")) < set(found.adopters["adopter"]) - {"Facebook"}
    )
    facebook = found.attention.filter(pl.col("adopter") == "Facebook").sort("at").row(0)
    assert facebook == ("Facebook", pytest.approx(2013 + 120 / 365), 66.95)
    assert found.adopters["ended"].null_count() == found.adopters.height, "a share of 0 ends nobody"


def test_a_place_without_referrals_is_refused_by_name(warehouse):
    with pytest.raises(ValueError, match="referrals are held for GBR, JPN, KOR, USA, not for 'FRA'"):
        frames.referrals(warehouse.con, "FRA")


def test_an_end_that_nobody_cites_is_no_death(made_home):
    data = (EXCERPTS / "us_newspapers.csv").read_bytes().replace(b"Rocky Mountain News", b"Stony Mountain News")
    with Warehouse(made_home) as warehouse:
        take(warehouse, "us_newspapers", "2026-06-15", data, "us_newspapers.csv")
        found = frames.newspapers(warehouse.con)
    assert adopters(found)["Stony Mountain News"]["ended"] is None
    assert flagged(found, "end_not_cited") == ["Stony Mountain News"]


def test_finalists_before_the_first_count_are_prior_and_the_later_ones_are_not(warehouse):
    panel = panel_of(frames.newspapers(warehouse.con))
    prior = dict(zip(panel.adopters["adopter"], panel.prior("finalists"), strict=True))
    assert (prior["New York Times"], prior["Washington Post"]) == (55.0, 52.0)
    assert panel.covariates.filter(pl.col("adopter") == "New York Times").select("at", "value").rows() == [
        (2004.0, 55.0),
        (2015.0, 62.0),
    ]


def test_platforms_are_for_description_alone(warehouse):
    found = frames.platforms(warehouse.con)
    assert set(found.adopters["flags"]) == {"left_truncated,descriptive"}
    assert found.attention.filter(pl.col("adopter") == "TikTok")["attention"].to_list()[-1] == 33.0


# --- countries


def test_a_country_adopts_when_it_is_cited_or_at_1_percent_or_never(made_home, record):
    values = {
        ("United States", 1989): 0.2,
        ("United States", 1995): 9.2,
        ("Chad", 1999): 0.4,
        ("Chad", 2005): 1.0,
        ("Chad", 2010): 3.0,
        ("Eritrea", 2010): 0.7,
        ("Monaco", 2000): 42.0,
    }
    wealth = {("Chad", year): value for year, value in ((2004, 500.0), (2005, 700.0))}
    with Warehouse(made_home) as warehouse:
        record(warehouse, "grapher_internet_share", "2026-01-29", values)
        record(warehouse, "worldbank_datahub", "2026-07-01", wealth, measure="gdp_per_head")
        freeze(warehouse.con)
        found = frames.countries(warehouse.con, "internet")
    held = adopters(found)
    assert held["TCD"] == {
        "adopter": "TCD",
        "adopted": 2005.5,
        "ended": None,
        "cluster": "Middle Africa",
        "field": "Africa",
        "flags": "first_1_percent",
    }
    assert held["ERI"]["adopted"] is None
    assert held["ERI"]["flags"] == ""
    assert held["MCO"]["flags"] == "first_1_percent,left_truncated"
    assert held["USA"]["flags"] == "", "its launch is cited"
    assert found.attention.filter(pl.col("adopter") == "TCD").rows() == [("TCD", 2005.5, 1.0), ("TCD", 2010.5, 3.0)]
    assert "ERI" not in set(found.attention["adopter"]), "below 1 % nothing was adopted"
    panel = panel_of(found)
    prior = dict(zip(panel.adopters["adopter"], panel.prior("log_gdp_per_head"), strict=True))
    assert prior["TCD"] == pytest.approx(6.2146, abs=1e-3), "the year 2004, not the year of adoption"


def test_people_are_counted_per_hundred_by_the_data_sets_own_population(made_home, record):
    with Warehouse(made_home) as warehouse:
        record(warehouse, "hccta", "2004-01-01", {("France", 1930): 1000.0}, measure="radios", tag="a")
        record(warehouse, "hccta", "2004-01-01", {("France", 1930): 40000.0}, measure="population", tag="b")
        record(warehouse, "hccta", "2004-01-01", {("France", 1930): 200000.0}, measure="real_gdp", tag="c")
        freeze(warehouse.con)
        found = frames.countries(warehouse.con, "radio")
    assert found.attention.rows() == [("FRA", 1930.5, 2.5)]
    assert covariates(found, "log_gdp_per_head")["FRA"] == (1931.0, pytest.approx(8.517, abs=1e-3)), "5,000 a head"
    assert covariates(found, "log_population")["FRA"] == (1931.0, pytest.approx(17.504, abs=1e-3)), "40 million"


def test_a_medium_that_is_not_held_is_refused_by_name(warehouse):
    freeze(warehouse.con)
    with pytest.raises(ValueError, match=r"countries are held for radio, television.*not for 'telegraph'"):
        frames.countries(warehouse.con, "telegraph")


# --- all


def test_every_frame_has_the_declared_columns_and_only_flags_that_are_explained(warehouse):
    made = (
        frames.journals(warehouse.con, undated=True),
        frames.newspapers(warehouse.con),
        frames.platforms(warehouse.con),
        frames.referrals(warehouse.con, "KOR"),
    )
    for found in made:
        assert dict(found.adopters.schema) == ADOPTERS
        assert dict(found.attention.schema) == ATTENTION
        assert dict(found.covariates.schema) == COVARIATES
        said = set(found.adopters["flags"].str.split(",").explode()) - {""}
        assert said <= set(frames.FLAGS)
