"""SCImago's yearly ranks of journals: `;` between fields, a comma for the decimal point, one file a year.

The year comes from the address. The header names it too, and a mirror's header was wrong in every year: where they differ,
the file is refused. A journal is its lowest ISSN, so that it joins with other lists in whatever order they have them;
without one, or where a better ranked title holds it, `sourceid N`. The H index, of the day of download, is not read. Ranks
of a year come out in the spring after it: from July on we ask for the last year, before that for the one before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

import polars as pl
from longwave.pipelines.sources._cells import lowest_issn, refuse_rows
from longwave.pipelines.sources._spec import Endpoint, Original, Part, SourceSpec
from longwave.pipelines.sources._table import decode, from_years, numbers, read_table, refused
from longwave.warehouse.tidy import Measure, tidy

_YEAR_OF_HEADER = re.compile(r"Total Docs\. \((\d{4})\)")
_RANK = r"^\d+(,\d+)?$|^\d{1,3}(\.\d{3})+,\d+$"
_COUNT = r"^\d+$|^\d{1,3}(\.\d{3})+$"
# Newer files call the citations by another name, and have the publisher in two columns.
_COLUMNS = {"sjr": ("SJR", _RANK, "sjr_points", 1e3)}
_COLUMNS["citable_documents"] = ("Citable Docs. (3years)", _COUNT, "documents", 1e6)
_COLUMNS["citations"] = ("Total Cites (3years)", _COUNT, "citations", 1e7)


def read(_: SourceSpec, original: Original) -> pl.DataFrame:
    """Tidy frame of one year's ranks."""
    name = original.name
    header, _line, rest = decode(name, original.data).partition("\n")
    year = pl.lit(_year(name, original.url, header)).alias("year")
    names = header.replace('"', "").replace("Total Citations", "Total Cites").split(";")
    once = ";".join(c if c != "Publisher" or names.index(c) == i else f"{c} {i}" for i, c in enumerate(names))
    required = ["Rank", "Sourceid", "Issn", *(column for column, *_ in _COLUMNS.values())]
    table = read_table(name, f"{once}\n{rest}", required, separator=";", missing=["", "-"])
    named = _adopters(numbers(name, table, "Rank", pl.Int64)).with_columns(year)
    parts = (from_years(_decimal(name, named, *column[:2]), measure) for measure, column in _COLUMNS.items())
    return tidy(pl.concat(parts))


def _year(name: str, url: str, header: str) -> int:
    asked, said = re.search(r"[?&]year=(\d{4})\b", url), _YEAR_OF_HEADER.search(header)
    if asked is None or said is None or asked[1] != said[1]:
        found = f"{asked[1] if asked else 'none'} in the address, {said[1] if said else 'none'} in the header"
        raise refused(name, "year", "one year in the address and in the header's Total Docs. (YYYY)", found)
    return int(asked[1])


def _adopters(table: pl.DataFrame) -> pl.DataFrame:
    best, held = table.with_columns(lowest_issn("Issn").alias("held")).sort("Rank", "line"), pl.col("held")
    own = pl.when(held.is_not_null() & held.is_first_distinct()).then(held)
    return best.with_columns(own.otherwise(pl.format("sourceid {}", "Sourceid")).alias("entity"))


def _decimal(name: str, table: pl.DataFrame, column: str, form: str) -> pl.DataFrame:
    """One column as `value`: 0,263 and 1.234,5; in a rank a point without a comma could be either, and is refused."""
    text = pl.col(column).str.strip_chars()
    refuse_rows(name, table.filter(~text.str.contains(form)), f"numbers in {column}", "a decimal comma", column)
    plain = text.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True).cast(pl.Float64)
    return table.select("entity", "year", plain.alias("value"))


@dataclass(frozen=True)
class _Ranks(Part):
    """The ranks of the last year that is out: by July, those of the year before."""

    def address(self, day: date) -> str:
        return self.url.format(year=day.year - (1 if day.month >= 7 else 2))


_URL = "https://www.scimagojr.com/journalrank.php?year={year}&out=xls"

SPECS = (
    SourceSpec(
        source="scimago",
        title="SCImago Journal Rank",
        publisher="SCImago; data by Scopus",
        homepage="https://www.scimagojr.com/journalrank.php",
        url=_URL,
        allowed_hosts=("www.scimagojr.com",),
        licence="free with citation",
        citation="SCImago, SJR — SCImago Journal & Country Rank [Portal], https://www.scimagojr.com",
        cadence="yearly",
        media_type="text/csv",
        measures=tuple(
            Measure(measure, "covariate", measure, unit, "journals", None, 0, high)
            for measure, (*_, unit, high) in _COLUMNS.items()
        ),
        reader=read,
        proven_on=None,
        adopter_kind="journal",
        place="WLD",
        scope="period",
        endpoints=(Endpoint((_Ranks("data", _URL, "csv"),)),),
        refresh="yearly",
    ),
)
