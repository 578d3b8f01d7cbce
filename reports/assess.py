"""The answer of `longwave assess` in words, for the terminal, and as one HTML page in the site's dress.

Belongs here: sentences and the page. Not here: the numbers (they come as the document that --json writes), drawing
(`figures/fan.py`).

The page is one file: style inside, pictures as SVG, no script. Names of a user's series are a stranger's text: shown with
control characters escaped, and escaped again by the template.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, Final

import jinja2
import plotly.graph_objects as go
import polars as pl
from longwave.reports import palette, svg, wording
from longwave.reports.figures import base
from longwave.reports.figures.fan import FAN, forecast_fan, where_on_the_curve
from markupsafe import Markup

CSP: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
MOST_DRAWN: Final = 12
MOST_LISTED: Final = 2000
LONGEST_NAME: Final = 80
_JOINERS: Final = "\u200c\u200d"
_UNITS: Final = {"percent": "percent", "fraction": "share of 1", "count": "count"}
_SIZES: Final = ((1e9, "billions"), (1e6, "millions"), (1e4, "thousands"))

Json = Mapping[str, Any]


def visible(text: str) -> str:
    """Text in one line in which everything can be seen: control and direction characters as escapes, cut where long."""
    plain = " ".join(text.split())
    seen = "".join(c if c.isprintable() or c in _JOINERS else c.encode("unicode_escape").decode() for c in plain)
    return seen if len(seen) <= LONGEST_NAME else seen[: LONGEST_NAME - 1] + "…"


def amount(value: float | None, unit: str) -> str:
    """A level with its unit: percent to a tenth, else three figures, four from 1000 on."""
    if value is None:
        return palette.NOTHING
    if unit == "percent":
        return f"{palette.exact(round(value, 1), 3)}{palette.THIN_SPACE}%"
    return palette.exact(value, 3) if abs(value) < 1000 else palette.integer(float(f"{value:.4g}"))


def between(interval: Sequence[float | None], unit: str) -> str:
    """An interval: en dash between two levels, a word where a bound is not known."""
    low, high = interval
    if low is None or high is None:
        return "not known: too few references"
    lowest = amount(low, unit).removesuffix(f"{palette.THIN_SPACE}%")
    return f"{lowest}{palette.EN_DASH}{amount(high, unit)}"


def facts(series: Json, unit: str) -> list[tuple[str, str]]:
    """What is said of one series, as pairs of a name and a sentence."""
    last, launch, age = series["last"], series["launch"], series["age"]
    said = [("Last value", f"{amount(last['value'], unit)} in {last['year']}")]
    if launch is not None:
        said.append(("Launch", f"{launch}; age {age} in {last['year']}"))
    if series["forecast"]:
        end = series["forecast"][-1]
        said.append((f"Forecast for {end['year']}", _level(end, unit)))
    if series["settled_level"]:
        said.append((f"Settled level ({series['settled_level']['year']})", _level(series["settled_level"], unit)))
    if series["ripeness"]:
        said.append(("Ripeness", _ripeness(series["ripeness"])))
        readable = series["ripeness"]["readable_year"]
        said.append(("Readable", "no year can be given" if readable is None else f"from {readable}"))
    if series.get("curves"):
        said.append(("Curves say", "; ".join(_curve(each, unit) for each in series["curves"])))
    if series["leans_on"]:
        leaning = "; ".join(
            f"{_reference(each['series'])} ({palette.integer(100 * each['weight'])}{palette.THIN_SPACE}%)"
            for each in series["leans_on"]
        )
        said.append(("Leans on", leaning))
    return said


def _curve(said: Json, unit: str) -> str:
    """A family of curves: how far it is believed, and where it levels off."""
    weight = f"{palette.integer(100 * said['weight'])}{palette.THIN_SPACE}%"
    return f"{said['curve'].capitalize()} ({weight}) levels off at {amount(said['ceiling'], unit)}"


def _reference(series: str) -> str:
    """A series of the warehouse, source/measure/adopter, as a person names it."""
    measure, _, adopter = series.partition("/")[2].partition("/")
    return f"{visible(adopter)}, {measure.replace('_', ' ')}" if adopter else visible(series)


def _level(row: Json, unit: str) -> str:
    eighty, ninety = (between(row["intervals"][level], unit) for level in ("0.8", "0.9"))
    thin = palette.THIN_SPACE
    return f"{amount(row['point'], unit)} (80{thin}%: {eighty}; 90{thin}%: {ninety})"


def _ripeness(ripeness: Json) -> str:
    low, high = ripeness["interval"]
    known = palette.two_figures(ripeness["information"])
    if low is None or high is None:
        return f"{known} of 1, interval not known"
    return f"{known} of 1 (95{palette.THIN_SPACE}%: {palette.span(low, high)})"


def sentence(series: Json, unit: str) -> str:
    """What is found of one series, as a title."""
    name = visible(series["series"])
    if not series["forecast"]:
        return f"{name}: too little was observed to say more"
    end = series["forecast"][-1]
    low, high = end["intervals"]["0.8"]
    now = f"{amount(series['last']['value'], unit)} in {series['last']['year']}"
    if low is None or high is None:
        return f"{name}: {now}, {amount(end['point'], unit)} expected in {end['year']}"
    sign = f"{palette.THIN_SPACE}%" if unit == "percent" else ""
    return f"{name}: {now}; four chances in five for {palette.span(low, high)}{sign} in {end['year']}"


def page(document: Json, observed: Mapping[str, Sequence[tuple[int, float]]], curve: pl.DataFrame | None) -> str:
    """The page.

    Args:
        document: what --json writes.
        observed: (year, value) pairs by series.
        curve: age, information, lo, hi; None: not known.

    """
    unit, series = document["input"]["unit"], document["series"]
    drawn = series[:MOST_DRAWN]
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_template),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    heading = visible(series[0]["series"]) if len(series) == 1 else f"{len(series):,} series".replace(",", "\u202f")
    return environment.get_template(
        "assess.html.j2"
    ).render(
        csp=CSP,
        style=Markup(palette.style_tokens() + _text("static", "site.css")),  # noqa: S704 our own files
        heading=heading,
        file=visible(document["input"]["file"]),
        unit=_UNITS[unit],
        given=document["input"],
        warnings=document["warnings"],
        condition=wording.CONDITION,
        series=[_view(place, each, observed[each["series"]], document) for place, each in enumerate(drawn, start=1)],
        total=len(series),
        listed=[summary_cells(each, unit) for each in series[:MOST_LISTED]] if len(series) > 1 else [],
        ripeness=_curve_view(curve, drawn),
    )


def _template(name: str) -> str:
    return _text("templates", name)


def _text(folder: str, name: str) -> str:
    return (files("longwave.reports") / folder / name).read_text(encoding="utf-8")


def _view(place: int, series: Json, observed: Sequence[tuple[int, float]], document: Json) -> dict[str, Any]:
    """All that stands on the page for one series."""
    unit, title = document["input"]["unit"], sentence(series, document["input"]["unit"])
    scale, scaled = _axis_unit(series, observed, unit)
    fan = pl.DataFrame([_flat(row, scale) for row in series["forecast"]], schema=dict.fromkeys(FAN, pl.Float64))
    ceiling = document["input"]["ceiling"]
    fig = forecast_fan(
        pl.DataFrame(
            [(year, value / scale) for year, value in observed],
            schema={"year": pl.Int64, "value": pl.Float64},
            orient="row",
        ),
        fan.with_columns(pl.col("year").cast(pl.Int64)),
        _flat(series["settled_level"], scale) if series["settled_level"] else None,
        title=title,
        subtitle=f"Observed and forecast, {_UNITS[unit]}{scaled}; bands: 50, 80 and 90\u202f% intervals",
        ceiling=None if ceiling is None else ceiling / scale,
        suffix="\u202f%" if unit == "percent" else "",
    )
    return {
        "id": f"series-{place}",
        "title": title,
        "name": visible(series["series"]),
        "facts": facts(series, unit),
        "warnings": series["warnings"],
        "rows": [_cells(row, unit) for row in series["forecast"]],
        **_drawn(fig, f"{title}. The table below the picture has every number."),
    }


def _axis_unit(series: Json, observed: Sequence[tuple[int, float]], unit: str) -> tuple[float, str]:
    """By what to divide counts on the axis, and what to call it: an axis has no room for seven digits."""
    most = max([value for _, value in observed] + [row["point"] or 0.0 for row in series["forecast"]])
    for size, name in _SIZES if unit == "count" else ():
        if most >= size:
            return size, f" in {name}"
    return 1.0, ""


def _flat(row: Json, scale: float) -> dict[str, float | None]:
    """A year of the document as a row of a fan, levels divided by the scale."""
    flat: dict[str, float | None] = {"year": row["year"], "point": row["point"] / scale}
    for level, ends in row["intervals"].items():
        low, high = (None if end is None else end / scale for end in ends)
        flat |= {f"lo{round(100 * float(level))}": low, f"hi{round(100 * float(level))}": high}
    return flat


def _cells(row: Json, unit: str) -> list[str]:
    return [
        str(row["year"]),
        amount(row["point"], unit),
        *(between(row["intervals"][level], unit) for level in ("0.5", "0.8", "0.9")),
    ]


def summary_cells(series: Json, unit: str) -> list[str]:
    """One series as a row of the list of all."""
    end = series["forecast"][-1] if series["forecast"] else None
    settled, ripeness = series["settled_level"], series["ripeness"]
    return [
        visible(series["series"]),
        palette.NOTHING if series["age"] is None else str(series["age"]),
        f"{amount(series['last']['value'], unit)} ({series['last']['year']})",
        *(_short(row, unit) for row in (end, settled)),
        palette.NOTHING if ripeness is None else palette.two_figures(ripeness["information"]),
        str(len(series["warnings"])),
    ]


def _short(row: Json | None, unit: str) -> str:
    if row is None:
        return palette.NOTHING
    return f"{amount(row['point'], unit)} ({between(row['intervals']['0.8'], unit)}; {row['year']})"


def _curve_view(curve: pl.DataFrame | None, drawn: Sequence[Json]) -> dict[str, Any] | None:
    """The picture of where the series stand on the curve; None where no series has a ripeness."""
    ages = [(visible(each["series"]), each["age"]) for each in drawn if each["ripeness"]]
    if curve is None or not ages:
        return None
    title = "How much of the level at age 20 is known by each age"
    if len(ages) == 1:
        known = palette.two_figures(next(each["ripeness"]["information"] for each in drawn if each["ripeness"]))
        title = f"At age {ages[0][1]}, {known} of what there is to know about the level at age 20 is known"
    subtitle = (
        "Information: 1 − the forecast’s mean squared error ÷ that of other media’s levels alone; 95\u202f% intervals"
    )
    fig = where_on_the_curve(curve, ages, title=title, subtitle=subtitle)
    return {"title": title, "subtitle": subtitle, **_drawn(fig, title)}


def _drawn(fig: go.Figure, alt: str) -> dict[str, Any]:
    """A figure's two static pictures, its key, and its subtitle."""
    title = svg.plain(fig.layout.title.text or "")
    wide, narrow = base.on_page(fig), base.on_page(fig, narrow=True)
    return {
        "subtitle": svg.plain(fig.layout.title.subtitle.text or ""),
        "key": base.key(fig),
        "wide": Markup(svg.render(wide, base.WIDE, int(wide.layout.height), alt, title=title)),  # noqa: S704 escaped
        "narrow": Markup(svg.render(narrow, base.NARROW, int(narrow.layout.height), alt, title=title)),  # noqa: S704
    }
