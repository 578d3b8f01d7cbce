"""A user's own file as cells of text: what it is written in, what parts its columns, on which line each row stands.

Belongs here: files, encodings, separators, headers, rows. Not here: what a cell means (`intake_cells` for numbers and
years, `intake_series` for series), and the sources' files, whose readers know their form (`sources/_table.py`).

Nothing is guessed in silence. A file is read in one way only, or refused with the lines at fault; what had to be assumed
on the way is a warning. Lines are counted as an editor counts them, from 1.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl
from longwave.warehouse.errors import LongwaveError, Problem, Refused

SEPARATORS: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
MOST_BYTES: Final = 50_000_000
LONGEST_LINE: Final = 10_000
MOST_ROWS_NAMED: Final = 20

_NOT_TEXT: Final = {
    b"PK\x03\x04": "an Excel or OpenDocument workbook (or another zip file)",
    b"\xd0\xcf\x11\xe0": "an Excel workbook of the old kind",
    b"PAR1": "a Parquet file",
    b"%PDF": "a PDF",
    b"\x1f\x8b": "a compressed file (gzip)",
    b"SQLite format 3\x00": "an SQLite database",
}
_MARKS: Final = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_PAGE: Final = (b"<!doctype", b"<html", b"<?xml", b"<head", b"<body")
_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_NUMBER: Final = re.compile(r"[-+−]?[\d.,'\s]*\d[\d.,'\s]*%?")
_SAVE: Final = "open it and save it as CSV (UTF-8), then give that file"


class NoSuchFile(LongwaveError):
    """The name is of no file that can be read: wrong usage rather than wrong data."""


@dataclass(frozen=True)
class Cells:
    """The rows of a file as text.

    ``name``: the file in messages; ``frame``: ``line`` and one text column for each column of the header, named as asked
    for (others in lower case), cells stripped of blanks around them, rows without any text left out; ``separator``,
    ``encoding``: how it was read; ``warnings``: what had to be assumed.
    """

    name: str
    frame: pl.DataFrame
    separator: str
    encoding: str
    warnings: tuple[str, ...]


def refused(name: str, rule: str, expected: str, found: str, remedy: str, rows: Iterable[str] = ()) -> Refused:
    """A refusal of one file for one rule, with the rows at fault and what to do about it."""
    return Refused(name, [Problem(rule, name, expected, found, tuple(rows))], remedy)


def refuse_lines(
    name: str, bad: pl.DataFrame, rule: str, expected: str, remedy: str, *columns: str, found: str = ""
) -> None:
    """Refuse a file for the rows of ``bad``, each named by its line and what stands in ``columns``; none: nothing."""
    if bad.is_empty():
        return
    told = bad.sort("line").select("line", *columns).head(MOST_ROWS_NAMED)
    rows = [f"line {line}: {', '.join(said(cell) for cell in cells)}" for line, *cells in told.iter_rows()]
    # A message shows the first few and counts the others: these need no words.
    unnamed = [""] * (bad.height - len(rows))
    raise refused(name, rule, expected, found or counted(bad.height, "such row"), remedy, [*rows, *unnamed])


def counted(number: int, what: str) -> str:
    """A number of things in words: "1 row", "3 rows"."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def said(cell: object) -> str:
    """A cell as a message shows it: text in quotes, control characters escaped, cut where it is long; numbers plainly."""
    if not isinstance(cell, str):
        return f"{cell:.10g}" if isinstance(cell, float) else str(cell)
    return repr(cell if len(cell) <= 60 else cell[:57] + "…")


def lines_of(lines: Sequence[int]) -> str:
    """Line numbers in words: "line 3", "lines 3, 4 and 9", "lines 3, 4, 5 and 17 more"."""
    told = [str(line) for line in lines]
    if len(told) == 1:
        return f"line {told[0]}"
    if len(told) > 5:
        return f"lines {', '.join(told[:3])} and {len(told) - 3} more"
    return f"lines {', '.join(told[:-1])} and {told[-1]}"


def read_cells(path: Path, required: Sequence[str], optional: Sequence[str] = (), *, others: bool = False) -> Cells:
    """Read a user's delimited text file.

    Args:
        path: the file.
        required: columns that must be there, by name, capitals or not.
        optional: columns that may be there.
        others: keep columns of other names; otherwise they are passed over with a warning.

    Raises:
        NoSuchFile: there is no such file, or it is a folder, or may not be read.
        Refused: it is no text, has no header or not the columns, or a row has more or fewer cells than the header.

    """
    name = said(path.name)[1:-1]
    text, encoding, notes = decoded(name, read_bytes(path, name))
    lines = _LINE_END.split(text)
    _check_lines(name, lines)
    start, stated = _header_line(name, lines)
    header, separator = _header(name, lines[start], start + 1, stated, required)
    rows = _rows(name, lines, start, separator, len(header))
    frame = _frame(name, header, rows)
    known = [*required, *(column for column in optional if column in header)]
    passed_over = [column for column in header if column and column not in known]
    if passed_over and not others:
        notes.append(f"columns passed over: {', '.join(said(column)[1:-1] for column in passed_over[:10])}")
    rest = [column for column in passed_over if column in frame.columns and column != "line"]
    kept = frame.select("line", *known, *(rest if others else ()))
    return Cells(name, kept, separator, encoding, tuple(notes))


def read_bytes(path: Path, name: str) -> bytes:
    """The bytes of a file a user named.

    Raises:
        NoSuchFile: there is no such file, or it is a folder, or may not be read.
        Refused: it is empty, or too large to be a table of yearly figures.

    """
    if path.is_dir():
        raise NoSuchFile(f"{name} is a folder; give one file")
    if not path.is_file():
        raise NoSuchFile(f"there is no file {name}" if not path.exists() else f"{name} is no regular file")
    size = path.stat().st_size
    if size > MOST_BYTES:
        remedy = "give the yearly figures alone, or part the file"
        raise refused(name, "size", f"at most {MOST_BYTES:,} bytes", f"{size:,} bytes", remedy)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise NoSuchFile(f"{name} cannot be read: {error.strerror or error}") from None
    if not data.strip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n"):
        raise refused(name, "not empty", "a header and rows", "an empty file", "give a file with figures")
    return data


def decoded(name: str, data: bytes) -> tuple[str, str, list[str]]:
    """Text of a file, its encoding, and a warning where the encoding was assumed.

    UTF-8, or what a byte order mark says; UTF-16 without a mark by its NUL bytes; else Windows-1252, which agrees with
    Latin-1 on every letter.

    Raises:
        Refused: it is no text.

    """
    for start, kind in _NOT_TEXT.items():
        if data.startswith(start):
            raise refused(name, "text", "a text file of columns (CSV)", kind, _SAVE)
    if data[:400].lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_PAGE):
        raise refused(name, "text", "a text file of columns (CSV)", "an HTML or XML page", _SAVE)
    encoding, notes = _encoding(data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        found = f"byte {error.start} is not {encoding}"
        raise refused(name, "text", "UTF-8, UTF-16 or Windows-1252 text", found, _SAVE) from None
    if "\x00" in text:
        line = text.count("\n", 0, text.index("\x00")) + 1
        raise refused(name, "text", "text", "NUL bytes", _SAVE, [f"line {line}: a NUL byte"])
    return text.removeprefix("\ufeff"), encoding, notes


def _encoding(data: bytes) -> tuple[str, list[str]]:
    for mark, marked in _MARKS:
        if data.startswith(mark):
            return marked, []
    # Western text in UTF-16 has a NUL in every other byte.
    for offset, kind in ((1, "utf-16-le"), (0, "utf-16-be")):
        half = data[:400][offset::2]
        if half and half.count(0) > 0.8 * len(half):
            return kind, [f"no byte order mark: read as {kind.upper()}"]
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252", ["not UTF-8: read as Windows-1252 (Latin-1); letters with accents may be wrong"]
    return "utf-8", []


def _check_lines(name: str, lines: Sequence[str]) -> None:
    long = [number for number, line in enumerate(lines, start=1) if len(line) > LONGEST_LINE]
    if long:
        rows = [f"line {number}: {len(lines[number - 1]):,} characters" for number in long[:MOST_ROWS_NAMED]]
        remedy = "a table has one row a line; look at these lines"
        raise refused(
            name, "line", f"at most {LONGEST_LINE:,} characters", counted(len(long), "longer line"), remedy, rows
        )


def _header_line(name: str, lines: Sequence[str]) -> tuple[int, str | None]:
    """Where the header stands, and the separator that a line `sep=;` before it states (Excel writes such a line)."""
    stated = None
    for number, line in enumerate(lines):
        bare = line.strip()
        if re.fullmatch(r"sep=[,;|\t]", line.strip("\r\n ")):
            stated = line.strip("\r\n ")[-1]
        elif bare.strip(",;|\t\"' ") and not bare.startswith("#"):
            return number, stated
    raise refused(name, "not empty", "a header and rows", "no line with text", "give a file with figures")


def _header(name: str, line: str, number: int, stated: str | None, required: Sequence[str]) -> tuple[list[str], str]:
    """Names of the columns in lower case, and the separator under which the required ones are among them."""
    found: dict[str, list[str]] = {}
    for separator in [stated] if stated else list(SEPARATORS):
        cells = next(csv.reader([line], delimiter=separator), [])
        found[separator] = [" ".join(cell.split()).lower() for cell in cells]
    fitting = [separator for separator, cells in found.items() if set(required) <= set(cells)]
    widest = max(found.values(), key=len)
    example = ",".join(required)
    if not fitting and sum(bool(re.fullmatch(r"\d{4}", cell)) for cell in widest) > 2:
        remedy = f"write one row for each year: {example}"
        raise refused(name, "columns", " and ".join(required), f"years as columns in line {number}", remedy)
    if not fitting and any(_NUMBER.fullmatch(cell) for cell in widest):
        remedy = f"put a first line that names the columns: {example}"
        raise refused(name, "header", f"names of columns in line {number}", said(line), remedy)
    if not fitting:
        remedy = f"name the columns in line {number}: {example}; separators: {', '.join(SEPARATORS.values())}"
        rows = [f"line {number}: {said(line)}"]
        raise refused(name, "columns", " and ".join(required), _named(widest), remedy, rows)
    header = found[fitting[0]]
    while header and not header[-1]:
        header.pop()
    twice = sorted({cell for cell in header if cell and header.count(cell) > 1})
    if twice:
        remedy = "leave one of them, or name them apart"
        raise refused(name, "columns", "each column once", f"{', '.join(map(said, twice))} twice", remedy)
    return header, fitting[0]


def _named(cells: Sequence[str]) -> str:
    return ", ".join(said(cell) for cell in cells[:12]) + (", …" if len(cells) > 12 else "")


def _rows(name: str, lines: Sequence[str], start: int, separator: str, width: int) -> list[tuple[int, list[str]]]:
    """Rows below the header with the line each begins on; a cell too many or too few is refused."""
    reader = csv.reader([f"{line}\n" for line in lines[start + 1 :]], delimiter=separator, strict=True)
    rows: list[tuple[int, list[str]]] = []
    uneven: list[str] = []
    began = start + 2
    try:
        for row in reader:
            if "".join(row).strip():
                while len(row) > width and not row[-1].strip():
                    row.pop()
                if len(row) != width:
                    uneven.append(f"line {began}: {counted(len(row), 'cell')}: {said(separator.join(row))}")
                rows.append((began, row))
            began = start + 2 + reader.line_num
    except csv.Error as error:
        remedy = "write quotes in pairs; a quote within a cell is written twice"
        raise refused(
            name, "quotes", "quotes that close", str(error), remedy, [f"line {began}: from here on"]
        ) from None
    if uneven:
        remedy = "a comma within a number or a name needs quotes round the cell, or another separator (; tab |)"
        raise refused(
            name, "rows", f"{counted(width, 'cell')} a row", counted(len(uneven), "other row"), remedy, uneven
        )
    return rows


def _frame(name: str, header: Sequence[str], rows: Sequence[tuple[int, list[str]]]) -> pl.DataFrame:
    if not rows:
        raise refused(name, "not empty", "rows under the header", "none", "give a file with figures")
    columns = list(zip(*(row for _, row in rows), strict=True))
    # Columns without a name cannot be asked for.
    named = {cell: column for cell, column in zip(header, columns, strict=True) if cell and cell != "line"}
    texts = [pl.Series(cell, column, dtype=pl.String).str.strip_chars() for cell, column in named.items()]
    return pl.DataFrame([pl.Series("line", [line for line, _ in rows], dtype=pl.Int64), *texts])
