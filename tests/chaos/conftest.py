"""Fixtures of the tests under fire: real planes, real model servers, all of them killed for real.

Without ``--chaos`` (that is, in ``make test``) the same tests run in their quick form: fewer requests,
fewer repeats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.callers import Answer
from tests.chaos.models import Model
from tests.chaos.rigs import KINDS, Rig, missing
from tests.chaos.telling import PROPERTY, row, rows, table

Tell = Callable[[str, str, "list[Answer] | int"], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the full form be asked for."""
    parser.addoption("--chaos", action="store_true", help="the tests under fire in their full form")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give the full form time: a test of it sends tens of thousands of requests."""
    if config.getoption("--chaos", default=False):
        for item in items:
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="session")
def full(pytestconfig: pytest.Config) -> bool:
    """Whether the full form was asked for."""
    return bool(pytestconfig.getoption("--chaos", default=False))


@pytest.fixture(params=[pytest.param(kind, marks=getattr(pytest.mark, kind)) for kind in KINDS])
def kind(request: pytest.FixtureRequest) -> str:
    """Each plane in turn; one that is not installed is skipped, and says how to get it."""
    if why := missing(request.param):
        pytest.skip(why)
    return str(request.param)


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Model, Model]]:
    """Start the incumbent and the candidate, for all tests of a file."""
    both = Model("incumbent"), Model("candidate")
    yield both
    for model in both:
        model.close()


@pytest.fixture
def rig(kind: str, tmp_path: Path, servers: tuple[Model, Model]) -> Iterator[Rig]:
    """A plane that was not started yet, before two servers that behave."""
    for model in servers:
        model.behave()
    made = Rig(kind, tmp_path / "plane", *servers)
    yield made
    made.close()


@pytest.fixture
def tell(kind: str, record_property: Callable[[str, Any], None]) -> Tell:
    """Write a row of the table: what was done, what callers saw, and their answers."""

    def told(done: str, saw: str, answers: list[Answer] | int) -> None:
        record_property(PROPERTY, row(kind, done, saw, answers))

    return told


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what was done and what callers saw."""
    if not config.getoption("--chaos", default=False):
        return
    stats = terminalreporter.stats
    reports = [r for outcome in ("passed", "failed") for r in stats.get(outcome, [])]
    terminalreporter.write_sep("=", "what was done to the planes, and what callers saw")
    for line in table(rows([r for r in reports if hasattr(r, "user_properties")])):
        terminalreporter.write_line(line)
