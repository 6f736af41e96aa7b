"""Plans by their hash: frozen text, read back only if it still is what its hash says."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime

from pydantic import ValidationError
from sqlalchemy import Engine
from sqlmodel import Session

from headgate.adapters.codec import compact
from headgate.adapters.store.engine import reading, writing
from headgate.adapters.store.tables import PlanRow
from headgate.errors import InputError, StoreError
from headgate.plan.model import Plan


def save_plan(engine: Engine, plan: Plan, at: datetime) -> str:
    """Keep a plan and return its hash; a plan that is already there stays as it is."""
    with writing(engine) as session:
        return put_plan(session, plan, at)


def put_plan(session: Session, plan: Plan, at: datetime) -> str:
    """Do the same within the caller's transaction."""
    key = plan.hash
    if session.get(PlanRow, key) is None:
        session.add(PlanRow(hash=key, name=plan.name, body=compact(plan.canonical()), saved_at=at))
        session.flush()
    return key


def plan_of(engine: Engine, plan_hash: str) -> Plan:
    """Return the plan with this hash.

    Raises
    ------
    InputError
        If no such plan was saved.
    StoreError
        If the text no longer has that hash, or this Headgate reads it as another plan.
    """
    with reading(engine) as session:
        row = session.get(PlanRow, plan_hash)
        body = row.body if row else None
    if body is None:
        raise InputError(f"asked the plan {plan_hash!r}; the store holds none with that hash")
    if hashlib.sha256(body.encode()).hexdigest() != plan_hash:
        raise StoreError(
            f"asked the plan {plan_hash}; its text in the store has another hash: it was altered"
        )
    try:
        plan = Plan.model_validate(json.loads(body))
    except ValidationError as err:
        raise StoreError(f"plan {plan_hash} is of a schema this Headgate does not know: {err}") from err
    if plan.hash != plan_hash:
        raise StoreError(
            f"plan {plan_hash} reads as {plan.hash} here, so this Headgate gives it other defaults; "
            "finish its rollout with the Headgate that opened it"
        )
    return plan
