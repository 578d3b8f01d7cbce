"""Figures of the last run and of what is held, as OpenMetrics text in `runs/metrics.txt`, for a collector to read.

A file rather than an address: runs come and go, and what reads files (the textfile collector of node_exporter, a web server in
front of `runs/`) is there. The form is OpenMetrics 1.0: one family after another, each with TYPE, UNIT where it has one, and
HELP, and `# EOF` at the end. It is replaced by rename, so that no reader sees half of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import duckdb
from longwave.pipelines.alerts import BROKEN, FAILED, REFUSED, STALE, State
from longwave.pipelines.ledger import Record
from longwave.pipelines.sources import SOURCES
from longwave.warehouse.answers import sightings
from longwave.warehouse.export import catalogue
from longwave.warehouse.home import Home

FILE = "metrics.txt"


@dataclass(frozen=True)
class Family:
    """A gauge: its name (which ends in its unit, if it has one), what it means, and its values by labels."""

    name: str
    help: str
    unit: str = ""
    values: Sequence[tuple[Mapping[str, str], float]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Its lines."""
        unit = [f"# UNIT {self.name} {self.unit}"] if self.unit else []
        rows = [f"{self.name}{_labels(labels)} {_number(value)}" for labels, value in self.values]
        return "\n".join([f"# TYPE {self.name} gauge", *unit, f"# HELP {self.name} {_escaped(self.help)}", *rows])


def _labels(labels: Mapping[str, str]) -> str:
    inside = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{inside}}}" if inside else ""


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def families(
    home: Home, con: duckdb.DuckDBPyConnection, record: Record, alerts: State, ran: tuple[datetime, datetime]
) -> list[Family]:
    """Every family, in order.

    Args:
        home: the installation, for how much its folders hold.
        con: its readers' copy.
        record: what the run did.
        alerts: what stands after it.
        ran: when it began and ended.

    """
    return [*_of_run(record, ran), *_of_sources(con), *_of_state(home, alerts)]


def _of_run(record: Record, ran: tuple[datetime, datetime]) -> list[Family]:
    began, ended = ran
    job = {"job": record.job}
    counts = {"changed": len(record.changed), "failed": len(record.failed)}
    counts["unchanged"] = len(record.steps) - len(record.changed)
    asked = [(asset.rpartition("/")[2], outcome) for asset, outcome in record.outcomes.items()]
    received = [({"source": source}, float(outcome.get("received_bytes", 0))) for source, outcome in asked]
    steps = [({"asset": asset}, seconds) for asset, seconds in record.seconds.items()]
    return [
        Family(
            "longwave_run_end_timestamp_seconds",
            "When the last run ended.",
            "seconds",
            [(job, round(ended.timestamp(), 3))],
        ),
        Family(
            "longwave_run_duration_seconds",
            "How long the last run took.",
            "seconds",
            [(job, round((ended - began).total_seconds(), 3))],
        ),
        Family(
            "longwave_run_steps",
            "Steps of the last run by what came of them.",
            values=[({"state": state}, n) for state, n in counts.items()],
        ),
        Family("longwave_step_duration_seconds", "How long each step of the last run took.", "seconds", steps),
        Family("longwave_source_received_bytes", "What each source answered in the last run.", "bytes", received),
    ]


def _of_sources(con: duckdb.DuckDBPyConnection) -> list[Family]:
    seen = sightings(con)
    asked, refused, newest, rows = [], [], [], []
    for source, row in seen.items():
        if row["last_asked"] is not None:
            asked.append(({"source": source}, row["last_asked"].replace(tzinfo=UTC).timestamp()))
        refused.append(({"source": source}, float(row["n_refused"])))
    listed: Sequence[Mapping[str, Any]] = catalogue(con)
    for held in listed:
        label = {"source": str(held["source"])}
        rows.append((label, float(held["rows"] or 0)))
        if held["vintages"]:
            day = datetime.combine(date.fromisoformat(str(held["vintages"][-1]["vintage"])), time(), UTC)
            newest.append((label, day.timestamp()))
    return [
        Family("longwave_sources", "Sources declared.", values=[({}, len(SOURCES))]),
        Family(
            "longwave_source_answer_timestamp_seconds",
            "When each source last gave an answer when asked.",
            "seconds",
            asked,
        ),
        Family(
            "longwave_source_vintage_timestamp_seconds",
            "The newest vintage held of each source.",
            "seconds",
            newest,
        ),
        Family("longwave_source_rows", "Observations held of each source.", values=rows),
        Family("longwave_source_refused_answers", "Archived answers of each source that are refused.", values=refused),
    ]


def _of_state(home: Home, alerts: State) -> list[Family]:
    kinds = dict.fromkeys((REFUSED, FAILED, BROKEN, STALE), 0)
    for alert in alerts.standing.values():
        kinds[alert.kind] += 1
    folders = {"archive": home.archive, "site": home.site, "dagster": home.dagster, "warehouse": home.warehouse}
    return [
        Family("longwave_alerts", "What needs a person now.", values=[({"kind": k}, n) for k, n in kinds.items()]),
        Family(
            "longwave_disk_bytes",
            "Bytes on disk by what they are.",
            "bytes",
            [({"what": name}, float(size_of(path))) for name, path in folders.items()],
        ),
    ]


def size_of(path: Path) -> int:
    """Bytes of a file, or of every file below a folder; what vanishes meanwhile counts nothing."""
    total = 0
    for each in [path, *path.rglob("*")] if path.is_dir() else [path]:
        try:
            total += each.stat().st_size if each.is_file() and not each.is_symlink() else 0
        except OSError:
            continue
    return total


def write(home: Home, found: Sequence[Family]) -> Path:
    """Replace `runs/metrics.txt`; returns it."""
    path = home.runs / FILE
    fresh = path.with_suffix(".new")
    fresh.write_text("\n".join([*(family.text for family in found), "# EOF"]) + "\n", encoding="utf-8")
    fresh.replace(path)
    return path
