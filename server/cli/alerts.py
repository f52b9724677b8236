"""`pi-relay alerts`: what is wrong, what was, and the rules that say so."""

import time
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import msgspec
import typer
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from server.cli.http import call
from server.cli.options import DEFAULT_URL, EXIT_FAILED, AsJson, Token, Url, err, fail, out
from shared.contract.payloads import Alert, AlertState, Severity, parse

app = typer.Typer(invoke_without_command=True)

_COLOURS = {Severity.INFO: "cyan", Severity.WARNING: "yellow", Severity.CRITICAL: "bold red"}
_STATES = {AlertState.OPEN: "[bold]open[/]", AlertState.ACKNOWLEDGED: "seen", AlertState.CLOSED: "[dim]closed[/]"}
_CONDITIONS = (
    "above",
    "below",
    "rises_by",
    "falls_by",
    "within_s",
    "no_data_s",
    "differs",
    "findings",
    "least_severity",
    "offline",
    "flapping",
    "for_s",
)
"""What a rule's condition is made of, in the order in which it reads."""
_EVERY_S = 2.0
_DELIVERY_S = 20.0

_Alert = Annotated[str, typer.Argument(metavar="ALERT", help="Its id, as in `pi-relay alerts`.")]
_Rule = Annotated[str, typer.Argument(metavar="RULE", help="Its name, as in `pi-relay alerts rules`.")]


@app.callback()
def every(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Closed ones too.")] = False,
    device: Annotated[str | None, typer.Option("--device", "-d", help="Those of one device.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many, the newest.", min=1, max=1000)] = 50,
    watch: Annotated[bool, typer.Option("--watch", help="Show them until Ctrl-C.")] = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Alerts: list, acknowledge and close them; look at the rules, and test whom they tell.

    Without a command: the alerts that are not closed. Exit code 0: there is none; 1: there are.

    Example: pi-relay alerts --watch
    """
    if context.invoked_subcommand is not None:
        return
    query = {"limit": limit} | ({"device": device} if device else {})

    def fetch() -> list[Alert]:
        found = parse(list[Alert], call("GET", url, f"/api/alerts?{urlencode(query)}", token)["alerts"])
        return [alert for alert in found if everything or alert.state is not AlertState.CLOSED]

    if watch and not as_json:
        _watch(fetch)
        return
    alerts = fetch()
    if as_json:
        for alert in alerts:
            typer.echo(msgspec.json.encode(alert).decode())
    else:
        out.print(_table(alerts) if alerts else "[green]✓[/] no alert")
    if any(alert.state is not AlertState.CLOSED for alert in alerts):
        raise typer.Exit(EXIT_FAILED)


@app.command("show")
def show(alert: _Alert, url: Url = DEFAULT_URL, token: Token = None, as_json: AsJson = False) -> None:
    """Show an alert, what became of it and who was told.

    Example: pi-relay alerts show k2JmQ0v1XyZa
    """
    body = call("GET", url, f"/api/alerts/{quote(alert, safe='')}", token)
    if as_json:
        typer.echo(msgspec.json.encode(body).decode())
        return
    out.print(_table([parse(Alert, body["alert"])]))
    for step in body["history"]:
        by = f" by {step['by']}" if step.get("by") else ""
        out.print(f"  {_moment(step['at'])}  {step['state']}{by}  {escape(step.get('message', ''))}", highlight=False)
    for news in body["notifications"]:
        out.print(f"  {_moment(news['at'])}  {_news(news)}", highlight=False)


@app.command("ack")
def ack(alert: _Alert, url: Url = DEFAULT_URL, token: Token = None, as_json: AsJson = False) -> None:
    """Say that an alert was seen; it stays until it is no longer so.

    Example: pi-relay alerts ack k2JmQ0v1XyZa
    """
    _change(alert, "acknowledge", url, token, as_json)


@app.command("close")
def close(alert: _Alert, url: Url = DEFAULT_URL, token: Token = None, as_json: AsJson = False) -> None:
    """Be done with an alert: it does not open again before its condition has ended.

    Example: pi-relay alerts close k2JmQ0v1XyZa
    """
    _change(alert, "close", url, token, as_json)


@app.command("rules")
def rules(url: Url = DEFAULT_URL, token: Token = None, as_json: AsJson = False) -> None:
    """List the rules: those of the relay's settings, and those that were made since.

    Example: pi-relay alerts rules
    """
    found = call("GET", url, "/api/alerts/rules", token)["rules"]
    if as_json:
        for rule in found:
            typer.echo(msgspec.json.encode(rule).decode())
        return
    table = Table("rule", "severity", "condition", "devices", "tells", "switches", "from")
    for rule in found:
        command = rule.get("command")
        table.add_row(
            rule["name"],
            f"[{_COLOURS[Severity(rule.get('severity', 'warning'))]}]{rule.get('severity', 'warning')}[/]",
            escape(_condition(rule)),
            ", ".join([*rule.get("devices", ()), *(f"#{tag}" for tag in rule.get("tags", ()))]) or "all",
            ", ".join(rule.get("notify", ())) or "pages",
            f"{command['accessory']} {command['action']}" if command else "–",
            "settings" if rule["in_settings"] else "API",
        )
    out.print(table if found else "No rule yet. See docs/alerts.md.")


@app.command("test")
def try_out(rule: _Rule, url: Url = DEFAULT_URL, token: Token = None, as_json: AsJson = False) -> None:
    """Send a test to everybody whom a rule tells, and wait until they have it.

    Example: pi-relay alerts test too-hot
    """
    sent = call("POST", url, f"/api/alerts/rules/{quote(rule, safe='')}/test", token)["notifications"]
    path = f"/api/alerts/notifications?{urlencode({'alert': sent[0]['alert']})}"
    ids, ends = {news["id"] for news in sent}, time.monotonic() + _DELIVERY_S
    while True:
        known = [news for news in call("GET", url, path, token)["notifications"] if news["id"] in ids]
        settled = known and all(news["state"] != "waiting" or news["error"] for news in known)
        if settled or time.monotonic() > ends:
            break
        time.sleep(0.2)
    for news in known or sent:
        typer.echo(msgspec.json.encode(news).decode()) if as_json else out.print(_news(news), highlight=False)
    if not known or any(news["state"] != "sent" for news in known):
        raise typer.Exit(EXIT_FAILED)


def _change(alert: str, what: str, url: str, token: str | None, as_json: bool) -> None:
    if not alert.strip():
        fail("name an alert: pi-relay alerts lists them", EXIT_FAILED)
    changed = parse(Alert, call("POST", url, f"/api/alerts/{quote(alert, safe='')}/{what}", token))
    if as_json:
        typer.echo(msgspec.json.encode(changed).decode())
    else:
        out.print(f"[green]✓[/] {changed.rule} at {changed.device or 'the site'}: {changed.state}", highlight=False)


def _watch(fetch: Any) -> None:
    try:
        with Live(_table(fetch()), console=out, refresh_per_second=2, screen=out.is_terminal) as live:
            while True:
                time.sleep(_EVERY_S)
                live.update(_table(fetch()))
    except KeyboardInterrupt:
        err.print("", end="")


def _table(alerts: list[Alert]) -> Table:
    table = Table("alert", "since (UTC)", "severity", "state", "device", "rule", "what")
    # The next command wants it, in one piece.
    table.columns[0].no_wrap = True
    for alert in alerts:
        colour = _COLOURS[alert.severity]
        table.add_row(
            alert.alert,
            _moment(alert.opened_at),
            f"[{colour}]{alert.severity}[/]",
            _STATES[alert.state] + (f" ({escape(alert.acknowledged_by)})" if alert.acknowledged_by else ""),
            alert.device or "[bold]the site[/]",
            alert.rule,
            escape(alert.message),
        )
    return table


def _moment(at: str) -> str:
    return at[:19].replace("T", " ")


def _news(news: dict[str, Any]) -> str:
    marks = {"sent": "[green]✓[/]", "waiting": "[yellow]…[/]", "dead": "[red]✗[/]"}
    why = f": {escape(news['error'])}" if news["error"] else ""
    return f"{marks[news['state']]} {news['target']}: {news['state']} after {news['attempts']} attempts{why}"


def _words(name: str, value: Any) -> str:
    if value is True:
        return name
    if isinstance(value, list):
        return f"{name} {', '.join(value)}"
    return f"{name} {value:g}" if isinstance(value, int | float) else f"{name} {value}"


def _condition(rule: dict[str, Any]) -> str:
    subject = rule.get("quantity") or rule.get("accessory") or ""
    words = [
        _words(name, rule[name])
        for name in _CONDITIONS
        if rule.get(name) or (name in ("above", "below") and rule.get(name) is not None)
    ]
    if "status" in rule:
        words.append("on" if rule["status"] else "off")
    return " ".join([subject, *words]).strip()
