"""Options that several commands share, and how a command ends."""

from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

out = Console()
err = Console(stderr=True)

EXIT_FAILED = 1
"""The relay answered, but not every device did what was asked."""
EXIT_USAGE = 2
EXIT_NO_RELAY = 3
"""The relay could not be reached, or refused the connection."""

Url = Annotated[str, typer.Option(envvar="BREATHLIGHT_URL", help="The relay's address.")]
Token = Annotated[
    str | None, typer.Option(envvar="BREATHLIGHT_TOKEN", help="A viewer's or operator's token; none in demo mode.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]
Config = Annotated[
    Path | None,
    # The installed command has the service's own file in this variable.
    typer.Option(metavar="FILE", envvar="BREATHLIGHT_RELAY_CONFIG", help="Settings in TOML; see docs/SETTINGS.md."),
]
DEFAULT_URL = "http://127.0.0.1:5000"


def fail(message: str, code: int) -> NoReturn:
    """Say in one line what went wrong, and leave."""
    err.print(f"[bold red]error:[/] {escape(message)}", highlight=False, soft_wrap=True)
    raise typer.Exit(code)
