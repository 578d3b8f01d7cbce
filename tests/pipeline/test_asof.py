"""`run --as-of`: the study as it would have come out on that date, beside the one that stands and never in its place."""

import json

import polars as pl
from longwave.warehouse.founding_files import founding_folder, read_originals

AS_OF = "2024-06-30"


def test_a_killed_run_leaves_whole_sources_or_none_and_the_next_completes(cut_home, query):
    left = json.loads((cut_home.parent / "observed.json").read_text())
    declared = {row.source for row in read_originals(founding_folder()) if str(row.vintage) <= AS_OF}
    assert 3 <= len(left) < len(declared)
    assert {
        row["source"] for row in query(cut_home, "select source from sources join captures using (source)")
    } == declared
    assert "site:" in (cut_home.parent / "stdout.txt").read_text()


def test_it_publishes_beside_the_site_and_leaves_that_alone(asof_home, full_home, contents):
    published = asof_home / "site-asof" / AS_OF
    assert str(published / "index.html") in json.loads((asof_home.parent / "ran.json").read_text())["stdout"]
    assert (published / "index.html").is_file()
    assert contents(asof_home / "site") == contents(full_home.site)
    assert contents(published) != contents(full_home.site)
    # What was measured on later facts is no record of these: its figures are not there, and their page says so.
    files, now = set(contents(published)), set(contents(full_home.site))
    # A place that a later edition renamed has the forecasts of its earlier name.
    assert {name for name in files - now if not name.startswith("hindsight/")} == set()
    # Nor are the figures that rest on what journals stood for, or on Pew's surveys: both are held from a later day on.
    gone = {name for name in now - files if not name.split("/")[-1].startswith(("backtest-", "held-aside-"))}
    # And sources that had not spoken have no values, nor media that had few series a file of their own.
    gone = {name for name in gone if not name.startswith(("data/latest/", "compare/", "hindsight/", "vintages/"))}
    on_standing = (
        "attention-and-standing",
        "followers-and-standing",
        "premium-",
        "presence-correlations",
        "adopter-categories",
    )
    later = (*on_standing, "platforms-adults")
    assert {name for name in gone if not name.split("/")[-1].startswith(later)} == set()
    assert {name.split("/")[0] for name in now - files} <= {"compare", "data", "hindsight", "pictures", "vintages"}
    assert "No backtest of the facts at hand has been measured" in (published / "forecasts.html").read_text()


def test_it_leaves_the_warehouse_alone(asof_home, full_home, dump):
    assert dump(asof_home) == dump(full_home.home)


def test_it_knows_nothing_said_later(asof_home, full_home):
    newest = pl.col("known_from").max()
    published = pl.read_parquet(asof_home / "site-asof" / AS_OF / "data" / "observations.parquet")
    everything = pl.read_parquet(full_home.site / "data" / "observations.parquet")
    assert str(published.select(newest).item()) <= AS_OF < str(everything.select(newest).item())
    told = json.loads((asof_home / "site-asof" / AS_OF / "findings.json").read_text())
    assert told["release"]["newest_vintage"] <= AS_OF
    assert all(entry["decided_on"] <= AS_OF for entry in told["claims"])


def test_it_equals_a_home_that_only_ever_had_those_captures(asof_home, cut_home, without_digest):
    """That home's first run was killed while it observed, so this is also what a killed run leaves to the next.

    And its runs were the wheel's, with another hash seed, time zone, language and number of threads.
    """
    then, cut = without_digest(asof_home / "as-of" / AS_OF), without_digest(cut_home)
    assert then.height > 500
    assert then.equals(cut)


def test_its_site_equals_that_of_a_home_that_only_ever_had_those_captures(asof_home, cut_home, contents):
    then, cut = contents(asof_home / "site-asof" / AS_OF), contents(cut_home / "site")
    assert sorted(then) == sorted(cut)
    assert [name for name in then if then[name] != cut[name]] == []


def test_it_differs_from_what_is_known_now(asof_home, full_home, without_digest):
    assert not without_digest(asof_home / "as-of" / AS_OF).equals(without_digest(full_home.home))


def test_a_date_before_anything_was_said_is_refused(home_copy, inside, contents):
    first = min(row.vintage for row in read_originals(founding_folder()))
    before = contents(home_copy / "site")
    result = inside(["run", "--as-of", "1999-12-31"], home_copy)
    assert result.returncode == 1
    assert str(first) in result.stderr
    assert "1999-12-31" in result.stderr
    assert "Traceback" not in result.stderr
    assert contents(home_copy / "site") == before
    assert not (home_copy / "site-asof").exists()
