"""Whether the process of a run lives, so that Dagster does not wait for one that was killed.

Dagster writes down that a run has started, and whoever is killed cannot write down that it ended: where one run at a time is
allowed, none would ever be started again. So each run holds a lock on a file of its own, which the kernel drops with the
process, and Dagster's monitoring of runs (`dagster.yaml`) asks the launcher below. A run that has no file is given time.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import dagster as dg
from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, WorkerStatus
from longwave.pipelines.settings import Settings
from longwave.warehouse.home import Home, disk_trouble

PATIENCE: Final = 600.0
"""Seconds that a run has from its start to the file, beside those that it may wait for the lock, and from leaving to its end."""
_LEFT: Final = "left"


def _file(home: Home, run: str) -> Path:
    return home.dagster / "alive" / run


@contextmanager
def alive(home: Home, run: str) -> Iterator[None]:
    """Show that a run lives, for as long as this lasts or its process does."""
    path = _file(home, run)
    with disk_trouble(home.dagster):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w")
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            # It still has to write down that it ended. `longwave prune` takes the file away.
            with suppress(OSError):
                file.write(_LEFT)


def lives(home: Home, run: str, started: float | None, wait: float = 0.0) -> bool:
    """Whether a run's process lives.

    Args:
        home: the installation.
        run: the run's id.
        started: seconds since the epoch at which it started; None if that is not known.
        wait: how many seconds it may wait for the run lock, before which it has no file.

    """
    try:
        with _file(home, run).open("r") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            since = os.fstat(file.fileno()).st_mtime if file.read() == _LEFT else 0.0
    except FileNotFoundError:
        since = (started or 0.0) + wait
    except BlockingIOError:
        return True
    return time.time() - since < PATIENCE


class WatchedRunLauncher(DefaultRunLauncher):
    """Dagster's own launcher, which also knows whether what it or anybody else started still lives."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        """It can say whether a run lives."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether a run lives, whoever started it."""
        record = self._instance.get_run_record_by_id(run.run_id)
        settings = Settings()
        if lives(settings.house(), run.run_id, record.start_time if record else None, settings.wait):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(
            WorkerStatus.NOT_FOUND, "its process is gone: it was killed, or the machine stopped"
        )
