"""When each source was last asked and will be asked next: for `longwave sources`, which may read the clock. Not published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from longwave.pipelines.sources import SourceSpec

_DAYS = {"weekly": 7, "monthly": 31, "yearly": 366}
LATE = 2  # cycles without an accepted or repeated answer


@dataclass(frozen=True)
class Freshness:
    """State of a source's answers: `last_asked`, a word, and the day it is due next."""

    last_asked: str
    word: str
    next_due: str


def freshness(spec: SourceSpec, seen: Mapping[str, Any] | None, today: date) -> Freshness:
    """Freshness of one source.

    Args:
        spec: the source.
        seen: its row of `longwave.warehouse.answers.sightings`, None where it was never asked.
        today: the day it is judged on.

    Returns:
        The word is `ended`, `never asked`, `refused`, `fresh` or `stale` (not asked for two cycles).

    """
    if not spec.endpoints or spec.refresh == "never":
        return Freshness("–", "ended", "–")
    last = seen["last_asked"].date() if seen and seen["last_asked"] else None
    if seen is None or last is None:
        return Freshness("never", "never asked", f"{spec.refresh}, now due")
    cycle = timedelta(days=_DAYS[spec.refresh])
    word = "refused" if seen["status"] == "refused" else "stale" if today - last > LATE * cycle else "fresh"
    return Freshness(str(last), word, str(max(last + cycle, today)))
