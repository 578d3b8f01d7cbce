"""The figures on early authority: which rows of the results each is drawn from, and the words.

Caveats stand in the note beside the figure they belong to. Words that state a number are made from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl
from longwave.pipelines.blocks_categories import how_early
from longwave.pipelines.claim_names import ACCOUNTS, ACCOUNTS_SOURCES, PRIMARY, WORLDS
from longwave.reports import palette
from longwave.reports.content import FigureBlock
from longwave.reports.figures import authority as figure

PAGE = "claims.html"
_PERCENT = f"{palette.THIN_SPACE}%"
# Percent: what the study of simulated worlds allows as bias where there is nothing.
NO_BIAS = 0.5
EARLY = "Do early adopters get more attention"
TRACKS = "Does attention track quality"
_OUTCOMES = {
    "premium_absolute_growth": "yearly net new followers, %",
    "premium_log_cumulative": "followers piled up, %",
    "premium_per_account_year": "followers per year of the account, %",
    "premium_growth_rate": "growth rate, points a year",
}
_BESIDE = {
    "standing and size not held constant": "… standing and size not held constant, %",
    "matched by prior standing": "… pairs matched by prior standing, %",
    "without the largest 1 %": "… without the largest 1 %, %",
}
_WORLDS = {
    "no effect": "no effect",
    "exposure only": "exposure only",
    "true premium": "a true premium of 10 %",
    "quality confounding": "better ones came earlier",
    "measurement noise only": "errors of reading only",
    "quality confounding, not measured": "better ones came earlier, in ways not measured",
}
_ASTRAY = {
    "standing acts bent": "attention does not follow standing in one proportion",
    "standing read with error": "a third of what is read as standing is error",
    "heavy tails": "a few gain more than any average foretells",
    "who gains little is not seen": "about a quarter, those who gained least, are not seen again",
    "who gains little is not seen, the later above all": "the unseen are mostly late openers",
}
_HOLDS = 0.9  # the share of intervals under which a world with a true premium is told of
_NEVER_CAUSAL = (
    "None of this is causal: who opens an account early differs in more than standing, size and field, and what nothing held "
    "measures would look like a premium."
)


def authority_blocks(findings: pl.DataFrame, points: pl.DataFrame) -> list[FigureBlock]:
    """Every figure that the results can fill, in the page's order.

    Args:
        findings: rows of `findings`.
        points: rows of `finding_curves`.

    """
    found = findings.filter(pl.col("subject") == ACCOUNTS)
    worlds = findings.filter(pl.col("subject") == WORLDS)
    drawn = points.filter(pl.col("subject") == ACCOUNTS, pl.col("measure") == "specification")
    blocks = [_outcomes(found), _specifications(found, drawn), _worlds(worlds), _cohorts(found, how_early(findings))]
    return [block for block in blocks if block is not None]


def _rows(findings: pl.DataFrame, named: Sequence[tuple[str, str, str, str]]) -> pl.DataFrame:
    """Rows of a picture: measure, mode, name and kind of each that was estimated, in the order asked for."""
    asked = pl.DataFrame(list(named), schema=["measure", "mode", "name", "kind"], orient="row")
    known = findings.filter(pl.col("estimate").is_not_null(), pl.col("lo").is_not_null())
    joined = asked.join(known, on=["measure", "mode"], how="inner", maintain_order="left")
    return joined.select("name", "estimate", "lo", "hi", "n", "kind")


def _outcomes(findings: pl.DataFrame) -> FigureBlock | None:
    named = [(measure, PRIMARY, name, figure.OURS if at == 0 else "beside") for at, (measure, name) in _all_outcomes()]
    extra = [("premium_absolute_growth", mode, name, "beside") for mode, name in _BESIDE.items()]
    frame = _rows(findings, [named[0], *extra, *named[1:]])
    primary = findings.filter(pl.col("measure") == "premium_absolute_growth", pl.col("mode") == PRIMARY)
    if primary.is_empty() or primary["estimate"][0] is None:
        return None
    return FigureBlock(
        id="premium-outcomes",
        heading=EARLY,
        figure=figure.in_rows(
            frame,
            title=_outcome_sentence(findings),
            subtitle="Journals on Twitter, per year of earlier opening, given standing and size of 2010 and field; "
            f"bands: 95{_PERCENT} intervals",
            x_title="per year of earlier opening: %, and for the growth rate points a year",
        ),
        frame=frame.drop("kind"),
        alt="Four outcomes per year of earlier opening, each with its interval, and the first under other choices.",
        note=" ".join([_outcome_note(findings), _NEVER_CAUSAL]),
        source_ids=ACCOUNTS_SOURCES,
        unit="% (growth rate: points a year) per year of earlier opening",
        n=f"{palette.integer(primary['n'][0])} journals of {palette.integer(primary['n_clusters'][0])} publishers, "
        "those with one journal counted as one",
        claims=("C4",),
        page=PAGE,
    )


def _all_outcomes() -> list[tuple[int, tuple[str, str]]]:
    return list(enumerate(_OUTCOMES.items()))


def _bounds(findings: pl.DataFrame, measure: str, mode: str = PRIMARY) -> tuple[float, float, float] | None:
    rows = findings.filter(pl.col("measure") == measure, pl.col("mode") == mode, pl.col("estimate").is_not_null())
    return rows.select("estimate", "lo", "hi").row(0) if rows.height else None


def _outcome_sentence(findings: pl.DataFrame) -> str:
    """Say what the primary outcome says, and whether the others agree with it in sign."""
    found = {measure: _bounds(findings, measure) for measure in _OUTCOMES}
    primary = found["premium_absolute_growth"]
    if primary is None:
        return "Four outcomes of an early start, side by side"
    estimate, lo, hi = primary
    gain = "more" if estimate > 0 else "fewer"
    opened = f"a year’s earlier opening goes with {palette.two_figures(abs(estimate))}{_PERCENT} {gain}"
    sure = "" if lo > 0 or hi < 0 else ", an interval across 0"
    others = [bounds for bounds in found.values() if bounds is not None]
    agree = len(others) == len(_OUTCOMES) and all((row[0] > 0) == (estimate > 0) for row in others)
    sign = "all four outcomes agree in sign" if agree else "the sign depends on the outcome asked about"
    return f"Among journals {opened} new followers a year{sure}; {sign}"


def _outcome_note(findings: pl.DataFrame) -> str:
    effective = findings.filter(pl.col("measure") == "effective_clusters/absolute_growth")["estimate"]
    few = f", worth {effective[0]:.0f} of equal size," if effective.len() else ""
    return (
        "Yearly net new followers are what the verdict rests on: a mean model of signed gains, accounts at least three years "
        "old when first counted. Followers piled up by now show earliness and exposure, not separable: who came earlier has had "
        "longer. The growth rate falls with an account’s age wherever yearly gains do not compound, with a premium or "
        f"without. Intervals know that journals of one publisher go together; publishers{few} are few. {_left_out(findings)}"
    )


def _left_out(findings: pl.DataFrame) -> str:
    """Who is not among the journals read, and why."""
    names = {
        "adopted before anything is known of it": "opened before 2011, when nothing held says how they stood",
        "sjr before adoption not known": "had no standing in 2010",
        "not observed at both ends of the watch": "were not counted at both ends (missing is not dead)",
        "shared_account": "share an account",
    }
    rows = findings.filter(pl.col("measure") == "left_out", pl.col("estimate") > 0).sort("estimate", descending=True)
    told = [
        f"{palette.integer(row['estimate'])} {names[row['mode']]}"
        for row in rows.iter_rows(named=True)
        if row["mode"] in names
    ]
    return f"Left out of those with an account: {'; '.join(told)}." if told else ""


def _specifications(findings: pl.DataFrame, points: pl.DataFrame) -> FigureBlock | None:
    if points.is_empty():
        return None
    frame = points.sort("x").select(
        pl.col("mode").str.strip_suffix(f" | {PRIMARY}").alias("specification"),
        pl.col("y").alias("percent"),
        "lo",
        "hi",
        "n",
        pl.col("mode").str.ends_with(f" | {PRIMARY}").alias("primary"),
    )
    over = frame.filter(pl.col("percent") > 0).height
    sure = frame.filter(pl.col("lo") > 0).height
    clear = "none of their intervals is clear of 0" if not sure else f"the interval is clear of 0 in {sure}"
    matched = _bounds(findings, "premium_absolute_growth", "matched by prior standing")
    pairs = (
        f" Pairs matched by prior standing within a field say {palette.two_figures(matched[0])}{_PERCENT} "
        f"({palette.span(matched[1], matched[2])})."
        if matched
        else ""
    )
    return FigureBlock(
        id="premium-specifications",
        heading=EARLY,
        figure=figure.specification_curve(
            frame,
            title=f"The estimate is over 0 in {over} of {frame.height} reasonable specifications; {clear}",
            subtitle=f"Yearly net new followers per year of earlier opening, %; band: 95{_PERCENT} intervals, each for itself",
        ),
        frame=frame,
        alt="Estimates of the premium under every combination of reasonable choices, from the lowest to the highest.",
        note=(
            "Every combination of: how journals weigh (alike, by size, none more than another), how fields are held constant, "
            "whether standing and size enter with their squares, which journals are read, and from which age. One is primary, "
            "chosen in simulated worlds; the others move no verdict. They share most of their data: that many agree is not that "
            f"many witnesses. {_by_weights(frame)}{pairs} {_NEVER_CAUSAL}"
        ),
        source_ids=ACCOUNTS_SOURCES,
        unit="% per year of earlier opening",
        n=f"{frame.height} specifications",
        line_columns=("primary",),
        claims=("C4",),
        page=PAGE,
    )


def _by_weights(frame: pl.DataFrame) -> str:
    """The middle estimate for each way to weigh journals: the choice that matters most here."""
    named = frame.with_columns(pl.col("specification").str.split(" | ").list.first().alias("weights"))
    middles = named.group_by("weights", maintain_order=True).agg(pl.col("percent").median()).sort("percent", "weights")
    told = [f"{palette.two_figures(row['percent'])}{_PERCENT} ({row['weights']})" for row in middles.to_dicts()]
    return f"Middle estimates: {', '.join(told)}."


def _worlds(worlds: pl.DataFrame) -> FigureBlock | None:
    ours, naive = "absolute_growth", "naive"
    named = [
        row
        for world, name in _WORLDS.items()
        for row in (
            (ours, world, f"{name}: new followers a year", figure.OURS),
            (naive, world, f"{name}: followers piled up", "beside"),
        )
    ]
    frame = _rows(worlds, named)
    if frame.is_empty():
        return None
    truth = {row["mode"]: row["estimate"] for row in worlds.filter(pl.col("measure") == f"truth/{ours}").to_dicts()}
    frame = frame.with_columns(pl.Series("truth", [truth[row[1]] for row in named]))
    faked, seen = _bounds(worlds, naive, "exposure only"), _bounds(worlds, ours, "exposure only")
    if faked is None or seen is None:
        return None
    ours_say = "none" if abs(seen[0]) < NO_BIAS else f"one of {palette.two_figures(seen[0])}{_PERCENT}"
    held = worlds.filter(pl.col("measure") == f"coverage/{ours}", pl.col("mode").is_in(list(_WORLDS)[:5]))["estimate"]
    hidden = _bounds(worlds, ours, "quality confounding, not measured")
    each = worlds.filter(pl.col("measure") == ours)["n"][0]
    return FigureBlock(
        id="premium-worlds",
        heading=EARLY,
        figure=figure.in_rows(
            frame,
            title=f"Exposure alone fakes a premium of {palette.two_figures(faked[0])}{_PERCENT} a year in what has "
            f"piled up, and {ours_say} in what is gained each year",
            subtitle="Simulated panels whose answer is known (upright ticks); dots: means; bands: where 95 of 100 panels fall",
            x_title="% per year of earlier opening",
            bounds=(f"95{_PERCENT} of panels", "to"),
        ),
        frame=frame.drop("kind"),
        alt="Mean estimates in six simulated worlds, of new followers a year and of followers piled up, beside the truth.",
        note=(
            f"In each world {palette.integer(each)} panels about as large and as clustered as the one held; followers "
            "piled up are taken plainly, nothing held constant but the field. In the first five the "
            f"95{_PERCENT} interval of yearly new followers held the truth in {palette.span(100 * min(held), 100 * max(held))}"
            f"{_PERCENT} of them. The last is a limit and no success: where quality that nothing measures makes journals come "
            f"earlier, {palette.two_figures(hidden[0]) if hidden else 'some'}{_PERCENT} are shown and none are there."
            f"{_astray(worlds)}"
        ),
        source_ids=[],
        unit="% per year of earlier opening",
        n=f"{palette.integer(each)} simulated panels a world",
        claims=("C4",),
        page=PAGE,
    )


def _astray(worlds: pl.DataFrame) -> str:
    """How far the premium goes astray, and how often its interval holds, where what it takes for granted does not hold."""
    none = [(words, _held(worlds, f"{world} (quality confounding)")) for world, words in _ASTRAY.items()]
    some = [(words, _held(worlds, f"{world} (true premium)")) for world, words in _ASTRAY.items()]
    shown = [
        f"{found['mean']} where {words} (the interval holds in {found['share']})" for words, found in none if found
    ]
    if not shown:
        return ""
    told = f" Nor is the model right of every world. With no premium in truth it shows on average {'; '.join(shown)}."
    missed = [(words, found) for words, found in some if found and found["coverage"] < _HOLDS]
    for words, found in missed:
        told += f" Of a true premium of {found['truth']} it shows {found['mean']} where {words} ({found['share']})."
    return told


def _held(worlds: pl.DataFrame, name: str) -> dict[str, Any] | None:
    """What one world shows of the primary reading, as words, with the share of intervals that hold."""
    found = _bounds(worlds, "absolute_growth", name)
    rows = worlds.filter(pl.col("mode") == name)
    stated = {
        what: rows.filter(pl.col("measure") == f"{what}/absolute_growth")["estimate"] for what in ("truth", "coverage")
    }
    if found is None or any(not len(column) for column in stated.values()):
        return None
    truth, coverage = stated["truth"][0], stated["coverage"][0]
    told = {"mean": found[0], "truth": truth, "share": 100.0 * coverage}
    return {what: f"{palette.two_figures(value)}{_PERCENT}" for what, value in told.items()} | {"coverage": coverage}


def _cohorts(findings: pl.DataFrame, early: str) -> FigureBlock | None:
    named = [
        ("tau_early", PRIMARY, "opened 2011 to 2013", "beside"),
        ("tau_late", PRIMARY, "opened 2016 to 2018", "beside"),
        ("tau_difference", PRIMARY, "difference, early less late", figure.OURS),
        ("tau_difference", "without the largest publisher", "… without the largest publisher", "beside"),
        ("tau_difference", "without the largest field", "… without the largest field", "beside"),
        ("tau_difference", "fields under 20 merged", "… fields under 20 merged", "beside"),
    ]
    frame = _rows(findings, named)
    gap = _bounds(findings, "tau_difference")
    if gap is None:
        return None
    n = findings.filter(pl.col("measure") == "tau_difference", pl.col("mode") == PRIMARY)["n"][0]
    return FigureBlock(
        id="attention-and-standing",
        heading=TRACKS,
        figure=figure.in_rows(
            frame,
            title=_cohort_sentence(gap),
            subtitle=f"τ-b of followers with SCImago’s rank of 2010, over pairs of one field; bands: 95{_PERCENT} intervals",
            x_title="rank correlation, or difference of two",
        ),
        frame=frame.drop("kind"),
        alt="Rank correlation of followers with prior standing for journals that opened early and late, and the difference.",
        note=(
            "Under 0 the difference would say that followers of early openers go less with standing. Both cohorts were counted "
            "in 2023: there is no age at which both were. Standing is by citations; what else makes a journal good is not in it. "
            f"Two journals are compared only within a field.{early}"
        ),
        source_ids=ACCOUNTS_SOURCES,
        unit="rank correlation",
        n=f"{palette.integer(n)} journals",
        claims=("C5",),
        page=PAGE,
    )


def _cohort_sentence(gap: tuple[float, float, float]) -> str:
    """Say which cohort's followers go more with standing, or that it cannot be told."""
    if gap[2] < 0:
        return "Followers of those who opened early go less with prior standing than of those who opened late"
    if gap[1] > 0:
        return "Followers of those who opened early go more with prior standing than of those who opened late"
    return "Whether followers go less with standing among early openers than among late ones cannot be told"
