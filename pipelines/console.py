"""What every command prints with, and where a run's summary goes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from longwave.warehouse.home import Home
from rich.console import Console


def console_of() -> Console:
    """A console without highlighting or wrapping: what it prints can be piped."""
    return Console(highlight=False, soft_wrap=True, markup=False)


def write_summary(home: Home, run: str, summary: dict[str, Any]) -> Path:
    """Put a run's summary into `runs/`; returns the file."""
    path = home.runs / f"{run}.json"
    path.write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def outcome_of(step: Any) -> str:
    """How refreshing a source came out, from its step; empty for a step that is no source."""
    return str(step.metadata.get("outcome", {}).get("outcome", ""))
