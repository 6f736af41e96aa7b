"""A plane without a network, for tests: the same fence, the same bucket, a log in a list."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from headgate.adapters.planes import fencing
from headgate.errors import PlaneUnavailable
from headgate.ports import Capabilities, Mirrored, Observed, PlaneLog, Route, Served, Side, SliceShare
from headgate.routing import goes_to_candidate

#: What requests in no slice get, where there are slices.
_REST = SliceShare("", 0)


class InProcessPlane:
    """A `TrafficPlane` that keeps everything in memory.

    Attributes
    ----------
    reachable
        Set it to False and every question is answered with `PlaneUnavailable`.
    """

    def __init__(self) -> None:
        self.reachable = True
        self._held: Route | None = None
        self._served: list[Served] = []
        self._mirrored: list[Mirrored] = []

    def capabilities(self) -> Capabilities:
        """Say what this plane can do."""
        return Capabilities(kind="in-process", persists=False)

    def reconcile(self, route: Route) -> None:
        """Start with the incumbent alone, or take over the endpoints."""
        self._check()
        held = self._held or fencing.initial(route)
        self._held = fencing.with_endpoints(held, route)

    def apply(self, route: Route) -> None:
        """Set share and mirror, under the fence every plane keeps."""
        self._check()
        if fencing.must_write(route, self._held or fencing.initial(route)):
            self._held = route

    def observe(self) -> Observed:
        """Say what is in force."""
        return fencing.observed(self._in_force())

    def verify(self, route: Route) -> bool | None:
        """Say whether exactly this route is in force."""
        return self._held == route if self.reachable else None

    def retire(self, keep: Side) -> None:
        """Leave one side alone in service."""
        self._held = fencing.retired(self._in_force(), keep)

    def cut_off(self) -> None:
        """Leave the incumbent alone, under a generation of its own."""
        self._held = fencing.cut_off(self._in_force())

    def read_log(self, position: Mapping[str, int]) -> PlaneLog:
        """Return what was logged since ``position``."""
        self._check()
        return PlaneLog(
            served=self._served[position.get("served", 0) :],
            mirrored=self._mirrored[position.get("mirrored", 0) :],
            position={"served": len(self._served), "mirrored": len(self._mirrored)},
        )

    def serve(
        self,
        request_id: str,
        entity: str,
        at: datetime,
        *,
        candidate_answers: bool = True,
        status: int = 200,
        latency_ms: float = 1.0,
        slice_: str | None = None,
    ) -> Served:
        """Send one request through; a candidate that does not answer falls back to the incumbent.

        ``slice_`` is what its slice header says.
        """
        held = self._in_force()
        named = (part for part in held.slices if part.name == slice_)
        part = next(named, _REST) if held.slices else held.parts[0]
        chosen = goes_to_candidate(held.salt, entity, part.share_bp)
        assigned = Side.CANDIDATE if chosen else Side.INCUMBENT
        answered = assigned if candidate_answers else Side.INCUMBENT
        line = Served(
            request_id=request_id,
            entity=entity,
            at=at,
            assigned=assigned,
            served=answered,
            status=status,
            latency_ms=latency_ms,
            rollout=held.rollout,
            generation=held.generation,
            slice=part.name or None,
        )
        self._served.append(line)
        if part.mirror:
            code = 200 if candidate_answers else 500
            self._mirrored.append(Mirrored(request_id, at, code, latency_ms, part.name))
        return line

    def _in_force(self) -> Route:
        self._check()
        if self._held is None:
            raise PlaneUnavailable("asked the plane for its route; found none; reconcile it first")
        return self._held

    def _check(self) -> None:
        if not self.reachable:
            raise PlaneUnavailable("asked the in-process plane; found it switched off; switch it on")
