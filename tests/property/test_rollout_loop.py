"""A rollout played tick by tick against a plane, operators, approvers and gates drawn at will."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.evidence import Entry
from headgate.plan.calendar import OpenHours
from headgate.plan.model import Plan
from headgate.rollout import apply, decide, stays
from headgate.rollout.state import (
    LIVE,
    Answer,
    Approval,
    Check,
    Decision,
    Move,
    Order,
    Outcome,
    Phase,
    PlaneView,
    State,
    Verb,
    World,
)
from headgate.verdicts import Verdict
from tests.builders import APRIL, plan
from tests.rollouts import DAY, HOUR, VERSIONS, card, row, state, world

PLANS = [
    plan(
        on_fail=way,
        calendar={"timezone": "UTC", "advance": "mon-thu 06:00-18:00"},
        deadline={"step": "20d", "rollout": "40d"},
    )
    for way in ("roll_back", "step_back", "freeze")
]


@dataclass(frozen=True)
class Luck:
    """What one tick brings."""

    hours: int = 8
    quality: Verdict = Verdict.PASS
    failed: str | None = None
    alarmed: tuple[str, ...] = ()
    split_alarm: bool = False
    plane_up: bool = True
    tampered: tuple[int, int] | None = None  # share, generations ahead of the record
    versions: tuple[str | None, str | None] = VERSIONS
    verb: Verb | None = None
    answers: tuple[tuple[str, Answer], ...] = (("chief@example.org", Answer.APPROVE),)
    labels_late: bool = False
    glass: tuple[str, ...] = ()
    unsigned: bool = False


@dataclass
class Plane:
    """Applies what it is told when it is up, and confirms it."""

    share: int = 0
    generation: int = 0
    up: bool = True
    confirmed: dict[int, datetime] = field(default_factory=dict)

    def view(self, of: State) -> PlaneView:
        if not self.up:
            return PlaneView.UNREACHABLE
        if self.generation < of.generation:
            return PlaneView.BEHIND
        same = (self.generation, self.share) == (of.generation, of.share_bp)
        return PlaneView.AGREES if same else PlaneView.DISAGREES

    def follow(self, of: State, now: datetime) -> None:
        """Take the record's route, unless a newer one is held: that is refused."""
        if self.up and self.generation <= of.generation:
            self.share, self.generation = of.share_bp, of.generation
            self.confirmed.setdefault(of.generation, now)


@dataclass
class Played:
    """One tick as it went."""

    before: State
    world: World
    decision: Decision
    after: State

    @property
    def loud(self) -> bool:
        """Whether two people broke the glass."""
        return self.decision.reason.startswith("BREAK GLASS:")


@dataclass
class Game:
    """The closed loop: look, decide, apply, tell the plane, read back."""

    plan: Plan
    state: State = field(default_factory=lambda: state(Phase.PREFLIGHT, generation=0))
    plane: Plane = field(default_factory=Plane)
    now: datetime = APRIL
    approvals: list[Approval] = field(default_factory=list)
    played: list[Played] = field(default_factory=list)

    def tick(self, luck: Luck) -> Played:
        self.now += luck.hours * HOUR
        self.plane.up = luck.plane_up
        if luck.tampered and self.state.phase in LIVE and self.plane.up:
            share, ahead = luck.tampered
            self.plane.share, self.plane.generation = share, self.state.generation + ahead
        self._answer(luck)
        before, seen = self.state, self._world(luck)
        decision = decide(before, self.plan, seen, self.plan.hash)
        self.state = apply(before, decision, self.plan, seen)
        self.plane.follow(self.state, self.now)
        self.played.append(Played(before, seen, decision, self.state))
        return self.played[-1]

    def _answer(self, luck: Luck) -> None:
        here, hash_ = self.state, self.plan.hash
        self.approvals += [
            Approval(here.step + 1, -here.entry, "", hash_, who, Answer.BREAK_GLASS, "it burns", self.now)
            for who in luck.glass
            if here.phase in LIVE
        ]
        if self.state.asked is not None:
            question = self.state.asked
            self.approvals += [
                Approval(
                    question.step,
                    question.attempt,
                    question.digest,
                    self.plan.hash,
                    who,
                    said,
                    "seen",
                    self.now,
                )
                for who, said in luck.answers
            ]

    def _world(self, luck: Luck) -> World:
        here = self.state
        seen = self.plane.up and here.phase is not Phase.QUEUED
        return world(
            here,
            self.now,
            plane=self.plane.view(here) if here.phase is not Phase.PREFLIGHT else PlaneView.AGREES,
            observed_share_bp=self.plane.share if seen else None,
            observed_generation=self.plane.generation if seen else None,
            confirmed_at=self.plane.confirmed.get(here.generation),
            scorecard=card(
                row("quality", luck.quality),
                row("errors"),
                failed=luck.failed,
                alarmed=luck.alarmed,
                split_alarm=luck.split_alarm,
                matured_through=APRIL if luck.labels_late else self.now - 2 * DAY,
            ),
            versions=luck.versions,
            checks=(Check("sign-off risk", None if luck.unsigned else True, "signed by risk"),),
            orders=(Order(1, luck.verb, "operator", "why", self.now),) if luck.verb else (),
            approvals=tuple(self.approvals),
        )

    def play(self, lucks: list[Luck]) -> list[Played]:
        """Play them all, then idle with somebody who resumes whatever is paused, until it is done."""
        for luck in lucks:
            self.tick(luck)
        idle = Luck(hours=24, quality=Verdict.INCONCLUSIVE, verb=Verb.RESUME, answers=())
        for _ in range(60):
            if self.state.phase is Phase.DONE:
                break
            self.tick(idle)
        return self.played


# Most mishaps are survived; harm and orders that end it are drawn apart, or no game would climb.
mishaps = st.sampled_from(
    [{"quality": verdict} for verdict in Verdict if verdict is not Verdict.FAIL]
    + [{"hours": hours} for hours in (1, 24, 60, 200)]
    + [{"tampered": where} for where in ((300, 0), (9_000, 0), (0, 3))]
    + [
        {"versions": versions}
        for versions in ((None, "gbm-2"), ("logistic-1", None), ("logistic-2", "gbm-2"))
    ]
    + [{"verb": Verb.PAUSE}, {"verb": Verb.RESUME}, {"plane_up": False}, {"labels_late": True}]
    + [{"alarmed": ("drift",)}, {"split_alarm": True}, {"answers": ()}]
    + [{"answers": (("ml-engineer@example.org", Answer.APPROVE),)}]
    + [{"answers": (("chief@example.org", Answer.HOLD),)}, {"unsigned": True}]
    + [{"glass": ("ann", "bob"), "quality": Verdict.NO_DATA, "hours": 1}]
    + [{"glass": ("ann",), "hours": 1}, {"glass": ("ann", "ml-engineer@example.org")}]
)
ends_it = st.sampled_from(
    [{"failed": "quality"}] * 3
    + [{"verb": Verb.ABORT}, {"verb": Verb.ROLLBACK}, {"versions": ("logistic-1", "gbm-3")}]
    + [{"answers": (("chief@example.org", Answer.REJECT),)}]
)


@st.composite
def games(draw):
    """A plan, and sixty ticks of good luck with a few mishaps in between."""
    luck = [Luck(verb=draw(st.sampled_from([None, Verb.RESUME])))] * 60
    for mishap in draw(st.lists(mishaps, max_size=8)) + draw(st.lists(ends_it, max_size=1)):
        at = draw(st.integers(0, 59))
        luck[at] = replace(luck[at], **mishap)
    return draw(st.sampled_from(PLANS)), luck


def rises(played):
    return [turn for turn in played if turn.after.share_bp > turn.before.share_bp]


@given(games())
def test_a_share_climbs_one_step_at_a_time_and_only_when_everything_is_there(game):
    of, luck = game
    for turn in rises(Game(of).play(luck)):
        before, seen, after = turn.before, turn.world, turn.after
        assert turn.decision.move is Move.ADVANCE
        assert after.step == before.step + 1
        assert (before.share_bp, after.share_bp) == tuple(
            of.steps[i].share_bp for i in (before.step, after.step)
        )
        assert not any((seen.scorecard.failed, seen.scorecard.alarmed, seen.scorecard.split_alarm))
        assert all(check.passed for check in seen.checks)
        if turn.loud:
            assert {a.approver for a in seen.approvals if a.attempt == -before.entry} >= {"ann", "bob"}
            assert before.paused is None
            assert (seen.plane, seen.versions) == (PlaneView.AGREES, before.versions)
            continue
        assert seen.scorecard.passes()
        assert before.paused is None or any(o.verb is Verb.RESUME for o in seen.orders)
        assert seen.plane is PlaneView.AGREES
        assert seen.confirmed_at is not None
        assert seen.versions == before.versions
        assert OpenHours.of(of.calendar).is_open(seen.now)
        rule = of.steps[after.step].approval
        if rule is not None:
            people = {
                a.approver
                for a in seen.approvals
                if a.answer is Answer.APPROVE
                and (a.step, a.attempt) == (after.step, before.attempt)
                and a.digest == seen.scorecard.digest(before.versions)
            }
            assert len(people - {of.author}) >= rule.approvers


def unpaused(played, number):
    """Time a turn's stay had lasted since the plane confirmed it, pauses not counted."""
    turn = played[number]
    begun = turn.before.confirmed_at or turn.world.confirmed_at
    assert begun is not None
    stood = turn.world.now - max(begun, turn.before.entered_at)
    for one, other in pairwise(played[: number + 1]):
        if one.after.paused and one.after.entry == turn.before.entry:
            stood -= max(other.world.now - max(one.world.now, begun), timedelta(0))
    return stood


@given(games())
def test_no_step_is_left_upward_before_its_dwell_at_a_confirmed_share_is_over(game):
    of, luck = game
    played = Game(of).play(luck)
    for number, turn in enumerate(played):
        before = turn.before
        if turn.loud:
            continue
        if turn.decision.move is Move.ADVANCE and before.phase in (Phase.SHADOW, Phase.RAMP):
            assert unpaused(played, number) >= of.steps[before.step].dwell
        if turn.decision.outcome is Outcome.PROMOTED:
            assert unpaused(played, number) >= of.watch


@given(games())
def test_harm_takes_the_share_away_in_the_same_tick(game):
    of, luck = game
    for turn in Game(of).play(luck):
        if turn.before.phase not in LIVE or turn.world.scorecard.failed is None:
            continue
        if turn.decision.move is Move.STEP_BACK:
            assert turn.after.step == turn.before.step - 1
            assert turn.after.share_bp <= of.steps[turn.after.step].share_bp
        else:
            assert turn.after.share_bp == 0


@given(games())
def test_promotion_comes_out_of_the_watch_alone(game):
    of, luck = game
    for turn in Game(of).play(luck):
        if turn.after.outcome is Outcome.PROMOTED and turn.before.phase is not Phase.DONE:
            assert (turn.before.phase, turn.before.share_bp) == (Phase.WATCH, 10_000)
            assert turn.world.scorecard.passes()


@given(games())
def test_every_hold_says_what_for_and_no_due_time_is_past(game):
    of, luck = game
    for turn in Game(of).play(luck):
        decision = turn.decision
        assert decision.reasons
        assert decision.move is not Move.HOLD or decision.waiting_for or turn.before.phase is Phase.DONE
        assert decision.due is None or decision.due > turn.world.now


@given(games())
def test_it_ends_and_leaves_the_plane_where_the_record_says(game):
    of, luck = game
    table = Game(of)
    played = table.play(luck)
    assert table.state.phase is Phase.DONE
    assert table.plane.share == table.state.share_bp
    assert table.state.share_bp == (10_000 if table.state.outcome is Outcome.PROMOTED else 0)
    over = APRIL + of.deadline.rollout + table.state.held_total
    ended = next(turn.world.now for turn in played if turn.after.phase is Phase.DONE)
    # A tick a day while idle; one tick decides, one reads the plane; a plane put off the record
    # by the last of the drawn ticks costs a pause and a resume more.
    assert ended <= max(over, APRIL + sum(turn.hours for turn in luck) * HOUR) + 5 * DAY


@given(games())
def test_shares_in_the_record_are_those_of_the_step_unless_it_is_paused(game):
    of, luck = game
    for turn in Game(of).play(luck):
        after = turn.after
        if after.phase in LIVE and after.paused is None:
            assert after.share_bp == of.steps[after.step].share_bp
            assert (after.phase is Phase.SHADOW) == (after.step == 0)
        assert after.generation >= turn.before.generation
        assert after.attempt >= turn.before.attempt


@given(games())
def test_stays_are_contiguous_and_in_order(game):
    of, luck = game
    table = Game(of)
    table.play(luck)
    put = {turn.after.generation: turn.after for turn in table.played}
    confirmed = sorted((g, at) for g, at in table.plane.confirmed.items() if g in put)
    found = stays(Entry(put[g].entry, put[g].step, put[g].share_bp, at) for g, at in confirmed)
    for stay, after in pairwise(found):
        assert stay.until == after.since
        assert stay.since <= after.since
        assert stay.entry < after.entry
    assert not found or found[-1].until is None


@settings(max_examples=20)
@given(games())
def test_law_14_a_replay_gives_the_same_decisions(game):
    of, luck = game
    played = Game(of).play(luck)
    again = state(Phase.PREFLIGHT, generation=0)
    for turn in played:
        decision = decide(again, of, turn.world, of.hash)
        again = apply(again, decision, of, turn.world)
        assert (decision, again) == (turn.decision, turn.after)


@settings(max_examples=20)
@given(games(), st.data())
def test_law_11_a_crash_between_the_record_and_the_plane_loses_nothing(game, data):
    of, luck = game
    crash = data.draw(st.integers(0, len(luck) - 1))
    table = Game(of)
    for number, fortune in enumerate(luck):
        if number == crash:
            held, follow = table.plane, table.plane.follow
            held.follow = lambda *_: None
            table.tick(fortune)
            held.follow = follow
        else:
            table.tick(replace(fortune, tampered=None))
        assert all(turn.world.plane is PlaneView.AGREES for turn in rises(table.played[-1:]))
    table.play([])
    assert table.state.phase is Phase.DONE
    assert table.plane.share == table.state.share_bp


@settings(max_examples=20)
@given(games())
def test_a_promotion_that_is_taken_back_ends_rolled_back_with_nothing_left_at_the_plane(game):
    of, luck = game
    table = Game(of)
    table.play(luck)
    promoted = table.state.outcome is Outcome.PROMOTED
    before = table.state
    table.tick(Luck(verb=Verb.UNDO, answers=(), plane_up=False))
    table.play([])
    assert table.state.phase is Phase.DONE
    if promoted:
        assert (table.state.outcome, table.plane.share) == (Outcome.ROLLED_BACK, 0)
    else:
        assert table.state == before


def test_with_luck_it_is_promoted():
    table = Game(PLANS[0])
    table.play([Luck()] * 60)
    assert table.state.outcome is Outcome.PROMOTED
    assert [t.after.share_bp for t in rises(table.played)] == [500, 5_000, 10_000]
