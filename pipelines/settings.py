"""Settings, all under LONGWAVE_*: read once, from the environment only."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from longwave.pipelines.addresses import ForbiddenAddress, Mirror, host_name, require_webhook
from longwave.warehouse.founding_files import founding_folder
from longwave.warehouse.home import Home, default_home
from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

_WORD = r"[!-'*-;=?A-~]+"
_CONTACT = re.compile(rf"{_WORD}@{_WORD}\.{_WORD}|https?://[!-'*-;=?-~]+")

Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]


class Settings(BaseSettings):
    """What the environment sets.

    LONGWAVE_HOME: the folder of all state. LONGWAVE_WAIT: seconds to wait for another run. LONGWAVE_FOUNDING: founding
    facts other than the embedded ones. LONGWAVE_SITE_URL: where the site is served, for links from the UI to its pages;
    `longwave ui` sets it.

    LONGWAVE_CONTACT: a mail address or web page at which a publisher reaches whoever runs this; it stands in every
    request. LONGWAVE_MIRROR: http://127.0.0.1:PORT, asked instead of the publishers, each under its own host's name.
    LONGWAVE_MIRROR_HOSTS: names of other hosts a mirror may be at, separated by commas. LONGWAVE_HOST_INTERVAL: least
    seconds between two requests to one host; 0: none. LONGWAVE_ATTEMPTS: how often an address is asked before giving up.
    LONGWAVE_CONNECT_SECONDS, LONGWAVE_READ_SECONDS and LONGWAVE_TOTAL_SECONDS: how long to wait for a connection, for the
    next bytes, and for an answer with all attempts.

    LONGWAVE_ALERT_WEBHOOK: where alerts are sent as JSON, https or this machine; never shown, since it may hold a secret.
    LONGWAVE_LOG: `text`, or `json` for one object a line on standard error. LONGWAVE_KEEP_DAYS: how many days of Dagster's
    own records `longwave prune` leaves. LONGWAVE_UNATTENDED: start schedules and sensors without a person switching them on.
    LONGWAVE_POSTGRES: postgresql+psycopg2://USER:PASSWORD@HOST/NAME, where Dagster keeps its own records in the place of files.
    LONGWAVE_ENGINE: where much is computed, `beside` (here, and of a run also in a second process where there is a second
    processor), `serial` (here alone) or `dask`. LONGWAVE_DASK_ADDRESS: of a scheduler that runs, such as tcp://10.0.0.5:8786;
    without one, LONGWAVE_DASK_WORKERS processes are started on this machine.
    """

    model_config = SettingsConfigDict(env_prefix="LONGWAVE_")

    home: Path = Field(default_factory=default_home)
    wait: float = 60.0
    founding: Path = Field(default_factory=founding_folder)
    site_url: str = ""
    contact: str = ""
    # Before `mirror`, whose check needs it.
    mirror_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    mirror: str = ""
    host_interval: float = Field(default=1.0, ge=0, le=3600, allow_inf_nan=False)
    attempts: int = Field(default=5, ge=1, le=20)
    connect_seconds: Seconds = 10.0
    read_seconds: Seconds = 30.0
    total_seconds: Seconds = 300.0
    alert_webhook: SecretStr = SecretStr("")
    log: Literal["text", "json"] = "text"
    keep_days: int = Field(default=90, ge=1, le=36_500)
    unattended: bool = False
    postgres: SecretStr = SecretStr("")
    engine: Literal["beside", "serial", "dask"] = "beside"
    dask_address: str = ""
    dask_workers: int = Field(default=2, ge=1, le=256)

    @field_validator("mirror_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        """Names between commas, in the form in which they are compared."""
        names = value.split(",") if isinstance(value, str) else value
        if not isinstance(names, list | tuple):
            return value
        try:
            return tuple(host_name(str(name).strip()) for name in names if str(name).strip())
        except ForbiddenAddress as wrong:
            raise ValueError(f"{wrong}; give names of hosts, separated by commas") from wrong

    @field_validator("mirror")
    @classmethod
    def _usable_mirror(cls, value: str, info: ValidationInfo) -> str:
        """A mirror is on this machine or at a host named for it; anything else would hand all requests to a stranger."""
        if value:
            try:
                Mirror.parse(value, info.data.get("mirror_hosts", ()))
            except ForbiddenAddress as wrong:
                raise ValueError(str(wrong)) from wrong
        return value

    @field_validator("alert_webhook")
    @classmethod
    def _usable_webhook(cls, value: SecretStr) -> SecretStr:
        """Refused when it is set, not when the first alert is lost."""
        if value.get_secret_value():
            try:
                require_webhook(value.get_secret_value())
            except ForbiddenAddress as wrong:
                raise ValueError(str(wrong)) from None
        return value

    @field_validator("postgres")
    @classmethod
    def _names_its_driver(cls, value: SecretStr) -> SecretStr:
        """Without the driver's name SQLAlchemy takes another one than dagster-postgres brings."""
        if value.get_secret_value() and not value.get_secret_value().startswith("postgresql+psycopg2://"):
            raise ValueError("give it as postgresql+psycopg2://USER:PASSWORD@HOST/NAME")
        return value

    @field_validator("contact")
    @classmethod
    def _reachable(cls, value: str) -> str:
        """Something to write to or to look at, and nothing that could end the header it stands in."""
        if value and not _CONTACT.fullmatch(value):
            raise ValueError("give a mail address or the address of a web page")
        return value

    def house(self) -> Home:
        """The installation that these settings name."""
        return Home(self.home.expanduser().resolve())
