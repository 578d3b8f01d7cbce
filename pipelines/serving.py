"""The Dagster UI and the site, both served on this machine for as long as `longwave ui` runs.

The UI links every asset to its page, which a page from disk could not be: browsers follow no link from http to a file.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from longwave.pipelines.engine import prepare_dagster
from longwave.pipelines.settings import Settings

LOOPBACK = "127.0.0.1"
# Dagster recommends its development tool instead, which is no part of an installation.
_QUIET = "ignore:Function `dev_command` is superseded"


class _Pages(SimpleHTTPRequestHandler):
    """Files of a folder, without a line for each that is asked for."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def site_served(site: Path, port: int) -> Iterator[str]:
    """Serve a site, there or not yet, on this machine; give its address. A port that is taken is replaced by a free one."""
    handler = partial(_Pages, directory=str(site))
    try:
        server = ThreadingHTTPServer((LOOPBACK, port), handler)
    except OSError:
        server = ThreadingHTTPServer((LOOPBACK, 0), handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def serve_ui(host: str, port: int) -> int:
    """Run the Dagster UI until it ends, and the site beside it on the next port; return the UI's exit code."""
    settings = Settings()
    home = settings.house().prepare()
    prepare_dagster(home)
    command = [
        sys.executable,
        "-m",
        "dagster",
        "dev",
        "-m",
        "longwave.pipelines.definitions",
        "-h",
        host,
        "-p",
        str(port),
    ]
    with site_served(home.site, port + 1) as address:
        served = settings.site_url or address
        sys.stderr.write(f"longwave: the UI at http://{host}:{port}, the site at {served}/\n")
        warned = ",".join(filter(None, (os.environ.get("PYTHONWARNINGS"), _QUIET)))
        environment = {**os.environ, "LONGWAVE_SITE_URL": served, "PYTHONWARNINGS": warned}
        with subprocess.Popen(command, env=environment) as process:  # noqa: S603 our own interpreter
            _forward(process)
            return process.wait()


def _forward(process: subprocess.Popen[bytes]) -> None:
    """Hand on what should end the UI; a Ctrl-C at a terminal reaches it by itself."""

    def hand_on(number: int, _frame: object) -> None:
        if number != signal.SIGINT or not sys.stdin.isatty():
            process.send_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, hand_on)
