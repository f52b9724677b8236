"""`pi-relay db` and `pi-relay doctor`: backups that were restored once, and a close look at what is stored."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.markup import escape
from rich.table import Table
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from server import settings
from server.cli.options import EXIT_FAILED, EXIT_USAGE, AsJson, Config, err, fail, out
from server.cli.progress import bars
from server.storage import backup as backups
from server.storage.alerts import DEAD, AlertStore, Notification
from server.storage.dead_letters import DeadLetter, DeadLetters
from server.storage.engine import Database
from server.storage.examine import Report, examine
from server.storage.failures import DatabaseFailed
from shared.clock import SystemClock
from shared.settings import SettingsError

_LETTERS = 1_000
_LETTERS_SHOWN = 20

app = typer.Typer(no_args_is_help=True, help="The relay's database: back it up, put a backup in its place.")


@app.command("backup")
def backup(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")],
    config: Config = None,
) -> None:
    """Copy the database of a running relay, and restore the copy to a temporary place to prove it.

    Example: pi-relay db backup /mnt/usb/relay-2026-01-31.backup
    """
    with bars() as progress, _database(config) as database, _errors():
        made = backups.back_up(database, target, progress)
    out.print(
        f"[green]✓[/] {made.path}: {made.events} events, {made.readings} readings, {made.size_bytes / 1e6:.1f} MB; "
        "restored once and found whole",
        highlight=False,
    )


@app.command("restore")
def restore(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `pi-relay db backup` wrote.")],
    config: Config = None,
) -> None:
    """Put a backup in the place of the database; the relay must not be running.

    Example: pi-relay db restore /mnt/usb/relay-2026-01-31.backup
    """
    with bars() as progress, _errors():
        counts = backups.restore(source, settings.load(config).database_url(), progress)
    out.print(f"[green]✓[/] restored: {counts.events} events, {counts.readings} readings", highlight=False)


def doctor(config: Config = None, as_json: AsJson = False) -> None:
    """Look at every row: is it what was written, is it all there, does it agree with itself?

    Exit code 0: sound, and no id is missing without a reason; 1: something is wrong; it is listed.
    """
    with bars() as progress, _database(config) as database, _errors():
        report = examine(database, progress)
        letters = DeadLetters(database, SystemClock()).newest(_LETTERS)
        untold = AlertStore(database, SystemClock()).undelivered(_LETTERS)
    if as_json:
        found = msgspec.to_builtins(report) | {"dead_letters": msgspec.to_builtins(letters)}
        found["notifications"] = msgspec.to_builtins(untold)
        typer.echo(msgspec.json.encode(found).decode())
    else:
        out.print(f"database: {database.dialect.where}", highlight=False, soft_wrap=True)
        _print(report)
        _print_letters(letters)
        _print_untold(untold)
    if not report.sound:
        raise typer.Exit(EXIT_FAILED)


def _print(report: Report) -> None:
    table = Table("device", "stream", "stored", "missing", "dropped", "late")
    for stream in report.streams:
        missing = ", ".join(_range(first, last) for first, last in stream.missing[:5]) or "none"
        dropped = ", ".join(f"{_range(gone.first, gone.last)} {gone.reason}" for gone in stream.dropped[:5]) or "none"
        table.add_row(stream.device, stream.stream, str(stream.stored), missing, dropped, str(stream.late))
    if report.streams:
        out.print(table)
    for what, count in (
        ("rows that are not what was written", report.corrupt),
        ("rows that were given a cursor and are gone", report.lost),
        ("minutes or hours that do not agree with their readings", report.wrong_rollups),
    ):
        out.print(f"{'[green]✓ 0[/]' if not count else f'[red]✗ {count}[/]'} {what}", highlight=False)
    for row in report.corrupt_rows[:20]:
        err.print(f"  cursor {row.cursor}: {row.device} {row.stream} {row.id}: {row.why}", highlight=False)
    for text in [*report.structure[:20], *report.unreadable]:
        err.print(f"  {text}", highlight=False)
    out.print(f"{report.events} events looked at; {report.missing} ids are missing without a reason on record")


def _print_letters(letters: list[DeadLetter]) -> None:
    """Messages that were given up, the newest first."""
    if not letters:
        return
    table = Table("when (UTC)", "door", "topic", "code", "why", title="Dead letters: what could never be stored")
    for letter in letters[:_LETTERS_SHOWN]:
        when = letter.at[:19].replace("T", " ")
        table.add_row(when, letter.door, escape(letter.topic), letter.code, escape(letter.message))
    out.print(table)
    if len(letters) > _LETTERS_SHOWN:
        out.print(f"and {len(letters) - _LETTERS_SHOWN} older ones; see --json", highlight=False)


def _print_untold(untold: list[Notification]) -> None:
    """Notifications that wait, and those that were given up."""
    dead = [news for news in untold if news.state == DEAD]
    mark = f"[yellow]! {len(dead)}[/]" if dead else "[green]✓ 0[/]"
    out.print(f"{mark} notifications given up, {len(untold) - len(dead)} waiting", highlight=False)
    for news in dead[:_LETTERS_SHOWN]:
        err.print(
            f"  {news.target}: alert {news.alert}, {news.attempts} attempts: {escape(news.error)}", highlight=False
        )


def _range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}–{last}"


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except SettingsError as error:
        fail(str(error), EXIT_USAGE)
    except DatabaseFailed as error:
        fail(error.reason, EXIT_FAILED)


def _check_file(url: str) -> None:
    """To open a file that is not there would make it, and find it sound. Raises `SettingsError`."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        return  # whoever opens it says what is wrong
    if parsed.get_backend_name() == "sqlite" and parsed.database and not Path(parsed.database).exists():
        remedy = "no relay has made it; set STATE_DIRECTORY as for the relay, or name its settings with --config"
        raise SettingsError("database", parsed.render_as_string(), remedy)


@contextmanager
def _database(config: Config) -> Iterator[Database]:
    with _errors():
        url = settings.load(config).database_url()
        _check_file(url)
        database = Database.open(url)
    try:
        yield database
    finally:
        database.close()
