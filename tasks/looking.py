"""Everything else a decision may look at: versions, answers, orders, and at first the preflight."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

import httpx

from headgate.adapters import store
from headgate.adapters.models import HttpModel, client_for
from headgate.errors import ModelError
from headgate.plan import Plan
from headgate.plan.model import ALL, ModelRef
from headgate.ports import Metadata
from headgate.review.load import ReviewLoad
from headgate.rollout.state import LIVE, Check, Order, Phase, World
from headgate.verdicts import Scorecard
from tasks import wiring
from tasks.direct import task
from tasks.ledger import Case
from tasks.parity import steps_of
from tasks.preflight import preflight
from tasks.retrying import OUTSIDE
from tasks.reviewing import load_of
from tasks.signing import signed_checks
from tasks.traffic import PlaneSeen


@dataclass(frozen=True, slots=True)
class Around:
    """What is the same for every slice: the servers' versions, the orders, what is checked, the reviewers."""

    versions: tuple[str | None, str | None]
    orders: tuple[Order, ...]
    checks: tuple[Check, ...]
    review: ReviewLoad | None = None
    steps_changed: tuple[str | None, str | None] = (None, None)


@task(name="look around", **OUTSIDE)
def look_around(case: Case, now: datetime) -> Around:
    """Return what this tick sees besides the plane and the evidence."""
    served = asyncio.run(_served(case.plan))
    versions = version_of(served[0]), version_of(served[1])
    orders = tuple(store.open_orders(wiring.build().engine, case.rollout.id))
    steps = steps_of(case, served, orders, now)
    return Around(
        versions=versions,
        orders=orders,
        checks=(*checks_of(case, versions, now), *steps.checks),
        steps_changed=steps.changed,
        review=load_of(case, now),
    )


def checks_of(case: Case, versions: tuple[str | None, str | None], now: datetime) -> tuple[Check, ...]:
    """Return the preflight; afterwards what people signed, which must go on standing."""
    phases = {state.phase for state in case.states}
    if Phase.PREFLIGHT in phases:
        return preflight(case, versions, now)
    return signed_checks(case, now) if phases & LIVE else ()


def world_of(case: Case, plane: PlaneSeen, scorecard: Scorecard, around: Around, now: datetime) -> World:
    """Return the world as this tick sees it for one slice."""
    rollout = case.rollout
    return World(
        now=now,
        plane=plane.view,
        scorecard=scorecard,
        lease=rollout.token is not None,
        observed_share_bp=plane.share_bp,
        observed_generation=plane.generation,
        confirmed_at=plane.confirmed_at,
        approvals=tuple(store.approvals(wiring.build().engine, rollout.id, case.slice)),
        orders=tuple(order for order in around.orders if order.slice in (ALL, case.slice)),
        versions=around.versions,
        steps_changed=around.steps_changed,
        checks=around.checks,
        review=around.review,
    )


def version_of(about: Metadata | None) -> str | None:
    """Return the version that a server says it is; None when it does not say: unknown is not unchanged."""
    return None if about is None else about.version


async def _served(plan: Plan) -> tuple[Metadata | None, Metadata | None]:
    async with client_for(plan.incumbent, plan.candidate) as client:
        incumbent, candidate = await asyncio.gather(
            _metadata(plan, plan.incumbent, client), _metadata(plan, plan.candidate, client)
        )
    return incumbent, candidate


async def _metadata(plan: Plan, ref: ModelRef, client: httpx.AsyncClient) -> Metadata | None:
    try:
        return await HttpModel(ref, plan.serving, plan.answers, client).metadata()
    except ModelError:
        return None
