"""A real HAProxy keeps the rules of every plane."""

import pytest

from headgate.adapters.planes.haproxy import HAProxyPlane
from tests.integration.plane_conformance import NoMirrorConformance, PlaneConformance
from tests.integration.proxy_stage import plane, route, send, stage, upstreams

__all__ = ["plane", "route", "send", "stage", "upstreams"]  # fixtures
pytestmark = pytest.mark.haproxy


@pytest.fixture
def proxy():
    return HAProxyPlane


class TestHAProxyPlane(PlaneConformance, NoMirrorConformance):
    pass
