"""A figure as a static picture, without a browser: the same numbers, the same bytes every time.

Belongs here: the part of Plotly's vocabulary that our figures use (lines, markers, bands, straight shapes,
annotations, several linear axes), written as SVG. Not here: what is drawn, and in which words.

Colours of the light page stand in the attributes, so that the picture works alone; beside them stand
classes (`lw-ink-…`, `lw-line-…`) by which a style sheet adapts it to a dark page.
"""

from __future__ import annotations

import base64
import html
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from longwave.reports import palette

LINE_HEIGHT = 1.25
_DASHES = {"dash": "7 4", "dot": "1.5 3.5", "dashdot": "7 3.5 1.5 3.5", "longdash": "12 5"}
_ANCHORS = {"left": "start", "center": "middle", "right": "end", "auto": "middle"}
_BREAK = re.compile(r"<br\s*/?>")
_TAG = re.compile(r"</?(?:b|i|em|strong|sub|sup|span|a)(?:\s[^<>]*)?>")
_SIMPLE = re.compile(r"#[0-9A-Fa-f]{6}|rgba?\([0-9., ]+\)|[a-z]+")

Values = Sequence[float | None]


@dataclass(frozen=True)
class _Axis:
    """One axis on the picture: the stretch of pixels and the range of values along it."""

    settings: Mapping[str, Any]
    start: float
    end: float
    low: float
    high: float

    def at(self, value: float) -> float:
        """Return the pixel of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def fraction(self, part: float) -> float:
        """Return the pixel of a part of the axis, 0 at its start, 1 at its end."""
        return self.start + part * (self.end - self.start)


@dataclass(frozen=True)
class _Frame:
    """The whole picture: its size, its margins and its axes by Plotly's short names (x, x2, y …)."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    axes: Mapping[str, _Axis]


def render(fig: go.Figure, width: int, height: int, alt: str, *, title: str | None = None) -> str:
    """Return the figure as an SVG element of that size in pixels.

    ``alt`` becomes the description, ``title`` (else the figure's own) the accessible name. Only scatter
    traces are known; any other raises ``ValueError``.
    """
    return picture(fig.to_plotly_json(), width, height, alt, title=title)


def picture(drawing: Mapping[str, Any], width: int, height: int, alt: str, *, title: str | None = None) -> str:
    """Return the same of a figure as Plotly's JSON has it."""
    layout = drawing["layout"]
    traces = [trace for trace in drawing["data"] if trace.get("visible", True) is True]
    unknown = sorted({str(trace.get("type")) for trace in traces} - {"scatter"})
    if unknown:
        raise ValueError(f"the static picture knows scatter traces, not {unknown}")
    frame = _frame(layout, traces, width, height)
    name = title or plain(_get(layout, "title", "text") or "") or alt
    head = f'class="lw-svg" role="img" viewBox="0 0 {width} {height}" color="{palette.LIGHT["ink"]}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {head} font-family="system-ui, sans-serif" font-size="13">',
        f"<title>{html.escape(name)}</title><desc>{html.escape(alt)}</desc>",
        *_titles(layout),
        *_grids(frame),
        *(_shape(shape, frame) for shape in layout.get("shapes", []) if shape.get("layer") == "below"),
        *_plots(traces, frame),
        *(_shape(shape, frame) for shape in layout.get("shapes", []) if shape.get("layer") != "below"),
        *_axis_texts(frame),
        *(_annotation(note, frame) for note in layout.get("annotations", [])),
        "</svg>",
    ]
    return "\n".join(part for part in parts if part)


def standing_alone(picture: str, style: str) -> str:
    """Return a rendered picture as a file of its own: with the colours of a light and a dark page, and a last line break.

    ``style``: a style sheet of ours, which holds neither "<" nor "&".
    """
    head, closing, rest = picture.partition(">")
    return f"{head}{closing}<style>\n{style}</style>{rest}\n"


def plain(text: str) -> str:
    """Return Plotly's text without its mark-up, as a reader sees it, in one line."""
    return html.unescape(_TAG.sub("", _BREAK.sub(" ", text)))


def nice_ticks(low: float, high: float, most: int) -> list[float]:
    """Return at most ``most`` round values between low and high, in steps of 1, 2 or 5 times 10, 100 …."""
    low, high = min(low, high), max(low, high)
    raw = (high - low) / max(most - 1, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10, 20) if _ticks_in(low, high, factor * power) <= most)
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 10) for i in range(first, first + _ticks_in(low, high, step))]


def _ticks_in(low: float, high: float, step: float) -> int:
    """Count the multiples of a step between two values."""
    return math.floor(high / step + 1e-9) - math.ceil(low / step - 1e-9) + 1


# --- geometry


def _frame(layout: Mapping[str, Any], traces: Sequence[Mapping[str, Any]], width: int, height: int) -> _Frame:
    """Place margins and axes."""
    margin = {"l": 60, "r": 40, "t": 70, "b": 50, **(layout.get("margin") or {})}
    left, right = float(margin["l"]), width - float(margin["r"])
    top, bottom = float(margin["t"]), height - float(margin["b"])
    axes = {}
    for name in _axis_names(layout, traces):
        settings = layout.get(f"{name[0]}axis{name[1:]}") or {}
        start, end = settings.get("domain") or (0, 1)
        low, high = settings.get("range") or _data_range(name, traces)
        if name[0] == "x":
            pixels = left + start * (right - left), left + end * (right - left)
        else:
            pixels = bottom - start * (bottom - top), bottom - end * (bottom - top)
        axes[name] = _Axis(settings, *pixels, float(low), float(high))
    return _Frame(width, height, left, right, top, bottom, axes)


def _axis_names(layout: Mapping[str, Any], traces: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the short names of all axes, sorted (x, x2, … y, y2 …)."""
    declared = {f"{key[0]}{key[5:]}" for key in layout if re.fullmatch(r"[xy]axis\d*", key)}
    used = {str(trace.get(f"{side}axis", side)) for trace in traces for side in "xy"}
    return sorted(declared | used | {"x", "y"}, key=lambda name: (name[0], int(name[1:] or 1)))


def _data_range(name: str, traces: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """Return the range of what is drawn on an axis, with a little air."""
    side = name[0]
    values = [v for t in traces if str(t.get(f"{side}axis", side)) == name for v in _values(t, side) if v is not None]
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    air = (high - low) * 0.05 or 1.0
    return low - air, high + air


def _values(trace: Mapping[str, Any], side: str) -> list[float | None]:
    """Return the trace's numbers along an axis, None where there is none."""
    raw = trace.get(side)
    if isinstance(raw, Mapping):  # how Plotly writes an array that came from numpy
        raw = np.frombuffer(base64.b64decode(raw["bdata"]), dtype=raw["dtype"])
    return [None if v is None or math.isnan(float(v)) else float(v) for v in ([] if raw is None else raw)]


def _partner(name: str, axis: _Axis) -> str:
    """Return the axis that another one stands against."""
    anchor = axis.settings.get("anchor")
    return str(anchor) if anchor else ("y" if name[0] == "x" else "x") + name[1:]


# --- axes, grids, titles


def _ticks(axis: _Axis) -> list[tuple[float, str]]:
    """Return the ticks of an axis with their texts."""
    low, high = sorted((axis.low, axis.high))
    settings = axis.settings
    given = settings.get("tickvals")
    if given is not None:
        texts = settings.get("ticktext")
        labels = [str(t) for t in texts] if texts is not None else [palette.exact(float(v)) for v in given]
        return [(float(v), t) for v, t in zip(given, labels, strict=True) if low <= float(v) <= high]
    if settings.get("dtick"):
        step, first = float(settings["dtick"]), float(settings.get("tick0") or 0)
        start = math.ceil((low - first) / step - 1e-9)
        values = [round(first + i * step, 10) for i in range(start, math.floor((high - first) / step + 1e-9) + 1)]
    else:
        room = 48 if axis.end > axis.start else 36
        values = nice_ticks(low, high, max(2, int(abs(axis.end - axis.start) // room)))
    suffix = settings.get("ticksuffix") or ""
    return [(value, f"{palette.exact(value)}{suffix}") for value in values]


def _grids(frame: _Frame) -> Iterator[str]:
    """Draw grid lines and the lines of the axes."""
    for name, axis in frame.axes.items():
        partner = frame.axes.get(_partner(name, axis))
        if partner is None or axis.settings.get("visible") is False:
            continue
        if axis.settings.get("showgrid", True):
            for value, _ in _ticks(axis):
                yield _rule(name, axis.at(value), partner, palette.LIGHT["grid"], 1)
        if axis.settings.get("showline"):
            colour = str(axis.settings.get("linecolor") or palette.LIGHT["rule"])
            yield _rule(_partner(name, axis), partner.start, axis, colour, 1)


def _rule(name: str, position: float, along: _Axis, colour: str, width: float) -> str:
    """Draw a straight line across the plot at a pixel of the axis ``name``."""
    a, b = (position, along.start), (position, along.end)
    if name[0] == "y":
        a, b = (along.start, position), (along.end, position)
    return _line(*a, *b, _stroke(colour, width))


def _axis_texts(frame: _Frame) -> Iterator[str]:
    """Write tick texts and axis titles."""
    for name, axis in frame.axes.items():
        partner = frame.axes.get(_partner(name, axis))
        if partner is None or axis.settings.get("visible") is False:
            continue
        if axis.settings.get("showticklabels", True):
            for value, text in _ticks(axis):
                if name[0] == "x":
                    yield _text(text, axis.at(value), partner.start + 18, "middle", 12, palette.LIGHT["muted"])
                else:
                    above = 12 * LINE_HEIGHT * (len(_BREAK.split(text)) - 1) / 2  # several lines stand about their tick
                    yield _text(text, partner.start - 8, axis.at(value) + 4 - above, "end", 12, palette.LIGHT["muted"])
        title = _get(axis.settings, "title", "text")
        if title and name[0] == "x":
            yield _text(title, axis.fraction(0.5), partner.start + 38, "middle", 12, palette.LIGHT["muted"])
        elif title:
            yield _text(title, partner.start, axis.end - 10, "start", 12, palette.LIGHT["muted"])


def _titles(layout: Mapping[str, Any]) -> Iterator[str]:
    """Write title and subtitle at the top, where the figure has them."""
    y = 24.0
    title = _get(layout, "title", "text")
    if title:
        yield _text(title, 0, y, "start", 18, palette.LIGHT["ink"], weight="600")
        y += 18 * LINE_HEIGHT * len(_BREAK.split(title))
    subtitle = _get(layout, "title", "subtitle", "text")
    if title and subtitle:
        yield _text(subtitle, 0, y, "start", 13, palette.LIGHT["muted"])


# --- traces, shapes


def _plots(traces: Sequence[Mapping[str, Any]], frame: _Frame) -> Iterator[str]:
    """Draw the traces, one clipped plot for each pair of axes."""
    pairs = list(dict.fromkeys((str(t.get("xaxis", "x")), str(t.get("yaxis", "y"))) for t in traces))
    for pair in pairs:
        x, y = frame.axes[pair[0]], frame.axes[pair[1]]
        box = " ".join(_n(v) for v in (x.start - 4, y.end - 4, x.end - x.start + 8, y.start - y.end + 8))
        left, top, wide, high = box.split(" ")
        yield f'<svg x="{left}" y="{top}" width="{wide}" height="{high}" viewBox="{box}" overflow="hidden">'
        previous: list[tuple[float, float] | None] = []
        for trace in traces:
            if (str(trace.get("xaxis", "x")), str(trace.get("yaxis", "y"))) == pair:
                points = _points(trace, x, y)
                yield from _trace(trace, points, previous)
                previous = points
        yield "</svg>"


def _points(trace: Mapping[str, Any], x: _Axis, y: _Axis) -> list[tuple[float, float] | None]:
    """Return the trace's points in pixels, None at a gap."""
    pairs = zip(_values(trace, "x"), _values(trace, "y"), strict=True)
    return [None if a is None or b is None else (x.at(a), y.at(b)) for a, b in pairs]


def _trace(
    trace: Mapping[str, Any],
    points: Sequence[tuple[float, float] | None],
    previous: Sequence[tuple[float, float] | None],
) -> Iterator[str]:
    """Draw one trace: its band, then its line, then its markers."""
    mode = str(trace.get("mode", "lines"))
    fill = trace.get("fill", "none")
    if fill in ("toself", "tonexty"):
        back = [p for p in reversed(previous) if p] if fill == "tonexty" else []
        for run in _runs(points):
            path = _path([*run, *back]) + "Z"
            yield f'<path d="{path}" {_fill(str(trace.get("fillcolor") or palette.NEUTRAL))} stroke="none"/>'
    line = trace.get("line") or {}
    if "lines" in mode and line.get("width", 2):
        path = "".join(_path(run) for run in _runs(points))
        colour = str(line.get("color") or palette.NEUTRAL)
        if path:
            stroke = _stroke(colour, line.get("width", 2), line.get("dash"), trace)
            yield f'<path d="{path}" fill="none" {stroke}/>'
    if "markers" in mode:
        yield from _markers(trace, [point for point in points if point])


def _markers(trace: Mapping[str, Any], points: Sequence[tuple[float, float]]) -> Iterator[str]:
    """Draw round markers, hollow where their symbol ends in "-open", an x where it is "x…"."""
    marker = trace.get("marker") or {}
    colour = str(marker.get("color") or palette.NEUTRAL)
    radius = float(marker.get("size", 6)) / 2
    symbol = str(marker.get("symbol", "circle"))
    if symbol.startswith("x"):
        arms = "".join(
            f"M{_n(x - radius)} {_n(y - radius)}L{_n(x + radius)} {_n(y + radius)}"
            f"M{_n(x - radius)} {_n(y + radius)}L{_n(x + radius)} {_n(y - radius)}"
            for x, y in points
        )
        if arms:
            yield f'<path d="{arms}" fill="none" {_stroke(colour, 2)}/>'
        return
    look = f'fill="none" {_stroke(colour, 1.5)}' if symbol.endswith("-open") else _fill(colour)
    for x, y in points:
        yield f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius)}" {look}/>'


def _runs(points: Sequence[tuple[float, float] | None]) -> Iterator[list[tuple[float, float]]]:
    """Part a line at its gaps."""
    run: list[tuple[float, float]] = []
    for point in [*points, None]:
        if point is not None:
            run.append(point)
        elif run:
            yield run
            run = []


def _path(points: Sequence[tuple[float, float]]) -> str:
    """Write points as a path."""
    return "".join(f"{'L' if i else 'M'}{_n(x)} {_n(y)}" for i, (x, y) in enumerate(points))


def _shape(shape: Mapping[str, Any], frame: _Frame) -> str:
    """Draw a straight line, or a rectangle, between two places."""
    x0, x1 = (_place(shape.get("xref", "x"), shape[key], frame) for key in ("x0", "x1"))
    y0, y1 = (_place(shape.get("yref", "y"), shape[key], frame) for key in ("y0", "y1"))
    line = shape.get("line") or {}
    stroke = _stroke(str(line.get("color") or palette.LIGHT["muted"]), line.get("width", 1), line.get("dash"))
    if shape.get("type", "line") == "line":
        return _line(x0, y0, x1, y1, stroke)
    left, top, wide, high = min(x0, x1), min(y0, y1), abs(x1 - x0), abs(y1 - y0)
    fill = _fill(str(shape.get("fillcolor") or palette.LIGHT["wash"]))
    return f'<rect x="{_n(left)}" y="{_n(top)}" width="{_n(wide)}" height="{_n(high)}" {fill}/>'


# --- the words


def _annotation(note: Mapping[str, Any], frame: _Frame) -> str:
    """Write an annotation, with its thin leader where it has one."""
    x = _place(note.get("xref", "x"), note["x"], frame) + float(note.get("xshift") or 0)
    y = _place(note.get("yref", "y"), note["y"], frame) - float(note.get("yshift") or 0)
    font = note.get("font") or {}
    size = float(font.get("size") or 13)
    text = str(note.get("text") or "")
    leader = ""
    if note.get("showarrow"):
        tail = x + float(note.get("ax") or 0), y + float(note.get("ay") or 0)
        stroke = _stroke(str(note.get("arrowcolor") or palette.LIGHT["muted"]), note.get("arrowwidth", 1))
        leader = _line(x, y, *tail, stroke)
        x, y = tail
    anchor = _ANCHORS[str(note.get("xanchor") or "center")]
    block = size * LINE_HEIGHT * (len(_BREAK.split(text)) - 1)
    rise = {"top": size, "bottom": -block - 0.25 * size}.get(
        str(note.get("yanchor") or "middle"), 0.35 * size - block / 2
    )
    colour = str(font.get("color") or palette.LIGHT["ink"])
    return leader + _text(text, x, y + rise, anchor, size, colour, halo=True)


def _place(reference: Any, value: Any, frame: _Frame) -> float:
    """Return the pixel of a place given on an axis, in parts of an axis ("x2 domain") or of the picture."""
    name = str(reference)
    if name.endswith(" domain"):
        return frame.axes[name.removesuffix(" domain")].fraction(float(value))
    return frame.axes[name].at(float(value))


def _text(
    text: str,
    x: float,
    y: float,
    anchor: str,
    size: float,
    colour: str,
    *,
    weight: str | None = None,
    halo: bool = False,
) -> str:
    """Write text (Plotly's mark-up: line breaks and bold) with its first baseline at y."""
    lines = _BREAK.split(text)
    spans = []
    for position, line in enumerate(lines):
        bold = ' font-weight="600"' if line.lstrip().startswith("<b>") else ""
        words = html.escape(plain(line))
        place = f' x="{_n(x)}" dy="{_n(size * LINE_HEIGHT)}"' if position else ""
        spans.append(f"<tspan{place}{bold}>{words}</tspan>" if place or bold else words)
    classes = f"lw-ink-{palette.token(_safe(colour))}" + (" lw-halo" if halo else "")
    paper = palette.LIGHT["paper"]
    ring = f' stroke="{paper}" stroke-width="4" stroke-linejoin="round" paint-order="stroke"' if halo else ""
    heavy = f' font-weight="{weight}"' if weight else ""
    start = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return (
        f'<text x="{_n(x)}" y="{_n(y)}"{start} font-size="{_n(size)}"{heavy} class="{classes}" '
        f'fill="{_safe(colour)}"{ring}>{"".join(spans)}</text>'
    )


# --- the paint


def _line(x0: float, y0: float, x1: float, y1: float, stroke: str) -> str:
    """Draw one straight line."""
    return f'<line x1="{_n(x0)}" y1="{_n(y0)}" x2="{_n(x1)}" y2="{_n(y1)}" {stroke}/>'


def _stroke(colour: str, width: Any, dash: Any = None, trace: Mapping[str, Any] | None = None) -> str:
    """Return the attributes of a line."""
    colour = _safe(colour)
    known = f' class="lw-line-{palette.token(colour)}"' if colour in palette.drawn_tokens() else ""
    dashes = f' stroke-dasharray="{_DASHES[dash]}"' if dash in _DASHES else ""
    joints = ' stroke-linejoin="round" stroke-linecap="round"' if trace is not None else ""
    faint = (trace or {}).get("opacity", 1)
    opacity = f' stroke-opacity="{_n(faint)}"' if faint != 1 else ""
    return f'stroke="{colour}" stroke-width="{_n(float(width))}"{dashes}{joints}{opacity}{known}'


def _fill(colour: str) -> str:
    """Return the attributes of a filled surface; ``rgba()`` is parted, for readers of plain SVG."""
    colour = _safe(colour)
    parts = re.fullmatch(r"rgba\((\d+), ?(\d+), ?(\d+), ?([0-9.]+)\)", colour)
    opacity = ""
    if parts is not None:
        red, green, blue = (int(parts[i]) for i in (1, 2, 3))
        colour, opacity = f"#{red:02x}{green:02x}{blue:02x}", f' fill-opacity="{float(parts[4]):g}"'
    known = f' class="lw-fill-{palette.token(colour)}"' if colour in palette.drawn_tokens() else ""
    return f'fill="{colour}"{opacity}{known}'


def _safe(colour: str) -> str:
    """Return a colour that is nothing but a colour."""
    return colour if _SIMPLE.fullmatch(colour) else palette.NEUTRAL


def _n(value: float) -> str:
    """Write a coordinate to one decimal, without a useless zero."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def _get(tree: Mapping[str, Any], *path: str) -> Any:
    """Follow keys into nested settings; None where one is missing."""
    node: Any = tree
    for key in path:
        node = node.get(key) if isinstance(node, Mapping) else None
    return node
