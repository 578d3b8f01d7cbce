"""The fact sheets of Pew Research Center: pages whose charts each carry their figures in a table under the chart's title.

The form follows the software of Pew's site, which it publishes: a chart's title is an element of class `cb__title`, its
figures a table after it. Older pages set an ordinary heading above a table. A line is a row's number in its table.
"""

from __future__ import annotations

from collections.abc import Collection

import polars as pl
from longwave.pipelines.sources._html import tables, titled, to_frame
from longwave.pipelines.sources._spec import Original
from longwave.pipelines.sources._table import numbers, refused

HOST = "www.pewresearch.org"
PUBLISHER = "Pew Research Center"
PERCENT = (r"^\d+(\.\d+)?%$", "percentages such as 54%")
COUNT = (r"^(\d{1,3}(,\d{3})+|\d+)$", "counts such as 5,813,222")
_MISSING = ("", "–", "—", "-", "--", "N/A", "n/a", "NA")


def chart_table(original: Original, title: str, columns: Collection[str]) -> pl.DataFrame:
    """The table of the chart of that title, as text columns and `line`.

    Raises:
        Refused: the page has no such chart, or several that differ, or its table is uneven or empty.

    """
    found = tables(original.name, original.data, "cb__title")
    return to_frame(original.name, titled(original.name, found, title, columns), _MISSING)


def long_values(name: str, table: pl.DataFrame, form: tuple[str, str]) -> pl.DataFrame:
    """Rows of line, Year, entity and value from a table of Year by column; blanks are not asked, so no statement.

    Args:
        name: file name for errors.
        table: text columns with `line` and Year.
        form: what a cell must look like, and an example of it.

    """
    columns = [column for column in table.columns if column not in ("line", "Year")]
    long = table.unpivot(columns, index=["line", "Year"], variable_name="entity", value_name="value")
    long = long.filter(pl.col("value").is_not_null())
    bad = long.filter(~pl.col("value").str.contains(form[0]))
    if not bad.is_empty():
        rows = [f"line {line}: {text!r}" for line, text in bad.select("line", "value").iter_rows()]
        raise refused(name, "cells", form[1], f"{bad.height} other cells", rows)
    return numbers(name, long.with_columns(pl.col("value").str.replace_all("[%,]", "")), "value")
