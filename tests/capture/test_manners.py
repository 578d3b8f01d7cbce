"""Manners of the fetcher: robots.txt is obeyed, and a host is left alone between requests."""

import time
from dataclasses import replace
from itertools import pairwise

import pytest
from longwave.pipelines.fetch import FetchFailed
from one_file import CSV, HOST, URL, answer


def test_robots_txt_is_asked_once_and_obeyed(server, fetcher, failure):
    server.publish(
        f"https://{HOST}/robots.txt", "User-agent: longwave\nDisallow: /private/\n\nUser-agent: *\nDisallow: /\n"
    )
    server.publish(URL, CSV)
    client = fetcher()
    answer(client), answer(client)
    with pytest.raises(FetchFailed, match=f"robots.txt of {HOST} forbids it to longwave") as caught:
        answer(client, f"https://{HOST}/private/a.csv")
    assert caught.value.reason == "robots"
    assert [asked.target for asked in server.asked] == [f"/{HOST}/robots.txt", *[f"/{HOST}/figures.csv"] * 2]


def test_the_cap_of_a_source_is_not_that_of_its_hosts_robots_txt(server, fetcher):
    server.publish(f"https://{HOST}/robots.txt", "# a long preface\n" * 50)
    server.publish(URL, CSV)
    assert answer(fetcher(), max_body=len(CSV)).payload == CSV.encode()


def test_a_redirect_is_held_to_robots_txt_too(server, failure, reply):
    other = "files.example.org"
    server.publish(URL, reply(status=302, headers={"Location": f"https://{other}/d.csv"}))
    server.publish(f"https://{other}/robots.txt", "User-agent: *\nDisallow: /\n")
    server.publish(f"https://{other}/d.csv", CSV)
    assert failure(hosts=[HOST, other]).reason == "robots"
    assert server.targets == [f"/{HOST}/figures.csv"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_robots_txt_that_is_not_there_allows(server, fetcher, reply, status):
    server.publish(f"https://{HOST}/robots.txt", reply("User-agent: *\nDisallow: /", status=status))
    server.publish(URL, CSV)
    assert answer(fetcher()).status == 200


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"status": 503}, "robots"),
        ({"status": 429}, "robots"),
        ({"cut": 3}, "robots"),
        ({"status": 302, "headers": {"Location": "https://elsewhere.example.net/robots.txt"}}, "robots"),
        ({"raw": b""}, "connection"),
        ({"body": b"\0" * 3000}, "robots"),
    ],
)
def test_a_robots_txt_that_cannot_be_had_forbids(server, failure, reply, quick, fault, reason):
    server.publish(f"https://{HOST}/robots.txt", reply(**{"body": "User-agent: *\nAllow: /"} | fault))
    server.publish(URL, CSV)
    failed = failure(limits=replace(quick, max_body=2000))
    assert failed.reason == reason
    assert "its host's robots.txt could not be had: " in str(failed)
    assert server.targets == []


def test_a_robots_txt_that_moved_within_the_hosts_counts(server, failure, reply):
    server.publish(f"https://{HOST}/robots.txt", reply(status=301, headers={"Location": "/rules/robots.txt"}))
    server.publish(f"https://{HOST}/rules/robots.txt", reply("\ufeffUser-agent: *\nDisallow: /", gzip=True))
    server.publish(URL, CSV)
    assert failure().reason == "robots"


class Clock:
    """A clock that only waiting moves."""

    def __init__(self):
        self.time, self.waits = 1000.0, []

    def __call__(self):
        return self.time

    def sleep(self, seconds):
        self.waits.append(round(seconds, 6))
        self.time += seconds


@pytest.mark.parametrize(
    ("rules", "interval", "waits"),
    [
        ("", 0.0, []),
        ("", 1.5, [1.5, 1.5]),
        ("User-agent: *\nCrawl-delay: 4", 1.5, [4, 4]),
        ("User-agent: *\nCrawl-delay: 4", 0.0, [4, 4]),
        ("User-agent: *\nCrawl-delay: 0.5", 1.5, [1.5, 1.5]),
        ("User-agent: *\nCrawl-delay: 86400", 1.5, [30, 30]),
        ("User-agent: *\nCrawl-delay: inf", 1.5, [1.5, 1.5]),
        ("User-agent: *\nCrawl-delay: nan", 1.5, [1.5, 1.5]),
        ("User-agent: *\nCrawl-delay: -9", 1.5, [1.5, 1.5]),
    ],
)
def test_a_host_is_left_alone_between_requests(server, fetcher, quick, rules, interval, waits):
    """robots.txt is the first request, so two addresses are three requests and two pauses."""
    clock = Clock()
    server.publish(f"https://{HOST}/robots.txt", rules)
    server.publish(URL, CSV)
    limits = replace(quick, host_interval=interval, total_seconds=300)
    client = fetcher(limits=limits, clock=clock, sleep=clock.sleep)
    answer(client), answer(client)
    assert clock.waits == waits


def test_another_host_need_not_wait_and_another_attempt_must(server, fetcher, quick, reply):
    clock, other = Clock(), "https://files.example.org/d.csv"
    server.publish(URL, reply("busy", status=503), CSV)
    server.publish(other, CSV)
    client = fetcher(limits=replace(quick, host_interval=2, total_seconds=300), clock=clock, sleep=clock.sleep)
    answer(client)
    assert clock.waits == [2, 2]
    client.get(other, hosts=["files.example.org"], form="csv")
    assert clock.waits == [2, 2, 2], "its own robots.txt and itself"


def test_the_pause_is_real(server, fetcher, quick):
    server.publish(URL, CSV)
    client = fetcher(limits=replace(quick, host_interval=0.3))
    answer(client), answer(client)
    at = [asked.at for asked in server.asked]
    assert all(later - earlier >= 0.29 for earlier, later in pairwise(at))


def test_a_pause_longer_than_the_time_allowed_is_not_begun(server, fetcher, quick):
    server.publish(f"https://{HOST}/robots.txt", "User-agent: *\nCrawl-delay: 30")
    server.publish(URL, CSV)
    begun = time.monotonic()
    with pytest.raises(FetchFailed) as caught:
        answer(fetcher(limits=replace(quick, total_seconds=5)))
    assert caught.value.reason == "timeout"
    assert time.monotonic() - begun < 20
