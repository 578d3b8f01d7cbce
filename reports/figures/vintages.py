"""What one vintage of a source said of a series, beside what the newest says.

Frame: year, stated (what the vintage said), newest; one row a year, null where a vintage says nothing of it. Each trace says
in ``meta.role`` which column it is: a page redraws them for other vintages and series (``static/vintages.js``).
"""

from __future__ import annotations

from typing import Final

import plotly.graph_objects as go
import polars as pl
from longwave.reports import palette
from longwave.reports.figures import base

COLUMNS: Final = ("year", "stated", "newest")
NAMES: Final = {"newest": "the newest vintage", "stated": "the vintage chosen"}
FULL: Final = 104.0
"""Where the axis of a share ends that comes near to all."""
ROOM: Final = 1.08


def as_stated(frame: pl.DataFrame, *, medium: str, share: bool, title: str, subtitle: str) -> go.Figure:
    """Draw what a vintage said, and the newest faint behind it.

    Args:
        frame: as the module says.
        medium: whose colour it has.
        share: values are percent.
        title: what is found.
        subtitle: what is drawn.

    Raises:
        ValueError: a column is missing, or neither vintage says anything.

    """
    base.require(frame, COLUMNS, "what a vintage said")
    rows = frame.filter(pl.any_horizontal(pl.col("stated", "newest").is_not_null())).sort("year")
    if rows.is_empty():
        raise ValueError("what a vintage said: neither vintage has a figure")
    fig = base.sheet(title, subtitle, height=420, narrow_height=330)
    base.add_axes(
        fig,
        x_title="",
        x_range=(float(rows["year"][0]) - 0.5, float(rows["year"][-1]) + 0.5),
        y_range=(0, top(rows, share=share)),
        y_suffix=f"{palette.THIN_SPACE}%" if share else "",
        x={"tickformat": "d", "nticks": 9},
    )
    # On a phone nine years in a row would touch.
    fig.layout["meta"]["narrow"]["xaxis.nticks"] = 5
    for rank, (column, name) in enumerate(NAMES.items()):
        own = rows.filter(pl.col(column).is_not_null())
        base.add_line(
            fig,
            own["year"].to_list(),
            own[column].to_list(),
            name=name,
            colour=palette.LIGHT["ink"] if column == "newest" else colour(medium),
            dash="dot" if column == "newest" else "solid",
            width=1.5 if column == "newest" else 2.25,
            opacity=0.55 if column == "newest" else 1.0,
            markers=True,
            hover=f"%{{x}}: %{{y:.4~g}}, {name}",
            rank=-rank,
        )
        fig.traces[-1]["meta"] = {"key": True, "role": column}
    return fig.figure()


def colour(medium: str) -> str:
    """Return a medium's colour; that of a reference medium is not the grey beside which the newest vintage would be lost."""
    return palette.colour(medium, 1)


def top(rows: pl.DataFrame, *, share: bool) -> float:
    """Return the end of the axis: a little over the highest value. The script has the same rule, over all vintages."""
    highest = max(float(value) for column in NAMES for value in rows[column].drop_nulls())
    high = ROOM * highest or 1.0
    return min(high, max(FULL, highest)) if share else high
