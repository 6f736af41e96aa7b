"""A load test that was made: what it found, what it means for the plan, and how it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from headgate.capacity.climb import Climb, Held, Limits
from headgate.capacity.failures import Failures
from headgate.capacity.figures import three
from headgate.capacity.forecast import Forecast, forecast
from headgate.capacity.stage import Stage
from headgate.capacity.volume import Volume
from headgate.plan.model import LoadTest, Plan


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the candidate bears the load and people its failures; None: cannot be told yet."""

    passed: bool | None
    reason: str


@dataclass(frozen=True, slots=True)
class Result:
    """One load test.

    Attributes
    ----------
    at
        When it was made.
    version
        Of the candidate that answered.
    plane
        Kind of the plane it went through.
    volume
        Of the pilot.
    asked
        Requests per second that the plan asks for; the target stage may be faster, to have enough requests.
    kinds
        Failures that were counted.
    """

    at: datetime
    version: str
    plane: str
    volume: Volume
    asked: float
    climb: Climb
    kinds: tuple[Failures, ...] = ()

    def forecast(self, plan: Plan) -> Forecast:
        """Return what every step of the plan takes."""
        return forecast(plan, self.volume, self.climb, self.kinds)

    def verdict(self, plan: Plan) -> Verdict:
        """Hold the test against the plan."""
        held, words = limits_of(plan).judge(self.climb.target)
        load = plan.load or LoadTest()
        volume = f"{load.times:g} x {three(self.volume.peak)}/s, {self.volume.source}"
        at = f"at {three(self.climb.target.rate)}/s ({volume})"
        if self.climb.target.rate > self.asked:
            at += f", raised from {three(self.asked)}/s to have enough requests"
        match held:
            case Held.KEPT:
                bears = Verdict(True, f"{at}: {words}; {saturates(self.climb)}")
            case Held.BROKEN:
                bears = Verdict(False, f"{at}: {words}; {saturates(self.climb)}")
            case Held.UNCLEAR:
                bears = Verdict(None, f"{at}: {words}; test again, from a machine that is not busy")
        return _worse(bears, _people(self.forecast(plan)))

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        body = asdict(self)
        return body | {"at": self.at.astimezone(UTC).isoformat().replace("+00:00", "Z")}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Result:
        """Return what `to_json` wrote."""
        climbed = body["climb"]
        return cls(
            at=datetime.fromisoformat(body["at"]),
            version=body["version"],
            plane=body["plane"],
            volume=Volume(**body["volume"]),
            asked=body["asked"],
            climb=Climb(
                Stage(**climbed["target"]),
                tuple(Stage(**stage) for stage in climbed["stages"]),
                climbed["kept"],
                climbed["broken"],
            ),
            kinds=tuple(Failures(**one) for one in body["kinds"]),
        )


def limits_of(plan: Plan) -> Limits:
    """Return what the plan counts as keeping up."""
    load = plan.load or LoadTest()
    patience = load.latency or plan.serving.timeout
    return Limits(p99_ms=patience.total_seconds() * 1e3, errors=load.errors)


def saturates(found: Climb) -> str:
    """Say in words where the candidate stops keeping up."""
    if all(stage.failed == stage.sent for stage in found.stages):
        return "no usable answer came at any rate"
    if found.kept is None:
        below = None if found.broken is None else f"it saturates below {three(found.broken)}/s"
        return below or "where it saturates is not known"
    if found.broken is None:
        return f"it saturates above {three(found.kept)}/s; its limit was not reached"
    return f"it saturates between {three(found.kept)}/s and {three(found.broken)}/s"


def _people(found: Forecast) -> Verdict | None:
    if found.can_handle is None:
        return None
    doubtful = [step for step in found.steps if step.handled is not True]
    # A step that people surely cannot handle beats one that cannot be told.
    worst = next((step for step in doubtful if step.handled is False), doubtful[0] if doubtful else None)
    if worst is None:
        return Verdict(True, f"people can handle {found.can_handle:,g} failures a day at every step")
    if worst.failures is None:
        return Verdict(None, "failures a day cannot be forecast: no rate was kept up")
    day = worst.failures
    told = (
        f"{three(day.expected)} failures a day forecast at {worst.percent:g} % "
        f"({three(day.low)} to {three(day.high)}); people can handle {found.can_handle:,g}"
    )
    if worst.handled is None:
        return Verdict(None, f"{told}: too few requests to tell; test again with a longer `load.length`")
    return Verdict(
        False, f"{told}: mend the candidate, or raise load.failures_per_day with the people for it"
    )


def _worse(one: Verdict, other: Verdict | None) -> Verdict:
    """Return both as one: it failed if either did, and passed only if both did."""
    if other is None:
        return one
    both = (one.passed, other.passed)
    passed = False if False in both else None if None in both else True
    return Verdict(passed, f"{one.reason}; {other.reason}")
