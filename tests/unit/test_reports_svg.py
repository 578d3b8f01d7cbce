"""The static picture: right places, safe text, the same bytes, and a refusal of what it cannot draw."""

import re
import xml.etree.ElementTree as ET

import fake_site
import numpy as np
import plotly.graph_objects as go
import polars as pl
import pytest
from longwave.reports import palette, svg
from longwave.reports.figures import adoption, base, labels, persistence, ripeness, rows

NAMESPACE = "{http://www.w3.org/2000/svg}"


def _sheet(*traces, **layout):
    axes = {"xaxis": {"range": [0, 10]}, "yaxis": {"range": [0, 100]}}
    margin = {"l": 0, "r": 0, "t": 0, "b": 0}
    return go.Figure(data=list(traces), layout={"template": {}, "margin": margin, **axes, **layout})


def _paths(picture):
    return [node.get("d") for node in ET.fromstring(picture).iter(f"{NAMESPACE}path")]


def test_points_stand_where_the_axes_put_them():
    picture = svg.render(_sheet(go.Scatter(x=[0, 5, 10], y=[0, 50, 100], mode="lines")), 200, 100, "a rise")
    assert _paths(picture) == ["M0 100L100 50L200 0"]


def test_a_gap_parts_the_line():
    for gap in (None, float("nan")):
        trace = go.Scatter(x=[0, 1, 2, 3, 4], y=[0, 10, gap, 30, 40], mode="lines")
        assert _paths(svg.render(_sheet(trace), 100, 100, "a gap")) == ["M0 100L10 90M30 70L40 60"]


def test_arrays_from_numpy_are_drawn_like_lists():
    lists = _sheet(go.Scatter(x=[0, 5], y=[1.5, 2.5], mode="lines"))
    arrays = _sheet(go.Scatter(x=np.array([0, 5]), y=np.array([1.5, 2.5]), mode="lines"))
    assert svg.render(lists, 100, 100, "x") == svg.render(arrays, 100, 100, "x")


def test_bands_are_filled_both_ways():
    own = go.Scatter(x=[0, 10, 10, 0], y=[20, 20, 0, 0], fill="toself", line={"width": 0}, mode="lines")
    assert _paths(svg.render(_sheet(own), 100, 100, "band")) == ["M0 80L100 80L100 100L0 100Z"]
    low = go.Scatter(x=[0, 10], y=[0, 0], mode="lines", line={"width": 0})
    high = go.Scatter(x=[0, 10], y=[20, 20], mode="lines", line={"width": 0}, fill="tonexty")
    assert _paths(svg.render(_sheet(low, high), 100, 100, "band")) == ["M0 80L100 80L100 100L0 100Z"]


def test_text_is_escaped_and_named():
    title = {"text": base.escaped(fake_site.HOSTILE), "subtitle": {"text": "a & b"}}
    note = {"x": 5, "y": 50, "text": f"<b>{base.escaped(fake_site.HOSTILE)}</b><br>two", "showarrow": False}
    figure = _sheet(go.Scatter(x=[0], y=[0]), title=title, annotations=[note])
    picture = svg.render(figure, 300, 200, 'say "no" & <go>')
    root = ET.fromstring(picture)
    assert "<script" not in picture
    assert root.get("role") == "img"
    assert root.find(f"{NAMESPACE}title").text == fake_site.HOSTILE
    assert root.find(f"{NAMESPACE}desc").text == 'say "no" & <go>'
    spans = [node.text for node in root.iter(f"{NAMESPACE}tspan")]
    assert spans == [fake_site.HOSTILE, "two"]


def test_colours_that_are_more_than_colours_are_not_written():
    trace = go.Scatter(x=[0, 1], y=[0, 1], mode="lines").to_plotly_json()
    trace["line"] = {"color": '"/><script>'}
    stub = type("Stub", (), {"to_plotly_json": lambda self: {"data": [trace], "layout": {}}})()
    assert "<script" not in svg.render(stub, 100, 100, "x")


def test_only_scatter_is_known():
    with pytest.raises(ValueError, match="bar"):
        svg.render(_sheet(go.Bar(x=[1], y=[2])), 100, 100, "x")


@pytest.mark.parametrize(
    ("low", "high", "most", "expected"),
    [
        (0, 100, 6, [0, 20, 40, 60, 80, 100]),
        (1920, 2024, 6, [1920, 1940, 1960, 1980, 2000, 2020]),
        (-0.13, 1.05, 7, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0, 0.003, 4, [0, 0.001, 0.002, 0.003]),
    ],
)
def test_ticks_are_round(low, high, most, expected):
    assert svg.nice_ticks(low, high, most) == pytest.approx(expected)


@pytest.mark.parametrize("block", fake_site.figures(), ids=lambda block: block.id)
def test_every_figure_is_well_formed_and_deterministic(block):
    twin = next(other for other in fake_site.figures() if other.id == block.id)
    for narrow in (False, True):
        first, second = (base.on_page(each.figure, narrow=narrow) for each in (block, twin))
        width = base.NARROW if narrow else base.WIDE
        picture = svg.render(first, width, first.layout.height, block.alt)
        assert picture == svg.render(second, width, second.layout.height, block.alt)
        ET.fromstring(picture)
        drawn = [float(v) for path in _paths(picture) for v in re.findall(r"-?\d+(?:\.\d+)?", path)]
        assert drawn
        assert not re.search(r"\d\.\d\d", "".join(_paths(picture)))


def test_titles_say_the_finding():
    titles = {block.id: svg.plain(block.figure.layout.title.text) for block in fake_site.figures()}
    assert titles["adoption-age"].startswith("Years from launch until half had it: radio\u00a012,")
    assert titles["information"] == "After five years, less than half of what there is to know is known, in every group"
    assert titles["persistence"] == "After 30 years, the early order of places still shows in each of 3 media"


def test_a_title_says_no_more_than_the_intervals_allow():
    wide = fake_site.information_frame().with_columns(hi=pl.lit(0.9))
    assert "less than half" not in ripeness.information_by_age(wide).layout.title.text
    unsure = fake_site.persistence_frame().with_columns(lo=pl.lit(-0.2))
    assert "no longer be told from chance" in persistence.by_horizon(unsure).layout.title.text


def test_a_left_truncated_line_says_nothing_of_half():
    late = fake_site.adoption_frame().filter((pl.col("medium") != "television") | (pl.col("age") > 10))
    assert "television" not in adoption.on_age(late).layout.title.text


def test_media_keep_their_colours_and_lines_of_one_medium_differ():
    drawn = [trace for trace in adoption.on_age(fake_site.adoption_frame()).data if trace.meta["key"]]
    assert [trace.line.color for trace in drawn] == [palette.colour(medium) for medium, *_ in fake_site.LINES]
    internet = [trace.line.dash for trace in drawn if trace.line.color == palette.MEDIA["internet"]]
    assert internet == ["solid", "dash"]


def test_years_without_figures_are_not_bridged():
    frame = fake_site.adoption_frame().filter((pl.col("year") < 1930) | (pl.col("year") > 1938))
    radio = adoption.on_age(frame).data[0]
    assert None in radio.y


def test_different_units_do_not_share_an_axis():
    mixed = fake_site.adoption_frame().with_columns(
        unit=pl.when(pl.col("medium") == "radio").then(pl.lit("sets per 1,000")).otherwise(pl.col("unit"))
    )
    with pytest.raises(ValueError, match="one unit"):
        adoption.on_age(mixed)


def test_missing_columns_and_empty_frames_are_named():
    with pytest.raises(ValueError, match="no value"):
        adoption.on_age(fake_site.adoption_frame().drop("value"))
    with pytest.raises(ValueError, match="no rows"):
        ripeness.information_by_age(fake_site.information_frame().clear())


def test_labels_do_not_cover_one_another():
    fig = adoption.on_calendar(fake_site.adoption_frame())
    notes = [note for note in fig.layout.annotations if note.name == base.LABEL]
    boxes = []
    for note, (_, label, *_rest) in zip(notes, fake_site.LINES, strict=True):
        far = note.showarrow
        dx, dy = (note.ax, -note.ay) if far else (note.xshift, note.yshift)
        boxes.append(labels._box(labels._pixel(fig, note.x, note.y), dx, dy, *labels._size(label), note.xanchor))
    assert not any(a.meets(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_the_narrow_form_stacks_panels_and_drops_direct_labels():
    wide = persistence.by_horizon(fake_site.persistence_frame())
    narrow = base.on_page(wide, narrow=True)
    assert narrow.layout.xaxis2.domain == (0, 1)
    assert narrow.layout.yaxis.domain[0] > narrow.layout.yaxis2.domain[1]
    age = base.on_page(adoption.on_age(fake_site.adoption_frame()), narrow=True)
    assert not base.labelled(age)
    assert [entry["name"] for entry in base.key(age)] == [label for _, label, *_ in fake_site.LINES]


@pytest.mark.parametrize(
    ("value", "prose", "table"),
    [
        (0.0312, "0.031", "0.0312"),
        (0.996, "1.0", "0.996"),
        (-0.5, "\u22120.50", "\u22120.5"),
        (12, "12", "12"),
        (123456.0, "120\u202f000", "123\u202f456"),
        (0, "0", "0"),
        (None, "–", "–"),
    ],
)
def test_numbers_are_written_as_read(value, prose, table):
    assert palette.two_figures(value) == prose
    assert palette.exact(value) == table


def test_ranges_and_sizes():
    assert palette.span(0.2, 0.31) == "0.20–0.31"
    assert palette.span(-0.2, 0.3) == "\u22120.20 to 0.30"
    assert palette.years(1922, 2019) == "1922–2019"
    assert palette.size(1234567) == "1.23\u202fMB"
    assert palette.share(0.95) == "95\u202f%"


def _luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one, other):
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_text_has_contrast_in_light_and_dark():
    for tokens, inks in ((palette.LIGHT, palette.INK_LIGHT), (palette.DARK, palette.INK_DARK)):
        for colour in (tokens["ink"], tokens["muted"], tokens["link"], *inks.values()):
            assert _contrast(colour, tokens["paper"]) >= 4.5, colour


def test_a_sheet_adds_to_what_a_part_has_and_plotly_checks_it_at_the_end():
    def drawn(colour):
        fig = base.sheet("t", "s")
        base.lay_out(fig, 2)
        base.add_axes(fig, x_title="x", x_range=(0, 1), y_range=(0, 1), panel="2")
        base.add_panel_title(fig, "2", "a panel", "below")
        base.add_level(fig, 1.0, "a level", panel="2")
        base.add_line(fig, [1], [1], name="n", colour=colour, hover="", panel="2")
        return fig.figure()

    fig = drawn(palette.MEDIA["radio"])
    assert isinstance(fig, go.Figure)
    assert fig.layout.xaxis2.domain[0] > 0
    assert fig.layout.xaxis2.range == (0, 1)
    assert [note.text for note in fig.layout.annotations] == ["<b>a panel</b><br>below", "a level"]
    assert fig.layout.margin.b == base.sheet("t", "s").layout["margin"]["b"]
    with pytest.raises(ValueError, match="no colour"):
        drawn("no colour")


def test_rows_with_long_names_leave_room_for_what_is_drawn_on_a_phone():
    names = ["better ones came earlier, in ways not measured: <b>followers</b> piled up", "short", "x" * 60]
    fig = base.sheet("t", "s")
    rows.add_rows(fig, names, (0.0, 1.0), "", "x")
    rows.draw_row(fig, 0, (0.1, 0.2, 0.3), palette.MEDIA["social"], "n", "", "w")
    narrow = base.on_page(fig.figure(), narrow=True)
    layout = narrow.to_plotly_json()["layout"]
    assert layout["margin"]["l"] < base.NARROW / 2
    joined = ["".join(text.split("<br>")).replace(" ", "") for text in layout["yaxis"]["ticktext"]]
    assert joined == [base.escaped(name).replace(" ", "") for name in names]
    assert max(len(svg.plain(line)) for text in layout["yaxis"]["ticktext"] for line in text.split("<br>")) <= 22
    picture = svg.render(narrow, base.NARROW, layout["height"], "alt")
    assert not re.search(r' width="-', picture)
    wide = base.on_page(fig.figure()).to_plotly_json()["layout"]
    assert list(wide["yaxis"]["ticktext"]) == [base.escaped(name) for name in names]
