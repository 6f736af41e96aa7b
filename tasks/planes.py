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
from headgate.rollout.state import PlaneView, State
from tasks import wiring
from tasks.ledger import Case, case_of
from tasks.traffic import compare, endpoint_of, never_asked, patience_ms, route_of, share_of


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
    """One slice's record held against the plane's report.

    Attributes
    ----------
    served_bp
        The share that the plane reports; None: it does not answer, or knows no such slice.
    """

    slice: str
    view: PlaneView
    recorded_bp: int
    recorded_generation: int
    served_bp: int | None


@dataclass(frozen=True, slots=True)
class Verified:
    """A rollout's record held against the plane's report.

    Attributes
    ----------
    observed
        What the plane says is in force; None: it does not answer, and ``why`` says how that was found.
    over
        The rollout is done: until the next one no tick looks at the plane.
    """

    rollout: str
    over: bool
    slices: tuple[Held, ...]
    observed: Observed | None
    why: str = ""

    @property
    def agrees(self) -> bool:
        """Whether the plane serves what is on record, in every slice."""
        return all(one.view is PlaneView.AGREES for one in self.slices)


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


def verify(service: str) -> Verified:
    """Hold the record of a service's last rollout that moved traffic against its plane (law 12).

    Raises
    ------
    InputError
        If no rollout of the service has moved traffic.
    PlaneRefused
        If the plane serves what Headgate did not write.
    """
    case = _that_moved_traffic(service)
    why = ""
    observed = None
    try:
        observed = wiring.build().plane_of(service).observe()
    except PlaneUnavailable as err:
        why = str(err)
    held = tuple(_held(case, state, observed) for state in case.states)
    return Verified(case.rollout.id, case.rollout.done, held, observed, why)


def _held(case: Case, state: State, observed: Observed | None) -> Held:
    if observed is None:
        return Held(state.slice, PlaneView.UNREACHABLE, state.share_bp, state.generation, None)
    view = PlaneView.AGREES if never_asked(state) else compare(observed, case, state)
    return Held(state.slice, view, state.share_bp, state.generation, share_of(observed, state))


def _that_moved_traffic(service: str) -> Case:
    """Return the rollout that the plane was asked for last; one in preflight has asked it for nothing yet."""
    tokens = [rollout for rollout in store.rollouts(wiring.build().engine, service) if rollout.token]
    for rollout in sorted(tokens, key=lambda rollout: rollout.token or 0, reverse=True):
        case = case_of(rollout)
        if not all(never_asked(state) for state in case.states):
            return case
    raise InputError(f"asked the record of {service!r}; no rollout of it has moved traffic; start one")


def rendered(what: str, kind: str | None, percent: float | None) -> Mapping[str, str]:
    """Return a route as the files of a kind of plane: of a plan file at a share, or a service's as recorded.

    Raises
    ------
    InputError
        If it is neither, or a share is missing or beside the point.
    """
    if Path(what).is_file():
        plan = load_plan(Path(what))
        folder, kind = _where(plan, kind)
        route = _planned(plan, kind, percent or 0.0)
    else:
        if percent is not None:
            raise InputError("--percent: asked a share; a service has the one on record; give a plan file")
        case = _recorded(what)
        folder, kind = _where(case.plan, kind)
        route = route_of(case, case.state)
    return render(kind, route, folder, wiring.read_settings().port_of(route.service))


def _where(plan: Plan, kind: str | None) -> tuple[Path, str]:
    """Return the folder of a plan's plane, and as which kind its route is to be said."""
    settings = wiring.read_settings()
    folder = (settings.home / settings.planes / plan.service).resolve()
    return folder, kind or lives_in(folder) or plan.plane.kind


def _recorded(service: str) -> Case:
    rollouts = store.rollouts(wiring.build().engine, service)
    if not rollouts:
        raise InputError(f"asked {service!r}; found neither a plan file nor a service of that name; name one")
    return case_of(rollouts[-1])


def _planned(plan: Plan, kind: str, percent: float) -> Route:
    if not 0 <= percent <= 100:
        raise InputError(f"--percent: asked 0 to 100; found {percent:g}; correct it")
    share = round(percent * 100)
    mirror = share == 0 and PLANES.get(kind, PLANES["envoy"]).mirror
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
