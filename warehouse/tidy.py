"""The tidy frame every reader makes, the declared checks that accept or refuse it as a whole, and its mapping to series.

A tidy row: measure, entity (name as served), code (as served, null where none), period_start, period_kind, value, flag.
An unknown code is refused, since the publisher knows something we do not; an unknown name without a code is kept
unmapped, warned about, and stays out of every panel of places.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl
from longwave.warehouse.errors import Problem, Refused
from longwave.warehouse.world import codes_by_name, load_fact, places

TIDY_SCHEMA: dict[str, pl.DataType] = {
    "measure": pl.String(),
    "entity": pl.String(),
    "code": pl.String(),
    "period_start": pl.Date(),
    "period_kind": pl.String(),
    "value": pl.Float64(),
    "flag": pl.String(),
}
TIDY_KEY = ["measure", "entity", "code", "period_start", "period_kind"]
FIRST_YEAR = 1700

# Unit of a value column, by the name that heads it in a founding file: class, and how many base things one unit is.
UNITS: dict[str, tuple[str, float]] = {
    "percent": ("share", 1.0),
    "per_100_people": ("count", 1.0),
    "persons": ("count", 1.0),
    "thousand_persons": ("count", 1000.0),
    "households": ("count", 1.0),
    "sets": ("count", 1.0),
    "thousand_sets": ("count", 1000.0),
    "copies": ("count", 1.0),
    "thousand_telephones": ("count", 1000.0),
    "thousand_computers": ("count", 1000.0),
    "accounts": ("count", 1.0),
    "followers": ("count", 1.0),
    "million_subscribers": ("count", 1e6),
    "stations": ("count", 1.0),
    "statements": ("count", 1.0),
    "documents": ("count", 1.0),
    "citations": ("count", 1.0),
    "kilowatts": ("quantity", 1.0),
    "sjr_points": ("quantity", 1.0),
    "current_international_dollars": ("money", 1.0),
    "current_us_dollars": ("money", 1.0),
    "million_1990_international_dollars": ("money", 1e6),
}


@dataclass(frozen=True)
class Measure:
    """A quantity that a source gives: its name, unit, what it is about, and the range a value must lie in."""

    measure: str
    medium: str
    metric: str
    unit: str
    population: str
    denominator: str | None
    low: float
    high: float


@dataclass(frozen=True)
class CheckResult:
    """What a check expected and found; the exit code, the asset check and the site's page all render from it."""

    check: str
    passed: bool
    blocking: bool
    expected: str
    found: str
    rows: tuple[str, ...] = ()


def tidy(rows: pl.DataFrame) -> pl.DataFrame:
    """Columns, types and row order of a tidy frame: equal content gives an equal frame whatever order it came in."""
    missing = [pl.lit(None, pl.String).alias(name) for name in ("code", "flag") if name not in rows.columns]
    typed = rows.with_columns(missing).select([pl.col(n).cast(t) for n, t in TIDY_SCHEMA.items()])
    # −0 and 0 are equal and are written alike: one of them, or an unchanged zero would have two digests.
    return typed.with_columns(pl.col("value") + 0.0).sort(TIDY_KEY)


def content_digest(frame: pl.DataFrame) -> str:
    """SHA-256 of a tidy frame's rows, independent of the polars version and of row order."""
    ordered = frame.sort(TIDY_KEY).with_columns(pl.col("value").map_elements(repr, return_dtype=pl.String))
    return hashlib.sha256(ordered.write_csv(include_header=False).encode()).hexdigest()


def check_frame(
    frame: pl.DataFrame, source: str, measures: Sequence[Measure], vintage: date, *, places_expected: bool
) -> list[CheckResult]:
    """Run every declared check on a tidy frame.

    Args:
        frame: tidy frame of one capture, with an optional column `line` that says where a row stands.
        source: whose capture it is.
        measures: what the source declares.
        vintage: no period may begin after it.
        places_expected: whether entities are places (else technologies, platforms, journals, accounts …).

    Returns:
        One result a check, passed or not.

    """
    declared = pl.DataFrame([(m.measure, m.low, m.high) for m in measures], ["measure", "low", "high"], orient="row")
    joined = frame.join(declared, on="measure", how="left")
    duplicate = frame.filter(pl.struct(_mapped_key(source, places_expected)).is_duplicated())
    spoiled = frame.filter(pl.col("value").is_null() | ~pl.col("value").is_finite())
    outside = joined.filter((pl.col("value") < pl.col("low")) | (pl.col("value") > pl.col("high")))
    year = pl.col("period_start").dt.year()
    late = frame.filter(pl.col("period_start").is_null() | (pl.col("period_start") > vintage) | (year < FIRST_YEAR))
    nameless = frame.filter(pl.coalesce("code", "entity").is_null())
    ranges = "; ".join(f"{m.measure} {m.low:g} to {m.high:g} {m.unit}" for m in measures)
    results = [
        _result("not empty", frame.height > 0, "at least one row", f"{frame.height} rows"),
        _rows("declared measures", joined.filter(pl.col("low").is_null()), "only measures the source declares"),
        _rows("named rows", nameless, "a name or a code in every row"),
        _rows("one value a key", duplicate, "one row for each entity and period"),
        _rows("finite values", spoiled, "a finite number in every row"),
        _rows("values in range", outside, ranges),
        _rows("periods in range", late, f"years from {FIRST_YEAR} to the vintage, {vintage}"),
    ]
    if places_expected:
        results += _place_checks(frame, source)
    return results


def _place_checks(frame: pl.DataFrame, source: str) -> list[CheckResult]:
    known = list(codes_by_name(source))
    unknown = frame.filter(pl.col("code").is_not_null() & ~pl.col("code").is_in(known))
    unmapped = frame.filter(pl.col("code").is_null() & ~pl.col("entity").is_in(known)).unique("entity").sort("entity")
    names = ", ".join(unmapped["entity"]) or "all known"
    return [
        _rows("known codes", unknown, "ISO 3166-1 alpha-3 codes and the aggregates' codes in facts/places.csv"),
        _result(
            "mapped names",
            unmapped.is_empty(),
            "names in facts/places.csv or facts/aliases.csv",
            names,
            False,
        ),
    ]


def _mapped_key(source: str, places_expected: bool) -> list[pl.Expr]:
    key = adopter_key_expression(source) if places_expected else pl.col("entity")
    return [pl.col("measure"), key.alias("adopter_key"), pl.col("period_start"), pl.col("period_kind")]


def adopter_key_expression(source: str) -> pl.Expr:
    """Key of a place: the code as served and resolved, else the code its name stands for, else the name itself."""
    served = pl.coalesce("code", "entity")
    return served.replace(codes_by_name(source))


def _result(check: str, passed: bool, expected: str, found: str, blocking: bool = True) -> CheckResult:
    return CheckResult(check, passed, blocking, expected, found)


def _rows(check: str, bad: pl.DataFrame, expected: str) -> CheckResult:
    # As text: a year such as 20233 is a date here and none in Python.
    shown = bad.head(20).with_columns(pl.col("period_start").cast(pl.String))
    rows = tuple(_describe(row) for row in shown.iter_rows(named=True))
    found = f"{bad.height} rows at fault" if bad.height else "none at fault"
    return CheckResult(check, bad.is_empty(), True, expected, found, rows)


def _describe(row: Mapping[str, object]) -> str:
    where = f"line {row['line']}: " if row.get("line") else ""
    code = f" ({row['code']})" if row["code"] else ""
    return f"{where}{row['measure']}, {row['entity'] or ''}{code}, {row['period_start']}: {row['value']}"


def refuse_if_blocked(what: str, where: str, results: Sequence[CheckResult], remedy: str) -> None:
    """Raise Refused with every failed blocking check and the rows at fault."""
    problems = [
        Problem(result.check, where, result.expected, result.found, result.rows)
        for result in results
        if result.blocking and not result.passed
    ]
    if problems:
        raise Refused(what, problems, remedy)


@dataclass(frozen=True)
class Mapped:
    """A capture's rows with their series: what the writer merges."""

    series: pl.DataFrame
    rows: pl.DataFrame


def map_to_series(
    frame: pl.DataFrame, source: str, measures: Sequence[Measure], *, adopter_kind: str, place: str | None
) -> Mapped:
    """Resolve entities to adopters and series.

    Args:
        frame: an accepted tidy frame.
        source: its source.
        measures: the source's declared measures.
        adopter_kind: `place`, `technology`, `platform`, `journal`, `account`, `station`, `service`,
            `outlet` or `channel`.
        place: the one place all entities belong to, where entities are not places themselves.

    Returns:
        Rows of `series`, and rows for `Warehouse.merge_capture`.

    """
    key = adopter_key_expression(source) if adopter_kind == "place" else pl.col("entity")
    keyed = frame.with_columns(key.alias("adopter_key")).with_columns(
        pl.format("{}/{}/{}", pl.lit(source), "measure", "adopter_key").alias("series")
    )
    rows = keyed.select(
        "series",
        "measure",
        "adopter_key",
        "period_start",
        "period_kind",
        "value",
        pl.col("flag").alias("served_flag"),
    )
    distinct = keyed.select("series", "measure", "adopter_key").unique().sort("series")
    by_measure = {m.measure: m for m in measures}
    groups = _concepts(source)
    series = [
        _series_row(source, adopter_kind, place, by_measure[row["measure"]], groups, row)
        for row in distinct.iter_rows(named=True)
    ]
    return Mapped(pl.DataFrame(series, infer_schema_length=None), rows)


def _concepts(source: str) -> dict[tuple[str, str], dict[str, str]]:
    table = load_fact("concept_groups").filter(pl.col("source") == source)
    return {(row["measure"], row["adopter"]): row for row in table.iter_rows(named=True)}


def _series_row(
    source: str,
    adopter_kind: str,
    place: str | None,
    measure: Measure,
    groups: Mapping[tuple[str, str], Mapping[str, str]],
    row: Mapping[str, str],
) -> dict[str, str | None]:
    adopter_key = row["adopter_key"]
    known = places().get(adopter_key) if adopter_kind == "place" else None
    code = (known["code"] if known else None) if adopter_kind == "place" else place
    group = groups.get((measure.measure, adopter_key)) or groups.get((measure.measure, "*"))
    return {
        "series": row["series"],
        "source": source,
        "measure": measure.measure,
        "adopter_key": adopter_key,
        "medium": group["medium"] if group else measure.medium,
        "metric": measure.metric,
        "unit": measure.unit,
        "unit_class": UNITS[measure.unit][0],
        "population": group["population"] if group else measure.population,
        "denominator": measure.denominator,
        "adopter": known["name"] if known else adopter_key,
        "adopter_kind": adopter_kind if adopter_kind != "place" else (known["kind"] if known else "unmapped"),
        "code": code,
        "place": code,
        "concept": group["concept"] if group else f"{measure.medium} {measure.metric}",
    }
