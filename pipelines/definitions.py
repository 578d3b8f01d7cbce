"""What Dagster loads: the assets, the jobs a newcomer understands, the monthly schedule, the house."""

from __future__ import annotations

import dagster as dg
from longwave.pipelines.assets import ALL_ASSETS
from longwave.pipelines.automation import on_changed_captures, schedule_status, sources_fresh
from longwave.pipelines.house import House
from longwave.pipelines.logs import LINES, console
from longwave.pipelines.sources import SOURCES
from longwave.pipelines.sources._spec import CYCLES

RUN_JOB = dg.define_asset_job(
    "run",
    selection=dg.AssetSelection.all(),
    executor_def=dg.in_process_executor,
    config=LINES,
    description="The main job: observe every source, find, decide the claims, publish. What is unchanged is not done again.",
)
REFRESH_JOB = dg.define_asset_job(
    "refresh",
    selection=dg.AssetSelection.groups("world", "sources"),
    executor_def=dg.in_process_executor,
    config={"resources": {"house": {"config": {"live": True}}}, **LINES},
    description="Ask every source that can be asked, archive what it answers, and observe it. Finds and publishes nothing.",
)
PUBLISH_JOB = dg.define_asset_job(
    "publish",
    selection=dg.AssetSelection.groups("claims", "publish"),
    executor_def=dg.in_process_executor,
    config=LINES,
    description="Decide the claims anew and publish the site from the findings that stand.",
)
MONTHLY = dg.ScheduleDefinition(
    name="monthly",
    job=RUN_JOB,
    cron_schedule="0 6 2 * *",
    execution_timezone="UTC",
    default_status=schedule_status(),
    description="The main job on the second of each month, at 06:00 UTC.",
)


def _refresh_schedules() -> list[dg.ScheduleDefinition]:
    """One schedule for each cycle that sources declare; each asks just those that declare it."""
    cycles = sorted({spec.refresh for spec in SOURCES.values() if spec.endpoints} & set(CYCLES))
    return [_refresh_schedule(cycle) for cycle in cycles]


def _refresh_schedule(cycle: str) -> dg.ScheduleDefinition:
    sources = [spec.source for spec in SOURCES.values() if spec.endpoints and spec.refresh == cycle]
    job = dg.define_asset_job(
        f"refresh_{cycle}",
        selection=dg.AssetSelection.assets(*[dg.AssetKey(["sources", source]) for source in sources]),
        executor_def=dg.in_process_executor,
        config={"resources": {"house": {"config": {"live": True}}}, **LINES},
        description=f"Ask the {len(sources)} sources that are asked {cycle}.",
    )
    return dg.ScheduleDefinition(
        name=f"refresh_{cycle}",
        job=job,
        cron_schedule=CYCLES[cycle],
        execution_timezone="UTC",
        default_status=schedule_status(),
        description=f"The sources that are asked {cycle}, before the main job of the month.",
    )


@dg.definitions
def defs() -> dg.Definitions:
    """The code location."""
    return dg.Definitions(
        assets=ALL_ASSETS,
        asset_checks=[sources_fresh],
        jobs=[RUN_JOB, REFRESH_JOB, PUBLISH_JOB],
        schedules=[MONTHLY, *_refresh_schedules()],
        sensors=[on_changed_captures(RUN_JOB)],
        loggers={"console": console},
        resources={"house": House()},
        executor=dg.in_process_executor,
    )
