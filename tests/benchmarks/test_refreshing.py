"""What a refresh costs where nothing has changed: 25 sources on a loopback mirror, without the orchestrator and without pauses.

The ratio is to the bare conditional requests, made in the same run.
"""

import importlib.util
import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from longwave.pipelines.fetch import Fetcher
from longwave.pipelines.observe import Held, held_originals
from longwave.pipelines.refresh import refresh_source, refresh_sources
from longwave.pipelines.settings import Settings
from longwave.pipelines.sources import SOURCES
from longwave.pipelines.sources._spec import one_request
from longwave.warehouse.archive import Archive
from longwave.warehouse.founding_files import founding_folder
from longwave.warehouse.home import Home
from longwave.warehouse.store import Warehouse

CAPTURE = Path(__file__).parents[1] / "capture"
OUT = Path(__file__).parents[2] / "var" / "bench"
N_SOURCES = 25
REPEATS = 3


def loaded(name):
    spec = importlib.util.spec_from_file_location(f"bench_{name}", CAPTURE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def publisher(monkeypatch):
    """25 sources, each a table of 96 rows with an ETag, and the server that gives them."""
    conftest, made = loaded("conftest"), loaded("made_world")
    server = conftest.Server()
    names = [f"bench_{nth:02}" for nth in range(N_SOURCES)]
    for name in names:
        url = f"https://{name.replace('_', '-')}.example.org/made.csv"
        host = (f"{name.replace('_', '-')}.example.org",)
        spec = replace(made.SPEC, source=name, url=url, allowed_hosts=host, endpoints=one_request(url, "csv"))
        monkeypatch.setitem(SOURCES, name, spec)
        server.publish(url, conftest.Reply(made.GOOD, etag=f'"{name}"'))
    yield SimpleNamespace(server=server, names=names, made=made)
    server.stop()


def founded(home):
    """A home with the founding facts in it: a warehouse of real size, which each change copies for the readers."""
    rows, archive = held_originals(founding_folder()), Archive(home.archive)
    for source in sorted({row.source for row in rows}):
        held = Held(founding_folder(), [row for row in rows if row.source == source], archive)
        with Warehouse(home) as warehouse:
            refresh_source(warehouse, SOURCES[source], held, None)
    return home


def test_a_refresh_of_25_unchanged_sources(publisher, tmp_path):
    home, founding = founded(Home(tmp_path / "home")), publisher.made.empty_founding(tmp_path / "founding")
    settings = Settings(mirror=publisher.server.url, host_interval=0.0)
    day, seconds, bare = datetime(2025, 3, 1, tzinfo=UTC), [], []
    for nth in range(1 + REPEATS):
        day += timedelta(days=1)
        started = time.perf_counter()
        with Fetcher(settings, now=lambda now=day: now) as fetcher:
            outcomes = refresh_sources(home, founding, publisher.names, fetcher, lambda now=day: now)
        seconds.append(time.perf_counter() - started)
        assert {outcome.outcome for outcome in outcomes} == {"changed" if nth == 0 else "unchanged"}
        started = time.perf_counter()
        for name in publisher.names:
            target = f"{publisher.server.url}/{name.replace('_', '-')}.example.org/made.csv"
            assert httpx.get(target, headers={"If-None-Match": f'"{name}"'}, trust_env=False).status_code == 304
        bare.append(time.perf_counter() - started)
    unchanged = sorted(seconds[1:])[len(seconds[1:]) // 2]
    result = {
        "sources": N_SOURCES,
        "warehouse_bytes": home.warehouse.stat().st_size,
        "first_seconds": round(seconds[0], 2),
        "unchanged_seconds": round(unchanged, 2),
        "bare_requests_seconds": round(sorted(bare[1:])[len(bare[1:]) // 2], 2),
        "ratio": round(unchanged / sorted(bare[1:])[len(bare[1:]) // 2], 1),
    }
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "refreshing.json").write_text(json.dumps(result, indent=2) + "\n")
    print(
        f"\nrefresh of {N_SOURCES} unchanged sources: {result['unchanged_seconds']} s ({result['ratio']} × bare requests)"
    )
