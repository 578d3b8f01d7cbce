"""What needs a person, declared once: refused captures, failed checks and steps, stale sources, changed verdicts.

An alert says what, since when, and what to do. It is told when it begins and when it is over, and not again while it lasts:
what stands is kept in `runs/alerts.json`, with the verdicts last seen. Telling is one line of the log, and a POST of JSON to
LONGWAVE_ALERT_WEBHOOK where that is set. A webhook that fails is said and tried again after the next run; nothing here ever
makes a run fail.

What the webhook gets: `{"version": 1, "run": …, "text": …, "alerts": [{"state", "kind", "subject", "what", "since", "do"},
…]}`. `text` is the lines of the log, which Slack, Mattermost and their like show as they are.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from itertools import takewhile
from pathlib import Path
from typing import Any

import duckdb
from longwave.pipelines.addresses import ForbiddenAddress
from longwave.pipelines.freshness import late_sources
from longwave.pipelines.ledger import Record
from longwave.pipelines.sources import SOURCES, SourceSpec
from longwave.pipelines.transport import NotDelivered, post_json
from longwave.warehouse.answers import Answer, answers_of, newest_of, sightings
from longwave.warehouse.errors import LongwaveError, printable
from longwave.warehouse.home import Home
from longwave.warehouse.results import standing_claims

NOT_STARTED = "run not started"
REFUSED, FAILED, BROKEN, STALE, VERDICT = "refused capture", "failed check", "failed step", "stale source", "verdict"
SECONDS = 10.0
_STATE = "alerts.json"
_KEPT = 200  # messages that wait for a webhook which does not answer
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Alert:
    """Something that needs a person: its kind, what it is about, what is the matter, since when, and what to do."""

    kind: str
    subject: str
    what: str
    since: str
    do: str
    state: str = "begun"

    @property
    def key(self) -> str:
        """By which it is known again while it lasts."""
        return f"{self.kind}/{self.subject}"

    @property
    def line(self) -> str:
        """One line for a log."""
        if self.state == "over":
            return f"over: {self.kind}: {self.subject} (since {self.since})"
        return f"alert: {self.kind}: {self.subject}: {self.what}; since {self.since}; {self.do}"


@dataclass
class State:
    """What stood after the last run, the verdicts then, and the messages that a webhook did not take."""

    standing: dict[str, Alert] = field(default_factory=dict)
    verdicts: dict[str, str] = field(default_factory=dict)
    waiting: list[Alert] = field(default_factory=list)


# --- what is the matter


def refused_captures(con: duckdb.DuckDBPyConnection) -> list[Alert]:
    """An alert for each endpoint whose newest answer is refused, since the first of an unbroken row of refusals."""
    return [
        alert
        for spec in SOURCES.values()
        if spec.endpoints
        for alert in _refusals(spec, [a for a in answers_of(con, spec.source) if a.via in ("direct", "mirror")])
    ]


def _refusals(spec: SourceSpec, answers: Sequence[Answer]) -> Iterable[Alert]:
    for endpoint in spec.endpoints:
        newest = newest_of(answers, endpoint.measure)
        if newest is None or newest.status != "refused":
            continue
        own = sorted((a for a in answers if a.measure == endpoint.measure), key=lambda a: a.order, reverse=True)
        *_, first = takewhile(lambda answer: answer.status == "refused", own)
        subject = f"{spec.source} {endpoint.measure}".rstrip()
        do = f"look at it; accept it: longwave refresh --accept {newest.answer} --why TEXT, or mend the source's reader"
        yield Alert(REFUSED, subject, f"{newest.answer}: {newest.why}", str(first.served_at.date()), do)


def stale_sources(con: duckdb.DuckDBPyConnection, today: date) -> list[Alert]:
    """An alert for each source that gave no answer for two of its cycles."""
    return [
        Alert(
            STALE,
            source,
            f"the last answer is of {state.last_asked}, and it is asked {SOURCES[source].refresh}",
            str(state.late_since),
            f"ask it and see what it says: longwave refresh {source}",
        )
        for source, state in late_sources(sightings(con), today).items()
    ]


def of_run(record: Record, refused: Iterable[Alert], today: date) -> list[Alert]:
    """An alert for each check and step that failed in a run, but for checks that only repeat a refused capture."""
    known = {alert.subject.split(" ")[0] for alert in refused}
    found = [
        Alert(FAILED, f"{c.asset}: {c.name}", c.found, str(today), "see the check in the UI, or `longwave sources`")
        for c in record.checks
        if not c.passed and not (c.only_refused and c.asset.rpartition("/")[2] in known)
    ]
    again = f"see the run {record.run} in the UI; once it is mended: longwave run"
    return found + [Alert(BROKEN, asset, why, str(today), again) for asset, why in record.failed.items()]


def changed_verdicts(entries: Iterable[Mapping[str, Any]], before: Mapping[str, str]) -> list[Alert]:
    """A message for each claim whose verdict is not the one last seen; a claim never seen has not changed."""
    return [
        Alert(
            VERDICT,
            str(entry["id"]),
            f"{before[entry['id']]} → {entry['verdict']}: {entry['claim']}",
            str(entry["decided_on"]),
            "read the claim's page before you quote it: its history and what it rests on stand there",
            "changed",
        )
        for entry in entries
        if before.get(entry["id"], entry["verdict"]) != entry["verdict"]
    ]


# --- since when, and whether it was told


def reconcile(state: State, found: Iterable[Alert], judged: Callable[[Alert], bool]) -> list[Alert]:
    """Bring what stands up to what was found; returns what is to be told: what begins, and what is over.

    Args:
        state: what stood; changed in place. An alert that lasts keeps its `since`.
        found: everything that is the matter now.
        judged: whether this run could have found an alert again; one it could not see is left standing.

    """
    now = {alert.key: alert for alert in found}
    over = [alert for key, alert in state.standing.items() if key not in now and judged(alert)]
    begun = [alert for key, alert in now.items() if key not in state.standing]
    for alert in over:
        del state.standing[alert.key]
    for key, alert in now.items():
        lasting = state.standing.get(key)
        state.standing[key] = replace(alert, since=lasting.since) if lasting else alert
    return begun + [replace(alert, state="over") for alert in over]


def judged_by(record: Record) -> Callable[[Alert], bool]:
    """Whether a run could have found an alert again: a check or step it did not run says nothing of it."""
    seen = {f"{FAILED}/{check.asset}: {check.name}" for check in record.checks}
    seen |= {f"{BROKEN}/{asset}" for asset in record.seconds}
    return lambda alert: alert.kind in (REFUSED, STALE) or alert.key in seen


def after_run(home: Home, con: duckdb.DuckDBPyConnection, record: Record, webhook: str, today: date) -> State:
    """Find, tell and keep what needs a person after a run; returns what stands.

    Args:
        home: the installation; the caller holds its lock.
        con: its readers' copy.
        record: what the run did.
        webhook: where alerts are sent as JSON; empty: nowhere.
        today: the day on which staleness is judged.

    """
    state = read_state(home)
    refused = refused_captures(con)
    found = [*refused, *stale_sources(con, today), *of_run(record, refused, today)]
    claims = standing_claims(con)
    told = changed_verdicts(claims, state.verdicts) + reconcile(state, found, judged_by(record))
    state.verdicts = {str(entry["id"]): str(entry["verdict"]) for entry in claims}
    for alert in told:
        level = logging.INFO if alert.state == "over" else logging.WARNING
        _log.log(level, alert.line, extra={"fields": {"alert": asdict(alert)}})
    if webhook:
        state.waiting = [*state.waiting, *told][-_KEPT:]
        _deliver(state, record.run, webhook)
    else:
        state.waiting = []
    _write_state(home, state)
    return state


def not_started(run: str, error: LongwaveError, webhook: str, today: date) -> None:
    """Tell of a run that could not begin: the home cannot be used, or another run holds it. Nothing is kept of it.

    Args:
        run: the run.
        error: why it could not begin.
        webhook: where alerts are sent as JSON; empty: nowhere.
        today: the day.

    """
    do = "see to it, or the schedule goes on without results; nothing was changed"
    alert = Alert(NOT_STARTED, run, printable(str(error)), str(today), do)
    _log.error(alert.line, extra={"fields": {"alert": asdict(alert)}})
    if webhook:
        _deliver(State(waiting=[alert]), run, webhook)


def _deliver(state: State, run: str, webhook: str) -> None:
    """Send what waits, all in one message; what does not arrive goes on waiting."""
    if not state.waiting:
        return
    text = "\n".join(alert.line for alert in state.waiting)
    body = {"version": 1, "run": run, "text": text, "alerts": [asdict(alert) for alert in state.waiting]}
    try:
        post_json(webhook, json.dumps(body, ensure_ascii=False).encode(), SECONDS)
    except (NotDelivered, ForbiddenAddress) as failure:
        _log.warning(
            "%d alerts did not reach LONGWAVE_ALERT_WEBHOOK: %s; they are sent again after the next run",
            len(state.waiting),
            failure,
        )
    else:
        state.waiting = []


# --- what is kept between runs


def read_state(home: Home) -> State:
    """What stood after the last run; nothing where that was never written, or cannot be read."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(_path(home).read_text(encoding="utf-8"))
        standing = [Alert(**row) for row in kept["standing"]]
        waiting = [Alert(**row) for row in kept["waiting"]]
        return State({alert.key: alert for alert in standing}, dict(kept["verdicts"]), waiting)
    return State()


def _write_state(home: Home, state: State) -> None:
    kept = {
        "version": 1,
        "standing": [asdict(alert) for alert in state.standing.values()],
        "verdicts": state.verdicts,
        "waiting": [asdict(alert) for alert in state.waiting],
    }
    fresh = _path(home).with_suffix(".new")
    fresh.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    fresh.replace(_path(home))


def _path(home: Home) -> Path:
    return home.runs / _STATE
