"""The example's two operators, enrolled, each with a secret in a file that only its owner can read."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from headgate.adapters import store
from headgate.adapters.keys import write_private
from headgate.codes import code_of
from headgate.errors import HeadgateError
from headgate.readiness import ROLE, DataKind, Readiness
from tasks import wiring
from tasks.approvers import approver_list, enrol
from tasks.people import Heard
from tasks.signing import SIGN, answer_questionnaire, sign_off, signing_request

#: Neither is the author of the example's plan, who may not approve it.
OPERATORS = ("ada@example.org", "ben@example.org")


def enrol_operators(run: Path, now: datetime) -> None:
    """Enrol both operators once, and keep each secret in a file that only its owner can read."""
    folder = run / "approvers"
    folder.mkdir(mode=0o700, exist_ok=True)
    known = {approver.name for approver in approver_list()}
    for name in OPERATORS:
        if name not in known:
            write_private(secret_file(run, name), enrol(name, "headgate up", now) + "\n")


def secret_file(run: Path, name: str) -> Path:
    """Return where an operator's secret is kept."""
    return run / "approvers" / f"{name}.secret"


def sign_for(run: Path, rollout: str, now: datetime) -> None:
    """Let the operators give every signature that the rollout's plan asks for, so that it can begin."""
    engine = wiring.build().engine
    plan = store.plan_of(engine, store.get(engine, rollout).plan_hash)
    roles = [signoff.role for signoff in plan.signoffs]
    for number, role in enumerate([*roles, *([ROLE] if plan.questionnaire else [])]):
        name = OPERATORS[number % len(OPERATORS)]
        secret = secret_file(run, name).read_text(encoding="utf-8")
        code = code_of(secret, signing_request(rollout, role), SIGN, datetime.now(UTC))
        heard = _say(rollout, role, name, code, now)
        if not heard.accepted:
            raise HeadgateError(f"asked {name} to sign {rollout} as {role}; found: {heard.reason}")


def _say(rollout: str, role: str, name: str, code: str, now: datetime) -> Heard:
    comment, origin = "example: signed by `headgate up`", f"up:{rollout}:{role}"
    if role != ROLE:
        return sign_off(rollout, role, name, code, comment, now, origin=origin)
    answers = Readiness(
        data=DataKind.LIVE,
        bad_outputs="docs/operators.md: the plane falls back to the incumbent",
        failure_modes="a server that lost a step of its preprocessing answers as if nothing were wrong",
        owner="Owner of flight delays",
    )
    return answer_questionnaire(rollout, answers, name, code, comment, now, origin=origin)
