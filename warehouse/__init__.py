"""What is known, since when, and from which bytes.

Belongs here: table declarations, the one writer, as-of reads, the run lock, the founding facts, facts about the world.
Does not belong here: fetching and scheduling (`longwave.pipelines`), arithmetic (`longwave.models`), pages (`longwave.reports`).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    import polars as pl


def observations(as_of: date | str | None = None, home: Path | str | None = None) -> pl.DataFrame:
    """Every observation known, or known on a date: one row a series and period, as the view `observations` has it.

    Args:
        as_of: a date or its ISO text; None: everything known.
        home: the folder of an installation; None: LONGWAVE_HOME, or where the project keeps its state without it.

    Returns:
        medium, metric, unit, adopter, code, year, value (in that unit), source, vintage, flags, series, period_start,
        period_kind; sorted by source, series and period.

    Raises:
        ValueError: `as_of` is no date.
        UnusableHome: nothing was recorded there yet, or the file is of another format.

    """
    # By name: a step's key covers every module imported from those it uses, and all of them import this package.
    return cast("pl.DataFrame", import_module("longwave.warehouse.notebook").observations(as_of, home))
