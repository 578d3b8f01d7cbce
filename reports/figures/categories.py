"""Adopter categories: where each ends, a row a category and scheme.

Frames have scheme, category, until, lo, hi (decimal years; lo and hi null without an interval).
"""

from __future__ import annotations

import math

import plotly.graph_objects as go
import polars as pl
from longwave.reports import palette
from longwave.reports.figures import base, rows

COLUMNS = ("scheme", "category", "until", "lo", "hi")


def ends(frame: pl.DataFrame, *, title: str, subtitle: str) -> go.Figure:
    """Draw the year at which each category ends as a dot with its interval.

    Args:
        frame: columns ``COLUMNS``; the first scheme stands out.
        title: what was found.
        subtitle: what is drawn.

    """
    base.require(frame, COLUMNS, "ends of categories")
    fig = base.sheet(title, subtitle)
    drawn = frame.with_columns(pl.coalesce(name, "until").alias(name) for name in ("lo", "hi"))
    names = [f"{row['scheme']}: {row['category']}" for row in drawn.iter_rows(named=True)]
    span = (math.floor(min(drawn["lo"])) - 0.5, math.ceil(max(drawn["hi"])) + 0.5)
    rows.add_rows(fig, names, span, "", "end of the category, year")
    first = drawn["scheme"][0]
    for at, row in enumerate(drawn.iter_rows(named=True)):
        colour = palette.MEDIA["social"] if row["scheme"] == first else palette.REFERENCE[0]
        hover = f"<b>{base.literal(names[at])}</b><br>until %{{x:.1f}}<br>%{{text}}"
        words = "no interval" if frame["lo"][at] is None else f"95\u202f% interval {row['lo']:.1f} to {row['hi']:.1f}"
        rows.draw_row(fig, at, (row["lo"], row["until"], row["hi"]), colour, names[at], hover, words)
    return fig.figure()
