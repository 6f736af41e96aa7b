"""Alerts from the record to whoever is to be told: kept with what they tell of, sent, written down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import stamina

from headgate.adapters import notify, store
from headgate.adapters.store import audit
from headgate.alerts import Alert, masked_route
from headgate.alerts.attempts import CLOSED, MOST
from headgate.errors import NoticeRefused, NoticeUnavailable, StandDown
from headgate.plan.duties import NoticeKind
from headgate.rollout.state import Phase
from tasks import notices, wiring
from tests.builders import APRIL, plan
from tests.integration.stores import tick
from tests.receiver import Receiver, receiving

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_waiting():
    stamina.set_testing(True, attempts=2)
    yield
    stamina.set_testing(False)


@pytest.fixture
def mailbox() -> Iterator[Receiver]:
    with receiving() as listening:
        yield listening


@pytest.fixture
def rollout(wired, mailbox):
    """A rollout whose plan tells this receiver of questions and pauses, and nobody of the rest."""
    asked = plan(notify=[{"events": ["ask", "pause"], "to": mailbox.url, "within": "30m"}])
    return store.open_rollout(wired.engine, asked, APRIL, "operator@example.org")


def alert(rollout, number=1, kind=NoticeKind.ASK) -> Alert:
    key = f"{rollout.id}/all/{kind.value}/{number}"
    return Alert(
        key, kind, rollout.id, rollout.service, "all", APRIL, f"{rollout.id} event {number}", "Why: so"
    )


def tell(now=NOW) -> list[str | None]:
    """What the flow does in one round."""
    told = [notices.tell_one.fn(batch, now) for batch in notices.due(now)]
    notices.close_told.fn(now, APRIL)
    return told


# ---------------------------------------------------------------- the outbox


def test_an_alert_is_kept_with_the_tick_it_tells_of_or_not_at_all(wired, rollout):
    mine = tick(rollout, 1, phase=Phase.PREFLIGHT)
    store.record(wired.engine, rollout, mine, alerts=[alert(rollout), alert(rollout, 2)])
    assert store.alerts(wired.engine, rollout.id) == [alert(rollout), alert(rollout, 2)]
    with pytest.raises(StandDown):
        store.record(wired.engine, rollout, tick(rollout, 2, "other"), alerts=[alert(rollout, 3)])
    assert len(store.alerts(wired.engine)) == 2
    # The same flow run again, and a later tick that sees the same thing, add nothing.
    fresh = store.record(wired.engine, rollout, mine, alerts=[alert(rollout), alert(rollout, 4)])
    store.record(wired.engine, fresh, tick(rollout, 2), alerts=[replace(alert(rollout), text="again")])
    assert store.alerts(wired.engine) == [alert(rollout), alert(rollout, 2)]
    assert audit.verify(wired.engine).findings == ()


def test_what_nobody_asked_for_is_closed_without_a_word(wired, rollout):
    store.add_alerts(wired.engine, [alert(rollout, kind=NoticeKind.ADVANCE)])
    assert tell() == []
    assert store.open_alerts(wired.engine) == []
    ((attempt),) = store.attempts(wired.engine, 1)
    assert (attempt.route, attempt.ok, attempt.detail) == (CLOSED, True, "nobody asked to be told")


def test_ten_alerts_become_one_message_and_every_attempt_is_written_down(wired, rollout, mailbox):
    store.add_alerts(wired.engine, [alert(rollout, n) for n in range(10)])
    store.add_alerts(wired.engine, [alert(rollout, kind=NoticeKind.PAUSE)])
    assert tell() == [None, None]
    ask, pause = mailbox.got
    assert ask["subject"] == f"10 \N{MULTIPLICATION SIGN} ask: {rollout.id} event 9"
    assert (ask["kind"], pause["kind"]) == ("ask", "pause")
    seq, _, digest = ask["audit_head"].partition(":")
    assert int(seq) > 0
    assert len(digest) == 64
    details = [(a.route, a.ok, a.detail) for a in store.attempts(wired.engine, 10)]
    route = masked_route(mailbox.url)
    assert details == [
        (route, False, "begun"), (route, True, "200 OK"), (CLOSED, True, "told on every route"),
    ]  # fmt: skip
    assert "s3cret" not in route
    assert tell() == []
    assert len(mailbox.got) == 2


def test_a_process_that_died_in_between_tells_it_again_and_says_so(wired, rollout, mailbox, monkeypatch):
    store.add_alerts(wired.engine, [alert(rollout)])

    def dies(*_args, **_kwargs):
        raise KeyboardInterrupt

    sent = notify.post
    with monkeypatch.context() as patched:
        patched.setattr(notices.notify, "post", lambda *args: [sent(*args), dies()])
        with pytest.raises(KeyboardInterrupt):
            tell()
    assert len(mailbox.got) == 1
    assert tell(NOW + timedelta(minutes=1)) == []  # it may still be under way
    assert tell(NOW + timedelta(minutes=2)) == [None]
    assert "may have reached you before" not in mailbox.got[0]["text"]
    assert "may have reached you before" in mailbox.got[1]["text"]
    assert mailbox.got[0]["keys"] == mailbox.got[1]["keys"]


# ---------------------------------------------------------------- what does not arrive


def test_what_does_not_arrive_is_told_elsewhere_once_and_given_up_in_the_end(wired, rollout, mailbox):
    mailbox.answer = lambda _number: 503
    store.add_alerts(wired.engine, [alert(rollout)])
    with receiving() as duty, wiring.use(replace(wired, settings=_default(wired, duty.url))):
        now, tries = NOW, 0
        while store.open_alerts(wired.engine):
            tries += any(told for told in tell(now))
            tell(now)
            now += timedelta(hours=1)
        assert tries == MOST
        (incident,) = duty.got
        assert incident["kind"] == "incident"
        assert "a message did not arrive at http://127.0.0.1" in incident["subject"]
        assert "it answers 503" in incident["text"]
        assert "s3cret" not in str(incident)
        (lost,) = notices.late_notices(NOW)
        assert lost.alert == alert(rollout)
        assert lost.detail.startswith("given up: http://127.0.0.1")


def test_a_refusal_is_not_tried_again(wired, rollout, mailbox):
    mailbox.answer = lambda _number: 404
    store.add_alerts(wired.engine, [alert(rollout)])
    (wrong,) = tell()
    assert wrong.startswith("refused: ")
    assert mailbox.posts == 1
    assert tell(NOW + timedelta(days=1)) == []
    assert mailbox.posts == 1


def test_what_is_late_can_be_seen_before_anybody_tried(wired, rollout):
    store.add_alerts(wired.engine, [alert(rollout)])
    assert notices.late_notices(APRIL + timedelta(minutes=29)) == ()
    (late,) = notices.late_notices(APRIL + timedelta(minutes=30))
    assert late.detail == "nobody has tried yet"


def test_a_route_that_leads_nowhere_is_refused_and_said(wired):
    lost = plan(notify=[{"events": ["ask"], "to": "the-operators"}])
    opened = store.open_rollout(wired.engine, lost, APRIL, "operator@example.org")
    store.add_alerts(wired.engine, [alert(opened)])
    (wrong,) = tell()
    assert "neither a URL nor block:<type>/<name>" in wrong


def test_silence_is_written_down_once_with_the_share_at_stake(wired, rollout):
    for minute in (0, 3):
        notices.note_silence.fn("flight-delays", APRIL + timedelta(minutes=minute))
    notices.note_silence.fn("no-such-service", APRIL)
    first, other = store.alerts(wired.engine)
    assert (first.kind, first.rollout) == (NoticeKind.SILENCE, rollout.id)
    assert other.rollout == ""


# ---------------------------------------------------------------- the post


def test_the_network_is_tried_again_and_a_busy_receiver_too(mailbox):
    mailbox.answer = lambda number: 429 if number == 1 else 200
    assert notify.post(mailbox.url, {"text": "hello"}) == "200 OK"
    assert [mailbox.posts, mailbox.got] == [2, [{"text": "hello"}]]


@pytest.mark.parametrize(
    ("status", "error"), [(302, NoticeRefused), (400, NoticeRefused), (500, NoticeUnavailable)]
)
def test_an_answer_that_is_not_yes_is_an_error_that_shows_no_secret(mailbox, status, error):
    mailbox.answer = lambda _number: status
    with pytest.raises(error, match=str(status)) as caught:
        notify.post(mailbox.url, {})
    assert "s3cret" not in str(caught.value)


def test_nobody_listening_is_unavailable():
    with pytest.raises(NoticeUnavailable, match="cannot be reached"):
        notify.post("http://127.0.0.1:9/x", {})
    with httpx.Client() as client, pytest.raises(NoticeRefused, match="mend the route"):
        notify.post("http://a.org:notaport/x", {}, client)


def _default(wired, url):
    return wired.settings.model_copy(update={"notify": url})
