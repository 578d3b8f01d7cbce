"""Killed in each stage of a refresh, and a disk that fills: the next refresh ends where an undisturbed one does."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import made_world as made
import pytest
from longwave.pipelines.refresh import refresh_sources
from longwave.pipelines.sources import SOURCES
from longwave.warehouse.home import Home

_path = Path(__file__).with_name("made_world.py")

# A process that refreshes the made source and dies at a chosen point, or whose files may not grow beyond a size.
CHILD = """
import importlib.util, json, os, resource, signal, sys
from datetime import datetime
from pathlib import Path

stage, day, home, founding, world, limit = sys.argv[1:]
spec = importlib.util.spec_from_file_location("made_world", world)
made = importlib.util.module_from_spec(spec)
spec.loader.exec_module(made)

from longwave.pipelines import capture, observe, refresh
from longwave.pipelines.fetch import Fetcher
from longwave.pipelines.settings import Settings
from longwave.pipelines.sources import SOURCES
from longwave.warehouse import answers, archive, store
from longwave.warehouse.errors import LongwaveError
from longwave.warehouse.home import Home

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def then_die(function):
    def wrapped(*args, **kwargs):
        function(*args, **kwargs)
        die()
    return wrapped

def patch(owner, name, replacement):
    setattr(owner, name, replacement(getattr(owner, name)))

POINTS = {
    "asked": lambda: patch(capture, "keep", lambda _: die),
    "archived": lambda: patch(archive.Archive, "append", then_die),
    "decided": lambda: patch(answers, "decide", then_die),
    "merged": lambda: patch(store.Warehouse, "merge_capture", then_die),
    "committing": lambda: patch(store.Warehouse, "__exit__", lambda _: die),
    "committed": lambda: patch(store, "renew_read_copy", lambda _: die),
    "never": lambda: None,
}
SOURCES["made"] = made.SPEC
if int(limit):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
now = datetime.fromisoformat(day)
with Fetcher(Settings(), now=lambda: now) as fetcher:
    if stage != "committing":
        POINTS[stage]()
    try:
        if stage == "committing":
            # The first exit belongs to the recovery at the start, the second to the refresh.
            plain, seen = store.Warehouse.__exit__, []
            def second(self, *error):
                seen.append(1)
                return plain(self, *error) if len(seen) == 1 else die()
            store.Warehouse.__exit__ = second
        outcomes = refresh.refresh_sources(Home(Path(home)), Path(founding), ["made"], fetcher, lambda: now)
    except LongwaveError as error:
        print(f"longwave: {error}", file=sys.stderr)
        sys.exit(1)
print(json.dumps([outcome.outcome for outcome in outcomes]))
"""
STAGES = ["asked", "archived", "decided", "merged", "committing", "committed"]


class Worlds:
    """Refreshes against one publisher: in this process, or in one of their own that dies or runs out of space."""

    def __init__(self, server, folder, environment, fetcher):
        self.server, self.folder, self.fetcher = server, folder, fetcher
        self.environment = environment(None, LONGWAVE_MIRROR=server.url, LONGWAVE_HOST_INTERVAL=0, LONGWAVE_ATTEMPTS=1)
        self.founding = made.empty_founding(folder / "founding")

    def serve(self, body):
        self.server.publish(made.URL, body)

    def refresh(self, home, days):
        """What comes of a refresh that nothing disturbs."""
        day = made.FIRST + timedelta(days=days)
        fetcher = self.fetcher(now=lambda: day)
        return [each.outcome for each in refresh_sources(home, self.founding, ["made"], fetcher, lambda: day)]

    def disturbed(self, home, days, stage="never", limit=0):
        day = (made.FIRST + timedelta(days=days)).isoformat()
        values = [stage, day, str(home), str(self.founding), str(_path), str(limit)]
        command = [sys.executable, "-c", CHILD, *values]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=200, check=False)


@pytest.fixture
def worlds(server, tmp_path, clean_environment, fetcher, monkeypatch):
    monkeypatch.setitem(SOURCES, "made", made.SPEC)
    return Worlds(server, tmp_path, clean_environment, fetcher)


def revised():
    return made.table(lambda rows: [[e, c, y, "16.8" if (c, y) == ("IRQ", "2015") else s] for e, c, y, s in rows])


def state(home, server, fetcher, founding):
    world = made.World(home, server, fetcher, founding)
    assert world.broken() == []
    return world.tables(), [(a.vintage, a.status, a.original_sha256) for a in world.answers() if a.status == "accepted"]


@pytest.mark.parametrize("stage", STAGES)
def test_a_refresh_killed_in_any_stage_loses_nothing(worlds, fetcher, stage):
    """The second answer revises a figure; the process that brings it is killed, and the next one asks on the same day."""
    home, undisturbed = Home(worlds.folder / "home"), Home(worlds.folder / "undisturbed")
    worlds.serve(made.GOOD)
    for each in (home, undisturbed):
        assert worlds.refresh(each, 1) == ["changed"]
    before = state(home, worlds.server, fetcher, worlds.founding)
    worlds.serve(revised())
    killed = worlds.disturbed(home.root, 10, stage)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    worlds.refresh(home, 10)
    assert worlds.refresh(undisturbed, 10) == ["changed"]
    wanted = state(undisturbed, worlds.server, fetcher, worlds.founding)
    assert state(home, worlds.server, fetcher, worlds.founding) == wanted != before
    assert worlds.refresh(home, 11) == ["unchanged"]


def test_a_disk_that_fills_leaves_yesterdays_figures(worlds, fetcher):
    """Files may not grow beyond the warehouse as it is; the answer's bytes do not compress below that."""
    home = Home(worlds.folder / "home")
    worlds.serve(made.GOOD)
    worlds.refresh(home, 1)
    before = state(home, worlds.server, fetcher, worlds.founding)
    noise = "".join(f"# {os.urandom(512).hex()}\n" for _ in range(16_000))
    worlds.serve(made.GOOD + noise)
    full = worlds.disturbed(home.root, 10, limit=home.warehouse.stat().st_size + 2**16)
    assert full.returncode == 1, full.stdout
    assert "Traceback" not in full.stderr
    assert "space" in full.stderr or "LONGWAVE_HOME" in full.stderr
    assert state(home, worlds.server, fetcher, worlds.founding) == before
    worlds.serve(made.GOOD)
    assert worlds.refresh(home, 11) == ["unchanged"]


def test_a_read_only_archive_is_a_clear_error(worlds, fetcher):
    home = Home(worlds.folder / "home")
    worlds.serve(made.GOOD)
    worlds.refresh(home, 1)
    before = state(home, worlds.server, fetcher, worlds.founding)
    # A file where the source's folder would be: whoever is root may write into read-only folders.
    (home.archive / "made").rename(home.archive / "aside")
    (home.archive / "made").write_text("in the way")
    result = worlds.disturbed(home.root, 10)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    (home.archive / "made").unlink()
    (home.archive / "aside").rename(home.archive / "made")
    assert state(home, worlds.server, fetcher, worlds.founding) == before
