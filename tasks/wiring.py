"""Picks the real adapters, in one place. Tests put others here with `use`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from pydantic import ValidationError
from sqlalchemy import Engine

from headgate.adapters import store
from headgate.adapters.clock import clock_of
from headgate.adapters.lake import Lake
from headgate.adapters.places import place_of
from headgate.adapters.planes.envoy import EnvoyPlane
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
    return EnvoyPlane(folder, settings.port_of(service)), folder


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

    def plane_of(service: str) -> TrafficPlane:
        return EnvoyPlane(settings.home / settings.planes / service, settings.port_of(service))

    return Wiring(
        engine=store.connect(settings.store_url, patience),
        lake=_lake_of(settings),
        plane_of=plane_of,
        settings=settings,
        clock=clock_of(settings.clock),
    )


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
