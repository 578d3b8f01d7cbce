"""The one writer and the readers of the warehouse.

Why not the orchestrator's stock DuckDB IO manager: it fails on DuckDB 2 and empties a table when a write fails half-way.
Here a write is one transaction in the writer's file; after a commit that changed something the readers' copy is replaced
by rename, so a reader keeps the file it opened. Whoever writes holds the run lock (`longwave.warehouse.lock`).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb
import polars as pl
from longwave.warehouse.attributes import keep_attributes_recorded_at, merge_attributes, stash_attributes
from longwave.warehouse.errors import UnusableHome
from longwave.warehouse.home import Home, disk_trouble
from longwave.warehouse.merge import MergeCounts, Scope, keep_recorded_at, merge, scope_rows, stash_former
from longwave.warehouse.migrate import migrate, require_present, stored_version
from longwave.warehouse.tables import SCHEMA_VERSION, TABLES, polars_schema
from longwave.warehouse.views import VIEWS
from longwave.warehouse.world import FACT_TABLES, load_fact

# Older tools open files of this storage version too.
STORAGE = "v1.5.0"


class Warehouse:
    """The writer: use as a context manager. Leaving it without an error commits, then renews the readers' copy."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.changed = False
        self.now = datetime.now(UTC).replace(tzinfo=None).isoformat(sep=" ")

    def __enter__(self) -> Self:
        """Open the writer's file and begin the one transaction."""
        self.con = _connect(self.home)
        try:
            with _duckdb_trouble(self.home):
                self._adopt_schema()
                self.con.execute("BEGIN")
        except BaseException:
            self.con.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Commit and renew the readers' copy, or roll back; the connection is always closed."""
        try:
            if self.changed and not kind:
                with disk_trouble(self.home.root):
                    _stale(self.home).touch()
            with _duckdb_trouble(self.home):
                self.con.execute("ROLLBACK" if kind else "COMMIT")
            if not kind:
                with _duckdb_trouble(self.home, "the change is kept, and readers see it after the next run"):
                    self.con.execute("CHECKPOINT")
        finally:
            self.con.close()
        if not kind and (_stale(self.home).exists() or not self.home.read_copy.exists()):
            renew_read_copy(self.home)

    def _adopt_schema(self) -> None:
        """Make the tables of a new file, or bring an older one forward: a transaction of its own; an error closes the file."""
        fresh = not self.con.execute("SELECT 1 FROM information_schema.tables").fetchall()
        version = 0 if fresh else stored_version(self.con, self.home.warehouse)
        if version == SCHEMA_VERSION:
            return
        self.con.execute("BEGIN")
        if fresh:
            self._make_tables()
        else:
            migrate(self.con, version, self.home.warehouse)
        self._load_facts()
        # Readers do not read an older format: if this run fails later, the next one renews their copy all the same.
        with disk_trouble(self.home.root):
            _stale(self.home).touch()
        self.con.execute("COMMIT")
        self.changed = True

    def _make_tables(self) -> None:
        for table in TABLES.values():
            self.con.execute(table.ddl)
        self.con.execute("CREATE TABLE longwave_version AS SELECT ?::INTEGER AS version", [SCHEMA_VERSION])

    def refresh_facts(self) -> None:
        """Make the tables of facts and the views equal to the reviewed files of this version of the code."""
        self._load_facts()
        self.changed = True

    def _load_facts(self) -> None:
        for name in FACT_TABLES:
            frame = load_fact(name)
            self.con.register("fact_rows", frame)
            self.con.execute(f'CREATE OR REPLACE TABLE "{name}" AS SELECT * FROM fact_rows')  # noqa: S608
            self.con.unregister("fact_rows")
        for view in VIEWS:
            self.con.execute(view)

    def read(self, sql: str, parameters: Mapping[str, object] | None = None) -> pl.DataFrame:
        """Rows of a query as a frame, seen from inside this transaction."""
        frame: pl.DataFrame = self.con.sql(sql, params=dict(parameters or {})).pl()
        return frame

    def replace(self, table: str, frame: pl.DataFrame, where: Mapping[str, object]) -> None:
        """Put `frame` in the place of the rows of a declared table that match `where`; its schema is checked first.

        Raises:
            dataframely's ValidationError: the frame breaks the declaration (type, null, key).

        """
        checked = TABLES[table].schema.validate(frame.select(list(polars_schema(table))), cast=True)
        condition = " AND ".join(f'"{name}" = ${name}' for name in where) or "true"
        self.con.execute(f'DELETE FROM "{table}" WHERE {condition}', dict(where) or None)  # noqa: S608
        self.insert(table, checked)

    def insert(self, table: str, frame: pl.DataFrame) -> None:
        """Add rows to a declared table, by column name."""
        self.con.register("new_rows", frame)
        with _duckdb_trouble(self.home):
            self.con.execute(f'INSERT INTO "{table}" BY NAME SELECT * FROM new_rows')  # noqa: S608
        self.con.unregister("new_rows")
        self.changed = True

    def merge_capture(
        self,
        capture: Mapping[str, Any],
        scope: Sequence[Scope],
        series: pl.DataFrame,
        rows: pl.DataFrame,
        attributes: pl.DataFrame | None = None,
    ) -> MergeCounts:
        """Record a capture and merge its rows.

        Args:
            capture: a row of `captures` without counts and time.
            scope: what the capture speaks of: (measure, adopter key or *), or with a span of periods (measure, adopter
                key or *, first day of its first period, first day of its last; None: open).
            series: rows of `series`; new ones are added, known ones renewed.
            rows: series, measure, adopter_key, period_start, period_kind, value, served_flag.
            attributes: adopter, name, value, of a source that gives attributes: all it says of its adopters in words.

        Returns:
            What changed among the values against the vintage before.

        Raises:
            ValueError: the scope contradicts itself, or a row lies outside it.

        """
        source, identifier = capture["source"], capture["capture"]
        self.con.register("series_rows", series)
        self.con.execute("INSERT OR REPLACE INTO series BY NAME SELECT * FROM series_rows")
        self.con.unregister("series_rows")
        counts = {
            "n_added": 0,
            "n_revised": 0,
            "n_withdrawn": 0,
            "recorded_at": datetime.fromisoformat(self.now),
        }
        self.insert("captures", pl.DataFrame([dict(capture) | counts], schema=polars_schema("captures")))
        self.insert("capture_scope", scope_rows(identifier, scope))
        self.con.register("incoming", rows)
        with _duckdb_trouble(self.home):
            result = merge(self.con, source, identifier, self.now)
        self.con.unregister("incoming")
        if attributes is not None:
            merge_attributes(self.con, source, identifier, attributes, self.now)
        self.con.execute(
            "UPDATE captures SET n_added = ?, n_revised = ?, n_withdrawn = ? WHERE capture = ?",
            [result.added, result.revised, result.withdrawn, identifier],
        )
        self.changed = True
        return result

    def captures_of(self, source: str) -> dict[str, str]:
        """Content digest of every capture held of a source, by identifier."""
        rows = self.con.execute("SELECT capture, content_sha256 FROM captures WHERE source = ?", [source]).fetchall()
        return {str(capture): str(digest) for capture, digest in rows}

    def forget_source(self, source: str) -> None:
        """Take a source's captures and versions out, to be merged anew: its reader, the facts or an original changed.

        Inside the transaction only: what is merged again as it was keeps its `recorded_at`
        (`longwave.warehouse.merge.keep_recorded_at`, called by `settle_source`).
        """
        stash_former(self.con, source, "forgotten")
        stash_attributes(self.con, source, "forgotten_attributes")
        for table, condition in (
            ("observation_versions", "series IN (SELECT series FROM series WHERE source = ?)"),
            ("capture_scope", "capture IN (SELECT capture FROM captures WHERE source = ?)"),
            ("checks", "capture IN (SELECT capture FROM captures WHERE source = ?)"),
            ("captures", "source = ?"),
            ("attributes", "source = ?"),
            ("series", "source = ?"),
        ):
            self.con.execute(f"DELETE FROM {table} WHERE {condition}", [source])  # noqa: S608
        self.changed = True

    def settle_source(self) -> None:
        """After a source was forgotten and merged again: rows that came out as they were keep their time."""
        keep_recorded_at(self.con, "forgotten")
        keep_attributes_recorded_at(self.con, "forgotten_attributes")

    def step_key(self, step: str) -> str | None:
        """The key under which a step last ran."""
        rows = self.con.execute("SELECT key FROM steps WHERE step = ?", [step]).fetchall()
        return str(rows[0][0]) if rows else None

    def record_step(self, step: str, key: str, digest: str) -> None:
        """Remember that a step ran under this key, and the digest of what it wrote."""
        row = {"step": step, "key": key, "digest": digest, "finished_at": datetime.fromisoformat(self.now)}
        self.replace("steps", pl.DataFrame([row], schema=polars_schema("steps")), {"step": step})


@contextmanager
def _duckdb_trouble(home: Home, state: str = "nothing was changed") -> Iterator[None]:
    try:
        yield
    except (
        duckdb.IOException,
        duckdb.FatalException,
        duckdb.OutOfMemoryException,
        duckdb.TransactionException,  # a commit that found the disk full
    ) as error:
        remedy = _if_handles(error) or "Free some space or set LONGWAVE_HOME to a folder on another disk"
        raise UnusableHome(f"cannot write {home.warehouse}: {str(error).splitlines()[0]}; {state}. {remedy}") from error


def _if_handles(error: duckdb.Error) -> str | None:
    """The remedy where DuckDB could open no more files; None where it is another thing."""
    return "Raise the limit of open files (ulimit -n)" if "Too many open files" in str(error) else None


def _handle_left(file: Path) -> None:
    """Refuse where no file can be opened at all: DuckDB 2.0 then aborts the whole process instead of raising."""
    with disk_trouble(file):
        os.close(os.open(os.devnull, os.O_RDONLY))


def _connect(home: Home) -> duckdb.DuckDBPyConnection:
    with disk_trouble(home.root):
        home.root.mkdir(parents=True, exist_ok=True)
    _handle_left(home.warehouse)
    try:
        con = duckdb.connect(str(home.warehouse), config={"storage_compatibility_version": STORAGE})
        # DuckDB draws one of its own on standard output when a statement takes seconds: it would stand in a command's answer.
        con.execute("SET enable_progress_bar = false")
        return con
    except (duckdb.IOException, duckdb.SerializationException, duckdb.CatalogException) as error:
        remedy = _if_handles(error) or (
            "If another program has it open, close it; if it comes from a newer version, install that version; "
            "if it is damaged, move it away and run again"
        )
        raise UnusableHome(f"cannot open {home.warehouse}: {str(error).splitlines()[0]}. {remedy}") from error


def _stale(home: Home) -> Path:
    """Stands from before a commit until the readers' copy holds it: a run killed between the two is made good by the next."""
    return home.read_copy.with_suffix(".stale")


def renew_read_copy(home: Home) -> None:
    """Replace the readers' copy by rename: complete or as it was."""
    fresh = home.read_copy.with_suffix(".new")
    with disk_trouble(home.root):
        try:
            shutil.copyfile(home.warehouse, fresh)
            with fresh.open("rb+") as file:
                os.fsync(file.fileno())
            fresh.replace(home.read_copy)
            _stale(home).unlink(missing_ok=True)
        finally:
            fresh.unlink(missing_ok=True)


@contextmanager
def reader(home: Home, as_of: str | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-only connection to the readers' copy, without access to files or settings.

    Args:
        home: the installation.
        as_of: ISO date; the views without a date then show what was known on it.

    Raises:
        UnusableHome: nothing was recorded yet, or the file is of a newer version, or of an older one.

    """
    if not home.read_copy.exists():
        raise UnusableHome(f"nothing is recorded in {home.root} yet; start with `longwave run`")
    _handle_left(home.read_copy)
    try:
        con = duckdb.connect(str(home.read_copy), read_only=True)
    except (duckdb.IOException, duckdb.SerializationException) as error:
        remedy = _if_handles(error) or "If it is damaged, move it away: `longwave run` makes it anew"
        raise UnusableHome(f"cannot open {home.read_copy}: {str(error).splitlines()[0]}. {remedy}") from error
    try:
        require_present(con, home.read_copy)
        con.execute("SET enable_progress_bar = false")
        if as_of:
            con.execute("SET VARIABLE as_of = ?::DATE", [as_of])
        con.execute("SET enable_external_access = false")
        con.execute("SET lock_configuration = true")
        yield con
    finally:
        con.close()


def write_parquet(frame: pl.DataFrame, path: Any) -> None:
    """Write a frame as Parquet with equal bytes for equal rows: the caller sorts."""
    with disk_trouble(path):
        frame.write_parquet(path, compression="zstd", compression_level=9, statistics=True)
