"""The program `pi-agent`: parses its arguments, and turns errors into one line and an exit code."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from pi_agent.fleet.arguments import EPILOG as FLEET_EPILOG
from pi_agent.fleet.arguments import add_arguments
from pi_agent.settings import AgentSettings, outbox_path, read_settings
from shared import VERSION, logs
from shared.clock import SystemClock
from shared.contract.quantities import QUANTITIES
from shared.settings import SettingsError

if TYPE_CHECKING:
    from pi_agent.hardware.factory import Parts

EXIT_OK, EXIT_FAILED, EXIT_SETTINGS = 0, 1, 2
_LETTERS_SHOWN = 20
_LOG_LINES_A_MINUTE = 120
"""More would wear a memory card out."""
_RECENT_LINES = 300
_SUPERVISED = "INVOCATION_ID"
"""systemd sets it, and starts again what has ended."""
_CONFIG_VARIABLE = "BREATHLIGHT_AGENT_CONFIG"

_EPILOG = """\
examples:
  PI_AGENT_HARDWARE__MODE=simulated pi-agent run      a simulated Pi for a relay on this machine
  PI_AGENT_RELAY__URL=http://relay.local:5000 PI_AGENT_HARDWARE__MODE=real pi-agent run
  pi-agent run --config /etc/breathlight/agent.toml
  pi-agent sense                          read every sensor once
  pi-agent sense --json | jq .temperature
  pi-agent outbox                         what waits for the relay, and what was dropped
  pi-agent train                          train the forecaster now, on what this Pi remembers
  pi-agent model list                     its versions
  pi-agent model rollback                 go back to the one before
  pi-agent check                          what is wrong with this Pi, and the command that mends it
  pi-agent wiring                         which leg of which part goes where
  pi-agent fleet --devices 200            200 simulated agents in this process, to size a relay
  pi-agent safe                           outputs into their safe states, after a crash

settings come from the file (TOML) and, over it, from variables: relay.url is PI_AGENT_RELAY__URL.
exit codes: 0 done, 1 failed, 2 a setting or argument is wrong.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run `pi-agent` with `argv` (by default the process's). Returns the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        # Wrong settings are among what it looks for.
        checks: bool = arguments.work is _check
        if checks:
            return _check(arguments)
        settings = read_settings(arguments.config)
        logs.configure(settings.log.level, settings.log.format, most_per_minute=_LOG_LINES_A_MINUTE, keep=_RECENT_LINES)
        work: Callable[[AgentSettings, argparse.Namespace], int] = arguments.work
        return work(settings, arguments)
    except SettingsError as error:
        return _say(str(error), EXIT_SETTINGS)
    except OSError as error:
        return _say(str(error), EXIT_FAILED)
    except KeyboardInterrupt:
        return EXIT_FAILED


def _parser() -> argparse.ArgumentParser:
    shape = argparse.RawDescriptionHelpFormatter
    description = "Reads sensors, drives accessories, and keeps what it measured until the relay has stored it."
    parser = argparse.ArgumentParser("pi-agent", description=description, epilog=_EPILOG, formatter_class=shape)
    parser.add_argument("--version", action="version", version=f"pi-agent {VERSION}")
    common = argparse.ArgumentParser(add_help=False)
    # The service's own file is in this variable where `pi-agent` is the installed command.
    config = os.environ.get(_CONFIG_VARIABLE)
    common.add_argument("--config", type=Path, default=config and Path(config), metavar="FILE", help="settings in TOML")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")

    what = "work until SIGTERM or Ctrl-C"
    run = commands.add_parser("run", parents=[common], help=what, description=what)
    run.set_defaults(work=_run)
    for name, work, what in (
        ("sense", _sense, "read every part once and show what it says"),
        ("outbox", _outbox, "show what waits for the relay, what was dropped, and dead letters"),
        ("train", _train, "train the forecaster now, and show what it is worth"),
        ("check", _check, "look at machine, pins, disk, clock and relay; say what is wrong, and what mends it"),
        ("wiring", _wiring, "show which leg of which configured part goes to which position of the header"),
    ):
        command = commands.add_parser(name, parents=[common], help=what, description=what)
        command.add_argument("--json", action="store_true", help="one JSON object, for programs")
        command.set_defaults(work=work)
    what = "show the forecaster's versions, or go back to the one before"
    model = commands.add_parser("model", parents=[common], help=what, description=what)
    model.add_argument("what", choices=("list", "rollback"))
    model.add_argument("--json", action="store_true", help="one JSON array, for programs")
    model.set_defaults(work=_model)
    what = "run many agents on simulated parts in one process, and see how the relay takes it"
    many = commands.add_parser(
        "fleet", parents=[common], help=what, description=what, epilog=FLEET_EPILOG, formatter_class=shape
    )
    add_arguments(many)
    many.set_defaults(work=_fleet)
    what = "put every output into its safe state, without the agent: for after a crash"
    commands.add_parser("safe", parents=[common], help=what, description=what).set_defaults(work=_safe)
    return parser


def _run(settings: AgentSettings, arguments: argparse.Namespace) -> int:
    from pi_agent.lives import FILE_NAME, Lives
    from pi_agent.start import start

    clock = SystemClock()
    with Lives(outbox_path(settings.outbox).with_name(FILE_NAME), clock, VERSION).one() as will:
        agent = start(settings, arguments.config, os.environ, clock)
        code = agent.run()
        will.reason = agent.trouble or ("asked to start again" if agent.restart else "")
    if not agent.ended:
        # A job that hangs on a part would keep the interpreter from ending; everything worth keeping is on disk.
        sys.stderr.flush()
        if not agent.restart or _SUPERVISED in os.environ:
            os._exit(code)
    if agent.restart and _SUPERVISED not in os.environ:
        # Nobody else would start it again.
        os.execv(sys.executable, [sys.executable, "-m", "pi_agent", *sys.argv[1:]])  # noqa: S606 - this very program
    return code


def _fleet(settings: AgentSettings, arguments: argparse.Namespace) -> int:
    from pi_agent.fleet import cli

    return cli.fleet(settings, arguments)


def _safe(settings: AgentSettings, _arguments: argparse.Namespace) -> int:
    from pi_agent.hardware.options import Mode

    if settings.hardware.mode is not Mode.REAL:
        _print(f"hardware.mode is {settings.hardware.mode}: there are no pins to make safe")
        return EXIT_OK
    from pi_agent.hardware.safe import make_safe

    troubles = make_safe(settings.hardware, settings.accessories, SystemClock())
    for trouble in troubles.values():
        _say(f"not safe: {trouble}", EXIT_FAILED)
    return EXIT_FAILED if troubles else EXIT_OK


def _sense(settings: AgentSettings, arguments: argparse.Namespace) -> int:
    from pi_agent.hardware.factory import build_parts

    parts = build_parts(settings.hardware, SystemClock())
    try:
        readings, troubles = _read_parts(parts)
    finally:
        parts.close()
    if arguments.json:
        _print(json.dumps(readings | ({"errors": troubles} if troubles else {}), ensure_ascii=False))
    else:
        _table([(name, *_shown(name, value)) for name, value in readings.items()])
        for name, trouble in troubles.items():
            _say(f"{name}: {trouble}", EXIT_FAILED)
    return EXIT_FAILED if troubles else EXIT_OK


def _read_parts(parts: "Parts") -> tuple[dict[str, Any], dict[str, str]]:
    """What every part says now, null where it failed; and why it did."""
    from pi_agent.hardware.base import HardwareError

    asked: list[tuple[str, tuple[str, ...], Callable[[], Any]]] = [
        (sensor.name, sensor.quantities, sensor.read) for sensor in parts.sensors
    ]
    if parts.light is not None:
        asked.append(("light", ("light",), parts.light.level))
    if parts.infrared is not None:
        asked.append(("infrared", ("motion",), parts.infrared.active))
    readings: dict[str, Any] = {}
    troubles: dict[str, str] = {}
    for name, quantities, read in asked:
        try:
            answer = read()
            readings |= answer if isinstance(answer, Mapping) else {quantities[0]: answer}
        except HardwareError as error:
            readings |= dict.fromkeys(quantities)
            troubles[name] = str(error)
    return readings, troubles


def _outbox(settings: AgentSettings, arguments: argparse.Namespace) -> int:
    from pi_agent.outbox.report import inspect

    report = inspect(outbox_path(settings.outbox))
    if arguments.json:
        _print(msgspec.json.encode(report).decode())
        return EXIT_OK
    _table(
        [
            ("file", report.path),
            ("stream", report.stream),
            ("waiting", f"{report.depth} events"),
            ("oldest", report.oldest_taken_at or "-"),
            ("size", f"{report.file_bytes / 2**20:.1f} MiB"),
            ("next id", str(report.next_id)),
            ("dropped", ", ".join(f"{count} ({reason})" for reason, count in report.dropped.items()) or "none"),
            ("dead letters", str(len(report.dead_letters)) if report.dead_letters else "none"),
        ]
    )
    for letter in report.dead_letters[:_LETTERS_SHOWN]:
        _print(f"  {letter.id}  {letter.event}  {letter.code}: {letter.message}")
    return EXIT_OK


def _check(arguments: argparse.Namespace) -> int:
    from pi_agent.check import report
    from pi_agent.check.surroundings import Surroundings

    findings = report.check(Surroundings(), arguments.config)
    if arguments.json:
        passed = report.passed(findings)
        _print(msgspec.json.encode({"ok": passed, "findings": findings}).decode())
    else:
        report.write(findings, os.environ)
    return EXIT_OK if report.passed(findings) else EXIT_FAILED


def _wiring(settings: AgentSettings, arguments: argparse.Namespace) -> int:
    from pi_agent.check.wiring import wires

    found = wires(settings)
    if arguments.json:
        _print(msgspec.json.encode(found).decode())
    elif found:
        head = ("part", "leg", "position", "is", "volts", "through")
        rows = [(w.part, w.leg, str(w.position), w.to, f"{w.volts:g}", w.through or "-") for w in found]
        _table([head, *rows])
    else:
        _print("no part with a pin is configured")
    return EXIT_OK


def _train(settings: AgentSettings, arguments: argparse.Namespace) -> int:
    from pi_agent.training import cli

    return cli.train(_taught(settings), SystemClock(), arguments)


def _model(settings: AgentSettings, arguments: argparse.Namespace) -> int:
    from pi_agent.training import cli

    return cli.model(_taught(settings), arguments)


def _taught(settings: AgentSettings) -> Path:
    from pi_agent.training.options import beside

    return beside(outbox_path(settings.outbox), settings.hardware.mode)


def _shown(name: str, value: object) -> tuple[str, str]:
    known = QUANTITIES.get(name)
    if value is None:
        return "-", ""
    if isinstance(value, bool):
        return ("yes" if value else "no"), ""
    if isinstance(value, float | int):
        return f"{value:.{known.decimals if known else 3}f}", known.unit if known else ""
    return str(value), ""


def _table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        _print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")


def _say(trouble: str, code: int) -> int:
    sys.stderr.write(f"pi-agent: {trouble}\n")
    return code
