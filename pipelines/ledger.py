"""What a run did, read from Dagster's own event log: the same whether the command line, the UI or a schedule started it.

Belongs here: steps, their durations, what they changed, and what their checks found. Does not belong here: what is made of
it (`longwave.pipelines.ending`, `longwave.pipelines.alerts`, `longwave.pipelines.metrics`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

_TYPES = {
    dg.DagsterEventType.ASSET_MATERIALIZATION,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.STEP_SUCCESS,
}
_FINE = "none"  # what a source's check says of refusals and failures where there are none


@dataclass(frozen=True)
class Check:
    """What one asset check found: the asset and the check's name, and in words what failed."""

    asset: str
    name: str
    passed: bool
    found: str = ""
    only_refused: bool = False


@dataclass
class Record:
    """A run so far. `steps` are in order; `seconds` and `outcomes` (of sources) are by asset, `failed` says why by asset."""

    run: str
    job: str
    steps: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)
    outcomes: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def record_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Record:
    """The record of a run as far as its events are written."""
    record = Record(run.run_id, run.job_name)
    for entry in instance.all_logs(run.run_id, of_type=_TYPES):
        event = entry.get_dagster_event()
        data = event.event_specific_data
        if event.is_step_materialization:
            _materialised(record, event.step_materialization_data.materialization)
        elif isinstance(data, dg.AssetCheckEvaluation):
            record.checks.append(_check(data))
        elif event.is_step_success:
            record.seconds[_asset(event.step_key)] = round(event.step_success_data.duration_ms / 1000, 3)
        elif event.is_step_failure:
            record.failed[_asset(event.step_key)] = _reason(event.step_failure_data.error)
    return record


def _materialised(record: Record, done: dg.AssetMaterialization) -> None:
    asset = done.asset_key.to_user_string()
    values: dict[str, Any] = {name: value.value for name, value in done.metadata.items()}
    record.steps.append(asset)
    if values.get("changed", True):
        record.changed.append(asset)
    if isinstance(values.get("outcome"), Mapping):
        record.outcomes[asset] = values["outcome"]


def _check(data: dg.AssetCheckEvaluation) -> Check:
    asset, said = data.asset_key.to_user_string(), {name: str(value.value) for name, value in data.metadata.items()}
    parts: Sequence[str] = [said[name] for name in ("failures", "refused") if said.get(name, _FINE) != _FINE]
    if "failures" not in said:
        parts = [f"{name}: {text}" for name, text in said.items()]
    only_refused = said.get("failures") == _FINE and said.get("refused", _FINE) != _FINE
    return Check(asset, data.check_name, data.passed, "; ".join(parts), only_refused)


def _asset(step_key: str | None) -> str:
    """The asset of a step, whose key Dagster makes from the asset's."""
    return (step_key or "").replace("__", "/")


def _reason(error: Any) -> str:
    """The first line of what was raised first, without the names of classes around it."""
    while error is not None and error.cause is not None:
        error = error.cause
    text = str(error.message).strip() if error is not None else "no reason was recorded"
    kind, colon, rest = text.partition(": ")
    return (rest if colon and " " not in kind else text).splitlines()[0]
