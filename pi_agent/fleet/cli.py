"""`pi-agent fleet`: from its arguments to a fleet that runs, and an exit code."""

import argparse
import os
import resource
import shutil
import signal
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pi_agent.settings import PREFIX, AgentSettings, RelayOptions, read_token
from shared import logs
from shared.clock import SystemClock
from shared.logs import LogLevel
from shared.settings import SettingsError

if TYPE_CHECKING:
    from pi_agent.fleet.fleet import Fleet, Orders
    from pi_agent.fleet.sample import Sample

EXIT_OK, EXIT_LEFT, EXIT_USAGE, EXIT_NO_RELAY = 0, 1, 2, 3
_FILES_PER_DEVICE: Final = 14
"""Outbox, journal and history with their logs, a reader, a lock, a socket: as counted in a fleet that runs."""
_FILES_BESIDE: Final = 64
_KERNEL_MOST: Final = Path("/proc/sys/fs/nr_open")
_MOST_LINES: Final = 300
_LEFT_SHOWN: Final = 10
_MAKE_TOKENS: Final = "on the relay: pi-relay token add NAME --role device, once per device"
_OWN_SETTINGS: Final = ("DEVICE", "RELAY__", "OUTBOX__PATH", "HARDWARE__MODE", "HARDWARE__SIMULATION__SEED")
"""What each device has of its own; a variable would give all of them the same."""


def fleet(settings: AgentSettings, arguments: argparse.Namespace) -> int:
    """Run it. Raises `SettingsError` for what is wrong with the command line, `OSError` for this machine's limits."""
    url = _relay_url(settings, arguments)
    tokens = _tokens(settings, arguments)
    relay = RelayOptions(url=url, token=tokens[0] if tokens else None)
    try:
        first = msgspec.structs.replace(settings, device=_name(arguments, arguments.devices - 1), relay=relay)
    except ValueError as error:
        raise SettingsError("--name-prefix", arguments.name_prefix, str(error)) from None
    _make_room(arguments.devices)
    if why := _no_relay(first):
        return _say(why, EXIT_NO_RELAY)
    with _state(arguments.state) as state, _log(settings, state):
        return _run(_orders(arguments, url, tokens, state), arguments, url)


def _run(orders: "Orders", arguments: argparse.Namespace, url: str) -> int:
    from pi_agent.jobs.library import load_scheduler
    from pi_agent.libraries import load_libraries

    # Before anything imports them.
    load_scheduler()
    load_libraries(url)
    from pi_agent.fleet.fleet import Fleet
    from pi_agent.fleet.view import summary

    running = Fleet(orders, SystemClock())
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: running.request_stop())
    with _shown(arguments, url) as show:

        def look(sample: "Sample") -> None:
            show(sample)
            if running.refused:
                running.request_stop()

        last = running.run(look)
    if arguments.json:
        sys.stdout.write(msgspec.json.encode(last).decode() + "\n")
    out = sys.stderr if arguments.json else sys.stdout
    for name, value in summary(last, running.whole(0.5), running.whole(0.99)):
        out.write(f"{name:<19}{value}\n")
    if (code := running.refused) is not None:
        return _say(_refused(code), EXIT_NO_RELAY)
    if not last.clean:
        return _say(_left(running, last, arguments), EXIT_LEFT)
    return EXIT_OK


def _left(running: "Fleet", last: "Sample", arguments: argparse.Namespace) -> str:
    waiting = [f"{name} ({count})" for name, count in running.left()]
    words = []
    if waiting:
        more = f", and {len(waiting) - _LEFT_SHOWN} more" if len(waiting) > _LEFT_SHOWN else ""
        words.append(f"left unsent: {last.waiting} events of {', '.join(waiting[:_LEFT_SHOWN])}{more}")
        kept = f"they are in {arguments.state}: run it again with the same --state, and they are sent first"
        words.append(kept if arguments.state else "they are gone with the temporary directory; --state DIR keeps them")
    if last.dropped:
        words.append(f"dropped on record: {sum(last.dropped.values())}; pi-relay log DEVICE tells why")
    if last.troubles:
        words.append(f"agents broke: {logs.recent()[-1] if logs.recent() else 'see the log'}")
    return "; ".join(words)


# --- what is asked for -----------------------------------------------------------------------------------------------


def _orders(arguments: argparse.Namespace, url: str, tokens: Sequence[str], state: Path) -> "Orders":
    from pi_agent.care.changes import merged
    from pi_agent.fleet.device import write_settings
    from pi_agent.fleet.fleet import Orders
    from pi_agent.fleet.plan import seed_of

    # What a thousand of them would do to one machine, and one does not do to a Pi.
    common = merged(
        {"training": {"nightly": False}, "outbox": {"reserve_bytes": 0}},
        tomllib.loads(arguments.config.read_text(encoding="utf-8")) if arguments.config else {},
    )
    devices = []
    for number in range(arguments.devices):
        name = _name(arguments, number)
        simulation: dict[str, Any] = {"seed": seed_of(arguments.seed, number)}
        if arguments.sensor_faults:
            simulation["faults"] = [{"part": "climate", "kind": "transient", "share": arguments.sensor_faults}]
        own: dict[str, Any] = {
            "device": name,
            "relay": {"url": url},
            "hardware": {"mode": "simulated", "simulation": simulation},
        }
        if arguments.interval is not None:
            own["sample_interval_s"] = arguments.interval
        write_settings(state / name, common, own, tokens[number] if tokens else None)
        devices.append((name, state / name))
    return Orders(
        devices=tuple(devices),
        environ=_environ(os.environ, arguments),
        start_per_s=arguments.start_per_s,
        seed=arguments.seed,
        duration_s=arguments.duration,
        cut_every_s=arguments.cut_every,
        cut_for_s=arguments.cut_for,
        kill_every_s=arguments.kill_every,
        clock_skew_s=arguments.clock_skew,
    )


def _environ(environ: Mapping[str, str], arguments: argparse.Namespace) -> dict[str, str]:
    own = (*_OWN_SETTINGS, *(["SAMPLE_INTERVAL_S"] if arguments.interval is not None else []))
    hidden = tuple(PREFIX + name for name in own)
    return {name: value for name, value in environ.items() if not name.startswith(hidden)}


def _name(arguments: argparse.Namespace, number: int) -> str:
    return f"{arguments.name_prefix}-{number + 1:04d}"


def _relay_url(settings: AgentSettings, arguments: argparse.Namespace) -> str:
    url = arguments.relay or settings.relay.url
    try:
        return msgspec.convert({"url": url}, RelayOptions).url
    except msgspec.ValidationError:
        raise SettingsError("--relay", url, "must look like http://HOST:PORT") from None


def _tokens(settings: AgentSettings, arguments: argparse.Namespace) -> list[str]:
    if arguments.tokens is None:
        token = arguments.token or read_token(settings.relay)
        if token and arguments.devices > 1:
            raise SettingsError(
                "--devices", arguments.devices, "are more than one token; write one per line: --tokens FILE"
            )
        return [token] if token else []
    try:
        lines = [line.strip() for line in arguments.tokens.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise SettingsError("--tokens", str(arguments.tokens), f"cannot be read ({reason})") from None
    found = [line for line in lines if line and not line.startswith("#")]
    if len(set(found)) < arguments.devices:
        few = f"has {len(set(found))} tokens for {arguments.devices} devices"
        raise SettingsError("--tokens", str(arguments.tokens), f"{few}; {_MAKE_TOKENS}")
    return list(dict.fromkeys(found))


# --- what this machine and the relay allow ---------------------------------------------------------------------------


def _make_room(devices: int) -> None:
    """As many open files as the machine allows. Raises `OSError` where that is too few."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = devices * _FILES_PER_DEVICE + _FILES_BESIDE
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    most = int(_KERNEL_MOST.read_text(encoding="ascii"))
    limit = min(needed, most if hard == resource.RLIM_INFINITY else hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    if limit < needed:
        fit = (limit - _FILES_BESIDE) // _FILES_PER_DEVICE
        raise SettingsError(
            "--devices",
            devices,
            f"need {needed} open files, and {limit} are allowed here: --devices {fit} fit;"
            f" or raise the limit: sudo prlimit --pid $$ --nofile={needed}",
        )


def _no_relay(first: AgentSettings) -> str | None:
    """Why there is no use in starting, and what to do."""
    from pi_agent.check import network
    from pi_agent.check.findings import State

    for finding in network.relay(first):
        if finding.state is State.FAIL and finding.name == "token":
            return f"{finding.words}; {_refused('')}"
        if finding.state is State.FAIL:
            return f"{finding.words}; start one (make run), or name it: --relay http://HOST:PORT"
    return None


def _refused(code: str) -> str:
    told = f"the relay refuses every device ({code}); " if code else ""
    return f"{told}{_MAKE_TOKENS}; then --tokens FILE"


@contextmanager
def _state(wanted: Path | None) -> Iterator[Path]:
    if wanted is not None:
        wanted.mkdir(parents=True, exist_ok=True)
        yield wanted.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="breathlight-fleet-") as directory:
        yield Path(directory)


@contextmanager
def _log(settings: AgentSettings, state: Path) -> Iterator[None]:
    """Into a file: the view has the terminal. At INFO a thousand agents would write all day."""
    level = settings.log.level if settings.log.level is not LogLevel.INFO else LogLevel.WARNING
    with (state / "fleet.log").open("a", encoding="utf-8") as stream:
        logs.configure(level, settings.log.format, stream, keep=_MOST_LINES)
        try:
            yield
        finally:
            logs.configure(level, settings.log.format)


@contextmanager
def _shown(arguments: argparse.Namespace, url: str) -> Iterator[Callable[["Sample"], None]]:
    from pi_agent.fleet.view import Live, Plain

    out = sys.stdout
    if arguments.json:

        def line(sample: "Sample") -> None:
            out.write(msgspec.json.encode(sample).decode() + "\n")
            out.flush()

        yield line
    elif arguments.plain or not out.isatty() or os.environ.get("TERM") == "dumb":
        yield Plain(out).show
    else:
        live = Live(out, url, arguments.duration, colour=not os.environ.get("NO_COLOR"))
        try:
            yield lambda sample: live.show(sample, shutil.get_terminal_size().columns)
        finally:
            live.close()


def _say(trouble: str, code: int) -> int:
    sys.stderr.write(f"pi-agent: {trouble}\n")
    return code
