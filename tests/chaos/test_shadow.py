"""Shadow costs callers nothing, whatever becomes of the copies."""

import statistics

import pytest

from headgate.errors import PlaneRefused
from tests.chaos.callers import Callers, errors

FAULTS = ("hangs", "fails", "resets", "is killed")


def test_a_slow_or_broken_shadow_slows_no_caller(rig, full, tell):
    if not rig.plane.capabilities().mirror:
        with pytest.raises(PlaneRefused, match="mirror"):
            rig.plane.apply(rig.route(0, mirror=True))
        return
    rig.plane.apply(rig.route(0))
    alone = listened(rig, full)
    for number, fault in enumerate(FAULTS, start=2):
        rig.candidate.behave()
        rig.plane.apply(rig.route(0, number, mirror=True, timeout_ms=120 + number))
        rig.candidate.kill() if fault == "is killed" else rig.candidate.does(fault)
        heard = listened(rig, full)
        assert not errors(heard), fault
        assert {answer.who for answer in heard} == {"incumbent"}
        # A caller that had to wait for one copy would be slower by the candidate's whole patience.
        assert median(heard) < median(alone) + 20, fault
        saw = f"median {median(heard):.1f} ms (without shadow {median(alone):.1f})"
        tell(f"shadow: candidate {fault}", saw, heard)


def listened(rig, full):
    with Callers(rig.url) as callers:
        callers.wait_for(1_000 if full else 150)
    return callers.heard()


def median(answers):
    return statistics.median(answer.ms for answer in answers)
