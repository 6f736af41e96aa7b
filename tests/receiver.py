"""Somebody who gets messages: a real HTTP server in a thread that keeps what was posted to it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Receiver:
    """What arrived, and what is answered.

    Attributes
    ----------
    answer
        Status for the n-th post, from 1.
    """

    url: str = ""
    got: list[dict[str, Any]] = field(default_factory=list)
    answer: Callable[[int], int] = lambda _number: 200
    posts: int = 0

    def until(self, count: int, seconds: float) -> list[dict[str, Any]]:
        """Wait until so many messages are there."""
        deadline = time.monotonic() + seconds
        while len(self.got) < count:
            assert time.monotonic() < deadline, f"{len(self.got)} of {count} in {seconds:.0f} s: {self.got}"
            time.sleep(0.05)
        return self.got


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Listen on a loopback port."""
    mailbox = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            mailbox.posts += 1
            status = mailbox.answer(mailbox.posts)
            if status < 300:
                mailbox.got.append(json.loads(body))
            self.send_response(status)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"ok" if status < 300 else b"no")

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    mailbox.url = f"http://127.0.0.1:{server.server_address[1]}/services/T0/s3cret"
    try:
        yield mailbox
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
