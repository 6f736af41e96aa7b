"""The command line where people prove who they are: answers, the glass, signatures, enrolments."""

import json
import shutil
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from headgate import cli
from headgate.adapters import store
from headgate.cli import proving
from headgate.codes import code_of
from headgate.rollout.state import Answer, Phase
from tasks import people, wiring
from tests.builders import APRIL, PLAN, plan
from tests.integration.stores import OPENED_BY, question, tick

NOON = "2013-04-01T12:00:00Z"
CHIEF, DEPUTY = "chief@example.org", "deputy@example.org"
#: Nobody's, but of the right form.
SIGNED = {"signoffs": [{"role": "security"}], "questionnaire": {}}
READY = (
    "--data", "live", "--bad-outputs", "docs/plan.md", "--failure-modes", "a lost column", "--owner", "us",
)  # fmt: skip


@pytest.fixture
def installed(tmp_path, monkeypatch, empty_store):
    """Work in a folder of one's own, with an empty store in it; return its adapters."""
    shutil.copy(empty_store, tmp_path / "store.db")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEADGATE_STORE_URL", f"sqlite:///{tmp_path / 'store.db'}")
    monkeypatch.setenv("HEADGATE_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "400")
    wired = wiring.build()
    yield wired
    wired.engine.dispose()


@pytest.fixture
def asked(installed):
    """A rollout with a question open, whose plan asks for signatures, and the chief enrolled."""
    rollout = store.open_rollout(installed.engine, plan(**SIGNED), APRIL, OPENED_BY)
    store.record(installed.engine, rollout, question(rollout))
    return SimpleNamespace(id=rollout.id, engine=installed.engine, secret=enrol(CHIEF))


def enrol(name):
    return people.enrol(name, OPENED_BY, APRIL)


def run(*words):
    return CliRunner().invoke(cli.app, [str(word) for word in words], catch_exceptions=False)


def refused(*words, code=2):
    """Return what a refused command says; nothing of it goes where answers go."""
    done = run(*words)
    assert (done.exit_code, done.stdout) == (code, "")
    return done.stderr


def private(path, text):
    path.write_text(text + "\n")
    path.chmod(0o600)
    return path


def code_for(asked, answer="approve"):
    (open_one,) = people.open_questions(asked.id)
    return code_of(asked.secret, open_one.request, answer, datetime.now(UTC))


def say(asked, *words, who=CHIEF):
    return (words[0], asked.id, "--as", who, "--comment", "looked at it", "--now", NOON, *words[1:])


# ---------------------------------------------------------------- answers


@pytest.mark.parametrize("answer", ["approve", "reject", "hold"])
def test_an_answer_shows_the_question_is_recorded_and_says_what_happens_next(asked, answer):
    done = run(*say(asked, answer, "--code", code_for(asked, answer)))
    assert done.exit_code == 0, done.stderr
    assert f"recorded: {CHIEF} {answer}s step 1 of flights-gbm-1 (question 1)" in done.stdout
    assert "the next tick acts on it" in done.stdout
    assert (
        "flights-gbm-1: from 0 % to 5 % (question 1; 0 of 1 approved; open until 2013-04-04 01:00 UTC)"
        in (done.stderr)
    )
    (approval,) = store.approvals(asked.engine, asked.id)
    assert (approval.answer, approval.comment) == (Answer(answer), "looked at it")


def test_the_same_answer_again_says_when_it_was_recorded(asked):
    for _ in range(2):
        done = run(*say(asked, "approve", "--code", code_for(asked)))
        assert done.exit_code == 0
    assert done.stdout.startswith("recorded before, at 2013-04-01T12:00:00")


def test_a_code_is_computed_where_the_secret_is(asked, tmp_path, monkeypatch):
    file = private(tmp_path / "mine", asked.secret)
    monkeypatch.setenv("HEADGATE_APPROVER_SECRET_FILE", str(file))
    assert run(*say(asked, "approve")).exit_code == 0


def test_without_a_code_the_way_to_one_is_told(asked):
    said = refused(*say(asked, "approve"))
    (open_one,) = people.open_questions(asked.id)
    assert f"`headgate approver code {open_one.request} --answer approve`" in said
    assert store.all_said(asked.engine, asked.id) == []


def test_at_a_terminal_the_code_is_asked_for_unseen(monkeypatch):
    monkeypatch.setattr(proving.sys, "stdin", SimpleNamespace(isatty=lambda: True))
    seen = {}
    monkeypatch.setattr(proving.typer, "prompt", lambda *_, **how: seen.update(how) or "12345678")
    assert proving.proof("r", "approve", None, None) == "12345678"
    assert seen["hide_input"] is True


def test_a_refused_answer_is_an_error_and_on_record(asked):
    wrong = "12345678" if code_for(asked) != "12345678" else "87654321"
    assert "wrong or expired code" in refused(*say(asked, "approve", "--code", wrong))
    (said,) = store.all_said(asked.engine, asked.id)
    assert (said.accepted, said.origin[:4]) == (False, "cli:")
    assert wrong not in said.reason


def test_the_author_may_not_approve(asked):
    said = refused(*say(asked, "approve", "--code", "12345678", who=PLAN["author"].upper()))
    assert "may not approve it; ask somebody else" in said


@pytest.mark.parametrize("answer", ["approve", "reject"])
def test_an_answer_nobody_asked_for_is_refused(installed, answer):
    rollout = store.open_rollout(installed.engine, plan(), APRIL, OPENED_BY)
    words = (answer, rollout.id, "--as", CHIEF, "--comment", "why not", "--now", NOON)
    assert "no question is open; `headgate status` says why" in refused(*words)


@pytest.mark.usefixtures("asked")
def test_an_unknown_rollout_is_refused_with_those_that_are_known():
    said = refused("approve", "flights-gbm-9", "--as", CHIEF, "--now", NOON)
    assert "asked the rollout 'flights-gbm-9'" in said
    assert "the last ones are flights-gbm-1" in said


# ---------------------------------------------------------------- the glass


def test_two_people_with_codes_and_reasons_break_the_glass(installed, tmp_path):
    rollout = store.open_rollout(installed.engine, plan(), APRIL, OPENED_BY)
    store.record(installed.engine, rollout, tick(rollout, phase=Phase.SHADOW, confirmed_at=APRIL))
    for name, then in (
        (CHIEF, "a second person is needed until 2013-04-01T16:00"),
        (DEPUTY, "the next tick"),
    ):
        file = private(tmp_path / name, enrol(name))
        words = (
            "promote",
            rollout.id,
            "--as",
            name,
            "--reason",
            "down",
            "--secret-file",
            file,
            "--now",
            NOON,
        )
        done = run(*words)
        assert done.exit_code == 0, done.stderr
        assert then in done.stdout
    (incident,) = store.incidents(installed.engine, rollout.id)
    assert (incident.kind, CHIEF in incident.text, DEPUTY in incident.text) == ("break glass", True, True)


def test_the_glass_holds_before_shadow(installed):
    other = store.open_rollout(installed.engine, plan(name="other", service="other"), APRIL, OPENED_BY)
    said = refused("promote", other.id, "--as", CHIEF, "--reason", "now", "--now", NOON, code=1)
    assert (
        "promote: other-1 is in preflight; the glass may be broken in shadow and on every step but the"
        in said
    )


# ---------------------------------------------------------------- signatures


def test_what_a_plan_asks_for_is_signed_and_answered(asked, tmp_path):
    file = private(tmp_path / "mine", asked.secret)
    signed = (asked.id, "--as", CHIEF, "--comment", "read it", "--secret-file", file, "--now", NOON)
    assert (
        "signs the plan of flights-gbm-1 as security" in run("signoff", *signed, "--role", "security").stdout
    )
    assert "answers the questionnaire of flights-gbm-1" in run("questionnaire", *signed, *READY).stdout
    found = store.signatures(asked.engine, plan(**SIGNED).hash)
    assert {role: one.name for role, one in found.items()} == {"security": CHIEF, "questionnaire": CHIEF}


def test_an_honest_no_is_recorded_and_said_to_keep_it_waiting(asked, tmp_path):
    file = private(tmp_path / "mine", asked.secret)
    words = ("questionnaire", asked.id, "--as", CHIEF, "--secret-file", file, "--now", NOON, *READY)
    done = run(*words, "--data", "export", "--owner", "nobody")
    assert done.exit_code == 0
    assert "it goes on waiting: the gates read an export, not live data; nobody owns it" in done.stdout


def test_a_question_without_an_answer_names_its_option(asked):
    said = refused("questionnaire", asked.id, "--as", CHIEF, "--data", "live")
    assert said.endswith("give it with --bad-outputs\n")


def test_a_role_nobody_asked_for_is_refused_with_those_that_are(asked):
    said = refused("signoff", asked.id, "--role", "legal", "--as", CHIEF, "--comment", "fine")
    assert "it asks for security, questionnaire" in said


# ---------------------------------------------------------------- enrolments


def test_an_approver_is_added_listed_and_revoked(installed):
    done = run("approver", "add", CHIEF, "--as", OPENED_BY, "--now", NOON)
    secret = done.stdout.split("\n\n")[1].strip()
    assert done.exit_code == 0
    assert len(secret) == 32
    assert "enrolled them" in refused("approver", "add", CHIEF.upper(), "--as", OPENED_BY)
    assert f"{CHIEF} may approve since 2013-04-01 12:00 UTC, by {OPENED_BY}" in run("approver", "list").stdout
    assert run("approver", "revoke", CHIEF, "--as", OPENED_BY, "--reason", "left").exit_code == 0
    (row,) = json.loads(run("approver", "list", "--json").stdout)
    assert (row["name"], row["active"], row["reason"]) == (CHIEF, False, "left")
    assert (installed.settings.key_file.stat().st_mode & 0o777) == 0o600


@pytest.mark.usefixtures("installed")
def test_a_secret_is_written_to_a_new_private_file_only(tmp_path):
    file = tmp_path / "mine"
    words = ("approver", "add", CHIEF, "--as", OPENED_BY, "--secret-file", file)
    done = run(*words)
    secret = file.read_text().strip()
    assert (secret in done.stdout, file.stat().st_mode & 0o777) == (False, 0o600)
    assert "asked a new file" in refused(*words)
    assert file.read_text().strip() == secret


def test_codes_are_computed_without_a_store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEADGATE_STORE_URL", "nothing at all")
    secret, request = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "flights-gbm-1/all/approve/1/1/0a0a0a0a0a0a"
    file = private(tmp_path / "mine", secret.lower())
    done = run("approver", "code", request, "--answer", "approve", "--secret-file", file)
    assert done.stdout.strip() == code_of(secret, request, "approve", datetime.now(UTC))
    assert f"for approve of {request}, until " in done.stderr


@pytest.mark.parametrize(
    ("request_", "text", "mode", "said"),
    [
        ("flights-gbm-1", "A" * 32, 0o600, "no name of a request"),
        ("a/signoff/security/b", "A" * 32, 0o600, "a request to which one says sign"),
        ("a/all/approve/1/1/b", "my dog", 0o600, "found something else in"),
        ("a/all/approve/1/1/b", "A" * 32, 0o644, "chmod 600"),
    ],
)
def test_a_code_that_cannot_be_computed_says_why(tmp_path, monkeypatch, request_, text, mode, said):
    monkeypatch.chdir(tmp_path)
    file = private(tmp_path / "mine", text)
    file.chmod(mode)
    words = ("approver", "code", request_, "--answer", "approve", "--secret-file", file)
    assert said in refused(*words)
