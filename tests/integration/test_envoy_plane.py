"""A real Envoy keeps the rules of every plane."""

import json
import time

import pytest

from headgate.adapters.planes.envoy import EnvoyPlane
from headgate.ports import Side, SliceShare
from tests.integration.plane_conformance import MirrorConformance, PlaneConformance, read
from tests.integration.proxy_stage import plane, route, send, stage, upstreams

__all__ = ["plane", "route", "send", "stage", "upstreams"]  # fixtures
pytestmark = pytest.mark.envoy


@pytest.fixture
def proxy():
    return EnvoyPlane


class TestEnvoyPlane(PlaneConformance, MirrorConformance):
    pass


def test_of_several_slice_headers_the_first_counts_and_only_as_it_is_written(stage, plane, route):
    plane.apply(route(slices=(SliceShare("jfk", 10_000), SliceShare("lga", 0))))
    for number, says in enumerate([["jfk", "lga"], ["lga", "jfk"], ["JFK"], ["jfk,lga"], [""], ["-"]]):
        stage.caller(plane).ask("N1", f"r{number}", extra=[("x-headgate-slice", name) for name in says])
    log = read(plane, {}, 6)
    assert [line.slice for line in log.served] == ["jfk", "lga", None, None, None, None]
    assert [line.served for line in log.served] == [Side.CANDIDATE, *[Side.INCUMBENT] * 5]


def test_a_hand_made_share_of_one_slice_is_seen(plane, route, tmp_path):
    asked = route(slices=(SliceShare("jfk", 500), SliceShare("lga", 0, mirror=True)))
    plane.apply(asked)
    file = tmp_path / "plane" / "routes" / "rds.json"
    document = json.loads(file.read_text())
    sides = document["resources"][0]["virtual_hosts"][0]["routes"][1]["route"]["weighted_clusters"][
        "clusters"
    ]
    sides[0]["weight"], sides[1]["weight"] = 700, 9_300
    document["version_info"] = "by hand"
    (tmp_path / "rds.json").write_text(json.dumps(document))
    (tmp_path / "rds.json").rename(file)
    deadline = time.monotonic() + 5
    while plane.observe().slices == asked.slices and time.monotonic() < deadline:
        time.sleep(0.02)
    assert plane.observe().slices == (SliceShare("jfk", 500), SliceShare("lga", 700, mirror=True))
    assert plane.verify(asked) is False
