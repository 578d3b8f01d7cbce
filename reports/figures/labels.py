"""Direct labels: each line's name at its end, where it covers neither another name nor a line.

Belongs here: where a label goes, in pixels of the wide form. Not here: what it says.
"""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from longwave.reports import palette
from longwave.reports.figures import base

_CHARACTER = 7.0
_LINE = 16.0
_SAMPLE = 6.0
_WIDEST_MARGIN = 240.0

Point = tuple[float, float]


@dataclass(frozen=True)
class EndLabel:
    """A label and the place, in data, where its line ends."""

    x: float
    y: float
    text: str
    colour: str


@dataclass(frozen=True)
class _Box:
    """A rectangle in pixels, y upwards; and how its text hangs on the line's end."""

    left: float
    bottom: float
    right: float
    top: float
    dx: float
    dy: float
    anchor: str

    def meets(self, other: _Box) -> bool:
        """Say whether two rectangles overlap."""
        across = self.left < other.right and other.left < self.right
        return across and self.bottom < other.top and other.bottom < self.top

    def holds(self, points: np.ndarray) -> int:
        """Count the points (n by 2) that lie inside."""
        x, y = points[:, 0], points[:, 1]
        return int(np.count_nonzero((self.left < x) & (x < self.right) & (self.bottom < y) & (y < self.top)))


def add_end_labels(fig: base.Sheet, labels: Sequence[EndLabel]) -> None:
    """Write each line's name at its end, apart from the others, and make room at the right.

    The figure has one panel, its axes have ranges, its lines are drawn.
    """
    reach = [_pixel(fig, label.x, label.y)[0] + 12 + _size(label.text)[0] for label in labels]
    margin = max([24.0, *(edge - base.WIDE + fig.layout["margin"]["r"] for edge in reach)])
    fig.layout["margin"]["r"] = round(min(margin, _WIDEST_MARGIN) + 4)
    obstacles = np.array([point for trace in fig.traces for point in _sampled(fig, trace)]).reshape(-1, 2)
    placed: dict[int, _Box] = {}
    for i in sorted(range(len(labels)), key=lambda i: (-labels[i].x, -labels[i].y, labels[i].text)):
        boxes = list(_candidates(_pixel(fig, labels[i].x, labels[i].y), _size(labels[i].text)))
        placed[i] = min(boxes, key=lambda box: _cost(fig, box, list(placed.values()), obstacles))
    for i, label in enumerate(labels):
        _write(fig, label, placed[i])


def _write(fig: base.Sheet, label: EndLabel, box: _Box) -> None:
    """Put one label into the figure, with a thin leader where it is away from its line."""
    far = abs(box.dy) > 30 or (box.anchor == "left" and abs(box.dy) > 12)
    hang = {"ax": box.dx, "ay": -box.dy, "standoff": 4} if far else {"xshift": box.dx, "yshift": box.dy}
    fig.add_note(
        name=base.LABEL,
        xref="x",
        yref="y",
        x=label.x,
        y=label.y,
        text=_broken(label.text),
        align=box.anchor,
        xanchor=box.anchor,
        yanchor="middle",
        showarrow=far,
        arrowhead=0,
        arrowwidth=0.75,
        arrowcolor=palette.LIGHT["muted"],
        font={"size": 13, "color": label.colour},
        **hang,
    )


def _candidates(end: Point, size: Point) -> Iterator[_Box]:
    """Yield the places that a label may take: right of the end, or above and below the line before it."""
    width, height = size
    for dy in range(-96, 97, 8):
        dx = 8 if abs(dy) <= 12 else 14
        yield _box(end, dx, dy, width, height, "left")
        if abs(dy) >= 24:
            yield _box(end, -2, dy, width, height, "right")


def _box(end: Point, dx: float, dy: float, width: float, height: float, anchor: str) -> _Box:
    """Return the rectangle of a label that hangs so on its line's end."""
    left = end[0] + dx - (width if anchor == "right" else 0)
    middle = end[1] + dy
    return _Box(left, middle - height / 2, left + width, middle + height / 2, dx, dy, anchor)


def _cost(fig: base.Sheet, box: _Box, placed: Sequence[_Box], obstacles: np.ndarray) -> tuple[float, float]:
    """Return how bad a place is: names covered, lines covered, off the picture, far from the end."""
    margin = fig.layout["margin"]
    high = fig.layout["height"] - margin["t"] - margin["b"]
    off = box.right > base.WIDE or box.left < margin["l"] or box.bottom < 2 or box.top > high + 8
    cost = 1000.0 * sum(box.meets(other) for other in placed) + 500.0 * off + 9.0 * box.holds(obstacles)
    return cost + 0.5 * abs(box.dy) + (8 if box.anchor == "right" else 0), box.dy


def _broken(text: str) -> str:
    """Break a name after its first comma: the first part bold, the rest below it."""
    first, _, rest = text.partition(", ")
    return f"<b>{base.escaped(first)}</b>" + "".join(f"<br>{base.escaped(s)}" for s in textwrap.wrap(rest, 26))


def _size(text: str) -> Point:
    """Return about how wide and high a label is, in pixels."""
    first, *rest = _broken(text).split("<br>")
    lengths = [(len(html.unescape(first)) - 7) * 1.15, *(len(html.unescape(line)) for line in rest)]
    return max(lengths) * _CHARACTER, len(lengths) * _LINE


def _pixel(fig: base.Sheet, x: float, y: float) -> Point:
    """Return where a point lies in the wide form, x from the left edge, y from the foot of the plot."""
    margin, layout = fig.layout["margin"], fig.layout
    across, up = base.WIDE - margin["l"] - margin["r"], layout["height"] - margin["t"] - margin["b"]
    (x0, x1), (y0, y1) = layout["xaxis"]["range"], layout["yaxis"]["range"]
    return margin["l"] + (x - x0) / (x1 - x0) * across, (y - y0) / (y1 - y0) * up


def _sampled(fig: base.Sheet, trace: Mapping[str, Any]) -> Iterator[Point]:
    """Yield points along a line, every few pixels."""
    before: Point | None = None
    for x, y in zip(trace["x"], trace["y"], strict=True):
        here = None if y is None else _pixel(fig, x, y)
        if here is not None:
            yield here
        if before is not None and here is not None:
            far = max(abs(here[0] - before[0]), abs(here[1] - before[1]))
            steps = int(far // _SAMPLE)
            for i in range(1, steps + 1):
                part = i / (steps + 1)
                yield before[0] + part * (here[0] - before[0]), before[1] + part * (here[1] - before[1])
        before = here
