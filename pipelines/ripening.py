"""The study of ripeness: adoption frames and reference series in, rows of the findings tables out.

What is computed is said in `longwave.models.ripeness`, `forecasts_by_age` and `fans`; here only which samples are scored,
which series are forecast from which year, and under which names the claims and the pages find the numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Literal, cast

import numpy as np
import polars as pl
from longwave.models.backtest import Forecaster
from longwave.models.fans import READABLE_FROM, Ripe, fans, ripe_at
from longwave.models.forecasts_by_age import (
    CLIMATOLOGY,
    LEARNS,
    MODES,
    OWN_HISTORY,
    Mode,
    answers,
    own_answers,
    questions,
    windows,
)
from longwave.models.histories import Histories
from longwave.models.panels import FixedSample, fixed_sample
from longwave.models.ripeness import MIN_CLUSTERS, RipenessResult, information_by_age
from longwave.pipelines.beside import both, compiled
from longwave.pipelines.find import N_BOOT, SEED, WITHOUT_LARGEST, Rows
from longwave.pipelines.spread import map_blocks

TARGET_AGE = 20
OTHER_TARGETS = (15, 25, 30)
CONVENTIONS = ("cited", "first_1_percent", "first_10_percent")
PRIMARY = LEARNS
HEADLINE: Mode = "leave-medium-out"
UNIT_INFORMATION = "1 − error ÷ climatology's"
AS_OF = "as-of"
TODAY = "today"
LEVELS = (50, 80, 90)
YEARS_AHEAD = 15


@dataclass(frozen=True)
class Then:
    """A forecast that could have been made: a medium's series, and the year whose end it looks back from."""

    medium: str
    series: str
    origin: int


# Television has no one series of its rise. The yearly count of sets per head is taken: the shares of households come from
# two publishers decades apart.
THEN: tuple[Then, ...] = (
    Then("radio", "owid_technology_diffusion/adoption/Radio", 1930),
    Then("television", "hccta/televisions/USA", 1955),
    Then("internet", "grapher_internet_share/users_share/USA", 1998),
    Then("social", "owid_technology_diffusion/adoption/Social media usage", 2010),
)
YOUNG: Mapping[str, str] = {
    "social": "owid_technology_diffusion/adoption/Social media usage",
    "podcasting": "owid_technology_diffusion/adoption/Podcasting",
    "smartphone": "owid_technology_diffusion/adoption/Smartphone usage",
    "tablet": "owid_technology_diffusion/adoption/Tablet",
}


def ripeness(
    frames: Mapping[str, pl.DataFrame],
    series: pl.DataFrame,
    left_out: Iterable[tuple[str, str]] = (),
    subregions: Mapping[str, str] | None = None,
) -> Rows:
    """Information by age on every panel and its sensitivities, today's media on the pooled curve, and forecasts of then.

    Args:
        frames: adoption frame by launch convention; `cited` is the headline.
        series: `longwave.warehouse.reference_series.reference_frame`: all there is to learn from.
        left_out: series of record that no panel can use, with the reason.
        subregions: of places by code; a panel of many is read once more without the one of most places.

    """
    rows, references = Rows(), Histories.from_frame(series)
    pooled = _by_age(rows, frames, references, subregions or {})
    held = series.filter(pl.col("series").is_in(list(YOUNG.values()))).sort("series", "year")
    own = {then: references.take((references.info["series"] == then.series).to_numpy()) for then in THEN}
    asked = [then for then in THEN if len(own[then])]
    today = [_Fan(tuple(held["series"].unique()), YEARS_AHEAD)] if held.height else []
    # One fit an origin; fits do not know of each other.
    made = list(both(partial(_fan, references), today + [_Fan((t.series,), TARGET_AGE, t.origin) for t in asked]))
    if today:
        _today(rows, held, made.pop(0), pooled)
    for then, fan in zip(asked, made, strict=True):
        _add_then(rows, then, own[then], fan)
    rows.notes += [{"series": s, "status": why, "launch": None, "launch_convention": None} for s, why in left_out]
    return rows


def forecaster(hold_out: Literal["concept_group", "family"] = "concept_group") -> Forecaster:
    """One that has learnt nothing yet. Where a medium is to be new, its errors must be those on new media, too."""
    from longwave.models.forecasting import AdoptionForecaster  # a large library, wanted only where it is used

    return cast("Forecaster", AdoptionForecaster(seed=SEED, hold_out=hold_out))


def _fits(function: Callable[[Any], Any], things: Iterable[Any], /) -> Iterator[Any]:
    compiled()
    return map_blocks(function, things, "fits", both)


class _Remembering:
    """A forecaster whose medium is new, fitted once a process to the same references: more than one study asks for it."""

    kept: ClassVar[dict[str, Forecaster]] = {}
    most: ClassVar[int] = 8

    def fit(self, references: Histories) -> Forecaster:
        """The fitted forecaster, made now or kept; of more than ``most`` the oldest is dropped."""
        key = references.digest()
        fitted = self.kept.get(key) or forecaster("family").fit(references)
        self.kept[key] = fitted
        for oldest in list(self.kept)[: -self.most]:
            self.kept.pop(oldest, None)
        return fitted


def of_new_media() -> Forecaster:
    """One that has learnt nothing yet, for media that are to be new; what it learns is kept for the next study that asks."""
    return cast("Forecaster", _Remembering())


# --- information by age


@dataclass(frozen=True)
class _Variant:
    """One sample scored in one mode: its label in the findings, and which of the numbers are kept."""

    label: str
    sample: FixedSample
    n_boot: int = N_BOOT
    beside: bool = False


def _by_age(
    rows: Rows, frames: Mapping[str, pl.DataFrame], references: Histories, subregions: Mapping[str, str]
) -> RipenessResult:
    """Every variant of every mode; the headline's result comes back."""
    headline: RipenessResult | None = None
    for mode in MODES:
        variants = list(_variants(mode, frames))
        asked = [questions(variant.sample, references) for variant in variants]
        make = of_new_media if mode == HEADLINE else forecaster
        made = {PRIMARY: answers(pl.concat(asked), references, make, mode=mode, over=_fits)}
        own = {name: own_answers(asked[0], references, name) for name in OWN_HISTORY}
        for variant, questioned in zip(variants, asked, strict=True):
            answered = made | own if variant.beside else made
            table = windows(variant.sample, references, questioned, answered, mode=mode)
            result = information_by_age(variant.sample, table, n_boot=variant.n_boot, seed=SEED)
            _add_ripeness(rows, result, variant.label, variant.sample.target_age)
            if variant.label == HEADLINE:
                _add_series(rows, frames["cited"], result)
                _add_without_largest(rows, variant.sample, table, subregions)
                headline = result
    assert headline is not None
    return headline


def _add_without_largest(rows: Rows, sample: FixedSample, table: pl.DataFrame, subregions: Mapping[str, str]) -> None:
    """Information and readable age of each panel without the subregion of most places (of equals, the first by name)."""
    label = f"{HEADLINE}, {WITHOUT_LARGEST}"
    within = sample.series.select("series", "panel", region=pl.col("place").replace_strict(subregions, default=None))
    for (panel,), part in within.drop_nulls("region").sort("panel").group_by("panel", maintain_order=True):
        sizes = part.group_by("region").len().sort("len", "region", descending=[True, False])
        if sizes.height < 2:  # one region is the whole panel
            continue
        largest = sizes["region"][0]
        kept = part.filter(pl.col("region") != largest)["series"].implode()
        rest = replace(sample, series=sample.series.filter(pl.col("series").is_in(kept)))
        scored = information_by_age(rest, table.filter(pl.col("series").is_in(kept)), n_boot=N_BOOT, seed=SEED)
        for row in scored.by_age.filter(pl.col("forecaster") == PRIMARY).iter_rows(named=True):
            ends = {"lo": row["information_mse_lo"], "hi": row["information_mse_hi"], "level": 0.95}
            rows.finding(
                str(panel),
                "information_mse",
                label,
                k=row["age"],
                horizon=sample.target_age,
                estimate=row["information_mse"],
                unit=UNIT_INFORMATION,
                n=row["n_series"],
                n_clusters=row["n_clusters"],
                note=f"without {largest}",
                **ends,
            )
        _add_readable(rows, scored, label, f"without {largest}")


def _variants(mode: Mode, frames: Mapping[str, pl.DataFrame]) -> Iterator[_Variant]:
    """The headline's sample first; the sensitivities belong to its mode."""
    yield _Variant(mode, fixed_sample(frames["cited"], TARGET_AGE), beside=mode == HEADLINE)
    if mode != HEADLINE:
        return
    for convention in CONVENTIONS[1:]:
        yield _Variant(f"{mode}, {convention}", fixed_sample(frames[convention], TARGET_AGE))
    for target in OTHER_TARGETS:
        yield _Variant(f"{mode}, target {target}", fixed_sample(frames["cited"], target))


def _add_ripeness(rows: Rows, result: RipenessResult, mode: str, target_age: int) -> None:
    for row in result.by_age.iter_rows(named=True):
        primary = row["forecaster"] == PRIMARY
        if row["forecaster"] == CLIMATOLOGY:
            continue
        label = mode if primary else f"{mode}/{row['forecaster']}"
        size = {"n": row["n_series"], "n_clusters": row["n_clusters"]}
        for measure in ("information_mse", "information_mae"):
            ends = {"lo": row[f"{measure}_lo"], "hi": row[f"{measure}_hi"], "level": 0.95, "unit": UNIT_INFORMATION}
            if primary:
                where = {"k": row["age"], "horizon": target_age}
                rows.finding(row["panel"], measure, mode, estimate=row[measure], **where, **ends, **size)
            rows.curve(row["panel"], measure, label, "age", row["age"], y=row[measure], n=row["n_clusters"], **ends)
        if primary:
            _add_errors(rows, row, mode)
    learnt = result.windows.filter(pl.col("forecaster") == PRIMARY).group_by("panel", "age")
    for measure, unit in (("n_references", "series"), ("n_climatology", "concept groups")):
        for panel, age, n in learnt.agg(pl.col(measure).median()).sort("panel", "age").iter_rows():
            rows.curve(panel, measure, mode, "age", age, y=n, unit=unit)
    _add_pooled(rows, result, mode, target_age)
    _add_readable(rows, result, mode)


def _add_readable(rows: Rows, result: RipenessResult, mode: str, said: str | None = None) -> None:
    for row in result.readable.filter(pl.col("forecaster") == PRIMARY).iter_rows(named=True):
        ends = {"estimate": row["age"], "lo": row["lo"], "hi": row["hi"], "level": 0.95}
        size = {"n": row["n_series"], "n_clusters": row["n_clusters"]}
        note = "; ".join(part for part in (said, _readable_note(row)) if part) or None
        rows.finding(row["panel"], "readable_age", mode, unit="years since launch", note=note, **ends, **size)


def _readable_note(row: Mapping[str, Any]) -> str | None:
    """Why there is no readable age, or that its intervals do not hold what they promise."""
    if row["coverage_valid"] is False:
        return "the 80 % intervals behind it do not hold 80 % of outcomes"
    note: str | None = row["reason"]
    return note


def _add_pooled(rows: Rows, result: RipenessResult, mode: str, target_age: int) -> None:
    """The equal average of the panels of enough clusters; n counts their series, n_clusters their clusters."""
    sizes = _pooled_sizes(result)
    for row in result.pooled.filter(pl.col("forecaster") == PRIMARY).iter_rows(named=True):
        n, n_clusters = sizes[row["age"]]
        for measure in ("information_mse", "information_mae"):
            same = {"lo": row[f"{measure}_lo"], "hi": row[f"{measure}_hi"], "level": 0.95, "unit": UNIT_INFORMATION}
            where = {"k": row["age"], "horizon": target_age, "note": f"{row['n_panels']} panels"}
            rows.finding("pooled", measure, mode, estimate=row[measure], n=n, n_clusters=n_clusters, **where, **same)
            rows.curve("pooled", measure, mode, "age", row["age"], y=row[measure], n=n_clusters, **same)


def _pooled_sizes(result: RipenessResult) -> dict[int, tuple[int, int]]:
    """Series and clusters behind the pooled curve, by age."""
    enough = result.by_age.filter(pl.col("forecaster") == PRIMARY, pl.col("n_clusters") >= MIN_CLUSTERS)
    return {age: (n, m) for age, n, m in enough.group_by("age").agg(pl.col("n_series", "n_clusters").sum()).iter_rows()}


def _add_errors(rows: Rows, row: Mapping[str, Any], mode: str) -> None:
    unit = "points" if row["unit_class"] == "share" else "natural logarithms"
    for measure in ("median_error", "clim_median_error", "median_width_80"):
        rows.curve(row["panel"], measure, mode, "age", row["age"], y=row[measure], n=row["n_clusters"], unit=unit)
    held = {"y": row["coverage_80"], "lo": row["coverage_80_lo"], "hi": row["coverage_80_hi"], "level": 0.9}
    rows.curve(
        row["panel"], "coverage_80", mode, "age", row["age"], n=row["n_clusters"], unit="share of outcomes", **held
    )


def _add_series(rows: Rows, frame: pl.DataFrame, result: RipenessResult) -> None:
    reasons = dict(result.exclusions.select("series", "reason").iter_rows())
    launches = frame.group_by("series").agg(pl.col("launch", "launch_convention").first()).sort("series")
    for series, launch, convention in launches.iter_rows():
        status = reasons.get(series, "used")
        rows.notes.append({"series": series, "status": status, "launch": launch, "launch_convention": convention})


# --- today's media


@dataclass(frozen=True)
class _Fan:
    """Series to forecast so many years ahead, today or as of the end of a year."""

    series: tuple[str, ...]
    years_ahead: int
    origin: int | None = None


def _fan(references: Histories, asked: _Fan) -> pl.DataFrame:
    return fans(references, asked.series, forecaster, years_ahead=asked.years_ahead, origin=asked.origin)


def _today(rows: Rows, held: pl.DataFrame, made: pl.DataFrame, result: RipenessResult) -> None:
    """Age, ripeness and fan of today's media that have a verified launch. ``held``: their figures; ``made``: their fans."""
    pooled = result.pooled.filter(pl.col("forecaster") == PRIMARY).sort("age")
    for medium, name in YOUNG.items():
        own = held.filter(pl.col("series") == name)
        if not own.is_empty():
            launch, convention = own.select("launch", "launch_convention").row(0)
            cited = int(launch) if convention == "cited" and launch is not None else None
            _add_observed(rows, medium, TODAY, own)
            _add_fan(rows, medium, TODAY, made.filter(pl.col("series") == name))
            _add_ripe(rows, medium, cited, int(own["year"][-1]), pooled, _pooled_sizes(result))


def _add_ripe(
    rows: Rows, medium: str, launch: int | None, last: int, pooled: pl.DataFrame, sizes: Mapping[int, tuple[int, int]]
) -> None:
    """Ripeness at the age its figures reach, and the year from which a medium can be read.

    Figures that reach the target age show the level there: no share of it is left to know, so none is given.
    """
    if launch is None or pooled.is_empty():
        why = "no verified launch year: no ripeness" if launch is None else "no pooled curve"
        rows.finding(medium, "ripeness", HEADLINE, n=0, unit=UNIT_INFORMATION, note=why)
        return
    age, oldest = last - launch, int(pooled["age"][-1])
    row = pooled.filter(pl.col("age") == min(age, oldest)).row(0, named=True)
    n, n_clusters = sizes[row["age"]]
    note = f"its figures end in {last}"
    size: dict[str, Any] = {"n": n, "n_clusters": n_clusters}
    ends = {"estimate": row["information_mse"], "lo": row["information_mse_lo"], "hi": row["information_mse_hi"]}
    if age >= TARGET_AGE:
        note, ends = f"its figures end in {last}, at age {age}: its level at age {TARGET_AGE} has been seen", {}
    elif age > oldest:
        note += f", at age {age}: the curve ends at age {oldest}"
    rows.finding(
        medium,
        "ripeness",
        HEADLINE,
        k=age,
        horizon=TARGET_AGE,
        level=0.95 if ends else None,
        unit=UNIT_INFORMATION,
        note=note,
        **ends,
        **size,
    )
    columns = ("information_mse", "information_mse_lo", "information_mse_hi")
    known, low, high = (pooled[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in columns)
    ripe: Ripe = ripe_at(known, low, high)
    years = {
        name: None if at is None else launch + at
        for name, at in (("estimate", ripe.age), ("lo", ripe.lo), ("hi", ripe.hi))
    }
    said = f"information {READABLE_FROM} on the pooled curve"
    note = said if ripe.age is not None else f"{said}: not reached by age {oldest}"
    rows.finding(medium, "readable_year", HEADLINE, unit="calendar year", level=0.95, note=note, **years, **size)


# --- forecasts of then


def _add_then(rows: Rows, then: Then, own: Histories, made: pl.DataFrame) -> None:
    """One medium's forecast of then, its observations, and some of its years in numbers."""
    observed = own.to_frame().filter(pl.col("year") <= then.origin + TARGET_AGE)
    made = made.filter(pl.col("year") <= observed["year"].max())
    if made.is_empty():
        return
    launch = own.info["launch"][0]
    _add_observed(rows, then.medium, AS_OF, observed)
    _add_fan(rows, then.medium, AS_OF, made)
    outcomes = dict(observed.select("year", "value").iter_rows())
    for row in made.filter(pl.col("year").is_in(_spoken(then.origin, launch))).iter_rows(named=True):
        _add_spoken(rows, then, row, launch, outcomes.get(row["year"]))


def _spoken(origin: int, launch: int | None) -> list[int]:
    """The years said in numbers: five, ten and fifteen years on, and the year of the target age."""
    return [origin + 5, origin + 10, origin + 15, *([] if launch is None else [launch + TARGET_AGE])]


def _add_spoken(rows: Rows, then: Then, row: Mapping[str, Any], launch: int | None, actual: float | None) -> None:
    since = 0 if launch is None else launch
    where = {"k": then.origin - since, "horizon": row["year"] - since, "n": 1, "unit": _unit(then.series)}
    ends = {"lo": row["lo80"], "hi": row["hi80"], "level": 0.8}
    note = f"said at the end of {then.origin} of {row['year']}, from {row['n_references']} series"
    rows.finding(then.medium, "forecast", AS_OF, estimate=row["point"], note=note, **where, **ends)
    if actual is not None:
        rows.finding(then.medium, "outcome", AS_OF, estimate=actual, note=f"observed in {row['year']}", **where)


def _unit(series: str) -> str:
    return "sets per 100 people" if series.startswith("hccta/") else "points"


def _add_observed(rows: Rows, medium: str, mode: str, own: pl.DataFrame) -> None:
    for row in own.iter_rows(named=True):
        rows.curve(medium, "level", mode, "year", row["year"], y=row["value"], unit=_unit(row["series"]))


def _add_fan(rows: Rows, medium: str, mode: str, made: pl.DataFrame) -> None:
    for row in made.iter_rows(named=True):
        for level in LEVELS:
            ends = {"lo": row[f"lo{level}"], "hi": row[f"hi{level}"], "level": level / 100}
            unit = _unit(row["series"])
            rows.curve(medium, f"forecast_{level}", mode, "year", row["year"], y=row["point"], unit=unit, **ends)
