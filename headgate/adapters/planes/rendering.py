"""What a route is in the words of a proxy, to be looked at or brought there by somebody else."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from headgate.adapters import share_file
from headgate.adapters.planes import fencing, gateway
from headgate.adapters.planes.envoy_bootstrap import bootstrap
from headgate.adapters.planes.envoy_clusters import clusters
from headgate.adapters.planes.envoy_files import RunDir
from headgate.adapters.planes.envoy_routes import route_config
from headgate.adapters.planes.haproxy_config import config
from headgate.adapters.planes.haproxy_routes import REST, address_of, entries
from headgate.errors import InputError
from headgate.ports import Route


def render(kind: str, route: Route, folder: Path, port: int) -> Mapping[str, str]:
    """Return the files that say a route: name and text.

    Parameters
    ----------
    kind
        ``envoy``, ``haproxy``, ``gateway`` (Gateway API) or ``openfeature`` (callers that pick the side).
    folder, port
        Where the plane lives and callers are served; a gateway has its own.

    Raises
    ------
    InputError
        If there is no such kind.
    PlaneRefused
        If the route asks for what the kind cannot do.
    """
    if kind not in _RENDERERS:
        raise InputError(f"asked the form {kind!r}; there are {', '.join(_RENDERERS)}; name one of them")
    return _RENDERERS[kind](route, folder, port)


def _envoy(route: Route, folder: Path, port: int) -> Mapping[str, str]:
    files = RunDir(folder)
    documents = {
        files.bootstrap: bootstrap(files, "127.0.0.1", port, 0),
        files.clusters: {"resources": clusters(route)},
        files.routes: {"resources": [route_config(route)]},
    }
    return {str(path.relative_to(folder)): json.dumps(said, indent=1) for path, said in documents.items()}


def _haproxy(route: Route, _folder: Path, port: int) -> Mapping[str, str]:
    said = entries(route, address_of)
    lines = "".join(f"{key} {value}\n" for key, value in said.items())
    alone = entries(fencing.initial(route), address_of)[REST]
    return {"haproxy.cfg": config(f"127.0.0.1:{port}", 2, alone), "routes.map": lines}


def _gateway(route: Route, _folder: Path, _port: int) -> Mapping[str, str]:
    return gateway.render(route)


def _in_process(route: Route, _folder: Path, _port: int) -> Mapping[str, str]:
    return share_file.render(route)


_RENDERERS: Mapping[str, Callable[[Route, Path, int], Mapping[str, str]]] = {
    "envoy": _envoy,
    "haproxy": _haproxy,
    "gateway": _gateway,
    "openfeature": _in_process,
}
