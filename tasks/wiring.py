"""Picks the real adapters, in one place. Tests put others here with `use`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError
from sqlalchemy import Engine

from headgate.adapters import store
from headgate.adapters.clock import clock_of
from headgate.adapters.lake import Lake
from headgate.adapters.places import place_of
from headgate.adapters.planes.envoy import EnvoyPlane
from headgate.adapters.planes.folder import lives_in
from headgate.adapters.planes.haproxy import HAProxyPlane
from headgate.adapters.planes.tls import Tls
from headgate.adapters.settings import Settings
from headgate.adapters.shelf import shelf_of
from headgate.errors import InputError
from headgate.ports import Shelf, TrafficPlane


@dataclass(frozen=True)
class Wiring:
    """The adapters of this process, and what was set besides."""

    engine: Engine
    lake: Lake
    plane_of: Callable[[str], TrafficPlane]
    settings: Settings = field(default_factory=Settings)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    @property
    def shelf(self) -> Shelf:
        """Where trained models are kept."""
        return _shelf_of(self.settings)


_in_use: list[Wiring] = []


def build(patience: float = 30.0) -> Wiring:
    """Return the adapters in use: those of the settings, unless a test put others here.

    Parameters
    ----------
    patience
        Seconds to wait for a store that another process holds.

    Raises
    ------
    InputError
        If a setting is not what it should be; the message names it.
    """
    if _in_use:
        return _in_use[-1]
    return _from(read_settings().model_dump_json(), patience)


def plane_alone(service: str) -> tuple[TrafficPlane, Path]:
    """Return a service's plane and its run folder without opening the store: for the kill switch.

    Raises
    ------
    InputError
        If the service has no plane here; the message names those that have one.
    """
    settings = read_settings()
    folder = settings.home / settings.planes / service
    if _in_use:
        return _in_use[-1].plane_of(service), folder
    known = planes_here()
    if service not in known:
        raise InputError(
            f"asked the plane of {service!r}; {folder.parent} has those of: {', '.join(known) or 'nobody'}; "
            "name one, or set HEADGATE_HOME and HEADGATE_PLANES to where it runs"
        )
    return _plane(settings, service, lives_in(folder) or "envoy"), folder


class Twin(TrafficPlane, Protocol):
    """A plane that somebody started for a moment, and ends."""

    def stop(self) -> None:
        """End it."""
        ...


def twin(kind: str, folder: Path, port: int) -> Twin:
    """Return another plane of a kind, with a run folder and a port of its own: for load tests.

    Raises
    ------
    InputError
        If planes of that kind cannot be started here.
    """
    match kind:
        case "envoy":
            return EnvoyPlane(folder, port)
        case "haproxy":
            return HAProxyPlane(folder, port)
        case _:
            raise InputError(f"asked a plane of its own of the kind {kind!r}; found envoy and haproxy alone")


def lake_alone() -> Lake:
    """Return the lake without opening the store: for who only reads the logs that a plan names."""
    return _in_use[-1].lake if _in_use else _lake_of(read_settings())


def shelf_alone() -> Shelf:
    """Return the shelf without opening the store: for who only reads cards."""
    return _shelf_of(read_settings())


def planes_here() -> list[str]:
    """Return the services that have a plane's run folder here."""
    settings = read_settings()
    return sorted(path.name for path in (settings.home / settings.planes).glob("*") if path.is_dir())


def read_settings() -> Settings:
    """Return the settings in use; nothing is connected to.

    Raises
    ------
    InputError
        If one is not what it should be; the message names it.
    """
    if _in_use:
        return _in_use[-1].settings
    try:
        return Settings()
    except ValidationError as err:
        wrong = "; ".join(
            f"HEADGATE_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in err.errors()
        )
        raise InputError(f"asked the settings; found {wrong}; mend the variable or .env") from err


def clock() -> Callable[[], datetime]:
    """Return the clock in use; it goes on with the store down, as the kill switch must."""
    return _in_use[-1].clock if _in_use else clock_of(read_settings().clock)


@lru_cache(maxsize=4)
def _from(settings_json: str, patience: float) -> Wiring:
    settings = Settings.model_validate_json(settings_json)
    engine = store.connect(settings.store_url, patience)

    def plane_of(service: str) -> TrafficPlane:
        # What serves callers now goes on doing so: another kind is another installation.
        kind = lives_in(settings.home / settings.planes / service) or _planned(engine, service)
        return _plane(settings, service, kind)

    return Wiring(
        engine=engine,
        lake=_lake_of(settings),
        plane_of=plane_of,
        settings=settings,
        clock=clock_of(settings.clock),
    )


def _planned(engine: Engine, service: str) -> str:
    """Return the kind of plane that the plan of a service's open rollout names."""
    holder = store.holder(engine, service)
    return store.plan_of(engine, holder.plan_hash).plane.kind if holder else "envoy"


def _plane(settings: Settings, service: str, kind: str) -> EnvoyPlane | HAProxyPlane:
    folder, port = settings.home / settings.planes / service, settings.port_of(service)
    host, tls = settings.plane_host, _tls(settings)
    if kind == "haproxy":
        return HAProxyPlane(folder, port, host=host, tls=tls)
    return EnvoyPlane(folder, port, host=host, tls=tls)


def _tls(settings: Settings) -> Tls | None:
    certificate, key = settings.plane_certificate, settings.plane_key
    if (certificate is None) != (key is None):
        found = "HEADGATE_PLANE_CERTIFICATE" if certificate else "HEADGATE_PLANE_KEY"
        raise InputError(
            "asked HEADGATE_PLANE_CERTIFICATE and HEADGATE_PLANE_KEY together, or neither; found "
            f"{found} alone; set the other one too"
        )
    return None if certificate is None or key is None else Tls(certificate, key)


def _lake_of(settings: Settings) -> Lake:
    return Lake(place_of(settings.lake, settings.home), base=settings.home)


def _shelf_of(settings: Settings) -> Shelf:
    return shelf_of(settings.shelf, settings.home)


@contextmanager
def use(wiring: Wiring) -> Iterator[Wiring]:
    """Work with these adapters inside the block."""
    _in_use.append(wiring)
    try:
        yield wiring
    finally:
        _in_use.pop()
