"""Pew Research Center's television news fact sheets: the average audience of each network or channel, by year.

An audience is the number of television sets tuned in, on average over a time slot; measured by Comscore from 2016 on. The
sheets were last updated in 2023. A sheet may give further charts of one channel each under the same title: the chart
read is the one with the three that the sheet follows. Sheets before 2020 give one sum for all networks, and are refused.
"""

from __future__ import annotations

import polars as pl
from longwave.pipelines.sources._pew import COUNT, HOST, PUBLISHER, chart_table, long_values
from longwave.pipelines.sources._spec import Original, SourceSpec, one_request
from longwave.pipelines.sources._table import from_years, years
from longwave.warehouse.tidy import Measure, tidy

_CHARTS = {
    "pew_network_news": ("Average audience for network TV evening news", ("ABC", "CBS", "NBC")),
    "pew_cable_news": ("Average audience for cable TV news: Prime news", ("CNN", "Fox News", "MSNBC")),
}


def read(spec: SourceSpec, original: Original) -> pl.DataFrame:
    """Tidy frame with one row for each year and outlet."""
    title, outlets = _CHARTS[spec.source]
    long = long_values(original.name, chart_table(original, title, {"Year", *outlets}), COUNT)
    dated = years(original.name, long, "Year").rename({"Year": "year"})
    return tidy(from_years(dated, spec.measures[0].measure))


def _spec(source: str, sheet: str, subject: str, measure: str, medium: str) -> SourceSpec:
    page = f"https://{HOST}/journalism/fact-sheet/{sheet}/"
    return SourceSpec(
        source=source,
        title=f"{subject} Fact Sheet: {_CHARTS[source][0].lower()}",
        publisher=f"{PUBLISHER}; Comscore",
        homepage=page,
        url=page,
        allowed_hosts=(HOST,),
        licence="use with attribution; Comscore's figures not for redistribution",
        citation=f"Pew Research Center, {subject} Fact Sheet, from Comscore TV Essentials",
        cadence="ended 2023",
        media_type="text/html",
        measures=(Measure(measure, medium, "average_audience", "sets", "sets", None, 0, 1.5e8),),
        reader=read,
        proven_on=None,
        redistribute=False,
        adopter_kind="outlet",
        place="USA",
        endpoints=one_request(page, "html"),
        refresh="yearly",
    )


SPECS = (
    _spec("pew_network_news", "network-news", "Network News", "evening_news_audience", "television"),
    _spec("pew_cable_news", "cable-news", "Cable News", "prime_news_audience", "cable television"),
)
