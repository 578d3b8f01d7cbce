"""Why an address could not be had: the error a person sees, and what an answer says of when to come back.

Belongs here: words and their order. Does not belong here: the requests themselves (`longwave.pipelines.fetch`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from longwave.warehouse.errors import LongwaveError

_REMEDIES: dict[str, str] = {
    "address": "correct the address in the source's module",
    "certificate": "the other end cannot prove who it is; nothing was sent. See whether a browser says the same",
    "challenge": "the publisher turns programs away; fetch it by hand, or ask the publisher for access",
    "connection": "see whether the address opens in a browser, and try again later",
    "dns": "see whether this machine is online and whether the host still exists",
    "encoding": "try again later; if it stays so, the publisher's server is at fault",
    "length": "try again later; if it stays so, the publisher's server is at fault",
    "redirect": "see where the publisher has moved it, and correct the address or the hosts in the source's module",
    "robots": "ask the publisher for leave, or fetch it by hand",
    "status": "see in a browser where the publisher has moved it, and correct the address in the source's module",
    "timeout": "try again later, or allow more with LONGWAVE_READ_SECONDS or LONGWAVE_TOTAL_SECONDS",
    "too large": "see what the address serves; if it is right, raise max_bytes in the source's module",
    "truncated": "try again later",
}
_LONGEST_WAIT = 366 * 86_400.0


class FetchFailed(LongwaveError):
    """An address that gave no complete answer, or may not be asked. Nothing of it is kept.

    `reason` is a short word for summaries; one that is not in the table here comes with its own remedy. `transient` says
    whether it was worth another attempt, `status` is the answer's where there was one, `retry_after` how many seconds the
    server wants to be left alone.
    """

    def __init__(
        self,
        url: str,
        reason: str,
        what: str,
        remedy: str = "",
        *,
        transient: bool = False,
        status: int | None = None,
        retry_after: float | None = None,
        attempts: int = 1,
    ) -> None:
        self.url, self.reason, self.what, self.transient = url, reason, what, transient
        self.status, self.retry_after, self.attempts = status, retry_after, attempts
        self.remedy = remedy or _REMEDIES[reason]
        tried = f" ({attempts} attempts)" if attempts > 1 else ""
        super().__init__(f"{url}: {what}{tried}; {self.remedy}")

    def after(self, attempts: int) -> FetchFailed:
        """The same failure, met at the last of so many attempts."""
        return FetchFailed(
            self.url,
            self.reason,
            self.what,
            self.remedy,
            transient=self.transient,
            status=self.status,
            retry_after=self.retry_after,
            attempts=attempts,
        )


def seconds_to_wait(header: Callable[[str], str | None], now: datetime) -> float | None:
    """What Retry-After asks for, in seconds from now; None where it says nothing that can be read.

    Args:
        header: value of a response header by name.
        now: aware; used for a Retry-After with a date where the answer has no Date of its own.

    """
    said = (header("Retry-After") or "").strip()
    if said.isascii() and said.isdigit():
        # A number longer than this is no time span.
        return min(float(said[:12]), _LONGEST_WAIT)
    until = _date(said)
    if until is None:
        return None
    # By the server's own clock, which may be wrong by hours.
    since = _date(header("Date") or "") or now
    return min(max((until - since).total_seconds(), 0.0), _LONGEST_WAIT)


def _date(text: str) -> datetime | None:
    try:
        read = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def refused_status(
    url: str, status: int, phrase: str, wait: float | None, *, now: datetime, transient: bool, patience: float
) -> FetchFailed:
    """The failure of an answer whose status is none we can use.

    Args:
        url: the address asked.
        status: of the answer.
        phrase: its reason phrase.
        wait: what Retry-After asks for, in seconds.
        now: aware.
        transient: whether such a status is worth another attempt.
        patience: the longest wait that fits into this run, in seconds.

    """
    what = f"the server answered {status} {phrase}".rstrip()
    remedy = ""
    if transient and wait is not None and wait > patience:
        until = (now + timedelta(seconds=wait)).astimezone(UTC)
        remedy, transient = f"it asks to be left alone until {until:%Y-%m-%d %H:%M:%S} UTC; come back then", False
    elif transient:
        remedy = "try again later"
    elif status in (401, 403, 451):
        remedy = "the publisher does not serve it to everyone; see its terms, or fetch it by hand"
    return FetchFailed(url, "status", what, remedy, transient=transient, status=status, retry_after=wait)
