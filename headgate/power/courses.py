"""Which course a question takes at a share, drawn as long as it takes to prove something.

Nothing here decides how evidence is weighed: values are drawn, and the functions of `headgate.stats`
that judge real rollouts judge these.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from headgate.evidence import Standing
from headgate.gates.questions import Question, ask
from headgate.plan.applies import MONEY, RATES, is_paired_loss, is_unpaired
from headgate.plan.model import Metric, Plan
from headgate.power.arms import arms_course
from headgate.power.assumptions import Assumptions
from headgate.power.course import Course, Runs
from headgate.power.derived import segment_shares
from headgate.power.losses import block_course, request_course
from headgate.power.money import money_course
from headgate.power.operation import latency_course, rate_course
from headgate.power.worlds import World
from headgate.verdicts import Role

#: Hours that are drawn first, and by how much more where that does not do.
_FIRST, _MORE = 72.0, 4.0
#: Runs that have to be through before nothing more is drawn.
_ENOUGH = 0.99


@dataclass(slots=True)
class Courses:
    """The courses of one plan in one world; each is drawn once."""

    plan: Plan
    known: Assumptions
    world: World
    runs: Runs
    _drawn: dict[tuple[str, int], Course] = field(default_factory=dict)

    def of(self, question: Question, share_bp: int, hours: float) -> Course:
        """Return the course of a question at a share, at most so many hours of it.

        What is carried, or judged on blocks whatever the share, is the same at every share.
        """
        key = question.name, 0 if self._everywhere_alike(question) else share_bp
        if key not in self._drawn:
            self._drawn[key] = self._drawn_until_proved(question, share_bp, hours)
        return self._drawn[key]

    def _everywhere_alike(self, question: Question) -> bool:
        return is_paired_loss(question.gate, self.plan)

    def _drawn_until_proved(self, question: Question, share_bp: int, hours: float) -> Course:
        draw = self._way(question, share_bp)
        if self._everywhere_alike(question):
            return draw(hours)
        length = min(_FIRST, hours)
        while True:
            course = draw(length)
            # In the bad world one waits for harm to be shown, in the others for a proof that lasts.
            bad = self.world is World.AT_MARGIN
            there = course.rolls_back(question) if bad else course.passes(question)
            if length >= hours or float(there[:, -1].mean()) >= _ENOUGH:
                return course
            length = min(length * _MORE, hours)

    def _way(self, question: Question, share_bp: int) -> Callable[[float], Course]:
        plan, known, world, runs = self.plan, self.known, self.world, self.runs
        gate = question.gate
        if is_unpaired(gate, plan):
            return lambda hours: arms_course(question, plan, known, world, runs, hours, share_bp)
        if is_paired_loss(gate, plan):
            way = request_course if plan.unit.block == "none" else block_course
            return lambda hours: way(question, plan, known, world, runs, hours)
        if gate.metric in MONEY:
            return lambda hours: money_course(question, plan, known, world, runs, hours)
        if gate.metric in RATES:
            return lambda hours: rate_course(question, known, world, runs, hours, share_bp)
        return lambda hours: latency_course(question, known, world, runs, hours, share_bp)


def questions_at(plan: Plan, known: Assumptions, share_bp: int) -> list[Question]:
    """Return what is asked at a share of guardrails and signals: reports and calibration decide nothing."""
    frozen: dict[str, tuple[str, ...]] = {}
    for name in segment_shares(plan, known):
        column, _, value = name.partition("=")
        frozen[column] = (*frozen.get(column, ()), value)
    standing = Standing(0, 0, share_bp, None, datetime(1970, 1, 1, tzinfo=UTC), segments=frozen)
    return [
        question
        for question in ask(plan, standing, ())
        if question.gate.role is not Role.REPORT and question.gate.metric is not Metric.CALIBRATION
    ]
