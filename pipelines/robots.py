"""What a host's robots.txt allows this program, and how slowly (RFC 9309).

Belongs here: reading the file and what its absence means. Does not belong here: asking for it (`longwave.pipelines.fetch`).
"""

from __future__ import annotations

from protego import Protego

PRODUCT = "longwave"
"""The product token that robots.txt may speak of."""

_LONGEST_DELAY = 30.0
# RFC 9309, 2.5: at least 500 kibibytes must be read, and nobody needs more.
_READ = 512_000


def absent(status: int | None) -> bool:
    """Whether a status of robots.txt means that there is none, which allows everything.

    429 is among the 4xx, but asks to be left in peace.
    """
    return status is not None and 400 <= status < 500 and status != 429


class Rules:
    """The rules of one host; without a line, all is allowed."""

    def __init__(self, robots: bytes) -> None:
        self._rules = Protego.parse(robots[:_READ].decode("utf-8-sig", "replace"))

    def allow(self, url: str) -> bool:
        """Whether an address may be asked."""
        return self._rules.can_fetch(url, PRODUCT)

    @property
    def crawl_delay(self) -> float:
        """Seconds between two requests that the host asks for, at most 30; 0 where it says nothing usable."""
        said = self._rules.crawl_delay(PRODUCT)
        # Not a number compares as false, and so counts as nothing said.
        return min(said, _LONGEST_DELAY) if said is not None and said > 0 else 0.0
