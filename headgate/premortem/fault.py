"""What a fault is, and how it is put into history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from zlib import crc32

import numpy as np
import pyarrow as pa

from headgate.compare.stays import column_micros, micros
from headgate.premortem.target import Target

Inject = Callable[[pa.Table, Target, np.random.Generator], pa.Table]


@dataclass(frozen=True, slots=True)
class Fault:
    """One way in which things go wrong.

    Attributes
    ----------
    name
        What ``--faults`` calls it.
    story
        What is done to the history; may name ``{d}``, ``{segment}`` and ``{metric}``.
    imitates
        What in the world does the same.
    inject
        The fault itself.
    needs
        Columns it changes or reads; without them it cannot be tried.
    labelled
        Whether it needs a gate on a loss.
    segment
        Whether it is confined to one segment.
    answers
        Whether it makes the answers worse, and nothing else about the candidate: then it does harm only
        where it leaves the candidate worse than the incumbent.
    """

    name: str
    story: str
    imitates: str
    inject: Inject
    needs: tuple[str, ...] = ()
    labelled: bool = False
    segment: bool = False
    answers: bool = False

    def lacks(self, columns: list[str], target: Target) -> str:
        """Return why it cannot be tried on a history with these columns; empty: it can."""
        if self.labelled and target.gate is None:
            return "the plan has no gate on a loss, cost or value"
        missing = [name for name in self.needs if name not in columns]
        return f"the history has no column {', '.join(missing)}" if missing else ""


def injected(fault: Fault, table: pa.Table, target: Target) -> pa.Table:
    """Return the table with the fault in the requests from its onset on."""
    if not table.num_rows or column_micros(table["at"]).max() < micros(target.onset):
        return table
    first = int(column_micros(table["at"]).min())
    dice = np.random.default_rng([target.seed, crc32(fault.name.encode()), abs(first)])
    return fault.inject(table, target, dice)
