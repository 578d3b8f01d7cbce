"""The series that the page Compare lets a reader pick, as classic scripts that it loads when they are wanted.

Belongs here: the form of `compare/index.js` and of the files of values. Not here: which series there are (the content), the
page, drawing (`static/compare.js`).

The index names every series; a file of values holds those of one medium, and small media share one. Rows of both stand in one
order. A page that opens from disk may fetch nothing, so each file calls a function of the page with its rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from longwave.reports import palette
from longwave.reports.places import anchor, source_page

FOLDER = "compare"
INDEX = f"{FOLDER}/index.js"
LINES = ("series", "medium", "metric", "unit", "adopter", "code", "source", "launch", "cited", "year", "value", "break")
OTHERS = "others"
FEW = 10
FIGURES = 5
"""Significant figures of a value: more than a screen shows. Every digit stands on the page of its source."""


def files(lines: pl.DataFrame, titles: Mapping[str, str], first: Sequence[str]) -> dict[str, str]:
    """Return the scripts by file name; none where there are no lines.

    Args:
        lines: the content's ``lines``, one row a value, rows of a series together and by year.
        titles: what each source is called, by id.
        first: the series shown at first; those that are not held are left out.

    """
    if lines.is_empty():
        return {}
    series = lines.group_by("series", maintain_order=True).agg(
        pl.exclude("year", "value", "break").first(), pl.col("year", "value", "break")
    )
    file_of = _file_of(series)
    sources, media, metrics, units = (_codes(series[name].to_list()) for name in ("source", "medium", "metric", "unit"))
    prefixes = _codes([_split(name)[0] for name in series["series"]])
    rows: list[list[Any]] = []
    values: dict[str, list[list[Any]]] = {}
    for row in series.iter_rows(named=True):
        codes = [sources[row["source"]], media[row["medium"]], metrics[row["metric"]], units[row["unit"]]]
        years = row["year"]
        prefix, key = _split(row["series"])
        rows.append([prefixes[prefix], key, *_unless(key, row["adopter"], row["code"]), *codes, years[0], years[-1]])
        values.setdefault(file_of[row["medium"]], []).append([row["launch"], int(row["cited"]), *_values(row)])
    held = set(series["series"])
    index = {
        "series": rows,
        "prefixes": list(prefixes),
        "sources": [[titles.get(source, source), source_page(source)] for source in sources],
        "media": [[medium, file_of[medium], *_colours(medium, media)] for medium in media],
        "metrics": [metric.replace("_", " ") for metric in metrics],
        "units": [unit.replace("_", " ") for unit in units],
        "first": [name for name in first if name in held],
    }
    made = {f"{FOLDER}/{name}.js": _call("longwaveValues", name, own) for name, own in sorted(values.items())}
    return {INDEX: _call("longwaveIndex", index), **made}


def _split(series: str) -> tuple[str, str]:
    """Return a series' id in two parts: source and measure, which many share, and the adopter's key."""
    at = series.find("/", series.find("/") + 1) + 1
    return series[:at], series[at:]


def _unless(key: str, adopter: str, code: str | None) -> list[Any]:
    """Return an adopter and its code, 0 where it is the key again; "" where there is no code."""
    return [0 if text == key else text for text in (adopter, code or "")]


def _file_of(series: pl.DataFrame) -> dict[str, str]:
    """Return the name of the file that holds each medium's values."""
    counts = series.group_by("medium", maintain_order=True).len()
    return {medium: anchor(medium.replace(" ", "-")) if n >= FEW else OTHERS for medium, n in counts.iter_rows()}


def _codes(values: Sequence[str]) -> dict[str, int]:
    """Return the position of each distinct value, in the order of their first occurrence."""
    return {value: at for at, value in enumerate(dict.fromkeys(values))}


def _colours(medium: str, media: Mapping[str, int]) -> list[str]:
    """Return a medium's colour for lines, and the one for text, on a light page."""
    others = [name for name in media if name not in palette.MEDIA]
    colour = palette.colour(medium, others.index(medium) if medium in others else 0)
    return [colour, palette.ink(colour)]


def _values(row: Mapping[str, Any]) -> list[Any]:
    """Return the first year, a value for it and each year after it (null where there is none), and years of breaks, if any."""
    by_year = dict(zip(row["year"], row["value"], strict=True))
    first, last = min(by_year), max(by_year)
    broken = [year for year, broke in zip(row["year"], row["break"], strict=True) if broke]
    return [first, [_short(by_year.get(year)) for year in range(first, last + 1)], *([broken] if broken else [])]


def _short(value: float | None) -> float | int | None:
    """Return a value to so many significant figures, whole where it is whole."""
    if value is None:
        return None
    short = float(f"{value:.{FIGURES}g}")
    return int(short) if short.is_integer() else short


def _call(function: str, *arguments: Any) -> str:
    """Return a script that hands values to a function of the page, in ASCII but for letters."""
    texts = [json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False) for value in arguments]
    return f"{function}({','.join(texts)});\n".replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
