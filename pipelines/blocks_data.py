"""The figure of what is held for which years: rows of the warehouse, and the words beside it."""

from __future__ import annotations

import polars as pl
from longwave.reports.content import FigureBlock
from longwave.reports.figures import coverage

PAGE = "data.html"


def data_blocks(years: pl.DataFrame) -> list[FigureBlock]:
    """The map of coverage, where anything is held.

    Args:
        years: source, title, medium, year, series of every source whose rows may be passed on.

    """
    if years.is_empty():
        return []
    return [
        FigureBlock(
            id="coverage",
            heading="Which years are held",
            figure=coverage.by_year(years),
            frame=years,
            alt="One row a source: the years in which it has values, thick where most of its series have one.",
            note=(
                "Values that stand now, filler zeros and covariates such as population among them. A colour is that of the one "
                "medium that a source speaks of, grey where it speaks of several or of another."
            ),
            source_ids=[],
            unit="series with a value",
            n="",
            line_columns=("source",),
            page=PAGE,
        )
    ]
