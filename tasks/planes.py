"""Planes for people: what one reports, whether the record says the same, and a route as its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from headgate.adapters import store
from headgate.adapters.planes.folder import lives_in
from headgate.adapters.planes.rendering import render
from headgate.errors import InputError, PlaneUnavailable
from headgate.plan import Plan, load_plan
from headgate.plan.planes import PLANES
from headgate.ports import Observed, Route, SliceShare
from headgate.rollout.state import PlaneView
from tasks import wiring
from tasks.ledger import case_of
from tasks.traffic import compare, endpoint_of, patience_ms, route_of


@dataclass(frozen=True, slots=True)
class Shown:
    """A plane as it reports itself.

    Attributes
    ----------
    start
        Script that starts it as it is, with no control plane; None: it was never started.
    """

    service: str
    kind: str
    folder: Path
    port: int
    start: Path | None
    observed: Observed


@dataclass(frozen=True, slots=True)
class Held:
    """One slice's record held against the plane's report."""

    slice: str
    view: PlaneView
    recorded_bp: int
    recorded_generation: int


def show(service: str) -> Shown:
    """Ask a service's plane what is in force; neither store nor Prefect is needed.

    Raises
    ------
    InputError
        If the service has no plane here.
    PlaneError
        If it does not answer, or serves what Headgate did not write.
    """
    plane, folder = wiring.plane_alone(service)
    start = folder / "start"
    return Shown(
        service=service,
        kind=plane.capabilities().kind,
        folder=folder,
        port=wiring.read_settings().port_of(service),
        start=start if start.exists() else None,
        observed=plane.observe(),
    )


def verify(service: str) -> tuple[str, list[Held]]:
    """Hold the record of a service's last rollout that moved traffic against its plane (law 12).

    Raises
    ------
    InputError
        If no rollout of the service has moved traffic.
    """
    engine = wiring.build().engine
    moved = [rollout for rollout in store.rollouts(engine, service) if rollout.token]
    if not moved:
        raise InputError(f"asked the record of {service!r}; no rollout of it has moved traffic; start one")
    case = case_of(max(moved, key=lambda rollout: rollout.token or 0))
    try:
        observed = wiring.build().plane_of(service).observe()
    except PlaneUnavailable:
        observed = None
    return case.rollout.id, [
        Held(
            slice=state.slice,
            view=PlaneView.UNREACHABLE if observed is None else compare(observed, case, state),
            recorded_bp=state.share_bp,
            recorded_generation=state.generation,
        )
        for state in case.states
    ]


def rendered(what: str, kind: str | None, percent: float | None) -> Mapping[str, str]:
    """Return a route as the files of a kind of plane: of a plan file at a share, or a service's as recorded.

    Raises
    ------
    InputError
        If it is neither, or a share is missing or beside the point.
    """
    if Path(what).is_file():
        plan = load_plan(Path(what))
        route = _planned(plan, percent or 0.0)
    else:
        if percent is not None:
            raise InputError("--percent: asked a share; a service has the one on record; give a plan file")
        route, plan = _recorded(what)
    settings = wiring.read_settings()
    folder = (settings.home / settings.planes / plan.service).resolve()
    return render(kind or lives_in(folder) or plan.plane.kind, route, folder, settings.port_of(plan.service))


def _recorded(service: str) -> tuple[Route, Plan]:
    rollouts = store.rollouts(wiring.build().engine, service)
    if not rollouts:
        raise InputError(f"asked {service!r}; found neither a plan file nor a service of that name; name one")
    case = case_of(rollouts[-1])
    return route_of(case, case.state), case.plan


def _planned(plan: Plan, percent: float) -> Route:
    if not 0 <= percent <= 100:
        raise InputError(f"--percent: asked 0 to 100; found {percent:g}; correct it")
    share = round(percent * 100)
    mirror = share == 0 and PLANES[plan.plane.kind].mirror
    slices = tuple(SliceShare(part.name, share, mirror) for part in plan.slices)
    return Route(
        service=plan.service,
        rollout=plan.name,
        salt=plan.name,
        share_bp=0 if slices else share,
        mirror=mirror and not slices,
        token=1,
        generation=1,
        incumbent=endpoint_of(plan.incumbent),
        candidate=endpoint_of(plan.candidate),
        model=plan.incumbent.model,
        timeout_ms=patience_ms(plan),
        slices=slices,
    )
