"""Fixtures shared by every kind of test."""

from __future__ import annotations

import fcntl
import gc
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from prefect.settings import Settings

    from deployments.flights.training import Trained
    from tests.live_prefect import FullPrefect
    from tests.scenarios.climb import Climb
    from tests.scenarios.world import Servers

settings.register_profile("dev", max_examples=60, deadline=None)
settings.register_profile(
    "ci", max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.load_profile("ci" if os.environ.get("CI") else "dev")

# Put there for the processes of `make test`; the command's console would keep this width for good.
os.environ.pop("COLUMNS", None)
# Nothing here speaks TLS to others, and every HTTP client would load the world's authorities, 40 ms of
# processor. Read by httpx, and by Prefect while it is imported.
os.environ.setdefault("SSL_CERT_FILE", str(Path(__file__).with_name("authority.pem")))
# Read by Prefect while it is imported: three lines for every task would bury what a failing test says.
os.environ.setdefault("PREFECT_LOGGING_LEVEL", "WARNING")

# Modules and four thousand tests stay until the end: looking again and again whether they may go is a sixth
# of the time that collecting takes, and a twentieth of what the tests take.
gc.disable()

#: Fixtures that are dear to make: all tests that use one run in the same process of `make test`.
_DEAR = {
    "operators": {"full_prefect"},
    "live": {"prefect_api", "models", "climb"},
    "postgres": {"postgres", "store_url"},
    "flights": {"flights_lake", "flights_models"},
}
#: What begins; a file may name its own group, so that one long row becomes two. Files that take long come
#: before the others: at the end nobody should wait for one of them. Those that wait for servers stand among
#: those that compute.
_FIRST = [
    "operators", "crashes", "live", "postgres", "flights", "test_trainer.py", "test_rollout_loop.py",
    "test_backtest.py", "test_shelf.py", "test_stats_unpaired.py", "test_kill.py", "test_premortem.py",
    "test_cli.py", "test_report.py", "test_envoy_faults.py", "test_power.py", "test_load.py",
    "test_candidate.py", "test_report_page.py", "test_proxy_fallback.py", "test_benchmarks.py",
    "test_stats_laws.py", "test_rollout_laws.py", "test_guard.py",
]  # fmt: skip
#: Seconds a test may take where it starts and kills servers, on a machine that is busy besides.
_PATIENT = {"operators": 900, "crashes": 600, "live": 600}


@pytest.hookimpl(tryfirst=True)  # xdist reads the marks in a hook of the same name
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say what the processes of `make test` must not tear apart; the longest row begins."""
    groups = {item: _group(item) for item in items}
    for item, group in groups.items():
        item.add_marker(pytest.mark.xdist_group(group))
        if group in _PATIENT:
            item.add_marker(pytest.mark.timeout(_PATIENT[group]))
    items.sort(key=lambda item: _turn(groups[item]))


def pytest_collection_finish() -> None:
    """Look for garbage again, among what comes from now on."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    gc.enable()


def pytest_unconfigure() -> None:
    """Let everything go, modules too: DuckDB complains at the end about what was kept."""
    gc.unfreeze()


def _turn(group: str) -> int:
    """Return when a group's turn is: one of `_FIRST` by its name, or a file by its own."""
    name = Path(group).name
    return _FIRST.index(name) if name in _FIRST else len(_FIRST)


def _group(item: pytest.Item) -> str:
    if (named := item.get_closest_marker("xdist_group")) is not None:
        return str(named.args[0])
    used = set(getattr(item, "fixturenames", ()))
    return next((name for name, dear in _DEAR.items() if dear & used), str(item.path))


@pytest.fixture(scope="session")
def prefect_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an SQLite with Prefect's tables and nothing in them; a copy costs less than the migrations.

    Made once for all processes of `make test`, by the one that comes first.
    """
    from deployments.prefect_server import prefect_env

    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    made = folder / "prefect-tables" / "prefect.db"
    with (folder / "prefect-tables.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            home = folder / "prefect-tables.making"
            upgrade = [sys.executable, "-m", "prefect", "server", "database", "upgrade", "--yes"]
            subprocess.run(upgrade, env={**os.environ, **prefect_env(home)}, check=True, capture_output=True)
            home.rename(made.parent)
    return made


@pytest.fixture(scope="session")
def prefect_api(tmp_path_factory: pytest.TempPathFactory, prefect_tables: Path) -> Iterator[str]:
    """Start a real Prefect server once for all tests that run flows; return its API address."""
    from deployments.prefect_server import start_prefect
    from deployments.processes import Processes

    home: Path = tmp_path_factory.mktemp("prefect")
    shutil.copy(prefect_tables, home)
    with Processes(home / "logs") as processes:
        yield start_prefect(processes, home, few_services=True)


@pytest.fixture(scope="session")
def full_prefect(tmp_path_factory: pytest.TempPathFactory, prefect_tables: Path) -> Iterator[FullPrefect]:
    """Start a whole Prefect once: server with UI and all services, deployments, worker."""
    from tests.live_prefect import started

    home = tmp_path_factory.mktemp("full-prefect")
    (home / "prefect").mkdir()
    shutil.copy(prefect_tables, home / "prefect")
    with started(home) as full:
        yield full


@contextmanager
def flows_here(api_url: str, home: Path) -> Iterator[None]:
    """Run flows in this process against a server, with Prefect's own files in a folder of the test."""
    from prefect.context import SyncClientContext
    from prefect.events.worker import EventsWorker

    # One client for all flows here: each would make its own, with its own TLS context and connection.
    with prefect_at(api_url, home), SyncClientContext():
        if api_url not in _events_sent_to:
            # A process has one of these, which goes on sending events to the server it began with.
            EventsWorker.drain_all(timeout=30)
            _events_sent_to[:] = [api_url]
        yield


@contextmanager
def prefect_at(api_url: str, home: Path) -> Iterator[None]:
    """Let Prefect's settings name this server, whether or not there is one."""
    from prefect.context import SettingsContext, get_settings_context

    with SettingsContext(profile=get_settings_context().profile, settings=_settings(api_url, home)):
        yield


def _settings(api_url: str, home: Path) -> Settings:
    """Return the settings of flows that end under our eyes; reading all of them anew would take 50 ms.

    Such flows send no heartbeats: the thread that sends them costs a second a run.
    """
    from prefect.settings import get_current_settings

    now = get_current_settings()
    changed = {
        "api": {"url": api_url},
        "results": {"local_storage_path": home / "storage"},
        "logging": {"to_api": now.logging.to_api.model_copy(update={"enabled": False})},
        "flows": {"heartbeat_frequency": None},
    }
    parts = {name: getattr(now, name).model_copy(update=part) for name, part in changed.items()}
    return now.model_copy(update={"home": home, **parts})


#: The server that this process sends its events to.
_events_sent_to: list[str] = []


@pytest.fixture
def prefect(prefect_api: str, tmp_path: Path) -> Iterator[str]:
    """Run this test's flows against the real server."""
    with flows_here(prefect_api, tmp_path / "prefect-home"):
        yield prefect_api


@pytest.fixture(scope="session")
def models() -> Iterator[Servers]:
    """Both model servers of the small world, for every story."""
    from tests.scenarios.world import servers

    with servers() as both:
        yield both


@pytest.fixture(scope="session")
def climb(prefect_api: str, models: Servers, tmp_path_factory: pytest.TempPathFactory) -> Climb:
    """A better model's climb, kept at every stage, because so many stories begin like it."""
    from tests.scenarios.climb import Climb

    folder = tmp_path_factory.mktemp("climb")
    return Climb(folder, models, lambda: flows_here(prefect_api, folder / "prefect-home"))


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an SQLite store with all tables and nothing in them; a copy costs less than the migrations."""
    from headgate.adapters import store

    path = tmp_path_factory.mktemp("store") / "empty.db"
    store.connect(f"sqlite:///{path}").dispose()
    return path


@pytest.fixture(scope="session")
def flights_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the whole year's request and outcome logs once."""
    from deployments.flights.requests import build
    from deployments.stack import ROOT

    folder = tmp_path_factory.mktemp("lake")
    build(ROOT / "data", folder)
    return folder


@pytest.fixture(scope="session")
def flights_models(flights_lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Train both models on it once."""
    from deployments.flights.training import train

    return train(flights_lake, tmp_path_factory.mktemp("shelf"))
