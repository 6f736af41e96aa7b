"""Moves traffic. The only module that asks a plane for a new share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from headgate.adapters import store
from headgate.errors import PlaneUnavailable
from headgate.plan import Plan
from headgate.plan.model import ALL, ModelRef
from headgate.plan.planes import PLANES
from headgate.ports import Endpoint, Observed, Route, SliceShare
from headgate.rollout.state import Phase, PlaneView, State
from tasks import wiring
from tasks.direct import task
from tasks.ledger import Case, case_of
from tasks.retrying import OUTSIDE

#: Phases in which the rollout has not asked the plane for anything yet.
BEFORE_TRAFFIC = frozenset({Phase.QUEUED, Phase.PREFLIGHT})


@dataclass(frozen=True, slots=True)
class PlaneSeen:
    """The plane's own report on a slice held against the record, and when it first confirmed the record."""

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
    confirmed_at = _confirm(case, state, observed, now) if ours and view is PlaneView.AGREES else None
    return PlaneSeen(view, share_of(observed, state), _generation(observed, case), confirmed_at)


@task(name="set the share", **OUTSIDE)
def set_share(case: Case, after: State, now: datetime) -> None:
    """Bring what the ledger says of all slices in force, and note the plane's own confirmation.

    ``after`` is where the slice of the case stands. Asking twice is asking once. Retries the network,
    never a refusal.
    """
    states = (after, *case.states[1:])
    if all(never_asked(state) for state in states):
        return
    plane = wiring.build().plane_of(case.rollout.service)
    plane.apply(route_of(case, after))
    observed = plane.observe()
    for state in states:
        if not never_asked(state) and compare(observed, case, state, states) is PlaneView.AGREES:
            _confirm(case, state, observed, now)


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
    confirmed = {
        confirmation.generation
        for state in last.states
        for confirmation in store.confirmations(engine, last.rollout.id, state.slice)
    }
    if confirmed and max(state.generation for state in last.states) not in confirmed:
        set_share.fn(last, last.state, now)


def compare(observed: Observed, case: Case, state: State, states: Sequence[State] | None = None) -> PlaneView:
    """Hold the plane's report on a slice against the record (law 12).

    An older generation, or another rollout with a lower token, is a write of ours that did not get
    there. The same generation with another share, or one we never wrote, is a disagreement. A generation
    is of the whole route: one that another slice began leaves this slice's share as it was.

    Parameters
    ----------
    states
        Of all slices, where they are newer than those of the case.
    """
    if state.phase in BEFORE_TRAFFIC:
        return PlaneView.AGREES
    if observed.rollout != case.rollout.id:
        newer = (observed.token or 0) >= (case.rollout.token or 0)
        return PlaneView.DISAGREES if newer and observed.rollout is not None else PlaneView.BEHIND
    generation = observed.generation or 0
    if generation < state.generation:
        return PlaneView.BEHIND
    newest = max(other.generation for other in states or (state, *case.states[1:]))
    same = generation <= newest and share_of(observed, state) == state.share_bp
    # Where there are slices, nobody may be served by the candidate outside of them.
    outside = observed.share_bp if case.plan.slices else 0
    return PlaneView.AGREES if same and not outside else PlaneView.DISAGREES


def route_of(case: Case, state: State) -> Route:
    """Return the route that a slice's state asks for, with those of the other slices beside it."""
    plan, rollout = case.plan, case.rollout
    states = (state, *case.states[1:])
    # Shadow is scored without one; only what is measured on a mirror needs it, and `validate` looks for that.
    mirrors = PLANES[plan.plane.kind].mirror
    shares = {one.slice: SliceShare(one.slice, one.share_bp, one.mirror and mirrors) for one in states}
    return Route(
        service=rollout.service,
        rollout=rollout.id,
        salt=rollout.salt,
        share_bp=0 if plan.slices else state.share_bp,
        mirror=mirrors and not plan.slices and state.mirror,
        token=rollout.token or 0,
        generation=max(one.generation for one in states),
        incumbent=endpoint_of(plan.incumbent),
        candidate=endpoint_of(plan.candidate),
        model=plan.incumbent.model,
        timeout_ms=patience_ms(plan),
        slices=tuple(shares[part.name] for part in plan.slices),
    )


def never_asked(state: State) -> bool:
    """Return whether the plane was never asked for anything on this slice's behalf."""
    return state.phase in BEFORE_TRAFFIC or (state.phase is Phase.DONE and state.generation == 0)


def share_of(observed: Observed, state: State) -> int | None:
    """Return the share the plane reports for a slice; None where it knows no such slice."""
    if state.slice == ALL:
        return observed.share_bp
    return next((part.share_bp for part in observed.slices if part.name == state.slice), None)


def _generation(observed: Observed, case: Case) -> int | None:
    """Return the generation the plane reports as the slice of the case knows it.

    One that another slice began after this one's last is this one's last to it.
    """
    if observed.rollout != case.rollout.id or observed.generation is None:
        return None
    newest = max(state.generation for state in case.states)
    if observed.generation > newest:
        return observed.generation
    return min(observed.generation, case.state.generation)


def _confirm(case: Case, state: State, observed: Observed, now: datetime) -> datetime:
    """Note the first time the plane was seen at its generation; later looks find that first note.

    Every slice has a note of every generation of the route, so that the log's lines can be read by it.
    """
    confirmed = store.confirm(
        wiring.build().engine,
        case.rollout.id,
        generation=observed.generation or 0,
        at=now,
        share_bp=state.share_bp,
        entry=state.entry,
        step=state.step,
        slice_=state.slice,
    )
    return confirmed.at


def endpoint_of(model: ModelRef) -> Endpoint:
    """Return where a model of the plan listens."""
    url = urlsplit(model.url)
    return Endpoint(url.hostname or "", url.port or (443 if url.scheme == "https" else 80))


def patience_ms(plan: Plan) -> int:
    """Return the patience with one try of the candidate, in whole milliseconds."""
    return max(1, round(plan.serving.timeout.total_seconds() * 1_000))
