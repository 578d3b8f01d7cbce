"""`longwave refresh`, `sources --probe`, `verify`, `export`, `import` against a loopback mirror."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import duckdb
import made_world as made
import pytest
from longwave.pipelines.sources import SOURCES
from longwave.warehouse.archive import Archive

EXCERPTS = Path(__file__).parents[1] / "readers" / "excerpts"
HCCTA = (EXCERPTS / "hccta.txt").read_bytes()
# Cut inside its last figure, 231935409.5.
CUT = HCCTA.rstrip(b"\r\n")[:-1]
URL = "https://www.nber.org/hccta/hcctad.txt"


class Command:
    """The command line with everything it asks sent to a loopback server."""

    def __init__(self, run, server, home, founding):
        self.run, self.server, self.home = run, server, home
        self.settings = {
            "LONGWAVE_MIRROR": server.url,
            "LONGWAVE_HOST_INTERVAL": 0,
            "LONGWAVE_ATTEMPTS": 1,
            "LONGWAVE_FOUNDING": founding,
        }

    def __call__(self, *args, **env):
        return self.run(args, self.home, **(self.settings | env))

    def summary(self, said):
        return json.loads(Path(said.stdout.partition("summary: ")[2].splitlines()[0]).read_text())


@pytest.fixture
def command(inside, server, tmp_path):
    return Command(inside, server, tmp_path / "home", made.empty_founding(tmp_path / "founding"))


def test_refresh_says_what_came_of_each_source_and_verifies(command, reply):
    command.server.publish(URL, reply(HCCTA, type="text/plain", etag='"1"'))
    first = command("refresh", "hccta")
    assert (first.returncode, first.stderr) == (0, "")
    assert "hccta: changed: " in first.stdout
    assert "1 sources: 1 changed" in first.stdout
    (row,) = command.summary(first)["sources"]
    assert (row["source"], row["outcome"], row["requests"]) == ("hccta", "changed", 1)
    time.sleep(1.0 - time.time() % 1.0)  # the same bytes within the same second are one answer
    again = command("refresh", "hccta")
    assert "hccta: unchanged" in again.stdout
    checked = command("verify")
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "1 captures and 6 archived records verified" in checked.stdout
    fast = command("verify", "--fast")
    assert "passed over" in fast.stdout
    shown = command("sources")
    (line,) = [line for line in shown.stdout.splitlines() if line.startswith("hccta ")]
    assert "fresh" in line


def test_a_dry_run_says_what_it_would_ask_and_writes_nothing(command):
    said = command("refresh", "hccta", "wdi", "--dry-run")
    assert said.returncode == 0
    assert f"hccta: data: GET {URL} (for the first time)" in said.stdout
    assert len([line for line in said.stdout.splitlines() if line.startswith("wdi: data: GET")]) == len(
        SOURCES["wdi"].endpoints
    )
    assert command.server.asked == []
    assert not command.home.exists()


def test_a_failure_is_exit_1_and_its_summary_is_retried(command, reply):
    command.server.publish(URL, reply("busy", status=503))
    failed = command("refresh", "hccta", "statcounter_social_gb")
    assert failed.returncode == 1
    assert "hccta: failed: " in failed.stdout
    assert "503" in failed.stdout
    path = failed.stdout.partition("--retry ")[2].strip()
    assert {row["outcome"] for row in json.loads(Path(path).read_text())["sources"]} == {"failed"}
    command.server.publish(URL, reply(HCCTA, type="text/plain"))
    good = json.loads(Path(path).read_text())
    good["sources"] = good["sources"][:1]
    Path(path).write_text(json.dumps(good))
    retried = command("refresh", "--retry", path)
    assert (retried.returncode, retried.stderr) == (0, "")
    assert "1 sources: 1 changed" in retried.stdout
    assert command(
        "refresh", "--retry", str(command.home / "runs" / f"{command.summary(retried)['run']}.json")
    ).stdout.startswith("nothing to retry")


def test_a_refused_answer_is_exit_1_and_can_be_accepted(command, reply):
    command.server.publish(URL, reply(HCCTA, type="text/plain"), reply(CUT, type="text/plain"))
    assert command("refresh", "hccta").returncode == 0
    refused = command("refresh", "hccta")
    assert refused.returncode == 1
    assert "whole ending" in refused.stdout
    name = refused.stdout.partition("refused: ")[2].partition(":")[0]
    accepted = command("refresh", "--accept", name, "--why", "the publisher says so in its notes")
    assert (accepted.returncode, accepted.stderr) == (0, "")
    rows = command("query", f"select status, decided_by, why from answers where answer = '{name}'", "--format", "csv")
    assert rows.stdout.splitlines()[1] == "accepted,hand,the publisher says so in its notes"


WRONG = {
    "an unknown source": (["refresh", "nobody"], "no source is called nobody"),
    "a source that has ended": (["refresh", "hsus_television"], "nothing to ask"),
    "no reason": (["refresh", "--accept", "x@2024-01-01#12345678"], "both"),
    "an empty reason": (["refresh", "--accept", "x@2024-01-01#12345678", "--why", "  "], "both"),
    "a span of another form": (["refresh", "hccta", "--from-archive", "2012-2024"], "2012..2024"),
    "per month": (["refresh", "hccta", "--from-archive", "2012..2024", "--per", "month"], "--per"),
    "per without an archive": (["refresh", "hccta", "--per", "year"], "--per"),
    "a retry of no summary": (["refresh", "--retry", "pyproject.toml"], "no summary"),
    "live as of a date": (["run", "--live", "--as-of", "2020-01-01"], "by a date"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_usage_is_exit_2_and_says_what_is_right(command, case):
    args, said = WRONG[case]
    result = command(*args)
    assert result.returncode == 2
    # Typer draws a box around its errors and breaks lines in it.
    assert said in " ".join(result.stderr.replace("│", " ").split())
    assert not command.home.exists()


def test_a_mirror_that_is_not_this_machine_is_wrong_usage(command):
    result = command("refresh", "hccta", LONGWAVE_MIRROR="http://mirror.example.org")
    assert result.returncode == 2
    assert "LONGWAVE_MIRROR" in result.stderr


def test_ctrl_c_leaves_everything_consistent(command, reply, clean_environment):
    command.server.publish(URL, reply(HCCTA, type="text/plain"))
    slow = SOURCES["statcounter_social_gb"].endpoints[0].parts[0].url.partition("?")[0].removeprefix("https:/")
    command.server.routes[slow] = reply("Date\n", delay=60)
    process = subprocess.Popen(
        [sys.executable, "-m", "longwave.pipelines.cli", "refresh", "hccta", "statcounter_social_gb"],
        env=clean_environment(command.home, **command.settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not any(target.startswith(slow) for target in command.server.targets) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted: 1 of 2 sources done" in out
    summary = json.loads(next((command.home / "runs").glob("refresh-*.json")).read_text())
    assert [(row["source"], row["outcome"]) for row in summary["sources"]] == [
        ("hccta", "changed"),
        ("statcounter_social_gb", "not reached"),
    ]
    assert command("verify").returncode == 0


def test_a_probe_asks_each_source_once_and_keeps_nothing(command, reply):
    command.server.publish(URL, reply(HCCTA, type="text/plain"))
    result = command("sources", "--probe")
    assert result.returncode == 1
    lines = result.stdout.splitlines()
    (well,) = [line for line in lines if line.startswith("hccta: ")]
    assert "well: " in well
    assert "rows" in well
    assert len(lines) == len([spec for spec in SOURCES.values() if spec.endpoints])
    assert all("404" in line for line in lines if ": not well: " in line)
    assert not (command.home / "archive").exists()


def test_a_flipped_bit_is_named_and_exit_1(command, reply):
    command.server.publish(URL, reply(HCCTA, type="text/plain"))
    command("refresh", "hccta")
    (path,) = Archive(command.home / "archive").files()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    result = command("verify")
    assert result.returncode == 1
    assert f"{path.parent.name}/{path.name}" in result.stdout


def test_an_export_brings_everything_to_another_home(command, reply, tmp_path):
    command.server.publish(URL, reply(HCCTA, type="text/plain"))
    command("refresh", "hccta")
    file = tmp_path / "kept.tar"
    out = command("export", str(file))
    assert (out.returncode, out.stderr) == (0, "")
    first = command.home
    command.home = tmp_path / "other"
    back = command("import", str(file))
    assert (back.returncode, back.stderr) == (0, "")
    assert command("verify").returncode == 0
    sql = "select * from observations order by all"
    with duckdb.connect(str(first / "warehouse.read.duckdb"), read_only=True) as con:
        wanted = con.execute(sql).fetchall()
    with duckdb.connect(str(command.home / "warehouse.read.duckdb"), read_only=True) as con:
        assert con.execute(sql).fetchall() == wanted
    # What a schedule does next: ask again, and nothing has changed.
    assert "1 unchanged" in command("refresh", "hccta").stdout
    again = command("import", str(file))
    assert again.returncode == 1
    assert str(command.home) in again.stderr
    damaged = bytearray(file.read_bytes())
    damaged[len(damaged) // 3] ^= 1
    file.write_bytes(damaged)
    shutil.rmtree(command.home)
    bad = command("import", str(file))
    assert bad.returncode == 1
    assert "nothing was imported" in bad.stderr
    assert not (command.home / "warehouse.duckdb").exists()


def test_a_killed_refresh_is_taken_up_by_the_next(command, reply, clean_environment):
    """Killed while the second source is asked: what the first one gave is there, and the next refresh ends well."""
    command.server.publish(URL, reply(HCCTA, type="text/plain", etag='"1"'))
    slow = SOURCES["statcounter_social_gb"].endpoints[0].parts[0].url.partition("?")[0].removeprefix("https:/")
    command.server.routes[slow] = reply("Date\n", delay=60)
    process = subprocess.Popen(
        [sys.executable, "-m", "longwave.pipelines.cli", "refresh", "hccta", "statcounter_social_gb"],
        env=clean_environment(command.home, **command.settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not any(target.startswith(slow) for target in command.server.targets) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert "hccta: unchanged" in command("refresh", "hccta").stdout
    assert command("verify").returncode == 0


def test_a_live_run_keeps_yesterdays_figures_where_it_gets_no_better_ones(command, reply, home_copy):
    """On the real facts: one source answers with a fraction of what it had, the others not at all."""
    command.home = home_copy
    del command.settings["LONGWAVE_FOUNDING"]
    command.server.publish(URL, reply(HCCTA, type="text/plain"))
    rows = "select count(*), bit_xor(hash(o)), sum(hash(o)) from observations o"
    before = command("query", rows, "--format", "csv").stdout
    findings = (home_copy / "site" / "findings.json").read_bytes()
    result = command("run", "--live")
    assert result.returncode == 1
    assert "hccta: refused: " in result.stdout
    assert "rows kept" in result.stdout
    assert "their figures stand as they were" in result.stdout
    assert command("query", rows, "--format", "csv").stdout == before
    assert (home_copy / "site" / "findings.json").read_bytes() == findings
    # The refusal and its reason stand on the source's page; nothing else was done again.
    assert "rows kept" in (home_copy / "site" / "source-hccta.html").read_text()
    assert "steps done: site" in result.stdout
    # Asked again, the same refusal: still an error, and no step has anything to do.
    again = command("run", "--live")
    assert again.returncode == 1
    assert "nothing changed: every step stands as it was" in again.stdout


CDX = "/web.archive.org/cdx/search/cdx"
PAST = "https://web.archive.org/web/20150601120000id_/" + URL


def test_past_vintages_by_the_command_line(command, reply):
    command.server.routes[CDX] = json.dumps([["timestamp"], ["20150601120000"]])
    command.server.publish(PAST, reply(HCCTA, type="text/plain"))
    planned = command("refresh", "hccta", "--from-archive", "2012..2024", "--per", "year", "--dry-run")
    assert "cdx?url=https%3A%2F%2Fwww.nber.org%2Fhccta%2Fhcctad.txt" in planned.stdout
    assert command.server.asked == []
    result = command("refresh", "hccta", "--from-archive", "2012..2024", "--per", "year")
    assert (result.returncode, result.stderr) == (0, "")
    assert "hccta: 2015-06-01 recovered" in result.stdout
    assert "hccta: changed: " in result.stdout
    rows = command("query", "select distinct vintage from observations", "--format", "csv")
    assert rows.stdout.splitlines()[1:] == ["2015-06-01"]


def test_a_recovery_that_failed_is_retried_as_a_recovery(command, reply):
    command.server.routes[CDX] = json.dumps([["timestamp"], ["20150601120000"]])
    command.server.publish(PAST, reply("gone", status=503))
    failed = command("refresh", "hccta", "--from-archive", "2012..2024")
    assert failed.returncode == 1
    summary = command.summary(failed)
    assert (summary["from_archive"], summary["sources"][0]["outcome"]) == ("2012..2024", "failed")
    command.server.publish(PAST, reply(HCCTA, type="text/plain"))
    path = failed.stdout.partition("--retry ")[2].strip()
    assert "hccta: 2015-06-01 recovered" in command("refresh", "--retry", path).stdout


def test_a_page_in_the_archive_is_a_refusal_with_exit_1(command, reply):
    command.server.routes[CDX] = json.dumps([["timestamp"], ["20150601120000"]])
    command.server.publish(PAST, reply("<!doctype html><html>Sorry</html>", type="text/html"))
    result = command("refresh", "hccta", "--from-archive", "2012..2024")
    assert result.returncode == 1
    assert "hccta: refused: " in result.stdout


def test_a_damaged_archive_of_one_source_stops_no_other(command, reply):
    command.server.publish(URL, reply(HCCTA, type="text/plain", etag='"1"'))
    slow = SOURCES["statcounter_social_gb"].endpoints[0].parts[0].url.partition("?")[0].removeprefix("https:/")
    excerpt = (EXCERPTS / "statcounter_social_gb.csv").read_bytes()
    command.server.routes[slow] = reply(excerpt)
    assert command("refresh", "hccta", "statcounter_social_gb").returncode == 0
    before = command("query", "select count(*) from observations", "--format", "csv").stdout
    path = next((command.home / "archive" / "hccta").glob("*.cdxj"))
    path.write_bytes(path.read_bytes()[:-20])
    whole = path.with_name(path.name.replace(".cdxj", ".warc.gz"))
    whole.write_bytes(whole.read_bytes()[:-20])
    result = command("refresh", "hccta", "statcounter_social_gb")
    assert result.returncode == 1
    assert "hccta" in result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    assert command("query", "select count(*) from observations", "--format", "csv").stdout == before


def test_a_machine_that_only_captures_can_verify(command, reply):
    del command.settings["LONGWAVE_FOUNDING"]
    whole = "statcounter_social_jp"
    address = SOURCES[whole].endpoints[0].parts[0].url.partition("?")[0].removeprefix("https:/")
    command.server.routes[address] = reply("nothing", status=404)
    assert command("refresh", whole).returncode == 1
    checked = command("verify")
    assert (checked.returncode, checked.stdout.split()[0]) == (0, "1")


def test_a_standing_refusal_is_red_until_it_is_mended(command, reply):
    """The run that follows asks nobody: its check of the source stays red, and so does its exit code."""
    command.server.publish(URL, reply(HCCTA, type="text/plain"), reply(CUT, type="text/plain"))
    command("refresh", "hccta")
    assert command("refresh", "hccta").returncode == 1
    command.server.publish(URL, reply("busy", status=503))
    again = command("refresh", "--from-archive", "2012..2013", "hccta")
    assert again.returncode == 1
    with dg.DagsterInstance.from_config(str(command.home / "dagster")) as instance:
        newest, *_ = instance.get_run_records()
        assert newest.dagster_run.status is dg.DagsterRunStatus.SUCCESS
        log = instance.all_logs(newest.dagster_run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
        (evaluation,) = [entry.dagster_event.event_specific_data for entry in log]
    assert not evaluation.passed
    assert "whole ending" in evaluation.metadata["refused"].value


def test_a_recovery_that_was_killed_goes_on_where_it_was(command, reply, clean_environment):
    """kill -9 while the third of six years is fetched: the first two are not asked for again, and nothing is lost."""
    years = [f"{year}0601120000" for year in range(2012, 2018)]
    command.server.routes[CDX] = json.dumps([["timestamp"], *[[stamp] for stamp in years]])
    addresses = [f"https://web.archive.org/web/{stamp}id_/{URL}" for stamp in years]
    bodies = [HCCTA.replace(b"231935409.5", f"2319354{n:02}.5".encode()) for n in range(6)]
    for address, body in zip(addresses, bodies, strict=True):
        command.server.publish(address, reply(body, type="text/plain"))
    command.server.publish(addresses[2], reply(bodies[2], type="text/plain", delay=60))
    args = ["refresh", "hccta", "--from-archive", "2012..2017", "--per", "year"]
    third = addresses[2].removeprefix("https:/")
    process = subprocess.Popen(
        [sys.executable, "-m", "longwave.pipelines.cli", *args],
        env=clean_environment(command.home, **command.settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while third not in command.server.targets and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    command.server.publish(addresses[2], reply(bodies[2], type="text/plain"))
    resumed = command(*args)
    assert (resumed.returncode, resumed.stderr) == (0, "")
    assert resumed.stdout.count(" recovered") == 4
    asked = [target for target in command.server.targets if "id_/" in target]
    assert [asked.count(address.removeprefix("https:/")) for address in addresses] == [1, 1, 2, 1, 1, 1]
    sql = "select count(*) n, count(distinct vintage) v from answers where status = 'accepted'"
    assert command("query", sql, "--format", "csv").stdout.splitlines() == ["n,v", "6,6"]
    assert command("verify").returncode == 0
