"""The address of the folder in which a site will stand, as a user gives it: checked, and written in one way."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:.]+")
_PATH = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)*")


def base_url(text: str) -> str:
    """Return an address as the folder that the site will stand in, with "/" at its end.

    Raises:
        ValueError: it is no such address; the message says why and what one looks like.

    """
    like = "write the address of the folder, such as https://example.org/longwave/"
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{text!r} is no address ({error}); {like}") from None
    if parts.scheme.lower() not in ("http", "https") or not _HOST.fullmatch(parts.hostname or ""):
        raise ValueError(f"{text!r} names no host by http or https; {like}")
    if "@" in parts.netloc or parts.query or parts.fragment or "?" in text or "#" in text:
        raise ValueError(f"{text!r} has a user, a query or a fragment, which no folder has; {like}")
    if not _PATH.fullmatch(parts.path):
        raise ValueError(f"{text!r} has a space or another character that an address writes as %XX; {like}")
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    where = f"{host}:{port}" if port is not None else host
    return f"{parts.scheme.lower()}://{where}{parts.path.rstrip('/')}/"
