"""A history with a fault in it, and how much traffic a replay put in its way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headgate.backtest.history import History
from headgate.backtest.replay import Replay
from headgate.compare.stays import column_micros, micros
from headgate.plan.model import ALL, Plan
from headgate.premortem.fault import Fault, injected
from headgate.premortem.faults import in_segment
from headgate.premortem.target import Target
from headgate.routing import FULL_BP
from headgate.tables.slices import slice_of

Times = npt.NDArray[np.int64]
_END = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Broken:
    """A `History` that reads as another one does, with a fault from its onset on."""

    whole: History
    fault: Fault
    target: Target

    @property
    def first_at(self) -> datetime:
        """Time of the first exchange."""
        return self.whole.first_at

    @property
    def last_at(self) -> datetime:
        """Time of the last exchange."""
        return self.whole.last_at

    @property
    def rows(self) -> int:
        """Usable exchanges: a fault takes none away."""
        return self.whole.rows

    @property
    def outcomes(self) -> int:
        """Usable outcomes."""
        return self.whole.outcomes

    @property
    def data_quality(self) -> Mapping[str, int]:
        """What was wrong before the fault."""
        return self.whole.data_quality

    @property
    def segments(self) -> Mapping[str, Mapping[str, int]]:
        """Per segment column how many exchanges have which value."""
        return self.whole.segments

    def blocks(self) -> Iterator[pa.Table]:
        """Yield the blocks with the fault in them."""
        for table in self.whole.blocks():
            yield injected(self.fault, table, self.target)


@dataclass(frozen=True, slots=True)
class Traffic:
    """When requests came: per slice their times, sorted, microseconds since 1970; all, and in the segment."""

    everywhere: Mapping[str, Times]
    segment: Mapping[str, Times]

    @classmethod
    def of(cls, plan: Plan, history: History, target: Target) -> Traffic:
        """Read the times once; replays are counted on them."""
        every: dict[str, list[Times]] = {name: [] for name in plan.slice_names}
        part: dict[str, list[Times]] = {name: [] for name in plan.slice_names}
        for table in history.blocks():
            at, inside = column_micros(table["at"]), in_segment(table, target)
            for name in plan.slice_names:
                mine = _in_slice(plan, table, name)
                every[name].append(at[mine])
                part[name].append(at[mine & inside])
        return cls(*({name: _sorted(times) for name, times in side.items()} for side in (every, part)))

    def came(self, since: datetime, until: datetime, *, segment: bool) -> int:
        """Return how many requests came in [since, until)."""
        side = self.segment if segment else self.everywhere
        return sum(_between(times, micros(since), micros(until)) for times in side.values())

    def served(self, replay: Replay, since: datetime, *, segment: bool) -> int:
        """Return how many requests the replay's candidate would have answered from ``since`` on.

        By the shares in force, so about as many: which entities they are is not looked up.
        """
        side = self.segment if segment else self.everywhere
        total = 0.0
        for name, stays in replay.stays.items():
            for stay in stays:
                until = micros(stay.until) if stay.until else _END
                came = _between(side[name], max(micros(stay.since), micros(since)), until)
                total += came * stay.share_bp / FULL_BP
        return round(total)


def _in_slice(plan: Plan, table: pa.Table, name: str) -> npt.NDArray[np.bool_]:
    if name == ALL and not plan.slices:
        return np.ones(table.num_rows, dtype=np.bool_)
    return np.asarray(pc.fill_null(pc.equal(slice_of(plan, table), name), False), dtype=np.bool_)


def _sorted(times: list[Times]) -> Times:
    return np.sort(np.concatenate(times)) if times else np.zeros(0, dtype=np.int64)


def _between(times: Times, since: int, until: int) -> int:
    return max(int(np.searchsorted(times, until) - np.searchsorted(times, since)), 0)
