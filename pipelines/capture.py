"""Capture: ask the endpoints of one source, archive what came, and write down what the answer is and how old.

Belongs here: from a source's declaration to rows of `answers`. Does not belong here: the network (`fetch`), the bytes on
disk (`longwave.warehouse.archive`), reading and judging what they say (`observe`).

The archive is written and synced before the index commits, so that what the index acknowledges is there. What was archived
and not acknowledged (a run that was killed) is adopted by the next one. An answer is dated by the publisher's own update
date where it states one. A publisher that changes figures under an unchanged date has them dated by the day they were
served: its date cannot be when the source first showed them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from longwave.pipelines.bodies import check_body
from longwave.pipelines.fetch import Fetcher, FetchFailed
from longwave.pipelines.sources import SourceSpec
from longwave.pipelines.sources._spec import Endpoint, Original, Part
from longwave.warehouse import answers as index
from longwave.warehouse.answers import Answer
from longwave.warehouse.archive import Archive, NotArchivable
from longwave.warehouse.errors import LongwaveError, Refused
from longwave.warehouse.exchange import Exchange, StoredRecord
from longwave.warehouse.home import Home
from longwave.warehouse.store import Warehouse
from longwave.warehouse.tidy import CheckResult

Now = Callable[[], datetime]


@dataclass(frozen=True)
class Came:
    """What came for one endpoint: each part with its exchanges, the last of them the one that answered."""

    endpoint: Endpoint
    parts: tuple[tuple[Part, tuple[Exchange, ...]], ...]
    served_at: datetime
    via: str = ""

    @property
    def exchanges(self) -> list[Exchange]:
        """Every exchange, in order."""
        return [exchange for _, exchanges in self.parts for exchange in exchanges]


@dataclass
class Captured:
    """What asking one source gave."""

    source: str
    answers: list[Answer] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    requests: int = 0
    received: int = 0


def recover(warehouse: Warehouse, archive: Archive) -> list[str]:
    """Adopt what a killed run archived and never acknowledged; returns a line for each adopted record."""
    adopted = archive.recover(index.acknowledged_ends(warehouse.con))
    index.index_records(warehouse, adopted)
    for record in adopted:
        if record.record_type == "metadata":
            _adopt_note(warehouse, archive.body_of_note(record))
    return [f"{record.file}: {record.record_type} of {record.url} adopted" for record in adopted]


def _adopt_note(warehouse: Warehouse, body: Mapping[str, object]) -> None:
    if "accepted" in body:
        index.accept_by_hand(warehouse, str(body["accepted"]), str(body["why"]))
    elif "answer" in body:
        index.add_answers(warehouse, [index.answer_of_manifest(body)])


def capture_source(warehouse: Warehouse, archive: Archive, spec: SourceSpec, fetcher: Fetcher, now: Now) -> Captured:
    """Ask every endpoint of a source; an endpoint that fails takes none of the others with it.

    Args:
        warehouse: the writer, open: nothing is acknowledged before its transaction ends.
        archive: where the bytes go.
        spec: the source.
        fetcher: the way to the network.
        now: the clock.

    """
    result = Captured(spec.source)
    for endpoint in spec.endpoints:
        try:
            came = ask(warehouse, archive, spec, endpoint, fetcher, now)
        except (FetchFailed, NotArchivable) as failure:
            result.failures.append(str(failure))
            continue
        result.requests += len(came.exchanges)
        result.received += sum(len(exchange.body) for exchange in came.exchanges)
        result.answers.append(keep(warehouse, archive, spec, came))
    return result


def ask(
    warehouse: Warehouse, archive: Archive, spec: SourceSpec, endpoint: Endpoint, fetcher: Fetcher, now: Now
) -> Came:
    """Every part of one endpoint, asked for as it stands today, and only if it changed.

    Raises:
        FetchFailed: a part could not be had whole.

    """
    day = now().date()
    queue, parts = list(endpoint.parts), []
    while queue:
        part = queue.pop(0)
        url = part.address(day)
        last = index.last_answer_at(warehouse.con, spec.source, url)
        exchanges = fetcher.get(
            url,
            hosts=spec.allowed_hosts,
            form=part.form,
            max_body=spec.max_bytes,
            etag=index.response_header(last, "ETag") if last else None,
            last_modified=index.response_header(last, "Last-Modified") if last else None,
        )
        parts.append((part, exchanges))
        if len(parts) == 1 and endpoint.further is not None:
            unchanged = exchanges[-1].status == 304 and last is not None
            first = index.payload_of(warehouse.con, archive, last) if unchanged and last else exchanges[-1].payload
            queue += endpoint.further(day, first)
    return Came(endpoint, tuple(parts), parts[0][1][-1].fetched_at)


def keep(warehouse: Warehouse, archive: Archive, spec: SourceSpec, came: Came) -> Answer:
    """Archive the exchanges of one endpoint, index them, and add the answer; the bytes are synced before this returns."""
    con = warehouse.con
    stored = archive.append(
        spec.source,
        came.exchanges,
        licence=spec.licence,
        held=lambda digest: index.held_payload(con, spec.source, digest),
        last=lambda url: index.last_answer_at(con, spec.source, url),
    )
    index.index_records(warehouse, stored)
    parts = _records_of(came, stored)
    made, known = _answer(warehouse, archive, spec, came, parts), index.answers_of(con, spec.source)
    if twin := next((a for a in known if a.answer == made.answer), None):
        return twin  # a web archive redirected two requests to one capture
    before = index.newest_of(known, made.measure, made.served_at)
    if before is not None and before.original_sha256 == made.original_sha256:
        answer = _as_before(made, before)
    else:
        checks = _checks(came)
        answer = _guarded(made, checks)
        note = archive.note(spec.source, list(parts.values()), answer.manifest(), came.served_at, licence=spec.licence)
        index.index_records(warehouse, [note])
        index.record_checks(warehouse, answer.answer, checks)
    index.add_answers(warehouse, [answer])
    return answer


def _records_of(came: Came, stored: Sequence[StoredRecord]) -> dict[str, StoredRecord]:
    """The record of each part: that of the last hop of its redirects."""
    answering = iter([r for r in stored if r.record_type in ("response", "revisit")])
    return {part.name: [next(answering) for _ in exchanges][-1] for part, exchanges in came.parts}


def _checks(came: Came) -> list[CheckResult]:
    """The guards on complete bodies; an answer of 304 has none to look at."""
    return [
        CheckResult(f"{part.name}: {c.check}", c.passed, c.blocking, c.expected, c.found, c.rows)
        for part, exchanges in came.parts
        if exchanges[-1].status != 304
        for c in check_body(part.name, exchanges[-1], part.form)
    ]


def _answer(
    warehouse: Warehouse, archive: Archive, spec: SourceSpec, came: Came, parts: Mapping[str, StoredRecord]
) -> Answer:
    digests = {name: str(record.payload_sha256) for name, record in parts.items()}
    data = {name: index.payload_of(warehouse.con, archive, record) for name, record in parts.items()}
    digest = index.combined(digests)
    day, precision = _vintage(warehouse, spec, came, data)
    return Answer(
        answer=index.identify(spec.source, day, came.served_at, digest),
        source=spec.source,
        measure=came.endpoint.measure,
        vintage=day,
        vintage_precision=precision,
        served_at=came.served_at,
        via=came.via or came.exchanges[-1].via,
        url=came.exchanges[0].url,
        original_bytes=sum(len(payload) for payload in data.values()),
        original_sha256=digest,
        parts={name: record.record for name, record in parts.items()},
    )


def _as_before(answer: Answer, held: Answer) -> Answer:
    """The same bytes again: nothing new, and refused again if they were refused."""
    status = {"accepted": "repeated"}.get(held.status, held.status)
    return Answer(**vars(answer) | {"status": status, "decided_by": held.decided_by, "why": held.why})


def _guarded(answer: Answer, checks: Sequence[CheckResult]) -> Answer:
    failed = [f"{c.check}: expected {c.expected}, found {c.found}" for c in checks if c.blocking and not c.passed]
    refused = {"status": "refused", "decided_by": "bytes", "why": "; ".join(failed)}
    return Answer(**vars(answer) | refused) if failed else answer


def _vintage(warehouse: Warehouse, spec: SourceSpec, came: Came, data: Mapping[str, bytes]) -> tuple[date, str]:
    served = came.served_at.date()
    original = Original(spec.source, data["data"], came.exchanges[0].url, parts=data, day=served)
    try:
        stated = spec.dated(original) if spec.dated is not None else None
    except Refused:
        stated = None  # the reader will say what is wrong with it
    if stated is None or stated > served:
        return served, "download"
    others = index.figures_at(warehouse.con, spec.source, came.endpoint.measure, stated)
    return (served, "download") if others - {figures(data)} else (stated, "publisher")


def figures(data: Mapping[str, bytes]) -> str:
    """Digest of the parts that hold figures: a publisher renews what it says of them without changing any."""
    return index.combined(
        {name: hashlib.sha256(payload).hexdigest() for name, payload in data.items() if name != "metadata"}
    )


def accept(home: Home, identifier: str, why: str, at: datetime) -> str:
    """Write down that a person accepts a refused answer, in the index and beside its bytes; returns its source.

    Raises:
        LongwaveError: no answer is called that, or it was not refused, or its bytes are not what the source serves.

    """
    archive = Archive(home.archive)
    with Warehouse(home) as warehouse:
        recover(warehouse, archive)
        answer = index.answer_called(warehouse.con, identifier)
        if answer is None:
            refused = index.refused_answers(warehouse.con)
            raise LongwaveError(
                f"no archived answer is called {identifier}; refused ones are {', '.join(refused) or 'none'}"
            )
        if answer.status != "refused":
            raise LongwaveError(f"{identifier} was not refused: it is {answer.status}")
        parts = [index.record_of(warehouse.con, record) for record in answer.parts.values()]
        licence = parts[0].licence
        note = archive.note(answer.source, parts, {"accepted": identifier, "why": why}, at, licence=licence)
        index.index_records(warehouse, [note])
        index.accept_by_hand(warehouse, identifier, why)
    return answer.source
