"""How a medium was taken up: which rows of the results the figures of its page are drawn from, and the words beside them."""

from __future__ import annotations

import re

import polars as pl
from longwave.models.hindsight import TARGET_AGE
from longwave.pipelines.find_hindsight import EVERY_YEAR
from longwave.pipelines.told import REFERENCE, TITLES, Studied, named, was
from longwave.reports import palette
from longwave.reports.content import FigureBlock
from longwave.reports.figures import adoption, spread
from longwave.warehouse.panels import ADOPTION_LINES

TAKEN_UP = "How it was taken up"
MIXED = "% of households, adults or people"
FEWEST = 15
"""Places under which their spread is not drawn."""
NAMED = 4
"""Technologies that are named in the picture."""
HALF = 50.0
COMPLETE = 0.8
"""Part of the places of the year before with which a year at the end counts as complete."""
_DENOMINATORS = "Denominators differ and stand in each label: read the shape, not the height. "
_LAUNCHES = "Launch years are cited where verified; elsewhere the first year at or over 1 % stands in."


def taken_up(name: str, found: Studied, lines: pl.DataFrame) -> list[FigureBlock]:
    """The lines of a medium in the United States, and how places spread, where there are enough; or the technologies beside."""
    made = [_own_lines(name, lines), _spread(name, found)]
    return [block for block in made if block is not None]


def _both_axes(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows with year, age (null: no launch), label, kind, value, flag, unit: one row a point and axis, as `spread` draws."""
    parts = [
        frame.filter(pl.col(axis).is_not_null()).with_columns(axis=pl.lit(axis), x=pl.col(axis).cast(pl.Float64))
        for axis in ("year", "age")
    ]
    none = pl.lit(None, pl.Float64)
    return pl.concat(parts).with_columns(lo=none, hi=none, n=pl.lit(1, pl.Int64))


def _own_lines(name: str, lines: pl.DataFrame) -> FigureBlock | None:
    """The lines of a medium in the United States, with their breaks marked."""
    own = lines.filter(pl.col("medium") == name)
    if own.is_empty():
        return None
    frame = _both_axes(own.with_columns(kind=pl.lit("line"))).select(*spread.COLUMNS, "source")
    drawn = set(own["label"])
    return FigureBlock(
        id=f"{name}-adoption",
        heading=TAKEN_UP,
        figure=spread.both_axes(
            frame.drop("source"),
            medium=name,
            title=_own_title(name, own),
            subtitle="United States; per 100 of what each label names, by year and by years since launch",
        ),
        frame=frame,
        alt=f"The share or number of users of {named(name)} in the United States, by calendar year and by years since launch.",
        note=f"{_DENOMINATORS if own['label'].n_unique() > 1 else ''}A cross marks a listed break.",
        source_ids=own["source"].unique(maintain_order=True).to_list(),
        unit="per 100 of what the label names",
        n=f"{own['label'].n_unique()} series" if own["label"].n_unique() > 1 else "one series",
        line_columns=("label", "axis"),
        series=[f"{line.source}/{line.measure}/{line.adopter}" for line in ADOPTION_LINES if line.label in drawn],
    )


def _own_title(name: str, own: pl.DataFrame) -> str:
    """When half had it, where one series says so."""
    years = re.findall(r"\d{4}", adoption.half_sentence(own, "year"))
    return (
        f"{TITLES[name]} in the United States: half had it by {years[0]}"
        if len(years) == 1
        else f"How {named(name)} {was(name)} taken up in the United States"
    )


def _spread(name: str, found: Studied) -> FigureBlock | None:
    """How places, or technologies, spread: the median of all and the middle 80 %, the United States and the world beside."""
    own = found.series.filter(pl.col("page") == name)
    counted = own.group_by("words").agg(pl.len().alias("series")).sort("series", "words", descending=[True, False])
    if counted.is_empty() or (counted["series"][0] < FEWEST and name != REFERENCE):
        return None
    chosen = own if name == REFERENCE else own.filter(pl.col("words") == counted["words"][0])
    levels = found.levels.join(chosen.select("series", "label", "place", "launch", "source", "adopter"), on="series")
    levels = levels.with_columns(age=pl.col("year") - pl.col("launch")).with_columns(
        age=pl.when(pl.col("age") >= 0).then("age"),
        flag=pl.lit(None, pl.String),
        unit=pl.lit(MIXED if name == REFERENCE else str(counted["words"][0])),
    )
    if name == REFERENCE:
        return _technologies(levels)
    among, beside = levels.filter(pl.col("place") != "WLD"), levels.filter(pl.col("place").is_in(EVERY_YEAR))
    own_lines = _both_axes(beside.with_columns(kind=pl.lit("line"))).select(*spread.COLUMNS)
    return _of_places(name, pl.concat([own_lines, _middle(among)], how="vertical_relaxed"), among)


def _technologies(levels: pl.DataFrame) -> FigureBlock:
    """The technologies beside, each a line; those of most figures are named."""
    most = levels.group_by("label").len().sort("len", "label", descending=[True, False])["label"].head(NAMED)
    kind = pl.when(pl.col("label").is_in(most.implode())).then(pl.lit("line")).otherwise(pl.lit("thin"))
    frame = _both_axes(levels.with_columns(kind=kind)).select(*spread.COLUMNS)
    n = levels["series"].n_unique()
    return FigureBlock(
        id=f"{REFERENCE}-places",
        heading=TAKEN_UP,
        figure=spread.both_axes(
            frame,
            medium=REFERENCE,
            title=_half_title(levels),
            subtitle=f"{MIXED}, United States, by year and since launch",
        ),
        frame=frame,
        alt=f"Lines of {n} technologies in the United States, by calendar year and by years since launch.",
        note=f"A line is a technology; each has its name where it is pointed at, and in the table. {_LAUNCHES}",
        source_ids=levels["source"].unique().sort().to_list(),
        unit=MIXED,
        n=f"{n} technologies",
        line_columns=("label", "axis"),
    )


def _half_title(levels: pl.DataFrame) -> str:
    """How long the technologies took from launch to half, of those that were seen to pass it."""
    early = levels.filter(pl.col("value").sort_by("year").first().over("series") < HALF, pl.col("age").is_not_null())
    taken = early.filter(pl.col("value") >= HALF).group_by("series").agg(pl.col("age").min())["age"].sort()
    if taken.is_empty():
        return "How reference technologies were taken up"
    return (
        f"From launch to half it took {taken[0]} to {taken[-1]} years; "
        f"the middle one of {len(taken)} technologies, {taken[len(taken) // 2]}"
    )


def _middle(levels: pl.DataFrame) -> pl.DataFrame:
    """Median and middle 80 % by year and by age, where at least ``FEWEST`` are counted."""
    parts = []
    for axis in ("year", "age"):
        by = levels.filter(pl.col(axis).is_not_null()).group_by(x=pl.col(axis).cast(pl.Float64))
        quantiles = by.agg(
            pl.col("unit").first(),
            value=pl.col("value").median(),
            lo=pl.col("value").quantile(0.1, "linear"),
            hi=pl.col("value").quantile(0.9, "linear"),
            n=pl.len().cast(pl.Int64),
        )
        counted = quantiles.filter(pl.col("n") >= FEWEST).with_columns(axis=pl.lit(axis)).sort("x")
        parts.append(_complete(counted) if axis == "year" else counted)
    named = {"label": "median of places, with the middle 80\u202f%", "kind": "spread"}
    whole = pl.concat(parts).with_columns(flag=pl.lit(None, pl.String), **{n: pl.lit(v) for n, v in named.items()})
    return whole.select(spread.COLUMNS)


def _complete(counted: pl.DataFrame) -> pl.DataFrame:
    """Years up to the last complete one: those at the end with fewer than 80 % of the places of the year before are cut."""
    while counted.height > 1 and counted["n"][-1] < COMPLETE * counted["n"][-2]:
        counted = counted.head(-1)
    return counted


def _of_places(name: str, frame: pl.DataFrame, among: pl.DataFrame) -> FigureBlock:
    n, unit = among["series"].n_unique(), str(among["unit"][0])
    said = f"{unit[0].upper()}{unit[1:]}, by year and by years since launch"
    return FigureBlock(
        id=f"{name}-places",
        heading=TAKEN_UP,
        figure=spread.both_axes(frame, medium=name, title=_spread_title(frame), subtitle=said),
        frame=frame,
        alt=f"Levels of {named(name)} in {n} places: the median and the middle 80 %, by calendar year and by years since launch.",
        note=(
            f"Median and middle 80 % of the places that have a figure of that year or age, where these are at least {FEWEST}: "
            f"which places they are changes along the axis, and years at the end that few have reported are left out. {_LAUNCHES}"
        ),
        source_ids=among["source"].unique().sort().to_list(),
        unit=unit,
        n=f"{n} places",
        line_columns=("label", "axis"),
    )


def _spread_title(frame: pl.DataFrame) -> str:
    """What the middle was at the target age, or at the age nearest to it."""
    middle = frame.filter(pl.col("kind") == "spread", pl.col("axis") == "age")
    if middle.is_empty():
        return "Few have figures of the same age: no spread is drawn"
    row = middle.sort((pl.col("x") - TARGET_AGE).abs(), "x").row(0, named=True)
    percent = "\u202f%" if str(row["unit"]).startswith("%") else ""
    unit = percent or f" {row['unit']}"
    return (
        f"At age {row['x']:.0f} half of {row['n']} places had reached {palette.two_figures(row['value'])}{unit}; "
        f"the middle 80\u202f% lay at {palette.span(row['lo'], row['hi'])}{percent}"
    )
