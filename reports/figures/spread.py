"""How a medium was taken up over the calendar and over the years since launch: lines, and how places spread around them.

Frame: label, kind (``line``; ``thin``: one of many, in the background; ``spread``: the median of many with the band of the
middle 80 %), axis (``year`` or ``age``), x, value, lo, hi, n, flag, unit; one row a point.
"""

from __future__ import annotations

from typing import Final

import plotly.graph_objects as go
import polars as pl
from longwave.reports import palette
from longwave.reports.figures import base

COLUMNS: Final = ("label", "kind", "axis", "x", "value", "lo", "hi", "n", "flag", "unit")
AXES: Final = (("year", "On the calendar", ""), ("age", "Since launch there", "years since launch"))
LONGEST_STEP: Final = 5
"""Figures more than this many years apart are not joined by a line."""
THIN: Final = palette.REFERENCE[2]


def both_axes(frame: pl.DataFrame, *, medium: str, title: str, subtitle: str) -> go.Figure:
    """Draw the same lines twice: on the calendar, and on years since launch where a launch is known.

    Raises:
        ValueError: a column is missing, or there are no rows.

    """
    base.require(frame, COLUMNS, "adoption by place")
    fig = base.sheet(title, subtitle)
    axes = [axis for axis in AXES if not frame.filter(pl.col("axis") == axis[0]).is_empty()]
    share = frame["unit"].str.starts_with("%").all()
    high = float(str(frame.select(pl.max_horizontal("value", "hi").max()).item()))
    names = base.lay_out(fig, len(axes), panel_height=330)
    for name, (axis, heading, x_title) in zip(names, axes, strict=True):
        rows = frame.filter(pl.col("axis") == axis)
        first, last = (float(str(value)) for value in (rows["x"].min(), rows["x"].max()))
        base.add_axes(
            fig,
            x_title=x_title,
            x_range=(first - 1 if axis == "year" else min(0.0, first), last + 1),
            y_range=(0, 104 if share else 1.05 * high),
            y_suffix=f"{palette.THIN_SPACE}%" if share else "",
            panel=name,
            x={"nticks": 6, "tickformat": "d"},
        )
        base.add_panel_title(fig, name, heading)
        _draw(fig, name, rows, medium, key=name == names[0])
    return fig.figure()


def _draw(fig: base.Sheet, panel: str, rows: pl.DataFrame, medium: str, *, key: bool) -> None:
    """Draw the lines of one panel, the thin ones behind."""
    order = {"thin": 0, "spread": 1, "line": 2}
    parts = rows.partition_by("label", maintain_order=True)
    drawn = 0
    for own in sorted(parts, key=lambda part: order[part["kind"][0]]):
        kind, label = own["kind"][0], str(own["label"][0])
        if kind == "spread":
            _draw_spread(fig, panel, own, label, key=key)
            continue
        xs, ys = _gapped(own)
        named = kind == "line"
        base.add_line(
            fig,
            xs,
            ys,
            name=label,
            colour=palette.colour(medium) if named else THIN,
            dash=base.DASHES[drawn % len(base.DASHES)] if named else "solid",
            width=2.25 if named else 1,
            opacity=1 if named else 0.7,
            hover=f"<b>{base.literal(label)}</b><br>%{{x:d}}: %{{y:.3~g}}",
            panel=panel,
            markers=named and own.height < 12,
            key=key and named,
            rank=drawn,
        )
        drawn += named
    _draw_breaks(fig, panel, rows.filter(pl.col("kind") == "line"))


def _draw_spread(fig: base.Sheet, panel: str, rows: pl.DataFrame, label: str, *, key: bool) -> None:
    """Draw the median of many and the band of the middle 80 %."""
    own = rows.sort("x")
    base.add_band(fig, own["x"].to_list(), own["lo"].to_list(), own["hi"].to_list(), palette.NEUTRAL, panel=panel)
    base.add_line(
        fig,
        own["x"].to_list(),
        own["value"].to_list(),
        name=label,
        colour=palette.NEUTRAL,
        width=1.75,
        hover="<b>%{fullData.name}</b><br>%{x:d}: %{y:.3~g}<br>%{text}",
        words=[
            f"middle 80\u202f%: {palette.span(low, high)}; n = {n}"
            for low, high, n in own.select("lo", "hi", "n").iter_rows()
        ],
        panel=panel,
        key=key,
        rank=8,
    )


def _draw_breaks(fig: base.Sheet, panel: str, rows: pl.DataFrame) -> None:
    """Mark figures from which on a line was measured otherwise."""
    broken = rows.filter(pl.col("flag").fill_null("").str.contains("break"))
    if not broken.is_empty():
        fig.add_trace(
            x=broken["x"].to_list(),
            y=broken["value"].to_list(),
            mode="markers",
            name="break",
            marker={"symbol": "x", "size": 8, "color": palette.ALARM},
            hovertemplate="%{x:d}: listed break<extra></extra>",
            xaxis=f"x{panel}",
            yaxis=f"y{panel}",
            meta={"key": False},
        )


def _gapped(rows: pl.DataFrame) -> tuple[list[float], list[float | None]]:
    """Return a line's points, with a gap where figures are too far apart to be joined."""
    xs: list[float] = []
    ys: list[float | None] = []
    for x, value in rows.sort("x").select("x", "value").iter_rows():
        if xs and x - xs[-1] > LONGEST_STEP:
            xs.append((x + xs[-1]) / 2)
            ys.append(None)
        xs.append(x)
        ys.append(value)
    return xs, ys
