"""`pi-relay contract check`: whether a relay, ours or another one, is as the contract has it."""

from collections import Counter
from typing import Annotated

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from server.cli.options import EXIT_FAILED, EXIT_NO_RELAY, AsJson, Token, fail, out
from server.conformance import suite
from server.conformance.base import Outcome, Target

app = typer.Typer(no_args_is_help=True, help="The contract: is a relay as it says?")

_MARKS = {"passed": "[green]✓[/]", "failed": "[red]✗[/]", "skipped": "[yellow]–[/]"}


@app.callback()
def _contract() -> None:
    pass


@app.command("check")
def check(
    url: Annotated[str, typer.Argument(metavar="URL", help="The relay's address.")],
    token: Token = None,
    device_token: Annotated[
        str | None,
        typer.Option(
            envvar="BREATHLIGHT_DEVICE_TOKEN",
            help="A device's token, of a name that no device uses; none in demo mode.",
        ),
    ] = None,
    only: Annotated[str, typer.Option(metavar="TEXT", help="Those whose group or name has this in it.")] = "",
    as_json: AsJson = False,
) -> None:
    """Look at a relay from outside: the twelve events, bad input, HTTP, the other doors, who is let in.

    It appears there as a device, sends commands to that device alone, and in demo mode removes it afterwards
    (its stress monitor, once that is offline, is yours to remove). Exit code
    0 when nothing failed, 1 when something did, 3 when nobody answers.

    Example: pi-relay contract check http://127.0.0.1:5000
    """
    outcomes: list[Outcome] = []
    for outcome in suite.run(Target(url, token, device_token), only):
        outcomes.append(outcome)
        if as_json:
            typer.echo(msgspec.json.encode(outcome).decode())
    if outcomes[0].outcome == "failed":
        fail(f"no relay at {url}: {outcomes[0].why}", EXIT_NO_RELAY)
    if not as_json:
        _print(outcomes)
    if any(outcome.outcome == "failed" for outcome in outcomes):
        raise typer.Exit(EXIT_FAILED)


def _print(outcomes: list[Outcome]) -> None:
    table = Table("", "check", "what was found", box=None)
    group = ""
    for outcome in outcomes:
        if outcome.group != group:
            group = outcome.group
            table.add_row("", f"[bold]{escape(group)}[/]", "")
        table.add_row(_MARKS[outcome.outcome], escape(outcome.check), escape(outcome.why))
    out.print(table)
    counts = Counter(outcome.outcome for outcome in outcomes)
    out.print(", ".join(f"{counts[kind]} {kind}" for kind in _MARKS), highlight=False)
