"""What is passed on: files that the standard's own reader accepts, from the declarations, without a row that may not go out."""

import json

import duckdb
import polars as pl
import pytest
from frictionless import Package
from longwave.warehouse.export import DATABASE, FILES, PACKAGE, catalogue, export_data
from longwave.warehouse.passed_on import AS_CSV, AS_PARQUET, LATEST, columns_of, rows_of
from longwave.warehouse.store import Warehouse, reader

OPEN, CLOSED = "grapher_internet_share", "owid_technology_diffusion"
RELEASE = {"version": "0.0-test", "newest_vintage": "2023-04-12", "inputs_digest": "0" * 64}


@pytest.fixture
def con(made_home, record):
    with Warehouse(made_home) as warehouse:
        record(warehouse, OPEN, "2022-04-08", {("Iraq", 2015): 58.0, ("Namibia", 2015): 25.7})
        record(warehouse, OPEN, "2023-04-12", {("Iraq", 2015): 16.8, ("Namibia", 2015): 25.7})
        record(warehouse, CLOSED, "2019-07-27", {("Radio", 1925): 10.0})
        declare(warehouse, OPEN, passed_on=True)
        declare(warehouse, CLOSED, passed_on=False)
    with reader(made_home) as con:
        yield con


def declare(warehouse, source, *, passed_on):
    row = dict.fromkeys(("publisher", "cadence", "proven_on"), "said")
    row |= {"title": f"Title of {source}", "homepage": "https://example.org/", "citation": f"Cite {source}"}
    row |= {"source": source, "licence": "CC BY 4.0", "redistribute": passed_on}
    warehouse.replace("sources", pl.DataFrame([row]), {"source": source})


def faults(folder):
    report = Package(str(folder / PACKAGE)).validate()
    return [tuple(row) for row in report.flatten(["title", "message"])]


def test_the_package_validates_and_tells_of_every_table(con, tmp_path):
    folder = tmp_path / "data"
    export_data(con, folder, RELEASE)
    assert faults(folder) == []
    told = json.loads((folder / PACKAGE).read_text())
    assert told["version"] == "0.0-test"
    listed = {entry["path"] for entry in told["resources"]}
    outside = {DATABASE, PACKAGE, "data_dictionary.csv"}
    assert listed == {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} - outside
    assert {entry["name"] for entry in told["licenses"]} == {"CC-BY-4.0"}
    for entry in told["resources"]:
        assert all(field["description"] for field in entry["schema"]["fields"])
        assert set(entry["schema"]["primaryKey"]) <= {field["name"] for field in entry["schema"]["fields"]}


def test_damage_is_found(con, tmp_path):
    export_data(con, tmp_path, RELEASE)
    path = tmp_path / "latest" / f"{OPEN}.csv"
    text = path.read_text()
    damages = {"hash": ("16.8", "16.9"), "type error": ("16.8", "many"), "foreignkey": (f"{OPEN},", "nobody,")}
    for said, (old, new) in damages.items():
        assert old in text
        path.write_text(text.replace(old, new))
        assert said in str(faults(tmp_path)).lower()


def test_no_row_of_a_source_that_may_not_be_passed_on_is_in_any_file(con, tmp_path):
    files = export_data(con, tmp_path, RELEASE)
    assert con.execute("SELECT count(*) FROM observation_versions WHERE series LIKE ?", [f"{CLOSED}%"]).fetchone() == (
        1,
    )
    for path in files:
        if path.name not in (DATABASE, "data_dictionary.csv"):
            rows = pl.read_parquet(path).write_csv() if path.suffix == ".parquet" else path.read_text()
            assert CLOSED not in rows, path.name
    with duckdb.connect(str(tmp_path / DATABASE), read_only=True) as passed_on:
        held = {
            name: passed_on.sql(f'SELECT * FROM "{name}"').pl() for (name,) in passed_on.sql("SHOW TABLES").fetchall()
        }
    assert set(held) == {export.name for export in (*AS_CSV, *AS_PARQUET)}
    assert held["observations"].height == 3
    assert [name for name, rows in held.items() if CLOSED in rows.write_csv()] == []


def test_the_list_of_files_is_that_of_the_folder(con, tmp_path):
    written = {path.relative_to(tmp_path).as_posix() for path in export_data(con, tmp_path, RELEASE)}
    told = {row["source"]: row["csv"] for row in catalogue(con)}
    assert told == {OPEN: f"latest/{OPEN}.csv", CLOSED: None}
    assert written == {name for name, _ in FILES} | {told[OPEN]}


def test_the_same_facts_give_the_same_bytes_but_of_the_database(con, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        export_data(con, folder, RELEASE)
    names = [path.relative_to(first) for path in first.rglob("*") if path.is_file() and path.name != DATABASE]
    assert len(names) == 11
    assert [name for name in names if (first / name).read_bytes() != (second / name).read_bytes()] == []


def test_a_column_that_no_declaration_knows_is_refused(con):
    frame = rows_of(con, LATEST)
    assert set(columns_of(LATEST, frame)) == set(frame.columns)
    with pytest.raises(KeyError, match="mood"):
        columns_of(LATEST, frame.with_columns(mood=pl.lit("calm")))
