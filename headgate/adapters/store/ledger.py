"""The ledger: what every tick decided for every slice, written once, by exactly one flow run per tick."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from headgate.adapters.codec import dump, load
from headgate.adapters.store.alerts import put_alerts
from headgate.adapters.store.engine import reading, writing
from headgate.adapters.store.rollout_rows import Rollout, row_of, value_of
from headgate.adapters.store.tables import (
    ActedRow,
    ButtonRow,
    ConfirmationRow,
    LeaseRow,
    LedgerRow,
    RolloutRow,
    SliceRow,
)
from headgate.alerts.alert import Alert
from headgate.errors import IllegalTransition, StandDown, StoreError
from headgate.evidence import Entry
from headgate.plan.model import ALL
from headgate.rollout.state import Phase, Tick


@dataclass(frozen=True, slots=True)
class Confirmation:
    """When the plane was first seen serving a generation: from then on this stay was in force."""

    generation: int
    at: datetime
    share_bp: int
    entry: int
    step: int

    @property
    def stay(self) -> Entry:
        """The stay that this generation put in force."""
        return Entry(self.entry, self.step, self.share_bp, self.at)


def record(
    engine: Engine,
    rollout: Rollout,
    *rows: Tick,
    acted: tuple[int, ...] = (),
    alerts: Sequence[Alert] = (),
) -> Rollout:
    """Write one tick, a row per slice that is not done, and return the rollout with its new version.

    All of it or nothing: the rows, the version, the orders it acted on, what is to be told about it, and
    at the end of a rollout (when its last slice is done) the lease. A retry by the flow run that already
    wrote this tick changes nothing and returns the rollout as it is now; that run reads its decisions back
    with `last_tick`.

    Parameters
    ----------
    rollout
        As it was read before deciding; its version and token are what this write stands on.
    acted
        Ids of the orders this tick acted on.
    alerts
        What people have to be told; one that an earlier tick wrote already stays as it is.

    Raises
    ------
    StandDown
        If another flow run owns the tick, or the rollout or its lease moved on since it was read.
    IllegalTransition
        If the rollout was done, or moves on without ever having held the lease.
    StoreError
        If the tick is not the next one of this rollout, or an order is not this rollout's.
    """
    _refuse_mixed(rollout, rows)
    first = rows[0]
    with writing(engine) as session:
        lease = session.exec(
            select(LeaseRow).where(LeaseRow.service == rollout.service).with_for_update()
        ).one_or_none()
        row = row_of(session, rollout.id, lock=True)
        if _owns(session, rollout.id, first):
            return value_of(row)
        for tick in rows:
            _stand_on(row, lease, rollout, tick)
            _follow(session, rollout.id, tick)
            add_row(session, rollout.id, tick)
        _act(session, rollout.id, first, acted)
        put_alerts(session, alerts)
        row.version += 1
        if _all_done(session, rollout.id):
            row.done = True
            if lease is not None and lease.holder == row.id:
                lease.holder = None
        session.flush()
        return value_of(row)


def last_tick(engine: Engine, rollout_id: str, slice_: str = ALL) -> Tick | None:
    """Return the newest row of a slice; one look-up in the primary key, however long the ledger."""
    with reading(engine) as session:
        return newest(session, rollout_id, slice_)


def tick_at(engine: Engine, rollout_id: str, at: datetime, slice_: str = ALL) -> Tick | None:
    """Return the row of a slice that was the newest at this time; None before its first."""
    query = (
        select(LedgerRow.body)
        .where(LedgerRow.rollout_id == rollout_id, LedgerRow.slice == slice_, col(LedgerRow.at) <= at)
        .order_by(col(LedgerRow.tick).desc())
        .limit(1)
    )
    with reading(engine) as session:
        body = session.exec(query).one_or_none()
        return None if body is None else load(Tick, body)


def newest(session: Session, rollout_id: str, slice_: str = ALL) -> Tick | None:
    """Return the same within the caller's transaction."""
    body = session.exec(
        select(LedgerRow.body)
        .where(LedgerRow.rollout_id == rollout_id, LedgerRow.slice == slice_)
        .order_by(col(LedgerRow.tick).desc())
        .limit(1)
    ).one_or_none()
    return None if body is None else load(Tick, body)


def ticks(engine: Engine, rollout_id: str, slice_: str = ALL) -> list[Tick]:
    """Return the whole ledger of a slice, oldest first."""
    query = (
        select(LedgerRow.body)
        .where(LedgerRow.rollout_id == rollout_id, LedgerRow.slice == slice_)
        .order_by(col(LedgerRow.tick))
    )
    with reading(engine) as session:
        return [load(Tick, body) for body in session.exec(query)]


def owner_of(engine: Engine, rollout_id: str, tick: int, slice_: str = ALL) -> str | None:
    """Return the flow run that wrote a tick; None while nobody has."""
    with reading(engine) as session:
        row = session.get(LedgerRow, (rollout_id, slice_, tick))
        return row.flow_run_id if row else None


def confirm(
    engine: Engine,
    rollout_id: str,
    generation: int,
    at: datetime,
    share_bp: int,
    *,
    entry: int,
    step: int,
    slice_: str = ALL,
) -> Confirmation:
    """Note that the plane reports a generation of the route, and which stay of a slice it serves.

    The first note stands, and is returned.
    """
    with writing(engine) as session:
        row_of(session, rollout_id, lock=True)
        row = session.get(ConfirmationRow, (rollout_id, slice_, generation))
        if row is None:
            row = ConfirmationRow(
                rollout_id=rollout_id,
                slice=slice_,
                generation=generation,
                at=at,
                share_bp=share_bp,
                entry=entry,
                step=step,
            )
            session.add(row)
        return _confirmation(row)


def confirmations(engine: Engine, rollout_id: str, slice_: str = ALL) -> list[Confirmation]:
    """Return what the plane confirmed of a slice, by generation."""
    query = select(ConfirmationRow).where(
        ConfirmationRow.rollout_id == rollout_id, ConfirmationRow.slice == slice_
    )
    with reading(engine) as session:
        rows = session.exec(query.order_by(col(ConfirmationRow.generation)))
        return [_confirmation(row) for row in rows]


def add_row(session: Session, rollout_id: str, tick: Tick) -> None:
    """Write one row within the caller's transaction."""
    session.add(
        LedgerRow(
            rollout_id=rollout_id,
            slice=tick.state.slice,
            tick=tick.tick,
            at=tick.at,
            flow_run_id=tick.flow_run_id,
            phase=tick.state.phase.value,
            share_bp=tick.state.share_bp,
            move=tick.decision.move.value,
            body=dump(tick),
        )
    )
    session.flush()


def _confirmation(row: ConfirmationRow) -> Confirmation:
    return Confirmation(row.generation, row.at, row.share_bp, row.entry, row.step)


def _refuse_mixed(rollout: Rollout, rows: tuple[Tick, ...]) -> None:
    """Refuse rows that are not of one tick of this rollout, one per slice."""
    whose = {row.state.rollout for row in rows}
    if whose != {rollout.id}:
        found = f"one of {', '.join(sorted(whose))}" if whose else "nothing"
        raise StoreError(f"asked to record a tick of {rollout.id}; found {found}")
    if len({(row.tick, row.flow_run_id) for row in rows}) > 1 or len({r.state.slice for r in rows}) < len(
        rows
    ):
        found = ", ".join(f"tick {row.tick} of slice {row.state.slice}" for row in rows)
        raise StoreError(f"asked one tick of {rollout.id}, one row per slice; found {found}")


def _all_done(session: Session, rollout_id: str) -> bool:
    names = session.exec(select(SliceRow.name).where(SliceRow.rollout_id == rollout_id)).all()
    last = (newest(session, rollout_id, name) for name in names)
    return all(tick is not None and tick.state.phase is Phase.DONE for tick in last)


def _owns(session: Session, rollout_id: str, tick: Tick) -> bool:
    written = session.get(LedgerRow, (rollout_id, tick.state.slice, tick.tick))
    if written is not None and written.flow_run_id != tick.flow_run_id:
        raise StandDown(f"tick {tick.tick} of {rollout_id} belongs to the flow run {written.flow_run_id}")
    return written is not None


def _stand_on(row: RolloutRow, lease: LeaseRow | None, rollout: Rollout, tick: Tick) -> None:
    """Refuse to write on anything but what was read."""
    if row.version != rollout.version:
        raise StandDown(
            f"{rollout.id} moved on to version {row.version} since version {rollout.version} was read"
        )
    if row.done:
        raise IllegalTransition(f"asked to record tick {tick.tick} of {rollout.id}; it is done")
    if row.token is None:
        if tick.state.phase not in {Phase.QUEUED, Phase.DONE}:
            raise IllegalTransition(
                f"asked to move {rollout.id} to {tick.state.phase.value}; it is queued and holds no lease "
                f"of {rollout.service}"
            )
    elif lease is None or lease.holder != row.id or lease.token != rollout.token:
        raise StandDown(f"the lease of {rollout.service} has passed on from {rollout.id}")


def _follow(session: Session, rollout_id: str, tick: Tick) -> None:
    before = newest(session, rollout_id, tick.state.slice)
    after = -1 if before is None else before.tick
    # A slice that was done wrote no rows while others went on: reopened, it goes on with their number.
    skips = before is not None and before.state.phase is Phase.DONE and tick.tick > after
    if tick.tick != after + 1 and not skips:
        raise StoreError(f"asked to record tick {tick.tick} of {rollout_id}; the next one is {after + 1}")


def _act(session: Session, rollout_id: str, tick: Tick, acted: tuple[int, ...]) -> None:
    for order in sorted(set(acted)):
        button = session.get(ButtonRow, order)
        if button is None or button.rollout_id != rollout_id:
            raise StoreError(f"asked to act on the order {order}; {rollout_id} has no such order")
        if session.get(ActedRow, order) is not None:
            raise StoreError(f"asked to act on the order {order} of {rollout_id}; a tick did before")
        session.add(ActedRow(button_id=order, rollout_id=rollout_id, slice=tick.state.slice, tick=tick.tick))
