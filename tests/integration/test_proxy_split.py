"""Every proxy assigns exactly as `headgate.routing.bucket` does, and nobody can talk it out of that."""

import random

import pytest

from headgate.ports import Side
from headgate.routing import bucket, goes_to_candidate
from tests.integration.envoy_stage import split_of
from tests.integration.plane_conformance import read
from tests.integration.proxy_stage import proxy, stage, upstreams

__all__ = ["proxy", "stage", "upstreams"]  # fixtures


def sides(salt, entities, share_bp):
    return [
        Side.CANDIDATE if goes_to_candidate(salt, entity, share_bp) else Side.INCUMBENT for entity in entities
    ]


def odd_entities(count, seed=20130401):
    """Texts with everything a header may hold: blanks, quotes, per cent, separators, any script."""
    rng = random.Random(seed)
    ranges = [
        (0x20, 0x7E),
        (0xA0, 0x2FF),
        (0x2028, 0x2029),
        (0x4E00, 0x4FFF),
        (0x1F600, 0x1F64F),
        (0x85, 0x85),
    ]
    names = []
    for _ in range(count):
        letters = [chr(rng.randint(*rng.choice(ranges))) for _ in range(rng.randint(0, 24))]
        names.append("".join(letters).strip(" "))
    return names


def test_four_thousand_entities_get_the_side_of_their_bucket(stage):
    plane = stage.plane()
    plane.apply(stage.route(2_500))
    entities = [f"N{n}" for n in range(2_500)] + odd_entities(1_500)
    assert split_of(plane, entities) == sides("gbm-1", entities, 2_500)


@pytest.mark.parametrize("salt", ["a\\1b\\", "ü %REQ(x)% \"'{}", "^(.*)$"])
def test_any_text_can_be_a_salt(stage, salt):
    plane = stage.plane()
    plane.apply(stage.route(5_000, salt=salt))
    entities = [f"N{n}" for n in range(200)]
    assert split_of(plane, entities) == sides(salt, entities, 5_000)


def test_one_basis_point_is_one_bucket(stage):
    plane = stage.plane()
    lowest = min((f"N{n}" for n in range(60_000)), key=lambda entity: bucket("gbm-1", entity))
    edge = bucket("gbm-1", lowest)
    for generation, (share_bp, side) in enumerate(
        [(edge, Side.INCUMBENT), (edge + 1, Side.CANDIDATE)], start=1
    ):
        plane.apply(stage.route(share_bp, generation))
        assert split_of(plane, [lowest]) == [side]


def test_raising_the_share_only_moves_entities_to_the_candidate_through_restarts(stage):
    plane = stage.plane()
    entities = [f"N{n}" for n in range(300)]
    before = set()
    for generation, share_bp in enumerate([0, 100, 500, 2_500, 2_500, 5_000, 10_000], start=1):
        if generation % 2 == 0:
            plane.stop()
            plane.reconcile(stage.route())
        plane.apply(stage.route(share_bp, generation))
        assigned = split_of(plane, entities)
        now = {entity for entity, side in zip(entities, assigned, strict=True) if side is Side.CANDIDATE}
        assert before <= now
        before = now
    assert len(before) == 300


def test_without_an_entity_the_request_id_is_assigned_and_stands_in_the_log(stage):
    plane = stage.plane()
    plane.apply(stage.route(5_000))
    caller = stage.caller(plane)
    ids = [f"r{n}" for n in range(40)]
    assert [caller.ask(request_id=i).side for i in ids] == [s.value for s in sides("gbm-1", ids, 5_000)]
    assert sorted(line.entity for line in read(plane, {}, 40).served) == sorted(ids)


def test_a_request_without_any_identity_gets_an_id_that_explains_its_side(stage):
    plane = stage.plane()
    plane.apply(stage.route(5_000))
    caller = stage.caller(plane)
    answers = [caller.ask() for _ in range(20)]
    log = read(plane, {}, 20).served
    assert [line.assigned.value for line in log] == [answer.side for answer in answers]
    assert [line.assigned for line in log] == sides("gbm-1", [line.entity for line in log], 5_000)


def test_of_several_entities_the_first_counts_for_plane_model_and_log(stage):
    plane = stage.plane()
    plane.apply(stage.route(5_000))
    caller = stage.caller(plane)
    pairs = [(f"N{n}", f"M{n}") for n in range(30)]
    got = [caller.ask(extra=[("x-entity-id", one), ("x-entity-id", two)]).side for one, two in pairs]
    firsts = [one for one, _ in pairs]
    assert got == [side.value for side in sides("gbm-1", firsts, 5_000)]
    assert [line.entity for line in read(plane, {}, 30).served] == firsts


_OURS = {"x-rollout-mirror", "x-rollout-route", "x-shadow"}


def test_callers_cannot_choose_their_side_nor_switch_off_the_fallback(stage):
    plane = stage.plane()
    plane.apply(stage.route(0))
    forged = [
        ("x-rollout-side", "candidate"),
        ("X-Rollout-Mirror", "anything"),
        ("x-rollout-generation", "99"),
        ("x-envoy-upstream-rq-timeout-ms", "1"),
        ("X-Envoy-Max-Retries", "0"),
        ("x-rollout-route", "10000|1"),
        ("x-shadow", "1"),
    ]
    stage.incumbent.delay = 0.05
    answer = stage.caller(plane).ask("N1", "r1", extra=forged)
    assert (answer.status, answer.who, answer.side) == (200, "incumbent", "incumbent")
    (seen,) = stage.incumbent.seen
    assert seen["x-rollout-side"] == "incumbent"
    assert not [name for name in seen if name.startswith("x-envoy") or name in _OURS]
    (line,) = read(plane, {}, 1).served
    assert (line.assigned, line.generation) == (Side.INCUMBENT, 1)


def test_the_answer_tells_rollout_generation_and_side(stage):
    plane = stage.plane()
    plane.apply(stage.route(10_000, 4))
    told = stage.caller(plane).ask("N1", "r1").headers
    names = ("x-rollout", "x-rollout-generation", "x-rollout-side")
    assert [told[name] for name in names] == ["gbm-1", "4", "candidate"]
    assert not [name for name in told if name.startswith("x-envoy")]


def test_two_services_have_planes_that_know_nothing_of_each_other(stage):
    one, two = stage.plane("one"), stage.plane("two")
    one.apply(stage.route(10_000))
    two.apply(stage.route(0, 7, rollout="other", salt="other"))
    assert stage.caller(one).ask("N1").who == "candidate"
    assert stage.caller(two).ask("N1").who == "incumbent"
    one.stop()
    assert two.observe().generation == 7
