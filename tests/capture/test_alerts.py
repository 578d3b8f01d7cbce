"""Alerts: begun once, over once, silent in between; to the log always, to a webhook by setting, and never in a run's way."""

import json
import subprocess
import sys
import threading
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import dagster as dg
import pytest
from longwave.pipelines import alerts
from longwave.pipelines.alerts import Alert, State, after_run, changed_verdicts, of_run, read_state, reconcile
from longwave.pipelines.house import House
from longwave.pipelines.ledger import Check, Record
from longwave.pipelines.sources import SOURCES
from longwave.warehouse.answers import Answer, add_answers
from longwave.warehouse.errors import Busy, UnusableHome
from longwave.warehouse.founding_files import OriginalRow
from longwave.warehouse.store import Warehouse, reader
from longwave.warehouse.verdicts import record_verdicts

EXCERPTS = Path(__file__).parents[1] / "readers" / "excerpts"
HCCTA = (EXCERPTS / "hccta.txt").read_bytes()
PAGE = b"<!doctype html><html><body>Sorry</body></html>"
URL = "https://www.nber.org/hccta/hcctad.txt"
DAY = date(2026, 11, 26)


class Hook:
    """A webhook on this machine: what it was sent, and the status it answers with."""

    def __init__(self):
        self.got, self.status = [], 204
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.got.append((self.path, self.headers["Content-Type"], json.loads(body)))
                self.send_response(hook.status)
                self.send_header("Location", hook.url)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/in/s3cr3t"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def told(self):
        """State, kind and subject of every alert that arrived, in order."""
        return [(a["state"], a["kind"], a["subject"]) for _, _, body in self.got for a in body["alerts"]]


@pytest.fixture
def hook():
    opened = Hook()
    yield opened
    opened.server.shutdown()
    opened.server.server_close()


def answer(served, status, source="hccta", via="direct"):
    name = f"{source}@{served:%Y-%m-%d.%H%M%S}#01234567"
    zeros = "0" * 64
    seen = (name, source, "", None, served.date(), "capture", served, via, URL, 1, zeros, zeros, {"data": "record"})
    return Answer(*seen, status=status, why="whole ending: expected 1, found 2" if status == "refused" else None)


@pytest.fixture
def ended(made_home):
    """What is told when a run ends: (answers to add, webhook, record) to the lines' states and subjects."""

    made_home.prepare()

    def end(*answers, webhook="", record=None, today=DAY):
        with Warehouse(made_home) as warehouse:
            add_answers(warehouse, answers)
        with reader(made_home) as con:
            return after_run(made_home, con, record or Record("run-1", "refresh"), webhook, today)

    return end


def at(day):
    return datetime.fromisoformat(f"{day}T08:00:00").replace(tzinfo=UTC)


def lines(caplog):
    return [record.getMessage() for record in caplog.records if record.name == alerts.__name__]


@pytest.fixture(autouse=True)
def heard(caplog, monkeypatch):
    """Whatever an earlier test set up, what is logged reaches this one."""
    caplog.set_level("INFO", "longwave")
    monkeypatch.setattr(alerts._log.parent.parent, "propagate", True)


def test_a_refusal_is_told_once_since_its_first_day_and_once_when_it_is_over(ended, hook, caplog):
    ended(answer(at("2026-11-01"), "accepted"), webhook=hook.url)
    assert (hook.got, lines(caplog)) == ([], [])
    ended(answer(at("2026-11-10"), "refused"), answer(at("2026-11-20"), "refused"), webhook=hook.url)
    ended(webhook=hook.url)
    state = ended(answer(at("2026-11-25"), "refused"), webhook=hook.url)
    (line,) = lines(caplog)
    assert line.startswith("alert: refused capture: hccta: hccta@2026-11-20.080000#01234567: whole ending")
    assert "; since 2026-11-10; " in line
    assert "longwave refresh --accept hccta@2026-11-20.080000#01234567 --why TEXT" in line
    # What to do follows the newest refusal, though it is not told again.
    (standing,) = state.standing.values()
    assert "hccta@2026-11-25" in standing.do
    assert standing.since == "2026-11-10"
    ended(answer(at("2026-11-26"), "accepted"), webhook=hook.url)
    assert lines(caplog)[1:] == ["over: refused capture: hccta (since 2026-11-10)"]
    assert hook.told() == [("begun", "refused capture", "hccta"), ("over", "refused capture", "hccta")]


def test_an_old_capture_of_a_web_archive_that_is_refused_is_no_alert(ended, caplog):
    ended(answer(at("2026-11-20"), "accepted"), answer(at("2026-11-21"), "refused", via="web.archive.org"))
    assert lines(caplog) == []


def test_a_stale_source_says_since_when_and_what_to_ask(ended, caplog):
    cycle = {"weekly": 7, "monthly": 31, "yearly": 366}[SOURCES["hccta"].refresh]
    ended(answer(at("2020-01-01"), "accepted"))
    ended()
    (line,) = lines(caplog)
    late = date.fromordinal(date(2020, 1, 1).toordinal() + 2 * cycle + 1)
    assert f"stale source: hccta: the last answer is of 2020-01-01, and it is asked {SOURCES['hccta'].refresh}" in line
    assert line.endswith(f"; since {late}; ask it and see what it says: longwave refresh hccta")


def test_a_failed_check_lasts_until_it_is_seen_to_pass(ended, caplog):
    bad = Check("sources/hccta", "accepted", passed=False, found="no connection")
    ended(record=Record("run-1", "refresh", checks=[bad]))
    # Another run that did not ask this source says nothing of it.
    state = ended(record=Record("run-2", "publish"), today=date(2026, 12, 1))
    assert [alert.since for alert in state.standing.values()] == ["2026-11-26"]
    state = ended(record=Record("run-3", "refresh", checks=[bad]), today=date(2026, 12, 2))
    assert [alert.since for alert in state.standing.values()] == ["2026-11-26"]
    state = ended(record=Record("run-4", "refresh", checks=[Check("sources/hccta", "accepted", passed=True)]))
    assert state.standing == {}
    assert [line.split(": ")[0] for line in lines(caplog)] == ["alert", "over"]
    assert "no connection; since 2026-11-26; see the check" in lines(caplog)[0]


def test_a_check_that_only_repeats_a_refusal_is_not_told_twice():
    refused = Alert(alerts.REFUSED, "hccta", "cut", "2026-11-20", "accept it")
    repeats = Check("sources/hccta", "accepted", passed=False, found="cut", only_refused=True)
    more = Check("sources/wdi", "accepted", passed=False, found="cut", only_refused=True)
    assert [a.subject for a in of_run(Record("r", "run", checks=[repeats, more]), [refused], DAY)] == [
        "sources/wdi: accepted"
    ]


def test_a_failed_step_is_over_when_it_succeeds():
    state = State()
    broken = Record("run-1", "run", failed={"findings/speed": "no such column"})
    (begun,) = reconcile(state, of_run(broken, [], DAY), alerts.judged_by(broken))
    assert "findings/speed: no such column" in begun.line
    assert "run-1" in begun.do
    other = Record("run-2", "refresh", seconds={"sources/wdi": 1.0})
    assert reconcile(state, [], alerts.judged_by(other)) == []
    mended = Record("run-3", "run", seconds={"findings/speed": 2.0})
    assert [alert.state for alert in reconcile(state, [], alerts.judged_by(mended))] == ["over"]


def test_a_changed_verdict_is_told_once_and_a_first_one_never(made_home, ended, hook, caplog):
    def decide(verdict, vintage):
        entry = {"id": "C6", "claim": "Little is known early.", "verdict": verdict, "by": []}
        with Warehouse(made_home) as warehouse:
            record_verdicts(warehouse, [entry], date.fromisoformat(vintage))

    decide("undecided", "2026-01-01")
    ended(webhook=hook.url)
    assert lines(caplog) == []
    decide("supported", "2026-07-01")
    state = ended(webhook=hook.url)
    ended(webhook=hook.url)
    (line,) = lines(caplog)
    assert line.startswith("alert: verdict: C6: undecided → supported: Little is known early.; since 2026-07-01; read")
    assert hook.told() == [("changed", "verdict", "C6")]
    assert state.standing == {}
    assert changed_verdicts([{"id": "C1", "verdict": "supported"}], {}) == []


def test_what_a_webhook_gets(ended, hook):
    ended(answer(at("2026-11-20"), "refused"), webhook=hook.url, record=Record("run-7", "refresh"))
    ((path, kind, body),) = hook.got
    assert (path, kind) == ("/in/s3cr3t", "application/json")
    assert body.keys() == {"version", "run", "text", "alerts"}
    assert (body["version"], body["run"]) == (1, "run-7")
    (alert,) = body["alerts"]
    assert alert.keys() == {"state", "kind", "subject", "what", "since", "do"}
    assert body["text"].startswith("alert: refused capture: hccta")


@pytest.mark.parametrize(
    ("broken", "said"),
    [("status", "the other end answered 500"), ("redirect", "answered 302"), ("gone", "no connection: ConnectError")],
)
def test_a_webhook_that_fails_is_said_without_its_address_and_tried_again(ended, hook, caplog, broken, said):
    url = hook.url
    hook.status = {"status": 500, "redirect": 302}.get(broken, 204)
    if broken == "gone":
        hook.server.shutdown()
        hook.server.server_close()
    state = ended(answer(at("2026-11-20"), "refused"), webhook=url)
    assert [alert.kind for alert in state.waiting] == ["refused capture"]
    told = lines(caplog)
    assert len(told) == 2
    assert told[1].startswith("1 alerts did not reach LONGWAVE_ALERT_WEBHOOK: ")
    assert said in told[1]
    assert not any("s3cr3t" in line or url in line for line in told)
    assert len(hook.got) <= 1, "a redirect is not followed"
    if broken == "gone":
        return
    hook.status, hook.got = 200, []
    assert ended(webhook=url).waiting == []
    assert hook.told() == [("begun", "refused capture", "hccta")]


def test_a_webhook_that_never_answers_is_given_up(ended, deaf_port, monkeypatch, caplog):
    monkeypatch.setattr(alerts, "SECONDS", 0.3)
    state = ended(answer(at("2026-11-20"), "refused"), webhook=f"http://127.0.0.1:{deaf_port}/")
    assert len(state.waiting) == 1
    assert "did not reach" in lines(caplog)[-1]


def test_a_damaged_state_begins_anew(made_home, ended, caplog):
    ended(answer(at("2026-11-20"), "refused"))
    path = made_home.runs / "alerts.json"
    path.write_text(path.read_text()[:-30])
    assert read_state(made_home).standing == {}
    ended()
    assert len(lines(caplog)) == 2


# --- by the command line


@pytest.mark.parametrize(
    ("url", "said"),
    [("http://hooks.example.org/s3cr3t", "for this machine alone"), ("ftp://example.org/s3cr3t", "its scheme is ftp")],
)
def test_an_unusable_webhook_is_wrong_usage_and_not_shown(inside, home, url, said):
    result = inside(["sources"], home.root, LONGWAVE_ALERT_WEBHOOK=url)
    assert result.returncode == 2
    assert "LONGWAVE_ALERT_WEBHOOK is not usable" in result.stderr
    assert said in result.stderr
    assert "s3cr3t" not in result.stderr


def test_a_refresh_tells_metrics_and_summary_as_well(inside, home, server, reply, hook, tmp_path):
    """Refused, then mended: a line and a message at the first, and one when it is over."""
    founding = tmp_path / "founding"
    founding.mkdir()
    (founding / "originals.csv").write_text(",".join(OriginalRow.__dataclass_fields__) + "\n")
    settings = {"LONGWAVE_MIRROR": server.url, "LONGWAVE_HOST_INTERVAL": 0, "LONGWAVE_ATTEMPTS": 1}
    settings |= {"LONGWAVE_FOUNDING": founding, "LONGWAVE_ALERT_WEBHOOK": hook.url}
    text = "text/plain"
    server.publish(URL, reply(PAGE, type=text), reply(HCCTA, type=text))
    results = [inside(["refresh", "hccta"], home.root, **settings) for _ in range(2)]
    assert [result.returncode for result in results] == [1, 0]
    said = [[line for line in result.stderr.splitlines() if "alert: " in line] for result in results]
    assert [len(each) for each in said] == [1, 0]
    assert said[0][0].startswith("longwave: alert: refused capture: hccta: ")
    assert hook.told() == [("begun", "refused capture", "hccta"), ("over", "refused capture", "hccta")]
    summaries = [json.loads(path.read_text()) for path in home.runs.glob("*-*-*-*-*.json")]
    assert len(summaries) == 2
    assert {summary["command"] for summary in summaries} == {"refresh"}
    assert sorted(len(summary["checks_failed"]) for summary in summaries) == [0, 1]
    assert all(summary["step_seconds"]["sources/hccta"] > 0 for summary in summaries)


# --- a run that cannot begin


@pytest.mark.parametrize("fault", ["locked", "a file"])
def test_a_run_that_cannot_begin_is_told_of_at_once_and_keeps_nothing(made_home, hook, caplog, monkeypatch, fault):
    """As Dagster starts one by a schedule: in a process of its own, with nobody looking."""
    root = made_home.root
    if fault == "a file":
        root = root / "warehouse.duckdb"
    monkeypatch.setenv("LONGWAVE_HOME", str(root))
    monkeypatch.setenv("LONGWAVE_ALERT_WEBHOOK", hook.url)
    monkeypatch.setenv("LONGWAVE_WAIT", "0")
    made_home.prepare().lock.touch()
    before = sorted(made_home.root.rglob("*"))
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(made_home.lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    try:
        with (
            pytest.raises((Busy, UnusableHome)) as caught,
            House().yield_for_execution(dg.build_init_resource_context()),
        ):
            raise AssertionError("it began")
    finally:
        holder.communicate("")
    (line,) = lines(caplog)
    assert line.startswith("alert: run not started: ")
    assert str(caught.value)[:30] in line
    assert [(state, kind) for state, kind, _ in hook.told()] == [("begun", "run not started")]
    assert sorted(made_home.root.rglob("*")) == before


HOLD = """
import fcntl, sys
with open(sys.argv[1], "w") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.read()
"""
