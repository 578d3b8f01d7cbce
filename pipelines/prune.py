"""Forgetting what nobody will ask for again: Dagster's records of old runs, and files that killed runs left half-made.

Never touched: the archive, the warehouse and its log, a user's own files, the site, and the summaries in `runs/`. Of Dagster's
runs the newest that made each asset stays however old it is, since the UI shows an asset by it; so does one that waits in the
queue. One that was started so long ago and never ended was killed, since the caller holds the run lock. A file counts as left
behind when it bears a name that only half-made files have, and nobody has written to it for an hour.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
from longwave.pipelines.engine import prepare_dagster
from longwave.pipelines.metrics import size_of
from longwave.warehouse.home import Home, disk_trouble

_WAITING = {dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.MANAGED}
_PAST = [status for status in dg.DagsterRunStatus if status not in _WAITING]
_BATCH = 200
_UNTOUCHED = timedelta(hours=1)
# Half-made files of this program, by the folder they lie in: each is renamed or removed by the run that makes it.
_LEFT = {
    ".": (".probe-*", ".site.*", "warehouse.read.new", "import.part", "warehouse.duckdb.tmp"),
    "site-asof": (".????-??-??.*",),
    "cache": ("*.new",),
    "runs": ("*.new",),
    "dagster/alive": ("*",),
}


@dataclass(frozen=True)
class Pruned:
    """What is forgotten: a name for a person, and how many bytes of files it holds."""

    what: str
    size: int


def prune(home: Home, keep_days: int, now: datetime, *, dry_run: bool) -> list[Pruned]:
    """Forget old runs of Dagster's and what killed runs left; returns what was, or would be, forgotten.

    Args:
        home: the installation; the caller holds its lock.
        keep_days: Dagster's records of runs younger than this stay.
        now: aware; what is old is judged by it.
        dry_run: say it only.

    Raises:
        UnusableHome: a file cannot be removed.

    """
    return [
        *_prune_runs(home, now - timedelta(days=keep_days), dry_run=dry_run),
        *_prune_files(home, now - _UNTOUCHED, dry_run=dry_run),
    ]


def _prune_files(home: Home, before: datetime, *, dry_run: bool) -> Iterator[Pruned]:
    for path in left_behind(home, before):
        yield Pruned(str(path.relative_to(home.root)), size_of(path))
        if not dry_run:
            with disk_trouble(path):
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def left_behind(home: Home, before: datetime) -> list[Path]:
    """Half-made files and folders of runs that were killed, last written to before a time; sorted."""
    found = {
        path
        for folder, patterns in _LEFT.items()
        for pattern in patterns
        for path in (home.root / folder).glob(pattern)
        if not path.is_symlink() and path.stat().st_mtime < before.timestamp()
    }
    return sorted(found)


def _prune_runs(home: Home, before: datetime, *, dry_run: bool) -> Iterator[Pruned]:
    if not (home.dagster / "dagster.yaml").is_file():
        return
    prepare_dagster(home)
    with dg.DagsterInstance.get() as instance:
        needed = _newest_of_assets(instance)
        for record in _old(instance, before):
            run = record.dagster_run.run_id
            if run in needed:
                continue
            files = _files_of(home, run)
            day = record.create_timestamp.date()
            yield Pruned(f"dagster run {run} of {day} ({record.dagster_run.job_name})", sum(map(size_of, files)))
            if not dry_run:
                instance.delete_run(run)
                for path in files:
                    with disk_trouble(path):
                        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _old(instance: dg.DagsterInstance, before: datetime) -> list[dg.RunRecord]:
    """Runs from before a time that are not waiting, the oldest last."""
    filters = dg.RunsFilter(statuses=_PAST, created_before=before)
    found: list[dg.RunRecord] = []
    cursor = None
    while batch := instance.get_run_records(filters, limit=_BATCH, cursor=cursor):
        found += batch
        cursor = batch[-1].dagster_run.run_id
    return found


def _newest_of_assets(instance: dg.DagsterInstance) -> set[str]:
    """Runs by which the UI knows an asset: the newest that made it."""
    events = (instance.get_latest_materialization_event(key) for key in instance.all_asset_keys())
    return {event.run_id for event in events if event is not None}


def _files_of(home: Home, run: str) -> list[Path]:
    """What Dagster keeps of a run in files: its part of the event log where that is in SQLite, and what its steps printed."""
    log = home.dagster / "history" / "runs"
    candidates = [log / f"{run}.db{suffix}" for suffix in ("", "-wal", "-shm", "-journal")]
    return [path for path in [*candidates, home.dagster / "storage" / run] if path.exists()]
