"""`longwave verify`: every byte held against what was recorded of it, and every observation against its capture.

Three layers: the archive's bytes against its indexes, founding facts against their recorded digests, and the warehouse's
values against what the readers make of both. A reader that is newer than a capture may read it otherwise: that is a
difference with an explanation, not damage, and the next run observes it anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import duckdb
import polars as pl
from longwave.pipelines.observe import Held, answer_attributes, held_originals, keyed, read_answer, read_founding
from longwave.pipelines.sources import SOURCES, SourceSpec
from longwave.pipelines.steps import code_digest
from longwave.warehouse import answers as index
from longwave.warehouse.archive import Archive
from longwave.warehouse.archive_check import verify_archive
from longwave.warehouse.attributes import attributes_at
from longwave.warehouse.errors import LongwaveError, Refused
from longwave.warehouse.founding_files import OriginalRow, capture_digest
from longwave.warehouse.home import Home
from longwave.warehouse.results import capture_row, stated_in_scope, step_keys
from longwave.warehouse.store import reader


@dataclass(frozen=True)
class Verified:
    """How much was checked, a line for each problem, and what is otherwise than recorded for a reason."""

    captures: int
    records: int
    problems: list[str]
    explained: list[str]


def verify(home: Home, founding: Path, *, fast: bool = False) -> Verified:
    """Check archive, founding facts and observations.

    Args:
        home: the installation.
        founding: the founding facts.
        fast: pass over what looks, by size and times, as it did when it was last found sound.

    """
    with reader(home) as con:
        known = index.records(con)
        problems = verify_archive(home.archive, known, state=home.runs / "verified-archive.json", fast=fast)
        explained: list[str] = []
        captures = 0
        state = _Seen(home.runs / "verified-captures.json", _looks(home, founding), fast)
        if not state.sound:
            observed = {step.removeprefix("observe/") for step in step_keys(con)}
            rows = [row for row in held_originals(founding) if row.source in observed]
            captures = len(rows)
            found = [
                line
                for source, own in groupby(rows, lambda r: r.source)
                for line in _source(con, founding, source, list(own))
            ]
            answered, found_too, explained = _answers(con, home, founding)
            captures += answered
            problems += found + found_too
            state.keep(not problems)
    return Verified(captures, len(known), problems, explained)


class _Seen:
    """How the founding facts and the readers' copy looked when they were last found sound."""

    def __init__(self, path: Path, looks: str, fast: bool) -> None:
        self.path, self.looks = path, looks
        self.sound = fast and path.is_file() and path.read_text(encoding="utf-8") == looks

    def keep(self, sound: bool) -> None:
        if sound:
            self.path.write_text(self.looks, encoding="utf-8")
        else:
            self.path.unlink(missing_ok=True)


def _looks(home: Home, founding: Path) -> str:
    files = [home.read_copy, *sorted(path for path in founding.rglob("*.csv"))]
    stamps = [(str(path), path.stat().st_size, path.stat().st_mtime_ns, path.stat().st_ino) for path in files]
    archive = sorted((str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in home.archive.rglob("*") if p.is_file())
    code = code_digest(("longwave.pipelines.observe", "longwave.pipelines.sources"))
    return hashlib.sha256(json.dumps([stamps, archive, code]).encode()).hexdigest()


def _source(con: duckdb.DuckDBPyConnection, founding: Path, source: str, rows: Sequence[OriginalRow]) -> list[str]:
    spec = SOURCES[source]
    try:
        captures = read_founding(spec, founding, rows)
    except Refused as refused:
        return [str(refused)]
    problems = []
    for item in captures:
        if capture_row(con, item.row.capture) is None:
            problems.append(f"{item.row.capture}: not in the warehouse; run `longwave run`")
            continue
        problems += _differing(con, spec, item.row.capture, item.frame, item.attributes)
    return problems


def _answers(con: duckdb.DuckDBPyConnection, home: Home, founding: Path) -> tuple[int, list[str], list[str]]:
    """Every accepted answer read again from the archive: how many, what is wrong, what another reader reads otherwise."""
    problems: list[str] = []
    explained: list[str] = []
    accepted = [a for source in SOURCES for a in index.answers_of(con, source) if a.status == "accepted"]
    for answer in accepted:
        spec = SOURCES[answer.source]
        held = Held(founding, [], Archive(home.archive))
        try:
            frame = read_answer(con, spec, held, answer).drop("line", strict=False)
            words = answer_attributes(con, spec, held, answer)
        except LongwaveError as error:
            problems.append(f"{answer.answer}: {str(error).splitlines()[0]}")
            continue
        capture, digest = capture_row(con, answer.answer), capture_digest(frame, words)
        if capture is None:
            problems.append(f"{answer.answer}: accepted, and not in the warehouse; run `longwave run`")
        elif digest != capture["content_sha256"] and capture["reader_version"] != spec.reader_version:
            explained.append(
                f"{answer.answer}: read otherwise by version {spec.reader_version} of its reader than by "
                f"{capture['reader_version']}; the next run observes it anew"
            )
        elif digest != capture["content_sha256"]:
            problems.append(f"{answer.answer}: its reader makes other rows of it than were recorded")
        else:
            problems += _differing(con, spec, answer.answer, frame, words)
    return len(accepted), problems, explained


def _differing(
    con: duckdb.DuckDBPyConnection,
    spec: SourceSpec,
    capture: str,
    frame: pl.DataFrame,
    words: pl.DataFrame | None,
) -> list[str]:
    """What the warehouse holds that a capture said, against what it does say."""
    stated = stated_in_scope(con, capture)
    if stated is None:
        return []  # another capture of the same vintage replaced it
    wanted = keyed(spec, frame).select(stated.columns)
    on = stated.columns
    absent = wanted.join(stated, on=on, how="anti", nulls_equal=True).height
    differing = absent + stated.join(wanted, on=on, how="anti", nulls_equal=True).height
    lines = [f"{capture}: {differing} values in the warehouse are not those of the capture"] if differing else []
    row = capture_row(con, capture)
    if words is not None and row is not None and not words.equals(attributes_at(con, spec.source, row["vintage"])):
        lines.append(f"{capture}: attributes in the warehouse are not those of the capture")
    return lines
