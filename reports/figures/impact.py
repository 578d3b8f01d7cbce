"""What early authority and size foretell of later impact, out of the medium: skill by model and medium.

Not here: the predictions (`longwave.models.impact`).
"""

from __future__ import annotations

import plotly.graph_objects as go
import polars as pl
from longwave.reports import palette
from longwave.reports.figures import base, rows

COLUMNS = ("name", "skill", "lo", "hi", "pooled")
_LOWEST = -1.0


def skills(frame: pl.DataFrame, *, title: str, subtitle: str) -> go.Figure:
    """Draw skill, one model and medium a row, with its interval: 0 knows nothing, 1 everything.

    Args:
        frame: name, skill, lo, hi (null where there is no interval), pooled (whether over all media); in the order drawn.
        title: the finding.
        subtitle: what is drawn.

    """
    base.require(frame, COLUMNS, "skill by model")
    fig = base.sheet(title, subtitle)
    # An interval may reach far below: under -1 a forecast is worse than twice nothing, and how much so is in the table.
    rows.add_rows(fig, frame["name"].to_list(), (_LOWEST, 1.05), "", "skill")
    fig.update({"xaxis": {"hoverformat": ".2f"}})
    for level in (0.0, 1.0):
        rows.add_upright(fig, level, "solid" if level == 0.0 else "dash")
    for at, row in enumerate(frame.iter_rows(named=True)):
        colour = palette.LIGHT["ink"] if row["pooled"] else palette.REFERENCE[0]
        low, high = ((row["skill"] if end is None else max(end, _LOWEST)) for end in (row["lo"], row["hi"]))
        told = "no interval" if row["lo"] is None else f"{palette.exact(row['lo'], 2)} to {palette.exact(row['hi'], 2)}"
        hover = f"<b>{base.literal(row['name'])}</b><br>%{{x:.2f}}<br>%{{text}}"
        rows.draw_row(fig, at, (low, max(row["skill"], _LOWEST), high), colour, row["name"], hover, told)
    return fig.figure()
