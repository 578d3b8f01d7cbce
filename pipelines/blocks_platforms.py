"""The figures on platforms: how they stood first and last, among adults and by referrals, and the words.

Described, and no evidence of any claim: caveats stand in the note beside each. Words that state a number are made from it.
"""

from __future__ import annotations

from collections.abc import Collection

import polars as pl
from longwave.pipelines.claim_names import ADULTS, REFERRALS_IN
from longwave.reports import palette
from longwave.reports.content import FigureBlock
from longwave.reports.figures import platforms as figure
from longwave.warehouse.adopter_frames import BEHIND, REFERRALS
from longwave.warehouse.world import places

PAGE = "claims.html"
HEADING = "Do the platforms that lead stay ahead"
_BESIDE = (
    "Description only: a few platforms, listed because they succeeded, are no sample, so that there is no interval, no test "
    "and no part in a verdict."
)
_ENDS = ["first", "last", "rank_first", "rank_last"]


def platform_blocks(findings: pl.DataFrame, points: pl.DataFrame, passed_on: Collection[str]) -> list[FigureBlock]:
    """Every figure that the results can fill.

    Args:
        findings: rows of `findings`.
        points: rows of `finding_curves`.
        passed_on: sources whose own rows may be shown.

    """
    may = {place for place, source in REFERRALS.items() if source in passed_on}
    blocks = [
        _adults(findings, points) if set(BEHIND["platforms"]) <= set(passed_on) else None,
        _referrals(findings, points, may),
    ]
    return [block for block in blocks if block is not None]


def standings(findings: pl.DataFrame, points: pl.DataFrame, subject: str) -> pl.DataFrame:
    """One row a platform that is compared: platform, since, until, first, last (%), both ranks, gain, n; by first rank."""
    own = points.filter(pl.col("subject") == subject, pl.col("measure").is_in(["share", "rank"])).sort("x")
    ends = own.group_by("mode").agg(
        pl.col("x").min().alias("since"),
        pl.col("x").max().alias("until"),
        *(
            pl.col("y").filter(pl.col("measure") == measure).get(at).alias(name)
            for name, measure, at in zip(_ENDS, ("share", "share", "rank", "rank"), (0, 1, 0, 1), strict=True)
        ),
    )
    gains = findings.filter(pl.col("subject") == subject, pl.col("measure") == "gain").select(
        "mode", pl.col("estimate").alias("gain"), "n"
    )
    made = ends.join(gains, on="mode").rename({"mode": "platform"})
    return made.sort("rank_first", "platform").select("platform", "since", "until", *_ENDS, "gain", "n")


def _words() -> pl.Expr:
    ranks = [pl.col(name).map_elements(palette.exact, pl.String) for name in ("rank_first", "rank_last")]
    return pl.format("rank {} first, {} last", *ranks).alias("words")


def _adults(findings: pl.DataFrame, points: pl.DataFrame) -> FigureBlock | None:
    frame = standings(findings, points, ADULTS)
    if frame.is_empty():
        return None
    since, until = int(frame["since"][0]), int(frame["until"][0])
    drawn = frame.select(pl.col("platform").alias("name"), "first", "last", _words())
    never = findings.filter(pl.col("subject") == ADULTS, pl.col("measure") == "left_out").height
    return FigureBlock(
        id="platforms-adults",
        heading=HEADING,
        figure=figure.first_and_last(
            drawn,
            title=_leader(frame, since, until),
            subtitle=f"Adults of the United States who say they ever use each: {since} (grey) and {until} (coloured)",
            x_title="% of adults",
        ),
        frame=frame.with_columns(pl.col("since", "until").floor().cast(pl.Int32)),
        alt="Share of adults who use each platform, in the first survey and in the last one by the same method.",
        note=(
            f"{_BESIDE} Ranks are among the {frame.height} asked about in both surveys, which is not among all: {never} others "
            "were asked about in one or neither, and a platform enters when it is first asked about, which is not when it "
            "began. Missing is not 0. Surveys after a change of method are not compared: those of 2023 and 2024 were made "
            "by other means. All shares can rise together, and the column gain is the change of the logit."
            if until < 2023
            else f"{_BESIDE} Ranks are among the {frame.height} asked about in both surveys."
        ),
        source_ids=list(BEHIND["platforms"]),
        unit="% of adults",
        n=f"{frame.height} platforms",
        line_columns=("platform",),
        claims=("C4a",),
        page=PAGE,
    )


def _leader(frame: pl.DataFrame, since: int, until: int) -> str:
    """Say who led first and last, and who climbed furthest."""
    first, last = (frame.sort(name, "platform")["platform"][0] for name in ("rank_first", "rank_last"))
    led = f"{first} led in {since} and in {until}" if first == last else f"{first} led in {since}, {last} in {until}"
    climbed = frame.with_columns(by=pl.col("rank_first") - pl.col("rank_last")).sort(
        "by", "platform", descending=[True, False]
    )
    most = climbed.row(0, named=True)
    if most["by"] <= 0:
        return f"{led}, and no rank changed"
    return f"{led}; {most['platform']} rose from rank {most['rank_first']:g} to {most['rank_last']:g} of {frame.height}"


def _referrals(findings: pl.DataFrame, points: pl.DataFrame, may: Collection[str]) -> FigureBlock | None:
    names = places()
    parts = [
        part.select(pl.lit(names[place]["name"]).alias("country"), pl.all())
        for place in REFERRALS
        if place in may and (part := standings(findings, points, f"{REFERRALS_IN}{place}")).height
    ]
    if not parts:
        return None
    frame = pl.concat(parts).with_columns(pl.col("since", "until").cast(pl.Int32))
    since, until = min(frame["since"].to_list()), max(frame["until"].to_list())
    kept = sum(part.filter(pl.col("rank_first") == 1)["rank_last"][0] == 1 for part in parts)
    drawn = frame.select(
        pl.format("{}: {}", "country", "platform").alias("name"),
        pl.lit(0.0).alias("first"),
        pl.col("gain").alias("last"),
        _words(),
    )
    return FigureBlock(
        id="platforms-referrals",
        heading=HEADING,
        figure=figure.first_and_last(
            drawn,
            title=f"Of platforms held at both ends, the one that sent most visits in {since} still did in {until} in {kept} of "
            f"{len(parts)} countries",
            subtitle="Change of each platform’s share of referrals against the others of its country: centred log-ratios, from 0",
            x_title="change of the log-ratio",
        ),
        frame=frame,
        alt="Change of each platform's share of referrals against the others, by country, between two whole years.",
        note=(
            f"{_BESIDE} Referrals are visits that links on a platform bring to sites that StatCounter counts: a share of clicks, "
            "not of use, over desktop, mobile, tablet and console together, whose mix changed. Shares make up 100, so that one "
            "can rise because another falls: each is compared with the mean of a fixed set, those over 0 in every month of both "
            f"years; 0.7 is doubled against the others, −0.7 halved. {_unseen(findings, may)}"
        ),
        source_ids=[REFERRALS[place] for place in REFERRALS if place in may],
        unit="change of the centred log-ratio",
        n=f"{frame.height} platforms in {len(parts)} countries",
        line_columns=("country", "platform"),
        claims=("C4a",),
        page=PAGE,
    )


def _unseen(findings: pl.DataFrame, may: Collection[str]) -> str:
    """Which platforms are not compared because they were not shown in some month."""
    subjects = [f"{REFERRALS_IN}{place}" for place in may]
    gone = findings.filter(pl.col("subject").is_in(subjects), pl.col("measure") == "left_out")
    named = ", ".join(gone["mode"].unique().sort().to_list())
    if not named:
        return "No platform is left out."
    return (
        f"Left out in one country or more: {named}. A share of 0 is one not tracked yet, or too small to be shown, and nobody "
        "can tell which: neither is taken for an end."
    )
