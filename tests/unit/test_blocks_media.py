"""What the pages of media say, on rows made by hand: which places count, which forecasts stand in the table, what has a page."""

import duckdb
import polars as pl
import pytest
from longwave.pipelines import blocks_media, blocks_taken_up, told
from longwave.pipelines.find_hindsight import CAME, FAN, LEVEL, SAID, STEP
from longwave.warehouse import results

RADIO, SETS, MIXER = "s/adoption/Radio", "h/radios/CHE", "s/adoption/Mixer"
SERIES = pl.DataFrame(
    {
        "series": [SETS, MIXER, RADIO],
        "source": ["h", "s", "s"],
        "measure": ["radios", "adoption", "adoption"],
        "medium": ["radio", "mixer", "radio"],
        "metric": ["sets", "adoption", "adoption"],
        "unit": ["thousand_sets", "percent", "percent"],
        "unit_class": ["count", "share", "share"],
        "population": ["sets", "households", "households"],
        "adopter": ["Switzerland", "Electric mixer", "Radio"],
        "place": ["CHE", "USA", "USA"],
        "launch": [1923, 1910, 1920],
        "launch_convention": ["cited", "first_1_percent", "cited"],
    }
)
BREAKS = pl.DataFrame(
    [
        ("h", "*", "*", "CHE", 1940, 1945, "war", "c", None, "verified"),
        ("s", "radio", "Television", "USA", 1950, 1950, "other", "c", None, "verified"),
        ("s", "radio", "*", "USA", 1950, 1950, "new count", "c", "https://example.org", "unverified"),
    ],
    schema=["source", "medium", "adopter", "place", "year_from", "year_to", "reason", "citation", "url", "status"],
    orient="row",
)


def _points():
    rows = []
    for series, launch in SERIES.select("series", "launch").iter_rows():
        rows += [(series, LEVEL, "observed", float(launch + age), 2.0 * age, None, None, None) for age in range(1, 31)]
        for age in (3, 8, 12, 16):
            for level in (50, 80, 90):
                x, y = float(launch + age + 1), 2.0 * age + 2
                rows.append((series, FAN.format(level), str(launch + age), x, y, y - level / 10, y + level / 10, age))
    names = ("subject", "measure", "mode", "x", "y", "lo", "hi", "n")
    return pl.DataFrame(rows, schema=names, orient="row").with_columns(step=pl.lit(STEP), flag=pl.lit(None, pl.String))


def _findings():
    said = [
        (series, SAID, age, 20, 2.0 * age + wide, 2.0 * age, 40.0 if age > 8 else 30.0, age)
        for series in SERIES["series"]
        for age, wide in ((3, 1), (8, 2), (12, 3), (16, 4))
    ]
    came = [(series, CAME, -1, 20, 40.0, None, None, 1) for series in (RADIO, MIXER)]
    names = ("subject", "measure", "k", "horizon", "estimate", "lo", "hi", "n")
    return pl.DataFrame([*said, *came], schema=names, orient="row")


@pytest.fixture
def found(monkeypatch):
    """The studied series of a warehouse that holds the rows above; the names in `passed_on` may be shown."""

    def make(passed_on=("h", "s"), series=SERIES):
        monkeypatch.setattr(results, "used_series", lambda con, step: series)
        monkeypatch.setattr(results, "passed_on", lambda con: set(passed_on))
        monkeypatch.setattr(results, "findings", lambda con, step: _findings())
        monkeypatch.setattr(results, "break_facts", lambda con: BREAKS)
        return told.studied(duckdb.connect(), _points())

    return make


def test_each_series_has_its_page_its_key_and_its_words(found):
    named = found().series.select("page", "key", "label").rows()
    assert named == [
        ("radio", "USA", "United States, % of households"),
        ("radio", "CHE", "Switzerland, sets per 100 people"),
        ("reference", "electric-mixer", "Electric mixer, % of households"),
    ]


def test_a_source_that_may_not_be_passed_on_gives_no_series(found):
    assert found(passed_on=("s",)).series["source"].unique().to_list() == ["s"]
    assert {part.source for part in found(passed_on=("s",)).told("radio")} == {"s"}


def test_a_series_has_its_levels_fans_and_breaks(found):
    radio = next(part for part in found().told("radio") if part.key == "USA")
    assert radio.levels.height == 30
    assert radio.fans["origin"].unique().sort().to_list() == [1923, 1928, 1932, 1936]
    first = radio.fans.row(0, named=True)
    assert (first["age"], first["n_known"], first["year"], first["lo80"], first["hi80"]) == (3, 3, 1924, 0.0, 16.0)
    # The break of another adopter is none of its.
    assert list(radio.breaks) == [1950]
    (war,) = blocks_media._breaks(found(), found().series.filter(pl.col("key") == "CHE"))
    assert (war["years"], war["reason"]) == ("1940–1945", "war")


def test_the_table_has_the_last_cut_up_to_each_age_of_places_named_without_being_asked(found):
    rows = told.table_of(found(), "radio")
    assert {row["series"] for row in rows} == {"United States, % of households"}
    assert [(row["age"], row["cut"], row["year"], row["came"]) for row in rows] == [
        (3, 1923, 1940, 40.0),
        (8, 1928, 1940, 40.0),
        (12, 1932, 1940, 40.0),
        (16, 1936, 1940, 40.0),
    ]
    assert [row["age"] for row in told.table_of(found(), "radio", (5, 7, 9))] == [3, 8]


def test_the_title_counts_the_intervals_that_held(found):
    title = blocks_media._hindsight_title("radio", found(), "United States, % of households")
    assert title.startswith("Of 4 forecasts of radio in the United States at age 20, made at ages 3 to 16")
    assert title.endswith("interval of 2 held what came")


def test_the_picture_shows_the_first_age_from_8_on(found):
    assert told.shown_cut(found(), RADIO) == 1928
    assert told.shown_cut(found(), "nothing") is None


def test_without_a_finding_there_is_no_series(found):
    nothing = found(series=SERIES.clear())
    assert nothing.told("radio") == []
    assert told.table_of(nothing, "radio") == []


def test_years_at_the_end_that_few_have_reported_are_left_out():
    rows = [(f"s{n}", 2000 + year, float(n)) for year in range(4) for n in range(20 if year < 3 else 15)]
    levels = pl.DataFrame(rows, schema=["series", "year", "value"], orient="row").with_columns(
        age=pl.col("year") - 2000, unit=pl.lit("% of people")
    )
    middle = blocks_taken_up._middle(levels)
    assert middle.filter(pl.col("axis") == "year")["x"].to_list() == [2000, 2001, 2002]
    assert middle.filter(pl.col("axis") == "age")["n"].to_list() == [20, 20, 20, 15]
    assert middle["value"].to_list()[0] == 9.5
    few = levels.filter(pl.col("series").is_in([f"s{n}" for n in range(14)]))
    assert blocks_taken_up._middle(few).is_empty()


def test_how_long_technologies_took_to_half():
    rows = [("a", 5, 60.0), ("a", 1, 2.0), ("b", 3, 10.0), ("b", 9, 50.0), ("late", 1, 80.0), ("never", 1, 1.0)]
    levels = pl.DataFrame(rows, schema=["series", "age", "value"], orient="row").with_columns(year=pl.col("age") + 1900)
    assert (
        blocks_taken_up._half_title(levels)
        == "From launch to half it took 5 to 9 years; the middle one of 2 technologies, 9"
    )
