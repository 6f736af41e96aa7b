"""Sends a message through a Prefect block: whatever Prefect can notify, Headgate can."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from prefect.blocks.abstract import NotificationBlock
from prefect.blocks.core import Block
from prefect.blocks.webhook import Webhook

from headgate.alerts.messages import Message
from headgate.errors import NoticeRefused, NoticeUnavailable

#: Answers that are worth another try, as with URLs.
_LATER = frozenset({408, 425, 429})


def send_to_block(route: str, message: Message) -> str:
    """Send a message through ``block:<type>/<name>``; return what came of it, in a few words.

    Raises
    ------
    NoticeRefused
        If there is no such block, it cannot notify, or its receiver says no.
    NoticeUnavailable
        If its receiver cannot be reached, or the block does not say what went wrong.
    """
    block = _load(route)
    try:
        match block:
            case Webhook():
                return _status(route, asyncio.run(block.call(payload=message.body())))
            case NotificationBlock():
                with block.raise_on_failure():
                    said: Any = block.notify(message.text, message.subject)  # sync where no loop is running
                return "sent" if said is None else str(said)
    except httpx.HTTPStatusError as err:
        return _status(route, err.response)
    except (NoticeRefused, NoticeUnavailable):
        raise
    except Exception as err:  # blocks wrap a hundred services, each with errors of its own
        raise NoticeUnavailable(f"{route}: asked to tell an alert; the block says {err!r}"[:400]) from err
    raise NoticeRefused(
        f"{route}: asked a block that can notify; found a {type(block).__name__}; name another"
    )


def _load(route: str) -> Any:
    name = route.removeprefix("block:")
    try:
        return Block.load(name)
    except ValueError as err:
        raise NoticeRefused(
            f"{route}: asked to tell an alert; Prefect has no block {name!r}; create it, or mend the route"
        ) from err
    except Exception as err:  # the server may be down: nothing is said about the block
        raise NoticeUnavailable(
            f"{route}: asked to tell an alert; the block cannot be read: {err!r}"[:400]
        ) from err


def _status(route: str, answer: httpx.Response) -> str:
    said = f"{answer.status_code} {' '.join(answer.text.split())[:200]}".strip()
    if answer.is_success:
        return f"{answer.status_code} {answer.reason_phrase}".strip()
    if answer.is_server_error or answer.status_code in _LATER:
        raise NoticeUnavailable(f"{route}: asked to tell an alert; it answers {said}")
    raise NoticeRefused(f"{route}: asked to tell an alert; it refuses: {said}; mend the block")
