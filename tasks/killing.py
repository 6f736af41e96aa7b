"""The kill switch: share 0 now, with no Prefect server, no model server and, if it must be, no store."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from headgate.adapters import store
from headgate.adapters.codec import stamp
from headgate.errors import HeadgateError, IllegalTransition, InputError, PlaneError, StoreError
from headgate.ports import Observed, TrafficPlane
from headgate.rollout.state import Verb, World
from headgate.verdicts import Scorecard
from tasks import verbs, wiring
from tasks.deciding import decide_together
from tasks.ledger import Case, case_of, write_down
from tasks.traffic import look_at_plane, set_share

#: Ticks of its own that a kill takes at most, and the seconds between two of them.
_TRIES, _PAUSE_S = 6, 0.5
#: How long it waits for a store that somebody holds, seconds: whoever pulls this switch is in a hurry.
_PATIENCE_S = 5.0
#: What no order needs: a kill asks no gate.
_NO_EVIDENCE = Scorecard((), 0.0, float("inf"), None, (), split_alarm=False, matured_through=None)


@dataclass(frozen=True, slots=True)
class Killed:
    """What the plane itself reports afterwards.

    Attributes
    ----------
    rollout
        Whose route the plane holds; None: none of ours.
    share_bp
        The largest share of any slice.
    recorded
        Whether the store knows of it.
    note
        Without the store: the decision note as it was written, or ought to have been.
    trouble
        Why the note could not be written; empty: it is on the disk.
    """

    service: str
    rollout: str | None
    share_bp: int
    mirror: bool
    generation: int | None
    recorded: bool = True
    note: str = ""
    trouble: str = ""


def kill(service: str, by: str, reason: str, now: datetime, *, unrecorded: bool = False) -> Killed:
    """Take all of a service's traffic back to the incumbent, and say what the plane then reports.

    The order is recorded, decided from the plane's view alone, written down, and brought in force until
    the plane reports 0. A promotion that nothing came after is taken back too.

    Parameters
    ----------
    unrecorded
        Do it without the store: a note is written beside the plane's folder first, then the plane is
        changed under a generation of its own. The next tick finds that and waits for an operator.

    Raises
    ------
    InputError
        If nobody or no reason is named, or the service is unknown.
    IllegalTransition
        If nothing of this service is in force; the message says what is allowed.
    StoreError
        If the store cannot be used; the message says how to do without.
    PlaneError
        If the plane cannot be reached or refuses; the order stands, and the next tick acts on it.
    """
    for what, given in (("who kills it", by), ("a reason", reason)):
        if not given.strip():
            raise InputError(f"asked {what} for kill of {service}; found nothing; give one")
    if unrecorded:
        return _without_the_store(service, by, reason, now)
    with _pointing_to_the_way_without(service), wiring.use(wiring.build(_PATIENCE_S)):
        return _recorded(service, by, reason, now)


def killable() -> list[str]:
    """Return the services that a rollout holds."""
    with _pointing_to_the_way_without("--all"):
        engine = wiring.build(_PATIENCE_S).engine
        return [name for name in store.services(engine) if store.holder(engine, name) is not None]


@contextmanager
def _pointing_to_the_way_without(whom: str) -> Iterator[None]:
    try:
        yield
    except (StoreError, PlaneError, InputError, IllegalTransition) as err:
        raise type(err)(
            f"{err}. Should the candidate still be served: headgate kill {whom} --unrecorded sets the "
            "plane to 0 without the store"
        ) from err


def _recorded(service: str, by: str, reason: str, now: datetime) -> Killed:
    """Roll back what is open, then what was promoted: of several slices some may be."""
    engine = wiring.build().engine
    if store.holder(engine, service) is not None:
        rollout = verbs.press(service, Verb.ROLLBACK, by, reason, now)
        _until_done(rollout, now)
        if any(state.share_bp for state in case_of(store.get(engine, rollout)).states):
            _until_done(verbs.undo(service, by, reason, now), now)
    else:
        _until_done(verbs.undo(service, by, reason, now), now)
    return _killed(service, wiring.build().plane_of(service).observe())


def _until_done(rollout: str, now: datetime) -> None:
    """Take ticks until the rollout is done; only what keeps the plane from following is raised."""
    run, trouble = f"kill-{uuid4()}", None
    for number in range(_TRIES):
        case = case_of(store.get(wiring.build().engine, rollout))
        if case.rollout.done:
            return
        try:
            _tick(case, now, run)
            trouble = None
        except PlaneError as err:
            trouble = err
            time.sleep(_PAUSE_S * (number + 1) / _TRIES)
    if trouble is not None:
        raise type(trouble)(f"the order is recorded, and the next tick acts on it again; {trouble}")


def _tick(case: Case, now: datetime, run: str) -> None:
    """Decide from the plane's view alone, write it down, and tell the plane.

    Where another tick owns this one it sees the same order, so nothing is lost by standing down.
    """
    slices = case.each_open()
    worlds = [_world(one, now) for one in slices]
    in_force = write_down.fn(decide_together(slices, worlds, [one.last.evidence_mark for one in slices]), run)
    if in_force is not None:
        set_share.fn(in_force, in_force.state, now)


def _world(case: Case, now: datetime) -> World:
    plane = look_at_plane.fn(case, now)
    orders = store.open_orders(wiring.build().engine, case.rollout.id)
    return World(
        now=now,
        plane=plane.view,
        scorecard=_NO_EVIDENCE,
        lease=case.rollout.token is not None,
        observed_share_bp=plane.share_bp,
        observed_generation=plane.generation,
        confirmed_at=plane.confirmed_at,
        orders=tuple(order for order in orders if order.slice in ("all", case.slice)),
    )


def _without_the_store(service: str, by: str, reason: str, now: datetime) -> Killed:
    plane, folder = wiring.plane_alone(service)
    note = json.dumps(
        {
            "at": stamp(now),
            "service": service,
            "by": by.strip(),
            "reason": reason.strip(),
            "decided": "share 0, mirror off, without the store",
            "found": _found(plane),
        }
    )
    trouble = _keep(folder.with_name(f"{folder.name}.unrecorded.jsonl"), note)
    plane.cut_off()
    return _killed(service, plane.observe(), recorded=False, note=note, trouble=trouble)


def _found(plane: TrafficPlane) -> dict[str, Any]:
    try:
        seen = plane.observe()
    except HeadgateError as err:
        return {"plane": str(err)}
    return {
        "rollout": seen.rollout,
        "share_bp": _share(seen),
        "mirror": seen.mirror,
        "generation": seen.generation,
        "token": seen.token,
    }


def _keep(path: Path, note: str) -> str:
    """Append the note and make it durable; return why that failed. No trouble of ours keeps a share up."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{note}\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as err:
        return f"{path}: {err.strerror}"
    return ""


def _killed(service: str, seen: Observed, **more: Any) -> Killed:
    mirrored = seen.mirror or any(part.mirror for part in seen.slices)
    return Killed(service, seen.rollout, _share(seen), mirrored, seen.generation, **more)


def _share(seen: Observed) -> int:
    return max([seen.share_bp, *(part.share_bp for part in seen.slices)])
