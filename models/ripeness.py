"""How much of a medium's level at a target age is known at each age before it, and when it can be read.

Belongs here: scores of forecasts by age, their bootstrap over concept groups, the readable age. Does not: the
forecasts themselves (``forecasts_by_age``), the sample (``panels``), verdicts.

Resamples draw concept groups with replacement within a panel; the forecasts, climatology and intervals are
not made anew in each, so the intervals of the scores speak of which series are scored, not of which were
learnt from.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from longwave.models.panels import FixedSample, FloatArray, IntArray
from numpy.typing import NDArray

MIN_CLUSTERS: Final = 15
MAX_MEDIAN_ERROR: Final = 10.0
MAX_SHARE_OF_CLIMATOLOGY: Final = 0.5
MAX_MEDIAN_WIDTH: Final = 20.0
AGES_IN_A_ROW: Final = 3
LAST_REPORTED_BEFORE: Final = 5
LAST_SCORED_BEFORE: Final = 3

_MEASURES: Final = ("information_mse", "information_mae")
_BY_AGE: Final = {
    "panel": pl.String,
    "unit_class": pl.String,
    "forecaster": pl.String,
    "age": pl.Int64,
    **dict.fromkeys(("n_series", "n_clusters"), pl.Int64),
    **dict.fromkeys(("mse", "mae", "clim_mse", "clim_mae"), pl.Float64),
    **{f"{name}{end}": pl.Float64 for name in _MEASURES for end in ("", "_lo", "_hi")},
    **dict.fromkeys(("median_error", "clim_median_error"), pl.Float64),
    **{f"coverage_80{end}": pl.Float64 for end in ("", "_lo", "_hi")},
    "median_width_80": pl.Float64,
}
_POOLED: Final = {
    "forecaster": pl.String,
    "age": pl.Int64,
    "n_panels": pl.Int64,
    **{f"{name}{end}": pl.Float64 for name in _MEASURES for end in ("", "_lo", "_hi")},
}
_READABLE: Final = {
    "panel": pl.String,
    "forecaster": pl.String,
    **dict.fromkeys(("age", "lo", "hi"), pl.Int64),
    "reached_share": pl.Float64,
    **dict.fromkeys(("n_series", "n_clusters"), pl.Int64),
    "coverage_valid": pl.Boolean,
    "reason": pl.String,
}


@dataclass(frozen=True)
class RipenessResult:
    """Tables of one ripeness run; every number that is not known is null.

    ``by_age``: panel, unit_class, forecaster, age, n_series, n_clusters, mse, mae, clim_mse, clim_mae
    (points, or logs for counts), information_mse and information_mae with _lo and _hi (95 %), median_error
    and clim_median_error (absolute), coverage_80 (0–1) with _lo and _hi (90 %), median_width_80; ages
    0..target − 5. ``pooled``: forecaster, age, n_panels, the two informations with limits: panels averaged
    equally. ``windows``: as ``forecasts_by_age.windows``; ages 0..target − 3. ``exclusions``: series,
    panel, unit_class, reason. ``readable``: panel, forecaster, age (null: not reached, or see reason), lo,
    hi (95 %; null: not reached), reached_share of the resamples, n_series, n_clusters, coverage_valid (no 90
    % interval of the coverage at the readable age or the next two excludes 80 %; null where not reached),
    reason.
    """

    by_age: pl.DataFrame
    pooled: pl.DataFrame
    windows: pl.DataFrame
    exclusions: pl.DataFrame
    readable: pl.DataFrame


@dataclass(frozen=True)
class _Scores:
    """Scores of one panel and forecaster: arrays (K, n) over ages and series, ``cluster`` (n,)."""

    cluster: IntArray
    squared: FloatArray
    absolute: FloatArray
    clim_squared: FloatArray
    clim_absolute: FloatArray
    covered: FloatArray
    width: FloatArray


def information_by_age(sample: FixedSample, windows: pl.DataFrame, *, n_boot: int = 2000, seed: int) -> RipenessResult:
    """Information, errors, coverage and readable age of every panel of a sample.

    information(k) = 1 − MSE(k) / MSE(climatology), and the same of MAE, where climatology is the mean (MSE)
    or median (MAE) of the levels of the other concept groups: all that is known at launch. Negative values
    are kept. ``windows``: every forecast of the sample at ages 0..target − 3 (``forecasts_by_age.windows``).
    ``seed`` drives the bootstrap; a panel's draws depend on the seed and its name alone. Raises ValueError
    for a target age under 6, fewer than 1 resample, or ages that are not all there.
    """
    target_age = sample.target_age
    if target_age <= LAST_REPORTED_BEFORE:
        raise ValueError(f"target age {target_age} must be over {LAST_REPORTED_BEFORE}")
    if n_boot < 1:
        raise ValueError(f"n_boot {n_boot} must be at least 1")
    windows = windows.filter(pl.col("age") <= target_age - LAST_SCORED_BEFORE)
    if windows.height and windows["age"].n_unique() != target_age - LAST_SCORED_BEFORE + 1:
        raise ValueError(f"windows must hold the ages 0..{target_age - LAST_SCORED_BEFORE}")
    alone = sample.series.filter(~pl.col("series").is_in(windows["series"].unique().implode()))
    lost = alone.select("series", "panel", "unit_class", reason=pl.lit("no climatology left"))
    parts = [
        _score_panel(part, target_age, n_boot, seed)
        for part in windows.partition_by("panel", "unit_class", "forecaster", maintain_order=True)
    ]
    by_age = pl.DataFrame([row for part in parts for row in part.by_age], schema=_BY_AGE, orient="row")
    readable = pl.DataFrame([part.readable for part in parts], schema=_READABLE, orient="row")
    return RipenessResult(
        by_age=by_age.sort("panel", "unit_class", "forecaster", "age"),
        pooled=_pool(parts),
        windows=windows,
        exclusions=pl.concat([sample.exclusions, lost]).sort("series"),
        readable=readable.sort("panel", "forecaster"),
    )


@dataclass(frozen=True)
class _PanelScores:
    """One panel and forecaster: rows for the tables; information (K,) and resamples (B, K) for pooling."""

    forecaster: str
    n_clusters: int
    by_age: list[dict[str, object]]
    readable: dict[str, object]
    information: dict[str, FloatArray]
    resampled: dict[str, FloatArray]


def _score_panel(part: pl.DataFrame, target_age: int, n_boot: int, seed: int) -> _PanelScores:
    """Score the windows of one panel and forecaster."""
    scores = _scores(part)
    n_clusters = int(scores.cluster.max()) + 1
    panel, unit, forecaster = part.select("panel", "unit_class", "forecaster").row(0)
    rng = np.random.default_rng([seed, zlib.crc32(f"{panel}|{unit}".encode())])
    drawn = rng.multinomial(n_clusters, np.full(n_clusters, 1.0 / n_clusters), size=n_boot).astype(np.int32)
    whole = np.ones((1, n_clusters), dtype=np.int32)
    point, resampled = _means(scores, whole), _means(scores, drawn)
    reported = np.arange(target_age - LAST_REPORTED_BEFORE + 1)
    columns: dict[str, FloatArray] = {name: values[0] for name, values in point.items()}
    for name, tail in (*((name, 0.025) for name in _MEASURES), ("coverage_80", 0.05)):
        columns[f"{name}_lo"], columns[f"{name}_hi"] = _limits(resampled[name], tail, n_clusters)
    columns["median_error"] = np.median(scores.absolute, axis=1)
    columns["clim_median_error"] = np.median(scores.clim_absolute, axis=1)
    columns["median_width_80"] = np.median(scores.width, axis=1)
    head = {"panel": panel, "unit_class": unit, "forecaster": forecaster}
    size = {"n_series": len(scores.cluster), "n_clusters": n_clusters}
    by_age: list[dict[str, object]] = [
        {**head, "age": int(k), **size, **{name: _known(values[k]) for name, values in columns.items()}}
        for k in reported
    ]
    readable = {"panel": panel, "forecaster": forecaster, **size}
    readable |= _readable_row(scores, columns, drawn, unit, target_age)
    information = {name: point[name][0, reported] for name in _MEASURES}
    draws = {name: resampled[name][:, reported] for name in _MEASURES}
    return _PanelScores(forecaster, n_clusters, by_age, readable, information, draws)


def _scores(part: pl.DataFrame) -> _Scores:
    """Arrays of scores from the windows of one panel and forecaster; a missing interval stays NaN."""
    part = part.sort("age", "series")
    shape = (part["age"].n_unique(), part["series"].n_unique())
    column = {
        name: part[name].to_numpy().astype(np.float64).reshape(shape)
        for name in ("point", "point_squared", "lo80", "hi80", "actual", "clim", "clim_mean")
    }
    actual, low, high = column["actual"], column["lo80"], column["hi80"]
    inside = np.where(np.isnan(low), np.nan, (low <= actual) & (actual <= high))
    groups = part["concept_group"].to_numpy().reshape(shape)[0]
    return _Scores(
        cluster=np.unique(groups, return_inverse=True)[1].astype(np.int64),
        squared=(column["point_squared"] - actual) ** 2,
        absolute=np.abs(column["point"] - actual),
        clim_squared=(column["clim_mean"] - actual) ** 2,
        clim_absolute=np.abs(column["clim"] - actual),
        covered=inside,
        width=high - low,
    )


def _means(scores: _Scores, counts: NDArray[np.int32]) -> dict[str, FloatArray]:
    """Mean scores (B, K) when cluster c is taken ``counts`` (B, C) times, and the informations from them."""
    member = np.zeros((counts.shape[1], len(scores.cluster)))
    member[scores.cluster, np.arange(len(scores.cluster))] = 1.0
    weights = counts.astype(np.float64)
    size = weights @ member.sum(axis=1)

    def mean(values: FloatArray) -> FloatArray:
        result: FloatArray = (weights @ (member @ values.T)) / size[:, None]
        return result

    means = {
        "mse": mean(scores.squared),
        "mae": mean(scores.absolute),
        "clim_mse": mean(scores.clim_squared),
        "clim_mae": mean(scores.clim_absolute),
        "coverage_80": mean(scores.covered),
    }
    for kind in ("mse", "mae"):
        base = means[f"clim_{kind}"]
        ratio = np.divide(means[kind], base, out=np.full(base.shape, np.nan), where=base > 0)
        means[f"information_{kind}"] = 1.0 - ratio
    return means


def _limits(resampled: FloatArray, tail: float, n_clusters: int) -> tuple[FloatArray, FloatArray]:
    """Percentile limits (K,) of resamples (B, K); NaN for one cluster, or where a resample has no value."""
    if n_clusters < 2:
        return np.full(resampled.shape[1], np.nan), np.full(resampled.shape[1], np.nan)
    low, high = np.quantile(resampled, [tail, 1.0 - tail], axis=0)
    return low, high


def _known(value: float) -> float | None:
    """The number, or None for NaN."""
    return None if np.isnan(value) else float(value)


def readable_age(
    median_error: FloatArray, clim_median_error: FloatArray, median_width: FloatArray, *, target_age: int
) -> FloatArray:
    """First age from which a group can be read, (B,), inf where it is not reached.

    The first k ≤ target age − 5 such that at k and the next two ages the median absolute error is ≤ 10
    points and ≤ half of climatology's, and the median 80 % interval is ≤ 20 points wide. Arrays (B, K) over
    ages 0..K−1, in points; NaN fails. Raises ValueError where ages up to target age − 3 are not all there.
    """
    if median_error.shape[1] < target_age - LAST_SCORED_BEFORE + 1:
        raise ValueError(f"ages 0..{target_age - LAST_SCORED_BEFORE} are needed, got {median_error.shape[1]} ages")
    met = (
        (median_error <= MAX_MEDIAN_ERROR)
        & (median_error <= MAX_SHARE_OF_CLIMATOLOGY * clim_median_error)
        & (median_width <= MAX_MEDIAN_WIDTH)
    )
    last = target_age - LAST_REPORTED_BEFORE + 1
    lasting = np.all([met[:, step : step + last] for step in range(AGES_IN_A_ROW)], axis=0)
    return np.where(lasting.any(axis=1), lasting.argmax(axis=1).astype(np.float64), np.inf)


def _readable_row(
    scores: _Scores,
    columns: dict[str, FloatArray],
    drawn: NDArray[np.int32],
    unit: str,
    target_age: int,
) -> dict[str, object]:
    """Age, limits, validity and reason of one panel and forecaster."""
    empty = dict.fromkeys(("age", "lo", "hi", "reached_share", "coverage_valid"))
    if unit != "share":
        return {**empty, "reason": "counts: the rule is in points of a share"}
    if drawn.shape[1] < MIN_CLUSTERS:
        return {**empty, "reason": f"fewer than {MIN_CLUSTERS} clusters"}
    if np.isnan(scores.width).all():
        return {**empty, "reason": "this forecaster makes no intervals"}
    age = readable_age(
        columns["median_error"][None],
        columns["clim_median_error"][None],
        columns["median_width_80"][None],
        target_age=target_age,
    )[0]
    counts = drawn[:, scores.cluster]
    ages = readable_age(
        _medians(scores.absolute, counts),
        _medians(scores.clim_absolute, counts),
        _medians(scores.width, counts),
        target_age=target_age,
    )
    low, high = np.quantile(ages, [0.025, 0.975], method="inverted_cdf")
    valid = None
    if np.isfinite(age):
        span = slice(int(age), int(age) + AGES_IN_A_ROW)
        valid = bool(np.all((columns["coverage_80_lo"][span] <= 0.8) & (columns["coverage_80_hi"][span] >= 0.8)))
    return {
        **{name: int(x) if np.isfinite(x) else None for name, x in (("age", age), ("lo", low), ("hi", high))},
        "reached_share": float(np.isfinite(ages).mean()),
        "coverage_valid": valid,
        "reason": None if np.isfinite(age) else "not reached",
    }


def _medians(values: FloatArray, counts: NDArray[np.int32]) -> FloatArray:
    """Medians (B, K) of rows of ``values`` (K, n), series taken ``counts`` (B, n) times; NaN spoils a row."""
    result = np.empty((len(counts), len(values)))
    for k, row in enumerate(values):
        if k and np.array_equal(row, values[k - 1], equal_nan=True):
            result[:, k] = result[:, k - 1]
            continue
        order = np.argsort(row, kind="stable")
        result[:, k] = middle_of_counts(row[order], counts[:, order])
    spoilt: FloatArray = np.where(np.isnan(values).any(axis=1), np.nan, result)
    return spoilt


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


def _pool(parts: list[_PanelScores]) -> pl.DataFrame:
    """Equal average of the panels with enough clusters to be one (MIN_CLUSTERS); resampled within each panel."""
    rows: list[dict[str, object]] = []
    for forecaster in sorted({part.forecaster for part in parts}):
        mine = [part for part in parts if part.forecaster == forecaster and part.n_clusters >= MIN_CLUSTERS]
        if not mine:
            continue
        columns: dict[str, FloatArray] = {}
        for name in _MEASURES:
            columns[name] = np.mean([part.information[name] for part in mine], axis=0)
            draws = np.mean([part.resampled[name] for part in mine], axis=0)
            columns[f"{name}_lo"], columns[f"{name}_hi"] = np.quantile(draws, [0.025, 0.975], axis=0)
        rows += [
            {
                "forecaster": forecaster,
                "age": age,
                "n_panels": len(mine),
                **{name: _known(values[age]) for name, values in columns.items()},
            }
            for age in range(len(columns[_MEASURES[0]]))
        ]
    return pl.DataFrame(rows, schema=_POOLED, orient="row")
