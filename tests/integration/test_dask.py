"""Windows spread over a Dask cluster of two worker processes: the same results as in one process."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from prefect import flow
from sqlalchemy import Engine

from deployments.processes import Processes, free_port
from headgate.adapters import store
from headgate.adapters.lake import Lake
from headgate.errors import InputError
from headgate.profile import Profile
from tasks import wiring
from tasks.parts import profile_part, profile_requests
from tasks.spreading import over_parts
from tests.builders import APRIL, plan, settings_in
from tests.scenarios.small import SMALL, logs, write
from tests.scenarios.world import World, world

pytestmark = pytest.mark.prefect
HOUR = timedelta(hours=1)
COLUMNS = ["signal", "region"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """The folder that the workers' settings name."""
    return tmp_path_factory.mktemp("spread") / "home"


@pytest.fixture(scope="module")
def cluster(home, prefect_api, tmp_path_factory):
    """A scheduler and two worker processes, started as people start them."""
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    env = {**os.environ, "HEADGATE_HOME": str(home), "PREFECT_API_URL": prefect_api}
    python, module = sys.executable, "distributed.cli"
    with Processes(tmp_path_factory.mktemp("dask")) as processes:
        scheduler = [python, "-m", f"{module}.dask_scheduler", "--host", "127.0.0.1", "--port", str(port)]
        processes.start("scheduler", [*scheduler, "--no-dashboard"], env)
        worker = [python, "-m", f"{module}.dask_worker", address, "--nthreads", "1", "--no-nanny"]
        both = [processes.start(f"worker-{i}", [*worker, "--no-dashboard"], env) for i in range(2)]
        for one in both:
            processes.wait(one, lambda one=one: "Registered to:" in one.log.read_text(), seconds=120)
        yield address


def wired(folder: Path, dask: str | None) -> wiring.Wiring:
    """Return the lake of a folder, and a cluster."""
    lake = Lake(folder / "lake", base=folder)
    return wiring.Wiring(Engine, lake, lambda _: pytest.fail("no plane"), settings_in(folder, dask=dask))


def scored(of: World, dask: str | None) -> tuple[pa.Table, list[dict[str, int]]]:
    """Score two windows of twelve hours; return the exchanges, and what was counted in each."""
    with wiring.use(replace(of.wired, settings=settings_in(of.home, dask=dask))):
        of.open()
        of.tick()
        of.tick()
        of.now = APRIL + 25 * HOUR
        assert of.shadow("12h") == 2
    windows = store.windows(of.engine, of.rollout)
    return of.wired.lake.read_exchanges(of.rollout, APRIL, of.now), [dict(one.counts) for one in windows]


@pytest.mark.usefixtures("prefect")
def test_m28_a_window_scored_over_a_cluster_is_the_window_scored_in_one_process(
    cluster, home, models, tmp_path
):
    with world(tmp_path / "alone", models) as alone:
        expected = scored(alone, None)
    with world(home, models) as spread:
        found = scored(spread, cluster)
    assert expected[0].num_rows > 100
    assert found[0].equals(expected[0])
    assert found[1] == expected[1]


@pytest.mark.usefixtures("prefect")
def test_m28_a_profile_taken_over_a_cluster_is_the_profile_of_the_whole(cluster, home):
    if not (home / "requests").exists():
        write(home, *logs())

    @flow
    def profiled(dask: str | None) -> Profile:
        with wiring.use(wired(home, dask)):
            return profile_requests(plan(**SMALL), APRIL, APRIL + 240 * HOUR, COLUMNS)

    alone, spread = profiled(None), profiled(cluster)
    assert spread.rows == alone.rows == 1_440
    signal, region = spread.columns["signal"], spread.columns["region"]
    assert region == alone.columns["region"]
    assert (signal.cells.tolist(), signal.counts.tolist()) == (
        alone.columns["signal"].cells.tolist(),
        alone.columns["signal"].counts.tolist(),
    )
    assert signal.mean == pytest.approx(alone.columns["signal"].mean, rel=1e-12)


def test_a_cluster_that_is_not_there_is_named(tmp_path):
    nobody = f"tcp://127.0.0.1:{free_port()}"
    with (
        wiring.use(wired(tmp_path, nobody)),
        pytest.raises(InputError, match=f"HEADGATE_DASK: asked a Dask scheduler at {nobody}"),
    ):
        over_parts(profile_part, APRIL, APRIL + HOUR)
