"""`pi-relay token`: who may connect."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from server import settings
from server.cli.options import EXIT_FAILED, EXIT_USAGE, AsJson, Config, err, fail, out
from server.security.identity import Role
from server.storage.engine import Database
from server.storage.tokens import Tokens
from shared.clock import SystemClock
from shared.errors import Refusal
from shared.settings import SettingsError

app = typer.Typer(no_args_is_help=True, help="Who may connect: add, list and revoke tokens.")


@contextmanager
def _tokens(config: Config) -> Iterator[Tokens]:
    """The tokens of the configured database; a running relay sees what changes."""
    try:
        database = Database.open(settings.load(config).database_url())
    except SettingsError as error:
        fail(str(error), EXIT_USAGE)
    try:
        yield Tokens(database, SystemClock())
    finally:
        database.close()


@app.command("add")
def add(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Whose it is; a device's token gives the device its name.")
    ],
    role: Annotated[Role, typer.Option(help="device: a Pi; viewer: sees; operator: sees and switches.")],
    config: Config = None,
) -> None:
    """Make a token and print it, once: only its hash is kept.

    Example: pi-relay token add kitchen --role device
    """
    with _tokens(config) as tokens:
        try:
            token = tokens.add(name, role)
        except Refusal as refusal:
            fail(refusal.message, EXIT_FAILED)
    err.print(f"Token of {name} ({role}); it is shown this once:", highlight=False)
    typer.echo(token)


@app.command("list")
def show(config: Config = None, as_json: AsJson = False) -> None:
    """List every token, never its secret."""
    with _tokens(config) as tokens:
        known = tokens.list()
    if as_json:
        for token in known:
            typer.echo(msgspec.json.encode(token).decode())
        return
    table = Table("name", "role", "made", "last used", "revoked")
    for token in known:
        table.add_row(token.name, token.role, token.created_at, token.last_used_at or "never", token.revoked_at or "")
    out.print(table if known else "No token yet: pi-relay token add NAME --role device|viewer|operator")


@app.command("revoke")
def revoke(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose token to revoke.")], config: Config = None
) -> None:
    """Revoke a token; its connections end within a few seconds.

    Example: pi-relay token revoke kitchen
    """
    with _tokens(config) as tokens:
        if not tokens.revoke(name):
            fail(f"there is no token of {name!r} that is not revoked; see pi-relay token list", EXIT_FAILED)
    err.print(f"revoked: {name}", highlight=False)
