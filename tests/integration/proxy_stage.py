"""Fixtures of the tests of proxies: a stage for each of them, with its models, planes and callers."""

from __future__ import annotations

import pytest

from tests.integration.envoy_stage import PROXIES, Stage, Upstream


@pytest.fixture(scope="module")
def upstreams():
    """Return the incumbent and the candidate, for all tests of a file."""
    both = Upstream("incumbent"), Upstream("candidate")
    yield both
    for upstream in both:
        upstream.stop()


@pytest.fixture(params=PROXIES)
def proxy(request):
    """Return the class of each proxy in turn; a file about one of them returns that one."""
    return request.param


@pytest.fixture
def stage(proxy, tmp_path, upstreams):
    """Return a stage on which models behave and no plane was started yet."""
    for upstream in upstreams:
        upstream.behave()
    stage = Stage(tmp_path, *upstreams, make=proxy)
    yield stage
    stage.close()


@pytest.fixture
def plane(stage):
    """Return a plane that was not started yet."""
    return stage.plane()


@pytest.fixture
def route(stage):
    """Return what makes a route to the models of the stage."""
    return stage.route


@pytest.fixture
def send(stage, plane):
    """Return what sends one request."""

    def ask(request_id, entity, slice_=None):
        extra = () if slice_ is None else (("x-headgate-slice", slice_),)
        stage.caller(plane).ask(entity, request_id, extra=extra)

    return ask
