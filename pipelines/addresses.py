"""Which addresses may be asked: rules for a URL, for the address a host name stands for, and for a mirror in front of all.

Belongs here: pure rules on text and numbers. Does not belong here: anything that opens a connection
(`longwave.pipelines.transport`).

A URL may be asked if it is https, holds no credentials, names no port but 443, has no dot segments (in a mirror they would
lead into another host's folder) and its host is one the source declares. A network address may be connected to if it is
public: not private, loopback, link-local, multicast, reserved or shared, nor an IPv6 form of such an IPv4 address.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, quote, urljoin, urlsplit

import idna

NetworkAddress = IPv4Address | IPv6Address

_CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")
_BARE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_DOT_SEGMENT = re.compile(r"(^|/)(\.|%2e){1,2}(/|$)", re.IGNORECASE)
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
# What the HTTP client leaves as it is, so that the address recorded is the address sent.
_KEPT_IN_QUERY = "%!$&'()*+,/:;=?@[\\]^_`{|}~-."
_KEPT_IN_PATH = "%!$&'()*+,/:;=@[]^_|~-."

_LONGEST = 16_000

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")


class ForbiddenAddress(Exception):
    """A URL or host that must not be asked; the message says why."""


@dataclass(frozen=True)
class Address:
    """A URL that may be asked: host in lower-case ASCII, and path with query as sent."""

    host: str
    target: str

    @property
    def url(self) -> str:
        """The address in one piece."""
        return f"https://{self.host}{self.target}"


def host_name(host: str) -> str:
    """A host as compared and asked: lower case, IDNA, no dot at the end; an IPv6 address in brackets.

    Raises:
        ForbiddenAddress: it is no host name.

    """
    bare = host.strip("[]") if host.startswith("[") else host
    if ":" in bare:
        return _bracketed(bare, host)
    try:
        name = (bare if bare.isascii() else idna.encode(bare, uts46=True).decode("ascii")).lower().removesuffix(".")
    except idna.IDNAError as error:
        raise ForbiddenAddress(f"{host!r} is no host name: {error}") from error
    if len(name) > 253 or not _HOST.fullmatch(name):
        raise ForbiddenAddress(f"{host!r} is no host name")
    return name


def _bracketed(bare: str, host: str) -> str:
    try:
        return f"[{IPv6Address(bare)}]"
    except ValueError as error:
        raise ForbiddenAddress(f"{host!r} is no host name") from error


def parse_address(url: str) -> Address:
    """The address that a URL names, quoted as it will be sent; a fragment is left off.

    Raises:
        ForbiddenAddress: not https, credentials, a port, dot segments, or no URL at all.

    """
    parts = _split(url, ("https",))
    if parts.port not in (None, 443):
        raise ForbiddenAddress(f"port {parts.port} is not asked, only 443")
    path = _BARE_PERCENT.sub("%25", parts.path or "/")
    if _DOT_SEGMENT.search(path):
        raise ForbiddenAddress("its path has dot segments")
    query = _BARE_PERCENT.sub("%25", parts.query)
    target = quote(path, safe=_KEPT_IN_PATH) + (f"?{quote(query, safe=_KEPT_IN_QUERY)}" if query else "")
    return Address(host_name(parts.hostname or ""), target)


def _split(url: str, schemes: Collection[str]) -> SplitResult:
    """Parts of a URL with a host and without credentials, by one of these schemes."""
    url = url.strip(" ")
    if len(url) > _LONGEST:
        raise ForbiddenAddress(f"it is longer than {_LONGEST:,} characters")
    # The standard library drops some of these silently, and another parser would not.
    if _CONTROL.search(url):
        raise ForbiddenAddress("it holds a control character or a backslash")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ForbiddenAddress(f"it cannot be read: {error}") from error
    if parts.scheme not in schemes:
        raise ForbiddenAddress(f"its scheme is {parts.scheme or 'missing'}, not {' or '.join(schemes)}")
    if "@" in parts.netloc:
        raise ForbiddenAddress("it holds credentials")
    if not parts.hostname or port == 0:
        raise ForbiddenAddress("it names no host or no usable port")
    return parts


def redirect_target(base: Address, location: str) -> Address:
    """Where a redirect from an address leads.

    Raises:
        ForbiddenAddress: to something that must not be asked (`file:`, plain http, a port, …).

    """
    try:
        joined = urljoin(base.url, location.strip(" "))
    except ValueError as error:
        raise ForbiddenAddress(f"it cannot be read: {error}") from error
    return parse_address(joined)


def require_declared(address: Address, hosts: Iterable[str]) -> None:
    """Refuse a host that the source does not declare: exact names, whatever their case.

    Raises:
        ForbiddenAddress: it is none of them.

    """
    declared = sorted({host_name(host) for host in hosts})
    if address.host not in declared:
        raise ForbiddenAddress(f"{address.host} is none of the hosts declared ({', '.join(declared) or 'none'})")


def is_public(address: NetworkAddress) -> bool:
    """Whether an address is of the public internet, unicast, whatever form it is written in."""
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast and not address.is_reserved
    within = _embedded(address)
    if within is not None:
        return is_public(within)
    return address in _GLOBAL_UNICAST and address.is_global and not address.is_multicast


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 one leads to: IPv4-mapped, 6to4, NAT64."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def is_loopback(address: NetworkAddress) -> bool:
    """Whether an address is this machine's own."""
    return address.is_loopback


def is_unicast(address: NetworkAddress) -> bool:
    """Whether an address may be a mirror's that was named by hand: public or private, never link-local or for many."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    seen = mapped or address
    special = seen.is_link_local or seen.is_multicast or seen.is_unspecified or seen.is_reserved
    return seen.is_loopback or not special


def require_webhook(url: str) -> bool:
    """Hold the address that alerts are sent to to the rules: https, or http on this machine; says whether it is this machine.

    It is whoever runs this who names it, so it may be private, as an alert manager in a network of one's own is.

    Raises:
        ForbiddenAddress: neither, or no URL at all. What it says does not repeat the address, which may hold a secret.

    """
    parts = _split(url, ("http", "https"))
    host = host_name(parts.hostname or "")
    loopback = host == "localhost" or _is_loopback_literal(host)
    if parts.scheme == "http" and not loopback:
        raise ForbiddenAddress("http in the clear is for this machine alone; give an https address")
    return loopback


@dataclass(frozen=True)
class Mirror:
    """A server asked in place of the publishers: `BASE/<original host>/<path>?<query>`."""

    base: str
    loopback: bool

    @classmethod
    def parse(cls, url: str, named: Collection[str]) -> Mirror:
        """The mirror that a setting names.

        Args:
            url: LONGWAVE_MIRROR, http or https, with or without a path.
            named: LONGWAVE_MIRROR_HOSTS, hosts other than this machine that may be one.

        Raises:
            ForbiddenAddress: neither this machine nor a host named.

        """
        parts = _split(url, ("http", "https"))
        if parts.query or parts.fragment or _DOT_SEGMENT.search(parts.path):
            raise ForbiddenAddress("a mirror is http://HOST:PORT or http://HOST:PORT/PATH")
        host = host_name(parts.hostname or "")
        loopback = host == "localhost" or _is_loopback_literal(host)
        if not loopback and host not in {host_name(name) for name in named}:
            raise ForbiddenAddress(f"{host} is not this machine; name it in LONGWAVE_MIRROR_HOSTS if you trust it")
        usual = {"http": 80, "https": 443}[parts.scheme]
        port = f":{parts.port}" if parts.port not in (None, usual) else ""
        path = quote(parts.path.rstrip("/"), safe=_KEPT_IN_PATH)
        return cls(f"{parts.scheme}://{host}{port}{path}", loopback)

    def url(self, address: Address) -> str:
        """What is asked of the mirror for an original address."""
        return f"{self.base}/{address.host}{address.target}"

    def allows(self, address: NetworkAddress) -> bool:
        """Whether the mirror may be at a network address."""
        return is_loopback(address) if self.loopback else is_unicast(address)


def _is_loopback_literal(host: str) -> bool:
    try:
        return is_loopback(ip_address(host.strip("[]")))
    except ValueError:
        return False
