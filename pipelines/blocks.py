"""The figures of the front page: which rows of the results each is drawn from, and the words beside it.

A figure whose rows are not there (a date before its sources began) is left out. Words that state a number are made from it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import duckdb
import polars as pl
from longwave.models.ripeness import MIN_CLUSTERS, MIN_REFERENCES
from longwave.pipelines.blocks_claims import claim_blocks
from longwave.pipelines.blocks_revisions import revision_blocks
from longwave.reports import palette
from longwave.reports.content import FigureBlock
from longwave.reports.figures import adoption
from longwave.reports.figures import persistence as persistence_figure
from longwave.reports.figures import ripeness as ripeness_figure
from longwave.warehouse import results
from longwave.warehouse.panels import ADOPTION_LINES, PANELS, PERSISTENCE_PANELS, sources_behind

HEADLINE = "leave-medium-out"
SPOKEN_AGE = 10
CONVENTIONS = {
    HEADLINE: "verified launch, else first year at 1 %",
    f"{HEADLINE}, first_1_percent": "first year at 1 %",
    f"{HEADLINE}, first_10_percent": "first year at 10 %",
}
EARLY = "How early could anyone have known"
_TITLES = {name: panel.title for name, panel in PANELS.items()} | {"pooled": "All panels, equally weighted"}
_ORDER = {name: i for i, name in enumerate(["pooled", *PANELS])}
_ERRORS = {
    "median_error": "median_error",
    "clim_median_error": "climatology_error",
    "coverage_80": "coverage",
    "median_width_80": "width",
}


def figure_blocks(con: duckdb.DuckDBPyConnection) -> list[FigureBlock]:
    """Every figure that the results of this home can fill, in the page's order."""
    points = results.curve_points(con)
    lines = adoption_frame(con, points)
    made: list[Callable[[], FigureBlock | None]] = [
        lambda: _adoption_on_age(lines.filter(pl.col("age").is_not_null())),
        lambda: _adoption_on_calendar(lines),
        lambda: _information(points),
        lambda: _errors(con, points),
        lambda: _conventions(points),
        lambda: _persistence(points),
    ]
    own = [block for block in (make() for make in made) if block is not None]
    findings = results.findings(con)
    return [*own, *claim_blocks(findings, points), *revision_blocks(findings, points)]


def _sources(subjects: Sequence[str]) -> list[str]:
    return sorted({source for subject in subjects for source in sources_behind(subject)})


# --- adoption


def adoption_frame(con: duckdb.DuckDBPyConnection, points: pl.DataFrame) -> pl.DataFrame:
    """Lines of the four media as the figures draw them: medium, label, place, year, age, value, unit, source, flag."""
    cited = results.launch_facts(con).filter(pl.col("place") == "USA", pl.col("status") == "verified")
    launches = cited.select("medium", pl.col("year").alias("launch"))
    order = {line.label: i for i, line in enumerate(ADOPTION_LINES)}
    # These lines are a source's own rows: those of a source that may not be passed on are not shown.
    passed_on = results.passed_on(con)
    shown = [line.label for line in ADOPTION_LINES if line.source in passed_on]
    lines = points.filter(pl.col("measure") == "adoption", pl.col("mode").is_in(shown)).join(
        launches, left_on="subject", right_on="medium", how="left"
    )
    return lines.select(
        pl.col("subject").alias("medium"),
        pl.col("mode").alias("label"),
        pl.lit("United States").alias("place"),
        pl.col("x").cast(pl.Int32).alias("year"),
        (pl.col("x") - pl.col("launch")).cast(pl.Int32).alias("age"),
        pl.col("y").alias("value"),
        "unit",
        pl.col("mode").replace_strict({line.label: line.source for line in ADOPTION_LINES}).alias("source"),
        "flag",
    ).sort(pl.col("label").replace_strict(order), "year")


_ADOPTION_NOTE = (
    "Denominators differ and stand in each label: read the shape, not the height; half of households is not half of people. "
    "Television has no one series of its rise: a yearly count of sets per head, and shares of households from two publishers "
    "decades apart. A cross marks a listed break, such as the years in which social media may have been re-measured (2014 to "
    "2017, unverified); a ring marks figures that look interpolated. Launch years stand with their citations on the sources page."
)


def _adoption_on_age(lines: pl.DataFrame) -> FigureBlock | None:
    if lines.is_empty():
        return None
    return FigureBlock(
        id="adoption-age",
        heading="How four media were taken up",
        figure=adoption.on_age(lines),
        frame=lines,
        alt="Lines of radio, television, internet and social media in the United States over years since launch.",
        note=_ADOPTION_NOTE,
        source_ids=lines["source"].unique(maintain_order=True).to_list(),
        unit="per 100 of what the label names",
        n=f"{lines['medium'].n_unique()} media, one country",
        line_columns=("medium", "label"),
    )


def _adoption_on_calendar(lines: pl.DataFrame) -> FigureBlock | None:
    if lines.is_empty():
        return None
    return FigureBlock(
        id="adoption-year",
        heading="How four media were taken up",
        figure=adoption.on_calendar(lines),
        frame=lines,
        alt="The same lines over the calendar.",
        note="The same figures by calendar year.",
        source_ids=lines["source"].unique(maintain_order=True).to_list(),
        unit="per 100 of what the label names",
        n=f"{lines['medium'].n_unique()} media, one country",
        line_columns=("medium", "label"),
    )


# --- information by age


def _information_frame(points: pl.DataFrame, which: pl.Expr, forecaster: pl.Expr) -> pl.DataFrame:
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


def _references(points: pl.DataFrame) -> dict[str, int]:
    """How many series of other media each panel's forecasts and intervals learn from: the median over ages."""
    counted = points.filter(pl.col("measure") == "n_references", pl.col("mode") == HEADLINE)
    return {subject: int(n) for subject, n in counted.group_by("subject").agg(pl.col("y").median()).iter_rows()}


def _learnt_from(points: pl.DataFrame, panels: Sequence[str]) -> str:
    references = _references(points)
    said = "; ".join(f"{PANELS[panel].title}: {references[panel]}" for panel in panels if panel in references)
    return f"Series of other media that each learns from: {said}." if said else ""


def _information(points: pl.DataFrame) -> FigureBlock | None:
    primary = pl.col("mode") == HEADLINE
    label = pl.when(primary).then(pl.lit("selected")).otherwise(pl.col("mode").str.split("/").list.last())
    frame = _information_frame(points, primary | pl.col("mode").str.starts_with(f"{HEADLINE}/"), label)
    large = _large_panels(points)
    if not large:
        return None
    frame = frame.sort(pl.col("panel").replace_strict(_ORDER), pl.col("forecaster") != "selected", "forecaster", "age")
    drawn = frame.filter(pl.col("panel").is_in(["pooled", *large]))
    few = [PANELS[panel].title for panel in PANELS if panel in set(frame["panel"]) and panel not in large]
    note = (
        "Forecasts of the level at age 20 from the figures up to each age, by a forecaster chosen on other media only "
        "(leave-medium-out, on one later vintage cut at the age). 0 is no better than the level that other technologies had at "
        "age 20, 1 is everything. A line flat at 0 means that the other technologies gave nothing to choose a forecaster by, not "
        "that nothing could be known. Thin lines are the forecasters it chooses among; below −1 the axis is cut, the table keeps "
        f"every value. {_learnt_from(points, large)}"
    )
    if few:
        note += f" Under {MIN_CLUSTERS} clusters, so in the table only: {', '.join(few)}."
    return FigureBlock(
        id="information-by-age",
        heading=EARLY,
        figure=ripeness_figure.information_by_age(drawn),
        frame=frame,
        alt="Information about the level at age 20, by age, in each panel, with 95 % bands.",
        note=note,
        source_ids=_sources(["pooled"]),
        unit="1 − squared error ÷ climatology's",
        n=f"{len(large)} panels",
        line_columns=("panel", "forecaster"),
    )


def _errors(con: duckdb.DuckDBPyConnection, points: pl.DataFrame) -> FigureBlock | None:
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
        pl.lit("selected").alias("forecaster"),
        pl.col("x").cast(pl.Int32).alias("age"),
        *[pl.col(name).cast(pl.Float64) for name in _ERRORS.values()],
    ).sort(pl.col("panel").replace_strict(_ORDER), "age")
    return FigureBlock(
        id="error-by-age",
        heading=EARLY,
        figure=ripeness_figure.error_by_age(frame, title=_error_title(frame)),
        frame=frame,
        alt="Median error of the forecast of the level at age 20, by age, beside climatology's, and interval widths.",
        note=f"{_readable_note(con, shares)} {_learnt_from(points, shares)} {_interval_note(points, shares)}".strip(),
        source_ids=_sources(shares),
        unit="points",
        n=f"panels of shares with {MIN_CLUSTERS} clusters or more: {len(shares)}",
        line_columns=("panel", "forecaster"),
    )


def _error_title(frame: pl.DataFrame) -> str:
    at = frame.filter(pl.col("age") == SPOKEN_AGE, pl.col("median_error").is_not_null())
    said = [
        f"{row['panel_title']}, {palette.two_figures(row['median_error'])} points" for row in at.iter_rows(named=True)
    ]
    return f"Ten years in, the typical error about the level at age 20: {'; '.join(said)}" if said else "Error by age"


def _interval_note(points: pl.DataFrame, panels: Sequence[str]) -> str:
    references = _references(points)
    few = [PANELS[panel].title for panel in panels if references.get(panel, 0) < MIN_REFERENCES]
    if not few:
        return ""
    return f"Under {MIN_REFERENCES} series to learn from, no 80 % interval can be made: {', '.join(few)}."


def _readable_note(con: duckdb.DuckDBPyConnection, panels: Sequence[str]) -> str:
    rule = (
        "The readable age is the first from which, three years running, the median error is at most 10 points and at most half "
        "of climatology's and the median 80 % interval is at most 20 points wide."
    )
    rows = results.findings(con).filter(pl.col("measure") == "readable_age", pl.col("mode") == HEADLINE)
    said = []
    for row in rows.filter(pl.col("subject").is_in(list(panels))).iter_rows(named=True):
        upper = "not reached" if row["hi"] is None else f"{row['hi']:g}"
        reached = (
            f"{row['estimate']:g} years (95 % interval {row['lo']:g} to {upper})" if row["estimate"] is not None else ""
        )
        said.append(f"{PANELS[row['subject']].title}: {reached or row['note']}")
    return f"{rule} {'; '.join(said)}." if said else rule


def _conventions(points: pl.DataFrame) -> FigureBlock | None:
    """The same measure under the three launch conventions: a sensitivity, shown and not hidden."""
    which = pl.col("mode").is_in(list(CONVENTIONS)) & pl.col("subject").is_in(["us-households", "internet-countries"])
    names = pl.col("mode").replace_strict(CONVENTIONS, default=None)
    frame = _information_frame(points, which, names).sort(
        pl.col("panel").replace_strict(_ORDER),
        pl.col("forecaster").replace_strict({name: i for i, name in enumerate(CONVENTIONS.values())}),
        "age",
    )
    if frame.is_empty():
        return None
    counts = frame.unique(["panel", "forecaster"], maintain_order=True)
    said = "; ".join(f"{row['panel_title']}, {row['forecaster']}: {row['n']}" for row in counts.iter_rows(named=True))
    return FigureBlock(
        id="launch-conventions",
        heading=EARLY,
        figure=ripeness_figure.information_by_age(
            frame,
            title="Information by age, when a medium is said to begin in three ways",
            subtitle="Information about the level at age 20; band: 95 %, of the first convention",
        ),
        frame=frame,
        alt="Information by age under three launch conventions.",
        note=(
            "Counting from the first year at 1 or 10 % starts every clock later, and keeps series whose first years are missing "
            "under a verified launch; few countries have a verified launch of the internet, so its first two lines count alike "
            f"and differ in what they learn from. Clusters in each sample: {said}."
        ),
        source_ids=_sources(["us-households", "internet-countries"]),
        unit="1 − squared error ÷ climatology's",
        n="three conventions",
        line_columns=("panel", "forecaster"),
    )


# --- persistence


def _persistence(points: pl.DataFrame) -> FigureBlock | None:
    frame = (
        points.filter(pl.col("x_kind") == "horizon", pl.col("measure").is_in(["tau_b", "partial_tau_b"]))
        .select(
            pl.col("subject").alias("medium"),
            pl.col("mode").str.extract(r"k = (\d+)").cast(pl.Int32).alias("k"),
            pl.col("x").cast(pl.Int32).alias("horizon"),
            "measure",
            pl.col("y").alias("estimate"),
            "lo",
            "hi",
            "n",
        )
        .sort(
            pl.col("medium").replace_strict({m: i for i, m in enumerate(PERSISTENCE_PANELS)}, default=None),
            "measure",
            "horizon",
        )
    )
    if frame.is_empty():
        return None
    media = frame["medium"].unique(maintain_order=True).to_list()
    return FigureBlock(
        id="persistence",
        heading="Do the places that lead early stay ahead",
        figure=persistence_figure.by_horizon(frame, title=_persistence_title(frame)),
        frame=frame,
        alt="Rank correlation between countries' early and later adoption, by years since first launch anywhere.",
        note=(
            "Countries ranked by adoption per head in an early year and in each later one that at least 80 % of them have "
            "reported. The early year is ten years after first launch anywhere, or the first with at least 15 countries counted. "
            "Given prior wealth: partial τ-b with GDP per head in the five years up to that launch, in the form that is 0 when "
            "wealth alone drives both. Bands: the wider of two bootstraps, by place and by region. Wealth drives every medium, "
            "and 21 countries can only show a strong correlation."
        ),
        source_ids=_sources(media),
        unit="Kendall's τ-b",
        n=f"media: {len(media)}",
        line_columns=("medium", "measure"),
    )


def _persistence_title(frame: pl.DataFrame) -> str:
    """What the medium with the most countries shows: the first and the last complete year, given prior wealth."""
    given = frame.filter(pl.col("measure") == "partial_tau_b")
    largest = given.filter(pl.col("n") == given["n"].max())["medium"]
    rows = given.filter(pl.col("medium") == largest[0]).sort("horizon") if len(largest) else given
    if rows.height < 2:
        return "Countries' early and later ranks"
    first, last = rows.row(0, named=True), rows.row(-1, named=True)
    name = {"internet": "the internet"}.get(first["medium"], first["medium"])
    return (
        f"Wealth aside, rank in {name} in year {first['k']} agrees with year {first['horizon']} at "
        f"{palette.two_figures(first['estimate'])}, with year {last['horizon']} at {palette.two_figures(last['estimate'])}"
    )
