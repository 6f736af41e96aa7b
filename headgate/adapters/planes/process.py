"""One proxy as a detached process: found again by any later control plane, never mistaken for another."""

from __future__ import annotations

import contextlib
import os
import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from headgate.adapters.planes.folder import Folder, read_json
from headgate.errors import PlaneUnavailable

#: Start times are kept to this many seconds: the clock of the machine may have been set meanwhile.
_SAME_START_S = 2.0
_STOP_S = 5.0


@dataclass(frozen=True, slots=True)
class Program:
    """A proxy's program, and how its process is told from all others.

    Attributes
    ----------
    command
        Returns the whole command line; raises `PlaneUnavailable` if there is no program.
    known_by
        The arguments right behind the program's name: the configuration of this very folder.
    pid
        File that says which process serves the folder.
    output, appends
        Where its standard output goes, and whether what is there stays.
    process_log
        Where its standard error goes: what it says about itself.
    grave, cause
        Words that mark its complaints in there, and which of several names the cause: 0 or -1.
    missing
        Returns what to say when the program is not there or cannot be run, given what was found.
    """

    command: Callable[[], Sequence[str]]
    known_by: Sequence[str]
    pid: Path
    output: Path
    appends: bool
    process_log: Path
    grave: tuple[str, ...]
    cause: int
    missing: Callable[[str], str]


class DetachedProcess:
    """Starts, finds and stops the proxy of one folder; its configuration must be there before `start`."""

    def __init__(self, folder: Folder, program: Program) -> None:
        self._folder = folder
        self._program = program
        self._child: int | None = None  # a process that this very object started

    @property
    def log(self) -> Path:
        """Where the program says what it thinks of itself."""
        return self._program.process_log

    def find(self) -> psutil.Process | None:
        """Return our process if it lives. One that merely has its old pid is not it."""
        recorded = read_json(self._program.pid)
        if isinstance(recorded, dict) and isinstance(recorded.get("pid"), int):
            self._reap()
            found = self._recorded(recorded["pid"], recorded.get("started"))
            if found is not None:
                return found
        # Killed between start and record, or started by a supervisor: nobody wrote it down.
        orphan = next(self._orphans(), None)
        if orphan is not None:
            # Only a shortcut for the next look; without its folder a process must still be found and stopped.
            with contextlib.suppress(OSError, PlaneUnavailable):
                self._record(orphan)
        return orphan

    def start(self) -> psutil.Process:
        """Start the program in a session of its own, so that it outlives whoever started it.

        Raises
        ------
        PlaneUnavailable
            If there is no program or it cannot be run.
        """
        command = list(self._program.command())
        self._leave_script(command)
        try:
            with _open_at_end(self._program) as output:
                pid = os.posix_spawn(
                    command[0], command, {}, file_actions=self._redirected(output), setsid=True
                )
            self._child = pid
            process = psutil.Process(pid)
        except (OSError, psutil.NoSuchProcess) as err:
            raise PlaneUnavailable(
                self._program.missing(f"{command[0]}, which cannot be run ({err})")
            ) from err
        self._folder.on_write("spawned")
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
        """Return what the program complained about, from its own log."""
        try:
            lines = self._program.process_log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            lines = []
        told = [line for line in lines if any(word in line for word in self._program.grave)] or lines
        return told[self._program.cause].strip() if told else "nothing in its log"

    def stop(self) -> None:
        """End our process, and nobody else's."""
        process = self.find()
        if process is not None:
            process.terminate()
            if not self._ended(process):
                process.kill()
                self._ended(process)
        self._program.pid.unlink(missing_ok=True)

    def _redirected(self, output: int) -> list[tuple[int, int, int] | tuple[int, int, str, int, int]]:
        log = self._program.process_log
        fresh = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        return [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, output, 1),
            (os.POSIX_SPAWN_DUP2, 1, 2)
            if self._program.output == log
            else (os.POSIX_SPAWN_OPEN, 2, str(log), fresh, 0o644),
        ]

    def _leave_script(self, command: Sequence[str]) -> None:
        """Leave what a supervisor needs to start the very same thing while no Headgate runs."""
        program = self._program
        output, log = shlex.quote(str(program.output)), shlex.quote(str(program.process_log))
        opened = f"exec 3<>{output}\ntail -c 1 <&3 >/dev/null" if program.appends else f"exec 3>{output}"
        error = "2>&3" if program.output == program.process_log else f"2>{log}"
        script = f"#!/bin/sh\n{opened}\nexec {shlex.join(command)} </dev/null >&3 {error} 3>&-\n"
        temporary = self._folder.start.with_name("start.tmp")
        try:
            temporary.write_text(script, encoding="utf-8")
            temporary.chmod(0o755)
            temporary.replace(self._folder.start)
        except OSError as err:
            raise PlaneUnavailable(
                f"asked to write {self._folder.start}; found {err.strerror}; make room on its disk or give "
                "this process access, then try again"
            ) from err

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
        """Return whether it runs our configuration: no editor, no neighbour's proxy."""
        known_by = list(self._program.known_by)
        ours = process.cmdline()[1 : len(known_by) + 1] == known_by
        return ours and process.status() != psutil.STATUS_ZOMBIE

    def _record(self, process: psutil.Process) -> None:
        self._folder.publish(self._program.pid, {"pid": process.pid, "started": process.create_time()})

    def _reap(self) -> None:
        """Let go of our own child if it died; until then it is a zombie that still has its pid."""
        if self._child is not None:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self._child, os.WNOHANG)


@contextlib.contextmanager
def _open_at_end(program: Program) -> Iterator[int]:
    """Open where the output goes: behind what is there, where that stays.

    Not with O_APPEND: HAProxy takes that flag away from its output.
    """
    flags = os.O_WRONLY | os.O_CREAT | (0 if program.appends else os.O_TRUNC)
    descriptor = os.open(program.output, flags, 0o644)
    try:
        os.lseek(descriptor, 0, os.SEEK_END)
        yield descriptor
    finally:
        os.close(descriptor)
