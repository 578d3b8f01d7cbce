"""The pages of the media: which rows of the results their figures are drawn from, and the words beside them.

Words that state a number are made from it. Rows of a source that may not be passed on are not shown.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import duckdb
import polars as pl
from longwave.models.hindsight import LONGEST, TARGET_AGE
from longwave.models.ripeness import MIN_CLUSTERS
from longwave.pipelines.blocks import adoption_frame
from longwave.pipelines.blocks_curves import CURVES_NOTE, media_frame
from longwave.pipelines.blocks_ripeness import MEDIA_PANELS, information_frame
from longwave.pipelines.blocks_taken_up import taken_up
from longwave.pipelines.claim_names import ACCOUNTS, JOURNALS, NEWSPAPERS, SPEED, SPEED_PANEL
from longwave.pipelines.find_hindsight import HOUSEHOLDS, NAMED_AGES
from longwave.pipelines.ripening import HEADLINE
from longwave.pipelines.technology_fits import ceilings, families, sentence
from longwave.pipelines.told import REFERENCE, TITLES, Studied, named, shown_cut, studied, table_of, was
from longwave.reports import palette
from longwave.reports.content import FigureBlock
from longwave.reports.figures import curves, fan, ripeness
from longwave.reports.figures import hindsight as figure
from longwave.reports.media import Medium, Told, span
from longwave.warehouse import results
from longwave.warehouse.panels import PANELS, sources_behind

HINDSIGHT = "The forecast that could have been made"
FAMILIES = "Curves through its figures"
KNOWN = "How ripe it was at each age"
# Panels of claims, by the media whose figures they read.
_PANELS_OF: Mapping[str, tuple[str, ...]] = {
    "radio": ("radio", "radio-countries", HOUSEHOLDS, SPEED),
    "television": ("television", "television-countries", HOUSEHOLDS, SPEED),
    "internet": ("internet", "internet-countries", HOUSEHOLDS, SPEED),
    "social": (JOURNALS, NEWSPAPERS, ACCOUNTS, SPEED),
    REFERENCE: (HOUSEHOLDS, SPEED, SPEED_PANEL),
}


def media_pages(
    con: duckdb.DuckDBPyConnection, claims: Sequence[Mapping[str, Any]]
) -> tuple[list[FigureBlock], list[Medium]]:
    """The figures of all pages of media, and what stands beside them; a medium of which nothing is held has no page.

    Args:
        con: a reader with `standing` frozen.
        claims: the claims' entries of findings.json.

    """
    points, passed_on = results.curve_points(con), results.passed_on(con)
    found = studied(con, points)
    lines, findings = adoption_frame(con, points), results.findings(con)
    blocks, media = [], []
    for name in TITLES:
        told = found.told(name)
        made = [
            *taken_up(name, found, lines),
            *_hindsight(name, found, told),
            *_curves(name, points, passed_on),
            *_information(name, points, findings),
        ]
        if not made:
            continue
        medium = _medium(name, found, told, findings, claims, made)
        if name == REFERENCE:
            medium = _with_fits(medium, found, results.whole_fits(con))
        blocks += [replace(block, page=medium.page) for block in made]
        media.append(medium)
    return blocks, media


def _medium(
    name: str,
    found: Studied,
    told: list[Told],
    findings: pl.DataFrame,
    claims: Sequence[Mapping[str, Any]],
    made: Sequence[FigureBlock],
) -> Medium:
    explored = f"{name}-hindsight" if any(block.id == f"{name}-hindsight" for block in made) else None
    series = found.series.filter(pl.col("page") == name)
    panels = set(_PANELS_OF[name])
    return Medium(
        id=name,
        title=TITLES[name],
        lede=_lede(name, series),
        ripeness=_ripeness(name, findings),
        explored=explored,
        cut=shown_cut(found, series["series"][0]) if explored else None,
        told=told if explored else (),
        table=table_of(found, name) if explored else (),
        breaks=_breaks(found, series),
        claims=[claim["id"] for claim in claims if {row["panel"] for row in claim["by"]} & panels],
        # Those of its own figures; what all panels rest on stands with the figure that reads them.
        sources=sorted({source for block in made if block.heading != KNOWN for source in block.source_ids}),
    )


def _with_fits(medium: Medium, found: Studied, fits: pl.DataFrame) -> Medium:
    """The page of the technologies beside, with the ceilings that families of curves find."""
    own = found.series.filter(pl.col("page") == REFERENCE, pl.col("unit_class") == "share")
    rows = ceilings(own.with_columns(label="adopter"), fits)
    return replace(medium, families=families(), fits=rows, fits_said=sentence(rows))


def _lede(name: str, series: pl.DataFrame) -> str:
    if name == REFERENCE:
        return (
            "Household technologies of the United States whose histories teach the forecaster what adoption looks like: what "
            "could have been said of each, had all but its own family been known?"
        )
    cited = series.filter(pl.col("launch_convention") == "cited", pl.col("place") == "USA")
    launches = cited["launch"].unique().sort()
    they, them = ("They were", "them") if name == "social" else ("It was", "it")
    began = f" {they} first offered to the public in the United States in {launches[0]}." if len(launches) == 1 else ""
    places = series["place"].n_unique()
    held = "one place" if places == 1 else f"{palette.integer(places)} places"
    return (
        f"How {named(name)} {was(name)} taken up, and what could have been said of {them} at every age.{began} "
        f"Figures of {held} are held."
    )


# --- the forecast that could have been made


def _hindsight(name: str, found: Studied, told: Sequence[Told]) -> list[FigureBlock]:
    """The fan at one cut, which the page redraws for the others."""
    own = found.series.filter(pl.col("page") == name)
    cut = shown_cut(found, own["series"][0]) if told else None
    if cut is None:
        return []
    first, row = told[0], own.row(0, named=True)
    frame = _cut_frame(first, cut).with_columns(source=pl.lit(row["source"]))
    years = span(first, cut)
    age = "" if first.launch is None else f", {cut - first.launch} years after launch"
    drawn = figure.at_cut(
        frame,
        medium=name,
        share=first.share,
        span=years,
        title=_hindsight_title(name, found, first.label),
        subtitle=f"{first.label}; here cut at the end of {cut}{age}, by a forecaster that saw nothing of {_seen(name)}",
        breaks=[year for year in first.breaks if years[0] <= year <= years[1]],
    )
    return [
        FigureBlock(
            id=f"{name}-hindsight",
            heading=HINDSIGHT,
            figure=drawn,
            frame=frame,
            alt=f"{first.label}: what was known at the end of {cut}, the forecast from there with its intervals, and what came.",
            note=_hindsight_note(name),
            source_ids=own["source"].unique().sort().to_list(),
            unit=first.unit,
            n=f"{len(told)} series to pick from" if len(told) > 1 else "one series",
            line_columns=("source",),
            series=[row["series"]],
        )
    ]


def _seen(name: str) -> str:
    return "its own family of media" if name == REFERENCE else f"{named(name)}, in no country"


def _cut_frame(told: Told, cut: int) -> pl.DataFrame:
    """One row a year of one cut, as the figure draws it."""
    fan_rows = told.fans.filter(pl.col("origin") == cut).rename({"point": "forecast"})
    ends = [name for name in figure.COLUMNS if name.startswith(("lo", "hi"))]
    levels = told.levels.select(
        "year",
        known=pl.when(pl.col("year") <= cut).then("value"),
        happened=pl.when(pl.col("year") > cut).then("value"),
    )
    whole = levels.join(fan_rows.select("year", "forecast", *ends), on="year", how="full", coalesce=True)
    return whole.filter(pl.col("year") <= span(told, cut)[1]).select(figure.COLUMNS).sort("year")


def _hindsight_title(name: str, found: Studied, label: str) -> str:
    """How many of the forecasts at the table's ages held what came, of the first series, or of all where these are many."""
    rows = [row for row in table_of(found, name) if name == REFERENCE or row["series"] == label]
    judged = [row for row in rows if row["came"] is not None]
    if not judged:
        return f"What could have been said of {named(name)}, year by year"
    held = sum(row["lo"] <= row["came"] <= row["hi"] for row in judged)
    ages = sorted({row["age"] for row in judged})
    when = f"at ages {ages[0]} to {ages[-1]}" if len(ages) > 1 else f"at age {ages[0]}"
    many = name == REFERENCE
    what = "technologies’ levels" if many else f"{named(name)} in the United States"
    said = f"Of {len(judged)} forecasts of {what} at age {TARGET_AGE}, made {when},"
    return f"{said} the 80\u202f% interval of {held} held what came"


def _hindsight_note(name: str) -> str:
    others = (
        "Each technology is forecast at some ages: "
        if name == REFERENCE
        else "The United States and the world can be cut at every year with a figure, other places at the ages "
    )
    ages = ", ".join(map(str, NAMED_AGES))
    return (
        f"Each forecast starts from the figures up to the cut and nothing after it, and comes from a forecaster that learnt from "
        f"other technologies and has seen nothing of {_seen(name)}; those others' whole histories, later ones too, were known to "
        "it (leave-medium-out). The history is that of the newest vintage, cut: what had been published by then may have "
        f"differed. {others}{ages} up to their end. The forecast is worked out for {LONGEST} years. An orange "
        "dotted line is a listed break."
    )


# --- curves, and what was known


def _curves(name: str, points: pl.DataFrame, passed_on: Collection[str]) -> list[FigureBlock]:
    frame = media_frame(points, passed_on).filter(pl.col("medium") == name)
    if frame.is_empty():
        return []
    return [
        FigureBlock(
            id=f"{name}-curves",
            heading=FAMILIES,
            figure=curves.media(frame),
            frame=frame,
            alt=f"Curves of six families through the figures of {named(name)} in the United States, and on.",
            note=CURVES_NOTE,
            source_ids=frame["source"].unique(maintain_order=True).to_list(),
            unit=str(frame["unit"][0]),
            n="one series",
            line_columns=("family",),
        )
    ]


def _information(name: str, points: pl.DataFrame, findings: pl.DataFrame) -> list[FigureBlock]:
    """Information by age: of the medium's own panel beside all panels, or where the medium stands on the curve of all."""
    panel = HOUSEHOLDS if name == REFERENCE else MEDIA_PANELS.get(name)
    shown = [part for part in (panel, "pooled") if part]
    frame = information_frame(points, (pl.col("mode") == HEADLINE) & pl.col("subject").is_in(shown), pl.lit("learns"))
    frame = frame.sort(pl.col("panel") == "pooled", "age")
    if frame.filter(pl.col("panel") == "pooled").is_empty():
        return []
    few = frame.filter(pl.col("panel") == panel)["n"].max() if panel else None
    note = (
        f"Forecasts of the level at age {TARGET_AGE}, of the medium itself having seen nothing. 0 is no better than the level "
        f"that other technologies had at that age, 1 is everything. Under {MIN_CLUSTERS} independent series it decides nothing."
    )
    drawn = ripeness.information_by_age(frame) if few is not None else _on_the_curve(name, frame, findings)
    if drawn is None:
        return []
    return [
        FigureBlock(
            id=f"{name}-information",
            heading=KNOWN,
            figure=drawn,
            frame=frame,
            alt=f"Information about the level at age {TARGET_AGE} by age, for {named(name)} and over all panels.",
            note=note,
            source_ids=sorted({source for part in shown for source in sources_behind(part)}),
            unit="1 − squared error ÷ climatology's",
            n="",
            line_columns=("panel",),
        )
    ]


def _on_the_curve(name: str, frame: pl.DataFrame, findings: pl.DataFrame) -> Any:
    """Where a medium without a panel stands on the curve of all panels; None where its age is not known."""
    known = findings.filter(pl.col("measure") == "ripeness", pl.col("subject") == name, pl.col("k") >= 0)
    if known.is_empty():
        return None
    age = int(known["k"][0])
    if age > max(frame["age"].to_list()):
        return None
    curve = frame.filter(pl.col("panel") == "pooled").select("age", information="estimate", lo="lo", hi="hi")
    return fan.where_on_the_curve(
        curve,
        [(f"{TITLES[name]}, age {age} in the figures held", age)],
        title=_ripeness(name, findings),
        subtitle=f"Information about the level at age {TARGET_AGE} by age, over all panels; band: 95\u202f%",
    )


def _ripeness(name: str, findings: pl.DataFrame) -> str:
    """How much is known at its age of a young medium; of the others, from which age their level could be read."""
    own = findings.filter(pl.col("mode") == HEADLINE)
    young = own.filter(pl.col("measure") == "ripeness", pl.col("subject") == name)
    for row in young.iter_rows(named=True):
        if row["estimate"] is None:
            return f"{TITLES[name]}: {row['note']}"
        return (
            f"At age {row['k']}, which the figures held reach, {palette.two_figures(row['estimate'])} of 1 is known of the level "
            f"at age {TARGET_AGE}"
        )
    panel = HOUSEHOLDS if name == REFERENCE else MEDIA_PANELS.get(name, "")
    rows = own.filter(pl.col("measure") == "readable_age", pl.col("subject") == panel)
    if rows.is_empty():
        return ""
    row = rows.row(0, named=True)
    title = PANELS[str(panel)].title
    if row["estimate"] is None:
        return f"{title}: no readable age ({row['note']})"
    return f"{title}: readable from age {row['estimate']:g} (95\u202f% interval {palette.span(row['lo'], row['hi'])})"


def _breaks(found: Studied, series: pl.DataFrame) -> list[dict[str, Any]]:
    """Listed breaks of the page's series, once each."""
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for own in series.iter_rows(named=True):
        for row in found.breaks_of(own).iter_rows(named=True):
            key = (own["label"], row["year_from"], row["reason"])
            years = palette.years(row["year_from"], row["year_to"])
            rows[key] = {
                "place": own["label"],
                "years": years,
                "reason": row["reason"],
                "citation": row["citation"],
                "address": row["url"],
                "status": row["status"],
            }
    return [rows[key] for key in sorted(rows)]
