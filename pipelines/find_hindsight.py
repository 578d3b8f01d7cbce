"""The study of what could have been said of each medium at any age: histories in, rows of the findings tables out.

What is computed is said in `longwave.models.hindsight`; here only which series are asked, at which years they are cut, and
which fits answer. The rule, chosen for the time it takes:

- The United States and the world: every year with a figure.
- Other places, and reference technologies of United States households: the ages of ``NAMED_AGES``, of series with at least
  ``LEAST`` figures and a launch (cited, or the first year at or over 1 %).

Four fits answer, each of which saw nothing of what it is asked about: radio and social media share one; the internet has one
of its own; television shares one with half of the families of reference technologies, and the other half has the fourth.
Where a medium is new, so are the errors that intervals rest on: they are those made on families left out. The fit without
the internet is the one by which ripeness is scored.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import polars as pl
from longwave.models.hindsight import COLUMNS, MODE, Hindsight, cuts, looked_back
from longwave.models.histories import Histories
from longwave.pipelines.beside import both, compiled
from longwave.pipelines.find import Rows
from longwave.pipelines.ripening import LEVELS, of_new_media
from longwave.warehouse.tables import polars_schema

STEP = "findings/hindsight"
STUDIED = ("radio", "television", "internet", "social")
HOUSEHOLDS = "us-households"
EVERY_YEAR = ("USA", "WLD")
NAMED_AGES = (1, 3, 5, 8, 12, 16, 20, 25, 30)
LEAST = 10
LEVEL, FAN, SAID, CAME = "hindsight level", "hindsight_{}", "hindsight", "hindsight outcome"
UNITS = {"share": "points", "count": "per 100 people"}
ADDED = ("step", "vintage", "code_digest")


def hindsight(series: pl.DataFrame, world: pl.DataFrame) -> tuple[Rows, pl.DataFrame]:
    """Forecasts that could have been made of every medium, next to what happened.

    Args:
        series: `longwave.warehouse.reference_series.reference_frame`: all there is to learn from.
        world: the same of series of the whole world, which are asked for and not learnt from.

    Returns:
        What is said of the target age, and what came; rows of `finding_curves` without step, vintage and digest: of each
        series its levels, and of each cut (the mode) the fan by year.

    """
    references = Histories.from_frame(series)
    everything = pl.concat([series, world]) if world.height else series
    targets = Histories.from_frame(everything)
    fits = [(targets.take(part), asked) for part, asked in _asked(targets)]

    compiled()
    # Fits do not know of each other: where they are made changes nothing but the time.
    found = list(both(partial(_answered, references), fits))
    none = pl.DataFrame(schema=COLUMNS)
    spoken = pl.concat([none, *(each.spoken for each in found)]).sort("series", "origin")
    fans = pl.concat([none, *(each.fans for each in found)])
    levels = targets.to_frame().join(fans.unique("series"), on="series", how="semi")
    rows = Rows()
    _add_spoken(rows, spoken, levels)
    launches = everything.unique("series").join(levels, on="series", how="semi").sort("series")
    for name, launch, convention in launches.select("series", "launch", "launch_convention").iter_rows():
        rows.notes.append({"series": name, "status": "used", "launch": launch, "launch_convention": convention})
    return rows, _curves(fans, levels)


def _answered(references: Histories, fit: tuple[Histories, pl.DataFrame]) -> Hindsight:
    return looked_back(fit[1], fit[0], references, of_new_media)


def _asked(targets: Histories) -> Iterator[tuple[list[int], pl.DataFrame]]:
    """Rows of the targets and their cuts, fit by fit."""
    medium, family = pl.col("medium"), pl.col("family")
    own = medium.is_in(STUDIED)
    # Beside the studied media, such as colour television beside television: technologies of one country's households.
    beside = ~own & (pl.col("panel") == HOUSEHOLDS)
    info = targets.info.with_row_index("row").filter(own | beside)
    others = info.filter(~family.is_in(STUDIED))["family"].unique().sort().to_list()
    for families in (("radio", "social"), ("internet",), ("television", *others[::2]), others[1::2]):
        part = info.filter(family.is_in(families))
        every = pl.col("place").is_in(EVERY_YEAR) & own
        yearly, named = (targets.take(part.filter(which)["row"].to_list()) for which in (every, ~every))
        asked = pl.concat([cuts(yearly), cuts(named, NAMED_AGES, least=LEAST)]).sort("series", "origin")
        if not asked.is_empty():
            yield part["row"].to_list(), asked


def _add_spoken(rows: Rows, spoken: pl.DataFrame, levels: pl.DataFrame) -> None:
    """What was said of each cut's year, and what came: one outcome a series and year of age."""
    outcomes = {(series, year): value for series, year, value in levels.select("series", "year", "value").iter_rows()}
    units = dict(levels.select("series", pl.col("unit_class").replace_strict(UNITS)).unique("series").iter_rows())
    told: set[tuple[str, int]] = set()
    for row in spoken.iter_rows(named=True):
        series, horizon = row["series"], row["year"] - row["origin"] + row["age"]
        unit = units[series]
        ends: dict[str, Any] = {"estimate": row["point"], "lo": row["lo80"], "hi": row["hi80"], "level": 0.8}
        note = f"said at the end of {row['origin']} of {row['year']}, from {row['n_references']} series"
        rows.finding(series, SAID, MODE, k=row["age"], horizon=horizon, n=row["n_known"], unit=unit, note=note, **ends)
        actual = outcomes.get((series, row["year"]))
        if actual is not None and (series, horizon) not in told:
            told.add((series, horizon))
            rows.finding(series, CAME, MODE, horizon=horizon, estimate=actual, n=1, unit=unit, note=f"in {row['year']}")


def _curves(fans: pl.DataFrame, levels: pl.DataFrame) -> pl.DataFrame:
    """Levels and fans as rows of the table of curves."""
    unit = levels.unique("series").select("series", unit=pl.col("unit_class").replace_strict(UNITS))
    flag = pl.when(pl.col("interpolated")).then(pl.lit("interpolated"))
    parts = [
        levels.join(unit, on="series").select(
            "series", "unit", measure=pl.lit(LEVEL), mode=pl.lit("observed"), x="year", y="value", flag=flag
        )
    ]
    joined = fans.join(unit, on="series")
    parts += [
        joined.select(
            "series",
            "unit",
            measure=pl.lit(FAN.format(level)),
            mode=pl.col("origin").cast(pl.String),
            x="year",
            y="point",
            lo=f"lo{level}",
            hi=f"hi{level}",
            level=pl.lit(level / 100),
            n="n_known",
        )
        for level in LEVELS
    ]
    schema = {name: kind for name, kind in polars_schema("finding_curves").items() if name not in ADDED}
    whole = pl.concat(parts, how="diagonal_relaxed").with_columns(subject="series", x_kind=pl.lit("year"))
    return whole.select(pl.col(name).cast(kind) for name, kind in schema.items())
