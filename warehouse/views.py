"""The views people and models read: as-of versions, the flags that follow from a series' own values, revisions.

`as_of` reads `known_from`. The views without a date read the session variable `as_of`, or everything known. Flags that
depend on neighbours (`interpolated`, `filler_zero`, `break`, `left_truncated`) are computed at reading, for the vintage
read: stored, they would make a version of every neighbour of a revised value. A value that a publisher carried forward
is no observation: it stands in `observation_versions` and in no view of observations. A platform's zero after its decline
is real; a country's zero after users were counted is filler. Counts per 100 people are left-truncated by the same 12.
"""

from __future__ import annotations

INTERPOLATED_RUN = 3
LEFT_TRUNCATED_OVER = 12.0

_AS_OF = f"""
CREATE OR REPLACE MACRO observations_as_of(d) AS TABLE
WITH live AS (
  SELECT s.*, v.period_start, v.period_kind, year(v.period_start)::INTEGER AS year, v.value, v.known_from, v.capture,
         c.vintage_precision
  FROM observation_versions v JOIN series s USING (series) JOIN captures c USING (capture)
  WHERE v.known_from <= d AND v.known_to > d AND v.served_flag IS NULL
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
    CASE WHEN value = 0 AND medium <> 'covariate' AND adopter_kind <> 'platform'
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

VIEWS: tuple[str, ...] = (
    _AS_OF,
    "CREATE OR REPLACE MACRO as_of_date() AS coalesce(try_cast(getvariable('as_of') AS DATE), DATE '9999-12-31')",
    """CREATE OR REPLACE VIEW observations AS
       SELECT medium, metric, unit, adopter, code, year, value, source, vintage, flags, series, period_start, period_kind
       FROM observations_as_of(as_of_date())""",
    """CREATE OR REPLACE VIEW revisions AS
       SELECT series, period_start, period_kind, lag(value) OVER w AS value_before, value, known_from AS revised_on,
              capture
       FROM observation_versions WHERE known_from <= as_of_date()
       WINDOW w AS (PARTITION BY series, period_start, period_kind ORDER BY known_from)
       QUALIFY lag(known_from) OVER w IS NOT NULL""",
    """CREATE OR REPLACE VIEW carried_forward AS
       SELECT s.source, s.adopter, year(v.period_start)::INTEGER AS year, v.value, v.known_from AS vintage, v.capture
       FROM observation_versions v JOIN series s USING (series) WHERE v.served_flag = 'carried_forward'
       AND v.known_to > as_of_date() AND v.known_from <= as_of_date()""",
)
