"""Pew Research Center's audio and podcasting fact sheet: weekly radio listeners, and podcast listeners by month and week.

Shares of Americans aged 12 or older, by year, from Nielsen and Edison Research. The sheet was last updated in 2023.
"""

from __future__ import annotations

import polars as pl
from longwave.pipelines.sources._pew import HOST, PERCENT, PUBLISHER, chart_table, long_values
from longwave.pipelines.sources._spec import Original, SourceSpec, one_request
from longwave.pipelines.sources._table import from_years, refused, years
from longwave.warehouse.tidy import Measure, tidy

_PAGE = f"https://{HOST}/journalism/fact-sheet/audio-and-podcasting/"
_RADIO, _PODCASTS = "Weekly terrestrial radio listenership", "Podcast listenership"


def read(_: SourceSpec, original: Original) -> pl.DataFrame:
    """Tidy frame of both charts; their one adopter is the country."""
    name = original.name
    radio = long_values(name, chart_table(original, _RADIO, {"Year"}), PERCENT)
    if radio["entity"].n_unique() != 1:
        found = ", ".join(radio["entity"].unique().sort())
        raise refused(name, "columns", f"one column beside Year in {_RADIO!r}", found or "no figures")
    podcasts = long_values(name, chart_table(original, _PODCASTS, {"Year", "Month", "Week"}), PERCENT)
    other = sorted(set(podcasts["entity"]) - {"Month", "Week"})
    if other:
        raise refused(name, "columns", f"Year, Month and Week in {_PODCASTS!r}", ", ".join(other))
    measure = pl.col("entity").replace({"Month": "podcast_monthly", "Week": "podcast_weekly"})
    both = pl.concat([radio.with_columns(pl.lit("radio_weekly").alias("entity")), podcasts])
    rows = from_years(years(name, both, "Year").rename({"Year": "year"}), measure)
    return tidy(rows.with_columns(pl.lit("United States").alias("entity"), pl.lit("USA").alias("code")))


def _share(measure: str, medium: str, metric: str) -> Measure:
    return Measure(measure, medium, metric, "percent", "people aged 12 or older", "people aged 12 or older", 0, 100)


SPECS = (
    SourceSpec(
        source="pew_audio",
        title="Audio and Podcasting Fact Sheet: listeners of radio and of podcasts",
        publisher=f"{PUBLISHER}; Nielsen and Edison Research",
        homepage=_PAGE,
        url=_PAGE,
        allowed_hosts=(HOST,),
        licence="use with attribution",
        citation="Pew Research Center, Audio and Podcasting Fact Sheet, from Nielsen Audio and The Infinite Dial",
        cadence="ended 2023",
        media_type="text/html",
        measures=(
            _share("radio_weekly", "radio", "weekly_listeners_share"),
            _share("podcast_monthly", "podcasting", "monthly_listeners_share"),
            _share("podcast_weekly", "podcasting", "weekly_listeners_share"),
        ),
        reader=read,
        proven_on=None,
        endpoints=one_request(_PAGE, "html"),
        refresh="yearly",
    ),
)
