"""The load test of a candidate: real requests at a multiple of the pilot's volume, before it gets any."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx

from headgate.adapters import store
from headgate.adapters.guard.answers import read_answer
from headgate.adapters.load import Shots, arrivals, fire
from headgate.adapters.models import metadata_of
from headgate.capacity import Climb, Failures, Result, Stage, climb, stage_of
from headgate.capacity.figures import three
from headgate.capacity.report import limits_of
from headgate.capacity.stage import FEWEST
from headgate.errors import InputError, ModelError
from headgate.guard.confidence import is_sure
from headgate.plan import Plan
from headgate.plan.model import LoadTest
from headgate.rollout.state import Phase, Tick
from tasks import wiring
from tasks.load_pilot import Pilot, pilot_of
from tasks.load_twin import twin_plane

#: Facts of a rollout under this name and a time are its load tests.
FACT = "load_test"
#: No faster than this, whatever is asked: one process sends no more.
MOST_PER_SECOND = 20_000.0
_SEED = 20130401
#: Requests per second and seconds, before every rate and not counted; at most so many times.
_WARM_UP, _WARM_UPS = (40.0, 0.5), 5

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Subject:
    """What is tested: a plan, for a rollout or as a rehearsal; requests are those before ``until``."""

    plan: Plan
    until: datetime
    rollout: str | None = None


def of_rollout(rollout_id: str) -> Subject:
    """Return the subject that a rollout is.

    Raises
    ------
    InputError
        If there is no such rollout.
    """
    engine = wiring.build().engine
    rollout = store.get(engine, rollout_id)
    plan = store.plan_of(engine, rollout.plan_hash)
    opened = [tick.state.opened_at for name in plan.slice_names if (tick := _last(rollout_id, name))]
    return Subject(plan, min(opened), rollout_id)


def load_test(subject: Subject, tell: Tell) -> Result:
    """Run the test, and record it where there is a rollout.

    Raises
    ------
    InputError
        If the candidate may not be loaded now, there are no requests to send, or it is not the plan's.
    PlaneError
        If no plane can be started for it.
    """
    plan = subject.plan
    _may_be_loaded(subject)
    tell("reading the requests")
    pilot = pilot_of(plan, subject.until)
    version = asyncio.run(_version(plan))
    load = plan.load or LoadTest()
    asked = load.times * pilot.volume.peak
    length = load.length.total_seconds()
    found = _Firing(plan, pilot, length, tell).climb(max(asked, 1.2 * FEWEST / length))
    kinds = (*pilot.kinds, *_counted(found))
    result = Result(datetime.now(UTC), version, plan.plane.kind, pilot.volume, asked, found, kinds)
    if subject.rollout is not None:
        _may_be_loaded(subject)  # it may have gone on while the test ran
        name = f"{FACT}/{result.at.isoformat(timespec='microseconds')}"
        store.freeze(wiring.build().engine, subject.rollout, name, result.to_json(), result.at)
    return result


def newest_test(rollout_id: str) -> Result | None:
    """Return the newest load test of a rollout; None before the first."""
    facts = store.facts(wiring.build().engine, rollout_id)
    tests = sorted(name for name in facts if name.startswith(f"{FACT}/"))
    return Result.from_json(facts[tests[-1]]) if tests else None


class _Firing:
    """Sends the stages of one test, one after the other."""

    def __init__(self, plan: Plan, pilot: Pilot, length: float, tell: Tell) -> None:
        self._plan, self._pilot, self._length, self._tell = plan, pilot, length, tell
        self._limits = limits_of(plan)
        self._patience = 2 * plan.serving.timeout.total_seconds() + 1
        self._unsure = 0
        self._seed = _SEED

    def climb(self, target: float) -> Climb:
        """Hold the target, then look for the rate at which the candidate saturates."""
        steps = climb(target, self._limits, MOST_PER_SECOND)
        rate, length = next(steps), self._length
        try:
            while True:
                self._tell(f"{three(rate)}/s for {length:.0f} s")
                stage = self.stage(rate, length)
                self._tell(f"{three(rate)}/s: {self._limits.judge(stage)[1]}")
                rate = steps.send(stage)
                length = min(max(self._length / 3, 1.2 * FEWEST / rate), 2 * self._length)
        except StopIteration as over:
            found: Climb = over.value
            return found

    def stage(self, rate: float, seconds: float) -> Stage:
        """Hold one rate, through a plane that remembers nothing of the rate before.

        A plane leaves a candidate that failed alone for a while, which the next rate must not suffer for.
        """
        for attempt in range(1, _WARM_UPS + 1):
            with twin_plane(self._plan) as address:
                # The first will do, unless the candidate is still busy with what was too much for it.
                if any(self._fire(address, *_WARM_UP).faults) and attempt < _WARM_UPS:
                    continue
                self._unsure, self._seed = 0, self._seed + 1
                shots = self._fire(address, rate, seconds)
                break
        unsure = self._unsure if self._plan.serving.confidence_below else None
        return stage_of(rate, seconds, shots.due, shots.sent, shots.done, shots.faults, unsure)

    def _fire(self, address: tuple[str, int], rate: float, seconds: float) -> Shots:
        due = arrivals(rate, seconds, self._seed)
        return fire(address, self._pilot.requests, due, self._judge, patience=self._patience)

    def _judge(self, status: int, _headers: Mapping[str, str], body: bytes) -> str:
        if status == httpx.codes.SERVICE_UNAVAILABLE:
            return "left to the fallback"
        if status != httpx.codes.OK:
            return f"status {status}"
        said = read_answer(self._plan, body)
        if said.value is None:
            return "unusable answer"
        self._unsure += not is_sure(self._plan.serving.confidence_below, said.confidence)
        return ""


def _counted(found: Climb) -> tuple[Failures, ...]:
    """Return the failures of the stage nearest to normal life that the candidate kept up.

    Above its limit everything fails; that is no edge case.
    """
    stage = found.calm()
    if stage is None:
        return ()
    source = f"load test, {three(stage.rate)}/s"
    kinds = [Failures("no usable answer", stage.failed, stage.sent, source)]
    answered = stage.sent - stage.failed
    if stage.unsure is not None and answered:
        kinds.append(Failures("too unsure", stage.unsure, answered, source))
    return tuple(kinds)


def _may_be_loaded(subject: Subject) -> None:
    """Refuse to load a server that real callers, or a rollout's evidence, depend on."""
    plan = subject.plan
    if urlsplit(plan.incumbent.url).netloc == urlsplit(plan.candidate.url).netloc:
        raise InputError(
            f"asked to load-test {plan.candidate.url}; found that it is the incumbent's server too, which "
            "answers real callers; serve the candidate at an address of its own"
        )
    if subject.rollout is None:
        return
    ticks = [_last(subject.rollout, name) for name in plan.slice_names]
    begun = [t.state for t in ticks if t and t.state.phase not in (Phase.QUEUED, Phase.PREFLIGHT)]
    if begun:
        raise InputError(
            f"asked to load-test {subject.rollout}; found it in {begun[0].phase.value}: the load would be in "
            "its evidence and in its callers' way; test before the shadow, or another instance of the "
            "candidate with a plan file"
        )


def _last(rollout_id: str, slice_: str) -> Tick | None:
    return store.last_tick(wiring.build().engine, rollout_id, slice_)


async def _version(plan: Plan) -> str:
    """Return the version that answers at the candidate's address, which has to be the plan's."""
    asked = f"asked the candidate {plan.candidate.version} at {plan.candidate.url}"
    try:
        found = (await metadata_of(plan, plan.candidate)).version
    except ModelError as err:
        raise InputError(f"{asked}; found no answer ({err}); start it, then test again") from err
    if found != plan.candidate.version:
        raise InputError(
            f"{asked}; its server answers as {found}; a test of it would say nothing: serve that"
        )
    return found
