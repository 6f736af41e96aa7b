"""What people press: orders, open until a tick acted on them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from headgate.adapters.store.engine import reading, writing
from headgate.adapters.store.rollout_rows import row_of
from headgate.adapters.store.tables import ActedRow, ButtonRow
from headgate.errors import IllegalTransition, InputError
from headgate.plan.model import ALL
from headgate.rollout.state import Order, Verb


def press(
    engine: Engine, rollout_id: str, verb: Verb, by: str, reason: str, at: datetime, slice_: str = ALL
) -> Order:
    """Record a button pressed, for one slice or for ``all``; the next tick acts on it.

    Raises
    ------
    InputError
        If the rollout is unknown, or nobody or no reason is given.
    IllegalTransition
        If the rollout is done.
    """
    with writing(engine) as session:
        if row_of(session, rollout_id, lock=True).done:
            raise IllegalTransition(
                f"asked to {verb.value} {rollout_id}; it is done: nothing is left to stop"
            )
        return put_order(session, rollout_id, verb, by, reason, at, slice_)


def put_order(
    session: Session, rollout_id: str, verb: Verb, by: str, reason: str, at: datetime, slice_: str = ALL
) -> Order:
    """Record an order within the caller's transaction, which has locked the rollout.

    Raises
    ------
    InputError
        If nobody or no reason is given.
    """
    for what, given in (("who presses it", by), ("a reason", reason)):
        if not given.strip():
            raise InputError(f"asked {what} for {verb.value} of {rollout_id}; found nothing; give one")
    row = ButtonRow(
        rollout_id=rollout_id,
        slice=slice_,
        verb=verb.value,
        pressed_by=by.strip(),
        reason=reason.strip(),
        at=at,
    )
    session.add(row)
    session.flush()
    return _order(row)


def orders(engine: Engine, rollout_id: str) -> tuple[Order, ...]:
    """Return every order of a rollout, oldest first."""
    query = select(ButtonRow).where(ButtonRow.rollout_id == rollout_id).order_by(col(ButtonRow.id))
    with reading(engine) as session:
        return tuple(_order(row) for row in session.exec(query))


def open_orders(engine: Engine, rollout_id: str) -> tuple[Order, ...]:
    """Return the orders that no tick has acted on yet, oldest first."""
    query = (
        select(ButtonRow)
        .outerjoin(ActedRow, col(ActedRow.button_id) == col(ButtonRow.id))
        .where(ButtonRow.rollout_id == rollout_id, col(ActedRow.button_id).is_(None))
        .order_by(col(ButtonRow.id))
    )
    with reading(engine) as session:
        return tuple(_order(row) for row in session.exec(query))


def _order(row: ButtonRow) -> Order:
    assert row.id is not None  # noqa: S101 - it was flushed or read
    return Order(
        id=row.id, verb=Verb(row.verb), by=row.pressed_by, reason=row.reason, at=row.at, slice=row.slice
    )
