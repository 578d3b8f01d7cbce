"""The series of a medium's page with their forecasts in hindsight: which there are, what they are called, the table of some ages.

Belongs here: rows of the results put together by series. Not here: figures and words of the pages (`blocks_media`), files
(`longwave.reports.media`), forecasts (`find_hindsight`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import polars as pl
from longwave.models.hindsight import TARGET_AGE
from longwave.pipelines.find_hindsight import CAME, EVERY_YEAR, FAN, LEVEL, SAID, STEP, STUDIED
from longwave.pipelines.ripening import LEVELS, THEN
from longwave.reports.media import Told
from longwave.warehouse import results

REFERENCE = "reference"
TITLES = {
    "radio": "Radio",
    "television": "Television",
    "internet": "Internet",
    "social": "Social media",
    REFERENCE: "Reference technologies",
}
"""Pages, in their order."""
TABLE_AGES = (3, 5, 8, 12, 16)
PLACES = {"USA": "United States", "WLD": "World"}
PEOPLE = {"individuals": "people"}
FEWEST_KNOWN = 3


def named(page: str) -> str:
    """A medium as a sentence has it."""
    return {"social": "social media", "internet": "the internet"}.get(page, TITLES[page].lower())


def was(page: str) -> str:
    """The verb that belongs to it."""
    return "were" if page in ("social", REFERENCE) else "was"


@dataclass(frozen=True)
class Studied:
    """What was found of all series that may be shown.

    ``series``: one row each, with ``page`` (a medium's id), ``key``, ``label`` and ``words`` (the unit), the one that is shown
    first at the head of its page; ``levels``: series, year, value, flag; ``fans`` and ``said`` as `Told` reads them, with
    series, launch and, of ``said``, came; ``breaks``: the listed breaks.
    """

    series: pl.DataFrame
    levels: pl.DataFrame
    fans: pl.DataFrame
    said: pl.DataFrame
    breaks: pl.DataFrame

    def told(self, page: str) -> list[Told]:
        """The series of one page, each with all that is drawn of it."""
        parts = {name: getattr(self, name).partition_by("series", as_dict=True) for name in ("levels", "fans", "said")}
        return [
            Told(
                row["key"],
                row["source"],
                row["label"],
                row["words"],
                row["unit_class"] == "share",
                row["launch"],
                breaks=self.breaks_of(row)["year_from"].to_list(),
                **{name: part.get((row["series"],), self._empty(name)) for name, part in parts.items()},
            )
            for row in self.series.filter(pl.col("page") == page).iter_rows(named=True)
        ]

    def _empty(self, name: str) -> pl.DataFrame:
        empty: pl.DataFrame = getattr(self, name).clear()
        return empty

    def breaks_of(self, row: dict[str, Any]) -> pl.DataFrame:
        """Listed breaks of one series, row by row of the table of facts."""
        same = [pl.col(name).is_in(["*", row[name]]) for name in ("source", "medium", "adopter", "place")]
        return self.breaks.filter(*same)


def studied(con: duckdb.DuckDBPyConnection, points: pl.DataFrame) -> Studied:
    """All that the study of hindsight found of series that may be shown, and what they are called.

    Args:
        con: a reader.
        points: rows of `finding_curves`.

    """
    used = results.used_series(con, STEP).filter(pl.col("source").is_in(list(results.passed_on(con))))
    own = points.filter(pl.col("step") == STEP, pl.col("subject").is_in(used["series"].implode()))
    levels = own.filter(pl.col("measure") == LEVEL).select(
        series="subject", year=pl.col("x").cast(pl.Int32), value="y", flag="flag"
    )
    found = results.findings(con, STEP).filter(pl.col("subject").is_in(used["series"].implode()))
    launches = used.select(series="series", launch="launch")
    return Studied(
        _named(used, own),
        levels.sort("series", "year"),
        _fans(own, launches),
        _said(found, launches),
        results.break_facts(con),
    )


def _named(used: pl.DataFrame, own: pl.DataFrame) -> pl.DataFrame:
    """Series with page, key, label and words, in the order in which a page offers them."""
    medium, place = pl.col("medium"), pl.col("place")
    people = pl.col("population").replace(PEOPLE)
    words = (
        pl.when(pl.col("unit_class") == "share").then("% of " + people).otherwise(pl.col("metric") + " per 100 people")
    )
    cut = pl.col("mode").cast(pl.Int32, strict=False)
    cuts = own.filter(pl.col("measure") == FAN.format(LEVELS[0])).select("subject", cut=cut).unique()
    young = cuts.join(used, left_on="subject", right_on="series").filter(pl.col("cut") - pl.col("launch") < TARGET_AGE)
    page = pl.when(medium.is_in(STUDIED)).then(medium).otherwise(pl.lit(REFERENCE))
    frame = used.join(young.group_by("subject").len("young"), left_on="series", right_on="subject", how="left")
    frame = frame.with_columns(page=page, words=words, young=pl.col("young").fill_null(0))
    several = pl.len().over("page", "place") > 1
    of_what = pl.when(pl.col("unit_class") == "share").then("population").otherwise("metric")
    place_key = pl.when(several).then(pl.format("{}-{}", place, of_what)).otherwise(place)
    name = pl.coalesce(place.replace_strict(PLACES, default=None), "adopter")
    other = pl.col("page") == REFERENCE
    first = {then.series for then in THEN} | _most_cut(frame.filter(other))
    return frame.with_columns(
        key=pl.when(other).then(pl.col("adopter").map_elements(_slug, return_dtype=pl.String)).otherwise(place_key),
        label=pl.when(other).then("adopter").otherwise(name) + ", " + pl.col("words"),
    ).sort(
        "page",
        ~pl.col("series").is_in(list(first)),
        ~(place.is_in(EVERY_YEAR) & ~other),
        "label",
    )


def _most_cut(frame: pl.DataFrame) -> set[str]:
    """The series with most cuts before the target age, the first by name of equals."""
    return set(frame.sort("young", "adopter", descending=[True, False])["series"].head(1))


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _fans(own: pl.DataFrame, launches: pl.DataFrame) -> pl.DataFrame:
    """One row a year of each cut: series, launch, origin, age, n_known, year, point and the ends of the intervals."""
    keys = ["subject", "mode", "x"]
    frame = None
    for level in LEVELS:
        part = own.filter(pl.col("measure") == FAN.format(level))
        ends = part.select(*keys, "y", "n", pl.col("lo").alias(f"lo{level}"), pl.col("hi").alias(f"hi{level}"))
        frame = ends if frame is None else frame.join(ends.drop("y", "n"), on=keys)
    assert frame is not None
    whole = frame.select(
        series="subject",
        origin=pl.col("mode").cast(pl.Int32),
        n_known="n",
        year=pl.col("x").cast(pl.Int32),
        point="y",
        **{f"{end}{level}": pl.col(f"{end}{level}") for level in LEVELS for end in ("lo", "hi")},
    ).join(launches, on="series")
    return whole.with_columns(age=pl.col("origin") - pl.col("launch")).sort("series", "origin", "year")


def _said(found: pl.DataFrame, launches: pl.DataFrame) -> pl.DataFrame:
    """What was said of one year at each cut, next to what came (null: no figure), as `Studied` says."""
    came = found.filter(pl.col("measure") == CAME).select("subject", "horizon", came="estimate")
    rows = found.filter(pl.col("measure") == SAID).join(came, on=["subject", "horizon"], how="left")
    return (
        rows.join(launches, left_on="subject", right_on="series")
        .select(
            "launch",
            "came",
            series="subject",
            age="k",
            n_known=pl.col("n"),
            origin=pl.col("launch") + pl.col("k"),
            year=pl.col("launch") + pl.col("horizon"),
            point="estimate",
            lo80="lo",
            hi80="hi",
        )
        .sort("series", "origin")
    )


def table_of(found: Studied, page: str, ages: Sequence[int] = TABLE_AGES) -> list[dict[str, Any]]:
    """Forecasts of the target age at some ages next to what came, of the series that a page names without being asked.

    Those are the United States and the world, or the technologies beside. At each age the last cut up to it counts.
    """
    named = found.series.filter(pl.col("page") == page)
    if page != REFERENCE:
        named = named.filter(pl.col("place").is_in(EVERY_YEAR))
    rows = []
    for series, label in named.select("series", "label").iter_rows():
        own = found.said.filter(pl.col("series") == series, pl.col("age") < TARGET_AGE)
        for before, age in zip((-1, *ages), ages, strict=False):
            at = own.filter(pl.col("age") > before, pl.col("age") <= age).tail(1)
            for row in at.iter_rows(named=True):
                ends = {"lo": row["lo80"], "hi": row["hi80"], "cut": row["origin"], "series": label}
                rows.append({name: row[name] for name in ("age", "n_known", "year", "point", "came")} | ends)
    return rows


def shown_cut(found: Studied, series: str) -> int | None:
    """The cut of the static picture: with three figures known, at the first of the table's ages from 8 on, else the first."""
    own = (
        found.fans.filter(pl.col("series") == series, pl.col("n_known") >= FEWEST_KNOWN).unique("origin").sort("origin")
    )
    ages = pl.col("age")
    preferred = own.filter(ages.is_in([age for age in TABLE_AGES if age >= 8]))
    first = preferred if preferred.height else own
    return int(first["origin"][0]) if first.height else None
