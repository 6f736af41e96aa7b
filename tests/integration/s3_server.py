"""A real S3-compatible server on loopback: moto's, which speaks the protocol and keeps objects in memory."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from deployments.processes import Processes, answers, free_port

#: What a client of the store has in its environment; moto takes any key.
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "s3cret",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@contextmanager
def s3_server(folder: Path, bucket: str) -> Iterator[str]:
    """Serve an empty bucket; yields the server's address."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with Processes(folder) as processes:
        argv = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        child = processes.start("s3", argv, {**os.environ, **CREDENTIALS})
        processes.wait(child, lambda: answers(f"{url}/moto-api/data.json"), seconds=60)
        httpx.put(f"{url}/{bucket}", timeout=30).raise_for_status()
        yield url
