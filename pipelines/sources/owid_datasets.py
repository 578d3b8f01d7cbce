"""Our World in Data's data-set repository (owid-datasets): Entity, Year and one value column with a long name; no codes.

The repository keeps every edition, so a commit date is the vintage. It stopped in 2023; the grapher took its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

import polars as pl
from longwave.pipelines.sources._measures import BROADBAND, HOUSEHOLD_ADOPTION, MOBILE, USERS, USERS_SHARE
from longwave.pipelines.sources._spec import Original, SourceSpec, one_request
from longwave.pipelines.sources._table import decode, from_years, numbers, read_table, refused, years
from longwave.warehouse.tidy import Measure, tidy


def read(spec: SourceSpec, original: Original) -> pl.DataFrame:
    """Tidy frame of one edition."""
    name = original.name
    table = read_table(name, decode(name, original.data), ["Entity", "Year"])
    values = [column for column in table.columns if column not in ("line", "Entity", "Year")]
    if len(values) != 1:
        raise refused(name, "columns", "one value column beside Entity and Year", f"{len(values)}")
    table = years(name, numbers(name, table, values[0]), "Year")
    rows = table.rename({"Entity": "entity", "Year": "year", values[0]: "value"})
    return tidy(from_years(rows, spec.measures[0].measure))


_BANK = "World Bank (2015)"


@dataclass(frozen=True)
class _Dataset:
    source: str
    folder: str
    origin: str
    measure: Measure
    adopter_kind: str = "place"
    place: str | None = None
    proven_on: str = "2018-09-21"


_DATASETS = (
    _Dataset(
        "owid_technology_diffusion",
        "Technology Diffusion - Comin and Hobijn (2004) and others",
        "Comin and Hobijn (2004), United States Census, Pew Research Center, Nielsen and others",
        HOUSEHOLD_ADOPTION,
        "technology",
        "USA",
        "2022-06-21",
    ),
    _Dataset(
        "owid_itu_internet_share",
        "Percentage of Individuals using the Internet (ICT) - ITU (2015)",
        "International Telecommunication Union (2015)",
        USERS_SHARE,
    ),
    _Dataset(
        "owid_internet_users",
        "Number of internet users (OWID based on WB & UNWPP)",
        "World Bank and United Nations World Population Prospects",
        USERS,
        proven_on="2019-01-18",
    ),
    _Dataset("owid_wb_internet_users", "Number of Internet Users by Country - World Bank (2015)", _BANK, USERS),
    _Dataset("owid_wb_mobile", "Mobile cellular subscriptions - World Bank (2015)", _BANK, MOBILE),
    _Dataset("owid_wb_broadband", "Broadband Penetration by Country - World Bank (2015)", _BANK, BROADBAND),
)


def _spec(data: _Dataset) -> SourceSpec:
    path = quote(f"datasets/{data.folder}/{data.folder}.csv")
    address = f"https://raw.githubusercontent.com/owid/owid-datasets/master/{path}"
    return SourceSpec(
        source=data.source,
        title=data.folder,
        publisher=f"Our World in Data, owid-datasets; {data.origin}",
        homepage="https://github.com/owid/owid-datasets",
        url=address,
        allowed_hosts=("raw.githubusercontent.com",),
        licence="CC BY 4.0",
        citation=f"{data.origin}, compiled by Our World in Data: {data.folder}",
        cadence="ended 2023",
        media_type="text/csv",
        measures=(data.measure,),
        reader=read,
        proven_on=data.proven_on,
        adopter_kind=data.adopter_kind,
        place=data.place,
        endpoints=one_request(address, "csv"),
        refresh="yearly",
    )


SPECS = tuple(_spec(data) for data in _DATASETS)
