"""How a retraining ends: model and card go on the shelf, a rollout is opened, the end is written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import pyarrow as pa

from headgate import parity, training
from headgate.adapters import store
from headgate.adapters.store import retrainings
from headgate.alerts.retraining import retrained
from headgate.drift import draw
from headgate.errors import InputError, ShelfError
from headgate.plan.model import Plan
from headgate.ports import MODEL, PARITY, PROFILE, SAMPLE, SCORES, Shelved
from headgate.profile import Profile, compare, from_bytes, take, to_bytes
from headgate.training.diff import told
from tasks import wiring
from tasks.direct import task
from tasks.references import said_of
from tasks.retrainings import Order
from tasks.retrying import ONCE, OUTSIDE
from tasks.telling import ring_for_alerts
from tasks.training import Data, Result

#: Who is said to have opened the rollout of a new model.
OPENED_BY = "retrain"


@task(name="write the card", **OUTSIDE)
def write_card(order: Order, data: Data, result: Result) -> dict[str, Any]:
    """Return the model's card: what it was made of, how it was held against others, what is different."""
    made = order.span.to_json() | {"rows": data.whole.num_rows}
    before, reference = _before(order)
    beside = None
    if reference is not None:
        profile = reference_of(order.plan, data.usable, like=reference)
        asked = {name: one for name, one in reference.columns.items() if name in profile.columns}
        beside = compare(replace(reference, columns=asked), profile)  # the shelf may keep answers as well
    card = training.card_of(
        order.plan,
        order.version,
        order.span,
        data.usable,
        result.fitted.made,
        result.held,
        result.judged,
        trigger=order.claim.trigger,
        origin=order.claim.origin,
        at=order.claim.at,
        diff=training.diff_of(result.held, beside, before, made),
    )
    golden = _golden(result)
    return card if golden is None else card | {"parity": parity.from_bytes(golden).summary()}


@task(name="put on the shelf", task_run_name="put {order.version} on the shelf", **ONCE)
def shelve(order: Order, data: Data, result: Result, card: Mapping[str, Any]) -> Shelved:
    """Keep the model with its card, its training reference, a sample of its rows, its scores; twice is once.

    Raises
    ------
    ShelfError
        If the shelf cannot be written to. The model stays where it was made, and the next run goes on from
        there.
    """
    usable = data.usable
    parts = {
        MODEL: result.fitted.model.read_bytes(),
        PROFILE: to_bytes(reference_of(order.plan, usable)),
        SAMPLE: _bytes(draw(usable.table.to_batches(), key="request_id")),
        # Of the model that had not seen these days: what a model says to rows it learned from is too sure.
        SCORES: to_bytes(take(said_of(order.plan, result.fitted.first))),
    }
    if (golden := _golden(result)) is not None:
        parts[PARITY] = golden
    try:
        return wiring.build().shelf.put(order.plan.candidate.model, order.version, parts, card)
    except ShelfError as err:
        raise ShelfError(
            f"{err}; nothing is lost: the model is kept as {result.fitted.model}, and the next run of "
            "`retrain` goes on from there"
        ) from err


@task(name="open its rollout", **ONCE)
def open_its_rollout(order: Order, result: Result, card: Mapping[str, Any], now: datetime) -> str:
    """Open a rollout of the new model, which waits its turn and proves itself; return its id.

    None of it is served before its gates. The same retraining opens one: a second run finds it.

    Raises
    ------
    PlanError
        If the plan that is made from the last one breaks a rule.
    """
    engine = wiring.build().engine
    if (known := _opened(order)) is not None:
        return known
    serving = next(one for one in result.held if one.role == training.SERVING)
    plan = training.plan_of_next(order.standing, order.version, serving, now)
    because = f"{order.version} was trained anew, by {order.claim.trigger}: {'; '.join(told(card['diff']))}"
    try:
        return store.open_rollout(engine, plan, now, OPENED_BY, because).id
    except InputError:  # another run of this very retraining was first
        if (known := _opened(order)) is not None:
            return known
        raise


@task(name="write down how it ended", **OUTSIDE)
def close(
    order: Order,
    judged: training.Judged,
    now: datetime,
    *,
    card: Mapping[str, Any] | None = None,
    rollout: str = "",
) -> retrainings.Retraining:
    """Tell people how a retraining ended, and write it down; twice is once."""
    engine = wiring.build().engine
    about = (order.plan, order.under, order.version, order.claim.id, rollout, judged.reason, now)
    # First: what is written down is not taken up again, and nobody would be told any more.
    store.add_alerts(engine, [retrained(*about, accepted=judged.accepted)])
    ended = retrainings.finish(
        engine,
        order.claim,
        accepted=judged.accepted,
        reason=judged.reason,
        at=now,
        version=order.version,
        rollout=rollout,
        body={"card": dict(card or {})},
    )
    ring_for_alerts()
    return ended


def reference_of(plan: Plan, usable: training.Usable, like: Profile | None = None) -> Profile:
    """Return the profile of what a model learned from: what the live requests will be held against.

    The same columns as the monitor's windows have: what models are sent, and the segments. ``like``: another
    profile that it is to be held against.
    """
    by = [name for name in (plan.segments.by if plan.segments else ()) if name not in usable.features]
    columns = {name: usable.table[name] for name in ("at", *usable.features)}
    columns |= {name: usable.table[f"seg_{name}"] for name in by}
    contract = dict(plan.input.columns) if plan.input else None
    return take(pa.table(columns), columns=[*usable.features, *by], like=like, at="at", contract=contract)


def _before(order: Order) -> tuple[Mapping[str, Any] | None, Profile | None]:
    """Return the card and the reference of the model that serves, where the shelf has them."""
    shelf, ref = wiring.build().shelf, order.standing.serving
    known = shelf.find(ref.model, ref.version)
    body = shelf.read(ref.model, ref.version, PROFILE) if known else None
    return (known.card if known else None), (from_bytes(body) if body is not None else None)


def _opened(order: Order) -> str | None:
    """Return the rollout that this retraining opened before."""
    engine = wiring.build().engine
    for rollout in store.rollouts(engine, order.claim.service):
        if rollout.candidate_version == order.version and rollout.opened_at >= order.claim.at:
            return rollout.id
    return None


def _golden(result: Result) -> bytes | None:
    """Return the new model's golden examples."""
    return None if result.fitted.golden is None else result.fitted.golden.read_bytes()


def _bytes(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    body: bytes = sink.getvalue().to_pybytes()
    return body
