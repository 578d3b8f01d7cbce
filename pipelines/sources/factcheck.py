"""Fact-checked statements by channel and verdict: counts alone, eight channels by six verdicts.

The counts were made from LIAR, 12,836 statements that PolitiFact rated; the statements themselves are not held. Each cell is
a series: the channel is its adopter, the verdict its measure. Nobody serves these counts, so nothing is fetched.
"""

from __future__ import annotations

from datetime import date

import polars as pl
from longwave.pipelines.sources._spec import Original, SourceSpec
from longwave.pipelines.sources._table import decode, numbers, read_table, refused
from longwave.warehouse.crosstabs import BY_VERDICT
from longwave.warehouse.tidy import Measure, tidy

_VERDICTS = ("pants_fire", "false", "barely_true", "half_true", "mostly_true", "true")
# The corpus as it was published: a stock of statements, whose own years are 2007 to 2016.
_CORPUS = date(2017, 1, 1)


def read(_: SourceSpec, original: Original) -> pl.DataFrame:
    """Tidy frame with one row for each channel and verdict; a table with a cell missing is refused."""
    name = original.name
    table = read_table(name, decode(name, original.data), ["channel", "verdict", "statements"])
    table = numbers(name, table, "statements").with_columns(pl.col("verdict").str.replace("-", "_"))
    unknown = table.filter(pl.col("channel").is_null() | ~pl.col("verdict").is_in(_VERDICTS).fill_null(False))
    if not unknown.is_empty():
        rows = [f"line {row['line']}: {row['channel']}, {row['verdict']}" for row in unknown.iter_rows(named=True)]
        raise refused(name, "verdicts", f"a channel and one of {', '.join(_VERDICTS)}", "another", rows)
    counts = table.group_by("channel").agg(pl.col("verdict").n_unique().alias("n")).filter(pl.col("n") < len(_VERDICTS))
    if not counts.is_empty():
        short = [f"{channel}: {n} verdicts" for channel, n in counts.sort("channel").iter_rows()]
        raise refused(name, "whole table", f"{len(_VERDICTS)} verdicts of each channel", "a cell missing", short)
    return tidy(
        table.select(
            pl.col("verdict").alias("measure"),
            pl.col("channel").alias("entity"),
            pl.lit(_CORPUS).alias("period_start"),
            pl.lit("year").alias("period_kind"),
            pl.col("statements").alias("value"),
        )
    )


SPECS = (
    SourceSpec(
        source="factcheck",
        title="Fact-checked statements of 2007 to 2016 by channel and verdict",
        publisher="PolitiFact, in the corpus LIAR by W. Y. Wang; counted by channel for this project",
        homepage="https://aclanthology.org/P17-2067/",
        url="",
        allowed_hosts=(),
        licence="counts (facts); cite Wang 2017",
        citation='W. Y. Wang, "Liar, Liar Pants on Fire": A New Benchmark Dataset for Fake News Detection, ACL 2017',
        cadence="ended",
        media_type="text/csv",
        measures=tuple(
            Measure(verdict, "covariate", BY_VERDICT, "statements", "fact-checked statements", None, 0, 1e7)
            for verdict in _VERDICTS
        ),
        reader=read,
        proven_on=None,
        refresh="never",
        adopter_kind="channel",
        place="USA",
    ),
)
