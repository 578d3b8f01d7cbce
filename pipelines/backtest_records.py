"""What is kept of a backtest, so that pages can quote it: its summary, and which captures it was made from.

Belongs here: outcome -> record. Does not: running a backtest (`backtests`), what the pages make of it (`find_backtests`).
"""

from __future__ import annotations

from pathlib import Path

import polars as pl
from longwave.models.horizons import NAMED
from longwave.pipelines.backtest_inputs import LEARNT_FROM, PREFIX, inputs_digest
from longwave.pipelines.backtests import SEED, Outcome
from longwave.pipelines.observe import held_originals
from longwave.warehouse.records import Record


def record_of(outcome: Outcome, commit: str, founding: Path) -> Record:
    """The record of a backtest on the founding facts.

    Args:
        outcome: of `backtests.run`, on the founding facts alone.
        commit: of the code that made it.
        founding: the folder of the founding facts.

    """
    request = outcome.request
    captures = [row for row in held_originals(founding) if row.source in LEARNT_FROM]
    about = {
        "protocol": request.protocol,
        "mode": request.mode,
        "data": request.data,
        "forecaster": request.forecaster,
        "seed": SEED,
        "n_boot": request.n_boot,
        "folds": request.folds,
        "every": request.every,
        "n_forecasts": outcome.forecasts.height,
        "commit": commit,
        "newest_vintage": str(max(row.vintage for row in captures)),
        "inputs": inputs_digest(captures),
        "warnings": outcome.warnings,
    }
    tables = {name: _kept(name, table) for name, table in outcome.tables.items()}
    if "pit" in outcome.summary:
        tables["pit"] = pl.DataFrame({"share": outcome.summary["pit"]}).with_row_index("bin")
    summary = {name: value for name, value in outcome.summary.items() if name != "pit"}
    return Record(f"{PREFIX}{request.protocol}-{request.mode}-{request.data}", about | summary, tables)


def _kept(name: str, table: pl.DataFrame) -> pl.DataFrame:
    """A table without the cells that no page shows: references not named beforehand are kept over all questions only."""
    if name != "relative_errors":
        return table
    whole = (pl.col("asked") == "all") & pl.col("ages").is_in(["all", "up to 8"])
    return table.filter(whole | pl.col("reference").is_in(NAMED))
