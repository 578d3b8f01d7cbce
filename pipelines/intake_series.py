"""A user's own series: a file of (year, value[, series][, launch]) as a tidy frame, in a stated unit.

Belongs here: what a value may be, one value a year, the unit, the launch. Not here: how cells are written
(`intake_cells`), what is made of a series (`longwave.models.assess`).

The unit is stated by --unit, or by percent signs. Otherwise values over 1 and up to 100 are taken for percent, with a
warning; values that never exceed 1 (fractions, or percent below 1) and values over 100 are refused, for they could be
either.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

import polars as pl
from longwave.pipelines.intake import Cells, counted, read_cells, refuse_lines, refused
from longwave.pipelines.intake_cells import numbers, years
from longwave.warehouse.errors import LongwaveError

Unit = Literal["percent", "fraction", "count"]
CEILINGS: Final[dict[Unit, float | None]] = {"percent": 100.0, "fraction": 1.0, "count": None}
LEAST_LEVEL, MOST_LEVEL = 1e-12, 1e15
"""What a value may be, where it is not 0: nothing is counted beyond, and a slip of the exponent is likelier."""
MOST_GAPS: Final = 5
_SLACK = 1.0 + 1e-9


class TwoLaunches(LongwaveError):
    """The launch is stated twice, by the file and on the command line: wrong usage."""


@dataclass(frozen=True)
class SeriesFile:
    """The series of a file, checked.

    ``frame``: series, year, value (in ``unit``), launch (null: unknown), line; sorted by the series' first line, then by
    year; every value is finite, at least 0 and at most ``ceiling``, one a series and year. ``unit_from``: ``--unit``,
    ``percent signs`` or ``assumed``; ``launch_from``: ``--launch``, ``launch column`` or ``none``. ``notes``: warnings of
    single series; ``warnings``: of the file.
    """

    name: str
    frame: pl.DataFrame
    unit: Unit
    unit_from: str
    ceiling: float | None
    launch_from: str
    notes: dict[str, tuple[str, ...]]
    warnings: tuple[str, ...]


def read_series(
    path: Path, *, unit: Unit | None = None, ceiling: float | None = None, launch: int | None = None
) -> SeriesFile:
    """Read and check a user's series.

    Args:
        path: a delimited text file with a header.
        unit: of the values; None: as its percent signs say, or assumed (see above).
        ceiling: the largest value there can be; None: 100 % (1 for fractions), none for counts.
        launch: year of launch of every series; None: as the column `launch` says.

    Raises:
        NoSuchFile: there is no such file.
        Refused: with the lines at fault and what to do.
        TwoLaunches: ``launch`` and a column `launch` are both there.

    """
    cells = read_cells(path, ("year", "value"), ("series", "launch"))
    if launch is not None and "launch" in cells.frame.columns:
        raise TwoLaunches(f"{cells.name} has a column launch of its own; leave one of the two out")
    cells, notes = _named(cells), list(cells.warnings)
    dated, said_of_years = years(cells, "year")
    cells = replace(cells, frame=dated)
    refuse_lines(
        cells.name,
        dated.filter(pl.col("year").is_null()),
        "years in year",
        "a year in every row",
        "give the year, or remove these rows",
        "series",
    )
    read = numbers(cells, "value", most=ceiling if ceiling is not None else CEILINGS[unit or "count"])
    notes += [*said_of_years, *read.warnings]
    frame = _with_launch(replace(cells, frame=read.frame), launch)
    frame = frame.filter(pl.col("value").is_not_null())
    if frame.is_empty():
        raise refused(cells.name, "not empty", "values", "none", "give a file with figures")
    settled, unit_from, unit_notes = _unit(cells.name, frame, unit, read.percent, ceiling)
    most = ceiling if ceiling is not None else CEILINGS[settled]
    _check(cells.name, frame, settled, most, stated=ceiling is not None)
    frame, early = _from_launch(cells.name, frame)
    launch_from = "--launch" if launch is not None else "launch column" if frame["launch"].count() else "none"
    series_notes = _notes(frame, settled, early)
    return SeriesFile(
        cells.name, _ordered(frame), settled, unit_from, most, launch_from, series_notes, (*notes, *unit_notes)
    )


def _named(cells: Cells) -> Cells:
    """The cells with a column series: the file's own, or one series named as the file."""
    if "series" not in cells.frame.columns:
        stem = Path(cells.name).stem or cells.name
        return replace(cells, frame=cells.frame.with_columns(pl.lit(stem).alias("series")))
    blank = cells.frame.filter(pl.col("series") == "")
    remedy = "give the series a name in every row, or remove the column"
    refuse_lines(cells.name, blank, "names in series", "a name in every row", remedy, "year", "value")
    return cells


def _with_launch(cells: Cells, stated: int | None) -> pl.DataFrame:
    """The frame with a column launch: stated for all, read, or null."""
    if "launch" not in cells.frame.columns:
        return cells.frame.with_columns(pl.lit(stated, dtype=pl.Int32).alias("launch"))
    frame = years(cells, "launch")[0]
    several = frame.filter(pl.col("launch").n_unique().over("series") > 1)
    remedy = "a series has one launch: write the same year in each of its rows"
    refuse_lines(cells.name, several, "launch", "one year a series", remedy, "series", "launch")
    return frame


def _unit(
    name: str, frame: pl.DataFrame, stated: Unit | None, percent: bool, ceiling: float | None
) -> tuple[Unit, str, list[str]]:
    """The unit, where it is from, and a warning where it was assumed."""
    if percent and stated not in (None, "percent"):
        first = frame.head(3)
        remedy = "leave --unit out, or the percent signs"
        refuse_lines(name, first, "unit", f"{stated}s, as --unit says", remedy, "value", found="percent signs")
    if stated or percent:
        return stated or "percent", "--unit" if stated else "percent signs", []
    largest = float(str(frame["value"].max()))
    top = frame.filter(pl.col("value") == largest)
    rows = [f"line {top['line'][0]}: {largest:g} is the largest value"]
    if largest <= 1.0:
        remedy = "state --unit fraction (1 is everybody), --unit percent (1 is one in a hundred) or --unit count"
        raise refused(name, "unit", "a unit that is known", "no value over 1", remedy, rows)
    if largest > 100.0 * _SLACK or (ceiling or 0.0) > 100.0:
        remedy = "state --unit count if they count things; a share in percent is at most 100"
        raise refused(name, "unit", "a unit that is known", "values or a ceiling over 100", remedy, rows)
    return "percent", "assumed", ["no unit is stated: the values are taken for percent; otherwise state --unit count"]


def _check(name: str, frame: pl.DataFrame, unit: Unit, most: float | None, *, stated: bool) -> None:
    """Refuse negative values, values of no size that is counted, values over the ceiling, and years with two values."""
    columns = ("series", "year", "value")
    negative = frame.filter(pl.col("value") < 0)
    refuse_lines(name, negative, "values", "values of at least 0", "mend these rows", *columns)
    beyond = frame.filter((pl.col("value") != 0) & ~pl.col("value").is_between(LEAST_LEVEL, MOST_LEVEL))
    expected = f"0, or {LEAST_LEVEL:g} to {MOST_LEVEL:g}"
    refuse_lines(name, beyond, "values", expected, "give them in another unit, or mend these rows", *columns)
    if most is not None:
        over = frame.filter(pl.col("value") > most * _SLACK)
        plain = "mend these rows, or state --unit count if they count things"
        remedy = "state a higher --ceiling, or mend these rows" if stated else plain
        whose = "as --ceiling says" if stated else f"the whole, in {unit}"
        refuse_lines(name, over, "ceiling", f"at most {most:g}, {whose}", remedy, "series", "year", "value")
    twice = frame.filter(pl.len().over("series", "year") > 1).sort("series", "year", "line")
    remedy = "leave one value for each year and series; name series apart in a column series"
    refuse_lines(name, twice, "years", "one value a series and year", remedy, "series", "year", "value")


def _from_launch(name: str, frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, int]]:
    """The frame without zeros from before the launch, and how many were left out; other values there are refused."""
    before = frame.filter(pl.col("year") < pl.col("launch"))
    early = before.filter(pl.col("value") > 0)
    remedy = "state the year it was first offered (--launch, or the column launch), or remove the rows before it"
    columns = ("series", "year", "value", "launch")
    refuse_lines(name, early, "launch", "no value over 0 before the launch", remedy, *columns)
    zeros = dict(before.group_by("series").len().iter_rows())
    kept = frame.filter(pl.col("launch").is_null() | (pl.col("year") >= pl.col("launch")))
    if kept.is_empty():
        raise refused(name, "launch", "values since the launch", "only zeros before it", "state an earlier launch")
    return kept, zeros


def _notes(frame: pl.DataFrame, unit: Unit, zeros: dict[str, int]) -> dict[str, tuple[str, ...]]:
    """Warnings of single series: zeros before the launch, years without a value, values that may be fractions."""
    found: dict[str, list[str]] = {
        name: [f"{counted(n, 'value')} of 0 before the launch: left out"] for name, n in zeros.items()
    }
    for series, gaps in _gaps(frame).items():
        told = ", ".join(gaps[:MOST_GAPS]) + (f" and {len(gaps) - MOST_GAPS} more" if len(gaps) > MOST_GAPS else "")
        found.setdefault(series, []).append(f"no value in {told}")
    if unit == "percent":
        low = frame.group_by("series").agg(pl.col("value").max()).filter(pl.col("value") <= 1.0)
        for series in low["series"]:
            found.setdefault(series, []).append(
                "no value over 1: read as percent; if they are fractions of 1, state --unit fraction"
            )
    return {series: tuple(notes) for series, notes in found.items()}


def _gaps(frame: pl.DataFrame) -> dict[str, list[str]]:
    """Years without a value between two that have one, by series: 1993 or 1993–1996."""
    step = pl.col("year") - pl.col("year").shift(1).over("series")
    wide = frame.sort("series", "year").with_columns(step.alias("step")).filter(pl.col("step") > 1)
    found: dict[str, list[str]] = {}
    for series, year, years_on in wide.select("series", "year", "step").iter_rows():
        gap = f"{year - 1}" if years_on == 2 else f"{year - years_on + 1}–{year - 1}"
        found.setdefault(series, []).append(gap)
    return found


def _ordered(frame: pl.DataFrame) -> pl.DataFrame:
    first = pl.col("line").min().over("series")
    return frame.sort(first, "year").select("series", "year", "value", "launch", "line")
