"""Everything else a decision may look at: versions, answers, orders, and at first the preflight."""

from __future__ import annotations

import asyncio
from datetime import datetime

import httpx
from prefect import task

from headgate.adapters import store
from headgate.adapters.models import HttpModel
from headgate.errors import ModelError
from headgate.plan import Plan
from headgate.plan.model import ModelRef
from headgate.rollout.state import Phase, World
from headgate.verdicts import Scorecard
from tasks import wiring
from tasks.ledger import Case
from tasks.preflight import preflight
from tasks.retrying import OUTSIDE
from tasks.traffic import PlaneSeen


@task(name="look around", **OUTSIDE)
def look(case: Case, plane: PlaneSeen, scorecard: Scorecard, now: datetime) -> World:
    """Return the world as this tick sees it."""
    engine = wiring.build().engine
    rollout = case.rollout
    versions = asyncio.run(_versions(case.plan))
    return World(
        now=now,
        plane=plane.view,
        scorecard=scorecard,
        lease=rollout.token is not None,
        observed_share_bp=plane.share_bp,
        observed_generation=plane.generation,
        confirmed_at=plane.confirmed_at,
        approvals=tuple(store.approvals(engine, rollout.id)),
        orders=tuple(store.open_orders(engine, rollout.id)),
        versions=versions,
        checks=preflight(case, versions, now) if case.state.phase is Phase.PREFLIGHT else (),
    )


async def _versions(plan: Plan) -> tuple[str | None, str | None]:
    async with httpx.AsyncClient() as client:
        incumbent, candidate = await asyncio.gather(
            _version(plan, plan.incumbent, client), _version(plan, plan.candidate, client)
        )
    return incumbent, candidate


async def _version(plan: Plan, ref: ModelRef, client: httpx.AsyncClient) -> str | None:
    """Return what a server says it is; None when it does not say: unknown is not unchanged."""
    try:
        return (await HttpModel(ref, plan.serving, plan.output, client).metadata()).version
    except ModelError:
        return None
