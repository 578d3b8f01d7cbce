"""What every run leaves behind when it ends, whoever started it: its summary, alerts, metrics, and a line in the log.

The house calls this while it still holds the run lock. Whatever goes wrong here is said, and the run stands as it is: what it
recorded is recorded.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from longwave.pipelines import alerts, logs, metrics
from longwave.pipelines.console import write_summary
from longwave.pipelines.ledger import Record, record_of
from longwave.pipelines.settings import Settings
from longwave.warehouse.home import Home
from longwave.warehouse.store import reader

_log = logging.getLogger(__name__)


@contextmanager
def recording(context: dg.InitResourceContext, home: Home, as_of: str) -> Iterator[None]:
    """Around a run: afterwards its summary lies in `runs/`, and if it is of today, alerts are told and metrics renewed."""
    settings, began = Settings(), datetime.now(UTC)
    logs.set_up(settings.log)
    token = logs.RUN.set(context.run.run_id if context.run else "")
    try:
        yield
    finally:
        try:
            _end(context, home, settings, as_of, began)
        except Exception as error:
            _log.warning("the run's summary, alerts and metrics were not all written: %s", str(error).split("\n", 1)[0])
        logs.RUN.reset(token)


def _end(context: dg.InitResourceContext, home: Home, settings: Settings, as_of: str, began: datetime) -> None:
    if context.instance is None or context.run is None:
        return
    record, ended = record_of(context.instance, context.run), datetime.now(UTC)
    write_summary(home, record.run, summary_of(record, as_of, (began, ended)))
    fields = {"job": record.job, "seconds": round((ended - began).total_seconds(), 3), "changed": record.changed}
    _log.info("run recorded", extra={"fields": fields})
    if as_of or not home.read_copy.exists():
        return
    with reader(home) as con:
        webhook = settings.alert_webhook.get_secret_value()
        standing = alerts.after_run(home, con, record, webhook, ended.date())
        metrics.write(home, metrics.families(home, con, record, standing, (began, ended)))


def summary_of(record: Record, as_of: str, ran: tuple[datetime, datetime]) -> dict[str, Any]:
    """The summary of a run: what was asked for, when, what it came to, and how long each step took."""
    began, ended = ran
    return {
        "version": 1,
        "command": record.job,
        "run": record.run,
        "as_of": as_of,
        "started": began.isoformat(timespec="seconds"),
        "seconds": round((ended - began).total_seconds(), 3),
        "changed": record.changed,
        "steps": record.steps,
        "failed": record.failed,
        "checks_failed": [f"{check.asset}: {check.name}" for check in record.checks if not check.passed],
        "step_seconds": record.seconds,
        "sources": list(record.outcomes.values()),
    }
