"""The archive: what the sources served, in files `<source>/<source>-<year>.warc.gz` with an index `.cdxj` beside each.

Belongs here: adding records, giving their payloads back, and making good what a killed run left. Does not belong here: the
layout of a record (`longwave.warehouse.warc`), the check of every byte (`longwave.warehouse.archive_check`), and what the
records mean (`longwave.warehouse.answers`).

Append-only. One call is one write to the WARC, synced before its index lines are written, and both before the call returns:
what the warehouse acknowledges after that is on the disk. Writers hold the run lock. An append that fails is taken back; one
that is killed leaves whole records that nobody acknowledged, which `recover` adopts, and at most one torn, which it cuts.
A payload held already is not stored again: a revisit refers to it, also where it came compressed otherwise.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, BinaryIO

from longwave.warehouse import warc
from longwave.warehouse.cdxj import index_line, read_index_line, readable_rows
from longwave.warehouse.errors import LongwaveError
from longwave.warehouse.exchange import Exchange, StoredRecord
from longwave.warehouse.home import disk_trouble

Held = Callable[[str], StoredRecord | None]
Told = Callable[[Sequence[StoredRecord]], Mapping[str, Any] | None]
REDIRECTS = (301, 302, 303, 307, 308)
_SOURCE = re.compile(r"[a-z0-9][a-z0-9_]*")
_RESTORE = "restore the file from an export; `longwave verify` names everything that is damaged"


class ArchiveDamaged(LongwaveError):
    """Bytes that the archive had are not what they were. Nothing is changed where this is raised."""


class NotArchivable(LongwaveError):
    """An answer that cannot be kept as a record: the archive is as it was."""


def index_path(path: Path) -> Path:
    """The index beside a WARC file."""
    return path.with_name(path.name.removesuffix(".warc.gz") + ".cdxj")


@dataclass
class _Batch:
    """Records composed for one append: each is read back from its own bytes, so that its row follows from them alone."""

    file: str
    start: int
    data: bytearray = field(default_factory=bytearray)
    lines: bytearray = field(default_factory=bytearray)
    rows: list[StoredRecord] = field(default_factory=list)

    def add(self, stored: bytes) -> StoredRecord:
        record = warc.parse_record(warc.unpack(stored))
        row = warc.describe(record, stored, self.file, self.start + len(self.data))
        self.data += stored
        self.lines += index_line(row, record)
        self.rows.append(row)
        return row

    def holding(self, payload_sha256: str) -> StoredRecord | None:
        """A response of this same append that holds a payload."""
        own = [r for r in self.rows if r.record_type == "response" and r.payload_sha256 == payload_sha256]
        return own[0] if own else None


class Archive:
    """The folder of the archive. Files are made when first written."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def files(self) -> list[Path]:
        """Every WARC file, sorted."""
        return sorted(self.root.glob("*/*.warc.gz"))

    def append(
        self,
        source: str,
        exchanges: Sequence[Exchange],
        *,
        licence: str,
        held: Held,
        last: Held = lambda _: None,
        told: Told = lambda _: None,
    ) -> list[StoredRecord]:
        """Add complete exchanges in one write; it is on the disk when this returns.

        Args:
            source: the source they were fetched for.
            exchanges: in the order they happened. A redirect is followed by the exchange it led to.
            licence: the source's terms, as they stand now.
            held: the response record of this source that holds a payload, by its SHA-256; None where it is new.
            last: the newest complete answer to an address: what an answer of 304 repeats.
            told: given the rows of the answers, what to tell of them in a metadata record of the same write; None: nothing.

        Returns:
            Rows of the new records, in order: in a new file a `warcinfo` first, then of each exchange the response or
            revisit and its request, at the end the metadata record if there is one. The file is that of the year of the
            first exchange.

        Raises:
            NotArchivable: an exchange cannot be written down, or answers 304 where nothing is held.
            ArchiveDamaged: the file does not end where its index does.
            UnusableHome: the disk is full or cannot be written; the file is as it was.

        """
        if not exchanges:
            return []
        year = exchanges[0].fetched_at.astimezone(UTC).year
        batch = self._begin(source, f"{source}/{source}-{year}.warc.gz", exchanges[0].fetched_at, licence)
        for exchange, final_url in zip(exchanges, _final_urls(exchanges), strict=True):
            try:
                _require_payload(exchange)
                referred = _referred(exchange, batch, held, last)
                answer, stored = warc.compose_answer(source, exchange, final_url, licence, referred)
                batch.add(stored)
                batch.add(warc.compose_request(source, exchange, final_url, licence, answer))
            except ValueError as error:
                raise NotArchivable(f"cannot archive what {exchange.url} answered to {source}: {error}") from error
        answers = [row for row in batch.rows if row.record_type in ("response", "revisit")]
        body = told(answers)
        if body is not None:
            at = max(exchange.fetched_at for exchange in exchanges)
            batch.add(warc.compose_note(source, answers, _block(body), at, licence))
        return self._write(batch)

    def note(
        self, source: str, about: Sequence[StoredRecord], body: Mapping[str, Any], at: datetime, *, licence: str
    ) -> StoredRecord:
        """Add a metadata record with a JSON body about records of the archive, in the file of the first of them."""
        if not about:
            raise ValueError("a note is about at least one record")
        batch = self._begin(source, about[0].file, at, licence)
        batch.add(warc.compose_note(source, about, _block(body), at, licence))
        return self._write(batch)[-1]

    def payload(self, record: StoredRecord, referred: StoredRecord | None = None) -> bytes:
        """The payload of a response or revisit, content-coding undone, checked against its digest.

        Args:
            record: the record.
            referred: of a revisit, the record it refers to; without it the index files are searched for it.

        Raises:
            ArchiveDamaged: the bytes are not those recorded, or what a revisit refers to is not there.

        """
        if record.record_type == "revisit":
            content = self.payload(referred or self._referred_by(record))
        else:
            try:
                content = warc.payload_of(self._read(record))
            except ValueError as error:
                raise _damaged(record, str(error)) from error
        if hashlib.sha256(content).hexdigest() != record.payload_sha256:
            raise _damaged(record, f"its payload does not have the SHA-256 recorded, {record.payload_sha256}")
        return content

    def body_of_note(self, record: StoredRecord) -> dict[str, Any]:
        """The JSON body of a metadata record."""
        try:
            return dict(json.loads(self._read(record).block))
        except (ValueError, TypeError) as error:
            raise _damaged(record, f"it holds no JSON object ({error})") from error

    def recover(self, known: Mapping[str, int]) -> list[StoredRecord]:
        """Make good what a killed run left: adopt whole records, cut a torn one, complete the index files.

        Args:
            known: for each file, by its name within the archive, where the records end that the warehouse acknowledges.

        Returns:
            Rows of the records that the warehouse does not have yet.

        Raises:
            ArchiveDamaged: acknowledged bytes are missing or damaged. That file is left as it is.

        """
        names = {path.relative_to(self.root).as_posix() for path in self.files()}
        return [row for name in sorted(names | set(known)) for row in self._recover_file(name, known.get(name, 0))]

    def _begin(self, source: str, file: str, at: datetime, licence: str) -> _Batch:
        if not _SOURCE.fullmatch(source):
            raise ValueError(f"{source!r} is not the identifier of a source")
        path = self.root / file
        size, described = _size(path), last_line_end(index_path(path), file)
        if size != described:
            raise ArchiveDamaged(
                f"{path} does not end where its index {index_path(path).name} does; the next run makes that good: run again"
            )
        batch = _Batch(file, size)
        if not size:
            software = f"longwave/{metadata.version('longwave')}"
            batch.add(warc.compose_warcinfo(source, file.rpartition("/")[2], at, licence, software))
        return batch

    def _write(self, batch: _Batch) -> list[StoredRecord]:
        path = self.root / batch.file
        with disk_trouble(path):
            before = _size(index_path(path))
            fresh = [folder for folder in (path.parent, self.root) if not folder.exists()]
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                _extend(path, batch.data)
                _extend(index_path(path), batch.lines)
                if not batch.start:
                    _sync_folders(path.parent, *(folder.parent for folder in fresh))
            except BaseException:
                # The index first: a line must never speak of bytes that are gone.
                _shorten(index_path(path), before)
                _shorten(path, batch.start)
                raise
        return batch.rows

    def _read(self, row: StoredRecord) -> warc.Record:
        path = self.root / row.file
        try:
            with path.open("rb") as file:
                file.seek(row.offset)
                stored = file.read(row.length)
        except FileNotFoundError as error:
            raise _damaged(row, "the file is missing") from error
        if hashlib.sha256(stored).hexdigest() != row.stored_sha256:
            raise _damaged(row, "its stored bytes do not have the SHA-256 recorded")
        try:
            return warc.parse_record(warc.unpack(stored))
        except ValueError as error:
            raise _damaged(row, str(error)) from error

    def _referred_by(self, record: StoredRecord) -> StoredRecord:
        wanted = str(record.refers_to).encode()
        for path in sorted((self.root / record.file).parent.glob("*.cdxj")):
            name = path.relative_to(self.root).as_posix().removesuffix(".cdxj") + ".warc.gz"
            lines = b"\n".join(line for line in path.read_bytes().split(b"\n") if wanted in line)
            for row in readable_rows(lines, name):
                if row.record == record.refers_to and row.record_type == "response":
                    return row
        raise _damaged(record, f"the record it refers to, {record.refers_to}, is not in the archive")

    def _recover_file(self, name: str, acknowledged: int) -> list[StoredRecord]:
        path = self.root / name
        size = _size(path)
        if size < acknowledged:
            state = "is missing" if not path.exists() else f"has {size} bytes"
            raise ArchiveDamaged(f"{path} {state}, and the warehouse knows {acknowledged} bytes of it; {_RESTORE}")
        if size == acknowledged == last_line_end(index_path(path), name):
            if not size:
                path.unlink(missing_ok=True)
            return []
        lines = _read_bytes(index_path(path))
        ends = contiguous_ends(lines, name)
        start = max(end for end in ends if end <= acknowledged)
        batch = _Batch(name, start)
        trouble = _scan(path, batch)
        whole = start + len(batch.data)
        # A record that is damaged, not torn, and has its index line was once whole: it is not what a killed run left.
        if trouble and (whole < acknowledged or (not trouble.torn and whole < max(ends))):
            raise ArchiveDamaged(f"{path}, record at {whole}: {trouble.reason}; {_RESTORE}")
        with disk_trouble(path):
            _rewrite_tail(index_path(path), ends[start], bytes(batch.lines))
            if trouble:
                _shorten(path, whole)
        return [row for row in batch.rows if row.offset >= acknowledged]


def _block(body: Mapping[str, Any]) -> bytes:
    return (json.dumps(dict(body), ensure_ascii=False, sort_keys=True, indent=1) + "\n").encode()


@dataclass(frozen=True)
class _Trouble:
    reason: str
    torn: bool


def _scan(path: Path, batch: _Batch) -> _Trouble | None:
    """Read records from where the batch begins into it, as far as they are whole; says what stopped it before the end."""
    size = _size(path)
    with path.open("rb") as file:
        while batch.start + len(batch.data) < size:
            try:
                batch.add(warc.read_member(file, batch.start + len(batch.data))[0])
            except warc.Torn as error:
                return _Trouble(str(error), torn=True)
            except ValueError as error:
                return _Trouble(str(error), torn=False)
    return None


def contiguous_ends(lines: bytes, file: str) -> dict[int, int]:
    """Where the records end that index lines speak of without a gap: offset in the WARC to offset in the index."""
    ends, position, end = {0: 0}, 0, 0
    for line in lines.splitlines(keepends=True):
        try:
            row = read_index_line(line, file)
        except ValueError:
            break
        if row.offset != end or row.length < 1 or not line.endswith(b"\n"):
            break
        position, end = position + len(line), end + row.length
        ends[end] = position
    return ends


def last_line_end(path: Path, file: str) -> int:
    """Where the record of an index's last line ends; 0 for no index, -1 where the last line is torn or not one of ours."""
    size, window, tail = _size(path), 4096, b""
    while len(tail) < size and tail[:-1].count(b"\n") < 1:
        tail, window = _read_bytes(path, max(0, size - window)), window * 4
    if not size:
        return 0
    try:
        row = read_index_line(tail[:-1].rpartition(b"\n")[2], file)
    except ValueError:
        return -1
    return row.offset + row.length if tail.endswith(b"\n") else -1


def _final_urls(exchanges: Sequence[Exchange]) -> list[str]:
    """The address at the end of the redirects that each exchange belongs to."""
    urls: list[str] = []
    for exchange in reversed(exchanges):
        urls.append(urls[-1] if urls and exchange.status in REDIRECTS else exchange.url)
    return urls[::-1]


def _require_payload(exchange: Exchange) -> None:
    """What is read back later must be the payload that was judged."""
    if warc.undo_coding(exchange.headers, exchange.body, len(exchange.payload)) != exchange.payload:
        raise ValueError("its payload is not its body with the content-coding undone")


def _referred(exchange: Exchange, batch: _Batch, held: Held, last: Held) -> StoredRecord | None:
    """The response record that an exchange repeats."""
    if exchange.status != 304:
        digest = exchange.payload_sha256
        return batch.holding(digest) or held(digest)
    before = last(exchange.url)
    if before is not None and before.record_type == "revisit":
        before = held(str(before.payload_sha256))
    if before is None:
        raise ValueError("it says 304, not modified, and nothing that it could repeat is held")
    return before


def _damaged(row: StoredRecord, what: str) -> ArchiveDamaged:
    return ArchiveDamaged(f"archive file {row.file}, record at {row.offset} (source {row.source}): {what}; {_RESTORE}")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _read_bytes(path: Path, start: int = 0) -> bytes:
    if not path.is_file():
        return b""
    with path.open("rb") as file:
        file.seek(start)
        return file.read()


def _extend(path: Path, data: bytes | bytearray) -> None:
    with path.open("ab") as file:
        file.write(data)
        _sync(file)


def _rewrite_tail(path: Path, start: int, lines: bytes) -> None:
    """Put index lines in the place of all behind an offset; an index without a line is removed."""
    if _read_bytes(path, start) == lines:
        return
    if not start + len(lines):
        path.unlink()
        return
    with path.open("r+b" if path.exists() else "wb") as file:
        file.truncate(start)
        file.seek(start)
        file.write(lines)
        _sync(file)


def _shorten(path: Path, size: int) -> None:
    """Take a file back to a size; one that was not there before is removed."""
    if not path.exists():
        return
    if not size:
        path.unlink()
        return
    with path.open("r+b") as file:
        file.truncate(size)
        _sync(file)


def _sync(file: BinaryIO | Any) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync_folders(*folders: Path) -> None:
    """A new name is on the disk only when its folder is."""
    for folder in folders:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
