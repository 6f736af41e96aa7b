"""Picks the real adapters, in one place. Tests put others here with `use`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

from pydantic import ValidationError
from sqlalchemy import Engine

from headgate.adapters import store
from headgate.adapters.lake import Lake
from headgate.adapters.planes.envoy import EnvoyPlane
from headgate.adapters.settings import Settings
from headgate.errors import InputError
from headgate.ports import TrafficPlane


@dataclass(frozen=True)
class Wiring:
    """The adapters of this process."""

    engine: Engine
    lake: Lake
    plane_of: Callable[[str], TrafficPlane]


_in_use: list[Wiring] = []


def build() -> Wiring:
    """Return the adapters in use: those of the settings, unless a test put others here.

    Raises
    ------
    InputError
        If a setting is not what it should be; the message names it.
    """
    if _in_use:
        return _in_use[-1]
    try:
        settings = Settings()
    except ValidationError as err:
        wrong = "; ".join(
            f"HEADGATE_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in err.errors()
        )
        raise InputError(f"asked the settings; found {wrong}; mend the variable or .env") from err
    return _from(settings.model_dump_json())


@lru_cache(maxsize=4)
def _from(settings_json: str) -> Wiring:
    settings = Settings.model_validate_json(settings_json)

    def plane_of(service: str) -> TrafficPlane:
        return EnvoyPlane(settings.home / settings.planes / service, settings.port_of(service))

    return Wiring(
        engine=store.connect(settings.store_url),
        lake=Lake(settings.home / settings.lake, base=settings.home),
        plane_of=plane_of,
    )


@contextmanager
def use(wiring: Wiring) -> Iterator[Wiring]:
    """Work with these adapters inside the block."""
    _in_use.append(wiring)
    try:
        yield wiring
    finally:
        _in_use.pop()
