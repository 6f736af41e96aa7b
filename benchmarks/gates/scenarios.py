"""What may happen to a rollout: the plan it lives under, and what each day at each share is like."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.gates.draws import SLOWER, TAIL
from headgate.plan.model import Plan
from headgate.rollout.state import Outcome

MARGIN, SEGMENT_MARGIN, CEILING = 0.04, 0.1, 0.01
PARTS = 20
#: Paired requests in a day's block, or of each segment in it; live requests in each of a day's hours.
PAIRED, PAIRED_PART, LIVE, HOURS = 100, 30, 500, (0, 6, 12, 18)
#: Entities first seen in an hour.
ENTITIES = 100

_QUALITY = {"name": "quality", "metric": "zero_one", "margin": MARGIN, "variance": 0.0026, "min_samples": 3}
_PLAN: dict[str, Any] = {
    "version": 1,
    "name": "simulated",
    "service": "simulated",
    "owner": {"name": "Owner of the simulation", "contact": "owner@example.org"},
    "author": "engineer@example.org",
    "incumbent": {"kind": "http", "url": "http://127.0.0.1:8101", "model": "m", "version": "old-1"},
    "candidate": {"kind": "http", "url": "http://127.0.0.1:8102", "model": "m", "version": "new-2"},
    "requests": {"path": "lake/requests"},
    "unit": {"entity": "entity", "block": "1d", "block_bound": 0.15},
    "outcomes": {"path": "lake/outcomes", "label": "label", "known_at": "known_at", "maturity": "1d"},
    "prediction": {"kind": "label"},
    "gates": [
        _QUALITY,
        {"name": "errors", "metric": "error_rate", "ceiling": CEILING},
        {
            "name": "latency", "metric": "latency", "quantile": 0.95, "ratio": 1.25, "applies": "split",
            "from": 25,
        },
    ],
    "steps": [
        {"percent": 0, "dwell": "3d"},
        {"percent": 5, "dwell": "2d"},
        {"percent": 25, "dwell": "2d"},
        {"percent": 50, "dwell": "2d"},
        {"percent": 100, "dwell": "1d"},
    ],
    "watch": "10d",
    "deadline": {"step": "30d", "rollout": "60d"},
}  # fmt: skip


def plan(**changes: Any) -> Plan:
    """Return the plan of the simulation, with top-level keys changed."""
    return Plan.model_validate({**_PLAN, **changes})


@dataclass(frozen=True, slots=True)
class Day:
    """What one day at one share is like.

    Attributes
    ----------
    worse
        Mean paired difference of the losses.
    failing
        The candidate's error rate.
    slow
        Its chance to pass tau; the incumbent's is 5 %.
    sick
        Mean paired difference in the first of twenty segments.
    late
        Chance that the label of a lost request comes after its block closed.
    skew
        How far the candidate's part of the traffic is below its share, relatively.
    shared, bursts
        Intra-correlation of a day's losses, and of an hour's errors.
    bad
        Whether the candidate should not answer anybody now.
    """

    worse: float = 0.0
    failing: float = CEILING / 10
    slow: float = TAIL
    sick: float = 0.0
    late: float = 0.0
    skew: float = 0.0
    shared: float = 0.0
    bursts: float = 0.0
    bad: bool = False


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of rollout.

    Attributes
    ----------
    day
        From the share in force (basis points) to what the day is like.
    wrong
        The outcome that would be wrong; None: nothing is promised.
    null
        Whether its wrong verdicts are counted in as many runs as there is time for.
    """

    name: str
    day: Callable[[int], Day]
    wrong: Outcome | None = None
    null: bool = False
    changes: dict[str, Any] = field(default_factory=dict)
    weight: float = 1.0


def _only(day: Day) -> Callable[[int], Day]:
    return lambda _: day


def _from(share_bp: int, day: Day) -> Callable[[int], Day]:
    return lambda share: day if share >= share_bp else Day()


_DROPPED = {"exclude": "dropped as most tools do, to show what that costs"}
_LATE = Day(worse=MARGIN, late=0.5, bad=True)
_SEGMENTS = {"by": ["part"], "floor": 0.02, "gates": {"quality": SEGMENT_MARGIN}}

SCENARIOS = (
    Scenario("equal", _only(Day()), Outcome.ROLLED_BACK, null=True),
    Scenario("quality at its margin", _only(Day(worse=MARGIN, bad=True)), Outcome.PROMOTED, null=True),
    Scenario("better", _only(Day(worse=-MARGIN / 2)), Outcome.ROLLED_BACK),
    Scenario("much worse", _only(Day(worse=2 * MARGIN, bad=True)), Outcome.PROMOTED),
    Scenario("5 % errors, in live traffic only", _from(1, Day(failing=0.05, bad=True)), Outcome.PROMOTED),
    Scenario("slow from 25 % on", _from(2500, Day(slow=SLOWER, bad=True)), Outcome.PROMOTED),
    Scenario(
        "worse once it has climbed to 100 % (a change after the proof: nothing is promised)",
        _from(10_000, Day(worse=2 * MARGIN, bad=True)),
    ),
    Scenario(
        "one bad segment of twenty", _only(Day(sick=1.5 * SEGMENT_MARGIN, bad=True)), Outcome.PROMOTED,
        changes={"segments": _SEGMENTS, "unit": {**_PLAN["unit"], "block_bound": 0.4}}, weight=0.2,
    ),
    Scenario("at its margin, labels of lost requests late", _only(_LATE), Outcome.PROMOTED),
    Scenario(
        "the same where late labels are dropped (the trap: nothing is promised)", _only(_LATE),
        changes={"outcomes": {**_PLAN["outcomes"], "missing": _DROPPED}},
    ),
    Scenario("equal, losses of a day hang together", _only(Day(shared=0.02)), Outcome.ROLLED_BACK),
    Scenario(
        "equal, errors of an hour hang together (by the hour 1 % takes some 390 hours: it expires)",
        _only(Day(bursts=0.05)), Outcome.ROLLED_BACK,
    ),
    Scenario("equal, split skewed by 10 %", _only(Day(skew=0.1)), Outcome.ROLLED_BACK),
)  # fmt: skip
