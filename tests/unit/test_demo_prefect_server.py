"""The Prefect server of a run keeps to itself."""

import os

from deployments.prefect_server import flows_here, prefect_env

API = "http://127.0.0.1:4999/api"


def test_prefect_lives_in_the_run_and_tells_nobody(tmp_path):
    env = prefect_env(tmp_path)
    assert env["PREFECT_HOME"] == str(tmp_path)
    assert (env["PREFECT_SERVER_ANALYTICS_ENABLED"], env["DO_NOT_TRACK"]) == ("false", "1")
    assert env["PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT"] == "false"
    assert all(isinstance(value, str) for value in env.values())


def test_an_address_is_set_only_where_there_is_one(tmp_path):
    assert "PREFECT_API_URL" not in prefect_env(tmp_path)
    assert prefect_env(tmp_path, API)["PREFECT_API_URL"] == API


def test_a_slot_of_a_run_that_died_comes_free_again(tmp_path):
    name = prefect_env(tmp_path)["PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE"]
    module = __import__(name, fromlist=["ConcurrencyLeaseStorage"])
    assert module.ConcurrencyLeaseStorage


def test_flows_called_here_go_to_that_server(tmp_path, monkeypatch):
    from prefect.settings import PREFECT_API_URL

    for name, value in prefect_env(tmp_path, API).items():
        monkeypatch.setenv(name, os.environ.get(name, value))  # so that all of it is put back
    before = PREFECT_API_URL.value()
    with flows_here(tmp_path, API):
        assert PREFECT_API_URL.value() == API
    assert PREFECT_API_URL.value() == before
