"""The asset graph: world → sources → findings → claims → site, one short function a step.

A step under an unchanged key does no work and says so. Why such a step still emits: Dagster skips whatever depends on an
asset that emitted nothing, even when another of its inputs changed, so only the last step of a chain may stay silent. The
site depends on everything through `claims` and is that step: with nothing changed it emits nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
from longwave.models.claims import evaluate, load_registry
from longwave.pipelines.asset_parts import OWNER, WORLD, preview, source_keys, told
from longwave.pipelines.automation import policy_of
from longwave.pipelines.beside import soon
from longwave.pipelines.claim_names import (
    ACCOUNTS,
    ACCOUNTS_SOURCES,
    JOURNALS,
    NEWSPAPERS,
    PRESENCE_SOURCES,
    SPEED,
    SPEED_PANEL,
    STATEMENTS,
    UPKEEP,
)
from longwave.pipelines.finding_assets import FINDING_ASSETS
from longwave.pipelines.house import House
from longwave.pipelines.observe import Observed
from longwave.pipelines.progress import step_done
from longwave.pipelines.publish import SIMULATIONS, release_of, write_report
from longwave.pipelines.refresh import SourceOutcome, of_one_source, refresh_source
from longwave.pipelines.sources import SOURCES, SourceSpec
from longwave.pipelines.steps import digest_of, facts_digest, folder_digest, frame_digest, step_key
from longwave.warehouse import results
from longwave.warehouse.errors import LongwaveError, Refused
from longwave.warehouse.export import catalogue, newest_vintage, panel_captures
from longwave.warehouse.panels import (
    PANELS,
    PERSISTENCE_PANELS,
    sources_behind,
)
from longwave.warehouse.records import records
from longwave.warehouse.releases import record_release
from longwave.warehouse.store import Warehouse, reader
from longwave.warehouse.verdicts import record_verdicts
from longwave.warehouse.world import FACT_TABLES, load_fact


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
        metadata=told(sum(rows.values()), changed=changed, vintage=None, digest=key, tables=preview(table, 20))
    )


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
        deps=[WORLD, *source_keys([spec.reference] if spec.reference else [])],
        check_specs=[check],
        freshness_policy=policy_of(spec),
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
            if observed.changed:  # there will be something to find
                soon()
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
    return told(
        int(table["rows"].sum()),
        changed=observed.changed,
        vintage=table["vintage"].max(),
        digest=frame_digest(table) if table.height else "",
        vintages=table.height,
        captures=preview(table, 20),
        outcome=asdict(outcome),
    )


SOURCE_ASSETS = [_source_asset(spec) for spec in SOURCES.values()]


SUBJECT_TITLES = {name: panel.title for name, panel in PANELS.items()} | {
    "pooled": "All panels of 15 clusters or more, equally",
    **{medium: PANELS[panel].title for medium, (panel, _) in PERSISTENCE_PANELS.items()},
    STATEMENTS: "Fact-checked statements",
    JOURNALS: "Journals with an account on Twitter",
    NEWSPAPERS: "Daily newspapers of the United States",
    SPEED: "Technologies in United States households, from 10 to 50 %",
    UPKEEP: "Stated inputs",
    ACCOUNTS: "Journals and the opening of their accounts on Twitter",
}


def _subject_captures(warehouse: Warehouse) -> dict[str, list[str]]:
    """The captures that each subject of the findings rests on: its own series, what they learn from, covariates."""
    behind = {subject: sources_behind(subject) for subject in ["pooled", *PANELS, *PERSISTENCE_PANELS]}
    behind |= {STATEMENTS: ["factcheck"], SPEED: PANELS[SPEED_PANEL].sources(), **PRESENCE_SOURCES}
    behind[ACCOUNTS] = ACCOUNTS_SOURCES
    return {
        subject: sorted({c for source in sources for c in panel_captures(warehouse.con, source)})
        for subject, sources in behind.items()
    }


@dg.asset(
    key=["claims"],
    group_name="claims",
    owners=[OWNER],
    kinds={"toml"},
    deps=FINDING_ASSETS,
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
        changed = record_release(warehouse, entries, release_of(warehouse.con)) or changed
    table = pl.DataFrame([{"claim": e["id"], "verdict": e["verdict"], "decided on": e["decided_on"]} for e in entries])
    return dg.MaterializeResult(
        metadata=told(
            len(entries),
            changed=changed,
            vintage=newest,
            digest=digest_of(json.dumps(entries)),
            verdicts=preview(table, 20),
        )
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
            "scale": digest_of(*[record.digest for record in records("scale-")]),
            "simulations": digest_of(*[record.digest for record in records(SIMULATIONS)]),
        }
        release = release_of(con)
        key = step_key(("longwave.pipelines.publish", "longwave.reports.site"), inputs, dict(release))
    if released == key and (house.site / "index.html").is_file():
        return
    files = write_report(house.home, house.site)
    with Warehouse(house.home) as warehouse:
        warehouse.record_step("site", key, key)
    yield dg.MaterializeResult(metadata=_site_metadata(house, files, release["newest_vintage"], key))


def _site_metadata(house: House, files: list[Path], vintage: str, key: str) -> Mapping[str, Any]:
    sizes = {str(path.relative_to(house.site)): path.stat().st_size for path in files}
    table = pl.DataFrame({"file": list(sizes), "bytes": list(sizes.values())}).sort("bytes", "file", descending=True)
    return told(
        len(files),
        changed=True,
        vintage=vintage,
        digest=key,
        path=dg.MetadataValue.path(str(house.site / "index.html")),
        bytes=sum(sizes.values()),
        files=preview(table, 20),
    )


ALL_ASSETS = [world, *SOURCE_ASSETS, *FINDING_ASSETS, claims, site]
