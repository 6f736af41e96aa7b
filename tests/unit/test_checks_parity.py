"""What the doctor says of golden examples: no record, a server that tells no steps, or other ones."""

from dataclasses import replace

import pytest

from headgate import parity
from headgate.errors import ModelUnavailable
from headgate.ports import PARITY, Metadata
from tasks import checks_parity, wiring
from tasks.checkup import Level
from tests.builders import settings_in
from tests.unit.task_cases import opened
from tests.unit.test_parity import GOLDEN

TOLD = GOLDEN.fingerprint


@pytest.fixture
def wired(tmp_path, wired):
    """The store where the settings say that it is: a doctor makes none."""
    settings = settings_in(tmp_path, store_url=f"sqlite:///{tmp_path / 'store.db'}")
    with wiring.use(replace(wired, settings=settings)) as adapters:
        yield adapters


@pytest.fixture
def shelved(wired):
    """Return a function that keeps golden examples of gbm-2 on the shelf."""

    def keep(golden=GOLDEN):
        wired.shelf.put("delays", "gbm-2", {PARITY: parity.to_bytes(golden)}, {"fingerprint": "a"})

    return keep


@pytest.fixture
def tells(monkeypatch):
    """Return a function that says what the candidate's server tells of its steps; None: it is down."""

    def say(fingerprint):
        async def metadata(_plan, _side):
            if fingerprint is None:
                raise ModelUnavailable("no connection")
            return Metadata("delays", "gbm-2", (), (), {"steps_sha256": fingerprint} if fingerprint else {})

        monkeypatch.setattr(checks_parity, "metadata_of", metadata)

    return say


def found():
    return [(one.level, one.found, one.todo) for one in checks_parity.golden_examples()]


@pytest.mark.usefixtures("wired")
def test_a_plan_that_asks_for_no_parity_has_no_line_and_one_without_a_record_says_what_to_do():
    opened()
    assert found() == []
    opened(parity={}, name="asks")
    ((level, said, todo),) = found()
    assert level is Level.MISSING
    assert "the shelf has none" in said
    assert "docs/parity.md" in todo


@pytest.mark.parametrize(
    ("told", "level", "words"),
    [
        (TOLD, Level.OK, "40 golden examples of gbm-2; its server tells the recorded steps"),
        (None, Level.OK, "40 golden examples of gbm-2"),  # that it is down is another line
        ("", Level.WARNING, "tells nothing of its steps"),
        ("ab" * 32, Level.WARNING, f"with steps {TOLD[:12]}; its server tells abababababab"),
    ],
)
def test_what_the_server_tells_is_held_against_the_record(shelved, tells, told, level, words):
    shelved()
    tells(told)
    opened(parity={})
    ((found_level, said, todo),) = found()
    assert (found_level, words in said) == (level, True)
    assert bool(todo) is (level is not Level.OK)


def test_a_record_without_steps_will_do_for_answers_alone(shelved, tells):
    shelved(replace(GOLDEN, recipe=None, stages=(), accidents=()))
    tells("")
    opened(parity={})
    ((level, said, _),) = found()
    assert (level, "the record knows nothing of its steps" in said) == (Level.MISSING, True)
    opened(parity={"compare": "answers"}, name="answers")
    assert [one[0] for one in found()] == [Level.MISSING, Level.OK]
