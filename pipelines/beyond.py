"""What a thousand million accounts or a hundred million fits would cost, reckoned from what was measured on one machine.

Belongs here: measured figures of scale -> the words of the methods page. Does not: measuring them (`tests/benchmarks`, which
write the records `scale-panels`, `scale-spread` and `scale-engines`), and the work itself (`persisting`, `spread`).

Everything is in proportion to the processor time measured, which other users of the machine change little; ranks take
n log n. Time by the clock is processor time over processors, which nothing measured here shows beyond two.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import log2
from typing import Any, Final

from longwave.reports.palette import integer, size
from longwave.warehouse.records import records

ACCOUNTS: Final = 1_000_000_000
YEARS: Final = 20
FITS: Final = 100_000_000
PROCESSORS: Final = 32
READ_A_SECOND: Final = 200_000_000


def beyond_one_machine() -> list[str]:
    """Paragraphs of the methods page; none where scale was never measured."""
    held = {record.name: record.about for record in records("scale-")}
    if not {"scale-panels", "scale-engines"} <= held.keys():
        return []
    spread = [of_spread(held["scale-spread"])] if "scale-spread" in held else []
    return [*of_panels(held["scale-panels"]), *spread, *of_fits(held["scale-engines"]), _CHANGES]


def _span(hours: float) -> str:
    """A time in hours, or where that is under two in minutes."""
    if hours >= 2:
        return f"{hours:.1f} hours"
    minutes = max(1, round(60 * hours))
    return f"{minutes} minute{'' if minutes == 1 else 's'}"


def of_panels(measured: Mapping[str, Any]) -> list[str]:
    """What ranks of all accounts cost.

    Args:
        measured: ``adopters``, ``adopter_years``, ``processor`` (seconds), ``peak_gigabytes``, ``file_bytes``, ``commit``.

    """
    grows = ACCOUNTS * YEARS / measured["adopter_years"]
    deeper = log2(ACCOUNTS) / log2(measured["adopters"])
    hours = measured["processor"] * grows * deeper / 3600
    octets = measured["file_bytes"] * grows
    reading = octets / READ_A_SECOND / 3600
    took = (
        f"Persistence, retention and displacement of {integer(measured['adopters'])} adopters over "
        f"{integer(measured['adopter_years'])} adopter-years, with intervals, took {measured['processor']:.0f} seconds of "
        f"processor time and {measured['peak_gigabytes']:.1f} GB of memory, out of core, from "
        f"{size(measured['file_bytes'])} of Parquet (code {measured['commit'][:12]})."
    )
    would = (
        f"A thousand million accounts over {YEARS} years are {grows:.0f} times as many rows, and ranks among them "
        f"{deeper:.2f} times as deep: about {_span(hours)} of one processor and {octets / 1e9:.0f} GB of Parquet; names and "
        "figures of real accounts weigh more than these made ones. On "
        f"{PROCESSORS} processors that is {_span(hours / PROCESSORS)} of arithmetic, if more of them gain as two do. "
        f"Reading at {READ_A_SECOND / 1e6:.0f} MB a second takes {_span(reading)} on one machine. Memory stays what "
        "it was on each: blocks of ranks are of a fixed size."
    )
    return [took, would]


def of_spread(measured: Mapping[str, Any]) -> str:
    """What Dask workers gain for ranks on one machine.

    Args:
        measured: ``adopter_years``, ``parts``; ``this_seconds``, ``one_seconds``, ``two_seconds`` by the clock, of this process
            alone and with so many workers; ``peak_gigabytes``, ``peak_gigabytes_of_a_worker``, ``load``, ``commit``.

    """
    alone, two = measured["this_seconds"], measured["two_seconds"]
    gain = (
        "So on one machine workers gain nothing for ranks: what takes long is sorted by DuckDB, on every processor already. They "
        "are for blocks that are more than one machine can hold."
        if two >= alone
        else f"Two workers are {alone / two:.1f} times as fast as none."
    )
    return (
        f"From {measured['parts']} files of Parquet, {integer(measured['adopter_years'])} adopter-years took {alone:.0f} seconds "
        f"by the clock in one process, {measured['one_seconds']:.0f} with one Dask worker beside it and {two:.0f} with two, with "
        f"the same answer to the last bit; the process held {measured['peak_gigabytes']:.1f} GB at most and a worker "
        f"{measured['peak_gigabytes_of_a_worker']:.1f} (load of the machine {measured['load']:.1f}, code "
        f"{measured['commit'][:12]}). {gain}"
    )


def of_fits(measured: Mapping[str, Any]) -> list[str]:
    """What fitting every series costs.

    Args:
        measured: ``fits``, ``block``, ``serial_seconds``, ``one_worker_seconds``, ``two_workers_seconds`` of them,
            ``milliseconds_a_block`` with two workers, ``bytes_a_fit`` of the answer, ``load``, ``commit``.

    """
    blocks = FITS / measured["block"]
    # Without workers a fit takes two threads.
    hours = measured["serial_seconds"] * FITS / measured["fits"] * 2 / 3600
    gain = measured["one_worker_seconds"] / measured["two_workers_seconds"]
    scheduling = blocks * measured["milliseconds_a_block"] / 3_600_000
    answers = measured["bytes_a_fit"] * FITS / 1e9
    took = (
        f"{integer(measured['fits'])} fits of Richards curves to 30 yearly figures took {measured['serial_seconds']:.1f} "
        f"seconds by the clock on two processors without workers, {measured['one_worker_seconds']:.1f} on one Dask worker and "
        f"{measured['two_workers_seconds']:.1f} on two, {gain:.1f} times as fast, with the same answer to the last bit "
        f"(load of the machine {measured['load']:.1f}, code {measured['commit'][:12]})."
    )
    would = (
        f"A hundred million fits are {_span(hours)} of one processor at most, {_span(hours / PROCESSORS)} on {PROCESSORS}. In "
        f"blocks of {integer(measured['block'])} the {integer(blocks)} blocks cost {_span(scheduling)} of the "
        f"scheduler's own time, so blocks should grow before machines do; and {answers:.0f} GB of answers cannot come "
        "back to one process: each block has to write its own Parquet file, and only its digest returns."
    )
    return [took, would]


_CHANGES = (
    "What would have to change: the warehouse is one DuckDB file with one writer, and workers are sent their block and send "
    "back its result. Where the answers outgrow one process both have to give way to a shared table store (Parquet in "
    "partitions on object storage, with a catalogue that commits), written by the workers. The seams are the Warehouse, "
    "through which alone anything is written, and map_blocks, through which alone work is spread; models know neither."
)
