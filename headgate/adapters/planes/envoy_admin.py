"""Envoy's admin interface: what it serves, and whether it took what it was given."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any

from headgate.adapters.planes.envoy_bootstrap import ROUTES, SECRET
from headgate.errors import PlaneUnavailable

_SECRETS = rf"sds\.{SECRET}\.update_(rejected|success)$"
_REFUSALS = rf"^http\.front\.rds\.{ROUTES}\.update_(rejected|failure)$"


class Admin:
    """Reads one Envoy's state. Loopback only.

    Parameters
    ----------
    address_file
        Where Envoy wrote ``host:port`` of its admin interface.
    timeout_s
        Patience with one answer, seconds.
    """

    def __init__(self, address_file: Path, timeout_s: float = 2.0) -> None:
        self._address_file = address_file
        self._timeout_s = timeout_s

    def routes(self) -> dict[str, Any] | None:
        """Return the route configuration in force, None while there is none."""
        configs = self._json("/config_dump?resource=dynamic_route_configs").get("configs", [])
        found = [c["route_config"] for c in configs if c.get("route_config", {}).get("name") == ROUTES]
        return found[0] if found else None

    def clusters(self) -> set[str]:
        """Return the names of the clusters that are ready to be used."""
        configs = self._json("/config_dump?resource=dynamic_active_clusters").get("configs", [])
        return {config["cluster"]["name"] for config in configs}

    def refusals(self) -> int:
        """Return how many route files Envoy refused or could not read since it started."""
        stats = self._json(f"/stats?format=json&filter={_REFUSALS}").get("stats", [])
        return sum(int(stat["value"]) for stat in stats)

    def certificates(self) -> tuple[int, int]:
        """Return how many certificates Envoy took and how many it refused since it started."""
        stats = self._json(f"/stats?format=json&filter={_SECRETS}").get("stats", [])
        counts = {stat["name"].rpartition("_")[2]: int(stat["value"]) for stat in stats if "name" in stat}
        return counts.get("success", 0), counts.get("rejected", 0)

    def ready(self) -> bool:
        """Return whether Envoy listens to callers."""
        return self._get("/ready").startswith(b"LIVE")

    def _json(self, path: str) -> Any:
        body = self._get(path)
        try:
            return json.loads(body)
        except ValueError as err:
            raise PlaneUnavailable(f"asked Envoy for {path}; found no JSON in its answer; try again") from err

    def _get(self, path: str) -> bytes:
        try:
            host, _, port = self._address_file.read_text(encoding="ascii").strip().rpartition(":")
            # Not httpx: no proxy from the environment may come between, and a read-back takes about 1 ms.
            connection = http.client.HTTPConnection(host, int(port), timeout=self._timeout_s)
            try:
                connection.request("GET", path)
                return connection.getresponse().read()
            finally:
                connection.close()
        except (OSError, ValueError, http.client.HTTPException) as err:
            raise PlaneUnavailable(
                f"asked Envoy for {path}; found nobody at the address in {self._address_file} ({err}); "
                "the next tick of a rollout starts it again, and so does `start` in its folder"
            ) from err
