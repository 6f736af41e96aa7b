"""What would fit the plan better, and why it cannot finish where it cannot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from math import ceil

import numpy as np

from headgate.errors import EvidenceError
from headgate.gates.questions import Question
from headgate.plan.applies import LOSSES, MONEY, gate_applies, is_paired_loss, is_unpaired
from headgate.plan.durations import as_duration
from headgate.plan.model import Gate, Metric, Plan
from headgate.power.assumptions import Assumptions
from headgate.power.climb import CALENDAR, DWELL, LABELS
from headgate.power.course import HOURS_A_DAY, Runs, first
from headgate.power.courses import Courses, questions_at
from headgate.power.forecast import Advice, ShareForecast, StepForecast, WorldForecast
from headgate.power.losses import limit_of, noise
from headgate.power.spread import MOST, quantile
from headgate.power.worlds import World, true_difference
from headgate.routing import FULL_BP
from headgate.stats.betting import FloatArray

HOUR = timedelta(hours=1)
#: Shares that are tried besides the plan's own, basis points.
_SHARES = (100, 200, 500, 1_000, 2_500, 5_000)
#: Fewer runs do where only one quantile is asked.
_FEW = 200
#: How much wider a margin is tried, and how much longer a deadline.
_WIDER = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
_LONGER = 4
#: A plan that finishes in fewer of its runs than this cannot finish.
FEWEST_IN_TIME = 0.5


def split_shares(plan: Plan, known: Assumptions, runs: Runs) -> list[ShareForecast]:
    """Return for each gate whose evidence grows with the share from which share it can be proved."""
    courses = Courses(plan, known, World.BETTER, replace(runs, count=min(runs.count, _FEW)))
    own = {step.share_bp for step in plan.steps if 0 < step.share_bp < FULL_BP}
    found = []
    for gate in plan.all_gates:
        if not _grows_with_share(gate, plan):
            continue
        days = {}
        for share_bp in sorted(own | set(_SHARES)):
            asked = (q for q in questions_at(plan, known, share_bp) if q.name == gate.name)
            question = next(asked, None)
            if question is not None:
                days[share_bp / 100] = quantile(_days(courses, question, share_bp, plan.deadline.step), MOST)
        smallest = min((share for share, needed in days.items() if needed is not None), default=None)
        if days:
            found.append(ShareForecast(gate.name, smallest, days))
    return found


def _grows_with_share(gate: Gate, plan: Plan) -> bool:
    on_split = gate_applies(gate.model_copy(update={"from_": 0.0}), FULL_BP // 2, plan)
    fresh = is_unpaired(gate, plan) or gate.metric in (
        Metric.LATENCY,
        Metric.ERROR_RATE,
        Metric.FALLBACK_RATE,
        Metric.OVERRIDE_RATE,
        Metric.COVERAGE,
    )
    return on_split and fresh


def _days(courses: Courses, question: Question, share_bp: int, length: timedelta) -> FloatArray:
    """Return the days from the beginning of its evidence until each run passes; infinite beyond."""
    course = courses.of(question, share_bp, length / HOUR)
    closing = np.append(course.closing(), np.inf)
    at = closing[first(course.passes(question))] / HOURS_A_DAY
    return np.asarray(np.where(at <= length / timedelta(days=1), at, np.inf))


def advise(
    plan: Plan, known: Assumptions, better: WorldForecast, shares: Sequence[ShareForecast]
) -> Iterator[Advice]:
    """Yield values that fit what is expected: variance, min_samples, dwell, from."""
    asked = {q.name: q for q in questions_at(plan, known, 0)}
    for gate in plan.gates:
        question = asked.get(gate.name)
        if question is not None and is_paired_loss(gate, plan) and plan.unit.block != "none":
            yield from _variance(question, plan, known)
    for step in better.steps:
        yield from _min_samples(plan, step)
        yield from _dwell(step)
    for share in shares:
        gate = next(g for g in plan.all_gates if g.name == share.gate)
        if share.smallest is not None and gate.from_ < share.smallest:
            why = f"below {share.smallest:g} % four of five runs do not prove it before the step's deadline"
            yield Advice(gate.name, "from", f"{share.smallest:g}", why)


def _variance(question: Question, plan: Plan, known: Assumptions) -> Iterator[Advice]:
    gate = question.gate
    limit = limit_of(question, plan, known)
    mean = true_difference(gate, question.limit or 0.0, World.BETTER)
    square = float(np.mean(np.clip(noise(question, plan, known) + mean, -limit, limit) ** 2))
    if gate.variance is None or not 0.5 <= gate.variance / square <= 2:
        said = "not given" if gate.variance is None else f"{gate.variance:g}"
        yield Advice(
            gate.name,
            "variance",
            f"{square:.2g}",
            f"the mean square of a block's value that is expected; {said} now",
        )


def _min_samples(plan: Plan, step: StepForecast) -> Iterator[Advice]:
    """Say where min_samples, and not the evidence, holds a gate."""
    fewest = {g.name: g.min_samples for g in plan.all_gates}
    for gate in step.gates:
        least = fewest.get(gate.gate, 1)
        held = gate.samples.half is not None and gate.samples.half <= least and step.bottleneck == gate.gate
        if least > 1 and held:
            why = f"at {step.name} it waits for its {least} {gate.unit} although the evidence is there"
            yield Advice(gate.gate, "min_samples", f"less than {least}", why)


def _dwell(step: StepForecast) -> Iterator[Advice]:
    """Say how long a stay will last anyway, where its gates and not its dwell hold it."""
    if step.bottleneck in (DWELL, LABELS, CALENDAR, "") or step.days.most is None:
        return
    days = max(1, ceil(step.days.most))
    yield Advice(
        f"step {step.name}",
        "dwell",
        f"{days}d",
        f"{step.bottleneck} holds this step until then in four of five runs: a shorter dwell says nothing",
    )


def refuse(
    plan: Plan,
    known: Assumptions,
    better: WorldForecast,
    shares: Sequence[ShareForecast],
    runs: Runs,
) -> Iterator[str]:
    """Yield why the plan cannot finish: the stay, the gate, the days it needs, and what would help."""
    if better.promoted >= FEWEST_IN_TIME:
        return
    step, rollout = as_duration(plan.deadline.step), as_duration(plan.deadline.rollout)
    chance = (
        f"only {100 * better.promoted:.0f} % of the runs of a candidate as good as expected finish "
        f"(deadline.step {step}, deadline.rollout {rollout})"
    )
    stuck = next((s for s in better.steps if s.left < FEWEST_IN_TIME), better.steps[-1])
    slow = [gate for gate in stuck.gates if gate.proved < FEWEST_IN_TIME]
    if not slow:
        held = f"mostly {stuck.bottleneck}" if stuck.bottleneck else "the steps before it"
        yield (
            f"{chance}: the steps together take too long; at {stuck.name} time is up (it is held by {held}). "
            "Raise deadline.rollout, or shorten dwells and watch"
        )
        return
    few = replace(runs, count=min(runs.count, _FEW))
    for gate in slow:
        asked = {q.name: q for q in questions_at(plan, known, round(stuck.percent * 100))}
        question = asked[gate.gate]
        yield (
            f"{chance}: at {stuck.name} {gate.gate} is proved in {100 * gate.proved:.0f} % of the runs that "
            f"get there; {_needs(plan, known, question, few, stuck)}. "
            f"{_helps(plan, known, question, few, stuck, shares)}"
        )
    yield from _further(plan, stuck, shares)


def _further(plan: Plan, stuck: StepForecast, shares: Sequence[ShareForecast]) -> Iterator[str]:
    """Yield the gates that would hold a later step, where nobody ever got."""
    for step in plan.steps:
        if step.percent <= stuck.percent:
            continue
        for share in shares:
            gate = next(g for g in plan.all_gates if g.name == share.gate)
            counts = gate_applies(gate, step.share_bp, plan)
            if counts and share.days.get(step.percent, 0.0) is None:
                needed = "no share" if share.smallest is None else f"`from: {share.smallest:g}`"
                yield (
                    f"further up {gate.name} cannot be proved at {step.percent:g} % before the step's "
                    f"deadline; what would help: {needed}, a longer deadline.step, more traffic"
                )
                break


def _needs(plan: Plan, known: Assumptions, question: Question, runs: Runs, stuck: StepForecast) -> str:
    longer = _LONGER * plan.deadline.step
    days = quantile(
        _days(Courses(plan, known, World.BETTER, runs), question, round(stuck.percent * 100), longer), MOST
    )
    has = plan.deadline.step / timedelta(days=1)
    if days is None:
        return f"it would need more than {longer / timedelta(days=1):g} days, the step has {has:g}"
    return f"it needs about {ceil(days)} days, the step has {has:g}"


def _helps(
    plan: Plan,
    known: Assumptions,
    question: Question,
    runs: Runs,
    stuck: StepForecast,
    shares: Sequence[ShareForecast],
) -> str:
    gate = question.gate
    ways: list[str] = []
    if gate.metric in LOSSES or gate.metric in MONEY:
        ways += _wider_margin(plan, known, question, runs, round(stuck.percent * 100))
        if not gate.expect:
            ways.append("say `expect` if the candidate is known to be better")
        if gate.variance is None:
            ways.append("give `variance` (suggested below)")
    smallest = next((s.smallest for s in shares if s.gate == gate.name), None)
    if smallest is not None and smallest > stuck.percent > 0:
        ways.append(f"`from: {smallest:g}`, from which share on it can be proved")
    if gate.metric not in LOSSES | MONEY | {Metric.LATENCY}:
        ways.append("a higher ceiling (or lower floor), or a candidate that fails less often")
    if gate.metric is Metric.LATENCY:
        ways.append("a larger ratio, a lower quantile, or more traffic")
    ways.append("a longer deadline.step and deadline.rollout")
    return f"What would help: {'; '.join(ways)}"


def _wider_margin(
    plan: Plan, known: Assumptions, question: Question, runs: Runs, share_bp: int
) -> Iterator[str]:
    """Yield the smallest margin tried that four of five runs prove before the step's deadline."""
    margin = question.limit or 0.0
    for wider in (margin * f for f in _WIDER) if margin > 0 else ():
        asked = replace(question, limit=wider)
        try:
            days = _days(Courses(plan, known, World.BETTER, runs), asked, share_bp, plan.deadline.step)
        except EvidenceError:  # as wide as the metric itself
            return
        if (needed := quantile(days, MOST)) is not None:
            yield f"a margin of {wider:g} (about {ceil(needed)} days)"
            return
