"""The guard's two logs: requests, which the shadow flow reads, and what became of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from headgate.adapters.guard.journal import Journal, keeper_of
from headgate.adapters.guard.question import Resolved
from headgate.adapters.places import Place
from headgate.guard.record import ANSWERS, masked_row, request_schema
from headgate.guard.words import Named
from headgate.plan.model import Plan


class Notes:
    """Writes a line per request to both logs; what could not be read at all is in neither.

    Parameters
    ----------
    folder
        Where the lines are, this guard's alone.
    replica
        This guard's name; its files begin with it.
    requests, answers
        Folders of the Parquet files: the plan's ``requests.path``, and one of the guard.
    columns
        Columns a request must have; () where any will do: then a request log would have no schema, and only
        ids, times and entities are logged.
    """

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        replica: str,
        requests: Place,
        answers: Place,
        columns: tuple[str, ...],
    ) -> None:
        self._plan = plan
        schema = request_schema(plan, columns)
        #: By column; made once, for Arrow makes its fields anew whenever one looks at them.
        self._keepers = {field.name: self._keeper(field) for field in schema}
        self._requests = Journal(folder, f"guard-{replica}-requests", schema, requests)
        self._answers = Journal(folder, f"guard-{replica}-answers", ANSWERS, answers)
        self._publishing = asyncio.Lock()

    @property
    def failed(self) -> int:
        """Lines that could not be written."""
        return self._requests.failed + self._answers.failed

    def asked(self, named: Named, row: Mapping[str, Any]) -> None:
        """Write down a request, let in or rejected: a window that holds it counts it as what it is."""
        own = {
            self._plan.requests.id: named.request_id,
            self._plan.requests.at: named.at,
            self._plan.unit.entity: named.entity,
        }
        row = own | masked_row(self._plan, row)
        self._requests.write({name: keep(row.get(name)) for name, keep in self._keepers.items()})

    def answered(self, named: Named, part: str | None, resolved: Resolved, now: datetime, ms: float) -> None:
        """Write down what became of a request; ``part`` is its slice."""
        said = resolved.said
        told = dict(said.told) if said is not None else {}
        row = {
            "request_id": named.request_id,
            "at": named.at.astimezone(UTC).isoformat(),
            "answered_at": now.astimezone(UTC).isoformat(),
            "decision": resolved.decision,
            "stood_in": resolved.stood_in,
            "why": resolved.why,
            "flags": ";".join(resolved.flags) or None,
            "rollout": told.get("x-rollout"),
            "slice": part,
            "latency_ms": ms,
        }
        if said is not None:
            row |= {"side": said.side, "assigned": said.assigned, "answer": said.value}
            row |= {"confidence": said.confidence, "version": said.version}
        self._answers.write(row)

    def _keeper(self, field: pa.Field) -> Callable[[Any], Any]:
        keep = keeper_of(field.type)
        foreign = self._plan.input is None or field.name not in self._plan.input.columns
        if not foreign or not pa.types.is_string(field.type):
            return keep
        # A segment of whole numbers is told by its text, as in exchanges.
        return lambda value: str(value) if isinstance(value, int | float) else keep(value)

    async def publish(self, *, all_of_it: bool = False) -> None:
        """Turn into Parquet what is due."""
        async with self._publishing:
            for journal in (self._requests, self._answers):
                if all_of_it or journal.is_due:
                    journal.cut()
                await asyncio.to_thread(journal.publish)
