"""`pi-relay`: serve, watch, check | off | on | clean, devices, log, token, db, doctor."""

from typing import Annotated

import typer

from server.cli import (
    alerts,
    broker,
    contract,
    database,
    demo,
    device,
    devices,
    log,
    operate,
    serve,
    stress,
    telemetry,
    tokens,
    watch,
)
from shared import VERSION

app = typer.Typer(
    name="pi-relay",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="""The Breathlight relay, and the operator's tools.

[bold]Try it[/bold]   pi-relay demo
[bold]Serve[/bold]    pi-relay token add kitchen --role device; pi-relay serve
[bold]Watch[/bold]    pi-relay watch
[bold]Switch[/bold]   pi-relay off led --device kitchen

The tools find the relay by --url or BREATHLIGHT_URL, and show who they are with --token or BREATHLIGHT_TOKEN.
""",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pi-relay {VERSION}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    pass


app.command("demo")(demo.demo)
app.command("serve")(serve.serve)
app.command("watch")(watch.watch)
app.command("devices")(devices.devices)
app.command("log")(log.log)
app.command("check")(operate.check)
app.command("on")(operate.on)
app.command("off")(operate.off)
app.command("clean")(operate.clean)
app.command("broker")(broker.broker)
app.command("doctor")(database.doctor)
app.add_typer(alerts.app, name="alerts")
app.add_typer(contract.app, name="contract")
app.add_typer(device.app, name="device")
app.add_typer(telemetry.app, name="telemetry")
app.add_typer(stress.app, name="stress")
app.add_typer(tokens.app, name="token")
app.add_typer(database.app, name="db")
