"""A series and its forecast as a fan, and where it stands on the curve of what is known by age.

Frames: ``observed`` has year, value; ``fan`` has year, point and lo50, hi50, lo80, hi80, lo90, hi90 (null: not known);
``curve`` has age, information, lo, hi.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import plotly.graph_objects as go
import polars as pl
from longwave.reports import palette
from longwave.reports.figures import base

OBSERVED: Final = ("year", "value")
FAN: Final = ("year", "point", "lo50", "hi50", "lo80", "hi80", "lo90", "hi90")
CURVE: Final = ("age", "information", "lo", "hi")
COLOUR: Final = "#0072B2"
_BANDS: Final = ((90, 0.10), (80, 0.14), (50, 0.20))
_HALF_BAR: Final = 0.3


def forecast_fan(
    observed: pl.DataFrame,
    fan: pl.DataFrame,
    settled: Mapping[str, float | None] | None,
    *,
    title: str,
    subtitle: str,
    ceiling: float | None,
    suffix: str = "",
) -> go.Figure:
    """Draw what was observed, the forecast with its 50, 80 and 90 % intervals, and the settled level.

    Args:
        observed: at least one row.
        fan: may be empty: then only what was observed is drawn.
        settled: year, point, lo80, hi80; None: not drawn.
        title: what is found.
        subtitle: what is drawn.
        ceiling: the highest the axis goes; None: as high as needed.
        suffix: behind the numbers of the axis.

    Raises:
        ValueError: a column is missing, or nothing was observed.

    """
    base.require(observed, OBSERVED, "forecast fan")
    if not fan.is_empty():
        base.require(fan, FAN, "forecast fan")
    fig = base.sheet(title, subtitle, height=420, narrow_height=330)
    first, last = int(str(observed["year"].min())), int(str(observed["year"].max()))
    after = [last, *fan["year"].to_list(), *([] if settled is None else [settled["year"]])]
    base.add_axes(
        fig,
        x_title="",
        x_range=(first - 0.5, max(float(year or 0) for year in after) + 1),
        y_range=(0, _top(observed, fan, settled, ceiling)),
        y_suffix=suffix,
    )
    if not fan.is_empty():
        _draw_fan(fig, observed, fan)
    if settled is not None and settled["year"] not in fan["year"].to_list():
        _draw_settled(fig, settled)
    base.add_line(
        fig,
        observed["year"].to_list(),
        observed["value"].to_list(),
        name="observed",
        colour=palette.LIGHT["ink"],
        hover="%{x}: %{y:.4~g}",
        markers=True,
        rank=-1,
    )
    return fig.figure()


def _draw_fan(fig: base.Sheet, observed: pl.DataFrame, fan: pl.DataFrame) -> None:
    """Draw the bands, widest first, and the points, from the last observation on."""
    start = observed.sort("year").row(-1, named=True)
    for level, opacity in _BANDS:
        known = fan.filter(pl.col(f"lo{level}").is_not_null() & pl.col(f"hi{level}").is_not_null())
        if not known.is_empty():
            x = [start["year"], *known["year"].to_list()]
            low = [start["value"], *known[f"lo{level}"].to_list()]
            high = [start["value"], *known[f"hi{level}"].to_list()]
            base.add_band(fig, x, low, high, COLOUR, opacity=opacity)
    x = [start["year"], *fan["year"].to_list()]
    y = [start["value"], *fan["point"].to_list()]
    base.add_line(
        fig, x, y, name="forecast, with 50, 80 and 90\u202f% intervals", colour=COLOUR, hover="%{x}: %{y:.4~g}"
    )


def _draw_settled(fig: base.Sheet, settled: Mapping[str, float | None]) -> None:
    """Draw the settled level as a point in a bar of its 80 % interval."""
    year, point = float(settled["year"] or 0), settled["point"]
    low, high = settled["lo80"], settled["hi80"]
    if low is not None and high is not None:
        sides = [year - _HALF_BAR, year + _HALF_BAR]
        base.add_band(fig, sides, [low] * 2, [high] * 2, palette.NEUTRAL, opacity=0.35)
    name = "settled level, with its 80\u202f% interval"
    base.add_line(fig, [year], [point], name=name, colour=palette.NEUTRAL, hover="%{x}: %{y:.4~g}", markers=True)


def _top(
    observed: pl.DataFrame, fan: pl.DataFrame, settled: Mapping[str, float | None] | None, ceiling: float | None
) -> float:
    """How high the axis goes: over everything drawn, the widest band of a count only as far as it can be read."""
    values = [*observed["value"], *(fan["point"] if not fan.is_empty() else [])]
    points = max(float(value) for value in values)
    bounds = [*(fan["hi90"] if not fan.is_empty() else []), *([] if settled is None else [settled["hi80"]])]
    highest = max([points, *(float(value) for value in bounds if value is not None)])
    if ceiling is not None:
        return min(1.05 * highest, 1.02 * ceiling) or 1.02 * ceiling
    # A count's upper bound may be a hundred times its point: the table has it, the axis need not.
    return 1.05 * min(highest, 4 * points) or 1.0


def where_on_the_curve(curve: pl.DataFrame, ages: Sequence[tuple[str, int]], *, title: str, subtitle: str) -> go.Figure:
    """Draw what is known by age, pooled, and the ages at which series stand on it.

    Args:
        curve: one row an age.
        ages: name and age of each series; those past the last age are drawn at it.
        title: what is found.
        subtitle: what is drawn.

    Raises:
        ValueError: a column is missing, or the curve has no row.

    """
    base.require(curve, CURVE, "curve of information")
    fig = base.sheet(title, subtitle, height=360, narrow_height=300)
    known = curve.filter(pl.col("information").is_not_null()).sort("age")
    last = float(str(known["age"].max()))
    # Under −1 a forecast is far worse than history alone; the axis is cut there.
    low = max(-1.0, min(-0.05, float(str(known["lo"].min() or 0))))
    base.add_axes(fig, x_title="years since launch", x_range=(0, last + 0.5), y_range=(low, 1.08))
    base.add_level(fig, 0, "no better than history alone", below=True)
    base.add_level(fig, 1, "all there is to know", dash="dot")
    bounded = known.filter(pl.col("lo").is_not_null() & pl.col("hi").is_not_null())
    if not bounded.is_empty():
        floor = bounded["lo"].clip(lower_bound=low).to_list()
        base.add_band(fig, bounded["age"].to_list(), floor, bounded["hi"].to_list(), palette.NEUTRAL)
    values = known["information"].clip(lower_bound=low).to_list()
    base.add_line(
        fig,
        known["age"].to_list(),
        values,
        name="known by that age, all panels alike",
        colour=palette.NEUTRAL,
        hover="age %{x}: %{y:.2f}",
    )
    at = dict(zip(known["age"].to_list(), values, strict=True))
    for name, age in ages:
        place = min(age, int(last))
        if place in at:
            base.add_line(
                fig, [place], [at[place]], name=name, colour=COLOUR, hover=f"<b>{base.literal(name)}</b>", markers=True
            )
    return fig.figure()
