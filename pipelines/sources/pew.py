"""Pew Research Center's chart of platforms: title lines, a table of survey dates by platform, then a note.

Not a table of years: several surveys a year, percent signs inside cells, blanks where Pew did not ask. A platform enters
when Pew began to ask about it, which is not when it began. Its 2023 survey changed from telephone to web and mail.
"""

from __future__ import annotations

import polars as pl
from longwave.pipelines.sources._spec import Original, SourceSpec
from longwave.pipelines.sources._table import days, decode, numbers, read_table, refused
from longwave.warehouse.tidy import Measure, tidy

# One platform under two names over the years; the name Pew uses now.
_RENAMED = {"Twitter (X)": "X (formerly Twitter)", "Twitter": "X (formerly Twitter)", "Youtube": "YouTube"}


def read(_: SourceSpec, original: Original) -> pl.DataFrame:
    """Tidy frame with one row for each survey date and platform that was asked about."""
    name, lines = original.name, decode(original.name, original.data).split("\n")
    start = next((i for i, line in enumerate(lines) if line.startswith("Year,")), None)
    if start is None:
        raise refused(name, "columns", "a header line that begins with Year", "none")
    end = next((i for i in range(start, len(lines)) if not lines[i].strip(", ")), len(lines))
    table = read_table(name, "\n".join(lines[start:end]), ["Year"], first_line=start + 1)
    platforms = [column for column in table.columns if column not in ("line", "Year")]
    long = table.unpivot(platforms, index=["line", "Year"], variable_name="entity", value_name="text")
    long = long.filter(pl.col("text").is_not_null())
    bad = long.filter(~pl.col("text").str.contains(r"^\d+(\.\d+)?%$"))
    if not bad.is_empty():
        rows = [f"line {line}: {text!r}" for line, text in bad.select("line", "text").iter_rows()]
        raise refused(name, "cells", "percentages such as 54%", f"{bad.height} other cells", rows)
    long = numbers(name, long.with_columns(pl.col("text").str.strip_suffix("%")), "text").rename({"text": "value"})
    dated = days(name, long, "Year", "%m/%d/%Y", "M/D/YYYY").with_columns(pl.lit("date").alias("period_kind"))
    return tidy(dated.with_columns(pl.lit("adults_share").alias("measure"), pl.col("entity").replace(_RENAMED)))


SPECS = (
    SourceSpec(
        source="pew_platforms",
        title="Social Media Fact Sheet: which platforms are most popular",
        publisher="Pew Research Center",
        homepage="https://www.pewresearch.org/internet/fact-sheet/social-media/",
        url="https://www.pewresearch.org/internet/fact-sheet/social-media/",
        allowed_hosts=("www.pewresearch.org",),
        licence="use with attribution",
        citation="Pew Research Center, Social Media Fact Sheet, surveys of U.S. adults 2012–2024",
        cadence="every one to two years",
        media_type="text/csv",
        measures=(Measure("adults_share", "social", "adults_share", "percent", "adults", "adults", 0, 100),),
        reader=read,
        proven_on="2024-11-13",
        adopter_kind="platform",
        place="USA",
    ),
)
