"""What somebody who comes on duty is told: where to look, how to answer, how to see the share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.markup import escape

from deployments.ports import Ports
from headgate.rollout.state import Phase, Tick

#: The list of what waits for an approver: worth a bookmark.
QUEUE = "/v2/runs?tab=flow-runs&tags=needs-approval&state=Suspended"


@dataclass(frozen=True, slots=True)
class Handover:
    """A running stack, as people use it."""

    run: Path
    ports: Ports
    service: str
    env: Mapping[str, str]

    @property
    def queue(self) -> str:
        """The bookmark."""
        return f"http://127.0.0.1:{self.ports.prefect}{QUEUE}"

    def table(self) -> str:
        """Return everything that listens, and the file that makes the command line use it."""
        plane = f"http://127.0.0.1:{self.ports.plane}"
        infer = "/v2/models/delays/infer"
        rows = {
            "approvals": self.queue,
            "Prefect": f"http://127.0.0.1:{self.ports.prefect}",
            "callers": f"{plane}{infer}",
            "the share": "python -m deployments.who_answers asks Envoy itself, with real requests",
            "settings": f"source {self.run / 'env'}",
            "secrets": str(self.run / "approvers"),
            "logs": str(self.run / "logs"),
        }
        lines = [f"[bold]{name:<10}[/]  {escape(value)}" for name, value in rows.items()]
        lines.append("[dim]docs/operators.md tells what to do with them. Ctrl-C ends it all.[/]")
        return "\n".join(lines)

    def question(self, tick: Tick) -> str:
        """Return what is waited for, and who can do what about it."""
        state = tick.state
        if state.phase is Phase.DONE:
            return f"{state.rollout} is done: {state.outcome}. Everything stays up until Ctrl-C."
        if state.asked is None:
            return (
                f"[yellow]{state.rollout} waits for an operator[/]: {escape(tick.decision.reason)}; "
                "`headgate explain` says more"
            )
        return (
            f"[yellow bold]A question is open[/]: may {state.rollout} go on from {state.share_bp / 100:g} %? "
            f"The played clock runs as yours does now. Answer in the browser:\n  {escape(self.queue)}"
        )

    def by_hand(self, plan: Path) -> str:
        """Return how to open and tick a rollout whose request log ends in 2013."""
        return (
            "The request log ends in 2013, so the flows are told the time. In another terminal:\n\n"
            f"  source {self.run / 'env'}\n"
            f"  headgate start {plan} --now 2013-04-01T00:00:00Z\n"
            f"  headgate advance {self.service} --now 2013-04-01T00:01:00Z\n"
            f"  headgate shadow {self.service} --now 2013-04-08T00:00:00Z --every 7d\n"
            "  headgate status\n"
        )
