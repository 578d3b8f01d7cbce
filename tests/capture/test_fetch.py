"""The fetcher against a server that misbehaves: what is returned is complete and allowed, and everything else says why not.

No part of the HTTP client is replaced: all of it goes over sockets of this machine, through the mirror setting.
"""

import gzip
import signal
import socket
import subprocess
import sys
import time
import tracemalloc
import zlib
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise

import pytest
import stamina
from longwave.pipelines.fetch import FetchFailed
from longwave.pipelines.limits import Limits
from one_file import CSV, HOST, URL, answer

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


# What is asked, and what is returned


def test_an_exchange_is_what_went_over_the_wire(server, fetcher, reply):
    server.publish(f"{URL}?a=1&b=%20", reply(CSV, headers={"X-Served-By": "four"}))
    got = answer(fetcher(now=lambda: NOW), f"{URL}?a=1&b=%20")
    assert (got.url, got.status, got.reason) == (f"{URL}?a=1&b=%20", 200, "OK")
    assert got.body == got.payload == CSV.encode()
    assert got.headers == (("Content-Type", "text/csv"), ("Content-Length", "25"), ("X-Served-By", "four"))
    assert (got.peer, got.via, got.fetched_at) == ("127.0.0.1", "mirror", NOW)
    sent = {name.lower(): value for name, value in got.request_headers}
    assert sent == server.asked[-1].headers


def test_we_say_who_we_are_and_keep_no_cookies(server, fetcher, mirror, reply):
    server.publish(URL, reply(CSV, headers={"Set-Cookie": "visitor=1; Path=/"}))
    client = fetcher(settings=mirror(contact="ada@example.org"))
    answer(client), answer(client)
    for asked in server.asked:
        assert asked.headers["user-agent"].startswith("longwave/")
        assert asked.headers["user-agent"].endswith(" (+ada@example.org)")
        assert asked.headers["accept-encoding"] == "gzip, identity"
        assert asked.headers["connection"] == "close"
        assert "cookie" not in asked.headers
    assert len(server.asked) == 3
    assert "text/csv" in server.asked[-1].headers["accept"]


def test_what_the_environment_says_of_proxies_is_ignored(server, fetcher, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    server.publish(URL, CSV)
    assert answer(fetcher()).payload == CSV.encode()


def test_an_unchanged_answer_is_a_304_without_a_body(server, fetcher, reply):
    server.publish(URL, reply(CSV, etag='"v1"', headers={"Last-Modified": "Wed, 04 Mar 2026 05:06:07 GMT"}))
    client = fetcher()
    first = answer(client)
    again = answer(client, etag=first.header("ETag"), last_modified=first.header("Last-Modified"))
    assert (again.status, again.body, again.payload) == (304, b"", b"")
    assert server.asked[-1].headers["if-none-match"] == '"v1"'
    assert server.asked[-1].headers["if-modified-since"] == "Wed, 04 Mar 2026 05:06:07 GMT"
    assert answer(client, etag='"v0"').status == 200, "another tag, another answer"


def test_a_304_nobody_asked_for_is_no_answer(server, failure, reply):
    server.publish(URL, reply(status=304, raw=b"HTTP/1.1 304 Not Modified\r\n\r\n"))
    assert failure().status == 304


def test_gzip_is_kept_as_served_and_undone_beside(server, fetcher, reply):
    server.publish(URL, reply(CSV * 5000, gzip=True, chunked=True))
    got = answer(fetcher())
    assert got.body == gzip.compress(CSV.encode() * 5000, mtime=0)
    assert got.payload == CSV.encode() * 5000
    assert got.header("Content-Encoding") == "gzip"
    assert got.header("Transfer-Encoding") is None
    assert got.header("X-Archive-Orig-Transfer-Encoding") == "chunked"


def test_several_gzip_members_are_one_body(server, fetcher, reply):
    parts = gzip.compress(b"year,value\n", mtime=0) + gzip.compress(b"2001,1\n" * 300_000, mtime=0)
    server.publish(URL, reply(parts, headers={"Content-Encoding": "gzip"}))
    assert answer(fetcher()).payload == b"year,value\n" + b"2001,1\n" * 300_000


@pytest.mark.parametrize(
    ("body", "coding", "reason", "attempts"),
    [
        (b"\x0b\x02\x80abc\x03", "br", "encoding", 1),
        (gzip.compress(gzip.compress(CSV.encode(), mtime=0), mtime=0), "gzip, gzip", "encoding", 1),
        (zlib.compress(CSV.encode()), "deflate", "encoding", 1),
        (CSV.encode(), "gzip", "encoding", 3),
        (gzip.compress(CSV.encode(), mtime=0) + b"\0\0\0\0", "gzip", "encoding", 3),
        (gzip.compress(CSV.encode(), mtime=0)[:-12] + b"\0" * 12, "gzip", "encoding", 3),
        (gzip.compress(CSV.encode(), mtime=0)[:-9], "gzip", "truncated", 3),
        (gzip.compress(CSV.encode(), mtime=0)[:5], "gzip", "truncated", 3),
        (gzip.compress(b"", mtime=0) * 10_001, "gzip", "encoding", 1),
    ],
)
def test_a_coding_that_cannot_be_undone_is_refused(server, failure, reply, body, coding, reason, attempts):
    server.publish(URL, reply(body, headers={"Content-Encoding": coding}))
    failed = failure()
    assert (failed.reason, failed.attempts, len(server.targets)) == (reason, attempts, attempts)
    assert str(failed).startswith(f"{URL}: ")


# Trying again


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_an_overloaded_server_is_asked_again(server, fetcher, reply, status):
    server.publish(URL, reply("busy", status=status), reply("busy", status=status), CSV)
    assert answer(fetcher()).payload == CSV.encode()
    assert len(server.targets) == 3


def test_it_is_asked_so_often_and_no_more(server, failure, reply):
    server.publish(URL, reply("busy", status=503))
    failed = failure()
    assert (failed.reason, failed.status, failed.attempts) == ("status", 503, 3)
    assert str(failed) == f"{URL}: the server answered 503 Whatever (3 attempts); try again later"
    assert len(server.targets) == 3


@pytest.mark.parametrize(
    ("status", "word"), [(404, "moved"), (403, "terms"), (410, "moved"), (206, "moved"), (204, "moved")]
)
def test_any_other_status_is_final(server, failure, reply, status, word):
    server.publish(URL, reply("no", status=status))
    failed = failure()
    assert (failed.reason, failed.status, len(server.targets)) == ("status", status, 1)
    assert word in failed.remedy


def test_waits_grow_and_are_not_the_same_twice(server, failure, reply, quick):
    server.publish(URL, reply("busy", status=503))
    slower = replace(quick, attempts=4, wait_initial=0.1, wait_max=10)
    failure(limits=slower)
    at = [asked.at for asked in server.asked[1:]]
    waits = [later - earlier for earlier, later in pairwise(at)]
    assert all(wait >= least for wait, least in zip(waits, (0.1, 0.2, 0.4), strict=True))
    assert len({round(wait - least, 4) for wait, least in zip(waits, (0.1, 0.2, 0.4), strict=True)}) > 1


@pytest.mark.parametrize("kind", ["seconds", "date", "date by the server's clock"])
def test_retry_after_is_honoured(server, fetcher, reply, kind):
    def busy_once(asked):
        if len(server.targets) > 1:
            return CSV
        now = datetime.now(UTC) + timedelta(hours=kind.endswith("clock"))
        said = {"Retry-After": "1"}
        if kind.startswith("date"):
            # Whole seconds: what is left of two is more than one.
            said = {"Retry-After": format_datetime(now + timedelta(seconds=2), usegmt=True)}
        if kind.endswith("clock"):
            said["Date"] = format_datetime(now + timedelta(seconds=1), usegmt=True)
        return reply("busy", status=429, headers=said)

    server.routes[f"/{HOST}/figures.csv"] = busy_once
    assert answer(fetcher()).status == 200
    first, second = (asked.at for asked in server.asked[1:])
    assert 0.5 <= second - first < 60


@pytest.mark.parametrize("kind", ["seconds", "date", "absurd"])
def test_a_retry_after_beyond_the_longest_wait_says_when_to_come_back(server, failure, fetcher, reply, kind):
    until = {"seconds": "3600", "date": format_datetime(NOW + timedelta(hours=1), usegmt=True), "absurd": "9" * 50}[
        kind
    ]
    server.publish(URL, reply("busy", status=503, headers={"Retry-After": until}))
    failed = failure(client=fetcher(now=lambda: NOW))
    assert len(server.targets) == 1
    if kind != "absurd":
        assert failed.retry_after == 3600
        assert "until 2026-03-04 06:06:07 UTC; come back then" in str(failed)


def test_a_retry_after_that_cannot_be_read_is_as_none(server, fetcher, reply):
    server.publish(URL, *(reply("busy", status=503, headers={"Retry-After": said}) for said in ("soon", "-5")), CSV)
    assert answer(fetcher()).status == 200


@pytest.mark.parametrize("stage", ["before the answer", "in the body"])
def test_a_silent_server_is_a_timeout(server, failure, reply, quick, stage):
    hung = reply(CSV, delay=5) if stage == "before the answer" else reply(CSV, cut=10, hang=5)
    server.publish(URL, hung)
    failed = failure(limits=replace(quick, read_seconds=0.2, attempts=2))
    assert (failed.reason, failed.attempts, len(server.targets)) == ("timeout", 2, 2)
    assert "nothing came for 0.2 s" in str(failed)


def test_a_server_that_wakes_up_is_heard(server, fetcher, reply, quick):
    server.publish(URL, reply(CSV, delay=5), reply(CSV, cut=10, hang=5), CSV)
    assert answer(fetcher(limits=replace(quick, read_seconds=0.2))).status == 200


def test_no_connection_in_time_is_a_timeout(deaf_port, fetcher, failure, mirror, quick):
    settings = mirror(mirror=f"http://127.0.0.1:{deaf_port}")
    begun = time.monotonic()
    failed = failure(client=fetcher(replace(quick, connect_seconds=0.2, attempts=2), settings=settings))
    assert (failed.reason, "no connection within 0.2 s" in str(failed)) == ("timeout", True)
    assert time.monotonic() - begun < 10


def test_a_refused_connection_is_named(fetcher, failure, mirror):
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    failed = failure(client=fetcher(settings=mirror(mirror=f"http://127.0.0.1:{port}")))
    assert failed.reason == "connection"
    assert "(3 attempts)" in str(failed)


CUT = {
    "Content-Length beyond the body": {"length": 1000},
    "closed in the middle": {"cut": 10},
    "broken off in the middle": {"cut": 10, "reset": True},
    "chunks cut off": {"chunked": True, "cut": 12},
    "no last chunk": {"chunked": True, "cut": 29},
}


@pytest.mark.parametrize("fault", CUT)
def test_a_body_cut_short_is_tried_again_and_never_returned(server, fetcher, failure, reply, fault):
    server.publish(URL, reply(CSV, **CUT[fault]))
    failed = failure()
    assert (failed.reason, len(server.targets)) == ("truncated", 3)
    server.publish(URL, reply(CSV, **CUT[fault]), CSV)
    assert answer(fetcher()).payload == CSV.encode()


def test_garbage_in_place_of_chunks_is_no_body(server, failure, reply):
    raw = b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nyear\r\n0\r\n\r\n"
    server.publish(URL, reply(raw=raw))
    assert failure().reason == "truncated"


@pytest.mark.parametrize("size", [3, 100_000])
def test_more_than_the_length_announced_is_an_error(server, failure, reply, size):
    server.publish(URL, reply(CSV + "2003,3\n" * size, length=len(CSV)))
    failed = failure()
    assert (failed.reason, len(server.targets)) == ("length", 3)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: three\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5_000 + b"\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 300_000,
    ],
)
def test_what_is_no_http_answer_is_a_broken_connection(server, failure, reply, raw):
    server.publish(URL, reply(raw=raw))
    assert failure().reason == "connection"


def test_a_body_without_a_length_ends_with_the_connection(server, fetcher, reply):
    server.publish(URL, reply(CSV, length=None))
    assert answer(fetcher()).payload == CSV.encode()


def test_the_total_time_stops_a_server_that_drips(server, failure, reply, quick):
    """Each byte comes in time for the read limit; the header drips too."""
    for slow in (reply(CSV * 100, drip=(1, 0.05)), reply(raw=b"HTTP/1.1 200 OK\r\nX: " + b"y" * 900, drip=(1, 0.05))):
        server.publish(URL, slow)
        begun, asked = time.monotonic(), len(server.targets)
        failed = failure(limits=replace(quick, total_seconds=0.5))
        assert (failed.reason, "not done within 0.5 s in all" in str(failed)) == ("timeout", True)
        assert time.monotonic() - begun < 10
        assert len(server.targets) == asked + 1, "a slow server is not asked again"


def test_no_attempt_begins_after_the_total_time(server, failure, reply, quick):
    server.publish(URL, reply("busy", status=503))
    begun = time.monotonic()
    failed = failure(limits=replace(quick, total_seconds=0.4, attempts=20, wait_initial=0.1))
    assert failed.reason in ("status", "timeout")
    assert time.monotonic() - begun < 10
    assert len(server.targets) < 8


def test_an_interrupt_passes_through_at_once(server, fetcher, reply):
    server.publish(URL, reply(CSV * 10_000))

    def interrupted(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        answer(fetcher(progress=interrupted))
    assert len(server.targets) == 1
    assert answer(fetcher()).status == 200


WAITING = """
import sys
from longwave.pipelines.fetch import Fetcher
from longwave.pipelines.settings import Settings
try:
    with Fetcher(Settings()) as fetcher:
        fetcher.get(sys.argv[1], hosts=["data.example.org"], form="csv")
except KeyboardInterrupt:
    print("interrupted")
"""


def test_control_c_ends_a_wait_for_an_answer(server, reply, clean_environment, root):
    server.publish(URL, reply(CSV, delay=60))
    environment = clean_environment(LONGWAVE_MIRROR=server.url)
    process = subprocess.Popen(
        [sys.executable, "-c", WAITING, URL], env=environment, cwd=root, stdout=subprocess.PIPE, text=True
    )
    try:
        for _ in range(600):
            if server.targets:
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=20)[0] == "interrupted\n"
    finally:
        process.kill()
        process.wait()


def test_progress_is_told_while_a_body_arrives(server, fetcher, reply):
    server.publish(URL, reply(CSV * 20_000))
    told = []
    answer(fetcher(progress=lambda *said: told.append(said)))
    assert told[-1] == (URL, len(CSV) * 20_000, len(CSV) * 20_000)
    assert len(told) > 2
    assert told == sorted(told)


def test_nothing_is_printed_about_another_attempt(server, fetcher, reply, capfd, caplog):
    server.publish(URL, reply("busy", status=503), CSV)
    with caplog.at_level("INFO"):
        answer(fetcher())
    assert capfd.readouterr() == ("", "")
    assert f"{URL}: the server answered 503 Whatever; try again later; again in 0." in caplog.text
    assert stamina.is_active()


# Size


def test_a_body_beyond_the_cap_is_refused_by_what_it_announces(server, failure, reply):
    server.publish(URL, reply(CSV * 100, cut=0, hang=60))
    begun = time.monotonic()
    failed = failure(max_body=1000)
    assert (failed.reason, len(server.targets)) == ("too large", 1)
    assert "2,500 bytes, and 1,000 are allowed" in str(failed)
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize("chunked", [True, False])
def test_a_body_without_an_end_is_read_to_the_cap(server, failure, reply, chunked):
    line = b"2001,1\r\n" * 1000
    more = reply(headers={"Transfer-Encoding": "chunked"}, length=None, endless=b"%x\r\n%s\r\n" % (len(line), line))
    server.publish(URL, more if chunked else reply(length=None, endless=line))
    tracemalloc.start()
    failed = failure(max_body=100_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (failed.reason, len(server.targets)) == ("too large", 1)
    assert "100,000 bytes allowed" in str(failed)
    assert peak < 4_000_000


def test_a_body_at_the_cap_is_taken(server, fetcher, reply):
    server.publish(URL, reply(CSV))
    assert answer(fetcher(), max_body=len(CSV)).payload == CSV.encode()


def test_a_gzip_bomb_is_an_error_and_costs_no_memory(server, failure, reply, quick):
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    bomb = b"".join([*(packer.compress(bytes(1 << 20)) for _ in range(300)), packer.flush()])
    assert len(bomb) < 400_000
    server.publish(URL, reply(bomb, headers={"Content-Encoding": "gzip"}))
    tracemalloc.start()
    failed = failure(limits=replace(quick, max_payload=Limits().max_payload))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (failed.reason, len(server.targets)) == ("too large", 1)
    assert "unpacks to more than the 268,435,456 bytes allowed" in str(failed)
    assert peak < 16_000_000


def test_what_unpacks_to_the_cap_is_taken(server, fetcher, reply, quick):
    server.publish(URL, reply(CSV, gzip=True))
    assert answer(fetcher(limits=replace(quick, max_payload=len(CSV)))).payload == CSV.encode()
    with pytest.raises(FetchFailed, match="unpacks to more"):
        answer(fetcher(limits=replace(quick, max_payload=len(CSV) - 1)))


# Redirects


def test_every_hop_is_an_exchange(server, fetcher, reply):
    other = "files.example.org"
    server.publish(URL, reply("moved", status=301, headers={"Location": "/b?c=1#top"}))
    server.publish(f"https://{HOST}/b?c=1", reply(status=302, headers={"Location": f"https://{other.upper()}/d.csv"}))
    server.publish(f"https://{other}/d.csv", CSV)
    hops = fetcher().get(URL, hosts=[HOST, other], form="csv")
    assert [(hop.url, hop.status) for hop in hops] == [
        (URL, 301),
        (f"https://{HOST}/b?c=1", 302),
        (f"https://{other}/d.csv", 200),
    ]
    assert (hops[0].body, hops[-1].payload) == (b"moved", CSV.encode())


FORBIDDEN = {
    "another host": ("https://elsewhere.example.net/figures.csv", "none of the hosts declared"),
    "another host by its beginning": (f"https://{HOST}.example.net/", "none of the hosts declared"),
    "another host without a scheme": ("//elsewhere.example.net/figures.csv", "none of the hosts declared"),
    "a file": ("file:///etc/passwd", "its scheme is file"),
    "no encryption": (f"http://{HOST}/figures.csv", "its scheme is http"),
    "a private address": ("https://10.0.0.1/", "none of the hosts declared"),
    "the metadata service of a cloud": ("http://169.254.169.254/latest/", "its scheme is http"),
    "credentials": (f"https://user:word@{HOST}/", "credentials"),
    "a port": (f"https://{HOST}:8443/", "port 8443"),
    "the mirror's other folders": (f"https://{HOST}/../elsewhere.example.net/", "dot segments"),
    "the same in disguise": (f"https://{HOST}/%2e%2E/elsewhere.example.net/", "dot segments"),
    "a backslash": (f"https://{HOST}\\@elsewhere.example.net/", "backslash"),
    "an unreadable address": ("https://[::1/", "cannot be read"),
}


@pytest.mark.parametrize("kind", FORBIDDEN)
def test_a_redirect_that_must_not_be_followed(server, failure, reply, kind):
    location, why = FORBIDDEN[kind]
    server.publish(URL, reply(status=302, headers={"Location": location}))
    failed = failure()
    assert (failed.reason, failed.url, len(server.targets)) == ("redirect", URL, 1)
    assert why in str(failed)
    assert len(server.asked) == 2, "nothing but the first host's robots.txt was asked beside"


def test_redirects_in_a_circle(server, failure, reply):
    server.publish(URL, reply(status=302, headers={"Location": "/b"}))
    server.publish(f"https://{HOST}/b", reply(status=302, headers={"Location": URL}))
    failed = failure()
    assert (failed.reason, len(server.targets)) == ("redirect", 2)
    assert "in a circle" in str(failed)


def test_too_many_redirects(server, failure, fetcher, reply):
    def onward(asked):
        number = int(asked.target.rpartition("/")[2])
        return reply(status=302, headers={"Location": f"/{number - 1}"}) if number else CSV

    server.routes |= {f"/{HOST}/{number}": onward for number in range(8)}
    failed = failure(f"https://{HOST}/6")
    assert (failed.reason, len(server.targets)) == ("redirect", 6)
    assert "more than 5 redirects" in str(failed)
    assert len(fetcher().get(f"https://{HOST}/5", hosts=[HOST], form="csv")) == 6


def test_a_redirect_to_nowhere(server, failure, reply):
    server.publish(URL, reply(status=302))
    assert "says not where to" in str(failure())


def test_validators_are_told_to_the_address_asked_alone(server, fetcher, reply):
    """Elsewhere a 304 would say that something else has not changed."""
    server.publish(URL, reply(status=302, headers={"Location": "/b"}))
    server.publish(f"https://{HOST}/b", reply(CSV, etag='"v1"'))
    assert [hop.status for hop in fetcher().get(URL, hosts=[HOST], form="csv", etag='"v1"')] == [302, 200]
    assert ["if-none-match" in asked.headers for asked in server.asked if not asked.target.endswith("robots.txt")] == [
        True,
        False,
    ]


# Bot challenges that come as errors


@pytest.mark.parametrize("status", [403, 503])
def test_a_bot_challenge_is_named_and_not_asked_again(server, failure, reply, status):
    page = "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body></body></html>"
    server.publish(URL, reply(page, status=status, type="text/html", gzip=True))
    failed = failure()
    assert (failed.reason, failed.status, len(server.targets)) == ("challenge", status, 1)
    assert "Cloudflare" in str(failed)


def test_an_error_whose_page_breaks_off_is_told_by_its_status(server, failure, reply):
    server.publish(URL, reply("<html>", status=403, type="text/html", length=500))
    assert (failure().reason, failure().status) == ("status", 403)
