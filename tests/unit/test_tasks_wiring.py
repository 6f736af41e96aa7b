"""The adapters are picked in one place, and a test can put others there for a while."""

import pytest

from headgate.adapters.planes.envoy import EnvoyPlane
from headgate.errors import InputError
from tasks import wiring


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEADGATE_HOME", str(tmp_path))
    monkeypatch.setenv("HEADGATE_STORE_URL", f"sqlite:///{tmp_path / 'store.db'}")
    yield tmp_path
    wiring.build().engine.dispose()


def other(wired):
    return wiring.Wiring(wired.engine, wired.lake, wired.plane_of)


def test_the_innermost_use_is_in_force_and_the_outer_comes_back(wired):
    first, second = other(wired), other(wired)
    with wiring.use(first) as using:
        assert using is first is wiring.build()
        with wiring.use(second):
            assert wiring.build() is second
        assert wiring.build() is first
    assert wiring.build() is wired


def test_an_error_inside_takes_the_adapters_out_again(wired):
    with pytest.raises(ZeroDivisionError), wiring.use(other(wired)):
        raise ZeroDivisionError
    assert wiring.build() is wired


def test_without_a_test_the_settings_decide(settings, monkeypatch):
    monkeypatch.setenv("HEADGATE_PLANE_PORTS", '{"fraud": 8200}')
    built = wiring.build()
    assert built is wiring.build()
    assert str(built.engine.url) == f"sqlite:///{settings / 'store.db'}"
    for service, port in (("fraud", 8200), ("flight-delays", 8100)):
        plane = built.plane_of(service)
        assert isinstance(plane, EnvoyPlane)
        assert plane.url == f"http://127.0.0.1:{port}"


def test_other_settings_are_other_adapters(settings, monkeypatch):
    first = wiring.build()
    monkeypatch.setenv("HEADGATE_STORE_URL", f"sqlite:///{settings / 'other.db'}")
    second = wiring.build()
    assert second is not first
    first.engine.dispose()


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize(
    ("name", "value"), [("HEADGATE_PLANE_PORT", "0"), ("HEADGATE_PLANE_PORTS", '{"fraud": "a door"}')]
)
def test_a_setting_that_is_wrong_is_named_with_what_to_do(monkeypatch, name, value):
    with monkeypatch.context() as patch:
        patch.setenv(name, value)
        with pytest.raises(InputError, match=rf"{name}.*mend the variable or \.env"):
            wiring.build()
