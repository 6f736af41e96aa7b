"""Holds served models against their golden examples, and their steps against what was frozen.

Two questions, asked of each side. Does its server tell other steps than when the rollout left preflight,
under the same version? Every tick asks that, of every server that tells its fingerprint. Does it do with
golden examples what was recorded at training? That is asked where the plan has a key `parity`: at preflight,
then as often as the plan says, and at once when a server tells other steps.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from headgate.adapters import store
from headgate.adapters.goldens import Look, as_served, look
from headgate.adapters.store import monitoring
from headgate.errors import HeadgateError
from headgate.parity.wire import FINGERPRINT
from headgate.performance import Kind, Monitored, Word
from headgate.plan import Plan
from headgate.plan.parity import ParityCheck
from headgate.ports import Metadata, Side
from headgate.rollout.state import LIVE, Check, Order, Phase, Verb
from tasks import wiring
from tasks.ledger import Case

#: Told (incumbent, candidate), as versions are.
Served = tuple[Metadata | None, Metadata | None]
Sentences = tuple[str | None, str | None]
Facts = Mapping[str, Any]
_SIDES = (Side.INCUMBENT, Side.CANDIDATE)


@dataclass(frozen=True, slots=True)
class Steps:
    """What is known of the steps before the models.

    Attributes
    ----------
    changed
        Per side (incumbent, candidate) how it differs from what was judged; None: it does not.
    checks
        At preflight a check per side that the plan asks for; later what could not be looked at.
    """

    changed: Sentences = (None, None)
    checks: tuple[Check, ...] = ()


def steps_of(case: Case, served: Served, orders: Sequence[Order], now: datetime) -> Steps:
    """Return what this tick knows of both sides' steps."""
    phases = {state.phase for state in case.states}
    if not phases & (LIVE | {Phase.PREFLIGHT}):
        return Steps()
    facts = store.facts(wiring.build().engine, case.rollout.id)
    if Phase.PREFLIGHT in phases:
        _freeze(case, served, facts, now)
        return Steps(checks=tuple(_preflight(case, side, now) for side in _asked(case.plan)))
    changed: dict[Side, str | None] = {}
    checks = []
    for side, about in zip(_SIDES, served, strict=True):
        if about is None or about.version != _frozen_version(case, side):
            continue  # silent, or of another version: there are rules for both
        changed[side] = _other_steps(case, side, about, facts, now)
        found = _latest(case, side, about, now)
        if isinstance(found, Check):
            checks.append(found)
        elif found is not None:
            changed[side] = changed[side] or found
    incumbent = changed.get(Side.INCUMBENT)
    if incumbent is not None and _accepted(case, incumbent, orders, facts, now):
        incumbent = None
    return Steps((incumbent, changed.get(Side.CANDIDATE)), tuple(checks))


def look_now(service: str, plan: Plan, asked: ParityCheck, side: Side, now: datetime) -> Look:
    """Ask one side its golden examples, and write down what came of it.

    Raises
    ------
    InputError, ShelfError
        If there is no record to hold it against.
    """
    wired = wiring.build()
    found = look(plan, asked, side, wired.shelf, wired.settings.home)
    if found.passed is not None:
        word = Word.SAME if found.passed else Word.CHANGED
        span = (now, now + asked.every)
        one = Monitored(service, Kind.PARITY, *span, found.version, word, found.to_json(), now)
        monitoring.record(wired.engine, [one])
    return found


def last_look(service: str, version: str) -> Monitored | None:
    """Return what came of the last time that a version was asked its golden examples."""
    return monitoring.latest(wiring.build().engine, service, Kind.PARITY, version)


def _preflight(case: Case, side: Side, now: datetime) -> Check:
    name = f"parity of the {side.value}"
    try:
        found = look_now(case.rollout.service, case.plan, _key(case.plan), side, now)
    except HeadgateError as err:
        return Check(name, passed=False, reason=str(err))
    return Check(name, passed=found.passed, reason=found.said)


def _latest(case: Case, side: Side, about: Metadata, now: datetime) -> Check | str | None:
    """Return how a side differs from its golden examples; a check where that cannot be looked at now."""
    if side not in _asked(case.plan):
        return None
    last = last_look(case.rollout.service, about.version)
    if last is not None and now < last.until and last.body.get("fingerprint") in (None, _told(about)):
        return None if last.verdict == Word.SAME else str(last.body["said"])
    name = f"parity of the {side.value}"
    plan = as_served(case.plan, side, about.version)
    try:
        found = look_now(case.rollout.service, plan, _key(plan), side, now)
    except HeadgateError as err:  # says nothing about the model: unknown holds
        return Check(name, passed=None, reason=str(err))
    if found.passed is None:
        return Check(name, passed=None, reason=found.said)
    return None if found.passed else found.said


def _other_steps(case: Case, side: Side, about: Metadata, facts: Facts, now: datetime) -> str | None:
    """Return that a side tells other steps than when it was frozen; freeze those of a new incumbent."""
    frozen, told = _frozen(facts, side, about.version), _told(about)
    if not frozen:
        _keep(case, side, about, facts, now)
        return None
    if told == frozen[-1]:
        return None
    tells = f"steps {told[:12]}" if told else "nothing of its steps"
    return f"{about.version} tells {tells}; with steps {frozen[-1][:12]} it was judged"


def _freeze(case: Case, served: Served, facts: Facts, now: datetime) -> None:
    """Keep what both servers tell, until the tick that leaves preflight: the newest is in force then."""
    for side, about in zip(_SIDES, served, strict=True):
        if about is not None and [_told(about)] != _frozen(facts, side, about.version)[-1:]:
            _keep(case, side, about, facts, now)


def _keep(case: Case, side: Side, about: Metadata, facts: Facts, now: datetime) -> None:
    if told := _told(about):
        number = len(_frozen(facts, side, about.version)) + 1
        name = f"{_named(side, about.version)}{number}"
        store.freeze(wiring.build().engine, case.rollout.id, name, told, now)


def _frozen(facts: Facts, side: Side, version: str) -> list[str]:
    """Return the fingerprints that were kept of a version, oldest first."""
    start = _named(side, version)
    mine = [(int(name.removeprefix(start)), told) for name, told in facts.items() if name.startswith(start)]
    return [told for _, told in sorted(mine)]


def _accepted(case: Case, changed: str, orders: Sequence[Order], facts: Facts, now: datetime) -> bool:
    """Say whether somebody resumed after a pause for this very change: it is what is measured now."""
    name = f"accepted/{hashlib.sha256(changed.encode()).hexdigest()[:16]}"
    if name in facts:
        return True
    told = any(state.paused is not None and changed in state.paused.reason for state in case.states)
    if not told or not any(order.verb is Verb.RESUME for order in orders):
        return False
    store.freeze(wiring.build().engine, case.rollout.id, name, changed, now)
    return True


def _frozen_version(case: Case, side: Side) -> str | None:
    versions = case.state.versions
    return None if versions is None else versions[_SIDES.index(side)]


def _asked(plan: Plan) -> tuple[Side, ...]:
    return tuple(Side(name) for name in plan.parity.of) if plan.parity is not None else ()


def _key(plan: Plan) -> ParityCheck:
    assert plan.parity is not None  # noqa: S101 - the caller looked
    return plan.parity


def _told(about: Metadata) -> str:
    told = about.parameters.get(FINGERPRINT)
    return told if isinstance(told, str) else ""


def _named(side: Side, version: str) -> str:
    return f"steps/{side.value}/{version}/"
