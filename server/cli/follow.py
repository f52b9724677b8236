"""Send a command, follow it to its end at each device, and leave with what came of it."""

from collections import Counter
from dataclasses import dataclass

import msgspec
import typer
from rich.markup import escape

from server.cli.options import EXIT_FAILED, EXIT_NO_RELAY, err, fail, out
from server.cli.progress import bars
from server.cli.remote import connect
from shared.contract.payloads import FINAL_STATES, CommandRequest, CommandResult, CommandState
from shared.errors import Code, Refusal

EXIT_SILENT = 4
"""A device is offline, or did not answer."""
EXIT_EXPIRED = 5
EXIT_SUPERSEDED = 6
EXIT_REFUSED = 7
EXIT_QUEUED = 8
"""On record; it runs when its device comes back in time."""

_SILENT = (Code.DEVICE_OFFLINE, Code.NO_ANSWER)
_EXIT = {
    CommandState.VERIFIED: 0,
    CommandState.EXPIRED: EXIT_EXPIRED,
    CommandState.SUPERSEDED: EXIT_SUPERSEDED,
    CommandState.REFUSED: EXIT_REFUSED,
    CommandState.QUEUED: EXIT_QUEUED,
}


@dataclass(frozen=True)
class Followed:
    """How to follow: where the relay is, and how to tell it."""

    url: str
    token: str | None
    as_json: bool
    wait: bool
    """Whether to stay for what is queued."""


def follow(request: CommandRequest, how: Followed) -> None:
    """Send `request`; ends the program with the exit code of its outcome, 1 where devices differ in theirs."""
    results: dict[str, CommandResult] = {}
    try:
        with connect(how.url, how.token) as relay:
            asked = relay.ask(request, away=_away)
            devices, command = set(asked.devices), asked.command
            what = f"{request.action} {request.accessory or 'everything but the sensors'}"
            with bars() as told:
                for result in asked.news():
                    results[result.device] = result
                    done = [known for known in results.values() if _is_done(known, how)]
                    told(what, len(done), len(devices))
                    if len(done) == len(devices):
                        break
    except Refusal as refusal:
        no_relay = refusal.code in (Code.UNAVAILABLE, Code.UNAUTHENTICATED)
        fail(f"{refusal.message} ({refusal.code})", EXIT_NO_RELAY if no_relay else EXIT_FAILED)
    _print(results, how)
    missing = sorted(device for device in devices if not _is_done(results.get(device), how))
    if missing:
        fail(f"the relay told no outcome for {', '.join(missing)}; later: GET /api/commands/{command}", EXIT_NO_RELAY)
    codes = {_exit(result) for result in results.values()}
    raise typer.Exit(codes.pop() if len(codes) == 1 else EXIT_FAILED)


def _is_done(result: CommandResult | None, how: Followed) -> bool:
    if result is None:
        return False
    return result.state in FINAL_STATES or (result.state is CommandState.QUEUED and not how.wait)


def _exit(result: CommandResult) -> int:
    return EXIT_SILENT if result.code in _SILENT else _EXIT.get(result.state, EXIT_FAILED)


def _away() -> None:
    err.print("the relay is away, trying again", highlight=False)


def _print(results: dict[str, CommandResult], how: Followed) -> None:
    for _, result in sorted(results.items()):
        if how.as_json:
            typer.echo(msgspec.json.encode(result).decode())
        else:
            out.print(_line(result), highlight=False, soft_wrap=True)
    if len(results) > 1 and not how.as_json:
        counts = Counter(str(result.state) for result in results.values())
        out.print(", ".join(f"{count} {state}" for state, count in counts.most_common()), highlight=False)
        silent = [result.device for result in results.values() if result.code in _SILENT]
        if silent:
            out.print(f"[red]did not answer:[/] {escape(', '.join(sorted(silent)))}", highlight=False, soft_wrap=True)


def _line(result: CommandResult) -> str:
    what = f"{escape(result.device)}: {escape(result.accessory or 'everything but the sensors')}"
    if result.state is CommandState.VERIFIED:
        read = {True: "on", False: "off", None: "confirmed"}[result.status]
        return f"[green]✓[/] {what} is [bold]{read}[/] (read back in {result.elapsed_ms or 0:.1f} ms)"
    if result.state is CommandState.QUEUED:
        until = (result.expires_at or "")[:19].replace("T", " ")
        return f"[yellow]…[/] {what}: {result.action} waits for the device until {until} UTC (command {result.command})"
    why = escape(f"{result.message} ({result.code})")
    return f"[red]✗[/] {what}: {result.action} {result.state}: {why}"
