"""The figures of how early could anyone have known: which rows of the results each is drawn from, and the words beside it.

They stand on a page of their own, the two that answer first. Words that state a number are made from it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

import polars as pl
from longwave.models.ripeness import MIN_CLUSTERS
from longwave.pipelines.blocks_fans import EARLY, then_block, today_block
from longwave.pipelines.ripening import HEADLINE, OTHER_TARGETS, TARGET_AGE
from longwave.reports import palette
from longwave.reports.content import FigureBlock
from longwave.reports.figures import ripeness as figure
from longwave.warehouse.panels import PANELS, sources_behind

PAGE = "ripeness.html"
SPOKEN_AGE = 10
ANSWERED_AGES = (3, 5, 10, 15)
CONVENTIONS: dict[str, str] = {
    HEADLINE: "verified launch, else first year at 1 %",
    f"{HEADLINE}, first_1_percent": "first year at 1 %",
    f"{HEADLINE}, first_10_percent": "first year at 10 %",
}
TARGETS: dict[str, str] = {HEADLINE: f"level at age {TARGET_AGE}"} | {
    f"{HEADLINE}, target {target}": f"level at age {target}" for target in OTHER_TARGETS
}
HELD_OUT: dict[str, str] = {HEADLINE: "its medium left out", "leave-one-out": "its series left out"}
LEARNING = "learns from other media"
BESIDE = {"damped_trend": "damped trend", "naive": "last value"}
MEDIA_PANELS = {"radio": "radio-countries", "television": "television-countries", "internet": "internet-countries"}
_TITLES = {name: panel.title for name, panel in PANELS.items()} | {"pooled": "All panels, equally weighted"}
_ORDER = {name: i for i, name in enumerate(["pooled", *PANELS])}
_ERRORS = {
    "median_error": "median_error",
    "clim_median_error": "climatology_error",
    "coverage_80": "coverage",
    "median_width_80": "width",
}


def ripeness_blocks(findings: pl.DataFrame, points: pl.DataFrame, passed_on: Collection[str]) -> list[FigureBlock]:
    """Every figure of ripeness that the results can fill, in the page's order.

    Args:
        findings: rows of `findings`.
        points: rows of `finding_curves`.
        passed_on: sources whose own rows may be shown.

    """
    made: list[Callable[[], FigureBlock | None]] = [
        lambda: _information(findings, points),
        lambda: then_block(findings, points, passed_on),
        lambda: _by_medium(points),
        lambda: today_block(findings, points, passed_on),
        lambda: _errors(findings, points),
        lambda: _variants(points, "launch-conventions", CONVENTIONS, _CONVENTION_WORDS),
        lambda: _variants(points, "target-ages", TARGETS, _TARGET_WORDS),
        lambda: _variants(points, "held-out", HELD_OUT, _HELD_OUT_WORDS),
    ]
    return [replace(block, page=PAGE) for block in (make() for make in made) if block is not None]


def _sources(subjects: Sequence[str]) -> list[str]:
    return sorted({source for subject in subjects for source in sources_behind(subject)})


# --- information by age


def information_frame(points: pl.DataFrame, which: pl.Expr, forecaster: pl.Expr) -> pl.DataFrame:
    """Information by age of the points that ``which`` chooses, one line a ``forecaster``, as the figure draws it."""
    return points.filter(pl.col("measure") == "information_mse", which).select(
        pl.col("subject").alias("panel"),
        pl.col("subject").replace(_TITLES).alias("panel_title"),
        forecaster.alias("forecaster"),
        pl.col("x").cast(pl.Int32).alias("age"),
        pl.col("y").alias("estimate"),
        "lo",
        "hi",
        "n",
    )


def _large_panels(points: pl.DataFrame) -> list[str]:
    """Panels with enough clusters under the headline's mode."""
    primary = points.filter(
        pl.col("measure") == "information_mse", pl.col("mode") == HEADLINE, pl.col("n") >= MIN_CLUSTERS
    )
    return [panel for panel in PANELS if panel in set(primary["subject"])]


def _behind(points: pl.DataFrame, measure: str) -> dict[str, int]:
    """How many series a panel's forecasts learn from, or groups its climatology is of: the median over ages."""
    counted = points.filter(pl.col("measure") == measure, pl.col("mode") == HEADLINE)
    seen = counted.filter(pl.col("y") > 0).group_by("subject").agg(pl.col("y").median())
    return {subject: int(n) for subject, n in seen.iter_rows()}


def _learnt_from(points: pl.DataFrame, panels: Sequence[str]) -> str:
    learnt, groups = _behind(points, "n_references"), _behind(points, "n_climatology")
    said = "; ".join(
        f"{PANELS[panel].title}: {learnt[panel]} series, climatology of {groups[panel]} concept groups"
        for panel in panels
        if panel in learnt and panel in groups
    )
    return f"What each learns from: {said}." if said else ""


def _information(findings: pl.DataFrame, points: pl.DataFrame) -> FigureBlock | None:
    primary = pl.col("mode") == HEADLINE
    other = pl.col("mode").str.split("/").list.last().replace(BESIDE)
    label = pl.when(primary).then(pl.lit(LEARNING)).otherwise(other)
    frame = information_frame(points, primary | pl.col("mode").str.starts_with(f"{HEADLINE}/"), label)
    large = _large_panels(points)
    if not large:
        return None
    frame = frame.sort(pl.col("panel").replace_strict(_ORDER), pl.col("forecaster") != LEARNING, "forecaster", "age")
    drawn = frame.filter(pl.col("panel").is_in(["pooled", *large]))
    few = [PANELS[panel].title for panel in PANELS if panel in set(frame["panel"]) and panel not in large]
    note = (
        "Forecasts of the level at age 20 from the figures up to each age, by a forecaster that learns from the histories of "
        "other media, on one later vintage cut at the age; of the medium itself it has seen nothing, in no country "
        "(leave-medium-out). 0 is no better than the level that other technologies had at age 20, 1 is everything. Thin lines "
        "read a series' own history alone. Below −1 the axis is cut, the table keeps every value. "
        f"{_learnt_from(points, large)} {_answer(findings)}"
    )
    if few:
        note += f" Under {MIN_CLUSTERS} clusters, so in the table only: {', '.join(few)}."
    return FigureBlock(
        id="information-by-age",
        heading=EARLY,
        figure=figure.information_by_age(drawn),
        frame=frame,
        alt="Information about the level at age 20, by age, in each panel, with 95 % bands.",
        note=note,
        source_ids=_sources(["pooled"]),
        unit="1 − squared error ÷ climatology's",
        n=f"{len(large)} panels",
        line_columns=("panel", "forecaster"),
        claims=("C6",),
    )


def _answer(findings: pl.DataFrame) -> str:
    """How much was known after some years, over all panels."""
    own = findings.filter(
        pl.col("measure") == "information_mse",
        pl.col("mode") == HEADLINE,
        pl.col("horizon") == TARGET_AGE,
        pl.col("subject") == "pooled",
        pl.col("k").is_in(ANSWERED_AGES),
    ).sort("k")
    said = [f"after {row['k']} years {_known(row)}" for row in own.iter_rows(named=True)]
    return (
        f"Over all panels, with 95 % intervals: {', '.join(said)}; at {TARGET_AGE} the level is observed."
        if said
        else ""
    )


def _known(row: dict[str, Any]) -> str:
    if row["lo"] is None:
        return palette.two_figures(row["estimate"])
    return f"{palette.two_figures(row['estimate'])} ({palette.span(row['lo'], row['hi'])})"


def _by_medium(points: pl.DataFrame) -> FigureBlock | None:
    """Radio, television and the internet apart, each counted in two ways."""
    labels = {mode: CONVENTIONS[mode] for mode in (HEADLINE, f"{HEADLINE}, first_1_percent")}
    names = pl.col("mode").replace_strict(labels, default=None)
    media = {panel: medium for medium, panel in MEDIA_PANELS.items()}
    which = pl.col("mode").is_in(list(labels)) & pl.col("subject").is_in(list(media))
    order = {name: i for i, name in enumerate(MEDIA_PANELS)}
    lines = {name: i for i, name in enumerate(labels.values())}
    frame = (
        information_frame(points, which, names)
        .with_columns(pl.col("panel").replace_strict(media))
        .sort(pl.col("panel").replace_strict(order), pl.col("forecaster").replace_strict(lines), "age")
    )
    if frame.is_empty():
        return None
    counts = frame.unique(["panel", "forecaster"], maintain_order=True)
    said = "; ".join(f"{row['panel']}, {row['forecaster']}: {row['n']}" for row in counts.iter_rows(named=True))
    return FigureBlock(
        id="information-by-medium",
        heading=EARLY,
        figure=figure.information_by_age(
            frame,
            title=_medium_title(frame),
            subtitle="Information about the level at age 20 in each country; band: 95\u202f%, of the first line",
        ),
        frame=frame,
        alt="Information by age for radio, television and the internet, counted from two launch conventions.",
        note=(
            f"Countries in each sample: {said}. Under {MIN_CLUSTERS} countries a line decides nothing. Social media are one "
            f"series that begins in its eighth year, so nothing can be scored there. At age {TARGET_AGE} the level is observed, "
            "and all is known."
        ),
        source_ids=_sources(list(media)),
        unit="1 − squared error ÷ climatology's",
        n=f"{frame['panel'].n_unique()} media",
        line_columns=("panel", "forecaster"),
        claims=("C6",),
    )


def _medium_title(frame: pl.DataFrame) -> str:
    """What was known of each medium after ten years, by the line with more countries, the first of equals."""
    said = []
    for (medium,), rows in frame.filter(pl.col("age") == SPOKEN_AGE).group_by("panel", maintain_order=True):
        row = rows.filter(pl.col("n") == pl.col("n").max()).row(0, named=True)
        said.append(f"{medium} {palette.two_figures(row['estimate'])}")
    return (
        f"Ten years in, so much of 1 was known: {', '.join(said)}" if said else "Information by age, medium by medium"
    )


# --- errors


def _errors(findings: pl.DataFrame, points: pl.DataFrame) -> FigureBlock | None:
    rows = points.filter(pl.col("mode") == HEADLINE, pl.col("measure").is_in(list(_ERRORS)))
    shares = [panel for panel in _large_panels(points) if PANELS[panel].unit_class == "share"]
    rows = rows.filter(pl.col("subject").is_in(shares))
    if rows.is_empty():
        return None
    wide = rows.pivot("measure", index=["subject", "x"], values="y").rename(
        {"subject": "panel"} | {name: new for name, new in _ERRORS.items() if name in set(rows["measure"])}
    )
    frame = wide.select(
        "panel",
        pl.col("panel").replace(_TITLES).alias("panel_title"),
        pl.lit(LEARNING).alias("forecaster"),
        pl.col("x").cast(pl.Int32).alias("age"),
        *[pl.col(name).cast(pl.Float64) for name in _ERRORS.values()],
    ).sort(pl.col("panel").replace_strict(_ORDER), "age")
    return FigureBlock(
        id="error-by-age",
        heading="How wrong the forecasts were",
        figure=figure.error_by_age(frame, title=_error_title(frame)),
        frame=frame,
        alt="Median error of the forecast of the level at age 20, by age, beside climatology's, and interval widths.",
        note=f"{_readable_note(findings, shares)} {_learnt_from(points, shares)}".strip(),
        source_ids=_sources(shares),
        unit="points",
        n=f"panels of shares with {MIN_CLUSTERS} clusters or more: {len(shares)}",
        line_columns=("panel", "forecaster"),
        claims=("C6",),
    )


def _error_title(frame: pl.DataFrame) -> str:
    at = frame.filter(pl.col("age") == SPOKEN_AGE, pl.col("median_error").is_not_null())
    said = [
        f"{row['panel_title']}, {palette.two_figures(row['median_error'])} points" for row in at.iter_rows(named=True)
    ]
    return f"Ten years in, the typical error about the level at age 20: {'; '.join(said)}" if said else "Error by age"


def _readable_note(findings: pl.DataFrame, panels: Sequence[str]) -> str:
    rule = (
        "The readable age is the first from which, three years running, the median error is at most 10 points and at most half "
        "of climatology's and the median 80 % interval is at most 20 points wide."
    )
    rows = findings.filter(
        pl.col("measure") == "readable_age", pl.col("mode") == HEADLINE, pl.col("subject").is_in(list(panels))
    )
    said = [f"{PANELS[row['subject']].title}: {_readable(row)}" for row in rows.iter_rows(named=True)]
    return f"{rule} {'; '.join(said)}." if said else rule


def _readable(row: dict[str, Any]) -> str:
    if row["estimate"] is None:
        return str(row["note"])
    upper = "not reached" if row["hi"] is None else f"{row['hi']:g}"
    note = f"; {row['note']}" if row["note"] else ""
    return f"{row['estimate']:g} years (95 % interval {row['lo']:g} to {upper}{note})"


# --- sensitivities

_CONVENTION_WORDS = (
    "Information by age, when a medium is said to begin in three ways",
    "Information by age under three launch conventions.",
    (
        "Counting from the first year at 1 or 10 % starts every clock later, and keeps series whose first years are missing "
        "under a verified launch; few countries have a verified launch of the internet."
    ),
)
_TARGET_WORDS = (
    "Information by age, about the level at 15, 20, 25 and 30 years",
    "Information by age about the levels at four target ages.",
    "A later target is further away at every age, and fewer series are old enough to be scored on it.",
)
_HELD_OUT_WORDS = (
    "Information by age, when other countries' histories of the same medium may be read too",
    "Information by age when the whole medium is left out, and when only the series itself is.",
    (
        "With its series alone left out a forecast may lean on the same medium elsewhere, and so may climatology: the yardstick "
        "is stricter, and the line can lie lower although the forecast is better."
    ),
)


def _in_some(points: pl.DataFrame, labels: dict[str, str]) -> list[str]:
    """The pooled curve and the panels of shares that have enough clusters in one of the variants."""
    enough = points.filter(
        pl.col("measure") == "information_mse", pl.col("mode").is_in(list(labels)), pl.col("n") >= MIN_CLUSTERS
    )
    shares = [panel for panel in PANELS if PANELS[panel].unit_class == "share" and panel in set(enough["subject"])]
    return ["pooled", *shares]


def _variants(
    points: pl.DataFrame, name: str, labels: dict[str, str], words: tuple[str, str, str]
) -> FigureBlock | None:
    """The same measure under other choices: a sensitivity, shown and not hidden."""
    title, alt, note = words
    panels = _in_some(points, labels)
    names = pl.col("mode").replace_strict(labels, default=None)
    order = {label: i for i, label in enumerate(labels.values())}
    frame = information_frame(points, pl.col("mode").is_in(list(labels)) & pl.col("subject").is_in(panels), names)
    frame = frame.sort(pl.col("panel").replace_strict(_ORDER), pl.col("forecaster").replace_strict(order), "age")
    if frame["forecaster"].n_unique() < 2:
        return None
    counts = frame.unique(["panel", "forecaster"], maintain_order=True)
    said = "; ".join(f"{row['panel_title']}, {row['forecaster']}: {row['n']}" for row in counts.iter_rows(named=True))
    return FigureBlock(
        id=name,
        heading="What hangs on the choices made",
        figure=figure.information_by_age(
            frame,
            title=title,
            subtitle="Information about the level at the target age; band: 95\u202f%, of the first line",
        ),
        frame=frame,
        alt=alt,
        note=f"{note} Clusters in each sample: {said}.",
        source_ids=_sources(["pooled"]),
        unit="1 − squared error ÷ climatology's",
        n=f"{len(order)} variants",
        line_columns=("panel", "forecaster"),
        claims=("C6",),
    )
