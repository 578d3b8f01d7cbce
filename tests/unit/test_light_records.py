"""Records in SQLite files are written without a wait for the disk while a run goes on, and a kill loses none of them."""

import os
import resource
import signal
import sqlite3
import subprocess
import sys

import pytest
import sqlalchemy as sa
from longwave.pipelines.light_records import lightly
from sqlalchemy.pool import NullPool

WRITER = """
import os, signal, sys
import sqlalchemy as sa
from longwave.pipelines.light_records import lightly
from sqlalchemy.pool import NullPool
with lightly():
    for number in range(20):
        with sa.create_engine(sys.argv[1], poolclass=NullPool).begin() as con:
            con.exec_driver_sql("INSERT INTO events VALUES (?)", (number,))
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def file(tmp_path):
    """A file with a log beside it, as Dagster makes them."""
    path = tmp_path / "events.db"
    with sqlite3.connect(path) as con:
        con.execute("PRAGMA journal_mode = WAL")
        con.execute("CREATE TABLE events (number INTEGER)")
    con.close()
    return path


def written(path, number):
    """One event, by an engine of its own; SQLite's level of care for it."""
    with sa.create_engine(f"sqlite:///{path}", poolclass=NullPool).begin() as con:
        con.exec_driver_sql("INSERT INTO events VALUES (?)", (number,))
        return con.exec_driver_sql("PRAGMA synchronous").scalar()


def numbers(path):
    con = sqlite3.connect(path)
    try:
        return [number for (number,) in con.execute("SELECT number FROM events ORDER BY 1")]
    finally:
        con.close()


def test_the_log_stays_open_while_it_lasts_and_is_emptied_at_its_end(file):
    log = file.with_name("events.db-wal")
    normal, full = 1, 2
    assert (written(file, 0), log.exists()) == (full, False)
    with lightly():
        assert [(written(file, number), log.exists()) for number in (1, 2)] == [(normal, True)] * 2
    assert not log.exists()
    assert (written(file, 3), log.exists()) == (full, False)
    assert numbers(file) == [0, 1, 2, 3]


def test_a_file_that_gets_its_log_later_is_held_open_as_well(tmp_path):
    path = tmp_path / "new.db"
    with lightly():
        with sa.create_engine(f"sqlite:///{path}", poolclass=NullPool).begin() as con:
            con.exec_driver_sql("CREATE TABLE events (number INTEGER)")
        with sa.create_engine(f"sqlite:///{path}", poolclass=NullPool).connect() as con:
            con.exec_driver_sql("PRAGMA journal_mode = WAL")
        for number in (1, 2):
            written(path, number)
        assert (tmp_path / "new.db-wal").exists()
    assert numbers(path) == [1, 2]


def test_a_killed_process_loses_no_event(file):
    ended = subprocess.run([sys.executable, "-c", WRITER, f"sqlite:///{file}"], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert file.with_name("events.db-wal").exists()
    assert numbers(file) == list(range(20))


def test_where_no_file_can_be_held_open_events_are_written_all_the_same(file):
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    written(file, 0)
    with lightly():
        # The file, its log and what belongs to that: three are left, and there is none for a second opening.
        free = [os.open(os.devnull, os.O_RDONLY) for _ in range(3)]
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(free) + 1, allowed[1]))
        for number in free:
            os.close(number)
        try:
            written(file, 1)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, allowed)
    assert numbers(file) == [0, 1]
