"""Which plane a service gets, what a plan may ask of it, and how people look at it."""

import json
from dataclasses import replace

import pytest
import yaml
from typer.testing import CliRunner

from headgate import cli
from headgate.adapters import store
from headgate.adapters.planes.envoy import EnvoyPlane
from headgate.adapters.planes.haproxy import HAProxyPlane
from headgate.adapters.planes.in_process import InProcessPlane
from headgate.errors import InputError
from headgate.plan.planes import PLANES
from headgate.ports import Capabilities
from headgate.rollout.state import Outcome, Phase
from tasks import wiring
from tasks.ledger import case_of
from tasks.preflight import _plane
from tasks.traffic import route_of
from tests.builders import PLAN, plan
from tests.integration.stores import tick
from tests.unit.task_cases import opened as case

HAPROXY = {"plane": {"kind": "haproxy"}}


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEADGATE_HOME", str(tmp_path))
    monkeypatch.setenv("HEADGATE_STORE_URL", f"sqlite:///{tmp_path / 'store.db'}")
    return tmp_path


@pytest.fixture
def plan_file(home):
    def write(**changes):
        path = home / "plan.yaml"
        path.write_text(yaml.safe_dump({**PLAN, **changes}), encoding="utf-8")
        return str(path)

    return write


def run(*arguments):
    return CliRunner().invoke(cli.app, arguments, catch_exceptions=False)


def test_the_folder_says_which_plane_serves_and_another_plan_does_not_change_that(home):
    folder = home / "runs" / "planes" / "flight-delays"
    folder.mkdir(parents=True)
    for telltale, kind in (("bootstrap.json", EnvoyPlane), ("haproxy.cfg", HAProxyPlane)):
        (folder / telltale).write_text("")
        assert isinstance(wiring.plane_alone("flight-delays")[0], kind)
        (folder / telltale).unlink()


def test_half_a_certificate_is_refused_before_anything_is_started(home, monkeypatch):
    (home / "runs" / "planes" / "flight-delays").mkdir(parents=True)
    monkeypatch.setenv("HEADGATE_PLANE_KEY", "key.pem")
    with pytest.raises(InputError, match="found HEADGATE_PLANE_KEY alone"):
        wiring.plane_alone("flight-delays")


@pytest.mark.usefixtures("wired")
def test_no_mirror_is_asked_of_a_plane_that_has_none():
    for changes, mirrors in (({}, True), (HAPROXY, False)):
        queued = case(name=f"gbm-{mirrors}".lower(), **changes)
        assert route_of(queued, replace(queued.state, phase=Phase.SHADOW)).mirror is mirrors


class Saying(InProcessPlane):
    def __init__(self, said):
        super().__init__()
        self._said = said

    def capabilities(self):
        return self._said


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (PLANES["envoy"], "the plan asks for haproxy; the callers of"),
        (Capabilities(kind="own", hash="crc32(entity)"), "own assigns by crc32"),
    ],
)
def test_preflight_refuses_a_plane_that_is_not_the_plans(wired, said, why):
    with wiring.use(wiring.Wiring(wired.engine, wired.lake, lambda _: Saying(said))):
        found = _plane(case(**HAPROXY))
    assert found.passed is False
    assert why in found.reason


def test_a_plan_that_asks_for_a_mirror_on_a_plane_without_one_is_refused_with_its_line(plan_file):
    gate = {"name": "mirror", "metric": "latency", "quantile": 0.9, "ratio": 2, "applies": "shadow"}
    path = plan_file(gates=[*PLAN["gates"], gate], **HAPROXY)
    told = json.loads(run("validate", path, "--json").stdout)
    (problem,) = told["problems"]
    assert problem["where"] == f"gates[{len(PLAN['gates'])}].applies"
    assert "cannot mirror" in problem["asked"]
    assert problem["line"] > 1
    assert run("validate", plan_file(**HAPROXY)).exit_code == 0


@pytest.mark.parametrize("kind", ["envoy", "haproxy"])
def test_a_route_is_rendered_without_starting_anything(plan_file, home, kind):
    done = run("plane", "render", plan_file(), "--percent", "25", "--as", kind, "--out", str(home / "out"))
    assert done.exit_code == 0, done.output
    told = "".join(path.read_text() for path in (home / "out").rglob("*") if path.is_file())
    assert "2500|300|" in told or '"weight": 2500' in told
    assert not (home / "runs").exists()
    assert run("plane", "render", plan_file(), "--as", kind).exit_code == 0
    assert run("plane", "render", plan_file(), "--as", "nginx").exit_code == 2
    assert run("plane", "show", "flight-delays").exit_code == 2


def standing(of, **state):
    """Let a tick write this down, and the plane hear of it."""
    store.record(wiring.build().engine, of.rollout, tick(of.rollout, **state))
    now = case_of(of.rollout)
    wiring.build().plane_of("flight-delays").apply(route_of(now, now.state))


@pytest.mark.usefixtures("wired")
def test_before_any_traffic_there_is_nothing_to_hold_the_plane_against():
    case()
    done = run("plane", "verify", "flight-delays")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "no rollout of it has moved traffic" in done.stderr


def test_a_rollout_in_preflight_does_not_hide_what_became_of_the_last_ones_share(wired):
    last = case()
    standing(last, phase=Phase.DONE, outcome=Outcome.PROMOTED, share_bp=10_000, generation=3)
    case(name="next")
    assert run("plane", "verify", "flight-delays").exit_code == 0
    wired.plane_of("flight-delays").cut_off()
    done = run("plane", "verify", "flight-delays")
    assert done.exit_code == 1
    assert "disagrees: 100 % on record, 0 % in force" in done.stdout
    assert "does nothing: the rollout is over" in done.stdout


def test_the_hash_of_a_plan_with_another_plane_is_another_one():
    assert plan().hash != plan(**HAPROXY).hash
