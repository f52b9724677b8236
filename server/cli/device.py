"""`pi-relay device`: what people say of a device; replace, retire and delete one."""

from typing import Annotated, Any
from urllib.parse import quote

import msgspec
import typer
from rich.table import Table

from server.cli.http import call
from server.cli.options import DEFAULT_URL, EXIT_USAGE, AsJson, Token, Url, fail, out
from server.cli.train import train
from shared.contract.payloads import DeviceProfile, DeviceSnapshot, parse
from shared.logs import LogLevel

app = typer.Typer(no_args_is_help=True, help="Name, place, tag, calibrate, replace, retire and delete devices.")

app.command("train")(train)

_Name = Annotated[str, typer.Argument(metavar="DEVICE", help="Its name, as in `pi-relay devices`.")]
_Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@app.command("show")
def show(device: _Name, url: Url = DEFAULT_URL, token: Token = None, as_json: AsJson = False) -> None:
    """Show what people say of a device, and what it says of itself.

    Example: pi-relay device show kitchen
    """
    body = call("GET", url, _path(device), token)
    if as_json:
        typer.echo(msgspec.json.encode(body).decode())
        return
    known = parse(DeviceSnapshot, body)
    table = Table(show_header=False, box=None)
    for name, value in _lines(known):
        table.add_row(f"[bold]{name}[/]", value)
    out.print(table)


@app.command("set")
def change(
    device: _Name,
    title: Annotated[str | None, typer.Option(help="What pages call it; empty: its name.")] = None,
    place: Annotated[str | None, typer.Option(help="Where it is; empty: nowhere.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A group it belongs to; give it once for each.")] = None,
    no_tags: Annotated[bool, typer.Option("--no-tags", help="Take all its tags away.")] = False,
    time_zone: Annotated[str | None, typer.Option(help="IANA name, such as Europe/Zurich; empty: the relay's.")] = None,
    calibrate: Annotated[
        list[str] | None, typer.Option(metavar="QUANTITY=OFFSET", help="Add OFFSET to each value from now on; 0: none.")
    ] = None,
    url: Url = DEFAULT_URL,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Say how people know a device.

    Example: pi-relay device set kitchen --title "Kitchen window" --tag ground-floor --calibrate temperature=-0.4
    """
    texts = {"title": title, "place": place, "time_zone": time_zone}
    fields: dict[str, Any] = {name: text or None for name, text in texts.items() if text is not None}
    if tag or no_tags:
        fields["tags"] = tag or []
    if calibrate:
        known = call("GET", url, _path(device), token).get("profile", {}).get("calibration", {})
        fields["calibration"] = known | dict(_offset(text) for text in calibrate)
    if not fields:
        fail("nothing to change: name --title, --place, --tag, --time-zone or --calibrate", EXIT_USAGE)
    _tell(call("PATCH", url, _path(device), token, fields), as_json)


@app.command("retire")
def retire(device: _Name, url: Url = DEFAULT_URL, token: Token = None, as_json: AsJson = False) -> None:
    """Take a device out of service: its history stays, it takes no commands and raises no alerts.

    Example: pi-relay device retire greenhouse
    """
    _tell(call("POST", url, f"{_path(device)}/retire", token), as_json)


@app.command("reinstate")
def reinstate(device: _Name, url: Url = DEFAULT_URL, token: Token = None, as_json: AsJson = False) -> None:
    """Put a retired device back into service.

    Example: pi-relay device reinstate greenhouse
    """
    _tell(call("PATCH", url, _path(device), token, {"retired": False}), as_json)


@app.command("replace")
def replace(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The device that is gone.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The one in its place; its own history is kept.")],
    yes: _Yes = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Let the history of one device go on under another's name: a new Pi, or two names for one.

    Example: pi-relay device replace kitchen-2024 kitchen
    """
    _sure(yes, f"Put all that {old} has recorded under {new}, and forget {old}?")
    _tell(call("POST", url, f"{_path(new)}/replace", token, {"old": old}), as_json)


@app.command("merge")
def merge(
    device: _Name,
    into: Annotated[str, typer.Argument(metavar="INTO", help="Under whose name it goes on.")],
    yes: _Yes = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Put what one device has recorded together with another's: two names that were one all the time.

    Example: pi-relay device merge raspberrypi kitchen
    """
    _sure(yes, f"Put all that {device} has recorded together with {into}, and forget {device}?")
    _tell(call("POST", url, f"{_path(device)}/merge", token, {"into": into}), as_json)


@app.command("delete")
def delete(device: _Name, yes: _Yes = False, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """Delete a device with all that it has recorded. There is no way back but a backup.

    Example: pi-relay device delete greenhouse --yes
    """
    _sure(yes, f"Delete {device} with all its data?")
    call("DELETE", url, f"{_path(device)}?confirm={quote(device)}", token)
    out.print(f"[green]✓[/] {device} is deleted")


@app.command("settings")
def show_settings(device: _Name, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """Show the settings that an agent uses, without secrets, and which of them were changed from here.

    Example: pi-relay device settings kitchen
    """
    out.print_json(data=call("GET", url, f"{_path(device)}/settings", token))


@app.command("configure")
def configure(
    device: _Name,
    change: Annotated[
        list[str], typer.Argument(metavar="SETTING=VALUE…", help="As in its file; `null` takes a change back.")
    ],
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Change settings of an agent. It checks them first, and takes them back when it does not come back with them.

    Example: pi-relay device configure kitchen sample_interval_s=10 breathing.period_s=6
    """
    wanted: dict[str, Any] = {}
    for text in change:
        _put(wanted, *_setting(text))
    out.print_json(data=call("PATCH", url, f"{_path(device)}/settings", token, wanted))


@app.command("log-level")
def log_level(
    device: _Name,
    level: Annotated[LogLevel, typer.Argument(help="The least severe line to write.")],
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Have an agent log more, or less, until it is started again.

    Example: pi-relay device log-level kitchen debug
    """
    call("PUT", url, f"{_path(device)}/log-level", token, {"level": level})
    out.print(f"[green]✓[/] {device} logs from {level} up")


@app.command("restart")
def restart(device: _Name, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """Start an agent again; its outputs go off meanwhile.

    Example: pi-relay device restart kitchen
    """
    call("POST", url, f"{_path(device)}/restart", token)
    out.print(f"[green]✓[/] {device} starts again")


@app.command("diagnostics")
def diagnostics(device: _Name, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """Print everything that helps to find a fault of an agent, as JSON, without secrets.

    Example: pi-relay device diagnostics kitchen | jq .findings
    """
    typer.echo(msgspec.json.encode(call("GET", url, f"{_path(device)}/diagnostics", token)).decode())


@app.command("versions")
def versions(url: Url = DEFAULT_URL, token: Token = None, as_json: AsJson = False) -> None:
    """Show which version runs where.

    Example: pi-relay device versions
    """
    known = call("GET", url, "/api/versions", token)
    if as_json:
        for one in known:
            typer.echo(msgspec.json.encode(one).decode())
        return
    table = Table("device", "link", "version", "Python", "system", "machine")
    for one in known:
        about = one.get("about") or {}
        table.add_row(
            one["device"],
            "[green]online[/]" if one["online"] else "[red]offline[/]",
            one.get("version") or "original",
            *(about.get(name) or "–" for name in ("python", "os", "model")),
        )
    out.print(table)


def _setting(text: str) -> tuple[list[str], Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"{text!r} must look like sample_interval_s=10")
    try:
        return name.split("."), msgspec.json.decode(value)
    except msgspec.DecodeError:
        # A word without quotes is a word.
        return name.split("."), value


def _put(tree: dict[str, Any], path: list[str], value: Any) -> None:
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
    tree[path[-1]] = value


def _path(device: str) -> str:
    return f"/api/devices/{quote(device, safe='')}"


def _sure(yes: bool, question: str) -> None:
    if not yes and not typer.confirm(question):
        raise typer.Exit(EXIT_USAGE)


def _offset(text: str) -> tuple[str, float]:
    name, _, offset = text.partition("=")
    try:
        return name, float(offset)
    except ValueError:
        raise typer.BadParameter(f"{text!r} must look like temperature=-0.4") from None


def _tell(body: Any, as_json: bool) -> None:
    if as_json:
        typer.echo(msgspec.json.encode(body).decode())
        return
    profile = parse(DeviceProfile, body)
    told = ", ".join(f"{name} {value}" for name, value in _profile(profile) if value)
    out.print(f"[green]✓[/] {profile.device}: {told or 'in service, nothing else is said of it'}", highlight=False)


def _profile(profile: DeviceProfile) -> list[tuple[str, str]]:
    offsets = ", ".join(f"{name} {offset:+g}" for name, offset in sorted(profile.calibration.items()))
    return [
        ("title", profile.title or ""),
        ("place", profile.place or ""),
        ("tags", ", ".join(profile.tags)),
        ("time zone", profile.time_zone or ""),
        ("calibration", offsets),
        ("retired", "yes" if profile.retired else ""),
    ]


def _lines(known: DeviceSnapshot) -> list[tuple[str, str]]:
    link = "[green]online[/]" if known.online else "[red]offline[/]"
    lines = [("device", known.device), ("link", f"{link} since {known.since[:19].replace('T', ' ')} UTC")]
    lines += [line for line in _profile(known.profile or DeviceProfile(device=known.device)) if line[1]]
    lines += [(state.accessory, "on" if state.status else "off") for state in known.accessories]
    for name, reading in known.readings.items():
        value = "–" if reading.value is None else f"{reading.value:g} {reading.unit}".strip()
        lines.append((name, value))
    return lines
