"""The index of the archive: which records there are, what each source answered, and what was decided of it.

Belongs here: rows of `archive_records` and `answers`, written inside the writer's transaction, and questions about them.
Does not belong here: the bytes (`longwave.warehouse.archive`), and the rules by which an answer is accepted
(`longwave.warehouse.tidy`, `longwave.warehouse.compare`).

A manifest beside the bytes says what belongs together, so that this index can be made again from the archive alone. An
answer whose bytes are those of the one before needs none: it is a row here and a revisit there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, date, datetime
from typing import Any

import duckdb
import polars as pl
from longwave.warehouse.archive import Archive
from longwave.warehouse.exchange import Exchange, StoredRecord
from longwave.warehouse.store import Warehouse
from longwave.warehouse.tables import polars_schema
from longwave.warehouse.tidy import CheckResult

_RECORD_FIELDS = [field.name for field in fields(StoredRecord)]


@dataclass(frozen=True)
class Answer:
    """A row of `answers`. `parts` maps the name of each part to the record that holds its bytes."""

    answer: str
    source: str
    measure: str
    stated: date | None
    vintage: date
    vintage_precision: str
    served_at: datetime
    via: str
    url: str
    original_bytes: int
    original_sha256: str
    figures_sha256: str
    parts: Mapping[str, str]
    manifest: str | None = None
    status: str = "new"
    decided_by: str | None = None
    why: str | None = None
    reader_version: int | None = None

    @property
    def order(self) -> tuple[datetime, str]:
        """When it was served: the order in which answers are read and decided."""
        return self.served_at, self.answer

    def told(self) -> dict[str, Any]:
        """What its manifest in the archive says: enough to make this row again, as it stood when it was archived."""
        days = {"vintage": str(self.vintage), "stated": str(self.stated) if self.stated else None}
        kept = asdict(self) | days | {"served_at": self.served_at.isoformat()}
        del kept["manifest"]
        return kept


def answer_of_manifest(body: Mapping[str, Any], record: str) -> Answer:
    """The answer that a manifest, a record of the archive, describes."""
    known = {field.name for field in fields(Answer)}
    row = {name: value for name, value in body.items() if name in known}
    row["vintage"] = date.fromisoformat(row["vintage"])
    row["stated"] = date.fromisoformat(row["stated"]) if row["stated"] else None
    row["served_at"] = datetime.fromisoformat(row["served_at"])
    return Answer(**row, manifest=record)


def identify(source: str, measure: str, served_at: datetime, digest: str) -> str:
    """Identifier of an answer: readable, unique, and sorted by when it was served within a source.

    The same content within one second is the same answer.
    """
    named = hashlib.sha256(f"{measure} {digest}".encode()).hexdigest() if measure else digest
    return f"{source}@{served_at:%Y-%m-%d.%H%M%S}#{named[:8]}"


# --- records


def index_records(warehouse: Warehouse, records: Iterable[StoredRecord]) -> None:
    """Add rows of records that lie in the archive, fsynced, to the index."""
    rows = [asdict(record) | {"fetched_at": _naive(record.fetched_at)} for record in records]
    if rows:
        warehouse.insert("archive_records", pl.DataFrame(rows, schema=polars_schema("archive_records")))


def records(con: duckdb.DuckDBPyConnection, where: str = "true", **values: object) -> list[StoredRecord]:
    """Rows of the index that meet a condition of this module's callers in `warehouse/`, in order of file and offset."""
    columns = ", ".join(f'"{name}"' for name in _RECORD_FIELDS)
    sql = f'SELECT {columns} FROM archive_records WHERE {where} ORDER BY file, "offset"'  # noqa: S608
    rows = con.execute(sql, values or None).fetchall()
    return [_record(row) for row in rows]


def _record(row: Sequence[Any]) -> StoredRecord:
    named = dict(zip(_RECORD_FIELDS, row, strict=True))
    return StoredRecord(**named | {"fetched_at": named["fetched_at"].replace(tzinfo=UTC)})


def record_of(con: duckdb.DuckDBPyConnection, identifier: str) -> StoredRecord:
    """The row of one record.

    Raises:
        KeyError: the index has none.

    """
    found = records(con, "record = $record", record=identifier)
    if not found:
        raise KeyError(identifier)
    return found[0]


def held_payload(con: duckdb.DuckDBPyConnection, source: str, payload_sha256: str) -> StoredRecord | None:
    """The response record of a source that holds these bytes, the first one."""
    where = "source = $source AND record_type = 'response' AND payload_sha256 = $digest"
    return next(iter(records(con, where, source=source, digest=payload_sha256)), None)


def last_answer_at(con: duckdb.DuckDBPyConnection, source: str, url: str) -> StoredRecord | None:
    """The newest complete answer to an address: what a conditional request refers to."""
    where = "source = $source AND url = $url AND record_type IN ('response', 'revisit') AND status IN (200, 304)"
    return max(records(con, where, source=source, url=url), key=lambda r: r.fetched_at, default=None)


def payload_of(con: duckdb.DuckDBPyConnection, archive: Archive, part: str | StoredRecord) -> bytes:
    """The bytes of one part, by the record that its answer names: a revisit's are those it refers to."""
    record = record_of(con, part) if isinstance(part, str) else part
    if record.record_type == "revisit" and record.refers_to is not None:
        record = record_of(con, record.refers_to)
    return archive.payload(record)


def response_header(record: StoredRecord, name: str) -> str | None:
    """Value of a header of an archived answer, whatever its case."""
    pairs = json.loads(record.headers or "[]")
    return next((value for key, value in reversed(pairs) if key.lower() == name.lower()), None)


def guarded_answer(con: duckdb.DuckDBPyConnection, archive: Archive, record: StoredRecord) -> Exchange:
    """An archived answer as the guards on complete bodies look at it: its payload under the media type it came with."""
    base = record_of(con, record.refers_to) if record.record_type == "revisit" and record.refers_to else record
    media = response_header(base, "Content-Type")
    payload = archive.payload(base)
    headers = (("Content-Type", media),) if media else ()
    return Exchange(record.url, (), 200, "OK", headers, payload, payload, record.fetched_at, record.peer or "")


def acknowledged_ends(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """How far each file of the archive is in the index: what lies behind was never acknowledged."""
    rows = con.execute('SELECT file, max("offset" + length) FROM archive_records GROUP BY file').fetchall()
    return {str(file): int(end) for file, end in rows}


# --- answers


def add_answers(warehouse: Warehouse, answers: Sequence[Answer]) -> None:
    """Add answers to the index."""
    rows = [asdict(a) | {"parts": _json(a.parts), "served_at": _naive(a.served_at)} for a in answers]
    if rows:
        warehouse.insert("answers", pl.DataFrame(rows, schema=polars_schema("answers")))


def answers_of(con: duckdb.DuckDBPyConnection, source: str) -> list[Answer]:
    """Every answer of a source, in the order in which they were served."""
    names = [field.name for field in fields(Answer)]
    sql = f"SELECT {', '.join(names)} FROM answers WHERE source = ? ORDER BY served_at, answer"  # noqa: S608
    rows = [dict(zip(names, row, strict=True)) for row in con.execute(sql, [source]).fetchall()]
    return [
        Answer(**row | {"parts": json.loads(row["parts"]), "served_at": row["served_at"].replace(tzinfo=UTC)})
        for row in rows
    ]


def answer_called(con: duckdb.DuckDBPyConnection, identifier: str) -> Answer | None:
    """The answer of that name."""
    source = identifier.partition("@")[0]
    return next((a for a in answers_of(con, source) if a.answer == identifier), None)


def refused_answers(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Names of every refused answer."""
    rows = con.execute("SELECT answer FROM answers WHERE status = 'refused' ORDER BY answer").fetchall()
    return [str(row[0]) for row in rows]


def newest_of(answers: Sequence[Answer], measure: str, before: datetime | None = None) -> Answer | None:
    """The answer of one endpoint that was served last (before a time)."""
    own = [a for a in answers if a.measure == measure and (before is None or a.served_at < before)]
    return max(own, key=lambda a: a.served_at, default=None)


def decide(warehouse: Warehouse, answer: Answer) -> None:
    """Write down what was decided of an answer: status, by what, why, and its vintage."""
    warehouse.con.execute(
        """UPDATE answers SET status = ?, decided_by = ?, why = ?, reader_version = ?, vintage = ?, vintage_precision = ?,
                  manifest = ? WHERE answer = ?""",
        [
            answer.status,
            answer.decided_by,
            answer.why,
            answer.reader_version,
            answer.vintage,
            answer.vintage_precision,
            answer.manifest,
            answer.answer,
        ],
    )
    warehouse.changed = True


def accept_by_hand(warehouse: Warehouse, identifier: str, why: str) -> None:
    """Let a person accept an answer in spite of the checks that compare it; it is read anew, and that is kept for good.

    What is accepted are its bytes: the same bytes served again, before or after, are accepted with it.
    """
    warehouse.con.execute(
        """UPDATE answers SET status = 'new', decided_by = 'hand', why = $why
           WHERE status IN ('refused', 'new') AND (source, measure, original_sha256) IN (
               SELECT (source, measure, original_sha256) FROM answers WHERE answer = $answer)""",
        {"why": why, "answer": identifier},
    )
    warehouse.changed = True


def reopen_all(warehouse: Warehouse, source: str) -> None:
    """Have every answer read and decided anew, but those that the guards on their bytes refused."""
    warehouse.con.execute(
        "UPDATE answers SET status = 'new' WHERE source = ? AND decided_by IS DISTINCT FROM 'bytes'", [source]
    )


def combined(digests: Mapping[str, str]) -> str:
    """Digest of an answer: of its one part, or of the lines of names and digests of several."""
    if len(digests) == 1:
        return next(iter(digests.values()))
    return hashlib.sha256("".join(f"{name} {digests[name]}\n" for name in sorted(digests)).encode()).hexdigest()


def record_checks(warehouse: Warehouse, identifier: str, checks: Sequence[CheckResult]) -> None:
    """Put what the checks of an answer or capture expected and found in the place of what they found before."""
    rows = [(identifier, c.check, c.passed, c.blocking, c.expected, c.found) for c in checks]
    warehouse.con.execute("DELETE FROM checks WHERE capture = ?", [identifier])
    warehouse.insert("checks", pl.DataFrame(rows, schema=polars_schema("checks"), orient="row"))


def checks_of(con: duckdb.DuckDBPyConnection, identifier: str) -> list[CheckResult]:
    """What the checks of an answer or capture expected and found."""
    sql = 'SELECT "check", passed, blocking, expected, found FROM checks WHERE capture = ? ORDER BY "check"'
    return [CheckResult(*row) for row in con.execute(sql, [identifier]).fetchall()]


def sightings(con: duckdb.DuckDBPyConnection) -> dict[str, dict[str, Any]]:
    """By source: when it was last asked, and how its newest answer came out. Sources never asked are not in it."""
    rows = con.execute(
        """SELECT source, max(served_at) FILTER (via IN ('direct', 'mirror')) OVER own, status, why,
                  count(*) FILTER (status = 'refused') OVER own
           FROM answers WINDOW own AS (PARTITION BY source)
           QUALIFY row_number() OVER (PARTITION BY source ORDER BY served_at DESC) = 1"""
    ).fetchall()
    return {
        str(source): {"last_asked": last, "status": status, "why": why, "n_refused": refused}
        for source, last, status, why, refused in rows
    }


def _json(parts: Mapping[str, str]) -> str:
    return json.dumps(dict(parts), sort_keys=True)


def _naive(moment: datetime) -> datetime:
    """The database keeps UTC without a zone."""
    return moment.astimezone(UTC).replace(tzinfo=None)
