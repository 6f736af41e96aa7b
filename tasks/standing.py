"""Where every rollout stands, slice by slice, for people and scripts that ask."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Engine

from headgate.adapters import store
from headgate.adapters.store.glimpses import Lately, lately
from headgate.errors import PlaneError, StoreError
from headgate.plan.model import Plan
from headgate.report.board import rows_of
from headgate.report.explain import Explanation, explain
from headgate.report.formats import percent
from headgate.report.glance import Glance, OpenQuestion
from headgate.rollout.ranking import prospects_of, rank_words
from headgate.rollout.slices import outcome_of
from headgate.rollout.state import Tick
from tasks import wiring
from tasks.clock import the_time
from tasks.questions import Question, open_questions


def all_standings() -> list[dict[str, Any]]:
    """Return one row per slice of every rollout, newest rollout first, as plain JSON values.

    A rollout of a plan without slices is one row, of the slice ``all``. ``outcome`` is the slice's,
    ``ended`` the whole rollout's: promoted if every slice is, else as its worst slice. ``rank`` says
    which slice the shadow evidence would let go first, and why.
    """
    return rows_of(glances())


def ticked(service: str, at: datetime) -> list[dict[str, Any]]:
    """Return the rows of a service's slices whose last tick was at this very time."""
    return rows_of([one for one in glances(service=service) if one.last.at == at])


def glances(
    now: datetime | None = None,
    *,
    service: str | None = None,
    rollout: str | None = None,
    ask_planes: bool = False,
) -> list[Glance]:
    """Return every slice as it stands now, newest rollout first.

    Parameters
    ----------
    now
        The time of looking; None: the clock's.
    service, rollout
        Of this service, of this rollout alone.
    ask_planes
        Also ask the traffic planes what they report.
    """
    engine, at = wiring.build().engine, the_time(now)
    chosen = [store.get(engine, rollout)] if rollout else store.rollouts(engine, service)
    line = _line(store.rollouts(engine, chosen[0].service) if rollout else chosen)
    return [
        one
        for found in reversed(chosen)
        for one in _of(found, at, line.get(found.id, _Place()), ask_planes=ask_planes)
    ]


def explained(
    name: str | None, now: datetime | None = None, *, ask_planes: bool = False
) -> list[Explanation]:
    """Return why each slice is not moving: of a rollout, of a service, or of all that is open.

    A service that has no open rollout is told of by its last one.

    Raises
    ------
    InputError
        If there is neither a rollout nor a service of this name; the message says which there are.
    """
    engine = wiring.build().engine
    if name is None:
        found = [one for one in glances(now, ask_planes=ask_planes) if one.ended is None]
    elif name in store.services(engine):
        every = glances(now, service=name, ask_planes=ask_planes)
        last = every[0].rollout if every else ""
        found = [one for one in every if one.ended is None] or [o for o in every if o.rollout == last]
    else:
        found = glances(now, rollout=name, ask_planes=ask_planes)
    return [explain(one) for one in found]


@dataclass(frozen=True, slots=True)
class _Place:
    """Who comes first while a rollout is queued, and whether it was the last to hold its service's lease."""

    ahead: tuple[str, ...] = ()
    last: bool = True


def _of(rollout: store.Rollout, now: datetime, place: _Place, *, ask_planes: bool) -> list[Glance]:
    engine = wiring.build().engine
    plan = _plan(engine, rollout)
    names = plan.slice_names if plan else store.slice_names(engine, rollout.id)
    found = [store.last_tick(engine, rollout.id, name) for name in names]
    ticks = [tick for tick in found if tick is not None]
    ended = outcome_of(tick.state for tick in ticks)
    rank = _rank(engine, rollout) if plan and len(ticks) > 1 else {}
    orders = () if rollout.done else store.open_orders(engine, rollout.id)
    asked = {q.slice: _open(q) for q in open_questions(rollout.id)} if plan and not rollout.done else {}
    holds = rollout.token is not None and not rollout.done
    plane = _reported(rollout) if ask_planes and holds else {}
    return [
        Glance(
            rollout=rollout.id,
            service=rollout.service,
            attempt=rollout.attempt,
            candidate=rollout.candidate_version,
            plan=plan and plan.of_slice(tick.state.slice),
            plan_hash=rollout.plan_hash,
            last=tick,
            now=now,
            since=tick.state.paused.since if tick.state.paused else new.since,
            gap=new.gap,
            ended=ended,
            ahead=place.ahead,
            last_in_force=place.last,
            question=asked.get(tick.state.slice),
            orders=tuple(o for o in orders if o.slice in ("all", tick.state.slice)),
            rank=rank.get(tick.state.slice),
            plane=plane.get(tick.state.slice, plane.get("")),
        )
        for tick in ticks
        for new in (_lately(engine, tick),)
    ]


def _plan(engine: Engine, rollout: store.Rollout) -> Plan | None:
    """Return the frozen plan; None where another Headgate froze it: what is done is still told."""
    try:
        return store.plan_of(engine, rollout.plan_hash)
    except StoreError:
        return None


@lru_cache(maxsize=256)
def _lately(engine: Engine, last: Tick) -> Lately:
    # A tick never changes, and neither does what came before it.
    return lately(engine, last)


def _open(asked: Question) -> OpenQuestion:
    return OpenQuestion(
        request=asked.request,
        step=asked.step,
        attempt=asked.attempt,
        asked_at=asked.asked_at,
        expires_at=asked.expires_at,
        needed=asked.approvers_needed,
        approved_by=asked.approved_by,
    )


def _line(rollouts: Sequence[store.Rollout]) -> dict[str, _Place]:
    """Return the place of each rollout in the line for its service; given in the order they were opened."""
    waiting: dict[str, list[str]] = {}
    ahead: dict[str, tuple[str, ...]] = {}
    newest: dict[str, store.Rollout] = {}
    for one in rollouts:
        if not one.done:
            line = waiting.setdefault(one.service, [])
            ahead[one.id] = tuple(line) if one.token is None else ()
            line.append(one.id)
        if one.token is not None and one.token >= (newest.get(one.service, one).token or 0):
            newest[one.service] = one
    last = {one.id for one in newest.values()}
    return {one.id: _Place(ahead.get(one.id, ()), one.id in last) for one in rollouts}


def _reported(rollout: store.Rollout) -> dict[str, str]:
    """Return per slice what the plane itself reports; under an empty name what is true of all."""
    try:
        seen = wiring.build().plane_of(rollout.service).observe()
    except PlaneError as err:
        # "asked …; found …; to do …": what was found is what an operator reads here.
        found = next((part for part in str(err).split("; ") if part.startswith("found ")), str(err))
        return {"": f"does not answer: {found.removeprefix('found ')}"}
    if seen.rollout != rollout.id:
        whose = f"that of {seen.rollout}" if seen.rollout else "none of ours"
        return {"": f"serves another route, {whose}"}
    shares = {part.name: part.share_bp for part in seen.slices} or {"all": seen.share_bp}
    return {name: f"{percent(bp)} at generation {seen.generation}" for name, bp in shares.items()}


@lru_cache(maxsize=64)
def _rank(engine: Engine, rollout: store.Rollout) -> dict[str, str]:
    """Return what the rollout's own shadow evidence says of each slice."""
    counts: Counter[str] = Counter()
    for window in store.windows(engine, rollout.id):
        counts.update(window.counts)
    plan = store.plan_of(engine, rollout.plan_hash)
    shares = {name: counts[f"slice.{name}"] / max(counts["read"], 1) for name in plan.slice_names}
    return rank_words(prospects_of(plan, store.evidence(engine, rollout.id), shares))
