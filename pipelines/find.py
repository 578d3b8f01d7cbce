"""The studies: frames in, rows of the findings tables out.

What is computed is said in `longwave.models`; here only which frames it is given, which of its numbers are kept, and
under which names the claims find them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import polars as pl
from longwave.models.persistence import persistence as compare
from longwave.pipelines import find_reliability
from longwave.pipelines.beside import both
from longwave.pipelines.find_half_life import half_life_row
from longwave.warehouse.tables import polars_schema

N_BOOT = 2000
SEED = 20261123


@dataclass
class Rows:
    """Rows for the three tables of results, without step, vintage and digest: those are the pipeline's to add."""

    findings: list[dict[str, object]] = field(default_factory=list)
    curves: list[dict[str, object]] = field(default_factory=list)
    notes: list[dict[str, object]] = field(default_factory=list)

    def add(self, other: Rows) -> None:
        """Add the rows of another, after those there are."""
        self.findings += other.findings
        self.curves += other.curves
        self.notes += other.notes

    def finding(self, subject: str, measure: str, mode: str, **values: object) -> None:
        """Add one number; k and horizon are -1 where it has none."""
        row: dict[str, object] = {
            "subject": subject,
            "measure": measure,
            "mode": mode,
            "k": -1,
            "horizon": -1,
        }
        self.findings.append(row | values)

    def curve(self, subject: str, measure: str, mode: str, x_kind: str, x: float, **values: object) -> None:
        """Add one point of a line."""
        self.curves.append(
            {"subject": subject, "measure": measure, "mode": mode, "x_kind": x_kind, "x": float(x), **values}
        )


def as_table(
    rows: Iterable[Mapping[str, object]],
    table: str,
    step: str,
    vintage: date,
    key: str,
    seed: int | None = None,
) -> pl.DataFrame:
    """Rows as a frame of a declared table, with what the pipeline knows: step, vintage, digest, seed."""
    common = {"step": step, "vintage": vintage, "code_digest": key, "seed": seed}
    schema = polars_schema(table)
    full = [{name: (common | dict(row)).get(name) for name in schema} for row in rows]
    return pl.DataFrame(full, schema=schema, orient="row")


def adoption(lines: pl.DataFrame) -> Rows:
    """The four media's lines, by year; the launch that ages count from is in the notes."""
    rows = Rows()
    for row in lines.iter_rows(named=True):
        rows.curve(
            row["medium"],
            "adoption",
            row["label"],
            "year",
            row["year"],
            y=row["value"],
            unit=row["unit"],
            flag=row["flag"],
        )
    for series, launch in lines.group_by("series").agg(pl.col("launch").first()).sort("series").iter_rows():
        convention = "cited" if launch is not None else None
        rows.notes.append({"series": series, "status": "used", "launch": launch, "launch_convention": convention})
    return rows


HORIZON_STEP = 5
AT_LEAST_ADOPTERS = 15
COMPLETE = 0.8
N_PERMUTATIONS = 999
OBSERVED = "observed"
STRESSED = {"internet": (20, 30)}
"""Media whose places a primary test reads, and its horizons: read once more without the subregion of most places."""
WITHOUT_LARGEST = "without the largest subregion"
PERSISTENCE_CURVES = {"tau_b_survivors": "tau_b", "partial_tau_b_copula": "partial_tau_b"}


def persistence(
    frames: Mapping[str, pl.DataFrame],
    launches: Mapping[str, int],
    revised: Mapping[str, pl.DataFrame] | None = None,
) -> Rows:
    """Rank agreement of countries between an early year of a medium and later ones.

    The early year is ten years after the medium's first launch anywhere, or the first year with at least 15 countries
    where the records begin later. Regions are the United Nations' subregions: its five regions are too few to resample.

    Args:
        frames: countries by medium: adopter, code, region, subregion, k, value, log_wealth_prior.
        launches: year of first launch anywhere, by medium.
        revised: figures that two vintages give (year, value_earlier, value_later), by medium, of shares alone.

    """
    rows = Rows()
    asked = list(_two_years(frames, launches, revised or {}))
    for found in both(_of_two_years, asked):
        rows.add(found)
    for medium in dict.fromkeys(each.medium for each in asked):
        early = next(each.early for each in asked if each.medium == medium)
        later = horizons(frames[medium], early, step=1)
        rows.finding(medium, "half_life", OBSERVED, k=early, **half_life_row(frames[medium], early, later, SEED))
    return rows


@dataclass(frozen=True)
class _TwoYears:
    """A medium in two years since its launch, one row a country."""

    medium: str
    early: int
    horizon: int
    launch: int
    pairs: pl.DataFrame
    revised: pl.DataFrame | None


def _two_years(
    frames: Mapping[str, pl.DataFrame], launches: Mapping[str, int], revised: Mapping[str, pl.DataFrame]
) -> Iterator[_TwoYears]:
    for medium, frame in frames.items():
        early = early_year(frame)
        if early is not None:
            for horizon in horizons(frame, early):
                pairs = _pairs(frame, early, horizon)
                yield _TwoYears(medium, early, horizon, launches[medium], pairs, revised.get(medium))


def _of_two_years(asked: _TwoYears) -> Rows:
    rows = Rows()
    medium, early, horizon = asked.medium, asked.early, asked.horizon
    table = _compared(asked.pairs, early, horizon, asked.launch, N_PERMUTATIONS)
    for row in table.iter_rows(named=True):
        _add_persistence(rows, medium, early, row)
    tau = table.row(by_predicate=pl.col("measure") == "tau_b_survivors", named=True)
    years = (asked.launch + early, asked.launch + horizon)
    for row in find_reliability.reliability(asked.pairs, asked.revised, tau, years, SEED):
        clusters = table["n_regions"].max()
        rows.finding(medium, row.pop("measure"), OBSERVED, k=early, horizon=horizon, n_clusters=clusters, **row)
    if horizon in STRESSED.get(medium, ()):
        _add_without_largest(rows, medium, early, horizon, asked.pairs, asked.launch)
    return rows


def _compared(pairs: pl.DataFrame, early: int, horizon: int, launch: int, permutations: int) -> pl.DataFrame:
    return compare(pairs, k=early, horizon=horizon, first_launch=launch, n_boot=N_BOOT, n_perm=permutations, seed=SEED)


def _add_without_largest(rows: Rows, medium: str, early: int, horizon: int, pairs: pl.DataFrame, launch: int) -> None:
    """The partial rank correlation without the subregion that has the most places in it (of equals, the first by name)."""
    used = pairs.drop_nulls(["region", "y_k", "y_H", "log_gdp_prior"])
    if used.is_empty():
        return
    largest = used.group_by("region").len().sort("len", "region", descending=[True, False])["region"][0]
    table = _compared(pairs.filter(pl.col("region") != largest), early, horizon, launch, 0)
    row = table.row(
        by_predicate=(pl.col("measure") == "partial_tau_b_copula") & (pl.col("bound") == "none"), named=True
    )
    rows.finding(
        medium,
        row["measure"],
        WITHOUT_LARGEST,
        k=early,
        horizon=horizon,
        n_clusters=row["n_regions"],
        note=row["reason"] or f"without {largest}",
        **{name: row[name] for name in ("estimate", "lo", "hi", "level", "n")},
        unit="rank correlation",
    )


def early_year(frame: pl.DataFrame) -> int | None:
    """Ten years after first launch, or the first year since with at least 15 adopters; None where there is none."""
    counts = frame.filter(pl.col("k") >= 10).group_by("k").agg(pl.len().alias("n")).sort("k")
    enough = counts.filter(pl.col("n") >= AT_LEAST_ADOPTERS)
    return int(enough["k"][0]) if enough.height else None


def horizons(frame: pl.DataFrame, early: int, step: int = HORIZON_STEP) -> list[int]:
    """Later years, every ``step``-th since first launch, for which at least 80 % of the early adopters have reported.

    A year that few have reported yet is open, not short of places; 15 adopters are the least in any case.
    """
    first = frame.filter(pl.col("k") == early)["code"]
    least = max(AT_LEAST_ADOPTERS, COMPLETE * len(first))
    later = frame.filter(pl.col("k") > early, pl.col("k") % step == 0, pl.col("code").is_in(first.implode()))
    counts = later.group_by("k").agg(pl.len().alias("n")).filter(pl.col("n") >= least)
    return [int(k) for k in counts["k"].sort()]


def _pairs(frame: pl.DataFrame, early: int, horizon: int) -> pl.DataFrame:
    """One row a country for `longwave.models.persistence`; no country's use of a medium has a dated end."""
    at_k = frame.filter(pl.col("k") == early).select("code", pl.col("value").alias("y_k"))
    at_h = frame.filter(pl.col("k") == horizon).select("code", pl.col("value").alias("y_H"))
    places = frame.select("code", "subregion", "log_wealth_prior").unique("code")
    return (
        places.join(at_k, on="code", how="left")
        .join(at_h, on="code", how="left")
        .filter(pl.col("y_k").is_not_null() | pl.col("y_H").is_not_null())
        .select(
            pl.col("code").alias("adopter"),
            pl.col("subregion").alias("region"),
            pl.col("code").alias("place"),
            "y_k",
            "y_H",
            pl.lit(None, pl.Int64).alias("end_year"),
            pl.col("log_wealth_prior").alias("log_gdp_prior"),
        )
        .sort("adopter")
    )


def _add_persistence(rows: Rows, medium: str, early: int, row: Mapping[str, Any]) -> None:
    mode = OBSERVED if row["bound"] == "none" else row["bound"]
    unit = "share" if row["measure"].startswith(("survival", "retention", "displacement")) else "rank correlation"
    same = {"lo": row["lo"], "hi": row["hi"], "level": row["level"], "n": row["n"], "unit": unit}
    rows.finding(
        medium,
        row["measure"],
        mode,
        k=early,
        horizon=row["horizon"],
        estimate=row["estimate"],
        n_clusters=row["n_regions"],
        note=row["reason"],
        **same,
    )
    if mode == OBSERVED and row["p_within_region"] is not None:
        # Descriptive: it stands in the data, on no page.
        rows.finding(
            medium,
            f"p_within_region/{row['measure']}",
            mode,
            k=early,
            horizon=row["horizon"],
            estimate=row["p_within_region"],
            n=row["n"],
            n_clusters=row["n_regions"],
            unit="p-value",
        )
    if mode == OBSERVED and row["measure"] in PERSISTENCE_CURVES and row["estimate"] is not None:
        measure = PERSISTENCE_CURVES[row["measure"]]
        rows.curve(medium, measure, f"k = {early}", "horizon", row["horizon"], y=row["estimate"], **same)
