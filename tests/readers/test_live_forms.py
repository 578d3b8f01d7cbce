"""The live forms of the founding sources: exact values, and each refusal seen.

Where no real response could be had, the excerpt follows the publisher's documentation: `excerpts/README.md` says which.
"""

import json
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

import polars as pl
import pytest
from live_forms import DAY, excerpt, live, passes_its_checks, refusal, said, year
from longwave.pipelines.sources import SOURCES, _spec
from longwave.pipelines.sources._json import read_json
from longwave.pipelines.sources._spec import MEDIA_TYPES, Original
from longwave.warehouse.errors import Refused
from longwave.warehouse.tidy import adopter_key_expression

SHARE = "grapher_internet_share_2026-02-22"


# --- what is declared ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", SOURCES.values(), ids=lambda spec: spec.source)
def test_endpoints_are_asked_by_https_from_declared_hosts(spec):
    addresses = []
    for endpoint in spec.endpoints:
        names = [part.name for part in endpoint.parts]
        assert len(set(names)) == len(names)
        assert {part.form for part in endpoint.parts} <= set(MEDIA_TYPES)
        addresses += [part.address(DAY) for part in endpoint.parts]
        # Asked of a web archive, never of its host.
        assert not endpoint.archived or urlsplit(endpoint.archived).scheme == "https"
    for address in addresses:
        parts = urlsplit(address)
        assert parts.scheme == "https"
        assert parts.hostname in spec.allowed_hosts
        assert not set(address) & set("{} ")
    measures = [endpoint.measure for endpoint in spec.endpoints if endpoint.measure]
    assert set(measures) <= {measure.measure for measure in spec.measures}
    assert len(set(measures)) == len(measures)
    assert (spec.refresh == "never") == (not spec.endpoints)


def test_a_source_is_one_short_file():
    folder = Path(_spec.__file__).parent
    long = {path.name: len(path.read_text().splitlines()) for path in folder.glob("[a-z]*.py")}
    assert {name: lines for name, lines in long.items() if lines > 100} == {}


def test_only_the_figures_of_secondary_pages_have_no_address():
    founding = {"hccta", "pew_platforms", "wdi", "worldbank_datahub", "hsus_television", "nielsen_television"}
    own = {s for s in SOURCES if s in founding or s.startswith(("grapher_", "owid_", "statcounter_", "pew_"))}
    assert {source for source in own if not SOURCES[source].endpoints} == {"hsus_television", "nielsen_television"}


def test_each_indicator_is_an_endpoint_of_its_own():
    assert [e.measure for e in SOURCES["wdi"].endpoints] == [m.measure for m in SOURCES["wdi"].measures]
    asked = {e.parts[0].url.split("/indicator/")[1].split("?")[0] for e in SOURCES["wdi"].endpoints}
    assert asked == {
        "IT.NET.USER.ZS",
        "IT.CEL.SETS.P2",
        "IT.NET.BBND.P2",
        "IT.MLT.MAIN.P2",
        "SP.POP.TOTL",
        "NY.GDP.PCAP.PP.CD",
    }


# --- Our World in Data -----------------------------------------------------------------------------------------------


def grapher(day=DAY, data=None, **changes):
    """The real pair of 2026-02-22, with changes to what the metadata says of its one column; None takes a key away."""
    value = json.loads(excerpt(f"{SHARE}.metadata.json"))
    (described,) = value["columns"].values()
    described.update(changes)
    for key in [key for key, new in changes.items() if new is None]:
        del described[key]
    metadata = json.dumps(value).encode()
    return live("grapher_internet_share", day, data=data or excerpt(f"{SHARE}.csv"), metadata=metadata)


def test_a_chart_with_its_metadata_reads_as_the_csv_alone_and_is_dated_by_its_publisher():
    spec, original = SOURCES["grapher_internet_share"], grapher()
    alone = Original(original.name, original.data)
    assert spec.read(original).equals(spec.read(alone))
    assert spec.dated(original) == date(2026, 1, 29)
    assert spec.dated(alone) is None
    passes_its_checks(spec.source, spec.read(original))


def test_a_web_archive_holds_the_csv_alone():
    spec, original = SOURCES["grapher_internet_share"], grapher()
    from_archive = live(spec.source, data=original.data)
    assert spec.read(from_archive).equals(spec.read(original))
    assert spec.dated(from_archive) is None
    (endpoint,) = spec.endpoints
    assert endpoint.archived == "https://ourworldindata.org/grapher/share-of-individuals-using-the-internet.csv"


def test_values_carried_forward_are_flagged_in_a_live_answer_too():
    spec = SOURCES["grapher_technology_adoption"]
    data = excerpt("grapher_technology_adoption_2022-04.csv")
    edition = SOURCES[spec.reference].read(Original("edition", excerpt("owid_technology_diffusion_2019-07-27.csv")))
    frame = spec.read(Original("chart", data, "", edition, {"data": data}, DAY))
    assert frame.filter(pl.col("flag") == "carried_forward").height == 24


@pytest.mark.parametrize("without", [{"lastUpdated": None}, {"lastUpdated": ""}, {"timespan": None}, {"timespan": ""}])
def test_what_the_metadata_leaves_out_contradicts_nothing(without):
    spec, original = SOURCES["grapher_internet_share"], grapher(**without)
    assert spec.read(original).height == 36
    assert spec.dated(original) == (None if "lastUpdated" in without else date(2026, 1, 29))


@pytest.mark.parametrize(
    ("change", "rule", "found"),
    [
        (
            {"titleShort": "Number of cars", "titleLong": "Number of cars", "shortName": "cars"},
            "value column",
            "one of",
        ),
        ({"timespan": "1990-2014"}, "timespan", "outside it"),
        ({"timespan": "1995–2024"}, "timespan", "outside it"),
        ({"timespan": "2024"}, "timespan", "outside it"),
        ({"timespan": "the nineties"}, "timespan", "'the nineties'"),
        ({"lastUpdated": "January 2026"}, "lastUpdated", "'January 2026'"),
        ({"lastUpdated": "2026-07-21"}, "lastUpdated", "2026-07-21"),
    ],
)
def test_metadata_that_contradict_the_csv_are_refused(change, rule, found):
    problem = refusal(grapher(**change))
    assert problem.rule == rule
    assert found in problem.found
    assert "metadata" in problem.where


@pytest.mark.parametrize(
    ("metadata", "rule"),
    [
        (b"", "not empty"),
        (b"<!DOCTYPE html><html></html>", "text"),
        (b'{"columns": {', "JSON"),
        (b"[]", "columns"),
        (b"{}", "columns"),
        (b'{"columns": {}}', "columns"),
        (b'{"columns": []}', "columns"),
        (b'{"columns": {"a": {}, "b": {}}}', "columns"),
        (b'{"columns": {"World region according to OWID": {}}}', "columns"),
    ],
)
def test_metadata_that_describe_no_one_column_are_refused_and_date_nothing(metadata, rule):
    original = live("grapher_internet_share", data=excerpt(f"{SHARE}.csv"), metadata=metadata)
    assert refusal(original).rule == rule
    assert SOURCES["grapher_internet_share"].dated(original) is None


def with_column(name):
    lines = excerpt(f"{SHARE}.csv").decode().rstrip("\n").split("\n")
    return "\n".join([f"{lines[0]},{name}", *(f"{line},Africa" for line in lines[1:])]).encode()


def test_a_column_that_colours_a_chart_is_no_value():
    spec = SOURCES["grapher_internet_share"]
    data = with_column("World region according to OWID")
    original = grapher(data=data)
    described = json.loads(original.parts["metadata"])
    described["columns"]["World region according to OWID"] = {"titleShort": "World region according to OWID"}
    annotated = live(spec.source, data=data, metadata=json.dumps(described).encode())
    assert spec.read(original).equals(spec.read(grapher()))
    assert spec.read(annotated).equals(spec.read(grapher()))
    assert spec.dated(annotated) == date(2026, 1, 29)


def test_any_other_column_is_refused():
    problem = refusal(grapher(data=with_column("Population")))
    assert (problem.rule, problem.found) == ("columns", "2")


def test_a_chart_that_became_daily_is_refused():
    problem = refusal(grapher(data=excerpt(f"{SHARE}.csv").replace(b"Entity,Code,Year,", b"Entity,Code,Day,")))
    assert problem.rule == "columns"
    assert problem.found == "a column Day"


def test_users_by_platform_are_of_the_world_and_stay_at_home():
    spec = SOURCES["grapher_platform_users"]
    parts = {"data": excerpt("grapher_platform_users.csv"), "metadata": excerpt("grapher_platform_users.metadata.json")}
    original = live(spec.source, **parts)
    frame = spec.read(original)
    assert said(frame, "An early platform") == {year(2003): 1e6, year(2004): 5.5e6, year(2005): 0.0}
    assert said(frame, "A late platform") == {year(2015): 2.5e8, year(2016): 3e8}
    assert spec.dated(original) is None, "this chart says no date of its own"
    series = passes_its_checks(spec.source, frame)
    assert set(series["place"]) == {"WLD"}
    assert set(series["adopter_kind"]) == {"platform"}
    assert set(series["concept"]) == {"users of a platform"}
    assert not spec.redistribute


@pytest.mark.originals
def test_the_whole_real_pair_agrees(originals):
    stem = originals / "owid" / "owid_share-of-individuals-using-the-internet_2026-02-22"
    data, metadata = (Path(f"{stem}.{form}").read_bytes() for form in ("csv", "metadata.json"))
    original = live("grapher_internet_share", data=data, metadata=metadata)
    assert SOURCES["grapher_internet_share"].read(original).height == 6318
    assert SOURCES["grapher_internet_share"].dated(original) == date(2026, 1, 29)


@pytest.mark.parametrize(
    ("source", "file"),
    [
        ("owid_technology_diffusion", "owid_technology_diffusion_2019-07-27.csv"),
        ("owid_wb_mobile", "owid_wb_mobile_2018-09-21.csv"),
        ("hccta", "hccta.txt"),
    ],
)
def test_files_at_an_address_read_alike_from_there(source, file):
    spec, data = SOURCES[source], excerpt(file)
    frame = spec.read(live(source, data=data))
    assert frame.equals(spec.read(Original(file, data)))
    passes_its_checks(source, frame)
    assert spec.refresh == "yearly"
    assert spec.dated is None


# --- World Bank ------------------------------------------------------------------------------------------------------


def pages():
    return [json.loads(excerpt(f"wdi_api_users_page-{n}.json")) for n in (1, 2)]


def indicator(*bodies, measure="users_share"):
    data, *more = [body if isinstance(body, bytes) else json.dumps(body).encode() for body in bodies]
    return live("wdi", measure=measure, data=data, **{f"page_{n}": page for n, page in enumerate(more, start=2)})


def test_the_pages_of_an_indicator():
    spec, original = SOURCES["wdi"], indicator(*pages())
    frame = spec.read(original)
    assert set(frame["measure"]) == {"users_share"}
    assert said(frame, "Namibia") == {year(1990): 0.0, year(2015): 25.68785182}, "null is no statement"
    assert said(frame, "High income") == {year(2015): 79.3691617735742}
    assert frame.height == 7
    codes = dict(frame.select("entity", "code").rows())
    assert codes["Namibia"] == "NAM"
    assert codes["High income"] is None
    keys = dict(frame.select("entity", adopter_key_expression("wdi").alias("key")).rows())
    assert {keys["High income"], keys["Low income"], keys["Euro area"], keys["World"]} == {"HIC", "LIC", "EMU", "WLD"}
    assert spec.dated(original) == date(2026, 7, 13)
    series = passes_its_checks("wdi", frame)
    assert set(series["series"]) >= {"wdi/users_share/NAM", "wdi/users_share/HIC"}


def test_both_forms_of_the_bank_give_the_same_series():
    table = SOURCES["wdi"].read(Original("wdi", excerpt("wdi_users_2024-09.csv")))
    assert said(table, "Namibia")[year(2015)] == said(SOURCES["wdi"].read(indicator(*pages())), "Namibia")[year(2015)]
    assert SOURCES["wdi"].dated(Original("wdi", b"")) is None


def test_the_first_page_says_which_others_there_are():
    endpoint = next(e for e in SOURCES["wdi"].endpoints if e.measure == "users_share")
    first, _ = pages()
    (second,) = endpoint.further(DAY, json.dumps(first).encode())
    assert (second.name, second.form) == ("page-2", "json")
    assert second.url == endpoint.parts[0].url.replace("page=1", "page=2")
    first[0]["pages"] = "3"
    assert [part.name for part in endpoint.further(DAY, json.dumps(first).encode())] == ["page-2", "page-3"]
    first[0]["pages"] = 1
    assert endpoint.further(DAY, json.dumps(first).encode()) == ()
    first[0]["pages"] = 10**6
    assert len(endpoint.further(DAY, json.dumps(first).encode())) < 100, "nobody asks for a million pages"
    assert endpoint.further(DAY, b"<html>") == ()


def test_a_message_of_the_publisher_is_refused_in_its_words():
    message = [{"message": [{"id": "120", "key": "Invalid value", "value": "The parameter value is not valid"}]}]
    original = indicator(message)
    problem = refusal(original)
    assert problem.rule == "answer"
    assert problem.rows == ("Invalid value: The parameter value is not valid",)
    assert SOURCES["wdi"].dated(original) is None


def test_an_answer_of_one_page_is_whole():
    first, second = pages()
    first[0].update(pages=1)
    whole = SOURCES["wdi"].read(indicator([first[0], first[1] + second[1]]))
    assert whole.equals(SOURCES["wdi"].read(indicator(*pages())))


@pytest.mark.parametrize(
    ("key", "value"), [("lastupdated", "2026-07-14"), ("total", 10), ("per_page", 6)], ids=["edition", "total", "size"]
)
def test_a_body_that_changed_between_two_requests_is_refused(key, value):
    first, second = pages()
    second[0][key] = value
    problem = refusal(indicator(first, second))
    assert problem.rule == "one edition"
    assert key in problem.expected
    assert str(value) in problem.found


def test_a_missing_page_is_refused():
    problem = refusal(indicator(pages()[0]))
    assert (problem.rule, problem.expected, problem.found) == ("pages", "pages 1 to 2", "pages 1")


def test_a_page_served_twice_is_refused():
    first, _ = pages()
    problem = refusal(indicator(first, first))
    assert (problem.rule, problem.found) == ("pages", "pages 1, 1")


@pytest.mark.parametrize("cut", [-1, 1])
def test_rows_too_few_or_too_many_are_refused(cut):
    first, second = pages()
    second[1] = second[1][:-1] if cut < 0 else [*second[1], second[1][0]]
    problem = refusal(indicator(first, second))
    assert problem.rule == "rows"
    assert problem.found == str(9 + cut)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"date": "2023Q1"}, "row 6: date '2023Q1'"),
        ({"date": 2015}, "row 6: date 2015"),
        ({"date": None}, "row 6: date None"),
        ({"value": "25.7"}, "row 6: value '25.7'"),
        ({"value": True}, "row 6: value True"),
        ({"country": {}, "countryiso3code": ""}, "row 6: no area"),
    ],
)
def test_a_row_that_is_no_yearly_figure_is_refused_with_its_place(change, fault):
    first, second = pages()
    second[1][0].update(change)
    problem = refusal(indicator(first, second))
    assert problem.rule == "rows"
    assert problem.rows == (fault,)


@pytest.mark.parametrize("ids", [("IT.CEL.SETS.P2",), ("IT.CEL.SETS.P2", "IT.NET.USER.ZS"), ("",)])
def test_another_indicator_than_the_one_asked_for_is_refused(ids):
    first, second = pages()
    for n, row in enumerate(first[1] + second[1]):
        row["indicator"]["id"] = ids[n % len(ids)]
    problem = refusal(indicator(first, second))
    assert problem.rule == "indicator"
    assert "IT.NET.USER.ZS" in problem.expected
    assert problem.found == ", ".join(ids)


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (b"", "not empty"),
        (b"<html>busy</html>", "text"),
        (b'[{"page":1,"pages":1', "JSON"),
        (b"[]", "answer"),
        (b"{}", "answer"),
        (b'[{"page":1,"pages":1,"total":1}]', "answer"),
        (b'[{"page":1,"pages":1,"total":1},"rows"]', "answer"),
        (b'[{"page":1,"pages":1,"total":1},[1]]', "answer"),
        (b'[{"page":1,"pages":1,"total":0},null]', "rows"),
        (b'[{"page":0,"pages":0,"total":0},null]', "pages"),
        (b'[{"page":1,"pages":1},[]]', "rows"),
    ],
)
def test_what_is_no_page_of_the_bank_is_refused(body, rule):
    original = indicator(body)
    assert refusal(original).rule == rule
    assert SOURCES["wdi"].dated(original) is None


def test_the_mirrors_addresses_name_the_measures_they_are_asked_for():
    spec, data = SOURCES["worldbank_datahub"], excerpt("datahub_mobile_2026-04.csv")
    found = {e.measure: spec.read(Original("m", data, e.parts[0].url, None, {"data": data})) for e in spec.endpoints}
    assert {measure: set(frame["measure"]) for measure, frame in found.items()} == {m: {m} for m in found}
    assert set(found) == {measure.measure for measure in spec.measures}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b'{"a": NaN}', "NaN for a number"),
        (b'{"a": -Infinity}', "-Infinity for a number"),
        (b'{"a": 1', "line 1"),
        (b"[" * 200_000, "recursion"),
    ],
)
def test_json_that_is_not_whole_or_not_finite_is_refused(text, found):
    with pytest.raises(Refused) as caught:
        read_json("a.json", text)
    (problem,) = caught.value.problems
    assert (problem.rule, problem.where) == ("JSON", "a.json")
    assert found in problem.found


def test_json_may_begin_with_a_byte_order_mark():
    assert read_json("a.json", b'\xef\xbb\xbf{"name": "T\xc3\xbcrkiye"}') == {"name": "Türkiye"}


# --- StatCounter -----------------------------------------------------------------------------------------------------


def test_months_are_asked_up_to_the_one_under_way():
    (endpoint,) = SOURCES["statcounter_social_kr"].endpoints
    address = endpoint.parts[0].address(date(2026, 3, 9))
    assert address.startswith("https://gs.statcounter.com/social-media-stats/all/south-korea/chart.php?")
    query = dict(pair.split("=") for pair in urlsplit(address).query.split("&"))
    assert query["region_hidden"] == "KR"
    assert query["statType_hidden"] == "social_media"
    assert query["granularity"] == "monthly"
    assert (query["fromInt"], query["toInt"]) == ("201305", "202603")
    assert (query["fromMonthYear"], query["toMonthYear"]) == ("2013-05", "2026-03")
    assert query["csv"] == "1"


@pytest.mark.parametrize(
    ("day", "kept"),
    [(date(2023, 5, 1), False), (date(2023, 5, 31), False), (date(2023, 6, 1), True), (None, True)],
)
def test_the_month_under_way_is_left_out(day, kept):
    spec, data = SOURCES["statcounter_social_us"], excerpt("statcounter_social_us.csv")
    frame = spec.read(Original(spec.source, data, "", None, {"data": data}, day))
    assert (date(2023, 5, 1) in set(frame["period_start"])) is kept
    assert date(2013, 5, 1) in set(frame["period_start"])
    assert frame.height == (75 if kept else 60)
