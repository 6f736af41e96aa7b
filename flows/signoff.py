"""What a plan asks people to sign before any traffic moves: the run's form in Prefect is the form.

A code stays among the run's parameters: it is for this one signature and is worth nothing minutes later.
"""

from __future__ import annotations

from datetime import datetime

from prefect import flow
from prefect.runtime import flow_run

from headgate.errors import InputError
from headgate.readiness import DataKind, Readiness
from tasks.clock import the_time
from tasks.people import Heard
from tasks.signing import answer_questionnaire, sign_off


@flow(name="signoff", flow_run_name="SIGN OFF {rollout} as {role}")
def signoff(
    rollout: str, role: str, approver: str, code: str, comment: str, now: datetime | None = None
) -> str:
    """Sign a rollout's plan in a role that it asks for; the run fails with why where it is refused.

    Args:
        rollout: Id of the rollout, as `headgate status` shows it.
        role: A role that the plan asks for, e.g. security.
        approver: Your name as enrolled with `headgate approver add`.
        code: From `headgate approver code REQUEST --answer sign`; `headgate explain` names the request.
        comment: What you looked at; this goes into the record.
        now: The time of the signature, in UTC. Empty: the clock in use.
    """
    heard = sign_off(rollout, role, approver, code, comment, the_time(now), origin=str(flow_run.id))
    return _told(heard)


@flow(name="questionnaire", flow_run_name="READINESS of {rollout}")
def questionnaire(
    rollout: str,
    data: DataKind,
    bad_outputs: str,
    failure_modes: str,
    owner: str,
    approver: str,
    code: str,
    comment: str = "",
    now: datetime | None = None,
) -> str:
    """Answer the readiness questionnaire. An honest "no" is recorded, and the rollout goes on waiting.

    Args:
        rollout: Id of the rollout, as `headgate status` shows it.
        data: What do the gates read, live data or an export of it?
        bad_outputs: Where is it written down what happens with a bad output? Or: no.
        failure_modes: How does this model fail? Name the ways the team knows. Or: no.
        owner: Who owns it after the launch? Or: nobody.
        approver: Your name as enrolled with `headgate approver add`.
        code: From `headgate approver code REQUEST --answer sign`; `headgate explain` names the request.
        comment: Anything to add; this goes into the record.
        now: The time of the answers, in UTC. Empty: the clock in use.
    """
    answers = Readiness(data, bad_outputs, failure_modes, owner)
    heard = answer_questionnaire(
        rollout, answers, approver, code, comment, the_time(now), origin=str(flow_run.id)
    )
    return _told(heard)


def _told(heard: Heard) -> str:
    if not heard.accepted:
        raise InputError(heard.reason)
    return heard.reason
