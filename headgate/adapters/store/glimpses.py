"""What a glance at a slice needs of its ledger, without reading all of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median_low

from sqlalchemy import Engine
from sqlmodel import Session, col, or_, select

from headgate.adapters.codec import load
from headgate.adapters.store.engine import reading
from headgate.adapters.store.tables import LedgerRow
from headgate.plan.model import ALL
from headgate.rollout.state import Move, Phase, Tick, Waiting

#: Ticks that tell the rhythm.
_RHYTHM = 9
#: Moves that leave a rollout waiting where it is.
_WAITS = (Move.HOLD.value, Move.ASK.value)
#: Bodies fetched in one go.
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Lately:
    """The newest stretch of a slice's ledger.

    Attributes
    ----------
    since
        When it began to wait for what it waits for first; of a move, or an end, when that was.
    gap
        Median time between the last ticks; None before the third.
    """

    since: datetime
    gap: timedelta | None


def lately(engine: Engine, last: Tick) -> Lately:
    """Return the newest stretch of the ledger that ends with this tick."""
    state = last.state
    with reading(engine) as session:
        times = list(
            session.exec(
                select(LedgerRow.at)
                .where(LedgerRow.rollout_id == state.rollout, LedgerRow.slice == state.slice)
                .order_by(col(LedgerRow.tick).desc())
                .limit(_RHYTHM)
            )
        )
        gaps = [newer - older for newer, older in pairwise(times)]
        waits = last.decision.waiting_for
        moved = last.decision.move.value not in _WAITS or state.phase is Phase.DONE
        since = last.at if moved or not waits else _since(session, last, waits[0])
        return Lately(since, median_low(gaps) if len(gaps) > 1 else None)


def some_ticks(engine: Engine, rollout_id: str, slice_: str = ALL, most: int = 400) -> list[Tick]:
    """Return a slice's ledger with its holds thinned out to about ``most`` rows.

    What moved is always there, and so are the tick before and after it: a rollout that is ticked every
    few minutes holds tens of thousands of times, and no chart has room for that.
    """
    with reading(engine) as session:
        mine = (LedgerRow.rollout_id == rollout_id, LedgerRow.slice == slice_)
        rows = session.exec(
            select(LedgerRow.tick, LedgerRow.move).where(*mine).order_by(col(LedgerRow.tick))
        ).all()
        moved = {tick for tick, move in rows if move != Move.HOLD.value}
        near = {tick + side for tick in moved for side in (-1, 0, 1)}
        stride = max(1, len(rows) // most)
        wanted = [
            tick
            for at, (tick, _) in enumerate(rows)
            if at % stride == 0 or tick in near or at + 1 == len(rows)
        ]
        return [
            load(Tick, body)
            for first in range(0, len(wanted), _PAGE)
            for body in session.exec(
                select(LedgerRow.body)
                .where(*mine, col(LedgerRow.tick).in_(wanted[first : first + _PAGE]))
                .order_by(col(LedgerRow.tick))
            )
        ]


def _since(session: Session, last: Tick, waits: Waiting) -> datetime:
    """Return the first of the latest ticks that all wait for this first.

    The database looks backwards for the tick that does not; ledger text is canonical, so that a
    substring tells. Months of ticks are never read into Python.
    """
    mine = (LedgerRow.rollout_id == last.state.rollout, LedgerRow.slice == last.state.slice)
    same = col(LedgerRow.body).contains(f'"waiting_for":["{waits.value}"', autoescape=True)
    other = session.exec(
        select(LedgerRow.tick, LedgerRow.move, LedgerRow.at)
        .where(*mine, or_(col(LedgerRow.move).not_in(_WAITS), ~same))
        .order_by(col(LedgerRow.tick).desc())
        .limit(1)
    ).one_or_none()
    if other is not None and other[1] not in _WAITS:
        return other[2]  # it has waited ever since it came here
    first = 0 if other is None else other[0] + 1
    return session.exec(select(LedgerRow.at).where(*mine, LedgerRow.tick == first)).one_or_none() or last.at
