"""What long work says while it goes on: a bar on a terminal, plain lines elsewhere, nothing until somebody listens.

Assets run in the process of whoever started the job, so what they say reaches the command line without a channel of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

_listening: list[tuple[Console, Progress | None]] = []
_heard: list[Any] = []


@contextmanager
def listening(console: Console, title: str, total: int) -> Iterator[None]:
    """Print what is said while this lasts; on a terminal under a bar that counts to `total`."""
    bar = None
    if console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        bar = Progress(*columns, console=console, transient=True)
        bar.add_task(title, total=total)
        bar.start()
    _listening.append((console, bar))
    _heard.clear()
    try:
        yield
    finally:
        _listening.pop()
        if bar is not None:
            bar.stop()


def say(line: str) -> None:
    """Tell a line to whoever listens."""
    for console, _ in _listening:
        console.print(f"  {line}", markup=False)


def receiving(url: str, received: int, announced: int | None) -> None:
    """Show how much of an answer has come, under the bar; said nowhere else."""
    of = f" of {announced / 2**20:.1f}" if announced else ""
    for _, bar in _listening:
        if bar is not None:
            host = url.split("/")[2]
            bar.update(bar.task_ids[0], description=f"{host}: {received / 2**20:.1f}{of} MB")


def step_done(line: str, what: Any) -> None:
    """Tell a line, and that one of the things to do is done, with what came of it."""
    say(line)
    _heard.append(what)
    for _, bar in _listening:
        if bar is not None:
            bar.advance(bar.task_ids[0])


def heard() -> list[Any]:
    """What came of everything that was told as done: all there is when a run was interrupted."""
    return list(_heard)
