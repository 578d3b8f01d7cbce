"""Figures of rows: one number with its interval a row, from the top, named at the left.

Belongs here: the axes of such a figure, a row, an upright level. Not here: what the rows are (the modules beside this one).
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from longwave.reports import palette
from longwave.reports.figures import base

_ROW = 30
_LINE = 16
_LETTER = 6.4
_NARROW_LETTERS = 22
"""Of a name on a phone: half the width is left for the rows."""
_HALF = 0.26


def add_rows(fig: base.Sheet, names: Sequence[str], x_range: tuple[float, float], suffix: str, x_title: str) -> None:
    """Give the figure a row for each name, from the top, and the height that takes; on phones names break into lines."""
    height = 90 + _ROW * len(names)
    fig.layout["height"] = height + fig.layout["margin"]["t"]
    fig.layout["margin"]["l"] = _margin(names)
    broken = [textwrap.wrap(name, _NARROW_LETTERS) or [""] for name in names]
    most = max(len(lines) for lines in broken)
    low = 90 + max(_ROW, _LINE * most + 8) * len(names)
    narrow = {
        "margin.l": _margin([line for lines in broken for line in lines]),
        "yaxis.ticktext": ["<br>".join(base.escaped(line) for line in lines) for lines in broken],
    }
    fig.update({"meta": {"heights": [height, low], "narrow": narrow}})
    ticks = {"tickvals": [-at for at in range(len(names))], "ticktext": [base.escaped(name) for name in names]}
    base.add_axes(
        fig,
        x_title=x_title,
        x_range=x_range,
        y_range=(-len(names) + 0.4, 0.6),
        x={"ticksuffix": suffix, "hoverformat": ".1f"},
        y={**ticks, "showgrid": False, "fixedrange": True},
    )


def _margin(lines: Sequence[str]) -> float:
    """Pixels that hold the longest line: a static picture has one size of letters."""
    return 10 + _LETTER * max(len(line) for line in lines)


def draw_row(
    fig: base.Sheet, at: int, values: tuple[float, float, float], colour: str, name: str, hover: str, words: str
) -> None:
    """Draw one row: its interval (low, value, high) as a band along it, its value as a dot."""
    low, value, high = values
    base.add_band(fig, [low, high], [-at - _HALF] * 2, [-at + _HALF] * 2, colour, opacity=0.3)
    base.add_line(fig, [value], [-at], name=name, colour=colour, hover=hover, words=[words], markers=True, key=False)


def add_upright(fig: base.Sheet, x: float, dash: str) -> None:
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
