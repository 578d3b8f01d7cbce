"""What is passed on: Parquet of every vintage of every source whose terms allow it, and the data dictionary.

`recorded_at` is left out: it is our clock, and equal facts must give equal bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import duckdb
import polars as pl
from longwave.warehouse.store import write_parquet
from longwave.warehouse.tables import data_dictionary

_EXPORTS: dict[str, str] = {
    "observations": """
        SELECT s.medium, s.metric, s.unit, s.adopter, s.code, v.period_start, v.period_kind, v.value, v.known_from,
               CASE WHEN v.known_to < DATE '9999-12-31' THEN v.known_to END AS known_to, v.served_flag, s.source,
               s.measure, s.population, s.denominator, v.series, v.capture
        FROM observation_versions v JOIN series s USING (series) JOIN sources o USING (source)
        WHERE o.redistribute ORDER BY v.series, v.period_start, v.period_kind, v.known_from""",
    "captures": """
        SELECT c.* EXCLUDE (recorded_at) FROM captures c JOIN sources o USING (source)
        WHERE o.redistribute ORDER BY c.capture""",
    "findings": "SELECT * FROM findings ORDER BY step, subject, measure, mode, k, horizon",
}


def export_parquet(con: duckdb.DuckDBPyConnection, folder: Path) -> list[Path]:
    """Write the exports and the data dictionary into `folder`; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, sql in _EXPORTS.items():
        path = folder / f"{name}.parquet"
        write_parquet(con.sql(sql).pl(), path)
        written.append(path)
    dictionary = folder / "data_dictionary.csv"
    dictionary.write_text(data_dictionary().write_csv(), encoding="utf-8")
    return [*written, dictionary]


def catalogue(con: duckdb.DuckDBPyConnection) -> list[dict[str, object]]:
    """Every source with its vintages, first and last year and rows: the catalogue that the site and the CLI show."""
    coverage = con.sql(
        """SELECT source, min(year(period_start))::INTEGER AS first_year, max(year(period_start))::INTEGER AS last_year,
                  count(*) AS rows
           FROM observation_versions v JOIN series s USING (series)
           WHERE v.known_to = 'infinity' GROUP BY source"""
    ).pl()
    sources = con.sql("SELECT * FROM sources ORDER BY source").pl().join(coverage, on="source", how="left")
    vintages = con.sql(
        """SELECT source, capture, vintage, vintage_precision, url, original_bytes AS size, original_sha256 AS sha256,
                  n_rows AS rows, n_added AS added, n_revised AS revised, n_withdrawn AS withdrawn, reader_version, kind
           FROM captures ORDER BY source, vintage, capture"""
    ).pl()
    by_source = vintages.with_columns(pl.col("vintage").cast(pl.String)).partition_by("source", as_dict=True)
    return [
        row
        | {"vintages": by_source[(row["source"],)].drop("source").to_dicts() if (row["source"],) in by_source else []}
        for row in sources.iter_rows(named=True)
    ]


def panel_captures(con: duckdb.DuckDBPyConnection, source: str) -> list[str]:
    """The captures of a source that the values standing now rest on."""
    rows = con.execute(
        """SELECT DISTINCT v.capture FROM observation_versions v JOIN series s USING (series)
           WHERE s.source = ? AND v.known_to = 'infinity' ORDER BY 1""",
        [source],
    ).fetchall()
    return [str(row[0]) for row in rows]


def newest_vintage(con: duckdb.DuckDBPyConnection, sources: Sequence[str] | None = None) -> date:
    """Date of the newest vintage held (of `sources`, or of all); one without a date of its own does not count as new."""
    rows = con.execute("SELECT source, vintage, vintage_precision FROM captures").fetchall()
    own = [(vintage, precision) for source, vintage, precision in rows if sources is None or source in sources] or [
        (vintage, precision) for _, vintage, precision in rows
    ]
    dated = [vintage for vintage, precision in own if precision != "undated"]
    newest: date = max(dated or [vintage for vintage, _ in own])
    return newest
