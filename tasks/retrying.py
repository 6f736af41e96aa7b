"""When a task is tried again: the network, never a refusal."""

from __future__ import annotations

from typing import Any

from prefect.cache_policies import NO_CACHE
from prefect.tasks import exponential_backoff

from headgate.errors import LakeError, ModelUnavailable, PlaneUnavailable, StoreError

_PASSING = (ModelUnavailable, PlaneUnavailable, StoreError, LakeError)


def worth_retrying(_task: Any, _run: Any, state: Any) -> bool:
    """Return whether what failed may succeed a moment later."""
    return isinstance(state.result(raise_on_failure=False), _PASSING)


#: Options of every task that touches the world. No caching: a tick must look, not remember.
OUTSIDE: dict[str, Any] = {
    "cache_policy": NO_CACHE,
    "retries": 3,
    "retry_delay_seconds": exponential_backoff(backoff_factor=1),
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": worth_retrying,
}

#: Options of a task whose effect must not be repeated blindly: compare-and-set decides instead.
ONCE: dict[str, Any] = {"cache_policy": NO_CACHE, "retries": 0}
