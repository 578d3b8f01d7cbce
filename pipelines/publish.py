"""What a release says, put together from the warehouse's results, and published whole: `site.new`, then a rename.

Words that state a number are made from the number. Nothing here fits anything or draws anything.
"""

from __future__ import annotations

import inspect
import json
import shutil
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
from longwave.models import claims, curves, forecasters, panels, persistence, ranks, ripeness
from longwave.models.ripeness import MIN_CLUSTERS
from longwave.pipelines.steps import digest_of
from longwave.reports import site as report
from longwave.reports.figures import adoption
from longwave.reports.figures import persistence as persistence_figure
from longwave.reports.figures import ripeness as ripeness_figure
from longwave.warehouse import merge, views
from longwave.warehouse import panels as warehouse_panels
from longwave.warehouse.errors import UnusableHome
from longwave.warehouse.export import catalogue, export_parquet, newest_vintage
from longwave.warehouse.home import Home, disk_trouble
from longwave.warehouse.panels import ADOPTION_LINES, PANELS, PERSISTENCE_PANELS, freeze
from longwave.warehouse.store import reader

QUESTION = "When a new medium takes root, how early can anyone know what it will become?"
LEDE = """When a new medium takes root, its early adopters seem to have more authority than they would otherwise be given, and \
skill with the medium passes for expertise. A few years of it show little of its ultimate shape: with radio, television and \
the internet the long-run impact was clear only after a decade or two. Is that so?

This is a study of the yearly figures, as their publishers gave them at the time and as they have been rewritten since. \
Every number carries its interval and leads to the file it was read from. Where the evidence does not decide a question, the \
verdict says so."""
HOW_TO_REPRODUCE = "make run"
TEMPORARY = ".new"
HEADLINE = "leave-medium-out"
_TITLES = {name: panel.title for name, panel in PANELS.items()} | {"pooled": "All panels, equally weighted"}
_ORDER = {name: i for i, name in enumerate(["pooled", *PANELS])}


def assemble(con: duckdb.DuckDBPyConnection, entries: Sequence[Mapping[str, Any]], release: Mapping[str, str]) -> Any:
    """The content of a release.

    Args:
        con: a reader with `standing` frozen.
        entries: the claims' entries of findings.json.
        release: version, newest_vintage, inputs_digest.

    """
    curves_table = con.sql("SELECT * FROM finding_curves ORDER BY subject, measure, mode, x").pl()
    findings = con.sql("SELECT * FROM findings ORDER BY subject, measure, mode, k, horizon").pl()
    lines = _adoption_frame(con, curves_table)
    return report.SiteContent(
        question=QUESTION,
        lede=LEDE,
        claims=list(entries),
        figures=[
            *_adoption_blocks(lines),
            *_ripeness_blocks(curves_table, findings),
            *_persistence_blocks(curves_table),
        ],
        sources=catalogue(con),
        release=dict(release) | {"how_to_reproduce": HOW_TO_REPRODUCE},
        facts=con.sql("SELECT * FROM launches ORDER BY medium, place").pl().to_dicts(),
        excluded=con.sql(
            """SELECT n.series, s.source, n.status AS reason FROM series_notes n JOIN series s USING (series)
               WHERE n.status <> 'used' ORDER BY n.series"""
        )
        .pl()
        .to_dicts(),
        methods=_methods(),
    )


# What the methods page says is what the code says of itself: docstrings of the modules and functions that do the work.
_METHODS: dict[str, tuple[Any, ...]] = {
    "How early could anyone have known": (ripeness, ripeness.information_by_age, panels.fixed_sample),
    "What a forecast may see": (forecasters,),
    "Diffusion curves": (curves,),
    "Early lead and later rank": (persistence, ranks, ranks.partial_tau_b, persistence.persistence),
    "Claims and verdicts": (claims,),
    "Launch years and levels": (warehouse_panels,),
    "What was known when": (merge, views),
}
_BOUNDARY = ("Belongs here", "Args:", "Returns:", "Raises:")


def _methods() -> list[tuple[str, list[str]]]:
    """Heading and paragraphs: docstrings without what they say to programmers."""
    return [(title, [text for part in parts for text in _paragraphs(part)]) for title, parts in _METHODS.items()]


def _paragraphs(part: Any) -> list[str]:
    paragraphs = [" ".join(p.split()) for p in (inspect.getdoc(part) or "").split("\n\n")]
    return [p.replace("``", "").replace("`", "") for p in paragraphs if not p.startswith(_BOUNDARY)]


def _adoption_frame(con: duckdb.DuckDBPyConnection, points: pl.DataFrame) -> pl.DataFrame:
    launches = con.sql("SELECT medium, year AS launch FROM launches WHERE place = 'USA' AND status = 'verified'").pl()
    order = {line.label: i for i, line in enumerate(ADOPTION_LINES)}
    lines = points.filter(pl.col("measure") == "adoption").join(
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


def _sources_of(frame: pl.DataFrame) -> list[str]:
    return frame["source"].unique(maintain_order=True).to_list()


def _adoption_blocks(lines: pl.DataFrame) -> list[report.FigureBlock]:
    note = (
        "Denominators differ and stand in each label: read the shape, not the height. Television has no one series of its "
        "rise: a yearly count of sets per head, and shares of households from two publishers decades apart. Social media "
        "were re-measured in 2014 to 2017. Launch years are in the table of facts below."
    )
    units = "per 100 of what the label names"
    media = lines["medium"].unique(maintain_order=True).to_list()
    on_age = lines.filter(pl.col("age").is_not_null())
    common = {
        "heading": "How four media were taken up",
        "note": note,
        "unit": units,
        "n": f"{len(media)} media, one country",
    }
    return [
        report.FigureBlock(
            id="adoption-age",
            figure=adoption.on_age(on_age),
            frame=on_age,
            alt="Lines of radio, television, internet and social media in the United States over years since launch.",
            source_ids=_sources_of(on_age),
            line_columns=("medium", "label"),
            **common,
        ),
        report.FigureBlock(
            id="adoption-year",
            figure=adoption.on_calendar(lines),
            frame=lines,
            alt="The same lines over the calendar, 1925 to the newest year held.",
            source_ids=_sources_of(lines),
            line_columns=("medium", "label"),
            **common,
        ),
    ]


def _panel_sources(panels: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(source for panel in panels if panel in PANELS for source in PANELS[panel].sources()))


def _ripeness_blocks(points: pl.DataFrame, findings: pl.DataFrame) -> list[report.FigureBlock]:
    mode = HEADLINE
    shown = _information_frame(
        points,
        (pl.col("mode") == mode) | pl.col("mode").str.starts_with(f"{mode}/"),
        pl.when(pl.col("mode") == mode).then(pl.lit("selected")).otherwise(pl.col("mode").str.split("/").list.last()),
    )
    shown = shown.sort(pl.col("panel").replace_strict(_ORDER), pl.col("forecaster") != "selected", "forecaster", "age")
    enough = shown.filter(pl.col("forecaster") == "selected", pl.col("n") >= MIN_CLUSTERS)["panel"].unique()
    drawn = shown.filter(pl.col("panel").is_in([*enough, "pooled"]))
    panels = drawn["panel"].unique(maintain_order=True).to_list()
    few = [
        title for title in shown["panel_title"].unique(maintain_order=True) if title not in set(drawn["panel_title"])
    ]
    errors = _error_frame(points, mode).filter(pl.col("panel").is_in(enough.implode()))
    readable = findings.filter(pl.col("measure") == "readable_age", pl.col("mode") == mode)
    return [
        report.FigureBlock(
            id="information-by-age",
            heading="How early could anyone have known",
            figure=ripeness_figure.information_by_age(drawn),
            frame=shown,
            alt="Information about the level at age 20, by age, in each panel, with 95 % bands.",
            note=(
                "Forecasts of the level at age 20, made from the figures up to each age by a forecaster chosen on other "
                "media only (leave-medium-out, on one later vintage cut at the age). 0 is no better than the other media's "
                "levels at age 20, 1 is everything. Thin lines are the forecasters it chooses among. Below −1 the axis is cut; "
                "the table keeps every value. "
                + (f"Under {MIN_CLUSTERS} clusters, so in the table only: {', '.join(few)}." if few else "")
            ),
            source_ids=_panel_sources(panels),
            unit="1 − squared error ÷ climatology's",
            n=f"{len(panels) - 1} panels",
            line_columns=("panel", "forecaster"),
        ),
        report.FigureBlock(
            id="error-by-age",
            heading="How early could anyone have known",
            figure=ripeness_figure.error_by_age(errors),
            frame=errors,
            alt="Median error of the forecast of the level at age 20, by age, beside climatology's, and interval widths.",
            note=f"{_readable_note(readable)} {_reference_note(points, mode, errors)}",
            source_ids=_panel_sources(errors["panel"].unique(maintain_order=True).to_list()),
            unit="points",
            n=f"{errors['panel'].n_unique()} panel(s) of shares with {MIN_CLUSTERS} clusters or more",
            line_columns=("panel", "forecaster"),
        ),
        _convention_block(points),
    ]


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


def _convention_block(points: pl.DataFrame) -> report.FigureBlock:
    """The same measure under the three launch conventions: a sensitivity, shown and not hidden."""
    names = {
        HEADLINE: "verified launch, else 1 %",
        f"{HEADLINE}, first_1_percent": "first year at 1 %",
        f"{HEADLINE}, first_10_percent": "first year at 10 %",
    }
    which = pl.col("mode").is_in(list(names)) & pl.col("subject").is_in(
        ["pooled", "us-households", "internet-countries"]
    )
    frame = _information_frame(points, which, pl.col("mode").replace_strict(names, default=None)).sort(
        pl.col("panel").replace_strict(_ORDER),
        pl.col("forecaster").replace_strict({name: i for i, name in enumerate(names.values())}),
        "age",
    )
    counts = frame.filter(pl.col("panel") != "pooled").unique(["panel", "forecaster"], maintain_order=True)
    said = "; ".join(f"{row['panel_title']}, {row['forecaster']}: {row['n']}" for row in counts.iter_rows(named=True))
    return report.FigureBlock(
        id="launch-conventions",
        heading="How early could anyone have known",
        figure=ripeness_figure.information_by_age(
            frame,
            title="When a medium is said to begin changes how early it seems known",
            subtitle="Information about the level at age 20, under three conventions of launch; band: 95 %, of the first",
        ),
        frame=frame,
        alt="Information by age under three launch conventions.",
        note=(
            "Counting from the first year at 1 or 10 % starts every clock later, and keeps series whose first years are "
            f"missing under a verified launch. Clusters in each sample: {said}."
        ),
        source_ids=_panel_sources(frame["panel"].unique(maintain_order=True).to_list()),
        unit="1 − squared error ÷ climatology's",
        n="three conventions",
        line_columns=("panel", "forecaster"),
    )


def _reference_note(points: pl.DataFrame, mode: str, errors: pl.DataFrame) -> str:
    """How many series of other media the intervals were learnt from: few of them make wide intervals."""
    counted = points.filter(pl.col("measure") == "n_references", pl.col("mode") == mode)
    said = []
    for panel in errors["panel"].unique(maintain_order=True):
        n = counted.filter(pl.col("subject") == panel).select(pl.col("y").median()).item()
        said.append(f"{PANELS[panel].title}: {n:g}")
    return f"Series of other media that the intervals were learnt from, median over ages: {'; '.join(said)}."


def _readable_note(readable: pl.DataFrame) -> str:
    rule = (
        "The readable age is the first from which, three years running, the median error is at most 10 points and at most half "
        "of climatology's and the median 80 % interval is at most 20 points wide."
    )
    said = []
    for row in readable.iter_rows(named=True):
        if row["subject"] not in PANELS or row["unit"] is None:
            continue
        title = PANELS[row["subject"]].title
        if row["estimate"] is not None:
            upper = "not reached" if row["hi"] is None else f"{row['hi']:g}"
            said.append(f"{title}: {row['estimate']:g} years (95 % interval {row['lo']:g} to {upper})")
        elif not row["note"] or "not reached" in row["note"]:
            said.append(f"{title}: not reached by age 15")
    return " ".join([rule, "; ".join(said) + "." if said else ""]).strip()


def _error_frame(points: pl.DataFrame, mode: str) -> pl.DataFrame:
    names = {
        "median_error": "median_error",
        "clim_median_error": "climatology_error",
        "coverage_80": "coverage",
        "median_width_80": "width",
    }
    rows = points.filter(pl.col("mode") == mode, pl.col("measure").is_in(list(names)))
    shares = rows.filter(pl.col("measure") == "median_error", pl.col("unit") == "points")["subject"].unique()
    wide = rows.filter(pl.col("subject").is_in(shares.implode())).pivot(
        "measure", index=["subject", "x", "n"], values="y"
    )
    order = {name: i for i, name in enumerate(PANELS)}
    return (
        wide.rename(names)
        .select(
            pl.col("subject").alias("panel"),
            pl.col("subject").replace(_TITLES).alias("panel_title"),
            pl.lit("selected").alias("forecaster"),
            pl.col("x").cast(pl.Int32).alias("age"),
            *names.values(),
            "n",
        )
        .sort(pl.col("panel").replace_strict(order), "age")
    )


def _persistence_blocks(points: pl.DataFrame) -> list[report.FigureBlock]:
    shown = (
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
            pl.col("medium").replace_strict({m: i for i, m in enumerate(PERSISTENCE_PANELS)}),
            "measure",
            "horizon",
        )
    )
    media = shown["medium"].unique(maintain_order=True).to_list()
    return [
        report.FigureBlock(
            id="persistence",
            heading="Do the places that lead early stay ahead",
            figure=persistence_figure.by_horizon(shown),
            frame=shown,
            alt="Rank correlation between countries' early and later adoption, by years since first launch anywhere.",
            note=(
                "Countries ranked by adoption per head in an early year and in each later one. The early year is ten years after "
                "first launch anywhere, or the first with at least 15 countries counted. Given prior wealth: partial τ-b with "
                "GDP per head in the five years up to that launch, in the form that is 0 when wealth alone drives both. "
                "Wealth drives every medium, and 21 countries can only show a strong correlation."
            ),
            source_ids=_panel_sources([PERSISTENCE_PANELS[medium][0] for medium in media]),
            unit="Kendall's τ-b",
            n=f"{len(media)} media",
            line_columns=("medium", "measure"),
        )
    ]


def publish(content: Any, con: duckdb.DuckDBPyConnection, site: Path) -> list[Path]:
    """Write the site beside its place, then put it there by rename; a failure leaves the old site as it was.

    Raises:
        UnusableHome: the folder holds something that is no site of ours, or cannot be written.

    """
    _refuse_foreign(site)
    fresh = site.with_name(site.name + TEMPORARY)
    retired = site.with_name(site.name + ".old")
    try:
        with disk_trouble(site):
            site.parent.mkdir(parents=True, exist_ok=True)
            for leftover in (fresh, retired):
                shutil.rmtree(leftover, ignore_errors=True)
            report.publish(content, fresh)
            export_parquet(con, fresh / "data")
            if site.exists():
                site.rename(retired)
            fresh.rename(site)
    finally:
        for leftover in (fresh, retired):
            shutil.rmtree(leftover, ignore_errors=True)
    return sorted(path for path in site.rglob("*") if path.is_file())


def _refuse_foreign(site: Path) -> None:
    """A folder with other things in it is never replaced."""
    if site.is_dir() and any(site.iterdir()) and not (site / "findings.json").is_file():
        raise UnusableHome(f"{site} holds files that are no site of longwave; name a new or empty folder")
    if site.exists() and not site.is_dir():
        raise UnusableHome(f"{site} is a file; name a folder")


def standing_entries(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """The claims' entries of findings.json as last decided."""
    rows = con.sql(
        """SELECT result FROM verdicts QUALIFY row_number() OVER (PARTITION BY claim ORDER BY decided_on DESC) = 1
           ORDER BY claim"""
    ).fetchall()
    return [json.loads(row[0]) for row in rows]


def release_of(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Version, newest vintage and digest of the inputs that the results that stand were made from."""
    keys = con.sql("SELECT key FROM steps WHERE step LIKE 'observe/%' ORDER BY step").fetchall()
    return {
        "version": metadata.version("longwave"),
        "newest_vintage": str(newest_vintage(con)),
        "inputs_digest": digest_of(*[str(row[0]) for row in keys]),
    }


def write_report(home: Home, site: Path) -> list[Path]:
    """Publish the results that stand.

    Raises:
        UnusableHome: nothing was found yet, or the folder cannot be written.

    """
    with reader(home) as con:
        freeze(con)
        entries = standing_entries(con)
        if not entries:
            raise UnusableHome(f"no claim was decided in {home.root} yet; start with `longwave run`")
        return publish(assemble(con, entries, release_of(con)), con, site)
