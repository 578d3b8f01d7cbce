"""The forecast that could have been made at one age of a medium: what was known, the fan, what came.

Frame: one series cut at one year; year, known (levels up to the cut), forecast, lo50, hi50, lo80, hi80, lo90, hi90, happened
(levels after it); one row a year, null where there is none. Each trace says in ``meta.role`` what it is, and the line at the
cut has the name ``cut``: a page redraws them for other cuts (``static/hindsight.js``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import plotly.graph_objects as go
import polars as pl
from longwave.reports import palette
from longwave.reports.figures import base

COLUMNS: Final = ("year", "known", "forecast", "lo50", "hi50", "lo80", "hi80", "lo90", "hi90", "happened")
BANDS: Final = ((90, 0.10), (80, 0.14), (50, 0.20))
HIGHEST: Final = 1.6
"""The axis of a count goes so far over the highest line: its upper bound may be a hundred times that."""


def at_cut(
    frame: pl.DataFrame,
    *,
    medium: str,
    share: bool,
    span: tuple[int, int],
    title: str,
    subtitle: str,
    breaks: Sequence[int] = (),
) -> go.Figure:
    """Draw what was known at a cut, the fan from there, and what came.

    Args:
        frame: as the module says.
        medium: whose colour it has.
        share: levels are percent; the axis ends at 100.
        span: first and last year of the axis, the same for all cuts of a series.
        title: what is found.
        subtitle: what is drawn.
        breaks: years of listed breaks.

    Raises:
        ValueError: a column is missing, or nothing was known at the cut.

    """
    base.require(frame, COLUMNS, "forecast in hindsight")
    rows = frame.sort("year")
    known = rows.filter(pl.col("known").is_not_null())
    if known.is_empty():
        raise ValueError("forecast in hindsight: nothing was known at the cut")
    fig = base.sheet(title, subtitle, height=440, narrow_height=340)
    base.add_axes(
        fig,
        x_title="",
        x_range=(span[0] - 0.5, span[1] + 0.5),
        y_range=(0, 104 if share else top(rows)),
        y_suffix=f"{palette.THIN_SPACE}%" if share else "",
        x={"tickformat": "d", "nticks": 9},
    )
    # On a phone nine years in a row would touch.
    fig.layout["meta"]["narrow"]["xaxis.nticks"] = 5
    colour = palette.colour(medium)
    _draw_fan(fig, rows, (int(known["year"][-1]), float(known["known"][-1])), colour)
    _draw_levels(fig, rows, "happened", "what came", palette.LIGHT["ink"], "dot")
    _draw_levels(fig, rows, "known", "known at the cut", colour, "solid")
    add_upright(fig, int(known["year"][-1]) + 0.5, "cut", palette.LIGHT["muted"], "dash")
    for year in breaks:
        add_upright(fig, year, "break", palette.ALARM, "dot")
    return fig.figure()


def _draw_fan(fig: base.Sheet, rows: pl.DataFrame, start: tuple[int, float], colour: str) -> None:
    """Draw the bands, widest first, and the points, from the last level known on."""
    fan = rows.filter(pl.col("forecast").is_not_null())
    years = [start[0], *fan["year"]]
    for level, opacity in BANDS:
        low, high = ([start[1], *fan[f"{end}{level}"]] for end in ("lo", "hi"))
        base.add_band(fig, years, low, high, colour, opacity=opacity)
        fig.traces[-1]["meta"] = {"key": False, "role": f"band{level}"}
    base.add_line(
        fig,
        years,
        [start[1], *fan["forecast"]],
        name="forecast, with 50, 80 and 90\u202f% intervals",
        colour=colour,
        dash="dash",
        hover="%{x}: %{y:.3~g}, forecast",
        width=2,
        rank=1,
    )
    fig.traces[-1]["meta"] = {"key": True, "role": "forecast"}


def _draw_levels(fig: base.Sheet, rows: pl.DataFrame, column: str, name: str, colour: str, dash: str) -> None:
    own = rows.filter(pl.col(column).is_not_null())
    hover = f"%{{x}}: %{{y:.3~g}}, {name}"
    years, values = own["year"].to_list(), own[column].to_list()
    rank = 2 if column == "happened" else 0
    base.add_line(
        fig, years, values, name=name, colour=colour, dash=dash, hover=hover, markers=True, width=2.25, rank=rank
    )
    fig.traces[-1]["meta"] = {"key": True, "role": column}


def add_upright(fig: base.Sheet, x: float, name: str, colour: str, dash: str) -> None:
    """Draw a line across the figure at a year."""
    line = {"color": colour, "width": 1.25, "dash": dash}
    fig.add_shape(type="line", name=name, xref="x", yref="y domain", x0=x, x1=x, y0=0, y1=1, layer="below", line=line)


def top(rows: pl.DataFrame) -> float:
    """Return the end of a count's axis: all lines, and as much of the bands as leaves them readable."""
    lines = [rows.select(pl.col(name).max()).item() for name in ("known", "forecast", "happened")]
    highest = max(float(value) for value in lines if value is not None)
    return top_of(highest, rows.select(pl.col("hi90").max()).item())


def top_of(highest: float, bound: float | None) -> float:
    """Return the same, given the highest place of all lines and the highest bound of a band, None where there is none."""
    return 1.06 * max(highest, min(float(bound or 0.0), HIGHEST * highest)) or 1.0
