"""Spreads one window's work over a Dask cluster, where the settings name one: a part of the time each.

Whoever calls gets the parts in order and adds them up; nothing depends on how many there are. Without a
cluster there is one part, and it is done here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from typing import Any, TypeVar

from prefect import Task
from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner

from headgate.errors import InputError
from tasks import wiring

_Part = TypeVar("_Part")
#: Parts per thread of the cluster: the last one to finish should not be a long one.
_PARTS_PER_THREAD = 2
_MOST_PARTS = 256
#: Seconds until a scheduler must have answered.
_PATIENCE = 5.0


def over_parts(work: Task[..., _Part], start: datetime, end: datetime, **same: Any) -> Sequence[_Part]:
    """Return what ``work(start=…, end=…, **same)`` returns for each part of a window, oldest first.

    On a cluster every part is a task run of its own, retried by itself. Workers have the project installed
    and the same ``HEADGATE_*`` settings; they open no store.

    Raises
    ------
    InputError
        If the cluster cannot be reached, or `prefect-dask` is not installed.
    """
    address = wiring.read_settings().dask
    if address is None:
        return [work.fn(start=start, end=end, **same)]
    with _cluster(address) as (runner, threads):
        spans = cut(start, end, min(_MOST_PARTS, _PARTS_PER_THREAD * threads))
        futures: list[PrefectFuture[_Part]] = [
            runner.submit(work, parameters={"start": since, "end": until, **same}) for since, until in spans
        ]
        return [future.result() for future in futures]


def cut(start: datetime, end: datetime, parts: int) -> list[tuple[datetime, datetime]]:
    """Return so many spans that meet and together are ``[start, end)``.

    Examples
    --------
    >>> from datetime import UTC
    >>> spans = cut(datetime(2013, 4, 1, tzinfo=UTC), datetime(2013, 4, 8, tzinfo=UTC), 7)
    >>> len(spans), spans[-1][0].day
    (7, 7)
    """
    edges = [start + (end - start) * i / parts for i in range(parts)]
    return list(pairwise([*dict.fromkeys(edges), end]))


@contextmanager
def _cluster(address: str) -> Iterator[tuple[TaskRunner[Any], int]]:
    """Connect to a cluster; yield what submits to it, and how many threads its workers have."""
    try:
        from prefect_dask.task_runners import DaskTaskRunner
    except ImportError as err:
        raise InputError(
            f"HEADGATE_DASK: asked the cluster at {address}; found no prefect-dask here; install "
            "headgate[dask], here and where the cluster's workers run"
        ) from err
    with DaskTaskRunner(address=address, client_kwargs={"timeout": _PATIENCE}) as runner:
        try:
            threads = sum(runner.client.nthreads().values())
        except OSError as err:
            raise InputError(
                f"HEADGATE_DASK: asked a Dask scheduler at {address}; found {err}; start it, or unset the "
                "setting to work in this process"
            ) from err
        if not threads:
            raise InputError(
                f"HEADGATE_DASK: asked workers at {address}; found a scheduler without any; "
                f"start `dask worker {address}`"
            )
        yield runner, threads
