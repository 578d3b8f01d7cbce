"""What a machine lacks (space, the right to write, file handles), told from errors of the libraries that met it first.

Belongs here: from any error to the one that a person sees. Where our own code writes, `disk_trouble` says it; Dagster's records,
imports and whatever else opens files meet the same and raise what they like.
"""

from __future__ import annotations

import errno
import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import IO, Any

from longwave.warehouse.errors import UnusableHome
from longwave.warehouse.home import Home, disk_trouble

_LACKING = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EMFILE,
    errno.ENFILE,
}
# Compiled libraries put the system's number, or its words, into a text.
_NUMBERED = re.compile(r"\(os error (\d+)\)")
_SAID = {
    "Too many open files": errno.EMFILE,
    "No space left on device": errno.ENOSPC,
    "Read-only file system": errno.EROFS,
}
_OF_FILES = ("disk is full", "disk I/O error", "unable to open database file", "readonly database")
_REMEDIES = (
    "free some space, set LONGWAVE_HOME to a folder you can write, or raise the limit of open files (ulimit -n), "
    "whichever is lacking"
)


def causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what it came from, the last first."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def lacking(error: BaseException, home: Home) -> UnusableHome | None:
    """The error a person sees, if what is behind one is a machine that lacks something; None where it is another thing."""
    for cause in causes(error):
        if isinstance(cause, sqlite3.OperationalError) and any(words in str(cause) for words in _OF_FILES):
            return _of_records(home, cause)
        if type(cause).__name__ == "IOException":  # DuckDB's, which need not be imported to say this
            return UnusableHome(f"cannot write {home.root}: {str(cause).splitlines()[0]}; {_REMEDIES}")
        if (number := _number(cause)) in _LACKING:
            return _told(home.root, OSError(number, *_words(cause, number)))
    return None


def _number(error: BaseException) -> int | None:
    if isinstance(error, OSError):
        return error.errno
    if (numbered := _NUMBERED.search(str(error))) is not None:
        return int(numbered[1])
    return next((number for words, number in _SAID.items() if words in str(error)), None)


def _words(error: BaseException, number: int | None) -> tuple[str, ...]:
    words = error.strerror if isinstance(error, OSError) else None
    return (words or next((said for said, n in _SAID.items() if n == number), "it cannot be done"),)


def _told(where: Path, error: OSError) -> UnusableHome | None:
    try:
        with disk_trouble(where):
            raise error
    except UnusableHome as told:
        return told


def _of_records(home: Home, error: sqlite3.OperationalError) -> UnusableHome:
    """SQLite does not say which of them it was; whoever tries the same folder may find out."""
    try:
        with disk_trouble(home.dagster):
            probe = home.dagster / ".probe"
            probe.write_bytes(bytes(2**16))
            probe.unlink()
    except UnusableHome as told:
        return told
    return UnusableHome(f"cannot write {home.dagster}: {error}; {_REMEDIES}")


@contextmanager
def said_once() -> Iterator[None]:
    """Keep what Dagster writes of its unwritable records from standard error: the error that ends the run says it."""
    quieter: Any = _Without(sys.stderr, "Exception while writing logger call to event log")
    with redirect_stderr(quieter):
        yield


class _Without:
    """A stream without the texts that begin with some words."""

    def __init__(self, stream: IO[str], words: str) -> None:
        self._stream, self._words = stream, words

    def write(self, text: str) -> int:
        return len(text) if text.startswith(self._words) else self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
