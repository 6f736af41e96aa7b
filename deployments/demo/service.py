"""One running service of the demo: its flows, its callers, and its two operators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import xxhash

from deployments.demo.callers import Callers, Live, Tally
from deployments.prefect_server import well_ended
from flows.advance import advance
from flows.open import open_rollout
from flows.shadow import shadow
from headgate.adapters import store
from headgate.codes import code_of
from headgate.errors import InputError
from headgate.plan import Plan
from headgate.readiness import ROLE, DataKind, Readiness
from headgate.rollout.state import Answer, Asked, State, Tick
from tasks import people, signing, wiring

#: They approve whatever is asked, and the record says so.
OPERATORS = ("demo-operator-1@example.org", "demo-operator-2@example.org")
COMMENT = "demo operator: approves whatever is asked"
SIGNED = "demo operator: signs whatever is asked"
READY = Readiness(
    DataKind.LIVE,
    bad_outputs="docs/plan.md: an answer outside the range is an error, and the incumbent's is used",
    failure_modes="a lost preprocessing step; a new airline; an airport that closes",
    owner="Owner of flight delays",
)
OPENED_BY = "demo"


@dataclass
class DemoService:
    """Implements `deployments.demo.player.Service` with the real flows.

    Attributes
    ----------
    plan, path
        The plan, and the file it is started from.
    callers
        Who sends live traffic.
    every
        Length of a shadow window.
    live
        How much of the service's traffic is also sent live, by share in force (basis points).
    operators
        Their names and secrets, once they are enrolled.
    """

    plan: Plan
    path: Path
    callers: Callers
    every: str
    live: Callable[[int], Live]
    tally: Tally = field(default_factory=Tally)
    rollout: str = ""
    operators: dict[str, str] = field(default_factory=dict, repr=False)

    def open(self, now: datetime) -> None:
        """Enrol the operators, open the rollout (flow ``open``), and let them sign what its plan asks for."""
        for operator in OPERATORS:
            # Two services share the store and the operators: the second enrols them anew, for itself.
            self.operators[operator] = people.enrol(
                operator, OPENED_BY, now, replace="the next service's demo"
            )
        self.rollout = open_rollout(str(self.path), now=now, opened_by=OPENED_BY)
        self.sign(now)

    def shadow(self, now: datetime) -> None:
        """Score the windows that are due (flow ``shadow``)."""
        well_ended(shadow(self.plan.service, now=now, every=self.every, return_state=True))

    def tick(self, now: datetime) -> Tick:
        """Take one tick (flow ``advance``); return the last ledger row."""
        well_ended(advance(self.plan.service, now=now, return_state=True))
        last = store.last_tick(wiring.build().engine, self.rollout)
        assert last is not None  # noqa: S101 - opening wrote the first row
        return last

    def call(self, start: datetime, end: datetime, state: State) -> None:
        """Send a fixed part of the requests in ``[start, end)`` through the plane, one by one."""
        if end - start < timedelta(minutes=1):
            return
        requests = wiring.build().lake.read_requests(self.plan, start, end)
        live = self.live(state.share_bp)
        chosen = part_of(requests, self.plan.requests.id, live.part)
        self.callers.send(chosen, self.tally, live.per_second)

    def approve(self, asked: Asked, now: datetime) -> None:
        """Let as many operators answer as the step asks for."""
        (question,) = people.open_questions(self.rollout)
        for number in range(question.approvers_needed):
            who = self._proof(number, question.request, Answer.APPROVE.value)
            heard = people.take_answer(
                self.rollout,
                question.slice,
                asked.step,
                asked.attempt,
                Answer.APPROVE,
                *who,
                COMMENT,
                now,
                origin=f"demo:{question.request}:{number}",
            )
            _refuse_silence(heard)

    def sign(self, now: datetime) -> None:
        """Give every signature that the plan asks for."""
        for role in [signoff.role for signoff in self.plan.signoffs]:
            request = signing.signing_request(self.rollout, role)
            who = self._proof(0, request, signing.SIGN)
            heard = signing.sign_off(self.rollout, role, *who, SIGNED, now, origin=f"demo:{request}")
            _refuse_silence(heard)
        if self.plan.questionnaire:
            request = signing.signing_request(self.rollout, ROLE)
            who = self._proof(1, request, signing.SIGN)
            _refuse_silence(
                signing.answer_questionnaire(self.rollout, READY, *who, SIGNED, now, origin=f"demo:{request}")
            )

    def _proof(self, number: int, request: str, answer: str) -> tuple[str, str]:
        """Return an operator's name, and the code they compute for this answer."""
        operator = OPERATORS[number]
        return operator, code_of(self.operators[operator], request, answer, datetime.now(UTC))


def _refuse_silence(heard: people.Heard) -> None:
    """Raise where an operator was not heard: the demo would wait until its deadline, and not say why."""
    if not heard.accepted:
        raise InputError(f"asked to hear an operator of the demo; {heard.reason}")


def part_of(requests: pa.Table, id_column: str, part: float) -> pa.Table:
    """Return about this part of the requests, always the same ones: chosen by their id."""
    below = int(part * 10_000)
    chosen = [
        xxhash.xxh64_intdigest(str(i).encode()) % 10_000 < below for i in requests[id_column].to_pylist()
    ]
    return requests.filter(pa.array(np.array(chosen, dtype=bool)))
