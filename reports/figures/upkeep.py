"""What it takes to keep relationships alive: hours a week by number of relationships, in several ways.

The frame has way, relationships, hours, lo, hi: one row a point; a range where inputs have one.
"""

from __future__ import annotations

import plotly.graph_objects as go
import polars as pl
from longwave.reports import palette
from longwave.reports.figures import base, labels

COLUMNS = ("way", "relationships", "hours", "lo", "hi")
LAYERS = "by layers of closeness"
_COLOURS = (palette.REFERENCE[1], palette.REFERENCE[0], palette.REFERENCE[2])


def hours_by_relationships(
    frame: pl.DataFrame, *, hours: float, relationships: int, title: str | None = None, subtitle: str | None = None
) -> go.Figure:
    """Draw hours a week by number of relationships, a line and a band of ranges for each way, and the claim's own point."""
    base.require(frame, COLUMNS, "upkeep")
    fig = base.sheet(
        title or _sentence(frame, relationships),
        subtitle or "Hours a week by number of relationships; bands: ranges of the stated inputs, not intervals",
        height=460,
    )
    most = float(frame["relationships"].max())  # type: ignore[arg-type]
    base.add_axes(
        fig,
        x_title="relationships",
        x_range=(0, most),
        y_range=(0, 1.05 * max(frame["hi"].to_list())),
        y_suffix=" h",
    )
    base.add_level(fig, 2 * hours, f"{2 * hours:g} hours", dash="dash")
    ends = []
    for position, (way, rows) in enumerate(frame.group_by("way", maintain_order=True)):
        name, colour = str(way[0]), _COLOURS[position % len(_COLOURS)]
        line = rows.sort("relationships")
        _draw(fig, name, line, colour, base.DASHES[position % len(base.DASHES)])
        ends.append(labels.EndLabel(most, line["hours"][-1], name, palette.ink(colour)))
    base.add_line(
        fig,
        [relationships],
        [hours],
        name="the claim",
        colour=palette.LIGHT["ink"],
        hover=f"<b>the claim</b><br>{hours:g} hours a week for %{{x}} relationships",
        markers=True,
    )
    labels.add_end_labels(fig, ends)
    fig.add_annotation(
        x=relationships,
        y=hours,
        text=f"the claim: {hours:g} hours",
        name=base.LABEL,
        showarrow=False,
        yanchor="bottom",
        # Above the lines that run close to the point.
        yshift=20,
        font={"size": 12, "color": palette.LIGHT["ink"]},
    )
    return fig


def _draw(fig: go.Figure, name: str, line: pl.DataFrame, colour: str, dash: str) -> None:
    """Draw one way with the range of its inputs."""
    counts = line["relationships"].to_list()
    base.add_band(fig, counts, line["lo"].to_list(), line["hi"].to_list(), colour)
    words = [f"range {palette.span(low, high)}" for low, high in line.select("lo", "hi").iter_rows()]
    hover = f"<b>{base.literal(name)}</b><br>%{{x}} relationships: %{{y:.3~g}} hours a week<br>%{{text}}"
    base.add_line(fig, counts, line["hours"].to_list(), name=name, colour=colour, dash=dash, hover=hover, words=words)


def _sentence(frame: pl.DataFrame, relationships: int) -> str:
    """Say what the claim's number of relationships takes by layers, over all inputs."""
    at = frame.filter(pl.col("way") == LAYERS, pl.col("relationships") == relationships)
    if at.is_empty():
        return "What it takes to keep relationships alive"
    row = at.row(0, named=True)
    return (
        f"By layers of closeness, {palette.integer(relationships)} relationships take "
        f"{palette.two_figures(row['hours'])} hours a week, or {palette.span(row['lo'], row['hi'])} by the inputs’ ranges"
    )
