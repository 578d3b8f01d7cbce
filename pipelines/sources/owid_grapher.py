"""Our World in Data's grapher downloads: `<slug>.csv`, Entity, Code, Year and one value column.

Four shapes of one file were seen between 2022 and 2026: the value column's name, the delimiter and the aggregates'
codes changed. So the value column is whatever stands fourth, and the delimiter is read off the header.
In 2022 a download carried values forward: such a row repeats the year before and is absent from the publisher's own
data set of that date. Both must hold; most repeats are real.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl
from longwave.pipelines.sources._spec import Original, SourceSpec
from longwave.pipelines.sources._table import decode, from_years, numbers, read_table, refused, years
from longwave.warehouse.tidy import Measure, tidy


def read(spec: SourceSpec, original: Original) -> pl.DataFrame:
    """Tidy frame of a grapher download."""
    name, text = original.name, decode(original.name, original.data)
    header = text.split("\n", 1)[0]
    separator = ";" if header.count(";") > header.count(",") else ","
    table = read_table(name, text, ["Entity", "Code", "Year"], separator=separator)
    values = [column for column in table.columns if column not in ("line", "Entity", "Code", "Year")]
    if len(values) != 1:
        raise refused(name, "columns", "one value column beside Entity, Code, Year", f"{len(values)}")
    table = years(name, numbers(name, table, values[0]), "Year")
    rows = from_years(
        table.rename({"Entity": "entity", "Code": "code", "Year": "year", values[0]: "value"}), _only(spec)
    )
    if original.reference is not None:
        rows = _mark_carried_forward(rows, original.reference)
    return tidy(rows)


def _only(spec: SourceSpec) -> str:
    return spec.measures[0].measure


def _mark_carried_forward(rows: pl.DataFrame, reference: pl.DataFrame) -> pl.DataFrame:
    before = rows.select("entity", pl.col("year") + 1, pl.col("value").alias("before"))
    served = reference.select("entity", "period_start", pl.lit(True).alias("published"))
    carried = (pl.col("value") == pl.col("before")) & pl.col("published").is_null()
    return (
        rows.join(before, on=["entity", "year"], how="left")
        .join(served, on=["entity", "period_start"], how="left")
        .with_columns(pl.when(carried).then(pl.lit("carried_forward")).alias("flag"))
    )


@dataclass(frozen=True)
class _Chart:
    source: str
    slug: str
    title: str
    origin: str
    measure: Measure
    adopter_kind: str = "place"
    place: str | None = None
    scope: str = "full"
    reference: str | None = None
    proven_on: str | None = "2023-04-12"


_ITU = "International Telecommunication Union, via World Bank"
_CHARTS = (
    _Chart(
        "grapher_internet_share",
        "share-of-individuals-using-the-internet",
        "Share of the population using the internet",
        _ITU,
        Measure("users_share", "internet", "users_share", "percent", "individuals", "population", 0, 100),
        proven_on="2026-02-22",
    ),
    _Chart(
        "grapher_technology_adoption",
        "technology-adoption-by-households-in-the-united-states",
        "Technology adoption by households in the United States",
        "Comin and Hobijn (2004) and others",
        Measure("adoption", "reference", "adoption", "percent", "households", "households", 0, 100),
        adopter_kind="technology",
        place="USA",
        scope="listed",
        reference="owid_technology_diffusion",
        proven_on="2022-04-08",
    ),
    _Chart(
        "grapher_internet_users_by_country",
        "number-of-internet-users-by-country",
        "Number of internet users by country",
        "OWID from World Bank and United Nations",
        Measure("users", "internet", "users", "persons", "individuals", None, 0, 9e9),
        proven_on="2022-04-08",
    ),
    _Chart(
        "grapher_internet_users",
        "number-of-internet-users",
        "Number of internet users",
        _ITU,
        Measure("users", "internet", "users", "persons", "individuals", None, 0, 9e9),
    ),
    _Chart(
        "grapher_mobile",
        "mobile-cellular-subscriptions-per-100-people",
        "Mobile cellular subscriptions per 100 people",
        _ITU,
        Measure(
            "mobile",
            "mobile telephone",
            "subscriptions",
            "per_100_people",
            "subscriptions",
            "population",
            0,
            500,
        ),
    ),
    _Chart(
        "grapher_broadband",
        "broadband-penetration-by-country",
        "Fixed broadband subscriptions per 100 people",
        _ITU,
        Measure("broadband", "broadband", "subscriptions", "per_100_people", "subscriptions", "population", 0, 120),
        proven_on="2022-04-08",
    ),
)


def _spec(chart: _Chart) -> SourceSpec:
    return SourceSpec(
        source=chart.source,
        title=chart.title,
        publisher=f"Our World in Data; {chart.origin}",
        homepage=f"https://ourworldindata.org/grapher/{chart.slug}",
        url=f"https://ourworldindata.org/grapher/{chart.slug}.csv?v=1&csvType=full&useColumnShortNames=false",
        allowed_hosts=("ourworldindata.org",),
        licence="CC BY 4.0",
        citation=f"{chart.origin}, with minor processing by Our World in Data: {chart.title}",
        cadence="yearly",
        media_type="text/csv",
        measures=(chart.measure,),
        reader=read,
        proven_on=chart.proven_on,
        adopter_kind=chart.adopter_kind,
        place=chart.place,
        scope=chart.scope,
        reference=chart.reference,
    )


SPECS = tuple(_spec(chart) for chart in _CHARTS)
