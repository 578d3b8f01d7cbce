"""A page per medium: what stands on it beside its figures, and the forecasts in hindsight as files that a page loads when asked.

Belongs here: the shape of that content, its checks, its files and its words. Not here: figures (`figures/`), HTML (the
templates), which numbers there are (the pipeline).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl
from longwave.reports import palette, places
from longwave.reports.figures.hindsight import top_of

Row = Mapping[str, Any]
Levels = Sequence[tuple[int, float]]

FANS: Final = ("origin", "age", "n_known", "year", "point", "lo50", "hi50", "lo80", "hi80", "lo90", "hi90")
SAID: Final = ("origin", "year", "point", "lo80", "hi80")
LEVELS: Final = ("year", "value")
BREAK_KEYS: Final = ("place", "years", "reason", "citation", "address", "status")
BEYOND: Final = 21
"""Years that an axis goes on after the cut: a fan, and a little."""
SHOWN: Final = 45
"""Years that an axis has at least, where there are so many."""
_FIGURES_OF_COUNTS: Final = 3


@dataclass(frozen=True)
class Told:
    """One series with every forecast in hindsight that is kept of it.

    ``key`` names its file and stands in links; ``source`` is whose rows it has; ``label`` is what a reader picks; ``unit`` in
    words, ``share``: levels are percent. ``launch``: calendar year or None. ``levels``: ``LEVELS``, sorted by year. ``fans``:
    ``FANS``, one row a year of each cut (origin). ``said``: ``SAID``, at most one row a cut: the year that is spoken of.
    ``breaks``: years.
    """

    key: str
    source: str
    label: str
    unit: str
    share: bool
    launch: int | None
    levels: pl.DataFrame
    fans: pl.DataFrame
    said: pl.DataFrame
    breaks: Sequence[int] = ()


@dataclass(frozen=True)
class Medium:
    """What a medium's page says beside its figures, which are the blocks whose ``page`` is ``page``.

    ``explored`` is the id of the figure that the slider redraws, of the first of ``told`` at the cut of year ``cut``. ``table``:
    forecasts at some ages next to what came, one row each: ``series``, ``age``, ``cut``, ``n_known``, ``year``, ``point``,
    ``lo``, ``hi``, ``came`` (None: not yet). ``breaks``: keys of ``BREAK_KEYS``. ``claims``: ids of claims that rest on it.
    ``ripeness``: a sentence. ``sources``: ids. ``fits``: what families of curves find, one row a series: ``label``, ``n``,
    ``found`` (a text a family of ``families``), and ``fits_said`` what they come to, in a sentence.
    """

    id: str
    title: str
    lede: str
    ripeness: str
    explored: str | None = None
    cut: int | None = None
    told: Sequence[Told] = ()
    table: Sequence[Row] = ()
    breaks: Sequence[Row] = ()
    claims: Sequence[str] = ()
    sources: Sequence[str] = ()
    families: Sequence[str] = ()
    fits: Sequence[Row] = ()
    fits_said: str = ""

    @property
    def page(self) -> str:
        """The file on which it stands."""
        return places.medium_page(self.id)


def faults(
    media: Sequence[Medium],
    figures: Sequence[str],
    claims: Sequence[str],
    sources: Sequence[str],
    closed: Collection[str] = (),
) -> list[str]:
    """Name what is missing, occurs twice or may not be passed on.

    Args:
        media: the pages.
        figures: ids of the figures that the site has.
        claims: ids of its claims.
        sources: ids of its sources.
        closed: those of them whose rows may not be passed on.

    """
    found = []
    for medium in media:
        keys = [told.key for told in medium.told]
        found += [
            f"medium {medium.id}: series key {key!r} given twice" for key in {k for k in keys if keys.count(k) > 1}
        ]
        found += [
            f"medium {medium.id}: claim {name} is not among those decided"
            for name in medium.claims
            if name not in claims
        ]
        found += [
            f"medium {medium.id}: source {name} is not among the site's"
            for name in medium.sources
            if name not in sources
        ]
        barred = sorted({told.source for told in medium.told} & set(closed))
        if barred:
            found.append(f"medium {medium.id}: rows of {barred} may not be passed on; leave them out")
        if medium.explored is not None and medium.explored not in figures:
            found.append(f"medium {medium.id}: there is no figure {medium.explored} to redraw")
        if (medium.explored is None) == bool(medium.told):
            found.append(f"medium {medium.id}: a figure to redraw and series to redraw it with belong together")
    pages = [medium.page for medium in media]
    return found + [f"medium page {page}: given twice" for page in sorted({p for p in pages if pages.count(p) > 1})]


def files(media: Sequence[Medium]) -> dict[str, str]:
    """Return the files that hold the forecasts in hindsight, by name: classic scripts that hand over one series each."""
    return {
        places.hindsight_file(medium.id, told.key): _script(medium.id, told) for medium in media for told in medium.told
    }


def _script(medium: str, told: Told) -> str:
    arguments = ",".join(_json(part) for part in (medium, told.key, payload(told)))
    return f"longwave.told({arguments});\n"


def _json(value: Any) -> str:
    """Return JSON in plain ASCII, so that no character can end a script or a line."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def payload(told: Told) -> dict[str, Any]:
    """Return what a page draws of one series: its levels, and by cut the years ahead, the points, the bands, what is said.

    Numbers are rounded to what is drawn: tenths of a percent, three figures of a count. What is said of a cut is said in words
    here, as the table beside has them.
    """
    levels = list(told.levels.select("year", "value").iter_rows())
    came = dict(levels)
    said = {row["origin"]: row for row in told.said.iter_rows(named=True)}
    cuts = []
    for (cut,), rows in (
        told.fans.sort("origin", "year").partition_by("origin", maintain_order=True, as_dict=True).items()
    ):
        # Lists from here on: of a frame of a few rows, each question takes longer than its answer.
        own = rows.to_dict(as_series=False)
        spoken = said.get(cut)
        cuts.append(
            {
                "cut": cut,
                "age": own["age"][0],
                "n": own["n_known"][0],
                "year": own["year"],
                "point": _rounded(own["point"], told.share),
                **{name: _rounded(own[name], told.share) for name in FANS[5:]},
                "last": _last(levels, cut),
                **({"said": _said(spoken, came.get(spoken["year"]))} if spoken else {}),
                **({} if told.share else {"top": _rounded_up(_top(own, levels, span(told, cut)[1]))}),
            }
        )
    return {
        "label": told.label,
        "unit": told.unit,
        "share": told.share,
        "launch": told.launch,
        "breaks": list(told.breaks),
        "span": list(_years(told)),
        "year": [year for year, _ in levels],
        "value": _rounded([value for _, value in levels], told.share),
        "cuts": cuts,
    }


def span(told: Told, cut: int) -> tuple[int, int]:
    """First and last year of the axis at a cut: from launch or the first figure on, to the end of the fan at least.

    The script of the page has the same rule.
    """
    begins, last = _years(told)
    return begins, min(last, max(cut + BEYOND, begins + SHOWN))


def _years(told: Told) -> tuple[int, int]:
    """The years that an axis may have."""
    first, last = int(told.levels["year"][0]), int(told.levels["year"][-1])
    return first if told.launch is None else min(first, told.launch), last + BEYOND


def _top(fan: Mapping[str, Sequence[float]], levels: Levels, last: int) -> float:
    """The end of the axis of a fan, with what is held up to a year."""
    within = [value for year, value in levels if year <= last]
    return top_of(max([*within, *fan["point"]]), max(fan["hi90"]))


def _last(levels: Levels, cut: int) -> list[Any]:
    """Year of the last figure known at a cut, and that figure in words."""
    year, value = [row for row in levels if row[0] <= cut][-1]
    return [year, palette.two_figures(value)]


def _said(row: Row, came: float | None) -> list[Any]:
    """Year, point, 80 % interval and what came, in words, and whether it lay inside; None where no figure of it is held."""
    inside = None if came is None else bool(row["lo80"] <= came <= row["hi80"])
    words = None if came is None else palette.two_figures(came)
    return [row["year"], palette.two_figures(row["point"]), palette.span(row["lo80"], row["hi80"]), words, inside]


def _rounded(values: Sequence[float], share: bool) -> list[float]:
    return [_round(value, share) for value in values]


def _round(value: float, share: bool) -> float:
    rounded = round(value, 1) if share else float(f"{value:.{_FIGURES_OF_COUNTS}g}")
    return int(rounded) if float(rounded).is_integer() else rounded


def _rounded_up(value: float) -> float:
    return float(f"{value:.3g}")


# --- words


def introduction(medium: Medium) -> dict[str, Any]:
    """Return what the list of media says of one."""
    return {"title": medium.title, "page": medium.page, "lede": medium.lede, "ripeness": medium.ripeness}


def view(medium: Medium, claims: Mapping[str, Row]) -> dict[str, Any]:
    """Return what a medium's own page shows; ``claims``: views of claims by id."""
    return {
        **introduction(medium),
        "id": medium.id,
        "explored": medium.explored,
        "cut": medium.cut,
        "told": [
            {"key": told.key, "label": told.label, "file": places.hindsight_file(medium.id, told.key)}
            for told in medium.told
        ],
        "table": [_table_row(row) for row in medium.table],
        "several": len({row["series"] for row in medium.table}) > 1,
        "breaks": [dict(row) for row in medium.breaks],
        "claims": [claims[name] for name in medium.claims],
        "sources": list(medium.sources),
        "families": list(medium.families),
        "fits": [dict(row) for row in medium.fits],
        "fits_said": medium.fits_said,
    }


def _table_row(row: Row) -> dict[str, Any]:
    came = row["came"]
    inside = None if came is None else row["lo"] <= came <= row["hi"]
    return {
        **row,
        "point": palette.two_figures(row["point"]),
        "interval": palette.span(row["lo"], row["hi"]),
        "came": palette.NOTHING if came is None else palette.two_figures(came),
        "inside": "not yet known" if inside is None else "inside" if inside else "outside",
    }
