"""A user's own panel or pairs: the columns of a file read by the role that each plays, with the line of every row.

Belongs here: which columns are text, numbers or years, which others are covariates, and the checks that every such file
must stand. Not here: how cells are written (`intake_cells`), what a command makes of the columns.

A column whose name is no role is a covariate, if it holds numbers. A value that is missing is refused and not passed over,
unless the role allows gaps: which rows a person leaves out is for that person to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

import numpy as np
import polars as pl
from longwave.pipelines.intake import Cells, counted, lines_of, read_cells, refuse_lines, refused, said
from longwave.pipelines.intake_cells import MISSING, NO_OPTION, holds_numbers, numbers, years

LEAST_ROWS: Final = 10
_INFINITE: Final = r"^[-+\u2212]?(inf|infinity|∞)$"
_MEND: Final = "give the value, or remove these rows and say so where you show the result"
# A direction of the covariates that this small a part of the largest singular value belongs to is none of its own.
_COLLINEAR: Final = 1e-7


@dataclass(frozen=True)
class Role:
    """A column that a command knows: its name in the header, what its cells are, and whether it must be there.

    ``gaps``: whether a cell may be empty, read as null; elsewhere an empty cell is refused.
    """

    name: str
    kind: Literal["text", "number", "year"]
    required: bool = False
    gaps: bool = False


@dataclass(frozen=True)
class PanelFile:
    """A file read by roles.

    ``frame``: ``line``, then the roles that are there in the order asked for (text, Float64, or Int32 years), then
    ``covariates`` (Float64) in the order of the header; ``warnings``: what had to be assumed or was passed over.
    """

    name: str
    frame: pl.DataFrame
    covariates: tuple[str, ...]
    warnings: tuple[str, ...]

    def has(self, column: str) -> bool:
        """Whether the file has this column."""
        return column in self.frame.columns


def read_panel(path: Path, roles: Sequence[Role], *, covariate_gaps: bool = False) -> PanelFile:
    """Read a file by the roles of its columns.

    Args:
        path: a delimited text file with a header.
        roles: the columns that are known; every other column with a number in it is a covariate.
        covariate_gaps: whether a covariate may be missing in some rows, read as null.

    Raises:
        NoSuchFile: there is no such file.
        Refused: a column or a value is missing, is text where a number is asked for, or is not finite; with the lines.

    """
    required = [role.name for role in roles if role.required]
    optional = [role.name for role in roles if not role.required]
    cells = _plainly_named(read_cells(path, required, optional, others=True))
    notes = list(cells.warnings)
    present = [role for role in roles if role.name in cells.frame.columns]
    known = [role.name for role in present]
    others = [column for column in cells.frame.columns if column not in ("line", *known)]
    covariates = [column for column in others if holds_numbers(cells, column) or _infinite(cells.frame, column).height]
    passed_over = [column for column in others if column not in covariates]
    if passed_over:
        notes.append(f"columns without a number passed over: {_named(passed_over)}")
    for role in present:
        cells, more = _read(cells, role)
        notes += more
    for name in covariates:
        cells, more = _read(cells, Role(name, "number", gaps=covariate_gaps))
        notes += more
    return PanelFile(cells.name, cells.frame.select("line", *known, *covariates), tuple(covariates), tuple(notes))


def _plainly_named(cells: Cells) -> Cells:
    """The file with control and direction characters in the names of columns written out: names get printed."""
    odd = [column for column in cells.frame.columns if not column.isprintable()]
    return replace(cells, frame=cells.frame.rename({column: said(column)[1:-1] for column in odd}))


def _named(columns: Sequence[str]) -> str:
    told = ", ".join(said(column)[1:-1] for column in columns[:10])
    return told + (f" and {len(columns) - 10} more" if len(columns) > 10 else "")


def _infinite(frame: pl.DataFrame, column: str) -> pl.DataFrame:
    return frame.filter(pl.col(column).str.to_lowercase().str.contains(_INFINITE))


def _read(cells: Cells, role: Role) -> tuple[Cells, tuple[str, ...]]:
    """The file with the column of one role read; what had to be assumed."""
    column, notes = role.name, tuple[str, ...]()
    raw = cells.frame.rename({column: "_text"}).select("line", "_text")
    if role.kind == "text":
        frame = cells.frame.with_columns(pl.when(pl.col(column) != "").then(pl.col(column)).alias(column))
    elif role.kind == "year":
        frame, notes = years(_without_words(cells, column), column)
    else:
        rule = f"numbers in {column}"
        refuse_lines(cells.name, _infinite(raw, "_text"), rule, "finite numbers", "mend these rows", "_text")
        found = numbers(cells, column, option=NO_OPTION)
        frame, notes = found.frame, found.warnings if role.gaps else ()
    if not role.gaps:
        missing = frame.select("line", column).join(raw, on="line").filter(pl.col(column).is_null())
        what = {"text": "a name", "year": "a year", "number": "a number"}[role.kind]
        refuse_lines(cells.name, missing, f"missing values in {column}", f"{what} in every row", _MEND, "_text")
    return replace(cells, frame=frame), tuple(f"{column}: {note}" for note in notes)


def _without_words(cells: Cells, column: str) -> Cells:
    """The file with an empty cell wherever a word says that a year is not known."""
    none = pl.col(column).str.to_lowercase().is_in(list(MISSING))
    return replace(
        cells, frame=cells.frame.with_columns(pl.when(none).then(pl.lit("")).otherwise(column).alias(column))
    )


def check_rows(file: PanelFile, least: int = LEAST_ROWS) -> None:
    """Refuse a file with fewer than ``least`` rows."""
    if file.frame.height < least:
        found = counted(file.frame.height, "row")
        raise refused(file.name, "rows", f"at least {least}", found, f"give more rows; {least} are the least")


def check_unique(file: PanelFile, *columns: str) -> None:
    """Refuse rows that repeat a key, such as an adopter, or an adopter and a year."""
    twice = file.frame.filter(pl.struct(columns).is_duplicated()).sort(*columns, "line")
    key = " and ".join(columns)
    remedy = f"leave one row for each {key}, or name them apart"
    # In the order of the keys, so that the rows at fault stand side by side.
    rows = [
        f"line {line}: {', '.join(map(said, cells))}" for line, *cells in twice.select("line", *columns).iter_rows()
    ]
    if rows:
        raise refused(
            file.name, "rows", f"each {key} once", counted(len(rows), "row") + " that repeat one", remedy, rows
        )


def check_varies(file: PanelFile, *columns: str) -> None:
    """Refuse a column that has the same value in every row: nothing can go with it."""
    for column in columns:
        values = file.frame.select("line", column).drop_nulls()
        if values[column].n_unique() <= 1:
            shown = said(values[column].first()) if values.height else "no value at all"
            remedy = f"remove the column {column}, or give values that differ"
            found = f"{shown} in {lines_of(values['line'].to_list())}" if values.height else shown
            raise refused(file.name, f"constant {column}", "values that differ", found, remedy)


def check_independent(file: PanelFile, columns: Sequence[str], ranked: bool = False) -> None:
    """Refuse columns of which one follows from the others and a constant: their effects cannot be told apart.

    Args:
        file: without gaps in these columns.
        columns: of numbers.
        ranked: look at mid-ranks, where that is what a model uses.

    """
    kept: list[str] = []
    for column in columns:
        tried = file.frame.select(*kept, column)
        if ranked:
            tried = tried.with_columns(pl.all().rank("average"))
        centred = tried.to_numpy() - tried.to_numpy().mean(axis=0)
        scaled = centred / np.maximum(np.sqrt((centred**2).sum(axis=0)), np.finfo(float).tiny)
        if np.linalg.svd(scaled, compute_uv=False)[-1] < _COLLINEAR or len(scaled) <= len(kept) + 1:
            how = "follow, by rank, from" if ranked else "follow from"
            found = f"{said(column)}, whose values {how} those of {_named(kept)}" if kept else said(column)
            remedy = f"leave one of them out: {_named([*kept, column])}"
            raise refused(file.name, "collinear columns", "columns that can be told apart", found, remedy)
        kept.append(column)
