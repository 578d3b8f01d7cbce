"""How good forecasts would have been: scores side by side, differences, calibration, errors far ahead.

Scores stand in rows, one a forecaster, each panel a setting or a part; the forecaster that is read in ink, its peers in
grey, what a paper printed as an open place without a band. ``value``, ``lo``, ``hi`` are numbers of one unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
import polars as pl
from longwave.reports import palette
from longwave.reports.figures import base

SCORES = ("panel_title", "sample", "label", "kind", "value", "lo", "hi", "n")
CALIBRATION = ("panel_title", "sample", "setting", "nominal", "observed", "lo", "hi", "n")
PIT = ("panel_title", "sample", "probability", "share")
FAR = ("panel_title", "sample", "question", "age", "value", "lo", "hi", "n")
KINDS = ("ours", "peer", "printed")
"""Kinds of a row: ours, a peer run here, a number printed in a paper."""
_COLOURS = {
    "ours": palette.LIGHT["ink"],
    "peer": palette.REFERENCE[0],
    "printed": palette.REFERENCE[1],
}
_ROW = 38
_HALF = 0.13
QUESTIONS = {"+5": (palette.REFERENCE[1], "dash"), "+10": (palette.REFERENCE[0], "dot")}
"""Colour and dash of the questions that are not about the target age, which stands in ink."""
TOP_RATIO = 2.0
"""The axis of relative errors is cut here; the table keeps every value."""


def score_rows(
    frame: pl.DataFrame, *, title: str, subtitle: str, axis: str, zero: str = "", cut: float | None = None
) -> go.Figure:
    """Draw scores in rows, a panel for each ``panel_title``; ``zero``: words at the line of 0, where one is wanted.

    ``axis`` names what is measured; ``cut``: where the axis ends, by default at the largest number of all panels.
    """
    base.require(frame, SCORES, "scores")
    unknown = sorted(set(frame["kind"]) - set(KINDS))
    if unknown:
        raise ValueError(f"scores: kind {unknown[0]!r} is not one of {', '.join(KINDS)}")
    panels = _panels(frame)
    fig = base.sheet(title, subtitle)
    most = max(rows.height for _, rows in panels)
    low, high = _limits(frame, cut)
    names = base.lay_out(fig, len(panels), panel_height=30 + most * _ROW)
    for name, (panel, rows) in zip(names, panels, strict=True):
        base.add_axes(
            fig,
            x_title=axis,
            x_range=(low, high),
            y_range=(most - 0.35, -0.75),
            panel=name,
            x={"showgrid": True, "gridcolor": palette.LIGHT["grid"]},
            y={"showticklabels": False, "showgrid": False},
        )
        base.add_panel_title(fig, name, panel, str(rows["sample"][0]))
        if low < 0.0:
            _upright(fig, name, 0.0, zero)
        for place, row in enumerate(rows.iter_rows(named=True)):
            _score(fig, name, place, row, high)
    fig.layout["margin"]["l"] = 16
    fig.layout["meta"]["narrow"]["margin.l"] = 10
    return fig.figure()


def _score(fig: base.Sheet, name: str, place: int, row: dict[str, Any], high: float) -> None:
    """Draw one row: the words over the band, the place of the value on it."""
    colour = _COLOURS[row["kind"]]
    value = float(row["value"])
    bounds = "no interval"
    if row["lo"] is not None and row["hi"] is not None:
        bounds = f"95\u202f% interval {palette.exact(row['lo'], 3)} to {palette.exact(row['hi'], 3)}"
        sides = [min(row["lo"], high), min(row["hi"], high)]
        base.add_band(fig, sides, [place - _HALF] * 2, [place + _HALF] * 2, colour, panel=name, opacity=0.3)
    shown = f"{row['label']}: {palette.exact(value, 3)}"
    fig.add_note(
        xref=f"x{name} domain",
        yref=f"y{name}",
        x=0,
        y=place,
        xshift=4,
        yshift=7,
        text=f"<b>{base.escaped(shown)}</b>" if row["kind"] == "ours" else base.escaped(shown),
        showarrow=False,
        xanchor="left",
        yanchor="bottom",
        font={"size": 12, "color": palette.ink(colour)},
    )
    if value <= high:
        base.add_line(
            fig,
            [value],
            [place],
            name=str(row["label"]),
            colour=colour,
            hover=f"<b>{base.literal(row['label'])}</b><br>%{{x:.3~g}}<br>%{{text}}",
            words=[f"{bounds}, n = {row['n']}"],
            panel=name,
            markers=True,
            key=False,
        )


def _limits(frame: pl.DataFrame, cut: float | None) -> tuple[float, float]:
    """The axis of scores: from 0 where nothing is below it."""
    numbers = [number for column in ("value", "lo", "hi") for number in frame[column].drop_nulls().to_list()]
    low, high = min(0.0, *numbers), max(0.0, *numbers)
    # Where everything is 0 there is an axis nevertheless.
    margin = 0.05 * (high - low) or 1.0
    return low - (margin if low < 0.0 else 0.0), min(high + margin, cut or high + margin)


def _upright(fig: base.Sheet, name: str, x: float, words: str) -> None:
    """Draw an upright line across a panel, with a word at its foot."""
    fig.add_shape(
        type="line",
        xref=f"x{name}",
        yref=f"y{name} domain",
        x0=x,
        x1=x,
        y0=0,
        y1=1,
        layer="below",
        line={"color": palette.LIGHT["muted"], "width": 1},
    )
    if words:
        fig.add_note(
            xref=f"x{name}",
            yref=f"y{name} domain",
            x=x,
            y=0,
            xshift=4,
            text=base.escaped(words),
            showarrow=False,
            xanchor="left",
            yanchor="bottom",
            font={"size": 12, "color": palette.LIGHT["muted"]},
        )


def calibration(frame: pl.DataFrame, *, title: str, subtitle: str) -> go.Figure:
    """Draw observed against nominal coverage, a panel a regime, the first setting with its band, the others thin.

    Coverages are shares of 1.
    """
    base.require(frame, CALIBRATION, "calibration")
    panels = _panels(frame)
    fig = base.sheet(title, subtitle)
    settings = frame["setting"].unique(maintain_order=True).to_list()
    ticks = sorted(frame["nominal"].unique().to_list())
    low = min(0.4, float(frame.select(pl.min_horizontal(pl.col("observed").min(), pl.col("lo").min())).item()) - 0.02)
    for name, (panel, rows) in zip(base.lay_out(fig, len(panels), panel_height=230), panels, strict=True):
        shown = {"tickvals": ticks, "ticktext": [f"{100 * tick:.0f}\u202f%" for tick in ticks]}
        base.add_axes(
            fig, x_title="stated", x_range=(0.45, 0.95), y_range=(low, 1.02), panel=name, x=shown, y=dict(shown)
        )
        base.add_panel_title(fig, name, panel, str(rows["sample"][0]))
        base.add_line(
            fig, ticks, ticks, name="as stated", colour=palette.LIGHT["muted"], hover="as stated", width=1, panel=name,
            rank=len(settings),
        )  # fmt: skip
        for position, setting in reversed(list(enumerate(settings))):
            _calibrated(fig, name, position, rows.filter(pl.col("setting") == setting).sort("nominal"))
    return fig.figure()


def _calibrated(fig: base.Sheet, name: str, position: int, line: pl.DataFrame) -> None:
    """Draw one setting of a panel; the first one has the band."""
    if line.is_empty():
        return
    colour = palette.LIGHT["ink"] if position == 0 else palette.REFERENCE[position % 3 - 1]
    bounded = line.drop_nulls(["lo", "hi"])
    if position == 0 and bounded.height > 1:
        low, high = bounded["lo"].to_list(), bounded["hi"].to_list()
        base.add_band(fig, bounded["nominal"].to_list(), low, high, colour, panel=name, opacity=0.14)
    setting = str(line["setting"][0])
    words = [
        f"90\u202f% interval {_percents(row['lo'], row['hi'])}, n = {row['n']}" for row in line.iter_rows(named=True)
    ]
    base.add_line(
        fig,
        line["nominal"].to_list(),
        line["observed"].to_list(),
        name=setting,
        colour=colour,
        dash="solid" if position == 0 else base.DASHES[position % len(base.DASHES)],
        width=2.5 if position == 0 else 1.5,
        hover=f"<b>{base.literal(setting)}</b><br>stated %{{x:.0%}}, observed %{{y:.1%}}<br>%{{text}}",
        words=words,
        panel=name,
        markers=True,
        rank=position,
    )


def _percents(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "not known"
    return f"{100 * low:.0f} to {100 * high:.0f}\u202f%"


def pit(frame: pl.DataFrame, *, title: str, subtitle: str) -> go.Figure:
    """Draw how often outcomes fell in each stretch of the forecast's probability, a panel a setting; even is calibrated."""
    base.require(frame, PIT, "probability integral transform")
    panels = _panels(frame)
    fig = base.sheet(title, subtitle)
    top = 1.15 * float(frame["share"].max())  # type: ignore[arg-type]
    for name, (panel, rows) in zip(base.lay_out(fig, len(panels), panel_height=200), panels, strict=True):
        bars = rows.sort("probability")
        half = 0.5 / bars.height
        steps = [x for middle in bars["probability"] for x in (middle - half, middle + half)]
        heights = [share for share in bars["share"] for _ in range(2)]
        base.add_axes(
            fig, x_title="probability that the forecast gave to less", x_range=(0, 1), y_range=(0, top), panel=name,
            x={"tickvals": [0, 0.5, 1], "ticktext": ["0", "0.5", "1"], "hoverformat": ".2f"}, y={"tickformat": ".0%"},
        )  # fmt: skip
        base.add_panel_title(fig, name, panel, str(rows["sample"][0]))
        base.add_level(fig, 1.0 / bars.height, "calibrated", panel=name, dash="dash")
        base.add_band(fig, steps, [0.0] * len(steps), heights, palette.REFERENCE[0], panel=name, opacity=0.35)
        base.add_line(
            fig,
            steps,
            heights,
            name="share of outcomes",
            colour=palette.LIGHT["ink"],
            hover="%{y:.1%} of outcomes",
            width=1.25,
            panel=name,
            key=False,
        )
    return fig.figure()


def far_ahead(frame: pl.DataFrame, *, title: str, subtitle: str) -> go.Figure:
    """Draw the error relative to a reference by the age of the origin, a panel a group of series, a line a question."""
    base.require(frame, FAR, "errors far ahead")
    panels = _panels(frame)
    fig = base.sheet(title, subtitle)
    ages = sorted(frame["age"].unique().to_list())
    for name, (panel, rows) in zip(base.lay_out(fig, len(panels), panel_height=220), panels, strict=True):
        base.add_axes(
            fig, x_title="years since launch, at the forecast", x_range=(min(ages) - 1, max(ages) + 1),
            y_range=(0, TOP_RATIO), panel=name, x={"tickvals": ages, "ticktext": [str(age) for age in ages]},
        )  # fmt: skip
        base.add_panel_title(fig, name, panel, str(rows["sample"][0]))
        base.add_level(fig, 1.0, "no better", panel=name)
        for position, question in reversed(list(enumerate(rows["question"].unique(maintain_order=True)))):
            _relative(fig, name, position, rows.filter(pl.col("question") == question).sort("age"))
    return fig.figure()


def _relative(fig: base.Sheet, name: str, position: int, line: pl.DataFrame) -> None:
    question = str(line["question"][0])
    colour, dash = QUESTIONS.get(question, (palette.LIGHT["ink"], "solid"))
    bounded = line.drop_nulls(["lo", "hi"])
    if bounded.height > 1:
        low, high = bounded["lo"].to_list(), [min(value, TOP_RATIO) for value in bounded["hi"]]
        base.add_band(fig, bounded["age"].to_list(), low, high, colour, panel=name, opacity=0.12)
    words = [
        f"95\u202f% interval {palette.exact(row['lo'], 3)} to {palette.exact(row['hi'], 3)}, n = {row['n']}"
        for row in line.iter_rows(named=True)
    ]
    said = f"{question[1:]} years ahead" if question.startswith("+") else f"the level at {question}"
    base.add_line(
        fig,
        line["age"].to_list(),
        line["value"].to_list(),
        name=said,
        colour=colour,
        dash=dash,
        hover=f"<b>{base.literal(said)}</b><br>at age %{{x}}: %{{y:.3~g}}<br>%{{text}}",
        words=words,
        panel=name,
        markers=True,
        rank=position,
    )


def _panels(frame: pl.DataFrame) -> Sequence[tuple[str, pl.DataFrame]]:
    """Part a frame into panels, in the order in which they first occur."""
    return [(str(key[0]), rows) for key, rows in frame.group_by("panel_title", maintain_order=True)]
