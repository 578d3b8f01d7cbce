"""From captures to the warehouse: read, check as a whole, compare with what stood before, map to series, merge.

A founding fact that is refused ends the run, since it is a file of this installation. An archived answer that is refused
changes nothing: the archive keeps it, the warehouse keeps yesterday's figures, and the reason is written down.

Answers are read and decided in the order in which they were served, so that the table follows from what is held, in
whatever order it arrived. One that arrives behind a later one, or another reader or other facts, have everything of its
source read anew, what was refused before too. Vintages go forward with that order: an answer is dated by the publisher's own
update date where that is later than the vintage before it, and by the day it was served where it is not. A publisher
that changes figures under an unchanged date, or sets it back, did not show them on that date.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
from longwave.pipelines.sources import SOURCES, SourceSpec
from longwave.pipelines.sources._spec import Original
from longwave.warehouse import answers as index
from longwave.warehouse.answers import Answer
from longwave.warehouse.archive import Archive
from longwave.warehouse.attributes import attributes_at, check_attributes
from longwave.warehouse.compare import compare
from longwave.warehouse.errors import Problem, Refused
from longwave.warehouse.founding_files import (
    OriginalRow,
    capture_digest,
    file_of,
    read_attributes,
    read_originals,
    read_source,
    verify_digest,
)
from longwave.warehouse.merge import MergeCounts
from longwave.warehouse.results import capture_before, founding_before, standing
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
    """What observing one source did. `refused` has a line for each answer refused now, `standing` for each newest that is."""

    source: str
    changed: bool
    captures: list[str] = field(default_factory=list)
    counts: list[MergeCounts] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    standing: list[str] = field(default_factory=list)
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
    attributes: pl.DataFrame | None
    checks: list[CheckResult]


def read_founding(spec: SourceSpec, folder: Path, rows: Sequence[OriginalRow]) -> list[_Checked]:
    """Every founding capture of a source, checked.

    Raises:
        Refused: a file or a row breaks a declared rule; names file, row and rule.

    """
    checked = []
    for row, frame in read_source(folder, rows, spec.measures):
        attributes = read_attributes(folder, row, spec.attributes)
        checks = check_capture(spec, frame, attributes, row.vintage)
        _refuse(spec, folder, row, frame, checks)
        verify_digest(folder, row, frame, attributes)
        checked.append(_Checked(row, frame.drop("line"), attributes, checks))
    return checked


def check_capture(
    spec: SourceSpec, frame: pl.DataFrame, attributes: pl.DataFrame | None, vintage: date
) -> list[CheckResult]:
    """Every declared check of what one capture says, in figures and in words."""
    checks = _check(spec, frame, vintage)
    return checks if attributes is None else [*checks, *check_attributes(attributes, spec.attributes)]


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
    anew = warehouse.step_key(step) != key or (held.elsewhere is None and _late(warehouse, spec))
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
    if held.elsewhere is None:
        result.standing = _standing(warehouse, spec)
    result.changed = before != after or (anew and bool(after))
    return result


def _late(warehouse: Warehouse, spec: SourceSpec) -> bool:
    """Whether a new answer was served before one of its endpoint that is decided already, a refused one included.

    What the guards on its bytes refused compares with nothing, and stays as it is.
    """
    answers = index.answers_of(warehouse.con, spec.source)
    waiting: set[str] = set()
    for answer in answers:
        if answer.status == "new":
            waiting.add(answer.measure)
        elif answer.measure in waiting and answer.decided_by != "bytes":
            return True
    return False


def _standing(warehouse: Warehouse, spec: SourceSpec) -> list[str]:
    """A line for each endpoint whose newest answer is refused: the figures that stand are older than what is served."""
    asked = [a for a in index.answers_of(warehouse.con, spec.source) if a.via in ("direct", "mirror")]
    newest = [index.newest_of(asked, endpoint.measure) for endpoint in spec.endpoints]
    return [f"{a.answer}: {a.why}" for a in newest if a is not None and a.status == "refused"]


def _in_order(
    warehouse: Warehouse, spec: SourceSpec, held: Held, founding: Sequence[_Checked], result: Observed
) -> None:
    """Merge founding captures and new answers in the order of their time; a founding capture has that of its vintage."""
    waiting = list(founding)
    while answer := _next(warehouse, spec, held):
        while waiting and _midnight(waiting[0].row.vintage) <= answer.served_at:
            _record_founding(warehouse, spec, waiting.pop(0), result)
        if held.elsewhere is None:
            _decide(warehouse, spec, held, _dated(warehouse, answer), result)
        else:
            frame = read_answer(warehouse.con, spec, held, answer)
            words = answer_attributes(warehouse.con, spec, held, answer)
            result.counts.append(_record_answer(warehouse, spec, answer, frame, words))
    for item in waiting:
        _record_founding(warehouse, spec, item, result)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


def _next(warehouse: Warehouse, spec: SourceSpec, held: Held) -> Answer | None:
    """The first answer that is to be merged; decided ones are not."""
    if held.elsewhere is None:
        return next((a for a in index.answers_of(warehouse.con, spec.source) if a.status == "new"), None)
    known = warehouse.captures_of(spec.source)
    return next((a for a in held.elsewhere[0] if a.answer not in known), None)


def _dated(warehouse: Warehouse, answer: Answer) -> Answer:
    """The answer with its vintage, which is never before that of what was served earlier."""
    served = answer.served_at.date()
    before, figures = _before(warehouse, answer)
    stated = answer.stated if answer.stated is not None and answer.stated <= served else None
    later = stated is not None and (before is None or stated > before)
    same = stated is not None and stated == before and figures == answer.figures_sha256
    if stated is not None and (later or same):
        return replace(answer, vintage=stated, vintage_precision="publisher")
    return replace(answer, vintage=served, vintage_precision="download")


def _before(warehouse: Warehouse, answer: Answer) -> tuple[date | None, str | None]:
    """Vintage and digest of the figures of what was known from an endpoint before an answer was served."""
    earlier = [
        a
        for a in index.answers_of(warehouse.con, answer.source)
        if a.measure == answer.measure and a.order < answer.order and a.status in ("accepted", "repeated")
    ]
    founding = founding_before(warehouse.con, answer.source, answer.measure, answer.served_at.date())
    if earlier and (founding is None or earlier[-1].vintage >= founding[0]):
        return earlier[-1].vintage, earlier[-1].figures_sha256
    return founding or (None, None)


# --- archived answers


def read_answer(con: duckdb.DuckDBPyConnection, spec: SourceSpec, held: Held, answer: Answer) -> pl.DataFrame:
    """The tidy frame of an archived answer, by the source's reader.

    Raises:
        Refused: the reader cannot read it.

    """
    return spec.read(_original(con, spec, held, answer))


def answer_attributes(
    con: duckdb.DuckDBPyConnection, spec: SourceSpec, held: Held, answer: Answer
) -> pl.DataFrame | None:
    """What an archived answer says of adopters in words, by the source's reader; None of a source that gives none.

    Raises:
        Refused: the reader cannot read it.

    """
    return spec.words(_original(con, spec, held, answer)) if spec.attributes else None


def _original(con: duckdb.DuckDBPyConnection, spec: SourceSpec, held: Held, answer: Answer) -> Original:
    parts = {name: held.payload(con, record) for name, record in answer.parts.items()}
    reference = standing(con, spec.reference, None, answer.vintage) if spec.reference else None
    return Original(answer.answer, parts["data"], answer.url, reference, parts, answer.served_at.date())


def _decide(warehouse: Warehouse, spec: SourceSpec, held: Held, answer: Answer, result: Observed) -> None:
    """Read one answer and accept, refuse or set it aside as nothing new."""
    by = "hand" if answer.decided_by == "hand" else "rule"
    decided = replace(answer, decided_by=by, reader_version=spec.reader_version)
    if by == "rule" and _says_what_its_predecessor_said(warehouse, answer):
        index.decide(warehouse, replace(decided, status="repeated", why=None))
        return
    try:
        frame = read_answer(warehouse.con, spec, held, answer)
        words = answer_attributes(warehouse.con, spec, held, answer)
    except Refused as refused:
        _refused(warehouse, decided, [(problem.summary, str(problem)) for problem in refused.problems], result)
        return
    previous = _previous(warehouse, spec, answer)
    own = check_capture(spec, frame, words, answer.vintage)
    checks = own + _compare(warehouse, spec, held, answer, frame, previous)
    weighed = checks if by == "rule" else [c for c in own if c.check != OVERRULED]
    failed = [c for c in weighed if c.blocking and not c.passed]
    result.checks = checks
    result.warnings += [f"{c.check}: {c.found}" for c in checks if not c.passed]
    index.record_checks(warehouse, answer.answer, [*_of_bytes(warehouse, answer), *checks])
    if failed:
        _refused(warehouse, decided, [(_line(check), _line(check, rows=True)) for check in failed], result)
    elif _same_words(warehouse, spec, answer, words) and _nothing_new(warehouse, spec, answer, frame, previous):
        index.decide(warehouse, replace(decided, status="repeated"))
    else:
        index.decide(warehouse, _manifested(warehouse, held, replace(decided, status="accepted")))
        result.counts.append(_record_answer(warehouse, spec, answer, frame, words))


def _refused(warehouse: Warehouse, answer: Answer, reasons: Sequence[tuple[str, str]], result: Observed) -> None:
    """Write a refusal down without the rows at fault, which may not be passed on; whoever ran it is told of them."""
    why = "; ".join(short for short, _ in reasons)
    index.decide(warehouse, replace(answer, status="refused", decided_by="rule", why=why))
    result.refused.append(f"{answer.answer}: {'; '.join(full for _, full in reasons)}")


def _manifested(warehouse: Warehouse, held: Held, answer: Answer) -> Answer:
    """The answer with a manifest beside its bytes: one that repeated what stood had none until it counted."""
    if answer.manifest is not None:
        return answer
    parts = [index.record_of(warehouse.con, record) for record in answer.parts.values()]
    licence = parts[0].licence
    note = held.archive.note(answer.source, parts, answer.told() | {"status": "new"}, answer.served_at, licence=licence)
    index.index_records(warehouse, [note])
    return replace(answer, manifest=note.record)


def _says_what_its_predecessor_said(warehouse: Warehouse, answer: Answer) -> bool:
    """Whether its bytes are those of the answer just before it, with no other capture between the two."""
    own = [a for a in index.answers_of(warehouse.con, answer.source) if a.measure == answer.measure]
    earlier = [a for a in own if a.order < answer.order]
    if not earlier or earlier[-1].original_sha256 != answer.original_sha256:
        return False
    before = capture_before(warehouse.con, answer.source, answer.measure, answer.vintage)
    return earlier[-1].status in ("accepted", "repeated") and before is not None and before <= earlier[-1].vintage


def _line(check: CheckResult, *, rows: bool = False) -> str:
    shown = f" ({'; '.join(check.rows[:3])}{' …' if len(check.rows) > 3 else ''})" if rows and check.rows else ""
    return f"{check.check}: expected {check.expected}, found {check.found}{shown}"


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
    known = [a for a in index.answers_of(warehouse.con, spec.source) if a.status in ("accepted", "repeated")]
    before = index.newest_of(known, answer.measure, answer.served_at)
    kinds = {code: row["kind"] for code, row in places().items()} if spec.adopter_kind == "place" else {}
    return compare(
        previous,
        keyed(spec, frame),
        previous_bytes=_bytes_of(warehouse, held, before) if before else {},
        data=_bytes_of(warehouse, held, answer),
        thresholds=spec.thresholds,
        kinds=kinds,
        scope=spec.scope,
    )


def _bytes_of(warehouse: Warehouse, held: Held, answer: Answer) -> dict[str, bytes]:
    return {name: held.payload(warehouse.con, record) for name, record in answer.parts.items()}


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


def _same_words(warehouse: Warehouse, spec: SourceSpec, answer: Answer, words: pl.DataFrame | None) -> bool:
    return words is None or words.equals(attributes_at(warehouse.con, spec.source, answer.vintage))


def _record_answer(
    warehouse: Warehouse, spec: SourceSpec, answer: Answer, frame: pl.DataFrame, words: pl.DataFrame | None
) -> MergeCounts:
    capture = {
        "capture": answer.answer,
        "vintage": answer.vintage,
        "vintage_precision": answer.vintage_precision,
        "kind": "live" if answer.via in ("direct", "mirror") else "web archive",
        "url": answer.url,
        "original_bytes": answer.original_bytes,
        "original_sha256": answer.original_sha256,
        "content_sha256": capture_digest(frame.drop("line", strict=False), words),
        "reader_version": spec.reader_version,
    }
    return _merge(warehouse, spec, capture, frame.drop("line", strict=False), words, spec.scope, answer.measure)


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
    result.counts.append(_merge(warehouse, spec, capture, item.frame, item.attributes, row.scope, row.measure))
    result.warnings += [f"{c.check}: {c.found}" for c in item.checks if not c.passed]
    index.record_checks(warehouse, row.capture, item.checks)


def _merge(
    warehouse: Warehouse,
    spec: SourceSpec,
    capture: Mapping[str, Any],
    frame: pl.DataFrame,
    words: pl.DataFrame | None,
    scope: str,
    measure: str,
) -> MergeCounts:
    mapped = map_to_series(frame, spec.source, spec.measures, adopter_kind=spec.adopter_kind, place=spec.place)
    row = dict(capture) | {"source": spec.source, "scope": scope, "n_rows": frame.height}
    return warehouse.merge_capture(row, scope_of(scope, measure, spec, mapped.rows), mapped.series, mapped.rows, words)


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
