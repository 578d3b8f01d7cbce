"""Answers of sources that are only asked live: excerpts, and what their readers make of them or refuse."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from longwave.pipelines.sources import SOURCES
from longwave.pipelines.sources._spec import Original
from longwave.warehouse.errors import Refused

EXCERPTS = Path(__file__).parent / "excerpts"
DAY = date(2026, 9, 23)
FOLLOWERS = "https://raw.githubusercontent.com/andreaspacher/journals-on-twitter/HEAD/Follower_Counts/followers-{}.csv"
RANKS = "https://www.scimagojr.com/journalrank.php?year={}&out=xls"


def excerpt(file):
    return (EXCERPTS / file).read_bytes()


def read(source, data, url="", day=DAY, **parts):
    named = {name.replace("_", "-"): part for name, part in parts.items()}
    return SOURCES[source].read(Original(source, data, url, None, named, day))


def problem(source, data, url="", day=DAY, **parts):
    """The one problem of a refusal."""
    with pytest.raises(Refused) as caught:
        read(source, data, url, day, **parts)
    (found,) = caught.value.problems
    return found


def said(frame, measure=None):
    if measure:
        frame = frame.filter(pl.col("measure") == measure)
    rows = [((entity, start), value) for entity, start, value in frame.select("entity", "period_start", "value").rows()]
    assert len(dict(rows)) == len(rows), "one value a key"
    return dict(rows)


def values(frame, measure=None):
    return {entity: value for (entity, _), value in said(frame, measure).items()}
