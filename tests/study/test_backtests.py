"""Every backtest in full, as `longwave backtest` runs it on the embedded facts, kept for the pages to quote.

Writes one file a setting below `warehouse/measured/`; the README and the page on forecasts quote those files only. Each
setting can be renewed alone (`-k published-as-of-truncated`).
"""

import pytest
from longwave.pipelines import backtests
from longwave.pipelines.backtest_records import record_of
from longwave.warehouse.founding_files import founding_folder
from longwave.warehouse.records import records, write_record

MODES = ("leave-one-out", "leave-country-out", "leave-medium-out", "as-of")
SETTINGS = [
    pytest.param(protocol, mode, data, id=f"{protocol}-{mode}-{data}")
    for protocol in ("published", "ripeness")
    for mode, data in [*((mode, "truncated") for mode in MODES), ("as-of", "vintage")]
]


@pytest.mark.parametrize(("protocol", "mode", "data"), SETTINGS)
def test_a_backtest_is_recorded(protocol, mode, data, root, commit, tmp_path, monkeypatch):
    monkeypatch.setenv("LONGWAVE_HOME", str(tmp_path))
    outcome = backtests.run(backtests.Request(protocol, mode, data), print)
    path = write_record(record_of(outcome, commit, founding_folder()), root / "warehouse" / "measured")
    # A name begins others: what was measured beside this one has its name and more.
    (kept,) = [record for record in records(path.stem) if record.name == path.stem]
    assert kept.tables.keys() >= outcome.tables.keys()
    assert kept.about["n_forecasts"] == outcome.forecasts.height > 0
