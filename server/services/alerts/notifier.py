"""Tells targets of alerts: from a queue on disk, again and again until they have it, or it is given up."""

import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterable
from functools import partial

import msgspec
from sqlalchemy import Connection

from server.rules import AlertSettings, Target
from server.services.alerts import courier
from server.storage.alerts import DEAD, SENT, WAITING, AlertStore, Notification
from server.storage.behind import WriteBehind
from shared.clock import Clock, iso_utc, monotonic_s, to_ms
from shared.contract.payloads import Alert, AlertState

log = logging.getLogger(__name__)

Carry = Callable[[Target, list[dict[str, object]]], list[str | None]]
"""Brings letters to a target: per letter what went wrong, None where it arrived. May block its greenlet."""

_BATCH = 20
_LONGEST_S = 3600.0
_START_S = 15.0
"""What a child may take to start."""


class Notifier:
    """The queue of notifications. Each is told of at least once: a target may get one again after a crash."""

    def __init__(
        self,
        settings: AlertSettings,
        store: AlertStore,
        behind: WriteBehind,
        clock: Clock,
        spawn: Callable[[Callable[[], None]], object],
        carry: Carry,
    ) -> None:
        """`spawn` runs its argument in a greenlet of its own."""
        self._settings = settings
        self._targets = {target.name: target for target in settings.targets}
        self._store = store
        self._behind = behind
        self._clock = clock
        self._spawn = spawn
        self._carry = carry
        self._waiting: dict[int, Notification] = {}
        self._due_s: dict[int, float] = {}
        self._busy: set[str] = set()
        self._last = 0
        self.dead = 0
        """How many were given up."""

    @property
    def waiting(self) -> int:
        """How many have not arrived yet."""
        return len(self._waiting)

    def restore(self, waiting: Iterable[Notification], last: int, dead: int) -> None:
        """Take over what had not arrived when the relay ended."""
        self._last, self.dead = last, dead
        for news in waiting:
            self.accept(news)

    def address(self, alert: Alert, targets: Iterable[str], event: str) -> list[Notification]:
        """One notification for each target that wants to know. They are not queued before `accept`."""
        body = json.dumps({"event": event, "at": iso_utc(self._clock.now()), "alert": msgspec.to_builtins(alert)})
        made: list[Notification] = []
        for name in dict.fromkeys(targets):
            target = self._targets.get(name)
            if target is None or (alert.state is AlertState.CLOSED and not target.closed):
                continue
            self._last += 1
            news = Notification(self._last, alert.alert, name, to_ms(self._clock.now()), body)
            if len(self._waiting) + len(made) >= self._settings.queue:
                news = self._given_up(news, "too many were waiting")
            made.append(news)
        return made

    def put(self, connection: Connection, news: Iterable[Notification]) -> None:
        """Write notifications, in a transaction that is open: that of their alert."""
        for one in news:
            self._store.put_notification(connection, one)

    def accept(self, news: Notification) -> None:
        """A notification is on disk: it is sent soon."""
        if news.state == WAITING:
            self._waiting[news.id] = news
            self._due_s[news.id] = monotonic_s(self._clock)

    def tick(self) -> None:
        """Send what is due, one batch per target at a time. Call it once a second."""
        now = monotonic_s(self._clock)
        batches: dict[str, list[Notification]] = {}
        for id_, due_s in self._due_s.items():
            news = self._waiting[id_]
            if due_s <= now and news.target not in self._busy:
                batches.setdefault(news.target, []).append(news)
        for name, batch in batches.items():
            self._busy.add(name)
            self._spawn(partial(self._deliver, name, batch[:_BATCH]))

    def _deliver(self, name: str, batch: list[Notification]) -> None:
        try:
            target = self._targets.get(name)
            if target is None:
                outcomes: list[str | None] = ["the settings have no such target any more"] * len(batch)
            else:
                outcomes = self._carry(target, [_letter(news) for news in batch])
            for news, error in zip(batch, outcomes, strict=True):
                self._settle(news, error, final=target is None)
        finally:
            self._busy.discard(name)

    def _settle(self, news: Notification, error: str | None, *, final: bool) -> None:
        attempts = news.attempts + 1
        if error is None:
            after = msgspec.structs.replace(
                news, state=SENT, attempts=attempts, error="", ended_at_ms=to_ms(self._clock.now())
            )
        elif final or attempts >= self._settings.attempts:
            after = self._given_up(msgspec.structs.replace(news, attempts=attempts), error)
        else:
            after = msgspec.structs.replace(news, attempts=attempts, error=error)
            wait_s = min(self._settings.retry_s * 2.0 ** min(attempts - 1, 30), _LONGEST_S)
            self._due_s[news.id] = monotonic_s(self._clock) + wait_s
            log.info("not delivered, trying again: target=%s in_s=%.1f reason=%s", news.target, wait_s, error)
        if after.state == WAITING:
            self._waiting[news.id] = after
        else:
            del self._waiting[news.id], self._due_s[news.id]
        self._behind.submit(lambda connection: self._store.put_notification(connection, after))

    def _given_up(self, news: Notification, error: str) -> Notification:
        self.dead += 1
        log.error("notification given up: target=%s alert=%s reason=%s", news.target, news.alert, error)
        return msgspec.structs.replace(news, state=DEAD, error=error, ended_at_ms=to_ms(self._clock.now()))


def carry(target: Target, letters: list[dict[str, object]]) -> list[str | None]:
    """Start a courier, give it the letters, and wait for its answer; the calling greenlet alone is blocked."""
    order = {"webhook": target.webhook, "secret": target.secret, "apprise": target.apprise, "letters": letters}
    try:
        done = subprocess.run(  # noqa: S603 - our own program; what it is told comes on its input
            [sys.executable, "-m", courier.__name__],
            input=json.dumps(order),
            capture_output=True,
            text=True,
            timeout=_START_S + courier.TIMEOUT_S * 2 * len(letters),
            check=True,
        )
        outcomes: list[str | None] = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        # Not its text: that may hold what was said to the child.
        return [f"the courier failed: {type(error).__name__}"] * len(letters)
    return outcomes


def _letter(news: Notification) -> dict[str, object]:
    said = json.loads(news.body)
    alert = said["alert"]
    where = alert.get("device") or "the site"
    return {
        "id": news.id,
        "body": news.body,
        "title": f"[{alert['severity']}] {where}: {alert['rule']} {said['event']}",
        "text": f"{alert['message']}\n{where}, {said['at']}",
        "severity": alert["severity"],
    }
