"""The frame that the study of rewriting reads: every figure of two vintages of a source, side by side.

Belongs here: which vintages are a pair, which figures both speak of, when a figure was first published. Not here: what
counts as revised. Pairs are consecutive vintages of one measure of one source, whatever lies between them. A figure is
compared only where both captures speak of it (scope: measure, adopter, period), so that a download of twelve adopters adds
and withdraws nothing of the others. A value carried forward is no observation: it is absent from the vintage that served it.
"""

from __future__ import annotations

from collections.abc import Mapping

import duckdb
import polars as pl

# A vintage without a date of its own has no place in an order of vintages.
_PAIRS = """
CREATE OR REPLACE TEMP TABLE revision_scope AS
SELECT DISTINCT c.source, p.measure, p.adopter_key, c.vintage, coalesce(p.period_from, '-infinity'::DATE) AS period_from,
       coalesce(p.period_to, 'infinity'::DATE) AS period_to
FROM captures c JOIN capture_scope p USING (capture)
WHERE c.vintage <= as_of_date() AND c.vintage_precision <> 'undated';

CREATE OR REPLACE TEMP TABLE revision_pairs AS
SELECT * FROM (
  SELECT source, measure, lag(vintage) OVER (PARTITION BY source, measure ORDER BY vintage) AS earlier, vintage AS later
  FROM (SELECT DISTINCT source, measure, vintage FROM revision_scope))
WHERE earlier IS NOT NULL;
"""

# One version of a key stands at a date, so each aggregate picks that one.
_STATED = """
CREATE OR REPLACE TEMP TABLE revision_stated AS
SELECT p.source, p.measure, p.earlier, p.later, s.series, s.adopter_key, v.period_start, v.period_kind,
       max(v.value) FILTER (v.known_from <= p.earlier) AS value_earlier,
       max(v.value) FILTER (v.known_to > p.later) AS value_later
FROM revision_pairs p JOIN series s USING (source, measure) JOIN observation_versions v USING (series)
WHERE v.served_flag IS NULL AND v.known_from <= p.later AND v.known_to > p.earlier
GROUP BY ALL HAVING value_earlier IS NOT NULL OR value_later IS NOT NULL
"""

_FRAME = """
WITH spoken AS (
  SELECT p.source, p.measure, p.earlier, p.later, p.series, p.period_start, p.period_kind,
         bool_or(k.vintage = p.earlier) AS by_earlier, bool_or(k.vintage = p.later) AS by_later,
         min(k.vintage) AS first_spoken
  FROM revision_stated p JOIN revision_scope k USING (source, measure)
  WHERE k.adopter_key IN ('*', p.adopter_key) AND p.period_start BETWEEN k.period_from AND k.period_to
  GROUP BY ALL
), born AS (
  SELECT series, period_start, period_kind, min(known_from) AS first_stated
  FROM observation_versions SEMI JOIN revision_stated USING (series) WHERE served_flag IS NULL GROUP BY ALL
)
SELECT p.source || '/' || p.measure AS subject, p.source, p.measure, s.medium, s.unit, s.unit_class, s.adopter_kind,
       p.adopter_key AS adopter, p.earlier, p.later, p.period_start, p.period_kind, year(p.period_start)::INTEGER AS year,
       p.value_earlier, p.value_later, CASE WHEN b.first_stated > k.first_spoken THEN b.first_stated END AS first_published
FROM revision_stated p
JOIN spoken k USING (source, measure, earlier, later, series, period_start, period_kind)
JOIN born b USING (series, period_start, period_kind)
JOIN series s USING (series)
WHERE k.by_earlier AND k.by_later
ORDER BY subject, earlier, adopter, p.period_kind, p.period_start
"""


def revision_frame(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Every figure of every pair of consecutive vintages, at the connection's date.

    Args:
        con: a reader or the writer's connection, with the session variable `as_of` where a date is meant.

    Returns:
        subject (source/measure), source, measure, medium, unit, unit_class, adopter_kind, adopter, earlier, later (dates
        of the two vintages), period_start, period_kind, year, value_earlier, value_later (in the series' unit; null where
        that vintage did not give it), first_published (vintage in which the figure first stood; null where it stood in the
        first vintage held that speaks of it, so that its first publication is not known). No rows where no source has
        two vintages.

    """
    con.execute(_PAIRS)
    con.execute(_STATED)
    frame: pl.DataFrame = con.sql(_FRAME).pl()
    return frame


def revised_shares(con: duckdb.DuckDBPyConnection, records: Mapping[str, tuple[str, str]]) -> dict[str, pl.DataFrame]:
    """Yearly shares of places that two vintages give, by name: year, value_earlier of the oldest, value_later of the newest.

    Oldest and newest, and not each pair of consecutive ones: else vintages that change nothing would make figures look surer.
    Zeros are left out, which may be filler; so is what has no such figure.

    Args:
        con: as of `revision_frame`.
        records: source and measure, by name.

    """
    both = pl.col("value_earlier").is_not_null() & pl.col("value_later").is_not_null()
    frame = revision_frame(con).filter(
        pl.col("unit") == "percent",
        pl.col("period_kind") == "year",
        pl.col("adopter_kind").is_in(["country", "territory"]),
        both,
    )
    found = {}
    for name, (source, measure) in records.items():
        own = frame.filter(pl.col("source") == source, pl.col("measure") == measure).sort("adopter", "year", "earlier")
        ends = own.group_by("adopter", "year", maintain_order=True).agg(
            pl.col("value_earlier").first(), pl.col("value_later").last()
        )
        ends = ends.filter(pl.col("value_earlier") > 0, pl.col("value_later") > 0)
        if ends.height:
            found[name] = ends.select("year", "value_earlier", "value_later")
    return found
