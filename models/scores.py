"""Scores of forecasts against what happened, and how far they can be trusted.

Belongs here: proper scores of points and central intervals, averages over windows and over series, the bootstrap
over concept groups, the rule that judges coverage. Does not: making forecasts, deciding what they may see.

The *forecast frame* has one row a forecast value; its columns are ``FORECAST_COLUMNS``: which series, origin and
year, the last observed level (``last_value``), what happened (``actual``), the point and the ends of the central
50, 80 and 90 % intervals. Levels are in the unit of the series. A *window* is a (series, origin).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import polars as pl
from longwave.models.panels import FloatArray, IntArray

LEVELS: Final = (0.5, 0.8, 0.9)
KEY: Final = ("series", "concept_group", "origin", "year")
ENDS: Final = tuple(f"{end}{round(100 * level)}" for level in LEVELS for end in ("lo", "hi"))
FORECAST_COLUMNS: Final = (*KEY, "last_value", "actual", "interpolated", "point", *ENDS)

Average = Literal["window", "series"]
REGIMES: Final = {"0-20": (-np.inf, 20.0), "20-80": (20.0, 80.0), "80-95": (80.0, 95.0), "95 and over": (95.0, np.inf)}
"""Bands of the last observed level, in points; a band holds its lower end."""
SATURATED: Final = "95 and over"

JUDGED: Final = (0.8, 0.9)
MOST_OFF: Final = 0.05
MOST_OFF_IN_REGIME: Final = 0.10
REGIME_NEEDS_SERIES: Final = 10


def interval_score(actual: FloatArray, low: FloatArray, high: FloatArray, level: float) -> FloatArray:
    """Interval score of central intervals at ``level`` (Gneiting & Raftery 2007), in the unit of the levels.

    (u − l) + 2/α (l − y) where y lies below + 2/α (y − u) where it lies above, α = 1 − level. Arrays of one shape.
    Raises ValueError for a level outside (0, 1) or an interval whose ends are the wrong way round.
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"level {level} must lie between 0 and 1")
    if np.any(low > high):
        raise ValueError(f"{int(np.sum(low > high))} interval(s) at {level} end below their beginning")
    miss = np.maximum(low - actual, 0.0) + np.maximum(actual - high, 0.0)
    result: FloatArray = (high - low) + 2.0 / (1.0 - level) * miss
    return result


def weighted_interval_score(
    actual: FloatArray, median: FloatArray, intervals: Mapping[float, tuple[FloatArray, FloatArray]]
) -> FloatArray:
    """Weighted interval score of a median and K central intervals (Bracher, Ray, Gneiting & Reich 2021).

    (½ |y − m| + Σ α_k/2 · IS_k) / (K + ½), in the unit of the levels: with many levels it tends to the continuous
    ranked probability score. ``intervals``: lower and upper ends by level. Raises ValueError as
    ``interval_score``.
    """
    total = 0.5 * np.abs(actual - median)
    for level, (low, high) in intervals.items():
        total = total + (1.0 - level) / 2.0 * interval_score(actual, low, high, level)
    result: FloatArray = total / (len(intervals) + 0.5)
    return result


def randomised_pit(
    actual: FloatArray, median: FloatArray, intervals: Mapping[float, tuple[FloatArray, FloatArray]], *, seed: int
) -> FloatArray:
    """Probability integral transform of a forecast known at a few quantiles, randomised (Czado et al. 2009).

    (n,) uniform on 0–1 when the forecasts are calibrated. An outcome between two quantiles says no more than that
    its probability lies between theirs: drawn evenly from there; one that equals quantiles, from the stretch
    between the nearest that differ. ``actual``, ``median``, ends: (n,).
    """
    quantiles: list[tuple[float, FloatArray]] = [(0.5, median)]
    for level, (low, high) in intervals.items():
        quantiles += [((1.0 - level) / 2.0, low), ((1.0 + level) / 2.0, high)]
    below, above = np.zeros(len(actual)), np.ones(len(actual))
    for probability, value in quantiles:
        below = np.where(value < actual, np.maximum(below, probability), below)
        above = np.where(value > actual, np.minimum(above, probability), above)
    drawn = np.random.default_rng(seed).random(len(actual))
    result: FloatArray = below + drawn * (above - below)
    return result


def scored(forecasts: pl.DataFrame, *, seed: int = 0) -> pl.DataFrame:
    """A forecast frame with its scores: ae, wis (unit of the levels), in50, in80, in90 (true: inside), pit.

    Sorted by (series, origin, year). Raises ValueError naming a missing column, a key that comes twice, or a
    number that is missing or not finite.
    """
    absent = [name for name in FORECAST_COLUMNS if name not in forecasts.columns]
    if absent:
        raise ValueError(f"forecast frame lacks column(s): {', '.join(absent)}")
    frame = forecasts.sort("series", "origin", "year")
    if frame.select("series", "origin", "year").is_duplicated().any():
        raise ValueError("a (series, origin, year) comes twice in the forecast frame")
    for name in ("actual", "point", *ENDS):
        if not frame[name].cast(pl.Float64).is_finite().fill_null(False).all():
            raise ValueError(f"column {name} of the forecast frame has a value that is missing or not finite")
    actual, point = frame["actual"].to_numpy(), frame["point"].to_numpy()
    intervals = {
        level: (frame[f"lo{round(100 * level)}"].to_numpy(), frame[f"hi{round(100 * level)}"].to_numpy())
        for level in LEVELS
    }
    inside = [
        pl.Series(f"in{round(100 * level)}", (low <= actual) & (actual <= high))
        for level, (low, high) in intervals.items()
    ]
    return frame.with_columns(
        pl.Series("ae", np.abs(point - actual)),
        pl.Series("wis", weighted_interval_score(actual, point, intervals)),
        *inside,
        pl.Series("pit", randomised_pit(actual, point, intervals, seed=seed)),
        regime=regime_of(pl.col("last_value")),
    )


def regime_of(value: pl.Expr) -> pl.Expr:
    """Name of the band of ``REGIMES`` that a level lies in; null where it is null."""
    named = pl.lit(None, pl.String)
    for name, (low, high) in REGIMES.items():
        named = pl.when((value >= low) & (value < high)).then(pl.lit(name)).otherwise(named)
    return named


def by_window(frame: pl.DataFrame, measures: Sequence[str] = ("ae", "wis")) -> pl.DataFrame:
    """Mean of each measure over a window's values: series, concept_group, origin and the measures, sorted."""
    return (
        frame.group_by("series", "concept_group", "origin")
        .agg(pl.col(list(measures)).cast(pl.Float64).mean())
        .sort("series", "origin")
    )


@dataclass(frozen=True)
class Clusters:
    """What an average is made of, by concept group, so that groups can be resampled.

    ``names``: (G,) groups, sorted; ``sums``, ``sizes``: (G,): the average is sum of sums over sum of sizes.
    """

    names: tuple[str, ...]
    sums: FloatArray
    sizes: FloatArray

    @property
    def average(self) -> float:
        """The average itself; NaN of nothing."""
        return float(self.sums.sum() / self.sizes.sum()) if self.sizes.sum() else float("nan")

    def resampled(self, counts: IntArray) -> FloatArray:
        """The average (B,) with each group taken ``counts`` (B, G) times; NaN where nothing is taken."""
        size = counts @ self.sizes
        total = counts @ self.sums
        averages: FloatArray = np.divide(total, size, out=np.full(len(counts), np.nan), where=size > 0)
        return averages


def clusters(windows: pl.DataFrame, measure: str, average: Average, names: Sequence[str] | None = None) -> Clusters:
    """A measure by concept group: averaged over windows, or over series (each series the mean of its windows).

    ``windows``: as ``by_window``; ``names``: the groups, sorted, by default those there are.
    """
    units = windows if average == "window" else windows.group_by("concept_group", "series").agg(pl.col(measure).mean())
    grouped = units.group_by("concept_group").agg(pl.col(measure).sum().alias("sum"), pl.len().alias("size"))
    wanted = sorted(grouped["concept_group"]) if names is None else list(names)
    rows = pl.DataFrame({"concept_group": wanted}, schema={"concept_group": pl.String})
    table = rows.join(grouped, on="concept_group", how="left").fill_null(0)
    return Clusters(
        tuple(wanted), table["sum"].to_numpy().astype(np.float64), table["size"].to_numpy().astype(np.float64)
    )


def drawn_counts(n_clusters: int, n_boot: int, seed: int) -> IntArray:
    """How often each of n clusters is drawn in each of B resamples with replacement, (B, n)."""
    rng = np.random.default_rng(seed)
    counts: IntArray = rng.multinomial(n_clusters, np.full(n_clusters, 1.0 / n_clusters), size=n_boot).astype(np.int64)
    return counts


@dataclass(frozen=True)
class Estimate:
    """A number with its percentile bootstrap interval at ``level``; NaN limits for fewer than two clusters."""

    value: float
    lo: float
    hi: float
    level: float
    n_clusters: int


def estimate(part: Clusters, *, level: float = 0.95, n_boot: int = 2000, seed: int = 0) -> Estimate:
    """An average with its interval from resampling concept groups."""
    return _limits(part.average, part.resampled(drawn_counts(len(part.names), n_boot, seed)), part, level)


def compared(
    ours: Clusters,
    theirs: Clusters,
    *,
    as_ratio: bool = False,
    level: float = 0.95,
    n_boot: int = 2000,
    seed: int = 0,
) -> Estimate:
    """Difference ours − theirs (or ratio ours / theirs) of two averages, the same groups drawn for both.

    Raises ValueError where the two are not made of the same groups and numbers of windows.
    """
    if ours.names != theirs.names or not np.array_equal(ours.sizes, theirs.sizes):
        raise ValueError("two forecasters are compared on the same windows only")
    counts = drawn_counts(len(ours.names), n_boot, seed)
    mine, other = ours.resampled(counts), theirs.resampled(counts)
    if not as_ratio:
        return _limits(ours.average - theirs.average, mine - other, ours, level)
    ratio = np.divide(mine, other, out=np.full(len(mine), np.nan), where=other > 0)
    whole = ours.average / theirs.average if theirs.average > 0 else float("nan")
    return _limits(whole, ratio, ours, level)


def _limits(value: float, draws: FloatArray, part: Clusters, level: float) -> Estimate:
    known = draws[np.isfinite(draws)]
    n_clusters = int(np.sum(part.sizes > 0))
    if n_clusters < 2 or not len(known):
        return Estimate(value, float("nan"), float("nan"), level, n_clusters)
    low, high = np.quantile(known, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return Estimate(value, float(low), float(high), level, n_clusters)


def coverage_table(frame: pl.DataFrame, *, average: Average, n_boot: int = 2000, seed: int = 0) -> pl.DataFrame:
    """Coverage of a scored frame, whole and by regime of the last level, and whether it passes.

    The rule: at 80 and 90 % over everything, the 90 % bootstrap interval over concept groups contains the nominal
    level and the point lies within 5 percentage points of it; in a regime of at least 10 series within 10, in the
    saturated one at least nominal − 5; 50 % is reported without a target.

    Returns:
        regime (``all`` first), level, coverage, lo, hi (90 %; shares of 1; null for a single group), n_series,
        n_values, passes (null: no target, or a single group).

    """
    rows: list[dict[str, object]] = []
    parts = {"all": frame} | {name: frame.filter(pl.col("regime") == name) for name in REGIMES}
    for name, part in parts.items():
        if part.is_empty():
            continue
        for level in LEVELS:
            measure = f"in{round(100 * level)}"
            found = estimate(
                clusters(by_window(part, (measure,)), measure, average), level=0.9, n_boot=n_boot, seed=seed
            )
            n_series = part["series"].n_unique()
            rows.append(
                {
                    "regime": name,
                    "level": level,
                    "coverage": found.value,
                    "lo": None if np.isnan(found.lo) else found.lo,
                    "hi": None if np.isnan(found.hi) else found.hi,
                    "n_series": n_series,
                    "n_values": part.height,
                    "passes": passes(name, level, found, n_series),
                }
            )
    return pl.DataFrame(rows, infer_schema_length=None)


def passes(regime: str, level: float, found: Estimate, n_series: int) -> bool | None:
    """Whether a coverage keeps the rule of ``coverage_table``; None where there is no target."""
    if level not in JUDGED or found.n_clusters < 2:
        return None
    if regime == SATURATED:
        return found.value >= level - MOST_OFF
    if regime == "all":
        return found.lo <= level <= found.hi and abs(found.value - level) <= MOST_OFF
    return abs(found.value - level) <= MOST_OFF_IN_REGIME if n_series >= REGIME_NEEDS_SERIES else None
