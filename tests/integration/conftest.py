"""Fixtures of the integration tests: real stores on both databases."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, make_url

from headgate.adapters import store
from tests.integration.postgres_server import Postgres, running


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL, started once."""
    with running() as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a store that is not there yet, on both databases in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'runs' / 'store.db'}"
    url: str = request.getfixturevalue("postgres").new_store()
    return url


@pytest.fixture
def store_engine(store_url: str, empty_store: Path) -> Iterator[Engine]:
    if (file := make_url(store_url)).get_backend_name() == "sqlite":
        Path(str(file.database)).parent.mkdir(parents=True)
        shutil.copy(empty_store, str(file.database))
    engine = store.connect(store_url)
    yield engine
    engine.dispose()
