"""Scores one window of the request log with both sides, off the answer path."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from headgate.adapters import store
from headgate.adapters.models import HttpModel, client_for
from headgate.adapters.scoring import Scored, joined, score, shares_of
from headgate.compare.money import money_rows
from headgate.compare.rates import window_rows
from headgate.errors import InputError, ModelUnavailable, StoreError
from headgate.evidence import Entry, EvidenceRow
from headgate.plan.model import ALL
from headgate.ports import Side
from headgate.rollout.state import LIVE
from headgate.tables.slices import of_slice
from tasks import wiring
from tasks.closing import caps_of
from tasks.direct import task
from tasks.ledger import Case
from tasks.retrying import ONCE, OUTSIDE
from tasks.spreading import over_parts
from tasks.stays import stays

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@task(name="find the windows that are due", **ONCE)
def due_windows(case: Case, now: datetime, every: timedelta) -> list[tuple[datetime, datetime]]:
    """Return the complete windows that are not scored yet, oldest first.

    The first begins with the first whole block after the rollout opened, each next one where the last
    one ended: there are no gaps, and a window is a whole number of blocks.
    """
    live = any(state.phase in LIVE for state in case.states)
    if not live or not any(stays(case.rollout.id, one.slice) for one in case.each_open()):
        return []  # until the plane confirmed shadow there is no stay to count them for; they are caught up
    block = timedelta(hours=1) if case.plan.unit.block == "none" else case.plan.unit.block
    if every <= timedelta(0) or every % block:
        raise InputError(f"asked windows that are whole blocks of {block}; found {every}; change --every")
    scored = store.windows(wiring.build().engine, case.rollout.id)
    opened = case.state.opened_at
    start = scored[-1].end if scored else opened + (_EPOCH - opened) % block
    due = []
    while start + every <= now:
        due.append((start, start + every))
        start += every
    return due


@task(name="score a window", task_run_name="score {start:%Y-%m-%d} to {end:%Y-%m-%d}", **OUTSIDE)
def score_window(case: Case, start: datetime, end: datetime, now: datetime) -> dict[str, int]:
    """Score every request of a window with both sides and keep the exchanges; return the counts.

    The same window twice is once: exchanges that are there already are not scored again. A window that
    overlaps one of another run is left to that run: its requests are counted there.
    """
    wired = wiring.build()
    rollout = case.rollout
    name = f"{start:%Y-%m-%dT%H%M}Z_{end:%Y-%m-%dT%H%M}Z"
    entries = {one.slice: stays(rollout.id, one.slice) for one in case.each_open()}
    entries = {name: begun for name, begun in entries.items() if begun}
    kept = wired.lake.find_exchanges(rollout.id, name)
    if kept is None:
        scored = joined(over_parts(score_part, start, end, case=case, name=name, entries=entries))
        _refuse_without_incumbent(scored, name)
        kept = wired.lake.keep_exchanges(rollout.id, name, scored.table, scored.counts)
    rows = [
        row
        for one in case.each_open()
        if one.slice in entries
        for row in _told(one, kept.table, entries[one.slice], name, start)
    ]
    window = store.Window(start, end, str(kept.path), kept.digest, kept.counts, scored_at=now)
    try:
        store.add_window(wired.engine, rollout.id, window, rows, tick=case.next_tick)
    except StoreError:
        if _overlaps(store.windows(wired.engine, rollout.id), window):
            return {}
        raise
    return dict(kept.counts)


@task(name="score a part", task_run_name="score {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}", **OUTSIDE)
def score_part(
    case: Case, name: str, entries: dict[str, Sequence[Entry]], start: datetime, end: datetime
) -> Scored:
    """Score a part of a window; the whole of it where there is no cluster."""
    requests = wiring.lake_alone().read_requests(case.plan, start, end)
    return asyncio.run(_score(case, requests, name, entries))


def _told(
    case: Case, exchanges: pa.Table, entries: Sequence[Entry], part: str, start: datetime
) -> list[EvidenceRow]:
    """Return what a window's exchanges tell of one slice without a label: rates, costs and values."""
    mine = of_slice(exchanges, case.slice)
    rows = window_rows(case.plan, mine, entries, part)
    rows += money_rows(case.plan, mine, entries, part, caps_of(case, start))
    return [replace(row, slice=case.slice) for row in rows]


def _overlaps(known: Sequence[store.Window], window: store.Window) -> bool:
    return any(
        other.start < window.end
        and window.start < other.end
        and (other.start, other.end) != (window.start, window.end)
        for other in known
    )


def _refuse_without_incumbent(scored: Scored, name: str) -> None:
    """Raise where most of a window has no incumbent: kept, it could never be compared any more.

    The candidate's failures are evidence and are kept; the incumbent's say nothing about the candidate,
    and the requests are still there when it is back.
    """
    answered, asked = scored.counts.get("incumbent_ok", 0), scored.counts["scored"]
    if asked and answered < asked / 2:
        raise ModelUnavailable(
            f"asked the incumbent for the {asked} requests of window {name}; it answered {answered}; "
            "nothing was kept: mend its server, and the next run scores the window again"
        )


async def _score(case: Case, requests: pa.Table, name: str, entries: Mapping[str, Sequence[Entry]]) -> Scored:
    """Score a window with both sides; the share of every request is that of its slice."""
    plan, frozen = case.plan, case.state.versions
    versions = dict(zip((Side.INCUMBENT, Side.CANDIDATE), frozen, strict=True)) if frozen else None
    async with client_for(plan.incumbent, plan.candidate) as client:
        incumbent, candidate = (
            HttpModel(ref, plan.serving, plan.answers, client, contract=plan.input)
            for ref in (plan.incumbent, plan.candidate)
        )
        shares = {slice_: shares_of(begun) for slice_, begun in entries.items()}
        return await score(
            requests,
            plan,
            incumbent,
            candidate,
            window=name,
            share_of=shares if plan.slices else shares[ALL],
            versions=versions,
        )
