"""Small pictures that stand beside a number: an interval against its threshold, and how much of 1 is known.

Belongs here: their drawing, as SVG without words. Not here: the words beside them, which say the same (`wording.py`);
so the pictures are hidden from those who listen.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from longwave.reports import palette
from markupsafe import Markup

WIDTH, HEIGHT = 220, 22
_PAD = 0.12
_MID = HEIGHT / 2

Scale = tuple[float, float]


def scale(rows: Iterable[Mapping[str, Any]]) -> Scale | None:
    """Return the stretch of numbers that holds every estimate, end of an interval and threshold of results.

    None where no result has an estimate.
    """
    rows = list(rows)
    if not _numbers(row["estimate"] for row in rows):
        return None
    found = [n for row in rows for n in _numbers([row["estimate"], *(row["interval"] or ()), *_thresholds(row)])]
    low, high = min(found), max(found)
    pad = _PAD * (high - low) or max(abs(high), 1.0) * _PAD
    return low - pad, high + pad


def gauge(row: Mapping[str, Any], along: Scale | None) -> Markup:
    """Return one result on a scale: the claim's side shaded, the interval as a band, the estimate as a dot.

    An end that is not there while the other is reaches to the edge. Empty where there is no scale or no estimate.
    """
    if along is None or not _numbers([row["estimate"]]):
        return Markup("")
    marks = _thresholds(row)
    parts = [_side(row.get("side"), marks, along), _rule()]
    low, high = row["interval"] or (None, None)
    if low is not None or high is not None:
        ends = (0.0 if low is None else _at(low, along), WIDTH if high is None else _at(high, along))
        parts.append(_rect(*ends, 10, palette.LIGHT["muted"], 0.5))
    parts += [_line(_at(mark, along)) for mark in marks]
    parts.append(_dot(_at(row["estimate"], along)))
    return _svg(parts)


def meter(known: float | None, interval: Sequence[float | None] | None, colour: str) -> Markup:
    """Return a share from 0 to 1 as a bar in a medium's colour, its interval as a band at the bar's end."""
    if known is None:
        return Markup("")
    along = (0.0, 1.0)
    parts = [_rect(0, WIDTH, 10, palette.LIGHT["grid"]), _rect(0, _at(_unit(known), along), 10, colour)]
    if interval and None not in interval:
        low, high = (_at(_unit(end), along) for end in interval if end is not None)
        parts.append(_rect(low, high, 20, palette.LIGHT["muted"], 0.5))
    return _svg([*parts, _line(_at(_unit(known), along))])


def _numbers(values: Iterable[Any]) -> list[float]:
    """Return those of the values that are finite numbers."""
    return [float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v)]


def _thresholds(row: Mapping[str, Any]) -> list[float]:
    """Return the thresholds that are numbers: one, the two ends of a range, or none where it is given in words."""
    value = row["threshold"]
    return _numbers(value if isinstance(value, list | tuple) else [value])


def _unit(value: float) -> float:
    return min(max(value, 0.0), 1.0)


def _at(value: float, along: Scale) -> float:
    """Return the pixel of a value."""
    return (value - along[0]) / (along[1] - along[0]) * WIDTH


def _side(side: Any, marks: Sequence[float], along: Scale) -> str:
    """Return the shade on the claim's side of its threshold, nothing where that is not known."""
    ends = {"below": (0.0, marks and _at(marks[0], along)), "above": (marks and _at(marks[0], along), float(WIDTH))}
    if side == "between" and len(marks) == 2:
        ends["between"] = (_at(marks[0], along), _at(marks[1], along))
    if not marks or side not in ends:
        return ""
    start, end = ends[side]
    return _rect(float(start or 0), float(end or 0), HEIGHT, palette.LIGHT["grid"])


def _rule() -> str:
    return f'<path d="M0 {_MID:g}H{WIDTH}" {_stroke(palette.LIGHT["rule"])}/>'


def _line(x: float) -> str:
    return f'<path d="M{x:.1f} 0V{HEIGHT}" {_stroke(palette.LIGHT["ink"])} stroke-width="1.5"/>'


def _dot(x: float) -> str:
    return f'<circle cx="{x:.1f}" cy="{_MID:g}" r="4.5" {_fill(palette.LIGHT["ink"])}/>'


def _rect(start: float, end: float, height: float, colour: str, opacity: float = 1.0) -> str:
    width = max(end - start, 1.0)
    see = "" if opacity == 1.0 else f' fill-opacity="{opacity:g}"'
    return f'<rect x="{start:.1f}" y="{_MID - height / 2:g}" width="{width:.1f}" height="{height:g}" {_fill(colour)}{see}/>'


def _fill(colour: str) -> str:
    return f'fill="{colour}" class="lw-fill-{palette.token(colour)}"'


def _stroke(colour: str) -> str:
    return f'stroke="{colour}" class="lw-line-{palette.token(colour)}"'


def _svg(parts: Sequence[str]) -> Markup:
    head = f'class="gauge" aria-hidden="true" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    return Markup(f"<svg {head}>{''.join(parts)}</svg>")  # noqa: S704 numbers and our own colours alone
