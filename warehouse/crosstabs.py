"""Counts of two variables at once: which series are cells of such a table, and the table read back.

A cell is a series like any other, so that it has vintages, captures and an as-of reading of its own: its adopter is the row,
its measure the column. The view `crosstabs` (`longwave.warehouse.views`) shows the cells of every table; a further table is a
source whose measures have a metric named in `CROSSTABS`.
"""

from __future__ import annotations

import duckdb
import polars as pl

BY_VERDICT = "statements_by_verdict"
CROSSTABS: dict[str, tuple[str, str]] = {BY_VERDICT: ("channel", "verdict")}
"""Metric of the cells: what the rows and the columns are."""

VIEW = f"""CREATE OR REPLACE VIEW crosstabs AS
SELECT o.source, o.metric AS crosstab, o.adopter AS "row", o.measure AS "column", o.value::BIGINT AS n, o.unit, o.vintage,
       o.capture
FROM observations_as_of(as_of_date()) o WHERE o.metric IN ({", ".join(f"'{metric}'" for metric in CROSSTABS)})"""  # noqa: S608


def counts(con: duckdb.DuckDBPyConnection, crosstab: str) -> pl.DataFrame:
    """The cells of one crosstab as they stand: row, column, n; empty where nothing is held at this date.

    Args:
        con: a reader or the writer's connection.
        crosstab: a key of `CROSSTABS`.

    """
    frame: pl.DataFrame = con.sql(
        'SELECT "row", "column", n FROM crosstabs WHERE crosstab = $crosstab ORDER BY ALL',
        params={"crosstab": crosstab},
    ).pl()
    return frame
