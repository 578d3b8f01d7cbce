"""Every source read from an excerpt of a real response: exact values, the traps of each format, and bad input refused.

A refusal names the file, the rule and, where a row is at fault, its line.
"""

import csv
import io
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from longwave.models import channels
from longwave.pipelines.sources import SOURCES
from longwave.pipelines.sources._spec import Original
from longwave.warehouse.errors import Refused
from longwave.warehouse.founding_files import founding_folder, read_originals
from longwave.warehouse.tidy import adopter_key_expression, check_frame
from longwave.warehouse.world import load_fact

EXCERPTS = Path(__file__).parent / "excerpts"


@dataclass(frozen=True)
class Excerpt:
    """An excerpt: its source, the vintage it comes from, a column its reader requires, and one that holds numbers."""

    file: str
    source: str
    vintage: str
    required: str
    number: str
    separator: str = ","
    header: int = 0
    original: str = ""

    def data(self):
        return (EXCERPTS / self.file).read_bytes()

    @property
    def url(self):
        rows = [r for r in read_originals(founding_folder()) if r.source == self.source and self.original in r.path]
        return rows[0].url


def _owid(file, source, vintage):
    return Excerpt(file, source, vintage, "Entity", "-1")


def _grapher(file, source, vintage, separator=","):
    return Excerpt(file, source, vintage, "Code", "-1", separator)


def _wdi(name, indicator):
    return Excerpt(f"wdi_{name}_2024-09.csv", "wdi", "2024-09-30", "iso3c", indicator, "|", original=indicator)


def _datahub(name, vintage, original):
    file = f"datahub_{name}_{vintage[:7]}.csv"
    return Excerpt(file, "worldbank_datahub", vintage, "Country Code", "Value", original=f"{original}_{vintage[:7]}")


ALL = [
    Excerpt("hccta.txt", "hccta", "2004-01-01", "Variable", "France"),
    _owid("owid_technology_diffusion_2019-07-27.csv", "owid_technology_diffusion", "2019-07-27"),
    _owid("owid_itu_internet_share_2018-09-21.csv", "owid_itu_internet_share", "2018-09-21"),
    _owid("owid_internet_users_2019-01-18.csv", "owid_internet_users", "2019-01-18"),
    _owid("owid_wb_internet_users_2018-09-21.csv", "owid_wb_internet_users", "2018-09-21"),
    _owid("owid_wb_mobile_2018-09-21.csv", "owid_wb_mobile", "2018-09-21"),
    _owid("owid_wb_broadband_2018-09-21.csv", "owid_wb_broadband", "2018-09-21"),
    _grapher("grapher_internet_share_2022-04.csv", "grapher_internet_share", "2022-04-08"),
    _grapher("grapher_internet_share_2023-04.csv", "grapher_internet_share", "2023-04-12"),
    _grapher("grapher_internet_share_2025-10.csv", "grapher_internet_share", "2025-11-30", ";"),
    _grapher("grapher_internet_share_2026-02-22.csv", "grapher_internet_share", "2026-01-29"),
    _grapher("grapher_technology_adoption_2022-04.csv", "grapher_technology_adoption", "2022-04-08"),
    _grapher("grapher_internet_users_by_country_2022-04.csv", "grapher_internet_users_by_country", "2022-04-08"),
    _grapher("grapher_internet_users_2023-04.csv", "grapher_internet_users", "2023-04-05"),
    _grapher("grapher_mobile_2023-04.csv", "grapher_mobile", "2023-04-12"),
    _grapher("grapher_broadband_2022-04.csv", "grapher_broadband", "2022-04-08"),
    Excerpt("pew_platforms_2024-11-13.csv", "pew_platforms", "2024-11-13", "Year", "Facebook", header=3),
    *[
        Excerpt(f"statcounter_social_{region}.csv", f"statcounter_social_{region}", "2023-06-07", "Date", "Facebook")
        for region in ("gb", "jp", "kr", "us")
    ],
    Excerpt("us_television.csv", "hsus_television", "2006-01-01", "source", "households_with_television"),
    Excerpt("us_television.csv", "nielsen_television", "2026-11-23", "source", "percent_of_households"),
    Excerpt("factcheck.csv", "factcheck", "2017-07-31", "verdict", "statements"),
    _wdi("users", "IT.NET.USER.ZS"),
    _wdi("broadband", "IT.NET.BBND.P2"),
    _wdi("population", "SP.POP.TOTL"),
    _datahub("mobile", "2018-08-01", "it.cel.sets.p2"),
    _datahub("mobile", "2026-04-01", "it.cel.sets.p2"),
    _datahub("landline", "2018-08-01", "it.mlt.main.p2"),
    _datahub("broadband", "2026-04-01", "it.net.bbnd.p2"),
    _datahub("population", "2026-07-01", "sp.pop.totl"),
    _datahub("gdp_per_head", "2026-07-01", "ny.gdp.pcap.cd"),
    _datahub("gdp_per_head_ppp", "2026-07-01", "ny.gdp.pcap.pp.cd"),
]
ONE_EACH = list({excerpt.source: excerpt for excerpt in reversed(ALL)}.values())
every_excerpt = pytest.mark.parametrize("excerpt", ALL, ids=lambda e: f"{e.source}-{e.file}")
every_source = pytest.mark.parametrize("excerpt", ONE_EACH, ids=lambda e: e.source)


def read(excerpt, data=None, reference=None, url=None):
    body = excerpt.data() if data is None else data
    address = excerpt.url if url is None else url
    return SOURCES[excerpt.source].read(Original(excerpt.file, body, address, reference))


def excerpt_of(file, source=None):
    return next(e for e in ALL if e.file == file and source in (None, e.source))


def said(frame, entity=None, measure=None):
    """{(entity, period): value} of a tidy frame, or {period: value} of one entity."""
    if measure:
        frame = frame.filter(pl.col("measure") == measure)
    form = {"year": "%Y", "month": "%Y-%m", "date": "%Y-%m-%d"}
    if entity:
        frame = frame.filter(pl.col("entity") == entity)
    rows = [
        ((name, start.strftime(form[kind])), value)
        for name, start, kind, value in frame.select("entity", "period_start", "period_kind", "value").iter_rows()
    ]
    assert len(dict(rows)) == len(rows), "one value a key"
    return {key[1]: value for key, value in rows} if entity else dict(rows)


def keys(frame, source):
    return dict(frame.with_columns(adopter_key_expression(source).alias("key")).select("entity", "key").rows())


# --- what the excerpts are -------------------------------------------------------------------------------------------


def test_every_founding_source_has_an_excerpt_and_every_excerpt_is_listed():
    """Sources that are only asked live have theirs in the tests beside this one."""
    founding = {row.source for row in read_originals(founding_folder())}
    assert len(founding) == 23
    assert {excerpt.source for excerpt in ALL} == founding <= set(SOURCES)
    kept = {path.name for path in EXCERPTS.iterdir()} - {"README.md"}
    tables = [row for row in (EXCERPTS / "README.md").read_text(encoding="utf-8").splitlines() if row.startswith("| `")]
    listed = [name for row in tables for name in row.split("|")[1].replace("`", "").replace(",", " ").split()]
    assert {excerpt.file for excerpt in ALL} <= kept == set(listed)
    assert len(set(listed)) == len(listed)


@every_excerpt
def test_excerpts_are_short_listed_and_never_a_whole_original(excerpt):
    rows = excerpt.data().splitlines()[excerpt.header + 1 :]
    assert 0 < len(rows) <= 60
    assert excerpt.file in (EXCERPTS / "README.md").read_text(encoding="utf-8")
    originals = read_originals(founding_folder())
    assert len(excerpt.data()) not in {row.bytes for row in originals if row.source == excerpt.source}


@every_excerpt
def test_excerpts_pass_the_declared_checks(excerpt):
    spec = SOURCES[excerpt.source]
    frame = read(excerpt)
    places = spec.adopter_kind == "place"
    checks = check_frame(frame, spec.source, spec.measures, date.fromisoformat(excerpt.vintage), places_expected=places)
    assert {check.check: check.found for check in checks if not check.passed} == {}
    assert checks


# --- exact values and traps ------------------------------------------------------------------------------------------


def test_hccta_missing_points_and_units():
    frame = read(excerpt_of("hccta.txt"))
    radios = said(frame, measure="radios")
    assert {key: value for key, value in radios.items() if key[0] == "United States"} == {
        ("United States", "1939"): 42950.0,
        ("United States", "1946"): 58000.0,
        ("United States", "1947"): 66000.0,
        ("United States", "1948"): 74000.0,
        ("United States", "1949"): 82000.0,
    }
    assert ("Austria", "1939") not in radios, "a point is missing, not zero"
    assert ("Germany", "1946") not in radios
    assert radios["Germany", "1939"] == 14060.0
    assert said(frame, measure="televisions")["United States", "1949"] == 3132539.144
    assert said(frame, measure="newspapers")["United Kingdom", "1946"] == 29320827.24
    assert said(frame, measure="personal_computers")["Canada", "1980"] == 99.970545
    assert said(frame, measure="mobile_telephones")["Finland", "1980"] == 23.49999975
    assert said(frame, measure="telephones")["Portugal", "1939"] == 55.73087758
    assert said(frame, measure="real_gdp")["Japan", "1998"] == 2527733.94
    assert said(frame, measure="population")["New Zealand", "1998"] == 3698.788732
    counts = dict(frame.group_by("measure").len().rows())
    assert counts == {
        "radios": 100,
        "televisions": 45,
        "newspapers": 73,
        "telephones": 146,
        "mobile_telephones": 24,
        "personal_computers": 24,
        "population": 147,
        "real_gdp": 142,
    }
    units = {measure.measure: measure.unit for measure in SOURCES["hccta"].measures}
    assert units["radios"] == "thousand_sets"
    assert units["televisions"] == "sets"
    assert units["newspapers"] == "copies"
    assert units["population"] == "thousand_persons"
    assert set(frame["measure"]) == set(units), "mail and telegrams stand in the file and are not read"


def test_owid_technology_diffusion():
    frame = read(excerpt_of("owid_technology_diffusion_2019-07-27.csv"))
    assert said(frame, "Television") == {"1992": 96.6, "1998": 98.4, "2018": 93.97}
    assert said(frame, "Landline")["2013"] == 58.7
    assert said(frame, "Computer") == {
        "1992": 20.7,
        "1998": 42.0,
        "2003": 63.1,
        "2005": 67.1,
        "2010": 75.2,
        "2011": 76.7,
        "2012": 78.9,
        "2013": 83.8,
        "2014": 85.1,
        "2015": 86.8,
        "2016": 89.3,
    }
    assert frame.height == 40
    assert frame["code"].null_count() == 40
    assert set(frame["measure"]) == {"adoption"}


@pytest.mark.parametrize(
    ("file", "measure", "namibia", "height"),
    [
        ("owid_itu_internet_share_2018-09-21.csv", "users_share", {"2004": 3.8, "2010": 11.6, "2013": 13.9}, 15),
        ("owid_internet_users_2019-01-18.csv", "users", {"2004": 76445.0, "2010": 252088.0, "2013": 321996.0}, 21),
        (
            "owid_wb_internet_users_2018-09-21.csv",
            "users",
            {"2004": 76126.16, "2010": 252760.172, "2013": 297127.635},
            12,
        ),
        (
            "owid_wb_mobile_2018-09-21.csv",
            "mobile",
            {"1980": 0.0, "2004": 14.28104347, "2010": 89.49525165, "2013": 118.4342133},
            23,
        ),
        ("owid_wb_broadband_2018-09-21.csv", "broadband", {"2013": 1.551676605}, 10),
    ],
)
def test_owid_datasets_by_place_name(file, measure, namibia, height):
    excerpt = excerpt_of(file)
    frame = read(excerpt)
    assert said(frame, "Namibia") == namibia
    assert frame.height == height
    assert set(frame["measure"]) == {measure}
    resolved = keys(frame, excerpt.source)
    assert resolved["Czech Republic"] == "CZE"
    assert resolved["Swaziland"] == "SWZ"
    assert set(resolved.values()) <= {"NAM", "CZE", "SWZ", "COG", "MKD", "PSE", "WLD"}


SHAPES = {
    "grapher_internet_share_2022-04.csv": (25, 58.0, "Individuals using the Internet (% of population)"),
    "grapher_internet_share_2023-04.csv": (33, 16.79999924, "percent_i_users"),
    "grapher_internet_share_2025-10.csv": (41, 15.2, "Individuals using the Internet (% of population)"),
    "grapher_internet_share_2026-02-22.csv": (36, 15.2, "Share of the population using the Internet"),
}


@pytest.mark.parametrize("file", SHAPES)
def test_four_shapes_of_one_grapher_file(file):
    height, iraq, heading = SHAPES[file]
    excerpt = excerpt_of(file)
    frame = read(excerpt)
    assert heading in excerpt.data().decode().splitlines()[0]
    assert frame.height == height
    assert said(frame, "Iraq")["2015"] == iraq
    assert set(frame["measure"]) == {"users_share"}
    resolved = keys(frame, excerpt.source)
    assert resolved["Namibia"] == "NAM"
    assert resolved["World"] == "WLD"
    assert {resolved[name] for name in resolved if name.startswith("High")} == {"HIC"}
    assert {resolved[name] for name in resolved if name.startswith("North America")} == {"NAC"}
    assert {resolved[name] for name in resolved if name.startswith("Europe")} == {"ECS"}


def test_the_semicolons_of_october_2025():
    frame = read(excerpt_of("grapher_internet_share_2025-10.csv"))
    assert said(frame, "Ghana") == {"1990": 0.0, "2015": 23.0, "2019": 22.0732, "2022": 69.8405}
    assert said(frame, "North America (WB)")["2022"] == 96.8
    assert frame.filter(pl.col("entity") == "Ghana")["code"].unique().to_list() == ["GHA"]
    assert frame.filter(pl.col("entity") == "North America (WB)")["code"].unique().to_list() == [None]
    assert said(frame, "Botswana") == {
        "1965": 0.0,
        "1990": 0.0,
        "2015": 37.3121,
        "2019": 64.8263,
        "2022": 77.3272,
    }, "zeros of 1965 stand in the file"


def test_codes_of_aggregates_came_in_2026():
    codes = dict(read(excerpt_of("grapher_internet_share_2026-02-22.csv")).select("entity", "code").rows())
    assert codes["North America (WB)"] == "WB_NA"
    assert codes["Europe and Central Asia (WB)"] == "WB_ECA"
    assert codes["High-income countries"] == "OWID_HIC"


CARRIED = {
    "Computer": [*range(1993, 1998), *range(1999, 2003), 2004, *range(2006, 2010), 2017, 2018, 2019],
    "Ebook reader": [2019],
    "Landline": [2019],
    "Microcomputer": [2017, 2018, 2019],
    "Tablet": [2018, 2019],
}


def technology(reference=True):
    edition = read(excerpt_of("owid_technology_diffusion_2019-07-27.csv")) if reference else None
    return read(excerpt_of("grapher_technology_adoption_2022-04.csv"), reference=edition)


def test_values_carried_forward_are_flagged_and_real_repeats_are_not():
    frame = technology()
    flagged = frame.filter(pl.col("flag") == "carried_forward").with_columns(pl.col("period_start").dt.year())
    found = {name: group["period_start"].sort().to_list() for (name,), group in flagged.group_by("entity")}
    assert found == CARRIED
    assert flagged.height == 24
    landline = said(frame.filter(pl.col("flag").is_null()), "Landline")
    assert {year: landline[year] for year in ("1998", "1999", "2000")} == {"1998": 94.0, "1999": 94.0, "2000": 94.0}
    assert frame.height == 53, "nothing is thrown away"
    assert said(frame, "Tablet")["2019"] == 64.0


def test_without_the_publishers_own_edition_nothing_is_called_carried_forward():
    assert technology(reference=False)["flag"].null_count() == 53


def test_absence_from_the_edition_alone_does_not_make_a_value_carried_forward():
    """A new value that the edition does not have yet is an observation."""
    excerpt = excerpt_of("grapher_technology_adoption_2022-04.csv")
    edition = read(excerpt_of("owid_technology_diffusion_2019-07-27.csv"))
    frame = read(excerpt, excerpt.data().replace(b"Landline,,2019,41.7", b"Landline,,2019,40.1"), edition)
    last = frame.filter((pl.col("entity") == "Landline") & (pl.col("period_start") == date(2019, 1, 1)))
    assert last.select("value", "flag").rows() == [(40.1, None)]


@pytest.mark.parametrize(
    ("file", "measure", "entity", "values"),
    [
        (
            "grapher_internet_users_by_country_2022-04.csv",
            "users",
            "Namibia",
            {"1990": 0.0, "2015": 623075.0, "2016": 769538.0},
        ),
        (
            "grapher_internet_users_2023-04.csv",
            "users",
            "World",
            {"1990": 2617438.0, "2015": 3004582521.0, "2020": 4699886462.0},
        ),
        ("grapher_mobile_2023-04.csv", "mobile", "Kosovo", {"2010": 32.302101135253906}),
        ("grapher_broadband_2022-04.csv", "broadband", "Namibia", {"2010": 0.445283674, "2019": 2.538113392}),
    ],
)
def test_other_grapher_charts(file, measure, entity, values):
    frame = read(excerpt_of(file))
    assert said(frame, entity) == values
    assert set(frame["measure"]) == {measure}


def test_north_america_is_two_places():
    """The continent in one chart, the World Bank's group elsewhere: the same name, told apart by source."""
    chart = excerpt_of("grapher_internet_users_2023-04.csv")
    assert keys(read(chart), chart.source)["North America"] == "OWID_NAM"
    assert keys(read(excerpt_of("grapher_mobile_2023-04.csv")), "grapher_mobile")["North America"] == "NAC"
    assert keys(read(excerpt_of("grapher_mobile_2023-04.csv")), "grapher_mobile")["Kosovo"] == "XKX"


def test_pew_dates_percents_blanks_and_a_renamed_platform():
    excerpt = excerpt_of("pew_platforms_2024-11-13.csv")
    frame = read(excerpt)
    platform = said(frame, "X (formerly Twitter)")
    assert platform["2012-08-05"] == 13.0
    assert platform["2012-08-07"] == 14.0
    assert platform["2024-06-10"] == 21.0
    assert len(platform) == 14
    assert said(frame, "TikTok") == {"2021-02-08": 21.0, "2023-09-05": 33.0, "2024-06-10": 33.0}
    assert said(frame, "Nextdoor") == {"2021-02-08": 13.0}
    assert said(frame, "BeReal") == {"2023-09-05": 3.0, "2024-06-10": 3.0}
    assert "2012-08-07" not in said(frame, "Facebook"), "a blank cell is no zero"
    assert set(frame["period_kind"]) == {"date"}
    assert frame["entity"].n_unique() == 12
    assert frame.height == 82
    former = read(
        excerpt, excerpt.data().replace(b"X (formerly Twitter)", b"Twitter (X)").replace(b"YouTube", b"Youtube")
    )
    assert former.equals(frame)


@pytest.mark.parametrize(
    ("region", "platforms", "facebook", "zero"),
    [
        ("gb", 15, 61.95, ("Instagram", "2013-05")),
        ("jp", 17, 48.85, ("Google+", "2023-05")),
        ("kr", 13, 66.95, ("StumbleUpon", "2016-07")),
        ("us", 15, 53.15, ("Tumblr", "2013-06")),
    ],
)
def test_statcounter_months_sum_to_a_hundred_and_zeros_stay(region, platforms, facebook, zero):
    frame = read(excerpt_of(f"statcounter_social_{region}.csv"))
    values = said(frame)
    assert values["Facebook", "2013-05"] == facebook
    assert values[zero] == 0.0
    assert frame.height == 5 * platforms
    assert set(frame["period_kind"]) == {"month"}
    assert set(frame["measure"]) == {"referral_share"}
    sums = frame.group_by("period_start").agg(pl.col("value").sum())["value"]
    assert sums.is_between(99.9, 100.1).all()


def test_both_publishers_of_television_households_are_kept_apart():
    """They disagree for 1950, and neither is thrown away."""
    hsus = read(excerpt_of("us_television.csv", "hsus_television"))
    nielsen = read(excerpt_of("us_television.csv", "nielsen_television"))
    assert said(hsus) == {
        ("United States", "1950"): 5030000.0,
        ("United States", "1951"): 10320000.0,
        ("United States", "1955"): 30700000.0,
    }
    assert said(nielsen, measure="households") == {
        ("United States", "1950"): 3880000.0,
        ("United States", "1959"): 43950000.0,
    }
    assert said(nielsen, measure="household_share") == {
        ("United States", "1950"): 9.0,
        ("United States", "1959"): 85.9,
    }
    assert set(hsus["measure"]) == {"households"}


GROUPS = {"High income": "HIC", "Low income": "LIC", "Lower middle income": "LMC", "Upper middle income": "UMC"}


@pytest.mark.parametrize(
    ("name", "measure", "namibia", "high_income"),
    [
        ("users", "users_share", {"1990": 0.0, "2015": 25.68785182}, 79.3691617735742),
        ("broadband", "broadband", {"2015": 3.084412171}, 31.0077769489257),
        ("population", "population", {"1990": 1369011.0, "2015": 2282704.0}, 1212444178.0),
    ],
)
def test_wdi_namibia_is_no_missing_value_and_income_groups_have_codes(name, measure, namibia, high_income):
    excerpt = excerpt_of(f"wdi_{name}_2024-09.csv")
    assert b'NA"|"NAM' in excerpt.data() or b"|NA|NAM|" in excerpt.data()
    frame = read(excerpt)
    assert said(frame, "Namibia") == namibia
    assert said(frame, "High income")["2015"] == high_income
    assert set(frame["measure"]) == {measure}
    assert "2023" not in said(frame, "World"), "NA in the value column is missing"
    assert "Not classified" not in set(frame["entity"])
    without = frame.filter(pl.col("code").is_null())
    assert set(without["entity"]) == set(GROUPS), "their codes are empty in the file"
    resolved = keys(frame, "wdi")
    assert {name: resolved[name] for name in GROUPS} == GROUPS
    assert resolved["Namibia"] == "NAM"
    assert len(set(resolved.values())) == len(resolved), "no two names fall together"


def test_datahub_editions_of_one_indicator():
    old, new = (read(excerpt_of(f"datahub_mobile_{month}.csv")) for month in ("2018-08", "2026-04"))
    assert said(old, "Namibia") == {"1960": 0.0, "2015": 105.122773659372, "2016": 107.26850244363}
    assert said(new, "Namibia") == {"1960": 0.0, "2015": 107.392, "2016": 109.05}
    assert said(old, "Turkey")["2016"] == 94.402476161399
    assert said(new, "Turkiye")["2016"] == 91.9287
    assert said(old, "Macao SAR, China")["2016"] == 321.803037406459, "above a hundred is normal"
    assert keys(old, "worldbank_datahub")["Turkey"] == keys(new, "worldbank_datahub")["Turkiye"] == "TUR"
    assert set(keys(old, "worldbank_datahub").values()) == set(keys(new, "worldbank_datahub").values())


@pytest.mark.parametrize(
    ("file", "measure", "value"),
    [
        ("datahub_mobile_2018-08.csv", "mobile", 107.26850244363),
        ("datahub_landline_2018-08.csv", "landline", 7.57559443371068),
        ("datahub_broadband_2026-04.csv", "broadband", 2.63786),
        ("datahub_population_2026-07.csv", "population", 2439213.0),
        ("datahub_gdp_per_head_2026-07.csv", "gdp_per_head", 4395.68776162376),
        ("datahub_gdp_per_head_ppp_2026-07.csv", "gdp_per_head_ppp", 10200.1392609733),
    ],
)
def test_the_address_names_the_indicator(file, measure, value):
    frame = read(excerpt_of(file))
    assert set(frame["measure"]) == {measure}
    assert said(frame, "Namibia")["2016"] == value


def test_statements_by_channel_and_verdict():
    frame = read(excerpt_of("factcheck.csv"))
    assert said(frame, "internet", "pants_fire") == {"2017": 237.0}
    assert said(frame, "television", "false") == {"2017": 504.0}
    assert frame.height == 24
    assert tuple(measure.measure for measure in SOURCES["factcheck"].measures) == channels.VERDICTS
    assert set(frame["entity"]) <= set(load_fact("channels")["channel"])


# --- bad input -------------------------------------------------------------------------------------------------------


def refusal(excerpt, data, **more):
    """The one problem of the refusal; the message names the file and the rule."""
    with pytest.raises(Refused) as caught:
        read(excerpt, data, **more)
    (problem,) = caught.value.problems
    message = str(caught.value)
    assert excerpt.file in message
    assert problem.rule in message
    return problem


def rewrite(excerpt, change):
    """The excerpt with `change(header, rows)` applied to its table; what stands around the table stays."""
    lines = excerpt.data().decode("utf-8").replace("\r\n", "\n").split("\n")
    end = next((i for i in range(excerpt.header, len(lines)) if not lines[i].strip(",")), len(lines))
    header, *rows = csv.reader(lines[excerpt.header : end], delimiter=excerpt.separator)
    header, rows = change(header, rows)
    out = io.StringIO()
    csv.writer(out, delimiter=excerpt.separator, lineterminator="\n").writerows([header, *rows])
    return "\n".join([*lines[: excerpt.header], out.getvalue().rstrip("\n"), *lines[end:]]).encode()


def column(excerpt, header, name):
    return len(header) - 1 if name == "-1" else header.index(name)


def own_row(excerpt, header, rows):
    """A row the reader uses, and its line in the file."""
    index = next(
        i
        for i, row in enumerate(rows)
        if row[column(excerpt, header, excerpt.number)] not in ("", ".", "NA") and row[0] != "Mail"
    )
    return index, excerpt.header + index + 2


@every_source
def test_rewriting_changes_nothing_by_itself(excerpt):
    """The bad inputs below are bad by their one fault alone."""
    assert read(excerpt, rewrite(excerpt, lambda header, rows: (header, rows))).equals(read(excerpt))


@every_source
@pytest.mark.parametrize("data", [b"", b"  \r\n\t\n "], ids=["no bytes", "whitespace"])
def test_an_empty_file_is_refused(excerpt, data):
    assert refusal(excerpt, data).rule == "not empty"


@every_source
@pytest.mark.parametrize(
    "data",
    [b"<!DOCTYPE html><html><body>not found</body></html>", b"\n <HTML>\n", b"\xef\xbb\xbf<?xml version='1.0'?>"],
    ids=["doctype", "html", "xml after a byte order mark"],
)
def test_a_page_is_refused(excerpt, data):
    problem = refusal(excerpt, data)
    assert (problem.rule, problem.found) == ("text", "an HTML page")


@every_source
def test_nul_bytes_are_refused(excerpt):
    problem = refusal(excerpt, excerpt.data()[:-3] + b"\x00\x00\x00")
    assert (problem.rule, problem.found) == ("text", "NUL bytes")


@every_source
def test_latin_1_is_refused(excerpt):
    problem = refusal(excerpt, excerpt.data() + "Côte d'Ivoire".encode("latin-1"))
    assert problem.rule == "text"
    assert problem.found == f"byte {len(excerpt.data()) + 1} is not UTF-8"


@every_source
def test_a_missing_column_is_refused(excerpt):
    def drop(header, rows):
        gone = header.index(excerpt.required)
        first, *rest = [[*row[:gone], *row[gone + 1 :]] for row in [header, *rows]]
        return first, rest

    assert refusal(excerpt, rewrite(excerpt, drop)).rule == "columns"


@every_source
def test_a_renamed_column_is_refused(excerpt):
    def rename(header, rows):
        return ["Spalte" if name == excerpt.required else name for name in header], rows

    problem = refusal(excerpt, rewrite(excerpt, rename))
    assert problem.rule == "columns"
    assert excerpt.required in problem.expected


@every_source
@pytest.mark.parametrize("which", ["required", "number"])
def test_a_duplicated_column_is_refused(excerpt, which):
    def double(header, rows):
        twice = column(excerpt, header, getattr(excerpt, which))
        return [*header, header[twice]], [[*row, row[twice]] for row in rows]

    assert refusal(excerpt, rewrite(excerpt, double)).rule == "columns"


@every_source
@pytest.mark.parametrize("text", ["n/a", "12,5", "1 200"])
def test_text_for_a_number_is_refused_with_its_line(excerpt, text):
    at = {}

    def spoil(header, rows):
        index, at["line"] = own_row(excerpt, header, rows)
        rows[index][column(excerpt, header, excerpt.number)] = text
        return header, rows

    problem = refusal(excerpt, rewrite(excerpt, spoil))
    assert problem.rule == "cells" or problem.rule.startswith("numbers in ")
    assert problem.rows == (f"line {at['line']}: {text!r}",)


YEARS = [e for e in ONE_EACH if not e.source.startswith(("pew", "statcounter", "factcheck"))]


@pytest.mark.parametrize("excerpt", YEARS, ids=lambda e: e.source)
@pytest.mark.parametrize("text", ["20O4", "2004.5", ""])
def test_a_year_that_is_none_is_refused_with_its_line(excerpt, text):
    at = {}

    def spoil(header, rows):
        index, at["line"] = own_row(excerpt, header, rows)
        rows[index][next(i for i, name in enumerate(header) if name.lower() == "year")] = text
        return header, rows

    problem = refusal(excerpt, rewrite(excerpt, spoil))
    assert problem.rule in ("numbers in Year", "numbers in year")
    assert problem.rows[0].startswith(f"line {at['line']}")


@pytest.mark.parametrize("source", ["pew_platforms", "statcounter_social_kr"])
@pytest.mark.parametrize("text", ["2018", "31/31/2018", ""])
def test_a_date_in_another_form_is_refused_with_its_line(source, text):
    excerpt = next(e for e in ALL if e.source == source)

    def spoil(header, rows):
        rows[1][0] = text
        return header, rows

    problem = refusal(excerpt, rewrite(excerpt, spoil))
    assert problem.rule == "dates"
    assert problem.rows[0].startswith(f"line {excerpt.header + 3}: ")


@every_source
@pytest.mark.parametrize("width", [-1, 1], ids=["short", "long"])
def test_an_uneven_row_is_refused_with_its_line(excerpt, width):
    def cut(header, rows):
        rows[1] = rows[1][:-1] if width < 0 else [*rows[1], "7"]
        return header, rows

    problem = refusal(excerpt, rewrite(excerpt, cut))
    assert problem.rule == "rows"
    assert problem.rows[0].startswith(f"line {excerpt.header + 3}: ")


@every_source
def test_a_header_alone_is_refused(excerpt):
    assert refusal(excerpt, rewrite(excerpt, lambda header, rows: (header, []))).rule == "not empty"


@every_source
def test_an_unclosed_quote_is_refused(excerpt):
    lines = excerpt.data().replace(b"\r\n", b"\n").split(b"\n")
    lines[excerpt.header + 2] = b'"' + lines[excerpt.header + 2].replace(b'"', b"")
    assert refusal(excerpt, b"\n".join(lines).replace(b'"Note', b"Note")).rule == "rows"


@every_source
def test_a_byte_order_mark_and_carriage_returns_are_accepted(excerpt):
    plain = excerpt.data().replace(b"\r\n", b"\n")
    assert read(excerpt, b"\xef\xbb\xbf" + plain.replace(b"\n", b"\r\n")).equals(read(excerpt, plain))


@every_source
def test_blank_lines_at_the_end_are_accepted(excerpt):
    assert read(excerpt, excerpt.data() + b"\n\n\n").equals(read(excerpt))


@pytest.mark.parametrize("region", ["gb", "jp", "kr", "us"])
@pytest.mark.parametrize("by", [0.6, -0.6])
def test_shares_that_do_not_sum_to_a_hundred_are_refused(region, by):
    excerpt = excerpt_of(f"statcounter_social_{region}.csv")

    def add(header, rows):
        rows[2][1] = str(float(rows[2][1]) + by)
        return header, rows

    problem = refusal(excerpt, rewrite(excerpt, add))
    assert problem.rule == "sums"
    assert problem.rows[0].startswith("line 4: 2016-07: ")


def test_rounding_of_shares_is_accepted():
    excerpt = excerpt_of("statcounter_social_gb.csv")

    def add(header, rows):
        rows[2][1] = str(float(rows[2][1]) + 0.4)
        return header, rows

    assert read(excerpt, rewrite(excerpt, add)).height == read(excerpt).height


@pytest.mark.parametrize("heading", ["IT.NET.XXXX", "it.net.user.zs"])
def test_wdi_without_a_known_indicator_is_refused(heading):
    excerpt = excerpt_of("wdi_users_2024-09.csv")
    problem = refusal(excerpt, excerpt.data().replace(b"IT.NET.USER.ZS", heading.encode()))
    assert problem.rule == "columns"
    assert "IT.NET.USER.ZS" in problem.expected
    assert heading in problem.found


def test_wdi_with_two_indicators_is_refused():
    excerpt = excerpt_of("wdi_users_2024-09.csv")
    double = rewrite(excerpt, lambda header, rows: ([*header, "SP.POP.TOTL"], [[*row, "1"] for row in rows]))
    assert refusal(excerpt, double).rule == "columns"


@pytest.mark.parametrize("url", ["", "https://example.org/indicators/it.net.user/data.csv"])
def test_a_mirror_address_without_a_declared_indicator_is_refused(url):
    excerpt = excerpt_of("datahub_mobile_2018-08.csv")
    problem = refusal(excerpt, excerpt.data(), url=url)
    assert problem.rule == "address"
    assert problem.found == (url or "none")


def test_hccta_without_one_of_its_variables_is_refused():
    excerpt = excerpt_of("hccta.txt")
    problem = refusal(excerpt, excerpt.data().replace(b"Televisions,", b"Television,"))
    assert problem.rule == "variables"
    assert problem.found == "without Televisions"


@pytest.mark.parametrize("file", ["owid_wb_mobile_2018-09-21.csv", "grapher_mobile_2023-04.csv"])
def test_a_second_value_column_is_refused(file):
    excerpt = excerpt_of(file)
    double = rewrite(excerpt, lambda header, rows: ([*header, "Fixed lines"], [[*row, "1"] for row in rows]))
    problem = refusal(excerpt, double)
    assert (problem.rule, problem.found) == ("columns", "2")


def test_pew_cells_without_a_percent_sign_are_refused():
    excerpt = excerpt_of("pew_platforms_2024-11-13.csv")
    problem = refusal(excerpt, excerpt.data().replace(b"12/16/2012,,57%", b"12/16/2012,,57"))
    assert problem.rule == "cells"
    assert problem.rows == ("line 8: '57'",)


def test_pew_without_its_header_line_is_refused():
    excerpt = excerpt_of("pew_platforms_2024-11-13.csv")
    assert refusal(excerpt, b"Which social media platforms are most popular\n\nDate,YouTube\n").rule == "columns"


@pytest.mark.parametrize("source", ["hsus_television", "nielsen_television"])
def test_a_file_without_the_publishers_rows_is_refused(source):
    excerpt = excerpt_of("us_television.csv", source)
    gone = excerpt.data().replace(b"Historical Statistics", b"Somebody").replace(b"Nielsen", b"Somebody")
    problem = refusal(excerpt, gone)
    assert (problem.rule, problem.found) == ("rows", "none")


@pytest.mark.parametrize(
    ("old", "new", "rule", "row"),
    [
        (b"internet,false,", b"internet,misleading,", "verdicts", "line 9: internet, misleading"),
        (b"internet,false,", b",false,", "verdicts", "line 9: None, false"),
        (b"internet,false,", b"internet,,", "verdicts", "line 9: internet, None"),
        (b"internet,false,244\r\n", b"", "whole table", "internet: 5 verdicts"),
    ],
)
def test_a_table_of_counts_with_a_cell_amiss_is_refused(old, new, rule, row):
    excerpt = excerpt_of("factcheck.csv")
    assert old in excerpt.data()
    problem = refusal(excerpt, excerpt.data().replace(old, new))
    assert (problem.rule, problem.rows) == (rule, (row,))
