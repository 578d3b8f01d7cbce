"""Every figure of the site, and those of adoption and persistence: which rows of the results each is drawn from, in which words.

A figure whose rows are not there (a date before its sources began) is left out. Words that state a number are made from it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import duckdb
import polars as pl
from longwave.models.half_life import LEAST_ADOPTERS, LEAST_HORIZONS, WIDEST
from longwave.pipelines.blocks_authority import authority_blocks
from longwave.pipelines.blocks_backtests import backtest_blocks
from longwave.pipelines.blocks_claims import claim_blocks
from longwave.pipelines.blocks_curves import curve_blocks
from longwave.pipelines.blocks_data import data_blocks
from longwave.pipelines.blocks_far import far_blocks
from longwave.pipelines.blocks_held_aside import held_aside_blocks
from longwave.pipelines.blocks_impact import impact_blocks
from longwave.pipelines.blocks_platforms import platform_blocks
from longwave.pipelines.blocks_presence import presence_blocks
from longwave.pipelines.blocks_revisions import revision_blocks
from longwave.pipelines.blocks_ripeness import ripeness_blocks
from longwave.pipelines.blocks_selection import selection_blocks
from longwave.pipelines.find_half_life import NONE
from longwave.reports import palette
from longwave.reports.content import FigureBlock
from longwave.reports.figures import adoption
from longwave.reports.figures import persistence as persistence_figure
from longwave.warehouse import results
from longwave.warehouse.evidence import years_held
from longwave.warehouse.panels import ADOPTION_LINES, PERSISTENCE_PANELS, sources_behind


def figure_blocks(con: duckdb.DuckDBPyConnection) -> list[FigureBlock]:
    """Every figure that the results of this home can fill, in the page's order."""
    points = results.curve_points(con)
    lines = adoption_frame(con, points)
    made: list[Callable[[], FigureBlock | None]] = [
        lambda: _adoption_on_age(lines.filter(pl.col("age").is_not_null())),
        lambda: _adoption_on_calendar(lines),
    ]
    own = [block for block in (make() for make in made) if block is not None]
    findings, passed_on = results.findings(con), results.passed_on(con)
    kept = _persistence(points, findings)
    return [
        *own,
        *ripeness_blocks(findings, points, passed_on),
        *backtest_blocks(findings, points),
        *far_blocks(findings),
        *held_aside_blocks(findings),
        *([kept] if kept else []),
        *impact_blocks(findings),
        *platform_blocks(findings, points, passed_on),
        *claim_blocks(findings, points),
        *presence_blocks(findings, points),
        *authority_blocks(findings, points),
        *selection_blocks(findings),
        *curve_blocks(findings, points, passed_on),
        *revision_blocks(findings, points),
        *data_blocks(years_held(con)),
    ]


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
        series=_line_series(lines),
    )


def _line_series(lines: pl.DataFrame) -> list[str]:
    """The series that lines were drawn from, in their order."""
    drawn = set(lines["label"])
    return [f"{line.source}/{line.measure}/{line.adopter}" for line in ADOPTION_LINES if line.label in drawn]


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
        page="curves.html",
        series=_line_series(lines),
    )


# --- persistence


def _persistence(points: pl.DataFrame, findings: pl.DataFrame) -> FigureBlock | None:
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
            f"and 21 countries can only show a strong correlation.{_half_life(findings, media)}{_noise(findings)}"
        ),
        source_ids=_sources(media),
        unit="Kendall's τ-b",
        n=f"media: {len(media)}",
        line_columns=("medium", "measure"),
        page="claims.html",
        claims=("C4a",),
    )


def _half_life(findings: pl.DataFrame, media: Sequence[str]) -> str:
    """In how many years half of the early order is lost in each medium, or why that cannot be told."""
    rows = {row["subject"]: row for row in findings.filter(pl.col("measure") == "half_life").iter_rows(named=True)}
    told, untold = [], []
    for medium in (each for each in media if each in rows):
        row, name = rows[medium], {"internet": "the internet"}.get(medium, medium)
        if row["estimate"] is None:
            untold.append(f"{name}, {row['note'].removeprefix(NONE)}")
        else:
            between = palette.span(row["lo"], row["hi"])
            told.append(
                f" Half of the early order of {name} is lost in {palette.two_figures(row['estimate'])} years ({between})."
            )
    asked = (
        f"asked are {LEAST_HORIZONS} horizons that span two half-lives, {LEAST_ADOPTERS} places, and an upper limit under "
        f"{WIDEST:g} times the lower"
    )
    return "".join(told) + (
        f" No half-life of the early order is told ({asked}): {'; '.join(untold)}." if untold else ""
    )


def _noise(findings: pl.DataFrame) -> str:
    """What errors of measurement alone would make of the ranks that go furthest; of one vintage nobody knows."""
    rows = findings.filter(pl.col("measure") == "tau_b_if_noise_alone", pl.col("estimate").is_not_null()).sort(
        "horizon"
    )
    if rows.is_empty():
        return ""
    null = rows.row(-1, named=True)
    same = findings.filter(pl.col("subject") == null["subject"], pl.col("horizon") == null["horizon"])
    one = {row["measure"]: row for row in same.filter(pl.col("mode") == "observed").iter_rows(named=True)}
    read, without = (palette.two_figures(one[name]["estimate"]) for name in ("tau_b_survivors", "tau_b_corrected"))
    apart = f"{palette.two_figures(100 * one['told_apart']['estimate'])}{palette.THIN_SPACE}%"
    return (
        f" If nothing but errors of measurement moved ranks, τ-b in the {null['subject']}’s year {null['horizon']} would be "
        f"{palette.two_figures(null['estimate'])} ({palette.span(null['lo'], null['hi'])}); it is {read}, and {without} "
        f"corrected for such errors. Of all pairs of countries {apart} can be told apart in year {null['k']}. Errors are read "
        "off what changed from the oldest vintage to the newest, and are not known where there is one vintage alone."
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
