"""check, off, on, clean: a command for one device, a group or all, and what became of it at each."""

from typing import Annotated, Any

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from server.cli.options import DEFAULT_URL, EXIT_FAILED, EXIT_NO_RELAY, AsJson, Token, Url, fail, out
from server.cli.remote import Remote
from shared.contract.payloads import FINAL_STATES, Accessory, Action, CommandRequest, CommandResult, CommandState
from shared.errors import Code, Refusal

ALIASES = {"led": Accessory.BREATH_LIGHT, "light": Accessory.BREATH_LIGHT, "infrared": Accessory.INFRARED_SENSOR}

_AccessoryName = Annotated[
    str, typer.Argument(metavar="ACCESSORY", help="breath_light (led) or infrared_sensor (infrared).")
]
_Device = Annotated[str | None, typer.Option("--device", "-d", help="One device, by name.")]
_Group = Annotated[str | None, typer.Option("--group", "-g", help="All devices of a group (tag).")]
_All = Annotated[bool, typer.Option("--all", help="Every device.")]
_Ttl = Annotated[
    float, typer.Option("--ttl", help="Seconds in which it must happen, or not at all.", min=0.1, max=3600)
]
_Lease = Annotated[float | None, typer.Option("--lease", help="Seconds after which it goes off by itself.", min=0.1)]


def check(
    accessory: _AccessoryName,
    device: _Device = None,
    group: _Group = None,
    everything: _All = False,
    ttl: _Ttl = 10.0,
    url: Url = DEFAULT_URL,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Ask an accessory to report what it is.

    Example: pi-relay check led --device kitchen
    """
    target = _target(device, group, everything)
    _run({"action": Action.CHECK, "accessory": _name(accessory), "ttl_s": ttl, **target}, url, token, as_json)


def on(
    accessory: _AccessoryName,
    device: _Device = None,
    group: _Group = None,
    everything: _All = False,
    lease: _Lease = None,
    ttl: _Ttl = 10.0,
    url: Url = DEFAULT_URL,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Turn an accessory on; done when the device has read its pin back.

    Example: pi-relay on led --device kitchen --lease 600
    """
    target = _target(device, group, everything)
    request = {"action": Action.ON, "accessory": _name(accessory), "ttl_s": ttl, **target}
    _run(request | ({} if lease is None else {"lease_s": lease}), url, token, as_json)


def off(
    accessory: _AccessoryName,
    device: _Device = None,
    group: _Group = None,
    everything: _All = False,
    ttl: _Ttl = 10.0,
    url: Url = DEFAULT_URL,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Turn an accessory off; done when the device has read its pin back.

    Example: pi-relay off infrared --all
    """
    target = _target(device, group, everything)
    _run({"action": Action.OFF, "accessory": _name(accessory), "ttl_s": ttl, **target}, url, token, as_json)


def clean(
    device: _Device = None,
    group: _Group = None,
    everything: _All = False,
    ttl: _Ttl = 10.0,
    url: Url = DEFAULT_URL,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Turn everything off but the sensors.

    Example: pi-relay clean --all
    """
    _run({"action": Action.CLEAN, "ttl_s": ttl, **_target(device, group, everything)}, url, token, as_json)


def devices(url: Url = DEFAULT_URL, token: Token = None, as_json: AsJson = False) -> None:
    """List every device that the relay knows.

    Example: pi-relay devices --json | jq .device
    """
    try:
        with Remote(url, token) as relay:
            snapshot = relay.snapshot()
    except Refusal as refusal:
        fail(f"{refusal.message} ({refusal.code})", EXIT_NO_RELAY)
    if as_json:
        for known in snapshot.devices:
            typer.echo(msgspec.json.encode(known).decode())
        return
    table = Table("device", "link", "since (UTC)", "accessories", "readings")
    # A name must be there in full: the next command wants it.
    table.columns[0].overflow = "fold"
    for known in snapshot.devices:
        table.add_row(
            known.device,
            "[green]online[/]" if known.online else "[red]offline[/]",
            known.since[:19].replace("T", " "),
            ", ".join(f"{state.accessory} {'on' if state.status else 'off'}" for state in known.accessories) or "–",
            str(len(known.readings)),
        )
    out.print(table if snapshot.devices else "No device yet. Start one: pi-agent run")


def _name(text: str) -> str:
    name = ALIASES.get(text.lower(), text)
    if name not in list(Accessory):
        known = ", ".join([*Accessory, *ALIASES])
        raise typer.BadParameter(f"{text!r} is no accessory; known are {known}")
    return str(name)


def _target(device: str | None, group: str | None, everything: bool) -> dict[str, Any]:
    chosen = {"device": device, "tag": group, "all": everything or None}
    target = {name: value for name, value in chosen.items() if value is not None}
    if len(target) != 1:
        raise typer.BadParameter("name one of --device NAME, --group NAME and --all")
    return target


def _run(fields: dict[str, Any], url: str, token: str | None, as_json: bool) -> None:
    """Send a command, follow it to its end at each device; the exit code tells the outcome."""
    try:
        request = CommandRequest.build(**fields)
        with Remote(url, token) as relay:
            ack = relay.command(request)
            final = _follow(relay, ack.command or "", set(ack.devices or ()), (request.ttl_s or 10.0) + 5.0)
    except Refusal as refusal:
        no_relay = refusal.code in (Code.UNAVAILABLE, Code.UNAUTHENTICATED)
        fail(f"{refusal.message} ({refusal.code})", EXIT_NO_RELAY if no_relay else EXIT_FAILED)
    for result in final.values():
        if as_json:
            typer.echo(msgspec.json.encode(result).decode())
        else:
            out.print(_line(result), highlight=False)
    if not all(result.state is CommandState.VERIFIED for result in final.values()):
        raise typer.Exit(EXIT_FAILED)


def _follow(relay: Remote, command: str, waiting: set[str], timeout_s: float) -> dict[str, CommandResult]:
    final: dict[str, CommandResult] = {}
    for result in relay.results(command, timeout_s):
        if result.state in FINAL_STATES:
            final[result.device] = result
            waiting.discard(result.device)
        if not waiting:
            return final
    raise Refusal(Code.UNAVAILABLE, f"the relay told no outcome for {', '.join(sorted(waiting))}")


def _line(result: CommandResult) -> str:
    what = f"{result.accessory or 'everything but the sensors'}"
    if result.state is CommandState.VERIFIED:
        read = {True: "on", False: "off", None: "confirmed"}[result.status]
        return f"[green]✓[/] {result.device}: {what} is [bold]{read}[/] (read back in {result.elapsed_ms or 0:.1f} ms)"
    why = escape(f"{result.message} ({result.code})")
    return f"[red]✗[/] {result.device}: {what}: {result.action} {result.state}: {why}"
