"""When runs start by themselves, and what says that they should have: freshness policies, the check beside them, the sensor.

A freshness policy of Dagster's counts from the last time an asset was made, and a run that asks nobody makes a source's asset
too. So the policy says whether the pipeline has run lately, and the check `sources_fresh` says whether the publishers have
answered lately; a backfill of an old year satisfies the first and never the second.

Why a sensor and not an automation condition: whether a capture changed stands in the warehouse, whoever ran the refresh, while
the conditions know Dagster's events only, and every source's asset emits one, changed or not (`longwave.pipelines.assets`).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import duckdb
from longwave.pipelines.freshness import LATE, cycle_of, late_sources
from longwave.pipelines.house import House
from longwave.pipelines.settings import Settings
from longwave.pipelines.sources import SOURCES, SourceSpec
from longwave.pipelines.steps import digest_of
from longwave.warehouse.answers import sightings
from longwave.warehouse.errors import Busy
from longwave.warehouse.lock import run_lock
from longwave.warehouse.results import capture_contents
from longwave.warehouse.store import reader

CLAIMS = dg.AssetKey(["claims"])


def schedule_status() -> dg.DefaultScheduleStatus:
    """Whether schedules tick without a person switching them on: only where LONGWAVE_UNATTENDED says so."""
    return dg.DefaultScheduleStatus.RUNNING if Settings().unattended else dg.DefaultScheduleStatus.STOPPED


def policy_of(spec: SourceSpec) -> dg.FreshnessPolicy | None:
    """Warn after one cycle of a source without its asset being made, fail after two; None for a source that has ended."""
    cycle = cycle_of(spec)
    return dg.FreshnessPolicy.time_window(fail_window=LATE * cycle, warn_window=cycle) if cycle else None


@dg.asset_check(
    asset=CLAIMS,
    name="sources_fresh",
    description=(
        "Whether every source that is asked gave an answer within two of its cycles. Past vintages from a web archive and runs "
        "that ask nobody do not count; a source never asked is no fault of its publisher's."
    ),
)
def sources_fresh(house: House) -> dg.AssetCheckResult:
    """Judge the sources by the last answers of their publishers."""
    with reader(house.home) as con:
        seen = sightings(con)
    late = late_sources(seen, datetime.now(UTC).date())
    said = {
        source: f"last answer of {state.last_asked}, late since {state.late_since}" for source, state in late.items()
    }
    asked = sum(1 for row in seen.values() if row["last_asked"] is not None)
    return dg.AssetCheckResult(
        passed=not late, severity=dg.AssetCheckSeverity.WARN, metadata={"sources asked": asked, **said}
    )


def contents_by_source(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """A digest of what is held of each source: captures, vintages, rows."""
    return {source: digest_of(*capture_contents(con, source))[:16] for source in sorted(SOURCES)}


def on_changed_captures(job: Any) -> dg.SensorDefinition:
    """The sensor that runs what follows from a source after its captures changed, and nothing else.

    Its cursor is what was held of each source when it last asked for a run. At its first look there is none: it asks for the
    whole job once, in which every step that stands is passed over.

    Args:
        job: the main job, of which it selects.

    """

    @dg.sensor(
        name="changed_captures",
        job=job,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING if Settings().unattended else dg.DefaultSensorStatus.STOPPED,
        description="When a capture changed what is held of a source: find, decide and publish anew what follows from it.",
    )
    def changed_captures(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        home = Settings().house()
        if not home.read_copy.exists():
            return dg.SkipReason("nothing is recorded yet")
        try:
            with run_lock(home.lock, 0), reader(home) as con:
                held = contents_by_source(con)
        except Busy:
            return dg.SkipReason("a run is under way; what it changes is looked at when it is done")
        cursor = json.dumps(held, sort_keys=True)
        before = json.loads(context.cursor) if context.cursor else None
        if before == held:
            return dg.SkipReason("no capture changed since the last look")
        key, graph = digest_of(cursor), context.repository_def
        if before is None or graph is None:
            return dg.SensorResult([dg.RunRequest(run_key=key)], cursor=cursor)
        changed = [source for source in held if held[source] != before.get(source)]
        request = dg.RunRequest(
            run_key=key,
            asset_selection=touched_by(changed, graph.asset_graph),
            tags={"longwave/changed": ",".join(changed)[:200]},
        )
        return dg.SensorResult([request], cursor=cursor)

    return changed_captures


def touched_by(sources: list[str], graph: Any) -> list[dg.AssetKey]:
    """The assets that follow from some sources, without the sources themselves, which have been observed."""
    keys = [dg.AssetKey(["sources", source]) for source in sources]
    below = dg.AssetSelection.assets(*keys).downstream(include_self=False).resolve(graph)
    return sorted(key for key in below if key.path[0] != "sources")
