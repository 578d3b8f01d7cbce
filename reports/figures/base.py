"""What all figures share: the empty sheet, lines, bands, direct labels, panels, the form for phones.

Belongs here: how a figure is built. Not here: what one subject shows (the modules beside this one), or how
a figure gets onto a page.

A figure carries two forms. As built it is the wide one. ``layout.meta`` holds the height of both and a patch
(Plotly's dotted keys) that makes the narrow one: panels one below another, direct labels left to the key.
"""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
import polars as pl
from longwave.reports import palette

WIDE = 960
NARROW = 370
LABEL = "end-label"
_BETWEEN = 108
_ABOVE = 50
DASHES = ("solid", "dash", "dot", "dashdot")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


def escaped(text: object) -> str:
    """Return text that Plotly shows as it stands, mark-up and all."""
    return html.escape(_CONTROL.sub(" ", str(text)), quote=False)


def literal(text: object) -> str:
    """Return text that stands as it is in a hover template too."""
    return escaped(text).replace("%{", "&#37;{")


def require(frame: pl.DataFrame, columns: Iterable[str], what: str) -> None:
    """Raise ``ValueError`` naming the columns that the frame lacks, or that it is empty."""
    lacking = [name for name in columns if name not in frame.columns]
    if lacking:
        raise ValueError(f"{what}: the frame has no {', '.join(lacking)}; it has {', '.join(frame.columns)}")
    if frame.is_empty():
        raise ValueError(f"{what}: nothing to draw, the frame has no rows")


class Sheet:
    """A figure while it is drawn: plain traces and a plain layout, which Plotly checks once, when all is there.

    Handed over piece by piece, each piece makes Plotly check and copy what is there already: half of what a site took.
    """

    def __init__(self, layout: dict[str, Any]) -> None:
        """Begin with no trace and this layout."""
        self.traces: list[dict[str, Any]] = []
        self.layout = layout

    def add_trace(self, **settings: Any) -> None:
        """Draw lines or points over those drawn so far."""
        self.traces.append({"type": "scatter", **settings})

    def add_shape(self, **settings: Any) -> None:
        """Draw a shape."""
        self.layout.setdefault("shapes", []).append(settings)

    def add_note(self, **settings: Any) -> None:
        """Write an annotation."""
        self.layout.setdefault("annotations", []).append(settings)

    def update(self, settings: Mapping[str, Any]) -> None:
        """Put settings into the layout, those of one part beside what the part has already."""
        _merge(self.layout, settings)

    def figure(self) -> go.Figure:
        """Return the figure; raises ``ValueError`` naming a setting that Plotly does not know or take."""
        return go.Figure({"data": self.traces, "layout": self.layout})


def _merge(into: dict[str, Any], settings: Mapping[str, Any]) -> None:
    """Put settings into a tree of settings."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            _merge(into.setdefault(name, {}), value)
        else:
            into[name] = value


def sheet(title: str, subtitle: str, *, height: int = 500, narrow_height: int = 380) -> Sheet:
    """Return an empty sheet with title and subtitle (plain text), and the look of the house."""
    heading = "<br>".join(escaped(line) for line in textwrap.wrap(title, 92, break_on_hyphens=False)) or ""
    legend = "<br>".join(escaped(line) for line in textwrap.wrap(subtitle, 130, break_on_hyphens=False)) or ""
    lines = heading.count("<br>") + legend.count("<br>")
    return Sheet(
        {
            "template": {},
            "title": {
                "text": heading,
                "font": {"size": 18, "color": palette.LIGHT["ink"], "weight": 600},
                "subtitle": {"text": legend, "font": {"size": 13, "color": palette.LIGHT["muted"]}},
                "x": 0,
                "xref": "container",
                "xanchor": "left",
                "y": 1,
                "pad": {"t": 18},
                "yanchor": "top",
            },
            "font": {"family": "system-ui, sans-serif", "size": 13, "color": palette.LIGHT["ink"]},
            "paper_bgcolor": palette.LIGHT["paper"],
            "plot_bgcolor": palette.LIGHT["paper"],
            "margin": {"l": 52, "r": 24, "t": 86 + 20 * lines, "b": 50},
            "height": height,
            "showlegend": False,
            "hovermode": "closest",
            "hoverlabel": {"align": "left", "font": {"size": 13}},
            "meta": {"heights": [height, narrow_height], "narrow": {"margin.l": 44, "margin.r": 14}},
        }
    )


def add_axes(
    fig: Sheet,
    *,
    x_title: str,
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    y_suffix: str = "",
    panel: str = "",
    **more: Mapping[str, Any],
) -> None:
    """Give a panel ("" for the first, then "2") its axes; ``more``: further settings of ``x`` and ``y``."""
    shared = {
        "zeroline": False,
        "fixedrange": False,
        "tickfont": {"size": 12, "color": palette.LIGHT["muted"]},
    }
    x_axis: dict[str, Any] = {
        **shared,
        "range": list(x_range),
        "showgrid": False,
        "showline": True,
        "linecolor": palette.LIGHT["muted"],
        "ticks": "",
        "title": {
            "text": escaped(x_title),
            "font": {"size": 12, "color": palette.LIGHT["muted"]},
            "standoff": 8,
        },
        "anchor": f"y{panel}",
        "hoverformat": "d",
        **more.get("x", {}),
    }
    y_axis: dict[str, Any] = {
        **shared,
        "range": list(y_range),
        "gridcolor": palette.LIGHT["grid"],
        "ticksuffix": y_suffix,
        "anchor": f"x{panel}",
        **more.get("y", {}),
    }
    fig.update({f"xaxis{panel}": x_axis, f"yaxis{panel}": y_axis})


def add_line(
    fig: Sheet,
    x: Sequence[float],
    y: Sequence[float | None],
    *,
    name: str,
    colour: str,
    hover: str,
    words: Sequence[str] | None = None,
    panel: str = "",
    dash: str = "solid",
    width: float = 2.25,
    markers: bool = False,
    opacity: float = 1.0,
    key: bool = True,
    rank: int = 0,
) -> None:
    """Draw one line; ``name`` is its plain name.

    ``hover`` is Plotly's template of what is shown at a point; ``words`` give its ``%{text}``, point by point.

    ``key`` says whether the line has an entry in the key (which phones get instead of direct labels),
    ``rank`` where it stands there: lines are drawn back to front, and read the other way round.
    """
    fig.add_trace(
        x=list(x),
        y=list(y),
        mode="lines+markers" if markers else "lines",
        name=escaped(name),
        line={"color": colour, "width": width, "dash": dash},
        marker={"size": 4.5 if len(x) > 1 else 7, "color": colour},
        opacity=opacity,
        legendrank=1000 + rank,
        text=None if words is None else list(words),
        hovertemplate=f"{hover}<extra></extra>",
        xaxis=f"x{panel}",
        yaxis=f"y{panel}",
        meta={"key": key},
    )


def add_band(
    fig: Sheet,
    x: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
    colour: str,
    *,
    panel: str = "",
    opacity: float = 0.16,
) -> None:
    """Fill between two bounds."""
    fig.add_trace(
        x=[*x, *reversed(x)],
        y=[*high, *reversed(low)],
        mode="lines",
        line={"width": 0, "color": colour},
        fill="toself",
        fillcolor=palette.translucent(colour, opacity),
        hoverinfo="skip",
        xaxis=f"x{panel}",
        yaxis=f"y{panel}",
        meta={"key": False},
    )


def add_level(
    fig: Sheet,
    y: float,
    text: str = "",
    *,
    panel: str = "",
    dash: str = "solid",
    at: str = "right",
    below: bool = False,
) -> None:
    """Draw a level across a panel, with a word on it, or under it, at the left or the right."""
    fig.add_shape(
        type="line",
        xref=f"x{panel} domain",
        yref=f"y{panel}",
        x0=0,
        x1=1,
        y0=y,
        y1=y,
        layer="below",
        line={"color": palette.LIGHT["muted"], "width": 1, "dash": dash},
    )
    if text:
        fig.add_note(
            xref=f"x{panel} domain",
            yref=f"y{panel}",
            x=1 if at == "right" else 0,
            y=y,
            text=escaped(text),
            showarrow=False,
            xanchor=at,
            yanchor="top" if below else "bottom",
            yshift=-2 if below else 2,
            font={"size": 12, "color": palette.LIGHT["muted"]},
        )


def add_panel_title(fig: Sheet, panel: str, title: str, second: str = "") -> None:
    """Write a panel's title above it, bold, with a muted second line."""
    text = f"<b>{escaped(title)}</b>" + (f"<br>{escaped(second)}" if second else "")
    fig.add_note(
        xref=f"x{panel} domain",
        yref=f"y{panel} domain",
        x=0,
        y=1,
        yshift=8,
        text=text,
        showarrow=False,
        xanchor="left",
        yanchor="bottom",
        align="left",
        font={"size": 13, "color": palette.LIGHT["ink"]},
    )


# --- panels


def lay_out(fig: Sheet, count: int, *, panel_height: int = 250) -> list[str]:
    """Place ``count`` panels in a grid (in one column on phones); return their names "", "2", "3".

    Call it before the axes are given; it sets domains and heights.
    """
    names = ["" if i == 0 else str(i + 1) for i in range(count)]
    columns = {1: 1, 2: 2, 4: 2}.get(count, 3)
    rows = -(-count // columns)
    wide, narrow = _stacked(rows, panel_height), _stacked(count, panel_height - 30)
    patch: dict[str, Any] = {}
    for position, name in enumerate(names):
        row, column = divmod(position, columns)
        x_domain, y_domain = _cell(column, columns, 0.055), _cell(rows - 1 - row, rows, _BETWEEN / wide)
        fig.update({f"xaxis{name}": {"domain": x_domain}, f"yaxis{name}": {"domain": y_domain}})
        patch[f"xaxis{name}.domain"] = [0, 1]
        patch[f"yaxis{name}.domain"] = _cell(count - 1 - position, count, _BETWEEN / narrow)
    margin = fig.layout["margin"]
    edges = _ABOVE + margin["b"]
    margin["t"] += _ABOVE - 16
    fig.layout["height"] = wide + margin["t"] + margin["b"]
    fig.update({"meta": {"heights": [wide + edges, narrow + edges], "top": _ABOVE, "narrow": patch}})
    return names


def _stacked(rows: int, height: int) -> int:
    """Return the height of the plots of so many rows and of what is between them."""
    return rows * height + (rows - 1) * _BETWEEN


def _cell(index: int, count: int, gap: float) -> list[float]:
    """Return the part of the width (or height) that a column (or row, from below) takes."""
    size = (1 - gap * (count - 1)) / count
    low = index * (size + gap)
    return [round(max(0.0, low), 4), round(min(1.0, low + size), 4)]


# --- forms for pages


def on_page(fig: go.Figure, *, narrow: bool = False) -> go.Figure:
    """Return a copy as a page shows it: without its title (the page has it as text), wide or for phones.

    The figure was checked as it was built; its copies are not checked again, which would take as long as all the rest.
    """
    return go.Figure(form(fig.to_plotly_json(), narrow=narrow), _validate=False)


def form(drawing: Mapping[str, Any], *, narrow: bool = False) -> dict[str, Any]:
    """Return the same of a figure as Plotly's JSON has it; what both forms share is not copied."""
    layout = {name: value for name, value in drawing["layout"].items() if name != "title"}
    meta = layout.get("meta") or {}
    wide, low = meta.get("heights") or (layout.get("height") or 500,) * 2
    patch = {
        "height": low if narrow else wide,
        "margin.t": meta.get("top", 16),
        **(meta.get("narrow", {}) if narrow else {}),
    }
    for dotted, value in patch.items():
        *path, last = dotted.split(".")
        place = layout
        for step in path:
            place[step] = dict(place.get(step, {}))
            place = place[step]
        place[last] = value
    if narrow:
        layout["annotations"] = [note for note in layout.get("annotations", []) if note.get("name") != LABEL]
    return {**drawing, "layout": layout}


def key(fig: go.Figure) -> list[dict[str, str]]:
    """Return the entries of a figure's key: name (plain), colour and dash of each named line, once each.

    A line that has another colour in each panel stands in ink.
    """
    entries: dict[str, dict[str, str]] = {}
    for trace in sorted(fig.data, key=lambda trace: trace.legendrank or 1000):
        if (trace.meta or {}).get("key") and trace.name:
            name, colour = html.unescape(trace.name), trace.line.color
            entry = entries.setdefault(name, {"name": name, "colour": colour, "dash": trace.line.dash or "solid"})
            if entry["colour"] != colour:
                entry["colour"] = palette.LIGHT["ink"]
    return list(entries.values())


def labelled(fig: go.Figure) -> bool:
    """Say whether the figure's wide form names its lines directly."""
    return any(note.name == LABEL for note in fig.layout.annotations)
