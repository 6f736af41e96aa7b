"""A real HAProxy keeps the rules of every plane."""

import pytest

from headgate.adapters.planes.haproxy import HAProxyPlane
from tests.integration.envoy_stage import Stage, Upstream
from tests.integration.plane_conformance import NoMirrorConformance, PlaneConformance

pytestmark = pytest.mark.haproxy


@pytest.fixture(scope="module")
def upstreams():
    both = Upstream("incumbent"), Upstream("candidate")
    yield both
    for upstream in both:
        upstream.stop()


@pytest.fixture
def stage(tmp_path, upstreams):
    stage = Stage(tmp_path, *upstreams, make=HAProxyPlane)
    yield stage
    stage.close()


@pytest.fixture
def plane(stage):
    return stage.plane()


@pytest.fixture
def route(stage):
    return stage.route


@pytest.fixture
def send(stage, plane):
    def ask(request_id, entity, slice_=None):
        extra = () if slice_ is None else (("x-headgate-slice", slice_),)
        stage.caller(plane).ask(entity, request_id, extra=extra)

    return ask


class TestHAProxyPlane(PlaneConformance, NoMirrorConformance):
    pass
