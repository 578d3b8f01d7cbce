"""How platforms stood first and last: missing is not 0, one that vanishes has no rank, a month that does not add up is none."""

import numpy as np
import polars as pl
import pytest
from longwave.models.adopters import ADOPTERS, ATTENTION, COVARIATES, AdopterPanel
from longwave.models.standings import centred_log_ratios, logits, shares_of_a_whole, shares_of_people
from longwave.pipelines import find
from longwave.pipelines.blocks_platforms import platform_blocks
from longwave.pipelines.claim_names import ADULTS, REFERRALS_IN
from longwave.pipelines.find_platforms import platform_rows
from longwave.reports import svg
from longwave.warehouse.adopter_frames import BEHIND, REFERRALS, changes_of_method

SHARES = {"A": (50.0, 20.0), "B": (30.0, 40.0), "C": (15.0, 35.0), "Other": (5.0, 5.0)}
EVERY_SOURCE = [*BEHIND["platforms"], *BEHIND["referrals"]]


def panel(rows, unit="%"):
    """A panel of platforms from rows of adopter, time and share."""
    names = sorted({name for name, *_ in rows})
    adopters = [
        (name, min(at for own, at, _ in rows if own == name), None, name, "p", "residue" if name == "Other" else "")
        for name in names
    ]
    return AdopterPanel(
        "social",
        unit,
        1997.5,
        pl.DataFrame(adopters, schema=ADOPTERS, orient="row"),
        pl.DataFrame(rows, schema=ATTENTION, orient="row"),
        pl.DataFrame(schema=COVARIATES),
    )


def months(shares=SHARES, years=(2014, 2015, 2016)):
    """Twelve months a year, from the first shares to the last."""
    rows = []
    for at, year in enumerate(years):
        part = at / (len(years) - 1)
        rows += [
            (name, year + month / 12, first + part * (last - first))
            for name, (first, last) in shares.items()
            for month in range(12)
        ]
    return rows


def by_name(found):
    return {each.adopter: each for each in found.standings}


# --- shares of a whole


def test_gains_are_against_the_others_and_add_up_to_nothing():
    found = shares_of_a_whole(panel(months()))
    assert (found.since, found.until, found.status) == (2014, 2016, "compared")
    own = by_name(found)
    assert list(own) == ["A", "B", "C"], "all the rest together is no platform"
    logs = {name: np.log(last / first) for name, (first, last) in SHARES.items() if name != "Other"}
    for name, each in own.items():
        assert each.gain == pytest.approx(logs[name] - np.mean(list(logs.values())))
    assert sum(each.gain for each in own.values()) == pytest.approx(0)
    assert [(each.rank_first, each.rank_last) for each in own.values()] == [(1, 3), (2, 1), (3, 2)]
    assert found.agreement == pytest.approx(-1 / 3)


def test_a_platform_not_shown_in_one_month_is_left_out_and_moves_no_other():
    whole = months({**SHARES, "D": (0.01, 0.01)})
    kept = by_name(shares_of_a_whole(panel(months())))
    found = shares_of_a_whole(panel([row for row in whole if row[0] != "D" or row[1] != 2016.5]))
    assert found.left_out == {"D": "not over 0 in every month of 2016 (11 of 12)"}
    assert {name: each.gain for name, each in by_name(found).items()} == {
        name: each.gain for name, each in kept.items()
    }


def test_one_that_vanishes_has_no_rank_and_no_end():
    shares = {**SHARES, "A": (40.0, 20.0), "Gone": (10.0, 0.0)}
    found = shares_of_a_whole(panel([row for row in months(shares) if row[2] > 0]))
    assert found.left_out == {"Gone": "not over 0 in every month of 2016 (0 of 12)"}
    assert "Gone" not in by_name(found)
    assert [each.rank_last for each in found.standings] == [3, 1, 2], "nobody is ranked behind the others for it"


def test_a_zero_that_is_handed_over_counts_as_missing():
    shares = {**SHARES, "A": (40.0, 20.0), "Gone": (10.0, 0.0)}
    with_zeros, without = (
        shares_of_a_whole(panel(rows)) for rows in (months(shares), [r for r in months(shares) if r[2]])
    )
    assert with_zeros == without


@pytest.mark.parametrize("year", [2014, 2016])
def test_a_year_with_a_month_that_does_not_add_up_is_not_compared(year):
    off = [(name, at, share * (1.02 if at == year + 0.25 else 1.0)) for name, at, share in months()]
    found = shares_of_a_whole(panel(off))
    assert found.refused == {year: "11 of its 12 months held add up to 100"}
    assert (found.since, found.until) == ((2015, 2016) if year == 2014 else (2014, 2015))
    rounded = [(name, at, share * 1.0003) for name, at, share in months()]
    assert shares_of_a_whole(panel(rounded)).refused == {}, "what rounding does is no fault"


def test_a_year_that_is_not_over_is_not_compared():
    found = shares_of_a_whole(panel([row for row in months() if row[1] < 2016.9]))
    assert (found.until, found.refused) == (2015, {2016: "11 of its 12 months held add up to 100"})


def test_too_few_years_or_platforms_say_why():
    assert shares_of_a_whole(panel(months(years=(2014, 2015))[:12])).status == "fewer than two whole years"
    two = {"A": (60.0, 50.0), "B": (40.0, 50.0)}
    assert shares_of_a_whole(panel(months(two))).status == "fewer than 3 held in both years"


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_nothing_is_put_in_the_place_of_a_zero(bad):
    with pytest.raises(ValueError, match="shares must be over 0"):
        centred_log_ratios(np.array([[1.0, bad]]))


# --- shares of people

FIRST = [("A", 2012.6, 54.0), ("B", 2012.6, 16.0), ("C", 2012.6, 13.0)]
LAST = [("A", 2021.1, 69.0), ("B", 2021.1, 20.0), ("C", 2021.1, 40.0), ("New", 2021.1, 81.0)]
BROKEN = [("A", 2023.4, 10.0), ("B", 2023.4, 90.0), ("C", 2023.4, 50.0)]


def test_nothing_is_compared_across_a_change_of_method():
    surveys = panel([*FIRST, *LAST, *BROKEN])
    found = shares_of_people(surveys, [(2022.0, 2024.0)])
    assert (found.since, found.until) == (2012.6, 2021.1)
    assert [(each.adopter, each.rank_first, each.rank_last) for each in found.standings] == [
        ("A", 1, 1),
        ("B", 2, 3),
        ("C", 3, 2),
    ]
    assert by_name(found)["A"].gain == pytest.approx(np.log(0.69 / 0.31) - np.log(0.54 / 0.46))
    assert found.left_out == {"New": "not asked about in the first survey"}, "asked later is not 0 before"
    assert shares_of_people(surveys).until == 2023.4
    assert shares_of_people(surveys, [(2013.0, 2030.0)]).status == "no second survey by the same method"


def test_a_survey_about_one_platform_is_no_standing():
    early = [("A", 2012.1, 53.0), ("Gone", 2012.6, 9.0)]
    found = shares_of_people(panel([*early, *FIRST, *LAST]))
    assert found.since == 2012.6
    assert found.left_out["Gone"] == "not asked about in the last survey"


def test_shares_of_none_or_all_have_no_logit():
    with pytest.raises(ValueError, match="between 0 and 100"):
        logits(np.array([0.0]))
    found = shares_of_people(panel([*FIRST, *LAST, ("All", 2012.6, 50.0), ("All", 2021.1, 100.0)]))
    assert found.left_out["All"] == "at 0 or at 100 in one of the two"


def test_the_verified_changes_of_method_are_known():
    assert (2022.0, 2024.0) in changes_of_method()


# --- rows and figures


def tables(rows):
    kept = {"findings": rows.findings, "finding_curves": rows.curves}
    return [find.as_table(part, name, "s", find.date(2026, 1, 1), "key") for name, part in kept.items()]


@pytest.fixture(scope="module")
def found():
    adults = panel([*FIRST, *LAST, *BROKEN])
    return platform_rows(adults, {place: panel(months()) for place in REFERRALS}, [(2022.0, 2024.0)])


def test_no_number_has_an_interval_and_each_says_why(found):
    table = tables(found)[0]
    assert table["lo"].null_count() == table["hi"].null_count() == table["level"].null_count() == table.height
    assert table["note"].null_count() == 0
    agreement = table.filter(pl.col("measure") == "rank_agreement")
    assert set(agreement["subject"]) == {ADULTS, *(f"{REFERRALS_IN}{place}" for place in REFERRALS)}


def test_the_figures_say_what_the_rows_do_and_stand_beside_no_verdict(found):
    adults, referrals = platform_blocks(*tables(found), EVERY_SOURCE)
    assert adults.figure.layout.title.text == "A led in 2012 and in 2021; C rose from rank 3 to 2 of 3"
    assert adults.frame.select("platform", "first", "last").rows()[0] == ("A", 54.0, 69.0)
    assert "still did in 2016 in 0 of 4 countries" in referrals.figure.layout.title.text.replace("<br>", " ")
    assert referrals.frame.height == 12
    for block, caveat in ((adults, "which is not when it began"), (referrals, "a share of clicks, not of use")):
        assert "no part in a verdict" in block.note
        assert caveat in block.note
        assert svg.render(block.figure, 960, int(block.figure.layout.height), block.alt).startswith("<svg")


def test_rows_of_a_source_that_may_not_be_passed_on_are_not_shown(found):
    (only,) = platform_blocks(*tables(found), ["statcounter_social_gb"])
    assert set(only.frame["country"]) == {"United Kingdom"}
    assert platform_blocks(*tables(found), []) == []


def test_nothing_held_is_no_row_and_no_figure():
    empty = AdopterPanel(
        "social", "%", 1997.5, *(pl.DataFrame(schema=each) for each in (ADOPTERS, ATTENTION, COVARIATES))
    )
    rows = platform_rows(empty, {"GBR": empty}, [])
    assert rows.findings == rows.curves == []
    assert platform_blocks(*tables(rows), EVERY_SOURCE) == []
