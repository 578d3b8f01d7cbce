"""A machine that lacks space, rights or file handles is told as that, whichever library met it first."""

import errno
import sqlite3

import duckdb
import pytest
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from longwave.pipelines import engine
from longwave.pipelines.lacking import lacking
from longwave.warehouse.errors import UnusableHome
from polars.exceptions import ComputeError


def wrapped(error):
    """An error as it arrives: what a library makes of it."""
    try:
        raise RuntimeError("a library's own words") from error
    except RuntimeError as caught:
        return caught


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.EMFILE, "Too many open files", "x.py"), "Too many open files; raise the limit of open files"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device; free some space"),
        (OSError(errno.EROFS, "Read-only file system"), "Read-only file system; set LONGWAVE_HOME to a folder you can"),
        (ImportError("libm.so: cannot open shared object file: Too many open files"), "raise the limit of open files"),
        (ComputeError("cannot write: No space left on device (os error 28)"), "free some space"),
        (sqlite3.OperationalError("database or disk is full"), "database or disk is full; free some space"),
        (sqlite3.OperationalError("unable to open database file"), "(ulimit -n), whichever is lacking"),
        (duckdb.IOException("Could not write file\nmore"), "Could not write file; free some space"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_is_lacking_is_told_with_what_to_do(home, error, said):
    home.prepare()
    for each in (error, wrapped(error)):
        told = lacking(each, home)
        assert isinstance(told, UnusableHome)
        assert str(home.root) in str(told)
        assert said in str(told)
        assert "\n" not in str(told)


def test_whoever_tries_the_folder_of_dagsters_records_finds_out_what_it_lacks(home):
    home.prepare()
    (home.dagster / ".probe").mkdir()
    told = str(lacking(sqlite3.OperationalError("disk I/O error"), home))
    assert told == f"cannot write {home.dagster}: Is a directory; set LONGWAVE_HOME to a folder you can write"


@pytest.mark.parametrize(
    "error",
    [ValueError("No such thing"), FileNotFoundError(errno.ENOENT, "x"), sqlite3.OperationalError("no such table")],
)
def test_another_error_is_none_of_them(home, error):
    assert lacking(wrapped(error), home) is None


def test_a_run_whose_events_cannot_be_written_ends_with_one_clear_error(home, monkeypatch, capsys):
    """Dagster's own words, with its statements, would stand before it; its traceback instead of it."""
    monkeypatch.setenv("LONGWAVE_HOME", str(home.root))
    monkeypatch.setenv("DAGSTER_HOME", "kept by monkeypatch")
    plain = SqliteEventLogStorage.store_event

    def full(self, event):
        if event.dagster_event is not None and event.dagster_event.is_step_event:
            raise sqlite3.OperationalError("database or disk is full")
        plain(self, event)

    monkeypatch.setattr(SqliteEventLogStorage, "store_event", full)
    with pytest.raises(UnusableHome, match=r"cannot write .*dagster: database or disk is full; free some space"):
        engine.run_job(home.prepare(), "run", {}, ["hccta"])
    assert capsys.readouterr().err == ""
