"""What turns a bare Prefect server into ours: a work pool, every deployment, automations, a worker."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import yaml

from deployments.processes import ROOT, Child, Processes

PREFECT_FILE = ROOT / "prefect.yaml"
_PREFECT = (sys.executable, "-m", "prefect")
_MODULE = " -m prefect.engine"
_ENGINE = shlex.quote(sys.executable) + _MODULE
_PATIENCE_S = 300.0  # a slow machine imports Prefect for a minute


def create_pool(api_url: str, pool: str) -> None:
    """Create a work pool of processes; one that is there stays as it is, but for a Python that has moved.

    Its command is the one Prefect would come to, named: without it every run begins with a process that
    looks for code to pull and for dependencies to install; here all of it is installed.
    """
    from prefect.workers.process import ProcessWorker

    template = ProcessWorker.get_default_base_job_template()
    template["variables"]["properties"]["command"]["default"] = _ENGINE
    body = {"name": pool, "type": "process", "base_job_template": template}
    answer = httpx.post(f"{api_url}/work_pools/", json=body, timeout=30)
    if answer.status_code == httpx.codes.CONFLICT:
        _name_this_python(f"{api_url}/work_pools/{pool}")
    else:
        answer.raise_for_status()


def _name_this_python(pool_url: str) -> None:
    """Let a pool made from another place run what is here now; a command somebody chose stays."""
    template = httpx.get(pool_url, timeout=30).raise_for_status().json()["base_job_template"]
    command = template.get("variables", {}).get("properties", {}).get("command", {})
    if str(command.get("default")).endswith(_MODULE) and command["default"] != _ENGINE:
        command["default"] = _ENGINE
        httpx.patch(pool_url, json={"base_job_template": template}, timeout=30).raise_for_status()


def start_worker(processes: Processes, pool: str, env: Mapping[str, str]) -> Child:
    """Start a worker that looks for runs every two seconds.

    It is a child of ours with handlers of its own: under `nohup` a worker is deaf to SIGTERM.
    """
    quick = {
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "PREFECT_WORKER_PREFETCH_SECONDS": "2",
        "PREFECT_LOGGING_TO_API_ENABLED": "true",  # so that a run's own page tells what it did
        "PREFECT_LOGGING_LEVEL": "INFO",
    }
    argv = [*_PREFECT, "worker", "start", "--pool", pool, "--name", "headgate-up", "--type", "process"]
    return processes.start("worker", argv, {**env, **quick}, cwd=ROOT)


def has_worker(api_url: str, pool: str) -> bool:
    """Return whether a worker of the pool has reported."""
    try:
        answer = httpx.post(f"{api_url}/work_pools/{pool}/workers/filter", json={}, timeout=5)
        workers: list[dict[str, Any]] = answer.raise_for_status().json()
    except httpx.HTTPError:
        return False
    return any(worker.get("status") == "ONLINE" for worker in workers)


def deploy_all(
    processes: Processes, run: Path, env: Mapping[str, str], *, tick_seconds: int | None = None
) -> None:
    """Deploy what ``prefect.yaml`` names, as ``prefect --no-prompt deploy --all`` does.

    Parameters
    ----------
    tick_seconds
        How often to tick in place of the file's own interval.

    Raises
    ------
    StartError
        If Prefect refuses; the message carries its last words.
    """
    file = PREFECT_FILE
    if tick_seconds is not None:
        body = yaml.safe_load(PREFECT_FILE.read_text(encoding="utf-8"))
        for deployment in body["deployments"]:
            for schedule in deployment.get("schedules", ()):
                if schedule.get("slug") == "tick":
                    schedule["interval"] = tick_seconds
        file = run / "prefect.yaml"
        file.write_text(yaml.safe_dump(body, sort_keys=False), encoding="utf-8")
    argv = [*_PREFECT, "--no-prompt", "deploy", "--all", "--prefect-file", str(file)]
    processes.run("deploy", argv, env, _PATIENCE_S)


def apply_automations(processes: Processes, env: Mapping[str, str]) -> None:
    """Apply the automations of alerts and the dead man's switch, as `headgate automations` does."""
    argv = [sys.executable, "-m", "headgate.cli", "automations"]
    processes.run("automations", argv, env, _PATIENCE_S)
