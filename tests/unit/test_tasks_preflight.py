"""Before its first request a rollout is checked, and what its gates split by is frozen."""

from datetime import timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headgate.adapters import store
from headgate.adapters.planes.in_process import InProcessPlane
from headgate.ports import Capabilities
from tasks import wiring
from tasks.evidence import SEGMENTS, segments_of
from tasks.preflight import LOOK_BACK, preflight
from tests.builders import APRIL, PLAN
from tests.unit.task_cases import opened

DAY = timedelta(days=1)
VERSIONS = ("logistic-1", "gbm-2")
REQUESTS = {"path": "requests", "id": "request_id", "at": "at"}
OUTCOMES = {**PLAN["outcomes"], "path": "outcomes"}
INPUT = {"columns": {"region": {"type": "category", "values": ["north", "south", "east"]}}}
SEGMENTED = {"by": ["region"], "floor": 0.1, "gates": {"quality": 0.1}}


@pytest.fixture
def logs(tmp_path, requests_log):
    """Requests of the four weeks before, and an outcome for each."""
    requests_log(days=(-28, 0), n=100)
    outcomes(tmp_path)
    return tmp_path


def outcomes(folder, n=10):
    (folder / "outcomes").mkdir(exist_ok=True)
    known = pa.array([APRIL - DAY] * n, pa.timestamp("us", tz="UTC"))
    table = pa.table({"request_id": [f"r{i}" for i in range(n)], "late": [0] * n, "known_at": known})
    pq.write_table(table, folder / "outcomes" / "log.parquet")


def checks(case, versions=VERSIONS):
    return {check.name: check for check in preflight(case, versions, APRIL)}


def case(**changes):
    return opened(requests=REQUESTS, outcomes=OUTCOMES, **changes)


@pytest.mark.usefixtures("wired", "logs")
def test_where_everything_is_as_agreed_every_check_passes_and_says_what_it_saw():
    found = checks(case(input=INPUT, segments=SEGMENTED))
    assert list(found) == ["incumbent", "candidate", "plane", "requests", "outcomes", "segments"]
    assert all(check.passed for check in found.values())
    assert found["requests"].reason.startswith("100 requests in 28 days, 0 outside the ")
    assert found["outcomes"].reason == "10 outcomes in 28 days"
    assert found["plane"].reason == "in-process is up"


@pytest.mark.usefixtures("wired", "logs")
def test_a_server_with_another_version_fails_and_names_both():
    found = checks(case(), ("logistic-1", "gbm-3"))
    assert found["incumbent"].passed
    assert found["candidate"].passed is False
    assert found["candidate"].reason == "the plan asks version gbm-2; its server answers as gbm-3"


@pytest.mark.usefixtures("wired", "logs")
def test_a_server_that_does_not_say_its_version_is_waited_for():
    found = checks(case(), (None, "gbm-2"))["incumbent"]
    assert (found.passed, found.reason) == (None, "its server does not answer at http://127.0.0.1:8101")


@pytest.mark.usefixtures("logs")
def test_a_plane_that_does_not_answer_is_waited_for(wired):
    wired.plane_of("flight-delays").reachable = False
    assert checks(case())["plane"].passed is None


class Coarse(InProcessPlane):
    """A plane that sets whole percents and copies nothing."""

    def capabilities(self):
        return Capabilities(kind="coarse", step_bp=100, mirror=False)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"steps": [{"percent": 0}, {"percent": 2.5}, {"percent": 100}]}, "coarse cannot set [2.5] %"),
        (
            {
                "gates": [
                    *PLAN["gates"],
                    {
                        "name": "mirror", "metric": "latency", "quantile": 0.9, "ratio": 2,
                        "applies": "shadow",
                    },
                ]
            },
            "a gate needs a mirror; coarse has none",
        ),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("logs")
def test_a_plane_that_cannot_do_what_the_plan_asks_fails(wired, changes, reason):
    coarse = Coarse()
    with wiring.use(wiring.Wiring(wired.engine, wired.lake, lambda _: coarse)):
        found = checks(case(**changes))["plane"]
    assert (found.passed, found.reason) == (False, reason)


@pytest.mark.usefixtures("wired")
def test_no_history_fails_and_asks_whether_the_path_is_right(tmp_path, requests_log):
    requests_log(days=(-60, -30), n=10)
    outcomes(tmp_path)
    found = checks(case(segments=SEGMENTED))
    assert found["requests"].passed is False
    assert found["requests"].reason.endswith("is requests.path the live log?")


@pytest.mark.usefixtures("wired")
def test_a_log_that_is_not_there_fails_with_its_path():
    found = checks(case())
    assert found["requests"].passed is False
    assert "found nothing there; correct the path in the plan" in found["requests"].reason


@pytest.mark.usefixtures("wired", "logs")
def test_requests_outside_the_contract_are_counted_and_no_reason_to_stop():
    only = {"columns": {"region": {"type": "category", "values": ["north"]}}}
    found = checks(case(input=only))["requests"]
    assert found.passed
    assert found.reason.startswith("100 requests in 28 days, 40 outside the ")


@pytest.mark.usefixtures("wired")
def test_outcomes_that_are_not_there_fail(logs):
    (logs / "outcomes" / "log.parquet").unlink()
    found = checks(case())["outcomes"]
    assert found.passed is False
    assert "outcomes.path" in found.reason


@pytest.mark.usefixtures("logs")
def test_only_segments_above_the_floor_are_frozen(wired):
    # north 60 %, south 30 %, east 10 %; what is empty is no segment.
    this = case(segments={**SEGMENTED, "floor": 0.3})
    found = checks(this)["segments"]
    assert found.reason == "segments frozen: region: north, south"
    assert segments_of(this) == {"region": ("north", "south")}
    assert store.facts(wired.engine, this.rollout.id)[SEGMENTS] == {"region": ["north", "south"]}


@pytest.mark.usefixtures("wired", "logs")
def test_a_share_exactly_at_the_floor_is_a_segment():
    this = case(segments={**SEGMENTED, "floor": 0.1})
    checks(this)
    assert segments_of(this) == {"region": ("east", "north", "south")}


@pytest.mark.usefixtures("wired", "logs")
def test_segments_are_frozen_once(requests_log):
    this = case(segments=SEGMENTED)
    first = checks(this)["segments"]
    requests_log(days=(-28, 0), n=3)  # all from the north
    assert checks(this)["segments"] == first
    assert segments_of(this) == {"region": ("east", "north", "south")}


@pytest.mark.usefixtures("wired", "logs")
def test_no_segment_above_the_floor_is_said():
    found = checks(case(segments={**SEGMENTED, "floor": 0.9}))["segments"]
    assert found.reason == "segments frozen: region: none above the floor"


def test_the_look_back_is_four_weeks():
    assert LOOK_BACK == 28 * DAY
