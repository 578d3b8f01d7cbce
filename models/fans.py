"""Series forecast year after year from an origin: points and intervals, what is said today and what would have been.

Belongs here: the fans of some series, and when a medium becomes readable on a pooled curve. Does not: the forecaster, which
series are asked, what happened.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from longwave.models.backtest import Forecaster
from longwave.models.histories import Histories
from longwave.models.panels import FloatArray
from longwave.models.scores import LEVELS
from longwave.models.visibility import visible

READABLE_FROM: Final = 0.9
"""Information at which a young medium is called readable."""


def fans(
    references: Histories,
    series: Sequence[str],
    make: Callable[[], Forecaster],
    *,
    years_ahead: int,
    origin: int | None = None,
) -> pl.DataFrame:
    """Forecasts of some series for every year after their last observation, up to ``years_ahead`` of them, by one fit.

    With an ``origin`` it is what would have been said then (``as-of``): of no series is anything read that was observed
    later, as the vintage held has it. Without one everything held is learnt from, and the series go on from their end.

    Returns:
        series, last_year, year, point, lo50, hi50, lo80, hi80, lo90, hi90 (unit of the series), n_references; series of
        which nothing was observed by the origin are not there.

    Raises:
        ValueError: a series is not among the references, or fewer than 1 year ahead.

    """
    absent = sorted(set(series) - set(references.info["series"]))
    if absent:
        raise ValueError(f"series {absent[0]!r} is not among the references; {len(absent)} such in all")
    if years_ahead < 1:
        raise ValueError(f"years_ahead {years_ahead} must be at least 1")
    own = references.take(references.info["series"].is_in(list(series)).to_numpy())
    known = references if origin is None else visible(references, {}, "as-of", origin)
    history = (own if origin is None else own.until(origin)).observed()
    if not len(history):
        return pl.DataFrame(schema=_FAN)
    made = make().fit(known).predict(history, list(range(1, years_ahead + 1)), LEVELS)
    ends = {
        f"{end}{round(100 * level)}": np.asarray(side[level]).ravel()
        for level in LEVELS
        for end, side in (("lo", made.lower), ("hi", made.upper))
    }
    last = np.repeat(history.last_years(), years_ahead)
    head = {"series": np.repeat(history.info["series"].to_numpy(), years_ahead), "last_year": last}
    year = last + np.tile(np.arange(1, years_ahead + 1), len(history))
    frame = pl.DataFrame({**head, "year": year, "point": np.asarray(made.point).ravel(), **ends})
    return frame.with_columns(n_references=len(known)).select(pl.col(name).cast(kind) for name, kind in _FAN.items())


_FAN: Final = {
    "series": pl.String,
    **dict.fromkeys(("last_year", "year"), pl.Int32),
    **dict.fromkeys(("point", "lo50", "hi50", "lo80", "hi80", "lo90", "hi90"), pl.Float64),
    "n_references": pl.Int64,
}


@dataclass(frozen=True)
class Ripe:
    """When information is there: ages in years, None where not reached on the curve."""

    age: int | None
    lo: int | None
    hi: int | None


def ripe_at(information: FloatArray, lower: FloatArray, upper: FloatArray, least: float = READABLE_FROM) -> Ripe:
    """First age from which on information stays at or over ``least``, to the end of the curve.

    The earliest age that the interval allows is that of its upper limits, the latest that of its lower ones. Arrays (K,)
    over ages 0..K − 1; NaN is not enough.
    """
    return Ripe(*(_stays(values, least) for values in (information, upper, lower)))


def _stays(values: FloatArray, least: float) -> int | None:
    """First age from which all values (K,) are at least so much."""
    enough = np.logical_and.accumulate((values >= least)[::-1])[::-1]
    return int(np.argmax(enough)) if enough.any() else None
