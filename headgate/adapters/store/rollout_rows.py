"""Rollouts as values, and how the other modules stand on their rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from headgate.adapters.store.engine import reading
from headgate.adapters.store.tables import LeaseRow, RolloutRow, SliceRow
from headgate.errors import InputError


@dataclass(frozen=True, slots=True)
class Rollout:
    """One attempt to bring one candidate to full traffic under one plan.

    Attributes
    ----------
    attempt
        From 1: the i-th of this candidate version in this service; they share alpha and beta.
    salt
        Of `headgate.routing.bucket`: the id.
    token
        Fencing token of the service's lease; None until the rollout got it. Kept when done.
    version
        Compare-and-set: whoever holds an older one stands down.
    """

    id: str
    service: str
    name: str
    plan_hash: str
    candidate_version: str
    attempt: int
    salt: str
    token: int | None
    version: int
    opened_at: datetime
    done: bool


def get(engine: Engine, rollout_id: str) -> Rollout:
    """Return a rollout.

    Raises
    ------
    InputError
        If there is none with this id.
    """
    with reading(engine) as session:
        return value_of(row_of(session, rollout_id))


def rollouts(engine: Engine, service: str | None = None) -> list[Rollout]:
    """Return all rollouts, of one service or of all, in the order they were opened."""
    query = select(RolloutRow).order_by(col(RolloutRow.seq))
    if service is not None:
        query = query.where(RolloutRow.service == service)
    with reading(engine) as session:
        return [value_of(row) for row in session.exec(query)]


def services(engine: Engine) -> list[str]:
    """Return the names of all services that ever had a rollout."""
    with reading(engine) as session:
        return sorted(session.exec(select(LeaseRow.service)))


def holder(engine: Engine, service: str) -> Rollout | None:
    """Return the rollout that holds the service's lease."""
    query = select(RolloutRow).join(LeaseRow, col(LeaseRow.holder) == col(RolloutRow.id))
    with reading(engine) as session:
        row = session.exec(query.where(LeaseRow.service == service)).one_or_none()
        return None if row is None else value_of(row)


def slice_names(engine: Engine, rollout_id: str) -> list[str]:
    """Return the names of a rollout's slices, in order of name; ``all`` where its plan has none."""
    query = select(SliceRow.name).where(SliceRow.rollout_id == rollout_id)
    with reading(engine) as session:
        return sorted(session.exec(query))


def row_of(session: Session, rollout_id: str, *, lock: bool = False) -> RolloutRow:
    """Return a rollout's row; ``lock`` keeps other writers of this rollout waiting until we commit.

    With the lock, ids given out within a rollout rise in the order of commits, so a highest id is a
    mark that nothing slips below later.
    """
    query = select(RolloutRow).where(RolloutRow.id == rollout_id)
    row = session.exec(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        known = session.exec(select(RolloutRow.id).order_by(col(RolloutRow.seq).desc()).limit(5)).all()
        raise InputError(
            f"asked the rollout {rollout_id!r}; the store holds no such rollout"
            + (f"; the last ones are {', '.join(known)}" if known else ", nor any other")
        )
    return row


def value_of(row: RolloutRow) -> Rollout:
    """Return the row as a value that may leave the store."""
    return Rollout(
        id=row.id,
        service=row.service,
        name=row.name,
        plan_hash=row.plan_hash,
        candidate_version=row.candidate_version,
        attempt=row.attempt,
        salt=row.salt,
        token=row.token,
        version=row.version,
        opened_at=row.opened_at,
        done=row.done,
    )
