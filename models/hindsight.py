"""Forecasts that could have been made of a series at any age, by a forecaster that never saw its medium.

Belongs here: at which years a history is cut, which years ahead are asked for, one fit for many histories. Does not: the
forecaster (``forecasting``), what it may learn from (``visibility`` decides), which series are asked, what is drawn.

Every forecast is *truncated*: the history is one later vintage, cut at the end of a year, and nothing after that is left of
it. What was published by then may have differed. The references are complete and reach beyond the cut, but hold nothing of
the medium: ``leave-medium-out``. Several media may share a fit that saw none of them; it sees less than is allowed, never
more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from longwave.models.backtest import Forecaster, histories_at
from longwave.models.forecast_path import KNOTS
from longwave.models.histories import Histories
from longwave.models.panels import IntArray
from longwave.models.scores import ENDS, LEVELS
from longwave.models.visibility import forbidden

MODE: Final = "leave-medium-out"
LONGEST: Final = 20
"""Years ahead that a fan reaches."""
AHEAD: Final = (*(ahead for ahead in KNOTS if ahead < LONGEST), LONGEST)
"""Years ahead at which a fan is kept: where forecasts are made. Between them they lie on the line through these."""
TARGET_AGE: Final = 20
YEARS_ON: Final = 10
"""Past the target age, what is said is the level so many years on."""

_CUTS: Final = {"series": pl.String, "origin": pl.Int32, "age": pl.Int32, "n_known": pl.Int32}
_NUMBERS: Final = {"year": pl.Int32, "point": pl.Float64, **dict.fromkeys(ENDS, pl.Float64)}
COLUMNS: Final = {**_CUTS, **_NUMBERS, "n_references": pl.Int64}
"""Columns of both frames of ``Hindsight`` and their types."""


@dataclass(frozen=True)
class Hindsight:
    """Forecasts of many histories, columns of ``COLUMNS``: unit of the series; ``origin`` is the year of the cut.

    ``fans``: one row a year of ``AHEAD`` after the last observation. ``spoken``: one row a cut, of the year of the target
    age, or, from that age on, of the year ``YEARS_ON`` after the cut; none where the launch is not known. Sorted by series,
    origin, year.
    """

    fans: pl.DataFrame
    spoken: pl.DataFrame


def cuts(targets: Histories, ages: Sequence[int] | None = None, *, least: int = 1) -> pl.DataFrame:
    """The years at whose end each series is looked at.

    Args:
        targets: the series, complete.
        ages: years since launch; a series without a launch is left out. None: every year with an observation, from the
            launch on where there is one.
        least: observations, over all years, under which a series is left out.

    Returns:
        series, origin, age (null without a launch), n_known (observations up to then); sorted by series, origin. A cut with
        nothing new since the one before is left out, and so is one with no observation.

    """
    found: list[tuple[str, int, int | None, int]] = []
    seen = np.isfinite(targets.levels)
    for row, (series, launch) in enumerate(targets.info.select("series", "launch").iter_rows()):
        years = targets.years[seen[row]]
        if len(years) < least or (ages is not None and launch is None):
            continue
        since = 0 if launch is None else int(launch)
        asked = years if ages is None else since + np.array(sorted(ages), dtype=np.int64)
        known = np.searchsorted(years, asked, side="right")
        new = np.diff(known, prepend=0) > 0
        for origin, n in zip(asked[new & (asked >= since)], known[new & (asked >= since)], strict=True):
            found.append((series, int(origin), None if launch is None else int(origin) - since, int(n)))
    return pl.DataFrame(found, schema=_CUTS, orient="row").sort("series", "origin")


def looked_back(
    asked: pl.DataFrame, targets: Histories, references: Histories, make: Callable[[], Forecaster]
) -> Hindsight:
    """Forecasts of all cuts by one fit that saw nothing of the media of any of them.

    Args:
        asked: as ``cuts``, not empty.
        targets: the series asked for, complete; they need not be among the references.
        references: every series there is to learn from, complete.
        make: gives a forecaster that has learnt nothing yet.

    Raises:
        ValueError: a forecast that is not finite, or as ``backtest.histories_at``.

    """
    own = targets.info.filter(pl.col("series").is_in(asked["series"].unique().implode()))
    taken = np.logical_or.reduce([forbidden(references.info, row, MODE) for row in own.iter_rows(named=True)])
    known = references.take(~taken)
    asked = asked.with_columns(name=pl.format("{}@{}", "series", "origin")).sort("name")
    histories = histories_at(asked.select("series", "origin"), targets)
    last = histories.last_years()
    spoken = _spoken_years(asked) - last
    horizons = np.unique([*AHEAD, *spoken[spoken > 0]])
    made = make().fit(known).predict(histories, [int(h) for h in horizons], LEVELS)
    numbers = {"point": np.asarray(made.point)} | {
        f"{end}{round(100 * level)}": np.asarray(side[level])
        for level in LEVELS
        for end, side in (("lo", made.lower), ("hi", made.upper))
    }
    for name, values in numbers.items():
        if not np.all(np.isfinite(values)):
            raise ValueError(f"{name} of {asked['name'][int(np.argwhere(~np.isfinite(values))[0, 0])]!r} is not finite")

    def rows(at: IntArray, ahead: IntArray) -> pl.DataFrame:
        column = np.searchsorted(horizons, ahead)
        said = {name: values[at, column] for name, values in numbers.items()}
        frame = asked[at.tolist()].with_columns(
            pl.Series("year", last[at] + ahead), n_references=len(known), **{n: pl.Series(v) for n, v in said.items()}
        )
        whole: pl.DataFrame = frame.select(pl.col(name).cast(kind) for name, kind in COLUMNS.items())
        return whole.sort("series", "origin", "year")

    every = np.arange(len(histories))
    return Hindsight(
        rows(np.repeat(every, len(AHEAD)), np.tile(np.array(AHEAD), len(every))),
        rows(np.flatnonzero(spoken > 0), spoken[spoken > 0]),
    )


def _spoken_years(asked: pl.DataFrame) -> IntArray:
    """The year (n,) that is said of each cut; 0 where the launch is not known."""
    origin, age = pl.col("origin"), pl.col("age")
    year = pl.when(age < TARGET_AGE).then(origin - age + TARGET_AGE).when(age >= TARGET_AGE).then(origin + YEARS_ON)
    found: IntArray = asked.select(year.otherwise(0).cast(pl.Int64)).to_series().to_numpy()
    return found
