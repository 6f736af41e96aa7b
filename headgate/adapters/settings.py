"""Settings: the only reader of the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

_PREFIX = "HEADGATE_"
_ENV_FILE = ".env"


class Settings(BaseSettings):
    """What a service's installation decides, from ``HEADGATE_*`` variables or a ``.env`` file.

    A variable beats the file, the file beats the default. Fields are told in docs/settings.md.
    """

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, env_file=_ENV_FILE, extra="ignore", frozen=True, env_ignore_empty=True
    )

    store_url: str = Field(
        "sqlite:///runs/headgate.db",
        description="Database of plans, rollouts, ledger, evidence and what people said: `sqlite:///path` or "
        "`postgresql://user@host/database`.",
    )
    home: Path = Field(Path(), description="Folder that relative paths in plans, lake and planes start from.")
    lake: str = Field(
        "runs/lake",
        description="Where shadow windows keep their exchanges: a folder below `home`, or an address such as "
        "`s3://bucket/folder` (docs/scale.md).",
    )
    shelf: str = Field(
        "runs/shelf",
        description="Where trained models are kept: a folder below `home`, an address such as "
        "`s3://bucket/folder`, or an MLflow registry as `mlflow+` and its address (docs/retraining.md).",
    )
    retrainings: Path = Field(
        Path("runs/retrainings"),
        description="Folder of retrainings under way, below `home`: what the trainer gets, says and makes.",
    )
    planes: Path = Field(
        Path("runs/planes"), description="Folder with one folder per service's traffic plane, below `home`."
    )
    plane_port: Annotated[int, Field(ge=1, le=65_535)] = Field(
        8100,
        description="Port where a service's plane answers callers, unless `plane_ports` names one.",
    )
    plane_ports: dict[str, int] = Field(
        default={}, description="JSON object of service and port, for more than one service."
    )
    plane_host: str = Field(
        "127.0.0.1",
        description="Address on which planes answer callers; `0.0.0.0` for those of other machines. Admin "
        "interfaces stay on loopback.",
    )
    plane_certificate: Path | None = Field(
        None,
        description="PEM file with the certificate, and the chain behind it, that callers are shown: they "
        "come over TLS then. Unset: without TLS.",
    )
    plane_key: Path | None = Field(
        None, description="PEM file with the private key that belongs to `plane_certificate`."
    )
    guards: Path = Field(
        Path("runs/guards"),
        description="Folder with one folder per service's guards, below `home`: queues and logs.",
    )
    guard_port: Annotated[int, Field(ge=1, le=65_535)] = Field(
        8110,
        description="Port where a guard answers callers, unless `headgate guard serve --port` says another.",
    )
    guard_queue: str | None = Field(
        None,
        description="Database of the guards' queues, `postgresql://user@host/database`, for guards on "
        "several machines. Unset: a file per service in `guards`, for those on one.",
    )
    guard_urls: dict[str, tuple[str, ...]] = Field(
        default={},
        description="JSON object of service and the addresses of its guards, e.g. "
        '`{"flight-delays": ["http://127.0.0.1:8110"]}`: preflight waits until each of them runs the '
        "rollout's plan. Empty: no guard is asked.",
    )
    pages: Path = Field(Path("runs/pages"), description="Folder of the page that is kept for every rollout.")
    pages_url: str | None = Field(
        None, description="Address where a web server of yours serves `pages`. Unset: files are named."
    )
    key_file: Path = Field(
        Path("runs/headgate.key"),
        description="File with the key that the approvers' secrets are encrypted with; made when the first "
        "approver is enrolled. Keep it, and keep it apart from the store's backup.",
    )
    approver_secret_file: Path | None = Field(
        None,
        description="On an approver's own machine: the file with their secret, so that codes are computed "
        "without asking. Never on the machine that holds the store.",
    )
    anchors: Path = Field(
        Path("runs/anchors.jsonl"),
        description="File that notes the head of the audit chain after every tick; outside the store, on "
        "purpose.",
    )
    notify: str | None = Field(
        None,
        description="Where alerts go that a plan names no route for: a URL or `block:<type>/<name>` of a "
        "Prefect block. Unset: nowhere.",
    )
    dask: str | None = Field(
        None,
        description="Address of a Dask scheduler, e.g. `tcp://dask:8786`: scoring and profiling of a window "
        "are spread over its workers (docs/scale.md). Unset: this process does it.",
    )
    work_pool: str = Field("headgate", description="Prefect work pool that the deployments run in.")
    clock: Path | None = Field(
        None,
        description="File with a played clock, as `headgate up` keeps one for its year 2013. Unset: the "
        "machine's clock, which is what you want in production.",
    )

    def port_of(self, service: str) -> int:
        """Return the port on which callers reach a service."""
        return self.plane_ports.get(service, self.plane_port)


@dataclass(frozen=True, slots=True)
class Origin:
    """One setting in force: its variable, its value with secrets masked, and where it comes from."""

    variable: str
    value: str
    source: str


def variable_of(name: str) -> str:
    """Return the environment variable of a setting."""
    return f"{_PREFIX}{name.upper()}"


def origins(settings: Settings) -> tuple[Origin, ...]:
    """Return every setting in force and where it comes from."""
    environment = _upper(os.environ)
    file = _upper(dotenv_values(_ENV_FILE)) if Path(_ENV_FILE).is_file() else {}
    found = []
    for name in Settings.model_fields:
        variable = variable_of(name)
        sources = {"environment": environment.get(variable), _ENV_FILE: file.get(variable)}
        source = next((where for where, value in sources.items() if value), "default")
        found.append(Origin(variable, masked(getattr(settings, name)), source))
    return tuple(found)


def masked(value: Any) -> str:
    """Return a setting as it may be shown: of an address neither user, password nor what follows the host.

    The path of a webhook's address is its password. A store's path is none.

    Examples
    --------
    >>> masked("postgresql://headgate:secret@db:5432/headgate")
    'postgresql://***@db:5432/headgate'
    >>> masked("https://hooks.example.org/T00/B00/XXXX")
    'https://hooks.example.org/***'
    """
    text = str(value)
    parts = urlsplit(text)
    if not parts.scheme or "://" not in text:
        return text
    host = parts.netloc.rpartition("@")
    shown = f"***@{host[2]}" if host[1] else host[2]
    if parts.scheme in {"http", "https"}:
        return f"{parts.scheme}://{shown}/***" if parts.path.strip("/") or parts.query else text
    return f"{parts.scheme}://{shown}{parts.path}"


def _upper(found: Mapping[str, str | None]) -> dict[str, str | None]:
    return {name.upper(): value for name, value in found.items()}
