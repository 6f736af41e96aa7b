"""One tick's decisions: each slice by itself, then one write to the plane for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from headgate.rollout import apply, decide, settle
from headgate.rollout.slices import one_write
from headgate.rollout.state import World
from tasks.ledger import Case, Step


def decide_together(
    slices: Sequence[Case], worlds: Sequence[World], marks: Sequence[int]
) -> tuple[Step, ...]:
    """Return what this tick does with every slice that is not done.

    Parameters
    ----------
    slices, worlds, marks
        Per slice: the case, the world as it sees it, how far its evidence went.
    """
    steps = [_decided(case, world, mark) for case, world, mark in zip(slices, worlds, marks, strict=True)]
    observed = max((world.observed_generation or 0 for world in worlds), default=0)
    after = one_write(slices[0].states, [step.after for step in steps], observed)
    return tuple(replace(step, after=state) for step, state in zip(steps, after, strict=True))


def _decided(case: Case, world: World, mark: int) -> Step:
    plan = case.own_plan
    state = settle(case.state, world)
    decision = decide(state, plan, world, case.rollout.plan_hash)
    return Step(case, world, decision, apply(state, decision, plan, world), mark)
