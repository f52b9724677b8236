"""log: what happened at a device, and why."""

from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from server.cli.http import call
from server.cli.options import DEFAULT_URL, AsJson, Token, Url, out


def log(
    device: Annotated[str, typer.Argument(help="The device's name.")],
    kind: Annotated[
        list[str] | None,
        typer.Option(
            "--kind", "-k", help="state, command, availability, motion, training, alert or profile; repeat it."
        ),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", help="So many of the newest.", min=1, max=500)] = 30,
    before: Annotated[str | None, typer.Option(help="What the page before ended with.")] = None,
    url: Url = DEFAULT_URL,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Show what happened at a device, newest first: states and why, commands, comings and goings, alerts.

    Example: pi-relay log kitchen --kind state --limit 10
    """
    query = [("limit", str(limit)), *(("kind", one) for one in kind or ())]
    query += [("before", before)] if before else []
    page = call("GET", url, f"/api/devices/{quote(device, safe='')}/log?{urlencode(query)}", token)
    if as_json:
        for entry in page["entries"]:
            typer.echo(msgspec.json.encode(entry).decode())
        return
    table = Table("time (UTC)", "what", "why", box=None)
    for entry in page["entries"]:
        what, why = _LINES[entry["kind"]](entry[entry["kind"]])
        table.add_row(entry["at"][:19].replace("T", " "), escape(what), escape(why))
    out.print(table if page["entries"] else "Nothing is on record.")
    if page["before"]:
        out.print(f"more: --before {page['before']}", style="dim", highlight=False, soft_wrap=True)


def _state(body: dict[str, Any]) -> tuple[str, str]:
    by = f" by {body['by']}" if body.get("by") else ""
    fault = body.get("fault")
    return (
        f"{body['accessory']} is {'on' if body['status'] else 'off'}",
        f"{body.get('cause', '')}{by}" + (f": {fault.get('message') or fault['code']}" if fault else ""),
    )


def _command(body: dict[str, Any]) -> tuple[str, str]:
    what = f"{body['action']} {body.get('accessory') or 'everything but the sensors'}: {body['state']}"
    why = "" if body["state"] == "verified" else f": {body.get('message') or body['code']}"
    return what, f"by {body.get('by', '?')}{why}"


def _availability(body: dict[str, Any]) -> tuple[str, str]:
    flapping = ", comes and goes" if body.get("flapping") else ""
    return "online" if body["online"] else "offline", f"{body.get('reason') or ''}{flapping}"


def _motion(body: dict[str, Any]) -> tuple[str, str]:
    return f"motion {'begins' if body['motion'] else 'ends'}", f"{body.get('count', 0)} since start"


def _alert(body: dict[str, Any]) -> tuple[str, str]:
    return f"{body['severity']}: {body['message']}", f"rule {body['rule']}, {body['state']}"


def _training(body: dict[str, Any]) -> tuple[str, str]:
    reason = str(body.get("reason") or "").replace("_", " ")
    model = f"model {body['model_version']}" if body.get("model_version") else ""
    return f"training {body.get('phase') or ('began' if body['status'] else 'ended')}", reason or model


def _profile(body: dict[str, Any]) -> tuple[str, str]:
    if "train" in body["change"]:
        return "training asked for", f"by {body['by']}"
    return f"changed {', '.join(body['change'])}", f"by {body['by']}"


_LINES: dict[str, Callable[[dict[str, Any]], tuple[str, str]]] = {
    "state": _state,
    "command": _command,
    "availability": _availability,
    "motion": _motion,
    "training": _training,
    "alert": _alert,
    "profile": _profile,
}
