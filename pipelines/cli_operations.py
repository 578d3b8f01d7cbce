"""The commands of whoever keeps an installation: prune, ui.

Registered on the one command line (`longwave.pipelines.cli`), whose contract they follow.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer
from longwave.pipelines.console import console_of
from longwave.pipelines.settings import Settings

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def prune(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be forgotten and how many bytes; remove nothing.")
    ] = False,
) -> None:
    """Forget Dagster's records of runs older than LONGWAVE_KEEP_DAYS (90), and what killed runs left half-made.

    Captures, figures, the site and the summaries in runs/ are never touched, nor the newest run that made an asset.
    """
    from longwave.pipelines.prune import prune as forget
    from longwave.warehouse.lock import run_lock

    settings, console = Settings(), console_of()
    home = settings.house()
    if not home.root.is_dir():
        console.print(f"nothing to forget: {home.root} is not there yet")
        return
    with run_lock(home.lock, settings.wait):
        found = forget(home, settings.keep_days, datetime.now(UTC), dry_run=dry_run)
    for each in found:
        console.print(f"  {each.what}: {each.size} bytes", markup=False)
    word = "would be forgotten" if dry_run else "forgotten"
    console.print(f"{len(found)} {word}, {sum(each.size for each in found)} bytes")


def ui(
    host: Annotated[str, typer.Option(help="Address to bind to.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 3000,
    open_to_network: Annotated[
        bool,
        typer.Option("--open-to-network", help="Allow another --host than this machine: the UI has no login."),
    ] = False,
) -> None:
    """The Dagster UI on 127.0.0.1.

    It shows every source, finding and claim as an asset, with its rows, vintages and checks, and every run, whoever
    started it. Runs until Ctrl-C.
    """
    from longwave.pipelines.engine import prepare_dagster

    if host not in _LOOPBACK:
        if not open_to_network:
            raise typer.BadParameter(
                f"{host} is not this machine, and the UI has no login: whoever reaches it can start runs. If something in "
                "front of it asks who they are, add --open-to-network",
                param_hint="--host",
            )
        sys.stderr.write(
            f"longwave: the UI is open to whoever reaches {host}:{port}; it has no login, and shows and starts every run\n"
        )
        sys.stderr.flush()
    prepare_dagster(Settings().house().prepare())
    command = ["-m", "dagster", "dev", "-m", "longwave.pipelines.definitions", "-h", host, "-p", str(port)]
    os.execv(sys.executable, [sys.executable, *command])  # noqa: S606
