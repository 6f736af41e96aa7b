"""What people look at in Prefect, and the pages beside it: written when something changed, and only then."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from flows.publish import publish
from headgate.adapters import store
from headgate.adapters.lake import Lake
from headgate.adapters.planes.in_process import InProcessPlane
from headgate.adapters.store import audit
from headgate.rollout.state import Phase, Verb
from tasks import wiring
from tasks.publishing import Published, mark
from tests.builders import APRIL, settings_in
from tests.integration.stores import question
from tests.rollouts import order, state, world
from tests.unit.glances import glance
from tests.unit.task_cases import opened

NOW = APRIL + timedelta(hours=2)


@pytest.fixture
def wired(tmp_path: Path, empty_store: Path, prefect: str) -> Iterator[wiring.Wiring]:
    """Work with a store and a folder for pages of this test, against the real server."""
    assert prefect
    shutil.copy(empty_store, tmp_path / "store.db")
    adapters = wiring.Wiring(
        engine=store.connect(f"sqlite:///{tmp_path / 'store.db'}"),
        lake=Lake(tmp_path / "exchanges", base=tmp_path),
        plane_of=lambda _service: InProcessPlane(),
        settings=settings_in(tmp_path, pages_url="https://pages.example.org/headgate/"),
    )
    with wiring.use(adapters):
        yield adapters
    adapters.engine.dispose()


@pytest.fixture
def pages(wired: wiring.Wiring) -> Path:
    return wired.settings.pages


def artifacts(prefect: str, key: str) -> list[dict]:
    wanted = {"artifacts": {"key": {"any_": [key]}}, "sort": "CREATED_DESC"}
    return httpx.post(f"{prefect}/artifacts/filter", json=wanted).raise_for_status().json()


@pytest.mark.prefect
def test_what_changed_is_published_and_nothing_else(wired, pages, prefect):
    first = opened(name="publish-one", service="publish-a").rollout
    opened(name="publish-two", service="publish-b")
    assert sorted(publish(now=NOW)) == ["publish-one-1", "publish-two-1"]
    page = (pages / "publish-one-1.html").read_text(encoding="utf-8")
    assert "publish-one-1" in page
    assert str(audit.head(wired.engine)) in page

    # Nothing changed: no page, no artifact, no new version of any.
    before = artifacts(prefect, "headgate-status")
    assert publish(now=NOW) == []
    assert artifacts(prefect, "headgate-status") == before
    assert str(audit.head(wired.engine)) in before[0]["data"]

    # One rollout moves: its page alone is written anew, its artifact in place.
    (one,) = artifacts(prefect, "rollout-publish-one-1")
    store.record(wired.engine, first, question(first))
    assert publish(now=NOW) == ["publish-one-1"]
    (again,) = artifacts(prefect, "rollout-publish-one-1")
    assert (again["id"], "approval" in again["data"], "approval" in one["data"]) == (one["id"], True, False)
    assert len(again["data"]) < 100_000
    assert "data:image/svg+xml;base64," in again["data"]
    assert "https://pages.example.org/headgate/publish-one-1.html" in again["data"]
    assert "headgate approver code publish-one-1/all/approve/1/1/" in again["data"]
    status = artifacts(prefect, "headgate-status")
    assert len(status) == len(before) + 1  # the audit head of the old one stays where it is
    assert "publish-one-1: approval asked, 0 of 1 agreed" in status[0]["data"]


def test_a_page_depends_on_ticks_answers_buttons_and_silence_and_not_on_the_hour():
    before = state(Phase.SHADOW)
    one = glance(before, world(before))
    told = mark([one])
    assert mark([replace(one, now=one.now + timedelta(minutes=20))]) == told
    assert mark([replace(one, now=one.now + timedelta(days=20))]) != told  # ticks have stopped
    assert mark([replace(one, question=replace(one.question, approved_by=("chief@example.org",)))]) != told
    assert mark([replace(one, orders=(order(Verb.PAUSE),))]) != told
    assert mark([replace(one, last=replace(one.last, tick=one.last.tick + 1))]) != told


@pytest.mark.prefect
@pytest.mark.usefixtures("wired")
def test_what_another_server_or_half_a_file_says_was_published_counts_for_nothing(pages):
    opened(name="publish-three", service="publish-c")
    assert publish(now=NOW) == ["publish-three-1"]
    assert list(Published.read().rollouts) == ["publish-three-1"]
    memory = pages / "published.json"
    for text in (memory.read_text().replace("127.0.0.1", "127.0.0.2"), "half a fi", "[]", "{}"):
        memory.write_text(text)
        assert Published.read().rollouts == {}
    assert not [path for path in pages.iterdir() if path.name.startswith(".")]
