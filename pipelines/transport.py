"""Connections: a host's name is resolved, its addresses are checked, and exactly a checked one is connected to.

Belongs here: sockets, TLS and the limit on the time all of it may take. Does not belong here: what is asked and what
becomes of the answer (`longwave.pipelines.fetch`). No other module of `pipelines/` but these two imports httpx, httpcore
or socket.

The check comes before the first byte of a request and after the only look-up of the name, so a name that changes its
address in between (DNS rebinding) gains nothing. A name with one forbidden address is refused altogether. Proxies and
certificates named in the environment are ignored; certificates are verified against the usual authorities. Each request
has a connection of its own: what one answer leaves in it cannot be taken for the beginning of the next.
"""

from __future__ import annotations

import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from ipaddress import ip_address
from typing import TypeVar

import httpcore
import httpx
from longwave.pipelines.addresses import NetworkAddress, is_loopback, is_unicast, require_webhook

Resolve = Callable[[str, int], Sequence[str]]
T = TypeVar("T")


class RefusedPeer(Exception):
    """A host that stands for an address that must not be connected to."""


class UnknownHost(Exception):
    """A host that has no address; `passing` where it may have one in a while."""

    def __init__(self, message: str, passing: bool) -> None:
        super().__init__(message)
        self.passing = passing


class Overdue(Exception):
    """The time allowed for an answer is used up, whatever is still arriving."""


class NotDelivered(Exception):
    """A message that did not arrive; says why without the address, which may hold a secret."""


class Deadline:
    """When the answer now under way must be whole. One fetcher, one thread, one deadline."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.at = float("inf")

    def left(self) -> float:
        """Seconds that remain.

        Raises:
            Overdue: none.

        """
        left = self.at - self._clock()
        if left <= 0:
            raise Overdue
        return left

    def bound(self, seconds: float | None) -> float:
        """A wait of so many seconds, or of those that remain."""
        return self.left() if seconds is None else min(seconds, self.left())


def system_addresses(host: str, port: int) -> list[str]:
    """Addresses of a host as the system resolves it.

    Raises:
        UnknownHost: it has none.

    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise UnknownHost(f"{host} has no address: {error}", error.errno == socket.EAI_AGAIN) from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _within(seconds: float, work: Callable[[], T]) -> T:
    """Result of a call that knows no time limit of its own, such as a look-up of a name."""
    done: queue.SimpleQueue[T | BaseException] = queue.SimpleQueue()

    def run() -> None:
        try:
            done.put(work())
        except BaseException as error:
            done.put(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        result = done.get(timeout=seconds)
    except queue.Empty:
        raise httpcore.ConnectTimeout("the name was not resolved in time") from None
    if isinstance(result, BaseException):
        raise result
    return result


class GuardedStream(httpcore.NetworkStream):
    """A connection that keeps the deadline and knows its peer and the bytes that came last."""

    def __init__(self, inner: httpcore.NetworkStream, peer: str, deadline: Deadline) -> None:
        self._inner, self.peer, self._deadline = inner, peer, deadline
        self._last = b""

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """The next bytes, b"" at the end."""
        data = self._timely(lambda: self._inner.read(max_bytes, self._deadline.bound(timeout)))
        self._last = data or self._last
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send bytes."""
        self._timely(lambda: self._inner.write(buffer, self._deadline.bound(timeout)))

    def close(self) -> None:
        """End the connection."""
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """The same connection, encrypted, its other end proven to be `server_hostname`."""
        bound = self._deadline.bound(timeout)
        inner = self._timely(lambda: self._inner.start_tls(ssl_context, server_hostname, bound))
        return GuardedStream(inner, self.peer, self._deadline)

    def get_extra_info(self, info: str) -> object:
        """What httpcore asks of a stream."""
        return self._inner.get_extra_info(info)

    def goes_on_after(self, body: bytes) -> bool:
        """Whether more came than a body whose length was declared: what was read last does not end as the body does."""
        return not (body.endswith(self._last) or self._last.endswith(body))

    def _timely(self, work: Callable[[], T]) -> T:
        """Do something on the connection; a wait that was cut short by the deadline counts as overdue."""
        try:
            return work()
        except httpcore.TimeoutException:
            # Raises Overdue if it was the deadline.
            self._deadline.left()
            raise


class GuardedBackend(httpcore.NetworkBackend):
    """Opens connections to allowed addresses only."""

    def __init__(self, allows: Callable[[NetworkAddress], bool], resolve: Resolve, deadline: Deadline) -> None:
        self._allows, self._resolve, self._deadline = allows, resolve, deadline
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first of a host's addresses that answers.

        Raises:
            RefusedPeer: one of its addresses is not allowed.
            UnknownHost: it has none.
            Overdue: the time is used up.
            httpcore.ConnectError, httpcore.ConnectTimeout: none answers.

        """
        ends = time.monotonic() + self._deadline.bound(timeout)
        found = _within(ends - time.monotonic(), lambda: self._resolve(host, port))
        failure: Exception = UnknownHost(f"{host} has no address", passing=False)
        for peer in self._checked(host, found):
            try:
                left = max(ends - time.monotonic(), 0.001)
                stream = self._inner.connect_tcp(peer, port, left, local_address, socket_options)
                return GuardedStream(stream, peer, self._deadline)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        # Raises Overdue if it was the deadline.
        self._deadline.left()
        raise failure

    def _checked(self, host: str, found: Sequence[str]) -> list[str]:
        for text in found:
            # A zone (`fe80::1%eth0`) belongs to link-local addresses, which no rule allows.
            if not self._allows(ip_address(text.partition("%")[0])):
                raise RefusedPeer(f"{host} stands for {text}, which must not be connected to")
        return list(found)


class _Body(httpx.SyncByteStream):
    """The bytes of an answer as they arrive, errors as httpcore raises them."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks

    def close(self) -> None:
        close = getattr(self._chunks, "close", None)
        if close is not None:
            close()


@cache
def _trusted() -> ssl.SSLContext:
    """Whose certificates are believed; read once a process, since it takes longer than many an answer."""
    return httpx.create_ssl_context(trust_env=False)


class GuardedTransport(httpx.BaseTransport):
    """What an httpx client sends its requests through; raises httpcore's errors and those of this module."""

    def __init__(
        self,
        allows: Callable[[NetworkAddress], bool],
        *,
        resolve: Resolve = system_addresses,
        clock: Callable[[], float] = time.monotonic,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self.deadline = Deadline(clock)
        self._pool = httpcore.ConnectionPool(
            ssl_context=ssl_context or _trusted(),
            max_keepalive_connections=0,
            network_backend=GuardedBackend(allows, resolve, self.deadline),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the answer's body is yet to be read."""
        assert isinstance(request.stream, httpx.SyncByteStream)
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        answer = self._pool.handle_request(
            httpcore.Request(
                request.method,
                url,
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        assert isinstance(answer.stream, Iterable)
        return httpx.Response(
            answer.status, headers=answer.headers, stream=_Body(answer.stream), extensions=answer.extensions
        )

    def close(self) -> None:
        """Close what is open."""
        self._pool.close()


def post_json(url: str, body: bytes, seconds: float) -> None:
    """Send JSON to an address of the operator's own, once, within a time limit; redirects are not followed.

    Args:
        url: https, or http on this machine.
        body: JSON.
        seconds: for everything, the name's look-up included.

    Raises:
        NotDelivered: it did not arrive, or the answer's status is not 2xx.
        ForbiddenAddress: no such address.

    """
    allows = is_loopback if require_webhook(url) else is_unicast
    headers = {"Content-Type": "application/json", "Connection": "close"}
    transport = GuardedTransport(allows)
    transport.deadline.at = time.monotonic() + seconds
    try:
        with httpx.Client(transport=transport, trust_env=False, follow_redirects=False) as client:
            request = client.build_request("POST", url, content=body, headers=headers)
            answer = client.send(request, stream=True)
            status = answer.status_code
            answer.close()
    except Overdue as error:
        raise NotDelivered(f"no answer within {seconds:g} s") from error
    except (RefusedPeer, UnknownHost) as error:
        raise NotDelivered(str(error)) from error
    except (
        httpcore.TimeoutException,
        httpcore.NetworkError,
        httpcore.ProtocolError,
        httpx.HTTPError,
        OSError,
    ) as error:
        raise NotDelivered(f"no connection: {type(error).__name__}") from error
    if not 200 <= status < 300:
        raise NotDelivered(f"the other end answered {status}")
