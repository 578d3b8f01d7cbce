"""Every byte of the archive against every witness there is of it: `longwave verify`.

Belongs here: finding damage and naming it. Does not belong here: mending (`longwave.warehouse.archive`), and whether the
observations are those of their captures (`longwave.pipelines.verify`).

Each record is read from its bytes, its digests are made again, and so is its index line, which must stand in the `.cdxj` byte
for byte. The line holds the digest of the record's compressed bytes, so that a flipped bit shows wherever it is, in a gzip
header too. The rows of the warehouse are a third witness. A damaged record is named and passed over: the next boundary is
taken from whichever witness still knows it.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC
from pathlib import Path
from typing import BinaryIO

from longwave.warehouse import warc
from longwave.warehouse.archive import index_path
from longwave.warehouse.cdxj import index_line, readable_rows
from longwave.warehouse.exchange import StoredRecord
from longwave.warehouse.home import disk_trouble

Stamp = list[int]


@dataclass
class _File:
    """What the check of one WARC file and its index found."""

    name: str
    problems: list[str] = field(default_factory=list)
    rows: list[StoredRecord] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    damaged: set[int] = field(default_factory=set)

    def blame(self, offset: int, what: str) -> None:
        source = self.name.partition("/")[0]
        self.problems.append(f"archive file {self.name}, record at {offset} (source {source}): {what}")


def verify_archive(
    root: Path, known: Sequence[StoredRecord] | None, *, state: Path | None = None, fast: bool = False
) -> list[str]:
    """Check every byte of the archive; returns one line a problem, which names file, record (by its offset) and source.

    Args:
        root: the archive's folder. One that is not there is an empty archive.
        known: the rows of the warehouse's index; None to check the archive by itself.
        state: a JSON file outside the archive that keeps which files were found sound, and how they looked then.
        fast: pass over files that look as they did then (size, times, inode). A bit that rots on the disk changes none of
            these, which is why a full check reads everything.

    """
    seen = _read_state(state) if fast and state else {}
    by_file: dict[str, list[StoredRecord]] = {}
    for row in known or []:
        by_file.setdefault(row.file, []).append(row)
    names = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file() or path.is_symlink())
    warcs = [name for name in names if _is_warc(name)]
    problems = _wrong_names(root, names, warcs, known)
    sound: dict[str, list[Stamp]] = {}
    rows: list[StoredRecord] = []
    for name in warcs:
        stamps = _stamps(root / name)
        if stamps == seen.get(name):
            rows += readable_rows(index_path(root / name).read_bytes(), name)
            sound[name] = stamps
            continue
        checked = _check_file(root, name, by_file.get(name, []))
        problems += checked.problems
        rows += checked.rows
        if not checked.problems:
            sound[name] = stamps
    problems += _across(rows)
    problems += _against_index(rows, known, set(warcs)) if known is not None else []
    if state:
        _write_state(state, sound)
    return problems


def _is_warc(name: str) -> bool:
    source, _, file = name.partition("/")
    year = file.removeprefix(f"{source}-").removesuffix(".warc.gz")
    return file == f"{source}-{year}.warc.gz" and year.isdigit()


def _wrong_names(
    root: Path, names: Sequence[str], warcs: Sequence[str], known: Sequence[StoredRecord] | None
) -> list[str]:
    """Files that should be there and are not, and the other way round."""
    indexes = {index_path(root / name).relative_to(root).as_posix(): name for name in warcs}
    problems = [f"archive file {name}: is no file of the archive" for name in names if name not in {*warcs, *indexes}]
    problems += [
        f"archive file {index}: is missing (source {name.partition('/')[0]}); the next run makes it again from {name}"
        for index, name in indexes.items()
        if index not in names
    ]
    missing = sorted({row.file for row in known or []} - set(warcs))
    problems += [f"archive file {name}: is missing (source {name.partition('/')[0]})" for name in missing]
    return problems


def _check_file(root: Path, name: str, known: Sequence[StoredRecord]) -> _File:
    checked, path = _File(name), root / name
    try:
        index = index_path(path).read_bytes() if index_path(path).is_file() else None
        witnesses = _Witnesses([*readable_rows(index or b"", name), *known])
        with path.open("rb") as file:
            size, offset = path.stat().st_size, 0
            while offset < size:
                offset = _check_record(checked, file, offset, witnesses.following(offset, size), witnesses)
    except OSError as error:
        checked.blame(0, f"the file cannot be read: {error.strerror}")
        return checked
    if not size:
        checked.blame(0, "the file is empty")
    if checked.rows and checked.rows[0].record_type != "warcinfo":
        checked.blame(0, "the file does not begin with a warcinfo record")
    if index is not None:
        _check_lines(checked, index)
    return checked


class _Witnesses:
    """What the index lines and the warehouse say of a file: where its records lie, and the digests of their stored bytes."""

    def __init__(self, rows: Iterable[StoredRecord]) -> None:
        self.digests: dict[int, set[str]] = {}
        for row in rows:
            self.digests.setdefault(row.offset, set()).add(row.stored_sha256)
        self._offsets = sorted(self.digests)

    def following(self, offset: int, size: int) -> int:
        """The next record's offset that anyone knows of; the end of the file for none."""
        place = bisect_right(self._offsets, offset)
        return min(self._offsets[place], size) if place < len(self._offsets) else size


def _check_record(checked: _File, file: BinaryIO, offset: int, following: int, witnesses: _Witnesses) -> int:
    """Check the record at an offset; returns where the next one begins, `following` where this one is damaged."""
    try:
        stored, data = warc.read_member(file, offset)
        record = warc.parse_record(data)
        row = warc.describe(record, stored, checked.name, offset)
        problems = warc.body_problems(record)
        line = index_line(row, record)
    except ValueError as error:
        checked.damaged.add(offset)
        checked.blame(offset, f"{error}; its {following - offset} bytes cannot be read")
        return following
    checked.rows.append(row)
    checked.lines.append(line)
    for problem in problems:
        checked.blame(offset, problem)
    if row.source != checked.name.partition("/")[0]:
        checked.blame(offset, f"it says that its source is {row.source}")
    if witnesses.digests.get(offset, {row.stored_sha256}) != {row.stored_sha256}:
        checked.blame(offset, "its stored bytes do not have the SHA-256 recorded")
    return offset + len(stored)


def _check_lines(checked: _File, index: bytes) -> None:
    """The index must be the lines that follow from the records, and nothing else."""
    if index == b"".join(checked.lines):
        return
    name = checked.name.removesuffix(".warc.gz") + ".cdxj"
    source = checked.name.partition("/")[0]
    found = [line + b"\n" for line in index.split(b"\n")]
    wanted, there = set(checked.lines), set(found[:-1])
    stray = [line for line in found[:-1] if line not in wanted] + [line[:-1] for line in found[-1:] if line != b"\n"]
    blamed = set(checked.damaged)
    for row, line in zip(checked.rows, checked.lines, strict=True):
        if line not in there:
            blamed.add(row.offset)
            what = f"record at {row.offset} (source {source}): its index line is not what follows from it"
            checked.problems.append(f"archive file {name}, {what}")
    for line in stray:
        if not any(row.offset in blamed for row in readable_rows(line, checked.name)):
            checked.problems.append(f"archive file {name} (source {source}): no record has the line {line[:80]!r}")
    if not checked.problems:
        checked.problems.append(f"archive file {name} (source {source}): its lines are not in the order of the records")


def _across(rows: Sequence[StoredRecord]) -> list[str]:
    """What only the whole archive can tell: records twice, and revisits and notes of records that are not there."""
    by_id: dict[str, StoredRecord] = {}
    problems = []
    for row in rows:
        if row.record in by_id:
            problems.append(_blame(row, f"the record {row.record} is there twice"))
        by_id[row.record] = row
    for row in rows:
        if row.refers_to is None:
            continue
        referred = by_id.get(row.refers_to)
        if referred is None:
            problems.append(_blame(row, f"the record it refers to, {row.refers_to}, is not in the archive"))
        elif row.record_type == "revisit" and referred.payload_sha256 != row.payload_sha256:
            problems.append(_blame(row, f"the record it refers to, {row.refers_to}, holds another payload"))
    return problems


def _against_index(rows: Sequence[StoredRecord], known: Iterable[StoredRecord], warcs: set[str]) -> list[str]:
    """The rows of the warehouse against those that follow from the bytes, every field."""
    held = {(row.file, row.offset): row for row in known}
    found = {(row.file, row.offset): row for row in rows}
    problems = []
    for place, row in found.items():
        if place not in held:
            problems.append(
                _blame(row, "the warehouse has no row of it; the next run adopts what lies behind its rows")
            )
            continue
        differing = [name for name in _FIELDS if _plain(row, name) != _plain(held[place], name)]
        if differing:
            problems.append(_blame(row, f"the warehouse says otherwise of {', '.join(differing)}"))
    for place, row in held.items():
        if place not in found and row.file in warcs:
            problems.append(_blame(row, "the warehouse has a row of it, and no readable record is there"))
    return problems


_FIELDS = [each.name for each in fields(StoredRecord)]


def _plain(row: StoredRecord, name: str) -> object:
    """A field's value; the database keeps UTC without a zone."""
    if name == "fetched_at" and row.fetched_at.tzinfo is not None:
        return row.fetched_at.astimezone(UTC).replace(tzinfo=None)
    return getattr(row, name)


def _blame(row: StoredRecord, what: str) -> str:
    return f"archive file {row.file}, record at {row.offset} (source {row.source}): {what}"


# --- what the last check found sound


def _stamps(path: Path) -> list[Stamp]:
    """How a WARC file and its index look from outside, taken before they are read."""
    both = [each.stat() for each in (path, index_path(path)) if each.is_file()]
    return [[s.st_size, s.st_mtime_ns, s.st_ino, s.st_ctime_ns] for s in both]


def _read_state(path: Path) -> dict[str, list[Stamp]]:
    """What was found sound; nothing, where the file is not there or damaged: then everything is read."""
    try:
        state = json.loads(path.read_bytes())
        files, digest = state["sound"], state["sha256"]
        return dict(files) if digest == _digest(files) else {}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}


def _write_state(path: Path, sound: dict[str, list[Stamp]]) -> None:
    fresh = path.with_name(path.name + ".new")
    with disk_trouble(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(json.dumps({"version": 1, "sound": sound, "sha256": _digest(sound)}, indent=1) + "\n")
        fresh.replace(path)


def _digest(sound: object) -> str:
    return hashlib.sha256(json.dumps(sound, sort_keys=True).encode()).hexdigest()
