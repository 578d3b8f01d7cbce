"""The study of what curves can tell: fits and levels in, rows of the findings tables out.

What is computed is said in `longwave.models`; here only which series it is given, which of its numbers are kept, and under
which names the pages find them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from longwave.models.curve_comparison import compare_families
from longwave.models.curves import FAMILIES, CurveFits, fit_curves
from longwave.models.identification import LEVEL, POOLED, cluster_means, identification
from longwave.models.matrices import matrix
from longwave.models.truncation import PUBLISHED, simulated, systematic_change
from longwave.pipelines.curve_fits import CEILING, OBJECTIVE, THREADS
from longwave.pipelines.find import N_BOOT, SEED, Rows
from longwave.pipelines.spread import map_blocks
from numpy.typing import NDArray

SPOKEN_AGES = (5, 10, 15, 20)
SHARE = "share of series"
# The comparison of families.
HELD_OUT = 3
COMPARED_FROM = 10
WEIGHT, ABSTAINED = "aicc_weight", "no_forecast_of_last_three"
# By class of unit: points of a share and things per 100 people have no common mean.
FORESEEN = {"share": "error_of_last_three_shares", "count": "error_of_last_three_counts"}
FORESEEN_UNIT = {"share": "points", "count": "per 100 people"}
NAIVE = "last figure carried on"
# The curves of the four media.
YEARS_ON = 10
FITTED, OBSERVED, DISAGREE = "fitted_curve", "fitted_to", "families_disagree"
# The truncation study.
CHANGE = "systematic_change"
LONG_ENOUGH, RISEN_TO = 12, 60.0
SIMULATED = 200
ERRORS_OF_LEVELS, ERRORS_OF_INCREMENTS = (1.0, 3.0), 10.0
FROM_FIRST = " from the first figure"  # t = 1 there, whenever the launch was
OF_LEVELS, OF_INCREMENTS = "simulated, errors of levels", "simulated, errors of increments"
CHANGED_PANELS = ("us-households", "internet-countries")


@dataclass(frozen=True)
class MediumLine:
    """A line of one of the four media: its series, and how it is called."""

    medium: str
    series: str
    label: str
    unit: str


def curve_study(levels: pl.DataFrame, fits: pl.DataFrame, lines: Sequence[MediumLine]) -> Rows:
    """Identification by age, families side by side, the four media, systematic change.

    Args:
        levels: of `longwave.warehouse.curve_frames.series_of_record`.
        fits: rows of `curve_fits`.
        lines: of the four media, the preferred one of a medium first.

    """
    rows = Rows()
    _add_identification(rows, levels, fits)
    _add_comparison(rows, levels)
    _add_media(rows, levels, lines)
    _add_change(rows, levels)
    return rows


def _number(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


# --- identification


def _add_identification(rows: Rows, levels: pl.DataFrame, fits: pl.DataFrame) -> None:
    found = identification(fits.filter(~pl.col("capped")), levels, n_boot=N_BOOT, seed=SEED)
    for row in found.iter_rows(named=True):
        values = {name: _number(row[name]) for name in ("lo", "hi")}
        same = {**values, "level": LEVEL, "n": row["n"], "unit": SHARE}
        estimate = _number(row["estimate"])
        rows.curve(row["panel"], row["measure"], row["family"], "age", row["age"], y=estimate, **same)
        if row["panel"] == POOLED and row["age"] in SPOKEN_AGES:
            rows.finding(
                POOLED,
                row["measure"],
                row["family"],
                k=row["age"],
                estimate=estimate,
                n_clusters=row["n_clusters"],
                note=None if estimate is not None else "no series has such a ceiling",
                **same,
            )


# --- families side by side


def _add_comparison(rows: Rows, levels: pl.DataFrame) -> None:
    whole = levels.filter(~pl.col("left_truncated")).filter(pl.len().over("series") >= COMPARED_FROM)
    parts = [part for _, part in sorted(whole.partition_by("panel", as_dict=True).items())]
    compared = [made for made in map_blocks(_compared, parts, "panels compared", _threaded) if len(made)]
    if not compared:
        return
    about = pl.concat(parts).select("series", "panel", "cluster").unique("series").sort("panel", "series")
    values = np.concatenate(compared)
    means = cluster_means(values, about["panel"].to_list(), about["cluster"].to_list(), n_boot=N_BOOT, seed=SEED)
    columns = _columns()
    foreign = {part["panel"][0]: [m for kind, m in FORESEEN.items() if kind != part["unit_class"][0]] for part in parts}
    for row in means.sort("panel", "column").iter_rows(named=True):
        measure, family, unit = columns[row["column"]]
        if measure in foreign.get(row["panel"], ()):
            continue
        rows.finding(
            row["panel"],
            measure,
            family,
            estimate=_number(row["estimate"]),
            lo=_number(row["lo"]),
            hi=_number(row["hi"]),
            level=LEVEL,
            n=row["n"],
            n_clusters=row["n_clusters"],
            unit=unit,
            note=None if row["n"] else "no series for which every family has a forecast",
        )


def _columns() -> list[tuple[str, str, str]]:
    """Measure, family and unit of each column of `_compared`."""
    return [
        *[(WEIGHT, family, "share of the weight") for family in FAMILIES],
        *[(FORESEEN[kind], name, unit) for kind, unit in FORESEEN_UNIT.items() for name in (*FAMILIES, NAIVE)],
        *[(ABSTAINED, family, SHARE) for family in FAMILIES],
    ]


def _compared(part: pl.DataFrame) -> NDArray[np.float64]:
    """Weights, errors of the last three figures and abstentions of one panel, (series, columns).

    Errors stand in the columns of the panel's class of unit; those of the other are NaN. A share is held to 100 unless its
    own figures go higher.
    """
    whole, kind = matrix(part), str(part["unit_class"][0])
    weights, foreseen = np.full((2, len(whole.series), len(FAMILIES)), np.nan)
    over = (whole.levels > CEILING).any(axis=1) | (kind != "share")
    for rows, ceiling in ((np.flatnonzero(over), None), (np.flatnonzero(~over), CEILING)):
        made = compare_families(whole.levels[rows], whole.t, objective=OBJECTIVE, ceiling=ceiling, held_out=HELD_OUT)
        weights[rows] = np.column_stack([made.weight[family] for family in FAMILIES])
        foreseen[rows] = np.column_stack([made.foreseen[family] for family in FAMILIES])
    weights[weights.sum(axis=1) == 0] = np.nan
    known = np.isfinite(foreseen)
    errors = np.column_stack([foreseen, _carried_on(whole.levels)])
    # Only where every family has a forecast: else who is silent about the hard ones would look best.
    errors[~known.all(axis=1)] = np.nan
    by_kind = [errors if kind == name else np.full_like(errors, np.nan) for name in FORESEEN]
    return np.column_stack([weights, *by_kind, ~known])


def _carried_on(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Root mean square error of the last figures, were the one before them to stand, (n,)."""
    seen = np.isfinite(levels)
    order = np.argsort(~seen, axis=1, kind="stable")
    packed, count = np.take_along_axis(levels, order, axis=1), seen.sum(axis=1)
    rows = np.arange(len(levels))
    before = packed[rows, count - HELD_OUT - 1]
    after = np.stack([packed[rows, count - back] for back in range(1, HELD_OUT + 1)], axis=1)
    return np.asarray(np.sqrt(np.mean((after - before[:, None]) ** 2, axis=1)))


# --- the four media


def _add_media(rows: Rows, levels: pl.DataFrame, lines: Sequence[MediumLine]) -> None:
    """The curves of each medium's first line that shows its rise, over what was observed and ten years on."""
    done: set[str] = set()
    for line in lines:
        part = levels.filter(pl.col("series") == line.series, ~pl.col("left_truncated"))
        if part.is_empty() or line.medium in done:
            continue
        done.add(line.medium)
        for t, value in part.select("t", "value").iter_rows():
            rows.curve(line.medium, OBSERVED, line.label, "age", t, y=value, unit=line.unit)
        _add_curves(rows, line.medium, line.unit, part)


def _add_curves(rows: Rows, medium: str, unit: str, part: pl.DataFrame) -> None:
    whole = matrix(part)
    shares, n = part["unit_class"][0] == "share", part.height
    at = np.arange(max(1.0, whole.t[0]), whole.t[-1] + YEARS_ON + 1)
    ends: list[float] = []
    for family in FAMILIES:
        fits = fit_curves(whole.levels, whole.t, family, OBJECTIVE)
        if shares and not _finite_below(fits):
            fits = fit_curves(whole.levels, whole.t, family, OBJECTIVE, CEILING)
        drawn, status = fits.predict(at)[0], str(fits.status[0])
        if not np.isfinite(drawn).all():
            continue
        ends.append(float(drawn[-1]))
        said = f"{status}, m at most {CEILING:g}" if fits.ceiling is not None else status
        for x, y in zip(at, drawn, strict=True):
            rows.curve(medium, FITTED, family, "age", x, y=float(y), n=n, unit=unit, flag=said)
    if len(ends) > 1:
        spread = {"estimate": max(ends) - min(ends), "n": n, "unit": unit}
        rows.finding(medium, DISAGREE, OBJECTIVE, k=int(whole.t[-1]), horizon=int(whole.t[-1]) + YEARS_ON, **spread)


def _finite_below(fits: CurveFits) -> bool:
    return bool(fits.status[0] == "ok" and fits.params["m"][0] <= CEILING)


# --- systematic change


def _threaded(function: Callable[[Any], Any], things: Iterable[Any], /) -> Iterator[Any]:
    with ThreadPoolExecutor(THREADS) as pool:
        yield from pool.map(function, things)


def _changed(data_at_ages: tuple[NDArray[np.float64], NDArray[np.float64]]) -> pl.DataFrame:
    return systematic_change(*data_at_ages, n_boot=N_BOOT, seed=SEED, threads=THREADS)


def _add_change(rows: Rows, levels: pl.DataFrame) -> None:
    sets = list(_sets(levels))
    tables = map_blocks(_changed, [(data, ages) for _, data, ages in sets], "sets of series")
    for (subject, _, _), table in zip(sets, tables, strict=True):
        for row in table.iter_rows(named=True):
            rows.finding(
                subject,
                CHANGE,
                row["parameter"],
                estimate=_number(row["percent"]),
                lo=_number(row["lo"]),
                hi=_number(row["hi"]),
                level=LEVEL,
                n=row["n"],
                unit="percent for 10 % more penetration",
                note=f"{row['cuts']} cuts, {row['lost']} at which m, p and q are not identified left out; "
                f"published: {PUBLISHED[row['parameter']]:+g}",
            )


def _sets(levels: pl.DataFrame) -> Iterable[tuple[str, NDArray[np.float64], NDArray[np.float64]]]:
    """Shares that rose to 60 % within 12 figures or more, by both readings of when t begins where they differ; simulations."""
    for panel in CHANGED_PANELS:
        rose = (pl.len().over("series") >= LONG_ENOUGH) & (pl.col("value").max().over("series") >= RISEN_TO)
        part = levels.filter(pl.col("panel") == panel, ~pl.col("left_truncated")).filter(rose)
        if not part.is_empty():
            whole = matrix(part)
            yield panel, whole.levels, whole.t
            first = part.with_columns(t=pl.col("t") - pl.col("t").min().over("series") + 1)
            if not first.equals(part):
                whole = matrix(first)
                yield panel + FROM_FIRST, whole.levels, whole.t
    yield (
        f"{OF_INCREMENTS}, {ERRORS_OF_INCREMENTS:g} %",
        *simulated(SIMULATED, ERRORS_OF_INCREMENTS, SEED, "increments"),
    )
    for noise in ERRORS_OF_LEVELS:
        yield f"{OF_LEVELS}, {noise:g} %", *simulated(SIMULATED, noise, SEED)
