"""Sources that are only asked live: journals, stations, households, channels. Exact values, and each refusal seen.

Where no real response could be had, the excerpt follows the publisher's documentation: `excerpts/README.md` says which.
"""

import re
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

import polars as pl
import pytest
from longwave.pipelines.sources import SOURCES
from longwave.pipelines.sources._cells import day_in, plain
from longwave.pipelines.sources._spec import Original
from longwave.pipelines.sources.fcc_totals import SERVICES
from longwave.warehouse.attributes import check_attributes
from longwave.warehouse.errors import Refused
from longwave.warehouse.store import Warehouse, reader
from longwave.warehouse.tidy import check_frame, map_to_series
from longwave.warehouse.world import load_fact

EXCERPTS = Path(__file__).parent / "excerpts"
DAY = date(2026, 9, 23)
FOLLOWERS = "https://raw.githubusercontent.com/andreaspacher/journals-on-twitter/HEAD/Follower_Counts/followers-{}.csv"
RANKS = "https://www.scimagojr.com/journalrank.php?year={}&out=xls"
NEW = ["fcc_stations", "fcc_totals", "itu", "journals_accounts", "journals_followers", "scimago", "wikipedia_youtube"]


def excerpt(file):
    return (EXCERPTS / file).read_bytes()


ANSWERS = {
    "journals_followers": [("journals_followers-2023-11-01.csv", FOLLOWERS.format("2023-11-01"))],
    "journals_accounts": [("journals_accounts.csv", "")],
    "scimago": [("scimago_2010.csv", RANKS.format(2010)), ("scimago_2024.csv", RANKS.format(2024))],
    "fcc_totals": [("fcc_totals_release.txt", "")],
    "fcc_stations": [("fcc_am.txt", ""), ("fcc_fm.txt", ""), ("fcc_tv.txt", "")],
    "itu": [("itu_radio.csv", "")],
    "wikipedia_youtube": [("wikipedia_youtube.html", "")],
}
EACH = [(source, file, url) for source, answers in ANSWERS.items() for file, url in answers]
each = pytest.mark.parametrize(("source", "file", "url"), EACH, ids=[file for _, file, _ in EACH])
new = pytest.mark.parametrize("source", NEW)


def read(source, data, url="", day=DAY, **parts):
    named = {name.replace("_", "-"): part for name, part in parts.items()}
    return SOURCES[source].read(Original(source, data, url, None, named, day))


def problem(source, data, url="", day=DAY, **parts):
    """The one problem of a refusal."""
    with pytest.raises(Refused) as caught:
        read(source, data, url, day, **parts)
    (found,) = caught.value.problems
    return found


def said(frame, measure=None):
    if measure:
        frame = frame.filter(pl.col("measure") == measure)
    rows = [((entity, start), value) for entity, start, value in frame.select("entity", "period_start", "value").rows()]
    assert len(dict(rows)) == len(rows), "one value a key"
    return dict(rows)


def values(frame, measure=None):
    return {entity: value for (entity, _), value in said(frame, measure).items()}


# --- all of them -----------------------------------------------------------------------------------------------------


@each
def test_excerpts_pass_the_declared_checks(source, file, url):
    spec = SOURCES[source]
    frame = read(source, excerpt(file), url)
    checks = check_frame(frame, source, spec.measures, DAY, places_expected=spec.adopter_kind == "place")
    assert {check.check: check.found for check in checks if not check.passed} == {}
    assert len(excerpt(file).splitlines()) <= 61


@each
def test_rows_in_another_order_and_crlf_are_the_same_figures(source, file, url):
    frame = read(source, excerpt(file), url)
    folded = excerpt(file).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    assert read(source, folded, url).equals(frame)
    if file not in ("fcc_totals_release.txt", "wikipedia_youtube.html"):
        head = 0 if file.startswith("fcc") else 1
        lines = excerpt(file).splitlines(keepends=True)
        turned = lines[:head] + lines[: head - 1 if head else None : -1]
        assert read(source, b"".join(turned), url).equals(frame)


@each
@pytest.mark.parametrize(
    ("bad", "rule"),
    [(b"", "not empty"), (b" \n", "not empty"), (b"a\x00b", "text"), (b"\xe9t\xe9 \xff", "text")],
    ids=["nothing", "blanks", "NUL", "Latin-1"],
)
def test_what_is_no_text_is_refused(source, file, url, bad, rule):
    assert problem(source, bad, url).rule == rule


@pytest.mark.parametrize("source", [name for name in NEW if name not in ("fcc_totals", "wikipedia_youtube")])
def test_a_page_where_a_table_was_promised_is_refused(source):
    url = ANSWERS[source][0][1]
    assert problem(source, b"<!DOCTYPE html><html><body>Just a moment</body></html>", url).found == "an HTML page"


@new
def test_a_declaration_is_honest_and_whole(source):
    spec = SOURCES[source]
    real = {"journals_followers": "2023-11-01", "journals_accounts": "2023-11-01"}
    assert spec.proven_on == real.get(source)
    assert spec.licence
    assert spec.citation
    assert spec.redistribute is (source != "itu"), "for non-commercial purposes alone"
    assert spec.endpoints
    for endpoint in spec.endpoints:
        assert endpoint.parts[0].name == "data"
        assert len({part.name for part in endpoint.parts}) == len(endpoint.parts)
        for part in endpoint.parts:
            address = urlsplit(part.address(DAY))
            assert address.scheme == "https"
            assert address.hostname in spec.allowed_hosts
            assert not re.search("[{}]", part.address(DAY))
    given = [endpoint.measure for endpoint in spec.endpoints if endpoint.measure]
    assert sorted(given) in ([], sorted(m.measure for m in spec.measures)), (
        "each measure has its endpoint, or all have one"
    )
    assert len(given) in (0, len(spec.endpoints))


@new
def test_every_measure_has_its_concept(source):
    groups = load_fact("concept_groups").filter(pl.col("source") == source)
    adopters = set(SERVICES.values()) if source == "fcc_totals" else {"*"}
    assert {(m, a) for m, a in groups.select("measure", "adopter").rows()} == {
        (m.measure, a) for m in SOURCES[source].measures for a in adopters
    }
    assert set(groups["medium"]) <= set(load_fact("media")["medium"])


def test_no_more_than_sixty_asset_checks():
    assert len(SOURCES) <= 60


@each
def test_adopters_are_no_places_and_their_kind_is_declared(source, file, url):
    spec, frame = SOURCES[source], read(source, excerpt(file), url)
    mapped = map_to_series(frame, source, spec.measures, adopter_kind=spec.adopter_kind, place=spec.place)
    kinds = {
        "itu": {"country"},
        "scimago": {"journal"},
        "journals_accounts": {"journal"},
        "fcc_totals": {"service"},
        "fcc_stations": {"station"},
    }
    assert set(mapped.series["adopter_kind"]) == kinds.get(source, {"account"})
    if source != "itu":
        assert set(mapped.series["place"]) == {spec.place}
    assert mapped.rows.height == frame.height


def test_a_zero_of_an_account_is_real(made_home, record):
    """Beside a country, whose zero after users were counted is filler."""
    with Warehouse(made_home) as warehouse:
        record(warehouse, "journals_followers", "2026-01-01", {("@a", 2022): 10.0, ("@a", 2023): 0.0})
        record(warehouse, "itu", "2026-01-01", {("Chad", 2010): 10.0, ("Chad", 2011): 0.0})
    with reader(made_home) as con:
        flagged = con.sql("SELECT adopter, flags FROM observations WHERE value = 0 ORDER BY adopter").fetchall()
    assert flagged == [("@a", ""), ("Chad", "filler_zero")]


# --- journals: followers ---------------------------------------------------------------------------------------------


def followers(file, *changes):
    data = excerpt(f"journals_followers-{file}.csv")
    for old, fresh in changes:
        assert old in data
        data = data.replace(old, fresh)
    return data, FOLLOWERS.format(file)


def test_followers_are_dated_by_the_row():
    frame = read("journals_followers", *followers("2023-06-01"))
    counts = said(frame)
    assert set(frame["period_kind"]) == {"date"}
    assert counts["@forbes", date(2023, 5, 31)] == 19017077.0
    assert counts["@natureastronomy", date(2023, 6, 1)] == 40458.0
    assert counts["@cpdcurrent", date(2023, 5, 31)] == 0.0, "nobody follows it, and that is a count"


def test_an_account_is_one_whatever_its_case_and_however_many_journals_share_it():
    may, september = (said(read("journals_followers", *followers(day))) for day in ("2023-06-01", "2022-09-01"))
    assert {key[1]: value for key, value in may.items() if key[0] == "@tcsjournalsage"} == {
        date(2023, 5, 31): 7797.0,
        date(2023, 6, 1): 7797.0,
    }, "polled on two days"
    assert [value for key, value in september.items() if key[0] == "@contemporarysa"] == [1942.0]
    assert [value for key, value in september.items() if key[0] == "@jlme_aslme"] == [1948.0], "one handle on two rows"
    november = said(read("journals_followers", *followers("2023-11-01")))
    assert november["@tcsjournalsage", date(2023, 11, 1)] == 7960.0, "7957 and 7960, seconds apart: the later, higher"


def test_months_are_read_together_and_dated_by_the_newest_day():
    newest, older = followers("2023-11-01")[0], followers("2022-09-01")[0]
    parts = {"data": newest, "followers-2022-09-01": older}
    original = Original("journals_followers", newest, FOLLOWERS.format("2023-11-01"), None, parts, DAY)
    spec = SOURCES["journals_followers"]
    apart = said(read("journals_followers", *followers("2023-11-01")))
    apart |= said(read("journals_followers", *followers("2022-09-01")))
    assert said(spec.read(original)) == apart
    assert spec.dated(original) == date(2023, 11, 1)
    names = [part.name for part in spec.endpoints[0].parts]
    assert len(names) == 14
    assert not {"followers-2022-12-01", "followers-2023-07-01"} & set(names), "never collected"
    assert spec.endpoints[0].parts[0].address(DAY).endswith("/followers-2023-11-01.csv")


def test_a_missing_count_or_handle_is_no_statement():
    data, url = followers("2023-11-01", (b"3DPrintingJrnl,9166", b"3DPrintingJrnl,NA"), (b",aupublishing,", b",NA,"))
    kept = {key[0] for key in said(read("journals_followers", data, url))}
    assert "@3dprintingjrnl" not in kept
    assert "@aupublishing" not in kept
    assert "@forbes" in kept


@pytest.mark.parametrize(
    ("change", "rule", "row"),
    [
        ((b"Forbes,19663187", b"Forbes,many"), "numbers in followers", "line 8: 'many'"),
        ((b"Forbes,19663187,2023-11-01", b"Forbes,19663187,11/1/2023"), "dates", "line 8: '11/1/2023'"),
        ((b"Forbes,19663187,2023-11-01", b"Forbes,19663187,2023-10-24"), "dates", "line 8: '2023-10-24'"),
        ((b"tcsjournalsage,7957", b"tcsjournalsage,7000"), "shared accounts", "'@tcsjournalsage'"),
        ((b"journal_title,twitter,followers", b"journal_title,handle,followers"), "columns", None),
        ((b"Forbes,19663187,2023-11-01", b"Forbes,19663187"), "rows", "line 8: 3 fields"),
    ],
    ids=["text", "another date", "another month", "accounts apart", "renamed", "short"],
)
def test_followers_refused(change, rule, row):
    data, _ = followers("2023-11-01")
    lines = data.splitlines()
    at = next((i for i, line in enumerate(lines, 1) if b"Forbes" in line), None)
    found = problem("journals_followers", *followers("2023-11-01", change))
    assert found.rule == rule
    if row:
        assert row.replace("line 8", f"line {at}") in found.rows[0]


def test_a_file_that_does_not_say_its_month_is_refused():
    data, _ = followers("2023-11-01")
    assert problem("journals_followers", data, "https://example.org/latest.csv").rule == "file name"


# --- journals: accounts ----------------------------------------------------------------------------------------------


def test_accounts_are_opened_on_a_day_by_a_journal():
    frame = read("journals_accounts", excerpt("journals_accounts.csv"))
    assert set(frame["value"]) == {1.0}
    opened = dict(frame.filter(~pl.col("entity").is_duplicated()).select("entity", "period_start").rows())
    assert opened == {
        "3d printing and additive manufacturing": date(2013, 6, 28),
        "a + u-architecture and urbanism": date(2011, 1, 17),
        "aaps pharmscitech": date(2019, 1, 14),
        "ab imperio-studies of new imperial history and nationalism in the post-soviet space": date(2011, 5, 2),
        "african american review": date(2020, 7, 11),
        "african zoology": date(2016, 12, 4),
        "alpha psychiatry": date(2020, 12, 28),
        "american laboratory": date(2009, 4, 21),
        "bmj paediatrics open": date(2018, 3, 15),
        "body & society": date(2010, 3, 14),
        "contemporary south asia": date(2015, 4, 29),
        "contemporary southeast asia": date(2015, 4, 29),
        "journal of law medicine & ethics": date(2020, 3, 29),
        "theory culture & society": date(2010, 3, 14),
    }, "a journal on several rows once; a day without a handle is a day"
    twice = frame.filter(pl.col("entity").is_duplicated())
    assert twice.select("entity", "period_start").rows() == [
        ("annals of pharmacotherapy", date(2009, 4, 15)),
        ("annals of pharmacotherapy", date(2020, 4, 11)),
    ], "two days are stated, and both are kept"


def words(data):
    """{journal: {attribute: value}} of the list of journals, which passes its declared checks."""
    spec = SOURCES["journals_accounts"]
    frame = spec.words(Original("journals_accounts", data))
    assert [c.check for c in check_attributes(frame, spec.attributes) if not c.passed] == []
    found = {}
    for adopter, name, value in frame.rows():
        found.setdefault(adopter, {})[name] = value
    return found


def test_what_is_said_of_every_journal_in_words():
    found = words(excerpt("journals_accounts.csv"))
    assert len(found) == 27, "30 rows: three journals stand on two"
    assert found["3d printing and additive manufacturing"] == {
        "account": "@3dprintingjrnl",
        "has_account": "yes",
        "issn": "2329-7662",
        "e_issn": "2329-7670",
        "publisher": "MARY ANN LIEBERT, INC",
        "field": "Engineering, Manufacturing",
        "index": "SCIE",
    }, "the first category, commas and all"
    assert found["2d materials"]["has_account"] == "no"
    assert "account" not in found["2d materials"]
    assert "account" not in found["african american review"], "an account is stated, and no handle"
    assert found["african american review"]["has_account"] == "yes"
    assert found["african zoology"]["has_account"] == "no", "a day is stated, and no account"
    assert found["journal of law medicine & ethics"]["field"] == "Medical Ethics", "science before social sciences"
    assert found["journal of law medicine & ethics"]["index"] == "SCIE, SSCI"
    assert "issn" not in found["alpha psychiatry"]
    shared = {name: said["account"] for name, said in found.items() if said.get("account") == "@contemporarysa"}
    assert sorted(shared) == ["contemporary south asia", "contemporary southeast asia"], (
        "in whatever case it is written"
    )
    without = found["human geography"]
    assert (without.get("field"), without.get("index"), without["publisher"]) == (None, None, "SAGE")


def test_two_publishers_of_a_journal_are_both_kept():
    data = excerpt("journals_accounts.csv")
    row = b"annals of pharmacotherapy,1060-0280,1542-6270,AnnalsofPharm,0,0,1,1,Pharmacology & Pharmacy,NA,NA,"
    changed = data.replace(row + b"SAGE PUBLICATIONS INC,4/15/2009", row + b"HARVEY WHITNEY,4/15/2009")
    assert changed != data
    assert words(changed)["annals of pharmacotherapy"]["publisher"] == "HARVEY WHITNEY | SAGE PUBLICATIONS INC"


def test_a_journal_that_has_an_account_on_one_row_of_two_has_one():
    data = excerpt("journals_accounts.csv")
    (row,) = [row for row in data.splitlines() if row.startswith(b"annals of") and row.endswith(b"4/11/2020")]
    without = row.replace(b"AnnalsofPharm,0,0,1,1", b"NA,0,0,1,0").replace(b"4/11/2020", b"NA")
    found = words(data.replace(row, without))["annals of pharmacotherapy"]
    assert (found["account"], found["has_account"]) == ("@annalsofpharm", "yes")


def test_words_of_journals_do_not_follow_the_order_of_the_rows():
    header, *rows = excerpt("journals_accounts.csv").splitlines(keepends=True)
    assert words(header + b"".join(reversed(rows))) == words(header + b"".join(rows))


@pytest.mark.parametrize(
    ("change", "rule", "row"),
    [
        ((b"6/28/2013", b"2013-06-28"), "dates", "line 5: '2013-06-28'"),
        ((b"2329-7662", b"23297662"), "ISSN", "line 5: '23297662'"),
        ((b",e_issn,", b",eissn,"), "columns", None),
        ((b",account_created_date", b",twitter"), "columns", None),
        ((b"human geography,", b"NA,"), "titles", "line 31: '1942-7786'"),
        ((b"0,0,0,1,NA,NA,NA,SAGE", b"0,0,0,yes,NA,NA,NA,SAGE"), "numbers in has_twitter", "line 31: 'yes'"),
    ],
    ids=["another date", "another ISSN", "renamed", "twice", "without a title", "another mark"],
)
def test_accounts_refused(change, rule, row):
    data = excerpt("journals_accounts.csv")
    assert change[0] in data
    found = problem("journals_accounts", data.replace(*change))
    assert found.rule == rule
    assert found.rows == ((row,) if row else ())


# --- SCImago ---------------------------------------------------------------------------------------------------------


def test_ranks_of_the_older_form():
    frame = read("scimago", excerpt("scimago_2010.csv"), RANKS.format(2010))
    assert set(frame["period_start"]) == {date(2010, 1, 1)}
    assert values(frame, "sjr") == {
        "0007-9235": 24.413,
        "0304-3975": 0.986,
        "0378-5955": 0.5,
        "sourceid 100002": 0.263,
        "sourceid 100003": 0.101,
    }, "the better ranked keeps a shared ISSN; the lowest of several stands; a dash is no rank"
    assert values(frame, "citations")["0007-9235"] == 6123.0, "a point between thousands of a count"
    documents = values(frame, "citable_documents")
    assert documents["0304-3975"] == 1475.0
    assert documents["sourceid 100002"] == 0.0, "no citable document is a count"
    assert "sourceid 100004" in documents, "eight zeros are no ISSN"


def test_ranks_of_the_newer_form():
    frame = read("scimago", excerpt("scimago_2024.csv"), RANKS.format(2024))
    assert values(frame, "sjr") == {"0007-9235": 145.004, "1111-2222": 1.0}
    assert values(frame, "citations") == {"0007-9235": 40834.0, "1111-2222": 1234.0}
    assert values(frame, "citable_documents") == {"0007-9235": 81.0, "1111-2222": 5.0}


@pytest.mark.parametrize(
    ("day", "year"), [(date(2026, 6, 30), 2024), (date(2026, 7, 1), 2025), (date(2027, 1, 1), 2025)]
)
def test_the_last_year_that_is_out_is_asked_for(day, year):
    assert SOURCES["scimago"].endpoints[0].parts[0].address(day) == RANKS.format(year)


@pytest.mark.parametrize(
    ("url", "change", "found"),
    [
        (RANKS.format(2011), (b"", b""), "2011 in the address, 2010 in the header"),
        (RANKS.format(2010), (b"(2010)", b"(2002)"), "2010 in the address, 2002 in the header"),
        ("https://www.scimagojr.com/journalrank.php?out=xls", (b"", b""), "none in the address, 2010 in the header"),
        (RANKS.format(2010), (b"Total Docs. (2010)", b"Total Docs."), "2010 in the address, none in the header"),
    ],
    ids=["another year", "a mirror's header", "no year", "no year in the header"],
)
def test_a_year_that_header_and_address_do_not_share_is_refused(url, change, found):
    data = excerpt("scimago_2010.csv")
    refused = problem("scimago", data.replace(*change) if change[0] else data, url)
    assert (refused.rule, refused.found) == ("year", found)


@pytest.mark.parametrize(
    ("change", "rule", "row"),
    [
        ((b";24,413;", b";24.413;"), "numbers in SJR", "line 2: '24.413'"),
        ((b";0,986;", b";about one;"), "numbers in SJR", "line 3: 'about one'"),
        ((b";0,986;", b";-0,986;"), "numbers in SJR", "line 3: '-0,986'"),
        ((b";2407;", b";2.40;"), "numbers in Total Cites (3years)", "line 3: '2.40'"),
        ((b"2;20571;", b"first;20571;"), "numbers in Rank", "line 3: 'first'"),
        ((b";Issn;", b";ISSN;"), "columns", None),
        ((b"Total Refs.;", b"SJR;"), "columns", None),
        ((b'"A Journal; with a Semicolon"', b"A Journal; with a Semicolon"), "rows", "line 4: 21 fields"),
    ],
    ids=["a point", "text", "negative", "odd thousands", "rank", "renamed", "twice", "a field more"],
)
def test_ranks_refused(change, rule, row):
    data = excerpt("scimago_2010.csv")
    assert change[0] in data
    found = problem("scimago", data.replace(*change), RANKS.format(2010))
    assert found.rule == rule
    assert found.rows == ((row,) if row else ())


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


# --- Wikipedia -------------------------------------------------------------------------------------------------------


def page(*changes):
    data = excerpt("wikipedia_youtube.html")
    for old, fresh in changes:
        assert old in data, old
        data = data.replace(old, fresh)
    return data


def test_channels_of_the_day_the_table_states():
    frame = read("wikipedia_youtube", page())
    assert set(frame["period_start"]) == {date(2026, 9, 21)}, "the table's, not that of the text above it"
    assert values(frame) == {
        "MrBeast": 517.0,
        "T-Series": 315.0,
        "Stokes Twins": 146.0,
        "Example Kids & Family": 99.9,
    }, "no footnotes, no marks; a dash is no count; the history below is another table"


AS_OF = b'<tr class="sortbottom"><td colspan="7"><small>As of 21&nbsp;September&nbsp;2026</small></td></tr>'


def test_a_caption_states_the_day_too_and_else_the_day_served_stands():
    caption = page((AS_OF, b""), (b'id="mwDg"><tbody>', b'id="mwDg"><caption>As of September 1, 2026</caption><tbody>'))
    assert set(read("wikipedia_youtube", caption)["period_start"]) == {date(2026, 9, 1)}
    assert set(read("wikipedia_youtube", page((AS_OF, b"")))["period_start"]) == {DAY}


def test_a_month_is_no_day():
    vague = page((b"As of 21&nbsp;September&nbsp;2026", b"As of September 2026"))
    assert set(read("wikipedia_youtube", vague)["period_start"]) == {DAY}


def test_the_older_header_is_read_alike():
    older = page((b"<th>Name</th>", b"<th>Channel</th>"), (b"<th>Language</th>", b"<th>Brand channel</th>"))
    assert read("wikipedia_youtube", older).equals(read("wikipedia_youtube", page()))


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ([(b"(millions)", b"(thousands)")], "table"),
        ([(b"<th>Name</th>", b"<th>Who</th>"), (b"<th>Channel</th>", b"<th>Whose</th>")], "table"),
        ([(b"<td>315</td>", b"<td>many</td>")], "numbers in Subscribers (millions)"),
        ([(b"<td>315</td>", b"")], "rows"),
        ([(b"<th>Language</th>", b"<th>Name</th>"), (b"<th>Channel</th>", b"<th>Whose</th>")], "table"),
        ([(b"<th>Category</th>", b"<th>Link</th>")], "columns"),
        ([(b"</html>", b"")], "whole page"),
    ],
    ids=["another unit", "no names", "text", "a cell short", "names twice", "a column twice", "cut short"],
)
def test_channels_refused(changes, rule):
    assert problem("wikipedia_youtube", page(*changes)).rule == rule


def test_a_list_without_any_day_is_refused():
    assert problem("wikipedia_youtube", page((AS_OF, b"")), day=None).rule == "day"


# --- cells -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("as of June 30, 2016:", date(2016, 6, 30)),
        ("As of 1 March 2024", date(2024, 3, 1)),
        ("JUNE 31, 2016, corrected July 1, 2016", date(2016, 7, 1)),
        ("June 2016", None),
        ("", None),
    ],
)
def test_days_in_words(text, day):
    assert day_in(text) == day


def test_text_of_a_page_is_what_is_shown():
    shown = b"<html><!-- a > b --><style>p { }</style><script>if (1 < 2) {}</script><p>A&amp;B\n<b>c</b></p></html>"
    assert plain("page", shown, "a page") == "A&B c"
    assert plain("file", b"a < b  and c > d\n", "a text") == "a < b and c > d"


# --- the originals ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def journals(originals):
    """The folder of the journals' original files."""
    return originals / "journals_twitter"


@pytest.mark.originals
def test_every_month_of_the_originals(journals):
    spec = SOURCES["journals_followers"]
    parts = spec.endpoints[0].parts
    data = {part.name: (journals / part.url.rsplit("/", 1)[1]).read_bytes() for part in parts}
    assert {path.name for path in journals.glob("followers-*.csv")} == {part.url.rsplit("/", 1)[1] for part in parts}
    original = Original("journals_followers", data["data"], parts[0].url, None, data, DAY)
    frame = spec.read(original)
    checks = check_frame(frame, spec.source, spec.measures, date(2023, 11, 1), places_expected=False)
    assert [check.check for check in checks if not check.passed] == []
    # 48,429 rows: two pairs of journals share an account in 14 files, once on two days, and one handle stands twice.
    assert frame.height == 48401
    assert frame["entity"].n_unique() == 3510
    days = dict(frame.group_by("period_start").len().rows())
    assert len(days) == 15
    assert (days[date(2023, 5, 31)], days[date(2023, 6, 1)]) == (2390, 974)
    assert (days[date(2022, 9, 1)], days[date(2023, 2, 28)], days[date(2023, 3, 31)]) == (3473, 3458, 3464)
    assert spec.dated(original) == date(2023, 11, 1)


@pytest.mark.originals
def test_every_account_of_the_originals(journals):
    spec = SOURCES["journals_accounts"]
    original = Original("journals_accounts", (journals / "twitter_accounts_of_journals.csv").read_bytes())
    frame = spec.read(original)
    checks = check_frame(frame, spec.source, spec.measures, date(2023, 11, 1), places_expected=False)
    assert [check.check for check in checks if not check.passed] == []
    # 3,813 rows with a day: journals on several rows, and one with two days.
    assert (frame.height, frame["entity"].n_unique()) == (3423, 3422)
    assert (frame["period_start"].min(), frame["period_start"].max()) == (date(2007, 3, 18), date(2022, 4, 20))
    held = words(original.data)
    assert len(held) == 13821
    # 3,883 rows with a handle; two pairs of journals share one.
    accounts = [said["account"] for said in held.values() if "account" in said]
    assert (len(accounts), len(set(accounts))) == (3477, 3475)
    assert sum(said["has_account"] == "yes" for said in held.values()) == 3494
