"""Figures of rows: one number with its interval a row, from the top, named at the left.

Belongs here: the axes of such a figure, a row, an upright level. Not here: what the rows are (the modules beside this one).
"""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
from longwave.reports import palette
from longwave.reports.figures import base

_ROW = 30
_HALF = 0.26


def add_rows(fig: go.Figure, names: Sequence[str], x_range: tuple[float, float], suffix: str, x_title: str) -> None:
    """Give the figure a row for each name, from the top, and the height that takes."""
    height = 90 + _ROW * len(names)
    # Wide enough for the longest name on phones, too: a static picture has one size of letters.
    widest = 10 + 6.4 * max(len(name) for name in names)
    fig.update_layout(height=height + fig.layout.margin.t, margin={"l": widest})
    meta = dict(fig.layout.meta)
    narrow = {**meta["narrow"], "margin.l": widest}
    fig.layout.meta = {**meta, "heights": [height, height], "narrow": narrow}
    ticks = {"tickvals": [-at for at in range(len(names))], "ticktext": [base.escaped(name) for name in names]}
    base.add_axes(
        fig,
        x_title=x_title,
        x_range=x_range,
        y_range=(-len(names) + 0.4, 0.6),
        x={"ticksuffix": suffix, "hoverformat": ".1f"},
        y={**ticks, "showgrid": False, "fixedrange": True},
    )


def draw_row(
    fig: go.Figure, at: int, values: tuple[float, float, float], colour: str, name: str, hover: str, words: str
) -> None:
    """Draw one row: its interval (low, value, high) as a band along it, its value as a dot."""
    low, value, high = values
    base.add_band(fig, [low, high], [-at - _HALF] * 2, [-at + _HALF] * 2, colour, opacity=0.3)
    base.add_line(fig, [value], [-at], name=name, colour=colour, hover=hover, words=[words], markers=True, key=False)


def add_upright(fig: go.Figure, x: float, dash: str) -> None:
    """Draw a level across all rows."""
    fig.add_shape(
        type="line",
        xref="x",
        yref="y domain",
        x0=x,
        x1=x,
        y0=0,
        y1=1,
        layer="below",
        line={"color": palette.LIGHT["muted"], "width": 1, "dash": dash},
    )
