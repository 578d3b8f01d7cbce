"""Invented exchanges, and a small archive of them in which every kind of record stands."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path

from longwave.warehouse.archive import Archive
from longwave.warehouse.exchange import Exchange, StoredRecord

URL = "https://figures.example.org/data/users.csv?v=1"
LICENCE = "CC BY 4.0"
DAY = datetime(2025, 3, 1, 9, 30, 0, 123456, tzinfo=UTC)
TABLE = b"Entity,Code,Year,Share\n" + b"".join(b"Land %d,L%02d,2020,%d\n" % (n, n, n) for n in range(40))


def exchange(
    payload=TABLE, *, url=URL, at=DAY, status=200, headers=(), packed=False, mtime=0, via="direct", peer="93.184.216.34"
):
    """A request and its answer; `packed` serves the payload through gzip, `mtime` makes other bytes of it."""
    body = gzip.compress(payload, mtime=mtime) if packed else payload
    coding = (("Content-Encoding", "gzip"),) if packed else ()
    served = (("Content-Type", "text/csv; charset=utf-8"), *coding, *headers)
    asked = (("Host", "figures.example.org"), ("User-Agent", "longwave/0 (+https://example.org)"))
    return Exchange(url, asked, status, "OK", served, body, payload, at, peer, via)


class Index:
    """What the warehouse does for the archive, in a list."""

    def __init__(self):
        self.rows: list[StoredRecord] = []

    def held(self, digest):
        """The response that holds a payload."""
        return next((r for r in self.rows if r.record_type == "response" and r.payload_sha256 == digest), None)

    def last(self, url):
        """The newest answer at an address."""
        own = [r for r in self.rows if r.record_type in ("response", "revisit") and r.url == url]
        return max(own, key=lambda r: r.fetched_at, default=None)

    def append(self, archive: Archive, source, *exchanges, licence=LICENCE):
        """Append and index."""
        made = archive.append(source, exchanges, licence=licence, held=self.held, last=self.last)
        self.rows += made
        return made

    def ends(self):
        """How far each file is acknowledged."""
        ends: dict[str, int] = {}
        for row in self.rows:
            ends[row.file] = max(ends.get(row.file, 0), row.offset + row.length)
        return ends


def fill(root: Path) -> tuple[Archive, Index]:
    """Two sources, two years, redirects, a body packed and not, revisits of three kinds, and a note."""
    archive, index = Archive(root), Index()
    etag = ("ETag", '"one"')
    first = index.append(archive, "grapher", exchange(packed=True, headers=(etag,)))
    index.append(archive, "grapher", exchange(packed=True, at=DAY + timedelta(days=7), headers=(etag,)))
    index.append(archive, "grapher", exchange(packed=True, mtime=5, at=DAY + timedelta(days=14)))
    index.append(archive, "grapher", exchange(b"", status=304, at=DAY + timedelta(days=21), headers=(etag,)))
    manifest = {"answer": "grapher@2025-03-01", "parts": {"data": first[1].record}}
    index.rows.append(archive.note("grapher", first[1:2], manifest, DAY, licence=LICENCE))
    hop = exchange(b"moved", url="https://figures.example.org/old", status=301, headers=(("Location", "/new"),))
    index.append(archive, "hccta", hop, exchange(b"radio\x00\xff\n", url="https://figures.example.org/new"))
    index.append(
        archive, "hccta", exchange(b"next year", url="https://figures.example.org/new", at=DAY.replace(year=2026))
    )
    return archive, index
