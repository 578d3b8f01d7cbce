"""What the orchestration and the pages read of results: one function a question, so that no SQL stands elsewhere."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from typing import Any

import duckdb
import polars as pl

_LAST = "QUALIFY row_number() OVER (PARTITION BY claim ORDER BY nth DESC) = 1 ORDER BY claim"


def captures_of(con: duckdb.DuckDBPyConnection, source: str) -> pl.DataFrame:
    """Captures of a source in order of vintage: vintage, vintage_precision, rows, added, revised, withdrawn, sha256."""
    frame: pl.DataFrame = con.sql(
        """SELECT vintage, vintage_precision, n_rows AS rows, n_added AS added, n_revised AS revised,
                  n_withdrawn AS withdrawn, original_sha256[:12] AS sha256
           FROM captures WHERE source = $source ORDER BY vintage, capture""",
        params={"source": source},
    ).pl()
    return frame


def findings(con: duckdb.DuckDBPyConnection, step: str | None = None) -> pl.DataFrame:
    """Every finding, or those of one step, in the order of the key."""
    frame: pl.DataFrame = con.sql(
        "SELECT * FROM findings WHERE $step IS NULL OR step = $step ORDER BY subject, measure, mode, k, horizon",
        params={"step": step},
    ).pl()
    return frame


def curve_points(con: duckdb.DuckDBPyConnection, step: str | None = None) -> pl.DataFrame:
    """Every point of the figures' lines, or those of one step, in the order of the key."""
    frame: pl.DataFrame = con.sql(
        "SELECT * FROM finding_curves WHERE $step IS NULL OR step = $step ORDER BY subject, measure, mode, x_kind, x",
        params={"step": step},
    ).pl()
    return frame


def fits(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """What was fitted to every series at every cut: series, family, cut_year, capped, status, m; in the order of the key."""
    frame: pl.DataFrame = con.sql(
        """SELECT series, family, cut_year, capped, status, m FROM curve_fits
           ORDER BY series, cut_year, family, objective, capped"""
    ).pl()
    return frame


def whole_fits(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """What was fitted to all that was observed of each series: series, family, capped, status, m, n; in the order of the key."""
    frame: pl.DataFrame = con.sql(
        "SELECT series, family, capped, status, m, n FROM curve_fits WHERE whole ORDER BY series, family, objective, capped"
    ).pl()
    return frame


def fit_statuses(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """How many fits came out how: family, capped, status, fits."""
    frame: pl.DataFrame = con.sql(
        "SELECT family, capped, status, count(*) AS fits FROM curve_fits GROUP BY ALL ORDER BY ALL"
    ).pl()
    return frame


def step_keys(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """The key under which each step last ran, by step."""
    return dict(con.execute("SELECT step, key FROM steps ORDER BY step").fetchall())


def standing_claims(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """The claims' entries of findings.json as last decided, by id."""
    rows = con.execute(f"SELECT result FROM verdicts {_LAST}").fetchall()  # noqa: S608 - a constant of this module
    return [json.loads(row[0]) for row in rows]


def capture_contents(con: duckdb.DuckDBPyConnection, source: str | None = None) -> list[str]:
    """Every capture (of a source) with its vintage and the digest of its rows, sorted: what a release was made from."""
    rows = con.execute(
        """SELECT capture || ' ' || vintage || ' ' || content_sha256 FROM captures
           WHERE $source IS NULL OR source = $source ORDER BY capture""",
        {"source": source},
    ).fetchall()
    return [str(row[0]) for row in rows]


def launch_facts(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """The cited launch years, verified or not."""
    frame: pl.DataFrame = con.sql("SELECT * FROM launches ORDER BY medium, place").pl()
    return frame


def unused_series(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Series that a study left out: series, source, reason."""
    frame: pl.DataFrame = con.sql(
        """SELECT n.series, s.source, n.status AS reason FROM series_notes n JOIN series s USING (series)
           WHERE n.status <> 'used' ORDER BY n.series"""
    ).pl()
    return frame


def used_series(con: duckdb.DuckDBPyConnection, step: str) -> pl.DataFrame:
    """Series that a study used, with what they are, sorted by series.

    Returns:
        series, source, measure, medium, metric, unit, unit_class, population, adopter, place, launch, launch_convention.

    """
    frame: pl.DataFrame = con.sql(
        """SELECT n.series, s.source, s.measure, s.medium, s.metric, s.unit, s.unit_class, s.population, s.adopter, s.place,
                  n.launch, n.launch_convention
           FROM series_notes n JOIN series s USING (series)
           WHERE n.step = $step AND n.status = 'used' ORDER BY n.series""",
        params={"step": step},
    ).pl()
    return frame


def break_facts(con: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """The listed breaks: source, medium, adopter and place ("*" for any), year_from, year_to, reason, citation, url, status."""
    frame: pl.DataFrame = con.sql(
        """SELECT source, medium, adopter, place, year_from, year_to, reason, citation, url, status FROM breaks
           ORDER BY source, medium, place, adopter, year_from"""
    ).pl()
    return frame


def passed_on(con: duckdb.DuckDBPyConnection) -> set[str]:
    """Sources whose rows may be shown and exported."""
    return {str(row[0]) for row in con.execute("SELECT source FROM sources WHERE redistribute").fetchall()}


def capture_row(con: duckdb.DuckDBPyConnection, capture: str) -> dict[str, Any] | None:
    """The row of a capture, None where the warehouse has none of that name."""
    rows: list[dict[str, Any]] = (
        con.sql("SELECT * FROM captures WHERE capture = $capture", params={"capture": capture}).pl().to_dicts()
    )
    return rows[0] if rows else None


def stated_in_scope(con: duckdb.DuckDBPyConnection, capture: str) -> pl.DataFrame | None:
    """What the warehouse holds that a capture said, inside its scope: a tidy frame without code, entities adopter keys.

    None where another capture of the same vintage and source replaced what it said.
    """
    later = con.execute(
        """SELECT count(*) FROM captures c
           JOIN captures o ON o.source = c.source AND o.vintage = c.vintage AND o.capture > c.capture
           JOIN capture_scope a ON a.capture = c.capture JOIN capture_scope b ON b.capture = o.capture AND a.measure = b.measure
           WHERE c.capture = ?""",
        [capture],
    ).fetchall()
    if later[0][0]:
        return None
    frame: pl.DataFrame = con.sql(
        """SELECT s.measure, s.adopter_key AS entity, v.period_start, v.period_kind, v.value, v.served_flag AS flag
           FROM captures c JOIN capture_scope p USING (capture)
           JOIN series s ON s.source = c.source AND s.measure = p.measure AND p.adopter_key IN ('*', s.adopter_key)
           JOIN observation_versions v ON v.series = s.series AND v.known_from <= c.vintage AND v.known_to > c.vintage
             AND (p.period_from IS NULL OR v.period_start >= p.period_from)
             AND (p.period_to IS NULL OR v.period_start <= p.period_to)
           WHERE c.capture = $capture""",
        params={"capture": capture},
    ).pl()
    return frame


def standing(
    con: duckdb.DuckDBPyConnection, source: str, measures: Sequence[str] | None, vintage: date
) -> pl.DataFrame:
    """What a source is held to have said at a vintage, as a tidy frame whose entities are adopter keys.

    Args:
        con: a connection to the warehouse.
        source: the source.
        measures: which of its measures; None: all.
        vintage: the date.

    """
    frame: pl.DataFrame = con.sql(
        """SELECT s.measure, s.adopter_key AS entity, NULL::VARCHAR AS code, v.period_start, v.period_kind, v.value,
                  v.served_flag AS flag
           FROM observation_versions v JOIN series s USING (series)
           WHERE s.source = $source AND ($measures IS NULL OR list_contains($measures, s.measure))
             AND v.known_from <= $vintage AND v.known_to > $vintage
           ORDER BY ALL""",
        params={"source": source, "measures": None if measures is None else list(measures), "vintage": vintage},
    ).pl()
    return frame


def founding_before(con: duckdb.DuckDBPyConnection, source: str, measure: str, day: date) -> tuple[date, str] | None:
    """Vintage and digest of the newest founding original at or before a day that speaks of a measure (of any, if empty)."""
    rows = con.execute(
        """SELECT c.vintage, c.original_sha256 FROM captures c
           WHERE c.source = $source AND c.kind = 're-recorded' AND c.vintage <= $day
             AND ($measure = '' OR EXISTS (
                  SELECT 1 FROM capture_scope s WHERE s.capture = c.capture AND s.measure = $measure))
           ORDER BY c.vintage DESC, c.capture DESC LIMIT 1""",
        {"source": source, "measure": measure, "day": day},
    ).fetchall()
    return (rows[0][0], str(rows[0][1])) if rows else None


def capture_before(con: duckdb.DuckDBPyConnection, source: str, measure: str, vintage: date) -> date | None:
    """Vintage of the newest capture at or before a date that speaks of a measure (of any, where it is empty)."""
    rows = con.execute(
        """SELECT max(c.vintage) FROM captures c
           WHERE c.source = $source AND c.vintage <= $vintage
             AND ($measure = '' OR EXISTS (
                  SELECT 1 FROM capture_scope s WHERE s.capture = c.capture AND s.measure = $measure))""",
        {"source": source, "measure": measure, "vintage": vintage},
    ).fetchall()
    return rows[0][0] if rows else None
