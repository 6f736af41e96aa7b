"""Nothing a caller can send is more than a 4xx with problem details: fuzzed over the guard's own document."""

import socket
from datetime import UTC, datetime

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.integration.guard_stage import INFER, INPUT, body, says, small_plan, standing
from tests.integration.oip_server import serve

PROBLEM = "application/problem+json"
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    rules = INPUT | {"provenance": {"source": ["noaa"]}, "freshness": {"weather_at": "3h"}}
    serving = {"fallback": ["incumbent", "queue", {"safe_default": 0.2}]}
    with serve() as plane, serve() as incumbent:
        plane.fault = lambda _call: says(0.9)
        plan = small_plan(input=rules, serving=serving)
        with standing(tmp_path_factory.mktemp("guard"), plan, plane, incumbent) as one:
            yield one


def test_m19_no_request_that_schemathesis_makes_is_answered_with_a_5xx_or_against_the_document(stage):
    document = stage.client.get("/openapi.json").json()
    schema = schemathesis.openapi.from_dict(document)
    operations = [operation.ok() for operation in schema.get_all_operations()]
    assert len(operations) == 7
    for operation in operations:

        @settings(max_examples=15 if operation.method == "post" else 3, deadline=None, database=None,
                  suppress_health_check=list(HealthCheck), derandomize=True)  # fmt: skip
        @_given_both(operation)
        def fuzz(case):
            case.call_and_validate(base_url=str(stage.client.base_url), checks=CHECKS)

        fuzz()


def _given_both(operation):
    """Cases as the document asks for them, and cases against it."""
    from hypothesis import given, strategies
    from schemathesis.generation import GenerationMode

    return given(
        case=strategies.one_of(
            operation.as_strategy(generation_mode=GenerationMode.POSITIVE),
            operation.as_strategy(generation_mode=GenerationMode.NEGATIVE),
        )
    )


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"x" * (1024 * 1024 + 1), "application/json", 413),
        (b'{"inputs": ' + b"[" * 100_000, "application/json", 400),
        (b'{"inputs": [{"name": "\xff\xfe"}]}', "application/json", 400),
        (b'{"inputs": [{"name": "\\ud800"}]}', "application/json", 400),
        (b"", "application/json", 400),
        (b"NaN", "application/json", 400),
        (b"null", "application/json", 422),
        (b"{}", "text/plain", 415),
        (b"{}", "application/json; charset=utf-8", 422),
    ],
)
def test_m19_bodies_that_nobody_should_send_are_4xx_problems(stage, content, kind, status):
    response = stage.client.post(INFER, content=content, headers={"content-type": kind})
    assert (response.status_code, response.headers["content-type"]) == (status, PROBLEM)
    assert response.json()["status"] == status


@pytest.mark.parametrize(
    "headers",
    [
        [("x-entity-id", b"\xff\xfe")],
        [("x-entity-id", b"a"), ("x-entity-id", b"b")],
        [("x-entity-id", b"n" * 300)],
        [("x-request-id", b"a b")],
        [("x-request-id", b"a/b")],
        [("x-request-id", b"i" * 200)],
        [("x-request-at", b"yesterday")],
        [("x-request-at", b"2026-01-01T00:00:00")],
    ],
)
def test_m19_headers_that_cannot_be_meant_are_refused(stage, headers):
    response = stage.client.post(INFER, json=body(source="noaa", weather_at=None), headers=headers)
    assert (response.status_code, response.json()["code"]) == (400, "header")


def test_a_missing_entity_is_the_request_itself_and_internal_headers_are_not_passed_on(stage):
    hostile = {"x-rollout-side": "candidate", "x-envoy-retry-on": "5xx", "x-headgate-decision": "served"}
    row = body(source="noaa", weather_at=datetime.now(UTC).isoformat())
    response = stage.client.post(INFER, json=row, headers=hostile)
    assert (response.status_code, response.headers["x-headgate-decision"]) == (200, "served")
    assert stage.counts["no_entity"] >= 1
    passed_on = {name for name in stage.plane.headers if name.startswith("x-")}
    assert passed_on == {"x-request-id", "x-request-at"}


def test_a_caller_that_never_finishes_is_told_so_and_does_not_hold_the_guard(stage):
    url = stage.client.base_url
    with socket.create_connection((url.host, url.port), timeout=10) as slow:
        begun = f"POST {INFER} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9"
        slow.sendall(f"{begun}\r\n\r\n{{".encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += slow.recv(4096)
    assert answer.startswith(b"HTTP/1.1 408")
    assert stage.client.get("/v2/health/live").status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/v2/models/other/infer", "/v2/models/delays/infer/more", "/v2/requests/x"]
)
def test_pages_that_are_not_there_are_problems_too(stage, path):
    response = stage.client.post(path, json={}) if "infer" in path else stage.client.get(path)
    assert (response.status_code, response.headers["content-type"]) == (404, PROBLEM)
    assert stage.client.delete(INFER).status_code == 405
