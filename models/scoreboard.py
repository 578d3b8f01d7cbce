"""What a backtest comes to: scores of each forecaster with intervals, and ours against each peer on the same windows.

Belongs here: which windows a line of the board is about, its averages and paired comparisons. Does not: the scores
(``scores``), the forecasts, how a board is printed.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan
from typing import Final, get_args

import polars as pl
from longwave.models.scores import Average, Estimate, by_window, clusters, compared, coverage_table, estimate, scored

ALL: Final = "all"
CONVERGED: Final = "bass converged"
OBSERVED: Final = "without interpolated"
MEASURES: Final = {"ae": "mae", "wis": "wis"}
AVERAGES: Final[tuple[Average, ...]] = get_args(Average)


def parts_of(frame: pl.DataFrame, converged: pl.DataFrame | None = None) -> dict[str, pl.DataFrame]:
    """The parts of a scored frame that a board reports: all, without interpolated outcomes, by regime, converged.

    ``converged``: series and origin of the windows on which the published Bass curve converged; None: not asked.
    """
    parts = {ALL: frame, OBSERVED: frame.filter(~pl.col("interpolated"))}
    if converged is not None:
        parts[CONVERGED] = frame.join(converged, on=["series", "origin"], how="semi")
    regimes = frame.drop_nulls("regime").partition_by("regime", as_dict=True)
    return parts | {str(name): part for (name,), part in sorted(regimes.items())}


def board(
    forecasts: Mapping[str, pl.DataFrame],
    *,
    converged: pl.DataFrame | None = None,
    n_boot: int = 2000,
    seed: int = 0,
) -> pl.DataFrame:
    """Scores of every forecaster: mean absolute error and weighted interval score, by window and by series.

    Args:
        forecasts: forecast frames with outcomes, by forecaster.
        converged: as ``parts_of``.
        n_boot: resamples of concept groups.
        seed: of the resamples; every line draws the same groups.

    Returns:
        forecaster, part, measure (mae, wis), average (window, series), value, lo, hi (95 %; null under two groups),
        n_windows, n_series; in the unit of the levels.

    """
    rows: list[dict[str, object]] = []
    for name, frame in forecasts.items():
        for part, cut in parts_of(scored(frame), converged).items():
            if cut.is_empty():
                continue
            windows = by_window(cut)
            size = {"n_windows": windows.height, "n_series": windows["series"].n_unique()}
            for measure, label in MEASURES.items():
                for average in AVERAGES:
                    found = estimate(clusters(windows, measure, average), n_boot=n_boot, seed=seed)
                    head = {"forecaster": name, "part": part, "measure": label, "average": average}
                    rows.append({**head, **limits(found), **size})
    return pl.DataFrame(rows, infer_schema_length=None)


def versus(
    ours: pl.DataFrame,
    peers: Mapping[str, pl.DataFrame],
    *,
    converged: pl.DataFrame | None = None,
    n_boot: int = 2000,
    seed: int = 0,
) -> pl.DataFrame:
    """Ours minus each peer, on the same windows, the same concept groups drawn for both.

    Returns:
        peer, part, measure, average, value (negative: ours is better), lo, hi (95 %).

    """
    rows: list[dict[str, object]] = []
    mine = parts_of(scored(ours), converged)
    for name, frame in peers.items():
        theirs = parts_of(scored(frame), converged)
        for part, cut in mine.items():
            if cut.is_empty():
                continue
            left, right = by_window(cut), by_window(theirs[part])
            for measure, label in MEASURES.items():
                for average in AVERAGES:
                    found = compared(
                        clusters(left, measure, average), clusters(right, measure, average), n_boot=n_boot, seed=seed
                    )
                    rows.append({"peer": name, "part": part, "measure": label, "average": average, **limits(found)})
    return pl.DataFrame(rows, infer_schema_length=None)


def coverage(forecasts: Mapping[str, pl.DataFrame], *, n_boot: int = 2000, seed: int = 0) -> pl.DataFrame:
    """``scores.coverage_table`` of every forecaster, averaged over series: forecaster first, then its columns."""
    tables = [
        coverage_table(scored(frame), average="series", n_boot=n_boot, seed=seed).select(
            pl.lit(name).alias("forecaster"), pl.all()
        )
        for name, frame in forecasts.items()
    ]
    return pl.concat(tables)


def pit_counts(frame: pl.DataFrame, *, seed: int, bins: int = 10) -> list[float]:
    """Share of a series-averaged forecast's transforms in each of ``bins`` equal stretches of 0–1; even: calibrated."""
    found = scored(frame, seed=seed).with_columns(
        bin=(pl.col("pit") * bins).floor().clip(0, bins - 1).cast(pl.Int64),
        weight=1.0 / pl.len().over("series"),
    )
    total = found["weight"].sum()
    share = dict(found.group_by("bin").agg(pl.col("weight").sum() / total).iter_rows())
    return [float(share.get(number, 0.0)) for number in range(bins)]


def limits(found: Estimate) -> dict[str, float | None]:
    """Value and limits of an estimate, null for what is not a number."""
    numbers = {"value": found.value, "lo": found.lo, "hi": found.hi}
    return {name: None if isnan(value) else value for name, value in numbers.items()}
