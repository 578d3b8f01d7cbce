"""`longwave authority`: the document, the page, what is printed, and every file that is refused, with its lines."""

import json
import runpy
from functools import partial
from pathlib import Path

import html5lib
import numpy as np
import polars as pl
import pytest
from longwave.models.premium import OUTCOMES
from longwave.pipelines.authority_answer import answer
from longwave.pipelines.own_panel import read_own_panel
from longwave.reports.own_page import CSP
from longwave.warehouse.errors import Refused

STUDY = runpy.run_path(str(Path(__file__).parents[1] / "study" / "authority_worlds.py"))
WORLDS = runpy.run_path(str(Path(__file__).parents[1] / "study" / "half_life_worlds.py"))
LAST = 2023
COLUMNS = ("adopter", "year", "attention", "adoption_year", "end_year", "field", "cluster", "standing_2010")
SMALL = [
    (
        name,
        year,
        10 * at + year - 2012,
        2013 if name == "d" else 2012,
        "",
        "law" if at % 2 else "art",
        f"of {name}",
        5 + at,
    )
    for at, name in enumerate("abcd")
    for year in (2013, 2014, 2016)
]


def text(rows, columns=COLUMNS):
    return "\n".join([",".join(columns), *[",".join(str(cell) for cell in row) for row in rows], ""])


def simulated(n=300, world="true premium", seed=2, since=2018):
    """A file of a simulated world: even yearly gains from the year of adoption on, standing of 2010."""
    frame = STUDY["world"](world, n, np.random.default_rng(seed))
    rows = []
    for row in frame.iter_rows(named=True):
        opened = int(row["opened"])
        flow = row["last"] / (2024 - row["opened"])
        rows += [
            (
                row["adopter"],
                year,
                round(flow * (year + 1 - opened), 2),
                opened,
                "",
                row["field"],
                row["cluster"],
                standing,
            )
            for standing in [round(float(np.exp(row["known_standing"])), 5)]
            for year in range(max(opened, since), LAST + 1)
        ]
    return text(rows)


@pytest.fixture
def ask(ask_command):
    """Run `authority` on a file of this content: (result, document or None, page or None)."""
    return partial(ask_command, "authority")


@pytest.fixture
def refusal(tmp_path):
    """The message with which a file of these rows is refused."""

    def go(rows, columns=COLUMNS):
        path = tmp_path / "own.csv"
        path.write_text(text(rows, columns), encoding="utf-8")
        with pytest.raises(Refused) as caught:
            read_own_panel(path)
        return str(caught.value)

    return go


# --- the answer


def test_the_document_is_what_the_contract_says_and_needs_no_home(ask, tmp_path):
    result, found, page = ask(simulated())
    assert (result.returncode, result.stderr) == (0, "")
    assert list(found) == ["version", "command", "input", "persistence", "premium", "quality", "categories", "warnings"]
    assert (found["version"], found["command"]) == (1, "authority")
    assert found["input"] | {"clusters": 0, "fields": 0, "rows": 0} == {
        "file": "own.csv", "rows": 0, "adopters": 300, "years": [2018, 2023], "covariates": ["standing"],
        "adoption_years": True, "fields": 0, "clusters": 0, "sampled": None,
    }  # fmt: skip
    assert list(found["premium"]["outcomes"]) == list(OUTCOMES)
    assert found["premium"]["until"] == LAST
    assert not (tmp_path / "home").exists()
    primary = found["premium"]["outcomes"]["absolute_growth"]
    assert primary["interval"][0] < primary["estimate"] < primary["interval"][1]
    rogers, bass = found["categories"]["schemes"]
    assert [sum(row["adopters"] for row in one["categories"]) for one in (rogers, bass) if not one["reason"]] in (
        [300],
        [300, 300],
    )
    assert rogers["reason"] is None
    assert found["persistence"]["half_life"]["reason"] == "5 horizons of the 6 at least"
    for told in (result.stdout, page):
        assert "300 adopters" in told
        assert "not separable" in told
        assert "No half-life of ranks" in told
        assert "ategories of adopters, Rogers’ cut points" in told
    assert "default-src 'none'" in CSP
    assert CSP in page.replace("&#39;", "'")
    assert "<script" not in page
    html5lib.HTMLParser(strict=True).parse(page)


def test_a_true_premium_is_found_and_exposure_makes_none_but_in_what_has_piled_up(tmp_path, monkeypatch):
    monkeypatch.setattr("longwave.pipelines.persisting.N_BOOT", 10)
    path = tmp_path / "p.csv"
    for world, truth in (("true premium", 10.0), ("exposure only", 0.0)):
        found = []
        for seed in range(6):
            path.write_text(simulated(400, world, seed), encoding="utf-8")
            found.append(answer(path, tmp_path / "spill")["premium"]["outcomes"])
        # The mean of six has a Monte Carlo error of 1.6 points.
        assert np.mean([one["absolute_growth"]["estimate"] for one in found]) == pytest.approx(truth, abs=4.8)
        assert min(one["log_cumulative"]["estimate"] for one in found) > truth + 5


def stations():
    """A call sign of 1922 in one city stands in another since 1940: the first ended in 1930. Others stay where they are."""
    rows = [("KXYZ", year, 50.0, 1922, 1930, "Boise") for year in range(1922, 1931)]
    rows += [("KXYZ", year, 7.0, 1940, "", "Houston") for year in range(1940, 1951)]
    rows += [
        (f"W{at:03}", year, 10.0 + at + (year % 3), 1922 + at % 3, "", "Akron")
        for at in range(12)
        for year in range(1922 + at % 3, 1951)
    ]
    return text(rows, ("adopter", "year", "attention", "adoption_year", "end_year", "place"))


def test_a_name_in_two_places_is_two_adopters_and_without_places_one_at_fault(ask, tmp_path):
    path = tmp_path / "stations.csv"
    path.write_text(stations(), encoding="utf-8")
    own = read_own_panel(path)
    ended = dict(own.panel.adopters.filter(pl.col("adopter").str.starts_with("KXYZ")).select("adopter", "ended").rows())
    assert ended == {"KXYZ (Boise)": 1931.0, "KXYZ (Houston)": None}
    assert own.panel.adopters.height == 14
    assert "1 name in several places: told apart by place, one adopter for each" in own.warnings
    with_place = pl.read_csv(path, schema_overrides={"end_year": pl.String})
    with_place.drop("place").write_csv(path)
    with pytest.raises(Refused, match=r"adoption_year of an adopter[\s\S]*KXYZ"):
        read_own_panel(path)
    with_place.with_columns(pl.col("place").replace("Akron", "")).write_csv(path)
    with pytest.raises(Refused, match="missing values in place"):
        read_own_panel(path)


@pytest.mark.originals
def test_a_call_sign_of_2022_is_that_of_1922_only_in_its_own_city(tmp_path, originals):
    """Real call signs and cities of 2022; years and attention made up: every third stood in another's city in 1922."""
    real = pl.read_csv(next((originals / "radio_us_2022").glob("*.csv"))).select(
        "call_sign", pl.format("{}, {}", "city", "state").alias("place")
    )
    real = real.sort("call_sign").head(300)
    elsewhere = pl.when(pl.int_range(300) % 3 == 0).then(pl.col("place").shift(7, fill_value="Nowhere"))
    then = real.with_columns(elsewhere.otherwise("place").alias("place"))
    moved = (real["place"] != then["place"]).sum()
    rows = pl.concat(
        frame.with_columns(year=pl.lit(year), attention=pl.int_range(300) + 10.0 + year / 1000)
        for frame, years in ((then, (1922, 1923)), (real, (2021, 2022)))
        for year in years
    ).rename({"call_sign": "adopter"})
    rows.write_csv(tmp_path / "s.csv")
    own = read_own_panel(tmp_path / "s.csv")
    assert 50 < moved <= 100
    assert own.panel.adopters.height == 300 + moved
    assert any(warning.startswith(f"{moved} names in several places") for warning in own.warnings)


def test_the_same_file_gives_the_same_answer_whatever_the_order_of_adopters(tmp_path):
    lines = simulated(120).splitlines()
    names = dict.fromkeys(line.split(",")[0] for line in lines[1:])
    turned = [lines[0], *(line for name in reversed(names) for line in lines[1:] if line.startswith(f"{name},"))]
    path, found = tmp_path / "p.csv", []
    for content in (lines, turned):
        path.write_text("\n".join(content), encoding="utf-8")
        found.append(answer(path, tmp_path / "spill"))
    assert found[0] == found[1]


def test_ranks_that_decay_in_a_known_way_have_a_half_life_and_a_page_that_says_on_what_it_rests(ask):
    x, y, _, regions = WORLDS["panel"](200, 4.0, 12, np.random.default_rng(3))
    rows = [
        (f"a{at:03}", 2000 + on, round(float(np.exp(level)), 6), 1999, f"c{regions[at]}")
        for at in range(200)
        for on, level in enumerate([x[at], *y[at]])
    ]
    rows[0] = (*rows[0][:3], 1998, rows[0][4])
    rows[1:13] = [(*row[:3], 1998, row[4]) for row in rows[1:13]]
    result, found, page = ask(text(rows, (*COLUMNS[:4], "cluster")))
    half = found["persistence"]["half_life"]
    assert (half["reason"], half["first"], half["last"], half["horizons"], half["n"]) == (None, 2001, 2012, 12, 200)
    assert half["interval"][0] < 4 < half["interval"][1]
    for told in (result.stdout, page):
        assert "half-life of early ranks, years" in told
    assert "12 later years, 2001–2012" in page


def test_too_few_to_decide_is_warned_of_with_the_number_that_would_do(ask):
    result, found, _ = ask(simulated(60, "exposure only"))
    primary = found["premium"]["outcomes"]["absolute_growth"]
    assert primary["interval"][0] < 0 < primary["interval"][1]
    needed, read = found["premium"]["needed"], found["premium"]["adopters"]
    assert needed > 60
    assert any(f"about {needed:,} such adopters" in warning for warning in found["warnings"])
    assert f"warning: {read} adopters do not decide" in result.stdout
    assert f"Undecided in {read} adopters" in result.stdout


def test_without_covariates_and_adoption_years_it_says_what_that_means(ask):
    rows = [line.split(",")[:3] for line in simulated(60, since=2013).splitlines()[1:]]
    _, found, _ = ask(text(rows, COLUMNS[:3]))
    said = " ".join(found["warnings"])
    assert "no column adoption_year" in said
    assert found["categories"] == {"going_on": None, "schemes": [], "reason": "no column adoption_year"}
    assert "nothing known before adoption is held constant" in said
    assert found["quality"]["reason"].startswith("no covariate")
    assert found["input"] | {"rows": 0, "adopters": 0} == {
        "file": "own.csv", "rows": 0, "adopters": 0, "years": [2013, 2023], "covariates": [], "adoption_years": False,
        "fields": None, "clusters": None, "sampled": None,
    }  # fmt: skip


def test_names_of_a_stranger_are_text_on_the_page(ask):
    content = simulated(60).replace("standing_2010", "<b>rank</b>_2010")
    result, _, page = ask(content, name="<i>own.csv")
    assert result.returncode == 0
    assert "<b>rank" not in page
    assert "<i>own" not in page
    html5lib.HTMLParser(strict=True).parse(page)


def test_more_adopters_than_pairs_fit_for_get_the_same_estimates_from_blocks(tmp_path, monkeypatch):
    path, spill = tmp_path / "p.csv", tmp_path / "spill"
    path.write_text(simulated(200), encoding="utf-8")
    monkeypatch.setattr("longwave.pipelines.persisting.N_BOOT", 100)
    small = answer(path, spill)
    monkeypatch.setattr("longwave.pipelines.persisting.MAX_ADOPTERS", 100)
    large = answer(path, spill)
    key = ("measure", "bound", "estimate", "n", "dead", "censored", "reason")
    told = [{tuple(row[name] for name in key) for row in each["persistence"]["readings"]} for each in (small, large)]
    assert told[0] == told[1]
    intervals = [each["persistence"]["intervals"].split()[0] for each in (small, large)]
    assert intervals == ["percentile", "infinitesimal"]
    rows = [{row["measure"]: row["interval"] for row in each["persistence"]["readings"]} for each in (small, large)]
    assert rows[0]["tau_b_survivors"] == pytest.approx(rows[1]["tau_b_survivors"], abs=0.03)
    assert {**small, "persistence": 0} == {**large, "persistence": 0}
    assert not spill.exists()


def test_where_pairs_do_not_fit_quality_is_of_a_sample_by_names(tmp_path, monkeypatch):
    path = tmp_path / "p.csv"
    path.write_text(simulated(300), encoding="utf-8")
    monkeypatch.setattr("longwave.pipelines.persisting.N_BOOT", 10)
    whole = answer(path, tmp_path / "spill")
    monkeypatch.setattr("longwave.pipelines.authority_answer.MAX_ADOPTERS", 280)
    monkeypatch.setattr("longwave.pipelines.authority_answer.SAMPLE", 250)
    found = answer(path, tmp_path / "spill")
    assert (whole["quality"]["sampled"], found["quality"]["sampled"], found["quality"]["reason"]) == (None, 250, None)
    assert found["quality"]["early"]["n"] < whole["quality"]["early"]["n"]
    assert found["quality"]["difference"] == pytest.approx(whole["quality"]["difference"], abs=0.15)
    assert any("among 250 adopters drawn by a hash" in warning for warning in found["warnings"])
    assert found["premium"] == whole["premium"]


def test_parquet_is_read_out_of_core_and_modelled_by_a_sample(inside, tmp_path, monkeypatch):
    monkeypatch.setattr("longwave.pipelines.large_panel.SAMPLE", 150)
    pl.read_csv(simulated(300).encode(), infer_schema_length=None).write_parquet(tmp_path / "p.parquet")
    out, page = tmp_path / "p.json", tmp_path / "p.html"
    result = inside(
        ["authority", str(tmp_path / "p.parquet"), "--json", str(out), "--html", str(page)], tmp_path / "home"
    )
    assert (result.returncode, result.stderr) == (0, "")
    found = json.loads(out.read_text(encoding="utf-8"))
    sampled = found["input"]["sampled"]
    assert found["input"]["adopters"] == 300
    assert 100 < sampled < 200
    assert found["input"]["file"] == "p.parquet"
    assert found["premium"]["adopters"] <= sampled
    (tmp_path / "p.csv").write_text(simulated(300), encoding="utf-8")
    whole = answer(tmp_path / "p.csv", tmp_path / "spill")["persistence"]["readings"]
    key = ("measure", "bound", "estimate", "n")
    assert {tuple(row[name] for name in key) for row in found["persistence"]["readings"]} == {
        tuple(row[name] for name in key) for row in whole
    }
    for told in (result.stdout, page.read_text(encoding="utf-8")):
        assert f"persistence is of all 300 adopters, all else of {sampled} drawn" in told
        assert "infinitesimal jackknife" in told
    html5lib.HTMLParser(strict=True).parse(page.read_text(encoding="utf-8"))
    assert list((tmp_path / "home").iterdir()) == []


def test_a_folder_of_parquet_is_one_panel(inside, tmp_path, monkeypatch):
    """In parts by year, which is then in no file, beside what an engine left there half-made."""
    monkeypatch.setattr("longwave.pipelines.large_panel.SAMPLE", 150)
    rows = pl.read_csv(simulated(300).encode(), infer_schema_length=None)
    rows.write_parquet(tmp_path / "p.parquet")
    for (year,), part in rows.group_by("year"):
        folder = tmp_path / "parts" / f"year={year}"
        folder.mkdir(parents=True)
        part.drop("year").write_parquet(folder / "part-0.parquet")
    (tmp_path / "parts" / "_temporary").mkdir()
    (tmp_path / "parts" / "_temporary" / "part-0.parquet").write_text("not yet")
    found = []
    for name in ("p.parquet", "parts"):
        out = tmp_path / f"{name}.json"
        result = inside(["authority", str(tmp_path / name), "--json", str(out)], tmp_path / "home")
        assert (result.returncode, result.stderr) == (0, "")
        found.append(json.loads(out.read_text(encoding="utf-8")))
    assert found[1]["input"]["adopters"] == 300
    assert found[0]["persistence"] == found[1]["persistence"]


def test_a_folder_without_parquet_is_refused(inside, tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "readme.txt").write_text("none here")
    result = inside(["authority", str(tmp_path / "parts")], tmp_path / "home")
    assert result.returncode == 1
    assert "parts" in result.stderr
    assert "a folder of Parquet files" in result.stderr
    assert "Traceback" not in result.stderr


# --- the panel


def test_a_covariate_of_before_is_known_and_of_the_row_stands_at_its_year(tmp_path):
    rows = [(*row, 100 + row[1]) for row in SMALL] + [("a", 2009, 0, 2012, "", "art", "of a", 5, 50)]
    rows += [(*row[:1], 2009, 0, *row[3:], 60) for row in SMALL[3::3]]
    rows = sorted(rows, key=lambda row: row[:2])
    path = tmp_path / "own.csv"
    path.write_text(text(rows, (*COLUMNS, "staff")), encoding="utf-8")
    own = read_own_panel(path)
    assert own.known == ("standing", "staff")
    assert own.panel.prior("standing").tolist() == [5, 6, 7, 8]
    # Staff of 2009 is from before; of 2013 and later it is not looked at.
    assert own.panel.prior("staff").tolist() == [50, 60, 60, 60]
    assert own.panel.adopters["adopted"].to_list() == [2012.0, 2012.0, 2012.0, 2013.0]
    assert own.panel.attention["at"].min() == 2013.5


def test_an_end_is_a_dated_end_and_a_gap_is_none(tmp_path):
    rows = [
        (*row[:4], 2014 if row[0] == "a" else "", *row[5:])
        for row in SMALL
        if row[:2] not in (("a", 2016), ("b", 2016))
    ]
    path = tmp_path / "own.csv"
    path.write_text(text(rows), encoding="utf-8")
    assert read_own_panel(path).panel.adopters["ended"].to_list() == [2015.0, None, None, None]


def test_a_zero_after_a_dated_end_is_no_reading(ask):
    """Many tables write 0 once someone has gone: the same answer as without those rows."""
    lines = simulated(40).splitlines()
    for line in range(1, len(lines)):
        adopter, year, attention, *rest = lines[line].split(",")
        if adopter == "a00007":
            rest[1] = "2020"
            lines[line] = ",".join([adopter, year, "0" if int(year) > 2020 else attention, *rest])
    gone = [line for line in lines if not line.startswith(("a00007,2021", "a00007,2022", "a00007,2023"))]
    assert len(gone) == len(lines) - 3
    (result, zeros, _), (_, without, _) = ask("\n".join(lines)), ask("\n".join(gone))
    assert (result.returncode, result.stderr) == (0, "")
    assert zeros["persistence"] == without["persistence"]
    assert zeros["premium"] == without["premium"]
    assert zeros["persistence"]["readings"][0]["dead"] == 1


def changed(at, **cells):
    """The small panel with some cells of one row (the first is line 2) put in their place."""
    rows = [list(row) for row in SMALL]
    for name, value in cells.items():
        rows[at][COLUMNS.index(name)] = value
    return rows


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (changed(3, attention=""), ["missing values in attention", "line 5"]),
        (changed(3, attention="many"), ["numbers in attention", "line 5: 'many'"]),
        (changed(3, attention="inf"), ["finite numbers", "line 5: 'inf'"]),
        (changed(3, attention=-4), ["attention: expected counts or shares of 0 and more", "line 5: -4"]),
        (changed(3, adopter=""), ["missing values in adopter", "line 5"]),
        (changed(4, year=2013), ["each adopter and year once", "line 5: 'b', 2013", "line 6: 'b', 2013"]),
        (changed(3, year=2015), ["each adopter's years ascending", "line 6: 2014"]),
        (SMALL[:9], ["at least 10", "9 rows"]),
        ([(*row[:2], 7, *row[3:]) for row in SMALL], ["constant attention", "7 in lines 2, 3, 4 and 9 more"]),
        ([(*row[:7], 3) for row in SMALL], ["constant standing_2010", "remove the column"]),
        (changed(3, adoption_year=2011), ["adoption_year of an adopter", "the same in all of its rows", "line 5"]),
        ([(*r[:3], 2014 if r[0] == "b" else r[3], *r[4:]) for r in SMALL], ["no later than the first attention", "line 5: 2014"]),
        ([(*r[:3], "" if r[0] == "b" else r[3], *r[4:]) for r in SMALL], ["a year for every adopter that has attention", "'b'"]),
        ([(*r[:4], 2010 if r[0] == "b" else "", *r[5:]) for r in SMALL], ["no earlier than adoption_year", "line 5: 2010"]),
        ([(*r[:4], 2014 if r[0] == "b" else "", *r[5:]) for r in SMALL], ["no attention after it", "line 7: 2014"]),
        (
            [(*r[:3], 2010 if r[0] == "b" else r[3], *r[4:]) for r in SMALL],
            ["covariates from before the adoption", "line 5: 'b' adopted in 2010, standing is of 2010", "standing_2010)"],
        ),
        (changed(3, standing_2010=77), ["standing_2010 of an adopter", "line 5"]),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_refused_with_its_lines(refusal, rows, told):
    said = refusal(rows)
    for part in told:
        assert part in said


def test_a_covariate_of_the_rows_alone_would_leak_and_is_refused(refusal):
    said = refusal([(*row, 100 + at) for at, row in enumerate(SMALL)], (*COLUMNS, "staff"))
    assert "covariates from before the adoption" in said
    assert "'staff' known from the adoption on alone, in lines 2, 3, 4 and 9 more" in said
    assert "line 2: 'a' adopted in 2012, staff is of 2013" in said
    assert "what the attention made of it" in said


def test_a_column_that_must_be_there_is_named(refusal):
    assert "attention" in refusal([row[:2] for row in SMALL], COLUMNS[:2])


@pytest.mark.parametrize("option", ["--json", "--html"])
def test_an_output_that_would_overwrite_the_input_is_wrong_usage(inside, tmp_path, option):
    path = tmp_path / "own.csv"
    path.write_text(text(SMALL), encoding="utf-8")
    result = inside(["authority", str(path), option, str(path)], tmp_path / "home")
    assert result.returncode == 2
    assert "overwritten" in result.stderr
    assert path.read_text(encoding="utf-8") == text(SMALL)


def test_no_file_is_wrong_usage_and_a_refusal_is_exit_1(inside, tmp_path):
    assert inside(["authority", str(tmp_path / "none.csv")], tmp_path / "home").returncode == 2
    path = tmp_path / "own.csv"
    path.write_text(text(SMALL[:3]), encoding="utf-8")
    assert inside(["authority", str(path)], tmp_path / "home").returncode == 1


def test_a_leak_would_make_a_premium_out_of_nothing():
    """What the refusal is for: holding the attention that came of adoption constant turns exposure into a loss."""
    from longwave.models.premium import premium

    frame = STUDY["world"]("exposure only", 900, np.random.default_rng(4))
    leaking = frame.with_columns(known_leak=(pl.col("first") + 1).log())
    assert premium(leaking).hi < 0
    assert premium(frame).lo < 0 < premium(frame).hi
