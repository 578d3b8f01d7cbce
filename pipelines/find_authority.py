"""The study of early authority: a panel of journals and their accounts in, rows of the findings tables out.

What is computed is said in `longwave.models`; here only what it is asked of this panel, which of its numbers are kept, and
under which names the claims and the pages find them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import polars as pl
from longwave.models import quality
from longwave.models.adopters import AdopterPanel
from longwave.models.claims import LONGEST_HORIZON
from longwave.models.premium import (
    LEVEL,
    MERGED,
    MIN_FIELD,
    Asked,
    Known,
    Premium,
    matched,
    merged,
    outcomes,
    premium,
    sampled,
    specifications,
    watched,
)
from longwave.pipelines.claim_names import ACCOUNTS, PRIMARY, SPECIFICATION_PARTS, WORLDS
from longwave.pipelines.find import OBSERVED, Rows
from longwave.pipelines.find_categories import category_rows
from longwave.pipelines.find_selection import selection_rows
from longwave.warehouse.records import Record

RECORD = "authority-worlds"
# Standing and size of 2010: of accounts opened from 2011 on they are from before.
OPENED_FROM = 2011.0
STANDING = "known_sjr"
HELD_CONSTANT = (Known("sjr", 0.0), Known("documents", 1.0))
# Two journals under one account have one audience: it would count twice.
WITHOUT = ("shared_account",)
EARLY, LATE = (2011.0, 2014.0), (2016.0, 2019.0)
RANK_CORRELATION = "difference of rank correlations"
JOURNALS_UNIT = "journals"
# Analyses that ask for what the simulated worlds state: by how much more is gained a year.
_OF_THE_RATE = ("absolute_growth", "matched", "poisson", "bounded")


def authority(panel: AdopterPanel, worlds: Record | None) -> Rows:
    """The premium with its outcomes, the cohorts' difference, what simulated worlds show of both, and who opened an account.

    Args:
        panel: journals, their followers, and their standing of 2010 (`sjr`, `documents`).
        worlds: the record of the simulation study; None where there is none.

    """
    rows = Rows()
    if panel.attention.is_empty():
        return rows
    frame, left = watched(panel, HELD_CONSTANT, opened_from=OPENED_FROM, without=WITHOUT)
    for reason, count in left.items():
        rows.finding(ACCOUNTS, "left_out", reason, estimate=float(count), n=panel.adopters.height, unit=JOURNALS_UNIT)
    read = sampled(frame, Asked())
    if read.is_empty():
        return rows
    years = float((read["last_at"] - read["opened"]).to_numpy().max())
    rows.finding(ACCOUNTS, LONGEST_HORIZON, OBSERVED, estimate=years, n=read.height, unit="years")
    _add_premium(rows, panel, frame)
    _add_cohorts(rows, frame)
    _add_worlds(rows, worlds)
    rows.add(selection_rows(panel))
    rows.add(category_rows(panel, frame))
    return rows


def without_the_largest(frame: pl.DataFrame, by: str) -> dict[str, pl.DataFrame]:
    """The panel without each of its largest contributors: a publisher, a field, a single journal.

    Args:
        frame: adopter, cluster, field, and the column that says how large a journal is.
        by: name of that column.

    """
    kept = {}
    for column, words in (("cluster", "the largest publisher"), ("field", "the largest field")):
        largest = frame.group_by(column).len().sort("len", column, descending=[True, False])
        named = largest.filter(pl.col(column) != MERGED)[column][0]
        kept[f"without {words}"] = frame.filter(pl.col(column) != named)
    most = frame.sort(by, "adopter", descending=[True, False])["adopter"][0]
    kept["without the journal with the most followers"] = frame.filter(pl.col("adopter") != most)
    return kept


# --- the premium


def _add_premium(rows: Rows, panel: AdopterPanel, frame: pl.DataFrame) -> None:
    for found in outcomes(frame).values():
        _add(rows, PRIMARY, found)
    at, until = float(frame["first_at"].to_numpy().min()), float(frame["last_at"].to_numpy().max())
    later, _ = watched(panel, HELD_CONSTANT, window=((at + until) / 2, until), opened_from=OPENED_FROM, without=WITHOUT)
    others = {
        "without the largest 1 %": premium(frame, Asked(sample="without the largest 1 %")),
        "with citable documents": premium(frame, Asked(sample="with citable documents")),
        "weighted by size": premium(frame, Asked(weights="poisson")),
        "no journal weighs more than another": premium(frame, Asked(weights="bounded")),
        "a column for each field": premium(frame, Asked(fields="own")),
        "standing and size not held constant": premium(frame, Asked(covariates="none")),
        "matched by prior standing": matched(frame),
        "the second half of the watch": premium(later),
        **{mode: premium(part) for mode, part in without_the_largest(frame, "last").items()},
    }
    for mode, found in others.items():
        _add(rows, mode, found)
    curve = [premium(frame, asked) for asked in specifications()]
    solved = sorted((found for found in curve if math.isfinite(found.estimate)), key=lambda found: found.estimate)
    for x, found in enumerate(solved):
        rows.curve(
            ACCOUNTS,
            "specification",
            _specified(found.asked),
            "rank",
            x,
            y=found.estimate,
            lo=found.lo,
            hi=found.hi,
            level=LEVEL,
            n=found.n,
            unit=found.unit,
        )


def _specified(asked: Asked) -> str:
    """A specification in words, its parts in the order of ``SPECIFICATION_PARTS``; the primary one is called that, too."""
    words = " | ".join(SPECIFICATION_PARTS[name][str(getattr(asked, name))] for name in SPECIFICATION_PARTS)
    return f"{words} | {PRIMARY}" if asked == Asked() else words


def _add(rows: Rows, mode: str, found: Premium) -> None:
    known = math.isfinite(found.estimate)
    rows.finding(
        ACCOUNTS,
        f"premium_{found.measure}",
        mode,
        estimate=found.estimate if known else None,
        lo=found.lo if known else None,
        hi=found.hi if known else None,
        level=LEVEL if known else None,
        n=found.n,
        n_clusters=found.clusters,
        unit=found.unit,
        note=None if known else found.status,
    )
    if known and mode == PRIMARY:
        counts = {"n": found.n, "n_clusters": found.clusters}
        for measure, value, unit in (
            ("effective_clusters", found.effective_clusters, "clusters"),
            ("p", found.p, "p-value"),
        ):
            rows.finding(ACCOUNTS, f"{measure}/{found.measure}", mode, estimate=value, unit=unit, **counts)


# --- attention and prior standing


def _add_cohorts(rows: Rows, frame: pl.DataFrame) -> None:
    whole = frame.with_columns(attention=pl.col("last"), standing=pl.col(STANDING))
    age = pl.col("last_at") - pl.col("opened")
    asked: Mapping[str, pl.DataFrame] = {
        PRIMARY: whole,
        "followers per year of the account’s age": whole.with_columns(attention=pl.col("last") / age),
        f"fields under {MIN_FIELD} merged": merged(whole, "field", MIN_FIELD),
        **without_the_largest(whole, "last"),
    }
    for mode, part in asked.items():
        found = quality.apart(merged(part, "cluster", 2), EARLY, LATE)
        known = found.status == "measured"
        note = None if known else found.status
        same = {"level": quality.LEVEL if known else None, "n_clusters": found.clusters, "unit": RANK_CORRELATION}
        n = found.early.n + found.late.n
        bounds = (found.difference, found.lo, found.hi) if known else (None, None, None)
        _add_interval(rows, "tau_difference", mode, bounds, n=n, note=note, **same)
        if mode == PRIMARY and math.isfinite(found.p):
            rows.finding(
                ACCOUNTS, "p/tau_difference", mode, estimate=found.p, n=n, n_clusters=found.clusters, unit="p-value"
            )
        for name, cohort in (("tau_early", found.early), ("tau_late", found.late)):
            bounds = (cohort.tau, cohort.lo, cohort.hi) if known else (None, None, None)
            _add_interval(rows, name, mode, bounds, n=cohort.n, note=note, **same | {"unit": "rank correlation"})


def _add_interval(
    rows: Rows, measure: str, mode: str, bounds: tuple[float | None, float | None, float | None], **same: object
) -> None:
    estimate, lo, hi = bounds
    rows.finding(ACCOUNTS, measure, mode, estimate=estimate, lo=lo, hi=hi, **same)


# --- worlds whose answer is known


def _add_worlds(rows: Rows, worlds: Record | None) -> None:
    """What each analysis says on average in each simulated world, with the span that 95 of 100 panels fall into."""
    if worlds is None:
        return
    for row in pl.concat(worlds.tables.values(), how="vertical_relaxed").iter_rows(named=True):
        unit = "points a year per year earlier" if row["analysis"] == "growth_rate" else "% per year earlier"
        reach = 1.96 * row["spread"]
        bounds = {"estimate": row["mean"], "lo": row["mean"] - reach, "hi": row["mean"] + reach, "level": LEVEL}
        rows.finding(WORLDS, row["analysis"], row["world"], n=row["replicates"], unit=unit, **bounds)
        # Of the rate at which attention is gained alone: a premium of 10 % is no truth about what has piled up.
        for measure, own in (("truth", unit), ("coverage", "share")) if row["analysis"] in _OF_THE_RATE else ():
            rows.finding(
                WORLDS,
                f"{measure}/{row['analysis']}",
                row["world"],
                estimate=row[measure],
                n=row["replicates"],
                unit=own,
            )
