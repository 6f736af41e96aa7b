"""A better model's climb, kept at every stage: played once, and only as far as somebody asks."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from headgate.rollout.state import Move, Phase
from tests.scenarios.world import Servers, Snapshot, World, snapshot, world


def _begun(small: World) -> None:
    small.open()
    small.tick()
    small.after(4)


def _ramp(small: World) -> None:
    small.climb_to(10)


def _watch(small: World) -> None:
    small.climb_to(50)
    small.climb_to(100)
    small.until(Phase.WATCH)
    small.after(4)


#: What happens on the way to each stage, from the stage before it.
STAGES: dict[str, Callable[[World], object]] = {
    "shadow": _begun,
    "asked": lambda small: small.until(Move.ASK),
    "ramp": _ramp,
    "watch": _watch,
    "promoted": lambda small: small.until(Phase.DONE),
}


@dataclass
class Climb:
    """The stages by name. ``flows`` lets flows run while the story goes on to the next."""

    folder: Path
    models: Servers
    flows: Callable[[], AbstractContextManager[None]]
    _kept: dict[str, Snapshot] = field(default_factory=dict)
    _numbers: count[int] = field(default_factory=count)

    def __getitem__(self, stage: str) -> Snapshot:
        """Return the story as it stood at this stage."""
        for name, act in STAGES.items():
            if name not in self._kept:
                self._play(name, act)
            if name == stage:
                break
        return self._kept[stage]

    def _play(self, stage: str, act: Callable[[World], object]) -> None:
        home = self.folder / f"world-{next(self._numbers)}"
        last = next(reversed(self._kept.values()), None)
        begun = world(home, self.models) if last is None else last.resumed(home, self.models)
        with self.flows(), begun as small:
            act(small)
            self._kept[stage] = snapshot(small, self.folder / stage)
