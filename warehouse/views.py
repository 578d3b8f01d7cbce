"""The views people and models read: as-of versions, the flags that follow from a series' own values, revisions, coverage.

`as_of` reads `known_from`: `versions_as_of(d)` plainly, `observations_as_of(d)` with flags. The views without a date read
the session variable `as_of`, or everything known. Flags that depend on neighbours (`interpolated`, `filler_zero`, `break`,
`left_truncated`) are computed at reading, for the vintage read: stored, they would make a version of every neighbour of a
revised value. A value that a publisher carried forward is no observation: it stands in `observation_versions` and in no
view of observations. A platform's zero after its decline is real, and an account's; a country's zero after users were
counted is filler. Counts per 100 people are left-truncated by the same 12.

`revisions` compares observations, so a value that is carried forward from now on is withdrawn. A key is added where an
earlier capture spoke of it and did not have it. `year_coverage` judges a year by who reported the year before: 80 % of
those (of monthly figures, of their months) make it complete; where nobody did, `complete` is null.
"""

from __future__ import annotations

from longwave.warehouse.crosstabs import VIEW as _CROSSTABS
from longwave.warehouse.merge import SPOKEN

INTERPOLATED_RUN = 3
LEFT_TRUNCATED_OVER = 12.0
COMPLETE_FROM = 0.8

_VERSIONS_AS_OF = """
CREATE OR REPLACE MACRO versions_as_of(d) AS TABLE
SELECT series, period_start, period_kind, value, served_flag, known_from, capture
FROM observation_versions WHERE known_from <= d AND known_to > d
"""

_AS_OF = f"""
CREATE OR REPLACE MACRO observations_as_of(d) AS TABLE
WITH live AS (
  SELECT s.*, v.period_start, v.period_kind, year(v.period_start)::INTEGER AS year, v.value, v.known_from, v.capture,
         c.vintage_precision
  FROM versions_as_of(d) v JOIN series s USING (series) JOIN captures c USING (capture)
  WHERE v.served_flag IS NULL
), stepped AS (
  SELECT *, CASE WHEN period_kind = 'year' AND year = lag(year) OVER w + 1 THEN value - lag(value) OVER w END AS step,
         row_number() OVER w AS nth, max(value) OVER (w ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
  FROM live WINDOW w AS (PARTITION BY source, measure, series ORDER BY period_start)
), turned AS (
  SELECT *, step IS NOT NULL AND coalesce(
              abs(step - lag(step) OVER w) <= 1e-9 * greatest(1.0, abs(value)), false) AS continues
  FROM stepped WINDOW w AS (PARTITION BY source, measure, series ORDER BY period_start)
), runs AS (
  SELECT *, count(*) FILTER (NOT continues) OVER w AS run
  FROM turned WINDOW w AS (PARTITION BY source, measure, series ORDER BY period_start)
), counted AS (
  SELECT *, lead(run) OVER (PARTITION BY source, measure, series ORDER BY period_start) AS next_run,
         count(step) OVER (PARTITION BY source, measure, series, run) AS run_length
  FROM runs
)
SELECT medium, metric, unit, adopter, code, year, value, source, known_from AS vintage,
  array_to_string(list_filter([
    CASE WHEN nth = 1 AND unit IN ('percent', 'per_100_people') AND medium <> 'covariate'
          AND value > {LEFT_TRUNCATED_OVER} THEN 'left_truncated' END,
    CASE WHEN abs(step) > 0 AND run_length >= {INTERPOLATED_RUN} AND next_run = run THEN 'interpolated' END,
    CASE WHEN value = 0 AND medium <> 'covariate'
          AND adopter_kind NOT IN ('platform', 'journal', 'account', 'station', 'service', 'outlet')
          AND (before > 0 OR year < (SELECT min(l.year) FROM launches l
                                     WHERE l.medium = counted.medium AND l.status = 'verified'))
         THEN 'filler_zero' END,
    CASE WHEN EXISTS (SELECT 1 FROM breaks b WHERE b.source IN ('*', counted.source)
          AND b.medium IN ('*', counted.medium) AND b.adopter IN ('*', counted.adopter)
          AND b.place IN ('*', coalesce(counted.place, '')) AND counted.year BETWEEN b.year_from AND b.year_to)
         THEN 'break' END], lambda f: f IS NOT NULL), ',') AS flags,
  series, period_start, period_kind, unit_class, population, denominator, adopter_kind, adopter_key, place, concept,
  measure, capture, vintage_precision
FROM counted
"""  # noqa: S608 - constants of this module

# What stood before is null where nothing did (added, restored), what stands after where nothing does (withdrawn).
_REVISIONS = f"""
CREATE OR REPLACE VIEW revisions AS
WITH held AS (
  SELECT series, period_start, period_kind, value, known_from, known_to, capture,
         lag(value) OVER w AS earlier, lag(known_to) OVER w AS ended, lead(known_from) OVER w AS next_from
  FROM observation_versions WHERE served_flag IS NULL AND known_from <= as_of_date()
  WINDOW w AS (PARTITION BY series, period_start, period_kind ORDER BY known_from)
), spoken AS ({SPOKEN}),
first_spoken AS (
  SELECT series, period_from, period_to, min(vintage) AS since FROM spoken GROUP BY ALL
), changes AS (
  SELECT series, period_start, period_kind, CASE WHEN ended = known_from THEN earlier END AS value_before, value,
         known_from AS revised_on, capture,
         CASE WHEN ended IS NULL THEN 'added' WHEN ended < known_from THEN 'restored' ELSE 'revised' END AS change
  FROM held h
  WHERE ended < known_from OR (ended = known_from AND value IS DISTINCT FROM earlier)
     OR (ended IS NULL AND EXISTS (SELECT 1 FROM first_spoken f WHERE f.series = h.series AND f.since < h.known_from
                                   AND h.period_start BETWEEN f.period_from AND f.period_to))
  UNION ALL
  SELECT h.series, h.period_start, h.period_kind, h.value AS value_before, NULL AS value, h.known_to AS revised_on,
         max(p.capture) AS capture, 'withdrawn' AS change
  FROM held h LEFT JOIN spoken p ON p.series = h.series AND p.vintage = h.known_to
                                 AND h.period_start BETWEEN p.period_from AND p.period_to
  WHERE h.known_to <= as_of_date() AND h.next_from IS DISTINCT FROM h.known_to
  GROUP BY ALL
)
SELECT c.series, c.period_start, c.period_kind, c.value_before, c.value, c.revised_on, c.capture, c.change,
       year(c.period_start)::INTEGER AS year, s.source, s.measure, s.adopter, s.code, s.adopter_kind
FROM changes c JOIN series s USING (series)
"""  # noqa: S608 - constants of this module

_YEAR_COVERAGE = f"""
CREATE OR REPLACE VIEW year_coverage AS
WITH reported AS (
  SELECT DISTINCT s.source, s.measure, s.adopter_key, year(v.period_start)::INTEGER AS year,
         CASE WHEN v.period_kind = 'month' THEN month(v.period_start) ELSE 0 END AS part
  FROM versions_as_of(as_of_date()) v JOIN series s USING (series)
  WHERE v.served_flag IS NULL AND s.adopter_kind <> 'aggregate'
), counted AS (
  SELECT source, measure, year, count(DISTINCT adopter_key) AS adopters, count(*) AS parts FROM reported GROUP BY ALL
), again AS (
  SELECT n.source, n.measure, n.year, count(*) AS parts
  FROM reported n JOIN reported b ON b.source = n.source AND b.measure = n.measure AND b.adopter_key = n.adopter_key
                                  AND b.part = n.part AND b.year = n.year - 1
  GROUP BY ALL
)
SELECT c.source, c.measure, c.year, c.adopters, coalesce(b.adopters, 0) AS before,
       coalesce(a.parts, 0) / b.parts AS reported, coalesce(a.parts, 0) >= {COMPLETE_FROM} * b.parts AS complete
FROM counted c LEFT JOIN counted b ON b.source = c.source AND b.measure = c.measure AND b.year = c.year - 1
LEFT JOIN again a ON a.source = c.source AND a.measure = c.measure AND a.year = c.year
"""  # noqa: S608 - constants of this module

VIEWS: tuple[str, ...] = (
    "CREATE OR REPLACE MACRO as_of_date() AS coalesce(try_cast(getvariable('as_of') AS DATE), DATE '9999-12-31')",
    _VERSIONS_AS_OF,
    _AS_OF,
    """CREATE OR REPLACE VIEW observations AS
       SELECT medium, metric, unit, adopter, code, year, value, source, vintage, flags, series, period_start, period_kind
       FROM observations_as_of(as_of_date())""",
    _CROSSTABS,
    _REVISIONS,
    _YEAR_COVERAGE,
    """CREATE OR REPLACE VIEW carried_forward AS
       SELECT s.source, s.adopter, year(v.period_start)::INTEGER AS year, v.value, v.known_from AS vintage, v.capture
       FROM versions_as_of(as_of_date()) v JOIN series s USING (series) WHERE v.served_flag = 'carried_forward'""",
)
