"""When each source was last asked and will be asked next, and since when it is late. Not published: it reads the clock.

A source is as fresh as the last answer its publisher gave *us*. A past vintage brought from a web archive, and a run that
only reads what is held, make nothing fresh, however lately they happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from longwave.pipelines.sources import SOURCES, SourceSpec

_DAYS = {"weekly": 7, "monthly": 31, "yearly": 366}
LATE = 2  # cycles without an accepted or repeated answer


@dataclass(frozen=True)
class Freshness:
    """State of a source's answers: `last_asked`, a word, the day it is due next, and the first day on which it was late."""

    last_asked: str
    word: str
    next_due: str
    late_since: date | None = None


def cycle_of(spec: SourceSpec) -> timedelta | None:
    """How long a source may rest between two questions; None where it is not asked."""
    return timedelta(days=_DAYS[spec.refresh]) if spec.endpoints and spec.refresh in _DAYS else None


def freshness(spec: SourceSpec, seen: Mapping[str, Any] | None, today: date) -> Freshness:
    """Freshness of one source.

    Args:
        spec: the source.
        seen: its row of `longwave.warehouse.answers.sightings`, None where it was never asked.
        today: the day it is judged on.

    Returns:
        The word is `ended`, `never asked`, `refused`, `fresh` or `stale` (no answer for two cycles). `late_since` is there
        whenever the last answer is that old, refused or not.

    """
    cycle = cycle_of(spec)
    if cycle is None:
        return Freshness("–", "ended", "–")
    last = seen["last_asked"].date() if seen and seen["last_asked"] else None
    if seen is None or last is None:
        return Freshness("never", "never asked", f"{spec.refresh}, now due")
    late = last + LATE * cycle + timedelta(days=1)
    word = "refused" if seen["status"] == "refused" else "stale" if today >= late else "fresh"
    return Freshness(str(last), word, str(max(last + cycle, today)), late if today >= late else None)


def late_sources(seen: Mapping[str, Mapping[str, Any]], today: date) -> dict[str, Freshness]:
    """The sources whose last answer is older than two of their cycles, by name.

    Args:
        seen: rows of `longwave.warehouse.answers.sightings`, by source.
        today: the day they are judged on.

    """
    states = {spec.source: freshness(spec, seen.get(spec.source), today) for spec in SOURCES.values()}
    return {source: state for source, state in states.items() if state.late_since is not None}
