"""Presence and outcome: the two as percentiles, correlations with their intervals, years from one level to another.

Frames of pairs have presence, outcome (percentiles, 0–100) and name; of correlations name, estimate, lo, hi, inner_lo,
inner_hi, reading; of speeds name, years, role (reference | in question).
"""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
import polars as pl
from longwave.reports import palette
from longwave.reports.figures import base, rows

PAIRS = ("presence", "outcome", "name")
CORRELATIONS = ("name", "estimate", "lo", "hi", "inner_lo", "inner_hi", "reading")


def scatter(
    frame: pl.DataFrame, *, title: str, subtitle: str, x_title: str, y_title: str, colour: str = palette.REFERENCE[0]
) -> go.Figure:
    """Draw pairs of percentiles, a dot each, and where every third of presence has its middle outcome."""
    base.require(frame, PAIRS, "presence and outcome")
    fig = base.sheet(title, subtitle, height=560, narrow_height=440)
    percent = f"{palette.THIN_SPACE}%"
    base.add_axes(
        fig,
        x_title=x_title,
        x_range=(0, 100),
        y_range=(0, 100),
        x={"hoverformat": ".3~g"},
        y={"title": {"text": base.escaped(y_title), "font": {"size": 12, "color": palette.LIGHT["muted"]}}},
    )
    faint = 0.75 if frame.height < 300 else 0.35
    fig.add_trace(
        go.Scatter(
            x=frame["presence"].to_list(),
            y=frame["outcome"].to_list(),
            mode="markers",
            text=[base.literal(name) for name in frame["name"]],
            marker={"size": 4.5, "color": palette.translucent(colour, faint)},
            hovertemplate="<b>%{text}</b><br>presence %{x:.3~g}, outcome %{y:.3~g}<extra></extra>",
            meta={"key": False},
        )
    )
    middles = middle_outcomes(frame)
    words = [f"n = {n}" for n in middles["n"]]
    base.add_line(
        fig,
        middles["at"].to_list(),
        middles["outcome"].to_list(),
        name="middle outcome of each tenth of presence",
        colour=palette.LIGHT["ink"],
        hover=f"<b>a tenth of presence</b>, about %{{x:.0f}}{percent}<br>middle outcome %{{y:.3~g}}<br>%{{text}}",
        words=words,
        markers=True,
    )
    return fig


def middle_outcomes(frame: pl.DataFrame) -> pl.DataFrame:
    """Median presence and outcome of each tenth of presence (of each third, under 100 pairs): at, outcome, n."""
    parts = 10 if frame.height >= 100 else 3
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
    fig.update_xaxes(hoverformat=".3~g")
    for at, dash in ((0.0, "solid"), (margin, "dash"), (-margin, "dash")):
        rows.add_upright(fig, at, dash)
    for at, row in enumerate(frame.iter_rows(named=True)):
        colour = palette.LIGHT["ink"] if row["reading"] == "correlated" else palette.REFERENCE[0]
        base.add_band(fig, [row["lo"], row["hi"]], [-at - 0.26] * 2, [-at + 0.26] * 2, colour, opacity=0.18)
        hover = f"<b>{base.literal(row['name'])}</b><br>%{{x:.3~g}}<br>%{{text}}"
        inner = (row["inner_lo"], row["estimate"], row["inner_hi"])
        rows.draw_row(fig, at, inner, colour, row["name"], hover, _intervals(row))
    return fig


def _intervals(row: dict[str, object]) -> str:
    said = []
    for level, ends in (("95", ("lo", "hi")), ("90", ("inner_lo", "inner_hi"))):
        bounds = " to ".join(palette.exact(value, 3) for end in ends if isinstance(value := row[end], float))
        said.append(f"{level}{palette.THIN_SPACE}%: {bounds}")
    return "; ".join([*said, base.escaped(row["reading"] or "")])


def sampled(frame: pl.DataFrame, most: int) -> pl.DataFrame:
    """At most so many rows of a frame, evenly over its order."""
    if frame.height <= most:
        return frame
    keep: Sequence[int] = [at * frame.height // most for at in range(most)]
    return frame[keep]
