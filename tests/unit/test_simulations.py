"""The table of simulations: made of the studies' files and of nothing else, judged as asked, shown without flattery."""

import csv
import dataclasses
import io
import json
import re
import runpy
from pathlib import Path

import fake_site
import polars as pl
import pytest
from longwave.pipelines.publish import _METHODS, simulated
from longwave.reports import simulations
from longwave.reports.simulations import Simulated
from longwave.reports.site import publish
from longwave.warehouse.records import records, write_record

STUDY = Path(__file__).parents[1] / "study"
RESULTS = STUDY / "results"


@pytest.fixture(scope="module")
def table():
    """The script that makes the record."""
    return runpy.run_path(str(STUDY / "simulations.py"))


@pytest.fixture(scope="module")
def rows():
    (held,) = records("simulations")
    return held.tables["studies"].rows(named=True)


def judged(table, figures, **head):
    """One row of hand-made figures."""
    head = table["Head"]("Ripeness", "estimand", "worlds", **head)
    made = [table["Figure"](**({"replicates": 2000} | figure)) for figure in figures]
    return table["judged"](table["Found"](head, made, ["a.json"], ["1"], ["c"]))


def test_the_record_is_what_the_studies_files_say(table, tmp_path):
    (held,) = records("simulations")
    made = write_record(table["derived"](), tmp_path)
    kept = STUDY.parents[1] / "warehouse" / "measured" / made.name
    assert held.name == made.stem
    assert kept.read_bytes() == made.read_bytes(), "write it anew: python tests/study/simulations.py"


def test_every_file_of_the_studies_is_in_the_table_or_left_out_with_a_reason(table, rows):
    names = {path.name for path in RESULTS.iterdir()}
    assert table["unaccounted"](names) == []
    assert table["unaccounted"]([*names, "a_new_one.json"]) == ["a_new_one.json"]
    assert table["missing"](names) == []
    assert table["missing"]([name for name in names if name != "half_life.json"]) == ["half_life.json"]
    told = {name for row in rows for name in row["files"].split(", ")}
    left = {name for pattern in table["LEFT_OUT"] for name in (path.name for path in RESULTS.glob(pattern))}
    assert all(any(RESULTS.glob(pattern)) and why for pattern, why in table["LEFT_OUT"].items())
    assert told | left == names
    assert not told & left


def test_each_row_belongs_to_a_heading_of_methods_and_neighbours_of_one_are_together(rows):
    models = [row["model"] for row in rows]
    assert set(models) <= set(_METHODS)
    assert list(dict.fromkeys(models)) == [title for title in _METHODS if title in models]
    assert models == sorted(models, key=list(_METHODS).index)
    assert 20 <= len(rows) <= 50


def test_rows_say_what_stands_in_the_files(rows):
    """Counted anew, without the code that makes the table."""
    by = {row["estimand"]: row for row in rows}

    def read(name):
        return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))

    held = [
        row["corrected"]["coverage"] for world, row in read("reliability")["panels"].items() if "hundred" not in world
    ]
    row = by["τ-b corrected for errors"]
    assert (row["coverage_lowest"], row["coverage_highest"]) == (round(min(held), 4), round(max(held), 4))
    assert len(row["too_high_in"]) == sum(share > 0.97 for share in held)
    hidden = read("authority_premium")["worlds"]["quality confounding, not measured"]
    row = by["All four, where who comes early is better in a way that nothing measured shows"]
    assert row["coverage_lowest"] == min(each["coverage"] for each in hidden.values() if each["coverage"])
    assert (row["assumptions"], row["stands"], row["wrong_highest"]) == (
        "broken",
        "outside",
        hidden["bounded"]["beyond_0"],
    )
    cause = read("presence_coverage")["common_cause"]
    assert by["Correlation given a covariate"]["wrong_highest"] == cause["given_it_excludes_0"]
    short = read("curves_bias_gamma_shifted_gompertz")["short_of_what_is_asked"]["least_squares"]
    told = by["Parameters by least squares"]["biased_in"]
    assert sum("gamma/shifted" in name for name in told) == len(short) > 0


def test_speakers_are_drawn_as_often_as_the_study_says():
    rows, study = (runpy.run_path(str(STUDY / f"{name}.py")) for name in ("simulation_rows", "test_channels"))
    assert rows["OF_SPEAKERS"] == study["OF_SPEAKERS"]


@pytest.mark.parametrize(
    ("figure", "stands"),
    [
        ({"truth": 0.5, "bias": 0.0499}, "within"),
        ({"truth": 0.5, "bias": -0.05}, "outside"),
        ({"truth": -0.5, "bias": 0.05}, "outside"),
        ({"truth": 0.0, "bias": 9.0}, "within"),
        ({"bias_percent": -10.0}, "outside"),
        ({"no_mean": True}, "outside"),
        ({"coverage": 0.93, "level": 0.95}, "within"),
        ({"coverage": 0.9295, "level": 0.95}, "outside"),
        ({"coverage": 0.97, "level": 0.95}, "within"),
        ({"coverage": 0.9705, "level": 0.95}, "cautious"),
        ({"coverage": 0.8795, "level": 0.9}, "outside"),
        ({"coverage": 0.9205, "level": 0.9}, "cautious"),
        ({"wrong": 0.06, "rate": 0.05}, "within"),
        ({"wrong": 0.0605, "rate": 0.05}, "outside"),
        ({"wrong": 0.0395, "rate": 0.05}, "cautious"),
        ({"wrong": 0.0305, "rate": 0.025}, "outside"),
        ({"coverage": 0.95, "level": 0.95, "replicates": 1999}, "few replicates"),
        ({"coverage": 0.9705, "level": 0.95, "replicates": 1999}, "few replicates"),
        ({"coverage": 0.92, "level": 0.95, "replicates": 1999}, "outside"),
    ],
)
def test_a_figure_is_judged_by_what_was_asked(table, figure, stands):
    row = judged(table, [{"world": "even", "coverage": 0.95, "level": 0.95}, {"world": "w"} | figure])
    assert row["stands"] == stands


def test_a_study_is_held_to_the_limits_that_it_fixed_for_itself(table):
    figures = [{"world": "w", "bias_percent": 2.0, "coverage": 0.93, "level": 0.9}]
    row = judged(table, figures, asked_bias=2.0, asked_points=3.0)
    assert (row["biased_in"], row["too_high_in"], row["stands"]) == (["w"], [], "outside")
    assert judged(table, figures)["stands"] == "cautious"


def test_what_is_outside_is_named_the_farthest_first_and_nothing_else_is(table):
    figures = [
        {"world": f"{name}: of", "truth": 1.0, "bias": bias, "coverage": held, "level": 0.95}
        for name, bias, held in (("a", 0.11, 0.95), ("b", -0.3, 0.9), ("c", 0.05, 0.99), ("b2", 0.2, 0.8))
    ]
    row = judged(table, [*figures, {"world": "d: of", "truth": 1.0, "no_mean": True}])
    assert row["biased_in"] == ["d: of", "b: of", "b2: of", "a: of"]
    assert row["biased_by"] == pytest.approx([None, -30.0, 20.0, 11.0])
    assert (row["too_low_in"], row["too_low_by"]) == (["b2: of", "b: of"], [0.8, 0.9])
    assert (row["too_high_in"], row["of_bias"], row["of_coverage"], row["worlds"]) == (["c: of"], 5, 4, 5)
    assert (row["bias_percent_lowest"], row["coverage_lowest"]) == pytest.approx((-30.0, 0.8))


def test_two_figures_of_one_name_are_refused(table):
    with pytest.raises(ValueError, match="two figures have one name; give each its own"):
        judged(table, [{"world": "w", "bias_percent": 1.0}] * 2)


def test_errors_told_in_fewer_words_are_read_too(table):
    """A file that does not say how many panels gave no figure."""
    row = {"truth": 0.5, "bias": 0.01, "spread": 0.1, "error": 0.002}
    study = {
        "replicates": 2000,
        "seed": 1,
        "commit": "c",
        "panels": {"n = 40: known": {"reliability": row, "told_apart": row, "corrected": row | {"coverage": 0.95}}},
        "noise_alone": {
            "n = 40: known": {key: {"below": 0.02, "within": 0.95, "above": 0.03} for key in ("tau", "retention")}
        },
    }
    study["panels"]["n = 40, one in a hundred errs: known"] = study["panels"]["n = 40: known"]
    made = runpy.run_path(str(STUDY / "simulation_rows.py"))["reliability"]([("reliability.json", study)])
    assert [(len(found.figures), found.figures[0].replicates) for found in made] == [
        (2, 2000),
        (1, 2000),
        (2, 2000),
        (3, 2000),
    ]


# --- the page


def shown(**changed):
    (row,) = fake_site.simulations().studies.rows(named=True)[2:]
    frame = pl.DataFrame([row | changed], infer_schema_length=None)
    return simulations.view(Simulated(fake_site.simulations().asked, frame))["models"][0][1][0]


def test_the_site_tells_how_many_rows_are_outside(rows):
    outside = [row for row in rows if row["biased_in"] or row["too_low_in"] or row["too_many_in"]]
    astray = [row for row in outside if row["assumptions"] == "broken"]
    said = simulations.view(simulated())["said"]
    assert f"Of {len(rows)} rows {len(outside)} are outside what was asked; in {len(astray)} of these" in said[-1]
    assert len(rows) > len(outside) > len(astray) > 0
    fewer = sum(row["replicates_least"] < 2000 for row in rows)
    assert said[-1].endswith(f"in all {fewer} rest on fewer replicates than that.")
    assert "a bias under 10 % of the truth, intervals of 95 % that hold it in 93 to 97 %" in said[1]
    assert "0.05 ± 0.01 (of another rate, within 20 % of it), and at least 2000 replicates" in said[1]


def test_ranges_are_rounded_to_the_side_that_looks_worse():
    row = shown(coverage_lowest=0.92996, coverage_highest=0.97004, bias_percent_lowest=-0.01, bias_percent_highest=9.96)
    assert row["coverage"].startswith("92.9–\u206097.1\u202f% (asked 93–\u206097; chance ±\u202f0.5)")
    assert row["bias"].startswith("−0.1 to 10\u202f%; −0.25 to 4.99 where the truth is 0")
    assert shown()["worlds"] == "3 worlds, 500 to 2000 replicates each; at least 98.7\u202f% gave a figure"


def test_a_row_outside_says_in_what_and_where_it_is_farthest():
    row = shown()
    assert row["stands"] == "Outside"
    assert row["outside"] == [
        "Bias of 10\u202f% or more in 1 of 3; farthest: a of one curve (over 1\u202f000\u202f000\u202f%).",
        "Intervals hold too seldom in 2 of 3; farthest: hidden (26.05\u202f%).",
        "False alarms too often in 1 of 2; farthest: hidden (73.95\u202f%).",
        "False alarms too seldom in 1 of 2; farthest: seen (3.65\u202f%).",
        "500 replicates, not 2000.",
    ]
    assert row["whence"] == "invented.json and 2 more, seed 7, code 0123456, fedcba9"
    assert shown(biased_by=[None])["outside"][0].endswith("(no mean).")


def test_the_csv_names_every_figure_that_is_outside():
    (text,) = simulations.files(fake_site.simulations()).values()
    within, _, outside = csv.DictReader(io.StringIO(text))
    assert outside["too_low"] == "hidden = 0.2605; seen = 0.92"
    assert (within["too_low"], within["coverage_lowest"]) == ("", "0.9435")
    assert simulations.files(Simulated()) == {}


def test_the_page_and_the_download_are_there_only_where_something_is_held(tmp_path):
    content = fake_site.content()
    for name, given in (("held", content.simulations), ("none", Simulated())):
        out = tmp_path / name
        publish(dataclasses.replace(content, simulations=given), out)
        there = name == "held"
        assert ('id="simulations"' in (out / "methods.html").read_text(encoding="utf-8")) == there
        assert ("simulations.csv" in (out / "data.html").read_text(encoding="utf-8")) == there
        assert (out / "data" / "simulations.csv").is_file() == there
    cells = re.findall(r'data-of="([^"]+)"', (tmp_path / "held" / "methods.html").read_text(encoding="utf-8"))
    assert len(cells) == 3 * 6
