"""What Envoy is started with: listeners, logs and limits. It never changes while Envoy lives."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headgate.adapters.planes.envoy_files import RunDir
from headgate.adapters.planes.envoy_log import ACCESS_FORMAT, SHADOW_FORMAT

Json = dict[str, Any]

ROUTES = "model"  # name of the one route configuration
ENTITY_HEADER = "x-entity-id"
REQUEST_HEADER = "x-request-id"
MIRROR_HEADER = "x-rollout-mirror"
SLICE_HEADER = "x-headgate-slice"
TRIED_HEADER = "x-rollout-tried"  # an answer of the candidate, on its way to the router
SECRET = "front"  # noqa: S105 - name of the certificate that callers are shown
SHADOW = "shadow"  # name of the listener, and of the hop to it, that mirrored copies take
TYPE = "type.googleapis.com/envoy"

#: How long a caller may wait in all. Patience with the candidate is the route's ``timeout_ms``.
CALLER_TIMEOUT = "15s"
#: A larger body cannot be kept for a second try, so it is refused (413) rather than sent without fallback.
MAX_BODY_BYTES = 16 * 1024 * 1024
#: Mirrored copies under way, and as many waiting; more are dropped. Callers never wait for them.
MIRROR_IN_FLIGHT = 64


def bootstrap(files: RunDir, host: str, port: int, admin_port: int, *, tls: bool = False) -> Json:
    """Return the start configuration. ``admin_port`` 0: Envoy picks one and writes it down."""
    return {
        "node": {"id": "headgate", "cluster": "headgate"},
        "admin": {"address": address("127.0.0.1", admin_port)},
        # Without an admin layer /runtime_modify is refused: only files change the plane.
        "layered_runtime": {"layers": [{"name": "fixed", "static_layer": {}}]},
        "overload_manager": {"resource_monitors": [_connection_limit()]},
        "bootstrap_extensions": [
            _extension(
                "envoy.bootstrap.internal_listener", "bootstrap.internal_listener.v3.InternalListener", {}
            )
        ],
        "dynamic_resources": {"cds_config": _watched(files.clusters)},
        "static_resources": {
            "listeners": [_front(files, host, port, tls=tls), _shadow(files)],
            "clusters": [_hop_to_shadow()],
        },
    }


def address(host: str, port: int) -> Json:
    """Return Envoy's form of host and port."""
    return {"socket_address": {"address": host, "port_value": port}}


def header(key: str, value: str) -> Json:
    """Return the order to set a header to a literal value, whatever was there."""
    literal = value.replace("%", "%%")
    return {"header": {"key": key, "value": literal}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def secret(certificate_and_key: str) -> Json:
    """Return what callers are shown: certificate and key in one text, PEM."""
    inline = {"inline_string": certificate_and_key}
    return {
        "@type": f"{TYPE}.extensions.transport_sockets.tls.v3.Secret",
        "name": SECRET,
        "tls_certificate": {"certificate_chain": inline, "private_key": inline},
    }


def _front(files: RunDir, host: str, port: int, *, tls: bool) -> Json:
    filters = [_body_limit(), _router()]
    # Before the route is chosen: a filter would come too late, the side is picked with the route.
    first = {"early_header_mutation_extensions": [_strip()]}
    rds = {"route_config_name": ROUTES, "config_source": _watched(files.routes)}
    return {
        "name": "front",
        "address": address(host, port),
        # A second Envoy on the port must fail to start, not take half of the connections.
        "enable_reuse_port": False,
        "filter_chains": [
            _http("front", {"rds": rds, **first}, filters, files.access_log, ACCESS_FORMAT)
            | (_over_tls(files) if tls else {})
        ],
    }


def _over_tls(files: RunDir) -> Json:
    # From a watched file: a renewed certificate is shown without a restart.
    shown = {"name": SECRET, "sds_config": _watched(files.secrets)}
    context = {
        "tls_certificate_sds_secret_configs": [shown],
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
        "alpn_protocols": ["http/1.1"],
    }
    kind = "transport_sockets.tls.v3.DownstreamTlsContext"
    return {"transport_socket": _extension("tls", kind, {"common_tls_context": context})}


def _shadow(files: RunDir) -> Json:
    """Return the hop inside Envoy that gives mirrored copies a log, a timeout and limits of their own."""
    route = {
        "match": {"prefix": "/"},
        "route": {"cluster_header": MIRROR_HEADER, "timeout": CALLER_TIMEOUT},
        "request_headers_to_add": [header("x-shadow", "1")],
    }
    config = {"virtual_hosts": [{"name": SHADOW, "domains": ["*"], "routes": [route]}]}
    return {
        "name": SHADOW,
        "internal_listener": {},
        "filter_chains": [
            _http(SHADOW, {"route_config": config}, [_router()], files.shadow_log, SHADOW_FORMAT)
        ],
    }


def _hop_to_shadow() -> Json:
    keys = ("max_connections", "max_pending_requests", "max_requests")
    endpoint = {"address": {"envoy_internal_address": {"server_listener_name": SHADOW}}}
    return {
        "name": SHADOW,
        "type": "STATIC",
        "connect_timeout": "0.25s",
        "circuit_breakers": {"thresholds": [dict.fromkeys(keys, MIRROR_IN_FLIGHT)]},
        "load_assignment": {
            "cluster_name": SHADOW,
            "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}],
        },
    }


def _http(name: str, routes: Json, filters: list[Json], log: Path, fields: Mapping[str, str]) -> Json:
    manager = "filters.network.http_connection_manager.v3.HttpConnectionManager"
    uuid = {"@type": f"{TYPE}.extensions.request_id.uuid.v3.UuidRequestIdConfig", "pack_trace_reason": False}
    config = {
        "stat_prefix": name,
        **routes,
        "http_filters": filters,
        "access_log": [
            _extension(
                "file",
                "access_loggers.file.v3.FileAccessLog",
                {"path": str(log), "log_format": {"json_format": dict(fields)}},
            )
        ],
        # The caller's own request id, to the letter: it joins the log with requests and outcomes.
        "generate_request_id": True,
        "preserve_external_request_id": True,
        "request_id_extension": {"typed_config": uuid},
    }
    return {"filters": [_extension("http", manager, config)]}


def _strip() -> Json:
    """Remove what only we may say, and every x-envoy header: they change timeouts and retries."""
    removed = [
        {"remove_on_match": {"key_matcher": {"prefix": prefix, "ignore_case": True}}}
        for prefix in ("x-envoy-", "x-rollout", "x-shadow")
    ]
    # Several values of one header would hash as a set and be logged as one: the first alone counts.
    first = [
        {
            "append": {
                "header": {"key": name, "value": f"%REQ({name})%"},
                "append_action": "OVERWRITE_IF_EXISTS",
            }
        }
        for name in (ENTITY_HEADER, REQUEST_HEADER, SLICE_HEADER)
    ]
    kind = "http.early_header_mutation.header_mutation.v3.HeaderMutation"
    return _extension("strip", kind, {"mutations": [*removed, *first]})


def _body_limit() -> Json:
    return _extension("body", "filters.http.buffer.v3.Buffer", {"max_request_bytes": MAX_BODY_BYTES})


def _router() -> Json:
    return _extension("router", "filters.http.router.v3.Router", {"suppress_envoy_headers": True})


def _connection_limit() -> Json:
    return _extension(
        "envoy.resource_monitors.global_downstream_max_connections",
        "resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
        {"max_active_downstream_connections": 50_000},
    )


def _extension(name: str, kind: str, config: Json) -> Json:
    return {"name": name, "typed_config": {"@type": f"{TYPE}.extensions.{kind}", **config}}


def _watched(file: Path) -> Json:
    source = {"path": str(file), "watched_directory": {"path": str(file.parent)}}
    return {"resource_api_version": "V3", "path_config_source": source}
