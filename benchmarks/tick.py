"""A tick of a rollout with 10,000 ledger rows against one with a handful.

``python -m benchmarks --only tick``. One rollout of the worked example is opened, and lives through
weeks of real flights; then its store is copied and one copy's ledger filled. Both take the same ticks in
turns, in the flow's own words; everything but the length of the ledger is equal.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.lived import PAUSE, bare, call, fill, last_of, lived, opened, wired_to
from benchmarks.results import Figure, Section, table
from benchmarks.shadow import flights
from headgate.adapters import store
from headgate.adapters.planes.in_process import InProcessPlane
from headgate.plan import Plan

if TYPE_CHECKING:
    from tasks.wiring import Wiring

TARGET = 1.2
ROWS = 10_000
#: Rounds of bare ticks and of whole flow runs.
ROUNDS, QUICK_ROUNDS, FLOW_ROUNDS = 50, 8, 15
WEEKS, QUICK_WEEKS = 4, 1
#: Live requests between ticks.
REQUESTS = 20


@dataclass(frozen=True)
class Side:
    """One store with its plane and how many ledger rows it began with."""

    name: str
    wired: Wiring
    plane: InProcessPlane
    rows: int


@dataclass(frozen=True, slots=True)
class Timed:
    """Seconds of every round, of both sides; ``whole`` flow runs or bare ones."""

    name: str
    whole: bool
    evidence: int
    few: list[float]
    many: list[float]

    @property
    def ratio(self) -> float:
        """Median of the rounds' ratios."""
        return statistics.median(b / a for a, b in zip(self.few, self.many, strict=True))


def run(*, quick: bool) -> Section:
    """Measure."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        home = Path(folder)
        plan, _lake = stack.enter_context(flights(home))
        api_url = None if quick else _prefect(stack, home)
        timed = list(_all(home, plan, api_url, quick=quick))
    figures = [
        Figure(
            f"tick with {ROWS:,} ledger rows / with a handful, {one.name}",
            one.ratio,
            at_most=None if one.whole else TARGET,
            digits=2,
        )
        for one in timed
    ]
    skipped = " The whole flow run is left out of a quick run." if quick else ""
    return Section(
        title="A tick with a long ledger",
        what=f"Whether a tick gets slower as a rollout's ledger grows: {ROWS:,} rows are a tick every five "
        "minutes for five weeks. A tick reads the case, the plane and its log, closes blocks, judges every "
        "gate on all evidence, decides, writes its row and sets the share.",
        how="One rollout of the worked example, opened and scored by the real flows on real flights; its "
        "store (SQLite, every commit synchronised to disk) is copied and one copy's ledger filled with rows "
        "like its last one. Both take the same ticks in turns, the first to go alternating, with the "
        f"in-process plane and {REQUESTS} live requests between ticks; the median of the rounds' ratios. "
        "Bare: the flow `advance` with every task called as the plain function it wraps, and the servers' "
        "versions given; so neither Prefect nor HTTP hides what a ledger costs. Little evidence is the "
        f"hardest case: nothing else to do.{skipped}",
        figures=tuple(figures),
        detail=_detail(timed),
    )


def _detail(timed: list[Timed]) -> str:
    def ms(times: list[float]) -> list[str]:
        return [f"{1e3 * x:.1f}" for x in (statistics.median(times), statistics.quantiles(times, n=20)[18])]

    rows = [
        (one.name, len(one.few), one.evidence, *ms(one.few), *ms(one.many), f"{one.ratio:.2f}")
        for one in timed
    ]
    head = ("ms a tick", "rounds", "batches of evidence", "handful, median", "95 %")
    return table((*head, f"{ROWS:,} rows, median", "95 %", "ratio"), rows)


def _prefect(stack: ExitStack, home: Path) -> str:
    """Start a Prefect server; must come before anything imports Prefect."""
    from deployments.prefect_server import flows_here, start_prefect
    from deployments.processes import Processes

    processes = stack.enter_context(Processes(home / "logs"))
    api_url = start_prefect(processes, home / "prefect")
    stack.enter_context(flows_here(home / "prefect-here", api_url))
    return api_url


def _all(home: Path, plan: Plan, api_url: str | None, *, quick: bool) -> Iterator[Timed]:
    """Open the rollout; measure with little evidence, and again when weeks have gone by."""
    from tasks import wiring

    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "WARNING")
    weeks, rounds = (QUICK_WEEKS, QUICK_ROUNDS) if quick else (WEEKS, ROUNDS)
    plane = InProcessPlane()
    wired = wired_to(home, home / "grown.db", plane)
    with bare(plan), wiring.use(wired):
        now = opened(plan)
    yield _measured("bare, little evidence", home, wired, plan, plane, now, rounds)
    with bare(plan), wiring.use(wired):
        now = lived(plan, plane, now, weeks)
    name = f"bare, {weeks} week(s) of evidence"
    yield _measured(name, home, wired, plan, plane, now, rounds)
    if api_url:
        yield _measured("whole flow run with Prefect", home, wired, plan, plane, now, FLOW_ROUNDS, whole=True)
    wired.engine.dispose()


def _measured(
    name: str,
    home: Path,
    wired: Wiring,
    plan: Plan,
    plane: InProcessPlane,
    now: datetime,
    rounds: int,
    *,
    whole: bool = False,
) -> Timed:
    """Copy the store twice, fill one ledger, and take the same ticks on both in turns."""
    last = last_of(wired)
    sides = []
    for word, extra in (("handful", 0), ("many", ROWS)):
        path = home / f"{name}-{word}.db"
        wired.engine.dispose()  # the last connection writes SQLite's log into its file
        shutil.copyfile(home / "grown.db", path)
        own = deepcopy(plane)
        copy = wired_to(home, path, own)
        fill(copy, last, extra)
        sides.append(Side(word, copy, own, last.tick + 1 + extra))
    tick = _tick_whole if whole else _tick_bare
    with nullcontext() if whole else bare(plan):
        # After the last of the filled rows, which are a second apart.
        few, many = take_turns(sides, plan.service, now + timedelta(seconds=ROWS) + PAUSE, rounds, tick)
    evidence = len(store.evidence(wired.engine, last.state.rollout))
    for side in sides:
        added = last_of(side.wired).tick + 1 - side.rows
        side.wired.engine.dispose()
        if added != rounds + 1:
            raise RuntimeError(
                f"{name}, {side.name}: {rounds + 1} ticks left {added} rows; the comparison is void"
            )
    return Timed(name, whole, evidence, few, many)


def take_turns(
    sides: list[Side], service: str, now: datetime, rounds: int, tick: Callable[[str, datetime], None]
) -> tuple[list[float], list[float]]:
    """Return both sides' seconds per round, after one to warm up; the first to go alternates."""
    from tasks import wiring

    seconds: dict[str, list[float]] = {side.name: [] for side in sides}
    for turn in range(rounds + 1):
        for side in sides if turn % 2 else reversed(sides):
            call(side.plane, now - PAUSE, now, PAUSE / REQUESTS)
            with wiring.use(side.wired):
                began = time.perf_counter()
                tick(service, now)
                seconds[side.name].append(time.perf_counter() - began)
        now += PAUSE
    few, many = (seconds[side.name][1:] for side in sides)
    return few, many


def _tick_bare(service: str, now: datetime) -> None:
    from flows.advance import advance

    advance.fn(service, now)


def _tick_whole(service: str, now: datetime) -> None:
    from flows.advance import advance

    advance(service, now)
