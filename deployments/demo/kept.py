"""The service of the demo whose model is kept fresh after its promotion: watched, retrained, judged again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from rich.markup import escape

from deployments.demo.callers import Tally
from deployments.demo.renewal import Renewal, next_rollout
from deployments.demo.service import DemoService
from deployments.demo.summary import Told
from flows.monitor import monitor
from headgate.adapters import store
from headgate.adapters.store import retrainings
from headgate.adapters.store.retrainings import Retraining
from headgate.adapters.stories import story_of
from headgate.report.monitoring import drifts
from headgate.rollout.state import Asked, Phase, State, Tick
from tasks import wiring
from tasks.drifting import drifts_to_say
from tasks.monitored import watch_of
from tasks.watching import find_served


@dataclass
class KeptService:
    """Implements `deployments.demo.afterwards.Kept` with the real flows.

    Attributes
    ----------
    of
        The service as it plays the rollout that is under way, at first the one that was promoted.
    scheduled
        Days on which the deployment's schedule asks for a retraining.
    told
        Every rollout that was played, the newest last.
    drifts
        What the monitor found, by version and by when it was noticed.
    note
        Told in words what happens between rollouts.
    """

    of: DemoService
    renewal: Renewal
    scheduled: Sequence[datetime]
    note: Callable[[str], None]
    told: list[Told] = field(default_factory=list)
    drifts: dict[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    _taken: set[str] = field(default_factory=set, init=False)
    _watched: datetime | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._taken.add(self.of.rollout)

    def open(self, now: datetime) -> None:
        """Take up the rollout that a retraining opened: serve its candidate, and sign."""
        found = next_rollout(self.of.plan.service, self._taken)
        assert found is not None  # noqa: S101 - whoever plays it asked before
        plan = store.plan_of(wiring.build().engine, found.plan_hash)
        self.renewal.serve(plan)
        self.of = replace(self.of, plan=plan, rollout=found.id, tally=Tally())
        self.of.sign(now)

    def shadow(self, now: datetime) -> None:
        """Score the windows that are due (flow ``shadow``)."""
        self.of.shadow(now)

    def tick(self, now: datetime) -> Tick:
        """Take one tick (flow ``advance``); return the last ledger row."""
        return self.of.tick(now)

    def call(self, start: datetime, end: datetime, state: State) -> None:
        """Let callers send a part of the requests in ``[start, end)``."""
        self.of.call(start, end, state)

    def approve(self, asked: Asked, now: datetime) -> None:
        """Let the operators answer what was asked."""
        self.of.approve(asked, now)

    def watch(self, now: datetime) -> None:
        """Let the monitor look (flow ``monitor``), and wait for the retrainings that follow of it.

        Nothing here retrains: a drift is an event, which the server's automation answers. What the schedule
        asks for is asked of the server too, on its day.
        """
        service, known = self.of.plan.service, self._begun()
        standing = monitor(service, now=now)
        watched = find_served.fn(service)
        if standing is None or watched is None:
            return
        for one in drifts(watch_of(watched, None, now)):
            self.drifts[watched.version, one["at"]] = one
        if self._begun() > known or any(drifts_to_say(watched, now)):
            why = standing["drift"] or standing["degraded"]
            self._wait("drift", known, why["reason"] if why else "")
        for day in self.scheduled:
            if (self._watched or now) < day <= now:
                known = self._begun()
                self.renewal.by_schedule(day)
                self._wait("schedule", known, f"{day:%Y-%m-%d}")
        self._watched = now

    def renewed(self) -> bool:
        """Return whether a retraining has opened a rollout that nobody has taken up yet."""
        return next_rollout(self.of.plan.service, self._taken) is not None

    def over(self, last: Tick) -> None:
        """Keep the story of a rollout, and what the plane says at its end."""
        self._taken.add(last.state.rollout)
        self.told.append(told_of(self.of))
        if last.state.phase is not Phase.DONE:
            version = self.of.plan.candidate.version
            self.note(
                f"[dim]{last.at:%Y-%m-%d}[/]  the data ends, {version} is not promoted: "
                f"{escape(last.decision.reason)}"
            )

    def _wait(self, trigger: str, known: int, why: str) -> None:
        self.note(_said(trigger, why, self.renewal.awaited(known)))

    def _begun(self) -> int:
        return len(retrainings.all(wiring.build().engine, self.of.plan.service))


def told_of(service: DemoService) -> Told:
    """Return what is told of the rollout that a service has just played."""
    wired = wiring.build()
    observed = wired.plane_of(service.plan.service).observe().share_bp
    return Told(story_of(wired.engine, service.rollout), service.tally, observed)


def _said(trigger: str, why: str, found: Retraining | None) -> str:
    if found is None:
        # The store holds the cooldown, and the server takes events of one minute of its own clock for one.
        return f"[dim]{trigger}: {escape(why)}: no retraining began; too soon after the last one[/]"
    word = "[green]accepted[/]" if found.accepted else "[yellow]refused[/]"
    return (
        f"[dim]{found.claim.at:%Y-%m-%d}[/]  {trigger}: {escape(why)}\n"
        f"            {found.version} trained anew and {word}: {escape(found.reason)}"
    )
