"""What all proxies that Headgate starts and holds have in common, whatever they are told in.

The truth is what the proxy itself reports. What is in its files is for its next start.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable

import psutil

from headgate.adapters.planes import fencing
from headgate.adapters.planes.folder import Folder
from headgate.adapters.planes.process import DetachedProcess
from headgate.adapters.planes.tls import Tls
from headgate.errors import PlaneError, PlaneRefused, PlaneUnavailable
from headgate.ports import Observed, Route, Side

_POLL_S = 0.002


class HeldProxy(ABC):
    """One proxy: one service, one folder, one listening port. See `headgate.ports.TrafficPlane`.

    Parameters
    ----------
    named
        What the proxy is called in messages.
    files
        Its folder.
    listen
        Address and port where callers are served.
    patience_s
        How long a start, a change or its read-back may take, seconds.
    tls
        What callers are shown; None: they come without TLS.
    """

    def __init__(
        self,
        named: str,
        files: Folder,
        process: DetachedProcess,
        listen: tuple[str, int],
        patience_s: float,
        tls: Tls | None,
    ) -> None:
        self._named = named
        self._folder = files
        self._process = process
        self._listen = listen
        self._patience_s = patience_s
        self._tls = tls

    @property
    def url(self) -> str:
        """Where callers are served."""
        return "{}://{}:{}".format("https" if self._tls else "http", *self._listen)

    def reconcile(self, route: Route) -> None:
        """Make sure the proxy runs, at the share its files hold, and knows the endpoints.

        Raises
        ------
        PlaneUnavailable
            If it cannot be started: no program, port taken.
        PlaneRefused
            If the route's token is lower than the one in force.
        """
        self._folder.make()
        with self._folder.locked(self._patience_s):
            held = self._running(route)
            wanted = fencing.with_endpoints(held, route)
            # Also mends a file that somebody damaged or changed: the next restart depends on it.
            if not self._in_order(wanted, held):
                self._write(wanted, held)
            self._show_certificate()

    def apply(self, route: Route) -> None:
        """Set endpoints, share and mirror at one moment, and return once the proxy reports them.

        The same route twice is once.

        Raises
        ------
        PlaneRefused
            If the proxy holds a higher token or a newer generation, the route makes no sense or asks for
            what it cannot do, or it rejects it (then the old one stays, in force and on file).
        PlaneUnavailable
            If it cannot be started, or does not report the route in time: apply it again.
        """
        self._folder.make()
        with self._folder.locked(self._patience_s):
            held = self._running(route)
            if fencing.must_write(route, held):
                self._write(route, held)

    def observe(self) -> Observed:
        """Ask the proxy what is in force.

        Raises
        ------
        PlaneUnavailable
            If it does not answer.
        PlaneRefused
            If it serves a route that Headgate did not write.
        """
        return fencing.observed(self._held())

    def verify(self, route: Route) -> bool | None:
        """Say whether it serves exactly this route, endpoints included; None when it does not answer."""
        try:
            return self._held() == route
        except PlaneUnavailable:
            return None
        except PlaneRefused:
            return False

    def retire(self, keep: Side) -> None:
        """Leave one side alone in service, mirror off. The share stays.

        Raises
        ------
        PlaneRefused
            If that side does not have all of the traffic yet.
        """
        with self._folder.locked(self._patience_s):
            held = self._held()
            wanted = fencing.retired(held, keep)
            if wanted != held:
                self._write(wanted, held)

    def cut_off(self) -> None:
        """Take the candidate out at once, whatever is in force, without the record.

        Raises
        ------
        PlaneUnavailable
            If the proxy does not answer; its files then hold share 0 for its next start, if they held a
            route.
        """
        with self._folder.locked(self._patience_s):
            try:
                held = self._held()
            except PlaneUnavailable as err:
                if (kept := self._on_file()) is None:
                    raise
                self._publish_route(fencing.cut_off(kept))
                raise PlaneUnavailable(f"{err}; its files hold share 0 now, for whenever it runs") from err
            self._write(fencing.cut_off(held), held)

    def stop(self) -> None:
        """End the proxy of this folder. Its files stay: a later start serves the same share."""
        self._process.stop()

    # ------------------------------------------------------------ what each proxy does in its own way

    @abstractmethod
    def _held(self) -> Route:
        """Return the route that the proxy itself says is in force."""

    @abstractmethod
    def _on_file(self) -> Route | None:
        """Return the route that its next start would serve; None where its files hold none of ours."""

    @abstractmethod
    def _publish_route(self, route: Route) -> None:
        """Put a route into its files."""

    @abstractmethod
    def _write(self, wanted: Route, held: Route) -> None:
        """Bring a route in force, on file too, and return once the proxy reports it."""

    @abstractmethod
    def _in_order(self, wanted: Route, held: Route) -> bool:
        """Say whether a route is in force and on file, given the one that the proxy reports."""

    @abstractmethod
    def _show_certificate(self) -> None:
        """Show callers the certificate that is in its file now: it may have been renewed."""

    @abstractmethod
    def _lay_out(self, held: Route) -> None:
        """Write all that a start reads, so that it serves this route."""

    @abstractmethod
    def _is_up(self) -> bool:
        """Say whether it can be asked for its route."""

    def _unblock(self, route: Route) -> None:  # noqa: B027 - most proxies wait for nothing
        """Give a proxy that runs, and has no route, what it may be waiting for."""

    # ------------------------------------------------------------ starting

    def _running(self, route: Route) -> Route:
        """Return the route in force, having started the proxy if it was dead."""
        process = self._process.find()
        if process is not None:
            try:
                return self._held()
            except PlaneUnavailable:
                pass  # it is starting, or dying
            self._unblock(route)
            try:
                return self._started(process)
            except PlaneUnavailable:
                # Just killed, it may still have been seen alive; one that lives is not started twice.
                if self._process.find() is not None:
                    raise
        self._lay_out(self._on_file() or fencing.initial(route))
        return self._started(self._process.start())

    def _started(self, process: psutil.Process) -> Route:
        def ready() -> bool:
            if not self._process.alive(process):
                raise PlaneUnavailable(self._gave_up())
            return self._answers(self._is_up)

        if not self._wait(ready):
            raise PlaneUnavailable(
                f"asked {self._named} to serve on {self.url}; found it not ready after "
                f"{self._patience_s:g} s ({self._process.last_words()}); see {self._process.log}"
            )
        return self._held()

    def _gave_up(self) -> str:
        why = self._process.last_words()
        if "Address already in use" in why:
            return (
                f"asked {self._named} to listen on {self.url}; found the port taken ({why}); "
                "end the program that holds it or give another port"
            )
        return f"asked {self._named} to start; found that it gave up ({why}); see {self._process.log}"

    def _late(self, what: str) -> str:
        return (
            f"asked {self._named} for {what}; found it not in force after {self._patience_s:g} s; apply it "
            f"again, and see {self._process.log}"
        )

    def _wait(self, done: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + self._patience_s
        while not done():
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_S)
        return True

    @staticmethod
    def _answers(question: Callable[[], bool]) -> bool:
        try:
            return question()
        except PlaneError:
            return False
