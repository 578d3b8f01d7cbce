"""How long a fetch may take, how often it is tried and how much it may bring.

Belongs here: numbers, and where they come from. Does not belong here: keeping to them (`longwave.pipelines.fetch`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class FetchSettings(Protocol):
    """What a fetcher takes from the settings: see `longwave.pipelines.settings.Settings`."""

    @property
    def contact(self) -> str: ...  # noqa: D102
    @property
    def mirror(self) -> str: ...  # noqa: D102
    @property
    def mirror_hosts(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def host_interval(self) -> float: ...  # noqa: D102
    @property
    def attempts(self) -> int: ...  # noqa: D102
    @property
    def connect_seconds(self) -> float: ...  # noqa: D102
    @property
    def read_seconds(self) -> float: ...  # noqa: D102
    @property
    def total_seconds(self) -> float: ...  # noqa: D102


@dataclass(frozen=True)
class Limits:
    """How long, how often and how much. Times in seconds, sizes in bytes; `host_interval` 0 means no pause."""

    connect_seconds: float = 10.0
    read_seconds: float = 30.0
    total_seconds: float = 300.0
    attempts: int = 5
    host_interval: float = 1.0
    max_body: int = 64 * 2**20
    max_payload: int = 256 * 2**20
    redirects: int = 5
    wait_initial: float = 1.0
    wait_max: float = 60.0

    @classmethod
    def of(cls, settings: FetchSettings) -> Limits:
        """The limits that the settings give, the rest as declared."""
        return cls(
            connect_seconds=settings.connect_seconds,
            read_seconds=settings.read_seconds,
            total_seconds=settings.total_seconds,
            attempts=settings.attempts,
            host_interval=settings.host_interval,
        )
