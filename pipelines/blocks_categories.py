"""The figure on who was early among journals by the usual categories of adopters, and the words on the early cohort of C5.

Described, with no part in a verdict. Words that state a number are made from it.
"""

from __future__ import annotations

import math

import polars as pl
from longwave.models.categories import BASS, NAMES, ROGERS
from longwave.pipelines.claim_names import ACCOUNTS_SOURCES, CATEGORIES
from longwave.pipelines.find_categories import ALL, mode
from longwave.reports import palette
from longwave.reports.content import FigureBlock
from longwave.reports.figures import categories as figure

PAGE = "claims.html"
HEADING = "Do early adopters get more attention"  # as in blocks_authority, which asks this module for words
_PERCENT = f"{palette.THIN_SPACE}%"
_COLUMNS: dict[str, type[pl.DataType]] = {
    "scheme": pl.String,
    "category": pl.String,
    "until": pl.Float64,
    "lo": pl.Float64,
    "hi": pl.Float64,
    "journals": pl.Int64,
    "% by now": pl.Float64,
    "% by the scheme": pl.Float64,
}
_NOT_IN_THEM = (
    "Intervals resample publishers; that openings follow no such curve is not in them. Journals without an account are in no "
    "category, as are those whose account has no stated day."
)
_BY = {ROGERS: "Rogers’ cut points", BASS: "the Bass curve"}


def category_blocks(findings: pl.DataFrame) -> list[FigureBlock]:
    """The figure, where the results can fill it.

    Args:
        findings: rows of `findings`.

    """
    own = findings.filter(pl.col("subject") == CATEGORIES)
    frame = _frame(own)
    if frame.is_empty():
        return []
    n, clusters = own.filter(pl.col("measure") == "adopters").select("n", "n_clusters").row(0)
    return [
        FigureBlock(
            id="adopter-categories",
            heading=HEADING,
            figure=figure.ends(
                frame.drop_nulls("until"),
                title=_sentence(frame),
                subtitle=f"Where each category of adopters ends, by Rogers and by a Bass curve; bands: 95{_PERCENT} intervals",
            ),
            frame=frame,
            alt="The years at which each category of adopters ends, by two schemes, with intervals.",
            note=_note(own, frame),
            source_ids=ACCOUNTS_SOURCES,
            unit="year; journals; % of those who have opened, and of all who ever will",
            n=f"{palette.integer(n)} journals of {palette.integer(clusters)} publishers",
            line_columns=("scheme",),
            claims=("C4", "C5"),
            page=PAGE,
        )
    ]


def _frame(own: pl.DataFrame) -> pl.DataFrame:
    """Rows scheme, category, until, lo, hi, journals, share of those by now, share by the scheme; null where there is none."""
    by = {(row["measure"], row["mode"]): row for row in own.iter_rows(named=True)}
    rows = []
    for scheme in (ROGERS, BASS):
        for name in NAMES:
            counted = by.get(("adopters", mode(scheme, name)))
            if counted is None:
                continue
            end = by.get(("until", mode(scheme, name)), dict.fromkeys(("estimate", "lo", "hi")))
            share = 100.0 * counted["estimate"] / counted["n"]
            expected = 100.0 * by["expected", mode(scheme, name)]["estimate"]
            count = int(counted["estimate"])
            rows.append((scheme, name, end["estimate"], end["lo"], end["hi"], count, share, expected))
    return pl.DataFrame(rows, schema=_COLUMNS, orient="row")


def _sentence(frame: pl.DataFrame) -> str:
    """Say until when one was an early adopter."""
    early = frame.filter(pl.col("category") == "early adopters").sort("scheme", descending=True)
    told = " or ".join(f"{row['until']:.1f} ({row['scheme']})" for row in early.iter_rows(named=True))
    return f"Journals were early adopters of Twitter until {told}"


def _note(own: pl.DataFrame, frame: pl.DataFrame) -> str:
    counts = [
        f"by {_BY[str(key[0])]} "
        + ", ".join(f"{row['category']} {palette.integer(row['journals'])}" for row in rows.iter_rows(named=True))
        for key, rows in frame.group_by("scheme", maintain_order=True)
    ]
    why = own.filter(pl.col("measure") == "until", pl.col("mode") == mode(BASS, ALL))["note"]
    unsure = own.filter(pl.col("measure") == "until", pl.col("estimate").is_not_null(), pl.col("note").is_not_null())
    return " ".join(
        [
            f"Described, with no part in a verdict. Counted so far: {'; '.join(counts)}.",
            *([f"No categories by a Bass curve: {why[0]}."] if why.len() else []),
            _going_on(own),
            _curve(own),
            *_ahead(own, frame),
            *([f"{unsure['note'][0][0].upper()}{unsure['note'][0][1:]}."] if unsure.height else []),
            _NOT_IN_THEM,
        ]
    )


def _going_on(own: pl.DataFrame) -> str:
    row = own.filter(pl.col("measure") == "going_on")
    share = row["estimate"][0] if row.height else 0.0
    if not share:
        return "Openings were over by the last full year."
    return (
        f"Openings were still going on: those of the last full year are {palette.two_figures(100 * share)}{_PERCENT} of the "
        "fullest year’s. Rogers’ mean and deviation are of journals that had opened by then, and rise as others come."
    )


def _curve(own: pl.DataFrame) -> str:
    values = dict(own.filter(pl.col("measure").str.starts_with("bass_")).select("measure", "estimate").rows())
    if not values:
        return ""
    p, q, m = (values[f"bass_{name}"] for name in "pqm")
    return (
        f"The Bass curve from first launch on (p {palette.two_figures(p)}, q {palette.two_figures(q)} a year) ends at "
        f"{palette.integer(round(m))} journals; its innovators are a share p, its other cuts are the peak and the inflections "
        "of its density (Mahajan, Muller & Srivastava 1990)."
    )


def _ahead(own: pl.DataFrame, frame: pl.DataFrame) -> list[str]:
    """Which categories end after the last year held in full."""
    last = own.filter(pl.col("measure") == "last_full_year")["estimate"]
    late = frame.filter(pl.col("until") >= (last[0] + 1.0 if last.len() else math.inf))
    named = [f"{row['category']} ({row['scheme']})" for row in late.iter_rows(named=True)]
    return [f"After {last[0]:.0f}, and so ahead of the figures, ends: {', '.join(named)}."] if named else []


def how_early(findings: pl.DataFrame) -> str:
    """What the early cohort of C5 is by both schemes, in a sentence; nothing where that is not known."""
    own = findings.filter(pl.col("subject") == CATEGORIES, pl.col("measure") == "early_cohort")
    told = []
    for scheme in (ROGERS, BASS):
        rows = own.filter(pl.col("mode").str.starts_with(mode(scheme, "")), pl.col("estimate") > 0)
        parts = {row["mode"].removeprefix(mode(scheme, "")): row for row in rows.iter_rows(named=True)}
        shares = [
            f"{palette.two_figures(100 * parts[name]['estimate'] / parts[name]['n'])}{_PERCENT} {name}"
            for name in NAMES
            if name in parts
        ]
        if shares:
            told.append(f"by {_BY[scheme]} {' and '.join(shares)}")
    if not told:
        return ""
    return f" Who opened in 2011 to 2013 was not all early, as adopters are usually called: {'; '.join(told)}."
