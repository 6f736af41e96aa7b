"""Settings come from where they say, are told without their secrets, and stand in the docs as they are."""

from pathlib import Path

import pytest

from headgate.adapters.settings import Settings, masked, origins, variable_of

DOC = Path(__file__).parents[2] / "docs" / "settings.md"


def documented():
    """Return the rows of the table as docs/settings.md has to have them."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = "unset" if field.default is None else f"`{field.default}`"
        rows.append(f"| `{variable_of(name)}` | {default} | {field.description} |")
    return rows


def test_the_docs_have_every_setting_as_it_is():
    rows = documented()
    found = [line for line in DOC.read_text().splitlines() if line.startswith("| `HEADGATE_")]
    assert found == rows, "docs/settings.md should say:\n" + "\n".join(rows)


def test_the_example_file_names_every_setting_with_its_default():
    lines = (DOC.parents[1] / ".env.example").read_text().splitlines()
    found = dict(
        line.removeprefix("# ").split("=", 1) for line in lines if "HEADGATE_" in line and "=" in line
    )
    defaults = {
        variable_of(name): "" if field.default is None else str(field.default)
        for name, field in Settings.model_fields.items()
    }
    assert found == defaults


def test_a_variable_beats_the_file_and_the_file_beats_the_default(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for variable in ("HEADGATE_WORK_POOL", "HEADGATE_LAKE", "HEADGATE_CLOCK", "HEADGATE_PAGES"):
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / ".env").write_text("HEADGATE_WORK_POOL=of-the-file\nHEADGATE_LAKE=lake-of-the-file\n")
    monkeypatch.setenv("HEADGATE_WORK_POOL", "of-the-environment")
    monkeypatch.setenv("HEADGATE_CLOCK", "")
    settings = Settings()
    assert (settings.work_pool, str(settings.lake), settings.clock) == (
        "of-the-environment", "lake-of-the-file", None,
    )  # fmt: skip
    found = {origin.variable: origin.source for origin in origins(settings)}
    assert (found["HEADGATE_WORK_POOL"], found["HEADGATE_LAKE"]) == ("environment", ".env")
    assert (found["HEADGATE_PAGES"], found["HEADGATE_CLOCK"]) == ("default", "default")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("postgresql://me:secret@db:5432/headgate", "postgresql://***@db:5432/headgate"),
        ("https://hooks.example.org/T00/B00/secret", "https://hooks.example.org/***"),
        ("https://hooks.example.org?key=secret", "https://hooks.example.org/***"),
        ("sqlite:////var/lib/headgate.db", "sqlite:////var/lib/headgate.db"),
        ("block:slack-webhook/oncall", "block:slack-webhook/oncall"),
        (Path("runs/lake"), "runs/lake"),
    ],
)
def test_what_is_shown_of_a_setting_holds_no_secret(value, shown):
    assert masked(value) == shown
