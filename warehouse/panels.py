"""The frames that models read: series of record as of the vintage in force, on age since launch, per head where counted.

Launch years come from the cited table and only where its row is verified; elsewhere the first year at or over 1 % stands
in, marked `first_1_percent`. Counts are put on a common footing: things per 100 people, by the data set's own population.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import polars as pl
from longwave.warehouse.tidy import UNITS
from longwave.warehouse.views import LEFT_TRUNCATED_OVER
from longwave.warehouse.world import load_fact


@dataclass(frozen=True)
class Panel:
    """A group of series read together: the rows of `series_of_record` it is made of, and which adopters.

    `medium` is empty where the panel spans media.
    """

    title: str
    medium: str
    metric: str
    place_group: str
    adopters: str

    @property
    def unit_class(self) -> str:
        """`share`, or `count` per 100 people: panels of one class learn from each other."""
        return "share" if self.metric in ("adoption", "users_share") else "count"

    def sources(self) -> list[str]:
        """The sources of record it reads."""
        return sorted(set(_record(self)["source"]))


_PLACES = "o.adopter_kind IN ('country', 'territory')"
_PEOPLE = "o.population IN ('households', 'adults', 'dwellings', 'people aged 12 or older', 'people aged 15 or older')"
PANELS: dict[str, Panel] = {
    "us-households": Panel("Technologies in United States households", "", "adoption", "USA", _PEOPLE),
    "internet-countries": Panel("Internet users by country", "internet", "users_share", "countries", _PLACES),
    "mobile-countries": Panel(
        "Mobile subscriptions by country", "mobile telephone", "subscriptions", "countries", _PLACES
    ),
    "broadband-countries": Panel(
        "Broadband subscriptions by country", "broadband", "subscriptions", "countries", _PLACES
    ),
    "radio-countries": Panel("Radio sets by country", "radio", "sets", "countries", _PLACES),
    "television-countries": Panel("Television sets by country", "television", "sets", "countries", _PLACES),
    "telephone-countries": Panel("Telephones by country", "telephone", "telephones", "countries", _PLACES),
    "computer-countries": Panel(
        "Personal computers by country", "personal computer", "computers", "countries", _PLACES
    ),
}


def _record(panel: Panel) -> pl.DataFrame:
    table = load_fact("series_of_record").filter(
        pl.col("metric") == panel.metric, pl.col("place_group") == panel.place_group
    )
    return table.filter(pl.col("medium") == panel.medium) if panel.medium else table


AT_LEAST = {"first_1_percent": 1.0, "first_10_percent": 10.0}

_COLUMNS = """
SELECT o.series, o.medium, coalesce(m.family, o.medium) AS family, o.concept, o.adopter, o.adopter_key, o.place, o.unit,
       o.unit_class, o.adopter_kind, o.year, o.value, nullif(o.flags, '') AS flag, o.source, o.measure, {belongs} AS belongs
FROM standing o LEFT JOIN media m USING (medium)
"""
_OF_RECORD = """
JOIN series_of_record r ON r.source = o.source AND r.measure = o.measure AND r.medium = o.medium
WHERE r.metric = $metric AND r.place_group = $place_group AND $medium IN ('', r.medium) AND o.period_kind = 'year'
ORDER BY o.series, o.year
"""
_OF_LINE = """
WHERE o.source = $source AND o.measure = $measure AND o.adopter_key = $adopter AND o.period_kind = 'year'
ORDER BY o.year
"""

_POPULATION = """
SELECT place, year, value AS population, unit AS population_unit FROM standing
WHERE source = $source AND measure = 'population' AND place IS NOT NULL
"""

_LAUNCHES = "SELECT medium, place, year AS cited FROM launches WHERE status = 'verified'"


def freeze(con: duckdb.DuckDBPyConnection) -> None:
    """Work the as-of view out once for this connection; every function below reads what this found."""
    con.execute("CREATE OR REPLACE TEMP TABLE standing AS SELECT * FROM observations_as_of(as_of_date())")


def levels(con: duckdb.DuckDBPyConnection, panel: str) -> pl.DataFrame:
    """Yearly levels of one panel: shares in points, counts per 100 people; filler zeros and non-places left out.

    Returns:
        series, medium, family, concept, adopter, place, unit_class, year, value, flag, source; sorted by series, year.

    """
    return panel_levels(con, PANELS[panel])


def panel_levels(con: duckdb.DuckDBPyConnection, panel: Panel) -> pl.DataFrame:
    """The same of a panel that is not in the list."""
    frame = _of_record(con, panel).filter(pl.col("belongs")).drop("belongs")
    return frame if frame.is_empty() or frame["unit"][0] in ("percent", "per_100_people") else _per_100(con, frame)


def _of_record(con: duckdb.DuckDBPyConnection, panel: Panel) -> pl.DataFrame:
    sql = _COLUMNS.format(belongs=panel.adopters) + _OF_RECORD
    where = {"metric": panel.metric, "place_group": panel.place_group, "medium": panel.medium}
    return _observed(con.sql(sql, params=where).pl())


def _observed(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter(~pl.col("flag").fill_null("").str.contains("filler_zero"))


def _outside(adopter_kind: str) -> str:
    reasons = {"unmapped": "a name without a code", "technology": "not an adoption by people"}
    return reasons.get(adopter_kind, "an aggregate or a former state")


def left_out(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """Series of record that no panel can use, with the reason: not places or people, never at 1 %."""
    found: list[tuple[str, str]] = []
    for panel in PANELS.values():
        frame = _of_record(con, panel)
        outside = frame.filter(~pl.col("belongs")).unique("series").sort("series")
        found += [(series, _outside(kind)) for series, kind in outside.select("series", "adopter_kind").iter_rows()]
    for name in PANELS:
        frame = levels(con, name)
        low = frame.group_by("series").agg(pl.col("value").max()).filter(pl.col("value") < AT_LEAST["first_1_percent"])
        found += [(series, "never at 1 %") for series in low["series"].sort()]
    return found


def _per_100(con: duckdb.DuckDBPyConnection, frame: pl.DataFrame) -> pl.DataFrame:
    population = con.sql(_POPULATION, params={"source": frame["source"][0]}).pl()
    things = UNITS[frame["unit"][0]][1]
    people = UNITS[population["population_unit"][0]][1] if not population.is_empty() else 1.0
    per_head = pl.col("value") * things / (pl.col("population") * people)
    return (
        frame.join(population, on=["place", "year"], how="inner")
        .with_columns((100 * per_head).alias("value"))
        .drop("population", "population_unit")
        .sort("series", "year")
    )


def adoption_frame(con: duckdb.DuckDBPyConnection, convention: str = "cited") -> pl.DataFrame:
    """All panels on age since launch, as `longwave.models.ripeness` reads them.

    Args:
        con: a reader or the writer's connection.
        convention: `cited` (verified launch, else first year at or over 1 %), `first_1_percent` or `first_10_percent`.

    Returns:
        series, concept_group, medium, family, place, panel, unit_class, year, age, value, launch_convention,
        left_truncated, flag. Years before launch are left out.

    """
    parts = []
    cited = con.sql(_LAUNCHES).pl()
    for panel in PANELS:
        frame = levels(con, panel)
        if not frame.is_empty():
            parts.append(_on_age(frame, cited, convention).with_columns(pl.lit(panel).alias("panel")))
    if not parts:
        raise ValueError("no panel has an observation at this date")
    columns = [
        "series",
        "concept_group",
        "medium",
        "family",
        "place",
        "panel",
        "unit_class",
        "year",
        "age",
        "value",
    ]
    frame = pl.concat(parts).select([*columns, "launch", "launch_convention", "left_truncated", "flag"])
    return frame.sort("panel", "series", "age")


def _on_age(frame: pl.DataFrame, cited: pl.DataFrame, convention: str) -> pl.DataFrame:
    first = frame.group_by("series").agg(pl.col("value").sort_by("year").first().alias("first_value"))
    return (
        frame.join(_launched(frame, cited, convention), on="series")
        .join(first, on="series")
        .with_columns(
            (pl.col("first_value") > LEFT_TRUNCATED_OVER).alias("left_truncated"),
            pl.format("{}|{}", "concept", "place").alias("concept_group"),
            pl.col("year").cast(pl.Int32),
        )
        .with_columns((pl.col("year") - pl.col("launch")).alias("age"))
        .filter(pl.col("age") >= 0)
    )


def launches_of(con: duckdb.DuckDBPyConnection, frame: pl.DataFrame) -> pl.DataFrame:
    """Launch of each series of a frame of levels: series, launch (null: never at 1 %), launch_convention."""
    return _launched(frame, con.sql(_LAUNCHES).pl(), "cited")


def _launched(frame: pl.DataFrame, cited: pl.DataFrame, convention: str) -> pl.DataFrame:
    threshold = AT_LEAST.get(convention, AT_LEAST["first_1_percent"])
    reached = frame.filter(pl.col("value") >= threshold).group_by("series").agg(pl.col("year").min().alias("reached"))
    known = pl.col("cited").is_not_null() if convention == "cited" else pl.lit(False)
    implied = convention if convention in AT_LEAST else "first_1_percent"
    return (
        frame.select("series", "medium", "place")
        .unique("series")
        .join(cited, on=["medium", "place"], how="left")
        .join(reached, on="series", how="left")
        .select(
            "series",
            pl.when(known).then("cited").otherwise("reached").cast(pl.Int32).alias("launch"),
            pl.when(known).then(pl.lit("cited")).otherwise(pl.lit(implied)).alias("launch_convention"),
        )
        .sort("series")
    )


# Country panels of persistence: the panel, and where wealth before the launch is read.
PERSISTENCE_PANELS: dict[str, tuple[str, str]] = {
    "internet": ("internet-countries", "gdp_per_head"),
    "television": ("television-countries", "real_gdp"),
    "radio": ("radio-countries", "real_gdp"),
}
WEALTH_WITHIN_YEARS = 5

_WEALTH = {
    "gdp_per_head": """
        SELECT place, year, value AS wealth FROM standing
        JOIN series_of_record r USING (medium, source, measure)
        WHERE r.medium = 'covariate' AND r.metric = 'gdp_per_head' AND place IS NOT NULL""",
    "real_gdp": """
        SELECT g.place, g.year, g.value / p.value AS wealth
        FROM standing g JOIN standing p USING (place, year, source)
        WHERE source = 'hccta' AND g.measure = 'real_gdp' AND p.measure = 'population'""",
}


def first_launch(con: duckdb.DuckDBPyConnection, medium: str) -> int:
    """Year of the medium's first launch anywhere, from the cited table.

    Raises:
        ValueError: no verified row gives it.

    """
    cited = con.sql(_LAUNCHES).pl().filter(pl.col("medium") == medium, pl.col("place") == "WLD")
    if cited.is_empty():
        raise ValueError(f"{medium} has no verified first launch in facts/launches.csv; years are counted from it")
    return int(cited["cited"][0])


def adopters_frame(con: duckdb.DuckDBPyConnection, medium: str) -> pl.DataFrame:
    """Countries of one medium on years since its first launch anywhere, with wealth before that launch.

    Returns:
        adopter, code, region, subregion, k (years since first launch), value, log_wealth_prior (natural log of GDP per
        head in the latest year of the five up to the launch; null where none is recorded).

    """
    panel, wealth = PERSISTENCE_PANELS[medium]
    launch = first_launch(con, medium)
    before = (
        con.sql(_WEALTH[wealth])
        .pl()
        .filter(pl.col("year").is_between(launch - WEALTH_WITHIN_YEARS, launch), pl.col("wealth") > 0)
        .sort("year")
        .group_by("place", maintain_order=True)
        .agg(pl.col("wealth").last().log().alias("log_wealth_prior"))
    )
    regions = con.sql("SELECT code AS place, region, subregion FROM places").pl()
    return (
        levels(con, panel)
        .join(regions, on="place", how="left")
        .join(before, on="place", how="left")
        .select(
            "adopter",
            pl.col("place").alias("code"),
            "region",
            "subregion",
            (pl.col("year") - launch).cast(pl.Int32).alias("k"),
            "value",
            "log_wealth_prior",
        )
        .sort("code", "k")
    )


def sources_behind(subject: str) -> list[str]:
    """The sources a finding on this subject rests on: a panel's own, those of the panels it learns from, covariates."""
    if subject in PERSISTENCE_PANELS:
        panel, wealth = PERSISTENCE_PANELS[subject]
        covariates = load_fact("series_of_record").filter(pl.col("medium") == "covariate", pl.col("metric") == wealth)
        return sorted({*PANELS[panel].sources(), *covariates["source"]})
    own = PANELS.get(subject)
    learnt = [panel for panel in PANELS.values() if own is None or panel.unit_class == own.unit_class]
    return sorted({source for panel in learnt for source in panel.sources()})


@dataclass(frozen=True)
class Line:
    """One line of the picture of the four media: what it is called, its unit in words, and where it is read."""

    medium: str
    label: str
    unit: str
    source: str
    measure: str
    adopter: str


# The four media in the United States. Television has no one series of its rise: a yearly count of sets per head, and
# shares of households from two publishers decades apart. They stay three lines; nothing splices them.
ADOPTION_LINES: tuple[Line, ...] = (
    Line("radio", "Radio, % of households", "% of households", "owid_technology_diffusion", "adoption", "Radio"),
    Line("television", "Television, sets per 100 people", "sets per 100 people", "hccta", "televisions", "USA"),
    Line(
        "television",
        "Television, % of households (Nielsen)",
        "% of households",
        "nielsen_television",
        "household_share",
        "USA",
    ),
    Line(
        "television",
        "Television, % of households (from 1992)",
        "% of households",
        "owid_technology_diffusion",
        "adoption",
        "Television",
    ),
    Line("internet", "Internet, % of people", "% of people", "grapher_internet_share", "users_share", "USA"),
    Line(
        "social",
        "Social media, % of adults",
        "% of adults",
        "owid_technology_diffusion",
        "adoption",
        "Social media usage",
    ),
)


def adoption_lines(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """The four media in the United States, by year.

    Returns:
        medium, label, place, year, launch (verified, in that place; null where none), value, unit, source, flag, series;
        in the order of `ADOPTION_LINES`, then by year. A line without an observation at this date is not there.

    """
    parts = []
    for order, line in enumerate(ADOPTION_LINES):
        where = {"source": line.source, "measure": line.measure, "adopter": line.adopter}
        frame = _observed(con.sql(_COLUMNS.format(belongs="true") + _OF_LINE, params=where).pl())
        if not frame.is_empty() and line.unit.startswith("sets"):
            frame = _per_100(con, frame)
        names = [
            pl.lit(order).alias("order"),
            pl.lit(line.label).alias("label"),
            pl.lit(line.unit).alias("unit"),
        ]
        parts.append(frame.with_columns(names))
    launches = con.sql(_LAUNCHES).pl().rename({"cited": "launch"})
    lines = pl.concat(parts, how="diagonal_relaxed").join(launches, on=["medium", "place"], how="left")
    columns = ["medium", "label", "place", "year", "launch", "value", "unit", "source", "flag", "series"]
    ordered: pl.DataFrame = lines.sort("order", "year").select(columns)
    return ordered
