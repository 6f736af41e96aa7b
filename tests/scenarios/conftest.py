"""Fixtures of the scenarios."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios.world import World, world


@pytest.fixture
def small(tmp_path: Path, prefect: str) -> Iterator[World]:
    """A small world whose candidate is better, with the plane double; flows run on the real server."""
    with world(tmp_path / "world") as built:
        yield built
