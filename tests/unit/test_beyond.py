"""What scale would cost: reckoned from the records alone, in proportion, and silent where nothing was measured."""

import pytest
from longwave.pipelines import beyond
from longwave.warehouse.records import Record

PANELS = {
    "adopters": 20_000_000,
    "adopter_years": 100_000_000,
    "processor": 90.0,
    "peak_gigabytes": 1.7,
    "file_bytes": 500_000_000,
    "commit": "0123456789abcdef",
}
ENGINES = {
    "fits": 100_000,
    "block": 5_000,
    "serial_seconds": 1.8,
    "one_worker_seconds": 3.0,
    "two_workers_seconds": 1.5,
    "milliseconds_a_block": 15.0,
    "bytes_a_fit": 250,
    "load": 0.1,
    "commit": "fedcba9876543210",
}


def test_ranks_grow_with_rows_and_with_the_depth_of_sorting():
    took, would = beyond.of_panels(PANELS)
    assert "20\u202f000\u202f000 adopters" in took.replace("\u2009", "\u202f")
    assert "code 0123456789ab" in took
    # 2e10 rows are 200 times as many; log2(1e9) / log2(2e7) = 1.233; 90 s * 200 * 1.233 = 6.2 h.
    assert "200 times as many rows" in would
    assert "1.23 times as deep: about 6.2 hours of one processor and 100 GB of Parquet" in would
    assert "On 32 processors that is 12 minutes" in would
    assert "takes 8 minutes on one machine" in would


def test_fits_grow_with_their_number():
    took, would = beyond.of_fits(ENGINES)
    assert "2.0 times as fast" in took
    # 1.8 s of two threads for 1e5 is 1 h for 1e8; 20,000 blocks at 15 ms are 5 minutes; 250 bytes each are 25 GB.
    assert "are 60 minutes of one processor at most, 2 minutes on 32" in would
    assert "cost 5 minutes of the scheduler's own time" in would
    assert "25 GB of answers" in would


SPREAD = {
    "adopter_years": 100_000_000,
    "parts": 8,
    "this_seconds": 60.0,
    "one_seconds": 75.0,
    "two_seconds": 70.0,
    "peak_gigabytes": 1.7,
    "peak_gigabytes_of_a_worker": 0.4,
    "load": 0.2,
    "commit": "0011223344556677",
}


def test_what_workers_gain_for_ranks_is_said_as_measured():
    said = beyond.of_spread(SPREAD)
    assert "took 60 seconds by the clock in one process, 75 with one Dask worker beside it and 70 with two" in said
    assert "held 1.7 GB at most and a worker 0.4 (load of the machine 0.2, code 001122334455)" in said
    assert "workers gain nothing for ranks" in said
    assert beyond.of_spread(SPREAD | {"two_seconds": 40.0}).endswith("Two workers are 1.5 times as fast as none.")


@pytest.mark.parametrize("held", [[], ["scale-panels"]], ids=["nothing", "one of two"])
def test_what_was_not_measured_is_not_reckoned(monkeypatch, held):
    given = {"scale-panels": PANELS, "scale-engines": ENGINES}
    monkeypatch.setattr(beyond, "records", lambda _: [Record(name, given[name], {}) for name in held])
    assert beyond.beyond_one_machine() == []
    monkeypatch.setattr(beyond, "records", lambda _: [Record(name, about, {}) for name, about in given.items()])
    assert len(beyond.beyond_one_machine()) == 5
    given["scale-spread"] = SPREAD
    assert beyond.beyond_one_machine()[2] == beyond.of_spread(SPREAD)
