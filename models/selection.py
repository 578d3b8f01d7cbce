"""Who takes a medium up: what adopters were before they adopted, beside those of their field who never did.

Belongs here: the ratio of expected prior standing, adopters over the others of their field, with its interval. Does not:
solving the equation (`mean_ratio`), what adopting brings (`premium`), who counts as an adopter.

E[standing before] = exp(b · adopted + a level of each field), every adopter weighing alike: 100 (e^b − 1) is by how many percent
the standing of those who adopted later was higher. It describes who adopts. Standing was measured before, so that adopting did
not bring it; what else adopters have in common is not held constant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from longwave.models.mean_ratio import FloatArray, fit_ratio

LEVEL: Final = 0.95
LEAST: Final = 30
LEAST_OF_FIELD: Final = 5
MIN_CLUSTERS: Final = 3
COLUMNS: Final = ("adopter", "adopted", "standing", "size", "field", "cluster")


@dataclass(frozen=True)
class Selection:
    """Percent by which adopters stood higher, with its interval; NaN with the reason in ``status``.

    ``adopters`` and ``others``: how many of each. ``fields``: fields with five of each or more; ``higher``: those of them in
    which adopters stood higher on average.
    """

    adopters: int
    others: int
    clusters: int
    fields: int
    higher: int
    status: str
    estimate: float = float("nan")
    lo: float = float("nan")
    hi: float = float("nan")
    effective_clusters: float = float("nan")


def stood_before(frame: pl.DataFrame, *, given_size: bool = False) -> Selection:
    """Compare the prior standing of those who adopted with that of those who did not, within fields.

    Args:
        frame: adopter, adopted (true or false), standing (over 0 in the mean of every field), size (0 or more), field,
            cluster; every row used, nothing missing.
        given_size: hold ln(1 + size) constant, too.

    Raises:
        ValueError: a column is missing, a number is missing or not finite, an adopter repeats.

    """
    checked = _checked(frame)
    took, others = checked.filter("adopted"), checked.filter(~pl.col("adopted"))
    fields, higher = _by_field(checked)
    clusters = checked["cluster"].n_unique()
    counts = (took.height, others.height, clusters, fields, higher)
    if min(took.height, others.height) < LEAST:
        return Selection(*counts, status=f"fewer than {LEAST} on one side")
    if clusters < MIN_CLUSTERS:
        return Selection(*counts, status=f"fewer than {MIN_CLUSTERS} clusters")
    # A field in which all adopted, or none, has nobody to be compared with: it would only cost time.
    both = checked.filter((pl.col("adopted").any() & ~pl.col("adopted").all()).over("field"))
    if both.is_empty():
        return Selection(*counts, status="no field has both who adopted and who did not")
    if both["cluster"].n_unique() < MIN_CLUSTERS:
        return Selection(*counts, status=f"fewer than {MIN_CLUSTERS} clusters in fields that have both")
    codes = np.unique(both["cluster"].to_numpy(), return_inverse=True)[1].astype(np.int64)
    fit = fit_ratio(both["standing"].to_numpy(), _design(both, given_size), codes)
    if fit.status != "solved":
        return Selection(*counts, status=fit.status)
    value, lo, hi = (float(each) for each in 100.0 * np.expm1([fit.theta[0], *fit.interval(LEVEL)]))
    return Selection(*counts, "measured", value, lo, hi, fit.effective_clusters)


def _design(rows: pl.DataFrame, given_size: bool) -> FloatArray:
    """Whether each adopted, ln(1 + size) where asked for, and a column a field: (n, p)."""
    field = np.unique(rows["field"].to_numpy(), return_inverse=True)[1]
    columns = [rows["adopted"].to_numpy().astype(np.float64)]
    if given_size:
        columns.append(np.log1p(rows["size"].to_numpy()))
    return np.column_stack([*columns, np.eye(int(field.max()) + 1)[field]])


def _by_field(rows: pl.DataFrame) -> tuple[int, int]:
    """Fields with enough of both, and those of them in which adopters stood higher on average."""
    of_field = rows.group_by("field").agg(
        pl.col("adopted").sum().alias("took"),
        (~pl.col("adopted")).sum().alias("rest"),
        pl.col("standing").filter("adopted").mean().alias("of_adopters"),
        pl.col("standing").filter(~pl.col("adopted")).mean().alias("of_others"),
    )
    enough = of_field.filter(pl.min_horizontal("took", "rest") >= LEAST_OF_FIELD)
    return enough.height, enough.filter(pl.col("of_adopters") > pl.col("of_others")).height


def _checked(frame: pl.DataFrame) -> pl.DataFrame:
    lacking = [name for name in COLUMNS if name not in frame.columns]
    if lacking:
        raise ValueError(f"those compared lack column(s) {', '.join(lacking)}")
    for name in COLUMNS:
        if frame[name].null_count():
            raise ValueError(f"column {name} has missing values: leave them out first")
    for name in ("standing", "size"):
        if not frame[name].is_finite().all():
            raise ValueError(f"column {name} must be finite: leave missing values out first")
    twice = frame.filter(pl.col("adopter").is_duplicated())
    if twice.height:
        raise ValueError(f"adopter {twice['adopter'].sort()[0]!r} has several rows")
    return frame.sort("adopter")
