"""How media were taken up: the same lines on years since launch, and on the calendar.

Frames have the columns medium, label, place, year, age, value, unit, source, flag; one row a figure.
A line is a label. Lines of one medium share its colour and differ by dash.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
import polars as pl
from longwave.reports import palette
from longwave.reports.figures import base, labels

COLUMNS = ("medium", "label", "place", "year", "age", "value", "unit", "source", "flag")
LONGEST_STEP = 5
"""Figures more than this many years apart are not joined by a line."""
LEFT_TRUNCATED = 12.0
"""A line that starts above this share has unknown early ages, and no year in which it passed half."""
HALF = 50.0


@dataclass(frozen=True)
class _Line:
    """One line: its rows in order, its colour and dash."""

    medium: str
    label: str
    rows: pl.DataFrame
    colour: str
    dash: str


def on_age(frame: pl.DataFrame, *, title: str | None = None, subtitle: str | None = None) -> go.Figure:
    """Draw adoption over the years since each medium's launch there.

    The title, unless given, says at which age each medium had reached half.
    """
    lines = _lines(frame.filter(pl.col("age").is_not_null()), "age")
    finding = title or _half_sentence(lines, "age")
    return _draw(lines, "age", finding, subtitle or _subtitle(lines, "by years since launch there"))


def on_calendar(frame: pl.DataFrame, *, title: str | None = None, subtitle: str | None = None) -> go.Figure:
    """Draw adoption over the calendar.

    The title, unless given, says in which year each medium had reached half.
    """
    lines = _lines(frame, "year")
    finding = title or _half_sentence(lines, "year")
    return _draw(lines, "year", finding, subtitle or _subtitle(lines, "by year"))


def half_sentence(frame: pl.DataFrame, x: str) -> str:
    """Say when each medium of a frame had reached half; ``x``: year or age."""
    return _half_sentence(_lines(frame.filter(pl.col(x).is_not_null()), x), x)


def _lines(frame: pl.DataFrame, x: str) -> list[_Line]:
    """Part a frame into lines, in the order in which they first occur."""
    base.require(frame, COLUMNS, "adoption")
    _one_unit(frame)
    seen: dict[str, int] = {}
    others: list[str] = []
    lines = []
    for (medium, label), rows in frame.group_by("medium", "label", maintain_order=True):
        medium = str(medium)
        if medium.lower() not in palette.MEDIA and medium not in others:
            others.append(medium)
        position = seen.get(medium, 0)
        seen[medium] = position + 1
        colour = palette.colour(medium, others.index(medium) if medium in others else 0)
        dash = base.DASHES[position % len(base.DASHES)]
        lines.append(_Line(medium, str(label), rows.sort(x), colour, dash))
    return lines


def _one_unit(frame: pl.DataFrame) -> None:
    """Refuse a frame whose lines cannot share an axis; shares of whatever kind can, and counts per 100."""
    units = frame["unit"].unique().sort().to_list()
    if len(units) > 1 and not all(_is_share(str(unit)) or "per 100" in str(unit) for unit in units):
        raise ValueError(f"adoption: one figure, one unit; these are {', '.join(map(str, units))}")


def _is_share(unit: str) -> bool:
    """Say whether a unit is a share in percent, of households, adults or others."""
    return unit.strip().lower().startswith(("%", "percent", "share"))


def _draw(lines: Sequence[_Line], x: str, title: str, subtitle: str) -> go.Figure:
    """Draw the lines, their breaks and their labels."""
    fig = base.sheet(title, subtitle, height=520, narrow_height=400)
    everything = pl.concat([line.rows.select(x, "value", "unit") for line in lines])
    share = all(_is_share(str(unit)) for unit in everything["unit"].unique())
    first, last, top = (float(v) for v in (_low(everything, x), _high(everything, x), _high(everything, "value")))
    base.add_axes(
        fig,
        x_title="years since launch" if x == "age" else "",
        x_range=(min(0.0, first) if x == "age" else first - 1, last + 1),
        y_range=(0, max(100.0, top) * 1.09) if share else (0, top * 1.06),
        y_suffix=f"{palette.THIN_SPACE}%" if share else "",
        y={"dtick": 20} if share else {},
    )
    for line in lines:
        _draw_line(fig, line, x)
    _draw_flags(fig, lines, x)
    ends = [(line, line.rows.row(-1, named=True)) for line in lines]
    labels.add_end_labels(
        fig,
        [labels.EndLabel(row[x], row["value"], line.label, palette.ink(line.colour)) for line, row in ends],
    )
    return fig.figure()


def _draw_line(fig: base.Sheet, line: _Line, x: str) -> None:
    """Draw one line; it ends where the next figure is too far away."""
    xs: list[float] = []
    ys: list[float | None] = []
    words: list[str] = []
    one_source = line.rows["source"].n_unique() == 1
    for row in line.rows.iter_rows(named=True):
        if xs and row[x] - xs[-1] > LONGEST_STEP:
            xs.append((row[x] + xs[-1]) / 2)
            ys.append(None)
            words.append("")
        xs.append(row[x])
        ys.append(row["value"])
        words.append(_words(row, with_source=not one_source))
    base.add_line(
        fig,
        xs,
        ys,
        name=line.label,
        colour=line.colour,
        dash=line.dash,
        hover=_hover(line.rows.row(0, named=True), with_source=one_source),
        words=words,
        markers=_sparse(line.rows, x),
        width=2.5 if line.dash == "solid" else 2,
    )


def _sparse(rows: pl.DataFrame, x: str) -> bool:
    """Say whether a line has so few figures that each should be seen."""
    return rows.height < 12 or rows.height < 0.7 * (float(_high(rows, x)) - float(_low(rows, x)))


def _draw_flags(fig: base.Sheet, lines: Sequence[_Line], x: str) -> None:
    """Mark figures that were interpolated (hollow), and breaks: measured differently from then on."""
    for line in lines:
        between = _flagged(line.rows, "interpolated")
        hollow = {"symbol": "circle-open", "size": 5, "color": line.colour, "line": {"width": 1.25}}
        _mark(fig, between, x, f"{line.label}: interpolated", hollow)
    cross = {
        "symbol": "x-thin",
        "size": 8,
        "color": palette.ALARM,
        "line": {"width": 2, "color": palette.ALARM},
    }
    for line in lines:
        _mark(fig, _flagged(line.rows, "break"), x, f"{line.label}: break in the series", cross)


def _flagged(rows: pl.DataFrame, flag: str) -> pl.DataFrame:
    """Return the rows that carry a flag."""
    return rows.filter(pl.col("flag").cast(pl.String).fill_null("").str.contains(flag, literal=True))


def _mark(fig: base.Sheet, rows: pl.DataFrame, x: str, words: str, marker: dict[str, object]) -> None:
    """Draw one kind of mark on some figures of a line, where there are any."""
    if rows.is_empty():
        return
    fig.add_trace(
        x=rows[x].to_list(),
        y=rows["value"].to_list(),
        mode="markers",
        name=base.escaped(words),
        marker=marker,
        hovertemplate="%{fullData.name}, %{x}<extra></extra>",
        xaxis="x",
        yaxis="y",
        meta={"key": False},
    )


def _hover(row: dict[str, object], *, with_source: bool) -> str:
    """Return the template of what is said of a line's figures: whose, how much, where from."""
    source = f"<br>{base.literal(row['source'])}" if with_source else ""
    return f"<b>{base.literal(row['label'])}</b><br>%{{y:.6~g}} {base.literal(row['unit'])}<br>%{{text}}{source}"


def _words(row: dict[str, object], *, with_source: bool) -> str:
    """Say when one figure was, how far to trust it and, where sources change along the line, its source."""
    parts = [str(row["year"])]
    if row["age"] is not None:
        parts.append(f"year {row['age']} after launch")
    if row["flag"]:
        parts.append(base.escaped(row["flag"]).replace("_", " "))
    if with_source:
        parts.append(base.escaped(row["source"]))
    return ", ".join(parts)


def _low(frame: pl.DataFrame, column: str) -> float:
    """Return the smallest value of a column."""
    return float(frame.select(pl.col(column).cast(pl.Float64).min()).item())


def _high(frame: pl.DataFrame, column: str) -> float:
    """Return the largest value of a column."""
    return float(frame.select(pl.col(column).cast(pl.Float64).max()).item())


def _half_sentence(lines: Sequence[_Line], x: str) -> str:
    """Say when each medium had reached half; lines whose start is unknown say nothing."""
    found: dict[str, list[int]] = {}
    below: list[str] = []
    for line in lines:
        if not _is_share(str(line.rows["unit"][0])) or float(line.rows["value"][0]) > LEFT_TRUNCATED:
            continue
        half = _reached_half(line.rows, x)
        if half is not None:
            found.setdefault(line.medium, []).append(half)
        elif _high(line.rows, "value") < HALF:
            below.append(line.medium)
    if not found:
        return "How the media were taken up, on years since launch" if x == "age" else "How the media were taken up"
    parts = [f"{_named(medium)}\u00a0{palette.years(min(at), max(at))}" for medium, at in found.items()]
    parts += [f"{_named(name)} not in the figures held" for name in dict.fromkeys(below) if name not in found]
    lead = "Years from launch until half had it: " if x == "age" else "Half had it by: "
    return lead + ", ".join(parts)


def _reached_half(rows: pl.DataFrame, x: str) -> int | None:
    """Return the first time at or over half, None where the figures around it are too far apart to say."""
    before: int | None = None
    for at, value in rows.select(x, "value").iter_rows():
        if value >= HALF:
            return None if before is None or at - before > LONGEST_STEP else int(at)
        before = int(at)
    return None


def _named(medium: str) -> str:
    """Return a medium's name as a sentence has it."""
    return {"social": "social media", "internet": "the internet"}.get(medium, medium)


def _subtitle(lines: Sequence[_Line], how: str) -> str:
    """Say what is drawn: the unit, the axis, the places."""
    units = list(dict.fromkeys(str(line.rows["unit"][0]) for line in lines))
    places = list(dict.fromkeys(str(line.rows["place"][0]) for line in lines))
    where = ", ".join(places) if len(places) <= 3 else f"{len(places)} places"
    return f"{_capital('; '.join(map(_unit_words, units)))}, {how}; {where}"


def _unit_words(unit: str) -> str:
    """Return a unit as a subtitle has it."""
    if unit.strip().lower() in ("%", "percent", "share"):
        return "share in percent"
    return f"percent{unit.strip()[1:]}" if unit.strip().startswith("%") else unit


def _capital(text: str) -> str:
    """Write the first letter large, leaving the others."""
    return text[:1].upper() + text[1:]
