"""Small true-to-life things to keep in a store."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Engine

from headgate.adapters import store
from headgate.adapters.store import monitoring, retrainings, reviews
from headgate.adapters.store.engine import writing
from headgate.adapters.store.tables import AlertRow, ApproverRow, DeliveryRow, SaidRow, SignOffRow
from headgate.evidence import BlockSum, EvidenceRow, Source
from headgate.ports import ReviewCase, ReviewReason, Side
from headgate.rollout.state import Answer as Said
from headgate.rollout.state import Approval, Asked, Decision, Move, Phase, State, Tick, Verb
from tests.builders import APRIL, plan

OPENED_BY = "operator@example.org"
SEALED = "sealed-xyz"


def tick(rollout: store.Rollout, number: int = 1, run: str = "run-1", **state) -> Tick:
    """The next tick of a rollout, an hour after the one before."""
    at = rollout.opened_at + timedelta(hours=number)
    fields = {"phase": Phase.SHADOW, "opened_at": rollout.opened_at, "entered_at": at, **state}
    return Tick(number, at, run, Decision(Move.HOLD, ("not enough samples",)), State(rollout.id, **fields))


def question(rollout: store.Rollout, number: int = 1, step: int = 1) -> Tick:
    """A tick that asks whether the step may be entered."""
    base = tick(rollout, number)
    asked = Asked(step, 1, "digest-1", base.at, base.at + timedelta(hours=72))
    decision = Decision(Move.ASK, ("all gates pass",), asked=asked)
    return replace(base, decision=decision, state=replace(base.state, asked=asked, attempt=1))


def reply(rollout: store.Rollout, approver: str = "a@example.org", **changes) -> Approval:
    """An approval of that question."""
    at = rollout.opened_at + timedelta(hours=3)
    said = Approval(1, 1, "digest-1", rollout.plan_hash, approver, Said.APPROVE, "looks fine", at)
    return replace(said, **changes)


def batch(day: int = 0, worst: float = 0.1 + 0.2, **changes) -> EvidenceRow:
    """One block of the quality gate."""
    sums = BlockSum(worst=worst, best=-0.0, observed=1e-310, entities=3, pairs=9, spread=0.1)
    row = EvidenceRow("quality", None, APRIL + timedelta(days=day), 0, 0, Source.SHADOW, "w0", sums)
    return replace(row, **changes)


def opened(engine: Engine, **changes) -> store.Rollout:
    """A rollout of the small plan, opened in April."""
    return store.open_rollout(engine, plan(**changes), APRIL, OPENED_BY)


def filled(engine: Engine) -> store.Rollout:
    """A rollout with one of everything that is history."""
    rollout = opened(engine)
    order = store.press(engine, rollout.id, Verb.PAUSE, OPENED_BY, "looking", APRIL)
    store.record(engine, rollout, question(rollout), acted=(order.id,))
    store.answer(engine, rollout.id, reply(rollout))
    store.confirm(engine, rollout.id, 1, APRIL, 0, entry=0, step=0)
    read = {"expected": store.Cursor(), "position": {"log": 1}, "entities": {"all": {0: ["N1"]}}}
    store.ingest(engine, rollout.id, [batch(), batch(1)], tick=1, **read)
    week = APRIL + timedelta(days=7)
    store.add_window(engine, rollout.id, store.Window(APRIL, week, "p", "d", {"scored": 24}, APRIL))
    store.add_incident(engine, rollout.id, store.Incident(APRIL, "plane", "another share"))
    store.freeze(engine, rollout.id, "segments", {"origin": ["JFK"]}, APRIL)
    _people(engine, rollout)
    _renewal(engine, rollout.service)
    _reviewed(engine, rollout)
    return rollout


def _renewal(engine: Engine, service: str) -> None:
    """What the monitor found out, and a retraining."""
    day = timedelta(days=1)
    found = monitoring.Monitored(service, "window", APRIL, APRIL + day, "v1", "drift", {"reasons": []}, APRIL)
    monitoring.record(engine, [found])
    begun = retrainings.claim(engine, service, "drift", "event-1", APRIL, 7 * day)
    assert begun is not None
    retrainings.finish(engine, begun, accepted=False, reason="worse by 0.01", at=APRIL)


def _reviewed(engine: Engine, rollout: store.Rollout) -> None:
    """A case drawn from a window, and what somebody said of it."""
    case = ReviewCase(
        rollout.service, "r1", "N1", APRIL, ReviewReason.SAMPLED, Side.CANDIDATE, 0.7, 0.7, rollout.id, "all",
        {"origin": "JFK"},
    )  # fmt: skip
    window = reviews.Drawn(APRIL, APRIL + timedelta(days=1), {})
    reviews.put_window(engine, rollout.id, window, [(case, "origin=JFK")], APRIL)
    (one,) = reviews.waiting(engine, rollout.service)
    reviews.confirm(engine, one.id, "a@example.org", APRIL)


def _people(engine: Engine, rollout: store.Rollout) -> None:
    """What is said and told, put into the tables as it is there."""
    who, of, hash_ = "a@example.org", rollout.id, rollout.plan_hash
    told = {"kind": "Alert", "v": 1, "value": {"subject": f"{of} asks for 1 %", "text": "all gates pass"}}
    alert = AlertRow(key="k", rollout_id=of, slice="all", kind="ask", body=json.dumps(told), at=APRIL)
    rows = (
        ApproverRow(person=who, name=who, verb="enrol", secret=SEALED, by="b", reason="", at=APRIL),
        SaidRow(
            origin="cli:1", rollout_id=of, slice="all", request="r", person=who, answer="approve",
            accepted=True, reason="recorded", at=APRIL,
        ),
        SignOffRow(
            rollout_id=of, plan_hash=hash_, role="risk", person=who, name=who, comment="read it",
            answers="{}", at=APRIL, expires_at=APRIL + timedelta(days=90),
        ),
        alert,
    )  # fmt: skip
    with writing(engine) as session:
        session.add_all(rows)
        session.flush()
        session.add(DeliveryRow(alert_id=alert.id, route="webhook", ok=True, detail="200", at=APRIL))
