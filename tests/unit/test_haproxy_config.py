"""What HAProxy is told: a route survives the way there and back, and nothing else is taken for one."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.adapters.planes import haproxy_process
from headgate.adapters.planes.haproxy_config import MAX_BODY_BYTES, config
from headgate.adapters.planes.haproxy_log import served
from headgate.adapters.planes.haproxy_routes import REST, address_of, entries, read_back
from headgate.errors import PlaneRefused, PlaneUnavailable
from headgate.plan.planes import PLANES
from headgate.ports import Endpoint, Route, SliceShare

HERE, THERE = Endpoint("127.0.0.1", 8101), Endpoint("::1", 8102)
KNOWN = Route("delays", "gbm-1", "gbm-1", 2_500, False, 1, 3, HERE, THERE)

texts = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20)
slices = st.lists(texts.filter(lambda name: name != "-"), unique=True, max_size=3).map(
    lambda names: tuple(SliceShare(name, 100 * n) for n, name in enumerate(names))
)
routes = st.builds(
    Route,
    service=st.text(max_size=20),
    rollout=texts,
    salt=st.text(max_size=20),
    share_bp=st.integers(0, 10_000),
    mirror=st.just(False),
    token=st.integers(0, 2**60),
    generation=st.integers(0, 2**60),
    incumbent=st.just(HERE),
    candidate=st.sampled_from([THERE, HERE, None]),
    model=st.text(max_size=20),
    timeout_ms=st.integers(1, 60_000),
    slices=slices,
).map(lambda route: replace(route, share_bp=0) if route.slices else route)


@given(routes)
def test_a_route_is_read_back_as_it_was_asked_from_a_map_of_words_and_lines(route):
    told = entries(route, address_of)
    assert all(
        text.isascii() and not set(text) & set(" \t\r\n#,()\"'\\") for pair in told.items() for text in pair
    )
    assert read_back(dict(reversed(told.items()))) == route


@pytest.mark.parametrize(
    ("old", "new"),
    [("2500|", "2_500|"), ("2500|", "|"), ("2500|", "all|"), ("|8102|", "|8103|"), ("2500|300|", "2500|")],
)
def test_a_map_that_is_not_ours_is_refused_not_guessed_at(old, new):
    told = entries(KNOWN, address_of)
    with pytest.raises(PlaneRefused, match="did not write"):
        read_back({REST: told[REST].replace(old, new, 1)})
    with pytest.raises(PlaneRefused, match="did not write"):
        read_back({})


def test_a_share_set_by_hand_is_read_as_it_acts():
    told = entries(KNOWN, address_of)[REST]
    assert read_back({REST: told.replace("2500|", "7000|", 1)}).share_bp == 7_000
    assert read_back({REST: told.replace("2500|", "99999|", 1)}).share_bp == 10_000


def test_entries_of_two_routes_are_no_route():
    parts = (SliceShare("jfk", 100), SliceShare("lga", 200))
    told = entries(replace(KNOWN, share_bp=0, slices=parts), address_of)
    other = entries(replace(KNOWN, share_bp=0, slices=parts, generation=4), address_of)
    with pytest.raises(PlaneRefused, match="differ in generation"):
        read_back(told | {REST: other[REST]})


def test_a_name_is_looked_up_and_one_that_leads_nowhere_is_told():
    named = replace(KNOWN, incumbent=Endpoint("models.internal", 80))
    told = entries(named, {"models.internal": "10.0.0.7", "::1": "::1"}.__getitem__)
    assert "|10.0.0.7|80|" in told[REST]
    assert read_back(told) == named
    with pytest.raises(PlaneUnavailable, match=r"nowhere\.invalid"):
        address_of("nowhere.invalid")


def test_the_admin_socket_is_a_file_of_its_owner_and_bodies_fit_the_buffer():
    told = config("0.0.0.0:8080", 2, entries(KNOWN, address_of)[REST])
    assert "stats socket unix@admin.sock mode 600" in told
    assert told.count("bind ") == told.count("bind unix@") + 1
    size = next(int(line.split()[1]) for line in told.splitlines() if "tune.bufsize" in line)
    assert MAX_BODY_BYTES == PLANES["haproxy"].max_body_bytes < size


def test_a_caller_that_went_away_and_an_answer_cut_off_are_told_apart():
    line = (
        b'{"ts":1364810400.500,"at":"-","request_id":"=r1","entity":"=","status":%b,"end":"%b","us":-5,"ms":7,'
        b'"rollout":"-","generation":"0","slice":"-","assigned":"candidate","served":"candidate",'
        b'"answered":"%b","retries":"0"}'
    )
    gone = served(line % (b"-1", b"CH--", b"-"))
    assert (gone.status, gone.served, gone.entity, gone.rollout, gone.slice) == (0, None, "", "", None)
    assert gone.latency_ms == 7  # a clock that was set back measures nothing
    assert served(line % (b"200", b"SD--", b"yes")).served is None
    assert served(line % (b"200", b"CD--", b"yes")).status == 200


def test_without_any_haproxy_the_message_says_what_to_install(monkeypatch):
    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(haproxy_process, "import_module", absent)
    monkeypatch.setattr(haproxy_process.shutil, "which", lambda _name: None)
    monkeypatch.setattr(haproxy_process, "_SYSTEM", haproxy_process.Path("/nowhere"))
    with pytest.raises(PlaneUnavailable, match=r"pip install 'headgate\[haproxy\]'"):
        haproxy_process.find_binary()
