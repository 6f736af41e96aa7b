"""What the monitor tells people: drift, a model that does worse, requests or labels that stopped coming.

Each is told when it begins, not with every window that shows it: the key names the beginning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from headgate.alerts.alert import Alert, owners, shortened
from headgate.performance.episodes import episode, joined
from headgate.performance.monitored import Monitored, Word
from headgate.plan.duties import NoticeKind
from headgate.plan.model import ALL, Plan
from headgate.report.formats import lasting, when


@dataclass(frozen=True, slots=True)
class About:
    """Whose alerts these are.

    Attributes
    ----------
    rollout
        Whose plan says who is told.
    version
        Of the model that serves.
    under_way
        The rollout is not done: nothing is retrained meanwhile.
    """

    service: str
    rollout: str
    plan: Plan
    version: str
    under_way: bool = False


def window_alerts(about: About, found: Monitored, before: Sequence[Monitored]) -> tuple[Alert, ...]:
    """Return what is told of a window: drift that begins, or columns that join one; a gap in the requests.

    Parameters
    ----------
    before
        The windows of this model before, in order of time.
    """
    match found.verdict:
        case Word.DRIFT:
            return _drift(about, found, before)
        case Word.NO_DATA:
            return (no_data(about, found.since, found.until - found.since, found.at),)
        case _:
            return ()


def cohort_alerts(about: About, found: Monitored, before: Sequence[Monitored]) -> tuple[Alert, ...]:
    """Return what is told of a cohort: that the model does worse, or that labels stopped coming."""
    if before and before[-1].verdict == found.verdict:
        return ()
    subject: str
    match found.verdict:
        case Word.DEGRADED:
            kind, subject = NoticeKind.DEGRADED, f"DOES WORSE: {about.version} on {about.service}"
            todo = f"{_retrained(about)}; `headgate monitoring {about.service}` shows the trend"
        case Word.NO_LABELS:
            kind, subject = NoticeKind.NO_DATA, f"NO LABELS: outcomes of {about.service} have stopped coming"
            todo = f"look who writes {about.plan.outcomes.path}; until labels come only estimates are there"
        case _:
            return ()
    why = "; ".join(shortened(reason) for reason in found.body["reasons"])
    return (_alert(about, kind, found.since, found.at, subject, f"Why: {why}\nTo do: {todo}"),)


def no_data(about: About, last: datetime, missing: timedelta, now: datetime) -> Alert:
    """Return the alert that no request has come since ``last``: one per silence."""
    return _alert(
        about,
        NoticeKind.NO_DATA,
        last,
        now,
        f"NO DATA: no request of {about.service} is logged since {when(last)}",
        f"Why: nothing came for {lasting(missing)}; without requests nothing is watched, nothing is fine\n"
        f"To do: look whether callers reach the service and who writes {about.plan.requests.path}",
    )


def _drift(about: About, found: Monitored, before: Sequence[Monitored]) -> tuple[Alert, ...]:
    began = episode([*before, found])
    new = joined(before, found)
    if began is None or not new:
        return ()
    drift: dict[str, Any] = found.body["drift"]
    columns = ", ".join(_sized(name, drift) for name in new)
    first = began.since == found.since
    subject = (
        f"DRIFT on {about.service}: {columns}" if first else f"DRIFT on {about.service} spreads: {columns}"
    )
    todo = (
        _retrained(about)
        if drift["worth_training_on"]
        else "mend what feeds the model: training on it would not help"
    )
    since = f" since {drift['since'][:10]}" if drift["since"] else ""
    alert = _alert(
        about,
        NoticeKind.DRIFT,
        found.since,
        found.at,
        subject,
        f"Why: {shortened(drift['said'])}{since}; held against {found.body['reference']}\n"
        f"To do: {todo}; `headgate monitoring {about.service}` shows every column",
        columns=", ".join(new),
    )
    return (alert,)


def _sized(name: str, drift: dict[str, Any]) -> str:
    if name == "*":
        return "all columns together"
    effect = drift["effects"].get(name, {}).get("effect")
    return name if effect is None else f"{name} ({effect:.2f})"


def _retrained(about: About) -> str:
    watch = about.plan.drift
    if about.under_way:
        return "its rollout is under way, and its gates judge; nothing is retrained meanwhile"
    if watch is not None and watch.then == "retrain":
        return "a retraining begins by itself, unless one did within its cooldown; its result is a rollout"
    return f"decide whether to train anew: `headgate retrain {about.service}`"


def _alert(
    about: About, kind: NoticeKind, since: datetime, now: datetime, subject: str, text: str, **facts: str
) -> Alert:
    told = {"service": about.service, "version": about.version, "rollout": about.rollout, **facts}
    return Alert(
        key=f"{about.rollout}/{ALL}/{kind.value}/{about.version}/{since:%Y-%m-%dT%H:%MZ}",
        kind=kind,
        rollout=about.rollout,
        service=about.service,
        slice=ALL,
        at=now,
        subject=subject,
        text=text,
        to=owners(about.plan),
        facts=tuple(told.items()),
    )
