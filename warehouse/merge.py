"""Merging a capture into the versions: only what changed gets a new version.

The table always equals a rebuild from all captures sorted by (vintage, capture), in whatever order they arrived. A
capture newer than all others of its source is applied to the open versions. Any other leads to a rebuild of that source:
what each capture said inside its scope is read back from the versions (a value that stood at its vintage was said by it,
an absent one was withdrawn by it), the new capture is put in its place, and all are applied again. Rows that come out
as they were keep their `recorded_at`.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

_STAGE = """
CREATE OR REPLACE TEMP TABLE stage AS
SELECT series, measure, adopter_key, period_start, period_kind, value, served_flag FROM {relation}
"""

# Keys of this source that the capture speaks of and that stand open now.
_OPEN = """
CREATE OR REPLACE TEMP TABLE standing AS
SELECT v.series, v.period_start, v.period_kind, v.known_from, v.value, v.served_flag
FROM observation_versions v JOIN series s USING (series)
JOIN capture_scope c ON c.capture = $capture AND c.measure = s.measure AND c.adopter_key IN ('*', s.adopter_key)
WHERE s.source = $source AND v.known_to = 'infinity'
"""

_DIFF = """
CREATE OR REPLACE TEMP TABLE diff AS
SELECT coalesce(n.series, o.series) AS series, coalesce(n.period_start, o.period_start) AS period_start,
       coalesce(n.period_kind, o.period_kind) AS period_kind, o.known_from AS old_from, n.value, n.served_flag,
       CASE WHEN o.series IS NULL THEN 'added' WHEN n.series IS NULL THEN 'withdrawn' ELSE 'revised' END AS change
FROM stage n FULL OUTER JOIN standing o USING (series, period_start, period_kind)
WHERE o.series IS NULL OR n.series IS NULL OR n.value IS DISTINCT FROM o.value
   OR n.served_flag IS DISTINCT FROM o.served_flag
"""

_APPLY = (
    # A version that this very vintage began is replaced, not closed: no interval is empty.
    """DELETE FROM observation_versions v USING diff d WHERE d.old_from = $vintage AND v.series = d.series
       AND v.period_start = d.period_start AND v.period_kind = d.period_kind AND v.known_from = $vintage""",
    """UPDATE observation_versions v SET known_to = $vintage FROM diff d
       WHERE d.old_from < $vintage AND v.series = d.series AND v.period_start = d.period_start
       AND v.period_kind = d.period_kind AND v.known_to = 'infinity'""",
    """INSERT INTO observation_versions BY NAME
       SELECT series, period_start, period_kind, $vintage::DATE AS known_from, 'infinity'::DATE AS known_to, value,
              served_flag, $capture AS capture, $now::TIMESTAMP AS recorded_at
       FROM diff WHERE change <> 'withdrawn'""",
)

_STATEMENTS = """
CREATE OR REPLACE TEMP TABLE statements AS
SELECT c.capture AS said_by, v.series, s.measure, s.adopter_key, v.period_start, v.period_kind, v.value, v.served_flag
FROM captures c JOIN capture_scope p USING (capture)
JOIN series s ON s.source = c.source AND s.measure = p.measure AND p.adopter_key IN ('*', s.adopter_key)
JOIN observation_versions v ON v.series = s.series AND v.known_from <= c.vintage AND v.known_to > c.vintage
WHERE c.source = $source AND c.capture <> $capture
  -- A later capture of the same vintage began this version: what the earlier one said was replaced, and was not this.
  AND NOT (v.known_from = c.vintage AND v.capture > c.capture)
UNION ALL
SELECT $capture, series, measure, adopter_key, period_start, period_kind, value, served_flag FROM incoming
"""


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


def merge(con: duckdb.DuckDBPyConnection, source: str, capture: str, now: str) -> MergeCounts:
    """Merge the rows of the temporary table `incoming` as `capture`, whose rows in captures and scope stand already.

    Args:
        con: the writer's connection, inside its transaction.
        source: the capture's source.
        capture: the capture's identifier.
        now: our transaction's time, ISO 8601.

    Returns:
        What changed against the vintage before the capture's own, after every capture stands in its place.

    """
    order = con.execute(
        "SELECT capture, vintage FROM captures WHERE source = ? ORDER BY vintage, capture", [source]
    ).fetchall()
    if order[-1][0] == capture:
        return _apply(con, source, capture, str(order[-1][1]), now, "incoming")
    return _rebuild(con, source, capture, order, now)


def _apply(
    con: duckdb.DuckDBPyConnection, source: str, capture: str, vintage: str, now: str, relation: str
) -> MergeCounts:
    con.execute(_STAGE.format(relation=relation))
    con.execute(_OPEN, {"source": source, "capture": capture})
    con.execute(_DIFF)
    values = {"vintage": vintage, "capture": capture, "now": now}
    for statement in _APPLY:
        con.execute(statement, {name: value for name, value in values.items() if f"${name}" in statement})
    counts = dict(con.execute("SELECT change, count(*) FROM diff GROUP BY change").fetchall())
    return MergeCounts(counts.get("added", 0), counts.get("revised", 0), counts.get("withdrawn", 0))


def _rebuild(
    con: duckdb.DuckDBPyConnection, source: str, capture: str, order: list[tuple[str, object]], now: str
) -> MergeCounts:
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
        counts = _apply(con, source, identifier, str(vintage), now, "replayed")
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
