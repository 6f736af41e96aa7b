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
    SLICE_HEADER,
    TRIED_HEADER,
    TYPE,
    Json,
    header,
)
from headgate.adapters.planes.envoy_clusters import EITHER, either_name, incumbent_name, mirror_name
from headgate.adapters.planes.log_files import NO_SLICE
from headgate.errors import PlaneRefused
from headgate.plan.model import ALL
from headgate.ports import Endpoint, Route, Side, SliceShare
from headgate.routing import FULL_BP

SIDE_HEADER = "x-rollout-side"


def route_config(route: Route) -> Json:
    """Return the route configuration: a rule that splits, falls back, mirrors and marks.

    With slices there is such a rule for each, chosen by the slice header, and a last one for the rest, at
    share 0. One write changes them all.
    """
    rest = SliceShare(NO_SLICE, 0) if route.slices else SliceShare(ALL, route.share_bp, route.mirror)
    rules = [_rule(route, part, _says(part.name)) for part in route.slices]
    rules.append(_rule(route, rest, {}))
    return {
        "@type": f"{TYPE}.config.route.v3.RouteConfiguration",
        "name": ROUTES,
        # Without it a route to a missing cluster is accepted, and requests fail.
        "validate_clusters": True,
        "virtual_hosts": [{"name": ROUTES, "domains": ["*"], "routes": rules}],
    }


def _rule(route: Route, part: SliceShare, asked: Json) -> Json:
    return {
        "match": {"prefix": "/", **asked},
        "route": _split(route, part),
        "metadata": {"filter_metadata": {"headgate": _metadata(route, part)}},
        "request_body_buffer_limit": str(MAX_BODY_BYTES),
        "response_headers_to_remove": [TRIED_HEADER],
        "response_headers_to_add": [
            header("x-rollout", route.rollout or "none"),
            header("x-rollout-generation", str(route.generation)),
        ],
    }


def _says(name: str) -> Json:
    return {"headers": [{"name": SLICE_HEADER, "string_match": {"exact": name}}]}


def _split(route: Route, part: SliceShare) -> Json:
    sides = [_weighted(incumbent_name(route), FULL_BP - part.share_bp, Side.INCUMBENT)]
    if route.candidate is not None:
        # Candidate first: it serves the buckets below its weight.
        sides.insert(0, _weighted(either_name(route), part.share_bp, Side.CANDIDATE))
    # Without an entity the request id is assigned.
    hashed = [_salted(ENTITY_HEADER, route.salt), _salted(REQUEST_HEADER, route.salt)]
    split: Json = {
        "weighted_clusters": {"use_hash_policy": True, "clusters": sides},
        "hash_policy": hashed,
        "timeout": CALLER_TIMEOUT,
        "retry_policy": _fallback(),
    }
    if part.mirror:
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

    4xx too: if the request was at fault the incumbent says so itself, and the log can tell. The status alone
    would not do: while the candidate is ejected the first try is the incumbent's already.
    """
    failed = {
        "name": TRIED_HEADER,
        "string_match": {"safe_regex": {"regex": f"{Side.CANDIDATE} [45][0-9][0-9]"}},
    }
    ours = {"name": SIDE_HEADER, "string_match": {"exact": Side.CANDIDATE.value}}
    return {
        "retry_on": "reset,connect-failure,refused-stream,retriable-headers",
        "num_retries": 1,
        "retriable_headers": [failed],
        "retriable_request_headers": [ours],
        "retry_back_off": {"base_interval": "0.001s", "max_interval": "0.002s"},
    }


# ---------------------------------------------------------------- read-back


def _metadata(route: Route, part: SliceShare) -> dict[str, str]:
    """Return the route of one slice as strings; Envoy would turn numbers into floating point."""
    return {
        "service": route.service,
        "rollout": route.rollout,
        "salt": route.salt,
        "slice": part.name,
        "weight": str(part.share_bp),
        "mirror": str(part.mirror).lower(),
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
        rules = config["virtual_hosts"][0]["routes"]
        said = rules[-1]["metadata"]["filter_metadata"]["headgate"]
        slices = tuple(_part(_name(rule), rule) for rule in rules[:-1])
        rest = _part(ALL, rules[-1])
        return Route(
            service=said["service"],
            rollout=said["rollout"],
            salt=said["salt"],
            share_bp=rest.share_bp,
            mirror=rest.mirror,
            token=int(said["token"]),
            generation=int(said["generation"]),
            incumbent=_endpoint(said["incumbent"]),
            candidate=_endpoint(said["candidate"]) if said["candidate"] else None,
            model=said["model"],
            timeout_ms=int(said["timeout_ms"]),
            slices=slices,
        )
    except (LookupError, TypeError, ValueError, AttributeError, ZeroDivisionError) as err:
        raise PlaneRefused(
            "asked the plane which route it serves; found one that Headgate did not write "
            f"({type(err).__name__}: {err}); put its route file back, or end Envoy and remove that file: "
            "the next start serves the incumbent alone"
        ) from err


def _name(rule: Json) -> str:
    """Return the slice whose requests a rule takes."""
    (asked,) = rule["match"]["headers"]
    if asked["name"] != SLICE_HEADER:
        raise ValueError(f"a rule for the header {asked['name']!r}")
    name: str = asked["string_match"]["exact"]
    return name


def _part(name: str, rule: Json) -> SliceShare:
    """Return what a rule does for its slice, read from what acts."""
    weights = {
        entry["name"]: int(entry.get("weight", 0)) for entry in rule["route"]["weighted_clusters"]["clusters"]
    }
    candidate = sum(weight for cluster, weight in weights.items() if cluster.startswith(EITHER))
    # Rounded up: a hand-made share is never reported smaller than it is.
    share_bp = -(-candidate * FULL_BP // sum(weights.values()))
    return SliceShare(name, share_bp, bool(rule["route"].get("request_mirror_policies")))


def _text(at: Endpoint) -> str:
    return f"{at.host}:{at.port}"


def _endpoint(text: str) -> Endpoint:
    host, _, port = text.rpartition(":")
    return Endpoint(host, int(port))
