"""Ten weeks of schedules, four sources: the whole year is in the soak."""

import dagster as dg
import made_year
import pytest
from longwave.pipelines.definitions import defs

SOME = ["statcounter_social_gb", "statcounter_social_kr", "statcounter_social_us", "wikipedia_youtube"]


@pytest.fixture
def world(home, server, fetcher, tmp_path):
    return made_year.made.World(home, server, fetcher, made_year.made.empty_founding(tmp_path / "founding"))


def test_ten_weeks_of_schedules_captures_tells_and_finds_exactly_what_it_should(world, reply, monkeypatch):
    definitions = defs if isinstance(defs, dg.Definitions) else defs()
    year = made_year.Year(world, reply, monkeypatch, definitions, SOME)
    for time, cycle in year.ticks(70):
        year.tick(time, cycle)
    year.ends_well()
    assert set(year.outcomes) == {"changed", "unchanged", "refused", "failed"}
    assert [alert[1:] for alert in year.alerts] == [
        ("begun", "refused capture/statcounter_social_us"),
        ("over", "refused capture/statcounter_social_us"),
        ("begun", "stale source/statcounter_social_kr"),
    ]
