"""What the kinds of traffic plane can do, as far as a plan asks for it: the adapters say the very same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from headgate.plan.finding import Finding
from headgate.plan.gate import Applies, Metric
from headgate.plan.model import Plan
from headgate.ports import Capabilities

PLANES: Mapping[str, Capabilities] = {
    "envoy": Capabilities(kind="envoy"),
    "haproxy": Capabilities(kind="haproxy", mirror=False, max_body_bytes=128 * 1024),
}


def measured_on_a_mirror(plan: Plan) -> list[int]:
    """Return which gates read the log of mirrored copies."""
    gates = enumerate(plan.gates)
    return [i for i, gate in gates if gate.metric is Metric.LATENCY and gate.applies is Applies.SHADOW]


def what_is_measured_on_a_mirror_has_one(plan: Plan) -> Iterator[Finding]:
    """Refuse a gate that reads the mirror's log where the plane cannot mirror: it would wait for ever."""
    if PLANES[plan.plane.kind].mirror:
        return
    for i in measured_on_a_mirror(plan):
        asked = f"`applies: split`, for the plane `{plan.plane.kind}` cannot mirror"
        todo = "measure latency on the live split, or write `plane: {kind: envoy}`"
        yield Finding(("gates", i, "applies"), asked, "shadow", todo)
