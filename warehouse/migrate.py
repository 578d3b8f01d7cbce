"""Bringing a warehouse that an older version wrote to the format of this one.

Belongs here: the number of a file's format, and the statements that lead from each released format to the next. They are
written out and never made from today's declarations, which will be other ones when the next format comes. Does not belong
here: tables of facts and views, which the writer makes anew from the code (`longwave.warehouse.store`).
"""

from __future__ import annotations

from pathlib import Path

import duckdb
from longwave.warehouse.errors import UnusableHome
from longwave.warehouse.tables import SCHEMA_VERSION

MIGRATIONS: dict[int, tuple[str, ...]] = {
    1: (
        "ALTER TABLE capture_scope ADD COLUMN period_from DATE",
        "ALTER TABLE capture_scope ADD COLUMN period_to DATE",
        """CREATE TABLE archive_records (
             record VARCHAR NOT NULL, source VARCHAR NOT NULL, record_type VARCHAR NOT NULL, url VARCHAR NOT NULL,
             final_url VARCHAR NOT NULL, status INTEGER, headers VARCHAR, fetched_at TIMESTAMP NOT NULL, peer VARCHAR,
             body_bytes BIGINT, payload_bytes BIGINT, payload_sha256 VARCHAR, warc_digest VARCHAR, refers_to VARCHAR,
             file VARCHAR NOT NULL, "offset" BIGINT NOT NULL, length BIGINT NOT NULL, stored_sha256 VARCHAR NOT NULL,
             licence VARCHAR NOT NULL, PRIMARY KEY (record))""",
        """CREATE TABLE answers (
             answer VARCHAR NOT NULL, source VARCHAR NOT NULL, measure VARCHAR NOT NULL, stated DATE,
             vintage DATE NOT NULL, vintage_precision VARCHAR NOT NULL, served_at TIMESTAMP NOT NULL,
             via VARCHAR NOT NULL, url VARCHAR NOT NULL, original_bytes BIGINT NOT NULL,
             original_sha256 VARCHAR NOT NULL, figures_sha256 VARCHAR NOT NULL, parts VARCHAR NOT NULL,
             manifest VARCHAR, status VARCHAR NOT NULL, decided_by VARCHAR, why VARCHAR, reader_version INTEGER,
             PRIMARY KEY (answer))""",
    ),
    2: (
        """CREATE TABLE curve_fits (
             series VARCHAR NOT NULL, cut_year INTEGER NOT NULL, family VARCHAR NOT NULL, objective VARCHAR NOT NULL,
             capped BOOLEAN NOT NULL, step VARCHAR NOT NULL, panel VARCHAR NOT NULL, whole BOOLEAN NOT NULL,
             n INTEGER NOT NULL, launch INTEGER NOT NULL, launch_convention VARCHAR NOT NULL, ceiling DOUBLE,
             status VARCHAR NOT NULL, sse DOUBLE, m DOUBLE, p DOUBLE, q DOUBLE, k DOUBLE, t50 DOUBLE, a DOUBLE,
             b DOUBLE, c DOUBLE, v DOUBLE, m_error DOUBLE, p_error DOUBLE, q_error DOUBLE, k_error DOUBLE,
             t50_error DOUBLE, a_error DOUBLE, b_error DOUBLE, c_error DOUBLE, v_error DOUBLE, vintage DATE NOT NULL,
             code_digest VARCHAR NOT NULL, PRIMARY KEY (series, cut_year, family, objective, capped))""",
    ),
    3: (
        """CREATE TABLE attributes (
             source VARCHAR NOT NULL, adopter VARCHAR NOT NULL, name VARCHAR NOT NULL, known_from DATE NOT NULL,
             known_to DATE NOT NULL, value VARCHAR NOT NULL, capture VARCHAR NOT NULL, recorded_at TIMESTAMP NOT NULL,
             PRIMARY KEY (source, adopter, name, known_from))""",
    ),
    4: (
        """CREATE TABLE releases (
             number INTEGER NOT NULL, vintage DATE NOT NULL, version VARCHAR NOT NULL, inputs_digest VARCHAR NOT NULL,
             claims VARCHAR NOT NULL, PRIMARY KEY (number))""",
    ),
}
"""For each released format, what leads to the next."""


def stored_version(con: duckdb.DuckDBPyConnection, path: Path) -> int:
    """The format of an open file: at most the one this version knows.

    Raises:
        UnusableHome: it is no warehouse of ours, of a newer format, or of one that no version wrote.

    """
    try:
        rows = con.execute("SELECT version FROM longwave_version").fetchall()
    except duckdb.CatalogException as error:
        raise UnusableHome(f"{path} is not a warehouse of longwave; move it away and run again") from error
    version = int(rows[0][0]) if rows else 0
    if version > SCHEMA_VERSION:
        raise UnusableHome(
            f"{path} has format {version}, newer than the {SCHEMA_VERSION} this version knows; "
            "install the newer longwave, or set LONGWAVE_HOME to another folder"
        )
    if version < min(MIGRATIONS):
        raise UnusableHome(f"{path} has format {version}, which no version wrote; move it away and run again")
    return version


def require_present(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Refuse to read a file of an older format: only the writer brings it forward.

    Raises:
        UnusableHome: as `stored_version`, or the file is of an older format.

    """
    version = stored_version(con, path)
    if version < SCHEMA_VERSION:
        raise UnusableHome(
            f"{path} has format {version}, written by an older version; this one reads format {SCHEMA_VERSION}. "
            "Run `longwave run` once: it brings everything forward and keeps every row"
        )


def migrate(con: duckdb.DuckDBPyConnection, version: int, path: Path) -> None:
    """Bring an open warehouse of an older format forward, inside the caller's transaction.

    Raises:
        UnusableHome: a step failed, since the file is not what its format says; the caller rolls back.

    """
    for step in range(version, SCHEMA_VERSION):
        try:
            for statement in MIGRATIONS[step]:
                con.execute(statement)
            con.execute("UPDATE longwave_version SET version = ?", [step + 1])
        except (duckdb.CatalogException, duckdb.BinderException, duckdb.ConstraintException) as error:
            raise UnusableHome(
                f"cannot bring {path} from format {step} to format {step + 1}: {str(error).splitlines()[0]}. It is as it "
                "was; put a backup of LONGWAVE_HOME in its place, or move it away and run again"
            ) from error
