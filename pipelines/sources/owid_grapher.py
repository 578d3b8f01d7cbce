"""Our World in Data's grapher downloads: `<slug>.csv`, Entity, Code, Year and one value column, with their metadata.

Four shapes of one file were seen between 2022 and 2026: the value column's name, the delimiter and the aggregates'
codes changed. A web archive holds the CSV alone.
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl
from longwave.pipelines.sources._measures import BROADBAND, HOUSEHOLD_ADOPTION, MOBILE, USERS, USERS_SHARE
from longwave.pipelines.sources._owid import chart_table, check_metadata, last_updated, mark_carried_forward
from longwave.pipelines.sources._spec import Endpoint, Original, Part, SourceSpec
from longwave.pipelines.sources._table import from_years
from longwave.warehouse.tidy import Measure, tidy

_QUERY = "v=1&csvType=full&useColumnShortNames=false"


def read(spec: SourceSpec, original: Original) -> pl.DataFrame:
    """Tidy frame of a grapher download."""
    table, value = chart_table(original)
    check_metadata(original, value, table["Year"])
    named = table.rename({"Entity": "entity", "Code": "code", "Year": "year", value: "value"})
    rows = from_years(named, spec.measures[0].measure)
    if original.reference is not None:
        rows = mark_carried_forward(rows, original.reference)
    return tidy(rows)


def _chart(source: str, slug: str, measure: Measure, origin: str, proven_on: str | None) -> SourceSpec:
    chart, title = f"https://ourworldindata.org/grapher/{slug}", _TITLES[source]
    csv, metadata = f"{chart}.csv?{_QUERY}", f"{chart}.metadata.json?{_QUERY}"
    return SourceSpec(
        source=source,
        title=title,
        publisher=f"Our World in Data; {origin}",
        homepage=chart,
        url=csv,
        allowed_hosts=("ourworldindata.org",),
        licence="CC BY 4.0",
        citation=f"{origin}, with minor processing by Our World in Data: {title}",
        cadence="yearly",
        media_type="text/csv",
        measures=(measure,),
        reader=read,
        proven_on=proven_on,
        endpoints=(Endpoint((Part("data", csv, "csv"), Part("metadata", metadata, "json")), archived=f"{chart}.csv"),),
        dated=last_updated,
    )


_TITLES = {
    "grapher_internet_share": "Share of the population using the internet",
    "grapher_technology_adoption": "Technology adoption by households in the United States",
    "grapher_internet_users_by_country": "Number of internet users by country",
    "grapher_internet_users": "Number of internet users",
    "grapher_mobile": "Mobile cellular subscriptions per 100 people",
    "grapher_broadband": "Fixed broadband subscriptions per 100 people",
    "grapher_platform_users": "Number of people using social media platforms",
}
_ITU = "International Telecommunication Union, via World Bank"
_TECHNOLOGIES = "technology-adoption-by-households-in-the-united-states"
_MONTHLY_USERS = Measure("users", "social", "monthly_users", "persons", "accounts", None, 0, 9e9)
_STATISTA = "Statista and The Next Web (2019)"
_COMIN = "Comin and Hobijn (2004) and others"

SPECS = (
    _chart("grapher_internet_share", "share-of-individuals-using-the-internet", USERS_SHARE, _ITU, "2026-02-22"),
    replace(
        _chart("grapher_technology_adoption", _TECHNOLOGIES, HOUSEHOLD_ADOPTION, _COMIN, "2022-04-08"),
        adopter_kind="technology",
        place="USA",
        scope="listed",
        reference="owid_technology_diffusion",
    ),
    _chart(
        "grapher_internet_users_by_country",
        "number-of-internet-users-by-country",
        USERS,
        "OWID from World Bank and United Nations",
        "2022-04-08",
    ),
    _chart("grapher_internet_users", "number-of-internet-users", USERS, _ITU, "2023-04-12"),
    _chart("grapher_mobile", "mobile-cellular-subscriptions-per-100-people", MOBILE, _ITU, "2023-04-12"),
    _chart("grapher_broadband", "broadband-penetration-by-country", BROADBAND, _ITU, "2022-04-08"),
    # The publisher marks this chart as not to be passed on and may refuse the download: then the fetch fails and says so.
    replace(
        _chart("grapher_platform_users", "users-by-social-media-platform", _MONTHLY_USERS, _STATISTA, None),
        licence="not for redistribution",
        redistribute=False,
        adopter_kind="platform",
        place="WLD",
    ),
)
