"""Every yearly series of adoption as each vintage of its source had it: what a page lets a reader slide through.

Belongs here: which vintages speak of a series, and what each of them said. Does not belong here: what counts as revised
(`longwave.models.revisions`), files and pictures (`longwave.reports`).
"""

from __future__ import annotations

import duckdb
import polars as pl

# A source has a place here once one of its vintages said something that another one no longer did.
_SAID = """
WITH spoken AS (
  SELECT DISTINCT c.source, p.measure, p.adopter_key, c.vintage FROM captures c JOIN capture_scope p USING (capture)
  WHERE c.vintage <= as_of_date() AND c.vintage_precision <> 'undated'
), rewritten AS (
  SELECT DISTINCT s.source, s.measure
  FROM observation_versions v JOIN series s USING (series) JOIN sources o USING (source)
  WHERE v.known_to <= as_of_date() AND o.redistribute AND s.medium <> 'covariate'
), said AS (
  SELECT s.series, k.vintage, list(year(v.period_start)::INTEGER ORDER BY v.period_start) AS year,
         list(v.value ORDER BY v.period_start) AS value
  FROM rewritten r JOIN series s USING (source, measure)
  JOIN spoken k ON k.source = s.source AND k.measure = s.measure AND k.adopter_key IN ('*', s.adopter_key)
  JOIN observation_versions v ON v.series = s.series AND v.known_from <= k.vintage AND v.known_to > k.vintage
  WHERE s.adopter_kind NOT IN ('journal', 'account', 'station', 'outlet') AND v.period_kind = 'year'
    AND v.served_flag IS NULL AND v.value IS NOT NULL
  GROUP BY s.series, k.vintage
)
SELECT s.source || '/' || s.measure AS subject, d.series, s.source, s.medium, s.metric, s.unit, s.population,
       s.adopter_key AS key, s.adopter, d.vintage, d.year, d.value
FROM said d JOIN series s USING (series) QUALIFY count(*) OVER (PARTITION BY series) > 1
ORDER BY subject, s.adopter, d.series, d.vintage
"""


def vintage_lines(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """What each vintage said of each series, of sources that may be passed on and that have rewritten a figure.

    A vintage says what stood when it was published, of the series that it speaks of. Values that a publisher carried forward
    are left out, and so are vintages without a date of their own, and series that fewer than two vintages have figures of.

    Args:
        con: a reader, with the session variable `as_of` where a date is meant.

    Returns:
        subject (source/measure), series, source, medium, metric, unit, population, key (the adopter's), adopter, vintage
        (date), year and value (lists, by year); one row a series and vintage, by subject, adopter, series, vintage.

    """
    frame: pl.DataFrame = con.sql(_SAID).pl()
    return frame
