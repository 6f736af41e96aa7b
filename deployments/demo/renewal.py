"""The other side of a drift: a runner that retrains when the server asks, and who serves the result."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from deployments.processes import ROOT, Processes, answers
from headgate.adapters import store
from headgate.adapters.store import retrainings
from headgate.adapters.store.retrainings import Retraining
from headgate.plan import Plan
from tasks import wiring

#: Wall seconds until the server's automation must have begun a retraining, and until it must have ended.
_TO_BEGIN, _TO_END = 60.0, 240.0


@dataclass(frozen=True, slots=True)
class Renewal:
    """How a service of the example is retrained, and who serves what comes of it."""

    processes: Processes
    api_url: str
    service: str

    def start(self, env: Mapping[str, str]) -> None:
        """Start the runner of the deployment ``retrain/<service>``; it takes a while, and nobody waits."""
        argv = [sys.executable, "-m", "deployments.demo.runner", self.service]
        quick = {"PREFECT_RUNNER_POLL_FREQUENCY": "2", "PREFECT_RUNNER_SERVER_ENABLE": "false"}
        self.processes.start("runner", argv, {**os.environ, **env, **quick}, cwd=ROOT)

    def ready(self) -> None:
        """Wait until the deployment is there, and let the server's automation run it on a drift."""
        from deployments.automations import apply_automations

        runner = next(child for child in self.processes.children if child.name == "runner")
        self.processes.wait(runner, lambda: self._deployed(), seconds=180)
        apply_automations(None, only="retrain")

    def by_schedule(self, day: datetime) -> None:
        """Ask for a retraining as the deployment's schedule does: on this day, once."""
        from prefect.deployments import run_deployment

        asked = {"trigger": "schedule", "origin": f"schedule {day:%Y-%m-%d}", "now": day}
        run_deployment(f"retrain/{self.service}", parameters=asked, timeout=0, as_subflow=False)

    def awaited(self, known: int) -> Retraining | None:
        """Wait for the retraining after the first ``known`` ones; None where the server begins none."""
        engine, asked = wiring.build().engine, time.monotonic()
        while True:
            new = retrainings.all(engine, self.service)[known:]
            if new and new[0].finished_at is not None:
                return new[0]
            if time.monotonic() - asked > (_TO_END if new else _TO_BEGIN):
                return None
            time.sleep(0.5)

    def serve(self, plan: Plan) -> None:
        """Serve a plan's candidate from the shelf, where the plan says it will be."""
        from deployments.stack import serve_model

        shelved = wiring.build().shelf.find(plan.candidate.model, plan.candidate.version)
        port = urlsplit(plan.candidate.url).port
        if shelved is not None and port is not None and not answers(f"{plan.candidate.url}/v2/health/ready"):
            serve_model(self.processes, plan.candidate.version, Path(shelved.place), port=port)

    def _deployed(self) -> bool:
        return answers(f"{self.api_url}/deployments/name/retrain/{self.service}")


def next_rollout(service: str, taken: set[str]) -> store.Rollout | None:
    """Return the oldest rollout of a service that nobody has taken up; None if there is none."""
    rollouts = store.rollouts(wiring.build().engine, service)
    return next((one for one in rollouts if one.id not in taken and not one.done), None)
