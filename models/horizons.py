"""Forecasts far ahead, from a few ages: which windows there are, the references, and how ours compare.

Belongs here: windows by age since launch, the level of others at an age, errors on the scale of each unit class,
relative errors with their intervals. Does not: forecasting, what may be seen, how intervals are judged (``scores``).

A series takes part where its launch is known and not later than its records by more than three years, where it is
not left-truncated (first value over 12), and where it was seen in the two years before the origin. The outcome is the
observation of that very year, or the mean of its two neighbours where both are there. Shares are scored in points,
counts as natural logarithms of the level per 100 people, not under one in ten thousand people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import polars as pl
from longwave.models.backtest import Fit, fits, histories_at
from longwave.models.histories import Histories
from longwave.models.panels import FloatArray, IntArray
from longwave.models.peers import own_points
from longwave.models.scores import ENDS, Clusters, Estimate, clusters, compared
from longwave.models.visibility import ForecastMode

AGES: Final = (3, 5, 8, 12, 16)
AHEAD: Final = (5, 10)
TARGET_AGE: Final = 20
NAMED: Final = ("climatology", "damped_trend", "gompertz_capped")
"""The references named beforehand. Where a unit class has no ceiling, the capped curve has none."""
BESIDE: Final = ("naive", "bass_capped", "bass_free", "logistic_capped", "logistic_free", "gompertz_free")

LATEST_FIRST_AGE: Final = 3
LEFT_TRUNCATED_OVER: Final = 12.0
SEEN_WITHIN: Final = 2
LEAST_COUNT: Final = 0.01
EARLY_AGES: Final = 8
WHOLE: Final = "all"


def filled_between(histories: Histories) -> Histories:
    """The same with a year that was not observed given the mean of its neighbours, where both were."""
    levels = histories.levels
    middle = np.full(levels.shape, np.nan)
    middle[:, 1:-1] = (levels[:, :-2] + levels[:, 2:]) / 2.0
    return replace(histories, levels=np.where(np.isnan(levels), middle, levels))


def age_windows(
    targets: Histories,
    *,
    ages: Sequence[int] = AGES,
    ahead: Sequence[int] = AHEAD,
    target_age: int = TARGET_AGE,
) -> pl.DataFrame:
    """What is asked at each age, with what happened: one row a (series, age, question).

    Returns:
        series, concept_group, panel, unit_class, age, origin, asked (``+5``, ``+10`` years or ``age 20``), year,
        actual; sorted by series, age, year. Questions without an outcome are left out, and counts that are not over 0.

    """
    outcome = filled_between(targets)
    rows: list[tuple[object, ...]] = []
    for position, row in enumerate(targets.info.iter_rows(named=True)):
        launch = _usable_launch(targets, position)
        if launch is None:
            continue
        for age in ages:
            origin = launch + age
            if not _seen_lately(targets, position, origin):
                continue
            questions = {f"+{step}": origin + step for step in ahead}
            if target_age > age:
                questions[f"age {target_age}"] = launch + target_age
            for asked, year in questions.items():
                actual = _level(outcome, position, year)
                if np.isfinite(actual) and (row["unit_class"] == "share" or actual > 0.0):
                    head = (row["series"], row["concept_group"], row["panel"], row["unit_class"])
                    rows.append((*head, age, origin, asked, year, actual))
    return pl.DataFrame(rows, schema=_ASKED, orient="row").sort("series", "age", "year", "asked")


_ASKED: Final = {
    "series": pl.String(),
    "concept_group": pl.String(),
    "panel": pl.String(),
    "unit_class": pl.String(),
    "age": pl.Int64(),
    "origin": pl.Int32(),
    "asked": pl.String(),
    "year": pl.Int32(),
    "actual": pl.Float64(),
}


def _usable_launch(targets: Histories, position: int) -> int | None:
    launch = targets.info["launch"][position]
    seen = np.flatnonzero(np.isfinite(targets.levels[position]))
    if launch is None or not len(seen):
        return None
    first_year, first = int(targets.years[seen[0]]), float(targets.levels[position, seen[0]])
    late = first_year - int(launch) > LATEST_FIRST_AGE
    return None if late or first > LEFT_TRUNCATED_OVER else int(launch)


def _seen_lately(targets: Histories, position: int, origin: int) -> bool:
    near = (targets.years <= origin) & (targets.years >= origin - SEEN_WITHIN)
    return bool(np.isfinite(targets.levels[position, near]).any())


def _level(histories: Histories, position: int, year: int) -> float:
    column = year - int(histories.years[0])
    return float(histories.levels[position, column]) if 0 <= column < len(histories.years) else float("nan")


def windows_asked(asked: pl.DataFrame) -> pl.DataFrame:
    """The windows of a table of questions: series, origin, years (rising, each once); sorted."""
    years = pl.col("year").unique().sort().alias("years")
    return asked.group_by("series", "origin").agg(years).sort("series", "origin")


def climatology(asked: pl.DataFrame, targets: Histories, references: Histories, *, mode: ForecastMode) -> FloatArray:
    """Level of the others at the age asked for, (m,): median over the concept groups that the mode leaves.

    Groups of the same unit class with a known launch, each its mean level at that age. NaN where there is none:
    early in ``as-of``, nobody was that old. ``asked``: as ``age_windows``.
    """
    windows = windows_asked(asked)
    age = (asked["age"] + asked["year"] - asked["origin"]).to_numpy().astype(np.int64)
    number = asked.join(windows.with_row_index("window"), on=["series", "origin"], how="left", maintain_order="left")[
        "window"
    ].to_numpy()
    share = (asked["unit_class"] == "share").to_numpy()
    levels = np.full(asked.height, np.nan)
    for fit in fits(windows, targets, references, mode=mode):
        served = np.flatnonzero(np.isin(number, fit.windows))
        for unit in (True, False):
            rows = served[share[served] == unit]
            if len(rows):
                wanted = np.unique(age[rows])
                middle = _medians_at(fit, "share" if unit else "count", wanted)
                levels[rows] = middle[np.searchsorted(wanted, age[rows])]
    return levels


def _medians_at(fit: Fit, unit: str, ages: IntArray) -> FloatArray:
    """Median over concept groups (len(ages),) of their mean level at these ages."""
    info = fit.references.info
    rows = np.flatnonzero(((info["unit_class"] == unit) & info["launch"].is_not_null()).to_numpy())
    if not len(rows):
        return np.full(len(ages), np.nan)
    launch = info["launch"].to_numpy()[rows].astype(np.int64)
    column = launch[:, None] + ages[None, :] - fit.references.years[0]
    inside = (column >= 0) & (column < len(fit.references.years))
    level = fit.references.levels[rows[:, None], np.where(inside, column, 0)]
    level = np.where(inside, level, np.nan)
    group = np.unique(info["concept_group"].to_numpy()[rows], return_inverse=True)[1]
    total, count = np.zeros((group.max() + 1, len(ages))), np.zeros((group.max() + 1, len(ages)))
    np.add.at(total, group, np.where(np.isfinite(level), level, 0.0))
    np.add.at(count, group, np.isfinite(level))
    means = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    known = np.isfinite(means).any(axis=0)
    medians = np.full(len(ages), np.nan)
    medians[known] = np.nanmedian(means[:, known], axis=0)
    return medians


def peer_points(asked: pl.DataFrame, targets: Histories, method: str) -> FloatArray:
    """Points (m,) of an own-history peer for each question; curves count time from the launch."""
    windows = windows_asked(asked)
    histories = histories_at(windows, targets)
    names = asked.select(pl.format("{}@{}", "series", "origin"))["series"]
    row = histories.info["series"].search_sorted(names).to_numpy().astype(np.int64)
    ahead = asked["year"].to_numpy().astype(np.int64) - histories.last_years()[row]
    horizons = np.unique(ahead)
    points = own_points(method, histories, horizons, from_launch=True)
    found: FloatArray = points[row, np.searchsorted(horizons, ahead)]
    return found


def on_scale(frame: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """The columns on the scale they are scored on: shares as they are, counts as natural logarithms."""
    return frame.with_columns(
        pl.when(pl.col("unit_class") == "count")
        .then(pl.max_horizontal(pl.col(name), pl.lit(LEAST_COUNT)).log())
        .otherwise(pl.col(name))
        .alias(name)
        for name in columns
    )


def answered(asked: pl.DataFrame, forecasts: pl.DataFrame) -> pl.DataFrame:
    """Questions with the forecast of their year: point and the ends of the intervals, in the unit of the series."""
    columns = ["series", "origin", "year", "last_value", "point", *ENDS]
    return asked.join(forecasts.select(columns), on=["series", "origin", "year"], how="inner").sort(
        "series", "age", "year", "asked"
    )


def relative_errors(
    table: pl.DataFrame, *, ours: str = "point", against: Sequence[str] = NAMED, n_boot: int = 2000, seed: int = 0
) -> pl.DataFrame:
    """Mean absolute error of ours over that of each reference, by panel: whole, at ages up to 8, and by age.

    ``table``: questions with a column for ours and one for each reference (unit of the series). A question is left out
    of a comparison where the reference has no answer. Every question counts the same; the intervals (95 %) come from
    resampling concept groups, both forecasters on the same draw.

    Returns:
        panel, ages (``all``, ``up to 8`` or one age), asked (``all`` or a question), reference, ratio, lo, hi, mae,
        mae_reference (points, or logarithms for counts), n (questions), n_clusters.

    """
    scaled = on_scale(table, ["actual", ours, *against])
    rows: list[dict[str, object]] = []
    for panel in sorted(scaled["panel"].unique()):
        part = scaled.filter(pl.col("panel") == panel)
        for ages, asked, cut in _cuts(part):
            rows += [
                {
                    "panel": panel,
                    "ages": ages,
                    "asked": asked,
                    "reference": name,
                    **_ratio(cut, ours, name, n_boot, seed),
                }
                for name in against
            ]
    return pl.DataFrame(rows, infer_schema_length=None)


def information(table: pl.DataFrame, *, ours: str = "point", n_boot: int = 2000, seed: int = 0) -> pl.DataFrame:
    """How much more than climatology was known of the level at the target age, by panel and age.

    1 − (mean absolute error of ours / that of climatology), with its 95 % interval: the same of squared errors, on every
    age and with pooled panels, is ``ripeness.information_by_age``. Negative values are kept.

    Returns:
        panel, age, information_mae, lo, hi, n, n_clusters.

    """
    rows: list[dict[str, object]] = []
    at_target = on_scale(table.filter(pl.col("asked").str.starts_with("age ")), ["actual", ours, "climatology"])
    for (panel, age), part in sorted(at_target.partition_by("panel", "age", as_dict=True).items()):
        found = _ratio(part, ours, "climatology", n_boot, seed)
        ends = [None if found[name] is None else 1.0 - float(found[name] or 0.0) for name in ("ratio", "hi", "lo")]
        sizes = {"n": found["n"], "n_clusters": found["n_clusters"]}
        rows.append({"panel": panel, "age": age, "information_mae": ends[0], "lo": ends[1], "hi": ends[2], **sizes})
    return pl.DataFrame(rows, infer_schema_length=None)


def _cuts(part: pl.DataFrame) -> list[tuple[str, str, pl.DataFrame]]:
    """The parts of a panel that are reported."""
    cuts = [(WHOLE, WHOLE, part), (f"up to {EARLY_AGES}", WHOLE, part.filter(pl.col("age") <= EARLY_AGES))]
    cuts += [(str(age), WHOLE, part.filter(pl.col("age") == age)) for age in sorted(part["age"].unique())]
    cuts += [(WHOLE, asked, part.filter(pl.col("asked") == asked)) for asked in sorted(part["asked"].unique())]
    return [cut for cut in cuts if cut[2].height]


def _ratio(part: pl.DataFrame, ours: str, reference: str, n_boot: int, seed: int) -> dict[str, float | None]:
    both = part.filter(pl.col(reference).is_not_null() & pl.col(reference).is_finite())
    if both.is_empty():
        return dict.fromkeys(("ratio", "lo", "hi", "mae", "mae_reference")) | {"n": 0, "n_clusters": 0}
    mine, other = _error_clusters(both, ours), _error_clusters(both, reference)
    found: Estimate = compared(mine, other, as_ratio=True, n_boot=n_boot, seed=seed)
    numbers = {
        "ratio": found.value,
        "lo": found.lo,
        "hi": found.hi,
        "mae": mine.average,
        "mae_reference": other.average,
    }
    known = {name: None if np.isnan(value) else value for name, value in numbers.items()}
    return known | {"n": both.height, "n_clusters": found.n_clusters}


def _error_clusters(part: pl.DataFrame, column: str) -> Clusters:
    errors = part.select("series", "concept_group", ae=(pl.col(column) - pl.col("actual")).abs())
    return clusters(errors, "ae", "window")
