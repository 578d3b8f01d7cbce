"""Which captures a backtest reads, and what they are told apart by: a record stands for these and no others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from longwave.pipelines.steps import digest_of
from longwave.warehouse.founding_files import OriginalRow
from longwave.warehouse.reference_series import REFERENCE_PANELS

PREFIX: Final = "backtest-"
"""What the names of the records of backtests begin with."""
LEARNT_FROM: Final = sorted({name for panel in REFERENCE_PANELS.values() for name in panel.sources()})
"""Sources that a backtest reads."""


def inputs_digest(captures: Iterable[OriginalRow]) -> str:
    """Digest of what the captures of the sources read say: which, of which day, and the digest of their rows."""
    lines = [f"{row.source} {row.vintage} {row.content_sha256}" for row in captures if row.source in LEARNT_FROM]
    return digest_of(*sorted(lines))
