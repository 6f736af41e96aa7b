"""The review queue: cases drawn from scored windows, what was said of them, and the load to come."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headgate.adapters import store
from headgate.adapters.store import reviews
from headgate.alerts.masking import HIDDEN
from headgate.compare.pairs import parts_of
from headgate.compare.reviewed import Reviews
from headgate.compare.sides import sides_of
from headgate.compare.stays import column_micros
from headgate.plan.model import Plan
from headgate.plan.where import read_where
from headgate.ports import ReviewCase, ReviewReason, Side, Status
from headgate.review.case import JUDGED, Ruling
from headgate.review.load import Arrivals, ReviewLoad
from headgate.review.sampling import Answered, Drawing, draw, in_sample
from headgate.rollout.state import Phase
from headgate.tables import clean_requests
from headgate.tables.slices import mask_of, of_slice
from tasks import wiring
from tasks.direct import task
from tasks.evidence import segments_of
from tasks.ledger import Case
from tasks.retrying import OUTSIDE
from tasks.stays import stays

#: The load to come is told from the windows of so long.
LOOKED_AT = timedelta(days=7)
_DAY = timedelta(days=1)
#: Reasons that no window of the request log shows: they come up while callers are served.
_BESIDES = (ReviewReason.FALLBACK, ReviewReason.FLAGGED)


def ask_reviewers(case: Case, now: datetime) -> int:
    """Draw cases from every scored window that none were drawn from yet; return how many.

    A plan without the key ``review`` draws none, and takes no task run for it.
    """
    return 0 if case.plan.review is None else draw_cases(case, now)


@task(name="draw cases for review", **OUTSIDE)
def draw_cases(case: Case, now: datetime) -> int:
    """Put the cases of every window once, with what the window says about the load, in one write each."""
    engine, rollout = wiring.build().engine, case.rollout
    drawn = {window.start for window in reviews.windows(engine, rollout.id)}
    put = 0
    for window in store.windows(engine, rollout.id):
        if window.start in drawn:
            continue
        exchanges = wiring.build().lake.read_exchanges(rollout.id, window.start, window.end)
        requests = _requests(case.plan, window)
        counts: dict[str, Any] = {}
        cases: list[tuple[ReviewCase, str]] = []
        for one in case.each_open():
            seen = _answered(one, of_slice(exchanges, one.slice), requests)
            made = draw(case.plan, seen, (window.end - window.start) / _DAY)
            counts[one.slice] = {
                "requests": len(seen.request_ids),
                "if_incumbent": int(made.if_incumbent.sum()),
                "if_candidate": int(made.if_candidate.sum()),
            }
            cases += _cases(one, made, of_slice(exchanges, one.slice), requests)
        put += reviews.put_window(
            engine, rollout.id, reviews.Drawn(window.start, window.end, counts), cases, now
        )
    return put


def load_of(case: Case, now: datetime) -> ReviewLoad | None:
    """Return what reviewers have before them; None where the plan asks nobody."""
    if case.plan.review is None:
        return None
    engine, rollout = wiring.build().engine, case.rollout
    waiting, oldest = reviews.backlog(engine, rollout.service)
    drawn = reviews.windows(engine, rollout.id)
    recent = [window for window in drawn if window.end > drawn[-1].end - LOOKED_AT]
    done = {state.slice for state in case.states if state.phase is Phase.DONE}
    slices: dict[str, Arrivals] = {}
    for window in recent:
        for name in window.counts.keys() - done:
            slices[name] = slices.get(name, Arrivals()) + Arrivals(**window.counts[name])
    return ReviewLoad(
        waiting=waiting,
        oldest=oldest,
        days=sum((window.end - window.start) / _DAY for window in recent),
        slices=slices,
        shares={state.slice: state.share_bp for state in case.states},
        besides=_besides(case, done, now),
    )


def _besides(case: Case, done: Collection[str], now: datetime) -> float:
    """Return the cases a day that no window shows, as they came."""
    since = max(now - LOOKED_AT, case.rollout.opened_at)
    came = reviews.arrivals(wiring.build().engine, case.rollout.service, since)
    unseen = sum(
        count
        for (reason, slice_), count in came.items()
        if reason in _BESIDES or (slice_ in done and reason == ReviewReason.LOW_CONFIDENCE)
    )
    return unseen / max((now - since) / _DAY, 1.0)


def reviews_since(plan: Plan, first: datetime) -> Reviews:
    """Return what reviewers said of the candidate's answers since then, of the plain sample alone.

    Cases that were looked for because something was odd about them are overruled more often than others:
    counted, they would say of all answers what is true of the odd ones.
    """
    if plan.review is None:
        return {}
    cases = reviews.history(wiring.build().engine, plan.service, first)
    mine = in_sample(plan, [one.case.request_id for one in cases])
    return {
        one.case.request_id: (one.decided.at, one.decided.ruling is Ruling.OVERRIDDEN)
        for one, sampled in zip(cases, mine, strict=True)
        if sampled and one.decided and one.decided.ruling in JUDGED and one.case.side is Side.CANDIDATE
    }


def _requests(plan: Plan, window: store.Window) -> pa.Table:
    rule = plan.review.high_value if plan.review else None
    besides = read_where(rule).columns if rule else ()
    table = wiring.build().lake.read_requests(plan, window.start, window.end, besides)
    return clean_requests(table, plan).table


def _answered(case: Case, exchanges: pa.Table, requests: pa.Table) -> Answered:
    plan, rollout = case.plan, case.rollout
    rule = plan.review.high_value if plan.review else None
    worth = mask_of(read_where(rule), requests) if rule else np.zeros(requests.num_rows, np.bool_)
    where = _positions(exchanges, requests)
    _, candidate_side = sides_of(
        exchanges, stays(rollout.id, case.slice), column_micros(exchanges["at"]), rollout.salt
    )
    parts = parts_of(plan, exchanges, segments_of(case))
    return Answered(
        request_ids=exchanges["request_id"].to_pylist(),
        incumbent=_answers(exchanges, Side.INCUMBENT),
        candidate=_answers(exchanges, Side.CANDIDATE),
        candidate_side=candidate_side,
        high_value=np.append(worth, [False])[where],
        parts={name: here for name, here in parts.items() if name is not None},
    )


def _cases(
    case: Case, made: Drawing, exchanges: pa.Table, requests: pa.Table
) -> Iterator[tuple[ReviewCase, str]]:
    where = _positions(exchanges, requests)
    rows = exchanges.take(pa.array(made.rows, pa.int64())).select(["request_id", "entity", "at"]).to_pylist()
    drawn = where[list(made.rows)]
    inputs = _inputs(case.plan, requests.take(pa.array(drawn, mask=drawn < 0)))
    for at, (row, shown) in enumerate(zip(rows, inputs, strict=True)):
        yield (
            ReviewCase(
                service=case.rollout.service,
                request_id=row["request_id"],
                entity=row["entity"],
                at=row["at"],
                reason=made.reasons[at],
                side=made.sides[at],
                answer=made.answers[at],
                confidence=made.confidences[at],
                rollout=case.rollout.id,
                slice=case.slice,
                inputs=shown,
            ),
            made.strata[at],
        )


def _inputs(plan: Plan, requests: pa.Table) -> list[Mapping[str, Any]]:
    """Return what a reviewer sees of each request: the contract's columns, masked as the plan asks."""
    names = [*plan.input.columns] if plan.input else requests.column_names
    hidden = plan.input.mask if plan.input else ()
    shown = requests.select([name for name in names if name in requests.column_names]).to_pylist()
    return [{name: HIDDEN if name in hidden else value for name, value in row.items()} for row in shown]


def _answers(exchanges: pa.Table, side: Side) -> np.ndarray[Any, np.dtype[np.float64]]:
    answers = np.asarray(exchanges[f"{side}_prediction"].cast(pa.float64()), dtype=np.float64)
    ok = np.asarray(pc.equal(exchanges[f"{side}_status"], Status.OK.value), dtype=np.bool_)
    return np.where(ok, answers, np.nan)


def _positions(exchanges: pa.Table, requests: pa.Table) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return where each exchange's request is; -1 where the log does not have it any more."""
    ids = requests["request_id"].combine_chunks()
    found = pc.fill_null(pc.index_in(exchanges["request_id"], value_set=ids), -1)
    return np.asarray(found, dtype=np.int64)
