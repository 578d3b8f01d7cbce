"""Channel and truth: shares of false statements by channel, and every difference between two channels.

Frames of shares have title, medium, known, percent, lo, hi, n; of differences pair, difference, lo, hi, n, in points. A row
of the frame is a row of the picture, from the top; its interval is a band along it.
"""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
import polars as pl
from longwave.reports import palette
from longwave.reports.figures import base

SHARES = ("title", "medium", "known", "percent", "lo", "hi", "n")
DIFFERENCES = ("pair", "difference", "lo", "hi", "n")
_PERCENT = f"{palette.THIN_SPACE}%"
_ROW = 30
_HALF = 0.26


def by_channel(frame: pl.DataFrame, *, title: str | None = None, subtitle: str | None = None) -> go.Figure:
    """Draw the share of statements rated false or worse, a channel a row, with a band for its own 90 % interval."""
    base.require(frame, SHARES, "statements by channel")
    fig = base.sheet(
        title or _share_sentence(frame),
        subtitle
        or f"Share of fact-checked statements rated false or worse; bands: 90{_PERCENT} intervals, each for itself",
    )
    top = max(frame["hi"].to_list())
    _rows(fig, frame["title"].to_list(), (0, 1.08 * top), _PERCENT, "statements rated false or worse")
    for at, row in enumerate(frame.iter_rows(named=True)):
        colour = palette.MEDIA.get(row["medium"] or "", palette.REFERENCE[0 if row["known"] == "yes" else 2])
        hover = f"<b>{base.literal(row['title'])}</b><br>%{{x:.3~g}} % false or worse<br>%{{text}}"
        _draw(fig, at, (row["lo"], row["percent"], row["hi"]), colour, row["title"], hover, _interval(row))
    return fig


def differences(
    frame: pl.DataFrame, *, margin: float, title: str | None = None, subtitle: str | None = None
) -> go.Figure:
    """Draw every difference between two channels, the largest first, with simultaneous 90 % intervals and the margin."""
    base.require(frame, DIFFERENCES, "differences between channels")
    fig = base.sheet(
        title or _difference_sentence(frame, margin),
        subtitle
        or f"Difference in the share rated false or worse, in points; bands: 90{_PERCENT} intervals that hold together; "
        f"dashed: {margin:g} points either way",
    )
    low, high = (extreme(frame[name].to_list()) for extreme, name in ((min, "lo"), (max, "hi")))
    _rows(fig, frame["pair"].to_list(), (min(low, -margin) - 1, max(high, margin) + 1), "", "points")
    for at, dash in ((0.0, "solid"), (margin, "dash"), (-margin, "dash")):
        _upright(fig, at, dash)
    for at, row in enumerate(frame.iter_rows(named=True)):
        beyond = row["lo"] > margin or row["hi"] < -margin
        colour = palette.LIGHT["ink"] if beyond else palette.REFERENCE[0]
        hover = f"<b>{base.literal(row['pair'])}</b><br>%{{x:.3~g}} points<br>%{{text}}"
        _draw(fig, at, (row["lo"], row["difference"], row["hi"]), colour, row["pair"], hover, _interval(row))
    return fig


def _rows(fig: go.Figure, names: Sequence[str], x_range: tuple[float, float], suffix: str, x_title: str) -> None:
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


def _draw(
    fig: go.Figure, at: int, values: tuple[float, float, float], colour: str, name: str, hover: str, words: str
) -> None:
    """Draw one row: its interval as a band along it, its value as a dot."""
    low, value, high = values
    base.add_band(fig, [low, high], [-at - _HALF] * 2, [-at + _HALF] * 2, colour, opacity=0.3)
    base.add_line(fig, [value], [-at], name=name, colour=colour, hover=hover, words=[words], markers=True, key=False)


def _upright(fig: go.Figure, x: float, dash: str) -> None:
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


def _interval(row: dict[str, object]) -> str:
    """Say between which bounds one number lies, and on how many statements it rests."""
    bounds = " to ".join(
        palette.exact(value, 3) for name in ("lo", "hi") if isinstance(value := row[name], int | float)
    )
    return f"90\u202f% interval {bounds}, n = {row['n']} statements"


def _share_sentence(frame: pl.DataFrame) -> str:
    """Name the channels with the largest and the smallest share, among those known."""
    known = frame.filter(pl.col("known") == "yes").sort("percent", "title")
    least, most = known.row(0, named=True), known.row(-1, named=True)
    return (
        f"{palette.two_figures(most['percent'])}{_PERCENT} of the statements checked {_where(most['title'])} were false or "
        f"worse, {palette.two_figures(least['percent'])}{_PERCENT} of those {_where(least['title'])}"
    )


def _where(title: str) -> str:
    """Name a channel within a sentence."""
    said = {"internet": "on the internet", "print": "in print", "press release": "in press releases"}
    return said.get(title, title if title.startswith("in ") else f"on {title}")


def _difference_sentence(frame: pl.DataFrame, margin: float) -> str:
    """Say how many pairs differ by more than the margin for sure, or that none does."""
    beyond = frame.filter((pl.col("lo") > margin) | (pl.col("hi") < -margin)).height
    inside = frame.filter((pl.col("lo") > -margin) & (pl.col("hi") < margin)).height
    if beyond:
        return f"{beyond} of {frame.height} pairs of channels differ by more than {margin:g} points; {inside} by less"
    if inside == frame.height:
        return f"No two channels differ by {margin:g} points"
    return f"No two channels can be shown to differ by more than {margin:g} points; {inside} of {frame.height} differ by less"
