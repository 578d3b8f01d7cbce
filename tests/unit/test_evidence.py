"""From a series to the values that stand and the capture that first said each; nothing of sources that are closed."""

import polars as pl
import pytest
from longwave.pipelines.sources import SOURCES
from longwave.reports import evidence
from longwave.reports.content import EVIDENCE
from longwave.warehouse.evidence import standing_values
from longwave.warehouse.store import Warehouse, reader
from longwave.warehouse.tables import polars_schema

SOURCE = "grapher_internet_share"


@pytest.fixture
def standing(made_home, record):
    """Two editions of one source, the second revising one year, adding one and withdrawing one; `closed` shuts it."""

    def read(*, closed=False):
        editions = (
            ("2022-04-08", {("Iraq", 2013): 9.2, ("Iraq", 2014): 13.0, ("Iraq", 2015): 58.0, ("Chad", 2015): 3.5}),
            ("2023-04-12", {("Iraq", 2014): 13.0, ("Iraq", 2015): 16.8, ("Iraq", 2016): 21.2, ("Chad", 2015): 3.5}),
        )
        for vintage, values in editions:
            with Warehouse(made_home) as warehouse:
                record(warehouse, SOURCE, vintage, values)
                source = {
                    name: getattr(SOURCES[SOURCE], name) for name in polars_schema("sources") if name != "proven_on"
                }
                row = source | {"proven_on": None, "redistribute": not closed}
                frame = pl.DataFrame([row], schema=polars_schema("sources"))
                warehouse.replace("sources", frame, {"source": SOURCE})
        with reader(made_home) as con:
            return standing_values(con)

    return read


def test_each_value_that_stands_names_the_capture_that_first_said_it(standing):
    frame = standing()
    assert frame.columns == list(EVIDENCE)
    told = [
        (row["adopter"], row["period"], row["value"], row["capture"].split("@")[1][:10]) for row in frame.to_dicts()
    ]
    assert told == [
        ("Chad", "2015", 3.5, "2022-04-08"),
        ("Iraq", "2014", 13.0, "2022-04-08"),
        ("Iraq", "2015", 16.8, "2023-04-12"),
        ("Iraq", "2016", 21.2, "2023-04-12"),
    ]


def test_nothing_is_told_of_a_source_whose_rows_may_not_be_passed_on(standing):
    assert standing(closed=True).is_empty()


def test_a_sources_series_stand_under_what_they_measure(standing):
    frame = standing()
    vintages = dict.fromkeys(frame["capture"], "a date")
    (measure,) = evidence.measures(frame, SOURCE, vintages)
    assert measure["title"] == "internet, users share, percent"
    chad, iraq = measure["series"]
    assert (iraq["code"], iraq["first"], iraq["last"], iraq["n"]) == ("IRQ", "2014", "2016", 3)
    assert [said["text"] for said in iraq["said"]] == ["2014: 13", "2015: 16.8; 2016: 21.2"]
    assert {said["vintage"] for said in [*chad["said"], *iraq["said"]]} == {"a date"}
    assert evidence.measures(frame, "elsewhere", vintages) == []
    assert evidence.series_pages(frame)[iraq["id"]] == f"source-{SOURCE}.html#{iraq['anchor']}"
    assert evidence.series_names(frame)[iraq["id"]] == "Iraq, users share"


@pytest.mark.parametrize(
    ("value", "flag", "text"),
    [
        (99.0, None, "2000: 99"),
        (0.1 + 0.2, None, "2000: 0.30000000000000004"),
        (8_215_400_000.0, None, "2000: 8215400000"),
        (None, None, "2000: –"),
        (5.0, "carried_forward", "2000: 5 [carried forward]"),
    ],
)
def test_no_digit_of_a_value_is_lost(value, flag, text):
    row = {**dict.fromkeys(EVIDENCE, "x"), "period": "2000", "value": value, "flag": flag}
    frame = pl.DataFrame([row], schema_overrides={"value": pl.Float64, "flag": pl.String})
    assert evidence.measures(frame, "x", {})[0]["series"][0]["said"][0]["text"] == text


def test_series_of_several_media_stand_under_one_measure_without_a_medium():
    row = {**dict.fromkeys(EVIDENCE, "x"), "period": "2000", "value": 1.0}
    frame = pl.DataFrame([{**row, "series": name, "medium": name} for name in ("radio", "television")])
    (measure,) = evidence.measures(frame, "x", {})
    assert measure["title"] == "x, x"
    assert len(measure["series"]) == 2


def test_where_a_measure_has_many_series_those_of_one_value_are_lines_under_their_capture(monkeypatch):
    monkeypatch.setattr(evidence, "MANY", 2)
    row = {**dict.fromkeys(EVIDENCE, "x"), "flag": None, "value": 1.0}
    said = [
        ("a", "2000", "x@1"),
        ("a", "2001", "x@2"),
        ("b", "2000", "x@1"),
        ("c", "2001", "x@2"),
        ("d", "2001", "x@2"),
    ]
    rows = [{**row, "series": name, "adopter": name, "period": year, "capture": at} for name, year, at in said]
    frame = pl.DataFrame(rows, schema_overrides={"flag": pl.String})
    (measure,) = evidence.measures(frame, "x", {"x@1": "first", "x@2": "second"})
    assert [series["id"] for series in measure["series"]] == ["a"]
    listed = [
        (part["vintage"], [(adopter, text) for _, adopter, _, text in part["series"]]) for part in measure["listed"]
    ]
    assert listed == [("first", [("b", "2000: 1")]), ("second", [("c", "2001: 1"), ("d", "2001: 1")])]
    monkeypatch.setattr(evidence, "MANY", 4)
    (measure,) = evidence.measures(frame, "x", {})
    assert [series["id"] for series in measure["series"]] == ["a", "b", "c", "d"]
    assert measure["listed"] == []
