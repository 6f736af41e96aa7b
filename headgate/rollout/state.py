"""Where a rollout stands, what the world looks like, and what one tick may do about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from headgate.review.load import ReviewLoad
from headgate.verdicts import GateVerdict, Scorecard


class Phase(StrEnum):
    """The life of a rollout."""

    QUEUED = "queued"
    PREFLIGHT = "preflight"
    SHADOW = "shadow"
    RAMP = "ramp"
    WATCH = "watch"
    ROLLING_BACK = "rolling_back"
    DONE = "done"


LIVE = frozenset({Phase.SHADOW, Phase.RAMP, Phase.WATCH})


class Outcome(StrEnum):
    """How a rollout ended."""

    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    REJECTED = "rejected"
    ABORTED = "aborted"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"


class Move(StrEnum):
    """What one tick does."""

    HOLD = "hold"
    ASK = "ask"
    ADVANCE = "advance"
    PAUSE = "pause"
    STEP_BACK = "step_back"
    FREEZE = "freeze"
    ROLL_BACK = "roll_back"
    ABORT = "abort"
    FINISH = "finish"
    EXPIRE = "expire"


class Waiting(StrEnum):
    """What a rollout waits for."""

    APPROVAL = "approval"
    CALENDAR = "calendar"
    LABELS = "labels"
    SAMPLES = "samples"
    DWELL = "dwell"
    REVIEW_CAPACITY = "review_capacity"
    TRAFFIC = "traffic"
    OPERATOR = "operator"
    SPLIT = "split"


class Verb(StrEnum):
    """An operator's button."""

    ROLLBACK = "rollback"
    ABORT = "abort"
    PAUSE = "pause"
    RESUME = "resume"
    UNDO = "undo"  # take back a promotion; it reopens the rollout


class Answer(StrEnum):
    """What an approver says."""

    APPROVE = "approve"
    REJECT = "reject"
    HOLD = "hold"
    LOST = "lost"  # nobody's: the form ended without an answer (expired, cancelled, failed)
    BREAK_GLASS = "break_glass"  # go up one step without proof; takes two people


class PlaneView(StrEnum):
    """The plane's report held against the record (law 12)."""

    AGREES = "agrees"
    BEHIND = "behind"  # an older generation: an unfinished write, applied again
    DISAGREES = "disagrees"  # same generation, another share; or a generation we never wrote
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Pause:
    """A flag on a live phase: the share stays, timers stand still."""

    waiting_for: Waiting
    reason: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Asked:
    """A question put to the approvers: entering ``step`` on the evidence with this digest."""

    step: int
    attempt: int
    digest: str
    at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class State:
    """One slice of a rollout, as the last ledger row has it.

    Attributes
    ----------
    step
        Index into the plan's steps; 0 is shadow.
    share_bp
        Share decided, basis points. The plane follows it.
    entry
        Counts entries into steps (fresh evidence starts with each).
    generation
        Of the last write meant for the plane; every stay has one of its own.
    opened_at, entered_at
        When the rollout opened and when this step was decided.
    confirmed_at
        When the plane reported this entry's share; None until then. Dwell starts here.
    paused, held, held_total
        Pause in force; time spent paused on this step, and over the rollout. They shift timers.
    outcome
        Set on entry to rolling_back, in force in done.
    asked, attempt
        Question that is open or answered for the next step; questions asked so far. Never reset: an
        answer to an earlier stay on the same step must not count again.
    step_backs
        How often the rollout stepped back; a second failure rolls back.
    versions
        (incumbent, candidate) frozen at preflight.
    restarts, fresh_since
        See `headgate.evidence.Standing`.
    reentries
        How often the evidence had to start again (a step back, a freeze, a share that moved under us,
        a changed incumbent). Each is a further attempt for the error levels.
    """

    rollout: str
    phase: Phase
    opened_at: datetime
    entered_at: datetime
    slice: str = "all"
    step: int = 0
    share_bp: int = 0
    entry: int = 0
    generation: int = 0
    confirmed_at: datetime | None = None
    paused: Pause | None = None
    held: timedelta = timedelta(0)
    held_total: timedelta = timedelta(0)
    outcome: Outcome | None = None
    asked: Asked | None = None
    attempt: int = 0
    step_backs: int = 0
    waiting_for: tuple[Waiting, ...] = ()
    versions: tuple[str, str] | None = None
    restarts: tuple[tuple[str, datetime, float], ...] = ()
    fresh_since: datetime | None = None
    reentries: int = 0

    @property
    def mirror(self) -> bool:
        """Whether live requests are copied to the candidate: in shadow, unless paused at zero."""
        return self.phase is Phase.SHADOW


@dataclass(frozen=True, slots=True)
class Approval:
    """One person's recorded answer to one question."""

    step: int
    attempt: int
    digest: str
    plan_hash: str
    approver: str
    answer: Answer
    comment: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Order:
    """A button pressed and not acted on yet; ``slice`` is ``all`` where it is meant for every slice."""

    id: int
    verb: Verb
    by: str
    reason: str
    at: datetime
    slice: str = "all"


@dataclass(frozen=True, slots=True)
class Check:
    """One preflight check. ``passed`` None: it waits for somebody (``operator``)."""

    name: str
    passed: bool | None
    reason: str


@dataclass(frozen=True, slots=True)
class World:
    """Everything a decision may look at besides the state and the plan.

    Attributes
    ----------
    observed_share_bp, observed_generation
        What the plane itself reports; None where it serves no route of ours or does not answer.
    confirmed_at
        When the plane was first seen serving the state's generation; None: not yet.
    approvals
        All answers of this rollout; which ones count is decided here, not by the store.
    versions
        (incumbent, candidate) as the servers answer now; None where one does not answer.
    lease
        Whether this rollout holds the service's lease.
    steps_changed
        Per side (incumbent, candidate) how its preprocessing differs from what was judged, though its server
        answers as the same version; None: it does not, as far as is known.
    checks
        At preflight every check; in a live phase the sign-offs that have to stand.
    review
        What reviewers have before them; None where it was not looked at, which holds a plan that asks.
    """

    now: datetime
    plane: PlaneView
    scorecard: Scorecard
    lease: bool = True
    observed_share_bp: int | None = None
    confirmed_at: datetime | None = None
    approvals: tuple[Approval, ...] = ()
    orders: tuple[Order, ...] = ()
    versions: tuple[str | None, str | None] = (None, None)
    steps_changed: tuple[str | None, str | None] = (None, None)
    checks: tuple[Check, ...] = ()
    observed_generation: int | None = None
    review: ReviewLoad | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What this tick does, and why.

    Attributes
    ----------
    waiting_for
        What is missing, the first being what an operator should look at.
    outcome
        With ROLL_BACK, ABORT, EXPIRE, FINISH: how the rollout ends.
    due
        The next time at which something this rollout waits for may have come (a calendar opening,
        a dwell or maturity over, a deadline); None when only new data or people can change it.
    asked
        With ASK: the question.
    pause
        With PAUSE and FREEZE: what for.
    """

    move: Move
    reasons: tuple[str, ...]
    waiting_for: tuple[Waiting, ...] = ()
    outcome: Outcome | None = None
    due: datetime | None = None
    asked: Asked | None = None
    pause: Pause | None = None

    @property
    def reason(self) -> str:
        """All reasons in one line."""
        return "; ".join(self.reasons)


@dataclass(frozen=True, slots=True)
class Tick:
    """One row of the ledger, as reports and replays read it."""

    tick: int
    at: datetime
    flow_run_id: str
    decision: Decision
    state: State
    verdicts: tuple[GateVerdict, ...] = ()
    log_harm: float = 0.0
    log_harm_threshold: float = field(default=float("inf"))
    evidence_mark: int = 0
