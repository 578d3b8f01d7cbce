"""Households with television in the United States, 1950 to 1959, by two publishers who disagree for 1950.

Seven years seen on secondary pages: each publisher is a source of its own, and nothing splices them. Neither serves the
figures at an address, so nothing is fetched.
"""

from __future__ import annotations

import polars as pl
from longwave.pipelines.sources._spec import Original, SourceSpec
from longwave.pipelines.sources._table import decode, from_years, numbers, read_table, refused, years
from longwave.warehouse.tidy import Measure, tidy

_PUBLISHER = {"hsus_television": "Historical Statistics", "nielsen_television": "Nielsen"}
_COLUMNS = {"households_with_television": "households", "percent_of_households": "household_share"}


def read(spec: SourceSpec, original: Original) -> pl.DataFrame:
    """Tidy frame of one publisher's rows."""
    name = original.name
    table = read_table(name, decode(name, original.data), ["year", *_COLUMNS, "source"])
    own = table.filter(pl.col("source").str.starts_with(_PUBLISHER[spec.source]))
    if own.is_empty():
        raise refused(name, "rows", f"rows of {_PUBLISHER[spec.source]}", "none")
    own = years(name, own, "year")
    parts = [
        from_years(numbers(name, own, column).rename({column: "value"}), measure)
        for column, measure in _COLUMNS.items()
        if measure in {m.measure for m in spec.measures}
    ]
    return tidy(pl.concat(parts, how="diagonal").with_columns(pl.lit("United States").alias("entity")))


_HOUSEHOLDS = Measure("households", "television", "households", "households", "households", None, 0, 1e9)
_SHARE = Measure("household_share", "television", "adoption", "percent", "households", "households", 0, 100)


def _spec(source: str, title: str, publisher: str, citation: str, measures: tuple[Measure, ...]) -> SourceSpec:
    return SourceSpec(
        source=source,
        title=title,
        publisher=publisher,
        homepage="https://hsus.cambridge.org" if source == "hsus_television" else "https://www.tvb.org",
        url="",
        allowed_hosts=(),
        licence="facts; cite the publisher",
        citation=citation,
        cadence="ended",
        media_type="text/csv",
        measures=measures,
        reader=read,
        proven_on=None,
        refresh="never",
    )


SPECS = (
    _spec(
        "hsus_television",
        "Households with television, Historical Statistics of the United States",
        "Historical Statistics of the United States",
        "Historical Statistics of the United States, Millennial Edition (2006), as reported by secondary pages",
        (_HOUSEHOLDS,),
    ),
    _spec(
        "nielsen_television",
        "Households with television, Nielsen and the Television Bureau of Advertising",
        "Nielsen; Television Bureau of Advertising",
        "Nielsen and Television Bureau of Advertising, as reported by secondary pages",
        (_HOUSEHOLDS, _SHARE),
    ),
)
