"""What the soak shares: the commit its figures are of, and the publisher on loopback of the tests of capture."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("publisher", Path(__file__).parents[1] / "capture" / "conftest.py")
_publisher = importlib.util.module_from_spec(_spec)
sys.modules["publisher"] = _publisher
_spec.loader.exec_module(_publisher)
server, mirror, reply, quick, fetcher = (
    getattr(_publisher, name) for name in ("server", "mirror", "reply", "quick", "fetcher")
)


@pytest.fixture(scope="session")
def results():
    """Where figures are written: beside the soak, or in LONGWAVE_SOAK_RESULTS, for runs whose figures nobody quotes."""
    return Path(os.environ.get("LONGWAVE_SOAK_RESULTS") or Path(__file__).parent / "results")


@pytest.fixture(scope="session")
def commit(root):
    """The commit of the code that runs, marked where it is not all of it; the results are no code."""
    run = {"cwd": root, "capture_output": True, "text": True, "check": True}
    head = subprocess.run(["git", "rev-parse", "HEAD"], **run).stdout.strip()
    changed = subprocess.run(["git", "status", "--porcelain", "-uno", "--", ".", ":!tests/soak/results"], **run).stdout
    return f"{head}-dirty" if changed else head
