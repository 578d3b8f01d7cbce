"""One record of the archive as bytes: composed from an exchange, read back, and described as a row of the index.

Belongs here: the layout of a record (WARC 1.1, ISO 28500:2017, one gzip member each). Does not belong here: its index line
(`longwave.warehouse.cdxj`), files and folders (`longwave.warehouse.archive`), and whether they are sound
(`longwave.warehouse.archive_check`).

Everything said of a record follows from its own bytes and from where they lie, so that index lines and rows can be made again
from the archive alone. What WARC has no field for stands in fields of our own, named `Longwave-…`. HTTP heads are kept byte
for byte: header text is Latin-1, one byte a character, and text beyond that is written as UTF-8.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import uuid
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import BinaryIO

from longwave.warehouse.exchange import Exchange, Headers, StoredRecord
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

MAX_RECORD_BYTES = 512 * 2**20
"""No record may be longer, unpacked: a flipped bit must not make a reader fill the memory."""
PROFILES = {
    "identical": "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest",
    "not modified": "http://netpreserve.org/warc/1.1/revisit/server-not-modified",
    # Ours: the payload is the same, but its bytes were compressed otherwise; a tool that does not know it must not merge.
    "recompressed": "urn:longwave:revisit:identical-decoded-payload",
}
_NAMES = uuid.uuid5(uuid.NAMESPACE_URL, "urn:longwave:record")
_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_CHUNK = 2**16

Fields = list[tuple[str, str]]


@dataclass(frozen=True)
class Record:
    """A record read from its bytes: named fields in order, and the block behind them."""

    fields: tuple[tuple[str, str], ...]
    block: bytes

    def get(self, name: str) -> str | None:
        """Value of a field, the first where it is repeated."""
        return next((value for key, value in self.fields if key.lower() == name.lower()), None)

    def all(self, name: str) -> list[str]:
        """Every value of a field."""
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def __getitem__(self, name: str) -> str:
        """Value of a field that must be there; a ValueError says which is missing."""
        value = self.get(name)
        if value is None:
            raise ValueError(f"the field {name} is missing")
        return value

    @property
    def http(self) -> tuple[bytes, bytes]:
        """Head and body of an HTTP message, the empty line between them left out."""
        head, end, body = self.block.partition(b"\r\n\r\n")
        if not end:
            raise ValueError("the HTTP head does not end")
        return head, body


class _Head(StatusAndHeaders):  # type: ignore[misc]
    """An HTTP head that is written as it was received: the library would percent-encode what is not ASCII."""

    def __init__(self, raw: bytes) -> None:
        super().__init__("as received", [])
        self.headers_buff = raw

    def compute_headers_buffer(self, header_filter: object = None) -> None:
        """Leave the bytes alone."""


# --- composing


def compose_warcinfo(source: str, file: str, at: datetime, licence: str, software: str) -> bytes:
    """The first record of a file: what wrote it, for which source, in which format."""
    about = {
        "software": software,
        "format": "WARC File Format 1.1",
        "conformsTo": "https://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/",
        "isPartOf": source,
        "description": "answers as served; the fields Longwave-* are described in longwave.warehouse.warc",
    }
    block = "".join(f"{name}: {_line(text)}\r\n" for name, text in about.items()).encode()
    fields = _fields("warcinfo", source, at, licence, [source, file])
    return _compose([*fields, ("WARC-Filename", file)], "application/warc-fields", block)


def compose_answer(
    source: str, exchange: Exchange, final_url: str, licence: str, referred: StoredRecord | None
) -> tuple[str, bytes]:
    """The record of what was answered, with its identifier: a response, or with `referred` a revisit of that response.

    Raises:
        ValueError: the exchange cannot stand in an HTTP message (a line break in a header, a transfer coding left).

    """
    kind = "revisit" if referred else "response"
    unchanged = exchange.status == 304 and referred is not None
    digest = str(referred.payload_sha256) if unchanged and referred else exchange.payload_sha256
    served = _sha1(exchange.body)
    size = referred.payload_bytes if unchanged and referred else len(exchange.payload)
    fields = _fields(kind, source, exchange.fetched_at, licence, [source, exchange.url, digest], exchange)
    if referred is not None:
        same = served == referred.warc_digest
        profile = PROFILES["not modified" if unchanged else "identical" if same else "recompressed"]
        fields += [
            ("WARC-Profile", profile),
            ("WARC-Refers-To", f"<urn:uuid:{referred.record}>"),
            ("WARC-Refers-To-Target-URI", referred.url),
            ("WARC-Refers-To-Date", referred.fetched_at.astimezone(UTC).strftime(_TIME)),
        ]
    fields += [
        ("WARC-Payload-Digest", str(referred.warc_digest) if unchanged and referred else served),
        ("Longwave-Final-URI", _line(final_url)),
        ("Longwave-Body-Length", str(len(exchange.body))),
        ("Longwave-Payload-Length", str(size)),
        ("Longwave-Payload-SHA256", digest),
    ]
    head = _head(f"HTTP/1.1 {exchange.status} {exchange.reason}", exchange.headers)
    body = b"" if referred else exchange.body
    return fields[1][1], _compose(fields, "application/http; msgtype=response", body, head)


def compose_request(source: str, exchange: Exchange, final_url: str, licence: str, answer: str) -> bytes:
    """The record of what was asked; `answer` is the identifier of the record of the answer, as it stands in its field."""
    names = [source, exchange.url, answer]
    fields = _fields("request", source, exchange.fetched_at, licence, names, exchange)
    fields += [("WARC-Concurrent-To", answer), ("Longwave-Final-URI", _line(final_url))]
    matched = re.match(r"[a-zA-Z][^:]*://[^/?#]*([^#]*)", exchange.url)
    if matched is None:
        raise ValueError(f"{exchange.url} is not an address")
    target = matched[1] if matched[1].startswith("/") else f"/{matched[1]}"
    head = _head(f"GET {target} HTTP/1.1", exchange.request_headers)
    return _compose(fields, "application/http; msgtype=request", b"", head)


def compose_note(source: str, about: Sequence[StoredRecord], block: bytes, at: datetime, licence: str) -> bytes:
    """A metadata record: a JSON text about records of the archive."""
    names = [source, *(record.record for record in about), hashlib.sha256(block).hexdigest()]
    fields = _fields("metadata", source, at, licence, names)
    fields += [("WARC-Target-URI", about[0].url), ("WARC-Refers-To", f"<urn:uuid:{about[0].record}>")]
    fields += [("Longwave-About", f"<urn:uuid:{record.record}>") for record in about]
    return _compose([*fields, ("Longwave-Final-URI", about[0].final_url)], "application/json", block)


def _fields(
    kind: str, source: str, at: datetime, licence: str, names: Sequence[str], exchange: Exchange | None = None
) -> Fields:
    if at.tzinfo is None:
        raise ValueError(f"the time {at} has no zone")
    date = at.astimezone(UTC).strftime(_TIME)
    identifier = uuid.uuid5(_NAMES, "\n".join([kind, date, *names]))
    fields = [("WARC-Type", kind), ("WARC-Record-ID", f"<urn:uuid:{identifier}>"), ("WARC-Date", date)]
    fields += [("Longwave-Source", _line(source)), ("Longwave-Licence", _line(licence))]
    if exchange is not None:
        if re.search(r"\s", exchange.url):
            raise ValueError(f"the address {exchange.url!r} has white space in it")
        fields += [("WARC-Target-URI", _line(exchange.url)), ("Longwave-Via", _line(exchange.via))]
        fields += [("WARC-IP-Address", _line(exchange.peer))] if exchange.peer else []
    return fields


def _compose(fields: Fields, content_type: str, block: bytes, head: bytes | None = None) -> bytes:
    if len(block) + len(head or b"") > MAX_RECORD_BYTES // 2:
        raise ValueError(f"{len(block)} bytes are more than a record of the archive may hold")
    out = BytesIO()
    writer = WARCWriter(out, gzip=True, warc_version="WARC/1.1")
    record = writer.create_warc_record(
        "",
        fields[0][1],
        payload=BytesIO(block) if block else None,
        length=len(block),
        warc_content_type=content_type,
        warc_headers=StatusAndHeaders("", list(fields), protocol="WARC/1.1"),
        http_headers=_Head(head) if head is not None else None,
    )
    writer.write_record(record)
    return out.getvalue()


def _head(first: str, headers: Headers) -> bytes:
    lines = [first]
    for name, value in headers:
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of an HTTP header")
        if name.lower() == "transfer-encoding":
            raise ValueError("the header Transfer-Encoding must be renamed: other tools would undo the coding twice")
        lines.append(f"{name}: {value}")
    return b"\r\n".join(_header_bytes(_line(line)) for line in lines) + b"\r\n\r\n"


def _header_bytes(line: str) -> bytes:
    try:
        return line.encode("latin-1")
    except UnicodeEncodeError:
        return line.encode()


def _line(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError(f"{text!r} has a line break or control character in it")
    return text


def _sha1(data: bytes) -> str:
    return "sha1:" + base64.b32encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode()


# --- reading


class Torn(ValueError):
    """The file ends before the record does."""


def read_member(file: BinaryIO, offset: int) -> tuple[bytes, bytes]:
    """The gzip member at an offset: its bytes as stored, and unpacked.

    Raises:
        Torn: the file ends inside it.
        ValueError: it is damaged, or no gzip member at all.

    """
    file.seek(offset)
    unpack = zlib.decompressobj(zlib.MAX_WBITS + 16)
    stored, data = bytearray(), bytearray()
    try:
        while not unpack.eof:
            chunk = file.read(_CHUNK)
            if not chunk:
                raise Torn("the file ends inside the record")
            stored += chunk
            data += unpack.decompress(chunk)
            if len(data) > MAX_RECORD_BYTES:
                raise ValueError(f"it unpacks to more than {MAX_RECORD_BYTES} bytes")
    except zlib.error as error:
        raise ValueError(f"it cannot be unpacked ({error})") from error
    return bytes(stored[: len(stored) - len(unpack.unused_data)]), bytes(data)


def unpack(stored: bytes) -> bytes:
    """The bytes of one whole record, unpacked.

    Raises:
        ValueError: they are not exactly one gzip member.

    """
    member, data = read_member(BytesIO(stored), 0)
    if len(member) != len(stored):
        raise ValueError("more bytes follow the record")
    return data


def parse_record(data: bytes) -> Record:
    """A record from its unpacked bytes.

    Raises:
        ValueError: the bytes are not exactly one record of WARC 1.1.

    """
    head, _, rest = data.partition(b"\r\n\r\n")
    version, *lines = head.decode().split("\r\n")
    fields = tuple((name, value) for name, _, value in (line.partition(": ") for line in lines))
    record = Record(fields, b"")
    length = record["Content-Length"]
    if version != "WARC/1.1" or not re.fullmatch("[0-9]{1,12}", length):
        raise ValueError("it does not begin like a record of WARC 1.1")
    if rest[int(length) :] != b"\r\n\r\n":
        raise ValueError("its length is not the one it states")
    return Record(fields, rest[: int(length)])


def describe(record: Record, stored: bytes, file: str, offset: int) -> StoredRecord:
    """The row of the index that follows from a record's bytes (`stored`: compressed) and from where they lie.

    Raises:
        ValueError: a field that must be there is missing or is not what it should be.

    """
    kind = record["WARC-Type"]
    url = record["WARC-Filename"] if kind == "warcinfo" else record["WARC-Target-URI"]
    refers_to = record.get("WARC-Refers-To")
    answered = kind in ("response", "revisit")
    status, headers = _status_and_headers(record.http[0]) if answered else (None, None)
    return StoredRecord(
        record=_identifier(record["WARC-Record-ID"]),
        source=record["Longwave-Source"],
        record_type=kind,
        url=url,
        final_url=record.get("Longwave-Final-URI") or url,
        status=status,
        headers=headers,
        fetched_at=datetime.strptime(record["WARC-Date"], _TIME).replace(tzinfo=UTC),
        peer=record.get("WARC-IP-Address"),
        body_bytes=int(record["Longwave-Body-Length"]) if answered else None,
        payload_bytes=int(record["Longwave-Payload-Length"]) if answered else None,
        payload_sha256=record["Longwave-Payload-SHA256"] if answered else None,
        warc_digest=record["WARC-Payload-Digest"] if answered else None,
        refers_to=_identifier(refers_to) if refers_to is not None else None,
        file=file,
        offset=offset,
        length=len(stored),
        stored_sha256=hashlib.sha256(stored).hexdigest(),
        licence=record["Longwave-Licence"],
    )


def _identifier(field: str) -> str:
    matched = re.fullmatch("<urn:uuid:([0-9a-f-]{36})>", field)
    if matched is None:
        raise ValueError(f"{field!r} is not an identifier of a record")
    return matched[1]


def _status_and_headers(head: bytes) -> tuple[int, str]:
    first, *lines = head.decode("latin-1").split("\r\n")
    matched = re.match(r"HTTP/1\.1 ([0-9]{3}) ", first)
    if matched is None:
        raise ValueError("it holds no HTTP answer")
    pairs = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
    return int(matched[1]), json.dumps(pairs)


def body_problems(record: Record) -> list[str]:
    """What a record's own digests and sizes say against it; empty where they hold."""
    kind, problems = record["WARC-Type"], []
    body = record.http[1] if kind in ("request", "response", "revisit") else record.block
    checks = {"WARC-Block-Digest": _sha1(record.block)}
    if kind == "response":
        checks |= {"WARC-Payload-Digest": _sha1(body), "Longwave-Body-Length": str(len(body))}
        content = payload_of(record)
        checks["Longwave-Payload-Length"] = str(len(content))
        checks["Longwave-Payload-SHA256"] = hashlib.sha256(content).hexdigest()
    for name, found in checks.items():
        if record[name] != found:
            problems.append(f"{name}: stated {record[name]}, found {found}")
    return problems


def payload_of(record: Record) -> bytes:
    """The payload of a response record, content-coding undone.

    Raises:
        ValueError: the body is not in the coding that its headers state, or is longer than stated.

    """
    head, body = record.http
    headers = json.loads(_status_and_headers(head)[1])
    return undo_coding(
        [(str(name), str(value)) for name, value in headers], body, int(record["Longwave-Payload-Length"])
    )


def undo_coding(headers: Sequence[tuple[str, str]], body: bytes, limit: int) -> bytes:
    """A body with the content-coding that its headers state undone: gzip, or none.

    Raises:
        ValueError: another coding, a damaged body, or more than `limit` bytes.

    """
    stated = ",".join(value for name, value in headers if name.lower() == "content-encoding")
    codings = [coding.strip().lower() for coding in stated.split(",")]
    for coding in reversed([c for c in codings if c not in ("", "identity")]):
        if coding not in ("gzip", "x-gzip"):
            raise ValueError(f"the content-coding {coding} is not one that is kept here")
        body = _gunzip(body, limit)
    return body


def _gunzip(packed: bytes, limit: int) -> bytes:
    """All members one after another, taken in by slices, since zlib copies what it leaves."""
    out, unpack = bytearray(), None
    try:
        for start in range(0, len(packed), _CHUNK):
            rest = packed[start : start + _CHUNK]
            while rest:
                unpack = unpack or zlib.decompressobj(zlib.MAX_WBITS + 16)
                # One byte over the limit tells a body that is too long from one that ends at it.
                out += unpack.decompress(rest, limit + 1 - len(out))
                if len(out) > limit:
                    raise ValueError(f"the body unpacks to more than the {limit} bytes stated")
                rest, unpack = unpack.unused_data, None if unpack.eof else unpack
    except zlib.error as error:
        raise ValueError(f"the body cannot be unpacked ({error})") from error
    if unpack is not None:
        raise ValueError("the body is cut short")
    return bytes(out)
