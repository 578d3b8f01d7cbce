"""Where requests may go: addresses that are refused, names that stand for private addresses, certificates, the mirror."""

import socket
import ssl
import threading
import time
from contextlib import closing, contextmanager
from ipaddress import ip_address
from pathlib import Path

import httpcore
import httpx
import pytest
from longwave.pipelines.addresses import (
    Address,
    ForbiddenAddress,
    Mirror,
    is_loopback,
    is_public,
    is_unicast,
    parse_address,
    redirect_target,
    require_declared,
)
from longwave.pipelines.fetch import Fetcher
from longwave.pipelines.limits import Limits
from longwave.pipelines.settings import Settings
from longwave.pipelines.transport import Deadline, GuardedBackend, GuardedTransport, Overdue, RefusedPeer, UnknownHost
from pydantic import ValidationError

HOST = "data.example.org"
URL = f"https://{HOST}/figures.csv"
CSV = "year,value\n2001,1\n2002,2\n"


def answer(client, url=URL):
    (exchange,) = client.get(url, hosts=[HOST], form="csv")
    return exchange


@pytest.mark.parametrize(
    ("url", "hosts", "why"),
    [
        (f"http://{HOST}/", [HOST], "its scheme is http"),
        ("file:///etc/passwd", [HOST], "its scheme is file"),
        (f"https://ada:word@{HOST}/", [HOST], "credentials"),
        (f"https://{HOST}:444/", [HOST], "port 444"),
        (URL, ["example.org"], "none of the hosts declared"),
        (URL, [], "none of the hosts declared"),
        ("https:///figures.csv", [HOST], "no host"),
    ],
)
def test_an_address_that_must_not_be_asked(server, failure, url, hosts, why):
    failed = failure(url, hosts)
    assert failed.reason == "address"
    assert why in str(failed)
    assert server.asked == []


PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "::1",
    "::ffff:127.0.0.1",
    "fd00::1",
]


@pytest.mark.parametrize("found", [[each] for each in PRIVATE] + [["93.184.215.14", "10.0.0.1"]])
def test_a_name_that_stands_for_a_private_address_is_not_asked(fetcher, failure, mirror, found):
    looked_up = []

    def resolve(host, port):
        looked_up.append((host, port))
        return found

    failed = failure(client=fetcher(settings=mirror(mirror=""), resolve=resolve))
    assert failed.reason == "address"
    assert f"{HOST} stands for {found[-1]}, which must not be connected to" in str(failed)
    assert looked_up == [(HOST, 443)]


def test_localhost_is_not_asked_without_a_mirror(fetcher, failure, mirror):
    failed = failure("https://localhost/", ["localhost"], client=fetcher(settings=mirror(mirror="")))
    assert failed.reason == "address"


def connect(allows, resolve, port, deadline=None):
    return GuardedBackend(allows, resolve, deadline or Deadline(time.monotonic)).connect_tcp("some.host", port, 2.0)


def test_the_address_checked_is_the_address_connected_to(server):
    """A name that changes its address between two look-ups gains nothing: there is one look-up."""
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])
    stream = connect(is_loopback, lambda *_: next(answers), server.port)
    assert stream.get_extra_info("server_addr") == ("127.0.0.1", server.port)
    stream.close()
    assert next(answers) == ["10.0.0.1"], "the second was never asked for"


def test_nothing_is_sent_to_an_address_that_is_refused(server):
    with pytest.raises(RefusedPeer):
        connect(is_public, lambda *_: ["127.0.0.1"], server.port)
    time.sleep(0.1)
    assert server.connections == 0


def test_the_next_address_is_tried_where_one_does_not_answer(server):
    with closing(connect(is_loopback, lambda *_: ["127.0.0.2", "127.0.0.1"], server.port)) as stream:
        assert stream.peer == "127.0.0.1"


def test_a_look_up_that_hangs_is_a_timeout():
    released = threading.Event()
    backend = GuardedBackend(is_loopback, lambda *_: released.wait(60) and [], Deadline(time.monotonic))
    begun = time.monotonic()
    with pytest.raises(httpcore.ConnectTimeout, match="not resolved in time"):
        backend.connect_tcp("some.host", 443, 0.1)
    assert time.monotonic() - begun < 20
    released.set()


def test_the_time_in_all_ends_a_connection_attempt(deaf_port):
    deadline = Deadline(time.monotonic)
    deadline.at = time.monotonic() + 0.1
    with pytest.raises(Overdue):
        connect(is_loopback, lambda *_: ["127.0.0.1"], deaf_port, deadline)
    with pytest.raises(Overdue):
        connect(is_loopback, lambda *_: ["127.0.0.1"], 9, deadline)


@pytest.mark.parametrize(("passing", "attempts"), [(True, 3), (False, 1)])
def test_a_name_without_an_address(fetcher, failure, mirror, passing, attempts):
    asked = []

    def resolve(host, port):
        asked.append(host)
        raise UnknownHost(f"{host} has no address", passing)

    failed = failure(client=fetcher(settings=mirror(mirror=""), resolve=resolve))
    assert (failed.reason, len(asked)) == ("dns", attempts)
    assert "whether this machine is online" in str(failed)


def test_a_name_that_nobody_has(fetcher, failure, mirror):
    """`.invalid` is reserved for names that resolve nowhere (RFC 2606)."""
    failed = failure("https://nobody.invalid/", ["nobody.invalid"], client=fetcher(settings=mirror(mirror="")))
    assert failed.reason == "dns"


PEM = Path(__file__).with_name("untrusted.pem")


@contextmanager
def encrypted():
    """A TLS server with a certificate that no authority signed; says what it was asked."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)
    heard = []
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def serve():
            while True:
                try:
                    plain, _ = listening.accept()
                except OSError:
                    return
                try:
                    with closing(context.wrap_socket(plain, server_side=True)) as connection:
                        heard.append(connection.recv(65536))
                        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")
                except OSError:
                    plain.close()

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1], heard


def test_a_certificate_that_proves_nothing_is_refused(fetcher, failure, mirror, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(PEM))
    with encrypted() as (port, heard):
        failed = failure(client=fetcher(settings=mirror(mirror=f"https://127.0.0.1:{port}")))
    assert failed.reason == "certificate"
    assert "self-signed certificate" in str(failed)
    assert heard == []


def test_a_certificate_is_held_against_the_name_asked():
    context = ssl.create_default_context(cafile=PEM)
    transport = GuardedTransport(is_loopback, ssl_context=context)
    with encrypted() as (port, heard), httpx.Client(transport=transport, trust_env=False) as client:
        assert client.get(f"https://127.0.0.1:{port}/a").text == "abc"
        with pytest.raises(httpcore.ConnectError, match="certificate is not valid for 'localhost'"):
            client.get(f"https://localhost:{port}/a")
    assert len(heard) == 1


# The mirror


def test_everything_goes_to_the_mirror_under_its_own_hosts_name(server, fetcher, mirror):
    url = f"https://{HOST}/web/2012id_/http://www.example.com/a//b?x=1&y=[2]|3"
    server.publish(f"https://institution/{HOST}/web/2012id_/http://www.example.com/a//b?x=1&y=[2]|3", CSV)
    got = answer(fetcher(settings=mirror(mirror=f"{server.url}/institution/")), url)
    assert (got.url, got.via, got.payload) == (url, "mirror", CSV.encode())
    assert [asked.target for asked in server.asked] == [
        f"/institution/{HOST}/robots.txt",
        f"/institution/{HOST}/web/2012id_/http://www.example.com/a//b?x=1&y=[2]|3",
    ]


def test_a_mirror_on_this_machine_is_asked_only_here(fetcher, failure, mirror):
    settings = mirror(mirror="http://localhost:8080")
    failed = failure(client=fetcher(settings=settings, resolve=lambda *_: ["93.184.215.14"]))
    assert failed.reason == "address"


def test_a_named_mirror_may_be_in_a_private_network(server, fetcher, failure, mirror):
    server.publish(URL, CSV)
    settings = mirror(mirror=f"http://cache.example.edu:{server.port}", mirror_hosts="cache.example.edu")
    assert answer(fetcher(settings=settings, resolve=lambda *_: ["127.0.0.1"])).status == 200
    failed = failure(client=fetcher(settings=settings, resolve=lambda *_: ["169.254.169.254"]))
    assert failed.reason == "address"


# Addresses as text


@pytest.mark.parametrize(
    ("url", "host", "target"),
    [
        ("https://Data.Example.ORG./a?b=c#d", "data.example.org", "/a?b=c"),
        ("https://data.example.org", "data.example.org", "/"),
        ("https://data.example.org:443/?", "data.example.org", "/"),
        ("https://bücher.example/é ?q=ü%20%zz", "xn--bcher-kva.example", "/%C3%A9%20?q=%C3%BC%20%25zz"),
        ("https://faß.example/", "xn--fa-hia.example", "/"),
        ("https://data.example.org/{day}/`a`?b={c}|d", "data.example.org", "/%7Bday%7D/%60a%60?b={c}|d"),
        ("https://[2606:2800:21F::1]/a", "[2606:2800:21f::1]", "/a"),
        ("https://web.archive.org/web/2012id_/http://a.b/c?d", "web.archive.org", "/web/2012id_/http://a.b/c?d"),
    ],
)
def test_what_is_checked_is_what_is_sent(url, host, target):
    address = parse_address(url)
    assert address == Address(host, target)
    assert str(httpx.URL(address.url)) == address.url, "the client sends it as it stands"
    assert parse_address(address.url) == address


@pytest.mark.parametrize(
    "url",
    [
        "",
        "figures.csv",
        "//data.example.org/",
        "ftp://data.example.org/",
        "javascript:alert(1)",
        "https://",
        "https://data.example.org:0/",
        "https://data.example.org:99999/",
        "https://data.example.org:80/",
        "https://@data.example.org/",
        "https://data.example.org\t.example.net/",
        "https://data.example.org/a\r\nHost: elsewhere",
        "https://data.example.org\\.example.net/",
        "https://data example.org/",
        "https://data..example.org/",
        "https://-.example.org/",
        "https://data.example.org%2eexample.net/",
        "https://" + "a" * 64 + ".org/",
        "https://" + "a." * 130 + "org/",
        "https://data.example.org/a/./b",
        "https://data.example.org/.%2E",
        "https://data.example.org/" + "a" * 20_000,
    ],
)
def test_what_is_no_address_to_ask(url):
    with pytest.raises(ForbiddenAddress):
        parse_address(url)


def test_hosts_are_compared_whole():
    address = parse_address("https://data.example.org/")
    require_declared(address, ["Data.Example.Org."])
    for hosts in (["example.org"], ["data.example.org.net"], ["*.example.org"], ["a.data.example.org"]):
        with pytest.raises(ForbiddenAddress):
            require_declared(address, hosts)


def test_a_redirect_is_read_from_where_it_stands():
    base = parse_address("https://data.example.org/a/b?c")
    assert redirect_target(base, "../d").url == "https://data.example.org/d"
    assert redirect_target(base, "?e").url == "https://data.example.org/a/b?e"
    assert redirect_target(base, " /f ").url == "https://data.example.org/f"
    with pytest.raises(ForbiddenAddress):
        redirect_target(base, "file:///etc/passwd")


NOT_PUBLIC = [
    *("0.0.0.0", "10.0.0.1", "100.64.0.1", "127.8.9.1", "169.254.169.254", "172.16.0.1", "192.0.2.1", "192.168.0.1"),
    *("198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::127.0.0.1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "fe80::1", "fc00::1", "fd12::1", "ff02::1"),
    # 6to4 and NAT64 of 127.0.0.1, 10.0.0.1 and 169.254.169.254; NAT64 of a network's own; Teredo; documentation.
    *("2002:7f00:1::", "2002:a00:1::", "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::808:808"),
    *("2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "fec0::1"),
]
PUBLIC = ["93.184.215.14", "8.8.8.8", "::ffff:8.8.8.8", "2606:2800:21f::1", "64:ff9b::808:808", "2002:808:808::1"]


def test_public_addresses_are_told_from_all_others():
    assert [text for text in NOT_PUBLIC if is_public(ip_address(text))] == []
    assert [text for text in PUBLIC if not is_public(ip_address(text))] == []


def test_a_mirror_named_by_hand_may_be_private_but_not_link_local():
    assert all(is_unicast(ip_address(text)) for text in ["10.0.0.1", "fd12::1", "127.0.0.1", "::1", "8.8.8.8"])
    refused = [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "fe80::1",
        "224.0.0.1",
        "ff02::1",
        "0.0.0.0",
        "::",
        "240.0.0.1",
    ]
    assert [text for text in refused if is_unicast(ip_address(text))] == []


# Settings


def test_the_settings_come_from_the_environment(monkeypatch):
    for name, value in {
        "CONTACT": "https://example.org/about",
        "MIRROR_HOSTS": " Cache.example.edu, ,bücher.example",
        "MIRROR": "https://cache.example.edu/longwave",
        "HOST_INTERVAL": "0",
        "ATTEMPTS": "2",
        "CONNECT_SECONDS": "1.5",
        "READ_SECONDS": "2.5",
        "TOTAL_SECONDS": "3.5",
    }.items():
        monkeypatch.setenv(f"LONGWAVE_{name}", value)
    settings = Settings()
    assert settings.mirror_hosts == ("cache.example.edu", "xn--bcher-kva.example")
    assert settings.contact == "https://example.org/about"
    assert Limits.of(settings) == Limits(1.5, 2.5, 3.5, 2, 0.0)


def test_without_a_word_the_limits_are_those_declared(monkeypatch):
    monkeypatch.delenv("LONGWAVE_MIRROR", raising=False)
    assert Limits.of(Settings()) == Limits()


@pytest.mark.parametrize(
    "mirror",
    [
        "http://127.0.0.1:8080",
        "http://127.9.9.9",
        "http://localhost:8080/",
        "http://[::1]:8080/a/b",
        "https://cache.example.edu",
    ],
)
def test_a_mirror_that_may_be_one(mirror):
    assert Settings(mirror=mirror, mirror_hosts="cache.example.edu").mirror == mirror


def test_a_mirrors_base_is_what_the_client_sends():
    address = parse_address(URL)
    for mirror, base in {
        "http://127.0.0.1:80/": "http://127.0.0.1",
        "https://localhost:443/a/": "https://localhost/a",
        "http://[::1]:8080": "http://[::1]:8080",
    }.items():
        asked = Mirror.parse(mirror, ()).url(address)
        assert asked == f"{base}/{HOST}/figures.csv"
        assert str(httpx.URL(asked)) == asked


WRONG = {
    "mirror": [
        "http://example.org",
        "http://10.0.0.1:8080",
        "http://127.0.0.1.example.org",
        "http://2130706433/",
        "ftp://127.0.0.1",
        "127.0.0.1:8080",
        "http://ada:word@127.0.0.1",
        "http://127.0.0.1/?a=b",
        "http://127.0.0.1/#a",
        "http://127.0.0.1/../a",
        "http://127.0.0.1:port",
        "http://",
    ],
    "mirror_hosts": ["cache example", "http://cache.example.edu", "*"],
    "contact": ["ada", "ada@", "ada@example.org\r\nX: y", "https://", "a b@example.org", "ada@example.org)", "é@é.org"],
    "host_interval": ["-1", "nan", "inf", "often"],
    "attempts": ["0", "-3", "1000", "1.5"],
    "connect_seconds": ["0", "-1", "nan", "inf"],
    "read_seconds": ["0"],
    "total_seconds": ["0", "1e9"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_wrong_setting_is_wrong_usage(name, value, longwave, monkeypatch):
    monkeypatch.setenv(f"LONGWAVE_{name.upper()}", value)
    with pytest.raises(ValidationError) as caught:
        Settings()
    # The command line takes the setting's name from here.
    assert caught.value.errors()[0]["loc"][0] == name


def test_the_command_line_names_the_wrong_setting(longwave, tmp_path):
    done = longwave(["verify"], tmp_path, LONGWAVE_MIRROR="http://example.org")
    assert done.returncode == 2
    assert "LONGWAVE_MIRROR is 'http://example.org'" in done.stderr
    assert "example.org is not this machine; name it in LONGWAVE_MIRROR_HOSTS if you trust it" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_fetcher_trusts_no_settings_object_either():
    settings = Settings().model_copy(update={"mirror": "http://example.org"})
    with pytest.raises(ForbiddenAddress):
        Fetcher(settings)
