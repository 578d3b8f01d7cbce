"""Which years each source has values for: one row a source, thin where there is any value, thick where there are many.

Frames have the columns source, title, medium (null: several), year, series; one row a source and year with a value.
"""

from __future__ import annotations

import plotly.graph_objects as go
import polars as pl
from longwave.reports import palette
from longwave.reports.figures import base, rows

COLUMNS = ("source", "title", "medium", "year", "series")
FULL = 0.5
"""Thick: at least this part of the series that the source has in its fullest year."""
_THIN, _THICK = 2.0, 9.0
_OTHER = "several media, or another"


def by_year(frame: pl.DataFrame) -> go.Figure:
    """Draw the years of every source, those that reach back furthest first. The title says how far that is."""
    base.require(frame, COLUMNS, "coverage")
    sources = (
        frame.group_by("source", maintain_order=True)
        .agg(pl.col("title").first(), pl.col("medium").first(), pl.col("year").min().alias("first"))
        .sort("first", "title")
    )
    first, last = int(frame["year"].min()), int(frame["year"].max())  # type: ignore[arg-type]
    middle = int(sources["first"].sort()[sources.height // 2])
    whose = sources["title"][0]
    fig = base.sheet(
        f"The record goes back to {first} ({whose}); half of the sources begin in {middle} or later",
        f"Years with values, by source; thick where at least half as many series have one as in the source’s fullest year; "
        f"{sources.height} sources",
    )
    rows.add_rows(fig, sources["title"].to_list(), (first - 1, last + 1), "", "")
    fig.update({"xaxis": {"hoverformat": "d", "showgrid": True, "gridcolor": palette.LIGHT["grid"]}})
    told: set[str] = set()
    for at, (source, _, medium, _) in enumerate(sources.iter_rows()):
        own = frame.filter(pl.col("source") == source).sort("year")
        named = medium if medium in palette.MEDIA else _OTHER
        _draw(fig, at, own, named, key=named not in told)
        told.add(named)
    return fig.figure()


def _draw(fig: base.Sheet, at: int, own: pl.DataFrame, medium: str, *, key: bool) -> None:
    """Draw a source's row: a line of each thickness, broken where years are missing."""
    colour = palette.MEDIA.get(medium, palette.NEUTRAL)
    most = int(own["series"].max())  # type: ignore[arg-type]
    full = own.filter(pl.col("series") >= FULL * most)
    for years, width, named in ((own, _THIN, False), (full, _THICK, key)):
        xs, words = _broken(years)
        base.add_line(
            fig,
            xs,
            [None if word is None else float(-at) for word in words],
            name=medium,
            colour=colour,
            hover=f"{base.literal(own['title'][0])}<br>%{{text}}",
            words=[word or "" for word in words],
            width=width,
            key=named,
        )
    # What is held is told once, by the thin line below.
    fig.traces[-1].update(hoverinfo="skip", hovertemplate=None, text=None)


def _broken(years: pl.DataFrame) -> tuple[list[float], list[str | None]]:
    """Return each unbroken run of years, half a year longer at both ends, with what is held of each; runs are parted by None."""
    xs: list[float] = []
    words: list[str | None] = []
    rows = list(years.select("year", "series").iter_rows())
    for at, (year, n) in enumerate(rows):
        said = f"{year}: {palette.integer(n)} series"
        begins, ends = at == 0 or rows[at - 1][0] < year - 1, at == len(rows) - 1 or rows[at + 1][0] > year + 1
        xs += [*([year - 0.5] if begins else []), year, *([year + 0.5, year + 0.5] if ends else [])]
        words += [*([said] if begins else []), said, *([said, None] if ends else [])]
    return xs, words
