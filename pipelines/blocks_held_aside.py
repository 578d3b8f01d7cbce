"""The figures of the one evaluation on a panel held aside: what it confirmed and, as loudly, what it did not.

Every number is a row of `findings` that `find_held_aside` made from the record. Titles follow from the rows: a method
counts as beaten where the 95 % intervals of the paired difference lie under 0 by either average, and as nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import polars as pl
from longwave.models.horizons import NAMED
from longwave.models.ripeness import MIN_CLUSTERS
from longwave.models.scoreboard import ALL
from longwave.pipelines.blocks_backtests import PAGE, TREND, WHO, rows_of, score_frame, score_row
from longwave.pipelines.find_held_aside import OURS, UNITS
from longwave.reports import palette
from longwave.reports.content import FigureBlock
from longwave.reports.figures import backtests as figure
from longwave.warehouse.world import load_fact

HEADING: Final = "On a panel held aside, evaluated once"
SOURCE: Final = "hccta"
FAR_LIMIT: Final = 1.05
"""Target named beforehand: the upper 95 % limit of our error ÷ each reference's lies under this."""
EARLY_LIMIT: Final = 0.90
"""Target named beforehand: up to age 8 our error ÷ the strongest reference's is at most this."""
NAMES: Final = {"count": "Cars and commercial vehicles", "share": "Oxygen steel"}
"""What the series of a unit class are of; steel made in oxygen furnaces is a process of producers."""
_SHARED = {"count": "; a country has two, and surprises that they share make the intervals too narrow", "share": ""}
_AVERAGES = ("window", "series")
_MEASURES = {
    "mae_by_window": "Error, all windows alike",
    "mae_by_series": "Error, all series alike",
    "wis_by_window": "Interval score, all windows alike",
    "wis_by_series": "Interval score, all series alike",
}
_LEVELS = (80, 90)
_EARLY = "up to 8"


def held_aside_blocks(findings: pl.DataFrame) -> list[FigureBlock]:
    """The figures of the evaluation, none where there is none to tell. `findings`: rows of `findings`."""
    rows = {kind: rows_of(findings, f"held-aside/{kind}") for kind in UNITS}
    if any(found.is_empty() for found in rows.values()):
        return []
    far = rows_of(findings, "held-aside").filter(pl.col("measure").str.starts_with("relative_mae/"))
    made: list[Callable[[], FigureBlock]] = [
        *(lambda kind=kind: _differences(rows[kind], kind) for kind in UNITS),
        lambda: _coverage(rows),
        lambda: _far(far),
    ]
    return [replace(block, page=PAGE) for block in (make() for make in made)]


def _about() -> str:
    row = load_fact("held_aside").row(0, named=True)
    return (
        f"{row['citation']}; registered on {row['held_since']} with the digest of its rows, before any forecast of it."
    )


def _sample(rows: pl.DataFrame) -> str:
    mine = rows.filter(pl.col("who") == OURS, pl.col("measure") == "mae_by_window/all").row(0, named=True)
    return f"{palette.integer(mine['n'])} windows of {mine['n_clusters']} series"


# --- the next few years


def _differences(rows: pl.DataFrame, kind: str) -> FigureBlock:
    drawn = []
    for measure, title in _MEASURES.items():
        for peer in _peers(rows):
            for row in rows.filter(pl.col("measure") == f"{measure}/{ALL}/minus {peer}").iter_rows(named=True):
                strongest = "ours" if peer == TREND else "peer"
                drawn.append(score_row(row, title, _sample(rows), f"minus {WHO[peer]}", strongest))
    frame = score_frame(drawn)
    scale = "points" if kind == "share" else "natural logarithms of the level per 100 people"
    return FigureBlock(
        id=f"held-aside-{kind}s",
        heading=HEADING,
        figure=figure.score_rows(
            frame,
            title=differences_title(rows, kind),
            subtitle=(
                f"Ours minus the other method on the same windows, {scale}; under 0 ours is better; paired 95\u202f% intervals"
            ),
            axis=UNITS[kind],
        ),
        frame=frame,
        alt="Differences between our errors and those of each method beside it on the panel held aside.",
        note=(
            "Forecasts for the next one to four years from every year with at least ten before it, by a forecaster that had "
            "learnt from all other series and from no medium of this panel. It was looked at once: nothing was chosen "
            f"by it and it is not made again. Intervals from resampling series{_SHARED[kind]}. {_about()}"
        ),
        source_ids=[SOURCE],
        unit=UNITS[kind],
        n=_sample(rows),
        line_columns=("panel_title",),
    )


def _peers(rows: pl.DataFrame) -> list[str]:
    """Methods beside ours, the strongest first."""
    found = set(rows.filter(pl.col("who") != OURS)["who"])
    return sorted(found, key=lambda peer: (peer != TREND, list(WHO).index(peer)))


def differences_title(rows: pl.DataFrame, kind: str) -> str:
    """What the paired intervals confirm, by error and by interval score, and what they do not."""
    left = {score: _not_beaten(rows, score) for score in ("mae", "wis")}
    confirmed = "confirmed" if not any(left.values()) else "not confirmed"
    said = [_said(words, left[score]) for score, words in (("mae", "error"), ("wis", "interval score"))]
    trend = rows.filter(pl.col("measure") == f"mae_by_window/{ALL}/minus {TREND}").row(0, named=True)
    gap = f"{palette.two_figures(trend['estimate'])} ({palette.span(trend['lo'], trend['hi'])}) {UNITS[kind]}"
    return f"{NAMES[kind]}: {confirmed}; {'; '.join(said)}. Error minus the damped trend's: {gap}"


def _not_beaten(rows: pl.DataFrame, score: str) -> list[str]:
    """Methods that are not shown to be worse than ours by both averages."""
    limits = {(row["measure"]): row["hi"] for row in rows.iter_rows(named=True)}
    return [
        peer
        for peer in _peers(rows)
        if any((limits[f"{score}_by_{by}/{ALL}/minus {peer}"] or 0.0) >= 0.0 for by in _AVERAGES)
    ]


def _said(words: str, left: Sequence[str]) -> str:
    if not left:
        return f"{words} smaller than every method's beside it"
    return f"{words} not shown to be smaller than that of {' or '.join(WHO[peer] for peer in left)}"


# --- intervals


def _coverage(rows: dict[str, pl.DataFrame]) -> FigureBlock:
    parts = [
        found.filter(pl.col("measure").str.starts_with("coverage_"), pl.col("who") == OURS).select(
            pl.lit(NAMES[kind]).alias("panel_title"),
            pl.format("{} outcomes of {}", "n", pl.col("note").str.split(";").list.first()).alias("sample"),
            pl.lit("held aside").alias("setting"),
            pl.col("measure").str.split("/").list.last().alias("last_level"),
            (pl.col("measure").str.extract(r"_(\d+)/").cast(pl.Float64) / 100).alias("nominal"),
            pl.col("estimate").alias("observed"),
            *("lo", "hi", "n", "n_clusters"),
            pl.col("note").str.split("; ").list.last().alias("rule"),
        )
        for kind, found in rows.items()
    ]
    frame = pl.concat(parts)
    return FigureBlock(
        id="held-aside-calibration",
        heading=HEADING,
        figure=figure.calibration(
            frame.filter(pl.col("last_level") == ALL),
            title=coverage_title(rows),
            subtitle="Share of outcomes inside intervals of 50, 80 and 90\u202f%, series alike; band: 90\u202f%",
        ),
        frame=frame,
        alt="Observed against stated coverage of the intervals on the panel held aside, counts and shares apart.",
        note=(
            "The rule is that of the figures above: the 90 % interval contains the stated share, and the point lies within 5 "
            "points of it. The table has the intervals by the last level before the forecast too. Steel made in "
            "oxygen furnaces is a choice of producers, as little of what was learnt from is; whether that is why is not tested."
        ),
        source_ids=[SOURCE],
        unit="share of outcomes",
        n="; ".join(f"{NAMES[kind].lower()}: {_sample(found)}" for kind, found in rows.items()),
        line_columns=("panel_title", "last_level"),
    )


def coverage_title(rows: dict[str, pl.DataFrame]) -> str:
    """What the intervals of 80 and 90 % held, and on which side the rule is broken."""
    return "; ".join(f"{NAMES[kind]}: {_held(found)}" for kind, found in rows.items())


def _held(rows: pl.DataFrame) -> str:
    found = {
        level: rows.filter(pl.col("who") == OURS, pl.col("measure") == f"coverage_{level}/{ALL}").row(0, named=True)
        for level in _LEVELS
    }
    held = " and ".join(f"{100 * row['estimate']:.0f}\u202f%" for row in found.values())
    broken: dict[str, list[str]] = {}
    for level, row in found.items():
        if row["note"].endswith("outside the rule"):
            broken.setdefault("too narrow" if 100 * row["estimate"] < level else "too wide", []).append(str(level))
    rule = ", ".join(f"{how} at {' and '.join(levels)}" for how, levels in broken.items()) or "within the rule"
    return f"intervals of {' and '.join(map(str, _LEVELS))}\u202f% held {held}, {rule}"


# --- many years ahead


def _parted(far: pl.DataFrame) -> pl.DataFrame:
    """Relative errors with their parts: reference, asked, ages."""
    parts = pl.col("measure").str.strip_prefix("relative_mae/").str.split("/")
    asked = parts.list.get(1).str.split(", ages ")
    return far.with_columns(
        parts.list.get(0).alias("reference"),
        asked.list.first().alias("asked"),
        pl.when(pl.col("k") >= 0)
        .then(pl.col("k").cast(pl.String))
        .otherwise(asked.list.get(1, null_on_oob=True).fill_null(ALL))
        .alias("ages"),
    )


def _named(far: pl.DataFrame, ages: str) -> pl.DataFrame:
    kept = _parted(far).filter(pl.col("reference").is_in(NAMED), pl.col("asked") == ALL, pl.col("ages") == ages)
    return kept.sort("who", pl.col("reference").replace_strict({name: i for i, name in enumerate(NAMED)}))


def _far(far: pl.DataFrame) -> FigureBlock:
    drawn = []
    for ages, words in ((ALL, ""), (_EARLY, ", ages up to 8")):
        for row in _named(far, ages).iter_rows(named=True):
            kind = "ours" if ages == ALL else "peer"
            label = f"{WHO[row['reference']]}{words}"
            drawn.append(score_row(row, row["who"].capitalize(), f"{row['n_clusters']} countries", label, kind))
    frame = score_frame(drawn)
    small = sorted(set(far.filter(pl.col("n_clusters").max().over("who") < MIN_CLUSTERS)["who"]))
    no_target = f" Of fewer, and so without a target: {', '.join(small)}." if small else ""
    return FigureBlock(
        id="held-aside-far",
        heading=HEADING,
        figure=figure.score_rows(
            frame.sort("panel_title", maintain_order=True),
            title=far_title(far),
            subtitle="Our absolute error ÷ the reference's, by reference; under 1 ours is better; 95\u202f% intervals",
            axis="error ÷ the reference's",
            cut=figure.TOP_RATIO,
        ),
        frame=_parted(far).select(
            pl.col("who").alias("panel"), "ages", "asked", "reference", pl.col("estimate").alias("relative_error"),
            "lo", "hi", "n", "n_clusters",
        ),
        alt="Our error relative to three references named beforehand, on each medium of the panel held aside.",
        note=(
            "From ages 3, 5, 8, 12 and 16 for 5 and 10 years on and for the level at age 20. Targets named beforehand, on "
            f"panels of {MIN_CLUSTERS} countries or more: the upper limit under {FAR_LIMIT:g} against each reference, and up to "
            f"age 8 at most {EARLY_LIMIT:g} of the strongest's error.{no_target} Counts as logarithms, shares in points."
        ),
        source_ids=[SOURCE],
        unit="error ÷ the reference's",
        n=f"{far['who'].n_unique()} media",
        line_columns=("panel", "reference"),
    )  # fmt: skip


def far_title(far: pl.DataFrame) -> str:
    """How often the targets are met on panels large enough, and how the smaller ones stand to them."""
    whole, early = _named(far, ALL), _named(far, _EARLY)
    large = pl.col("n_clusters") >= MIN_CLUSTERS
    met, asked = _met(whole.filter(large))
    low = early.filter(large).group_by("who").agg(pl.col("estimate").max())
    early_met = low.filter(pl.col("estimate") <= EARLY_LIMIT).height
    said = (
        f"Far ahead: upper limit under {FAR_LIMIT:g} in {met} of {asked} comparisons; up to age 8 at most {EARLY_LIMIT:g} of "
        f"the strongest's error on {early_met} of {low.height} media"
    )
    small = whole.filter(~large)
    if small.is_empty():
        return said
    met, asked = _met(small)
    names = ", ".join(
        f"{name} ({n} countries)"
        for name, n in small.group_by("who").agg(pl.col("n_clusters").max()).sort("who").iter_rows()
    )
    return f"{said}. Without a target, {names}: {met} of {asked}"


def _met(rows: pl.DataFrame) -> tuple[int, int]:
    # Without an interval the target cannot be met.
    return rows.filter(pl.col("hi") < FAR_LIMIT).height, rows.height
