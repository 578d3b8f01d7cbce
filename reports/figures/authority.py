"""Early authority: outcomes side by side, every reasonable specification, simulated worlds beside the truth, cohorts.

Frames of rows have name, estimate, lo, hi, kind (ours | beside) and may have truth; of specifications specification, percent,
lo, hi, primary (true for one).
"""

from __future__ import annotations

import plotly.graph_objects as go
import polars as pl
from longwave.reports import palette
from longwave.reports.figures import base, rows

ROWS = ("name", "estimate", "lo", "hi", "kind")
SPECIFICATIONS = ("specification", "percent", "lo", "hi", "primary")
OURS = "ours"
_COLOUR = palette.MEDIA["social"]


def in_rows(
    frame: pl.DataFrame,
    *,
    title: str,
    subtitle: str,
    x_title: str,
    bounds: tuple[str, str] = ("95\u202f% interval", "to"),
) -> go.Figure:
    """Draw one number a row with its interval as a band, 0 upright, and a tick where the truth is known.

    Args:
        frame: columns ``ROWS``; those whose kind is ``ours`` stand out; ``truth`` may be there.
        title: what was found.
        subtitle: what is drawn.
        x_title: unit of the numbers.
        bounds: what the band is, and the word between its ends, for those who point at a row.

    """
    base.require(frame, ROWS, "estimates in rows")
    fig = base.sheet(title, subtitle)
    drawn = [*frame["lo"].to_list(), *frame["hi"].to_list(), 0.0]
    margin = 0.06 * (max(drawn) - min(drawn))
    rows.add_rows(fig, frame["name"].to_list(), (min(drawn) - margin, max(drawn) + margin), "", x_title)
    rows.add_upright(fig, 0.0, "solid")
    what, between = bounds
    for at, row in enumerate(frame.iter_rows(named=True)):
        colour = _COLOUR if row["kind"] == OURS else palette.REFERENCE[0]
        hover = f"<b>{base.literal(row['name'])}</b><br>%{{x:.3~g}}<br>%{{text}}"
        words = f"{what} {palette.exact(row['lo'], 3)} {between} {palette.exact(row['hi'], 3)}"
        rows.draw_row(fig, at, (row["lo"], row["estimate"], row["hi"]), colour, row["name"], hover, words)
        if row.get("truth") is not None:
            base.add_line(
                fig,
                [row["truth"]] * 2,
                [-at - 0.36, -at + 0.36],
                name="truth",
                colour=palette.LIGHT["ink"],
                hover="<b>truth</b><br>%{x:.3~g}",
            )
    return fig.figure()


def specification_curve(frame: pl.DataFrame, *, title: str, subtitle: str) -> go.Figure:
    """Draw every specification's estimate from the lowest to the highest, a band for its interval, and the primary one."""
    base.require(frame, SPECIFICATIONS, "specification curve")
    fig = base.sheet(title, subtitle, height=420, narrow_height=340)
    drawn = frame.sort("percent", "specification").with_row_index("rank", offset=1)
    low, high = min(0.0, *drawn["lo"].to_list()), max(0.0, *drawn["hi"].to_list())
    margin = 0.06 * (high - low)
    base.add_axes(
        fig,
        x_title="specifications, from the lowest estimate to the highest",
        x_range=(0, drawn.height + 1),
        y_range=(low - margin, high + margin),
        y_suffix=f"{palette.THIN_SPACE}%",
    )
    base.add_level(fig, 0.0)
    at = drawn["rank"].to_list()
    base.add_band(fig, at, drawn["lo"].to_list(), drawn["hi"].to_list(), palette.REFERENCE[0])
    words = [
        f"{name}<br>95\u202f% interval {palette.span(lo, hi)}"
        for name, lo, hi in drawn.select("specification", "lo", "hi").iter_rows()
    ]
    hover = "<b>%{y:.3~g} % per year earlier</b><br>%{text}"
    base.add_line(
        fig,
        at,
        drawn["percent"].to_list(),
        name="a specification",
        colour=palette.REFERENCE[0],
        hover=hover,
        words=[base.literal(word).replace("&lt;br&gt;", "<br>") for word in words],
        markers=True,
    )
    chosen = drawn.filter(pl.col("primary"))
    for row in chosen.iter_rows(named=True):
        base.add_line(
            fig,
            [row["rank"]],
            [row["percent"]],
            name="the primary one",
            colour=_COLOUR,
            hover=hover,
            words=[base.literal(row["specification"])],
            markers=True,
        )
    return fig.figure()
