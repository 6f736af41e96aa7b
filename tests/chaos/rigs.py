"""A plane with everything a vandal needs: a process to kill, files to spoil, a share to push aside."""

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass, replace

import psutil

from deployments.processes import free_port
from headgate.adapters.planes.envoy import EnvoyPlane
from headgate.adapters.planes.haproxy import HAProxyPlane
from headgate.adapters.planes.haproxy_admin import RuntimeSocket
from headgate.adapters.planes.haproxy_process import find_binary
from headgate.errors import PlaneUnavailable
from headgate.ports import Route


@dataclass(frozen=True)
class Kind:
    """One kind of plane.

    Attributes
    ----------
    make
        ``make(run_dir, port)``.
    config
        What its process is started with, below the run folder: so it is told from all others.
    state
        Files that hold the share and the endpoints, and are read at a start or whenever they change.
    """

    make: object
    config: str
    state: tuple[str, ...]


KINDS = {
    "envoy": Kind(EnvoyPlane, "bootstrap.json", ("routes/rds.json", "clusters/cds.json")),
    "haproxy": Kind(HAProxyPlane, "haproxy.cfg", ("routes.map",)),
}


class Rig:
    """One plane under fire, with both model servers behind it."""

    def __init__(self, kind, folder, incumbent, candidate):
        self.kind = kind
        self.folder = folder
        self.incumbent = incumbent
        self.candidate = candidate
        self._made = KINDS[kind]
        self.port = free_port()
        self.plane = self.again()

    def again(self):
        """Return the plane as another process finds it."""
        return self._made.make(self.folder, self.port)

    @property
    def url(self):
        return self.plane.url

    def route(self, share_bp=0, generation=1, **more):
        route = Route(
            service="delays",
            rollout="gbm-1",
            salt="gbm-1",
            share_bp=share_bp,
            mirror=False,
            token=1,
            generation=generation,
            incumbent=self.incumbent.endpoint,
            candidate=self.candidate.endpoint,
        )
        return replace(route, **more)

    # ------------------------------------------------------------ its process

    def process(self):
        """Return the process that serves, whoever started it."""
        recorded = self.folder / f"{self.kind}.pid"
        if recorded.exists():
            pid = json.loads(recorded.read_text())["pid"]
            if psutil.pid_exists(pid) and self._serves(psutil.Process(pid)):
                return psutil.Process(pid)
        (found,) = (p for p in psutil.process_iter() if self._serves(p))
        return found

    def _serves(self, process):
        try:
            configured = str(self.folder / self._made.config) in process.cmdline()
            return configured and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    def kill(self):
        """Kill -9, and wait until it is gone."""
        process = self.process()
        process.send_signal(signal.SIGKILL)
        eventually(lambda: not self._serves(process))

    def supervised(self):
        """Start it again as a supervisor of processes does: by the script in its folder, without Headgate."""
        return subprocess.Popen([self.folder / "start"], env={"PATH": os.defpath}, start_new_session=True)

    # ------------------------------------------------------------ its files

    def spoil(self, name, content):
        """Put other bytes in place of one of its files, as an editor would: by a rename."""
        path = self.folder / name
        other = path.with_name("other")
        other.write_bytes(content)
        other.replace(path)

    def push(self, share_bp):
        """Set another share by hand in the plane that serves, under the generation that is in force."""
        if self.kind == "haproxy":
            socket = RuntimeSocket(self.folder / "admin.sock")
            rest = socket.entries()["rest"].partition("|")[2]
            socket.change({"rest": f"{share_bp}|{rest}"})
        else:
            self.push_on_file(share_bp)
        eventually(lambda: self.share() == share_bp)

    def push_on_file(self, share_bp):
        """Set another share by hand in the file that the plane reads when it starts."""
        if self.kind == "haproxy":
            rest = (self.folder / "routes.map").read_text().partition("|")[2]
            self.spoil("routes.map", f"rest {share_bp}|{rest}".encode())
            return
        document = json.loads((self.folder / "routes/rds.json").read_text())
        rule = document["resources"][0]["virtual_hosts"][0]["routes"][-1]["route"]
        weights = rule["weighted_clusters"]["clusters"]
        weights[0]["weight"], weights[1]["weight"] = share_bp, 10_000 - share_bp
        document["version_info"] = f"by hand: {share_bp}"
        self.spoil("routes/rds.json", json.dumps(document).encode())

    def share(self):
        """Return the share in force, None while nobody says."""
        try:
            return self.plane.observe().share_bp
        except PlaneUnavailable:
            return None

    def close(self):
        self.plane.stop()


def missing(kind):
    """Return why this kind of plane cannot be started here, None where it can."""
    if kind == "haproxy":
        try:
            find_binary()
        except PlaneUnavailable as err:
            return str(err)
    return None


def eventually(true, patience_s=10.0):
    """Wait until it is true; what it says of a plane that does not answer yet is no."""
    deadline = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < deadline, f"it did not come true within {patience_s:g} s"
        time.sleep(0.01)


def ended(process):
    """End a process that was started here."""
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        process.wait(5)
