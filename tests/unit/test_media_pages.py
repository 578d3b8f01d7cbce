"""A page per medium: what its files hand over, what it says without a script, what it refuses."""

import dataclasses
import functools
import json
import re

import fake_site
import html5lib
import polars as pl
import pytest
from longwave.reports import media
from longwave.reports.content import ContentError
from longwave.reports.figures import hindsight, spread
from longwave.reports.places import hindsight_file, medium_page
from longwave.reports.site import publish

HTML = "{http://www.w3.org/1999/xhtml}"
CALL = re.compile(r"longwave\.told\((.*)\);\n", re.S)


@functools.cache
def _content(text=None):
    """The site with the figure of the medium alone."""
    return dataclasses.replace(fake_site.content(text), figures=[fake_site.medium_figure(text)], stated=())


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("media") / "site"
    publish(_content(), out)
    return out


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    out = tmp_path_factory.mktemp("hostile") / "site"
    publish(_content(fake_site.HOSTILE), out)
    return out


@functools.cache
def _page(path):
    return html5lib.HTMLParser(strict=True).parse(path.read_text(encoding="utf-8"))


def _all(tree, name):
    return list(tree.iter(f"{HTML}{name}"))


def _words(node):
    return " ".join("".join(node.itertext()).split())


def _handed_over(path):
    """Medium, key and payload of a lazily loaded file."""
    text = path.read_text(encoding="ascii")
    return json.loads(f"[{CALL.fullmatch(text).group(1)}]")


def test_each_series_has_a_file_and_the_page_names_it(site):
    options = _all(_page(site / medium_page("radio")), "option")
    assert [option.get("value") for option in options] == [told.key for told in fake_site.told()]
    for option, told in zip(options, fake_site.told(), strict=True):
        assert option.get("data-file") == hindsight_file("radio", told.key)
        medium, key, payload = _handed_over(site / option.get("data-file"))
        assert (medium, key, payload["label"]) == ("radio", told.key, told.label)
        assert payload["year"] == told.levels["year"].to_list()
        assert [cut["cut"] for cut in payload["cuts"]] == [1928, 1936]


def test_a_file_is_rounded_to_what_is_drawn(site):
    shares, counts = (_handed_over(site / hindsight_file("radio", key))[2] for key in ("USA", "CHE"))
    assert all(value == round(value, 1) for value in shares["value"])
    assert all(float(f"{value:.3g}") == value for value in counts["value"])
    assert shares["cuts"][0]["said"] == [1940, "50", "40–60", "83", False]
    assert shares["cuts"][1]["said"][-2:] == [None, None]
    assert "top" not in shares["cuts"][0]
    assert counts["cuts"][0]["top"] > max(counts["cuts"][0]["point"])
    assert "said" not in counts["cuts"][0]
    assert shares["cuts"][0]["last"] == [1928, "21"]


def test_without_a_script_the_table_says_what_was_forecast_and_what_came(site):
    tree = _page(site / medium_page("radio"))
    (box,) = (node for node in _all(tree, "div") if node.get("data-explorer"))
    assert box.get("hidden") is not None
    (table,) = (node for node in _all(tree, "div") if node.get("id") == "forecasts-by-age")
    rows = [[_words(cell) for cell in row if cell.tag in (f"{HTML}td", f"{HTML}th")] for row in _all(table, "tr")[1:]]
    assert rows == [
        ["8", "1928", "7", "1940", "50", "40–60", "82", "outside"],
        ["16", "1936", "7", "1940", "50", "40–60", "–", "not yet known"],
    ]
    assert "revisions.html" in [a.get("href") for a in _all(table, "a")]


def test_a_medium_leads_to_its_claims_sources_and_breaks_and_the_list_to_it(site):
    tree = _page(site / medium_page("radio"))
    links = {a.get("href") for a in _all(tree, "a")}
    assert {"claim-c6.html", f"source-{fake_site.SOURCE}.html", "media.html"} <= links
    assert "a new count" in _words(_all(tree, "main")[0])
    assert not any(href.startswith("javascript") for href in links)
    assert medium_page("radio") in {a.get("href") for a in _all(_page(site / "media.html"), "a")}
    (current,) = (a for a in _all(tree, "a") if a.get("aria-current"))
    assert current.get("href") == "media.html"


def test_words_from_outside_end_no_script(hostile):
    text = (hostile / hindsight_file("radio", "USA")).read_text(encoding="ascii")
    assert "<" not in text
    assert _handed_over(hostile / hindsight_file("radio", "USA"))[2]["label"] == fake_site.HOSTILE
    assert "<script>alert" not in (hostile / medium_page("radio")).read_text(encoding="utf-8")


def _with(**changes):
    return [dataclasses.replace(fake_site.medium(), **changes)]


@pytest.mark.parametrize(
    ("pages", "words"),
    [
        (_with(told=fake_site.told() * 2), "series key 'CHE' given twice"),
        (_with(claims=["C99"]), "claim C99 is not among those decided"),
        (_with(sources=["elsewhere"]), "source elsewhere is not among the site's"),
        (_with(explored="nowhere"), "there is no figure nowhere to redraw"),
        (_with(explored=None), "belong together"),
        ([fake_site.medium(), fake_site.medium()], "medium page medium-radio.html: given twice"),
    ],
)
def test_a_page_that_cannot_be_made_is_refused(pages, words, tmp_path):
    with pytest.raises(ContentError, match=re.escape(words)):
        publish(dataclasses.replace(_content(), media=pages), tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_rows_that_may_not_be_passed_on_are_in_no_file(tmp_path):
    content = _content()
    shut = [{**content.sources[0], "redistribute": False}]
    with pytest.raises(ContentError, match=r"medium radio: rows of \['synthetic_households'\] may not be passed on"):
        publish(dataclasses.replace(content, sources=shut), tmp_path / "site")


# --- figures


def _roles(fig):
    return {trace.meta["role"]: trace for trace in fig.data if "role" in (trace.meta or {})}


def test_the_figure_parts_what_was_known_from_what_came():
    fig = fake_site.medium_figure().figure
    roles = _roles(fig)
    assert set(roles) == {"band90", "band80", "band50", "forecast", "happened", "known"}
    assert max(roles["known"].x) == 1928 < min(roles["happened"].x)
    # The fan starts from the last figure known.
    assert (roles["forecast"].x[0], roles["forecast"].y[0]) == (1928, roles["known"].y[-1])
    assert [shape.name for shape in fig.layout.shapes] == ["cut", "break"]
    assert fig.layout.xaxis.range == (1919.5, 1965.5)


def test_the_axis_holds_the_fan_and_begins_at_the_launch():
    first, second = fake_site.told()
    assert media.span(first, 1928) == (1920, 1965)
    assert media.span(first, 1940) == (1920, 1965)
    assert media.span(second, 1944) == (1922, 1966)


def test_a_counts_axis_leaves_the_lines_readable():
    frame = pl.DataFrame(
        {"known": [1.0, None], "forecast": [None, 2.0], "happened": [None, 3.0], "hi90": [None, 900.0]}
    )
    assert hindsight.top(frame) == pytest.approx(1.06 * hindsight.HIGHEST * 3.0)


def test_a_cut_before_the_first_figure_draws_nothing():
    empty = pl.DataFrame({name: [1.0] for name in hindsight.COLUMNS}).with_columns(known=pl.lit(None, pl.Float64))
    with pytest.raises(ValueError, match="nothing was known at the cut"):
        hindsight.at_cut(empty, medium="radio", share=True, span=(1, 2), title="", subtitle="")


def test_lines_break_where_figures_are_far_apart_and_breaks_are_marked():
    rows = [
        ("a", "line", axis, x, x / 2, None, None, 1, "break" if x == 3 else None, "% of homes")
        for axis in ("year", "age")
        for x in (1.0, 2.0, 3.0, 12.0)
    ]
    rows += [("all", "spread", "year", x, 5.0, 1.0, 9.0, 20, None, "% of homes") for x in (1.0, 2.0)]
    frame = pl.DataFrame(rows, schema=list(spread.COLUMNS), orient="row")
    fig = spread.both_axes(frame, medium="radio", title="t", subtitle="s")
    named = [trace for trace in fig.data if trace.name == "a"]
    assert [list(trace.y) for trace in named] == [[0.5, 1.0, 1.5, None, 6.0]] * 2
    assert [trace.meta["key"] for trace in named] == [True, False]
    crosses = [trace for trace in fig.data if trace.marker.symbol == "x"]
    assert [list(trace.x) for trace in crosses] == [[3.0], [3.0]]


def test_the_ceilings_of_families_stand_in_a_table(site):
    (table,) = (
        node for node in _all(_page(site / medium_page("radio")), "div") if "ceilings" in str(node.get("aria-label"))
    )
    cells = [[_words(cell) for cell in row if cell.tag in (f"{HTML}td", f"{HTML}th")] for row in _all(table, "tr")]
    assert cells == [["Technology", "Figures", "Bass", "Logistic"], ["Radio", "81", "98", "100†"]]
