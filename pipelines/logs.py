"""What is said to a log: lines for a person by default, one JSON object a line by LONGWAVE_LOG=json, on standard error.

Belongs here: the form of lines, and what of Dagster's events is a line. What the command line prints for its reader is
another thing (`longwave.pipelines.console`), and stays on standard output.
"""

from __future__ import annotations

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from longwave.pipelines.settings import Settings

RUN: ContextVar[str] = ContextVar("longwave_run", default="")
"""The run that is under way in this process: every JSON line bears it."""

QUIET = "QUIET"
_ROOT = "longwave"
_EVENTS = {
    "PIPELINE_START": "run started",
    "PIPELINE_SUCCESS": "run done",
    "PIPELINE_FAILURE": "run failed",
    "PIPELINE_CANCELED": "run interrupted",
    "STEP_SUCCESS": "step done",
    "STEP_FAILURE": "step failed",
    "STEP_SKIPPED": "step skipped",
}


class JsonLines(logging.Formatter):
    """One object a line: time (UTC), level, logger, message, run, and what else the line is about (source, seconds, …)."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of one record."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"time": time, "level": record.levelname.lower(), "logger": record.name, "message": record.getMessage()}
        line |= {"run": RUN.get()} if RUN.get() else {}
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def set_up(form: str) -> None:
    """Send what this program logs to standard error, in the form of LONGWAVE_LOG; called again, it changes the form.

    Text is for a person, who is told what needs doing (warnings and above); JSON is for a collector, which gets everything.
    """
    logger = logging.getLogger(_ROOT)
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else logging.Formatter("longwave: %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO if form == "json" else logging.WARNING)
    logger.propagate = False


class _Events(logging.Handler):
    """Dagster's events of a run as lines of our own log: which step, how long it took, and what came of it."""

    def __init__(self, run: str) -> None:
        super().__init__()
        self._run = run

    def emit(self, record: logging.LogRecord) -> None:
        """Log one event, if it is one of those that say something."""
        event = getattr(record, "dagster_meta", {}).get("dagster_event")
        said = _EVENTS.get(event.event_type_value) if event is not None else None
        if event is None or said is None:
            return
        fields: dict[str, Any] = {"run": self._run, "job": event.job_name}
        if event.step_key:
            asset = event.step_key.replace("__", "/")
            fields["asset"] = asset
            fields |= {"source": asset.partition("/")[2]} if asset.startswith("sources/") else {}
        duration = getattr(event.event_specific_data, "duration_ms", None)
        fields |= {"seconds": round(duration / 1000, 3)} if duration is not None else {}
        level = logging.ERROR if said.endswith("failed") else logging.INFO
        shown = " ".join([said, *([fields["asset"]] if "asset" in fields else [])])
        logging.getLogger(f"{_ROOT}.run").log(level, shown, extra={"fields": fields})


@dg.logger(
    config_schema=dg.Field(str, default_value="LINES", description="LINES: what each step came to; QUIET: nothing"),
    description="Lines of longwave's own log, in the form of LONGWAVE_LOG, in the place of Dagster's coloured ones.",
)
def console(context: dg.InitLoggerContext) -> logging.Logger:
    """The logger of a run: the command line keeps it quiet unless JSON is asked for, since it says its own."""
    # The process that runs a scheduled job has set up nothing yet.
    set_up(Settings().log)
    logger = logging.Logger("longwave.dagster", logging.DEBUG)
    # A logger without any handler would have its errors printed by Python itself.
    quiet = context.logger_config == QUIET
    logger.addHandler(logging.NullHandler() if quiet else _Events(context.run_id or ""))
    return logger


LINES: dict[str, Any] = {"loggers": {"console": {"config": "LINES"}}}
"""What a job's configuration holds, so that a run which the schedule or the UI started logs like every other."""
