"""Forecasts of the level at a target age from the observations up to each age before it, and what each may learn from.

Belongs here: which question each series asks at each age, which fit answers it, climatology, the frame of answers. Does
not: the forecasters (``forecasting``, ``peers``), what may be seen (``visibility`` decides), the sample (``panels``),
scores (``ripeness``).

A question is a (series, origin, year): the observations up to the origin, the year of the target age. A fit sees every
reference but those that are forbidden to any series it answers for. Fits are few: in ``leave-medium-out`` a family of
many series has one of its own and the others share three, in ``leave-one-out`` all share three; a fit that leaves out
more than it must sees less than is allowed, never more. Launch years play no part in a fit, so that all launch
conventions and target ages share them.

Climatology is all that is known at launch: the levels at the target age of the other concept groups of the same unit
class, whether or not they were observed from the start. Points and ends are in points for shares and in natural
logarithms of the level per 100 people for counts, not under one in ten thousand people.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, Literal, get_args

import numpy as np
import polars as pl
from longwave.models.backtest import Forecaster, Over, fits, histories_at
from longwave.models.forecast_path import KNOTS
from longwave.models.histories import Histories
from longwave.models.horizons import on_scale
from longwave.models.panels import FixedSample, IntArray
from longwave.models.peers import own_points
from longwave.models.visibility import forbidden

Mode = Literal["leave-medium-out", "leave-one-out"]
MODES: Final[tuple[Mode, ...]] = get_args(Mode)
LEARNS: Final = "adoption"
CLIMATOLOGY: Final = "climatology"
OWN_HISTORY: Final = ("damped_trend", "naive")
FORECASTERS: Final = (LEARNS, *OWN_HISTORY, CLIMATOLOGY)
"""The one that learns, which is read, and the references beside it."""

LEVEL: Final = 0.8
ALONE_FROM: Final = 100
"""A family of so many reference series has a fit of its own in ``leave-medium-out``."""
SHARED: Final = {"leave-medium-out": 3, "leave-one-out": 3}
"""Fits that all others share."""
AT_A_TIME: Final = 2
"""Fits that run beside each other."""
NO_HISTORY: Final = "climatology: no history"

_ANSWERS: Final = {
    "series": pl.String,
    **dict.fromkeys(("origin", "year"), pl.Int32),
    **dict.fromkeys(("point", "lo80", "hi80"), pl.Float64),
    "n_references": pl.Int64,
}
WINDOW_COLUMNS: Final = {
    **dict.fromkeys(("series", "panel", "concept_group", "unit_class"), pl.String),
    "age": pl.Int64,
    "forecaster": pl.String,
    **dict.fromkeys(("point", "point_squared", "lo80", "hi80", "actual", "clim", "clim_mean"), pl.Float64),
    **dict.fromkeys(("n_climatology", "n_references"), pl.Int64),
    "note": pl.String,
}
"""The columns of ``windows`` and their types."""


def questions(sample: FixedSample, references: Histories, *, ages: Sequence[int] | None = None) -> pl.DataFrame:
    """What is asked of each series of the sample at each age, 0..target − 3 if none are given.

    The history of a question may begin before the launch, where a launch convention puts that late: whatever was
    observed up to then was known then.

    Returns:
        series, age, origin (year of the last observation up to that age; null where there is none), year (of the
        target age); sorted by series, age.

    Raises:
        ValueError: a series of the sample is not among the references.

    """
    wanted = list(range(sample.target_age - 2)) if ages is None else list(ages)
    absent = sorted(set(sample.series["series"]) - set(references.info["series"]))
    if absent:
        raise ValueError(f"series {absent[0]!r} of the sample is not among the references; {len(absent)} in all")
    row = references.info["series"].search_sorted(sample.series["series"]).to_numpy().astype(np.int64)
    launch = sample.series["launch"].to_numpy().astype(np.int64)
    seen = np.isfinite(references.levels[row])
    column = launch[:, None] + np.array(wanted)[None, :] - references.years[0]
    latest = np.maximum.accumulate(np.where(seen, references.years[None, :], -1), axis=1)
    inside = np.clip(column, 0, len(references.years) - 1)
    origin = np.where(column >= 0, np.take_along_axis(latest, inside, axis=1), -1)
    return (
        pl.DataFrame(
            {
                "series": sample.series["series"].gather(np.repeat(np.arange(len(row)), len(wanted))),
                "age": np.tile(np.array(wanted, dtype=np.int64), len(row)),
                "origin": origin.ravel().astype(np.int32),
                "year": np.repeat(launch + sample.target_age, len(wanted)).astype(np.int32),
            }
        )
        .with_columns(origin=pl.when(pl.col("origin") >= 0).then("origin"))
        .sort("series", "age")
    )


def at_a_time(function: Callable[[Any], Any], things: Iterable[Any], /) -> Iterator[Any]:
    """Results in order, some at a time. Fits do not know of each other: how many run changes nothing but the time."""
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        yield from pool.map(function, things)


def answers(
    asked: pl.DataFrame,
    references: Histories,
    make: Callable[[], Forecaster],
    *,
    mode: Mode,
    level: float = LEVEL,
    over: Over = at_a_time,
) -> pl.DataFrame:
    """What a forecaster that learns says to each question, once for each (series, origin, year).

    Args:
        asked: questions, of several samples if need be.
        references: every series there is, complete; the mode cuts it.
        make: gives a forecaster that has learnt nothing yet.
        mode: what a forecast may learn from.
        level: of the interval.
        over: applies a function to every fit, in order.

    Returns:
        series, origin, year, point, lo80, hi80 (in the unit of the series), n_references (series learnt from).

    Raises:
        ValueError: as ``backtest.fits``; an unknown mode.

    """
    if mode not in MODES:
        raise ValueError(f"mode {mode!r} unknown; one of {', '.join(MODES)}")
    once = asked.select("series", "origin", "year").drop_nulls().unique().sort("series", "origin", "year")
    served = partial(_served, make=make, references=references, level=level)
    parts: list[pl.DataFrame] = [part for found in over(served, _shared_fits(once, references, mode)) for part in found]
    if not parts:
        return pl.DataFrame(schema=_ANSWERS)
    return pl.concat(parts).select(list(_ANSWERS)).sort("series", "origin", "year")


def _served(
    fit: tuple[pl.DataFrame, Histories], make: Callable[[], Forecaster], references: Histories, level: float
) -> list[pl.DataFrame]:
    part, allowed = fit
    forecaster = make().fit(allowed)
    # A history is asked once for all its years, with those that are asked as far ahead.
    farthest = part.select((pl.col("year") - pl.col("origin")).max().over("series", "origin")).to_series()
    far = part.with_columns(pl.Series("knot", np.searchsorted(KNOTS[:-1], farthest.to_numpy())))
    size = pl.lit(len(allowed), pl.Int64).alias("n_references")
    blocks = far.partition_by("knot", include_key=False)
    return [_answered(forecaster, block, references, level).with_columns(size) for block in blocks]


def _shared_fits(asked: pl.DataFrame, references: Histories, mode: Mode) -> Iterator[tuple[pl.DataFrame, Histories]]:
    """Questions with the references that all of them may see."""
    info = references.info
    large = info.filter(pl.len().over("family") >= ALONE_FROM)["series"]
    alone = pl.col("series").is_in(large.implode()) if mode == "leave-medium-out" else pl.lit(False)
    for part, folds in ((asked.filter(alone), None), (asked.filter(~alone), SHARED[mode])):
        for fit in fits(part, references, references, mode=mode, folds=folds):
            yield part[fit.windows.tolist()], fit.references


def _answered(forecaster: Forecaster, asked: pl.DataFrame, references: Histories, level: float) -> pl.DataFrame:
    histories = histories_at(asked.select("series", "origin").unique(), references)
    row, ahead, horizons = _places(asked, histories)
    made = forecaster.predict(histories, [int(h) for h in horizons], (level,))
    column = np.searchsorted(horizons, ahead)
    return asked.with_columns(
        pl.Series("point", np.asarray(made.point)[row, column]),
        pl.Series("lo80", np.asarray(made.lower[level])[row, column]),
        pl.Series("hi80", np.asarray(made.upper[level])[row, column]),
    )


def _places(asked: pl.DataFrame, histories: Histories) -> tuple[IntArray, IntArray, IntArray]:
    """Row of each question's history, years ahead, and the years ahead there are."""
    names = asked.select(pl.format("{}@{}", "series", "origin"))["series"]
    row = histories.info["series"].search_sorted(names).to_numpy().astype(np.int64)
    ahead = asked["year"].to_numpy().astype(np.int64) - histories.last_years()[row]
    return row, ahead, np.unique(ahead)


def own_answers(asked: pl.DataFrame, references: Histories, method: str) -> pl.DataFrame:
    """The same of a peer that reads a series' own history alone; it makes no interval here."""
    once = asked.select("series", "origin", "year").drop_nulls().unique().sort("series", "origin", "year")
    if once.is_empty():
        return pl.DataFrame(schema=_ANSWERS)
    histories = histories_at(once.select("series", "origin").unique(), references)
    row, ahead, horizons = _places(once, histories)
    points = own_points(method, histories, horizons, from_launch=True)
    none = pl.lit(None, pl.Float64)
    found = once.with_columns(pl.Series("point", points[row, np.searchsorted(horizons, ahead)]), lo80=none, hi80=none)
    return found.with_columns(n_references=pl.lit(0, pl.Int64)).select(list(_ANSWERS))


def climatology(sample: FixedSample, references: Histories, mode: Mode) -> pl.DataFrame:
    """What the other concept groups had at the target age: one row a series of the sample.

    ``clim`` is the median and ``clim_mean`` the mean over the ``n_climatology`` groups that the mode leaves, each its
    mean level: in points, or of logarithms for counts. Null where none is left.
    """
    levels = on_scale(sample.levels, ["target_level"]).join(
        references.info.select("series", group="concept_group"), on="series", how="left"
    )
    # The references know which concepts are one under two names; the frame does not.
    levels = levels.with_columns(concept_group=pl.coalesce("group", "concept_group"))
    keys = sample.series.select("series").join(levels, on="series", how="left")
    # One row a group, in one order: a sum must not depend on the order that threads leave groups in.
    groups = (
        levels.sort("concept_group", "series")
        .group_by("unit_class", "concept_group", maintain_order=True)
        .agg(pl.col("family", "place").first(), pl.col("target_level").mean())
    )
    rows: list[tuple[str, float | None, float | None, int]] = []
    for unit, part in ((unit, groups.filter(pl.col("unit_class") == unit)) for unit in ("share", "count")):
        means = part["target_level"].to_numpy()
        for target in keys.filter(pl.col("unit_class") == unit).iter_rows(named=True):
            left = means[~forbidden(part, target, mode)]
            middle = (float(np.median(left)), float(np.mean(left))) if len(left) else (None, None)
            rows.append((target["series"], *middle, len(left)))
    schema = {"series": pl.String, "clim": pl.Float64, "clim_mean": pl.Float64, "n_climatology": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def windows(
    sample: FixedSample, references: Histories, asked: pl.DataFrame, answered: dict[str, pl.DataFrame], *, mode: Mode
) -> pl.DataFrame:
    """Every forecast of a sample: one row per (series, age, forecaster), sorted so.

    Where nothing was observed yet, climatology stands in, without an interval, and the note says so. Series without
    any climatology left have no rows. ``point_squared`` is the point for squared errors: it differs only where the
    forecast is climatology.

    Args:
        sample: the series, with their level at the target age.
        references: every series there is.
        asked: as ``questions`` of this sample.
        answered: answers by forecaster.
        mode: what climatology may see.

    """
    head = sample.series.select("series", "panel", "concept_group", "unit_class", actual="target_level")
    base = asked.join(on_scale(head, ["actual"]), on="series").join(climatology(sample, references, mode), on="series")
    parts = [
        _window_frame(base.join(made, on=["series", "origin", "year"], how="left"), name)
        for name, made in answered.items()
    ]
    none = pl.lit(None, pl.Float64)
    alone = base.with_columns(point=none, lo80=none, hi80=none, n_references=pl.lit(0, pl.Int64))
    parts.append(_window_frame(alone, CLIMATOLOGY))
    return pl.concat(parts).sort("series", "age", "forecaster")


def _window_frame(frame: pl.DataFrame, forecaster: str) -> pl.DataFrame:
    scaled = on_scale(frame, ["point", "lo80", "hi80"]) if forecaster != CLIMATOLOGY else frame
    note = (
        pl.lit(None, pl.String)
        if forecaster == CLIMATOLOGY
        else pl.when(pl.col("point").is_null()).then(pl.lit(NO_HISTORY))
    )
    return (
        scaled.filter(pl.col("clim").is_not_null())
        .with_columns(
            note=note,
            forecaster=pl.lit(forecaster),
            point_squared=pl.coalesce("point", "clim_mean"),
            n_references=pl.col("n_references").fill_null(0),
        )
        .with_columns(point=pl.coalesce("point", "clim"))
        .select(pl.col(name).cast(kind) for name, kind in WINDOW_COLUMNS.items())
    )
