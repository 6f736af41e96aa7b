"""What must hold for steps and golden examples to be compared, each rule a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from headgate.plan.durations import as_duration
from headgate.plan.finding import Finding, show
from headgate.plan.model import Plan


def parity_is_of_some_side(plan: Plan) -> Iterator[Finding]:
    """Refuse to compare nothing, or one side twice."""
    if plan.parity is not None and (not plan.parity.of or len(set(plan.parity.of)) < len(plan.parity.of)):
        found = show(list(plan.parity.of))
        yield Finding(("parity", "of"), "candidate, incumbent or both, once each", found, "correct the list")


def parity_is_looked_at_now_and_then(plan: Plan) -> Iterator[Finding]:
    """Refuse to ask the examples again after no time at all."""
    if plan.parity is not None and plan.parity.every <= timedelta(0):
        found = as_duration(plan.parity.every)
        yield Finding(("parity", "every"), "a duration above 0", found, "write e.g. 1h")


def every_version_has_a_record_of_its_own(plan: Plan) -> Iterator[Finding]:
    """Refuse a file that is the same for two versions: what a retrained model is held against is its own."""
    asked = plan.parity
    if asked is None or asked.record is None or "{version}" in asked.record:
        return
    several = len(asked.of) > 1 or (plan.retrain is not None and plan.retrain.opens != "nothing")
    if several:
        todo = "write e.g. golden/{version}.parity, or leave it out: the shelf has a record of each"
        yield Finding(("parity", "record"), "a path with {version} in it", show(asked.record), todo)
