"""World Bank indicators: the API's pages, and the two forms that past vintages survive in.

The tables of the WDI package are `|`-delimited with every area and year; missing is NA or nothing, while NA in iso2c is
Namibia. Income groups have no iso3c there nor in the API, so names are mapped. The mirror at datahub leaves missing out.
"""

from __future__ import annotations

from functools import partial

import polars as pl
from longwave.pipelines.sources import _measures as shared
from longwave.pipelines.sources._spec import Endpoint, Original, Part, SourceSpec
from longwave.pipelines.sources._table import decode, from_years, numbers, read_table, refused, years
from longwave.pipelines.sources._worldbank_api import endpoint, last_updated, read_pages
from longwave.warehouse.tidy import Measure, tidy

INDICATORS: dict[str, Measure] = {
    "IT.NET.USER.ZS": shared.USERS_SHARE,
    "IT.CEL.SETS.P2": shared.MOBILE,
    "IT.NET.BBND.P2": shared.BROADBAND,
    "IT.MLT.MAIN.P2": shared.LANDLINE,
    "SP.POP.TOTL": shared.POPULATION,
    "NY.GDP.PCAP.PP.CD": shared.GDP_PER_HEAD_PPP,
    "NY.GDP.PCAP.CD": shared.GDP_PER_HEAD,
}


def read_wdi(_: SourceSpec, original: Original) -> pl.DataFrame:
    """Tidy frame of one indicator: the API's pages, or a table of the WDI package."""
    if not original.parts:
        return _read_package(original)
    indicator, rows = read_pages(original, INDICATORS)
    return tidy(from_years(rows, INDICATORS[indicator].measure))


def _read_package(original: Original) -> pl.DataFrame:
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
_spec = partial(SourceSpec, publisher=_PUBLISHER, licence="CC BY 4.0", cadence="yearly")
_MIRROR = "https://raw.githubusercontent.com/datasets/world-development-indicators/main/indicators/{indicator}/data.csv"
_BY_API = {i: m for i, m in INDICATORS.items() if i != "NY.GDP.PCAP.CD"}
_MIRRORED = {i: m for i, m in INDICATORS.items() if i != "IT.NET.USER.ZS"}
SPECS = (
    _spec(
        source="wdi",
        title="World Development Indicators",
        homepage="https://data.worldbank.org/indicator",
        url="https://api.worldbank.org/v2/country/all/indicator/{indicator}?format=json&per_page=20000",
        allowed_hosts=("api.worldbank.org",),
        citation="World Bank, World Development Indicators",
        measures=tuple(_BY_API.values()),
        reader=read_wdi,
        proven_on="2024-09-30",
        proven_form="tables of the WDI package",
        endpoints=tuple(endpoint(i, m.measure) for i, m in _BY_API.items()),
        dated=last_updated,
        media_type="application/json",
    ),
    _spec(
        source="worldbank_datahub",
        title="World Development Indicators, mirrored by datahub.io",
        homepage="https://github.com/datasets/world-development-indicators",
        url=_MIRROR,
        allowed_hosts=("raw.githubusercontent.com",),
        citation="World Bank, World Development Indicators, mirrored by datahub.io",
        measures=tuple(_MIRRORED.values()),
        reader=read_datahub,
        proven_on="2026-07-01",
        endpoints=tuple(
            Endpoint((Part("data", _MIRROR.format(indicator=i.lower()), "csv"),), m.measure)
            for i, m in _MIRRORED.items()
        ),
        media_type="text/csv",
    ),
)
