"""One request and its complete answer, as it went over the wire: what the fetcher hands to the archive."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Exchange:
    """A request and an answer received whole.

    `url` is the address asked, without a mirror in front of it. `body` is as served: content-coding kept, transfer-coding
    undone. `payload` is the body with the content-coding undone. `fetched_at` is aware, in UTC. `via` says through what it
    came: `direct`, `mirror`, or the web archive's host.
    """

    url: str
    request_headers: Headers
    status: int
    reason: str
    headers: Headers
    body: bytes
    payload: bytes
    fetched_at: datetime
    peer: str
    via: str = "direct"

    def header(self, name: str) -> str | None:
        """Value of a response header, whatever its case; the last one where it is repeated."""
        return next((value for key, value in reversed(self.headers) if key.lower() == name.lower()), None)

    @property
    def payload_sha256(self) -> str:
        """Digest of the payload."""
        return hashlib.sha256(self.payload).hexdigest()


@dataclass(frozen=True)
class StoredRecord:
    """A row of `archive_records`: a record of the archive and where its bytes lie."""

    record: str
    source: str
    record_type: str
    url: str
    final_url: str
    status: int | None
    headers: str | None
    fetched_at: datetime
    peer: str | None
    body_bytes: int | None
    payload_bytes: int | None
    payload_sha256: str | None
    warc_digest: str | None
    refers_to: str | None
    file: str
    offset: int
    length: int
    stored_sha256: str
    licence: str
