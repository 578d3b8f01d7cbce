"""The asset graph: world → sources → findings → claims → site, one short function a step.

A step under an unchanged key does no work and says so. Why such a step still emits: Dagster skips whatever depends on an
asset that emitted nothing, even when another of its inputs changed, so only the last step of a chain may stay silent. The
site depends on everything through `claims` and is that step: with nothing changed it emits nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import date
from importlib import resources
from typing import Any

import dagster as dg
import polars as pl
from longwave.models.claims import evaluate, load_registry
from longwave.pipelines import find, find_claims
from longwave.pipelines.claim_names import STATEMENTS, UPKEEP
from longwave.pipelines.closeness import layers
from longwave.pipelines.house import House
from longwave.pipelines.observe import Observed
from longwave.pipelines.progress import step_done
from longwave.pipelines.publish import release_of, write_report
from longwave.pipelines.refresh import SourceOutcome, of_one_source, refresh_source
from longwave.pipelines.rewriting import rewriting
from longwave.pipelines.sources import SOURCES, SourceSpec
from longwave.pipelines.steps import digest_of, facts_digest, folder_digest, frame_digest, step_key
from longwave.warehouse import results
from longwave.warehouse.crosstabs import BY_VERDICT, counts
from longwave.warehouse.errors import LongwaveError, Refused
from longwave.warehouse.export import catalogue, newest_vintage, panel_captures
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
    sources_behind,
)
from longwave.warehouse.revision_frames import revision_frame
from longwave.warehouse.store import Warehouse, reader
from longwave.warehouse.verdicts import record_verdicts
from longwave.warehouse.world import FACT_TABLES, load_fact

OWNER = "team:longwave"
WORLD = dg.AssetKey(["world", "facts"])


def preview(frame: pl.DataFrame, rows: int = 8) -> dg.MarkdownMetadataValue:
    """The first rows as a Markdown table for the UI."""
    head = frame.head(rows)
    lines = ["| " + " | ".join(head.columns) + " |", "|" + "---|" * len(head.columns)]
    lines += ["| " + " | ".join(str(v).replace("|", "/") for v in row) + " |" for row in head.iter_rows()]
    return dg.MetadataValue.md("\n".join(lines))


@dg.asset(
    key=WORLD,
    group_name="world",
    owners=[OWNER],
    kinds={"duckdb", "csv"},
    description="Launch years, breaks, places, aliases, concept groups and series of record: reviewed tables, cited.",
)
def world(house: House) -> dg.MaterializeResult[None]:
    """Load the reviewed tables of facts where they changed."""
    key = step_key(("longwave.warehouse.world", "longwave.warehouse.views"), {"facts": facts_digest()}, {})
    with Warehouse(house.home) as warehouse:
        changed = warehouse.step_key("world/facts") != key
        if changed:
            warehouse.refresh_facts()
            warehouse.record_step("world/facts", key, key)
    rows = {name: load_fact(name).height for name in FACT_TABLES}
    table = pl.DataFrame({"table": list(rows), "rows": list(rows.values())})
    return dg.MaterializeResult(
        metadata={"dagster/row_count": sum(rows.values()), "changed": changed, "tables": preview(table, 20)}
    )


def _keys(sources: list[str]) -> list[dg.AssetKey]:
    return [dg.AssetKey(["sources", source]) for source in dict.fromkeys(sources)]


def _source_asset(spec: SourceSpec) -> dg.AssetsDefinition:
    key = dg.AssetKey(["sources", spec.source])
    check = dg.AssetCheckSpec(
        "accepted",
        asset=key,
        description=(
            "Every declared check of every capture: columns, keys, units, ranges, codes, digests; of a new answer also its "
            "bytes and what it changes. A refused answer is kept in the archive, and the figures stay as they were."
        ),
    )

    @dg.asset(
        key=key,
        group_name="sources",
        owners=[OWNER],
        kinds={"duckdb", "csv"},
        deps=[WORLD, *_keys([spec.reference] if spec.reference else [])],
        check_specs=[check],
        tags={f"medium/{m.medium.replace(' ', '_')}": "" for m in spec.measures if m.medium != "covariate"},
        description=f"{spec.title}. {spec.publisher}. Licence: {spec.licence}.",
    )
    def _observed(house: House) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
        observed = Observed(spec.source, changed=False)
        try:
            recovered = house.recover_vintages(spec)
            with house.held(spec.source) as held, Warehouse(house.home) as warehouse:
                outcome, observed = refresh_source(warehouse, spec, held, house.fetcher)
                table = results.captures_of(warehouse.con, spec.source)
            if recovered is not None:
                outcome.add(recovered)
        except Refused as refused:
            problems = {p.rule: f"{p.where}: expected {p.expected}, found {p.found}" for p in refused.problems}
            yield dg.AssetCheckResult(passed=False, asset_key=key, check_name="accepted", metadata=problems)
            raise
        except LongwaveError as error:
            if not of_one_source(error):
                raise
            # What this source was about to change is taken back; the others go on.
            outcome = SourceOutcome(spec.source, "failed", failures=[str(error)])
            with Warehouse(house.home) as warehouse:
                table = results.captures_of(warehouse.con, spec.source)
        step_done(outcome.line, outcome)
        yield _accepted(key, outcome, observed)
        yield dg.MaterializeResult(asset_key=key, metadata=_source_metadata(outcome, observed, table))

    return _observed


def _accepted(key: dg.AssetKey, outcome: SourceOutcome, observed: Observed) -> dg.AssetCheckResult:
    """The check of a source with what each of its parts found; a refused answer is red and stops nothing."""
    found = {check.check: f"{'held' if check.passed else 'failed'}: {check.found}" for check in observed.checks}
    return dg.AssetCheckResult(
        passed=outcome.outcome not in ("refused", "failed"),
        asset_key=key,
        check_name="accepted",
        metadata={
            "warnings": "; ".join(outcome.warnings) or "none",
            "refused": "; ".join(outcome.refused) or "none",
            "failures": "; ".join(outcome.failures) or "none",
            **found,
        },
    )


def _source_metadata(outcome: SourceOutcome, observed: Observed, table: pl.DataFrame) -> dict[str, Any]:
    return {
        "dagster/row_count": int(table["rows"].sum()),
        "changed": observed.changed,
        "vintages": table.height,
        "newest vintage": str(table["vintage"].max()) if table.height else "none",
        "captures": preview(table, 20),
        "outcome": asdict(outcome),
    }


SOURCE_ASSETS = [_source_asset(spec) for spec in SOURCES.values()]


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
    findings = (
        results.findings(warehouse.con, step).select(columns).with_columns(pl.col("estimate", "lo", "hi").round(3))
    )
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": results.curve_points(warehouse.con, step).height,
            "changed": changed,
            "digest": (warehouse.step_key(step) or "")[:16],
            "findings": preview(findings, 12),
        }
    )


@dg.asset(
    key=["findings", "adoption"],
    group_name="findings",
    owners=[OWNER],
    kinds={"polars"},
    deps=[WORLD, *_keys([line.source for line in ADOPTION_LINES])],
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
    deps=[WORLD, *_keys([source for panel in PANELS.values() for source in panel.sources()])],
    description="How much of the level at age 20 is known at each age before it, and the readable age.",
)
def information_by_age(house: House) -> dg.MaterializeResult[None]:
    """Forecast the level at age 20 from every age, and score against what other media's history alone tells."""
    step = "findings/information_by_age"
    with Warehouse(house.home) as warehouse:
        freeze(warehouse.con)
        frames = {convention: adoption_frame(warehouse.con, convention) for convention in find.CONVENTIONS}
        vintage, unused = newest_vintage(warehouse.con, sources_behind("pooled")), left_out(warehouse.con)
        inputs = {convention: frame_digest(frame) for convention, frame in frames.items()}
        inputs |= {"vintage": str(vintage), "unused": repr(unused)}
        key = step_key(("longwave.pipelines.find",), inputs, {"seed": find.SEED, "n_boot": find.N_BOOT})
        changed = warehouse.step_key(step) != key
        if changed:
            _store(warehouse, step, find.ripeness(frames, unused), key, vintage)
        return _result(warehouse, step, changed)


@dg.asset(
    key=["findings", "persistence"],
    group_name="findings",
    owners=[OWNER],
    kinds={"polars"},
    deps=[
        WORLD,
        *_keys([source for panel, _ in PERSISTENCE_PANELS.values() for source in PANELS[panel].sources()]),
        *_keys(["worldbank_datahub"]),
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
        key = step_key(("longwave.pipelines.find",), inputs, {"seed": find.SEED, "n_boot": find.N_BOOT})
        changed = warehouse.step_key(step) != key
        if changed:
            _store(warehouse, step, find.persistence(frames, launches), key, vintage)
        return _result(warehouse, step, changed)


@dg.asset(
    key=["findings", "revisions"],
    group_name="findings",
    owners=[OWNER],
    kinds={"polars"},
    deps=[WORLD, *_keys(list(SOURCES))],
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
    owners=[OWNER],
    kinds={"polars"},
    # On every source: at a date before this one there is the newest vintage of the others to be dated by.
    deps=[WORLD, *_keys(list(SOURCES))],
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
    deps=[WORLD, *_keys(list(SOURCES))],
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


SUBJECT_TITLES = {name: panel.title for name, panel in PANELS.items()} | {
    "pooled": "All panels of 15 clusters or more, equally",
    **{medium: PANELS[panel].title for medium, (panel, _) in PERSISTENCE_PANELS.items()},
    STATEMENTS: "Fact-checked statements",
    UPKEEP: "Stated inputs",
}


def _subject_captures(warehouse: Warehouse) -> dict[str, list[str]]:
    """The captures that each subject of the findings rests on: its own series, what they learn from, covariates."""
    behind = {subject: sources_behind(subject) for subject in ["pooled", *PANELS, *PERSISTENCE_PANELS]}
    behind[STATEMENTS] = ["factcheck"]
    return {
        subject: sorted({c for source in sources for c in panel_captures(warehouse.con, source)})
        for subject, sources in behind.items()
    }


@dg.asset(
    key=["claims"],
    group_name="claims",
    owners=[OWNER],
    kinds={"toml"},
    deps=[adoption, information_by_age, persistence, revisions, channels, upkeep],
    description="The claims registry evaluated: thresholds with their dates, intervals, verdicts, and their history.",
)
def claims(house: House) -> dg.MaterializeResult[None]:
    """Evaluate the registry and keep the history of verdicts."""
    with Warehouse(house.home) as warehouse:
        findings = results.findings(warehouse.con)
        newest = newest_vintage(warehouse.con)
        entries = evaluate(load_registry(), findings, _subject_captures(warehouse), newest)
        for row in [row for entry in entries for row in entry["by"]]:
            row["panel_title"] = SUBJECT_TITLES.get(row["panel"], row["panel"])
        changed = record_verdicts(warehouse, entries, newest)
    table = pl.DataFrame([{"claim": e["id"], "verdict": e["verdict"], "decided on": e["decided_on"]} for e in entries])
    return dg.MaterializeResult(
        metadata={"dagster/row_count": len(entries), "changed": changed, "verdicts": preview(table, 20)}
    )


@dg.asset(
    key=["site"],
    group_name="publish",
    owners=[OWNER],
    kinds={"plotly", "html"},
    deps=[claims],
    output_required=False,
    description="The published site: pages, figures, findings.json and the data that may be passed on.",
)
def site(house: House) -> Iterator[dg.MaterializeResult[None]]:
    """Publish, unless the site that stands was made from the same results by the same code."""
    with reader(house.home) as con:
        keys = results.step_keys(con)
        released = keys.pop("site", None)
        inputs = {
            "steps": digest_of(json.dumps(keys)),
            "claims": digest_of(json.dumps(results.standing_claims(con))),
            "sources": digest_of(json.dumps(catalogue(con), default=str)),
            "templates": folder_digest(resources.files("longwave.reports"), ""),
        }
        key = step_key(("longwave.pipelines.publish", "longwave.reports.site"), inputs, dict(release_of(con)))
    if released == key and (house.site / "index.html").is_file():
        return
    files = write_report(house.home, house.site)
    with Warehouse(house.home) as warehouse:
        warehouse.record_step("site", key, key)
    yield dg.MaterializeResult(metadata=_site_metadata(house, files))


def _site_metadata(house: House, files: list[Any]) -> Mapping[str, Any]:
    return {
        "dagster/row_count": len(files),
        "path": dg.MetadataValue.path(str(house.site / "index.html")),
        "bytes": sum(path.stat().st_size for path in files),
    }


FINDING_ASSETS = [adoption, information_by_age, persistence, revisions, channels, upkeep]
ALL_ASSETS = [world, *SOURCE_ASSETS, *FINDING_ASSETS, claims, site]
