"""Which journals were early on Twitter by the usual categories of adopters: rows of the findings on early authority.

Descriptive, with no part in a verdict. What is computed is said in `longwave.models.categories`; here only who is counted:
journals whose account has a stated day, by publisher; the curve is fitted up to the last year that the list holds in full.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import polars as pl
from longwave.models.adopters import AdopterPanel
from longwave.models.categories import LEVEL, NAMES, Categories, categories
from longwave.pipelines.claim_names import CATEGORIES
from longwave.pipelines.find import SEED, Rows
from longwave.pipelines.find_selection import EARLY

JOURNALS_UNIT = "journals"
ALL = "all"


def category_rows(panel: AdopterPanel, frame: pl.DataFrame) -> Rows:
    """Ends, members and expected shares of each category in both schemes, and where the early cohort of C5 stands in them.

    Args:
        panel: journals and the days their accounts were opened.
        frame: the journals whose cohorts are compared: opened, decimal years.

    """
    rows = Rows()
    held = panel.adopters.drop_nulls(["adopted", "cluster"]).filter(pl.col("adopted") >= panel.first_launch)
    if held.is_empty():
        return rows
    adopted = held["adopted"].to_numpy()
    until = math.floor(adopted.max())
    clusters = held["cluster"].to_numpy()
    _add_going_on(rows, adopted, until)
    cohort = frame.filter(pl.col("opened") >= EARLY[0], pl.col("opened") < EARLY[1])["opened"].to_numpy()
    for found in categories(adopted, clusters, launch=panel.first_launch, until=until, seed=SEED):
        _add(rows, found, cohort)
    return rows


def mode(scheme: str, category: str) -> str:
    """Under which mode the rows of a category stand."""
    return f"{scheme} | {category}"


def _add_going_on(rows: Rows, adopted: np.ndarray[tuple[int], np.dtype[np.float64]], until: int) -> None:
    """Adoptions of the last full year, as a share of the fullest one's: 0 where adoption is over."""
    years = np.floor(adopted).astype(np.int64)
    by_year = np.bincount(years[years < until] - years.min(), minlength=1)
    if until > years.min():
        share = float(by_year[until - 1 - years.min()] / by_year.max())
        said = f"openings of {until - 1} as a share of the fullest year's"
        rows.finding(CATEGORIES, "going_on", ALL, estimate=share, n=len(adopted), unit="share", note=said)
        full = {"unit": "year", "note": "the last year that the figures hold in full"}
        rows.finding(CATEGORIES, "last_full_year", ALL, estimate=float(until - 1), n=len(adopted), **full)


def _add(rows: Rows, found: Categories, cohort: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    counts = {"n": found.n, "n_clusters": found.clusters}
    if found.reason is not None:
        rows.finding(CATEGORIES, "until", mode(found.scheme, ALL), unit="year", note=found.reason, **counts)
        return
    inside = found.among(cohort)
    for at, name in enumerate(NAMES):
        own = mode(found.scheme, name)
        if at < len(found.ends):
            rows.finding(CATEGORIES, "until", own, unit="year", note=found.unsure, **_bounds(found, at), **counts)
        share = {"estimate": found.expected[at], "unit": "share", "note": "by the scheme, of all who ever adopt"}
        rows.finding(CATEGORIES, "adopters", own, estimate=float(found.counts[at]), unit=JOURNALS_UNIT, **counts)
        rows.finding(CATEGORIES, "expected", own, **share, **counts)
        if len(cohort):
            of = f"of the {len(cohort)} that opened in {EARLY[0]:.0f} to {EARLY[1] - 1:.0f}"
            rows.finding(
                CATEGORIES, "early_cohort", own, estimate=float(inside[at]), n=len(cohort), unit=JOURNALS_UNIT, note=of
            )
    for name, value in zip(("p", "q", "m"), found.bass or (), strict=False):
        unit = JOURNALS_UNIT if name == "m" else "a year"
        rows.finding(CATEGORIES, f"bass_{name}", ALL, estimate=value, unit=unit, note="least squares", **counts)


def _bounds(found: Categories, at: int) -> Mapping[str, float | None]:
    lo, hi = found.lo[at], found.hi[at]
    known = math.isfinite(lo) and math.isfinite(hi)
    ends = {"lo": lo, "hi": hi, "level": LEVEL} if known else dict.fromkeys(("lo", "hi", "level"))
    return {"estimate": found.ends[at]} | ends
