"""Killed in each stage of a refresh, and a disk that fills: the next refresh ends where an undisturbed one does."""

import os
import signal

import killed_refresh as killed
import made_world as made
import pytest
from longwave.pipelines.sources import SOURCES
from longwave.warehouse.home import Home


@pytest.fixture
def worlds(server, tmp_path, clean_environment, fetcher, monkeypatch):
    monkeypatch.setitem(SOURCES, "made", made.SPEC)
    return killed.Worlds(server, tmp_path, clean_environment, fetcher)


def revised():
    return made.table(lambda rows: [[e, c, y, "16.8" if (c, y) == ("IRQ", "2015") else s] for e, c, y, s in rows])


@pytest.mark.parametrize("stage", killed.STAGES)
def test_a_refresh_killed_in_any_stage_loses_nothing(worlds, fetcher, stage):
    """The second answer revises a figure; the process that brings it is killed, and the next one asks on the same day."""
    home, undisturbed = Home(worlds.folder / "home"), Home(worlds.folder / "undisturbed")
    worlds.serve(made.GOOD)
    for each in (home, undisturbed):
        assert worlds.refresh(each, 1) == ["changed"]
    before = killed.state(home, worlds.server, fetcher, worlds.founding)
    worlds.serve(revised())
    dead = worlds.disturbed(home.root, 10, stage)
    assert dead.returncode == -signal.SIGKILL, dead.stderr
    worlds.refresh(home, 10)
    assert worlds.refresh(undisturbed, 10) == ["changed"]
    wanted = killed.state(undisturbed, worlds.server, fetcher, worlds.founding)
    assert killed.state(home, worlds.server, fetcher, worlds.founding) == wanted != before
    assert worlds.refresh(home, 11) == ["unchanged"]


def test_a_disk_that_fills_leaves_yesterdays_figures(worlds, fetcher):
    """Files may not grow beyond the warehouse as it is; the answer's bytes do not compress below that."""
    home = Home(worlds.folder / "home")
    worlds.serve(made.GOOD)
    worlds.refresh(home, 1)
    before = killed.state(home, worlds.server, fetcher, worlds.founding)
    noise = "".join(f"# {os.urandom(512).hex()}\n" for _ in range(16_000))
    worlds.serve(made.GOOD + noise)
    full = worlds.disturbed(home.root, 10, limit=home.warehouse.stat().st_size + 2**16)
    assert full.returncode == 1, full.stdout
    assert "Traceback" not in full.stderr
    assert "space" in full.stderr or "LONGWAVE_HOME" in full.stderr
    assert killed.state(home, worlds.server, fetcher, worlds.founding) == before
    worlds.serve(made.GOOD)
    assert worlds.refresh(home, 11) == ["unchanged"]


def test_a_read_only_archive_is_a_clear_error(worlds, fetcher):
    home = Home(worlds.folder / "home")
    worlds.serve(made.GOOD)
    worlds.refresh(home, 1)
    before = killed.state(home, worlds.server, fetcher, worlds.founding)
    # A file where the source's folder would be: whoever is root may write into read-only folders.
    (home.archive / "made").rename(home.archive / "aside")
    (home.archive / "made").write_text("in the way")
    result = worlds.disturbed(home.root, 10)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    (home.archive / "made").unlink()
    (home.archive / "aside").rename(home.archive / "made")
    assert killed.state(home, worlds.server, fetcher, worlds.founding) == before
