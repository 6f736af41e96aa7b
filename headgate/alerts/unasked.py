"""Alerts that no tick can give: that ticks have stopped, and that a message did not arrive."""

from __future__ import annotations

from datetime import datetime, timedelta

from headgate.alerts.alert import Alert, owners
from headgate.alerts.masking import Mask
from headgate.alerts.routing import UNDELIVERED, Route
from headgate.plan.duties import NoticeKind
from headgate.plan.model import ALL, Plan
from headgate.report.formats import lasting, percent, when
from headgate.rollout.state import State

#: Two words of silence within this time are one.
_ONE_SILENCE = timedelta(minutes=10)


def silence_of(
    service: str, plan: Plan | None, state: State | None, last_tick: datetime | None, now: datetime
) -> Alert:
    """Return the alert that the ticks of a service have stopped.

    Parameters
    ----------
    plan, state
        Of the rollout that holds the service's lease; None: no rollout of it is open.
    last_tick
        When its last tick was taken.
    """
    since = f"The last tick on record is of {when(last_tick)}. " if last_tick else ""
    rollout = state.rollout if state else ""
    share = (
        f"{percent(state.share_bp)} of its traffic is the candidate's"
        if state
        else "no rollout of it is open"
    )
    number = int(now.timestamp() // _ONE_SILENCE.total_seconds())
    subject = f"SILENCE: the ticks of {service} have stopped"
    return Alert(
        key=f"{rollout or service}/{ALL}/{NoticeKind.SILENCE.value}/{service}/{number}",
        kind=NoticeKind.SILENCE,
        rollout=rollout,
        service=service,
        slice=state.slice if state else ALL,
        at=now,
        subject=subject,
        text=f"{since}Nothing is judged and nothing rolls back by itself; {share}.\n"
        f"Why: no tick was heard of for longer than its schedule allows.\n"
        f"To do: `headgate doctor`; look whether worker, server and the schedule of advance/{service} run. "
        f"`headgate kill {service} --as YOU --reason WHY` takes all traffic back without them",
        to=owners(plan) if plan else (),
        facts=(("rollout", rollout), ("service", service)) if rollout else (("service", service),),
    )


def undelivered(
    first: Alert,
    number: int,
    route: Route,
    detail: str,
    *,
    plan: Plan | None,
    now: datetime,
    waited: timedelta,
) -> Alert:
    """Return the alert that a message did not arrive.

    Parameters
    ----------
    first, number
        The oldest alert in that message, and its id.
    detail
        What came back from the last attempt.
    """
    subject = f"a message did not arrive at {route.name}"
    mask = Mask(shown=owners(plan) if plan else ())
    return Alert(
        key=f"{first.rollout or first.service}/{first.slice}/{NoticeKind.INCIDENT.value}/{UNDELIVERED}/"
        f"{route.name}/{number}",
        kind=NoticeKind.INCIDENT,
        rollout=first.rollout,
        service=first.service,
        slice=first.slice,
        at=now,
        subject=f"{first.rollout or first.service}: {subject}",
        text=f"It was meant to be there within {lasting(route.within)} and has been tried for "
        f"{lasting(waited)}: {first.subject}\n"
        f"Why: {mask(detail)}\nTo do: mend the route; `headgate doctor` lists what nobody was told",
        to=owners(plan) if plan else (),
        facts=(("rollout", first.rollout), ("service", first.service), ("route", route.name)),
    )
