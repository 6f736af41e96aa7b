"""What a plan will take: the answer of `headgate power`, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Spread:
    """The value that half, four fifths and nineteen twentieths of the runs stay within.

    None where fewer runs than that got there at all.
    """

    half: float | None
    most: float | None
    nearly_all: float | None


@dataclass(frozen=True, slots=True)
class GateForecast:
    """One gate (or segment of it) on one stay.

    Attributes
    ----------
    samples
        Units by the time it passes, counted since its evidence began.
    days
        From the entry into the stay until it first passes; 0 where it came proved.
    proved
        Share of the runs on this stay in which it passes before the deadline.
    events_per_day
        Of a rate: how many events (failures, cases to look at) a day to expect at this share; else None.
    """

    gate: str
    unit: str
    samples: Spread
    days: Spread
    proved: float
    events_per_day: float | None = None


@dataclass(frozen=True, slots=True)
class StepForecast:
    """One stay: a step of the ramp, or the watch.

    Attributes
    ----------
    days
        Length of the stay, of the runs that entered it.
    until
        Days from opening to its end, of all runs.
    entered, left
        Share of all runs that entered and left it in time.
    bottleneck, held_by
        What most often held it last (a gate, ``dwell``, ``labels``, ``calendar``), and how often.
    """

    name: str
    percent: float
    days: Spread
    until: Spread
    entered: float
    left: float
    bottleneck: str
    held_by: float
    gates: tuple[GateForecast, ...]


@dataclass(frozen=True, slots=True)
class WorldForecast:
    """The whole ramp with one kind of candidate.

    Attributes
    ----------
    means
        Per gate what the candidate is like.
    promoted
        Share of the runs that are promoted in time.
    days
        From opening to promoted.
    """

    world: str
    means: dict[str, str]
    promoted: float
    days: Spread
    steps: tuple[StepForecast, ...]


@dataclass(frozen=True, slots=True)
class MarginForecast:
    """A candidate that is just bad on one gate, on the first step where that gate counts.

    Attributes
    ----------
    wrongly
        Chance that the gate ever passes it before the step's deadline.
    rolled_back, expired
        Chance that the gate's own evidence of harm ends it by then, and that nothing does.
    days
        Until the roll back.
    """

    gate: str
    percent: float
    means: str
    wrongly: float
    rolled_back: float
    expired: float
    days: Spread


@dataclass(frozen=True, slots=True)
class ShareForecast:
    """From which share a gate can be proved.

    Attributes
    ----------
    smallest
        The smallest share (percent) at which four of five runs prove it before the step's deadline;
        None where no share does.
    days
        Per share (percent) the days that four of five runs need; None: not before the deadline.
    """

    gate: str
    smallest: float | None
    days: dict[float, float | None]


@dataclass(frozen=True, slots=True)
class Advice:
    """Values that would fit one gate or step, and why."""

    where: str
    key: str
    value: str
    why: str


@dataclass(frozen=True, slots=True)
class Forecast:
    """Everything `headgate power` says of one plan, or of one slice of it.

    ``refusals`` are the reasons why the plan cannot finish; none: it can.
    """

    plan: str
    plan_hash: str
    slice: str
    start: datetime
    runs: int
    seed: int
    assumptions: tuple[tuple[str, str, str], ...]
    worlds: tuple[WorldForecast, ...]
    at_margin: tuple[MarginForecast, ...]
    shares: tuple[ShareForecast, ...]
    advice: tuple[Advice, ...]
    refusals: tuple[str, ...]
