"""What a doctor looks at besides Prefect: store, people, planes, models, ticks, and this machine."""

from __future__ import annotations

import asyncio
import shutil
import stat
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from sqlalchemy import make_url

from headgate.adapters import store
from headgate.adapters.models import metadata_of
from headgate.adapters.planes.envoy_process import find_binary
from headgate.adapters.planes.haproxy_process import find_binary as find_haproxy
from headgate.adapters.settings import masked
from headgate.errors import HeadgateError, ModelError
from headgate.plan import Plan
from headgate.rollout.state import Phase
from tasks import wiring
from tasks.checkup import Finding, missing, ok, warning
from tasks.notices import late_notices

_GB = 1_000_000_000
#: Alerts that did not arrive in time, of which so many are told.
_LATE_SHOWN = 5
#: A tick that is older has been missed: `prefect.yaml` asks one every five minutes.
_LATE, _LOST = timedelta(minutes=20), timedelta(hours=2)


def store_is_there() -> Iterator[Finding]:
    """Look whether the store answers, of which revision it is, and whether we may write."""
    nowhere = _no_store_at()
    if nowhere is not None:
        todo = "the first `headgate start` makes it; if there should be one, mend HEADGATE_STORE_URL"
        yield warning("store", f"no file {nowhere}", todo)
        return
    yield ok("store", masked(store.describe(wiring.build().engine)) + ", writable")


def time_and_disk() -> Iterator[Finding]:
    """Look at the clock in use and the room that is left."""
    settings = wiring.read_settings()
    now = wiring.clock()()
    if settings.clock is None:
        yield ok("clock", f"the machine's: {now:%Y-%m-%d %H:%M} UTC")
    else:
        todo = "unset HEADGATE_CLOCK in production"
        yield warning("clock", f"a played one, of {settings.clock}: {now:%Y-%m-%d %H:%M} UTC", todo)
    folder = next(
        parent for parent in (settings.home.resolve(), *settings.home.resolve().parents) if parent.exists()
    )
    free = shutil.disk_usage(folder).free
    found = f"{free / _GB:.1f} GB free at {folder}"
    if free < _GB / 10:
        yield missing("disk", found, "make room: nothing can be recorded on a full disk")
    elif free < _GB:
        yield warning("disk", found, "make room")
    else:
        yield ok("disk", found)


def envoy_is_installed() -> Iterator[Finding]:
    """Look for the programs of the planes: Envoy, and HAProxy where an open plan asks for it."""
    yield ok("Envoy", str(find_binary()))
    if any(plan.plane.kind == "haproxy" for plan in _open_plans().values()):
        yield ok("HAProxy", str(find_haproxy()))


def approvers() -> Iterator[Finding]:
    """Look whether enough people can answer what the open plans will ask, their authors not counted."""
    if _no_store_at() is not None:
        return
    settings = wiring.read_settings()
    enrolled = [one.name for one in store.approvers(wiring.build().engine) if one.active]
    if enrolled:
        yield _key(settings.key_file)
    for plan in _open_plans().values():
        others = [name for name in enrolled if name.strip().casefold() != plan.author.strip().casefold()]
        steps = [step for name in plan.slice_names for step in plan.of_slice(name).steps]
        needed = max((step.approval.approvers for step in steps if step.approval), default=0)
        if len(others) < needed:
            found = f"{plan.name} asks {needed}; enrolled, the author not counted: {len(others)}"
            yield missing("approvers", found, "headgate approver add NAME --as WHO")
    if not enrolled:
        yield warning("approvers", "nobody is enrolled", "headgate approver add NAME --as WHO")
    else:
        yield ok("approvers", ", ".join(enrolled))


def _key(path: Path) -> Finding:
    if not path.exists():
        todo = "restore it from its backup; without it every approver has to be enrolled anew"
        return missing("key file", f"no {path}", todo)
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return warning("key file", f"{path} can be read by others", f"chmod 600 {path}")
    return ok("key file", str(path))


def alerts_go_somewhere() -> Iterator[Finding]:
    """Look whether somebody is told of what the open rollouts do."""
    settings = wiring.read_settings()
    silent = [plan.name for plan in _open_plans().values() if not plan.notify]
    if settings.notify:
        yield ok("alerts", f"go to {masked(settings.notify)}")
    elif silent or not _open_plans():
        found = f"nobody is told of {', '.join(silent) or 'what happens'}"
        yield warning(
            "alerts", found, "name a route: `notify` in the plan, or HEADGATE_NOTIFY (docs/alerts.md)"
        )
    else:
        yield ok("alerts", "go where the plans say")
    late = [] if _no_store_at() else late_notices(wiring.clock()())
    for one in late[:_LATE_SHOWN]:
        found = f"{one.alert.kind} of {one.alert.rollout} has not arrived by {one.route}: {one.detail}"
        yield warning("alerts", found, "mend the route; `prefect deployment run tell/default` sends it again")


def planes() -> Iterator[Finding]:
    """Look whether the plane of every open rollout answers, at the share on record."""
    for rollout in open_rollouts():
        if rollout.token is None:
            continue
        wired = wiring.build()
        recorded = len(store.slice_names(wired.engine, rollout.id))
        last = store.last_tick(wired.engine, rollout.id)
        what = f"plane of {rollout.service}"
        if last is None or last.state.phase in (Phase.QUEUED, Phase.PREFLIGHT):
            continue
        try:
            seen = wired.plane_of(rollout.service).observe()
        except HeadgateError as err:
            yield missing(what, str(err), "the next tick starts it again at the share its files hold")
            continue
        if recorded == 1 and seen.share_bp != last.state.share_bp:
            found = f"serves {seen.share_bp / 100:g} %; on record {last.state.share_bp / 100:g} %"
            yield warning(what, found, "wait for the next tick; `headgate explain` says what it makes of it")
        else:
            yield ok(what, f"answers; candidate's share {seen.share_bp / 100:g} %")


def model_servers() -> Iterator[Finding]:
    """Look whether the models of every open rollout answer, in the versions that its plan names."""
    for rollout, plan in _open_plans().items():
        for side, ref in (("incumbent", plan.incumbent), ("candidate", plan.candidate)):
            what = f"{side} of {rollout}"
            try:
                version = asyncio.run(metadata_of(plan, ref)).version
            except ModelError as err:
                yield missing(what, str(err), "start or mend its server")
                continue
            if version == ref.version:
                yield ok(what, f"{ref.url} {version}")
            else:
                yield missing(
                    what, f"{ref.url} serves {version}", f"serve {ref.version}, which the plan names"
                )


def ticks() -> Iterator[Finding]:
    """Look when each open rollout was looked at last."""
    now = wiring.clock()()
    for rollout in open_rollouts():
        if rollout.token is None:
            continue
        last = store.last_tick(wiring.build().engine, rollout.id)
        if last is None:
            continue
        age = now - last.at
        found = f"last {last.at:%Y-%m-%d %H:%M} UTC, {age.total_seconds() / 60:.0f} minutes ago"
        todo = "see that the schedule of `advance` is on and a worker runs; `headgate advance` ticks by hand"
        what = f"ticks of {rollout.service}"
        if age > _LOST:
            yield missing(what, found, todo)
        elif age > _LATE:
            yield warning(what, found, todo)
        else:
            yield ok(what, found)


def open_rollouts() -> list[store.Rollout]:
    """Return the rollouts that are not over; none where there is no store, which a look must not make."""
    if _no_store_at() is not None:
        return []
    return [rollout for rollout in store.rollouts(wiring.build().engine) if not rollout.done]


def _no_store_at() -> Path | None:
    """Return where a store of the settings would be, if there is none yet."""
    url = make_url(wiring.read_settings().store_url)
    path = Path(url.database or "")
    return path if url.get_backend_name() == "sqlite" and not path.exists() else None


def _open_plans() -> dict[str, Plan]:
    return {
        rollout.id: store.plan_of(wiring.build().engine, rollout.plan_hash) for rollout in open_rollouts()
    }
