"""All that is measured about the gates, cut into pieces that two processes share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from multiprocessing import get_context
from typing import Any

from benchmarks.gates import arms, contests, guards, money, nulls, operational, quality, rollouts, watching
from benchmarks.gates.alone import ALPHA, Side, Speed, Wrong, seeded, speed, wrong
from benchmarks.gates.operation import outages
from benchmarks.gates.scenarios import SCENARIOS
from benchmarks.running import say
from headgate.gates.questions import log_threshold

PARTS = ("alone", "whole", "rivals", "rollouts")
#: Requests per look: what a batch overshoots is no fault of the engine, so a small and a usual one.
LOOKS, HOURS = (10, 50), (10, 50, 200)
FARS = (0.5, 1.0, 2.0)
#: Rollouts that one piece of work lives.
_STRETCH = 25


@dataclass(frozen=True, slots=True)
class Runs:
    """How many runs: of nulls and rivals, of speeds at the design distance (elsewhere half), of rollouts.

    ``rollouts`` is of the two nulls; other scenarios get an eighth, by their weight.
    """

    nulls: int = 2000
    speeds: int = 500
    rollouts: int = 400

    def of(self, scenario: int) -> int:
        """Return the runs of one scenario."""
        if SCENARIOS[scenario].null:
            return self.rollouts
        return max(2, round(self.rollouts / 8 * SCENARIOS[scenario].weight))


@dataclass(slots=True)
class Found:
    """What was measured."""

    speeds: list[Speed] = field(default_factory=list)
    wrongs: list[Wrong] = field(default_factory=list)
    watch: list[watching.Watched] = field(default_factory=list)
    rivals: list[contests.Rival] = field(default_factory=list)
    rollouts: list[rollouts.Told] = field(default_factory=list)
    told: list[tuple[str, float]] = field(default_factory=list)
    outages: list[tuple[str, float]] = field(default_factory=list)
    seconds: float = 0.0

    def missed(self, limit: float) -> list[str]:
        """Return what breaks a promise: a wrong verdict too often, a gate alone slower than the limit."""
        slow = [
            f"{s.gate}, {s.verdict}, by {s.batch}: {s.score:.2f} N*"
            for s in self.speeds
            if s.far == 1 and not s.judged and not s.score <= limit
        ]
        often = [f"{w.null}: {w.wrong:.2%} of {w.allowed:.2%}" for w in self.wrongs if not w.kept]
        early = [f"watch, run length {w.run_length:.0f}" for w in self.watch if not w.kept]
        return [*often, *slow, *early]


#: One piece of work: what kind, and which.
Piece = tuple[str, tuple[Any, ...]]


@cache
def sides() -> tuple[Side, ...]:
    """Return every e-process of every gate."""
    return (
        *(side for look in LOOKS for side in quality.sides(look)),
        *quality.block_sides(),
        *(side for look in LOOKS for side in quality.refusing(look)),
        *money.sides(LOOKS[-1]),
        *money.judged_sides(LOOKS[-1]),
        *arms.sides(),
        *arms.block_sides(),
        *(side for look in LOOKS for side in operational.sides(look)),
        *(side for look in HOURS for side in operational.judged_sides(look)),
        *guards.sides(),
    )


def pieces(runs: Runs, parts: tuple[str, ...]) -> Iterator[Piece]:
    """Yield all work, what takes longest first."""
    if "rollouts" in parts:
        for number in sorted(range(len(SCENARIOS)), key=lambda n: SCENARIOS[n].weight):
            stretch = max(1, round(_STRETCH * SCENARIOS[number].weight))
            for first in range(0, runs.of(number), stretch):
                yield "lives", (number, first, min(stretch, runs.of(number) - first))
    if "rivals" in parts:
        for number in range(len(contests.traffics())):
            yield "rivals", (number, runs.nulls)
    if "whole" in parts:
        yield "whole", (runs.nulls,)
        yield "told", (runs.nulls,)
    if "alone" in parts:
        for shared in quality.SHARED:
            yield "watch", (shared, max(2, runs.nulls // 10))
        for number, side in enumerate(sides()):
            for shared in side.shared:
                yield "wrong", (number, shared, runs.nulls)
            for far in FARS:
                yield "speed", (number, far, runs.speeds if far == 1 else max(2, runs.speeds // 2))


def work(piece: Piece) -> tuple[Piece, Any]:
    """Do one piece; called in either process."""
    kind, what = piece
    return piece, _DONE[kind](*what)


def measure(runs: Runs, parts: tuple[str, ...] = PARTS, processes: int = 2) -> Found:
    """Measure everything. Each row has randomness of its own, so who does what changes nothing."""
    began = time.perf_counter()
    work_list = list(pieces(runs, parts))
    if processes == 1:
        done = list(map(work, work_list))
    else:
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            done = list(_counted(pool.map(work, work_list), len(work_list)))
    found = _gathered(done)
    found.seconds = time.perf_counter() - began
    return found


def _counted(done: Iterable[tuple[Piece, Any]], total: int) -> Iterator[tuple[Piece, Any]]:
    """Pass results on and tell somebody who waits how far it is, twenty times."""
    for number, one in enumerate(done, start=1):
        if number * 20 // total > (number - 1) * 20 // total:
            say(f"gates: {number} of {total} pieces")
        yield one


def _gathered(done: list[tuple[Piece, Any]]) -> Found:
    found, lived = Found(), dict[int, list[rollouts.Lived]]()
    for (kind, what), result in done:
        match kind:
            case "speed":
                found.speeds.append(result)
            case "wrong":
                found.wrongs.append(result)
            case "whole":
                found.wrongs += result
            case "told":
                found.told, found.outages = result
            case "watch":
                found.watch.append(result)
            case "rivals":
                found.rivals += result
            case "lives":
                lived.setdefault(what[0], []).extend(result)
    for number, lives in sorted(lived.items()):
        held = rollouts.held(SCENARIOS[number], lives)
        found.rollouts.append(rollouts.told(SCENARIOS[number], lives))
        found.wrongs += [held] if held else []
    return found


def _told(runs: int) -> tuple[list[tuple[str, float]], list[tuple[str, float]]]:
    rng = seeded("told")
    return list(nulls.without_promise(rng, runs)), list(outages(rng, runs, log_threshold(ALPHA, attempt=1)))


_DONE: dict[str, Callable[..., Any]] = {
    "lives": lambda number, first, runs: rollouts.lives(SCENARIOS[number], first, runs),
    "rivals": lambda number, runs: contests.measured(contests.traffics()[number], runs),
    "whole": lambda runs: list(nulls.nulls_whole(seeded("whole"), runs)),
    "told": _told,
    "watch": watching.watched,
    "wrong": lambda number, shared, runs: wrong(sides()[number], shared, runs),
    "speed": lambda number, far, runs: speed(sides()[number], far, runs),
}
