"""A route as Envoy's route configuration, and a route read back from one.

Envoy assigns as `headgate.routing.bucket` does for every entity that is UTF-8 text. HTTP trims blanks
around a header value and has no control characters in it; bytes that are no UTF-8 are hashed without
the salt (sticky, but not the bucket); of several values the first counts; an empty one is an entity
like any other. Without the header the request id is assigned, and Envoy makes one where there is none.
"""

from __future__ import annotations

from headgate.adapters.planes.envoy_bootstrap import (
    CALLER_TIMEOUT,
    ENTITY_HEADER,
    MAX_BODY_BYTES,
    MIRROR_HEADER,
    REQUEST_HEADER,
    ROUTES,
    SHADOW,
    TYPE,
    Json,
    header,
)
from headgate.adapters.planes.envoy_clusters import EITHER, either_name, incumbent_name, mirror_name
from headgate.errors import PlaneRefused
from headgate.ports import Endpoint, Route, Side
from headgate.routing import FULL_BP

SIDE_HEADER = "x-rollout-side"


def route_config(route: Route) -> Json:
    """Return the route configuration: one rule that splits, falls back, mirrors and marks."""
    rule = {
        "match": {"prefix": "/"},
        "route": _split(route),
        "metadata": {"filter_metadata": {"headgate": _metadata(route)}},
        "request_body_buffer_limit": str(MAX_BODY_BYTES),
        "response_headers_to_add": [
            header("x-rollout", route.rollout or "none"),
            header("x-rollout-generation", str(route.generation)),
        ],
    }
    return {
        "@type": f"{TYPE}.config.route.v3.RouteConfiguration",
        "name": ROUTES,
        # Without it a route to a missing cluster is accepted, and requests fail.
        "validate_clusters": True,
        "virtual_hosts": [{"name": ROUTES, "domains": ["*"], "routes": [rule]}],
    }


def _split(route: Route) -> Json:
    sides = [_weighted(incumbent_name(route), FULL_BP - route.share_bp, Side.INCUMBENT)]
    if route.candidate is not None:
        # Candidate first: it serves the buckets below its weight.
        sides.insert(0, _weighted(either_name(route), route.share_bp, Side.CANDIDATE))
    # Without an entity the request id is assigned.
    hashed = [_salted(ENTITY_HEADER, route.salt), _salted(REQUEST_HEADER, route.salt)]
    split: Json = {
        "weighted_clusters": {"use_hash_policy": True, "clusters": sides},
        "hash_policy": hashed,
        "timeout": CALLER_TIMEOUT,
        "retry_policy": _fallback(),
    }
    if route.mirror:
        to = {"append": header(MIRROR_HEADER, mirror_name(route))}
        split["request_mirror_policies"] = [
            {"cluster": SHADOW, "disable_shadow_host_suffix_append": True, "request_headers_mutations": [to]}
        ]
    return split


def _weighted(cluster: str, weight: int, side: Side) -> Json:
    mark = [header(SIDE_HEADER, side.value)]
    return {
        "name": cluster,
        "weight": weight,
        "request_headers_to_add": mark,
        "response_headers_to_add": mark,
    }


def _salted(name: str, salt: str) -> Json:
    rewrite = {"pattern": {"regex": "^(.*)$"}, "substitution": salt.replace("\\", "\\\\") + ":\\1"}
    return {"header": {"header_name": name, "regex_rewrite": rewrite}, "terminal": True}


def _fallback() -> Json:
    """Try the incumbent after any failure of the candidate; the incumbent's own errors pass through.

    4xx too: if the request was at fault the incumbent says so itself, and the log can tell.
    """
    failed = {"name": ":status", "string_match": {"safe_regex": {"regex": "[45][0-9][0-9]"}}}
    ours = {"name": SIDE_HEADER, "string_match": {"exact": Side.CANDIDATE.value}}
    return {
        "retry_on": "reset,connect-failure,refused-stream,retriable-headers",
        "num_retries": 1,
        "retriable_headers": [failed],
        "retriable_request_headers": [ours],
        "retry_back_off": {"base_interval": "0.001s", "max_interval": "0.002s"},
    }


# ---------------------------------------------------------------- read-back


def _metadata(route: Route) -> dict[str, str]:
    """Return the route as strings; Envoy would turn numbers into floating point."""
    return {
        "service": route.service,
        "rollout": route.rollout,
        "salt": route.salt,
        "weight": str(route.share_bp),
        "mirror": str(route.mirror).lower(),
        "token": str(route.token),
        "generation": str(route.generation),
        "incumbent": _text(route.incumbent),
        "candidate": _text(route.candidate) if route.candidate else "",
        "model": route.model,
        "timeout_ms": str(route.timeout_ms),
    }


def read_back(config: Json) -> Route:
    """Return the route that a configuration serves. Share and mirror are read from what acts.

    Raises
    ------
    PlaneRefused
        If it is not a configuration of ours.
    """
    try:
        rule = config["virtual_hosts"][0]["routes"][0]
        said = rule["metadata"]["filter_metadata"]["headgate"]
        weights = {
            entry["name"]: int(entry.get("weight", 0))
            for entry in rule["route"]["weighted_clusters"]["clusters"]
        }
        candidate = sum(weight for name, weight in weights.items() if name.startswith(EITHER))
        return Route(
            service=said["service"],
            rollout=said["rollout"],
            salt=said["salt"],
            # Rounded up: a hand-made share is never reported smaller than it is.
            share_bp=-(-candidate * FULL_BP // sum(weights.values())),
            mirror=bool(rule["route"].get("request_mirror_policies")),
            token=int(said["token"]),
            generation=int(said["generation"]),
            incumbent=_endpoint(said["incumbent"]),
            candidate=_endpoint(said["candidate"]) if said["candidate"] else None,
            model=said["model"],
            timeout_ms=int(said["timeout_ms"]),
        )
    except (LookupError, TypeError, ValueError, AttributeError, ZeroDivisionError) as err:
        raise PlaneRefused(
            "asked the plane which route it serves; found one that Headgate did not write "
            f"({type(err).__name__}: {err}); put its route file back, or end Envoy and remove that file: "
            "the next start serves the incumbent alone"
        ) from err


def _text(at: Endpoint) -> str:
    return f"{at.host}:{at.port}"


def _endpoint(text: str) -> Endpoint:
    host, _, port = text.rpartition(":")
    return Endpoint(host, int(port))
