"""Child processes: started with a log each, waited for until ready, stopped in reverse order."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import SystemRandom
from types import FrameType, TracebackType
from typing import Self

import httpx

from headgate.errors import HeadgateError

#: The folder of the project.
ROOT = Path(__file__).resolve().parents[1]


class StartError(HeadgateError):
    """A process of the stack did not become ready."""


#: Below those that systems give to outgoing connections, which take any of theirs at any moment.
_PORTS = range(15_000, 32_000)


def free_port() -> int:
    """Return a loopback port that is free now, and that no connection is given by chance.

    Raises
    ------
    StartError
        If there is none.
    """
    # Not the shared generator: who seeds it would be given the same port as the next process.
    for port in SystemRandom().sample(_PORTS, 200):
        if is_free(port):
            return port
    raise StartError("asked a free port on loopback; found none; end programs that listen")


def is_free(port: int) -> bool:
    """Return whether somebody may listen on this loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one that has just been left is free
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def answers(url: str) -> bool:
    """Return whether a URL answers 200 within a second."""
    try:
        # Asked many times a second while something starts: loading the authorities would cost more each time.
        return httpx.get(url, timeout=1.0, verify=url.startswith("https")).status_code == 200
    except httpx.HTTPError:
        return False


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Leave by the front door on SIGTERM as on Ctrl-C, so that everything that was started is stopped.

    Whoever has no patience presses Ctrl-C again: by then we are stopping, and that is not to be interrupted.
    """

    def leave(number: int, _frame: FrameType | None) -> None:
        for other in (signal.SIGINT, signal.SIGTERM):
            signal.signal(other, signal.SIG_IGN)
        # A loop that is left like this complains about every task it loses.
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass
class Child:
    """One running process, how it was started and where it writes."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    argv: list[str]
    env: dict[str, str]


@dataclass
class Processes:
    """The processes one run owns. Leaving the block stops them all, last started first."""

    logs: Path
    children: list[Child] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, name: str, argv: Sequence[str], env: Mapping[str, str], cwd: Path | None = None) -> Child:
        """Start one process in a session of its own: Ctrl-C reaches us first, and we stop it."""
        log = self.logs / f"{name}.log"
        with log.open("ab") as out:
            process = subprocess.Popen(  # noqa: S603 - our own argument lists, no shell
                list(argv),
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=cwd,
            )
        child = Child(name, process, log, list(argv), dict(env))
        self.children.append(child)
        return child

    def run(self, name: str, argv: Sequence[str], env: Mapping[str, str], seconds: float) -> None:
        """Run one command to its end, in the folder of the project.

        Raises
        ------
        StartError
            If it fails or takes longer; the message carries the end of its log.
        """
        child = self.start(name, argv, env, cwd=ROOT)
        try:
            code: int | None = child.process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
        if code == 0:
            self.children.remove(child)
            return
        what = f"ended with code {code}" if code is not None else f"not done in {seconds:.0f} s"
        raise StartError(f"{name}: {what}; see {child.log}\n{_end_of(child)}")

    def revive(self) -> list[str]:
        """Start again whatever has ended by itself; return the names."""
        ended = [child for child in self.children if child.process.poll() is not None]
        for child in ended:
            self.children.remove(child)
            _end_group(child)
            self.start(child.name, child.argv, child.env)
        return [child.name for child in ended]

    def wait(self, child: Child, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until a process is ready.

        Raises
        ------
        StartError
            If it ends or is not ready in time; the message carries the end of its log.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            ended = child.process.poll()
            if ended is not None or time.monotonic() > deadline:
                what = f"ended with code {ended}" if ended is not None else f"not ready in {seconds:.0f} s"
                raise StartError(f"{child.name}: {what}; see {child.log}\n{_end_of(child)}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End everything: politely, then not. Safe to call twice."""
        for child in reversed(self.children):
            _signal(child.process, signal.SIGTERM)
        deadline = time.monotonic() + 8
        for child in reversed(self.children):
            try:
                child.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _signal(child.process, signal.SIGKILL)
                child.process.wait()
            _end_group(child)
        self.children.clear()


def _end_of(child: Child) -> str:
    return child.log.read_text(errors="replace")[-2_000:]


def _end_group(child: Child) -> None:
    """End what a process that is gone has left behind, e.g. a worker's flow runs."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.process.pid, signal.SIGKILL)


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(number)
