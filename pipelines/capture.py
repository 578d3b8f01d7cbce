"""Capture: ask the endpoints of one source, archive what came, and write down what the answer is and how old.

Belongs here: from a source's declaration to rows of `answers`. Does not belong here: the network (`fetch`), the bytes on
disk (`longwave.warehouse.archive`), reading and judging what they say, and from when it stands (`observe`).

The archive is written and synced before the index commits, so that what the index acknowledges is there. An answer's bytes
and its manifest are one write, and what was archived and not acknowledged (a run that was killed) is adopted by the next
run. The same bytes again are a revisit in the archive, a row in the index, and no manifest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from longwave.pipelines.bodies import check_body
from longwave.pipelines.fetch import Fetcher, FetchFailed
from longwave.pipelines.sources import SourceSpec
from longwave.pipelines.sources._spec import Endpoint, Original, Part
from longwave.warehouse import answers as index
from longwave.warehouse.answers import Answer
from longwave.warehouse.archive import Archive, ArchiveDamaged, NotArchivable
from longwave.warehouse.errors import LongwaveError
from longwave.warehouse.exchange import Exchange, StoredRecord
from longwave.warehouse.home import Home
from longwave.warehouse.store import Warehouse
from longwave.warehouse.tidy import CheckResult

Now = Callable[[], datetime]

# By how much clocks are corrected in the ordinary run of things.
_CLOCK_CORRECTED = timedelta(hours=1)


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

    def add(self, came: Came, answer: Answer) -> None:
        """Count an answer in."""
        self.answers.append(answer)
        self.requests += len(came.exchanges)
        self.received += sum(len(exchange.body) for exchange in came.exchanges)


def recover(warehouse: Warehouse, archive: Archive) -> list[str]:
    """Adopt what a killed run archived and never acknowledged; returns a line for each adopted record."""
    adopted = archive.recover(index.acknowledged_ends(warehouse.con))
    index.index_records(warehouse, adopted)
    for record in adopted:
        if record.record_type == "metadata":
            _adopt_note(warehouse, archive.body_of_note(record), record.record)
    return [f"{record.file}: {record.record_type} of {record.url} adopted" for record in adopted]


def _adopt_note(warehouse: Warehouse, body: Mapping[str, object], record: str) -> None:
    if "accepted" in body:
        index.accept_by_hand(warehouse, str(body["accepted"]), str(body["why"]))
    elif "answer" in body:
        index.add_answers(warehouse, [index.answer_of_manifest(body, record)])


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
    if behind := _clock_behind(warehouse, spec, now()):
        result.failures.append(behind)
        return result
    for endpoint in spec.endpoints:
        try:
            came = ask(warehouse, archive, spec, endpoint, fetcher, now)
            result.add(came, keep(warehouse, archive, spec, came))
        except (FetchFailed, NotArchivable, ArchiveDamaged) as failure:
            result.failures.append(str(failure))
    return result


def _clock_behind(warehouse: Warehouse, spec: SourceSpec, time: datetime) -> str:
    """Why a source is not asked at a time before its last answer; empty where it is.

    An answer dated by a clock that was set back would change what was known on days gone by.
    """
    served = [a.served_at for a in index.answers_of(warehouse.con, spec.source) if a.via in ("direct", "mirror")]
    last = max(served, default=time)
    if time >= last - _CLOCK_CORRECTED:
        return ""
    return (
        f"{spec.source}: the clock says {time:%Y-%m-%d %H:%M} UTC, and its last answer was archived on {last:%Y-%m-%d %H:%M} "
        "UTC: nothing was asked, since an answer dated by a clock set back would change what was known when; set the clock"
    )


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
            queue += endpoint.pages(day, whole(warehouse, archive, spec, exchanges[-1]).payload)
    return Came(endpoint, tuple(parts), parts[0][1][-1].fetched_at)


def whole(warehouse: Warehouse, archive: Archive, spec: SourceSpec, exchange: Exchange) -> Exchange:
    """An exchange with the payload it stands for: its own, or that of the answer which it says has not changed.

    Raises:
        NotArchivable: it says 304 and nothing is held that it could mean.

    """
    if exchange.status != 304:
        return exchange
    last = index.last_answer_at(warehouse.con, spec.source, exchange.url)
    if last is None:
        raise NotArchivable(f"{exchange.url} says 304, not modified, and nothing that it could repeat is held")
    return index.guarded_answer(warehouse.con, archive, last)


def keep(warehouse: Warehouse, archive: Archive, spec: SourceSpec, came: Came) -> Answer:
    """Archive the exchanges of one endpoint with their manifest, index them, and add the answer.

    The bytes are synced before this returns.

    Raises:
        NotArchivable: an exchange cannot be written down.
        ArchiveDamaged: what an unchanged answer repeats is not what it was.

    """
    con = warehouse.con
    complete = {part.name: whole(warehouse, archive, spec, exchanges[-1]) for part, exchanges in came.parts}
    known = index.answers_of(con, spec.source)
    checks = _checks(came, complete)
    answer = _guarded(_answer(spec, came, {name: exchange.payload for name, exchange in complete.items()}), checks)
    if twin := next((a for a in known if a.answer == answer.answer), None):
        return twin  # a web archive redirected two requests to one capture, or one second saw the same bytes twice
    before = index.newest_of(known, answer.measure, answer.served_at)
    again = before is not None and before.original_sha256 == answer.original_sha256
    if again and before is not None:
        answer = _as_before(answer, before)

    def told(rows: Sequence[StoredRecord]) -> Mapping[str, object] | None:
        nonlocal answer
        answer = replace(answer, parts={name: row.record for name, row in _records_of(came, rows).items()})
        return None if again else answer.told()

    stored = archive.append(
        spec.source,
        came.exchanges,
        licence=spec.licence,
        held=lambda digest: index.held_payload(con, spec.source, digest),
        last=lambda url: index.last_answer_at(con, spec.source, url),
        told=told,
    )
    index.index_records(warehouse, stored)
    answer = replace(answer, manifest=None if again else stored[-1].record)
    index.add_answers(warehouse, [answer])
    if not again:
        index.record_checks(warehouse, answer.answer, checks)
    return answer


def _records_of(came: Came, answers: Sequence[StoredRecord]) -> dict[str, StoredRecord]:
    """The record of each part: that of the last hop of its redirects."""
    rows = iter(answers)
    return {part.name: [next(rows) for _ in exchanges][-1] for part, exchanges in came.parts}


def _checks(came: Came, complete: Mapping[str, Exchange]) -> list[CheckResult]:
    """The guards on complete bodies, those of before where the answer is that they have not changed."""
    return [
        CheckResult(f"{part.name}: {c.check}", c.passed, c.blocking, c.expected, c.found, c.rows)
        for part, _ in came.parts
        for c in check_body(part.name, complete[part.name], part.form)
    ]


def _answer(spec: SourceSpec, came: Came, data: Mapping[str, bytes]) -> Answer:
    """The answer as it came, dated by what it states or by the day; `observe` decides from all that is held."""
    digests = {name: hashlib.sha256(payload).hexdigest() for name, payload in data.items()}
    digest, served = index.combined(digests), came.served_at.date()
    stated = spec.stated(Original(spec.source, data["data"], came.exchanges[0].url, parts=data, day=served))
    return Answer(
        answer=index.identify(spec.source, came.endpoint.measure, came.served_at, digest),
        source=spec.source,
        measure=came.endpoint.measure,
        stated=stated,
        vintage=stated if stated and stated <= served else served,
        vintage_precision="publisher" if stated and stated <= served else "download",
        served_at=came.served_at,
        via=came.via or came.exchanges[-1].via,
        url=came.exchanges[0].url,
        original_bytes=sum(len(payload) for payload in data.values()),
        original_sha256=digest,
        # A publisher renews what it says of its figures without changing any.
        figures_sha256=index.combined({name: d for name, d in digests.items() if name != "metadata"}),
        parts={},
    )


def _as_before(answer: Answer, held: Answer) -> Answer:
    """The same bytes again: nothing new, and refused again if they were refused."""
    status = {"accepted": "repeated"}.get(held.status, held.status)
    return replace(answer, status=status, decided_by=held.decided_by, why=held.why)


def _guarded(answer: Answer, checks: Sequence[CheckResult]) -> Answer:
    failed = [f"{c.check}: expected {c.expected}, found {c.found}" for c in checks if c.blocking and not c.passed]
    return replace(answer, status="refused", decided_by="bytes", why="; ".join(failed)) if failed else answer


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
