"""What people are told of a retraining that has ended."""

from __future__ import annotations

from datetime import datetime

from headgate.alerts.alert import Alert, owners, shortened
from headgate.plan.duties import NoticeKind
from headgate.plan.model import ALL, Plan


def retrained(
    plan: Plan,
    under: str,
    version: str,
    number: int,
    opened: str,
    reason: str,
    at: datetime,
    *,
    accepted: bool,
) -> Alert:
    """Return the alert: its routes are those of ``drift``, which is what most of them began with.

    Parameters
    ----------
    under
        The rollout whose plan says how to train, and whom to tell.
    number
        Of the retraining: told again it is the same alert.
    opened
        The rollout of the new model; empty where there is none.
    """
    service = plan.service
    if accepted:
        subject = f"RETRAINED: {version} of {service} is made" + (f" and opens {opened}" if opened else "")
        url = plan.retrain.address_of(version) if plan.retrain else None
        todo = (
            f"serve {version} at {url}; its rollout waits for that, for sign-offs and for its turn; nothing "
            "is served before its gates"
        )
        if not opened:
            card = f"`headgate shelf card {plan.candidate.model} {version}`"
            todo = f"{card} shows it; no rollout was asked for"
    else:
        subject = f"RETRAINING REFUSED: {version} of {service} is not used"
        again = f"then `headgate retrain {service}`"
        todo = f"the model that serves goes on; look at the trainer and its data, {again}"
    return Alert(
        key=f"{under}/{ALL}/{NoticeKind.DRIFT.value}/retraining/{number}",
        kind=NoticeKind.DRIFT,
        rollout=under,
        service=service,
        slice=ALL,
        at=at,
        subject=subject,
        text=f"Why: {shortened(reason)}\nTo do: {todo}",
        to=owners(plan),
        facts=(("service", service), ("version", version), ("rollout", opened or under)),
    )
