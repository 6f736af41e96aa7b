"""The real model servers, as processes of their own, over real HTTP."""

import signal
import subprocess
import sys

import httpx
import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import sklearn

from deployments.flights import pilot, serving
from deployments.flights.requests import NUMBERS
from deployments.flights.shelf import load
from deployments.flights.training import columns_of
from deployments.processes import Processes
from headgate.errors import InputError

INFER = "/v2/models/delays/infer"


@pytest.fixture(scope="module")
def trained(flights_models):
    return flights_models


@pytest.fixture(scope="module")
def requests(flights_lake):
    return pq.read_table(flights_lake / "requests" / "2013-03.parquet").slice(5_000, 256)


@pytest.fixture(scope="module")
def servers(trained, tmp_path_factory):
    """Clients of three servers: incumbent, candidate, and the candidate that lost a step."""
    with Processes(tmp_path_factory.mktemp("logs")) as processes:
        ports = {
            "incumbent": pilot.serve(processes, trained.incumbent),
            "candidate": pilot.serve(processes, trained.candidate),
            "broken": pilot.serve(
                processes, trained.candidate, "--lose-step", "departure-minutes", "--version", "gbm-3"
            ),
        }
        clients = {name: httpx.Client(base_url=f"http://127.0.0.1:{port}") for name, port in ports.items()}
        yield clients
        for client in clients.values():
            client.close()


def chances(client, rows):
    answer = client.post(INFER, content=pilot.body_of(rows)).raise_for_status().json()
    (output,) = answer["outputs"]
    assert (output["name"], output["datatype"], output["shape"]) == ("probability", "FP64", [rows.num_rows])
    return output["data"]


@pytest.mark.parametrize(
    ("side", "version"), [("incumbent", "logistic-1"), ("candidate", "gbm-2"), ("broken", "gbm-3")]
)
def test_every_answer_names_the_version(servers, requests, side, version):
    client = servers[side]
    about = client.get("/v2/models/delays").json()
    assert (about["name"], about["versions"]) == ("delays", [version])
    assert client.get("/v2/models/delays/ready").json() == {
        "name": "delays",
        "version": version,
        "ready": True,
    }
    answer = client.post(INFER, content=pilot.body_of(requests.slice(0, 1))).json()
    assert (answer["model_name"], answer["model_version"]) == ("delays", version)
    for path in ("/v2/health/live", "/v2/health/ready", "/v2/models/delays", "/v2/models/other"):
        assert client.get(path).headers["x-model-version"] == version


@pytest.mark.parametrize("side", ["incumbent", "candidate"])
def test_served_answers_are_the_trained_models_in_a_batch_and_one_by_one(servers, trained, requests, side):
    model = load(getattr(trained, side))
    expected = model.probability(columns_of(requests))
    np.testing.assert_allclose(chances(servers[side], requests), expected, rtol=0, atol=1e-12)
    singly = [chances(servers[side], requests.slice(i, 1))[0] for i in range(20)]
    np.testing.assert_allclose(singly, expected[:20], rtol=0, atol=1e-12)
    assert len(set(np.round(expected, 6))) > 20


def test_the_server_that_lost_a_step_answers_fluently_and_wrongly(servers, trained, requests):
    model = load(trained.candidate)
    lost = model.estimator.predict_proba(
        model.preprocessing.without("departure-minutes").matrix(columns_of(requests))
    )
    np.testing.assert_allclose(chances(servers["broken"], requests), lost[:, 1], rtol=0, atol=1e-12)
    difference = np.subtract(chances(servers["candidate"], requests), chances(servers["broken"], requests))
    assert np.abs(difference).mean() > 0.05


def test_requests_with_gaps_are_answered_and_a_gap_the_incumbent_cannot_bridge_is_named(servers, requests):
    rows = requests.slice(0, 1)
    for name in ("temp", "plane_age", "distance"):
        field = rows.schema.field(name).with_nullable(True)
        rows = rows.set_column(rows.column_names.index(name), field, pc.if_else(False, rows[name], None))
    assert 0 <= chances(servers["candidate"], rows)[0] <= 1
    refused = servers["incumbent"].post(INFER, content=pilot.body_of(rows))
    assert refused.status_code == 400
    assert refused.json()["error"] == "tensor 'distance': null in row 0; this model has no answer without it"


@pytest.mark.parametrize("side", ["incumbent", "candidate"])
def test_a_malformed_request_is_told_which_tensor(servers, side):
    tensor = {"name": "sched_dep", "shape": [1], "datatype": "FP64", "data": ["noon"]}
    refused = servers[side].post(INFER, json={"inputs": [tensor]})
    assert refused.status_code == 400
    assert refused.json()["error"].startswith("tensor 'sched_dep': asked for numbers or null, found text")
    assert refused.json()["model_version"] == refused.headers["x-model-version"]


def test_another_models_name_is_not_found(servers):
    client = servers["candidate"]
    for answer in (client.get("/v2/models/fraud"), client.post("/v2/models/fraud/infer", content=b"{}")):
        assert answer.status_code == 404
        assert answer.json() == {"error": "asked for model 'fraud', this server has 'delays'"}


def test_a_server_told_to_stop_leaves_well(trained, tmp_path):
    with Processes(tmp_path) as processes:
        port = pilot.serve(processes, trained.incumbent)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            client.get("/v2/health/live").raise_for_status()  # an idle connection does not hold it up
            (child,) = processes.children
            child.process.send_signal(signal.SIGTERM)
            assert child.process.wait(10) == 0
    assert child.log.read_text() == ""


def test_one_thread_is_set_by_the_process_itself_before_scikit_learn(trained):
    code = """
import os, sys
from deployments.flights import serving
assert not {"sklearn", "skops", "pandas", "prefect"} & set(sys.modules)
try:
    serving.main(["--model", sys.argv[1], "--name", "delays", "--port", "1", "--lose-step", "none"])
except SystemExit as left:
    assert left.code == 2
from threadpoolctl import threadpool_info
assert {p["num_threads"] for p in threadpool_info() if p["user_api"] == "openmp"} == {1}
assert not {"prefect", "matplotlib"} & set(sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(trained.candidate)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "asked to lose step 'none'; the steps are departure-minutes, carrier-share-late" in done.stderr


def test_a_model_that_cannot_be_fed_is_not_opened(trained):
    with sklearn.config_context(), pytest.raises(InputError, match="numbers in 'dest', found words"):
        serving.open_model(trained.candidate, "dest-share-late")


def test_the_pilot_measures_both_sides(servers, requests):
    ports = {side: servers[side].base_url.port for side in ("incumbent", "candidate")}
    figures = pilot.measure(ports, requests, count=300, seed=1)
    assert set(figures["single_ms"]) == {"incumbent", "candidate"}
    for name in ("p50", "p95", "p99"):
        assert figures["ratio"][name] == pytest.approx(
            figures["single_ms"]["candidate"][name] / figures["single_ms"]["incumbent"][name]
        )
    assert all(rate > 0 for rate in figures["rows_per_second"].values())
    assert len(NUMBERS) + 3 == pilot.body_of(requests.slice(0, 1)).count(b'"name"')
