"""Child processes: started with a log each, waited for until ready, stopped in reverse order."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from headgate.errors import HeadgateError


class StartError(HeadgateError):
    """A process of the stack did not become ready."""


def free_port() -> int:
    """Return a loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str) -> bool:
    """Return whether a URL answers 200 within a second."""
    try:
        return httpx.get(url, timeout=1.0).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


@dataclass
class Child:
    """One running process and where it writes."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path


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

    def start(self, name: str, argv: Sequence[str], env: Mapping[str, str]) -> Child:
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
            )
        child = Child(name, process, log)
        self.children.append(child)
        return child

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
                tail = child.log.read_text(errors="replace")[-2_000:]
                what = f"ended with code {ended}" if ended is not None else f"not ready in {seconds:.0f} s"
                raise StartError(f"{child.name}: {what}; see {child.log}\n{tail}")
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
        self.children.clear()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(number)
