"""The files of one HAProxy, in the folder of its plane."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from headgate.adapters.planes.folder import Folder


@dataclass(frozen=True, slots=True)
class HAProxyFiles(Folder):
    """Where everything of one HAProxy is kept."""

    @property
    def config(self) -> Path:
        """What HAProxy is started with."""
        return self.root / "haproxy.cfg"

    @property
    def routes(self) -> Path:
        """Share and fence: read at a start, and kept equal to what is in force."""
        return self.root / "routes.map"

    @property
    def certificate(self) -> Path:
        """Certificate and key in one file, as HAProxy wants them; readable by its owner alone."""
        return self.root / "front.pem"

    @property
    def socket(self) -> Path:
        """HAProxy's runtime socket."""
        return self.root / "admin.sock"

    @property
    def process_log(self) -> Path:
        """What HAProxy says about itself."""
        return self.root / "haproxy.log"

    @property
    def pid(self) -> Path:
        """Which process serves this folder."""
        return self.root / "haproxy.pid"

    def publish_routes(self, entries: Mapping[str, str]) -> None:
        """Put a map in place, for the next start; raises as `Folder.publish_text` does."""
        self.publish_text(self.routes, "".join(f"{key} {value}\n" for key, value in entries.items()))

    def routes_on_file(self) -> dict[str, str] | None:
        """Return the map that a start would read; None where there is none."""
        try:
            lines = self.routes.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return None
        pairs = (line.partition(" ") for line in lines)
        return {key: value for key, _, value in pairs}
