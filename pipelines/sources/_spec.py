"""What a source declares. Everything that follows from it (assets, checks, catalogue, licences) is derived, not listed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import polars as pl
from longwave.warehouse.tidy import Measure


@dataclass(frozen=True)
class Original:
    """One answer of a source as bytes, with what its reader may need to know of it."""

    name: str
    data: bytes
    url: str = ""
    reference: pl.DataFrame | None = None


Reader = Callable[["SourceSpec", Original], pl.DataFrame]


@dataclass(frozen=True)
class SourceSpec:
    """A publisher's product: who publishes it under which terms, what it gives, and how its bytes are read.

    `reference` names a source whose edition of the same date tells which of this one's rows are carried forward.
    `proven_on` is the date of the real response that the reader has parsed; None: never.
    `place` is the one place all its adopters belong to, where adopters are technologies or platforms.
    """

    source: str
    title: str
    publisher: str
    homepage: str
    url: str
    allowed_hosts: tuple[str, ...]
    licence: str
    citation: str
    cadence: str
    media_type: str
    measures: tuple[Measure, ...]
    reader: Reader
    proven_on: str | None
    redistribute: bool = True
    adopter_kind: str = "place"
    place: str | None = None
    scope: str = "full"
    reference: str | None = None
    reader_version: int = 1
    tags: tuple[str, ...] = field(default=())

    def read(self, original: Original) -> pl.DataFrame:
        """The tidy frame of one original.

        Raises:
            Refused: the bytes are not what the source serves (empty, an HTML page, columns missing, text in a number).

        """
        return self.reader(self, original)
