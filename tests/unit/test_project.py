"""The doors of the house: whose packages these are, what is shipped, and what the core does not know."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PACKAGES = ("headgate", "tasks", "flows", "deployments")
FORBIDDEN = ("prefect", "httpx", "sqlmodel", "sqlalchemy")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def contract(name):
    """Return one contract of import-linter, so that the list of core packages is kept in one place."""
    (found,) = (c for c in PROJECT["tool"]["importlinter"]["contracts"] if name in c["name"])
    return found


def python(code, *words, cwd=ROOT):
    """Run code in a new interpreter; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_flows_and_tasks_are_ours(tmp_path):
    """Their names are so plain that another package could bring them."""
    code = "import importlib, sys\nfor name in sys.argv[1:]: print(importlib.import_module(name).__file__)"
    assert python(code, *PACKAGES, cwd=tmp_path) == [str(ROOT / name / "__init__.py") for name in PACKAGES]


# Imports every module of the packages named first and prints those after the dash that came along.
EVERYTHING = """
import importlib, pkgutil, sys
packages, unwanted = (part.split(",") for part in sys.argv[1:])
for package in packages:
    module = importlib.import_module(package)
    for found in pkgutil.walk_packages(getattr(module, "__path__", []), package + "."):
        importlib.import_module(found.name)
print(*sorted(set(unwanted) & set(sys.modules)))
"""


def test_the_core_is_imported_without_prefect_the_network_or_the_database():
    core = contract("the core knows neither")
    assert set(core["forbidden_modules"]) == set(FORBIDDEN)
    assert python(EVERYTHING, ",".join(core["source_modules"]), ",".join(FORBIDDEN)) == []


def test_every_package_of_the_core_is_named_in_its_contract():
    named = {module.split(".")[1] for module in contract("the core knows neither")["source_modules"]}
    there = {path.stem for path in (ROOT / "headgate").iterdir() if path.suffix == ".py" or path.is_dir()}
    assert there - {"__init__", "__pycache__", "cli", "adapters"} == named


def test_the_command_line_waits_with_prefect_until_a_flow_runs():
    assert python("import sys, headgate.cli; print(*({'prefect', 'matplotlib'} & set(sys.modules)))") == []


# ---------------------------------------------------------------- what is shipped


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The names in the wheel, built as anybody would get it."""
    from hatchling.builders.wheel import WheelBuilder

    (path,) = WheelBuilder(str(ROOT)).build(
        directory=str(tmp_path_factory.mktemp("wheel")), versions=["standard"]
    )
    with zipfile.ZipFile(path) as held:
        return set(held.namelist())


def test_the_wheel_holds_every_module_of_the_four_packages(wheel):
    assert tuple(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) == PACKAGES
    ours = {str(path.relative_to(ROOT)) for name in PACKAGES for path in (ROOT / name).rglob("*.py")}
    assert ours <= wheel


def test_the_wheel_holds_what_modules_read_beside_themselves(wheel):
    for name in ("headgate", "deployments"):
        beside = {
            str(path.relative_to(ROOT))
            for path in (ROOT / name).rglob("*")
            if path.is_file() and path.suffix in {".j2", ".mako", ".yaml", ".typed"}
        }
        assert beside
        assert beside <= wheel


def test_the_wheel_holds_nothing_else(wheel):
    tops = {name.split("/")[0] for name in wheel}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)
    assert not any("__pycache__" in name for name in wheel)


# ---------------------------------------------------------------- deployments


def deployments():
    return yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]


@pytest.mark.parametrize("deployment", deployments(), ids=lambda d: f"{d['entrypoint']}-{d['name']}")
def test_every_deployment_names_a_flow_by_its_module_and_gives_it_what_it_takes(deployment):
    from prefect.flows import load_flow_from_entrypoint

    entrypoint = deployment["entrypoint"]
    assert "/" not in entrypoint
    assert ".py" not in entrypoint
    flow = load_flow_from_entrypoint(entrypoint)
    taken = set(flow.parameters.properties)
    assert set(deployment.get("parameters") or {}) <= taken
