"""A candidate in a process of its own, that keeps up, stalls, is slow, or is no server at all.

    python load_server.py PORT VERSION fine|serial|stalling|failing|late|silent|garbage|closing

One request after the other in ``serial``: 3 ms each, so it saturates below 334 a second. ``stalling``
stands still for 0.4 s of every second, ``late`` answers each request after 0.4 s, ``failing`` with a 500.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

_SERIAL_S, _STALL_S = 0.003, 0.4


class Server(asyncio.Protocol):
    """Reads HTTP/1.1 as load generators and Headgate write it."""

    version, manner = "", ""

    def connection_made(self, transport):
        self.wire, self.left = transport, b""

    def data_received(self, data):
        self.left += data
        while True:
            head, end, rest = self.left.partition(b"\r\n\r\n")
            if not end:
                return
            size = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
            length = int(size[0].split(b":")[1]) if size else 0
            if len(rest) < length:
                return
            self.left = rest[length:]
            self.answer(infer=head.startswith(b"POST"))

    def answer(self, *, infer):
        if not infer:
            return self.say({"name": "delays", "versions": [self.version], "inputs": [], "outputs": []})
        match self.manner:
            case "serial":
                time.sleep(_SERIAL_S)
            case "stalling" if time.time() % 1 < 0.05:
                time.sleep(_STALL_S)
            case "failing":
                return self.wire.write(b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n")
            case "late":
                return asyncio.get_running_loop().call_later(_STALL_S, self.say, self.right())
            case "silent":
                return None
            case "garbage":
                return self.wire.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
            case "closing":
                self.wire.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{")
                return self.wire.close()
        return self.say(self.right())

    def right(self):
        tensor = {"name": "p", "shape": [1], "datatype": "FP64", "data": [0.25]}
        return {"model_name": "delays", "model_version": self.version, "outputs": [tensor]}

    def say(self, body):
        text = json.dumps(body).encode()
        self.wire.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(text), text))


async def main(port):
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", port)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    _, port, Server.version, Server.manner = sys.argv
    asyncio.run(main(int(port)))
