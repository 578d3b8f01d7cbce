"""A refresh of the made source in a process of its own that dies, or whose files may not grow beyond a size; run as a program.

Killed at a chosen point it dies by itself; with the stage `any` it says on standard output what it has come to, and whoever
started it kills it.
"""

import json
import os
import resource
import signal
import subprocess
import sys
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import made_world as made
from longwave.pipelines import capture, refresh
from longwave.pipelines.fetch import Fetcher
from longwave.pipelines.settings import Settings
from longwave.pipelines.sources import SOURCES
from longwave.warehouse import answers, archive, store
from longwave.warehouse.errors import LongwaveError
from longwave.warehouse.home import Home

STAGES = ["asked", "archived", "decided", "merged", "committing", "committed"]
# Where each is reached: before the function named, or after it.
_BEFORE = {"asked": (capture, "keep"), "committed": (store, "renew_read_copy")}
_AFTER = {
    "archived": (archive.Archive, "append"),
    "decided": (answers, "decide"),
    "merged": (store.Warehouse, "merge_capture"),
}


def _patch(stage, act):
    """Have `act` done where a stage is reached."""
    if stage == "committing":
        _patch_commit(act)
        return
    owner, name = (_BEFORE | _AFTER)[stage]
    plain = getattr(owner, name)

    def before(*args, **kwargs):
        act()
        return plain(*args, **kwargs)

    def after(*args, **kwargs):
        result = plain(*args, **kwargs)
        act()
        return result

    setattr(owner, name, before if stage in _BEFORE else after)


def _patch_commit(act):
    """The first exit belongs to the recovery at the start, the second to the refresh."""
    plain, seen = store.Warehouse.__exit__, []

    def leave(self, *error):
        seen.append(1)
        if len(seen) == 2:
            act()
        return plain(self, *error)

    store.Warehouse.__exit__ = leave


def _die():
    os.kill(os.getpid(), signal.SIGKILL)


def _say(line):
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(stage, day, home, founding, limit):
    """Refresh the made source on a day, and die at a stage."""
    SOURCES["made"] = made.SPEC
    if int(limit):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    now = datetime.fromisoformat(day)
    if stage in STAGES:
        _patch(stage, _die)
    elif stage == "any":
        for each in STAGES:
            _patch(each, partial(_say, each))
        _say("begun")
    with Fetcher(Settings(), now=lambda: now) as fetcher:
        try:
            outcomes = refresh.refresh_sources(Home(Path(home)), Path(founding), ["made"], fetcher, lambda: now)
        except LongwaveError as error:
            sys.stderr.write(f"longwave: {error}\n")
            sys.exit(1)
    _say(json.dumps([outcome.outcome for outcome in outcomes]))


class Worlds:
    """Refreshes against one publisher: in this process, or in one of their own that dies or runs out of space."""

    def __init__(self, server, folder, environment, fetcher):
        self.server, self.folder, self.fetcher = server, folder, fetcher
        asking = {"LONGWAVE_MIRROR": server.url, "LONGWAVE_HOST_INTERVAL": 0, "LONGWAVE_ATTEMPTS": 1}
        self.environment = environment(None, **asking)
        self.founding = made.empty_founding(folder / "founding")

    def serve(self, body):
        self.server.publish(made.URL, body)

    def refresh(self, home, days):
        """What comes of a refresh that nothing disturbs."""
        day = made.FIRST + timedelta(days=days)
        fetcher = self.fetcher(now=lambda: day)
        return [each.outcome for each in refresh.refresh_sources(home, self.founding, ["made"], fetcher, lambda: day)]

    def command(self, home, days, stage="never", limit=0):
        """The program and its arguments."""
        day = (made.FIRST + timedelta(days=days)).isoformat()
        return [sys.executable, __file__, stage, day, str(home), str(self.founding), str(limit)]

    def disturbed(self, home, days, stage="never", limit=0):
        """A refresh in a process of its own, to its end."""
        command = self.command(home, days, stage, limit)
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=200, check=False)


def state(home, server, fetcher, founding):
    """All that a home holds of the source, once nothing is found broken in it."""
    world = made.World(home, server, fetcher, founding)
    assert world.broken() == []
    return world.tables(), [(a.vintage, a.status, a.original_sha256) for a in world.answers() if a.status == "accepted"]


if __name__ == "__main__":
    main(*sys.argv[1:])
