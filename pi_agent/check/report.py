"""All checks in their order, and the table that shows them."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from pi_agent.check import gpio, machine, network, overlays, service
from pi_agent.check.findings import Finding, State, fail, ok
from pi_agent.check.surroundings import Surroundings
from pi_agent.settings import AgentSettings, outbox_path, read_settings
from shared.settings import SettingsError

_MARKS = {State.OK: ("✓", "32"), State.WARN: ("!", "33"), State.FAIL: ("✗", "31")}
_DIM, _BOLD = "2", "1"


def check(here: Surroundings, config: Path | None) -> list[Finding]:
    """Look at everything. With settings that cannot be used, at all that does not depend on them."""
    return list(_findings(here, config))


def passed(findings: Sequence[Finding]) -> bool:
    """True where nothing keeps the agent from its work."""
    return all(finding.state is not State.FAIL for finding in findings)


def _findings(here: Surroundings, config: Path | None) -> Iterator[Finding]:
    try:
        settings, wrong = read_settings(config, here.environ), None
    except SettingsError as error:
        settings, wrong = AgentSettings(), error
    hardware = settings.hardware
    yield machine.board(here, hardware)
    yield machine.system(here)
    yield machine.python(here)
    if power := machine.power(here):
        yield power
    if wrong:
        yield fail("settings", str(wrong), f"sudo nano {config}" if config else "mend that variable")
    else:
        yield ok("settings", f"{config or 'defaults and variables'}; device {settings.device_name}")
        if gpio.pins_matter(settings):
            yield from _pins(here, settings)
    yield machine.clock(here)
    state = outbox_path(settings.outbox, here.environ).parent
    yield machine.disk(state)
    yield service.history(here, state, running=gpio.running_agent(here) is not None)
    if not wrong:
        yield from network.relay(settings)


def _pins(here: Surroundings, settings: AgentSettings) -> Iterator[Finding]:
    hardware = settings.hardware
    yield gpio.groups(here)
    yield from gpio.library(here, hardware)
    yield from overlays.overlays(here, settings)
    finding, chip = gpio.header_chip(here)
    yield finding
    if chip:
        yield from gpio.pins(here, settings, chip)


def coloured(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """True where `stream` is a terminal that shows colours, and nobody asked for none (NO_COLOR)."""
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def lines(findings: Sequence[Finding], *, colours: bool) -> Iterator[str]:
    """The table, a line at a time; the remedy below what it mends."""

    def paint(text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if colours else text

    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        mark, code = _MARKS[finding.state]
        yield f"{paint(mark, code)} {paint(finding.name.ljust(width), _BOLD)}  {finding.words}"
        if finding.remedy:
            yield f"  {' ' * width}  {paint('→', _DIM)} {paint(finding.remedy, code)}"
    counts = {state: sum(finding.state is state for finding in findings) for state in State}
    yield f"{counts[State.OK]} well, {counts[State.WARN]} to look at, {counts[State.FAIL]} to mend"


def write(findings: Sequence[Finding], environ: Mapping[str, str], stream: TextIO | None = None) -> None:
    """Print the table."""
    stream = stream or sys.stdout
    for line in lines(findings, colours=coloured(stream, environ)):
        stream.write(line + "\n")
