"""Forecasters that read a series' own history alone, with intervals of their own: what ours is measured against.

Belongs here: the naive forecast, the damped trend and the curves as peers of a backtest, and the level of others at
an age. Does not: anything that learns from other series, but for the intervals: their width is that of the same
method's errors on the other series that the mode leaves, by how far ahead and by the last level.

A curve counts time from the year before the first observation, the convention of the published fits, or from the
launch where it is asked to. Where it finds no answer the last value stands in (``forecasters.curve_forecast``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self, cast

import numpy as np
import polars as pl
from longwave.models.backtest import Fit, fits, histories_at, row_windows
from longwave.models.curves import fit_curves
from longwave.models.forecasters import CurveFitter, conformal_bounds, curve_forecast, damped_trend
from longwave.models.histories import BoolArray, Histories
from longwave.models.panels import FloatArray, IntArray
from longwave.models.scores import LEVELS, REGIMES
from longwave.models.visibility import ForecastMode

CURVES: Final = tuple(f"{family}_{cap}" for family in ("bass", "logistic", "gompertz") for cap in ("capped", "free"))
PEERS: Final = ("naive", "damped_trend", *CURVES)

LEAST_HISTORY: Final = 4
"""Errors that set the width of intervals start from origins with that many observations before them."""
ENOUGH_ERRORS: Final = 40
"""A cell with fewer errors takes those of all levels at the same distance."""
_AHEAD: Final = np.array([1, 2, 3, 4, 5, 10])
"""Lower ends of the classes of distance, in years."""


def own_points(
    method: str,
    histories: Histories,
    horizons: IntArray,
    *,
    from_launch: bool = False,
    fitter: CurveFitter = fit_curves,
) -> FloatArray:
    """Forecasts (n, H) of a peer, ``horizons`` (H,) years after the last observation of each history.

    In the unit of the series, within 0 and its ceiling. A trend that leaves the positive numbers gives way to the last
    value where there is no ceiling (counts). Raises ValueError for an unknown method or a history without observation.
    """
    if method not in PEERS:
        raise ValueError(f"peer {method!r} unknown; one of {', '.join(PEERS)}")
    if np.any(histories.last_years() < 0):
        raise ValueError("a history without observation has no forecast")
    points = np.empty((len(histories), len(horizons)))
    for unit in histories.info["unit_class"].unique():
        rows = np.flatnonzero((histories.info["unit_class"] == unit).to_numpy())
        points[rows] = _class_points(method, histories.take(rows), horizons, from_launch, fitter)
    return points


def _class_points(
    method: str, histories: Histories, horizons: IntArray, from_launch: bool, fitter: CurveFitter
) -> FloatArray:
    """Forecasts of histories of one unit class."""
    ceiling = histories.info["ceiling"].to_numpy()
    last_column = histories.last_years() - histories.years[0]
    last = histories.levels[np.arange(len(histories)), last_column][:, None]
    if method == "naive":
        return np.repeat(last, len(horizons), axis=1)
    if method == "damped_trend":
        points = _trend(histories.levels, last_column, horizons)
    else:
        family, _, cap = method.rpartition("_")
        top = float(ceiling[0]) if cap == "capped" and np.isfinite(ceiling).all() else None
        points = _curve(histories, horizons, family, top, from_launch, fitter)
    sound = np.all(points > 0.0, axis=1) | np.isfinite(ceiling)
    points = np.where(sound[:, None], points, last)
    bounded: FloatArray = np.clip(points, 0.0, np.where(np.isfinite(ceiling), ceiling, np.inf)[:, None])
    return bounded


def _trend(levels: FloatArray, last_column: IntArray, horizons: IntArray) -> FloatArray:
    """The damped trend of histories laid so that all end together."""
    width = levels.shape[1]
    column = np.arange(width)[None, :] - (width - 1 - last_column)[:, None]
    ending = np.where(column >= 0, np.take_along_axis(levels, np.maximum(column, 0), axis=1), np.nan)
    ages = np.arange(width, dtype=np.float64)
    return damped_trend(ending, ages, width - 1 + horizons.astype(np.float64))


def _curve(
    histories: Histories, horizons: IntArray, family: str, ceiling: float | None, from_launch: bool, fitter: CurveFitter
) -> FloatArray:
    """A fitted curve read that far after the last observation, time counted from the row's own start."""
    seen = np.isfinite(histories.levels)
    first = histories.years[seen.argmax(axis=1)]
    start = first - 1
    if from_launch:
        launch = histories.info["launch"].cast(pl.Float64).to_numpy()
        start = np.where(launch <= first, launch, start).astype(np.int64)
    age = histories.years[None, :] - start[:, None]
    span = int(age[seen].max())
    levels = np.full((len(histories), span + 1), np.nan)
    rows, columns = np.nonzero(seen)
    levels[rows, age[rows, columns]] = histories.levels[rows, columns]
    ahead = np.arange(span + int(horizons.max()) + 1, dtype=np.float64)
    points, _ = curve_forecast(levels, ahead[: span + 1], ahead, family=family, ceiling=ceiling, fitter=fitter)
    wanted = (histories.last_years() - start)[:, None] + horizons[None, :]
    return cast("FloatArray", np.take_along_axis(points, wanted, axis=1))


def peer_forecasts(
    windows: pl.DataFrame,
    targets: Histories,
    pool: Histories,
    method: str,
    *,
    mode: ForecastMode,
    fitter: CurveFitter = fit_curves,
) -> pl.DataFrame:
    """Forecasts of a peer for all windows, with intervals from its errors on what the mode leaves of ``pool``.

    Returns:
        series, origin, year, last_value, point and the ends of the intervals, as a forecast frame has them; sorted.
        An end that too few errors give is that of what is possible: 0 or the ceiling, for a count 0 or ten times the
        largest level of the pool.

    Raises:
        ValueError: as ``own_points`` and ``backtest.fits``.

    """
    asked = _own_frame(windows, targets, method, fitter)
    calibration = row_windows(pool, least=LEAST_HISTORY)
    errors = _own_frame(calibration, pool, method, fitter).join(
        pool.to_frame().select("series", "year", "value"), on=["series", "year"]
    )
    error = (errors["value"] - errors["point"]).to_numpy()
    cell, place = _cells(errors), _cells(asked)
    ends = {f"{end}{round(100 * level)}": np.empty(asked.height) for level in LEVELS for end in ("lo", "hi")}
    window = windows.with_row_index("window").select("window", "series", "origin")
    number = asked.join(window, on=["series", "origin"], how="left", maintain_order="left")["window"].to_numpy()
    for fit in fits(windows, targets, pool, mode=mode):
        known = _known(errors, fit, pool)
        served = np.flatnonzero(np.isin(number, fit.windows))
        for level in LEVELS:
            low, high = _offsets(error[known], cell[known], level)
            name = round(100 * level)
            ends[f"lo{name}"][served] = low[place[served, 0], place[served, 1]]
            ends[f"hi{name}"][served] = high[place[served, 0], place[served, 1]]
    top = asked["ceiling"].fill_null(10.0 * float(np.nanmax(pool.levels))).to_numpy()
    point = asked["point"].to_numpy()
    bounds = [pl.Series(name, np.clip(point + offset, 0.0, top)) for name, offset in ends.items()]
    return asked.drop("ceiling", "ahead").with_columns(bounds).sort("series", "origin", "year")


def _own_frame(windows: pl.DataFrame, targets: Histories, method: str, fitter: CurveFitter) -> pl.DataFrame:
    """Points of a peer: series, origin, year, ahead (years after the last observation), last_value, ceiling, point."""
    histories = histories_at(windows, targets)
    last = histories.last_years()
    heads = histories.info.select(name="series", ceiling="ceiling").with_columns(
        pl.Series("last_year", last),
        pl.Series("last_value", histories.levels[np.arange(len(histories)), last - histories.years[0]]),
        row=pl.int_range(len(histories)),
    )
    asked = (
        windows.select("series", "origin", year="years", name=pl.format("{}@{}", "series", "origin"))
        .explode("year")
        .join(heads, on="name", how="left", maintain_order="left")
        .with_columns(ahead=pl.col("year") - pl.col("last_year"))
    )
    horizons = np.unique(asked["ahead"].to_numpy()).astype(np.int64)
    points = own_points(method, histories, horizons, fitter=fitter)
    column = np.searchsorted(horizons, asked["ahead"].to_numpy())
    return asked.select("series", "origin", "year", "ahead", "last_value", "ceiling").with_columns(
        pl.Series("point", points[asked["row"].to_numpy(), column])
    )


def _cells(frame: pl.DataFrame) -> IntArray:
    """Class of distance and regime of the last level of each row, (m, 2)."""
    ahead = np.searchsorted(_AHEAD, frame["ahead"].to_numpy(), side="right") - 1
    edges = np.array([low for low, _ in REGIMES.values()][1:])
    regime = np.searchsorted(edges, frame["last_value"].to_numpy(), side="right")
    return np.stack([ahead, regime], axis=1).astype(np.int64)


def _known(errors: pl.DataFrame, fit: Fit, pool: Histories) -> BoolArray:
    """Which errors (m,) what the fit may see gives: the series is there, and the outcome is."""
    there = np.zeros(pool.levels.shape, dtype=np.bool_)
    rows = pool.info["series"].search_sorted(fit.references.info["series"]).to_numpy()
    there[rows] = np.isfinite(fit.references.levels)
    row = pool.info["series"].search_sorted(errors["series"]).to_numpy()
    known: BoolArray = there[row, errors["year"].to_numpy().astype(np.int64) - pool.years[0]]
    return known


def _offsets(error: FloatArray, cell: IntArray, level: float) -> tuple[FloatArray, FloatArray]:
    """Lower and upper offsets by (class of distance, regime); infinite where all errors are too few."""
    low = np.empty((len(_AHEAD), len(REGIMES)))
    high = np.empty_like(low)
    for ahead in range(len(_AHEAD)):
        # Errors from further away stand in where none was made that far ahead: too wide is safe.
        near = cell[:, 0] == ahead if np.any(cell[:, 0] == ahead) else cell[:, 0] >= min(ahead, int(NEAREST_FAR))
        for regime in range(len(REGIMES)):
            own = near & (cell[:, 1] == regime)
            chosen = own if own.sum() >= ENOUGH_ERRORS else near
            low[ahead, regime], high[ahead, regime] = (x[0] for x in conformal_bounds(error[chosen][None, :], level))
    return low, high


NEAREST_FAR: Final = 3
"""Class of distance (four years) whose errors, and those beyond, stand in for a class without any."""


@dataclass(frozen=True)
class PeerForecast:
    """Points (n, H) in the unit of the series, and the ends of the intervals by level, each (n, H)."""

    point: FloatArray
    lower: dict[float, FloatArray]
    upper: dict[float, FloatArray]


class PeerForecaster:
    """A peer as a forecaster: it learns how wide its intervals are, from its errors on the series of each unit class."""

    def __init__(self, method: str = "damped_trend") -> None:
        self.method = method

    def fit(self, reference_panel: Histories) -> Self:
        """Errors of the method on everything given, by unit class."""
        self._errors: dict[str, tuple[FloatArray, IntArray]] = {}
        self._top = 10.0 * float(np.nanmax(reference_panel.levels, initial=10.0))
        windows = row_windows(reference_panel, least=LEAST_HISTORY)
        if windows.height:
            made = _own_frame(windows, reference_panel, self.method, fit_curves)
            rows = made.join(
                reference_panel.to_frame().select("series", "year", "value", "unit_class"), on=["series", "year"]
            )
            for (unit,), part in rows.partition_by("unit_class", as_dict=True).items():
                self._errors[str(unit)] = ((part["value"] - part["point"]).to_numpy(), _cells(part))
        return self

    def predict(self, history: Histories, horizons: Sequence[int], levels: Sequence[float] = LEVELS) -> PeerForecast:
        """Forecasts that many years after the last observation of each history."""
        ahead = np.asarray(horizons, dtype=np.int64)
        point = own_points(self.method, history, ahead)
        ceiling = history.info["ceiling"].fill_null(self._top).to_numpy()
        last = history.levels[np.arange(len(history)), history.last_years() - history.years[0]]
        shape = point.shape
        grid = pl.DataFrame({"ahead": np.broadcast_to(ahead, shape).ravel(), "last_value": np.repeat(last, len(ahead))})
        cell = _cells(grid).reshape(*shape, 2)
        lower, upper = ({level: np.empty(shape) for level in levels} for _ in range(2))
        for unit in history.info["unit_class"].unique():
            rows = np.flatnonzero((history.info["unit_class"] == unit).to_numpy())
            error, known = self._errors.get(str(unit), (np.empty(0), np.empty((0, 2), dtype=np.int64)))
            for level in levels:
                low, high = _offsets(error, known, level)
                ahead_class, regime = cell[rows, :, 0], cell[rows, :, 1]
                lower[level][rows] = np.clip(point[rows] + low[ahead_class, regime], 0.0, ceiling[rows, None])
                upper[level][rows] = np.clip(point[rows] + high[ahead_class, regime], 0.0, ceiling[rows, None])
        return PeerForecast(point, lower, upper)
