"""Metrics are OpenMetrics, by the parser of the Prometheus project; logs are JSON, a line an event."""

import json
import logging
from datetime import UTC, date, datetime

import dagster as dg
import pytest
from longwave.pipelines import logs, metrics
from longwave.pipelines.alerts import Alert, State
from longwave.pipelines.ledger import Record
from longwave.pipelines.metrics import Family
from longwave.pipelines.observe import _record_source
from longwave.pipelines.sources import SOURCES
from longwave.warehouse.answers import Answer, add_answers
from longwave.warehouse.store import Warehouse, reader
from prometheus_client.openmetrics.parser import text_string_to_metric_families

RAN = (datetime(2026, 11, 26, 6, tzinfo=UTC), datetime(2026, 11, 26, 6, 1, 30, 250_000, tzinfo=UTC))


def parsed(path):
    """Values by name and labels."""
    families = list(text_string_to_metric_families(path.read_text(encoding="utf-8")))
    return {family.name: family for family in families}, {
        (sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples
    }


def test_the_file_says_what_ran_and_what_is_held(made_home, record):
    made_home.prepare()
    with Warehouse(made_home) as warehouse:
        _record_source(warehouse, SOURCES["hccta"])
        record(warehouse, "hccta", "2020-01-01", {("United States", 1950): 1.0})
        for day, status in ((2, "accepted"), (9, "refused")):
            at, zeros = datetime(2026, 11, day, 8, tzinfo=UTC), "0" * 64
            seen = (f"hccta@{day}", "hccta", "", None, at.date(), "capture", at, "direct", "", 1, zeros, zeros, {})
            add_answers(warehouse, [Answer(*seen, status=status)])
    done = Record(
        "run-1",
        "refresh",
        steps=["sources/hccta", "sources/wdi"],
        changed=["sources/hccta"],
        seconds={"sources/hccta": 0.25, "sources/wdi": 2.0},
        outcomes={"sources/hccta": {"received_bytes": 4096}},
        failed={"site": "no"},
    )
    standing = State({"x": Alert("stale source", "wdi", "", "2026-01-01", "")})
    with reader(made_home) as con:
        path = metrics.write(made_home, metrics.families(made_home, con, done, standing, RAN))
    families, value = parsed(path)
    assert path == made_home.runs / "metrics.txt"
    assert value["longwave_run_duration_seconds", "refresh"] == 90.25
    assert value["longwave_run_end_timestamp_seconds", "refresh"] == RAN[1].timestamp()
    assert [value["longwave_run_steps", state] for state in ("changed", "unchanged", "failed")] == [1, 1, 1]
    assert value["longwave_step_duration_seconds", "sources/hccta"] == 0.25
    assert value["longwave_source_received_bytes", "hccta"] == 4096
    assert value[("longwave_sources",)] == len(SOURCES)
    assert (
        value["longwave_source_answer_timestamp_seconds", "hccta"] == datetime(2026, 11, 9, 8, tzinfo=UTC).timestamp()
    )
    vintage = datetime.combine(date(2020, 1, 1), datetime.min.time(), UTC).timestamp()
    assert value["longwave_source_vintage_timestamp_seconds", "hccta"] == vintage
    assert value["longwave_source_refused_answers", "hccta"] == 1
    assert value["longwave_alerts", "stale source"] == 1
    assert value["longwave_alerts", "refused capture"] == 0
    assert value["longwave_disk_bytes", "warehouse"] == made_home.warehouse.stat().st_size
    assert {family.type for family in families.values()} == {"gauge"}
    assert all(family.documentation for family in families.values())
    assert not list(made_home.runs.glob("*.new"))


def test_hostile_labels_stay_labels(made_home):
    made_home.prepare()
    bad = 'a "quoted"\nline \\ {} # EOF'
    path = metrics.write(made_home, [Family("longwave_alerts", bad, values=[({"kind": bad}, 1.5)])])
    families, value = parsed(path)
    assert value == {("longwave_alerts", bad): 1.5}
    assert families["longwave_alerts"].documentation == bad


# --- logs


@pytest.fixture
def log():
    """The log as it is set up here, and as it was afterwards."""
    logger = logging.getLogger("longwave")
    kept = (logger.handlers[:], logger.level, logger.propagate)
    yield logger
    logger.handlers[:], logger.level, logger.propagate = kept


def test_json_has_an_object_a_line_with_run_and_fields(log, capsys):
    logs.set_up("json")
    token = logs.RUN.set("run-9")
    logging.getLogger("longwave.pipelines.fetch").info("again in %.1f s", 2.5)
    logging.getLogger("longwave.x").warning("two\nlines", extra={"fields": {"source": "wdi", "seconds": 0.25}})
    logs.RUN.reset(token)
    try:
        raise ValueError("that")
    except ValueError:
        logging.getLogger("longwave.x").exception("bad")
    first, second, third = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (first["level"], first["message"], first["run"]) == ("info", "again in 2.5 s", "run-9")
    assert datetime.fromisoformat(first["time"]).utcoffset().total_seconds() == 0
    assert (second["message"], second["source"], second["seconds"]) == ("two\nlines", "wdi", 0.25)
    assert "run" not in third
    assert "ValueError: that" in third["error"]


def test_text_tells_a_person_what_needs_doing_and_no_more(log, capsys):
    logs.set_up("json")
    logs.set_up("text")
    logging.getLogger("longwave.x").info("not this")
    logging.getLogger("longwave.x").warning("this")
    captured = capsys.readouterr()
    assert (captured.err, captured.out) == ("longwave: this\n", "")


def test_a_quiet_run_prints_nothing_even_of_errors(log, capsys):
    """The command line says its own; Python prints errors of a logger that has nobody to hand them to."""
    quiet = logs.console.logger_fn(dg.build_init_logger_context(logger_config=logs.QUIET))
    quiet.error("a step failed")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_another_form_of_log_is_wrong_usage(inside, home):
    result = inside(["sources"], home.root, LONGWAVE_LOG="xml")
    assert result.returncode == 2
    assert "LONGWAVE_LOG is 'xml'" in result.stderr
