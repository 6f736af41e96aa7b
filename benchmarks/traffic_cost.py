"""What a request costs on its way: planes and guard against direct, nginx and HAProxy, all in one run.

``python -m benchmarks --only traffic_cost``. The ways take turns, so that a busy machine slows all alike.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.results import Figure, Section, table
from benchmarks.running import say
from benchmarks.traffic_paths import COLUMNS, Way, ways
from headgate.adapters.load import arrivals, fire
from headgate.adapters.oip import encode

#: Requests per second of every way, low enough for the slowest; seconds of one turn; turns of each way.
RATE, SECONDS, ROUNDS = 150.0, 2.0, 14
_QUICK_SECONDS, _QUICK_ROUNDS = 0.4, 2
#: Requests sent at full speed by so many callers, for the throughput of the guard.
_BURST, _QUICK_BURST, _CALLERS = 1_500, 100, 16
#: Requests a second that a guard may bear, to say beforehand how long it takes.
_GUESSED = 700
_DIFFERENT = 500
_TITLE = "What a request costs on its way"
_PLANES, _PEERS = ("envoy plane", "haproxy plane"), ("nginx", "HAProxy by hand")


@dataclass
class Cost:
    """What a way came to, turn by turn.

    Attributes
    ----------
    cpu_us
        Processor time per request of all processes between caller and model, one value a turn.
    waits_ms
        Time from sending to the answer, of every request.
    per_second
        Requests answered per second at full speed, one value a turn; only of guards.
    """

    cpu_us: list[float] = field(default_factory=list)
    waits_ms: list[float] = field(default_factory=list)
    per_second: list[float] = field(default_factory=list)
    faults: int = 0

    def quantile(self, q: float) -> float:
        """Return a quantile of the waits."""
        return float(np.quantile(self.waits_ms, q))

    @property
    def cpu(self) -> float:
        """Mean processor time per request, microseconds."""
        return float(np.mean(self.cpu_us))


def run(*, quick: bool) -> Section:
    """Measure."""
    with tempfile.TemporaryDirectory() as folder, ways(Path(folder)) as made:
        planes = made.planes()
        if not planes:
            return Section(_TITLE, skipped="; ".join(made.missing))
        paths = [made.direct(), *made.others(), *planes, *made.guards(planes[0])]
        found = measure(paths, quick=quick)
        missing, programs = list(made.missing), dict(made.programs)
    rounds = _QUICK_ROUNDS if quick else ROUNDS
    return Section(
        title=_TITLE,
        what="Processor time per request of everything between caller and model, and how long callers wait: "
        "both planes and the guard against no proxy at all, and against nginx and HAProxy set up by hand to "
        "do nothing but split and log (no fallback, no headers of ours). `a : b` is a ratio of both in this "
        "run: 2 means twice as much.",
        how=f"An open loop: {RATE:g} requests a second at random, one row of 15 columns each, on kept "
        f"connections, through every way in turn, {rounds} turns each; all proxies with two threads and an "
        "access log, half of the entities on either side. The model answers at once. Processor time as the "
        "kernel counts it per thread; so few requests a second share no wake-up. The guard is one process "
        f"before the {planes[0].name}, whose time is in its figures; at full speed {_CALLERS} callers ask it "
        f"without a pause.{''.join(f' {name} is {said}.' for name, said in programs.items())}",
        figures=tuple(_figures(found)),
        detail="\n\n".join(filter(None, (_table(found), *(f"Not measured: {one}" for one in missing)))),
    )


def measure(paths: Sequence[Way], *, quick: bool) -> dict[str, Cost]:
    """Let the ways take turns; the order turns as well."""
    requests, found = _requests(), {path.name: Cost() for path in paths}
    seconds, rounds = (_QUICK_SECONDS, _QUICK_ROUNDS) if quick else (SECONDS, ROUNDS)
    burst = _QUICK_BURST if quick else _BURST
    guards = sum(path.name.startswith("guard") for path in paths)
    minutes = rounds * (len(paths) * seconds + guards * burst / _GUESSED) / 60
    say(f"traffic_cost: {len(paths)} ways, {rounds} turns each: about {minutes:.1f} minutes")
    for path in paths:
        _turn(path, Cost(), requests, min(seconds, 1.0), seed=0)  # connections, caches
    for turn in range(rounds):
        start = turn % len(paths)
        for path in (*paths[start:], *paths[:start]):
            _turn(path, found[path.name], requests, seconds, seed=turn + 1)
            if path.name.startswith("guard"):
                _full_speed(path, found[path.name], requests, burst)
    return found


def _turn(path: Way, cost: Cost, requests: Sequence[bytes], seconds: float, seed: int) -> None:
    due = arrivals(RATE, seconds, seed)
    before = path.cpu_s()
    shots = fire(("127.0.0.1", path.port), requests, due, _judge)
    cost.cpu_us.append((path.cpu_s() - before) / len(due) * 1e6)
    # From sending: nobody is kept from sending here, and the timers of the caller count in milliseconds.
    cost.waits_ms += ((shots.done - shots.sent) * 1e3).tolist()
    cost.faults += sum(1 for fault in shots.faults if fault)


def _full_speed(path: Way, cost: Cost, requests: Sequence[bytes], n: int) -> None:
    shots = fire(("127.0.0.1", path.port), requests, np.zeros(n), _judge, patience=60, connections=_CALLERS)
    cost.per_second.append(n / float(shots.done.max()))
    cost.faults += sum(1 for fault in shots.faults if fault)


def _judge(status: int, _headers: object, body: bytes) -> str:
    return "" if status == 200 and b"outputs" in body else f"status {status}"


def _figures(found: dict[str, Cost]) -> list[Figure]:
    """Return what counts, ratios first."""
    direct, guard, bare = found["direct"], found["guard"], found["guard, no contract"]
    validation = 100 * (1 - bare.cpu / guard.cpu)
    figures = [
        *_ratios(found),
        Figure("throughput of the guard, with a contract : without", _speed(guard, bare), digits=2),
        Figure("what validation costs, of the guard's processor time", validation, "%", digits=1),
        Figure("guard, requests a second of one process", float(np.median(guard.per_second)), "/s"),
    ]
    for name in (*_PLANES, "guard"):
        if name in found:
            for q in (0.5, 0.99):
                more = found[name].quantile(q) - direct.quantile(q)
                what = f"{name}, added to the wait of {q:.0%} of requests"
                figures.append(Figure(what, more, "ms", digits=2))
    faults = sum(cost.faults for cost in found.values())
    return [*figures, Figure("requests without a usable answer, all ways", faults, at_most=0)]


def _ratios(found: dict[str, Cost]) -> list[Figure]:
    """Return what a plane costs beside each peer that is here, and the guard beside the plane behind it."""
    pairs = [(one, other) for one in _PLANES for other in _PEERS if one in found and other in found]
    pairs.append(("guard", next(name for name in _PLANES if name in found)))
    figures = [
        Figure(f"processor time per request, {a} : {b}", found[a].cpu / found[b].cpu, digits=2)
        for a, b in pairs
    ]
    waits = [(a, b, found[a].quantile(0.99) / found[b].quantile(0.99)) for a, b in pairs]
    return [
        *figures,
        *(Figure(f"wait of 99 % of requests, {a} : {b}", ratio, digits=2) for a, b, ratio in waits),
    ]


def _speed(one: Cost, other: Cost) -> float:
    """Return the median of the turns' ratios: both are measured in the same turn."""
    return float(np.median(np.array(one.per_second) / np.array(other.per_second)))


def _table(found: dict[str, Cost]) -> str:
    rows = [
        (
            name,
            f"{cost.cpu:.0f}" if cost.cpu else "none",
            *(f"{cost.quantile(q):.2f}" for q in (0.5, 0.99)),
            f"{cost.quantile(0.5) / found['direct'].quantile(0.5):.2f}",
            f"{cost.quantile(0.99) / found['direct'].quantile(0.99):.2f}",
            f"{np.median(cost.per_second):.0f}" if cost.per_second else "",
            len(cost.waits_ms),
        )
        for name, cost in found.items()
    ]
    head = (
        "way",
        "CPU, µs a request",
        "p50, ms",
        "p99, ms",
        "p50 : direct",
        "p99 : direct",
        "full speed, /s",
        "requests",
    )
    return table(head, rows)


def _requests() -> tuple[bytes, ...]:
    body = encode({name: [value] for name, value in COLUMNS.items()}, {})
    head = "POST /v2/models/model/infer HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
    return tuple(
        f"{head}x-entity-id: N{i}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body
        for i in range(_DIFFERENT)
    )
