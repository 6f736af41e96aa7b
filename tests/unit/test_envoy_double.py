"""The in-process double keeps the rules of the real planes."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from headgate.adapters.planes.in_process import InProcessPlane
from headgate.errors import PlaneUnavailable
from headgate.ports import Endpoint, Route, Side
from tests.integration.plane_conformance import MirrorConformance, PlaneConformance

AT = datetime(2013, 4, 1, tzinfo=UTC)


@pytest.fixture
def plane():
    return InProcessPlane()


@pytest.fixture
def route():
    def build(share_bp=0, generation=1, **more):
        here = Endpoint("127.0.0.1", 8101)
        there = Endpoint("127.0.0.1", 8102)
        known = Route("delays", "gbm-1", "gbm-1", share_bp, False, 1, generation, here, there)
        return replace(known, **more)

    return build


@pytest.fixture
def send(plane):
    return lambda request_id, entity, slice_=None: plane.serve(request_id, entity, AT, slice_=slice_)


class TestInProcessPlane(PlaneConformance, MirrorConformance):
    pass


def test_a_silent_candidate_falls_back_to_the_incumbent(plane, route):
    plane.apply(route(10_000))
    line = plane.serve("r1", "N1", AT, candidate_answers=False)
    assert (line.assigned, line.served) == (Side.CANDIDATE, Side.INCUMBENT)


def test_an_unreachable_plane_says_so_and_cannot_tell(plane, route):
    plane.apply(route(500))
    plane.reachable = False
    with pytest.raises(PlaneUnavailable):
        plane.observe()
    with pytest.raises(PlaneUnavailable):
        plane.apply(route(600, 2))
    assert plane.verify(route(500)) is None
