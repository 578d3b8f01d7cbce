"""Journals, their accounts and followers, and their standing, asked live. Exact values, and each refusal seen."""

from datetime import date

import polars as pl
import pytest
from live_answers import DAY, FOLLOWERS, RANKS, excerpt, problem, read, said, values
from longwave.pipelines.sources import SOURCES
from longwave.pipelines.sources._spec import Original
from longwave.warehouse.attributes import check_attributes
from longwave.warehouse.tidy import check_frame

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
