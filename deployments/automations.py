"""What Prefect's server does of itself: empties the outbox, notices silence and runs that failed.

Read from ``automations.yaml``. Applied as often as you like: automations are known by their names, what was
changed is brought back, what is no longer asked for goes, and what somebody switched off stays off.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

import yaml

from headgate.errors import InputError
from headgate.plan.durations import as_duration

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.orchestration import SyncPrefectClient

FILE = Path(__file__).with_name("automations.yaml")
#: Of every automation of ours; those that carry it and are not in the file any more are removed.
TAG = "headgate-automations"
#: The block that the setting ``notify`` becomes.
BLOCK = "headgate-alerts"
#: Ticks that may be missed, and what is the least and the usual for where the schedule does not tell.
_MISSED, _LEAST, _USUAL = 3, timedelta(seconds=10), timedelta(minutes=15)


@dataclass(frozen=True)
class Applied:
    """One automation as it is on the server now, or why it is not."""

    name: str
    said: str


def apply_automations(
    notify: str | None, silence: timedelta | None = None, *, only: str | None = None
) -> tuple[Applied, ...]:
    """Bring the server's automations in line with the file; return what was done.

    Parameters
    ----------
    notify
        The setting: where the server itself sends its messages. None: it sends none.
    silence
        How long ticks may be missing; None: three times the interval of each service's schedule.
    only
        Those of the services that have a deployment of this flow, and no others; None: all.

    Raises
    ------
    InputError
        If ``notify`` names no block, ``tell`` is not deployed, or ``silence`` is shorter than the ten
        seconds that Prefect can notice.
    """
    from prefect.client.orchestration import get_client

    if silence is not None and silence < _LEAST:
        raise InputError(f"asked to notice silence after {as_duration(silence)}; Prefect needs 10s at least")
    block = save_block(notify) if notify else None
    with get_client(sync_client=True) as client:
        wanted = list(_wanted(client, block, silence, only))
        done = [_put(client, automation) for automation in wanted if automation["actions"]]
        done += [
            Applied(automation["name"], "left out: set HEADGATE_NOTIFY, there is nobody to tell")
            for automation in wanted
            if not automation["actions"]
        ]
        kept = {automation["name"] for automation in wanted if automation["actions"]}
        return (*done, *_removed(client, kept))


@dataclass(frozen=True)
class Block:
    """A block that the server sends its messages through."""

    id: UUID
    is_webhook: bool


def save_block(notify: str) -> Block:
    """Return the block behind a route; of a URL one of our own, made or brought up to date.

    Raises
    ------
    InputError
        If there is no such block.
    """
    from prefect.blocks.core import Block as AnyBlock
    from prefect.blocks.notifications import CustomWebhookNotificationBlock
    from prefect.blocks.webhook import Webhook
    from prefect.types import SecretDict

    if notify.startswith("block:"):
        name = notify.removeprefix("block:")
        try:
            found: Any = AnyBlock.load(name)
        except ValueError as err:
            raise InputError(
                f"HEADGATE_NOTIFY: asked the block {name!r}; Prefect has none; create it"
            ) from err
        return Block(found._block_document_id, isinstance(found, Webhook))  # noqa: SLF001 - it has no other name
    block = CustomWebhookNotificationBlock(
        name=BLOCK,
        # The path of a webhook is its password: kept as a secret, filled in when it is sent.
        url="{{route}}",
        json_data={"text": "{{subject}}\n{{body}}", "subject": "{{subject}}", "kind": "prefect"},
        secrets=SecretDict({"route": notify}),
    )
    saved: Any = block.save(BLOCK, overwrite=True)
    return Block(saved, is_webhook=False)


def _wanted(
    client: SyncPrefectClient, block: Block | None, silence: timedelta | None, only: str | None
) -> Iterator[dict[str, Any]]:
    from tasks.telling import KINDS

    for asked in yaml.safe_load(FILE.read_text(encoding="utf-8"))["automations"]:
        flow = asked.pop("each", None)
        if only not in (None, flow):
            continue
        every = _services(client, silence, flow) if flow else [("", _USUAL)]
        for service, within in every:
            words = {"service": service, "within": as_duration(within), "seconds": within.total_seconds()}
            filled = _filled(asked, words | {"kinds": list(KINDS)})
            actions = (_action(client, action, block) for action in filled["actions"])
            yield filled | {"tags": [TAG], "actions": [action for action in actions if action]}


def _services(client: SyncPrefectClient, silence: timedelta | None, flow: str) -> list[tuple[str, timedelta]]:
    """Return every service that has a deployment of a flow, and for how long its runs may be missing."""
    from prefect.client.schemas.filters import FlowFilter, FlowFilterName

    flows = FlowFilter(name=FlowFilterName(any_=[flow]))
    found = []
    for deployment in client.read_deployments(flow_filter=flows):
        intervals = [getattr(one.schedule, "interval", None) for one in deployment.schedules]
        known = [interval for interval in intervals if interval]
        allowed = max(_MISSED * max(known), _LEAST) if known else _USUAL
        service = (deployment.parameters or {}).get("service", deployment.name)
        found.append((str(service), silence or allowed))
    return sorted(found)


def _filled(part: Any, words: dict[str, Any]) -> Any:
    """Fill in ``${…}``; a text that is nothing else takes the value as it is."""
    if isinstance(part, dict):
        return {key: _filled(value, words) for key, value in part.items()}
    if isinstance(part, list):
        return [_filled(value, words) for value in part]
    if not isinstance(part, str):
        return part
    alone = part.removeprefix("${").removesuffix("}")
    return words[alone] if part == f"${{{alone}}}" and alone in words else Template(part).substitute(words)


def _action(client: SyncPrefectClient, action: dict[str, Any], block: Block | None) -> dict[str, Any] | None:
    asked = dict(action)
    if (name := asked.pop("deployment", None)) is not None:
        return asked | {"source": "selected", "deployment_id": _deployment(client, name)}
    if asked.pop("block", None) is None:
        return asked
    if block is None:
        return None
    if block.is_webhook:
        subject, body = asked["subject"], asked["body"]
        text = "{% set s %}" + subject + "{% endset %}{% set b %}" + body + "{% endset %}"
        payload = (
            text + '{"text": {{ (s ~ "\\n" ~ b) | tojson }}, "subject": {{ s | tojson }}, "kind": "prefect"}'
        )
        return {"type": "call-webhook", "block_document_id": block.id, "payload": payload}
    return asked | {"block_document_id": block.id}


def _deployment(client: SyncPrefectClient, name: str) -> UUID:
    from prefect.exceptions import ObjectNotFound

    try:
        return client.read_deployment_by_name(name).id
    except ObjectNotFound as err:
        raise InputError(
            f"asked the deployment {name}; it is not there; run `prefect --no-prompt deploy --all` first"
        ) from err


def _put(client: SyncPrefectClient, asked: dict[str, Any]) -> Applied:
    from prefect.events.schemas.automations import AutomationCore

    found = client.read_automations_by_name(asked["name"])
    if not found:
        client.create_automation(AutomationCore.model_validate(asked))
        return Applied(asked["name"], "created")
    enabled = found[0].enabled
    client.update_automation(found[0].id, AutomationCore.model_validate(asked | {"enabled": enabled}))
    for again in found[1:]:
        client.delete_automation(again.id)
    return Applied(asked["name"], "up to date" if enabled else "up to date; somebody switched it off")


def _removed(client: SyncPrefectClient, kept: set[str]) -> list[Applied]:
    stale = [one for one in client.read_automations() if TAG in one.tags and one.name not in kept]
    for automation in stale:
        client.delete_automation(automation.id)
    return [Applied(automation.name, "removed: nothing asks for it any more") for automation in stale]
