"""Fixtures shared by every kind of test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("dev", max_examples=60, deadline=None)
settings.register_profile(
    "ci", max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.load_profile("ci" if os.environ.get("CI") else "dev")

#: Services of a Prefect server that no test needs. Those that write keep its SQLite busy: every few runs it
#: then answers 503 and the client waits two seconds before it asks again.
_UNUSED = (
    "SCHEDULER", "LATE_RUNS", "PAUSE_EXPIRATIONS", "CANCELLATION_CLEANUP", "FOREMAN", "EVENT_PERSISTER",
    "EVENT_LOGGER", "TASK_RUN_RECORDER", "TRIGGERS", "REPOSSESSOR",
)  # fmt: skip


@pytest.fixture(scope="session")
def prefect_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a real Prefect server once for all tests that run flows; return its API address."""
    from deployments.prefect_server import start_prefect
    from deployments.processes import Processes

    home: Path = tmp_path_factory.mktemp("prefect")
    with Processes(home / "logs") as processes, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_UI_ENABLED", "false")
        for service in _UNUSED:
            patch.setenv(f"PREFECT_SERVER_SERVICES_{service}_ENABLED", "false")
        api_url = start_prefect(processes, home)
        patch.undo()
        yield api_url


@pytest.fixture
def prefect(prefect_api: str, tmp_path: Path) -> Iterator[str]:
    """Run this test's flows against the real server, in this process and without heartbeats."""
    from prefect.settings import (
        PREFECT_API_URL,
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
        PREFECT_HOME,
        PREFECT_LOGGING_TO_API_ENABLED,
        temporary_settings,
    )

    changed = {
        PREFECT_API_URL: prefect_api,
        PREFECT_HOME: tmp_path / "prefect-home",
        PREFECT_LOGGING_TO_API_ENABLED: False,
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,
    }
    with temporary_settings(changed):
        yield prefect_api
