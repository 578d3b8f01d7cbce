"""From captures to the warehouse: read, check as a whole, map to series, merge. A refused capture changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
from longwave.pipelines.sources import SOURCES, SourceSpec
from longwave.warehouse.errors import Problem, Refused
from longwave.warehouse.founding_files import OriginalRow, file_of, read_originals, read_source, verify_digest
from longwave.warehouse.merge import MergeCounts
from longwave.warehouse.store import Warehouse
from longwave.warehouse.tables import polars_schema
from longwave.warehouse.tidy import CheckResult, check_frame, map_to_series, refuse_if_blocked

_REMEDY = "the warehouse is as it was; restore the file, or rebuild it: longwave founding build DIR"


@dataclass
class Observed:
    """What observing one source did."""

    source: str
    changed: bool
    captures: list[str] = field(default_factory=list)
    counts: list[MergeCounts] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Checked:
    row: OriginalRow
    frame: pl.DataFrame
    checks: list[CheckResult]


def read_founding(spec: SourceSpec, folder: Path, rows: Sequence[OriginalRow]) -> list[_Checked]:
    """Every founding capture of a source, checked.

    Raises:
        Refused: a file or a row breaks a declared rule; names file, row and rule.

    """
    checked = []
    for row, frame in read_source(folder, rows, spec.measures):
        checks = check_frame(
            frame, spec.source, spec.measures, row.vintage, places_expected=spec.adopter_kind == "place"
        )
        _refuse(spec, folder, row, frame, checks)
        verify_digest(folder, row, frame)
        checked.append(_Checked(row, frame.drop("line"), checks))
    return checked


def _refuse(spec: SourceSpec, folder: Path, row: OriginalRow, frame: pl.DataFrame, checks: list[CheckResult]) -> None:
    """Refuse what broke a rule, naming the one file it stands in where that can be told: each measure has its own."""
    if all(check.passed or not check.blocking for check in checks):
        return
    what = f"{row.source} {row.vintage}"
    for (measure,), part in frame.partition_by("measure", as_dict=True).items():
        own = check_frame(part, spec.source, spec.measures, row.vintage, places_expected=spec.adopter_kind == "place")
        refuse_if_blocked(what, str(file_of(folder, row.source, row.vintage, str(measure))), own, _REMEDY)
    refuse_if_blocked(what, f"{folder / row.source / str(row.vintage)}.*.csv", checks, _REMEDY)


def observe(warehouse: Warehouse, spec: SourceSpec, folder: Path, rows: Sequence[OriginalRow], key: str) -> Observed:
    """Bring the warehouse up to the captures held of one source; does nothing under an equal step key.

    Args:
        warehouse: the writer.
        spec: the source.
        folder: founding facts.
        rows: the captures held.
        key: the step's key: captures, reader, facts.

    """
    step = f"observe/{spec.source}"
    if warehouse.step_key(step) == key:
        return Observed(spec.source, changed=False, captures=[row.capture for row in rows])
    captures = read_founding(spec, folder, rows)
    held = warehouse.captures_of(spec.source)
    again = bool(held)
    if again:
        warehouse.forget_source(spec.source)
    result = Observed(spec.source, changed=bool(captures or held))
    _record_source(warehouse, spec)
    for item in captures:
        result.captures.append(item.row.capture)
        result.counts.append(_record(warehouse, spec, item))
        result.warnings += [f"{c.check}: {c.found}" for c in item.checks if not c.passed]
    if again:
        warehouse.settle_source()
    warehouse.record_step(step, key, key)
    return result


def _record_source(warehouse: Warehouse, spec: SourceSpec) -> None:
    row = {name: getattr(spec, name) for name in polars_schema("sources")}
    warehouse.replace("sources", pl.DataFrame([row], schema=polars_schema("sources")), {"source": spec.source})


def _record(warehouse: Warehouse, spec: SourceSpec, item: _Checked) -> MergeCounts:
    row, frame = item.row, item.frame
    mapped = map_to_series(frame, spec.source, spec.measures, adopter_kind=spec.adopter_kind, place=spec.place)
    capture = {
        "capture": row.capture,
        "source": row.source,
        "vintage": row.vintage,
        "vintage_precision": row.vintage_precision,
        "kind": "re-recorded",
        "url": row.url,
        "original_bytes": row.bytes,
        "original_sha256": row.sha256,
        "content_sha256": row.content_sha256,
        "reader_version": row.reader_version,
        "scope": row.scope,
        "n_rows": frame.height,
    }
    counts = warehouse.merge_capture(capture, scope_of(row, spec, mapped.rows), mapped.series, mapped.rows)
    checks = [(row.capture, c.check, c.passed, c.blocking, c.expected, c.found) for c in item.checks]
    warehouse.insert("checks", pl.DataFrame(checks, schema=polars_schema("checks"), orient="row"))
    return counts


def scope_of(row: OriginalRow, spec: SourceSpec, rows: pl.DataFrame) -> list[tuple[str, str]]:
    """The (measure, adopter key) pairs a capture speaks of; `*` for every adopter there is or was."""
    if row.scope == "full":
        return [(row.measure, "*")] if row.measure else [(m.measure, "*") for m in spec.measures]
    return [
        tuple(pair) for pair in rows.select("measure", "adopter_key").unique().sort("measure", "adopter_key").rows()
    ]


def held_originals(folder: Path) -> list[OriginalRow]:
    """The captures held, each of a source that is declared.

    Raises:
        Refused: `originals.csv` is unreadable, or names a source that no module in `pipelines/sources/` declares.

    """
    rows = read_originals(folder)
    unknown = [f"line {n}: {row.source}" for n, row in enumerate(rows, start=2) if row.source not in SOURCES]
    if unknown:
        path = str(folder / "originals.csv")
        problem = Problem("source", path, f"one of {', '.join(sorted(SOURCES))}", "another name", tuple(unknown))
        raise Refused(path, [problem], _REMEDY)
    return rows
