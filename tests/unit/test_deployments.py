"""What `prefect.yaml` deploys: every flow, with a form that says what each field is."""

import importlib
import pkgutil
from pathlib import Path

import pytest
import yaml
from prefect import Flow
from prefect.utilities.callables import parameter_schema

import flows

ENTRIES = yaml.safe_load((Path(__file__).parents[2] / "prefect.yaml").read_text())["deployments"]
SCHEDULED = {"advance", "shadow", "monitor", "parity", "retrain", "tell", "publish"}


def flow_of(entry):
    module, name = entry["entrypoint"].rsplit(".", 1)
    return getattr(importlib.import_module(module), name)


def test_every_flow_is_deployed_once():
    there = set()
    for module in pkgutil.iter_modules(flows.__path__, "flows."):
        found = vars(importlib.import_module(module.name)).values()
        there |= {flow.name for flow in found if isinstance(flow, Flow)}
    deployed = [flow_of(entry).name for entry in ENTRIES]
    assert sorted(deployed) == sorted(there)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["entrypoint"])
def test_its_form_says_what_every_field_is_and_its_defaults_fit(entry):
    flow = flow_of(entry)
    fields = parameter_schema(flow.fn).properties
    bare = [name for name, field in fields.items() if not field.get("description")]
    assert not bare, f"{flow.name}: describe {bare} in an `Args:` section, which is all that Prefect reads"
    assert set(entry.get("parameters", {})) <= set(fields)
    assert entry["description"].strip()


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["entrypoint"])
def test_it_is_named_for_its_service_scheduled_if_nobody_starts_it_and_never_twice_at_once(entry):
    flow = flow_of(entry)
    bound = "flight-delays" in map(str, entry.get("parameters", {}).values())
    assert entry["name"] == ("flight-delays" if bound else "default")
    assert ("service:flight-delays" in entry["tags"]) == bound
    assert bool(entry.get("schedules")) == (flow.name in SCHEDULED)
    if flow.name in SCHEDULED:
        # A second tick would find nothing new; a second bell may, so it waits for its turn.
        second = "ENQUEUE" if flow.name == "tell" else "CANCEL_NEW"
        assert entry["concurrency_limit"] == {"limit": 1, "collision_strategy": second}
