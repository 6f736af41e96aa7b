"""One slice of a rollout at a glance: where it stands, since when, what comes next, and what is late."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from headgate.plan.model import Plan, Step
from headgate.rollout.state import LIVE, Decision, Order, Outcome, Phase, State, Tick, Waiting
from headgate.rollout.timers import deadlines, dwell_ends, labels_needed_through

#: Ticks have stopped when the last one is this many times older than they usually are apart.
_TOO_LATE = 4
#: A tick may be this late whatever the rhythm: schedules and slow model servers shift it.
_PATIENCE = timedelta(minutes=15)
#: The first ticks of a rollout have no rhythm yet.
_USUAL = timedelta(hours=1)


class Due(NamedTuple):
    """A time to come, and what happens then."""

    at: datetime
    what: str


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """A question that waits for people's answers.

    Attributes
    ----------
    request
        Its name, which an approval code is computed for.
    step, attempt
        Which step would be entered, and the how-manieth question of this slice it is.
    needed, approved_by
        How many people must agree, and who did.
    """

    request: str
    step: int
    attempt: int
    asked_at: datetime
    expires_at: datetime
    needed: int
    approved_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Glance:
    """One slice of a rollout now.

    Attributes
    ----------
    rollout, service, attempt
        Which rollout of which service, and the how-manieth of this candidate version.
    candidate
        The candidate's version.
    plan
        The frozen plan as this slice lives it; None where this Headgate cannot read it.
    plan_hash
        Of the whole plan.
    last
        Its last ledger row.
    now
        The time of looking.
    since
        Since when it waits for what it waits for first; of a rollout that is done, when it ended.
    gap
        Time between its last ticks, the median; None before the third.
    ended
        How the whole rollout ended; None while a slice is open.
    ahead
        Rollouts that come first while it is queued, the holder of the lease in front.
    question
        The question that is open.
    orders
        Buttons pressed that no tick has acted on yet.
    rank
        Its place among the slices by value and risk.
    plane
        What the plane reports, or that it does not answer; None if it was not asked.
    last_in_force
        Whether no rollout of the service held the lease after it.
    """

    rollout: str
    service: str
    attempt: int
    candidate: str
    plan: Plan | None
    plan_hash: str
    last: Tick
    now: datetime
    since: datetime
    gap: timedelta | None = None
    ended: Outcome | None = None
    ahead: tuple[str, ...] = ()
    question: OpenQuestion | None = None
    orders: tuple[Order, ...] = ()
    rank: str | None = None
    plane: str | None = None
    last_in_force: bool = True

    @property
    def state(self) -> State:
        """Where the slice stands."""
        return self.last.state

    @property
    def decision(self) -> Decision:
        """What the last tick did."""
        return self.last.decision

    @property
    def open(self) -> bool:
        """Whether it is not done."""
        return self.state.phase is not Phase.DONE

    @property
    def live(self) -> bool:
        """Whether it is in shadow, on the ramp or in the watch."""
        return self.state.phase in LIVE

    @property
    def frozen(self) -> bool:
        """Whether a failed guardrail took its share and it waits at 0 for an operator."""
        state = self.state
        return state.paused is not None and state.share_bp == 0 and state.step > 0

    @property
    def next_step(self) -> Step | None:
        """The step above; None on the last one, and where no step follows any more."""
        above = self.state.step + 1
        rises = self.open and self.state.phase not in (Phase.WATCH, Phase.ROLLING_BACK)
        steps = self.plan.steps if self.plan else ()
        return steps[above] if rises and above < len(steps) else None

    @property
    def age(self) -> timedelta:
        """How old the last tick is."""
        return max(self.now - self.last.at, timedelta(0))

    @property
    def _ticks(self) -> bool:
        return self.state.phase not in (Phase.QUEUED, Phase.DONE)  # in the queue nobody is ticked

    @property
    def stopped(self) -> bool:
        """Whether ticks seem to have stopped: the next one is long overdue by the rhythm so far."""
        return self._ticks and self.age > max(_TOO_LATE * (self.gap or _USUAL), _PATIENCE)

    @property
    def dwell_ends(self) -> datetime | None:
        """When the dwell of this step, or the watch, is over; None before the plane confirmed it."""
        return dwell_ends(self.state, self.plan, self.now) if self.plan and self.live else None

    @property
    def labels_due(self) -> datetime | None:
        """When the labels this step needs will be in; None where none are needed."""
        if not self.plan or not self.live or (self.next_step is None and self.state.phase is not Phase.WATCH):
            return None
        through = labels_needed_through(self.state, self.plan, self.now)
        return None if through is None else through + self.plan.outcomes.maturity

    @property
    def deadline(self) -> Due | None:
        """The first time at which waiting longer ends something; None while nothing has a limit.

        Deadlines stand still in a pause, and a question does not outlive its beginning.
        """
        if not self.plan or not self.open or self.state.paused is not None:
            return None
        limits = [Due(at, f"{name} deadline") for at, name in deadlines(self.state, self.plan, self.now)]
        if self.question is not None:
            limits.append(Due(self.question.expires_at, "question expires"))
        return min(limits, default=None)

    @property
    def coming(self) -> Due | None:
        """The first thing to come that may let it go on by itself; None where only data or people can."""
        if not self.open or self.state.paused is not None:
            return None
        waits, watch = self.decision.waiting_for, self.state.phase is Phase.WATCH
        known = [
            (Waiting.DWELL, self.dwell_ends, "watch ends" if watch else "dwell ends"),
            (Waiting.LABELS, self.labels_due, "labels complete"),
            (Waiting.CALENDAR, self.decision.due, "calendar opens"),
        ]
        return min((Due(at, what) for for_, at, what in known if at and for_ in waits), default=None)
