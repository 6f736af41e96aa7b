"""A Prefect server of our own: a free port, a home folder in the run, and no word to the outside."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployments.processes import Processes, answers, free_port

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State


def prefect_env(home: Path, api_url: str | None = None) -> dict[str, str]:
    """Return the variables that keep Prefect quiet, offline and inside ``home``."""
    env = {
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_LOGGING_TO_API_ENABLED": "false",
        "PREFECT_LOGGING_LEVEL": "WARNING",
        "PREFECT_CLI_PROMPT": "false",
        # A slot of a run whose worker died with the server must come free again.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    }
    if api_url:
        env["PREFECT_API_URL"] = api_url
    return env


_UNUSED = (
    "SCHEDULER", "LATE_RUNS", "PAUSE_EXPIRATIONS", "CANCELLATION_CLEANUP", "FOREMAN", "EVENT_PERSISTER",
    "EVENT_LOGGER", "TASK_RUN_RECORDER", "TRIGGERS", "REPOSSESSOR",
)  # fmt: skip

#: Variables of a server without the services that flows called one after the other do not need. Those that
#: write keep its SQLite busy: every few runs it then answers 503, and the client waits two seconds.
FEW_SERVICES = {
    "PREFECT_UI_ENABLED": "false",
    # Every integration that is installed would be imported, to offer its blocks: seconds for Dask alone.
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
    "PREFECT_MEMOIZE_BLOCK_AUTO_REGISTRATION": "false",
    **{f"PREFECT_SERVER_SERVICES_{service}_ENABLED": "false" for service in _UNUSED},
}


@contextmanager
def flows_here(home: Path, api_url: str) -> Iterator[None]:
    """Let flows called in this process run against a server; to be entered before Prefect is imported.

    Such flows end within seconds under our eyes, so they send no heartbeats: waiting for the thread that
    sends them would add a second to every run.
    """
    # Prefect sets up its logging while it is imported: later is too late to keep it quiet.
    os.environ.update(prefect_env(home, api_url))
    from prefect.context import SyncClientContext
    from prefect.settings import (
        PREFECT_API_URL,
        PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED,
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
        temporary_settings,
    )

    settings = {
        PREFECT_API_URL: api_url,
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,
        PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED: False,  # both are this installation
    }
    # One client for all flows: each would make its own, with its own TLS context and connection.
    with temporary_settings(settings), SyncClientContext():
        yield


def start_prefect(
    processes: Processes,
    home: Path,
    seconds: float = 120,
    *,
    few_services: bool = False,
    automations: bool = False,
    port: int | None = None,
) -> str:
    """Start a server and return its API address once it answers; see `FEW_SERVICES`.

    ``automations``: with few services too, events run what the server's automations say.
    """
    port = port or free_port()
    api_url = f"http://127.0.0.1:{port}/api"
    home.mkdir(parents=True, exist_ok=True)
    fewer = FEW_SERVICES if few_services else {}
    if automations:
        fewer = {**fewer, "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "true"}
    child = processes.start(
        "prefect",
        [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)],
        {**os.environ, **prefect_env(home, api_url), **fewer},
    )
    processes.wait(child, lambda: answers(f"{api_url}/health"), seconds)
    return api_url


def well_ended(state: State[Any]) -> None:
    """Raise what a flow that was called with ``return_state=True`` raised.

    What it returned is not asked for: a busy server that answers its last word too late is told it again,
    answers the second time from its own record, and that has no results (MissingResult).
    """
    if not state.is_completed():
        state.result()
