"""Settings, all under LONGWAVE_*: read once, from the environment only."""

from __future__ import annotations

from pathlib import Path

from longwave.warehouse.founding_files import founding_folder
from longwave.warehouse.home import Home, default_home
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What the environment sets.

    LONGWAVE_HOME: the folder of all state. LONGWAVE_WAIT: seconds to wait for another run. LONGWAVE_FOUNDING: founding
    facts other than the embedded ones.
    """

    model_config = SettingsConfigDict(env_prefix="LONGWAVE_")

    home: Path = Field(default_factory=default_home)
    wait: float = 60.0
    founding: Path = Field(default_factory=founding_folder)

    def house(self) -> Home:
        """The installation that these settings name."""
        return Home(self.home.expanduser().resolve())
