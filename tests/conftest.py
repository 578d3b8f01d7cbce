"""Shared fixtures: an empty home, and captures made by hand that go through the project's own mapping and merge."""

import hashlib
import shutil
from datetime import date

import polars as pl
import pytest
from longwave.pipelines.observe import scope_of
from longwave.pipelines.sources import SOURCES
from longwave.warehouse.founding_files import OriginalRow, named
from longwave.warehouse.home import Home
from longwave.warehouse.store import Warehouse
from longwave.warehouse.tidy import content_digest, map_to_series, tidy


def _tidy(measure, values):
    """Tidy frame of {(entity, year): value}, or {(entity, year): (value, flag)}."""
    rows = []
    for (entity, year), said in values.items():
        value, flag = said if isinstance(said, tuple) else (said, None)
        row = {"measure": measure, "entity": entity, "code": None, "period_start": date(year, 1, 1)}
        rows.append(row | {"period_kind": "year", "value": value, "flag": flag})
    return tidy(pl.DataFrame(rows, infer_schema_length=None))


def _record(warehouse, source, vintage, values, *, measure=None, scope="full", tag=""):
    """Merge a capture of a declared source made by hand; returns what it changed."""
    spec = SOURCES[source]
    measure = measure or spec.measures[0].measure
    frame = _tidy(measure, values)
    digest = hashlib.sha256(f"{source} {vintage} {measure} {tag}".encode()).hexdigest()
    row = OriginalRow(source, date.fromisoformat(vintage), "commit", f"{tag}.csv", "", scope, measure, 1, digest)
    mapped = map_to_series(frame, source, spec.measures, adopter_kind=spec.adopter_kind, place=spec.place)
    capture = {
        "capture": row.capture,
        "source": source,
        "vintage": row.vintage,
        "vintage_precision": "commit",
        "kind": "re-recorded",
        "url": "",
        "original_bytes": 1,
        "original_sha256": digest,
        "content_sha256": content_digest(named(frame)),
        "reader_version": 1,
        "scope": scope,
        "n_rows": frame.height,
    }
    return warehouse.merge_capture(capture, scope_of(row, spec, mapped.rows), mapped.series, mapped.rows)


@pytest.fixture
def home(tmp_path):
    """An empty home in a folder that is not there yet."""
    return Home(tmp_path / "home")


@pytest.fixture(scope="session")
def _blank(tmp_path_factory):
    blank = Home(tmp_path_factory.mktemp("blank") / "home")
    with Warehouse(blank):
        pass
    return blank


@pytest.fixture
def made_home(home, _blank):
    """A home whose warehouse stands already, without a capture: a copy, so that each test is spared the making."""
    shutil.copytree(_blank.root, home.root)
    return home


@pytest.fixture
def tidy_rows():
    """Make a tidy frame of years by hand."""
    return _tidy


@pytest.fixture
def record():
    """Merge a capture made by hand into an open warehouse."""
    return _record
