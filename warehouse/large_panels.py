"""Panels of adopters that do not fit in memory: a table of them, from a file or a frame, in a database that spills to disk.

Belongs here: reading such a file, its checks, how many are counted in each year, who is there in two of them. Not here: their
ranks (`large_ranks`), what is made of them (`longwave.models.rank_blocks`).

A file is read by DuckDB: Parquet, or CSV in UTF-8 with a header and points for decimals. Its rows may stand in any order. Sorts
and groupings that outgrow `memory` go to a folder of this panel alone, which is removed when it is closed.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import duckdb
import polars as pl
from longwave.warehouse.errors import Problem, Refused, UnusableHome
from longwave.warehouse.home import disk_trouble

GROUPS: Final = 1000
"""Adopters are dealt to so many groups by a hash of their cluster or name: intervals come from how the groups differ."""
LEAST_CLUSTERS: Final = 5
MEMORY: Final = "1500MB"
THREADS: Final = 2
MOST_NAMED: Final = 20
PARQUET: Final = (".parquet", ".pq")
FIRST_YEAR, LAST_YEAR = 1000, 2200

_TYPES: Final = {
    "adopter": "VARCHAR",
    "year": "INTEGER",
    "attention": "DOUBLE",
    "adoption_year": "INTEGER",
    "end_year": "INTEGER",
    "cluster": "VARCHAR",
    "place": "VARCHAR",
}
_REQUIRED: Final = ("adopter", "year", "attention")
_LONGEST_HEADER: Final = 10_000
_NO_VALUE: Final = ["", "NA", "NaN", "nan", "null", "NULL"]
# The years of an adopter are told apart by the bits of one number, of which there are so many.
_MOST_YEARS: Final = 62
# A rule, what breaks it in one row, what was expected, and what to do: the first that is broken is told.
_ROW_RULES: Final = (
    ("adopter", "coalesce(adopter, '') = ''", "a name in every row", "give the name, or remove these rows"),
    ("place", "place = ''", "a place in every row", "give the place, or leave the column out"),
    (
        "year",
        f"year IS NULL OR year NOT BETWEEN {FIRST_YEAR} AND {LAST_YEAR}",
        f"a year, {FIRST_YEAR}–{LAST_YEAR}, in every row",
        "mend these rows",
    ),
    (
        "attention",
        "attention IS NULL OR NOT isfinite(attention) OR attention < 0",
        "a finite number of 0 and more in every row",
        "give the value, or remove these rows and say so where you show the result",
    ),
    (
        "adoption_year",
        "attention > 0 AND (adoption_year IS NULL OR year < adoption_year)",
        "a year no later than the first attention",
        "give the year of the first attention, or mend the attention",
    ),
    ("end_year", "end_year < adoption_year", "no earlier than adoption_year", "mend these rows"),
    ("end_year", "attention > 0 AND year > end_year", "no attention after it", "mend these rows"),
)


@dataclass(frozen=True)
class Counted:
    """What a file holds.

    `rows`; `years`: adopters counted in each calendar year since their adoption and until their end; `span`: first and last
    year; `first_adoption`: the earliest year of adoption; `has_adoption_years`: whether they are given; `has_clusters`;
    `names_apart`: names that stand in several places, and are as many adopters.
    """

    rows: int
    years: dict[int, int]
    span: tuple[int, int]
    first_adoption: int
    has_adoption_years: bool
    has_clusters: bool
    names_apart: int = 0


class LargePanel:
    """A panel in a database of its own; use as a context manager.

    Args:
        folder: under which the database, and what it spills, stand while it is open; made where it is not there.
        memory: what DuckDB may hold in memory before it goes to disk.
        threads: of DuckDB.

    """

    def __init__(self, folder: Path, *, memory: str = MEMORY, threads: int = THREADS) -> None:
        self._folder, self._memory, self._threads = folder, memory, threads
        self._name = ""

    def __enter__(self) -> Self:
        """Make the folder and the database."""
        with disk_trouble(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            _remove_left_over(self._folder)
            self._own = Path(tempfile.mkdtemp(prefix=f"panel-{os.getpid()}-", dir=self._folder))
        settings: dict[str, Any] = {
            "memory_limit": self._memory,
            "threads": self._threads,
            "temp_directory": str(self._own / "spilled"),
            "preserve_insertion_order": False,
        }
        try:
            self.con = duckdb.connect(str(self._own / "panel.duckdb"), config=settings)
            self.con.execute("SET enable_progress_bar = false")
        except BaseException:
            shutil.rmtree(self._own, ignore_errors=True)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the database and remove all that it wrote."""
        self.con.close()
        shutil.rmtree(self._own, ignore_errors=True)
        with suppress(OSError):  # another panel is being worked on
            self._folder.rmdir()

    def path(self, name: str) -> Path:
        """A file that stands beside the database, and goes with it."""
        return self._own / name

    def take_frame(self, frame: pl.DataFrame, *, early: int, late: int) -> None:
        """Make the table of adopters from a frame with one row an adopter.

        Args:
            frame: adopter, region, y_k, y_H, end_year, entry_year, as `longwave.models.persistence.persistence` takes them.
            early: calendar year of y_k.
            late: calendar year of y_H.

        """
        clustered = frame["region"].n_unique() >= LEAST_CLUSTERS
        with self.in_bounds():
            self.con.register("given", frame)
            self._adopters(
                f"""SELECT nullif(y_k::DOUBLE, 'nan'::DOUBLE) AS x, nullif(y_H::DOUBLE, 'nan'::DOUBLE) AS y,
                           end_year::INTEGER AS ended, entry_year::INTEGER AS adopted,
                           {_group("region" if clustered else "adopter")} AS own FROM given""",  # noqa: S608
                early,
                late,
            )
            self.con.unregister("given")

    def open_file(self, path: Path, name: str) -> Counted:
        """Look at the rows of a file.

        Args:
            path: Parquet or CSV with the columns adopter, year, attention[, adoption_year, end_year, cluster, place]; others are
                not looked at. Where there are places, an adopter is a name in a place.
            name: of the file in messages.

        Raises:
            Refused: it cannot be read, a column is missing, or a row breaks a rule; with the adopters at fault.

        """
        self._name = name
        with self.in_bounds():
            present = self._read(path)
            self._check_rows()
            rows, first, last, adopted = self.con.execute(
                "SELECT count(*), min(year), max(year), min(adoption_year) FROM given"
            ).fetchall()[0]
            if adopted is None:
                raise self._refused(
                    "adoption_year", "adopters", "nobody with attention", "give the attention of adopters"
                )
            if last - first >= _MOST_YEARS:
                found, remedy = f"{first}–{last}", "leave out the years that are not compared"
                raise self._refused("year", f"at most {_MOST_YEARS} calendar years in a file so large", found, remedy)
            counted = self.con.execute(
                """SELECT year, count(*) FROM given
                   WHERE year >= adoption_year AND year <= coalesce(end_year, year) GROUP BY year ORDER BY year"""
            ).fetchall()
            apart = self._names_apart() if "place" in present else 0
        return Counted(
            rows, dict(counted), (first, last), adopted, "adoption_year" in present, "cluster" in present, apart
        )

    def take_years(self, *, early: int, late: int) -> int:
        """Make the table of adopters from the file that was opened, and give their number.

        Raises:
            Refused: an adopter has a year twice, or two years of adoption or of an end, or two clusters.

        """
        with self.in_bounds():
            by_cluster = self.con.execute(
                "SELECT count(DISTINCT hash(cluster) % $groups) FROM given", {"groups": GROUPS}
            )
            clustered = by_cluster.fetchall()[0][0] >= LEAST_CLUSTERS
            seen = "year >= adoption_year AND year <= coalesce(end_year, year)"
            self._adopters(
                f"""SELECT max(attention) FILTER (year = {early:d} AND {seen}) AS x,
                           max(attention) FILTER (year = {late:d} AND {seen}) AS y,
                           max(end_year) AS ended, max(adoption_year) AS adopted,
                           {_group("any_value(cluster)" if clustered else "adopter")} AS own, {_FAULT} AS fault
                    FROM given GROUP BY adopter""",  # noqa: S608
                early,
                late,
            )
            n, faults = self.con.execute("SELECT count(*), count_if(fault) FROM adopters").fetchall()[0]
            if faults:
                self._tell_adopters(faults)
        return int(n)

    def sample(self, path: Path, out: Path, n_adopters: int, of: int) -> None:
        """Write all rows and columns of about so many adopters, chosen by a hash of their names, as CSV.

        Args:
            path: the file that was opened.
            out: where to write.
            n_adopters: how many are wanted.
            of: how many there are.

        """
        adopter, year = self._columns["adopter"], self._columns["year"]
        with self.in_bounds():
            self.con.execute(
                f"""COPY (SELECT * FROM {_source(path)} WHERE hash({adopter}::VARCHAR) % {of:d} < {n_adopters:d}
                          ORDER BY {adopter}, {year}) TO '{_quoted(out)}' (HEADER, DELIMITER ',')"""  # noqa: S608
            )

    # --- inside

    def _read(self, path: Path) -> set[str]:
        """Make the view of the rows with their declared types; gives the columns that are there."""
        described = self.con.execute(f"DESCRIBE SELECT * FROM {_source(path)}").fetchall()  # noqa: S608
        columns = {str(row[0]).strip().lower(): '"' + str(row[0]).replace('"', '""') + '"' for row in described}
        missing = [column for column in _REQUIRED if column not in columns]
        if missing:
            remedy = f"name the columns: {', '.join(_TYPES)}"
            raise self._refused("columns", ", ".join(_REQUIRED), ", ".join(list(columns)[:12]), remedy)
        given = {column: f"{columns[column]}::{kind}" for column, kind in _TYPES.items() if column in columns}
        if "place" in given:
            name, place = given["adopter"], f"coalesce({given['place']}, '')"
            given |= {"adopter": f"(nullif({name}, '') || ' (' || {place} || ')')", "place": place}
        typed = ", ".join(f"{given.get(column, f'NULL::{kind}')} AS {column}" for column, kind in _TYPES.items())
        self.con.execute(f"CREATE VIEW rows_given AS SELECT {typed} FROM {_source(path)}")  # noqa: S608
        if "adoption_year" in columns:
            self.con.execute("CREATE VIEW given AS SELECT * FROM rows_given")
        else:
            self.con.execute(
                """CREATE TABLE first_seen AS
                   SELECT adopter AS who, min(year) FILTER (attention > 0) AS first FROM rows_given GROUP BY adopter;
                   CREATE VIEW given AS SELECT r.* REPLACE (first AS adoption_year)
                   FROM rows_given r LEFT JOIN first_seen ON who = adopter"""
            )
        self._columns = columns
        return set(columns)

    def _names_apart(self) -> int:
        """Names that stand in several places: the name of an adopter ends in its place in brackets."""
        name = "left(adopter, length(adopter) - length(place) - 3)"
        found = self.con.execute(
            f"SELECT count(*) FROM (SELECT {name} FROM given GROUP BY {name} HAVING min(place) <> max(place))"  # noqa: S608
        )
        return int(found.fetchall()[0][0])

    def _check_rows(self) -> None:
        counts = ", ".join(f"count_if({broken})" for _, broken, _, _ in _ROW_RULES)
        found = self.con.execute(f"SELECT {counts} FROM given").fetchall()[0]  # noqa: S608
        for number, (rule, broken, expected, remedy) in zip(found, _ROW_RULES, strict=True):
            if number:
                told = self.con.execute(
                    f"""SELECT adopter, year, attention, adoption_year, end_year FROM given WHERE {broken}
                        ORDER BY ALL LIMIT {MOST_NAMED:d}"""  # noqa: S608
                ).fetchall()
                rows = [_told(row) for row in told]
                raise self._refused(rule, expected, f"{number:,} such row(s)", remedy, rows, number)

    def _adopters(self, query: str, early: int, late: int) -> None:
        """The table of adopters: x, y, entered (by the early year; null unknown), state (null: not there early), own group."""
        self.con.execute(
            f"""CREATE OR REPLACE TABLE adopters AS SELECT *,
                  CASE WHEN x IS NOT NULL THEN x > 0 ELSE adopted <= {early:d} END AS entered,
                  CASE WHEN x IS NULL THEN NULL WHEN y IS NOT NULL THEN 0 WHEN ended <= {late:d} THEN 1 ELSE 2 END AS state
                FROM ({query})"""  # noqa: S608
        )

    def _tell_adopters(self, number: int) -> None:
        told = self.con.execute(
            f"""SELECT adopter, count(*), count(DISTINCT year) FROM given GROUP BY adopter HAVING {_FAULT}
                ORDER BY adopter LIMIT {MOST_NAMED:d}"""  # noqa: S608
        ).fetchall()
        rows = [f"{str(name)!r}: {n:,} rows of {years:,} years" for name, n, years in told]
        expected = (
            "a row for each adopter and year, with one adoption_year, end_year and cluster in all rows of an adopter"
        )
        remedy = "leave one row for each adopter and year, and mend what differs between them"
        raise self._refused("adopters", expected, f"{number:,} other adopter(s)", remedy, rows, number)

    def _refused(
        self, rule: str, expected: str, found: str, remedy: str, rows: list[str] | None = None, number: int = 0
    ) -> Refused:
        named = [*(rows or []), *[""] * (min(number, 10_000) - len(rows or []))]
        return Refused(self._name, [Problem(rule, self._name, expected, found, tuple(named))], remedy)

    @contextmanager
    def in_bounds(self) -> Iterator[None]:
        """Say in our own words that a file cannot be read, or that there is no room for the work."""
        try:
            yield
        except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
            if isinstance(error, duckdb.OutOfMemoryException) or str(self._own) in str(error):
                remedy = "free some space, or set LONGWAVE_HOME to a folder on another disk"
                raise UnusableHome(f"cannot work in {self._folder}: {_first_line(error)}; {remedy}") from error
            raise self._unreadable(error) from error
        except (duckdb.ConversionException, duckdb.InvalidInputException, duckdb.BinderException) as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: duckdb.Error) -> Refused:
        said = _first_line(error)
        remedy = "write CSV in UTF-8 with a header, commas between cells and points for decimals, or Parquet"
        return self._refused("rows", "columns of text and numbers", said, remedy)


_FAULT: Final = """(count(*) <> bit_count(bit_or(1::BIGINT << (year % 62)))
  OR min(adoption_year) <> max(adoption_year) OR count(adoption_year) NOT IN (0, count(*))
  OR min(end_year) <> max(end_year) OR count(end_year) NOT IN (0, count(*))
  OR min(cluster) <> max(cluster) OR count(cluster) NOT IN (0, count(*)))"""


def _first_line(error: duckdb.Error) -> str:
    return " ".join(str(error).split("\n\n")[0].split())[:300]


def _remove_left_over(folder: Path) -> None:
    """Remove what panels of processes that were killed left behind."""
    for left in folder.glob("panel-*"):
        number = left.name.split("-")[1]
        if number.isdigit() and not _alive(int(number)):
            shutil.rmtree(left, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _group(of: str) -> str:
    return f"(hash({of}) % {GROUPS:d})::USMALLINT"


def _source(path: Path) -> str:
    if path.is_dir():
        return f"read_parquet([{', '.join(_listed(part) for part in parts(path))}])"
    named = _quoted(path, pattern=True)
    if path.suffix.lower() in PARQUET:
        return f"read_parquet('{named}')"
    absent = ", ".join(f"'{word}'" for word in _NO_VALUE)
    form = f"delim = '{_separator(path)}', quote = '\"', escape = '\"', header = true, all_varchar = true, nullstr = [{absent}]"
    return f"read_csv('{named}', {form})"


def parts(folder: Path) -> list[Path]:
    """The Parquet files of a folder and of those in it (`year=2020/…` is a column), without those that engines hide."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in PARQUET
        and path.is_file()
        and not any(name.startswith((".", "_")) for name in path.relative_to(folder).parts)
    )


def _listed(path: Path) -> str:
    return f"'{_quoted(path, pattern=True)}'"


def _separator(path: Path) -> str:
    """The separator under which the required columns stand in the first line; a comma where there is none."""
    with path.open("rb") as file:
        line = file.readline(_LONGEST_HEADER).decode("utf-8-sig", errors="replace")
    for separator in ",;\t|":
        if set(_REQUIRED) <= {cell.strip(' "\r\n').lower() for cell in line.split(separator)}:
            return separator
    return ","


def _quoted(path: Path, *, pattern: bool = False) -> str:
    """A path within quotes; where a pattern is read, what would stand for other names stands for itself."""
    text = str(path).replace("'", "''")
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in text) if pattern else text


def _told(row: tuple[object, ...]) -> str:
    names = ("adopter", "year", "attention", "adoption_year", "end_year")
    return ", ".join(f"{name} {cell!r}" for name, cell in zip(names, row, strict=True) if cell is not None)
