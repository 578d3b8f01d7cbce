"""The assets that find: each reads frames, runs one study, and keeps its rows under a key of all it follows from.

Here stands what is read and when it is found anew. What is computed is said in `longwave.models` and in the studies.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import dagster as dg
import polars as pl
from duckdb import DuckDBPyConnection
from longwave.pipelines import (
    find,
    find_authority,
    find_claims,
    find_held_aside,
    find_hindsight,
    find_impact,
    find_presence,
)
from longwave.pipelines.adopter_panels import panel_of
from longwave.pipelines.asset_parts import OWNER, WORLD, preview, source_keys, told
from longwave.pipelines.backtest_inputs import LEARNT_FROM, PREFIX, inputs_digest
from longwave.pipelines.claim_names import ACCOUNTS_SOURCES, JOURNALS, NEWSPAPERS, PRESENCE_SOURCES, SPEED_PANEL
from longwave.pipelines.closeness import layers
from longwave.pipelines.curve_fits import fit_every_cut
from longwave.pipelines.curve_study import MediumLine, curve_study
from longwave.pipelines.find_backtests import backtest_rows, newest, standing
from longwave.pipelines.house import House
from longwave.pipelines.rewriting import rewriting
from longwave.pipelines.ripening import CONVENTIONS, ripeness
from longwave.pipelines.sources import SOURCES
from longwave.pipelines.steps import digest_of, frame_digest, step_key
from longwave.warehouse import results
from longwave.warehouse.adopter_frames import (
    COUNTRY_PANELS,
    AdopterFrames,
    countries,
    journals,
    newspapers,
    sources_behind_every_medium,
)
from longwave.warehouse.crosstabs import BY_VERDICT, counts
from longwave.warehouse.curve_frames import series_of_record
from longwave.warehouse.export import newest_vintage
from longwave.warehouse.panels import (
    ADOPTION_LINES,
    PANELS,
    PERSISTENCE_PANELS,
    adopters_frame,
    adoption_frame,
    adoption_lines,
    first_launch,
    freeze,
    left_out,
    of_record,
    sources_behind,
)
from longwave.warehouse.records import records
from longwave.warehouse.reference_series import reference_frame, world_frame
from longwave.warehouse.revision_frames import revised_shares, revision_frame
from longwave.warehouse.store import Warehouse
from longwave.warehouse.world import load_fact, places

# A second process compiles what curves are fitted with (`beside`): steps that need none of it come first.
WHILE_COMPILING = {"dagster/priority": "1"}


def _store(warehouse: Warehouse, step: str, rows: find.Rows, key: str, vintage: date) -> None:
    for table, kept in (
        ("findings", rows.findings),
        ("finding_curves", rows.curves),
        ("series_notes", rows.notes),
    ):
        frame = find.as_table(kept, table, step, vintage, key, find.SEED if rows.findings else None)
        warehouse.replace(table, frame, {"step": step})
    warehouse.record_step(step, key, key)


def _result(warehouse: Warehouse, step: str, changed: bool) -> dg.MaterializeResult[None]:
    columns = ["subject", "measure", "mode", "k", "horizon", "estimate", "lo", "hi", "n"]
    found, points = results.findings(warehouse.con, step), results.curve_points(warehouse.con, step)
    shown = found.select(columns).with_columns(pl.col("estimate", "lo", "hi").round(3))
    return dg.MaterializeResult(
        metadata=told(
            found.height + points.height,
            changed=changed,
            vintage=pl.concat([found["vintage"], points["vintage"]]).max(),
            digest=warehouse.step_key(step) or "",
            findings=preview(shown, 12),
        )
    )


@dg.asset(
    key=["findings", "adoption"],
    group_name="findings",
    owners=[OWNER],
    kinds={"polars"},
    deps=[WORLD, *source_keys([line.source for line in ADOPTION_LINES])],
    description="Radio, television, internet and social media in the United States, on the calendar and since launch.",
)
def adoption(house: House) -> dg.MaterializeResult[None]:
    """Record the lines of the four media."""
    step = "findings/adoption"
    with Warehouse(house.home) as warehouse:
        freeze(warehouse.con)
        lines = adoption_lines(warehouse.con)
        vintage = newest_vintage(warehouse.con, [line.source for line in ADOPTION_LINES])
        key = step_key(("longwave.pipelines.find",), {"lines": frame_digest(lines), "vintage": str(vintage)}, {})
        changed = warehouse.step_key(step) != key
        if changed:
            _store(warehouse, step, find.adoption(lines), key, vintage)
        return _result(warehouse, step, changed)


@dg.asset(
    key=["findings", "information_by_age"],
    group_name="findings",
    owners=[OWNER],
    kinds={"scikitlearn", "polars"},
    deps=[WORLD, *source_keys([source for panel in PANELS.values() for source in panel.sources()])],
    description="How much of the level at age 20 is known at each age before it, and the readable age.",
)
def information_by_age(house: House) -> dg.MaterializeResult[None]:
    """Forecast the level at age 20 from every age, today's media from their end, and the four media as of their time."""
    step = "findings/information_by_age"
    with Warehouse(house.home) as warehouse:
        freeze(warehouse.con)
        frames = {convention: adoption_frame(warehouse.con, convention) for convention in CONVENTIONS}
        series = reference_frame(warehouse.con)
        vintage, unused = newest_vintage(warehouse.con, sources_behind("pooled")), left_out(warehouse.con)
        inputs = {convention: frame_digest(frame) for convention, frame in frames.items()}
        inputs |= {"series": frame_digest(series), "vintage": str(vintage), "unused": repr(unused)}
        subregions = {code: place["subregion"] for code, place in places().items()}
        inputs["subregions"] = repr(sorted(subregions.items()))
        key = step_key(("longwave.pipelines.ripening",), inputs, {"seed": find.SEED, "n_boot": find.N_BOOT})
        changed = warehouse.step_key(step) != key
        if changed:
            _store(warehouse, step, ripeness(frames, series, unused, subregions), key, vintage)
        return _result(warehouse, step, changed)


@dg.asset(
    key=["findings", "hindsight"],
    group_name="findings",
    owners=[OWNER],
    kinds={"scikitlearn", "polars"},
    deps=[WORLD, *source_keys([source for panel in PANELS.values() for source in panel.sources()])],
    description="The forecast that could have been made of every medium at any age, by a forecaster that never saw it.",
)
def hindsight(house: House) -> dg.MaterializeResult[None]:
    """Forecast every medium from the years of its past."""
    with Warehouse(house.home) as warehouse:
        freeze(warehouse.con)
        series, world = reference_frame(warehouse.con), world_frame(warehouse.con)
        vintage = newest_vintage(warehouse.con, sources_behind("pooled"))
        inputs = {"series": frame_digest(series), "world": frame_digest(world), "vintage": str(vintage)}
        key = step_key(("longwave.pipelines.find_hindsight",), inputs, {"seed": find.SEED})
        changed = warehouse.step_key(find_hindsight.STEP) != key
        if changed:
            rows, curves = find_hindsight.hindsight(series, world)
            _store(warehouse, find_hindsight.STEP, rows, key, vintage)
            known = {"step": find_hindsight.STEP, "vintage": vintage, "code_digest": key}
            curves = curves.with_columns(pl.lit(value).alias(name) for name, value in known.items())
            warehouse.replace("finding_curves", curves, {"step": find_hindsight.STEP})
        return _result(warehouse, find_hindsight.STEP, changed)


@dg.asset(
    key=["findings", "curve_fits"],
    group_name="findings",
    owners=[OWNER],
    kinds={"numba", "duckdb"},
    deps=[WORLD, *source_keys([source for panel in PANELS.values() for source in panel.sources()])],
    description="Six families of diffusion curves fitted to every series of record at every age from 5 on.",
)
def curve_fits(house: House) -> dg.MaterializeResult[None]:
    """Fit every series at every cut, and keep what was found or why nothing was."""
    step = "findings/curve_fits"
    with Warehouse(house.home) as warehouse:
        freeze(warehouse.con)
        levels = series_of_record(warehouse.con)
        vintage = newest_vintage(warehouse.con, sources_behind("pooled"))
        inputs = {"levels": frame_digest(levels), "vintage": str(vintage)}
        key = step_key(("longwave.pipelines.curve_fits",), inputs, {})
        changed = warehouse.step_key(step) != key
        if changed:
            common = {"step": step, "vintage": vintage, "code_digest": key}
            fits = fit_every_cut(levels).with_columns(pl.lit(value).alias(name) for name, value in common.items())
            warehouse.replace("curve_fits", fits, {"step": step})
            warehouse.record_step(step, key, key)
        counted = results.fit_statuses(warehouse.con)
    rows = int(counted["fits"].sum())
    return dg.MaterializeResult(
        metadata=told(rows, changed=changed, vintage=vintage, digest=key, statuses=preview(counted, 40))
    )


PRESENCE_PANELS: dict[str, Callable[[DuckDBPyConnection], AdopterFrames]] = {
    # Whether a journal's account has a stated day does not matter to how many follow it.
    JOURNALS: lambda con: journals(con, undated=True),
    NEWSPAPERS: newspapers,
}


def _frames_digest(frames: AdopterFrames) -> str:
    parts = (frames.adopters, frames.attention, frames.covariates)
    return digest_of(frames.medium, frames.unit, str(frames.first_launch), *[frame_digest(part) for part in parts])


_LINES = [
    MediumLine(line.medium, f"{line.source}/{line.measure}/{line.adopter}", line.label, line.unit)
    for line in ADOPTION_LINES
]


@dg.asset(
    key=["findings", "curves"],
    group_name="findings",
    owners=[OWNER],
    kinds={"numba", "polars"},
    deps=[WORLD, curve_fits],
    description="How early figures identify a ceiling, families side by side, and what estimates do as more is seen.",
)
def curves(house: House) -> dg.MaterializeResult[None]:
    """Say what the fits can tell, and what they cannot."""
    step = "findings/curves"
    with Warehouse(house.home) as warehouse:
        # The key of the fits holds the levels and their vintage: they are read again only where there is something to do.
        inputs = {"fits": str(warehouse.step_key("findings/curve_fits")), "lines": repr(_LINES)}
        key = step_key(("longwave.pipelines.curve_study",), inputs, {"seed": find.SEED, "n_boot": find.N_BOOT})
        changed = warehouse.step_key(step) != key
        if changed:
            freeze(warehouse.con)
            levels, vintage = series_of_record(warehouse.con), newest_vintage(warehouse.con, sources_behind("pooled"))
            _store(warehouse, step, curve_study(levels, results.fits(warehouse.con), _LINES), key, vintage)
        return _result(warehouse, step, changed)


@dg.asset(
    key=["findings", "persistence"],
    group_name="findings",
    owners=[OWNER],
    kinds={"polars"},
    deps=[
        WORLD,
        *source_keys([source for panel, _ in PERSISTENCE_PANELS.values() for source in PANELS[panel].sources()]),
        *source_keys(["worldbank_datahub"]),
    ],
    description="Whether the countries that lead early in a medium stay ahead, given prior wealth.",
)
def persistence(house: House) -> dg.MaterializeResult[None]:
    """Compare countries' early and later ranks."""
    step = "findings/persistence"
    with Warehouse(house.home) as warehouse:
        freeze(warehouse.con)
        launches = {medium: first_launch(warehouse.con, medium) for medium in PERSISTENCE_PANELS}
        frames = {medium: adopters_frame(warehouse.con, medium) for medium in PERSISTENCE_PANELS}
        vintage = newest_vintage(warehouse.con, [s for medium in frames for s in sources_behind(medium)])
        inputs = {medium: frame_digest(frame) for medium, frame in frames.items()}
        inputs |= {"launches": repr(launches), "vintage": str(vintage)}
        # Earlier vintages tell how far figures err: read again only where a source has new ones.
        sources = sorted({source for medium in frames for source in sources_behind(medium)})
        inputs["vintages"] = digest_of(
            *[part for source in sources for part in results.capture_contents(warehouse.con, source)]
        )
        key = step_key(("longwave.pipelines.find",), inputs, {"seed": find.SEED, "n_boot": find.N_BOOT})
        changed = warehouse.step_key(step) != key
        if changed:
            revised = revised_shares(warehouse.con, {medium: of_record(medium) for medium in frames})
            _store(warehouse, step, find.persistence(frames, launches, revised), key, vintage)
        return _result(warehouse, step, changed)


@dg.asset(
    key=["findings", "revisions"],
    group_name="findings",
    op_tags=WHILE_COMPILING,
    owners=[OWNER],
    kinds={"polars"},
    deps=[WORLD, *source_keys(list(SOURCES))],
    description="How much histories get rewritten: what each vintage says of the figures of the one before, by age and arrival.",
)
def revisions(house: House) -> dg.MaterializeResult[None]:
    """Compare every pair of consecutive vintages of every source."""
    step = "findings/revisions"
    with Warehouse(house.home) as warehouse:
        frame = revision_frame(warehouse.con)
        newest = frame["later"].max()
        vintage = newest if isinstance(newest, date) else newest_vintage(warehouse.con)
        inputs = {"frame": frame_digest(frame), "vintage": str(vintage)}
        key = step_key(("longwave.pipelines.rewriting",), inputs, {"seed": find.SEED, "n_boot": find.N_BOOT})
        changed = warehouse.step_key(step) != key
        if changed:
            _store(warehouse, step, rewriting(frame), key, vintage)
        return _result(warehouse, step, changed)


@dg.asset(
    key=["findings", "channels"],
    group_name="findings",
    op_tags=WHILE_COMPILING,
    owners=[OWNER],
    kinds={"polars"},
    # On every source: at a date before this one there is the newest vintage of the others to be dated by.
    deps=[WORLD, *source_keys(list(SOURCES))],
    description="Whether the channel by which a statement came tells anything about its truth: differences between channels.",
)
def channels(house: House) -> dg.MaterializeResult[None]:
    """Compare the shares of false statements between channels."""
    step = "findings/channels"
    with Warehouse(house.home) as warehouse:
        cells, rules = counts(warehouse.con, BY_VERDICT), load_fact("channels")
        vintage = newest_vintage(warehouse.con, ["factcheck"])
        inputs = {"cells": frame_digest(cells), "rules": frame_digest(rules), "vintage": str(vintage)}
        key = step_key(("longwave.pipelines.find_claims",), inputs, {})
        changed = warehouse.step_key(step) != key
        if changed:
            _store(warehouse, step, find_claims.channel_and_truth(cells, rules), key, vintage)
        return _result(warehouse, step, changed)


@dg.asset(
    key=["findings", "upkeep"],
    group_name="findings",
    owners=[OWNER],
    kinds={"polars"},
    deps=[WORLD, *source_keys(list(SOURCES))],
    description="What it costs to keep relationships alive: conditional arithmetic on a table of layers of closeness.",
)
def upkeep(house: House) -> dg.MaterializeResult[None]:
    """Work out hours from relationships and relationships from hours."""
    step = "findings/upkeep"
    with Warehouse(house.home) as warehouse:
        table, vintage = load_fact("closeness"), newest_vintage(warehouse.con)
        inputs = {"closeness": frame_digest(table), "vintage": str(vintage)}
        key = step_key(("longwave.pipelines.find_claims",), inputs, {})
        changed = warehouse.step_key(step) != key
        if changed:
            _store(warehouse, step, find_claims.relationship_upkeep(layers(table)), key, vintage)
        return _result(warehouse, step, changed)


@dg.asset(
    key=["findings", "backtests"],
    group_name="findings",
    owners=[OWNER],
    kinds={"polars"},
    deps=[WORLD, *source_keys(LEARNT_FROM)],
    description="How good forecasts would have been, in every mode: measured apart on the founding facts, read from its record.",
)
def backtests(house: House) -> dg.MaterializeResult[None]:
    """Read the record of the backtests, where it was made from the founding facts in force, and the one evaluation."""
    step = "findings/backtests"
    captures = [row for source in LEARNT_FROM for row in house.captures(source)]
    inputs = inputs_digest(captures)
    once = find_held_aside.told(records(find_held_aside.RECORD), (row.vintage for row in captures))
    kept = [*standing(records(PREFIX), inputs), *once]
    with Warehouse(house.home) as warehouse:
        vintage = newest(kept) if kept else newest_vintage(warehouse.con)
        key = step_key(
            ("longwave.pipelines.find_backtests", "longwave.pipelines.find_held_aside"),
            {record.name: record.digest for record in kept},
            {"inputs": inputs},
        )
        changed = warehouse.step_key(step) != key
        if changed:
            _store(warehouse, step, backtest_rows(kept), key, vintage)
        return _result(warehouse, step, changed)


@dg.asset(
    key=["findings", "presence"],
    group_name="findings",
    owners=[OWNER],
    kinds={"polars"},
    deps=[WORLD, *source_keys(list(SOURCES))],
    description="Whether a big presence goes with standing, among journals and newspapers, over all and within fields.",
)
def presence(house: House) -> dg.MaterializeResult[None]:
    """Compare presence with outcome."""
    step = "findings/presence"
    with Warehouse(house.home) as warehouse:
        panels = {name: frames(warehouse.con) for name, frames in PRESENCE_PANELS.items()}
        vintage = newest_vintage(warehouse.con, [s for sources in PRESENCE_SOURCES.values() for s in sources])
        inputs = {name: _frames_digest(frames) for name, frames in panels.items()} | {"vintage": str(vintage)}
        key = step_key(("longwave.pipelines.find_presence",), inputs, {"seed": find.SEED, "n_boot": find.N_BOOT})
        changed = warehouse.step_key(step) != key
        if changed:
            rows = find_presence.presence_rows({name: panel_of(frames) for name, frames in panels.items()})
            _store(warehouse, step, rows, key, vintage)
        return _result(warehouse, step, changed)


@dg.asset(
    key=["findings", "speed"],
    group_name="findings",
    owners=[OWNER],
    kinds={"polars"},
    deps=[WORLD, *source_keys(PANELS[SPEED_PANEL].sources())],
    description="Years from 10 to 50 % of adults for social media, against what household technologies foretell of one more.",
)
def speed(house: House) -> dg.MaterializeResult[None]:
    """Compare how fast media were taken up."""
    step = "findings/speed"
    with Warehouse(house.home) as warehouse:
        freeze(warehouse.con)
        series = reference_frame(warehouse.con).filter(pl.col("panel") == SPEED_PANEL)
        vintage = newest_vintage(warehouse.con, PANELS[SPEED_PANEL].sources())
        inputs = {"series": frame_digest(series), "vintage": str(vintage)}
        key = step_key(("longwave.pipelines.find_presence",), inputs, {})
        changed = warehouse.step_key(step) != key
        if changed:
            _store(warehouse, step, find_presence.adoption_speed(series), key, vintage)
        return _result(warehouse, step, changed)


@dg.asset(
    key=["findings", "authority"],
    group_name="findings",
    op_tags=WHILE_COMPILING,
    owners=[OWNER],
    kinds={"polars"},
    deps=[WORLD, *source_keys(list(SOURCES))],
    description="Whether journals that opened an account early gain more now, and whether followers go with prior standing.",
)
def authority(house: House) -> dg.MaterializeResult[None]:
    """Read the premium and the cohorts off the journals' accounts."""
    step = "findings/authority"
    with Warehouse(house.home) as warehouse:
        panel = panel_of(journals(warehouse.con))
        worlds = next(iter(records(find_authority.RECORD)), None)
        vintage = newest_vintage(warehouse.con, ACCOUNTS_SOURCES)
        frames = {name: frame_digest(getattr(panel, name)) for name in ("adopters", "attention", "covariates")}
        inputs = frames | {"vintage": str(vintage), "worlds": worlds.digest if worlds else ""}
        key = step_key(("longwave.pipelines.find_authority",), inputs, {})
        changed = warehouse.step_key(step) != key
        if changed:
            _store(warehouse, step, find_authority.authority(panel, worlds), key, vintage)
        return _result(warehouse, step, changed)


@dg.asset(
    key=["findings", "impact"],
    group_name="findings",
    op_tags=WHILE_COMPILING,
    owners=[OWNER],
    kinds={"scikit-learn"},
    deps=[WORLD, *source_keys(sources_behind_every_medium())],
    description="What places' early authority and size foretell of later impact in a medium, learnt from the other media.",
)
def impact(house: House) -> dg.MaterializeResult[None]:
    """Predict every medium's later ranks from the other media."""
    step = "findings/impact"
    with Warehouse(house.home) as warehouse:
        freeze(warehouse.con)
        panels = {medium: countries(warehouse.con, medium) for medium in COUNTRY_PANELS}
        vintage = newest_vintage(warehouse.con, sources_behind_every_medium())
        inputs = {name: _frames_digest(frames) for name, frames in panels.items()} | {"vintage": str(vintage)}
        key = step_key(("longwave.pipelines.find_impact",), inputs, {"seed": find.SEED})
        changed = warehouse.step_key(step) != key
        if changed:
            rows = find_impact.impact_rows({name: panel_of(frames) for name, frames in panels.items()})
            _store(warehouse, step, rows, key, vintage)
        return _result(warehouse, step, changed)


FINDING_ASSETS = [
    adoption,
    information_by_age,
    hindsight,
    backtests,
    curve_fits,
    curves,
    persistence,
    revisions,
    channels,
    upkeep,
    presence,
    speed,
    authority,
    impact,
]
