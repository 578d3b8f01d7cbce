"""Where blocks are computed: here or on two Dask workers, the same to the last bit; a killed worker is survived."""

import os
import signal
import sys
from functools import partial
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from longwave.models.backtest import forecasts_of, row_windows
from longwave.models.histories import Histories
from longwave.models.peers import PeerForecaster
from longwave.pipelines import curve_fits, persisting, spread
from longwave.pipelines.spread import NoWorkers, map_blocks
from longwave.warehouse.large_panels import LargePanel

# One cluster for all of them.


@pytest.fixture(scope="module")
def workers():
    """Two workers on this machine, for the tests of this module."""
    pytest.importorskip("distributed")
    with pytest.MonkeyPatch.context() as env:
        env.setenv("LONGWAVE_ENGINE", "dask")
        env.setenv("LONGWAVE_DASK_WORKERS", "2")
        yield
        for key in list(spread._clients):
            spread._close(key)


@pytest.fixture
def both(workers, monkeypatch):
    """What a function gives here, and what it gives with two workers."""

    def go(function):
        with monkeypatch.context() as env:
            env.setenv("LONGWAVE_ENGINE", "serial")
            here = function()
        return here, function()

    return go


def pid(_):
    return os.getpid()


def test_blocks_run_here_unless_workers_are_asked_for(monkeypatch):
    monkeypatch.delenv("LONGWAVE_ENGINE", raising=False)
    assert list(map_blocks(pid, range(3))) == [os.getpid()] * 3


def test_results_come_in_the_order_of_blocks_from_other_processes(workers):
    def tagged(block):
        return block, os.getpid()

    found = list(map_blocks(tagged, (number for number in range(40))))
    assert [block for block, _ in found] == list(range(40))
    assert len({process for _, process in found} - {os.getpid()}) == 2


def test_blocks_are_made_as_they_are_taken(workers):
    made = []
    results = map_blocks(abs, (made.append(at) or at for at in range(1000)))
    next(results)
    results.close()
    assert len(made) <= 2 * spread.AHEAD


def test_what_a_block_raises_is_raised_here(workers):
    with pytest.raises(ZeroDivisionError):
        list(map_blocks(lambda block: 1 / block, [1, 0]))


def test_a_killed_worker_is_survived(workers, tmp_path):
    marker = tmp_path / "killed"

    def once(block):
        """Kill the worker that is the first to come here."""
        if block == 7:
            try:
                marker.touch(exist_ok=False)
            except FileExistsError:
                return block
            os.kill(os.getpid(), signal.SIGKILL)
        return block

    assert list(map_blocks(once, range(30))) == list(range(30))
    assert marker.exists()


class Dying:
    """A client whose workers die at every block."""

    def submit(self, *_, **__):
        return self

    def scheduler_info(self, **_):
        return {"workers": {}}

    def result(self):
        distributed = pytest.importorskip("distributed")
        raise distributed.KilledWorker("block", SimpleNamespace(address="tcp://here"), 4)

    def cancel(self, futures):
        self.cancelled = len(futures)


def test_a_block_that_kills_every_worker_is_told():
    client = Dying()
    with pytest.raises(NoWorkers, match=r"workers die at one of the fits.*LONGWAVE_ENGINE"):
        list(spread._by_workers(client, abs, [1, 2], "fits"))
    assert client.cancelled


def curves():
    t = np.arange(1, 26)
    rng = np.random.default_rng(4)
    return pl.concat(
        pl.DataFrame({"series": f"s{at}", "panel": f"p{at % 2}", "t": t}).with_columns(
            value=pl.Series(80 / (1 + np.exp(-0.4 * (t - 9 - at))) + rng.normal(0, 1, 25))
        )
        for at in range(4)
    ).with_columns(
        year=pl.col("t") + 1949,
        age=pl.col("t"),
        launch=1950,
        launch_convention=pl.lit("cited"),
        unit_class=pl.lit("share"),
    )


def test_fits_are_the_same_to_the_last_bit(both):
    here, there = both(lambda: curve_fits.fit_every_cut(curves()))
    assert here.height > 100
    assert here.equals(there, null_equal=True)


def test_backtests_are_the_same_to_the_last_bit(both):
    frame = curves().with_columns(
        family=pl.col("series"),
        medium=pl.col("series"),
        concept_group=pl.col("series"),
        place=pl.lit("AAA"),
        ceiling=100.0,
    )
    world = Histories.from_frame(frame)
    make = partial(PeerForecaster, "damped_trend")
    here, there = both(
        lambda: forecasts_of(row_windows(world), world, world, make, mode="leave-one-out", over=map_blocks)
    )
    assert here.height > 100
    assert here.equals(there)


def test_panel_measures_are_the_same_to_the_last_bit(both, tmp_path):
    rng = np.random.default_rng(5)
    x = rng.normal(size=4000)
    frame = pl.DataFrame(
        {"adopter": [f"a{at}" for at in range(4000)], "y_k": np.round(x, 1), "y_H": np.round(x + rng.normal(size=4000), 1)}
    ).with_columns(region="adopter", end_year=pl.lit(None, pl.Int64), entry_year=pl.lit(None, pl.Int64))  # fmt: skip

    def measured():
        with LargePanel(tmp_path / "spill") as panel:
            panel.take_frame(frame, early=2010, late=2020)
            return persisting.of_large(panel, block=300)

    here, there = both(measured)
    assert here.equals(there, null_equal=True)


def test_without_dask_or_a_cluster_it_says_what_to_do(monkeypatch):
    monkeypatch.setenv("LONGWAVE_ENGINE", "dask")
    monkeypatch.setattr(spread, "SECONDS_TO_CONNECT", 0.5)
    monkeypatch.setenv("LONGWAVE_DASK_ADDRESS", "tcp://127.0.0.1:9")
    with pytest.raises(NoWorkers, match=r"no Dask workers at tcp://127.0.0.1:9.*unset LONGWAVE_ENGINE"):
        list(map_blocks(abs, [1]))
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(NoWorkers, match=r"install longwave\[dask\]"):
        list(map_blocks(abs, [1]))
