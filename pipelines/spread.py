"""Where pure computation runs: here, or on Dask workers (`LONGWAVE_ENGINE=dask`), with the same results to the last bit.

Belongs here: blocks of work in, their results out, in order. Not here: what is computed (`longwave.models`), what a block is
(whoever calls), Dagster (`engine`).

A block is computed by one function from what it is given, and knows nothing of where or beside what it runs: that, and that
results come in the order of the blocks, is why the engine changes nothing. Workers are asked for a few blocks ahead of what has
been taken, so that blocks can be made as they are needed. A block whose worker dies is given to another, at most `RETRIES` times.
With `LONGWAVE_DASK_ADDRESS` the workers are those of a cluster that somebody else started, with this version of longwave
installed; without, as many processes as `LONGWAVE_DASK_WORKERS` (2) are started here, and end with this one.
"""

from __future__ import annotations

import atexit
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

from longwave.pipelines.progress import say
from longwave.pipelines.settings import Settings
from longwave.warehouse.errors import LongwaveError

if TYPE_CHECKING:
    from distributed import Client
    from longwave.models.backtest import Over

Block = TypeVar("Block")
Result = TypeVar("Result")

RETRIES: Final = 3
"""How often a block is given to another worker when one dies; on a cluster that somebody else started, its own setting holds."""
AHEAD: Final = 4
"""Blocks asked for by worker."""
SECONDS_TO_CONNECT: Final = 10
TOLD_AT: Final = 100
LOOKED_AT: Final = 25
"""After so many blocks it is asked anew how many workers there are."""

_clients: dict[tuple[str, int], Client] = {}


class NoWorkers(LongwaveError):
    """The workers that the settings name cannot be had."""


def map_blocks(
    function: Callable[[Block], Result], blocks: Iterable[Block], what: str = "blocks", here: Over = map
) -> Iterator[Result]:
    """Results of a function of each block, in the order of the blocks.

    Args:
        function: pure; with Dask it is sent to the workers with what it holds.
        blocks: may be made on the way; with Dask each is sent to a worker.
        what: they are, for who listens.
        here: how it is done without Dask; `beside.both` where a second process helps.

    Raises:
        NoWorkers: Dask is asked for and not installed, or there is no cluster at the address, or its workers keep dying.
        Whatever the function raises.

    """
    settings = Settings()
    if settings.engine != "dask":
        yield from here(function, blocks)
        return
    yield from _by_workers(_client(settings), function, blocks, what)


def _by_workers(
    client: Client, function: Callable[[Block], Result], blocks: Iterable[Block], what: str
) -> Iterator[Result]:
    from distributed import KilledWorker

    # The function goes once, and not with every block, since it may hold much; as a task, so that a worker that dies with it is
    # no loss (scattered data would be one).
    sent = client.submit(_same, _Held(function), pure=False)
    coming, asked = iter(blocks), deque[Any]()
    taken, room = 0, 0
    try:
        while True:
            if taken % LOOKED_AT == 0:
                room = AHEAD * _size(client)
            wanted = islice(coming, max(room - len(asked), 0))
            asked += [client.submit(_apply, sent, block, pure=False) for block in wanted]
            if not asked:
                return
            yield asked.popleft().result()
            taken += 1
            if taken % TOLD_AT == 0:
                say(f"{what}: {taken:,} done")
    except KilledWorker as error:
        remedy = "give workers more memory, or smaller blocks, or unset LONGWAVE_ENGINE"
        raise NoWorkers(f"workers die at one of the {what}: {error}; {remedy}") from error
    finally:
        client.cancel([*asked, sent])


def _size(client: Client) -> int:
    """How many workers there are now; one, where all are being started again."""
    return max(len(client.scheduler_info(n_workers=-1)["workers"]), 1)


class _Held:
    """A function as a thing to be sent: Dask would take it for a task."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function


def _same(held: _Held) -> _Held:
    return held


def _apply(held: _Held, block: Any) -> Any:
    return held.function(block)


def _client(settings: Settings) -> Client:
    """The client of these settings: one for the life of this process."""
    key = (settings.dask_address, settings.dask_workers)
    if key not in _clients:
        _clients[key] = _started(*key)
        atexit.register(_close, key)
    return _clients[key]


def _started(address: str, workers: int) -> Client:
    try:
        import dask
        from distributed import Client, LocalCluster
    except ImportError:
        raise NoWorkers("LONGWAVE_ENGINE=dask needs Dask: install longwave[dask], or unset it") from None
    try:
        if address:
            return Client(address, timeout=SECONDS_TO_CONNECT, set_as_default=False)
        dask.config.set({"distributed.scheduler.allowed-failures": RETRIES})
        cluster = LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        )
        return Client(cluster, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        where = f"at {address}" if address else "on this machine"
        remedy = "start them, set LONGWAVE_DASK_ADDRESS to the scheduler's, or unset LONGWAVE_ENGINE"
        raise NoWorkers(f"no Dask workers {where}: {error}; {remedy}") from error


def _close(key: tuple[str, int]) -> None:
    client = _clients.pop(key, None)
    if client is None:
        return
    cluster = client.cluster
    client.close()
    if cluster is not None:
        cluster.close()
