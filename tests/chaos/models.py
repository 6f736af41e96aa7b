"""Model servers as the tests hold them: told what to do, killed, and started again at the same port."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from headgate.ports import Endpoint

_PROGRAM = Path(__file__).with_name("model_server.py")


class Model:
    """One model server."""

    def __init__(self, side):
        self.side = side
        self._port = 0
        self._process = None
        self.start()

    @property
    def endpoint(self):
        return Endpoint("127.0.0.1", self._port)

    def start(self):
        """Serve, at the port of the first start. One that serves is left alone."""
        if self._process is None:
            # Isolated and without site-packages: it starts in a tenth of the time.
            command = [sys.executable, "-I", "-S", str(_PROGRAM), self.side, str(self._port)]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
            )
            self._port = int(self._process.stdout.readline())

    def does(self, what):
        """Behave so from the next request on."""
        assert self._says(what) == "done"

    def seen(self):
        """Return how many requests came since the last time somebody asked."""
        return int(self._says("count"))

    def kill(self):
        os.kill(self._process.pid, signal.SIGKILL)
        self._ended()

    def behave(self):
        self.start()
        self.does("serves")
        self.seen()

    def close(self):
        if self._process is not None:
            self._process.stdin.close()
            self._ended()

    def _says(self, word):
        self._process.stdin.write(f"{word}\n")
        return self._process.stdout.readline().strip()

    def _ended(self):
        self._process.wait(10)
        self._process.stdout.close()
        if not self._process.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process = None
