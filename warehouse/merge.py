"""Merging a capture into the versions: only what changed gets a new version.

The table always equals a rebuild from all captures sorted by (vintage, capture), in whatever order they arrived. A
capture that no later one of its source shares a measure with is applied to the open versions. Any other leads to a
rebuild of that source: what each capture said inside its scope is read back from the versions (a value that stood at its
vintage was said by it, an absent one was withdrawn by it), the new capture is put in its place, and all are applied again.
Rows that come out as they were keep their `recorded_at`.

A scope is a set of measures, of adopters (`*`: all there are) and of periods (a span of first days, both ends within; a
null end is open). A key outside it is not spoken of, whether or not the capture has it: rows outside are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import duckdb
import polars as pl
from longwave.warehouse.tables import polars_schema

Scope = tuple[str, str] | tuple[str, str, date | None, date | None]
"""Measure, adopter key or *, and where a capture speaks of a span alone, its first and last period's first day."""

EVERY_ADOPTER = "*"

# Which capture speaks of which series, in which span. Two joins: `IN ('*', key)` would compare all pairs of a measure.
SPOKEN = """
SELECT p.capture, c.source, c.vintage, s.series, coalesce(p.period_from, '-infinity'::DATE) AS period_from,
       coalesce(p.period_to, 'infinity'::DATE) AS period_to
FROM capture_scope p JOIN captures c USING (capture)
JOIN series s ON s.source = c.source AND s.measure = p.measure AND s.adopter_key = p.adopter_key
UNION ALL
SELECT p.capture, c.source, c.vintage, s.series, coalesce(p.period_from, '-infinity'::DATE) AS period_from,
       coalesce(p.period_to, 'infinity'::DATE) AS period_to
FROM capture_scope p JOIN captures c USING (capture) JOIN series s ON s.source = c.source AND s.measure = p.measure
WHERE p.adopter_key = '*'
"""

# Rows of a capture that it does not speak of. Of a capture applied to the open versions only `added` ones can be that.
_OUTSIDE = f"""
WITH said AS (SELECT series, min(period_start) AS first, max(period_start) AS last FROM {{relation}} GROUP BY series)
SELECT series, first, last FROM said WHERE NOT EXISTS (
  SELECT 1 FROM ({SPOKEN}) p WHERE p.series = said.series AND p.capture = $capture
  AND first >= p.period_from AND last <= p.period_to)
ORDER BY series LIMIT 5
"""  # noqa: S608 - constants of this module

# Captures that come after this one and speak of a measure it speaks of: their versions rest on what it says.
_LATER = """
SELECT count(*) FROM captures c JOIN captures o ON o.capture = $capture AND o.source = c.source
WHERE (c.vintage > o.vintage OR (c.vintage = o.vintage AND c.capture > o.capture)) AND EXISTS (
  SELECT 1 FROM capture_scope p WHERE p.capture = c.capture
  AND p.measure IN (SELECT measure FROM capture_scope WHERE capture = $capture))
"""

# What changes among the keys that the capture speaks of and that stand open now. One query, without a table between:
# staging a million rows twice costs as much as joining them.
_DIFF = f"""
CREATE OR REPLACE TEMP TABLE diff AS
SELECT coalesce(n.series, o.series) AS series, coalesce(n.period_start, o.period_start) AS period_start,
       coalesce(n.period_kind, o.period_kind) AS period_kind, o.known_from AS old_from, o.old_row, n.value, n.served_flag,
       CASE WHEN o.series IS NULL THEN 'added' WHEN n.series IS NULL THEN 'withdrawn' ELSE 'revised' END AS change
FROM {{relation}} n FULL OUTER JOIN (
  SELECT v.rowid AS old_row, v.series, v.period_start, v.period_kind, v.known_from, v.value, v.served_flag
  FROM observation_versions v JOIN ({SPOKEN}) p ON p.series = v.series AND p.capture = $capture
  WHERE v.known_to = 'infinity' AND v.period_start BETWEEN p.period_from AND p.period_to
) o USING (series, period_start, period_kind)
WHERE o.series IS NULL OR n.series IS NULL OR n.value IS DISTINCT FROM o.value
   OR n.served_flag IS DISTINCT FROM o.served_flag
"""  # noqa: S608 - constants of this module

# By row: by key, each would search all versions again. No statement between moves a row.
_APPLY = (
    # A version that this very vintage began is replaced, not closed: no interval is empty.
    "DELETE FROM observation_versions WHERE rowid IN (SELECT old_row FROM diff WHERE old_from = $vintage)",
    """UPDATE observation_versions SET known_to = $vintage
       WHERE rowid IN (SELECT old_row FROM diff WHERE old_from < $vintage)""",
    """INSERT INTO observation_versions BY NAME
       SELECT series, period_start, period_kind, $vintage::DATE AS known_from, 'infinity'::DATE AS known_to, value,
              served_flag, $capture AS capture, $now::TIMESTAMP AS recorded_at
       FROM diff WHERE change <> 'withdrawn'""",
)

_STATEMENTS = f"""
CREATE OR REPLACE TEMP TABLE statements AS
SELECT c.capture AS said_by, v.series, v.period_start, v.period_kind, v.value, v.served_flag
FROM ({SPOKEN}) c
JOIN observation_versions v ON v.series = c.series AND v.known_from <= c.vintage AND v.known_to > c.vintage
WHERE c.source = $source AND c.capture <> $capture AND v.period_start BETWEEN c.period_from AND c.period_to
  -- A later capture of the same vintage began this version: what the earlier one said was replaced, and was not this.
  AND NOT (v.known_from = c.vintage AND v.capture > c.capture)
UNION ALL
SELECT $capture, series, period_start, period_kind, value, served_flag FROM incoming
"""  # noqa: S608 - constants of this module


@dataclass(frozen=True)
class MergeCounts:
    """What a capture changed, against the vintage before it."""

    added: int
    revised: int
    withdrawn: int

    @property
    def changed(self) -> int:
        """Keys whose version changed."""
        return self.added + self.revised + self.withdrawn


def scope_rows(capture: str, scope: Sequence[Scope]) -> pl.DataFrame:
    """Rows of `capture_scope` for what a capture speaks of.

    Raises:
        ValueError: a span ends before it begins, or a measure is given for every adopter and for one beside it.

    """
    rows = [(capture, *spoken, *[None] * (4 - len(spoken))) for spoken in scope]
    frame = pl.DataFrame(rows, schema=polars_schema("capture_scope"), orient="row")
    turned = frame.filter(pl.col("period_from") > pl.col("period_to"))
    every = frame.filter(pl.col("adopter_key") == EVERY_ADOPTER)["measure"]
    twice = frame.filter(pl.col("measure").is_in(every.implode()), pl.col("adopter_key") != EVERY_ADOPTER)
    for wrong, what in (
        (turned, "a span ends before it begins"),
        (twice, "an adopter stands beside * for all of them"),
    ):
        if not wrong.is_empty():
            raise ValueError(f"scope of {capture}: {what}: {wrong.row(0)[1:]}")
    return frame


def merge(con: duckdb.DuckDBPyConnection, source: str, capture: str, now: str) -> MergeCounts:
    """Merge the rows of the temporary table `incoming` as `capture`, whose rows in captures and scope stand already.

    Args:
        con: the writer's connection, inside its transaction.
        source: the capture's source.
        capture: the capture's identifier.
        now: our transaction's time, ISO 8601.

    Returns:
        What changed against the vintage before the capture's own, after every capture stands in its place.

    Raises:
        ValueError: a row lies outside the capture's scope; nothing was merged.

    """
    order = con.execute(
        "SELECT capture, vintage FROM captures WHERE source = ? ORDER BY vintage, capture", [source]
    ).fetchall()
    if con.execute(_LATER, {"capture": capture}).fetchall() == [(0,)]:
        return _apply(con, capture, str(dict(order)[capture]), now, "incoming")
    return _rebuild(con, source, capture, order, now)


def _refuse_outside(con: duckdb.DuckDBPyConnection, capture: str, relation: str) -> None:
    outside = con.execute(_OUTSIDE.format(relation=relation), {"capture": capture}).fetchall()
    if outside:
        named = "; ".join(f"{series}, {first} to {last}" for series, first, last in outside)
        raise ValueError(
            f"{capture} has rows outside the scope it declares: {named}; widen the scope or leave them out"
        )


def _apply(con: duckdb.DuckDBPyConnection, capture: str, vintage: str, now: str, relation: str) -> MergeCounts:
    con.execute(_DIFF.format(relation=relation), {"capture": capture})
    _refuse_outside(con, capture, "(SELECT * FROM diff WHERE change = 'added')")
    values = {"vintage": vintage, "capture": capture, "now": now}
    for statement in _APPLY:
        con.execute(statement, {name: value for name, value in values.items() if f"${name}" in statement})
    counts = dict(con.execute("SELECT change, count(*) FROM diff GROUP BY change").fetchall())
    return MergeCounts(counts.get("added", 0), counts.get("revised", 0), counts.get("withdrawn", 0))


def _rebuild(
    con: duckdb.DuckDBPyConnection, source: str, capture: str, order: list[tuple[str, object]], now: str
) -> MergeCounts:
    _refuse_outside(con, capture, "incoming")
    con.execute(_STATEMENTS, {"source": source, "capture": capture})
    stash_former(con, source, "replayed_over")
    con.execute(
        "DELETE FROM observation_versions WHERE series IN (SELECT series FROM series WHERE source = ?)",
        [source],
    )
    result = MergeCounts(0, 0, 0)
    for identifier, vintage in order:
        con.execute(
            "CREATE OR REPLACE TEMP TABLE replayed AS SELECT * EXCLUDE (said_by) FROM statements WHERE said_by = ?",
            [identifier],
        )
        counts = _apply(con, identifier, str(vintage), now, "replayed")
        con.execute(
            "UPDATE captures SET n_added = ?, n_revised = ?, n_withdrawn = ? WHERE capture = ?",
            [counts.added, counts.revised, counts.withdrawn, identifier],
        )
        if identifier == capture:
            result = counts
    keep_recorded_at(con, "replayed_over")
    return result


def stash_former(con: duckdb.DuckDBPyConnection, source: str, table: str) -> None:
    """Keep a source's versions aside in a temporary table for `keep_recorded_at`."""
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT v.* FROM observation_versions v "  # noqa: S608
        "JOIN series s USING (series) WHERE s.source = ?",
        [source],
    )


def keep_recorded_at(con: duckdb.DuckDBPyConnection, table: str) -> None:
    """Give versions that came out of a rebuild as they were before it the time they were recorded first."""
    con.execute(
        f"""UPDATE observation_versions v SET recorded_at = f.recorded_at FROM {table} f
           WHERE v.series = f.series AND v.period_start = f.period_start AND v.period_kind = f.period_kind
           AND v.known_from = f.known_from AND v.value = f.value AND v.capture = f.capture
           AND v.served_flag IS NOT DISTINCT FROM f.served_flag"""  # noqa: S608
    )
