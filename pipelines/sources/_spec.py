"""What a source declares. Everything that follows from it (assets, checks, catalogue, licences, schedule) is derived, not listed.

A capture is made of parts: the answers to the requests of one endpoint at one time. Where a publisher serves each measure
apart, each is an endpoint and a capture of its own, so that one that fails takes none of the others with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

import polars as pl
from longwave.warehouse.attributes import attributes_frame
from longwave.warehouse.compare import Thresholds
from longwave.warehouse.errors import Problem, Refused
from longwave.warehouse.tidy import Measure
from polars.exceptions import PanicException

Form = Literal["csv", "json", "html", "text"]
MEDIA_TYPES: dict[Form, tuple[str, ...]] = {
    "csv": ("text/csv", "text/plain", "application/csv", "application/octet-stream", "application/vnd.ms-excel"),
    "json": ("application/json", "text/json", "text/plain"),
    "html": ("text/html", "application/xhtml+xml"),
    "text": ("text/plain", "text/html", "application/octet-stream"),
}
"""What the publishers' servers were seen to call each form: raw files of repositories come as text/plain."""


@dataclass(frozen=True)
class Original:
    """One answer of a source as bytes, with what its reader may need to know of it.

    `data` is the endpoint's first part and `parts` holds every part by name. `day` is when it was served: what a table
    without a date of its own speaks of. `reference` is the edition that tells which rows are carried forward.
    """

    name: str
    data: bytes
    url: str = ""
    reference: pl.DataFrame | None = None
    parts: Mapping[str, bytes] = field(default_factory=dict)
    day: date | None = None


@dataclass(frozen=True)
class Part:
    """One request of an endpoint: its name within the capture, its address and the form its answer must have.

    The address may hold `{day:…}` with a format of dates (`{day:%Y-%m}`), for endpoints that want an end of the period.
    """

    name: str
    url: str
    form: Form

    @property
    def lasting(self) -> bool:
        """Whether the address is the same every day."""
        return "{" not in self.url

    def address(self, day: date) -> str:
        """The address on a day."""
        return self.url.format(day=day) if "{day" in self.url else self.url


@dataclass(frozen=True)
class Endpoint:
    """What is asked of a publisher for one capture.

    `measure` names the one measure it gives, where the publisher serves each apart; empty: all of the source's.
    `further` reads from the first part which other parts there are (pages); it gets the day and the payload.
    `archived` is the address under which a web archive holds the first part, where that is not the address itself.
    """

    parts: tuple[Part, ...]
    measure: str = ""
    further: Callable[[date, bytes], tuple[Part, ...]] | None = None
    archived: str = ""

    def pages(self, day: date, first: bytes) -> tuple[Part, ...]:
        """The parts that the first one names; none where it cannot be read, which the reader will say."""
        try:
            with _refusing(self.parts[0].name, "pages"):
                return self.further(day, first) if self.further is not None else ()
        except Refused:
            return ()


Reader = Callable[["SourceSpec", Original], pl.DataFrame]
Dated = Callable[[Original], date | None]
Cycle = Literal["weekly", "monthly", "yearly", "never"]
CYCLES: dict[str, str] = {"weekly": "0 4 * * 1", "monthly": "0 4 1 * *", "yearly": "0 4 1 2 *"}
"""When the sources of each cycle are asked: a cron line, UTC."""


@dataclass(frozen=True)
class SourceSpec:
    """A publisher's product: who publishes it under which terms, what it gives, how it is asked, and how its bytes are read.

    `scope` says what an answer speaks of: `full`, all there is, so that what is absent is withdrawn; `listed`, the adopters
    in it; `period`, the span of periods in it. `dated` reads the publisher's own update date from an answer; without it an
    answer is dated by the day it was served. `refresh` is how often we ask. `reference` names a source whose edition of the
    same date tells which of this one's rows are carried forward. `proven_on` is the date of the real response that the
    reader has parsed; None: never. `place` is the one place all its adopters belong to, where adopters are technologies,
    platforms, journals or stations. `proven_form` says what that response was, where the endpoints serve another form, which
    then no real response has proven. `attributes` are what the source says of its adopters in words (a publisher, a field), by
    name, and `attribute_reader` reads them: adopter, name, value, of all adopters that an answer names; such a source gives
    everything in one answer.
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
    proven_form: str = ""
    redistribute: bool = True
    adopter_kind: str = "place"
    place: str | None = None
    scope: str = "full"
    reference: str | None = None
    reader_version: int = 1
    endpoints: tuple[Endpoint, ...] = ()
    dated: Dated | None = None
    refresh: Cycle = "monthly"
    thresholds: Thresholds = field(default_factory=Thresholds)
    max_bytes: int = 64 * 2**20
    attributes: tuple[str, ...] = ()
    attribute_reader: Reader | None = None

    @property
    def proven(self) -> str | None:
        """On which real response the reader has been proven, as shown to people; None: on none."""
        if self.proven_on and self.proven_form:
            return f"{self.proven_on} ({self.proven_form}; what is served now: never)"
        return self.proven_on

    def read(self, original: Original) -> pl.DataFrame:
        """The tidy frame of one original.

        Raises:
            Refused: the bytes are not what the source serves (empty, an HTML page, columns missing, text in a number).

        """
        with _refusing(original.name, "reader"):
            return self.reader(self, original)

    def words(self, original: Original) -> pl.DataFrame | None:
        """What one original says of adopters in words: adopter, name, value; None of a source that gives no attributes.

        Raises:
            Refused: as `read`.

        """
        if self.attribute_reader is None:
            return None
        with _refusing(original.name, "reader of attributes"):
            return attributes_frame(self.attribute_reader(self, original))

    def stated(self, original: Original) -> date | None:
        """The publisher's own update date, None where it states none that can be read."""
        try:
            with _refusing(original.name, "date"):
                return self.dated(original) if self.dated is not None else None
        except Refused:
            return None  # the reader will say what is wrong with it


@contextmanager
def _refusing(name: str, rule: str) -> Iterator[None]:
    """Turn whatever a reader meets in bytes that nobody foresaw into a refusal: no answer may stop the others."""
    try:
        yield
    except Refused:
        raise
    except (Exception, PanicException) as error:
        found = f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else 'no message'}"
        remedy = "the archive keeps the answer; look at it, and tell the reader of the new form"
        raise Refused(name, [Problem(rule, name, "a form that the reader knows", found)], remedy) from error


def one_request(url: str, form: Form, archived: str = "") -> tuple[Endpoint, ...]:
    """The endpoints of a source that gives everything in one answer."""
    return (Endpoint((Part("data", url, form),), archived=archived),)
