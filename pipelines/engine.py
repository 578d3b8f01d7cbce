"""Running Dagster jobs in this process on the shared instance, so that the UI shows what the command line ran."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from longwave.pipelines.lacking import causes, lacking, said_once
from longwave.pipelines.light_records import lightly
from longwave.pipelines.settings import Settings
from longwave.warehouse.errors import LongwaveError
from longwave.warehouse.home import Home, disk_trouble

DAGSTER_YAML = """\
# Written by longwave. No telemetry, no pop-up on first start, one run at a time (not counting killed ones), ticks forgotten.
telemetry:
  enabled: false
nux:
  enabled: false
concurrency:
  runs:
    max_concurrent_runs: 1
run_launcher:
  module: longwave.pipelines.alive
  class: WatchedRunLauncher
run_monitoring:
  enabled: true
  start_timeout_seconds: 600
retention:
  schedule:
    purge_after_days: 90
  sensor:
    purge_after_days: {skipped: 7, failure: 90, success: 90}
"""
# The address stays in the environment: the file names the variable alone.
POSTGRES_YAML = """\
storage:
  postgres:
    postgres_url:
      env: LONGWAVE_POSTGRES
"""


def prepare_dagster(home: Home) -> Path:
    """Dagster's instance folder with its settings; sets DAGSTER_HOME for this process and its children.

    Raises:
        LongwaveError: LONGWAVE_POSTGRES is set, and what speaks to Postgres is not installed.

    """
    text = DAGSTER_YAML
    if Settings().postgres.get_secret_value():
        if find_spec("dagster_postgres") is None:
            raise LongwaveError(
                "LONGWAVE_POSTGRES is set, and dagster-postgres is not installed; install longwave[postgres], "
                "or take the setting away to keep Dagster's records in files"
            )
        text += POSTGRES_YAML
    with disk_trouble(home.dagster):
        home.dagster.mkdir(parents=True, exist_ok=True)
        settings = home.dagster / "dagster.yaml"
        if not settings.is_file() or settings.read_text() != text:
            settings.write_text(text)
    os.environ["DAGSTER_HOME"] = str(home.dagster)
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "yes")
    return home.dagster


@dataclass
class Step:
    """What one asset did in a run."""

    asset: str
    changed: bool
    metadata: Mapping[str, Any]


@dataclass
class Outcome:
    """What a run did, step by step, in order."""

    run_id: str
    steps: list[Step] = field(default_factory=list)

    @property
    def changed(self) -> list[str]:
        """Assets whose content changed."""
        return [step.asset for step in self.steps if step.changed]


def run_job(
    home: Home, job: str, house: Mapping[str, Any] | None = None, sources: Sequence[str] | None = None
) -> Outcome:
    """Execute a job of the code location in this process.

    Args:
        home: the installation.
        job: its name.
        house: configuration of the house: as_of, live, from_archive, per_year.
        sources: only these sources of it; None: the whole job.

    Raises:
        LongwaveError: the expected failure that ended a step, as it was raised there.
        KeyboardInterrupt: somebody interrupted it; what was committed stays.

    """
    prepare_dagster(home)
    import dagster as dg
    from longwave.pipelines.definitions import defs
    from longwave.pipelines.logs import LINES, QUIET

    config = {
        "resources": {"house": {"config": dict(house or {})}},
        # The event log keeps everything; the terminal shows our own lines.
        **(LINES if Settings().log == "json" else {"loggers": {"console": {"config": QUIET}}}),
    }
    with lightly(), dg.DagsterInstance.get() as instance:
        definition = _definitions(defs).resolve_job_def(job)
        keys = None if sources is None else [dg.AssetKey(["sources", source]) for source in sources]
        try:
            with said_once():
                result = definition.execute_in_process(run_config=config, instance=instance, asset_selection=keys)
        except dg.DagsterExecutionInterruptedError:
            raise KeyboardInterrupt from None  # Dagster's name for it; the caller knows the usual one
        except Exception as error:
            expected = next((e for e in causes(error) if isinstance(e, LongwaveError)), None) or lacking(error, home)
            if expected is None:
                raise
            raise expected from None
        return Outcome(result.run_id, list(_steps(result)))


def _definitions(defs: Any) -> Any:
    from dagster import Definitions

    return defs if isinstance(defs, Definitions) else defs()


def _steps(result: Any) -> Iterator[Step]:
    for event in result.get_asset_materialization_events():
        materialization = event.step_materialization_data.materialization
        metadata = {name: value.value for name, value in materialization.metadata.items()}
        path = materialization.asset_key.to_user_string()
        yield Step(path, bool(metadata.get("changed", True)), metadata)
