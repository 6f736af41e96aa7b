"""Which ports a stack listens on: well-known ones where they are free, and the same ones when it comes back.

The plan that a rollout has frozen names its models' addresses, so a stack that goes on with a rollout has to
find its old ports again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from deployments.processes import free_port, is_free
from headgate.errors import InputError

#: Last digits of the ports of versions trained anew: ``gbm-3`` and those after it.
_NEW_VERSIONS = range(3, 7)


@dataclass(frozen=True, slots=True)
class Ports:
    """Loopback ports of one stack; the defaults are those of the docs and the example's plan."""

    prefect: int = 4200
    plane: int = 8100
    incumbent: int = 8101
    candidate: int = 8102


def choose_ports(run: Path, asked: Mapping[str, int | None]) -> Ports:
    """Return the ports of a run: asked for, else those it had before, else the well-known or free ones.

    Raises
    ------
    InputError
        If a port that was asked for, or that the run had before, is taken by somebody else.
    """
    path = run / "ports.json"
    before: dict[str, int] = json.loads(path.read_text()) if path.exists() else {}
    chosen = {}
    for name, usual in ((field.name, field.default) for field in fields(Ports)):
        wanted = asked.get(name) or before.get(name)
        if wanted is not None and not is_free(wanted):
            raise InputError(_taken(name, wanted, before))
        usual = usual if isinstance(usual, int) and is_free(usual) else free_port()
        chosen[name] = wanted or usual
    ports = Ports(**chosen)
    run.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(ports), indent=1) + "\n")
    return ports


def address_of_new_versions() -> str:
    """Return an address with ``{number}`` in it, where the next few versions of a model can be served.

    Raises
    ------
    InputError
        If no row of ports is free.
    """
    for _ in range(100):
        row = free_port() // 10
        if all(is_free(10 * row + number) for number in _NEW_VERSIONS):
            return f"http://127.0.0.1:{row}{{number}}"
    raise InputError("asked a few free ports in a row for new versions; found none; end what has them")


def _taken(name: str, port: int, before: Mapping[str, int]) -> str:
    if before.get(name) == port:
        why = "which this run had before and its rollout's plan may name"
        return f"asked port {port} for {name}, {why}; found it taken; end the program that has it, or --fresh"
    return f"asked port {port} for {name}; found it taken; end the program that has it, or ask another"
