"""The frames that panels of adopters are made of: who adopted when, attention over time, what was known before.

Belongs here: reading them as of the date in force, and what is marked or left out on the way. Does not: the form's own rules
(`longwave.models.adopters`), nor what a model makes of a panel.

Times are decimal years. A day stands where it lies in its year; what is known by the year alone (a launch, a yearly level)
stands at the middle of the year, so that years since launch are whole numbers; a covariate stands at the end of the period it
speaks of. What a flag marks is in `FLAGS`. Missing is not dead: only a row of `facts/endings.csv` ends an adopter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import duckdb
import polars as pl
from longwave.warehouse.panels import PANELS, Panel, first_launch, launches_of, panel_levels
from longwave.warehouse.views import LEFT_TRUNCATED_OVER
from longwave.warehouse.world import load_fact

FLAGS: Final[dict[str, str]] = {
    "shared_account": "its account is another journal's too: the followers are those of both",
    "no_account_name": "a day of opening is stated, but no account: there are no followers",
    "dates_differ": "several days of opening are stated; the first counts",
    "opening_unknown": "it has an account, and no day of opening is stated: it did adopt, although `adopted` is null",
    "no_standing": "neither of its ISSN is in the ranks of before",
    "no_citable_documents": "no document in the three years before the ranks, or not in them: magazines are among these",
    "standing_differs": "the ranks of its two ISSN differ; those of the print one count",
    "first_1_percent": "no cited launch: the first year at or over 1 % stands in",
    "left_truncated": "when it adopted is not known: it was far along when first seen, and the first time seen stands in",
    "left_daily_print": "no longer printed daily from a cited day on: not ended, and not counted from then",
    "end_not_cited": "a count of 0 with no cited day of ending: left out",
    "residue": "all the rest together, and no platform: it counts in the sum of the shares alone",
    "zeros_left_out": "0 in some months, not tracked yet or too little to be shown: missing there, and not ended",
    "descriptive": "from the year it was first asked about, among successes: for description alone",
}
"""Flags of adopters, and what each says."""

BEHIND: Final[dict[str, tuple[str, ...]]] = {
    "journals": ("journals_accounts", "journals_followers", "scimago_2010"),
    "newspapers": ("us_newspapers",),
    "platforms": ("pew_platforms",),
    "referrals": tuple(f"statcounter_social_{region}" for region in ("gb", "jp", "kr", "us")),
}
"""The sources that each panel but those of countries rests on."""

REFERRALS: Final = dict(zip(("GBR", "JPN", "KOR", "USA"), BEHIND["referrals"], strict=True))
"""Places whose referrals from platforms are held, and the source of each."""
_THE_REST: Final = "Other"
_NO_COVARIATES: Final = {"adopter": pl.String, "name": pl.String, "at": pl.Float64, "value": pl.Float64}

UNKNOWN_OPENING: Final = "opening_unknown"


@dataclass(frozen=True)
class AdopterFrames:
    """The frames of one panel, in the columns that `longwave.models.adopters.AdopterPanel` declares."""

    medium: str
    unit: str
    first_launch: float
    adopters: pl.DataFrame
    attention: pl.DataFrame
    covariates: pl.DataFrame


_ADOPTERS: Final = ["adopter", "adopted", "ended", "cluster", "field", "flags"]
_ATTENTION: Final = ["adopter", "at", "attention"]
_COVARIATES: Final = ["adopter", "name", "at", "value"]


def decimal_year(day: str) -> pl.Expr:
    """A column of days as decimal years: 1 January 2011 is 2011.0, noon of 2 July 2011 would be 2011.5."""
    date = pl.col(day)
    length = 365 + date.dt.is_leap_year().cast(pl.Int32)
    return date.dt.year() + (date.dt.ordinal_day() - 1) / length


def _middle(year: str) -> pl.Expr:
    return pl.col(year).cast(pl.Float64) + 0.5


def _end(year: str) -> pl.Expr:
    return pl.col(year).cast(pl.Float64) + 1.0


def _flags(**marks: pl.Expr) -> pl.Expr:
    """The names of the marks that hold, joined by commas in the order of `FLAGS`."""
    named = [pl.when(marks[name]).then(pl.lit(name)) for name in FLAGS if name in marks]
    return pl.concat_list(named).list.drop_nulls().list.join(",").alias("flags")


# --- journals


_FIGURES = """
SELECT s.adopter_key AS adopter, s.measure, v.period_start AS day, year(v.period_start)::INTEGER AS year, v.value
FROM versions_as_of(as_of_date()) v JOIN series s USING (series) WHERE s.source = $source AND v.served_flag IS NULL
ORDER BY ALL
"""
_WORDS = "SELECT adopter, name, value FROM attributes_as_of(as_of_date()) WHERE source = $source ORDER BY ALL"
_WORDS_OF_JOURNALS: Final = ["account", "has_account", "issn", "e_issn", "publisher", "field", "index"]


def _figures(con: duckdb.DuckDBPyConnection, source: str) -> pl.DataFrame:
    frame: pl.DataFrame = con.sql(_FIGURES, params={"source": source}).pl()
    return frame


def journal_attributes(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """What is said of each journal in words: adopter, and a column for each attribute, null where nothing is said."""
    long = con.sql(_WORDS, params={"source": "journals_accounts"}).pl()
    wide = long.pivot("name", index="adopter", values="value") if not long.is_empty() else long.select("adopter")
    absent = [pl.lit(None, pl.String).alias(name) for name in _WORDS_OF_JOURNALS if name not in wide.columns]
    made: pl.DataFrame = wide.with_columns(absent).select("adopter", *_WORDS_OF_JOURNALS).sort("adopter")
    return made


def journals(con: duckdb.DuckDBPyConnection, *, undated: bool = False) -> AdopterFrames:
    """Journals of Web of Science and their accounts on Twitter.

    Adopters are journals; `adopted` is the day their account was opened, null for those without an account. A journal
    that has an account and no stated day is left out, since null says that it never adopted; with `undated` it is kept
    under the flag `opening_unknown`, for questions that need no day. `cluster` is the publisher (upper case), `field` the first
    category listed. Attention is followers. Covariates of 2010 (at 2011.0): `sjr`, `documents`, `citations`; they precede
    the openings of 2011 and later alone.

    Args:
        con: a reader or the writer's connection.
        undated: keep journals whose account has no day.

    """
    words, standing = journal_attributes(con), _standing(con)
    opened = (
        _figures(con, "journals_accounts")
        .group_by("adopter")
        .agg(decimal_year("day").min().alias("adopted"), pl.col("day").n_unique().alias("days"))
    )
    held = words.join(opened, on="adopter", how="left").join(_documents(standing), on="adopter", how="left")
    unknown = pl.col("adopted").is_null() & (pl.col("has_account") == "yes")
    kept = held if undated else held.filter(~unknown.fill_null(False))
    shared = pl.col("account").is_not_null() & pl.col("account").is_duplicated()
    marks = {
        "shared_account": shared,
        "no_account_name": pl.col("adopted").is_not_null() & pl.col("account").is_null(),
        "dates_differ": pl.col("days") > 1,
        UNKNOWN_OPENING: unknown,
        "no_standing": pl.col("documents").is_null(),
        "no_citable_documents": pl.col("documents").fill_null(0) == 0,
        "standing_differs": pl.col("differs").fill_null(False),
    }
    adopters = kept.with_columns(
        pl.lit(None, pl.Float64).alias("ended"),
        pl.col("publisher").str.split(" | ").list.first().str.to_uppercase().str.strip_chars().alias("cluster"),
        _flags(**marks),
    )
    counted = _figures(con, "journals_followers").rename({"adopter": "account", "value": "attention"})
    attention = counted.with_columns(decimal_year("day").alias("at")).join(
        adopters.select("adopter", "account"), on="account"
    )
    of_panel = standing.join(adopters.select("adopter"), on="adopter")
    return AdopterFrames(
        "twitter",
        "followers",
        first_launch(con, "twitter") + 0.5,
        adopters.select(_ADOPTERS),
        attention.select(_ATTENTION).sort("adopter", "at"),
        of_panel.select(_COVARIATES).sort("adopter", "name", "at"),
    )


def _standing(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Ranks of each journal by its print ISSN, else by its electronic one: adopter, name, at, value, differs."""
    numbers = journal_attributes(con).unpivot(["issn", "e_issn"], index="adopter", variable_name="which").drop_nulls()
    ranks = _figures(con, "scimago_2010").rename({"adopter": "number", "measure": "name"})
    found = numbers.rename({"value": "number"}).join(ranks, on="number")
    # "issn" sorts behind "e_issn".
    return (
        found.sort("adopter", "name", "year", "which")
        .group_by("adopter", "name", "year", maintain_order=True)
        .agg(pl.col("value").last(), (pl.col("value").n_unique() > 1).alias("differs"))
        .with_columns(_end("year").alias("at"))
    )


def _documents(standing: pl.DataFrame) -> pl.DataFrame:
    """Documents of each journal that has ranks, and whether any of its ranks differ between its two ISSN."""
    return standing.group_by("adopter").agg(
        pl.col("value").filter(pl.col("name") == "documents").last().alias("documents"), pl.col("differs").any()
    )


# --- countries


_NEWSPAPERS: Final = Panel(
    "Newspaper copies by country", "newspapers", "copies", "countries", PANELS["radio-countries"].adopters
)
COUNTRY_PANELS: Final[dict[str, Panel]] = {
    "radio": PANELS["radio-countries"],
    "television": PANELS["television-countries"],
    "telephone": PANELS["telephone-countries"],
    "newspapers": _NEWSPAPERS,
    "mobile": PANELS["mobile-countries"],
    "computers": PANELS["computer-countries"],
    "internet": PANELS["internet-countries"],
}
"""Media that countries took up, and the panel of each."""

# The data set that a panel's own figures come from, where it has both; else the World Bank's.
_WEALTH = {
    "hccta": """
        SELECT place AS adopter, year, measure AS name, value FROM standing
        WHERE source = 'hccta' AND measure IN ('real_gdp', 'population') AND period_kind = 'year'""",
    "other": """
        SELECT place AS adopter, year, r.metric AS name, value FROM standing
        JOIN series_of_record r USING (medium, source, measure)
        WHERE r.medium = 'covariate' AND r.metric IN ('gdp_per_head', 'population') AND period_kind = 'year'""",
}
_UNITS = {"real_gdp": 1e6, "population": 1e3}


def countries(con: duckdb.DuckDBPyConnection, medium: str) -> AdopterFrames:
    """Countries and one medium: attention per 100 people by year, under the code of the country.

    `adopted` is the cited launch in that place, else the first year at or over 1 % (flag `first_1_percent`), null where it
    was never reached; levels before it are left out. Where the first level seen is over 12 and no launch is cited, when the
    country adopted is not known (flag `left_truncated`). `cluster` is the subregion, `field` the region. Covariates of every
    year: `log_gdp_per_head` and `log_population` (natural logarithms), of the data set that counts the medium where it has
    both. Reads what `longwave.warehouse.panels.freeze` found on this connection.

    Args:
        con: a connection on which `freeze` was called.
        medium: a key of `COUNTRY_PANELS`.

    Raises:
        ValueError: the medium has no verified first launch, or is not in `COUNTRY_PANELS`.

    """
    if medium not in COUNTRY_PANELS:
        raise ValueError(f"countries are held for {', '.join(COUNTRY_PANELS)}, not for {medium!r}")
    panel = COUNTRY_PANELS[medium]
    levels = panel_levels(con, panel)
    launched = (
        levels.select("series", pl.col("place").alias("adopter")).unique().join(launches_of(con, levels), on="series")
    )
    first = levels.group_by("series").agg(pl.col("value").sort_by("year").first().alias("first"))
    regions = con.sql("SELECT code AS adopter, subregion AS cluster, region AS field FROM places").pl()
    implied = pl.col("launch").is_not_null() & (pl.col("launch_convention") != "cited")
    adopters = (
        launched.join(first, on="series")
        .join(regions, on="adopter", how="left")
        .with_columns(
            _middle("launch").alias("adopted"),
            pl.lit(None, pl.Float64).alias("ended"),
            _flags(first_1_percent=implied, left_truncated=implied & (pl.col("first") > LEFT_TRUNCATED_OVER)),
        )
        .select(_ADOPTERS)
        .sort("adopter")
    )
    attention = (
        levels.select(pl.col("place").alias("adopter"), _middle("year").alias("at"), pl.col("value").alias("attention"))
        .join(adopters.select("adopter", "adopted"), on="adopter")
        .filter(pl.col("at") >= pl.col("adopted"))
    )
    covariates = _wealth(con, panel.sources()).join(adopters.select("adopter"), on="adopter", how="semi")
    return AdopterFrames(
        panel.medium,
        "per 100 people",
        first_launch(con, panel.medium) + 0.5,
        adopters,
        attention.select(_ATTENTION).sort("adopter", "at"),
        covariates.select(_COVARIATES).sort("adopter", "name", "at"),
    )


def sources_behind_countries(medium: str) -> list[str]:
    """The sources that the panel of countries of one medium rests on, those of wealth and people among them."""
    own = COUNTRY_PANELS[medium].sources()
    covariates = load_fact("series_of_record").filter(
        pl.col("medium") == "covariate", pl.col("metric").is_in(["gdp_per_head", "population"])
    )
    return own if own == ["hccta"] else sorted({*own, *covariates["source"]})


def sources_behind_every_medium() -> list[str]:
    """The sources that the panels of countries rest on, of all media."""
    return sorted({source for medium in COUNTRY_PANELS for source in sources_behind_countries(medium)})


def _wealth(con: duckdb.DuckDBPyConnection, sources: list[str]) -> pl.DataFrame:
    """Logarithms of GDP per head and of people, by country and year: adopter, name, at, value."""
    own = "hccta" if sources == ["hccta"] else "other"
    long = con.sql(_WEALTH[own]).pl().filter(pl.col("value") > 0).drop_nulls("adopter")
    if own == "hccta":
        plain = long.with_columns(pl.col("value") * pl.col("name").replace_strict(_UNITS))
        wide = plain.pivot("name", index=["adopter", "year"], values="value")
        absent = [pl.lit(None, pl.Float64).alias(name) for name in _UNITS if name not in wide.columns]
        per_head = (pl.col("real_gdp") / pl.col("population")).alias("gdp_per_head")
        long = (
            wide.with_columns(absent)
            .with_columns(per_head)
            .unpivot(["gdp_per_head", "population"], index=["adopter", "year"], variable_name="name")
        )
    logged = long.drop_nulls("value").with_columns(pl.format("log_{}", "name").alias("name"), pl.col("value").log())
    made: pl.DataFrame = logged.with_columns(_end("year").alias("at"))
    return made


# --- newspapers and platforms


def newspapers(con: duckdb.DuckDBPyConnection) -> AdopterFrames:
    """Newspapers of the United States: copies in two years, and finalists of the Pulitzer Prize up to the end of two spans.

    Each is long founded: `adopted` is the first year seen, under the flag `left_truncated`. A count of 0 is an end, not a
    count: it is left out, and `ended` is the cited day, where one is cited. Each paper is its own cluster.
    """
    figures = _figures(con, "us_newspapers")
    sold = figures.filter(pl.col("measure") == "circulation", pl.col("value") > 0).with_columns(
        _middle("year").alias("at")
    )
    gone = figures.filter(pl.col("measure") == "circulation", pl.col("value") == 0)["adopter"].implode()
    endings = _endings("newspapers")
    adopters = (
        sold.group_by("adopter")
        .agg(pl.col("at").min().alias("adopted"))
        .join(endings, on="adopter", how="left")
        .with_columns(
            pl.when(pl.col("event") == "ended").then(decimal_year("day")).alias("ended"),
            pl.col("adopter").alias("cluster"),
            pl.lit("daily newspapers of the United States").alias("field"),
            _flags(
                left_truncated=pl.lit(True),
                left_daily_print=pl.col("event") == "left daily print",
                end_not_cited=pl.col("adopter").is_in(gone) & pl.col("event").is_null(),
            ),
        )
    )
    prizes = figures.filter(pl.col("measure") == "finalists").join(adopters.select("adopter"), on="adopter", how="semi")
    return AdopterFrames(
        "newspapers",
        "copies",
        first_launch(con, "newspapers") + 0.5,
        adopters.select(_ADOPTERS).sort("adopter"),
        sold.select("adopter", "at", pl.col("value").alias("attention")).sort("adopter", "at"),
        prizes.select("adopter", pl.col("measure").alias("name"), _end("year").alias("at"), "value").sort(
            "adopter", "at"
        ),
    )


def _endings(medium: str) -> pl.DataFrame:
    """Verified endings of a medium's adopters: adopter, day, event."""
    table = load_fact("endings").filter(pl.col("medium") == medium, pl.col("status") == "verified")
    return table.select("adopter", pl.col("day").str.to_date("%Y-%m-%d"), "event")


def platforms(con: duckdb.DuckDBPyConnection) -> AdopterFrames:
    """Platforms of social media: adults of the United States who say they ever use each, on the day of a survey.

    Descriptive only: Pew asks about successes, from the day it first asked (which is `adopted` here, flagged), and nothing
    may be compared across its change of mode between 2021 and 2023.
    """
    asked = _figures(con, "pew_platforms").with_columns(decimal_year("day").alias("at"))
    return _platforms_seen(con, asked, "% of adults")


def changes_of_method() -> list[tuple[float, float]]:
    """Verified changes of how platforms were asked about: first moment and end of each, decimal years."""
    table = load_fact("breaks").filter(pl.col("source") == "pew_platforms", pl.col("status") == "verified")
    return [
        (float(first), float(last) + 1.0) for first, last in table.select("year_from", "year_to").sort(pl.all()).rows()
    ]


def referrals(con: duckdb.DuckDBPyConnection, place: str) -> AdopterFrames:
    """Platforms of social media by the visits that their links bring to other sites, in one country, by month.

    Descriptive only. Attention is the share in percent of all such visits; a month's shares make up 100, `Other` among them
    (flag `residue`). A 0 is left out: before a platform was tracked it looks like one too small to be shown. `adopted` is the
    first month over 0, flagged.

    Raises:
        ValueError: the place is not in `REFERRALS`.

    """
    if place not in REFERRALS:
        raise ValueError(f"referrals are held for {', '.join(REFERRALS)}, not for {place!r}")
    counted = _figures(con, REFERRALS[place]).with_columns(decimal_year("day").alias("at"))
    shown = counted.filter(pl.col("value") > 0)
    zeros = counted.filter(pl.col("value") == 0)["adopter"].unique().implode()
    flags = {"residue": pl.col("adopter") == _THE_REST, "zeros_left_out": pl.col("adopter").is_in(zeros)}
    return _platforms_seen(con, shown, "% of referrals", **flags)


def _platforms_seen(con: duckdb.DuckDBPyConnection, seen: pl.DataFrame, unit: str, **flags: pl.Expr) -> AdopterFrames:
    """Platforms by what was seen of them (adopter, at, value), each from when it was first seen, which is no opening."""
    adopters = (
        seen.group_by("adopter")
        .agg(pl.col("at").min().alias("adopted"))
        .with_columns(
            pl.lit(None, pl.Float64).alias("ended"),
            pl.col("adopter").alias("cluster"),
            pl.lit("platforms of social media").alias("field"),
            _flags(left_truncated=pl.lit(True), **flags, descriptive=pl.lit(True)),
        )
    )
    return AdopterFrames(
        "social",
        unit,
        first_launch(con, "social") + 0.5,
        adopters.select(_ADOPTERS).sort("adopter"),
        seen.select("adopter", "at", pl.col("value").alias("attention")).sort("adopter", "at"),
        pl.DataFrame(schema=_NO_COVARIATES),
    )
