"""`longwave compare`: the document, the page, what is printed, and every file that is refused, with its lines."""

from functools import partial

import html5lib
import numpy as np
import pytest
from longwave.models.presence import CORRELATED, NEGLIGIBLE, NONE, UNDECIDED, rank_correlation
from longwave.pipelines.comparing import N_BOOT, SEED
from longwave.reports.own_page import CSP

ROWS = [(3, 5), (1, 2), (4, 3), (1.5, 4), (9, 9), (2, 1), (6, 8), (5, 7), (8, 6), (7, 12)]


def table(rows=ROWS, header="presence,outcome"):
    return "\n".join([header, *[",".join(str(cell) for cell in row) for row in rows], ""])


def drawn(n, slope, seed=1):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(n)
    return np.column_stack([x, slope * x + rng.standard_normal(n)]).round(6).tolist()


@pytest.fixture
def ask(ask_command):
    """Run `compare` on a file of this content: (result, document or None, page or None)."""
    return partial(ask_command, "compare")


def test_the_document_is_what_the_contract_says(ask, tmp_path):
    result, found, _ = ask(table())
    assert (result.returncode, result.stderr) == (0, "")
    assert list(found) == [
        "version", "command", "input", "reading", "pairs_needed", "detectable", "all_pairs", "given", "within_groups",
        "within_groups_given", "tau_b", "within_less_pooled", "percentiles", "warnings",
    ]  # fmt: skip
    assert (found["version"], found["command"]) == (1, "compare")
    assert found["input"] == {
        "file": "own.csv", "pairs": 10, "adopters": False, "groups": None, "clusters": None, "covariates": [],
        "margin": 0.1, "resamples": N_BOOT, "seed": SEED,
    }  # fmt: skip
    assert [found[name] for name in ("given", "within_groups", "within_groups_given", "within_less_pooled")] == [
        None
    ] * 4
    assert found["percentiles"] == []
    expected = rank_correlation(*zip(*ROWS, strict=True), n_boot=N_BOOT, seed=SEED)
    assert found["all_pairs"]["estimate"] == pytest.approx(expected.value)
    assert found["all_pairs"]["intervals"]["0.95"] == pytest.approx(expected.outer)
    assert found["tau_b"]["reading"] is None
    assert not (tmp_path / "home").exists()


def test_more_pairs_than_would_do_are_not_told_that_fewer_would(ask):
    _, found, _ = ask(table(drawn(3000, 0.1)))
    assert (found["reading"], found["pairs_needed"] < 3000) == (NEGLIGIBLE, True)
    (warning,) = found["warnings"]
    assert warning.startswith("3,000 pairs do not decide, though ")
    assert warning.endswith("this one lies too near to the margin of 0.1")


def test_what_is_printed_and_drawn_says_the_same(ask):
    result, found, page = ask(table(drawn(60, 1.5)))
    assert found["reading"] == CORRELATED
    low, high = found["all_pairs"]["intervals"]["0.95"]
    for text in (result.stdout, page):
        assert "Correlated in 60 pairs: more presence goes with more of the outcome" in text
        assert f"{low:.2f} to {high:.2f}" in text
    assert found["warnings"] == []


def test_groups_clusters_ages_and_covariates(ask):
    rng = np.random.default_rng(4)
    rows = []
    for at, (x, y) in enumerate(drawn(120, 1.0)):
        group = at % 3
        rows.append(
            (f"J{at}", x + 5 * group, y - 5 * group, f"field {group}", f"P{at % 20}", round(rng.random(), 3), at % 2)
        )
    header = "adopter,presence,outcome,group,cluster,size,age"
    result, found, page = ask(table(rows, header))
    assert result.returncode == 0, result.stderr
    assert (found["input"]["groups"], found["input"]["clusters"]) == (3, 20)
    assert found["input"]["covariates"] == ["age", "size"]
    assert found["all_pairs"]["estimate"] < 0 < found["within_groups"]["estimate"]
    assert found["within_groups"]["reading"] == CORRELATED
    assert found["within_less_pooled"]["intervals"]["0.95"][0] > 0.5
    assert found["all_pairs"]["clusters"] == 20
    own = [row for row in found["percentiles"] if row["group"] == "field 1"]
    assert sorted(row["percentile"] for row in own) == pytest.approx([100 * (at + 0.5) / 40 for at in range(40)])
    assert {row["peers"] for row in own} == {40}
    assert found["percentiles"][0]["line"] == 2
    assert "J119" in page


def test_none_is_said_only_where_enough_pairs_show_it(ask):
    _, found, page = ask(table(drawn(1200, 0.0, seed=2)))
    assert found["reading"] == NONE
    assert "Equivalent to none in 1200 pairs, to within 0.1" in page
    assert found["warnings"] == []
    result, found, _ = ask(table(drawn(40, 0.0, seed=2)))
    assert found["reading"] == UNDECIDED
    (warning,) = found["warnings"]
    assert f"about {found['pairs_needed']:,} pairs would show that (under 300 it cannot be shown at all)" in warning
    assert f"warning: {warning}" in result.stdout


def test_few_clusters_and_small_groups_are_warned_of(ask):
    rows = [(x, y, f"g{at % 3}", f"c{at % 4}") for at, (x, y) in enumerate(drawn(24, 3.0))]
    _, found, _ = ask(table(rows, "presence,outcome,group,cluster"))
    said = " ".join(found["warnings"])
    assert "4 clusters are few" in said
    assert "3 of 3 groups have fewer than 10 members" in said
    rows = [(x, y, f"g{at}") for at, (x, y) in enumerate(drawn(24, 3.0))]
    _, found, _ = ask(table(rows, "presence,outcome,group"))
    assert found["within_groups"] is None
    assert "no group has two members that differ" in " ".join(found["warnings"])


TEN = [(at, at * at % 7) for at in range(10)]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (table([(1, 2), (3, ""), *TEN]), ["missing values in outcome", "line 3: ''", "remove these rows and say so"]),
        (table([(1, 2), ("n/a", 4), *TEN]), ["missing values in presence", "line 3: 'n/a'"]),
        (table([(1, 2), ("many", 4), *TEN]), ["numbers in presence", "line 3: 'many'"]),
        (table([(1, 2), (3, "inf"), *TEN]), ["finite numbers", "line 3: 'inf'"]),
        (table([(1, y) for y in range(12)]), ["constant presence", "1 in lines 2, 3, 4 and 9 more"]),
        (table([(x, 0.5) for x in range(12)]), ["constant outcome"]),
        (table(TEN[:9]), ["at least 10, found 9 rows"]),
        (
            table([("A", *row) for row in TEN[:2]] + [(f"B{x}", x, y) for x, y in TEN], "adopter,presence,outcome"),
            ["each adopter once", "line 2: 'A'", "line 3: 'A'"],
        ),
        (table([(*row, "one") for row in TEN], "presence,outcome,group"), ["constant group", "'one'"]),
        (table([(*row, "one") for row in TEN], "presence,outcome,cluster"), ["constant cluster"]),
        (table([(*row, 7) for row in TEN], "presence,outcome,size"), ["constant size"]),
        (table([(*row, "") for row in TEN], "presence,outcome,cluster"), ["missing values in cluster", "line 2"]),
        (
            table([(x, y, 3 * x % 11, -2.0 * (3 * x % 11)) for x, y in TEN], "presence,outcome,size,staff"),
            ["collinear columns", "'staff', whose values follow, by rank, from those of size"],
        ),
        (
            table([(x, y, 5 * x + 1) for x, y in TEN], "presence,outcome,size"),
            ["collinear columns", "'presence', whose values", "leave one of them out: size, presence"],
        ),
        (table(TEN, "presence,result"), ["columns: expected presence and outcome"]),
        (table([(1, 2, 3), *TEN]), ["rows: expected 2 cells a row", "line 2: 3 cells"]),
    ],
    ids=[
        "gap", "word for none", "text", "infinite", "constant presence", "constant outcome", "nine rows", "adopter twice",
        "one group", "one cluster", "constant covariate", "no cluster", "collinear", "presence again", "no outcome", "ragged",
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_compared_is_refused(ask, content, told):
    result, found, _ = ask(content)
    assert (result.returncode, found) == (1, None)
    assert [part for part in told if part not in result.stderr] == []
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["no-such.csv"], "there is no file no-such.csv"),
        (["{file}", "--json", "{folder}/none/out.json"], "there is no folder"),
        (["{file}", "--json", "{folder}/a", "--html", "{folder}/a"], "name the same file"),
        (["{file}", "--html", "{file}"], "it would be overwritten"),
        (["{file}", "--seed", "3"], "No such option"),
        ([], "Missing argument"),
    ],
)
def test_wrong_usage_exits_with_2(inside, tmp_path, options, told):
    file = tmp_path / "own.csv"
    file.write_text(table())
    given = [option.format(file=file, folder=tmp_path) for option in options]
    result = inside(["compare", *given], tmp_path / "home")
    assert result.returncode == 2
    assert told in " ".join(result.stderr.replace("│", " ").split())
    assert file.read_text() == table()


HOSTILE = "<script>alert(1)</script>{{ 7*7 }}\x1b[31m"


def test_text_of_strangers_is_shown_and_never_obeyed(ask):
    rows = [(f"{HOSTILE}{at}", x, y, HOSTILE, at % 5) for at, (x, y) in enumerate(drawn(30, 1.0))]
    rows[0] = (*rows[0][:3], "other", rows[0][4])
    result, found, page = ask(table(rows, f"adopter,presence,outcome,group,x{HOSTILE}"))
    assert found["percentiles"][0]["adopter"].startswith("<script>")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "\x1b" not in page + result.stdout


def test_the_page_is_sound_html_in_one_file_without_a_script(ask):
    rows = [(x, y, f"g{at % 2}") for at, (x, y) in enumerate(drawn(30, 1.0))]
    _, _, page = ask(table(rows, "presence,outcome,group"))
    html5lib.HTMLParser(strict=True).parse(page)
    assert f'content="{CSP}"'.replace("'", "&#39;") in page
    assert "<script" not in page
    assert "http-equiv" in page
    assert page.count('<svg xmlns="http://www.w3.org/2000/svg" class="lw-svg"') == 4
    assert ask(table(rows, "presence,outcome,group"))[2] == page


def test_a_file_of_many_pairs_is_compared_without_resamples(ask, monkeypatch):
    monkeypatch.setattr("longwave.pipelines.comparing.NO_RESAMPLES_FROM", 100)
    monkeypatch.setattr("longwave.pipelines.comparing.MAX_OBSERVATIONS", 100)
    _, found, _ = ask(table(drawn(120, 1.0)))
    assert found["input"]["resamples"] == 0
    assert found["tau_b"] is None
    assert "τ-b is left out" in found["warnings"][-1]
    assert found["all_pairs"]["intervals"]["0.95"][0] > 0.3
