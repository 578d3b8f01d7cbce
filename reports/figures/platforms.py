"""How a few stood first and last: a row each, from where it was to where it came.

The frame has name, first, last, words (shown at a row's end): no interval, since nothing here is estimated.
"""

from __future__ import annotations

import plotly.graph_objects as go
import polars as pl
from longwave.reports import palette
from longwave.reports.figures import base, rows

COLUMNS = ("name", "first", "last", "words")
_FROM, _TO = palette.REFERENCE[0], palette.MEDIA["social"]


def first_and_last(frame: pl.DataFrame, *, title: str, subtitle: str, x_title: str, suffix: str = "") -> go.Figure:
    """Draw a row each: a grey dot where it was first, a coloured one where it was last, a line between them, 0 upright."""
    base.require(frame, COLUMNS, "first and last standing")
    fig = base.sheet(title, subtitle)
    drawn = [0.0, *frame["first"].to_list(), *frame["last"].to_list()]
    margin = 0.06 * (max(drawn) - min(drawn))
    rows.add_rows(fig, frame["name"].to_list(), (min(drawn) - margin, max(drawn) + margin), suffix, x_title)
    rows.add_upright(fig, 0.0, "solid")
    for at, row in enumerate(frame.iter_rows(named=True)):
        hover = f"<b>{base.literal(row['name'])}</b><br>%{{x:.3~g}}<br>%{{text}}"
        words, ends = base.escaped(row["words"]), [row["first"], row["last"]]
        same = {"name": row["name"], "hover": hover, "key": False}
        base.add_line(fig, ends, [-at] * 2, colour=_FROM, words=[words] * 2, **same)
        for end, colour in zip(ends, (_FROM, _TO), strict=True):
            base.add_line(fig, [end], [-at], colour=colour, words=[words], markers=True, **same)
    return fig.figure()
