"""How a service's answers are taken, and what reviewers have before them, for whoever asks (M22)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from headgate.adapters import store
from headgate.adapters.review_page import Desk
from headgate.adapters.store import monitoring, reviews
from headgate.errors import InputError
from headgate.evidence import TrafficSum
from headgate.performance import Kind
from headgate.plan.durations import as_duration
from headgate.plan.model import Plan
from headgate.plan.reviewing import Review
from headgate.report import reviewers
from headgate.review.case import Queued, Ruling, ruling_on
from headgate.review.load import ReviewLoad, ladder, short_of_reviewers
from tasks import wiring
from tasks.approvers import wrong_code
from tasks.clock import the_time
from tasks.ledger import Case, case_of
from tasks.overrides import SHOWN, taken
from tasks.reviewing import load_of
from tasks.signing import SIGN


def case_of_service(service: str) -> Case | None:
    """Return the rollout whose plan a service's cases are read by: its lease's holder, else the newest."""
    engine = wiring.build().engine
    found = store.holder(engine, service) or next(reversed(store.rollouts(engine, service)), None)
    return None if found is None else case_of(found)


def plan_of_service(service: str) -> Plan | None:
    """Return the plan that a service's cases are read by; None where no rollout of it was ever opened."""
    case = case_of_service(service)
    return None if case is None else case.plan


def reviewed_services() -> list[str]:
    """Return the services that have a queue, and those whose plan asks for one."""
    engine = wiring.build().engine
    asked = [name for name in store.services(engine) if (plan := plan_of_service(name)) and plan.review]
    return sorted({*reviews.services(engine), *asked})


def refuse_unknown(service: str) -> None:
    """Raise `InputError` for a service that has neither cases nor a rollout: nothing waits in no queue."""
    engine = wiring.build().engine
    if service not in reviews.services(engine) and service not in store.services(engine):
        known = ", ".join(reviewed_services()) or "none"
        raise InputError(f"asked the review queue of {service!r}; there are those of: {known}; name one")


def told_of(service: str, now: datetime) -> dict[str, Any]:
    """Return how a service's answers are taken, as plain JSON.

    ``use`` is what became of live requests, ``adoption`` what people said of answers, ``ladder`` the cases a
    day that every step would bring. What is not known is null.

    Raises
    ------
    InputError
        If the service has neither cases nor a rollout.
    """
    case = case_of_service(service)
    refuse_unknown(service)
    since = now - SHOWN
    adoption = taken(service, case.plan if case else None, since, now)
    load, use = (load_of(case, now), _use(case, since)) if case else (None, None)
    rule = case.plan.review if case else None
    steps = _ladder(case, load, now) if case and load else []
    return {
        "service": service,
        "sentences": [*reviewers.sentences(adoption), *_more(use, rule, steps)],
        "adoption": adoption.to_json(),
        "use": use,
        "capacity": rule.capacity if rule else None,
        "max_age": as_duration(rule.max_age) if rule else None,
        "ladder": steps,
    }


def say(case_id: int, answer: float, who: str, comment: str, now: datetime) -> Queued:
    """Record what the answer to a case should be, in somebody's eyes; the same as the model's confirms it.

    Raises
    ------
    InputError
        If there is no such case, or the models of its plan could not answer so.
    """
    engine = wiring.build().engine
    one = reviews.get(engine, case_id)
    plan = plan_of_service(one.case.service)
    ruling = ruling_on(plan, one.case, answer) if plan else Ruling.OVERRIDDEN
    if ruling is Ruling.CONFIRMED:
        return reviews.confirm(engine, case_id, who, now, comment)
    return reviews.override(engine, case_id, answer, who, now, comment)


def desk_of(reviewer: str | None) -> Desk:
    """Return what the page of reviewers stands on; ``reviewer`` is whose page it is, None: people sign in."""
    wired = wiring.build()

    def prove(name: str, request: str, code: str) -> str | None:
        return wrong_code(name, request, SIGN, code)

    return Desk(
        engine=wired.engine,
        clock=the_time,
        plan_of=plan_of_service,
        told_of=lambda service: told_of(service, the_time()),
        say=lambda case_id, answer, who, comment: say(case_id, answer, who, comment, the_time()),
        prove=prove,
        reviewer=reviewer,
    )


def _ladder(case: Case, load: ReviewLoad, now: datetime) -> list[dict[str, Any]]:
    rule = case.plan.review
    assert rule is not None  # noqa: S101 - without it nothing was counted
    rows = []
    for one in case.each_open() or (case,):
        shares = [step.share_bp for step in one.own_plan.steps]
        for share, cases in ladder(load, shares, one.slice):
            rows.append(
                {
                    "slice": one.slice,
                    "percent": share / 100,
                    "cases": None if cases is None else round(cases, 3),
                    "fits": None if cases is None else cases <= rule.capacity,
                    "now": share == one.state.share_bp,
                    "holds": list(short_of_reviewers(rule, load, one.slice, share, now)),
                }
            )
    return rows


def _use(case: Case, since: datetime) -> dict[str, Any] | None:
    """Return what became of live requests: on the rollout's steps, or once it is done by the hour."""
    engine = wiring.build().engine
    if case.rollout.done and (hours := monitoring.history(engine, case.rollout.service, Kind.LIVE, since)):
        live = [one.body["all"] for one in hours]
        requests = sum(one["n"] for one in live)
        lost = sum(one["fallbacks"] + one["errors"] for one in live)
        return _shares(requests, requests - lost, sum(one["fallbacks"] for one in live))
    sums = [row.sums for row in store.evidence(engine, case.rollout.id) if row.batch >= since]
    traffic = [one for one in sums if isinstance(one, TrafficSum)]
    if not traffic:
        return None
    fallbacks = sum(one.fallbacks for one in traffic)
    candidate = sum(one.n1 for one in traffic)
    return _shares(sum(one.n1 + one.n0 for one in traffic), candidate - fallbacks, fallbacks)


def _shares(requests: int, answered: int, fallbacks: int) -> dict[str, Any]:
    return {
        "requests": requests,
        "by_the_model": answered,
        "fallbacks": fallbacks,
        "share": answered / requests if requests else None,
    }


def _more(use: dict[str, Any] | None, rule: Review | None, steps: list[dict[str, Any]]) -> list[str]:
    """Return what became of live requests, and the first step that reviewers hold."""
    lines = []
    if use is not None and use["share"] is not None:
        lines.append(
            f"The model answered {100 * use['share']:.1f} % of {use['requests']:,} live requests; "
            f"{use['fallbacks']:,} fell back."
        )
    holds = next((row for row in steps if row["holds"] and not row["now"]), None)
    if holds is not None:
        lines.append(f"{holds['percent']:g} % would wait: {'; '.join(holds['holds'])}.")
    elif rule is None:
        lines.append("The plan has no key `review`: no cases are drawn, and no share waits for reviewers.")
    return lines
