"""The settings file that an install begins with: valid as it is, and it says the defaults."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from pi_agent.settings import AgentSettings
from server.settings import RelaySettings
from shared import settings
from shared.example import example

KINDS = [AgentSettings, RelaySettings]


def load(kind: type[Struct], text: str, directory: Path) -> Any:
    file = directory / "example.toml"
    file.write_text(text, encoding="utf-8")
    return settings.load(kind, file, {}, "NONE_")


@pytest.mark.parametrize("kind", KINDS)
def test_as_it_is_it_sets_nothing(kind: type[Struct], tmp_path: Path) -> None:
    assert load(kind, example(kind), tmp_path) == kind()


@pytest.mark.parametrize("kind", KINDS)
def test_with_the_marks_removed_it_sets_the_defaults(kind: type[Struct], tmp_path: Path) -> None:
    lines = example(kind).splitlines()
    # A setting without a default has a place to fill in.
    text = "\n".join(re.sub(r"^#(?=\w+ = )", "", line) for line in lines if not line.endswith('"…"'))
    assert len(tomllib.loads(text)) > 5
    assert load(kind, text, tmp_path) == kind()


@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_is_in_it_with_its_meaning(kind: type[Struct]) -> None:
    lines = example(kind).splitlines()
    for name, _ in settings.names(kind):
        leaf = name.rpartition(".")[2]
        at = [number for number, line in enumerate(lines) if line.startswith(f"#{leaf} = ")]
        assert at, name
        assert all(lines[number - 1].startswith("# ") for number in at)
