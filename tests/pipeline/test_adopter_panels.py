"""Panels of adopters as the real run leaves them: how many there are, and why not more."""

import polars as pl
import pytest
from longwave.pipelines.adopter_panels import panel_of
from longwave.warehouse import adopter_frames as frames
from longwave.warehouse.home import Home
from longwave.warehouse.panels import freeze
from longwave.warehouse.store import reader

NOVEMBER = 2022 + 304 / 365


@pytest.fixture(scope="module")
def con(full_home):
    with reader(Home(full_home.home)) as opened:
        freeze(opened)
        yield opened


@pytest.fixture(scope="module")
def journals(con):
    """Every journal, those whose day of opening nobody states too."""
    return panel_of(frames.journals(con, undated=True))


def flagged(panel, flag):
    return panel.adopters.filter(pl.col("flags").str.split(",").list.contains(flag))


def test_every_journal_is_there_with_or_without_an_account(con, journals):
    """13,821 titles stand on 14,983 rows; 3,883 of these have a handle, 3,813 a day."""
    adopters = journals.adopters
    assert adopters.height == 13821
    assert adopters["adopted"].null_count() == 10399
    assert adopters.filter(pl.col("adopted") >= 2007).height == 3422, "journals on two rows count once"
    # 3,477 journals have a handle; 3,389 of these a day, and 33 have a day and no handle.
    assert flagged(journals, "no_account_name").height == 33
    assert flagged(journals, frames.UNKNOWN_OPENING).height == 90, "88 with a handle, 2 without"
    assert flagged(journals, "shared_account").height == 4
    assert flagged(journals, "dates_differ").height == 1
    dated = panel_of(frames.journals(con))
    assert dated.adopters.height == 13821 - 90
    assert dated.attention["adopter"].n_unique() == 3389


def test_followers_of_november_2022_that_join_the_ranks(con, journals):
    """2,787 journals by either ISSN (2,780 by the print one alone), on 2,786 accounts: of one shared pair both have ranks."""
    november = journals.attention.filter((pl.col("at") - NOVEMBER).abs() < 0.001)
    assert november.height == 3433
    ranked = journals.covariates.filter(pl.col("name") == "sjr")
    assert ranked.height == 11717
    joined = november.join(ranked.select("adopter", "value"), on="adopter")
    assert joined.height == 2787
    accounts = frames.journal_attributes(con).join(joined, on="adopter", how="semi")
    assert accounts["account"].n_unique() == 2786
    spearman = joined.select(pl.corr("attention", "value", method="spearman")).item()
    assert spearman == pytest.approx(0.34, abs=0.005), "as seen in the originals: the join gives each its own ranks"


def test_accounts_counted_that_no_journal_has_any_more_are_left_out(con, journals):
    """3,510 accounts were ever counted: 35 of their handles no journal in the list of November 2023 has."""
    sql = "SELECT count(DISTINCT adopter) FROM observations WHERE source = 'journals_followers'"
    counted = con.sql(sql).pl().item()
    held = frames.journal_attributes(con)["account"].drop_nulls().n_unique()
    assert (counted, held) == (3510, 3475)
    assert journals.attention["adopter"].n_unique() == 3477, "each account of the list was counted; two are shared"


def test_months_that_were_never_counted_are_missing_and_not_zero(journals):
    days = set(journals.attention["at"].round(4))
    assert [at for at in days if 2022 + 334 / 365 <= at < 2023] == [], "December 2022"
    assert [at for at in days if 2023 + 181 / 365 <= at < 2023 + 211.5 / 365] == [], "July 2023"
    assert len(days) == 15, "14 months, one of them on two days"


def test_standing_that_differs_between_two_issn_and_journals_without_documents(journals):
    assert flagged(journals, "standing_differs")["adopter"].to_list() == [
        "aquaculture",
        "earthquake spectra",
        "zeitschrift fur geschichtswissenschaft",
    ]
    assert flagged(journals, "no_standing").height == 13821 - 11717
    assert flagged(journals, "no_citable_documents").height == 2126, "22 of them are in the ranks without a document"


@pytest.mark.parametrize(
    ("medium", "n", "first", "never", "cited", "wealth"),
    [
        ("radio", 21, 1920.5, 0, 21, 21),
        ("television", 21, 1936.5, 0, 21, 21),
        ("telephone", 21, 1877.5, 0, 1, 21),
        ("newspapers", 21, 1605.5, 0, 0, 21),
        ("computers", 21, 1975.5, 0, 1, 21),
        ("mobile", 214, 1979.5, 0, 2, 204),
        ("internet", 213, 1989.5, 4, 1, 206),
    ],
)
def test_countries(con, medium, n, first, never, cited, wealth):
    panel = panel_of(frames.countries(con, medium))
    assert (panel.adopters.height, panel.first_launch) == (n, first)
    assert panel.adopters["adopted"].null_count() == never
    implied = flagged(panel, "first_1_percent")
    assert panel.adopters.height - never - implied.height == cited
    prior = panel.prior("log_gdp_per_head")
    assert int((prior == prior).sum()) == wealth
    assert panel.adopters["cluster"].null_count() == 0
    assert panel.attention["attention"].min() >= 0


def test_newspapers_by_country_were_far_along_when_first_counted(con):
    assert flagged(panel_of(frames.countries(con, "newspapers")), "left_truncated").height == 16


def test_newspapers_and_platforms(con):
    papers = panel_of(frames.newspapers(con))
    assert (papers.adopters.height, papers.attention.height, papers.covariates.height) == (50, 98, 100)
    assert papers.adopters["ended"].drop_nulls().len() == 1
    assert panel_of(frames.platforms(con)).adopters.height == 12
    by_referrals = [panel_of(frames.referrals(con, place)).adopters.height for place in frames.REFERRALS]
    assert by_referrals == [15, 17, 13, 15]


def test_the_sources_behind_a_panel_are_those_of_its_figures(con):
    assert frames.sources_behind_countries("radio") == ["hccta"]
    assert frames.sources_behind_countries("mobile") == ["worldbank_datahub"]
    assert frames.sources_behind_countries("internet") == ["grapher_internet_share", "worldbank_datahub"]
    held = set(con.sql("SELECT source FROM sources").pl()["source"])
    assert {source for sources in frames.BEHIND.values() for source in sources} <= held
