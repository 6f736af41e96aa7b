"""Where the models listen, as Envoy clusters.

A cluster is named after everything it is made of, so its meaning never changes under a route that
uses it: new clusters come first, then one write of the routes moves endpoints, share and mirror.
"""

from __future__ import annotations

import ipaddress

from headgate.adapters.planes.envoy_bootstrap import TRIED_HEADER, TYPE, Json, address
from headgate.errors import PlaneRefused
from headgate.ports import Endpoint, Route, Side

#: Names of clusters that the candidate's share goes to begin so.
EITHER = "either_"
#: Shorter than the keep-alive of common servers (uvicorn: 5 s): Envoy hangs up first, and no request
#: is sent into a connection that its server is closing.
UPSTREAM_IDLE = "3s"
CONNECT_TIMEOUT = "0.25s"
#: Envoy's own limits (3 retries at once!) would show callers a candidate's error under load.
_NO_LIMIT = {
    "thresholds": [
        dict.fromkeys(("max_connections", "max_pending_requests", "max_requests", "max_retries"), 65_536)
    ]
}
_EJECTION = {
    "interval": "1s",
    "base_ejection_time": "5s",
    "max_ejection_percent": 100,
    "consecutive_5xx": 5,
    "enforcing_consecutive_5xx": 100,
    "enforcing_success_rate": 0,
    "split_external_local_origin_errors": True,
    "consecutive_local_origin_failure": 5,
    "enforcing_consecutive_local_origin_failure": 100,
    "enforcing_local_origin_success_rate": 0,
}
_FILTERS = f"{TYPE}.extensions.filters.http"
_WHO_SAID_WHAT: Json = {
    "header": {"key": TRIED_HEADER, "value": "%METADATA(UPSTREAM_HOST:headgate:side)% %RESP(:status)%"},
    "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
}
#: Says on every answer who gave it: only the candidate's are tried again.
_MARKING: list[Json] = [
    {
        "name": "mark",
        "typed_config": {
            "@type": f"{_FILTERS}.header_mutation.v3.HeaderMutation",
            "mutations": {"response_mutations": [{"append": _WHO_SAID_WHAT}]},
        },
    },
    {"name": "codec", "typed_config": {"@type": f"{_FILTERS}.upstream_codec.v3.UpstreamCodec"}},
]


def clusters(route: Route) -> list[Json]:
    """Return every cluster the route needs, each defined before it is used.

    ``either`` tries the candidate, then the incumbent; with the candidate ejected, the incumbent at once.
    """
    incumbent = incumbent_name(route)
    defined = [_server(incumbent, route.incumbent, Side.INCUMBENT)]
    if route.candidate is None:
        return defined
    candidate = _candidate_name(route)
    ejecting = {"outlier_detection": _EJECTION, "common_lb_config": {"healthy_panic_threshold": {"value": 0}}}
    return [
        *defined,
        _server(candidate, route.candidate, Side.CANDIDATE, route.timeout_ms) | ejecting,
        # Copies have a cluster of their own, or their failures would eject the candidate for callers.
        _server(mirror_name(route), route.candidate, Side.CANDIDATE, route.timeout_ms),
        _in_turn(either_name(route), candidate, incumbent),
    ]


def incumbent_name(route: Route) -> str:
    """Return the cluster of the incumbent."""
    return f"incumbent_{route.incumbent.host}_{route.incumbent.port}"


def _candidate_name(route: Route) -> str:
    if route.candidate is None:
        raise PlaneRefused(f"rollout {route.rollout!r} has no candidate to send traffic to")
    return f"candidate_{route.candidate.host}_{route.candidate.port}_{route.timeout_ms}ms"


def mirror_name(route: Route) -> str:
    """Return the cluster that mirrored copies reach the candidate through."""
    return f"mirror_{_candidate_name(route)}"


def either_name(route: Route) -> str:
    """Return the cluster that tries the candidate, then the incumbent."""
    return f"{EITHER}{_candidate_name(route)}_{incumbent_name(route)}_marked"


def _server(name: str, at: Endpoint, side: Side, timeout_ms: int | None = None) -> Json:
    # Not the route's per-try timeout: that would cut off the incumbent's answer too.
    patience = {"max_stream_duration": f"{timeout_ms / 1000:.3f}s"} if timeout_ms else {}
    http = {
        "@type": f"{TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions",
        "common_http_protocol_options": {"idle_timeout": UPSTREAM_IDLE, **patience},
        "explicit_http_config": {"http_protocol_options": {}},
    }
    endpoint = {
        "endpoint": {"address": address(at.host, at.port)},
        # The log names the side from here, so a line can be read without knowing the endpoints of its day.
        "metadata": {"filter_metadata": {"headgate": {"side": side.value}}},
    }
    return {
        "@type": f"{TYPE}.config.cluster.v3.Cluster",
        "name": name,
        "type": "STATIC" if _is_ip(at.host) else "STRICT_DNS",
        "connect_timeout": CONNECT_TIMEOUT,
        "circuit_breakers": _NO_LIMIT,
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http},
    }


def _in_turn(name: str, first: str, second: str) -> Json:
    kind = f"{TYPE}.extensions.clusters.composite.v3.ClusterConfig"
    # The filters of the cluster that a route names act, not those of the one that is tried.
    http = {
        "@type": f"{TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http_protocol_options": {}},
        "http_filters": _MARKING,
    }
    return {
        "@type": f"{TYPE}.config.cluster.v3.Cluster",
        "name": name,
        "connect_timeout": CONNECT_TIMEOUT,
        "circuit_breakers": _NO_LIMIT,
        "lb_policy": "CLUSTER_PROVIDED",
        "cluster_type": {
            "name": "envoy.clusters.composite",
            "typed_config": {"@type": kind, "clusters": [{"name": first}, {"name": second}]},
        },
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http},
    }


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
