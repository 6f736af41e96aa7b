"""The drill: every fault is put into history, and the plan is replayed on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from headgate.backtest.history import History
from headgate.backtest.replay import Replay, ReplayedTick, replay
from headgate.errors import InputError
from headgate.plan.model import Plan
from headgate.premortem.broken import Broken, Traffic
from headgate.premortem.catalogue import EQUAL, NOTHING
from headgate.premortem.fault import Fault
from headgate.premortem.found import Alarms, Detection, Premortem, Result
from headgate.premortem.net import net_difference
from headgate.premortem.target import Target, aim
from headgate.rollout.state import Move, Waiting
from headgate.routing import FULL_BP
from headgate.verdicts import Role, Verdict

Progress = Callable[[str], None]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ALARMS = frozenset({Move.ROLL_BACK, Move.STEP_BACK, Move.FREEZE, Move.PAUSE})
_SPLIT = "split"


def premortem(
    plan: Plan,
    history: History,
    faults: Sequence[Fault],
    *,
    onset: datetime | None = None,
    every: timedelta = timedelta(days=1),
    seeds: int = 3,
    progress: Progress = lambda _said: None,
) -> Premortem:
    """Return what the plan would have made of each fault.

    Parameters
    ----------
    plan
        The whole plan; approvals are granted at once.
    history
        Exchanges with outcomes, re-iterable.
    faults
        Of `headgate.premortem.catalogue`.
    onset
        When faults begin (aware UTC). None: at the first block after the unharmed replay first went
        live; where it never did, a third into the history.
    every
        Between two ticks.
    seeds
        Replays of an equal candidate that false alarms are counted on, >= 0.
    progress
        Told what is being replayed.

    Raises
    ------
    InputError
        If the onset is not within the history.
    """
    progress("the history as it is")
    clean = replay(plan, history, every=every)
    onset = onset or _first_live(plan, history, clean)
    if not history.first_at <= onset <= history.last_at:
        raise InputError(
            f"--at: asked a time within the history, {history.first_at:%Y-%m-%d} to "
            f"{history.last_at:%Y-%m-%d}; found {onset:%Y-%m-%d}; choose one in it"
        )
    target = aim(plan, history, onset)
    traffic = Traffic.of(plan, history, target)
    columns = next(iter(history.blocks())).column_names
    results = []
    for fault in faults:
        story = _story(fault, target)
        if lacks := fault.lacks(columns, target):
            results.append(Result(fault, story, skipped=lacks))
            continue
        progress(f"{fault.name}: {story}")
        broken = Broken(history, fault, target)
        seen = clean if fault.name == NOTHING.name else replay(plan, broken, every=every)
        result = _result(fault, story, seen, target, traffic)
        if fault.answers:
            net = net_difference(broken, target, inside=fault.segment)
            margin = target.segment_d if fault.segment else target.d
            result = replace(result, net=net, margin=margin)
        results.append(result)
    return Premortem(
        plan.name,
        plan.hash,
        history.first_at,
        history.last_at,
        onset,
        history.rows,
        tuple(results),
        _false_alarms(plan, history, seeds, every, progress),
    )


def _first_live(plan: Plan, history: History, clean: Replay) -> datetime:
    """Return the beginning of the first block after a slice went live; a third into history without any."""
    live = [stay.since for stays in clean.stays.values() for stay in stays if stay.share_bp > 0]
    length = timedelta(hours=1) if plan.unit.block == "none" else plan.unit.block
    at = min(live, default=history.first_at + (history.last_at - history.first_at) / 3)
    return min(_EPOCH - (_EPOCH - at) // length * length, history.last_at)


def _result(fault: Fault, story: str, seen: Replay, target: Target, traffic: Traffic) -> Result:
    inside = fault.segment
    after = [one for one in seen.ticks if one.tick.at >= target.onset]
    shares = [stay.share_bp for stays in seen.stays.values() for stay in stays
              if stay.until is None or stay.until > target.onset]  # fmt: skip
    return Result(
        fault=fault,
        story=story,
        detection=_detection(seen, after, target, traffic, inside=inside),
        harmed=traffic.served(seen, target.onset, segment=inside),
        outcome=seen.outcome.value if seen.outcome else None,
        final_percent=max((stays[-1].share_bp for stays in seen.stays.values()), default=0) / 100,
        max_percent=max(shares, default=0) / 100,
        full_traffic=FULL_BP in shares,
    )


def _detection(
    seen: Replay, after: Sequence[ReplayedTick], target: Target, traffic: Traffic, *, inside: bool
) -> Detection | None:
    alarm = next((one for one in after if one.tick.decision.move in _ALARMS), None)
    if alarm is None:
        return None
    at = alarm.tick.at
    shares = [stay.share_bp for stay in seen.stays[alarm.slice] if stay.since < at]
    return Detection(
        by=_who(alarm),
        decision=alarm.tick.decision.move.value,
        at=at,
        requests=traffic.came(target.onset, at, segment=inside),
        days=(at - target.onset) / timedelta(days=1),
        percent=(shares[-1] if shares else 0) / 100,
    )


def _who(alarm: ReplayedTick) -> str:
    """Return the gate that weighs most among those that failed; the split where none did."""
    pause = alarm.tick.decision.pause
    if pause is not None and pause.waiting_for is Waiting.SPLIT:
        return _SPLIT
    failed = [v for v in alarm.tick.verdicts if v.verdict is Verdict.FAIL and v.role is not Role.REPORT]
    if not failed:
        return _SPLIT
    worst = max(failed, key=lambda v: v.log_e_rollback)
    return f"{worst.gate}[{worst.segment}]" if worst.segment else worst.gate


def _story(fault: Fault, target: Target) -> str:
    metric = target.gate.metric.value if target.gate else "loss"
    return fault.story.format(
        metric=metric,
        d=target.d,
        twice=2 * target.d,
        segment=target.segment_name,
        segment_twice=2 * target.segment_d,
    )


def _false_alarms(plan: Plan, history: History, seeds: int, every: timedelta, progress: Progress) -> Alarms:
    stopped = 0
    for seed in range(seeds):
        progress(f"an equal candidate, {seed + 1} of {seeds}")
        target = Target(plan, None, 0.0, None, 0.0, history.first_at, seed)
        seen = replay(plan, Broken(history, EQUAL, target), every=every)
        stopped += any(one.tick.decision.move in _ALARMS for one in seen.ticks)
    return Alarms(seeds, stopped)
