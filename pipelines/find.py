"""The studies: frames in, rows of the findings tables out.

What is computed is said in `longwave.models`; here only which frames it is given, which of its numbers are kept, and
under which names the claims find them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import polars as pl
from longwave.models.forecasters import FORECASTERS, Mode, history_forecasts
from longwave.models.persistence import persistence as compare
from longwave.models.ripeness import MIN_CLUSTERS, RipenessResult, information_by_age
from longwave.warehouse.tables import polars_schema

TARGET_AGE = 20
N_BOOT = 2000
SEED = 20261123
# Stands between a series and its launch year in names that last for one step only.
LAUNCH_MARK = " from "
MODES: tuple[Mode, ...] = ("leave-medium-out", "leave-one-out")
CONVENTIONS = ("cited", "first_1_percent", "first_10_percent")
PRIMARY = "selected"
UNIT_INFORMATION = "1 − error ÷ climatology's"


@dataclass
class Rows:
    """Rows for the three tables of results, without step, vintage and digest: those are the pipeline's to add."""

    findings: list[dict[str, object]] = field(default_factory=list)
    curves: list[dict[str, object]] = field(default_factory=list)
    notes: list[dict[str, object]] = field(default_factory=list)

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


def ripeness(frames: Mapping[str, pl.DataFrame], left_out: Iterable[tuple[str, str]] = ()) -> Rows:
    """Information by age on every panel, in both modes, and under each launch convention (sensitivity).

    Args:
        frames: adoption frame by launch convention; `cited` is the headline.
        left_out: series of record that no panel can use, with the reason.

    """
    rows = Rows()
    # A series counted from one launch year is one history whatever the convention that chose the year: fitted once.
    histories = {convention: _by_launch(frame) for convention, frame in frames.items()}
    union = pl.concat(histories.values()).unique(["series", "age"], keep="first", maintain_order=True)
    forecasts = history_forecasts(union, target_ages=(TARGET_AGE,))
    for convention, frame in histories.items():
        headline = convention == "cited"
        for mode in MODES if headline else MODES[:1]:
            result = information_by_age(
                frame,
                target_age=TARGET_AGE,
                mode=mode,
                forecaster=FORECASTERS if headline and mode == MODES[0] else (PRIMARY,),
                n_boot=N_BOOT,
                seed=SEED,
                forecasts=forecasts,
            )
            _add_ripeness(rows, result, mode if headline else f"{mode}, {convention}")
            if headline and mode == MODES[0]:
                _add_series(rows, frame, result)
    rows.notes += [{"series": s, "status": why, "launch": None, "launch_convention": None} for s, why in left_out]
    return rows


def _by_launch(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with each series named together with the launch its ages count from."""
    return frame.with_columns(pl.format("{}{}{}", "series", pl.lit(LAUNCH_MARK), "launch").alias("series"))


def _add_ripeness(rows: Rows, result: RipenessResult, mode: str) -> None:
    for row in result.by_age.iter_rows(named=True):
        primary = row["forecaster"] == PRIMARY
        label = mode if primary else f"{mode}/{row['forecaster']}"
        size = {"n": row["n_series"], "n_clusters": row["n_clusters"]}
        for measure in ("information_mse", "information_mae"):
            if primary:
                values = {"estimate": row[measure], "lo": row[f"{measure}_lo"], "hi": row[f"{measure}_hi"]}
                rows.finding(
                    row["panel"],
                    measure,
                    mode,
                    k=row["age"],
                    horizon=TARGET_AGE,
                    level=0.95,
                    unit=UNIT_INFORMATION,
                    **values,
                    **size,
                )
            rows.curve(
                row["panel"],
                measure,
                label,
                "age",
                row["age"],
                y=row[measure],
                lo=row[f"{measure}_lo"],
                hi=row[f"{measure}_hi"],
                level=0.95,
                n=row["n_clusters"],
                unit=UNIT_INFORMATION,
            )
        if primary:
            _add_errors(rows, row, mode)
    references = result.windows.filter(pl.col("forecaster") == PRIMARY).group_by("panel", "age")
    for panel, age, n in references.agg(pl.col("n_references").median()).sort("panel", "age").iter_rows():
        rows.curve(panel, "n_references", mode, "age", age, y=n, unit="series")
    _add_pooled(rows, result, mode)
    for row in result.readable.filter(pl.col("forecaster") == PRIMARY).iter_rows(named=True):
        rows.finding(
            row["panel"],
            "readable_age",
            mode,
            estimate=row["age"],
            lo=row["lo"],
            hi=row["hi"],
            level=0.95,
            n=row["n_series"],
            n_clusters=row["n_clusters"],
            unit="years since launch",
            note=row["reason"],
        )


def _add_pooled(rows: Rows, result: RipenessResult, mode: str) -> None:
    """The equal average of the panels of enough clusters; n counts their series, n_clusters their clusters."""
    enough = result.by_age.filter(pl.col("forecaster") == PRIMARY, pl.col("n_clusters") >= MIN_CLUSTERS)
    sizes = {
        age: (n, m) for age, n, m in enough.group_by("age").agg(pl.col("n_series", "n_clusters").sum()).iter_rows()
    }
    for row in result.pooled.filter(pl.col("forecaster") == PRIMARY).iter_rows(named=True):
        n, n_clusters = sizes[row["age"]]
        for measure in ("information_mse", "information_mae"):
            same = {"lo": row[f"{measure}_lo"], "hi": row[f"{measure}_hi"], "level": 0.95, "unit": UNIT_INFORMATION}
            rows.finding(
                "pooled",
                measure,
                mode,
                k=row["age"],
                horizon=TARGET_AGE,
                estimate=row[measure],
                n=n,
                n_clusters=n_clusters,
                note=f"{row['n_panels']} panels",
                **same,
            )
            rows.curve("pooled", measure, mode, "age", row["age"], y=row[measure], n=n_clusters, **same)


def _add_errors(rows: Rows, row: Mapping[str, object], mode: str) -> None:
    unit = "points" if row["unit_class"] == "share" else "natural logarithms"
    for measure, lo, hi in (
        ("median_error", None, None),
        ("clim_median_error", None, None),
        ("coverage_80", row["coverage_80_lo"], row["coverage_80_hi"]),
        ("median_width_80", None, None),
    ):
        rows.curve(
            str(row["panel"]),
            measure,
            mode,
            "age",
            float(str(row["age"])),
            y=row[measure],
            lo=lo,
            hi=hi,
            level=0.9 if lo is not None else None,
            n=row["n_clusters"],
            unit="share of outcomes" if measure == "coverage_80" else unit,
        )


def _add_series(rows: Rows, frame: pl.DataFrame, result: RipenessResult) -> None:
    reasons = dict(result.exclusions.select("series", "reason").iter_rows())
    launches = frame.group_by("series").agg(pl.col("launch", "launch_convention").first()).sort("series")
    for series, launch, convention in launches.iter_rows():
        rows.notes.append(
            {
                "series": series.rpartition(LAUNCH_MARK)[0],
                "status": reasons.get(series, "used"),
                "launch": launch,
                "launch_convention": convention,
            }
        )


HORIZON_STEP = 5
AT_LEAST_ADOPTERS = 15
COMPLETE = 0.8
N_PERMUTATIONS = 999
OBSERVED = "observed"
PERSISTENCE_CURVES = {"tau_b_survivors": "tau_b", "partial_tau_b_copula": "partial_tau_b"}


def persistence(frames: Mapping[str, pl.DataFrame], launches: Mapping[str, int]) -> Rows:
    """Rank agreement of countries between an early year of a medium and later ones.

    The early year is ten years after the medium's first launch anywhere, or the first year with at least 15 countries
    where the records begin later. Regions are the United Nations' subregions: its five regions are too few to resample.

    Args:
        frames: countries by medium: adopter, code, region, subregion, k, value, log_wealth_prior.
        launches: year of first launch anywhere, by medium.

    """
    rows = Rows()
    for medium, frame in frames.items():
        early = early_year(frame)
        if early is None:
            continue
        for horizon in _horizons(frame, early):
            table = compare(
                _pairs(frame, early, horizon),
                k=early,
                horizon=horizon,
                first_launch=launches[medium],
                n_boot=N_BOOT,
                n_perm=N_PERMUTATIONS,
                seed=SEED,
            )
            for row in table.iter_rows(named=True):
                _add_persistence(rows, medium, early, row)
    return rows


def early_year(frame: pl.DataFrame) -> int | None:
    """Ten years after first launch, or the first year since with at least 15 adopters; None where there is none."""
    counts = frame.filter(pl.col("k") >= 10).group_by("k").agg(pl.len().alias("n")).sort("k")
    enough = counts.filter(pl.col("n") >= AT_LEAST_ADOPTERS)
    return int(enough["k"][0]) if enough.height else None


def _horizons(frame: pl.DataFrame, early: int) -> list[int]:
    """Later years, every fifth since first launch, for which at least 80 % of the early adopters have reported.

    A year that few have reported yet is open, not short of places; 15 adopters are the least in any case.
    """
    first = frame.filter(pl.col("k") == early)["code"]
    least = max(AT_LEAST_ADOPTERS, COMPLETE * len(first))
    later = frame.filter(pl.col("k") > early, pl.col("k") % HORIZON_STEP == 0, pl.col("code").is_in(first.implode()))
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
