"""What was measured so far: one JSON file per side and size, so that a peer can be measured alone.

All of it lies under ``runs/monitoring``: data, environments, findings. Remove a file and it is made again.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.machine import ROOT
from benchmarks.monitoring.child import watch
from benchmarks.monitoring.peers import PEERS
from benchmarks.monitoring.rows import make

HOME = ROOT / "runs" / "monitoring"
OURS = "headgate"
_SCRIPTS = Path(__file__).parent / "peers"
#: Rounds of scan and ours in turns, by rows; larger windows vary less.
_ROUNDS = {100_000: 9, 1_000_000: 5}
#: Rows a peer warms up with.
_SMALL = 20_000


def kept(name: str, rows: int) -> dict[str, Any] | None:
    """Return what was found, or None if it was not measured yet."""
    path = _path(name, rows)
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def measure(name: str, rows: int) -> dict[str, Any]:
    """Measure one side at one size, and keep what was found."""
    files = make(HOME / "data", rows)
    pair = [str(file) for file in files.values()]
    body = _ours(pair, rows) if name == OURS else _peer(name, pair)
    body |= {"name": name, "rows": rows, "at": f"{datetime.now(UTC):%Y-%m-%d %H:%M}"}
    path = _path(name, rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    return body


def _ours(pair: list[str], rows: int) -> dict[str, Any]:
    def asked(module: str, *words: str) -> tuple[Any, dict[str, Any]]:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "out.json"
            words = tuple(str(out) if word == "OUT" else word for word in words)
            cost = watch([sys.executable, "-m", f"benchmarks.monitoring.{module}", *words], cwd=ROOT)
            if cost.stopped:
                return None, asdict(cost)
            return json.loads(out.read_text(encoding="utf-8")), asdict(cost)

    rounds = str(_ROUNDS.get(rows, 3))
    found, cost = asked("ours", "timing", *pair, "OUT", rounds)
    if found is None:
        return {"cost": cost}
    peak, _ = asked("ours", "memory", *pair, "OUT", "0")
    body = {**found, "cost": cost, "peak": peak["peak"] if peak else None}
    if rows <= 1_000_000:  # both need all raw values in memory
        body["exact"], _ = asked("exact", *pair, "OUT")
        body["unmerged"], _ = asked("ours", "merged", *pair, "OUT", "0")
    return body


def _peer(name: str, pair: list[str]) -> dict[str, Any]:
    python = environment(name)
    if isinstance(python, str):
        return {"stopped": python}
    small = [str(file) for file in make(HOME / "data", _SMALL).values()]
    scans = [_scan(pair)]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.json"
        command = [str(python), str(_SCRIPTS / f"{PEERS[name]}.py"), *pair, str(out), *small]
        cost = watch(command, cwd=Path(folder))
        answer = json.loads(out.read_text(encoding="utf-8")) if out.exists() and not cost.stopped else {}
    scans.append(_scan(pair))
    return {**answer, "cost": asdict(cost), "peak": cost.peak, "stopped": cost.stopped, "scan": scans}


def _scan(pair: list[str]) -> float:
    """Return processor seconds of the mere scan, warm."""
    code = (
        "import sys, time; from pathlib import Path; from benchmarks.monitoring.ours import scan\n"
        "for turn in range(3):\n    begun = time.process_time()\n"
        "    [scan(Path(p)) for p in sys.argv[1:]]\n    took = time.process_time() - begun\nprint(took)"
    )
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code, *pair], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def environment(name: str) -> Path | str:
    """Return the Python of a peer's environment, made if need be; or why there is none."""
    home = HOME / "envs" / name
    python = home / "bin" / "python"
    ready = home / "ready"
    if ready.exists():
        return python
    wanted = _SCRIPTS / f"{PEERS[name]}.txt"
    uv = Path(sys.executable).with_name("uv")
    if not uv.exists():
        return "cannot be installed: uv is not in this environment (`make setup`)"
    commands = (
        [sys.executable, "-m", "venv", "--without-pip", str(home)],
        [str(uv), "pip", "sync", "--quiet", "--python", str(python), str(wanted)],
    )
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - constant words
        if done.returncode:
            return f"cannot be installed: {(done.stderr.strip().splitlines() or ['nothing said'])[-1][:200]}"
    ready.touch()
    return python


def _path(name: str, rows: int) -> Path:
    return HOME / "found" / f"{name}-{rows}.json"
