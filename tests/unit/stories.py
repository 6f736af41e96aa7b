"""Two made-up rollouts, the same on every machine: forty ticks of a climb and a dozen of a fall."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from headgate.plan.model import Gate, Metric, Plan
from headgate.report.story import Incident, StepTraffic, Story
from headgate.review.adoption import Adoption, Judged
from headgate.rollout.state import (
    Answer,
    Approval,
    Decision,
    Move,
    Outcome,
    Phase,
    State,
    Tick,
    Waiting,
)
from headgate.verdicts import GateVerdict, Role, Verdict

OPENED = datetime(2013, 4, 1, 4, tzinfo=UTC)
THRESHOLD = math.log(math.pi**2 / 6 / 0.05)
ORIGINS = ("EWR", "JFK", "LGA")

PLAN = {
    "version": 1,
    "name": "flights-gbm",
    "service": "flight-delays",
    "owner": {"name": "Owner of flight delays", "contact": "owner@example.org"},
    "author": "ml-engineer@example.org",
    "incumbent": {"kind": "http", "url": "http://127.0.0.1:8101", "model": "delays", "version": "logistic-1"},
    "candidate": {"kind": "http", "url": "http://127.0.0.1:8102", "model": "delays", "version": "gbm-2"},
    "requests": {"path": "data/lake/requests", "id": "request_id", "at": "scored_at"},
    "unit": {"entity": "tailnum", "block": "1d", "block_bound": 0.2},
    "outcomes": {"path": "data/lake/outcomes", "label": "late", "known_at": "known_at", "maturity": "2d"},
    "prediction": {"kind": "probability", "threshold": 0.5},
    "gates": [
        {"name": "quality", "metric": "brier", "margin": 0.005, "expect": -0.007, "min_samples": 28},
        {"name": "errors", "metric": "error_rate", "ceiling": 0.01, "from": 5},
        {"name": "latency-mirror", "metric": "latency", "quantile": 0.95, "ratio": 1.25, "applies": "shadow"},
        {
            "name": "latency",
            "metric": "latency",
            "quantile": 0.95,
            "ratio": 1.25,
            "applies": "split",
            "from": 25,
        },
        {"name": "coverage", "metric": "coverage", "floor": 0.97, "from": 5},
        {"name": "hard-errors", "metric": "zero_one", "margin": 0.01, "role": "report"},
    ],
    "segments": {"by": ["origin"], "floor": 0.02, "gates": {"quality": 0.03}},
    "steps": [
        {"percent": 0, "dwell": "14d"},
        {"percent": 1, "dwell": "3d", "approval": {"approvers": 1}},
        {"percent": 5, "dwell": "3d"},
        {"percent": 25, "dwell": "7d", "approval": {"approvers": 2}},
        {"percent": 50, "dwell": "7d"},
        {"percent": 100},
    ],
    "watch": "14d",
    "calendar": {"timezone": "America/New_York", "advance": "mon-thu 09:00-16:00"},
}


@dataclass(frozen=True)
class Beat:
    """What one tick of the script does: days since opening, move, where it leaves the rollout."""

    day: float
    move: Move
    phase: Phase
    step: int
    waiting: tuple[Waiting, ...] = ()
    outcome: Outcome | None = None
    reason: str = ""


def _hold(days, phase, step, *waiting, reason="") -> list[Beat]:
    return [Beat(day, Move.HOLD, phase, step, waiting, reason=reason) for day in days]


W = Waiting
CLIMB = [
    *_hold((0.4,), Phase.SHADOW, 0, W.LABELS, W.DWELL, reason="no block is closed yet; labels take 2 days"),
    *_hold((7, 14), Phase.SHADOW, 0, W.SAMPLES, W.DWELL, reason="quality: 12 of 28 blocks"),
    *_hold(range(21, 78, 7), Phase.SHADOW, 0, W.SAMPLES, reason="quality: about 30 more blocks needed"),
    Beat(84, Move.ASK, Phase.SHADOW, 0, (W.APPROVAL,), reason="every gate that counts passes at shadow"),
    Beat(84.4, Move.HOLD, Phase.SHADOW, 0, (W.CALENDAR,), reason="approved; the calendar opens Mon 09:00"),
    Beat(86, Move.ADVANCE, Phase.RAMP, 1, reason="all gates pass, approved by demo-operator-1"),
    *_hold((88,), Phase.RAMP, 1, W.DWELL, reason="dwell of 3 days ends in 1 day"),
    Beat(91, Move.ADVANCE, Phase.RAMP, 2, reason="all applicable gates pass"),
    *_hold((93, 98, 105, 112), Phase.RAMP, 2, W.SAMPLES, reason="errors: 240 of about 420 requests"),
    Beat(119, Move.ASK, Phase.RAMP, 2, (W.APPROVAL,), reason="every gate that counts passes at 5 %"),
    *_hold((119.2,), Phase.RAMP, 2, W.APPROVAL, reason="one of two approvals is in"),
    Beat(120, Move.ADVANCE, Phase.RAMP, 3, reason="all gates pass, two approvals"),
    *_hold((126, 133, 140), Phase.RAMP, 3, W.SAMPLES, W.DWELL, reason="latency: about 900 more requests"),
    Beat(147, Move.ADVANCE, Phase.RAMP, 4, reason="all applicable gates pass"),
    *_hold((154, 161, 168), Phase.RAMP, 4, W.SAMPLES, reason="latency: about 500 more requests"),
    *_hold((175,), Phase.RAMP, 4, W.CALENDAR, reason="the calendar opens Mon 09:00"),
    Beat(176, Move.ADVANCE, Phase.RAMP, 5, reason="all applicable gates pass"),
    *_hold((182, 189), Phase.RAMP, 5, W.SAMPLES, reason="errors: evidence at 100 % starts fresh"),
    Beat(196, Move.ADVANCE, Phase.WATCH, 5, reason="the last share is confirmed and its gates pass"),
    *_hold((203, 209), Phase.WATCH, 5, W.DWELL, W.LABELS, reason="watch of 14 days is not over"),
    Beat(213, Move.FINISH, Phase.DONE, 5, (), Outcome.PROMOTED, "watch over, labels mature, all gates pass"),
]
FALL = [
    *_hold((0.4,), Phase.SHADOW, 0, W.LABELS, W.DWELL, reason="no block is closed yet; labels take 2 days"),
    *_hold((7, 14, 21, 28), Phase.SHADOW, 0, W.SAMPLES, reason="quality: about 25 more blocks needed"),
    Beat(35, Move.ASK, Phase.SHADOW, 0, (W.APPROVAL,), reason="every gate that counts passes at shadow"),
    Beat(36, Move.ADVANCE, Phase.RAMP, 1, reason="all gates pass, approved by demo-operator-1"),
    *_hold((42, 49, 56), Phase.RAMP, 1, W.SAMPLES, reason="quality got worse; harm 4.1 of 33"),
    Beat(
        63,
        Move.ROLL_BACK,
        Phase.ROLLING_BACK,
        0,
        (W.TRAFFIC,),
        Outcome.ROLLED_BACK,
        "quality failed: the candidate's Brier loss is 0.031 worse [0.014, 0.049], margin 0.005",
    ),
    Beat(63.02, Move.FINISH, Phase.DONE, 0, (), Outcome.ROLLED_BACK, "the plane itself reports share 0"),
]
#: Drift of log E per day (advance, rollback), the true value and the start of the interval's half-width.
GOOD = {
    "quality": (0.05, -0.02, -0.0071, 0.06),
    "errors": (0.30, -0.02, 0.0018, 0.02),
    "latency-mirror": (0.5, -0.03, -0.011, 0.08),
    "latency": (0.22, -0.02, -0.006, 0.06),
    "coverage": (0.33, -0.02, 0.9986, 0.02),
    "hard-errors": (0.02, -0.01, -0.004, 0.09),
}
#: A candidate that looks fine for five weeks and then is not.
TURNS = {**GOOD, "quality": (0.11, -0.03, -0.009, 0.08), "hard-errors": (0.03, -0.01, -0.006, 0.09)}
BAD = {**GOOD, "quality": (-0.09, 0.26, 0.031, 0.08), "hard-errors": (-0.05, 0.05, 0.02, 0.09)}
RATE = {Metric.ERROR_RATE, Metric.COVERAGE}


def plan(**changes) -> Plan:
    return Plan.model_validate({**PLAN, **changes})


def _applies(gate: Gate, step: int) -> bool:
    match gate.applies:
        case "shadow":
            return step == 0
        case "split":
            return 0 < step < 5
    return True


class _Evidence:
    """Walks of log E that a gate takes; fresh gates start again on every entry."""

    def __init__(self, the_plan: Plan, truth: tuple[dict, dict], seed: int) -> None:
        self.plan, self.truths, self.luck = the_plan, truth, random.Random(seed)
        self.adv, self.rb, self.blocks, self.entry, self.day = {}, {}, {}, 0, 0.0

    def verdicts(self, beat: Beat, entry: int) -> tuple[GateVerdict, ...]:
        days, self.day = beat.day - self.day, beat.day
        self.truth = self.truths[beat.day > 36]
        return tuple(
            self._verdict(gate, segment, beat, days, entry)
            for gate in self.plan.gates
            for segment in (None, *(f"origin={o}" for o in ORIGINS if gate.name == "quality"))
        )

    def _verdict(self, gate, segment, beat, days, entry) -> GateVerdict:
        key = (gate.name, segment)
        drift, harm, value, width = self.truth[gate.name]
        fresh = gate.name not in {"quality", "hard-errors"}
        applies = _applies(gate, beat.step)
        if fresh and entry != self.entry:
            self.adv, self.blocks = (
                {k: v for k, v in d.items() if k[0] in {"quality", "hard-errors"}}
                for d in (self.adv, self.blocks)
            )
            self.entry = entry
        samples = (
            0
            if beat.day < 3 or not applies
            else self.blocks.get(key, 0) + round(days * (260 if fresh else 1))
        )
        self.blocks[key] = samples
        if samples:
            noise = self.luck.gauss(0, 0.1 * math.sqrt(days))
            part = 0.6 if segment else 1.0
            self.adv[key] = self.adv.get(key, 0.0) + drift * part * days + noise
            self.rb[key] = self.rb.get(key, 0.0) + harm * part * days - noise
        adv, rb = self.adv.get(key, 0.0), self.rb.get(key, 0.0)
        half = width / math.sqrt(1 + samples / (40 if fresh else 4))
        where = value + self.luck.gauss(0, half / 5)
        if gate.metric in RATE:
            where = min(max(where, 0.0), 1.0)
        role = Role.SIGNAL if gate.name == "coverage" else gate.role
        return GateVerdict(
            gate=gate.name,
            segment=segment,
            role=role,
            verdict=_word(samples, adv, rb, beat),
            applies=applies,
            estimate=where if samples else None,
            lower=max(where - half, 0.0 if gate.metric in RATE else -1) if samples else None,
            upper=min(where + half, 1.0) if samples else None,
            log_e_advance=adv,
            log_e_rollback=rb,
            log_threshold_advance=THRESHOLD,
            log_threshold_rollback=THRESHOLD,
            weight=0.0 if role is not Role.GUARDRAIL else (1 / 24 if segment else 1 / 8),
            samples=samples,
            needed=None if adv >= THRESHOLD else round((THRESHOLD - adv) / max(drift, 0.01)),
            unit="requests" if fresh else "blocks",
            reason=f"{gate.name}: made up for the picture"
            if samples
            else f"{gate.name}: nothing observed yet",
            design_effect=None if fresh else 42.7,
            autocorrelation=None if fresh else 0.13,
        )


def _word(samples: int, adv: float, rb: float, beat: Beat) -> Verdict:
    if not samples:
        return Verdict.NO_DATA
    if beat.move is Move.ROLL_BACK and rb > THRESHOLD:
        return Verdict.FAIL
    return Verdict.PASS if adv >= THRESHOLD else Verdict.INCONCLUSIVE


def _ticks(
    the_plan: Plan, beats: list[Beat], truth: tuple[dict, dict], seed: int, rollout: str
) -> tuple[Tick, ...]:
    evidence, ticks, entry, entered = _Evidence(the_plan, truth, seed), [], 0, OPENED
    step = 0
    outcome = None
    for index, beat in enumerate(beats, start=1):
        at = OPENED + timedelta(days=beat.day)
        if beat.step != step:
            step, entry, entered = beat.step, entry + 1, at
        outcome = outcome or beat.outcome
        # The verdicts of a tick are about the step it was taken on, not the one it enters.
        last = ticks[-1].state if ticks else None
        on = replace(beat, step=last.step if last else 0)
        judged = last is None or last.phase is not Phase.ROLLING_BACK
        verdicts = evidence.verdicts(on, last.entry if last else 0) if judged else ()
        guards = [v.weight * math.exp(v.log_e_rollback) for v in verdicts if v.weight]
        state = State(
            rollout=rollout,
            phase=beat.phase,
            opened_at=OPENED,
            entered_at=entered,
            step=step,
            share_bp=the_plan.steps[step].share_bp,
            entry=entry,
            generation=entry,
            confirmed_at=entered + timedelta(seconds=2),
            outcome=outcome,
            waiting_for=beat.waiting,
            versions=("logistic-1", the_plan.candidate.version),
        )
        decision = Decision(beat.move, (beat.reason,), beat.waiting, beat.outcome)
        harm = math.log(sum(guards)) if guards else 0.0
        ticks.append(
            Tick(index, at, f"0f1e2d3c-{index:04d}", decision, state, verdicts, harm, THRESHOLD, index)
        )
    return tuple(ticks)


def _traffic(the_plan: Plan, ticks: tuple[Tick, ...], per_day: int) -> tuple[StepTraffic, ...]:
    luck, stays = random.Random(7), []
    starts = [t for t in ticks if t.decision.move is Move.ADVANCE and t.state.phase is Phase.RAMP]
    for tick, after in zip(starts, [*starts[1:], ticks[-1]], strict=True):
        total = round(per_day * (after.at - tick.at).total_seconds() / 86_400)
        share = the_plan.steps[tick.state.step].percent / 100
        mine = total if share == 1 else round(total * share * luck.uniform(0.96, 1.04))
        stays.append(
            StepTraffic(tick.state.step, share * 100, tick.at, after.at, mine, total - mine, mine // 900)
        )
    return tuple(stays)


def _approval(step: int, attempt: int, who: str, day: float, the_plan: Plan) -> Approval:
    return Approval(
        step=step,
        attempt=attempt,
        digest="c0ffee" * 8,
        plan_hash=the_plan.hash,
        approver=who,
        answer=Answer.APPROVE,
        comment="the scorecard is green",
        at=OPENED + timedelta(days=day),
    )


def climb() -> Story:
    the_plan = plan()
    ticks = _ticks(the_plan, CLIMB, (GOOD, GOOD), 11, "flights-gbm-1")
    return Story(
        plan=the_plan,
        plan_hash=the_plan.hash,
        rollout="flights-gbm-1",
        service=the_plan.service,
        attempt=1,
        outcome=Outcome.PROMOTED,
        opened_at=OPENED,
        ticks=ticks,
        traffic=_traffic(the_plan, ticks, 260),
        exchanges=212_418,
        windows=31,
        outcomes_matured=206_190,
        data_quality={
            "rejected: missing wind_speed": 41,
            "flagged: unknown carrier": 3_207,
            "duplicate request": 0,
        },
        incidents=(
            Incident(
                OPENED + timedelta(days=133), "plane restarted", "Envoy was gone; started again at 25 %"
            ),
        ),
        approvals=(
            _approval(1, 1, "demo-operator-1", 84.3, the_plan),
            _approval(3, 1, "demo-operator-1", 119.1, the_plan),
            _approval(3, 1, "demo-operator-2", 119.5, the_plan),
        ),
    )


def fall() -> Story:
    candidate = {**PLAN["candidate"], "version": "gbm-2-broken"}
    the_plan = plan(name="flights-gbm-broken", candidate=candidate)
    ticks = _ticks(the_plan, FALL, (TURNS, BAD), 5, "flights-gbm-broken-1")
    return Story(
        plan=the_plan,
        plan_hash=the_plan.hash,
        rollout="flights-gbm-broken-1",
        service=the_plan.service,
        attempt=1,
        outcome=Outcome.ROLLED_BACK,
        opened_at=OPENED,
        ticks=ticks,
        traffic=_traffic(the_plan, ticks, 260),
        exchanges=58_310,
        windows=9,
        outcomes_matured=56_004,
        approvals=(_approval(1, 1, "demo-operator-1", 35.5, the_plan),),
    )


def unopened() -> Story:
    the_plan = plan()
    return Story(the_plan, the_plan.hash, "flights-gbm-1", the_plan.service, 1, None, OPENED)


#: How people took some answers: four of forty sampled ones were overruled, and three cases wait.
TAKEN = Adoption(
    since=OPENED, until=OPENED, put=60, waiting=3, rulings={"confirmed": 36, "overridden": 9}, reviewers=2,
    sampled=Judged(40, 4), sides={"candidate": Judged(45, 9)}, reasons={}, strata={}, hours=2.0,
    oldest_hours=5.0,
)  # fmt: skip
