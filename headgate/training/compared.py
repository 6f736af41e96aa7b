"""What came of holding a new model against another one: values, and how a card has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from headgate.verdicts import GateVerdict

Floats = npt.NDArray[np.float64]

#: Who the new model is held against: whoever answers today, and the other side of the plan that it came with.
SERVING, BESIDE = "serving", "beside"
#: With fewer blocks of held-out time nothing is told from chance.
FEWEST_BLOCKS = 7


@dataclass(frozen=True, slots=True)
class Opponent:
    """A model that there is: what it is called, who it is, and its answers to the held-out requests.

    Attributes
    ----------
    role
        `SERVING` or `BESIDE`.
    answers
        Shape (n,); NaN where it did not answer.
    """

    role: str
    version: str
    answers: Floats


@dataclass(frozen=True, slots=True)
class Seen:
    """Block means of candidate minus incumbent loss: larger is worse, in the metric's unit.

    ``mean`` and ``square`` (mean of the squares) are over all requests; ``largest`` in size also over
    segments.
    """

    mean: float
    square: float
    largest: float


@dataclass(frozen=True, slots=True)
class Against:
    """What came of it.

    Attributes
    ----------
    verdicts
        Per gate and segment; ``estimate`` is new minus other in the gate's own unit.
    losses
        Per gate and segment ("" for all requests) the mean loss of the new model and of the other.
    pairs
        Requests that both answered.
    blocks
        Blocks of time they fell in.
    seen
        Per gate what its blocks' differences look like: what a plan made from this one can expect.
    worse
        Why the new model is refused, a sentence each; empty: it is not.
    """

    role: str
    version: str
    verdicts: tuple[GateVerdict, ...]
    losses: Mapping[tuple[str, str], tuple[float, float]]
    pairs: int
    blocks: int
    seen: Mapping[str, Seen]
    worse: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it for the model card."""
        return {
            "model": self.role,
            "version": self.version,
            "pairs": self.pairs,
            "blocks": self.blocks,
            "gates": [
                {
                    "gate": v.gate,
                    "segment": v.segment,
                    "difference": v.estimate,
                    "lower": v.lower,
                    "upper": v.upper,
                    "loss": self.losses.get((v.gate, v.segment or ""), (None, None))[0],
                    "loss_of_the_other": self.losses.get((v.gate, v.segment or ""), (None, None))[1],
                }
                for v in self.verdicts
            ],
            "worse": list(self.worse),
        }
