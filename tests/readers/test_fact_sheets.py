"""Pew's fact sheets, and tables of pages: exact values, and each refusal seen.

Where no real response could be had, the excerpt follows the publisher's documentation: `excerpts/README.md` says which.
"""

from datetime import date

import pytest
from live_forms import excerpt, live, passes_its_checks, refusal, said, year
from longwave.pipelines.sources import SOURCES
from longwave.pipelines.sources._html import tables, titled, to_frame
from longwave.pipelines.sources._spec import Original
from longwave.warehouse.errors import Refused

# --- Pew's fact sheets -----------------------------------------------------------------------------------------------

SHEETS = {
    "pew_platforms": "pew_platforms_page.html",
    "pew_audio": "pew_audio_page.html",
    "pew_network_news": "pew_network_news_page.html",
    "pew_cable_news": "pew_cable_news_page.html",
}
every_sheet = pytest.mark.parametrize("source", SHEETS)


def sheet(source, *changes):
    """A fact sheet with texts replaced, each of which must be there."""
    data = excerpt(SHEETS[source])
    for old, new in changes:
        assert old.encode() in data
        data = data.replace(old.encode(), new.encode())
    return live(source, data=data)


def test_the_page_and_the_download_of_platforms_say_the_same():
    spec = SOURCES["pew_platforms"]
    page = spec.read(sheet("pew_platforms"))
    download = spec.read(Original("chart.csv", excerpt("pew_platforms_2024-11-13.csv")))
    assert page.equals(download), "a dash and N/A are blanks, a footnote mark is no name"
    assert said(page, "Facebook")[date(2024, 6, 10)] == 70.0
    passes_its_checks("pew_platforms", page)


def test_listeners_of_radio_and_podcasts():
    frame = SOURCES["pew_audio"].read(sheet("pew_audio"))
    values = {m: dict(part.select("period_start", "value").rows()) for (m,), part in frame.group_by("measure")}
    assert values["podcast_monthly"] == {year(2008): 9.0, year(2020): 37.0, year(2021): 41.0}
    assert values["podcast_weekly"] == {year(2020): 24.0, year(2021): 28.0}
    assert values["radio_weekly"][year(2011)] == 93.0
    assert len(values["radio_weekly"]) == 10
    series = passes_its_checks("pew_audio", frame)
    assert set(series["place"]) == {"USA"}
    assert set(series["medium"]) == {"radio", "podcasting"}


def test_audiences_of_networks_and_channels():
    networks = SOURCES["pew_network_news"].read(sheet("pew_network_news"))
    assert said(networks, "ABC") == {year(2016): 5000001.0}
    assert said(networks, "NBC") == {year(2016): 6000003.0, year(2017): 999999.0}
    assert networks.height == 5
    channels = SOURCES["pew_cable_news"].read(sheet("pew_cable_news"))
    assert said(channels, "Fox News") == {year(2019): 1900200.0, year(2020): 3000500.0}
    assert set(channels["entity"]) == {"CNN", "Fox News", "MSNBC"}, "the further table of one channel is another chart"
    for source, frame in (("pew_network_news", networks), ("pew_cable_news", channels)):
        series = passes_its_checks(source, frame)
        assert set(series["adopter_kind"]) == {"outlet"}
        assert set(series["place"]) == {"USA"}
        assert set(series["concept"]) == {"audience of a news programme"}
        assert not SOURCES[source].redistribute


TITLES = {
    "pew_platforms": "Which social media platforms are most popular",
    "pew_audio": "Podcast listenership",
    "pew_network_news": "Average audience for network TV evening news",
    "pew_cable_news": "Average audience for cable TV news: Prime news",
}


@every_sheet
def test_a_page_without_its_chart_is_refused_with_what_it_has(source):
    problem = refusal(sheet(source, (TITLES[source], "Something else")))
    assert problem.rule == "table"
    assert TITLES[source] in problem.expected
    assert any("'Something else'" in row for row in problem.rows)


@every_sheet
def test_the_same_chart_twice_is_one_and_another_of_its_title_is_refused(source):
    page = excerpt(SHEETS[source]).decode()
    start = page.index("<table>", page.rindex(TITLES[source]))
    table = page[start : page.index("</table>", start) + len("</table>")]
    whole = SOURCES[source].read(sheet(source))
    assert SOURCES[source].read(live(source, data=page.replace(table, table + table).encode())).equals(whole)
    first_cell = table.index("<td>")
    other = table[:first_cell] + table[first_cell:].replace("1", "2").replace("9", "8")
    problem = refusal(live(source, data=page.replace(table, table + other).encode()))
    assert problem.rule == "table"
    assert problem.found.startswith("2 among ")


@every_sheet
@pytest.mark.parametrize(
    ("data", "rule"),
    [(b"", "not empty"), (b"Year,Facebook\n", "text"), (b"<!DOCTYPE html><html><body></body></html>", "table")],
)
def test_what_is_no_fact_sheet_is_refused(source, data, rule):
    assert refusal(live(source, data=data)).rule == rule


@every_sheet
def test_a_page_cut_short_or_of_another_encoding_is_refused(source):
    data = excerpt(SHEETS[source])
    assert refusal(live(source, data=data[: data.index(b"</table>")])).rule == "whole page"
    assert refusal(live(source, data=data + "©".encode("latin-1"))).rule == "text"
    assert refusal(live(source, data=data + b"\x00")).found == "NUL bytes"


@pytest.mark.parametrize(
    ("source", "old", "new"),
    [
        ("pew_platforms", "<td>54%</td>", "<td>54</td>"),
        ("pew_platforms", "<td>54%</td>", "<td>*</td>"),
        ("pew_platforms", "<td>54%</td>", "<td>&lt;1%</td>"),
        ("pew_audio", "<td>93%</td>", "<td>about 93%</td>"),
        ("pew_audio", "<td>28%</td>", "<td>28</td>"),
        ("pew_network_news", "5,000,001", "5.0 million"),
        ("pew_network_news", "5,000,001", "50,00,001"),
        ("pew_cable_news", "1,900,200", "1,900,200%"),
    ],
)
def test_a_cell_of_another_form_is_refused_with_its_row(source, old, new):
    problem = refusal(sheet(source, (old, new)))
    assert problem.rule == "cells"
    assert len(problem.rows) == 1


@pytest.mark.parametrize(
    ("source", "old", "new", "rule"),
    [
        ("pew_platforms", "<td>8/5/2012</td>", "<td>Aug. 2012</td>", "dates"),
        ("pew_audio", "<td>2011</td>", "<td>spring 2011</td>", "numbers in Year"),
        ("pew_network_news", "<td>2017</td>", "<td></td>", "numbers in Year"),
        ("pew_platforms", "<th>YouTube</th>", "<th>Instagram</th>", "columns"),
        ("pew_platforms", "<th>YouTube</th>", "<th></th>", "columns"),
        ("pew_platforms", "Facebook<sup>1</sup>", "The Facebook", "table"),
        ("pew_audio", "<th>Week</th>", "<th>Weekly</th>", "table"),
        ("pew_network_news", "<th>CBS</th>", "<th>Evening news</th>", "table"),
        ("pew_audio", "<td>9%</td><td>–</td>", "<td>9%</td>", "rows"),
        ("pew_network_news", "<td>999,999</td>", "<td>999,999</td><td>1</td>", "rows"),
    ],
)
def test_a_table_of_another_shape_is_refused(source, old, new, rule):
    assert refusal(sheet(source, (old, new))).rule == rule


@pytest.mark.parametrize("title", ["Weekly terrestrial radio listenership", "Podcast listenership"])
def test_a_further_column_of_listeners_is_refused(title):
    page = excerpt(SHEETS["pew_audio"]).decode()
    start = page.index("<table>", page.index(f"<p>{title}</p>"))
    end = page.index("</table>", start)
    wider = (
        page[start:end].replace("</th></tr>", "</th><th>Ever</th></tr>").replace("</td></tr>", "</td><td>50%</td></tr>")
    )
    problem = refusal(live("pew_audio", data=(page[:start] + wider + page[end:]).encode()))
    assert problem.rule == "columns"
    assert title in problem.expected
    assert "Ever" in problem.found


def test_a_chart_without_rows_is_refused():
    page = excerpt(SHEETS["pew_network_news"]).decode()
    start = page.index("<tbody>")
    emptied = page[:start] + page[page.index("</tbody>", start) :]
    assert refusal(live("pew_network_news", data=emptied.encode())).rule == "not empty"


# --- tables of pages -------------------------------------------------------------------------------------------------


def in_page(body):
    return f"<!DOCTYPE html><html><body>{body}</body></html>".encode()


def test_cells_that_span_stand_in_every_place():
    body = """<table><tr><th rowspan="2">Year</th><th colspan="2">Share</th></tr><tr><th>men</th><th>women</th></tr>
    <tr><td rowspan=3>2001</td><td>1</td><td>2</td></tr><tr><td>3</td><td>4</td></tr><tr><td>5</td><td>6</td></tr>
    </table>"""
    (table,) = tables("page", in_page(body))
    assert table.rows == (
        ("Year", "Share", "Share"),
        ("Year", "men", "women"),
        ("2001", "1", "2"),
        ("2001", "3", "4"),
        ("2001", "5", "6"),
    )


@pytest.mark.parametrize("span", ["65535000", "9" * 5_000, "0", "-3", "wide", ""])
def test_a_span_without_sense_fills_no_memory(span):
    (table,) = tables("page", in_page(f"<table><tr><td colspan='{span}'>a</td></tr></table>"))
    assert 1 <= len(table.rows[0]) <= 200
    assert set(table.rows[0]) == {"a"}


def test_a_table_is_known_by_its_caption_or_the_heading_before_it():
    body = """<h2>First</h2><table><tr><td>1</td></tr></table><table><caption>Own <b>caption</b></caption>
    <tr><td>2</td></tr></table><div class="x cb__title wide">Second</div><table><tr><td>3</td></tr></table>"""
    assert [(t.title, t.rows) for t in tables("page", in_page(body), "cb__title")] == [
        ("First", (("1",),)),
        ("Own caption", (("2",),)),
        ("Second", (("3",),)),
    ]
    assert [t.title for t in tables("page", in_page(body))] == ["First", "Own caption", "First"]


def test_what_is_not_shown_is_no_text_and_a_table_of_tables_is_layout():
    cell = """a<sup>[1]</sup>&nbsp;b<script>1</script><style>x</style><span style="display: none">hidden</span><br>c<!-- d -->"""
    found = tables("page", in_page(f"<table><tr><td><table><tr><td>{cell}</td></tr></table></td></tr></table>"))
    assert [table.rows for table in found] == [(("a b c",),)]


def test_the_title_is_matched_whole():
    found = tables("page", in_page("<h2>Radio listeners by age</h2><table><tr><th>Year</th></tr></table>"))
    with pytest.raises(Refused, match="0 among 1 tables"):
        titled("page", found, "Radio listeners", ["Year"])
    assert titled("page", found, "RADIO LISTENERS BY AGE", ["Year"]) == found[0]


def test_a_frame_keeps_a_lone_asterisk_and_takes_marks_off():
    body = "<table><tr><th>Year †</th><th>A*</th></tr><tr><td>2001 *</td><td>*</td></tr><tr><td>2002</td><td>–</td></tr></table>"
    (table,) = tables("page", in_page(body))
    assert to_frame("page", table, ["–"]).rows() == [(1, "2001", "*"), (2, "2002", None)]
