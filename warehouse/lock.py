"""One run at a time: an flock on `run.lock`, held by every run whoever started it.

The kernel drops the lock with the process, so a killed run leaves nothing to clean. The file's text (pid, start, command)
only tells a second run whom it waits for. Within one process the lock is re-entrant: the command line takes it around a
Dagster run whose resource takes it again.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from longwave.warehouse.errors import Busy
from longwave.warehouse.home import disk_trouble

_held: dict[Path, int] = {}


@contextmanager
def run_lock(path: Path, wait_seconds: float) -> Iterator[None]:
    """Hold the lock at `path`; wait up to `wait_seconds`, then raise Busy naming the holder."""
    path = path.resolve()
    if path in _held:
        _held[path] += 1
        try:
            yield
        finally:
            _held[path] -= 1
        return
    with disk_trouble(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _acquire(descriptor, path, wait_seconds)
        _held[path] = 1
        yield
    finally:
        _held.pop(path, None)
        os.close(descriptor)


def _acquire(descriptor: int, path: Path, wait_seconds: float) -> None:
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise Busy(
                    f"another run holds {path}: {_holder(path)}; waited {wait_seconds:g} s. "
                    "Wait for it to end, or allow a longer wait with LONGWAVE_WAIT=SECONDS"
                ) from None
            time.sleep(0.1)
    with disk_trouble(path):
        text = {
            "pid": os.getpid(),
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": sys.argv[:3],
        }
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(text).encode(), 0)


def _holder(path: Path) -> str:
    try:
        text = json.loads(path.read_text())
        return f"process {text['pid']}, started {text['started']}"
    except (OSError, ValueError, KeyError):
        return "a process that has not said who it is"
