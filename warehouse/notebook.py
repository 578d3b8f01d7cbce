"""The warehouse as frames, for a notebook or a script: what `longwave.warehouse` itself offers by name.

Belongs here: reads of the readers' copy as a polars frame. Does not belong here: questions in SQL (`longwave.warehouse.ask`),
and the frames that models read (`longwave.warehouse.panels`).
"""

from __future__ import annotations

import os
from datetime import date, datetime
from pathlib import Path

import polars as pl
from longwave.warehouse.home import Home, default_home
from longwave.warehouse.store import reader


def observations(as_of: date | str | None = None, home: Path | str | None = None) -> pl.DataFrame:
    """See `longwave.warehouse.observations`."""
    day = _iso(as_of)
    with reader(_home(home), day) as con:
        frame: pl.DataFrame = con.sql(
            "SELECT * FROM observations ORDER BY source, series, period_start, period_kind"
        ).pl()
    return frame


def _iso(as_of: date | str | None) -> str | None:
    if as_of is None:
        return None
    try:
        day = date.fromisoformat(as_of) if isinstance(as_of, str) else as_of
    except ValueError as error:
        raise ValueError(f"as_of: expected a date as YYYY-MM-DD, found {as_of!r}") from error
    return (day.date() if isinstance(day, datetime) else day).isoformat()


def _home(home: Path | str | None) -> Home:
    folder = home or os.environ.get("LONGWAVE_HOME") or default_home()
    return Home(Path(folder).expanduser().resolve())
