"""Stations and households, asked live. Exact values, and each refusal seen.

Where no real response could be had, the excerpt follows the publisher's documentation: `excerpts/README.md` says which.
"""

from datetime import date
from urllib.parse import urlsplit

import pytest
from live_answers import DAY, excerpt, problem, read, values
from longwave.pipelines.sources import SOURCES
from longwave.pipelines.sources._spec import Original
from longwave.pipelines.sources.fcc_totals import SERVICES
from longwave.warehouse.errors import Refused
from longwave.warehouse.tidy import map_to_series

# --- FCC: totals -----------------------------------------------------------------------------------------------------


def release(*changes):
    data = excerpt("fcc_totals_release.txt")
    for old, fresh in changes:
        assert old in data
        data = data.replace(old, fresh, 1)
    return data


def test_totals_by_service_on_the_day_they_speak_of():
    frame = read("fcc_totals", excerpt("fcc_totals_page.html"), release=release())
    assert set(frame["period_start"]) == {date(2016, 6, 30)}, "not the day of the press release"
    counts = values(frame)
    assert set(counts) == set(SERVICES.values())
    assert counts["AM stations"] == 4676.0
    assert counts["FM educational stations"] == 4099.0
    assert counts["VHF class A television"] == 16.0
    assert counts["low power FM stations"] == 1565.0, "its number stands twice"
    assert sum(counts.values()) == 31816.0
    mapped = map_to_series(frame, "fcc_totals", SOURCES["fcc_totals"].measures, adopter_kind="service", place="USA")
    media = dict(mapped.series.select("adopter", "medium").rows())
    assert media["FM commercial stations"] == "radio"
    assert media["UHF commercial television"] == "television"


def test_a_page_of_totals_reads_as_its_text_does():
    text = release().decode()
    page = f"<!DOCTYPE html><html><body><p>{text.replace(' & ', ' &amp; ').replace(' TOTAL', '</p><p>TOTAL')}</p></body></html>"
    assert read("fcc_totals", page.encode()).equals(read("fcc_totals", release()))


def test_the_newest_release_is_asked_for_as_text():
    further = SOURCES["fcc_totals"].endpoints[0].further
    (part,) = further(DAY, excerpt("fcc_totals_page.html"))
    assert part.address(DAY) == "https://docs.fcc.gov/public/attachments/DOC-340002A1.txt"
    assert part.form == "text"
    assert urlsplit(part.url).hostname in SOURCES["fcc_totals"].allowed_hosts
    assert further(DAY, b"<html><body>no link</body></html>") == ()
    assert problem("fcc_totals", b"<html><body>no link</body></html>").rule == "date"


@pytest.mark.parametrize(
    ("change", "rule", "found"),
    [
        ((b"FM COMMERCIAL 6714", b"FM COMMERCIAL 6715"), "sums", "15,490 when added up"),
        ((b"TOTAL 418", b"TOTAL 419"), "sums", "418 when added up"),
        ((b"STATIONS 31,816", b"STATIONS 31,817"), "sums", "31,816 when added up"),
        ((b"LOW POWER FM 1565 1,565", b"LOW POWER FM 1565 1,566"), "services", "LOW POWER FM 1565 1,566"),
        ((b"VHF TRANSLATORS 867", b"UHF TRANSLATORS 867"), "services", "UHF TRANSLATORS 867"),
        ((b"CLASS A VHF", b"CLASS B VHF"), "services", "CLASS B VHF STATIONS 16"),
        ((b"FM COMMERCIAL 6714", b"FM COMMERCIAL " + b"9" * 5_000), "sums", "8,775 when added up"),
        ((b"TOTAL BROADCAST STATIONS 31,816", b""), "totals", "15 services without it"),
        ((b"AM STATIONS", b"AMS"), "totals", "0 services without it"),
    ],
    ids=["group", "total", "all", "two numbers", "twice", "unknown", "endless", "cut short", "no services"],
)
def test_totals_refused(change, rule, found):
    refused = problem("fcc_totals", release(change))
    assert (refused.rule, refused.found) == (rule, found)


def test_a_release_without_a_day_is_refused():
    data = release((b"AS OF JUNE 30, 2016", b"AS OF JUNE 31, 2016"))
    assert problem("fcc_totals", data).rule == "date"


# --- FCC: stations ---------------------------------------------------------------------------------------------------


def test_am_stations_have_the_power_of_the_day():
    frame = read("fcc_stations", excerpt("fcc_am.txt"))
    assert set(frame["period_start"]) == {DAY}
    assert values(frame, "am_station_power") == {
        "KAZN (PASADENA, CA; facility 51426)": 23.0,
        "WBZ (BOSTON, MA; facility 25444)": 50.0,
        "WAAB (EXAMPLE CITY, OH; facility 90003)": 0.25,
    }, "not the night's, nor critical hours, nor a construction permit, nor Canada"
    assert set(frame["measure"]) == {"am_station_power"}


def test_fm_stations_have_the_strongest_licensed_power():
    assert values(read("fcc_stations", excerpt("fcc_fm.txt"))) == {
        "KQRS-FM (GOLDEN VALLEY, MN; facility 35505)": 100.0,
        "KUVO (DENVER, CO; facility 16687)": 12.0,
        "KAAC (DENVER, CO; facility 90010)": 0.45,
        "KAAD (DENVER, CO; facility 90011)": 0.3,
        "KUVO (ASPEN, CO; facility 90013)": 6.0,
    }, "a call sign with another facility is another station; vertical where there is no horizontal; none without power"


def test_television_stations_are_the_full_power_ones():
    frame = read("fcc_stations", excerpt("fcc_tv.txt"))
    assert values(frame) == {
        "KAAF-TV (DENVER, CO; facility 90020)": 45.3,
        "KAAG (DENVER, CO; facility 90021)": 1000.0,
    }
    assert set(frame["measure"]) == {"tv_station_power"}


@pytest.mark.parametrize(
    "change",
    [
        (b"|51426      |", b"|51426      |  |"),
        (b"|51426      |", b"|none       |"),
        (b"|51426      |N ", b"|51426      |X "),
        (b"|51426      |N ", b"|51426      |  "),
        (b"|KAZN        |", b"|            |"),
        (b"|51426      |N |34 |7  |8.0   |W ", b"|51426      |N |34 |7  |8.0   |- "),
        (b"|KAZN        |", b"KAZN        |"),
        (b"|KAZN        |", b"AM|KAZN        |"),
        (b"bac674a09acf4f90ac85c1b6063ebeb7   |", b"bac674a09ac"),
    ],
    ids=[
        "a field more",
        "no facility",
        "no hemisphere",
        "blank",
        "neither west nor east",
        "no call sign",
        "no pipe",
        "text before it",
        "cut short",
    ],
)
def test_a_record_of_another_form_is_refused(change):
    data = excerpt("fcc_am.txt")
    assert change[0] in data
    found = problem("fcc_stations", data.replace(*change, 1))
    assert found.rule == "records"
    assert found.rows[0].startswith("line 1: ")


def test_power_without_its_unit_is_refused():
    found = problem("fcc_stations", excerpt("fcc_am.txt").replace(b"|23.0   kW |", b"|23000  W  |"))
    assert found.rule == "power"
    assert found.rows == ("line 1: 'KAZN', '23000  W'",)


def test_a_query_without_a_day_is_refused():
    assert problem("fcc_stations", excerpt("fcc_am.txt"), day=None).rule == "day"


def test_each_band_is_asked_apart():
    queries = {endpoint.measure: endpoint.parts[0].address(DAY) for endpoint in SOURCES["fcc_stations"].endpoints}
    assert queries == {
        "am_station_power": "https://transition.fcc.gov/fcc-bin/amq?freq=530&fre2=1700&type=0&list=4&size=9",
        "fm_station_power": "https://transition.fcc.gov/fcc-bin/fmq?serv=FM&list=4&size=9",
        "tv_station_power": "https://transition.fcc.gov/fcc-bin/tvq?list=4&size=9",
    }


# --- ITU -------------------------------------------------------------------------------------------------------------


def test_households_with_a_radio():
    frame = read("itu", excerpt("itu_dictionary.json"), values=excerpt("itu_radio.csv"))
    assert frame.select("measure", "code", "period_start", "value").rows() == [
        ("radio_households", "ALB", date(2010, 1, 1), 61.5),
        ("radio_households", "ALB", date(2011, 1, 1), 60.0),
        ("radio_households", "NAM", date(2012, 1, 1), 79.9),
        ("radio_households", "TUR", date(2012, 1, 1), 33.1),
    ], "towns apart are not read, and no value is no statement"
    dated = SOURCES["itu"].dated(
        Original("itu", b"{}", "", None, {"data": b"{}", "values": excerpt("itu_radio.csv")}, DAY)
    )
    assert dated == date(2024, 5, 6)


def test_a_download_without_any_value_is_refused():
    head, *rows = excerpt("itu_radio.csv").splitlines(keepends=True)
    assert problem("itu", head + rows[2] + rows[3]).rule == "series"


def test_households_with_a_television():
    data = excerpt("itu_radio.csv").replace(b"Households with a radio", b"Proportion of households with a TV")
    assert set(read("itu", data)["measure"]) == {"television_households"}


@pytest.mark.parametrize(("measure", "code"), [("radio_households", "90001"), ("television_households", "90002")])
def test_the_number_of_an_indicator_is_read_from_the_dictionary(measure, code):
    (endpoint,) = [e for e in SOURCES["itu"].endpoints if e.measure == measure]
    (part,) = endpoint.further(DAY, excerpt("itu_dictionary.json"))
    assert part.address(DAY) == f"https://api.datahub.itu.int/v3/data/download?codesid={code}"
    assert urlsplit(part.url).hostname in SOURCES["itu"].allowed_hosts


@pytest.mark.parametrize(
    "dictionary",
    [
        b"not JSON",
        b"[]",
        b"{",
        b"\xff",
        b'[{"codeID": 1, "label": "Households with a radio"}, {"codeID": 2, "label": "Households with radio"}]',
        b'[{"codeID": "1&x=2", "label": "Households with a radio"}]',
        b"[" * 100_000,
    ],
    ids=["text", "empty", "cut", "no UTF-8", "several", "no number", "too deep"],
)
def test_a_dictionary_that_does_not_name_one_indicator_asks_for_nothing_and_is_refused(dictionary):
    assert SOURCES["itu"].endpoints[0].further(DAY, dictionary) == ()
    original = Original("itu", dictionary, "", None, {"data": dictionary}, DAY)
    with pytest.raises(Refused, match="dictionary: expected one indicator"):
        SOURCES["itu"].read(original)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ((b"Households with a radio,%", b"Households with a computer,%"), "series"),
        ((b"Households with a radio,%", b"Households with a radio,thousands"), "series"),
        (
            (b"90001,HH1,Households with a radio,%,Household,2010", b"90002,HH2,Households with a TV,%,Household,2010"),
            "series",
        ),
        ((b",61.5,", b",n/a,"), "numbers in Value"),
        ((b",2010,", b",2010Q1,"), "numbers in Year"),
        ((b"AreaCode", b"Area Code"), "columns"),
        ((b'"Survey, national",2023', b"Survey, national,2023"), "rows"),
        ((b"SeriesID,", b"<html>,"), "text"),
    ],
    ids=["another series", "another unit", "two series", "text", "quarter", "renamed", "unquoted", "a page"],
)
def test_households_refused(change, rule):
    data = excerpt("itu_radio.csv")
    assert change[0] in data
    times = -1 if rule == "series" and b"TV" not in change[1] else 1
    assert problem("itu", data.replace(*change, times)).rule == rule
