"""What the soak shares: where its figures go, and the publisher on loopback of the tests of capture."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest
import runs_disturbed as runs

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
    folder = Path(os.environ.get("LONGWAVE_SOAK_RESULTS") or Path(__file__).parent / "results")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A home whose run nothing disturbed, the seconds of its steps, in order, and until the first was done."""
    home = tmp_path_factory.mktemp("undisturbed") / "home"
    return (home, *runs.undisturbed_run(home))
