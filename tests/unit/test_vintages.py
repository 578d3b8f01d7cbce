"""What sources said when: which series and vintages are shown, what is counted and said of them, what the page is handed."""

import dataclasses
import json
import re

import fake_site
import polars as pl
import pytest
from longwave.models.revisions import measured
from longwave.pipelines import blocks_vintages
from longwave.reports import vintages
from longwave.reports.content import ContentError
from longwave.reports.figures import vintages as figure
from longwave.reports.site import publish
from longwave.warehouse.panels import freeze
from longwave.warehouse.store import Warehouse, reader
from longwave.warehouse.vintage_lines import vintage_lines

SHARE, TECHNOLOGY, CLOSED = "grapher_internet_share", "owid_technology_diffusion", "wdi"
CALL = re.compile(r"longwave\.stated\((.*)\);\n", re.S)


@pytest.fixture
def con(made_home, record):
    """Three sources in two vintages: one rewrote a figure, one did not, one may not be passed on."""
    first = {("Ghana", 2005): 1.5, ("Ghana", 2006): 3.0, ("Iraq", 2010): 4.0, ("Chad", 2006): 0.5}
    second = {("Ghana", 2005): 1.6, ("Ghana", 2007): (4.0, "carried_forward"), ("Iraq", 2010): 4.0}
    with Warehouse(made_home) as warehouse:
        record(warehouse, SHARE, "2022-04-08", first)
        record(warehouse, SHARE, "2023-04-12", second, tag="2")
        record(warehouse, TECHNOLOGY, "2019-07-27", {("Radio", 1925): 10.0})
        record(warehouse, TECHNOLOGY, "2022-06-21", {("Radio", 1925): 10.0}, tag="2")
        record(warehouse, CLOSED, "2023-09-30", {("Ghana", 2005): 9.0}, measure="users_share")
        record(warehouse, CLOSED, "2024-09-30", {("Ghana", 2005): 8.0}, measure="users_share", tag="2")
        for source in (SHARE, TECHNOLOGY, CLOSED):
            row = dict.fromkeys(("title", "publisher", "homepage", "licence", "citation", "cadence"), source)
            row |= {"source": source, "redistribute": source != CLOSED, "proven_on": None}
            frame = pl.DataFrame([row], schema_overrides={"proven_on": pl.String})
            warehouse.replace("sources", frame, {"source": source})
    with reader(made_home) as con:
        yield con


def test_each_vintage_says_what_stood_then_and_no_more(con):
    freeze(con)
    lines = vintage_lines(con)
    said = {
        (row["adopter"], str(row["vintage"])): dict(zip(row["year"], row["value"], strict=True))
        for row in lines.iter_rows(named=True)
    }
    assert said == {
        ("Ghana", "2022-04-08"): {2005: 1.5, 2006: 3.0},
        ("Ghana", "2023-04-12"): {2005: 1.6},
        ("Iraq", "2022-04-08"): {2010: 4.0},
        ("Iraq", "2023-04-12"): {2010: 4.0},
    }, "neither what one vintage alone has, nor what is carried forward, nor a source unchanged or closed"


def test_as_of_a_date_before_the_second_vintage_there_is_none(con):
    con.execute("SET VARIABLE as_of = '2022-12-31'")
    freeze(con)
    assert vintage_lines(con).is_empty()


def test_what_became_of_a_vintage_is_counted_as_the_study_counts():
    then, now = {2000: 1.0, 2001: 10.0, 2002: 50.0, 2003: 7.0}, {2000: 1.05, 2001: 10.06, 2002: 40.0, 2004: 8.0}
    for share, unit, tolerance in ((True, "share", 0.05), (False, "count", 1.0)):
        found = vintages.difference(then, now, share=share, tolerance=tolerance)
        years = sorted({*then, *now})
        pair = pl.DataFrame(
            {
                "unit_class": unit,
                "adopter": "a",
                "earlier": "2010-01-01",
                "later": "2011-01-01",
                "year": years,
                "value_earlier": [then.get(year) for year in years],
                "value_later": [now.get(year) for year in years],
                "first_published": None,
            }
        ).with_columns(pl.col("earlier", "later").str.to_date(), pl.col("first_published").cast(pl.Date))
        rows = measured(pair)
        assert found.otherwise == rows["revised"].sum() == 2
        assert (found.n, found.gone, found.since) == (4, 1, 1)
        assert found.largest == (2002, 50.0, 40.0)


def test_a_title_says_what_changed_most_or_that_nothing_did():
    shares, counts = fake_site.stated()
    for part, key, vintage, said in (
        (
            shares,
            "WLD",
            "2018-09-21",
            "World: the vintage of 21 September 2018 said 8\u202f% of 2001, the newest says 8.5\u202f%",
        ),
        (shares, "WLD", "2022-06-21", "World: 3 figures in the newest vintage"),
        (shares, "GHA", "2019-07-27", "Ghana: the newest vintage gives again what that of 27 July 2019 said"),
        (
            counts,
            "Radio",
            "2018-09-21",
            "Radio: the vintage of 21 September 2018 said 210 of 1951, the newest says 300",
        ),
    ):
        assert vintages.title(part, key, vintage).replace("\u00a0", " ") == said
    gone = shares.lines.filter(pl.col("vintage") != "2019-07-27").with_columns(
        value=pl.when(pl.col("vintage") < "2022").then(pl.lit([7.0, 8.5, 12.0])).otherwise("value")
    )
    left = vintages.title(dataclasses.replace(shares, lines=gone), "WLD", "2018-09-21").replace("\u00a0", " ")
    assert left == "World: the newest vintage leaves out 1 figure and gives again what that of 21 September 2018 said"


def test_numbers_have_as_many_figures_as_tell_them_apart():
    assert vintages.apart(48.99, 46.3) == ("49", "46")
    assert vintages.apart(71.23, 71.31) == ("71.2", "71.3")
    assert vintages.apart(5.0, 5.0) == ("5", "5")


def test_the_file_hands_over_what_each_vintage_said(tmp_path):
    made = vintages.files(fake_site.stated())
    assert list(made) == ["vintages/invented-share.js", "vintages/invented-counts.js"]
    key, handed = json.loads(f"[{CALL.fullmatch(made['vintages/invented-share.js']).group(1)}]")
    assert (key, handed["first"], handed["tolerance"]) == ("invented-share", "WLD", "0.05 points")
    assert handed["vintages"] == ["2018-09-21", "2019-07-27", "2022-06-21"]
    world, ghana = handed["series"]
    assert world == [
        *("WLD", "World", 0, 0),
        [0, 2000, [7.0, 8.0, None, 12.04], 1, 1, 1, [2001, "8", "8.5"]],
        [1, 2000, [7.0, 8.5, None, 12.0, 14.0], 1, 1, 0, [2004, "14", "15"]],
        [2, 2001, [8.5, None, 12.0, 15.0]],
    ]
    assert [row[0] for row in ghana[4:]] == [1, 2]
    _, counts = json.loads(f"[{CALL.fullmatch(made['vintages/invented-counts.js']).group(1)}]")
    assert counts["colours"] == [figure.colour("radio"), figure.colour("stereo")]


def test_hostile_words_end_no_script():
    (text, _) = vintages.files(fake_site.stated(fake_site.HOSTILE)).values()
    assert text.isascii()
    assert "<" not in text


def test_content_that_cannot_be_redrawn_or_passed_on_is_refused(tmp_path):
    content = fake_site.content()
    (shares, _) = content.stated
    wrong = {
        "there is no figure said-when": {"figures": fake_site.figures(), "media": ()},
        "source elsewhere is not among": {"stated": [dataclasses.replace(shares, source="elsewhere")]},
        "may not be passed on": {
            "sources": [{**content.sources[0], "redistribute": False}],
            "lines": content.lines.clear(),
        },
        "'invented-share' given twice": {"stated": [shares, shares]},
        "no column unit": {"stated": [dataclasses.replace(shares, lines=shares.lines.drop("unit"))]},
        "no adopter 'nobody' to show first": {"stated": [dataclasses.replace(shares, first="nobody")]},
    }
    for words, changed in wrong.items():
        with pytest.raises(ContentError, match="vintages") as refused:
            publish(dataclasses.replace(content, **changed), tmp_path / "site")
        assert words in str(refused.value)


def test_the_figure_refuses_what_it_cannot_draw():
    frame = pl.DataFrame({"year": [2000], "stated": [None], "newest": [None]}, schema_overrides={"stated": pl.Float64})
    with pytest.raises(ValueError, match="neither vintage has a figure"):
        figure.as_stated(frame, medium="internet", share=True, title="t", subtitle="s")
    with pytest.raises(ValueError, match="no newest"):
        figure.as_stated(frame.drop("newest"), medium="internet", share=True, title="t", subtitle="s")


def test_the_axis_of_a_share_ends_little_over_all():
    rows = pl.DataFrame({"year": [1, 2], "stated": [99.0, 99.5], "newest": [10.0, 20.0]})
    assert figure.top(rows, share=True) == 104
    assert figure.top(rows, share=False) == pytest.approx(107.46)
    assert figure.top(rows.with_columns(stated=110.0), share=True) == 110


def test_the_world_stands_first_else_the_adopter_with_the_most_vintages(con):
    freeze(con)
    lines = vintage_lines(con)
    named = pl.DataFrame(
        {"subject": [f"{SHARE}/users_share", "gone/x"], "source": [SHARE, "gone"], "title": ["Internet", "x"]}
    )
    (stated,) = blocks_vintages._stated(lines, named)
    assert (stated.key, stated.first, stated.share) == (f"{SHARE}-users_share", "GHA", True)
    assert set(stated.lines["unit"]) == {"% of people"}
    (world,) = blocks_vintages._stated(lines.with_columns(adopter=pl.col("adopter").replace("Iraq", "World")), named)
    assert world.first == "IRQ"
    block = blocks_vintages._block(stated)
    assert block.figure.layout.title.text.endswith("said 1.5\u202f% of 2005, the newest says 1.6\u202f%")
    assert block.frame.select("year", "stated", "newest").rows() == [(2005, 1.5, 1.6), (2006, 3.0, None)]
