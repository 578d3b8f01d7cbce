"""Results kept beside the code: what is written comes back, and a damaged file is named."""

import json

import polars as pl
import pytest
from longwave.warehouse.errors import Refused
from longwave.warehouse.records import Record, records, write_record

TABLE = pl.DataFrame({"who": ["ours", "naive"], "value": [1.23456, None], "n": [3, 4]})


def test_a_record_comes_back_as_it_was_written(tmp_path):
    made = Record("backtest-a", {"seed": 7, "warnings": ["it's “short”"]}, {"scores": TABLE, "none": TABLE.clear()})
    write_record(made, tmp_path)
    write_record(Record("other", {}, {}), tmp_path)
    (found,) = records("backtest-", tmp_path)
    assert (found.name, found.about) == ("backtest-a", made.about)
    assert found.tables["scores"].rows() == [("ours", 1.2346, 3), ("naive", None, 4)]
    assert found.tables["none"].columns == TABLE.columns
    # Written again, the same bytes; anything else has another digest.
    before = (tmp_path / "backtest-a.json").read_bytes()
    write_record(made, tmp_path)
    assert (tmp_path / "backtest-a.json").read_bytes() == before
    write_record(Record("backtest-b", made.about, {"scores": TABLE.head(1)}), tmp_path)
    assert len({record.digest for record in records("backtest-", tmp_path)}) == 2


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        json.dumps({"about": {}}),
        json.dumps({"about": {}, "tables": {"a": {"columns": ["x"], "rows": [[1, 2]]}}}),
    ],
    ids=["no JSON", "no object", "no tables", "a row too long"],
)
def test_a_damaged_record_is_refused_and_named(tmp_path, text):
    (tmp_path / "backtest-a.json").write_text(text)
    with pytest.raises(Refused, match=r"backtest-a\.json: shape: expected a record.*\n.*make study"):
        records("backtest-", tmp_path)


def test_what_is_not_a_number_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_record(Record("a", {}, {"t": pl.DataFrame({"x": [float("nan")]})}), tmp_path)
