"""A user's panel too large for memory: its rows checked and its adopters ranked out of core, and a sample read as any other file.

Belongs here: which files are read so, and what is taken from all adopters and what from a sample. Not here: queries
(`longwave.warehouse.large_panels`), what is made of it (`authority_answer`).

Persistence is of all adopters. What needs a model of each (premium, attention against standing) is of a sample of them, drawn
by a hash of their names: the same file gives the same sample, whatever the order of its rows. The sample stands as a text file
beside the database while it is read, so that its covariates stand the same checks as those of any file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl
from longwave.pipelines.intake import MOST_BYTES, NoSuchFile, refused, said
from longwave.pipelines.own_panel import OwnPanel, read_own_panel
from longwave.pipelines.persisting import of_large, two_years
from longwave.warehouse.large_panels import PARQUET, Counted, LargePanel, parts

SAMPLE: Final = 4_500
_NO_ADOPTERS: Final = "give the attention of adopters from their adoption on"


@dataclass(frozen=True)
class LargeFile:
    """What a large file holds: readings between the early and the late year (None: no two years), and a sample of adopters."""

    name: str
    counted: Counted
    adopters: int
    early: int
    late: int
    readings: pl.DataFrame | None
    sample: OwnPanel


def is_large(path: Path) -> bool:
    """Whether a panel is read out of core: Parquet, in one file or a folder of them, and text too large to be read as a whole."""
    return path.is_dir() or (path.is_file() and (path.suffix.lower() in PARQUET or path.stat().st_size > MOST_BYTES))


def read_large_panel(path: Path, spill: Path) -> LargeFile:
    """Read a panel out of core.

    Args:
        path: the file, or a folder of Parquet files.
        spill: a folder for what does not fit in memory.

    Raises:
        NoSuchFile: it may not be read.
        Refused: a rule is broken, by the file or by its sample, which is named so.
        UnusableHome: there is no room in the folder.

    """
    name = said(path.name)[1:-1]
    files = parts(path) if path.is_dir() else [path]
    if not files:
        raise refused(
            name, "files", "a folder of Parquet files", "none in it", "name a file, or a folder that has some"
        )
    try:
        for file in files:
            file.open("rb").close()
    except OSError as error:
        raise NoSuchFile(f"{name} cannot be read: {error.strerror or error}") from None
    with LargePanel(spill) as panel:
        counted = panel.open_file(path, name)
        if not counted.years:
            raise refused(name, "year", "figures of adopters", "none after an adoption and before an end", _NO_ADOPTERS)
        early, late = two_years(counted.years)
        adopters = panel.take_years(early=early, late=late)
        readings = of_large(panel) if early < late else None
        out = panel.path(f"sample of {path.stem[:60]}.csv")
        panel.sample(path, out, SAMPLE, adopters)
        sample = read_own_panel(out)
    return LargeFile(name, counted, adopters, early, late, readings, sample)
