"""The house as a Dagster resource: where state lives, at which date it is read, and the run lock held while it lives."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
from longwave.pipelines.alerts import not_started
from longwave.pipelines.alive import alive
from longwave.pipelines.capture import Captured, recover
from longwave.pipelines.ending import recording
from longwave.pipelines.fetch import Fetcher
from longwave.pipelines.observe import Held, held_originals
from longwave.pipelines.progress import receiving, say
from longwave.pipelines.refresh import recover_vintages
from longwave.pipelines.settings import Settings
from longwave.pipelines.sources import SourceSpec
from longwave.pipelines.wayback import Years
from longwave.warehouse.answers import answers_of
from longwave.warehouse.archive import Archive
from longwave.warehouse.errors import Busy, LongwaveError, UnusableHome
from longwave.warehouse.founding_files import OriginalRow
from longwave.warehouse.home import Home
from longwave.warehouse.lock import run_lock
from longwave.warehouse.move import finish_import
from longwave.warehouse.store import Warehouse, reader
from pydantic import Field, PrivateAttr


class House(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where a run reads and writes, and whether it asks the sources. Every run holds the run lock, whoever started it."""

    as_of: str = Field(default="", description="read only what the sources said by this date (YYYY-MM-DD); empty: all")
    live: bool = Field(default=False, description="ask the sources first; otherwise only what is held is read")
    from_archive: str = Field(
        default="", description="recover past vintages of these years from a web archive: 2012..2024"
    )
    per_year: bool = Field(default=False, description="one past vintage a year is enough")
    _fetcher: Fetcher | None = PrivateAttr(default=None)

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Generator[House, None, None]:
        """Hold the run lock for as long as the run needs the house; adopt first what a killed run archived.

        In the end a summary, alerts and metrics are left behind.
        """
        self.require_vintage()
        settings = Settings()
        with ExitStack() as stack:
            try:
                home = settings.house().prepare()
                stack.enter_context(run_lock(home.lock, settings.wait))
                stack.enter_context(alive(home, context.run.run_id if context.run else "none"))
            except (Busy, UnusableHome) as error:
                # Nobody may be looking at a schedule's run, and there is no home to leave an account of it in.
                not_started(
                    context.run_id or "", error, settings.alert_webhook.get_secret_value(), datetime.now(UTC).date()
                )
                raise
            stack.enter_context(recording(context, home, self.as_of))
            finish_import(home)
            if self.live or self.from_archive:
                self._fetcher = stack.enter_context(Fetcher(settings, progress=receiving))
                with Warehouse(home) as warehouse:
                    recover(warehouse, Archive(home.archive))
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

    @property
    def fetcher(self) -> Fetcher | None:
        """The way to the network, for a run that asks; past vintages are asked for apart."""
        return self._fetcher if self.live else None

    def recover_vintages(self, spec: SourceSpec) -> Captured | None:
        """Bring the past vintages asked for, if any are, of one source."""
        if not self.from_archive or self._fetcher is None:
            return None
        years = Years.parse(self.from_archive, per_year=self.per_year)
        return recover_vintages(self.home, spec, self._fetcher, years, say)

    def captures(self, source: str) -> list[OriginalRow]:
        """The founding captures held of a source that stood at the date read at."""
        rows = [row for row in held_originals(self.founding) if row.source == source]
        return [row for row in rows if self.date is None or row.vintage <= self.date]

    @contextmanager
    def held(self, source: str) -> Generator[Held, None, None]:
        """What is held of a source. As of a date: what the installation's own warehouse accepted by then."""
        own = Settings().house()
        rows, archive = self.captures(source), Archive(own.archive)
        if self.date is None or not own.read_copy.exists():
            yield Held(self.founding, rows, archive)
            return
        with reader(own) as con:
            accepted = [a for a in answers_of(con, source) if a.status == "accepted" and a.vintage <= self.date]
            yield Held(self.founding, rows, archive, (accepted, con))

    def require_vintage(self) -> None:
        """Refuse a date before the first vintage held.

        Raises:
            LongwaveError: no source had said anything by then.

        """
        first = min((row.vintage for row in held_originals(self.founding)), default=None)
        if self.date is not None and first is not None and self.date < first:
            raise LongwaveError(f"no source held had said anything by {self.as_of}; the first vintage is of {first}")
