"""`pi-relay serve`."""

import os
from typing import Annotated

import msgspec
import typer

from server.cli.options import EXIT_FAILED, EXIT_USAGE, Config, fail
from server.storage.failures import DatabaseFailed
from shared.settings import SettingsError


def serve(
    config: Config = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port; 0 takes a free one.", min=0, max=65535)] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Open to this machine alone, without tokens.")] = False,
    insecure_lan: Annotated[
        bool, typer.Option("--insecure-lan", help="Accept that tokens cross the network unencrypted.")
    ] = False,
) -> None:
    """Run the relay until SIGTERM or Ctrl-C.

    Example: pi-relay token add kitchen --role device; pi-relay serve --host 0.0.0.0 --insecure-lan
    """
    from server import run, settings

    given = {"host": host, "port": port, "demo": demo or None, "insecure_lan": insecure_lan or None}
    overrides = {
        settings.PREFIX + name.upper(): str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in given.items()
        if value is not None
    }
    try:
        loaded = settings.load(config, {**os.environ, **overrides})
        run.serve(loaded)
    except SettingsError as error:
        fail(str(error), EXIT_USAGE)
    except DatabaseFailed as failure:
        fail(failure.message, EXIT_FAILED)
    except msgspec.MsgspecError as error:
        fail(str(error), EXIT_USAGE)
