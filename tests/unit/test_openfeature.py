"""In-process callers get the very side that a proxy would give them, and the incumbent when in doubt."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.adapters.share_file import ShareFile, as_text, from_text
from headgate.errors import PlaneRefused
from headgate.ports import Endpoint, Route, SliceShare
from headgate.routing import goes_to_candidate

api = pytest.importorskip("openfeature.api", reason="pip install headgate[openfeature]")
from openfeature.evaluation_context import EvaluationContext  # noqa: E402
from openfeature.exception import ErrorCode  # noqa: E402
from openfeature.flag_evaluation import Reason  # noqa: E402

from headgate.adapters.openfeature import HeadgateProvider  # noqa: E402

ROUTE = Route("delays", "gbm-2", "gbm-2", 2_500, False, 1, 4, Endpoint("old", 8001), Endpoint("new", 8002))


def put(path, text):
    """Replace the file as whoever publishes the share does."""
    other = path.with_suffix(".tmp")
    other.write_text(text, encoding="utf-8")
    other.replace(path)


@pytest.fixture
def share(tmp_path):
    put(tmp_path / "share.json", as_text(ROUTE))
    return tmp_path / "share.json"


@pytest.fixture
def client(share):
    api.set_provider(HeadgateProvider({"delays": ShareFile(share)}))
    yield api.get_client()
    api.clear_providers()


def context(entity, **attributes):
    return EvaluationContext(entity, attributes)


def test_m5_two_thousand_entities_get_the_side_of_their_bucket(client):
    for number in range(2_000):
        entity = f"N{number}"
        expected = goes_to_candidate("gbm-2", entity, 2_500)
        assert client.get_boolean_value("delays", False, context(entity)) is expected


def test_the_answer_tells_rollout_generation_and_where_both_sides_listen(client):
    entity = next(f"N{n}" for n in range(99) if goes_to_candidate("gbm-2", f"N{n}", 2_500))
    told = client.get_object_details("delays", {}, context(entity))
    assert told.value == {
        "side": "candidate", "host": "new", "port": 8002, "fallback_host": "old", "fallback_port": 8001,
        "model": "model", "timeout_ms": 300,
    }  # fmt: skip
    assert (told.reason, told.variant) == (Reason.SPLIT, "candidate")
    assert told.flag_metadata == {"rollout": "gbm-2", "generation": 4, "slice": "all", "share_bp": 2_500}


def test_a_new_share_is_served_once_the_file_is_in_place_and_nobody_leaves_the_candidate(client, share):
    entities = [f"N{n}" for n in range(200)]

    def chosen():
        return {
            e for e in entities if client.get_string_value("delays", "incumbent", context(e)) == "candidate"
        }

    before = chosen()
    for generation, share_bp in enumerate((5_000, 10_000), start=5):
        put(share, as_text(replace(ROUTE, share_bp=share_bp, generation=generation)))
        now = chosen()
        assert before <= now
        before = now
    assert len(before) == len(entities)


def test_each_slice_has_its_share_and_who_is_in_none_is_the_incumbents(client, share):
    slices = (SliceShare("jfk", 10_000), SliceShare("lga", 0))
    put(share, as_text(replace(ROUTE, share_bp=0, slices=slices)))
    asked = {
        name: client.get_boolean_value("delays", False, context("N1", slice=name))
        for name in ("jfk", "lga", "ewr")
    }
    assert asked == {"jfk": True, "lga": False, "ewr": False}
    assert client.get_boolean_value("delays", False, context("N1")) is False


@pytest.mark.parametrize("garbage", ["{nonsense", "", "[]", '{"version": 2}'])
def test_garbage_in_the_file_leaves_the_last_share_in_force_and_says_that_it_is_stale(client, share, garbage):
    before = client.get_string_details("delays", "incumbent", context("N1"))
    put(share, garbage)
    after = client.get_string_details("delays", "incumbent", context("N1"))
    assert (after.value, after.reason) == (before.value, Reason.STALE)
    put(share, as_text(ROUTE))
    assert client.get_string_details("delays", "incumbent", context("N1")).reason == Reason.SPLIT


def test_whoever_cannot_be_told_gets_the_callers_default_and_why(share, tmp_path):
    nothing = HeadgateProvider({"delays": ShareFile(tmp_path / "nowhere.json")})
    known = HeadgateProvider({"delays": ShareFile(share)})
    cases = [
        (nothing.resolve_boolean_details("delays", False, context("N1")), ErrorCode.PROVIDER_NOT_READY),
        (known.resolve_boolean_details("other", False, context("N1")), ErrorCode.FLAG_NOT_FOUND),
        (known.resolve_boolean_details("delays", False, None), ErrorCode.TARGETING_KEY_MISSING),
        (known.resolve_integer_details("delays", 0, context("N1")), ErrorCode.TYPE_MISMATCH),
        (known.resolve_float_details("delays", 0.0, context("N1")), ErrorCode.TYPE_MISMATCH),
    ]
    for details, code in cases:
        assert (details.value, details.error_code, details.reason) == (False, code, Reason.ERROR)
        assert "asked" in details.error_message


@given(st.text(), st.text(), st.integers(0, 10_000), st.booleans(), st.text(min_size=1))
def test_every_route_survives_the_file(rollout, salt, share_bp, both, name):
    route = Route(
        "delays", rollout, salt, share_bp, False, 1, 2, ROUTE.incumbent, ROUTE.candidate if both else None,
        slices=(SliceShare(name, share_bp),) if both else (),
    )  # fmt: skip
    assert from_text(as_text(route)) == route


@pytest.mark.parametrize("broken", [{"share_bp": "2500"}, {"share_bp": True}, {"token": 1.0}, {"extra": 1}])
def test_a_file_that_only_looks_like_a_route_is_refused(broken):
    import json

    said = json.loads(as_text(ROUTE)) | broken
    with pytest.raises(PlaneRefused, match="did not write"):
        from_text(json.dumps(said))
