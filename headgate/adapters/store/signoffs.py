"""Signatures under a plan, by role; the readiness questionnaire is one of them, with answers."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from headgate.adapters.codec import compact
from headgate.adapters.store.answers import author_of, refuse_author
from headgate.adapters.store.engine import reading
from headgate.adapters.store.rollout_rows import row_of
from headgate.adapters.store.said import Said, hear
from headgate.adapters.store.tables import SignOffRow
from headgate.errors import InputError
from headgate.readiness import ROLE
from headgate.rollout.questions import person


@dataclass(frozen=True, slots=True)
class Signature:
    """Somebody's word for a plan, in a role, for a time.

    Attributes
    ----------
    answers
        Of the questionnaire: question to answer; else empty.
    """

    plan_hash: str
    role: str
    name: str
    comment: str
    at: datetime
    expires_at: datetime
    answers: dict[str, str] = field(default_factory=dict)


def sign(engine: Engine, said: Said, refusal: str | None, signature: Signature) -> Said:
    """Hear an attempt to sign; unless it is refused, the signature is recorded in the same write.

    Signing again is allowed: of one role the newest signature counts, and may hold for longer.
    """
    author = author_of(engine, said.rollout)

    def effect(session: Session) -> str:
        refuse_author(said.rollout, signature.name, author)
        row = row_of(session, said.rollout, lock=True)
        if row.done:
            raise InputError(f"asked to sign for {row.id}; it is done: nothing is left to sign for")
        session.add(_row(row.id, signature))
        if signature.role == ROLE:
            return f"{signature.name} answers the {ROLE} of {row.id}"
        return f"{signature.name} signs the plan of {row.id} as {signature.role}"

    return hear(engine, said, refusal, effect)


def signatures(engine: Engine, plan_hash: str) -> dict[str, Signature]:
    """Return the newest signature under a plan for every role that has one."""
    query = select(SignOffRow).where(SignOffRow.plan_hash == plan_hash).order_by(col(SignOffRow.id))
    with reading(engine) as session:
        return {row.role: _value(row) for row in session.exec(query)}


def _row(rollout_id: str, signature: Signature) -> SignOffRow:
    return SignOffRow(
        rollout_id=rollout_id,
        plan_hash=signature.plan_hash,
        role=signature.role,
        person=person(signature.name),
        name=signature.name.strip(),
        comment=signature.comment,
        answers=compact(signature.answers),
        at=signature.at,
        expires_at=signature.expires_at,
    )


def _value(row: SignOffRow) -> Signature:
    return Signature(
        plan_hash=row.plan_hash,
        role=row.role,
        name=row.name,
        comment=row.comment,
        at=row.at,
        expires_at=row.expires_at,
        answers=json.loads(row.answers),
    )
