"""A plan replayed over history, by the very judge, decide and apply that the live flows use.

Nothing is deployed: the plane always agrees and confirms at once, the servers always answer as the plan
says, preflight is taken as passed, and approvals are given at once or never. The rollout is in shadow from
the first exchange on; only the clock is played.

Segments are frozen over the whole history. Live they are frozen over the weeks before a rollout; here there
are none, and a list made from the first days alone would miss values that every reader of the files expects
to be held. Only their sizes are looked at, never an answer or an outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow.compute as pc

from headgate.backtest.climb import Climb, ReplayedTick
from headgate.backtest.history import History
from headgate.backtest.intake import Clock, Piece, Served
from headgate.errors import InputError
from headgate.evidence import Entry
from headgate.plan.calendar import OpenHours
from headgate.plan.model import ALL, Plan
from headgate.rollout import stays
from headgate.rollout.slices import outcome_of
from headgate.rollout.state import (
    Approval,
    Outcome,
    Phase,
)
from headgate.tables.slices import slice_of

__all__ = ["Progress", "Replay", "ReplayedTick", "frozen_segments", "replay"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Replay:
    """What a plan would have decided.

    Attributes
    ----------
    outcome
        How the rollout ended; None where the data ends first.
    segments
        As they were frozen.
    stays
        Per slice its stays on steps, in order of time.
    traffic
        Per slice and entry whom callers would have met.
    approvals
        Per slice; given by nobody: invented for ``--approve auto``.
    changed
        Requests on which the candidate decides otherwise than the incumbent, and all that both answered,
        while the rollout lasted. Of numbers: on which the answers differ.
    """

    plan: Plan
    first_at: datetime
    last_at: datetime
    exchanges: int
    outcomes: int
    data_quality: Mapping[str, int]
    outcome: Outcome | None
    segments: Mapping[str, tuple[str, ...]]
    ticks: tuple[ReplayedTick, ...]
    stays: Mapping[str, tuple[Entry, ...]]
    traffic: Mapping[str, Mapping[int, Served]]
    approvals: Mapping[str, tuple[Approval, ...]]
    changed: tuple[int, int]


def replay(
    plan: Plan,
    history: History,
    *,
    every: timedelta = timedelta(days=1),
    approve: bool = True,
    progress: Progress = lambda _done, _all: None,
) -> Replay:
    """Return what the plan would have decided, tick by tick.

    Parameters
    ----------
    plan
        The whole plan.
    every
        Between two ticks; the first is the first exchange's time + ``every``, none comes after the last
        exchange's + the plan's maturity. A tick comes in between when the calendar opens for a slice that
        waits for it, and when an approval that was given would otherwise have expired.
    approve
        Whether approvals are given as soon as they are asked for, by as many people as are asked.
    progress
        Told the exchanges read so far, and all of them.

    Raises
    ------
    InputError
        If ``every`` is not above zero, or the history is not as the plan asks.
    """
    if every <= timedelta(0):
        raise InputError(f"asked a time between ticks above zero; found {every}; write 1d")
    segments = frozen_segments(plan, history)
    clock = Clock(plan, history)
    climbs = [Climb(plan, name, history.first_at, segments, approve=approve) for name in plan.slice_names]
    ticks: list[ReplayedTick] = []
    last, hours = history.last_at + plan.outcomes.maturity, OpenHours.of(plan.calendar)
    regular, now, number, read = history.first_at + every, history.first_at + every, 0, 0
    while now <= last and not all(climb.done for climb in climbs):
        number += 1
        for piece in clock.until(now):
            read += piece.seen.num_rows
            _distribute(plan, piece, climbs, part=f"tick-{number}")
            progress(read, history.rows)
        ticks += [climb.tick(number, now) for climb in climbs if not climb.done]
        while regular <= now:
            regular += every
        wanted = [at for climb in climbs for at in climb.wanted(hours, now, regular)]
        now = min([regular, *(at for at in wanted if at > now)])
    clock.stop()
    for climb in climbs:
        # The plane confirms at once, so a rollback that was decided is carried out, data or no data.
        if climb.state.phase is Phase.ROLLING_BACK:
            ticks.append(climb.tick(number + 1, now))
    return Replay(
        plan=plan,
        first_at=history.first_at,
        last_at=history.last_at,
        exchanges=history.rows,
        outcomes=history.outcomes,
        data_quality=history.data_quality,
        outcome=outcome_of(climb.state for climb in climbs),
        segments=segments,
        ticks=tuple(ticks),
        stays={climb.slice: stays(climb.entries) for climb in climbs},
        traffic={climb.slice: climb.served for climb in climbs},
        approvals={climb.slice: tuple(climb.approvals) for climb in climbs},
        changed=(sum(climb.changed[0] for climb in climbs), sum(climb.changed[1] for climb in climbs)),
    )


def frozen_segments(plan: Plan, history: History) -> dict[str, tuple[str, ...]]:
    """Return per segment column the values above the floor, in order of names."""
    if plan.segments is None:
        return {}
    least = plan.segments.floor * history.rows
    return {
        column: tuple(sorted(value for value, count in history.segments[column].items() if count >= least))
        for column in plan.segments.by
    }


def _distribute(plan: Plan, piece: Piece, climbs: Sequence[Climb], part: str) -> None:
    """Hand every slice its exchanges; those of no slice stay with the incumbent."""
    if plan.slice_names == (ALL,):
        climbs[0].take(piece, part)
        return
    seen = slice_of(plan, piece.seen)
    block = None if piece.block is None else slice_of(plan, piece.block)
    for climb in climbs:
        mine = Piece(
            piece.seen.filter(pc.fill_null(pc.equal(seen, climb.slice), False)),
            None
            if piece.block is None
            else piece.block.filter(pc.fill_null(pc.equal(block, climb.slice), False)),
            piece.span,
        )
        climb.take(mine, part)
