"""Moving a home: everything that cannot be made again in one file, and back from it.

Belongs here: `longwave export` and `longwave import`. Does not belong here: the figures passed on to others
(`longwave.warehouse.export`). What is moved is the archive, the warehouse with the registry's history in it, and the user's
own files. The site, the readers' copy and the run logs are made again. Callers hold the run lock.

The file is a plain tar that any tool unpacks, and equal homes give equal bytes: members sorted, without times and owners.
First comes `longwave-export.json`: format, and each member's size and SHA-256. Last comes `longwave-export.sha256`: the
SHA-256 of every byte before it, so that a flipped bit shows in names, padding and the list itself, too. What follows from
that digest (its header and the end of the tar) is compared byte for byte. A private backup: it is not cleared for publication.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
from longwave.warehouse.errors import LongwaveError
from longwave.warehouse.home import Home, disk_trouble
from longwave.warehouse.migrate import stored_version
from longwave.warehouse.store import Warehouse

FORMAT = 1
MANIFEST = "longwave-export.json"
SEAL = "longwave-export.sha256"
_MOVED = ("archive", "local", "warehouse.duckdb")
_BLOCK = tarfile.BLOCKSIZE
_CHUNK = 2**20
_AGAIN = "nothing was imported; copy the file again, or take another export"


class NotAnExport(LongwaveError):
    """A file that cannot be imported: not one of ours, damaged, or of a newer format."""


@dataclass(frozen=True)
class Member:
    """A file of an export."""

    name: str
    size: int
    sha256: str


# --- out


def export_home(home: Home, file: Path) -> list[str]:
    """Write archive, warehouse and the user's own files into one file; returns the names of its members.

    The file is complete or not there: an older one of that name is replaced at the end.

    Raises:
        LongwaveError: nothing is recorded yet, the file would lie in what it holds, or there is a link among the files.
        UnusableHome: the disk is full or cannot be written.

    """
    if not home.warehouse.is_file():
        raise LongwaveError(
            f"nothing is recorded in {home.root} yet, so there is nothing to export: `longwave run` first"
        )
    if any(file.resolve().is_relative_to(each.resolve()) for each in (home.archive, home.local, home.warehouse)):
        raise LongwaveError(f"{file} lies among the files to be exported; name one outside {home.root}")
    with Warehouse(home):
        pass  # What a killed run committed and left in the log is now in the file itself.
    members = [_measured(home, name) for name in _names(home)]
    part = file.with_name(file.name + ".part")
    with disk_trouble(file):
        try:
            with part.open("wb") as out:
                _write_export(out, home, members)
                os.fsync(out.fileno())
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)
    return [member.name for member in members]


def _names(home: Home) -> list[str]:
    found = ["warehouse.duckdb"]
    for path in (path for folder in (home.archive, home.local) for path in folder.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise LongwaveError(f"{path} is a link or a device, which an export cannot hold; put the file itself there")
        if path.is_file():
            found.append(path.relative_to(home.root).as_posix())
    return sorted(found)


def _measured(home: Home, name: str) -> Member:
    with disk_trouble(home.root), (home.root / name).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Member(name, file.tell(), digest)


def _write_export(out: BinaryIO, home: Home, members: list[Member]) -> None:
    seal = hashlib.sha256()

    def write(data: bytes) -> None:
        seal.update(data)
        out.write(data)

    listed = {"format": FORMAT, "longwave": metadata.version("longwave"), "members": [asdict(m) for m in members]}
    text = (json.dumps(listed, indent=1) + "\n").encode()
    write(_header(MANIFEST, len(text)) + text + _padding(len(text)))
    for member in members:
        write(_header(member.name, member.size))
        digest = hashlib.sha256()
        with (home.root / member.name).open("rb") as file:
            for chunk in _chunks(file):
                digest.update(chunk)
                write(chunk)
        if digest.hexdigest() != member.sha256:
            raise LongwaveError(
                f"{home.root / member.name} changed while it was exported; stop what writes it, and try again"
            )
        write(_padding(member.size))
    out.write(_ending(seal.hexdigest()))


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644
    return info.tobuf(tarfile.PAX_FORMAT)


def _padding(size: int) -> bytes:
    return b"\0" * (-size % _BLOCK)


def _ending(seal: str) -> bytes:
    """The last member and the end of the tar: they follow from the digest of all before them."""
    text = f"{seal}\n".encode()
    return _header(SEAL, len(text)) + text + _padding(len(text)) + b"\0" * (2 * _BLOCK)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk


# --- in


def import_home(file: Path, home: Home) -> list[str]:
    """Unpack an export into an empty home; returns the names of its members.

    Everything is checked in a folder apart. Then one rename decides, and what is killed after it is brought to its end by
    `finish_import`.

    Raises:
        NotAnExport: it is damaged, cut short, of a newer format, or no export of longwave.
        LongwaveError: the home holds something already.
        UnusableHome: the disk is full or cannot be written.

    """
    members, seal = _listed(file)
    _require_whole(file, seal)
    names = [member.name for member in members]
    if finish_import(home) == seal:
        return names
    _require_empty(home)
    part = home.root / "import.part"
    with disk_trouble(home.root):
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        try:
            _unpack(file, members, part)
            _require_known_format(part)
            (part / SEAL).write_text(seal)
            part.rename(_decided(home))
        finally:
            shutil.rmtree(part, ignore_errors=True)
    finish_import(home)
    return names


def finish_import(home: Home) -> str | None:
    """Bring an import to its end that was killed after its file was found whole; the digest of that file, if there was one.

    Raises:
        LongwaveError: what is imported has been put in the home by somebody else meanwhile.

    """
    done = _decided(home)
    if not done.is_dir():
        return None
    with disk_trouble(home.root):
        for name in _MOVED:
            if (done / name).exists():
                _move_in(done / name, home.root / name)
        home.read_copy.unlink(missing_ok=True)
    with Warehouse(home):
        pass  # Brings an older format forward, and makes the readers' copy.
    with disk_trouble(home.root):
        seal = (done / SEAL).read_text() if (done / SEAL).exists() else ""
        shutil.rmtree(done)
    return seal


def _move_in(staged: Path, place: Path) -> None:
    if _holds(place):
        raise LongwaveError(f"{place} stands in the way of an import; move it away and run again")
    if place.is_dir():
        shutil.rmtree(place)
    staged.rename(place)


def _decided(home: Home) -> Path:
    return home.root / "import.done"


def _holds(path: Path) -> bool:
    return any(each.is_file() for each in path.rglob("*")) if path.is_dir() else path.exists()


def _require_empty(home: Home) -> None:
    held = [path.name for path in (*(home.root / name for name in _MOVED), home.read_copy) if _holds(path)]
    if held:
        raise LongwaveError(
            f"{home.root} already holds {', '.join(held)}; nothing was imported. Import into an empty folder with "
            "LONGWAVE_HOME=FOLDER longwave import FILE, or move what is there away"
        )


def _listed(file: Path) -> tuple[list[Member], str]:
    """The list of members of an export, and the digest that its last member states."""
    listed = _first_member(file)
    try:
        if int(listed["format"]) > FORMAT:
            raise NotAnExport(
                f"{file} has format {listed['format']}, newer than the {FORMAT} this version knows; install the newer longwave"
            )
        members = [Member(str(m["name"]), int(m["size"]), str(m["sha256"])) for m in listed["members"]]
    except (KeyError, TypeError, ValueError) as error:
        raise NotAnExport(f"{file} has a list of members that cannot be read; {_AGAIN}") from error
    return members, _sealed(file)


def _first_member(file: Path) -> dict[str, Any]:
    what = f"{file} is no export of longwave, or its beginning is damaged"
    try:
        with tarfile.open(file, "r:") as tar:
            info = tar.next()
            content = tar.extractfile(info) if info is not None and info.name == MANIFEST and info.isreg() else None
            if content is None:
                raise NotAnExport(f"{what}; {_AGAIN}")
            listed = json.loads(content.read())
    except FileNotFoundError as error:
        raise NotAnExport(f"there is no file {file}") from error
    except (tarfile.TarError, ValueError, OverflowError, EOFError, RecursionError) as error:
        raise NotAnExport(f"{what} ({error}); {_AGAIN}") from error
    except OSError as error:
        raise NotAnExport(f"cannot read {file}: {error.strerror or error}") from error
    if not isinstance(listed, dict):
        raise NotAnExport(f"{what}; {_AGAIN}")
    return listed


def _sealed(file: Path) -> str:
    """The digest of every byte of a file but those of an export's ending."""
    digest, left = hashlib.sha256(), file.stat().st_size - len(_ending("0" * 64))
    with file.open("rb") as source:
        while left > 0 and (chunk := source.read(min(_CHUNK, left))):
            digest.update(chunk)
            left -= len(chunk)
    return digest.hexdigest()


def _require_whole(file: Path, seal: str) -> None:
    ending = _ending(seal)
    with file.open("rb") as source:
        source.seek(max(0, file.stat().st_size - len(ending)))
        if source.read() != ending:
            raise NotAnExport(f"{file} is damaged or cut short: its bytes are not those that were exported; {_AGAIN}")


def _unpack(file: Path, members: list[Member], folder: Path) -> None:
    """Unpack the listed members, each checked, and nothing else."""
    problem = _name_problem([member.name for member in members])
    if problem:
        raise NotAnExport(f"{file}: {problem}; {_AGAIN}")
    expected = [MANIFEST, *(member.name for member in members), SEAL]
    try:
        with tarfile.open(file, "r:") as tar:
            found = tar.getmembers()
            if [info.name for info in found] != expected:
                raise NotAnExport(f"{file} does not hold the members it lists, missing or more; {_AGAIN}")
            for member, info in zip(members, found[1:-1], strict=True):
                content = tar.extractfile(info) if info.type == tarfile.REGTYPE and not info.issparse() else None
                if content is None:
                    raise NotAnExport(f"{file}: {member.name} is a link, a folder or a device, not a file; {_AGAIN}")
                if _copied(content, folder / member.name) != (member.size, member.sha256):
                    raise NotAnExport(f"{file}: {member.name} does not have the size and SHA-256 listed; {_AGAIN}")
    except (tarfile.TarError, ValueError, OverflowError, EOFError) as error:
        raise NotAnExport(f"{file} cannot be unpacked ({error}); {_AGAIN}") from error


def _name_problem(names: list[str]) -> str | None:
    """What is wrong with the names listed: a file must end up inside the home, where its kind belongs, and once."""
    for name in names:
        parts = name.split("/")
        inside = (parts[0] in ("archive", "local") and len(parts) > 1) or name == "warehouse.duckdb"
        if not inside or "\0" in name or any(part in ("", ".", "..") for part in parts):
            return f"the member {name!r} would lie outside the archive and the user's own files"
    if len(set(names)) < len(names) or "warehouse.duckdb" not in names:
        return "a member is listed twice, or the warehouse is not listed"
    return None


def _copied(content: Any, path: Path) -> tuple[int, str]:
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with path.open("xb") as out:
        for chunk in _chunks(content):
            digest.update(chunk)
            out.write(chunk)
        out.flush()
        os.fsync(out.fileno())
        return out.tell(), digest.hexdigest()


def _require_known_format(folder: Path) -> None:
    staged = Home(folder)
    try:
        with duckdb.connect(str(staged.warehouse), read_only=True) as con:
            stored_version(con, staged.warehouse)
    except duckdb.Error as error:
        raise NotAnExport(
            f"the warehouse in the export cannot be opened: {str(error).splitlines()[0]}; {_AGAIN}"
        ) from error
