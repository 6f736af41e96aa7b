"""The manifests are what the published schema takes, and say what the route says."""

import json
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.adapters.planes.gateway import MOST_RULES, Parent, accepted, manifest, read_back, render
from headgate.errors import PlaneRefused
from headgate.ports import Endpoint, Route, SliceShare

SCHEMA = json.loads((Path(__file__).parent / "gateway_api" / "httproute-v1.schema.json").read_text())
ROUTE = Route(
    service="flight-delays",
    rollout="gbm-2",
    salt="gbm-2",
    share_bp=2_500,
    mirror=False,
    token=3,
    generation=7,
    incumbent=Endpoint("logistic-1.models", 8080),
    candidate=Endpoint("gbm-2.models", 8080),
)
#: Filters that the API takes once in a rule at most (its rules in CEL, which the schema does not hold).
ONCE = {"RequestHeaderModifier", "ResponseHeaderModifier", "RequestRedirect", "URLRewrite"}


def strict(schema):
    """Return the schema with unknown fields refused: a cluster drops them, and the manifest would lie."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: strict(value) for key, value in schema.items()}
    if isinstance(kept.get("properties"), dict) and kept.get("type") == "object":
        kept.setdefault("additionalProperties", False)
    return kept


VALIDATOR = jsonschema.Draft7Validator(
    strict(SCHEMA) | {"properties": strict(SCHEMA["properties"])},
)


def check(document):
    """Raise unless a cluster would take the manifest."""
    VALIDATOR.validate(document)
    for rule in document["spec"]["rules"]:
        for filters in (rule["filters"], *(ref["filters"] for ref in rule["backendRefs"])):
            types = [one["type"] for one in filters]
            assert all(types.count(kind) == 1 for kind in ONCE & set(types))
            assert all(set(one) == {"type", one["type"][0].lower() + one["type"][1:]} for one in filters)
        names = [header["name"] for match in rule["matches"] for header in match.get("headers", [])]
        assert len(names) == len(set(names))
        assert any(ref["weight"] for ref in rule["backendRefs"]), "no traffic would be served"


bp = st.integers(0, 10_000)
parts = st.builds(
    lambda n, s, m: SliceShare(n, s, m and not s), st.text(min_size=1, max_size=9), bp, st.booleans()
)


@st.composite
def routes(draw):
    slices = draw(st.lists(parts, max_size=5, unique_by=lambda part: part.name))
    share = 0 if slices else draw(bp)
    candidate = draw(st.sampled_from([ROUTE.candidate, None]))
    if candidate is None:
        slices, share = [], 0
    return replace(
        ROUTE,
        share_bp=share,
        mirror=not slices and not share and candidate is not None and draw(st.booleans()),
        slices=tuple(slices),
        candidate=candidate,
        salt=draw(st.text(max_size=9)),
        rollout=draw(st.text(max_size=9)),
    )


@settings(max_examples=40)
@given(routes())
def test_every_route_becomes_a_manifest_of_the_published_schema_and_is_read_back_as_it_was(route):
    document = manifest(route)
    check(document)
    assert read_back(json.loads(json.dumps(document))) == route


def test_the_file_holds_whatever_a_name_may_hold():
    odd = replace(
        ROUTE, salt="ü\x85\u2028'\"%{}", rollout="- a: [b", share_bp=0, slices=(SliceShare("\x85 #", 5),)
    )
    (text,) = render(odd).values()
    assert read_back(yaml.safe_load(text)) == odd


def test_m6_the_weights_are_the_share_to_the_basis_point_and_the_mirror_is_a_request_mirror():
    (first, second, last) = manifest(ROUTE)["spec"]["rules"]
    assert [(ref["name"], ref["weight"]) for ref in last["backendRefs"]] == [
        ("gbm-2", 2_500),
        ("logistic-1", 7_500),
    ]
    assert [rule["backendRefs"][0]["name"] for rule in (first, second)] == ["gbm-2", "logistic-1"]
    (shadow,) = manifest(replace(ROUTE, share_bp=0, mirror=True))["spec"]["rules"]
    copies = [one["requestMirror"] for one in shadow["filters"] if one["type"] == "RequestMirror"]
    assert copies == [{"backendRef": {"kind": "Service", "name": "gbm-2", "port": 8080}}]
    assert [ref["weight"] for ref in shadow["backendRefs"]] == [0, 10_000]


def test_it_hangs_on_the_gateway_that_is_named():
    document = manifest(ROUTE, Parent("public", "infra", ("delays.example.org",)))
    check(document)
    assert document["metadata"]["namespace"] == "models"
    assert document["spec"]["parentRefs"] == [{"name": "public", "namespace": "infra"}]
    assert document["spec"]["hostnames"] == ["delays.example.org"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"incumbent": Endpoint("127.0.0.1", 8001)}, "sends it to Services"),
        ({"candidate": Endpoint("gbm-2.other", 8080)}, "in one"),
        ({"service": "Flight_Delays"}, "small letters"),
        ({"candidate": None}, "start its server"),
        ({"share_bp": 0, "slices": tuple(SliceShare(f"s{n}", 5) for n in range(6))}, str(MOST_RULES)),
    ],
    ids=["an address", "two namespaces", "a name", "no candidate", "too many slices"],
)
def test_what_a_cluster_would_not_take_is_refused_with_what_to_do(changed, words):
    with pytest.raises(PlaneRefused, match=words):
        render(replace(ROUTE, **changed))


def test_a_share_changed_by_hand_is_read_as_it_acts_and_never_smaller():
    document = manifest(ROUTE)
    document["spec"]["rules"][-1]["backendRefs"][0]["weight"] = 2_501
    assert read_back(document).share_bp == 2_501


@pytest.mark.parametrize("cut", ["metadata", "spec"])
def test_a_foreign_manifest_is_refused_not_guessed_at(cut):
    document = manifest(ROUTE)
    document[cut] = {}
    with pytest.raises(PlaneRefused, match="did not write"):
        read_back(document)


def test_a_hand_made_way_to_a_candidate_without_a_share_is_not_overlooked():
    document = manifest(replace(ROUTE, share_bp=0))
    document["spec"]["rules"].insert(0, deepcopy(manifest(ROUTE)["spec"]["rules"][0]))
    with pytest.raises(PlaneRefused, match="pick the candidate"):
        read_back(document)


def test_only_what_every_gateway_took_at_this_generation_is_in_force():
    def seen(generation, accepted="True", resolved="True"):
        said = (("Accepted", accepted), ("ResolvedRefs", resolved))
        conditions = [{"type": t, "status": s, "observedGeneration": generation} for t, s in said]
        return manifest(ROUTE) | {
            "metadata": {"generation": 4},
            "status": {"parents": [{"conditions": conditions}]},
        }

    assert accepted(manifest(ROUTE)) is None
    assert accepted(seen(3)) is None
    assert accepted(seen(4)) is True
    assert accepted(seen(4, resolved="False")) is False
