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


@dataclass(frozen=True, slots=True)
class RunDir:
    """Where everything of one plane is kept. One service, one folder.

    Attributes
    ----------
    root
        The folder; absolute, because it is part of Envoy's command line.
    on_write
        Called with ``<file>.tmp`` once a new content is on disk and with ``<file>`` once it is in place.
    """

    root: Path
    on_write: OnWrite = lambda _name: None

    @property
    def bootstrap(self) -> Path:
        """Envoy's start configuration."""
        return self.root / "bootstrap.json"

    @property
    def clusters(self) -> Path:
        """Where the models listen. Alone in a folder that Envoy watches."""
        return self.root / "clusters" / "cds.json"

    @property
    def routes(self) -> Path:
        """Share, mirror, fence. Alone in a folder that Envoy watches."""
        return self.root / "routes" / "rds.json"

    @property
    def access_log(self) -> Path:
        """One line per live request."""
        return self.root / "access.jsonl"

    @property
    def shadow_log(self) -> Path:
        """One line per mirrored copy."""
        return self.root / "shadow.jsonl"

    @property
    def process_log(self) -> Path:
        """What Envoy says about itself."""
        return self.root / "envoy.log"

    @property
    def pid(self) -> Path:
        """Which process serves this folder."""
        return self.root / "envoy.pid"

    @property
    def admin_address(self) -> Path:
        """Where Envoy's admin interface listens, written by Envoy."""
        return self.root / "admin-address"

    def make(self) -> None:
        """Create the folders."""
        for folder in (self.clusters.parent, self.routes.parent):
            folder.mkdir(parents=True, exist_ok=True)

    def publish(self, path: Path, document: Any) -> None:
        """Put a JSON document in place by one atomic rename, safe against power loss.

        Raises
        ------
        PlaneUnavailable
            If the disk does not take it: what was in place before stays there, and in force.
        """
        body = json.dumps(document, indent=1)
        temporary = path.with_name(f"{path.name}.tmp")
        try:
            with temporary.open("w", encoding="utf-8") as file:
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
