"""The early-adopter premium: whether who came a year earlier gains more each year now, given what was known before.

Belongs here: from a panel of adopters to the premium, the outcomes beside it, the specification curve and the matched
comparison. Does not: solving the equations (`mean_ratio`), verdicts. Never called causal.

The primary reading: E[yearly net new attention] = exp(b · years earlier + g · log standing + h · log size + …), with standing
and size known before the adoption, adopters at least three years old when first watched. 100 (e^b − 1) is the premium in
percent per year of earlier adoption. What has piled up by now is no such reading: who came earlier has had longer, and
earliness and exposure are not separable there.

Fields are held constant as Mundlak (1978) does: each column as its difference from the field's mean, with the field's mean
beside it. A column for each field (``own``) has no solution where one field lost attention on the whole; it stands in the
specification curve.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Final

import numpy as np
import polars as pl
from longwave.models.adopters import AdopterPanel
from longwave.models.mean_ratio import FloatArray, IntArray, RatioFit, fit_ratio

MIN_AGE: Final = 3.0
MIN_FIELD: Final = 20
MIN_ADOPTERS: Final = 10
SLACK: Final = 0.25
LEVEL: Final = 0.95
MERGED: Final = "others"
TOP_SHARE: Final = 0.01

COLUMNS: Final[dict[str, type[pl.DataType]]] = {
    "adopter": pl.String,
    "cluster": pl.String,
    "field": pl.String,
    "flags": pl.String,
    **dict.fromkeys(("opened", "first_at", "last_at", "first", "last"), pl.Float64),
}
"""One row an adopter watched from ``first_at`` to ``last_at`` (decimal years), with its attention then (``first``, ``last``).
Columns that begin with ``known_`` stand behind: what was known of it before it adopted, as the model reads it, the standing
first."""

KNOWN: Final = "known_"

OUTCOMES: Final = {
    "absolute_growth": "% per year earlier",
    "log_cumulative": "% per year earlier",
    "per_account_year": "% per year earlier",
    "growth_rate": "points a year per year earlier",
}


@dataclass(frozen=True)
class Asked:
    """What one reading of the premium holds constant, and how it weighs.

    Args:
        weights: of `mean_ratio`.
        fields: ``centred`` (Mundlak), ``own`` (a column a field).
        covariates: ``linear``, ``squares`` (their squares, too), ``none``.
        sample: ``all``, ``without the largest 1 %`` (by attention when first watched), ``with citable documents``.
        min_age: years between opening and the first reading, at the least.
        lone: clusters of one adopter are ``merged`` into one, or each its ``own``.

    """

    weights: str = "constant_cv"
    fields: str = "centred"
    covariates: str = "linear"
    sample: str = "all"
    min_age: float = MIN_AGE
    lone: str = "merged"


@dataclass(frozen=True)
class Known:
    """A covariate known before adoption: its name, and what is added before its logarithm is taken; None: taken as it is."""

    name: str
    offset: float | None = None


@dataclass(frozen=True)
class Premium:
    """One number with its interval: ``measure`` in ``unit``; NaN with the reason in ``status``. ``p``: of none, two-sided."""

    measure: str
    unit: str
    n: int
    clusters: int
    status: str
    asked: Asked
    estimate: float = float("nan")
    lo: float = float("nan")
    hi: float = float("nan")
    effective_clusters: float = float("nan")
    p: float = float("nan")


def watched(
    panel: AdopterPanel,
    known: Sequence[Known],
    *,
    window: tuple[float, float] | None = None,
    opened_from: float = -np.inf,
    without: Sequence[str] = (),
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Adopters with a first and a last reading, and what was known of them before; and who is not among them.

    Args:
        panel: adopters with attention over time.
        known: covariates to hold constant, the standing first; the last value from before each adoption is taken.
        window: beginning and end of the watch, decimal years; the panel's first and last reading where empty.
        opened_from: adoptions before this are left out: what is known before them is not known.
        without: flags of adopters to leave out.

    Returns:
        ``COLUMNS`` and the known, sorted by adopter; and how many were left out by reason, each under the first that holds.

    An adopter without a reading within a quarter of a year of either end is not dead: it is left out and counted. One with a
    dated end within the watch has attention 0 at its end.

    """
    times = panel.attention["at"]
    if times.is_empty():
        return pl.DataFrame(schema=COLUMNS), {}
    begin, end = window or (float(times.to_numpy().min()), float(times.to_numpy().max()))
    frame = panel.adopters.with_columns(
        pl.Series(f"{KNOWN}{one.name}", _read(panel.prior(one.name), one.offset)) for one in known
    )
    for name, around in (("first", begin), ("last", end)):
        near = panel.attention.filter((pl.col("at") - around).abs() <= SLACK).sort("adopter", "at")
        # The earliest at the beginning and the latest at the end: the longest watch that the slack allows.
        kept = near.unique("adopter", keep="first" if name == "first" else "last", maintain_order=True)
        reading = kept.select("adopter", pl.col("at").alias(f"{name}_at"), pl.col("attention").alias(name))
        frame = frame.join(reading, on="adopter", how="left")
    dead = pl.col("last").is_null() & (pl.col("ended") > begin) & (pl.col("ended") <= end)
    frame = frame.with_columns(
        pl.when(dead).then(end).otherwise("last_at").alias("last_at"),
        pl.when(dead).then(0.0).otherwise("last").alias("last"),
    ).rename({"adopted": "opened"})
    return _counted(frame, [f"{KNOWN}{one.name}" for one in known], opened_from, without)


def _counted(
    frame: pl.DataFrame, known: Sequence[str], opened_from: float, without: Sequence[str]
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Rows that can be read, and how many fall to each reason."""
    reasons = {
        "never adopted, or not known when": pl.col("opened").is_null(),
        "adopted before anything is known of it": pl.col("opened") < opened_from,
        **{flag: pl.col("flags").str.split(",").list.contains(flag) for flag in without},
        **{f"{name.removeprefix(KNOWN)} before adoption not known": pl.col(name).is_nan() for name in known},
        "not observed at both ends of the watch": pl.col("first").is_null() | pl.col("last").is_null(),
    }
    left: dict[str, int] = {}
    for reason, holds in reasons.items():
        left[reason] = frame.filter(holds).height
        frame = frame.filter(~holds)
    columns = [pl.col(name).cast(kind) for name, kind in COLUMNS.items()]
    return frame.select(*columns, *known).sort("adopter"), left


def _read(values: FloatArray, offset: float | None) -> FloatArray:
    """Natural log of (values + offset), NaN where there is none; the values themselves without an offset."""
    if offset is None:
        return values
    shifted = values + offset
    return np.log(np.where(shifted > 0.0, shifted, np.nan))


def merged(frame: pl.DataFrame, column: str, least: int) -> pl.DataFrame:
    """Groups under ``least`` rows merged into one."""
    return frame.with_columns(
        pl.when(pl.len().over(column) < least).then(pl.lit(MERGED)).otherwise(column).alias(column)
    )


def sampled(frame: pl.DataFrame, asked: Asked) -> pl.DataFrame:
    """The rows a reading takes, small fields and lone clusters merged; columns ``earlier`` (years) and ``years`` watched."""
    kept = frame.filter(pl.col("first_at") - pl.col("opened") >= asked.min_age)
    if asked.sample == "without the largest 1 %":
        kept = kept.filter(pl.col("first") <= pl.col("first").quantile(1.0 - TOP_SHARE, "linear"))
    if asked.sample == "with citable documents":
        kept = kept.filter(~pl.col("flags").str.contains("no_citable_documents"))
    newest = kept["opened"].max()
    earlier = (pl.lit(newest) - pl.col("opened")).cast(pl.Float64)
    kept = kept.with_columns(earlier.alias("earlier"), (pl.col("last_at") - pl.col("first_at")).alias("years"))
    kept = merged(kept.filter(pl.col("years") > 0), "field", MIN_FIELD)
    return merged(kept, "cluster", 2) if asked.lone == "merged" else kept


def _outcome(rows: pl.DataFrame, outcome: str) -> tuple[pl.DataFrame, FloatArray]:
    """Rows that have the outcome, and it."""
    if outcome == "log_cumulative":
        rows = rows.filter(pl.col("last") > 0)
        return rows, np.log(rows["last"].to_numpy())
    if outcome == "growth_rate":
        rows = rows.filter((pl.col("first") > 0) & (pl.col("last") > 0))
        return rows, np.log(rows["last"].to_numpy() / rows["first"].to_numpy()) / rows["years"].to_numpy()
    if outcome == "per_account_year":
        return rows, rows["last"].to_numpy() / (rows["last_at"] - rows["opened"]).to_numpy()
    return rows, ((rows["last"] - rows["first"]) / rows["years"]).to_numpy()


def _design(rows: pl.DataFrame, asked: Asked) -> FloatArray:
    """Columns of the model, years earlier first: (n, p)."""
    columns = [rows["earlier"].to_numpy()]
    if asked.covariates != "none":
        known = [rows[name].to_numpy() for name in rows.columns if name.startswith(KNOWN)]
        known = [(values - values.mean()) / values.std() for values in known if np.ptp(values) > 0]
        columns += known + ([values**2 for values in known] if asked.covariates == "squares" else [])
    x = np.column_stack([column - column.mean() for column in columns])
    groups, at = np.unique(rows["field"].to_numpy(), return_inverse=True)
    member = (at[:, None] == np.arange(len(groups))).astype(np.float64)
    if asked.fields == "own":
        return np.column_stack([x, member])
    between = member @ ((member.T @ x) / member.sum(axis=0)[:, None])
    return _independent(np.column_stack([x - between, np.ones(len(x)), between]))


def _independent(x: FloatArray) -> FloatArray:
    """Columns that add something to those before them (few fields have few means to tell apart)."""
    kept: list[int] = []
    scale = np.linalg.norm(x, axis=0).max()
    basis = np.empty((len(x), 0))
    for at in range(x.shape[1]):
        rest = x[:, at] - basis @ (basis.T @ x[:, at])
        size = np.linalg.norm(rest)
        if size > 1e-8 * scale:
            kept.append(at)
            basis = np.column_stack([basis, rest / size])
    return x[:, kept]


def premium(frame: pl.DataFrame, asked: Asked | None = None, outcome: str = "absolute_growth") -> Premium:
    """One reading of the premium.

    Args:
        frame: of `watched`.
        asked: what is held constant; the primary reading where empty.
        outcome: one of ``OUTCOMES``. Absolute growth and attention per account-year are mean models; the log of what has piled
            up and the growth rate (log ratio of both readings a year) are least squares.

    """
    wanted = Asked() if asked is None else asked
    if outcome not in OUTCOMES:
        raise ValueError(f"outcome {outcome!r} is none of {', '.join(OUTCOMES)}")
    rows, y = _outcome(sampled(frame, wanted), outcome)
    fault = _too_little(rows)
    if fault:
        return _none(outcome, rows, fault, wanted)
    linear = outcome in ("log_cumulative", "growth_rate")
    x, cluster = _design(rows, wanted), np.unique(rows["cluster"].to_numpy(), return_inverse=True)[1].astype(np.int64)
    fit = fit_ratio(y, x, cluster, weights="linear" if linear else wanted.weights)
    return _stated(fit, outcome, rows, wanted)


def _too_little(rows: pl.DataFrame) -> str:
    if rows.height < MIN_ADOPTERS:
        return f"fewer than {MIN_ADOPTERS} adopters"
    if rows["cluster"].n_unique() < 3:
        return "fewer than 3 clusters"
    return "all opened at one time" if rows["earlier"].n_unique() < 2 else ""


def _none(outcome: str, rows: pl.DataFrame, why: str, asked: Asked) -> Premium:
    return Premium(outcome, OUTCOMES[outcome], rows.height, rows["cluster"].n_unique(), why, asked)


def _stated(fit: RatioFit, outcome: str, rows: pl.DataFrame, asked: Asked) -> Premium:
    """Coefficients in the outcome's unit."""
    if fit.status != "solved":
        return _none(outcome, rows, fit.status, asked)
    found = np.array([fit.theta[0], *fit.interval(LEVEL)])
    estimate, lo, hi = (float(value) for value in 100.0 * (found if outcome == "growth_rate" else np.expm1(found)))
    head = (outcome, OUTCOMES[outcome], rows.height, fit.clusters, fit.status, asked)
    return Premium(*head, estimate=estimate, lo=lo, hi=hi, effective_clusters=fit.effective_clusters, p=fit.p)


def outcomes(frame: pl.DataFrame, asked: Asked | None = None) -> dict[str, Premium]:
    """The four outcomes on the same adopters, side by side: the sign may depend on which is asked."""
    return {outcome: premium(frame, asked, outcome) for outcome in OUTCOMES}


CHOICES: Final[Mapping[str, tuple[object, ...]]] = {
    "weights": ("constant_cv", "poisson", "bounded"),
    "fields": ("centred", "own"),
    "covariates": ("linear", "squares"),
    "sample": ("all", "without the largest 1 %", "with citable documents"),
    "min_age": (3.0, 5.0),
}


def specifications() -> Iterator[Asked]:
    """Every combination of the reasonable choices (Simonsohn, Simmons & Nelson 2020), the primary one first."""
    for values in product(*CHOICES.values()):
        yield replace(Asked(), **dict(zip(CHOICES, values, strict=True)))  # type: ignore[arg-type]


def matched(frame: pl.DataFrame, asked: Asked | None = None, *, caliper: float = 0.2) -> Premium:
    """The premium among pairs of one field and nearest prior standing, of which one opened in the earlier half.

    Each adopter of the earlier half (before its field's median) is paired with the one of the later half whose log standing is
    nearest, no further than ``caliper`` standard deviations, with replacement. Over the pairs, Σ (gain of the earlier ·
    e^(−b · years between) − gain of the later) = 0, each gain divided by what all but the time of opening lets expect of
    its adopter: what the pairing leaves unequal is adjusted for (Abadie & Imbens 2011). The sum is one over adopters, of whom one
    of the later half counts as often as it is matched, and so is its error (Abadie & Imbens 2006): the delete-one-cluster
    jackknife, an adopter with its own cluster alone. Summed by pair, a pair would be in both its clusters, and what is peculiar
    to it counted twice.
    """
    asked = Asked() if asked is None else asked
    rows = sampled(frame, asked)
    fault = _too_little(rows)
    if fault or not any(name.startswith(KNOWN) for name in rows.columns):
        return _none("absolute_growth", rows, fault or "nothing known before adoption to match by", asked)
    gain = _outcome(rows, "absolute_growth")[1]
    early, late = _pairs(rows, caliper)
    if len(early) < MIN_ADOPTERS:
        return _none("absolute_growth", rows, f"fewer than {MIN_ADOPTERS} pairs of like standing", asked)
    opened = rows["opened"].to_numpy()
    codes = np.unique(rows["cluster"].to_numpy(), return_inverse=True)[1].astype(np.int64)
    relative = gain / _expected(rows, gain, codes)
    found = _from_pairs(relative, opened, codes, early, late)
    return replace(_stated(found, "absolute_growth", rows, asked), n=len(early))


def _pairs(rows: pl.DataFrame, caliper: float) -> tuple[IntArray, IntArray]:
    """Positions of both adopters of every pair."""
    first = next(name for name in rows.columns if name.startswith(KNOWN))
    standing, opened = rows[first].to_numpy(), rows["opened"].to_numpy()
    reach = caliper * standing.std()
    early: list[int] = []
    late: list[int] = []
    fields = rows["field"].to_numpy()
    for name in np.unique(fields):
        own = np.flatnonzero(fields == name)
        middle = np.median(opened[own])
        before, after = own[opened[own] < middle], own[opened[own] > middle]
        if not len(before) or not len(after):
            continue
        order = after[np.argsort(standing[after], kind="stable")]
        right = np.clip(np.searchsorted(standing[order], standing[before]), 1, max(len(order) - 1, 1))
        sides = np.stack([order[right - 1], order[np.minimum(right, len(order) - 1)]])
        gaps = np.abs(standing[sides] - standing[before])
        nearest, close = sides[gaps.argmin(axis=0), np.arange(len(before))], gaps.min(axis=0) <= reach
        early += before[close].tolist()
        late += nearest[close].tolist()
    return np.array(early, dtype=np.int64), np.array(late, dtype=np.int64)


def _expected(rows: pl.DataFrame, gain: FloatArray, codes: IntArray) -> FloatArray:
    """Mean gain (n,) that the primary model lets expect of each adopter from all but when it opened."""
    x = _design(rows, Asked())
    fit = fit_ratio(gain, x, codes)
    return np.exp(x[:, 1:] @ fit.theta[1:]) if fit.status == "solved" else np.ones(len(gain))


def _from_pairs(relative: FloatArray, opened: FloatArray, codes: IntArray, early: IntArray, late: IntArray) -> RatioFit:
    """Solve the pairs' equation; what leaving each cluster out would change, in one step.

    Each adopter adds to the equation what its gain is over, or under, the mean of its side (the same on both, where it is solved)
    as often as it is in a pair; half of a pair's slope is of either end.
    """
    years = opened[late] - opened[early]
    value = _root(relative[early], relative[late], years)
    if not np.isfinite(value):
        return RatioFit(np.array([np.nan]), np.empty((0, 1)), np.empty(0), "the pairs' equation has no solution")
    shrunk = relative[early] * np.exp(-value * years)
    centre, half = float(relative[late].mean()), shrunk * years / 2.0
    one, other, size = codes[early], codes[late], int(codes.max()) + 1
    times = np.bincount(early, minlength=len(codes)) + np.bincount(late, minlength=len(codes))
    weight = np.asarray(np.bincount(codes, times.astype(np.float64) ** 2, size), dtype=np.float64)
    score = np.bincount(one, shrunk - centre, size) - np.bincount(other, relative[late] - centre, size)
    slope = np.bincount(one, half, size) + np.bincount(other, half, size)
    touched = weight > 0
    change = score[touched] / (2.0 * half.sum() - slope[touched])
    return RatioFit(np.array([value]), change[:, None], weight[touched], "solved")


def _root(first: FloatArray, second: FloatArray, years: FloatArray) -> float:
    """B of Σ first · e^(−b · years) = Σ second by Newton's steps; NaN where there is none within ±3."""
    if not len(first) or first.sum() <= 0 or second.sum() <= 0:
        return float("nan")
    b = 0.0
    for _ in range(100):
        shrunk = first * np.exp(-b * years)
        slope = float((shrunk * years).sum())
        if slope <= 0:
            return float("nan")
        step = float(np.clip((shrunk.sum() - second.sum()) / slope, -0.2, 0.2))
        b += step
        if abs(step) < 1e-10:
            return b
        if abs(b) > 3.0:
            break
    return float("nan")
