"""How far a curated set is from the real stream, by the profiles and verdicts that watch for drift."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from headgate.drift import Policy, Role, judge
from headgate.plan.model import Plan
from headgate.profile import compare, take

if TYPE_CHECKING:
    from headgate.drift import Report

Batches = Callable[[], Iterable[pa.RecordBatch]]


def distances(plan: Plan, curated: Batches, stream: Batches, columns: Sequence[str]) -> Report:
    """Return the verdicts of the set (as what is current) against the real stream (as the reference).

    The question is turned around: drift asks whether the stream moved away from what a model knows, this
    whether a set strayed from the stream. Ids, entities and times are told, never judged.

    Raises
    ------
    InputError
        If either has no rows.
    """
    contract = plan.input.columns if plan.input else None
    reference = take(stream(), columns=columns, contract=contract)
    current = take(curated(), columns=columns, like=reference, contract=contract)
    policy = Policy().calling(Role.IGNORED, plan.requests.id, plan.unit.entity, plan.requests.at)
    return judge(compare(reference, current), policy, None)
