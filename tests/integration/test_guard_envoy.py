"""Callers, guard, a real Envoy and models: what a caller gets as one after the other breaks."""

from urllib.parse import urlsplit

import pytest

from deployments.processes import free_port
from headgate.adapters.planes.envoy import EnvoyPlane
from headgate.ports import Endpoint, Route
from headgate.routing import goes_to_candidate
from tests.integration.guard_stage import says, small_plan, standing
from tests.integration.oip_server import serve

ENTITIES = [f"N{i}" for i in range(12)]


def endpoint(server):
    parts = urlsplit(server.url)
    return Endpoint(parts.hostname, parts.port)


@pytest.mark.envoy
def test_m20_callers_of_the_guard_get_an_answer_whatever_breaks_behind_it(tmp_path):
    with serve() as candidate, serve() as incumbent:
        incumbent.fault = lambda _call: says(0.4, "logistic-1", None)
        candidate.fault = lambda _call: says(0.9, "gbm-2", None)
        plane = EnvoyPlane(tmp_path / "plane", free_port())
        route = Route(
            service="flight-delays", rollout="flights-1", salt="flights-1", share_bp=5_000, mirror=False,
            token=1, generation=1, incumbent=endpoint(incumbent), candidate=endpoint(candidate),
            model="delays", timeout_ms=1_500,
        )  # fmt: skip
        try:
            plane.reconcile(route)
            plane.apply(route)
            with standing(tmp_path, small_plan(), candidate, incumbent, plane_url=plane.url) as stage:

                def answers(entities=ENTITIES):
                    said = [
                        stage.ask(headers={"x-entity-id": one, "x-rollout-side": "nobody"})
                        for one in entities
                    ]
                    assert {one.status_code for one in said} == {200}
                    return [one.json()["outputs"][0]["data"][0] for one in said]

                mine = [0.9 if goes_to_candidate("flights-1", one, 5_000) else 0.4 for one in ENTITIES]
                assert set(mine) == {0.9, 0.4}
                assert answers() == mine  # everybody on the side of the plane's bucket

                candidate.fault = lambda _call: says(9, "gbm-2", None)  # out of range
                assert answers() == [0.4] * len(ENTITIES)
                wrong = stage.counts["failure{at=plane,failure=invalid,side=candidate}"]
                assert wrong == mine.count(0.9)

                candidate.fault = lambda _call: says(0.9, "gbm-2", None)
                candidate.delay = 4.0  # hangs: the plane asks the incumbent
                theirs = ENTITIES[mine.index(0.9)]
                assert answers([theirs]) == [0.4]
                assert stage.counts["fallback{failure=at_the_plane,taken=true,to=incumbent}"] == 1

                plane.stop()
                assert answers() == [0.4] * len(ENTITIES)
                assert stage.counts["fallback{failure=unreachable,taken=true,to=incumbent}"] == len(ENTITIES)
        finally:
            plane.stop()
