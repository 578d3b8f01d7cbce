"""Where everything lives: the folder LONGWAVE_HOME and the names inside it. Only paths; what the files mean is said elsewhere."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from longwave.warehouse.errors import UnusableHome


def checkout() -> Path | None:
    """The source checkout this code runs from, or None when it was installed from a wheel."""
    top = Path(__file__).resolve().parent.parent
    return top if (top / "pyproject.toml").is_file() and (top / "pipelines").is_dir() else None


def default_home() -> Path:
    """`var/` in a checkout, else the platform's data folder."""
    top = checkout()
    return top / "var" if top else Path(platformdirs.user_data_dir("longwave", appauthor=False))


@dataclass(frozen=True)
class Home:
    """The folder of one installation's state."""

    root: Path

    @property
    def warehouse(self) -> Path:
        """The writer's file. Nothing but the writer opens it."""
        return self.root / "warehouse.duckdb"

    @property
    def read_copy(self) -> Path:
        """The readers' file, replaced by rename after each committed change."""
        return self.root / "warehouse.read.duckdb"

    @property
    def lock(self) -> Path:
        """The run lock."""
        return self.root / "run.lock"

    @property
    def site(self) -> Path:
        """The published site."""
        return self.root / "site"

    @property
    def hosted(self) -> Path:
        """The site as written for a host of a known address."""
        return self.root / "site-hosted"

    @property
    def archive(self) -> Path:
        """What the sources served, byte for byte."""
        return self.root / "archive"

    @property
    def local(self) -> Path:
        """A user's own files: observed, never published."""
        return self.root / "local"

    @property
    def runs(self) -> Path:
        """Run summaries: outside the site, free to read the clock."""
        return self.root / "runs"

    @property
    def spill(self) -> Path:
        """What outgrows memory while a large panel is worked on; gone afterwards."""
        return self.root / "spill"

    @property
    def dagster(self) -> Path:
        """Dagster's own instance folder."""
        return self.root / "dagster"

    def prepare(self) -> Home:
        """Make the folders; raise UnusableHome where that cannot be done."""
        with disk_trouble(self.root):
            for folder in (self.root, self.runs, self.dagster):
                folder.mkdir(parents=True, exist_ok=True)
            probe = self.root / f".probe-{os.getpid()}"
            probe.write_bytes(b"longwave")
            probe.unlink()
        return self


@contextmanager
def disk_trouble(where: Path) -> Iterator[None]:
    """Turn the system's errors of a folder (read-only, full, no file handles) into one that names the remedy."""
    try:
        yield
    except OSError as error:
        remedies = {
            errno.ENOSPC: "free some space, or set LONGWAVE_HOME to a folder on another disk",
            errno.EDQUOT: "free some space, or set LONGWAVE_HOME to a folder on another disk",
            errno.EMFILE: "raise the limit of open files (ulimit -n)",
        }
        if isinstance(error, FileNotFoundError) and error.filename is None:
            raise
        remedy = remedies.get(error.errno or 0, "set LONGWAVE_HOME to a folder you can write")
        raise UnusableHome(f"cannot write {where}: {error.strerror or error}; {remedy}") from error
