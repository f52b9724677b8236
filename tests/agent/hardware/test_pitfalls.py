"""docs/hardware.md: each pitfall has an answer and a test that exists; rules that hold for the whole agent."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent


def pitfalls():
    table = (ROOT / "docs" / "hardware.md").read_text(encoding="utf-8").partition("## Pitfalls")[2]
    return [line.strip("| ").split(" | ") for line in table.splitlines() if "`" in line and "::" in line]


def functions_in(file):
    return {
        node.name for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.FunctionDef)
    }


def test_every_pitfall_has_an_answer_and_a_test_that_exists():
    rows = pitfalls()
    assert len(rows) > 40
    for pitfall, answer, test in rows:
        file, name = re.fullmatch(r"`(\S+)::(test_\w+)`", test).groups()
        assert pitfall
        assert answer
        assert name in functions_in((HERE / file).resolve()), test


def sources():
    return sorted((ROOT / "pi_agent").rglob("*.py"))


def test_nothing_in_the_agent_forks():
    for file in sources():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported = {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported = {(node.module or "").partition(".")[0]}
            else:
                imported = set()
            assert "multiprocessing" not in imported, file
            assert not (isinstance(node, ast.Attribute) and node.attr in ("fork", "forkpty", "preexec_fn")), file
            assert not (isinstance(node, ast.keyword) and node.arg == "preexec_fn"), file


def extra(name):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [re.match(r"[\w.-]+", requirement)[0].lower() for requirement in project["optional-dependencies"][name]]


@pytest.mark.parametrize(("name", "library"), [("pi", "rpi-lgpio"), ("pi-legacy", "rpi.gpio")])
def test_no_extra_has_both_libraries_of_one_name(name, library):
    assert {"rpi-lgpio", "rpi.gpio"} & set(extra(name)) == {library}


@pytest.mark.parametrize("name", ["pi", "pi-legacy"])
def test_blinkas_missing_requirement_is_in_both_extras(name):
    assert {"adafruit-circuitpython-dht", "gpiod"} <= set(extra(name))


def test_only_the_child_process_imports_the_dht_library():
    importing = [file.name for file in sources() if "import adafruit_dht" in file.read_text(encoding="utf-8")]
    assert importing == ["dht_child.py"]
