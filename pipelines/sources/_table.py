"""Reading delimited text strictly: every value stays text until a column is asked for as a number, row by row.

`NA` is text here: it is Namibia's code. A reader that meets NA as "missing" says so itself.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

import polars as pl
from longwave.warehouse.errors import Problem, Refused

_REMEDY = "keep the original and look at it; the reader must be told of the new form before it can be observed"


def refused(name: str, rule: str, expected: str, found: str, rows: Iterable[str] = ()) -> Refused:
    """A refusal of one file for one rule."""
    return Refused(name, [Problem(rule, name, expected, found, tuple(rows))], _REMEDY)


def decode(name: str, data: bytes, expected: str = "a delimited table") -> str:
    """Text of a file: UTF-8, byte order mark and CRLF folded; an empty file, an HTML page or NUL bytes are refused."""
    if is_page(data):
        raise refused(name, "text", expected, "an HTML page")
    return utf_8(name, data, expected)


def is_page(data: bytes) -> bool:
    """Whether the bytes begin as an HTML or XML page does."""
    start = data.lstrip(b"\xef\xbb\xbf \t\r\n")[:200].lower()
    return start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head", b"<body"))


def utf_8(name: str, data: bytes, expected: str) -> str:
    """Text of a file of any form: UTF-8, byte order mark and CRLF folded; an empty file or NUL bytes are refused."""
    if not data.strip():
        raise refused(name, "not empty", expected, f"{len(data)} bytes without content")
    if b"\x00" in data:
        raise refused(name, "text", "UTF-8 text", "NUL bytes")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise refused(name, "text", "UTF-8 text", f"byte {error.start} is not UTF-8") from None


def read_table(
    name: str,
    text: str,
    columns: Sequence[str],
    *,
    separator: str = ",",
    missing: Sequence[str] = ("",),
    first_line: int = 1,
) -> pl.DataFrame:
    """A table of text columns with a column `line`; the named columns must be there, every column once, no row short.

    Args:
        name: file name for errors.
        text: the table, header first.
        columns: required columns.
        separator: field separator.
        missing: texts that mean null; a column that needs `NA` kept must be read without it.
        first_line: line of the file that the header stands on.

    """
    header = _even_rows(name, text, separator, first_line)
    if not set(columns) <= set(header) or len(set(header)) < len(header):
        raise refused(name, "columns", f"each of {', '.join(columns)} once", f"{', '.join(header)[:300]}")
    try:
        frame = pl.read_csv(text.encode(), separator=separator, infer_schema=False, null_values=list(missing))
    except pl.exceptions.PolarsError as error:
        raise refused(name, "rows", f"{len(header)} fields a row", str(error).splitlines()[0]) from None
    if frame.columns != header:
        raise refused(
            name, "columns", f"each of {', '.join(columns)} once", f"{', '.join(map(repr, frame.columns))[:300]}"
        )
    said = frame.with_row_index("line", offset=first_line + 1).filter(~pl.all_horizontal(pl.exclude("line").is_null()))
    if said.is_empty():
        raise refused(name, "not empty", "at least one row under the header", "none")
    return said


def _even_rows(name: str, text: str, separator: str, first_line: int) -> list[str]:
    """Names of the header; a row with more or fewer fields is refused: a short one would pass for missing values."""
    rows = csv.reader(io.StringIO(text, newline="\n"), delimiter=separator)
    try:
        header = next(rows, [])
        uneven = [
            f"line {first_line + rows.line_num - 1}: {len(row)} fields"
            for row in rows
            if row and len(row) != len(header)
        ]
    except csv.Error as error:
        raise refused(
            name, "rows", "quoted text that ends", f"line {first_line + rows.line_num - 1}: {error}"
        ) from None
    if uneven:
        raise refused(name, "rows", f"{len(header)} fields a row", f"{len(uneven)} other rows", uneven)
    return header


def numbers(name: str, frame: pl.DataFrame, column: str, dtype: type[pl.DataType] = pl.Float64) -> pl.DataFrame:
    """The frame with one text column as numbers; a text that is no number is refused with its line."""
    parsed = frame.with_columns(pl.col(column).str.strip_chars().cast(dtype, strict=False).alias("_parsed"))
    bad = parsed.filter(pl.col(column).is_not_null() & pl.col("_parsed").is_null())
    if not bad.is_empty():
        rows = [f"line {line}: {text!r}" for line, text in bad.select("line", column).head(20).iter_rows()]
        raise refused(name, f"numbers in {column}", "a number in every row", f"{bad.height} rows with text", rows)
    return parsed.drop(column).rename({"_parsed": column})


def years(name: str, frame: pl.DataFrame, column: str) -> pl.DataFrame:
    """The frame with one text column as whole years; a row without one, or with one that no calendar has, is refused."""
    without = frame.filter(pl.col(column).is_null())
    if not without.is_empty():
        rows = [f"line {line}" for line in without["line"]]
        raise refused(name, f"numbers in {column}", "a year in every row", f"{without.height} rows without", rows)
    dated = numbers(name, frame, column, pl.Int32)
    outside = dated.filter(~pl.col(column).is_between(1, 9999))
    if not outside.is_empty():
        rows = [f"line {line}: {year}" for line, year in outside.select("line", column).head(20).iter_rows()]
        raise refused(name, f"numbers in {column}", "years from 1 to 9999", f"{outside.height} rows with others", rows)
    return dated


def days(name: str, frame: pl.DataFrame, column: str, form: str, expected: str) -> pl.DataFrame:
    """The frame with `period_start`, parsed from one text column; another form of date is refused with its line."""
    dated = frame.with_columns(pl.col(column).str.to_date(form, strict=False).alias("period_start"))
    bad = dated.filter(pl.col("period_start").is_null()).select("line", column).unique().sort("line")
    if not bad.is_empty():
        rows = [f"line {line}: {text!r}" for line, text in bad.iter_rows()]
        raise refused(name, "dates", f"{expected} in {column}", f"{bad.height} rows in another form", rows)
    return dated


def from_years(frame: pl.DataFrame, measure: str | pl.Expr) -> pl.DataFrame:
    """Tidy columns from a frame with integer `year` and numeric `value`; rows without a value are no statement."""
    named = pl.lit(measure) if isinstance(measure, str) else measure
    return frame.filter(pl.col("value").is_not_null()).with_columns(
        named.alias("measure"),
        pl.date("year", 1, 1).alias("period_start"),
        pl.lit("year").alias("period_kind"),
    )
