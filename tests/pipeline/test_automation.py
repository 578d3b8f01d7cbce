"""What starts by itself: freshness by the sources' cycles, policies, the sensor that runs what a changed capture touches."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest
from longwave.pipelines import automation
from longwave.pipelines.automation import sources_fresh, touched_by
from longwave.pipelines.definitions import defs
from longwave.pipelines.freshness import freshness, late_sources
from longwave.pipelines.house import House
from longwave.pipelines.sources import SOURCES
from longwave.warehouse.answers import Answer, add_answers
from longwave.warehouse.lock import run_lock
from longwave.warehouse.store import Warehouse

DAY = date(2026, 11, 26)
DAYS = {"weekly": 7, "monthly": 31, "yearly": 366}
ASKED = [spec for spec in SOURCES.values() if spec.endpoints and spec.refresh != "never"]


@pytest.fixture(scope="module")
def definitions():
    return defs if isinstance(defs, dg.Definitions) else defs()


@pytest.fixture
def house(made_home, monkeypatch):
    """The installation of the settings: a warehouse that stands, without a capture."""
    monkeypatch.setenv("LONGWAVE_HOME", str(made_home.root))
    return made_home


def answer(source, served, via="direct", status="accepted"):
    return Answer(
        f"{source}@{served:%Y-%m-%d.%H%M%S}#01234567",
        source,
        "",
        None,
        served.date(),
        "capture",
        served,
        via,
        SOURCES[source].url,
        1,
        "0" * 64,
        "0" * 64,
        {"data": "record"},
        status=status,
    )


def keep(home, *answers):
    with Warehouse(home) as warehouse:
        add_answers(warehouse, answers)


@pytest.mark.parametrize(("refresh", "days"), DAYS.items())
def test_a_source_is_stale_after_two_of_its_own_cycles(refresh, days):
    spec = replace(SOURCES["hccta"], refresh=refresh)
    for ago, word in ((0, "fresh"), (2 * days, "fresh"), (2 * days + 1, "stale"), (3 * days, "stale")):
        last = datetime.combine(DAY - timedelta(days=ago), datetime.min.time())
        state = freshness(spec, {"last_asked": last, "status": "accepted"}, DAY)
        assert state.word == word, ago
        late = last.date() + timedelta(days=2 * days + 1)
        assert state.late_since == (late if word == "stale" else None)


def test_a_source_that_is_refused_can_be_late_as_well():
    last = datetime.combine(DAY - timedelta(days=900), datetime.min.time())
    state = freshness(SOURCES["hccta"], {"last_asked": last, "status": "refused"}, DAY)
    assert (state.word, state.late_since is not None) == ("refused", True)


def test_a_past_vintage_brought_today_makes_nothing_fresh(house):
    """Of two sources last asked long ago, one had an old year brought from a web archive today: both are late."""
    long_ago, today = datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC), datetime.now(UTC)
    keep(house, answer("hccta", long_ago), answer("statcounter_social_gb", long_ago))
    keep(house, answer("hccta", datetime(2015, 6, 1, tzinfo=UTC), "web.archive.org"))
    # A capture that the web archive itself made today is still no answer to us.
    keep(house, answer("hccta", today, "web.archive.org"))
    keep(house, answer("wdi", datetime(2015, 6, 1, tzinfo=UTC), "web.archive.org"))
    found = sources_fresh(House())
    assert not found.passed
    assert found.severity is dg.AssetCheckSeverity.WARN
    assert {"hccta", "statcounter_social_gb"} <= set(found.metadata)
    assert "2020-01-02" in found.metadata["hccta"].value
    # Never asked is not late, and not fresh either.
    assert "wdi" not in found.metadata
    assert freshness(SOURCES["wdi"], {"last_asked": None, "status": "accepted"}, DAY).word == "never asked"


def test_answers_of_today_are_fresh_and_an_empty_home_is_no_alarm(house):
    assert sources_fresh(House()).passed
    keep(house, *[answer(spec.source, datetime.now(UTC)) for spec in ASKED])
    found = sources_fresh(House())
    assert found.passed
    assert found.metadata["sources asked"].value == len(ASKED)
    assert late_sources({"hccta": {"last_asked": datetime(2001, 1, 1), "status": "accepted"}}, DAY).keys() == {"hccta"}


def test_policies_follow_from_the_sources_cycles(definitions):
    specs = {spec.key.path[-1]: spec for spec in definitions.resolve_all_asset_specs() if spec.group_name == "sources"}
    for source, spec in SOURCES.items():
        policy = specs[source].freshness_policy
        if spec not in ASKED:
            assert policy is None, source
            continue
        assert policy.warn_window.to_timedelta() == timedelta(days=DAYS[spec.refresh]), source
        assert policy.fail_window.to_timedelta() == 2 * timedelta(days=DAYS[spec.refresh]), source


# --- the sensor


class Daemon:
    """Looks as the daemon does: with the cursor of the look before."""

    def __init__(self, definitions):
        self.definitions, self.cursor = definitions, None
        self.sensor = next(s for s in definitions.sensors if s.name == "changed_captures")
        self.instance = dg.DagsterInstance.ephemeral()

    def look(self):
        """The runs asked for; None where the sensor says why not."""
        context = dg.build_sensor_context(self.instance, cursor=self.cursor, definitions=self.definitions)
        found = self.sensor(context)
        if isinstance(found, dg.SkipReason):
            self.said = found.skip_message
            return []
        self.cursor = found.cursor
        return found.run_requests


@pytest.fixture
def daemon(definitions):
    return Daemon(definitions)


def test_nothing_runs_while_nothing_changes_and_a_change_runs_once(house, daemon, record, definitions):
    """Thirty looks: one run at the first, one for each of the two changes, none at the other twenty-seven."""
    with Warehouse(house) as warehouse:
        record(warehouse, "hccta", "2020-01-01", {("United States", 1950): 1.0})
    runs = []
    for look in range(30):
        if look in (10, 20):
            source = {10: "pew_platforms", 20: "hccta"}[look]
            with Warehouse(house) as warehouse:
                record(warehouse, source, f"20{look}-01-01", {("United States", 1950): float(look)}, tag=str(look))
        runs.append(daemon.look())
    assert [look for look, asked in enumerate(runs) if asked] == [0, 10, 20]
    assert all(len(asked) <= 1 for asked in runs)
    first, pew, hccta = (runs[look][0] for look in (0, 10, 20))
    assert len({first.run_key, pew.run_key, hccta.run_key}) == 3
    # The first look cannot know what was found from what is held; each step's own key does.
    assert first.asset_selection is None
    graph = definitions.resolve_asset_graph()
    for request, source in ((pew, "pew_platforms"), (hccta, "hccta")):
        chosen = set(request.asset_selection)
        below = {
            key
            for key in graph.get_all_asset_keys()
            if dg.AssetKey(["sources", source]) in graph.get_ancestor_asset_keys(key)
            and key.path[0] not in ("sources", "world")
        }
        assert chosen == below
        assert {dg.AssetKey(["claims"]), dg.AssetKey(["site"])} <= chosen
    rest = {key for key in graph.get_all_asset_keys() if key.path[0] == "findings"} - set(pew.asset_selection)
    assert rest, "what does not follow from the source is left alone"


def test_an_old_year_that_arrives_is_a_change_of_what_it_touches(house, daemon, record):
    with Warehouse(house) as warehouse:
        record(warehouse, "hccta", "2020-01-01", {("United States", 1950): 1.0})
    daemon.look()
    with Warehouse(house) as warehouse:
        record(warehouse, "hccta", "2015-01-01", {("United States", 1950): 2.0})
    (request,) = daemon.look()
    assert dg.AssetKey(["findings", "revisions"]) in request.asset_selection
    assert request.tags["longwave/changed"] == "hccta"


def test_the_sensor_waits_for_a_run_and_for_a_first_record(home, house, daemon, monkeypatch):
    def taken(*_):
        raise automation.Busy("somebody else")

    with run_lock(house.lock, 0):
        monkeypatch.setattr(automation, "run_lock", taken)
        assert daemon.look() == []
    assert "under way" in daemon.said
    monkeypatch.setenv("LONGWAVE_HOME", str(home.root / "elsewhere"))
    assert daemon.look() == []
    assert "nothing is recorded" in daemon.said


def test_what_is_touched_leaves_the_sources_alone(definitions):
    graph = definitions.resolve_asset_graph()
    assert {key.path[0] for key in touched_by(sorted(SOURCES), graph)} == {"findings", "claims", "site"}
    assert touched_by([], graph) == []


@pytest.mark.parametrize(("value", "status"), [("", "STOPPED"), ("true", "RUNNING")])
def test_nothing_starts_by_itself_unless_it_is_told_to(monkeypatch, value, status):
    monkeypatch.setenv("LONGWAVE_UNATTENDED", value or "false")
    assert automation.schedule_status().value == status
    sensor = automation.on_changed_captures(dg.define_asset_job("run"))
    assert sensor.default_status.value == status
