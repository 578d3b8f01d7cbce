"""Releases: numbered, dated by vintage, made by a changed number or verdict and by nothing else."""

import pytest
from longwave.warehouse.home import Home
from longwave.warehouse.move import export_home, import_home
from longwave.warehouse.releases import record_release, releases
from longwave.warehouse.store import Warehouse, reader


def entry(verdict="undecided", estimate=0.2, caveat="Few series."):
    row = {
        "panel": "radio",
        "role": "primary",
        "measure": "tau_b",
        "n": 9,
        "estimate": estimate,
        "interval": (0.1, 0.3),
    }
    return {"id": "X1", "verdict": verdict, "caveats": [caveat], "by": [row]}


@pytest.fixture
def release(made_home):
    """Record the one claim's entry on a vintage; returns whether that changed anything and what is held then."""

    def record(vintage, **said):
        with Warehouse(made_home) as warehouse:
            about = {"version": "0.0-test", "newest_vintage": vintage, "inputs_digest": vintage}
            changed = record_release(warehouse, [entry(**said)], about)
        with reader(made_home) as con:
            return changed, [(row["number"], row["vintage"], row["claims"][0]["verdict"]) for row in releases(con)]

    record.home = made_home
    return record


def test_a_changed_verdict_or_number_is_a_release_and_nothing_else_is(release):
    first = (1, "2026-01-01", "undecided")
    assert release("2026-01-01") == (True, [first])
    assert release("2026-01-01") == (False, [first])
    assert release("2026-02-01") == (False, [first]), "a new vintage that changes no number"
    assert release("2026-02-01", caveat="Fewer series.") == (True, [first]), "other words: no release, its date is kept"
    second = (2, "2026-02-01", "undecided")
    assert release("2026-02-01", estimate=0.25) == (True, [first, second]), "the same vintage read by other code"
    assert release("2026-03-01", verdict="supported")[1] == [first, second, (3, "2026-03-01", "supported")]
    with reader(release.home) as con:
        assert releases(con)[0]["claims"][0]["caveats"] == ["Fewer series."]


def test_a_move_keeps_them(release, tmp_path):
    release("2026-01-01")
    release("2026-02-01", estimate=0.25)
    export_home(release.home, tmp_path / "moved.tar")
    there = Home(tmp_path / "there")
    import_home(tmp_path / "moved.tar", there)
    with reader(release.home) as here, reader(there) as con:
        assert releases(con) == releases(here)
        assert len(releases(con)) == 2
