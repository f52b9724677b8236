"""Options that several commands share, and how a command ends."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.segment import Segment


class Screen(Console):
    """A terminal that shows what people and devices call things, and never obeys it: no escape of theirs reaches it."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The library's, less what is no visible character and no new line."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=_UNSEEN.sub("", segment.text))


_UNSEEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters, and those that turn the direction of writing."""

out = Screen()
err = Screen(stderr=True)

EXIT_FAILED = 1
"""The relay answered, but not every device did what was asked."""
EXIT_USAGE = 2
EXIT_NO_RELAY = 3
"""The relay could not be reached, or refused the connection."""


def _address(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        bare = url.rpartition("://")[2] or "127.0.0.1:5000"
        raise typer.BadParameter(f"{url!r} is no address of a relay: write http://{bare}")
    return url


Url = Annotated[str, typer.Option(envvar="BREATHLIGHT_URL", help="The relay's address.", callback=_address)]
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
