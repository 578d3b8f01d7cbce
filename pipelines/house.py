"""The house as a Dagster resource: where state lives, at which date it is read, and the run lock held while it lives."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import dagster as dg
from longwave.pipelines.observe import held_originals
from longwave.pipelines.settings import Settings
from longwave.warehouse.errors import LongwaveError
from longwave.warehouse.founding_files import OriginalRow
from longwave.warehouse.home import Home
from longwave.warehouse.lock import run_lock
from pydantic import Field


class House(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where a run reads and writes. Every run holds the run lock, whoever started it."""

    as_of: str = Field(default="", description="read only what the sources said by this date (YYYY-MM-DD); empty: all")

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Generator[House, None, None]:
        """Hold the run lock for as long as the run needs the house."""
        del context
        self.require_vintage()
        settings = Settings()
        home = settings.house().prepare()
        with run_lock(home.lock, settings.wait):
            yield self

    @property
    def date(self) -> date | None:
        """The date read at, None for everything known."""
        return date.fromisoformat(self.as_of) if self.as_of else None

    @property
    def home(self) -> Home:
        """Folder of this run's state: the installation's own, or one below it for a run as of a date."""
        home = Settings().house()
        return Home(home.root / "as-of" / self.as_of).prepare() if self.as_of else home

    @property
    def site(self) -> Path:
        """Where this run publishes."""
        home = Settings().house()
        return home.root / "site-asof" / self.as_of if self.as_of else home.site

    @property
    def founding(self) -> Path:
        """The founding facts in force."""
        return Settings().founding

    def captures(self, source: str) -> list[OriginalRow]:
        """The captures held of a source that stood at the date read at."""
        rows = [row for row in held_originals(self.founding) if row.source == source]
        return [row for row in rows if self.date is None or row.vintage <= self.date]

    def require_vintage(self) -> None:
        """Refuse a date before the first vintage held.

        Raises:
            LongwaveError: no source had said anything by then.

        """
        first = min(row.vintage for row in held_originals(self.founding))
        if self.date is not None and self.date < first:
            raise LongwaveError(f"no source held had said anything by {self.as_of}; the first vintage is of {first}")
