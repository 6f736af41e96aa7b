"""A rollout that has just asked a question, for the tests of its form."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from headgate.adapters import store
from headgate.adapters.lake import Lake
from headgate.adapters.planes.in_process import InProcessPlane
from headgate.adapters.settings import Settings
from headgate.codes import code_of
from headgate.rollout.state import Asked, Decision, Move, Phase, Tick, Waiting
from tasks import people, wiring
from tasks.ledger import Case, case_of
from tests.builders import plan
from tests.unit.stories import climb

CHIEF, OPERATOR = "chief@example.org", "operator@example.org"
EXPIRES = timedelta(hours=72)


def wired(home: Path) -> wiring.Wiring:
    """Return the adapters of a story's folder, as a worker that is pointed at it finds them."""
    plane = InProcessPlane()
    return wiring.Wiring(
        engine=store.connect(f"sqlite:///{home / 'store.db'}"),
        lake=Lake(home / "lake", base=home),
        plane_of=lambda _service: plane,
        settings=Settings(home=home, key_file=home / "headgate.key"),
    )


def asking(now: datetime, **changes) -> Case:
    """Open a rollout of the small plan and let its second tick ask, in shadow, for the first step.

    Its name is its own: the stores of tests are many, and Prefect's server is one.
    """
    changes.setdefault("name", f"flights-{uuid4().hex[:6]}")
    rollout = store.open_rollout(wiring.build().engine, plan(**changes), now - timedelta(days=30), OPERATOR)
    return ask(case_of(rollout), now)


def ask(case: Case, now: datetime) -> Case:
    """Record a tick that asks (again) whether every slice may go on, on the verdicts of a real climb."""
    engine = wiring.build().engine
    rows = [_asked(case, one.last, now) for one in case.each_open()]
    store.record(engine, store.get(engine, case.rollout.id), *rows)
    return now_of(case)


def _asked(case: Case, last: Tick, now: datetime) -> Tick:
    number = last.state.attempt + 1
    asked = Asked(1, number, f"digest-{number}", now, now + EXPIRES)
    state = replace(
        last.state, phase=Phase.SHADOW, entered_at=now - timedelta(days=5), asked=asked, attempt=number,
        waiting_for=(Waiting.APPROVAL,), versions=("logistic-1", "gbm-2"),
    )  # fmt: skip
    decision = Decision(Move.ASK, ("every gate passes",), (Waiting.APPROVAL,), asked=asked)
    judged = climb().ticks[10]
    return Tick(
        case.next_tick, now, f"run-{case.next_tick}", decision, state, judged.verdicts, judged.log_harm,
        judged.log_harm_threshold,
    )  # fmt: skip


def now_of(case: Case) -> Case:
    """Return the rollout as the record has it now."""
    return case_of(store.get(wiring.build().engine, case.rollout.id))


def code(secret: str, case: Case, answer: str = "approve") -> str:
    """Return an approver's code for an answer to the open question."""
    (question,) = people.open_questions(case.rollout.id)
    return code_of(secret, question.request, answer, datetime.now(UTC))
