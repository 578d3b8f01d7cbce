"""The figure of what places' early authority in one medium foretells, learnt from other media; words made from its numbers."""

from __future__ import annotations

import polars as pl
from longwave.models.impact import MODELS, POOLED
from longwave.pipelines.claim_names import ADDS, PLACES, SKILL
from longwave.reports import palette
from longwave.reports.content import FigureBlock
from longwave.reports.figures import impact as drawing
from longwave.reports.palette import hundredths as _two
from longwave.warehouse.adopter_frames import sources_behind_every_medium

PAGE = "claims.html"
HEADING = "Do the places that lead stay ahead"
_PERCENT = f"{palette.THIN_SPACE}%"


def impact_blocks(findings: pl.DataFrame) -> list[FigureBlock]:
    """The figure, where the results hold it; otherwise none.

    Args:
        findings: rows of `findings`.

    """
    own = findings.filter(pl.col("subject") == PLACES)
    frame = _drawn(own)
    if frame.is_empty():
        return []
    return [_block(own, frame)]


def _drawn(own: pl.DataFrame) -> pl.DataFrame:
    """Every model over all media, then authority and size alone in each."""
    read = own.filter(pl.col("measure").str.starts_with(f"{SKILL}/")).with_columns(
        model=pl.col("measure").str.strip_prefix(f"{SKILL}/"), pooled=pl.col("mode") == POOLED
    )
    rank = {model: at for at, model in enumerate(MODELS)}
    kept = read.filter(pl.col("pooled") | pl.col("model").is_in(MODELS[:2]))
    return (
        kept.with_columns(at=pl.col("model").replace_strict(rank, return_dtype=pl.Int64))
        .sort(~pl.col("pooled"), "mode", "at")
        .select(
            pl.format("{}: {}", "mode", "model").alias("name"),
            "model",
            pl.col("mode").alias("medium"),
            pl.col("estimate").alias("skill"),
            "lo",
            "hi",
            "n",
            "n_clusters",
            pl.col("note").alias("years compared"),
            "pooled",
        )
    )


def _block(own: pl.DataFrame, frame: pl.DataFrame) -> FigureBlock:
    whole = {row["model"]: row for row in frame.filter(pl.col("pooled")).iter_rows(named=True)}
    by_authority, by_size, both, boosted = (whole[model] for model in MODELS)
    media = frame.filter(~pl.col("pooled"))["medium"].n_unique()
    adds = {
        row["measure"].removeprefix(f"{ADDS}/"): row["estimate"]
        for row in own.filter(pl.col("measure").str.starts_with(f"{ADDS}/")).iter_rows(named=True)
    }
    names = {"authority": "early authority", "log_gdp_per_head": "income", "log_population": "population"}
    rises = "; ".join(f"{names[column]} {_two(adds[column])}" for column in names if column in adds)
    return FigureBlock(
        id="impact-out-of-medium",
        heading=HEADING,
        figure=drawing.skills(
            frame,
            title=(
                f"Learnt from other media, early authority foretells {_two(by_authority['skill'])} of places’ later ranks "
                f"({_ends(by_authority)}), size {_two(by_size['skill'])} ({_ends(by_size)})"
            ),
            subtitle=(
                f"Skill: 1 less the squared error as a share of knowing nothing; 0 knows nothing, 1 all; 95{_PERCENT} intervals "
                "by subregion"
            ),
        ),
        frame=frame.drop("name", "pooled"),
        alt="Skill of predictions of a medium left out, by what they were made from, over all media and in each.",
        note=(
            f"Each of {media} media in turn is predicted from the others; its own later figures are seen by no fit. Over all: "
            f"early authority {_two(by_authority['skill'])} ({_ends(by_authority)}), size alone {_two(by_size['skill'])} "
            f"({_ends(by_size)}), both {_two(both['skill'])} ({_ends(both)}), gradient boosting on both "
            f"{_two(boosted['skill'])} ({_ends(boosted)}). When a column is permuted, the boosting’s error rises by this share: "
            f"{rises}. Size is income and population before the place adopted. Most media are of the same few rich places, "
            "counted in each: what is predicted out of is the medium, not the place. Intervals are over places, for these media: "
            "of a medium to come they say nothing. Which years were compared is in the table."
        ),
        source_ids=sources_behind_every_medium(),
        unit="skill",
        n=f"{palette.integer(by_authority['n'])} places and media, {by_authority['n_clusters']} subregions",
        line_columns=("medium", "model"),
        claims=("C4a",),
        page=PAGE,
    )


def _ends(row: dict[str, float]) -> str:
    return f"{_two(row['lo'])} to {_two(row['hi'])}"
