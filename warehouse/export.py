"""The files of what is passed on: CSV of the values that stand, Parquet of every vintage, DuckDB, data package, dictionary.

Belongs here: files, and the catalogue of sources. Does not belong here: which rows are passed on (`passed_on.py`).
"""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import duckdb
import polars as pl
from longwave.warehouse.package import Packed, package
from longwave.warehouse.passed_on import AS_CSV, AS_PARQUET, LATEST, rows_of
from longwave.warehouse.store import STORAGE, write_parquet
from longwave.warehouse.tables import data_dictionary

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


LATEST_FOLDER = "latest"
DATABASE = "longwave.duckdb"
PACKAGE = "datapackage.json"
FILES = (
    ("observations.parquet", "Every value in every vintage, with the capture that first said it"),
    (DATABASE, "All tables of this list in one DuckDB file"),
    ("attributes.parquet", "What sources say of adopters in words: a journal’s publisher, field, account"),
    ("captures.csv", "Every capture: when, from where, its size and SHA-256"),
    ("captures.parquet", "The same, typed"),
    ("sources.csv", "Every source: publisher, licence, citation"),
    ("measures.csv", "What each source measures of each medium, in which unit, of whom"),
    ("findings.parquet", "Every number that a model found, with interval, n, seed and digest"),
    (
        "curve_fits.parquet",
        "Curves fitted to all that was observed, with standard errors or the reason why there are none",
    ),
    (PACKAGE, "The data package: fields, keys, licences, sizes and digests of all files"),
    ("data_dictionary.csv", "Every table of the warehouse, column by column"),
)
"""What is written besides the values that stand, which are in one file a source."""


def export_data(con: duckdb.DuckDBPyConnection, folder: Path, release: Mapping[str, str]) -> list[Path]:
    """Write all that is passed on into `folder`; returns the files.

    The DuckDB file alone differs from one writing to the next (its format does), so it is not in the data package.

    Args:
        con: a reader.
        folder: where to; made if need be.
        release: version, newest_vintage and inputs_digest, as the package states them.

    """
    frames = {export.name: rows_of(con, export) for export in (*AS_CSV, *AS_PARQUET)}
    tables = [*_parquet(frames, folder), *_csv(frames, folder), *_latest(con, folder)]
    text = json.dumps(package(folder, tables, frames["sources"], release), indent=1, ensure_ascii=False) + "\n"
    described = folder / PACKAGE
    described.write_text(text, encoding="utf-8")
    return [*(table.path for table in tables), described, _dictionary(folder), _database(frames, folder)]


def export_parquet(con: duckdb.DuckDBPyConnection, folder: Path) -> list[Path]:
    """Write every vintage as Parquet, and the data dictionary, into `folder`; returns the files."""
    frames = {export.name: rows_of(con, export) for export in AS_PARQUET}
    return [*(table.path for table in _parquet(frames, folder)), _dictionary(folder)]


def _parquet(frames: Mapping[str, pl.DataFrame], folder: Path) -> list[Packed]:
    folder.mkdir(parents=True, exist_ok=True)
    made = [Packed(f"{e.name}-parquet", e, folder / f"{e.name}.parquet", frames[e.name]) for e in AS_PARQUET]
    for table in made:
        write_parquet(table.frame, table.path)
    return made


def _csv(frames: Mapping[str, pl.DataFrame], folder: Path) -> list[Packed]:
    made = [Packed(e.name, e, folder / f"{e.name}.csv", frames[e.name]) for e in AS_CSV]
    for table in made:
        table.path.write_text(table.frame.write_csv(), encoding="utf-8")
    return made


def _latest(con: duckdb.DuckDBPyConnection, folder: Path) -> list[Packed]:
    """The values that stand, a file a source: what one publisher says is read, cited and licensed by itself."""
    (folder / LATEST_FOLDER).mkdir(parents=True, exist_ok=True)
    made = []
    for (source,), frame in rows_of(con, LATEST).partition_by("source", as_dict=True).items():
        path = folder / LATEST_FOLDER / f"{source}.csv"
        path.write_text(frame.write_csv(), encoding="utf-8")
        made.append(Packed(f"latest-{source}", LATEST, path, frame, str(source)))
    return made


def _dictionary(folder: Path) -> Path:
    dictionary = folder / "data_dictionary.csv"
    dictionary.write_text(data_dictionary().write_csv(), encoding="utf-8")
    return dictionary


def _database(frames: Mapping[str, pl.DataFrame], folder: Path) -> Path:
    """One DuckDB file of the same rows, a table an export."""
    path = folder / DATABASE
    try:
        with duckdb.connect(str(path), config={"storage_compatibility_version": STORAGE}) as con:
            for name, frame in frames.items():
                con.register("rows_passed_on", frame.to_arrow())
                con.execute(f'CREATE TABLE "{name}" AS SELECT * FROM rows_passed_on')  # noqa: S608
                con.unregister("rows_passed_on")
    except (duckdb.IOException, duckdb.FatalException, duckdb.TransactionException) as error:  # a disk that is full
        raise OSError(errno.ENOSPC, str(error).splitlines()[0], str(path)) from error
    return path


def catalogue(con: duckdb.DuckDBPyConnection) -> list[dict[str, object]]:
    """Every source with its vintages, first and last year and rows: the catalogue that the site and the CLI show.

    `csv` is the file of its values that stand among those passed on, None where there are none.
    """
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
        | {"csv": f"{LATEST_FOLDER}/{row['source']}.csv" if row["redistribute"] and row["rows"] else None}
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
