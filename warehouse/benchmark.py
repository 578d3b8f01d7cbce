"""The published benchmark as re-recorded: which windows, on which vintage of which source, and the errors printed there.

Belongs here: reading the two tables of facts and holding them against the source's own rows. Does not: forecasting.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl
from longwave.warehouse.errors import Problem, Refused
from longwave.warehouse.world import load_fact

BENCHMARK = "us_technologies"
HOLDS_WITHIN = 0.05
"""Last values of the windows are printed with one decimal."""


@dataclass(frozen=True)
class Benchmark:
    """The benchmark: its citation, the source, measure and vintage it was made on, and its windows.

    `windows`: series, origin, years (of the next rows after it), last_value, rows, and `mae_<model>` as printed (points;
    null where the model did not converge); sorted by series, origin.
    """

    title: str
    citation: str
    source: str
    measure: str
    vintage: str
    windows: pl.DataFrame


def head(name: str = BENCHMARK) -> dict[str, str]:
    """Its row of `facts/benchmarks.csv`."""
    return dict(load_fact("benchmarks").row(by_predicate=pl.col("benchmark") == name, named=True))


def benchmark(observed: pl.DataFrame, name: str = BENCHMARK) -> Benchmark:
    """The windows with the years they ask for, read off the source's rows.

    Args:
        observed: series, year, value of the source in the benchmark's vintage; other series may stand there too.
        name: which benchmark.

    Raises:
        Refused: the rows are not those that the windows were made on; names the first windows at fault.

    """
    row = head(name)
    table = load_fact("benchmark_windows").filter(pl.col("benchmark") == name)
    numbers = [column for column in table.columns if column.startswith("mae_")]
    windows = table.select(
        pl.format("{}/{}/{}", pl.lit(row["source"]), pl.lit(row["measure"]), "adopter").alias("series"),
        pl.col("origin").cast(pl.Int32),
        pl.col("last_value").cast(pl.Float64),
        pl.col("rows").cast(pl.Int32),
        *(pl.col(column).replace("", None).cast(pl.Float64) for column in numbers),
    )
    ordered = observed.sort("series", "year").group_by("series", maintain_order=True).agg("year", "value")
    joined = windows.join(ordered, on="series", how="left").with_columns(at=_position("origin"))
    found = joined.with_columns(
        years=pl.col("year").list.slice(pl.col("at") + 1, pl.col("rows")),
        held=pl.col("value").list.get(pl.col("at"), null_on_oob=True),
    )
    _require_rows(found, row)
    kept = ["series", "origin", "years", "last_value", "rows", *numbers]
    return Benchmark(
        row["title"],
        row["citation"],
        row["source"],
        row["measure"],
        row["vintage"],
        found.select(kept).sort("series", "origin"),
    )


def _position(year: str) -> pl.Expr:
    """How many years of the row's list lie before this one: its place, where the list holds it."""
    return (pl.col("year") - pl.col(year)).list.eval(pl.element() < 0).list.sum().cast(pl.Int64)


def _require_rows(found: pl.DataFrame, row: dict[str, str]) -> None:
    differs = (pl.col("held") - pl.col("last_value")).abs() > HOLDS_WITHIN
    short = pl.col("years").list.len() != pl.col("rows")
    bad = found.filter(differs.fill_null(True) | short.fill_null(True))
    if bad.height:
        shown = bad.head(20).select("series", "origin", "last_value", "held").iter_rows()
        lines = tuple(f"{series}, {origin}: {printed} there, {held} here" for series, origin, printed, held in shown)
        problem = Problem(
            "rows of the benchmark",
            row["source"],
            f"the vintage of {row['vintage']}",
            f"{bad.height} windows differ",
            lines,
        )
        raise Refused(
            row["source"], [problem], "restore the founding facts, or set LONGWAVE_FOUNDING to those embedded"
        )
