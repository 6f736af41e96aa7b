"""Which models of a service have golden examples, and what people are told when one does something else."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from headgate.adapters import store
from headgate.adapters.goldens import Look, as_served, ref_of
from headgate.adapters.store import monitoring
from headgate.alerts.alert import Alert, owners, shortened
from headgate.errors import InputError
from headgate.performance import Word
from headgate.plan import Plan
from headgate.plan.duties import NoticeKind
from headgate.plan.model import ALL
from headgate.plan.parity import ParityCheck
from headgate.ports import Side
from headgate.rollout.slices import outcome_of
from headgate.rollout.state import LIVE, Outcome
from tasks import wiring
from tasks.direct import task
from tasks.ledger import Case, case_of
from tasks.parity import last_look, look_now
from tasks.retrying import OUTSIDE
from tasks.telling import ring_for_alerts


@dataclass(frozen=True)
class Recorded:
    """A model that has golden examples.

    Attributes
    ----------
    rollout
        Whose plan asks for it.
    judged
        The rollout is live: its ticks act on what is found.
    """

    service: str
    rollout: str
    plan: Plan
    asked: ParityCheck
    side: Side
    judged: bool

    @property
    def version(self) -> str:
        """Version of the model."""
        return ref_of(self.plan, self.side).version


@task(name="find what was recorded", **OUTSIDE)
def find_recorded(service: str) -> tuple[Recorded, ...]:
    """Return the models of a service that have golden examples: both of a live rollout, else who serves.

    Raises
    ------
    InputError
        If no rollout of this service was ever opened.
    """
    engine = wiring.build().engine
    cases = [case_of(one) for one in store.rollouts(engine, service)]
    if not cases:
        known = ", ".join(store.services(engine)) or "none"
        raise InputError(
            f"asked the models of {service!r}; no rollout of it was ever opened; there are: {known}; open "
            "one with `headgate start PLAN`"
        )
    live = [case for case in cases if {state.phase for state in case.states} & LIVE]
    if live:
        return _of(live[-1], tuple(Side), judged=True)
    promoted = [case for case in cases if outcome_of(case.states) is Outcome.PROMOTED]
    if promoted:
        return _of(promoted[-1], (Side.CANDIDATE,), judged=False)
    return _of(cases[-1], (Side.INCUMBENT,), judged=False)


@task(name="ask golden examples", task_run_name="ask golden examples of {one.version}", **OUTSIDE)
def look_at_steps(one: Recorded, now: datetime) -> Look:
    """Ask a model its golden examples, and tell people of a change that no tick acts on.

    Raises
    ------
    InputError, ShelfError
        If there is no record of it.
    """
    before = last_look(one.service, one.version)
    found = look_now(one.service, one.plan, one.asked, one.side, now)
    new = before is None or before.verdict != Word.CHANGED or before.body["said"] != found.said
    if found.passed is False and new and not one.judged:
        monitoring.record(wiring.build().engine, [], [_alert(one, found, now)])
        ring_for_alerts()
    return found


def _of(case: Case, sides: tuple[Side, ...], *, judged: bool) -> tuple[Recorded, ...]:
    asked = case.plan.parity
    if asked is None:
        return ()
    versions = dict(zip((Side.INCUMBENT, Side.CANDIDATE), case.state.versions or (), strict=False))
    plans = {side: as_served(case.plan, side, versions[side]) if versions else case.plan for side in sides}
    return tuple(
        Recorded(case.rollout.service, case.rollout.id, plans[side], asked, side, judged)
        for side in sides
        if side.value in asked.of
    )


def _alert(one: Recorded, found: Look, now: datetime) -> Alert:
    digest = hashlib.sha256(found.said.encode()).hexdigest()[:12]
    kind = NoticeKind.INCIDENT
    return Alert(
        key=f"{one.rollout}/{ALL}/{kind.value}/parity/{one.version}/{digest}",
        kind=kind,
        rollout=one.rollout,
        service=one.service,
        slice=ALL,
        at=now,
        subject=f"CHANGED: {one.version} on {one.service} is not what was recorded",
        text=f"Why: {shortened(found.said)}\n"
        f"To do: serve what was judged, or take it back: `headgate undo {one.service}` (docs/parity.md)",
        to=owners(one.plan),
        facts=(("service", one.service), ("version", one.version), ("rollout", one.rollout)),
    )
