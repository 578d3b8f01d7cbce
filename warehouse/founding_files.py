"""The founding facts: figures re-recorded from original files, in the project's own tidy form, the embedded default.

`founding/originals.csv` has a row for each original: source, vintage, where it came from, its size and SHA-256, the
reader's version, and the digest of the tidy rows read from it. Rows lie in `founding/<source>/<vintage>.<measure>.csv`:
code, entity, period, a value column named by its unit, flag. After a measure's first vintage a file of a `full` scope
holds only what changed: `withdrawn` in the flag column takes a row away. What a source says of its adopters in words stands
in `<vintage>.attributes.csv`: adopter, and a column for each attribute; an empty cell says nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib import resources
from pathlib import Path

import polars as pl
from longwave.warehouse.attributes import attributes_digest, attributes_frame
from longwave.warehouse.errors import Problem, Refused
from longwave.warehouse.tidy import TIDY_KEY, UNITS, Measure, content_digest, tidy

WITHDRAWN = "withdrawn"
ATTRIBUTES = "attributes"
"""In the name of a file of attributes, where that of a file of figures has its measure."""
_HEADER = ["code", "entity", "period"]
_REMEDY = "restore the file, or rebuild the founding facts from the originals: longwave founding build DIR"


@dataclass(frozen=True)
class OriginalRow:
    """One row of `originals.csv`: an original file and what was read from it. Digests are empty before the first build.

    `measure` names the one measure an original gives where its source serves each in a file of its own; empty: all.
    """

    source: str
    vintage: date
    vintage_precision: str
    path: str
    url: str
    scope: str
    measure: str = ""
    bytes: int = 0
    sha256: str = ""
    rows: int = 0
    content_sha256: str = ""
    reader_version: int = 0

    @property
    def capture(self) -> str:
        """The capture's identifier: readable, unique, and sorted by vintage within a source."""
        return f"{self.source}@{self.vintage}#{self.sha256[:8]}"


def founding_folder() -> Path:
    """The embedded founding facts."""
    return Path(str(resources.files("longwave.warehouse"))) / "founding"


def read_originals(folder: Path) -> list[OriginalRow]:
    """Rows of `originals.csv`, sorted by source and vintage.

    Raises:
        Refused: the file is missing, empty, or lacks a column.

    """
    path = folder / "originals.csv"
    table = _read_csv(path)
    wanted = list(OriginalRow.__dataclass_fields__)
    _require(table, wanted, path)
    typed = table.select(wanted).with_columns(
        pl.col("measure", "sha256", "content_sha256", "url").fill_null(""),
        pl.col("vintage").str.to_date(strict=False),
        *[pl.col(name).cast(pl.Int64, strict=False).fill_null(0) for name in ("bytes", "rows", "reader_version")],
    )
    if typed["vintage"].null_count():
        raise Refused(str(path), [Problem("vintage", str(path), "a date in every row", "another text")], _REMEDY)
    return sorted(
        (OriginalRow(**row) for row in typed.iter_rows(named=True)),
        key=lambda r: (r.source, r.vintage, r.path),
    )


def write_originals(folder: Path, rows: Sequence[OriginalRow]) -> None:
    """Write `originals.csv`, sorted."""
    ordered = sorted(rows, key=lambda r: (r.source, r.vintage, r.path))
    frame = pl.DataFrame([vars(row) for row in ordered], infer_schema_length=None)
    (folder / "originals.csv").write_text(frame.write_csv(), encoding="utf-8")


def file_of(folder: Path, source: str, vintage: date, measure: str) -> Path:
    """Where the rows of one measure of one vintage lie."""
    return folder / source / f"{vintage}.{measure}.csv"


def write_rows(path: Path, frame: pl.DataFrame, before: pl.DataFrame | None, unit: str) -> None:
    """Write one measure's rows: all of them, or with `before` only what changed against it."""
    written = frame if before is None else _delta(frame, before)
    form = (
        pl.when(pl.col("period_kind") == "year")
        .then(pl.col("period_start").dt.strftime("%Y"))
        .when(pl.col("period_kind") == "month")
        .then(pl.col("period_start").dt.strftime("%Y-%m"))
        .otherwise(pl.col("period_start").dt.strftime("%Y-%m-%d"))
    )
    # A code says whose row it is; the name as served is kept only where there is no code.
    table = written.sort(TIDY_KEY).select(
        "code",
        pl.when(pl.col("code").is_null()).then("entity").alias("entity"),
        form.alias("period"),
        pl.col("value").map_elements(_shortest, return_dtype=pl.String).alias(unit),
        "flag",
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(table.write_csv(), encoding="utf-8")


def _shortest(value: float) -> str:
    whole = value.is_integer() and abs(value) < 1e15
    return str(int(value)) if whole else repr(value)


def _delta(frame: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    now, then = named(frame), named(before)
    same = [*TIDY_KEY, "value", "flag"]
    changed = now.join(then, on=same, how="anti", nulls_equal=True)
    gone = then.join(now, on=TIDY_KEY, how="anti", nulls_equal=True).with_columns(
        pl.lit(None, pl.Float64).alias("value"), pl.lit(WITHDRAWN).alias("flag")
    )
    return pl.concat([changed, gone])


def named(frame: pl.DataFrame) -> pl.DataFrame:
    """A tidy frame whose coded rows are named by their code: names as served change between vintages, codes do not."""
    return tidy(frame.with_columns(pl.coalesce("code", "entity").alias("entity")))


def read_source(
    folder: Path, rows: Sequence[OriginalRow], measures: Sequence[Measure]
) -> Iterator[tuple[OriginalRow, pl.DataFrame]]:
    """Every capture of one source in order of vintage, with its tidy rows (and the line each stands on).

    Raises:
        Refused: a file is missing, empty, an HTML page, lacks a column, states another unit, repeats a key, or holds
            text for a number; or the rows do not match the digest recorded when they were built.

    """
    state: dict[str, pl.DataFrame] = {}
    units = {measure.measure: measure.unit for measure in measures}
    for row in rows:
        parts = []
        for measure in [row.measure] if row.measure else units:
            path = file_of(folder, row.source, row.vintage, measure)
            before = state.get(measure) if row.scope == "full" else None
            state[measure] = _apply(_read_rows(path, measure, units[measure]), before)
            parts.append(state[measure])
        yield row, pl.concat(parts)


def verify_digest(folder: Path, row: OriginalRow, frame: pl.DataFrame, attributes: pl.DataFrame | None = None) -> None:
    """Refuse rows that are not the ones built from the original.

    Raises:
        Refused: the digest differs.

    """
    found = capture_digest(frame, attributes)
    if found != row.content_sha256:
        where = str(folder / row.source / f"{row.vintage}.*.csv")
        problem = Problem("digest", where, f"the rows built from {row.path}: {row.content_sha256[:12]}", found[:12])
        raise Refused(where, [problem], _REMEDY)


def capture_digest(frame: pl.DataFrame, attributes: pl.DataFrame | None) -> str:
    """Digest of what a capture says: of its tidy rows, and of its attributes where its source gives them."""
    rows = content_digest(named(frame))
    if attributes is None:
        return rows
    return hashlib.sha256(f"{rows} {attributes_digest(attributes)}".encode()).hexdigest()


def write_attributes(path: Path, attributes: pl.DataFrame, declared: Sequence[str]) -> None:
    """Write what one capture says in words: a row an adopter, a column an attribute."""
    wide = attributes.pivot("name", index="adopter", values="value")
    absent = [pl.lit(None, pl.String).alias(name) for name in declared if name not in wide.columns]
    path.parent.mkdir(parents=True, exist_ok=True)
    table = wide.with_columns(absent).select("adopter", *declared).sort("adopter")
    path.write_text(table.write_csv(), encoding="utf-8")


def read_attributes(folder: Path, row: OriginalRow, declared: Sequence[str]) -> pl.DataFrame | None:
    """What one founding capture says in words: adopter, name, value; None of a source that declares no attributes.

    Raises:
        Refused: the file is missing, empty, an HTML page, or has other columns than the declared ones.

    """
    if not declared:
        return None
    path = file_of(folder, row.source, row.vintage, ATTRIBUTES)
    table = _read_csv(path).drop("line")
    if table.columns != ["adopter", *declared]:
        expected, found = ", ".join(["adopter", *declared]), ", ".join(table.columns)
        raise Refused(str(path), [Problem("columns", str(path), expected, found)], _REMEDY)
    return attributes_frame(table.unpivot(list(declared), index="adopter", variable_name="name"))


def _apply(changes: pl.DataFrame, before: pl.DataFrame | None) -> pl.DataFrame:
    if before is None:
        return changes
    kept = before.join(changes, on=TIDY_KEY, how="anti", nulls_equal=True)
    return pl.concat([kept, changes.filter(pl.col("flag").is_null() | (pl.col("flag") != WITHDRAWN))])


def _read_rows(path: Path, measure: str, unit: str) -> pl.DataFrame:
    table = _read_csv(path)
    _require(table, [*_HEADER, "flag"], path)
    stated = [column for column in table.columns if column not in (*_HEADER, "flag", "line")]
    if stated != [unit]:
        expected = f"a value column headed {unit}, the unit of {measure}"
        found = ", ".join(stated) or "none"
        hint = "" if set(stated) <= set(UNITS) else " (no unit the project knows)"
        raise Refused(str(path), [Problem("unit", str(path), expected, found + hint)], _REMEDY)
    parsed = table.with_columns(
        pl.col(unit).cast(pl.Float64, strict=False).alias("value"),
        *_period_columns(pl.col("period")),
        pl.coalesce("entity", "code").alias("entity"),
        pl.lit(measure).alias("measure"),
    )
    _refuse_rows(path, parsed, unit)
    return parsed.select("line", *[pl.col(name) for name in tidy(parsed.head(0)).columns])


def _period_columns(period: pl.Expr) -> list[pl.Expr]:
    """First day and kind of a period written as YYYY, YYYY-MM or YYYY-MM-DD; a null day where it is none of them."""
    length = period.str.len_chars()
    kind = pl.when(length == 4).then(pl.lit("year")).when(length == 7).then(pl.lit("month")).otherwise(pl.lit("date"))
    day = pl.when(length == 4).then(period + "-01-01").when(length == 7).then(period + "-01").otherwise(period)
    return [kind.alias("period_kind"), day.str.to_date("%Y-%m-%d", strict=False).alias("period_start")]


def _refuse_rows(path: Path, parsed: pl.DataFrame, unit: str) -> None:
    withdrawn = pl.col("flag").eq_missing(pl.lit(WITHDRAWN))
    rules: Mapping[str, tuple[pl.Expr, str]] = {
        "entity": (pl.col("entity").is_null(), "a code or a name"),
        "period": (pl.col("period_start").is_null(), "YYYY, YYYY-MM or YYYY-MM-DD"),
        f"number in {unit}": (pl.col("value").is_null() & ~withdrawn, "a number"),
        "one row a key": (pl.struct("entity", "period").is_duplicated(), "each entity and period once"),
    }
    problems = []
    for rule, (broken, expected) in rules.items():
        bad = parsed.filter(broken)
        if not bad.is_empty():
            shown = bad.select("line", "entity", "period", unit).head(20).iter_rows()
            rows = tuple(f"line {line}: {entity}, {period}: {text}" for line, entity, period, text in shown)
            problems.append(Problem(rule, str(path), expected, f"{bad.height} rows at fault", rows))
    if problems:
        raise Refused(str(path), problems, _REMEDY)


def _read_csv(path: Path) -> pl.DataFrame:
    def refuse(rule: str, expected: str, found: str) -> Refused:
        return Refused(str(path), [Problem(rule, str(path), expected, found)], _REMEDY)

    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise refuse("file", "a file of founding facts", "none") from None
    if not data.strip():
        raise refuse("not empty", "a header line", f"{len(data)} bytes without content")
    if data.lstrip()[:15].lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        raise refuse("text", "a comma-separated table", "an HTML page")
    try:
        return pl.read_csv(data, infer_schema=False).with_row_index("line", offset=2)
    except pl.exceptions.PolarsError as error:
        raise refuse("rows", "as many fields as the header has", str(error).splitlines()[0]) from None


def _require(table: pl.DataFrame, columns: Sequence[str], path: Path) -> None:
    absent = [column for column in columns if column not in table.columns]
    if absent:
        found = ", ".join(c for c in table.columns if c != "line")
        problem = Problem("columns", str(path), f"the column {', '.join(absent)}", found)
        raise Refused(str(path), [problem], _REMEDY)
