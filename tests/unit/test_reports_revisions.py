"""The figures of rewriting: what their titles claim, where bands stand, and the blocks made from a study's rows."""

import xml.etree.ElementTree as ET
from datetime import date
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from longwave.pipelines.blocks_revisions import HEADING, revision_blocks
from longwave.pipelines.find import as_table
from longwave.pipelines.rewriting import rewriting
from longwave.reports import palette, svg
from longwave.reports.content import FigureBlock
from longwave.reports.figures import base
from longwave.reports.figures import revisions as figure
from longwave.warehouse.tables import TABLES

HOSTILE = "<script>alert(1)</script>"
INVENTED = "Internet, Institute of Invented Figures"


def vintages(*rows):
    columns = list(figure.VINTAGES)
    return pl.DataFrame(
        rows or [(INVENTED, "internet", "Shares", "2020-01-01", "2021-01-01", 4.8, 3.5, 6.1, 900)],
        schema=columns,
        orient="row",
        infer_schema_length=None,
    )


def ages(lo=1.0, missing=()):
    rows = [
        (INVENTED, "internet", pair, age, 40.0 / age, lo, 60.0 / age, 100)
        for pair in (figure.ALL_PAIRS, "2020-01-01 to 2021-01-01", "2021-01-01 to 2022-01-01")
        for age in range(1, 21)
        if age not in missing
    ]
    return pl.DataFrame(rows, schema=list(figure.AGES), orient="row")


def thirds(lo=2.0, hi=9.0, title=INVENTED, medium="internet"):
    gap = None if lo is None else (lo + hi) / 2
    rows = [
        (title, medium, third, age, level, level - 2, level + 2, 60, gap, lo, hi)
        for third, level in ((figure.EARLIEST, 10.0), ("middle", 12.0), (figure.LATEST, 30.0))
        for age in range(1, 11)
    ]
    kinds = dict.fromkeys(("difference", "difference_lo", "difference_hi"), pl.Float64)
    return pl.DataFrame(rows, schema=list(figure.THIRDS), orient="row", schema_overrides=kinds)


def since():
    rows = [
        (INVENTED, "internet", "2021-01-01", 1.0, 20.0, 15.0, 25.0, 300),
        (INVENTED, "internet", "2021-01-01", 2.5, 50.0, 44.0, 56.0, 290),
    ]
    return pl.DataFrame(rows, schema=list(figure.SINCE), orient="row")


def sizes():
    rows = [
        (INVENTED, "internet", "points", age, measure, level, level - 1, level + 1, 40)
        for measure, level in (("median_size", 3.0), ("size_90", 12.0))
        for age in range(1, 8)
    ]
    return pl.DataFrame(rows, schema=list(figure.SIZES), orient="row")


DRAWN = {
    "by_vintage": (figure.by_vintage, vintages),
    "by_age": (figure.by_age, ages),
    "size_by_age": (figure.size_by_age, sizes),
    "since_first": (figure.since_first, since),
    "latecomers": (figure.latecomers, thirds),
}


def title(fig):
    return svg.plain(fig.layout.title.text).replace("\u202f", " ").replace("\u2019", "'")


def bands(fig):
    return [trace for trace in fig.data if trace.fill == "toself"]


@pytest.mark.parametrize("name", DRAWN)
def test_every_figure_is_drawn_the_same_twice_wide_and_narrow(name):
    draw, frame = DRAWN[name]
    for narrow in (False, True):
        first, second = (base.on_page(draw(frame()), narrow=narrow) for _ in range(2))
        width = base.NARROW if narrow else base.WIDE
        picture = svg.render(first, width, first.layout.height, "alt")
        assert picture == svg.render(second, width, second.layout.height, "alt")
        assert list(ET.fromstring(picture).iter("{http://www.w3.org/2000/svg}path"))


@pytest.mark.parametrize("name", DRAWN)
def test_hostile_names_are_shown_and_never_run(name):
    draw, frame = DRAWN[name]
    fig = draw(frame().with_columns(title=pl.lit(HOSTILE)))
    assert "<script" not in svg.render(base.on_page(fig), base.WIDE, 600, "alt")
    assert all("<script" not in str(trace.hovertemplate) for trace in fig.data)


@pytest.mark.parametrize("name", DRAWN)
def test_missing_columns_and_empty_frames_are_named(name):
    draw, frame = DRAWN[name]
    with pytest.raises(ValueError, match="no estimate"):
        draw(frame().drop("estimate"))
    with pytest.raises(ValueError, match="no rows"):
        draw(frame().clear())


def test_titles_say_what_was_found():
    assert title(figure.by_vintage(vintages())) == (
        f"{INVENTED}: 4.8 % of the figures were revised from one vintage to the next"
    )
    row = vintages().row(0)
    two = vintages(row, ("Radio, Elsewhere", "radio", "Shares", "2020-01-01", "2021-01-01", 0.0, None, None, 50))
    assert title(figure.by_vintage(two)) == (
        f"From one vintage to the next, between none (Radio, Elsewhere) and 4.8 % ({INVENTED}) of the figures were revised"
    )
    # Equal n at each age: the means of 40/age over 1 to 5 and over 10 to 14.
    assert "18 % of the figures up to 5 years old" in title(figure.by_age(ages()))
    assert "3.4 % of those aged 10 to 14" in title(figure.by_age(ages()))
    assert "of the figures first published by 2021-01-01, 50 % stood otherwise 2.5 years later" in title(
        figure.since_first(since())
    )
    assert title(figure.size_by_age(sizes())).endswith("the median revision is 3 points, by age")


def test_a_title_about_latecomers_says_no_more_than_the_intervals_allow():
    assert title(figure.latecomers(thirds())) == (
        "Age for age, latecomers' figures are revised more often than those of the first"
    )
    other = thirds(lo=-3.0, hi=4.0, title="Radio, Elsewhere", medium="radio")
    assert "in 1 of 2 histories, less in 0" in title(figure.latecomers(pl.concat([thirds(), other])))
    assert "cannot be shown" in title(figure.latecomers(other))
    assert "less in 1" in title(figure.latecomers(thirds(lo=-5.0, hi=-1.0)))
    unknown = thirds(lo=None, hi=None)
    assert "too few revisions to say" in title(figure.latecomers(unknown))
    both = title(figure.latecomers(pl.concat([thirds(), thirds(title="Radio, Elsewhere", medium="radio")])))
    assert both.endswith("in each of the 2 histories with enough of them")


def test_a_level_spans_its_two_vintages_and_ends_there():
    rows = [
        (INVENTED, "internet", "Shares", "2020-01-01", "2021-01-01", 4.0, 3.0, 5.0, 10),
        (INVENTED, "internet", "Shares", "2021-01-01", "2023-01-01", 6.0, None, None, 10),
    ]
    fig = figure.by_vintage(vintages(*rows))
    (line,) = [trace for trace in fig.data if trace.meta["key"]]
    assert list(line.x[:2]) == pytest.approx([2020, 2021])
    assert line.y == (4.0, 4.0, None, 6.0, 6.0, None)
    assert len(bands(fig)) == 1


def test_what_differs_in_tolerance_has_a_panel_of_its_own():
    row = vintages().row(0)
    fig = figure.by_vintage(vintages(row, ("Radio, Elsewhere", "radio", "Rates", *row[3:])))
    assert fig.layout.xaxis2.domain is not None
    assert [note.text for note in fig.layout.annotations] == ["<b>Shares</b>", "<b>Rates</b>"]


def test_lines_and_bands_stop_where_ages_are_left_out():
    fig = figure.by_age(ages(missing=(6, 7)))
    lead = fig.data[-1]
    assert lead.x[lead.y.index(None)] == 5
    assert len(bands(fig)) == 2
    assert max(bands(fig)[0].x) == 5
    assert min(bands(fig)[1].x) == 8
    assert not bands(figure.by_age(ages(lo=None)))


def test_a_single_pair_is_not_drawn_twice_and_old_ages_stay_in_the_table():
    one = ages().filter(pl.col("pair") != "2021-01-01 to 2022-01-01")
    assert len([trace for trace in figure.by_age(one).data if trace.fill != "toself"]) == 1
    old = pl.concat([ages(), ages().with_columns(age=pl.col("age") + 60)])
    assert max(max(trace.x) for trace in figure.by_age(old).data) <= figure.OLDEST


def test_media_keep_their_colours_and_two_of_one_medium_differ():
    row = vintages().row(0)
    rows = [
        row,
        ("Internet, Elsewhere", *row[1:]),
        ("Technologies", "", *row[2:]),
        ("Telephone", "telephone", *row[2:]),
    ]
    drawn = {t.name: t.line for t in figure.by_vintage(vintages(*rows)).data if t.meta["key"]}
    assert drawn[INVENTED].color == drawn["Internet, Elsewhere"].color == palette.MEDIA["internet"]
    assert drawn[INVENTED].dash != drawn["Internet, Elsewhere"].dash
    assert drawn["Technologies"].color == palette.LIGHT["ink"]
    assert drawn["Telephone"].color == palette.REFERENCE[0]
    grey = figure.latecomers(thirds(title="Telephone", medium="telephone"))
    latest = [trace for trace in grey.data if trace.name and trace.name.startswith("latest")]
    assert [trace.line.color for trace in latest] == [palette.LIGHT["ink"]]


# --- the blocks


def paired(source="grapher_internet_share", measure="users_share", unit="percent", kind="country", seed=5):
    """Thirty adopters and two pairs of vintages; the later an adopter reached 10 %, the more of it is revised."""
    rng = np.random.default_rng(seed)
    days = [date(2018, 5, 1), date(2020, 5, 1), date(2021, 5, 1)]
    rows = []
    for i in range(30):
        for year in range(2000, 2018):
            before = 2.0 if year < 2001 + i // 3 else 30.0 + year - 2000
            for earlier, later in pairwise(days):
                after = before + 3.0 * (rng.random() < 0.05 + 0.02 * i)
                age = {"earlier": earlier, "later": later, "year": year, "period_start": date(year, 1, 1)}
                value = {"value_earlier": before, "value_later": after, "first_published": None, "period_kind": "year"}
                name = {"adopter": f"A{i:02d}", "adopter_kind": kind, "unit": unit}
                about = {"subject": f"{source}/{measure}", "source": source, "measure": measure}
                share = {"unit_class": "share" if unit == "percent" else "count"}
                if year == 2017 and earlier == days[0]:
                    value |= {"value_earlier": None}
                if year == 2017:
                    value |= {"first_published": days[1]}
                rows.append(about | name | age | value | share)
    return pl.DataFrame(rows, infer_schema_length=None, schema_overrides={"first_published": pl.Date})


def tables(frame):
    rows = rewriting(frame)
    made = []
    for name, kept in (("findings", rows.findings), ("finding_curves", rows.curves)):
        table = as_table(kept, name, "findings/revisions", date(2021, 5, 1), "0" * 64, 1)
        made.append(TABLES[name].schema.validate(table, cast=True))
    return made


@pytest.fixture(scope="module")
def blocks():
    other = paired("worldbank_datahub", "mobile", "per_100_people", seed=6)
    technologies = paired("owid_technology_diffusion", "adoption", kind="technology", seed=7)
    money = paired("worldbank_datahub", "population", "persons", seed=8)
    return {block.id: block for block in revision_blocks(*tables(pl.concat([paired(), other, technologies, money])))}


def test_the_study_fills_five_figures(blocks):
    assert list(blocks) == [
        "revisions-by-vintage",
        "revisions-by-age",
        "revision-size-by-age",
        "revisions-since-first",
        "revisions-latecomers",
    ]
    for block in blocks.values():
        assert isinstance(block, FigureBlock)
        assert block.heading == HEADING
        assert block.alt
        assert block.note
        # Findings, not rows of a source: no column may be taken for the name of one.
        assert "source" not in block.frame.columns
        assert block.frame.unique([c for c in block.frame.columns if c != "estimate"]).height == block.frame.height


def test_a_covariate_stands_in_the_data_and_in_no_figure(blocks):
    for block in blocks.values():
        assert not any("population" in name.lower() for name in block.frame["title"].unique())
    assert blocks["revisions-by-vintage"].frame["title"].unique().sort().to_list() == [
        "Internet, Our World in Data",
        "Mobile telephone, World Bank",
        "Technologies, Our World in Data",
    ]


def test_the_table_of_vintages_has_the_counts(blocks):
    frame = blocks["revisions-by-vintage"].frame
    net = frame.filter(pl.col("title") == "Internet, Our World in Data")
    assert net.select("earlier", "later", "in_both_vintages", "added", "withdrawn", "n", "adopters").rows() == [
        ("2018-05-01", "2020-05-01", 30 * 17, 30, 0, 30 * 17, 30),
        ("2020-05-01", "2021-05-01", 30 * 18, 0, 0, 30 * 18, 30),
    ]
    assert (net["estimate"] - 100 * net["revised"] / net["n"]).abs().max() < 1e-9
    assert net["unit_of_size"].unique().to_list() == ["points"]


def test_only_places_have_latecomers_and_the_difference_is_that_of_the_study(blocks):
    block = blocks["revisions-latecomers"]
    assert block.frame["title"].unique(maintain_order=True).to_list() == [
        "Internet, Our World in Data",
        "Mobile telephone, World Bank",
    ]
    assert block.source_ids == ["grapher_internet_share", "worldbank_datahub"]
    assert (block.frame["difference_lo"] > 0).all()
    assert title(block.figure).startswith("Age for age, latecomers' figures are revised more often")
    assert "no cause" in block.note


def test_first_publication_is_followed_where_it_is_known(blocks):
    frame = blocks["revisions-since-first"].frame
    assert frame["first_published"].unique().to_list() == ["2020-05-01"]
    assert frame["n"].to_list() == [30] * frame.height
    assert frame["years"].to_list() == pytest.approx([1.0] * frame.height, abs=0.01)


def test_more_histories_than_a_figure_holds_stay_in_the_table(monkeypatch):
    monkeypatch.setattr("longwave.pipelines.blocks_revisions.MOST_PANELS", 1)
    other = paired("worldbank_datahub", "mobile", "per_100_people", seed=6)
    found = {block.id: block for block in revision_blocks(*tables(pl.concat([paired(), other])))}
    block = found["revisions-by-age"]
    assert block.frame["title"].n_unique() == 2
    assert len([trace for trace in block.figure.data if trace.name in set(block.frame["title"])]) == 1
    assert block.note.endswith("1 more history is in the table only.")


def test_without_two_vintages_there_is_no_figure():
    empty = [as_table([], name, "s", date(2021, 1, 1), "k") for name in ("findings", "finding_curves")]
    assert revision_blocks(*empty) == []


def test_a_source_that_is_no_longer_declared_is_left_out():
    assert revision_blocks(*tables(paired(source="a_former_source"))) == []
