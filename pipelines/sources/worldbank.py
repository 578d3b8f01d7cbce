"""World Bank indicators in the two forms that past vintages survive in: the WDI package's tables and datahub's mirror.

The WDI tables are `|`-delimited with every area and year; missing values are NA or nothing, while NA in iso2c is
Namibia. Income groups have no iso3c there, so their names are mapped. The mirror leaves missing rows out.
"""

from __future__ import annotations

import polars as pl
from longwave.pipelines.sources._spec import Original, SourceSpec
from longwave.pipelines.sources._table import decode, from_years, numbers, read_table, refused, years
from longwave.warehouse.tidy import Measure, tidy

INDICATORS: dict[str, Measure] = {
    "IT.NET.USER.ZS": Measure("users_share", "internet", "users_share", "percent", "individuals", "population", 0, 100),
    "IT.CEL.SETS.P2": Measure(
        "mobile", "mobile telephone", "subscriptions", "per_100_people", "subscriptions", "population", 0, 500
    ),
    "IT.NET.BBND.P2": Measure(
        "broadband", "broadband", "subscriptions", "per_100_people", "subscriptions", "population", 0, 120
    ),
    "IT.MLT.MAIN.P2": Measure(
        "landline", "telephone", "subscriptions", "per_100_people", "subscriptions", "population", 0, 200
    ),
    "SP.POP.TOTL": Measure("population", "covariate", "population", "persons", "people", None, 0, 1e10),
    "NY.GDP.PCAP.PP.CD": Measure(
        "gdp_per_head_ppp",
        "covariate",
        "gdp_per_head_ppp",
        "current_international_dollars",
        "people",
        "people",
        0,
        1e6,
    ),
    "NY.GDP.PCAP.CD": Measure(
        "gdp_per_head", "covariate", "gdp_per_head", "current_us_dollars", "people", "people", 0, 1e6
    ),
}


def read_wdi(_: SourceSpec, original: Original) -> pl.DataFrame:
    """Tidy frame of one table of the WDI package."""
    name, text = original.name, decode(original.name, original.data)
    header = text.split("\n", 1)[0].replace('"', "").split("|")
    indicators = [column for column in header if column in INDICATORS]
    if len(indicators) != 1:
        raise refused(name, "columns", f"one of {', '.join(INDICATORS)}", ", ".join(header)[:300])
    table = read_table(name, text, ["country", "iso2c", "iso3c", "year", indicators[0]], separator="|")
    table = table.with_columns(pl.col(indicators[0]).replace("NA", None))
    table = years(name, numbers(name, table, indicators[0]), "year")
    rows = table.rename({"country": "entity", "iso3c": "code", indicators[0]: "value"})
    return tidy(from_years(rows, INDICATORS[indicators[0]].measure))


def read_datahub(_: SourceSpec, original: Original) -> pl.DataFrame:
    """Tidy frame of one indicator of the mirror; the indicator is named by the address it came from."""
    name = original.name
    indicator = next((i for i in INDICATORS if f"/{i.lower()}/" in original.url), None)
    if indicator is None:
        raise refused(name, "address", "an address that names a declared indicator", original.url or "none")
    columns = ["Country Name", "Country Code", "Year", "Value"]
    table = read_table(name, decode(name, original.data), columns)
    table = years(name, numbers(name, table, "Value"), "Year")
    rows = table.rename(dict(zip(columns, ["entity", "code", "year", "value"], strict=True)))
    return tidy(from_years(rows, INDICATORS[indicator].measure))


_PUBLISHER = "World Bank, World Development Indicators; telecommunication figures by the ITU"
_GIVEN = ("IT.NET.USER.ZS", "IT.NET.BBND.P2", "SP.POP.TOTL")
SPECS = (
    SourceSpec(
        source="wdi",
        title="World Development Indicators, as tables of the WDI package",
        homepage="https://data.worldbank.org/indicator",
        url="https://api.worldbank.org/v2/country/all/indicator/{indicator}?format=json&per_page=20000",
        allowed_hosts=("api.worldbank.org",),
        citation="World Bank, World Development Indicators, edition of September 2024",
        measures=tuple(INDICATORS[i] for i in _GIVEN),
        reader=read_wdi,
        proven_on="2024-09-30",
        publisher=_PUBLISHER,
        licence="CC BY 4.0",
        cadence="yearly",
        media_type="text/csv",
    ),
    SourceSpec(
        source="worldbank_datahub",
        title="World Development Indicators, mirrored by datahub.io",
        homepage="https://github.com/datasets/world-development-indicators",
        url="https://raw.githubusercontent.com/datasets/world-development-indicators/main/indicators/{indicator}/data.csv",
        allowed_hosts=("raw.githubusercontent.com",),
        citation="World Bank, World Development Indicators, mirrored by datahub.io",
        measures=tuple(m for i, m in INDICATORS.items() if i != "IT.NET.USER.ZS"),
        reader=read_datahub,
        proven_on="2026-07-01",
        publisher=_PUBLISHER,
        licence="CC BY 4.0",
        cadence="yearly",
        media_type="text/csv",
    ),
)
