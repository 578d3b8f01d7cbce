"""The index line of a record, in the file `.cdxj` beside each WARC: the archive is searched and verified without the warehouse.

Belongs here: writing and reading one line, and the key under which web archives sort an address. Does not belong here: the
record itself (`longwave.warehouse.warc`), and files (`longwave.warehouse.archive`).

A line is urlkey, 14-digit time and JSON, whose first keys are those that replay tools read. Every record has one, so that
every byte of the WARC is accounted for. Lines stand in the order of the records; a tool that searches them wants them sorted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any

from longwave.warehouse.exchange import StoredRecord
from longwave.warehouse.warc import Record

_AS_NAMED = [
    *("record", "source", "url", "final_url", "peer", "body_bytes", "payload_bytes", "payload_sha256", "refers_to"),
    *("stored_sha256", "licence"),
]


def index_line(row: StoredRecord, record: Record) -> bytes:
    """The line of a record: `row` is what `longwave.warehouse.warc.describe` says of it."""
    kind = row.record_type
    headers = json.loads(row.headers) if row.headers is not None else None
    mime = "warc/revisit" if kind == "revisit" else record["Content-Type"]
    if kind == "response":
        stated = [value for name, value in headers or [] if name.lower() == "content-type"]
        mime = stated[-1].partition(";")[0].strip() if stated else "unk"
    entry: dict[str, Any] = {
        "url": row.url,
        "mime": mime,
        "status": "-" if row.status is None else str(row.status),
        "digest": row.warc_digest or "-",
        "length": str(row.length),
        "offset": str(row.offset),
        "filename": row.file.rpartition("/")[2],
        "record": row.record,
        "type": kind,
        "source": row.source,
        "final_url": row.final_url,
        "headers": headers,
        "fetched_at": row.fetched_at.isoformat(timespec="microseconds"),
        "peer": row.peer,
        "via": record.get("Longwave-Via"),
        "body_bytes": row.body_bytes,
        "payload_bytes": row.payload_bytes,
        "payload_sha256": row.payload_sha256,
        "refers_to": row.refers_to,
        "stored_sha256": row.stored_sha256,
        "licence": row.licence,
    }
    return f"{urlkey(row.url)} {row.fetched_at:%Y%m%d%H%M%S} {json.dumps(entry)}\n".encode()


def read_index_line(line: bytes, file: str) -> StoredRecord:
    """The row that a CDXJ line speaks of, without its bytes being looked at.

    Raises:
        ValueError: it is not a line of ours.

    """
    try:
        entry = json.loads(line.decode().split(" ", 2)[2])
        taken = {name: entry[name] for name in _AS_NAMED}
        return StoredRecord(
            **taken,
            record_type=entry["type"],
            headers=None if entry["headers"] is None else json.dumps(entry["headers"]),
            status=None if entry["status"] == "-" else int(entry["status"]),
            fetched_at=datetime.fromisoformat(entry["fetched_at"]),
            warc_digest=None if entry["digest"] == "-" else entry["digest"],
            file=file,
            offset=int(entry["offset"]),
            length=int(entry["length"]),
        )
    except (IndexError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"not an index line: {line[:60]!r}") from error


def readable_rows(lines: bytes, file: str) -> Iterator[StoredRecord]:
    """The rows that the lines of an index speak of; what is no line of ours is passed over."""
    for line in lines.split(b"\n"):
        with suppress(ValueError):
            yield read_index_line(line, file)


def urlkey(url: str) -> str:
    """The address as web archives sort it (SURT): host reversed, `www.` and fragment left out, lower case, query sorted.

    What is not http(s) has the key `-`.
    """
    matched = re.fullmatch(
        r"(?i:https?)://(?:[^@/?#]*@)?(\[[^\]]*\]|[^:/?#]*)(?::([0-9]*))?([^?#]*)(?:\?([^#]*))?(?:#.*)?", url
    )
    if matched is None:
        return "-"
    host, port, path, query = (part or "" for part in matched.groups())
    host = re.sub(r"^www[0-9]*\.", "", host.lower().rstrip("."))
    numeric = host.startswith("[") or re.fullmatch(r"[0-9.]+", host)
    name = host if numeric else ",".join(reversed(host.split(".")))
    shown_port = "" if port in ("", "80", "443") else f":{port}"
    shown_path = (path.rstrip("/") or "/").lower()
    sorted_query = "?" + "&".join(sorted(query.lower().split("&"))) if query else ""
    return f"{name}{shown_port}){shown_path}{sorted_query}"
