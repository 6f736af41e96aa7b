"""The folder a plane lives in: its whole state is files, so it survives restarts of everything."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headgate.errors import PlaneUnavailable

#: Told the name of each write as it happens; tests end the process there.
OnWrite = Callable[[str], None]
#: By which file a folder tells what kind of plane lives in it.
_TELLTALES = {"bootstrap.json": "envoy", "haproxy.cfg": "haproxy"}


def lives_in(folder: Path) -> str | None:
    """Return the kind of plane that a folder is of; None while it is of none."""
    return next((kind for name, kind in _TELLTALES.items() if (folder / name).exists()), None)


@dataclass(frozen=True, slots=True)
class Folder:
    """Where everything of one plane is kept. One service, one folder.

    Attributes
    ----------
    root
        The folder; absolute, because it is part of the proxy's command line.
    on_write
        Called with ``<file>.tmp`` once a new content is on disk and with ``<file>`` once it is in place.
    """

    root: Path
    on_write: OnWrite = lambda _name: None

    @property
    def access_log(self) -> Path:
        """One line per live request."""
        return self.root / "access.jsonl"

    @property
    def start(self) -> Path:
        """A script that starts the proxy as it was started last: for a supervisor, with no control plane."""
        return self.root / "start"

    def make(self) -> None:
        """Create the folder, and what is in it."""
        self.root.mkdir(parents=True, exist_ok=True)

    def publish(self, path: Path, document: Any) -> None:
        """Put a JSON document in place; raises as `publish_text` does."""
        self.publish_text(path, json.dumps(document, indent=1))

    def publish_text(self, path: Path, body: str, mode: int = 0o644) -> None:
        """Put a text in place by one atomic rename, safe against power loss.

        Raises
        ------
        PlaneUnavailable
            If the disk does not take it: what was in place before stays there, and in force.
        """
        temporary = path.with_name(f"{path.name}.tmp")
        try:
            # Removed first: its mode must be the asked one from the very first byte.
            temporary.unlink(missing_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor has no path
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
        except OSError as err:
            raise PlaneUnavailable(
                f"asked to write {path}; found {err.strerror}; make room on its disk or give this process "
                "access, then try again; the route that was in force stays"
            ) from err
        self.on_write(temporary.name)
        temporary.replace(path)
        _sync(path.parent)
        self.on_write(path.name)

    @contextmanager
    def locked(self, patience_s: float) -> Iterator[None]:
        """Hold the folder: fence, write and read-back of one change belong together.

        Raises
        ------
        PlaneUnavailable
            If another process holds it for longer than ``patience_s`` seconds.
        """
        with (self.root / "plane.lock").open("w") as file:
            deadline = time.monotonic() + patience_s
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise PlaneUnavailable(
                            f"asked to change the plane in {self.root}; found another process changing it "
                            f"for {patience_s:g} s; try again"
                        ) from None
                    time.sleep(0.01)
            yield


def _sync(folder: Path) -> None:
    """Make a rename durable: a power cut must not bring back a share that was rolled back."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_json(path: Path) -> Any | None:
    """Return what a file holds, None where it is missing or not JSON."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
