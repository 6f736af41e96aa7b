"""Whether a new model is good enough to open a rollout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from headgate.report.formats import number
from headgate.training.compared import FEWEST_BLOCKS, SERVING, Against


@dataclass(frozen=True, slots=True)
class Judged:
    """Whether the new model goes on to a rollout, and why, in one sentence."""

    accepted: bool
    reason: str


def judged(held: Sequence[Against]) -> Judged:
    """Return whether a new model may open a rollout.

    It may unless it is worse than a model that there is: proved so by the gates' own evidence, or measured to
    be worse by what the plan calls bad. That it is *better* is for the rollout's gates to prove, on data
    nobody has seen.

    Parameters
    ----------
    held
        At least the comparison with the model that serves; those in which the other did not answer left
        aside.
    """
    serving = next((one for one in held if one.role == SERVING), None)
    if serving is None or not serving.pairs:
        return Judged(
            False, "the model that serves answered none of the held-out requests: nothing to hold it against"
        )
    if serving.blocks < FEWEST_BLOCKS:
        return Judged(
            False,
            f"too few: held-out requests fall in {serving.blocks} blocks of time, at least {FEWEST_BLOCKS} "
            "are needed to tell a difference from chance",
        )
    worse = [reason for one in held for reason in one.worse]
    if worse:
        return Judged(False, "; ".join(worse))
    return Judged(True, f"not worse on {serving.pairs:,} held-out requests: {'; '.join(map(_found, held))}")


def _found(one: Against) -> str:
    overall = [v for v in one.verdicts if v.segment is None and v.estimate is not None]
    differences = ", ".join(f"{v.gate} {number(v.estimate, signed=True)}" for v in overall)
    return f"{differences or 'no data'} against {one.version}"
