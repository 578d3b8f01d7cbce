"""Dagster's records in SQLite files, written without a wait for the disk at each of a run's thousand events.

Belongs here: how those files are written while a run of ours is under way. Does not: what is recorded (Dagster), where
(`engine`).

Dagster opens its files anew for each event. Whoever closes a file last empties its log into it and waits for the disk, and so
does each commit. While `lightly()` lasts, each file is held open by one connection that does nothing, and what Dagster opens
writes at SQLite's level NORMAL: a killed process loses nothing by that, and a machine that loses its power at most the last
events of Dagster's log, never a file. Figures are not kept there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock


@contextmanager
def lightly() -> Iterator[None]:
    """Write so while this lasts; the files that were held are closed at its end. Other databases are left as they are."""
    from sqlalchemy import event  # with Dagster, which is wanted by then
    from sqlalchemy.engine import Engine

    held: dict[str, sqlite3.Connection] = {}
    lock = Lock()

    def opened(connection: object, record: object) -> None:
        del record
        if not isinstance(connection, sqlite3.Connection):
            return
        with suppress(sqlite3.Error):  # to lack a file handle for this is no failure
            connection.execute("PRAGMA synchronous = NORMAL")
            file = str(connection.execute("PRAGMA database_list").fetchone()[2])
            with lock:
                if file not in held:
                    held[file] = sqlite3.connect(file, check_same_thread=False)
                # SQLite opens a file when it is read, and its log once it has one, which is after the first of these.
                held[file].execute("PRAGMA schema_version").fetchone()

    event.listen(Engine, "connect", opened)
    try:
        yield
    finally:
        event.remove(Engine, "connect", opened)
        for connection in held.values():
            with suppress(sqlite3.Error):  # a disk that is full by now; the next who opens it tries again
                connection.close()
