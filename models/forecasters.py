"""Forecasts of the level at a target age from a history up to some age, and what each may learn from.

Belongs here: simple forecasters, curve families with their fall-backs, climatology, choice among them on
reference series, conformal intervals. Does not: fitting curves (``curves``), the sample (``panels``), scores
(``ripeness``).

Two kinds of knowledge are kept apart, so that no forecast can see what it must not. *Own history*: the
series' observations up to age k, and nothing else (``history_forecasts``). *References*: complete histories
of the other series of the sample, of every panel of the same unit class, minus what the mode forbids
(``forecast_windows``): the target's concept group (``leave-one-out``) or its whole family
(``leave-medium-out``). A reference is judged as the target would be: climatology for it leaves out its own
group or family as well as the target's.

Points and errors are in points for shares and in natural logarithms of the level per 100 people for counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

import numpy as np
import polars as pl
from longwave.models.curves import fit_curves
from longwave.models.panels import (
    FixedSample,
    FloatArray,
    IntArray,
    fixed_sample,
    level_matrix,
    validate_adoption,
)
from numpy.typing import NDArray

Mode = Literal["leave-medium-out", "leave-one-out"]
BoolArray = NDArray[np.bool_]
StrArray = NDArray[np.str_]

MODES: Final[tuple[Mode, ...]] = ("leave-medium-out", "leave-one-out")
CURVE_FAMILIES: Final = ("bass", "logistic", "gompertz")
OWN_HISTORY: Final = ("naive", "damped_trend", *CURVE_FAMILIES)
CANDIDATES: Final = ("climatology", *OWN_HISTORY)
FORECASTERS: Final = (*CANDIDATES, "selected")
"""What may be asked for; ``selected`` is the primary one until a forecaster that learns replaces it."""

DAMPING: Final = 0.8
FLOOR: Final = 1e-9


class CurveFits(Protocol):
    """What is used of the result of ``longwave.models.curves.fit_curves``."""

    @property
    def status(self) -> NDArray[Any]:
        """(n,) of ok, no_finite_ceiling, on_bound, too_few_points, no_growth."""

    def predict(self, ages: FloatArray, /) -> FloatArray:
        """Levels (n, len(ages))."""


CurveFitter = Callable[..., CurveFits]


@dataclass(frozen=True)
class HistoryForecasts:
    """Forecasts that rest on a series' own history alone.

    ``series``: (n,) ids; ``cuts``: (K,) ages k; ``target_ages``: (T,); ``points[forecaster]``: (T, K, n) in
    the unit of the series, NaN where nothing was observed up to k; ``status[forecaster]``: (K, n), ``ok`` or
    why the last value stands in for the forecast (``no history`` where there is none).
    """

    series: tuple[str, ...]
    cuts: IntArray
    target_ages: tuple[int, ...]
    points: dict[str, FloatArray]
    status: dict[str, StrArray]


def naive(levels: FloatArray) -> FloatArray:
    """Last observed level (n,) of each history ``levels`` (n, n_ages); NaN where there is none."""
    return _last_two(levels)[1]


def damped_trend(
    levels: FloatArray, ages: FloatArray, target_ages: FloatArray, *, damping: float = DAMPING
) -> FloatArray:
    """Last level plus the damped sum of the last yearly difference (Gardner & McKenzie 1985), (n, T).

    For an observation v at age a, the one before it u at age b, and h = target − a years ahead:
    v + (v − u) / (a − b) · (φ + … + φ^h). One observation gives its own value; none gives NaN.
    ``levels``: (n, n_ages), NaN where not observed; ``ages``: (n_ages,) rising; ``target_ages``: (T,).
    """
    last, value, before, earlier = _last_two(levels)
    gap = np.where(before >= 0, ages[last] - ages[before], 1.0)
    slope = np.where(before >= 0, (value - earlier) / gap, 0.0)
    ahead = np.maximum(target_ages[None, :] - ages[last][:, None], 0.0)
    reach = damping * (1.0 - damping**ahead) / (1.0 - damping)
    result: FloatArray = value[:, None] + slope[:, None] * reach
    return result


def _last_two(levels: FloatArray) -> tuple[IntArray, FloatArray, IntArray, FloatArray]:
    """Column and value of the last observation and of the one before it; column −1 and NaN where none."""
    rows, columns = np.arange(len(levels)), np.arange(levels.shape[1])
    seen = np.isfinite(levels)
    last = np.where(seen, columns, -1).max(axis=1, initial=-1)
    before = np.where(seen & (columns < last[:, None]), columns, -1).max(axis=1, initial=-1)
    value = np.where(last >= 0, levels[rows, last], np.nan)
    earlier = np.where(before >= 0, levels[rows, before], np.nan)
    return last, value, before, earlier


def curve_forecast(
    levels: FloatArray,
    ages: FloatArray,
    target_ages: FloatArray,
    *,
    family: str,
    ceiling: float | None,
    fitter: CurveFitter,
) -> tuple[FloatArray, StrArray]:
    """Level of a fitted curve at the target ages, (n, T), and (n,) ``ok`` or why the last value stands in.

    A fit is used where its status is ``ok``, and under a stated ceiling also ``on_bound``: there the ceiling
    is part of the model. Without a ceiling a bound's value is nobody's estimate, and the last value is
    taken, as for ``no_finite_ceiling``, ``too_few_points``, ``no_growth`` and a level that is negative or
    not finite.
    """
    last = naive(levels)
    if not len(levels):
        return np.empty((0, len(target_ages))), np.empty(0, dtype=np.str_)
    fits = fitter(levels, ages, family=family, ceiling=ceiling)
    status = np.asarray(fits.status).astype("U32")
    points = np.array(fits.predict(target_ages), dtype=np.float64)
    good = (status == "ok") | ((status == "on_bound") & (ceiling is not None))
    sane = np.all(np.isfinite(points) & (points >= 0.0), axis=1)
    note = np.where(good & sane, "ok", np.where(good, "forecast not finite or negative", status))
    return np.where((note == "ok")[:, None], points, last[:, None]), note


def history_forecasts(
    frame: pl.DataFrame,
    *,
    target_ages: Sequence[int] = (20,),
    last_cut: int | None = None,
    fitter: CurveFitter = fit_curves,
) -> HistoryForecasts:
    """Own-history forecasts of every series in the fixed sample of any target age, at each age 0..last_cut.

    The expensive part of a ripeness curve (one fit per family, series and age with a new observation): call
    it once and give the result to every mode. ``frame``: adoption frame; ``last_cut``: by default the
    largest target age − 3; ``fitter``: a function called as ``longwave.models.curves.fit_curves``. Raises
    ValueError as ``validate_adoption``.
    """
    wanted = tuple(sorted(set(target_ages)))
    cuts = np.arange((wanted[-1] - 3 if last_cut is None else last_cut) + 1)
    samples = pl.concat([fixed_sample(frame, age).series.select("series", "unit_class") for age in wanted])
    samples = samples.unique().sort("series")
    checked = validate_adoption(frame)
    shape = (len(wanted), len(cuts), samples.height)
    points = {name: np.full(shape, np.nan) for name in OWN_HISTORY}
    status = {name: np.full(shape[1:], "no history", dtype="U32") for name in OWN_HISTORY}
    for unit, ceiling in (("share", 100.0), ("count", None)):
        rows = np.flatnonzero((samples["unit_class"] == unit).to_numpy())
        if len(rows):
            levels = level_matrix(checked, samples["series"].gather(rows).to_list(), int(cuts[-1]))
            _fill_cuts(levels, rows, points, status, np.array(wanted, dtype=np.float64), fitter, ceiling)
    return HistoryForecasts(tuple(samples["series"]), cuts, wanted, points, status)


def _fill_cuts(
    levels: FloatArray,
    rows: IntArray,
    points: dict[str, FloatArray],
    status: dict[str, StrArray],
    goals: FloatArray,
    fitter: CurveFitter,
    ceiling: float | None,
) -> None:
    """Fill in the forecasts of one unit class; a series with nothing new at k keeps those it had at k − 1."""
    for k in range(levels.shape[1]):
        fresh = np.flatnonzero(np.isfinite(levels[:, k]))
        made = _cut_forecasts(levels[fresh, : k + 1], goals, ceiling, fitter)
        for name, (forecast, why) in made.items():
            if k:
                points[name][:, k, rows] = points[name][:, k - 1, rows]
                status[name][k, rows] = status[name][k - 1, rows]
            points[name][:, k, rows[fresh]] = np.clip(forecast, 0.0, ceiling).T
            status[name][k, rows[fresh]] = why


def _cut_forecasts(
    history: FloatArray, goals: FloatArray, ceiling: float | None, fitter: CurveFitter
) -> dict[str, tuple[FloatArray, StrArray]]:
    """Every own-history forecast (m, T) of histories (m, k + 1), with (m,) ``ok`` or why not its own."""
    ages, last = np.arange(history.shape[1], dtype=np.float64), naive(history)[:, None]
    trend = damped_trend(history, ages, goals)
    sound = np.all(trend > 0.0, axis=1) | (ceiling is not None)
    note = np.where(sound, "ok", "trend not positive")
    made = {"naive": (np.repeat(last, len(goals), axis=1), np.full(len(history), "ok"))}
    made["damped_trend"] = (np.where(sound[:, None], trend, last), note)
    for family in CURVE_FAMILIES:
        made[family] = curve_forecast(history, ages, goals, family=family, ceiling=ceiling, fitter=fitter)
    return made


def others_climatology(levels: FloatArray, keys: IntArray, wanted: IntArray) -> FloatArray:
    """Median of the levels whose key is not the wanted one, (len(wanted),); NaN where none is.

    ``levels``, ``keys``: (G,), one level per concept group; ``wanted``: keys to leave out, one at a time.
    """
    order = np.argsort(levels, kind="stable")
    kept = keys[order][None, :] != wanted[:, None]
    return middle_of_counts(levels[order], kept.astype(np.int32))


def middle_of_counts(sorted_values: FloatArray, counts: NDArray[np.int32]) -> FloatArray:
    """Median (B,) of the values (n,), in rising order, each taken ``counts`` (B, n) times; NaN where none is.

    Equal to ``numpy.median`` of the repeated values.
    """
    running = np.cumsum(counts, axis=1, dtype=np.int32)
    if not len(sorted_values):
        return np.full(len(counts), np.nan)
    total = running[:, -1:]
    low = (running < (total + 1) // 2).sum(axis=1)
    high = (running < total // 2 + 1).sum(axis=1)
    top = len(sorted_values) - 1
    middle = (sorted_values[np.minimum(low, top)] + sorted_values[np.minimum(high, top)]) / 2.0
    return np.where(total[:, 0] > 0, middle, np.nan)


def conformal_bounds(errors: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
    """Lower and upper offsets (K,) of the central interval, from signed errors (K, m) of references.

    NaN errors are ignored. With m errors and α = 1 − level: the ⌊(m + 1) α/2⌋-th smallest and largest (Vovk,
    Gammerman & Shafer 2005), which cover at least ``level`` when target and references are exchangeable;
    −inf and inf where m is too small (80 %: under 9). Raises ValueError for a level outside (0, 1).
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"level {level} must lie between 0 and 1")
    count = np.isfinite(errors).sum(axis=1)
    ranked = np.sort(errors, axis=1)
    rank = np.floor((count + 1) * (1.0 - level) / 2.0 + 1e-9).astype(np.int64)
    enough = rank >= 1
    if not errors.shape[1]:
        return np.full(len(errors), -np.inf), np.full(len(errors), np.inf)
    low = np.take_along_axis(ranked, np.maximum(rank - 1, 0)[:, None], axis=1)[:, 0]
    last = np.clip(count - rank, 0, errors.shape[1] - 1)
    high = np.take_along_axis(ranked, last[:, None], axis=1)[:, 0]
    return np.where(enough, low, -np.inf), np.where(enough, high, np.inf)


@dataclass(frozen=True)
class _Field:
    """One unit class on its working scale: what every exclusion of the mode is computed from."""

    rows: IntArray
    keys: IntArray
    actual: FloatArray
    own: FloatArray
    group_levels: FloatArray
    group_keys: IntArray
    ceiling: float | None


@dataclass(frozen=True)
class _Filled:
    """Results for one unit class; arrays (Q, K, n) but for climatology (n,)."""

    point: FloatArray
    point_squared: FloatArray
    low: FloatArray
    high: FloatArray
    chosen: IntArray
    clim: FloatArray
    clim_mean: FloatArray
    references: IntArray


def forecast_windows(
    sample: FixedSample,
    forecasts: HistoryForecasts,
    *,
    mode: Mode,
    forecasters: Sequence[str] = ("selected",),
    level: float = 0.8,
) -> pl.DataFrame:
    """Every forecast of a sample: one row per (series, age, forecaster), sorted so.

    Columns: series, panel, concept_group, unit_class, age, forecaster, chosen (the candidate that made it),
    point (for absolute error), point_squared (for squared error: differs only where the forecast is
    climatology), lo80, hi80 (at ``level``; null where references are too few), actual, clim (median of the
    others), clim_mean, n_references, note (null, or why another forecast stands in). Series without any
    reference of their unit class left have no rows. Raises ValueError for an unknown mode or forecaster, a
    target age the forecasts were not made for, or a series they do not hold.
    """
    _check_request(sample, forecasts, mode, forecasters)
    frames = []
    for unit in ("share", "count"):
        info = sample.series.filter(pl.col("unit_class") == unit)
        if info.height:
            field = _field(info, forecasts, sample.target_age, mode)
            frames.append(_as_frame(info, forecasts, field, _fill(field, forecasters, level), forecasters))
    windows = pl.concat(frames) if frames else pl.DataFrame(schema=WINDOW_COLUMNS)
    return windows.sort("series", "age", "forecaster")


def _check_request(sample: FixedSample, forecasts: HistoryForecasts, mode: str, forecasters: Sequence[str]) -> None:
    """Raise ValueError naming what is unknown."""
    if mode not in MODES:
        raise ValueError(f"mode {mode!r} unknown; one of {', '.join(MODES)}")
    for name in forecasters:
        if name not in FORECASTERS:
            raise ValueError(f"forecaster {name!r} unknown; one of {', '.join(FORECASTERS)}")
    if sample.target_age not in forecasts.target_ages:
        raise ValueError(f"no forecasts for target age {sample.target_age}; made for {forecasts.target_ages}")
    absent = sorted(set(sample.series["series"]) - set(forecasts.series))
    if absent:
        raise ValueError(f"no forecasts for series {absent[0]!r}; {len(absent)} missing in all")


def _field(info: pl.DataFrame, forecasts: HistoryForecasts, target_age: int, mode: Mode) -> _Field:
    """The working arrays of one unit class."""
    position = {name: index for index, name in enumerate(forecasts.series)}
    rows = np.array([position[name] for name in info["series"]], dtype=np.int64)
    target = forecasts.target_ages.index(target_age)
    own = np.stack([forecasts.points[name][target][:, rows] for name in OWN_HISTORY])
    actual = info["target_level"].to_numpy().astype(np.float64)
    count = info["unit_class"][0] == "count"
    if count:
        own, actual = np.log(np.maximum(own, FLOOR)), np.log(actual)
    key = "family" if mode == "leave-medium-out" else "concept_group"
    keys = np.unique(info[key].to_numpy(), return_inverse=True)[1].astype(np.int64)
    first, groups = np.unique(info["concept_group"].to_numpy(), return_index=True, return_inverse=True)[1:]
    level = np.bincount(groups, weights=actual) / np.bincount(groups)
    return _Field(rows, keys, actual, own, level, keys[first], None if count else 100.0)


def _fill(field: _Field, forecasters: Sequence[str], level: float) -> _Filled:
    """Forecast all series, one exclusion (concept group or family) at a time."""
    _, cuts, n = field.own.shape
    shape = (len(forecasters), cuts, n)
    filled = _Filled(
        point=np.full(shape, np.nan),
        point_squared=np.full(shape, np.nan),
        low=np.full(shape, np.nan),
        high=np.full(shape, np.nan),
        chosen=np.zeros(shape, dtype=np.int64),
        clim=np.full(n, np.nan),
        clim_mean=np.full(n, np.nan),
        references=np.zeros(n, dtype=np.int64),
    )
    for key in np.unique(field.keys):
        _fill_key(field, int(key), forecasters, level, filled)
    return filled


def _fill_key(field: _Field, key: int, forecasters: Sequence[str], level: float, filled: _Filled) -> None:
    """Forecast the series of one key; nothing of that key is read but their own histories."""
    targets, others = np.flatnonzero(field.keys == key), np.flatnonzero(field.keys != key)
    if not len(others):
        return
    free = field.group_keys != key
    levels, group_keys = field.group_levels[free], field.group_keys[free]
    mean, middle = float(np.mean(levels)), float(np.median(levels))
    names, where = np.unique(field.keys[others], return_inverse=True)
    clim = others_climatology(levels, group_keys, names)
    made = _with_climatology(field.own[:, :, others], clim[where])
    errors = field.actual[others] - made
    best = _least_error(errors)
    mine = _with_climatology(field.own[:, :, targets], np.full(len(targets), middle))
    mine_squared = _with_climatology(field.own[:, :, targets], np.full(len(targets), mean))
    steps = np.arange(len(best))
    filled.clim[targets], filled.clim_mean[targets] = middle, mean
    filled.references[targets] = len(others)
    for q, name in enumerate(forecasters):
        use = best if name == "selected" else np.full(len(best), CANDIDATES.index(name))
        low, high = conformal_bounds(errors[use, steps], level)
        point = mine[use, steps]
        filled.point[q][:, targets] = point
        filled.point_squared[q][:, targets] = mine_squared[use, steps]
        filled.low[q][:, targets] = _within(point + low[:, None], field.ceiling)
        filled.high[q][:, targets] = _within(point + high[:, None], field.ceiling)
        filled.chosen[q][:, targets] = use[:, None]


def _with_climatology(own: FloatArray, clim: FloatArray) -> FloatArray:
    """Forecasts (candidates, K, m): climatology first, and in place of any that has no history to rest on."""
    spread = np.broadcast_to(clim, (1, *own.shape[1:]))
    return np.concatenate([spread, np.where(np.isnan(own), clim, own)])


def _least_error(errors: FloatArray) -> IntArray:
    """Candidate (K,) with the least mean absolute error (candidates, K, m); the first of equals."""
    known = np.isfinite(errors)
    count = known.sum(axis=2)
    total = np.where(known, np.abs(errors), 0.0).sum(axis=2)
    average = np.divide(total, count, out=np.full(count.shape, np.inf), where=count > 0)
    least: IntArray = np.argmin(average, axis=0)
    return least


def _within(bound: FloatArray, ceiling: float | None) -> FloatArray:
    """Bounds clipped to 0–ceiling; without one, infinite bounds become NaN."""
    if ceiling is not None:
        return np.clip(bound, 0.0, ceiling)
    return np.where(np.isfinite(bound), bound, np.nan)


WINDOW_COLUMNS: Final = {
    **dict.fromkeys(("series", "panel", "concept_group", "unit_class"), pl.String),
    "age": pl.Int64,
    **dict.fromkeys(("forecaster", "chosen"), pl.String),
    **dict.fromkeys(("point", "point_squared", "lo80", "hi80", "actual", "clim", "clim_mean"), pl.Float64),
    "n_references": pl.Int64,
    "note": pl.String,
}
"""The columns of ``forecast_windows`` and their types."""


def _as_frame(
    info: pl.DataFrame,
    forecasts: HistoryForecasts,
    field: _Field,
    filled: _Filled,
    forecasters: Sequence[str],
) -> pl.DataFrame:
    """Windows of one unit class, without the series that had no reference."""
    q, cuts, n = filled.point.shape
    own = np.stack([forecasts.status[name][:, field.rows] for name in OWN_HISTORY])
    status = np.concatenate([np.full((1, cuts, n), "ok", dtype="U32"), own])
    once = info.with_columns(
        pl.Series("actual", field.actual),
        pl.Series("clim", filled.clim),
        pl.Series("clim_mean", filled.clim_mean),
        pl.Series("n_references", filled.references),
    )
    notes = {"ok": None, "no history": "climatology: no history"}
    words = pl.col("note").replace_strict(notes, default="last value: " + pl.col("note"), return_dtype=pl.String)
    return (
        pl.concat([once] * (q * cuts))
        .with_columns(
            pl.Series("age", np.tile(np.repeat(forecasts.cuts, n), q)),
            pl.Series("forecaster", np.repeat(np.array(forecasters), cuts * n)),
            pl.Series("chosen", np.array(CANDIDATES)[filled.chosen.ravel()]),
            pl.Series("point", filled.point.ravel()),
            pl.Series("point_squared", filled.point_squared.ravel()),
            pl.Series("lo80", filled.low.ravel()),
            pl.Series("hi80", filled.high.ravel()),
            pl.Series("note", np.take_along_axis(status, filled.chosen, axis=0).ravel()),
        )
        .filter(pl.col("n_references") > 0)
        .with_columns(pl.col(pl.Float64).fill_nan(None), note=words)
        .select(pl.col(name).cast(kind) for name, kind in WINDOW_COLUMNS.items())
    )
