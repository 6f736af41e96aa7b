"""Fixtures of the scenarios: worlds that begin anew, or go on from one stage of the climb."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.scenarios.climb import Climb
from tests.scenarios.world import Servers, World, world


@pytest.fixture
def _flows_here(prefect: str) -> None:
    """Run flows of a story on the real server."""


@pytest.fixture
def small(tmp_path: Path, _flows_here: None, models: Servers) -> Iterator[World]:
    """A small world in which nothing has happened yet; flows run on the real server."""
    with world(tmp_path / "world", models) as built:
        yield built


@pytest.fixture
def story(
    tmp_path: Path, _flows_here: None, models: Servers, climb: Climb
) -> Iterator[Callable[[str], World]]:
    """Go on from one stage of the climb: shadow, asked, ramp, watch, promoted."""
    with ExitStack() as stack:
        yield lambda stage: stack.enter_context(climb[stage].resumed(tmp_path / stage, models))
