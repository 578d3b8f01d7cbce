"""The main job on the embedded facts: what it prints, what it publishes, and that the same facts give the same bytes."""

import json
import re
import socket

import duckdb
import polars as pl
import pytest
from longwave.models.claims import NOT_HELD, VERDICTS, load_registry

CLAIMS = [claim["id"] for claim in load_registry()["claims"]]
SHARED = ("plotly.min.js",)


def strings_of(folder):
    """Every text a folder publishes, Parquet's strings included; not the library copied from elsewhere."""
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".parquet":
            frame = pl.read_parquet(path)
            texts = [frame[name].drop_nulls().unique().to_list() for name in frame.select(pl.col(pl.String)).columns]
            yield path.name, "\n".join([*frame.columns, *[text for column in texts for text in column]])
        elif path.is_file() and path.name not in SHARED:
            yield path.name, path.read_text(encoding="utf-8")


def test_the_output_ends_with_the_verdicts_and_the_path_of_the_site(full_home):
    lines = [line.strip() for line in full_home.stdout.splitlines() if line.strip()]
    assert lines[-1] == f"site: {full_home.site / 'index.html'}"
    assert (full_home.site / "index.html").is_file()
    said = [line for line in lines if line.split()[0] in CLAIMS]
    assert sorted(line.split()[0] for line in said) == sorted(CLAIMS)
    assert all(any(line.split(maxsplit=1)[1].startswith(word) for word in VERDICTS) for line in said)


def test_every_claim_rests_on_numbers_found(full_home):
    published = json.loads((full_home.site / "findings.json").read_text())
    assert [entry["id"] for entry in published["claims"]] == sorted(CLAIMS)
    for entry in published["claims"]:
        criteria = next(claim["criteria"] for claim in load_registry()["claims"] if claim["id"] == entry["id"])
        assert len(entry["by"]) == len(criteria)
        assert [row for row in entry["by"] if row["note"] == NOT_HELD["note"] or row["n"] < 1] == []
        assert [row for row in entry["by"] if row["role"] == "primary" and row["estimate"] is not None]
        # A number is missing only where the finding says why.
        assert [row for row in entry["by"] if row["estimate"] is None and not row["note"]] == []
        # Arithmetic on stated inputs rests on no capture, and says so by its class.
        evidence = entry["result_class"] == "evidence"
        assert [row for row in entry["by"] if bool(row["captures"]) is not evidence] == []


def test_what_is_computed_from_counts_and_from_stated_inputs(full_home):
    published = json.loads((full_home.site / "findings.json").read_text())
    entries = {entry["id"]: entry for entry in published["claims"]}
    channel = entries["C3"]["by"][0]
    assert (channel["n"], channel["level"], channel["unit"]) == (10_140, 0.9, "points")
    assert channel["estimate"] == pytest.approx(100 * (481 / 1182 - 262 / 1077))
    assert channel["interval"][0] < channel["estimate"] < channel["interval"][1]
    assert [row["holds"] for row in entries["C3"]["by"] if row["stress"] == "without the internet"] == [None]
    assert "without the internet" in entries["C3"]["fragile"]
    (cards,) = [row for row in entries["C7"]["by"] if row["role"] == "primary"]
    assert cards["estimate"] == pytest.approx(1.56)
    assert {entries[name]["result_class"] for name in ("C7", "C8")} == {"conditional arithmetic"}
    assert [row["p"] for name in ("C7", "C8") for row in entries[name]["by"] if row["p"] is not None] == []


def test_a_second_run_changes_nothing(longwave, home_copy, contents):
    before = contents(home_copy / "site")
    stamps = {path: path.stat().st_mtime_ns for path in (home_copy / "site").rglob("*")}
    result = longwave(["run"], home_copy)
    assert result.returncode == 0, result.stderr
    assert "nothing changed" in result.stdout
    assert " 0 changed" in result.stdout
    assert contents(home_copy / "site") == before
    assert {path: path.stat().st_mtime_ns for path in (home_copy / "site").rglob("*")} == stamps


def test_a_first_run_does_not_say_that_nothing_changed(full_home):
    assert "nothing changed" not in full_home.stdout
    assert "steps done: world/facts, findings/adoption" in full_home.stdout


@pytest.mark.xdist_group("installed")
def test_two_homes_publish_the_same_bytes(full_home, installed, contents):
    """One from the checkout, one from the wheel elsewhere, with another hash seed, time zone and number of threads."""
    here, there = contents(full_home.site), contents(installed.home / "site")
    assert sorted(here) == sorted(there)
    assert [name for name in here if here[name] != there[name]] == []


def test_the_published_data_hold_every_version_of_every_source(full_home, query):
    observations = pl.read_parquet(full_home.site / "data" / "observations.parquet")
    counted = query(
        full_home.home, "select source, count(*) n from observation_versions join series using (series) group by 1"
    )
    assert dict(observations["source"].value_counts().iter_rows()) == {row["source"]: row["n"] for row in counted}
    captures = pl.read_parquet(full_home.site / "data" / "captures.parquet")
    assert set(observations["capture"]) <= set(captures["capture"])
    assert set(observations["source"]) == set(captures["source"])
    assert pl.read_parquet(full_home.site / "data" / "findings.parquet").height > 0


def test_no_row_of_a_source_that_may_not_be_passed_on_is_exported(longwave, home_copy, tmp_path):
    kept = "owid_technology_diffusion"
    with duckdb.connect(str(home_copy / "warehouse.read.duckdb")) as con:
        con.execute("UPDATE sources SET redistribute = false WHERE source = ?", [kept])
    result = longwave(["report", "--out", str(tmp_path / "report")], home_copy)
    assert result.returncode == 0, result.stderr
    for name in ("observations", "captures"):
        before = set(pl.read_parquet(home_copy / "site" / "data" / f"{name}.parquet")["source"])
        after = set(pl.read_parquet(tmp_path / "report" / "data" / f"{name}.parquet")["source"])
        assert before - after == {kept}
    for name in ("adoption-age", "adoption-year"):
        before = set(pl.read_csv(home_copy / "site" / "data" / f"{name}.csv")["source"])
        after = set(pl.read_csv(tmp_path / "report" / "data" / f"{name}.csv")["source"])
        assert before - after == {kept}


def test_what_a_run_did_lies_outside_the_site(full_home):
    (summary,) = (full_home.home / "runs").glob("*.json")
    told = json.loads(summary.read_text())
    assert told["changed"][-1] == "site"
    assert told["seconds"] > 0
    assert [name for name, text in strings_of(full_home.site) if told["run"] in text] == []
    assert [path for path in full_home.site.rglob("*") if path.name == summary.name] == []


def test_nothing_published_reads_the_clock(full_home, root):
    """Every date in the site stands in the facts or the code: a page that printed its own day would bring a new one."""
    written = set()
    for folder in ("models", "pipelines", "reports", "warehouse"):
        for path in (root / folder).rglob("*"):
            if path.suffix in {".csv", ".toml", ".py"}:
                written |= set(re.findall(r"\d{4}-\d\d-\d\d", path.read_text(encoding="utf-8")))
    written |= set(re.findall(r"\d{4}-\d\d-\d\d", " ".join(p.name for p in (root / "warehouse/founding").rglob("*"))))
    found = {}
    for name, text in strings_of(full_home.site):
        for day in re.findall(r"\d{4}-\d\d-\d\d", text):
            found.setdefault(day, name)
        assert re.search(r"\d[T ]?\d\d:\d\d:\d\d", text) is None, name
    assert len(found) > 5
    assert {day: name for day, name in found.items() if day not in written} == {}
    for path in full_home.site.rglob("*.parquet"):
        assert [name for name, kind in pl.read_parquet_schema(path).items() if isinstance(kind, pl.Datetime)] == []


def test_nothing_published_names_the_machine(full_home, root, clean_environment):
    home = clean_environment()["HOME"]
    names = [
        str(full_home.home),
        str(root),
        clean_environment()["USER"],
        f"{home}/",
        full_home.home.parent.name + "/home",
    ]
    names += [socket.gethostname()] if len(socket.gethostname()) > 5 else []
    texts = dict(strings_of(full_home.site))
    assert {"index.html", "findings.json", "observations.parquet"} <= set(texts)
    assert [(file, name) for file, text in texts.items() for name in names if name in text] == []


def test_the_site_is_complete_and_nothing_is_left_beside_it(full_home):
    site = {path.name for path in full_home.site.iterdir()}
    assert {"index.html", "methods.html", "sources.html", "site.js", "site.css", "findings.json", "data"} <= site
    beside = {path.name for path in full_home.home.iterdir()}
    assert beside == {"warehouse.duckdb", "warehouse.read.duckdb", "run.lock", "dagster", "runs", "site"}
