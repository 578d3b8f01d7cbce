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
    "attributes": """
        SELECT a.source, a.adopter, a.name, a.value, a.known_from,
               CASE WHEN a.known_to < DATE '9999-12-31' THEN a.known_to END AS known_to, a.capture
        FROM attributes a JOIN sources o USING (source) WHERE o.redistribute
        ORDER BY a.source, a.adopter, a.name, a.known_from""",
    "captures": """
        SELECT c.* EXCLUDE (recorded_at) FROM captures c JOIN sources o USING (source)
        WHERE o.redistribute ORDER BY c.capture""",
    "findings": "SELECT * FROM findings ORDER BY step, subject, measure, mode, k, horizon",
    # The fits to all that was observed; those at each cut stay in the warehouse.
    "curve_fits": "SELECT * FROM curve_fits WHERE whole ORDER BY series, cut_year, family, objective, capped",
}


# The records behind each capture that was fetched: the last step from a figure to its bytes.
_ARCHIVED = """
    SELECT c.source, c.capture, p.part, r.url, strftime(r.fetched_at, '%Y-%m-%d %H:%M:%S') AS fetched_at, r.payload_sha256,
           b.file, b."offset"
    FROM captures c JOIN answers a ON a.answer = c.capture,
         LATERAL (SELECT unnest(json_keys(a.parts)) AS part) p
    JOIN archive_records r ON r.record = json_extract_string(a.parts, '$."' || p.part || '"')
    JOIN archive_records b ON b.record = coalesce(r.refers_to, r.record)
    ORDER BY c.source, c.vintage, c.capture, p.part"""
# The same bytes may be refused at every asking: they are told once.
_REFUSED = """
    SELECT source, answer, vintage::VARCHAR AS vintage, url, original_bytes AS size, original_sha256 AS sha256,
           CASE WHEN o.redistribute THEN why ELSE 'not told here, since its rows may not be passed on' END AS why
    FROM answers JOIN sources o USING (source) WHERE status = 'refused'
    QUALIFY row_number() OVER (PARTITION BY source, measure, original_sha256 ORDER BY served_at) = 1
    ORDER BY source, served_at, answer"""
_WARNINGS = """
    SELECT c.source, c.vintage::VARCHAR AS vintage, k."check", k.expected, k.found
    FROM checks k JOIN captures c USING (capture) JOIN sources o USING (source) WHERE NOT k.passed AND o.redistribute
    ORDER BY c.source, c.vintage, c.capture, k."check"
"""


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
    told = {
        "vintages": vintages.with_columns(pl.col("vintage").cast(pl.String)),
        "archived": con.sql(_ARCHIVED).pl(),
        "refused": con.sql(_REFUSED).pl(),
        "warnings": con.sql(_WARNINGS).pl(),
    }
    parts = {name: frame.partition_by("source", as_dict=True) for name, frame in told.items()}
    return [
        row
        | {
            name: by_source[(row["source"],)].drop("source").to_dicts() if (row["source"],) in by_source else []
            for name, by_source in parts.items()
        }
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
