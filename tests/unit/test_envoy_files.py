"""What a full disk does to the files that Envoy serves by: nothing."""

import pytest

from headgate.adapters.planes.envoy_files import RunDir
from headgate.adapters.planes.folder import read_json
from headgate.errors import PlaneUnavailable
from tests.unit.test_tasks_killing import full_disk


def test_a_full_disk_is_told_and_the_route_that_was_in_force_stays(tmp_path):
    files = RunDir(tmp_path)
    files.make()
    files.publish(files.routes, {"share": 500})
    with full_disk(tmp_path), pytest.raises(PlaneUnavailable, match=r"rds\.json.*make room.*stays"):
        files.publish(files.routes, {"share": 0})
    assert read_json(files.routes) == {"share": 500}
    files.publish(files.routes, {"share": 0})
    assert read_json(files.routes) == {"share": 0}
