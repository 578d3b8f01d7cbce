"""Fifty newspapers of the United States: circulation in 2004 and 2013, and how often each was a finalist of the Pulitzer Prize.

The years are those in the names of the columns. Finalists are counted over spans that follow each other (1990 to 2003, 2004 to
2014) and stand at a span's last year. A circulation of 0 is the end of a daily print edition, as served: it is no count, and
what it means is a matter of cited endings (`facts/endings.csv`), not of this reader. Some papers count digital subscriptions
in the later year. Names are as served, slips of spelling included. Nobody serves the table anew, so nothing is fetched.
"""

from __future__ import annotations

import re

import polars as pl
from longwave.pipelines.sources._cells import refuse_rows
from longwave.pipelines.sources._spec import Original, SourceSpec
from longwave.pipelines.sources._table import decode, from_years, numbers, read_table, refused
from longwave.warehouse.tidy import Measure, tidy

_CIRCULATION = re.compile(r"^circ(\d{4})$")
_FINALISTS = re.compile(r"^num_finals(\d{4})_(\d{4})$")


def read(_: SourceSpec, original: Original) -> pl.DataFrame:
    """Tidy frame of circulation by year, and of finalists at the last year of each span."""
    name = original.name
    table = read_table(name, decode(name, original.data), ["newspaper"])
    refuse_rows(name, table.filter(pl.col("newspaper").is_null()), "names", "a newspaper in every row")
    sold = {c: int(found[1]) for c in table.columns if (found := _CIRCULATION.match(c))}
    spans = {c: (int(found[1]), int(found[2])) for c in table.columns if (found := _FINALISTS.match(c))}
    whole = (min(first for first, _ in spans.values()), max(last for _, last in spans.values())) if spans else None
    parts = {c: span for c, span in spans.items() if span != whole}
    if len(sold) < 2 or len(parts) < 2 or len(parts) == len(spans):
        expected = "circYYYY twice, and num_finalsYYYY_YYYY of two spans and of both together"
        raise refused(name, "columns", expected, ", ".join(table.columns))
    for column in (*sold, *spans):
        table = numbers(name, table, column)
    total = next(c for c, span in spans.items() if span == whole)
    other = table.filter(pl.sum_horizontal(*parts) != pl.col(total))
    refuse_rows(name, other, "finalists", f"spans that add up to {total}", *parts, total)
    by_year = {"circulation": sold, "finalists": {c: last for c, (_, last) in parts.items()}}
    return tidy(pl.concat(_long(table, measure, columns) for measure, columns in by_year.items()))


def _long(table: pl.DataFrame, measure: str, columns: dict[str, int]) -> pl.DataFrame:
    long = table.unpivot(list(columns), index="newspaper", variable_name="column")
    year = pl.col("column").replace_strict(columns).alias("year")
    return from_years(long.select(pl.col("newspaper").alias("entity"), year, "value"), measure)


SPECS = (
    SourceSpec(
        source="us_newspapers",
        title="Pulitzer finalists and circulation of newspapers, 1990 to 2014",
        publisher="FiveThirtyEight",
        homepage="https://github.com/fivethirtyeight/data/tree/master/pulitzer",
        url="",
        allowed_hosts=(),
        licence="CC BY 4.0",
        citation="FiveThirtyEight, Do Pulitzers help newspapers keep readers? (2014), data in R's package fivethirtyeight",
        cadence="ended",
        media_type="text/csv",
        measures=(
            Measure("circulation", "newspapers", "circulation", "copies", "newspapers", None, 0, 1e8),
            Measure("finalists", "covariate", "pulitzer_finalists", "finalists", "newspapers", None, 0, 1e4),
        ),
        reader=read,
        proven_on="2026-06-15",
        adopter_kind="outlet",
        place="USA",
        refresh="never",
    ),
)
