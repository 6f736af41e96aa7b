"""A task as flows here call it: its arguments are handed over as they are.

Prefect walks through every argument twice, down to each field of a plan, looking for futures of other tasks.
Flows here hand on results, never futures inside of something, so only the argument itself is looked at: a
sixth of a profiler's samples of a played story were that walk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from prefect import Task
from prefect.utilities.annotations import opaque

P = ParamSpec("P")
R = TypeVar("R")


class _Direct(Task[P, R]):
    """Prefect's task, called with `opaque` arguments."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the task here and now; see `prefect.Task`."""
        call: Callable[..., Any] = super().__call__
        return call(*map(opaque, args), **{name: opaque(value) for name, value in kwargs.items()})


def task(**options: Any) -> Callable[[Callable[P, R]], Task[P, R]]:
    """Make a task of a function; ``options`` are those of `prefect.Task`."""
    return lambda function: _Direct(function, **options)
