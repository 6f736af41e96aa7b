"""Forms: suspended runs of the flow `approve`, as Prefect's API has them. They hold no truth of ours."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags
from prefect.client.schemas.objects import TERMINAL_STATES, FlowRun, StateType
from prefect.context import SyncClientContext
from prefect.exceptions import ObjectNotFound, PrefectException
from prefect.input.run_input import keyset_from_base_key
from prefect.settings import PREFECT_API_URL
from prefect.states import Cancelled, Scheduled

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

DEPLOYMENT = "approve/default"
NEEDS_APPROVAL = "needs-approval"
#: What a Prefect that is down, refuses or has lost something raises.
FAILURES = (httpx.HTTPError, PrefectException, OSError)
#: For how long an answer about the deployment is believed: a tick may not pay for a Prefect without one.
_REMEMBER_SECONDS = 300
#: More forms than one rollout ever has at once or leaves behind.
_MOST = 200
_deployments: dict[str, tuple[UUID | None, float]] = {}


@dataclass(frozen=True, slots=True)
class Form:
    """One run of `approve`.

    Attributes
    ----------
    key
        Of the question it was started for; see `key_of`.
    kind, state, message, since
        As Prefect has them.
    shown
        Whether it ever waited for somebody to fill it in.
    """

    run: UUID
    key: str
    kind: StateType
    state: str
    message: str
    since: datetime | None
    shown: bool

    @property
    def over(self) -> bool:
        """Whether it ended: nobody can answer in it any more."""
        return self.kind in TERMINAL_STATES

    @property
    def at_work(self) -> bool:
        """Whether a process has it, which is a matter of seconds; else it waits to be started or answered."""
        return self.kind in (StateType.RUNNING, StateType.PENDING, StateType.CANCELLING)


def key_of(rollout: str, slice_: str, step: int, attempt: int, asked_at: datetime) -> str:
    """Return what makes the form of one question start once only.

    The time is in it for the day when the store begins anew and Prefect does not: ids come again then.

    Examples
    --------
    >>> key_of("flights-gbm-1", "all", 1, 2, datetime(2013, 7, 4, 13))
    'flights-gbm-1:all:1:2:20130704T130000'
    """
    return f"{rollout}:{slice_}:{step}:{attempt}:{asked_at:%Y%m%dT%H%M%S}"


def is_there() -> bool:
    """Return whether there is a deployment to start forms from; asked of Prefect every few minutes."""
    return _deployment() is not None


def forms_of(rollout: str) -> tuple[Form, ...]:
    """Return the forms that were started for a rollout's questions, newest first."""
    tags = FlowRunFilterTags(all_=[NEEDS_APPROVAL, f"rollout:{rollout}"])
    with _client() as client:
        runs = client.read_flow_runs(flow_run_filter=FlowRunFilter(tags=tags), limit=_MOST)
    newest = sorted(runs, key=lambda run: str(run.created), reverse=True)
    return tuple(_form(run) for run in newest if run.idempotency_key)


def start(key: str, title: str, parameters: Mapping[str, Any], tags: Sequence[str]) -> None:
    """Start the form of a question; where it was started before nothing happens."""
    deployment = _deployment()
    if deployment is None:
        return
    with _client() as client:
        try:
            client.create_flow_run_from_deployment(
                deployment, parameters={**parameters}, name=title, tags=tags, idempotency_key=key
            )
        except FAILURES:
            forget()  # it may have been deleted, and another one made
            raise


def withdraw(form: Form, why: str) -> None:
    """End a form that asks what nobody needs to know any more."""
    with _client() as client:
        client.set_flow_run_state(form.run, Cancelled(name="Outdated", message=why), force=True)


def is_blank(form: Form) -> bool:
    """Return whether a suspended form has no fields: what made it died before it had drawn them."""
    with _client() as client:
        state = client.read_flow_run(form.run).state
        keys = state.state_details.run_input_keyset if state is not None and state.is_paused() else None
        if not keys:
            return False
        return _input(client, form.run, keys["schema"]) is None


def filled_in(run: UUID, name: str) -> dict[str, Any] | None:
    """Return what somebody answered when a run was suspended under this name; None: nobody did."""
    with _client() as client:
        text = _input(client, run, keyset_from_base_key(name)["response"])
    return None if text is None else json.loads(text)


def forget() -> None:
    """Ask anew at the next use whether there is a deployment."""
    _deployments.clear()


def _deployment() -> UUID | None:
    api = PREFECT_API_URL.value() or ""
    found, asked = _deployments.get(api, (None, -float(_REMEMBER_SECONDS)))
    if time.monotonic() - asked < _REMEMBER_SECONDS:
        return found
    with _client() as client:
        try:
            found = client.read_deployment_by_name(DEPLOYMENT).id
        except ObjectNotFound:
            found = None
    _deployments[api] = (found, time.monotonic())
    return found


def _input(client: SyncPrefectClient, run: UUID, key: str) -> str | None:
    try:
        return client.read_flow_run_input(run, key)
    except httpx.HTTPStatusError as err:
        if err.response.status_code == httpx.codes.NOT_FOUND:
            return None
        raise


@contextmanager
def _client() -> Iterator[SyncPrefectClient]:
    """Give the client of the flow that is running: a new one costs more than a question."""
    with SyncClientContext.get_or_create() as context:
        yield context.client


def _form(run: FlowRun) -> Form:
    state = run.state or Scheduled()
    return Form(
        run=run.id,
        key=run.idempotency_key or "",
        kind=state.type,
        state=state.name or state.type.value.title(),
        message=state.message or "",
        since=state.timestamp,
        shown=bool(run.empirical_policy.pause_keys),
    )
