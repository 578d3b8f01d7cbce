"""The backtests' record as rows of the findings tables: every score with its setting, its interval and what it rests on.

A backtest of all settings takes longer than a run may. It is measured apart (`tests/study`), kept beside the code, and
read here; the rows are about the captures that it was made from, and stand only where these are the founding facts in
force. Names: the subject is `backtest/PROTOCOL/WHO`, the mode `MODE, DATA`, the measure says the score and its part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import polars as pl
from longwave.models.horizons import TARGET_AGE
from longwave.models.scoreboard import ALL, CONVERGED, PRINTED
from longwave.pipelines.find import Rows
from longwave.warehouse.records import Record

POINTS = "points"
MANY = 100


def standing(kept: Iterable[Record], inputs: str) -> list[Record]:
    """The records made from just these inputs (digest); those of other facts say nothing about the ones at hand."""
    return [record for record in kept if record.about["inputs"] == inputs]


def newest(kept: Sequence[Record]) -> date:
    """Newest vintage that any of the records was made from."""
    return max(date.fromisoformat(str(record.about["newest_vintage"])) for record in kept)


def backtest_rows(kept: Sequence[Record]) -> Rows:
    """Rows of all records."""
    rows = Rows()
    for record in kept:
        before = len(rows.findings)
        for name, add in _ADDS.items():
            if name in record.tables:
                add(rows, record, record.tables[name])
        for row in rows.findings[before:]:
            row["seed"] = record.about["seed"]
    _add_printed(rows, kept)
    return rows


def mode_of(record: Record) -> str:
    """What a forecast saw: mode and data, as they stand in the findings."""
    return f"{record.about['mode']}, {record.about['data']}"


def _subject(record: Record, who: str) -> str:
    return f"backtest/{record.about['protocol']}/{who}"


def _unit(record: Record) -> str:
    return str(record.about.get("unit", POINTS))


def _note(record: Record) -> str:
    about = record.about
    return (
        f"measured apart: {about['n_forecasts']} forecasts, {about['n_boot']} resamples, commit {about['commit'][:12]}"
    )


def _interval(row: dict[str, Any], value: str = "value", level: float = 0.95) -> dict[str, object]:
    known = row["lo"] is not None
    return {"estimate": row[value], "lo": row["lo"], "hi": row["hi"], "level": level if known else None}


def _without_width(record: Record) -> set[str]:
    """Forecasters whose intervals had nothing to learn from in this mode: they are the whole scale, and hold everything."""
    held = record.tables.get("coverage")
    if held is None or "forecaster" not in held.columns:
        return set()
    # Of so many outcomes, intervals of half the probability that are any less hold some part only.
    whole = held.filter(pl.col("regime") == ALL, pl.col("coverage") >= 1.0, pl.col("n_values") >= MANY)
    return {name for name, n in whole.group_by("forecaster").len().iter_rows() if n == held["level"].n_unique()}


_NO_WIDTH = "not identified: in this mode nothing was left to learn the width of its intervals from"


def _scored(row: dict[str, Any], record: Record, bare: bool) -> dict[str, object]:
    """Number and note of a score; none where it is about intervals that had nothing to learn from."""
    if bare and row["measure"] == "wis":
        return {"estimate": None, "lo": None, "hi": None, "level": None, "note": _NO_WIDTH}
    return {**_interval(row), "note": _note(record)}


def _add_scores(rows: Rows, record: Record, table: pl.DataFrame) -> None:
    bare = _without_width(record)
    for row in table.iter_rows(named=True):
        rows.finding(
            _subject(record, row["forecaster"]),
            f"{row['measure']}_by_{row['average']}/{row['part']}",
            mode_of(record),
            n=row["n_windows"],
            n_clusters=row["n_clusters"],
            unit=_unit(record),
            **_scored(row, record, row["forecaster"] in bare),
        )


def _add_against(rows: Rows, record: Record, table: pl.DataFrame) -> None:
    bare = _without_width(record)
    for row in table.iter_rows(named=True):
        rows.finding(
            _subject(record, record.about["forecaster"]),
            f"{row['measure']}_by_{row['average']}/{row['part']}/minus {row['peer']}",
            mode_of(record),
            n=row["n_windows"],
            n_clusters=row["n_clusters"],
            unit=_unit(record),
            **_scored(row, record, row["peer"] in bare),
        )


def _add_coverage(rows: Rows, record: Record, table: pl.DataFrame) -> None:
    who = "forecaster" if "forecaster" in table.columns else "panel"
    for row in table.iter_rows(named=True):
        rows.finding(
            _subject(record, row[who]),
            f"coverage_{round(100 * row['level'])}/{row.get('regime', ALL)}",
            mode_of(record),
            n=row["n_values"],
            n_clusters=row["n_clusters"],
            unit="share of outcomes",
            note=f"{row['n_series']} series; {_rule(row['passes'])}",
            **_interval(row, "coverage", 0.9),
        )


def _rule(passes: bool | None) -> str:
    """What the rule on coverage says, in words that the page reads back."""
    return "no target" if passes is None else "within the rule" if passes else "outside the rule"


def _add_series(rows: Rows, record: Record, table: pl.DataFrame) -> None:
    for row in table.iter_rows(named=True):
        name = row["series"].rsplit("/", 1)[-1]
        rows.finding(
            _subject(record, row["forecaster"]),
            f"mae_of_series/{name}",
            mode_of(record),
            estimate=row["mae"],
            n=row["n_windows"],
            n_clusters=1,
            unit=POINTS,
            note=_note(record),
        )


def _add_pit(rows: Rows, record: Record, table: pl.DataFrame) -> None:
    width = 1.0 / table.height
    for number, share in table.select("bin", "share").iter_rows():
        rows.curve(
            _subject(record, record.about["forecaster"]),
            "pit",
            mode_of(record),
            "probability",
            round((number + 0.5) * width, 6),
            y=share,
            n=record.about["n_forecasts"],
            unit="share of outcomes",
        )


def _add_printed(rows: Rows, kept: Sequence[Record]) -> None:
    """Errors as the paper prints them, of the largest set of its windows: they hang on no mode of ours."""
    tables = [record.tables["published"] for record in kept if "published" in record.tables]
    if not tables:
        return
    table = max(tables, key=lambda table: int(table["n_windows"].sum()))
    every, converged = (int(table["n_windows"].max()), int(table["n_windows"].min()))  # type: ignore[arg-type]
    for row in table.iter_rows(named=True):
        for part, column, n in ((ALL, "mae", every), (CONVERGED, "mae_converged", converged)):
            # A curve that did not converge everywhere has no error over all windows.
            if row[column] is not None and row["n_windows"] >= n:
                rows.finding(
                    f"backtest/published/{row['model']}",
                    f"mae_by_window/{part}",
                    PRINTED,
                    estimate=row[column],
                    n=n,
                    unit=POINTS,
                    note="mean of the windows' errors as printed in the paper",
                )


def _add_relative(rows: Rows, record: Record, table: pl.DataFrame) -> None:
    for row in table.filter(pl.col("ratio").is_not_null()).iter_rows(named=True):
        age = int(row["ages"]) if row["ages"].isdigit() else None
        ages = "" if age or row["ages"] == ALL else f", ages {row['ages']}"
        rows.finding(
            _subject(record, row["panel"]),
            f"relative_mae/{row['reference']}/{row['asked']}{ages}",
            mode_of(record),
            k=-1 if age is None else age,
            horizon=_year_asked(age, row["asked"]),
            n=row["n"],
            n_clusters=row["n_clusters"],
            unit="error ÷ the reference's",
            note=f"mean absolute errors {row['mae']:.4g} and {row['mae_reference']:.4g}",
            **_interval(row, "ratio"),
        )


def _year_asked(age: int | None, asked: str) -> int:
    """Years since launch of the outcome, -1 where it is not one year."""
    if asked == f"age {TARGET_AGE}":
        return TARGET_AGE
    return age + int(asked) if age is not None and asked.startswith("+") else -1


def _add_information(rows: Rows, record: Record, table: pl.DataFrame) -> None:
    for row in table.filter(pl.col("information_mae").is_not_null()).iter_rows(named=True):
        rows.finding(
            _subject(record, row["panel"]),
            "information_mae",
            mode_of(record),
            k=row["age"],
            horizon=TARGET_AGE,
            n=row["n"],
            n_clusters=row["n_clusters"],
            unit="1 − error ÷ climatology's",
            note=_note(record),
            **_interval(row, "information_mae"),
        )


_ADDS: Mapping[str, Callable[[Rows, Record, pl.DataFrame], None]] = {
    "scores": _add_scores,
    "against": _add_against,
    "coverage": _add_coverage,
    "by_series": _add_series,
    "pit": _add_pit,
    "relative_errors": _add_relative,
    "information": _add_information,
}
