"""A real Envoy keeps the rules of every plane."""

import pytest

from tests.integration.envoy_stage import Stage, Upstream
from tests.integration.plane_conformance import PlaneConformance

pytestmark = pytest.mark.envoy


@pytest.fixture(scope="module")
def upstreams():
    both = Upstream("incumbent"), Upstream("candidate")
    yield both
    for upstream in both:
        upstream.stop()


@pytest.fixture
def stage(tmp_path, upstreams):
    stage = Stage(tmp_path, *upstreams)
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
    return lambda request_id, entity: stage.caller(plane).ask(entity, request_id)


class TestEnvoyPlane(PlaneConformance):
    pass
