"""The figures of forecasts many years ahead from a few: which rows of the findings they are drawn from, and their words.

Every number is a row of `findings` that `find_backtests` wrote, of the protocol by age. A panel that was not measured is
left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import polars as pl
from longwave.models.horizons import NAMED
from longwave.models.ripeness import MIN_CLUSTERS
from longwave.models.scoreboard import ALL
from longwave.pipelines.blocks_backtests import MODES, PAGE, WHO, rows_of, score_frame, score_row
from longwave.reports import palette
from longwave.reports.content import FigureBlock
from longwave.reports.figures import backtests as figure
from longwave.warehouse.reference_series import OTHER_TECHNOLOGIES, REFERENCE_PANELS

HEADING: Final = "Many years ahead, from a few"
_TITLES = {name: panel.title for name, panel in REFERENCE_PANELS.items()} | {
    OTHER_TECHNOLOGIES: "Other United States technologies"
}
_FAR_MODES = ("leave-medium-out, truncated", "leave-one-out, truncated")


def far_blocks(findings: pl.DataFrame) -> list[FigureBlock]:
    """The figures of the long horizons that the results can fill. `findings`: rows of `findings`."""
    far = rows_of(findings, "ripeness")
    made: list[Callable[[], FigureBlock | None]] = [lambda: _far(far), lambda: _far_by_age(far)]
    return [replace(block, page=PAGE) for block in (make() for make in made) if block is not None]


def _far_rows(far: pl.DataFrame) -> pl.DataFrame:
    """Relative errors with their parts: panel, reference, asked, ages, k, mode, estimate, lo, hi, n, n_clusters."""
    parts = pl.col("measure").str.strip_prefix("relative_mae/").str.split("/")
    return far.filter(pl.col("measure").str.starts_with("relative_mae/")).with_columns(
        parts.list.get(0).alias("reference"),
        parts.list.get(1).str.split(", ages ").list.first().alias("asked"),
        pl.when(pl.col("k") >= 0)
        .then(pl.col("k").cast(pl.String))
        .otherwise(parts.list.get(1).str.extract(", ages (.*)$", 1).fill_null(ALL))
        .alias("ages"),
        pl.col("who").replace_strict(_TITLES).alias("panel_title"),
    )


def _far_sources(rows: pl.DataFrame) -> list[str]:
    return sorted({source for panel in rows["who"].unique() for source in REFERENCE_PANELS[panel].sources()})


def _far(far: pl.DataFrame) -> FigureBlock | None:
    rows = _far_rows(far).filter(pl.col("asked") == ALL, pl.col("ages").is_in([ALL, "up to 8"]))
    modes = [mode for mode in _FAR_MODES if mode in set(rows["mode"])]
    if not modes:
        return None
    named = rows.filter(pl.col("reference").is_in(NAMED), pl.col("mode").is_in(modes), pl.col("ages") == ALL)
    drawn = []
    for panel in [name for name in REFERENCE_PANELS if name in set(named["who"])]:
        own = named.filter(pl.col("who") == panel)
        most, groups = (int(own[name].max()) for name in ("n", "n_clusters"))  # type: ignore[arg-type]
        sample = f"{palette.integer(most)} questions, {groups} groups"
        for mode in modes:
            for reference in NAMED:
                for row in own.filter(pl.col("reference") == reference, pl.col("mode") == mode).iter_rows(named=True):
                    label = WHO[reference] if mode == modes[0] else f"{WHO[reference]}, {MODES[mode]}"
                    kind = "ours" if mode == modes[0] else "peer"
                    drawn.append(score_row(row, row["panel_title"], sample, label, kind))
    frame = score_frame(drawn)
    return FigureBlock(
        id="backtest-far",
        heading=HEADING,
        figure=figure.score_rows(
            frame,
            title=_far_title(frame, modes[0]),
            subtitle="Our absolute error ÷ the reference's, by reference; under 1 ours is better; 95\u202f% intervals",
            axis="error ÷ the reference's",
            cut=figure.TOP_RATIO,
        ),
        frame=_far_table(rows),
        alt="Our error relative to three references named beforehand, on each panel.",
        note=(
            "From ages 3, 5, 8, 12 and 16 for 5 and 10 years on and for the level at age 20. The references "
            "were named beforehand: "
            "the level that others had at that age, the damped trend, a Gompertz curve capped at the whole "
            "(for shares). The table "
            "has ages up to 8 apart, every mode measured, and further methods without a target: the last value, curves free "
            "and capped, and StatsForecast’s AutoETS and AutoTheta, each on the series alone. Shares in points, counts as "
            "logarithms; the title counts panels of "
            f"{MIN_CLUSTERS} concept groups or more, the smaller ones are reported and have no target. "
            "As a study of its own found (tests/study/test_between_media.py): judged on other media than it would be used on, "
            "leaning more on a series’ own trend gains nothing for a medium in no reference, though broadband would have "
            "gained; and the intervals for such a medium hold what they say over media, not in each of them: none before "
            "had risen as mobile telephones did."
        ),
        source_ids=_far_sources(rows),
        unit="error ÷ the reference's",
        n=f"{frame['panel_title'].n_unique()} panels",
        line_columns=("panel", "mode"),
    )


def _far_table(rows: pl.DataFrame) -> pl.DataFrame:
    order = {name: i for i, name in enumerate(REFERENCE_PANELS)}
    return rows.sort(pl.col("who").replace_strict(order), "mode", "ages", "reference", "k", "asked").select(
        pl.col("panel_title").alias("panel"),
        "mode",
        "ages",
        "asked",
        pl.col("reference").replace(WHO),
        pl.col("estimate").alias("relative_error"),
        "lo",
        "hi",
        "n",
        "n_clusters",
    )


def _far_title(frame: pl.DataFrame, mode: str) -> str:
    """How many comparisons are decided, whichever way."""
    rows = frame.filter(pl.col("mode") == mode, pl.col("hi").is_not_null(), pl.col("n_clusters") >= MIN_CLUSTERS)
    better, worse = rows.filter(pl.col("hi") < 1.0).height, rows.filter(pl.col("lo") > 1.0).height
    return (
        f"Far ahead, {MODES[mode]}: better than the reference in {better} of {rows.height} comparisons, worse in {worse}, "
        f"undecided in {rows.height - better - worse}"
    )


def _far_by_age(far: pl.DataFrame) -> FigureBlock | None:
    rows = _far_rows(far)
    mode = next((mode for mode in _FAR_MODES if mode in set(rows["mode"])), None)
    if mode is None:
        return None
    rows = rows.filter(pl.col("mode") == mode, pl.col("reference").is_in(NAMED))
    parts = []
    for panel in [name for name in REFERENCE_PANELS if name in set(rows["who"])]:
        own = rows.filter(pl.col("who") == panel)
        whole = own.filter(pl.col("asked") == ALL, pl.col("ages") == ALL).sort("estimate", descending=True)
        if whole["n_clusters"].max() < MIN_CLUSTERS:  # type: ignore[operator]
            continue
        strongest = whole["reference"][0]
        cells = own.filter(pl.col("reference") == strongest, pl.col("k") >= 0, pl.col("asked") != ALL)
        parts.append(cells.with_columns(pl.format("against {}", pl.lit(WHO[strongest])).alias("sample")))
    if not parts:
        return None
    order = {"age 20": 0, "+5": 1, "+10": 2}
    frame = (
        pl.concat(parts)
        .sort(pl.col("asked").replace_strict(order), maintain_order=True)
        .sort(pl.col("who").replace_strict({name: i for i, name in enumerate(REFERENCE_PANELS)}), maintain_order=True)
        .select(
            "panel_title",
            "sample",
            pl.col("asked").alias("question"),
            pl.col("k").alias("age"),
            pl.col("estimate").alias("value"),
            *("lo", "hi", "n", "n_clusters"),
        )
    )
    if frame.is_empty():
        return None
    return FigureBlock(
        id="backtest-far-by-age",
        heading=HEADING,
        figure=figure.far_ahead(
            frame,
            title=_by_age_title(frame),
            subtitle=(
                f"Our absolute error ÷ that of the panel's strongest reference, {MODES[mode]}; under 1 ours is "
                "better; bands: 95\u202f%"
            ),
        ),
        frame=_far_table(rows.filter(pl.col("k") >= 0, pl.col("asked") != ALL)),
        alt="Our error relative to the strongest reference by the age of the forecast, on each panel.",
        note=(
            f"Panels of {MIN_CLUSTERS} concept groups or more; of the three references the one that ours does worst against. "
            "The axis ends at "
            f"{figure.TOP_RATIO:g}; the table has every reference, age and question with its limits."
        ),
        source_ids=_far_sources(rows),
        unit="error ÷ the reference's",
        n=f"{frame['panel_title'].n_unique()} panels",
        line_columns=("panel", "reference"),
    )


def _by_age_title(frame: pl.DataFrame) -> str:
    early = frame.filter(pl.col("age") <= 8, pl.col("lo").is_not_null())
    worse = early.filter(pl.col("lo") > 1.0).height
    better = early.filter(pl.col("hi") < 1.0).height
    return f"In the first eight years: better than the strongest reference in {better} of {early.height} cells, worse in {worse}"
