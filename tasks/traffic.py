"""Moves traffic. The only module that asks a plane for a new share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from prefect import task

from headgate.adapters import store
from headgate.errors import PlaneUnavailable
from headgate.plan import Plan
from headgate.plan.model import ModelRef
from headgate.ports import Endpoint, Observed, Route
from headgate.rollout.state import Phase, PlaneView, State
from tasks import wiring
from tasks.ledger import Case, case_of
from tasks.retrying import OUTSIDE

#: Phases in which the rollout has not asked the plane for anything yet.
BEFORE_TRAFFIC = frozenset({Phase.QUEUED, Phase.PREFLIGHT})


@dataclass(frozen=True, slots=True)
class PlaneSeen:
    """The plane's own report held against the record, and when it first confirmed the record."""

    view: PlaneView
    share_bp: int | None = None
    generation: int | None = None
    confirmed_at: datetime | None = None


@task(name="look at the plane", **OUTSIDE)
def look_at_plane(case: Case, now: datetime) -> PlaneSeen:
    """Make sure the plane runs, ask it what is in force, and note when it first serves the record.

    A plane that was killed is started again here, at the share its own files hold.
    """
    state = case.state
    if state.phase is Phase.QUEUED:
        return PlaneSeen(PlaneView.AGREES)
    plane = wiring.build().plane_of(case.rollout.service)
    try:
        plane.reconcile(route_of(case, state))
        observed = plane.observe()
    except PlaneUnavailable:
        return PlaneSeen(PlaneView.UNREACHABLE)
    view = compare(observed, case, state)
    ours = observed.rollout == case.rollout.id
    generation = observed.generation if ours else None
    confirmed_at = _confirm(case, state, now) if ours and view is PlaneView.AGREES else None
    return PlaneSeen(view, observed.share_bp, generation, confirmed_at)


@task(name="set the share", **OUTSIDE)
def set_share(case: Case, after: State, now: datetime) -> None:
    """Bring what the ledger says in force, and note the plane's own confirmation.

    Asking twice is asking once. Retries the network, never a refusal.
    """
    if after.phase in BEFORE_TRAFFIC or (after.phase is Phase.DONE and after.generation == 0):
        return
    plane = wiring.build().plane_of(case.rollout.service)
    plane.apply(route_of(case, after))
    if compare(plane.observe(), case, after) is PlaneView.AGREES:
        _confirm(case, after, now)


@task(name="finish the last write", **OUTSIDE)
def finish_the_last_write(service: str, now: datetime) -> None:
    """Bring in force what the service's last rollout left, if its last tick died before the plane heard.

    A rollout that ends in shadow is done with the row that says so, and no tick of its own comes after
    it; without this its mirror would go on for ever.
    """
    engine = wiring.build().engine
    ended = [rollout for rollout in store.rollouts(engine, service) if rollout.done and rollout.token]
    if not ended:
        return
    last = case_of(max(ended, key=lambda rollout: rollout.token or 0))
    confirmed = {confirmation.generation for confirmation in store.confirmations(engine, last.rollout.id)}
    if confirmed and last.state.generation not in confirmed:
        set_share.fn(last, last.state, now)


def compare(observed: Observed, case: Case, state: State) -> PlaneView:
    """Hold the plane's report against the record (law 12).

    An older generation, or another rollout with a lower token, is a write of ours that did not get
    there. The same generation with another share, or one we never wrote, is a disagreement.
    """
    if state.phase in BEFORE_TRAFFIC:
        return PlaneView.AGREES
    if observed.rollout != case.rollout.id:
        newer = (observed.token or 0) >= (case.rollout.token or 0)
        return PlaneView.DISAGREES if newer and observed.rollout is not None else PlaneView.BEHIND
    generation = observed.generation or 0
    if generation < state.generation:
        return PlaneView.BEHIND
    same = generation == state.generation and observed.share_bp == state.share_bp
    return PlaneView.AGREES if same else PlaneView.DISAGREES


def route_of(case: Case, state: State) -> Route:
    """Return the route that a state asks for."""
    plan, rollout = case.plan, case.rollout
    return Route(
        service=rollout.service,
        rollout=rollout.id,
        salt=rollout.salt,
        share_bp=state.share_bp,
        mirror=state.mirror,
        token=rollout.token or 0,
        generation=state.generation,
        incumbent=_endpoint(plan.incumbent),
        candidate=_endpoint(plan.candidate),
        model=plan.incumbent.model,
        timeout_ms=_patience_ms(plan),
    )


def _confirm(case: Case, state: State, now: datetime) -> datetime:
    """Note the first time the plane was seen at this generation; later looks find that first note."""
    confirmed = store.confirm(
        wiring.build().engine,
        case.rollout.id,
        generation=state.generation,
        at=now,
        share_bp=state.share_bp,
        entry=state.entry,
        step=state.step,
    )
    return confirmed.at


def _endpoint(model: ModelRef) -> Endpoint:
    url = urlsplit(model.url)
    return Endpoint(url.hostname or "", url.port or (443 if url.scheme == "https" else 80))


def _patience_ms(plan: Plan) -> int:
    return max(1, round(plan.serving.timeout.total_seconds() * 1_000))
