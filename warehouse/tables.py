"""Every table of the warehouse, declared once: DDL, polars schema, checks and the data dictionary follow from here.

Two time axes. `known_from`/`known_to`: when the source showed a value, a half-open interval of vintage dates; an open
version has `known_to = 'infinity'`. `recorded_at`: when our own transaction wrote the row; no published number reads it.
"""

from __future__ import annotations

from dataclasses import dataclass

import dataframely as dy
import polars as pl

SCHEMA_VERSION = 2
RECORD_TYPES = ["response", "revisit", "request", "metadata", "warcinfo"]
PERIOD_KINDS = ["year", "month", "date", "span"]
VINTAGE_PRECISIONS = ["publisher", "download", "commit", "no later than", "undated"]
SCOPES = ["full", "listed", "period"]
INFINITY = "infinity"


class Sources(dy.Schema):
    """A publisher's product that the pipeline observes."""

    source = dy.String(primary_key=True, description="identifier, also the folder of its founding facts")
    title = dy.String(description="the publisher's name for it")
    publisher = dy.String(description="who publishes it")
    homepage = dy.String(description="where a person reads about it")
    licence = dy.String(description="terms the figures are passed on under")
    redistribute = dy.Bool(description="false: no row of it is exported")
    citation = dy.String(description="how to cite it")
    cadence = dy.String(description="how often the publisher renews it")
    proven_on = dy.String(nullable=True, description="date of the real response its reader has parsed, or null: never")


class Captures(dy.Schema):
    """One answer of one source at one time: the evidence an observation points to."""

    capture = dy.String(primary_key=True, description="source@vintage#first eight digits of the original's SHA-256")
    source = dy.String(description="the source that answered")
    vintage = dy.Date(description="from when this answer is known to have stood at the source")
    vintage_precision = dy.String(
        check=lambda c: c.is_in(VINTAGE_PRECISIONS),
        description=(
            "publisher: its own update date; download, commit: date of that act; no later than: an upper bound; "
            "undated: the day it was recorded here"
        ),
    )
    kind = dy.String(
        description="re-recorded: a founding fact; live: fetched by this pipeline; local: a user's own file"
    )
    url = dy.String(description="address of the original")
    original_bytes = dy.Int64(min=1, description="size of the original in bytes")
    original_sha256 = dy.String(regex="^[0-9a-f]{64}$", description="digest of the original's bytes")
    content_sha256 = dy.String(regex="^[0-9a-f]{64}$", description="digest of the tidy rows read from it")
    reader_version = dy.Int32(description="version of the reader that made the tidy rows")
    scope = dy.String(
        check=lambda c: c.is_in(SCOPES),
        description=(
            "full: what is absent is withdrawn; listed: only the adopters in it are spoken of; "
            "period: only the span of periods in it is"
        ),
    )
    n_rows = dy.Int64(description="tidy rows in the capture")
    n_added = dy.Int64(description="values that no earlier vintage had")
    n_revised = dy.Int64(description="values that differ from the vintage before")
    n_withdrawn = dy.Int64(description="values that the vintage before had and this one does not")
    recorded_at = dy.Datetime(time_unit="us", description="when the warehouse wrote it")


class CaptureScope(dy.Schema):
    """What a capture speaks of: only keys inside its scope can be withdrawn by it."""

    capture = dy.String(primary_key=True, description="the capture")
    measure = dy.String(primary_key=True, description="a measure it gives")
    adopter_key = dy.String(primary_key=True, description="an adopter it lists; * for all there are")
    period_from = dy.Date(nullable=True, description="first day of the span it speaks of; null: from the beginning")
    period_to = dy.Date(nullable=True, description="last first-day of the span it speaks of; null: without an end")


class ArchiveRecords(dy.Schema):
    """A record of the archive: where its bytes lie, and what they were on the wire."""

    record = dy.String(
        primary_key=True, description="WARC-Record-ID: a name-based UUID of source, address, time and bytes"
    )
    source = dy.String(description="the source it was fetched for")
    record_type = dy.String(
        check=lambda c: c.is_in(RECORD_TYPES),
        description="response: bytes as served; revisit: the same bytes again; request, metadata, warcinfo",
    )
    url = dy.String(description="address asked; of a metadata record, what it is about")
    final_url = dy.String(description="address that answered at the end of the redirects")
    status = dy.Int32(nullable=True, description="HTTP status")
    headers = dy.String(nullable=True, description="response headers as received: JSON list of name and value")
    fetched_at = dy.Datetime(time_unit="us", description="when it was asked, UTC")
    peer = dy.String(nullable=True, description="address connected to")
    body_bytes = dy.Int64(nullable=True, description="size of the body as served, content-coding kept")
    payload_bytes = dy.Int64(nullable=True, description="size of the body with the content-coding undone")
    payload_sha256 = dy.String(
        nullable=True, regex="^[0-9a-f]{64}$", description="digest of the body with the content-coding undone"
    )
    warc_digest = dy.String(nullable=True, description="WARC-Payload-Digest: base32 SHA-1 of the body as served")
    refers_to = dy.String(nullable=True, description="the record whose bytes a revisit repeats")
    file = dy.String(description="WARC file, relative to the archive")
    offset = dy.Int64(description="where the record's compressed bytes begin in the file")
    length = dy.Int64(min=1, description="how many compressed bytes it takes")
    stored_sha256 = dy.String(regex="^[0-9a-f]{64}$", description="digest of those compressed bytes")
    licence = dy.String(description="the source's terms at that time")


class Answers(dy.Schema):
    """What a source answered to one endpoint at one time, archived: accepted as a capture, or refused, or nothing new."""

    answer = dy.String(
        primary_key=True, description="source@day.time#digest, when it was served; also the identifier of its capture"
    )
    source = dy.String(description="the source that answered")
    measure = dy.String(description="the one measure it gives; empty: all of the source's")
    stated = dy.Date(nullable=True, description="the publisher's own update date, where the answer states one")
    vintage = dy.Date(description="from when it is known to have stood at the source, as decided from all answers held")
    vintage_precision = dy.String(
        check=lambda c: c.is_in(VINTAGE_PRECISIONS), description="as in captures: publisher or download"
    )
    served_at = dy.Datetime(
        time_unit="us", description="when the publisher served it (to us, or to a web archive), UTC"
    )
    via = dy.String(description="direct, mirror, or the web archive it was recovered from")
    url = dy.String(description="address of its first part")
    original_bytes = dy.Int64(description="size of its parts, content-coding undone")
    original_sha256 = dy.String(regex="^[0-9a-f]{64}$", description="digest of its parts")
    figures_sha256 = dy.String(
        regex="^[0-9a-f]{64}$", description="digest of the parts that hold figures, not of metadata"
    )
    parts = dy.String(description="JSON: name of each part and the record that holds its bytes")
    manifest = dy.String(
        nullable=True, description="the record that tells of it beside the bytes; null: a repeated answer"
    )
    status = dy.String(
        check=lambda c: c.is_in(["new", "accepted", "refused", "repeated"]),
        description="new: not read yet; repeated: other bytes, the same figures and vintage as before",
    )
    decided_by = dy.String(
        nullable=True, description="rule; bytes: refused by the guards; hand: accepted in spite of them"
    )
    why = dy.String(nullable=True, description="why it was refused, or accepted by hand")
    reader_version = dy.Int32(nullable=True, description="version of the reader that the decision rests on")


class Series(dy.Schema):
    """One quantity of one adopter by one source. One unit."""

    series = dy.String(primary_key=True, description="source/measure/adopter key")
    source = dy.String(description="who gives it")
    measure = dy.String(description="the source's measure")
    adopter_key = dy.String(description="ISO code where there is one, else the name as served")
    medium = dy.String(description="the medium, or `covariate`")
    metric = dy.String(description="what is counted")
    unit = dy.String(description="unit of `value`")
    unit_class = dy.String(
        check=lambda c: c.is_in(["share", "count", "money", "quantity"]),
        description="share: points; count: things; money; quantity: an amount on a scale of its own, a power or an index",
    )
    population = dy.String(description="who or what the figure is about: households, adults, individuals, sets …")
    denominator = dy.String(nullable=True, description="what a share or rate is a part of")
    adopter = dy.String(description="display name")
    adopter_kind = dy.String(
        description=(
            "country, territory, aggregate, former or unmapped, where adopters are places; else technology, platform, "
            "journal, account (of whoever has one with a platform), station, service (a class of stations), outlet, or "
            "channel (by which a statement came)"
        )
    )
    code = dy.String(
        nullable=True, description="ISO 3166-1 alpha-3, a World Bank aggregate or OWID code; null: unmapped"
    )
    place = dy.String(nullable=True, description="code of the place it is about")
    concept = dy.String(
        description="concept group, with the place: series of one concept and place are never strangers"
    )


class ObservationVersions(dy.Schema):
    """What a source said of a series and period, and between which vintages."""

    series = dy.String(primary_key=True, description="the series")
    period_start = dy.Date(primary_key=True, description="first day of the period")
    period_kind = dy.String(
        primary_key=True, check=lambda c: c.is_in(PERIOD_KINDS), description="year, month, date or span"
    )
    known_from = dy.Date(primary_key=True, description="vintage that first said it")
    known_to = dy.Date(description="vintage that first said otherwise; infinity while it stands")
    value = dy.Float64(description="the value in the series' unit")
    served_flag = dy.String(
        nullable=True,
        check=lambda c: c.is_in(["carried_forward"]),
        description="carried_forward: not an observation",
    )
    capture = dy.String(description="the capture that first said it")
    recorded_at = dy.Datetime(time_unit="us", description="when the warehouse wrote it")


class Checks(dy.Schema):
    """What a check of a capture expected and found."""

    capture = dy.String(primary_key=True, description="the capture checked")
    check = dy.String(primary_key=True, description="name of the check")
    passed = dy.Bool(description="whether it held")
    blocking = dy.Bool(description="whether a failure refuses the capture")
    expected = dy.String(description="what was expected")
    found = dy.String(description="what was found")


class Findings(dy.Schema):
    """One number that a model found, with what it rests on."""

    subject = dy.String(primary_key=True, description="what it is about: a panel, a medium, a series")
    measure = dy.String(primary_key=True, description="what was measured, with its variant")
    mode = dy.String(primary_key=True, description="what the model was allowed to see, or the estimator's reading")
    k = dy.Int32(primary_key=True, description="age or years since first launch; -1 where it has none")
    horizon = dy.Int32(primary_key=True, description="years since first launch of the outcome; -1 where it has none")
    step = dy.String(description="the step that found it")
    estimate = dy.Float64(nullable=True, description="the number; null: not reached, or not identified")
    lo = dy.Float64(nullable=True, description="lower end of the interval")
    hi = dy.Float64(nullable=True, description="upper end of the interval; null beside lo: unbounded")
    level = dy.Float64(nullable=True, description="level of the interval")
    n = dy.Int64(description="series or adopters")
    n_clusters = dy.Int64(nullable=True, description="independent clusters")
    unit = dy.String(description="unit of the estimate")
    note = dy.String(nullable=True, description="why a number is missing, or how it is bounded")
    vintage = dy.Date(description="newest vintage it read")
    seed = dy.Int64(nullable=True, description="seed of what was random")
    code_digest = dy.String(description="digest of the code and inputs: the step's key")


class FindingCurves(dy.Schema):
    """Lines and bands of the figures: one row a point."""

    subject = dy.String(primary_key=True, description="what the line is about")
    measure = dy.String(primary_key=True, description="what is drawn")
    mode = dy.String(primary_key=True, description="variant: forecaster, reading, source")
    x_kind = dy.String(primary_key=True, description="age, year or horizon")
    x = dy.Float64(primary_key=True, description="position on that axis")
    step = dy.String(description="the step that found it")
    y = dy.Float64(nullable=True, description="value")
    lo = dy.Float64(nullable=True, description="lower end of the band")
    hi = dy.Float64(nullable=True, description="upper end of the band")
    level = dy.Float64(nullable=True, description="level of the band")
    n = dy.Int64(nullable=True, description="series or adopters behind the point")
    unit = dy.String(description="unit of y")
    flag = dy.String(nullable=True, description="flags of the observation drawn")
    vintage = dy.Date(description="newest vintage it read")
    code_digest = dy.String(description="the step's key")


class SeriesNotes(dy.Schema):
    """What a study did with a series: used, or left out and why."""

    step = dy.String(primary_key=True, description="the step")
    series = dy.String(primary_key=True, description="the series")
    status = dy.String(description="used, or the reason it was left out")
    launch = dy.Int32(nullable=True, description="launch year assumed")
    launch_convention = dy.String(nullable=True, description="cited, first_1_percent")


class Verdicts(dy.Schema):
    """The registry's history: a row when a claim's verdict first was this."""

    claim = dy.String(primary_key=True, description="id in the registry")
    nth = dy.Int32(primary_key=True, description="1 for the first verdict, counting changes")
    decided_on = dy.Date(description="newest vintage read when the verdict became this")
    verdict = dy.String(description="one of the six words")
    result = dy.String(description="the claim's entry of findings.json at the last evaluation under this verdict")


class Steps(dy.Schema):
    """The key under which each step last ran: an equal key means there is nothing to do."""

    step = dy.String(primary_key=True, description="name of the step")
    key = dy.String(description="SHA-256 of inputs, parameters, seed, code and lock")
    digest = dy.String(description="digest of what the step wrote")
    finished_at = dy.Datetime(time_unit="us", description="when")


@dataclass(frozen=True)
class Table:
    """A declared table: its name, schema and the one meaning of time in it."""

    name: str
    schema: type[dy.Schema]
    time: str

    @property
    def key(self) -> list[str]:
        """Columns of the primary key."""
        return self.schema.primary_key()

    @property
    def ddl(self) -> str:
        """CREATE TABLE statement with key and NOT NULL constraints."""
        lines = [
            f'  "{name}" {_sql_type(column)}{"" if column.nullable else " NOT NULL"}'
            for name, column in self.schema.columns().items()
        ]
        key = ", ".join(f'"{name}"' for name in self.key)
        return f'CREATE TABLE IF NOT EXISTS "{self.name}" (\n' + ",\n".join(lines) + f",\n  PRIMARY KEY ({key})\n)"


def _sql_type(column: dy.Column) -> str:
    types: dict[type[dy.Column], str] = {
        dy.String: "VARCHAR",
        dy.Bool: "BOOLEAN",
        dy.Int32: "INTEGER",
        dy.Int64: "BIGINT",
        dy.Float64: "DOUBLE",
        dy.Date: "DATE",
        dy.Datetime: "TIMESTAMP",
    }
    return types[type(column)]


TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        Table("sources", Sources, "the present declaration; no history"),
        Table("captures", Captures, "vintage: from when the answer stood at the source"),
        Table("capture_scope", CaptureScope, "that of its capture"),
        Table("archive_records", ArchiveRecords, "fetched_at: when it was asked"),
        Table("answers", Answers, "vintage: from when the answer stood at the source"),
        Table("series", Series, "the present declaration; no history"),
        Table("observation_versions", ObservationVersions, "known_from to known_to, vintages"),
        Table("checks", Checks, "that of its capture"),
        Table("findings", Findings, "vintage: newest vintage read"),
        Table("finding_curves", FindingCurves, "vintage: newest vintage read"),
        Table("series_notes", SeriesNotes, "that of its step"),
        Table("verdicts", Verdicts, "decided_on: a vintage"),
        Table("steps", Steps, "finished_at: our transaction; never published"),
    )
}


def polars_schema(table: str) -> dict[str, pl.DataType]:
    """Column names and polars types of a declared table, in order."""
    return {name: column.dtype for name, column in TABLES[table].schema.columns().items()}


def data_dictionary() -> pl.DataFrame:
    """One row a column: table, column, type, key, nullable, meaning. The published dictionary is this frame."""
    rows = [
        (
            table.name,
            name,
            _sql_type(column),
            name in table.key,
            bool(column.nullable),
            column.description or "",
            table.time,
        )
        for table in TABLES.values()
        for name, column in table.schema.columns().items()
    ]
    columns = ["table", "column", "type", "key", "nullable", "meaning", "time"]
    return pl.DataFrame(rows, schema=columns, orient="row")
