"""From captures to the warehouse: read, check as a whole, compare with what stood before, map to series, merge.

Founding facts come first; a refused one ends the run, since it is a file of this installation. An archived answer that is
refused changes nothing: the archive keeps it, the warehouse keeps yesterday's figures, and the reason is written down. When
the reader or the facts change, every archived answer is read anew, those refused before too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
from longwave.pipelines.sources import SOURCES, SourceSpec
from longwave.pipelines.sources._spec import Original
from longwave.warehouse import answers as index
from longwave.warehouse.answers import Answer
from longwave.warehouse.archive import Archive
from longwave.warehouse.compare import compare
from longwave.warehouse.errors import Problem, Refused
from longwave.warehouse.founding_files import (
    OriginalRow,
    file_of,
    named,
    read_originals,
    read_source,
    verify_digest,
)
from longwave.warehouse.merge import MergeCounts
from longwave.warehouse.results import capture_before, standing
from longwave.warehouse.store import Warehouse
from longwave.warehouse.tables import polars_schema
from longwave.warehouse.tidy import (
    CheckResult,
    adopter_key_expression,
    check_frame,
    content_digest,
    map_to_series,
    refuse_if_blocked,
)
from longwave.warehouse.world import places

_REMEDY = "the warehouse is as it was; restore the file, or rebuild it: longwave founding build DIR"
# What a person who looked at an answer may overrule beside how it compares: not what it must be to be read at all.
OVERRULED = "values in range"


@dataclass
class Observed:
    """What observing one source did. `refused` has a line for each answer refused now, `standing` one if the newest is."""

    source: str
    changed: bool
    captures: list[str] = field(default_factory=list)
    counts: list[MergeCounts] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    checks: list[CheckResult] = field(default_factory=list)


@dataclass(frozen=True)
class Held:
    """What is held of a source: founding rows in their folder, and archived answers.

    `elsewhere` is for a run as of a date: the answers that another warehouse accepted by then, and a connection to it.
    Without it the answers are those of the warehouse written to, which decides about new ones.
    """

    folder: Path
    rows: Sequence[OriginalRow]
    archive: Archive
    elsewhere: tuple[Sequence[Answer], duckdb.DuckDBPyConnection] | None = None

    def payload(self, con: duckdb.DuckDBPyConnection, part: str) -> bytes:
        """The bytes of an answer's part, found by the index in `con` unless the answers are of another warehouse."""
        return index.payload_of(self.elsewhere[1] if self.elsewhere else con, self.archive, part)


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
        checks = _check(spec, frame, row.vintage)
        _refuse(spec, folder, row, frame, checks)
        verify_digest(folder, row, frame)
        checked.append(_Checked(row, frame.drop("line"), checks))
    return checked


def _check(spec: SourceSpec, frame: pl.DataFrame, vintage: date) -> list[CheckResult]:
    return check_frame(frame, spec.source, spec.measures, vintage, places_expected=spec.adopter_kind == "place")


def _refuse(spec: SourceSpec, folder: Path, row: OriginalRow, frame: pl.DataFrame, checks: list[CheckResult]) -> None:
    """Refuse what broke a rule, naming the one file it stands in where that can be told: each measure has its own."""
    if all(check.passed or not check.blocking for check in checks):
        return
    what = f"{row.source} {row.vintage}"
    for (measure,), part in frame.partition_by("measure", as_dict=True).items():
        where = str(file_of(folder, row.source, row.vintage, str(measure)))
        refuse_if_blocked(what, where, _check(spec, part, row.vintage), _REMEDY)
    refuse_if_blocked(what, f"{folder / row.source / str(row.vintage)}.*.csv", checks, _REMEDY)


def observe(warehouse: Warehouse, spec: SourceSpec, held: Held, key: str) -> Observed:
    """Bring the warehouse up to what is held of one source; under an equal step key only new answers are read.

    Args:
        warehouse: the writer.
        spec: the source.
        held: founding rows, and where archived answers are.
        key: the step's key: founding facts, reader, facts about the world.

    Raises:
        Refused: a founding fact breaks a rule.

    """
    step = f"observe/{spec.source}"
    result = Observed(spec.source, changed=False)
    anew = warehouse.step_key(step) != key
    before = warehouse.captures_of(spec.source)
    founding = read_founding(spec, held.folder, held.rows) if anew else []
    if anew:
        if before:
            warehouse.forget_source(spec.source)
        _record_source(warehouse, spec)
        index.reopen_all(warehouse, spec.source)
    _in_order(warehouse, spec, held, founding, result)
    if anew:
        if before:
            warehouse.settle_source()
        warehouse.record_step(step, key, key)
    after = warehouse.captures_of(spec.source)
    result.captures = list(after)
    result.changed = before != after or (anew and bool(after))
    return result


def _in_order(
    warehouse: Warehouse, spec: SourceSpec, held: Held, founding: Sequence[_Checked], result: Observed
) -> None:
    """Merge founding captures and new answers in order of vintage: any other order would rebuild the source each time."""
    waiting = list(founding)
    while answer := _next(warehouse, spec, held):
        while waiting and (waiting[0].row.vintage, waiting[0].row.capture) < (answer.vintage, answer.answer):
            _record_founding(warehouse, spec, waiting.pop(0), result)
        if held.elsewhere is None:
            _decide(warehouse, spec, held, answer, result)
        else:
            frame = read_answer(warehouse.con, spec, held, answer)
            result.counts.append(_record_answer(warehouse, spec, answer, frame))
    for item in waiting:
        _record_founding(warehouse, spec, item, result)


def _next(warehouse: Warehouse, spec: SourceSpec, held: Held) -> Answer | None:
    """The first answer that is to be merged; decided ones are not."""
    if held.elsewhere is None:
        return next((a for a in index.answers_of(warehouse.con, spec.source) if a.status == "new"), None)
    known = warehouse.captures_of(spec.source)
    return next((a for a in held.elsewhere[0] if a.answer not in known), None)


# --- archived answers


def read_answer(con: duckdb.DuckDBPyConnection, spec: SourceSpec, held: Held, answer: Answer) -> pl.DataFrame:
    """The tidy frame of an archived answer, by the source's reader.

    Raises:
        Refused: the reader cannot read it.

    """
    parts = {name: held.payload(con, record) for name, record in answer.parts.items()}
    reference = standing(con, spec.reference, None, answer.vintage) if spec.reference else None
    served = answer.served_at.date()
    return spec.read(Original(answer.answer, parts["data"], answer.url, reference, parts, served))


def _decide(warehouse: Warehouse, spec: SourceSpec, held: Held, answer: Answer, result: Observed) -> None:
    """Read one answer and accept, refuse or set it aside as nothing new."""
    by = "hand" if answer.decided_by == "hand" else "rule"
    if by == "rule" and _says_what_its_predecessor_said(warehouse, answer):
        index.decide(warehouse, answer, "repeated", by, None, spec.reader_version)
        return
    try:
        frame = read_answer(warehouse.con, spec, held, answer)
    except Refused as refused:
        why = "; ".join(str(problem) for problem in refused.problems)
        index.decide(warehouse, answer, "refused", "rule", why, spec.reader_version)
        result.refused.append(f"{answer.answer}: {why}")
        return
    previous = _previous(warehouse, spec, answer)
    own = _check(spec, frame, answer.vintage)
    against = _compare(warehouse, spec, held, answer, frame, previous)
    checks = own + against
    weighed = checks if by == "rule" else [c for c in own if c.check != OVERRULED]
    failed = [c for c in weighed if c.blocking and not c.passed]
    result.checks = checks
    result.warnings += [f"{c.check}: {c.found}" for c in checks if not c.passed]
    index.record_checks(warehouse, answer.answer, [*_of_bytes(warehouse, answer), *checks])
    if failed:
        why = "; ".join(_line(check) for check in failed)
        index.decide(warehouse, answer, "refused", "rule", why, spec.reader_version)
        result.refused.append(f"{answer.answer}: {why}")
    elif _nothing_new(warehouse, spec, answer, frame, previous):
        index.decide(warehouse, answer, "repeated", by, answer.why, spec.reader_version)
    else:
        index.decide(warehouse, answer, "accepted", by, answer.why, spec.reader_version)
        result.counts.append(_record_answer(warehouse, spec, answer, frame))
        index.reopen_behind(warehouse, answer)


def _says_what_its_predecessor_said(warehouse: Warehouse, answer: Answer) -> bool:
    """Whether its bytes are those of the answer just before it, with no other capture between the two."""
    own = [a for a in index.answers_of(warehouse.con, answer.source) if a.measure == answer.measure]
    nth = [a.answer for a in own].index(answer.answer)
    if nth == 0 or own[nth - 1].original_sha256 != answer.original_sha256:
        return False
    before = capture_before(warehouse.con, answer.source, answer.measure, answer.vintage)
    return own[nth - 1].status in ("accepted", "repeated") and before is not None and before <= own[nth - 1].vintage


def _line(check: CheckResult) -> str:
    rows = f" ({'; '.join(check.rows[:3])}{' …' if len(check.rows) > 3 else ''})" if check.rows else ""
    return f"{check.check}: expected {check.expected}, found {check.found}{rows}"


def _of_bytes(warehouse: Warehouse, answer: Answer) -> list[CheckResult]:
    """What the guards on its bytes had found when it was captured: their names begin with the part's."""
    found = index.checks_of(warehouse.con, answer.answer)
    return [check for check in found if check.check.partition(":")[0] in answer.parts]


def keyed(spec: SourceSpec, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with adopters named by their key, as what stands in the warehouse is."""
    key = adopter_key_expression(spec.source) if spec.adopter_kind == "place" else pl.col("entity")
    return frame.drop("line", strict=False).with_columns(key.alias("entity"), pl.lit(None, pl.String).alias("code"))


def _previous(warehouse: Warehouse, spec: SourceSpec, answer: Answer) -> pl.DataFrame:
    """What stands at the answer's vintage of the measures it gives; entities are adopter keys."""
    measures = [answer.measure] if answer.measure else [m.measure for m in spec.measures]
    return standing(warehouse.con, spec.source, measures, answer.vintage)


def _compare(
    warehouse: Warehouse, spec: SourceSpec, held: Held, answer: Answer, frame: pl.DataFrame, previous: pl.DataFrame
) -> list[CheckResult]:
    if previous.is_empty():
        return []
    before = index.newest_of(
        [a for a in index.answers_of(warehouse.con, spec.source) if a.status in ("accepted", "repeated")],
        answer.measure,
        answer.served_at,
    )
    kinds = {code: row["kind"] for code, row in places().items()} if spec.adopter_kind == "place" else {}
    return compare(
        previous,
        keyed(spec, frame),
        previous_bytes=held.payload(warehouse.con, before.parts["data"]) if before else None,
        data=held.payload(warehouse.con, answer.parts["data"]),
        thresholds=spec.thresholds,
        kinds=kinds,
        scope=spec.scope,
    )


def _nothing_new(
    warehouse: Warehouse, spec: SourceSpec, answer: Answer, frame: pl.DataFrame, previous: pl.DataFrame
) -> bool:
    """Whether the answer says what stood already, under no newer date of the publisher's own."""
    now, then = keyed(spec, frame), previous
    if spec.scope == "listed":
        then = then.join(now.select("measure", "entity").unique(), on=["measure", "entity"], how="semi")
    elif spec.scope == "period":
        then = then.filter(pl.col("period_start").is_between(now["period_start"].min(), now["period_start"].max()))
    if content_digest(now) != content_digest(then.select(now.columns)):
        return False
    before = capture_before(warehouse.con, spec.source, answer.measure, answer.vintage)
    return answer.vintage_precision != "publisher" or before == answer.vintage


def _record_answer(warehouse: Warehouse, spec: SourceSpec, answer: Answer, frame: pl.DataFrame) -> MergeCounts:
    capture = {
        "capture": answer.answer,
        "vintage": answer.vintage,
        "vintage_precision": answer.vintage_precision,
        "kind": "live" if answer.via in ("direct", "mirror") else "web archive",
        "url": answer.url,
        "original_bytes": answer.original_bytes,
        "original_sha256": answer.original_sha256,
        "content_sha256": content_digest(named(frame.drop("line", strict=False))),
        "reader_version": spec.reader_version,
    }
    return _merge(warehouse, spec, capture, frame.drop("line", strict=False), spec.scope, answer.measure)


# --- founding facts


def _record_source(warehouse: Warehouse, spec: SourceSpec) -> None:
    row = {name: getattr(spec, name) for name in polars_schema("sources")} | {"proven_on": spec.proven}
    warehouse.replace("sources", pl.DataFrame([row], schema=polars_schema("sources")), {"source": spec.source})


def _record_founding(warehouse: Warehouse, spec: SourceSpec, item: _Checked, result: Observed) -> None:
    row = item.row
    capture = {
        "capture": row.capture,
        "vintage": row.vintage,
        "vintage_precision": row.vintage_precision,
        "kind": "re-recorded",
        "url": row.url,
        "original_bytes": row.bytes,
        "original_sha256": row.sha256,
        "content_sha256": row.content_sha256,
        "reader_version": row.reader_version,
    }
    result.counts.append(_merge(warehouse, spec, capture, item.frame, row.scope, row.measure))
    result.warnings += [f"{c.check}: {c.found}" for c in item.checks if not c.passed]
    index.record_checks(warehouse, row.capture, item.checks)


def _merge(
    warehouse: Warehouse, spec: SourceSpec, capture: Mapping[str, Any], frame: pl.DataFrame, scope: str, measure: str
) -> MergeCounts:
    mapped = map_to_series(frame, spec.source, spec.measures, adopter_kind=spec.adopter_kind, place=spec.place)
    row = dict(capture) | {"source": spec.source, "scope": scope, "n_rows": frame.height}
    return warehouse.merge_capture(row, scope_of(scope, measure, spec, mapped.rows), mapped.series, mapped.rows)


def scope_of(
    scope: str, measure: str, spec: SourceSpec, rows: pl.DataFrame
) -> list[tuple[str, str, date | None, date | None]]:
    """The measure, adopter key and span of periods that a capture speaks of; `*` for every adopter, None for no end."""
    measures = [measure] if measure else [m.measure for m in spec.measures]
    if scope == "full":
        return [(name, "*", None, None) for name in measures]
    if scope == "period":
        first, last = rows["period_start"].min(), rows["period_start"].max()
        return [(name, "*", first, last) for name in measures]  # type: ignore[misc]
    pairs = rows.select("measure", "adopter_key").unique().sort("measure", "adopter_key").rows()
    return [(name, adopter, None, None) for name, adopter in pairs]


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
