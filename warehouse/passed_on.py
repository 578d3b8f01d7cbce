"""What is passed on, declared once: each export's rows, the declared tables whose columns it has, its key, what it refers to.

Belongs here: which rows go out, in which order, and what their columns mean (that is said in `tables.py`). Does not belong
here: files (`export.py`) and the data package's form (`package.py`).

Every statement joins `sources` and asks for `redistribute`; what is known of a user's own files has no source that does.
`recorded_at` is left out: it is our clock, and equal facts must give equal bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import dataframely as dy
import duckdb
import polars as pl
from longwave.warehouse.tables import TABLES

_OPEN = "known_to is empty while a value stands"


@dataclass(frozen=True)
class Export:
    """Rows that are passed on.

    ``of`` names the declared tables that its columns come from, the first that has a column first. ``key`` is the primary
    key of the rows. ``refers`` gives, for the name of another export, the columns that are found there under the same names.
    """

    name: str
    title: str
    sql: str
    of: tuple[str, ...]
    key: tuple[str, ...]
    refers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


SOURCES = Export(
    "sources",
    "Every source whose rows are passed on",
    "SELECT * FROM sources WHERE redistribute ORDER BY source",
    ("sources",),
    ("source",),
)
CAPTURES = Export(
    "captures",
    "What each source answered at one time: the evidence that a value points to",
    """SELECT c.* EXCLUDE (recorded_at) FROM captures c JOIN sources o USING (source)
       WHERE o.redistribute ORDER BY c.capture""",
    ("captures",),
    ("capture",),
    {"sources": ("source",)},
)
MEASURES = Export(
    "measures",
    "What each source measures of each medium, and in which unit",
    """SELECT DISTINCT s.source, s.measure, s.medium, s.metric, s.unit, s.unit_class, s.population, s.denominator
       FROM series s JOIN sources o USING (source) WHERE o.redistribute
       ORDER BY s.source, s.measure, s.medium, s.population, s.denominator""",
    ("series",),
    ("source", "measure", "medium", "population"),
    {"sources": ("source",)},
)
LATEST = Export(
    "latest",
    "The values that stand",
    """SELECT s.source, s.measure, s.medium, s.adopter, s.code, v.period_start, v.period_kind, v.value, v.served_flag,
              v.known_from
       FROM observation_versions v JOIN series s USING (series) JOIN sources o USING (source)
       WHERE o.redistribute AND v.known_to = 'infinity'
       ORDER BY s.source, s.measure, s.adopter, s.code, v.period_start, v.period_kind""",
    ("series", "observation_versions"),
    ("measure", "adopter", "code", "period_start", "period_kind"),
    {"sources": ("source",), "measures": ("source", "measure", "medium")},
)
OBSERVATIONS = Export(
    "observations",
    f"Every value in every vintage; {_OPEN}",
    """SELECT s.medium, s.metric, s.unit, s.adopter, s.code, v.period_start, v.period_kind, v.value, v.known_from,
              CASE WHEN v.known_to < DATE '9999-12-31' THEN v.known_to END AS known_to, v.served_flag, s.source,
              s.measure, s.population, s.denominator, v.series, v.capture
       FROM observation_versions v JOIN series s USING (series) JOIN sources o USING (source)
       WHERE o.redistribute ORDER BY v.series, v.period_start, v.period_kind, v.known_from""",
    ("series", "observation_versions"),
    ("series", "period_start", "period_kind", "known_from"),
    {"sources": ("source",), "captures": ("capture",)},
)
ATTRIBUTES = Export(
    "attributes",
    f"What sources say of adopters in words, in every vintage; {_OPEN}",
    """SELECT a.source, a.adopter, a.name, a.value, a.known_from,
              CASE WHEN a.known_to < DATE '9999-12-31' THEN a.known_to END AS known_to, a.capture
       FROM attributes a JOIN sources o USING (source) WHERE o.redistribute
       ORDER BY a.source, a.adopter, a.name, a.known_from""",
    ("attributes",),
    ("source", "adopter", "name", "known_from"),
    {"sources": ("source",), "captures": ("capture",)},
)
FINDINGS = Export(
    "findings",
    "Every number that a model found",
    "SELECT * FROM findings ORDER BY step, subject, measure, mode, k, horizon",
    ("findings",),
    ("subject", "measure", "mode", "k", "horizon"),
)
# The fits to all that was observed; those at each cut stay in the warehouse.
CURVE_FITS = Export(
    "curve_fits",
    "Curves fitted to all that was observed",
    "SELECT * FROM curve_fits WHERE whole ORDER BY series, cut_year, family, objective, capped",
    ("curve_fits",),
    ("series", "cut_year", "family", "objective", "capped"),
)

AS_CSV = (SOURCES, MEASURES, CAPTURES)
"""Passed on as CSV of one file each; `LATEST` is, too, in one file a source."""
AS_PARQUET = (OBSERVATIONS, ATTRIBUTES, CAPTURES, FINDINGS, CURVE_FITS)


def rows_of(con: duckdb.DuckDBPyConnection, export: Export) -> pl.DataFrame:
    """Return the rows that are passed on, in their order."""
    frame: pl.DataFrame = con.sql(export.sql).pl()
    return frame


def columns_of(export: Export, frame: pl.DataFrame) -> dict[str, dy.Column]:
    """Return what is declared of each column of an export.

    Raises:
        KeyError: a column stands in none of the tables that the export names.

    """
    declared: dict[str, dy.Column] = {}
    for table in reversed(export.of):
        declared |= TABLES[table].schema.columns()
    return {name: declared[name] for name in frame.columns}
