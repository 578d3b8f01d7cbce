"""Backtests: forecasts from many origins, each made from what it may see, next to what happened.

Belongs here: the windows of a protocol, which fit serves which window, the frame of forecasts and outcomes. Does
not: what a mode takes away (``visibility``), forecasting, scores (``scores``), reading any table.

A *window* is a (series, origin) and the later years asked for. Forecasters are asked as
``make().fit(references).predict(histories, horizons, levels)``; horizons count years from the last observation of
each history. Fits are shared where what may be seen is the same. Two economies see less than is allowed, never
more: in the modes that leave series out, targets may be dealt into ``folds``, each fit without anything forbidden
to any target of its fold; in ``as-of`` a model may be renewed only ``every`` so many years.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, Self

import numpy as np
import polars as pl
from longwave.models.histories import BoolArray, Histories
from longwave.models.panels import FloatArray, IntArray
from longwave.models.scores import ENDS, LEVELS
from longwave.models.visibility import ForecastMode, forbidden, visible

LEAST_ROWS: Final = 10
ROWS_AHEAD: Final = 4
NEAR: Final = 4
"""Horizons up to this many years are asked for together; the few windows that reach further, apart."""


class Forecasts(Protocol):
    """What is read of a forecast of n series at H horizons."""

    @property
    def point(self) -> FloatArray:
        """(n, H), in the unit of the series."""

    @property
    def lower(self) -> Mapping[float, FloatArray]:
        """Lower ends (n, H) of the central intervals, by level."""

    @property
    def upper(self) -> Mapping[float, FloatArray]:
        """Upper ends likewise."""


class Forecaster(Protocol):
    """What a backtest asks of a forecaster."""

    def fit(self, reference_panel: Histories, /) -> Self:
        """Learn from everything in it."""

    def predict(self, history: Histories, horizons: Sequence[int], levels: Sequence[float], /) -> Forecasts:
        """Forecasts (n, H) that many years after the last observation of each history."""


@dataclass(frozen=True)
class Fit:
    """One fit: ``windows``, rows (m,) of the frame of windows it serves; ``references``: all it may see."""

    windows: IntArray
    references: Histories


def row_windows(targets: Histories, *, least: int = LEAST_ROWS, ahead: int = ROWS_AHEAD) -> pl.DataFrame:
    """Windows of the published protocol: every origin with ``least`` observations before it and one after.

    Returns:
        series, origin, years (the years of the next 1 to ``ahead`` observations); sorted by series, origin.

    """
    rows: list[tuple[str, int, list[int]]] = []
    for position, series in enumerate(targets.info["series"]):
        seen = targets.years[np.isfinite(targets.levels[position])]
        rows += [
            (series, int(seen[index]), [int(year) for year in seen[index + 1 : index + 1 + ahead]])
            for index in range(least, len(seen) - 1)
        ]
    schema = {"series": pl.String(), "origin": pl.Int32(), "years": pl.List(pl.Int32)}
    return pl.DataFrame(rows, schema=schema, orient="row")


def fits(
    windows: pl.DataFrame,
    targets: Histories,
    references: Histories,
    *,
    mode: ForecastMode,
    folds: int | None = None,
    every: int = 1,
) -> Iterator[Fit]:
    """The fits that serve all windows, each with what it may see (module docstring).

    ``folds``: None gives every distinct set of forbidden series a fit of its own. Raises ValueError for fewer than
    2 folds, ``every`` under 1, a window of a series that is no target.
    """
    if (folds is not None and folds < 2) or every < 1:
        raise ValueError(f"at least 2 folds and every 1 year, not {folds} and {every}")
    strangers = sorted(set(windows["series"]) - set(targets.info["series"]))
    if strangers:
        raise ValueError(f"window of {strangers[0]!r}, which is no target; {len(strangers)} such series")
    if mode == "as-of":
        yield from _by_origin(windows, references, every)
    else:
        yield from _by_series(windows, targets, references, mode, folds)


def _by_origin(windows: pl.DataFrame, references: Histories, every: int) -> Iterator[Fit]:
    renewed = windows["origin"].to_numpy().astype(np.int64) // every * every
    for year in np.unique(renewed):
        # Nothing is read of the target: the mode takes away years, not series.
        yield Fit(np.flatnonzero(renewed == year), visible(references, {}, "as-of", int(year)))


def _by_series(
    windows: pl.DataFrame, targets: Histories, references: Histories, mode: ForecastMode, folds: int | None
) -> Iterator[Fit]:
    wanted = set(windows["series"])
    masks: dict[bytes, BoolArray] = {}
    served: dict[bytes, list[str]] = {}
    for row in targets.info.filter(pl.col("series").is_in(list(wanted))).iter_rows(named=True):
        mask = forbidden(references.info, row, mode)
        masks[mask.tobytes()] = mask
        served.setdefault(mask.tobytes(), []).append(str(row["series"]))
    for group in _dealt(list(masks), folds):
        taken = np.logical_or.reduce([masks[key] for key in group])
        names = [name for key in group for name in served[key]]
        rows = windows["series"].is_in(names).to_numpy()
        yield Fit(np.flatnonzero(rows), references.take(~taken))


def _dealt(keys: list[bytes], folds: int | None) -> list[list[bytes]]:
    """Keys dealt into folds in turn; each alone where folds is None or as many."""
    if folds is None or folds >= len(keys):
        return [[key] for key in keys]
    return [keys[start::folds] for start in range(folds)]


def forecasts_of(
    windows: pl.DataFrame,
    targets: Histories,
    references: Histories,
    make: Callable[[], Forecaster],
    *,
    mode: ForecastMode,
    folds: int | None = None,
    every: int = 1,
    told: Callable[[int], None] | None = None,
) -> pl.DataFrame:
    """Forecasts of all windows, without what happened.

    Args:
        windows: series, origin, years.
        targets: the series forecast, complete; a window sees its own up to its origin.
        references: everything there is to learn from, complete; ``visibility.visible`` cuts it.
        make: gives a forecaster that has learnt nothing yet.
        mode: what a forecast may see.
        folds: as ``fits``.
        every: as ``fits``.
        told: called with the number of windows done, after each fit.

    Returns:
        series, concept_group, origin, year, last_year and last_value (of the history), point, the ends of the
        intervals; sorted by series, origin, year.

    Raises:
        ValueError: as ``fits``; a window without history or with a year not after its last observation; a forecast
            that is not finite.

    """
    parts = []
    for fit in fits(windows, targets, references, mode=mode, folds=folds, every=every):
        forecaster = make().fit(fit.references)
        parts += [_predicted(forecaster, rows, targets) for rows in _near_and_far(windows[fit.windows.tolist()])]
        if told:
            told(len(fit.windows))
    if not parts:
        return pl.DataFrame(schema=_FRAME)
    return pl.concat(parts).select(list(_FRAME)).sort("series", "origin", "year")


def with_outcomes(forecasts: pl.DataFrame, truth: Histories) -> pl.DataFrame:
    """Forecasts with ``actual`` and ``interpolated``, read in ``truth``; years it does not hold are left out."""
    outcomes = truth.to_frame().select("series", "year", pl.col("value").alias("actual"), "interpolated")
    return forecasts.join(outcomes, on=["series", "year"], how="inner").sort("series", "origin", "year")


_FRAME: Final = {
    **dict.fromkeys(("series", "concept_group"), pl.String),
    **dict.fromkeys(("origin", "year", "last_year"), pl.Int32),
    **dict.fromkeys(("last_value", "point", *ENDS), pl.Float64),
}


def _near_and_far(windows: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Windows in two lots, so that one with a gap of decades does not ask every horizon of all."""
    near = windows["years"].list.max() - windows["origin"] <= NEAR
    for part in (windows.filter(near), windows.filter(~near)):
        if part.height:
            yield part


def histories_at(windows: pl.DataFrame, targets: Histories) -> Histories:
    """The target's history of each window, cut at its origin: one series a window, named ``series@origin``.

    Raises ValueError for a window before the first observation of its series.
    """
    rows = targets.info["series"].search_sorted(windows["series"]).to_numpy().astype(np.int64)
    named = targets.info[rows.tolist()].with_columns(series=pl.format("{}@{}", windows["series"], windows["origin"]))
    order = named["series"].arg_sort().to_numpy().astype(np.int64)
    rows, origins = rows[order], windows["origin"].to_numpy().astype(np.int64)[order]
    whole = Histories(named[order.tolist()], targets.years, targets.levels[rows], targets.interpolated[rows])
    cut = whole.until(origins)
    empty = np.flatnonzero(~np.isfinite(cut.levels).any(axis=1))
    if len(empty):
        raise ValueError(f"window {cut.info['series'][int(empty[0])]!r} has no history; {len(empty)} such window(s)")
    return cut


def _predicted(forecaster: Forecaster, windows: pl.DataFrame, targets: Histories) -> pl.DataFrame:
    """Forecasts of some windows, one row a year asked for."""
    histories = histories_at(windows, targets)
    last = histories.last_years()
    position = {name: index for index, name in enumerate(histories.info["series"])}
    asked = windows.with_columns(name=pl.format("{}@{}", "series", "origin")).explode("years")
    row = np.array([position[name] for name in asked["name"]], dtype=np.int64)
    ahead = asked["years"].to_numpy().astype(np.int64) - last[row]
    if np.any(ahead < 1):
        raise ValueError(f"window {asked['name'][int(np.argmin(ahead))]!r} asks for a year that it has seen")
    horizons = np.unique(ahead)
    made = forecaster.predict(histories, [int(h) for h in horizons], LEVELS)
    column = np.searchsorted(horizons, ahead)
    values = {"point": np.asarray(made.point)[row, column]}
    for level in LEVELS:
        values[f"lo{round(100 * level)}"] = np.asarray(made.lower[level])[row, column]
        values[f"hi{round(100 * level)}"] = np.asarray(made.upper[level])[row, column]
    for name, numbers in values.items():
        if not np.all(np.isfinite(numbers)):
            raise ValueError(f"{name} of {asked['name'][int(np.argmin(np.isfinite(numbers)))]!r} is not finite")
    last_value = histories.levels[np.arange(len(histories)), np.searchsorted(histories.years, last)]
    group = histories.info["concept_group"]
    return asked.select("series", "origin", pl.col("years").cast(pl.Int32).alias("year")).with_columns(
        group[row.tolist()].alias("concept_group"),
        pl.Series("last_year", last[row], dtype=pl.Int32),
        pl.Series("last_value", last_value[row]),
        *(pl.Series(name, numbers, dtype=pl.Float64) for name, numbers in values.items()),
    )
