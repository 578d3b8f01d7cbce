"""`longwave assess`: a user's file in, the answer out, as the document that --json writes.

Belongs here: the order of the steps and the shape of the document. Not here: reading (`intake_series`), arithmetic
(`longwave.models.assess`), words and pictures (`longwave.reports.assess`).

The document: version, command, input (file, unit and where it is from, ceiling, launch_from, horizon, series,
observations, learnt_from), series (one an assessed series: series, launch, age, last, forecast, settled_level, ripeness,
leans_on, warnings, curves), warnings. Numbers are in the unit of the file. What is not known is null: a forecast's bound that the
references are too few for, ripeness without a launch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longwave.models.assess import (
    LEVELS,
    Assessment,
    Fan,
    Forecaster,
    InformationCurve,
    Ripeness,
    assess,
    horizon_warnings,
)
from longwave.pipelines.intake import refused
from longwave.pipelines.intake_series import SeriesFile, Unit, read_series
from longwave.pipelines.learnt import Learnt, fitted, learnt
from longwave.warehouse.home import Home

Json = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """The document, what was observed by series ((year, value) pairs), and the curve that ripeness is read off."""

    document: Json
    observed: dict[str, list[tuple[int, float]]]
    curve: InformationCurve | None


def answer(
    home: Home,
    path: Path,
    *,
    unit: Unit | None,
    ceiling: float | None,
    launch: int | None,
    horizon: int,
    told: Callable[[str], None] = lambda _: None,
) -> Answer:
    """Assess the series of a user's file.

    Raises:
        NoSuchFile, Refused, TwoLaunches: as `intake_series.read_series`.
        UnusableHome: nothing is recorded in the home yet.

    """
    given = read_series(path, unit=unit, ceiling=ceiling, launch=launch)
    taught = learnt(home, told)
    frame = given.frame.select("series", "year", "value", "launch")
    found = assess(
        frame,
        taught.forecaster,
        ceiling=given.ceiling,
        references=taught.references,
        curve=taught.curve,
        horizon=horizon,
        without=lambda groups: _without(taught, groups, told),
    )
    if all(each.forecast is None for each in found):
        remedy = "give more years; a trend cannot be seen in one"
        raise refused(given.name, "observations", "a series with at least two values", "none", remedy)
    return Answer(
        document=_document(given, taught, found, horizon),
        observed={each.series: list(zip(each.years.tolist(), each.values.tolist(), strict=True)) for each in found},
        curve=taught.curve,
    )


def _without(taught: Learnt, groups: frozenset[str], told: Callable[[str], None]) -> Forecaster:
    """What would have been learnt without some concept groups."""
    told("figures of the warehouse are among the given: learning without them …")
    kept = ~taught.references.info["concept_group"].is_in(list(groups)).to_numpy()
    return fitted(taught.references.take(kept))


def _document(given: SeriesFile, taught: Learnt, found: list[Assessment], horizon: int) -> Json:
    return {
        "version": 1,
        "command": "assess",
        "input": {
            "file": given.name,
            "unit": given.unit,
            "unit_from": given.unit_from,
            "ceiling": given.ceiling,
            "launch_from": given.launch_from,
            "horizon": horizon,
            "series": len(found),
            "observations": given.frame.height,
            "learnt_from": {
                "series": len(taught.references),
                "newest_vintage": taught.newest_vintage,
                "sha256": taught.references.digest(),
            },
        },
        "series": [_series(each, given.notes.get(each.series, ())) for each in found],
        "warnings": [*given.warnings, *horizon_warnings(horizon)],
    }


def _series(each: Assessment, notes: tuple[str, ...]) -> Json:
    return {
        "series": each.series,
        "launch": each.launch,
        "age": each.age,
        "last": {"year": int(each.years[-1]), "value": _number(each.values[-1])},
        "forecast": [] if each.forecast is None else rows_of(each.forecast),
        "settled_level": None if each.settled is None else rows_of(each.settled)[0],
        "ripeness": None if each.ripeness is None else _ripeness(each.ripeness),
        "leans_on": [{"series": name, "weight": _number(weight)} for name, weight in each.leans_on],
        "warnings": [*notes, *each.warnings],
        "curves": [
            {
                "curve": said.name,
                "weight": _number(said.weight),
                "ceiling": _number(said.ceiling),
                "settled_level": _number(said.level),
            }
            for said in each.curves
        ],
    }


def rows_of(fan: Fan) -> list[Json]:
    """A fan as the document has it: year, point, intervals by level."""
    return [
        {
            "year": int(year),
            "point": _number(fan.point[place]),
            "intervals": {
                f"{level:g}": [_number(fan.lower[level][place]), _number(fan.upper[level][place])] for level in LEVELS
            },
        }
        for place, year in enumerate(fan.years)
    ]


def _ripeness(ripeness: Ripeness) -> Json:
    return {
        "information": _number(ripeness.information),
        "interval": [_number(ripeness.lo), _number(ripeness.hi)],
        "readable_year": ripeness.readable_year,
    }


def _number(value: float) -> float | None:
    """A number to eight figures, null where there is none."""
    return float(f"{value:.8g}") if math.isfinite(value) else None
