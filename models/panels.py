"""Series as histories by age: which are finished or peaked, and which sample a ripeness curve is drawn on.

Belongs here: the rules on one series (finished, peaked, settled level) and the fixed sample with its
exclusions. Does not: launch years, breaks and flags (facts, joined before), forecasts, scores.

The *adoption frame* is tidy, one row per (series, age), of one launch convention; its columns are
``ADOPTION_COLUMNS``. ``value`` is in points 0–100 where ``unit_class`` is ``share`` and a level per 100
people where it is ``count``; null or NaN means not observed. A ``break`` flag stands on the first
observation *after* the break. Observations flagged ``filler_zero`` are missing, not zero. Observations
before launch (age < 0) belong to no history.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
UnitClass = Literal["share", "count"]

ATTRIBUTES: Final = ("concept_group", "medium", "family", "place", "panel", "unit_class", "launch_convention")
"""Columns that are constant within a series."""

ADOPTION_COLUMNS: Final = ("series", *ATTRIBUTES, "year", "age", "value", "left_truncated", "flag")
"""The columns of the adoption frame."""

LATEST_FIRST_AGE: Final = 3
"""A history must have an observation at or before this age."""

LEFT_TRUNCATED: Final = "left truncated"
FILLER: Final = "filler"
LATE_START: Final = "first observed after age 3"
NO_TARGET: Final = "target age not observed"
NOT_POSITIVE: Final = "count not positive at the target age"

_STATUS_SCHEMA: Final = {
    "series": pl.String,
    **dict.fromkeys(ATTRIBUTES, pl.String),
    "n_observations": pl.Int64,
    "first_year": pl.Int64,
    "last_year": pl.Int64,
    "slope": pl.Float64,
    "finished": pl.Boolean,
    "peaked": pl.Boolean,
    "status": pl.String,
    "why": pl.String,
    "settled_level": pl.Float64,
}


@dataclass(frozen=True)
class Finish:
    """Whether one series is finished, and on what ground.

    ``why`` is empty when finished, else the first rule that failed; ``slope`` is in units a year (NaN when
    there are too few observations); ``level`` is the median of the last observations (NaN likewise).
    """

    finished: bool
    why: str
    slope: float
    level: float


@dataclass(frozen=True)
class FixedSample:
    """The series one ripeness curve is drawn on, the same at every age.

    ``series``: one row per kept series, sorted by series: series, the attributes, ``launch`` (the year age
    counts from), ``target_level`` (level at the target age, in the unit of the series) and ``target_between``
    (true where it lies between two observations). ``exclusions``: series, panel, unit_class, reason (the
    first that applies), sorted by series. ``levels``: series, concept_group, family, place, unit_class,
    target_level of every series observed at the target age, from the start or not, left-truncated ones
    excluded: what climatology is made of.
    """

    series: pl.DataFrame
    exclusions: pl.DataFrame
    target_age: int
    levels: pl.DataFrame


def _flagged(flag: str) -> pl.Expr:
    """Whether an observation carries a flag; several stand together, joined by commas."""
    return pl.col("flag").fill_null("").str.split(",").list.contains(flag)


def validate_adoption(frame: pl.DataFrame) -> pl.DataFrame:
    """The adoption frame, checked and sorted by (series, age), without rows that were not observed.

    Raises ValueError naming the column or series: a column missing, no rows, a null key, a duplicated
    (series, age), an attribute or truncation mark that changes within a series, a unit class that is neither
    share nor count, an infinite value, a share outside 0–100, a concept group in several families.
    """
    missing = [name for name in ADOPTION_COLUMNS if name not in frame.columns]
    if missing:
        raise ValueError(f"adoption frame lacks column(s): {', '.join(missing)}")
    if frame.is_empty():
        raise ValueError("adoption frame has no rows")
    if not frame.schema["age"].is_integer():
        raise ValueError(f"column age must hold whole years, not {frame.schema['age']}")
    for name in ADOPTION_COLUMNS:
        if name not in ("value", "flag") and frame[name].null_count():
            raise ValueError(f"column {name} has {frame[name].null_count()} null(s)")
    _check_series(frame)
    value = pl.col("value").cast(pl.Float64)
    frame = frame.with_columns(value.fill_nan(None)).filter(pl.col("value").is_not_null())
    _check_values(frame)
    return frame.sort("series", "age")


def _check_series(frame: pl.DataFrame) -> None:
    """Keys unique, attributes constant within a series, families constant within a concept group."""
    twice = frame.group_by("series", "age").len().filter(pl.col("len") > 1).sort("series", "age")
    if twice.height:
        series, age, count = twice.row(0)
        raise ValueError(f"series {series!r} has {count} rows at age {age}; {twice.height} such key(s) in all")
    constant = [*ATTRIBUTES, "left_truncated"]
    distinct = frame.group_by("series").agg(pl.col(constant).n_unique()).sort("series")
    for name in constant:
        mixed = distinct.filter(pl.col(name) > 1)
        if mixed.height:
            raise ValueError(f"series {mixed['series'][0]!r} has several values of {name}")
    unknown = frame.filter(~pl.col("unit_class").is_in(["share", "count"]))
    if unknown.height:
        raise ValueError(f"series {unknown['series'][0]!r}: unit_class {unknown['unit_class'][0]!r} unknown")
    spread = frame.group_by("concept_group").agg(pl.col("family").n_unique()).filter(pl.col("family") > 1)
    if spread.height:
        raise ValueError(f"concept_group {spread['concept_group'].sort()[0]!r} lies in several families")


def _check_values(frame: pl.DataFrame) -> None:
    """Every value finite; every share within 0–100."""
    infinite = frame.filter(pl.col("value").is_infinite())
    if infinite.height:
        raise ValueError(f"series {infinite['series'][0]!r} has an infinite value")
    share = frame.filter((pl.col("unit_class") == "share") & ~pl.col("value").is_between(0.0, 100.0))
    if share.height:
        raise ValueError(f"series {share['series'][0]!r}: share {share['value'][0]} is outside 0–100")


def theil_sen(years: ArrayLike, values: ArrayLike) -> float:
    """Median of the slopes between all pairs of observations, in units a year (Sen 1968); NaN not observed.

    ``years``, ``values``: (n,). Raises ValueError where the lengths differ or fewer than two years are
    observed.
    """
    from scipy import stats  # slow to import, and asked for here alone

    x, y = _observed(years, values)
    if len(np.unique(x)) < 2:
        raise ValueError("a slope needs observations in at least two years")
    return float(stats.theilslopes(y, x).slope)


def _observed(years: ArrayLike, values: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Years and values where a value is, in order of years."""
    x, y = np.asarray(years, dtype=np.float64), np.asarray(values, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1:
        raise ValueError(f"years {x.shape} and values {y.shape} must be one-dimensional and of one length")
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    seen = np.isfinite(y)
    return x[seen], y[seen]


def assess_finish(years: ArrayLike, values: ArrayLike, *, unit_class: UnitClass, breaks: ArrayLike = ()) -> Finish:
    """Judge whether a series is finished, by its last five observations.

    They must span 4–12 years (yearly data: 4), with a Theil–Sen slope within 0.5 points a year (counts: 1 %
    of the peak a year), a median of at least 5 points (counts: 5 per 100), and no year of ``breaks`` (first
    year after each break) within them; a break just before the first of them is outside. ``years``,
    ``values``: (n,).
    """
    x, y = _observed(years, values)
    if len(x) < 5:
        return Finish(False, "fewer than five observations", np.nan, np.nan)
    last_x, last_y = x[-5:], y[-5:]
    slope, level = theil_sen(last_x, last_y), float(np.median(last_y))
    limit = 0.5 if unit_class == "share" else 0.01 * float(y.max())
    after = np.asarray(breaks, dtype=np.float64)
    if last_x[-1] - last_x[0] > 12:
        why = "last five observations span more than 12 years"
    elif bool(np.any((after > last_x[0]) & (after <= last_x[-1]))):
        why = "break within the last observations"
    elif abs(slope) > limit:
        why = "still rising" if slope > 0 else "still falling"
    elif level < 5.0:
        why = "level under 5 % of the denominator"
    else:
        why = ""
    return Finish(why == "", why, slope, level)


def is_finished(years: ArrayLike, values: ArrayLike, *, unit_class: UnitClass, breaks: ArrayLike = ()) -> bool:
    """Whether a series is finished by the rule of ``assess_finish``."""
    return assess_finish(years, values, unit_class=unit_class, breaks=breaks).finished


def settled_level(
    years: ArrayLike, values: ArrayLike, *, unit_class: UnitClass, breaks: ArrayLike = ()
) -> float | None:
    """Median of the last five observations of a finished series, in its unit; None where not finished."""
    finish = assess_finish(years, values, unit_class=unit_class, breaks=breaks)
    return finish.level if finish.finished else None


def has_peaked(years: ArrayLike, values: ArrayLike, *, unit_class: UnitClass, breaks: ArrayLike = ()) -> bool:
    """Whether a series has turned down for good.

    Three-year medians are those of three calendar years within the series that hold at least two
    observations. The largest (the latest of equals) must end at least five years before the last, and exceed
    the last by more than 5 points (shares) or 10 % of itself (counts), with no year of ``breaks`` after its
    end and up to the last year.
    """
    x, y = _observed(years, values)
    windows = [(end, y[(x > end - 3) & (x <= end)]) for end in x if end - 2 >= x[0]]
    medians = [(float(end), float(np.median(part))) for end, part in windows if len(part) >= 2]
    if not medians or medians[-1][0] != x[-1]:
        return False
    last_end, last = medians[-1]
    end, top = max(medians, key=lambda pair: (pair[1], pair[0]))
    after = np.asarray(breaks, dtype=np.float64)
    fall = 5.0 if unit_class == "share" else 0.1 * top
    broken = bool(np.any((after > end) & (after <= last_end)))
    return last_end - end >= 5 and top - last > fall and not broken


def status_table(frame: pl.DataFrame) -> pl.DataFrame:
    """Finished, peaked or neither, for every series of an adoption frame, and why.

    Columns: series, the attributes, n_observations, first_year, last_year, slope (units a year, of the last
    five observations), finished, peaked, status (``finished`` before ``peaked`` before ``neither``), why
    (empty when finished, else why not), settled_level (null unless finished). Filler zeros are missing.
    Raises ValueError as ``validate_adoption``.
    """
    rows = [_status_row(part) for part in _without_filler(validate_adoption(frame)).partition_by("series")]
    return pl.DataFrame(rows, schema=_STATUS_SCHEMA, orient="row")


def _status_row(part: pl.DataFrame) -> dict[str, object]:
    """One row of the status table."""
    unit: UnitClass = "share" if part["unit_class"][0] == "share" else "count"
    years, values = part["year"].to_numpy(), part["value"].to_numpy()
    breaks = part.filter(_flagged("break"))["year"].to_numpy()
    finish = assess_finish(years, values, unit_class=unit, breaks=breaks)
    peaked = has_peaked(years, values, unit_class=unit, breaks=breaks)
    return {
        **part.select("series", *ATTRIBUTES).row(0, named=True),
        "n_observations": part.height,
        "first_year": years.min(),
        "last_year": years.max(),
        "slope": None if np.isnan(finish.slope) else finish.slope,
        "finished": finish.finished,
        "peaked": peaked,
        "status": "finished" if finish.finished else "peaked" if peaked else "neither",
        "why": finish.why,
        "settled_level": finish.level if finish.finished else None,
    }


def _without_filler(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame without observations that are filler."""
    return frame.filter(~_flagged("filler_zero"))


def fixed_sample(frame: pl.DataFrame, target_age: int = 20) -> FixedSample:
    """The series observed from the start (age 3 at the latest) to the target age, and why others are not.

    The level at the target age is the observation at exactly that age; without one, the straight line
    between the observations one year before and one year after, unless a break stands on the latter.
    Reasons, the first that applies: ``left truncated``; ``filler`` (the series would be kept if filler zeros
    were observations); ``first observed after age 3``; ``target age not observed``; ``count not positive at
    the target age`` (counts are scored as logarithms; their observations at or under zero count as not
    observed). Raises ValueError as ``validate_adoption``, and for a target age under 4.
    """
    if target_age <= LATEST_FIRST_AGE:
        raise ValueError(f"target age {target_age} must be over {LATEST_FIRST_AGE}")
    checked = validate_adoption(frame).filter(pl.col("age") >= 0)
    real = _screen(_usable(checked), target_age)
    naive = _screen(checked, target_age)
    launch = (pl.col("year") - pl.col("age")).alias("launch")
    heads = frame.select("series", *ATTRIBUTES, launch, "left_truncated").unique("series").sort("series")
    table = heads.join(real, on="series", how="left").join(naive, on="series", how="left", suffix="_all")
    reason = (
        pl.when("left_truncated")
        .then(pl.lit(LEFT_TRUNCATED))
        .when((pl.col("first") <= LATEST_FIRST_AGE) & pl.col("level").is_not_null())
        .then(None)
        .when((pl.col("first_all") <= LATEST_FIRST_AGE) & pl.col("level_all").is_not_null() & pl.col("filler_all"))
        .then(pl.lit(FILLER))
        .when((pl.col("first") > LATEST_FIRST_AGE).fill_null(True))
        .then(pl.lit(LATE_START))
        .when((pl.col("unit_class") == "count") & (pl.col("level_all") <= 0))
        .then(pl.lit(NOT_POSITIVE))
        .otherwise(pl.lit(NO_TARGET))
    )
    table = table.with_columns(reason=reason)
    kept = table.filter(pl.col("reason").is_null())
    there = table.filter(~pl.col("left_truncated"), pl.col("level").is_not_null())
    return FixedSample(
        series=kept.select("series", *ATTRIBUTES, "launch", target_level="level", target_between="between"),
        exclusions=table.filter(pl.col("reason").is_not_null()).select("series", "panel", "unit_class", "reason"),
        target_age=target_age,
        levels=there.select("series", "concept_group", "family", "place", "unit_class", target_level="level"),
    )


def _usable(frame: pl.DataFrame) -> pl.DataFrame:
    """Observations a history may hold: no filler, counts over zero."""
    return _without_filler(frame).filter((pl.col("unit_class") == "share") | (pl.col("value") > 0))


def _screen(frame: pl.DataFrame, target_age: int) -> pl.DataFrame:
    """Per series: first observed age, level at the target age (null if none), whether it lies between two."""
    at = {step: pl.col("value").filter(pl.col("age") == target_age + step).first() for step in (-1, 0, 1)}
    broken = (_flagged("break") & (pl.col("age") == target_age + 1)).any()
    middle = pl.when(~broken).then((at[-1] + at[1]) / 2)
    return (
        frame.sort("series", "age")
        .group_by("series", maintain_order=True)
        .agg(
            first=pl.col("age").min(),
            level=pl.coalesce(at[0], middle),
            between=at[0].is_null(),
            filler=_flagged("filler_zero").any(),
        )
    )
