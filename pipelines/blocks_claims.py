"""The figures behind claims that need no panel of adopters: which rows of the results each is drawn from, and the words.

Caveats stand in the note beside the figure they belong to. Words that state a number are made from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
from longwave.models.channels import MARGIN, PRIMARY
from longwave.pipelines.claim_names import CODINGS, HOURS, RELATIONSHIPS, STATEMENTS, UPKEEP
from longwave.reports import palette
from longwave.reports.content import FigureBlock
from longwave.reports.figures import channels as channels_figure
from longwave.reports.figures import upkeep as upkeep_figure
from longwave.warehouse.world import load_fact

PAGE = "claims.html"
MAIN = CODINGS[PRIMARY]
TRUTH = "Does the channel tell whether a message is true"
KEEPING = "What it takes to keep relationships alive"
_CAVEATS = (
    "Only truth is tested; bias, affiliation, accuracy and usefulness are not. Checkers choose what they check, and the counts "
    "carry no speaker, so intervals are too narrow."
)


def claim_blocks(findings: pl.DataFrame, points: pl.DataFrame) -> list[FigureBlock]:
    """Every figure that the results can fill, in the page's order.

    Args:
        findings: rows of `findings`.
        points: rows of `finding_curves`.

    """
    found = findings.filter(pl.col("subject").is_in([STATEMENTS, UPKEEP]))
    lines = points.filter(pl.col("subject").is_in([STATEMENTS, UPKEEP]))
    blocks = [_shares(lines), _pairs(found, lines), _upkeep(found, lines)]
    return [block for block in blocks if block is not None]


def _drawn(points: pl.DataFrame, measure: str) -> pl.DataFrame:
    return points.filter(pl.col("measure") == measure).sort("x", "mode")


def _shares(points: pl.DataFrame) -> FigureBlock | None:
    rows = _drawn(points, "share_false_or_worse")
    if rows.is_empty():
        return None
    rules = load_fact("channels").select("channel", "title", "known", "medium")
    frame = (
        rows.join(rules, left_on="mode", right_on="channel")
        .select("title", "medium", "known", pl.col("y").alias("percent"), "lo", "hi", "n")
        .sort(pl.col("known") == "no", -pl.col("percent"), "title")
    )
    return FigureBlock(
        id="false-by-channel",
        heading=TRUTH,
        figure=channels_figure.by_channel(frame),
        frame=frame,
        alt="Share of fact-checked statements rated false or worse, by the channel they came by.",
        note=(
            f"Statements of 2007 to 2016 that PolitiFact rated false, or worse than false. {_CAVEATS} The channel was read off "
            "free text by coarse keywords, and of one statement in five it is not known. Each interval holds for its channel "
            "alone; comparisons are in the next figure."
        ),
        source_ids=["factcheck"],
        unit="% of statements",
        n=f"{palette.integer(sum(frame['n'].to_list()))} statements",
        page=PAGE,
    )


def _pairs(findings: pl.DataFrame, points: pl.DataFrame) -> FigureBlock | None:
    rows = _drawn(points, "difference_false_or_worse")
    if rows.is_empty():
        return None
    frame = rows.select(pl.col("mode").alias("pair"), pl.col("y").alias("difference"), "lo", "hi", "n")
    known = _number(findings, "largest_difference", MAIN, "n")
    return FigureBlock(
        id="channel-differences",
        heading=TRUTH,
        figure=channels_figure.differences(frame, margin=MARGIN),
        frame=frame,
        alt="Differences in the share of false statements between every two channels, against a margin of 10 points.",
        note=" ".join([_CAVEATS, _tipping(findings), _codings(findings), _association(findings)]),
        source_ids=["factcheck"],
        unit="points",
        n=f"{palette.integer(known)} statements with a known channel",
        page=PAGE,
    )


def _number(findings: pl.DataFrame, measure: str, mode: str, column: str = "estimate") -> float | None:
    rows = findings.filter(pl.col("measure") == measure, pl.col("mode") == mode)
    value = rows[column][0] if rows.height else None
    return None if value is None else float(value)


def _tipping(findings: pl.DataFrame) -> str:
    effect = _number(findings, "tipping_design_effect", MAIN)
    if effect is None:
        return f"The interval of the largest difference holds {MARGIN:g} points."
    return (
        f"The interval of the largest difference would reach {MARGIN:g} points if statements counted for "
        f"{palette.two_figures(effect)} times fewer than they are."
    )


def _codings(findings: pl.DataFrame) -> str:
    """How the largest difference comes out under every other rule; one that decides otherwise is told apart."""
    rows = findings.filter(pl.col("measure") == "largest_difference").sort("mode")
    main = rows.filter(pl.col("mode") == MAIN).row(0, named=True)
    others = list(rows.filter(pl.col("mode") != MAIN).iter_rows(named=True))
    same = [row["estimate"] for row in others if _side(row) == _side(main)]
    said = [
        f"{row['mode'].removeprefix(f'{MAIN}, ')} {palette.two_figures(row['estimate'])} "
        f"({palette.span(row['lo'], row['hi'])})"
        for row in others
        if _side(row) != _side(main)
    ]
    alike = f"{palette.span(min(same), max(same))} points, decided alike" if same else "none"
    apart = f"; decided otherwise: {'; '.join(said)}" if said else ""
    return (
        f"The largest difference under {len(others)} other rules (codings, groups, a channel left out): {alike}{apart}."
    )


def _side(row: Mapping[str, Any]) -> str:
    """Where the interval of a largest difference lies against the margin."""
    return "over" if row["lo"] > MARGIN else ("under" if row["hi"] < MARGIN else "across")


def _association(findings: pl.DataFrame) -> str:
    """Cramér's V, φ and the information, over the codings."""
    names = {"cramers_v_corrected": "Cramér’s V", "phi_corrected": "φ"}
    said = []
    for measure, name in names.items():
        found = findings.filter(pl.col("measure") == measure).sort("estimate")
        parts = [f"{palette.two_figures(row['estimate'])} ({row['mode']})" for row in found.iter_rows(named=True)]
        said.append(f"{name} {', '.join(parts)}")
    share = findings.filter(pl.col("measure") == "information_share_corrected")["estimate"].to_list()
    told = f"{palette.span(100 * min(share), 100 * max(share))}{palette.THIN_SPACE}%"
    return f"Descriptive, corrected for bias: {'; '.join(said)}; the channel tells {told} of the verdict’s entropy."


def _upkeep(findings: pl.DataFrame, points: pl.DataFrame) -> FigureBlock | None:
    rows = _drawn(points, "hours_a_week")
    if rows.is_empty():
        return None
    frame = rows.select(
        pl.col("mode").alias("way"),
        pl.col("x").cast(pl.Int32).alias("relationships"),
        pl.col("y").alias("hours"),
        "lo",
        "hi",
    ).sort("way", "relationships")
    multiple = _number(findings, "break_even", "10 hours a week, 1,000 relationships")
    kept = findings.filter(pl.col("measure") == "relationships_by_layers").row(0, named=True)
    return FigureBlock(
        id="upkeep",
        heading=KEEPING,
        figure=upkeep_figure.hours_by_relationships(frame, hours=HOURS, relationships=RELATIONSHIPS),
        frame=frame,
        alt="Hours a week by number of relationships: by layers of closeness, and at one or two yearly cards each.",
        note=(
            "Conditional arithmetic: it follows from stated inputs, and is no evidence about them. A card takes 10 minutes (5 "
            "to 20). Layers of closeness are filled from the inside, at the frequencies and minutes of the table of facts; their "
            "band runs from the 41 minutes a day that Americans tell time diaries to the 3.5 hours of Dunbar. With the table’s "
            f"minutes 5 hours keep {palette.two_figures(kept['estimate'])} relationships by layers (range "
            f"{palette.span(kept['lo'], kept['hi'])}); 1,000 take exactly 10 hours at {palette.two_figures(multiple)} times "
            "those minutes. The command longwave upkeep works it out for other numbers."
        ),
        source_ids=[],
        unit="hours a week",
        n="stated inputs",
        line_columns=("way",),
        page=PAGE,
    )
