"""Presence and outcome: the two as percentiles, correlations with their intervals, years from one level to another.

Frames of pairs have presence, outcome (percentiles, 0–100) and name; of places these with the place they are percentiles in
and part (point, or middle of a tenth: then n); of correlations name, estimate, lo, hi, inner_lo, inner_hi, reading; of
speeds name, years, role (reference | in question).
"""

from __future__ import annotations

import plotly.graph_objects as go
import polars as pl
from longwave.reports import palette
from longwave.reports.figures import base, rows

PAIRS = ("presence", "outcome", "name")
PLACES = ("place", "presence", "outcome", "name", "part")
POINT, MIDDLE = "point", "middle"
CORRELATIONS = ("name", "estimate", "lo", "hi", "inner_lo", "inner_hi", "reading")
SPEEDS = ("name", "years", "role")
IN_QUESTION = "in question"
ENOUGH_FOR_TENTHS = 100
_HALF = 0.26


def scatter(frame: pl.DataFrame, *, title: str, subtitle: str, x_title: str, y_title: str) -> go.Figure:
    """Draw pairs of percentiles, a dot each, and the middle outcome of each tenth of presence."""
    base.require(frame, PAIRS, "presence and outcome")
    fig = base.sheet(title, subtitle, height=560, narrow_height=440)
    _axes(fig, "", x_title, y_title)
    parts = "tenth" if frame.height >= ENOUGH_FOR_TENTHS else "third"
    _draw_points(fig, "", frame, palette.REFERENCE[0])
    _draw_middles(fig, "", middle_outcomes(frame), f"middle outcome of each {parts} of presence")
    return fig.figure()


def standing(frame: pl.DataFrame, *, medium: str, title: str, subtitle: str) -> go.Figure:
    """Draw a panel for each reference class: adopters as percentiles in it, and the middle of each tenth of presence."""
    base.require(frame, PLACES, "presence and standing")
    fig = base.sheet(title, subtitle)
    places = frame["place"].unique(maintain_order=True).to_list()
    for panel, place in zip(base.lay_out(fig, len(places), panel_height=380), places, strict=True):
        of_place = frame.filter(pl.col("place") == place)
        _axes(fig, panel, "followers, percentile")
        base.add_panel_title(fig, panel, str(place), "standing, percentile")
        _draw_points(fig, panel, of_place.filter(pl.col("part") == POINT), palette.colour(medium))
        middles = of_place.filter(pl.col("part") == MIDDLE).rename({"presence": "at"}).sort("at")
        _draw_middles(fig, panel, middles, "middle standing of each tenth of followers")
    return fig.figure()


def _axes(fig: base.Sheet, panel: str, x_title: str, y_title: str = "") -> None:
    above = {"text": base.escaped(y_title), "font": {"size": 12, "color": palette.LIGHT["muted"]}}
    base.add_axes(
        fig,
        x_title=x_title,
        x_range=(0, 100),
        y_range=(0, 100),
        panel=panel,
        x={"hoverformat": ".3~g"},
        y={"title": above},
    )


def _draw_points(fig: base.Sheet, panel: str, frame: pl.DataFrame, colour: str) -> None:
    fig.add_trace(
        x=frame["presence"].to_list(),
        y=frame["outcome"].to_list(),
        mode="markers",
        text=[base.literal(name) for name in frame["name"]],
        marker={"size": 4.5, "color": palette.translucent(colour, 0.7 if frame.height < 300 else 0.45)},
        hovertemplate="<b>%{text}</b><br>presence %{x:.3~g}, outcome %{y:.3~g}<extra></extra>",
        xaxis=f"x{panel}",
        yaxis=f"y{panel}",
        meta={"key": False},
    )


def _draw_middles(fig: base.Sheet, panel: str, middles: pl.DataFrame, name: str) -> None:
    """Draw where the middle of each part of presence lies: at, outcome, n."""
    base.add_line(
        fig,
        middles["at"].to_list(),
        middles["outcome"].to_list(),
        name=name,
        colour=palette.LIGHT["ink"],
        hover=f"<b>{base.literal(name)}</b><br>%{{x:.0f}}: %{{y:.3~g}}<br>%{{text}}",
        words=[f"n = {n}" for n in middles["n"]],
        panel=panel,
        markers=True,
    )


def middle_outcomes(frame: pl.DataFrame) -> pl.DataFrame:
    """Median presence and outcome of each tenth of presence (of each third, under 100 pairs): at, outcome, n."""
    parts = 10 if frame.height >= ENOUGH_FOR_TENTHS else 3
    part = (pl.col("presence") * parts / 100).floor().clip(0, parts - 1).alias("part")
    return (
        frame.with_columns(part)
        .group_by("part")
        .agg(pl.col("presence").median().alias("at"), pl.col("outcome").median(), pl.len().alias("n"))
        .sort("part")
    )


def correlations(frame: pl.DataFrame, *, margin: float, title: str, subtitle: str) -> go.Figure:
    """Draw rank correlations, one a row, with 95 % intervals as bands, 90 % intervals darker, and the margin."""
    base.require(frame, CORRELATIONS, "rank correlations")
    fig = base.sheet(title, subtitle)
    low, high = (extreme(frame[name].to_list()) for extreme, name in ((min, "lo"), (max, "hi")))
    reach = (max(-1.05, min(low, -margin) - 0.06), min(1.05, max(high, margin) + 0.06))
    rows.add_rows(fig, frame["name"].to_list(), reach, "", "rank correlation")
    fig.update({"xaxis": {"hoverformat": ".3~g"}})
    for at, dash in ((0.0, "solid"), (margin, "dash"), (-margin, "dash")):
        rows.add_upright(fig, at, dash)
    for at, row in enumerate(frame.iter_rows(named=True)):
        colour = palette.LIGHT["ink"] if row["reading"] == "correlated" else palette.REFERENCE[0]
        base.add_band(fig, [row["lo"], row["hi"]], [-at - _HALF] * 2, [-at + _HALF] * 2, colour, opacity=0.18)
        hover = f"<b>{base.literal(row['name'])}</b><br>%{{x:.3~g}}<br>%{{text}}"
        inner = (row["inner_lo"], row["estimate"], row["inner_hi"])
        rows.draw_row(fig, at, inner, colour, row["name"], hover, _intervals(row))
    return fig.figure()


def _intervals(row: dict[str, object]) -> str:
    said = []
    for level, ends in (("95", ("lo", "hi")), ("90", ("inner_lo", "inner_hi"))):
        bounds = " to ".join(palette.exact(value, 3) for end in ends if isinstance(value := row[end], float))
        said.append(f"{level}{palette.THIN_SPACE}%: {bounds}")
    return "; ".join([*said, base.escaped(row["reading"] or "")])


def years(
    frame: pl.DataFrame, *, medium: str, expected: tuple[float, float, float], title: str, subtitle: str
) -> go.Figure:
    """Draw years from one level to another, a technology a row, and where one more is expected (low, centre, high)."""
    base.require(frame, SPEEDS, "years from one level to another")
    fig = base.sheet(title, subtitle)
    low, centre, high = expected
    most = max(high, *frame["years"].to_list())
    rows.add_rows(fig, frame["name"].to_list(), (0, 1.04 * most), "", "years")
    fig.update({"xaxis": {"hoverformat": ".3~g"}})
    base.add_band(fig, [low, high], [-frame.height + 0.4] * 2, [0.6] * 2, palette.REFERENCE[2], opacity=0.18)
    rows.add_upright(fig, centre, "dash")
    for at, row in enumerate(frame.iter_rows(named=True)):
        asked = row["role"] == IN_QUESTION
        colour = palette.colour(medium) if asked else palette.REFERENCE[0]
        hover = f"<b>{base.literal(row['name'])}</b><br>%{{x:.3~g}} years"
        base.add_line(fig, [row["years"]], [-at], name=row["name"], colour=colour, hover=hover, markers=True, key=False)
    return fig.figure()
