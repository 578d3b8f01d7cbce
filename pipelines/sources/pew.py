"""Pew Research Center's chart of platforms, in two forms: the chart's download, and the page's own table.

The download has title lines, a table of survey dates by platform, then a note. Not a table of years: several surveys a
year, percent signs inside cells, blanks where Pew did not ask. A platform enters when Pew began to ask about it, which
is not when it began. Its 2023 survey changed from telephone to web and mail.
"""

from __future__ import annotations

import polars as pl
from longwave.pipelines.sources._pew import HOST, PERCENT, PUBLISHER, chart_table, long_values
from longwave.pipelines.sources._spec import Original, SourceSpec, one_request
from longwave.pipelines.sources._table import days, decode, read_table, refused
from longwave.warehouse.tidy import Measure, tidy

_TITLE = "Which social media platforms are most popular"
_PAGE = f"https://{HOST}/internet/fact-sheet/social-media/"
# One platform under two names over the years; the name Pew uses now.
_RENAMED = {"Twitter (X)": "X (formerly Twitter)", "Twitter": "X (formerly Twitter)", "Youtube": "YouTube"}


def read(_: SourceSpec, original: Original) -> pl.DataFrame:
    """Tidy frame with one row for each survey date and platform that was asked about."""
    name = original.name
    table = chart_table(original, _TITLE, {"Year", "Facebook"}) if original.parts else _download(original)
    long = long_values(name, table, PERCENT)
    dated = days(name, long, "Year", "%m/%d/%Y", "M/D/YYYY").with_columns(pl.lit("date").alias("period_kind"))
    return tidy(dated.with_columns(pl.lit("adults_share").alias("measure"), pl.col("entity").replace(_RENAMED)))


def _download(original: Original) -> pl.DataFrame:
    name, lines = original.name, decode(original.name, original.data).split("\n")
    start = next((i for i, line in enumerate(lines) if line.startswith("Year,")), None)
    if start is None:
        raise refused(name, "columns", "a header line that begins with Year", "none")
    end = next((i for i in range(start, len(lines)) if not lines[i].strip(", ")), len(lines))
    return read_table(name, "\n".join(lines[start:end]), ["Year"], first_line=start + 1)


SPECS = (
    SourceSpec(
        source="pew_platforms",
        title="Social Media Fact Sheet: which platforms are most popular",
        publisher=PUBLISHER,
        homepage=_PAGE,
        url=_PAGE,
        allowed_hosts=(HOST,),
        licence="use with attribution",
        citation="Pew Research Center, Social Media Fact Sheet, surveys of U.S. adults since 2012",
        cadence="every one to two years",
        media_type="text/csv",
        measures=(Measure("adults_share", "social", "adults_share", "percent", "adults", "adults", 0, 100),),
        reader=read,
        proven_on="2024-11-13",
        proven_form="the chart's CSV",
        adopter_kind="platform",
        place="USA",
        endpoints=one_request(_PAGE, "html"),
    ),
)
