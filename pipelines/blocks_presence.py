"""The figures of presence and of speed: which rows of the results each is drawn from, and the words beside it.

Caveats stand in the note beside the figure they belong to. Words that state a number are made from it.
"""

from __future__ import annotations

from typing import Any

import polars as pl
from longwave.models.presence import LEAST_FOR_NONE, MARGIN
from longwave.pipelines.claim_names import (
    ALL_PAIRS,
    AMONG_ALL,
    IN_FIELD,
    JOURNALS,
    NEWSPAPERS,
    PRESENCE_SOURCES,
    SPEED,
    SPEED_PANEL,
)
from longwave.reports import palette
from longwave.reports.content import FigureBlock
from longwave.reports.figures import presence as drawing
from longwave.reports.palette import hundredths as _two
from longwave.warehouse.panels import PANELS

PAGE = "claims.html"
MEDIUM = "social"
TOGETHER = "Does a big presence go with being good at the work"
FAST = "How fast social media were taken up"
WITHIN = "within fields"
_PERCENT = f"{palette.THIN_SPACE}%"


def presence_blocks(findings: pl.DataFrame, points: pl.DataFrame) -> list[FigureBlock]:
    """Every figure that the results can fill, in the page's order.

    Args:
        findings: rows of `findings`.
        points: rows of `finding_curves`.

    """
    blocks = [_standing(findings, points), _correlations(findings), _speed(findings, points)]
    return [block for block in blocks if block is not None]


def _row(findings: pl.DataFrame, subject: str, measure: str, mode: str) -> dict[str, Any] | None:
    """One finding, None where it is not there."""
    place = (pl.col("subject") == subject, pl.col("measure") == measure, pl.col("mode") == mode)
    rows = findings.filter(*place)
    return rows.row(0, named=True) if rows.height else None


def _ends(row: dict[str, Any]) -> str:
    return f"{_two(row['lo'])} to {_two(row['hi'])}"


def _standing(findings: pl.DataFrame, points: pl.DataFrame) -> FigureBlock | None:
    whole, inside = (_row(findings, JOURNALS, "spearman", mode) for mode in (ALL_PAIRS, WITHIN))
    less = _row(findings, JOURNALS, "within_less_pooled", ALL_PAIRS)
    frame = _places(points)
    if whole is None or inside is None or less is None or frame.is_empty():
        return None
    title = f"Journals’ followers and standing: ρ {_two(whole['estimate'])} among all, {_two(inside['estimate'])} within fields"
    places = frame["place"].unique(maintain_order=True).to_list()
    drawn = ", ".join(
        f"{frame.filter(pl.col('place') == place, pl.col('part') == drawing.POINT).height} {place}" for place in places
    )
    return FigureBlock(
        id="followers-and-standing",
        heading=TOGETHER,
        figure=drawing.standing(
            frame,
            medium=MEDIUM,
            title=title,
            subtitle=(
                "Followers on Twitter and SCImago Journal Rank of 2010, as percentiles; line: middle standing of each tenth of "
                "followers"
            ),
        ),
        frame=frame,
        alt="Journals by followers and standing: percentiles among all journals, and within their own field at their age.",
        note=(
            f"Points are a part of the journals, evenly over their names ({drawn}); lines are of all. Within a field, a "
            "journal is compared with those whose account is of its age, three years either way, where there are ten. Over all, "
            f"Spearman’s ρ is {_two(whole['estimate'])} (95{_PERCENT} interval {_ends(whole)}), within fields "
            f"{_two(inside['estimate'])} ({_ends(inside)}). Kendall’s τ-b within fields less over all: {_two(less['estimate'])} "
            f"({_ends(less)}). Standing was measured years before the followers; neither is shown to bring about the other."
        ),
        source_ids=PRESENCE_SOURCES[JOURNALS],
        unit="percentile",
        n=f"{palette.integer(whole['n'])} journals of {palette.integer(whole['n_clusters'])} publishers",
        line_columns=("place", "part", "name"),
        claims=("C1", "C9"),
        page=PAGE,
    )


def _places(points: pl.DataFrame) -> pl.DataFrame:
    """Points and middles of both panels: place, presence, outcome, name, part, n."""
    own = points.filter(pl.col("subject") == JOURNALS)
    parts = []
    for place in (AMONG_ALL, IN_FIELD):
        for measure, part in ((f"standing {place}", drawing.POINT), (f"middle standing {place}", drawing.MIDDLE)):
            rows = own.filter(pl.col("measure") == measure).sort("mode", "x")
            named = {"place": pl.lit(place), "presence": pl.col("x"), "outcome": pl.col("y"), "name": pl.col("mode")}
            parts.append(rows.select(**named, part=pl.lit(part), n=pl.col("n")))
    return pl.concat(parts)


def _correlations(findings: pl.DataFrame) -> FigureBlock | None:
    """Every way of looking at it, against the margin."""
    outer = findings.filter(pl.col("measure") == "spearman", pl.col("subject").is_in([JOURNALS, NEWSPAPERS]))
    if outer.filter(pl.col("subject") == JOURNALS).is_empty():
        return None
    words = pl.lit("newspapers: copies, finalists")
    frame = outer.select(
        pl.when(pl.col("subject") == JOURNALS).then(pl.col("mode")).otherwise(words).alias("name"),
        pl.col("subject") != JOURNALS,
        "estimate",
        "lo",
        "hi",
        *(pl.lit(None, pl.Float64).alias(end) for end in ("inner_lo", "inner_hi")),
        pl.col("note").alias("reading"),
        "n",
    ).sort(pl.col("subject"), pl.col("name") != ALL_PAIRS, -pl.col("estimate"), "name")
    told = sum(reading == "correlated" for reading in frame["reading"])
    return FigureBlock(
        id="presence-correlations",
        heading=TOGETHER,
        figure=drawing.correlations(
            frame,
            margin=MARGIN,
            title=f"In {told} of {frame.height} ways of looking at it, presence and standing are correlated",
            subtitle=f"Spearman’s ρ; bands: 95{_PERCENT} intervals by publisher; dashed: {MARGIN:g} either way, the margin",
        ),
        frame=frame.drop("subject", "inner_lo", "inner_hi"),
        alt="Rank correlations of presence and outcome, under every choice, with the margin under which they would be none.",
        note=(
            "Only the first decides a claim; the others say what it depends on. An interval wholly beyond a dashed line: "
            f"correlated. That there is no correlation would be shown by a 90{_PERCENT} interval between them, from "
            f"{LEAST_FOR_NONE} pairs on. Nothing is pooled over these rows: they are the same journals, and the newspapers "
            "are fifty of the largest of their time, in another medium."
        ),
        source_ids=[source for sources in PRESENCE_SOURCES.values() for source in sources],
        unit="rank correlation",
        n=f"{palette.integer(min(frame['n'].to_list()))} to {palette.integer(max(frame['n'].to_list()))} pairs",
        claims=("C1", "C9"),
        page=PAGE,
    )


def _speed(findings: pl.DataFrame, points: pl.DataFrame) -> FigureBlock | None:
    found = _row(findings, SPEED, "years_10_to_50", "as observed")
    ranked = _row(findings, SPEED, "years_10_to_50_by_rank", "as observed")
    own = points.filter(pl.col("subject") == SPEED)
    if found is None or ranked is None:
        return None
    asked = own.filter(pl.col("measure") == "years_10_to_50_in_question").with_columns(role=pl.lit(drawing.IN_QUESTION))
    peers = own.filter(pl.col("measure") == "years_10_to_50").with_columns(role=pl.lit("reference"))
    name = pl.col("mode").str.split("|").list.first().alias("name")
    frame = pl.concat([asked, peers]).select(name, pl.col("y").alias("years"), "role").sort("years", "name")
    inside = found["lo"] <= found["estimate"] <= found["hi"]
    ratio = _row(findings, SPEED, "speed_ratio", "as observed")
    centre = found["estimate"] / ratio["estimate"] if ratio else found["estimate"]
    return FigureBlock(
        id="years-to-half",
        heading=FAST,
        figure=drawing.years(
            frame,
            medium=MEDIUM,
            expected=(found["lo"], centre, found["hi"]),
            title=(
                f"Social media took {palette.two_figures(found['estimate'])} years from 10 to 50{_PERCENT} of adults: "
                f"{'within' if inside else 'outside'} what one more technology may take"
            ),
            subtitle=(
                f"Years from 10 to 50{_PERCENT} in the United States; band: 95{_PERCENT} prediction interval of one more "
                "technology, dashed: its centre"
            ),
        ),
        frame=frame,
        alt="Years from 10 to 50 % of households or adults, by technology, and the interval in which one more is expected.",
        note=(
            f"{found['n']} technologies whose years can be read off observations; {_left_out(findings)}. One more is expected "
            f"after {palette.span(found['lo'], found['hi'])} years (95{_PERCENT}, log-normal), or, without a distribution, "
            f"after {palette.span(ranked['lo'], ranked['hi'])} ({palette.two_figures(100 * ranked['level'])}{_PERCENT} is as "
            "much as so few can give). Adults for social media, mostly households for the others. Lying inside does not show "
            "that social media are like the others."
        ),
        source_ids=PANELS[SPEED_PANEL].sources(),
        unit="years",
        n=f"{found['n']} reference technologies",
        claims=("C2",),
        page=PAGE,
    )


def _left_out(findings: pl.DataFrame) -> str:
    rows = findings.filter(pl.col("subject") == SPEED, pl.col("measure") == "series_left_out")
    rows = rows.sort("estimate", "mode", descending=True)
    said = ", ".join(f"{row['estimate']:.0f} {row['mode']}" for row in rows.iter_rows(named=True))
    return f"left out: {said}" if said else "none left out"
