"""`longwave sources --probe`: one live request to each source, for whoever has a network. Nothing is kept.

The first part of the first endpoint is asked. Where that is all there is to an answer it is read and checked as a refresh
would, so that a reader not yet proven on a real response can be.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from longwave.pipelines.bodies import check_body
from longwave.pipelines.fetch import Fetcher, FetchFailed
from longwave.pipelines.sources import SourceSpec
from longwave.pipelines.sources._spec import Original
from longwave.warehouse.errors import Refused
from longwave.warehouse.exchange import Exchange
from longwave.warehouse.tidy import check_frame


@dataclass(frozen=True)
class Probed:
    """What one request to a source showed: whether it went well as far as one request can tell, in a sentence."""

    source: str
    well: bool
    said: str


def probe(spec: SourceSpec, fetcher: Fetcher, now: datetime) -> Probed:
    """Ask a source once. Never raises for what the source does."""
    endpoint = spec.endpoints[0]
    part = endpoint.parts[0]
    try:
        hops = fetcher.get(part.address(now.date()), hosts=spec.allowed_hosts, form=part.form, max_body=spec.max_bytes)
    except FetchFailed as failure:
        return Probed(spec.source, False, str(failure))
    exchange = hops[-1]
    size = f"{len(exchange.payload)} bytes of {exchange.header('content-type') or 'no stated type'}"
    failed = [c for c in check_body(part.name, exchange, part.form) if c.blocking and not c.passed]
    if failed:
        return Probed(
            spec.source, False, f"{size}: {failed[0].check}: expected {failed[0].expected}, found {failed[0].found}"
        )
    if len(endpoint.parts) > 1 or endpoint.further is not None:
        return Probed(spec.source, True, f"{size}; one part of several, not read")
    return _read(spec, exchange, size, now)


def _read(spec: SourceSpec, exchange: Exchange, size: str, now: datetime) -> Probed:
    day = now.date()
    try:
        frame = spec.read(Original(spec.source, exchange.payload, exchange.url, None, {"data": exchange.payload}, day))
    except Refused as refused:
        return Probed(spec.source, False, f"{size}: {refused.problems[0]}")
    checks = check_frame(frame, spec.source, spec.measures, day, places_expected=spec.adopter_kind == "place")
    failed = [c for c in checks if c.blocking and not c.passed]
    if failed:
        return Probed(
            spec.source, False, f"{size}: {failed[0].check}: expected {failed[0].expected}, found {failed[0].found}"
        )
    return Probed(spec.source, True, f"{size}; read: {frame.height} rows. Its reader can be marked as proven on {day}")
