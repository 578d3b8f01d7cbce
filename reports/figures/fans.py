"""Forecast fans, one panel a medium: what was known, the fan from there, and, where the years have passed, what happened.

Frames have the columns ``COLUMNS``; one row a year of a medium. ``known`` holds the levels up to the origin, ``happened``
those after it, ``forecast`` and the ends of its 50, 80 and 90 % intervals what is said of the years after it.
"""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
import polars as pl
from longwave.reports import palette
from longwave.reports.figures import base

ENDS = ("lo50", "hi50", "lo80", "hi80", "lo90", "hi90")
COLUMNS = ("medium", "panel_title", "unit", "origin", "year", "known", "forecast", *ENDS, "happened")
_BANDS = ((90, 0.14), (80, 0.2), (50, 0.3))
SPOKEN_AHEAD = 10
"""Years after the origin that the title speaks of."""
NEAR_ENOUGH = 2
"""Where that year was not observed, one so much earlier will do."""
CUT = 2.0
"""The axis of a count ends at so many times the highest line; the table keeps every value."""


def then_and_after(frame: pl.DataFrame, *, title: str | None = None, subtitle: str | None = None) -> go.Figure:
    """Draw what would have been said at each origin beside what happened; the title counts the hits ten years on."""
    base.require(frame, COLUMNS, "forecasts of then")
    panels = _panels(frame)
    said = subtitle or "Levels then known, the forecast with its 50, 80 and 90\u202f% intervals, and what happened"
    return _draw(panels, title or _hit_sentence(panels), said)


def ahead(frame: pl.DataFrame, *, title: str, subtitle: str | None = None) -> go.Figure:
    """Draw the fans of media whose years to come have not been observed."""
    base.require(frame, COLUMNS, "forecast fans")
    said = subtitle or "Levels observed, and the forecast with its 50, 80 and 90\u202f% intervals"
    return _draw(_panels(frame), title, said)


def _panels(frame: pl.DataFrame) -> list[pl.DataFrame]:
    """Part a frame into media, in the order in which they first occur."""
    return [rows.sort("year") for _, rows in frame.group_by("medium", maintain_order=True)]


def _draw(panels: Sequence[pl.DataFrame], title: str, subtitle: str) -> go.Figure:
    fig = base.sheet(title, subtitle)
    names = base.lay_out(fig, len(panels), panel_height=250)
    for position, (name, rows) in enumerate(zip(names, panels, strict=True)):
        share = rows["unit"][0].startswith(("%", "points"))
        base.add_axes(
            fig,
            x_title="",
            x_range=(float(rows["year"][0]) - 0.5, float(rows["year"][-1]) + 0.5),
            y_range=(0, 104 if share else _top(rows) * 1.05),
            panel=name,
            y_suffix=f"{palette.THIN_SPACE}%" if share else "",
            y={"nticks": 6},
            x={"nticks": 7, "tickformat": "d"},
        )
        base.add_panel_title(fig, name, rows["panel_title"][0], _second(rows))
        _draw_panel(fig, name, rows, palette.colour(rows["medium"][0], position))
    return fig.figure()


def _draw_panel(fig: base.Sheet, name: str, rows: pl.DataFrame, colour: str) -> None:
    """Draw bands from the widest to the narrowest, then the lines."""
    known = rows.filter(pl.col("known").is_not_null())
    fan = rows.filter(pl.col("forecast").is_not_null())
    last = known.tail(1).select("year", "known").row(0)
    for level, opacity in _BANDS:
        low, high = fan[f"lo{level}"].to_list(), fan[f"hi{level}"].to_list()
        years = [last[0], *fan["year"].to_list()]
        base.add_band(fig, years, [last[1], *low], [last[1], *high], colour, panel=name, opacity=opacity)
    words = [_interval(row) for row in fan.iter_rows(named=True)]
    base.add_line(
        fig,
        [last[0], *fan["year"].to_list()],
        [last[1], *fan["forecast"].to_list()],
        name="forecast",
        colour=colour,
        dash="dash",
        width=2,
        hover=_hover(rows, "forecast"),
        words=["last level known", *words],
        panel=name,
        rank=1,
    )
    base.add_line(
        fig,
        known["year"].to_list(),
        known["known"].to_list(),
        name="known",
        colour=colour,
        width=2.5,
        markers=known.height < 12,
        hover=_hover(rows, "known"),
        panel=name,
    )
    after = rows.filter(pl.col("happened").is_not_null())
    if not after.is_empty():
        base.add_line(
            fig,
            after["year"].to_list(),
            after["happened"].to_list(),
            name="what happened",
            colour=palette.LIGHT["ink"],
            dash="dot",
            width=2,
            markers=True,
            hover=_hover(rows, "what happened"),
            panel=name,
            rank=2,
        )


def _hover(rows: pl.DataFrame, what: str) -> str:
    text = "<br>%{text}" if what == "forecast" else ""
    return f"<b>{base.literal(rows['panel_title'][0])}</b><br>%{{x}}: %{{y:.3~g}}, {what}{text}"


def _interval(row: dict[str, object]) -> str:
    """Say between which bounds a year's 80 % interval lies."""
    low, high = (palette.exact(float(str(row[name])), 3) for name in ("lo80", "hi80"))
    return f"80\u202f% interval {low} to {high}"


def _second(rows: pl.DataFrame) -> str:
    return f"{rows['unit'][0]}, known to {rows['origin'][0]}"


def _top(rows: pl.DataFrame) -> float:
    """Return the end of the axis: all lines, and as much of the bands as leaves the lines readable."""
    lines = [rows.select(pl.col(name).max()).item() for name in ("known", "forecast", "happened")]
    highest = max(float(value) for value in lines if value is not None)
    return min(float(rows.select(pl.col("hi90").max()).item() or highest), CUT * highest)


def _hit_sentence(panels: Sequence[pl.DataFrame]) -> str:
    """Say for which media what happened about ten years on lay within the 80 % interval."""
    inside: list[str] = []
    outside: list[str] = []
    for rows in panels:
        latest = pl.col("origin") + SPOKEN_AHEAD
        near = pl.col("year").is_between(latest - NEAR_ENOUGH, latest)
        later = rows.filter(near, pl.col("happened").is_not_null()).sort("year")
        if not later.is_empty():
            row = later.row(-1, named=True)
            hit = row["lo80"] <= row["happened"] <= row["hi80"]
            (inside if hit else outside).append(_named(row["medium"]))
    if not inside and not outside:
        return "What would have been said at the time, and what happened"
    within = "within the 80\u202f% interval that could have been given"
    if not outside:
        return f"About ten years on, {_listed(inside)} lay {within}"
    if not inside:
        return f"About ten years on, {_listed(outside)} did not lie {within}"
    return f"About ten years on, {_listed(inside)} lay {within}; {_listed(outside)} did not"


def _listed(names: Sequence[str]) -> str:
    """Join names as a sentence has them."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _named(medium: str) -> str:
    """Return a medium's name as a sentence has it."""
    return {"social": "social media", "internet": "the internet"}.get(medium, medium)
