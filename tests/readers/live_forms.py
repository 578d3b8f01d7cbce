"""The live forms of founding sources: an excerpt as an answer of an endpoint, and what is said of it or refused."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from longwave.pipelines.sources import SOURCES
from longwave.pipelines.sources._spec import Original
from longwave.warehouse.errors import Refused
from longwave.warehouse.tidy import check_frame, map_to_series

EXCERPTS = Path(__file__).parent / "excerpts"
DAY = date(2026, 7, 20)


def excerpt(file):
    return (EXCERPTS / file).read_bytes()


def live(source, day=DAY, measure=None, **parts):
    """An answer of a source's endpoint, its first part under the name `data`."""
    endpoint = next(e for e in SOURCES[source].endpoints if measure in (None, e.measure))
    named = {name.replace("_", "-"): data for name, data in parts.items()}
    return Original(source, parts["data"], endpoint.parts[0].address(day), None, named, day)


def refusal(original):
    """The one problem of a refusal, which names the source."""
    with pytest.raises(Refused) as caught:
        SOURCES[original.name].read(original)
    (problem,) = caught.value.problems
    assert original.name in problem.where
    return problem


def said(frame, entity):
    rows = frame.filter(pl.col("entity") == entity).select("period_start", "value").rows()
    assert len(dict(rows)) == len(rows), "one value a key"
    return dict(rows)


def year(number):
    return date(number, 1, 1)


def passes_its_checks(source, frame, vintage=DAY):
    spec = SOURCES[source]
    places = spec.adopter_kind == "place"
    checks = check_frame(frame, source, spec.measures, vintage, places_expected=places)
    assert {check.check: check.found for check in checks if not check.passed} == {}
    return map_to_series(frame, source, spec.measures, adopter_kind=spec.adopter_kind, place=spec.place).series
