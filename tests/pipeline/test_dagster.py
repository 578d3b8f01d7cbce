"""What Dagster sees: a clean code location, described assets, few checks, and what the last run left in its log."""

import shutil
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
import yaml
from longwave.pipelines.assets import ALL_ASSETS, FINDING_ASSETS
from longwave.pipelines.definitions import defs
from longwave.pipelines.sources import SOURCES

MODULE = "longwave.pipelines.definitions"
DAGSTER = [sys.executable, "-m", "dagster"]
SITE = dg.AssetKey(["site"])


@pytest.fixture(scope="module")
def definitions():
    return defs if isinstance(defs, dg.Definitions) else defs()


@pytest.fixture(scope="module")
def specs(definitions):
    return list(definitions.resolve_all_asset_specs())


@pytest.fixture
def instance(full_home, tmp_path):
    """The instance that the real run wrote to, from a copy: opening it may write."""
    copy = tmp_path / "dagster"
    shutil.copytree(full_home.home / "dagster", copy)
    with dg.DagsterInstance.from_config(str(copy)) as opened:
        yield opened


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ([*DAGSTER, "definitions", "validate", "-m", MODULE], "Validation successful"),
        ([*DAGSTER, "schedule", "list", "-m", MODULE], "monthly"),
        ([str(Path(sys.executable).with_name("dg")), "list", "defs"], "sources/owid_technology_diffusion"),
    ],
    ids=["dagster definitions validate", "dagster schedule list", "dg list defs"],
)
def test_dagsters_own_commands_are_content(clean_environment, root, tmp_path, command, said):
    (tmp_path / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    made = subprocess.run(
        command,
        env=clean_environment(tmp_path / "home", DAGSTER_HOME=tmp_path, COLUMNS=300),
        cwd=root if "defs" in command else tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    assert said in made.stdout + made.stderr
    assert "Traceback" not in made.stdout + made.stderr


def test_every_asset_is_described(specs):
    assert len(specs) == len(ALL_ASSETS) == len(SOURCES) + len(FINDING_ASSETS) + 3
    for spec in specs:
        assert spec.description, spec.key
        assert len(spec.description.split()) > 4, spec.key
        assert spec.owners == ["team:longwave"], spec.key
        assert spec.group_name in {"world", "sources", "findings", "claims", "publish"}, spec.key
        assert spec.kinds, spec.key


def test_every_source_has_its_asset_and_one_check_that_stops_no_other(definitions, specs):
    """A founding fact that is refused fails its step; an answer that is refused leaves yesterday's figures, and they go on."""
    assert {spec.key.path[-1] for spec in specs if spec.group_name == "sources"} == set(SOURCES)
    graph = definitions.resolve_asset_graph()
    checks = list(graph.asset_check_keys)
    assert {key.asset_key.path[-1] for key in checks} == set(SOURCES)
    assert len(checks) <= 60
    assert not any(graph.get_check_spec(key).blocking for key in checks)


def test_everything_leads_to_the_site(definitions, specs):
    graph = definitions.resolve_asset_graph()
    above, queue = set(), [SITE]
    while queue:
        key = queue.pop()
        parents = set(graph.get(key).parent_keys) - above
        above |= parents
        queue += parents
    used = {spec.key for spec in specs if spec.group_name != "sources"} - {SITE}
    assert used <= above
    assert {dg.AssetKey(["sources", name]) for name in ("hccta", "worldbank_datahub")} <= above


def test_the_main_job_is_scheduled_each_month_after_the_sources_are_asked(definitions):
    schedules = {schedule.name: schedule for schedule in definitions.schedules}
    schedule = schedules.pop("monthly")
    minute, hour, day, month, weekday = schedule.cron_schedule.split()
    assert minute.isdigit()
    assert hour.isdigit()
    assert day.isdigit()
    assert (month, weekday) == ("*", "*")
    assert schedule.job_name == "run"
    asked = {}
    for name, other in schedules.items():
        assert other.job_name == name
        for key in definitions.resolve_job_def(name).asset_layer.executable_asset_keys:
            asked.setdefault(key.path[-1], []).append(name.removeprefix("refresh_"))
    declared = {spec.source: [spec.refresh] for spec in SOURCES.values() if spec.endpoints and spec.refresh != "never"}
    assert asked == declared
    assert int(schedules["refresh_monthly"].cron_schedule.split()[2]) < int(day)


def test_the_instance_tells_nobody_and_runs_one_at_a_time(full_home):
    settings = yaml.safe_load((full_home.home / "dagster" / "dagster.yaml").read_text())
    assert settings["telemetry"]["enabled"] is False
    assert settings["nux"]["enabled"] is False
    assert settings["concurrency"]["runs"]["max_concurrent_runs"] == 1


def test_the_last_materialisations_say_how_many_rows(instance, specs, query, full_home):
    counts = {}
    for spec in specs:
        event = instance.get_latest_materialization_event(spec.key)
        assert event is not None, spec.key
        metadata = event.asset_materialization.metadata
        counts[spec.key.to_user_string()] = metadata["dagster/row_count"].value
        tables = [value for value in metadata.values() if isinstance(value, dg.MarkdownMetadataValue)]
        assert tables or spec.key == SITE, spec.key
    rows = query(full_home.home, "select source, sum(n_rows)::integer n from captures group by 1")
    # A source that was never asked holds nothing yet.
    assert {asset for asset, count in counts.items() if not count} == {
        f"sources/{source}" for source in set(SOURCES) - {row["source"] for row in rows}
    }
    assert {f"sources/{row['source']}": row["n"] for row in rows}.items() <= counts.items()


def test_every_check_of_the_last_run_passed(instance):
    (record,) = instance.get_run_records()
    assert record.dagster_run.status is dg.DagsterRunStatus.SUCCESS
    assert len(evaluations(instance, record)) == len(SOURCES)
    assert all(evaluation.passed for evaluation in evaluations(instance, record))


def evaluations(instance, record):
    log = instance.all_logs(record.dagster_run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    return [entry.dagster_event.event_specific_data for entry in log]


def test_a_refused_source_is_a_failed_check_in_the_log(longwave, home_copy, founding):
    path = founding / "grapher_broadband" / "2022-04-08.broadband.csv"
    path.write_text(path.read_text().replace("AFG,,2004,", "QQQ,,2004,"))
    assert longwave(["run"], home_copy, LONGWAVE_FOUNDING=founding).returncode == 1
    with dg.DagsterInstance.from_config(str(home_copy / "dagster")) as instance:
        newest, *_ = instance.get_run_records()
        assert newest.dagster_run.status is dg.DagsterRunStatus.FAILURE
        failed = [evaluation for evaluation in evaluations(instance, newest) if not evaluation.passed]
        planned = instance.get_latest_materialization_event(SITE).run_id
    (check,) = failed
    assert check.asset_key == dg.AssetKey(["sources", "grapher_broadband"])
    assert check.check_name == "accepted"
    assert "2022-04-08.broadband.csv" in check.metadata["known codes"].value
    # Nothing after it ran.
    assert planned != newest.dagster_run.run_id
