"""The writer and its readers: one transaction, a copy replaced by rename, a sandbox, and clear refusals."""

import os
import resource
import subprocess
import sys
from datetime import date, datetime

import dataframely as dy
import duckdb
import polars as pl
import pytest
from longwave.warehouse.ask import BadQuery, ask
from longwave.warehouse.errors import LongwaveError, UnusableHome
from longwave.warehouse.home import Home
from longwave.warehouse.store import Warehouse, reader, renew_read_copy
from longwave.warehouse.tables import SCHEMA_VERSION, TABLES, data_dictionary, polars_schema
from longwave.warehouse.world import FACT_TABLES, load_fact

SOURCE = "owid_technology_diffusion"


def step(name="one", key="k"):
    row = {"step": name, "key": key, "digest": "d", "finished_at": datetime(2026, 1, 1)}
    return pl.DataFrame([row], schema=polars_schema("steps"))


@pytest.fixture
def full(made_home, record):
    """A home with one capture."""
    with Warehouse(made_home) as warehouse:
        record(warehouse, SOURCE, "2020-01-01", {("Radio", 1930): 40.0, ("Radio", 1931): 50.0})
    return made_home


def rows_in_file(home):
    """Tables of the writer's file and their rows, by plain DuckDB."""
    with duckdb.connect(str(home.warehouse), read_only=True) as con:
        names = [name for (name,) in con.execute("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall()]
        return {name: con.execute(f'SELECT * FROM "{name}" ORDER BY ALL').fetchall() for name in names}


def values(home, as_of=None):
    return ask(home, "SELECT adopter, year, value FROM observations ORDER BY ALL", as_of)[1]


# --- one transaction -------------------------------------------------------------------------------------------------


class Stop(Exception):
    """What goes wrong inside the block."""


def half_a_change(home, record):
    with Warehouse(home) as warehouse:
        record(warehouse, SOURCE, "2021-01-01", {("Radio", 1930): 41.0})
        warehouse.replace("steps", step(), {})
        warehouse.forget_source(SOURCE)
        seen = warehouse.read("SELECT count(*) AS n FROM observation_versions")["n"].item()
        raise Stop(str(seen))


def test_an_error_in_the_block_leaves_the_file_and_the_copy_as_they_were(full, record):
    before, copy = rows_in_file(full), full.read_copy.read_bytes()
    assert len(before["observation_versions"]) == 2
    with pytest.raises(Stop, match="0"):
        half_a_change(full, record)
    assert rows_in_file(full) == before
    assert full.read_copy.read_bytes() == copy


def test_an_error_on_the_first_use_leaves_no_copy_and_the_next_use_works(home, record):
    with pytest.raises(Stop):
        half_a_change(home, record)
    assert not home.read_copy.exists()
    with pytest.raises(UnusableHome, match="nothing is recorded"), reader(home):
        pass
    with Warehouse(home) as warehouse:
        record(warehouse, SOURCE, "2021-01-01", {("Radio", 1930): 41.0})
    assert values(home) == [("Radio", 1930, 41.0)]


def test_nothing_is_seen_before_the_commit(full, record):
    with Warehouse(full) as warehouse:
        record(warehouse, SOURCE, "2021-01-01", {("Radio", 1930): 41.0})
        assert values(full) == [("Radio", 1930, 40.0), ("Radio", 1931, 50.0)]
    assert values(full) == [("Radio", 1930, 41.0)]


# --- the readers' copy -----------------------------------------------------------------------------------------------


def test_a_reader_keeps_the_file_it_opened_while_the_copy_is_replaced(full, record):
    with reader(full) as con:
        before = full.read_copy.stat().st_ino
        with Warehouse(full) as warehouse:
            record(warehouse, SOURCE, "2021-01-01", {("Radio", 1930): 41.0})
        assert full.read_copy.stat().st_ino != before, "replaced by rename, not written over"
        assert con.execute("SELECT value FROM observations ORDER BY year").fetchall() == [(40.0,), (50.0,)]
    with reader(full) as con:
        assert con.execute("SELECT value FROM observations ORDER BY year").fetchall() == [(41.0,)]


def test_an_unchanged_warehouse_does_not_renew_the_copy(full):
    before = full.read_copy.stat()
    with Warehouse(full) as warehouse:
        warehouse.read("SELECT 1")
    assert full.read_copy.stat() == before


def test_a_copy_that_could_not_be_renewed_is_renewed_by_the_next_run(full, record):
    """The commit stands and the copy is old: a run that finds nothing to change must still bring it up to date."""
    obstacle = full.read_copy.with_suffix(".new")
    obstacle.mkdir()
    with pytest.raises(UnusableHome), Warehouse(full) as warehouse:
        record(warehouse, SOURCE, "2021-01-01", {("Radio", 1930): 41.0})
    assert values(full) == [("Radio", 1930, 40.0), ("Radio", 1931, 50.0)], "complete, and as it was"
    obstacle.rmdir()
    with Warehouse(full) as warehouse:
        warehouse.read("SELECT 1")
    assert values(full) == [("Radio", 1930, 41.0)]


def test_no_temporary_file_stays_behind(full):
    renew_read_copy(full)
    assert sorted(path.name for path in full.root.iterdir()) == ["warehouse.duckdb", "warehouse.read.duckdb"]


def test_no_progress_bar_of_duckdbs_own_stands_in_a_commands_answer(full):
    """It draws one on standard output when a statement takes seconds."""
    setting = "SELECT current_setting('enable_progress_bar')"
    with reader(full) as con:
        assert con.execute(setting).fetchall() == [(False,)]
    with Warehouse(full) as warehouse:
        assert warehouse.con.execute(setting).fetchall() == [(False,)]


# --- the sandbox -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('{secret}')",
        "SELECT * FROM read_text('{secret}')",
        "SELECT * FROM '{secret}'",
        "SELECT * FROM glob('{folder}/*')",
        "COPY (SELECT 1) TO '{folder}/out.csv'",
        "COPY observations TO '{folder}/out.parquet'",
        "EXPORT DATABASE '{folder}/out'",
        "ATTACH '{folder}/other.duckdb'",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "RESET enable_external_access",
        "SET memory_limit = '1GB'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "INSERT INTO steps VALUES ('a', 'b', 'c', now())",
        "DELETE FROM captures",
        "CREATE TABLE mine AS SELECT 1",
        "DROP VIEW observations",
    ],
)
def test_a_reader_reaches_no_file_and_no_setting(full, tmp_path, sql):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    secret = folder / "secret.csv"
    secret.write_text("word\nopen sesame\n")
    statement = sql.format(secret=secret, folder=folder)
    with reader(full) as con, pytest.raises(duckdb.Error):
        con.execute(statement).fetchall()
    with pytest.raises(BadQuery):
        ask(full, statement)
    assert [path.name for path in folder.iterdir()] == ["secret.csv"]
    assert values(full) == [("Radio", 1930, 40.0), ("Radio", 1931, 50.0)]


def test_the_same_question_outside_the_sandbox_reads_the_file(tmp_path):
    """So that the refusals above are the sandbox's."""
    secret = tmp_path / "secret.csv"
    secret.write_text("word\nopen sesame\n")
    assert duckdb.sql(f"SELECT * FROM read_csv('{secret}')").fetchall() == [("open sesame",)]


@pytest.mark.parametrize("sql", ["", "SELECT 1; SELECT 2", "SELECT", "SELECT nonsense FROM nowhere"])
def test_what_is_no_question_is_refused_in_words(full, sql):
    with pytest.raises(BadQuery):
        ask(full, sql)


# --- files that are not ours -----------------------------------------------------------------------------------------


def test_a_newer_format_is_refused(full, record):
    with duckdb.connect(str(full.warehouse)) as con:
        con.execute("UPDATE longwave_version SET version = ?", [SCHEMA_VERSION + 1])
    renew_read_copy(full)
    before = rows_in_file(full)
    for use in (lambda: half_a_change(full, record), lambda: values(full)):
        with pytest.raises(UnusableHome, match=f"format {SCHEMA_VERSION + 1}, newer than the {SCHEMA_VERSION}"):
            use()
    assert rows_in_file(full) == before
    assert issubclass(UnusableHome, LongwaveError), "the command line prints it and exits 1"


@pytest.mark.parametrize(
    "table", ["sources", "sales", "longwave_notes"], ids=["one of our names", "another name", "a like name"]
)
def test_a_foreign_duckdb_file_is_refused_and_left_alone(home, record, table):
    home.root.mkdir()
    with duckdb.connect(str(home.warehouse)) as con:
        con.execute(f"CREATE TABLE {table} AS SELECT 'theirs' AS source")
    before = rows_in_file(home)
    with pytest.raises(UnusableHome, match="not a warehouse of longwave"):
        half_a_change(home, record)
    assert rows_in_file(home) == before
    assert not home.read_copy.exists()


def test_a_foreign_file_in_the_place_of_the_copy_is_refused(full):
    full.read_copy.unlink()
    with duckdb.connect(str(full.read_copy)) as con:
        con.execute("CREATE TABLE sales AS SELECT 1 AS n")
    with pytest.raises(UnusableHome, match="not a warehouse of longwave"):
        values(full)


@pytest.mark.parametrize("name", ["warehouse", "read_copy"])
def test_a_file_that_is_no_database_is_refused(full, name, record):
    getattr(full, name).write_bytes(b"<html>" * 5000)
    with pytest.raises(UnusableHome, match="cannot open"):
        half_a_change(full, record) if name == "warehouse" else values(full)
    assert getattr(full, name).read_bytes() == b"<html>" * 5000


@pytest.fixture
def files_left():
    """Set how many more files this process may open."""
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)

    def leave(number):
        os.close(lowest := os.open(os.devnull, os.O_RDONLY))
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + number, allowed[1]))

    yield leave
    resource.setrlimit(resource.RLIMIT_NOFILE, allowed)


# Without any, DuckDB would end the process; with one, it opens its file and lacks another for the log beside it.
@pytest.mark.parametrize("left", [0, 1])
@pytest.mark.parametrize("name", ["warehouse", "read_copy"])
def test_without_file_handles_the_error_says_how_to_get_some(full, name, record, files_left, left):
    files_left(left)
    with pytest.raises(UnusableHome, match=r"cannot (open|write) .*Too many open files.*\(ulimit -n\)"):
        half_a_change(full, record) if name == "warehouse" else values(full)


@pytest.mark.parametrize("below", ["", "deeper/home"])
def test_a_home_that_is_a_file_is_refused(tmp_path, record, below):
    (tmp_path / "home").write_text("a file\n")
    home = Home(tmp_path / "home" / below)
    for use in (lambda: half_a_change(home, record), home.prepare):
        with pytest.raises(UnusableHome, match="set LONGWAVE_HOME"):
            use()
    assert (tmp_path / "home").read_text() == "a file\n"


# --- declarations ----------------------------------------------------------------------------------------------------


def test_replace_puts_rows_in_the_place_of_others(full):
    with Warehouse(full) as warehouse:
        warehouse.replace("steps", pl.concat([step("one"), step("two")]), {})
        warehouse.replace("steps", step("one", key="new"), {"step": "one"})
    assert ask(full, "SELECT step, key FROM steps ORDER BY 1")[1] == [("one", "new"), ("two", "k")]


@pytest.mark.parametrize(
    "bad",
    [
        step().with_columns(key=pl.lit(None, pl.String)),
        step().with_columns(step=pl.lit(None, pl.String)),
        pl.concat([step(), step(key="other")]),
        step().with_columns(finished_at=pl.lit("yesterday")),
    ],
    ids=["null", "null in the key", "duplicate key", "wrong type"],
)
def test_replace_refuses_what_breaks_the_declaration_and_deletes_nothing(full, bad):
    with Warehouse(full) as warehouse:
        warehouse.replace("steps", step("old"), {})
    with Warehouse(full) as warehouse:
        with pytest.raises((dy.exc.ValidationError, pl.exceptions.PolarsError)):
            warehouse.replace("steps", bad, {})
        assert warehouse.step_key("old") == "k"


def test_replace_refuses_a_value_outside_the_declared_words(full):
    row = dict.fromkeys(polars_schema("captures"), "x") | {
        "vintage": date(2020, 1, 1),
        "vintage_precision": "a guess",
        "original_bytes": 1,
        "original_sha256": "0" * 64,
        "content_sha256": "0" * 64,
        "scope": "full",
        "reader_version": 1,
        "recorded_at": datetime(2026, 1, 1),
    }
    row |= dict.fromkeys(("n_rows", "n_added", "n_revised", "n_withdrawn"), 0)
    good = pl.DataFrame([row | {"vintage_precision": "commit"}], schema=polars_schema("captures"))
    with Warehouse(full) as warehouse:
        warehouse.replace("captures", good, {"capture": "x"})
        for column, value in {"vintage_precision": "a guess", "scope": "some", "original_sha256": "abc"}.items():
            with pytest.raises(dy.exc.ValidationError):
                warehouse.replace("captures", good.with_columns(pl.lit(value).alias(column)), {"capture": "x"})


def test_replace_refuses_a_missing_column(full):
    with Warehouse(full) as warehouse, pytest.raises(pl.exceptions.ColumnNotFoundError):
        warehouse.replace("steps", step().drop("digest"), {})


def plain_row(table):
    """A row of a declared table that DuckDB itself has nothing against."""
    samples = {
        pl.String: "x",
        pl.Boolean: True,
        pl.Int32: 1,
        pl.Int64: 1,
        pl.Float64: 1.0,
        pl.Date: date(2020, 1, 1),
        pl.Datetime: datetime(2026, 1, 1),
    }
    row = {name: samples[kind.base_type()] for name, kind in polars_schema(table).items()}
    return pl.DataFrame([row], schema=polars_schema(table))


@pytest.mark.parametrize("table", TABLES)
def test_the_key_of_every_declared_table_is_enforced_in_the_file(made_home, table):
    home, row = made_home, plain_row(table)
    with Warehouse(home) as warehouse:
        warehouse.insert(table, row)
    with pytest.raises(duckdb.ConstraintException, match=r"[Dd]uplicate key"), Warehouse(home) as warehouse:
        warehouse.insert(table, row)
    for column in TABLES[table].key:
        holed = row.with_columns(pl.lit(None, polars_schema(table)[column]).alias(column))
        with pytest.raises(duckdb.ConstraintException, match="NOT NULL"), Warehouse(home) as warehouse:
            warehouse.insert(table, holed)
    assert len(rows_in_file(home)[table]) == 1


def test_the_data_dictionary_covers_every_column_of_the_file(full):
    dictionary = data_dictionary()
    with duckdb.connect(str(full.warehouse), read_only=True) as con:
        held = con.execute(
            "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal"
        ).fetchall()
    views = {"observations", "revisions", "year_coverage", "carried_forward", "crosstabs"}
    ours = {row for row in held if row[0] not in {*FACT_TABLES, *views, "longwave_version"}}
    assert set(dictionary.select("table", "column", "type").iter_rows()) == ours
    assert {row[0] for row in ours} == set(TABLES)
    assert dictionary.filter((pl.col("meaning").str.len_chars() < 4) | (pl.col("time") == "")).is_empty()
    assert dictionary.filter(pl.col("key") & pl.col("nullable")).is_empty()
    keys = {
        name: set(group.filter(pl.col("key"))["column"])
        for (name,), group in dictionary.group_by("table", maintain_order=True)
    }
    assert keys == {name: set(table.key) for name, table in TABLES.items()}


def test_the_tables_of_facts_are_loaded_as_they_stand(full):
    for name in FACT_TABLES:
        with reader(full) as con:
            assert con.sql(f'SELECT * FROM "{name}"').pl().sort(pl.all()).equals(load_fact(name).sort(pl.all()))


# --- a full disk -----------------------------------------------------------------------------------------------------

FULL_DISK = """
import resource, signal, sys
from pathlib import Path
import polars as pl
from longwave.warehouse.errors import UnusableHome
from longwave.warehouse.home import Home
from longwave.warehouse.store import Warehouse
from longwave.warehouse.tables import polars_schema

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limit, n = int(sys.argv[2]), int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
notes = pl.DataFrame({"step": ["s"] * n, "series": [f"series {i * 7919 % n} {i}" for i in range(n)],
                      "status": [f"used {i}" for i in range(n)], "launch": [1] * n,
                      "launch_convention": [f"cited {i}" for i in range(n)]}).cast(polars_schema("series_notes"))
try:
    with Warehouse(Home(Path(sys.argv[1]))) as warehouse:
        warehouse.insert("series_notes", notes)
except UnusableHome as error:
    print("UnusableHome:", error)
"""


def run_out_of_disk(home, limit, rows):
    """Write rows in a process that may make no file larger than the limit: what DuckDB meets on a full disk."""
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(home.root), str(limit), str(rows)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("UnusableHome: cannot ")
    assert "Free some space or set LONGWAVE_HOME to a folder on another disk" in done.stdout
    return done.stdout


@pytest.mark.parametrize(
    ("rows", "limit", "stage"),
    [(400_000, 4_000_000, "IO Error: Could not write file"), (3_000, 20_000, "Failed to commit")],
    ids=["while rows are added", "at the commit"],
)
def test_a_disk_that_fills_is_a_clear_error_and_the_old_state_stays(full, record, rows, limit, stage):
    before, copy = rows_in_file(full), full.read_copy.read_bytes()
    message = run_out_of_disk(full, limit, rows)
    assert stage in message
    assert "nothing was changed" in message
    assert full.read_copy.read_bytes() == copy
    assert rows_in_file(full) == before
    with Warehouse(full) as warehouse:
        record(warehouse, SOURCE, "2021-01-01", {("Radio", 1930): 41.0})
    assert values(full) == [("Radio", 1930, 41.0)], "and with space again it goes on"


def test_a_disk_that_fills_after_the_commit_keeps_the_change_for_the_next_run(full):
    copy = full.read_copy.read_bytes()
    message = run_out_of_disk(full, full.warehouse.stat().st_size, 30_000)
    assert "the change is kept, and readers see it after the next run" in message
    assert full.read_copy.read_bytes() == copy
    with Warehouse(full) as warehouse:
        assert warehouse.read("SELECT count(*) AS n FROM series_notes")["n"].item() == 30_000
    assert ask(full, "SELECT count(*) FROM series_notes")[1] == [(30_000,)]
    assert values(full) == [("Radio", 1930, 40.0), ("Radio", 1931, 50.0)]


def test_a_disk_that_is_full_from_the_start_is_a_clear_error(home, record):
    run_out_of_disk(home, 20_000, 10)
    assert not home.read_copy.exists()
    with Warehouse(home) as warehouse:
        record(warehouse, SOURCE, "2021-01-01", {("Radio", 1930): 41.0})
    assert values(home) == [("Radio", 1930, 41.0)]
