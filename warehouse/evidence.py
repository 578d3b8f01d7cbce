"""From a series to its observations and from each to the capture that first said it: what a reader follows back.

Only sources whose rows may be passed on are told of here.
"""

from __future__ import annotations

import duckdb
import polars as pl

_STANDING = """
SELECT s.source, s.series, s.measure, s.medium, s.metric, s.unit, s.adopter, s.code,
       CASE v.period_kind WHEN 'year' THEN strftime(v.period_start, '%Y') WHEN 'month' THEN strftime(v.period_start, '%Y-%m')
            ELSE strftime(v.period_start, '%Y-%m-%d') END AS period, v.value, v.served_flag AS flag, v.capture
FROM observation_versions v JOIN series s USING (series) JOIN sources o USING (source)
WHERE o.redistribute AND v.known_to = 'infinity'
ORDER BY s.source, s.measure, s.adopter, s.series, v.period_start, v.period_kind
"""


def standing_values(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Every value that stands now, with the capture that first said it.

    Returns:
        source, series, measure, medium, metric, unit, adopter, code, period (the year, month or first day, as text), value,
        flag (`carried_forward`: not an observation; else null), capture; by source, measure, adopter and period.

    """
    frame: pl.DataFrame = con.sql(_STANDING).pl()
    return frame


_YEARS = """
SELECT s.source, o.title, any_value(m.medium) AS medium, year(v.period_start)::INTEGER AS year,
       count(DISTINCT v.series) AS series
FROM observation_versions v JOIN series s USING (series) JOIN sources o USING (source)
LEFT JOIN (SELECT source, min(medium) AS medium FROM series GROUP BY source HAVING count(DISTINCT medium) = 1) m USING (source)
WHERE o.redistribute AND v.known_to = 'infinity'
GROUP BY ALL ORDER BY s.source, 4
"""


def years_held(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Of every source and year with a value that stands: how many series have one.

    Returns:
        source, title, medium (null: several), year, series; by source and year.

    """
    frame: pl.DataFrame = con.sql(_YEARS).pl()
    return frame
