"""How often figures are revised: by hand, by a second method, on a panel whose truth is known, and on the vintages held."""

import shutil
from datetime import date
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from longwave.models.arrivals import arrival_thirds, latecomers, mantel_haenszel, thirds_by_age
from longwave.models.revisions import (
    AGGREGATES,
    ALL_PAIRS,
    SINCE_FIRST,
    Adopters,
    by_age,
    measured,
    since_first_published,
    summary,
)
from longwave.pipelines.rewriting import OVERLAP, rewriting
from longwave.pipelines.sources import SOURCES
from longwave.warehouse.founding_files import founding_folder, named, read_originals, read_source
from longwave.warehouse.home import Home
from longwave.warehouse.merge import MergeCounts
from longwave.warehouse.revision_frames import revised_shares, revision_frame
from longwave.warehouse.store import Warehouse
from longwave.warehouse.tidy import content_digest, map_to_series

EARLIER, LATER = date(2020, 6, 1), date(2021, 6, 1)
FIRST = f"{EARLIER} to {LATER}"


def figure(adopter, year, before, after, *, unit="share", pair=(EARLIER, LATER), first=None):
    return (unit, adopter, *pair, year, before, after, first)


def frame(*rows):
    kinds = [pl.String, pl.String, pl.Date, pl.Date, pl.Int32, pl.Float64, pl.Float64, pl.Date]
    names = ["unit_class", "adopter", "earlier", "later", "year", "value_earlier", "value_later", "first_published"]
    return pl.DataFrame(rows, schema=dict(zip(names, kinds, strict=True)), orient="row")


def run(function, rows, **changes):
    return function(rows, **({"n_boot": 200, "seed": 1} | changes))


def row(table, measure, pair=ALL_PAIRS):
    found = table.filter(pl.col("measure") == measure, pl.col("pair") == pair)
    assert found.height == 1
    return found.row(0, named=True)


# --- what counts as revised


@pytest.mark.parametrize(
    ("unit", "before", "after", "revised", "size"),
    [
        ("share", 10.0, 10.05, False, 0.05),
        ("share", 10.0, 10.0501, True, 0.0501),
        ("share", 58.0, 16.8, True, 41.2),
        ("count", 100.0, 99.0, False, 1.0),
        ("count", 100.0, 98.9, True, 1.1),
        ("count", 98.9, 100.0, True, 1.1),
        ("count", 1e9, 1.005e9, False, 100 * 0.005 / 1.005),
        ("money", 2.0, 1.0, True, 50.0),
        ("count", 0.0, 0.0, False, 0.0),
        ("share", 3.0, 3.0, False, 0.0),
    ],
)
def test_revised_is_over_the_tolerance_of_its_unit(unit, before, after, revised, size):
    (found,) = measured(frame(figure("A", 2000, before, after, unit=unit))).iter_rows(named=True)
    assert found["revised"] is revised
    assert found["size"] == pytest.approx(size)
    assert found["differs"] is (before != after)
    assert found["age"] == 20
    assert found["counted"] is (before != 0)


def test_the_tolerance_can_be_halved_and_doubled():
    rows = frame(figure("A", 2000, 10.0, 10.04), figure("B", 2000, 10.0, 10.08), figure("C", 2000, 10.0, 10.2))
    counted = {factor: measured(rows, factor=factor)["revised"].sum() for factor in (0.5, 1.0, 2.0)}
    assert counted == {0.5: 3, 1.0: 2, 2.0: 1}


def test_added_withdrawn_and_zeros_are_counted_and_stand_in_no_share():
    rows = frame(
        figure("A", 2000, 0.0, 0.0),
        figure("A", 2001, 0.0, 7.0),
        figure("A", 2002, 5.0, 0.0),
        figure("A", 2003, 6.0, 6.0),
        figure("B", 2003, None, 4.0),
        figure("B", 2004, 3.0, None),
        figure("B", 2005, 3.0, None),
    )
    table = run(summary, rows)
    counts = ("in_both", "differing", "revised", "added", "withdrawn", "zeros", "zeros_revised")
    assert [row(table, name)["estimate"] for name in counts] == [4, 2, 2, 1, 2, 2, 1]
    share = row(table, "share_revised")
    assert (share["estimate"], share["n"], share["n_adopters"]) == (0.5, 2, 1)


def test_pairs_stand_apart_and_together():
    second = (LATER, date(2022, 6, 1))
    rows = frame(
        *[figure(f"A{i}", 2000, 10.0, 10.0 + (i < 6)) for i in range(20)],
        *[figure(f"A{i}", 2000, 10.0, 10.0 + (i < 12), pair=second) for i in range(20)],
    )
    table = run(summary, rows)
    assert table["pair"].unique(maintain_order=True).to_list() == [ALL_PAIRS, FIRST, "2021-06-01 to 2022-06-01"]
    shares = [row(table, "share_revised", pair)["estimate"] for pair in table["pair"].unique(maintain_order=True)]
    assert shares == [pytest.approx(18 / 40), pytest.approx(6 / 20), pytest.approx(12 / 20)]
    assert row(table, "share_revised")["n_adopters"] == 20


def test_few_revised_adopters_give_no_interval_and_say_so():
    rows = frame(*[figure(f"A{i:02d}", 2000, 10.0, 10.0 + (i < 4)) for i in range(30)])
    few = row(run(summary, rows), "share_revised")
    assert (few["lo"], few["hi"]) == (None, None)
    assert "fewer than 5 adopters" in few["reason"]
    none = run(summary, frame(*[figure(f"A{i}", 2000, 10.0, 10.0) for i in range(30)]))
    assert row(none, "share_revised")["estimate"] == 0
    assert (row(none, "median_size")["estimate"], row(none, "median_size")["reason"]) == (None, "no figure was revised")
    enough = frame(*[figure(f"A{i:02d}", 2000, 10.0, 10.0 + (i < 5)) for i in range(30)])
    assert row(run(summary, enough), "share_revised")["lo"] is not None
    nothing = run(summary, frame(figure("A", 2000, None, 1.0)))
    assert row(nothing, "share_revised")["reason"] == "no figure to compare"


def test_very_many_adopters_are_resampled_less_often():
    rows = pl.DataFrame({"adopter": [f"A{i:05d}" for i in range(25_000)]})
    assert Adopters.of(rows, 400, 1).draws.shape == (201, 25_000)
    assert Adopters.of(rows.head(100), 400, 1).draws.shape == (401, 100)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: f.drop("adopter", "year"), "adopter, year"),
        (lambda f: f.head(0), "no rows"),
        (lambda f: f.with_columns(value_later=float("inf")), "value_later"),
        (lambda f: f.with_columns(value_earlier=float("nan")), "value_earlier"),
        (lambda f: f.with_columns(later=pl.col("earlier")), "2020-06-01 does not come after 2020-06-01"),
        (lambda f: pl.concat([f, f.head(1)]), "'A' has several figures of 2000"),
        (
            lambda f: f.with_columns(value_earlier=pl.lit(None, pl.Float64), value_later=pl.lit(None, pl.Float64)),
            "in neither",
        ),
    ],
)
def test_bad_input_is_refused_by_name(spoil, message):
    rows = frame(figure("A", 2000, 1.0, 2.0), figure("B", 2000, 1.0, 2.0))
    with pytest.raises(ValueError, match=message):
        run(summary, spoil(rows))


# --- the second method


def random_rows(seed, adopters=30, years=12):
    rng = np.random.default_rng(seed)
    found = []
    for i in range(adopters):
        rate = rng.beta(1.5, 4)
        for year in range(2020 - years, 2020):
            before = round(float(rng.uniform(1, 90)), 2)
            moved = rng.random() < rate
            found.append(figure(f"A{i:02d}", year, before, before + moved * round(float(rng.normal(0, 4)), 2)))
    return frame(*found)


def test_a_resample_by_counts_equals_the_resample_with_its_copies():
    rows = measured(random_rows(2)).filter("counted")
    adopters = Adopters.of(rows, 25, 7)
    assert adopters.draws[0].tolist() == [1.0] * len(adopters.names)
    assert (adopters.draws.sum(axis=1) == len(adopters.names)).all()
    parts = rows.partition_by("adopter", as_dict=True)
    shares, medians = [], []
    for counts in adopters.draws:
        drawn = zip(adopters.names, counts, strict=True)
        copies = pl.concat([parts[(name,)] for name, n in drawn for _ in range(int(n))])
        shares.append(copies["revised"].mean())
        medians.append(np.quantile(copies.filter("revised")["size"].to_numpy(), 0.5, method="inverted_cdf"))
    table = run(summary, random_rows(2), n_boot=25, seed=7)
    for measure, values in (("share_revised", shares), ("median_size", medians)):
        found = row(table, measure)
        assert found["estimate"] == pytest.approx(values[0])
        assert [found["lo"], found["hi"]] == pytest.approx(np.quantile(values[1:], [0.025, 0.975]))


def test_sizes_are_the_quantiles_of_the_revised():
    rows = random_rows(3)
    sizes = (rows["value_earlier"] - rows["value_later"]).abs().to_numpy()
    sizes = sizes[sizes > 0.05]
    table = run(summary, rows)
    assert row(table, "median_size")["estimate"] == pytest.approx(np.quantile(sizes, 0.5, method="inverted_cdf"))
    assert row(table, "size_90")["estimate"] == pytest.approx(np.quantile(sizes, 0.9, method="inverted_cdf"))
    assert row(table, "size_90")["n"] == len(sizes)


def test_mantel_haenszel_by_hand_and_where_groups_do_not_meet():
    hit_1, total_1 = np.array([3.0, 5.0, 2.0]), np.array([10.0, 20.0, 4.0])
    hit_0, total_0 = np.array([1.0, 2.0, 0.0]), np.array([20.0, 10.0, 0.0])
    above = (3 * 20 - 1 * 10) / 30 + (5 * 10 - 2 * 20) / 30
    below = 10 * 20 / 30 + 20 * 10 / 30
    assert mantel_haenszel(hit_1, total_1, hit_0, total_0) == pytest.approx(above / below)
    assert np.isnan(mantel_haenszel(hit_1[2:], total_1[2:], hit_0[2:], total_0[2:]))


def test_same_seed_same_rows_in_any_order():
    rows = random_rows(4)
    shuffled = rows.sample(fraction=1.0, shuffle=True, seed=9)
    for function in (summary, by_age, latecomers, thirds_by_age):
        assert run(function, shuffled).equals(run(function, rows))
    assert not run(summary, rows, seed=2).equals(run(summary, rows))


# --- by age, since first publication


def test_ages_count_to_the_earlier_vintage_and_small_ones_are_left_out():
    rows = frame(
        *[figure(f"A{i:02d}", 2018, 10.0, 10.0 + (i < 8)) for i in range(16)],
        *[figure(f"A{i:02d}", 2010, 10.0, 11.0) for i in range(9)],
    )
    table = run(by_age, rows).filter(pl.col("pair") == ALL_PAIRS)
    (share,) = table.filter(pl.col("measure") == "share_revised").iter_rows(named=True)
    assert (share["age"], share["estimate"], share["n"]) == (2, 0.5, 16)
    # Eight revised at age 2 and nine at age 10: too few for a size.
    assert table.filter(pl.col("measure") != "share_revised").is_empty()


def test_first_published_values_are_followed_to_every_later_vintage():
    days = [date(2020, 1, 1), date(2021, 1, 1), date(2022, 1, 1), date(2024, 1, 1)]
    pairs = list(pairwise(days))
    rows = []
    for i in range(20):
        first, second, third = 10.0, 10.0 + (i < 5), 10.0 + (5 <= i < 15)
        told = {"first": days[1]}
        rows.append(figure(f"A{i:02d}", 2019, None, first, pair=pairs[0], **told))
        rows.append(figure(f"A{i:02d}", 2019, first, second, pair=pairs[1], **told))
        rows.append(figure(f"A{i:02d}", 2019, second, third, pair=pairs[2], **told))
        rows.append(figure(f"A{i:02d}", 2015, 10.0, 50.0, pair=pairs[0]))
    table = run(since_first_published, frame(*rows))
    assert table.select("first_published", "later", "n", "n_adopters").rows() == [
        (days[1], days[2], 20, 20),
        (days[1], days[3], 20, 20),
    ]
    # Those that went back to what they were stand as first published.
    assert table["estimate"].to_list() == [0.25, 0.5]
    assert table["years"].to_list() == pytest.approx([1, 3], abs=0.01)
    assert run(since_first_published, frame(figure("A", 2000, 1.0, 2.0))).is_empty()


# --- who came late


def rising(adopter, reached, *, first=1990, last=2019, level=40.0, start=1.0, moved=()):
    years = range(first, last + 1)
    values = {year: level if reached and year >= reached else start for year in years}
    return [figure(adopter, year, values[year], values[year] + (year in moved)) for year in years]


def test_thirds_are_of_the_year_at_ten_and_the_revision_has_no_say():
    years = {"A": 1995, "B": 1996, "C": 2000, "D": 2001, "E": 2010, "F": None}
    rows = [r for name, year in years.items() for r in rising(name, year)]
    # A latecomer whom the later vintage makes an early one, and one that begins over ten.
    rows = [(*r[:6], 90.0, r[7]) if r[1] == "F" else r for r in rows] + rising("G", 1990)
    found = {r["adopter"]: r for r in arrival_thirds(frame(*rows)).iter_rows(named=True)}
    thirds = {name: r["third"] for name, r in found.items()}
    assert thirds == {
        "A": "earliest",
        "B": "earliest",
        "C": "middle",
        "D": "middle",
        "E": "latest",
        "F": "latest",
        "G": None,
    }
    assert (found["F"]["reached"], found["E"]["reached"]) == (None, 2010)
    table = run(latecomers, frame(*rows))
    assert (row(table, "not_reached")["estimate"], row(table, "arrival_unknown")["estimate"]) == (1, 1)


def test_a_third_with_few_revised_adopters_gives_no_interval():
    for few, said in ((4, True), (5, False)):
        rows = [r for i in range(12) for r in rising(f"E{i:02d}", 1995, moved=(2019,) if i < few else ())]
        rows += [r for i in range(12) for r in rising(f"M{i:02d}", 2005)]
        rows += [r for i in range(12) for r in rising(f"L{i:02d}", 2015, moved=(2018, 2019) if i < 9 else ())]
        table = run(latecomers, frame(*rows))
        for measure in ("difference", "difference_within_age"):
            found = row(table, measure)
            assert found["estimate"] > 0
            assert (found["lo"] is None) is (found["hi"] is None) is said
            assert ("adopters of a third" in (found["reason"] or "")) is said


def test_adopters_of_one_year_stay_together():
    rows = [r for i in range(9) for r in rising(f"A{i}", 2000 if i < 7 else 2005)]
    thirds = arrival_thirds(frame(*rows))
    assert thirds.group_by("reached").agg(pl.col("third").n_unique()).get_column("third").to_list() == [1, 1]


def test_younger_figures_do_not_make_a_difference_within_age():
    """Latecomers' records are shorter and the young are revised: all of the difference is age."""
    young = range(2015, 2020)
    rows = [r for i in range(20) for r in rising(f"E{i:02d}", 1992, first=1990, moved=young if i % 2 else ())]
    rows += [r for i in range(20) for r in rising(f"M{i:02d}", 2013, first=2010, moved=young if i % 2 else ())]
    rows += [r for i in range(20) for r in rising(f"L{i:02d}", 2018, first=2014, moved=young if i % 2 else ())]
    table = run(latecomers, frame(*rows))
    assert row(table, "difference")["estimate"] > 0.3
    assert row(table, "difference_within_age")["estimate"] == pytest.approx(0.0, abs=1e-12)
    ages = run(thirds_by_age, frame(*rows))
    assert ages.filter(pl.col("third") == "latest")["age"].max() == 6
    assert ages.filter(pl.col("third") == "earliest")["age"].max() == 30


# --- a panel whose truth is known


def panel(rng, *, adopters=90, years=20, gap=0.15):
    """Rates of revision fall with age and are `gap` higher for the last third; adopters share a luck of their own."""
    rows = []
    for i in range(adopters):
        third, luck = i // (adopters // 3), rng.uniform(-0.1, 0.1)
        reached = 2000 + 5 * third
        for year in range(2020 - years, 2020):
            rate = truth(2020 - year) + (gap if third == 2 else 0.0) + luck
            before = 50.0 if year >= reached else 5.0 + 0.01 * i
            rows.append(figure(f"A{i:02d}", year, before, before + 2.0 * (rng.random() < rate)))
    return frame(*rows)


def truth(age):
    return 0.5 - 0.015 * age


def test_known_rates_lie_in_their_intervals():
    shares = ages = gaps = crude = 0
    n_panels, n_ages = 40, 20
    for seed in range(n_panels):
        rows = panel(np.random.default_rng([seed, 11]))
        overall = row(run(summary, rows, seed=seed), "share_revised")
        expected = np.mean([truth(age) for age in range(1, 21)]) + 0.05
        shares += overall["lo"] <= expected <= overall["hi"]
        lines = run(by_age, rows, seed=seed).filter(pl.col("pair") == ALL_PAIRS, pl.col("measure") == "share_revised")
        assert lines.height == n_ages
        ages += sum(r["lo"] <= truth(r["age"]) + 0.05 <= r["hi"] for r in lines.iter_rows(named=True))
        table = run(latecomers, rows, seed=seed)
        within, plain = row(table, "difference_within_age"), row(table, "difference")
        gaps += within["lo"] <= 0.15 <= within["hi"]
        crude += plain["lo"] <= 0.15 <= plain["hi"]
    # 38 of 40 are expected; fewer than 34 would be seen once in a hundred such tests.
    assert min(shares, gaps, crude) >= 34
    assert ages >= 0.9 * n_panels * n_ages


def test_without_a_difference_none_is_found():
    found = 0
    for seed in range(40):
        table = run(latecomers, panel(np.random.default_rng([seed, 12]), gap=0.0), seed=seed)
        within = row(table, "difference_within_age")
        found += within["lo"] > 0 or within["hi"] < 0
    assert found <= 6


# --- which figures are a pair

NET = "grapher_internet_share"
HOUSEHOLDS = "owid_technology_diffusion"


def paired(warehouse):
    found = revision_frame(warehouse.con)
    return found.select("adopter", "year", "value_earlier", "value_later", "first_published").rows()


def test_how_far_figures_err_does_not_hang_on_how_many_vintages_changed_nothing(made_home, record):
    with Warehouse(made_home) as warehouse:
        record(warehouse, NET, "2020-01-01", {("Ghana", 2018): 10.0, ("Ghana", 2019): 0.0, ("Kenya", 2018): 5.0})
        assert revised_shares(warehouse.con, {"internet": (NET, "users_share")}) == {}
        record(warehouse, NET, "2021-01-01", {("Ghana", 2018): 11.0, ("Ghana", 2019): 3.0, ("Kenya", 2018): 5.0})
        for year in (2022, 2023):
            record(warehouse, NET, f"{year}-01-01", {("Ghana", 2018): 13.0, ("Ghana", 2019): 3.0, ("Ghana", 2020): 9.0})
        found = revised_shares(warehouse.con, {"internet": (NET, "users_share"), "radio": ("hccta", "radios")})
        # A year that began as a 0 is left out; of Kenya there is what two vintages gave.
        assert {name: sorted(frame.rows()) for name, frame in found.items()} == {
            "internet": [(2018, 5.0, 5.0), (2018, 10.0, 13.0), (2020, 9.0, 9.0)]
        }


def test_consecutive_vintages_are_paired_and_first_publication_is_known_for_what_came_later(made_home, record):
    with Warehouse(made_home) as warehouse:
        record(warehouse, NET, "2020-01-01", {("Ghana", 2018): 10.0, ("Ghana", 2019): 20.0})
        assert revision_frame(warehouse.con).is_empty()
        record(warehouse, NET, "2021-01-01", {("Ghana", 2018): 11.0, ("Ghana", 2020): 30.0})
        record(warehouse, NET, "2023-01-01", {("Ghana", 2018): 11.0, ("Ghana", 2020): 31.0})
        found = revision_frame(warehouse.con)
        assert found.select("earlier", "later").unique().sort("earlier").rows() == [
            (date(2020, 1, 1), date(2021, 1, 1)),
            (date(2021, 1, 1), date(2023, 1, 1)),
        ]
        new = date(2021, 1, 1)
        assert paired(warehouse) == [
            ("GHA", 2018, 10.0, 11.0, None),
            ("GHA", 2019, 20.0, None, None),
            ("GHA", 2020, None, 30.0, new),
            ("GHA", 2018, 11.0, 11.0, None),
            ("GHA", 2020, 30.0, 31.0, new),
        ]
        assert found["subject"].unique().to_list() == [f"{NET}/users_share"]
        warehouse.con.execute("SET VARIABLE as_of = '2022-01-01'")
        assert [known[:4] for known in paired(warehouse)] == [
            ("GHA", 2018, 10.0, 11.0),
            ("GHA", 2019, 20.0, None),
            ("GHA", 2020, None, 30.0),
        ]


def test_what_a_capture_does_not_speak_of_is_not_compared(made_home, record):
    with Warehouse(made_home) as warehouse:
        record(warehouse, HOUSEHOLDS, "2019-01-01", {("Radio", 2000): 90.0, ("Landline", 2000): 80.0})
        record(warehouse, HOUSEHOLDS, "2020-01-01", {("Radio", 2000): 91.0, ("Podcasts", 2010): 1.0}, scope="listed")
        # The first spoke of all there is, so what it lacked is added; of the landline the second says nothing.
        assert [known[:4] for known in paired(warehouse)] == [
            ("Podcasts", 2010, None, 1.0),
            ("Radio", 2000, 90.0, 91.0),
        ]


def test_periods_outside_the_span_of_a_capture_are_not_compared(made_home, record):
    with Warehouse(made_home) as warehouse:
        record(warehouse, NET, "2020-01-01", {("Ghana", 2017): 9.0, ("Ghana", 2018): 10.0})
        record(warehouse, NET, "2021-01-01", {("Ghana", 2017): 9.0, ("Ghana", 2018): 11.0})
        warehouse.con.execute(
            "UPDATE capture_scope SET period_from = DATE '2018-01-01' WHERE capture LIKE '%@2021-01-01#%'"
        )
        assert [known[:4] for known in paired(warehouse)] == [("GHA", 2018, 10.0, 11.0)]


def test_values_carried_forward_never_count(made_home, record):
    with Warehouse(made_home) as warehouse:
        carried = {("Radio", 2000): 90.0, ("Radio", 2001): (90.0, "carried_forward")}
        record(warehouse, HOUSEHOLDS, "2019-01-01", carried)
        record(warehouse, HOUSEHOLDS, "2020-01-01", {("Radio", 2000): 90.0, ("Radio", 2001): 94.0})
        # What was carried forward was no observation: it is added, not revised.
        assert paired(warehouse) == [
            ("Radio", 2000, 90.0, 90.0, None),
            ("Radio", 2001, None, 94.0, date(2020, 1, 1)),
        ]


def test_a_vintage_without_a_date_has_no_place_in_the_order(made_home, record):
    with Warehouse(made_home) as warehouse:
        record(warehouse, NET, "2020-01-01", {("Ghana", 2018): 10.0})
        record(warehouse, NET, "2021-01-01", {("Ghana", 2018): 11.0})
        warehouse.con.execute("UPDATE captures SET vintage_precision = 'undated' WHERE vintage = '2021-01-01'")
        assert revision_frame(warehouse.con).is_empty()


# --- the vintages held

VINTAGES = {
    NET: ["2022-04-08", "2023-04-12", "2025-11-30", "2026-01-29"],
    HOUSEHOLDS: ["2018-09-21", "2019-07-27", "2022-06-21"],
}


def founding(source):
    """Every embedded capture of a source, with its tidy rows."""
    rows = [original for original in read_originals(founding_folder()) if original.source == source]
    return [(r, f.drop("line")) for r, f in read_source(founding_folder(), rows, SOURCES[source].measures)]


def merge_founding(warehouse, source):
    spec = SOURCES[source]
    for original, rows in founding(source):
        mapped = map_to_series(rows, source, spec.measures, adopter_kind=spec.adopter_kind, place=spec.place)
        shared = {
            name: getattr(original, name) for name in ("capture", "source", "vintage", "vintage_precision", "url")
        }
        own = {"original_bytes": original.bytes, "original_sha256": original.sha256, "n_rows": rows.height}
        read = {"kind": "re-recorded", "content_sha256": content_digest(named(rows)), "reader_version": 1}
        capture = shared | own | read | {"scope": original.scope}
        yield warehouse.merge_capture(capture, [(m.measure, "*") for m in spec.measures], mapped.series, mapped.rows)


@pytest.fixture(scope="module")
def held(tmp_path_factory, _blank):
    """The frame of the two sources with the most vintages, and what each merge said it changed."""
    home = Home(tmp_path_factory.mktemp("held") / "home")
    shutil.copytree(_blank.root, home.root)
    with Warehouse(home) as warehouse:
        counts = {source: list(merge_founding(warehouse, source)) for source in VINTAGES}
        return revision_frame(warehouse.con), counts


def by_code(source):
    """Values by code as served and year, of each vintage: the publisher's own key, without the project's mapping."""
    found = []
    for _, rows in founding(source):
        served = rows.filter(pl.col("code").is_not_null())
        keys = served.select("code", pl.col("period_start").dt.year()).rows()
        found.append(dict(zip(keys, served["value"].to_list(), strict=True)))
    return found


# Rows that match on the code served and the year, and how many of them differ by more than 0.05 points.
PUBLISHED = [(5745, 237), (6071, 277), (5890, 309)]


def test_counts_on_the_codes_served_are_those_of_the_notes():
    vintages = by_code(NET)
    counted = []
    for before, after in pairwise(vintages):
        both = before.keys() & after.keys()
        gaps = np.array([abs(before[key] - after[key]) for key in both])
        counted.append((len(both), int((gaps > 0.05).sum())))
    assert counted == PUBLISHED


def test_the_frame_counts_the_same_with_the_world_and_without_a_place_served_by_name(held):
    """The notes count the World and miss the Faroe Islands, whose code one vintage leaves out."""
    rows, _ = held
    net = measured(rows.filter(pl.col("source") == NET))
    both = net.filter(pl.col("state") == "both")
    places = pl.col("adopter_kind").is_in(["country", "territory"])
    world = pl.col("adopter") == both.filter(pl.col("adopter").str.contains("WRL|WLD"))["adopter"][0]
    nameless = pl.col("later").is_between(date(2025, 11, 1), date(2026, 12, 31)) & (pl.col("adopter") == "FRO")
    kept = both.filter((places | world) & ~nameless)
    counted = kept.group_by("earlier").agg(pl.len(), pl.col("revised").sum()).sort("earlier")
    assert counted.select("len", "revised").rows() == PUBLISHED
    own = both.filter(places).group_by("earlier").agg(pl.len(), pl.col("revised").sum()).sort("earlier")
    assert own.select("len", "revised").rows() == [(5717, 227), (6068, 260), (5895, 293)]


def test_iraq_was_rewritten(held):
    rows, _ = held
    iraq = rows.filter(pl.col("adopter") == "IRQ", pl.col("year") == 2015, pl.col("earlier") == date(2022, 4, 8))
    assert iraq.select("value_earlier", "value_later").row(0) == pytest.approx((58.0, 16.8), abs=0.005)
    sizes = measured(rows.filter(pl.col("source") == NET, pl.col("earlier") == date(2022, 4, 8)))
    assert sizes.sort("size", descending=True, nulls_last=True)["adopter"][0] == "IRQ"


def test_the_us_technologies_changed_once(held):
    rows, counts = held
    assert counts[HOUSEHOLDS][1:] == [MergeCounts(59, 11, 0), MergeCounts(0, 0, 0)]
    table = run(summary, rows.filter(pl.col("source") == HOUSEHOLDS))
    pairs = table["pair"].unique(maintain_order=True).to_list()[1:]
    names = ("differing", "revised", "added", "withdrawn")
    assert [[row(table, name, pair)["estimate"] for name in names] for pair in pairs] == [[11, 11, 59, 0], [0, 0, 0, 0]]


def test_the_study_says_the_same_as_a_count_by_hand(held):
    rows, _ = held
    study = rewriting(rows)
    numbers = {(f["subject"], f["measure"], f["mode"]): f for f in study.findings}
    assert len(numbers) == len(study.findings)
    net = f"{NET}/users_share"
    places = rows.filter(pl.col("source") == NET, pl.col("adopter_kind").is_in(["country", "territory"]))
    table = {(r["adopter"], r["year"], r["earlier"]): r for r in places.iter_rows(named=True)}
    compared = [r for r in table.values() if r["value_earlier"] and r["value_later"] is not None]
    revised = [r for r in compared if abs(r["value_earlier"] - r["value_later"]) > 0.05]
    share = numbers[net, "share_revised", ALL_PAIRS]
    assert (share["n"], share["estimate"]) == (len(compared), pytest.approx(len(revised) / len(compared)))
    assert share["lo"] < share["estimate"] < share["hi"]
    by_age_ = {
        c["x"]: c for c in study.curves if (c["subject"], c["measure"], c["mode"]) == (net, "share_revised", ALL_PAIRS)
    }
    for age in (3, 8, 20):
        at = [r for r in compared if r["earlier"].year - r["year"] == age]
        hit = [r for r in revised if r["earlier"].year - r["year"] == age]
        assert (by_age_[age]["n"], by_age_[age]["y"]) == (len(at), pytest.approx(len(hit) / len(at)))
    apart = numbers[net, "share_revised", ALL_PAIRS + AGGREGATES]
    assert (apart["lo"], apart["note"]) == (None, OVERLAP)
    assert (HOUSEHOLDS + "/adoption", "difference", ALL_PAIRS) not in numbers
    followed = numbers[net, SINCE_FIRST, "2023-04-12 to 2025-11-30"]
    assert followed["n"] > 300
    assert numbers[f"{HOUSEHOLDS}/adoption", SINCE_FIRST, "2019-07-27 to 2022-06-21"]["estimate"] == 0


def test_a_source_with_one_vintage_gives_nothing():
    empty = rewriting(frame().with_columns(pl.lit("").alias("subject"), pl.lit("").alias("adopter_kind")))
    assert (empty.findings, empty.curves) == ([], [])
