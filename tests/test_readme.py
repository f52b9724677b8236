"""What the README and its companions promise is there: commands, targets, files, routes, settings."""

import os
import re
import shlex
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

import pi_agent.cli
import pi_agent.fleet.arguments
import server.cli
from pi_agent.settings import AgentSettings
from shared import settings
from tests.support import processes
from tests.support.processes import RelayProcess, wait_for

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PAGES = sorted(
    page
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    if not any(part.startswith(".") for part in page.relative_to(ROOT).parts)
)
TARGETS = set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE))


def blocks(text: str, language: str) -> list[str]:
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [block for kind, block in fenced if kind == language]


def commands(program: str, block: str) -> list[list[str]]:
    """The arguments of each line of `block` that runs `program`."""
    lines = [shlex.split(line, comments=True) for line in block.splitlines()]
    return [words[1:] for words in lines if words and Path(words[0]).name == program]


def shown(program: str) -> list[list[str]]:
    """Every command line of `program` in a block of any page, and in the examples of either program's own help."""
    pages = "\n".join(block for page in PAGES for block in blocks(page.read_text(encoding="utf-8"), "sh"))
    helps = "\n".join(part for line in help_lines() for part in re.split(r"; | \| ", line))
    return commands(program, pages) + commands(program, helps)


def help_lines() -> Iterator[str]:
    for line in (pi_agent.cli._EPILOG + pi_agent.fleet.arguments.EPILOG).splitlines():
        # `pi-agent run    what it does`, after variables that are set for it
        yield re.split(r"\s{2,}", re.sub(r"^\s*([A-Z_]+=\S+ )*", "", line))[0]
    for _, command in relay_commands(typer.main.get_command(server.cli.app)):
        yield from re.findall(r"(?:Example: |\[/bold\] +)(.*)", command.help or "")


def relay_commands(command: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from relay_commands(inner, f"{path} {name}".strip())


@pytest.mark.parametrize("words", shown("pi-relay"), ids=" ".join)
def test_the_relay_understands_every_command_that_is_shown(words: list[str]) -> None:
    command: Any = typer.main.get_command(server.cli.app)
    rest = list(words)
    while hasattr(command, "commands"):
        if command.invoke_without_command and (not rest or rest[0].startswith("-")):
            break
        assert rest, f"{words} names a group, not a command"
        assert rest[0] in command.commands, f"there is no pi-relay {rest[0]}"
        command = command.commands[rest.pop(0)]
    # Parses, converts and checks the options; runs nothing.
    command.make_context(command.name, rest)


@pytest.mark.parametrize("words", shown("pi-agent"), ids=" ".join)
def test_the_agent_understands_every_command_that_is_shown(words: list[str]) -> None:
    assert callable(pi_agent.cli._parser().parse_args(words).work)


def test_both_programs_show_examples() -> None:
    assert len(shown("pi-relay")) >= 15
    assert len(shown("pi-agent")) >= 6


def test_every_make_target_that_is_named_exists() -> None:
    for page in PAGES:
        # Some are cited as `make lock`, some stand in a block.
        text = page.read_text(encoding="utf-8")
        named = set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE))
        assert named <= TARGETS, (page.name, named - TARGETS)
    assert {"run", "test"} <= set(re.findall(r"^make ([a-z]+)", README, re.MULTILINE))


def test_make_alone_lists_every_target() -> None:
    listed = subprocess.run(["make"], cwd=ROOT, env=environ(), capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"make ([a-z-]+)", listed)) == TARGETS
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == TARGETS


def environ() -> dict[str, str]:
    """Without what a make that runs the tests leaves for its children."""
    return {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        target, _, anchor = link.partition("#")
        if target.startswith(("http:", "https:")):
            continue
        assert not target or (page.parent / target).exists(), link
        if anchor:
            linked = text if not target else (page.parent / target).read_text(encoding="utf-8")
            assert anchor in anchors(linked), link


def anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def test_the_example_settings_are_settings(tmp_path: Path) -> None:
    (example,) = blocks(README, "toml")
    assert tomllib.loads(example)
    file = tmp_path / "agent.toml"
    file.write_text(example, encoding="utf-8")
    assert settings.load(AgentSettings, file, {}, "PI_AGENT_").hardware.mode == "real"


def test_the_maps_name_what_is_there() -> None:
    for text in (README, CONTRIBUTING):
        (drawn,) = [block for block in blocks(text, "") if block.startswith("shared/")]
        for place, words in entries(drawn):
            assert place.exists(), place
            for name in re.findall(r"\b[a-z_]+\.py\b", words):
                within = place if place.is_dir() else place.parent
                assert list(within.rglob(name)), f"{name} in the line of {place}"


def test_the_map_of_contributing_names_every_package() -> None:
    (drawn,) = [block for block in blocks(CONTRIBUTING, "") if block.startswith("shared/")]
    named = {place for place, _ in entries(drawn)}
    for root in ("shared", "pi_agent", "server", "tests"):
        packages = {path.parent for path in (ROOT / root).glob("*/*.py")}
        assert packages <= named, packages - named


def entries(drawn: str) -> Iterator[tuple[Path, str]]:
    """Each place that a map names at the beginning of a line, with the line. Deeper lines go on with the one above."""
    root = ROOT
    for line in drawn.splitlines():
        names = re.match(r"( {2})?((?:[\w.]+(?:/|\.py)(?: |$))+)", line)
        if names is None:
            continue
        if not names[1]:
            root = ROOT / names[2].strip()
        for name in names[2].split():
            yield (root / name if names[1] else root), line


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayProcess]:
    """The demo house: a relay and one agent of the name that the README uses."""
    with processes.relay(tmp_path_factory.mktemp("relay")) as running:
        with processes.agent(tmp_path_factory.mktemp("agent"), running.url, "demo-pi"):
            processes.wait_for("the agent reports", lambda: running.device("demo-pi").get("accessories"))
            yield running


@pytest.mark.integration
def test_the_commands_of_the_second_terminal_do_what_they_say(relay: RelayProcess) -> None:
    (block,) = [block for block in blocks(README, "sh") if "pi-relay watch" in block]
    for words in commands("pi-relay", block):
        if words == ["watch"]:
            continue
        done = relay.cli(*words)
        assert done.returncode == 0, (words, done.stderr)
        assert "demo-pi" in done.stdout, words


@pytest.mark.integration
def test_watch_shows_the_device_and_ends_on_ctrl_c(relay: RelayProcess) -> None:
    watching = subprocess.Popen(
        [sys.executable, "-m", "server", "watch", "--json", "--url", relay.url],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watching.stdout is not None
    with watching.stdout as told:
        assert '"demo-pi"' in told.readline()
        watching.send_signal(signal.SIGINT)
        assert watching.wait(10) == 0


@pytest.mark.integration
def test_every_route_that_is_listed_answers(relay: RelayProcess) -> None:
    rows = re.findall(r"^\| (`(?:GET|POST) .*?) \|", README, re.MULTILINE)
    asked = relay.http("POST", "/api/devices/demo-pi/commands", {"action": "check", "accessory": "breath_light"})
    known = {"device": "demo-pi", "command": asked[1]["command"]}
    listed = [(method, path) for row in rows for method, path in routes(row)]
    assert len(listed) >= 8
    for method, path in listed:
        kind = "command" if path.startswith("/api/commands/") else "device"
        path = path.replace("{id}", known[kind]).replace("quantity=&from=&to=&points=", "quantity=temperature&points=9")
        body = {"action": "check", "accessory": "breath_light"} if method == "POST" else None
        status, answer = relay.http(method, path, body)
        assert status in (200, 202), (method, path, answer)


def routes(row: str) -> Iterator[tuple[str, str]]:
    """`GET /a`, `/b` is GET /a and GET /b; `.csv` after it stands for the same with another ending."""
    method = "GET"
    for named in re.findall(r"`(.*?)`", row):
        before, _, path = named.rpartition(" ")
        method = before or method
        yield method, path


@pytest.mark.integration
def test_history_is_exported_in_both_forms(relay: RelayProcess) -> None:
    for form in re.findall(r"`\.(csv|ndjson)`", README):
        path = f"/api/devices/demo-pi/readings.{form}?quantity=temperature"
        wait_for("a reading is stored", lambda path=path: relay.http("GET", path)[0] == 200)
        assert "temperature" in relay.get(path)
