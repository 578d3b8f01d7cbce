"""Series on one yearly grid: what forecasters learn from and what they forecast.

Belongs here: the shape, its checks, and the cut at an origin. Does not: which series a forecaster may see
(``visibility``), where they come from (the warehouse's panels), any forecast.

A cut takes away more than levels. Whether a value is interpolated is known only from the values after it, and
a launch year that lies after the origin is no knowledge of that time: both are cut as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from longwave.models.panels import FloatArray, IntArray
from numpy.typing import ArrayLike, NDArray

BoolArray = NDArray[np.bool_]

INFO_SCHEMA: Final = {
    **dict.fromkeys(("series", "concept_group", "medium", "family", "place", "panel", "unit_class"), pl.String),
    "ceiling": pl.Float64,
    "launch": pl.Int32,
}
"""Columns of ``Histories.info``: one row a series."""

MAY_BE_NULL: Final = ("ceiling", "launch")
OBSERVED_COLUMNS: Final = ("year", "value", "interpolated")
INTERPOLATED_RUN: Final = 3
"""A run of equal steps is interpolation from this many steps on (the warehouse's view marks them by the same rule)."""


@dataclass(frozen=True)
class Histories:
    """Series on one yearly grid, n series and Y years.

    ``info``: one row a series, sorted by series, columns of ``INFO_SCHEMA``; ``unit_class`` is ``share``
    (levels in points, 0–100) or ``count`` (levels per 100 people); ``ceiling`` in the unit of the levels, null
    where there is none; ``launch``: calendar year, null where unknown. ``years``: (Y,) calendar years rising by
    1. ``levels``: (n, Y), NaN where not observed. ``interpolated``: (n, Y), true where a level is the
    publisher's straight line between two others.

    Raises ValueError, naming what is wrong, where the parts do not fit together.
    """

    info: pl.DataFrame
    years: IntArray
    levels: FloatArray
    interpolated: BoolArray

    def __post_init__(self) -> None:
        absent = [name for name in INFO_SCHEMA if name not in self.info.columns]
        if absent:
            raise ValueError(f"info lacks column(s): {', '.join(absent)}")
        series = self.info["series"]
        if not (series.is_sorted() and series.n_unique() == len(series)):
            raise ValueError("info must be sorted by series, each once")
        if self.years.ndim != 1 or not np.all(np.diff(self.years) == 1):
            raise ValueError("years must be one-dimensional and rise by 1")
        shape = (len(series), len(self.years))
        for name, array in (("levels", self.levels), ("interpolated", self.interpolated)):
            if array.shape != shape:
                raise ValueError(f"{name} has shape {array.shape}; {shape[0]} series and {shape[1]} years need {shape}")

    def __len__(self) -> int:
        """Number of series."""
        return self.info.height

    def take(self, rows: ArrayLike) -> Histories:
        """The series of these rows (numbers, rising, or a mask (n,)), on the same years."""
        chosen = np.asarray(rows)
        index = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen.astype(np.int64)
        return Histories(self.info[index.tolist()], self.years, self.levels[index], self.interpolated[index])

    def until(self, year: int | IntArray) -> Histories:
        """What was there at the end of ``year``, one for all or (n,): nothing after it is left.

        Levels after it are NaN; marks of interpolation are those that the levels left would carry; a launch
        after it is unknown. The series stay, also those of which nothing is left.
        """
        origin = np.broadcast_to(np.asarray(year, dtype=np.int64), (len(self),))
        gone = self.years[None, :] > origin[:, None]
        launch = pl.Series("launch", origin)
        info = self.info.with_columns(pl.when(pl.col("launch") <= launch).then("launch").alias("launch"))
        levels = np.where(gone, np.nan, self.levels)
        return Histories(info, self.years, levels, _cut_marks(self.interpolated, ~gone & np.isfinite(self.levels)))

    def observed(self) -> Histories:
        """The series of which anything is observed."""
        return self.take(np.isfinite(self.levels).any(axis=1))

    def last_years(self) -> IntArray:
        """Calendar year of the last observation of each series, (n,); −1 where there is none."""
        seen = np.isfinite(self.levels)
        last: IntArray = np.where(seen, self.years[None, :], -1).max(axis=1, initial=-1)
        return last

    def digest(self) -> str:
        """SHA-256 of everything in it: equal for equal histories, whatever made them."""
        found = hashlib.sha256(self.info.select(list(INFO_SCHEMA)).write_csv().encode())
        for array in (self.years.astype("<i8"), self.levels.astype("<f8"), self.interpolated):
            # One NaN stands for all: the bits of a missing value carry no meaning.
            clean = np.where(np.isnan(array), np.nan, array) if array.dtype.kind == "f" else array
            found.update(np.ascontiguousarray(clean).tobytes())
        return found.hexdigest()

    def to_frame(self) -> pl.DataFrame:
        """One row an observation: the columns of info, year, value, interpolated; sorted by series, year."""
        rows, columns = np.nonzero(np.isfinite(self.levels))
        return self.info.select(list(INFO_SCHEMA))[rows.tolist()].with_columns(
            pl.Series("year", self.years[columns], dtype=pl.Int32),
            pl.Series("value", self.levels[rows, columns]),
            pl.Series("interpolated", self.interpolated[rows, columns]),
        )

    @staticmethod
    def from_frame(frame: pl.DataFrame) -> Histories:
        """Histories of a tidy frame: the columns of info, year, value and, if there, interpolated.

        Rows in any order; a null or NaN value is no observation. Without a column ``interpolated`` the marks are
        worked out from the values (``straight_runs``).

        Raises:
            ValueError: a column is missing, there is no observation, a key comes twice, an attribute changes
                within a series or is missing, the unit class is unknown, or a value is infinite.

        """
        rows = _checked(frame)
        info = rows.unique("series").sort("series").select(list(INFO_SCHEMA))
        years = np.arange(_bound(rows, "min"), _bound(rows, "max") + 1, dtype=np.int64)
        row = info["series"].search_sorted(rows["series"]).to_numpy().astype(np.int64)
        column = rows["year"].to_numpy().astype(np.int64) - years[0]
        levels = np.full((info.height, len(years)), np.nan)
        levels[row, column] = rows["value"].to_numpy()
        if "interpolated" not in rows.columns:
            return Histories(info, years, levels, straight_runs(levels))
        marks = np.zeros(levels.shape, dtype=np.bool_)
        marks[row, column] = rows["interpolated"].to_numpy()
        return Histories(info, years, levels, marks)


def _bound(rows: pl.DataFrame, side: str) -> int:
    column = rows["year"]
    return int(np.asarray(column.min() if side == "min" else column.max()))


def _checked(frame: pl.DataFrame) -> pl.DataFrame:
    """The observations of a tidy frame, with every column typed."""
    needed = [*INFO_SCHEMA, "year", "value"]
    absent = [name for name in needed if name not in frame.columns]
    if absent:
        raise ValueError(f"frame of histories lacks column(s): {', '.join(absent)}")
    kept = [*needed, *(["interpolated"] if "interpolated" in frame.columns else [])]
    types = {**INFO_SCHEMA, "year": pl.Int32, "value": pl.Float64, "interpolated": pl.Boolean}
    typed = frame.select(pl.col(name).cast(types[name]) for name in kept)
    rows = typed.with_columns(pl.col("value").fill_nan(None)).filter(pl.col("value").is_not_null())
    if rows.is_empty():
        raise ValueError("frame of histories has no observation")
    for name in kept:
        if name not in MAY_BE_NULL and rows[name].null_count():
            raise ValueError(f"column {name} has {rows[name].null_count()} null(s)")
    _check_keys(rows)
    return rows


def _check_keys(rows: pl.DataFrame) -> None:
    twice = rows.group_by("series", "year").len().filter(pl.col("len") > 1).sort("series", "year")
    if twice.height:
        series, year, count = twice.row(0)
        raise ValueError(f"series {series!r} has {count} values for {year}; {twice.height} such key(s) in all")
    attributes = [name for name in INFO_SCHEMA if name != "series"]
    distinct = rows.group_by("series").agg(pl.col(attributes).n_unique()).sort("series")
    for name in attributes:
        mixed = distinct.filter(pl.col(name) > 1)
        if mixed.height:
            raise ValueError(f"series {mixed['series'][0]!r} has several values of {name}")
    unknown = rows.filter(~pl.col("unit_class").is_in(["share", "count"]))
    if unknown.height:
        raise ValueError(f"series {unknown['series'][0]!r}: unit_class {unknown['unit_class'][0]!r} unknown")
    infinite = rows.filter(pl.col("value").is_infinite())
    if infinite.height:
        raise ValueError(f"series {infinite['series'][0]!r} has an infinite value in {infinite['year'][0]}")


def straight_runs(levels: FloatArray) -> BoolArray:
    """Marks (n, Y) of values inside a run of three or more equal non-zero yearly steps of ``levels`` (n, Y).

    The last value of a run is an observation: the line was drawn to it. Steps are equal within 1e-9 of the
    value. The rule is that of the warehouse's view, which reads the figures as served.
    """
    step = np.full(levels.shape, np.nan)
    step[:, 1:] = np.diff(levels, axis=1)
    with np.errstate(invalid="ignore"):
        near = 1e-9 * np.maximum(1.0, np.abs(levels[:, 1:]))
        same = np.zeros(levels.shape, dtype=np.bool_)
        same[:, 1:] = np.abs(np.diff(step, axis=1)) <= near
        moves = np.abs(step) > 0
    # A value belongs to the line if the next step continues its own; then its run must be long enough.
    inside = np.zeros(levels.shape, dtype=np.bool_)
    inside[:, :-1] = moves[:, :-1] & same[:, 1:]
    return _long_blocks(inside, INTERPOLATED_RUN - 1)


def _cut_marks(marks: BoolArray, kept: BoolArray) -> BoolArray:
    """Marks that what is kept (n, Y) would carry by itself: the last value of a line that is cut is none of it.

    A line of k marks has k + 1 steps. Cut inside, its last kept value ends it, and it must still be long enough.
    """
    follows = np.zeros(marks.shape, dtype=np.bool_)
    follows[:, :-1] = kept[:, 1:]
    return _long_blocks(marks & follows, INTERPOLATED_RUN - 1)


def _long_blocks(marks: BoolArray, least: int) -> BoolArray:
    """The marks (n, Y) that stand in a row of at least ``least``."""
    forward = np.zeros(marks.shape, dtype=np.int64)
    for column in range(marks.shape[1]):
        before = forward[:, column - 1] if column else 0
        forward[:, column] = np.where(marks[:, column], before + 1, 0)
    length = forward.copy()
    for column in range(marks.shape[1] - 2, -1, -1):
        joined = marks[:, column] & marks[:, column + 1]
        length[:, column] = np.where(joined, length[:, column + 1], length[:, column])
    result: BoolArray = marks & (length >= least)
    return result


def joined(parts: Sequence[Histories]) -> Histories:
    """All series of several histories on one grid. Raises ValueError where a series stands in two of them."""
    return Histories.from_frame(pl.concat([part.to_frame() for part in parts]))
