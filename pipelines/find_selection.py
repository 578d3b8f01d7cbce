"""Who opened an account: journals that did beside those of their field that never did, by their standing of before.

Descriptive. What is computed is said in `longwave.models.selection`; here only which journals are compared. Standing is of
2010: journals that opened an account before 2011 are left out, since theirs is not from before, and so are those with an
account whose day nobody states. That a journal has none is known of the list's day alone: an account given up is not in it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import polars as pl
from longwave.models.adopters import AdopterPanel
from longwave.models.premium import MIN_FIELD, merged
from longwave.models.selection import LEVEL, Selection, stood_before
from longwave.pipelines.claim_names import PRIMARY, SELECTION
from longwave.pipelines.find import Rows

RATIO = "% higher than of those without"
EARLY, LATE = (2011.0, 2014.0), (2016.0, 2019.0)


def selection_rows(panel: AdopterPanel) -> Rows:
    """By how much those that opened an account stood higher before, under each choice, and in how many fields.

    Args:
        panel: journals with and without accounts, with `sjr` and `documents`.

    """
    rows = Rows()
    frame = candidates(panel)
    if not frame["adopted"].any():
        return rows
    for mode, (part, given_size) in _choices(frame).items():
        found = stood_before(part, given_size=given_size)
        _add(rows, mode, found)
        if mode == PRIMARY:
            _add_counts(rows, found)
    return rows


def candidates(panel: AdopterPanel) -> pl.DataFrame:
    """One row a journal with a standing of before: adopter, adopted, opened, standing, size, documents, field, cluster, flags.

    Those whose standing is not from before their account have none. Fields of under twenty journals are one, and so are
    publishers of a single journal.
    """
    known = [
        pl.Series(name, panel.prior(of), nan_to_null=True) for name, of in (("standing", "sjr"), ("size", "documents"))
    ]
    opened = pl.col("adopted")
    held = panel.adopters.with_columns(known).drop_nulls(["standing", "size", "field", "cluster"])
    named = held.select(
        "adopter",
        opened.is_not_null().alias("adopted"),
        opened.alias("opened"),
        "standing",
        "size",
        "field",
        "cluster",
        "flags",
    )
    return merged(merged(named, "field", MIN_FIELD), "cluster", 2)


def _choices(frame: pl.DataFrame) -> Mapping[str, tuple[pl.DataFrame, bool]]:
    """Journals to compare under a name, and whether size is held constant: the primary one first."""
    opened, none = pl.col("opened"), ~pl.col("adopted")
    largest = (
        frame.filter("adopted").group_by("cluster").len().sort("len", "cluster", descending=[True, False])["cluster"][0]
    )
    documents = ~pl.col("flags").str.split(",").list.contains("no_citable_documents")
    cohorts = {
        f"opened {first:.0f} to {last - 1:.0f}": (frame.filter(none | ((opened >= first) & (opened < last))), False)
        for first, last in (EARLY, LATE)
    }
    return {
        PRIMARY: (frame, False),
        "given size, too": (frame, True),
        **cohorts,
        "with citable documents": (frame.filter(documents), False),
        "without the largest publisher": (frame.filter(pl.col("cluster") != largest), False),
    }


def _add(rows: Rows, mode: str, found: Selection) -> None:
    known = math.isfinite(found.estimate)
    bounds = (
        {"estimate": found.estimate, "lo": found.lo, "hi": found.hi, "level": LEVEL} if known else {"estimate": None}
    )
    rows.finding(
        SELECTION,
        "standing_before",
        mode,
        n=found.adopters + found.others,
        n_clusters=found.clusters,
        unit=RATIO,
        note=None if known else found.status,
        **bounds,
    )


def _add_counts(rows: Rows, found: Selection) -> None:
    n = found.adopters + found.others
    counts = {
        "with_account": (found.adopters, "journals"),
        "without_account": (found.others, "journals"),
        "fields_higher": (found.higher, "fields"),
        "fields_compared": (found.fields, "fields"),
        "effective_clusters": (found.effective_clusters, "clusters"),
    }
    for measure, (value, unit) in counts.items():
        known = math.isfinite(value)
        note = "a count" if known else found.status
        rows.finding(SELECTION, measure, PRIMARY, estimate=float(value) if known else None, n=n, unit=unit, note=note)
