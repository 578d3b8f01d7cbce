"""What every command prints with, where its files go, and where a run's summary goes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import typer
from longwave.warehouse.home import Home
from rich.console import Console


def console_of() -> Console:
    """A console without highlighting or wrapping: what it prints can be piped."""
    return Console(highlight=False, soft_wrap=True, markup=False)


def plain_console() -> Console:
    """A console that takes no text of a user's file for mark-up or emoji, and does not break what is piped."""
    return Console(
        highlight=False, markup=False, emoji=False, soft_wrap=True, width=None if sys.stdout.isatty() else 200
    )


def check_out(out: Path | None, option: str, file: Path | None) -> None:
    """Refuse a place that nothing can be written to, or the file to be read, before anything is computed."""
    if out is None:
        return
    if out.is_dir():
        raise typer.BadParameter(f"{out} is a folder; name a file", param_hint=option)
    if not out.expanduser().parent.is_dir():
        raise typer.BadParameter(f"there is no folder {out.parent}; make it first", param_hint=option)
    if file is not None and out.exists() and file.exists() and out.samefile(file):
        raise typer.BadParameter(f"{out} is the file to be read; it would be overwritten", param_hint=option)


def write_out(out: Path, text: str, option: str) -> None:
    """Write what an option asked for; wrong usage where it cannot be written."""
    try:
        out.expanduser().write_text(text, encoding="utf-8")
    except OSError as error:
        raise typer.BadParameter(f"cannot write {out}: {error.strerror or error}", param_hint=option) from None


def write_summary(home: Home, run: str, summary: dict[str, Any]) -> Path:
    """Put a run's summary into `runs/`; returns the file."""
    path = home.runs / f"{run}.json"
    path.write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def outcome_of(step: Any) -> str:
    """How refreshing a source came out, from its step; empty for a step that is no source."""
    return str(step.metadata.get("outcome", {}).get("outcome", ""))
