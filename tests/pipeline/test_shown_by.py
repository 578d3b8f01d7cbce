"""Values that the figures of real publishers must come out as, asked the way a user asks."""

import polars as pl
import pytest

IRAQ = (
    "select value from observations "
    "where code = 'IRQ' and year = 2015 and source like '%grapher%' and series like '%/users_share/%'"
)
HOUSEHOLDS = "source = 'owid_technology_diffusion'"


def test_the_four_media_are_there_with_tens_of_thousands_of_rows(full_home, query):
    counted = {
        row["medium"]: row["n"]
        for row in query(full_home.home, "select medium, count(*) n from observations group by 1")
    }
    assert {"television", "radio", "internet", "social"} <= set(counted)
    assert min(counted[medium] for medium in ("television", "radio", "internet", "social")) > 500
    assert sum(counted.values()) > 50_000


@pytest.mark.parametrize(("as_of", "share"), [("2022-12-31", 58.0), ("2024-06-30", 16.8), ("2026-06-30", 15.2)])
def test_the_share_of_iraqis_is_what_it_was_said_to_be_at_the_time(full_home, query, as_of, share):
    for _ in range(2):
        rows = query(full_home.home, IRAQ, "--as-of", as_of)
        assert [row["value"] for row in rows] == [pytest.approx(share, abs=0.005)]


def test_revisions_of_the_us_households(full_home, query):
    rows = query(
        full_home.home,
        f"select vintage, n_rows, n_added, n_revised, n_withdrawn from captures where {HOUSEHOLDS} order by vintage",
    )
    assert [tuple(row.values()) for row in rows] == [
        ("2018-09-21", 1336, 1336, 0, 0),
        ("2019-07-27", 1395, 59, 11, 0),
        ("2022-06-21", 1395, 0, 0, 0),
    ]


def test_the_counts_of_revisions_are_those_of_the_versions_themselves(full_home, query):
    rows = query(
        full_home.home,
        f"""select known_from, known_to = 'infinity' as stands, count(*) n
            from observation_versions join series using (series) where {HOUSEHOLDS} group by all order by all""",
    )
    assert [tuple(row.values()) for row in rows] == [
        ("2018-09-21", False, 11),
        ("2018-09-21", True, 1325),
        ("2019-07-27", True, 70),
    ]
    assert query(
        full_home.home,
        "select change, count(*) n from revisions where source = 'owid_technology_diffusion' group by 1 order by 1",
    ) == [{"change": "added", "n": 59}, {"change": "revised", "n": 11}]


def test_the_download_of_twelve_technologies_withdraws_nothing(full_home, query):
    (capture,) = query(
        full_home.home, "select scope, n_withdrawn, capture from captures where source = 'grapher_technology_adoption'"
    )
    assert (capture["scope"], capture["n_withdrawn"]) == ("listed", 0)
    listed = query(full_home.home, f"select count(*) n from capture_scope where capture = '{capture['capture']}'")
    assert listed == [{"n": 12}]
    closed = "select count(*) n from observation_versions where known_to = '2022-04-08'"
    assert query(full_home.home, closed) == [{"n": 0}]
    held = query(full_home.home, f"select count(distinct adopter) n from observations where {HOUSEHOLDS}")
    assert held == [{"n": 45}]


def test_values_carried_forward_are_no_observations(full_home, query):
    carried = "select source, adopter, year, value from carried_forward"
    rows = query(full_home.home, carried)
    assert len(rows) == 24
    assert {row["source"] for row in rows} == {"grapher_technology_adoption"}
    shared = query(
        full_home.home, f"select count(*) n from ({carried}) join observations using (source, adopter, year)"
    )
    assert shared == [{"n": 0}]
    kept = "select count(*) n from observation_versions where served_flag = 'carried_forward'"
    assert query(full_home.home, kept) == [{"n": 24}]
    # Not by list: of the values that repeat the year before, the rule took these and left the real ones.
    source = "source = 'grapher_technology_adoption'"
    everything = f"select adopter, year(period_start) y, value, served_flag from observation_versions join series using (series) where {source}"  # noqa: E501
    repeats = query(
        full_home.home,
        f"""with a as ({everything}) select b.served_flag as flag, count(*) n from a join a b
            on a.adopter = b.adopter and b.y = a.y + 1 and a.value = b.value group by 1 order by 1 nulls last""",
    )
    assert repeats == [{"flag": "carried_forward", "n": 24}, {"flag": None, "n": 89}]


def test_namibia_is_no_missing_value(full_home, query):
    rows = query(full_home.home, "select distinct source, code, adopter from observations where adopter = 'Namibia'")
    assert {row["code"] for row in rows} == {"NAM"}
    assert len(rows) >= 8
    assert {"wdi", "worldbank_datahub", "owid_itu_internet_share"} <= {row["source"] for row in rows}


def test_television_does_not_begin_in_1992(full_home, query):
    rows = query(
        full_home.home,
        f"select year, value, flags from observations where {HOUSEHOLDS} and adopter = 'Television' order by year",
    )
    assert (rows[0]["year"], rows[0]["value"]) == (1992, pytest.approx(96.6))
    assert rows[0]["flags"].split(",") == ["left_truncated"]
    assert [row["flags"] for row in rows[1:] if "left_truncated" in row["flags"]] == []
    notes = query(
        full_home.home,
        "select status from series_notes where step = 'findings/information_by_age' "
        "and series = 'owid_technology_diffusion/adoption/Television'",
    )
    assert notes == [{"status": "left truncated"}]


def test_a_series_that_begins_low_is_not_left_truncated(full_home, query):
    (first,) = query(
        full_home.home,
        f"select year, value, flags from observations where {HOUSEHOLDS} and adopter = 'Radio' order by year limit 1",
    )
    assert first["value"] <= 12
    assert "left_truncated" not in first["flags"]
    (note,) = query(
        full_home.home,
        "select status from series_notes where step = 'findings/information_by_age' "
        "and series = 'owid_technology_diffusion/adoption/Radio'",
    )
    assert note["status"] != "left truncated"


def test_both_publishers_of_television_households_stand_side_by_side(full_home, query):
    rows = query(
        full_home.home,
        "select source, value from observations where unit = 'households' and year = 1950 order by source",
    )
    assert rows == [
        {"source": "hsus_television", "value": 5_030_000.0},
        {"source": "nielsen_television", "value": 3_880_000.0},
    ]


def test_sets_are_counted_in_their_own_units(full_home, query):
    rows = query(full_home.home, "select distinct measure, unit from series where source = 'hccta'")
    units = {row["measure"]: row["unit"] for row in rows}
    assert (units["radios"], units["televisions"]) == ("thousand_sets", "sets")
    (television,) = query(
        full_home.home,
        "select value from observations where series = 'hccta/televisions/USA' order by year desc limit 1",
    )
    (radio,) = query(
        full_home.home, "select value from observations where series = 'hccta/radios/USA' order by year desc limit 1"
    )
    # A nation of hundreds of millions: a thousandfold error in either unit falls outside.
    assert 1e8 < television["value"] < 1e9
    assert 1e5 < radio["value"] < 1e6


def test_every_series_of_record_is_fitted_by_every_family_and_the_whole_ones_are_published(full_home, query):
    (counted,) = query(
        full_home.home,
        """select count(distinct series)::integer series, count(*) filter (not capped)::integer fits,
                  count(distinct family)::integer families, count(distinct (series, cut_year))::integer cuts,
                  count(distinct series) filter (whole)::integer whole from curve_fits""",
    )
    assert counted["families"] == 6
    assert counted["fits"] == 6 * counted["cuts"] > 50_000
    assert counted["series"] == counted["whole"] > 600
    published = pl.read_parquet(full_home.site / "data" / "curve_fits.parquet")
    assert published["whole"].all()
    assert published.filter(~pl.col("capped")).height == 6 * counted["whole"]
    # A number is null or finite, a ceiling is never over the stated one, and errors stand beside fits that are sound only.
    numbers = [name for name, kind in published.schema.items() if kind == pl.Float64]
    assert all(published[name].drop_nulls().is_finite().all() for name in numbers)
    assert published.filter(pl.col("m") > pl.col("ceiling") * (1 + 1e-9)).is_empty()
    assert published.filter((pl.col("status") == "ok") != pl.col("m_error").is_not_null()).is_empty()


def test_every_number_that_claims_rest_on_has_an_interval_or_says_why_it_has_none(full_home, query):
    """Exact by what they are: p-values, counts, factors worked out from a table, and what simulated worlds were made with."""
    exact = {"p-value", "clusters", "journals", "pairs", "series", "years", "factor"}
    bare = query(
        full_home.home,
        """SELECT DISTINCT step, subject, measure, unit FROM findings
           WHERE estimate IS NOT NULL AND lo IS NULL AND hi IS NULL AND note IS NULL AND subject <> 'simulated worlds'
             AND step IN ('findings/authority', 'findings/channels', 'findings/impact', 'findings/persistence',
                          'findings/presence', 'findings/speed')""",
    )
    assert len(bare) > 10
    assert [row for row in bare if row["unit"] not in exact] == []
    tops = (
        "SELECT estimate, lo, hi FROM findings WHERE measure IN ('retention', 'displacement') AND estimate IS NOT NULL"
    )
    rows = query(full_home.home, tops)
    assert len(rows) > 50
    assert all(0 <= row["lo"] <= row["estimate"] <= row["hi"] <= 1 and row["lo"] < row["hi"] for row in rows)
