"""From panels of adopters and reference series to rows, verdicts and figures: presence and outcome, and speed."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from longwave.models.adopters import ADOPTERS, ATTENTION, COVARIATES, AdopterPanel
from longwave.models.claims import evaluate, load_registry
from longwave.pipelines import find_presence
from longwave.pipelines.blocks_presence import PAGE, presence_blocks
from longwave.pipelines.claim_names import ALL_PAIRS, JOURNALS, NEWSPAPERS, SPEED
from longwave.pipelines.find import as_table
from longwave.reports import svg
from longwave.reports.content import FigureBlock
from longwave.warehouse.tables import TABLES

DAY = date(2026, 1, 1)
N = 400


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    for name in ("N_BOOT", "N_BOOT_BESIDE"):
        monkeypatch.setattr(find_presence, name, 99)


def panel(slope=0.0, n=N, fields=8, apart=0.0, flags=None, months=(2022.6, 2023.8)):
    """Journals whose standing follows from their followers within fields; fields lie apart the other way round."""
    rng = np.random.default_rng(11)
    names = [f"j{at:04d}" for at in range(n)]
    field = rng.integers(0, fields, n)
    level = rng.standard_normal(n)
    standing = slope * level + rng.standard_normal(n) - apart * field
    opened = 2008.0 + 14.0 * rng.random(n)
    adopters = pl.DataFrame(
        {
            "adopter": names,
            "adopted": opened,
            "ended": [None] * n,
            "cluster": [f"P{at % 60}" for at in range(n)],
            "field": [f"field {at}" for at in field],
            "flags": flags or [""] * n,
        },
        schema=ADOPTERS,
    )
    followers = np.exp(level + 8 + apart * field).tolist()
    attention = [(name, at, count) for at in months for name, count in zip(names, followers, strict=True)]
    covariates = [(name, "sjr", 2011.0, float(np.exp(y))) for name, y in zip(names, standing, strict=True)]
    covariates += [(name, "documents", 2011.0, float(at % 50)) for at, name in enumerate(names)]
    return AdopterPanel(
        "twitter",
        "followers",
        2006.5,
        adopters,
        pl.DataFrame(attention, schema=ATTENTION, orient="row"),
        pl.DataFrame(covariates, schema=COVARIATES, orient="row"),
    )


def papers(n=50):
    """Newspapers whose finalists follow from their copies."""
    names = [f"paper {at}" for at in range(n)]
    rows = {"adopter": names, "adopted": [2004.5] * n, "ended": [None] * n, "cluster": names, "field": ["daily"] * n}
    return AdopterPanel(
        "newspapers",
        "copies",
        1600.5,
        pl.DataFrame(rows | {"flags": [""] * n}, schema=ADOPTERS),
        pl.DataFrame(
            [(name, 2004.5, 1000.0 * (1 + at)) for at, name in enumerate(names)], schema=ATTENTION, orient="row"
        ),
        pl.DataFrame(
            [(name, "finalists", 2004.0, float(at // 4)) for at, name in enumerate(names)],
            schema=COVARIATES,
            orient="row",
        ),
    )


def tables(rows):
    kept = {"findings": rows.findings, "finding_curves": rows.curves}
    return [TABLES[name].schema.validate(as_table(part, name, "s", DAY, "k"), cast=True) for name, part in kept.items()]


def decided(*studies):
    found = pl.concat([tables(study)[0] for study in studies])
    captures = {JOURNALS: ["journals_followers@2023-11-01"]}
    return {entry["id"]: entry for entry in evaluate(load_registry(), found, captures, DAY)}


def value(rows, measure, mode, subject=JOURNALS):
    (found,) = [
        row for row in rows.findings if (row["subject"], row["measure"], row["mode"]) == (subject, measure, mode)
    ]
    return found


# --- pairs


def test_pairs_are_of_the_newest_month_and_leave_shared_accounts_out():
    flags = ["shared_account" if at < 3 else "no_citable_documents" for at in range(N)]
    given = panel(flags=flags)
    pairs = find_presence.journal_pairs(given)
    assert pairs.height == N - 3
    newest = given.attention.filter(pl.col("at") == 2023.8)
    assert pairs["presence"][0] == newest.filter(pl.col("adopter") == "j0003")["attention"][0]
    assert find_presence.journal_pairs(given, newest=False)["age"][0] == pytest.approx(pairs["age"][0] - 1.2)
    assert pairs["documents"].null_count() == 0


def test_a_journal_without_a_field_or_a_publisher_is_alike_with_none():
    given = panel()
    blank = given.adopters.with_columns(
        *(
            pl.when(pl.col("adopter") < "j0002").then(None).otherwise(pl.col(name)).alias(name)
            for name in ("cluster", "field")
        )
    )
    pairs = find_presence.journal_pairs(
        AdopterPanel("twitter", "followers", 2006.5, blank, given.attention, given.covariates)
    )
    assert pairs["cluster"][:2].to_list() == ["journal j0000", "journal j0001"]
    assert pairs["field"][:2].n_unique() == 2


def test_nothing_held_gives_no_rows():
    given = panel()
    without = AdopterPanel(
        "twitter", "followers", 2006.5, given.adopters, given.attention.clear(), given.covariates.clear()
    )
    found = find_presence.presence_rows({JOURNALS: without, NEWSPAPERS: without})
    assert (found.findings, found.curves) == ([], [])
    assert presence_blocks(*tables(found)) == []
    assert decided(found)["C1"]["verdict"] == "not testable with what is held"


# --- verdicts


@pytest.mark.parametrize(
    ("slope", "n", "verdict"),
    [(0.6, N, "contradicted"), (0.0, 2500, "supported"), (0.0, N, "undecided"), (-0.6, N, "contradicted")],
    ids=["goes with it", "shown to be none", "too few to tell", "goes against it"],
)
def test_the_verdict_on_presence_follows_from_the_rule(slope, n, verdict, monkeypatch):
    monkeypatch.setattr(find_presence, "N_BOOT", 399)
    monkeypatch.setattr(
        find_presence, "_variants", lambda _, pairs: [find_presence.Variant(ALL_PAIRS, pairs, primary=True)]
    )
    monkeypatch.setattr(find_presence, "_add_fields", lambda *_: None)
    entry = decided(find_presence.journal_presence(panel(slope, n)))["C1"]
    assert entry["verdict"] == verdict
    assert entry["by"][0]["captures"] == ["journals_followers@2023-11-01"]


@pytest.fixture(scope="module")
def found():
    with pytest.MonkeyPatch.context() as patched:
        for name in ("N_BOOT", "N_BOOT_BESIDE"):
            patched.setattr(find_presence, name, 199)
        return find_presence.presence_rows({JOURNALS: panel(0.9, apart=1.0), NEWSPAPERS: papers()})


def test_every_criterion_of_these_claims_finds_its_number(found):
    entries = decided(found, find_presence.adoption_speed(series()))
    for claim in ("C1", "C2", "C9"):
        assert [row["mode"] for row in entries[claim]["by"] if row["estimate"] is None] == []


def test_fields_that_lie_apart_hide_what_is_within_them(found):
    whole, inside = (value(found, "spearman", mode)["estimate"] for mode in (ALL_PAIRS, "within fields"))
    assert whole < 0 < inside
    less = value(found, "within_less_pooled", ALL_PAIRS)
    tau = [value(found, "tau_b", mode)["estimate"] for mode in ("within fields", ALL_PAIRS)]
    assert less["estimate"] == pytest.approx(tau[0] - tau[1])
    assert decided(found)["C9"]["verdict"] == "supported"
    assert value(found, "spearman", ALL_PAIRS, NEWSPAPERS)["note"] == "correlated"


def test_each_largest_contributor_is_left_out_and_the_registry_asks_for_it():
    pairs = find_presence.journal_pairs(panel())
    kept = dict(find_presence._left_out(pairs))
    for mode, column in (("without the largest publisher", "cluster"), ("without the largest field", "field")):
        gone = pairs.join(kept[mode], on="adopter", how="anti")
        assert gone[column].n_unique() == 1
        assert gone.height == pairs[column].value_counts()["count"].max()
    claims = {claim["id"]: claim["criteria"] for claim in load_registry()["claims"]}
    for name in ("C1", "C9"):
        assert set(kept) <= {row["mode"] for row in claims[name] if "stress" in row}


# --- speed


def series(social=5.0, peers=20, spread=0.3):
    """Series that go from 0 to 100 in a straight line, so that 10 to 50 % take 40 % of the time; one short one in question."""
    rng = np.random.default_rng(3)
    rows = []
    for at in range(peers + 1):
        took = social if at == peers else 10.0 * np.exp(spread * rng.standard_normal())
        slope = 40.0 / took
        medium = "social" if at == peers else "appliance"
        for year in range(80):
            level = min(100.0, slope * year)
            rows.append((f"s{at}", f"c{at}|USA", medium, 1900 + year, level, False))
    schema = ["series", "concept_group", "medium", "year", "value", "interpolated"]
    return pl.DataFrame(rows, schema=schema, orient="row")


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        (series(9.0), "not testable with what is held"),
        (series(2.0), "contradicted"),
        (series(60.0), "contradicted"),
        (series(2.0, peers=14), "not testable with what is held"),
    ],
    ids=["inside", "faster", "slower", "too few references"],
)
def test_the_verdict_on_speed_can_only_contradict(given, verdict):
    entry = decided(find_presence.adoption_speed(given))["C2"]
    assert entry["verdict"] == verdict
    if "too few" in (entry["by"][0]["note"] or ""):
        assert "of the 15 asked for" in entry["by"][0]["note"]


def test_years_stand_beside_both_intervals():
    rows = find_presence.adoption_speed(series(5.0))
    found = value(rows, "years_10_to_50", "as observed", SPEED)
    assert found["estimate"] == pytest.approx(5.0, abs=0.1)
    ratio = value(rows, "speed_ratio", "as observed", SPEED)
    assert ratio["lo"] == pytest.approx(found["estimate"] / found["hi"])
    assert value(rows, "years_10_to_50_by_rank", "as observed", SPEED)["level"] == pytest.approx(19 / 21)
    without = find_presence.adoption_speed(series().filter(pl.col("medium") != "social"))
    assert {row["measure"] for row in without.findings} <= {"series_left_out"}
    assert find_presence.adoption_speed(series().clear()).findings == []


# --- figures


def test_every_figure_is_drawn_and_its_words_are_of_its_numbers(found):
    blocks = {
        block.id: block
        for block in presence_blocks(
            *(
                pl.concat(pair)
                for pair in zip(tables(found), tables(find_presence.adoption_speed(series())), strict=True)
            )
        )
    }
    assert list(blocks) == ["followers-and-standing", "presence-correlations", "years-to-half"]
    for block in blocks.values():
        assert isinstance(block, FigureBlock)
        assert block.page == PAGE
        assert svg.render(block.figure, 960, int(block.figure.layout.height), block.alt).startswith("<svg")
    whole = value(found, "spearman", ALL_PAIRS)["estimate"]
    assert f"ρ −{abs(whole):.2f} among all" in blocks["followers-and-standing"].figure.layout.title.text
    said = [row["note"] for row in found.findings if row["measure"] == "spearman"]
    title = blocks["presence-correlations"].figure.layout.title.text
    assert title.startswith(f"In {said.count('correlated')} of {len(said)} ways")
    assert "took 5 years" in blocks["years-to-half"].figure.layout.title.text
    assert "20 technologies" in blocks["years-to-half"].note


def test_points_are_a_part_and_middles_are_of_all(found):
    frame = tables(found)[1]
    middles = frame.filter(pl.col("measure") == "middle standing among all")
    assert middles["n"].sum() == N
    points = frame.filter(pl.col("measure") == "standing among all")
    assert points.height == N
    assert points["x"].min() == pytest.approx(100 * 0.5 / N)
