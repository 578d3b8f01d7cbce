"""A server on this machine that plays every publisher and can misbehave, and settings that send all requests to it.

`server.routes` maps what is asked (`/host/path?query`, as a mirror is asked) to a `Reply`, to bytes or text, to a list of
these (one after another, the last one stays) or to a function of the `Asked`. `server.publish(url, reply)` takes the
original address instead. What was asked stands in `server.asked`. `mirror(...)` gives the settings.
"""

import gzip
import socket
import struct
import threading
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from longwave.pipelines.fetch import Fetcher, FetchFailed
from longwave.pipelines.limits import Limits
from longwave.pipelines.settings import Settings
from longwave.warehouse.errors import LongwaveError

REASONS = {200: "OK", 301: "Moved Permanently", 302: "Found", 304: "Not Modified", 404: "Not Found"}


@dataclass(frozen=True)
class Asked:
    """One request as it came in: target, headers by lower-case name, and when (monotonic seconds)."""

    target: str
    headers: dict
    at: float


@dataclass(frozen=True)
class Reply:
    """One answer, right or wrong.

    `raw` replaces all of it. `delay` passes before it, `drip` is (bytes, seconds): so many at a time, so long between.
    `cut` sends only so many bytes of the body, `reset` then breaks the connection instead of closing it, and `hang` keeps
    it open that many seconds. `endless` is sent again and again after the body. `length` is what Content-Length says in
    place of the truth; None: left out. `etag` answers 304 to whoever has it.
    """

    body: bytes | str = b""
    status: int = 200
    headers: dict | tuple = field(default_factory=dict)
    type: str | None = "text/csv"
    gzip: bool = False
    chunked: bool = False
    etag: str | None = None
    length: int | str | None = "true"
    cut: int | None = None
    reset: bool = False
    hang: float = 0.0
    delay: float = 0.0
    drip: tuple | None = None
    endless: bytes = b""
    raw: bytes | None = None

    def head_and_body(self, asked):
        """The bytes before the body, and those of the body as sent."""
        if self.raw is not None:
            return b"", self.raw
        body = self.body.encode() if isinstance(self.body, str) else self.body
        status = 304 if self.etag and asked.headers.get("if-none-match") == self.etag else self.status
        body = gzip.compress(body, mtime=0) if self.gzip else body
        lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Whatever')}", *self._lines(body, status)]
        sent = b"" if status == 304 else _chunks(body) if self.chunked else body
        return "\r\n".join([*lines, "", ""]).encode("latin-1"), sent

    def _lines(self, body, status):
        given = self.headers.items() if isinstance(self.headers, dict) else self.headers
        named = [("Content-Type", self.type), ("ETag", self.etag), ("Content-Encoding", "gzip" if self.gzip else None)]
        if self.chunked:
            named.append(("Transfer-Encoding", "chunked"))
        elif self.length is not None and status != 304:
            named.append(("Content-Length", len(body) if self.length == "true" else self.length))
        return [f"{name}: {value}" for name, value in [*named, *given] if value is not None]


def _chunks(body, size=1000):
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


class Server:
    """Answers from its routes on a port of 127.0.0.1, one connection a request, each in a thread."""

    def __init__(self):
        self.routes, self.asked, self.connections = {}, [], 0
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._socket.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def targets(self):
        """What was asked, robots.txt left out."""
        return [asked.target for asked in self.asked if not asked.target.endswith("/robots.txt")]

    def publish(self, url, *replies):
        """Serve replies at an original address, one after another, the last one from then on."""
        parts = urlsplit(url)
        target = f"/{parts.hostname}{parts.path or '/'}" + (f"?{parts.query}" if parts.query else "")
        self.routes[target] = list(replies)

    def stop(self):
        self._stopped.set()
        # A blocked accept wakes only when someone comes.
        with closing(socket.create_connection(("127.0.0.1", self.port))):
            self._accepting.join()
        self._socket.close()

    def _accept(self):
        while True:
            connection, _ = self._socket.accept()
            if self._stopped.is_set():
                connection.close()
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with closing(connection):
            try:
                asked = _request(connection)
                if asked is not None:
                    self._send(connection, self._reply(asked), asked)
            except OSError:
                # The other side has hung up, which is what many tests are about.
                return

    def _reply(self, asked):
        with self._lock:
            self.asked.append(asked)
            found = self.routes.get(asked.target, self.routes.get(asked.target.partition("?")[0]))
            if isinstance(found, list):
                found = found.pop(0) if len(found) > 1 else found[0]
        if callable(found):
            found = found(asked)
        if found is None:
            return Reply("nothing here", status=404, type="text/plain")
        return found if isinstance(found, Reply) else Reply(found)

    def _send(self, connection, reply, asked):
        head, body = reply.head_and_body(asked)
        self._stopped.wait(reply.delay)
        sent = body if reply.cut is None else body[: reply.cut]
        if reply.drip is None:
            connection.sendall(head + sent)
        else:
            size, pause = reply.drip
            for start in range(0, len(head + sent), size):
                connection.sendall((head + sent)[start : start + size])
                self._stopped.wait(pause)
        while reply.endless and not self._stopped.is_set():
            connection.sendall(reply.endless)
        self._stopped.wait(reply.hang)
        if reply.reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _request(connection):
    head = b""
    while b"\r\n\r\n" not in head:
        part = connection.recv(65536)
        if not part:
            return None
        head += part
    first, *lines = head.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return Asked(first.split(" ")[1], {name.lower(): value for name, value in headers.items()}, time.monotonic())


@pytest.fixture
def server():
    """A server of this machine without any route yet: every address answers 404."""
    served = Server()
    yield served
    served.stop()


@pytest.fixture
def mirror(server):
    """Settings that send every request to `server`, without pauses between them: (SETTING=…) to Settings."""

    def settings(**changed):
        return Settings(**{"mirror": server.url, "host_interval": 0.0} | changed)

    return settings


@pytest.fixture
def reply():
    """The class of the server's answers: reply(BODY, status=…)."""
    return Reply


QUICK = Limits(
    connect_seconds=10, read_seconds=10, total_seconds=60, attempts=3, host_interval=0, wait_initial=0.01, wait_max=2
)


@pytest.fixture
def quick():
    """Limits of a test: three attempts, a hundredth of a second between them."""
    return QUICK


@pytest.fixture
def fetcher(mirror, quick):
    """A fetcher of everything on `server`: (limits=…, …) to an open Fetcher; closed at the end."""
    opened = []

    def make(limits=quick, settings=None, **options):
        opened.append(Fetcher(settings or mirror(), limits=limits, **options))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


@pytest.fixture
def failure(fetcher):
    """Fetch what must fail, from a client or one with these limits; returns the error."""

    def fetch(
        url="https://data.example.org/figures.csv", hosts=("data.example.org",), client=None, limits=QUICK, **options
    ):
        with pytest.raises(FetchFailed) as caught:
            (client or fetcher(limits=limits)).get(url, hosts=hosts, form="csv", **options)
        assert isinstance(caught.value, LongwaveError), "the command line prints it and exits 1"
        return caught.value

    return fetch


@pytest.fixture
def deaf_port():
    """A port that answers no attempt to connect: its queue is full and nobody empties it."""
    with ExitStack() as stack:
        listening = stack.enter_context(closing(socket.socket()))
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(8):
            waiting = stack.enter_context(closing(socket.socket()))
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]
