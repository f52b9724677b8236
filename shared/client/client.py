"""The relay as a program sees it: what is, what comes, what was, and commands to their end."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from shared.backoff import Backoff
from shared.client import http
from shared.client.commands import Asked, Results
from shared.client.gaps import Gaps, key_of
from shared.client.history import History, history, path
from shared.client.inbox import Ended, Item
from shared.client.link import Link
from shared.contract import events
from shared.contract.payloads import (
    Ack,
    ClientHello,
    CommandRequest,
    CommandResult,
    ErrorBody,
    Payload,
    Snapshot,
    parse,
)
from shared.contract.spec import EventSpec
from shared.errors import Code, Refusal

_SEEN = 2_048
"""Keys that are remembered per stream: a replay begins a little before what was seen last."""
_STREAMS = 10_000
_TTL_S = 10.0
_POLL_S = 1.0
_AGAIN_S = 1.0
"""Until a replay that was refused for now is asked for again."""


@dataclass(frozen=True)
class Event:
    """Something that the relay told. `body` is of the type that the catalogue names; `raw` is what came."""

    spec: EventSpec
    body: Payload
    raw: Any

    @property
    def name(self) -> str:
        """The event's name on the wire."""
        return self.spec.name


class Client:
    """Connects at once, and again by itself when the relay was away: then it asks for what it missed. It also does so
    when the relay left something out, because this client was slow.

    Every reading, change, motion and training event comes once, in order per device, without a gap; where the relay has
    no longer all of it, an `ErrorBody` with `replay_incomplete` says so. After each connection comes a `Snapshot`.
    One thread may take events; any may give commands.
    """

    def __init__(self, url: str, token: str | None = None, device: str | None = None, since: int | None = None) -> None:
        """`device`: see this one alone. `since`: a `cursor` of before; what came after it is sent first.

        Raises `Refusal`: `unauthenticated`, `forbidden`, `unavailable`. Later it is raised only for what no waiting can
        mend.
        """
        self._url, self._token, self._device = url.rstrip("/"), token, device
        self._gaps = Gaps(since)
        self._ask_at_s: float | None = None
        self._seen: OrderedDict[tuple[Any, ...], OrderedDict[int, None]] = OrderedDict()
        self._results = Results()
        self._backoff = Backoff(first_s=0.5, longest_s=5.0)
        self._retry_at_s = 0.0
        self._closed = False
        self._connecting = threading.Lock()
        self._link = self._connect()

    def _connect(self) -> Link:
        hello = ClientHello.build(token=self._token, since=self._gaps.cursor)
        return Link(self._url, hello, self._device, self._results)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection for good."""
        self._closed = True
        self._link.close()

    @property
    def connected(self) -> bool:
        """Whether the relay is there, as far as is known."""
        return self._link.alive

    @property
    def cursor(self) -> int | None:
        """How far events were taken. Kept on disk, it is what the next run gives as `since`."""
        return self._gaps.cursor

    def snapshot(self) -> Snapshot:
        """What the relay knew when the connection in use began. Raises `Refusal` with `unavailable`."""
        return self._link.snapshot()

    # --- what comes ---------------------------------------------------------------------------------------------

    def events(self, timeout_s: float | None = None) -> Iterator[Event]:
        """Events as they come, across restarts of the relay. Ends after `timeout_s` without one, and on `close`."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while not self._closed:
            left_s = _POLL_S if until is None else min(_POLL_S, until - time.monotonic())
            if left_s <= 0:
                return
            try:
                item = self._link.inbox.take(left_s)
            except Ended:
                self._again(left_s)
                continue
            for told in self._in_order(item):
                yield _event(*told)
                until = None if timeout_s is None else time.monotonic() + timeout_s

    def _in_order(self, item: Item | None) -> Iterator[Item]:
        """What may be told after `item` has come. What the relay left out is asked for, and goes before what is new."""
        if self._ask_at_s is not None and time.monotonic() >= self._ask_at_s:
            self._ask_again()
        if item is None:
            return
        spec, body = item
        if spec is events.REPLAY_REQUEST_CLIENT:
            yield from self._replayed(body)
        elif spec is events.ERROR_PUB_CLIENT and body.get("code") == Code.MISSED and body.get("since") is not None:
            if self._gaps.missed(body["since"]):
                self._ask_again()
        elif self._gaps.take(item) and self._is_news(body):
            if spec is events.SNAPSHOT_PUB_CLIENT and self._gaps.welcomed():
                self._ask_again()
            yield item
        if self._gaps.overfull:
            self._link.close()

    def _ask_again(self) -> None:
        self._ask_at_s = None
        self._link.replay(self._gaps.cursor or 0)

    def _replayed(self, answer: Any) -> Iterator[Item]:
        """A replay has ended, or was refused: one that may be asked for later is."""
        ack = parse(Ack, answer)
        if not ack.ok and ack.retry:
            self._ask_at_s = time.monotonic() + _AGAIN_S
            return
        if not ack.ok:
            yield events.ERROR_PUB_CLIENT, {"code": ack.code, "message": ack.message or ""}
        if self._gaps.replayed(ack.cursor):
            self._ask_again()
        for held in self._gaps.release():
            if self._is_news(held[1]):
                yield held

    def _again(self, timeout_s: float) -> None:
        """One try to connect, if it is time for one. Raises `Refusal` for what no waiting can mend."""
        wait_s = self._retry_at_s - time.monotonic()
        if wait_s > 0:
            time.sleep(min(wait_s, timeout_s))
            return
        with self._connecting:
            if self._closed or self._link.alive:
                return
            self._link.close()
            self._gaps.begin_anew()
            self._ask_at_s = None
            try:
                self._link = self._connect()
            except Refusal as refusal:
                if refusal.code is not Code.UNAVAILABLE:
                    raise
                self._retry_at_s = time.monotonic() + self._backoff.next_s()
            else:
                self._backoff.reset()

    def _is_news(self, body: Any) -> bool:
        """Whether it was not seen before. A replay begins a little before what is missing: some of it comes again."""
        known = key_of(body)
        if known is None:
            return True
        key = known[:2]
        ids = self._seen.setdefault(key, OrderedDict())
        self._seen.move_to_end(key)
        if body["id"] in ids:
            return False
        ids[body["id"]] = None
        if len(ids) > _SEEN:
            ids.popitem(last=False)
        if len(self._seen) > _STREAMS:
            self._seen.popitem(last=False)
        return True

    # --- what is asked ------------------------------------------------------------------------------------------

    def ask(
        self, request: CommandRequest | None = None, away: Callable[[], None] = lambda: None, **fields: Any
    ) -> Asked:
        """Give a command: `ask(device="kitchen", action="off", accessory="breath_light")`; see `CommandRequest`.

        `away()` is called when the relay goes before the result is there; it is asked again when it is back.
        Raises `Refusal`: what the relay refuses with; `unavailable` where it did not answer, and nobody knows whether
        it took the command.
        """
        wanted = request or CommandRequest.build(**fields)
        if not self._link.alive:
            self._again(0.0)
        ack = self._link.call(events.COMMAND_REQUEST_CLIENT, wanted)
        devices, ttl_s = ack.devices or (), wanted.ttl_s or _TTL_S
        return Asked(ack.command or "", devices, ttl_s, self._results, self._get, lambda: self._link.alive, away)

    def command(self, request: CommandRequest | None = None, **fields: Any) -> dict[str, CommandResult]:
        """Give a command, and wait for its final result at each device. Raises `Refusal` as `ask` does."""
        return self.ask(request, **fields).wait()

    def history(
        self,
        device: str,
        quantity: str,
        start: datetime | None = None,
        end: datetime | None = None,
        points: int = 400,
    ) -> History:
        """Readings of the past, downsampled with their extremes kept; by default of the last 24 hours.

        `start` and `end` have a zone. Raises `Refusal`: `unknown_device`, `unknown_quantity`, `unavailable`.
        """
        return history(self._get(path(device, quantity, start, end, points)))

    def _get(self, where: str) -> Any:
        return http.call("GET", self._url, where, self._token)


def _event(spec: EventSpec, raw: Any) -> Event:
    try:
        return Event(spec, parse(spec.payload, raw), raw)
    except Refusal as refusal:
        # A newer relay may say what this client does not know: it is told, not dropped.
        body = ErrorBody.build(code=refusal.code, message=refusal.message[:500], event=spec.name)
        return Event(spec, body, raw)
