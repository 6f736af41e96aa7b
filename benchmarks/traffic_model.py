"""A model server that costs next to nothing, in a process of its own: what is measured is in front of it.

    python -m benchmarks.traffic_model PORT [PORT ...]

It answers every infer request with the same probability, and says its version: that of the first port is
``logistic-1``, that of the others ``gbm-2``.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import orjson

_VERSIONS = ("logistic-1", "gbm-2")


class _Model(asyncio.Protocol):
    def __init__(self, version: str) -> None:
        self._version = version
        tensor = {"name": "p", "shape": [1], "datatype": "FP64", "data": [0.75]}
        self._answer = _http({"model_name": "model", "model_version": version, "outputs": [tensor]})
        self._about = _http({"name": "model", "versions": [version], "inputs": [], "outputs": []})
        self._left = b""

    def connection_made(self, transport: Any) -> None:
        self._wire = transport

    def data_received(self, data: bytes) -> None:
        self._left += data
        while True:
            head, end, rest = self._left.partition(b"\r\n\r\n")
            length = _length(head) if end else 0
            if not end or len(rest) < length:
                return
            self._left = rest[length:]
            self._wire.write(self._answer if head.startswith(b"POST") else self._about)


def _http(body: Any) -> bytes:
    text = orjson.dumps(body)
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
        len(text),
        text,
    )


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    return 0


async def _serve(ports: list[int]) -> None:
    loop = asyncio.get_running_loop()
    for i, port in enumerate(ports):
        version = _VERSIONS[min(i, 1)]
        await loop.create_server(lambda version=version: _Model(version), "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve([int(port) for port in sys.argv[1:]]))
