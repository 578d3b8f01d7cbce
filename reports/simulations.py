"""What simulations with a known truth found of each model: the table of the methods page, and its CSV.

Belongs here: rows of the record -> cells and sentences. Not here: judging what was found (`tests/study/simulations.py` does, and
the record says), drawing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import polars as pl
from longwave.reports.palette import EN_DASH, NOTHING, THIN_SPACE, exact, integer

FILE = "simulations.csv"
COLUMNS = (
    "model",
    "estimand",
    "simulated",
    "assumptions",
    "unit",
    "truths",
    "truth_lowest",
    "truth_highest",
    "worlds",
    "figures",
    "replicates_least",
    "replicates_most",
    "gave_least",
    "bias_percent_lowest",
    "bias_percent_highest",
    "bias_at_0_lowest",
    "bias_at_0_highest",
    "asked_bias_percent",
    "of_bias",
    "level_lowest",
    "level_highest",
    "asked_points",
    "coverage_lowest",
    "coverage_highest",
    "chance_points",
    "of_coverage",
    "rate",
    "wrong_lowest",
    "wrong_highest",
    "of_rate",
    "stands",
    "files",
    "seed",
    "commit",
)
LISTS = ("biased", "too_low", "too_high", "too_many", "too_few")
"""Of each, two columns: which figures are outside (`_in`), the farthest first, and what they are (`_by`)."""
STANDS = {
    "outside": "Outside",
    "cautious": "Cautious only",
    "few replicates": "Too few replicates",
    "within": "Within",
}
PERCENT = f"{THIN_SPACE}%"
TO = f"{EN_DASH}\u2060"  # with a word joiner: a range is not parted at the end of a line
BEYOND = 1e6
"""Percent of the truth, from which on a mean is told by its order alone."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Simulated:
    """What all studies found.

    ``asked``: of all of them, ``bias_percent``, ``points`` of coverage about its level, ``part_of_rate``, ``replicates``;
    ``studies``: one row an estimand of a study (`COLUMNS`, and of each of `LISTS` two), neighbours of one model together.
    """

    asked: Mapping[str, float] = field(default_factory=dict)
    studies: pl.DataFrame = field(default_factory=pl.DataFrame)


def faults(simulated: Simulated) -> list[str]:
    """Columns that are missing, and ways to stand that have no words."""
    if simulated.studies.is_empty():
        return []
    wanted = (*COLUMNS, *(f"{name}_{part}" for name in LISTS for part in ("in", "by")))
    lacking = [name for name in wanted if name not in simulated.studies.columns]
    if lacking:
        return [f"simulations: no column {', '.join(lacking)}; write the record anew with `make study`"]
    unknown = sorted({str(word) for word in simulated.studies["stands"]} - set(STANDS))
    return [f"simulations: {word!r} is no way to stand; known: {', '.join(STANDS)}" for word in unknown]


def files(simulated: Simulated) -> dict[str, str]:
    """The CSV below ``data/``: every column, the lists as text, each figure outside with what it is."""
    rows = [
        {name: row[name] for name in COLUMNS} | {name: "; ".join(_pairs(row, name)) for name in LISTS}
        for row in simulated.studies.iter_rows(named=True)
    ]
    return {f"data/{FILE}": pl.DataFrame(rows, infer_schema_length=None).write_csv()} if rows else {}


def _pairs(row: Row, name: str) -> list[str]:
    return [
        f"{figure} = {'no mean' if value is None else value}"
        for figure, value in zip(row[f"{name}_in"], row[f"{name}_by"], strict=True)
    ]


def view(simulated: Simulated) -> dict[str, Any] | None:
    """What the page shows: sentences above, and by model its rows; None where nothing is held."""
    if simulated.studies.is_empty():
        return None
    rows = list(simulated.studies.iter_rows(named=True))
    return {
        "said": _said(rows, simulated.asked),
        "models": [
            (model, [_shown(row, simulated.asked) for row in own])
            for model, own in groupby(rows, key=lambda row: str(row["model"]))
        ],
        "file": FILE,
    }


def _said(rows: Sequence[Row], asked: Mapping[str, float]) -> list[str]:
    """How to read the table, what was asked, and how many rows are outside."""
    count = {name: sum(row["stands"] == name for row in rows) for name in STANDS}
    astray = sum(row["stands"] == "outside" and row["assumptions"] == "broken" for row in rows)
    points, around = asked["points"], 0.05 * asked["part_of_rate"]
    few, fewer = count["few replicates"], sum(row["replicates_least"] < asked["replicates"] for row in rows)
    read = (
        "A row is one quantity of one study in made-up worlds whose answer is known. From the lowest to the highest of all its "
        "worlds, rounded outward, it says how far estimates are off on average (in percent of the truth; where that is 0, in "
        "their own unit), how often intervals hold the truth, and how often something is told where nothing is there."
    )
    limits = (
        f"Asked are a bias under {exact(asked['bias_percent'])} % of the truth, intervals of 95 % that hold it in "
        f"{exact(95 - points)} to {exact(95 + points)} % of cases (of another level, within {exact(points)} points of it), "
        f"tests whose false alarms are 0.05 ± {exact(around)} (of another rate, within {exact(100 * asked['part_of_rate'])} % of "
        f"it), and at least {integer(asked['replicates'])} replicates; a study that fixed other limits beforehand is held to "
        "those. “Cautious only” is outside in nothing but intervals that hold too often or false alarms that are too few. The "
        "chance of the simulation is not allowed for; one standard error of it stands beside each coverage."
    )
    outside = (
        f"Of {len(rows)} rows {count['outside']} are outside what was asked; in {astray} of these something does not hold that "
        f"the model takes for granted. Of the others {count['cautious']} are cautious only, {few} "
        f"{'has' if few == 1 else 'have'} nothing against {'it' if few == 1 else 'them'} but too few replicates, and "
        f"{count['within']} are within all that was asked; in all {fewer} rest on fewer replicates than that."
    )
    return [read, limits, outside]


def _shown(row: Row, asked: Mapping[str, float]) -> dict[str, Any]:
    """The cells of one row."""
    return {
        "estimand": row["estimand"],
        "simulated": f"{row['simulated'][:1].upper()}{row['simulated'][1:]}.",
        "whence": _whence(row),
        "truth": _truth(row),
        "worlds": _worlds(row),
        "bias": _bias(row),
        "coverage": _coverage(row),
        "wrong": _wrong(row, asked),
        "stands": STANDS[row["stands"]],
        "outside": _outside(row, asked),
    }


def _whence(row: Row) -> str:
    first, *more = str(row["files"]).split(", ")
    code = ", ".join(commit[:7] for commit in str(row["commit"]).split(", "))
    return f"{first}{f' and {len(more)} more' if more else ''}, seed {row['seed']}, code {code}"


def _truth(row: Row) -> str:
    if row["truth_lowest"] is None:
        return str(row["truths"]) or NOTHING
    low, high = exact(row["truth_lowest"], 3), exact(row["truth_highest"], 3)
    joined = low if low == high else f"{low} to {high}"
    return f"{joined} {row['unit']}".strip()


def _worlds(row: Row) -> str:
    """How much it rests on."""
    worlds, figures = row["worlds"], row["figures"]
    said = f"{integer(worlds)} world{'' if worlds == 1 else 's'}"
    if figures > worlds:
        said += f", {integer(figures)} figures"
    least, most = integer(row["replicates_least"]), integer(row["replicates_most"])
    said += f", {least if least == most else f'{least} to {most}'} replicates each"
    if row["gave_least"] is not None and row["gave_least"] < 1:
        said += f"; at least {exact(_down(100 * row['gave_least']))}{PERCENT} gave a figure"
    return said


def _bias(row: Row) -> str:
    parts = []
    if row["of_bias"]:
        parts.append(f"{_range(row['bias_percent_lowest'], row['bias_percent_highest'])}{PERCENT}")
    if row["bias_at_0_lowest"] is not None:
        low, high = exact(row["bias_at_0_lowest"], 3), exact(row["bias_at_0_highest"], 3)
        parts.append(f"{low if low == high else f'{low} to {high}'} where the truth is 0")
    return "; ".join(parts)


def _coverage(row: Row) -> str:
    if not row["of_coverage"]:
        return ""
    held = _range(100 * row["coverage_lowest"], 100 * row["coverage_highest"])
    low, high = 100 * row["level_lowest"], 100 * row["level_highest"]
    points, chance = row["asked_points"], exact(_up(row["chance_points"]))
    if low == high:
        asked = f"asked {exact(round(low - points, 2))}{TO}{exact(round(low + points, 2))}"
    else:
        asked = f"of {_range(low, high)}, asked within {exact(points)} points"
    return f"{held}{PERCENT} ({asked}; chance ±{THIN_SPACE}{chance})"


def _wrong(row: Row, asked: Mapping[str, float]) -> str:
    if not row["of_rate"]:
        return ""
    rate, part = 100 * row["rate"], asked["part_of_rate"]
    told = _range(100 * row["wrong_lowest"], 100 * row["wrong_highest"])
    return f"{told}{PERCENT} (asked {exact(round(rate * (1 - part), 2))}{TO}{exact(round(rate * (1 + part), 2))})"


_WORDS = {
    "biased": ("Bias of {limit}\u202f% or more in {n} of {of}", "of_bias", 1),
    "too_low": ("Intervals hold too seldom in {n} of {of}", "of_coverage", 100),
    "too_high": ("Intervals hold too often in {n} of {of}", "of_coverage", 100),
    "too_many": ("False alarms too often in {n} of {of}", "of_rate", 100),
    "too_few": ("False alarms too seldom in {n} of {of}", "of_rate", 100),
}


def _outside(row: Row, asked: Mapping[str, float]) -> list[str]:
    """A sentence a way in which it is outside, each with how many figures and the one that is farthest out."""
    said = []
    for name, (words, of, scale) in _WORDS.items():
        if figures := row[f"{name}_in"]:
            limit = exact(row["asked_bias_percent"])
            counted = words.format(limit=limit, n=integer(len(figures)), of=integer(row[of]))
            said.append(f"{counted}; farthest: {figures[0]} ({_value(row[f'{name}_by'][0], scale)}).")
    if row["replicates_least"] < asked["replicates"]:
        said.append(f"{integer(row['replicates_least'])} replicates, not {integer(asked['replicates'])}.")
    return said


def _value(value: float | None, scale: int) -> str:
    if value is None:
        return "no mean"
    return f"{_percent(round(scale * value, 2))}{PERCENT}"


def _range(low: float | None, high: float | None) -> str:
    """A range in percent, rounded outward to a tenth; one number as it is."""
    if low is None or high is None:
        return NOTHING
    if low == high:
        return _percent(round(low, 2))
    return f"{_percent(_down(low))}{TO if low >= 0 and high >= 0 else ' to '}{_percent(_up(high))}"


def _percent(value: float) -> str:
    return f"over {integer(BEYOND)}" if value > BEYOND else exact(value)


def _down(value: float) -> float:
    """To a tenth below; the sixth decimal is noise of the arithmetic."""
    return value if abs(value) > BEYOND else math.floor(round(10 * value, 5)) / 10


def _up(value: float) -> float:
    """To a tenth above."""
    return -_down(-value)
