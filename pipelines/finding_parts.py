"""What every asset that finds does with its rows: keep them under their key, and say what was found.

Not here: what is read and when it is found anew (`finding_assets`).
"""

from __future__ import annotations

from datetime import date

import dagster as dg
import polars as pl
from longwave.pipelines import find
from longwave.pipelines.asset_parts import preview, told
from longwave.pipelines.steps import digest_of, frame_digest
from longwave.warehouse import results
from longwave.warehouse.adopter_frames import AdopterFrames
from longwave.warehouse.store import Warehouse


def store(warehouse: Warehouse, step: str, rows: find.Rows, key: str, vintage: date) -> None:
    """Put a study's rows in the place of the step's own."""
    for table, kept in (
        ("findings", rows.findings),
        ("finding_curves", rows.curves),
        ("series_notes", rows.notes),
    ):
        frame = find.as_table(kept, table, step, vintage, key, find.SEED if rows.findings else None)
        warehouse.replace(table, frame, {"step": step})
    warehouse.record_step(step, key, key)


def result(warehouse: Warehouse, step: str, changed: bool) -> dg.MaterializeResult[None]:
    """What the step holds, for the UI."""
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


def frames_digest(frames: AdopterFrames) -> str:
    """Digest of all that a panel is made of."""
    parts = (frames.adopters, frames.attention, frames.covariates)
    return digest_of(frames.medium, frames.unit, str(frames.first_launch), *[frame_digest(part) for part in parts])
