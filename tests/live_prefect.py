"""A whole Prefect as operators have it: server with both UIs and all services, deployments, a worker.

One for the whole session: server, deployments and worker take half a minute to come up. What changes from
test to test is the *story*, a folder with a store, a lake and a plane: the worker's settings name a link,
and `FullPrefect.point_at` lets it point elsewhere.

    def test_something(full_prefect, tmp_path):
        full_prefect.point_at(tmp_path / "world")       # holds store.db, lake, planes/<service>, ...
        with full_prefect.flows_here():                 # flows called in this process use it too
            ...
        run = full_prefect.only_run("needs-approval", state="Suspended")
        full_prefect.resume(run["id"], decision="approve", ...)
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from deployments.prefect_server import prefect_env
from deployments.prefect_work import create_pool
from deployments.processes import Child, Processes, answers, free_port
from deployments.stack import ROOT
from headgate.adapters.clock import set_clock

POOL = "headgate"
CLOCK = "clock.json"
#: For what takes seconds where nothing else is going on.
PATIENCE_S = 240
Json = dict[str, Any]


@dataclass
class FullPrefect:
    """A server, its deployments and a worker, that may be killed and started again in the same place.

    Attributes
    ----------
    port
        Of the server.
    plane_port
        Where the plane of the story that is pointed at is to answer callers.
    """

    home: Path
    processes: Processes
    port: int = field(default_factory=free_port)
    plane_port: int = field(default_factory=free_port)
    more_env: dict[str, str] = field(default_factory=dict)

    @property
    def ui(self) -> str:
        """Where operators look; V2 is at ``/v2``, V1 at ``/runs``."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def api_url(self) -> str:
        """Where programs ask."""
        return f"{self.ui}/api"

    @property
    def story(self) -> Path:
        """The link to the folder that the worker's flows work in."""
        return self.home / "story"

    @property
    def env(self) -> dict[str, str]:
        """What server, worker and so every flow run find in their environment."""
        return {
            **os.environ,
            **prefect_env(self.home / "prefect", self.api_url),
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PREFECT_WORKER_PREFETCH_SECONDS": "1",
            "HEADGATE_HOME": str(self.story),
            "HEADGATE_STORE_URL": f"sqlite:///{self.story / 'store.db'}",
            "HEADGATE_LAKE": "lake",
            "HEADGATE_PLANES": "planes",
            "HEADGATE_PLANE_PORT": str(self.plane_port),
            "HEADGATE_PAGES": str(self.story / "pages"),
            "HEADGATE_KEY_FILE": str(self.story / "headgate.key"),
            "HEADGATE_ANCHORS": str(self.story / "anchors.jsonl"),
            "HEADGATE_CLOCK": str(self.story / CLOCK),
            "HEADGATE_WORK_POOL": POOL,
            **self.more_env,
        }

    # ------------------------------------------------------------ start, kill

    def start_server(self) -> None:
        """Start the server, or start it again: same port, same home."""
        from prefect.events.worker import EventsWorker

        argv = ["server", "start", "--host", "127.0.0.1", "--port", str(self.port)]
        child = self._start("server", *argv)
        self.processes.wait(child, lambda: answers(f"{self.api_url}/health"), PATIENCE_S)
        # What sends the events of this process was connected to the server that was killed.
        EventsWorker.drain_all(timeout=30)

    def start_worker(self) -> None:
        """Start the worker; it looks for runs within seconds."""
        self._start("worker", "worker", "start", "--pool", POOL, "--name", "here", "--type", "process")

    def kill(self, *names: str) -> None:
        """Send SIGKILL to ``server`` or ``worker`` and whatever they have started."""
        for child in [child for child in self.processes.children if child.name in names]:
            os.killpg(child.process.pid, signal.SIGKILL)
            child.process.wait()
            self.processes.children.remove(child)

    def deploy(self) -> None:
        """Deploy what ``prefect.yaml`` names; clocks and automations stay off until a story wants them."""
        child = self._start(
            "deploy", "--no-prompt", "deploy", "--all", "--prefect-file", str(ROOT / "prefect.yaml")
        )
        self.processes.wait(child, lambda: child.process.poll() == 0, PATIENCE_S)
        self.processes.children.remove(child)
        for deployment in self.post("/deployments/filter", {}):
            if deployment["schedules"]:
                self.post(f"/deployments/{deployment['id']}/pause_deployment", {})
        self.automations(on=False)

    def automations(self, *, on: bool, named: str = "") -> None:
        """Switch the automations on or off whose name holds this text."""
        for automation in self.post("/automations/filter", {}):
            if named in automation["name"]:
                self._send("PATCH", f"/automations/{automation['id']}", {"enabled": on})

    def _start(self, name: str, *argv: str) -> Child:
        return self.processes.start(name, [sys.executable, "-m", "prefect", *argv], self.env)

    # ------------------------------------------------------------ stories

    def point_at(self, folder: Path) -> None:
        """Let the worker's flows work in this folder from now on, at the time its ``clock.json`` plays.

        One is made where there is none: the machine's time. `set_clock` sets another.
        """
        if not (folder / CLOCK).exists():
            set_clock(folder / CLOCK, datetime.now(UTC))
        fresh = self.home / "story.next"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(folder)
        fresh.replace(self.story)

    @contextmanager
    def flows_here(self) -> Iterator[None]:
        """Let flows called in this process run against this server."""
        from tests.conftest import flows_here

        with flows_here(self.api_url, self.home / "prefect-here"):
            yield

    # ------------------------------------------------------------ what anybody may ask the server

    def post(self, path: str, body: Json) -> Any:
        """Ask the API; anything but success raises, with what the server said."""
        return self._send("POST", path, body)

    def _send(self, method: str, path: str, body: Json | None = None) -> Any:
        for _ in range(30):
            # No TLS, nothing to verify: loading the authorities would cost more than the question.
            tls = self.api_url.startswith("https")
            answer = httpx.request(method, f"{self.api_url}{path}", json=body, timeout=PATIENCE_S, verify=tls)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            time.sleep(0.5)  # its SQLite is busy: Prefect's own client tries again as well
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text[:2_000]}"
        return answer.json() if answer.content else None

    def run(self, run_id: str) -> Json:
        """Return one flow run."""
        found: Json = self._send("GET", f"/flow_runs/{run_id}")
        return found

    def runs(self, *tags: str, state: str | None = None) -> list[Json]:
        """Return the flow runs that carry all of these tags, in this state (by its name), newest first."""
        wanted: Json = {"tags": {"all_": list(tags)}} if tags else {}
        if state is not None:
            wanted["state"] = {"name": {"any_": [state]}}
        found: list[Json] = self.post(
            "/flow_runs/filter", {"flow_runs": wanted, "sort": "EXPECTED_START_TIME_DESC"}
        )
        return found

    def only_run(self, *tags: str, state: str | None = None, seconds: float = PATIENCE_S) -> Json:
        """Wait until there is exactly one such run; return it."""
        return self.until(
            lambda: found[0] if len(found := self.runs(*tags, state=state)) == 1 else None, seconds
        )

    def until_state(self, run_id: str, *names: str, seconds: float = PATIENCE_S) -> Json:
        """Wait until a run is in one of these states (by name); return it."""
        return self.until(lambda: run if (run := self.run(run_id))["state_name"] in names else None, seconds)

    def until(self, look: Callable[[], Json | None], seconds: float = PATIENCE_S) -> Json:
        """Look until something is found."""
        deadline = time.monotonic() + seconds
        while (found := look()) is None:
            if time.monotonic() > deadline:
                there = [(run["name"], run["tags"], run["state_name"]) for run in self.runs()[:10]]
                raise AssertionError(
                    f"not within {seconds:.0f} s; the newest runs: {there}\n{self.log('worker')}"
                )
            time.sleep(0.2)
        return found

    def resume(self, run_id: str, **form: Any) -> Json:
        """Submit a form as both UIs do; a refusal comes back as ``{"status": "REJECT", ...}``."""
        found: Json = self.post(f"/flow_runs/{run_id}/resume", {"run_input": form})
        return found

    def told(self, run: Json) -> str:
        """Return what stands above the form of a suspended run; Prefect writes it down after the state."""
        key = run["state"]["state_details"]["run_input_keyset"]["description"]
        asked = f"/flow_runs/{run['id']}/input/filter"
        return str(self.until(lambda: next(iter(self.post(asked, {"prefix": key})), None))["value"])

    def cancel(self, run_id: str) -> Json:
        """Cancel a run as the button of the UI does."""
        found: Json = self.post(f"/flow_runs/{run_id}/set_state", {"state": {"type": "CANCELLING"}})
        return found

    def expire(self, run_id: str) -> None:
        """Let a suspended run's time be up now; the server's own service then ends it within seconds."""
        state = self.run(run_id)["state"]
        details = state["state_details"] | {"pause_timeout": datetime.now(UTC).isoformat()}
        state = {"type": "PAUSED", "name": state["name"], "state_details": details}
        self.post(f"/flow_runs/{run_id}/set_state", {"state": state, "force": True})

    def forget(self, *tags: str) -> None:
        """Delete all runs that carry these tags, so that the next story may have the same names."""
        for run in self.runs(*tags):
            self._send("DELETE", f"/flow_runs/{run['id']}")

    def log(self, name: str, most: int = 3_000) -> str:
        """Return the end of a process's log."""
        path = self.processes.logs / f"{name}.log"
        return path.read_text(errors="replace")[-most:] if path.exists() else ""


@contextmanager
def started(home: Path, **more_env: str) -> Iterator[FullPrefect]:
    """Start a server, deploy everything, start a worker; take all of it down again."""
    with Processes(home / "logs") as processes:
        full = FullPrefect(home, processes, more_env=more_env)
        (home / "nothing").mkdir(parents=True)
        full.point_at(home / "nothing")
        full.start_server()
        create_pool(full.api_url, POOL)
        full.start_worker()
        full.deploy()
        yield full
