"""Keeps Prefect's artifacts and the rollouts' pages up to date; touches only what changed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from prefect.artifacts import MarkdownArtifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactUpdate
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.client.schemas.sorting import ArtifactSort
from prefect.settings import PREFECT_API_URL

from headgate.adapters.store import audit
from headgate.adapters.stories import stories_of
from headgate.errors import InputError
from headgate.report.artifacts import rollout_markdown, status_markdown
from headgate.report.glance import Glance
from headgate.report.page import render_page
from tasks import wiring
from tasks.direct import task
from tasks.overrides import with_reviewers
from tasks.retrying import OUTSIDE
from tasks.standing import glances

#: The artifact that shows where every rollout stands.
STATUS = "headgate-status"
#: Ticks of a slice that a page shows: every move, and holds in between.
MOST_TICKS = 400
_MEMORY = "published.json"


@dataclass
class Published:
    """What was published last, kept in a file beside the pages: the store is history only.

    Attributes
    ----------
    api
        The Prefect server that has the artifacts.
    status
        Digest of the status artifact.
    rollouts
        Per rollout what its page was made of.
    """

    api: str
    status: str = ""
    rollouts: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls) -> Published:
        """Return what is remembered of this server; nothing if it is another one, or has no artifacts."""
        api = str(PREFECT_API_URL.value())
        try:
            found = json.loads((_pages() / _MEMORY).read_text(encoding="utf-8"))
            known = cls(found["api"], found["status"], dict(found["rollouts"]))
        except (OSError, ValueError, LookupError, TypeError):
            return cls(api)
        return known if known.api == api and _latest(STATUS) else cls(api)

    def write(self) -> None:
        """Remember it."""
        write_page(_pages() / _MEMORY, json.dumps(vars(self), indent=1, sort_keys=True))


def standing(now: datetime) -> list[tuple[Glance, ...]]:
    """Return every rollout as it stands now, a tuple of its slices each, newest first."""
    return [tuple(run) for _, run in groupby(glances(now), key=lambda one: one.rollout)]


def mark(slices: Sequence[Glance]) -> str:
    """Return what a rollout's page depends on; the page is as it should be while this stays."""
    parts: list[Any] = [
        (
            one.state.slice,
            one.last.tick,
            one.ended,
            one.stopped,
            one.question and one.question.approved_by,
            [order.id for order in one.orders],
            one.ahead,
        )
        for one in slices
    ]
    return _digest(repr(parts))


@task(name="publish a rollout", task_run_name="publish {rollout}", **OUTSIDE)
def publish_rollout(rollout: str, slices: Sequence[Glance], now: datetime) -> str:
    """Write a rollout's page and its artifact; return where the page is."""
    engine = wiring.build().engine
    names = [one.state.slice for one in slices]
    stories = with_reviewers(stories_of(engine, rollout, most=MOST_TICKS), names, now)
    shown, head = sum(len(story.ticks) for story in stories), str(audit.head(engine))
    last = max(one.last.tick for one in slices) + 1
    facts = {"audit head": head}
    if shown < last:
        facts["ledger"] = (
            f"{shown:,} of about {last * len(slices):,} rows are shown: every move, and holds between"
        )
    page = render_page(stories, title=rollout, generated_at=now, facts=facts)
    path = _pages() / f"{rollout}.html"
    write_page(path, page)
    where = address_of(path)
    put_artifact(f"rollout-{rollout}", rollout_markdown(slices, stories, where, head, now), rollout)
    if "://" in where:
        put_artifact(f"page-{rollout}", f"[{rollout}]({where})", f"The page of {rollout}")
    return where


@task(name="publish the status", **OUTSIDE)
def publish_status(rollouts: Sequence[Sequence[Glance]], known: str) -> str:
    """Write the status artifact if it is not what it was; return its digest.

    Each one is a new version: the audit heads in the older ones stay where they are.
    """
    head = audit.head(wiring.build().engine)
    text = status_markdown([one for slices in rollouts for one in slices], str(head))
    digest = _digest(text)
    if digest != known:
        MarkdownArtifact(key=STATUS, markdown=text, description="Where every rollout stands").create()
    return digest


def readable(slices: Sequence[Glance]) -> bool:
    """Return whether this Headgate can read the rollout's plan; of others only the status tells."""
    return all(one.plan is not None for one in slices)


def put_artifact(key: str, text: str, description: str) -> None:
    """Create an artifact, or update it in place: the ledger is history enough."""
    known = _latest(key)
    if known is None:
        MarkdownArtifact(key=key, markdown=text, description=description).create()
        return
    with get_client(sync_client=True) as client:
        client.update_artifact(known, ArtifactUpdate(data=text, description=description))


def _latest(key: str) -> UUID | None:
    """Return the artifact of this key that Prefect shows; None where it has none."""
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(
            limit=1,
            sort=ArtifactSort.UPDATED_DESC,
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])),
        )
    return found[0].id if found else None


def _pages() -> Path:
    return wiring.build().settings.pages


def address_of(path: Path) -> str:
    """Return where a page is served; its path where nobody said that it is."""
    base = wiring.build().settings.pages_url
    return f"{base.rstrip('/')}/{path.name}" if base else str(path)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def write_page(path: Path, text: str) -> None:
    """Write a file in one go: whoever reads it meanwhile gets the old one whole."""
    half = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        half.write_text(text, encoding="utf-8")
        os.replace(half, path)  # noqa: PTH105 - os.replace says what it does
    except OSError as err:
        half.unlink(missing_ok=True)
        raise InputError(
            f"asked to write {path}; found {err.strerror}; make room, or set HEADGATE_PAGES to another folder"
        ) from err
