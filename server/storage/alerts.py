"""Alerts, the rules that were made while the relay ran, and who is still to be told."""

from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, delete, func, insert, select, update

from server.rules import Rule, encode
from server.storage.engine import Database
from server.storage.tables import alert_rules, alerts, notifications
from shared.clock import Clock, parse_iso_utc, to_ms
from shared.contract.payloads import Alert, AlertState

WAITING, SENT, DEAD = "waiting", "sent", "dead"


class Notification(Struct, frozen=True):
    """One thing to tell one target. `dead`: it was given up."""

    id: int
    alert: str
    target: str
    at_ms: int
    body: str
    """JSON of what is said."""
    state: str = WAITING
    attempts: int = 0
    ended_at_ms: int | None = None
    error: str = ""


class Known(Struct, frozen=True):
    """What must be known again after a restart."""

    alerts: tuple[Alert, ...]
    """The newest of each rule and device."""
    rules: tuple[Rule, ...]
    waiting: tuple[Notification, ...]
    last_alert: int
    last_notification: int


class AlertStore:
    """The alerts of one database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def load(self) -> Known:
        """What was known. Raises `DatabaseFailed`."""
        newest = select(func.max(alerts.c.id)).group_by(alerts.c.rule, alerts.c.device).scalar_subquery()
        still_open = alerts.c.closed_at.is_(None)
        chosen = select(alerts.c.device, alerts.c.body).where(alerts.c.id.in_(newest) | still_open)
        rules = self._database.rows(select(alert_rules.c.body).order_by(alert_rules.c.name))
        return Known(
            alerts=tuple(_alert(*row) for row in self._database.rows(chosen.order_by(alerts.c.id))),
            rules=tuple(msgspec.json.decode(body, type=Rule) for (body,) in rules),
            waiting=tuple(self._notifications(notifications.c.state == WAITING, limit=None)),
            last_alert=self._last(alerts.c.id),
            last_notification=self._last(notifications.c.id),
        )

    def put(self, connection: Connection, number: int, alert: Alert) -> None:
        """Write an alert, new (under `number`) or changed, in a transaction that is open."""
        values = {
            "state": str(alert.state),
            "closed_at": None if alert.closed_at is None else to_ms(parse_iso_utc(alert.closed_at)),
            "body": msgspec.json.encode(alert).decode(),
        }
        changed = connection.execute(update(alerts).where(alerts.c.alert == alert.alert).values(**values))
        if not changed.rowcount:
            connection.execute(
                insert(alerts).values(
                    id=number,
                    alert=alert.alert,
                    rule=alert.rule,
                    device=alert.device,
                    opened_at=to_ms(parse_iso_utc(alert.opened_at)),
                    **values,
                )
            )

    def find(self, alert: str) -> Alert | None:
        """One alert, None where there is none. Raises `DatabaseFailed`."""
        rows = self._database.rows(select(alerts.c.device, alerts.c.body).where(alerts.c.alert == alert))
        return _alert(*rows[0]) if rows else None

    def page(
        self, state: AlertState | None, device: str | None, before: int | None, limit: int
    ) -> list[tuple[int, Alert]]:
        """Alerts, newest first, each with its number; those before number `before`. Raises `DatabaseFailed`."""
        chosen = select(alerts.c.id, alerts.c.device, alerts.c.body).order_by(alerts.c.id.desc()).limit(limit)
        if state is not None:
            chosen = chosen.where(alerts.c.state == str(state))
        if device is not None:
            chosen = chosen.where(alerts.c.device == device)
        if before is not None:
            chosen = chosen.where(alerts.c.id < before)
        return [(number, _alert(name, body)) for number, name, body in self._database.rows(chosen)]

    # --- rules ----------------------------------------------------------------------------------------------------

    def put_rule(self, rule: Rule, by: str) -> None:
        """Write a rule. Raises `DatabaseFailed`."""

        def work(connection: Connection) -> None:
            connection.execute(delete(alert_rules).where(alert_rules.c.name == rule.name))
            connection.execute(
                insert(alert_rules).values(name=rule.name, body=encode(rule), made_by=by, at=to_ms(self._clock.now()))
            )

        self._database.write(work)

    def delete_rule(self, name: str) -> None:
        """Remove a rule. Raises `DatabaseFailed`."""

        def work(connection: Connection) -> None:
            connection.execute(delete(alert_rules).where(alert_rules.c.name == name))

        self._database.write(work)

    # --- notifications --------------------------------------------------------------------------------------------

    def put_notification(self, connection: Connection, news: Notification) -> None:
        """Write a notification, new or changed, in a transaction that is open."""
        values = {
            "state": news.state,
            "attempts": news.attempts,
            "ended_at": news.ended_at_ms,
            "error": news.error,
        }
        changed = connection.execute(update(notifications).where(notifications.c.id == news.id).values(**values))
        if not changed.rowcount:
            connection.execute(
                insert(notifications).values(
                    id=news.id, alert=news.alert, target=news.target, at=news.at_ms, body=news.body, **values
                )
            )

    def notifications(self, alert: str) -> list[Notification]:
        """Who was told of an alert. Raises `DatabaseFailed`."""
        return self._notifications(notifications.c.alert == alert, limit=None)

    def undelivered(self, limit: int = 100) -> list[Notification]:
        """What waits and what was given up, newest first. Raises `DatabaseFailed`."""
        return self._notifications(notifications.c.state != SENT, limit=limit)

    def dead(self) -> int:
        """How many were given up. Raises `DatabaseFailed`."""
        count = select(func.count()).select_from(notifications).where(notifications.c.state == DEAD)
        return int(self._database.rows(count)[0][0])

    def _notifications(self, which: Any, limit: int | None) -> list[Notification]:
        table = notifications.c
        columns = (table.id, table.alert, table.target, table.at, table.body, table.state)
        chosen = select(*columns, table.attempts, table.ended_at, table.error).where(which)
        ordered = chosen.order_by(table.id) if limit is None else chosen.order_by(table.id.desc()).limit(limit)
        return [Notification(*row) for row in self._database.rows(ordered)]

    def _last(self, column: Any) -> int:
        return int(self._database.rows(select(func.coalesce(func.max(column), 0)))[0][0])


def _alert(device: str | None, body: str) -> Alert:
    """The column knows better than the body: a device's history may have gone to another one."""
    return msgspec.structs.replace(msgspec.json.decode(body, type=Alert), device=device)
