"""M19: the example's real servers against what was recorded of them at training."""

from __future__ import annotations

import json
import threading
from contextlib import ExitStack, contextmanager

import httpx
import pytest
import sklearn
import uvicorn
import yaml
from typer.testing import CliRunner

from deployments.flights import serving
from deployments.flights.requests import WORDS
from deployments.processes import ROOT
from deployments.stack import LOST_STEP
from headgate import parity
from headgate.adapters import goldens
from headgate.adapters.lake import Lake
from headgate.adapters.places import place_of
from headgate.adapters.shelf import FolderShelf
from headgate.cli import app
from headgate.parity.wire import FINGERPRINT
from headgate.plan import load_plan
from headgate.plan.parity import ParityCheck
from headgate.ports import PARITY, Side
from tasks import wiring
from tests.builders import settings_in


@pytest.fixture(scope="module")
def shelf(flights_models):
    return FolderShelf(place_of(flights_models.candidate.parent.parent))


@pytest.fixture(scope="module")
def ports(flights_models):
    """The candidate as trained, and the one that lost a step under the same version; real HTTP."""
    with sklearn.config_context(), ExitStack() as stack:
        yield {
            name: stack.enter_context(_served(serving.open_model(flights_models.candidate, lost)))
            for name, lost in (("good", None), ("bad", LOST_STEP))
        }


@contextmanager
def _served(model):
    app = serving.build_app(model, name="delays", version="gbm-2")
    running = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    while not running.started:
        threading.Event().wait(0.005)
    yield running.servers[0].sockets[0].getsockname()[1]
    running.should_exit = running.force_exit = True
    thread.join(timeout=10)


@pytest.fixture
def plan_of(tmp_path, ports, flights_lake):
    """The example's plan as a file, with its candidate at one of the servers."""

    def write(server, **changes):
        body = yaml.safe_load((ROOT / "deployments/flights/plan.yaml").read_text())
        body["candidate"]["url"] = f"http://127.0.0.1:{ports[server]}"
        body["requests"]["path"] = str(flights_lake / "requests")
        path = tmp_path / f"{server}.yaml"
        path.write_text(yaml.safe_dump(body | changes))
        return path

    return write


@pytest.fixture
def wired(tmp_path, flights_models):
    """Commands that find this shelf and this lake, and need no store."""
    settings = settings_in(tmp_path, shelf=str(flights_models.candidate.parent.parent))
    with wiring.use(wiring.Wiring(None, Lake(tmp_path / "exchanges", base=tmp_path), None, settings)):
        yield


def look(path, **how):
    plan = load_plan(path)
    shelf = wiring.shelf_alone()
    plan = plan.model_copy(update={"serving": plan.serving.model_copy(update={"timeout": plan.watch})})
    return goldens.look(plan, ParityCheck(**how), Side.CANDIDATE, shelf, ROOT)


def test_golden_examples_are_kept_with_the_model_and_in_its_card(shelf):
    for version in ("logistic-1", "gbm-2"):
        golden = parity.from_bytes(shelf.read("delays", version, PARITY))
        card = shelf.find("delays", version).card
        assert golden.recipe.names[0] == LOST_STEP
        assert card["parity"] == golden.summary()
        assert card["parity"]["examples"] == 64
    assert golden.recipe.names == (
        LOST_STEP, "carrier-share-late", "origin-share-late", "dest-share-late", "features",
    )  # fmt: skip


@pytest.mark.usefixtures("wired")
def test_m19_the_real_server_that_lost_a_step_is_told_from_the_right_one_and_the_step_is_named(
    plan_of, ports
):
    right, wrong = look(plan_of("good")), look(plan_of("bad"))
    assert (right.passed, wrong.passed) == (True, False)
    first = wrong.found.differences[0]
    assert (first.slip, first.step) == (parity.Slip.DROPPED, LOST_STEP)
    assert len(first.rows) == 64
    assert wrong.said.startswith(
        f"step {LOST_STEP} is dropped; it made sched_dep (changes all 64 golden rows)"
    )
    # The same server without its telling: by its answers alone.
    silent = look(plan_of("bad"), compare="answers")
    assert silent.found.differences[0].step == LOST_STEP
    told = {
        name: httpx.get(f"http://127.0.0.1:{port}/v2/models/delays").json() for name, port in ports.items()
    }
    marks = {name: body["parameters"][FINGERPRINT] for name, body in told.items()}
    assert told["good"]["versions"] == told["bad"]["versions"]
    assert marks["good"] == right.found.fingerprint != marks["bad"]


@pytest.mark.usefixtures("wired")
def test_the_command_records_a_server_and_names_what_another_one_lost(plan_of, tmp_path):
    run = CliRunner().invoke
    file = tmp_path / "golden" / "gbm-2.parity"
    slow = {
        "serving": {"timeout": "20s", "fallback": ["incumbent"]},
        "parity": {"record": str(file.with_name("{version}.parity"))},
    }
    good, bad = plan_of("good", **slow), plan_of("bad", **slow)
    recorded = run(app, ["parity", "record", str(good), "--out", str(file), "--now", "2013-04-01T00:00:00Z"])
    assert recorded.exit_code == 0, recorded.output
    assert LOST_STEP in recorded.output
    assert parity.from_bytes(file.read_bytes()).rows == 64
    again = run(app, ["parity", "record", str(good), "--out", str(file), "--now", "2013-04-01T00:00:00Z"])
    assert (again.exit_code, "name another file" in again.output) == (2, True)
    assert run(app, ["parity", "check", str(good)]).exit_code == 0
    found = run(app, ["parity", "check", str(bad), "--json"])
    assert found.exit_code == 1
    said = json.loads(found.stdout)
    assert (said["holds"], said["differences"][0]["step"]) == (False, LOST_STEP)
    wrong = run(app, ["parity", "check", str(bad), "--side", "both"])
    assert (wrong.exit_code, "candidate or incumbent" in wrong.output) == (2, True)


def test_stages_are_only_told_where_they_are_asked(ports, shelf):
    golden = parity.from_bytes(shelf.read("delays", "gbm-2", PARITY))
    inputs = [
        {"name": name, "shape": [1], "datatype": "BYTES" if name in WORDS else "FP64", "data": values[:1]}
        for name, values in golden.inputs.items()
    ]  # fmt: skip
    url = f"http://127.0.0.1:{ports['good']}/v2/models/delays/infer"
    for parameters in ({}, {"headgate_stages": False}, {"headgate_stages": "yes"}):
        (output,) = httpx.post(url, json={"inputs": inputs, "parameters": parameters}).json()["outputs"]
        assert output["name"] == "probability"
    told = httpx.post(url, json={"inputs": inputs, "parameters": {"headgate_stages": True}}).json()
    assert told["parameters"][FINGERPRINT] == golden.fingerprint
    assert [one["name"] for one in told["outputs"][:3]] == [
        "probability", "headgate/steps", "headgate/stage/0/sched_dep",
    ]  # fmt: skip
