"""The command line where Prefect's API is not there, or does not know us: one line, and nothing half done."""

from __future__ import annotations

import http.server
import shutil
import threading

import pytest
from typer.testing import CliRunner

from headgate import cli
from headgate.adapters import store
from headgate.rollout.state import Phase, Verb
from tasks import wiring
from tests.builders import APRIL, plan
from tests.conftest import prefect_at
from tests.integration.stores import OPENED_BY, tick
from tests.unit.test_cli import write_plan

SERVICE = "flight-delays"
NOBODY = "http://127.0.0.1:9/api"  # the discard port


class Refusing(http.server.BaseHTTPRequestHandler):
    """Answers as a Prefect server with an auth string does to a stranger."""

    def do_GET(self) -> None:
        self.send_response(401)
        self.send_header("content-length", "0")
        self.end_headers()

    do_POST = do_GET  # noqa: N815 - the name that http.server asks

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture
def stranger():
    """A server that refuses our auth string."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/api"
    server.shutdown()
    server.server_close()


@pytest.fixture
def engine(tmp_path, monkeypatch, empty_store):
    shutil.copy(empty_store, tmp_path / "store.db")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEADGATE_STORE_URL", f"sqlite:///{tmp_path / 'store.db'}")
    engine = wiring.build().engine
    yield engine
    engine.dispose()


def refused(api, tmp_path, *words):
    with prefect_at(api, tmp_path / "prefect-home"):
        done = CliRunner().invoke(cli.app, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == 1
    assert done.stderr.startswith("headgate: asked Prefect's API")
    assert done.stderr.count("\n") == 1
    return done


def test_nobody_answers_and_nothing_was_opened(engine, tmp_path):
    said = refused(NOBODY, tmp_path, "start", write_plan(tmp_path)).stderr
    assert "Failed to reach API at http://127.0.0.1:9/api/; start its server" in said
    assert store.rollouts(engine) == []


def test_a_wrong_auth_string_is_named_and_a_stop_is_on_record_all_the_same(engine, tmp_path, stranger):
    rollout = store.open_rollout(engine, plan(), APRIL, OPENED_BY)
    store.record(engine, rollout, tick(rollout, phase=Phase.RAMP, share_bp=500, step=1))
    done = refused(stranger, tmp_path, "rollback", SERVICE, "--as", "chief@example.org", "--reason", "smoke")
    assert "refuses our auth string (401); set PREFECT_API_AUTH_STRING" in done.stderr
    assert "what was recorded before stands" in done.stderr
    assert "recorded: rollback flights-gbm-1" in done.stdout
    assert [order.verb for order in store.open_orders(engine, rollout.id)] == [Verb.ROLLBACK]
