"""What all sources share that are only asked live, days and words in their cells, and the list of channels.

Where no real response could be had, the excerpt follows the publisher's documentation: `excerpts/README.md` says which.
"""

import re
from datetime import date
from urllib.parse import urlsplit

import polars as pl
import pytest
from live_answers import DAY, FOLLOWERS, RANKS, excerpt, problem, read, values
from longwave.pipelines.sources import SOURCES
from longwave.pipelines.sources._cells import day_in, plain
from longwave.pipelines.sources.fcc_totals import SERVICES
from longwave.warehouse.store import Warehouse, reader
from longwave.warehouse.tidy import check_frame, map_to_series
from longwave.warehouse.world import load_fact

NEW = ["fcc_stations", "fcc_totals", "itu", "journals_accounts", "journals_followers", "scimago", "wikipedia_youtube"]
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
