"""What a source says of an adopter in words: a journal's publisher, its field, the name of its account.

Belongs here: the tidy form of such statements, the checks that accept or refuse them, their digest, and their versions. They
have vintages and evidence as figures have. Does not: which attributes a source gives (its declaration), and facts that the
project itself reviewed (`longwave.warehouse.world`).

A capture of a source that gives attributes speaks of all of them: what it does not say is withdrawn from its vintage on. The
table always equals a rebuild from the captures sorted by (vintage, capture), in whatever order they arrived; of several
captures of one vintage the last speaks for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import duckdb
import polars as pl
from longwave.warehouse.errors import row_at_fault
from longwave.warehouse.tidy import READABLE, CheckResult, unreadable

ATTRIBUTE_SCHEMA: dict[str, pl.DataType] = {"adopter": pl.String(), "name": pl.String(), "value": pl.String()}
_KEY = ["adopter", "name"]


def attributes_frame(rows: pl.DataFrame) -> pl.DataFrame:
    """Columns, types and order of a frame of attributes; what is not said (null, or nothing but blanks) is no statement."""
    typed = rows.select([pl.col(name).cast(kind) for name, kind in ATTRIBUTE_SCHEMA.items()])
    return typed.with_columns(pl.col("value").str.strip_chars()).filter(pl.col("value") != "").sort(*_KEY, "value")


def attributes_digest(frame: pl.DataFrame) -> str:
    """SHA-256 of a frame of attributes, whatever order its rows came in."""
    return hashlib.sha256(attributes_frame(frame).write_csv(include_header=False).encode()).hexdigest()


def check_attributes(frame: pl.DataFrame, declared: Sequence[str]) -> list[CheckResult]:
    """Every declared check of a frame of attributes: something said, declared names, a named adopter, one value each."""
    every = ", ".join(declared)
    results = [
        CheckResult("attributes not empty", not frame.is_empty(), True, "at least one row", f"{frame.height} rows")
    ]
    for check, bad, expected in (
        ("declared attributes", frame.filter(~pl.col("name").is_in(list(declared))), f"one of {every}"),
        ("adopters of attributes", frame.filter(pl.col("adopter").fill_null("") == ""), "an adopter in every row"),
        ("readable attributes", frame.filter(unreadable("adopter") | unreadable("value")), READABLE),
        ("one value an attribute", frame.filter(pl.struct(_KEY).is_duplicated()), "each adopter and attribute once"),
    ):
        rows = tuple(row_at_fault(f"{adopter}, {name}: {value}") for adopter, name, value in bad.head(20).rows())
        found = f"{bad.height} rows at fault" if bad.height else "none at fault"
        results.append(CheckResult(check, bad.is_empty(), True, expected, found, rows))
    return results


# What every capture said is read back from the versions, the new one is put in its place, and equal statements of captures
# that follow each other become one version.
_VERSIONS = """
WITH spoken AS (
  SELECT vintage, max(capture) AS capture, row_number() OVER (ORDER BY vintage) AS nth,
         coalesce(lead(vintage) OVER (ORDER BY vintage), 'infinity'::DATE) AS next
  FROM captures WHERE source = $source GROUP BY vintage
), said AS (
  SELECT s.*, b.adopter, b.name, b.value FROM spoken s
  JOIN attributes_before b ON b.known_from <= s.vintage AND b.known_to > s.vintage WHERE s.capture <> $capture
  UNION ALL
  SELECT s.*, i.adopter, i.name, i.value FROM spoken s CROSS JOIN incoming_attributes i WHERE s.capture = $capture
), runs AS (
  SELECT *, nth - row_number() OVER (PARTITION BY adopter, name, value ORDER BY nth) AS run FROM said
), versions AS (
  SELECT adopter, name, value, min(vintage) AS known_from, max(next) AS known_to, arg_min(capture, nth) AS capture
  FROM runs GROUP BY adopter, name, value, run
)
INSERT INTO attributes BY NAME
SELECT $source AS source, v.*, coalesce(b.recorded_at, $now::TIMESTAMP) AS recorded_at
FROM versions v LEFT JOIN attributes_before b
  ON b.adopter = v.adopter AND b.name = v.name AND b.value = v.value AND b.known_from = v.known_from
  AND b.capture = v.capture
"""


def merge_attributes(
    con: duckdb.DuckDBPyConnection, source: str, capture: str, attributes: pl.DataFrame, now: str
) -> None:
    """Merge what a capture, whose row in `captures` stands already, says of its adopters in words.

    Args:
        con: the writer's connection, inside its transaction.
        source: the capture's source.
        capture: the capture's identifier.
        attributes: adopter, name, value; each adopter and name once.
        now: our transaction's time, ISO 8601.

    """
    stash_attributes(con, source, "attributes_before")
    con.execute("DELETE FROM attributes WHERE source = ?", [source])
    con.register("incoming_attributes", attributes)
    con.execute(_VERSIONS, {"source": source, "capture": capture, "now": now})
    con.unregister("incoming_attributes")


def stash_attributes(con: duckdb.DuckDBPyConnection, source: str, table: str) -> None:
    """Keep a source's attributes aside in a temporary table."""
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT * FROM attributes WHERE source = ?",  # noqa: S608
        [source],
    )


def keep_attributes_recorded_at(con: duckdb.DuckDBPyConnection, table: str) -> None:
    """Give attributes that came out of a rebuild as they were before it the time they were recorded first."""
    con.execute(
        f"""UPDATE attributes a SET recorded_at = f.recorded_at FROM {table} f
           WHERE a.source = f.source AND a.adopter = f.adopter AND a.name = f.name AND a.known_from = f.known_from
           AND a.value = f.value AND a.capture = f.capture"""  # noqa: S608
    )


def attributes_at(con: duckdb.DuckDBPyConnection, source: str, vintage: object) -> pl.DataFrame:
    """What a source is held to have said of its adopters in words at a vintage: adopter, name, value, sorted."""
    frame: pl.DataFrame = con.sql(
        """SELECT adopter, name, value FROM attributes WHERE source = $source AND known_from <= $vintage
           AND known_to > $vintage""",
        params={"source": source, "vintage": vintage},
    ).pl()
    return attributes_frame(frame)
