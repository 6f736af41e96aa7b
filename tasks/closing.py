"""Closes what is mature: judge-ready sums of every batch that is fully scored and old enough."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from headgate.adapters import store
from headgate.adapters.codec import instant, stamp
from headgate.adapters.stories import OUTCOMES
from headgate.compare.caps import Caps
from headgate.compare.closing import closed_rows_of
from headgate.compare.pairs import Batch, batch_of
from headgate.compare.stays import closed_batches
from headgate.evidence import Entry, EvidenceRow
from headgate.plan.applies import is_unpaired, needs_labels
from headgate.plan.model import Plan, is_capped
from headgate.rollout.state import Phase
from headgate.tables import clean_outcomes, clean_requests, unknown_outcomes
from headgate.tables.slices import of_slice
from tasks import wiring
from tasks.direct import task
from tasks.evidence import fact_of, segments_of
from tasks.ledger import Case
from tasks.retrying import OUTSIDE
from tasks.reviewing import reviews_since
from tasks.stays import stays
from tasks.traffic import BEFORE_TRAFFIC

_Span = tuple[datetime, datetime]

#: Facts of this name say how far batches are closed; they close in order.
CLOSED = "closed through "
#: Facts of this name hold a gate's frozen cap, and the first batch that is judged by it.
CAP = "cap of gate "


@task(name="close what is mature", **OUTSIDE)
def close_blocks(case: Case, now: datetime) -> int:
    """Close every batch that may be closed, for every slice; return how many.

    A batch is closed once, with the labels known at its end plus the maturity; later outcomes change
    nothing. A batch whose window has not been scored yet waits, and so do those after it.
    """
    if case.state.phase in BEFORE_TRAFFIC | {Phase.DONE}:
        return 0  # reopened by an undo: what came after its end changes nothing of it
    engine, rollout = wiring.build().engine, case.rollout
    begun = [(one, entries) for one in case.each_open() if (entries := stays(rollout.id, one.slice))]
    spans = list(_closing(case, now))
    if not spans or not begun:
        return 0
    first, last = spans[0][0], spans[-1][1]
    rows = [row for one, entries in begun for row in _rows(one, entries, spans, now)]
    store.add_evidence(engine, rollout.id, rows, tick=case.next_tick)
    faults = _faults(case, _outcomes(case.plan, first, last), first, last)
    store.freeze(engine, rollout.id, f"{OUTCOMES}{first:%Y-%m-%dT%H:%MZ}", faults, now)
    store.freeze(engine, rollout.id, f"{CLOSED}{stamp(last)}", len(spans), now)
    return len(spans)


def _rows(case: Case, entries: Sequence[Entry], spans: Sequence[_Span], now: datetime) -> list[EvidenceRow]:
    """Return the sums of one slice's batches, and freeze the caps that they are the last to set."""
    caps = _caps_before(case, entries, spans[0][0])
    rows = []
    for span, batch in _batches(case, entries, spans):
        rows += closed_rows_of(case.plan, batch, span, entries, caps.frozen)
        before, caps = caps, caps.after(case.plan, batch)
        _freeze(case, before, caps, span[1], now)
    return [replace(row, slice=case.slice) for row in rows]


def _batches(case: Case, entries: Sequence[Entry], spans: Sequence[_Span]) -> Iterator[tuple[_Span, Batch]]:
    """Yield a slice's batches in order, each with the entities that were in a split before it."""
    plan, lake, rollout = case.plan, wiring.build().lake, case.rollout
    first, last = spans[0][0], spans[-1][1]
    exchanges = of_slice(lake.read_exchanges(rollout.id, first, last), case.slice)
    outcomes = _outcomes(plan, first, last)
    segments, said = segments_of(case), reviews_since(plan, first)
    arms = any(is_unpaired(gate, plan) for gate in plan.gates)
    for span in spans:
        exposed = lake.exposed(rollout.id, span[0], case.slice) if arms else frozenset()
        yield (
            span,
            batch_of(
                plan, exchanges, outcomes, span, entries, segments,
                salt=rollout.salt, exposed=exposed, reviews=said,
            ),
        )  # fmt: skip


def _caps_before(case: Case, entries: Sequence[Entry], before: datetime) -> Caps:
    """Return the caps that a batch beginning then is judged by, and what was gathered for the others.

    What is frozen is read; what was only gathered is gathered again, from few batches.
    """
    plan = case.plan
    asked = {gate.name for gate in plan.gates if gate.cap is None and is_capped(gate, plan)}
    if not asked:
        return Caps()
    frozen = caps_of(case, before)
    caps = Caps(frozen)
    start = store.windows(wiring.build().engine, case.rollout.id)[0].start
    if len(frozen) < len(asked) and start < before:
        # Closed by then, and batches are as long as they are: the plan is frozen.
        spans = [
            span for span in closed_batches(plan, start, before + plan.outcomes.maturity) if span[0] >= start
        ]
        for _, batch in _batches(case, entries, spans):
            caps = caps.after(plan, batch)
    return caps


def caps_of(case: Case, at: datetime) -> dict[str, float]:
    """Return the caps frozen for a slice, by gate, that batches and windows beginning then are counted by."""
    facts = store.facts(wiring.build().engine, case.rollout.id)
    kept = {gate.name: facts.get(fact_of(CAP + gate.name, case.slice)) for gate in case.plan.gates}
    return {gate: fact["cap"] for gate, fact in kept.items() if fact and instant(fact["from"]) <= at}


def _freeze(case: Case, before: Caps, after: Caps, since: datetime, now: datetime) -> None:
    """Keep the caps that one batch set; they count from the next one on."""
    for gate in sorted(after.frozen.keys() - before.frozen.keys()):
        fact = {"cap": after.frozen[gate], "from": stamp(since)}
        store.freeze(wiring.build().engine, case.rollout.id, fact_of(CAP + gate, case.slice), fact, now)


def _outcomes(plan: Plan, first: datetime, last: datetime) -> pa.Table:
    known_before = last + plan.outcomes.maturity
    return wiring.build().lake.read_outcomes(plan, known_before=known_before, known_after=first)


def _faults(case: Case, outcomes: pa.Table, first: datetime, last: datetime) -> dict[str, int]:
    """Count what was wrong with the outcomes, and those of requests that nobody made.

    An outcome that came between ``first`` and ``last`` belongs to a request at most a maturity older;
    where the request log has none of that id, it is of an unknown request.
    """
    plan = case.plan
    asked = clean_requests(
        wiring.build().lake.read_requests(plan, first - plan.outcomes.maturity, last), plan
    )
    cleaned = clean_outcomes(outcomes, plan, asked.table)
    known_at = cleaned.table[plan.outcomes.known_at]
    came = cleaned.table.filter(pc.less(known_at, pa.scalar(last, known_at.type)))
    return {**cleaned.counts, "unknown_request": unknown_outcomes(came, asked.table["request_id"])}


def _closing(case: Case, now: datetime) -> Iterator[_Span]:
    """Yield the batches that may close now: mature, not closed before, and scored without a gap."""
    engine = wiring.build().engine
    windows = store.windows(engine, case.rollout.id)
    if not windows:
        return
    scored = windows[0].end
    for window in windows[1:]:
        if window.start != scored:
            break
        scored = window.end
    through = _closed_through(case)
    labelled = [gate.name for gate in case.plan.gates if needs_labels(gate)]
    done = store.last_batch(engine, case.rollout.id, labelled)
    for start, end in closed_batches(case.plan, windows[0].start, now):
        if start < windows[0].start or (done is not None and start <= done) or (through and end <= through):
            continue
        if end > scored:
            return
        yield start, end


def _closed_through(case: Case) -> datetime | None:
    """Return how far batches are closed, whether or not any gate had something to count in them."""
    facts = store.facts(wiring.build().engine, case.rollout.id)
    return max(
        (instant(name.removeprefix(CLOSED)) for name in facts if name.startswith(CLOSED)), default=None
    )
