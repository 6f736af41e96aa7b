"""Somebody on duty: a rollout that has just asked, a real Envoy, and a form that waits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from headgate.adapters import store
from headgate.adapters.clock import set_clock
from headgate.adapters.planes.envoy import EnvoyPlane
from headgate.codes import code_of
from headgate.ports import Side
from headgate.rollout.state import Tick
from tasks import people
from tasks.ledger import case_of
from tasks.traffic import route_of
from tests.integration.envoy_stage import split_of
from tests.live_prefect import CLOCK, FullPrefect
from tests.scenarios.small import ENTITIES
from tests.scenarios.world import OPERATOR, SERVICE, Servers, Snapshot, World

CHIEF, AUTHOR = "chief@example.org", "ml-engineer@example.org"
FORM = "needs-approval"


@dataclass
class Duty:
    """What a story of the people on duty acts on.

    Attributes
    ----------
    secrets
        Of everybody who is enrolled, by name; the author of the plan is among them.
    """

    full: FullPrefect
    small: World
    plane: EnvoyPlane
    secrets: dict[str, str]

    def tick(self, minutes: float = 1) -> Tick:
        """Let a moment pass and take a tick."""
        self.small.now += timedelta(minutes=minutes)
        self.play()
        return self.small.tick()

    def play(self) -> None:
        """Tell the worker's flows what time it is in the story."""
        set_clock(self.small.home / CLOCK, self.small.now, speed=0)

    def form(self) -> dict[str, Any]:
        """Wait until exactly one form waits for an answer; return its run."""
        return self.full.only_run(FORM, f"rollout:{self.small.rollout}", state="Suspended")

    def form_again(self, before: dict[str, Any]) -> dict[str, Any]:
        """Wait until this form, which somebody has answered, waits for another answer."""

        def look() -> dict[str, Any] | None:
            run = self.full.run(before["id"])
            return run if run["state_name"] == "Suspended" and run["state_id"] != before["state_id"] else None

        return self.full.until(look)

    def fields(
        self, decision: str = "approve", by: str = CHIEF, minutes_ago: float = 0, **changes: str
    ) -> dict[str, str]:
        """Return what somebody fills in; their code was computed so many minutes ago."""
        request = people.the_question(self.small.rollout, None).request
        at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
        code = code_of(self.secrets[by], request, decision, at)
        return {"decision": decision, "approver": by, "code": code, "comment": "looked at it"} | changes

    def share_is(self, share_bp: int) -> bool:
        """Return whether Envoy itself says so."""
        return self.plane.observe().share_bp == share_bp

    def served_by_the_candidate(self) -> float:
        """Ask Envoy once for every entity; return the part that it sends to the candidate."""
        sides = split_of(self.plane, [f"N{k:03d}" for k in range(ENTITIES)])
        return sum(side is Side.CANDIDATE for side in sides) / len(sides)

    def approved(self) -> list[str]:
        """Return who has said yes, as the store has it."""
        given = store.approvals(self.small.engine, self.small.rollout)
        return [one.approver for one in given if one.answer.value == "approve"]


@contextmanager
def on_duty(full: FullPrefect, asked: Snapshot, models: Servers, home: Path) -> Iterator[Duty]:
    """Go on from a question that was just asked; leave neither forms nor an Envoy behind."""
    plane = EnvoyPlane(home / "planes" / SERVICE, full.plane_port, workers=1)
    with full.flows_here(), asked.resumed(home, models, plane) as small:
        holder = store.holder(small.engine, SERVICE)
        assert holder is not None
        case = case_of(holder)
        route = route_of(case, case.state)
        try:
            plane.reconcile(route)
            plane.apply(route)
            secrets = {who: people.enrol(who, OPERATOR, small.now) for who in (CHIEF, AUTHOR)}
            duty = Duty(full, small, plane, secrets)
            duty.play()
            full.point_at(home)
            duty.tick()
            yield duty
        finally:
            plane.stop()
            full.point_at(full.home / "nothing")
            full.forget(f"rollout:{small.rollout}")
