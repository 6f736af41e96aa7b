"""Whether what is served must do with a request what was done in training."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from headgate.plan.part import Duration, Part

SideName = Literal["candidate", "incumbent"]


class ParityCheck(Part):
    """Golden examples are sent to the servers and held against what was recorded at training.

    ``of``: which sides have a record. ``compare``: ``stages`` (steps, what each of them does, and answers;
    the server has to tell of its steps) or ``answers`` alone. ``tolerance``: how far a number may be off,
    relative to the larger of both and of 1. ``every``: the examples are asked again after this long, and at
    once when a server tells other steps. ``record``: a file of `headgate parity record` in place of the
    shelf; ``{model}`` and ``{version}`` in it are filled in.
    """

    of: tuple[SideName, ...] = ("candidate",)
    compare: Literal["stages", "answers"] = "stages"
    tolerance: float = Field(default=1e-6, gt=0, lt=1)
    every: Duration = timedelta(hours=1)
    record: str | None = Field(default=None, min_length=1)

    def record_of(self, model: str, version: str) -> str | None:
        """Return the file with a version's record; None: it is on the shelf.

        Examples
        --------
        >>> ParityCheck(record="golden/{version}.parity").record_of("delays", "gbm-2")
        'golden/gbm-2.parity'
        """
        if self.record is None:
            return None
        return self.record.replace("{model}", model).replace("{version}", version)
