"""A year of the refresh schedules over every source that can be asked, the clock set forward from tick to tick.

Sources grow, fail, vanish, are refused and come back by the script of `tests/capture/made_year.py`; captures, alerts and runs
of what follows must be exactly those that its bookkeeping works out, and the archive grow by what was served anew. Writes
`results/year.json`.
"""

import json
import time

import dagster as dg
import made_year
import pytest
from longwave.pipelines.definitions import defs

DAYS = 365


@pytest.fixture
def world(home, server, fetcher, tmp_path):
    return made_year.made.World(home, server, fetcher, made_year.made.empty_founding(tmp_path / "founding"))


def test_a_year_of_schedules_captures_tells_and_finds_exactly_what_it_should(
    world, reply, monkeypatch, results, commit
):
    definitions = defs if isinstance(defs, dg.Definitions) else defs()
    year = made_year.Year(world, reply, monkeypatch, definitions, made_year.twice.ASKED)
    started, ticks = time.monotonic(), year.ticks(DAYS)
    for tick in ticks:
        year.tick(*tick)
    year.ends_well()
    result = {
        "days": DAYS,
        "ticks": len(ticks),
        "sources": len(year.sources),
        "outcomes": dict(year.outcomes),
        "alerts": year.alerts,
        "runs_of_what_follows": len(year.runs),
        "archive_bytes": year.bytes(),
        "bytes_served_anew_compressed": year.kept,
        "warehouse_bytes": world.home.warehouse.stat().st_size,
        "seconds": round(time.monotonic() - started),
        "commit": commit,
    }
    (results / "year.json").write_text(json.dumps(result, indent=2) + "\n")
    assert set(year.outcomes) == {"changed", "unchanged", "refused", "failed", "read anew"}
    assert len(year.runs) < len(ticks)
