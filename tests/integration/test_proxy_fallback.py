"""Callers never see a candidate's failure, and a shadow never costs them anything."""

import contextlib
import socket
import time
from datetime import UTC, datetime
from itertools import count

import pytest

from deployments.processes import free_port
from headgate.ports import Side
from tests.integration.envoy_stage import Upstream
from tests.integration.plane_conformance import read
from tests.integration.proxy_stage import proxy, stage, upstreams

__all__ = ["proxy", "stage", "upstreams"]  # fixtures

TIMEOUT_MS = 120


@pytest.fixture
def mirroring(stage):
    plane = stage.plane("shadow")
    if not plane.capabilities().mirror:
        pytest.skip("this plane has no mirror, says so, and refuses one (NoMirrorConformance)")
    return plane


@pytest.fixture
def plane(stage):
    plane = stage.plane()
    plane.apply(stage.route(10_000, timeout_ms=TIMEOUT_MS))
    return plane


@pytest.fixture
def ask(stage, plane):
    caller, number = stage.caller(plane), count()
    return lambda **more: caller.ask(f"N{next(number)}", **more)


@pytest.mark.parametrize("status", [500, 503, 404, 429])
def test_an_error_of_the_candidate_becomes_an_answer_of_the_incumbent(stage, plane, ask, status):
    stage.candidate.status = status
    answer = ask()
    assert (answer.status, answer.who, answer.side) == (200, "incumbent", "candidate")
    (line,) = read(plane, {}, 1).served
    assert (line.assigned, line.served, line.status) == (Side.CANDIDATE, Side.INCUMBENT, 200)


def test_a_candidate_that_hangs_costs_its_timeout_and_no_more(stage, plane, ask):
    stage.candidate.delay = 5.0
    answer = ask()
    assert (answer.status, answer.who) == (200, "incumbent")
    (line,) = read(plane, {}, 1).served
    assert 0.8 * TIMEOUT_MS <= line.latency_ms < 2_000
    assert line.served is Side.INCUMBENT


def test_a_slow_incumbent_is_not_cut_off_by_the_patience_with_the_candidate(stage, ask):
    stage.candidate.status = 500
    stage.incumbent.delay = 3 * TIMEOUT_MS / 1000
    answer = ask()
    assert (answer.status, answer.who) == (200, "incumbent")


def test_a_candidate_that_fails_in_a_row_is_left_alone_and_tried_again_and_callers_notice_nothing(
    stage, plane, ask
):
    stage.candidate.status = 500
    assert {(answer.status, answer.who) for answer in (ask() for _ in range(30))} == {(200, "incumbent")}
    log = read(plane, {}, 30).served
    assert {(line.assigned, line.served) for line in log} == {(Side.CANDIDATE, Side.INCUMBENT)}
    assert 5 <= len(stage.candidate.seen) < 15
    stage.candidate.status, left = 200, time.monotonic() + 15
    while ask().who != "candidate":
        assert time.monotonic() < left, "a candidate that is well again gets no traffic"
        time.sleep(0.2)


def test_a_candidate_that_dies_costs_callers_nothing(stage):
    dying = Upstream("candidate")
    plane = stage.plane("other")
    plane.apply(stage.route(10_000, candidate=dying.endpoint))
    caller = stage.caller(plane)
    assert caller.ask("N1").who == "candidate"
    dying.stop()
    assert {(a.status, a.who) for a in (caller.ask(f"N{n}") for n in range(10))} == {(200, "incumbent")}


def test_a_candidate_that_was_never_started_costs_callers_nothing(stage):
    nobody = type(stage.candidate.endpoint)("127.0.0.1", free_port())
    plane = stage.plane("other")
    plane.apply(stage.route(10_000, candidate=nobody))
    assert stage.caller(plane).ask("N1").who == "incumbent"


@pytest.mark.parametrize("status", [500, 503, 404])
def test_the_incumbents_own_errors_pass_through_unrepeated(stage, status):
    plane = stage.plane("other")
    plane.apply(stage.route(0))
    stage.incumbent.status = status
    assert stage.caller(plane).ask("N1").status == status
    assert len(stage.incumbent.seen) == 1


def test_a_request_at_fault_is_refused_by_the_incumbent_too(stage, plane, ask):
    stage.candidate.status, stage.incumbent.status = 400, 422
    assert ask().status == 422
    (line,) = read(plane, {}, 1).served
    assert (line.assigned, line.served, line.status) == (Side.CANDIDATE, Side.INCUMBENT, 422)


def test_many_failures_at_once_all_fall_back(stage, plane):
    stage.candidate.delay = 5.0  # they pile up: Envoy's default would allow 3 retries at once
    callers = [stage.caller(plane) for _ in range(40)]
    for number, caller in enumerate(callers):
        caller.start(f"N{number}")
    answers = [caller.finish() for caller in callers]
    assert {(answer.status, answer.who) for answer in answers} == {(200, "incumbent")}


@pytest.mark.parametrize("less", [0, 50_000])
def test_a_body_up_to_the_limit_falls_back_whole(stage, plane, ask, less):
    stage.candidate.status = 500
    answer = ask(body=b"x" * (plane.capabilities().max_body_bytes - less))
    assert (answer.status, answer.who) == (200, "incumbent")
    assert stage.candidate.seen


@pytest.mark.parametrize("length", ["told", "chunked"])
def test_a_body_too_large_to_fall_back_is_refused_and_sent_to_nobody(stage, plane, length):
    size = plane.capabilities().max_body_bytes + 1
    assert status_of(plane, b"x" * size, chunked=length == "chunked") == 413
    assert not stage.candidate.seen
    assert not stage.incumbent.seen
    assert not read(plane, {}, 0).served


def status_of(plane, body, *, chunked):
    """The status of an answer that may come before all of the body is sent."""
    with socket.create_connection(("127.0.0.1", int(plane.url.rpartition(":")[2])), timeout=20) as connection:
        sizes = b"transfer-encoding: chunked" if chunked else b"content-length: %d" % len(body)
        connection.sendall(b"POST /v2 HTTP/1.1\r\nhost: x\r\n" + sizes + b"\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            connection.sendall(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if chunked else body)
        return int(connection.recv(1 << 16).split()[1])


# ---------------------------------------------------------------- shadow


def test_a_hanging_shadow_slows_no_caller_and_is_capped(stage, mirroring):
    plane = mirroring
    plane.apply(stage.route(0, mirror=True, timeout_ms=TIMEOUT_MS))
    stage.candidate.delay = 5.0
    caller = stage.caller(plane)
    began = time.monotonic()
    answers = [caller.ask(f"N{n}", f"r{n}") for n in range(300)]
    assert time.monotonic() - began < 3
    assert {(a.status, a.who, a.side) for a in answers} == {(200, "incumbent", "incumbent")}
    log = read(plane, {}, 300, mirrored=64)
    assert len(log.served) == 300
    assert 0 < len(log.mirrored) <= 300
    assert {copy.status for copy in log.mirrored} == {504}
    # A timer may fire a little early: its clock is that of the turn of the event loop.
    assert min(copy.latency_ms for copy in log.mirrored) >= 0.8 * TIMEOUT_MS


def test_a_failing_shadow_is_seen_in_its_log_and_nowhere_else(stage, mirroring):
    plane = mirroring
    plane.apply(stage.route(0, mirror=True))
    stage.candidate.status = 500
    answer = stage.caller(plane).ask("N1", "r1", body=b"[1]")
    assert (answer.status, answer.who) == (200, "incumbent")
    log = read(plane, {}, 1, mirrored=1)
    assert [(copy.request_id, copy.status) for copy in log.mirrored] == [("r1", 500)]
    (copy,) = stage.candidate.seen
    assert (copy["x-shadow"], copy["x-entity-id"], copy["content-length"]) == ("1", "N1", "3")
    (original,) = stage.incumbent.seen
    assert "x-shadow" not in original
    assert "x-rollout-mirror" not in original


def test_failures_in_the_shadow_do_not_count_against_the_candidate_later(stage, mirroring):
    plane = mirroring
    plane.apply(stage.route(0, mirror=True))
    caller = stage.caller(plane)
    stage.candidate.status = 500
    for number in range(20):
        caller.ask(f"N{number}", f"r{number}")
    read(plane, {}, 20, mirrored=20)
    stage.candidate.status = 200
    plane.apply(stage.route(10_000, 2))
    assert caller.ask("N1").who == "candidate"


def test_the_callers_request_id_and_time_are_kept_to_the_letter(stage):
    plane = stage.plane("shadow")
    mirror = plane.capabilities().mirror
    plane.apply(stage.route(0, mirror=mirror))
    request_id = "4c7a0b8e-1111-4222-9333-abcdefabcdef"  # a UUID: Envoy likes to mark those
    when = [("x-request-at", "2013-04-01T05:15:00-04:00")]
    stage.caller(plane).ask("N1", request_id, extra=when)
    log = read(plane, {}, 1, mirrored=int(mirror))
    at = datetime(2013, 4, 1, 9, 15, tzinfo=UTC)
    assert [(line.request_id, line.at) for line in log.served] == [(request_id, at)]
    assert [(copy.request_id, copy.at) for copy in log.mirrored] == [(request_id, at)] * mirror
    assert stage.incumbent.seen[0]["x-request-id"] == request_id
