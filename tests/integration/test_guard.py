"""The guard over real HTTP: what a caller gets, whatever happens behind it."""

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from starlette.responses import Response

from headgate.adapters.guard import draining, queue
from headgate.adapters.lake import Lake
from headgate.adapters.places import place_of
from headgate.contract import check
from headgate.errors import InputError, StoreError
from headgate.tables import clean_requests
from tasks import wiring
from tasks.guard_check import guard_checks
from tests.builders import settings_in
from tests.integration.guard_stage import INPUT, fails, says, small_plan, standing, told
from tests.integration.oip_server import serve

EVERYBODY = ["incumbent", "review", "queue", {"safe_default": 0.2}]
PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def servers():
    with serve() as plane, serve() as incumbent:
        yield plane, incumbent


@pytest.fixture
def stand(servers, tmp_path):
    """Open guards over the same two servers, well again."""
    plane, incumbent = servers
    plane.version, incumbent.version = "gbm-2", "logistic-1"
    for server in servers:
        server.fault, server.delay, server.calls = (lambda _call: None), 0.0, 0
        server.seen.clear()

    def open_one(**changes):
        more = {name: changes.pop(name) for name in ("plane_url", "every", "replica") if name in changes}
        return standing(tmp_path, small_plan(**changes), plane, incumbent, **more)

    return open_one


def test_m19_a_good_request_gets_the_models_answer_and_is_told_who_gave_it(stand):
    with stand() as stage:
        stage.plane.fault = lambda _call: says(0.9)
        response = stage.ask("r1", {"x-entity-id": "N1"})
    assert (response.status_code, told(response)["outputs"][0]["data"]) == (200, [0.9])
    headers = response.headers
    assert (headers["x-rollout-side"], headers["x-rollout"], headers["x-rollout-generation"]) == (
        "candidate", "flights-1", "3",
    )  # fmt: skip
    assert (headers["x-request-id"], headers["x-headgate-decision"]) == ("r1", "served")
    sent = stage.plane.seen[0]["inputs"]
    assert [(t["name"], t["datatype"], t["data"]) for t in sent] == [
        ("distance", "INT64", [1400]), ("temp", "FP64", [40.5]), ("carrier", "BYTES", ["AA"]),
    ]  # fmt: skip


BROKEN = [
    ({"distance": "far"}, "wrong_type", "#/inputs/0/data/0"),
    ({"distance": 0}, "below_min", "#/inputs/0/data/0"),
    ({"distance": None}, "missing", "#/inputs/0/data/0"),
    ({"temp": 1e300}, "above_max", "#/inputs/1/data/0"),
    ({"carrier": True}, "wrong_type", "#/inputs/2/data/0"),
    ({"carrier": ...}, "absent_column", "#/inputs"),
    ({"colour": "red"}, "unknown_column", "#/inputs/3/name"),
    ({"distance": [1, 2]}, "form", "#/inputs/0/data"),
]


def test_m19_what_breaks_the_contract_is_refused_by_name_and_nobody_is_asked(stand):
    with stand() as stage:
        for changes, code, where in BROKEN:
            response = stage.ask(**changes)
            assert (response.status_code, response.headers["content-type"]) == (422, PROBLEM)
            errors = told(response)["errors"]
            assert (code, where) in [(error["code"], error["pointer"]) for error in errors]
            assert any(name.startswith("input{") and code in name for name in stage.counts)
        assert stage.plane.calls == stage.incumbent.calls == 0


def test_odd_requests_go_on_marked_where_the_plan_says_flag(stand):
    with stand() as stage:
        stage.plane.fault = lambda _call: says(0.9)
        response = stage.ask(carrier="XX")
    assert (response.status_code, response.headers["x-headgate-flags"]) == (200, "carrier.unknown_category")


def test_m19_freshness_provenance_and_terms_are_held_against_the_plan(stand):
    now = datetime.now(UTC)
    rules = INPUT | {
        "freshness": {"weather_at": "3h"}, "provenance": {"source": ["noaa"]}, "mask": ["source"],
        "terminology": {"carrier": {"American": "AA"}},
    }  # fmt: skip

    def ask(stage, age, source, carrier="American"):
        at = (now - age).isoformat()
        return stage.ask(weather_at=at, source=source, carrier=carrier)

    with stand(input=rules) as stage:
        stage.plane.fault = lambda _call: says(0.9)
        assert ask(stage, timedelta(hours=1), "noaa").status_code == 200
        refused = [
            ask(stage, timedelta(hours=4), "noaa"),
            ask(stage, timedelta(hours=-2), "noaa"),
            ask(stage, timedelta(0), "a blog"),
            ask(stage, timedelta(0), None),
            stage.ask(weather_at="yesterday", source="noaa"),
            stage.ask(weather_at="2026-01-01T00:00:00", source="noaa"),
        ]
        assert [told(one)["errors"][0]["code"] for one in refused] == [
            "stale", "from_later", "unknown_origin", "missing", "wrong_type", "naive_timestamp",
        ]  # fmt: skip
        assert "a blog" not in refused[2].text  # masked
        sent = {t["name"]: t["data"] for t in stage.plane.seen[0]["inputs"]}
        assert sent == {"distance": [1400], "temp": [40.5], "carrier": ["AA"]}
        assert stage.counts["normalised{column=carrier}"] == 1


@pytest.mark.parametrize(("value", "failure"), [(7, "invalid"), (None, "invalid")])
def test_m20_an_answer_out_of_range_is_that_sides_error_and_the_incumbent_answers(stand, value, failure):
    with stand() as stage:
        stage.plane.fault = lambda _call: says(value)
        stage.incumbent.fault = lambda _call: says(0.4, "logistic-1", None)
        response = stage.ask()
        assert (response.status_code, told(response)["outputs"][0]["data"]) == (200, [0.4])
        assert response.headers["x-headgate-stood-in"] == "incumbent"
        assert stage.counts[f"fallback{{failure={failure},taken=true,to=incumbent}}"] == 1
        assert stage.counts[f"failure{{at=plane,failure={failure},side=candidate}}"] == 1


def test_m20_with_the_plane_dead_the_incumbent_answers(stand):
    with stand(plane_url="http://127.0.0.1:1") as stage:
        stage.incumbent.fault = lambda _call: says(0.4, "logistic-1", None)
        assert [stage.ask().status_code for _ in range(3)] == [200] * 3
        assert stage.counts["fallback{failure=unreachable,taken=true,to=incumbent}"] == 3


def test_m20_a_candidate_that_dies_in_the_middle_of_its_answer_costs_no_caller_one(stand):
    with stand() as stage:
        # Fewer bytes than announced: the connection breaks after half an answer.
        stage.plane.fault = lambda _call: Response(b'{"outputs": [', 200, {"content-length": "500"})
        stage.incumbent.fault = lambda _call: says(0.4, "logistic-1", None)
        response = stage.ask()
        assert (response.status_code, told(response)["outputs"][0]["data"]) == (200, [0.4])
        assert stage.counts["fallback{failure=unreachable,taken=true,to=incumbent}"] == 1


def test_m20_those_who_stand_in_are_asked_in_the_plans_order(stand):
    with stand(serving={"fallback": EVERYBODY}, every=60) as stage:
        stage.plane.fault = lambda _call: fails(500)
        stage.incumbent.fault = lambda _call: fails(500, None)
        first = stage.ask("r1", {"x-entity-id": "N1"})
        assert (first.status_code, told(first)["decision"]) == (202, "review")
        (case,) = stage.reviews.cases
        assert (case.request_id, case.entity, case.reason, case.side, case.answer) == (
            "r1", "N1", "fallback", None, None,
        )  # fmt: skip
        assert dict(case.inputs) == {"distance": 1400, "temp": 40.5, "carrier": "AA"}

        stage.reviews.fault = StoreError("the store is down")
        second = stage.ask("r2")
        assert (second.status_code, told(second)["decision"]) == (202, "queued")
        assert stage.client.get(second.headers["location"]).status_code == 202

        stage.guard.resolver.queue._most = 1  # full
        third = stage.ask("r3")
        assert (third.status_code, told(third)["outputs"][0]["data"]) == (200, [0.2])
        assert (told(third)["model_version"], third.headers["x-headgate-stood-in"]) == (
            "safe-default", "safe_default",
        )  # fmt: skip
        # The plane asks the incumbent after the candidate: what it passes on is the incumbent's own failure.
        assert stage.incumbent.calls == 0


def test_m20_with_nobody_left_the_caller_is_told_so_and_when_to_come_back(stand):
    with stand() as stage:
        stage.plane.fault = lambda _call: fails(500)
        response = stage.ask()
    assert (response.status_code, response.headers["content-type"]) == (503, PROBLEM)
    assert int(response.headers["retry-after"]) >= 1
    assert told(response)["code"] == "unanswered"


def test_a_model_that_refuses_a_request_is_not_our_5xx(stand):
    with stand(serving={"fallback": ["incumbent", "queue"]}) as stage:
        stage.plane.fault = lambda _call: fails(400)
        assert (stage.ask().status_code, stage.counts.get("queue_full")) == (422, None)


@pytest.mark.parametrize(
    ("then", "status", "decision"),
    [("review", 202, "review"), ("safe_default", 200, "safe_default"), ("incumbent", 200, "served"),
     ("flag", 200, "served")],
)  # fmt: skip
def test_m20_an_unsure_answer_goes_where_the_plan_says(stand, then, status, decision):
    floor = {
        "confidence_below": {"value": 0.8, "then": then},
        "fallback": ["incumbent", {"safe_default": 0.2}],
    }
    with stand(serving=floor) as stage:
        stage.plane.fault = lambda _call: says(0.6)
        stage.incumbent.fault = lambda _call: says(0.9, "logistic-1", None)
        response = stage.ask("r1")
        assert (response.status_code, response.headers["x-headgate-decision"]) == (status, decision)
        if then == "flag":
            assert response.headers["x-headgate-flags"] == "low_confidence"
            while not stage.reviews.cases:
                time.sleep(0.01)
        reasons = [(case.reason, case.answer, case.confidence) for case in stage.reviews.cases]
        assert reasons == ([("low_confidence", 0.6, 0.6)] if then in ("review", "flag") else [])


def test_a_model_that_says_how_sure_it_is_is_believed_and_a_number_alone_is_never_sure(stand):
    number = {
        "prediction": {"kind": "number"},
        "gates": [{"name": "quality", "metric": "absolute_error", "margin": 0.5, "cap": 5}],
        "serving": {"confidence_below": {"value": 0.8}, "fallback": ["incumbent", "review"]},
    }
    with stand(**number) as stage:
        stage.plane.fault = lambda call: (says(17.0), says(17.0, confidence=0.95), says(17.0, confidence=5))[
            call
        ]
        assert [stage.ask().status_code for _ in range(3)] == [202, 200, 202]


def test_m20_a_retry_storm_stays_within_its_budget(stand):
    storm = {
        "retry": {"attempts": 4, "base": "1ms"}, "retry_budget": {"share": 0.1, "least": 5},
        "circuit": {"min_calls": 10_000},
    }  # fmt: skip
    with stand(serving=storm) as stage:
        stage.plane.fault = lambda _call: fails(503)
        assert {stage.ask().status_code for _ in range(100)} == {503}
        assert 100 < stage.plane.calls <= 100 + 5 + 10
        counts = stage.counts
    assert counts["retry{at=plane,within_budget=true}"] == stage.plane.calls - 100
    assert counts["retry{at=plane,within_budget=false}"] > 0


def test_a_short_wait_that_a_model_asks_for_is_waited_and_a_long_one_leaves_it_alone(stand):
    with stand(serving={"retry": {"attempts": 2, "base": "1ms"}}) as stage:
        stage.plane.fault = lambda call: says(0.9) if call else fails(429, retry_after="1")
        began = time.monotonic()
        assert stage.ask().status_code == 200
        assert time.monotonic() - began >= 1
        stage.plane.fault = lambda _call: fails(429, retry_after="30")
        calls = stage.plane.calls
        limited = [stage.ask() for _ in range(5)]
        assert {one.status_code for one in limited} == {429}
        assert all(20 < int(one.headers["retry-after"]) <= 30 for one in limited)
        assert stage.plane.calls == calls + 1  # told once, and left alone


def test_the_circuit_opens_and_the_incumbent_is_asked_without_the_plane(stand):
    with stand(serving={"circuit": {"min_calls": 5, "error_rate": 0.5}}) as stage:
        stage.plane.fault = lambda _call: fails(502, None)
        stage.incumbent.fault = lambda _call: says(0.4, "logistic-1", None)
        assert {stage.ask().status_code for _ in range(20)} == {200}
        assert (stage.plane.calls, stage.incumbent.calls) == (5, 20)
        assert stage.client.get("/v2/guard").json()["circuits"]["plane"] == "open"


def test_more_requests_than_the_plan_lets_in_are_told_when_to_come_back(stand):
    with stand(serving={"rate_limit": {"requests": 3, "per": "10s"}}) as stage:
        stage.plane.fault = lambda _call: says(0.9)
        answers = [stage.ask() for _ in range(5)]
    assert [one.status_code for one in answers] == [200, 200, 200, 429, 429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 10


def test_a_queued_request_is_answered_later_once_and_its_id_means_that_request_for_ever(stand):
    with stand(serving={"fallback": ["incumbent", "queue"]}) as stage:
        stage.plane.fault = lambda _call: fails(503)
        assert stage.ask("r1").status_code == stage.ask("r1").status_code == 202  # the caller asks again
        assert stage.ask("r1", distance=7).status_code == 409  # another request under the same id
        stage.plane.fault = lambda call: says(call / 1000)
        until = time.monotonic() + 10
        while (
            response := stage.client.get("/v2/requests/r1")
        ).status_code == 202 and time.monotonic() < until:
            time.sleep(0.02)
        first = told(response)["outputs"]
        assert response.status_code == 200
        assert told(stage.ask("r1"))["outputs"] == first  # what was recorded is the answer
        assert stage.client.get("/v2/guard").json()["queue"] == {"waiting": 0, "oldest": None}
        assert stage.client.get("/v2/requests/never").status_code == 404


def test_m20_several_guards_drain_one_queue_and_nothing_is_lost_or_answered_twice(stand, monkeypatch):
    monkeypatch.setattr(draining, "_FIRST", timedelta(milliseconds=200))
    queues = {"serving": {"fallback": ["incumbent", "queue"], "circuit": {"min_calls": 9999}}}
    with stand(**queues) as one, stand(**queues, replica="two") as two:
        one.plane.fault = lambda _call: fails(503)
        names = [f"r{i}" for i in range(40)]
        assert {(one, two)[i % 2].ask(name).status_code for i, name in enumerate(names)} == {202}
        one.plane.fault = lambda call: says(call / 1000)
        until = time.monotonic() + 20
        while two.client.get("/v2/guard").json()["queue"]["waiting"] and time.monotonic() < until:
            time.sleep(0.02)
        answers = [
            {stage.client.get(f"/v2/requests/{name}").content for stage in (one, two)} for name in names
        ]
        assert all(len(both) == 1 for both in answers)  # whichever guard is asked
        assert len(set.union(*answers)) == 40  # to each its own
        # Who drains how many is chance.
        assert sum(stage.counts.get("drained{recorded=true}", 0) for stage in (one, two)) == 40


def test_m20_a_queue_that_does_not_answer_keeps_no_caller_and_the_next_one_stands_in(stand, monkeypatch):
    monkeypatch.setattr(queue, "PATIENCE", 0.1)
    with stand(serving={"fallback": ["incumbent", "queue", {"safe_default": 0.2}]}, every=60) as stage:
        stage.plane.fault = lambda _call: fails(503)
        hangs = threading.Event()
        for name in ("find", "put"):
            monkeypatch.setattr(stage.guard.resolver.queue, name, lambda *_: hangs.wait(20))
        response = stage.ask("r1")
        hangs.set()
        assert (response.status_code, response.headers["x-headgate-decision"]) == (200, "safe_default")


@pytest.mark.parametrize("asked", ["inf", "1e308", "nan", "-1", "tomorrow", ""])
def test_whatever_a_model_says_of_when_to_come_back_is_no_error_of_the_guard(stand, asked):
    with stand() as stage:
        stage.plane.fault = lambda _call: fails(429, retry_after=asked)
        response = stage.ask()
        assert response.status_code == 429
        assert 1 <= int(response.headers["retry-after"]) <= 86_400


def test_m19_preflight_waits_until_every_guard_of_the_service_runs_this_very_plan(stand, tmp_path):
    with stand() as stage:
        mine, other = stage.guard.plan, small_plan(watch="3d")
        runs, gone = str(stage.client.base_url), "http://127.0.0.1:1"

        def looked_at(plan, *urls):
            named = settings_in(tmp_path, guard_urls={"flight-delays": urls} if urls else {})
            with wiring.use(wiring.Wiring(None, None, None, named)):
                return [(check.passed, check.reason) for check in guard_checks(plan)]

        assert looked_at(mine) == []
        assert looked_at(mine, runs) == [(True, "the guard runs this plan")]
        ((passed, why),) = looked_at(other, runs)
        assert passed is None
        assert why.startswith(f"the guard at {runs} runs the plan flights-gbm ({mine.hash[:12]}), not")
        ((passed, why),) = looked_at(mine, runs, gone)
        assert (passed, why) == (
            None, f"the guard at {gone} does not answer (ConnectError): start it with this plan",
        )  # fmt: skip
        ((passed, why),) = looked_at(mine, stage.plane.url)  # somebody else listens there
        assert passed is None
        assert "HEADGATE_GUARD_URLS" in why


def test_m19_the_log_is_the_request_log_that_shadow_windows_read(stand, tmp_path):
    rules = INPUT | {
        "columns": INPUT["columns"] | {"note": {"type": "category", "missing": "allow"}},
        "freshness": {"seen": "3h"}, "provenance": {"source": ["noaa"]},
        "terminology": {"carrier": {"United": "UA"}},
    }  # fmt: skip
    asked = small_plan(input=rules)
    at = datetime(2026, 3, 1, 9, tzinfo=UTC)
    with stand(input=rules) as stage:
        stage.plane.fault = lambda _call: says(0.9)
        came = {"x-request-at": at.isoformat()}
        fresh = {"seen": (at - timedelta(hours=2)).isoformat(), "source": "noaa", "note": None}

        def ask(name, named=came, **changes):
            return stage.ask(name, named, **(fresh | changes)).status_code

        secret = {"note": "token=abc call me@example.org", "carrier": "United"}
        assert ask("good", came | {"x-entity-id": "N1"}, **secret) == 200
        assert (
            ask("wrong", distance="far")
            == ask("old", seen="2026-02-01T00:00:00Z")
            == ask("nobody", source="x")
            == 422
        )
        assert ask("odd", carrier="XX") == 200
    lake = Lake(tmp_path / "lake", base=tmp_path)
    table = clean_requests(lake.read_requests(asked, at, at + timedelta(hours=1)), asked).table
    rows = {row["request_id"]: row for row in table.to_pylist()}
    good = rows["good"]
    assert (good["note"], good["carrier"]) == ("token=*** call m***@example.org", "UA")
    assert (good["entity"], rows["odd"]["entity"], good["distance"]) == ("N1", "odd", 1400)
    checked = check(table, asked.input)  # the same contract, the same verdicts
    verdicts = dict(zip(table["request_id"].to_pylist(), checked.mask_ok.tolist(), strict=True))
    assert verdicts == {"good": True, "odd": True, "wrong": False, "old": False, "nobody": False}
    assert checked.flagged.sum() == 1
    answers = (
        place_of(tmp_path / "runs" / "guards" / "flight-delays" / "answers").dataset().to_table().to_pylist()
    )
    found = {row["request_id"]: (row["decision"], row["answer"], row["why"]) for row in answers}
    assert found == {
        "good": ("served", 0.9, None), "odd": ("served", 0.9, None),
        "wrong": ("refused", None, "distance.wrong_type"), "old": ("refused", None, "seen.stale"),
        "nobody": ("refused", None, "source.unknown_origin"),
    }  # fmt: skip


def test_slices_are_told_by_the_plans_own_expressions_and_a_header_cannot_say_otherwise(stand):
    steps = [{"percent": 0, "dwell": "2d"}, {"percent": 100}]
    sliced = {"steps": None, "slices": [{"name": "aa", "where": "carrier == 'AA'", "steps": steps}]}
    with stand(**sliced) as stage:
        stage.plane.fault = lambda _call: says(0.9)
        assert stage.ask(headers={"x-headgate-slice": "aa"}).status_code == 200
        assert stage.ask(headers={"x-headgate-slice": "bb"}).status_code == 422
        assert stage.ask(carrier="UA").status_code == 200


def test_two_guards_cannot_share_a_name(stand):
    with stand(), pytest.raises(InputError, match="--replica"), stand():
        pass
