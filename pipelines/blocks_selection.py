"""The figure on who opened an account: journals that did beside those without one, by their standing of before.

Caveats stand in the note beside it. Words that state a number are made from it.
"""

from __future__ import annotations

import polars as pl
from longwave.pipelines.blocks_authority import EARLY, PAGE
from longwave.pipelines.claim_names import ACCOUNTS_SOURCES, PRIMARY, SELECTION
from longwave.reports import palette
from longwave.reports.content import FigureBlock
from longwave.reports.figures import authority as figure

_PERCENT = f"{palette.THIN_SPACE}%"


def selection_blocks(findings: pl.DataFrame) -> list[FigureBlock]:
    """The figure, where the results can fill it.

    Args:
        findings: rows of `findings`.

    """
    found = findings.filter(pl.col("subject") == SELECTION)
    known = found.filter(pl.col("measure") == "standing_before", pl.col("estimate").is_not_null())
    primary = known.filter(pl.col("mode") == PRIMARY)
    if primary.is_empty():
        return []
    row = primary.row(0, named=True)
    frame = known.select(
        pl.when(pl.col("mode") == PRIMARY)
        .then(pl.lit("opened from 2011 on"))
        # Short, as the row above says what they did: a phone has little room beside the bars.
        .otherwise(pl.format("… {}", pl.col("mode").str.strip_prefix("opened ")))
        .alias("name"),
        "estimate",
        "lo",
        "hi",
        "n",
        pl.when(pl.col("mode") == PRIMARY).then(pl.lit(figure.OURS)).otherwise(pl.lit("beside")).alias("kind"),
    ).sort(pl.col("kind") != figure.OURS, "name")
    counts = dict(found.filter(pl.col("measure") != "standing_before").select("measure", "estimate").rows())
    return [
        FigureBlock(
            id="premium-selection",
            heading=EARLY,
            figure=figure.in_rows(
                frame,
                title=_sentence(row["estimate"], row["lo"], row["hi"]),
                subtitle="SCImago Journal Rank of 2010, before any of these accounts: by how many percent it was higher, within "
                f"fields; bands: 95{_PERCENT} intervals",
                x_title="% higher than without an account",
            ),
            frame=frame.drop("kind"),
            alt="By how many percent the standing of 2010 was higher for journals that opened an account later, by cohort.",
            note=_note(counts),
            source_ids=ACCOUNTS_SOURCES,
            unit="% higher",
            n=f"{palette.integer(row['n'])} journals of {palette.integer(row['n_clusters'])} publishers, those with one journal "
            "counted as one",
            claims=("C4",),
            page=PAGE,
        )
    ]


def _sentence(estimate: float, lo: float, hi: float) -> str:
    size = f"{palette.two_figures(abs(estimate))}{_PERCENT}"
    if lo > 0 or hi < 0:
        side = "higher" if lo > 0 else "lower"
        return f"Journals that opened an account stood {size} {side} before than those without one"
    return "Whether journals that opened an account stood higher before than those without one cannot be told"


def _note(counts: dict[str, float | None]) -> str:
    have, lack, higher, fields = (
        palette.integer(counts.get(name))
        for name in ("with_account", "without_account", "fields_higher", "fields_compared")
    )
    return (
        f"Who adopts is no accident: {have} journals that opened an account from 2011 on, and {lack} with none in the list of "
        f"accounts, which may have given one up. In {higher} of {fields} fields with five of each or more those with an "
        "account stood higher on average. Described, with no part in a verdict: a premium that did not hold standing constant "
        "would count this as its own. Only journals in SCImago’s ranks of 2010 are compared, so none founded since; magazines "
        "are among them where they are ranked (those without a citable document are left out in one row). Fields of under "
        "twenty journals are taken together. Accounts opened before 2011, and those whose day nobody states, are left out."
    )
