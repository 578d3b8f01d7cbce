"""Households with a radio and households with a television, by country: the ITU's DataHub, one download a measure.

Which number the DataHub gives an indicator is read from its own dictionary, asked first. A download is long: one row a
series, economy and year, with an ISO code; rows broken down by sex, age or place are not read. The ITU renews rows one by
one: a download is dated by the latest change it states.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date

import polars as pl
from longwave.pipelines.sources._cells import entries
from longwave.pipelines.sources._spec import Endpoint, Original, Part, SourceSpec
from longwave.pipelines.sources._table import decode, from_years, numbers, read_table, refused, years
from longwave.warehouse.tidy import Measure, tidy

_API = "https://api.datahub.itu.int/v3"
_COLUMNS = ["Series", "Unit", "Year", "AreaName", "AreaCode", "DisaggregationGroup", "Value", "LastModifiedOn"]
_LABELS = {
    "radio_households": re.compile(r"(?i)(proportion of )?households with (a )?radio( at home)?"),
    "television_households": re.compile(r"(?i)(proportion of )?households with (a )?(tv|television)( at home)?"),
}
_SHARE = ("adoption", "percent", "households", "households", 0, 100)


def read(_: SourceSpec, original: Original) -> pl.DataFrame:
    """Tidy frame of one download: percent of households, by country and year."""
    name = original.name
    if original.parts and "values" not in original.parts:
        raise refused(name, "dictionary", "one indicator of households with the medium", "none, or several")
    table = _table(original)
    whole = table.filter(pl.col("DisaggregationGroup").is_null() & pl.col("Value").is_not_null())
    measure = _measure_of(name, whole)
    whole = years(name, numbers(name, whole, "Value"), "Year")
    rows = whole.rename({"AreaName": "entity", "AreaCode": "code", "Year": "year", "Value": "value"})
    return tidy(from_years(rows, measure))


def _table(original: Original) -> pl.DataFrame:
    return read_table(original.name, decode(original.name, original.parts.get("values", original.data)), _COLUMNS)


def _measure_of(name: str, whole: pl.DataFrame) -> str:
    series, units = set(whole["Series"].fill_null("")), set(whole["Unit"].fill_null(""))
    fitting = [measure for measure, label in _LABELS.items() if all(label.fullmatch(text) for text in series)]
    if len(fitting) != 1 or not all("%" in unit for unit in units):
        found = f"{', '.join(sorted(series))} in {', '.join(sorted(units))}"
        raise refused(name, "series", "households with a radio, or with a television, in %", found[:300])
    return fitting[0]


def changed(original: Original) -> date | None:
    """The latest day on which the ITU changed a row of the download; None where no row states one."""
    stated = _table(original)["LastModifiedOn"]
    found = stated.str.head(10).str.to_date("%Y-%m-%d", strict=False).drop_nulls().to_list()
    return max(found, default=None)


def _indicator(measure: str) -> Callable[[date, bytes], tuple[Part, ...]]:
    """From the dictionary to the download of the one indicator with the measure's label; none where it is not one."""

    def further(_: date, dictionary: bytes) -> tuple[Part, ...]:
        try:
            tree = json.loads(dictionary)
        except (ValueError, RecursionError):
            return ()
        named = [item for item in entries(tree, "codeID") if _LABELS[measure].fullmatch(str(item.get("label")))]
        codes = {str(item["codeID"]) for item in named}
        parts = [Part("values", f"{_API}/data/download?codesid={code}", "csv") for code in codes if code.isdecimal()]
        return tuple(parts) if len(parts) == 1 else ()

    return further


_DICTIONARY = (Part("data", f"{_API}/dictionaries/getcategories", "json"),)

SPECS = (
    SourceSpec(
        source="itu",
        title="Households with a radio and households with a television",
        publisher="International Telecommunication Union",
        homepage="https://datahub.itu.int/indicators/",
        url=f"{_API}/data/download",
        allowed_hosts=("api.datahub.itu.int",),
        licence="CC BY-NC-SA 3.0 IGO",
        citation="International Telecommunication Union, ITU DataHub, https://datahub.itu.int",
        cadence="yearly",
        media_type="text/csv",
        measures=tuple(Measure(measure, measure.split("_")[0], *_SHARE) for measure in _LABELS),
        reader=read,
        proven_on=None,
        redistribute=False,  # for non-commercial purposes alone: the data package sets no such condition
        endpoints=tuple(Endpoint(_DICTIONARY, measure, _indicator(measure)) for measure in _LABELS),
        dated=changed,
    ),
)
