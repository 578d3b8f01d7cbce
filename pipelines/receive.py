"""The body of an answer, taken in under a cap on its raw size and on its unpacked size.

Belongs here: bytes as they arrive, and the undoing of gzip. Does not belong here: connections
(`longwave.pipelines.transport`), and what a whole body must look like (`longwave.pipelines.bodies`).

What gzip would unpack to is counted before any of it is kept, so that a gzip bomb costs time up to the cap and no memory.
A coding other than gzip was not asked for and is refused, and so is a gzip stream that is cut short, damaged or followed
by something else.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

_STEP = 1 << 20
_SLICE = 1 << 16
# Each costs a new start; a body of nothing but empty ones would take hours.
_MEMBERS = 10_000
_GZIP = zlib.MAX_WBITS | 16


class TooLarge(Exception):
    """More bytes than allowed."""


class BadCoding(Exception):
    """A content-coding that cannot be undone; `passing` where asking again may help, `cut` where the end is missing."""

    def __init__(self, message: str, *, passing: bool, cut: bool = False) -> None:
        super().__init__(message)
        self.passing, self.cut = passing, cut


def require_known_coding(coding: str | None) -> bool:
    """Whether a body is packed with gzip, by its Content-Encoding header.

    Raises:
        BadCoding: it is packed with something else.

    """
    named = (coding or "identity").strip().lower()
    if named not in ("", "identity", "gzip", "x-gzip"):
        raise BadCoding(f"the body is packed as {named!r}, and only gzip was asked for", passing=False)
    return "gzip" in named


def take(chunks: Iterable[bytes], limit: int) -> bytes:
    """All bytes of a body.

    Raises:
        TooLarge: there are more than `limit`; what follows is not read.

    """
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > limit:
            raise TooLarge(f"the body has more than the {limit:,} bytes allowed")
    return bytes(body)


def unpacked(body: bytes, limit: int) -> bytes:
    """A gzip body unpacked; several members one after another are one body.

    Raises:
        TooLarge: it would unpack to more than `limit` bytes.
        BadCoding: it is no gzip, damaged or cut short.

    """
    size = 0
    for part in _parts(body):
        size += len(part)
        if size > limit:
            raise TooLarge(f"the body of {len(body):,} bytes unpacks to more than the {limit:,} bytes allowed")
    return b"".join(_parts(body))


def _parts(body: bytes) -> Iterator[bytes]:
    """What a gzip body unpacks to, at most a mebibyte at a time; taken in by slices, since zlib copies what it leaves."""
    members, unpacker = 0, None
    for start in range(0, len(body), _SLICE):
        rest = body[start : start + _SLICE]
        while rest:
            if unpacker is None:
                members, unpacker = members + 1, zlib.decompressobj(_GZIP)
            yield from _drained(unpacker, rest)
            rest = unpacker.unused_data
            unpacker = None if unpacker.eof else unpacker
            if members > _MEMBERS:
                raise BadCoding(f"the gzip body has more than {_MEMBERS:,} members", passing=False)
    if unpacker is not None:
        raise BadCoding("the gzip body ends before its end", passing=True, cut=True)


def _drained(unpacker: zlib._Decompress, packed: bytes) -> Iterator[bytes]:
    """All that a slice unpacks to, up to the end of its member."""
    try:
        while True:
            yield unpacker.decompress(packed, _STEP)
            packed = unpacker.unconsumed_tail
            if unpacker.eof or not packed:
                return
    except zlib.error as error:
        raise BadCoding(f"the gzip body is damaged: {error}", passing=True) from error
