"""What Dagster loads: the assets, the jobs a newcomer understands, the monthly schedule, the house."""

from __future__ import annotations

import dagster as dg
from longwave.pipelines.assets import ALL_ASSETS
from longwave.pipelines.house import House

RUN_JOB = dg.define_asset_job(
    "run",
    selection=dg.AssetSelection.all(),
    executor_def=dg.in_process_executor,
    description="The main job: observe every source, find, decide the claims, publish. What is unchanged is not done again.",
)
PUBLISH_JOB = dg.define_asset_job(
    "publish",
    selection=dg.AssetSelection.groups("claims", "publish"),
    executor_def=dg.in_process_executor,
    description="Decide the claims anew and publish the site from the findings that stand.",
)
MONTHLY = dg.ScheduleDefinition(
    name="monthly",
    job=RUN_JOB,
    cron_schedule="0 6 2 * *",
    execution_timezone="UTC",
    description="The main job on the second of each month, at 06:00 UTC.",
)


@dg.definitions
def defs() -> dg.Definitions:
    """The code location."""
    return dg.Definitions(
        assets=ALL_ASSETS,
        jobs=[RUN_JOB, PUBLISH_JOB],
        schedules=[MONTHLY],
        resources={"house": House()},
        executor=dg.in_process_executor,
    )
