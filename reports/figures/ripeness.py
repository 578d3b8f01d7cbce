"""How early could anyone have known: information by age, and the errors behind it.

One panel a group of series, one line a forecaster; the first forecaster of a frame is the one that is read,
the others are drawn thin for comparison.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
import polars as pl
from longwave.reports import palette
from longwave.reports.figures import base

INFORMATION = ("panel", "panel_title", "forecaster", "age", "estimate", "lo", "hi", "n")
ERRORS = (
    "panel",
    "panel_title",
    "forecaster",
    "age",
    "median_error",
    "climatology_error",
    "coverage",
    "width",
)
FLOOR = -1.0
"""Below this the axis is cut; the table keeps every value."""
SPOKEN_AGE = 5


def information_by_age(frame: pl.DataFrame, *, title: str | None = None, subtitle: str | None = None) -> go.Figure:
    """Draw the share of what there is to know that is known at each age, with 95 % bands."""
    base.require(frame, INFORMATION, "information by age")
    panels = _panels(frame)
    fig = base.sheet(
        title or _information_sentence(panels),
        subtitle
        or "Information: 1 − the forecast’s mean squared error ÷ that of other technologies’ levels alone; "
        "95\u202f% intervals",
    )
    names = base.lay_out(fig, len(panels), panel_height=290)
    oldest = _oldest(frame)
    for name, (panel, rows) in zip(names, panels, strict=True):
        base.add_axes(
            fig,
            x_title="years since launch",
            x_range=(0, oldest),
            y_range=(FLOOR * 1.04, 1.1),
            panel=name,
            y={"tickvals": [-1, -0.5, 0, 0.5, 1], "ticktext": ["−1", "−0.5", "0", "0.5", "1"]},
        )
        base.add_panel_title(fig, name, _title(rows), _sample(rows))
        base.add_level(fig, 0, "no better than history", panel=name, below=True)
        base.add_level(fig, 1, "all there is to know", panel=name, dash="dot")
        _draw_information(fig, name, panel, rows)
    return fig.figure()


def error_by_age(frame: pl.DataFrame, *, title: str | None = None, subtitle: str | None = None) -> go.Figure:
    """Draw the forecast's median error beside climatology's, and how wide its 80 % intervals are."""
    base.require(frame, ERRORS, "error by age")
    panels = [(panel, _first_forecaster(rows)) for panel, rows in _panels(frame)]
    fig = base.sheet(
        title or _error_sentence(panels),
        subtitle or "Median absolute error and median width of the 80\u202f% intervals, in points, by age",
    )
    names = base.lay_out(fig, len(panels), panel_height=270)
    top = max(_top(rows) for _, rows in panels)
    for name, (panel, rows) in zip(names, panels, strict=True):
        base.add_axes(
            fig,
            x_title="years since launch",
            x_range=(0, _oldest(frame)),
            y_range=(0, top * 1.08),
            panel=name,
        )
        base.add_panel_title(fig, name, _title(rows), _coverage(rows))
        _draw_errors(fig, name, panel, rows)
    return fig.figure()


# --- drawing


def _draw_information(fig: base.Sheet, name: str, panel: str, rows: pl.DataFrame) -> None:
    """Draw a panel: the first forecaster with its band, the others thin and grey, behind it."""
    forecasters = rows["forecaster"].unique(maintain_order=True).to_list()
    for position, forecaster in reversed(list(enumerate(forecasters))):
        line = rows.filter(pl.col("forecaster") == forecaster).sort("age")
        colour = _colour(panel) if position == 0 else palette.REFERENCE[2]
        ages = line["age"].to_list()
        bounded = line.filter(pl.col("lo").is_not_null() & pl.col("hi").is_not_null())
        if position == 0 and not bounded.is_empty():
            base.add_band(
                fig,
                bounded["age"].to_list(),
                bounded["lo"].to_list(),
                bounded["hi"].to_list(),
                colour,
                panel=name,
                opacity=0.2,
            )
        base.add_line(
            fig,
            ages,
            line["estimate"].to_list(),
            name=str(forecaster),
            colour=colour,
            dash="solid" if position == 0 else base.DASHES[position % len(base.DASHES)],
            width=2.5 if position == 0 else 1.25,
            hover=_hover(line, f"{base.literal(forecaster)}: %{{y:.3~g}}"),
            words=[_interval(row) for row in line.iter_rows(named=True)],
            panel=name,
            key=len(forecasters) > 1,
            rank=position,
        )


def _draw_errors(fig: base.Sheet, name: str, panel: str, rows: pl.DataFrame) -> None:
    """Draw the three lines of a panel of errors."""
    rows = rows.sort("age")
    ages = rows["age"].to_list()
    held = [f"80\u202f% intervals held {_percent(value)}" for value in rows["coverage"].to_list()]
    lines = (
        ("width", "width of the 80\u202f% interval", palette.REFERENCE[1], "dot", 1.5),
        ("climatology_error", "error of other technologies' levels alone", palette.REFERENCE[0], "dash", 1.75),
        ("median_error", "error of the forecast", _colour(panel), "solid", 2.5),
    )
    for rank, (column, words, colour, dash, width) in zip((2, 1, 0), lines, strict=True):
        base.add_line(
            fig,
            ages,
            rows[column].to_list(),
            name=words,
            colour=colour,
            dash=dash,
            width=width,
            hover=_hover(rows, f"{words}: %{{y:.3~g}} points"),
            words=held,
            panel=name,
            rank=rank,
        )


def _colour(panel: str) -> str:
    """Return a medium's colour for its own panel, ink for groups of media."""
    return palette.MEDIA.get(panel.strip().lower(), palette.LIGHT["ink"])


def _hover(rows: pl.DataFrame, value: str) -> str:
    """Return the template of what is said of a panel's points; ``value`` is the part that names the number."""
    return f"<b>{base.literal(_title(rows))}</b><br>%{{x}} years after launch<br>{value}<br>%{{text}}"


def _interval(row: dict[str, object]) -> str:
    """Say between which bounds one point of information lies, and on how many series it rests."""
    bounds = " to ".join(palette.exact(_number(row[key]), 3) for key in ("lo", "hi"))
    return f"95\u202f% interval {bounds}, n = {row['n']}"


# --- words


def _information_sentence(panels: Sequence[tuple[str, pl.DataFrame]]) -> str:
    """Say what is known after five years, no more firmly than the intervals allow."""
    rows = [row for row in (_at(panel_rows, SPOKEN_AGE) for _, panel_rows in panels) if row is not None]
    # A panel without a spread had no forecaster to choose: it says nothing about what is known.
    rows = [row for row in rows if row["lo"] is None or row["lo"] != row["hi"]]
    if not rows:
        return "How much of what there is to know is known at each age"
    everywhere = "" if len(rows) == 1 else ", in every group" if len(rows) > 2 else ", in both groups"
    estimates = [float(row["estimate"]) for row in rows]
    if all(row["hi"] is not None and row["hi"] < 0.5 for row in rows):
        return f"After five years, less than half of what there is to know is known{everywhere}"
    if all(row["lo"] is not None and row["lo"] > 0.5 for row in rows):
        return f"After five years, more than half of what there is to know is known{everywhere}"
    if len(rows) == 1:
        known = palette.two_figures(max(0.0, estimates[0]))
        return f"After five years, about {known} of what there is to know is known"
    low, high = (palette.two_figures(max(0.0, bound(estimates))) for bound in (min, max))
    return f"After five years, between {low} and {high} of what there is to know is known, by group"


def _error_sentence(panels: Sequence[tuple[str, pl.DataFrame]]) -> str:
    """Say at which age the median error is first half of climatology's and stays so for three ages."""
    ages = [_half_of_climatology(rows) for _, rows in panels]
    found = [age for age in ages if age is not None]
    if not found:
        return "The error does not fall to half of the level other technologies had would give"
    reached = (
        ""
        if len(panels) == 1
        else " in both groups"
        if len(found) == len(panels) == 2
        else f" in {len(found)} of {len(panels)} groups"
    )
    when = palette.years(min(found), max(found))
    return f"After {when} years the error is half of the level other technologies had would give{reached}"


def _half_of_climatology(rows: pl.DataFrame) -> int | None:
    """Return the first age from which the error is at most half of climatology's at three ages running."""
    ordered = rows.sort("age")
    good = [
        error is not None and base_error is not None and error <= base_error / 2
        for error, base_error in ordered.select("median_error", "climatology_error").iter_rows()
    ]
    ages = ordered["age"].to_list()
    return next((int(ages[i]) for i in range(len(good) - 2) if all(good[i : i + 3])), None)


def _at(rows: pl.DataFrame, age: int) -> dict[str, Any] | None:
    """Return the first forecaster's row at an age."""
    there = _first_forecaster(rows).filter((pl.col("age") == age) & pl.col("estimate").is_not_null())
    return None if there.is_empty() else there.row(0, named=True)


def _title(rows: pl.DataFrame) -> str:
    """Return a panel's title."""
    return str(rows["panel_title"][0])


def _sample(rows: pl.DataFrame) -> str:
    """Say how many independent series a panel rests on."""
    counts = _first_forecaster(rows)["n"].drop_nulls().to_list()
    if not counts:
        return "n not given"
    return f"n = {palette.years(min(counts), max(counts))} independent series"


def _coverage(rows: pl.DataFrame) -> str:
    """Say which share of outcomes the 80 % intervals held."""
    held = rows["coverage"].drop_nulls().to_list()
    if not held:
        return "coverage of the intervals not given"
    low, high = _percent(min(held)), _percent(max(held))
    return f"80\u202f% intervals held {low if low == high else f'{low} to {high}'} of outcomes"


def _percent(value: object) -> str:
    """Write a coverage, given as a fraction or in percent, as percent."""
    number = _number(value)
    if number is None:
        return palette.NOTHING
    return f"{palette.integer(100 * number if number <= 1 else number)}{palette.THIN_SPACE}%"


# --- frames


def _panels(frame: pl.DataFrame) -> list[tuple[str, pl.DataFrame]]:
    """Part a frame into panels, in the order in which they first occur."""
    return [(str(key[0]), rows) for key, rows in frame.group_by("panel", maintain_order=True)]


def _first_forecaster(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of the forecaster that is read."""
    return rows.filter(pl.col("forecaster") == rows["forecaster"][0])


def _oldest(frame: pl.DataFrame) -> float:
    """Return the end of the age axis."""
    return float(frame.select(pl.col("age").cast(pl.Float64).max()).item()) + 0.5


def _top(rows: pl.DataFrame) -> float:
    """Return the largest value a panel of errors draws."""
    values = [
        rows.select(pl.col(c).cast(pl.Float64).max()).item() for c in ("median_error", "climatology_error", "width")
    ]
    return max(float(value) for value in values if value is not None)


def _number(value: object) -> float | None:
    """Return a number, or None."""
    return float(value) if isinstance(value, int | float) else None
