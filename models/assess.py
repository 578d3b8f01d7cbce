"""What can be said of somebody's own young series: a forecast fan, a settled level, how much is known by its age.

Belongs here: putting a series on the scale of the references and back, what is read off a forecast and off the curve of
information, and the warnings that the figures call for. Not here: the forecaster, the references, files and units in
words.

The scale. Forecasters know shares in points and counts per 100 people. A series with a ceiling (100 % for shares, stated
for counts) is read as percent of that ceiling. A count without a ceiling says nothing of how much is still to come, so it
is put where counts stood at its age: its last value is set to the median of the references' counts per 100 people at that
age, without those that it is a copy of. Forecasts are brought back to the unit of the series and never leave 0 to the ceiling.

A series that has the figures of a reference, or is a count that moves as one does whatever its unit, would be forecast by
what that became: the reference's whole concept group is left out of what is learnt, where a forecaster without it can be
had.

The settled level is the forecast for age 30, but at least 10 and at most 20 years after the last observation (20 where
no launch is known): by then most references have finished, in the sense of ``longwave.models.panels``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import polars as pl
from longwave.models.copies import copies
from longwave.models.forecast_path import LEARNT_UNTIL
from longwave.models.histories import Histories
from longwave.models.panels import FloatArray, IntArray

LEVELS: Final = (0.5, 0.8, 0.9)
LEAST_OBSERVATIONS: Final = 2
FEW_OBSERVATIONS: Final = 5
SETTLED_AGE: Final = 30
SETTLED_WITHIN: Final = (10, 20)
READABLE_AT: Final = 0.9
LEFT_TRUNCATED_OVER: Final = 12.0
"""In percent of the ceiling: a first value over this is of a series whose beginnings are not seen."""
FALL_IN_POINTS, FALL_IN_SHARES = 5.0, 0.1
LEAST_AT_AN_AGE: Final = 5
MOST_LEANED_ON: Final = 5
LEAST_LEANED: Final = 0.01
BATCH: Final = 1000
OWN: Final = "own"


class Forecast(Protocol):
    """What is used of a forecast of n series at H horizons."""

    @property
    def point(self) -> FloatArray:
        """(n, H) in the unit of the histories."""

    @property
    def lower(self) -> Mapping[float, FloatArray]:
        """Level -> (n, H)."""

    @property
    def upper(self) -> Mapping[float, FloatArray]:
        """Level -> (n, H)."""

    @property
    def explanation(self) -> Any:
        """What it leans on (``Explanation``), or None."""


class Explanation(Protocol):
    """Which references a forecast leans on."""

    @property
    def references(self) -> Sequence[str]:
        """(R,) series learnt from."""

    @property
    def weights(self) -> FloatArray | None:
        """(n, R) how far each series' forecast leans on each; None: not known."""

    @property
    def curves(self) -> Mapping[str, CurveSaid] | None:
        """What each family of curves says; None: not known."""


class CurveSaid(Protocol):
    """What one family of curves says of n series at H horizons."""

    @property
    def weight(self) -> FloatArray:
        """(n,) its part among the families."""

    @property
    def ceiling(self) -> FloatArray:
        """(n,) in the unit of the histories."""

    @property
    def point(self) -> FloatArray:
        """(n, H) likewise."""


class Forecaster(Protocol):
    """A fitted forecaster."""

    def predict(
        self, history: Histories, horizons: Sequence[int], levels: Sequence[float] = ..., *, explain: bool = False
    ) -> Any:
        """Forecasts (``Forecast``) so many years after each series' last observation; where asked, with what they lean on."""


@dataclass(frozen=True)
class InformationCurve:
    """How much is known by age (MEASURES: information by mean squared error, pooled over panels).

    ``information``, ``lo``, ``hi``: (K,) at ages 0..K−1, NaN where not known; ``level``: of the interval; ``target_age``:
    the age whose level it is about.
    """

    information: FloatArray
    lo: FloatArray
    hi: FloatArray
    level: float
    target_age: int

    def readable_age(self) -> int | None:
        """First age from which on the information stays at or over 0.9 as far as it was scored; None: never."""
        low = np.flatnonzero(~(self.information >= READABLE_AT))
        first = int(low[-1]) + 1 if len(low) else 0
        return first if first < len(self.information) else None


@dataclass(frozen=True)
class Fan:
    """A forecast: ``years`` (H,), ``point`` (H,) and by level ``lower`` and ``upper`` (H,), in the series' unit."""

    years: IntArray
    point: FloatArray
    lower: dict[float, FloatArray]
    upper: dict[float, FloatArray]

    def at(self, places: Sequence[int]) -> Fan:
        """The same at some of its years, by their place."""
        rows = np.asarray(places, dtype=np.int64)
        cut = [{level: array[rows] for level, array in side.items()} for side in (self.lower, self.upper)]
        return Fan(self.years[rows], self.point[rows], cut[0], cut[1])


@dataclass(frozen=True)
class Ripeness:
    """How much of the level at the target age is known at an age, its interval, and the year it will be read."""

    information: float
    lo: float
    hi: float
    readable_year: int | None


@dataclass(frozen=True)
class Curve:
    """What a family of curves, drawn to the references, says: its weight, ceiling, and level where ``settled`` is read."""

    name: str
    weight: float
    ceiling: float
    level: float


@dataclass(frozen=True)
class Assessment:
    """All that is said of one series; ``forecast`` and ``settled`` are None where too little was observed."""

    series: str
    launch: int | None
    age: int | None
    years: IntArray
    values: FloatArray
    forecast: Fan | None
    settled: Fan | None
    ripeness: Ripeness | None
    leans_on: tuple[tuple[str, float], ...]
    warnings: tuple[str, ...]
    curves: tuple[Curve, ...] = ()


def typical_counts(references: Histories) -> FloatArray:
    """Median level per 100 people of the references' counts at ages 0, 1 … (A,), carried on to the end.

    Zeros are no beginning; an age with fewer than five series takes the level of the age before, and the first ages
    that of the first with as many. Empty where there are no such counts.
    """
    counts = references.take((references.info["unit_class"] == "count").to_numpy())
    launch = counts.info["launch"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    rows, columns = np.nonzero(np.nan_to_num(counts.levels) > 0)
    age = counts.years[columns] - launch[rows]
    kept = age >= 0
    ages, levels = age[kept].astype(np.int64), counts.levels[rows, columns][kept]
    found = np.full(int(ages.max(initial=-1)) + 1, np.nan)
    for at in np.unique(ages):
        here = levels[ages == at]
        if len(here) >= LEAST_AT_AN_AGE:
            found[at] = np.median(here)
    filled = pl.Series(found, dtype=pl.Float64).fill_nan(None).forward_fill().backward_fill().drop_nulls()
    result: FloatArray = filled.to_numpy()
    return result


def own_histories(frame: pl.DataFrame, ceiling: float | None, typical: FloatArray) -> tuple[Histories, FloatArray]:
    """A user's series as histories, and what one unit of their levels is in the user's unit, (n,).

    Args:
        frame: series, year, value, launch; one row a series and year, values at least 0 and at most the ceiling.
        ceiling: of every series, in the unit of the values; None: counts without one.
        typical: median counts of the references by age (``typical_counts``).

    Raises:
        ValueError: the frame has no rows, a key comes twice, or the ceiling is not over 0.

    """
    if ceiling is not None and not ceiling > 0:
        raise ValueError(f"ceiling {ceiling} must be over 0")
    last = frame.group_by("series").agg(pl.all().sort_by("year").last(), pl.col("year").min().alias("first"))
    last = last.sort("series")
    if ceiling is not None:
        scale = np.full(last.height, ceiling / 100.0)
    else:
        since = last["launch"].fill_null(last["first"])
        age = np.clip((last["year"] - since).to_numpy(), 0, max(len(typical) - 1, 0))
        value = last["value"].to_numpy()
        level = typical[age] if len(typical) else np.full(last.height, 1.0)
        scale = np.where(value > 0, value / level, 1.0)
    factors = pl.DataFrame({"series": last["series"], "scale": scale})
    levels = frame.join(factors, on="series").with_columns(
        (pl.col("value") / pl.col("scale")).alias("value"),
        pl.format("{}: {}", pl.lit(OWN), "series").alias("concept_group"),
        *(pl.lit(OWN).alias(name) for name in ("medium", "family", "place", "panel")),
        pl.lit("count" if ceiling is None else "share").alias("unit_class"),
        pl.lit(None if ceiling is None else 100.0, dtype=pl.Float64).alias("ceiling"),
    )
    return Histories.from_frame(levels), scale


def assess(
    frame: pl.DataFrame,
    forecaster: Forecaster,
    *,
    ceiling: float | None,
    references: Histories,
    curve: InformationCurve | None,
    horizon: int = 10,
    without: Callable[[frozenset[str]], Forecaster] | None = None,
) -> list[Assessment]:
    """Assess every series of a frame, in the order in which they first stand in it.

    Args:
        frame: as ``own_histories`` reads it.
        forecaster: fitted.
        ceiling: of every series, in the unit of the values; None: counts without one.
        references: what the forecaster learnt from.
        curve: information by age; None: not known.
        horizon: years ahead.
        without: gives a forecaster that has not learnt from some concept groups; None: there is none.

    Raises:
        ValueError: as ``own_histories``, or for a horizon under 1.

    """
    if horizon < 1:
        raise ValueError(f"horizon {horizon} must be at least 1")
    typical, found = typical_counts(references), {}
    # A batch at a time: one grid of years for all would take memory by the earliest and the latest year of any.
    batches = [(own, *own_histories(own, ceiling, typical)) for own in _batches(frame)]
    twins = {name: twin for _, part, _ in batches for name, twin in copies(part, references).items()}
    copied = frozenset(twins) if without is not None else frozenset()
    groups = _groups_of([twins[name] for name in copied], references)
    others = without(groups) if without is not None and groups else None
    # Where counts stood at an age is learnt, too: a copy is not put where it became.
    unlike = references.take(~references.info["concept_group"].is_in(list(groups)).to_numpy()) if groups else references
    theirs = typical_counts(unlike) if groups else typical
    for own, part, scale in batches:
        of_others = np.array([name in copied for name in part.info["series"]])
        asked = [(part.take(~of_others), scale[~of_others], forecaster)] if not of_others.all() else []
        if of_others.any() and others is not None:
            again = own.filter(pl.col("series").is_in(list(copied)))
            asked.append((*own_histories(again, ceiling, theirs), others))
        for histories, scales, teacher in asked:
            given = (histories, scales, teacher, ceiling, curve, horizon)
            for each in _assess_part(*given, twins, left_out=teacher is others):
                found[each.series] = each
    return [found[name] for name in frame["series"].unique(maintain_order=True)]


def _batches(frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The rows of ``BATCH`` series at a time; the frame as it is where there are no more."""
    names = frame["series"].unique().sort()
    if len(names) <= BATCH:
        yield frame
        return
    batch = pl.DataFrame({"series": names, "batch": np.arange(len(names)) // BATCH})
    yield from frame.join(batch, on="series").partition_by("batch", include_key=False)


def _groups_of(series: Sequence[str], references: Histories) -> frozenset[str]:
    """The concept groups of some references."""
    return frozenset(references.info.filter(pl.col("series").is_in(series))["concept_group"])


def _assess_part(
    part: Histories,
    scale: FloatArray,
    forecaster: Forecaster,
    ceiling: float | None,
    curve: InformationCurve | None,
    horizon: int,
    twins: Mapping[str, str],
    *,
    left_out: bool,
) -> list[Assessment]:
    """Assess a batch of series."""
    seen = [np.flatnonzero(row) for row in np.isfinite(part.levels)]
    launches = part.info["launch"].to_list()
    ages = [
        None if launch is None else int(part.years[columns[-1]]) - int(launch)
        for launch, columns in zip(launches, seen, strict=True)
    ]
    # Only the horizons that are read: forecasting takes the most time where there are many series.
    ahead = sorted({*range(1, horizon + 1), *map(settled_horizon, ages)})
    forecast = forecaster.predict(part, ahead, LEVELS, explain=True)
    made = []
    for row, series in enumerate(part.info["series"]):
        columns, launch, age = seen[row], launches[row], ages[row]
        years, levels = part.years[columns], part.levels[row, columns]
        fan = _fan(forecast, row, years[-1] + np.array(ahead), float(scale[row]), ceiling)
        enough = len(years) >= LEAST_OBSERVATIONS and bool(np.isfinite(fan.point).all())
        said = [*_history_warnings(years, levels, ceiling), *_launch_warnings(age, curve)]
        settled_at = ahead.index(settled_horizon(age))
        made.append(
            Assessment(
                series=series,
                launch=launch,
                age=age,
                years=years,
                values=levels * scale[row],
                forecast=fan.at(range(horizon)) if enough else None,
                settled=fan.at([settled_at]) if enough else None,
                ripeness=_ripeness(age, launch, curve),
                leans_on=leaning(forecast.explanation, row) if enough else (),
                warnings=(*said, *_twin_warnings(twins.get(series), left_out)),
                curves=_curves(forecast.explanation, row, settled_at, float(scale[row])) if enough else (),
            )
        )
    return made


def settled_horizon(age: int | None) -> int:
    """Years after the last observation at which the settled level is read."""
    least, most = SETTLED_WITHIN
    return most if age is None else min(max(SETTLED_AGE - age, least), most)


def _fan(forecast: Forecast, row: int, years: IntArray, scale: float, ceiling: float | None) -> Fan:
    """A series' forecast in its own unit, inside 0 to the ceiling."""

    def own(levels: FloatArray) -> FloatArray:
        inside: FloatArray = np.clip(levels[row] * scale, 0.0, ceiling)
        return inside

    sides = [{level: own(side[level]) for level in LEVELS} for side in (forecast.lower, forecast.upper)]
    return Fan(years, own(forecast.point), sides[0], sides[1])


def leaning(explanation: Explanation | None, row: int) -> tuple[tuple[str, float], ...]:
    """The references a series' forecast leans on most, with their weights, heaviest first; none where it says none."""
    if explanation is None or explanation.weights is None:
        return ()
    share = explanation.weights[row]
    order = np.argsort(-share, kind="stable")[:MOST_LEANED_ON]
    return tuple(
        (explanation.references[place], float(share[place])) for place in order if share[place] >= LEAST_LEANED
    )


def _curves(explanation: Explanation | None, row: int, at: int, scale: float) -> tuple[Curve, ...]:
    """What each family of curves says of a series in its own unit; none where it is not known."""
    said = None if explanation is None else explanation.curves
    found = [
        Curve(name, float(each.weight[row]), float(each.ceiling[row] * scale), float(each.point[row, at] * scale))
        for name, each in (said or {}).items()
    ]
    return tuple(curve for curve in found if np.isfinite(curve.weight))


def _ripeness(age: int | None, launch: int | None, curve: InformationCurve | None) -> Ripeness | None:
    """Information at an age; past the last age scored, that of the last."""
    if age is None or launch is None or curve is None or not len(curve.information):
        return None
    at = min(age, len(curve.information) - 1)
    readable = curve.readable_age()
    return Ripeness(
        information=float(curve.information[at]),
        lo=float(curve.lo[at]),
        hi=float(curve.hi[at]),
        readable_year=None if readable is None else int(launch) + readable,
    )


def _history_warnings(years: IntArray, levels: FloatArray, ceiling: float | None) -> list[str]:
    """What a history itself says against a forecast: too short, past its peak, begun late, or all zeros."""
    found = []
    if len(years) < LEAST_OBSERVATIONS:
        found.append(f"{len(years)} observation: no forecast is made; at least {LEAST_OBSERVATIONS} are needed")
    elif len(years) < FEW_OBSERVATIONS:
        found.append(f"only {len(years)} observations: the forecast rests on the references more than on the series")
    top, last = float(levels.max()), float(levels[-1])
    in_points = ceiling is not None and top - last > FALL_IN_POINTS
    if in_points or top - last > FALL_IN_SHARES * top:
        peak = int(years[int(levels.argmax())])
        fall = f"{100 * (top - last) / top:.0f} % under its highest value, of {peak}"
        found.append(f"the series falls: its last value is {fall}. What is learnt from are series that rose")
    if ceiling is not None and levels[0] > LEFT_TRUNCATED_OVER:
        found.append(f"begins at {levels[0]:.0f} % of its ceiling: its early years are not seen")
    if top == 0:
        found.append("every value is 0: nothing has begun")
    elif ceiling is None:
        found.append(
            "a count without --ceiling: how far it is on its way is not known, only what counts of its age did"
        )
    return found


def _twin_warnings(twin: str | None, left_out: bool) -> list[str]:
    if twin is None:
        return []
    said = f"{twin} of the warehouse has the same figures, if not in this unit"
    if left_out:
        return [f"{said}: it was left out of what is learnt from, under all its names"]
    return [f"{said}: what came after them has been learnt from"]


def horizon_warnings(horizon: int) -> list[str]:
    """What is said where more years are asked for than anything was learnt of."""
    if horizon <= LEARNT_UNTIL:
        return []
    said = f"nothing is learnt of more than {LEARNT_UNTIL} years ahead: from there on the forecast keeps its level"
    return [f"{said}, and the intervals go on widening with the square root of the years"]


def _launch_warnings(age: int | None, curve: InformationCurve | None) -> list[str]:
    """Why there is no ripeness, or what it does not say."""
    if age is None:
        return ["no launch is stated, so there is no ripeness: state --launch YEAR, or a column launch"]
    if curve is None or not len(curve.information):
        return ["how much is known by age has not been worked out yet, so there is no ripeness: longwave run"]
    found, last = [], len(curve.information) - 1
    if age > last:
        known = f"the level at age {curve.target_age}" + (" is past" if age >= curve.target_age else "")
        found.append(f"older than the last age scored, {last}: its ripeness is given ({known})")
    if curve.readable_age() is None:
        found.append(f"the information does not reach {READABLE_AT} by age {last}: no year of reading is given")
    return found
