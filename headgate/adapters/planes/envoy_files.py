"""The files of one Envoy, in the folder of its plane."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from headgate.adapters.planes.folder import Folder


@dataclass(frozen=True, slots=True)
class RunDir(Folder):
    """Where everything of one Envoy is kept."""

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
    def secrets(self) -> Path:
        """Which certificate callers are shown, where they come over TLS."""
        return self.root / "secrets" / "sds.json"

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
        """Create the folder, and those that Envoy watches."""
        for folder in (self.clusters.parent, self.routes.parent, self.secrets.parent):
            folder.mkdir(parents=True, exist_ok=True)
