"""What sources said when: every series as each vintage had it, as files that the page Revisions loads, and what is said of it.

Belongs here: the shape of that content, its checks, its files and its words. Not here: figures (`figures/vintages.py`), HTML
(the templates), which series there are (the pipeline).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl
from longwave.reports import palette, places
from longwave.reports.figures.vintages import colour

Values = Mapping[int, float]

FIGURE: Final = "said-when"
"""The figure that the slider redraws."""
LINES: Final = ("key", "adopter", "medium", "unit", "vintage", "year", "value")
FIGURES: Final = 5
"""Significant figures of a value in the files: more than a screen shows."""
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_MOST_FIGURES: Final = 6
_ROUNDING: Final = 1e-9


@dataclass(frozen=True)
class Stated:
    """One measure of one source, as each of its vintages had it.

    ``key`` names its file and stands in links; ``source`` is whose rows it has; ``label`` is what a reader picks. ``share``:
    values are percent. ``tolerance``: what is no revision, in points of a share, else in percent of the larger of two values.
    ``lines``: ``LINES``, one row a series and vintage: the adopter's key and name, the medium, the unit in words, the vintage
    (ISO date), and lists of years and values; rows of a series together, by vintage. ``first``: key of the adopter shown first.
    """

    key: str
    source: str
    label: str
    share: bool
    tolerance: float
    lines: pl.DataFrame
    first: str

    @property
    def file(self) -> str:
        """The file that hands it over."""
        return places.vintages_file(self.key)


@dataclass(frozen=True)
class Difference:
    """What the newest vintage made of the figures of an earlier one.

    ``n``: figures of the earlier; ``otherwise``: those given otherwise now, ``gone``: those given no more, ``since``: those that
    came since. ``largest``: year of the one that changed most, what was said of it and what is said now; None where none did.
    """

    n: int
    otherwise: int
    gone: int
    since: int
    largest: tuple[int, float, float] | None


def difference(then: Values, now: Values, *, share: bool, tolerance: float) -> Difference:
    """Count what became of the figures of a vintage; values by year, ``tolerance`` as :class:`Stated` has it."""
    gaps = {year: abs(now[year] - value) for year, value in then.items() if year in now}
    # As the study of revisions has it, what arithmetic alone may have changed is no revision.
    limit = {year: 1.0 if share else max(abs(then[year]), abs(now[year])) / 100 for year in gaps}
    changed = [year for year, gap in gaps.items() if gap > limit[year] * (tolerance + _ROUNDING)]
    most = max(changed, key=lambda year: (gaps[year], year), default=None)
    largest = None if most is None else (most, then[most], now[most])
    return Difference(len(then), len(changed), len(then) - len(gaps), len(now) - len(gaps), largest)


def faults(
    stated: Sequence[Stated], figures: Sequence[str], sources: Sequence[str], closed: Collection[str]
) -> list[str]:
    """Name what is missing, occurs twice or may not be passed on.

    Args:
        stated: the measures.
        figures: ids of the figures that the site has.
        sources: ids of its sources.
        closed: those of them whose rows may not be passed on.

    """
    keys = [part.key for part in stated]
    found = [f"vintages: key {key!r} given twice" for key in sorted({key for key in keys if keys.count(key) > 1})]
    if stated and FIGURE not in figures:
        found.append(f"vintages: there is no figure {FIGURE} to redraw")
    for part in stated:
        if part.source not in sources:
            found.append(f"vintages {part.key}: source {part.source} is not among the site's")
        if part.source in closed:
            found.append(f"vintages {part.key}: rows of {part.source} may not be passed on; leave them out")
        lacking = [name for name in LINES if name not in part.lines.columns]
        if lacking:
            found.append(f"vintages {part.key}: no column {', '.join(lacking)}")
        elif part.first not in part.lines["key"]:
            found.append(f"vintages {part.key}: no adopter {part.first!r} to show first")
    return found


def view(stated: Sequence[Stated]) -> list[dict[str, Any]]:
    """Return what the page lists."""
    return [{"key": part.key, "label": part.label, "file": part.file, "source": part.source} for part in stated]


# --- files


def files(stated: Sequence[Stated]) -> dict[str, str]:
    """Return the files by name: classic scripts that hand over one measure each, in plain ASCII."""
    made = {}
    for part in stated:
        arguments = ",".join(_json(value) for value in (part.key, payload(part)))
        made[part.file] = f"longwave.stated({arguments});\n"
    return made


def _json(value: Any) -> str:
    """Return JSON in plain ASCII, so that no character can end a script or a line."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def payload(stated: Stated) -> dict[str, Any]:
    """Return what a page draws of one measure.

    A series is its adopter's key, its name, the numbers of its unit and of its colour, and a row a vintage: the number of the
    vintage, the first year, the values from there on (null where there is none), then, of all but the newest, how many
    figures are otherwise, gone and since, and the one that changed most, in words.
    """
    rounded = stated.lines.with_columns(drawn=pl.col("value").list.eval(pl.element().round_sig_figs(FIGURES)))
    vintages = sorted(set(rounded["vintage"]))
    units, media = (list(dict.fromkeys(rounded[name])) for name in ("unit", "medium"))
    series: list[list[Any]] = []
    for (key,), rows in rounded.group_by("key", maintain_order=True):
        said = [_values(row) for row in rows.iter_rows(named=True)]
        first = rows.row(0, named=True)
        own = [
            [
                vintages.index(row["vintage"]),
                *_drawn(row),
                *([] if values is said[-1] else _became(stated, values, said[-1])),
            ]
            for row, values in zip(rows.iter_rows(named=True), said, strict=True)
        ]
        series.append([key, first["adopter"], units.index(first["unit"]), media.index(first["medium"]), *own])
    return {
        "label": stated.label,
        "share": stated.share,
        "tolerance": tolerance(stated),
        "first": stated.first,
        "vintages": vintages,
        "units": units,
        "colours": [colour(medium) for medium in media],
        "series": series,
    }


def _values(row: Mapping[str, Any]) -> Values:
    return dict(zip(row["year"], row["value"], strict=True))


def _drawn(row: Mapping[str, Any]) -> list[Any]:
    by_year = dict(zip(row["year"], row["drawn"], strict=True))
    years = range(row["year"][0], row["year"][-1] + 1)
    return [row["year"][0], [by_year.get(year) for year in years]]


def _became(stated: Stated, then: Values, now: Values) -> list[Any]:
    found = difference(then, now, share=stated.share, tolerance=stated.tolerance)
    largest = None if found.largest is None else [found.largest[0], *apart(*found.largest[1:])]
    return [found.otherwise, found.gone, found.since, largest]


# --- words


def tolerance(stated: Stated) -> str:
    """Say what is no revision."""
    return f"{stated.tolerance:g} points" if stated.share else f"{stated.tolerance:g}{palette.THIN_SPACE}%"


def apart(one: float, other: float) -> tuple[str, str]:
    """Write two numbers with two significant figures, or with as many as tell them apart."""
    words = palette.two_figures(one), palette.two_figures(other)
    for figures in range(3, _MOST_FIGURES + 1):
        if words[0] != words[1]:
            break
        words = palette.exact(one, figures), palette.exact(other, figures)
    return words


def day(date: str) -> str:
    """Write an ISO date as prose has it, in one piece."""
    year, month, number = date.split("-")
    return f"{int(number)}\u00a0{_MONTHS[int(month) - 1]}\u00a0{year}"


def title(stated: Stated, key: str, vintage: str) -> str:
    """Say what the newest vintage made of what one said of a series; the script of the page says the same of others."""
    rows = stated.lines.filter(pl.col("key") == key)
    then, now = (
        _values(rows.filter(pl.col("vintage") == date).row(0, named=True)) for date in (vintage, rows["vintage"][-1])
    )
    name = rows["adopter"][0]
    if vintage == rows["vintage"][-1]:
        return f"{name}: {_figures(len(now))} in the newest vintage"
    found = difference(then, now, share=stated.share, tolerance=stated.tolerance)
    if found.largest is None:
        kept = "gives again" if not found.gone else f"leaves out {_figures(found.gone)} and gives again"
        return f"{name}: the newest vintage {kept} what that of {day(vintage)} said"
    before, after = apart(*found.largest[1:])
    percent = f"{palette.THIN_SPACE}%" if stated.share else ""
    return f"{name}: the vintage of {day(vintage)} said {before}{percent} of {found.largest[0]}, the newest says {after}{percent}"


def subtitle(stated: Stated, key: str, vintage: str) -> str:
    """Say what is drawn."""
    rows = stated.lines.filter(pl.col("key") == key)
    first, newest = rows["unit"][0], rows["vintage"][-1]
    return f"{rows['adopter'][0]}, {first}: the vintage of {day(vintage)}; dotted, the newest, of {day(newest)}"


def _figures(count: int) -> str:
    return "1 figure" if count == 1 else f"{palette.integer(count)} figures"
