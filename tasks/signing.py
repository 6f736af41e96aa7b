"""Signatures under a plan: required roles, and the readiness questionnaire; and whether they stand now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from headgate.adapters import store
from headgate.codes import signoff_request
from headgate.errors import InputError
from headgate.plan import Plan
from headgate.readiness import ROLE, Readiness, objections
from headgate.rollout.state import Check
from tasks import wiring
from tasks.approvers import unproved
from tasks.people import Heard, keepable, unkeepable

if TYPE_CHECKING:
    from tasks.ledger import Case  # it imports Prefect, which signing does not need

#: What codes of signatures are computed for.
SIGN = "sign"


def signing_request(rollout_id: str, role: str) -> str:
    """Return the name of a signature in a role, which codes are bound to.

    Raises
    ------
    InputError
        If there is no such rollout, or its plan asks for no signature in that role.
    """
    rollout, _ = _asked_for(rollout_id, role)
    return signoff_request(rollout_id, role, plan_hash=rollout.plan_hash)


def sign_off(
    rollout_id: str, role: str, approver: str, code: str, comment: str, now: datetime, *, origin: str
) -> Heard:
    """Hear somebody sign a rollout's plan in a role it asks for.

    What is refused is recorded as well, and returned; the same origin again gets what came of it.

    Raises
    ------
    InputError
        As `signing_request`, or if the role is that of the questionnaire.
    """
    if role == ROLE:
        raise InputError(f"asked a role to sign in; found {role!r}, which is answered: `headgate {ROLE}`")
    return _signed(rollout_id, role, approver, code, comment, {}, now, origin)


def answer_questionnaire(
    rollout_id: str, answers: Readiness, approver: str, code: str, comment: str, now: datetime, *, origin: str
) -> Heard:
    """Hear somebody answer the readiness questionnaire. An honest "no" is recorded, and keeps it waiting.

    Raises
    ------
    InputError
        As `signing_request`, for the questionnaire.
    """
    given = answers.as_answers()
    heard = _signed(rollout_id, ROLE, approver, code, comment, given, now, origin)
    missing = objections(given)
    if not heard.accepted or not missing:
        return heard
    told = f"{heard.reason}; it goes on waiting: {'; '.join(missing)}; settle that and answer again"
    return Heard(heard.accepted, told, settled=False)


def signed_checks(case: Case, now: datetime) -> tuple[Check, ...]:
    """Return a check for every signature that the plan asks for; one that is missing or over waits."""
    roles = _roles(case.plan)
    found = store.signatures(wiring.build().engine, case.rollout.plan_hash) if roles else {}
    return tuple(
        Check(f"sign-off {role}" if role != ROLE else ROLE, *_stands(case, role, found.get(role), now))
        for role in roles
    )


def _stands(case: Case, role: str, found: store.Signature | None, now: datetime) -> tuple[bool | None, str]:
    """Return whether a signature stands (None: it waits for somebody), and a sentence about it."""
    give = f"`{_command(case.rollout.id, role)}`"
    if found is None:
        request = signoff_request(case.rollout.id, role, plan_hash=case.rollout.plan_hash)
        what = "nobody has answered it" if role == ROLE else f"nobody has signed as {role}"
        return None, f"{what}; give it with {give} (request {request})"
    at, until = f"{found.at:%Y-%m-%d %H:%M} UTC", f"{found.expires_at:%Y-%m-%d %H:%M} UTC"
    if found.expires_at <= now:
        return None, f"what {found.name} said at {at} held until {until}; give it again with {give}"
    if role == ROLE and (missing := objections(found.answers)):
        return None, f"{found.name} answered at {at}: {', '.join(missing)}; settle that, then {give}"
    return True, f"{'answered' if role == ROLE else 'signed'} by {found.name} at {at}, until {until}"


def _command(rollout_id: str, role: str) -> str:
    return (
        f"headgate {ROLE} {rollout_id} --as YOU"
        if role == ROLE
        else f"headgate signoff {rollout_id} --role {role} --as YOU --comment WHY"
    )


def _signed(
    rollout_id: str,
    role: str,
    approver: str,
    code: str,
    comment: str,
    answers: dict[str, str],
    now: datetime,
    origin: str,
) -> Heard:
    engine = wiring.build().engine
    rollout, valid = _asked_for(rollout_id, role)
    request = signoff_request(rollout_id, role, plan_hash=rollout.plan_hash)
    attempted = store.Said(
        origin, rollout_id, "all", request, keepable(approver).strip(), SIGN, datetime.now(UTC)
    )
    refusal = unkeepable(approver=approver, comment=comment, **answers)
    refusal = refusal or unproved(rollout_id, approver, request, SIGN, code)
    signature = store.Signature(
        plan_hash=rollout.plan_hash,
        role=role,
        name=keepable(approver).strip(),
        comment=keepable(comment),
        at=now,
        expires_at=now + valid,
        answers={name: keepable(given) for name, given in answers.items()},
    )
    heard = store.sign(engine, attempted, refusal, signature)
    return Heard(heard.accepted, heard.reason, settled=heard.accepted)


def _roles(plan: Plan) -> dict[str, timedelta]:
    """Return every role the plan asks a signature in, and for how long one holds."""
    roles = {signoff.role: signoff.valid for signoff in plan.signoffs}
    return roles | ({ROLE: plan.questionnaire.valid} if plan.questionnaire else {})


def _asked_for(rollout_id: str, role: str) -> tuple[store.Rollout, timedelta]:
    engine = wiring.build().engine
    rollout = store.get(engine, rollout_id)
    roles = _roles(store.plan_of(engine, rollout.plan_hash))
    if role not in roles:
        asked = f"it asks for {', '.join(roles)}" if roles else "it asks for none"
        raise InputError(
            f"asked to sign for {rollout_id} as {role!r}; its plan does not ask for that; {asked}"
        )
    return rollout, roles[role]
