"""devices: every device that the relay knows."""

import msgspec
import typer
from rich.table import Table

from server.cli.options import DEFAULT_URL, EXIT_NO_RELAY, AsJson, Token, Url, fail, out
from server.cli.remote import connect
from shared.errors import Refusal


def devices(url: Url = DEFAULT_URL, token: Token = None, as_json: AsJson = False) -> None:
    """List every device that the relay knows.

    Example: pi-relay devices --json | jq .device
    """
    try:
        with connect(url, token) as relay:
            snapshot = relay.snapshot()
    except Refusal as refusal:
        fail(f"{refusal.message} ({refusal.code})", EXIT_NO_RELAY)
    if as_json:
        for known in snapshot.devices:
            typer.echo(msgspec.json.encode(known).decode())
        return
    table = Table("device", "link", "since (UTC)", "accessories", "quantities")
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
