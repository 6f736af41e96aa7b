"""Settings: the only reader of the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What a service's installation decides, from ``HEADGATE_*`` variables or a ``.env`` file.

    Attributes
    ----------
    store_url
        Database of plans, rollouts, ledger and evidence; a PostgreSQL URL works too.
    home
        Folder that relative paths in plans start from.
    lake
        Folder of the exchanges that shadow windows write.
    planes
        Folder with one run folder per service's traffic plane.
    plane_port
        Loopback port on which a service's plane answers callers, unless ``plane_ports`` names one.
    plane_ports
        JSON object {service: port} for more than one service.
    """

    model_config = SettingsConfigDict(env_prefix="HEADGATE_", env_file=".env", extra="ignore", frozen=True)

    store_url: str = "sqlite:///runs/headgate.db"
    home: Path = Path()
    lake: Path = Path("runs/lake")
    planes: Path = Path("runs/planes")
    plane_port: Annotated[int, Field(ge=1, le=65_535)] = 8100
    plane_ports: dict[str, int] = {}

    def port_of(self, service: str) -> int:
        """Return the port on which callers reach a service."""
        return self.plane_ports.get(service, self.plane_port)
