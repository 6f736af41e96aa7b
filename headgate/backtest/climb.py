"""One slice of a replayed rollout on its way up: judge, decide, apply, with nobody else involved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from headgate.backtest.intake import Closing, Intake, Piece, Served
from headgate.evidence import Entry
from headgate.gates.judging import judge
from headgate.gates.rows import Kept
from headgate.plan.calendar import OpenHours
from headgate.plan.model import Plan
from headgate.review.load import QUIET
from headgate.rollout import apply, confirmed, decide, settle, standing
from headgate.rollout.state import Answer, Approval, Asked, Phase, PlaneView, State, Tick, Waiting, World
from headgate.verdicts import Scorecard


@dataclass(frozen=True, slots=True)
class ReplayedTick:
    """One tick of one slice.

    Attributes
    ----------
    tick
        As the ledger would have it; its ``state`` is the one after the decision.
    exchanges
        Of this slice, since the rollout began.
    matured
        Of these, those whose label counted in a closed batch.
    """

    slice: str
    tick: Tick
    exchanges: int
    matured: int


@dataclass
class Climb:
    """One slice on its way up: its state, its evidence, and what is known but not mature yet."""

    whole: Plan
    slice: str
    first_at: datetime
    segments: Mapping[str, tuple[str, ...]]
    approve: bool
    entries: list[Entry] = field(default_factory=list)
    approvals: list[Approval] = field(default_factory=list)
    matured: int = 0

    def __post_init__(self) -> None:
        self.plan = self.whole.of_slice(self.slice)
        salt = f"{self.whole.name}-1"  # as the first rollout of this plan has it
        self.state = State(
            salt,
            Phase.SHADOW,
            opened_at=self.first_at,
            entered_at=self.first_at,
            confirmed_at=self.first_at,
            slice=self.slice,
            generation=1,
            versions=(self.whole.incumbent.version, self.whole.candidate.version),
        )
        self.entries = [Entry(0, 0, 0, self.first_at)]
        self._hash = self.whole.hash
        self._intake = Intake(self.whole, self.slice, salt, self.segments)
        self._evidence = Kept(self.plan)
        self._closing: list[Closing] = []

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self.state.phase is Phase.DONE

    @property
    def served(self) -> Mapping[int, Served]:
        """Per entry whom callers would have met."""
        return self._intake.served

    @property
    def changed(self) -> tuple[int, int]:
        """Requests on which the sides decide differently, and all that both answered."""
        return self._intake.changed, self._intake.decided

    def take(self, piece: Piece, part: str) -> None:
        """Take in what came since the tick before; ``part`` names the tick it is taken in for."""
        if self.done:
            return
        self._evidence.add(self._intake.see(piece.seen, self.entries, part))
        if piece.block is not None:
            self._closing.append(self._intake.close(piece.block, piece.span, self.entries))

    def tick(self, number: int, now: datetime) -> ReplayedTick:
        """Judge what is mature, decide, carry it out."""
        for closing in self._closing:
            if closing.closes <= now:
                self._evidence.add(closing.rows)
                self._intake.mature(closing)
                self.matured += closing.labels
        self._closing = [one for one in self._closing if one.closes > now]
        card = judge(self.plan, self._evidence, standing(self.state, now, 1, dict(self.segments) or None))
        world = self._world(now, card)
        state = settle(self.state, world)
        decision = decide(state, self.plan, world, self._hash)
        # The plane hears at once and confirms at the tick itself.
        self.state = confirmed(apply(state, decision, self.plan, world), now)
        after = self.state
        if after.entry != self.entries[-1].entry:
            self.entries.append(Entry(after.entry, after.step, after.share_bp, now))
        self._answer(after.asked, now)
        told = Tick(
            number, now, "replay", decision, after, card.verdicts, card.log_harm, card.log_harm_threshold
        )
        return ReplayedTick(self.slice, told, self._intake.exchanges, self.matured)

    def wanted(self, hours: OpenHours, now: datetime, regular: datetime) -> list[datetime]:
        """Return the times before the next regular tick at which this slice wants one of its own."""
        if self.done:
            return []
        found = [hours.next_opening(now)] if Waiting.CALENDAR in self.state.waiting_for else []
        asked = self.state.asked
        if asked is not None and self.approve and asked.at == now and asked.expires_at <= regular:
            # Given at once; whoever ticks seldom must still see it before it expires.
            found.append(asked.at + (asked.expires_at - asked.at) / 2)
        return [at for at in found if at is not None]

    def _world(self, now: datetime, card: Scorecard) -> World:
        return World(
            now=now,
            plane=PlaneView.AGREES,
            scorecard=card,
            observed_share_bp=self.state.share_bp,
            observed_generation=self.state.generation,
            confirmed_at=self.state.confirmed_at,
            approvals=tuple(self.approvals),
            versions=self.state.versions or (None, None),
            review=QUIET,
        )

    def _answer(self, asked: Asked | None, now: datetime) -> None:
        if not self.approve or asked is None or asked.at != now:
            return
        rule = self.plan.steps[asked.step].approval
        for person in range(1, (rule.approvers if rule else 0) + 1):
            self.approvals.append(
                Approval(
                    asked.step,
                    asked.attempt,
                    asked.digest,
                    self._hash,
                    f"approver {person} of the replay",
                    Answer.APPROVE,
                    "granted by --approve auto",
                    now,
                )
            )
