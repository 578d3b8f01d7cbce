"""`longwave founding build|check DIR`: the embedded facts, made from a folder of original files by the sources' own readers.

Build writes `warehouse/founding/`; check rebuilds in memory and compares, so that whoever has the originals can see that
the embedded facts are theirs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
from longwave.pipelines.observe import check_capture, held_originals
from longwave.pipelines.sources import SOURCES, SourceSpec
from longwave.pipelines.sources._spec import Original
from longwave.warehouse.errors import LongwaveError
from longwave.warehouse.founding_files import (
    ATTRIBUTES,
    OriginalRow,
    capture_digest,
    file_of,
    write_attributes,
    write_originals,
    write_rows,
)
from longwave.warehouse.home import disk_trouble
from longwave.warehouse.tidy import refuse_if_blocked


def read_originals_of(
    folder: Path, rows: Sequence[OriginalRow]
) -> Iterator[tuple[OriginalRow, SourceSpec, pl.DataFrame, pl.DataFrame | None]]:
    """Read every original in `folder`, sources that others refer to first: its row, source, figures, attributes if any.

    Raises:
        LongwaveError: an original is missing. Refused: a reader or a declared check refuses one.

    """
    frames: dict[str, list[tuple[date, pl.DataFrame]]] = {}
    for row in sorted(rows, key=lambda r: (SOURCES[r.source].reference is not None, r.source, r.vintage, r.path)):
        spec = SOURCES[row.source]
        path = folder / row.path
        if not path.is_file():
            raise LongwaveError(f"{path} is missing; `founding` needs the folder that holds {row.path}")
        data = path.read_bytes()
        reference = _edition(frames.get(spec.reference or "", []), row.vintage)
        original = Original(row.path, data, row.url, reference)
        frame, attributes = spec.read(original), spec.words(original)
        checks = check_capture(spec, frame, attributes, row.vintage)
        refuse_if_blocked(row.path, row.path, checks, "keep the original as it is and mend the reader or the facts")
        frames.setdefault(row.source, []).append((row.vintage, frame))
        made = replace(
            row,
            bytes=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            rows=frame.height,
            content_sha256=capture_digest(frame, attributes),
            reader_version=spec.reader_version,
        )
        yield made, spec, frame, attributes


def _edition(editions: Sequence[tuple[date, pl.DataFrame]], at: date) -> pl.DataFrame | None:
    """The edition that stood at a date."""
    standing = [frame for vintage, frame in editions if vintage <= at]
    return standing[-1] if standing else None


def build(originals: Path, founding: Path) -> list[OriginalRow]:
    """Write the founding facts from the originals; returns the rows of `originals.csv`."""
    done: list[OriginalRow] = []
    before: dict[tuple[str, str], pl.DataFrame] = {}
    with disk_trouble(founding):
        for row, spec, frame, attributes in read_originals_of(originals, held_originals(founding)):
            for measure in spec.measures:
                part = frame.filter(pl.col("measure") == measure.measure)
                if row.measure in ("", measure.measure):
                    base = before.get((row.source, measure.measure)) if row.scope == "full" else None
                    write_rows(file_of(founding, row.source, row.vintage, measure.measure), part, base, measure.unit)
                    before[(row.source, measure.measure)] = part
            if attributes is not None:
                write_attributes(file_of(founding, row.source, row.vintage, ATTRIBUTES), attributes, spec.attributes)
            done.append(row)
        write_originals(founding, done)
    return done


def check(originals: Path, founding: Path) -> list[str]:
    """What differs between the embedded facts and a rebuild from the originals; empty when nothing does."""
    recorded = {(row.source, row.vintage, row.path): row for row in held_originals(founding)}
    differences = []
    for row, *_ in read_originals_of(originals, list(recorded.values())):
        was = recorded[(row.source, row.vintage, row.path)]
        where = f"{row.source} {row.vintage} ({row.path})"
        differences += [
            f"{where}: {name} is {getattr(row, name)}, recorded {getattr(was, name)}"
            for name in ("bytes", "sha256", "rows", "content_sha256", "reader_version")
            if getattr(was, name) != getattr(row, name)
        ]
    return differences
