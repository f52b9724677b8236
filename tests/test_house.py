"""The rules of the house that no linter knows."""

import ast
import importlib
import pkgutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pi_agent
import server
import shared
from tests.support import settings_docs

ROOT = Path(__file__).parents[1]
PACKAGES = (shared, pi_agent, server)
USUAL, LONG, FEW = 120, 300, 8


def modules() -> list[str]:
    return sorted(
        info.name
        for package in PACKAGES
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        if "__main__" not in info.name and ".migrations." not in info.name
    )


def public(tree: ast.Module) -> Iterator[ast.ClassDef | ast.FunctionDef]:
    """Public classes and functions of a module, and the public methods of public classes that inherit nothing."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            # A method of a class with bases may be documented where it is promised.
            if isinstance(node, ast.ClassDef) and not node.bases:
                yield from (
                    method
                    for method in node.body
                    if isinstance(method, ast.FunctionDef) and not method.name.startswith("_")
                )


def source_of(module: str) -> Path:
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin)


def protocols() -> set[str]:
    """Names of methods that some protocol of the house documents."""
    return {
        method.name
        for module in modules()
        for node in ast.walk(ast.parse(source_of(module).read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and any("Protocol" in ast.unparse(base) for base in node.bases)
        for method in node.body
        if isinstance(method, ast.FunctionDef) and ast.get_docstring(method)
    }


def test_every_public_name_is_documented() -> None:
    promised = protocols()
    silent = []
    for module in modules():
        tree = ast.parse(source_of(module).read_text(encoding="utf-8"))
        if not ast.get_docstring(tree):
            silent.append(module)
        silent += [
            f"{module}.{node.name}"
            for node in public(tree)
            if not ast.get_docstring(node) and node.name not in promised
        ]
    assert silent == []


def test_modules_are_short() -> None:
    lengths = {module: len(source_of(module).read_text(encoding="utf-8").splitlines()) for module in modules()}
    assert statistics.median(lengths.values()) <= USUAL
    assert len([module for module, length in lengths.items() if length > LONG]) <= FEW, lengths


def test_every_setting_is_documented() -> None:
    assert settings_docs.undocumented() == []


def test_the_settings_page_is_fresh() -> None:
    assert settings_docs.FILE.read_text(encoding="utf-8") == settings_docs.text(), "run `make contract`"


@pytest.mark.parametrize("module", ["shared.wire", "pi_agent.app", "server.app", "server.cli"])
def test_importing_has_no_side_effects(module: str) -> None:
    script = f"""
import threading, logging, sys
before = set(logging.getLogger().handlers)
import {module}
assert threading.active_count() == 1, threading.enumerate()
assert set(logging.getLogger().handlers) == before
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)


def test_a_simulated_agent_imports_no_gpio_library_and_no_number_crunching() -> None:
    script = """
import sys
import pi_agent.app
heavy = {"gpiozero", "adafruit_dht", "board", "RPi", "lgpio", "numpy", "sklearn", "pydantic", "sqlalchemy", "flask"}
assert not heavy & {name.partition(".")[0] for name in sys.modules}, heavy & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)


def test_no_registry_and_no_machine_is_named_in_a_lock() -> None:
    locks = [*(ROOT / ".locks").iterdir(), ROOT / "server/dashboard/package-lock.json"]
    for lock in locks:
        text = lock.read_text(encoding="utf-8")
        assert '"resolved"' not in text, lock
        assert "index-url" not in text, lock
        assert "find-links" not in text, lock


def test_the_top_level_is_as_it_was_fixed() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    top = {line.partition("/")[0] for line in listed.stdout.splitlines()}
    assert {name for name in top if not name.startswith(".")} == {
        "pi_agent",
        "server",
        "shared",
        "systemd",
        "tests",
        "docs",
        "Makefile",
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "LICENSE",
        "pyproject.toml",
    }
