"""What a cell of a user's file says: numbers as people write them, and years.

Belongs here: decimal commas and points, thousands, percent signs, words for "no value", years and dates. Not here: files
and rows (`intake`), what a number may be (`intake_series`).

A column is read under one convention. `3,5` shows that the comma is a decimal comma, `1,234,567` that it separates
thousands, `1 234,5` the former; `1,234` and `1.234` alone show nothing. Where the other cells do not decide, and only one
reading is possible (a share is no thousand), that one is taken; else the file is refused and says how to write it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl
from longwave.pipelines.intake import Cells, counted, lines_of, refuse_lines

MISSING: Final = ("", "na", "n/a", "#n/a", "nan", "null", "none", "missing", "-", "–", "—", ".", "..", "...", "…", ":")
FIRST_YEAR, LAST_YEAR = 1000, 2200
UNIT_OPTION: Final = "--unit"
NO_OPTION: Final = ""

_THIN = "[\u00a0\u202f\u2009 '’]"
_FORMS: Final = {
    "whole": r"^[0-9]+$",
    "power": r"^[0-9]+(\.[0-9]+)?[eE][+-]?[0-9]{1,3}$",
    "spaced": rf"^[0-9]{{1,3}}({_THIN}[0-9]{{3}})+$",
    "spaced_point": rf"^[0-9]{{1,3}}({_THIN}[0-9]{{3}})+\.[0-9]+$",
    "spaced_comma": rf"^[0-9]{{1,3}}({_THIN}[0-9]{{3}})+,[0-9]+$",
    "comma_groups": r"^[0-9]{1,3}(,[0-9]{3}){2,}$",
    "point_groups": r"^[0-9]{1,3}(\.[0-9]{3}){2,}$",
    "comma_groups_point": r"^[0-9]{1,3}(,[0-9]{3})+\.[0-9]+$",
    "point_groups_comma": r"^[0-9]{1,3}(\.[0-9]{3})+,[0-9]+$",
    "either_comma": r"^[1-9][0-9]{0,2},[0-9]{3}$",
    "either_point": r"^[1-9][0-9]{0,2}\.[0-9]{3}$",
    "comma": r"^([0-9]+,[0-9]*|,[0-9]+)$",
    "point": r"^([0-9]+\.[0-9]*|\.[0-9]+)$",
}
"""How a number may be written, by name; the first form that fits is the cell's."""

_DECIMAL_POINT: Final = ("point", "spaced_point", "comma_groups_point", "comma_groups")
_DECIMAL_COMMA: Final = ("comma", "spaced_comma", "point_groups_comma", "point_groups")
_EITHER: Final = ("either_comma", "either_point")
_WHOLE_YEAR: Final = r"^[0-9]{4}(\.0+)?$"
_DAY: Final = r"^([0-9]{4}-[0-9]{2}-[0-9]{2})([T ][0-9]{2}:[0-9]{2}.*)?$"


@dataclass(frozen=True)
class Numbers:
    """A column as numbers: ``frame`` with the column as float, null where the cell says that there is no value.

    ``percent``: whether every number carries a percent sign; ``decimal``: ``point``, ``comma``, or empty where no cell
    shows which; ``warnings``.
    """

    frame: pl.DataFrame
    percent: bool
    decimal: str
    warnings: tuple[str, ...]


def numbers(cells: Cells, column: str, *, most: float | None = None, option: str = UNIT_OPTION) -> Numbers:
    """Read a column as numbers.

    Args:
        cells: the file.
        column: its column.
        most: the largest number there can be, where that is known: it can decide what `1,234` means.
        option: with which the unit can be stated, for the remedies; empty where the command has none.

    Raises:
        Refused: a cell is text, the cells contradict each other, or `1,234` may be either; with the lines.

    """
    frame = cells.frame.with_columns(pl.col(column).alias("_cell"))
    frame = _classified(frame, column)
    text = frame.filter(pl.col("_form").is_null() & pl.col("_body").is_not_null())
    refuse_lines(
        cells.name,
        text,
        f"numbers in {column}",
        "a number in every row, or nothing",
        "mend or remove these rows; an empty cell means that there is no value",
        "_cell",
    )
    signed = frame.filter(pl.col("_body").is_not_null())["_percent"]
    if signed.any() and not signed.all():
        bare = frame.filter(pl.col("_body").is_not_null() & ~pl.col("_percent"))
        stated = f" and state {option}" if option else ""
        remedy = f"write it behind every number of the column, or behind none{stated}"
        refuse_lines(
            cells.name,
            bare,
            f"percent signs in {column}",
            "all or none",
            remedy,
            "_cell",
            found=f"{bare.height:,} without one",
        )
    # A percent sign says that the number is a share.
    decimal = _convention(cells.name, frame, column, 100.0 if most is None and signed.any() else most, option)
    read = frame.with_columns(_value(decimal).alias(column))
    unbounded = read.filter(pl.col("_body").is_not_null() & ~pl.col(column).is_finite().fill_null(False))
    refuse_lines(cells.name, unbounded, f"numbers in {column}", "finite numbers", "mend these rows", "_cell")
    gone = read.filter(pl.col(column).is_null())["line"].to_list()
    notes = (f"no value in {lines_of(gone)}: passed over",) if gone else ()
    return Numbers(read.select(cells.frame.columns), bool(signed.any()), decimal, notes)


def holds_numbers(cells: Cells, column: str) -> bool:
    """Whether any cell of a column is written as a number."""
    return bool(_classified(cells.frame, column)["_form"].is_not_null().any())


def _classified(frame: pl.DataFrame, column: str) -> pl.DataFrame:
    """The frame with `_minus`, `_percent`, `_body` (digits and separators; null: no value) and `_form`."""
    plain = pl.col(column).str.replace("\u2212", "-", literal=True).str.replace(r"[\s\u00a0\u202f]*%$", "")
    body = plain.str.replace(r"^[-+]\s*", "")
    none = pl.col(column).str.to_lowercase().is_in(list(MISSING))
    return frame.with_columns(
        plain.str.starts_with("-").alias("_minus"),
        pl.col(column).str.ends_with("%").alias("_percent"),
        pl.when(~none).then(body).alias("_body"),
    ).with_columns(
        pl.coalesce(
            pl.when(pl.col("_body").str.contains(form)).then(pl.lit(name)) for name, form in _FORMS.items()
        ).alias("_form")
    )


def _convention(name: str, frame: pl.DataFrame, column: str, most: float | None, option: str) -> str:
    """Which mark is the decimal one: `point`, `comma`, or empty where no cell has any."""
    point = frame.filter(pl.col("_form").is_in(_DECIMAL_POINT))
    comma = frame.filter(pl.col("_form").is_in(_DECIMAL_COMMA))
    either = frame.filter(pl.col("_form").is_in(_EITHER))
    remedy = "write every number without separators of thousands and with a decimal point, such as 1234.5"
    if not point.is_empty() and not comma.is_empty():
        both = pl.concat([point.head(3), comma.head(3)])
        rule = f"decimal mark in {column}"
        refuse_lines(name, both, rule, "points or commas", remedy, "_cell", found="both")
    if not point.is_empty() or not comma.is_empty():
        return "comma" if point.is_empty() else "point"
    forms = set(either["_form"])
    if not forms:
        return ""
    thousands = either["_body"].str.replace(r"[.,]", "").cast(pl.Float64)
    least = float(str(thousands.min()))
    if len(forms) > 1 or most is None or least <= most:
        rule, expected = f"thousands or decimals in {column}", "numbers of which one reading is possible"
        found = counted(either.height, "cell") + " that could be either, and none that tells which"
        more = f"{remedy}, or state {option} percent if they are shares" if option else remedy
        refuse_lines(name, either, rule, expected, more, "_cell", found=found)
    return "comma" if forms == {"either_comma"} else "point"


def _value(decimal: str) -> pl.Expr:
    """The number of a classified cell under one convention."""
    drop, keep = (r"\.", ",") if decimal == "comma" else (",", ".")
    digits = pl.col("_body").str.replace_all(_THIN, "")
    power = pl.col("_form") == "power"
    bare = pl.when(power).then(digits).otherwise(digits.str.replace_all(drop, "").str.replace(keep, ".", literal=True))
    number = bare.cast(pl.Float64, strict=False)
    return pl.when(pl.col("_minus")).then(-number).otherwise(number)


def years(cells: Cells, column: str) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Read a column as calendar years, whole numbers; null where the cell is empty.

    `1995`, `1995.0`, and a date `1995-06-30`, of which the year is taken, with a warning.

    Raises:
        Refused: another cell, such as `1995.5`, `95` or `1995/96`, or a year out of 1000–2200; with the lines.

    """
    cell = pl.col(column)
    day = cell.str.extract(_DAY, 1).str.to_date("%Y-%m-%d", strict=False)
    whole = pl.when(cell.str.contains(_WHOLE_YEAR)).then(cell.str.slice(0, 4).cast(pl.Int32, strict=False))
    read = cells.frame.with_columns(
        cell.alias("_cell"), day.alias("_day"), pl.coalesce(whole, day.dt.year()).alias("_year")
    )
    known = pl.col("_year").is_between(FIRST_YEAR, LAST_YEAR)
    bad = read.filter((cell != "") & ~known.fill_null(False))
    expected = f"a year of four digits, {FIRST_YEAR}–{LAST_YEAR}, or a date YYYY-MM-DD"
    remedy = "one value a calendar year is read; give the year it stands for"
    refuse_lines(cells.name, bad, f"years in {column}", expected, remedy, "_cell")
    dated = read.filter(pl.col("_day").is_not_null())["line"].to_list()
    notes = (f"dates in {column} ({lines_of(dated)}): the year of each is taken",) if dated else ()
    return read.with_columns(pl.col("_year").cast(pl.Int32).alias(column)).select(cells.frame.columns), notes
