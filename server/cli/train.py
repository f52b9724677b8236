"""`pi-relay device train`: have a device train its forecaster, and see what came of it."""

import time
from typing import Annotated
from urllib.parse import quote

import msgspec
import typer
from rich.table import Table

from server.cli.http import call
from server.cli.options import DEFAULT_URL, EXIT_FAILED, EXIT_NO_RELAY, AsJson, Token, Url, err, fail, out
from server.cli.progress import bars
from server.cli.remote import connect
from shared.client import Client
from shared.contract.payloads import ClientModelTrain, Snapshot, TrainingPhase
from shared.contract.quantities import QUANTITIES
from shared.errors import Code, Refusal

_PATIENCE_S = 240.0
"""Longer than an agent lets a job run."""
_OVER = (TrainingPhase.FINISHED, TrainingPhase.SKIPPED, TrainingPhase.FAILED)


def train(
    device: Annotated[str, typer.Argument(metavar="DEVICE", help="Its name, as in `pi-relay devices`.")],
    wait: Annotated[
        bool, typer.Option("--wait", help="Stay until it is done; exit code 1 where no model came of it.")
    ] = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Have a device train its forecaster now.

    Example: pi-relay device train kitchen --wait
    """
    try:
        if not wait:
            _told(device, _ask(device, url, token), as_json=as_json)
            return
        # Before it is asked, so that none of its news is missed.
        with connect(url, token, device) as feed:
            news = _follow(feed, _ask(device, url, token))
    except Refusal as refusal:
        fail(f"{refusal.message} ({refusal.code})", EXIT_NO_RELAY)
    if news is None:
        fail(f"{device} said nothing of it within {_PATIENCE_S:.0f} s ({Code.NO_ANSWER})", EXIT_NO_RELAY)
    _show(device, news, as_json=as_json)
    raise typer.Exit(0 if news.phase is TrainingPhase.FINISHED else EXIT_FAILED)


def _ask(device: str, url: str, token: str | None) -> str:
    return str(call("POST", url, f"/api/devices/{quote(device, safe='')}/train", token)["command"])


def _told(device: str, command: str, *, as_json: bool) -> None:
    if as_json:
        typer.echo(msgspec.json.encode({"device": device, "command": command}).decode())
    else:
        out.print(f"[green]✓[/] {device} trains; see it on the page, or with --wait", highlight=False)


def _follow(feed: Client, command: str) -> ClientModelTrain | None:
    """The last news of the job, across restarts of the relay; None where they do not come."""
    deadline_s = time.monotonic() + _PATIENCE_S
    with bars() as told:
        while time.monotonic() < deadline_s:
            for event in feed.events(1.0):
                known = event.body if isinstance(event.body, ClientModelTrain) else None
                if isinstance(event.body, Snapshot):
                    known = next((one.training for one in event.body.devices if one.training), None)
                if known is None or known.command != command:
                    if time.monotonic() >= deadline_s:
                        break
                    continue
                if known.phase in _OVER:
                    return known
                told("training", round((known.progress or 0.0) * 100), 100)
    return None


def _show(device: str, news: ClientModelTrain, *, as_json: bool) -> None:
    if as_json:
        typer.echo(msgspec.json.encode(news).decode())
        return
    if news.phase is not TrainingPhase.FINISHED:
        why = (news.reason or "no reason given").replace("_", " ")
        err.print(f"[yellow]–[/] {device}: training {news.phase}: {why}; the model before it goes on serving")
        return
    table = Table("quantity", "ahead", "error", "as it stays", "ratio", "gate", box=None)
    for one in news.horizons:
        unit = QUANTITIES[one.quantity].unit if one.quantity in QUANTITIES else ""
        ratio = one.mae / one.mae_persistence if one.mae_persistence else None
        table.add_row(
            one.quantity,
            f"{one.minutes} min",
            f"{one.mae:.3f} {unit}",
            f"{one.mae_persistence:.3f} {unit}",
            "–" if ratio is None else f"{ratio:.2f}",
            f"{one.gate:g}" if one.gate else "0: no better than as it stays",
        )
    samples = "" if news.samples is None else f", {news.samples} samples"
    days = "" if news.days is None else f" of {news.days:.1f} days"
    took = "" if news.duration_s is None else f", {news.duration_s:.1f} s"
    out.print(f"[green]✓[/] {device}: model {news.model_version}{samples}{days}{took}", highlight=False)
    out.print(table)
