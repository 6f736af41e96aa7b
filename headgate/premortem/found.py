"""What a drill found, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from headgate.premortem.catalogue import NOTHING
from headgate.premortem.fault import Fault


@dataclass(frozen=True, slots=True)
class Detection:
    """The first alarm after the onset.

    Attributes
    ----------
    by
        The gate (with its segment) that failed, or ``split``.
    requests, days
        Since the onset; requests of the part that the fault is in.
    percent
        Share in force when it was found.
    """

    by: str
    decision: str
    at: datetime
    requests: int
    days: float
    percent: float


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one fault.

    Attributes
    ----------
    skipped
        Why it could not be tried; then nothing else counts.
    detection
        None where no gate ever raised an alarm.
    harmed
        Live requests that the candidate answered after the onset, in the part that the fault is in.
    full_traffic
        Whether the candidate served all traffic (of a slice) at any time after the onset.
    net, margin
        The candidate's mean loss minus the incumbent's after the onset, where the fault is in its answers
        (larger is worse), and the worsening that the plan tolerates there.
    """

    fault: Fault
    story: str
    skipped: str = ""
    detection: Detection | None = None
    harmed: int = 0
    outcome: str | None = None
    final_percent: float = 0.0
    max_percent: float = 0.0
    full_traffic: bool = False
    net: float | None = None
    margin: float = 0.0

    @property
    def harmful(self) -> bool:
        """Whether the candidate is no longer as good as the incumbent; a gain may outweigh a fault."""
        return not self.fault.answers or self.net is None or self.net > 0

    @property
    def tolerated(self) -> bool:
        """Whether it is worse than the incumbent, but by less than the margin: either verdict is legal."""
        return self.fault.answers and self.net is not None and 0 < self.net < self.margin


@dataclass(frozen=True, slots=True)
class Alarms:
    """How often a candidate that is neither better nor worse was stopped, in so many replays."""

    replays: int
    stopped: int


@dataclass(frozen=True, slots=True)
class Premortem:
    """Everything `headgate premortem` says of one plan."""

    plan: str
    plan_hash: str
    first_at: datetime
    last_at: datetime
    onset: datetime
    exchanges: int
    results: tuple[Result, ...]
    alarms: Alarms

    @property
    def faults(self) -> tuple[Result, ...]:
        """The faults that were tried, without ``nothing``."""
        return tuple(r for r in self.results if not r.skipped and r.fault.name != NOTHING.name)
