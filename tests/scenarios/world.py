"""A small world to tell stories in: two real model servers, a plane, a store, and a clock.

What each model answers is up to the test and may change while the story goes on; the clock only moves
when the story says so.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import yaml
from sqlalchemy import Engine

from deployments.prefect_server import well_ended
from flows.advance import advance
from flows.open import open_rollout
from flows.shadow import shadow
from headgate.adapters import store
from headgate.adapters.lake import Lake
from headgate.adapters.planes.in_process import InProcessPlane
from headgate.codes import code_of
from headgate.evidence import EvidenceRow
from headgate.ports import TrafficPlane
from headgate.rollout.state import Answer, Move, Phase, Tick
from tasks import people, wiring
from tests.builders import APRIL, PLAN, settings_in
from tests.integration.oip_server import Server, serve
from tests.scenarios.small import ENTITIES, HOUR, SMALL, better, knows_nothing, logs, write

SERVICE = "flight-delays"
OPERATOR = "operator@example.org"


@dataclass
class World:
    """What a story acts on.

    Attributes
    ----------
    candidate_up
        Whether the candidate answers live requests (the plane double asks nobody).
    ticks
        Every ledger row that this story's ticks saw, oldest first; of the first slice where there are any.
    slices
        What the slice headers of live requests say, in turn.
    """

    home: Path
    incumbent: Server
    candidate: Server
    wired: wiring.Wiring
    now: datetime = APRIL
    candidate_up: bool = True
    rollout: str = ""
    ticks: list[Tick] = field(default_factory=list)
    shares: list[int] = field(default_factory=list)
    sent: int = 0
    slices: tuple[str, ...] = ()

    @property
    def engine(self) -> Engine:
        """The store."""
        return self.wired.engine

    @property
    def plane(self) -> TrafficPlane:
        """The plane."""
        return self.wired.plane_of(SERVICE)

    def body(self, **changes: Any) -> dict[str, Any]:
        """Return the small plan as an engineer writes it; None takes a key out."""
        body = deepcopy(PLAN) | deepcopy(SMALL)
        body["incumbent"]["url"], body["candidate"]["url"] = self.incumbent.url, self.candidate.url
        for key, value in changes.items():
            if value is None:
                body.pop(key, None)
            else:
                body[key] = value
        return body

    def open(self, **changes: Any) -> str:
        """Open a rollout of the small plan with these keys changed (flow ``open``)."""
        body = self.body(**changes)
        path = self.home / f"{body['name']}.yaml"
        path.write_text(yaml.safe_dump(body), encoding="utf-8")
        rollout = open_rollout(str(path), now=self.now, opened_by=OPERATOR)
        self.rollout = self.rollout or rollout
        return rollout

    def shadow(self, every: str = "4h") -> int:
        """Score what is due (flow ``shadow``)."""
        return shadow(SERVICE, now=self.now, every=every)

    def tick(self) -> Tick:
        """Take one tick (flow ``advance``); return the last ledger row of the story's rollout."""
        well_ended(advance(SERVICE, now=self.now, return_state=True))
        last = self.last()
        self.ticks.append(last)
        self.shares.append(self.plane.observe().share_bp)
        return last

    def last(self) -> Tick:
        """Return the last ledger row."""
        last = store.last_tick(self.engine, self.rollout, *self.slices[:1])
        assert last is not None
        return last

    def live(self, start: datetime, end: datetime, every: timedelta = timedelta(minutes=2)) -> None:
        """Let callers send a request every two minutes; entities come round in turn."""
        plane = self.plane
        assert isinstance(plane, InProcessPlane)
        while start < end:
            self.sent += 1
            entity = f"N{self.sent * 7 % ENTITIES:03d}"
            slice_ = self.slices[self.sent % len(self.slices)] if self.slices else None
            plane.serve(
                f"live-{self.sent}", entity, start, candidate_answers=self.candidate_up, slice_=slice_
            )
            start += every

    def after(self, hours: float, every: str = "4h") -> Tick:
        """Let time pass with live traffic, score what came, and tick."""
        start, self.now = self.now, self.now + hours * HOUR
        self.live(start, self.now)
        self.shadow(every)
        return self.tick()

    def until(self, *ends: Move | Phase, hours: float = 18, most: int = 20) -> Tick:
        """Go on until a tick does one of these moves or reaches one of these phases."""
        for _ in range(most):
            last = self.after(hours)
            if last.decision.move in ends or last.state.phase in ends:
                return last
        raise AssertionError(f"never {ends}: {[told(tick) for tick in self.ticks]}")

    def approve(
        self, by: str = "chief@example.org", said: Answer = Answer.APPROVE, slice_: str | None = None
    ) -> None:
        """Let somebody answer what was asked, a moment later."""
        self.now += timedelta(minutes=5)
        say(self.rollout, by, self.now, said, slice_)

    def climb_to(self, percent: int) -> Tick:
        """Go on, approving what is asked, until this share is in force and confirmed."""
        if not self.ticks:
            self.open()
            self.tick()
        for _ in range(20):
            last = self.ticks[-1]
            if last.state.share_bp == percent * 100 and last.state.confirmed_at is not None:
                return last
            if last.decision.move is Move.ASK:
                self.approve()
                self.tick()
            elif last.state.share_bp == percent * 100:
                self.now += timedelta(minutes=1)
                self.tick()
            else:
                self.after(18)
        raise AssertionError(f"never at {percent} %: {[told(tick) for tick in self.ticks]}")

    def evidence(self) -> list[EvidenceRow]:
        """Return all evidence of the story's rollout."""
        return store.evidence(self.engine, self.rollout)


def say(
    rollout: str, by: str, now: datetime, said: Answer = Answer.APPROVE, slice_: str | None = None
) -> None:
    """Let somebody answer the open question with a code of their own, enrolled anew for it."""
    secret = people.enrol(by, OPERATOR, now, replace="a new secret for every answer of a story")
    asked = people.the_question(rollout, slice_)
    code = code_of(secret, asked.request, said.value, datetime.now(UTC))
    heard = people.take_answer(
        rollout, asked.slice, asked.step, asked.attempt, said, by, code, "looked at it", now,
        origin=f"story:{uuid4()}",
    )  # fmt: skip
    assert heard.accepted, heard.reason


def told(tick: Tick) -> str:
    """Return a tick as one reads it in a failing test."""
    state, decision = tick.state, tick.decision
    return f"{tick.at:%d %H:%M} {state.phase} {state.share_bp} {decision.move}: {decision.reason}"


@dataclass(frozen=True)
class Servers:
    """Both model servers; they serve every story, one after the other."""

    incumbent: Server
    candidate: Server

    def behave(self) -> Servers:
        """Serve the versions of the plan, the candidate better than the incumbent."""
        for server, version, answer in (
            (self.incumbent, "logistic-1", knows_nothing),
            (self.candidate, "gbm-2", better),
        ):
            server.version, server.answer, server.delay = version, answer, 0.0
            server.fault, server.calls = (lambda _call: None), 0
        return self


@contextmanager
def servers() -> Iterator[Servers]:
    """Start both model servers."""
    with serve() as incumbent, serve() as candidate:
        yield Servers(incumbent, candidate)


@contextmanager
def world(
    home: Path, of: Servers, plane: TrafficPlane | None = None, outcomes: pa.Table | None = None
) -> Iterator[World]:
    """Build a world in this folder, put its adapters in place, and take it down again."""
    requests, true = logs()
    write(home, requests, true if outcomes is None else outcomes)
    with _wired(home, plane or InProcessPlane()) as wired:
        of.behave()
        yield World(home, of.incumbent, of.candidate, wired)


@dataclass(frozen=True)
class Snapshot:
    """A story as it stood at one moment: its files, its plane, its clock."""

    home: Path
    plane: InProcessPlane
    now: datetime
    rollout: str
    ticks: tuple[Tick, ...]
    shares: tuple[int, ...]
    sent: int

    @contextmanager
    def resumed(self, home: Path, of: Servers, plane: TrafficPlane | None = None) -> Iterator[World]:
        """Go on from here in a folder of its own."""
        shutil.copytree(self.home, home)
        with _wired(home, plane or deepcopy(self.plane)) as wired:
            of.behave()
            yield World(
                home, of.incumbent, of.candidate, wired, now=self.now, rollout=self.rollout,
                ticks=list(self.ticks), shares=list(self.shares), sent=self.sent,
            )  # fmt: skip


def snapshot(of: World, home: Path) -> Snapshot:
    """Keep a story as it stands now."""
    of.engine.dispose()  # the last connection writes SQLite's log into its file
    shutil.copytree(of.home, home)
    plane = deepcopy(of.plane)
    assert isinstance(plane, InProcessPlane)
    return Snapshot(home, plane, of.now, of.rollout, tuple(of.ticks), tuple(of.shares), of.sent)


def adapters(home: Path, plane_of: Callable[[str], TrafficPlane]) -> wiring.Wiring:
    """Return the real store and lake in a folder, with a plane."""
    return wiring.Wiring(
        engine=store.connect(f"sqlite:///{home / 'store.db'}"),
        lake=Lake(home / "lake", base=home),
        plane_of=plane_of,
        settings=settings_in(home),
    )


@contextmanager
def _wired(home: Path, plane: TrafficPlane) -> Iterator[wiring.Wiring]:
    wired = adapters(home, lambda _service: plane)
    with wiring.use(wired):
        try:
            yield wired
        finally:
            wired.engine.dispose()
