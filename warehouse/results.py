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


def step_keys(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """The key under which each step last ran, by step."""
    return dict(con.execute("SELECT step, key FROM steps ORDER BY step").fetchall())


def standing_claims(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """The claims' entries of findings.json as last decided, by id."""
    rows = con.execute(f"SELECT result FROM verdicts {_LAST}").fetchall()  # noqa: S608 - a constant of this module
    return [json.loads(row[0]) for row in rows]


def capture_contents(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Every capture with the digest of its rows, as text, sorted: what a release was made from."""
    rows = con.execute("SELECT capture || ' ' || content_sha256 FROM captures ORDER BY capture").fetchall()
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


def passed_on(con: duckdb.DuckDBPyConnection) -> set[str]:
    """Sources whose rows may be shown and exported."""
    return {str(row[0]) for row in con.execute("SELECT source FROM sources WHERE redistribute").fetchall()}


def stated_by(con: duckdb.DuckDBPyConnection, source: str, measures: Sequence[str], vintage: date) -> pl.DataFrame:
    """What the warehouse holds that a source said at a vintage: series, period_start, period_kind, value, served_flag."""
    frame: pl.DataFrame = con.sql(
        """SELECT v.series, v.period_start, v.period_kind, v.value, v.served_flag
           FROM observation_versions v JOIN series s USING (series)
           WHERE s.source = $source AND s.measure IN $measures AND v.known_from <= $vintage AND v.known_to > $vintage""",
        params={"source": source, "measures": list(measures), "vintage": vintage},
    ).pl()
    return frame
