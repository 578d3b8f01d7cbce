"""The one place that asks the network: an address in, complete exchanges out, or an error that says why not.

Belongs here: which requests are made, when, how often, and which answers are complete. Does not belong here: connections
(`longwave.pipelines.transport`), rules on addresses (`longwave.pipelines.addresses`), the taking in of a body
(`longwave.pipelines.receive`), and what a complete body must look like (`longwave.pipelines.bodies`).

Manners. The User-Agent names the program, its version and LONGWAVE_CONTACT. robots.txt is obeyed (RFC 9309): one that is
not there (4xx) allows everything, one that cannot be had forbids everything, and so does a 429, which asks to be left in
peace. Two requests to a host are at least the host interval apart, or its Crawl-delay, up to 30 seconds. Overload, time
limits and broken connections are tried again after exponentially growing waits with jitter, or after Retry-After; a
Retry-After beyond the longest wait ends the matter and the error says when to come back.

Guards. https only, and hosts the source declares; redirects are followed by hand, each held to the same rules; the
connected address is checked before anything is sent; raw and unpacked size are capped; an answer cut short is never
returned. Cookies, proxies and credentials are not used. With a mirror every request goes to
`MIRROR/<original host>/<path>?<query>` instead: Exchange.url stays the original and redirects are resolved against it.

`total_seconds` covers one call of `get`: robots.txt, waits, attempts, redirects and the last byte of the body.
"""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib import metadata
from types import TracebackType

import httpcore
import httpx
import stamina
from longwave.pipelines.addresses import (
    Address,
    ForbiddenAddress,
    Mirror,
    is_public,
    parse_address,
    redirect_target,
    require_declared,
)
from longwave.pipelines.bodies import challenge_in
from longwave.pipelines.failures import FetchFailed, refused_status, seconds_to_wait
from longwave.pipelines.limits import FetchSettings, Limits
from longwave.pipelines.receive import BadCoding, TooLarge, require_known_coding, take, unpacked
from longwave.pipelines.robots import PRODUCT, Rules, absent
from longwave.pipelines.sources._spec import MEDIA_TYPES, Form
from longwave.pipelines.transport import (
    GuardedStream,
    GuardedTransport,
    Overdue,
    RefusedPeer,
    Resolve,
    UnknownHost,
    system_addresses,
)
from longwave.warehouse.exchange import Exchange, Headers
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

__all__ = ["FetchFailed", "FetchSettings", "Fetcher", "Limits", "user_agent"]

Progress = Callable[[str, int, int | None], None]
"""Told while a body arrives: its address, bytes so far, and how many are announced."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OVERLOADED = frozenset({429, 500, 502, 503, 504})
_UNREACHABLE = frozenset({"address", "certificate", "connection", "dns", "timeout"})
_ERROR_PAGE = 64 * 1024
_log = logging.getLogger(__name__)


def _say_retry(details: RetryDetails) -> None:
    _log.info("%s; again in %.1f s", details.caused_by, details.wait_for)


# Left alone, stamina writes to whatever logging library is installed, some of which print to standard output.
set_on_retry_hooks((_say_retry,))


@dataclass(frozen=True)
class _Question:
    """What holds for every request of one call: hosts, form, validators, cap, and when all must be done."""

    hosts: tuple[str, ...]
    form: Form
    max_body: int
    deadline: float
    etag: str | None = None
    last_modified: str | None = None
    obeys_robots: bool = True

    @property
    def conditional(self) -> bool:
        return self.etag is not None or self.last_modified is not None

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Headers of this call, beside those that every request has."""
        named = [
            ("Accept", ", ".join([*MEDIA_TYPES[self.form], "*/*;q=0.1"])),
            ("If-None-Match", self.etag),
            ("If-Modified-Since", self.last_modified),
        ]
        return [(name.encode(), value.encode("latin-1", "replace")) for name, value in named if value is not None]


def user_agent(contact: str) -> str:
    """Who we say we are: program, version, and how to reach whoever runs it."""
    return f"{PRODUCT}/{metadata.version(PRODUCT)} ({f'+{contact}' if contact else 'no contact given'})"


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _backoff(error: Exception) -> bool | float:
    """Whether to try again, or after how many seconds."""
    if not isinstance(error, FetchFailed) or not error.transient:
        return False
    return True if error.retry_after is None else error.retry_after


class Fetcher:
    """Asks for addresses, with one clock a host and one look at each host's robots.txt. For one thread.

    Args:
        settings: contact, mirror and limits.
        limits: in place of those that the settings give.
        sleep: waits so many seconds between two requests to a host.
        clock: seconds that only go forward.
        now: the time of day that exchanges bear, aware.
        resolve: host and port to network addresses.
        progress: told while a body arrives.

    Raises:
        ForbiddenAddress: the settings name a mirror that may not be one.

    """

    def __init__(
        self,
        settings: FetchSettings,
        *,
        limits: Limits | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = _utc_now,
        resolve: Resolve = system_addresses,
        progress: Progress | None = None,
    ) -> None:
        self._limits = limits or Limits.of(settings)
        self._sleep, self._clock, self._now, self._progress = sleep, clock, now, progress
        self._mirror = Mirror.parse(settings.mirror, settings.mirror_hosts) if settings.mirror else None
        allows = self._mirror.allows if self._mirror else is_public
        self._transport = GuardedTransport(allows, resolve=resolve, clock=clock)
        self._client = self._new_client(settings.contact)
        self._asked_at: dict[str, float] = {}
        self._robots: dict[str, Rules | FetchFailed] = {}

    def _new_client(self, contact: str) -> httpx.Client:
        limits = self._limits
        return httpx.Client(
            transport=self._transport,
            trust_env=False,
            follow_redirects=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            timeout=httpx.Timeout(limits.read_seconds, connect=limits.connect_seconds),
            headers={
                "User-Agent": user_agent(contact),
                "Accept-Encoding": "gzip, identity",
                "Connection": "close",
            },
        )

    def __enter__(self) -> Fetcher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close what is open."""
        self._client.close()

    def get(
        self,
        url: str,
        *,
        hosts: Sequence[str],
        form: Form,
        max_body: int | None = None,
        etag: str | None = None,
        last_modified: str | None = None,
    ) -> tuple[Exchange, ...]:
        """Ask for an address and follow where it leads.

        Args:
            url: https, at one of `hosts`.
            hosts: those the source declares; a redirect elsewhere is not followed.
            form: what the answer shall be; it is asked for, and checked by `longwave.pipelines.bodies` only.
            max_body: cap on the body as sent, in bytes; None: the limits'.
            etag: of the answer held; with it an unchanged answer is a 304 without a body.
            last_modified: of the answer held, likewise.

        Returns:
            Every exchange in order: redirects, then the answer, whose status is 200, or 304 if a validator was given.

        Raises:
            FetchFailed: no complete answer, or the address must not be asked.

        """
        question = _Question(
            hosts=tuple(hosts),
            form=form,
            max_body=self._limits.max_body if max_body is None else max_body,
            deadline=self._clock() + self._limits.total_seconds,
            etag=etag,
            last_modified=last_modified,
        )
        try:
            address = parse_address(url)
            require_declared(address, question.hosts)
        except ForbiddenAddress as wrong:
            raise FetchFailed(url, "address", f"must not be asked: {wrong}") from wrong
        return self._follow(address, question)

    def _follow(self, address: Address, question: _Question) -> tuple[Exchange, ...]:
        """The exchanges from an address to where its redirects end."""
        hops: list[Exchange] = []
        while True:
            if question.obeys_robots:
                self._obey_robots(address, question)
            hops.append(self._persist(address, question))
            if hops[-1].status not in _REDIRECTS:
                return tuple(hops)
            if len(hops) > self._limits.redirects:
                raise FetchFailed(hops[0].url, "redirect", f"more than {self._limits.redirects} redirects")
            address = _next_address(address, hops, question.hosts)
            # The validators are those of the address asked: elsewhere a 304 would speak of something else.
            question = replace(question, etag=None, last_modified=None)

    def _persist(self, address: Address, question: _Question) -> Exchange:
        """One exchange, tried again while that may help."""
        limits, made = self._limits, 0
        caller = stamina.RetryingCaller(
            attempts=limits.attempts,
            timeout=max(question.deadline - self._clock(), 0.001),
            wait_initial=limits.wait_initial,
            wait_jitter=limits.wait_initial,
            wait_max=limits.wait_max,
        )

        def once() -> Exchange:
            nonlocal made
            made += 1
            return self._exchange(address, question)

        try:
            return caller(_backoff, once)
        except FetchFailed as failed:
            raise failed.after(made) from failed

    def _exchange(self, address: Address, question: _Question) -> Exchange:
        """One request and its complete answer."""
        self._transport.deadline.at = question.deadline
        with self._named(address.url, "connection"):
            self._pause(address.host)
        fetched_at = self._now()
        try:
            with self._named(address.url, "connection"):
                request = self._client.build_request("GET", self._wire_url(address), headers=question.headers())
                response = self._client.send(request, stream=True)
            try:
                return self._whole(address, question, response, fetched_at)
            finally:
                response.close()
        finally:
            self._asked_at[address.host] = self._clock()

    def _wire_url(self, address: Address) -> httpx.URL:
        """What is asked on the wire: the address itself, or the mirror's for it."""
        text = self._mirror.url(address) if self._mirror else address.url
        url = httpx.URL(text)
        # What was checked is what is sent, also where two parsers differ.
        if str(url) != text:
            raise FetchFailed(address.url, "address", f"would be sent as {url}")
        return url

    def _whole(self, address: Address, question: _Question, response: httpx.Response, fetched_at: datetime) -> Exchange:
        """The exchange of an answer that can be used, its body read to the end."""
        usable = {200, *([304] if question.conditional else []), *_REDIRECTS}
        if response.status_code not in usable:
            raise self._refused(address, response)
        stream = response.extensions["network_stream"]
        assert isinstance(stream, GuardedStream)
        with self._named(address.url, "truncated"):
            packed = require_known_coding(response.headers.get("Content-Encoding"))
            body = take(self._chunks(address.url, response, question.max_body), question.max_body)
            payload = unpacked(body, self._limits.max_payload) if packed else body
        counted = "Content-Length" in response.headers and "Transfer-Encoding" not in response.headers
        if counted and response.status_code != 304 and stream.goes_on_after(body):
            what = f"more came than the {len(body):,} bytes that Content-Length says"
            raise FetchFailed(address.url, "length", what, transient=True)
        return Exchange(
            url=address.url,
            request_headers=_decoded(response.request.headers.raw),
            status=response.status_code,
            reason=_phrase(response),
            headers=_kept_headers(response),
            body=body,
            payload=payload,
            fetched_at=fetched_at,
            peer=stream.peer,
            via="mirror" if self._mirror else "direct",
        )

    def _chunks(self, url: str, response: httpx.Response, limit: int) -> Iterator[bytes]:
        """The body as it arrives; a length announced beyond the cap ends it before it begins."""
        said = response.headers.get("Content-Length", "")
        announced = int(said[:20]) if said.isascii() and said.isdigit() else None
        if announced is not None and announced > limit and response.status_code != 304:
            raise TooLarge(f"the body is announced with {announced:,} bytes, and {limit:,} are allowed")
        received = 0
        for chunk in response.iter_raw():
            received += len(chunk)
            if self._progress:
                self._progress(url, received, announced)
            yield chunk

    def _refused(self, address: Address, response: httpx.Response) -> FetchFailed:
        """The failure of an answer that cannot be used: its status, a bot challenge, and when to come back."""
        status = response.status_code
        challenge = challenge_in(_decoded(response.headers.raw), _error_page(response))
        if challenge:
            what = f"the server answered {status} with {challenge}"
            return FetchFailed(address.url, "challenge", what, status=status)
        now = self._now()
        asked = seconds_to_wait(response.headers.get, now)
        left = self._transport.deadline.at - self._clock()
        return refused_status(
            address.url,
            status,
            _phrase(response),
            None if asked is None else max(asked, self._limits.wait_initial),
            now=now,
            transient=status in _OVERLOADED,
            patience=min(self._limits.wait_max, left),
        )

    def _pause(self, host: str) -> None:
        """Wait until a host may be asked again."""
        last = self._asked_at.get(host)
        if last is None:
            return
        pause = last + max(self._limits.host_interval, self._crawl_delay(host)) - self._clock()
        if pause > self._transport.deadline.left():
            raise Overdue
        if pause > 0:
            self._sleep(pause)

    def _crawl_delay(self, host: str) -> float:
        rules = self._robots.get(host)
        return rules.crawl_delay if isinstance(rules, Rules) else 0.0

    def _obey_robots(self, address: Address, question: _Question) -> None:
        """Refuse an address that its host's robots.txt keeps programs from, or whose robots.txt cannot be had."""
        if address.host not in self._robots:
            self._robots[address.host] = self._ask_rules(address.host, question)
        rules = self._robots[address.host]
        if isinstance(rules, FetchFailed):
            # A host that cannot be reached at all is what a person needs to know, not that it has no rules.
            reason = rules.reason if rules.reason in _UNREACHABLE else "robots"
            what = f"not asked, since its host's robots.txt could not be had: {rules.what}"
            raise FetchFailed(
                address.url, reason, what, rules.remedy, retry_after=rules.retry_after, attempts=rules.attempts
            )
        if not rules.allow(address.url):
            raise FetchFailed(address.url, "robots", f"robots.txt of {address.host} forbids it to {PRODUCT}")

    def _ask_rules(self, host: str, question: _Question) -> Rules | FetchFailed:
        plain = replace(
            question, form="text", etag=None, last_modified=None, obeys_robots=False, max_body=self._limits.max_body
        )
        try:
            answer = self._follow(Address(host, "/robots.txt"), plain)[-1]
        except FetchFailed as failed:
            return Rules(b"") if absent(failed.status) else failed
        return Rules(answer.payload)

    @contextmanager
    def _named(self, url: str, broken: str) -> Iterator[None]:
        """Give what goes wrong on the wire its name; `broken` is that of a connection that breaks at this stage."""
        limits = self._limits
        try:
            yield
        except Overdue as error:
            raise FetchFailed(url, "timeout", f"not done within {limits.total_seconds:g} s in all") from error
        except httpcore.ConnectTimeout as error:
            what = f"no connection within {limits.connect_seconds:g} s"
            raise FetchFailed(url, "timeout", what, transient=True) from error
        except httpcore.TimeoutException as error:
            what = f"nothing came for {limits.read_seconds:g} s"
            raise FetchFailed(url, "timeout", what, transient=True) from error
        except RefusedPeer as error:
            raise FetchFailed(url, "address", f"must not be asked: {error}") from error
        except UnknownHost as error:
            raise FetchFailed(url, "dns", str(error), transient=error.passing) from error
        except TooLarge as error:
            raise FetchFailed(url, "too large", str(error)) from error
        except BadCoding as error:
            reason = "truncated" if error.cut else "encoding"
            raise FetchFailed(url, reason, str(error), transient=error.passing) from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise _broken(error, url, broken) from error
        except httpx.HTTPError as error:
            # Our transport raises none of these: the client itself looks at a Location, though it follows none.
            raise FetchFailed(url, "redirect", f"a redirect that cannot be read: {error}") from error


def _broken(error: Exception, url: str, reason: str) -> FetchFailed:
    """The failure of a connection that could not be made, or broke."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return FetchFailed(url, "certificate", f"its certificate is not valid: {cause.verify_message}")
        cause = cause.__cause__ or cause.__context__
    what = "the body was cut short or garbled" if reason == "truncated" else "no answer"
    return FetchFailed(url, reason, f"{what}: {error or type(error).__name__}", transient=True)


def _next_address(address: Address, hops: Sequence[Exchange], hosts: Sequence[str]) -> Address:
    """Where the last redirect leads, held to the rules of the first address."""
    location = hops[-1].header("Location")
    if location is None:
        raise FetchFailed(address.url, "redirect", f"a redirect ({hops[-1].status}) that says not where to")
    try:
        target = redirect_target(address, _utf8(location))
        require_declared(target, hosts)
    except ForbiddenAddress as wrong:
        what = f"a redirect to {_utf8(location)!r}, which must not be followed: {wrong}"
        raise FetchFailed(address.url, "redirect", what) from wrong
    if target.url in {hop.url for hop in hops}:
        raise FetchFailed(hops[0].url, "redirect", f"its redirects go in a circle, back to {target.url}")
    return target


def _error_page(response: httpx.Response) -> bytes:
    """The beginning of an error's body, as far as it can be had; it is looked at for a bot challenge only."""
    page = bytearray()
    try:
        packed = require_known_coding(response.headers.get("Content-Encoding"))
        for chunk in response.iter_raw():
            page += chunk
            if len(page) > _ERROR_PAGE:
                break
        return unpacked(bytes(page), 16 * _ERROR_PAGE) if packed else bytes(page)
    except (Overdue, BadCoding, TooLarge, httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError):
        return bytes(page)


def _phrase(response: httpx.Response) -> str:
    phrase = response.extensions.get("reason_phrase", b"")
    return phrase.decode("latin-1") if isinstance(phrase, bytes) else ""


def _utf8(text: str) -> str:
    """A header's value read as UTF-8 where it is UTF-8."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except ValueError:
        return text


def _decoded(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers)


def _kept_headers(response: httpx.Response) -> Headers:
    """Headers as served. A transfer-coding is undone already, so its header is renamed, or readers would undo it again."""
    return tuple(
        ("X-Archive-Orig-Transfer-Encoding" if name.lower() == "transfer-encoding" else name, value)
        for name, value in _decoded(response.headers.raw)
    )
