"""What the assets of all layers share: their owner, the facts they rest on, keys of sources, what each tells of a run."""

from __future__ import annotations

import time
from typing import Any

import dagster as dg
import polars as pl

OWNER = "team:longwave"
WORLD = dg.AssetKey(["world", "facts"])


def preview(frame: pl.DataFrame, rows: int = 8) -> dg.MarkdownMetadataValue:
    """The first rows as a Markdown table for the UI."""
    head = frame.head(rows)
    lines = ["| " + " | ".join(head.columns) + " |", "|" + "---|" * len(head.columns)]
    lines += ["| " + " | ".join(str(v).replace("|", "/") for v in row) + " |" for row in head.iter_rows()]
    return dg.MetadataValue.md("\n".join(lines))


def source_keys(sources: list[str]) -> list[dg.AssetKey]:
    """Keys of the assets of some sources, each once."""
    return [dg.AssetKey(["sources", source]) for source in dict.fromkeys(sources)]


def told(rows: int, *, changed: bool, vintage: object, digest: str, **more: Any) -> dict[str, Any]:
    """What every asset tells of a run, in the same words: rows, newest vintage, digest, seconds, and a table or more.

    Args:
        rows: how many rows it holds.
        changed: whether its content is other than before.
        vintage: the newest vintage behind it; None or empty where there is none.
        digest: of what it was made from, or of what it holds; shortened here.
        more: further entries, by their names.

    """
    entries = {"changed": changed, "newest vintage": str(vintage or "none"), "digest": digest[:16] or "none"}
    return {"dagster/row_count": rows, **entries, **_seconds(), **more}


def _seconds() -> dict[str, float]:
    """How long the step has taken, by the record of its start; nothing outside a run."""
    try:
        context = dg.AssetExecutionContext.get()
    except dg.DagsterInvariantViolationError:
        return {}
    step = context.get_step_execution_context().step.key
    for stats in context.instance.get_run_step_stats(context.run.run_id, [step]):
        if stats.start_time is not None:
            return {"seconds": round(time.time() - stats.start_time, 2)}
    return {}
