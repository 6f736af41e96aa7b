"""HAProxy's runtime socket: the map it serves by, and how all of it is changed at once."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path

from headgate.errors import PlaneRefused, PlaneUnavailable

#: The map as the configuration calls it, from the folder that HAProxy was started in.
MAP = "routes.map"
_LONGEST_PATH = 100  # of a socket's address


class RuntimeSocket:
    """Asks one HAProxy. The socket is a file that only its owner may open.

    Parameters
    ----------
    path
        The socket.
    timeout_s
        Patience with one answer, seconds.
    """

    def __init__(self, path: Path, timeout_s: float = 2.0) -> None:
        self._path = path
        self._timeout_s = timeout_s

    def entries(self) -> dict[str, str]:
        """Return the map in force."""
        found = {}
        for line in self.ask(f"show map {MAP}").splitlines():
            if line.strip():
                _, key, value = [*line.split(" ", 2), "", ""][:3]
                found[key] = value
        return found

    def change(self, wanted: Mapping[str, str]) -> None:
        """Put another map in force, all of its entries at one moment.

        Raises
        ------
        PlaneRefused
            If HAProxy does not take it; then the old one stays.
        """
        said = self.ask(f"prepare map {MAP}").strip()
        version = said.rpartition(" ")[2]
        if not version.isdigit():
            raise PlaneRefused(f"asked HAProxy for a version of its map; found {said!r}; the old one stays")
        lines = "".join(f"{key} {value}\n" for key, value in wanted.items())
        said = self.ask(f"add map @{version} {MAP} <<\n{lines}").strip()
        if not said:
            said = self.ask(f"commit map @{version} {MAP}").strip()
        if said:
            raise PlaneRefused(f"asked HAProxy to take a new map; found {said!r}; the old one stays")

    def show_certificate(self, name: str, pem: str) -> None:
        """Show callers another certificate from now on; connections that are there stay.

        Raises
        ------
        PlaneRefused
            If HAProxy cannot use it; then the old one stays.
        """
        said = self.ask(f"set ssl cert {name} <<\n{pem}")
        if "Transaction" in said:
            said = self.ask(f"commit ssl cert {name}")
        if "Success" not in said:
            raise PlaneRefused(
                f"asked HAProxy to show the certificate in {name}; found {said.strip()!r}; the old one "
                "stays; put a certificate and the key that belongs to it in place"
            )

    def ask(self, command: str) -> str:
        """Return the answer to one command.

        Raises
        ------
        PlaneUnavailable
            If nobody answers.
        """
        try:
            return self._asked(command)
        except OSError as err:
            raise PlaneUnavailable(
                f"asked HAProxy for `{command.splitlines()[0]}`; found nobody at {self._path} ({err}); "
                "the next tick of a rollout starts it again, and so does `start` in its folder"
            ) from err

    def _asked(self, command: str) -> str:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(self._timeout_s)
            self._connect(connection)
            connection.sendall(f"{command}\n".encode())
            parts = []
            while part := connection.recv(1 << 16):
                parts.append(part)
        return b"".join(parts).decode("utf-8", errors="replace")

    def _connect(self, connection: socket.socket) -> None:
        if len(os.fsencode(self._path)) < _LONGEST_PATH:
            connection.connect(str(self._path))
            return
        # The address of a socket holds a short path only; through its folder's descriptor any path is short.
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            connection.connect(f"/proc/self/fd/{folder}/{self._path.name}")
        finally:
            os.close(folder)
